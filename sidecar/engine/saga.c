/* saga.c - reading a saga. */
#include "sidecar/engine/saga.h"

#include "compensations/barrier.h"
#include "sidecar/base/defect.h"

struct bytes saga_step_name(const struct saga *s, unsigned step)
{
    if (s->definition != NULL)
        return bytes_of_text(s->definition->steps[step].name);
    return bytes_of(s->steps[step].enlisted->name, s->steps[step].enlisted->name_size);
}

const struct call_spec *saga_step_call(const struct saga *s, unsigned step, uint8_t phase)
{
    if (s->definition == NULL) {
        const struct call_spec *call = &s->steps[step].enlisted->call;
        return phase == SAGA_PHASE_COMPENSATION && call->target != NULL ? call : NULL;
    }
    const struct step_spec *spec = &s->definition->steps[step];
    if (phase == SAGA_PHASE_ACTION)
        return &spec->action;
    return spec->has_compensation ? &spec->compensation : NULL;
}

int saga_step_find(const struct saga *s, struct bytes name)
{
    for (unsigned i = 0; i < s->step_count; i++)
        if (bytes_equal(saga_step_name(s, i), name))
            return (int)i;
    return -1;
}

bool saga_step_has_compensation(const struct saga *s, unsigned step)
{
    return saga_step_call(s, step, SAGA_PHASE_COMPENSATION) != NULL;
}

static const struct step *pivot_of(const struct saga *s)
{
    if (s->definition == NULL || s->definition->pivot_step < 0)
        return NULL;
    return &s->steps[s->definition->pivot_step];
}

bool saga_past_pivot(const struct saga *s)
{
    const struct step *pivot = pivot_of(s);
    return pivot != NULL && (pivot->action == SAGA_ACTION_DONE || pivot->action == SAGA_ACTION_SKIPPED);
}

bool saga_at_pivot(const struct saga *s)
{
    const struct step *pivot = pivot_of(s);
    if (DEFECT(RETRIED_PIVOT_FORGOTTEN) && pivot != NULL)
        return pivot->action != SAGA_ACTION_PENDING && pivot->action != SAGA_ACTION_REJECTED;
    return pivot != NULL &&
           (pivot->maybe_executed || (pivot->action != SAGA_ACTION_PENDING && pivot->action != SAGA_ACTION_REJECTED));
}

bool saga_pivot_awaited(const struct saga *s)
{
    const struct step *pivot = pivot_of(s);
    return pivot != NULL && (pivot->out || (pivot->action == SAGA_ACTION_PENDING && pivot->maybe_executed &&
                                            !DEFECT(RETRIED_PIVOT_FORGOTTEN)));
}

unsigned saga_calls_out(const struct saga *s, uint8_t phase)
{
    unsigned count = 0;
    for (unsigned i = 0; i < s->step_count; i++)
        if (s->steps[i].out && (s->steps[i].action == SAGA_ACTION_STARTED) == (phase == SAGA_PHASE_ACTION))
            count++;
    return count;
}

bool saga_step_stuck(const struct saga *s, unsigned step)
{
    const struct step *t = &s->steps[step];
    if (s->state != SAGA_STUCK)
        return false;
    if (s->stuck_from == SAGA_COMPENSATING)
        return t->compensation == SAGA_COMPENSATION_FAILED;
    return t->action == SAGA_ACTION_REJECTED || t->action == SAGA_ACTION_UNKNOWN;
}
