/* advance.c - what a saga does next. Every event ends here: whatever changed, the same question is asked anew. */
#include "sidecar/base/fnv.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/texts.h"
#include "sidecar/base/timestamp.h"
#include "sidecar/engine/engine_inside.h"

/* Of those that have waited long enough for a target that is down, so many try their luck at once, and the next after so long. */
#define WAITED_TRIES_MAX 16
#define WAITED_AGAIN     SPAN_MS(100)

static const char takes_no_calls_text[] =
    "its target takes no calls now, and the step does not wait for that (unavailable)";

struct record advance_record(const struct turn *t, const struct saga *s, uint8_t type, unsigned step)
{
    return (struct record){.type = type, .saga = s->id, .at = t->now, .step = (uint16_t)step};
}

void advance_emit(const struct turn *t, struct saga *s, const struct record *r)
{
    CHECK(fold_block_size(r, NULL) == 0);
    fold_check_own(r);
    fold_apply(t->engine, s, r, NULL, NULL);
    if (DEFECT(RECORD_MISSING) && r->type == RECORD_PAUSED)
        return;
    t->out->add_record(t->out->self, r);
}

void advance_keep(const struct turn *t, struct saga *s, const struct record *r)
{
    size_t size = fold_block_size(r, NULL);
    void *block = size == 0 ? NULL : memory_take(&t->engine->memory, size);
    if (size > 0 && block == NULL) {
        t->engine->starved = true;
        return;
    }
    fold_check_own(r);
    fold_apply(t->engine, s, r, NULL, block);
    t->out->add_record(t->out->self, r);
}

/* ---- bulkheads: a step that finds its target full waits in the target's queue ---- */

/* Which phase of a step is under way, or next. */
static uint8_t phase_of(const struct step *step)
{
    return step->compensation == SAGA_COMPENSATION_NONE ? SAGA_PHASE_ACTION : SAGA_PHASE_COMPENSATION;
}

static void unqueue(const struct turn *t, struct step *step)
{
    const struct saga *s = step->saga;
    const struct call_spec *call = saga_step_call(s, (unsigned)(step - s->steps), phase_of(step));
    target_unqueue(&t->engine->targets[call->target_index], step);
    t->engine->counts.waiting--;
}

enum target_class advance_class(const struct saga *s, unsigned index)
{
    if (phase_of(&s->steps[index]) == SAGA_PHASE_COMPENSATION)
        return CLASS_UNDO;
    /* Of a pivot that may have been executed and has no undo, nothing but its answer says which way to go. */
    bool asked = s->steps[index].maybe_executed && s->definition->pivot_step == (int)saga_spec_index(s, index) &&
                 !saga_step_has_compensation(s, index);
    return asked || saga_past_pivot(s) ? CLASS_PATIENT : CLASS_BOUNDED;
}

/* As the target's queues take it: a retry, where there is a budget of these. One that finds nobody there waits like all others. */
static enum target_class class_at(const struct target *target, const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    enum target_class class = advance_class(s, index);
    if (target->budget.options.percent == 0 || target->down)
        return class;
    unsigned attempts = class == CLASS_UNDO ? step->compensation_attempts : step->action_attempts;
    return attempts + step->sheds == 0 ? class : class == CLASS_UNDO ? CLASS_RETRY_UNDO : CLASS_RETRY;
}

/* ---- calls ---- */

struct bytes advance_request(const struct saga *s, unsigned index, const struct call_spec *call)
{
    unsigned from;
    if (s->steps[index].output_is_request)
        return s->steps[index].output;
    switch (call->source) {
    case REQUEST_INPUT:
        return s->input;
    case REQUEST_CONSTANT:
        return call->constant;
    case REQUEST_OUTPUT:
        from = saga_output_of(s, saga_first_of(s, call->source_step));
        return from == RECORD_NO_STEP || DEFECT(FALLBACK_OUTPUT_LOST) ? bytes_of(NULL, 0) : s->steps[from].output;
    case REQUEST_OWN_OUTPUT:
        return s->steps[index].output;
    case REQUEST_MAPPED:
        return s->steps[index].mapped;
    }
    CHECK(!"a source that the engine knows");
}

struct span advance_timeout(const struct turn *t, const struct call_spec *call)
{
    if (call->timeout.us > 0)
        return call->timeout;
    return t->engine->targets[call->target_index].timeout;
}

/* What is left for an attempt: without an end for an undo, and for the pivot and what comes after it, where the answer decides and not the
 * deadline. */
static struct span time_left(const struct turn *t, const struct saga *s, unsigned index, uint8_t phase)
{
    if (phase != SAGA_PHASE_ACTION || s->deadline.us == INSTANT_NEVER.us ||
        s->definition->pivot_step == (int)saga_spec_index(s, index) || saga_past_pivot(s))
        return (struct span){.us = INT64_MAX};
    return instant_since(saga_step_deadline(s, index), t->now);
}

