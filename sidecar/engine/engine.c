/* engine.c - the engine's life, its events, and recovery. */
#include "sidecar/engine/engine_inside.h"
#include "sidecar/mapping/mapping.h"

/* The most timers that go off in one tick; what is left is due at once again. */
#define TICK_TIMERS_MAX 256

/* Of a target that is not configured nobody knows how long an attempt may take, nor so how long a lost one may have gone on: long enough. */
#define ABSENT_TIMEOUT SPAN_S(10)
/* Of the table of keys under which steps wait: with more, a look-up takes longer. */
#define KEYS_MAX 65536
/* Of one evaluation, ready from the beginning. */
#define SCRATCH_BYTES 32768

int engine_create(const struct engine_options *options, const struct memory *memory, struct engine **out)
{
    CHECK(options->steps_max <= STEPS_LIMIT && options->targets_max < UINT16_MAX && options->live_sagas_max > 0);
    struct engine *e = memory_take(memory, sizeof *e);
    if (e == NULL)
        return E_MEMORY;
    memset(e, 0, sizeof *e);
    e->options = *options;
    e->memory = *memory;
    random_seed(&e->random, options->seed);
    pool_init(&e->scratch, &e->memory, MAPPING_MEMORY_MAX + options->payload_bytes_max);
    size_t targets_size = ((size_t)options->targets_max + 1) * sizeof(struct target);
    e->targets = memory_take(memory, targets_size);
    /* The first block stays: what is computed for nearly every saga needs no more, and so cannot fail for want of memory. */
    struct pool_mark empty = pool_mark(&e->scratch);
    bool scratch = pool_take(&e->scratch, SCRATCH_BYTES) != NULL;
    pool_rewind(&e->scratch, empty);
    uint64_t keys = e->options.live_sagas_max < KEYS_MAX ? e->options.live_sagas_max : KEYS_MAX;
    if (registry_init(e) != 0 || fair_init(&e->keys, memory, keys) != 0 || e->targets == NULL || !scratch) {
        engine_destroy(e);
        return E_MEMORY;
    }
    struct recall_options recall = options->recall;
    recall.seed = options->seed;
    recall_init(&e->recall, &e->memory, &recall);
    e->recall_timer.subject = TIMER_OF_ANSWERS;
    e->targets[options->targets_max] = (struct target){.timeout = ABSENT_TIMEOUT, .keys = &e->keys};
    *out = e;
    return 0;
}

void engine_destroy(struct engine *e)
{
    if (e == NULL)
        return;
    struct memory memory = e->memory;
    for (struct saga *s = e->oldest; s != NULL;) {
        struct saga *next = s->newer;
        fold_free(e, s);
        s = next;
    }
    for (uint32_t i = 0; i < e->target_count; i++)
        memory_give_back(&memory, e->targets[i].name, strlen(e->targets[i].name) + 1);
    fair_finish(&e->keys);
    recall_finish(&e->recall);
    families_finish(e);
    memory_give_back(&memory, e->targets, ((size_t)e->options.targets_max + 1) * sizeof(struct target));
    registry_finish(e);
    pool_finish(&e->scratch);
    memory_give_back(&memory, e, sizeof *e);
}

static int find(const struct engine *e, struct bytes name)
{
    for (uint32_t i = 0; i < e->target_count; i++)
        if (bytes_equal(bytes_of_text(e->targets[i].name), name))
            return (int)i;
    return -1;
}

/* A new one, which is not there yet. Returns its index; E_MEMORY: also when there are so many that no name more is kept. */
static int add(struct engine *e, const char *text)
{
    size_t size = strlen(text) + 1;
    char *name = e->target_count < e->options.targets_max ? memory_take(&e->memory, size) : NULL;
    if (name == NULL)
        return E_MEMORY;
    memcpy(name, text, size);
    e->targets[e->target_count] = (struct target){
        .name = name, .timeout = ABSENT_TIMEOUT, .keys = &e->keys, .timer = {.subject = TIMER_OF_TARGET}};
    return (int)e->target_count++;
}

