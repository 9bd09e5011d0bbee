/* A call by hand: without a server, for the tests of those who write functions. */
#include <saga/participant.h>

#include "tests/support/until.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct saga_error error;

START_TEST(call__by_hand_keeps_copies_and_checks)
{
    char id[] = "saga", request[] = "bytes";
    struct saga_call_info info = {.saga_id = id,
                                  .definition = "d",
                                  .step = "s",
                                  .idempotency_key = "k",
                                  .phase = SAGA_CALL_ACTION,
                                  .attempt = 1,
                                  .request = request,
                                  .request_size = 5};
    saga_call *call;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    id[0] = request[0] = 'X';
    ck_assert_str_eq(saga_call_info(call)->saga_id, "saga");
    ck_assert_str_eq(saga_call_info(call)->definition, "d");
    ck_assert_str_eq(saga_call_info(call)->step, "s");
    ck_assert_str_eq(saga_call_info(call)->idempotency_key, "k");
    ck_assert_str_eq(saga_call_info(call)->action_key, "");
    ck_assert_str_eq(saga_call_info(call)->traceparent, "");
    ck_assert_uint_eq(saga_call_info(call)->request_size, 5);
    ck_assert_str_eq(saga_call_info(call)->method, "");
    ck_assert_mem_eq(saga_call_info(call)->request, "bytes", 5);
    ck_assert(saga_call_time_left_ms(call) == INT64_MAX && !saga_call_cancelled(call));
    size_t size;
    ck_assert_int_eq(saga_call_reply(call, "one", 3), SAGA_OK);
    ck_assert_int_eq(saga_call_reply(call, "second", 6), SAGA_OK);
    ck_assert_mem_eq(saga_call_answer(call, &size), "second", 6);
    ck_assert_uint_eq(size, 6);
    /* Up to 4 MiB, as a participant's by default; one that is too long takes the one before with it. */
    static char most[(4 << 20) + 1];
    ck_assert_int_eq(saga_call_reply(call, most, sizeof most - 1), SAGA_OK);
    saga_call_answer(call, &size);
    ck_assert_uint_eq(size, 4 << 20);
    ck_assert_int_eq(saga_call_reply(call, most, sizeof most), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(saga_call_message(call), "answer_bytes_max is 4194304"));
    ck_assert_ptr_null(saga_call_answer(call, &size));
    ck_assert_uint_eq(size, 0);
    saga_call_destroy(call);
    info.timeout_ms = 60000;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    ck_assert_int_le(saga_call_time_left_ms(call), 60000);
    ck_assert_int_gt(saga_call_time_left_ms(call), 30000);
    saga_call_destroy(call);
    info.timeout_ms = 1;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    UNTIL(saga_call_cancelled(call));
    ck_assert_int_eq(saga_call_time_left_ms(call), 0);
    saga_call_destroy(call);

    info.phase = SAGA_CALL_COMPENSATION;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "action_outcome");
    info.idempotency_key = NULL;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "idempotency_key");
}
END_TEST

