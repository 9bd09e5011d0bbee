/* The store in SQLite: what was committed is there, one process has it, what is full takes nothing, and what is old leaves little by little. */
#include "sidecar/journal/sqlite/sqlite_inside.h"
#include "tests/support/frames.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- frames ---- */

START_TEST(sqlite_store__fresh_one_holds_nothing)
{
    open_store();
    ck_assert_uint_eq(state.first_frame, 0);
    ck_assert_uint_eq(state.last_frame, 0);
    ck_assert_uint_eq(state.oldest_live_frame, 0);
    ck_assert_uint_eq(state.serial_max, 0);
    struct bytes records;
    ck_assert_int_eq(store->read_frame(store, 1, &records, &detail), E_CURSOR);
    ck_assert_int_eq(store->read_frame(store, 0, &records, &detail), E_CURSOR);
    for (uint64_t from = 0; from < 2; from++)
        ck_assert_int_eq(store->scan(store, from, NULL, NULL, &detail), 0);
}
END_TEST

/* Nobody else reads what sagas carry, in whichever of its files; with whatever the process would allow. */
START_TEST(sqlite_store__files_are_the_owners_alone)
{
    mode_t before = umask(0);
    open_store();
    commit_frames(1, 20);
    umask(before);
    unsigned files = 0;
    DIR *folder = opendir(dir);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat about;
        ck_assert_int_eq(fstatat(dirfd(folder), entry->d_name, &about, 0), 0);
        if (!S_ISREG(about.st_mode))
            continue;
        ck_assert_msg((about.st_mode & 0777) == 0600, "%s: %o", entry->d_name, (unsigned)about.st_mode);
        files++;
    }
    closedir(folder);
    ck_assert_uint_ge(files, 3); /* the database, its log, the reserve */
}
END_TEST

/* Frames that are read again and again: each is as it was committed, whatever was kept in its place before. */
START_TEST(sqlite_store__a_frame_that_is_read_again_is_whole)
{
    open_store();
    for (uint64_t frame = 1; frame <= 20; frame++)
        ck_assert_int_eq(try_commit(frame, frame % 10 * 400, (int64_t)frame), 0);
    for (uint64_t frame = 20; frame >= 1; frame--)
        for (int again = 0; again < 2; again++)
            assert_frame(frame, frame % 10 * 400, (int64_t)frame);
}
END_TEST

/* What has been told of the fsyncs is not told again. */
START_TEST(sqlite_store__the_time_of_an_fsync_is_told_once)
{
    open_store();
    commit_frames(1, 5);
    ck_assert_int_gt(store->synced(store).us, 0);
    ck_assert_int_eq(store->synced(store).us, 0);
}
END_TEST

/* ---- the audit trail ---- */

static int add_audit(uint64_t seq)
{
    struct store_commit c = {
        .audit = {.seq = seq, .at.us = (int64_t)seq * 1000, .body = bytes_of_text("somebody did something")}};
    return store->commit(store, &c, &detail);
}

static int count_audit(void *self, const struct audit_row *row)
{
    uint64_t *span = self; /* the first and the last */
    span[0] = span[0] == 0 ? row->seq : span[0];
    span[1] = row->seq;
    return 0;
}

static void assert_audit(uint64_t first, uint64_t last)
{
    uint64_t span[2] = {0};
    ck_assert_int_eq(store->scan_audit(store, 1, 1000, count_audit, span, &detail), 0);
    ck_assert_uint_eq(span[0], first);
    ck_assert_uint_eq(span[1], last);
}

