/* world.c - one run: the engine, its targets, and answers that are chosen as they are asked for. Time passes as the engine and the answers say. */
#include "sidecar/rehearse/rehearse_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/quiet.h"
#include "sidecar/engine/target.h"

#include <stdio.h>
#include <string.h>

/* A moment to begin at: durations are what counts. */
#define BEGINNING  ((struct instant){.us = INT64_C(1767225600) * 1000000})
#define EVENTS_MAX 100000

struct call_out {
    struct call_effect call;
    struct instant at; /* when it is answered */
    unsigned number;   /* in the order in which they left */
    uint8_t outcome;
};

struct world {
    const struct rehearsal *r;
    struct run *run;
    struct engine *engine;
    struct instant now;
    struct call_out calls[STEPS_LIMIT];
    unsigned call_count, calls_made;
    int refused; /* the code of the start's answer */
    struct error_detail *detail;
    bool lost;                       /* memory */
    uint8_t counts[2 * STEPS_LIMIT]; /* of its loops */
    size_t counts_size;
    char name[STEP_NAME_BYTES_MAX + 1];
    struct {
        bool chosen;
        uint8_t outcome;
    } steps[STEPS_LIMIT][2];
};

static void trace(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void trace(struct run *run, const char *format, ...)
{
    size_t used = strlen(run->trace);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->trace + used, sizeof run->trace - used, format, arguments);
    va_end(arguments);
}

/* ---- the saga's steps: with loops they are not its definition's ---- */

static struct step_place place_of(const struct world *w, unsigned step)
{
    struct step_place place = {.step = 0};
    CHECK(definition_place(w->r->d, bytes_of(w->counts, w->counts_size), step, &place));
    return place;
}

static const struct step_spec *spec_of(const struct world *w, unsigned step)
{
    return &w->r->d->steps[place_of(w, step).step];
}

/* Until the next call. */
static const char *name_of(struct world *w, unsigned step)
{
    definition_place_name(w->r->d, place_of(w, step), w->name);
    return w->name;
}

/* ---- choosing ---- */

static unsigned choose(struct run *run, unsigned ways)
{
    unsigned at = run->choice_count;
    if (at == CHOICES_MAX)
        return 0;
    if (run->random != NULL)
        run->choices[at] = random_below(run->random, 3) == 0 ? (uint8_t)random_below(run->random, ways) : 0;
    else if (at >= run->prefix)
        run->choices[at] = 0;
    run->ways[at] = (uint8_t)ways;
    run->choice_count++;
    return run->choices[at];
}

static const char *const words[] = {
    [OUTCOME_WELL] = "done",
    [OUTCOME_REFUSED] = "refused",
    [OUTCOME_LOST] = "no answer to any attempt: nobody knows",
    [OUTCOME_LATE] = "done by the last attempt",
    [OUTCOME_EMPTY] = "done, with an empty answer",
};

/* An action's ways to end, and an undo's. */
static uint8_t outcome_of(struct world *w, const struct call_effect *call)
{
    static const uint8_t action[] = {OUTCOME_WELL, OUTCOME_REFUSED, OUTCOME_LOST, OUTCOME_LATE, OUTCOME_EMPTY};
    static const uint8_t undo[] = {OUTCOME_WELL, OUTCOME_LOST, OUTCOME_LATE};
    bool compensation = call->phase == SAGA_PHASE_COMPENSATION;
    const struct step_spec *s = spec_of(w, call->step);
    if (!w->steps[call->step][compensation].chosen) {
        unsigned ways = compensation ? 3 : s->action.called != NULL ? 5 : 4;
        unsigned choice = choose(w->run, ways);
        w->steps[call->step][compensation].chosen = true;
        w->steps[call->step][compensation].outcome = compensation ? undo[choice] : action[choice];
        trace(w->run, "%s%s: %s\n", compensation ? "undo of " : "", name_of(w, call->step),
              words[w->steps[call->step][compensation].outcome]);
    }
    return w->steps[call->step][compensation].outcome;
}

static unsigned attempts_of(const struct world *w, const struct call_effect *call)
{
    const struct step_spec *s = spec_of(w, call->step);
    return call->phase == SAGA_PHASE_COMPENSATION ? s->compensation.retry.max_attempts : s->action.retry.max_attempts;
}

/* ---- what the engine decides ---- */

