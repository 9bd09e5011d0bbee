/* The store in SQLite: what was committed is there, what is damaged is refused in words, what is full takes nothing, and what is old
 * leaves little by little. */
#include "sidecar/journal/sqlite/sqlite_store.h"

#include "tests/support/frames.h"

#include <check.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_ROOM (64 << 10)

static char dir[64];
static char path[96];
static struct store *store;
static struct store_state state;
static struct error_detail detail;
static struct sqlite_store_options options;

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/sqlite-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/journal.db", dir);
    options = (struct sqlite_store_options){.path = path};
    store = NULL;
}

static void remove_beside(const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    unlink(name);
}

static void remove_dir(void)
{
    if (store != NULL)
        store->close(store);
    store = NULL;
    remove_beside("");
    remove_beside("-wal");
    remove_beside("-journal");
    remove_beside(".lock");
    ck_assert_int_eq(rmdir(dir), 0);
}

static int try_open(void)
{
    store = NULL;
    return sqlite_store_open(&options, &store, &state, &detail);
}

static void open_store(void)
{
    int rc = try_open();
    ck_assert_msg(rc == 0, "open: %d %s %s", rc, detail.field, detail.text);
}

static void close_store(void)
{
    store->close(store);
    store = NULL;
}

static void reopen(void)
{
    close_store();
    open_store();
}

static int try_commit(uint64_t frame, size_t payload, int64_t at_us)
{
    static uint8_t bytes[FRAME_ROOM];
    struct store_commit commit = {
        .frame = frame,
        .records = frame_make(bytes, frame * 10, 1, payload, (struct instant){.us = at_us}),
    };
    return store->commit(store, &commit, &detail);
}

static void commit_frames(uint64_t from, uint64_t to)
{
    for (uint64_t frame = from; frame <= to; frame++)
        ck_assert_int_eq(try_commit(frame, 300, (int64_t)frame * 1000), 0);
}

/* A saga of serial n starts at n seconds and ends a second later. */
static struct ended_row ended(uint64_t serial, uint8_t as, const char *name, const char *request_id)
{
    return (struct ended_row){
        .saga = {.tag = 0x123456789abc, .serial = serial},
        .state = as,
        .mode = SAGA_ORCHESTRATED,
        .reason = as == SAGA_COMMITTED ? REASON_NONE : REASON_DEADLINE,
        .definition = 3,
        .name = bytes_of_text(name),
        .request_id = bytes_of_text(request_id),
        .fingerprint = UINT64_C(0xfedcba9876543210) + serial,
        .started_at.us = (int64_t)serial * 1000000,
        .ended_at.us = (int64_t)serial * 1000000 + 1000000,
        .first_frame = serial,
        .last_frame = serial + 5,
    };
}

static void commit_ended(const struct ended_row *rows, size_t count)
{
    ck_assert_int_eq(store->commit(store, &(struct store_commit){.ended = rows, .ended_count = count}, &detail), 0);
}

static void assert_row(const struct ended_row *got, const struct ended_row *want)
{
    ck_assert(saga_id_equal(got->saga, want->saga));
    ck_assert_int_eq(got->state, want->state);
    ck_assert_int_eq(got->mode, want->mode);
    ck_assert_int_eq(got->reason, want->reason);
    ck_assert_uint_eq(got->definition, want->definition);
    ck_assert(bytes_equal(got->name, want->name));
    ck_assert(bytes_equal(got->request_id, want->request_id));
    ck_assert_uint_eq(got->fingerprint, want->fingerprint);
    ck_assert_int_eq(got->started_at.us, want->started_at.us);
    ck_assert_int_eq(got->ended_at.us, want->ended_at.us);
    ck_assert_uint_eq(got->first_frame, want->first_frame);
    ck_assert_uint_eq(got->last_frame, want->last_frame);
}

static void assert_frame(uint64_t frame, size_t payload, int64_t at_us)
{
    static uint8_t bytes[FRAME_ROOM];
    struct bytes want = frame_make(bytes, frame * 10, 1, payload, (struct instant){.us = at_us});
    struct bytes got;
    ck_assert_int_eq(store->read_frame(store, frame, &got, &detail), 0);
    ck_assert(bytes_equal(got, want));
}

/* ---- frames -------------------------------------------------------------------------------------------------------- */

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
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
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

/* ---- definitions --------------------------------------------------------------------------------------------------- */

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
    ck_assert_int_eq(
        store->commit(store, &(struct store_commit){.definitions = &late, .definition_count = 1}, &detail), 0);
}
END_TEST

/* ---- sagas that have ended ----------------------------------------------------------------------------------------- */

