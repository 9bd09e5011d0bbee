/* sqlite_store.c - frames into and out of the database: the commit, the scan, retention.
 *
 * What a failed write means. SQLITE_FULL, wherever it comes, is rolled back and leaves the database as it was, so the same commit may
 * be tried again. After any other failure nothing is written any more: an fsync that failed once must not be asked again, because the
 * system may have dropped what it could not write and would then call the rest of it good. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define CHECKPOINT_LONG_US   20000
#define CHECKPOINT_PAGES_MIN 64

void inside_check(const struct sqlite_store *s)
{
    CHECK(s->db != NULL && s->opened);
    CHECK((s->first_frame == 0) == (s->last_frame == 0) && s->first_frame <= s->last_frame); /* frames have no gap */
    CHECK(s->oldest_live == 0 || (s->oldest_live >= s->first_frame && s->oldest_live <= s->last_frame + 1));
    CHECK(s->verify_below <= s->serial_max);
    CHECK(s->checkpoint_pace > 0 && s->checkpoint_pace <= s->checkpoint_pages);
    CHECK(s->checkpoint_at >= s->checkpoint_pace); /* a full disk puts the next one off */
    CHECK(s->broken == (s->broken_code != 0));     /* what is broken says why */
    CHECK(s->broken_code == 0 || s->broken_code == E_JOURNAL || s->broken_code == E_JOURNAL_FENCED);
    CHECK(s->named_file || (!s->has_reserve && s->file.inode == 0)); /* a made-up disk has no files */
    for (size_t i = 0; i < CACHED_FRAMES; i++)
        CHECK(s->cached[i].frame == 0 ||
              (s->cached[i].frame <= s->last_frame && s->cached[i].size <= s->cached[i].room));
}

void inside_rest(struct sqlite_store *s)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (s->statements[i] != NULL && sqlite3_stmt_busy(s->statements[i]))
            sqlite3_reset(s->statements[i]);
}

sqlite3_stmt *inside_statement(struct sqlite_store *s, enum statement statement)
{
    sqlite3_reset(s->statements[statement]);
    return s->statements[statement];
}

int inside_run(sqlite3_stmt *statement)
{
    errno = 0; /* what inside_is_full finds there later is this statement's, and nobody's before it */
    int rc = sqlite3_step(statement);
    int end = sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_ERROR;
}

void inside_bind_number(sqlite3_stmt *statement, int parameter, uint64_t value)
{
    CHECK(value <= INT64_MAX);
    sqlite3_bind_int64(statement, parameter, (int64_t)value);
}

void inside_bind_text(sqlite3_stmt *statement, int parameter, struct bytes text)
{
    if (text.size == 0)
        sqlite3_bind_null(statement, parameter);
    else
        sqlite3_bind_text(statement, parameter, (const char *)text.at, (int)text.size, SQLITE_STATIC);
}

void inside_bind_blob(sqlite3_stmt *statement, int parameter, struct bytes blob)
{
    if (blob.size == 0)
        sqlite3_bind_zeroblob(statement, parameter, 0);
    else
        sqlite3_bind_blob64(statement, parameter, blob.at, blob.size, SQLITE_STATIC);
}

struct bytes inside_column_bytes(sqlite3_stmt *statement, int column)
{
    const void *at = sqlite3_column_blob(statement, column);
    return bytes_of(at, (size_t)sqlite3_column_bytes(statement, column));
}

int inside_corrupt(const char *path, const char *found, struct error_detail *detail)
{
    error_set(detail, E_JOURNAL_CORRUPT, path, found);
    error_append(detail, "; keep these files as they are and restore the data directory from a backup");
    return E_JOURNAL_CORRUPT;
}

/* What the system last said of a file that it could not read, or 0. SQLite tells such a failure as damage. */
static int said_by_system(struct sqlite_store *s)
{
    int number = 0;
    sqlite3_file *log = NULL;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_LAST_ERRNO, &number) == SQLITE_OK && number != 0)
        return number;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || log == NULL ||
        log->pMethods == NULL || log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number) != SQLITE_OK)
        return 0;
    return number;
}

