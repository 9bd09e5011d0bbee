/* requests.c - what services ask: Start, Begin, Enlist, Settle, Commit, Abort, KeepAlive. A request is checked whole, and given the memory
 * it needs, before anything of it is recorded: all of it happens, or nothing. */
#include "sidecar/base/fnv.h"
#include "sidecar/base/texts.h"
#include "sidecar/base/timestamp.h"
#include "sidecar/base/traceparent.h"
#include "sidecar/definition/names.h"
#include "sidecar/engine/engine_inside.h"

static uint64_t hash_bytes(uint64_t hash, struct bytes b)
{
    hash = fnv_add(hash, &b.size, sizeof b.size);
    return fnv_add(hash, b.at, b.size);
}

uint64_t engine_fingerprint(const struct event *event)
{
    uint64_t hash = fnv_add(FNV_START, &event->type, sizeof event->type);
    hash = hash_bytes(hash, event->definition != NULL ? bytes_of_text(event->definition->name) : event->name);
    hash = hash_bytes(hash, event->input);
    hash = hash_bytes(hash, event->version);
    hash = fnv_add(hash, &event->deadline.us, sizeof event->deadline.us);
    hash = fnv_add(hash, &event->lease.us, sizeof event->lease.us);
    if (event->priority != 0) /* those of before had none */
        hash = fnv_add(hash, &event->priority, sizeof event->priority);
    if (event->synthetic)
        hash = fnv_add(hash, "synthetic", 9);
    for (size_t i = 0; i < event->enlist_count; i++) {
        const struct call_spec *call = &event->enlist[i].compensation;
        hash = hash_bytes(hash, event->enlist[i].step);
        if (!event->enlist[i].has_compensation)
            continue;
        hash = hash_bytes(hash, bytes_of_text(call->target));
        hash = hash_bytes(hash, bytes_of_text(call->method));
        hash = hash_bytes(hash, call->constant);
    }
    return hash;
}

/* ---- checks ---- */

/* Writes "base[index].field" to a buffer. */
static const char *path(char out[64], const char *base, size_t index, const char *field)
{
    char digits[20];
    size_t n = 0, d = 0;
    while (*base != '\0')
        out[n++] = *base++;
    out[n++] = '[';
    do {
        digits[d++] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    while (d > 0)
        out[n++] = digits[--d];
    out[n++] = ']';
    while (*field != '\0' && n < 63)
        out[n++] = *field++;
    out[n] = '\0';
    return out;
}

static int check_enlistment(const struct engine *e, const struct enlistment *l, size_t index,
                            struct error_detail *detail)
{
    char at[64];
    if (!definition_name_valid(l->step, STEP_NAME_BYTES_MAX))
        return error_set(detail, E_ARGUMENT, path(at, "enlist", index, ".step"),
                         "a step's name is 1 to 64 letters, digits, '-', '_' or '.'");
    if (!l->has_compensation)
        return 0;
    const struct call_spec *call = &l->compensation;
    if (engine_find_target(e, bytes_of_text(call->target)) < 0)
        return error_set(detail, E_TARGET_NOT_FOUND, path(at, "enlist", index, ".compensation.target"), NULL);
    if (!definition_method_valid(bytes_of_text(call->method)))
        return error_set(detail, E_ARGUMENT, path(at, "enlist", index, ".compensation.method"),
                         "a method is \"/package.Service/Method\"");
    if (call->constant.size > e->options.payload_bytes_max)
        return error_set(detail, E_PAYLOAD, path(at, "enlist", index, ".compensation.request"), NULL);
    if (call->timeout.us < 0 || call->timeout.us > e->options.deadline_max.us)
        return error_set(detail, E_ARGUMENT, path(at, "enlist", index, ".compensation.timeout"),
                         "a timeout lies between 0 and deadline_max");
    if (call->retry.max_attempts != 0 && !retry_policy_valid(&call->retry))
        return error_set(detail, E_ARGUMENT, path(at, "enlist", index, ".compensation.retry"),
                         "a number of the policy is out of its bounds");
    return 0;
}

/* ---- a plan: records and the memory for them, applied only when all of it is there ---- */

struct plan {
    struct record records[2 * STEPS_LIMIT];
    void *blocks[2 * STEPS_LIMIT];
    size_t count;
    size_t enlisted;
};

/* The records are many and large, so only the counts are cleared, and each is made where it stays. */
static void plan_init(struct plan *p)
{
    p->count = 0;
    p->enlisted = 0;
}

static void plan_drop(const struct turn *t, struct plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        memory_give_back(&t->engine->memory, p->blocks[i], fold_block_size(&p->records[i], NULL));
}

/* Where the next record is made. */
static struct record *plan_next(struct plan *p)
{
    CHECK(p->count < sizeof p->records / sizeof p->records[0]);
    return &p->records[p->count];
}

/* The next record is made: it is a part of the plan. Returns 0 or E_MEMORY. */
static int plan_add(const struct turn *t, struct plan *p)
{
    size_t size = fold_block_size(&p->records[p->count], NULL);
    void *block = NULL;
    if (size > 0 && (block = memory_take(&t->engine->memory, size)) == NULL)
        return E_MEMORY;
    p->blocks[p->count++] = block;
    return 0;
}

static void plan_apply(const struct turn *t, struct plan *p, struct saga *s)
{
    for (size_t i = 0; i < p->count; i++) {
        struct record *r = &p->records[i];
        fold_apply(t->engine, s, r, NULL, p->blocks[i]);
        if (r->type == RECORD_ENLISTED)
            r->step = (uint16_t)(s->step_count - 1);
        fold_check_own(r);
        t->out->add_record(t->out->self, r);
    }
}

/* What a step's action will be once the plan's first records are applied. */
static uint8_t planned_action(const struct plan *p, const struct saga *s, unsigned step)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->records[i].type == RECORD_ACTION_ENDED && p->records[i].step == step)
            return p->records[i].action_state;
    return s->steps[step].action;
}

