/* clock.c - the only place where the sidecar reads time for its sagas. */
#include "sidecar/runtime/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void clock_init(struct clock *c)
{
    c->offset_us = read_us(CLOCK_REALTIME) - read_us(CLOCK_BOOTTIME);
}

struct instant clock_now(const struct clock *c)
{
    return (struct instant){.us = read_us(CLOCK_BOOTTIME) + c->offset_us};
}

struct span clock_difference(const struct clock *c)
{
    int64_t ahead = clock_now(c).us - read_us(CLOCK_REALTIME);
    return (struct span){.us = ahead < 0 ? -ahead : ahead};
}

void clock_not_before(struct clock *c, struct instant earliest)
{
    int64_t behind = earliest.us - clock_now(c).us;
    if (behind > 0)
        c->offset_us += behind;
}
