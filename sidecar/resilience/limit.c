/* limit.c - a gradient: how long calls take without load, against how long they take now. */
#include "sidecar/resilience/limit.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

#define ONE          1000 /* call, in thousandths */
#define FIRST        8    /* calls: it begins cautiously */
#define WINDOW       SPAN_MS(50)
#define WINDOW_COUNT 10
/* Calls may take so much longer than without load. */
#define TOLERATED_PERMILLE 1250
/* The least that a window leaves, and how much of what it says is taken at once. */
#define LEAST_PERMILLE  500
#define SMOOTH_PERMILLE 400
#define FAILED_PERMILLE 900

static uint64_t root(uint64_t n)
{
    uint64_t r = 0;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

static uint64_t bounded(const struct limit *l, uint64_t thousandths)
{
    uint64_t most = (uint64_t)l->max * ONE;
    if (thousandths < ONE)
        return ONE;
    return thousandths > most && !DEFECT(LIMIT_UNBOUNDED) ? most : thousandths;
}

void limit_set(struct limit *l, uint32_t max)
{
    if (max == 0) {
        *l = (struct limit){0};
        return;
    }
    l->max = max;
    l->thousandths = bounded(l, l->thousandths == 0 ? FIRST * ONE : l->thousandths);
}

uint32_t limit_places(const struct limit *l)
{
    uint64_t places = (l->probing ? l->thousandths / 2 : l->thousandths) / ONE;
    return places == 0 ? 1 : (uint32_t)places;
}

/* What the window says of the limit. */
static void adjust(struct limit *l, int64_t mean_us)
{
    uint64_t calls = l->thousandths / ONE;
    int64_t gradient = mean_us == 0 ? 1000 : TOLERATED_PERMILLE * l->base_us / mean_us;
    gradient = gradient > 1000 ? 1000 : gradient < LEAST_PERMILLE ? LEAST_PERMILLE : gradient;
    uint64_t wanted = l->thousandths * (uint64_t)gradient / 1000 + root(calls) * ONE;
    /* Nobody has asked for more. Of whole calls: of a limit of 1.4 there is one to use. */
    bool unused = (uint64_t)l->most * 5 < calls * 4;
    if (l->failed * 10 > l->count)
        wanted = l->thousandths * FAILED_PERMILLE / 1000;
    else if (unused && wanted > l->thousandths)
        return;
    uint64_t next = (l->thousandths * (1000 - SMOOTH_PERMILLE) + wanted * SMOOTH_PERMILLE) / 1000;
    l->thousandths = bounded(l, next);
}

static void end_window(struct limit *l, struct instant now)
{
    int64_t mean = l->sum_us / l->count;
    if (l->probing || l->base_us == 0)
        l->base_us = mean > 0 ? mean : 1;
    else if (mean < l->base_us)
        l->base_us = mean > 0 ? mean : 1;
    if (!l->probing)
        adjust(l, mean);
    l->windows = l->probing ? 0 : l->windows + 1;
    l->probing = l->windows >= LIMIT_PROBE_WINDOWS;
    l->began_at = now;
    l->count = l->failed = l->most = 0;
    l->sum_us = 0;
}

void limit_return(struct limit *l, struct instant left_at, struct instant now, uint32_t in_flight, bool failed)
{
    if (l->max == 0)
        return;
    if (l->began_at.us == 0)
        l->began_at = now;
    /* What left before the window says nothing of it, and least of a probe. */
    if (instant_before(left_at, l->began_at))
        return;
    l->count++;
    l->failed += failed;
    l->most = in_flight > l->most ? in_flight : l->most;
    l->sum_us += instant_since(now, left_at).us;
    if (l->count >= WINDOW_COUNT && instant_since(now, l->began_at).us >= WINDOW.us)
        end_window(l, now);
}

void limit_check(const struct limit *l)
{
    CHECK(l->max == 0 ? l->thousandths == 0 : l->thousandths >= ONE);
    CHECK(l->thousandths <= (uint64_t)l->max * ONE || DEFECT(LIMIT_UNBOUNDED));
    CHECK(l->failed <= l->count && l->base_us >= 0);
}