/* An action's attempt may last no longer than its saga may still run; an undo is never cut short. */
static struct span call_timeout(const struct turn *t, const struct call_spec *call, struct span left)
{
    struct span timeout = span_min(advance_timeout(t, call), left);
    CHECK(timeout.us > 0);
    return DEFECT(TIMEOUT_TOO_SHORT) ? (struct span){.us = timeout.us - timeout.us / 4} : timeout;
}

/* Gives up an action for whose next attempt there is no time, certainly without having let it leave. */
static void no_time(const struct turn *t, struct saga *s, unsigned index, struct span left, struct span least)
{
    struct error_detail words;
    char text[TIMESTAMP_TEXT_SIZE];
    error_set(&words, 0, NULL, "no attempt leaves: ");
    duration_write(left.us > 0 ? left.us / 1000000 : 0, left.us > 0 ? (int32_t)(left.us % 1000000) * 1000 : 0, text);
    error_append(&words, text);
    error_append(&words, saga_spec(s, index)->reserve.us > 0 ? " are left of what the step may take of the deadline"
                                                             : " are left of the deadline");
    if (least.us > left.us && left.us > 0) {
        duration_write(least.us / 1000000, (int32_t)(least.us % 1000000) * 1000, text);
        error_append(&words, ", and no answer of its target has come within less than ");
        error_append(&words, text);
    }
    struct record r = advance_record(t, s, RECORD_ACTION_ENDED, index);
    r.attempt = s->steps[index].action_attempts;
    r.action_state = s->steps[index].maybe_executed ? SAGA_ACTION_UNKNOWN : SAGA_ACTION_REJECTED;
    r.status = CODE_DEADLINE_EXCEEDED;
    r.message = bytes_of_text(words.text);
    target_forget(&s->steps[index]);
    advance_emit(t, s, &r);
    if (!step_spec_yields(saga_spec(s, index)) && s->state == SAGA_RUNNING)
        advance_turn_back(t, s, REASON_DEADLINE, index, r.message, NULL);
}

/* What a drill does to an attempt that leaves now; NULL: nothing. */
static const struct drill_rule *strikes(const struct turn *t, const struct saga *s, uint8_t phase,
                                        const struct target *target)
{
    struct engine *e = t->engine;
    const struct drill_subject subject = {
        .target = target->name, .definition = s->name, .tags = s->tags, .phase = phase};
    return e->drill.count == 0 ? NULL : drill_draw(&e->drill, &subject, t->now, &e->random);
}

static void leave(const struct turn *t, struct saga *s, unsigned index, uint8_t phase, const struct call_spec *call,
                  enum target_class class)
{
    struct step *step = &s->steps[index];
    struct span left = time_left(t, s, index, phase),
                least = pace_least(&t->engine->targets[call->target_index].pace, t->now);
    if ((left.us <= 0 || left.us < least.us) && !(left.us > 0 && DEFECT(LEAVES_IN_VAIN))) {
        no_time(t, s, index, left, least);
        return;
    }
    bool action = phase == SAGA_PHASE_ACTION;
    uint64_t digest = 0;
    int made = typed_computes(s, index, call) ? typed_request(t, s, index, phase, &digest) : 0;
    if (made != 0)
        target_forget(step); /* it had its turn */
    if (made == TYPED_FAILED)
        return;
    struct target *target = &t->engine->targets[call->target_index];
    const struct drill_rule *fault = strikes(t, s, phase, target);
    struct record r = advance_record(t, s, action ? RECORD_ACTION_STARTED : RECORD_COMPENSATION_STARTED, index);
    r.digest = digest;
    r.fault = fault == NULL || DEFECT(DRILL_NOT_TOLD) ? DRILL_NONE : fault->kind;
    if (action && !DEFECT(CHOICE_NOT_RECORDED))
        r.choice = step->choice != 0 ? step->choice : step->choosing;
    r.attempt = (uint16_t)((action ? step->action_attempts : step->compensation_attempts) + 1);
    advance_emit(t, s, &r);
    if (made == TYPED_NO_MEMORY) {
        answers_unsent(t, s, index, phase);
        return;
    }

    t->engine->counts.calls++;
    step->on_wire = true;
    struct instant due_at = step->queued_at.us != 0 ? step->queued_at : t->now;
    if (!target->down)
        step->queued_at = (struct instant){0};
    if (step->turn.ticket == 0)
        step->turn.ticket = ++target->tickets;
    target_enter(target, step, class, t->now);
    struct effect effect = {
        .type = EFFECT_CALL,
        .as.call =
            {
                .saga = s->id,
                .step = (uint16_t)index,
                .phase = phase,
                .attempt = r.attempt,
                .target = (uint16_t)call->target_index,
                .timeout = call_timeout(t, call, left),
                .method = call->method,
                .request = advance_request(s, index, call),
                .metadata = DEFECT(METADATA_FORGOTTEN) && r.attempt > 1 ? bytes_of(NULL, 0) : step->metadata,
                .definition = s->name,
                .step_name = saga_step_name(s, index),
                .traceparent = s->traceparent,
                .action_state = step->action,
                .due_at = due_at,
                .synthetic = s->synthetic,
                .action_started = DEFECT(ACTION_TIME_FORGOTTEN) ? t->now : step->first_at,
                .fault = fault == NULL ? DRILL_NONE : fault->kind,
                .fault_status = fault == NULL ? 0 : fault->status,
                .fault_delay = fault == NULL ? (struct span){0} : fault->delay,
                .generation = step->generation + (DEFECT(NEW_KEY_EACH_ATTEMPT) ? r.attempt - 1u : 0),
            },
    };
    t->out->add_effect(t->out->self, &effect, NULL);
}