START_TEST(sqlite_store__ended_rows_are_found)
{
    open_store();
    struct ended_row rows[] = {
        ended(5, SAGA_COMMITTED, "order", "r-5"),
        ended(6, SAGA_COMPENSATED, "order", ""),
        ended(9, SAGA_RESOLVED, "transfer", "r-9"),
    };
    rows[1].fingerprint = 0;
    rows[2].definition = 0;
    rows[2].mode = SAGA_ENLISTED;
    commit_ended(rows, 3);
    for (int again = 0; again < 2; again++) {
        struct ended_row row;
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(store->find_ended(store, rows[i].saga.serial, &row, &detail), 0);
            assert_row(&row, &rows[i]);
        }
        ck_assert_int_eq(store->find_request(store, bytes_of_text("r-9"), &row, &detail), 0);
        assert_row(&row, &rows[2]);
        ck_assert_int_eq(store->find_request(store, bytes_of_text("r-6"), &row, &detail), E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_request(store, bytes_of_text(""), &row, &detail), E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_ended(store, 7, &row, &detail), E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_ended(store, 0, &row, &detail), E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_ended(store, UINT64_MAX, &row, &detail), E_SAGA_NOT_FOUND);
        reopen();
        ck_assert_uint_eq(state.serial_max, 9);
    }
}
END_TEST

START_TEST(sqlite_store__end_that_is_told_twice_counts_once)
{
    open_store();
    struct ended_row row = ended(5, SAGA_COMMITTED, "order", "r-5");
    commit_ended(&row, 1);
    struct ended_row other = ended(5, SAGA_RESOLVED, "order", "r-5");
    commit_ended(&other, 1);
    struct ended_row got;
    ck_assert_int_eq(store->find_ended(store, 5, &got, &detail), 0);
    assert_row(&got, &row);
}
END_TEST

START_TEST(sqlite_store__names_of_more_definitions_than_are_remembered)
{
    open_store();
    struct ended_row rows[2] = {ended(1, SAGA_COMMITTED, "far", ""), ended(2, SAGA_COMMITTED, "far", "")};
    rows[0].definition = rows[1].definition = 70000;
    commit_ended(rows, 2);
    struct ended_row got;
    ck_assert_int_eq(store->find_ended(store, 2, &got, &detail), 0);
    assert_row(&got, &rows[1]);
}
END_TEST

struct listed {
    uint64_t serials[64];
    size_t count;
};

static void take_listed(void *self, const struct ended_row *row)
{
    struct listed *listed = self;
    ck_assert_uint_lt(listed->count, 64);
    const char *name = row->saga.serial % 3 == 0 ? "order" : "transfer";
    ck_assert(bytes_equal(row->name, bytes_of_text(name)));
    listed->serials[listed->count++] = row->saga.serial;
}

/* Serials 1 to 40; every third is of "order" and the others of "transfer"; every tenth COMPENSATED, every eleventh RESOLVED. */
static void fill_ended(void)
{
    struct ended_row rows[40];
    for (uint64_t n = 1; n <= 40; n++) {
        uint8_t as = n % 10 == 0 ? SAGA_COMPENSATED : n % 11 == 0 ? SAGA_RESOLVED : SAGA_COMMITTED;
        rows[n - 1] = ended(n, as, n % 3 == 0 ? "order" : "transfer", "");
        rows[n - 1].definition = n % 3 == 0 ? 1 : 2;
    }
    commit_ended(rows, 40);
}

static struct ended_query every(void)
{
    return (struct ended_query){
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = 64, .examine_max = 1000};
}

static uint64_t list(struct ended_query query, struct listed *listed)
{
    uint64_t examined_to = 12345;
    listed->count = 0;
    ck_assert_int_eq(store->list_ended(store, &query, take_listed, listed, &examined_to, &detail), 0);
    return examined_to;
}

#define ASSERT_LISTED(listed, ...) \
    do { \
        static const uint64_t want[] = {__VA_ARGS__}; \
        ck_assert_uint_eq((listed).count, sizeof want / sizeof want[0]); \
        ck_assert_mem_eq((listed).serials, want, sizeof want); \
    } while (0)

START_TEST(sqlite_store__list_filters)
{
    struct listed listed;
    open_store();
    ck_assert_uint_eq(list(every(), &listed), 0);
    ck_assert_uint_eq(listed.count, 0);
    fill_ended();

    ck_assert_uint_eq(list(every(), &listed), 0);
    ck_assert_uint_eq(listed.count, 40);
    ck_assert_uint_eq(listed.serials[0], 40);
    ck_assert_uint_eq(listed.serials[39], 1);

    struct ended_query query = every();
    query.states = 1u << SAGA_COMPENSATED;
    ck_assert_uint_eq(list(query, &listed), 0);
    ASSERT_LISTED(listed, 40, 30, 20, 10);
    query.states = 1u << SAGA_COMPENSATED | 1u << SAGA_RESOLVED | 1u << SAGA_RUNNING;
    list(query, &listed);
    ASSERT_LISTED(listed, 40, 33, 30, 22, 20, 11, 10);
    query.states = 1u << SAGA_RUNNING;
    ck_assert_uint_eq(list(query, &listed), 0);
    ck_assert_uint_eq(listed.count, 0);
    query.states = 1u << SAGA_COMMITTED | 1u << SAGA_COMPENSATED;
    list(query, &listed);
    ck_assert_uint_eq(listed.count, 37);

    query = every();
    query.name = bytes_of_text("order");
    query.states = 1u << SAGA_COMPENSATED | 1u << SAGA_RESOLVED;
    list(query, &listed);
    ASSERT_LISTED(listed, 33, 30);
}
END_TEST

