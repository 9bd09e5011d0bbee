/* breaker.c - the circuit breaker. */
#include "sidecar/resilience/breaker.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

#include <string.h>

/* Of one that only a person opens. */
static const struct breaker_options by_hand = {
    .window = {.us = 10000000}, .volume = 1, .open = {.us = 5000000}, .open_max = {.us = 5000000}, .probes = 1};

void breaker_set(struct breaker *b, const struct breaker_options *options)
{
    b->options = options->window.us == 0 ? by_hand : *options;
    CHECK(b->options.window.us >= BREAKER_SLICES && b->options.open.us > 0);
    CHECK(b->options.open_max.us >= b->options.open.us);
    CHECK(b->options.probes > 0 && b->options.volume >= b->options.probes);
}

void breaker_restore(struct breaker *b, const struct breaker_mark *mark, struct instant now)
{
    b->mark = *mark;
    if (b->options.window.us > 0)
        b->mark.open_until = instant_min(mark->open_until, instant_after(now, b->options.open_max));
}

enum breaker_state breaker_state(const struct breaker *b, struct instant now)
{
    if (!b->mark.open)
        return BREAKER_CLOSED;
    return b->mark.held || instant_before(now, b->mark.open_until) ? BREAKER_OPEN : BREAKER_HALF_OPEN;
}

static uint32_t good_probes(const struct breaker *b)
{
    return b->probed.calls - (b->options.failure_percent > 0 ? b->probed.failed : 0);
}

bool breaker_open_admits(const struct breaker *b, struct instant now, struct instant *again)
{
    if (breaker_state(b, now) == BREAKER_OPEN) {
        if (!b->mark.held)
            *again = b->mark.open_until;
        return DEFECT(BREAKER_IGNORED);
    }
    /* Each good answer makes room for two: twice as many each time. One alone may always be tried. */
    return b->probes_out == 0 || b->probes_out + b->probed.calls < b->options.probes + 2 * good_probes(b) ||
           DEFECT(PROBES_UNBOUNDED);
}

/* ---- counting ---- */

/* Slices that have gone by count no more. */
static void look(struct breaker *b, struct instant now)
{
    struct span slice = {.us = b->options.window.us / BREAKER_SLICES};
    for (unsigned i = 0; i < BREAKER_SLICES && !instant_before(now, b->slice_ends); i++) {
        b->slice = (b->slice + 1) % BREAKER_SLICES;
        struct breaker_counts *old = &b->slices[b->slice];
        b->window.calls -= old->calls;
        b->window.failed -= old->failed;
        b->window.slow -= old->slow;
        *old = (struct breaker_counts){0};
        b->slice_ends = instant_after(b->slice_ends, slice);
    }
    if (!instant_before(now, b->slice_ends))
        b->slice_ends = instant_after(now, slice);
}

static void count(struct breaker_counts *c, bool failed, bool slow)
{
    c->calls++;
    c->failed += failed;
    c->slow += slow;
}

static bool reaches(uint32_t part, uint32_t calls, uint32_t percent)
{
    return percent > 0 && (uint64_t)part * 100 >= (uint64_t)calls * percent;
}

static bool is_bad(const struct breaker *b, const struct breaker_counts *c, uint32_t volume)
{
    return c->calls >= volume && (reaches(c->failed, c->calls, b->options.failure_percent) ||
                                  reaches(c->slow, c->calls, b->options.slow_percent));
}

static void forget(struct breaker *b)
{
    memset(b->slices, 0, sizeof b->slices);
    b->window = b->probed = (struct breaker_counts){0};
    b->probes_out = 0;
}

static void open(struct breaker *b, struct instant now)
{
    struct span time = b->options.open;
    for (uint32_t i = 0; i < b->mark.openings && time.us < b->options.open_max.us; i++)
        time.us = time.us > b->options.open_max.us / 2 ? b->options.open_max.us : time.us * 2;
    forget(b);
    b->mark.open = true;
    b->mark.openings += b->mark.openings < UINT32_MAX;
    b->mark.opened_at = now;
    b->mark.open_until = instant_after(now, time);
}

static void close(struct breaker *b)
{
    forget(b);
    b->mark = (struct breaker_mark){.opened_at = b->mark.opened_at};
}

/* ---- calls ---- */

void breaker_open_leave(struct breaker *b, struct instant now)
{
    if (breaker_state(b, now) == BREAKER_HALF_OPEN)
        b->probes_out++;
}

enum breaker_outcome breaker_outcome(const struct breaker *b, int status)
{
    return status > 0 && status < 32 && (b->options.status_codes >> status & 1) != 0 ? BREAKER_FAILED
                                                                                     : BREAKER_ANSWERED;
}

static bool return_probe(struct breaker *b, struct instant now, enum breaker_outcome outcome, bool slow)
{
    CHECK(b->probes_out > 0);
    b->probes_out--;
    if (outcome == BREAKER_NOTHING)
        return false;
    count(&b->probed, outcome == BREAKER_FAILED, slow);
    if (is_bad(b, &b->probed, b->options.probes))
        open(b, now);
    else if (good_probes(b) >= b->options.volume)
        close(b);
    else
        return false;
    return true;
}

bool breaker_count(struct breaker *b, struct instant left_at, struct instant now, enum breaker_outcome outcome)
{
    bool slow = instant_since(now, left_at).us >= b->options.slow_call.us;
    switch (breaker_state(b, now)) {
    case BREAKER_HALF_OPEN:
        /* What left before tells how it was before. */
        return instant_before(left_at, b->mark.open_until) ? false : return_probe(b, now, outcome, slow);
    case BREAKER_OPEN:
        return false;
    case BREAKER_CLOSED:
        break;
    }
    if (outcome == BREAKER_NOTHING || instant_before(left_at, b->mark.opened_at))
        return false;
    look(b, now);
    count(&b->slices[b->slice], outcome == BREAKER_FAILED, slow);
    count(&b->window, outcome == BREAKER_FAILED, slow);
    if (!is_bad(b, &b->window, b->options.volume))
        return false;
    open(b, now);
    return true;
}

/* ---- people ---- */

void breaker_trip(struct breaker *b, struct instant now)
{
    open(b, now);
    b->mark.held = false;
}

void breaker_hold(struct breaker *b, struct instant now)
{
    open(b, now);
    b->mark.held = true;
}

void breaker_reset(struct breaker *b)
{
    close(b);
}

void breaker_check(const struct breaker *b)
{
    CHECK(b->window.failed <= b->window.calls && b->window.slow <= b->window.calls);
    CHECK(b->probed.failed <= b->probed.calls && b->probed.slow <= b->probed.calls);
    CHECK(b->mark.open || (!b->mark.held && b->probes_out == 0 && b->mark.openings == 0));
}
