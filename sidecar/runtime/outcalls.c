/* outcalls.c - calls of participants: what the engine asked for leaves, and its answer comes back as an event.
 *
 * What one commit permits leaves in pieces of time: thousands of calls at once held everybody up for half a second. A call's time runs from
 * when it was asked for, and one whose time is over before it could leave never does. */
#include "sidecar/core/call_metadata.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/lately.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/targets.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/base/quiet.h"
#include "sidecar/observe/log.h"

#include <stdlib.h>

/* From this on a participant's pushback is worth a line. */
#define PUSHBACK_TOLD SPAN_S(10)

/* How long calls that leave may hold the loop in one turn, and how many leave between two looks at the clock. */
#define LEAVE_MAX  SPAN_MS(4)
#define LEAVE_MANY 8

/* One call that waits to leave, or is on its way, as it must be told in its answer. */
struct out_call {
    struct call_effect call;   /* its views live until it has been answered */
    struct instant ends_at;    /* when its time is over */
    struct instant runs_until; /* unless its end is proven before */
    struct instant left_at;
    const struct rpc_target *over; /* the connection over which it left */
    struct instant held_until;     /* by a drill */
    bool struck;                   /* what a drill does before it leaves has been done */
    bool again;                    /* it has been carried out once, and leaves a second time; */
    bool may_run;                  /* the first one may still be at it */
    struct out_call *next;         /* among those that wait, or the free ones */
};

static void give_back(struct loop *s, struct out_call *out)
{
    out->next = s->free_outs;
    s->free_outs = out;
}

static void wait_to_leave(struct loop *s, struct out_call *out)
{
    out->next = NULL;
    if (s->waiting_outs == NULL)
        s->waiting_outs = out;
    else
        s->last_waiting_out->next = out;
    s->last_waiting_out = out;
}

void outcalls_call(void *self, const struct call_effect *call)
{
    struct loop *s = self;
    struct out_call *out = s->free_outs;
    if (out != NULL)
        s->free_outs = out->next;
    else
        out = malloc(sizeof *out);
    if (out == NULL) {
        /* Its start is in the journal; what becomes of it is what becomes of every call that a crash took. */
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
        return;
    }
    *out = (struct out_call){.call = *call, .ends_at = instant_after(clock_now(&s->clock), call->timeout)};
    wait_to_leave(s, out);
}

/* It never left. */
static struct event unsent(const struct out_call *out, struct instant now, int status, const char *why)
{
    return (struct event){
        .type = EVENT_ANSWER,
        .now = now,
        .saga = out->call.saga,
        .step_index = out->call.step,
        .phase = out->call.phase,
        .attempt = out->call.attempt,
        .reach = SAGA_REACH_NONE,
        .status = status,
        .message = bytes_of_text(why),
    };
}

/* Its time was over before it could leave: certainly not executed. */
static void answer_unsent(struct loop *s, struct out_call *out, struct instant now)
{
    struct event event =
        unsent(out, now, CODE_DEADLINE_EXCEEDED, "the sidecar was too busy to send the call in its time");
    give_back(s, out);
    api_submit(s->api, &event);
}

/* The configuration that names its target no more came between its permission and its leaving: it waits like the others. */
static void answer_gone(struct loop *s, struct out_call *out, struct instant now)
{
    struct event event = unsent(out, now, CODE_UNAVAILABLE, "sagad.yaml names the target no more");
    uint16_t target = out->call.target;
    event.unreached = true;
    give_back(s, out);
    api_submit(s->api, &event);
    targets_let_go(s, target);
}

/* ---- drills: what is done to a call on purpose, as the record of its attempt says ---- */

static void hold(struct loop *s, struct out_call *out, struct instant until)
{
    out->held_until = instant_min(until, out->ends_at);
    out->next = s->held_outs;
    s->held_outs = out;
}

/* It did not leave, and looks as if it had. */
static void answer_struck(struct loop *s, struct out_call *out, struct instant now, int status, const char *why)
{
    struct event event = unsent(out, now, status, why);
    event.reach = (uint8_t)saga_reach_of_status(status, NULL);
    if (event.reach == SAGA_REACH_MAYBE)
        event.quiet_at = quiet_at(now, instant_since(out->ends_at, now));
    give_back(s, out);
    api_submit(s->api, &event);
}

