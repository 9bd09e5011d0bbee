/* timeline.c - one saga's records, back to front along the chain of frames that each record tells. */
#include "sidecar/core/timeline.h"

#include "sidecar/journal/codec.h"
#include "sidecar/core/heap.h"

#include <inttypes.h>
#include <stdio.h>

size_t position_format(struct position p, char text[POSITION_TEXT_SIZE])
{
    return (size_t)snprintf(text, POSITION_TEXT_SIZE, "%" PRIx64 ".%" PRIx32, p.frame, p.index);
}

bool position_parse(const char *text, struct position *p)
{
    char again[POSITION_TEXT_SIZE];
    struct position read;
    if (sscanf(text, "%16" SCNx64 ".%8" SCNx32, &read.frame, &read.index) != 2)
        return false;
    position_format(read, again);
    if (strcmp(text, again) != 0)
        return false;
    *p = read;
    return true;
}

struct gathering {
    const struct timeline_query *query;
    struct timeline *timeline; /* back to front until the end */
    size_t room;
    struct arena *arena;
    uint64_t previous; /* the frame to look at next; 0: there is none */
};

static struct timeline_entry *add_entry(struct gathering *g)
{
    struct timeline *t = g->timeline;
    if (t->count == g->room) {
        size_t room = g->room == 0 ? 32 : g->room * 2;
        struct timeline_entry *entries = arena_take(g->arena, room * sizeof *entries);
        if (entries == NULL)
            return NULL;
        if (t->count > 0)
            memcpy(entries, t->entries, t->count * sizeof *entries);
        t->entries = entries;
        g->room = room;
    }
    return &t->entries[t->count++];
}

static void reverse(struct timeline_entry *entries, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct timeline_entry e = entries[i];
        entries[i] = entries[count - 1 - i];
        entries[count - 1 - i] = e;
    }
}

/* Whether the copies that follow a RECORD_MOVED at this frame are what is asked for: all of the history, or what comes after one of them.
 * Otherwise the originals are looked at, in the frames before. */
static bool wants_copies(const struct gathering *g, uint64_t frame)
{
    return g->query->after.frame == 0 || g->query->after.frame == frame;
}

/* Adds this saga's records of one frame, the last one first. */
static int gather_frame(struct gathering *g, uint64_t frame, struct bytes rest, struct error_detail *detail)
{
    size_t first = g->timeline->count;
    bool found = false;
    uint32_t skip = 0; /* copies that are not wanted */
    g->previous = 0;
    for (uint32_t index = 0; rest.size > 0; index++) {
        struct bytes here = rest;
        uint64_t serial, previous;
        if (codec_skip(&rest, &serial) != 0)
            return error_set(detail, E_JOURNAL_CORRUPT, "", "a frame cannot be read");
        if (serial != g->query->serial)
            continue;
        size_t size = here.size - rest.size;
        uint8_t *copy = arena_take(g->arena, size);
        struct timeline_entry *entry = copy == NULL ? NULL : add_entry(g);
        if (entry == NULL)
            return error_set(detail, E_MEMORY, "", NULL);
        memcpy(copy, here.at, size);
        struct bytes record = bytes_of(copy, size);
        int code = codec_decode(&record, &entry->record, &previous, detail);
        if (code != 0)
            return code;
        entry->position = (struct position){.frame = frame, .index = index};
        if (!found)
            g->previous = previous;
        found = true;
        if (entry->record.type == RECORD_MOVED) {
            bool wanted = wants_copies(g, frame);
            skip = wanted ? 0 : entry->record.copies;
            g->previous = wanted ? 0 : previous;
            /* What lies before it in this frame is among the copies, too. */
            g->timeline->count = wanted ? first : g->timeline->count - 1;
        } else if (skip > 0) {
            skip--;
            g->timeline->count--;
        } else if (!position_after(entry->position, g->query->after)) {
            g->timeline->count--;
        }
    }
    reverse(g->timeline->entries + first, g->timeline->count - first);
    return found ? 0 : error_set(detail, E_JOURNAL_CORRUPT, "", "a frame lacks a record that another one points to");
}

int timeline_load(struct core *core, const struct timeline_query *query, struct arena *arena, struct timeline *out,
                  struct error_detail *detail)
{
    struct gathering g = {.query = query, .timeline = out, .arena = arena};
    size_t records_max = query->records_max == 0 ? TIMELINE_RECORDS_MAX : query->records_max;
    *out = (struct timeline){0};
    for (uint64_t frame = query->last_frame; frame != 0 && frame >= query->after.frame; frame = g.previous) {
        struct bytes records;
        if (out->count >= records_max) {
            out->truncated = true;
            break;
        }
        int code = core_read_frame(core, frame, &records, detail);
        if (code == E_CURSOR) {
            out->truncated = true;
            break;
        }
        if (code == 0)
            code = gather_frame(&g, frame, records, detail);
        if (code != 0)
            return code;
    }
    reverse(out->entries, out->count);
    return 0;
}

int timeline_replay(const struct timeline *timeline, const struct definition *definition, struct engine **out,
                    struct error_detail *detail)
{
    struct engine_options options = {.live_sagas_max = 1, .steps_max = STEPS_LIMIT, .payload_bytes_max = UINT32_MAX};
    struct engine *e;
    if (engine_create(&options, &heap, &e) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; i < timeline->count; i++) {
        const struct record *r = &timeline->entries[i].record;
        int code = engine_replay(e, r, r->type == RECORD_STARTED ? definition : NULL, detail);
        if (code != 0) {
            engine_destroy(e);
            return code;
        }
    }
    *out = e;
    return 0;
}
