/* oracle_policy.c - the numbers of policies, worked out anew from what the world knows: how long an attempt may take, how long until the next one,
 * how many there are, and who goes first at a full bulkhead. */
#include "tests/sim/sim.h"

#include <stdlib.h>

static void expect(struct world *w, bool holds, const char *invariant, const char *what, uint64_t saga)
{
    if (!holds)
        world_fail(w, EXIT_SAFETY, invariant, what, saga);
}

static const struct call_spec *declared(const struct model *m, unsigned step, uint8_t phase)
{
    const struct step_spec *spec = m->definition == NULL ? NULL : oracle_spec(m, step);
    return spec == NULL ? NULL : phase == SAGA_PHASE_ACTION ? &spec->action : &spec->compensation;
}

static struct retry_policy policy(const struct world *w, const struct model *m, unsigned step, uint8_t phase)
{
    const struct call_spec *call = declared(m, step, phase);
    return call == NULL ? sidecar_engine_options(w, 0).compensation_retry : call->retry;
}

/* ---- how long an attempt may take ---- */

static bool is_forward_only(const struct model *m, unsigned step)
{
    int pivot = m->definition == NULL ? -1 : m->definition->pivot_step;
    if (m->definition != NULL && m->definition->forward_only)
        return true;
    return pivot >= 0 && (step_set_has(&oracle_spec(m, step)->ancestors, (unsigned)pivot) ||
                          (oracle_is_pivot(m, step) && (!m->steps[step].has_compensation || oracle_past_pivot(m))));
}

/* The saga's deadline, less what the step reserves of it. */
static int64_t ends_by(const struct model *m, unsigned step)
{
    return m->deadline == INT64_MAX || m->definition == NULL ? m->deadline
                                                             : m->deadline - oracle_spec(m, step)->reserve.us;
}

/* An action ends with its saga's deadline, or before that by what its step reserves; but for the pivot, which has left, and what comes after it. */
int64_t oracle_until(const struct model *m, unsigned step)
{
    int pivot = m->definition == NULL ? -1 : m->definition->pivot_step;
    bool cut = m->deadline != INT64_MAX && !oracle_is_pivot(m, step) &&
               (m->definition == NULL || !m->definition->forward_only) &&
               !(pivot >= 0 && step_set_has(&oracle_spec(m, step)->ancestors, (unsigned)pivot));
    return cut ? ends_by(m, step) : INT64_MAX;
}

/* What the world knows of how quickly a target has answered. */
struct answers {
    int64_t least, last; /* 0: none */
};

static struct answers answers_of(const struct world *w, int target, int64_t from, int64_t to)
{
    struct answers found = {0, 0};
    for (uint64_t serial = 1; serial <= w->serial_max; serial++)
        for (const struct attempt *a = w->models[serial].attempts; a != NULL; a = a->next) {
            int64_t took = a->taken_at - a->out_at - w->sidecar.offset;
            if (a->target != target || !a->taken || a->incarnation != w->sidecar.incarnation || a->status != 0 ||
                took <= 0 || a->taken_at < from || a->taken_at > to)
                continue;
            found.last = a->taken_at > found.last ? a->taken_at : found.last;
            found.least = found.least == 0 || took < found.least ? took : found.least;
        }
    return found;
}

/* Whether an attempt certainly had no time: what happened at that very moment may have come before or after. */
static bool in_vain(const struct world *w, int target, int64_t now, int64_t left)
{
    struct answers all = answers_of(w, target, now - 30 * SECOND, now), before = answers_of(w, target, 0, now - 1);
    return all.least != 0 && left < all.least && before.last != 0 && now - before.last < SECOND;
}

/* Whether it certainly had. */
static bool in_time(const struct world *w, int target, int64_t now, int64_t left)
{
    struct answers before = answers_of(w, target, now - 10 * SECOND, now - 1), all = answers_of(w, target, 0, now);
    return (before.least != 0 && left >= before.least) || all.last == 0 || now - all.last >= SECOND;
}