/* What is older than a moment goes, a piece at a time; numbers go on, also when nothing is left. */
START_TEST(sqlite_store__the_audit_trail_loses_what_is_old_and_never_its_count)
{
    bool more = false;
    open_store();
    for (uint64_t seq = 1; seq <= 10; seq++)
        ck_assert_int_eq(add_audit(seq), 0);
    ck_assert_int_eq(store->drop_audit(store, (struct instant){.us = 1000}, 100, &more, &detail), 0);
    ck_assert(!more);
    assert_audit(1, 10); /* that of just then stays */
    ck_assert_int_eq(store->drop_audit(store, (struct instant){.us = 4001}, 3, &more, &detail), 0);
    ck_assert(more);
    assert_audit(4, 10);
    ck_assert_int_eq(store->drop_audit(store, (struct instant){.us = 4001}, 3, &more, &detail), 0);
    ck_assert(!more);
    assert_audit(5, 10);
    reopen();
    ck_assert_uint_eq(state.audit_last, 10);
    assert_audit(5, 10);
    ck_assert_int_eq(store->drop_audit(store, (struct instant){.us = 1000000}, 100, &more, &detail), 0);
    for (int lives = 0; lives < 2; lives++) {
        ck_assert_uint_eq(state.audit_last, 10);
        reopen();
    }
    ck_assert_int_eq(add_audit(11), 0);
    reopen();
    ck_assert_uint_eq(state.audit_last, 11);
    uint64_t span[2] = {0};
    ck_assert_int_eq(store->scan_audit(store, 11, 1000, count_audit, span, &detail), 0);
    ck_assert_uint_eq(span[0], 11);
}
END_TEST

struct seen {
    uint64_t next;
    uint64_t stop_at;
    size_t payload;
};

static int see(void *self, uint64_t frame, struct bytes records)
{
    static uint8_t bytes[FRAME_ROOM];
    struct seen *seen = self;
    ck_assert_uint_eq(frame, seen->next++);
    struct bytes want = frame_make(bytes, frame * 10, 1, seen->payload, (struct instant){.us = (int64_t)frame * 1000});
    ck_assert(bytes_equal(records, want));
    return frame == seen->stop_at ? E_MEMORY : 0;
}

START_TEST(sqlite_store__frames_are_there_after_reopening)
{
    open_store();
    commit_frames(1, 50);
    reopen();
    ck_assert_uint_eq(state.first_frame, 1);
    ck_assert_uint_eq(state.last_frame, 50);
    struct seen seen = {.next = 1, .payload = 300};
    ck_assert_int_eq(store->scan(store, 0, see, &seen, &detail), 0);
    ck_assert_uint_eq(seen.next, 51);
    seen.next = 20;
    ck_assert_int_eq(store->scan(store, 20, see, &seen, &detail), 0);
    ck_assert_uint_eq(seen.next, 51);
    ck_assert_int_eq(store->scan(store, 51, see, &seen, &detail), 0);
    ck_assert_uint_eq(seen.next, 51);
    assert_frame(7, 300, 7000);
    struct bytes records;
    ck_assert_int_eq(store->read_frame(store, 51, &records, &detail), E_CURSOR);
}
END_TEST

START_TEST(sqlite_store__scan_stops_when_told)
{
    open_store();
    commit_frames(1, 10);
    struct seen seen = {.next = 3, .stop_at = 5, .payload = 300};
    ck_assert_int_eq(store->scan(store, 3, see, &seen, &detail), E_MEMORY);
    ck_assert_uint_eq(seen.next, 6);
    ck_assert_int_eq(try_commit(11, 300, 11000), 0);
}
END_TEST

START_TEST(sqlite_store__frame_of_many_pages)
{
    open_store();
    ck_assert_int_eq(try_commit(1, 60000, 1), 0);
    reopen();
    assert_frame(1, 60000, 1);
}
END_TEST

/* What is remembered has its bound: a long history is read each time. */
START_TEST(sqlite_store__a_large_frame_is_not_remembered)
{
    static uint8_t bytes[CACHED_BYTES_MAX + 1024];
    const struct sqlite_store *s;
    struct bytes got;
    open_store();
    struct store_commit c = {.frame = 1,
                             .records = frame_make(bytes, 1, 1, CACHED_BYTES_MAX + 1, (struct instant){.us = 1})};
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
    s = (const struct sqlite_store *)store;
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(store->read_frame(store, 1, &got, &detail), 0);
        ck_assert(bytes_equal(got, c.records));
        for (size_t i = 0; i < CACHED_FRAMES; i++)
            ck_assert_uint_le(s->cached[i].room, CACHED_BYTES_MAX);
    }
}
END_TEST

