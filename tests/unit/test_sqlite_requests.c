/* Ended sagas by request_id, whatever has become of the table into which they are sorted: beside a model that is an array. */
#include "sidecar/journal/sqlite/sqlite_inside.h"
#include "tests/support/sqlite_place.h"

#include "sidecar/base/random.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SAGAS = 4000, A_COMMIT = 40 };

static char ids[SAGAS + 1][24];
static uint64_t first, last; /* serials of the rows that there are */

static struct ended_row row_of(uint64_t serial)
{
    return ended(serial, SAGA_COMMITTED, "order", ids[serial]);
}

static void name_all(uint64_t seed)
{
    struct random r;
    random_seed(&r, seed);
    for (int i = 1; i <= SAGAS; i++)
        snprintf(ids[i], sizeof ids[i], "%016llx", (unsigned long long)random_next(&r));
    for (int i = 7; i <= SAGAS; i += 7) /* some have none */
        ids[i][0] = '\0';
    first = 1;
    last = 0;
}

static int add(unsigned count)
{
    struct ended_row rows[A_COMMIT];
    for (unsigned i = 0; i < count; i++)
        rows[i] = row_of(last + 1 + i);
    int rc = store->commit(store, &(struct store_commit){.ended = rows, .ended_count = count}, &detail);
    if (rc == 0)
        last += count;
    return rc;
}

/* Rows of sagas that ended before second `before`, which are those of the serials before that. */
static void drop_before(uint64_t before)
{
    bool more = true;
    while (more)
        ck_assert_int_eq(store->drop(store, (struct instant){.us = (int64_t)before * 1000000}, 1, 100, &more, &detail),
                         0);
    first = before > first ? before - 1 : first;
}

static void find(uint64_t serial)
{
    struct ended_row row, want = row_of(serial);
    if (want.request_id.size == 0)
        return;
    int rc = store->find_request(store, want.request_id, bytes_of(NULL, 0), &row, &detail);
    bool there = serial >= first && serial <= last;
    ck_assert_msg(rc == (there ? 0 : E_SAGA_NOT_FOUND), "serial %llu of %llu to %llu: %d %s",
                  (unsigned long long)serial, (unsigned long long)first, (unsigned long long)last, rc, detail.text);
    if (there)
        assert_row(&row, &want);
}

/* How many wait to be sorted in is what there is of them: by it is decided how many are sorted in. */
static void count_unsorted(void)
{
    const struct requests *r = &((const struct sqlite_store *)store)->requests;
    uint64_t count = 0;
    for (unsigned i = 0; i < REQUEST_BUCKETS; i++)
        count += r->buckets[i].count;
    ck_assert_uint_eq(r->unsorted, count);
}

static void find_all(void)
{
    count_unsorted();
    for (uint64_t serial = 1; serial <= SAGAS; serial++)
        find(serial);
    bool more = true;
    while (more) {
        int rc = store->verify(store, 500, &more, &detail);
        ck_assert_msg(rc == 0 && detail.text[0] == '\0', "%d %s", rc, detail.text);
    }
}

static int64_t ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

/* Commits of all sizes, openings anew, retention. */
START_TEST(sqlite_requests__as_an_array)
{
    static const uint32_t waits[] = {1, 10, 300, 0};
    struct random r;
    random_seed(&r, (uint64_t)_i);
    options.unsorted_max = waits[_i];
    name_all((uint64_t)_i + 100);
    open_store();
    while (last < SAGAS) {
        uint64_t count = 1 + random_next(&r) % A_COMMIT;
        ck_assert_int_eq(add((unsigned)(count < SAGAS - last ? count : SAGAS - last)), 0);
        for (int i = 0; i < 8; i++)
            find(1 + random_next(&r) % SAGAS);
        if (random_next(&r) % 16 == 0)
            reopen();
        if (random_next(&r) % 16 == 0 && last > 1000)
            drop_before(last - 1000 + random_next(&r) % 500);
        if (random_next(&r) % 64 == 0)
            find_all();
    }
    find_all();
    close_store();
    /* What was sorted in is not in the log for ever, and what was dropped not in the table. */
    if (waits[_i] != 0) {
        ck_assert_int_gt(ask("SELECT count(*) FROM requests"), 500);
        ck_assert_int_lt(ask("SELECT count(*) FROM requests"), 3000);
        ck_assert_int_lt(ask("SELECT count(*) FROM request_log"), 120);
    }
}
END_TEST