/* It is not there, or its breaker lets nothing leave. */
static bool takes_no_calls(const struct turn *t, const struct target *target)
{
    struct instant again;
    return target->down || target->places == 0 || !breaker_admits(&target->breaker, t->now, &again);
}

/* When the first of those that do not wait for ever has waited long enough, or the next may leave. */
static struct instant target_due(const struct turn *t, struct target *target)
{
    struct instant due = INSTANT_NEVER, again;
    const struct step *first = target->queues[CLASS_BOUNDED].first, *retry = target->queues[CLASS_RETRY].first;
    if (target->down && first != NULL)
        due = target_down_due(target, first, t->engine->options.target_wait);
    if (target->down && retry != NULL)
        due = instant_min(due, target_down_due(target, retry, t->engine->options.target_wait));
    if (!target->down && first != NULL && target->pending_timeout.us > 0 && !DEFECT(WAITS_TOO_LONG))
        due = instant_after(first->queued_at, target->pending_timeout);
    if (!instant_before(t->now, due))
        due = instant_after(t->now, WAITED_AGAIN); /* more have than may leave, or are turned away, at once */
    if (target->hasty != NULL && takes_no_calls(t, target))
        due = instant_after(t->now, WAITED_AGAIN); /* more are turned away than may be at once */
    if (target->waiting > 0 && !DEFECT(BREAKER_STAYS_OPEN) &&
        (!target_admits(target, t->now, &again) || target_first(target, t->now, &again) == NULL))
        due = instant_min(due, again);
    return due;
}

static void set_target_timer(const struct turn *t, struct target *target)
{
    timers_set(&t->engine->timers, &target->timer, target_due(t, target));
}

void advance_unqueue(const struct turn *t, struct saga *s)
{
    for (unsigned i = 0; i < s->step_count; i++)
        advance_unqueue_step(t, s, i);
}

/* In fair turns the one that is first now may have waited for longer than the one that was: its time may come sooner, never later. */
void advance_unqueue_step(const struct turn *t, struct saga *s, unsigned index)
{
    struct step *step = &s->steps[index];
    if (!step->queued)
        return;
    struct target *target = &t->engine->targets[saga_step_call(s, index, phase_of(step))->target_index];
    unqueue(t, step);
    struct instant due = target_due(t, target);
    if (target->timer.slot == 0 || instant_before(due, target->timer.due))
        timers_set(&t->engine->timers, &target->timer, due);
}

/* An action before the pivot that is not waited for: it certainly did not leave, this time. */
static void turn_away(const struct turn *t, struct saga *s, unsigned index, uint8_t status, const char *why)
{
    const struct step *step = &s->steps[index];
    struct record r = advance_record(t, s, RECORD_ACTION_ENDED, index);
    r.attempt = step->action_attempts;
    r.action_state = step->maybe_executed ? SAGA_ACTION_UNKNOWN : SAGA_ACTION_REJECTED;
    r.status = status;
    r.message = bytes_of_text(why);
    target_forget(&s->steps[index]);
    advance_emit(t, s, &r);
    advance_action_failed(t, s, index, status == CODE_UNAVAILABLE ? REASON_UNAVAILABLE : REASON_OVERLOADED);
}

/* Whether the step's action waits for no target that takes no calls now. Of a pivot that may have been executed nothing but its answer tells. */
static bool in_haste(const struct saga *s, unsigned index, uint8_t phase)
{
    return phase == SAGA_PHASE_ACTION && s->definition != NULL && saga_spec(s, index)->in_haste &&
           !DEFECT(HASTE_IGNORED) &&
           !(s->steps[index].maybe_executed && s->definition->pivot_step == (int)saga_spec_index(s, index));
}

/* Among whom the saga's steps take their turns: those of its definition, or of the tag that this names. Whoever gives tags cannot aim at another's
 * turns, as the hash is seeded. */
static struct target_key key_of(const struct turn *t, const struct saga *s)
{
    struct bytes by = s->name, rest = s->tags, name, text;
    const char *tag = s->definition == NULL ? NULL : s->definition->fair_by;
    uint64_t key = FNV_START ^ t->engine->options.seed;
    while (tag != NULL && texts_next(&rest, &name, &text))
        if (bytes_equal(name, bytes_of_text(tag))) {
            key = fnv_add(key, tag, strlen(tag) + 1); /* a tag's value is no definition's name */
            by = text;
            break;
        }
    return (struct target_key){.band = (enum fair_band)(s->priority - PRIORITY_LOW),
                               .key = fnv_add(key, by.at, by.size)};
}

