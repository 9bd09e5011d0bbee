/* A journal that is damaged, or not one, is refused with words that say what to do, and never gives frames that were not written. */
#include "sidecar/journal/sqlite/sqlite_inside.h"
#include "tests/support/frames.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_at(const char *name, off_t at, const void *bytes, size_t size)
{
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
    close(fd);
}

static void assert_refused(int rc)
{
    ck_assert_msg(rc == E_JOURNAL_CORRUPT, "%d: %s", rc, detail.text);
    ck_assert_msg(strstr(detail.text, "restore the data directory from a backup") != NULL, "%s", detail.text);
    ck_assert_str_eq(detail.field, path);
}

START_TEST(sqlite_damage__file_that_is_no_database)
{
    char text[5000];
    memset(text, 'x', sizeof text);
    write_at(path, 0, text, sizeof text);
    assert_refused(try_open());
}
END_TEST

/* Also of one that says nothing of itself. */
START_TEST(sqlite_damage__database_of_another_program)
{
    static const char *const made[] = {"CREATE TABLE t(a); PRAGMA application_id = 77", "CREATE TABLE t(a)",
                                       "PRAGMA user_version = 1"};
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, made[_i], NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct stat before;
    struct stat after;
    ck_assert_int_eq(stat(path, &before), 0);
    ck_assert_int_eq(try_open(), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "another program"));
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}
END_TEST

START_TEST(sqlite_damage__newer_schema)
{
    open_store();
    close_store();
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(try_open(), E_JOURNAL_VERSION);
    ck_assert_ptr_nonnull(strstr(detail.text, "99"));
    ck_assert_ptr_nonnull(strstr(detail.text, "start the sagad that wrote it"));
}
END_TEST

