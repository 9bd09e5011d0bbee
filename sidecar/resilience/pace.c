/* pace.c - the least time of answers, in two windows. */
#include "sidecar/resilience/pace.h"

static struct span least(struct span a, struct span b)
{
    return a.us == 0 ? b : b.us == 0 ? a : span_min(a, b);
}

void pace_note(struct pace *p, struct span took, struct instant now)
{
    if (!instant_before(now, p->until)) {
        p->before = instant_before(now, instant_after(p->until, PACE_WINDOW)) ? p->least : (struct span){0};
        p->least = (struct span){0};
        p->until = instant_after(now, PACE_WINDOW);
    }
    if (took.us <= 0)
        return;
    p->least = least(p->least, took);
    p->noted_at = now;
}

struct span pace_least(const struct pace *p, struct instant now)
{
    int fresh = instant_before(now, instant_after(p->noted_at, PACE_FRESH));
    return fresh ? least(p->least, p->before) : (struct span){0};
}
