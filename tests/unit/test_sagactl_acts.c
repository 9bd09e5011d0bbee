/* What an operator does with sagactl: each word of a command line is in what is asked for, and what was done is said. */
#include "tests/support/told_sidecar.h"

#define ID  "9f03c1d2a4b7-2a"
#define WHY " --actor ann --reason seen"

#define REQUEST(name)  &saga__v1__##name##_request__descriptor
#define RESPONSE(name) &saga__v1__##name##_response__descriptor

static const struct {
    const char *words, *method;
    const ProtobufCMessageDescriptor *request, *response;
    const char *asked, *says, *as_json;
} acts[] = {
    {"cancel " ID WHY, "Cancel", REQUEST(cancel), RESPONSE(cancel),
     "{'actor':'ann','reason':'seen','saga_id':'" ID "'}", ID " has been turned back\n",
     "{'command':'cancel','saga_id':'" ID "'}"},
    {"pause " ID WHY, "Pause", REQUEST(pause), RESPONSE(pause), "{'actor':'ann','reason':'seen','saga_id':'" ID "'}",
     ID " is paused\n", "{'command':'pause','saga_id':'" ID "'}"},
    {"resume " ID " --actor ann", "Resume", REQUEST(resume), RESPONSE(resume), "{'actor':'ann','saga_id':'" ID "'}",
     ID " goes on\n", "{'command':'resume','saga_id':'" ID "'}"},
    {"retry " ID " --actor ann", "Retry", REQUEST(retry), RESPONSE(retry), "{'actor':'ann','saga_id':'" ID "'}",
     ID " is tried again\n", "{'command':'retry','saga_id':'" ID "'}"},
    {"retry " ID " charge --actor ann", "Retry", REQUEST(retry), RESPONSE(retry),
     "{'actor':'ann','saga_id':'" ID "','step':'charge'}", ID " is tried again\n",
     "{'command':'retry','saga_id':'" ID "'}"},
    {"skip " ID " charge" WHY, "Skip", REQUEST(skip), RESPONSE(skip),
     "{'actor':'ann','reason':'seen','saga_id':'" ID "','step':'charge'}", ID " goes on without the step\n",
     "{'command':'skip','saga_id':'" ID "'}"},
    {"reject " ID " charge" WHY, "Reject", REQUEST(reject), RESPONSE(reject),
     "{'actor':'ann','reason':'seen','saga_id':'" ID "','step':'charge'}", ID " is told that the step did not happen\n",
     "{'command':'reject','saga_id':'" ID "'}"},
    {"resolve " ID WHY, "Resolve", REQUEST(resolve), RESPONSE(resolve),
     "{'actor':'ann','reason':'seen','saga_id':'" ID "'}", ID " is resolved\n",
     "{'command':'resolve','saga_id':'" ID "'}"},
    {"breaker trip bank" WHY, "SetBreaker", REQUEST(set_breaker), RESPONSE(set_breaker),
     "{'act':'BREAKER_ACT_TRIP','actor':'ann','reason':'seen','target':'bank'}",
     "the breaker of target bank is open, and few calls try the target when its time is over\n",
     "{'breaker':'trip','target':'bank'}"},
    {"breaker hold bank" WHY, "SetBreaker", REQUEST(set_breaker), RESPONSE(set_breaker),
     "{'act':'BREAKER_ACT_HOLD','actor':'ann','reason':'seen','target':'bank'}",
     "the breaker of target bank is held open until it is reset\n", "{'breaker':'hold','target':'bank'}"},
    {"breaker reset bank" WHY, "SetBreaker", REQUEST(set_breaker), RESPONSE(set_breaker),
     "{'act':'BREAKER_ACT_RESET','actor':'ann','reason':'seen','target':'bank'}",
     "the breaker of target bank is closed\n", "{'breaker':'reset','target':'bank'}"},
    {"hold order" WHY, "HoldDefinition", REQUEST(hold_definition), RESPONSE(hold_definition),
     "{'actor':'ann','definition':'order','reason':'seen'}", "no saga of order is started until it is released\n",
     "{'definition':'order','held':true}"},
    {"release order" WHY, "HoldDefinition", REQUEST(hold_definition), RESPONSE(hold_definition),
     "{'actor':'ann','definition':'order','reason':'seen','release':true}", "sagas of order are started again\n",
     "{'definition':'order','held':false}"},
    {"forget order/rate EUR" WHY, "ForgetAnswer", REQUEST(forget_answer), RESPONSE(forget_answer),
     "{'actor':'ann','key':'EUR','name':'order/rate','reason':'seen'}",
     "no fallback takes an answer of order/rate under this key that was given before\n",
     "{'forgotten':true,'name':'order/rate'}"},
};

