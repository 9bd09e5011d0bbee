/* nonsense.c - requests that no sound client sends: out of every bound, about sagas that are not there, or of the wrong
 * kind. Each must be refused, and change nothing. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"

enum nonsense {
    LONG_REQUEST_ID = 1,
    LONG_TRACEPARENT,
    NEGATIVE_DEADLINE,
    LONG_DEADLINE,
    REUSED_REQUEST_ID,
    LONG_INPUT,
    BAD_NAME,
    NEGATIVE_LEASE,
    BAD_STEP_NAME,
    UNKNOWN_TARGET,
    BAD_METHOD,
    LONG_CONSTANT,
    NEGATIVE_TIMEOUT,
    BAD_RETRY,
    STEP_TWICE,
    TOO_MANY_STEPS,
    WRONG_TAG,
    NOT_ENLISTED,
    UNKNOWN_STEP,
    BAD_OUTCOME,
    SETTLED_OTHERWISE,
    LONG_OUTPUT,
    NO_ACTOR,
    NO_REASON,
    LONG_REASON,
    LONG_REASON_TO_ABORT,
    RETRY_OF_UNKNOWN_STEP,
    NONSENSE_COUNT
};

static const char filler[PAYLOAD_MAX + 1] = {0};

static struct bytes too_long(size_t size)
{
    CHECK(size < sizeof filler);
    return bytes_of(filler, size + 1);
}

static void bad_enlistment(enum nonsense which, struct enlistment *e)
{
    *e = (struct enlistment){.step = bytes_of_text("n0"),
                             .has_compensation = true,
                             .compensation = {.target = "t0", .method = "/sim.Participant/Undo"}};
    if (which == BAD_STEP_NAME)
        e->step = bytes_of_text("a name");
    else if (which == UNKNOWN_TARGET)
        e->compensation.target = "nobody";
    else if (which == BAD_METHOD)
        e->compensation.method = "Undo";
    else if (which == LONG_CONSTANT)
        e->compensation.constant = too_long(PAYLOAD_MAX);
    else if (which == NEGATIVE_TIMEOUT)
        e->compensation.timeout.us = -1;
    else if (which == BAD_RETRY)
        e->compensation.retry = (struct retry_policy){.max_attempts = 1, .backoff_multiplier_permille = 999};
}

static void begin(struct world *w, enum nonsense which, struct event *event)
{
    static const char *const names[] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"};
    struct enlistment *e = world_take(w, (SIM_STEPS_MAX + 1) * sizeof *e);
    event->type = EVENT_BEGIN;
    event->name = bytes_of_text(which == BAD_NAME ? "a name" : "name");
    event->enlist = e;
    if (which == NEGATIVE_LEASE) {
        event->lease.us = -1;
    } else if (which == TOO_MANY_STEPS) {
        event->enlist_count = SIM_STEPS_MAX + 1;
        for (unsigned i = 0; i <= SIM_STEPS_MAX; i++)
            e[i].step = bytes_of_text(names[i]);
    } else if (which != BAD_NAME) {
        event->enlist_count = which == STEP_TWICE ? 2 : 1;
        bad_enlistment(which, &e[0]);
        e[1].step = e[0].step;
    }
}

static void settle(struct world *w, enum nonsense which, struct event *event)
{
    struct settlement *s = world_take(w, sizeof *s);
    event->type = EVENT_ENLIST;
    event->settle = s;
    event->settle_count = 1;
    *s = (struct settlement){.step = bytes_of_text(which == UNKNOWN_STEP ? "nobody" : "e0"),
                             .action_state = which == BAD_OUTCOME         ? SAGA_ACTION_SKIPPED
                                             : which == SETTLED_OTHERWISE ? SAGA_ACTION_REJECTED
                                                                          : SAGA_ACTION_DONE};
    if (which == LONG_OUTPUT)
        s->output = too_long(PAYLOAD_MAX);
}

static void start(struct world *w, enum nonsense which, struct event *event)
{
    event->type = EVENT_START;
    event->definition = catalog_by_number(w->sidecar.catalog, 1);
    if (which == REUSED_REQUEST_ID) {
        const struct model *m = &w->models[event->saga.serial];
        event->request_id = bytes_of_text(m->request_id);
        event->identity = bytes_of_text(m->client->identity);
    } else if (which == LONG_REQUEST_ID)
        event->request_id = too_long(REQUEST_ID_BYTES_MAX);
    else if (which == LONG_TRACEPARENT)
        event->traceparent = too_long(TRACEPARENT_BYTES_MAX);
    else if (which == NEGATIVE_DEADLINE)
        event->deadline.us = -1;
    else if (which == LONG_DEADLINE)
        event->deadline = SPAN_S(3601);
    else
        event->input = too_long(PAYLOAD_MAX);
}

void nonsense_event(struct world *w, const struct request *r, struct event *event)
{
    enum nonsense which = (enum nonsense)r->nonsense;
    event->token = r->token;
    event->saga = r->saga;
    event->actor = bytes_of_text(which == NO_ACTOR ? "" : "operator");
    event->reason = bytes_of_text(which == NO_REASON ? "" : "because");
    if (which == LONG_REASON || which == LONG_REASON_TO_ABORT)
        event->reason = too_long(MESSAGE_BYTES_MAX);
    if (which == RETRY_OF_UNKNOWN_STEP)
        event->step = bytes_of_text("nobody");
    if (which <= LONG_INPUT) {
        start(w, which, event);
    } else if (which <= TOO_MANY_STEPS) {
        begin(w, which, event);
    } else if (which == WRONG_TAG) {
        event->type = EVENT_CANCEL;
        event->saga.tag++;
    } else if (which == NOT_ENLISTED) {
        event->type = EVENT_ENLIST;
    } else if (which <= LONG_OUTPUT) {
        settle(w, which, event);
    } else {
        event->type = which == NO_ACTOR                ? EVENT_PAUSE
                      : which == NO_REASON             ? EVENT_RESOLVE
                      : which == LONG_REASON_TO_ABORT  ? EVENT_ABORT
                      : which == RETRY_OF_UNKNOWN_STEP ? EVENT_RETRY
                                                       : EVENT_CANCEL;
    }
}

/* A request of the kind for a saga that it is nonsense for, or NULL. */
static struct request *make(struct world *w, unsigned which)
{
    struct request *r = request_new(w, NULL, EVENT_CANCEL);
    const struct model *m = &w->models[1 + draw(w, CLIENTS, w->serial_max)];
    r->saga = m->id;
    r->nonsense = (uint8_t)which;
    /* A request_id that was forgotten may be used again. */
    if (which == REUSED_REQUEST_ID && (m->request_id[0] == '\0' || w->swarm.retention < 3600 * SECOND))
        return NULL;
    if (which == SETTLED_OTHERWISE && (m->mode != SAGA_ENLISTED || m->steps[0].action != SAGA_ACTION_DONE))
        return NULL;
    if (which == NOT_ENLISTED && m->mode != SAGA_ORCHESTRATED)
        return NULL;
    if ((which == BAD_OUTCOME || which == LONG_OUTPUT) && (m->mode != SAGA_ENLISTED || m->step_count == 0))
        return NULL;
    return r;
}

static void talk(struct world *w, void *arg)
{
    (void)arg;
    if (w->healed)
        return;
    agenda_add(w, w->now + draw_between(w, CLIENTS, 10 * MS, SECOND), talk, NULL);
    if (w->serial_max == 0 || !strikes(w, FAULT_NONSENSE))
        return;
    struct request *r = make(w, 1 + (unsigned)draw(w, CLIENTS, NONSENSE_COUNT - 1));
    if (r != NULL)
        request_send(w, r);
}

void nonsense_start(struct world *w)
{
    agenda_add(w, draw_between(w, CLIENTS, 0, SECOND), talk, NULL);
}
