/* The breaker as a table: what happens when, and what it must be then. */
#include "sidecar/core/breakers.h"
#include "sidecar/resilience/breaker.h"

#include <check.h>
#include <stdlib.h>

#define MS 1000

static const struct breaker_options usual = {
    .window = {.us = 1000 * MS},
    .volume = 4,
    .failure_percent = 50,
    .slow_percent = 75,
    .slow_call = {.us = 100 * MS},
    .status_codes = 1u << 14 | 1u << 4,
    .open = {.us = 200 * MS},
    .open_max = {.us = 500 * MS},
    .probes = 2,
};

/* One thing that happens. answer: the status of a call that left so long before; -1: it never left after all. */
struct row {
    int64_t at_ms;
    enum { LEAVE = 1, ANSWER, TRIP, HOLD, RESET, LOOK, AGAIN } what;
    int status;
    int64_t took_ms;
    enum breaker_state state; /* afterwards */
    bool admits;
    int64_t again_ms; /* when to ask again; INT64_MIN: never */
};

static struct instant at(int64_t ms)
{
    return (struct instant){.us = INT64_C(1000000000) + ms * MS};
}

static void run(struct breaker *b, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *r = &rows[i];
        struct instant now = at(r->at_ms), again;
        struct breaker_mark before = b->mark;
        bool changed = false;
        switch (r->what) {
        case LEAVE:
            ck_assert_msg(breaker_admits(b, now, &again), "row %zu", i);
            breaker_leave(b, now);
            break;
        case ANSWER:
            changed = breaker_return(b, at(r->at_ms - r->took_ms), now,
                                     r->status < 0 ? BREAKER_NOTHING : breaker_outcome(b, r->status));
            ck_assert_msg(changed == (memcmp(&before, &b->mark, sizeof before) != 0), "row %zu", i);
            break;
        case TRIP:
            breaker_trip(b, now);
            break;
        case HOLD:
            breaker_hold(b, now);
            break;
        case RESET:
            breaker_reset(b);
            break;
        case AGAIN: { /* another process */
            struct breaker_mark mark = b->mark;
            *b = (struct breaker){0};
            breaker_set(b, &usual);
            breaker_restore(b, &mark, now);
            break;
        }
        case LOOK:
            break;
        }
        breaker_check(b);
        ck_assert_msg((int)breaker_state(b, now) == (int)r->state, "row %zu: state %d", i, (int)breaker_state(b, now));
        ck_assert_msg(breaker_admits(b, now, &again) == r->admits, "row %zu", i);
        ck_assert_msg(r->admits || again.us == (r->again_ms == INT64_MIN ? INSTANT_NEVER.us : at(r->again_ms).us),
                      "row %zu: %lld", i, (long long)again.us);
    }
}

#define RUN(options, ...) \
    do { \
        static const struct row rows[] = {__VA_ARGS__}; \
        struct breaker b = {0}; \
        breaker_set(&b, options); \
        run(&b, rows, sizeof rows / sizeof rows[0]); \
    } while (0)
#define CLOSED    BREAKER_CLOSED, true, 0
#define OPEN(ms)  BREAKER_OPEN, false, ms
#define HALF      BREAKER_HALF_OPEN, true, 0
#define HALF_FULL BREAKER_HALF_OPEN, false, INT64_MIN

START_TEST(breaker__opens_at_the_ratio_and_not_below_the_volume)
{
    RUN(&usual, {0, ANSWER, 14, 1, CLOSED}, {1, ANSWER, 14, 1, CLOSED}, {2, ANSWER, 4, 1, CLOSED},
        {3, ANSWER, 0, 1, OPEN(203)});
    /* Refusals are answers; what never left is nothing. */
    RUN(&usual, {0, ANSWER, 3, 1, CLOSED}, {1, ANSWER, 9, 1, CLOSED}, {2, ANSWER, -1, 1, CLOSED},
        {2, ANSWER, 14, 1, CLOSED}, {3, ANSWER, 3, 1, CLOSED}, {4, ANSWER, 0, 1, CLOSED}, {5, ANSWER, 14, 1, CLOSED},
        {6, ANSWER, 14, 1, CLOSED}, {7, ANSWER, 14, 1, OPEN(207)});
}
END_TEST

START_TEST(breaker__opens_for_slow_calls)
{
    RUN(&usual, {0, ANSWER, 0, 100, CLOSED}, {1, ANSWER, 0, 99, CLOSED}, {2, ANSWER, 0, 100, CLOSED},
        {3, ANSWER, 0, 500, OPEN(203)},
        /* So do probes: an answer that takes as long is no good one. */
        {203, LEAVE, 0, 0, HALF}, {203, LEAVE, 0, 0, HALF_FULL}, {303, ANSWER, 0, 100, HALF},
        {303, ANSWER, 0, 100, OPEN(703)}, {703, LEAVE, 0, 0, HALF}, {703, LEAVE, 0, 0, HALF_FULL},
        {802, ANSWER, 0, 99, HALF}, {802, ANSWER, 0, 99, HALF}, {802, LEAVE, 0, 0, HALF}, {802, LEAVE, 0, 0, HALF},
        {803, ANSWER, 0, 1, HALF}, {803, ANSWER, 0, 1, CLOSED});
}
END_TEST