/* What is wrong is told by the member's name. */
START_TEST(call__by_hand_names_what_is_wrong)
{
    static char lengthy[4096];
    const struct saga_call_info good = {.saga_id = "i",
                                        .definition = "d",
                                        .step = "s",
                                        .idempotency_key = "k",
                                        .action_key = "a",
                                        .phase = SAGA_CALL_COMPENSATION,
                                        .action_outcome = SAGA_CALL_OUTCOME_UNKNOWN,
                                        .attempt = 1};
    memset(lengthy, 'x', sizeof lengthy - 1);
    struct {
        struct saga_call_info info;
        const char *field, *problem;
    } cases[24];
    size_t count = 0;
#define CASE(member, value, says) \
    do { \
        cases[count].info = good; \
        cases[count].info.member = value; \
        cases[count].field = #member; \
        cases[count++].problem = says; \
    } while (0)
    CASE(saga_id, NULL, "is missing");
    CASE(saga_id, lengthy, "is too long");
    CASE(definition, "", "is missing");
    CASE(definition, lengthy, "is too long");
    CASE(step, NULL, "is missing");
    CASE(step, "\x7f", "is not printable ASCII");
    CASE(step, "\x1f", "is not printable ASCII");
    CASE(idempotency_key, NULL, "is missing");
    CASE(idempotency_key, lengthy, "is too long");
    CASE(action_key, lengthy, "is too long");
    CASE(action_key, NULL, "is missing");
    CASE(action_key, "k", "is the compensation's own key");
    CASE(traceparent, lengthy, "is too long");
    CASE(method, lengthy, "is too long");
    CASE(phase, 0, "is neither action nor compensation");
    CASE(attempt, 0, "is not a number from 1");
    CASE(timeout_ms, -1, "is negative");
    CASE(action_outcome, SAGA_CALL_OUTCOME_NONE, "is neither done nor unknown");
    CASE(action_started_ms, -1, "is not a number of milliseconds");
#undef CASE
    for (size_t i = 0; i < count; i++) {
        saga_call *call = (void *)(uintptr_t) "what was there before does not stay";
        ck_assert_int_eq(saga_call_create(&cases[i].info, &call, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_ptr_null(call);
        ck_assert_str_eq(error.field, cases[i].field);
        ck_assert_msg(strstr(error.message, cases[i].problem) != NULL, "%s: %s", error.field, error.message);
    }
    struct saga_call_info action = good;
    saga_call *call;
    ck_assert_int_eq(saga_call_create(&good, &call, &error), SAGA_OK);
    saga_call_destroy(call);
    action.phase = SAGA_CALL_ACTION;
    ck_assert_int_eq(saga_call_create(&action, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "action_outcome");
    action.action_outcome = SAGA_CALL_OUTCOME_NONE;
    ck_assert_int_eq(saga_call_create(&action, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "action_key");
    ck_assert_ptr_nonnull(strstr(error.message, "comes with an action"));
}
END_TEST

START_TEST(call__message_is_cut_and_kept_utf8)
{
    struct saga_call_info info = {.saga_id = "i",
                                  .definition = "d",
                                  .step = "s",
                                  .idempotency_key = "k",
                                  .phase = SAGA_CALL_ACTION,
                                  .attempt = 1};
    saga_call *call;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    ck_assert_int_eq(saga_call_fail(call, SAGA_OK, "x"), SAGA_E_INTERNAL);
    saga_call_fail(call, SAGA_E_ABORTED, "%s", "gr\xc3\xbc\xc3\x9f \xff\xc0\x80 \xed\xa0\x80 \xf0\x9f\x8d\x8e");
    ck_assert_str_eq(saga_call_message(call), "gr\xc3\xbc\xc3\x9f ??? ??? \xf0\x9f\x8d\x8e");
    /* The first and the last of each length, and what is beyond them: overlong, a surrogate, past the last code point, broken off. */
    static const struct {
        const char *given, *kept;
    } sequences[] = {
        {"\x7f", "\x7f"},
        {"\xc2\x80", "\xc2\x80"},
        {"\xdf\xbf", "\xdf\xbf"},
        {"\xe0\xa0\x80", "\xe0\xa0\x80"},
        {"\xef\xbf\xbf", "\xef\xbf\xbf"},
        {"\xed\x9f\xbf", "\xed\x9f\xbf"},
        {"\xee\x80\x80", "\xee\x80\x80"},
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\x80", "?"},
        {"\xc1\xbf", "??"},
        {"\xe0\x9f\xbf", "???"},
        {"\xed\xbf\xbf", "???"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf5\x80\x80\x80", "????"},
        {"\xff", "?"},
        {"\xc3", "?"},
        {"\xe2\x82", "??"},
        {"\xe2\x82z", "??z"},
        {"\xf0\x9f\x8d", "???"},
        {"\xc3(", "?("},
    };
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        saga_call_fail(call, SAGA_E_ABORTED, "%s", sequences[i].given);
        ck_assert_str_eq(saga_call_message(call), sequences[i].kept);
    }
    /* Of a letter that is cut nothing stays. */
    static const char *const letters[] = {"\xc2\xa9", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8d\x8e"};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        for (size_t stays = 1; stays <= strlen(letters[i]); stays++) {
            char lengthy[400];
            memset(lengthy, 'a', sizeof lengthy);
            memcpy(lengthy + 256 - stays, letters[i], strlen(letters[i]));
            lengthy[399] = '\0';
            saga_call_fail(call, SAGA_E_ABORTED, "%s", lengthy);
            ck_assert_uint_eq(strlen(saga_call_message(call)), stays == strlen(letters[i]) ? 256 : 256 - stays);
        }
    char wrong[400]; /* and what is none is none there, too */
    memset(wrong, 'a', sizeof wrong);
    wrong[255] = '\xc1';
    wrong[399] = '\0';
    saga_call_fail(call, SAGA_E_ABORTED, "%s", wrong);
    ck_assert_uint_eq(strlen(saga_call_message(call)), 256);
    ck_assert_int_eq(saga_call_message(call)[255], '?');
    /* What wraps a function says what it said. */
    saga_call_fail(call, SAGA_E_ABORTED, "inner");
    saga_call_fail(call, SAGA_E_ABORTED, "outer: %s", saga_call_message(call));
    ck_assert_str_eq(saga_call_message(call), "outer: inner");
    ck_assert_int_eq(saga_call_reply(call, NULL, 3), SAGA_E_INTERNAL);
    ck_assert_ptr_null(saga_call_answer(call, NULL));
    ck_assert_int_eq(saga_call_create(&info, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "out");
    saga_call_destroy(call);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("call");
    TCase *by_hand = tcase_create("by hand");
    tcase_set_timeout(by_hand, 60);
    tcase_add_test(by_hand, call__by_hand_keeps_copies_and_checks);
    tcase_add_test(by_hand, call__by_hand_names_what_is_wrong);
    tcase_add_test(by_hand, call__message_is_cut_and_kept_utf8);
    suite_add_tcase(suite, by_hand);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
