/* anchors.h - a sparse sorted array over the list of sagas by serial: about one saga in ANCHOR_EVERY is in it, chosen by a hash of its serial.
 * From the nearest of them a place in the list is a short walk, however many sagas live. */
#ifndef SAGA_ENGINE_ANCHORS_H
#define SAGA_ENGINE_ANCHORS_H

#include "sidecar/base/memory.h"

#include <stdint.h>

struct saga;

#define ANCHOR_EVERY 256

struct anchors {
    struct saga **at; /* borrowed, by serial */
    uint32_t count, room;
    uint64_t seed;
};

/* For about so many sagas; with more of them walks grow longer. Seeded, so that nobody outside knows which sagas to end for long walks.
 * 0 or E_MEMORY. */
int anchors_init(struct anchors *a, const struct memory *memory, uint32_t sagas, uint64_t seed);
void anchors_finish(struct anchors *a, const struct memory *memory);

void anchors_add(struct anchors *a, struct saga *s);
void anchors_remove(struct anchors *a, const struct saga *s);

/* The last anchor whose serial is not above this one; NULL: none. */
struct saga *anchors_floor(const struct anchors *a, uint64_t serial);

#endif
