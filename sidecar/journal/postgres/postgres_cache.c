/* postgres_cache.c - frames that were committed or read lately: what is asked of a saga is asked right after it moved, record by record. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

/* Of all frames together; a larger one than a part of it is a long history, which is read once. */
#define CACHE_BYTES_MAX (16u << 20)
#define FRAME_PART      16

/* Where a frame may be, its own place first. There are several, so that whoever reads a history anew each time that a part of it is not there has all
 * of it in the end. */
static unsigned place_of(uint64_t frame, unsigned choice)
{
    return (unsigned)((frame + choice * (CACHED_MAX / CACHED_BESIDE)) % CACHED_MAX);
}

bool postgres_cache_find(const struct postgres_store *s, uint64_t frame, struct bytes *records)
{
    CHECK(frame > 0);
    for (unsigned i = 0; i < CACHED_BESIDE; i++) {
        const struct cached_frame *c = &s->cached[place_of(frame, i)];
        if (c->frame == frame) {
            *records = c->records;
            return true;
        }
    }
    return false;
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
    struct cached_frame *c = &s->cached[place_of(frame, 0)];
    CHECK(frame > 0 && records.size > 0); /* no frame is empty */
    for (unsigned i = 1; i < CACHED_BESIDE && c->frame != frame; i++) {
        struct cached_frame *other = &s->cached[place_of(frame, i)];
        if (other->frame == frame || other->kept < c->kept) /* what has been there longest goes */
            c = other;
    }
    forget(s, c);
    uint8_t *copy = records.size > CACHE_BYTES_MAX / FRAME_PART ? NULL : malloc(records.size);
    if (copy == NULL)
        return;
    memcpy(copy, records.at, records.size);
    *c = (struct cached_frame){.frame = frame, .records = bytes_of(copy, records.size), .kept = ++s->cache_kept};
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