/* A pass of retention takes several pieces, and time goes on meanwhile: what ended after it had begun, in a piece that was looked at already, is there
 * still. */
START_TEST(sqlite_requests__what_ends_during_a_pass_is_found)
{
    enum { FIRST = 100 };
    bool more = true;
    options.unsorted_max = 1;
    name_all(8);
    open_store();
    for (unsigned i = 0; i < FIRST; i++) {
        struct ended_row row = row_of(last + 1);
        row.started_at.us = 1;
        row.ended_at.us = (int64_t)(i < FIRST / 2 ? 20 : 1) * 1000000;
        ck_assert_int_eq(store->commit(store, &(struct store_commit){.ended = &row, .ended_count = 1}, &detail), 0);
        last++;
    }
    for (int64_t before_s = 10; more; before_s += 50)
        ck_assert_int_eq(store->drop(store, (struct instant){.us = before_s * 1000000}, 1, FIRST / 2, &more, &detail),
                         0);
    while (last + A_COMMIT <= SAGAS) /* the hand comes by */
        ck_assert_int_eq(add(A_COMMIT), 0);
    for (uint64_t serial = 1; serial <= FIRST / 2; serial++) {
        struct ended_row row;
        if (ids[serial][0] != '\0')
            ck_assert_int_eq(store->find_request(store, bytes_of_text(ids[serial]), bytes_of(NULL, 0), &row, &detail),
                             0);
    }
}
END_TEST

/* A commit that did not succeed leaves nothing behind, in memory either. */
START_TEST(sqlite_requests__commit_that_found_no_room)
{
    options.unsorted_max = 20;
    options.size_bytes_max = (uint64_t)(200 + 4 * _i) << 10;
    name_all(5);
    open_store();
    int rc;
    while ((rc = add(A_COMMIT)) == 0)
        ck_assert_uint_lt(last + A_COMMIT, SAGAS);
    ck_assert_int_eq(rc, E_JOURNAL_FULL);
    find_all();
    ck_assert_int_eq(add(A_COMMIT), E_JOURNAL_FULL);
    drop_before(last - 100);
    ck_assert_int_eq(add(A_COMMIT), 0);
    find_all();
    reopen();
    find_all();
}
END_TEST

static void change(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* What leads to a saga of which the row is not there, and was not dropped, is told: it would start again. */
START_TEST(sqlite_requests__row_that_went)
{
    struct ended_row row;
    options.unsorted_max = _i == 0 ? 1 : 1000;
    name_all(6);
    open_store();
    add(40);
    drop_before(10);
    close_store();
    change("DELETE FROM ended WHERE serial = 20");
    open_store();
    find(3);
    find(25);
    ck_assert_int_eq(store->find_request(store, bytes_of_text(ids[20]), bytes_of(NULL, 0), &row, &detail),
                     E_JOURNAL_CORRUPT);
}
END_TEST

START_TEST(sqlite_requests__log_that_is_damaged)
{
    static const char *const changes[] = {
        "UPDATE request_log SET entries = zeroblob(24) WHERE seq = 2",
        "UPDATE request_log SET checksum = checksum + 1 WHERE seq = 2",
        "UPDATE request_log SET seq = 9 WHERE seq = 2",
        "DELETE FROM request_log WHERE seq = 2",
    };
    name_all(7);
    open_store();
    for (int i = 0; i < 3; i++)
        add(20);
    close_store();
    change(changes[_i]);
    ck_assert_int_eq(try_open(), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "request_log"));
}
END_TEST

/* Pieces, and the largest that the log was between them. */
static unsigned pieces;
static int64_t longest_log;

static void upgrading(void *self, const struct sqlite_upgrade *upgrade)
{
    char log[128];
    struct stat st;
    (void)self;
    ck_assert(upgrade->request_ids);
    pieces++;
    snprintf(log, sizeof log, "%s-wal", path);
    if (stat(log, &st) == 0 && st.st_size > longest_log)
        longest_log = st.st_size;
}

