/* lately.c - feeds the windows of a loop, and shows them. */
#include "sidecar/runtime/lately.h"

#include "sidecar/api/view.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/saga.h"

#include <stdlib.h>
#include <string.h>

int lately_open(struct loop *s)
{
    s->failing = calloc(FAILING_STEPS_MAX, sizeof *s->failing);
    return s->failing == NULL ? E_MEMORY : 0;
}

void lately_close(struct loop *s)
{
    free(s->failing);
}

void lately_ended(struct loop *s, const struct saga *saga, const struct record *r)
{
    enum recent_kind kind = r->saga_state == SAGA_COMMITTED ? RECENT_GOOD : RECENT_FAILED;
    recent_add(&s->sagas, r->at, kind, instant_since(r->at, saga->started_at));
}

/* ---- attempts ---- */

/* A refusal is a definite no by one that works; whatever else is not OK speaks against the target. */
static enum recent_kind kind_of(const struct rpc_answer *answer)
{
    if (answer->status == CODE_OK)
        return RECENT_GOOD;
    struct saga_answer meaning = saga_answer_of_action(answer->status, answer->reach, 0);
    return meaning.meaning == SAGA_MEANS_REJECTED && !meaning.retry ? RECENT_REFUSED : RECENT_FAILED;
}

static void note(struct last_failure *last, const struct rpc_answer *answer, struct instant now)
{
    struct bytes said = answer->unreached != NULL ? bytes_of_text(answer->unreached) : answer->message;
    last->at = now;
    last->status = answer->status > 0 && answer->status < CODE_COUNT ? (uint8_t)answer->status : CODE_UNKNOWN;
    size_t size = said.size;
    if (size > LAST_SAID_BYTES)
        for (size = LAST_SAID_BYTES; size > 0 && (said.at[size] & 0xc0) == 0x80; size--)
            ; /* before a character, since strings of protobuf have to be valid */
    last->said_size = (uint8_t)size;
    if (last->said_size > 0)
        memcpy(last->said, said.at, last->said_size);
}

static bool is_of(const struct failing_step *f, const struct call_effect *call)
{
    return f->phase == call->phase && bytes_equal(bytes_of(f->step, f->step_size), call->step_name) &&
           bytes_equal(bytes_of(f->definition, f->definition_size), call->definition);
}

/* The place of the call's step: its own, a free one, or that of the step whose last failure is longest ago. */
static struct failing_step *place_of(struct loop *s, const struct call_effect *call)
{
    struct failing_step *oldest = &s->failing[0];
    for (unsigned i = 0; i < FAILING_STEPS_MAX; i++) {
        struct failing_step *f = &s->failing[i];
        if (is_of(f, call))
            return f;
        if (instant_before(f->last.at, oldest->last.at))
            oldest = f;
    }
    *oldest = (struct failing_step){
        .phase = call->phase,
        .definition_size = (uint8_t)(call->definition.size < NAME_BYTES_MAX ? call->definition.size : NAME_BYTES_MAX),
        .step_size =
            (uint8_t)(call->step_name.size < STEP_NAME_BYTES_MAX ? call->step_name.size : STEP_NAME_BYTES_MAX)};
    if (oldest->definition_size > 0)
        memcpy(oldest->definition, call->definition.at, oldest->definition_size);
    if (oldest->step_size > 0)
        memcpy(oldest->step, call->step_name.at, oldest->step_size);
    return oldest;
}

void lately_attempt(struct loop *s, const struct call_effect *call, struct instant left_at,
                    const struct rpc_answer *answer, struct instant now)
{
    struct loop_target *target = &s->targets[call->target];
    if (call->synthetic)
        return;
    /* What never left is no attempt: the target has not been asked. */
    if (answer->reach == SAGA_REACH_NONE) {
        note(&target->last_failure, answer, now);
        return;
    }
    enum recent_kind kind = kind_of(answer);
    struct span took = instant_since(now, left_at);
    recent_add(&target->recent, now, kind, took);
    target->attempts++;
    target->attempts_failed += kind == RECENT_FAILED;
    if (kind == RECENT_GOOD)
        target->last_success = now;
    if (kind == RECENT_FAILED)
        note(&target->last_failure, answer, now);
    if (kind == RECENT_GOOD)
        return;
    struct failing_step *f = place_of(s, call);
    recent_add(&f->recent, now, kind, took);
    note(&f->last, answer, now);
}

