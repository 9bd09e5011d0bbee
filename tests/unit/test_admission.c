/* Bounds of definitions: how many live and begin, and when those who are refused are told to come again. */
#include "sidecar/resilience/admission.h"
#include "sidecar/resilience/pace.h"

#include <check.h>
#include <stdlib.h>

#define MS 1000

static struct instant at(int64_t ms)
{
    return (struct instant){.us = INT64_C(1700000000000000) + ms * MS};
}

/* -1 when one begins; else in how many milliseconds to come again. */
static int64_t begin(struct admission *a, int64_t ms)
{
    struct span delay;
    if (admission_asks(a, at(ms), &delay) != ADMISSION_OPEN)
        return delay.us / MS;
    admission_take(a, at(ms));
    admission_live(a);
    return -1;
}

START_TEST(admission__without_bounds_all_begin)
{
    struct admission a = {0};
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(begin(&a, 0), -1);
    ck_assert(!admission_bounds(&a));
}
END_TEST

START_TEST(admission__so_many_live)
{
    struct admission a = {0};
    admission_set(&a, &(struct admission_options){.live_max = 2});
    ck_assert_int_eq(begin(&a, 0), -1);
    ck_assert_int_eq(begin(&a, 0), -1);
    ck_assert_int_gt(begin(&a, 0), 0);
    admission_end(&a, at(10));
    ck_assert_int_eq(begin(&a, 10), -1);
    ck_assert_int_gt(begin(&a, 10), 0);
    admission_forget(&a);
    ck_assert_int_eq(begin(&a, 10), -1);
}
END_TEST

/* Those who come when they were told find a token each. */
START_TEST(admission__who_is_refused_for_the_rate_comes_one_after_another)
{
    struct admission a = {0};
    int64_t told[8];
    admission_set(&a, &(struct admission_options){.starts = {.per_second = 10, .burst = 1}});
    ck_assert_int_eq(begin(&a, 0), -1);
    for (int i = 0; i < 8; i++)
        told[i] = begin(&a, i); /* a millisecond after one another */
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(i + told[i], 100 * (i + 1));
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(begin(&a, i + told[i]), -1);
}
END_TEST

/* Where sagas have ended every 50 ms of late, there is room for one every 50 ms. */
START_TEST(admission__who_is_refused_for_those_that_live_is_told_by_how_quickly_they_end)
{
    struct admission a = {0};
    admission_set(&a, &(struct admission_options){.live_max = 100});
    for (int i = 0; i < 120; i++)
        admission_live(&a);
    for (int i = 0; i < 20; i++)
        admission_end(&a, at(50 * i));
    ck_assert_int_eq(begin(&a, 950), 50);
    ck_assert_int_eq(begin(&a, 950), 100);
    ck_assert_int_eq(begin(&a, 950), 150);
    /* Nothing has ended for ten seconds: it will hardly be 50 ms. */
    ck_assert_int_eq(begin(&a, 10950), 10000);
}
END_TEST