/* Lets an attempt leave, or queues it at its target. */
static void call(const struct turn *t, struct saga *s, unsigned index, uint8_t phase)
{
    if (t->engine->holding)
        return;
    const struct call_spec *spec = saga_step_call(s, index, phase);
    struct target *target = &t->engine->targets[spec->target_index];
    enum target_class class = class_at(target, s, index);
    if (!target_busy(target, class, t->now) || (target->places > 0 && DEFECT(BULKHEAD_IGNORED))) {
        leave(t, s, index, phase, spec, class);
        return;
    }
    bool haste = in_haste(s, index, phase);
    if (haste && takes_no_calls(t, target)) {
        turn_away(t, s, index, CODE_UNAVAILABLE, takes_no_calls_text);
        return;
    }
    struct span left = time_left(t, s, index, phase);
    if (left.us <= 0) {
        no_time(t, s, index, left, (struct span){0});
        return;
    }
    struct target_key key = key_of(t, s);
    if (class == CLASS_BOUNDED && s->steps[index].turn.ticket == 0 && target_crowded(target, key)) {
        turn_away(t, s, index, CODE_RESOURCE_EXHAUSTED, "as many calls wait for the target as may (max_pending_calls)");
        return;
    }
    s->steps[index].hasty = haste;
    s->steps[index].deferred = s->definition != NULL && saga_spec(s, index)->deferred;
    target_queue(target, &s->steps[index], class, key, t->now);
    t->engine->counts.waiting++;
    /* A timer that is set may be due, and only what it does lets go those who wait already. */
    struct instant due = target_due(t, target);
    if (target->down || target->timer.slot == 0 || instant_before(due, target->timer.due))
        timers_set(&t->engine->timers, &target->timer, due);
}

/* ---- forward ---- */

/* What those who wait for the saga are given, as far as it has come. detail holds the words. */
static void give_output(const struct turn *t, const struct saga *s, struct record *r, struct error_detail *detail)
{
    if (s->definition == NULL || s->definition->output == NULL || DEFECT(OUTPUT_FORGOTTEN))
        return;
    r->output = typed_output(t, s, detail);
    size_t size = strlen(detail->text);
    r->message = bytes_of(detail->text, size < MESSAGE_BYTES_MAX ? size : MESSAGE_BYTES_MAX);
}

static void end(const struct turn *t, struct saga *s, uint8_t state)
{
    struct record r = advance_record(t, s, RECORD_ENDED, RECORD_NO_STEP);
    r.saga_state = state;
    struct pool_mark mark = pool_mark(&t->engine->scratch);
    struct error_detail detail;
    if (s->answered)
        r.output = DEFECT(ANSWER_CHANGES) ? bytes_of(NULL, 0) : s->answer; /* it was given already */
    else if (state == SAGA_COMMITTED)
        give_output(t, s, &r, &detail);
    advance_emit(t, s, &r);
    pool_rewind(&t->engine->scratch, mark);
    saga_check(s);
}

/* Everything is done but steps whose end nobody need wait for, and which begin now. */
static void answer(const struct turn *t, struct saga *s)
{
    struct record r = advance_record(t, s, RECORD_ANSWERED, RECORD_NO_STEP);
    struct pool_mark mark = pool_mark(&t->engine->scratch);
    struct error_detail detail;
    give_output(t, s, &r, &detail);
    advance_keep(t, s, &r);
    pool_rewind(&t->engine->scratch, mark);
}

static bool attempt_due(const struct turn *t, const struct step *step)
{
    return !step->permitted && !step->queued && !instant_before(t->now, step->next_at);
}

/* What is done is done, whatever has passed meanwhile and whoever holds the saga back. */
static void commit_what_is_done(const struct turn *t, struct saga *s)
{
    unsigned i = 0;
    bool deferred = false;
    for (; i < s->step_count; i++)
        if (!saga_step_over(s, i)) {
            if (!saga_spec(s, i)->deferred)
                break;
            deferred = true;
        }
    if (i == s->step_count && !deferred)
        end(t, s, SAGA_COMMITTED);
    else if (i == s->step_count && !s->answered)
        answer(t, s);
}

/* Lets a step's attempt leave that is its first; with a condition, when that holds. */
static void begin(const struct turn *t, struct saga *s, unsigned index)
{
    if (typed_when(t, s, index) == 1 && fallback_begin(t, s, index) && typed_choose(t, s, index) == 0)
        call(t, s, index, SAGA_PHASE_ACTION);
}

/* A step that is passed over, or stood in for, and whose outcome is unknown is undone as soon as none of its attempts can run any more. */
static void undo_early(const struct turn *t, struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    if (instant_before(t->now, s->quiet_at) && !DEFECT(UNDO_BEFORE_QUIET))
        return;
    bool first = step->compensation == SAGA_COMPENSATION_OWED && !step->queued;
    if (first || (step->compensation == SAGA_COMPENSATION_STARTED && attempt_due(t, step)))
        call(t, s, index, SAGA_PHASE_COMPENSATION);
}

