/* Where a saga lives: what is believed, for how long, and what is asked together. The database is the test's. */
#include "sidecar/runtime/finder.h"

#include "sidecar/journal/postgres/postgres_fleet.h"
#include "sidecar/journal/store.h"
#include "sidecar/runtime/clock.h"
#include "tests/support/until.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static struct finder *finder;
static struct finder_found found;
static _Atomic int64_t now_us;
static atomic_uint wakes, asked, claims, claimed;
static atomic_uint lists, listed_max;
static char listed_after[64];
enum { IDS = 300 };
static char ids_claimed[IDS][8];

/* What the database says; set while nobody asks it. */
static struct fleet_row row;
static bool there;
static int code;
static int creates;        /* what it says when it is connected to */
static atomic_bool stands; /* it does not answer for now */
/* How it hears that nobody wants its answer any more. */
static bool (*stops)(void *self);
static void *stops_self;

/* ---- tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
int __wrap_postgres_fleet_create(const struct postgres_fleet_options *options, struct postgres_fleet **out);
void __wrap_postgres_fleet_destroy(struct postgres_fleet *f);
int __wrap_postgres_fleet_of_tag(struct postgres_fleet *f, uint64_t tag, fleet_take_fn take, void *self,
                                 struct error_detail *detail);
int __wrap_postgres_fleet_of_request(struct postgres_fleet *f, struct bytes request_id, fleet_take_fn take, void *self,
                                     struct error_detail *detail);
int __wrap_postgres_fleet_claim(struct postgres_fleet *f, const char *own, const struct bytes *request_ids,
                                unsigned count, fleet_claimed_fn take, void *self, struct error_detail *detail);
int __wrap_postgres_fleet_list(struct postgres_fleet *f, const char *after, unsigned rows_max, fleet_take_fn take,
                               void *self, struct error_detail *detail);
int __wrap_postgres_fleet_want(struct postgres_fleet *f, const char *name, bool *is, struct error_detail *detail);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return (struct instant){.us = atomic_load(&now_us)};
}

int __wrap_postgres_fleet_create(const struct postgres_fleet_options *options, struct postgres_fleet **out)
{
    ck_assert_str_eq(options->fleet, "ours");
    ck_assert_int_eq(options->timeout.us, SPAN_S(9).us);
    ck_assert(options->stop != NULL);
    *out = NULL;
    if (creates != 0)
        return creates;
    stops = options->stop;
    stops_self = options->self;
    return 0;
}

void __wrap_postgres_fleet_destroy(struct postgres_fleet *f)
{
    (void)f;
    ck_assert(creates != 0 || stops(stops_self));
}

static int answer(fleet_take_fn take, void *self)
{
    atomic_fetch_add(&asked, 1);
    while (atomic_load(&stands) && !stops(stops_self))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (code == 0 && there)
        take(self, &row);
    return code;
}

int __wrap_postgres_fleet_of_tag(struct postgres_fleet *f, uint64_t tag, fleet_take_fn take, void *self,
                                 struct error_detail *detail)
{
    (void)f;
    (void)tag;
    (void)detail;
    return answer(take, self);
}

int __wrap_postgres_fleet_of_request(struct postgres_fleet *f, struct bytes request_id, fleet_take_fn take, void *self,
                                     struct error_detail *detail)
{
    (void)f;
    (void)detail;
    ck_assert(bytes_equal(request_id, bytes_of_text("r")));
    return answer(take, self);
}

int __wrap_postgres_fleet_claim(struct postgres_fleet *f, const char *own, const struct bytes *request_ids,
                                unsigned count, fleet_claimed_fn take, void *self, struct error_detail *detail)
{
    (void)f;
    (void)detail;
    ck_assert_str_eq(own, "own");
    for (unsigned i = 0; i < count; i++)
        snprintf(ids_claimed[(atomic_load(&claimed) + i) % IDS], sizeof ids_claimed[0], "%.*s",
                 (int)request_ids[i].size, (const char *)request_ids[i].at);
    atomic_fetch_add(&claims, 1);
    while (atomic_load(&stands) && !stops(stops_self))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    atomic_fetch_add(&claimed, count);
    for (unsigned i = 0; i < count && code == 0; i++)
        take(self, i, &row);
    return code;
}

int __wrap_postgres_fleet_list(struct postgres_fleet *f, const char *after, unsigned rows_max, fleet_take_fn take,
                               void *self, struct error_detail *detail)
{
    (void)f;
    (void)detail;
    snprintf(listed_after, sizeof listed_after, "%s", after);
    atomic_store(&listed_max, rows_max);
    atomic_fetch_add(&lists, 1);
    for (unsigned i = 0; i < 2 && i < rows_max && code == 0; i++)
        take(self, &row);
    return code;
}

int __wrap_postgres_fleet_want(struct postgres_fleet *f, const char *name, bool *is, struct error_detail *detail)
{
    (void)f;
    (void)detail;
    *is = strcmp(name, row.name) == 0;
    return code;
}

/* ---- a world ---- */

