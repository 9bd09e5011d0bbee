/* The one account of memory: what new work, answers and requests may fill of it, and what is never refused. */
#include "sidecar/base/account.h"

#include <check.h>
#include <stdlib.h>

#define MAX   ((size_t)1 << 30)
#define SMALL ((size_t)16384)

static void setup(void)
{
    account_add(&account.max, MAX);
}

/* New work fills five eighths, of what lives and of what is leaving together. */
START_TEST(account__work_fills_five_eighths)
{
    ck_assert(account_takes_work());
    account_add(&account.lives, MAX / 2);
    ck_assert(account_takes_work());
    account_add(&account.leaving, MAX / 8 - 1);
    ck_assert(account_takes_work());
    account_add(&account.leaving, 1);
    ck_assert(!account_takes_work());
    account_sub(&account.lives, 1);
    ck_assert(account_takes_work());
    /* However little that is, a process that has come to its bound takes none. */
    atomic_store(&account.pressed, true);
    ck_assert(!account_takes_work());
    atomic_store(&account.pressed, false);
    ck_assert(account_takes_work());
}
END_TEST

/* Answers that nobody has read yet may be a quarter, whatever lives; a small one always leaves. */
START_TEST(account__answers_may_be_a_quarter)
{
    account_add(&account.lives, MAX);
    account_add(&account.leaving, MAX / 4 - 100000);
    ck_assert(account_takes_answer(100000));
    ck_assert(!account_takes_answer(100001));
    account_add(&account.leaving, 100000);
    ck_assert(account_takes_answer(SMALL));
    ck_assert(!account_takes_answer(SMALL + 1));
}
END_TEST

/* A request is kept while there is room for work; a small one always. */
START_TEST(account__requests_are_work)
{
    ck_assert(account_takes_request(MAX));
    account_add(&account.lives, MAX / 8 * 5);
    ck_assert(account_takes_request(SMALL));
    ck_assert(!account_takes_request(SMALL + 1));
}
END_TEST

/* Without a bound nothing is too much. */
START_TEST(account__without_a_bound_all_is_taken)
{
    account_sub(&account.max, MAX);
    account_add(&account.lives, MAX);
    account_add(&account.leaving, MAX);
    atomic_store(&account.pressed, true);
    ck_assert(account_takes_work() && account_takes_answer(MAX) && account_takes_request(MAX));
}
END_TEST

/* Each test is a process of its own: nothing is put back. */
int main(void)
{
    TCase *c = tcase_create("account");
    Suite *s = suite_create("account");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, account__work_fills_five_eighths);
    tcase_add_test(c, account__answers_may_be_a_quarter);
    tcase_add_test(c, account__requests_are_work);
    tcase_add_test(c, account__without_a_bound_all_is_taken);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_set_fork_status(r, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
