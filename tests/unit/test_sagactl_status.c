/* sagactl status: how a sidecar is, of all its loops together. */
#include "client-lib/sagactl/json.h"
#include "tests/support/told_sidecar.h"

#include "grpc/health/v1/health.pb-c.h"

#include <time.h>

/* Which sidecar it is, what of its journal is free again, and each heartbeat by its name. */
START_TEST(status__says_whose_it_is)
{
    Grpc__Health__V1__HealthCheckResponse health = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    Google__Protobuf__Duration every = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&loop};
    Saga__V1__SyntheticStatus probe = SAGA__V1__SYNTHETIC_STATUS__INIT, *probes[] = {&probe};
    health.status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    every.seconds = 30;
    loop.version = text("1.2.3");
    loop.live = 7;
    loop.stuck = 2;
    loop.journal_bytes = 3 << 20;
    loop.journal_reusable_bytes = 1536;
    loop.volume_free_bytes = 5 << 20;
    loop.synthetics = probes;
    loop.n_synthetics = 1;
    probe.definition = text("probe");
    probe.every = &every;
    answer.loops = loops;
    answer.n_loops = 1;
    tell("Check", &health.base);
    tell("Status", &answer.base);
    ck_assert_msg(sagactl("status") == EXIT_DONE, "%s", complained);
    static const char *const lines[] = {"unix:here.sock is SERVING: sagad 1.2.3, 1 loop\n", "       5 running\n",
                                        "       2 stuck: sagactl deadletters --summary\n",
                                        "journal 3.0MiB, 1.5KiB of that free again, 5.0MiB free on its volume\n",
                                        "\nprobe                      30s         0       0       0         - never"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(said, lines[i]) != NULL, "%s is not in %s", lines[i], said);
    ck_assert_ptr_eq(strstr(said, lines[0]), said);
}
END_TEST

