/* The rows of sagas that have ended: found by serial and by request_id, listed by state, name and time, page by page. */
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <stdlib.h>

/* ---- sagas that have ended ---- */

START_TEST(sqlite_ended__ended_rows_are_found)
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
    rows[1].skips = UINT16_MAX; /* a heartbeat is marked beside them */
    rows[1].lacks = LACK_MISSING | LACK_STALE;
    rows[2].synthetic = true;
    commit_ended(rows, 3);
    for (int again = 0; again < 2; again++) {
        struct ended_row row;
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(store->find_ended(store, rows[i].saga.serial, &row, &detail), 0);
            assert_row(&row, &rows[i]);
        }
        ck_assert_int_eq(store->find_request(store, bytes_of_text("r-9"), bytes_of(NULL, 0), &row, &detail), 0);
        assert_row(&row, &rows[2]);
        ck_assert_int_eq(store->find_request(store, bytes_of_text("r-6"), bytes_of(NULL, 0), &row, &detail),
                         E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_request(store, bytes_of_text(""), bytes_of(NULL, 0), &row, &detail),
                         E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_ended(store, 7, &row, &detail), E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_ended(store, 0, &row, &detail), E_SAGA_NOT_FOUND);
        ck_assert_int_eq(store->find_ended(store, UINT64_MAX, &row, &detail), E_SAGA_NOT_FOUND);
        reopen();
        ck_assert_uint_eq(state.serial_max, 9);
    }
}
END_TEST

/* A request_id may be as long as it may; nothing has a longer one, or none. One without does not keep those behind it from being found. */
START_TEST(sqlite_ended__the_longest_request_id_is_found)
{
    static char longest[REQUEST_ID_BYTES_MAX + 2];
    struct ended_row rows[] = {ended(3, SAGA_COMMITTED, "order", ""), ended(4, SAGA_COMMITTED, "order", ""),
                               ended(5, SAGA_COMMITTED, "order", "r")};
    struct ended_row row;
    memset(longest, 'r', sizeof longest - 1);
    rows[1].request_id = bytes_of(longest, REQUEST_ID_BYTES_MAX);
    open_store();
    commit_ended(rows, 3);
    for (int again = 0; again < 2; again++) {
        for (int i = 1; i < 3; i++) {
            ck_assert_int_eq(store->find_request(store, rows[i].request_id, bytes_of(NULL, 0), &row, &detail), 0);
            assert_row(&row, &rows[i]);
        }
        ck_assert_int_eq(store->find_request(store, bytes_of_text(longest), bytes_of(NULL, 0), &row, &detail),
                         E_SAGA_NOT_FOUND);
        reopen();
    }
}
END_TEST

START_TEST(sqlite_ended__end_that_is_told_twice_counts_once)
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

START_TEST(sqlite_ended__names_of_more_definitions_than_are_remembered)
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

/* What was begun since is the answer; and another's saga is neither found nor listed. */
START_TEST(sqlite_ended__of_several_the_newest_and_of_others_none)
{
    struct ended_row rows[] = {ended(3, SAGA_COMMITTED, "order", "r"), ended(9, SAGA_COMMITTED, "order", "r"),
                               ended(5, SAGA_COMMITTED, "transfer", "r"), ended(11, SAGA_COMMITTED, "transfer", "r")},
                     got;
    struct listed listed;
    rows[2].definition = rows[3].definition = 4;
    rows[3].owner = bytes_of_text("bob");
    for (unsigned i = 0; i < 3; i++)
        rows[i].owner = bytes_of_text("ann");
    open_store();
    commit_ended(rows, 4);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(store->find_request(store, bytes_of_text("r"), bytes_of_text("ann"), &got, &detail), 0);
        ck_assert_uint_eq(got.saga.serial, 9);
        ck_assert_int_eq(store->find_request(store, bytes_of_text("r"), bytes_of_text("bob"), &got, &detail), 0);
        ck_assert_uint_eq(got.saga.serial, 11);
        struct ended_query query = every();
        query.owner = bytes_of_text("bob");
        list(query, &listed);
        ASSERT_LISTED(listed, 11);
        reopen();
    }
}
END_TEST

START_TEST(sqlite_ended__list_filters)
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
    query.states = 1u << SAGA_COMPENSATED; /* and no more of those before */
    query.examine_max = 4;
    list(query, &listed);
    ASSERT_LISTED(listed, 40, 30, 20, 10);
    query = every();
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

START_TEST(sqlite_ended__list_by_time)
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

/* Where retention has taken all serials up to one: those that started too late are passed over all the same, and not looked at one by one. */
START_TEST(sqlite_ended__list_by_time_of_what_retention_left)
{
    struct listed listed;
    open_store();
    for (uint64_t serial = 150; serial <= 400; serial++) {
        struct ended_row row = ended(serial, SAGA_COMMITTED, serial % 3 == 0 ? "order" : "transfer", "");
        row.definition = serial % 3 == 0 ? 1 : 2;
        commit_ended(&row, 1);
    }
    struct ended_query query = every();
    query.examine_max = 1;
    for (int64_t second = 150; second <= 400; second += 25) {
        query.started_before.us = second * 1000000 + 1;
        ck_assert_uint_eq(list(query, &listed), (uint64_t)second);
        ck_assert(listed.count == 1 && listed.serials[0] == (uint64_t)second);
    }
    query.started_before.us = 150 * 1000000;
    ck_assert_uint_eq(list(query, &listed), 0);
    ck_assert_uint_eq(listed.count, 0);
}
END_TEST

START_TEST(sqlite_ended__list_in_pages)
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

static Suite *suite(void)
{
    Suite *s = suite_create("sqlite_ended");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, sqlite_ended__ended_rows_are_found);
    tcase_add_test(t, sqlite_ended__the_longest_request_id_is_found);
    tcase_add_test(t, sqlite_ended__end_that_is_told_twice_counts_once);
    tcase_add_test(t, sqlite_ended__of_several_the_newest_and_of_others_none);
    tcase_add_test(t, sqlite_ended__names_of_more_definitions_than_are_remembered);
    tcase_add_test(t, sqlite_ended__list_filters);
    tcase_add_test(t, sqlite_ended__list_by_time);
    tcase_add_test(t, sqlite_ended__list_by_time_of_what_retention_left);
    tcase_add_test(t, sqlite_ended__list_in_pages);
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
