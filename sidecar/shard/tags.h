/* tags.h - what the journals tell of what lives where: which of them an id's tag belongs to (SUBJECT_TAG), and how request_ids are given to them
 * (SUBJECT_PLACEMENT). Filled while the sidecar opens, then only read, by every loop. Pure. */
#ifndef SAGA_SHARD_TAGS_H
#define SAGA_SHARD_TAGS_H

#include "sidecar/base/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct tag_place {
    uint64_t tag;
    unsigned loop;
};

struct tags {
    struct tag_place *all; /* by tag */
    size_t count, room;
    bool mixed; /* request_ids are placed by the mixed hash (place.h) */
};

/* A tag that is there already goes over to this loop. t is zeroed at first. Returns 0 or E_MEMORY. */
int tags_add(struct tags *t, const struct memory *memory, uint64_t tag, unsigned loop);

/* The loop, or -1 when no journal told of the tag. */
int tags_find(const struct tags *t, uint64_t tag);

/* Nothing lives in this loop any more. */
void tags_drop(struct tags *t, unsigned loop);

void tags_finish(struct tags *t, const struct memory *memory);

#endif