START_TEST(sqlite_store__oldest_live_stays_until_told_again)
{
    open_store();
    commit_frames(1, 5);
    static uint8_t bytes[FRAME_ROOM];
    struct store_commit told = {.frame = 6, .oldest_live_frame = 4};
    told.records = frame_make(bytes, 1, 1, 10, (struct instant){.us = 1});
    ck_assert_int_eq(store->commit(store, &told, &detail), 0);
    commit_frames(7, 9);
    reopen();
    ck_assert_uint_eq(state.oldest_live_frame, 4);
    told = (struct store_commit){.oldest_live_frame = 8};
    ck_assert_int_eq(store->commit(store, &told, &detail), 0);
    reopen();
    ck_assert_uint_eq(state.oldest_live_frame, 8);
}
END_TEST

START_TEST(sqlite_store__log_is_copied_as_it_grows)
{
    options.checkpoint_pages = 20;
    open_store();
    commit_frames(1, 300);
    char log[128];
    snprintf(log, sizeof log, "%s-wal", path);
    struct stat about;
    ck_assert_int_eq(stat(log, &about), 0);
    ck_assert_int_lt(about.st_size, 60 * 4200);
    reopen();
    struct seen seen = {.next = 1, .payload = 300};
    ck_assert_int_eq(store->scan(store, 1, see, &seen, &detail), 0);
    ck_assert_uint_eq(seen.next, 301);
}
END_TEST

/* Retention writes into the log, too. */
START_TEST(sqlite_store__log_is_copied_as_retention_goes_on)
{
    bool more = true;
    options.checkpoint_pages = 20;
    open_store();
    const struct sqlite_store *s = (const struct sqlite_store *)store;
    commit_frames(1, 300);
    while (more) {
        ck_assert_int_eq(store->drop(store, INSTANT_NEVER, 300, 7, &more, &detail), 0);
        ck_assert_uint_lt(s->wal_pages, 20);
    }
    reopen();
    ck_assert_uint_eq(state.first_frame, 300);
}
END_TEST

/* What a killed process left in its log may not be durable yet: who opens the journal next acts on it only when it is in the database. */
START_TEST(sqlite_store__a_log_that_was_left_is_settled)
{
    char log[128];
    struct stat about;
    int status;
    snprintf(log, sizeof log, "%s-wal", path);
    pid_t child = fork();
    if (child == 0) {
        _exit(try_open() == 0 && try_commit(1, 300, 1000) == 0 ? 0 : 1); /* without closing, so that the log stays */
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(stat(log, &about), 0);
    ck_assert_int_gt(about.st_size, 0);
    open_store();
    ck_assert_int_eq(stat(log, &about), 0);
    ck_assert_int_eq(about.st_size, 0);
    assert_frame(1, 300, 1000);
}
END_TEST

/* In a test of its pace the clock is made up: each look at it finds so much later. */
static bool made_up;
static int64_t made_up_us, disk_takes_us;

int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    if (!made_up)
        return __real_clock_gettime(clock, t);
    made_up_us += disk_takes_us;
    *t = (struct timespec){.tv_sec = made_up_us / 1000000, .tv_nsec = made_up_us % 1000000 * 1000};
    return 0;
}