/* Loops are one sidecar: sums, the least that is free, whoever cannot reach a target; a guest's journal is no loop of it. */
START_TEST(status__adds_up_its_loops)
{
    Grpc__Health__V1__HealthCheckResponse health = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    Google__Protobuf__Duration away = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Timestamp expires[2] = {GOOGLE__PROTOBUF__TIMESTAMP__INIT, GOOGLE__PROTOBUF__TIMESTAMP__INIT};
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loops[4], *list[4];
    Saga__V1__TargetStatus targets[2][2], *target_lists[2][2];
    Saga__V1__DefinitionLimit limits[2], *limit_lists[2];
    Saga__V1__Hold holds[2] = {SAGA__V1__HOLD__INIT, SAGA__V1__HOLD__INIT}, *hold_list[] = {&holds[0], &holds[1]};
    Google__Protobuf__Timestamp since[2] = {GOOGLE__PROTOBUF__TIMESTAMP__INIT, GOOGLE__PROTOBUF__TIMESTAMP__INIT};
    health.status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    away.seconds = 4;
    expires[0].seconds = time(NULL) + 3 * 3600 + 30;
    expires[1].seconds = time(NULL) + 5 * 3600 + 30;
    for (int i = 0; i < 4; i++) {
        saga__v1__loop_status__init(&loops[i]);
        list[i] = &loops[i];
        loops[i].version = text("1.2.3");
        loops[i].live = 10;
        loops[i].stuck = (unsigned)i;
        loops[i].journal_bytes = 1 << 20;
        loops[i].volume_free_bytes = (i == 1 ? 5u : 7u) << 20;
    }
    loops[2].journal = text("calm");
    loops[3].journal = text("broken");
    for (int i = 0; i < 2; i++) {
        since[i].seconds = time(NULL) - (2 + 3 * i) * 3600 - 30;
        holds[i].definition = text(i == 0 ? "order" : "refund");
        holds[i].actor = text(i == 0 ? "ann" : "bob");
        holds[i].reason = text(i == 0 ? "" : "the bank is shut");
        holds[i].since = &since[i];
        loops[i].holds = hold_list;
        loops[i].n_holds = 2;
        saga__v1__definition_limit__init(&limits[i]);
        limit_lists[i] = &limits[i];
        loops[i].definition_limits = &limit_lists[i];
        loops[i].n_definition_limits = 1;
        limits[i].definition = text("order");
        limits[i].live = 3;
        limits[i].live_max = 8;
        limits[i].starts_per_second = 5;
        loops[i].targets = target_lists[i];
        loops[i].n_targets = 2;
        for (int k = 0; k < 2; k++) {
            Saga__V1__TargetStatus *t = target_lists[i][k] = &targets[i][k];
            saga__v1__target_status__init(t);
            t->name = text(k == 0 ? "bank" : "mail");
            t->address = text(k == 0 ? "bank:1" : "mail:1");
            t->calls = 2;
            t->calls_max = 8;
            t->waiting = 3;
            t->deferred = k == 0;
        }
    }
    answer.loops = list;
    answer.n_loops = 4;
    static const char *const lines[] = {
        "unix:here.sock is SERVING: sagad 1.2.3, 2 loops, 2 journals taken over\n", "      34 running\n",
        "       6 stuck: sagactl deadletters --summary\n",
        " of that free again, 5.0MiB free on its volume: new sagas are refused, what has begun waits\n",
        /* Every loop tells of each hold, and they are told once. */
        "certificate expires in 3h\ndefinition order is held for 2h, by ann: sagactl release order\n"
        "definition refund is held for 5h, by bob, the bank is shut: sagactl release refund\n"
        "definition order: 6 of 16 live, at most 10 start in a second\n",
        /* What stands most in need of somebody comes first. */
        "       3       0          -  broken\n       10           0       2       0          -  calm\n"};
    for (int who = 0; who < 2; who++) {
        targets[who][0].unreachable = true;
        targets[who][0].unreachable_for = &away;
        targets[1 - who][0].unreachable = false;
        loops[who].certificate_expires = &expires[0];
        loops[1 - who].certificate_expires = &expires[1];
        loops[who].journal_full = loops[who].journal_stalled = true;
        loops[1 - who].journal_full = loops[1 - who].journal_stalled = false;
        loops[0].journal_reusable_bytes = who ? 999 : 1000;
        anew();
        tell("Check", &health.base);
        tell("Status", &answer.base);
        ck_assert_msg(sagactl("status") == EXIT_DONE, "%s", complained);
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
            ck_assert_msg(strstr(said, lines[i]) != NULL, "%s is not in %s", lines[i], said);
        ck_assert_msg(strstr(said, who ? "journal 4.0MiB, 999B of" : "journal 4.0MiB, 1.0KiB of") != NULL, "%s", said);
        ck_assert_msg(strstr(said,
                             "target bank at bank:1: cannot be reached for 4s, 4 of 16 calls in flight, 6 wait, 2 of "
                             "them deferred\ntarget mail at mail:1: 4 of 16 calls in flight, 6 wait\n") != NULL,
                      "%s", said);
    }
    /* One that does not say since when has not the age of the one before it. */
    holds[1].since = NULL;
    anew();
    tell("Check", &health.base);
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("status"), EXIT_DONE);
    ck_assert_msg(strstr(said, "definition order is held for 2h, by ann: sagactl release order\n"
                               "definition refund is held for ?, by bob, the bank is shut: ") != NULL,
                  "%s", said);
    holds[1].since = &since[1];
    /* Away for nobody knows how long: of that nothing is said. */
    targets[0][0].unreachable_for = targets[1][0].unreachable_for = NULL;
    targets[0][0].unreachable = true;
    anew();
    tell("Check", &health.base);
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("status"), EXIT_DONE);
    ck_assert_msg(strstr(said, "target bank at bank:1: 4 of 16 calls in flight") != NULL, "%s", said);
    /* Of those that stand alike each has its place, and whoever reads JSON has the sums. */
    loops[2].stuck = 3;
    anew();
    tell("Check", &health.base);
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("status"), EXIT_DONE);
    ck_assert_msg(strstr(said, " broken\n") < strstr(said, " calm\n"), "%s", said);
    anew();
    tell("Check", &health.base);
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("status -o json"), EXIT_DONE);
    json_t *sums = json_loads(said, 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(sums, "running")), 33);
    ck_assert_int_eq(json_integer_value(json_object_get(sums, "stuck")), 7);
    ck_assert_str_eq(json_string_value(json_object_get(sums, "health")), "SERVING");
    ck_assert_str_eq(json_string_value(json_object_get(sums, "address")), "unix:here.sock");
    ck_assert_uint_eq(json_array_size(json_object_get(sums, "loops")), answer.n_loops); /* and each of them */
    json_decref(sums);
}
END_TEST

