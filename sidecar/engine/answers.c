/* answers.c - what participants answered. */
#include "compensations/answer.h"
#include "sidecar/base/decimal.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/quiet.h"
#include "sidecar/base/timestamp.h"
#include "sidecar/engine/engine_inside.h"
#include "sidecar/resilience/backoff.h"

static struct bytes cut(struct bytes text, size_t max)
{
    return bytes_of(text.at, text.size < max ? text.size : max);
}

static struct record ended_attempt(const struct turn *t, const struct saga *s, const struct event *event, uint8_t type)
{
    struct record r = advance_record(t, s, type, event->step_index);
    r.attempt = event->attempt;
    r.status = event->status >= 0 && event->status < CODE_COUNT ? (uint8_t)event->status : CODE_UNKNOWN;
    r.message = cut(event->message, MESSAGE_BYTES_MAX);
    return r;
}

/* The call is not on the wire any more; one that a former life had let out never was in this one. */
static void call_over(const struct turn *t, struct saga *s, const struct event *event)
{
    struct step *step = &s->steps[event->step_index];
    if (!step->on_wire)
        return;
    t->engine->counts.calls--;
    step->on_wire = false;
    typed_forget(t->engine, step);
    if (!step->placed)
        return;
    /* What never left tells nothing of who was to be called. */
    struct target *target = &t->engine->targets[saga_step_call(s, event->step_index, event->phase)->target_index];
    enum breaker_outcome outcome =
        event->reach == SAGA_REACH_NONE ? BREAKER_NOTHING : breaker_outcome(&target->breaker, event->status);
    if (target_leave(target, step, t->now, outcome))
        advance_breaker_changed(t, target);
}

/* failed: how many attempts in a row went wrong, so far. */
static struct instant next_attempt_at(const struct turn *t, const struct event *event, const struct retry_policy *retry,
                                      unsigned failed)
{
    struct backoff backoff = {
        .initial = retry->initial_backoff,
        .max = retry->max_backoff,
        .multiplier_permille = retry->backoff_multiplier_permille,
        .jitter_permille = retry->jitter_permille,
    };
    struct span delay = backoff_delay(&backoff, failed, &t->engine->random);
    if (event->has_pushback && event->pushback.us >= 0 && !DEFECT(PUSHBACK_IGNORED))
        delay = span_min(event->pushback, t->engine->options.pushback_max);
    return instant_after(t->now, delay);
}

/* Past the pivot there is no way back, and of a pivot that may have been executed and cannot be undone nothing but its answer says which way to
 * go. */
static bool forward_only(const struct saga *s, unsigned step)
{
    return saga_past_pivot(s) ||
           (s->definition->pivot_step == (int)saga_spec_index(s, step) && !saga_step_has_compensation(s, step));
}

/* A deadline leaves no time for an attempt that would start after it. */
static bool in_time(const struct saga *s, unsigned step, bool maybe_executed, struct instant next_at)
{
    return instant_before(next_at, saga_step_deadline(s, step)) || saga_past_pivot(s) ||
           (maybe_executed && forward_only(s, step));
}

/* An attempt that has waited for its target, and could not reach it even now. */
static bool gave_up_waiting(const struct turn *t, const struct event *event)
{
    return event->unreached && t->engine->options.target_wait.us > 0;
}

/* Whether an attempt that could not reach its target waits for it, and does not count. */
static bool waits(const struct turn *t, struct saga *s, const struct event *event, struct target *target)
{
    struct step *step = &s->steps[event->step_index];
    if (!event->unreached || (event->phase == SAGA_PHASE_ACTION && saga_turned_back(s)))
        return false;
    if (step->queued_at.us == 0 || !target->down) /* it was back meanwhile: the wait begins anew */
        step->queued_at = t->now;
    if (advance_class(s, event->step_index) != CLASS_BOUNDED && !DEFECT(UNREACHED_UNDO_COUNTS))
        return true;
    return target_waited(target, step, t->now).us < t->engine->options.target_wait.us && !DEFECT(UNREACHED_COUNTS);
}

static void wait_for_target(const struct turn *t, struct saga *s, const struct event *event, struct target *target)
{
    struct record r = ended_attempt(t, s, event, RECORD_UNREACHED);
    call_over(t, s, event);
    advance_emit(t, s, &r);
    advance_target_down(t, target);
}

/* Whether the participant says that this attempt had not begun, and asks for no end of it: it spends time and no attempt, within the deadline and
 * for target_wait at most, as if it had never left. Sets *next_at. */
