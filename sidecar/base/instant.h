/* instant.h - points and lengths of time, two types that the compiler keeps apart. Both count microseconds.
 *
 * An instant is Unix time as the sidecar's own clock tells it: that clock starts from the wall clock, never runs
 * backwards (neither within a run nor behind what the journal already holds), and is read only in runtime/. */
#ifndef SAGA_BASE_INSTANT_H
#define SAGA_BASE_INSTANT_H

#include <stdint.h>

struct instant {
    int64_t us;
};

struct span {
    int64_t us;
};

/* Later than every instant that occurs: "no time is set". */
#define INSTANT_NEVER ((struct instant){.us = INT64_MAX})

#define SPAN_MS(n) ((struct span){.us = (int64_t)(n)*1000})
#define SPAN_S(n)  ((struct span){.us = (int64_t)(n)*1000000})

/* The instant that lies span after from; saturates at INSTANT_NEVER. */
static inline struct instant instant_after(struct instant from, struct span span)
{
    return span.us > INT64_MAX - from.us ? INSTANT_NEVER : (struct instant){.us = from.us + span.us};
}

/* The length from earlier to later; negative when they are the other way round. */
static inline struct span instant_since(struct instant later, struct instant earlier)
{
    return (struct span){.us = later.us - earlier.us};
}

static inline int instant_before(struct instant a, struct instant b)
{
    return a.us < b.us;
}

static inline struct instant instant_min(struct instant a, struct instant b)
{
    return a.us < b.us ? a : b;
}

static inline struct instant instant_max(struct instant a, struct instant b)
{
    return a.us > b.us ? a : b;
}

static inline struct span span_min(struct span a, struct span b)
{
    return a.us < b.us ? a : b;
}

static inline struct span span_max(struct span a, struct span b)
{
    return a.us > b.us ? a : b;
}

#endif
