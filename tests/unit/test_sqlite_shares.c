/* The store in SQLite under a bound: what lies on the disk never exceeds it, and what has begun can end. */
#include "tests/support/frames.h"
#include "tests/support/sqlite_place.h"

#include "sidecar/base/random.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BOUND      (UINT64_C(16) << 20)
#define COMMIT_MAX (UINT64_C(1) << 20)
#define LOG_MAX    (COMMIT_MAX + COMMIT_MAX / 3) /* such a commit's pages, and what it touches beside them */
#define PAYLOAD    30000
#define FRAMES_MAX 32
#define ROWS_MAX   64
#define SERIALS    100000 /* rows of ended sagas, in no order */

static uint64_t frame, largest;
static struct random chance;

static uint64_t size_of(const char *ending)
{
    char name[128];
    struct stat about;
    snprintf(name, sizeof name, "%s%s", path, ending);
    return stat(name, &about) == 0 ? (uint64_t)about.st_size : 0;
}

static uint64_t on_disk(void)
{
    uint64_t bytes = size_of("") + size_of("-wal") + size_of(".reserve");
    largest = bytes > largest ? bytes : largest;
    return bytes;
}

/* A commit of so many frames and rows. */
static int add(size_t frames, size_t rows)
{
    static uint8_t bytes[4 * COMMIT_MAX];
    static struct ended_row ended_rows[ROWS_MAX];
    static char ids[ROWS_MAX][24];
    size_t cuts[5 * FRAMES_MAX], at = 0;
    ck_assert(frames > 0 && frames <= 5 * FRAMES_MAX && rows <= ROWS_MAX);
    for (size_t i = 0; i < frames; i++) {
        if (i > 0)
            cuts[i - 1] = at;
        at += frame_make(bytes + at, frame + i, 1, PAYLOAD, (struct instant){.us = (int64_t)frame}).size;
    }
    for (size_t i = 0; i < rows; i++) {
        uint64_t serial = 1 + random_next(&chance) % SERIALS;
        snprintf(ids[i], sizeof ids[i], "r-%llu", (unsigned long long)serial);
        ended_rows[i] = ended(serial, SAGA_COMMITTED, "order", ids[i]);
        ended_rows[i].started_at.us = ended_rows[i].ended_at.us = (int64_t)frame;
    }
    struct store_commit commit = {
        .frame = frame,
        .records = bytes_of(bytes, at),
        .cuts = cuts,
        .cut_count = frames - 1,
        .ended = ended_rows,
        .ended_count = rows,
        .oldest_live_frame = frame,
    };
    int rc = store->commit(store, &commit, &detail);
    if (rc == 0)
        frame += frames;
    return rc;
}

static void drop_before(uint64_t before)
{
    bool more = true;
    while (more) {
        ck_assert_int_eq(store->drop(store, (struct instant){.us = (int64_t)before}, before, 256, &more, &detail), 0);
        ck_assert_uint_le(on_disk(), BOUND);
    }
}

static void begin(void)
{
    options.size_bytes_max = BOUND;
    options.commit_bytes_max = COMMIT_MAX;
    frame = 1;
    largest = 0;
    random_seed(&chance, 1);
    open_store();
}

START_TEST(sqlite_shares__files_stay_within_the_bound)
{
    begin();
    for (int round = 0; round < 4; round++) {
        unsigned commits = 0;
        for (; !store->is_tight(store); commits++) {
            ck_assert_int_eq(add(1 + random_next(&chance) % FRAMES_MAX, random_next(&chance) % ROWS_MAX), 0);
            ck_assert_uint_le(on_disk(), BOUND);
            ck_assert_uint_le(size_of("-wal"), LOG_MAX);
        }
        ck_assert_uint_gt(commits, 8);
        /* What is left is enough for many ends, however large the commit before was. */
        for (int i = 0; i < 20; i++) {
            ck_assert_int_eq(add(1, 16), 0);
            ck_assert_uint_le(on_disk(), BOUND);
        }
        while (add(1, 16) == 0)
            ck_assert_uint_le(on_disk(), BOUND);
        ck_assert_uint_le(on_disk(), BOUND);
        if (round == 1)
            reopen();
        drop_before(frame - 4);
        store->is_tight(store);
    }
    /* And it is used. */
    ck_assert_uint_gt(largest, BOUND - BOUND / 8);
}
END_TEST

