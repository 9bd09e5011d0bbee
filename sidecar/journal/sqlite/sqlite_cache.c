/* sqlite_cache.c - a few frames that were read and checked. A frame never changes, so there is nothing to keep up to date. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

bool cache_find(struct sqlite_store *s, uint64_t frame, struct bytes *records)
{
    CHECK(frame != 0);
    s->frame_reads++;
    for (size_t i = 0; i < CACHED_FRAMES; i++) {
        struct cached_frame *c = &s->cached[i];
        if (c->frame != frame)
            continue;
        CHECK(c->size > 0 && c->size <= c->room);
        c->used = s->frame_reads;
        *records = bytes_of(c->bytes, c->size);
        return true;
    }
    return false;
}

void cache_keep(struct sqlite_store *s, uint64_t frame, struct bytes records)
{
    if (records.size > CACHED_BYTES_MAX)
        return;
    struct cached_frame *oldest = &s->cached[0];
    for (size_t i = 1; i < CACHED_FRAMES; i++)
        if (s->cached[i].used < oldest->used)
            oldest = &s->cached[i];
    oldest->frame = 0;
    if (oldest->room < records.size) {
        uint8_t *bytes = realloc(oldest->bytes, records.size);
        if (bytes == NULL)
            return;
        oldest->bytes = bytes;
        oldest->room = records.size;
    }
    memcpy(oldest->bytes, records.at, records.size);
    oldest->size = records.size;
    oldest->frame = frame;
    oldest->used = s->frame_reads;
}

void cache_finish(struct sqlite_store *s)
{
    for (size_t i = 0; i < CACHED_FRAMES; i++)
        free(s->cached[i].bytes);
}