/* What go_forward has seen of a saga's steps. */
struct forward {
    struct step_set open; /* steps of the definition of which something is to be done yet */
    bool failed;          /* an action has failed, which turns the saga back once that can be decided */
};

static bool has_failed(const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    return (step->action == SAGA_ACTION_REJECTED || step->action == SAGA_ACTION_UNKNOWN) &&
           !saga_step_undone_early(s, index);
}

static struct forward look_forward(const struct saga *s)
{
    struct forward f = {{{0}}, false};
    for (unsigned i = 0; i < s->step_count; i++)
        if (!saga_step_over(s, i)) {
            step_set_add(&f.open, saga_spec_index(s, i));
            f.failed = f.failed || has_failed(s, i);
        }
    return f;
}

/* Whether a loop has a place for one more instance. */
static bool loop_has_place(const struct saga *s, unsigned index)
{
    const struct step_spec *spec = saga_spec(s, index);
    unsigned under_way = 0, own = saga_spec_index(s, index);
    if (!spec->loop || DEFECT(LOOP_ALL_AT_ONCE))
        return true;
    for (unsigned i = saga_first_of(s, own); i < s->step_count && saga_spec_index(s, i) == own; i++)
        under_way += !saga_step_over(s, i) && (s->steps[i].action != SAGA_ACTION_PENDING || s->steps[i].queued);
    return under_way < spec->max_parallel;
}

/* Returns whether a step came to its end without an answer: then others may start, or all is done. */
static bool go_forward(const struct turn *t, struct saga *s)
{
    bool ended = false;
    if (s->paused || s->definition == NULL)
        return false;
    struct forward f = look_forward(s);
    for (unsigned i = 0; i < s->step_count && s->state == SAGA_RUNNING; i++) {
        const struct step *step = &s->steps[i];
        if (saga_step_over(s, i))
            continue;
        bool undone_early = saga_step_undone_early(s, i);
        /* All that comes before it, and not only the last of that: an empty loop is over as such. */
        bool ready = step->action == SAGA_ACTION_PENDING && !step->queued && !f.failed &&
                     !step_set_meets(&saga_spec(s, i)->ancestors, &f.open) && loop_has_place(s, i) &&
                     (!saga_spec(s, i)->deferred || s->answered || DEFECT(DEFERRED_TOO_EARLY));
        if (ready)
            begin(t, s, i);
        else if (step->action == SAGA_ACTION_STARTED && attempt_due(t, step))
            call(t, s, i, SAGA_PHASE_ACTION);
        else if (undone_early)
            undo_early(t, s, i);
        else if (has_failed(s, i))
            advance_action_failed(t, s, i, REASON_ACTION_REJECTED); /* when that could not be decided at once */
        ended = ended || saga_step_over(s, i) || saga_step_undone_early(s, i) != undone_early;
    }
    return ended;
}

/* ---- back ---- */

static uint8_t view_compensation_state(const void *saga, size_t step)
{
    return ((const struct saga *)saga)->steps[step].compensation;
}

static uint32_t view_action_order(const void *saga, size_t step)
{
    uint32_t order = ((const struct saga *)saga)->steps[step].order;
    return DEFECT(WRONG_ORDER) ? UINT32_MAX - order : order;
}

static const uint64_t *view_ancestors(const void *saga, size_t step)
{
    static const struct step_set nobody;
    if (DEFECT(DEPENDENCY_IGNORED))
        return nobody.words;
    return ((const struct saga *)saga)->definition->steps[step].ancestors.words;
}

/* Of a saga with loops, whose steps are not its definition's. */
struct back_view {
    const struct saga *saga;
    struct step_set ancestors[STEPS_LIMIT];
};

static uint8_t back_compensation_state(const void *view, size_t step)
{
    return view_compensation_state(((const struct back_view *)view)->saga, step);
}

static uint32_t back_action_order(const void *view, size_t step)
{
    return view_action_order(((const struct back_view *)view)->saga, step);
}

static const uint64_t *back_ancestors(const void *view, size_t step)
{
    return ((const struct back_view *)view)->ancestors[step].words;
}

static size_t next_of_loops(const struct saga *s, uint16_t *next)
{
    struct back_view back = {.saga = s};
    struct saga_undo_view view = {
        .saga = &back,
        .step_count = s->step_count,
        .compensation_state = back_compensation_state,
        .action_order = back_action_order,
        .ancestors = back_ancestors,
    };
    for (unsigned i = 0; i < s->step_count && !DEFECT(DEPENDENCY_IGNORED); i++)
        for (unsigned j = 0; j < s->step_count; j++)
            if (step_set_has(&saga_spec(s, i)->ancestors, saga_spec_index(s, j)))
                step_set_add(&back.ancestors[i], j);
    return saga_undo_next(&view, next, STEPS_LIMIT);
}

static bool undo_open(const struct saga *s)
{
    for (unsigned i = 0; i < s->step_count; i++)
        if (saga_undo_open(s->steps[i].compensation))
            return true;
    return false;
}