static void add_record(void *self, const struct record *record)
{
    struct world *w = self;
    if (record->type == RECORD_STARTED && record->counts.size > 0) {
        memcpy(w->counts, record->counts.at, record->counts.size);
        w->counts_size = record->counts.size;
    }
    if (record->type == RECORD_ACTION_STARTED ||
        (record->type == RECORD_ACTION_ENDED &&
         (record->action_state == SAGA_ACTION_SKIPPED || record->action_state == SAGA_ACTION_DONE)))
        step_set_add(&w->run->reached, place_of(w, record->step).step);
    if (record->type == RECORD_TURNED_BACK)
        trace(w->run, "turns back: %s\n", record_reason_name(record->reason));
    if (record->type == RECORD_STUCK)
        trace(w->run, "dead letter: %s\n", record_reason_name(record->reason));
    if (record->type == RECORD_ACTION_ENDED && record->action_state == SAGA_ACTION_SKIPPED)
        trace(w->run, "%s: skipped\n", name_of(w, record->step));
    bool failed = record->status == CODE_INVALID_ARGUMENT && record->message.size > 0;
    if (failed && (record->type == RECORD_ACTION_ENDED || record->type == RECORD_COMPENSATION_ENDED)) {
        bool undo = record->type == RECORD_COMPENSATION_ENDED;
        trace(w->run, "%s%s: %.*s\n", undo ? "undo of " : "", name_of(w, record->step), (int)record->message.size,
              (const char *)record->message.at);
        snprintf(w->run->why, sizeof w->run->why, "%.*s", (int)record->message.size, (const char *)record->message.at);
    }
}

/* Whether there is an earlier good answer for a step that will have none of its own. */
static void make_up_answer(struct world *w, const struct call_effect *call, uint8_t outcome)
{
    const struct saga *s = engine_find(w->engine, 1);
    const struct step_spec *spec = spec_of(w, call->step);
    bool first = call->phase == SAGA_PHASE_ACTION && call->attempt == 1 && spec->stand_in == STAND_IN_NONE;
    bool failed = outcome == OUTCOME_REFUSED || outcome == OUTCOME_LOST;
    if (!first || !failed || !spec->has_fallback || saga_last_good_of(s, call->step) == RECORD_NO_STEP)
        return;
    bool none = choose(w->run, 2) == 1;
    trace(w->run, "last good answer of %s: %s\n", name_of(w, call->step), none ? "none" : "there is one");
    if (!none)
        engine_made_up_answer(w->engine, s, call->step, w->r->outputs[place_of(w, call->step).step], w->now);
}

static void take_call(struct world *w, const struct call_effect *call)
{
    struct call_out *out = &w->calls[w->call_count++];
    uint8_t outcome = outcome_of(w, call);
    make_up_answer(w, call, outcome);
    bool last = call->attempt >= attempts_of(w, call);
    bool silent = outcome == OUTCOME_LOST || (outcome == OUTCOME_LATE && !last);
    *out = (struct call_out){.call = *call, .number = w->calls_made++, .outcome = silent ? OUTCOME_LOST : outcome};
    out->at = instant_after(w->now, silent ? call->timeout : (struct span){.us = call->timeout.us / 100});
    if (w->run->plan != NULL)
        w->run->plan(w->run->plan_self, &(struct rehearse_call){.step = place_of(w, call->step).step,
                                                                .name = name_of(w, call->step),
                                                                .target = engine_target(w->engine, call->target)->name,
                                                                .compensation = call->phase == SAGA_PHASE_COMPENSATION,
                                                                .request = call->request});
}

static void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    struct world *w = self;
    if (effect->type == EFFECT_CALL) {
        take_call(w, &effect->as.call);
    } else if (effect->type == EFFECT_REPLY && effect->as.reply.code != 0) {
        w->refused = effect->as.reply.code;
        *w->detail = *detail;
    }
}

static void step(struct world *w, struct event *event)
{
    struct engine_out out = {.add_record = add_record, .add_effect = add_effect, .self = w};
    event->now = w->now;
    w->lost = w->lost || engine_step(w->engine, event, &out) != 0;
}

/* ---- answers ---- */

static void answer(struct world *w, unsigned index)
{
    struct call_out out = w->calls[index];
    w->calls[index] = w->calls[--w->call_count];
    w->now = instant_max(w->now, out.at);
    const struct step_spec *s = spec_of(w, out.call.step);
    bool undo = out.call.phase == SAGA_PHASE_COMPENSATION;
    struct event e = {.type = EVENT_ANSWER,
                      .saga = out.call.saga,
                      .step_index = out.call.step,
                      .phase = out.call.phase,
                      .attempt = out.call.attempt,
                      .reach = SAGA_REACH_ANSWERED};
    if (out.outcome == OUTCOME_LOST) {
        e.status = CODE_DEADLINE_EXCEEDED;
        e.reach = SAGA_REACH_MAYBE;
        e.quiet_at = quiet_at((struct instant){.us = out.at.us - out.call.timeout.us}, out.call.timeout);
    } else if (out.outcome == OUTCOME_REFUSED) {
        e.status = CODE_FAILED_PRECONDITION;
    } else if (!undo && out.outcome != OUTCOME_EMPTY && s->action.called != NULL) {
        e.output = w->r->outputs[place_of(w, out.call.step).step];
    }
    step(w, &e);
}