int inside_fail(struct sqlite_store *s, int rc, const char *doing, struct error_detail *detail)
{
    char text[160];
    char reason[64];
    int number;
    snprintf(text, sizeof text, "%s: %s", doing, sqlite3_errmsg(s->db));
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        number = said_by_system(s);
        if (number == 0)
            return inside_corrupt(s->path, text, detail);
        snprintf(text, sizeof text,
                 "%s: the system could not read it: %s; nothing says that the journal is damaged: look at the disk, "
                 "and start again",
                 doing, strerror_r(number, reason, sizeof reason));
        return error_set(detail, E_JOURNAL, s->path, text);
    case SQLITE_NOMEM:
        return error_set(detail, E_MEMORY, s->path, text);
    default:
        return error_set(detail, E_JOURNAL, s->path, text);
    }
}

int inside_get_meta(struct sqlite_store *s, const char *key, uint64_t *value, struct error_detail *detail)
{
    sqlite3_stmt *get = inside_statement(s, SQL_GET_META);
    sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
    int rc = sqlite3_step(get);
    *value = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(get, 0) : 0;
    bool sound =
        rc != SQLITE_ROW || checksum_fits(get, 1, checksum_of(value, 1, bytes_of_text(key), bytes_of(NULL, 0)));
    int end = sqlite3_reset(get);
    if (!sound)
        return inside_corrupt(s->path, "a row of the table meta is damaged", detail);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : inside_fail(s, end, "reading the table meta", detail);
}

/* ---- writing ---- */

/* Nothing is written from here on; the failure is told again to whoever asks. */
static int break_down(struct sqlite_store *s, int rc, const char *doing)
{
    CHECK(rc != SQLITE_OK);
    s->broken = true;
    s->broken_code = E_JOURNAL;
    inside_fail(s, rc, doing, &s->why);
    return E_JOURNAL;
}

int inside_tell_broken(const struct sqlite_store *s, struct error_detail *detail)
{
    CHECK(s->broken && s->broken_code < 0);
    *detail = s->why;
    return s->broken_code;
}

/* A quota, and a limit on the size of files, are a full disk by other names. SQLite keeps no error of the system's for a COMMIT that fails,
 * so right after one errno itself is asked. */
bool inside_is_full(struct sqlite_store *s, int rc)
{
    int error = sqlite3_system_errno(s->db) != 0 ? sqlite3_system_errno(s->db) : errno;
    return (rc & 0xff) == SQLITE_FULL || (rc == SQLITE_IOERR_WRITE && (error == EDQUOT || error == EFBIG));
}

/* Nobody is served while the log is copied, so where that takes long it is copied sooner, in smaller pieces. How long it takes depends on the
 * disk, and on how far apart the pages are: request_ids in no order touch one each. */
static void pace(struct sqlite_store *s, int64_t took_us)
{
    if (took_us > CHECKPOINT_LONG_US && s->checkpoint_pace > CHECKPOINT_PAGES_MIN)
        s->checkpoint_pace =
            s->checkpoint_pace / 2 > CHECKPOINT_PAGES_MIN ? s->checkpoint_pace / 2 : CHECKPOINT_PAGES_MIN;
    else if (took_us < CHECKPOINT_LONG_US / 4 && s->checkpoint_pace < s->checkpoint_pages)
        s->checkpoint_pace =
            s->checkpoint_pace * 2 < s->checkpoint_pages ? s->checkpoint_pace * 2 : s->checkpoint_pages;
    CHECK(s->checkpoint_pace > 0);
}

/* Copies the write-ahead log into the database. What was committed is durable with or without this, so a failure here is the next
 * commit's. A full disk is no failure: the log keeps everything, and there is a next time. What was copied whole is written over; a log that
 * has become longer than its share is cut off first. */
static void copy_log(struct sqlite_store *s)
{
    struct timespec began, ended;
    int length, copied;
    bool too_long = s->shares.bytes_max != 0 && s->wal_pages > s->shares.log_pages;
    clock_gettime(CLOCK_MONOTONIC, &began);
    int rc = sqlite3_wal_checkpoint_v2(s->db, "main", too_long ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
                                       &length, &copied);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    pace(s, (ended.tv_sec - began.tv_sec) * 1000000 + (ended.tv_nsec - began.tv_nsec) / 1000);
    s->checkpoint_at = s->checkpoint_pace;
    if (inside_is_full(s, rc))
        s->checkpoint_at += s->wal_pages;
    else if (rc != SQLITE_OK)
        break_down(s, rc, "copying the write-ahead log into the database");
    else if (length == copied)
        s->wal_pages = 0;
}

