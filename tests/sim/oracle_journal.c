/* oracle_journal.c - the oracle's own reading of what became durable: what may follow what, and what must have been
 * true before. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/base/fnv.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>

static void expect(struct world *w, bool holds, const char *invariant, const char *what, const struct record *r)
{
    if (!holds)
        world_fail(w, EXIT_SAFETY, invariant, what, r->saga.serial);
}

struct model *oracle_model(struct world *w, struct saga_id id)
{
    if (id.serial == 0 || id.serial >= SERIAL_MAX || !w->models[id.serial].known ||
        !saga_id_equal(w->models[id.serial].id, id))
        world_fail(w, EXIT_SAFETY, "I5", "a saga is spoken of that the disk does not hold", id.serial);
    return &w->models[id.serial];
}

static bool ended(const struct model *m)
{
    return m->state == SAGA_COMMITTED || m->state == SAGA_COMPENSATED || m->state == SAGA_RESOLVED;
}

static unsigned number_at_end(struct bytes text)
{
    unsigned number = 0;
    size_t i = text.size;
    while (i > 0 && text.at[i - 1] >= '0' && text.at[i - 1] <= '9')
        i--;
    for (; i < text.size; i++)
        number = number * 10 + text.at[i] - '0';
    return number;
}

/* Whether a step changes the ledger: one that needs no undo and may be turned back from does not. */
static bool has_effect(const struct definition *d, unsigned step)
{
    if (!step_spec_asks(&d->steps[step]))
        return false;
    if (d->steps[step].has_compensation || d->pivot_step == (int)step)
        return true;
    bool forward =
        d->forward_only || (d->pivot_step >= 0 && step_set_has(&d->steps[step].ancestors, (unsigned)d->pivot_step));
    return forward && !step_spec_yields(&d->steps[step]);
}

static void on_started(struct world *w, const struct record *r)
{
    expect(w, r->saga.serial < SERIAL_MAX && !w->models[r->saga.serial].known, "I5", "a serial is used twice", r);
    expect(w, r->saga.serial == w->serial_max + 1, "I5", "serials have a gap", r);
    expect(w, disk_has_tag(w, r->saga.tag), "subject", "the journal does not tell that the tag of a saga's id is its",
           r);
    struct model *m = &w->models[r->saga.serial];
    w->serial_max = r->saga.serial;
    m->known = true;
    m->id = r->saga;
    m->mode = r->mode;
    m->state = SAGA_RUNNING;
    m->deadline = r->deadline.us;
    m->lease = r->lease.us;
    m->started_at = r->at.us;
    oracle_heard(m, r->at.us);
    struct bytes text = r->mode == SAGA_ORCHESTRATED ? r->input : r->name;
    m->client = &w->clients[number_at_end(text)];
    const struct definition *d = r->mode == SAGA_ORCHESTRATED ? w->definitions[r->definition - 1] : NULL;
    expect(w, bytes_equal(text, typed_payload(w, d, bytes_of_text(m->client->input))), "I1",
           "a saga's input is not what its client sent", r);
    expect(w, r->synthetic == m->client->synthetic, "cause", "a saga is a heartbeat that was not asked for as one", r);
    expect(w, typed_has_tags(w, d, m->client, r->tags), "cause", "a saga has other tags than its definition says", r);
    expect(w, !typed_refuses(w, m->client), "cause", "a saga started that its definition does not allow", r);
    snprintf(m->request_id, sizeof m->request_id, "%.*s", (int)r->request_id.size, (const char *)r->request_id.at);
    for (uint64_t s = 1; m->request_id[0] != '\0' && s < r->saga.serial; s++)
        expect(w,
               w->models[s].dropped || strcmp(w->models[s].request_id, m->request_id) != 0 ||
                   strcmp(w->models[s].client->identity, m->client->identity) != 0,
               "I5", "one request_id started two sagas of one service", r);
    expect(w, bytes_equal(r->identity, bytes_of_text(m->client->identity)), "audit",
           "a record does not say who began the saga", r);
    if (r->mode != SAGA_ORCHESTRATED)
        return;
    m->definition = d;
    m->fair_key = d->fair_by == NULL                ? d->number - 1
                  : strcmp(d->fair_by, "kind") == 0 ? DEFINITIONS_MAX
                                                    : DEFINITIONS_MAX + 1 + m->client->index;
    m->priority = m->client->priority != 0 ? m->client->priority : d->priority != 0 ? d->priority : PRIORITY_NORMAL;
    oracle_limits(w, m, r);
    expect(w, r->priority == m->client->priority, "cause", "a saga has another priority than was asked for", r);
    holds_start_seen(w, m);
    for (unsigned i = 0, counted = 0; i < d->step_count; i++) {
        const struct step_spec *spec = &d->steps[i];
        unsigned count = typed_instances(w, d, m->client, i);
        if (spec->loop) {
            expect(w, 2 * counted + 1 < r->counts.size && r->counts.at[2 * counted] == count, "cause",
                   "a loop has another number of instances than its list has items", r);
            counted++;
        }
        for (unsigned j = 0; j < count; j++) {
            struct model_step *s = &m->steps[m->step_count++];
            *s = (struct model_step){.action = SAGA_ACTION_PENDING,
                                     .compensation = SAGA_COMPENSATION_NONE,
                                     .spec = i,
                                     .instance = j,
                                     .has_compensation = spec->has_compensation,
                                     .has_effect = has_effect(d, i),
                                     .amount = 1 + (int64_t)i,
                                     .target = typed_target(w, d, m->client, i)};
            if (spec->loop)
                snprintf(s->name, sizeof s->name, "%s[%u]", spec->name, j);
            else
                snprintf(s->name, sizeof s->name, "%s", spec->name);
        }
        if (spec->loop)
            mark(w, MARK_CASE, count == 0 ? CASE_EMPTY_LOOP : CASE_LOOP);
    }
}