/* Where copying takes long the log is copied sooner, down to a bound; where it does not, later again. */
START_TEST(sqlite_store__a_log_that_is_slow_to_copy_is_copied_sooner)
{
    options.checkpoint_pages = 400;
    open_store();
    const struct sqlite_store *s = (const struct sqlite_store *)store;
    ck_assert_uint_eq(s->checkpoint_pace, 400);
    made_up = true;
    disk_takes_us = 30000;
    uint64_t frame = 1;
    for (uint32_t least = 400; least > 64; least = s->checkpoint_pace) {
        for (unsigned i = 0; s->checkpoint_pace == least && i < 400; i++, frame++)
            commit_frames(frame, frame);
        ck_assert_uint_eq(s->checkpoint_pace, least / 2 > 64 ? least / 2 : 64);
    }
    commit_frames(frame, frame + 199);
    ck_assert_uint_eq(s->checkpoint_pace, 64);
    disk_takes_us = 1;
    for (unsigned i = 0; s->checkpoint_pace < 128 && i < 400; i++)
        commit_frames(frame + 200 + i, frame + 200 + i);
    ck_assert_uint_eq(s->checkpoint_pace, 128);
    made_up = false; /* whoever measures the test needs the real one */
}
END_TEST

/* ---- definitions ---- */

static int take_definition(void *self, const struct definition_row *row)
{
    uint32_t *next = self;
    ck_assert_uint_eq(row->number, *next);
    ck_assert_int_eq(row->registered_at.us, 100 + (int64_t)row->number);
    ck_assert(bytes_equal(row->source, bytes_of_text(row->number == 1 ? "name: a" : "")));
    return ++*next == 9 ? E_MEMORY : 0;
}

START_TEST(sqlite_store__definitions)
{
    open_store();
    struct definition_row rows[] = {
        {.number = 1, .registered_at.us = 101, .source = bytes_of_text("name: a")},
        {.number = 2, .registered_at.us = 102},
    };
    struct store_commit commit = {.definitions = rows, .definition_count = 2};
    ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
    reopen();
    uint32_t next = 1;
    ck_assert_int_eq(store->scan_definitions(store, take_definition, &next, &detail), 0);
    ck_assert_uint_eq(next, 3);
    rows[0].number = 8;
    rows[0].registered_at.us = 108;
    rows[0].source = bytes_of(NULL, 0);
    commit.definition_count = 1;
    ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
    struct definition_row late = {.number = 9, .registered_at.us = 109};
    ck_assert_int_eq(store->commit(store, &(struct store_commit){.definitions = &late, .definition_count = 1}, &detail),
                     0);
}
END_TEST

/* ---- who has it ---- */

START_TEST(sqlite_store__second_open_is_refused)
{
    open_store();
    commit_frames(1, 2);
    struct store *other = NULL;
    struct store_state held;
    struct error_detail why;
    char number[24];
    snprintf(number, sizeof number, "(%ld)", (long)getpid());
    ck_assert_int_eq(sqlite_store_open(&options, &other, &held, &why), E_JOURNAL_LOCKED);
    ck_assert_ptr_nonnull(strstr(why.text, number));
    ck_assert_ptr_nonnull(strstr(why.text, "another data directory"));
    commit_frames(3, 3);

    /* Another process too; and the kernel gives the lock back however the owner died. */
    close_store();
    pid_t child = fork();
    if (child == 0)
        _exit(try_open() == 0 && try_commit(4, 10, 4000) == 0 ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    open_store();
    ck_assert_uint_eq(state.last_frame, 4);
    assert_frame(4, 10, 4000);
}
END_TEST

START_TEST(sqlite_store__another_program_s_connection_is_kept_out)
{
    open_store();
    commit_frames(1, 1);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "INSERT INTO meta(key, value) VALUES('x', 1)", NULL, NULL, NULL), SQLITE_BUSY);
    sqlite3_close(db);
    close_store();

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(try_open(), E_JOURNAL_LOCKED);
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    open_store();
}
END_TEST

/* ---- how it lies on the disk ---- */

/* Every sync of the process goes through these; what it was of is kept. */
static unsigned syncs_of_log, syncs_of_others;
__attribute__((visibility("default"))) int fdatasync(int fd);
__attribute__((visibility("default"))) int fsync(int fd);

