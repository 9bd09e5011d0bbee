/* Commands of sagactl as a person types them, against answers that the test makes up: what is asked for, and each line that is shown. */
#include "tests/support/told_sidecar.h"

#include "client-lib/sagactl/json.h"
#include "tests/support/shapes.h"

#include "grpc/health/v1/health.pb-c.h"

#include <time.h>
#include <unistd.h>

static void write_file(char path[], const char *content)
{
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

/* ---- dead letters to choose from ---- */

#define LETTERS 6

/* Of one kind are those of one definition that stand at one step with one status. */
static void letters(Saga__V1__ListDeadLettersResponse *answer)
{
    static Saga__V1__Saga sagas[LETTERS], *list[LETTERS];
    static Saga__V1__Step steps[LETTERS], *lists[LETTERS];
    static Google__Protobuf__Timestamp started[LETTERS];
    static const struct {
        const char *id, *definition, *step;
        int status;
        int64_t hours;
    } of[LETTERS] = {{"9f03c1d2a4b7-1", "order", "charge", 14, 1},  {"9f03c1d2a4b7-2", "order", "charge", 14, 26},
                     {"9f03c1d2a4b7-3", "order", "charge", 14, 2},  {"9f03c1d2a4b7-4", "order", "charge", 9, 3},
                     {"9f03c1d2a4b7-5", "refund", "charge", 14, 5}, {"9f03c1d2a4b7-6", "order", "send", 0, 4}};
    saga__v1__list_dead_letters_response__init(answer);
    for (int i = 0; i < LETTERS; i++) {
        saga__v1__saga__init(&sagas[i]);
        saga__v1__step__init(&steps[i]);
        google__protobuf__timestamp__init(&started[i]);
        list[i] = &sagas[i];
        lists[i] = &steps[i];
        started[i].seconds = time(NULL) - of[i].hours * 3600 - 60;
        sagas[i].id = text(of[i].id);
        sagas[i].definition = text(of[i].definition);
        sagas[i].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
        sagas[i].stuck_step = text(of[i].step);
        sagas[i].started_at = &started[i];
        sagas[i].steps = &lists[i];
        sagas[i].n_steps = 1;
        steps[i].name = text(of[i].step);
        steps[i].last_status = of[i].status;
        steps[i].compensation_attempts = i == 4;
    }
    answer->sagas = list;
    answer->n_sagas = LETTERS;
}

/* ---- fleet ---- */

static Saga__V1__Journal journal(const char *name, const char *carrier, const char *program)
{
    Saga__V1__Journal j = SAGA__V1__JOURNAL__INIT;
    j.name = text(name);
    j.carrier = text(carrier);
    j.program = text(program);
    return j;
}

START_TEST(fleet__shows_each_journal_and_who_has_it)
{
    Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT, over = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__ListJournalsResponse first = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT, second = first;
    Saga__V1__Journal j[] = {journal("home", "home", "1.2.3"), journal("guest", "home", ""),
                             journal("back", "home", "1.2.3"), journal("free", "", ""),
                             journal("lost", "x", "1.0.0"),    journal("left", "x", "1.0.0")};
    Saga__V1__Journal *all[] = {&j[0], &j[1], &j[2], &j[3], &j[4], &j[5]};
    lease.seconds = 8;
    lease.nanos = 500000000;
    over.seconds = -12;
    j[0].epoch = 3;
    j[0].live = 41;
    j[0].commits = 1234;
    j[0].lease = &lease;
    j[0].form = 1;
    j[0].address = text("10.0.0.1:7241");
    j[2].wanted = true;
    j[4].orphan = true;
    j[4].lease = &over;
    j[4].tries = 2;
    j[5].orphan = true;
    j[5].tries = 3;
    first.journals = all;
    first.n_journals = 4;
    first.next = text("free");
    second.journals = all + 4;
    second.n_journals = 2;
    tell("ListJournals", &first.base);
    tell("ListJournals", &second.base);
    SHOWS("fleet", "JOURNAL  STATE       AT       EPOCH      LIVE   COMMITS     LEASE  FORM  SAGAD     ADDRESS\n"
                   "home     at home     home         3        41      1234      8.5s     1  1.2.3     10.0.0.1:7241\n"
                   "guest    taken over  home         0         0         0      0.0s     0  older     \n"
                   "back     goes home   home         0         0         0      0.0s     0  1.2.3     \n"
                   "free     given up                 0         0         0      0.0s     0            \n"
                   "JOURNAL  STATE        AT       EPOCH      LIVE   COMMITS     LEASE  FORM  SAGAD     ADDRESS\n"
                   "lost     orphan       x            0         0         0    -12.0s     0  1.0.0     \n"
                   "left     to be given  x            0         0         0      0.0s     0  1.0.0     \n");
    Saga__V1__ListJournalsRequest *request =
        saga__v1__list_journals_request__unpack(NULL, asked_sizes[1], asked_bytes[1]);
    ck_assert_str_eq(request->after, "free");
    saga__v1__list_journals_request__free_unpacked(request, NULL);
}
END_TEST

/* The worse it is, the louder: nobody has it, and nobody will take it unasked. */
START_TEST(fleet__paints_what_needs_a_person)
{
    Saga__V1__ListJournalsResponse answer = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    Saga__V1__Journal j[] = {journal("a", "a", ""), journal("b", "a", ""), journal("c", "x", ""),
                             journal("d", "x", "")};
    Saga__V1__Journal *all[] = {&j[0], &j[1], &j[2], &j[3]};
    static const char *const shown[] = {"a        at home      a", "  \033[33mgoes home\033[0m  ",
                                        "  \033[33morphan\033[0m  ", "  \033[31mto be given\033[0m  "};
    j[1].wanted = true;
    j[2].orphan = j[3].orphan = true;
    j[2].tries = 2;
    j[3].tries = 3;
    answer.journals = all;
    answer.n_journals = 4;
    tell("ListJournals", &answer.base);
    ck_assert_int_eq(sagactl("fleet --color always"), EXIT_DONE);
    for (size_t i = 0; i < 4; i++)
        ck_assert_msg(strstr(said, shown[i]) != NULL, "%s is not in %s", shown[i], said);
}
END_TEST

START_TEST(fleet__gives_a_journal)
{
    Saga__V1__GiveJournalResponse given = SAGA__V1__GIVE_JOURNAL_RESPONSE__INIT;
    tell("GiveJournal", &given.base);
    SHOWS("fleet give lost --actor ann",
          "whoever has it beside its own gives it up; its own sidecar takes it, or another\n");
    Saga__V1__GiveJournalRequest *request =
        saga__v1__give_journal_request__unpack(NULL, asked_sizes[0], asked_bytes[0]);
    ck_assert_str_eq(request->journal, "lost");
    ck_assert_str_eq(request->actor, "ann");
    saga__v1__give_journal_request__free_unpacked(request, NULL);
    anew();
    ck_assert_int_eq(sagactl("fleet give"), EXIT_USAGE);
    ck_assert_int_eq(sagactl("fleet take lost"), EXIT_USAGE);
}
END_TEST

/* A token that leads nowhere ends it. */
START_TEST(fleet__does_not_turn_in_a_circle)
{
    Saga__V1__ListJournalsResponse page = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    page.next = text("x");
    tell("ListJournals", &page.base);
    tell("ListJournals", &page.base);
    ck_assert_int_eq(sagactl("fleet"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: the sidecar's token for the next page cannot be used\n");
}
END_TEST

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

/* ---- drills ---- */

START_TEST(drill__shows_the_faults_that_there_are)
{
    Google__Protobuf__Timestamp until = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ListFaultsResponse answer = SAGA__V1__LIST_FAULTS_RESPONSE__INIT;
    Saga__V1__Fault faults[3], *list[3];
    until.seconds = INT64_C(253402300799);
    for (int i = 0; i < 3; i++) {
        saga__v1__fault__init(&faults[i]);
        list[i] = &faults[i];
        faults[i].kind = (Saga__V1__FaultKind)(i == 2 ? 99 : 1 + 5 * i);
        faults[i].percent = 12.5;
        faults[i].calls = (Saga__V1__FaultCalls)i;
        faults[i].until = &until;
    }
    faults[1].target = text("bank");
    faults[1].definition = text("order");
    answer.faults = list;
    answer.n_faults = 3;
    tell("ListFaults", &answer.base);
    ck_assert_int_eq(sagactl("drill"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "delay of 12.5 % of all calls to any target of any definition, for another "));
    ck_assert_ptr_nonnull(strstr(said, "\nreorder of 12.5 % of calls of actions to bank of order, for another "));
    ck_assert_ptr_nonnull(strstr(said, "\n? of 12.5 % of calls of compensations to any target of any definition, "));
    anew();
    answer.n_faults = 0;
    tell("ListFaults", &answer.base);
    SHOWS("drill", "No faults are injected.\n");
}
END_TEST

/* How long a call is held up, and with what one is refused. */
START_TEST(drill__says_how)
{
    Google__Protobuf__Timestamp until = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__ListFaultsResponse answer = SAGA__V1__LIST_FAULTS_RESPONSE__INIT;
    Saga__V1__Fault faults[2] = {SAGA__V1__FAULT__INIT, SAGA__V1__FAULT__INIT}, *list[] = {&faults[0], &faults[1]};
    until.seconds = INT64_C(253402300799);
    delay.nanos = 250000000;
    faults[0].kind = SAGA__V1__FAULT_KIND__FAULT_KIND_DELAY;
    faults[0].delay = &delay;
    faults[1].kind = SAGA__V1__FAULT_KIND__FAULT_KIND_ABORT;
    faults[1].status = 14;
    faults[1].tag = text("tenant");
    faults[1].tag_value = text("acme");
    for (int i = 0; i < 2; i++) {
        faults[i].percent = 100;
        faults[i].until = &until;
    }
    answer.faults = list;
    answer.n_faults = 2;
    tell("ListFaults", &answer.base);
    ck_assert_int_eq(sagactl("drill"), EXIT_DONE);
    ck_assert_msg(strstr(said, "delay by 250ms of 100 % of ") == said, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, "\nabort with UNAVAILABLE of 100 % of "));
    ck_assert_ptr_nonnull(strstr(said, " to any target of any definition with tenant=acme, for another "));
}
END_TEST

/* ---- acts ---- */

/* What was done is said, and as JSON when that was asked for. */
START_TEST(acts__are_said)
{
    Saga__V1__PauseResponse paused = SAGA__V1__PAUSE_RESPONSE__INIT;
    tell("Pause", &paused.base);
    SHOWS("pause 9f03c1d2a4b7-2a --actor ann --reason seen", "9f03c1d2a4b7-2a is paused\n");
    Saga__V1__PauseRequest *request = ASKED(saga__v1__pause_request, 0);
    ck_assert_str_eq(request->saga_id, "9f03c1d2a4b7-2a");
    ck_assert_str_eq(request->actor, "ann");
    ck_assert_str_eq(request->reason, "seen");
    saga__v1__pause_request__free_unpacked(request, NULL);
    anew();
    tell("Pause", &paused.base);
    ck_assert_int_eq(sagactl("pause 9f03c1d2a4b7-2a -o json"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "\"saga_id\": \"9f03c1d2a4b7-2a\""));
    ck_assert_ptr_nonnull(strstr(said, "\"command\": \"pause\""));
    ck_assert_ptr_null(strstr(said, "is paused"));
}
END_TEST

/* What needs a restart is a change, too. */
START_TEST(reload__says_what_has_changed)
{
    Saga__V1__ReloadResponse answer = SAGA__V1__RELOAD_RESPONSE__INIT;
    char *taken[] = {text("targets")}, *needs_restart[] = {text("data_dir")};
    static const char *const says[] = {"nothing has changed\n", "taken: targets\n", "needs a restart: data_dir\n",
                                       "taken: targets\nneeds a restart: data_dir\n"};
    answer.taken = taken;
    answer.needs_restart = needs_restart;
    for (size_t i = 0; i < 4; i++) {
        answer.n_taken = i & 1;
        answer.n_needs_restart = i >> 1;
        anew();
        tell("Reload", &answer.base);
        SHOWS("reload", says[i]);
    }
}
END_TEST

/* Its events stand in their order, whatever pages they came in; that the earliest are gone is told by the last page that was asked for. */
START_TEST(get__puts_its_pages_together)
{
    Saga__V1__GetResponse pages[3];
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Event events[3], *list[3];
    static const char *const steps[] = {"reserve", "charge", "send"}, *const tokens[] = {"", "t1", "t2"};
    for (int truncated = 0; truncated < 2; truncated++) {
        const char *at = NULL;
        saga.id = text("9f03c1d2a4b7-2a");
        anew();
        for (int i = 2; i >= 0; i--) {
            saga__v1__get_response__init(&pages[i]);
            saga__v1__event__init(&events[i]);
            list[i] = &events[i];
            events[i].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_STEP_ENLISTED;
            events[i].step = text(steps[i]);
            pages[i].saga = &saga;
            pages[i].timeline = &list[i];
            pages[i].n_timeline = 1;
            pages[i].next_page_token = text(tokens[i]);
            pages[i].timeline_truncated = i == 0 && truncated;
            tell("Get", &pages[i].base);
        }
        ck_assert_msg(sagactl("get 9f03c1d2a4b7-2a --payloads") == EXIT_DONE, "%s", complained);
        ck_assert_int_eq(strstr(said, "The earliest events are no longer in the journal.") != NULL, truncated);
        for (unsigned i = 0; i < 3; i++) {
            const char *next = strstr(said, steps[i]);
            ck_assert_msg(next != NULL && next > at, "%s", said);
            at = next;
            Saga__V1__GetRequest *request = ASKED(saga__v1__get_request, i);
            ck_assert_str_eq(request->page_token, i == 0 ? "" : tokens[3 - i]);
            ck_assert_int_eq(request->include_payloads, i == 0);
            saga__v1__get_request__free_unpacked(request, NULL);
        }
    }
}
END_TEST

/* ---- a stuck saga ---- */

/* Of a stuck saga a person is told of the step that waits for him, and of no other. */
START_TEST(why__tells_of_the_stuck_step_alone)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[3] = {SAGA__V1__STEP__INIT, SAGA__V1__STEP__INIT, SAGA__V1__STEP__INIT}, *list[3];
    static const char *const names[] = {"reserve", "charge", "send"};
    static const char *const waits[] = {"an operator, for the stuck step", "an operator", "the answer of target mail"};
    for (int i = 0; i < 3; i++) {
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].waiting_for = text(waits[i]);
    }
    saga.id = text("9f03c1d2a4b7-2a");
    saga.definition = text("order");
    saga.steps = list;
    saga.n_steps = 3;
    answer.saga = &saga;
    for (int stuck = 0; stuck < 2; stuck++) {
        saga.state = stuck ? SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK : SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
        saga.stuck_step = text(stuck ? "charge" : "");
        anew();
        tell("Get", &answer.base);
        tell("Status", &status.base);
        ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
        ck_assert_ptr_nonnull(strstr(said, "charge"));
        ck_assert_msg((strstr(said, "reserve") == NULL) == stuck, "%s", said);
        ck_assert_msg((strstr(said, "the answer of target mail") == NULL) == stuck, "%s", said);
    }
}
END_TEST

