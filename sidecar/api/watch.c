/* watch.c - events read from the journal and packed, a message at a time. */
#include "sidecar/api/watch.h"

#include "sidecar/api/known.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>

/* Events of one WatchResponse; with texts of bounded length it stays far below what clients read by default. */
#define EVENTS_MAX 1000

/* The message that was made last for watchers of every saga, and between which places it leads. */
struct made {
    struct position from, to;
    struct bytes message; /* owned */
};

/* Where in a frame a watcher goes on, so that a large one is not walked anew for each message. */
struct place {
    struct position at; /* the cursor that it belongs to */
    size_t offset;
    uint32_t copies; /* of a moved saga, that are still to come: they tell nothing new */
};

struct watch {
    struct api *api;
    struct known_names *names;
    struct made made;
    struct place place;
};

int watch_create(struct api *api, struct watch **out)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL || known_create(api->core, api->store, api->catalog, &w->names) != 0) {
        free(w);
        return E_MEMORY;
    }
    w->api = api;
    *out = w;
    return 0;
}

void watch_destroy(struct watch *w)
{
    if (w == NULL)
        return;
    known_destroy(w->names);
    free((void *)(uintptr_t)w->made.message.at);
    free(w);
}

static bool same(struct position a, struct position b)
{
    return a.frame == b.frame && a.index == b.index;
}

