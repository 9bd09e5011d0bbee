/* backoff.c - exponential backoff in whole microseconds, so that every compiler computes the same. */
#include "sidecar/resilience/backoff.h"

#include "sidecar/base/defect.h"

struct span backoff_delay(const struct backoff *b, unsigned failed, struct random *random)
{
    int64_t delay = b->initial.us;
    for (unsigned i = 1; i < failed && delay < b->max.us; i++) {
        if (b->multiplier_permille <= 1000)
            break;
        delay = delay > INT64_MAX / b->multiplier_permille ? INT64_MAX : delay * b->multiplier_permille / 1000;
    }
    if (delay > b->max.us && !DEFECT(BACKOFF_WITHOUT_CAP))
        delay = b->max.us;
    if (b->jitter_permille == 0 || delay == 0)
        return (struct span){.us = delay};
    /* A thousandth at a time keeps the product far from overflow for every delay up to centuries. */
    int64_t step = delay / 1000 * b->jitter_permille + delay % 1000 * b->jitter_permille / 1000;
    if (DEFECT(JITTER_TENFOLD))
        step = delay / 1000 * b->jitter_permille * 10 % (delay + 1);
    int64_t low = delay - step, high = delay > b->max.us - step ? b->max.us : delay + step;
    return (struct span){.us = low + (int64_t)random_below(random, (uint64_t)(high - low) + 1)};
}