/* A deadline turns a saga back until its pivot has been started, and only then is it told of. */
START_TEST(why__tells_a_deadline_that_counts)
{
    static const struct {
        Saga__V1__SagaState state;
        bool pivot_started, told;
    } cases[] = {{SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, false, true},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, true, false},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING, false, false}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Google__Protobuf__Timestamp deadline = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    saga.id = text("9f03c1d2a4b7-2a");
    saga.deadline = &deadline;
    answer.saga = &saga;
    for (int passed = 0; passed < 2; passed++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            deadline.seconds = passed ? 1700000000 : INT64_C(253402300799);
            saga.state = cases[i].state;
            saga.pivot_started = cases[i].pivot_started;
            anew();
            tell("Get", &answer.base);
            tell("Status", &status.base);
            ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
            const char *line = strstr(said, passed ? "  deadline   passed " : "  deadline   in ");
            ck_assert_msg((line != NULL) == cases[i].told, "%s", said);
            ck_assert_ptr_null(strstr(said, passed ? "deadline   in " : "deadline   passed "));
            /* To hold it does not hold its deadline, where it has one still. */
            ck_assert_msg((strstr(said, "Its deadline goes on.") != NULL) == cases[i].told, "%s", said);
            /* As long as that can turn it back, an operator can. */
            ck_assert_msg((strstr(said, "sagactl cancel 9f03c1d2a4b7-2a ") != NULL) == cases[i].told, "%s", said);
        }
}
END_TEST

/* An undo that has not begun waits since what ended before it could: whatever ended that, and nothing else. */
START_TEST(why__says_since_when_an_undo_waits)
{
    static const struct {
        Saga__V1__EventType type;
        const char *since;
    } cases[] = {{SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_ENDED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_ENDED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_TURNED_BACK, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_STUCK, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_PAUSED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_RETRIED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_SKIPPED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_STARTED, "2h"}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT, *steps[] = {&step};
    Saga__V1__Event events[3], *list[3];
    Google__Protobuf__Timestamp times[3];
    for (int i = 0; i < 3; i++) {
        saga__v1__event__init(&events[i]);
        google__protobuf__timestamp__init(&times[i]);
        times[i].seconds = time(NULL) - (2 - i) * 3600 - 30;
        events[i].at = &times[i];
        events[i].step = text("charge");
        list[i] = &events[i];
    }
    events[0].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_SAGA_STARTED;
    events[2].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_ATTEMPT_FAILED;
    step.name = text("reserve");
    step.compensation = SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_OWED;
    step.waiting_for = text("its target");
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING;
    saga.steps = steps;
    saga.n_steps = 1;
    answer.saga = &saga;
    answer.timeline = list;
    answer.n_timeline = 3;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        events[1].type = cases[i].type;
        anew();
        tell("Get", &answer.base);
        tell("Status", &status.base);
        ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
        snprintf(line, sizeof line, "  waits for  its target, since %s ago\n", cases[i].since);
        ck_assert_msg(strstr(said, line) != NULL, "%zu: %s", i, said);
    }
}
END_TEST

/* What may have happened is undone, the latest first; and of steps beyond what fits the count is told. */
START_TEST(why__says_what_would_be_undone)
{
    static const struct {
        Saga__V1__ActionState action;
        const char *waits;
    } of[] = {{SAGA__V1__ACTION_STATE__ACTION_STATE_DONE, ""},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_UNKNOWN, ""},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_STARTED, "the answer of mail"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_STARTED, "target mail, which cannot be reached"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_REJECTED, "x"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_SKIPPED, "x"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_PENDING, "x"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_PENDING, "x"}};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[8], *list[8];
    for (int i = 0; i < 8; i++) {
        saga__v1__step__init(&steps[i]);
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].action = of[i].action;
        steps[i].waiting_for = text(of[i].waits);
    }
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = list;
    answer.saga = &saga;
    static const char *const more[] = {NULL, "\nand 1 step more: sagactl get ", "\nand 2 steps more: sagactl get "};
    for (size_t beyond = 0; beyond < 3; beyond++) {
        saga.n_steps = 6 + beyond;
        anew();
        tell("Get", &answer.base);
        tell("Status", &status.base);
        ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, "To be undone, where there is a compensation: c, b, a.\n") != NULL, "%s", said);
        ck_assert_msg(beyond == 0 ? strstr(said, " more: ") == NULL : strstr(said, more[beyond]) != NULL, "%s", said);
    }
}
END_TEST