static int plan_settle(const struct turn *t, struct plan *p, const struct saga *s, const struct event *event,
                       struct error_detail *detail)
{
    if (event->settle_count > STEPS_LIMIT)
        return error_set(detail, E_ARGUMENT, "settle", "a saga does not have so many steps");
    for (size_t i = 0; i < event->settle_count; i++) {
        const struct settlement *set = &event->settle[i];
        char at[64];
        int step = saga_step_find(s, set->step);
        if (step < 0)
            return error_set(detail, E_STEP_NOT_FOUND, path(at, "settle", i, ".step"), NULL);
        if (set->action_state != SAGA_ACTION_DONE && set->action_state != SAGA_ACTION_REJECTED &&
            set->action_state != SAGA_ACTION_UNKNOWN)
            return error_set(detail, E_ARGUMENT, path(at, "settle", i, ".outcome"), "say DONE, REJECTED or UNKNOWN");
        if (set->output.size > t->engine->options.payload_bytes_max)
            return error_set(detail, E_PAYLOAD, path(at, "settle", i, ".output"), NULL);
        uint8_t before = planned_action(p, s, (unsigned)step);
        if (set->may_run_for.us != 0 && set->action_state != SAGA_ACTION_UNKNOWN)
            return error_set(detail, E_ARGUMENT, path(at, "settle", i, ".may_run_for"), "goes with UNKNOWN alone");
        if (set->may_run_for.us < 0 || set->may_run_for.us > t->engine->options.deadline_max.us)
            return error_set(detail, E_ARGUMENT, path(at, "settle", i, ".may_run_for"),
                             "lies between 0 and deadline_max");
        if (before == set->action_state)
            continue;
        if (before != SAGA_ACTION_STARTED)
            return error_set(detail, E_STEP_SETTLED, path(at, "settle", i, ".outcome"), NULL);
        struct record *r = plan_next(p);
        *r = advance_record(t, s, RECORD_ACTION_ENDED, (unsigned)step);
        r->attempt = 1;
        r->identity = advance_asker(s, event);
        r->action_state = set->action_state;
        r->output = set->output;
        r->output_is_request = set->output_is_request;
        if (set->may_run_for.us > 0 && !DEFECT(OWNERS_WORD_IGNORED))
            r->quiet_at = instant_after(t->now, set->may_run_for);
        if (plan_add(t, p) != 0)
            return error_set(detail, E_MEMORY, "", NULL);
    }
    return 0;
}

