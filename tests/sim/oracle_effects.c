/* oracle_effects.c - what the core lets out, held against what is synced and against what the world knows. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

static void expect(struct world *w, bool holds, const char *invariant, const char *what, uint64_t saga)
{
    if (!holds)
        world_fail(w, EXIT_SAFETY, invariant, what, saga);
}

/* ---- calls ---- */

static bool depends(const struct model *m, unsigned later, unsigned earlier)
{
    return step_set_has(&oracle_spec(m, later)->ancestors, m->steps[earlier].spec);
}

static bool owes(const struct model_step *s)
{
    return s->has_compensation && (s->action == SAGA_ACTION_DONE || s->action == SAGA_ACTION_UNKNOWN);
}

static bool undone(const struct model_step *s)
{
    return s->compensation == SAGA_COMPENSATION_DONE || s->compensation == SAGA_COMPENSATION_SKIPPED;
}

static void check_order(struct world *w, const struct model *m, unsigned step)
{
    bool by_dependency = m->definition != NULL && m->definition->order == ORDER_DEPENDENCY;
    for (unsigned i = 0; i < m->step_count; i++) {
        const struct model_step *s = &m->steps[i];
        if (i == step || !owes(s) || (s->early && s->compensation_attempt == 0))
            continue;
        if (by_dependency) {
            expect(w, !depends(m, i, step) || undone(s), "I4", "a step is undone before one that depends on it",
                   m->id.serial);
            if (s->compensation_attempt != 0)
                mark(w, MARK_CASE, CASE_PARALLEL_UNDO);
        } else {
            expect(w, s->order < m->steps[step].order || undone(s), "I4",
                   "a step is undone before one that started later", m->id.serial);
            expect(w, s->compensation_attempt == 0, "I4", "two compensations are out at once", m->id.serial);
        }
    }
}

/* Whether the sidecar was told that the participant refuses late actions. */
static bool has_barrier(const struct world *w, const struct model *m, const struct attempt *a)
{
    uint8_t said = oracle_spec(m, a->step)->action.barrier;
    return said == BARRIER_UNSAID ? !w->sidecar.target_gone[a->target] && w->swarm.barrier[a->target]
                                  : said == BARRIER_THERE;
}

/* An attempt that a former life had out was not waited for: so that life's configuration, which may name no such target by now, said that the
 * participant refuses late actions. */
void oracle_not_waited_for(struct world *w, struct model *m, const struct record *r)
{
    struct attempt *a = oracle_attempt(m, r->step, SAGA_PHASE_ACTION, r->attempt);
    if (m->definition == NULL || a == NULL || a->ended || r->quiet_at.us != 0)
        return;
    uint8_t said = m->definition->steps[a->step].action.barrier;
    a->hasty = said == BARRIER_UNSAID ? w->swarm.barrier[a->target] : said == BARRIER_THERE;
}

/* No forward attempt, or none of the only step, can still be running at a participant, and no owner at its own step. */
static void check_quiet(struct world *w, const struct model *m, int64_t out_at, int only)
{
    for (const struct attempt *a = m->attempts; a != NULL; a = a->next) {
        if (only >= 0 && a->step != only)
            continue;
        if (a->phase != SAGA_PHASE_ACTION || a->answered || a->excluded)
            continue;
        if (a->hasty || (a->incarnation != w->sidecar.incarnation && has_barrier(w, m, a))) {
            if (!a->over)
                mark(w, MARK_CASE, CASE_BARRIER_HASTE);
            continue;
        }
        /* A clock that was set anew tells the sidecar nothing about deadlines of before. */
        expect(w, a->runs_until <= out_at || a->out_at <= w->last_jump, "I7",
               "a compensation leaves while an action may still be running", m->id.serial);
    }
    for (unsigned i = 0; i < m->step_count; i++)
        expect(w, m->steps[i].owner_until <= out_at + w->sidecar.offset, "I7",
               "a compensation leaves although the owner said that its action may still take effect", m->id.serial);
    const struct client *c = m->client;
    if (m->mode == SAGA_ENLISTED && !c->over && !c->dead && c->saga_known && saga_id_equal(c->saga, m->id) &&
        c->step < m->step_count && m->steps[c->step].owner_acting)
        expect(w, c->lease_until <= out_at || c->lease_until - c->lease.us <= w->last_jump, "I7",
               "a compensation leaves while the owner may still be acting", m->id.serial);
}