static void note_sync(int fd)
{
    char link[32], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, name, sizeof name);
    if (size > 4 && memcmp(name + size - 4, "-wal", 4) == 0)
        syncs_of_log++;
    else
        syncs_of_others++;
}

int fdatasync(int fd)
{
    note_sync(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    note_sync(fd);
    return (int)syscall(SYS_fsync, fd);
}

/* What a commit acknowledges is on the disk: the log is synced each time, and before it is copied, and the database after. */
START_TEST(sqlite_store__every_commit_is_synced)
{
    open_store();
    for (uint64_t n = 1; n <= 20; n++) {
        unsigned before = syncs_of_log;
        commit_frames(n, n);
        ck_assert_uint_gt(syncs_of_log, before);
    }
    unsigned before = syncs_of_others;
    close_store();
    ck_assert_uint_gt(syncs_of_others, before);
}
END_TEST

/* Whatever the mask of the process says, nobody else may read what it keeps. */
START_TEST(sqlite_store__files_are_for_their_owner_alone)
{
    static const char *const endings[] = {"", "-wal", ".lock"};
    mode_t mask = umask(0);
    open_store();
    commit_frames(1, 3);
    umask(mask);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char name[4096];
        struct stat st;
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        ck_assert_msg(stat(name, &st) == 0, "%s", name);
        ck_assert_msg((st.st_mode & 07777) == 0600, "%s has mode %o", name, st.st_mode & 07777);
    }
}
END_TEST

/* ---- full ---- */

START_TEST(sqlite_store__full_takes_nothing_and_goes_on_when_there_is_room)
{
    options.size_bytes_max = 200 * 4096;
    open_store();
    uint64_t frame = 1;
    int rc;
    while ((rc = try_commit(frame, 10000, (int64_t)frame)) == 0)
        frame++;
    ck_assert_int_eq(rc, E_JOURNAL_FULL);
    ck_assert_ptr_nonnull(strstr(detail.text, "journal_bytes_max"));
    ck_assert_uint_gt(frame, 40);

    /* All or nothing: neither the definition nor the row that came with the frame that did not fit. */
    static uint8_t bytes[FRAME_ROOM];
    struct definition_row definition = {.number = 1, .source = bytes_of_text("x")};
    struct ended_row row = ended(3, SAGA_COMMITTED, "order", "r-3");
    struct store_commit commit = {
        .frame = frame,
        .records = frame_make(bytes, 1, 1, 60000, (struct instant){.us = 9}),
        .ended = &row,
        .ended_count = 1,
        .definitions = &definition,
        .definition_count = 1,
        .oldest_live_frame = frame,
    };
    ck_assert_int_eq(store->commit(store, &commit, &detail), E_JOURNAL_FULL);
    struct ended_row got;
    ck_assert_int_eq(store->find_ended(store, 3, &got, &detail), E_SAGA_NOT_FOUND);
    assert_frame(frame - 1, 10000, (int64_t)frame - 1);

    bool more = true;
    while (more)
        ck_assert_int_eq(store->drop(store, (struct instant){.us = 40}, 30, 5, &more, &detail), 0);
    ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
    reopen();
    ck_assert_uint_eq(state.first_frame, 30);
    ck_assert_uint_eq(state.last_frame, frame);
    ck_assert_uint_eq(state.oldest_live_frame, frame);
    ck_assert_int_eq(store->find_request(store, bytes_of_text("r-3"), bytes_of(NULL, 0), &got, &detail), 0);
    assert_row(&got, &row);
}
END_TEST

/* ---- retention ---- */

