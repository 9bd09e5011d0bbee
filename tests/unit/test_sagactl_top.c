/* sagactl top: rates between two looks, and what goes on in all loops together. */
#include "tests/support/told_sidecar.h"

#include <time.h>

/* What a loop counts, the second look a while after the first. */
static void loop_init(Saga__V1__LoopStatus *l, unsigned look)
{
    saga__v1__loop_status__init(l);
    l->version = text("1.2.3");
    l->live = 10;
    l->compensating = 2;
    l->paused = 3;
    l->sagas_started = look == 0 ? 100 : 90; /* it was restarted: fewer than before */
    l->sagas_ended = 50;
}

static void tell_looks(Saga__V1__StatusResponse answers[2])
{
    anew();
    tell("Status", &answers[0].base);
    tell("Status", &answers[1].base);
}

/* All loops together: how many sagas there are, and of a sidecar that counts from nothing again no rate below nothing. */
START_TEST(top__counts_over_all_loops)
{
    Saga__V1__StatusResponse answers[2];
    Saga__V1__LoopStatus loops[2][2], *lists[2][2];
    for (unsigned look = 0; look < 2; look++) {
        saga__v1__status_response__init(&answers[look]);
        for (int i = 0; i < 2; i++) {
            loop_init(&loops[look][i], look);
            lists[look][i] = &loops[look][i];
        }
        answers[look].loops = lists[look];
        answers[look].n_loops = 2;
    }
    tell_looks(answers);
    ck_assert_msg(sagactl("top --once") == EXIT_DONE, "%s", complained);
    ck_assert_msg(strstr(said, "sagas       20 live, 4 going back, 0 stuck, 6 paused\n"
                               "a second    0.0 started, 0.0 ended, 0.0 turned back, 0.0 got stuck; 0.0 attempts, 0.0 "
                               "failed\n") != NULL,
                  "%s", said);
    ck_assert_int_eq(strncmp(said, "unix:here.sock  sagad 1.2.3  ", 29), 0);
    ck_assert_msg(strstr(said, "TARGET") == NULL && strstr(said, "FAILING") == NULL &&
                      strstr(said, "HEARTBEAT") == NULL,
                  "%s", said);
    for (int i = 0; i < 2; i++) {
        loops[1][i].sagas_started = loops[0][i].sagas_started + 1000000;
        loops[1][i].attempts = 2000000;
        loops[1][i].sagas_turned_back = loops[1][i].sagas_became_stuck = loops[1][i].attempts_failed = 3000000;
    }
    json_t *document = NULL, *rates = NULL;
    for (int i = 0; i < 1000 && !(json_real_value(json_object_get(rates, "started")) > 0);
         i++) { /* a clock may stand */
        json_decref(document);
        tell_looks(answers);
        ck_assert_int_eq(sagactl("top --once -o json"), EXIT_DONE);
        document = json_loads(said, 0, NULL);
        rates = json_object_get(document, "per_second");
    }
    static const char *const names[] = {"started", "attempts", "turned_back", "became_stuck", "attempts_failed"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_msg(json_real_value(json_object_get(rates, names[i])) > 0, "%s", names[i]);
    ck_assert(json_real_value(json_object_get(rates, "ended")) <= 0);
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(document, "status"), "loops")), 2);
    json_decref(document);
    answers[0].n_loops = answers[1].n_loops = 0; /* nor need there be any */
    tell_looks(answers);
    ck_assert_int_eq(sagactl("top --once"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "  sagad ?  "));
}
END_TEST