/* The retry policy is left out, as it is of a start's fingerprint: it may be what defaults made of none, which change. */
static bool same_enlistment(const struct call_spec *a, const struct call_spec *b)
{
    if (a->target == NULL || b->target == NULL)
        return a->target == b->target;
    return strcmp(a->target, b->target) == 0 && strcmp(a->method, b->method) == 0 &&
           bytes_equal(a->constant, b->constant) && a->timeout.us == b->timeout.us;
}

/* Whether an enlisted step of this name is there, or planned: 1 with the same content, -1 with another, 0 not at all. */
static int enlisted_before(const struct plan *p, const struct saga *s, const struct record *r)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->records[i].type == RECORD_ENLISTED && bytes_equal(p->records[i].step_name, r->step_name))
            return same_enlistment(&p->records[i].call, &r->call) ? 1 : -1;
    int step = s == NULL ? -1 : saga_step_find(s, r->step_name);
    if (step < 0)
        return 0;
    return same_enlistment(&s->steps[step].enlisted->call, &r->call) ? 1 : -1;
}

/* An enlistment that is acknowledged tells its owner to act. Of a step that was refused for good nothing is owed, so it must not act again. */
static bool enlisted_anew(const struct plan *p, const struct saga *s, struct bytes name)
{
    int step = s == NULL ? -1 : saga_step_find(s, name);
    return step >= 0 && planned_action(p, s, (unsigned)step) == SAGA_ACTION_REJECTED &&
           !DEFECT(REFUSED_STEP_ACTS_AGAIN);
}

/* Makes the record of an enlistment. */
static void make_enlisted(const struct turn *t, struct record *r, struct saga_id saga, const struct enlistment *l)
{
    *r = (struct record){
        .type = RECORD_ENLISTED, .saga = saga, .at = t->now, .step = RECORD_NO_STEP, .step_name = l->step};
    if (!l->has_compensation)
        return;
    r->call = l->compensation;
    r->call.source = REQUEST_CONSTANT;
    if (r->call.retry.max_attempts == 0)
        r->call.retry = t->engine->options.compensation_retry;
}

static int plan_enlist(const struct turn *t, struct plan *p, const struct saga *s, struct saga_id id,
                       const struct event *event, struct error_detail *detail)
{
    struct engine *e = t->engine;
    size_t steps = s == NULL ? 0 : s->step_count;
    for (size_t i = 0; i < event->enlist_count; i++) {
        char at[64];
        int code = check_enlistment(e, &event->enlist[i], i, detail);
        if (code != 0)
            return code;
        struct record *r = plan_next(p);
        make_enlisted(t, r, id, &event->enlist[i]);
        r->identity = s == NULL ? bytes_of(NULL, 0) : advance_asker(s, event);
        int before = enlisted_before(p, s, r);
        if (before < 0)
            return error_set(detail, E_STEP_EXISTS, path(at, "enlist", i, ".step"), NULL);
        if (before > 0) {
            if (enlisted_anew(p, s, r->step_name))
                return error_set(detail, E_STEP_SETTLED, path(at, "enlist", i, ".step"), NULL);
            continue;
        }
        if (s != NULL && s->paused)
            return error_set(detail, E_SAGA_PAUSED, path(at, "enlist", i, ".step"), NULL);
        if (steps + p->enlisted >= e->options.steps_max)
            return error_set(detail, E_STEPS, path(at, "enlist", i, ""), NULL);
        if (plan_add(t, p) != 0)
            return error_set(detail, E_MEMORY, "", NULL);
        p->enlisted++;
    }
    return 0;
}

/* ---- starting ---- */