static void go_back(const struct turn *t, struct saga *s)
{
    /* No compensation while an action may still be running (I7). */
    if (s->paused || (saga_call_is_out(s, SAGA_PHASE_ACTION) && !DEFECT(UNDO_WHILE_CALL_IS_OUT)))
        return;
    if (!undo_open(s)) {
        end(t, s, SAGA_COMPENSATED);
        return;
    }
    if (instant_before(t->now, s->quiet_at) && !DEFECT(UNDO_BEFORE_QUIET))
        return;
    for (unsigned i = 0; i < s->step_count; i++)
        if (s->steps[i].compensation == SAGA_COMPENSATION_STARTED && attempt_due(t, &s->steps[i]) && saga_undoing(s))
            call(t, s, i, SAGA_PHASE_COMPENSATION);

    struct saga_undo_view view = {
        .saga = s,
        .step_count = s->step_count,
        .compensation_state = view_compensation_state,
        .action_order = view_action_order,
        .ancestors = saga_undone_by_dependency(s) ? view_ancestors : NULL,
    };
    uint16_t next[STEPS_LIMIT];
    size_t count = s->places != NULL && saga_undone_by_dependency(s) ? next_of_loops(s, next)
                                                                     : saga_undo_next(&view, next, STEPS_LIMIT);
    for (size_t i = 0; i < count && saga_undoing(s); i++)
        if (!s->steps[next[i]].queued)
            call(t, s, next[i], SAGA_PHASE_COMPENSATION);
}

/* Ends an action that gets no further attempt. */
static void give_up(const struct turn *t, struct saga *s, unsigned index, uint8_t reason, struct instant quiet_at)
{
    struct step *step = &s->steps[index];
    struct record r = advance_record(t, s, RECORD_ACTION_ENDED, index);
    r.attempt = step->action_attempts;
    r.action_state = step->maybe_executed || s->definition == NULL ? SAGA_ACTION_UNKNOWN : SAGA_ACTION_REJECTED;
    r.status = reason == REASON_DEADLINE ? CODE_DEADLINE_EXCEEDED : CODE_CANCELLED;
    r.quiet_at = quiet_at;
    r.message = bytes_of_text(s->definition == NULL ? "not settled when the saga turned back"
                                                    : "the saga turned back before another attempt");
    advance_emit(t, s, &r);
}

struct bytes advance_asker(const struct saga *s, const struct event *event)
{
    bool owner = bytes_equal(event->identity, s->owner) || DEFECT(ASKER_FORGOTTEN);
    return owner ? bytes_of(NULL, 0) : event->identity;
}

void advance_turn_back(const struct turn *t, struct saga *s, uint8_t reason, unsigned step, struct bytes message,
                       const struct event *asked)
{
    advance_unqueue(t, s);
    /* An owner who did not ask for the turn learns of it at its next call: until its lease ends it may be acting. */
    bool owner_acts = s->definition == NULL && (reason == REASON_CANCELLED || reason == REASON_DEADLINE);
    struct instant quiet_at = owner_acts ? s->lease_until : (struct instant){0};
    for (unsigned i = 0; i < s->step_count; i++)
        if (s->steps[i].action == SAGA_ACTION_STARTED && !s->steps[i].permitted)
            give_up(t, s, i, reason, quiet_at);
    struct record r = advance_record(t, s, RECORD_TURNED_BACK, step);
    r.reason = reason;
    r.message = message;
    if (asked != NULL) {
        r.actor = asked->actor;
        r.identity = advance_asker(s, asked);
    }
    advance_emit(t, s, &r);
    saga_check(s);
}

void advance_stuck(const struct turn *t, struct saga *s, uint8_t reason, unsigned step)
{
    if (s->state == SAGA_STUCK || DEFECT(STUCK_IS_SILENT))
        return;
    struct record r = advance_record(t, s, RECORD_STUCK, step);
    r.reason = reason;
    advance_emit(t, s, &r);
    /* Other branches of an undo by dependency go on, and keep their places. */
    if (!saga_undoing(s))
        advance_unqueue(t, s);
    saga_check(s);
}

void advance_action_failed(const struct turn *t, struct saga *s, unsigned index, uint8_t rejected)
{
    if (s->state != SAGA_RUNNING)
        return;
    bool unknown = s->steps[index].action == SAGA_ACTION_UNKNOWN;
    if (step_spec_yields(saga_spec(s, index)) && !DEFECT(OPTIONAL_TURNS_BACK))
        return;
    if (saga_pivot_awaited(s) && !saga_past_pivot(s))
        return; /* another instance of it may be the point of no return */
    int undecided = saga_pivot_unknown(s, RECORD_NO_STEP);
    if (saga_past_pivot(s) && !DEFECT(UNDO_AFTER_PIVOT))
        advance_stuck(t, s, REASON_FORWARD_FAILED, index);
    else if (undecided >= 0)
        advance_stuck(t, s, REASON_PIVOT_UNKNOWN, (unsigned)undecided);
    else
        advance_turn_back(t, s, unknown ? REASON_ACTION_UNKNOWN : rejected, index, bytes_of(NULL, 0), NULL);
}

