/* quiet.h - how long an attempt may run that nothing is heard of any more: one rule for the calls that are out, and for those that a
 * former life of the sidecar had out.
 *
 * The participant's own deadline is the timeout as it stands on the wire. gRPC writes three digits at most, rounded up
 * (https://github.com/grpc/grpc/blob/v1.51.1/src/core/lib/transport/timeout_encoding.cc), so by less than a hundredth; and it counts from
 * where the call arrives. */
#ifndef SAGA_BASE_QUIET_H
#define SAGA_BASE_QUIET_H

#include "sidecar/base/defect.h"
#include "sidecar/base/instant.h"

#define QUIET_ROUNDING 100          /* a timeout may be longer by this part of it on the wire */
#define QUIET_WAY      SPAN_MS(250) /* and the call may be that long on its way */

/* Until when an attempt of this timeout that left at `left` may be running. */
static inline struct instant quiet_at(struct instant left, struct span timeout)
{
    if (DEFECT(QUIET_IS_NOT_ROUNDED))
        return instant_after(left, timeout);
    return instant_after(instant_after(instant_after(left, timeout), (struct span){.us = timeout.us / QUIET_ROUNDING}),
                         QUIET_WAY);
}

#endif
