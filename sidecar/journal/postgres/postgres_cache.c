/* postgres_cache.c - frames that were committed or read lately: what is asked of a saga is asked right after it moved, record by record. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

/* Of all frames together; a larger one than a part of it is a long history, which is read once. */
#define CACHE_BYTES_MAX (16u << 20)
#define FRAME_PART      16

bool postgres_cache_find(const struct postgres_store *s, uint64_t frame, struct bytes *records)
{
    CHECK(frame > 0);
    const struct cached_frame *c = &s->cached[frame % CACHED_MAX];
    if (c->frame != frame)
        return false;
    *records = c->records;
    return true;
}

static void forget(struct postgres_store *s, struct cached_frame *c)
{
    CHECK(s->cached_bytes >= c->records.size);
    CHECK((c->frame == 0) == (c->records.at == NULL));
    s->cached_bytes -= c->records.size;
    free((void *)(uintptr_t)c->records.at);
    *c = (struct cached_frame){.frame = 0};
}

void postgres_cache_keep(struct postgres_store *s, uint64_t frame, struct bytes records)
{
    struct cached_frame *c = &s->cached[frame % CACHED_MAX];
    CHECK(frame > 0 && records.size > 0); /* no frame is empty */
    forget(s, c);
    uint8_t *copy = records.size > CACHE_BYTES_MAX / FRAME_PART ? NULL : malloc(records.size);
    if (copy == NULL)
        return;
    memcpy(copy, records.at, records.size);
    *c = (struct cached_frame){.frame = frame, .records = bytes_of(copy, records.size)};
    s->cached_bytes += records.size;
    /* Frames are numbered, so those behind the hand are mostly the oldest. */
    while (s->cached_bytes > CACHE_BYTES_MAX) {
        s->cache_hand = (s->cache_hand + 1) % CACHED_MAX;
        if (&s->cached[s->cache_hand] != c)
            forget(s, &s->cached[s->cache_hand]);
    }
}

void postgres_cache_finish(struct postgres_store *s)
{
    for (size_t i = 0; i < CACHED_MAX; i++)
        forget(s, &s->cached[i]);
}