/* An attempt that the sidecar's own end took away makes no dead letter, so each of its lives may add one. */
static void check_undo_attempts(struct world *w, const struct model *m, const struct call_effect *call)
{
    unsigned most = m->definition == NULL ? sidecar_engine_options(w, 0).compensation_retry.max_attempts
                                          : oracle_spec(m, call->step)->compensation.retry.max_attempts;
    expect(w, call->attempt < most + w->sidecar.incarnation, "I10", "more attempts than the policy allows",
           m->id.serial);
}

static void check_compensation(struct world *w, const struct model *m, const struct call_effect *call,
                               const struct attempt *a)
{
    const struct model_step *s = &m->steps[call->step];
    bool early = s->early_attempt; /* decided while its saga went forward */
    expect(w, m->state == SAGA_COMPENSATING || m->state == SAGA_STUCK || early, "I1",
           "a compensation leaves a saga that is not turned back", m->id.serial);
    expect(w, s->compensation_attempt == call->attempt, "I1", "a compensation leaves before its record is durable",
           m->id.serial);
    expect(w, s->action == SAGA_ACTION_DONE || s->action == SAGA_ACTION_UNKNOWN, "I3",
           "a step is undone that was never done", m->id.serial);
    expect(w, a->action_done == (s->action == SAGA_ACTION_DONE), "wire", "the participant is told a wrong outcome",
           m->id.serial);
    for (unsigned i = 0; i < m->step_count; i++)
        expect(w, !oracle_is_pivot(m, i) || m->steps[i].action != SAGA_ACTION_DONE, "I11",
               "a compensation after the pivot", m->id.serial);
    check_undo_attempts(w, m, call);
    if (!s->early)
        check_order(w, m, call->step);
    check_quiet(w, m, a->out_at, early ? (int)call->step : -1);
}

static void check_action(struct world *w, const struct model *m, const struct call_effect *call)
{
    const struct model_step *s = &m->steps[call->step];
    expect(w, s->action_attempt == call->attempt, "I1", "an action leaves before its record is durable", m->id.serial);
    expect(w, s->action == SAGA_ACTION_STARTED, "I2", "an action is asked for whose outcome is recorded", m->id.serial);
    expect(w, s->generation == call->generation, "I2", "an action leaves under a wrong key", m->id.serial);
    expect(w, call->attempt <= oracle_spec(m, call->step)->action.retry.max_attempts, "I10",
           "more attempts than the policy allows", m->id.serial);
}

