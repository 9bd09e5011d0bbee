/* sqlite_requests.c - which ended saga had a request_id: a table by a hash of it, into which what is new is sorted a piece at a time.
 *
 * Callers choose request_ids, and those of most are in no order: an index that takes each in at once writes a page for each. So what is new
 * is kept in memory, in buckets by the highest bits of the hash, and in a log, an entry behind the other, from which it is read at the next
 * opening. When that has become many, a hand goes round the buckets; those it comes to are sorted into the table, where their neighbours are on
 * the same pages, in the transaction of whichever commit there is: as many as that commit brought. What the log had when the hand began a
 * round has been sorted in when it has ended it.
 *
 * What retention drops stays in the table until the hand comes by: an entry without its row says nothing. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/siphash.h"

#include <stdlib.h>

/* What waits to be sorted in: a part of what there is, so that several are sorted into each page, and bounds for it: of memory (24 bytes
 * each, twice that when buckets have grown), and of what is read at a start. */
#define UNSORTED_SHARE 16
#define UNSORTED_MIN   4096
#define UNSORTED_MAX   65536
/* Likewise when the table is made anew: the more at once, the fewer times its pages are written. */
#define ANEW_MAX 524288
/* What is in the log of as many times that is put in order at once at an opening: so far it comes when the hand never gets round. */
#define LOG_TIMES_MAX 6
/* Rows of the log that are dropped with one commit. */
#define LOG_ROWS_DROPPED 64
#define ENTRY_SIZE       24

static struct request_bucket *bucket_of(const struct sqlite_store *s, uint64_t hash)
{
    _Static_assert(REQUEST_BUCKETS == 1 << 10, "the highest ten bits of a hash name a bucket");
    CHECK(hash >> REQUEST_HASH_BITS == 0);
    return &s->requests.buckets[hash >> (REQUEST_HASH_BITS - 10)];
}

/* By a key of the journal's own, so that nobody outside can aim at one bucket. */
static uint64_t hash_of(const struct sqlite_store *s, struct bytes request_id)
{
    const uint64_t key[2] = {s->requests.salt, 0};
    return siphash(key, request_id) >> (64 - REQUEST_HASH_BITS);
}

static uint64_t seconds(struct instant at)
{
    return at.us < 0 ? 0 : (uint64_t)at.us / 1000000;
}

static struct request request_of(const struct sqlite_store *s, const struct ended_row *row)
{
    return (struct request){
        .hash = hash_of(s, row->request_id), .serial = row->saga.serial, .ended_s = seconds(row->ended_at)};
}

/* Ends the process unless the marks are in order: what is dropped of the log, what is sorted in, where the hand's round began, the end. */
static void marks_check(const struct request_marks *m)
{
    CHECK(m->log_first > 0);
    CHECK(m->log_first <= m->log_sorted);
    CHECK(m->log_sorted <= m->log_round);
    CHECK(m->log_round <= m->log_end);
}

/* ---- what is not sorted in ---- */

static int keep(struct sqlite_store *s, struct request request)
{
    struct request_bucket *b = bucket_of(s, request.hash);
    if (b->count == b->room) {
        uint32_t room = b->room == 0 ? 4 : b->room * 2;
        struct request *at = realloc(b->at, room * sizeof *at);
        if (at == NULL)
            return SQLITE_NOMEM;
        b->at = at;
        b->room = room;
    }
    CHECK(b->count < b->room);
    b->at[b->count++] = request;
    s->requests.unsorted++;
    return SQLITE_OK;
}

static void forget(struct sqlite_store *s, struct request request)
{
    struct request_bucket *b = bucket_of(s, request.hash);
    for (uint32_t i = b->count; i-- > 0;)
        if (b->at[i].hash == request.hash && b->at[i].serial == request.serial) {
            CHECK(s->requests.unsorted > 0);
            b->at[i] = b->at[--b->count];
            s->requests.unsorted--;
            return;
        }
}