static void wake(void *self)
{
    (void)self;
    atomic_fetch_add(&wakes, 1);
}

static void setup(void)
{
    struct error_detail detail;
    config = (struct config){.fleet = "ours", .store = "", .store_timeout = SPAN_S(9)};
    row = (struct fleet_row){.name = "far",
                             .carrier = "other",
                             .address = "1.2.3.4:5",
                             .needs = "",
                             .program = "",
                             .lease_ms = 3000,
                             .held = true,
                             .live = 7};
    there = true;
    code = 0;
    atomic_store(&now_us, 1000000000);
    const struct finder_options options = {.config = &config, .own = "own", .wake = wake};
    ck_assert_int_eq(finder_open(&options, &finder, &detail), 0);
}

static void teardown(void)
{
    finder_close(finder);
}

static int tag_told(uint64_t tag)
{
    int rc;
    UNTIL((rc = finder_tag(finder, tag, &found)) != STORE_PENDING);
    return rc;
}

static void pass(struct span time)
{
    atomic_fetch_add(&now_us, time.us);
}

START_TEST(finder__tells_who_has_it_and_wakes_who_asked)
{
    atomic_store(&stands, true);
    ck_assert_int_eq(finder_tag(finder, 5, &found), STORE_PENDING);
    UNTIL(atomic_load(&asked) == 1);
    ck_assert_int_eq(finder_tag(finder, 5, &found), STORE_PENDING);
    ck_assert_uint_eq(atomic_load(&wakes), 0);
    atomic_store(&stands, false);
    UNTIL(atomic_load(&wakes) == 1);
    ck_assert_int_eq(finder_tag(finder, 5, &found), 0);
    ck_assert_uint_eq(atomic_load(&asked), 1); /* of all that asked */
    ck_assert(found.known && found.held);
    ck_assert_str_eq(found.journal, "far");
    ck_assert_str_eq(found.carrier, "other");
    ck_assert_str_eq(found.address, "1.2.3.4:5");
    ck_assert_uint_eq(found.live, 7);
}
END_TEST

/* Whose lease is over, and who gave it up: neither answers for it. */
START_TEST(finder__a_dead_one_has_nothing)
{
    row.lease_ms = 0;
    ck_assert_int_eq(tag_told(1), 0);
    ck_assert(found.known && !found.held);
    row.lease_ms = -5000;
    ck_assert_int_eq(tag_told(2), 0);
    ck_assert(found.known && !found.held);
    row.lease_ms = 1;
    ck_assert_int_eq(tag_told(3), 0);
    ck_assert(found.held);
    row.held = false;
    ck_assert_int_eq(tag_told(4), 0);
    ck_assert(found.known && !found.held);
    there = false;
    ck_assert_int_eq(tag_told(5), 0);
    ck_assert(!found.known);
}
END_TEST

/* Two seconds of what somebody has; a fifth of one of what nobody has, or of no answer. */
START_TEST(finder__what_was_found_is_believed_for_a_moment)
{
    ck_assert_int_eq(tag_told(1), 0);
    pass(SPAN_MS(1999));
    ck_assert_int_eq(finder_tag(finder, 1, &found), 0);
    pass(SPAN_MS(1));
    row.held = false;
    ck_assert_int_eq(finder_tag(finder, 1, &found), STORE_PENDING);
    ck_assert_int_eq(tag_told(1), 0);
    ck_assert(!found.held);
    pass(SPAN_MS(199));
    ck_assert_int_eq(finder_tag(finder, 1, &found), 0);
    pass(SPAN_MS(1));
    code = E_JOURNAL_AWAY;
    ck_assert_int_eq(finder_tag(finder, 1, &found), STORE_PENDING);
    ck_assert_int_eq(tag_told(1), E_JOURNAL_AWAY);
    pass(SPAN_MS(199));
    ck_assert_int_eq(finder_tag(finder, 1, &found), E_JOURNAL_AWAY);
    pass(SPAN_MS(1));
    code = 0;
    row.held = true;
    ck_assert_int_eq(finder_tag(finder, 1, &found), STORE_PENDING);
    ck_assert_int_eq(tag_told(1), 0);
    ck_assert(found.held);
    ck_assert_uint_eq(atomic_load(&asked), 4);
}
END_TEST

