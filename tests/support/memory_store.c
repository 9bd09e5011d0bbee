/* memory_store.c - the store interface on a disk made of memory. */
#include "tests/support/memory_store.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>

struct kept_frame {
    struct bytes records;
    struct instant at;
};

/* A commit on its way. Its memory is the owner's, who keeps it until its fate is known. */
struct far_commit {
    struct store_commit commit;
    int fate; /* that settle tells next */
};

#define LOOKUPS_MAX 2048

/* A look-up that was asked for. */
struct far_lookup {
    uint64_t key;
    bool answered;
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
    bool tight;
    uint64_t operations;
    uint64_t fail_at; /* operation; 0: none */
    int fail_code;
    bool fail_landed;
    bool is_open;
    bool broken;
    struct subject_row *subjects; /* by kind and name */
    size_t subject_count;
    struct audit_row *audit; /* of the numbers audit_first on */
    size_t audit_count;
    uint64_t audit_first;
    uint64_t epoch;        /* of who may write */
    uint64_t opened_epoch; /* of who has it open */
    bool far;
    struct far_commit on_the_way[STORE_COMMITS_MAX];
    unsigned on_the_way_count;
    struct far_lookup lookups[LOOKUPS_MAX];
    unsigned lookup_count;
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
    if (row->owner.size > 0)
        d->ended[at].owner = copy(row->owner);
    else
        d->ended[at].owner = bytes_of(NULL, 0);
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
    for (size_t i = 0; i < commit->subject_count; i++)
        size += commit->subjects[i].name.size + commit->subjects[i].value.size;
    for (size_t i = 0; i < commit->definition_count; i++)
        size += commit->definitions[i].source.size;
    return size;
}

static int subject_order(const struct subject_row *a, const struct subject_row *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = memcmp(a->name.at, b->name.at, a->name.size < b->name.size ? a->name.size : b->name.size);
    return order != 0 ? order : (a->name.size > b->name.size) - (a->name.size < b->name.size);
}

static void set_subject(struct memory_disk *d, const struct subject_row *row)
{
    size_t at = 0;
    while (at < d->subject_count && subject_order(&d->subjects[at], row) < 0)
        at++;
    if (at < d->subject_count && subject_order(&d->subjects[at], row) == 0) {
        release(d->subjects[at].value);
        d->subjects[at].value = copy(row->value);
        d->subjects[at].version = row->version;
        return;
    }
    d->subjects = one_more(d->subjects, d->subject_count, sizeof *d->subjects);
    memmove(d->subjects + at + 1, d->subjects + at, (d->subject_count - at) * sizeof *d->subjects);
    d->subjects[at] = *row;
    d->subjects[at].name = copy(row->name);
    d->subjects[at].value = copy(row->value);
    d->subject_count++;
}

static uint64_t audit_last(const struct memory_disk *d)
{
    return d->audit_first == 0 ? 0 : d->audit_first + d->audit_count - 1;
}

static void land(struct memory_disk *d, const struct store_commit *commit)
{
    for (size_t i = 0; commit->frame != 0 && i <= commit->cut_count; i++) {
        struct bytes records = store_commit_frame(commit, i);
        CHECK(records.size > 0);
        d->frames = one_more(d->frames, d->frame_count, sizeof *d->frames);
        d->frames[d->frame_count++] = (struct kept_frame){.records = copy(records), .at = codec_time(records)};
        if (d->first_frame == 0)
            d->first_frame = commit->frame;
    }
    for (size_t i = 0; i < commit->ended_count; i++)
        add_ended(d, &commit->ended[i]);
    for (size_t i = 0; i < commit->definition_count; i++)
        add_definition(d, &commit->definitions[i]);
    for (size_t i = 0; i < commit->subject_count; i++)
        set_subject(d, &commit->subjects[i]);
    if (commit->audit.seq != 0) {
        CHECK(commit->audit.seq == audit_last(d) + 1);
        d->audit = one_more(d->audit, d->audit_count, sizeof *d->audit);
        d->audit[d->audit_count] = commit->audit;
        d->audit[d->audit_count++].body = copy(commit->audit.body);
        if (d->audit_first == 0)
            d->audit_first = commit->audit.seq;
    }
    if (commit->oldest_live_frame != 0)
        d->oldest_live_frame = commit->oldest_live_frame;
    d->bytes += size_of(commit);
}

/* The number of the frame that the next commit must have. */
static uint64_t next_frame(const struct memory_disk *d)
{
    uint64_t next = last_frame(d) + 1;
    for (unsigned i = 0; i < d->on_the_way_count; i++) {
        const struct store_commit *c = &d->on_the_way[i].commit;
        next += c->frame == 0 ? 0 : c->cut_count + 1;
    }
    return next;
}

static int send(struct memory_disk *d, const struct store_commit *commit)
{
    CHECK(d->on_the_way_count < STORE_COMMITS_MAX);
    for (unsigned i = 0; i < d->on_the_way_count; i++)
        CHECK(d->on_the_way[i].fate != STORE_AMBIGUOUS); /* nothing follows before that is known */
    d->on_the_way[d->on_the_way_count++] = (struct far_commit){.commit = *commit, .fate = STORE_PENDING};
    return STORE_PENDING;
}

