/* timers.c - which saga is due first: a binary heap with a saga's place kept in the saga. */
#include "sidecar/engine/engine_inside.h"

static void put(struct engine *e, uint32_t index, struct saga *s)
{
    e->timers[index] = s;
    s->timer_slot = index + 1;
}

static void sift_up(struct engine *e, uint32_t index, struct saga *s)
{
    while (index > 0 && instant_before(s->due, e->timers[(index - 1) / 2]->due)) {
        put(e, index, e->timers[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(e, index, s);
}

static void sift_down(struct engine *e, uint32_t index, struct saga *s)
{
    for (;;) {
        uint32_t child = index * 2 + 1;
        if (child >= e->timer_count)
            break;
        if (child + 1 < e->timer_count && instant_before(e->timers[child + 1]->due, e->timers[child]->due))
            child++;
        if (!instant_before(e->timers[child]->due, s->due))
            break;
        put(e, index, e->timers[child]);
        index = child;
    }
    put(e, index, s);
}

static void take_out(struct engine *e, struct saga *s)
{
    uint32_t index = s->timer_slot - 1;
    s->timer_slot = 0;
    struct saga *last = e->timers[--e->timer_count];
    if (last == s)
        return;
    if (index > 0 && instant_before(last->due, e->timers[(index - 1) / 2]->due))
        sift_up(e, index, last);
    else
        sift_down(e, index, last);
}

void timers_set(struct engine *e, struct saga *s, struct instant due)
{
    if (due.us == INSTANT_NEVER.us) {
        if (s->timer_slot != 0)
            take_out(e, s);
        return;
    }
    if (s->timer_slot == 0) {
        CHECK(e->timer_count < e->options.live_sagas_max + 1);
        s->due = due;
        sift_up(e, e->timer_count++, s);
        return;
    }
    struct instant before = s->due;
    s->due = due;
    if (instant_before(due, before))
        sift_up(e, s->timer_slot - 1, s);
    else if (instant_before(before, due))
        sift_down(e, s->timer_slot - 1, s);
}

struct saga *timers_first(const struct engine *e)
{
    return e->timer_count == 0 ? NULL : e->timers[0];
}
