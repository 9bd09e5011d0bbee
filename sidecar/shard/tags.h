/* tags.h - which loop's journal an id's tag belongs to, as the journals tell (SUBJECT_TAG). Filled while the sidecar opens, then only read,
 * by every loop. Pure. */
#ifndef SAGA_SHARD_TAGS_H
#define SAGA_SHARD_TAGS_H

#include "sidecar/base/memory.h"

#include <stdint.h>

struct tag_place {
    uint64_t tag;
    unsigned loop;
};

struct tags {
    struct tag_place *all; /* by tag */
    size_t count, room;
};

/* A tag that is there already goes over to this loop. t is zeroed at first. Returns 0 or E_MEMORY. */
int tags_add(struct tags *t, const struct memory *memory, uint64_t tag, unsigned loop);

/* The loop, or -1 when no journal told of the tag. */
int tags_find(const struct tags *t, uint64_t tag);

void tags_finish(struct tags *t, const struct memory *memory);

#endif