/* ---- shown ---- */

static uint64_t count_of(const struct recent_sum *sum)
{
    return (uint64_t)sum->counts[RECENT_GOOD] + sum->counts[RECENT_REFUSED] + sum->counts[RECENT_FAILED];
}

static Saga__V1__Recent *view_recent(struct arena *a, const struct recent *r, struct instant now)
{
    const struct recent_sum sum = recent_sum(r, now);
    uint64_t count = count_of(&sum);
    Saga__V1__Recent *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__recent__init(m);
    m->count = count;
    m->refused = sum.counts[RECENT_REFUSED];
    m->failed = sum.counts[RECENT_FAILED];
    if (count == 0)
        return m;
    m->mean = view_span(a, (struct span){.us = sum.took_us / (int64_t)count});
    m->most = view_span(a, (struct span){.us = sum.took_most_us});
    return m->mean == NULL || m->most == NULL ? NULL : m;
}

static bool set_time(struct arena *a, Google__Protobuf__Timestamp **field, struct instant at)
{
    return at.us == 0 || (*field = view_time(a, at)) != NULL;
}

static char *said(struct arena *a, const struct last_failure *last)
{
    return arena_text(a, bytes_of(last->said, last->said_size));
}

static bool add_failing(struct loop *s, struct arena *a, struct instant now, Saga__V1__LoopStatus *m)
{
    m->failing_steps = arena_take(a, FAILING_STEPS_MAX * sizeof(*m->failing_steps));
    if (m->failing_steps == NULL)
        return false;
    for (unsigned i = 0; i < FAILING_STEPS_MAX; i++) {
        const struct failing_step *f = &s->failing[i];
        const struct recent_sum sum = recent_sum(&f->recent, now);
        uint64_t count = count_of(&sum);
        if (count == 0)
            continue;
        Saga__V1__FailingStep *step = arena_take(a, sizeof *step);
        if (step == NULL)
            return false;
        saga__v1__failing_step__init(step);
        step->definition = arena_text(a, bytes_of(f->definition, f->definition_size));
        step->step = arena_text(a, bytes_of(f->step, f->step_size));
        step->compensation = f->phase == SAGA_PHASE_COMPENSATION;
        step->count = count;
        step->last_status = f->last.status;
        step->last_message = said(a, &f->last);
        if (step->definition == NULL || step->step == NULL || step->last_message == NULL ||
            !set_time(a, &step->last, f->last.at))
            return false;
        m->failing_steps[m->n_failing_steps++] = step;
    }
    return true;
}

bool lately_fill(struct loop *s, struct arena *a, Saga__V1__LoopStatus *m)
{
    struct instant now = clock_now(&s->clock);
    const uint64_t *records = s->records;
    m->sagas_started = records[RECORD_STARTED];
    m->sagas_turned_back = records[RECORD_TURNED_BACK];
    m->sagas_ended = records[RECORD_ENDED];
    m->sagas_became_stuck = records[RECORD_STUCK];
    m->attempts = records[RECORD_ACTION_STARTED] + records[RECORD_COMPENSATION_STARTED];
    m->attempts_failed = records[RECORD_ACTION_FAILED] + records[RECORD_COMPENSATION_FAILED];
    m->recent_sagas = view_recent(a, &s->sagas, now);
    return m->recent_sagas != NULL && add_failing(s, a, now, m);
}

bool lately_fill_target(struct loop *s, const struct loop_target *target, struct arena *a, Saga__V1__TargetStatus *m)
{
    m->recent = view_recent(a, &target->recent, clock_now(&s->clock));
    m->attempts = target->attempts;
    m->attempts_failed = target->attempts_failed;
    m->last_failure_status = target->last_failure.status;
    m->last_failure_message = said(a, &target->last_failure);
    return m->recent != NULL && m->last_failure_message != NULL &&
           set_time(a, &m->last_success, target->last_success) &&
           set_time(a, &m->last_failure, target->last_failure.at);
}