static int commit_all(struct store *s, const struct store_commit *commit, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    CHECK(commit->frame == 0 || commit->frame == next_frame(d));
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
    if (d->epoch != d->opened_epoch)
        return error_set(detail, E_JOURNAL_FENCED, "memory", "another has taken the disk over");
    if (d->bytes_max != 0 && d->bytes + size_of(commit) > d->bytes_max)
        return error_set(detail, E_JOURNAL_FULL, "memory", "there is no room for the journal");
    if (d->far)
        return send(d, commit);
    land(d, commit);
    return 0;
}

static int settle(struct store *s, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    CHECK(d->on_the_way_count > 0); /* who asks has something on the way */
    int fate = d->on_the_way[0].fate;
    if (fate == 0) {
        memmove(d->on_the_way, d->on_the_way + 1, --d->on_the_way_count * sizeof d->on_the_way[0]);
    } else if (fate < 0) {
        d->on_the_way_count = 0;
        return error_set(detail, fate, "memory", "a test asked for this");
    }
    return fate;
}

void memory_disk_set_far(struct memory_disk *d, bool far)
{
    d->far = far;
}

void memory_disk_arrive(struct memory_disk *d, int fate)
{
    for (unsigned i = 0; i < d->lookup_count; i++)
        d->lookups[i].answered = true;
    if (fate == STORE_PENDING)
        return;
    unsigned at = 0;
    while (at < d->on_the_way_count && d->on_the_way[at].fate == 0)
        at++;
    CHECK(at < d->on_the_way_count);
    d->on_the_way[at].fate = fate;
    if (fate == 0)
        land(d, &d->on_the_way[at].commit);
}

unsigned memory_disk_on_the_way(const struct memory_disk *d)
{
    return d->on_the_way_count;
}

void memory_disk_fence(struct memory_disk *d)
{
    d->epoch++;
}

static uint64_t first_frame(struct store *s)
{
    return ((struct memory_disk *)s)->first_frame;
}

static bool is_tight(struct store *s)
{
    const struct memory_disk *d = disk_of(s);
    return d->tight;
}

static int check(struct store *s, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    return d->epoch == d->opened_epoch
               ? 0
               : error_set(detail, E_JOURNAL_FENCED, "memory", "another has taken the disk over");
}

/* ---- reading ---- */

/* Of a far disk: whether the answer to what was asked under this key is there. It is then given, and forgotten. */
static bool looked_up(struct memory_disk *d, uint64_t key)
{
    if (!d->far)
        return true;
    for (unsigned i = 0; i < d->lookup_count; i++)
        if (d->lookups[i].key == key) {
            if (d->lookups[i].answered)
                d->lookups[i] = d->lookups[--d->lookup_count];
            else
                return false;
            return true;
        }
    CHECK(d->lookup_count < LOOKUPS_MAX);
    d->lookups[d->lookup_count++] = (struct far_lookup){.key = key};
    return false;
}

static uint64_t key_of(struct bytes text)
{
    uint64_t key = 1;
    for (size_t i = 0; i < text.size; i++)
        key = (key ^ text.at[i]) * UINT64_C(0x100000001b3) + 7;
    return key;
}

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
    if (!looked_up(d, UINT64_C(1) << 62 | frame))
        return STORE_PENDING;
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
    if (!looked_up(d, UINT64_C(1) << 63 | serial))
        return STORE_PENDING;
    size_t at = ended_at(d, serial);
    if (at == d->ended_count || d->ended[at].saga.serial != serial)
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    *row = d->ended[at];
    return 0;
}

