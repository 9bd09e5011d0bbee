/* What is promised and what is done about it, as sagactl shows it: objectives with their budgets, rules and how they stand. */
#include "tests/support/told_sidecar.h"

#include <time.h>

/* ---- slo ---- */

static void windows(Saga__V1__ObjectiveWindow room[8], Saga__V1__ObjectiveWindow *list[8], uint64_t all, uint64_t bad)
{
    for (int i = 0; i < 8; i++) {
        saga__v1__objective_window__init(&room[i]);
        room[i].all = all * (unsigned)(i + 1);
        room[i].bad = bad;
        list[i] = &room[i];
    }
}

START_TEST(slo__adds_up_loops_and_parts_guests)
{
    Google__Protobuf__Duration threshold = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__ListObjectivesResponse answer = SAGA__V1__LIST_OBJECTIVES_RESPONSE__INIT;
    Saga__V1__Objective o[4] = {SAGA__V1__OBJECTIVE__INIT, SAGA__V1__OBJECTIVE__INIT, SAGA__V1__OBJECTIVE__INIT,
                                SAGA__V1__OBJECTIVE__INIT};
    Saga__V1__Objective *all[] = {&o[0], &o[1], &o[2], &o[3]};
    Saga__V1__ObjectiveWindow rooms[4][8], *lists[4][8];
    threshold.seconds = 5;
    for (int i = 0; i < 4; i++) {
        windows(rooms[i], lists[i], 100, i == 3 ? 0 : 1);
        o[i].windows = lists[i];
        o[i].n_windows = 8;
        o[i].definition = text("checkout");
        o[i].kind = SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SUCCESS;
        o[i].promised = 0.99;
    }
    o[1].loop = 1;
    o[2].journal = text("guest");
    o[3].kind = SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_LATENCY;
    o[3].threshold = &threshold;
    o[3].promised = 0.999;
    answer.objectives = all;
    answer.n_objectives = 4;
    tell("ListObjectives", &answer.base);
    SHOWS("slo", "DEFINITION                OBJECTIVE               PROMISED    COUNTED      BAD        LEFT    BURN "
                 "5m     1h      6h      3d\n"
                 "checkout                  success                      99%       1600        2       87.5%       1   "
                 "0.333     0.2   0.143\n"
                 "checkout                  latency under 5s           99.9%        800        0      100.0%       0   "
                 "    0       0       0\n"
                 "taken over: guest\n"
                 "checkout                  success                      99%        800        1       87.5%       1   "
                 "0.333     0.2   0.143\n");
    anew();
    tell("ListObjectives", &answer.base);
    ck_assert_int_eq(sagactl("slo rules"), EXIT_DONE);
    /* Once for each objective, however many loops and guests count it; by the windows and factors of the SRE workbook. */
    static const char *const lines[] = {
        "  - name: sagad-slo-checkout-success\n",
        "  - name: sagad-slo-checkout-latency\n",
        "      - record: sagad:slo_bad:ratio_rate30m\n        labels: {definition: \"checkout\", objective: "
        "\"latency\"}\n"
        "        expr: |\n          sum(rate(sagad_slo_bad_events_total{definition=\"checkout\", "
        "objective=\"latency\"}[30m]))\n"
        "          / sum(rate(sagad_slo_events_total{definition=\"checkout\", objective=\"latency\"}[30m]))\n",
        "      - alert: SagadSloFast_checkout_success\n        expr: |\n"
        "          sagad:slo_bad:ratio_rate1h{definition=\"checkout\", objective=\"success\"} > 14.4 * 0.01\n"
        "          and sagad:slo_bad:ratio_rate5m{definition=\"checkout\", objective=\"success\"} > 14.4 * 0.01\n"
        "        labels: {severity: page,",
        "ratio_rate6h{definition=\"checkout\", objective=\"success\"} > 6 * 0.01\n          and "
        "sagad:slo_bad:ratio_rate30m{",
        "ratio_rate1d{definition=\"checkout\", objective=\"success\"} > 3 * 0.01\n          and "
        "sagad:slo_bad:ratio_rate2h{",
        "ratio_rate3d{definition=\"checkout\", objective=\"success\"} > 1 * 0.01\n          and "
        "sagad:slo_bad:ratio_rate6h{",
        "ratio_rate3d{definition=\"checkout\", objective=\"latency\"} > 1 * 0.001\n",
        "        labels: {severity: ticket, definition: \"checkout\", objective: \"success\"}\n",
        "          runbook: sagactl runbook SagadSloBurning\n",
        "          runbook: sagactl runbook SagadSloSpending\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(said, lines[i]) != NULL, "%s\nis not in\n%s", lines[i], said);
    unsigned groups = 0;
    for (const char *at = said; (at = strstr(at, "  - name: ")) != NULL; at++)
        groups++;
    ck_assert_uint_eq(groups, 2);
    anew();
    ck_assert_int_eq(sagactl("slo rule"), EXIT_USAGE);
}
END_TEST

/* An alert has the name of its definition alone, as far as it may be in one. */
START_TEST(slo__rules_have_the_names_of_their_definitions)
{
    Saga__V1__ListObjectivesResponse answer = SAGA__V1__LIST_OBJECTIVES_RESPONSE__INIT;
    Saga__V1__Objective o[2] = {SAGA__V1__OBJECTIVE__INIT, SAGA__V1__OBJECTIVE__INIT}, *all[] = {&o[0], &o[1]};
    Saga__V1__ObjectiveWindow rooms[2][8], *lists[2][8];
    for (int i = 0; i < 2; i++) {
        windows(rooms[i], lists[i], 100, 1);
        o[i].windows = lists[i];
        o[i].n_windows = 8;
        o[i].definition = text(i == 0 ? "check-out.EU_2" : "pay");
        o[i].kind = SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SUCCESS;
        o[i].promised = 0.99;
    }
    answer.objectives = all;
    answer.n_objectives = 2;
    tell("ListObjectives", &answer.base);
    ck_assert_int_eq(sagactl("slo rules"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "      - alert: SagadSloFast_check_out_EU_2_success\n"));
    ck_assert_ptr_nonnull(strstr(said, "      - alert: SagadSloFast_pay_success\n"));
}
END_TEST

/* What is just used up is used up, whichever way the numbers are rounded. */
START_TEST(slo__of_a_budget_that_is_just_spent)
{
    Saga__V1__ListObjectivesResponse answer = SAGA__V1__LIST_OBJECTIVES_RESPONSE__INIT;
    Saga__V1__Objective o = SAGA__V1__OBJECTIVE__INIT, *all[] = {&o};
    Saga__V1__ObjectiveWindow room[8], *list[8];
    windows(room, list, 100, 80);
    o.windows = list;
    o.n_windows = 8;
    o.definition = text("checkout");
    o.kind = SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SUCCESS;
    o.promised = 0.9; /* 1 - 0.9 is less than 0.1 */
    answer.objectives = all;
    answer.n_objectives = 1;
    tell("ListObjectives", &answer.base);
    ck_assert_int_eq(sagactl("slo"), EXIT_DONE);
    ck_assert_msg(strstr(said, "     90%        800       80        0.0%       8 ") != NULL, "%s", said);
    windows(room, list, 100, 120); /* and more than that is less than nothing */
    anew();
    tell("ListObjectives", &answer.base);
    ck_assert_int_eq(sagactl("slo"), EXIT_DONE);
    ck_assert_msg(strstr(said, "     90%        800      120      -50.0%      12 ") != NULL, "%s", said);
    /* Where nothing has ended yet, all of it is left; nor is there a share of what a promise of all leaves. */
    windows(room, list, 0, 0);
    for (int promised = 0; promised < 2; promised++) {
        anew();
        tell("ListObjectives", &answer.base);
        ck_assert_int_eq(sagactl("slo"), EXIT_DONE);
        ck_assert_msg(strstr(said, promised ? "    100%        800       80      100.0%       0 "
                                            : "     90%          0        0      100.0%       0 ") != NULL,
                      "%s", said);
        windows(room, list, 100, 80);
        o.promised = 1;
    }
}
END_TEST

/* Guests whose objectives stand mixed are told of one after another. */
START_TEST(slo__tells_of_each_guest_once)
{
    Saga__V1__ListObjectivesResponse answer = SAGA__V1__LIST_OBJECTIVES_RESPONSE__INIT;
    Saga__V1__Objective o[4], *all[4];
    Saga__V1__ObjectiveWindow rooms[4][8], *lists[4][8];
    for (int i = 0; i < 4; i++) {
        saga__v1__objective__init(&o[i]);
        windows(rooms[i], lists[i], 100, 1);
        all[i] = &o[i];
        o[i].windows = lists[i];
        o[i].n_windows = 8;
        o[i].definition = text(i < 2 ? "order" : "refund");
        o[i].journal = text(i % 2 == 0 ? "east" : "west");
        o[i].kind = SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SUCCESS;
        o[i].promised = 0.99;
    }
    answer.objectives = all;
    answer.n_objectives = 4;
    tell("ListObjectives", &answer.base);
    ck_assert_int_eq(sagactl("slo"), EXIT_DONE);
    static const char *const order[] = {"taken over: east\n", "order ", "refund ",
                                        "taken over: west\n", "order ", "refund "};
    const char *at = said;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        ck_assert_msg((at = strstr(at, order[i])) != NULL, "%s is missing in %s", order[i], said);
        at += strlen(order[i]);
    }
    ck_assert_ptr_null(strstr(at, "taken over"));
}
END_TEST

