/* disk.c - a store on a made-up disk. What is synced stays; what was written and not synced when the sidecar ended is
 * lost, torn, or happens to be there. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>

static struct disk *disk_of(struct store *s)
{
    return (struct disk *)s;
}

static void *grown(void *array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return array;
    *room = *room == 0 ? 64 : *room * 2;
    array = realloc(array, *room * size);
    CHECK(array != NULL);
    return array;
}

static struct bytes keep(struct world *w, struct bytes b)
{
    return bytes_of(world_copy(w, b.at, b.size), b.size);
}

/* ---- commit ---- */

/* The commit is on the platter: from here on it survives everything. */
static void synced(struct world *w, const struct store_commit *c)
{
    struct disk *d = &w->disk;
    if (c->frame != 0) {
        if (c->frame != d->frame_count + 1)
            world_fail(w, EXIT_SAFETY, "store", "a frame's number is not one above the last", c->frame);
        d->frames = grown(d->frames, &d->frame_room, d->frame_count, sizeof *d->frames);
        struct bytes bytes = keep(w, c->records);
        struct instant at = codec_time(bytes);
        d->frames[d->frame_count++] =
            (struct kept_frame){.bytes = (uint8_t *)(uintptr_t)bytes.at, .size = bytes.size, .at = at.us};
        if (d->first_frame == 0)
            d->first_frame = 1;
    }
    for (size_t i = 0; i < c->ended_count; i++) {
        d->ended = grown(d->ended, &d->ended_room, d->ended_count, sizeof *d->ended);
        struct ended_row row = c->ended[i];
        row.name = keep(w, row.name);
        row.request_id = keep(w, row.request_id);
        d->ended[d->ended_count++] = (struct kept_ended){.row = row};
        if (row.saga.serial > d->serial_max)
            d->serial_max = row.saga.serial;
    }
    for (size_t i = 0; i < c->definition_count; i++) {
        CHECK(d->definition_count < DEFINITIONS_MAX);
        d->definitions[d->definition_count] = c->definitions[i];
        d->definitions[d->definition_count++].source = keep(w, c->definitions[i].source);
    }
    if (c->oldest_live_frame != 0)
        d->oldest_live_frame = c->oldest_live_frame;
    if (c->frame != 0)
        oracle_frame(w, c->frame, c->records, w->now);
    for (size_t i = 0; i < c->ended_count; i++)
        oracle_ended_row(w, &c->ended[i]);
    oracle_kept_from(w, d->oldest_live_frame);
}

/* Written, and not synced when the sidecar ended. */
static int leave(struct world *w, const struct store_commit *c, enum fate fate, struct error_detail *detail)
{
    struct disk *d = &w->disk;
    d->fate = fate;
    d->pending = *c;
    d->pending.records = keep(w, c->records);
    d->torn_size = (size_t)draw(w, DISK, c->records.size);
    struct ended_row *ended = world_take(w, (c->ended_count + 1) * sizeof *ended);
    for (size_t i = 0; i < c->ended_count; i++) {
        ended[i] = c->ended[i];
        ended[i].name = keep(w, c->ended[i].name);
        ended[i].request_id = keep(w, c->ended[i].request_id);
    }
    d->pending.ended = ended;
    w->sidecar.dying = true;
    return error_set(detail, E_JOURNAL, "", "the disk failed");
}

static int commit(struct store *s, const struct store_commit *c, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    struct world *w = d->world;
    w->sidecar.let_out = 0;
    w->sidecar.commit_delay = draw_between(w, DISK, 20, 400);
    if (w->now < d->full_until || strikes(w, FAULT_DISK_FULL)) {
        if (w->now >= d->full_until)
            d->full_until = w->now + draw_between(w, DISK, MS, 3 * SECOND);
        return error_set(detail, E_JOURNAL_FULL, "", "");
    }
    if (sidecar_ends_here(w))
        return leave(w, c, FATE_LOST, detail);
    if (sidecar_ends_here(w)) {
        static const enum fate fates[] = {FATE_KEPT, FATE_LOST, FATE_TORN};
        return leave(w, c, fates[draw(w, DISK, 3)], detail);
    }
    if (strikes(w, FAULT_DISK_ERROR))
        return leave(w, c, draw(w, DISK, 2) == 0 ? FATE_KEPT : FATE_LOST, detail);
    if (strikes(w, FAULT_SLOW_SYNC))
        w->sidecar.commit_delay = draw_between(w, DISK, 10 * MS, 2 * SECOND);
    trace(w, "synced", c->frame, (int64_t)c->records.size, (int64_t)c->ended_count, w->sidecar.commit_delay);
    trace_bytes(w, c->records.at, c->records.size);
    synced(w, c);
    return 0;
}

