/* oracle_breaker.c - breakers, held against the rows that tell of them: nothing leaves while one is open, few do while it is half-open, what is kept is
 * what the sidecar does, and a new life takes it up. */
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

/* Whether what waits for the target will be let go by the breaker's own time, or by a person. */
bool oracle_breaker_waits(const struct world *w, unsigned target, int64_t expiry)
{
    const struct breaker_mark *m = &w->sidecar.breakers[target];
    if (!m->open)
        return false;
    return m->held || expiry <= m->open_until.us;
}