/* What the connection promises, as SQLite itself says. */
START_TEST(sqlite_store__is_set_up_as_it_says)
{
    static const struct {
        const char *pragma;
        int64_t value;
    } rows[] = {{"synchronous", 2},        {"page_size", 4096},
                {"cell_size_check", 1},    {"temp_store", 2},
                {"trusted_schema", 0},     {"secure_delete", 0},
                {"wal_autocheckpoint", 0}, {"journal_size_limit", 4 * 1000 * 4096}};
    open_store();
    sqlite3 *db = ((struct sqlite_store *)store)->db;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char sql[64];
        sqlite3_stmt *ask;
        snprintf(sql, sizeof sql, "PRAGMA %s", rows[i].pragma);
        ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &ask, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_step(ask), SQLITE_ROW);
        ck_assert_msg(sqlite3_column_int64(ask, 0) == rows[i].value, "%s", sql);
        sqlite3_finalize(ask);
    }
}
END_TEST

/* The highest serial is known however sagas end, and stays known when their rows are gone. */
START_TEST(sqlite_store__serials_go_on_from_the_highest)
{
    struct ended_row high = ended(9, SAGA_COMMITTED, "order", ""), low = ended(4, SAGA_COMMITTED, "order", "");
    bool more = true;
    open_store();
    commit_frames(1, 2);
    commit_ended(&high, 1);
    commit_ended(&low, 1);
    while (more)
        ck_assert_int_eq(store->drop(store, (struct instant){.us = INT64_MAX / 2}, 2, 100, &more, &detail), 0);
    reopen();
    ck_assert_uint_eq(state.serial_max, 9);
}
END_TEST

START_TEST(sqlite_store__drop_of_frames_spreads_and_keeps)
{
    open_store();
    commit_frames(1, 100);
    bool more;
    uint64_t dropped = 0;
    do {
        uint64_t first = dropped + 1;
        ck_assert_int_eq(store->drop(store, (struct instant){.us = 1000000}, 61, 7, &more, &detail), 0);
        struct bytes records;
        while (dropped < 100 && store->read_frame(store, dropped + 1, &records, &detail) == E_CURSOR)
            dropped++;
        ck_assert_uint_le(dropped - first + 1, 7);
        ck_assert(more || dropped == 60);
    } while (more);
    ck_assert_uint_eq(dropped, 60);
    reopen();
    ck_assert_uint_eq(state.first_frame, 61);
    ck_assert_uint_eq(state.last_frame, 100);
    /* Replay does not start at a frame that is gone, though nobody told the store of it. */
    ck_assert_uint_eq(state.oldest_live_frame, 61);

    /* Only what is old enough: frame n was committed at n milliseconds. */
    ck_assert_int_eq(store->drop(store, (struct instant){.us = 70 * 1000}, 1000, 100, &more, &detail), 0);
    ck_assert(!more);
    reopen();
    ck_assert_uint_eq(state.first_frame, 70);

    /* The last frame stays, so that numbers go on from it. */
    ck_assert_int_eq(store->drop(store, INSTANT_NEVER, UINT64_C(1) << 40, 1000, &more, &detail), 0);
    reopen();
    ck_assert_uint_eq(state.first_frame, 100);
    ck_assert_uint_eq(state.last_frame, 100);
    commit_frames(101, 102);
}
END_TEST

/* Where a start begins to read is never moved back. */
START_TEST(sqlite_store__retention_before_what_lives_leaves_it_there)
{
    bool more;
    open_store();
    commit_frames(1, 10);
    ck_assert_int_eq(store->commit(store, &(struct store_commit){.oldest_live_frame = 8}, &detail), 0);
    for (uint64_t keep_from = 3; keep_from <= 7; keep_from += 2) {
        ck_assert_int_eq(store->drop(store, INSTANT_NEVER, keep_from, 100, &more, &detail), 0);
        ck_assert_uint_eq(store->first_frame(store), keep_from);
    }
    reopen();
    ck_assert_uint_eq(state.first_frame, 7);
    ck_assert_uint_eq(state.oldest_live_frame, 8);
    /* But on, from a frame that goes itself. */
    ck_assert_int_eq(store->drop(store, INSTANT_NEVER, 9, 100, &more, &detail), 0);
    reopen();
    ck_assert_uint_eq(state.first_frame, 9);
    ck_assert_uint_eq(state.oldest_live_frame, 9);
}
END_TEST