START_TEST(sqlite_store__list_by_time)
{
    struct listed listed;
    open_store();
    fill_ended();
    struct ended_query query = every();
    query.started_from.us = 37 * 1000000;
    list(query, &listed);
    ASSERT_LISTED(listed, 40, 39, 38, 37);
    query.started_before.us = 39 * 1000000;
    ck_assert_uint_eq(list(query, &listed), 0);
    ASSERT_LISTED(listed, 38, 37);

    /* Every edge of the halving: only rows before the time, and all of them. */
    for (int64_t second = 0; second <= 42; second++) {
        query = every();
        query.started_before.us = second * 1000000;
        list(query, &listed);
        ck_assert_uint_eq(listed.count, second == 0 ? 0 : second > 41 ? 40 : (size_t)second - 1);
        ck_assert(listed.count == 0 || listed.serials[0] == listed.count);
        query.below = 11;
        list(query, &listed);
        ck_assert_uint_eq(listed.count, second == 0 ? 0 : second > 11 ? 10 : (size_t)second - 1);
    }
    query = every();
    query.states = 1u << SAGA_COMPENSATED;
    query.started_before.us = 30 * 1000000;
    query.started_from.us = 15 * 1000000;
    list(query, &listed);
    ASSERT_LISTED(listed, 20);
}
END_TEST

START_TEST(sqlite_store__list_in_pages)
{
    struct listed listed;
    open_store();
    fill_ended();
    struct ended_query query = every();
    query.rows_max = 3;
    query.name = bytes_of_text("order");
    uint64_t expected = 39;
    do {
        query.below = list(query, &listed);
        ck_assert_uint_le(listed.count, 3);
        for (size_t i = 0; i < listed.count; i++, expected -= 3)
            ck_assert_uint_eq(listed.serials[i], expected);
    } while (query.below != 0);
    ck_assert_uint_eq(expected, 0);

    query = every();
    query.examine_max = 7;
    query.name = bytes_of_text("order");
    int calls = 0;
    size_t total = 0;
    do {
        uint64_t below = list(query, &listed);
        ck_assert(below == 0 || query.below == UINT64_MAX || query.below - below == 7);
        query.below = below;
        total += listed.count;
        calls++;
    } while (query.below != 0);
    ck_assert_uint_eq(total, 13);
    ck_assert_int_ge(calls, 6);
}
END_TEST

/* ---- who has it ---------------------------------------------------------------------------------------------------- */

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
    ck_assert_int_eq(sqlite3_exec(db, "INSERT INTO meta VALUES('x', 1)", NULL, NULL, NULL), SQLITE_BUSY);
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

/* ---- full ---------------------------------------------------------------------------------------------------------- */

START_TEST(sqlite_store__full_takes_nothing_and_goes_on_when_there_is_room)
{
    options.size_bytes_max = 200 * 4096;
    open_store();
    uint64_t frame = 1;
    int rc;
    while ((rc = try_commit(frame, 10000, (int64_t)frame)) == 0)
        frame++;
    ck_assert_int_eq(rc, E_JOURNAL_FULL);
    ck_assert_ptr_nonnull(strstr(detail.text, "size_bytes_max"));
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
    ck_assert_int_eq(store->find_request(store, bytes_of_text("r-3"), &got, &detail), 0);
    assert_row(&got, &row);
}
END_TEST

/* ---- retention ----------------------------------------------------------------------------------------------------- */

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
}
END_TEST

/* ---- damage -------------------------------------------------------------------------------------------------------- */

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

START_TEST(sqlite_store__file_that_is_no_database)
{
    char text[5000];
    memset(text, 'x', sizeof text);
    write_at(path, 0, text, sizeof text);
    assert_refused(try_open());
}
END_TEST

START_TEST(sqlite_store__database_of_another_program)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE t(a); PRAGMA application_id = 77", NULL, NULL, NULL), SQLITE_OK);
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

START_TEST(sqlite_store__newer_schema)
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

