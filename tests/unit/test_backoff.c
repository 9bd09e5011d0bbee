/* Delays between attempts: the numbers of a policy are kept, the cap too. */
#include "sidecar/resilience/backoff.h"

#include <check.h>
#include <stdlib.h>

static struct random random_;

static void set_up(void)
{
    random_seed(&random_, 1);
}

START_TEST(backoff__grows_to_its_cap)
{
    static const int64_t expected[] = {100, 200, 400, 800, 1000, 1000, 1000};
    const struct backoff b = {.initial = SPAN_MS(100), .max = SPAN_S(1), .multiplier_permille = 2000};
    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_int_eq(backoff_delay(&b, i + 1, &random_).us, expected[i] * 1000);
}
END_TEST

START_TEST(backoff__multiplier_of_one_stays)
{
    static const uint32_t multipliers[] = {1000, 999, 0}; /* and none is below one */
    for (unsigned i = 0; i < 3; i++) {
        const struct backoff b = {.initial = SPAN_MS(100), .max = SPAN_S(1), .multiplier_permille = multipliers[i]};
        ck_assert_int_eq(backoff_delay(&b, 1000, &random_).us, 100000);
    }
}
END_TEST

START_TEST(backoff__every_multiplier_above_one_grows)
{
    const struct backoff b = {.initial = SPAN_MS(100), .max = SPAN_S(1), .multiplier_permille = 1001};
    ck_assert_int_eq(backoff_delay(&b, 2, &random_).us, 100100);
}
END_TEST

/* Of delays below a millisecond too, and up to the last microsecond of the range. */
START_TEST(backoff__jitter_spreads_over_short_delays)
{
    const struct backoff b = {
        .initial = {.us = 10}, .max = SPAN_S(1), .multiplier_permille = 2000, .jitter_permille = 500};
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t delay = backoff_delay(&b, 1, &random_).us;
        ck_assert(delay >= 5 && delay <= 15);
        seen |= 1u << delay;
    }
    ck_assert_uint_eq(seen, 0xffe0);
}
END_TEST

/* Drawn from the whole of its range, and from no more of it. */
START_TEST(backoff__jitter_spreads_and_never_passes_the_cap)
{
    const struct backoff b = {
        .initial = SPAN_MS(100), .max = SPAN_MS(100), .multiplier_permille = 2000, .jitter_permille = 1000};
    int64_t low = INT64_MAX, high = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t delay = backoff_delay(&b, 1 + (unsigned)i % 5, &random_).us;
        low = delay < low ? delay : low;
        high = delay > high ? delay : high;
    }
    ck_assert_int_lt(low, 2000);
    ck_assert_int_gt(high, 98000);
    ck_assert_int_le(high, 100000);
}
END_TEST

START_TEST(backoff__jitter_below_the_cap_is_symmetric)
{
    const struct backoff b = {
        .initial = SPAN_MS(100), .max = SPAN_S(10), .multiplier_permille = 2000, .jitter_permille = 200};
    int64_t low = INT64_MAX, high = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t delay = backoff_delay(&b, 1, &random_).us;
        low = delay < low ? delay : low;
        high = delay > high ? delay : high;
    }
    ck_assert(low >= 80000 && low < 81000 && high <= 120000 && high > 119000);
}
END_TEST

START_TEST(backoff__centuries_do_not_overflow)
{
    const struct backoff b = {.initial = {.us = INT64_MAX / 4},
                              .max = {.us = INT64_MAX / 2},
                              .multiplier_permille = 100000,
                              .jitter_permille = 1000};
    for (unsigned failed = 1; failed < 50; failed++) {
        int64_t delay = backoff_delay(&b, failed, &random_).us;
        ck_assert(delay >= 0 && delay <= INT64_MAX / 2);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tcase = tcase_create("backoff");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, backoff__grows_to_its_cap);
    tcase_add_test(tcase, backoff__multiplier_of_one_stays);
    tcase_add_test(tcase, backoff__every_multiplier_above_one_grows);
    tcase_add_test(tcase, backoff__jitter_spreads_over_short_delays);
    tcase_add_test(tcase, backoff__jitter_spreads_and_never_passes_the_cap);
    tcase_add_test(tcase, backoff__jitter_below_the_cap_is_symmetric);
    tcase_add_test(tcase, backoff__centuries_do_not_overflow);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