START_TEST(slo__without_promises)
{
    Saga__V1__ListObjectivesResponse answer = SAGA__V1__LIST_OBJECTIVES_RESPONSE__INIT;
    tell("ListObjectives", &answer.base);
    SHOWS("slo", "Nothing is promised: objectives in sagad.yaml says what is.\n");
}
END_TEST

/* ---- rules ---- */

START_TEST(rules__say_how_each_stands)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ListRulesResponse answer = SAGA__V1__LIST_RULES_RESPONSE__INIT;
    Saga__V1__Rule rules[9], *list[9];
    at.seconds = time(NULL) - 3600;
    for (int i = 0; i < 9; i++) {
        saga__v1__rule__init(&rules[i]);
        list[i] = &rules[i];
        rules[i].name = text("r");
        rules[i].when = text("stuck > 3");
        rules[i].definition = text("order");
        rules[i].target = text("bank");
        rules[i].act = (Saga__V1__RuleAct)(1 + i % 5);
    }
    rules[1].true_since = &at;
    rules[2].pending = rules[3].pending = rules[4].pending = true;
    rules[3].held = rules[4].held = true;
    rules[4].dry_run = rules[5].dry_run = true;
    rules[5].disarmed = true;
    rules[5].said = text("it made things worse");
    rules[6].order = SAGA__V1__RULE_ORDER__RULE_ORDER_ACT;
    rules[7].order = SAGA__V1__RULE_ORDER__RULE_ORDER_UNDO;
    rules[8].acts = 12;
    rules[8].act = (Saga__V1__RuleAct)77;
    answer.rules = list;
    answer.n_rules = 9;
    tell("ListRules", &answer.base);
    SHOWS("rules", "RULE                  DOES                      IS            TIMES  LAST\n"
                   "r                     retry order               armed             0  never\n    when stuck > 3\n"
                   "r                     hold order                true              0  never\n    when stuck > 3\n"
                   "r                     trip bank                 to be judged      0  never\n    when stuck > 3\n"
                   "r                     reset bank                holds             0  never\n    when stuck > 3\n"
                   "r                     page order                dry-run           0  never\n    when stuck > 3\n"
                   "r                     retry order               disarmed          0  never\n    when stuck > 3\n"
                   "    it made things worse\n"
                   "r                     hold order                acting            0  never\n    when stuck > 3\n"
                   "r                     trip bank                 taking back       0  never\n    when stuck > 3\n"
                   "r                     ? order                   armed            12  never\n    when stuck > 3\n");
    anew();
    answer.n_rules = 0;
    tell("ListRules", &answer.base);
    SHOWS("rules", "There are no rules: remediation in sagad.yaml says what is done, and when.\n");
}
END_TEST