void inside_copy_long_log(struct sqlite_store *s)
{
    if (s->wal_pages >= s->checkpoint_at)
        copy_log(s);
}

/* Pages that the records and rows of a commit take in the log, about. */
static uint64_t pages_of(const struct store_commit *commit)
{
    uint64_t bytes = commit->records.size;
    for (size_t i = 0; i < commit->definition_count; i++)
        bytes += commit->definitions[i].source.size;
    for (size_t i = 0; i < commit->subject_count; i++)
        bytes += commit->subjects[i].value.size;
    return bytes / (PAGE_SIZE - PAGE_SIZE / 64) + commit->cut_count + commit->ended_count + commit->ended_count / 4 +
           commit->definition_count + commit->subject_count;
}

/* Before so many pages are written: a log that would not have room for them is copied, and then written over. */
static void make_way(struct sqlite_store *s, uint64_t pages)
{
    CHECK(s->checkpoint_pages > 0);
    if (s->shares.bytes_max != 0 && s->wal_pages + pages + s->checkpoint_pages / 8 > s->shares.log_pages)
        copy_log(s);
}

/* Ends a transaction that failed with rc, so that nothing of it stays. */
int inside_roll_back(struct sqlite_store *s, int rc, struct error_detail *detail)
{
    if (!inside_is_full(s, rc))
        break_down(s, rc, "writing");
    inside_rest(s);
    /* SQLite has rolled back by itself, but for a failure before COMMIT. */
    if (sqlite3_get_autocommit(s->db) == 0) {
        int back = inside_run(inside_statement(s, SQL_ROLLBACK));
        if (back != SQLITE_OK && !s->broken)
            break_down(s, back, "rolling back");
    }
    if (s->broken)
        return inside_tell_broken(s, detail);
    /* A log that was copied is written over from its start, so that retention has room to make room. */
    copy_log(s);
    return error_set(detail, E_JOURNAL_FULL, s->path,
                     s->shares.bytes_max == 0
                         ? "the disk is full, or the file is as large as the system lets it be (ulimit -f)"
                         : "the disk is full, or journal_bytes_max is reached");
}

int inside_set_meta(struct sqlite_store *s, const char *key, uint64_t value)
{
    sqlite3_stmt *set = inside_statement(s, SQL_SET_META);
    sqlite3_bind_text(set, 1, key, -1, SQLITE_STATIC);
    inside_bind_number(set, 2, value);
    checksum_bind(set, 3, checksum_of(&value, 1, bytes_of_text(key), bytes_of(NULL, 0)));
    return inside_run(set);
}

static int add_frames(struct sqlite_store *s, const struct store_commit *commit)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i <= commit->cut_count && commit->frame != 0 && rc == SQLITE_OK; i++) {
        struct bytes records = store_commit_frame(commit, i);
        sqlite3_stmt *add = inside_statement(s, SQL_ADD_FRAME);
        CHECK(records.size > 0);
        inside_bind_number(add, 1, commit->frame + i);
        sqlite3_bind_int64(add, 2, codec_time(records).us);
        inside_bind_blob(add, 3, records);
        rc = inside_run(add);
    }
    return rc;
}

static uint32_t checksum_of_definition(const struct definition_row *row)
{
    const uint64_t numbers[] = {row->number, (uint64_t)row->registered_at.us, row->source.size};
    return checksum_of(numbers, sizeof numbers / sizeof numbers[0], row->source, bytes_of(NULL, 0));
}

static int add_definition(struct sqlite_store *s, const struct definition_row *row)
{
    sqlite3_stmt *add = inside_statement(s, SQL_ADD_DEFINITION);
    inside_bind_number(add, 1, row->number);
    sqlite3_bind_int64(add, 2, row->registered_at.us);
    inside_bind_blob(add, 3, row->source);
    checksum_bind(add, 4, checksum_of_definition(row));
    return inside_run(add);
}

static int add_all(struct sqlite_store *s, const struct store_commit *commit)
{
    int rc = add_frames(s, commit);
    for (size_t i = 0; i < commit->definition_count && rc == SQLITE_OK; i++)
        rc = add_definition(s, &commit->definitions[i]);
    for (size_t i = 0; i < commit->ended_count && rc == SQLITE_OK; i++)
        rc = sqlite_store_add_ended(s, &commit->ended[i]);
    if (rc == SQLITE_OK)
        rc = requests_add(s, commit->ended, commit->ended_count);
    for (size_t i = 0; i < commit->subject_count && rc == SQLITE_OK; i++)
        rc = sqlite_store_set_subject(s, &commit->subjects[i]);
    if (rc == SQLITE_OK && commit->audit.seq != 0)
        rc = audit_rows_add(s, &commit->audit);
    if (rc == SQLITE_OK && commit->oldest_live_frame != 0)
        rc = inside_set_meta(s, META_OLDEST_LIVE, commit->oldest_live_frame);
    return rc;
}

