/* operator.c - what people do to a saga. */
#include "sidecar/engine/engine_inside.h"

/* Checks what every such request carries. Returns false after refusing. */
static bool is_signed(const struct turn *t, const struct event *event, bool actor_needed, bool reason_needed)
{
    if ((actor_needed && event->actor.size == 0) || event->actor.size > ACTOR_BYTES_MAX) {
        reply_refuse(t, event, E_ARGUMENT, "actor", "say who asks, in 1 to 128 bytes");
        return false;
    }
    if ((reason_needed && event->reason.size == 0) || event->reason.size > MESSAGE_BYTES_MAX) {
        reply_refuse(t, event, E_ARGUMENT, "reason", "say why, in 1 to 256 bytes");
        return false;
    }
    return true;
}

/* Returns the saga, or NULL after refusing. */
static struct saga *begin(const struct turn *t, const struct event *event, bool actor_needed, bool reason_needed)
{
    return is_signed(t, event, actor_needed, reason_needed) ? reply_find_saga(t, event) : NULL;
}

/* The same for what only a saga can take that has not ended: one whose end is on its way to the disk has. */
static struct saga *begin_live(const struct turn *t, const struct event *event, bool reason_needed)
{
    struct saga *s = begin(t, event, true, reason_needed);
    if (s == NULL || !saga_ended(s))
        return s;
    reply_refuse(t, event, E_SAGA_ENDED, "", NULL);
    return NULL;
}

static struct record act(const struct turn *t, const struct saga *s, const struct event *event, uint8_t type,
                         unsigned step)
{
    struct record r = advance_record(t, s, type, step);
    saga_check(s);
    r.actor = event->actor;
    r.identity = advance_asker(s, event);
    r.message = event->reason;
    return r;
}

void operator_cancel(const struct turn *t, const struct event *event)
{
    struct saga *s = begin(t, event, false, false);
    if (s == NULL)
        return;
    if (saga_turned_back(s)) {
        reply_ok(t, event, s, true);
    } else if (s->state == SAGA_STUCK) {
        reply_refuse(t, event, E_SAGA_STUCK, "",
                     s->stuck_reason == REASON_PIVOT_UNKNOWN ? "the pivot's outcome is unknown: reject says that it "
                                                               "did not happen and turns the saga back, skip that it "
                                                               "did, and retry asks again"
                                                             : NULL);
    } else if (saga_ended(s)) {
        reply_refuse(t, event, E_SAGA_ENDED, "", NULL);
    } else if (saga_at_pivot(s) && !DEFECT(CANCEL_AFTER_PIVOT)) {
        reply_refuse(t, event, E_AFTER_PIVOT, "",
                     saga_past_pivot(s) ? "the saga's pivot is done: it only goes forward; pause holds it"
                                        : "the saga's pivot has been started, and its answer decides which way the "
                                          "saga goes; if that stays unknown, reject turns it back");
    } else {
        advance_turn_back(t, s, REASON_CANCELLED, RECORD_NO_STEP, event->reason, event);
        reply_ok(t, event, s, false);
        advance(t, s);
    }
}

void operator_pause(const struct turn *t, const struct event *event)
{
    struct saga *s = begin_live(t, event, false);
    if (s == NULL)
        return;
    if (!s->paused) {
        advance_unqueue(t, s);
        struct record r = act(t, s, event, RECORD_PAUSED, RECORD_NO_STEP);
        advance_emit(t, s, &r);
    }
    reply_ok(t, event, s, false);
    advance(t, s);
}

void operator_resume(const struct turn *t, const struct event *event)
{
    struct saga *s = begin_live(t, event, false);
    if (s == NULL)
        return;
    if (s->paused) {
        struct record r = act(t, s, event, RECORD_RESUMED, RECORD_NO_STEP);
        advance_emit(t, s, &r);
        if (s->mode == SAGA_ENLISTED)
            s->lease_until = instant_after(t->now, s->lease);
    }
    reply_ok(t, event, s, false);
    advance(t, s);
}

/* The stuck step that the request names, or one that waits for its next attempt where that may be meant; -1 after refusing. */
static int stuck_step(const struct turn *t, const struct event *event, const struct saga *s, bool or_waits)
{
    int index = saga_step_find(s, event->step);
    if (index < 0)
        reply_refuse(t, event, E_STEP_NOT_FOUND, "step", NULL);
    else if (!saga_step_stuck(s, (unsigned)index) && !(or_waits && saga_step_waits(s, (unsigned)index)))
        reply_refuse(t, event, E_SAGA_NOT_STUCK, "step",
                     s->state == SAGA_STUCK ? "this step is not what the saga is stuck on"
                                            : "the saga is not a dead letter: the sidecar goes on by itself");
    else
        return index;
    return -1;
}

void operator_retry(const struct turn *t, const struct event *event)
{
    struct saga *s = begin_live(t, event, false);
    if (s == NULL)
        return;
    int only = -1;
    if (event->step.size > 0 && (only = stuck_step(t, event, s, true)) < 0)
        return;
    /* Without a name: what is stuck, and where nothing is, what waits. */
    bool stuck = s->state == SAGA_STUCK;
    bool any = false;
    for (unsigned i = 0; i < s->step_count; i++) {
        if (only >= 0 ? i != (unsigned)only : stuck ? !saga_step_stuck(s, i) : !saga_step_waits(s, i))
            continue;
        any = true;
        struct record r = act(t, s, event, RECORD_RETRIED, i);
        advance_emit(t, s, &r);
    }
    if (!any) {
        reply_refuse(t, event, E_SAGA_NOT_STUCK, "", "no step is stuck, or waits for its next attempt");
        return;
    }
    reply_ok(t, event, s, false);
    advance(t, s);
}

