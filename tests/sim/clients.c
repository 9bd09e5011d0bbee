/* clients.c - services that start sagas, and services that run their own steps and enlist them. They lose replies,
 * repeat themselves, are slow, and die. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

static void enlisted_goes_on(struct world *w, struct client *c);

struct request *request_new(struct world *w, struct client *c, uint8_t type)
{
    struct request *r = world_take(w, sizeof *r);
    r->client = c;
    r->type = type;
    if (c != NULL)
        r->saga = c->saga;
    return r;
}

static void send_again(struct world *w, void *arg);

void request_send(struct world *w, struct request *r)
{
    if (w->request_count == w->request_room) {
        w->request_room = w->request_room == 0 ? 256 : w->request_room * 2;
        w->requests = realloc(w->requests, w->request_room * sizeof(struct request *));
        CHECK(w->requests != NULL);
    }
    r->sent_at = w->now;
    w->requests[w->request_count++] = r;
    r->token = w->request_count;
    network_request(w, r);
}

/* Every transmission has a token of its own, so that its reply tells when it was sent. */
static void transmit(struct world *w, const struct request *r)
{
    struct request *copy = world_take(w, sizeof *copy);
    *copy = *r;
    request_send(w, copy);
}

/* Sends a request of a client's own course, and repeats it until it is answered. */
static void send(struct world *w, struct client *c, struct request *r)
{
    c->current = r;
    c->tries = 0;
    send_again(w, r);
}

static void send_again(struct world *w, void *arg)
{
    struct request *r = arg;
    struct client *c = r->client;
    if (c->over || c->dead || c->current != r)
        return;
    if (c->tries > 0 && ((r->type == EVENT_START || r->type == EVENT_BEGIN) && !c->has_request_id)) {
        c->over = true; /* nobody can tell whether it was started, and repeating it might start a second one */
        return;
    }
    c->tries++;
    transmit(w, r);
    agenda_add(w, w->now + draw_between(w, CLIENTS, 300 * MS, 2 * SECOND), send_again, r);
}

/* ---- requests as events ---- */

void client_event(struct world *w, const struct request *r, struct event *event)
{
    const struct client *c = r->client;
    event->identity = bytes_of_text(c == NULL ? "operator" : c->identity);
    event->scoped = w->swarm.scoped;
    if (r->nonsense != 0) {
        nonsense_event(w, r, event);
        return;
    }
    event->type = r->type;
    event->token = r->token;
    event->saga = r->saga;
    event->actor = bytes_of_text(r->actor);
    event->reason = bytes_of_text(r->reason);
    event->step = bytes_of_text(r->step);
    event->name = bytes_of_text(r->type == EVENT_BREAKER ? r->step : "");
    event->breaker_act = r->breaker_act;
    event->settle = &r->settle;
    event->settle_count = r->settle_count;
    event->enlist = &r->enlist;
    event->enlist_count = r->enlist_count;
    if (c == NULL || (r->type != EVENT_START && r->type != EVENT_BEGIN))
        return;
    event->request_id = bytes_of_text(c->has_request_id ? c->request_id : "");
    event->deadline = c->deadline;
    if (r->type == EVENT_START) {
        event->priority = c->priority;
        event->synthetic = c->synthetic;
        event->definition = catalog_by_number(w->sidecar.catalog, c->definition);
        event->input = typed_payload(w, w->definitions[c->definition - 1], bytes_of_text(c->input));
    } else {
        event->name = bytes_of_text(c->input);
        event->lease = c->lease;
    }
}

static const char *step_name(unsigned step)
{
    static const char *const names[SIM_STEPS_MAX] = {"e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7"};
    return names[step];
}

/* What a client enlists for a step is always the same, so that a repeated enlistment is one. */
static unsigned step_target(const struct client *c, unsigned step)
{
    return (c->index * 7 + step * 3) % TARGET_COUNT;
}

static void add_enlistment(struct request *r, const struct client *c, unsigned step)
{
    static const char *const targets[TARGET_COUNT] = {"t0", "t1", "t2", "t3"};
    r->enlist = (struct enlistment){
        .step = bytes_of_text(step_name(step)),
        .has_compensation = (c->index + step) % 5 != 0,
        .compensation = {.target = targets[step_target(c, step)],
                         .method = "/sim.Participant/Undo",
                         .timeout = SPAN_MS(500),
                         .constant = bytes_of_text("constant")},
    };
    r->enlist_count = 1;
}

static void add_settlement(struct request *r, const struct client *c)
{
    if (c->outcome == 0)
        return;
    r->settle = (struct settlement){
        .step = bytes_of_text(step_name(c->step)),
        .action_state = c->outcome,
        .output = bytes_of_text(c->outcome == SAGA_ACTION_DONE ? "settled" : ""),
        .output_is_request = c->outcome == SAGA_ACTION_DONE && c->index % 3 == 0,
        .may_run_for = c->outcome == SAGA_ACTION_UNKNOWN ? c->may_run_for : (struct span){0},
    };
    r->settle_count = 1;
}