START_TEST(sqlite_store__drop_of_ended_rows)
{
    open_store();
    struct ended_row rows[30];
    for (uint64_t n = 1; n <= 30; n++)
        rows[n - 1] = ended(n, SAGA_COMMITTED, "order", "");
    rows[4].ended_at.us = 1000 * 1000000; /* started early, ended late */
    commit_ended(rows, 30);

    /* Saga n ended at n + 1 seconds. */
    bool more;
    int calls = 0;
    do {
        ck_assert_int_eq(store->drop(store, (struct instant){.us = 22 * 1000000}, 1, 6, &more, &detail), 0);
        calls++;
    } while (more);
    ck_assert_int_ge(calls, 4);
    struct ended_row got;
    for (uint64_t n = 1; n <= 30; n++)
        ck_assert_int_eq(store->find_ended(store, n, &got, &detail), n <= 20 && n != 5 ? E_SAGA_NOT_FOUND : 0);

    /* The one that was passed over goes when its time has come, and the newest serial is known even with no row left. */
    do
        ck_assert_int_eq(store->drop(store, (struct instant){.us = 2000 * 1000000}, 1, 6, &more, &detail), 0);
    while (more);
    ck_assert_int_eq(store->find_ended(store, 5, &got, &detail), E_SAGA_NOT_FOUND);
    ck_assert_int_eq(store->find_ended(store, 30, &got, &detail), E_SAGA_NOT_FOUND);
    reopen();
    ck_assert_uint_eq(state.serial_max, 30);

    /* What was written down of it then is not what counts once more have ended. */
    const struct ended_row next = ended(31, SAGA_COMMITTED, "order", "");
    commit_ended(&next, 1);
    reopen();
    ck_assert_uint_eq(state.serial_max, 31);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sqlite_store");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, sqlite_store__fresh_one_holds_nothing);
    tcase_add_test(t, sqlite_store__files_are_the_owners_alone);
    tcase_add_test(t, sqlite_store__a_frame_that_is_read_again_is_whole);
    tcase_add_test(t, sqlite_store__the_time_of_an_fsync_is_told_once);
    tcase_add_test(t, sqlite_store__the_audit_trail_loses_what_is_old_and_never_its_count);
    tcase_add_test(t, sqlite_store__frames_are_there_after_reopening);
    tcase_add_test(t, sqlite_store__scan_stops_when_told);
    tcase_add_test(t, sqlite_store__frame_of_many_pages);
    tcase_add_test(t, sqlite_store__a_large_frame_is_not_remembered);
    tcase_add_test(t, sqlite_store__oldest_live_stays_until_told_again);
    tcase_add_test(t, sqlite_store__log_is_copied_as_it_grows);
    tcase_add_test(t, sqlite_store__log_is_copied_as_retention_goes_on);
    tcase_add_test(t, sqlite_store__a_log_that_was_left_is_settled);
    tcase_add_test(t, sqlite_store__a_log_that_is_slow_to_copy_is_copied_sooner);
    tcase_add_test(t, sqlite_store__definitions);
    tcase_add_test(t, sqlite_store__second_open_is_refused);
    tcase_add_test(t, sqlite_store__every_commit_is_synced);
    tcase_add_test(t, sqlite_store__files_are_for_their_owner_alone);
    tcase_add_test(t, sqlite_store__another_program_s_connection_is_kept_out);
    tcase_add_test(t, sqlite_store__full_takes_nothing_and_goes_on_when_there_is_room);
    tcase_add_test(t, sqlite_store__drop_of_frames_spreads_and_keeps);
    tcase_add_test(t, sqlite_store__retention_before_what_lives_leaves_it_there);
    tcase_add_test(t, sqlite_store__is_set_up_as_it_says);
    tcase_add_test(t, sqlite_store__serials_go_on_from_the_highest);
    tcase_add_test(t, sqlite_store__drop_of_ended_rows);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