/* What fails most comes first, with what was answered last; a target tells why only where something of it failed of late. */
START_TEST(top__shows_what_fails)
{
    Saga__V1__StatusResponse answers[2] = {SAGA__V1__STATUS_RESPONSE__INIT, SAGA__V1__STATUS_RESPONSE__INIT};
    Saga__V1__LoopStatus loop, *loops[] = {&loop};
    Saga__V1__FailingStep failing[2] = {SAGA__V1__FAILING_STEP__INIT, SAGA__V1__FAILING_STEP__INIT};
    Saga__V1__FailingStep *steps[] = {&failing[0], &failing[1]};
    Saga__V1__TargetStatus target = SAGA__V1__TARGET_STATUS__INIT, *targets[] = {&target};
    Saga__V1__SyntheticStatus beat = SAGA__V1__SYNTHETIC_STATUS__INIT, *beats[] = {&beat};
    Saga__V1__Recent recent = SAGA__V1__RECENT__INIT;
    Google__Protobuf__Duration span = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    span.nanos = 250000000;
    at.seconds = time(NULL) - 10;
    loop_init(&loop, 0);
    failing[0].definition = failing[1].definition = text("order");
    failing[0].step = text("send");
    failing[0].count = 3;
    failing[0].last_status = 4;
    failing[1].step = text("charge");
    failing[1].compensation = true;
    failing[1].count = 70;
    failing[1].last_status = 14;
    failing[1].last_message = text("shut");
    loop.failing_steps = steps;
    loop.n_failing_steps = 2;
    target.name = text("bank");
    target.calls = 2;
    target.calls_max = 8;
    target.waiting = 5;
    target.recent = &recent;
    target.last_failure = &at;
    target.last_failure_status = 14;
    target.last_failure_message = text("refused");
    recent.count = 4;
    recent.failed = 1;
    recent.mean = recent.most = &span;
    loop.targets = targets;
    loop.n_targets = 1;
    beat.definition = text("probe");
    beat.every = &span;
    loop.synthetics = beats;
    loop.n_synthetics = 1;
    for (int i = 0; i < 2; i++) {
        answers[i].loops = loops;
        answers[i].n_loops = 1;
    }
    setenv("COLUMNS", "140", 1);
    for (int failed = 1; failed >= 0; failed--) {
        recent.failed = failed;
        tell_looks(answers);
        ck_assert_msg(sagactl("top --once") == EXIT_DONE, "%s", complained);
        const char *row = strstr(said, "\nbank                       2/8       5         4");
        ck_assert_msg(row != NULL, "%s", said);
        const char *why = strstr(row, "UNAVAILABLE: refused");
        ck_assert_msg((why != NULL && why < strchr(row + 1, '\n')) == failed, "%s", said);
        ck_assert_msg(strstr(said, "\nFAILING STEP                              ATTEMPTS  THE LAST ANSWER\n"
                                   "order, undo of charge                           70  UNAVAILABLE: shut\n"
                                   "order, action of send                            3  DEADLINE_EXCEEDED\n") != NULL,
                      "%s", said);
        ck_assert_msg(strstr(said, "\nHEARTBEAT ") != NULL && strstr(said, "\nprobe ") != NULL, "%s", said);
        ck_assert_msg(strstr(said, "TAKEN OVER") == NULL, "%s", said);
    }
    loop.journal = text("east");
    tell_looks(answers);
    ck_assert_int_eq(sagactl("top --once"), EXIT_DONE);
    ck_assert_msg(strstr(said, "OF A JOURNAL TAKEN OVER (counted above, too)\n"
                               "       10           2       0       3          -  east\n") != NULL,
                  "%s", said);
}
END_TEST

/* Whoever was there and is away is looked for until the time given has passed; one that was never there is not. */
START_TEST(top__looks_again_for_who_was_there)
{
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    tell("Status", &answer.base);
    tell("Status", NULL);
    told[1].code = SAGA_E_UNAVAILABLE;
    told[1].reason = SAGA_REASON_UNREACHABLE;
    tell("Status", &answer.base);
    tell("Status", NULL);
    told[3].code = SAGA_E_PERMISSION_DENIED;
    ck_assert_int_eq(sagactl("top"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "sagas       0 live"));
    anew();
    tell("Status", &answer.base);
    tell("Status", NULL);
    told[1].code = SAGA_E_UNAVAILABLE;
    ck_assert_int_eq(sagactl("top --once"), EXIT_UNREACHABLE);
    anew();
    tell("Status", NULL);
    told[0].code = SAGA_E_UNAVAILABLE;
    ck_assert_int_eq(sagactl("top"), EXIT_UNREACHABLE);
    /* A look that would come after the time given is none: that is how it ends. */
    anew();
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("top --timeout 10ms"), EXIT_DONE);
    ck_assert_str_eq(said, "");
    /* It is over when its time is, whether the sidecar has come back until then or not. */
    anew();
    tell("Status", &answer.base);
    tell("Status", NULL);
    told[1].code = SAGA_E_UNAVAILABLE;
    told[1].reason = SAGA_REASON_UNREACHABLE;
    ck_assert_int_eq(sagactl("top --timeout 1900ms"), EXIT_DONE);
    /* One look is taken whole: of two moments there is one rate. */
    anew();
    tell("Status", &answer.base);
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("top --once --timeout 10ms"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "sagas       0 live"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_top");
    TCase *tc = tcase_create("top");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, top__counts_over_all_loops);
    tcase_add_test(tc, top__shows_what_fails);
    tcase_add_test(tc, top__looks_again_for_who_was_there);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
