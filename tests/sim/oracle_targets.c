/* oracle_targets.c - what stands between a step and its target. Breakers, held against the rows that tell of them: nothing leaves while one is
 * open, few do while it is half-open, what is kept is what the sidecar does, and a new life takes it up. Rates, budgets of retries, and who may
 * wait how long, reckoned anew from the calls that left. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/core/breakers.h"
#include "sidecar/engine/target.h"

static void expect(struct world *w, bool holds, const char *invariant, const char *what, uint64_t target)
{
    if (!holds)
        world_fail(w, EXIT_SAFETY, invariant, what, target);
}

static bool fails(const struct world *w, const struct attempt *a)
{
    return w->swarm.breaker.failure_percent > 0 && a->status > 0 && a->status < 32 &&
           (w->swarm.breaker.status_codes >> a->status & 1) != 0;
}

void oracle_breaker_kept(struct world *w, const struct subject_row *row)
{
    struct breaker_mark kept;
    struct error_detail detail;
    CHECK(row->name.size == 2 && row->name.at[0] == 't');
    unsigned target = (unsigned)(row->name.at[1] - '0');
    CHECK(target < TARGET_COUNT);
    expect(w, breakers_read(row, &kept, &detail) == 0, "breaker", "a row of a breaker cannot be read", target);
    const struct breaker_mark *before = &w->disk.breakers[target];
    int64_t span = kept.open_until.us - kept.opened_at.us;
    if (kept.open && !before->open) {
        mark(w, MARK_CASE, kept.held ? CASE_BREAKER_HELD : CASE_BREAKER_OPENED);
        expect(w, span == w->swarm.breaker.open.us, "breaker", "it is not open for as long as was asked for", target);
    } else if (kept.open && !kept.held && !before->held && kept.openings == before->openings + 1) {
        int64_t twice = 2 * (before->open_until.us - before->opened_at.us), most = w->swarm.breaker.open_max.us;
        mark(w, MARK_CASE, CASE_BREAKER_OPENED_AGAIN);
        expect(w, span == (twice < most ? twice : most), "breaker", "it does not open for twice as long", target);
    } else if (!kept.open && before->open) {
        mark(w, MARK_CASE, CASE_BREAKER_CLOSED);
    }
    w->sidecar.ever_gone[target] |= kept.open;
    w->disk.breakers[target] = kept;
    w->sidecar.breakers[target] = kept;
}

void oracle_breaker_start(struct world *w, int64_t now)
{
    /* Of a target that is not configured nobody knows how long it may be. */
    for (unsigned i = 0; i < TARGET_COUNT; i++) {
        struct breaker_mark *m = &w->sidecar.breakers[i];
        int64_t latest = now + w->swarm.breaker.open_max.us;
        *m = w->disk.breakers[i];
        if (!w->sidecar.target_gone[i] && m->open_until.us > latest)
            m->open_until.us = latest;
        if (m->open && m->open_until.us > now)
            mark(w, MARK_CASE, CASE_BREAKER_OPEN_AT_START);
    }
}

void oracle_breaker_call(struct world *w, const struct attempt *a)
{
    const struct breaker_mark *m = &w->sidecar.breakers[a->target];
    if (!m->open || a->decided_at <= m->opened_at.us)
        return;
    expect(w, !m->held && a->decided_at >= m->open_until.us, "breaker", "a call leaves while the breaker is open",
           a->target);
    unsigned out = 0, back = 0, good = 0;
    for (uint64_t serial = 1; serial <= w->serial_max; serial++)
        for (const struct attempt *b = w->models[serial].attempts; b != NULL; b = b->next) {
            if (b->target != a->target || b->incarnation != w->sidecar.incarnation || b->decided_at < m->open_until.us)
                continue;
            out += !b->taken;
            back += b->taken && b->reach != SAGA_REACH_NONE;
            good += b->taken && b->reach != SAGA_REACH_NONE && !fails(w, b);
        }
    mark(w, MARK_CASE, CASE_BREAKER_PROBED);
    expect(w, out <= 1 || out + back <= w->swarm.breaker.probes + 2 * good, "breaker",
           "more probes are out than may be", a->target);
}