/* Whether a drill keeps the call from leaving now. */
static bool is_struck(struct loop *s, struct out_call *out, struct instant now)
{
    const struct call_effect *call = &out->call;
    if (call->fault == DRILL_NONE || out->struck)
        return false;
    out->struck = true;
    switch (call->fault) {
    case DRILL_DELAY:
    case DRILL_REORDER:
        hold(s, out, instant_after(now, call->fault_delay));
        return true;
    case DRILL_DROP_REQUEST:
        hold(s, out, out->ends_at);
        return true;
    case DRILL_ABORT:
        answer_struck(s, out, now, call->fault_status, "a drill aborted the call");
        return true;
    default:
        return false;
    }
}

static void leave(struct loop *s, struct out_call *out, struct instant now);

/* Those that a drill has held for long enough, or behind this call; NULL: behind none. */
static void let_go(struct loop *s, struct instant now, const struct call_effect *behind)
{
    struct out_call **at = &s->held_outs, *out, *due = NULL;
    while ((out = *at) != NULL) {
        bool free = behind == NULL ? !instant_before(now, out->held_until)
                                   : out->call.fault == DRILL_REORDER && out->call.target == behind->target;
        if (!free) {
            at = &out->next;
            continue;
        }
        *at = out->next;
        out->next = due;
        due = out;
    }
    while ((out = due) != NULL) {
        due = out->next;
        if (out->call.fault == DRILL_DROP_REQUEST)
            answer_struck(s, out, now, CODE_DEADLINE_EXCEEDED, "a drill dropped the request");
        else if (instant_before(now, out->ends_at))
            leave(s, out, now);
        else
            answer_unsent(s, out, now);
    }
}

struct instant outcalls_expiry(const struct loop *s)
{
    struct instant due = INSTANT_NEVER;
    for (const struct out_call *out = s->held_outs; out != NULL; out = out->next)
        due = instant_min(due, out->held_until);
    return due;
}

/* What a drill makes of an answer. Returns whether there is none yet, since the call leaves again. */
static bool strike_answer(struct loop *s, struct out_call *out, struct event *event)
{
    if (out->call.fault == DRILL_DROP_ANSWER && !event->unreached && event->reach != SAGA_REACH_NONE) {
        event->status = CODE_UNAVAILABLE;
        event->reach = SAGA_REACH_MAYBE;
        event->quiet_at = out->runs_until;
        event->message = bytes_of_text("a drill dropped the answer");
        event->output = bytes_of(NULL, 0);
        event->has_pushback = false;
    }
    if (out->call.fault != DRILL_DUPLICATE || event->unreached || s->cutting)
        return false;
    if (out->again) {
        if (out->may_run && event->status != CODE_OK) {
            event->reach = SAGA_REACH_MAYBE;
            event->quiet_at = out->runs_until;
        }
        return false;
    }
    out->again = true;
    out->may_run = event->reach == SAGA_REACH_MAYBE;
    if (!instant_before(event->now, out->ends_at))
        return false;
    wait_to_leave(s, out);
    return true;
}

static void leave(struct loop *s, struct out_call *out, struct instant now)
{
    const struct call_effect *call = &out->call;
    if (is_struck(s, out, now))
        return;
    out->over = s->targets[call->target].rpc;
    if (out->over == NULL) {
        answer_gone(s, out, now);
        return;
    }
    struct span left = instant_since(out->ends_at, now);
    struct call_metadata metadata;
    struct rpc_metadata entries[CALL_METADATA_MAX];
    out->left_at = now;
    out->runs_until = quiet_at(now, left);
    char parent[TRACEPARENT_SIZE];
    struct call_effect told = *call;
    told.traceparent = tracing_parent(s->tracing, call, parent);
    call_metadata_init(&metadata, &told);
    for (size_t i = 0; i < metadata.count; i++)
        entries[i] = (struct rpc_metadata){.key = metadata.entries[i].key, .value = metadata.entries[i].value};
    rpc_call_out(s->targets[call->target].rpc, call->method, entries, metadata.count, call->request, left, out);
    if (s->held_outs != NULL)
        let_go(s, now, call);
}

