/* Rate limits: what is let through in any stretch of time, and when to come again. */
#include "sidecar/resilience/rate.h"

#include <check.h>
#include <stdlib.h>

#define MS 1000

static struct instant at(int64_t ms)
{
    return (struct instant){.us = INT64_C(1700000000000000) + ms * MS};
}

static bool take(struct rate *r, int64_t ms)
{
    struct instant again;
    if (!rate_admits(r, at(ms), &again))
        return false;
    rate_take(r, at(ms));
    return true;
}

START_TEST(rate__begins_with_one_and_gathers_a_burst)
{
    struct rate r = {0};
    struct instant again;
    rate_set(&r, &(struct rate_options){.per_second = 10, .burst = 3});
    ck_assert(take(&r, 0));
    ck_assert(!rate_admits(&r, at(0), &again));
    ck_assert_int_eq(again.us, at(100).us);
    ck_assert(!take(&r, 99));
    ck_assert(take(&r, 100));
    ck_assert(take(&r, 1000) && take(&r, 1000) && take(&r, 1000)); /* full: three at once */
    ck_assert(!rate_admits(&r, at(1000), &again));
    ck_assert_int_eq(again.us, at(1100).us);
    ck_assert(take(&r, 1200) && take(&r, 1200) && !take(&r, 1200));
}
END_TEST

START_TEST(rate__without_a_limit_lets_all_through)
{
    struct rate r = {0};
    for (int i = 0; i < 1000; i++)
        ck_assert(take(&r, 0));
    rate_set(&r, &(struct rate_options){.per_second = 0});
    ck_assert(take(&r, 0) && take(&r, 0));
}
END_TEST

/* Whatever comes when, no stretch of time has more than the burst and its share. */
START_TEST(rate__is_exceeded_in_no_window)
{
    enum { COUNT = 8000 };
    static const struct rate_options options[] = {
        {.per_second = 7, .burst = 1}, {.per_second = 300, .burst = 20}, {.per_second = 3, .burst = 9}};
    static int64_t left[COUNT];
    for (unsigned o = 0; o < sizeof options / sizeof options[0]; o++) {
        struct rate r = {0};
        unsigned count = 0;
        uint64_t x = 12345;
        rate_set(&r, &options[o]);
        for (int64_t ms = 0; count < COUNT && ms < 20000; ms += (int64_t)(x >> 62)) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            if (take(&r, ms))
                left[count++] = ms;
        }
        ck_assert_uint_ge(count, options[o].per_second * 18);
        bool exceeded = false;
        for (unsigned i = 0; i < count; i++)
            for (unsigned k = i + 1; k < count && k < i + 200; k++)
                exceeded |=
                    ((int64_t)k - i + 1 - options[o].burst) * 1000 > (left[k] - left[i]) * options[o].per_second + 1000;
        ck_assert(!exceeded);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rate");
    TCase *t = tcase_create("rate");
    tcase_add_test(t, rate__begins_with_one_and_gathers_a_burst);
    tcase_add_test(t, rate__without_a_limit_lets_all_through);
    tcase_add_test(t, rate__is_exceeded_in_no_window);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