/* What is known once the commit is durable. */
static void take_note(struct sqlite_store *s, const struct store_commit *commit)
{
    if (commit->frame != 0) {
        s->last_frame = commit->frame + commit->cut_count;
        if (s->first_frame == 0)
            s->first_frame = commit->frame;
    }
    audit_rows_landed(s, &commit->audit);
    if (commit->oldest_live_frame != 0)
        s->oldest_live = commit->oldest_live_frame;
    for (size_t i = 0; i < commit->ended_count; i++) {
        const struct ended_row *row = &commit->ended[i];
        if (row->saga.serial > s->serial_max)
            s->serial_max = row->saga.serial;
        if (row->definition < NAMED_MAX)
            s->named[row->definition / 8] |= (uint8_t)(1 << row->definition % 8);
    }
}

int sqlite_store_commit(struct store *face, const struct store_commit *commit, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_check(s);
    CHECK(commit->frame == 0 || commit->frame == s->last_frame + 1);
    CHECK(commit->oldest_live_frame <= s->last_frame + 1 + commit->cut_count); /* what will be is needed */
    CHECK((commit->frame == 0) == (commit->records.size == 0));
    CHECK(commit->frame != 0 || commit->cut_count == 0);

    inside_rest(s);
    if (s->broken)
        return inside_tell_broken(s, detail);
    if (commit->epoch != EPOCH)
        return error_set(detail, E_JOURNAL_FENCED, s->path, "the commit is of another holder of the journal");
    s->uncounted_bytes += commit->records.size;
    make_way(s, pages_of(commit));
    if (s->broken)
        return inside_tell_broken(s, detail);
    int rc = inside_run(inside_statement(s, SQL_BEGIN));
    if (rc == SQLITE_OK)
        rc = add_all(s, commit);
    if (rc == SQLITE_OK)
        rc = inside_run(inside_statement(s, SQL_COMMIT));
    if (rc != SQLITE_OK) {
        int code = inside_roll_back(s, rc, detail); /* first, while the system's word is fresh */
        requests_undo(s, commit->ended, commit->ended_count);
        return code;
    }
    requests_landed(s);
    /* What went into a file that nobody will find again is not kept. */
    if (files_are_due(s) && (rc = sqlite_store_check(face, detail)) != 0)
        return rc;
    take_note(s, commit);
    inside_copy_long_log(s);
    return 0;
}

/* ---- reading ---- */

struct span sqlite_store_synced(struct store *face)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    struct span took = s->gather.synced;
    s->gather.synced = (struct span){0};
    return took;
}

uint64_t sqlite_store_first_frame(struct store *face)
{
    return ((struct sqlite_store *)face)->first_frame;
}

static int frame_corrupt(const struct sqlite_store *s, uint64_t frame, const char *found, struct error_detail *detail)
{
    char text[128];
    snprintf(text, sizeof text, "frame %llu: %.90s", (unsigned long long)frame, found);
    return inside_corrupt(s->path, text, detail);
}

static int check_frame(const struct sqlite_store *s, uint64_t frame, struct bytes records, struct error_detail *detail)
{
    struct error_detail found;
    if (codec_check(records, &found) == 0)
        return 0;
    return frame_corrupt(s, frame, found.text, detail);
}

int sqlite_store_scan(struct store *face, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                      void *self, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_rest(s);
    if (s->last_frame == 0)
        return 0;
    uint64_t next = from > s->first_frame ? from : s->first_frame;
    sqlite3_stmt *scan = inside_statement(s, SQL_SCAN_FRAMES);
    inside_bind_number(scan, 1, next);
    int rc = 0;
    int step;
    while ((step = sqlite3_step(scan)) == SQLITE_ROW && rc == 0) {
        uint64_t frame = (uint64_t)sqlite3_column_int64(scan, 0);
        struct bytes records = inside_column_bytes(scan, 1);
        if (frame != next)
            rc = frame_corrupt(s, next, "is missing", detail);
        else
            rc = check_frame(s, frame, records, detail);
        if (rc == 0)
            rc = take(self, frame, records);
        next++;
    }
    int end = sqlite3_reset(scan);
    if (rc != 0)
        return rc;
    if (step != SQLITE_DONE)
        return inside_fail(s, end, "reading frames", detail);
    return next > s->last_frame ? 0 : frame_corrupt(s, next, "is missing", detail);
}