/* What a request must hold: by the definition, and by what the world has seen. */
static void check_request(struct world *w, const struct model *m, const struct call_effect *call)
{
    char wanted[KEY_SIZE + 8] = "constant";
    expect(w, typed_has_metadata(w, m, call->step, call->metadata), "wire",
           "a call carries other metadata than its definition computes", m->id.serial);
    if (m->definition != NULL && m->definition->mapping != NULL) {
        bool undo = call->phase == SAGA_PHASE_COMPENSATION;
        expect(w, typed_wants(w, m, call->step, undo, call->request), "wire",
               "a call carries another request than its definition computes", m->id.serial);
        expect(w, !typed_fails(w, m, call->step, undo), "wire", "a call leaves whose request cannot be computed",
               m->id.serial);
        return;
    }
    const struct model_step *own = &m->steps[call->step];
    if (m->definition != NULL) {
        const struct step_spec *spec = oracle_spec(m, call->step);
        const struct call_spec *declared = call->phase == SAGA_PHASE_ACTION ? &spec->action : &spec->compensation;
        int gives = declared->source == REQUEST_OUTPUT ? oracle_gives(m, declared->source_step) : -1;
        const struct model_step *from = declared->source != REQUEST_OUTPUT ? own
                                        : gives < 0                        ? &m->steps[declared->source_step]
                                                                           : &m->steps[gives];
        const struct step_spec *of = oracle_spec(m, (unsigned)(from - m->steps));
        char id[SAGA_ID_TEXT_SIZE], suffix[8] = "";
        saga_id_format(m->id, id);
        if (from->generation > 0)
            snprintf(suffix, sizeof suffix, "#%u", from->generation + 1u);
        if (declared->source == REQUEST_INPUT)
            snprintf(wanted, sizeof wanted, "%s", m->client->input);
        else if (declared->source == REQUEST_OUTPUT || declared->source == REQUEST_OWN_OUTPUT)
            snprintf(wanted, sizeof wanted, "out:%s/%s/action%s", id, from->name, suffix);
        if (declared->source == REQUEST_OUTPUT && !step_spec_asks(of))
            snprintf(wanted, sizeof wanted, "%s",
                     of->stand_in == STAND_IN_LAST_GOOD   ? from->recalled
                     : of->action.source == REQUEST_INPUT ? m->client->input
                                                          : "constant");
        if (declared->source > REQUEST_CONSTANT && from->action != SAGA_ACTION_DONE)
            wanted[0] = '\0';
    } else if (own->action == SAGA_ACTION_DONE && m->client->index % 3 == 0) {
        snprintf(wanted, sizeof wanted, "settled");
    }
    expect(w, bytes_equal(call->request, bytes_of_text(wanted)), "wire", "a call carries a request that is not its own",
           m->id.serial);
}

void oracle_call(struct world *w, const struct call_effect *call, struct attempt *a)
{
    struct model *m = oracle_model(w, call->saga);
    expect(w, call->step < m->step_count, "I1", "a call of a step that is not durable", m->id.serial);
    expect(w, m->steps[call->step].decided_in <= w->disk.told_frame && !w->sidecar.fenced, "I1",
           "a call leaves before the sidecar knows that its record is durable", m->id.serial);
    expect(w, w->now >= w->disk.unheld_until, "I1", "a call leaves while another may hold the journal", m->id.serial);
    expect(w, w->sidecar.calls_out[call->target] < w->swarm.bulkhead, "I10", "more calls out than a bulkhead holds",
           m->id.serial);
    expect(w, call->target == m->steps[call->step].target, "wire", "a call goes to another target than its step's",
           m->id.serial);
    expect(w, call->synthetic == m->client->synthetic, "wire",
           "a participant is told wrong whether a saga is a heartbeat", m->id.serial);
    oracle_timeout(w, m, call);
    expect(w, m->steps[call->step].next_at <= sidecar_now(w).us, "I10", "an attempt leaves before its backoff is over",
           m->id.serial);
    for (const struct attempt *other = m->attempts; other != NULL; other = other->next) {
        bool same = other->step == a->step && other->phase == a->phase && other->generation == a->generation;
        expect(w, !same || strcmp(other->key, a->key) == 0, "I2", "two attempts carry different keys", m->id.serial);
        expect(w, same || strcmp(other->key, a->key) != 0, "I2", "two different calls carry the same key",
               m->id.serial);
    }
    expect(w, call->fault == m->steps[call->step].fault, "drill",
           "a drill does to a call what its record does not tell", m->id.serial);
    if (call->phase == SAGA_PHASE_ACTION)
        check_action(w, m, call);
    else
        check_compensation(w, m, call, a);
    check_request(w, m, call);
    a->model = m;
    a->decided_at = m->steps[call->step].decided_at;
    a->next = m->attempts;
    m->attempts = a;
    oracle_breaker_call(w, a);
    oracle_rate_call(w, a);
}