/* Refuses what only a running saga can take. Returns whether it did. */
static bool refuse_not_running(const struct turn *t, const struct event *event, const struct saga *s)
{
    if (s->state == SAGA_RUNNING)
        return false;
    reply_refuse(t, event,
                 saga_ended(s)            ? E_SAGA_ENDED
                 : s->state == SAGA_STUCK ? E_SAGA_STUCK
                                          : E_SAGA_TURNED_BACK,
                 "", NULL);
    return true;
}

/* Whoever hears from a saga's owner counts its lease anew: what it is answered promises a whole one. */
static void renew_lease(const struct turn *t, struct saga *s)
{
    if (s->mode == SAGA_ENLISTED && s->state == SAGA_RUNNING)
        s->lease_until = instant_after(t->now, s->lease);
}

/* Whether the event enlists a step that was refused for good. */
static bool enlists_refused(const struct saga *s, const struct event *event)
{
    for (size_t i = 0; i < event->enlist_count; i++) {
        int step = saga_step_find(s, event->enlist[i].step);
        if (step >= 0 && s->steps[step].action == SAGA_ACTION_REJECTED && !DEFECT(REFUSED_STEP_ACTS_AGAIN))
            return true;
    }
    return false;
}

/* Answers a request_id that is known. Returns whether it was. An enlistment that is acknowledged tells its owner to act, so a repeated Begin
 * that carries one is refused, as Enlist is, once the saga has turned back or ended. */
static bool repeated(const struct turn *t, const struct event *event)
{
    struct saga *s = (struct saga *)(uintptr_t)engine_find_request(t->engine, event->request_id, event_scope(event));
    if (s == NULL)
        return false;
    struct event known = *event;
    known.saga = s->id;
    if (s->fingerprint != engine_fingerprint(event)) {
        reply_refuse(t, event, E_REQUEST_ID_REUSED, "request_id", NULL);
    } else if (event->enlist_count > 0 && enlists_refused(s, event)) {
        reply_refuse(t, &known, E_STEP_SETTLED, "enlist", NULL);
    } else if (event->enlist_count == 0 || DEFECT(REPEATED_BEGIN_ACTS) || !refuse_not_running(t, &known, s)) {
        renew_lease(t, s);
        reply_ok(t, event, s, true);
        advance(t, s);
    }
    return true;
}

static int refuse_room(int code, struct error_detail *detail)
{
    if (code == E_HELD)
        return error_set(detail, code, "", NULL);
    return error_set(detail, code, "",
                     code == E_JOURNAL_FULL
                         ? "the last of the journal's room is kept for ending the sagas that have begun"
                         : "the last of the sidecar's memory is kept for ending the sagas that have begun");
}

/* Of a deadline that the start asks for, something must be left to each step. */
static int check_reserves(const struct definition *d, struct span deadline, struct error_detail *detail)
{
    char text[TIMESTAMP_TEXT_SIZE];
    for (unsigned i = 0; i < d->step_count && deadline.us > 0; i++) {
        struct span reserve = d->steps[i].reserve;
        if (deadline.us > reserve.us)
            continue;
        error_set(detail, E_ARGUMENT, "deadline", "must be above ");
        duration_write(reserve.us / 1000000, (int32_t)(reserve.us % 1000000) * 1000, text);
        error_append(detail, text);
        error_append(detail, ", which step ");
        error_append(detail, d->steps[i].name);
        error_append(detail, " reserves for those after it");
        return E_ARGUMENT;
    }
    return 0;
}

static int check_start(const struct turn *t, const struct event *event, struct error_detail *detail)
{
    const struct engine_options *o = &t->engine->options;
    if (event->request_id.size > REQUEST_ID_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "request_id", "a request_id has at most 128 bytes");
    if (event->traceparent.size > TRACEPARENT_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "traceparent", "a traceparent has at most 64 bytes");
    if (event->traceparent.size > 0 && !traceparent_valid(event->traceparent))
        return error_set(detail, E_ARGUMENT, "traceparent",
                         "a traceparent is 00-, 32 hexadecimal digits, -, 16 of them, - and 2 of them (W3C)");
    if (event->deadline.us < 0 || event->deadline.us > o->deadline_max.us)
        return error_set(detail, E_ARGUMENT, "deadline", "a deadline lies between 0 and deadline_max");
    if (event->lease.us < 0 || event->lease.us > o->deadline_max.us)
        return error_set(detail, E_ARGUMENT, "lease", "a lease lies between 0 and deadline_max");
    if (event->input.size > o->payload_bytes_max)
        return error_set(detail, E_PAYLOAD, "input", NULL);
    if (t->engine->counts.live >= o->live_sagas_max)
        return families_full(t, detail);
    return event->no_room != 0 ? refuse_room(event->no_room, detail) : 0;
}