uint64_t requests_unsorted_max(const struct sqlite_store *s)
{
    if (s->requests.unsorted_max != 0)
        return s->requests.unsorted_max;
    uint64_t share = s->requests.now.sorted / UNSORTED_SHARE;
    return share < UNSORTED_MIN ? UNSORTED_MIN : share > UNSORTED_MAX ? UNSORTED_MAX : share;
}

/* ---- sorting in ---- */

static int compare(const void *a, const void *b)
{
    const struct request *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->serial > y->serial) - (x->serial < y->serial);
}

/* What retention has dropped, of the part of the table that the bucket stands for. */
static int prune(struct sqlite_store *s, uint64_t bucket)
{
    struct requests *r = &s->requests;
    if (r->prune_before_s == 0)
        return SQLITE_OK;
    sqlite3_stmt *prune = inside_statement(s, SQL_PRUNE_REQUESTS);
    inside_bind_number(prune, 1, bucket << (REQUEST_HASH_BITS - 10));
    inside_bind_number(prune, 2, (bucket + 1) << (REQUEST_HASH_BITS - 10));
    inside_bind_number(prune, 3, r->prune_before_s);
    int rc = inside_run(prune);
    uint64_t gone = rc == SQLITE_OK ? (uint64_t)sqlite3_changes(s->db) : 0;
    r->next.sorted -= gone < r->next.sorted ? gone : r->next.sorted;
    return rc;
}

/* The bucket that the hand has come to, of which the entries stay until the transaction has succeeded. */
static int sort_bucket(struct sqlite_store *s)
{
    struct requests *r = &s->requests;
    const struct request_bucket *b = &r->buckets[r->next.hand % REQUEST_BUCKETS];
    if (b->count > r->scratch_room) {
        struct request *scratch = realloc(r->scratch, b->room * sizeof *scratch);
        if (scratch == NULL)
            return SQLITE_NOMEM;
        r->scratch = scratch;
        r->scratch_room = b->room;
    }
    CHECK(b->count <= r->scratch_room);
    if (b->count > 0) {
        memcpy(r->scratch, b->at, b->count * sizeof *b->at);
        qsort(r->scratch, b->count, sizeof *r->scratch, compare);
    }
    int rc = prune(s, r->next.hand % REQUEST_BUCKETS);
    for (uint32_t i = 0; i < b->count && rc == SQLITE_OK; i++) {
        sqlite3_stmt *sort = inside_statement(s, SQL_SORT_REQUEST);
        inside_bind_number(sort, 1, r->scratch[i].hash);
        inside_bind_number(sort, 2, r->scratch[i].serial);
        inside_bind_number(sort, 3, r->scratch[i].ended_s);
        rc = inside_run(sort);
        r->next.sorted += rc == SQLITE_OK ? (uint64_t)sqlite3_changes(s->db) : 0;
    }
    r->next.hand++;
    return rc;
}

/* The hand has been round: what the log had at the beginning of the round is sorted in. */
static int end_round(struct sqlite_store *s)
{
    struct request_marks *next = &s->requests.next;
    next->log_sorted = next->log_round;
    next->log_round = next->log_end;
    return inside_set_meta(s, META_REQUESTS, next->sorted);
}

/* Sorts in about as many as have come, while too many wait. */
static int sort_some(struct sqlite_store *s, uint64_t come)
{
    struct requests *r = &s->requests;
    uint64_t max = requests_unsorted_max(s), done = 0;
    int rc = SQLITE_OK;
    for (unsigned i = 0;
         i < REQUEST_BUCKETS && rc == SQLITE_OK && r->unsorted - done > max && done < come + come / 4 + 1; i++) {
        done += r->buckets[r->next.hand % REQUEST_BUCKETS].count;
        CHECK(done <= r->unsorted);
        rc = sort_bucket(s);
        if (rc == SQLITE_OK && r->next.hand % REQUEST_BUCKETS == 0)
            rc = end_round(s);
    }
    return rc;
}

/* ---- the log ---- */