int sqlite_store_read_frame(struct store *face, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_rest(s);
    if (frame < s->first_frame || frame > s->last_frame || frame == 0)
        return error_set(detail, E_CURSOR, NULL, NULL);
    if (cache_find(s, frame, records))
        return 0;
    sqlite3_stmt *read = inside_statement(s, SQL_READ_FRAME);
    inside_bind_number(read, 1, frame);
    int rc = sqlite3_step(read);
    if (rc == SQLITE_DONE)
        return frame_corrupt(s, frame, "is missing", detail);
    if (rc != SQLITE_ROW)
        return inside_fail(s, sqlite3_reset(read), "reading a frame", detail);
    struct bytes found = inside_column_bytes(read, 0);
    rc = check_frame(s, frame, found, detail);
    if (rc != 0)
        return rc;
    cache_keep(s, frame, found);
    *records = found;
    return 0;
}

int sqlite_store_scan_definitions(struct store *face, int (*take)(void *self, const struct definition_row *row),
                                  void *self, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_rest(s);
    sqlite3_stmt *scan = inside_statement(s, SQL_SCAN_DEFINITIONS);
    int rc = 0;
    int step;
    while ((step = sqlite3_step(scan)) == SQLITE_ROW && rc == 0) {
        int64_t number = sqlite3_column_int64(scan, 0);
        const struct definition_row row = {
            .number = (uint32_t)number,
            .registered_at.us = sqlite3_column_int64(scan, 1),
            .source = inside_column_bytes(scan, 2),
        };
        bool sound = number >= 1 && number <= UINT32_MAX && checksum_fits(scan, 3, checksum_of_definition(&row));
        rc = sound ? take(self, &row) : inside_corrupt(s->path, "a row of the table definitions is damaged", detail);
    }
    int end = sqlite3_reset(scan);
    if (rc != 0)
        return rc;
    return step == SQLITE_DONE ? 0 : inside_fail(s, end, "reading definitions", detail);
}

/* ---- retention ---- */

/* One piece of work. */
struct drop_plan {
    uint64_t frames_to; /* the last frame that goes; 0: none */
    bool frames_more;
    uint64_t ended_after; /* the rows that are looked at lie after this serial */
    uint64_t ended_to;    /* up to this one */
    bool ended_any;       /* one of them goes */
    bool ended_more;
};

/* Finds the frames at the front that may go. The last frame always stays, so that numbering goes on from it. */
static int plan_frames(struct sqlite_store *s, struct instant before, uint64_t keep_from, uint32_t work_max,
                       struct drop_plan *plan)
{
    sqlite3_stmt *old = inside_statement(s, SQL_OLD_FRAMES);
    inside_bind_number(old, 1, keep_from < s->last_frame ? keep_from : s->last_frame);
    inside_bind_number(old, 2, work_max);
    uint32_t found = 0;
    int step;
    while ((step = sqlite3_step(old)) == SQLITE_ROW && sqlite3_column_int64(old, 1) < before.us) {
        plan->frames_to = (uint64_t)sqlite3_column_int64(old, 0);
        found++;
    }
    CHECK(found <= work_max);
    plan->frames_more = found == work_max;
    int end = sqlite3_reset(old);
    return step == SQLITE_ROW || step == SQLITE_DONE ? SQLITE_OK : end;
}

/* Finds the next piece of ended rows. Serials rise with the time of the start, so the first saga that started too late ends the
 * pass; those that started in time but ended too late are passed over, and looked at again in the next pass. */