static struct record started_record(const struct turn *t, const struct event *event, uint8_t mode, struct span deadline)
{
    return (struct record){
        .type = RECORD_STARTED,
        .saga = {.tag = t->engine->options.tag, .serial = t->engine->serial + 1},
        .at = t->now,
        .step = RECORD_NO_STEP,
        .mode = mode,
        .request_id = event->request_id,
        .fingerprint = engine_fingerprint(event),
        .input = event->input,
        .identity = event->identity,
        .synthetic = event->synthetic,
        .traceparent = event->traceparent,
        .deadline = deadline.us == 0 ? INSTANT_NEVER : instant_after(t->now, deadline),
    };
}

/* Records the start. Returns the saga, or NULL when there is no memory: then nothing has changed. */
static struct saga *start(const struct turn *t, const struct record *r, const struct definition *d)
{
    void *block = memory_take(&t->engine->memory, fold_block_size(r, d));
    if (block == NULL)
        return NULL;
    struct saga *s = fold_apply(t->engine, NULL, r, d, block);
    t->out->add_record(t->out->self, r);
    return s;
}

/* A call of the step that goes, or may go, to a target that is not there; or NULL. */
static const struct call_spec *absent_call(const struct engine *e, const struct step_spec *step)
{
    if (engine_target_absent(e, &step->action))
        return &step->action;
    if (engine_target_absent(e, &step->compensation))
        return &step->compensation;
    for (unsigned k = 0; k < step->choice_count; k++) {
        const struct call_choice *choice = &step->choices[k];
        if (engine_target_absent(e, &choice->action))
            return &choice->action;
        if (engine_target_absent(e, &choice->compensation))
            return &choice->compensation;
    }
    return NULL;
}

/* A saga that could not make all its calls is not begun. */
static int check_targets(const struct engine *e, const struct definition *d, struct error_detail *detail)
{
    for (unsigned i = 0; i < d->step_count; i++) {
        const struct step_spec *step = &d->steps[i];
        const struct call_spec *call = absent_call(e, step);
        if (call == NULL)
            continue;
        error_set(detail, E_TARGET_NOT_FOUND, "definition", "step ");
        error_append(detail, step->name);
        error_append(detail, " calls target ");
        error_append(detail, call->target);
        error_append(detail, ", which sagad.yaml does not name");
        return E_TARGET_NOT_FOUND;
    }
    return 0;
}

void requests_start(const struct turn *t, const struct event *event)
{
    struct error_detail detail;
    int code = check_start(t, event, &detail);
    if (code == 0 || code == E_LIVE_SAGAS || code == event->no_room)
        if (repeated(t, event))
            return;
    const struct definition *d = event->definition;
    if (code == 0)
        code = check_targets(t->engine, d, &detail);
    if (code == 0 && d->reserves)
        code = check_reserves(d, event->deadline, &detail);
    if (code == 0)
        code = families_ask(t, d, &detail);
    struct pool_mark mark = pool_mark(&t->engine->scratch);
    struct bytes tags = bytes_of(NULL, 0), counts = bytes_of(NULL, 0);
    if (code == 0)
        code = typed_start(t, event, &tags, &counts, &detail);
    if (code == 0 && event->tag_sets.size > 0 && !texts_have_any(tags, event->tag_sets))
        code = error_set(&detail, E_PERMISSION, "", "no rule of authorization says so of a saga with these tags");
    if (code != 0) {
        pool_rewind(&t->engine->scratch, mark);
        reply_error(t, event, &detail, code);
        return;
    }
    struct record r =
        started_record(t, event, SAGA_ORCHESTRATED, event->deadline.us > 0 ? event->deadline : d->deadline);
    r.definition = d->number;
    r.name = bytes_of_text(d->name);
    r.priority = event->priority;
    r.tags = tags;
    r.counts = counts;
    struct saga *s = start(t, &r, d);
    pool_rewind(&t->engine->scratch, mark);
    if (s == NULL) {
        reply_refuse(t, event, E_MEMORY, "", NULL);
        return;
    }
    families_begin(t, d);
    reply_ok(t, event, s, false);
    advance(t, s);
}