static void put_number(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_number(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static uint32_t checksum_of_log(uint64_t number, struct bytes entries)
{
    return checksum_of(&number, 1, entries, bytes_of(NULL, 0));
}

static int log_row(struct sqlite_store *s, size_t count)
{
    struct requests *r = &s->requests;
    sqlite3_stmt *add = inside_statement(s, SQL_LOG_REQUESTS);
    struct bytes entries = bytes_of(r->text, count * ENTRY_SIZE);
    CHECK(count > 0 && entries.size <= r->text_room);
    inside_bind_number(add, 1, r->next.log_end);
    inside_bind_blob(add, 2, entries);
    checksum_bind(add, 3, checksum_of_log(r->next.log_end, entries));
    r->next.log_end++;
    return inside_run(add);
}

static int drop_log(struct sqlite_store *s)
{
    struct request_marks *next = &s->requests.next;
    if (next->log_first >= next->log_sorted)
        return SQLITE_OK;
    uint64_t to = next->log_first + LOG_ROWS_DROPPED;
    next->log_first = to < next->log_sorted ? to : next->log_sorted;
    sqlite3_stmt *drop = inside_statement(s, SQL_DROP_REQUEST_LOG);
    inside_bind_number(drop, 1, next->log_first);
    return inside_run(drop);
}

static int reserve_text(struct requests *r, size_t size)
{
    if (size <= r->text_room)
        return SQLITE_OK;
    uint8_t *text = realloc(r->text, size * 2);
    if (text == NULL)
        return SQLITE_NOMEM;
    r->text = text;
    r->text_room = size * 2;
    return SQLITE_OK;
}

int requests_add(struct sqlite_store *s, const struct ended_row *rows, size_t count)
{
    struct requests *r = &s->requests;
    r->next = r->now;
    size_t come = 0;
    int rc = reserve_text(r, count * ENTRY_SIZE);
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        if (rows[i].request_id.size == 0)
            continue;
        struct request request = request_of(s, &rows[i]);
        uint8_t *at = r->text + come++ * ENTRY_SIZE;
        put_number(at, request.hash);
        put_number(at + 8, request.serial);
        put_number(at + 16, request.ended_s);
        rc = keep(s, request);
    }
    if (rc != SQLITE_OK || come == 0)
        return rc;
    rc = log_row(s, come);
    if (rc == SQLITE_OK)
        rc = sort_some(s, come);
    return rc == SQLITE_OK ? drop_log(s) : rc;
}

void requests_landed(struct sqlite_store *s)
{
    struct requests *r = &s->requests;
    CHECK(r->next.hand - r->now.hand <= REQUEST_BUCKETS);
    CHECK(r->next.log_first >= r->now.log_first &&
          r->next.log_end >= r->now.log_end); /* the log only grows at its end */
    marks_check(&r->next);
    for (uint64_t i = r->now.hand; i < r->next.hand; i++) {
        struct request_bucket *b = &r->buckets[i % REQUEST_BUCKETS];
        CHECK(b->count <= r->unsorted);
        r->unsorted -= b->count;
        b->count = 0;
    }
    r->now = r->next;
}

void requests_undo(struct sqlite_store *s, const struct ended_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].request_id.size > 0)
            forget(s, request_of(s, &rows[i]));
}

/* ---- retention ---- */

int requests_dropping(struct sqlite_store *s, struct instant before)
{
    uint64_t at = seconds(before) + 1;
    return at > s->requests.dropped_before_s ? inside_set_meta(s, META_DROPPED, at) : SQLITE_OK;
}

void requests_dropped(struct sqlite_store *s, struct instant before, bool whole)
{
    struct requests *r = &s->requests;
    uint64_t at = seconds(before);
    if (whole) /* this process's clock does not go back, so nothing will end before it */
        r->prune_before_s = at > r->prune_before_s ? at : r->prune_before_s;
    else
        r->dropped_before_s = at + 1 > r->dropped_before_s ? at + 1 : r->dropped_before_s;
}

