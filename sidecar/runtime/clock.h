/* clock.h - the sidecar's clock: wall-clock time at its start, then what has really passed. It never runs backwards, and a wall clock that
 * is set while the sidecar runs makes no deadline come early or late. */
#ifndef SAGA_RUNTIME_CLOCK_H
#define SAGA_RUNTIME_CLOCK_H

#include "sidecar/base/instant.h"

struct clock {
    int64_t offset_us; /* from the time since boot to Unix time */
};

void clock_init(struct clock *c);

struct instant clock_now(const struct clock *c);

/* How far it is from the system's wall clock by now, either way. */
struct span clock_difference(const struct clock *c);

/* The clock may not stand behind what the journal holds (the wall clock was set back while the sidecar was down): it goes on from there. */
void clock_not_before(struct clock *c, struct instant earliest);

#endif
