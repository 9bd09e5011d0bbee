/* absent.c - counts, by name, who needs a target that is not there. */
#include "sidecar/runtime/absent.h"

#include "sidecar/engine/saga.h"
#include "sidecar/observe/log.h"

/* As many are told of by name. A configuration that has lost more has lost all of them. */
#define NAMES_MAX 64

struct absent {
    const char *name; /* borrowed of a definition, or of an enlistment */
    uint64_t sagas, definitions;
    const struct saga *last; /* counted last: it counts once, however many of its steps call the target */
    const struct definition *last_definition;
};

struct tally {
    struct absent absent[NAMES_MAX];
    size_t count;
};

/* The row of the call's target; NULL when that is there, or there is no room for one more. */
static struct absent *find(struct tally *tally, const struct engine *engine, const struct call_spec *call)
{
    if (call == NULL || call->target == NULL || !engine_target_absent(engine, call))
        return NULL;
    for (size_t i = 0; i < tally->count; i++)
        if (strcmp(tally->absent[i].name, call->target) == 0)
            return &tally->absent[i];
    if (tally->count == NAMES_MAX)
        return NULL;
    tally->absent[tally->count].name = call->target;
    return &tally->absent[tally->count++];
}

static void count_saga(struct tally *tally, const struct engine *engine, const struct saga *s)
{
    for (unsigned i = 0; i < s->step_count; i++)
        for (uint8_t phase = SAGA_PHASE_ACTION; phase <= SAGA_PHASE_COMPENSATION; phase++) {
            struct absent *a = find(tally, engine, saga_step_call(s, i, phase));
            if (a == NULL || a->last == s)
                continue;
            a->last = s;
            a->sagas++;
        }
}

static void count_definition(struct tally *tally, const struct engine *engine, const struct definition *d)
{
    for (unsigned i = 0; i < d->step_count; i++) {
        const struct step_spec *step = &d->steps[i];
        const struct call_spec *calls[] = {&step->action, step->has_compensation ? &step->compensation : NULL};
        for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
            struct absent *a = find(tally, engine, calls[k]);
            if (a == NULL || a->last_definition == d)
                continue;
            a->last_definition = d;
            a->definitions++;
        }
    }
}

void absent_tell(const struct sidecar *sidecar)
{
    struct tally tally = {.count = 0};
    const struct catalog *catalog = sidecar->loops[0]->catalog;
    for (uint32_t i = 0; i < catalog_count(catalog); i++)
        count_definition(&tally, core_engine(sidecar->loops[0]->core), catalog_at(catalog, i)->definition);
    for (unsigned k = 0; k < sidecar->count; k++) {
        const struct engine *engine = core_engine(sidecar->loops[k]->core);
        for (const struct saga *s = engine_earliest(engine); s != NULL; s = s->later)
            count_saga(&tally, engine, s);
    }
    for (size_t i = 0; i < tally.count; i++)
        log_event(LOG_LEVEL_WARN, "sagad.yaml does not name a target that is needed: its calls wait until it does",
                  LOG_TEXT("target", tally.absent[i].name), LOG_NUMBER("live_sagas", tally.absent[i].sagas),
                  LOG_NUMBER("definitions", tally.absent[i].definitions));
}
