/* oracle_end.c - the ledgers: what took effect, and what must be left of it in the end. */
#include "tests/sim/sim.h"

#include <stdlib.h>

static bool over(const struct model *m)
{
    return m->state == SAGA_COMMITTED || m->state == SAGA_COMPENSATED || m->state == SAGA_RESOLVED;
}

void oracle_effect(struct world *w, struct model *m, unsigned step, int delta)
{
    struct model_step *s = &m->steps[step];
    s->net += delta;
    trace(w, "effect", m->id.serial, step, delta, s->net);
    if (s->net < 0)
        world_fail(w, EXIT_SAFETY, "ledger", "an action was undone that did not take effect", m->id.serial);
    if (s->net > 1)
        world_fail(w, EXIT_SAFETY, "I2", "an action took effect twice", m->id.serial);
    if (delta > 0 && m->state == SAGA_COMPENSATED && s->compensation != SAGA_COMPENSATION_SKIPPED)
        world_fail(w, EXIT_SAFETY, "ledger", "an action took effect after its saga was compensated", m->id.serial);
}

bool oracle_all_over(struct world *w)
{
    for (uint64_t serial = 1; serial <= w->serial_max; serial++) {
        const struct model *m = &w->models[serial];
        if (!over(m) && !(m->state == SAGA_STUCK && w->swarm.parks))
            return false;
    }
    for (unsigned i = 0; i < w->client_count; i++)
        if (!w->clients[i].over && !w->clients[i].dead)
            return false;
    return true;
}

static void check_saga(struct world *w, const struct model *m)
{
    if (!over(m) && (m->state != SAGA_STUCK || m->stuck_reason == REASON_NONE))
        world_fail(w, EXIT_LIVENESS, "I9", "a saga has neither ended nor been parked with a reason", m->id.serial);
    for (unsigned i = 0; i < m->step_count; i++) {
        const struct model_step *s = &m->steps[i];
        if (!s->has_effect)
            continue;
        if (m->state == SAGA_COMMITTED && s->action == SAGA_ACTION_DONE && s->net != 1)
            world_fail(w, EXIT_SAFETY, "ledger", "a saga was committed, and a step of it left no effect", m->id.serial);
        if (m->state == SAGA_COMMITTED && s->early && s->compensation == SAGA_COMPENSATION_DONE && s->net != 0)
            world_fail(w, EXIT_SAFETY, "ledger", "an optional step was undone, and left an effect", m->id.serial);
        if (s->action == SAGA_ACTION_REJECTED && s->net != 0)
            world_fail(w, EXIT_SAFETY, "ledger", "a rejected action took effect", m->id.serial);
        if (m->state == SAGA_COMPENSATED && s->compensation != SAGA_COMPENSATION_SKIPPED && s->net != 0)
            world_fail(w, EXIT_SAFETY, "ledger", "a saga was compensated, and a step of it left an effect",
                       m->id.serial);
    }
}

void oracle_end(struct world *w)
{
    int64_t reserved[TARGET_COUNT] = {0};
    for (uint64_t serial = 1; serial <= w->serial_max; serial++) {
        const struct model *m = &w->models[serial];
        check_saga(w, m);
        for (unsigned i = 0; i < m->step_count; i++)
            reserved[m->steps[i].target] += m->steps[i].net * m->steps[i].amount;
    }
    for (unsigned t = 0; t < TARGET_COUNT; t++) {
        const struct participant *p = &w->participants[t];
        if (p->stock + p->reserved != w->swarm.stock || p->reserved != reserved[t])
            world_fail(w, EXIT_SAFETY, "ledger", "stock was made or lost", t);
    }
    for (unsigned i = 0; i < w->client_count; i++)
        if (!w->clients[i].over && !w->clients[i].dead)
            world_fail(w, EXIT_LIVENESS, "I9", "a client waits for an answer that never comes", i);
}