int engine_set_target(struct engine *e, const struct target_options *options)
{
    int index = find(e, bytes_of_text(options->name));
    if (index < 0)
        index = add(e, options->name);
    if (index < 0)
        return index;
    struct target *t = &e->targets[index];
    bool there = options->max_concurrent_calls > 0;
    t->timeout = there ? options->timeout : ABSENT_TIMEOUT;
    t->barrier = there && options->barrier;
    if (!(there && t->places == 0 && e->newest != NULL && DEFECT(TARGET_STAYS_GONE)) &&
        !(!there && DEFECT(GONE_IS_CALLED)))
        t->places = options->max_concurrent_calls;
    t->places_kept = t->places_taken;
    limit_set(&t->limit, options->adaptive_concurrency ? t->places : 0);
    if (there) {
        breaker_set(&t->breaker, &options->breaker);
        rate_set(&t->rate, &options->rate);
        budget_set(&t->budget, &options->budget);
    }
    t->pending_max = there ? options->max_pending_calls : 0;
    t->pending_timeout = there ? options->pending_timeout : (struct span){0};
    target_check(t);
    return index;
}

int engine_restore_breaker(struct engine *e, struct bytes target, const struct breaker_mark *mark, struct instant now)
{
    char name[STEP_NAME_BYTES_MAX + 1];
    int code = 0;
    if (mark->open && target.size < sizeof name) { /* the configuration may name it again */
        memcpy(name, target.at, target.size);
        name[target.size] = '\0';
        code = target_keep_name(e, name);
    }
    int index = find(e, target);
    if (index >= 0 && !DEFECT(BREAKER_FORGOTTEN))
        breaker_restore(&e->targets[index].breaker, mark, now);
    return code;
}

const struct target *engine_target(const struct engine *e, uint16_t index)
{
    CHECK(index < e->target_count);
    return &e->targets[index];
}

bool engine_step_budgeted(const struct step *step)
{
    return step->class == CLASS_RETRY || step->class == CLASS_RETRY_UNDO;
}

struct instant engine_waits_until(const struct engine *e, const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    bool bounded = step->class == CLASS_BOUNDED, retry = step->class == CLASS_RETRY;
    bool back = step->compensation != SAGA_COMPENSATION_NONE;
    const struct call_spec *call = saga_step_call(s, index, back ? SAGA_PHASE_COMPENSATION : SAGA_PHASE_ACTION);
    const struct target *t = &e->targets[call->target_index];
    struct instant until = INSTANT_NEVER;
    if (t->down && (bounded || retry))
        until = target_down_due(t, step, e->options.target_wait);
    else if (!t->down && bounded && t->pending_timeout.us > 0)
        until = instant_after(step->queued_at, t->pending_timeout);
    return bounded || retry ? instant_min(until, saga_step_deadline(s, index)) : until;
}

bool engine_target_rated(const struct engine *e, uint16_t index)
{
    const struct target *t = engine_target(e, index);
    return t->rate.interval_ns > 0 && t->places_taken < target_places(t) && !t->breaker.mark.open;
}

const struct breaker_mark *engine_breaker(const struct engine *e, uint16_t index)
{
    return &engine_target(e, index)->breaker.mark;
}

bool engine_target_down(const struct engine *e, uint16_t index)
{
    return engine_target(e, index)->down;
}

int engine_find_target(const struct engine *e, struct bytes name)
{
    int index = find(e, name);
    return index >= 0 && e->targets[index].places > 0 ? index : -1;
}

bool engine_target_absent(const struct engine *e, const struct call_spec *call)
{
    return call->target_index >= 0 && e->targets[call->target_index].places == 0;
}

int target_index(const struct engine *e, const char *name)
{
    int index = find(e, bytes_of_text(name));
    return index >= 0 ? index : (int)e->options.targets_max;
}