/* ---- the course of an enlisted saga ---- */

static void keep_alive(struct world *w, struct client *c)
{
    send(w, c, request_new(w, c, EVENT_KEEP_ALIVE));
}

static struct model *model_of(struct world *w, const struct client *c)
{
    return oracle_model(w, c->saga);
}

static void settle_or_go_on(struct world *w, struct client *c)
{
    struct request *r;
    bool last = c->step + 1 == c->steps;
    if (c->aborts || c->outcome == SAGA_ACTION_UNKNOWN) {
        r = request_new(w, c, EVENT_ABORT);
    } else if (last) {
        r = request_new(w, c, EVENT_COMMIT);
    } else {
        r = request_new(w, c, EVENT_ENLIST);
        if (chance(w, CLIENTS, 700))
            add_enlistment(r, c, c->step + 1);
    }
    /* Forgetting a settlement is answered with STEPS_OPEN, and the owner then settles. */
    if (!(r->type == EVENT_COMMIT && chance(w, CLIENTS, 100)))
        add_settlement(r, c);
    send(w, c, r);
}

/* The owner's own call of the step, as its participant sees it. */
static struct attempt own_attempt(const struct client *c)
{
    struct attempt own = {.phase = SAGA_PHASE_ACTION, .action_started = INT64_MAX}; /* its first, and only one */
    char id[SAGA_ID_TEXT_SIZE];
    saga_id_format(c->saga, id);
    snprintf(own.key, sizeof own.key, "%s/%s/action", id, step_name(c->step));
    return own;
}

/* What the owner did not wait for arrives. */
static void act_late(struct world *w, void *arg)
{
    struct client *c = arg;
    struct answer answer;
    struct attempt own = own_attempt(c);
    participant_take(w, step_target(c, c->step), &own, model_of(w, c), c->step, &answer);
    trace(w, "owner-acts-late", c->saga.serial, (int64_t)c->step, answer.status, 0);
}

static void act(struct world *w, void *arg)
{
    struct client *c = arg;
    if (c->dead || c->over)
        return;
    if (w->now >= c->lease_until) {
        keep_alive(w, c);
        return;
    }
    struct model *m = model_of(w, c);
    struct model_step *step = &m->steps[c->step];
    struct answer answer;
    struct attempt own = own_attempt(c);
    bool unsure = chance(w, CLIENTS, 60);
    c->may_run_for = (struct span){0};
    if (unsure && chance(w, CLIENTS, 500)) {
        c->may_run_for.us = draw_between(w, CLIENTS, 10 * MS, 2 * SECOND);
        agenda_add(w, w->now + draw_between(w, CLIENTS, 0, c->may_run_for.us), act_late, c);
    } else if (!unsure || chance(w, CLIENTS, 500)) {
        participant_take(w, step_target(c, c->step), &own, m, c->step, &answer);
        c->outcome = answer.status == 0 ? SAGA_ACTION_DONE : SAGA_ACTION_REJECTED;
    }
    if (unsure)
        c->outcome = SAGA_ACTION_UNKNOWN;
    step->owner_acting = false;
    step->answered_ok = c->outcome == SAGA_ACTION_DONE;
    step->maybe_executed = c->outcome != SAGA_ACTION_REJECTED;
    trace(w, "owner-acts", c->saga.serial, (int64_t)c->step, c->outcome, 0);
    if (strikes(w, FAULT_OWNER_DIES)) {
        c->dead = true;
        return;
    }
    settle_or_go_on(w, c);
}

static void enlisted_goes_on(struct world *w, struct client *c)
{
    struct model *m = model_of(w, c);
    if (c->outcome != 0) {
        settle_or_go_on(w, c);
        return;
    }
    if (c->step >= m->step_count) {
        struct request *r = request_new(w, c, EVENT_ENLIST);
        add_enlistment(r, c, c->step);
        send(w, c, r);
        return;
    }
    if (strikes(w, FAULT_OWNER_DIES)) {
        c->dead = true;
        return;
    }
    m->steps[c->step].owner_acting = true;
    m->steps[c->step].maybe_executed = true;
    int64_t takes = draw_between(w, CLIENTS, 0, 50 * MS);
    if (strikes(w, FAULT_OWNER_SLOW))
        takes = draw_between(w, CLIENTS, 0, 2 * c->lease.us);
    agenda_add(w, w->now + takes, act, c);
}

/* ---- answers ---- */

static void answered_ok(struct world *w, struct client *c, const struct request *sent)
{
    switch (sent->type) {
    case EVENT_START:
        c->over = true;
        return;
    case EVENT_COMMIT:
    case EVENT_ABORT:
        c->over = true;
        return;
    case EVENT_ENLIST:
        if (sent->settle_count > 0) {
            c->outcome = 0;
            c->step++;
        }
        break;
    default:
        break;
    }
    c->lease_until = sent->sent_at + c->lease.us;
    enlisted_goes_on(w, c);
}