const struct step_spec *oracle_spec(const struct model *m, unsigned step)
{
    return &m->definition->steps[m->steps[step].spec];
}

bool oracle_is_pivot(const struct model *m, unsigned step)
{
    return m->definition != NULL && m->definition->pivot_step == (int)m->steps[step].spec;
}

static void on_enlisted(struct world *w, struct model *m, const struct record *r)
{
    expect(w, m->mode == SAGA_ENLISTED && m->state == SAGA_RUNNING && m->step_count < SIM_STEPS_MAX, "states",
           "a step was enlisted where none can be", r);
    struct model_step *s = &m->steps[m->step_count++];
    *s = (struct model_step){.action = SAGA_ACTION_STARTED,
                             .compensation = SAGA_COMPENSATION_NONE,
                             .has_compensation = r->call.target != NULL,
                             .has_effect = r->call.target != NULL,
                             .order = ++m->order_last,
                             .amount = 1};
    s->target = (int)(m->client->index * 7 + (m->step_count - 1) * 3) % TARGET_COUNT;
    snprintf(s->name, sizeof s->name, "%.*s", (int)r->step_name.size, (const char *)r->step_name.at);
    for (unsigned i = 0; i + 1 < m->step_count; i++)
        expect(w, strcmp(m->steps[i].name, s->name) != 0, "I2", "a step was enlisted twice", r);
}

/* What a drill does to an attempt: some rule is about it, and its time is not over. */
static void on_struck(struct world *w, const struct model *m, struct model_step *s, const struct record *r)
{
    bool ruled = r->fault == DRILL_NONE;
    for (unsigned i = 0; i < w->sidecar.drill_count && !ruled; i++) {
        const struct drill_rule *rule = &w->sidecar.drill[i];
        const char *name = m->definition == NULL ? "" : m->definition->name;
        ruled = rule->kind == r->fault && r->at.us < rule->until.us &&
                (rule->target[0] == '\0' || rule->target[1] - '0' == s->target) &&
                (rule->definition[0] == '\0' || strcmp(rule->definition, name) == 0);
    }
    expect(w, ruled, "drill", "a drill strikes a call that none of its rules is about", r);
    s->fault = r->fault;
}

static void on_action_started(struct world *w, struct model *m, const struct record *r)
{
    on_struck(w, m, &m->steps[r->step], r);
    struct model_step *s = &m->steps[r->step];
    expect(w, m->state == SAGA_RUNNING && !m->paused, "states", "an action started in a saga that does not run", r);
    expect(w, s->action == SAGA_ACTION_PENDING || s->action == SAGA_ACTION_STARTED, "I2",
           "an action started anew that had ended", r);
    expect(w, s->action_attempt == 0, "I2", "an action has two attempts out", r);
    oracle_first_come(w, m, r);
    oracle_fair(w, m, r);
    oracle_undo_first(w, m, r);
    for (unsigned i = 0; i < m->step_count; i++)
        if (step_set_has(&oracle_spec(m, r->step)->ancestors, m->steps[i].spec))
            expect(w, oracle_over(m, i), "order", "a step started before one that it waits for", r);
    unsigned beside = 0;
    for (unsigned i = 0; i < m->step_count; i++)
        beside += i != r->step && m->steps[i].spec == s->spec && m->steps[i].action != SAGA_ACTION_PENDING &&
                  !oracle_over(m, i);
    expect(w, !oracle_spec(m, r->step)->loop || beside < oracle_spec(m, r->step)->max_parallel, "I10",
           "more instances of a loop are under way than may be", r);
    expect(w, !typed_skips(w, m, r->step), "cause", "a step started that its saga does not need", r);
    expect(w, m->answered || !oracle_spec(m, r->step)->deferred, "order",
           "a deferred step starts before all else is done", r);
    if (oracle_spec(m, r->step)->deferred)
        mark(w, MARK_CASE, CASE_DEFERRED);
    if (oracle_stood_in_for(m, r->step) >= 0) {
        expect(w, oracle_spec(m, r->step)->stand_in == STAND_IN_CALL && oracle_needed(m, r->step), "cause",
               "a fallback is called for a step that has not failed", r);
        mark(w, MARK_CASE, CASE_FALLBACK_CALLED);
    }
    if (s->action == SAGA_ACTION_PENDING)
        s->order = ++m->order_last;
    s->action = SAGA_ACTION_STARTED;
    s->action_attempt = r->attempt;
    s->decided_at = r->at.us;
}

/* Whether any attempt of the action may have been executed, as the world knows it. */
static bool maybe_executed(const struct model *m, unsigned step)
{
    if (m->mode == SAGA_ENLISTED)
        return m->steps[step].maybe_executed;
    for (const struct attempt *a = m->attempts; a != NULL; a = a->next)
        if (a->step == step && a->phase == SAGA_PHASE_ACTION && a->generation == m->steps[step].generation &&
            !a->excluded)
            return true;
    return false;
}

/* The attempt of this number that was let out last, unless it does not count. */
struct attempt *oracle_attempt(const struct model *m, unsigned step, uint8_t phase, unsigned number)
{
    for (struct attempt *a = m->attempts; a != NULL; a = a->next)
        if (a->step == step && a->phase == phase && a->number == number)
            return a->uncounted ? NULL : a;
    return NULL;
}

bool oracle_past_pivot(const struct model *m)
{
    bool past = m->definition != NULL && m->definition->forward_only;
    for (unsigned i = 0; i < m->step_count; i++)
        past = past || (oracle_is_pivot(m, i) &&
                        (m->steps[i].action == SAGA_ACTION_DONE || m->steps[i].action == SAGA_ACTION_SKIPPED));
    return past;
}

