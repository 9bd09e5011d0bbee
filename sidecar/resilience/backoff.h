/* backoff.h - how long to wait before the next attempt: exponential, capped, with jitter. Pure.
 *
 * As gRFC A6 (https://github.com/grpc/proposal/blob/master/A6-client-retries.md) names it, but the jitter is a share of the delay that
 * the user chooses, where A6 draws from the whole of it. */
#ifndef SAGA_RESILIENCE_BACKOFF_H
#define SAGA_RESILIENCE_BACKOFF_H

#include "sidecar/base/instant.h"
#include "sidecar/base/random.h"

struct backoff {
    struct span initial;
    struct span max;              /* of every delay, jitter included */
    uint32_t multiplier_permille; /* at least 1000 */
    uint32_t jitter_permille;     /* 0 to 1000 */
};

/* The delay after `failed` attempts have failed (at least 1): initial * multiplier^(failed - 1), at most max, times a number drawn from
 * [1 - jitter, 1 + jitter]; never above max. */
struct span backoff_delay(const struct backoff *b, unsigned failed, struct random *random);

#endif