void oracle_no_time(struct world *w, const struct model *m, const struct record *r)
{
    int64_t until = oracle_until(m, r->step), left = until - r->at.us;
    bool vain = left > 0 && w->sidecar.up; /* what a former life has decided by, is not known any more */
    mark(w, MARK_CASE, vain ? CASE_IN_VAIN : CASE_NO_TIME);
    expect(w, until != INT64_MAX && (!vain || !in_time(w, m->steps[r->step].target, r->at.us, left)), "time",
           "a step is given up for want of time although there is some", m->id.serial);
}

/* As many of a definition live, and start in any stretch of time, as may. */
void oracle_limits(struct world *w, const struct model *m, const struct record *r)
{
    const struct admission_options *limit = &w->swarm.limit;
    unsigned live = 0, d = m->definition->number - 1;
    for (uint64_t serial = 1; serial <= w->serial_max; serial++) {
        const struct model *other = &w->models[serial];
        live += other->known && other->definition == m->definition && other->state != SAGA_COMMITTED &&
                other->state != SAGA_COMPENSATED && other->state != SAGA_RESOLVED;
    }
    expect(w, limit->live_max == 0 || live <= limit->live_max, "I10", "more sagas of a definition live than may",
           m->id.serial);
    int64_t *at = w->sidecar.starts_at[d];
    unsigned *count = &w->sidecar.starts_count[d];
    for (unsigned i = *count > RATE_LOOKS_BACK ? *count - RATE_LOOKS_BACK : 0;
         limit->starts.per_second > 0 && i < *count; i++) {
        int64_t starts = *count - i + 1, time = r->at.us - at[i % RATE_LOOKS_BACK];
        expect(w, (starts - limit->starts.burst) * SECOND <= (time + 2) * limit->starts.per_second, "I10",
               "sagas of a definition start faster than they may", m->id.serial);
    }
    at[(*count)++ % RATE_LOOKS_BACK] = r->at.us;
}

void oracle_timeout(struct world *w, const struct model *m, const struct call_effect *call)
{
    const struct call_spec *spec = declared(m, call->step, call->phase);
    int64_t wanted = spec == NULL ? 500 * MS : spec->timeout.us;
    if (wanted == 0)
        wanted = 2 * SECOND; /* of its target */
    int64_t until = call->phase == SAGA_PHASE_ACTION ? oracle_until(m, call->step) : INT64_MAX;
    int64_t left = until == INT64_MAX ? INT64_MAX : until - m->steps[call->step].decided_at;
    if (left < wanted && until < m->deadline)
        mark(w, MARK_CASE, CASE_RESERVED);
    expect(w, call->timeout.us == (left < wanted ? left : wanted), "time",
           "an attempt has another time than was declared", m->id.serial);
    expect(w, !in_vain(w, m->steps[call->step].target, m->steps[call->step].decided_at, left), "time",
           "an attempt leaves that cannot be answered in time", m->id.serial);
}

/* ---- how long until the next one, and how many there are ---- */

struct range {
    double low, high;
};

static struct range backoff(const struct retry_policy *p, unsigned failed)
{
    double delay = (double)p->initial_backoff.us, cap = (double)p->max_backoff.us;
    for (unsigned i = 1; i < failed && delay < cap; i++)
        delay *= p->backoff_multiplier_permille / 1000.0;
    delay = delay < cap ? delay : cap;
    double jitter = delay * p->jitter_permille / 1000.0;
    double high = delay + jitter < cap ? delay + jitter : cap;
    return (struct range){.low = delay - jitter - 100,
                          .high = high + 100}; /* whole microseconds are rounded on the way */
}

/* The attempt that the record is about, if it was let out at all. */
static const struct attempt *attempt_of(const struct world *w, const struct model *m, const struct record *r,
                                        uint8_t phase)
{
    const struct attempt *a = oracle_attempt(m, r->step, phase, r->attempt);
    return a == NULL || a->out_at + w->sidecar.offset < m->steps[r->step].decided_at ? NULL : a;
}

static bool was_lost(const struct record *r)
{
    return bytes_equal(r->message, bytes_of_text("the sidecar ended while the call was out"));
}

