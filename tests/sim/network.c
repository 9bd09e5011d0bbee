/* network.c - what happens to messages: calls to participants and their answers, requests of clients and their replies.
 */
#include "tests/sim/sim.h"

#include "compensations/answer.h"
#include "sidecar/base/check.h"
#include "sidecar/core/call_metadata.h"

#include <stdlib.h>

/* ---- answers of participants ---- */

struct delivery {
    struct attempt *attempt;
    uint32_t incarnation; /* of the participant that is executing it */
    bool real;            /* not a duplicate */
    bool answers;         /* its end is what the sidecar sees */
    int forced;           /* status it ends with, or -1 */
    bool executes;        /* although it is forced */
};

struct arrival {
    struct attempt *attempt;
    struct incoming in;
};

/* Word of a target that can be reached again. */
struct back {
    unsigned target;
    uint32_t incarnation;
};

static int64_t latency(struct world *w);

static void come_back(struct world *w, void *arg)
{
    const struct back *b = arg;
    if (w->sidecar.up && b->incarnation == w->sidecar.incarnation)
        sidecar_take(w, &(struct incoming){.back = true, .target = b->target});
}

/* What is said of a target that could not be reached holds until word comes that it can. */
static void expect_back(struct world *w, unsigned target)
{
    struct back *b = world_take(w, sizeof *b);
    *b = (struct back){.target = target, .incarnation = w->sidecar.incarnation};
    int64_t until = w->participants[target].unreachable_until;
    w->sidecar.backs[target]++;
    agenda_add(w, (until > w->now ? until : w->now) + latency(w), come_back, b);
}

static void arrive(struct world *w, void *arg)
{
    struct arrival *r = arg;
    struct attempt *a = r->attempt;
    if (a->ended || a->incarnation != w->sidecar.incarnation || !w->sidecar.up)
        return;
    a->ended = true;
    w->sidecar.calls_out[a->target]--;
    sidecar_take(w, &r->in);
    if (r->in.unreached)
        expect_back(w, a->target);
}

static struct arrival *arrival_new(struct world *w, struct attempt *a, uint8_t reach, int status)
{
    struct arrival *r = world_take(w, sizeof *r);
    r->attempt = a;
    r->in = (struct incoming){.attempt = a, .reach = reach, .status = status};
    return r;
}

static void end_call(struct world *w, struct attempt *a, uint8_t reach, int status, int64_t at)
{
    agenda_add(w, at, arrive, arrival_new(w, a, reach, status));
}

static void deadline(struct world *w, void *arg)
{
    struct attempt *a = arg;
    if (!a->ended)
        arrive(w, arrival_new(w, a, SAGA_REACH_MAYBE, 4));
}

static int64_t latency(struct world *w)
{
    return w->script != NULL ? MS : draw_between(w, NETWORK, 100, 4 * MS);
}

static void send_answer(struct world *w, struct delivery *d, const struct answer *answer)
{
    static const int garbage[] = {2, 7, 12, 13, 14, 15, 77, -3};
    struct attempt *a = d->attempt;
    if (!d->answers || strikes(w, FAULT_REPLY_LOST))
        return;
    int64_t at = w->now + latency(w);
    if (strikes(w, FAULT_SLOW))
        at += draw_between(w, NETWORK, 0, a->deadline - a->out_at);
    if (strikes(w, FAULT_BROKEN)) {
        end_call(w, a, SAGA_REACH_MAYBE, 14, at);
        return;
    }
    if (strikes(w, FAULT_GARBAGE)) {
        end_call(w, a, SAGA_REACH_MAYBE, garbage[draw(w, NETWORK, 8)], at);
        return;
    }
    const char *said = answer->status != 0 && chance(w, NETWORK, 400) ? SAGA_FUNCTION_ENDED : NULL;
    struct arrival *r = arrival_new(w, a, (uint8_t)saga_reach_of_status(answer->status, said), answer->status);
    r->in.said = said;
    r->in.output = answer->output;
    r->in.output_size = answer->output_size;
    if (answer->status == 14 || answer->status == 8) {
        r->in.has_pushback = chance(w, NETWORK, 300);
        r->in.pushback = chance(w, NETWORK, 200) ? -1 : draw_between(w, NETWORK, 0, 2 * SECOND);
        if (r->in.has_pushback)
            mark(w, MARK_CASE, CASE_PUSHBACK);
    }
    agenda_add(w, at, arrive, r);
}

