/* recent.h - what has happened in the last minutes, in slices of time: counts, and how long it took. Pure; the owner embeds it and tells the
 * time. Zeroed memory is one to which nothing has happened. Never kept over a restart. */
#ifndef SAGA_OBSERVE_RECENT_H
#define SAGA_OBSERVE_RECENT_H

#include "sidecar/base/instant.h"

#define RECENT_SLICE  SPAN_S(10)
#define RECENT_SLICES 30 /* five minutes */

enum recent_kind {
    RECENT_GOOD,
    RECENT_REFUSED, /* a definite no: whoever answered works */
    RECENT_FAILED,
    RECENT_KINDS,
};

struct recent_sum {
    uint32_t counts[RECENT_KINDS];
    int64_t took_us; /* all together */
    int64_t took_most_us;
};

struct recent {
    struct recent_slice {
        int64_t number; /* of its time; what is older than the window counts no more */
        struct recent_sum sum;
    } slices[RECENT_SLICES];
};

void recent_add(struct recent *r, struct instant now, enum recent_kind kind, struct span took);

/* What the window holds that ends at now. */
struct recent_sum recent_sum(const struct recent *r, struct instant now);

#endif