/* Of targets whoever may not ask hears nothing, and of the saga all the same. */
START_TEST(why__is_told_without_the_right_to_the_status)
{
    static const struct {
        int code, status;
    } cases[] = {{SAGA_E_PERMISSION_DENIED, EXIT_DONE},
                 {SAGA_E_UNAVAILABLE, EXIT_UNREACHABLE},
                 {SAGA_E_UNAUTHENTICATED, EXIT_REFUSED}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT, *steps[] = {&step};
    step.name = text("charge");
    step.target = text("bank");
    step.waiting_for = text("its next attempt");
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = steps;
    saga.n_steps = 1;
    answer.saga = &saga;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int json = 0; json < 2; json++) {
            anew();
            tell("Get", &answer.base);
            tell("Status", NULL);
            told[1].code = cases[i].code;
            ck_assert_int_eq(sagactl(json ? "why 9f03c1d2a4b7-2a -o json" : "why 9f03c1d2a4b7-2a"), cases[i].status);
            ck_assert_int_eq(said[0] == '\0', cases[i].status != EXIT_DONE);
            ck_assert_int_eq(complained[0] == '\0', cases[i].status == EXIT_DONE);
            if (cases[i].status == EXIT_DONE)
                ck_assert_ptr_nonnull(strstr(said, json ? "\"targets\": []" : "the action of charge\n"));
            ck_assert_ptr_null(strstr(said, "target bank"));
        }
}
END_TEST

/* A target that several steps wait for is told of once. */
START_TEST(why__tells_of_each_target_once)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[4], *list[4];
    static const char *const targets[] = {"bank", "bank", "mail", "bank"}, *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        saga__v1__step__init(&steps[i]);
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].target = text(targets[i]);
        steps[i].waiting_for = text("its next attempt");
    }
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = list;
    saga.n_steps = 4;
    answer.saga = &saga;
    tell("Get", &answer.base);
    tell("Status", &status.base);
    ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
    const char *bank = strstr(said, "\ntarget bank\n"), *mail = strstr(said, "\ntarget mail\n");
    ck_assert_msg(bank != NULL && mail != NULL && strstr(bank + 1, "\ntarget bank\n") == NULL, "%s", said);
}
END_TEST

/* The journal that keeps a saga is its own: of one loop that one's, of several that of its id, and never a guest's. */
START_TEST(why__says_when_its_journal_stalls)
{
    static const struct {
        const char *id;
        bool stalled[3];
        unsigned loops; /* the last of three is a guest */
        bool told;
    } cases[] = {{"9f03c1d2a4b7-2a", {true}, 1, true},
                 {"9f03c1d2a4b7-2a", {false}, 1, false},
                 {"000000000001-2a", {true, false}, 2, false},
                 {"000000000001-2a", {false, true}, 2, true},
                 {"000000000001-2a", {false, false, true}, 3, false},
                 {"000000000000-2a", {true, false, false}, 3, true}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    answer.saga = &saga;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int guest = 0; guest < 2; guest++) {
            Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
            Saga__V1__LoopStatus loops[4], *list[4];
            char words[64];
            for (unsigned k = 0; k < 4; k++) {
                saga__v1__loop_status__init(&loops[k]);
                list[k] = &loops[k];
                loops[k].loop = k;
                loops[k].journal_stalled = k < 3 && cases[i].stalled[k];
                loops[k].journal = text(k == 2 ? "guest" : "");
            }
            /* Whoever has a guest beside its one loop has one loop. */
            if (guest && cases[i].loops == 1) {
                loops[1].journal = text("guest");
                loops[1].journal_stalled = !cases[i].told;
            }
            status.loops = list;
            status.n_loops = cases[i].loops + (guest && cases[i].loops == 1);
            saga.id = text(cases[i].id);
            anew();
            tell("Get", &answer.base);
            tell("Status", &status.base);
            snprintf(words, sizeof words, "why %s", cases[i].id);
            ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
            ck_assert_msg((strstr(said, "the sidecar's journal, which takes nothing now") != NULL) == cases[i].told,
                          "%zu: %s", i, said);
        }
}
END_TEST

/* ---- top ---- */

int __wrap_nanosleep(const struct timespec *asked_for, struct timespec *left);

/* Between two looks no time passes for a test. */
int __wrap_nanosleep(const struct timespec *asked_for, struct timespec *left)
{
    (void)asked_for, (void)left;
    return 0;
}

/* A sidecar that was started again between two looks counts from nothing. */
START_TEST(top__of_a_sidecar_that_was_restarted)
{
    Saga__V1__StatusResponse before = SAGA__V1__STATUS_RESPONSE__INIT, now = before;
    Saga__V1__LoopStatus loops[2] = {SAGA__V1__LOOP_STATUS__INIT, SAGA__V1__LOOP_STATUS__INIT},
                         *list[] = {&loops[0], &loops[1]};
    before.loops = &list[0];
    now.loops = &list[1];
    before.n_loops = now.n_loops = 1;
    loops[0].sagas_started = loops[0].attempts = 1000;
    loops[1].sagas_started = loops[1].attempts = 7;
    loops[1].sagas_ended = 20;
    tell("Status", &before.base);
    tell("Status", &now.base);
    ck_assert_msg(sagactl("top --once -o json") == EXIT_DONE, "%s", complained);
    json_t *top = json_loads(said, 0, NULL);
    const json_t *rates = json_object_get(top, "per_second");
    ck_assert_double_eq(json_real_value(json_object_get(rates, "started")), 0);
    ck_assert_double_eq(json_real_value(json_object_get(rates, "attempts")), 0);
    ck_assert_double_gt(json_real_value(json_object_get(rates, "ended")), 0);
    json_decref(top);
    anew();
    tell("Status", &before.base);
    tell("Status", &now.base);
    ck_assert_int_eq(sagactl("top --once"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "a second    0.0 started, "));
    ck_assert_ptr_nonnull(strstr(said, "; 0.0 attempts, 0.0 failed\n"));
}
END_TEST

/* A second's worth is that of the time since the last look, and of no other before it. */
START_TEST(top__counts_from_look_to_look)
{
    static const struct {
        uint64_t started, ended;
    } looks[] = {{0, 0}, {1000, 0}, {1000, 50}, {1001, 50}};
    Saga__V1__StatusResponse status[4];
    Saga__V1__LoopStatus loops[4], *list[4];
    for (int i = 0; i < 4; i++) {
        saga__v1__status_response__init(&status[i]);
        saga__v1__loop_status__init(&loops[i]);
        list[i] = &loops[i];
        status[i].loops = &list[i];
        status[i].n_loops = 1;
        loops[i].sagas_started = looks[i].started;
        loops[i].sagas_ended = looks[i].ended;
        tell("Status", &status[i].base);
    }
    tell("Status", NULL);
    told[4].code = SAGA_E_PERMISSION_DENIED;
    ck_assert_int_eq(sagactl("top -o json"), EXIT_REFUSED);
    const char *line = said;
    for (int i = 1; i < 4; i++) {
        json_t *top = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        ck_assert_msg(top != NULL, "%s", line);
        const json_t *rates = json_object_get(top, "per_second");
        ck_assert_int_eq(json_real_value(json_object_get(rates, "started")) > 0,
                         looks[i].started > looks[i - 1].started);
        ck_assert_int_eq(json_real_value(json_object_get(rates, "ended")) > 0, looks[i].ended > looks[i - 1].ended);
        json_decref(top);
        line = strchr(line, '\n') + 1;
    }
    ck_assert_str_eq(line, "");
}
END_TEST

/* Steps by how often they fail, dead letters without heartbeats and of one page, and of targets as many as fit. */
START_TEST(top__shows_what_matters_most)
{
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__ListDeadLettersResponse answer;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&loop};
    Saga__V1__TargetStatus targets[13], *target_list[13];
    Saga__V1__FailingStep failing[3], *failing_list[3];
    for (int i = 0; i < 13; i++) {
        saga__v1__target_status__init(&targets[i]);
        targets[i].name = text("bank");
        target_list[i] = &targets[i];
    }
    for (unsigned i = 0; i < 3; i++) {
        saga__v1__failing_step__init(&failing[i]);
        failing[i].definition = text("order");
        failing[i].step = text(i == 1 ? "charge" : "send");
        failing[i].compensation = i == 2;
        failing[i].count = i == 1 ? 7 : i;
        failing_list[i] = &failing[i];
    }
    loop.targets = target_list;
    loop.failing_steps = failing_list;
    loop.n_failing_steps = 3;
    loop.stuck = LETTERS;
    status.loops = loops;
    status.n_loops = 1;
    letters(&answer);
    answer.sagas[3]->synthetic = true;
    answer.next_page_token = text("next");
    for (unsigned more = 0; more < 2; more++) {
        loop.n_targets = 12 + more;
        anew();
        tell("Status", &status.base);
        tell("Status", &status.base);
        tell("ListDeadLetters", &answer.base);
        ck_assert_msg(sagactl("top --once") == EXIT_DONE, "%s", complained);
        const char *first = strstr(said, "\norder, action of charge "),
                   *second = strstr(said, "\norder, undo of send ");
        ck_assert_msg(first != NULL && second > first, "%s", said);
        ck_assert_int_eq(strstr(said, "\nand 1 more: sagactl status\n") != NULL, more);
        ck_assert_int_eq(strstr(said, "\nand ") != NULL, more);
        ck_assert_ptr_nonnull(strstr(said, "order, action of charge                          3  UNAVAILABLE\n"));
        ck_assert_ptr_null(strstr(said, "FAILED_PRECONDITION"));
    }
}
END_TEST

/* ---- status ---- */

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
    json_decref(sums);
}
END_TEST

/* ---- definitions ---- */