struct store_state disk_reopen(struct world *w)
{
    struct disk *d = &w->disk;
    struct error_detail detail;
    switch (d->fate) {
    case FATE_NONE:
        break;
    case FATE_LOST:
        mark(w, MARK_CASE, CASE_UNSYNCED_LOST);
        break;
    case FATE_TORN:
        mark(w, MARK_CASE, CASE_TORN);
        /* A tear between two records is seen by the size that the store keeps, every other one by the codec. */
        if (d->torn_size > 0)
            codec_check(bytes_of(d->pending.records.at, d->torn_size), &detail);
        break;
    case FATE_KEPT:
        mark(w, MARK_CASE, CASE_UNSYNCED_KEPT);
        trace(w, "kept", d->pending.frame, (int64_t)d->pending.records.size, 0, 0);
        synced(w, &d->pending);
        break;
    }
    d->fate = FATE_NONE;
    return (struct store_state){
        .first_frame = d->first_frame,
        .last_frame = d->frame_count,
        .oldest_live_frame = d->oldest_live_frame,
        .serial_max = d->serial_max,
    };
}

/* ---- reading ---- */

static int scan(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                void *self, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    for (uint64_t f = from > d->first_frame ? from : d->first_frame; f != 0 && f <= d->frame_count; f++) {
        int code = take(self, f, bytes_of(d->frames[f - 1].bytes, d->frames[f - 1].size));
        if (code != 0)
            return code;
    }
    return 0;
}

static int read_frame(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    if (frame < d->first_frame || frame > d->frame_count)
        return error_set(detail, E_CURSOR, "", "");
    *records = bytes_of(d->frames[frame - 1].bytes, d->frames[frame - 1].size);
    return 0;
}

static int find_ended(struct store *s, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    for (size_t i = d->ended_count; i > 0; i--)
        if (!d->ended[i - 1].dropped && d->ended[i - 1].row.saga.serial == serial) {
            *row = d->ended[i - 1].row;
            return 0;
        }
    return error_set(detail, E_SAGA_NOT_FOUND, "", "");
}

static int find_request(struct store *s, struct bytes request_id, struct ended_row *row, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    for (size_t i = d->ended_count; i > 0; i--)
        if (!d->ended[i - 1].dropped && bytes_equal(d->ended[i - 1].row.request_id, request_id)) {
            *row = d->ended[i - 1].row;
            return 0;
        }
    return error_set(detail, E_SAGA_NOT_FOUND, "", "");
}

static int list_ended(struct store *s, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                      struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    for (size_t i = 0; i < d->ended_count; i++)
        if (!d->ended[i].dropped && d->ended[i].row.saga.serial < query->below)
            take(self, &d->ended[i].row);
    *examined_to = 0;
    return 0;
}

static int scan_definitions(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    for (size_t i = 0; i < d->definition_count; i++) {
        int code = take(self, &d->definitions[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

/* ---- retention ---- */

static int drop(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    uint32_t rows = 0, frames = 0;
    for (size_t i = 0; i < d->ended_count && rows < work_max; i++)
        if (!d->ended[i].dropped && d->ended[i].row.ended_at.us < before.us) {
            d->ended[i].dropped = true;
            d->world->models[d->ended[i].row.saga.serial].dropped = true;
            rows++;
        }
    while (frames < work_max && d->first_frame != 0 && d->first_frame < keep_from && d->first_frame <= d->frame_count &&
           d->frames[d->first_frame - 1].at < before.us) {
        d->first_frame++;
        frames++;
    }
    oracle_kept_from(d->world, d->first_frame);
    if (frames > 0)
        mark(d->world, MARK_CASE, CASE_FRAMES_DROPPED);
    *more = rows == work_max || frames == work_max;
    return 0;
}

static void close_store(struct store *s)
{
    (void)s;
}

void disk_init(struct world *w)
{
    w->disk.world = w;
    w->disk.store = (struct store){
        .commit = commit,
        .scan = scan,
        .read_frame = read_frame,
        .find_ended = find_ended,
        .find_request = find_request,
        .list_ended = list_ended,
        .scan_definitions = scan_definitions,
        .drop = drop,
        .close = close_store,
    };
}