int engine_keep_names(struct engine *e, const struct definition *definition)
{
    int code = 0;
    for (unsigned i = 0; i < definition->step_count; i++) {
        const char *target;
        for (unsigned undo = 0; undo < 2; undo++)
            for (unsigned k = 0; code == 0 && (target = step_spec_target(&definition->steps[i], undo, k)) != NULL; k++)
                code = target_keep_name(e, target);
    }
    return code;
}

int target_keep_name(struct engine *e, const char *name)
{
    bool kept = find(e, bytes_of_text(name)) >= 0 || e->target_count == e->options.targets_max;
    return kept || add(e, name) >= 0 ? 0 : E_MEMORY;
}

static int resolve_one(const struct engine *e, struct call_spec *call, const struct step_spec *step, const char *which,
                       struct error_detail *detail)
{
    call->target_index = target_index(e, call->target);
    if (!engine_target_absent(e, call))
        return 0;
    error_set(detail, E_TARGET_NOT_FOUND, which, "step ");
    error_append(detail, step->name);
    error_append(detail, ": sagad.yaml names no target ");
    error_append(detail, call->target);
    return E_TARGET_NOT_FOUND;
}

/* A step's action or compensation, to whichever of its targets it may go. */
static int resolve_call(const struct engine *e, struct step_spec *step, bool compensation, struct error_detail *detail)
{
    const char *which = compensation ? "compensation.target" : "action.target";
    int code = resolve_one(e, compensation ? &step->compensation : &step->action, step, which, detail);
    for (unsigned k = 0; k < step->choice_count; k++) {
        struct call_choice *choice = &step->choices[k];
        struct error_detail other;
        int this = resolve_one(e, compensation ? &choice->compensation : &choice->action, step, which,
                               code == 0 ? detail : &other);
        code = code == 0 ? this : code;
    }
    return code;
}

int engine_resolve(struct engine *e, struct definition *definition, struct error_detail *detail)
{
    int first = 0, family = families_add(e, definition->name);
    if (family < 0)
        return error_set(detail, E_MEMORY, "", NULL);
    definition->family = (uint32_t)family;
    for (unsigned i = 0; i < definition->step_count; i++) {
        struct step_spec *step = &definition->steps[i];
        struct error_detail other;
        int code = resolve_call(e, step, false, first == 0 ? detail : &other);
        first = first == 0 ? code : first;
        if (step->has_compensation) {
            code = resolve_call(e, step, true, first == 0 ? detail : &other);
            first = first == 0 ? code : first;
        }
    }
    return first;
}

static void tick(const struct turn *t)
{
    for (unsigned i = 0; i < TICK_TIMERS_MAX; i++) {
        struct timer *timer = timers_first(&t->engine->timers);
        if (timer == NULL || instant_before(t->now, timer->due))
            return;
        timers_check(&t->engine->timers, timer);
        if (timer->subject == TIMER_OF_TARGET)
            advance_target_waited(t, TIMER_HOLDER(timer, struct target, timer));
        else if (timer->subject == TIMER_OF_ANSWERS)
            fallback_expire(t);
        else
            advance(t, TIMER_HOLDER(timer, struct saga, timer));
        CHECK(timer->slot == 0 || instant_before(t->now, timer->due));
    }
}