/* All pages are shown, and what they ask for next leads on. */
START_TEST(definitions__are_shown_page_by_page)
{
    Saga__V1__ListDefinitionsResponse pages[2] = {SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT,
                                                  SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT};
    Saga__V1__Definition d[3] = {SAGA__V1__DEFINITION__INIT, SAGA__V1__DEFINITION__INIT, SAGA__V1__DEFINITION__INIT},
                         *all[] = {&d[0], &d[1], &d[2]};
    static const char *const names[] = {"order", "refund", "send"};
    for (int i = 0; i < 3; i++) {
        d[i].name = text(names[i]);
        d[i].version = text("1.0.0");
    }
    pages[0].definitions = all;
    pages[0].n_definitions = 2;
    pages[0].next_page_token = text("refund");
    pages[1].definitions = all + 2;
    pages[1].n_definitions = 1;
    tell("ListDefinitions", &pages[0].base);
    tell("ListDefinitions", &pages[1].base);
    ck_assert_msg(sagactl("definitions") == EXIT_DONE, "%s", complained);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(strstr(said, names[i]) != NULL, "%s is not in %s", names[i], said);
    Saga__V1__ListDefinitionsRequest *request = ASKED(saga__v1__list_definitions_request, 1);
    ck_assert_str_eq(request->page_token, "refund");
    saga__v1__list_definitions_request__free_unpacked(request, NULL);
}
END_TEST

START_TEST(schemas__are_shown_page_by_page)
{
    Saga__V1__ListSchemasResponse pages[2] = {SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT,
                                              SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT};
    Saga__V1__Schema s[2] = {SAGA__V1__SCHEMA__INIT, SAGA__V1__SCHEMA__INIT}, *all[] = {&s[0], &s[1]};
    s[0].name = text("shop");
    s[1].name = text("bank");
    for (int i = 0; i < 2; i++) {
        pages[i].schemas = all + i;
        pages[i].n_schemas = 1;
    }
    pages[0].next_page_token = text("shop");
    tell("ListSchemas", &pages[0].base);
    tell("ListSchemas", &pages[1].base);
    ck_assert_msg(sagactl("schema list") == EXIT_DONE, "%s", complained);
    ck_assert_ptr_nonnull(strstr(said, "\nshop "));
    ck_assert_ptr_nonnull(strstr(said, "\nbank "));
    Saga__V1__ListSchemasRequest *request = ASKED(saga__v1__list_schemas_request, 1);
    ck_assert_str_eq(request->page_token, "shop");
    saga__v1__list_schemas_request__free_unpacked(request, NULL);
}
END_TEST

/* Each field with its type and number; what google.protobuf has is known. */
START_TEST(schemas__show_what_is_their_own)
{
    static const char *const lines[] = {"service shapes.Shop\n",
                                        "  /shapes.Shop/Follow (shapes.Order) returns (stream shapes.Line)\n",
                                        "message shapes.Line\n  string sku = 1\n  int32 quantity = 2\n",
                                        "  google.protobuf.NullValue null_value = 12\n",
                                        "  repeated google.protobuf.Timestamp times = 15\n",
                                        "  map<string, shapes.Thicket> h = 9\n",
                                        "enum shapes.Color\n  COLOR_NONE = 0\n  RED = 1\n  CRIMSON = 1\n  BLUE = -2\n"};
    Saga__V1__Schema schema = SAGA__V1__SCHEMA__INIT;
    schema.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    tell("GetSchema", &schema.base);
    ck_assert_msg(sagactl("schema show shapes") == EXIT_DONE, "%s", complained);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(said, lines[i]) != NULL, "%s is not in %s", lines[i], said);
    ck_assert_msg(strstr(said, "message google") == NULL && strstr(said, "enum google") == NULL, "%s", said);
    ck_assert_ptr_null(strstr(said, "Entry"));
}
END_TEST

/* ---- dead letters ---- */

/* How many there are is the count of those that are shown, and where there are more the next line to type is said. */
START_TEST(deadletters__are_counted)
{
    Saga__V1__ListDeadLettersResponse answer = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    Saga__V1__Saga sagas[2] = {SAGA__V1__SAGA__INIT, SAGA__V1__SAGA__INIT}, *list[] = {&sagas[0], &sagas[1]};
    static const char *const says[] = {"No saga is stuck.\n", "\n1 dead letter. ", "\n2 dead letters. "};
    for (int i = 0; i < 2; i++) {
        sagas[i].id = text(i == 0 ? "9f03c1d2a4b7-2a" : "9f03c1d2a4b7-2b");
        sagas[i].definition = text("order");
        sagas[i].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
    }
    answer.sagas = list;
    for (size_t count = 0; count <= 2; count++) {
        answer.n_sagas = count;
        anew();
        tell("ListDeadLetters", &answer.base);
        ck_assert_msg(sagactl("deadletters") == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, says[count]) != NULL, "%s", said);
        ck_assert_int_eq(strstr(said, "9f03c1d2a4b7-2b") != NULL, count == 2);
        ck_assert_ptr_null(strstr(said, "--page"));
    }
    answer.next_page_token = text("9f03c1d2a4b7-2b");
    anew();
    tell("ListDeadLetters", &answer.base);
    ck_assert_int_eq(sagactl("deadletters --definition order"), EXIT_DONE);
    ck_assert_msg(strstr(said, "sagactl deadletters --definition order --page 9f03c1d2a4b7-2b\n") != NULL, "%s", said);
}
END_TEST

/* The kind with the most first, each with the command that tries just those that were counted. */
START_TEST(deadletters__are_told_by_what_they_have_in_common)
{
    Saga__V1__ListDeadLettersResponse answer;
    letters(&answer);
    tell("ListDeadLetters", &answer.base);
    ck_assert_msg(sagactl("deadletters --summary --address here:1") == EXIT_DONE, "%s", complained);
    static const char first[] =
        "6 dead letters:\n"
        "     3  order, action of charge: UNAVAILABLE, the oldest started 1d 2h ago\n"
        "        sagactl retry --all --address here:1 --definition order --step charge --status UNAVAILABLE\n";
    static const char *const others[] = {
        "     1  order, action of charge: FAILED_PRECONDITION, the oldest started 3h 1m ago\n"
        "        sagactl retry --all --address here:1 --definition order --step charge --status FAILED_PRECONDITION\n",
        "     1  refund, undo of charge: UNAVAILABLE, the oldest started 5h 1m ago\n"
        "        sagactl retry --all --address here:1 --definition refund --step charge --status UNAVAILABLE\n",
        "     1  order, action of send: OK, the oldest started 4h 1m ago\n"
        "        sagactl retry --all --address here:1 --definition order --step send --status OK\n"};
    ck_assert_msg(strncmp(said, first, strlen(first)) == 0, "%s", said);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(strstr(said, others[i]) != NULL, "%s\nis not in\n%s", others[i], said);
    anew();
    tell("ListDeadLetters", &answer.base);
    ck_assert_int_eq(sagactl("deadletters --summary --step charge --status UNAVAILABLE -o json"), EXIT_DONE);
    json_t *kinds = json_loads(said, 0, NULL);
    ck_assert_uint_eq(json_array_size(kinds), 2);
    const json_t *kind = json_array_get(kinds, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(kinds, 0), "count")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(kind, "definition")), "refund");
    ck_assert_str_eq(json_string_value(json_object_get(kind, "phase")), "compensation");
    ck_assert_str_eq(json_string_value(json_object_get(kind, "status")), "UNAVAILABLE");
    json_decref(kinds);
}
END_TEST

/* What is proposed can be typed, however the question was written. */
START_TEST(deadletters__are_asked_for_again_by_a_question_on_one_line)
{
    static const struct {
        const char *where, *again; /* as a shell reads it */
    } cases[] = {
        {"step=='charge'//which", "step=='charge'"},
        {"step\n//which\n\t!='a//b'//and\n||true//both", "step   !='a//b' ||true"},
        {"step!=\"it's//\\\"//\"//it", "step!=\"it's//\\\"//\""},
        {"step!=r'\\'//it", "step!=r'\\'"},
        {"step!=bR'\\'//it", "step!=bR'\\'"},
        {"step!=b'\\'//'//it", "step!=b'\\'//'"},
        {"step!='''a'//b'''//it", "step!='''a'//b'''"},
        {"`//`==1//it", "`//`==1"},
        {"step!='open//", "step!='open//"},
        {"a/b>1", "a/b>1"},
    };
    Saga__V1__ListDeadLettersResponse answer;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[200], line[300], where[200], word[300];
        letters(&answer);
        answer.n_sagas = 1;
        anew();
        tell("ListDeadLetters", &answer.base);
        snprintf(words, sizeof words, "deadletters --summary --where %s", cases[i].where);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        snprintf(where, sizeof where, "(%s) && step == 'charge' && status == 'UNAVAILABLE'", cases[i].again);
        snprintf(line, sizeof line, "sagactl deadletters retry --definition order --where %s\n",
                 screen_shell_word(where, word, sizeof word));
        ck_assert_msg(strstr(said, line) != NULL, "%s\nis not in\n%s", line, said);
        answer.next_page_token = text("9f03c1d2a4b7-2b");
        anew();
        tell("ListDeadLetters", &answer.base);
        snprintf(words, sizeof words, "deadletters --where %s", cases[i].where);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        snprintf(line, sizeof line, "sagactl deadletters --where %s --page ",
                 screen_shell_word(cases[i].again, word, sizeof word));
        ck_assert_msg(strstr(said, line) != NULL, "%s\nis not in\n%s", line, said);
        Saga__V1__ListDeadLettersRequest *request = ASKED(saga__v1__list_dead_letters_request, 0);
        ck_assert_str_eq(request->where, cases[i].where);
        saga__v1__list_dead_letters_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* All that fit, and no others; one that is refused keeps none of the others from it, and the status tells of it. */
START_TEST(retry__of_all_goes_on_behind_a_refusal)
{
    static const struct {
        const char *words, *says, *ids;
    } cases[] = {
        {"retry --all --actor ann --status OK", "1 of 1 dead letter tried again\n", "6"},
        {"retry --all --actor ann --status FAILED_PRECONDITION", "1 of 1 dead letter tried again\n", "4"},
        {"retry --all --actor ann --step charge --status UNAVAILABLE", "2 of 4 dead letters tried again\n", "1235"},
        {"retry --all --actor ann --step send", "1 of 1 dead letter tried again\n", "6"}};
    static const int codes[] = {SAGA_E_FAILED_PRECONDITION, SAGA_OK, SAGA_E_NOT_FOUND, SAGA_OK};
    Saga__V1__ListDeadLettersResponse answer;
    Saga__V1__RetryResponse done = SAGA__V1__RETRY_RESPONSE__INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count = strlen(cases[i].ids);
        anew();
        letters(&answer);
        tell("ListDeadLetters", &answer.base);
        for (size_t k = 0; k < count; k++) {
            tell("Retry", &done.base);
            told[told_count - 1].code = count > 1 ? codes[k] : SAGA_OK;
        }
        ck_assert_int_eq(sagactl(cases[i].words), count > 1 ? EXIT_NOT_FOUND : EXIT_DONE);
        ck_assert_str_eq(said, cases[i].says);
        for (unsigned k = 0; k < count; k++) {
            Saga__V1__RetryRequest *request = ASKED(saga__v1__retry_request, k + 1);
            ck_assert_int_eq(request->saga_id[strlen("9f03c1d2a4b7-")], cases[i].ids[k]);
            ck_assert_str_eq(request->actor, "ann");
            saga__v1__retry_request__free_unpacked(request, NULL);
        }
    }
}
END_TEST