START_TEST(breaker__forgets_what_is_older_than_the_window)
{
    RUN(&usual, {0, ANSWER, 14, 1, CLOSED}, {10, ANSWER, 14, 1, CLOSED}, {20, ANSWER, 14, 1, CLOSED},
        {1150, ANSWER, 14, 1, CLOSED}, {1160, ANSWER, 14, 1, CLOSED}, {100000, ANSWER, 14, 1, CLOSED},
        {100900, ANSWER, 14, 1, CLOSED}, {100910, ANSWER, 14, 1, CLOSED}, {100920, ANSWER, 14, 1, OPEN(101120)});
    /* Slow ones, too. */
    RUN(&usual, {0, ANSWER, 0, 100, CLOSED}, {10, ANSWER, 0, 100, CLOSED}, {20, ANSWER, 0, 100, CLOSED},
        {1150, ANSWER, 0, 100, CLOSED}, {1160, ANSWER, 0, 100, CLOSED}, {1170, ANSWER, 0, 1, CLOSED},
        {1180, ANSWER, 0, 1, CLOSED});
}
END_TEST

START_TEST(breaker__half_open_lets_few_out_and_more_for_each_that_comes_back)
{
    RUN(&usual, {0, TRIP, 0, 0, OPEN(200)}, {199, LOOK, 0, 0, OPEN(200)}, {200, LOOK, 0, 0, HALF},
        {200, LEAVE, 0, 0, HALF}, {200, LEAVE, 0, 0, HALF_FULL}, {210, ANSWER, -1, 10, HALF},
        {211, LEAVE, 0, 0, HALF_FULL},
        /* What left before it opened says nothing. */
        {211, ANSWER, 14, 300, HALF_FULL}, {212, ANSWER, 0, 12, HALF}, {213, LEAVE, 0, 0, HALF},
        {213, LEAVE, 0, 0, HALF_FULL}, {214, ANSWER, 0, 3, HALF}, {215, ANSWER, 0, 2, HALF},
        {216, ANSWER, 0, 3, CLOSED},
        /* Nor does it once that is closed again. */
        {217, ANSWER, 14, 300, CLOSED}, {217, ANSWER, 14, 300, CLOSED}, {217, ANSWER, 14, 300, CLOSED},
        {217, ANSWER, 14, 300, CLOSED}, {218, ANSWER, 14, 1, CLOSED});
}
END_TEST

START_TEST(breaker__opens_again_for_twice_as_long_up_to_a_bound)
{
    RUN(&usual, {0, TRIP, 0, 0, OPEN(200)}, {200, LEAVE, 0, 0, HALF}, {201, LEAVE, 0, 0, HALF_FULL},
        {210, ANSWER, 14, 10, HALF_FULL}, {211, ANSWER, 0, 10, OPEN(611)}, {611, LEAVE, 0, 0, HALF},
        {611, LEAVE, 0, 0, HALF_FULL}, {620, ANSWER, 4, 9, HALF_FULL}, {620, ANSWER, 4, 9, OPEN(1120)},
        {1120, LEAVE, 0, 0, HALF}, {1120, LEAVE, 0, 0, HALF_FULL}, {1121, ANSWER, 14, 1, HALF_FULL},
        {1122, ANSWER, 14, 2, OPEN(1622)}, {1200, RESET, 0, 0, CLOSED}, {1201, TRIP, 0, 0, OPEN(1401)});
}
END_TEST

START_TEST(breaker__is_held_until_a_person_lets_go)
{
    RUN(&usual, {0, HOLD, 0, 0, OPEN(INT64_MIN)}, {100000, LOOK, 0, 0, OPEN(INT64_MIN)},
        {100001, AGAIN, 0, 0, OPEN(INT64_MIN)}, {100002, RESET, 0, 0, CLOSED}, {100003, HOLD, 0, 0, OPEN(INT64_MIN)},
        {100004, TRIP, 0, 0, OPEN(100404)}, {100404, LOOK, 0, 0, HALF});
}
END_TEST

/* Whoever closes it says that all is well: what was counted before is no part of what is counted then. */
START_TEST(breaker__a_reset_begins_anew)
{
    RUN(&usual, {0, ANSWER, 14, 1, CLOSED}, {1, ANSWER, 14, 1, CLOSED}, {2, ANSWER, 14, 1, CLOSED},
        {3, RESET, 0, 0, CLOSED}, {4, ANSWER, 14, 1, CLOSED}, {5, ANSWER, 14, 1, CLOSED}, {6, ANSWER, 14, 1, CLOSED},
        {7, ANSWER, 14, 1, OPEN(207)},
        /* Nor are the probes that are out. */
        {207, LEAVE, 0, 0, HALF}, {207, LEAVE, 0, 0, HALF_FULL}, {208, ANSWER, 14, 1, HALF_FULL},
        {209, RESET, 0, 0, CLOSED}, {210, TRIP, 0, 0, OPEN(410)}, {410, LEAVE, 0, 0, HALF},
        {410, LEAVE, 0, 0, HALF_FULL}, {411, ANSWER, 0, 1, HALF}, {412, ANSWER, 14, 1, OPEN(812)});
}
END_TEST

