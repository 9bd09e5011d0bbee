/* anchors.c - most sagas are no anchor, which one multiplication tells; for the others the array is searched and moved, which is 8 bytes for
 * each ANCHOR_EVERY sagas that live, once in so many of them. */
#include "sidecar/engine/anchors.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"
#include "sidecar/engine/saga.h"

#include <stdbool.h>
#include <string.h>

/* Twice as many as there are on the average. */
#define ROOM_OF(sagas) ((sagas) / (ANCHOR_EVERY / 2) + 64)

int anchors_init(struct anchors *a, const struct memory *memory, uint32_t sagas, uint64_t seed)
{
    *a = (struct anchors){.room = ROOM_OF(sagas), .seed = seed};
    a->at = memory_take(memory, a->room * sizeof(struct saga *));
    return a->at == NULL ? E_MEMORY : 0;
}

void anchors_finish(struct anchors *a, const struct memory *memory)
{
    memory_give_back(memory, a->at, a->room * sizeof(struct saga *));
}

/* Fibonacci's hash spreads serials in a row evenly. */
static bool is_anchor(const struct anchors *a, uint64_t serial)
{
    return (serial + a->seed) * UINT64_C(0x9E3779B97F4A7C15) <= UINT64_MAX / ANCHOR_EVERY;
}

/* How many have a serial that is not above this one. */
static uint32_t count_up_to(const struct anchors *a, uint64_t serial)
{
    uint32_t low = 0, high = a->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (a->at[middle]->id.serial <= serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void anchors_add(struct anchors *a, struct saga *s)
{
    if (!is_anchor(a, s->id.serial) || a->count == a->room)
        return;
    uint32_t index = count_up_to(a, s->id.serial);
    CHECK(index == 0 || a->at[index - 1]->id.serial < s->id.serial);
    memmove(&a->at[index + 1], &a->at[index], (a->count - index) * sizeof(struct saga *));
    a->at[index] = s;
    a->count++;
}

void anchors_remove(struct anchors *a, const struct saga *s)
{
    if (!is_anchor(a, s->id.serial))
        return;
    uint32_t end = count_up_to(a, s->id.serial);
    if (end == 0 || a->at[end - 1] != s)
        return; /* there was no room for it */
    a->count--;
    memmove(&a->at[end - 1], &a->at[end], (a->count - (end - 1)) * sizeof(struct saga *));
}

struct saga *anchors_floor(const struct anchors *a, uint64_t serial)
{
    uint32_t count = count_up_to(a, serial);
    return count == 0 ? NULL : a->at[count - 1];
}