/* What took so long tells nothing of now: as when the process stood still. */
START_TEST(finder__an_answer_that_came_too_late_is_none)
{
    atomic_store(&stands, true);
    ck_assert_int_eq(finder_tag(finder, 1, &found), STORE_PENDING);
    UNTIL(atomic_load(&asked) == 1);
    pass(SPAN_S(15));
    atomic_store(&stands, false);
    ck_assert_int_eq(tag_told(1), 0); /* just in time */
    ck_assert(found.held);
    atomic_store(&stands, true);
    ck_assert_int_eq(finder_tag(finder, 2, &found), STORE_PENDING);
    UNTIL(atomic_load(&asked) == 2);
    pass((struct span){.us = SPAN_S(15).us + 1});
    atomic_store(&stands, false);
    ck_assert_int_eq(tag_told(2), E_JOURNAL_AWAY);
    atomic_store(&stands, true);
    ck_assert_int_eq(finder_request(finder, bytes_of_text("r"), true, &found), STORE_PENDING);
    UNTIL(atomic_load(&claims) == 1);
    pass((struct span){.us = SPAN_S(15).us + 1});
    atomic_store(&stands, false);
    int rc;
    UNTIL((rc = finder_request(finder, bytes_of_text("r"), true, &found)) != STORE_PENDING);
    ck_assert_int_eq(rc, E_JOURNAL_AWAY);
    pass(SPAN_MS(200)); /* and is asked for again */
    UNTIL((rc = finder_request(finder, bytes_of_text("r"), true, &found)) != STORE_PENDING);
    ck_assert(rc == 0 && found.held);
}
END_TEST

/* A request_id that is only looked for is not claimed, and what is claimed while the thread is busy is claimed together, 256 at a time. */
START_TEST(finder__claims_go_together)
{
    char ids[IDS][8];
    atomic_store(&stands, true);
    ck_assert_int_eq(finder_request(finder, bytes_of_text("r"), false, &found), STORE_PENDING);
    UNTIL(atomic_load(&asked) == 1);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(ids[i], sizeof ids[i], "id-%u", i);
        ck_assert_int_eq(finder_request(finder, bytes_of_text(ids[i]), true, &found), STORE_PENDING);
    }
    ck_assert_uint_eq(atomic_load(&claimed), 0);
    atomic_store(&stands, false);
    UNTIL(atomic_load(&claimed) == 300);
    for (unsigned i = 0; i < 300; i++) {
        UNTIL(finder_request(finder, bytes_of_text(ids[i]), true, &found) == 0);
        ck_assert_str_eq(ids_claimed[i], ids[i]); /* in their order */
    }
    ck_assert_uint_eq(atomic_load(&claims), 2);
    ck_assert_int_eq(finder_request(finder, bytes_of_text("r"), false, &found), 0);
    ck_assert_int_eq(finder_request(finder, bytes_of_text("r"), true, &found), STORE_PENDING); /* is another question */
}
END_TEST

/* As much as there are places: then who asks is told so, and the answers make room. */
START_TEST(finder__what_waits_is_bounded)
{
    uint64_t tag = 0;
    int rc;
    atomic_store(&stands, true);
    do
        rc = finder_tag(finder, ++tag, &found);
    while (rc == STORE_PENDING && tag < 10000);
    ck_assert_int_eq(rc, E_QUEUE);
    ck_assert_uint_gt(tag, 1000);
    atomic_store(&stands, false);
    UNTIL(finder_tag(finder, tag, &found) == 0);
    for (uint64_t i = 1; i < tag; i++)
        UNTIL(finder_tag(finder, i, &found) == 0); /* nobody was forgotten */
}
END_TEST

/* What is believed of one says nothing of another that takes its place. */
START_TEST(finder__what_was_found_of_another_is_no_answer)
{
    enum { MANY = 6000 }; /* more than there are places */
    for (uint64_t tag = 1; tag <= MANY; tag++)
        UNTIL(finder_tag(finder, tag, &found) != E_QUEUE);
    UNTIL(atomic_load(&asked) == MANY);
    for (uint64_t tag = MANY + 1; tag <= 2 * MANY; tag++)
        ck_assert_int_ne(finder_tag(finder, tag, &found), 0);
}
END_TEST

/* A request_id that is looked for and one that is claimed begin at the same place. */
START_TEST(finder__what_is_being_asked_keeps_its_place)
{
    struct bytes r = bytes_of_text("r");
    atomic_store(&stands, true);
    ck_assert_int_eq(finder_request(finder, r, false, &found), STORE_PENDING);
    UNTIL(atomic_load(&asked) == 1);
    ck_assert_int_eq(finder_request(finder, r, true, &found), STORE_PENDING);
    atomic_store(&stands, false);
    UNTIL(finder_request(finder, r, true, &found) == 0);
    ck_assert_int_eq(finder_request(finder, r, false, &found), 0);
    ck_assert_uint_eq(atomic_load(&asked), 1);
    ck_assert_uint_eq(atomic_load(&claims), 1);
}
END_TEST