START_TEST(breaker__stays_open_over_a_restart_and_never_longer_than_it_may)
{
    RUN(&usual, {0, TRIP, 0, 0, OPEN(200)}, {50, AGAIN, 0, 0, OPEN(200)}, {200, LOOK, 0, 0, HALF},
        {201, AGAIN, 0, 0, HALF},
        /* The clock was set back by a minute. */
        {300, TRIP, 0, 0, OPEN(700)}, {-60000, AGAIN, 0, 0, OPEN(-59500)});
}
END_TEST

START_TEST(breaker__of_a_target_without_one_is_a_persons_alone)
{
    static const struct breaker_options none;
    RUN(&none, {0, ANSWER, 14, 1, CLOSED}, {1, ANSWER, 14, 1, CLOSED}, {2, TRIP, 0, 0, OPEN(5002)},
        {5002, LEAVE, 0, 0, HALF_FULL}, {5003, ANSWER, 0, 1, CLOSED},
        /* Whatever status the probe ends with: none is a failure here. */
        {6000, TRIP, 0, 0, OPEN(11000)}, {11000, LEAVE, 0, 0, HALF_FULL}, {11001, ANSWER, 14, 1, CLOSED});
    static struct breaker_options slow_only;
    slow_only = usual;
    slow_only.failure_percent = 0;
    RUN(&slow_only, {0, TRIP, 0, 0, OPEN(200)}, {200, LEAVE, 0, 0, HALF}, {201, ANSWER, 14, 1, HALF},
        {202, LEAVE, 0, 0, HALF}, {203, ANSWER, 14, 1, HALF}, {204, LEAVE, 0, 0, HALF}, {205, ANSWER, 14, 1, HALF},
        {206, LEAVE, 0, 0, HALF}, {207, ANSWER, 14, 1, CLOSED});
    /* What is restored before anything is known of the target stays as it is. */
    struct breaker b = {0};
    breaker_restore(&b, &(struct breaker_mark){.open = true, .openings = 1, .open_until = at(100)}, at(0));
    ck_assert_int_eq(b.mark.open_until.us, at(100).us);
}
END_TEST

START_TEST(breaker__mark_is_kept_in_a_row)
{
    uint8_t value[BREAKER_ROW_BYTES];
    struct error_detail detail;
    struct breaker_mark back,
        mark = {.open = true, .held = true, .openings = 7, .opened_at = at(1), .open_until = at(2)};
    struct subject_row row = breakers_row("inventory", &mark, value);
    ck_assert_int_eq(breakers_read(&row, &back, &detail), 0);
    ck_assert(back.open && back.held && back.openings == 7 && back.opened_at.us == at(1).us &&
              back.open_until.us == at(2).us);
    mark.held = false;
    row = breakers_row("inventory", &mark, value);
    ck_assert_int_eq(breakers_read(&row, &back, &detail), 0);
    ck_assert(back.open && !back.held);
    value[0] = 2; /* held, and not open */
    ck_assert_int_eq(breakers_read(&row, &back, &detail), E_JOURNAL_CORRUPT);
    value[0] = 0; /* closed, and opened seven times in a row */
    ck_assert_int_eq(breakers_read(&row, &back, &detail), E_JOURNAL_CORRUPT);
    row.value.size--;
    ck_assert_int_eq(breakers_read(&row, &back, &detail), E_JOURNAL_CORRUPT);
    row.version++;
    ck_assert_int_eq(breakers_read(&row, &back, &detail), E_JOURNAL_VERSION);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("breaker");
    TCase *t = tcase_create("breaker");
    tcase_add_test(t, breaker__opens_at_the_ratio_and_not_below_the_volume);
    tcase_add_test(t, breaker__opens_for_slow_calls);
    tcase_add_test(t, breaker__forgets_what_is_older_than_the_window);
    tcase_add_test(t, breaker__half_open_lets_few_out_and_more_for_each_that_comes_back);
    tcase_add_test(t, breaker__opens_again_for_twice_as_long_up_to_a_bound);
    tcase_add_test(t, breaker__is_held_until_a_person_lets_go);
    tcase_add_test(t, breaker__a_reset_begins_anew);
    tcase_add_test(t, breaker__stays_open_over_a_restart_and_never_longer_than_it_may);
    tcase_add_test(t, breaker__of_a_target_without_one_is_a_persons_alone);
    tcase_add_test(t, breaker__mark_is_kept_in_a_row);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