void oracle_breaker_state(struct world *w)
{
    const struct engine *e = core_engine(w->sidecar.core);
    for (unsigned i = 0; i < TARGET_COUNT; i++) {
        const char name[] = {'t', (char)('0' + i)};
        int index = engine_find_target(e, bytes_of(name, 2));
        if (index < 0)
            continue;
        const struct breaker_mark *a = &engine_target(e, (uint16_t)index)->breaker.mark, *b = &w->sidecar.breakers[i];
        bool until = !a->open || a->open_until.us == b->open_until.us;
        expect(w,
               a->open == b->open && a->held == b->held && a->openings == b->openings &&
                   a->opened_at.us == b->opened_at.us && until,
               "I8", "a breaker is not what its row tells", i);
    }
}

/* Whether what waits for the target will be let go by the breaker's own time or a person, or by its rate. */
bool oracle_breaker_waits(struct world *w, unsigned target, int64_t expiry)
{
    const struct breaker_mark *m = &w->sidecar.breakers[target];
    if (m->open && (m->held || expiry <= m->open_until.us))
        return true;
    bool budgeted = w->swarm.budget.percent > 0 && expiry <= sidecar_now(w).us + 3 * SECOND + SECOND / 4;
    bool rated = w->swarm.rate.per_second > 0 && expiry <= sidecar_now(w).us + SECOND / w->swarm.rate.per_second + 1;
    if (rated)
        mark(w, MARK_CASE, CASE_RATE_WAITED);
    return rated || budgeted;
}

/* ---- budgets of retries ---- */

bool oracle_went_well(const struct world *w, const struct attempt *a)
{
    bool failed = a->status > 0 && a->status < 32 && (w->swarm.breaker.status_codes >> a->status & 1) != 0;
    return a->reach != SAGA_REACH_NONE && !failed;
}

/* What a life has let out again is paid for: by first calls, by what came back well, and by the time. */
static void check_budget(struct world *w, const struct attempt *a)
{
    struct sidecar *s = &w->sidecar;
    const struct budget_options *b = &w->swarm.budget;
    unsigned t = a->target;
    *(a->number > 1 ? &s->again[t] : &s->firsts[t]) += 1;
    int64_t paid =
        s->firsts[t] * b->percent * 10 + s->paid[t] * 1000 + (a->decided_at - s->began_at) / MS * b->min_per_second;
    expect(w,
           b->percent == 0 || s->was_down[t] || s->was_gone[t] || a->number == 1 || s->again[t] * 1000 <= paid + 1000,
           "I10", "more retries leave than their budget pays for", t);
}

/* ---- rates ---- */

/* No stretch of time has more calls than the burst and its share, however it is cut. */
void oracle_rate_call(struct world *w, const struct attempt *a)
{
    check_budget(w, a);
    struct sidecar *s = &w->sidecar;
    const struct rate_options *rate = &w->swarm.rate;
    int64_t *left = s->left_at[a->target];
    unsigned *count = &s->left_count[a->target];
    for (unsigned i = *count > RATE_LOOKS_BACK ? *count - RATE_LOOKS_BACK : 0; rate->per_second > 0 && i < *count;
         i++) {
        int64_t calls = *count - i + 1, time = a->decided_at - left[i % RATE_LOOKS_BACK];
        expect(w, (calls - rate->burst) * SECOND <= (time + 2) * rate->per_second, "I10",
               "calls leave faster than the rate lets them", a->target);
    }
    left[(*count)++ % RATE_LOOKS_BACK] = a->decided_at;
}

/* ---- who waits, for how long, and who goes first ---- */