/* ---- time ---- */

/* The deadline cannot turn a saga back whose pivot is awaited: its answer decides. */
bool advance_deadline_waits(const struct saga *s)
{
    return saga_past_pivot(s) || saga_pivot_awaited(s) || saga_pivot_unknown(s, RECORD_NO_STEP) >= 0;
}

/* An action that has begun to wait, for its target or for its next attempt. */
static bool waits_to_leave(const struct step *step)
{
    bool undone = step->compensation != SAGA_COMPENSATION_NONE;
    return !undone && ((step->action == SAGA_ACTION_PENDING && step->queued) ||
                       (step->action == SAGA_ACTION_STARTED && !step->permitted));
}

/* Those that wait and have no time any more are given up. */
static void expire_steps(const struct turn *t, struct saga *s)
{
    for (unsigned i = 0; i < s->step_count && s->state == SAGA_RUNNING; i++) {
        struct instant until = saga_step_deadline(s, i);
        if (!waits_to_leave(&s->steps[i]) || instant_before(t->now, until))
            continue;
        advance_unqueue_step(t, s, i);
        no_time(t, s, i, instant_since(until, t->now), (struct span){0});
    }
}

static void expire(const struct turn *t, struct saga *s)
{
    /* An owner's word may be among what has arrived and is not taken in yet; its timer goes off when it has been. */
    if (s->state != SAGA_RUNNING || (s->definition == NULL && !t->timers))
        return;
    if (!instant_before(t->now, s->deadline) && !advance_deadline_waits(s)) {
        advance_turn_back(t, s, REASON_DEADLINE, RECORD_NO_STEP, bytes_of(NULL, 0), NULL);
    } else if (!instant_before(t->now, s->lease_until) && !s->paused) {
        advance_turn_back(t, s, REASON_LEASE, RECORD_NO_STEP, bytes_of(NULL, 0), NULL);
    } else if (s->definition != NULL && s->definition->reserves && !advance_deadline_waits(s)) {
        expire_steps(t, s);
    }
}

/* When the first of those that wait has no time any more, as it reserves some for the steps after it. */
static struct instant reserve_due(const struct saga *s)
{
    struct instant due = INSTANT_NEVER;
    for (unsigned i = 0; i < s->step_count; i++)
        if (waits_to_leave(&s->steps[i]))
            due = instant_min(due, saga_step_deadline(s, i));
    return due;
}

/* When the next attempt may leave of those that have begun, and whether an undo waits to begin though the saga goes forward. */
struct attempts {
    struct instant action, undo;
    bool early_undo;
};

/* One look at each step, as it is taken at every event. */
static struct attempts next_attempts(const struct saga *s)
{
    struct attempts next = {INSTANT_NEVER, INSTANT_NEVER, false};
    for (unsigned i = 0; i < s->step_count; i++) {
        const struct step *step = &s->steps[i];
        if (step->permitted || step->queued)
            continue;
        if (step->action == SAGA_ACTION_STARTED)
            next.action = DEFECT(BACKOFF_OF_ANOTHER) ? step->next_at : instant_min(next.action, step->next_at);
        if (step->compensation == SAGA_COMPENSATION_STARTED)
            next.undo = instant_min(next.undo, step->next_at);
        else if (step->compensation == SAGA_COMPENSATION_OWED)
            next.early_undo = next.early_undo || saga_step_undone_early(s, i);
    }
    return next;
}

/* When an attempt of a saga that goes forward may leave next. */
static struct instant forward_due(const struct turn *t, const struct saga *s)
{
    struct attempts next = next_attempts(s);
    bool waits = next.early_undo && instant_before(t->now, s->quiet_at);
    return instant_min(next.action, waits ? s->quiet_at : instant_max(next.undo, s->quiet_at));
}

static struct instant saga_due(const struct turn *t, const struct saga *s)
{
    struct instant due = INSTANT_NEVER;
    if (s->state == SAGA_RUNNING) {
        if (!advance_deadline_waits(s))
            due = s->deadline;
        if (!s->paused)
            due = instant_min(due, s->lease_until);
        if (!s->paused && s->definition != NULL)
            due = instant_min(due, forward_due(t, s));
        if (s->definition != NULL && s->definition->reserves && !advance_deadline_waits(s))
            due = instant_min(due, reserve_due(s));
    } else if (saga_undoing(s) && !s->paused && !saga_call_is_out(s, SAGA_PHASE_ACTION)) {
        bool quiet = !instant_before(t->now, s->quiet_at);
        due = quiet ? next_attempts(s).undo : s->quiet_at;
    }
    return due;
}

static bool waits_for_something(const struct saga *s)
{
    if (saga_ended(s) || s->state == SAGA_STUCK || s->paused || s->timer.slot != 0)
        return true;
    for (unsigned i = 0; i < s->step_count; i++)
        if (s->steps[i].on_wire || s->steps[i].queued)
            return true;
    return false;
}