/* ---- start ---- */

/* What is typed as the input is the input, in each of its forms. */
START_TEST(start__sends_what_was_typed)
{
    static const struct {
        const char *words, *input;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        {"start order --input-text book", "book", 0, 0},          {"start order --input-hex 626f6f6b", "book", 0, 0},
        {"start order --input-hex 6A:4b:5A:Ff", "jKZ\xff", 0, 0}, {"start order --deadline 1500ms", "", 1, 500000000},
        {"start order --deadline 1ms", "", 0, 1000000},           {"start order", "", 0, 0}};
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

#define STEP "steps:\n  - "

/* By its place and name; nothing is asked of the sidecar before. */
START_TEST(drill__says_what_is_wrong_with_its_file)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"", ": the file holds no drill"},
        {"[a]", ":1:1: must be a mapping"},
        {"{name: a}", ":1:1: steps is missing"},
        {"{steps: [], nme: a}", ":1:13: nme: "},
        {"{steps: [], name: [a]}", ":1:19: name: must be a text, not a list"},
        {"{steps: [], reason: {a: b}}", ":1:21: reason: must be a text, not a mapping"},
        {"steps: {wait: 1s}", ":1:8: steps: must be a list"},
        {STEP "start: {definition: d, number: 2}", ":2:28: steps[0].start.number: "},
        {STEP "start: {version: 1.0.0}", ":2:12: steps[0].start: definition is missing"},
        {STEP "start: {definition: [d]}", ":2:25: steps[0].start.definition: must be a text, not a list"},
        {STEP "start: {definition: d, version: [1]}", ":2:37: steps[0].start.version: must be a text"},
        {STEP "start: {definition: d, json: {a: b}}", ":2:34: steps[0].start.json: must be a text, not a mapping"},
        {STEP "start: {definition: d, input: [a]}", ":2:35: steps[0].start.input: must be a text, not a list"},
        {STEP "start: {definition: d, count: 0}", ":2:35: steps[0].start.count: "},
        {STEP "start: {definition: d, count: 10001}", ":2:35: steps[0].start.count: "},
        {STEP "faults: {kind: delay}", ":2:13: steps[0].faults: "},
        {STEP "wait: soon", ":2:11: steps[0].wait: "},
        {STEP "wait: 0s", ":2:11: steps[0].wait: "},
        {STEP "pause: 2h", ":2:12: steps[0].pause: "},
        {STEP "expect: ''", ":2:13: steps[0].expect: must be an expression about a saga"},
        {STEP "expect: [true]", ":2:13: steps[0].expect: must be an expression about a saga"},
        {STEP "begin: d", ":2:5: steps[0].begin: "},
        {STEP "wait", ":2:5: steps[0]: "},
        {STEP "{pause: 1ms, wait: 1s}", ":2:5: steps[0]: must say one thing"},
        {STEP "{}", ":2:5: steps[0]: must say one thing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/saga-drill-XXXXXX", words[64], expected[160];
        write_file(path, cases[i].yaml);
        snprintf(words, sizeof words, "drill %s", path);
        snprintf(expected, sizeof expected, "sagactl: %s%s", path, cases[i].says);
        ck_assert_int_eq(sagactl(words), EXIT_USAGE);
        unlink(path);
        ck_assert_msg(strncmp(complained, expected, strlen(expected)) == 0, "%s\nis not\n%s", complained, expected);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* All of its sagas are looked at, whatever pages they come in. */
START_TEST(drill__counts_its_sagas_over_all_pages)
{
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    Saga__V1__ListResponse first = SAGA__V1__LIST_RESPONSE__INIT, last = first, none = first;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *list[] = {&saga, &saga};
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    saga.id = text("9f03c1d2a4b7-2a");
    first.sagas = last.sagas = list;
    first.n_sagas = 2;
    last.n_sagas = 1;
    first.next_page_token = text("next");
    write_file(path, STEP "start: {definition: d, count: 3}\n  - expect: state == COMMITTED");
    snprintf(words, sizeof words, "drill %s", path);
    for (int i = 0; i < 3; i++)
        tell("Start", &started.base);
    tell("List", &first.base);
    tell("List", &last.base);
    tell("List", &none.base);
    SHOWS(words, "3 sagas of d started\nholds of all 3 sagas: state == COMMITTED\ndrill: everything held\n");
    anew();
    for (int i = 0; i < 3; i++)
        tell("Start", &started.base);
    tell("List", &first.base);
    tell("List", &none.base);
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: of 3 sagas that were started 2 are there\n");
    unlink(path);
}
END_TEST

/* What an expectation is asked with is not of the comment that it ends in. */
START_TEST(drill__an_expectation_may_have_a_comment)
{
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    Saga__V1__ListResponse one = SAGA__V1__LIST_RESPONSE__INIT, none = one;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *list[] = {&saga};
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    saga.id = text("9f03c1d2a4b7-2a");
    one.sagas = list;
    one.n_sagas = 1;
    write_file(path, STEP "start: {definition: d}\n  - expect: state == COMMITTED // at last");
    snprintf(words, sizeof words, "drill %s", path);
    tell("Start", &started.base);
    tell("List", &one.base);
    tell("List", &none.base);
    ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
    Saga__V1__ListRequest *request = ASKED(saga__v1__list_request, 2);
    const char *asks = strstr(request->where, " && (!(state");
    ck_assert_msg(asks != NULL && strcmp(asks, " && (!(state == COMMITTED // at last\n)\n)") == 0, "%s",
                  request->where);
    saga__v1__list_request__free_unpacked(request, NULL);
    unlink(path);
}
END_TEST

/* Whatever comes of it, the faults that it has injected end with it. */
START_TEST(drill__takes_its_faults_away_when_it_fails)
{
    Saga__V1__InjectFaultsResponse injected = SAGA__V1__INJECT_FAULTS_RESPONSE__INIT;
    Saga__V1__ListResponse none = SAGA__V1__LIST_RESPONSE__INIT;
    Saga__V1__InjectFaultsRequest *request;
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    write_file(path, STEP "faults: [{kind: drop-answer, for: 1m}]\n  - start: {definition: d}\n  - expect: 'true'");
    snprintf(words, sizeof words, "drill %s", path);
    for (int refused = 0; refused < 2; refused++) {
        Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
        anew();
        tell("InjectFaults", &injected.base);
        tell("Start", &started.base);
        if (refused)
            told[1].code = SAGA_E_NOT_FOUND; /* there is no such definition */
        else
            tell("List", &none.base);
        tell("InjectFaults", &injected.base);
        ck_assert_int_eq(sagactl(words), refused ? EXIT_NOT_FOUND : EXIT_REFUSED);
        for (int last = 0; last < 2; last++) {
            request = ASKED(saga__v1__inject_faults_request, last ? told_count - 1 : 0);
            ck_assert_uint_eq(request->n_faults, last ? 0 : 1);
            saga__v1__inject_faults_request__free_unpacked(request, NULL);
        }
    }
    unlink(path);
}
END_TEST

/* ---- lists and definitions ---- */

START_TEST(list__shows_a_page_and_those_that_are_paused)
{
    Saga__V1__ListResponse page = SAGA__V1__LIST_RESPONSE__INIT, last = page;
    Saga__V1__Saga sagas[2] = {SAGA__V1__SAGA__INIT, SAGA__V1__SAGA__INIT}, *all[2] = {&sagas[0], &sagas[1]};
    sagas[0].id = text("9f03c1d2a4b7-2a");
    sagas[1].id = text("9f03c1d2a4b7-2b");
    sagas[0].definition = sagas[1].definition = text("order");
    sagas[1].paused = true;
    sagas[0].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK; /* which is not paused */
    page.sagas = all;
    page.n_sagas = 2;
    page.next_page_token = text("next");
    tell("List", &page.base);
    ck_assert_int_eq(sagactl("list"), EXIT_DONE); /* and asks for no more */
    ck_assert_ptr_nonnull(strstr(said, "-2a"));
    ck_assert_ptr_nonnull(strstr(said, "more: sagactl list --page next\n"));
    anew();
    tell("List", &page.base);
    tell("List", &last.base);
    ck_assert_int_eq(sagactl("list --all --state paused"), EXIT_DONE);
    ck_assert_ptr_null(strstr(said, "-2a"));
    ck_assert_ptr_nonnull(strstr(said, "-2b"));
    Saga__V1__ListRequest *second = ASKED(saga__v1__list_request, 1);
    ck_assert_str_eq(second->page_token, "next");
    ck_assert_int_eq(second->page_size, 1000);
    saga__v1__list_request__free_unpacked(second, NULL);
    anew();
    tell("List", &last.base);
    ck_assert_int_eq(sagactl("list --all --limit 10"), EXIT_DONE);
    Saga__V1__ListRequest *tens = ASKED(saga__v1__list_request, 0);
    ck_assert_int_eq(tens->page_size, 10);
    saga__v1__list_request__free_unpacked(tens, NULL);
}
END_TEST

/* The command of the next page asks for the same as this one did: whatever chooses is sent, and stands in it. */
START_TEST(list__proposes_the_next_page_of_the_same)
{
    static const struct {
        const char *words, *more; /* behind "sagactl list"; more is what differs */
    } cases[] = {
        {"--state stuck,running,paused --since 2026-05-04T10:20:30.25Z --before 2026-05-05T00:00:00Z --tag key=a=b "
         "--definition order --where priority==1 --journal home --limit 7",
         "--state running,stuck,paused --since 2026-05-04T10:20:30.250000Z --before 2026-05-05T00:00:00Z --tag key=a=b "
         "--definition order --where priority==1 --journal home --limit 7"},
        {"--state paused --address here:1 --fleet", "--state paused --address here:1 --fleet"},
        {"--state committed,compensating,compensated,resolved", "--state committed,compensating,compensated,resolved"}};
    Saga__V1__ListResponse page = SAGA__V1__LIST_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *all[] = {&saga};
    saga.id = text("9f03c1d2a4b7-2a");
    saga.paused = true;
    page.sagas = all;
    page.n_sagas = 1;
    page.next_page_token = text("next");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[256], more[300];
        anew();
        tell("List", &page.base);
        snprintf(words, sizeof words, "list %s", cases[i].words);
        snprintf(more, sizeof more, "\nmore: sagactl list %s --page next\n", cases[i].more);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, more) != NULL, "%s\nis not in\n%s", more, said);
        Saga__V1__ListRequest *request = ASKED(saga__v1__list_request, 0);
        if (i == 0) {
            ck_assert_uint_eq(request->n_states, 2);
            ck_assert_int_eq(request->states[0], SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING);
            ck_assert_int_eq(request->states[1], SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
            ck_assert_int_eq(request->started_from->seconds, 1777890030);
            ck_assert_int_eq(request->started_from->nanos, 250000000);
            ck_assert_int_eq(request->started_before->seconds, 1777939200);
            ck_assert_uint_eq(request->n_tags, 1);
            ck_assert_str_eq(request->tags[0]->name, "key");
            ck_assert_str_eq(request->tags[0]->value, "a=b");
            ck_assert_str_eq(request->definition, "order");
            ck_assert_str_eq(request->where, "priority==1");
            ck_assert_str_eq(request->journal, "home");
            ck_assert_int_eq(request->page_size, 7);
        }
        ck_assert_uint_eq(request->n_states, i == 0 ? 2 : i == 1 ? 3 : 4); /* those that are paused are live */
        ck_assert_int_eq(request->fleet, i == 1);
        saga__v1__list_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* A first page without any is no end, where there are more. */
START_TEST(list__looks_behind_an_empty_page)
{
    Saga__V1__ListResponse empty = SAGA__V1__LIST_RESPONSE__INIT, page = empty;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *all[] = {&saga};
    saga.id = text("9f03c1d2a4b7-2a");
    empty.next_page_token = text("next");
    page.sagas = all;
    page.n_sagas = 1;
    tell("List", &empty.base);
    tell("List", &page.base);
    ck_assert_int_eq(sagactl("list"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "9f03c1d2a4b7-2a"));
    ck_assert_ptr_null(strstr(said, "No saga matches."));
    anew();
    tell("List", &empty.base);
    tell("List", &page.base);
    ck_assert_int_eq(sagactl("list -o json"), EXIT_DONE);
    json_t *one = json_loads(said, 0, NULL); /* of two there would be two documents */
    ck_assert_uint_eq(json_array_size(json_object_get(one, "sagas")), 1);
    json_decref(one);
}
END_TEST

START_TEST(definitions__shows_the_version_that_is_asked_for)
{
    static const char source[] = "name: order\nversion: 1.0.0\nsteps:\n  - {name: s, target: t, action: /p.S/A}\n";
    static const char *const words[] = {"definitions order 1.0.0", "definitions order", "graph order --version 1.0.0"};
    Saga__V1__Definition answer = SAGA__V1__DEFINITION__INIT;
    answer.source.data = (uint8_t *)(uintptr_t)source;
    answer.source.len = sizeof source - 1;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        anew();
        tell("GetDefinition", &answer.base);
        ck_assert_msg(sagactl(words[i]) == EXIT_DONE, "%s", complained);
        if (i < 2)
            ck_assert_str_eq(said, source);
        else
            ck_assert_ptr_nonnull(strstr(said, "order 1.0.0\n"));
        Saga__V1__GetDefinitionRequest *request = ASKED(saga__v1__get_definition_request, 0);
        ck_assert_str_eq(request->name, "order");
        ck_assert_str_eq(request->version, i == 1 ? "" : "1.0.0");
        saga__v1__get_definition_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* Whatever sent it may not be a sidecar, and a pipe may end on a terminal: what is no part of a YAML text is not shown as it is. */
START_TEST(definitions__let_nothing_steer_a_terminal)
{
    static const struct {
        const char *source, *shown;
    } cases[] = {{"a: b\n\tc\r\nd", "a: b\n\tc\r\nd"},
                 {"a\rb\033[2J\177\007", "a?b?[2J??"},
                 {"\r", "?"},
                 {"\xc2\x9f\xc2\x80\xc2\x9b", "\xc2\xbf\xc2\xbf\xc2\xbf"},
                 {"\xc2\xa0\xc3\x9b\xe2\x82\x80", "\xc2\xa0\xc3\x9b\xe2\x82\x80"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Saga__V1__Definition answer = SAGA__V1__DEFINITION__INIT;
        answer.source.data = (uint8_t *)(uintptr_t)cases[i].source;
        answer.source.len = strlen(cases[i].source);
        anew();
        tell("GetDefinition", &answer.base);
        SHOWS("definitions order", cases[i].shown);
    }
}
END_TEST

/* Of several files each is told of, and it ends as the first that was refused. */
START_TEST(register__says_what_came_of_each_file)
{
    static const struct {
        const char *option, *words;
        bool already;
    } cases[] = {{"", "order 1.0.0 registered\n", false},
                 {"", "order 1.0.0 was registered already\n", true},
                 {" --dry-run", "order 1.0.0 would be registered\n", false},
                 {" --dry-run", "order 1.0.0 is registered already\n", true}};
    Saga__V1__RegisterDefinitionResponse answer = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
    Saga__V1__Finding findings[2] = {SAGA__V1__FINDING__INIT, SAGA__V1__FINDING__INIT};
    Saga__V1__Finding *list[] = {&findings[0], &findings[1]};
    char path[] = "/tmp/saga-register-XXXXXX", words[160], expected[400];
    /* How long a saga may take is the sidecar's to say, and not this program's. */
    write_file(path, "name: order\nversion: 1.0.0\ndeadline: 800h\nsteps:\n  - {name: s, target: t, action: /p.S/A}\n");
    answer.name = text("order");
    answer.version = text("1.0.0");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        answer.already_registered = cases[i].already;
        tell("RegisterDefinition", &answer.base);
        snprintf(words, sizeof words, "register %s%s", path, cases[i].option);
        SHOWS(words, cases[i].words);
        Saga__V1__RegisterDefinitionRequest *request = ASKED(saga__v1__register_definition_request, 0);
        ck_assert_int_eq(request->dry_run, cases[i].option[0] != '\0');
        saga__v1__register_definition_request__free_unpacked(request, NULL);
    }
    /* A rule of a policy knows no place. */
    for (int i = 0; i < 2; i++) {
        findings[i].warning = true;
        findings[i].rule = text("odd");
        findings[i].message = text("it is odd");
        findings[i].line = i == 0 ? 4 : 0;
        findings[i].column = i == 0 ? 5 : 0;
        findings[i].field = text(i == 0 ? "steps[0]" : "");
    }
    answer.findings = list;
    answer.n_findings = 2;
    anew();
    tell("RegisterDefinition", &answer.base);
    snprintf(words, sizeof words, "register %s", path);
    ck_assert_int_eq(sagactl(words), EXIT_DONE);
    snprintf(expected, sizeof expected, "%s:4:5: warning: steps[0]: it is odd [odd]\n%s: warning: it is odd [odd]\n",
             path, path);
    ck_assert_str_eq(complained, expected);
    anew();
    tell("RegisterDefinition", NULL);
    told[0].code = SAGA_E_FAILED_PRECONDITION;
    tell("RegisterDefinition", &answer.base);
    snprintf(words, sizeof words, "register --dry-run %s %s", path, path);
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_str_eq(said, "order 1.0.0 is registered already\n");
    /* Where one cannot be read none is sent. */
    anew();
    snprintf(words, sizeof words, "register /nowhere.yaml %s", path);
    ck_assert_int_eq(sagactl(words), EXIT_USAGE);
    unlink(path);
}
END_TEST

/* Each target is asked once, for every service that its calls are of, and no other. */
START_TEST(register__asks_targets_for_their_types)
{
    static const char *const services[2][2] = {{"shop.StockKeeper", "shop.Stock"}, {"mail.Mail", "mail.Undo"}};
    static const char *const targets[] = {"shop", "mail"};
    Saga__V1__ReflectResponse reflected = SAGA__V1__REFLECT_RESPONSE__INIT;
    Saga__V1__RegisterSchemaResponse schema = SAGA__V1__REGISTER_SCHEMA_RESPONSE__INIT;
    Saga__V1__RegisterDefinitionResponse answer = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
    char path[] = "/tmp/saga-register-XXXXXX", words[64];
    /* Of a file its name alone; it is told of by both, and registered once. */
    static const char set[] = "\n\003\n\001a", two[] = "\n\003\n\001a\n\003\n\001b";
    write_file(path, "name: order\nversion: 1.0.0\nschema: trade\ndeadline: 800h\nsteps:\n"
                     "  - {name: a, target: shop, action: /shop.StockKeeper/A, compensation: /shop.Stock/B}\n"
                     "  - {name: b, target: mail, action: /mail.Mail/A, compensation: /mail.Undo/A}\n"
                     "  - {name: c, target: shop, action: /shop.Stock/C, compensation: none}\n");
    snprintf(words, sizeof words, "register --reflect %s", path);
    Saga__V1__ReflectResponse more = reflected;
    reflected.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)set, .len = sizeof set - 1};
    more.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)two, .len = sizeof two - 1};
    tell("Reflect", &reflected.base);
    tell("Reflect", &more.base);
    tell("RegisterSchema", &schema.base);
    tell("RegisterDefinition", &answer.base);
    ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
    unlink(path);
    for (unsigned i = 0; i < 2; i++) {
        Saga__V1__ReflectRequest *request = ASKED(saga__v1__reflect_request, i);
        ck_assert_str_eq(request->target, targets[i]);
        ck_assert_uint_eq(request->n_services, 2);
        ck_assert_str_eq(request->services[0], services[i][0]);
        ck_assert_str_eq(request->services[1], services[i][1]);
        saga__v1__reflect_request__free_unpacked(request, NULL);
    }
    Saga__V1__RegisterSchemaRequest *request = ASKED(saga__v1__register_schema_request, 2);
    ck_assert_str_eq(request->name, "trade");
    ck_assert_uint_eq(request->descriptors.len, sizeof two - 1);
    ck_assert_mem_eq(request->descriptors.data, two, sizeof two - 1);
    saga__v1__register_schema_request__free_unpacked(request, NULL);
}
END_TEST