static int plan_ended(struct sqlite_store *s, struct instant before, uint32_t work_max, struct drop_plan *plan)
{
    plan->ended_after = s->drop_after;
    sqlite3_stmt *old = inside_statement(s, SQL_OLD_ENDED);
    inside_bind_number(old, 1, plan->ended_after);
    inside_bind_number(old, 2, work_max);
    uint32_t examined = 0;
    int step;
    while ((step = sqlite3_step(old)) == SQLITE_ROW && sqlite3_column_int64(old, 1) < before.us) {
        plan->ended_to = (uint64_t)sqlite3_column_int64(old, 0);
        plan->ended_any |= sqlite3_column_int64(old, 2) < before.us;
        examined++;
    }
    CHECK(examined <= work_max);
    plan->ended_more = examined == work_max;
    int end = sqlite3_reset(old);
    return step == SQLITE_ROW || step == SQLITE_DONE ? SQLITE_OK : end;
}

static int drop_frames(struct sqlite_store *s, const struct drop_plan *plan)
{
    if (plan->frames_to == 0)
        return SQLITE_OK;
    CHECK(plan->frames_to < s->last_frame); /* the last frame stays */
    sqlite3_stmt *drop = inside_statement(s, SQL_DROP_FRAMES);
    inside_bind_number(drop, 1, plan->frames_to);
    int rc = inside_run(drop);
    /* Replay must not start at a frame that is gone, and what went was of no use to it. */
    if (rc == SQLITE_OK && plan->frames_to >= s->oldest_live)
        rc = inside_set_meta(s, META_OLDEST_LIVE, plan->frames_to + 1);
    return rc;
}

static int drop_ended(struct sqlite_store *s, struct instant before, const struct drop_plan *plan)
{
    if (!plan->ended_any)
        return SQLITE_OK;
    sqlite3_stmt *drop = inside_statement(s, SQL_DROP_ENDED);
    inside_bind_number(drop, 1, plan->ended_after);
    inside_bind_number(drop, 2, plan->ended_to);
    sqlite3_bind_int64(drop, 3, before.us);
    int rc = inside_run(drop);
    if (rc == SQLITE_OK)
        rc = requests_dropping(s, before);
    /* The newest row may go, and no other would then tell how far serials have come. */
    if (rc == SQLITE_OK && plan->ended_to >= s->serial_max)
        rc = inside_set_meta(s, META_SERIAL_MAX, s->serial_max);
    return rc;
}

static int carry_out(struct sqlite_store *s, struct instant before, const struct drop_plan *plan)
{
    int rc = inside_run(inside_statement(s, SQL_BEGIN));
    if (rc == SQLITE_OK)
        rc = drop_frames(s, plan);
    if (rc == SQLITE_OK)
        rc = drop_ended(s, before, plan);
    return rc == SQLITE_OK ? inside_run(inside_statement(s, SQL_COMMIT)) : rc;
}

int sqlite_store_drop(struct store *face, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                      struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    s->tight_looks = 0; /* there may be room again */
    CHECK(work_max > 0);
    inside_check(s);
    inside_rest(s);
    if (s->broken)
        return inside_tell_broken(s, detail);

    struct drop_plan plan = {.frames_to = 0};
    /* What was asked for may have become less within the pass, which has then dropped all of that alone. */
    if (s->drop_after == 0 || instant_before(before, s->drop_before))
        s->drop_before = before;
    int rc = plan_frames(s, before, keep_from, work_max, &plan);
    if (rc == SQLITE_OK)
        rc = plan_ended(s, before, work_max, &plan);
    if (rc != SQLITE_OK)
        return inside_fail(s, rc, "looking for what may be dropped", detail);
    if (plan.frames_to != 0 || plan.ended_any) {
        make_way(s, work_max / 4);
        if (s->broken)
            return inside_tell_broken(s, detail);
        rc = carry_out(s, before, &plan);
        if (rc != SQLITE_OK && inside_is_full(s, rc) && reserve_give_up(s)) {
            inside_roll_back(s, rc, detail);
            rc = s->broken ? rc : carry_out(s, before, &plan);
        }
        if (rc != SQLITE_OK)
            return inside_roll_back(s, rc, detail);
        if (plan.ended_any)
            requests_dropped(s, before, false);
        if (plan.frames_to != 0)
            s->first_frame = plan.frames_to + 1;
        if (plan.frames_to != 0 && plan.frames_to >= s->oldest_live)
            s->oldest_live = plan.frames_to + 1;
        inside_copy_long_log(s);
    }
    s->drop_after = plan.ended_more ? plan.ended_to : 0;
    if (!plan.ended_more)
        requests_dropped(s, s->drop_before, true);
    *more = plan.frames_more || plan.ended_more;
    if (!*more)
        reserve_make(s);
    return 0;
}
