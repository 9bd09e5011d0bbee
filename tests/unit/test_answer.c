/* What an answer means: the whole table of docs/concepts.md, for every status, reach and list of retryable codes. */
#include "compensations/answer.h"

#include <check.h>
#include <stdlib.h>

enum { STATUSES = 17 };

enum kind { OK, REJECTS, TRANSIENT, AMBIGUOUS };

/* Written out again, by number, so that a slip in the module's own table shows. */
static const enum kind kinds[STATUSES] = {
    OK,      AMBIGUOUS, AMBIGUOUS, REJECTS, TRANSIENT, REJECTS,   REJECTS,   REJECTS, TRANSIENT,
    REJECTS, TRANSIENT, REJECTS,   REJECTS, AMBIGUOUS, TRANSIENT, AMBIGUOUS, REJECTS,
};

static struct saga_answer answered(int status)
{
    return saga_answer_of_action(status, SAGA_REACH_ANSWERED, 0);
}

START_TEST(answer__participant_s_word_counts)
{
    for (int status = 0; status < STATUSES; status++) {
        struct saga_answer answer = answered(status);
        enum saga_meaning meaning = kinds[status] == OK        ? SAGA_MEANS_DONE
                                    : kinds[status] == REJECTS ? SAGA_MEANS_REJECTED
                                                               : SAGA_MEANS_UNKNOWN;
        ck_assert_msg(answer.meaning == meaning, "status %d means %d", status, answer.meaning);
        ck_assert_msg(answer.retry == (kinds[status] == TRANSIENT), "status %d: retry %d", status, answer.retry);
    }
}
END_TEST

START_TEST(answer__attempt_that_never_left_was_not_executed)
{
    /* Whatever status the transport made up for it, OK included. */
    for (int status = -1; status <= STATUSES; status++)
        for (uint32_t listed = 0; listed < 2; listed++) {
            struct saga_answer answer = saga_answer_of_action(status, SAGA_REACH_NONE, listed ? UINT32_MAX : 0);
            ck_assert_int_eq(answer.meaning, SAGA_MEANS_REJECTED);
            ck_assert(answer.retry);
        }
}
END_TEST

/* A participant that says so of its own accord: nothing ran, and it is asked again unless it refuses for good. */
START_TEST(answer__attempt_that_never_began_was_not_executed)
{
    for (int status = 0; status < STATUSES; status++)
        for (uint32_t listed = 0; listed < 2; listed++) {
            struct saga_answer answer = saga_answer_of_action(status, SAGA_REACH_NOT_BEGUN, listed ? UINT32_MAX : 0);
            ck_assert_int_eq(answer.meaning, SAGA_MEANS_REJECTED);
            ck_assert_msg(answer.retry == (listed || kinds[status] != REJECTS), "status %d: retry %d", status,
                          answer.retry);
        }
}
END_TEST

/* Those five are what libraries and proxies make up while the function runs on. */
START_TEST(answer__only_the_participant_s_own_word_ends_what_others_make_up)
{
    static const int made_up[] = {1, 2, 4, 13, 14};
    for (int status = 0; status < STATUSES; status++) {
        bool others = false;
        for (size_t i = 0; i < sizeof made_up / sizeof made_up[0]; i++)
            others |= status == made_up[i];
        enum saga_reach plain = others ? SAGA_REACH_MAYBE : SAGA_REACH_ANSWERED;
        ck_assert_msg(saga_reach_of_status(status, NULL) == plain, "status %d", status);
        ck_assert_msg(saga_reach_of_status(status, "perhaps") == plain, "status %d", status);
        ck_assert_int_eq(saga_reach_of_status(status, SAGA_FUNCTION_ENDED), SAGA_REACH_ANSWERED);
        ck_assert_int_eq(saga_reach_of_status(status, SAGA_FUNCTION_NOT_BEGUN), SAGA_REACH_NOT_BEGUN);
    }
    ck_assert_int_eq(saga_reach_of_status(-1, NULL), SAGA_REACH_MAYBE);
    ck_assert_int_eq(saga_reach_of_status(77, NULL), SAGA_REACH_MAYBE);
}
END_TEST

START_TEST(answer__refusal_made_up_on_the_way_proves_nothing)
{
    for (int status = 1; status < STATUSES; status++) {
        struct saga_answer answer = saga_answer_of_action(status, SAGA_REACH_MAYBE, 0);
        ck_assert_msg(answer.meaning == SAGA_MEANS_UNKNOWN, "status %d means %d", status, answer.meaning);
        ck_assert_msg(answer.retry == (kinds[status] == TRANSIENT), "status %d: retry %d", status, answer.retry);
    }
}
END_TEST

START_TEST(answer__listed_status_is_retried_and_keeps_its_meaning)
{
    for (int status = 1; status < STATUSES; status++) {
        struct saga_answer plain = answered(status);
        struct saga_answer listed = saga_answer_of_action(status, SAGA_REACH_ANSWERED, UINT32_C(1) << status);
        ck_assert(listed.retry);
        ck_assert_int_eq(listed.meaning, plain.meaning);
        struct saga_answer others = saga_answer_of_action(status, SAGA_REACH_ANSWERED, ~(UINT32_C(1) << status));
        ck_assert_msg(others.retry == plain.retry, "status %d is retried though others were listed", status);
    }
}
END_TEST

START_TEST(answer__done_is_never_retried)
{
    struct saga_answer answer = saga_answer_of_action(0, SAGA_REACH_ANSWERED, UINT32_MAX);
    ck_assert_int_eq(answer.meaning, SAGA_MEANS_DONE);
    ck_assert(!answer.retry);
}
END_TEST

START_TEST(answer__status_outside_the_table_counts_as_unknown)
{
    static const int strange[] = {-1, STATUSES, 31, 32, 33, 1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        struct saga_answer answer = saga_answer_of_action(strange[i], SAGA_REACH_ANSWERED, UINT32_MAX);
        ck_assert_int_eq(answer.meaning, SAGA_MEANS_UNKNOWN);
        ck_assert(!answer.retry);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer");
    TCase *table = tcase_create("table");
    tcase_add_test(table, answer__participant_s_word_counts);
    tcase_add_test(table, answer__attempt_that_never_left_was_not_executed);
    tcase_add_test(table, answer__attempt_that_never_began_was_not_executed);
    tcase_add_test(table, answer__only_the_participant_s_own_word_ends_what_others_make_up);
    tcase_add_test(table, answer__refusal_made_up_on_the_way_proves_nothing);
    tcase_add_test(table, answer__listed_status_is_retried_and_keeps_its_meaning);
    tcase_add_test(table, answer__done_is_never_retried);
    tcase_add_test(table, answer__status_outside_the_table_counts_as_unknown);
    suite_add_tcase(suite, table);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