/* ---- looking up ---- */

/* What is looked for. */
struct wanted {
    struct bytes request_id, owner;
    uint64_t newest; /* of those that were found; 0: none */
};

/* Whether a saga that the hash leads to is meant: its serial is kept when it is newer. */
static int look_at(struct sqlite_store *s, struct wanted *w, uint64_t serial, uint64_t ended_s,
                   struct error_detail *detail)
{
    struct ended_row row;
    int rc = sqlite_store_read_ended(s, serial, &row, detail);
    if (rc == E_SAGA_NOT_FOUND)
        return ended_s < s->requests.dropped_before_s
                   ? 0
                   : inside_corrupt(s->path, "the table requests leads to a row that is not in the table ended",
                                    detail);
    if (rc == 0 && serial > w->newest && bytes_equal(row.request_id, w->request_id) && ended_row_by(&row, w->owner))
        w->newest = serial;
    return rc;
}

static int look_at_sorted(struct sqlite_store *s, struct wanted *w, uint64_t hash, struct error_detail *detail)
{
    sqlite3_stmt *find = inside_statement(s, SQL_REQUEST_SERIALS);
    inside_bind_number(find, 1, hash);
    int rc = 0, step;
    while ((step = sqlite3_step(find)) == SQLITE_ROW && rc == 0)
        rc = look_at(s, w, (uint64_t)sqlite3_column_int64(find, 0), (uint64_t)sqlite3_column_int64(find, 1), detail);
    int end = sqlite3_reset(find);
    if (rc != 0)
        return rc;
    return step == SQLITE_DONE ? 0 : inside_fail(s, end, "looking for a request_id", detail);
}

/* In the index of the rows of before schema 4, of which nobody is the owner. */
static int find_old(struct sqlite_store *s, struct bytes request_id, struct ended_row *row, struct error_detail *detail)
{
    if (!s->requests.has_old)
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    sqlite3_stmt *find = inside_statement(s, SQL_FIND_REQUEST_OLD);
    inside_bind_text(find, 1, request_id);
    int rc = sqlite_read_one(s, find, row, detail);
    return rc == 0 && !bytes_equal(row->request_id, request_id)
               ? sqlite_leads_elsewhere(s, "index ended_request", detail)
               : rc;
}

int sqlite_store_find_request(struct store *face, struct bytes request_id, struct bytes owner, struct ended_row *row,
                              struct error_detail *detail)
{
    struct wanted w = {.request_id = request_id, .owner = owner};
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_rest(s);
    if (request_id.size == 0 || request_id.size > REQUEST_ID_BYTES_MAX)
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    uint64_t hash = hash_of(s, request_id);
    const struct request_bucket *b = bucket_of(s, hash);
    int rc = 0;
    for (uint32_t i = 0; i < b->count && rc == 0; i++)
        if (b->at[i].hash == hash)
            rc = look_at(s, &w, b->at[i].serial, b->at[i].ended_s, detail);
    if (rc == 0)
        rc = look_at_sorted(s, &w, hash, detail);
    if (rc != 0)
        return rc;
    /* What was begun since is newer. */
    return w.newest != 0 ? sqlite_store_read_ended(s, w.newest, row, detail) : find_old(s, request_id, row, detail);
}

int requests_lead_to(struct sqlite_store *s, struct bytes request_id, uint64_t serial, bool *found)
{
    uint64_t hash = hash_of(s, request_id);
    const struct request_bucket *b = bucket_of(s, hash);
    for (uint32_t i = 0; i < b->count; i++)
        if (b->at[i].hash == hash && b->at[i].serial == serial) {
            *found = true;
            return SQLITE_OK;
        }
    sqlite3_stmt *find = inside_statement(s, SQL_HAS_REQUEST);
    inside_bind_number(find, 1, hash);
    inside_bind_number(find, 2, serial);
    int rc = sqlite3_step(find);
    *found = rc == SQLITE_ROW;
    int end = sqlite3_reset(find);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : end;
}