/* What an attempt's end tells, seen from outside: the table of docs/concepts.md in other words. */
void oracle_answer(struct world *w, const struct incoming *in)
{
    static const unsigned refusals = 1u << 3 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 9 | 1u << 11 | 1u << 12 | 1u << 16;
    static const unsigned anybody = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 13 | 1u << 14;
    struct attempt *a = in->attempt;
    a->taken = true;
    a->taken_at = sidecar_now(w).us;
    a->unreached = in->unreached;
    a->status = in->status;
    a->reach = in->reach;
    a->has_pushback = in->has_pushback;
    a->pushback = in->pushback;
    w->sidecar.was_down[a->target] |= in->unreached;
    w->sidecar.ever_gone[a->target] |= in->unreached;
    if (in->unreached && w->sidecar.down_since[a->target] == 0)
        w->sidecar.down_since[a->target] = sidecar_now(w).us;
    else if (in->reach == SAGA_REACH_ANSWERED || in->reach == SAGA_REACH_NOT_BEGUN)
        w->sidecar.down_since[a->target] = 0;
    a->down_since = w->sidecar.down_since[a->target];
    if (a->number > 1 && oracle_went_well(w, a))
        w->sidecar.paid[a->target]++;
    a->hasty = a->phase == SAGA_PHASE_ACTION && has_barrier(w, a->model, a);
    bool named = in->status >= 0 && in->status <= 16;
    bool not_begun = in->said != NULL && strcmp(in->said, "not-begun") == 0;
    /* It came over the wire, and is nothing that anybody but the participant says; or the participant's own word is with it. */
    a->answered = in->said != NULL || (in->reach != SAGA_REACH_MAYBE && in->reach != SAGA_REACH_NONE && named &&
                                       (anybody >> in->status & 1) == 0);
    bool soft = a->phase == SAGA_PHASE_ACTION && typed_is_refusal(w, a->model, bytes_of(in->output, in->output_size));
    a->excluded = in->reach == SAGA_REACH_NONE || not_begun || (a->answered && in->status == 0 && soft) ||
                  (a->answered && in->status > 0 && named && (refusals >> in->status & 1) != 0);
    if (a->answered && !a->over)
        world_fail(w, EXIT_SAFETY, "I6", "the made-up network lets an answer come before its function has ended",
                   a->saga.serial);
    if (a->phase == SAGA_PHASE_ACTION && a->answered && in->status == 0 && !soft)
        a->model->steps[a->step].answered_ok = true;
}

static const struct model_step *step_named(const struct model *m, struct bytes name)
{
    for (unsigned i = 0; i < m->step_count; i++)
        if (bytes_equal(bytes_of_text(m->steps[i].name), name))
            return &m->steps[i];
    return NULL;
}

void oracle_request(struct world *w, const struct event *event)
{
    uint64_t serial = event->saga.serial;
    if (core_stalled(w->sidecar.core) != 0 || core_resuming(w->sidecar.core))
        return; /* it will be refused */
    if (serial == 0 || serial >= SERIAL_MAX || !w->models[serial].known ||
        !saga_id_equal(w->models[serial].id, event->saga))
        return;
    w->models[serial].asked |= 1u << event->type;
    if (event->enlist_count > 0) {
        const struct model_step *step = step_named(&w->models[serial], event->enlist[0].step);
        w->requests[event->token - 1]->of_refused = step != NULL && step->action == SAGA_ACTION_REJECTED;
    }
    if (event->type == EVENT_ENLIST || event->type == EVENT_COMMIT || event->type == EVENT_ABORT ||
        event->type == EVENT_KEEP_ALIVE)
        oracle_heard(&w->models[serial], event->now.us);
}

/* ---- replies ---- */

static void check_enlisting(struct world *w, const struct model *m, const struct request *r)
{
    if (r->enlist_count > 0)
        expect(w, step_named(m, r->enlist.step) != NULL, "I1", "an enlistment was acknowledged that is not durable",
               m->id.serial);
    if (r->settle_count == 0)
        return;
    const struct model_step *s = step_named(m, r->settle.step);
    expect(w, s != NULL && s->action == r->settle.action_state, "I1",
           "a settlement was acknowledged that is not durable", m->id.serial);
}

