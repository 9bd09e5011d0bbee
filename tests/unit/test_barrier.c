/* Every combination of rows, phase and outcome, against a table written out by hand. */
#include "compensations/barrier.h"

#include <check.h>
#include <stdlib.h>

enum { ROWS = 5 };

static const char *const row_names[ROWS] = {"absent", "done", "rejected", "void", "open"};

START_TEST(barrier__action_is_judged_by_its_own_row_alone)
{
    static const enum saga_barrier_verdict expected[ROWS] = {
        [SAGA_ROW_ABSENT] = SAGA_BARRIER_RUN,      [SAGA_ROW_DONE] = SAGA_BARRIER_REPLAY,
        [SAGA_ROW_REJECTED] = SAGA_BARRIER_REPLAY, [SAGA_ROW_VOID] = SAGA_BARRIER_HANGING,
        [SAGA_ROW_OPEN] = SAGA_BARRIER_BROKEN,
    };
    for (int own = 0; own < ROWS; own++)
        for (int action = 0; action < ROWS; action++)
            for (int done = 0; done < 2; done++)
                ck_assert_msg(saga_barrier_judge(SAGA_PHASE_ACTION, (enum saga_barrier_row)own,
                                                 (enum saga_barrier_row)action, done != 0, false) == expected[own],
                              "own %s, action %s, done %d", row_names[own], row_names[action], done);
}
END_TEST

START_TEST(barrier__compensation_is_judged_by_both_rows_and_the_outcome)
{
    enum {
        RUN = SAGA_BARRIER_RUN,
        REPLAY = SAGA_BARRIER_REPLAY,
        EMPTY = SAGA_BARRIER_EMPTY,
        LOST = SAGA_BARRIER_LOST,
        BROKEN = SAGA_BARRIER_BROKEN
    };
    /* [action done][own][action: absent, done, rejected, void, open] */
    static const int expected[2][ROWS][ROWS] = {
        {
            [SAGA_ROW_ABSENT] = {EMPTY, RUN, EMPTY, EMPTY, BROKEN},
            [SAGA_ROW_DONE] = {REPLAY, REPLAY, REPLAY, REPLAY, REPLAY},
            [SAGA_ROW_REJECTED] = {BROKEN, BROKEN, BROKEN, BROKEN, BROKEN},
            [SAGA_ROW_VOID] = {BROKEN, BROKEN, BROKEN, BROKEN, BROKEN},
            [SAGA_ROW_OPEN] = {BROKEN, BROKEN, BROKEN, BROKEN, BROKEN},
        },
        {
            [SAGA_ROW_ABSENT] = {LOST, RUN, LOST, LOST, BROKEN},
            [SAGA_ROW_DONE] = {REPLAY, REPLAY, REPLAY, REPLAY, REPLAY},
            [SAGA_ROW_REJECTED] = {BROKEN, BROKEN, BROKEN, BROKEN, BROKEN},
            [SAGA_ROW_VOID] = {BROKEN, BROKEN, BROKEN, BROKEN, BROKEN},
            [SAGA_ROW_OPEN] = {BROKEN, BROKEN, BROKEN, BROKEN, BROKEN},
        },
    };
    for (int done = 0; done < 2; done++)
        for (int own = 0; own < ROWS; own++)
            for (int action = 0; action < ROWS; action++)
                for (int collected = 0; collected < 2; collected++) {
                    int verdict = (int)saga_barrier_judge(SAGA_PHASE_COMPENSATION, (enum saga_barrier_row)own,
                                                          (enum saga_barrier_row)action, done != 0, collected != 0);
                    bool gone = collected != 0 && own == SAGA_ROW_ABSENT && action == SAGA_ROW_ABSENT;
                    ck_assert_msg(verdict == (gone ? LOST : expected[done][own][action]),
                                  "own %s, action %s, done %d, collected %d", row_names[own], row_names[action], done,
                                  collected);
                }
}
END_TEST

START_TEST(barrier__an_action_whose_row_was_collected_is_lost)
{
    for (unsigned done = 0; done < 2; done++)
        ck_assert_int_eq(saga_barrier_judge(SAGA_PHASE_ACTION, SAGA_ROW_ABSENT, SAGA_ROW_ABSENT, done != 0, true),
                         SAGA_BARRIER_LOST);
}
END_TEST

START_TEST(barrier__row_from_nowhere_is_broken)
{
    ck_assert_int_eq(saga_barrier_judge(SAGA_PHASE_ACTION, (enum saga_barrier_row)7, SAGA_ROW_ABSENT, false, false),
                     SAGA_BARRIER_BROKEN);
    ck_assert_int_eq(
        saga_barrier_judge(SAGA_PHASE_COMPENSATION, SAGA_ROW_ABSENT, (enum saga_barrier_row)7, false, false),
        SAGA_BARRIER_BROKEN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("barrier");
    TCase *rule = tcase_create("rule");
    tcase_add_test(rule, barrier__action_is_judged_by_its_own_row_alone);
    tcase_add_test(rule, barrier__compensation_is_judged_by_both_rows_and_the_outcome);
    tcase_add_test(rule, barrier__an_action_whose_row_was_collected_is_lost);
    tcase_add_test(rule, barrier__row_from_nowhere_is_broken);
    suite_add_tcase(suite, rule);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
