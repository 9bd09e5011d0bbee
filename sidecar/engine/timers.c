/* timers.c - the binary heap of timers. */
#include "sidecar/engine/timers.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"

#include <stdbool.h>

int timers_init(struct timers *t, const struct memory *memory, uint32_t room)
{
    *t = (struct timers){.room = room, .heap = memory_take(memory, (size_t)room * sizeof(struct timer *))};
    return t->heap == NULL ? E_MEMORY : 0;
}

void timers_finish(struct timers *t, const struct memory *memory)
{
    memory_give_back(memory, t->heap, (size_t)t->room * sizeof(struct timer *));
}

static bool is_before(const struct timer *a, const struct timer *b)
{
    return instant_before(a->due, b->due);
}

static void put(struct timers *t, uint32_t index, struct timer *timer)
{
    t->heap[index] = timer;
    timer->slot = index + 1;
}

static void sift_up(struct timers *t, uint32_t index, struct timer *timer)
{
    while (index > 0 && is_before(timer, t->heap[(index - 1) / 2])) {
        put(t, index, t->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(t, index, timer);
}

static void sift_down(struct timers *t, uint32_t index, struct timer *timer)
{
    for (;;) {
        uint32_t child = index * 2 + 1;
        if (child >= t->count)
            break;
        if (child + 1 < t->count && is_before(t->heap[child + 1], t->heap[child]))
            child++;
        if (!is_before(t->heap[child], timer))
            break;
        put(t, index, t->heap[child]);
        index = child;
    }
    put(t, index, timer);
}

static void take_out(struct timers *t, struct timer *timer)
{
    uint32_t index = timer->slot - 1;
    timer->slot = 0;
    struct timer *last = t->heap[--t->count];
    if (last == timer)
        return;
    if (index > 0 && is_before(last, t->heap[(index - 1) / 2]))
        sift_up(t, index, last);
    else
        sift_down(t, index, last);
}

void timers_set(struct timers *t, struct timer *timer, struct instant due)
{
    CHECK(timer->slot == 0 || (timer->slot <= t->count && t->heap[timer->slot - 1] == timer));
    if (due.us == INSTANT_NEVER.us) {
        if (timer->slot != 0)
            take_out(t, timer);
        return;
    }
    if (timer->slot == 0) {
        CHECK(t->count < t->room);
        timer->due = due;
        sift_up(t, t->count++, timer);
        return;
    }
    struct instant before = timer->due;
    timer->due = due;
    if (instant_before(due, before))
        sift_up(t, timer->slot - 1, timer);
    else if (instant_before(before, due))
        sift_down(t, timer->slot - 1, timer);
}

struct timer *timers_first(const struct timers *t)
{
    return t->count == 0 ? NULL : t->heap[0];
}

void timers_check(const struct timers *t, const struct timer *timer)
{
    CHECK(t->count <= t->room);
    CHECK(timer->subject >= TIMER_OF_SAGA && timer->subject <= TIMER_OF_ANSWERS);
    if (timer->slot == 0)
        return;
    uint32_t index = timer->slot - 1, child = index * 2 + 1;
    CHECK(index < t->count);
    CHECK(t->heap[index] == timer);
    CHECK(timer->due.us != INSTANT_NEVER.us);
    CHECK(index == 0 || !is_before(timer, t->heap[(index - 1) / 2]));
    CHECK(child >= t->count || !is_before(t->heap[child], timer));
}