START_TEST(acts__send_what_was_typed_and_say_what_was_done)
{
    ProtobufCMessage answer;
    char words[256];
    protobuf_c_message_init(acts[_i].response, &answer); /* all of them are empty */
    ck_assert_uint_eq(acts[_i].response->sizeof_message, sizeof answer);
    tell(acts[_i].method, &answer);
    SHOWS(acts[_i].words, acts[_i].says);
    assert_asked(0, acts[_i].request, acts[_i].asked);
    anew();
    tell(acts[_i].method, &answer);
    snprintf(words, sizeof words, "%s -o json", acts[_i].words);
    ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
    assert_json(said, acts[_i].as_json);
    assert_asked(0, acts[_i].request, acts[_i].asked);
    /* What was refused was not done. */
    anew();
    tell(acts[_i].method, NULL);
    told[0].code = SAGA_E_FAILED_PRECONDITION;
    ck_assert_int_eq(sagactl(acts[_i].words), EXIT_REFUSED);
    ck_assert_str_eq(said, "");
}
END_TEST

/* Those that stay in a timeline for good say why, and a reason is taken from nobody who cannot give one. */
START_TEST(acts__some_need_a_reason)
{
    static const struct {
        const char *words, *complaint;
    } cases[] = {{"skip " ID " charge", "needs --reason TEXT: why, for the timeline\n"},
                 {"reject " ID " charge", "needs --reason TEXT: why, for the timeline\n"},
                 {"resolve " ID, "needs --reason TEXT: why, for the timeline\n"},
                 {"breaker trip bank", "needs --reason TEXT: why, for the timeline\n"},
                 {"hold order", "needs --reason TEXT: why, for the timeline\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(sagactl(cases[i].words), EXIT_USAGE);
        ck_assert_msg(strstr(complained, cases[i].complaint) != NULL, "%s", complained);
    }
}
END_TEST

/* What was taken, and what waits for a restart; whatever the sidecar says steers no terminal. */
START_TEST(reload__says_what_came_of_each_option)
{
    Saga__V1__ReloadResponse answer = SAGA__V1__RELOAD_RESPONSE__INIT;
    char *taken[] = {text("retention"), text("targets.a\033[2Jb")}, *rest[] = {text("listen")};
    tell("Reload", &answer.base);
    SHOWS("reload --actor ann", "nothing has changed\n");
    assert_asked(0, REQUEST(reload), "{'actor':'ann'}");
    answer.taken = taken;
    answer.needs_restart = rest;
    answer.n_needs_restart = 1;
    anew();
    tell("Reload", &answer.base);
    SHOWS("reload", "needs a restart: listen\n");
    answer.n_taken = 2;
    anew();
    tell("Reload", &answer.base);
    SHOWS("reload", "taken: retention\ntaken: targets.a\\x1b[2Jb\nneeds a restart: listen\n");
    answer.n_taken = 1;
    anew();
    tell("Reload", &answer.base);
    ck_assert_int_eq(sagactl("reload -o json"), EXIT_DONE);
    assert_json(said, "{'needs_restart':['listen'],'taken':['retention']}");
}
END_TEST

/* Whoever gives no name is who he is on this machine. */
START_TEST(acts__are_somebodys)
{
    Saga__V1__ResumeResponse answer = SAGA__V1__RESUME_RESPONSE__INIT;
    tell("Resume", &answer.base);
    ck_assert_int_eq(sagactl("resume " ID), EXIT_DONE);
    Saga__V1__ResumeRequest *request = ASKED(saga__v1__resume_request, 0);
    ck_assert_str_ne(request->actor, "");
    saga__v1__resume_request__free_unpacked(request, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_acts");
    TCase *tc = tcase_create("acts");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, acts__send_what_was_typed_and_say_what_was_done, 0, sizeof acts / sizeof acts[0]);
    tcase_add_test(tc, acts__some_need_a_reason);
    tcase_add_test(tc, acts__are_somebodys);
    tcase_add_test(tc, reload__says_what_came_of_each_option);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