/* ---- opening ---- */

/* One number that a statement gives; *there: whether it gives one. */
static int ask(struct sqlite_store *s, const char *sql, bool *there, uint64_t *value, struct error_detail *detail)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return inside_fail(s, rc, "reading request_ids", detail);
    rc = sqlite3_step(statement);
    *there = rc == SQLITE_ROW;
    *value = *there ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    int end = sqlite3_finalize(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : inside_fail(s, end, "reading request_ids", detail);
}

static int take_log_row(struct sqlite_store *s, sqlite3_stmt *scan, struct error_detail *detail)
{
    struct request_marks *now = &s->requests.now;
    uint64_t number = (uint64_t)sqlite3_column_int64(scan, 0);
    struct bytes entries = inside_column_bytes(scan, 1);
    if (now->log_end == 1)
        now->log_first = now->log_end = number;
    if (number == 0 || number != now->log_end || entries.size == 0 || entries.size % ENTRY_SIZE != 0 ||
        !checksum_fits(scan, 2, checksum_of_log(number, entries)))
        return inside_corrupt(s->path, "a row of the table request_log is damaged, or missing", detail);
    now->log_end++;
    for (const uint8_t *at = entries.at; at < entries.at + entries.size; at += ENTRY_SIZE)
        if (keep(s, (struct request){get_number(at), get_number(at + 8), get_number(at + 16)}) != SQLITE_OK)
            return error_set(detail, E_MEMORY, s->path, NULL);
    return 0;
}

static int read_log(struct sqlite_store *s, struct error_detail *detail)
{
    struct request_marks *now = &s->requests.now;
    sqlite3_stmt *scan;
    int rc = sqlite3_prepare_v2(s->db, "SELECT seq, entries, checksum FROM request_log ORDER BY seq", -1, &scan, NULL);
    if (rc != SQLITE_OK)
        return inside_fail(s, rc, "reading request_ids", detail);
    int step;
    now->log_first = now->log_end = 1;
    while ((step = sqlite3_step(scan)) == SQLITE_ROW && rc == 0)
        rc = take_log_row(s, scan, detail);
    int end = sqlite3_finalize(scan);
    now->log_round = now->log_end;
    now->log_sorted = now->log_first;
    if (rc != 0)
        return rc;
    return step == SQLITE_DONE ? 0 : inside_fail(s, end, "reading request_ids", detail);
}

/* All that waits. Returns SQLite's code. */
static int sort_all(struct sqlite_store *s)
{
    struct requests *r = &s->requests;
    int rc = inside_run(inside_statement(s, SQL_BEGIN));
    r->next = r->now;
    for (unsigned i = 0; i < REQUEST_BUCKETS && rc == SQLITE_OK; i++)
        rc = sort_bucket(s);
    r->next.log_first = r->next.log_round = r->next.log_sorted = r->next.log_end;
    sqlite3_stmt *drop = inside_statement(s, SQL_DROP_REQUEST_LOG);
    inside_bind_number(drop, 1, r->next.log_end);
    if (rc == SQLITE_OK)
        rc = inside_run(drop);
    if (rc == SQLITE_OK)
        rc = inside_run(inside_statement(s, SQL_COMMIT));
    if (rc == SQLITE_OK)
        requests_landed(s);
    return rc;
}

/* So many never wait again. */
static void give_room_back(struct requests *r)
{
    for (unsigned i = 0; i < REQUEST_BUCKETS; i++) {
        if (r->buckets[i].count > 0)
            continue;
        free(r->buckets[i].at);
        r->buckets[i] = (struct request_bucket){.at = NULL};
    }
    free(r->scratch);
    r->scratch = NULL;
    r->scratch_room = 0;
}

