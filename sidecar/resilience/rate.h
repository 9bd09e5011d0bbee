/* rate.h - a rate limit: so many calls a second, and so many at once when none has left for a while (a token bucket, kept as the time at which the
 * next token is there). Pure: the caller tells the time. Owns nothing; the caller embeds it.
 *
 * In any stretch of time no more than burst + per_second x its length are let through. A bucket begins empty but for one token: nobody knows what
 * the process before has let through. */
#ifndef SAGA_RESILIENCE_RATE_H
#define SAGA_RESILIENCE_RATE_H

#include "sidecar/base/instant.h"

#include <stdbool.h>

struct rate_options {
    uint32_t per_second; /* 0: there is no limit */
    uint32_t burst;      /* at least 1 */
};

struct rate {
    uint32_t per_second;
    int64_t interval_ns, depth_ns; /* between two tokens; from a full bucket to an empty one */
    int64_t full_at_ns;            /* when the bucket is full; 0: it has not been asked yet */
};

/* Other options from now on. The bucket is empty then, but for one token. Zeroed, there is no limit. */
void rate_set(struct rate *r, const struct rate_options *options);

/* Whether a call may leave now. If not, *again is when one may. */
bool rate_limited_admits(const struct rate *r, struct instant now, struct instant *again);
static inline bool rate_admits(const struct rate *r, struct instant now, struct instant *again)
{
    return r->interval_ns == 0 || rate_limited_admits(r, now, again);
}

/* A call leaves, which was admitted. */
void rate_limited_take(struct rate *r, struct instant now);
static inline void rate_take(struct rate *r, struct instant now)
{
    if (r->interval_ns > 0)
        rate_limited_take(r, now);
}

#endif