void oracle_reply(struct world *w, const struct reply_effect *reply)
{
    const struct request *r = w->requests[reply->token - 1];
    bool of_the_store = reply->code == E_JOURNAL_FULL || reply->code == E_JOURNAL_AWAY || reply->code == E_STOPPING;
    expect(w, of_the_store || (r->decided <= w->disk.told_frame && !w->sidecar.fenced), "I1",
           "an answer leaves before the sidecar knows that what it shows is durable", reply->saga.serial);
    expect(w, of_the_store || w->now >= w->disk.unheld_until, "I1",
           "an answer leaves while another may hold the journal", reply->saga.serial);
    if (r->nonsense != 0 && reply->code == 0 && !reply->repeated)
        world_fail(w, EXIT_SAFETY, "I10", "a request that makes no sense was accepted", reply->saga.serial);
    if (reply->code == E_REQUIRED)
        expect(w, r->client != NULL && typed_refuses(w, r->client), "cause",
               "a start was refused whose requirements hold", reply->saga.serial);
    if (reply->code == E_REQUEST_ID_REUSED)
        expect(w, r->nonsense != 0, "I5", "a service was refused for a request_id that another has used",
               reply->saga.serial);
    if (reply->code == E_DEFINITION_LIMIT)
        mark(w, MARK_CASE, CASE_LIMITED);
    if (reply->code != 0) {
        mark(w, MARK_REFUSED, (unsigned)-reply->code);
        return;
    }
    if (r->of_refused)
        world_fail(w, EXIT_SAFETY, "I3",
                   "an enlistment was acknowledged of a step that was refused for good: nothing is owed",
                   reply->saga.serial);
    mark(w, reply->repeated ? MARK_REPEATED : MARK_ACCEPTED, r->type);
    if (r->type == EVENT_BREAKER)
        return;
    struct model *m = oracle_model(w, reply->saga);
    bool turned = m->state == SAGA_COMPENSATING || m->state == SAGA_COMPENSATED ||
                  (m->state == SAGA_STUCK && m->stuck_from == SAGA_COMPENSATING) || m->state == SAGA_RESOLVED;
    switch (r->type) {
    case EVENT_START:
    case EVENT_BEGIN:
        expect(w, m->client == r->client, "I5", "a start was answered with another's saga", m->id.serial);
        expect(w,
               !r->client->saga_known || saga_id_equal(r->client->saga, m->id) || !r->client->has_request_id ||
                   w->models[r->client->saga.serial].dropped,
               "I5", "an answer to a start changed", m->id.serial);
        if (!reply->repeated)
            check_enlisting(w, m, r);
        break;
    case EVENT_ENLIST:
        check_enlisting(w, m, r);
        break;
    case EVENT_COMMIT:
        expect(w, m->state == SAGA_COMMITTED, "I1", "a commit was acknowledged that is not durable", m->id.serial);
        break;
    case EVENT_ABORT:
        expect(w, turned, "I1", "an abort was acknowledged that is not durable", m->id.serial);
        m->abort_accepted = true;
        break;
    case EVENT_CANCEL:
        expect(w, turned, "I1", "a cancel was acknowledged that is not durable", m->id.serial);
        m->cancel_accepted = true;
        break;
    case EVENT_PAUSE:
        expect(w, (m->seen >> RECORD_PAUSED & 1) != 0, "I1", "a pause was acknowledged that is not durable",
               m->id.serial);
        break;
    case EVENT_RETRY:
        expect(w, (m->seen >> RECORD_RETRIED & 1) != 0, "I1", "a retry was acknowledged that is not durable",
               m->id.serial);
        break;
    case EVENT_SKIP:
        expect(w, (m->seen >> RECORD_SKIPPED & 1) != 0, "I1", "a skip was acknowledged that is not durable",
               m->id.serial);
        break;
    case EVENT_RESOLVE:
        expect(w, m->state == SAGA_RESOLVED, "I1", "a resolve was acknowledged that is not durable", m->id.serial);
        break;
    default:
        break;
    }
}