static bool was_shed(const struct turn *t, struct saga *s, const struct event *event, struct instant *next_at)
{
    struct step *step = &s->steps[event->step_index];
    bool action = event->phase == SAGA_PHASE_ACTION;
    const struct retry_policy *retry = &saga_step_call(s, event->step_index, event->phase)->retry;
    if (event->reach != SAGA_REACH_NOT_BEGUN || DEFECT(SHED_COUNTS))
        return false;
    /* A refusal that will be the same next time, as of a method that nobody serves, ends in a dead letter, and not in waiting for ever. */
    bool refused = !saga_answer_of_action(event->status, SAGA_REACH_NOT_BEGUN, retry->retryable_status_codes).retry &&
                   !DEFECT(NOT_SERVED_WAITS);
    bool asked_not_to = event->has_pushback && event->pushback.us < 0;
    if (refused || (action && (asked_not_to || saga_turned_back(s))))
        return false;
    if (step->sheds == 0)
        step->shed_at = t->now;
    step->sheds += step->sheds < UINT16_MAX;
    *next_at = next_attempt_at(t, event, retry, event->attempt - 1u + step->sheds);
    if (advance_class(s, event->step_index) != CLASS_BOUNDED)
        return true;
    return instant_since(t->now, step->shed_at).us < t->engine->options.target_wait.us &&
           in_time(s, event->step_index, step->maybe_executed, *next_at);
}

static void try_again_later(const struct turn *t, struct saga *s, const struct event *event, struct instant next_at)
{
    struct record r = ended_attempt(t, s, event, RECORD_UNREACHED);
    r.next_at = next_at;
    call_over(t, s, event);
    advance_emit(t, s, &r);
}

static int action_done(const struct turn *t, struct saga *s, const struct event *event)
{
    struct record r = ended_attempt(t, s, event, RECORD_ACTION_ENDED);
    r.action_state = SAGA_ACTION_DONE;
    r.output = event->output;
    void *block = NULL;
    if (r.output.size > 0) {
        block = memory_take(&t->engine->memory, fold_block_size(&r, NULL));
        if (block == NULL)
            return E_MEMORY;
    }
    call_over(t, s, event);
    fold_check_own(&r);
    fold_apply(t->engine, s, &r, NULL, block);
    t->out->add_record(t->out->self, &r);
    return 0;
}

/* Whether the participant refuses an action whose undo has been there: then nobody needs to wait for the action's end. */
static bool refuses_late(const struct turn *t, const struct call_spec *call)
{
    if (DEFECT(BARRIER_ASSUMED))
        return true;
    if (call->barrier != BARRIER_UNSAID)
        return call->barrier == BARRIER_THERE;
    return t->engine->targets[call->target_index].barrier;
}

/* Turns back for the deadline, saying which wait would have outlasted it, if it was that. */
static void too_late(const struct turn *t, struct saga *s, const struct event *event, struct instant next_at)
{
    struct error_detail words;
    char text[TIMESTAMP_TEXT_SIZE];
    int64_t us = instant_since(next_at, t->now).us;
    bool asked = event->has_pushback && event->pushback.us >= 0;
    error_set(&words, 0, NULL, asked ? "the participant's pushback of " : "the backoff of ");
    duration_write(us / 1000000, (int32_t)(us % 1000000) * 1000, text);
    error_append(&words, text);
    error_append(&words, " after attempt ");
    text[decimal_write_uint(event->attempt, text)] = '\0';
    error_append(&words, text);
    bool reserved = saga_spec(s, event->step_index)->reserve.us > 0;
    error_append(&words, reserved ? " would have passed what its step may take of the deadline (reserve)"
                                  : " would have passed the deadline");
    bool passed = !instant_before(t->now, s->deadline);
    advance_turn_back(t, s, REASON_DEADLINE, event->step_index, bytes_of_text(passed ? "" : words.text), NULL);
}

