/* recent.c - a ring of slices. */
#include "sidecar/observe/recent.h"

static int64_t number_of(struct instant now)
{
    return now.us / RECENT_SLICE.us;
}

void recent_add(struct recent *r, struct instant now, enum recent_kind kind, struct span took)
{
    int64_t number = number_of(now);
    struct recent_slice *slice = &r->slices[number % RECENT_SLICES];
    if (slice->number != number)
        *slice = (struct recent_slice){.number = number};
    int64_t us = took.us < 0 ? 0 : took.us;
    slice->sum.counts[kind]++;
    slice->sum.took_us += us;
    if (us > slice->sum.took_most_us)
        slice->sum.took_most_us = us;
}

struct recent_sum recent_sum(const struct recent *r, struct instant now)
{
    struct recent_sum all = {.took_us = 0};
    int64_t number = number_of(now);
    for (unsigned i = 0; i < RECENT_SLICES; i++) {
        const struct recent_slice *slice = &r->slices[i];
        if (slice->number > number || slice->number <= number - RECENT_SLICES)
            continue;
        for (unsigned k = 0; k < RECENT_KINDS; k++)
            all.counts[k] += slice->sum.counts[k];
        all.took_us += slice->sum.took_us;
        if (slice->sum.took_most_us > all.took_most_us)
            all.took_most_us = slice->sum.took_most_us;
    }
    return all;
}