/* What a runbook shows is shown as the rest of it was asked for. */
START_TEST(runbook__looks_as_it_was_told)
{
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__ListAuditResponse audit = SAGA__V1__LIST_AUDIT_RESPONSE__INIT;
    Saga__V1__AuditEntry entry = SAGA__V1__AUDIT_ENTRY__INIT, *entries[] = {&entry};
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    at.seconds = 1700000000;
    entry.time = &at;
    entry.method = text("Skip");
    audit.entries = entries;
    audit.n_entries = 1;
    for (int utc = 0; utc < 2; utc++) {
        anew();
        tell("Status", &status.base);
        tell("ListAudit", &audit.base);
        ck_assert_int_eq(sagactl(utc ? "runbook SagadBreakerOpen --utc" : "runbook SagadBreakerOpen"), EXIT_DONE);
        ck_assert_msg(strstr(said, utc ? "$ sagactl audit\n2023-11-14 22:13:20 UTC  Skip"
                                       : "$ sagactl audit\n2023-11-14 22:13:20 +0000  Skip") != NULL,
                      "%s", said);
    }
}
END_TEST

/* What an editor keeps beside it is none. */
START_TEST(lint__takes_no_hidden_descriptors)
{
    char folder[] = "/tmp/saga-schemas-XXXXXX", file[64], words[128];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/.a.binpb", folder);
    fclose(fopen(file, "w"));
    snprintf(words, sizeof words, "lint --schema %s x.yaml", folder);
    ck_assert_int_eq(sagactl(words), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(complained, ": holds no file of descriptors (*.binpb)\n"));
    unlink(file);
    rmdir(folder);
}
END_TEST