static void cancel_later(struct world *w, void *arg)
{
    struct client *c = arg;
    struct request *r = request_new(w, c, EVENT_CANCEL);
    snprintf(r->reason, sizeof r->reason, "changed my mind");
    transmit(w, r);
}

static void saga_became_known(struct world *w, struct client *c, struct saga_id saga)
{
    c->saga_known = true;
    c->saga = saga;
    unsigned times = strikes(w, FAULT_CANCEL) ? 1 + (unsigned)draw(w, CLIENTS, 2) : 0;
    while (times-- > 0)
        agenda_add(w, w->now + draw_between(w, CLIENTS, 0, 3 * SECOND), cancel_later, c);
}

void client_answered(struct world *w, struct request *sent, const struct reply_effect *reply)
{
    struct client *c = sent->client;
    trace(w, "client-hears", reply->saga.serial, sent->type, reply->code, (int64_t)sent->token);
    if (c == NULL || c->over || c->dead || sent->type == EVENT_CANCEL)
        return;
    struct request *r = c->current;
    /* An answer to an earlier request of this client, or to one that was answered already. */
    if (r == NULL || r->type != sent->type || r->settle_count != sent->settle_count ||
        r->enlist_count != sent->enlist_count || (c->saga_known && !saga_id_equal(sent->saga, c->saga)) ||
        (r->settle_count > 0 && !bytes_equal(r->settle.step, sent->settle.step)) ||
        (r->enlist_count > 0 && !bytes_equal(r->enlist.step, sent->enlist.step)))
        return;
    switch (reply->code) {
    case 0:
        c->current = NULL;
        if (!c->saga_known)
            saga_became_known(w, c, reply->saga);
        answered_ok(w, c, sent);
        break;
    case E_MEMORY:
    case E_SAGA_PAUSED:
    case E_STOPPING:
    case E_JOURNAL_FULL:
    case E_JOURNAL_AWAY:
    case E_QUEUE:
    case E_LIVE_SAGAS:
    case E_DEFINITION_LIMIT:
    case E_BYTES:
    case E_HELD:
        c->over = c->tries > 30 && !w->healed; /* else it is sent again when its time has come */
        break;
    case E_STEPS_OPEN:
        c->current = NULL;
        settle_or_go_on(w, c);
        break;
    default:
        c->over = true;
        break;
    }
}

/* ---- beginning ---- */

static void begin(struct world *w, void *arg)
{
    struct client *c = arg;
    struct request *r = request_new(w, c, c->enlisted ? EVENT_BEGIN : EVENT_START);
    if (c->enlisted && chance(w, CLIENTS, 500))
        add_enlistment(r, c, 0);
    send(w, c, r);
}

static const struct span leases[] = {{.us = 1 * SECOND}, {.us = 2 * SECOND}, {.us = 5 * SECOND}};

/* What its definition's steps reserve at most: of a shorter deadline nothing would be left. */
static int64_t reserved(const struct world *w, const struct client *c)
{
    const struct definition *d = w->definitions[c->definition - 1];
    int64_t most = 0;
    for (unsigned i = 0; i < d->step_count && !c->enlisted; i++)
        most = d->steps[i].reserve.us > most ? d->steps[i].reserve.us : most;
    return most;
}

void clients_start(struct world *w)
{
    w->client_count = w->swarm.clients;
    for (unsigned i = 0; i < w->client_count; i++) {
        struct client *c = &w->clients[i];
        c->world = w;
        c->index = i;
        c->enlisted = chance(w, CLIENTS, w->swarm.enlisted_permille);
        c->synthetic = !c->enlisted && (w->seed + i) % 7 == 3;
        c->has_request_id = !chance(w, CLIENTS, 100) || w->script != NULL;
        c->definition = 1 + (uint32_t)draw(w, CLIENTS, w->definition_count);
        snprintf(c->request_id, sizeof c->request_id, "request-%u", w->swarm.scoped ? i / 2 : i);
        snprintf(c->identity, sizeof c->identity, "service-%u", w->swarm.scoped ? i % 2 : 0);
        snprintf(c->input, sizeof c->input, "in-%u", i);
        c->lease = leases[draw(w, CLIENTS, 3)];
        if (chance(w, CLIENTS, 300))
            c->deadline.us = reserved(w, c) + draw_between(w, CLIENTS, 100 * MS, 20 * SECOND);
        c->steps = 1 + (unsigned)draw(w, CLIENTS, 4);
        c->priority = chance(w, CLIENTS, 300) ? (uint8_t)(1 + draw(w, CLIENTS, PRIORITY_HIGH)) : PRIORITY_UNSAID;
        c->aborts = chance(w, CLIENTS, 150);
        agenda_add(w, draw_between(w, CLIENTS, 0, w->swarm.faults_last * 8 / 10), begin, c);
    }
}