void requests_begin(const struct turn *t, const struct event *event)
{
    const struct engine_options *o = &t->engine->options;
    struct error_detail detail;
    struct plan plan;
    plan_init(&plan);
    int code = check_start(t, event, &detail);
    if (code == 0 || code == E_LIVE_SAGAS || code == event->no_room)
        if (repeated(t, event))
            return;
    if (code == 0 && !definition_name_valid(event->name, NAME_BYTES_MAX))
        code = error_set(&detail, E_ARGUMENT, "name", "a name is 1 to 128 letters, digits, '-', '_' or '.'");
    struct record r = started_record(t, event, SAGA_ENLISTED,
                                     event->deadline.us > 0 ? event->deadline : o->enlisted_deadline_default);
    r.name = event->name;
    r.lease = event->lease.us > 0 ? event->lease : o->enlisted_lease_default;
    if (code == 0)
        code = plan_enlist(t, &plan, NULL, r.saga, event, &detail);
    /* The room for the steps is taken before the start is recorded, and handed to the saga after it. */
    struct step *steps = NULL;
    size_t room = plan.enlisted;
    if (code == 0 && room > 0 && (steps = memory_take(&t->engine->memory, room * sizeof *steps)) == NULL)
        code = error_set(&detail, E_MEMORY, "", NULL);
    struct saga *s = NULL;
    if (code == 0 && (s = start(t, &r, NULL)) == NULL)
        code = error_set(&detail, E_MEMORY, "", NULL);
    if (code != 0) {
        memory_give_back(&t->engine->memory, steps, room * sizeof *steps);
        plan_drop(t, &plan);
        reply_error(t, event, &detail, code);
        return;
    }
    s->steps = steps;
    s->step_room = (uint16_t)room;
    plan_apply(t, &plan, s);
    reply_ok(t, event, s, false);
    advance(t, s);
}

/* ---- enlisted sagas under way ---- */

/* The enlisted saga that the request is about, its lease renewed; NULL after refusing. */
static struct saga *enlisted_saga(const struct turn *t, const struct event *event)
{
    struct saga *s = reply_find_saga(t, event);
    if (s == NULL)
        return NULL;
    if (s->mode != SAGA_ENLISTED) {
        /* As it is answered when that end is durable. */
        reply_refuse(t, event, saga_ended(s) ? E_SAGA_ENDED : E_NOT_ENLISTED, "saga_id", NULL);
        return NULL;
    }
    renew_lease(t, s);
    return s;
}

void requests_enlist(const struct turn *t, const struct event *event)
{
    struct saga *s = enlisted_saga(t, event);
    if (s == NULL || refuse_not_running(t, event, s))
        return;
    struct error_detail detail;
    struct plan plan;
    plan_init(&plan);
    int code = plan_settle(t, &plan, s, event, &detail);
    if (code == 0)
        code = plan_enlist(t, &plan, s, s->id, event, &detail);
    if (code == 0 && event->no_room != 0 && plan.enlisted > 0)
        code = refuse_room(event->no_room, &detail);
    if (code == 0 && fold_reserve_steps(t->engine, s, (unsigned)plan.enlisted) != 0)
        code = error_set(&detail, E_MEMORY, "", NULL);
    if (code != 0) {
        plan_drop(t, &plan);
        reply_error(t, event, &detail, code);
    } else {
        plan_apply(t, &plan, s);
        reply_ok(t, event, s, false);
    }
    advance(t, s);
}

