/* limit.h - how many calls of a target may be in flight, found out from how long they take: as many as keep it busy, and no more that would only wait
 * there. Pure: the caller tells the time. Owns nothing; the caller embeds it. One owner, no locks.
 *
 * What comes back is looked at in windows. When calls take little longer than they do without load there is room for more; when they take longer,
 * there are too many; what fails counts as too many, too. How long a call takes without load is measured anew now and then, with half as many for a
 * window.
 *
 *                quick, and all places were used: a few more
 *              .-----------------------------------------------.
 *              v                                               |
 *   PROBE --> LOOK ----- slow, or failures: fewer -------------'
 *     ^        |
 *     '--------' every LIMIT_PROBE_WINDOWS windows: half as many, for a window */
#ifndef SAGA_RESILIENCE_LIMIT_H
#define SAGA_RESILIENCE_LIMIT_H

#include "sidecar/base/instant.h"

#include <stdbool.h>

#define LIMIT_PROBE_WINDOWS 20

struct limit {
    uint32_t max;         /* never more; 0: it is not used */
    uint64_t thousandths; /* of calls that may be in flight now */
    int64_t base_us;      /* how long a call takes without load; 0: not known yet */
    /* the window: */
    struct instant began_at;
    uint32_t count, failed, most; /* that came back; of these; that were in flight at once */
    int64_t sum_us;
    uint32_t windows; /* since the last probe */
    bool probing;
};

/* At most max calls from now on; 0: it is not used. What was found out stays within that. */
void limit_set(struct limit *l, uint32_t max);

/* So many may be in flight: 1 to max. */
uint32_t limit_places(const struct limit *l);

/* A call has come back that left at left_at, when so many were in flight, itself included. failed: it says that the target had too much, or that it is not
 * well; nothing of what never left is told here. */
void limit_return(struct limit *l, struct instant left_at, struct instant now, uint32_t in_flight, bool failed);

/* Ends the process unless it is sound. */
void limit_check(const struct limit *l);

#endif