/* The call that is answered first: of those at one time the one that left first. */
static int next_answer(const struct world *w)
{
    int next = -1;
    for (unsigned i = 0; i < w->call_count; i++) {
        const struct call_out *one = &w->calls[i], *best = next < 0 ? NULL : &w->calls[next];
        if (best == NULL || instant_before(one->at, best->at) ||
            (one->at.us == best->at.us && one->number < best->number))
            next = (int)i;
    }
    return next;
}

static void live(struct world *w)
{
    for (unsigned events = 0; events < EVENTS_MAX && !w->lost; events++) {
        const struct saga *s = engine_find(w->engine, 1);
        int next = next_answer(w);
        struct instant due = engine_expiry(w->engine);
        if (s == NULL || saga_ended(s) || (next < 0 && due.us == INSTANT_NEVER.us))
            return;
        if (next >= 0 && !instant_before(due, w->calls[next].at)) {
            answer(w, (unsigned)next);
        } else {
            w->now = instant_max(w->now, due);
            step(w, &(struct event){.type = EVENT_TICK});
        }
    }
}

/* ---- a run ---- */

static int add_targets(struct world *w)
{
    const struct definition *d = w->r->d;
    for (unsigned i = 0; i < 2u * d->step_count; i++) {
        const char *name;
        for (unsigned k = 0; (name = step_spec_target(&d->steps[i / 2], i % 2 == 1, k)) != NULL; k++) {
            const struct participant *known = participants_find(&w->r->options->targets, name);
            struct target_options target = {.name = name,
                                            .timeout = known == NULL ? PARTICIPANT_TIMEOUT : known->timeout,
                                            .max_concurrent_calls = UINT16_MAX};
            if (engine_find_target(w->engine, bytes_of_text(name)) < 0 && engine_set_target(w->engine, &target) < 0)
                return E_MEMORY;
        }
    }
    return 0;
}

/* As many names as its calls have: an engine is made for each run, so it has room for no more. */
static unsigned count_targets(const struct definition *d)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 2u * d->step_count; i++)
        for (unsigned k = 0; step_spec_target(&d->steps[i / 2], i % 2 == 1, k) != NULL; k++)
            count++;
    return count;
}

static int start(struct world *w)
{
    const struct definition_limits limits = definition_limits_default();
    struct engine_options options = {
        .live_sagas_max = 1,
        .steps_max = STEPS_LIMIT,
        .payload_bytes_max = limits.payload_bytes_max,
        .targets_max = count_targets(w->r->d),
        .enlisted_deadline_default = SPAN_S(60),
        .enlisted_lease_default = SPAN_S(60),
        .pushback_max = SPAN_S(60),
        .target_wait = SPAN_S(300),
        .deadline_max = limits.deadline_max,
        .compensation_retry = limits.retry.compensation,
        .recall = {.answers_max = STEPS_LIMIT, .bytes_max = UINT64_MAX, .age_max = {.us = INT64_MAX}},
        .seed = 1,
        .tag = 1};
    int code = engine_create(&options, w->r->options->memory, &w->engine);
    if (code == 0)
        code = add_targets(w);
    if (code == 0)
        code = engine_resolve(w->engine, w->r->d, w->detail);
    return code;
}

int world_run(const struct rehearsal *r, struct run *run, struct error_detail *detail)
{
    struct world *w = r->options->memory->take_zeroed(r->options->memory->self, sizeof *w);
    if (w == NULL)
        return E_MEMORY;
    w->r = r;
    w->run = run;
    w->now = BEGINNING;
    w->detail = detail;
    run->choice_count = 0;
    run->trace[0] = run->why[0] = '\0';
    run->reached = (struct step_set){{0}};
    int code = start(w);
    if (code == 0) {
        step(w, &(struct event){.type = EVENT_START, .token = 1, .input = r->options->input, .definition = r->d});
        code = w->lost ? E_MEMORY : w->refused;
    }
    if (code == 0) {
        live(w);
        const struct saga *s = engine_find(w->engine, 1);
        run->lasted = instant_since(w->now, BEGINNING);
        run->ended(run->self, s);
        code = w->lost ? E_MEMORY : 0;
    }
    engine_destroy(w->engine);
    memory_give_back(r->options->memory, w, sizeof *w);
    return code;
}