START_TEST(admission__nobody_is_sent_away_for_longer_than_a_minute)
{
    struct admission a = {0};
    admission_set(&a, &(struct admission_options){.starts = {.per_second = 1, .burst = 1}});
    begin(&a, 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_le(begin(&a, 0), 60000);
    ck_assert_int_eq(begin(&a, 0), 60000);
    /* Once that is past, it begins anew. */
    ck_assert_int_eq(begin(&a, 120000), -1);
    ck_assert_int_eq(begin(&a, 120000), 1000);
}
END_TEST

/* A configuration that is read again and says the same gives nobody a new burst. */
START_TEST(admission__the_same_options_change_nothing)
{
    struct admission a = {0};
    const struct admission_options options = {.starts = {.per_second = 1, .burst = 5}, .live_max = 3};
    admission_set(&a, &options);
    ck_assert_int_eq(begin(&a, 0), -1);
    admission_set(&a, &options);
    ck_assert_int_ne(begin(&a, 1), -1);
    ck_assert_uint_eq(a.live, 1);
}
END_TEST

/* What those were told who asked before says nothing of the time under other options. */
START_TEST(admission__other_options_are_told_of_anew)
{
    struct admission a = {0};
    admission_set(&a, &(struct admission_options){.live_max = 1});
    ck_assert_int_eq(begin(&a, 0), -1);
    for (int i = 1; i <= 50; i++)
        ck_assert_int_eq(begin(&a, 0), 100 * i);
    admission_set(&a, &(struct admission_options){.live_max = 2});
    ck_assert_int_eq(begin(&a, 0), -1);
    ck_assert_int_eq(begin(&a, 0), 100);
}
END_TEST

/* Another burst is another rate, and one that is refused comes after ten milliseconds at the soonest. */
START_TEST(admission__what_is_told_is_exact)
{
    struct admission a = {0};
    struct span delay;
    admission_set(&a, &(struct admission_options){.starts = {.per_second = 1000, .burst = 1}});
    ck_assert_int_eq(begin(&a, 0), -1);
    ck_assert_int_eq(begin(&a, 0), 10);
    admission_set(&a, &(struct admission_options){.starts = {.per_second = 1000, .burst = 5}});
    ck_assert_int_eq(begin(&a, 0), -1);
    /* A third of a second, rounded up each time. */
    admission_set(&a, &(struct admission_options){.starts = {.per_second = 3, .burst = 1}});
    ck_assert_int_eq(begin(&a, 0), -1);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(admission_asks(&a, at(0), &delay), ADMISSION_STARTS);
        ck_assert_int_eq(delay.us, 333334 * i);
    }
    admission_set(&a, &(struct admission_options){.starts = {.per_second = 10, .burst = 1}}); /* the rate alone */
    ck_assert_int_eq(begin(&a, 0), -1);
    ck_assert_int_eq(begin(&a, 0), 100);
    /* The last of those that end counts for an eighth. */
    a = (struct admission){0};
    admission_set(&a, &(struct admission_options){.live_max = 1});
    for (int i = 0; i < 10; i++)
        admission_live(&a);
    for (int i = 0; i < 5; i++)
        admission_end(&a, at(50 * i));
    admission_end(&a, at(200 + 90));
    ck_assert_int_eq(begin(&a, 290), 55);
}
END_TEST

/* ---- how quickly a target answers ---- */

static struct span ms(int64_t n)
{
    return SPAN_MS(n);
}

START_TEST(pace__knows_the_least_of_late)
{
    struct pace p = {.until = {0}};
    ck_assert_int_eq(pace_least(&p, at(0)).us, 0);
    pace_note(&p, ms(30), at(0));
    pace_note(&p, ms(20), at(100));
    pace_note(&p, ms(40), at(200));
    ck_assert_int_eq(pace_least(&p, at(300)).us, ms(20).us);
    pace_note(&p, ms(0), at(300)); /* not known */
    ck_assert_int_eq(pace_least(&p, at(300)).us, ms(20).us);
}
END_TEST

/* When nobody has answered for a second, somebody must try. */
START_TEST(pace__knows_nothing_after_a_silence)
{
    struct pace p = {.until = {0}};
    pace_note(&p, ms(20), at(0));
    pace_note(&p, ms(0), at(500)); /* not known */
    ck_assert_int_eq(pace_least(&p, at(999)).us, ms(20).us);
    ck_assert_int_eq(pace_least(&p, at(1000)).us, 0);
    pace_note(&p, ms(25), at(5000));
    ck_assert_int_eq(pace_least(&p, at(5000)).us, ms(20).us);
}
END_TEST

START_TEST(pace__forgets_after_ten_to_thirty_seconds)
{
    struct pace p = {.until = {0}};
    pace_note(&p, ms(1), at(0));
    for (int s = 1; s < 11; s++)
        pace_note(&p, ms(50), at(1000 * s));
    ck_assert_int_eq(pace_least(&p, at(10000)).us, ms(1).us);
    for (int s = 11; s < 31; s++)
        pace_note(&p, ms(50), at(1000 * s));
    ck_assert_int_eq(pace_least(&p, at(30000)).us, ms(50).us);
    pace_note(&p, ms(70), at(100000));
    ck_assert_int_eq(pace_least(&p, at(100000)).us, ms(70).us);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("admission");
    TCase *t = tcase_create("admission");
    tcase_add_test(t, admission__without_bounds_all_begin);
    tcase_add_test(t, admission__so_many_live);
    tcase_add_test(t, admission__who_is_refused_for_the_rate_comes_one_after_another);
    tcase_add_test(t, admission__who_is_refused_for_those_that_live_is_told_by_how_quickly_they_end);
    tcase_add_test(t, admission__nobody_is_sent_away_for_longer_than_a_minute);
    tcase_add_test(t, admission__the_same_options_change_nothing);
    tcase_add_test(t, admission__other_options_are_told_of_anew);
    tcase_add_test(t, admission__what_is_told_is_exact);
    tcase_add_test(t, pace__knows_the_least_of_late);
    tcase_add_test(t, pace__knows_nothing_after_a_silence);
    tcase_add_test(t, pace__forgets_after_ten_to_thirty_seconds);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