static void goes_down(struct world *w, struct participant *p)
{
    p->incarnation++;
    p->down_until = w->now + draw_between(w, PARTICIPANTS, 10 * MS, 3 * SECOND);
}

/* The participant commits its transaction, and answers. */
static void execute(struct world *w, void *arg)
{
    struct delivery *d = arg;
    struct attempt *a = d->attempt;
    struct participant *p = &w->participants[a->target];
    a->over |= d->real;
    if (p->incarnation != d->incarnation) {
        if (d->answers)
            end_call(w, a, SAGA_REACH_MAYBE, 14, w->now + latency(w));
        return;
    }
    struct answer answer = {.status = d->forced};
    if (d->forced < 0 || d->executes) {
        participant_take(w, a->target, a, a->model, a->step, &answer);
        a->took_effect = true;
    }
    if (a->ended && a->phase == SAGA_PHASE_ACTION && answer.status == 0)
        mark(w, MARK_CASE, CASE_RUNS_ON);
    if (d->forced >= 0)
        answer = (struct answer){.status = d->forced};
    trace(w, "executed", a->saga.serial, a->step * 10 + a->phase, a->number, answer.status);
    if (strikes(w, FAULT_CRASH_AFTER_COMMIT)) {
        goes_down(w, p);
        if (d->answers)
            end_call(w, a, SAGA_REACH_MAYBE, 14, w->now + latency(w));
        return;
    }
    send_answer(w, d, &answer);
}

/* The call reaches the participant. */
static void deliver(struct world *w, void *arg)
{
    static const int transient[] = {14, 8, 10, 4};
    static const int ambiguous[] = {2, 13, 1, 15, 99};
    static const int made_up[] = {14, 1, 4, 13, 2};
    static const int refusals[] = {12, 5, 9, 3};
    struct delivery *d = arg;
    struct attempt *a = d->attempt;
    struct participant *p = &w->participants[a->target];
    if (w->now < p->down_until) {
        a->over |= d->real;
        if (d->answers)
            end_call(w, a, SAGA_REACH_MAYBE, 14, w->now + latency(w));
        return;
    }
    if (strikes(w, FAULT_CRASH_BEFORE_COMMIT)) {
        a->over |= d->real;
        goes_down(w, p);
        if (d->answers)
            end_call(w, a, SAGA_REACH_MAYBE, 14, w->now + latency(w));
        return;
    }
    d->forced = -1;
    d->incarnation = p->incarnation;
    /* It refuses at the door, and says so. (Of a copy that is still on its way it cannot speak.) */
    if (d->answers && !a->duplicated && (chance(w, PARTICIPANTS, 30) || w->now < p->sheds_until)) {
        a->over |= d->real;
        if (w->now >= p->sheds_until && chance(w, PARTICIPANTS, 30)) {
            int64_t until = w->now + draw_between(w, PARTICIPANTS, 0, 12 * SECOND);
            p->sheds_until = until < w->swarm.faults_last ? until : w->swarm.faults_last;
        }
        /* Nobody may serve what undoes: that will be the same next time. */
        bool for_good = a->phase == SAGA_PHASE_COMPENSATION && !w->healed && chance(w, PARTICIPANTS, 200);
        int status = for_good ? refusals[draw(w, PARTICIPANTS, 4)] : transient[draw(w, PARTICIPANTS, 4)];
        struct arrival *r = arrival_new(w, a, SAGA_REACH_NOT_BEGUN, status);
        r->in.said = SAGA_FUNCTION_NOT_BEGUN;
        agenda_add(w, w->now + latency(w), arrive, r);
        return;
    }
    if (d->answers && strikes(w, FAULT_RUNS_ON)) {
        int status = made_up[draw(w, PARTICIPANTS, 5)];
        end_call(w, a, (uint8_t)saga_reach_of_status(status, NULL), status, w->now + latency(w));
        d->answers = false;
        int64_t left = a->runs_until - w->now;
        agenda_add(w, w->now + (left > 0 ? draw_between(w, PARTICIPANTS, 0, left) : 0), execute, d);
        return;
    }
    if (strikes(w, FAULT_TRANSIENT)) {
        d->forced = transient[draw(w, PARTICIPANTS, 4)];
        d->executes = chance(w, PARTICIPANTS, 300);
    } else if (strikes(w, FAULT_AMBIGUOUS)) {
        d->forced = ambiguous[draw(w, PARTICIPANTS, 5)];
        d->executes = chance(w, PARTICIPANTS, 500);
    } else if (a->phase == SAGA_PHASE_COMPENSATION && strikes(w, FAULT_UNDO_REFUSED)) {
        d->forced = 9;
    }
    agenda_add(w, w->now + draw_between(w, PARTICIPANTS, 50, 5 * MS), execute, d);
}