void outcalls_run(struct loop *s)
{
    if (s->held_outs != NULL)
        let_go(s, clock_now(&s->clock), NULL);
    if (s->waiting_outs == NULL)
        return;
    struct instant now = clock_now(&s->clock), until = instant_after(now, LEAVE_MAX);
    for (unsigned i = 1; s->waiting_outs != NULL && instant_before(now, until) && s->failure.code == 0; i++) {
        struct out_call *out = s->waiting_outs;
        s->waiting_outs = out->next;
        if (instant_before(now, out->ends_at))
            leave(s, out, now);
        else
            answer_unsent(s, out, now);
        if (i % LEAVE_MANY == 0)
            now = clock_now(&s->clock);
    }
}

bool outcalls_wait(const struct loop *s)
{
    return s->waiting_outs != NULL;
}

void outcalls_abandon(struct loop *s)
{
    while (s->waiting_outs != NULL) {
        struct out_call *out = s->waiting_outs;
        s->waiting_outs = out->next;
        give_back(s, out);
    }
    while (s->held_outs != NULL) {
        struct out_call *out = s->held_outs;
        s->held_outs = out->next;
        give_back(s, out);
    }
}

/* A participant that asks for a long break is obeyed, within a bound, and people are told: nothing else is seen of it for so long. */
static void tell_pushback(const struct loop *s, const struct out_call *out, struct span pushback)
{
    char id[SAGA_ID_TEXT_SIZE];
    if (pushback.us < PUSHBACK_TOLD.us)
        return;
    saga_id_format(out->call.saga, id);
    log_event(LOG_LEVEL_WARN, "a participant asks to come again much later", LOG_TEXT("saga", id),
              LOG_TEXT("target", s->targets[out->call.target].shared->name), LOG_NUMBER("asked_ms", pushback.us / 1000),
              LOG_NUMBER("waits_ms", span_min(pushback, s->config->pushback_max).us / 1000));
}

void outcalls_reachable(void *self, unsigned target)
{
    targets_back(self, (uint16_t)target);
}

void outcalls_answer(void *self, void *tag, const struct rpc_answer *answer)
{
    struct loop *s = self;
    struct out_call *out = tag;
    struct event event = {
        .type = EVENT_ANSWER,
        .now = clock_now(&s->clock),
        .saga = out->call.saga,
        .step_index = out->call.step,
        .phase = out->call.phase,
        .attempt = out->call.attempt,
        .reach = (uint8_t)answer->reach,
        .unreached = answer->unreached != NULL,
        .status = answer->status,
        .quiet_at = answer->reach == SAGA_REACH_MAYBE ? out->runs_until : (struct instant){0},
        .message = answer->unreached != NULL ? bytes_of_text(answer->unreached) : answer->message,
        .output = answer->output,
        .took = instant_since(clock_now(&s->clock), out->left_at),
        .has_pushback = answer->has_pushback,
        .pushback = answer->pushback,
    };
    if (answer->has_pushback)
        tell_pushback(s, out, answer->pushback);
    uint16_t target = out->call.target;
    bool gave_up = targets_gave_up(s, target, out->over);
    if (answer->unreached != NULL && !s->cutting && !gave_up)
        targets_down(s, target, answer);
    counters_attempt(s, &out->call, out->left_at, answer);
    lately_attempt(s, &out->call, out->left_at, answer, event.now);
    if (out->call.fault != DRILL_NONE && strike_answer(s, out, &event))
        return;
    give_back(s, out);
    if (!s->cutting)
        api_submit(s->api, &event);
    if (event.unreached && gave_up && !s->cutting)
        targets_let_go(s, target); /* to where it is now */
}

void outcalls_finish(struct loop *s)
{
    outcalls_abandon(s);
    while (s->free_outs != NULL) {
        struct out_call *out = s->free_outs;
        s->free_outs = out->next;
        free(out);
    }
}
