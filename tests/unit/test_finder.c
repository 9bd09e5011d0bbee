/* What operators ask of the fleet's database, one at a time: an answer is whoever's asks next only while it is fresh. */
#include "sidecar/runtime/finder.h"

#include "sidecar/journal/store.h"
#include "sidecar/runtime/clock.h"
#include "tests/support/postgres_place.h"
#include "tests/support/until.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct postgres server;
static struct config config;
static struct finder *finder;
static atomic_int woken;
static atomic_llong now_us = 1000000000;

/* In place of the clock: linked with --wrap. */
struct instant __wrap_clock_now(const struct clock *c);
struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return (struct instant){.us = atomic_load(&now_us)};
}

static void wake(void *self)
{
    (void)self;
    atomic_fetch_add(&woken, 1);
}

static void setup(void)
{
    struct error_detail detail;
    place_query(&server, "truncate saga_journal, saga_request, saga_subject");
    config = (struct config){.store = server.conninfo, .fleet = "ours", .store_timeout = SPAN_S(10)};
    const struct finder_options options = {.config = &config, .own = "own", .wake = wake};
    atomic_store(&woken, 0);
    ck_assert_int_eq(finder_open(&options, &finder, &detail), 0);
}

static void teardown(void)
{
    finder_close(finder);
}

static void journal(const char *name)
{
    char sql[512];
    snprintf(
        sql, sizeof sql,
        "insert into saga_journal(name, holder, taker, pid, epoch, seq, expires_at, first_frame, last_frame, "
        "oldest_live, serial_max, audit_last, fleet, carrier, address, needs, live, tries) values ('%s', 'x', "
        "'', 0, 7, 9, clock_timestamp() + interval '60 seconds', 0, 0, 0, 0, 0, 'ours', '%s', '1.2.3.4:5', '', 0, 0)",
        name, name);
    place_query(&server, sql);
}

/* Asked, answered, and nobody has come for the answer. */
#define ABANDON(call) \
    do { \
        int before_ = atomic_load(&woken); \
        ck_assert_int_eq(call, STORE_PENDING); \
        UNTIL(atomic_load(&woken) > before_); \
    } while (0)

START_TEST(finder__whoever_asks_next_hears_what_is_so_by_then)
{
    const struct finder_journal *list;
    unsigned count;
    int code;
    journal("a");
    ABANDON(finder_all(finder, &list, &count));
    journal("b");
    atomic_fetch_add(&now_us, 60000000);
    UNTIL((code = finder_all(finder, &list, &count)) != STORE_PENDING);
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(list[1].name, "b");
}
END_TEST

START_TEST(finder__what_was_done_for_one_is_done_anew_for_the_next)
{
    bool there;
    int code;
    ABANDON(finder_want(finder, "a", &there));
    journal("a");
    atomic_fetch_add(&now_us, 60000000);
    UNTIL((code = finder_want(finder, "a", &there)) != STORE_PENDING);
    ck_assert_int_eq(code, 0);
    ck_assert(there);
}
END_TEST

START_TEST(finder__of_several_each_waits_for_its_turn)
{
    const struct finder_journal *list;
    unsigned count;
    bool there;
    int code;
    journal("a");
    ABANDON(finder_all(finder, &list, &count));
    UNTIL((code = finder_want(finder, "none", &there)) != STORE_PENDING);
    ck_assert_int_eq(code, 0);
    ck_assert(!there);
    UNTIL((code = finder_all(finder, &list, &count)) != STORE_PENDING);
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(count, 1);
}
END_TEST

/* However fresh it is: what was found for one is no answer for another. */
START_TEST(finder__an_answer_is_whoever_asked_for_it)
{
    const struct finder_journal *list;
    unsigned count;
    bool there;
    int code;
    journal("b");
    ABANDON(finder_want(finder, "a", &there));
    UNTIL((code = finder_want(finder, "b", &there)) != STORE_PENDING);
    ck_assert_int_eq(code, 0);
    ck_assert(there);
    ABANDON(finder_list(finder, "", &list, &count));
    UNTIL((code = finder_list(finder, "b", &list, &count)) != STORE_PENDING);
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(count, 0);
}
END_TEST

int main(void)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    Suite *s = suite_create("finder");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, finder__whoever_asks_next_hears_what_is_so_by_then);
    tcase_add_test(t, finder__what_was_done_for_one_is_done_anew_for_the_next);
    tcase_add_test(t, finder__of_several_each_waits_for_its_turn);
    tcase_add_test(t, finder__an_answer_is_whoever_asked_for_it);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