/* The mark was taken away, as the error of a row that is not led to says: all are put in anew. */
START_TEST(sqlite_requests__all_anew)
{
    name_all(8);
    options.unsorted_max = 50;
    open_store();
    while (last < SAGAS - 5 * A_COMMIT)
        add(A_COMMIT);
    drop_before(1000);
    close_store();
    change("DELETE FROM meta WHERE key = 'requests'; DELETE FROM requests WHERE hash % 3 = 0;"
           "UPDATE request_log SET checksum = 0");
    options.checkpoint_pages = 8;
    options.upgrading = upgrading;
    open_store();
    ck_assert_uint_ge(pieces, 40);
    ck_assert_int_lt(longest_log, 600000); /* of each piece by itself, and not of all together */
    find_all();
    while (last < SAGAS) /* it goes on as ever, without what that took of memory */
        ck_assert_int_eq(add(A_COMMIT), 0);
    find_all();
    reopen();
    find_all();
    close_store();
    ck_assert_int_eq(ask("SELECT count(*) FROM meta WHERE key = 'requests' AND value > 2000"), 1);
}
END_TEST

/* What is sorted in leaves the log; and a look that has seen all begins anew, so that it finds what was lost since. */
START_TEST(sqlite_requests__the_log_is_short_and_each_look_is_whole)
{
    bool more = true;
    int rc = 0;
    name_all(9);
    options.unsorted_max = 50;
    open_store();
    while (last < SAGAS)
        add(A_COMMIT);
    find_all();
    ck_assert_int_eq(
        sqlite3_exec(((struct sqlite_store *)store)->db, "DELETE FROM requests WHERE serial < 100", NULL, NULL, NULL),
        SQLITE_OK);
    while (more && rc == 0)
        rc = store->verify(store, 500, &more, &detail);
    ck_assert_int_eq(rc, E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "table requests"));
    close_store();
    ck_assert_int_lt(ask("SELECT count(*) FROM request_log"), 80); /* of a hundred commits */
}
END_TEST

/* Where many more wait than may, as after a start with a lower bound, no commit sorts them all: it is about as many as it brings. */
START_TEST(sqlite_requests__a_commit_sorts_no_more_than_its_share)
{
    unsigned commits = 0;
    name_all(11);
    options.unsorted_max = SAGAS;
    open_store();
    while (last < 40 * A_COMMIT)
        ck_assert_int_eq(add(A_COMMIT), 0);
    options.unsorted_max = 300; /* not so few that all are sorted at the start */
    reopen();
    const struct requests *r = &((const struct sqlite_store *)store)->requests;
    for (; last < SAGAS - 10 * A_COMMIT; commits++) {
        ck_assert_uint_gt(r->unsorted, 300);
        uint64_t sorted = r->now.sorted;
        ck_assert_int_eq(add(A_COMMIT), 0);
        ck_assert_uint_gt(r->now.sorted, sorted);
        ck_assert_uint_lt(r->now.sorted - sorted, 2 * A_COMMIT);
    }
    ck_assert_uint_gt(commits, 10);
    /* A start that finds far too many sorts all, and then goes on as ever. */
    options.unsorted_max = 20;
    reopen();
    r = &((const struct sqlite_store *)store)->requests;
    ck_assert_uint_eq(r->unsorted, 0);
    while (last < SAGAS)
        ck_assert_int_eq(add(A_COMMIT), 0);
    find_all();
}
END_TEST

/* A share of what there is, within bounds: memory does not grow with the journal. */
START_TEST(sqlite_requests__what_waits_is_bounded)
{
    static struct sqlite_store s;
    static const uint64_t cases[][2] = {{0, 4096},           {16 * 4096, 4096},   {16 * 4097, 4097},
                                        {16 * 65536, 65536}, {16 * 65537, 65536}, {1u << 30, 65536}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s.requests.now.sorted = cases[i][0];
        ck_assert_uint_eq(requests_unsorted_max(&s), cases[i][1]);
    }
    s.requests.unsorted_max = 7;
    ck_assert_uint_eq(requests_unsorted_max(&s), 7);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sqlite_requests");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_loop_test(t, sqlite_requests__as_an_array, 0, 4);
    tcase_add_test(t, sqlite_requests__what_ends_during_a_pass_is_found);
    tcase_add_loop_test(t, sqlite_requests__commit_that_found_no_room, 0, 12);
    tcase_add_loop_test(t, sqlite_requests__row_that_went, 0, 2);
    tcase_add_loop_test(t, sqlite_requests__log_that_is_damaged, 0, 4);
    tcase_add_test(t, sqlite_requests__all_anew);
    tcase_add_test(t, sqlite_requests__the_log_is_short_and_each_look_is_whole);
    tcase_add_test(t, sqlite_requests__a_commit_sorts_no_more_than_its_share);
    tcase_add_test(t, sqlite_requests__what_waits_is_bounded);
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
