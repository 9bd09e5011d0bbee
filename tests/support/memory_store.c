/* memory_store.c - the store interface on a disk made of memory. */
#include "tests/support/memory_store.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>

struct kept_frame {
    struct bytes records;
    struct instant at;
};

struct memory_disk {
    struct store face;                  /* the one store that may be open on it */
    struct kept_frame *frames;          /* of the numbers first_frame to last_frame */
    struct ended_row *ended;            /* by serial */
    struct definition_row *definitions; /* by number */
    size_t frame_count;
    size_t ended_count;
    size_t definition_count;
    uint64_t first_frame;
    uint64_t oldest_live_frame;
    uint64_t serial_max;
    uint64_t drop_after;
    uint64_t bytes;
    uint64_t bytes_max;
    uint64_t operations;
    uint64_t fail_at; /* operation; 0: none */
    int fail_code;
    bool fail_landed;
    bool is_open;
    bool broken;
};

static struct memory_disk *disk_of(struct store *s)
{
    return (struct memory_disk *)s;
}

static struct bytes copy(struct bytes view)
{
    uint8_t *at = malloc(view.size + 1);
    CHECK(at != NULL);
    if (view.size > 0)
        memcpy(at, view.at, view.size);
    return bytes_of(at, view.size);
}

static void release(struct bytes owned)
{
    free((void *)(uintptr_t)owned.at);
}

static void *one_more(void *array, size_t count, size_t size)
{
    void *grown = (count & (count - 1)) == 0 ? realloc(array, (count == 0 ? 1 : count * 2) * size) : array;
    CHECK(grown != NULL);
    return grown;
}

/* Counts an operation, and tells what it has to return: 0 to go on. */
static int operation(struct memory_disk *d, struct error_detail *detail)
{
    CHECK(d->is_open);
    d->operations++;
    return d->operations == d->fail_at ? error_set(detail, d->fail_code, "memory", "a test asked for this") : 0;
}

static uint64_t last_frame(const struct memory_disk *d)
{
    return d->first_frame == 0 ? 0 : d->first_frame + d->frame_count - 1;
}

/* ---- commit ---- */