/* What is kept for ending is enough for the largest commit, also where that is a large part of the bound. */
START_TEST(sqlite_shares__a_large_commit_has_its_room_when_it_is_tight)
{
    options.size_bytes_max = BOUND;
    options.commit_bytes_max = 4 * COMMIT_MAX;
    frame = 1;
    random_seed(&chance, 1);
    open_store();
    while (!store->is_tight(store))
        ck_assert_int_eq(add(4, 1), 0);
    ck_assert_int_eq(add(4 * COMMIT_MAX / (PAYLOAD + 100), 1), 0);
    ck_assert_uint_le(on_disk(), BOUND);
}
END_TEST

/* Few ask while much is written: then it is looked anew all the same. */
START_TEST(sqlite_shares__what_is_written_is_seen_by_the_next_who_asks)
{
    options.size_bytes_max = BOUND;
    options.commit_bytes_max = COMMIT_MAX;
    frame = 1;
    open_store();
    ck_assert(!store->is_tight(store));
    int code = 0;
    for (unsigned i = 0; code == 0 && i < 1000; i++)
        code = add(8, 1);
    ck_assert_int_eq(code, E_JOURNAL_FULL);
    ck_assert(store->is_tight(store));
}
END_TEST

/* A commit that is larger than the log's share has its room, and then the log is cut. */
START_TEST(sqlite_shares__larger_commit_has_its_room_while_it_takes)
{
    begin();
    ck_assert_int_eq(add(FRAMES_MAX - 4, 0), 0);
    ck_assert_int_eq(add(FRAMES_MAX, 0), 0); /* beside the first, it would be too long */
    ck_assert_uint_le(size_of("-wal"), LOG_MAX);
    while (!store->is_tight(store))
        ck_assert_int_eq(add(8, 8), 0);
    ck_assert_uint_lt(store->reusable(store), BOUND / 8);
    drop_before(frame - 4);
    ck_assert_uint_gt(store->reusable(store), BOUND / 4);
    ck_assert(!store->is_tight(store));
    ck_assert_int_eq(add(3 * FRAMES_MAX, 0), 0);
    ck_assert_uint_le(on_disk(), BOUND);
    ck_assert_uint_le(size_of("-wal"), LOG_MAX);
    ck_assert_int_eq(add(1, 1), 0);
    ck_assert_uint_le(on_disk(), BOUND);
}
END_TEST

/* A database that is larger than its share, because the bound was lowered, is as it was: no new work, and what has begun can end. */
START_TEST(sqlite_shares__lower_bound)
{
    begin();
    close_store();
    options.size_bytes_max = 2 * BOUND;
    open_store();
    while (on_disk() < BOUND + BOUND / 2)
        ck_assert_int_eq(add(8, 8), 0);
    close_store();
    options.size_bytes_max = BOUND + BOUND / 4;
    open_store();
    ck_assert(store->is_tight(store));
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(add(1, 8), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sqlite_shares");
    TCase *t = tcase_create("sqlite_shares");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, sqlite_shares__files_stay_within_the_bound);
    tcase_add_test(t, sqlite_shares__larger_commit_has_its_room_while_it_takes);
    tcase_add_test(t, sqlite_shares__a_large_commit_has_its_room_when_it_is_tight);
    tcase_add_test(t, sqlite_shares__what_is_written_is_seen_by_the_next_who_asks);
    tcase_add_test(t, sqlite_shares__lower_bound);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
