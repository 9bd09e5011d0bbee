/* What rules of remediation see: the answers of all loops become one, each thing as the worst or the sum of them. */
#include "sidecar/runtime/remedies_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S 1000000

static const struct instant now = {.us = INT64_C(1000000) * NOW_S};

static struct config_remedy config;
static struct rule rule, *in_force = &rule;
static struct remedies remedies = {.rules = &in_force, .count = 1};

/* A rule about this definition and this target, neither when they are "". */
static void begin(const char *definition, const char *target)
{
    config = (struct config_remedy){.name = "x", .definition = definition, .target = target};
    rule = (struct rule){.config = &config};
    facts_begin(&remedies);
}

static Google__Protobuf__Timestamp ago(int64_t seconds)
{
    Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    t.seconds = NOW_S - seconds;
    return t;
}

/* ---- dead letters ---- */

/* Two loops: two dead letters of a and one of b, the oldest ten seconds old; one of a, twenty; in each, one that is told of no more. */
static void add_letters(void)
{
    Google__Protobuf__Timestamp t10 = ago(10), t5 = ago(5), t20 = ago(20);
    Saga__V1__DeadLetters a = SAGA__V1__DEAD_LETTERS__INIT, b = a, c = a;
    Saga__V1__DeadLetters *first[] = {&a, &b}, *second[] = {&c};
    Saga__V1__LoopStatus l1 = SAGA__V1__LOOP_STATUS__INIT, l2 = l1;
    Saga__V1__LoopStatus *loops1[] = {&l1}, *loops2[] = {&l2};
    Saga__V1__StatusResponse m = SAGA__V1__STATUS_RESPONSE__INIT;
    a.definition = c.definition = (char *)"a";
    b.definition = (char *)"b";
    a.count = 2;
    b.count = c.count = 1;
    a.oldest = &t5;
    b.oldest = &t10;
    c.oldest = &t20;
    l1.live = 7;
    l1.stuck = 4;
    l1.n_dead_letters = 2;
    l1.dead_letters = first;
    l2.live = 3;
    l2.stuck = 2;
    l2.n_dead_letters = 1;
    l2.dead_letters = second;
    m.n_loops = 1;
    m.loops = loops1;
    facts_add_status(&remedies, &m, now);
    m.loops = loops2;
    facts_add_status(&remedies, &m, now);
    facts_end(&remedies);
}

START_TEST(remedies_facts__dead_letters_of_all)
{
    begin("", "");
    add_letters();
    ck_assert_uint_eq(rule.facts.live, 10);
    ck_assert_uint_eq(rule.facts.deadletters, 6);
    ck_assert_int_eq(rule.facts.oldest_deadletter.us, 20 * 1000000);
}
END_TEST

START_TEST(remedies_facts__dead_letters_of_a_definition)
{
    begin("b", "");
    add_letters();
    ck_assert_uint_eq(rule.facts.deadletters, 1);
    ck_assert_int_eq(rule.facts.oldest_deadletter.us, 10 * 1000000);
    begin("a", "");
    add_letters();
    ck_assert_uint_eq(rule.facts.deadletters, 3);
    ck_assert_int_eq(rule.facts.oldest_deadletter.us, 20 * 1000000);
    begin("c", "");
    add_letters();
    ck_assert_uint_eq(rule.facts.deadletters, 0);
    ck_assert_int_eq(rule.facts.oldest_deadletter.us, 0);
}
END_TEST

/* ---- a target ---- */

static void add_target(const char *name, Saga__V1__BreakerState state, int64_t open_s, int64_t away_s,
                       uint64_t attempts, uint64_t failed)
{
    Google__Protobuf__Timestamp opened = ago(open_s);
    Google__Protobuf__Duration away = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__Breaker breaker = SAGA__V1__BREAKER__INIT;
    Saga__V1__Recent recent = SAGA__V1__RECENT__INIT;
    Saga__V1__TargetStatus t = SAGA__V1__TARGET_STATUS__INIT, *targets[] = {&t};
    Saga__V1__LoopStatus l = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&l};
    Saga__V1__StatusResponse m = SAGA__V1__STATUS_RESPONSE__INIT;
    away.seconds = away_s;
    away.nanos = 500000000;
    breaker.state = state;
    breaker.opened_at = open_s == 0 ? NULL : &opened;
    recent.count = attempts;
    recent.failed = failed;
    t.name = (char *)(uintptr_t)name;
    t.breaker = &breaker;
    t.unreachable_for = away_s == 0 ? NULL : &away;
    t.recent = &recent;
    t.attempts = 100 * attempts;
    t.attempts_failed = 100 * failed;
    l.n_targets = 1;
    l.targets = targets;
    m.n_loops = 1;
    m.loops = loops;
    facts_add_status(&remedies, &m, now);
}

