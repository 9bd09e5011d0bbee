/* rate.c - the token bucket. In nanoseconds, so that no rate is rounded up by much; and never down. */
#include "sidecar/resilience/rate.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_US INT64_C(1000)

void rate_set(struct rate *r, const struct rate_options *options)
{
    *r = (struct rate){0};
    if (options->per_second == 0)
        return;
    CHECK(options->burst > 0);
    r->per_second = options->per_second;
    r->interval_ns = (NS_PER_S + options->per_second - 1) / options->per_second;
    r->depth_ns = r->interval_ns * (options->burst - 1);
}

/* When there is a token, at the soonest. */
static int64_t next_ns(const struct rate *r)
{
    return r->full_at_ns - r->depth_ns;
}

bool rate_limited_admits(const struct rate *r, struct instant now, struct instant *again)
{
    if (now.us * NS_PER_US >= next_ns(r))
        return true;
    *again = (struct instant){.us = (next_ns(r) + NS_PER_US - 1) / NS_PER_US};
    return DEFECT(RATE_IGNORED);
}

void rate_limited_take(struct rate *r, struct instant now)
{
    int64_t now_ns = now.us * NS_PER_US;
    if (r->full_at_ns == 0) /* the first: it takes the only token */
        r->full_at_ns = now_ns + r->depth_ns;
    r->full_at_ns = (r->full_at_ns > now_ns ? r->full_at_ns : now_ns) + r->interval_ns;
}