bool oracle_undone_early(const struct model *m, unsigned step)
{
    return m->state == SAGA_RUNNING && m->definition != NULL && step_spec_yields(oracle_spec(m, step)) &&
           m->steps[step].action == SAGA_ACTION_UNKNOWN;
}

bool oracle_over(const struct model *m, unsigned step)
{
    const struct model_step *s = &m->steps[step];
    if (s->action == SAGA_ACTION_DONE || s->action == SAGA_ACTION_SKIPPED)
        return true;
    if (m->definition == NULL || !step_spec_yields(oracle_spec(m, step)))
        return false;
    bool undone = s->compensation == SAGA_COMPENSATION_DONE || s->compensation == SAGA_COMPENSATION_SKIPPED;
    return s->action == SAGA_ACTION_REJECTED || (s->action == SAGA_ACTION_UNKNOWN && (undone || !s->has_compensation));
}

static int of_spec(const struct model *m, unsigned spec)
{
    for (unsigned i = 0; i < m->step_count; i++)
        if (m->steps[i].spec == spec)
            return (int)i;
    return -1;
}

int oracle_stood_in_for(const struct model *m, unsigned step)
{
    if (m->definition == NULL || oracle_spec(m, step)->stand_in == STAND_IN_NONE)
        return -1;
    return of_spec(m, m->steps[step].spec - 1);
}

int oracle_gives(const struct model *m, unsigned step)
{
    int at = (int)step;
    while (m->steps[at].action != SAGA_ACTION_DONE) {
        if (m->definition == NULL || !oracle_spec(m, (unsigned)at)->has_fallback)
            return -1;
        at = of_spec(m, m->steps[at].spec + 1);
    }
    return at;
}

bool oracle_needed(const struct model *m, unsigned step)
{
    const struct model_step *before = &m->steps[oracle_stood_in_for(m, step)];
    return before->action == SAGA_ACTION_REJECTED || before->action == SAGA_ACTION_UNKNOWN;
}

/* A step that stands in for another ends, and nobody was asked. */
static void on_stood_in(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    bool needed = oracle_needed(m, r->step), value = oracle_spec(m, r->step)->stand_in == STAND_IN_VALUE;
    bool memory = r->status == 8 && w->swarm.permille[FAULT_MEMORY] > 0;
    expect(w, m->state == SAGA_RUNNING && !m->paused, "states", "a fallback was decided in a saga that does not run",
           r);
    bool recall = oracle_spec(m, r->step)->stand_in == STAND_IN_LAST_GOOD;
    if (r->action_state == SAGA_ACTION_DONE && recall) {
        expect(w, needed, "cause", "a last good answer stands in for a step that has not failed", r);
        answers_recalled(w, m, r);
        s->answered_ok = true;
    } else if (r->action_state == SAGA_ACTION_DONE) {
        struct bytes text =
            bytes_of_text(oracle_spec(m, r->step)->action.source == REQUEST_INPUT ? m->client->input : "constant");
        expect(w, needed && value, "cause", "a value stands in for a step that has not failed", r);
        expect(w,
               m->definition->mapping == NULL ? bytes_equal(r->output, text)
                                              : typed_wants(w, m, r->step, false, r->output),
               "cause", "what stands in for an output is not what the definition says", r);
        s->answered_ok = true;
        mark(w, MARK_CASE, CASE_FALLBACK_VALUE);
    } else if (r->action_state == SAGA_ACTION_SKIPPED) {
        expect(w, !needed, "cause", "nothing stands in for a step that has failed", r);
        mark(w, MARK_CASE, CASE_FALLBACK_SPARED);
    } else {
        expect(w, needed && (memory || (recall ? answers_none(w, m, r) : typed_fails(w, m, r->step, false))), "cause",
               "what stands in for a step has failed without a reason", r);
        if (recall)
            mark(w, MARK_CASE, CASE_NONE_GOOD);
        m->unkeepable = m->unkeepable || !memory;
    }
    s->order = ++m->order_last;
    s->action = SAGA_ACTION_STARTED;
}

/* Nothing is left but deferred steps. */
static void on_answered(struct world *w, struct model *m, const struct record *r)
{
    bool left = false;
    expect(w, m->state == SAGA_RUNNING && !m->answered, "states", "a saga is answered twice, or does not run", r);
    for (unsigned i = 0; i < m->step_count; i++) {
        left = left || !oracle_over(m, i);
        expect(w, oracle_over(m, i) || oracle_spec(m, i)->deferred, "cause",
               "a saga is answered before what is not deferred is done", r);
    }
    expect(w, left && typed_has_output(w, m, r->output), "cause", "a saga is answered with another output than it has",
           r);
    m->answered = true;
    mark(w, MARK_CASE, CASE_ANSWERED);
}

/* What it went without, told from the models of its steps. */
static uint8_t lacks(const struct model *m)
{
    uint8_t all = 0;
    for (unsigned i = 0; i < m->step_count && m->definition != NULL; i++) {
        const struct step_spec *spec = oracle_spec(m, i);
        uint8_t action = m->steps[i].action;
        if (spec->stand_in != STAND_IN_NONE || action == SAGA_ACTION_DONE || action == SAGA_ACTION_SKIPPED)
            continue;
        unsigned last = i;
        while (oracle_spec(m, last)->has_fallback)
            last = (unsigned)of_spec(m, m->steps[last].spec + 1);
        int gives = oracle_gives(m, i);
        bool stale = gives >= 0 && oracle_spec(m, (unsigned)gives)->stand_in == STAND_IN_LAST_GOOD;
        all |= stale                                          ? LACK_STALE
               : gives >= 0                                   ? LACK_FALLBACK
               : m->steps[last].action == SAGA_ACTION_SKIPPED ? 0
                                                              : LACK_MISSING;
    }
    return all;
}

