/* Budgets of retries: who pays for them, what is kept for undos, and when to come again. */
#include "sidecar/resilience/budget.h"

#include <check.h>
#include <stdlib.h>

#define MS 1000

static struct instant at(int64_t ms)
{
    return (struct instant){.us = INT64_C(1700000000000000) + ms * MS};
}

static bool take(struct budget *b, int64_t ms, bool undo)
{
    struct instant again;
    if (!budget_admits(b, at(ms), undo, &again))
        return false;
    budget_leave(b, true);
    return true;
}

START_TEST(budget__first_calls_pay_for_a_share)
{
    struct budget b = {0};
    budget_set(&b, &(struct budget_options){.percent = 20, .min_per_second = 1});
    ck_assert(!take(&b, 0, true));
    for (int i = 0; i < 4; i++)
        budget_leave(&b, false);
    ck_assert(!take(&b, 0, true));
    budget_leave(&b, false);
    ck_assert(take(&b, 0, true) && !take(&b, 0, true));
}
END_TEST

START_TEST(budget__a_fifth_is_kept_for_undos)
{
    struct budget b = {0};
    struct instant again;
    budget_set(&b, &(struct budget_options){.percent = 100, .min_per_second = 1});
    for (int i = 0; i < 50; i++)
        budget_leave(&b, false); /* ten are saved, at most */
    for (int i = 0; i < 8; i++)
        ck_assert(take(&b, 0, false));
    ck_assert(!budget_admits(&b, at(0), false, &again));
    ck_assert_int_eq(again.us, at(1000).us);
    ck_assert(take(&b, 0, true) && take(&b, 0, true) && !take(&b, 0, true));
}
END_TEST

START_TEST(budget__time_pays_for_the_least_rate)
{
    struct budget b = {0};
    struct instant again;
    budget_set(&b, &(struct budget_options){.percent = 1, .min_per_second = 4});
    ck_assert(!budget_admits(&b, at(0), true, &again));
    ck_assert_int_eq(again.us, at(250).us);
    ck_assert(!take(&b, 249, true));
    ck_assert(take(&b, 250, true));
    unsigned count = 0;
    for (int64_t ms = 251; ms <= 10250; ms++)
        count += take(&b, ms, true);
    ck_assert_uint_eq(count, 40);
    for (count = 0; take(&b, 100000, true);)
        count++;
    ck_assert_uint_eq(count, 40); /* ten seconds are saved */
}
END_TEST

/* However often it is asked, not a thousandth of a second is lost. */
START_TEST(budget__time_pays_whoever_asks_how_often)
{
    struct budget b = {0};
    unsigned count = 0;
    budget_set(&b, &(struct budget_options){.percent = 1, .min_per_second = 4});
    for (int64_t us = 0; us <= 10 * 1000 * MS; us += 1900) {
        struct instant again, now = {.us = at(0).us + us};
        if (budget_admits(&b, now, true, &again)) {
            budget_leave(&b, true);
            count++;
        }
    }
    ck_assert_uint_ge(count, 39);
    ck_assert_uint_le(count, 40);
}
END_TEST

START_TEST(budget__what_comes_back_well_pays_for_another)
{
    struct budget b = {0};
    budget_set(&b, &(struct budget_options){.percent = 20, .min_per_second = 1});
    ck_assert(!take(&b, 0, true) && take(&b, 1000, true) && !take(&b, 1000, true));
    budget_pay_back(&b);
    ck_assert(take(&b, 1000, true) && !take(&b, 1000, true));
}
END_TEST

START_TEST(budget__without_one_all_may_leave)
{
    struct budget b = {0};
    for (int i = 0; i < 100; i++)
        ck_assert(take(&b, 0, false));
}
END_TEST

/* Ten seconds of the least rate are all that is ever saved, whoever pays and however long nobody asks. */
START_TEST(budget__no_more_is_saved_than_ten_seconds_pay)
{
    struct budget b = {0};
    struct instant again;
    budget_set(&b, &(struct budget_options){.percent = 20, .min_per_second = 3});
    ck_assert(!budget_admits(&b, at(0), true, &again));
    ck_assert_int_eq(again.us, at(334).us);
    ck_assert_int_eq(budget_left(&b, at(3600000)), 30000);
    ck_assert(budget_admits(&b, at(3600000), true, &again));
    budget_pay_back(&b);
    ck_assert_int_eq(budget_left(&b, at(3600000)), 30000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("budget");
    TCase *t = tcase_create("budget");
    tcase_add_test(t, budget__first_calls_pay_for_a_share);
    tcase_add_test(t, budget__a_fifth_is_kept_for_undos);
    tcase_add_test(t, budget__time_pays_for_the_least_rate);
    tcase_add_test(t, budget__time_pays_whoever_asks_how_often);
    tcase_add_test(t, budget__what_comes_back_well_pays_for_another);
    tcase_add_test(t, budget__without_one_all_may_leave);
    tcase_add_test(t, budget__no_more_is_saved_than_ten_seconds_pay);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