/* Whether an action that is still to come takes this step's output as its request. One whose undo is spared has none to give. */
static bool output_needed(const struct saga *s, unsigned step)
{
    if (s->definition == NULL || (s->state != SAGA_RUNNING && s->stuck_from != SAGA_RUNNING) ||
        s->steps[step].compensation != SAGA_COMPENSATION_NONE)
        return false;
    unsigned own = saga_spec_index(s, step);
    while (s->definition->steps[own].stand_in != STAND_IN_NONE)
        own--;
    for (unsigned i = 0; i < s->step_count; i++) {
        const struct call_spec *call = saga_step_call(s, i, SAGA_PHASE_ACTION);
        if (i != step && call->source == REQUEST_OUTPUT && call->source_step == own)
            return true;
    }
    return false;
}

/* The step that the request names, if it waits for a target that is not there and nothing but a person can spare it; otherwise -1. */
static int held_step(const struct turn *t, const struct event *event, const struct saga *s)
{
    int index = saga_step_find(s, event->step);
    if (index < 0 || !saga_step_must_be_made(s, (unsigned)index) ||
        (!s->steps[index].queued && !DEFECT(SPARED_AT_WILL)))
        return -1;
    bool back = s->steps[index].compensation != SAGA_COMPENSATION_NONE;
    const struct call_spec *call =
        saga_step_call(s, (unsigned)index, back ? SAGA_PHASE_COMPENSATION : SAGA_PHASE_ACTION);
    const struct target *target = &t->engine->targets[call->target_index];
    return target->down || target->places == 0 || target->breaker.mark.open || DEFECT(SPARED_AT_WILL) ? index : -1;
}

void operator_skip(const struct turn *t, const struct event *event)
{
    struct saga *s = begin_live(t, event, true);
    if (s == NULL)
        return;
    int index = held_step(t, event, s);
    if (index < 0 && s->state != SAGA_STUCK) {
        reply_refuse(t, event, E_SAGA_NOT_STUCK, "",
                     "the saga is not a dead letter: an undo, or a step after the pivot, can be skipped before only "
                     "while its target cannot be reached");
        return;
    }
    if (index < 0 && (index = stuck_step(t, event, s, false)) < 0)
        return;
    if (output_needed(s, (unsigned)index)) {
        reply_refuse(t, event, E_OUTPUT_NEEDED, "step", NULL);
        return;
    }
    advance_unqueue_step(t, s, (unsigned)index);
    struct record r = act(t, s, event, RECORD_SKIPPED, (unsigned)index);
    advance_emit(t, s, &r);
    reply_ok(t, event, s, false);
    advance(t, s);
}

void operator_reject(const struct turn *t, const struct event *event)
{
    struct saga *s = begin_live(t, event, true);
    if (s == NULL)
        return;
    int index = stuck_step(t, event, s, false);
    if (index < 0)
        return;
    if (s->steps[index].action != SAGA_ACTION_UNKNOWN || s->stuck_from != SAGA_RUNNING) {
        reply_refuse(t, event, E_SAGA_NOT_STUCK, "step", "the saga is not stuck on the unknown outcome of this action");
        return;
    }
    struct record r = act(t, s, event, RECORD_REJECTED, (unsigned)index);
    r.maybe_executed = saga_pivot_unknown(s, (unsigned)index) >= 0 && !DEFECT(REJECTION_OF_ALL_PIVOTS);
    advance_emit(t, s, &r);
    reply_ok(t, event, s, false);
    advance(t, s);
}

void operator_resolve(const struct turn *t, const struct event *event)
{
    struct saga *s = begin_live(t, event, true);
    if (s == NULL)
        return;
    if (s->state != SAGA_STUCK) {
        reply_refuse(t, event, E_SAGA_NOT_STUCK, "", NULL);
        return;
    }
    if (saga_call_is_out(s, SAGA_PHASE_ACTION) || saga_call_is_out(s, SAGA_PHASE_COMPENSATION)) {
        reply_refuse(t, event, E_CALLS_IN_FLIGHT, "", NULL);
        return;
    }
    advance_unqueue(t, s);
    struct record r = act(t, s, event, RECORD_ENDED, RECORD_NO_STEP);
    r.saga_state = SAGA_RESOLVED;
    advance_emit(t, s, &r);
    reply_ok(t, event, s, false);
    advance(t, s);
}

void operator_breaker(const struct turn *t, const struct event *event)
{
    if (!is_signed(t, event, true, true))
        return;
    int index = engine_find_target(t->engine, event->name);
    if (index < 0) {
        reply_refuse(t, event, E_TARGET_NOT_FOUND, "target", NULL);
        return;
    }
    struct target *target = &t->engine->targets[index];
    switch (event->breaker_act) {
    case BREAKER_TRIP:
        breaker_trip(&target->breaker, t->now);
        break;
    case BREAKER_HOLD:
        breaker_hold(&target->breaker, t->now);
        break;
    case BREAKER_RESET:
        breaker_reset(&target->breaker);
        break;
    default:
        reply_refuse(t, event, E_ARGUMENT, "act", "is TRIP, HOLD or RESET");
        return;
    }
    advance_breaker_changed(t, target);
    reply_ok(t, event, NULL, false);
    advance_target_free(t, target);
}