/* A journal that was taken over has its row, be it the only one, and be all of its sagas ended; where there is none there is no table. */
START_TEST(status__has_a_table_of_what_was_taken_over)
{
    static const char head[] =
        "\n     LIVE  GOING BACK   STUCK  PAUSED THE OLDEST  OF A JOURNAL TAKEN OVER (counted above, "
        "too)\n",
                      calm[] = "        0           0       0       0          -  calm\n",
                      busy[] = "        9           2       0       3         2h  busy\n";
    static const char *const counts[] = {": sagad 1.2.3, 1 loop\n", ": sagad 1.2.3, 1 loop, 1 journal taken over\n",
                                         ": sagad 1.2.3, 1 loop, 2 journals taken over\n"};
    Grpc__Health__V1__HealthCheckResponse health = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    Google__Protobuf__Timestamp began = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loops[3], *list[3];
    began.seconds = time(NULL) - 7230;
    for (int i = 0; i < 3; i++) {
        saga__v1__loop_status__init(&loops[i]);
        loops[i].version = text("1.2.3");
        list[i] = &loops[i];
    }
    loops[1].journal = text("calm");
    loops[2].journal = text("busy");
    loops[2].live = 9;
    loops[2].compensating = 2;
    loops[2].paused = 3;
    loops[2].oldest_live = &began;
    answer.loops = list;
    for (size_t guests = 0; guests < 3; guests++) {
        answer.n_loops = 1 + guests;
        anew();
        tell("Check", &health.base);
        tell("Status", &answer.base);
        ck_assert_msg(sagactl("status") == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, counts[guests]) != NULL, "%s", said);
        ck_assert_msg((strstr(said, head) != NULL) == (guests > 0), "%s", said);
        ck_assert_msg(strstr(said, "certificate") == NULL, "%s", said);
        ck_assert_msg((strstr(said, calm) != NULL) == (guests > 0), "%s", said);
        ck_assert_msg((strstr(said, busy) != NULL) == (guests > 1), "%s", said);
    }
}
END_TEST

/* Each heartbeat of each loop is a row of one table. */
START_TEST(status__has_the_heartbeats_of_every_loop)
{
    Grpc__Health__V1__HealthCheckResponse health = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    Google__Protobuf__Duration every = GOOGLE__PROTOBUF__DURATION__INIT, took = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Timestamp success = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loops[2] = {SAGA__V1__LOOP_STATUS__INIT, SAGA__V1__LOOP_STATUS__INIT},
                         *list[] = {&loops[0], &loops[1]};
    Saga__V1__SyntheticStatus beats[3], *all[] = {&beats[0], &beats[1], &beats[2]};
    static const char *const names[] = {"order", "refund", "send"};
    every.seconds = 60;
    took.nanos = 250000000;
    success.seconds = time(NULL) - 7230;
    for (int i = 0; i < 3; i++) {
        saga__v1__synthetic_status__init(&beats[i]);
        beats[i].definition = text(names[i]);
        beats[i].every = &every;
        beats[i].committed = 7;
        beats[i].failed = 2;
        beats[i].missed = 1;
        beats[i].last_state =
            i == 2 ? SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK : SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED;
        beats[i].last_trouble = text("the bank is shut");
    }
    beats[0].last_took = &took;
    beats[0].last_success = &success;
    loops[0].synthetics = all;
    loops[0].n_synthetics = 2;
    loops[1].synthetics = all + 2;
    loops[1].n_synthetics = 1;
    answer.loops = list;
    answer.n_loops = 2;
    tell("Check", &health.base);
    tell("Status", &answer.base);
    ck_assert_msg(sagactl("status") == EXIT_DONE, "%s", complained);
    ck_assert_msg(strstr(said,
                         "\nHEARTBEAT                EVERY COMMITTED  FAILED  MISSED      TOOK LAST SUCCESS   LAST\n"
                         "order                       1m         7       2       1     250ms 2h             COMMITTED\n"
                         "refund                      1m         7       2       1         - never          COMMITTED\n"
                         "send                        1m         7       2       1         - never          STUCK\n"
                         "    the bank is shut\n") != NULL,
                  "%s", said);
}
END_TEST