static int find_request(struct store *s, struct bytes request_id, struct bytes owner, struct ended_row *row,
                        struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    if (rc != 0)
        return rc;
    if (!looked_up(d, key_of(request_id) >> 2))
        return STORE_PENDING;
    for (size_t i = d->ended_count; i-- > 0 && request_id.size > 0;)
        if (bytes_equal(d->ended[i].request_id, request_id) && ended_row_by(&d->ended[i], owner)) {
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
    size_t i = ended_at(d, query->below);
    *examined_to = 0;
    while (i-- > 0) {
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
            (query->name.size != 0 && !bytes_equal(query->name, row->name)) ||
            (query->owner.size != 0 && !bytes_equal(query->owner, row->owner)))
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

static int scan_subjects(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                         void *self, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    for (size_t i = 0; i < d->subject_count && rc == 0; i++)
        if (d->subjects[i].kind == kind)
            rc = take(self, &d->subjects[i]);
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
            release(d->ended[i].owner);
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

static int scan_audit(struct store *s, uint64_t from, uint32_t rows_max,
                      int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    int rc = operation(d, detail);
    for (size_t i = 0; i < d->audit_count && rc == 0 && rows_max > 0; i++)
        if (d->audit[i].seq >= from) {
            rc = take(self, &d->audit[i]);
            rows_max--;
        }
    return rc;
}

static int drop_audit(struct store *s, struct instant before, uint32_t work_max, bool *more,
                      struct error_detail *detail)
{
    struct memory_disk *d = disk_of(s);
    size_t count = 0;
    int rc = operation(d, detail);
    while (rc == 0 && count < d->audit_count && count < work_max && instant_before(d->audit[count].at, before))
        release(d->audit[count++].body);
    *more = count == work_max;
    d->audit_first += count;
    d->audit_count -= count;
    struct audit_row *kept = NULL;
    for (size_t i = 0; i < d->audit_count; i++) {
        kept = one_more(kept, i, sizeof *kept);
        kept[i] = d->audit[count + i];
    }
    free(d->audit);
    d->audit = kept;
    return rc;
}

/* Nothing here is found by any other way than that by which it is kept. */
static int verify(struct store *s, uint32_t rows_max, bool *more, struct error_detail *detail)
{
    CHECK(rows_max > 0);
    *more = false;
    return operation(disk_of(s), detail);
}

/* ---- the disk ---- */

static void close_store(struct store *s)
{
    if (s == NULL)
        return;
    disk_of(s)->is_open = false;
    disk_of(s)->on_the_way_count = disk_of(s)->lookup_count = 0; /* what had not arrived never does */
}

struct memory_disk *memory_disk_create(void)
{
    struct memory_disk *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->face = (struct store){
        .commit = commit_all,
        .settle = settle,
        .is_tight = is_tight,
        .check = check,
        .first_frame = first_frame,
        .scan = scan,
        .read_frame = read_frame,
        .find_ended = find_ended,
        .find_request = find_request,
        .list_ended = list_ended,
        .scan_definitions = scan_definitions,
        .scan_subjects = scan_subjects,
        .drop = drop,
        .scan_audit = scan_audit,
        .drop_audit = drop_audit,
        .verify = verify,
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
        release(d->ended[i].owner);
    }
    for (size_t i = 0; i < d->audit_count; i++)
        release(d->audit[i].body);
    free(d->audit);
    for (size_t i = 0; i < d->definition_count; i++)
        release(d->definitions[i].source);
    free(d->frames);
    free(d->ended);
    for (size_t i = 0; i < d->subject_count; i++) {
        release(d->subjects[i].name);
        release(d->subjects[i].value);
    }
    free(d->definitions);
    free(d->subjects);
    free(d);
}

struct memory_disk *memory_disk_copy(const struct memory_disk *from)
{
    struct memory_disk *d = memory_disk_create();
    for (; d->frame_count < from->frame_count; d->frame_count++) {
        d->frames = one_more(d->frames, d->frame_count, sizeof *d->frames);
        d->frames[d->frame_count] = from->frames[d->frame_count];
        d->frames[d->frame_count].records = copy(from->frames[d->frame_count].records);
    }
    for (size_t i = 0; i < from->ended_count; i++)
        add_ended(d, &from->ended[i]);
    for (size_t i = 0; i < from->definition_count; i++)
        add_definition(d, &from->definitions[i]);
    for (size_t i = 0; i < from->subject_count; i++)
        set_subject(d, &from->subjects[i]);
    for (; d->audit_count < from->audit_count; d->audit_count++) {
        d->audit = one_more(d->audit, d->audit_count, sizeof *d->audit);
        d->audit[d->audit_count] = from->audit[d->audit_count];
        d->audit[d->audit_count].body = copy(from->audit[d->audit_count].body);
    }
    d->first_frame = from->first_frame;
    d->oldest_live_frame = from->oldest_live_frame;
    d->serial_max = from->serial_max;
    d->bytes = from->bytes;
    d->audit_first = from->audit_first;
    d->epoch = from->epoch;
    return d;
}

int memory_store_open(struct memory_disk *d, struct store **out, struct store_state *state, struct error_detail *detail)
{
    if (d->is_open)
        return error_set(detail, E_JOURNAL_LOCKED, "memory", NULL);
    d->is_open = true;
    d->broken = false;
    d->drop_after = 0;
    d->opened_epoch = d->epoch;
    *out = &d->face;
    *state = (struct store_state){
        .first_frame = d->first_frame,
        .last_frame = last_frame(d),
        .oldest_live_frame = d->oldest_live_frame,
        .serial_max = d->serial_max,
        .audit_last = audit_last(d),
        .epoch = d->epoch,
    };
    return 0;
}

void memory_disk_fail(struct memory_disk *d, uint64_t nth, int code, bool landed)
{
    d->fail_at = nth == 0 ? 0 : d->operations + nth;
    d->fail_code = code;
    d->fail_landed = landed;
}

void memory_disk_set_tight(struct memory_disk *d, bool tight)
{
    d->tight = tight;
}

void memory_disk_set_size(struct memory_disk *d, uint64_t bytes_max)
{
    d->bytes_max = bytes_max;
}

uint64_t memory_disk_operations(const struct memory_disk *d)
{
    return d->operations;
}