#define BREAKER(name) SAGA__V1__BREAKER_STATE__BREAKER_STATE_##name

START_TEST(remedies_facts__a_target_is_as_its_worst_loop)
{
    static const struct {
        Saga__V1__BreakerState one, other;
        const char *told;
    } breakers[] = {
        {BREAKER(CLOSED), BREAKER(CLOSED), "CLOSED"},       {BREAKER(CLOSED), BREAKER(HALF_OPEN), "HALF_OPEN"},
        {BREAKER(HALF_OPEN), BREAKER(CLOSED), "HALF_OPEN"}, {BREAKER(OPEN), BREAKER(HALF_OPEN), "OPEN"},
        {BREAKER(HALF_OPEN), BREAKER(OPEN), "OPEN"},        {BREAKER(OPEN), BREAKER(CLOSED), "OPEN"},
    };
    for (size_t i = 0; i < sizeof breakers / sizeof *breakers; i++) {
        begin("", "shop");
        add_target("shop", breakers[i].one, breakers[i].one == BREAKER(CLOSED) ? 0 : 30, 7, 10, 4);
        add_target("shop", breakers[i].other, breakers[i].other == BREAKER(CLOSED) ? 0 : 20, 9, 20, 5);
        add_target("store", BREAKER(OPEN), 500, 500, 1000, 1000);
        facts_end(&remedies);
        ck_assert_str_eq(rule.facts.breaker, breakers[i].told);
        int64_t open_s = breakers[i].one != BREAKER(CLOSED) ? 30 : breakers[i].other != BREAKER(CLOSED) ? 20 : 0;
        ck_assert_int_eq(rule.facts.breaker_open_for.us, open_s * 1000000);
        ck_assert_int_eq(rule.facts.unreachable_for.us, 9500000);
        ck_assert_uint_eq(rule.facts.attempts, 30);
        ck_assert_uint_eq(rule.facts.failed, 9);
        /* Judged by what was counted since the start, and not by the last minutes. */
        ck_assert_uint_eq(rule.facts.all, 3000);
        ck_assert_uint_eq(rule.facts.good, 2100);
    }
    begin("", "");
    add_target("shop", BREAKER(OPEN), 30, 7, 10, 4);
    ck_assert(!rule.facts.has_target);
    ck_assert_uint_eq(rule.facts.attempts, 0);
}
END_TEST

/* ---- objectives ---- */

#define KIND(name) SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_##name

/* Of 5m, 30m, 1h, 2h, 6h, 1d, 3d and all: bad ones of a hundred. */
static void add_objective(const char *definition, Saga__V1__ObjectiveKind kind, double promised, const uint64_t bad[8])
{
    Saga__V1__ObjectiveWindow windows[8], *list[8];
    Saga__V1__Objective o = SAGA__V1__OBJECTIVE__INIT, *objectives[] = {&o};
    Saga__V1__ListObjectivesResponse m = SAGA__V1__LIST_OBJECTIVES_RESPONSE__INIT;
    for (unsigned i = 0; i < 8; i++) {
        saga__v1__objective_window__init(&windows[i]);
        windows[i].all = 100;
        windows[i].bad = bad[i];
        list[i] = &windows[i];
    }
    o.definition = (char *)(uintptr_t)definition;
    o.kind = kind;
    o.promised = promised;
    o.all = 1000;
    o.bad = 300;
    o.n_windows = 8;
    o.windows = list;
    m.n_objectives = 1;
    m.objectives = objectives;
    facts_add_objectives(&remedies, &m);
}

static void assert_near(double is, double should)
{
    ck_assert_msg(is > should - 1e-9 && is < should + 1e-9, "%g, and not %g", is, should);
}

START_TEST(remedies_facts__burns_are_those_of_their_windows)
{
    begin("paid", "");
    add_objective("paid", KIND(SUCCESS), 0.9, (const uint64_t[8]){1, 2, 3, 4, 5, 6, 7, 8});
    add_objective("other", KIND(SUCCESS), 0.9, (const uint64_t[8]){100, 100, 100, 100, 100, 100, 100, 100});
    facts_end(&remedies);
    assert_near(rule.facts.burn_5m, 0.1);
    assert_near(rule.facts.burn_1h, 0.3);
    assert_near(rule.facts.burn_6h, 0.5);
}
END_TEST

START_TEST(remedies_facts__burns_are_of_all_loops_and_the_worst_objective)
{
    begin("paid", "");
    add_objective("paid", KIND(SUCCESS), 0.9, (const uint64_t[8]){10, 0, 0, 0, 0, 0, 0, 0});
    add_objective("paid", KIND(SUCCESS), 0.9, (const uint64_t[8]){20, 0, 0, 0, 0, 0, 0, 0});
    add_objective("paid", KIND(LATENCY), 0.5, (const uint64_t[8]){50, 0, 50, 0, 0, 0, 0, 0});
    facts_end(&remedies);
    assert_near(rule.facts.burn_5m, 1.5); /* 30 of 200, where a tenth may */
    assert_near(rule.facts.burn_1h, 1);
    assert_near(rule.facts.burn_6h, 0);
}
END_TEST