START_TEST(finder__errands_of_operators_each_have_their_turn)
{
    const struct finder_journal *list;
    unsigned count;
    bool is;
    int rc;
    ck_assert_int_eq(finder_list(finder, "", &list, &count), STORE_PENDING);
    UNTIL((rc = finder_list(finder, "", &list, &count)) != STORE_PENDING);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(list[1].name, "far");
    ck_assert_int_eq(list[1].lease_ms, 3000);
    UNTIL((rc = finder_want(finder, "near", &is)) != STORE_PENDING);
    ck_assert(rc == 0 && !is);
    UNTIL((rc = finder_want(finder, "far", &is)) != STORE_PENDING);
    ck_assert(rc == 0 && is);
    code = E_JOURNAL_AWAY;
    UNTIL((rc = finder_all(finder, &list, &count)) != STORE_PENDING);
    ck_assert_int_eq(rc, E_JOURNAL_AWAY);
}
END_TEST

/* What was asked for one is no answer for another, though both asked from the beginning on. */
START_TEST(finder__a_page_is_not_the_whole)
{
    const struct finder_journal *list;
    unsigned count;
    int rc;
    ck_assert_int_eq(finder_list(finder, "", &list, &count), STORE_PENDING);
    UNTIL(atomic_load(&wakes) > 0); /* it is there, and nobody comes for it */
    ck_assert_uint_eq(atomic_load(&listed_max), FINDER_JOURNALS_MAX);
    ck_assert_int_eq(finder_all(finder, &list, &count), STORE_PENDING);
    UNTIL((rc = finder_all(finder, &list, &count)) != STORE_PENDING);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(atomic_load(&lists), 2);
    ck_assert_uint_eq(atomic_load(&listed_max), FINDER_ALL_MAX);
    UNTIL((rc = finder_list(finder, "far", &list, &count)) != STORE_PENDING);
    ck_assert_str_eq(listed_after, "far");
    ck_assert_uint_eq(atomic_load(&lists), 3);
}
END_TEST

START_TEST(finder__journals_are_listed_whole)
{
    const struct finder_journal *list;
    unsigned count;
    row.id = 11;
    row.epoch = 12;
    row.commits = 13;
    row.tries = 14;
    row.form = 15;
    row.program = "1.2.3";
    row.wanted = true;
    UNTIL(finder_list(finder, "", &list, &count) != STORE_PENDING);
    ck_assert_str_eq(list[0].name, "far");
    ck_assert_str_eq(list[0].carrier, "other");
    ck_assert_str_eq(list[0].address, "1.2.3.4:5");
    ck_assert_str_eq(list[0].program, "1.2.3");
    ck_assert(list[0].id == 11 && list[0].epoch == 12 && list[0].commits == 13 && list[0].live == 7);
    ck_assert(list[0].tries == 14 && list[0].form == 15 && list[0].held && list[0].wanted);
    ck_assert_int_eq(list[0].lease_ms, 3000);
    row.held = row.wanted = false;
    UNTIL(finder_list(finder, "", &list, &count) != STORE_PENDING);
    ck_assert(!list[1].held && !list[1].wanted);
}
END_TEST

static unsigned threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;
    ck_assert_ptr_nonnull(tasks);
    while (readdir(tasks) != NULL)
        count++;
    closedir(tasks);
    return count;
}

/* Nobody is left behind that would ask it. */
START_TEST(finder__there_is_none_without_a_database)
{
    struct finder *other = NULL;
    struct error_detail detail;
    const struct finder_options options = {.config = &config, .own = "own", .wake = wake};
    unsigned before = threads();
    creates = E_MEMORY;
    ck_assert_int_eq(finder_open(&options, &other, &detail), E_MEMORY);
    ck_assert_ptr_null(other);
    ck_assert_uint_eq(threads(), before);
    creates = 0;
}
END_TEST

int main(void)
{
    Suite *s = suite_create("finder_memory");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, finder__tells_who_has_it_and_wakes_who_asked);
    tcase_add_test(t, finder__a_dead_one_has_nothing);
    tcase_add_test(t, finder__what_was_found_is_believed_for_a_moment);
    tcase_add_test(t, finder__an_answer_that_came_too_late_is_none);
    tcase_add_test(t, finder__claims_go_together);
    tcase_add_test(t, finder__what_waits_is_bounded);
    tcase_add_test(t, finder__what_was_found_of_another_is_no_answer);
    tcase_add_test(t, finder__what_is_being_asked_keeps_its_place);
    tcase_add_test(t, finder__errands_of_operators_each_have_their_turn);
    tcase_add_test(t, finder__a_page_is_not_the_whole);
    tcase_add_test(t, finder__journals_are_listed_whole);
    tcase_add_test(t, finder__there_is_none_without_a_database);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