static struct delivery *delivery_new(struct world *w, struct attempt *a, bool real)
{
    struct delivery *d = world_take(w, sizeof *d);
    d->attempt = a;
    d->real = d->answers = real;
    return d;
}

/* Exhaustive: the outcome of every call is a choice. */
static void scripted(struct world *w, struct attempt *a)
{
    struct delivery *d = delivery_new(w, a, true);
    d->forced = -1;
    switch (script_choose(w->script, 4)) {
    case 0:
        agenda_add(w, a->out_at + MS, execute, d);
        break;
    case 1:
        d->forced = 9;
        agenda_add(w, a->out_at + MS, execute, d);
        break;
    case 2:
        d->answers = false;
        agenda_add(w, a->out_at + MS, execute, d);
        break;
    default:
        a->over = true;
        break;
    }
}

/* What a drill does to a call. Returns whether it does not leave. */
static bool struck(struct world *w, struct attempt *a, const struct call_effect *call)
{
    if (call->fault != DRILL_NONE)
        mark(w, MARK_CASE, CASE_STRUCK);
    if (call->fault != DRILL_ABORT && call->fault != DRILL_DROP_REQUEST)
        return false;
    a->over = true;
    if (call->fault == DRILL_ABORT)
        end_call(w, a, (uint8_t)saga_reach_of_status(call->fault_status, NULL), call->fault_status, a->out_at);
    return true;
}

static void let_leave(struct world *w, struct attempt *a, const struct call_effect *call)
{
    int64_t span = a->deadline - a->out_at;
    agenda_add(w, a->deadline, deadline, a);
    if (w->script != NULL) {
        scripted(w, a);
        return;
    }
    if (struck(w, a, call))
        return;
    struct participant *p = &w->participants[a->target];
    if (strikes(w, FAULT_REFUSED) && w->now >= p->unreachable_until) {
        int64_t until =
            w->now + draw_between(w, PARTICIPANTS, 0, chance(w, PARTICIPANTS, 200) ? 12 * SECOND : 300 * MS);
        p->unreachable_until = until < w->swarm.faults_last ? until : w->swarm.faults_last;
    }
    if (w->now < p->unreachable_until) {
        a->over = true;
        struct arrival *r = arrival_new(w, a, SAGA_REACH_NONE, 14);
        r->in.unreached = true;
        agenda_add(w, a->out_at + latency(w), arrive, r);
        return;
    }
    a->duplicated = strikes(w, FAULT_DUPLICATE) || call->fault == DRILL_DUPLICATE;
    if (a->duplicated)
        agenda_add(w, a->out_at + draw_between(w, NETWORK, 0, 2 * span), deliver, delivery_new(w, a, false));
    if (strikes(w, FAULT_REQUEST_LOST)) {
        a->over = true;
        return;
    }
    int64_t at = a->out_at + latency(w) + call->fault_delay.us;
    if (strikes(w, FAULT_LATE))
        at = a->deadline + draw_between(w, NETWORK, 0, 4 * SECOND);
    else if (strikes(w, FAULT_SLOW))
        at += draw_between(w, NETWORK, 0, span);
    if (strikes(w, FAULT_BROKEN))
        end_call(w, a, SAGA_REACH_MAYBE, 14, a->out_at + draw_between(w, NETWORK, 0, span));
    struct delivery *d = delivery_new(w, a, true);
    d->answers = d->answers && call->fault != DRILL_DROP_ANSWER;
    agenda_add(w, at, deliver, d);
}