START_TEST(rules__are_armed_and_undone)
{
    static const struct {
        const char *words, *says, *json;
        Saga__V1__RuleChange change;
    } cases[] = {{"rules arm calm --actor ann --reason seen", "rule calm is armed\n", "true",
                  SAGA__V1__RULE_CHANGE__RULE_CHANGE_ARM},
                 {"rules undo calm --actor ann --reason seen", "what rule calm did is taken back, and it is disarmed\n",
                  "false", SAGA__V1__RULE_CHANGE__RULE_CHANGE_UNDO}};
    Saga__V1__ChangeRuleResponse done = SAGA__V1__CHANGE_RULE_RESPONSE__INIT;
    for (size_t i = 0; i < 2; i++) {
        char words[128];
        anew();
        tell("ChangeRule", &done.base);
        SHOWS(cases[i].words, cases[i].says);
        Saga__V1__ChangeRuleRequest *request =
            saga__v1__change_rule_request__unpack(NULL, asked_sizes[0], asked_bytes[0]);
        ck_assert_str_eq(request->name, "calm");
        ck_assert_str_eq(request->actor, "ann");
        ck_assert_str_eq(request->reason, "seen");
        ck_assert_int_eq(request->change, cases[i].change);
        saga__v1__change_rule_request__free_unpacked(request, NULL);
        anew();
        tell("ChangeRule", &done.base);
        snprintf(words, sizeof words, "%s -o json", cases[i].words);
        ck_assert_int_eq(sagactl(words), EXIT_DONE);
        ck_assert_ptr_nonnull(strstr(said, "\"rule\": \"calm\""));
        ck_assert_ptr_nonnull(strstr(said, cases[i].json));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_slo");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, slo__adds_up_loops_and_parts_guests);
    tcase_add_test(tc, slo__rules_have_the_names_of_their_definitions);
    tcase_add_test(tc, slo__of_a_budget_that_is_just_spent);
    tcase_add_test(tc, slo__tells_of_each_guest_once);
    tcase_add_test(tc, slo__without_promises);
    tcase_add_test(tc, rules__say_how_each_stands);
    tcase_add_test(tc, rules__are_armed_and_undone);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