/* The first step, by index, that keeps the saga from committing once the plan is applied, or -1. */
static int open_step(const struct plan *p, const struct saga *s)
{
    for (unsigned i = 0; i < s->step_count; i++) {
        uint8_t action = planned_action(p, s, i);
        if (action != SAGA_ACTION_DONE && action != SAGA_ACTION_REJECTED)
            return (int)i;
    }
    return -1;
}

static void refuse_open(const struct turn *t, const struct event *event, const struct saga *s, unsigned step)
{
    char name[STEP_NAME_BYTES_MAX + 1];
    struct bytes view = saga_step_name(s, step);
    memcpy(name, view.at, view.size);
    name[view.size] = '\0';
    struct error_detail detail;
    error_set(&detail, E_STEPS_OPEN, "settle", "step ");
    error_append(&detail, name);
    error_append(&detail, " is not settled as DONE or REJECTED; settle it, or abort");
    reply_error(t, event, &detail, E_STEPS_OPEN);
}

/* Answers what was said before, unless it brings other outcomes than those that were recorded: they cannot count any more. */
static void repeat_end(const struct turn *t, const struct event *event, const struct saga *s)
{
    char at[64];
    for (size_t i = 0; i < event->settle_count; i++) {
        int step = saga_step_find(s, event->settle[i].step);
        if (step < 0) {
            reply_refuse(t, event, E_STEP_NOT_FOUND, path(at, "settle", i, ".step"), NULL);
            return;
        }
        if (s->steps[step].action != event->settle[i].action_state) {
            reply_refuse(t, event, E_STEP_SETTLED, path(at, "settle", i, ".outcome"), NULL);
            return;
        }
    }
    reply_ok(t, event, s, true);
}

void requests_commit(const struct turn *t, const struct event *event)
{
    struct saga *s = enlisted_saga(t, event);
    if (s == NULL)
        return;
    if (s->state == SAGA_COMMITTED) {
        repeat_end(t, event, s);
        return;
    }
    if (refuse_not_running(t, event, s))
        return;
    struct error_detail detail;
    struct plan plan;
    plan_init(&plan);
    int code = plan_settle(t, &plan, s, event, &detail);
    int open = code == 0 ? open_step(&plan, s) : -1;
    if (code != 0 || open >= 0) {
        plan_drop(t, &plan);
        if (code != 0)
            reply_error(t, event, &detail, code);
        else
            refuse_open(t, event, s, (unsigned)open);
    } else {
        plan_apply(t, &plan, s);
        struct record r = advance_record(t, s, RECORD_ENDED, RECORD_NO_STEP);
        r.saga_state = SAGA_COMMITTED;
        r.identity = advance_asker(s, event);
        advance_emit(t, s, &r);
        reply_ok(t, event, s, false);
    }
    advance(t, s);
}

void requests_abort(const struct turn *t, const struct event *event)
{
    struct saga *s = enlisted_saga(t, event);
    if (s == NULL)
        return;
    if (saga_turned_back(s)) {
        repeat_end(t, event, s);
        return;
    }
    if (refuse_not_running(t, event, s))
        return;
    struct error_detail detail;
    struct plan plan;
    plan_init(&plan);
    int code = event->reason.size > MESSAGE_BYTES_MAX
                   ? error_set(&detail, E_ARGUMENT, "reason", "a reason has at most 256 bytes")
                   : plan_settle(t, &plan, s, event, &detail);
    if (code != 0) {
        plan_drop(t, &plan);
        reply_error(t, event, &detail, code);
    } else {
        plan_apply(t, &plan, s);
        advance_turn_back(t, s, REASON_ABORTED, RECORD_NO_STEP, event->reason, event);
        reply_ok(t, event, s, false);
    }
    advance(t, s);
}

void requests_keep_alive(const struct turn *t, const struct event *event)
{
    struct saga *s = enlisted_saga(t, event);
    if (s == NULL || refuse_not_running(t, event, s))
        return;
    reply_ok(t, event, s, false);
    advance(t, s);
}