void advance(const struct turn *t, struct saga *s)
{
    if (s->state == SAGA_RUNNING && s->definition != NULL)
        commit_what_is_done(t, s);
    expire(t, s);
    while (s->state == SAGA_RUNNING && go_forward(t, s))
        commit_what_is_done(t, s);
    if (saga_undoing(s))
        go_back(t, s);

    timers_set(&t->engine->timers, &s->timer, saga_due(t, s));
    CHECK(t->engine->holding || t->engine->starved || waits_for_something(s)); /* I9 */
    CHECK(s->timer.slot == 0 || !saga_ended(s));
}

/* One that has waited leaves, unless its saga's time is over. */
static void waiter_leaves(const struct turn *t, struct step *step)
{
    struct saga *s = step->saga;
    unsigned index = (unsigned)(step - s->steps);
    expire(t, s);
    if (step->queued) {
        uint8_t phase = phase_of(step);
        const struct call_spec *call = saga_step_call(s, index, phase);
        target_take_turn(&t->engine->targets[call->target_index], step);
        unqueue(t, step);
        leave(t, s, index, phase, call, (enum target_class)step->class);
    }
    advance(t, s);
}

/* Who leaves next, if one may; or NULL. */
static struct step *next_to_leave(const struct turn *t, struct target *target)
{
    struct instant again;
    bool may = target->waiting > 0 && !t->engine->holding && target_admits(target, t->now, &again);
    return may ? target_first(target, t->now, &again) : NULL;
}

/* Those that do not wait for a target that takes no calls, which it did when they came. */
static void turn_away_hasty(const struct turn *t, struct target *target)
{
    struct step *step;
    for (unsigned i = 0; i < WAITED_TRIES_MAX && !t->engine->holding && (step = target->hasty) != NULL &&
                         takes_no_calls(t, target) && !DEFECT(HASTE_WAITS);
         i++) {
        struct saga *s = step->saga;
        unsigned index = (unsigned)(step - s->steps);
        expire(t, s);
        if (step->queued) {
            unqueue(t, step);
            turn_away(t, s, index, CODE_UNAVAILABLE, takes_no_calls_text);
        }
        advance(t, s);
    }
}

void advance_target_free(const struct turn *t, struct target *target)
{
    struct step *next;
    while (!target->down && (next = next_to_leave(t, target)) != NULL)
        waiter_leaves(t, next);
    turn_away_hasty(t, target);
    if (target->waiting > 0 || target->timer.slot != 0)
        set_target_timer(t, target);
}

void advance_breaker_changed(const struct turn *t, struct target *target)
{
    const struct effect effect = {
        .type = EFFECT_BREAKER,
        .as.breaker = {.target = (uint16_t)(target - t->engine->targets), .mark = target->breaker.mark},
    };
    t->out->add_effect(t->out->self, &effect, NULL);
}

void advance_target_down(const struct turn *t, struct target *target)
{
    if (!target->down) {
        target->down = true;
        target->down_since = t->now;
    }
    turn_away_hasty(t, target);
    set_target_timer(t, target);
}

void advance_target_back(const struct turn *t, struct target *target)
{
    target->down = DEFECT(TARGET_STAYS_DOWN);
    advance_target_free(t, target);
}

/* Those that have waited for as long as they may are not waited for any more. */
static void turn_away_late(const struct turn *t, struct target *target)
{
    for (unsigned i = 0; i < WAITED_TRIES_MAX && !target->down; i++) {
        struct step *step = target->queues[CLASS_BOUNDED].first;
        if (step == NULL || target->pending_timeout.us == 0 ||
            instant_before(t->now, instant_after(step->queued_at, target->pending_timeout)))
            return;
        struct saga *s = step->saga;
        unsigned index = (unsigned)(step - s->steps);
        expire(t, s);
        bool patient = step->queued && advance_class(s, index) != CLASS_BOUNDED;
        if (patient) { /* another instance of its loop, the pivot, was done meanwhile */
            bool hasty = step->hasty;
            target_unqueue(target, step);
            step->hasty = hasty;
            target_queue(target, step, CLASS_PATIENT, key_of(t, s), t->now);
        } else if (step->queued) {
            unqueue(t, step);
            turn_away(t, s, index, CODE_RESOURCE_EXHAUSTED,
                      "it has waited for the target for as long as it may (pending_timeout)");
        }
        advance(t, s);
    }
}

/* Those of a class that have waited long enough for a target that is down try their luck. */
static void try_waited(const struct turn *t, struct target *target, enum target_class class)
{
    const struct target_queue *q = &target->queues[class];
    struct instant again;
    for (unsigned i = 0; i < WAITED_TRIES_MAX && target->down && q->first != NULL && !t->engine->holding &&
                         target_admits(target, t->now, &again) &&
                         target_waited(target, q->first, t->now).us >= t->engine->options.target_wait.us;
         i++)
        waiter_leaves(t, q->first);
}

void advance_target_waited(const struct turn *t, struct target *target)
{
    try_waited(t, target, CLASS_BOUNDED);
    try_waited(t, target, CLASS_RETRY);
    advance_target_free(t, target);
    turn_away_late(t, target);
    set_target_timer(t, target);
}