/* Whether the step keeps its saga from going on. */
static bool in_the_way(const struct model *m, const struct model_step *s)
{
    bool optional = m->definition != NULL && step_spec_yields(oracle_spec(m, (unsigned)(s - m->steps)));
    if (m->stuck_from == SAGA_COMPENSATING || optional)
        return s->compensation == SAGA_COMPENSATION_FAILED;
    bool decides = oracle_past_pivot(m) || oracle_is_pivot(m, (unsigned)(s - m->steps)) ||
                   m->stuck_step == (unsigned)(s - m->steps);
    return decides && (s->action == SAGA_ACTION_REJECTED || s->action == SAGA_ACTION_UNKNOWN);
}

/* A step that ends before anybody was asked: its condition, or its request, decided. */
static void on_not_asked(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    bool away = r->status == 8 || r->status == 14 || r->status == 4;
    bool asks = m->definition == NULL || step_spec_asks(oracle_spec(m, r->step));
    if (oracle_stood_in_for(m, r->step) >= 0 && !(away && asks)) {
        on_stood_in(w, m, r);
        return;
    }
    if (away) {
        if (r->status == 4)
            oracle_no_time(w, m, r);
        else
            oracle_turned_away(w, m, r);
        s->order = ++m->order_last;
        s->action = SAGA_ACTION_STARTED;
        return;
    }
    expect(w, m->state == SAGA_RUNNING && !m->paused, "states", "a step was decided in a saga that does not run", r);
    bool skips = typed_skips(w, m, r->step), fails = typed_fails(w, m, r->step, false);
    expect(w, skips ? r->action_state == SAGA_ACTION_SKIPPED : fails && r->action_state == SAGA_ACTION_REJECTED,
           "cause", "a step ended that nobody was asked for, without a reason", r);
    mark(w, MARK_CASE, skips ? CASE_NOT_NEEDED : CASE_NOT_COMPUTED);
    m->unkeepable = m->unkeepable || !skips; /* it fails whenever it is tried */
    s->order = ++m->order_last;
    s->action = SAGA_ACTION_STARTED; /* and ends at once */
}

static void on_action_ended(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    if (s->action == SAGA_ACTION_PENDING)
        on_not_asked(w, m, r);
    expect(w, s->action == SAGA_ACTION_STARTED, "I2", "an outcome was recorded twice", r);
    s->action = r->action_state;
    s->said_maybe |= r->action_state == SAGA_ACTION_UNKNOWN;
    s->action_attempt = 0;
    s->next_at = 0;
    if (r->action_state == SAGA_ACTION_DONE) {
        expect(w, s->answered_ok, "I6", "an action is called done that nobody said was done", r);
        expect(w, typed_expects(w, m, r->step) != EXPECTS_UNCLEAR, "cause",
               "an action is called done of whose answer nobody can tell what it means", r);
        if (m->state == SAGA_COMPENSATING)
            mark(w, MARK_CASE, CASE_LATE_ANSWER_DONE);
        answers_given(w, m, r);
    }
    if (r->action_state == SAGA_ACTION_UNKNOWN && m->definition != NULL && step_spec_yields(oracle_spec(m, r->step)))
        mark(w, MARK_CASE, CASE_PASSED_OVER_UNKNOWN);
    m->unkeepable = m->unkeepable || typed_expects(w, m, r->step) == EXPECTS_UNCLEAR; /* whenever it is tried */
    if (m->mode == SAGA_ENLISTED && r->action_state == SAGA_ACTION_UNKNOWN && r->attempt == 1)
        s->owner_until = r->at.us + m->client->may_run_for.us;
    if (r->action_state == SAGA_ACTION_REJECTED)
        expect(w, !maybe_executed(m, r->step), "I6", "an action is called rejected that may have been executed", r);
}

void oracle_heard(struct model *m, int64_t now)
{
    if (m->heard_count > 0 && m->heard[m->heard_count - 1] == now)
        return;
    if (m->heard_count == HEARD_MAX)
        memmove(m->heard, m->heard + 1, --m->heard_count * sizeof m->heard[0]);
    m->heard[m->heard_count++] = now;
}

void oracle_late(struct world *w, int64_t now)
{
    w->sidecar.late_at = now;
    mark(w, MARK_CASE, CASE_LATE_TURN);
    for (uint64_t serial = 1; serial <= w->serial_max; serial++)
        oracle_heard(&w->models[serial], now);
}

/* When its owner was heard of last before something was decided, which became known later. What was heard in the same turn may have come
 * after. */
static int64_t heard_before(const struct model *m, int64_t decided_at)
{
    unsigned i = m->heard_count;
    while (i > 1 && m->heard[i - 1] >= decided_at)
        i--;
    return i == 0 ? 0 : m->heard[i - 1];
}