int engine_step(struct engine *e, const struct event *event, const struct engine_out *out)
{
    struct turn turn = {.engine = e, .now = event->now, .out = out};
    switch (event->type) {
    case EVENT_START:
        requests_start(&turn, event);
        break;
    case EVENT_BEGIN:
        requests_begin(&turn, event);
        break;
    case EVENT_ENLIST:
        requests_enlist(&turn, event);
        break;
    case EVENT_COMMIT:
        requests_commit(&turn, event);
        break;
    case EVENT_ABORT:
        requests_abort(&turn, event);
        break;
    case EVENT_KEEP_ALIVE:
        requests_keep_alive(&turn, event);
        break;
    case EVENT_CANCEL:
        operator_cancel(&turn, event);
        break;
    case EVENT_PAUSE:
        operator_pause(&turn, event);
        break;
    case EVENT_RESUME:
        operator_resume(&turn, event);
        break;
    case EVENT_RETRY:
        operator_retry(&turn, event);
        break;
    case EVENT_REJECT:
        operator_reject(&turn, event);
        break;
    case EVENT_SKIP:
        operator_skip(&turn, event);
        break;
    case EVENT_RESOLVE:
        operator_resolve(&turn, event);
        break;
    case EVENT_ANSWER:
        return answers_take(&turn, event);
    case EVENT_TICK:
        CHECK(!e->holding);
        turn.timers = true;
        tick(&turn);
        break;
    case EVENT_BREAKER:
        operator_breaker(&turn, event);
        break;
    case EVENT_TARGET:
        CHECK(event->target < e->target_count);
        advance_target_back(&turn, &e->targets[event->target]);
        break;
    default:
        CHECK(!"an event type that the engine knows");
    }
    return e->starved ? E_MEMORY : 0;
}

int engine_restore_answer(struct engine *e, const struct recalled *one)
{
    return recall_restore(&e->recall, one);
}

void engine_restored_answers(struct engine *e)
{
    recall_restored(&e->recall);
    timers_set(&e->timers, &e->recall_timer, recall_due(&e->recall));
}

bool engine_next_answer(struct engine *e, struct recalled *out)
{
    return recall_next_changed(&e->recall, out);
}

void engine_forget_answer(struct engine *e, struct bytes name, struct bytes key)
{
    if (!DEFECT(ANSWER_STAYS))
        recall_forget(&e->recall, name, key);
    timers_set(&e->timers, &e->recall_timer, recall_due(&e->recall));
}

void engine_made_up_answer(struct engine *e, const struct saga *s, unsigned step, struct bytes output,
                           struct instant now)
{
    const struct turn turn = {.engine = e, .now = now};
    fallback_keep(&turn, s, step, output);
}

const struct recall *engine_answers(const struct engine *e)
{
    return &e->recall;
}

void engine_set_drill(struct engine *e, const struct drill_rule *rules, uint32_t count)
{
    drill_set(&e->drill, rules, count);
}

const struct drill *engine_drill(const struct engine *e)
{
    return &e->drill;
}

bool engine_starved(const struct engine *e)
{
    return e->starved;
}

void engine_check(const struct engine *e)
{
    CHECK(e->counts.live <= e->options.live_sagas_max);
    CHECK(e->counts.stuck <= e->counts.live && e->counts.paused <= e->counts.live);
    CHECK(e->counts.synthetic.live <= e->counts.live && e->counts.synthetic.stuck <= e->counts.stuck);
    CHECK(e->counts.synthetic.paused <= e->counts.paused && e->counts.synthetic.compensating <= e->counts.compensating);
    CHECK(e->timers.count <= e->counts.live + e->target_count + (e->recall_timer.slot != 0));
    CHECK((e->oldest == NULL) == (e->counts.live == 0) && (e->newest == NULL) == (e->counts.live == 0));
    CHECK(e->target_count <= e->options.targets_max);
    CHECK(e->newest == NULL || e->newest->id.serial <= e->serial);
}

void engine_renew_leases(struct engine *e, struct instant now)
{
    /* Their timers, set for an earlier time, go off and find that nothing is due yet. */
    for (struct saga *s = e->oldest; s != NULL; s = s->newer)
        if (s->mode == SAGA_ENLISTED && s->state == SAGA_RUNNING)
            s->lease_until = instant_after(now, s->lease);
}

void engine_hold(struct engine *e)
{
    e->holding = true;
}

struct instant engine_expiry(const struct engine *e)
{
    const struct timer *timer = timers_first(&e->timers);
    return timer == NULL ? INSTANT_NEVER : timer->due;
}