/* ---- contracts ---- */

/* What a sidecar of wider bounds has registered is read, too. */
START_TEST(contract__has_what_a_sidecar_has_taken)
{
    static const char source[] = "name: wide\nversion: 1.0.0\ndeadline: 800h\nsteps:\n"
                                 "  - {name: a, target: bank, action: /p.S/A, compensation: none,\n"
                                 "     fallback: {last_good: {key: k, max_age: 700h}}}\n";
    Saga__V1__ListDefinitionsResponse all = SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT;
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT, *list[] = {&d};
    all.definitions = list;
    all.n_definitions = 1;
    d.name = text("wide");
    d.version = text("1.0.0");
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)source, .len = sizeof source - 1};
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d.base);
    ck_assert_msg(sagactl("contract export --target bank") == EXIT_DONE, "%s", complained);
    json_t *contract = json_loads(said, 0, NULL);
    const json_t *one = json_array_get(json_object_get(contract, "definitions"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(one, "source")), source);
    json_decref(contract);
    anew();
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d.base);
    ck_assert_int_eq(sagactl("contract export --target shop"), EXIT_NOT_FOUND);
    ck_assert_str_eq(complained, "sagactl: no registered definition calls shop\n");
    /* Of one definition, without those whose names only begin so. */
    Saga__V1__Definition wider = SAGA__V1__DEFINITION__INIT, *both[] = {&d, &wider};
    wider.name = text("wider");
    wider.version = text("1.0.0");
    all.definitions = both;
    all.n_definitions = 2;
    anew();
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d.base);
    ck_assert_msg(sagactl("contract export --target bank --definition wide") == EXIT_DONE, "%s", complained);
    Saga__V1__GetDefinitionRequest *request = ASKED(saga__v1__get_definition_request, 1);
    ck_assert_str_eq(request->name, "wide");
    protobuf_c_message_free_unpacked(&request->base, NULL);
}
END_TEST

/* ---- how it ends ---- */

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
}
END_TEST

/* As the worst of its files. */
START_TEST(lint__ends_as_its_worst_file)
{
    char good[] = "/tmp/saga-lint-XXXXXX", bad[] = "/tmp/saga-lint-XXXXXX", words[160];
    write_file(good, "name: a\nversion: 1.0.0\ndeadline: 5m\nsteps:\n"
                     "  - {name: s, target: t, action: /p.S/A, compensation: /p.S/B}\n");
    write_file(bad, "name: a\nversion: 1.0.0\nsteps: []\n");
    const struct {
        const char *first, *second;
        int status;
    } cases[] = {{good, good, EXIT_DONE}, {good, bad, EXIT_REFUSED}, {bad, good, EXIT_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int sarif = 0; sarif < 2; sarif++) {
            snprintf(words, sizeof words, "lint %s %s%s", cases[i].first, cases[i].second, sarif ? " -o sarif" : "");
            ck_assert_msg(sagactl(words) == cases[i].status, "%s", words);
            ck_assert_int_eq(strstr(said, sarif ? "\"results\": [" : "1.0.0, 1 step: ") != NULL, 1);
            /* What is wrong with one is wrong with that one alone. */
            for (int second = 0; !sarif && second < 2; second++) {
                const char *path = second ? cases[i].second : cases[i].first;
                snprintf(words, sizeof words, path == good ? "%s: a 1.0.0, 1 step: good\n" : "%s: 1 error\n", path);
                ck_assert_msg(strstr(said, words) != NULL, "%s is not in %s", words, said);
            }
            const char *sign = sarif ? "\"ruleId\": " : ": error: ", *found = strstr(said, sign);
            ck_assert_int_eq(found != NULL, cases[i].status != EXIT_DONE);
            ck_assert(found == NULL || strstr(found + 1, sign) == NULL);
        }
    unlink(good);
    unlink(bad);
    /* A name is a reference in SARIF; and a step is found where it stands, not where a longer name begins as its own does, nor where something
     * else has its name. */
    char odd[] = "/tmp/saga-100%-XXXXXX", policy[] = "/tmp/saga-policy-XXXXXX";
    write_file(odd, "name: pay\nversion: 1.0.0\ndeadline: 5m\nsteps:\n"
                    "  - {name: payment, target: t, action: /p.S/A, compensation: /p.S/B}\n"
                    "  - {name: pay, target: u, action: /p.S/A, compensation: /p.S/B}\n");
    write_file(policy,
               "rules:\n  - id: no-u\n    severity: error\n    that: step.target != 'u'\n    else: u is closed\n");
    snprintf(words, sizeof words, "lint --policy %s %s -o sarif", policy, odd);
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_msg(strstr(said, "/tmp/saga-100%25-") != NULL, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, "\"startLine\": 6"));
    unlink(odd);
    unlink(policy);
    ck_assert_int_eq(sagactl("lint --explain undo-missing"), EXIT_DONE);
    ck_assert_int_eq(strncmp(said, "undo-missing (warning): ", 24), 0);
}
END_TEST

/* What scripts go by. */
START_TEST(every_command__ends_as_the_call_did)
{
    static const struct {
        int code, status;
    } cases[] = {{SAGA_E_UNAVAILABLE, EXIT_UNREACHABLE},     {SAGA_E_NOT_FOUND, EXIT_NOT_FOUND},
                 {SAGA_E_DEADLINE_EXCEEDED, EXIT_TIMEOUT},   {SAGA_E_PERMISSION_DENIED, EXIT_REFUSED},
                 {SAGA_E_FAILED_PRECONDITION, EXIT_REFUSED}, {SAGA_E_INVALID_ARGUMENT, EXIT_REFUSED}};
    static const struct {
        const char *words, *method;
    } commands[] = {{"fleet", "ListJournals"},
                    {"fleet give a", "GiveJournal"},
                    {"slo", "ListObjectives"},
                    {"rules", "ListRules"},
                    {"rules arm a", "ChangeRule"},
                    {"bulk", "ListBulks"},
                    {"bulk a pause", "ChangeBulk"},
                    {"drill", "ListFaults"},
                    {"audit", "ListAudit"},
                    {"list", "List"},
                    {"definitions", "ListDefinitions"},
                    {"definitions a", "GetDefinition"},
                    {"deadletters", "ListDeadLetters"},
                    {"targets", "Status"},
                    {"schema list", "ListSchemas"},
                    {"schema show a", "GetSchema"},
                    {"graph a", "GetDefinition"},
                    {"input a", "GetDefinition"},
                    {"get 9f03c1d2a4b7-2a", "Get"},
                    {"why 9f03c1d2a4b7-2a", "Get"},
                    {"pause 9f03c1d2a4b7-2a", "Pause"},
                    {"top --once", "Status"},
                    {"reload", "Reload"}};
    for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            asked_count = 0;
            told_count = 1;
            told[0].method = commands[k].method;
            told[0].code = cases[i].code;
            int status = sagactl(commands[k].words);
            ck_assert_msg(status == cases[i].status, "%s: %d", commands[k].words, status);
            ck_assert_str_eq(said, "");
            ck_assert_ptr_nonnull(strstr(complained, "sagactl: it is refused\n"));
        }
    /* A server without a sidecar's health is none. */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        asked_count = 0;
        told[0].method = "Check";
        told[0].code = cases[i].code;
        ck_assert_int_eq(sagactl("status"), cases[i].status == EXIT_NOT_FOUND ? EXIT_REFUSED : cases[i].status);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* A word that a command does not know is none that it knows. */