void oracle_failed(struct world *w, const struct model *m, const struct record *r, uint8_t phase)
{
    const struct attempt *a = attempt_of(w, m, r, phase);
    int64_t delay = r->next_at.us - r->at.us;
    if (a != NULL && a->has_pushback && a->pushback >= 0 && !was_lost(r)) {
        int64_t most = sidecar_engine_options(w, 0).pushback_max.us;
        expect(w, delay == (a->pushback < most ? a->pushback : most), "policy", "a pushback is not obeyed",
               m->id.serial);
        return;
    }
    struct retry_policy p = policy(w, m, r->step, phase);
    struct range wanted = backoff(&p, r->attempt);
    expect(w, (double)delay >= wanted.low && (double)delay <= wanted.high, "policy",
           "the next attempt comes sooner or later than the policy says", m->id.serial);
}

static const unsigned refusals = 1u << 3 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 9 | 1u << 11 | 1u << 12 | 1u << 16;

/* A refusal that will be the same next time, unless the policy lists it. */
static bool refuses_for_good(const struct attempt *a, const struct retry_policy *p)
{
    bool named = a->status > 0 && a->status <= 16;
    return named && (refusals >> a->status & 1) != 0 && (p->retryable_status_codes >> a->status & 1) == 0;
}

void oracle_shed(struct world *w, const struct model *m, const struct record *r, const struct attempt *a)
{
    struct retry_policy p = policy(w, m, r->step, a->phase);
    int64_t delay = r->next_at.us - r->at.us, most = sidecar_engine_options(w, 0).pushback_max.us;
    expect(w, !refuses_for_good(a, &p), "waits", "an attempt does not count although its participant refuses for good",
           m->id.serial);
    if (a->has_pushback && a->pushback >= 0)
        expect(w, delay == (a->pushback < most ? a->pushback : most), "policy", "a pushback is not obeyed",
               m->id.serial);
    else /* how often it was told so before, is not in the journal */
        expect(w, (double)delay >= backoff(&p, r->attempt).low && (double)delay <= backoff(&p, 64).high, "policy",
               "what had not begun comes again sooner or later than the policy says", m->id.serial);
}

/* Whether the attempt's end is worth another one, were there one left. */
static bool worth_another(const struct model *m, const struct attempt *a, const struct retry_policy *p, bool lost)
{
    static const unsigned transient = 1u << 4 | 1u << 8 | 1u << 10 | 1u << 14;
    bool named = a->status >= 0 && a->status <= 16;
    bool listed = named && (p->retryable_status_codes >> a->status & 1) != 0;
    if (lost)
        return true;
    if (a->has_pushback && a->pushback < 0)
        return false;
    if (a->status == 0)
        return false; /* what it said cannot be kept */
    if (a->reach == SAGA_REACH_NONE)
        return !a->unreached;
    if (a->reach == SAGA_REACH_NOT_BEGUN)
        return listed || !named || (refusals >> a->status & 1) == 0;
    if (named && (refusals >> a->status & 1) != 0 && a->answered)
        return listed;
    return listed || (named && (transient >> a->status & 1) != 0) || is_forward_only(m, a->step);
}

void oracle_given_up(struct world *w, const struct model *m, const struct record *r)
{
    const struct attempt *a = attempt_of(w, m, r, SAGA_PHASE_ACTION);
    struct retry_policy p = policy(w, m, r->step, SAGA_PHASE_ACTION);
    bool lost = was_lost(r);
    if (a == NULL || m->reason != REASON_NONE || m->steps[r->step].action_attempt != r->attempt ||
        r->attempt >= p.max_attempts || !worth_another(m, a, &p, lost))
        return;
    double delay = a->has_pushback && !lost ? (double)a->pushback : backoff(&p, r->attempt).high;
    int64_t until = ends_by(m, r->step);
    bool too_late = until != INT64_MAX && (double)(r->at.us - until) + delay >= 0;
    expect(w, too_late, "policy", "an action was given up although its policy has attempts left", m->id.serial);
}