/* Adds the event of a record to a response. */
static int add_event(struct watch *w, const struct timeline_entry *entry, Saga__V1__WatchResponse *response,
                     struct error_detail *detail)
{
    struct view_names names;
    int code = known_find(w->names, &entry->record, &names, detail);
    if (code != 0)
        return code;
    Saga__V1__Event *event = view_event(&w->api->arena, entry, &names);
    if (event == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    response->events[response->n_events++] = event;
    return 0;
}

/* ---- one saga ---- */

/* A watcher that is far behind: the frames that it has not seen, found in pieces, back to front. */
struct backlog {
    struct timeline_walk walk;
    bool whole; /* all are found */
    uint64_t *frames;
    size_t count, room;
};

void watch_forget(struct subscriber *u)
{
    if (u->backlog != NULL)
        free(u->backlog->frames);
    free(u->backlog);
    u->backlog = NULL;
}

static int finish(struct watch *w, struct subscriber *u, const Saga__V1__WatchResponse *response, struct position last,
                  struct bytes *message, struct error_detail *detail)
{
    *message = arena_pack(&w->api->arena, &response->base);
    if (message->at == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    u->cursor = last;
    return 0;
}

static bool has_room(struct watch *w, Saga__V1__WatchResponse *response)
{
    response->events = arena_take(&w->api->arena, EVENTS_MAX * sizeof(*response->events));
    return response->events != NULL;
}

/* Keeps nothing of a frame but its number: what it says is read when it is shown. */
static int note_frame(struct backlog *b, uint64_t frame, struct error_detail *detail)
{
    bool shows = b->walk.timeline.count > 0;
    b->walk.timeline.entries = NULL;
    b->walk.timeline.count = b->walk.room = 0;
    if (!shows)
        return 0;
    if (b->count == b->room) {
        size_t room = b->room == 0 ? 256 : b->room * 2;
        uint64_t *frames = realloc(b->frames, room * sizeof *frames);
        if (frames == NULL)
            return error_set(detail, E_MEMORY, "", NULL);
        b->frames = frames;
        b->room = room;
    }
    b->frames[b->count++] = frame;
    return 0;
}

static int find_backlog(struct watch *w, struct subscriber *u, struct error_detail *detail)
{
    struct backlog *b = u->backlog;
    while (!b->whole) {
        uint64_t frame = b->walk.next;
        int code = timeline_go_on(&b->walk, w->api->core, &b->whole, detail);
        if (code == 0 && !b->whole)
            code = note_frame(b, frame, detail);
        if (code != 0)
            return code;
        if (!b->whole && !api_has_time(w->api))
            return WATCH_MORE;
    }
    return b->walk.timeline.gone && u->cursor.frame != 0 ? error_set(detail, E_CURSOR, "cursor", NULL) : 0;
}

/* Adds the events of the earliest frame that is left, as many as the message takes. */
static int show_frame(struct watch *w, struct subscriber *u, Saga__V1__WatchResponse *response, struct position *last,
                      struct error_detail *detail)
{
    struct backlog *b = u->backlog;
    struct timeline_walk walk;
    bool gone;
    const struct timeline_query query = {
        .serial = u->saga.serial, .last_frame = b->frames[b->count - 1], .after = *last, .records_max = SIZE_MAX};
    timeline_begin(&walk, &query, &w->api->arena);
    int code = timeline_go_on(&walk, w->api->core, &gone, detail);
    if (code == 0 && gone)
        code = error_set(detail, E_CURSOR, "cursor", NULL);
    size_t left = walk.timeline.count;
    for (; code == 0 && left > 0 && response->n_events < EVENTS_MAX; left--) {
        code = add_event(w, &walk.timeline.entries[left - 1], response, detail);
        if (code == 0)
            *last = walk.timeline.entries[left - 1].position;
    }
    b->count -= code == 0 && left == 0;
    return code;
}

static int next_of_backlog(struct watch *w, struct subscriber *u, struct bytes *message, struct error_detail *detail)
{
    Saga__V1__WatchResponse response = SAGA__V1__WATCH_RESPONSE__INIT;
    struct position last = u->cursor;
    int code = find_backlog(w, u, detail);
    if (code == 0 && !has_room(w, &response))
        code = error_set(detail, E_MEMORY, "", NULL);
    while (code == 0 && u->backlog->count > 0 && response.n_events < EVENTS_MAX) {
        code = show_frame(w, u, &response, &last, detail);
        if (!api_has_time(w->api))
            break;
    }
    if (code != 0 && (code != WATCH_MORE || response.n_events == 0))
        return code;
    /* Where the journal makes wait for the next frame, what was shown before that is sent: those frames are not looked at again. */
    if (u->backlog->count == 0)
        watch_forget(u);
    return response.n_events == 0 ? WATCH_MORE : finish(w, u, &response, last, message, detail);
}

/* Starts to look for the frames, when they are more than a turn has time for. */
static int begin_backlog(struct subscriber *u, const struct timeline_query *query, struct error_detail *detail)
{
    u->backlog = calloc(1, sizeof *u->backlog);
    if (u->backlog == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    timeline_begin(&u->backlog->walk, query, NULL);
    return WATCH_MORE;
}

static int next_of_one(struct watch *w, struct subscriber *u, uint64_t last_frame, struct bytes *message,
                       struct error_detail *detail)
{
    struct found found;
    struct timeline_walk walk;
    Saga__V1__WatchResponse response = SAGA__V1__WATCH_RESPONSE__INIT;
    if (u->backlog != NULL) {
        u->backlog->walk.arena = &w->api->arena;
        return next_of_backlog(w, u, message, detail);
    }
    int code = reads_find(w->api, u->saga, &found, detail);
    if (code == E_SAGA_NOT_FOUND) /* it was there when it was asked for */
        return error_set(detail, E_CURSOR, "cursor", NULL);
    if (code != 0)
        return code;
    bool ended = found.live == NULL;
    const struct timeline_query query = {.serial = u->saga.serial,
                                         .last_frame = found.last_frame,
                                         .after = u->cursor,
                                         .hidden_from = last_frame + 1,
                                         .records_max = SIZE_MAX};
    timeline_begin(&walk, &query, &w->api->arena);
    for (bool done = false; code == 0 && !done;) {
        code = timeline_go_on(&walk, w->api->core, &done, detail);
        if (code == 0 && !done && (walk.timeline.count > EVENTS_MAX || !api_has_time(w->api)))
            return begin_backlog(u, &query, detail);
    }
    const struct timeline *t = &walk.timeline;
    if (code == 0 && t->gone && u->cursor.frame != 0)
        code = error_set(detail, E_CURSOR, "cursor", NULL);
    if (code == 0 && !has_room(w, &response))
        code = error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; code == 0 && i < t->count && i < EVENTS_MAX; i++)
        code = add_event(w, &t->entries[i], &response, detail);
    if (code != 0 || response.n_events == 0)
        return code != 0 ? code : ended ? WATCH_END : 0;
    return finish(w, u, &response, t->entries[response.n_events - 1].position, message, detail);
}

/* ---- every saga ---- */

/* Where in a frame the records after the cursor begin. */
static int find_place(const struct watch *w, struct position cursor, uint64_t number, struct bytes frame,
                      struct place *out, struct error_detail *detail)
{
    *out = (struct place){.at = cursor};
    if (cursor.frame != number)
        return 0;
    if (same(w->place.at, cursor)) {
        *out = w->place;
        return 0;
    }
    struct bytes rest = frame;
    for (uint32_t index = 0; index <= cursor.index && rest.size > 0; index++) {
        struct bytes here = rest;
        struct record moved;
        uint64_t number_of_saga, previous;
        if (codec_skip(&rest, &number_of_saga) != 0)
            return error_set(detail, E_JOURNAL_CORRUPT, "", "a frame cannot be read");
        if (out->copies > 0) {
            out->copies--;
        } else if (codec_type(here) == RECORD_MOVED) {
            int code = codec_decode(&here, &moved, &previous, detail);
            if (code != 0)
                return code;
            out->copies = moved.copies;
        }
    }
    out->offset = frame.size - rest.size;
    return 0;
}

/* Copies what is to be looked at of a frame: the records from the place on, as many as one message may show. The store is asked for names
 * too, which would end the view. */
static int copy_records(struct watch *w, struct bytes frame, const struct place *place, struct bytes *out,
                        struct error_detail *detail)
{
    struct bytes rest = bytes_of(frame.at + place->offset, frame.size - place->offset);
    uint64_t serial;
    const uint8_t *from = rest.at;
    for (uint32_t count = 0; rest.size > 0 && count < EVENTS_MAX; count++)
        if (codec_skip(&rest, &serial) != 0)
            return error_set(detail, E_JOURNAL_CORRUPT, "", "a frame cannot be read");
    size_t size = (size_t)(rest.at - from);
    uint8_t *copy = arena_take(&w->api->arena, size);
    if (copy == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    memcpy(copy, from, size);
    *out = bytes_of(copy, size);
    return 0;
}

/* The events of one frame after *cursor, which moves past what was looked at. */
static int events_of_frame(struct watch *w, uint64_t number, struct position *cursor, Saga__V1__WatchResponse *response,
                           struct error_detail *detail)
{
    struct bytes frame, records;
    int code = core_read_frame(w->api->core, number, &frame, detail);
    if (code != 0)
        return code == E_CURSOR ? error_set(detail, E_CURSOR, "cursor", NULL) : code;
    size_t frame_size = frame.size;
    struct place place;
    uint32_t index = cursor->frame == number ? cursor->index + 1 : 0;
    code = find_place(w, *cursor, number, frame, &place, detail);
    if (code == 0)
        code = copy_records(w, frame, &place, &records, detail);
    if (code != 0)
        return code;
    size_t size = records.size;
    for (; code == 0 && records.size > 0; index++) {
        struct timeline_entry entry = {.position = {.frame = number, .index = index}};
        uint64_t previous;
        code = codec_decode(&records, &entry.record, &previous, detail);
        if (code != 0)
            break;
        bool moved = entry.record.type == RECORD_MOVED;
        if (!moved)
            known_learn(w->names, &entry.record);
        if (moved || place.copies > 0)
            place.copies = moved ? entry.record.copies : place.copies - 1;
        else
            code = add_event(w, &entry, response, detail);
    }
    if (code != 0)
        return code;
    place.offset += size;
    *cursor = (struct position){.frame = number, .index = place.offset == frame_size ? UINT32_MAX : index - 1};
    place.at = *cursor;
    w->place = place;
    return 0;
}

/* Keeps a message for those who stand where it begins. Without memory it is made anew for each. */
static void keep(struct watch *w, struct position from, struct position to, struct bytes message)
{
    uint8_t *copy = malloc(message.size);
    free((void *)(uintptr_t)w->made.message.at);
    w->made = (struct made){.from = from, .to = to, .message = bytes_of(copy, copy == NULL ? 0 : message.size)};
    if (copy != NULL)
        memcpy(copy, message.at, message.size);
}

/* The frame that is read first for who stands there. */
static uint64_t frame_after(struct position cursor)
{
    return cursor.index == UINT32_MAX ? cursor.frame + 1 : cursor.frame;
}

/* Events of at most one frame. */
static int next_of_all(struct watch *w, struct subscriber *u, uint64_t last_frame, struct bytes *message,
                       struct error_detail *detail)
{
    struct arena *a = &w->api->arena;
    struct store *store = w->api->store;
    Saga__V1__WatchResponse response = SAGA__V1__WATCH_RESPONSE__INIT;
    struct position from = u->cursor;
    /* What retention has taken is not shown out of memory either. */
    if (w->made.message.size > 0 && same(w->made.from, from) && frame_after(from) >= store->first_frame(store)) {
        u->cursor = w->made.to;
        *message = w->made.message;
        return 0;
    }
    response.events = arena_take(a, EVENTS_MAX * sizeof(*response.events));
    if (response.events == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    while (response.n_events == 0) {
        struct position cursor = u->cursor;
        uint64_t frame = frame_after(cursor);
        if (frame > last_frame)
            return 0;
        int code = events_of_frame(w, frame, &cursor, &response, detail);
        if (code != 0)
            return code;
        u->cursor = cursor; /* what was looked at and shows nothing is passed for good */
        if (response.n_events == 0 && !api_has_time(w->api))
            return WATCH_MORE;
    }
    *message = arena_pack(a, &response.base);
    if (message->at == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    keep(w, from, u->cursor, *message);
    return 0;
}

int watch_next(struct watch *w, struct subscriber *u, uint64_t last_frame, struct bytes *message,
               struct error_detail *detail)
{
    *message = bytes_of(NULL, 0);
    arena_reset(&w->api->arena);
    return u->to != NULL ? next_of_one(w, u, last_frame, message, detail)
                         : next_of_all(w, u, last_frame, message, detail);
}
