/* What has happened in the last minutes. */
#include "sidecar/observe/recent.h"

#include <check.h>
#include <stdlib.h>

static struct recent recent;

static struct instant at_s(int64_t s)
{
    return (struct instant){.us = INT64_C(1777890030) * 1000000 + s * 1000000};
}

static void set_up(void)
{
    recent = (struct recent){0};
}

START_TEST(recent__nothing_has_happened)
{
    struct recent_sum sum = recent_sum(&recent, at_s(0));
    ck_assert_uint_eq(sum.counts[RECENT_GOOD] + sum.counts[RECENT_REFUSED] + sum.counts[RECENT_FAILED], 0);
}
END_TEST

START_TEST(recent__kinds_and_lengths_add_up)
{
    recent_add(&recent, at_s(0), RECENT_GOOD, SPAN_MS(10));
    recent_add(&recent, at_s(20), RECENT_GOOD, SPAN_MS(30));
    recent_add(&recent, at_s(40), RECENT_REFUSED, SPAN_MS(2));
    recent_add(&recent, at_s(41), RECENT_FAILED, (struct span){.us = -5}); /* the clock of another machine */
    struct recent_sum sum = recent_sum(&recent, at_s(45));
    ck_assert_uint_eq(sum.counts[RECENT_GOOD], 2);
    ck_assert_uint_eq(sum.counts[RECENT_REFUSED], 1);
    ck_assert_uint_eq(sum.counts[RECENT_FAILED], 1);
    ck_assert_int_eq(sum.took_us, 42000);
    ck_assert_int_eq(sum.took_most_us, 30000);
}
END_TEST

/* Whatever came before the window does not count, whether its slice was used again or not. */
START_TEST(recent__forgets)
{
    for (int s = 0; s < 1000; s++)
        recent_add(&recent, at_s(s), RECENT_GOOD, SPAN_MS(1));
    uint32_t now = recent_sum(&recent, at_s(999)).counts[RECENT_GOOD];
    ck_assert(now > 290 && now <= 300);
    uint32_t later = recent_sum(&recent, at_s(999 + 100)).counts[RECENT_GOOD];
    ck_assert(later > 190 && later <= 200);
    ck_assert_uint_eq(recent_sum(&recent, at_s(999 + 310)).counts[RECENT_GOOD], 0);
    recent_add(&recent, at_s(5000), RECENT_FAILED, SPAN_MS(1));
    ck_assert_uint_eq(recent_sum(&recent, at_s(5000)).counts[RECENT_FAILED], 1);
    ck_assert_uint_eq(recent_sum(&recent, at_s(5000)).counts[RECENT_GOOD], 0);
}
END_TEST

/* A slice that is used again begins with nothing: neither a count nor a length of a turn before is in it. */
START_TEST(recent__a_turn_later_nothing_is_left)
{
    const int64_t turn_s = RECENT_SLICE.us * RECENT_SLICES / 1000000;
    for (int kind = 0; kind < RECENT_KINDS; kind++)
        recent_add(&recent, at_s(0), (enum recent_kind)kind, SPAN_S(60));
    recent_add(&recent, at_s(turn_s), RECENT_GOOD, SPAN_MS(2));
    struct recent_sum sum = recent_sum(&recent, at_s(turn_s));
    for (int kind = 0; kind < RECENT_KINDS; kind++)
        ck_assert_uint_eq(sum.counts[kind], kind == RECENT_GOOD);
    ck_assert_int_eq(sum.took_us, 2000);
    ck_assert_int_eq(sum.took_most_us, 2000);
}
END_TEST

/* A clock that was set back: what it says comes later has not been yet. */
START_TEST(recent__what_is_to_come_does_not_count)
{
    recent_add(&recent, at_s(100), RECENT_GOOD, SPAN_MS(9));
    recent_add(&recent, at_s(0), RECENT_FAILED, SPAN_MS(1));
    struct recent_sum sum = recent_sum(&recent, at_s(1));
    ck_assert_uint_eq(sum.counts[RECENT_GOOD], 0);
    ck_assert_uint_eq(sum.counts[RECENT_FAILED], 1);
    ck_assert_int_eq(sum.took_most_us, 1000);
    ck_assert_uint_eq(recent_sum(&recent, at_s(101)).counts[RECENT_GOOD], 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recent");
    TCase *tcase = tcase_create("recent");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, recent__nothing_has_happened);
    tcase_add_test(tcase, recent__kinds_and_lengths_add_up);
    tcase_add_test(tcase, recent__forgets);
    tcase_add_test(tcase, recent__a_turn_later_nothing_is_left);
    tcase_add_test(tcase, recent__what_is_to_come_does_not_count);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
