/* Sagas started by a person with sagactl, and waited for: what is sent, how it ends, and what becomes of both when the sidecar is lost. */
#include "tests/support/no_pause.h"
#include "tests/support/told_sidecar.h"

/* ---- start ---- */

/* What is typed as the input is the input, in each of its forms. */
START_TEST(start__sends_what_was_typed)
{
    static const struct {
        const char *words, *input, *json;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {{"start order --input-text book", "book", "", 0, 0},
                 {"start order --input-hex 626f6f6b", "book", "", 0, 0},
                 {"start order --input-hex 6A:4b:5A:Ff", "jKZ\xff", "", 0, 0},
                 {"start order --input-hex 30:70:a0", "0p\xa0", "", 0, 0},
                 {"start order --json {\"n\":1}", "", "{\"n\":1}", 0, 0},
                 {"start order --json \n{\"n\":1}\n", "", "\n{\"n\":1}\n", 0, 0},
                 {"start order --json \r\n[1]", "", "\r\n[1]", 0, 0},
                 {"start order --json \t\"a\"", "", "\t\"a\"", 0, 0},
                 {"start order --deadline 1500ms", "", "", 1, 500000000},
                 {"start order --deadline 1ms", "", "", 0, 1000000},
                 {"start order", "", "", 0, 0}};
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    started.saga_id = text("9f03c1d2a4b7-2a");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        tell("Start", &started.base);
        ck_assert_msg(sagactl(cases[i].words) == EXIT_DONE, "%s", complained);
        ck_assert_ptr_nonnull(strstr(said, "9f03c1d2a4b7-2a"));
        Saga__V1__StartRequest *request = ASKED(saga__v1__start_request, 0);
        ck_assert_str_eq(request->definition, "order");
        ck_assert_uint_eq(request->input.len, strlen(cases[i].input));
        ck_assert(request->input.len == 0 || memcmp(request->input.data, cases[i].input, request->input.len) == 0);
        ck_assert_str_eq(request->input_json, cases[i].json);
        ck_assert_int_eq(request->deadline == NULL ? 0 : request->deadline->seconds, cases[i].seconds);
        ck_assert_int_eq(request->deadline == NULL ? 0 : request->deadline->nanos, cases[i].nanos);
        saga__v1__start_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* Whoever cannot know whether it was started is told how to ask again, and who waited in vain for what. */
START_TEST(start__can_be_asked_for_again)
{
    static const struct {
        int code;
        const char *reason;
        bool open;
    } cases[] = {{SAGA_E_UNAVAILABLE, SAGA_REASON_LOST, true},
                 {SAGA_E_DEADLINE_EXCEEDED, NULL, true},
                 {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, false},
                 {SAGA_E_FAILED_PRECONDITION, NULL, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        tell("Start", NULL);
        told[0].code = cases[i].code;
        told[0].reason = cases[i].reason;
        ck_assert_int_ne(sagactl("start order --request-id order-17"), EXIT_DONE);
        ck_assert_msg((strstr(complained, "sagactl: asked again with --request-id order-17 it is") != NULL) ==
                          cases[i].open,
                      "%s", complained);
    }
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    started.saga_id = text("9f03c1d2a4b7-2a");
    for (int json = 0; json < 2; json++) {
        anew();
        tell("Start", &started.base);
        tell("Wait", NULL);
        told[1].code = SAGA_E_DEADLINE_EXCEEDED;
        ck_assert_int_eq(sagactl(json ? "start order --wait -o json --timeout 1s" : "start order --wait --timeout 1s"),
                         EXIT_TIMEOUT);
        if (json)
            ck_assert_ptr_nonnull(strstr(said, "\"saga_id\": \"9f03c1d2a4b7-2a\""));
        else
            ck_assert_str_eq(said, "9f03c1d2a4b7-2a\n");
        ck_assert_ptr_nonnull(strstr(complained, "the saga has not ended within the time given; it goes on"));
    }
}
END_TEST

/* The time that is given is for the waiting: a start is answered within its default, or never. */
START_TEST(start__waits_longer_than_it_starts)
{
    const int64_t minute = INT64_C(60000000000);
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    Saga__V1__WaitResponse ended = SAGA__V1__WAIT_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED;
    ended.saga = &saga;
    tell("Start", &started.base);
    tell("Wait", &ended.base);
    ck_assert_int_eq(sagactl("start order --wait --timeout 20m"), EXIT_DONE);
    ck_assert_int_gt(asked_deadlines[1] - asked_deadlines[0], 10 * minute);
    anew();
    tell("Start", &started.base);
    tell("Wait", &ended.base);
    ck_assert_int_eq(sagactl("start order --wait --timeout 1s"), EXIT_DONE);
    ck_assert_int_eq(asked_deadlines[1], asked_deadlines[0]);
    anew();
    tell("Start", &started.base);
    ck_assert_int_eq(sagactl("start order --timeout 20m"), EXIT_DONE);
    ck_assert_int_gt(asked_deadlines[0] - wire_now(), 10 * minute);
}
END_TEST

/* With --wait as JSON there is one document: the saga, or where it runs on what names it; and each start has an id of its own. */
START_TEST(start__that_waits_is_one_document)
{
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    Saga__V1__WaitResponse ended = SAGA__V1__WAIT_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    char ids[2][64];
    started.saga_id = saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED;
    for (int there = 0; there < 2; there++) {
        ended.saga = there ? &saga : NULL;
        anew();
        tell("Start", &started.base);
        tell("Wait", &ended.base);
        ck_assert_int_eq(sagactl("start order --wait -o json"), there ? EXIT_COMPENSATED : EXIT_REFUSED);
        json_t *document = json_loads(said, 0, NULL);
        ck_assert_msg(document != NULL, "%s", said);
        ck_assert_str_eq(json_string_value(json_object_get(document, there ? "id" : "saga_id")), "9f03c1d2a4b7-2a");
        json_decref(document);
        ck_assert_msg(there || strstr(complained, "the sidecar's answer holds no saga") != NULL, "%s", complained);
        Saga__V1__StartRequest *request = ASKED(saga__v1__start_request, 0);
        snprintf(ids[there], sizeof ids[0], "%s", request->request_id);
        saga__v1__start_request__free_unpacked(request, NULL);
    }
    ck_assert_str_ne(ids[0], "");
    ck_assert_str_ne(ids[0], ids[1]);
    anew();
    tell("Wait", &ended.base);
    ck_assert_int_eq(sagactl("wait 9f03c1d2a4b7-2a"), EXIT_COMPENSATED);
    ended.saga = NULL;
    anew();
    tell("Wait", &ended.base);
    ck_assert_int_eq(sagactl("wait 9f03c1d2a4b7-2a"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: the sidecar's answer holds no saga\n");
}
END_TEST

/* What is no input is not sent, and where it goes wrong is said. */
START_TEST(start__refuses_what_is_no_input)
{
    static const char *const cases[][2] = {
        {"start order --input-hex 6g", "sagactl: --input-hex: there are no two hexadecimal digits at place 1\n"},
        {"start order --input-hex 62:6", "sagactl: --input-hex: there are no two hexadecimal digits at place 4\n"},
        {"start order --input nowhere",
         "sagactl: --input: there is no file nowhere; --input-text gives the text itself\n"},
        {"start order --json nowhere.json", "sagactl: nowhere.json: No such file or directory\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(sagactl(cases[i][0]), EXIT_USAGE);
        ck_assert_str_eq(complained, cases[i][1]);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* ---- waiting ---- */

/* Where nobody was there at first nobody is waited for. */
START_TEST(wait__says_at_once_that_nobody_is_there)
{
    tell("Wait", NULL);
    told[0].code = SAGA_E_UNAVAILABLE;
    told[0].reason = SAGA_REASON_UNREACHABLE;
    ck_assert_int_eq(sagactl("wait 9f03c1d2a4b7-2a"), EXIT_UNREACHABLE);
    ck_assert_ptr_null(strstr(complained, "waiting"));
}
END_TEST

START_TEST(wait__ends_as_the_saga_did)
{
    static const struct {
        Saga__V1__SagaState state;
        bool answered;
        int status;
    } cases[] = {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED, false, EXIT_DONE},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED, false, EXIT_COMPENSATED},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED, false, EXIT_RESOLVED},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK, false, EXIT_STUCK},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, true, EXIT_DONE},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, false, EXIT_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Saga__V1__WaitResponse answer = SAGA__V1__WAIT_RESPONSE__INIT;
        Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
        bool answered = i % 2 == 0, past_stuck = i % 3 == 0;
        char words[96];
        saga.id = text("9f03c1d2a4b7-2a");
        saga.state = cases[i].state;
        saga.answered = cases[i].answered;
        answer.saga = &saga;
        anew();
        tell("Wait", &answer.base);
        snprintf(words, sizeof words, "wait 9f03c1d2a4b7-2a%s%s", answered ? " --answered" : "",
                 past_stuck ? " --past-stuck" : "");
        ck_assert_int_eq(sagactl(words), cases[i].status);
        Saga__V1__WaitRequest *request = ASKED(saga__v1__wait_request, 0);
        ck_assert_str_eq(request->saga_id, "9f03c1d2a4b7-2a");
        ck_assert_int_eq(request->until_answered, answered);
        ck_assert_int_eq(request->until_stuck, !past_stuck);
        saga__v1__wait_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* A sidecar that goes away meanwhile is waited for, and that is said once. */
START_TEST(wait__outlives_a_sidecar)
{
    Saga__V1__WaitResponse answer = SAGA__V1__WAIT_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED;
    answer.saga = &saga;
    for (int i = 0; i < 3; i++) {
        tell("Wait", NULL);
        told[i].code = SAGA_E_UNAVAILABLE;
        told[i].reason = i == 1 ? SAGA_REASON_UNREACHABLE : SAGA_REASON_LOST;
    }
    tell("Wait", &answer.base);
    ck_assert_int_eq(sagactl("wait 9f03c1d2a4b7-2a"), EXIT_DONE);
    ck_assert_str_eq(complained, "sagactl: the sidecar is gone; waiting until it is back\n");
    ck_assert_uint_gt(no_pause_count, 0);
    /* But not for longer than it was given: of a pause only so much is made. */
    anew();
    tell("Wait", NULL);
    told[0].code = SAGA_E_UNAVAILABLE;
    tell("Wait", NULL);
    told[1].code = SAGA_E_DEADLINE_EXCEEDED;
    no_pause_ns = 0;
    ck_assert_int_eq(sagactl("wait 9f03c1d2a4b7-2a --timeout 1ms"), EXIT_TIMEOUT);
    ck_assert_int_le(no_pause_ns, 1000000);
}
END_TEST

/* Output that is lost counts for more than how the saga has ended, at once or when it is over. */
START_TEST(wait__fails_when_it_cannot_say_how_it_ended)
{
    static const struct {
        const char *words;
        bool buffered;
        Saga__V1__SagaState state;
        const char *complaint;
    } cases[] = {
        {"wait 9f03c1d2a4b7-2a", true, SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED, "the output cannot be written"},
        {"wait 9f03c1d2a4b7-2a", true, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK, "the output cannot be written"},
        {"wait 9f03c1d2a4b7-2a -o json", true, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED,
         "the output cannot be written"},
        {"wait 9f03c1d2a4b7-2a -o json", false, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED,
         "the answer cannot be written: no memory, or no room where it goes"}};
    Saga__V1__WaitResponse answer = SAGA__V1__WAIT_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    answer.saga = &saga;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *full = fopen("/dev/full", "w");
        ck_assert_ptr_nonnull(full);
        if (!cases[i].buffered)
            setvbuf(full, NULL, _IONBF, 0);
        saga.state = cases[i].state;
        anew();
        tell("Wait", &answer.base);
        ck_assert_int_eq(sagactl_into(full, cases[i].words), EXIT_REFUSED);
        const char *once = strstr(complained, cases[i].complaint);
        ck_assert_msg(once != NULL && strstr(once + strlen(cases[i].complaint), "cannot be written") == NULL, "%s",
                      complained);
        fclose(full);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_start");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, start__sends_what_was_typed);
    tcase_add_test(tc, start__can_be_asked_for_again);
    tcase_add_test(tc, start__waits_longer_than_it_starts);
    tcase_add_test(tc, wait__ends_as_the_saga_did);
    tcase_add_test(tc, wait__outlives_a_sidecar);
    tcase_add_test(tc, wait__fails_when_it_cannot_say_how_it_ended);
    tcase_add_test(tc, start__that_waits_is_one_document);
    tcase_add_test(tc, start__refuses_what_is_no_input);
    tcase_add_test(tc, wait__says_at_once_that_nobody_is_there);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