/* The index of the first ended row with a serial that is not below `serial`. */
static size_t ended_at(const struct memory_disk *d, uint64_t serial)
{
    size_t low = 0;
    size_t high = d->ended_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->ended[middle].saga.serial < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_ended(struct memory_disk *d, const struct ended_row *row)
{
    size_t at = ended_at(d, row->saga.serial);
    if (at < d->ended_count && d->ended[at].saga.serial == row->saga.serial)
        return;
    d->ended = one_more(d->ended, d->ended_count, sizeof *d->ended);
    memmove(d->ended + at + 1, d->ended + at, (d->ended_count - at) * sizeof *d->ended);
    d->ended[at] = *row;
    d->ended[at].name = copy(row->name);
    d->ended[at].request_id = copy(row->request_id);
    d->ended_count++;
    if (row->saga.serial > d->serial_max)
        d->serial_max = row->saga.serial;
}

static void add_definition(struct memory_disk *d, const struct definition_row *row)
{
    size_t at = d->definition_count;
    while (at > 0 && d->definitions[at - 1].number > row->number)
        at--;
    CHECK(at == 0 || d->definitions[at - 1].number < row->number);
    d->definitions = one_more(d->definitions, d->definition_count, sizeof *d->definitions);
    memmove(d->definitions + at + 1, d->definitions + at, (d->definition_count - at) * sizeof *d->definitions);
    d->definitions[at] = *row;
    d->definitions[at].source = copy(row->source);
    d->definition_count++;
}

static uint64_t size_of(const struct store_commit *commit)
{
    uint64_t size = commit->records.size;
    for (size_t i = 0; i < commit->definition_count; i++)
        size += commit->definitions[i].source.size;
    return size;
}

static void land(struct memory_disk *d, const struct store_commit *commit)
{
    if (commit->frame != 0) {
        d->frames = one_more(d->frames, d->frame_count, sizeof *d->frames);
        d->frames[d->frame_count++] =
            (struct kept_frame){.records = copy(commit->records), .at = codec_time(commit->records)};
        if (d->first_frame == 0)
            d->first_frame = commit->frame;
    }
    for (size_t i = 0; i < commit->ended_count; i++)
        add_ended(d, &commit->ended[i]);
    for (size_t i = 0; i < commit->definition_count; i++)
        add_definition(d, &commit->definitions[i]);
    if (commit->oldest_live_frame != 0)
        d->oldest_live_frame = commit->oldest_live_frame;
    d->bytes += size_of(commit);
}

static int commit_all(struct store *s, const struct store_commit *commit, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    CHECK(commit->frame == 0 || commit->frame == last_frame(d) + 1);
    CHECK((commit->frame == 0) == (commit->records.size == 0));
    int rc = operation(d, detail);
    if (d->broken)
        return error_set(detail, E_JOURNAL, "memory", "an earlier commit failed");
    if (rc == E_JOURNAL) {
        d->broken = true;
        if (d->fail_landed)
            land(d, commit);
    }
    if (rc != 0)
        return rc;
    if (d->bytes_max != 0 && d->bytes + size_of(commit) > d->bytes_max)
        return error_set(detail, E_JOURNAL_FULL, "memory", "there is no room for the journal");
    land(d, commit);
    return 0;
}

/* ---- reading ---- */

static int scan(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                void *self, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    uint64_t frame = from > d->first_frame ? from : d->first_frame;
    for (; rc == 0 && frame != 0 && frame <= last_frame(d); frame++)
        rc = take(self, frame, d->frames[frame - d->first_frame].records);
    return rc;
}

static int read_frame(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    if (rc != 0)
        return rc;
    if (frame == 0 || frame < d->first_frame || frame > last_frame(d))
        return error_set(detail, E_CURSOR, NULL, NULL);
    *records = d->frames[frame - d->first_frame].records;
    return 0;
}

static int find_ended(struct store *s, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    if (rc != 0)
        return rc;
    size_t at = ended_at(d, serial);
    if (at == d->ended_count || d->ended[at].saga.serial != serial)
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    *row = d->ended[at];
    return 0;
}

static int find_request(struct store *s, struct bytes request_id, struct ended_row *row, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    if (rc != 0)
        return rc;
    for (size_t i = d->ended_count; i-- > 0 && request_id.size > 0;)
        if (bytes_equal(d->ended[i].request_id, request_id)) {
            *row = d->ended[i];
            return 0;
        }
    return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
}

static int list_ended(struct store *s, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                      struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    if (rc != 0)
        return rc;
    uint32_t given = 0;
    uint32_t examined = 0;
    *examined_to = 0;
    for (size_t i = ended_at(d, query->below); i-- > 0;) {
        const struct ended_row *row = &d->ended[i];
        if (instant_before(row->started_at, query->started_from))
            break;
        if (given == query->rows_max || examined == query->examine_max) {
            *examined_to = d->ended[i + 1].saga.serial;
            break;
        }
        if (!instant_before(row->started_at, query->started_before))
            continue;
        examined++;
        if ((query->states != 0 && (query->states >> row->state & 1) == 0) ||
            (query->name.size != 0 && !bytes_equal(query->name, row->name)))
            continue;
        take(self, row);
        given++;
    }
    return 0;
}

static int scan_definitions(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    for (size_t i = 0; i < d->definition_count && rc == 0; i++)
        rc = take(self, &d->definitions[i]);
    return rc;
}

/* ---- retention ---- */

static bool drop_frames(struct memory_disk *d, struct instant before, uint64_t keep_from, uint32_t work_max)
{
    size_t count = 0;
    while (count < work_max && count + 1 < d->frame_count && d->first_frame + count < keep_from &&
           instant_before(d->frames[count].at, before)) {
        d->bytes -= d->frames[count].records.size;
        release(d->frames[count].records);
        count++;
    }
    if (count == 0)
        return false;
    size_t left = d->frame_count - count;
    struct kept_frame *kept = NULL;
    for (size_t i = 0; i < left; i++) {
        kept = one_more(kept, i, sizeof *kept);
        kept[i] = d->frames[count + i];
    }
    free(d->frames);
    d->frames = kept;
    d->frame_count = left;
    d->first_frame += count;
    if (d->oldest_live_frame < d->first_frame)
        d->oldest_live_frame = d->first_frame;
    return count == work_max;
}

static bool drop_ended(struct memory_disk *d, struct instant before, uint32_t work_max)
{
    uint32_t examined = 0;
    size_t from = ended_at(d, d->drop_after + 1);
    size_t kept = from;
    size_t i = from;
    for (; i < d->ended_count && examined < work_max && instant_before(d->ended[i].started_at, before);
         i++, examined++) {
        d->drop_after = d->ended[i].saga.serial;
        if (instant_before(d->ended[i].ended_at, before)) {
            release(d->ended[i].name);
            release(d->ended[i].request_id);
        } else {
            d->ended[kept++] = d->ended[i];
        }
    }
    struct ended_row *rest = NULL;
    size_t count = 0;
    for (size_t k = 0; k < d->ended_count; k++)
        if (k < kept || k >= i) {
            rest = one_more(rest, count, sizeof *rest);
            rest[count++] = d->ended[k];
        }
    free(d->ended);
    d->ended = rest;
    d->ended_count = count;
    if (examined < work_max)
        d->drop_after = 0;
    return examined == work_max;
}

static int drop(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    CHECK(work_max > 0);
    int rc = operation(d, detail);
    if (d->broken)
        return error_set(detail, E_JOURNAL, "memory", "an earlier commit failed");
    if (rc != 0)
        return rc;
    bool more_frames = drop_frames(d, before, keep_from, work_max);
    bool more_ended = drop_ended(d, before, work_max);
    *more = more_frames || more_ended;
    return 0;
}

/* ---- the disk ---- */

static void close_store(struct store *s)
{
    if (s != NULL)
        disk_of(s)->is_open = false;
}

struct memory_disk *memory_disk_create(void)
{
    struct memory_disk *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->face = (struct store){
        .commit = commit_all,
        .scan = scan,
        .read_frame = read_frame,
        .find_ended = find_ended,
        .find_request = find_request,
        .list_ended = list_ended,
        .scan_definitions = scan_definitions,
        .drop = drop,
        .close = close_store,
    };
    return d;
}

void memory_disk_destroy(struct memory_disk *d)
{
    if (d == NULL)
        return;
    CHECK(!d->is_open);
    for (size_t i = 0; i < d->frame_count; i++)
        release(d->frames[i].records);
    for (size_t i = 0; i < d->ended_count; i++) {
        release(d->ended[i].name);
        release(d->ended[i].request_id);
    }
    for (size_t i = 0; i < d->definition_count; i++)
        release(d->definitions[i].source);
    free(d->frames);
    free(d->ended);
    free(d->definitions);
    free(d);
}

int memory_store_open(struct memory_disk *d, struct store **out, struct store_state *state, struct error_detail *detail)
{
    if (d->is_open)
        return error_set(detail, E_JOURNAL_LOCKED, "memory", NULL);
    d->is_open = true;
    d->broken = false;
    d->drop_after = 0;
    *out = &d->face;
    *state = (struct store_state){
        .first_frame = d->first_frame,
        .last_frame = last_frame(d),
        .oldest_live_frame = d->oldest_live_frame,
        .serial_max = d->serial_max,
    };
    return 0;
}

void memory_disk_fail(struct memory_disk *d, uint64_t nth, int code, bool landed)
{
    d->fail_at = nth == 0 ? 0 : d->operations + nth;
    d->fail_code = code;
    d->fail_landed = landed;
}

void memory_disk_set_size(struct memory_disk *d, uint64_t bytes_max)
{
    d->bytes_max = bytes_max;
}

uint64_t memory_disk_operations(const struct memory_disk *d)
{
    return d->operations;
}
