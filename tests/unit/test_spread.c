/* Whose turn it is, and who should be connected. */
#include "sidecar/rpc/spread.h"

#include <check.h>
#include <stdlib.h>

enum { I = SPREAD_IDLE, R = SPREAD_READY, F = SPREAD_FAILING };

START_TEST(spread__round_robin_takes_all_that_are_ready_in_turn)
{
    const uint8_t states[] = {R, F, R, I, R};
    static const int expected[] = {0, 2, 4, 0, 2, 4, 0};
    unsigned turn = 0;
    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_int_eq(spread_next(SPREAD_ROUND_ROBIN, states, 5, &turn), expected[i]);
    turn = 4000000001; /* 1 of 5: whatever it was before */
    ck_assert_int_eq(spread_next(SPREAD_ROUND_ROBIN, states, 5, &turn), 2);
    for (unsigned i = 0; i < 5; i++)
        ck_assert(spread_wants(SPREAD_ROUND_ROBIN, states, 5, i));
}
END_TEST

START_TEST(spread__pick_first_stays_with_the_first_that_is_ready)
{
    const uint8_t states[] = {F, R, I, R};
    unsigned turn = 3;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(spread_next(SPREAD_PICK_FIRST, states, 4, &turn), 1);
    for (unsigned i = 0; i < 4; i++)
        ck_assert(spread_wants(SPREAD_PICK_FIRST, states, 4, i) == (i == 1));
}
END_TEST

/* One after the other, and those that failed go on being tried. */
START_TEST(spread__pick_first_tries_the_next_once_one_fails)
{
    uint8_t states[] = {I, I, I};
    for (unsigned tried = 0; tried < 3; tried++) {
        for (unsigned i = 0; i < 3; i++)
            ck_assert(spread_wants(SPREAD_PICK_FIRST, states, 3, i) == (i <= tried));
        states[tried] = F;
    }
    ck_assert(spread_wants(SPREAD_PICK_FIRST, states, 3, 0));
    ck_assert(spread_hopeless(states, 3));
}
END_TEST

START_TEST(spread__nobody_is_ready)
{
    const uint8_t states[] = {F, I, F};
    unsigned turn = 1;
    ck_assert_int_eq(spread_next(SPREAD_ROUND_ROBIN, states, 3, &turn), -1);
    ck_assert_int_eq(spread_next(SPREAD_PICK_FIRST, states, 3, &turn), -1);
    ck_assert_int_eq(spread_next(SPREAD_ROUND_ROBIN, states, 0, &turn), -1);
    ck_assert(!spread_hopeless(states, 3)); /* one has not been tried */
    ck_assert(spread_hopeless(states, 1));
    ck_assert(spread_hopeless(states, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spread");
    TCase *tc = tcase_create("spread");
    tcase_add_test(tc, spread__round_robin_takes_all_that_are_ready_in_turn);
    tcase_add_test(tc, spread__pick_first_stays_with_the_first_that_is_ready);
    tcase_add_test(tc, spread__pick_first_tries_the_next_once_one_fails);
    tcase_add_test(tc, spread__nobody_is_ready);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