/* An attempt counts: if it had not begun, its participant had said so for long enough. */
void oracle_shed_enough(struct world *w, const struct model *m, const struct record *r, uint8_t phase)
{
    const struct attempt *a = attempt_of(w, m, r, phase);
    const struct model_step *s = &m->steps[r->step];
    struct retry_policy p = policy(w, m, r->step, phase);
    bool out = (phase == SAGA_PHASE_ACTION ? s->action_attempt : s->compensation_attempt) == r->attempt;
    if (a == NULL || a->reach != SAGA_REACH_NOT_BEGUN || a->incarnation != w->sidecar.incarnation || !out ||
        was_lost(r))
        return;
    if (refuses_for_good(a, &p)) {
        if (phase == SAGA_PHASE_COMPENSATION)
            mark(w, MARK_CASE, CASE_NOT_SERVED);
        return;
    }
    expect(w, phase == SAGA_PHASE_ACTION, "waits", "an attempt of an undo counts that had not begun", m->id.serial);
    if (m->reason != REASON_NONE || !worth_another(m, a, &p, false))
        return;
    expect(w, !oracle_past_pivot(m), "waits", "an attempt past the pivot counts that had not begun", m->id.serial);
    bool known = s->shed_at != 0 && s->shed_in == w->sidecar.incarnation;
    bool waited = w->swarm.target_wait == 0 || (known && r->at.us - s->shed_at >= w->swarm.target_wait);
    double delay = a->has_pushback ? (double)a->pushback : backoff(&p, 64).high;
    int64_t until = ends_by(m, r->step);
    bool too_late = until != INT64_MAX && (double)(r->at.us - until) + delay >= 0;
    expect(w, waited || too_late, "waits", "an attempt counts that had not begun", m->id.serial);
    if (waited && known)
        mark(w, MARK_CASE, CASE_SHED_ENOUGH);
}

void oracle_undo_given_up(struct world *w, const struct model *m, const struct record *r)
{
    struct retry_policy p = policy(w, m, r->step, SAGA_PHASE_COMPENSATION);
    if (typed_fails(w, m, r->step, true))
        return; /* it cannot be computed */
    expect(w, r->compensation_state != SAGA_COMPENSATION_FAILED || r->attempt >= p.max_attempts, "policy",
           "an undo was given up although its policy has attempts left", m->id.serial);
}

/* ---- who goes first ---- */

static bool is_ready(const struct model *m, unsigned step)
{
    if (m->definition == NULL || m->state != SAGA_RUNNING || m->paused || m->steps[step].action != SAGA_ACTION_PENDING)
        return false;
    if (oracle_stood_in_for(m, step) >= 0 &&
        (oracle_spec(m, step)->stand_in != STAND_IN_CALL || !oracle_needed(m, step)))
        return false; /* nobody is called */
    if (oracle_spec(m, step)->deferred && !m->answered)
        return false;
    unsigned before = 0;
    for (unsigned i = 0; i < m->step_count; i++) {
        const struct model_step *other = &m->steps[i];
        bool failed = other->action == SAGA_ACTION_REJECTED || other->action == SAGA_ACTION_UNKNOWN;
        if (oracle_over(m, i))
            continue;
        if (step_set_has(&oracle_spec(m, step)->ancestors, other->spec) || (failed && !oracle_undone_early(m, i)))
            return false;
        /* Of a loop, those before it go first. */
        before += other->spec == m->steps[step].spec && i != step && (i < step || other->action != SAGA_ACTION_PENDING);
    }
    return !oracle_spec(m, step)->loop || before < oracle_spec(m, step)->max_parallel;
}

/* Whether two sagas take their turns at a target among the same. */
static bool same_turns(const struct model *a, const struct model *b)
{
    return a->fair_key == b->fair_key && a->priority == b->priority;
}

/* One of the saga's key has had a turn at this target, or does not wait for one any more. */
static void had_turn(struct world *w, const struct model *m, int target)
{
    for (uint64_t serial = 1; serial <= w->serial_max; serial++) {
        struct model *other = &w->models[serial];
        for (unsigned i = 0; i < other->step_count; i++) {
            struct model_step *s = &other->steps[i];
            if (s->target != target || s->ready_at <= 0 || other->priority != m->priority)
                continue;
            s->passed_bands = 0;
            if (other->fair_key == m->fair_key)
                memset(s->passed, 0, sizeof s->passed);
        }
    }
}