static void action_not_done(const struct turn *t, struct saga *s, const struct event *event, struct saga_answer answer)
{
    const struct call_spec *call = saga_step_call(s, event->step_index, SAGA_PHASE_ACTION);
    const struct step *step = &s->steps[event->step_index];
    call_over(t, s, event);
    bool unknown = answer.meaning == SAGA_MEANS_UNKNOWN;
    struct instant next_at = next_attempt_at(t, event, &call->retry, event->attempt);
    bool maybe = unknown || (step->maybe_executed && !DEFECT(LAST_ATTEMPT_DECIDES));
    bool another =
        answer.retry && event->attempt + (DEFECT(ACTION_TRIED_TOO_SELDOM) ? 1 : 0) < call->retry.max_attempts &&
        !(event->has_pushback && event->pushback.us < 0) && !saga_turned_back(s) && !gave_up_waiting(t, event);
    bool again = another && in_time(s, event->step_index, maybe, next_at);

    struct record r = ended_attempt(t, s, event, again ? RECORD_ACTION_FAILED : RECORD_ACTION_ENDED);
    if (DEFECT(MADE_UP_STATUS_ENDS) && event->status == CODE_UNAVAILABLE)
        unknown = false;
    r.quiet_at = unknown && !refuses_late(t, call) ? event->quiet_at : (struct instant){0};
    if (again) {
        r.maybe_executed = answer.meaning == SAGA_MEANS_UNKNOWN;
        r.next_at = next_at;
    } else {
        r.action_state = maybe ? SAGA_ACTION_UNKNOWN : SAGA_ACTION_REJECTED;
        if (DEFECT(UNKNOWN_IS_DONE) && maybe)
            r.action_state = SAGA_ACTION_DONE;
    }
    advance_emit(t, s, &r);
    bool yields = step_spec_yields(saga_spec(s, event->step_index));
    if (another && !again && s->state == SAGA_RUNNING && !yields && !advance_deadline_waits(s))
        too_late(t, s, event, next_at);
    else if (!again && r.action_state != SAGA_ACTION_DONE)
        advance_action_failed(t, s, event->step_index,
                              event->unreached ? REASON_UNREACHABLE
                              : answer.retry   ? REASON_ATTEMPTS_SPENT
                                               : REASON_ACTION_REJECTED);
}

/* What an OK answer means that is not what the definition expects. */
static int action_unexpected(const struct turn *t, struct saga *s, const struct event *event,
                             const struct typed_verdict *verdict)
{
    struct event refused = *event;
    int code = 0;
    if (verdict->met == EXPECT_UNDONE) {
        code = action_done(t, s, event);
        if (code == 0 && s->state == SAGA_RUNNING)
            advance_turn_back(t, s, REASON_UNEXPECTED_ANSWER, event->step_index, verdict->words, NULL);
        return code;
    }
    bool nothing_done = verdict->met == EXPECT_REFUSED;
    refused.status = nothing_done ? CODE_FAILED_PRECONDITION : CODE_UNKNOWN;
    refused.output = bytes_of(NULL, 0);
    refused.message = verdict->words;
    action_not_done(
        t, s, &refused,
        (struct saga_answer){.meaning = nothing_done ? SAGA_MEANS_REJECTED : SAGA_MEANS_UNKNOWN, .retry = false});
    return 0;
}

static int action_ok(const struct turn *t, struct saga *s, const struct event *event)
{
    struct typed_verdict verdict;
    int code = typed_expect(t, s, event->step_index, event->output, &verdict);
    if (code != 0)
        return code;
    if (verdict.met != EXPECT_MET)
        return action_unexpected(t, s, event, &verdict);
    code = action_done(t, s, event);
    if (code == 0 && saga_spec(s, event->step_index)->has_fallback)
        fallback_keep(t, s, event->step_index, event->output);
    return code;
}

static int action_answered(const struct turn *t, struct saga *s, const struct event *event)
{
    if (event->status == CODE_OK && event->output.size > t->engine->options.payload_bytes_max) {
        /* It was carried out, but what it said cannot be kept: going on without it would be a lie. */
        struct event refused = *event;
        refused.status = CODE_RESOURCE_EXHAUSTED;
        refused.output = bytes_of(NULL, 0);
        refused.message = bytes_of_text("the answer is over payload_bytes_max");
        action_not_done(t, s, &refused, (struct saga_answer){.meaning = SAGA_MEANS_UNKNOWN, .retry = false});
        return 0;
    }
    const struct call_spec *call = saga_step_call(s, event->step_index, SAGA_PHASE_ACTION);
    struct saga_answer answer =
        saga_answer_of_action(event->status, (enum saga_reach)event->reach, call->retry.retryable_status_codes);
    if (answer.meaning == SAGA_MEANS_DONE)
        return action_ok(t, s, event);
    /* Where there is no way back, everything but a definite refusal is worth another attempt, as of an undo. */
    answer.retry |=
        answer.meaning == SAGA_MEANS_UNKNOWN && forward_only(s, event->step_index) && !DEFECT(FORWARD_GIVES_UP);
    action_not_done(t, s, event, answer);
    return 0;
}