/* A journal that is refused keeps all of its files, the log too. */
START_TEST(sqlite_damage__refusal_leaves_the_log_alone)
{
    char log[128];
    snprintf(log, sizeof log, "%s-wal", path);
    pid_t child = fork();
    if (child == 0) {
        open_store();
        commit_frames(1, 5);
        close_store();
        sqlite3 *db;
        sqlite3_open(path, &db);
        sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
        _exit(0); /* without closing, so that the log stays */
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    struct stat before;
    struct stat after;
    ck_assert_int_eq(stat(log, &before), 0);
    ck_assert_int_gt(before.st_size, 4096);
    ck_assert_int_eq(try_open(), E_JOURNAL_VERSION);
    ck_assert_int_eq(stat(log, &after), 0);
    ck_assert_int_eq(after.st_size, before.st_size);
    remove_beside("-shm");
}
END_TEST

START_TEST(sqlite_damage__log_without_its_database)
{
    pid_t child = fork();
    if (child == 0) {
        open_store();
        commit_frames(1, 5);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(unlink(path), 0);
    assert_refused(try_open());
    ck_assert_ptr_nonnull(strstr(detail.text, "its write-ahead log is there and the database is not"));
    assert_refused(try_open());
}
END_TEST

START_TEST(sqlite_damage__truncated_file)
{
    open_store();
    commit_frames(1, 100);
    close_store();
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_eq(truncate(path, about.st_size / 2), 0);
    assert_refused(try_open());
}
END_TEST

static int ignore(void *self, uint64_t frame, struct bytes records)
{
    (void)self;
    (void)frame;
    (void)records;
    return 0;
}

/* Whatever page is overwritten, the damage is told by opening, by the replay, or by an integrity check; frames never come out wrong. */
START_TEST(sqlite_damage__garbage_pages)
{
    open_store();
    commit_frames(1, 100);
    close_store();
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    int refused = 0;
    int pages = (int)(about.st_size / 4096);
    for (int page = 0; page < pages; page++) {
        uint8_t sound[4096];
        uint8_t garbage[4096];
        int fd = open(path, O_RDONLY);
        ck_assert_int_eq(pread(fd, sound, sizeof sound, (off_t)page * 4096), 4096);
        close(fd);
        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (uint8_t)(i * 167 + (size_t)page * 13 + 5);
        write_at(path, (off_t)page * 4096, garbage, sizeof garbage);
        int rc = try_open();
        if (rc == 0)
            rc = store->scan(store, 1, ignore, NULL, &detail);
        if (rc != 0) {
            assert_refused(rc);
            refused++;
        }
        if (store != NULL)
            close_store();
        write_at(path, (off_t)page * 4096, sound, sizeof sound);
        remove_beside("-wal");
    }
    /* All but the pages of tables and indices that are empty here. */
    ck_assert_int_ge(refused, pages - 6);
    ck_assert_int_ge(pages, 12);
    open_store();
    for (uint64_t frame = 1; frame <= 100; frame++)
        assert_frame(frame, 300, (int64_t)frame * 1000);
}
END_TEST

/* Retention reads the numbers of what is old: where these are damaged, it takes nothing and says so. */
START_TEST(sqlite_damage__retention_tells_of_it)
{
    open_store();
    commit_frames(1, 100);
    close_store();
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    int told = 0;
    for (off_t at = 0; at < about.st_size; at += 4096) {
        static const uint8_t garbage[4096] = {0x99};
        uint8_t sound[4096];
        int fd = open(path, O_RDONLY);
        ck_assert_int_eq(pread(fd, sound, sizeof sound, at), 4096);
        close(fd);
        write_at(path, at, garbage, sizeof garbage);
        bool more, damaged = false;
        if (try_open() == 0) {
            damaged = store->scan(store, 1, ignore, NULL, &detail) != 0;
            reopen();
        }
        if (damaged) {
            assert_refused(store->drop(store, INSTANT_NEVER, UINT64_C(1) << 40, 1000, &more, &detail));
            ck_assert_uint_eq(store->first_frame(store), 1);
            told++;
        }
        if (store != NULL)
            close_store();
        write_at(path, at, sound, sizeof sound);
        remove_beside("-wal");
    }
    ck_assert_int_ge(told, 5); /* pages of frames */
    open_store();
    ck_assert_uint_eq(state.first_frame, 1);
}
END_TEST

static size_t slurp(const char *name, uint8_t *at, size_t room)
{
    int fd = open(name, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ssize_t size = read(fd, at, room);
    close(fd);
    ck_assert_int_gt(size, 0);
    ck_assert_uint_lt((size_t)size, room);
    return (size_t)size;
}

/* A sidecar was killed and left its log; then a byte of it goes wrong. Nothing that was acknowledged may go missing unsaid. */
START_TEST(sqlite_damage__damaged_log)
{
    static uint8_t database[1 << 20];
    static uint8_t log_bytes[4 << 20];
    enum { FRAMES = 12, LOG_FRAME = 24 + 4096 };
    char log[128];
    snprintf(log, sizeof log, "%s-wal", path);
    pid_t child = fork();
    if (child == 0) {
        if (try_open() == 0)
            for (uint64_t frame = 1; frame <= FRAMES; frame++)
                (void)try_commit(frame, 300, (int64_t)frame * 1000);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    size_t database_size = slurp(path, database, sizeof database);
    size_t log_size = slurp(log, log_bytes, sizeof log_bytes);
    ck_assert_uint_ge(log_size, FRAMES * LOG_FRAME);
    int refused = 0;
    /* Each byte of the log's header, and of the last frame's; of the pages some. */
    const size_t last = log_size - LOG_FRAME;
    for (size_t at = 0, next; at < log_size; at = next) {
        next = at + (at < 32 || (at >= last && at < last + 24) ? 1 : 509);
        next = at < last && next > last ? last : next;
        write_at(path, 0, database, database_size);
        ck_assert_int_eq(truncate(path, (off_t)database_size), 0);
        write_at(log, 0, log_bytes, log_size);
        const uint8_t bit = (uint8_t)(1u << at % 8); /* of a word each comes up, the highest too */
        uint8_t wrong = log_bytes[at] ^ bit;
        write_at(log, (off_t)at, &wrong, 1);
        int rc = try_open();
        if (rc != 0) {
            assert_refused(rc);
            ck_assert_uint_eq(slurp(log, log_bytes, sizeof log_bytes), log_size);
            log_bytes[at] ^= bit;
            refused++;
            continue;
        }
        ck_assert_msg(state.last_frame == FRAMES, "a flip at %zu: %d frames are left", at, (int)state.last_frame);
        ck_assert_uint_eq(state.dropped_bytes, 0);
        close_store();
    }
    ck_assert_int_gt(refused, 100);

    /* A tear is no damage: the journal opens, and says how much it dropped. */
    static const uint8_t zeros[2048];
    write_at(path, 0, database, database_size);
    ck_assert_int_eq(truncate(path, (off_t)database_size), 0);
    write_at(log, 0, log_bytes, log_size);
    write_at(log, (off_t)(log_size - sizeof zeros), zeros, sizeof zeros);
    open_store();
    ck_assert_uint_eq(state.last_frame, FRAMES - 1);
    ck_assert_uint_ge(state.dropped_bytes, LOG_FRAME);
    ck_assert_uint_lt(state.dropped_bytes, 10 * LOG_FRAME);
    reopen();
    ck_assert_uint_eq(state.dropped_bytes, 0);
    close_store();

    /* Also one that ends within a page. */
    write_at(path, 0, database, database_size);
    ck_assert_int_eq(truncate(path, (off_t)database_size), 0);
    write_at(log, 0, log_bytes, log_size);
    ck_assert_int_eq(truncate(log, (off_t)(log_size - 2000)), 0);
    open_store();
    ck_assert_uint_eq(state.last_frame, FRAMES - 1);
    ck_assert_uint_eq(state.dropped_bytes % LOG_FRAME, LOG_FRAME - 2000);
}
END_TEST

/* Behind what was written over, the log still has frames of an earlier round: they are in the database, and nobody lost them. */
START_TEST(sqlite_damage__an_earlier_round_of_the_log_is_not_dropped)
{
    char log[128];
    struct stat about;
    snprintf(log, sizeof log, "%s-wal", path);
    options.checkpoint_pages = 50;
    pid_t child = fork();
    if (child == 0) {
        const struct sqlite_store *s;
        uint64_t frame = 1;
        open_store();
        for (s = (const struct sqlite_store *)store; frame == 1 || s->wal_pages > 0; frame++)
            commit_frames(frame, frame);
        commit_frames(frame, frame); /* the first of the next round */
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(stat(log, &about), 0);
    ck_assert_int_gt(about.st_size, 40 * 4096); /* it was not cut */
    open_store();
    ck_assert_uint_gt(state.last_frame, 2);
    ck_assert_uint_eq(state.dropped_bytes, 0);
}
END_TEST

static int root_of(const char *name)
{
    sqlite3 *db;
    sqlite3_stmt *roots;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?1", -1, &roots, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(roots, 1, name, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(roots), SQLITE_ROW);
    int root = sqlite3_column_int(roots, 0);
    sqlite3_finalize(roots);
    sqlite3_close(db);
    return root;
}

/* Flips one byte on the pages of an index or table at a time. What is then not found any more must be told by verifying; what is told
 * wrong must be none. */
START_TEST(sqlite_damage__hidden_rows_are_found_by_verifying)
{
    enum { ROWS = 600 };
    static const char *const names[] = {"ended_request", "requests", "ended"};
    static const char *const mends[] = {"REINDEX", "DELETE FROM meta WHERE key = 'requests'"};
    static uint8_t database[4 << 20];
    static struct ended_row rows[ROWS];
    static char ids[ROWS][24];
    options.unsorted_max = 1;
    int count = _i == 1 ? 150 : ROWS; /* so many of that table are on one page */
    open_store();
    for (int i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "order-%d", i * 7919 % 10007);
        rows[i] = ended((uint64_t)i + 1, i % 9 == 0 ? SAGA_COMPENSATED : SAGA_COMMITTED, "order", ids[i]);
    }
    commit_ended(rows, count);
    bool more = true;
    unsigned pieces = 0;
    for (; more; pieces++)
        ck_assert_int_eq(store->verify(store, 100, &more, &detail), 0);
    ck_assert_uint_eq(pieces, count / 100 + 1);
    ck_assert_int_eq(sqlite_store_inspect(store, &detail), 0);
    close_store();
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    if (_i == 0) /* as those of before schema 4 are */
        ck_assert_int_eq(sqlite3_exec(db,
                                      "UPDATE ended SET request_id = request, request = NULL; DELETE FROM requests;"
                                      "DELETE FROM request_log",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
    sqlite3_close(db);
    int root = root_of(names[_i]);
    size_t size = slurp(path, database, sizeof database);
    remove_beside("-wal");

    unsigned hidden = 0, told = 0, mended = 0;
    for (size_t at = (size_t)(root - 1) * 4096; at < (size_t)root * 4096; at += 13) {
        uint8_t wrong = database[at] ^ 0x10;
        write_at(path, (off_t)at, &wrong, 1);
        bool lost = false, said = try_open() != 0;
        for (int i = 0; i < count && !said && !lost; i++) {
            struct ended_row got;
            int rc = _i < 2 ? store->find_request(store, rows[i].request_id, bytes_of(NULL, 0), &got, &detail)
                            : store->find_ended(store, rows[i].saga.serial, &got, &detail);
            lost = rc == E_SAGA_NOT_FOUND;
        }
        int rc = 0;
        bool damaged = false;
        for (more = true; more && rc == 0 && !said;) {
            rc = store->verify(store, 300, &more, &detail);
            damaged |= rc == 0 && detail.text[0] != '\0';
        }
        if (rc != 0)
            ck_assert_msg(rc == E_JOURNAL_CORRUPT, "%d %s", rc, detail.text);
        hidden += lost;
        told += lost && (rc != 0 || damaged);
        ck_assert_msg(!lost || rc != 0 || damaged, "a flip at %zu hides a row, and verifying does not tell", at);
        if (lost && _i != 1) { /* of the table requests it is verifying that tells */
            struct error_detail whole;
            ck_assert_int_eq(sqlite_store_inspect(store, &whole), E_JOURNAL_CORRUPT);
            ck_assert_ptr_nonnull(strstr(whole.text, "; "));
        }
        /* An index can be made anew; of the table itself nothing else knows what it held. */
        if (lost && rc != 0 && _i == 2)
            ck_assert_msg(strstr(detail.text, "restore") != NULL && strstr(detail.text, "REINDEX") == NULL, "%s",
                          detail.text);
        if (store != NULL)
            close_store();
        if (lost && rc != 0 && _i < 2) { /* as the error says */
            ck_assert_msg(strstr(detail.text, mends[_i]) != NULL, "%s", detail.text);
            ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
            int made = sqlite3_exec(db, mends[_i], NULL, NULL, NULL);
            sqlite3_close(db);
            /* An index whose pages lead nowhere cannot even be taken down; what was made anew is whole. */
            ck_assert(made == SQLITE_OK || made == SQLITE_CORRUPT);
            if (made == SQLITE_OK && (made = try_open()) == 0) {
                mended++;
                ck_assert_int_eq(store->verify(store, ROWS + 1, &more, &detail), 0);
                close_store();
            }
        }
        ck_assert_int_eq(truncate(path, 0), 0);
        write_at(path, 0, database, size);
        remove_beside("-wal");
    }
    ck_assert_uint_gt(hidden, 0);
    ck_assert_uint_eq(told, hidden);
    ck_assert_uint_ge(mended, _i < 2 ? hidden / 2 : 0);
}
END_TEST

/* A page that stands in another's place: no row that is there is amiss, and those of the other are gone. */
START_TEST(sqlite_damage__rows_that_are_there_twice)
{
    enum { ROWS = 600, INTERIOR = 5, CELLS = 12 };
    static uint8_t database[4 << 20];
    static struct ended_row rows[ROWS];
    open_store();
    for (int i = 0; i < ROWS; i++)
        rows[i] = ended((uint64_t)i + 1, SAGA_COMMITTED, "order", "");
    commit_ended(rows, ROWS);
    close_store();
    size_t root = (size_t)(root_of("ended") - 1) * 4096;
    ck_assert_uint_lt(root, slurp(path, database, sizeof database));
    remove_beside("-wal");
    const uint8_t *page = database + root;
    ck_assert_uint_eq(page[0], INTERIOR);
    size_t first = (size_t)page[CELLS] << 8 | page[CELLS + 1], second = (size_t)page[CELLS + 2] << 8 | page[CELLS + 3];
    write_at(path, (off_t)(root + second), page + first, 4);
    open_store();
    struct ended_row got;
    int lost = 0;
    for (uint64_t serial = 1; serial <= ROWS; serial++)
        lost += store->find_ended(store, serial, &got, &detail) == E_SAGA_NOT_FOUND;
    ck_assert_int_gt(lost, 0);
    /* In one piece, and in pieces that end within the page, too. */
    for (uint32_t piece = ROWS + 1; piece > 0; piece = piece > ROWS ? 100 : piece / 3) {
        int rc = 0;
        reopen(); /* so that it begins anew */
        for (bool more = true; more && rc == 0;)
            rc = store->verify(store, piece, &more, &detail);
        assert_refused(rc);
        ck_assert_msg(strstr(detail.text, "out of order") != NULL, "%s", detail.text);
    }
    ck_assert_int_eq(sqlite_store_inspect(store, &detail), E_JOURNAL_CORRUPT);
    close_store();
}
END_TEST

START_TEST(sqlite_damage__flipped_bit_in_a_frame)
{
    open_store();
    commit_frames(1, 3);
    close_store();
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    const char *flip =
        "UPDATE frames SET body = CAST(substr(body, 1, 99) || x'00' || substr(body, 101) AS BLOB) WHERE seq = 2";
    ck_assert_int_eq(sqlite3_exec(db, flip, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    open_store();
    struct bytes records;
    assert_frame(1, 300, 1000);
    for (int again = 0; again < 2; again++) { /* what is damaged is not remembered as sound */
        assert_refused(store->read_frame(store, 2, &records, &detail));
        ck_assert_ptr_nonnull(strstr(detail.text, "frame 2"));
    }
    assert_refused(store->scan(store, 1, ignore, NULL, &detail));
}
END_TEST

static void change(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_changes(db) == 1, "%s: %s", sql,
                  sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void take_row(void *self, const struct ended_row *row)
{
    (void)row;
    ++*(int *)self;
}

START_TEST(sqlite_damage__row_of_an_ended_saga)
{
    static const char *const changes[] = {
        "UPDATE ended SET serial = 7 WHERE serial = 5",
        "UPDATE ended SET tag = tag + 1 WHERE serial = 5",
        "UPDATE ended SET state = 4 WHERE serial = 5",
        "UPDATE ended SET mode = 2 WHERE serial = 5",
        "UPDATE ended SET reason = 3 WHERE serial = 5",
        "UPDATE ended SET name = 'transfer' WHERE serial = 5",
        "UPDATE ended SET request = 'r-6' WHERE serial = 5",
        "UPDATE ended SET request = NULL WHERE serial = 5",
        "UPDATE ended SET fingerprint = fingerprint + 1 WHERE serial = 5",
        "UPDATE ended SET started_us = started_us + 1 WHERE serial = 5",
        "UPDATE ended SET ended_us = ended_us - 1 WHERE serial = 5",
        "UPDATE ended SET first_frame = 4 WHERE serial = 5",
        "UPDATE ended SET last_frame = 11 WHERE serial = 5",
        "UPDATE ended SET checksum = checksum + 1 WHERE serial = 5",
        "UPDATE definition_names SET name = 'transfer'",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        open_store();
        const struct ended_row order = ended(5, SAGA_COMMITTED, "order", "r-5");
        commit_ended(&order, 1);
        close_store();
        change(changes[i]);
        open_store();
        struct ended_row row;
        uint64_t lowest;
        int given = 0;
        const struct ended_query all = {
            .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = 9, .examine_max = 9};
        assert_refused(store->find_ended(store, i == 0 ? 7 : 5, &row, &detail));
        ck_assert_msg(strstr(detail.text, "table ended") != NULL, "%s", detail.text);
        assert_refused(store->list_ended(store, &all, take_row, &given, &lowest, &detail));
        ck_assert_int_eq(given, 0);
        close_store();
        remove_beside("");
    }
}
END_TEST

static int ignore_definition(void *self, const struct definition_row *row)
{
    (void)row;
    ++*(int *)self;
    return 0;
}

START_TEST(sqlite_damage__row_of_a_definition)
{
    static const char *const changes[] = {
        "UPDATE definitions SET source = CAST('name: other' AS BLOB)",
        "UPDATE definitions SET number = 2",
        "UPDATE definitions SET registered_us = 6",
        "UPDATE definitions SET checksum = checksum + 1",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        open_store();
        const struct definition_row row = {.number = 1, .registered_at.us = 5, .source = bytes_of_text("name: order")};
        const struct store_commit commit = {.definitions = &row, .definition_count = 1};
        ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
        close_store();
        change(changes[i]);
        open_store();
        int given = 0;
        assert_refused(store->scan_definitions(store, ignore_definition, &given, &detail));
        ck_assert_int_eq(given, 0);
        close_store();
        remove_beside("");
    }
}
END_TEST

static int ignore_subject(void *self, const struct subject_row *row)
{
    (void)row;
    ++*(int *)self;
    return 0;
}

START_TEST(sqlite_damage__row_of_a_subject)
{
    static const char *const changes[] = {
        "UPDATE subjects SET name = CAST('orders' AS BLOB)",
        "UPDATE subjects SET version = 2",
        "UPDATE subjects SET value = CAST('open' AS BLOB)",
        "UPDATE subjects SET checksum = checksum + 1",
        "UPDATE subjects SET kind = kind + 1",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        open_store();
        const struct subject_row row = {
            .kind = SUBJECT_HOLD, .name = bytes_of_text("order"), .version = 1, .value = bytes_of_text("held")};
        const struct store_commit commit = {.subjects = &row, .subject_count = 1};
        ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
        close_store();
        change(changes[i]);
        open_store();
        int given = 0;
        assert_refused(store->scan_subjects(store, SUBJECT_HOLD + (i == 4), ignore_subject, &given, &detail));
        ck_assert_int_eq(given, 0);
        close_store();
        remove_beside("");
    }
}
END_TEST

/* An index that leads to rows that are gone is made anew from those that are there: nothing is lost by it. */
START_TEST(sqlite_damage__index_with_a_row_too_many)
{
    char back[200];
    struct ended_row rows[] = {ended(1, SAGA_COMPENSATED, "order", ""), ended(2, SAGA_COMPENSATED, "order", "")};
    open_store();
    commit_ended(rows, 2);
    close_store();
    snprintf(back, sizeof back,
             "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES('index', 'ended_rare', 'ended', %d, "
             "'CREATE INDEX ended_rare ON ended(state, serial) WHERE state <> 2')",
             root_of("ended_rare"));
    change("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'ended_rare'");
    change("DELETE FROM ended WHERE serial = 1");
    change(back);
    open_store();
    ck_assert_int_eq(sqlite_store_inspect(store, &detail), E_JOURNAL_CORRUPT);
    ck_assert_msg(strstr(detail.text, "entries in index") != NULL && strstr(detail.text, "REINDEX") != NULL, "%s",
                  detail.text);
}
END_TEST

static int ignore_audit(void *self, const struct audit_row *row)
{
    (void)self;
    (void)row;
    return 0;
}

START_TEST(sqlite_damage__row_of_the_audit_trail)
{
    static const char *const changes[] = {
        "DELETE FROM audit WHERE seq = 2",
        "UPDATE audit SET seq = 9 WHERE seq = 3",
        "UPDATE audit SET at_us = at_us + 1 WHERE seq = 2",
        "UPDATE audit SET body = CAST('nobody' AS BLOB) WHERE seq = 2",
        "UPDATE audit SET checksum = checksum + 1 WHERE seq = 2",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        open_store();
        for (uint64_t seq = 1; seq <= 3; seq++) {
            const struct store_commit commit = {
                .audit = {.seq = seq, .at.us = (int64_t)seq, .body = bytes_of_text("somebody")}};
            ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
        }
        ck_assert_int_eq(store->scan_audit(store, 1, 10, ignore_audit, NULL, &detail), 0);
        close_store();
        change(changes[i]);
        open_store();
        assert_refused(store->scan_audit(store, 1, 10, ignore_audit, NULL, &detail));
        close_store();
        remove_beside("");
    }
}
END_TEST

/* Where recovery starts: sagas that live before it would be forgotten. */
START_TEST(sqlite_damage__number_where_recovery_starts)
{
    open_store();
    commit_frames(1, 6);
    ck_assert_int_eq(store->commit(store, &(struct store_commit){.oldest_live_frame = 3}, &detail), 0);
    close_store();
    change("UPDATE meta SET value = 5 WHERE key = 'oldest_live'");
    assert_refused(try_open());
    change("UPDATE meta SET value = 3 WHERE key = 'oldest_live'");
    open_store();
    ck_assert_uint_eq(state.oldest_live_frame, 3);
}
END_TEST

START_TEST(sqlite_damage__missing_frames)
{
    static const char *const deletes[] = {
        "DELETE FROM frames WHERE seq = 1", /* recovery would start there */
        "DELETE FROM frames WHERE seq = 3", /* a gap */
        "INSERT INTO meta(key, value) VALUES('oldest_live', 6); DELETE FROM frames WHERE seq > 4",
    };
    for (size_t i = 0; i < sizeof deletes / sizeof deletes[0]; i++) {
        open_store();
        commit_frames(1, 6);
        close_store();
        sqlite3 *db;
        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, deletes[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        int rc = try_open();
        if (rc == 0)
            rc = store->scan(store, 1, ignore, NULL, &detail);
        assert_refused(rc);
        ck_assert_ptr_nonnull(strstr(detail.text, "missing"));
        if (store != NULL)
            close_store();
        remove_beside("");
    }
}
END_TEST

START_TEST(sqlite_damage__tables_that_are_not_the_schema_s)
{
    open_store();
    close_store();
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "DROP TABLE ended", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_refused(try_open());
}
END_TEST

START_TEST(sqlite_damage__place_that_cannot_be_written)
{
    static char elsewhere[128];
    snprintf(elsewhere, sizeof elsewhere, "%s/no/journal.db", dir);
    options.path = elsewhere;
    ck_assert_int_eq(try_open(), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "No such file"));
    options.path = path;
    if (geteuid() == 0)
        return; /* root may write anywhere */
    ck_assert_int_eq(chmod(dir, 0500), 0);
    ck_assert_int_eq(try_open(), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "Permission denied"));
    ck_assert_int_eq(chmod(dir, 0700), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sqlite_damage");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, sqlite_damage__file_that_is_no_database);
    tcase_add_loop_test(t, sqlite_damage__database_of_another_program, 0, 3);
    tcase_add_test(t, sqlite_damage__newer_schema);
    tcase_add_test(t, sqlite_damage__refusal_leaves_the_log_alone);
    tcase_add_test(t, sqlite_damage__log_without_its_database);
    tcase_add_test(t, sqlite_damage__truncated_file);
    tcase_add_test(t, sqlite_damage__garbage_pages);
    tcase_add_test(t, sqlite_damage__retention_tells_of_it);
    tcase_add_test(t, sqlite_damage__damaged_log);
    tcase_add_test(t, sqlite_damage__an_earlier_round_of_the_log_is_not_dropped);
    tcase_add_loop_test(t, sqlite_damage__hidden_rows_are_found_by_verifying, 0, 3);
    tcase_add_test(t, sqlite_damage__flipped_bit_in_a_frame);
    tcase_add_test(t, sqlite_damage__row_of_an_ended_saga);
    tcase_add_test(t, sqlite_damage__row_of_a_definition);
    tcase_add_test(t, sqlite_damage__row_of_a_subject);
    tcase_add_test(t, sqlite_damage__index_with_a_row_too_many);
    tcase_add_test(t, sqlite_damage__row_of_the_audit_trail);
    tcase_add_test(t, sqlite_damage__number_where_recovery_starts);
    tcase_add_test(t, sqlite_damage__missing_frames);
    tcase_add_test(t, sqlite_damage__tables_that_are_not_the_schema_s);
    tcase_add_test(t, sqlite_damage__place_that_cannot_be_written);
    suite_add_tcase(s, t);
    t = tcase_create("order");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, sqlite_damage__rows_that_are_there_twice);
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
