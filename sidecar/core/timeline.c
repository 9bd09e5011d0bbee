/* timeline.c - one saga's records, back to front along the chain of frames that each record tells. */
#include "sidecar/core/timeline.h"

#include "sidecar/engine/saga.h"

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

static struct timeline_entry *add_entry(struct timeline_walk *w)
{
    struct timeline *t = &w->timeline;
    if (t->count == w->room) {
        size_t room = w->room == 0 ? 32 : w->room * 2;
        struct timeline_entry *entries = arena_take(w->arena, room * sizeof *entries);
        if (entries == NULL)
            return NULL;
        if (t->count > 0)
            memcpy(entries, t->entries, t->count * sizeof *entries);
        t->entries = entries;
        w->room = room;
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

static bool is_asked_for(const struct timeline_walk *w, uint64_t frame)
{
    return w->query.hidden_from == 0 || frame < w->query.hidden_from;
}

/* Whether the copies that follow a RECORD_MOVED at this frame are what is asked for: all of the history, or what comes after one of them.
 * Otherwise the originals are looked at, in the frames before. */
static bool wants_copies(const struct timeline_walk *w, uint64_t frame)
{
    return is_asked_for(w, frame) && (w->query.after.frame == 0 || w->query.after.frame == frame);
}

/* Adds this saga's records of one frame, the last one first. */
static int gather_frame(struct timeline_walk *w, uint64_t frame, struct bytes rest, struct error_detail *detail)
{
    size_t first = w->timeline.count;
    bool found = false;
    uint32_t skip = 0; /* copies that are not wanted */
    w->next = 0;
    for (uint32_t index = 0; rest.size > 0; index++) {
        struct bytes here = rest;
        uint64_t serial, previous;
        if (codec_skip(&rest, &serial) != 0)
            return error_set(detail, E_JOURNAL_CORRUPT, "", "a frame cannot be read");
        if (serial != w->query.serial)
            continue;
        size_t size = here.size - rest.size;
        uint8_t *copy = arena_take(w->arena, size);
        struct timeline_entry *entry = copy == NULL ? NULL : add_entry(w);
        if (entry == NULL)
            return error_set(detail, E_MEMORY, "", NULL);
        memcpy(copy, here.at, size);
        struct bytes record = bytes_of(copy, size);
        int code = codec_decode(&record, &entry->record, &previous, detail);
        if (code != 0)
            return code;
        entry->position = (struct position){.frame = frame, .index = index};
        if (!found)
            w->next = previous;
        found = true;
        if (entry->record.type == RECORD_MOVED) {
            bool wanted = wants_copies(w, frame);
            skip = wanted ? 0 : entry->record.copies;
            w->next = wanted ? 0 : previous;
            /* What lies before it in this frame is among the copies, too. */
            w->timeline.count = wanted ? first : w->timeline.count - 1;
        } else if (skip > 0) {
            skip--;
            w->timeline.count--;
        } else if (!is_asked_for(w, frame) || !position_after(entry->position, w->query.after)) {
            w->timeline.count--;
        }
    }
    reverse(w->timeline.entries + first, w->timeline.count - first);
    return found ? 0 : error_set(detail, E_JOURNAL_CORRUPT, "", "a frame lacks a record that another one points to");
}

void timeline_begin(struct timeline_walk *w, const struct timeline_query *query, struct arena *arena)
{
    *w = (struct timeline_walk){.query = *query, .arena = arena, .next = query->last_frame};
    if (w->query.records_max == 0)
        w->query.records_max = TIMELINE_RECORDS_MAX;
}

int timeline_go_on(struct timeline_walk *w, struct core *core, bool *done, struct error_detail *detail)
{
    struct timeline *t = &w->timeline;
    struct bytes records;
    uint64_t frame = w->next;
    *done = frame == 0 || frame < w->query.after.frame;
    if (!*done && t->count >= w->query.records_max) {
        t->truncated = true;
        *done = true;
    }
    if (!*done) {
        int code = core_read_frame(core, frame, &records, detail);
        if (code == 0)
            return gather_frame(w, frame, records, detail);
        if (code != E_CURSOR)
            return code;
        t->truncated = t->gone = true;
        *done = true;
    }
    if (t->count > w->query.records_max) { /* its last frame, which is looked at first, held many */
        t->count = w->query.records_max;
        t->truncated = true;
    }
    reverse(t->entries, t->count);
    return 0;
}

int timeline_load(struct core *core, const struct timeline_query *query, struct arena *arena, struct timeline *out,
                  struct error_detail *detail)
{
    struct timeline_walk w;
    int code = 0;
    timeline_begin(&w, query, arena);
    for (bool done = false; code == 0 && !done;)
        code = timeline_go_on(&w, core, &done, detail);
    *out = w.timeline;
    return code;
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

int timeline_last_status(struct core *core, const struct saga *saga, uint64_t last_frame, uint64_t hidden_from,
                         int *status, struct error_detail *detail)
{
    struct arena arena;
    struct timeline timeline;
    const struct timeline_query last = {.serial = saga->id.serial,
                                        .last_frame = last_frame,
                                        .hidden_from = hidden_from,
                                        .records_max = TIMELINE_END_RECORDS};
    arena_init(&arena);
    *status = -1;
    int code = timeline_load(core, &last, &arena, &timeline, detail);
    for (size_t i = code == 0 ? timeline.count : 0; i-- > 0 && *status < 0;) {
        const struct record *r = &timeline.entries[i].record;
        bool answer = r->type == RECORD_ACTION_FAILED || r->type == RECORD_ACTION_ENDED ||
                      r->type == RECORD_COMPENSATION_FAILED || r->type == RECORD_COMPENSATION_ENDED;
        if (answer && r->step == saga->stuck_step)
            *status = r->status;
    }
    arena_finish(&arena);
    return code;
}