static void compensation_answered(const struct turn *t, struct saga *s, const struct event *event, bool lost)
{
    const struct call_spec *call = saga_step_call(s, event->step_index, SAGA_PHASE_COMPENSATION);
    call_over(t, s, event);
    bool done = event->status == CODE_OK && event->reach != SAGA_REACH_NONE && event->reach != SAGA_REACH_NOT_BEGUN;
    /* An attempt that our own end took away says nothing about the participant: it makes no dead letter. */
    bool again = !done && (lost || event->attempt + (DEFECT(UNDO_TRIED_TOO_SELDOM) ? 1 : 0) < call->retry.max_attempts);
    struct record r = ended_attempt(t, s, event, again ? RECORD_COMPENSATION_FAILED : RECORD_COMPENSATION_ENDED);
    if (again)
        r.next_at = next_attempt_at(t, event, &call->retry, event->attempt);
    else
        r.compensation_state = done ? SAGA_COMPENSATION_DONE : SAGA_COMPENSATION_FAILED;
    advance_emit(t, s, &r);
    if (!again && !done)
        advance_stuck(t, s, REASON_COMPENSATION_FAILED, event->step_index);
}

int answers_take(const struct turn *t, const struct event *event)
{
    struct engine *e = t->engine;
    struct saga *s = (struct saga *)(uintptr_t)engine_find(e, event->saga.serial);
    CHECK(s != NULL && saga_id_equal(s->id, event->saga) && event->step_index < s->step_count);
    const struct step *step = &s->steps[event->step_index];
    bool action = event->phase == SAGA_PHASE_ACTION;
    CHECK(step->permitted && step->on_wire && e->counts.calls > 0);
    CHECK(event->reach <= SAGA_REACH_NOT_BEGUN);
    CHECK(event->attempt == (action ? step->action_attempts : step->compensation_attempts) + 1);

    CHECK(!event->unreached || event->reach == SAGA_REACH_NONE);

    struct target *target = &e->targets[saga_step_call(s, event->step_index, event->phase)->target_index];
    if (event->status == CODE_OK)
        pace_note(&target->pace, event->took, t->now);
    struct instant next_at;
    bool waiting = waits(t, s, event, target);
    if (!waiting)
        target_forget(&s->steps[event->step_index]);
    if (waiting) {
        wait_for_target(t, s, event, target);
    } else if (was_shed(t, s, event, &next_at)) {
        try_again_later(t, s, event, next_at);
    } else {
        int code = 0;
        if (action)
            code = action_answered(t, s, event);
        else
            compensation_answered(t, s, event, false);
        if (code != 0)
            return code;
        s->steps[event->step_index].sheds = 0;
    }
    saga_check_step(s, event->step_index);
    advance(t, s);
    if (DEFECT(QUEUE_FORGOTTEN))
        return 0;
    /* Whatever came from the participant shows that it is there; a lost connection shows nothing. */
    if (target->down && (event->reach == SAGA_REACH_ANSWERED || event->reach == SAGA_REACH_NOT_BEGUN))
        advance_target_back(t, target);
    else
        advance_target_free(t, target);
    return 0;
}

void answers_lost(const struct turn *t, struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    bool action = step->action == SAGA_ACTION_STARTED;
    const struct call_spec *call = saga_step_call(s, index, action ? SAGA_PHASE_ACTION : SAGA_PHASE_COMPENSATION);
    struct event event = {
        .type = EVENT_ANSWER,
        .now = t->now,
        .saga = s->id,
        .step_index = (uint16_t)index,
        .phase = action ? SAGA_PHASE_ACTION : SAGA_PHASE_COMPENSATION,
        .attempt = (uint16_t)((action ? step->action_attempts : step->compensation_attempts) + 1),
        .reach = SAGA_REACH_MAYBE,
        .status = CODE_UNAVAILABLE,
        /* When it left is not known; it left before now. */
        .quiet_at = quiet_at(t->now, advance_timeout(t, call)),
        .message = bytes_of_text("the sidecar ended while the call was out"),
    };
    if (action)
        action_not_done(
            t, s, &event,
            (struct saga_answer){.meaning = DEFECT(LOST_CALL_IS_REJECTED) ? SAGA_MEANS_REJECTED : SAGA_MEANS_UNKNOWN,
                                 .retry = true});
    else
        compensation_answered(t, s, &event, true);
}

void answers_unsent(const struct turn *t, struct saga *s, unsigned index, uint8_t phase)
{
    const struct step *step = &s->steps[index];
    bool action = phase == SAGA_PHASE_ACTION;
    struct event event = {
        .type = EVENT_ANSWER,
        .now = t->now,
        .saga = s->id,
        .step_index = (uint16_t)index,
        .phase = phase,
        .attempt = (uint16_t)((action ? step->action_attempts : step->compensation_attempts) + 1),
        .reach = SAGA_REACH_NONE,
        .status = CODE_RESOURCE_EXHAUSTED,
        .message = bytes_of_text("the sidecar had no memory for the request"),
    };
    if (action)
        action_not_done(t, s, &event, (struct saga_answer){.meaning = SAGA_MEANS_REJECTED, .retry = true});
    else
        compensation_answered(t, s, &event, false);
}