int engine_replay(struct engine *e, const struct record *record, const struct definition *definition,
                  struct error_detail *detail)
{
    struct record again;
    if (DEFECT(RECALL_AT_REPLAY) && record->given_at.us != 0) { /* what was recorded is not what is taken */
        again = *record;
        again.output = bytes_of(NULL, 0);
        record = &again;
    }
    struct saga *s = (struct saga *)(uintptr_t)engine_find(e, record->saga.serial);
    int code = fold_check(e, s, record, definition, detail);
    if (code != 0)
        return code;
    if (record->type == RECORD_MOVED) {
        if (s != NULL)
            fold_forget(e, s);
        return 0;
    }
    if (record->type == RECORD_ENLISTED && record->call.target != NULL)
        code = target_keep_name(e, record->call.target);
    if (code != 0 || (record->type == RECORD_ENLISTED && fold_reserve_steps(e, s, 1) != 0))
        return error_set(detail, E_MEMORY, "", NULL);
    size_t size = fold_block_size(record, definition);
    void *block = NULL;
    if (size > 0 && (block = memory_take(&e->memory, size)) == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    fold_apply(e, s, record, definition, block);
    return 0;
}

int engine_resume(struct engine *e, struct instant now, uint64_t *after, unsigned sagas_max,
                  const struct engine_out *out)
{
    struct turn turn = {.engine = e, .now = now, .out = out, .timers = true};
    struct saga *s = (struct saga *)(uintptr_t)engine_after(e, *after);
    for (; s != NULL && sagas_max > 0; s = s->newer, sagas_max--) {
        *after = s->id.serial;
        if (saga_ended(s))
            continue;
        s->lease_until = s->mode == SAGA_ENLISTED ? instant_after(now, s->lease) : INSTANT_NEVER;
        for (unsigned i = 0; i < s->step_count; i++)
            if (s->steps[i].permitted)
                answers_lost(&turn, s, i);
        if (DEFECT(TIMER_LOST_AT_RECOVERY))
            continue;
        advance(&turn, s);
        saga_check(s);
    }
    if (s == NULL) {
        *after = UINT64_MAX;
        families_resume(e);
        engine_check(e);
    }
    return e->starved ? E_MEMORY : 0;
}

void engine_release(struct engine *e, uint64_t serial)
{
    struct saga *s = (struct saga *)(uintptr_t)engine_find(e, serial);
    CHECK(s != NULL && saga_ended(s));
    fold_forget(e, s);
    engine_check(e);
}

uint64_t engine_serial(const struct engine *e)
{
    return e->serial;
}

void engine_set_serial(struct engine *e, uint64_t serial)
{
    CHECK(serial >= e->serial);
    e->serial = serial;
}

void engine_set_position(struct engine *e, uint64_t serial, uint64_t position)
{
    struct saga *s = (struct saga *)(uintptr_t)engine_find(e, serial);
    CHECK(s != NULL && position >= s->position);
    s->position = position;
    if (s->first_position == 0)
        s->first_position = position;
}

void engine_set_moved(struct engine *e, uint64_t serial, uint64_t position)
{
    struct saga *s = (struct saga *)(uintptr_t)engine_find(e, serial);
    CHECK(s != NULL && position >= s->position && (e->latest == NULL || position >= e->latest->first_position));
    s->position = s->first_position = position;
    registry_move(e, s);
}

struct engine_counts engine_counts(const struct engine *e)
{
    return e->counts;
}

struct saga_counts engine_counts_real(const struct engine *e)
{
    const struct engine_counts *all = &e->counts;
    return (struct saga_counts){.live = all->live - all->synthetic.live,
                                .stuck = all->stuck - all->synthetic.stuck,
                                .compensating = all->compensating - all->synthetic.compensating,
                                .paused = all->paused - all->synthetic.paused,
                                .answered = all->answered - all->synthetic.answered};
}
