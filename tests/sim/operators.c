/* operators.c - people who pause, retry, skip and resolve in the middle of everything, and who clean up once the world
 * has healed. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

/* A definite refusal after an attempt that may have been executed is UNKNOWN, keeps its key, and is refused for ever:
 * people give up. */
#define RETRIES_MAX 6

static void ask(struct world *w, const struct model *m, uint8_t type, const char *step)
{
    struct request *r = request_new(w, NULL, type);
    r->saga = m->id;
    snprintf(r->actor, sizeof r->actor, "operator");
    snprintf(r->reason, sizeof r->reason, "because");
    snprintf(r->step, sizeof r->step, "%s", step);
    request_send(w, r);
}

/* A person opens the breaker of a target, holds it open, or closes it. */
static void ask_breaker(struct world *w, unsigned target, uint8_t act)
{
    struct request *r = request_new(w, NULL, EVENT_BREAKER);
    snprintf(r->actor, sizeof r->actor, "operator");
    snprintf(r->reason, sizeof r->reason, "because");
    snprintf(r->step, sizeof r->step, "t%u", target);
    r->breaker_act = act;
    request_send(w, r);
}

/* A step of unknown outcome that certainly did not happen, nor will: somebody has looked. */
static const char *did_not_happen(const struct model *m)
{
    for (unsigned i = 0; i < m->step_count; i++) {
        bool sure = m->definition != NULL && m->steps[i].action == SAGA_ACTION_UNKNOWN && m->steps[i].net == 0;
        for (const struct attempt *a = m->attempts; a != NULL; a = a->next)
            sure = sure &&
                   (a->step != i || a->phase != SAGA_PHASE_ACTION || (a->over && !a->duplicated && !a->took_effect));
        if (sure)
            return m->steps[i].name;
    }
    return NULL;
}

static void meddle(struct world *w, void *arg)
{
    (void)arg;
    if (w->healed)
        return;
    agenda_add(w, w->now + draw_between(w, OPERATORS, 20 * MS, 2 * SECOND), meddle, NULL);
    if (w->serial_max == 0 || !strikes(w, FAULT_OPERATOR))
        return;
    if (draw(w, OPERATORS, 12) == 0) {
        unsigned target = (unsigned)draw(w, OPERATORS, TARGET_COUNT);
        ask_breaker(w, target, BREAKER_TRIP + (uint8_t)draw(w, OPERATORS, 3));
        return;
    }
    /* Dead letters get more attention than others; ended and unknown ones get some. */
    struct model *m = NULL;
    for (unsigned tries = 0; tries < 8; tries++) {
        m = &w->models[1 + draw(w, OPERATORS, w->serial_max)];
        if (m->known && (m->state == SAGA_STUCK || (tries > 4 && !m->dropped)))
            break;
    }
    static const uint8_t acts[] = {EVENT_PAUSE, EVENT_RESUME,  EVENT_RESUME, EVENT_RETRY, EVENT_RETRY,
                                   EVENT_SKIP,  EVENT_RESOLVE, EVENT_CANCEL, EVENT_PAUSE, EVENT_REJECT};
    uint8_t act = acts[draw(w, OPERATORS, sizeof acts)];
    const char *step = "";
    if ((act == EVENT_SKIP || (act == EVENT_RETRY && draw(w, OPERATORS, 2) == 0)) && m->step_count > 0)
        step = m->steps[draw(w, OPERATORS, m->step_count)].name;
    if (act == EVENT_SKIP && m->state == SAGA_STUCK && draw(w, OPERATORS, 2) == 0)
        for (unsigned i = 0; i < m->step_count; i++)
            if (m->steps[i].compensation == SAGA_COMPENSATION_FAILED || m->steps[i].action == SAGA_ACTION_UNKNOWN)
                step = m->steps[i].name;
    if (act == EVENT_REJECT && (step = did_not_happen(m)) == NULL)
        return;
    ask(w, m, act, step);
}

void operators_start(struct world *w)
{
    agenda_add(w, draw_between(w, OPERATORS, 0, SECOND), meddle, NULL);
}

/* Once everything works again: paused sagas are resumed, dead letters retried, again and again. */
static void clean_up(struct world *w, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < TARGET_COUNT; i++)
        if (w->sidecar.breakers[i].held)
            ask_breaker(w, i, BREAKER_RESET);
    for (uint64_t serial = 1; serial <= w->serial_max; serial++) {
        struct model *m = &w->models[serial];
        if (!m->known || m->dropped)
            continue;
        if (m->paused)
            ask(w, m, EVENT_RESUME, "");
        const char *undone = did_not_happen(m);
        if (m->state == SAGA_STUCK && w->script != NULL && w->script->shape == SHAPE_PIVOTS && undone != NULL)
            ask(w, m, EVENT_REJECT, undone);
        if (m->state == SAGA_STUCK && w->script != NULL && w->script->shape == SHAPE_PIVOT && m->retries++ == 0)
            ask(w, m, EVENT_RETRY, "");
        if (m->state == SAGA_STUCK && !w->swarm.parks)
            ask(w, m, m->unkeepable || m->retries++ > RETRIES_MAX ? EVENT_RESOLVE : EVENT_RETRY, "");
    }
    /* What the full disk held back comes to pass only now. */
    if (!oracle_all_over(w) || w->now < w->swarm.faults_last + 12 * SECOND)
        agenda_add(w, w->now + 5 * SECOND, clean_up, NULL);
}

void operators_heal(struct world *w)
{
    clean_up(w, NULL);
}