/* Nothing happens without its cause. */
static void check_cause(struct world *w, const struct model *m, const struct record *r)
{
    const struct model_step *s = r->step < m->step_count ? &m->steps[r->step] : NULL;
    bool asked_cancel = (m->asked >> EVENT_CANCEL & 1) != 0, asked_abort = (m->asked >> EVENT_ABORT & 1) != 0;
    bool holds = false;
    switch (r->reason) {
    case REASON_ACTION_REJECTED:
    case REASON_UNREACHABLE:
    case REASON_ATTEMPTS_SPENT:
    case REASON_OVERLOADED:
    case REASON_UNAVAILABLE:
        holds = s != NULL && s->action == SAGA_ACTION_REJECTED;
        break;
    case REASON_ACTION_UNKNOWN:
        holds = s != NULL && s->action == SAGA_ACTION_UNKNOWN;
        break;
    case REASON_DEADLINE:
        holds = r->at.us >= m->deadline ||
                (s != NULL && (s->action == SAGA_ACTION_REJECTED || s->action == SAGA_ACTION_UNKNOWN));
        break;
    case REASON_LEASE:
        holds = m->mode == SAGA_ENLISTED && !m->paused && r->at.us >= heard_before(m, r->at.us) + m->lease &&
                r->at.us != w->sidecar.late_at;
        break;
    case REASON_CANCELLED:
        holds =
            asked_cancel && bytes_equal(r->message, bytes_of_text(r->actor.size > 0 ? "because" : "changed my mind"));
        break;
    case REASON_ABORTED:
        holds = asked_abort && m->mode == SAGA_ENLISTED;
        break;
    case REASON_COMPENSATION_FAILED:
        holds = s != NULL && s->compensation == SAGA_COMPENSATION_FAILED;
        break;
    case REASON_EXPRESSION_FAILED:
        holds = s != NULL && (r->type == RECORD_STUCK
                                  ? s->compensation == SAGA_COMPENSATION_FAILED && typed_fails(w, m, r->step, true)
                                  : s->action == SAGA_ACTION_REJECTED && typed_fails(w, m, r->step, false));
        break;
    case REASON_UNEXPECTED_ANSWER:
        holds = s != NULL && s->action == SAGA_ACTION_DONE && typed_expects(w, m, r->step) == EXPECTS_OTHER;
        break;
    case REASON_FORWARD_FAILED:
        holds = oracle_past_pivot(m) && s != NULL &&
                (s->action == SAGA_ACTION_REJECTED || s->action == SAGA_ACTION_UNKNOWN);
        break;
    case REASON_PIVOT_UNKNOWN:
        holds = s != NULL && oracle_is_pivot(m, r->step) && s->action == SAGA_ACTION_UNKNOWN && !s->has_compensation;
        break;
    default:
        break;
    }
    expect(w, holds, "cause", "a saga turned back, or is stuck, for a reason that is not there", r);
}

static void check_asked(struct world *w, struct model *m, const struct record *r)
{
    static const uint8_t events[RECORD_TYPE_COUNT] = {[RECORD_PAUSED] = EVENT_PAUSE,
                                                      [RECORD_RESUMED] = EVENT_RESUME,
                                                      [RECORD_RETRIED] = EVENT_RETRY,
                                                      [RECORD_SKIPPED] = EVENT_SKIP,
                                                      [RECORD_REJECTED] = EVENT_REJECT};
    uint8_t event = events[r->type];
    if (r->type == RECORD_ENDED && r->saga_state == SAGA_RESOLVED)
        event = EVENT_RESOLVE;
    if (event == 0 || bulk_did(w, m, r))
        return;
    expect(w, (m->asked >> event & 1) != 0, "cause", "an operator's act is recorded that nobody asked for", r);
    expect(w, bytes_equal(r->actor, bytes_of_text("operator")) && bytes_equal(r->message, bytes_of_text("because")),
           "cause", "an operator's act does not tell who and why", r);
}

static void on_turned_back(struct world *w, struct model *m, const struct record *r)
{
    expect(w, m->state == SAGA_RUNNING, "states", "a saga turned back that did not run", r);
    expect(w, !oracle_past_pivot(m), "I11", "a saga turned back after its pivot", r);
    check_cause(w, m, r);
    m->state = SAGA_COMPENSATING;
    m->reason = r->reason;
    mark(w, MARK_TURNED, r->reason);
    for (unsigned i = 0; i < m->step_count; i++)
        if (m->steps[i].action == SAGA_ACTION_PENDING && m->steps[i].said_maybe)
            m->steps[i].action = SAGA_ACTION_UNKNOWN; /* tried anew by a person, and not yet */
    /* A pivot that may have been executed and has no undo: only its own answer, or a person, may decide. */
    for (unsigned i = 0; i < m->step_count; i++)
        expect(w,
               !oracle_is_pivot(m, i) || m->steps[i].has_compensation || m->steps[i].action_attempt != 0 ||
                   !maybe_executed(m, i),
               "I11", "a saga turned back although its pivot may have been executed and has no undo", r);
}

static void on_ended(struct world *w, struct model *m, const struct record *r)
{
    uint8_t before = m->state;
    expect(w, r->saga_state == SAGA_COMMITTED ? typed_has_output(w, m, r->output) : r->output.size == 0, "cause",
           "a saga has another output than its definition computes", r);
    m->state = r->saga_state;
    m->paused = false;
    m->ended_at = r->at.us;
    slis_end_seen(w, m, r);
    mark(w, MARK_ENDED, r->saga_state);
    w->totals->sagas++;
    for (unsigned i = 0; i < m->step_count; i++) {
        const struct model_step *s = &m->steps[i];
        expect(w, s->action_attempt == 0 && s->compensation_attempt == 0, "I5", "a saga ended while a call was out", r);
        if (r->saga_state == SAGA_COMMITTED)
            expect(w, s->action != SAGA_ACTION_DONE || typed_expects(w, m, i) != EXPECTS_OTHER, "cause",
                   "a saga was committed although a step's answer is not what is expected", r);
        if (r->saga_state == SAGA_COMMITTED)
            expect(w, oracle_over(m, i) || (m->mode == SAGA_ENLISTED && s->action == SAGA_ACTION_REJECTED), "I5",
                   "a saga was committed with a step that is not done", r);
        if (r->saga_state == SAGA_COMPENSATED && s->has_compensation && maybe_executed(m, i))
            expect(w, s->compensation == SAGA_COMPENSATION_DONE || s->compensation == SAGA_COMPENSATION_SKIPPED, "I3",
                   "a saga is called compensated with a step that may have been executed and was not undone", r);
    }
    expect(w,
           (r->saga_state == SAGA_COMMITTED && before == SAGA_RUNNING) ||
               (r->saga_state == SAGA_COMPENSATED && before == SAGA_COMPENSATING) ||
               (r->saga_state == SAGA_RESOLVED && before == SAGA_STUCK),
           "I5", "a saga ended in a way that its state does not allow", r);
    expect(w, !(m->cancel_accepted || m->abort_accepted) || r->saga_state != SAGA_COMMITTED, "I5",
           "a saga was committed after its cancelling was accepted", r);
}