/* Every count is the sum over all loops, and what is bad is as bad as in the worst of them. */
START_TEST(status__counts_over_all_loops)
{
    static const char *const lines[] = {
        "      14 running\n       5 compensating\n       3 stuck: sagactl deadletters --summary\n"
        "       7 paused: sagactl list --state paused\n"
        "       9 of them answered, with deferred steps left: sagactl list --where deferred\n"
        "The oldest of them was started 3h ago.\n"
        "Beside them 11 heartbeats live, 1 stuck: sagactl list --state live --where synthetic\n"
        "journal 3.0KiB of 1.0MiB, reaching back 6h, 1.0KiB free on its volume: new sagas are refused, what has begun "
        "goes "
        "on\ncertificate expired 1h ago: over TLS nobody comes in\n"
        "definition order: 7 live, at most 11 start in a second\n"};
    Grpc__Health__V1__HealthCheckResponse health = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    Google__Protobuf__Timestamp ago[8];
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loops[2], *list[] = {&loops[0], &loops[1]};
    Saga__V1__DefinitionLimit limits[2], *limit_list[] = {&limits[0], &limits[1]};
    for (int i = 0; i < 8; i++) {
        google__protobuf__timestamp__init(&ago[i]);
        ago[i].seconds = time(NULL) - i * 3600 - 30;
    }
    for (unsigned i = 0; i < 2; i++) {
        saga__v1__loop_status__init(&loops[i]);
        saga__v1__definition_limit__init(&limits[i]);
        loops[i].live = 10 + 2 * i;
        loops[i].compensating = 2 + i;
        loops[i].stuck = 1 + i;
        loops[i].paused = 3 + i;
        loops[i].answered = 4 + i;
        loops[i].synthetics_live = 5 + i;
        loops[i].synthetics_stuck = i;
        loops[i].journal_bytes = 1024 * (1 + i);
        loops[i].journal_bytes_max = 512 * 1024;
        limits[i].definition = text("order");
        limits[i].live = 3 + i;
        limits[i].starts_per_second = 5 + i;
        loops[i].definition_limits = &limit_list[i];
        loops[i].n_definition_limits = 1;
    }
    answer.loops = list;
    answer.n_loops = 2;
    /* Whichever of the loops it is. */
    for (int which = 0; which < 2; which++) {
        Saga__V1__LoopStatus *worst = &loops[which], *other = &loops[1 - which];
        worst->oldest_live = &ago[3];
        other->oldest_live = &ago[2];
        worst->journal_since = &ago[6];
        other->journal_since = &ago[4];
        worst->certificate_expires = &ago[1];
        other->certificate_expires = &ago[0];
        worst->volume_free_bytes = 1023; /* is shown as of the next unit */
        other->volume_free_bytes = 1 << 20;
        worst->journal_full = true;
        other->journal_full = false;
        anew();
        tell("Check", &health.base);
        tell("Status", &answer.base);
        ck_assert_msg(sagactl("status") == EXIT_DONE, "%s", complained);
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
            ck_assert_msg(strstr(said, lines[i]) != NULL, "%s is not in %s", lines[i], said);
    }
    anew();
    tell("Check", &health.base);
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("status -o json"), EXIT_DONE);
    json_t *sums = json_loads(said, 0, NULL);
    static const struct {
        const char *name;
        int count;
    } counts[] = {{"running", 14}, {"compensating", 5}, {"stuck", 3}, {"paused", 7}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        ck_assert_int_eq(json_integer_value(json_object_get(sums, counts[i].name)), counts[i].count);
    json_decref(sums);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_status");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, status__says_whose_it_is);
    tcase_add_test(tc, status__adds_up_its_loops);
    tcase_add_test(tc, status__has_a_table_of_what_was_taken_over);
    tcase_add_test(tc, status__has_the_heartbeats_of_every_loop);
    tcase_add_test(tc, status__counts_over_all_loops);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
