/* participants.c - targets by their names. */
#include "sidecar/definition/participants.h"

#include <string.h>

const struct participant *participants_find(const struct participants *p, const char *name)
{
    for (unsigned i = 0; p->at != NULL && i < p->count; i++)
        if (strcmp(p->at[i].name, name) == 0)
            return &p->at[i];
    return NULL;
}

struct span participants_timeout(const struct participants *p, const struct step_spec *s, bool compensation)
{
    const struct call_spec *call = compensation ? &s->compensation : &s->action;
    struct span longest = call->timeout;
    const char *name;
    for (unsigned k = 0; call->timeout.us == 0 && (name = step_spec_target(s, compensation, k)) != NULL; k++) {
        const struct participant *target = participants_find(p, name);
        struct span timeout = target == NULL ? PARTICIPANT_TIMEOUT : target->timeout;
        longest = timeout.us > longest.us ? timeout : longest;
    }
    return longest;
}