static void leave_stuck(struct model *m)
{
    for (unsigned i = 0; i < m->step_count; i++) {
        if (!in_the_way(m, &m->steps[i]))
            continue;
        if (!in_the_way(m, &m->steps[m->stuck_step]))
            m->stuck_step = i;
        return;
    }
    m->state = m->stuck_from;
    m->stuck_reason = REASON_NONE;
}

static void on_retried(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    if (m->state != SAGA_STUCK || !in_the_way(m, s)) {
        expect(w,
               s->action_attempt == 0 && s->compensation_attempt == 0 && s->next_at != 0 &&
                   (s->action == SAGA_ACTION_STARTED || s->compensation == SAGA_COMPENSATION_STARTED),
               "states", "a step was retried that neither is stuck nor waits", r);
        if (r->at.us < s->next_at)
            s->next_at = r->at.us;
        mark(w, MARK_CASE, CASE_BROUGHT_FORWARD);
        return;
    }
    if (s->compensation == SAGA_COMPENSATION_FAILED) {
        s->compensation = SAGA_COMPENSATION_OWED;
    } else {
        if (s->action == SAGA_ACTION_REJECTED) {
            s->generation++;
            mark(w, MARK_CASE, CASE_GENERATION);
        }
        s->action = SAGA_ACTION_PENDING;
    }
    leave_stuck(m);
}

static void on_rejected(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    expect(w, m->state == SAGA_STUCK && m->stuck_from == SAGA_RUNNING && s->action == SAGA_ACTION_UNKNOWN, "states",
           "a person decided on an outcome that was not waited for", r);
    s->action = SAGA_ACTION_REJECTED;
    s->said_maybe = false;
    for (struct attempt *a = m->attempts; a != NULL; a = a->next)
        a->excluded |= a->step == r->step && a->phase == SAGA_PHASE_ACTION; /* a person has looked */
    if (step_spec_yields(oracle_spec(m, r->step))) {
        s->compensation = SAGA_COMPENSATION_NONE;
        leave_stuck(m);
        return;
    }
    bool another = false; /* of which nothing was said */
    for (unsigned i = 0; i < m->step_count; i++)
        another |= oracle_is_pivot(m, i) && !m->steps[i].has_compensation && m->steps[i].action == SAGA_ACTION_UNKNOWN;
    expect(w, r->maybe_executed == another, "states",
           "what another pivot's outcome does to a rejection is not recorded", r);
    if (another || oracle_past_pivot(m))
        return;
    m->state = SAGA_COMPENSATING;
    m->reason = REASON_ACTION_REJECTED;
    m->stuck_reason = REASON_NONE;
}

static void on_skipped(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    bool stuck =
        m->state == SAGA_STUCK && (m->stuck_from == SAGA_RUNNING || s->compensation == SAGA_COMPENSATION_FAILED);
    bool early = m->definition != NULL && step_spec_yields(oracle_spec(m, r->step)) && s->action == SAGA_ACTION_UNKNOWN;
    bool back =
        early || m->state == SAGA_COMPENSATING || (m->state == SAGA_STUCK && m->stuck_from == SAGA_COMPENSATING);
    bool must = back ? s->has_compensation && s->compensation != SAGA_COMPENSATION_DONE : oracle_past_pivot(m);
    bool gone = w->sidecar.ever_gone[s->target];
    expect(w, stuck || (must && gone && s->action_attempt == 0 && s->compensation_attempt == 0), "states",
           "a step was skipped that neither makes a dead letter nor waits for a target that is not there", r);
    if (!stuck)
        mark(w, MARK_CASE, CASE_SPARED);
    if (s->order == 0)
        s->order = ++m->order_last;
    m->skipped = true;
    m->skips++;
    if (back)
        s->compensation = SAGA_COMPENSATION_SKIPPED;
    else
        s->action = SAGA_ACTION_SKIPPED;
    if (stuck)
        leave_stuck(m);
}

static void on_compensation(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    if (r->type == RECORD_COMPENSATION_STARTED) {
        bool beside = m->state == SAGA_STUCK && m->stuck_from == SAGA_COMPENSATING && m->definition != NULL &&
                      m->definition->order == ORDER_DEPENDENCY;
        bool early = oracle_undone_early(m, r->step);
        s->early = s->early || early;
        s->early_attempt = early;
        on_struck(w, m, s, r);
        if (early)
            mark(w, MARK_CASE, CASE_UNDONE_EARLY);
        expect(w, (m->state == SAGA_COMPENSATING || beside || early) && !m->paused, "states",
               "an undo started in a saga that is not turned back", r);
        if (beside)
            mark(w, MARK_CASE, CASE_UNDO_BESIDE_STUCK);
        expect(w, s->compensation_attempt == 0, "I2", "a compensation has two attempts out", r);
        expect(w,
               s->compensation == SAGA_COMPENSATION_NONE || s->compensation == SAGA_COMPENSATION_OWED ||
                   s->compensation == SAGA_COMPENSATION_STARTED,
               "I2", "a compensation started anew that had ended", r);
        if (oracle_stood_in_for(m, r->step) >= 0)
            mark(w, MARK_CASE, CASE_FALLBACK_UNDONE);
        s->compensation = SAGA_COMPENSATION_STARTED;
        s->compensation_attempt = r->attempt;
        s->decided_at = r->at.us;
        return;
    }
    bool not_asked = r->compensation_state == SAGA_COMPENSATION_FAILED && typed_fails(w, m, r->step, true);
    expect(w, s->compensation_attempt != 0 || not_asked, "I2", "a compensation ended that was not out", r);
    m->unkeepable = m->unkeepable || not_asked;
    s->compensation_attempt = 0;
    s->next_at = r->next_at.us;
    if (r->type == RECORD_COMPENSATION_ENDED)
        s->compensation = r->compensation_state;
}