void oracle_pending(struct world *w, const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    const struct engine *e = core_engine(w->sidecar.core);
    bool undo = step->compensation != SAGA_COMPENSATION_NONE;
    const struct target *t = engine_target(
        e, (uint16_t)saga_step_call(s, index, undo ? SAGA_PHASE_COMPENSATION : SAGA_PHASE_ACTION)->target_index);
    struct model_step *m = &oracle_model(w, s->id)->steps[index];
    int64_t now = sidecar_now(w).us, expiry = core_expiry(w->sidecar.core).us;
    bool retry = step->class == CLASS_RETRY || step->class == CLASS_RETRY_UNDO;
    if (retry)
        mark(w, MARK_CASE, CASE_BUDGET_WAITED);
    if (undo && m->undo_waits == 0 && !retry)
        m->undo_waits = now;
    if (t->places == 0 || t->down || undo || step->class != CLASS_BOUNDED)
        return;
    expect(w,
           w->swarm.pending_max == 0 || t->queues[CLASS_BOUNDED].count <= w->swarm.pending_max + w->swarm.bulkhead ||
               w->sidecar.ever_gone[m->target],
           "I10", "more actions wait for a target than may", s->id.serial);
    if (t->queues[CLASS_BOUNDED].first != step)
        return; /* its turn comes */
    int64_t until = step->queued_at.us + w->swarm.pending_timeout.us;
    until = until > now + 100 * MS ? until : now + 100 * MS;
    expect(w, w->swarm.pending_timeout.us == 0 || expiry <= until, "I9",
           "an action may wait for its target for longer than it may", s->id.serial);
}

void oracle_undo_first(struct world *w, const struct model *m, const struct record *r)
{
    int target = m->steps[r->step].target;
    if (w->sidecar.target_gone[target] || w->sidecar.was_down[target])
        return;
    for (uint64_t serial = 1; serial <= w->serial_max; serial++)
        for (unsigned i = 0; i < w->models[serial].step_count; i++) {
            const struct model_step *other = &w->models[serial].steps[i];
            expect(w, other->target != target || other->undo_waits == 0 || other->undo_waits >= r->at.us, "order",
                   "an action leaves while an undo waits for the same target", w->models[serial].id.serial);
        }
}

void oracle_turned_away(struct world *w, const struct model *m, const struct record *r)
{
    const struct model_step *s = &m->steps[r->step];
    int64_t since = s->action == SAGA_ACTION_PENDING ? s->first_ready_at : s->next_at;
    if (r->status == 14) {
        expect(w, oracle_spec(m, r->step)->in_haste && m->state == SAGA_RUNNING, "waits",
               "a step is not waited for that would have waited", m->id.serial);
        expect(w, w->sidecar.ever_gone[s->target] || w->disk.breakers[s->target].open, "waits",
               "a step does not wait for a target that takes calls", m->id.serial);
        mark(w, MARK_CASE, CASE_HASTE);
        return;
    }
    bool late =
        bytes_equal(r->message, bytes_of_text("it has waited for the target for as long as it may (pending_timeout)"));
    expect(w, !oracle_past_pivot(m) && m->state == SAGA_RUNNING, "waits", "a step past the pivot is turned away",
           m->id.serial);
    if (late)
        expect(w,
               w->swarm.pending_timeout.us > 0 &&
                   (since == READY_AT_RECOVERY || r->at.us - since >= w->swarm.pending_timeout.us),
               "waits", "an action is turned away that has not waited for long enough", m->id.serial);
    else
        expect(w, w->swarm.pending_max > 0, "waits", "an action is turned away although any number may wait",
               m->id.serial);
    mark(w, MARK_CASE, late ? CASE_TURNED_AWAY_LATE : CASE_TURNED_AWAY);
}

bool oracle_shut(const struct world *w, unsigned target, int64_t now)
{
    const struct breaker_mark *b = &w->sidecar.breakers[target];
    return w->sidecar.target_gone[target] || (b->open && (b->held || now < b->open_until.us));
}

void oracle_haste(struct world *w, const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    struct model_step *m = &oracle_model(w, s->id)->steps[index];
    int64_t now = sidecar_now(w).us;
    bool awaited = s->definition != NULL && step->maybe_executed && saga_spec(s, index)->pivot;
    if (s->definition == NULL || step->compensation != SAGA_COMPENSATION_NONE || awaited ||
        !saga_spec(s, index)->in_haste || !oracle_shut(w, (unsigned)m->target, now)) {
        m->haste_seen = m->haste_count = 0;
        return;
    }
    if (m->haste_seen == 0)
        m->haste_seen = now;
    expect(w, ++m->haste_count < 20 || now - m->haste_seen < 2 * SECOND, "waits",
           "a step waits for a target that takes no calls, for which it does not wait", s->id.serial);
}
