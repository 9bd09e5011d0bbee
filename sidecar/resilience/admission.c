/* admission.c - bounds on what lives and begins, and when to come again. */
#include "sidecar/resilience/admission.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

#define DELAY_MIN    SPAN_MS(10)
#define DELAY_MAX    SPAN_S(60)
#define PACE_UNKNOWN SPAN_MS(100)
#define PACE_WEIGHT  8 /* the last end counts for an eighth */

void admission_set(struct admission *a, const struct admission_options *options)
{
    bool same =
        a->options.starts.per_second == options->starts.per_second && a->options.starts.burst == options->starts.burst;
    a->options = *options;
    a->told = (struct instant){0};
    if (!same)
        rate_set(&a->starts, &options->starts);
}

/* Behind those who were told before, at this pace; first: when there will be room for one. */
static struct span tell(struct admission *a, struct instant now, struct instant first, struct span pace)
{
    struct instant at = instant_max(first, instant_after(a->told, pace));
    at = instant_min(instant_max(at, instant_after(now, DELAY_MIN)), instant_after(now, DELAY_MAX));
    a->told = at;
    return instant_since(at, now);
}

struct span admission_guess(struct admission *a, struct instant now)
{
    struct span pace = a->pace.us > 0 ? a->pace : PACE_UNKNOWN;
    /* When nothing has ended for longer than that, it will hardly come at once. */
    struct span quiet = a->ended_at.us == 0 ? pace : instant_since(now, a->ended_at);
    return tell(a, now, instant_after(now, quiet.us > pace.us ? quiet : pace), pace);
}

enum admission_verdict admission_asks(struct admission *a, struct instant now, struct span *delay)
{
    struct instant again = now;
    if (a->options.live_max > 0 && a->live >= a->options.live_max && !DEFECT(LIVE_UNBOUNDED)) {
        *delay = admission_guess(a, now);
        return ADMISSION_LIVE;
    }
    if (!rate_admits(&a->starts, now, &again) && !DEFECT(STARTS_UNBOUNDED)) {
        *delay = tell(a, now, again, (struct span){.us = (a->starts.interval_ns + 999) / 1000});
        return ADMISSION_STARTS;
    }
    return ADMISSION_OPEN;
}

void admission_take(struct admission *a, struct instant now)
{
    rate_take(&a->starts, now);
}

void admission_note_end(struct admission *a, struct instant now)
{
    if (a->ended_at.us != 0 && !instant_before(now, a->ended_at)) {
        int64_t took = instant_since(now, a->ended_at).us;
        a->pace.us = a->pace.us == 0 ? took : a->pace.us + (took - a->pace.us) / PACE_WEIGHT;
    }
    a->ended_at = now;
}

void admission_end(struct admission *a, struct instant now)
{
    CHECK(a->live > 0);
    a->live--;
    admission_note_end(a, now);
}