void oracle_ready(struct world *w, struct model *m, int64_t at)
{
    for (unsigned i = 0; i < m->step_count; i++) {
        struct model_step *s = &m->steps[i];
        s->undo_waits = 0; /* until it is seen again */
        if (s->action != SAGA_ACTION_PENDING)
            s->first_ready_at = 0;
        if (!is_ready(m, i)) {
            if (s->ready_at > 0)
                had_turn(w, m, s->target);
            s->ready_at = 0;
        } else if (s->ready_at == 0) {
            s->ready_at = at;
            s->passed_bands = 0;
            memset(s->passed, 0, sizeof s->passed);
        }
        if (s->first_ready_at == 0)
            s->first_ready_at = s->ready_at;
    }
}

void oracle_ready_anew(struct world *w)
{
    for (uint64_t serial = 1; serial <= w->serial_max; serial++)
        for (unsigned i = 0; i < w->models[serial].step_count; i++) {
            w->models[serial].steps[i].undo_waits = 0;
            if (w->models[serial].steps[i].first_ready_at != 0)
                w->models[serial].steps[i].first_ready_at = w->models[serial].steps[i].ready_at = READY_AT_RECOVERY;
        }
}

void oracle_first_come(struct world *w, const struct model *m, const struct record *r)
{
    const struct model_step *s = &m->steps[r->step];
    int target = s->target;
    int64_t since = s->action == SAGA_ACTION_PENDING ? s->first_ready_at : s->next_at;
    if (since == READY_AT_RECOVERY || since == 0 || w->sidecar.target_gone[target] || w->sidecar.was_down[target])
        return;
    if (w->swarm.budget.percent > 0 && s->action != SAGA_ACTION_PENDING)
        return; /* retries have a queue of their own, and every other turn */
    if (w->sidecar.memory_failures > w->sidecar.failures_before)
        return; /* keys without memory share a turn, and may have another with it */
    for (uint64_t serial = 1; serial <= w->serial_max; serial++)
        for (unsigned i = 0; i < w->models[serial].step_count; i++) {
            const struct model_step *other = &w->models[serial].steps[i];
            expect(w,
                   other->target != target || other->ready_at <= 0 || other->ready_at >= since ||
                       !same_turns(m, &w->models[serial]),
                   "order", "a call leaves before one that has waited longer for the same target",
                   w->models[serial].id.serial);
        }
}

/* How often others may have their turn before one of this priority has: what is left of one round, and all but its own of the next. */
static unsigned passed_most(uint8_t priority)
{
    return priority == PRIORITY_HIGH ? 4 + 1 : priority == PRIORITY_NORMAL ? 2 * (16 + 1) : 2 * (16 + 4);
}

/* While one waits, no other key of its priority has two turns more than its own. (A turn may end without a call, whose request cannot be made; and what
 * happens at one time has no order here: so one more is let pass.) */
void oracle_fair(struct world *w, const struct model *m, const struct record *r)
{
    int target = m->steps[r->step].target;
    if (w->sidecar.target_gone[target] || w->sidecar.was_down[target] || w->swarm.budget.percent > 0 ||
        w->sidecar.memory_failures > w->sidecar.failures_before)
        return; /* retries have turns of their own where there is a budget */
    for (uint64_t serial = 1; serial <= w->serial_max; serial++) {
        struct model *other = &w->models[serial];
        for (unsigned i = 0; i < other->step_count; i++) {
            struct model_step *s = &other->steps[i];
            if (s->target != target || s->ready_at <= 0 || s->ready_at >= r->at.us || same_turns(m, other))
                continue;
            bool better = other->priority != m->priority;
            mark(w, MARK_CASE, better ? CASE_PASSED_BY_BETTER : CASE_PASSED);
            if (better)
                s->passed_bands++;
            else
                s->passed[m->fair_key]++;
            expect(w, s->passed[m->fair_key] <= 2, "fair", "a call waits while another key has turn after turn",
                   other->id.serial);
            expect(w, s->passed_bands <= passed_most(other->priority) + 1, "fair",
                   "a call waits while another priority has more turns than it should", other->id.serial);
        }
    }
    had_turn(w, m, target);
}