START_TEST(every_command__says_which_words_it_takes)
{
    static const struct {
        const char *words, *says;
    } cases[] = {
        {"contract frob", "sagactl: contract takes check --schema FILE, or export --target NAME\n"},
        {"schema frob", "sagactl: schema takes register FILE..., reflect NAME ADDRESS..., list or show NAME\n"},
        {"schema list more", "sagactl: schema takes register FILE..., reflect NAME ADDRESS..., list or show NAME\n"},
        {"contract check", "sagactl: contract check needs --schema FILE: "},
        {"contract export", "sagactl: contract export needs --target NAME: "},
        {"list --request-id a --state stuck", "sagactl: --request-id names one saga: nothing else chooses beside it\n"},
        {"list --request-id a --fleet", "sagactl: --request-id names one saga: nothing else chooses beside it\n"},
        {"get --request-id a 9f03c1d2a4b7-2a", "sagactl: get takes a SAGA-ID, or --request-id and none\n"},
        {"get", "sagactl: get takes a SAGA-ID, or --request-id and none\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(sagactl(cases[i].words) == EXIT_USAGE, "%s", cases[i].words);
        ck_assert_msg(strncmp(complained, cases[i].says, strlen(cases[i].says)) == 0, "%s", complained);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* Whoever finds no sidecar is told what stands there instead, and whoever has lost it that he cannot know. */
START_TEST(every_command__says_why_there_was_no_answer)
{
    static const struct {
        int code;
        const char *reason, *message, *words, *hint;
    } cases[] = {
        {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no sidecar answers at x (connect: Connection refused)",
         "sagactl: no sidecar answers at unix:here.sock: nobody serves this socket",
         "see whether it is being restarted"},
        {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no sidecar answers at x (No such file or directory)",
         "sagactl: no sidecar answers at unix:here.sock: there is no socket at this path",
         "--address says where to look"},
        {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no sidecar answers at x (of some kind)",
         "sagactl: no sidecar answers at x (of some kind)", ""},
        {SAGA_E_UNAVAILABLE, SAGA_REASON_LOST, "broken",
         "sagactl: the connection was lost before the answer came: it may have been carried out", ""},
        {SAGA_E_DEADLINE_EXCEEDED, "DEADLINE", "no answer came in time", "sagactl: no answer came in time\n", ""},
        {SAGA_E_FAILED_PRECONDITION, "SAGA_NOT_STUCK", "step: it is none", "sagactl: it is none (SAGA_NOT_STUCK)\n",
         ""},
        {SAGA_E_UNIMPLEMENTED, NULL, "", "sagactl: what answers at unix:here.sock is a gRPC server, but no sidecar",
         "It is another program's address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        tell("ListRules", NULL);
        told[0].code = cases[i].code;
        told[0].reason = cases[i].reason;
        told[0].words = cases[i].message;
        ck_assert_int_ne(sagactl("rules"), EXIT_DONE);
        ck_assert_msg(strncmp(complained, cases[i].words, strlen(cases[i].words)) == 0, "%s", complained);
        ck_assert_msg(strstr(complained, cases[i].hint) != NULL, "%s", complained);
    }
}
END_TEST

/* In words that help, by what kind of address it is. */
START_TEST(every_command__tells_why_nobody_answers)
{
    static const struct {
        const char *address, *words, *says;
    } cases[] = {
        {"unix:nowhere.sock", "No such file or directory", ": there is no socket at this path\n"},
        {"unix:nowhere.sock", "Connection refused", ": nobody serves this socket\n"},
        {"unix:nowhere.sock", "Permission denied", ": you may not use this socket\n"},
        {"unix:/", "Connection refused", ": what is at this path is no socket\n"},
        {"127.0.0.1:1", "Connection refused", ": nothing listens there\n"},
        {"127.0.0.1:1", "SSL: certificate verify failed", ": its certificate is by none whom you trust"},
        {"127.0.0.1:1", "it is of somebody else", ": its certificate is of somebody else\n"},
        {"127.0.0.1:1", "SSL: wrong version number", ": what answers there does not speak TLS\n"},
        {"127.0.0.1:1", "Trying to connect an http1.x server", ": what answers there does not speak gRPC\n"},
        {"127.0.0.1:1", "Socket closed", ": it closes every connection at once\n"},
        {"nobody:1", "DNS resolution failed for nobody:1", ": there is no such host\n"},
        {"127.0.0.1:1", "no connection in time", ": something takes connections there and says nothing\n"},
        {"127.0.0.1:1", "No such file or directory", "sagactl: No such file or directory\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        asked_count = 0;
        told_count = 1;
        told[0].method = "ListFaults";
        told[0].code = SAGA_E_UNAVAILABLE;
        told[0].reason = SAGA_REASON_UNREACHABLE;
        told[0].words = cases[i].words;
        told_address = cases[i].address;
        ck_assert_int_eq(sagactl("drill"), EXIT_UNREACHABLE);
        ck_assert_msg(strstr(complained, cases[i].says) != NULL, "%s\nis not in\n%s", cases[i].says, complained);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_commands");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, fleet__shows_each_journal_and_who_has_it);
    tcase_add_test(tc, fleet__paints_what_needs_a_person);
    tcase_add_test(tc, fleet__gives_a_journal);
    tcase_add_test(tc, fleet__does_not_turn_in_a_circle);
    tcase_add_test(tc, slo__adds_up_loops_and_parts_guests);
    tcase_add_test(tc, slo__rules_have_the_names_of_their_definitions);
    tcase_add_test(tc, slo__of_a_budget_that_is_just_spent);
    tcase_add_test(tc, slo__tells_of_each_guest_once);
    tcase_add_test(tc, slo__without_promises);
    tcase_add_test(tc, rules__say_how_each_stands);
    tcase_add_test(tc, rules__are_armed_and_undone);
    tcase_add_test(tc, drill__shows_the_faults_that_there_are);
    tcase_add_test(tc, drill__says_how);
    tcase_add_test(tc, acts__are_said);
    tcase_add_test(tc, reload__says_what_has_changed);
    tcase_add_test(tc, get__puts_its_pages_together);
    tcase_add_test(tc, why__tells_of_the_stuck_step_alone);
    tcase_add_test(tc, why__tells_a_deadline_that_counts);
    tcase_add_test(tc, why__says_since_when_an_undo_waits);
    tcase_add_test(tc, why__says_what_would_be_undone);
    tcase_add_test(tc, why__is_told_without_the_right_to_the_status);
    tcase_add_test(tc, why__tells_of_each_target_once);
    tcase_add_test(tc, why__says_when_its_journal_stalls);
    tcase_add_test(tc, top__of_a_sidecar_that_was_restarted);
    tcase_add_test(tc, top__counts_from_look_to_look);
    tcase_add_test(tc, top__shows_what_matters_most);
    tcase_add_test(tc, status__says_whose_it_is);
    tcase_add_test(tc, status__adds_up_its_loops);
    tcase_add_test(tc, definitions__are_shown_page_by_page);
    tcase_add_test(tc, start__sends_what_was_typed);
    tcase_add_test(tc, start__can_be_asked_for_again);
    tcase_add_test(tc, start__waits_longer_than_it_starts);
    tcase_add_test(tc, schemas__are_shown_page_by_page);
    tcase_add_test(tc, schemas__show_what_is_their_own);
    tcase_add_test(tc, deadletters__are_counted);
    tcase_add_test(tc, deadletters__are_told_by_what_they_have_in_common);
    tcase_add_test(tc, retry__of_all_goes_on_behind_a_refusal);
    tcase_add_test(tc, every_command__says_which_words_it_takes);
    tcase_add_test(tc, every_command__says_why_there_was_no_answer);
    tcase_add_test(tc, drill__says_what_is_wrong_with_its_file);
    tcase_add_test(tc, drill__counts_its_sagas_over_all_pages);
    tcase_add_test(tc, drill__takes_its_faults_away_when_it_fails);
    tcase_add_test(tc, list__shows_a_page_and_those_that_are_paused);
    tcase_add_test(tc, list__proposes_the_next_page_of_the_same);
    tcase_add_test(tc, list__looks_behind_an_empty_page);
    tcase_add_test(tc, definitions__shows_the_version_that_is_asked_for);
    tcase_add_test(tc, definitions__let_nothing_steer_a_terminal);
    tcase_add_test(tc, register__says_what_came_of_each_file);
    tcase_add_test(tc, register__asks_targets_for_their_types);
    tcase_add_test(tc, runbook__looks_as_it_was_told);
    tcase_add_test(tc, contract__has_what_a_sidecar_has_taken);
    tcase_add_test(tc, wait__ends_as_the_saga_did);
    tcase_add_test(tc, wait__outlives_a_sidecar);
    tcase_add_test(tc, lint__ends_as_its_worst_file);
    tcase_add_test(tc, lint__takes_no_hidden_descriptors);
    tcase_add_test(tc, every_command__ends_as_the_call_did);
    tcase_add_test(tc, every_command__tells_why_nobody_answers);
    tcase_add_test(tc, deadletters__are_asked_for_again_by_a_question_on_one_line);
    tcase_add_test(tc, drill__an_expectation_may_have_a_comment);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
