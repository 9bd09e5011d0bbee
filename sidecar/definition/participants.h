/* participants.h - what a configuration says of those whom definitions call, as whoever judges a definition sees it. */
#ifndef SAGA_DEFINITION_PARTICIPANTS_H
#define SAGA_DEFINITION_PARTICIPANTS_H

#include "sidecar/definition/model.h"

/* Of an attempt of which nothing says how long it may take. */
#define PARTICIPANT_TIMEOUT SPAN_S(10)

/* One target of sagad.yaml. All borrowed. */
struct participant {
    const char *name, *address;
    bool tls, barrier;
    struct span timeout; /* of an attempt that declares none */
    uint32_t max_concurrent_calls;
};

struct participants {
    const struct participant *at; /* NULL: nobody knows which there are */
    unsigned count;
};

/* NULL: there is none of this name, or nobody knows. */
const struct participant *participants_find(const struct participants *p, const char *name);

/* How long an attempt of a call may take: what the call says, else what its target does, the longest where one of several is chosen. */
struct span participants_timeout(const struct participants *p, const struct step_spec *s, bool compensation);

#endif