START_TEST(sqlite_store__truncated_file)
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
START_TEST(sqlite_store__garbage_pages)
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
    struct seen seen = {.next = 1, .payload = 300};
    ck_assert_int_eq(store->scan(store, 1, see, &seen, &detail), 0);
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
START_TEST(sqlite_store__damaged_log)
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
    /* Where the last two commits begin: a log's frame that ends a commit tells the size of the database. */
    size_t last_two = log_size;
    for (int commits = 0; commits < 3; last_two -= LOG_FRAME)
        commits += memcmp(log_bytes + last_two - LOG_FRAME + 4, "\0\0\0", 4) != 0;
    last_two += LOG_FRAME;

    int refused = 0;
    for (size_t at = 0; at < log_size; at += at < 32 ? 1 : 211) {
        write_at(path, 0, database, database_size);
        ck_assert_int_eq(truncate(path, (off_t)database_size), 0);
        write_at(log, 0, log_bytes, log_size);
        uint8_t wrong = log_bytes[at] ^ 0x10;
        write_at(log, (off_t)at, &wrong, 1);
        int rc = try_open();
        if (rc != 0) {
            assert_refused(rc);
            ck_assert_uint_eq(slurp(log, log_bytes, sizeof log_bytes), log_size);
            log_bytes[at] ^= 0x10;
            refused++;
            continue;
        }
        ck_assert_msg(state.last_frame == FRAMES || at > last_two, "a flip at %zu: %d frames are left", at,
                      (int)state.last_frame);
        ck_assert_uint_ge(state.last_frame, FRAMES - 2);
        close_store();
    }
    ck_assert_int_gt(refused, 100);
}
END_TEST

START_TEST(sqlite_store__flipped_bit_in_a_frame)
{
    open_store();
    commit_frames(1, 3);
    close_store();
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    const char *flip = "UPDATE frames SET body = CAST(substr(body, 1, 99) || x'00' || substr(body, 101) AS BLOB) WHERE seq = 2";
    ck_assert_int_eq(sqlite3_exec(db, flip, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    open_store();
    struct bytes records;
    assert_frame(1, 300, 1000);
    assert_refused(store->read_frame(store, 2, &records, &detail));
    ck_assert_ptr_nonnull(strstr(detail.text, "frame 2"));
    assert_refused(store->scan(store, 1, ignore, NULL, &detail));
}
END_TEST

START_TEST(sqlite_store__missing_frames)
{
    static const char *const deletes[] = {
        "DELETE FROM frames WHERE seq = 1", /* recovery would start there */
        "DELETE FROM frames WHERE seq = 3", /* a gap */
        "INSERT INTO meta VALUES('oldest_live', 6); DELETE FROM frames WHERE seq > 4",
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

START_TEST(sqlite_store__tables_that_are_not_the_schema_s)
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

START_TEST(sqlite_store__place_that_cannot_be_written)
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
    Suite *s = suite_create("sqlite_store");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, sqlite_store__fresh_one_holds_nothing);
    tcase_add_test(t, sqlite_store__frames_are_there_after_reopening);
    tcase_add_test(t, sqlite_store__scan_stops_when_told);
    tcase_add_test(t, sqlite_store__frame_of_many_pages);
    tcase_add_test(t, sqlite_store__oldest_live_stays_until_told_again);
    tcase_add_test(t, sqlite_store__log_is_copied_as_it_grows);
    tcase_add_test(t, sqlite_store__definitions);
    tcase_add_test(t, sqlite_store__ended_rows_are_found);
    tcase_add_test(t, sqlite_store__end_that_is_told_twice_counts_once);
    tcase_add_test(t, sqlite_store__names_of_more_definitions_than_are_remembered);
    tcase_add_test(t, sqlite_store__list_filters);
    tcase_add_test(t, sqlite_store__list_by_time);
    tcase_add_test(t, sqlite_store__list_in_pages);
    tcase_add_test(t, sqlite_store__second_open_is_refused);
    tcase_add_test(t, sqlite_store__another_program_s_connection_is_kept_out);
    tcase_add_test(t, sqlite_store__full_takes_nothing_and_goes_on_when_there_is_room);
    tcase_add_test(t, sqlite_store__drop_of_frames_spreads_and_keeps);
    tcase_add_test(t, sqlite_store__drop_of_ended_rows);
    tcase_add_test(t, sqlite_store__file_that_is_no_database);
    tcase_add_test(t, sqlite_store__database_of_another_program);
    tcase_add_test(t, sqlite_store__newer_schema);
    tcase_add_test(t, sqlite_store__truncated_file);
    tcase_add_test(t, sqlite_store__garbage_pages);
    tcase_add_test(t, sqlite_store__damaged_log);
    tcase_add_test(t, sqlite_store__flipped_bit_in_a_frame);
    tcase_add_test(t, sqlite_store__missing_frames);
    tcase_add_test(t, sqlite_store__tables_that_are_not_the_schema_s);
    tcase_add_test(t, sqlite_store__place_that_cannot_be_written);
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