/* A timeout as gRPC writes it: in whole milliseconds, and no more than three digits of them, rounded up. */
static int64_t on_wire(int64_t timeout)
{
    int64_t unit = MS;
    while (timeout > 1000 * unit)
        unit *= 10;
    return (timeout + unit - 1) / unit * unit;
}

void network_call(struct world *w, const struct call_effect *call, int64_t out_at)
{
    struct attempt *a = world_take(w, sizeof *a);
    *a = (struct attempt){
        .saga = call->saga,
        .step = call->step,
        .number = call->attempt,
        .target = call->target,
        .phase = call->phase,
        .generation = call->generation,
        .action_done = call->action_state == SAGA_ACTION_DONE,
        .incarnation = w->sidecar.incarnation,
        .out_at = out_at,
        .timeout = call->timeout.us,
        .deadline = out_at + call->timeout.us,
        .runs_until =
            out_at + on_wire(call->timeout.us) + (w->script != NULL ? MS : draw_between(w, NETWORK, 0, 200 * MS)),
    };
    a->request = (uint8_t *)world_copy(w, call->request.at, call->request.size);
    a->request_size = call->request.size;
    struct call_metadata metadata;
    call_metadata_init(&metadata, call);
    snprintf(a->key, sizeof a->key, "%s", metadata.key);
    if (call->phase == SAGA_PHASE_COMPENSATION)
        snprintf(a->action_key, sizeof a->action_key, "%s", metadata.action_key);
    a->action_started = strtoll(metadata.action_started, NULL, 10) * MS;
    trace(w, "call", call->saga.serial, call->step * 10 + call->phase, call->attempt, call->timeout.us);
    trace_bytes(w, a->key, strlen(a->key));
    trace_bytes(w, a->request, a->request_size);
    w->totals->calls++;
    oracle_call(w, call, a);
    w->sidecar.calls_out[a->target]++;
    let_leave(w, a, call);
}

/* ---- clients ---- */

static void request_arrives(struct world *w, void *arg)
{
    struct incoming in = {.request = arg};
    sidecar_take(w, &in);
}

void network_request(struct world *w, struct request *r)
{
    if (strikes(w, FAULT_CLIENT_LOST))
        return;
    agenda_add(w, w->now + latency(w), request_arrives, r);
    if (strikes(w, FAULT_CLIENT_DUPLICATE))
        agenda_add(w, w->now + draw_between(w, NETWORK, MS, 4 * SECOND), request_arrives, r);
}

struct letter {
    struct request *request;
    struct reply_effect reply;
};

static void reply_arrives(struct world *w, void *arg)
{
    struct letter *l = arg;
    client_answered(w, l->request, &l->reply);
}

void network_reply(struct world *w, const struct reply_effect *reply, int64_t out_at)
{
    CHECK(reply->token <= w->request_count);
    if (strikes(w, FAULT_CLIENT_LOST))
        return;
    struct letter *l = world_take(w, sizeof *l);
    l->request = w->requests[reply->token - 1];
    l->reply = *reply;
    agenda_add(w, out_at + latency(w), reply_arrives, l);
}