/* Of a kind that only a later version promises nothing is known. */
START_TEST(remedies_facts__an_objective_of_another_kind_is_passed_over)
{
    static const uint64_t all[8] = {100, 100, 100, 100, 100, 100, 100, 100};
    begin("paid", "");
    rule.by_objective = true;
    add_objective("paid", (Saga__V1__ObjectiveKind)OBJECTIVE_KINDS, 0.9, all);
    ck_assert(!rule.kept && !rule.out && !rule.stirred && rule.page == 0 && rule.page_number == 0);
    facts_end(&remedies);
    assert_near(rule.facts.burn_5m, 0);
    ck_assert(!rule.facts.held && rule.facts.all == 0 && rule.facts.good == 0);
}
END_TEST

START_TEST(remedies_facts__judged_by_the_objective_of_success_where_there_is_one)
{
    static const uint64_t none[8] = {0};
    begin("paid", "shop");
    rule.by_objective = true;
    add_objective("paid", KIND(SUCCESS), 0.9, none);
    add_objective("paid", KIND(SUCCESS), 0.9, none);
    add_objective("paid", KIND(LATENCY), 0.9, none);
    add_target("shop", BREAKER(CLOSED), 0, 0, 10, 4);
    facts_end(&remedies);
    ck_assert_uint_eq(rule.facts.all, 2000);
    ck_assert_uint_eq(rule.facts.good, 1400);
}
END_TEST

START_TEST(remedies_facts__begins_anew)
{
    static const uint64_t all[8] = {100, 100, 100, 100, 100, 100, 100, 100};
    begin("paid", "shop");
    add_objective("paid", KIND(SUCCESS), 0.9, all);
    add_target("shop", BREAKER(OPEN), 30, 7, 10, 4);
    add_letters();
    facts_begin(&remedies);
    facts_end(&remedies);
    const struct remedy_facts none = {.has_target = true, .breaker = "CLOSED"};
    ck_assert_str_eq(rule.facts.breaker, none.breaker);
    rule.facts.breaker = none.breaker;
    ck_assert_int_eq(memcmp(&rule.facts, &none, sizeof none), 0);
}
END_TEST

/* Of any loop; and while its own request is on its way through them, what each says may be of before or after it. */
START_TEST(remedies_facts__what_is_held_by_any_loop)
{
    Saga__V1__Hold hold = SAGA__V1__HOLD__INIT, before = hold, behind = hold, *holds[] = {&before, &hold, &behind};
    Saga__V1__LoopStatus with = SAGA__V1__LOOP_STATUS__INIT, without = with, *loops[] = {&with, &without};
    Saga__V1__StatusResponse m = SAGA__V1__STATUS_RESPONSE__INIT;
    with.n_holds = 3;
    with.holds = holds;
    m.n_loops = 2;
    m.loops = loops;
    before.definition = (char *)"a";
    hold.definition = (char *)"paid";
    behind.definition = (char *)"z";
    for (int i = 0; i < 2; i++) {
        begin(i == 0 ? "paid" : "pai", "");
        facts_add_status(&remedies, &m, now);
        facts_end(&remedies);
        ck_assert_int_eq(rule.facts.held, i == 0);
    }
    rule.out = true;
    facts_begin(&remedies);
    rule.out = false;
    facts_end(&remedies);
    ck_assert(rule.facts.held);
    facts_begin(&remedies);
    rule.stirred = true;
    facts_end(&remedies);
    ck_assert(rule.facts.held);
    facts_begin(&remedies);
    facts_end(&remedies);
    ck_assert(!rule.facts.held);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("remedies_facts");
    Suite *s = suite_create("remedies_facts");
    tcase_add_test(c, remedies_facts__dead_letters_of_all);
    tcase_add_test(c, remedies_facts__dead_letters_of_a_definition);
    tcase_add_test(c, remedies_facts__a_target_is_as_its_worst_loop);
    tcase_add_test(c, remedies_facts__burns_are_those_of_their_windows);
    tcase_add_test(c, remedies_facts__burns_are_of_all_loops_and_the_worst_objective);
    tcase_add_test(c, remedies_facts__an_objective_of_another_kind_is_passed_over);
    tcase_add_test(c, remedies_facts__judged_by_the_objective_of_success_where_there_is_one);
    tcase_add_test(c, remedies_facts__begins_anew);
    tcase_add_test(c, remedies_facts__what_is_held_by_any_loop);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