/* The attempt never left, does not count, and another with its number may leave. */
static void on_unreached(struct world *w, struct model *m, const struct record *r)
{
    struct model_step *s = &m->steps[r->step];
    bool action = s->action_attempt != 0;
    struct attempt *a = oracle_attempt(m, r->step, action ? SAGA_PHASE_ACTION : SAGA_PHASE_COMPENSATION, r->attempt);
    expect(w, (action ? s->action_attempt : s->compensation_attempt) == r->attempt, "I2",
           "an attempt never left that was not out", r);
    bool shed = a != NULL && a->reach == SAGA_REACH_NOT_BEGUN;
    expect(w, a != NULL && (a->unreached || shed), "I6",
           "an attempt is said never to have left, or begun, that nobody said so of", r);
    if (shed) {
        oracle_shed(w, m, r, a);
        mark(w, MARK_CASE, CASE_SHED);
        if (s->shed_at == 0 || s->shed_in != w->sidecar.incarnation)
            s->shed_at = r->at.us;
        s->shed_in = w->sidecar.incarnation;
    }
    a->uncounted = true;
    s->action_attempt = s->compensation_attempt = 0;
    s->next_at = shed ? r->next_at.us : r->at.us;
}

/* An attempt counts: if it never left because its target could not be reached, it had been waited for. */
static void check_waited(struct world *w, struct model *m, const struct record *r, uint8_t phase)
{
    const struct attempt *a = oracle_attempt(m, r->step, phase, r->attempt);
    struct model_step *s = &m->steps[r->step];
    oracle_shed_enough(w, m, r, phase);
    s->shed_at = 0;
    bool out = (phase == SAGA_PHASE_ACTION ? s->action_attempt : s->compensation_attempt) == r->attempt;
    if (a == NULL || !a->unreached || a->incarnation != w->sidecar.incarnation || !out ||
        (phase == SAGA_PHASE_ACTION && m->reason != REASON_NONE))
        return;
    expect(w, phase == SAGA_PHASE_ACTION && !oracle_past_pivot(m), "waits",
           "an undo, or an action past the pivot, is given up a little for a target that is not there", r);
    expect(w, r->at.us - a->down_since >= w->swarm.target_wait, "waits",
           "an attempt counts that never left, and whose target was not waited for", r);
    if (w->swarm.target_wait > 0)
        mark(w, MARK_CASE, CASE_WAITED_ENOUGH);
}

/* A record without its place. */
static uint64_t content_hash(const struct record *r)
{
    static uint8_t bytes[8192];
    CHECK(codec_record_size_max(r) <= sizeof bytes);
    size_t size = codec_encode(r, 0, bytes);
    return fnv_add(FNV_START, bytes, size);
}

static void remember(struct world *w, struct model *m, const struct record *r)
{
    if (m->history_count == m->history_room) {
        size_t room = m->history_room == 0 ? 16 : m->history_room * 2;
        uint64_t *history = world_take(w, room * sizeof *history);
        if (m->history_count > 0)
            memcpy(history, m->history, m->history_count * sizeof *history);
        m->history = history;
        m->history_room = room;
    }
    m->history[m->history_count++] = content_hash(r);
}

/* A saga that lives long: its records so far are written anew, all of them and as they were. */
static void on_moved(struct world *w, const struct record *r)
{
    struct model *m = oracle_model(w, r->saga);
    expect(w, !ended(m) && r->copies == m->history_count, "I8", "a history is moved that is not whole", r);
    w->moving = m;
    w->copies = r->copies;
    w->copied = 0;
    m->first_frame = 0; /* nothing before this frame is needed for it */
    if (r->at.us > w->last_record_at)
        w->last_record_at = r->at.us;
    mark(w, MARK_CASE, CASE_MOVED);
}

static void on_copy(struct world *w, const struct record *r)
{
    expect(w, saga_id_equal(r->saga, w->moving->id) && content_hash(r) == w->moving->history[w->copied], "I8",
           "a moved history is not what it was", r);
    w->copied++;
    w->copies--;
}