/* Somebody took the mark away, since the table did not lead to a row: it is made anew from the rows. */
static int make_anew(struct sqlite_store *s, struct error_detail *detail)
{
    struct requests *r = &s->requests;
    sqlite3_stmt *scan = NULL;
    uint32_t most = r->unsorted_max != 0 ? r->unsorted_max : ANEW_MAX;
    int step = SQLITE_ROW;
    r->now = (struct request_marks){.log_first = 1, .log_end = 1, .log_round = 1, .log_sorted = 1};
    int rc = sqlite3_exec(s->db, "DELETE FROM requests; DELETE FROM request_log", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, "SELECT serial, ended_us, request FROM ended WHERE serial > ?1 ORDER BY serial",
                                -1, &scan, NULL);
    for (uint64_t after = 0; rc == SQLITE_OK && step == SQLITE_ROW;) {
        inside_bind_number(scan, 1, after);
        inside_upgrading(s, true, r->now.sorted);
        while (rc == SQLITE_OK && r->unsorted < most && (step = sqlite3_step(scan)) == SQLITE_ROW) {
            struct ended_row row = {.saga.serial = (uint64_t)sqlite3_column_int64(scan, 0),
                                    .ended_at.us = sqlite3_column_int64(scan, 1),
                                    .request_id = inside_column_bytes(scan, 2)};
            after = row.saga.serial;
            if (row.request_id.size > 0 && row.request_id.size <= REQUEST_ID_BYTES_MAX)
                rc = keep(s, request_of(s, &row));
        }
        int end = sqlite3_reset(scan);
        if (rc == SQLITE_OK)
            rc = end != SQLITE_OK ? end : sort_all(s);
        if (rc == SQLITE_OK)
            inside_copy_long_log(s); /* which has a share of the disk */
    }
    sqlite3_finalize(scan);
    give_room_back(r);
    if (rc == SQLITE_OK) /* last: what is begun and not ended is begun anew */
        rc = inside_set_meta(s, META_REQUESTS, r->now.sorted);
    return rc == SQLITE_OK ? 0 : inside_open_failed(s, rc, "making the table requests anew", detail);
}

int requests_open(struct sqlite_store *s, struct error_detail *detail)
{
    struct requests *r = &s->requests;
    bool whole;
    uint64_t ignored;
    r->buckets = calloc(REQUEST_BUCKETS, sizeof *r->buckets);
    if (r->buckets == NULL)
        return error_set(detail, E_MEMORY, s->path, NULL);
    int rc = inside_get_meta(s, META_SALT, &r->salt, detail);
    if (rc == 0)
        rc = inside_get_meta(s, META_DROPPED, &r->dropped_before_s, detail);
    if (rc == 0)
        rc = ask(s, "SELECT 1 FROM ended INDEXED BY ended_request WHERE request_id IS NOT NULL LIMIT 1", &r->has_old,
                 &ignored, detail);
    if (rc == 0)
        rc = ask(s, "SELECT value FROM meta WHERE key = '" META_REQUESTS "'", &whole, &ignored, detail);
    if (rc == 0 && !whole)
        return make_anew(s, detail);
    if (rc == 0)
        rc = inside_get_meta(s, META_REQUESTS, &r->now.sorted, detail);
    if (rc == 0)
        rc = read_log(s, detail);
    if (rc == 0)
        marks_check(&r->now);
    if (rc != 0 || r->unsorted <= LOG_TIMES_MAX * requests_unsorted_max(s))
        return rc;
    rc = sort_all(s);
    /* Where there is no room for it, it stays as it is. */
    if (inside_is_full(s, rc)) {
        if (sqlite3_get_autocommit(s->db) == 0)
            inside_run(inside_statement(s, SQL_ROLLBACK));
        return 0;
    }
    return rc == SQLITE_OK ? 0 : inside_fail(s, rc, "sorting request_ids", detail);
}

void requests_finish(struct sqlite_store *s)
{
    struct requests *r = &s->requests;
    for (unsigned i = 0; r->buckets != NULL && i < REQUEST_BUCKETS; i++)
        free(r->buckets[i].at);
    free(r->buckets);
    free(r->scratch);
    free(r->text);
}