static void take_record(struct world *w, const struct record *r)
{
    mark(w, MARK_RECORD, r->type);
    w->totals->records++;
    if (w->print)
        trace(w, "record", r->saga.serial, r->type, r->step == RECORD_NO_STEP ? -1 : r->step,
              r->type == RECORD_ENDED ? r->saga_state : r->action_state + r->compensation_state + r->reason);
    if (r->type == RECORD_STARTED) {
        on_started(w, r);
        return;
    }
    struct model *m = oracle_model(w, r->saga);
    expect(w, !ended(m), "I5", "a saga goes on after its end", r);
    expect(w, r->step == RECORD_NO_STEP || r->step < m->step_count || r->type == RECORD_ENLISTED, "states",
           "a record names a step that is not there", r);
    check_asked(w, m, r);
    switch (r->type) {
    case RECORD_ENLISTED:
        on_enlisted(w, m, r);
        break;
    case RECORD_ACTION_STARTED:
        on_action_started(w, m, r);
        break;
    case RECORD_UNREACHED:
        on_unreached(w, m, r);
        break;
    case RECORD_ACTION_FAILED:
        check_waited(w, m, r, SAGA_PHASE_ACTION);
        oracle_failed(w, m, r, SAGA_PHASE_ACTION);
        oracle_not_waited_for(w, m, r);
        expect(w, m->steps[r->step].action_attempt == r->attempt, "I2", "an attempt failed that was not out", r);
        m->steps[r->step].said_maybe |= r->maybe_executed;
        m->steps[r->step].action_attempt = 0;
        m->steps[r->step].next_at = r->next_at.us;
        break;
    case RECORD_ACTION_ENDED:
        check_waited(w, m, r, SAGA_PHASE_ACTION);
        if (m->definition != NULL && r->action_state != SAGA_ACTION_DONE)
            oracle_given_up(w, m, r);
        oracle_not_waited_for(w, m, r);
        on_action_ended(w, m, r);
        break;
    case RECORD_ANSWERED:
        on_answered(w, m, r);
        break;
    case RECORD_TURNED_BACK:
        on_turned_back(w, m, r);
        break;
    case RECORD_COMPENSATION_FAILED:
    case RECORD_COMPENSATION_ENDED:
        check_waited(w, m, r, SAGA_PHASE_COMPENSATION);
        if (r->type == RECORD_COMPENSATION_FAILED)
            oracle_failed(w, m, r, SAGA_PHASE_COMPENSATION);
        else
            oracle_undo_given_up(w, m, r);
        on_compensation(w, m, r);
        break;
    case RECORD_COMPENSATION_STARTED:
        on_compensation(w, m, r);
        break;
    case RECORD_STUCK:
        expect(w, m->state == SAGA_RUNNING || m->state == SAGA_COMPENSATING, "states", "stuck twice", r);
        check_cause(w, m, r);
        m->stuck_from = m->state;
        m->state = SAGA_STUCK;
        m->stuck_reason = r->reason;
        m->stuck_step = r->step;
        mark(w, MARK_STUCK, r->reason);
        break;
    case RECORD_ENDED:
        on_ended(w, m, r);
        break;
    case RECORD_PAUSED:
    case RECORD_RESUMED:
        m->paused = r->type == RECORD_PAUSED;
        break;
    case RECORD_RETRIED:
        on_retried(w, m, r);
        break;
    case RECORD_REJECTED:
        on_rejected(w, m, r);
        break;
    case RECORD_SKIPPED:
        on_skipped(w, m, r);
        break;
    default:
        expect(w, false, "states", "a record of no known type", r);
    }
}

/* Feeds the shadow: an engine that knows nothing but what is on the disk. */
static void feed_shadow(struct world *w, const struct record *r)
{
    struct error_detail detail;
    const struct definition *d = r->definition == 0 ? NULL : w->definitions[r->definition - 1];
    if (engine_replay(w->shadow, r, d, &detail) != 0)
        world_fail(w, EXIT_SAFETY, "I8", detail.text, r->saga.serial);
    if (r->type == RECORD_ENDED)
        engine_release(w->shadow, r->saga.serial);
}

/* The chain along which a timeline is read: each record tells the frame of the one before. */
static void check_place(struct world *w, uint64_t frame, uint64_t previous, const struct record *r)
{
    struct model *m = oracle_model(w, r->saga);
    expect(w, previous == m->last_frame, "timeline", "a record does not tell the frame of the one before it", r);
    m->last_frame = frame;
    if (m->first_frame == 0)
        m->first_frame = frame;
    m->seen |= 1u << r->type;
}

/* What recovery, and the retention, may leave out: nothing that a live saga needs. */
void oracle_kept_from(struct world *w, uint64_t frame)
{
    for (uint64_t serial = 1; serial <= w->serial_max; serial++)
        if (!ended(&w->models[serial]) && w->models[serial].first_frame < frame)
            world_fail(w, EXIT_SAFETY, "I8", "a live saga's first frame would be left out", serial);
}

/* A row of a saga that has ended, as people will find it. */
void oracle_ended_row(struct world *w, const struct ended_row *row)
{
    const struct model *m = oracle_model(w, row->saga);
    if (row->state != m->state || row->mode != m->mode || row->first_frame != m->first_frame ||
        row->last_frame != m->last_frame || row->skips != m->skips || row->synthetic != m->client->synthetic ||
        row->lacks != (m->state == SAGA_COMMITTED ? lacks(m) : 0) || row->ended_at.us != m->ended_at ||
        !bytes_equal(row->request_id, bytes_of_text(m->request_id)))
        world_fail(w, EXIT_SAFETY, "I8", "a saga's row is not what its records tell", row->saga.serial);
    if (row->lacks != 0)
        mark(w, MARK_CASE, CASE_LACKS);
}

void oracle_frame(struct world *w, uint64_t frame, struct bytes records, int64_t at)
{
    (void)at;
    while (records.size > 0) {
        struct record r;
        uint64_t previous;
        struct error_detail detail;
        if (codec_decode(&records, &r, &previous, &detail) != 0)
            world_fail(w, EXIT_SAFETY, "I8", "a record on the disk cannot be read", frame);
        if (r.at.us > w->last_record_at)
            w->last_record_at = r.at.us;
        if (r.type == RECORD_MOVED) {
            mark(w, MARK_RECORD, r.type);
            on_moved(w, &r);
        } else if (w->copies > 0) {
            on_copy(w, &r);
        } else {
            take_record(w, &r);
            remember(w, oracle_model(w, r.saga), &r);
            oracle_ready(w, oracle_model(w, r.saga), r.at.us);
            if (r.type == RECORD_ACTION_STARTED || r.type == RECORD_COMPENSATION_STARTED)
                oracle_model(w, r.saga)->steps[r.step].decided_in = frame;
        }
        check_place(w, frame, previous, &r);
        feed_shadow(w, &r);
    }
    if (w->copies > 0)
        world_fail(w, EXIT_SAFETY, "I8", "a moved history is not all in one frame", w->moving->id.serial);
}
