/* Rules of remediation: slow to act, seldom, judged, and off when they are worse than nothing. */
#include "sidecar/remedy/remedy.h"

#include "sidecar/core/heap.h"

#include <check.h>
#include <stdlib.h>

static struct remedy *rule;
static struct error_detail detail;
static struct instant now;
static struct remedy_facts facts;

static void make(const char *when, struct span lasts, struct span every, struct span settle)
{
    const struct remedy_options options = {
        .when = when, .acts = true, .judged = true, .lasts = lasts, .every = every, .settle = settle};
    remedy_destroy(rule);
    rule = NULL;
    int code = remedy_create(&options, &heap, &rule, &detail);
    ck_assert_msg(code == 0, "%s: %s", when, detail.text);
    now.us = INT64_C(1700000000) * 1000000;
    facts = (struct remedy_facts){.deadletters = 20, .has_target = true, .breaker = "CLOSED"};
}

static void finish(void)
{
    remedy_destroy(rule);
    rule = NULL;
}

/* So many seconds later, with so many more of which so many went well. */
static enum remedy_verdict after(int64_t seconds, uint64_t all, uint64_t good)
{
    now.us += seconds * 1000000;
    facts.all += all;
    facts.good += good;
    enum remedy_verdict verdict = remedy_look(rule, &facts, now);
    if (verdict == REMEDY_ACT) {
        ck_assert_int_eq(remedy_mark(rule)->order, REMEDY_ORDER_ACT);
        ck_assert(remedy_answered(rule, REMEDY_ORDER_ACT, remedy_mark(rule)->acts, true));
    }
    return verdict;
}

START_TEST(remedy__sees_what_is_so)
{
    static const struct {
        const char *when;
        bool is_so;
    } all[] = {
        {"deadletters > 10 && breaker == 'CLOSED'", true},
        {"deadletters == 20 && failed_share == 0.25 && attempts == 8 && failed == 2", true},
        {"oldest_deadletter > duration('59m') && live == 30", true},
        {"burn_5m > 14.4 && burn_1h < burn_5m && burn_6h == 5.0", true},
        {"breaker_open_for == duration('90s') && unreachable_for == duration('30s')", true},
        {"deadletters > 20", false},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        make(all[i].when, SPAN_S(0), SPAN_S(60), SPAN_S(60));
        facts.oldest_deadletter = SPAN_S(3600);
        facts.live = 30;
        facts.attempts = 8;
        facts.failed = 2;
        facts.burn_5m = 20;
        facts.burn_1h = 15;
        facts.burn_6h = 5;
        facts.breaker_open_for = SPAN_S(90);
        facts.unreachable_for = SPAN_S(30);
        ck_assert_msg((after(0, 0, 0) == REMEDY_ACT) == all[i].is_so, "%s: %s", all[i].when, remedy_trouble(rule));
    }
}
END_TEST

START_TEST(remedy__refuses_what_is_no_question)
{
    static const struct {
        const char *when, *words;
    } wrong[] = {{"deadletters", "neither true nor"},
                 {"deadleters > 1", "column 1: "},
                 {"live > 0 && deadleters > 1", "column 13: "},
                 {"breaker ==", "column 11: "},
                 /* has() is of fields: whether a fact is known cannot be asked */
                 {"has(deadletters)", "column 5: "},
                 {"!has(breaker) || breaker == 'OPEN'", "column 6: "}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct remedy_options options = {.when = wrong[i].when, .every = SPAN_S(60), .settle = SPAN_S(60)};
        ck_assert_int_eq(remedy_create(&options, &heap, &rule, &detail), E_ARGUMENT);
        ck_assert_str_eq(detail.field, "when");
        ck_assert_msg(strstr(detail.text, wrong[i].words) != NULL, "%s", detail.text);
        ck_assert_uint_gt(strlen(detail.text), strlen(wrong[i].words)); /* and what is wrong there */
    }
}
END_TEST

START_TEST(remedy__what_is_not_known_is_no_reason)
{
    make("breaker == 'OPEN'", SPAN_S(0), SPAN_S(60), SPAN_S(60));
    facts.has_target = false;
    ck_assert_int_eq(after(0, 0, 0), REMEDY_NOTHING);
    ck_assert_str_eq(remedy_trouble(rule), "no such key: what this name stands for is not there");
    static const char *const of_a_target[] = {"breaker != ''",
                                              "breaker_open_for >= duration('0s')",
                                              "unreachable_for >= duration('0s')",
                                              "attempts >= 0",
                                              "failed >= 0",
                                              "failed_share >= 0.0"};
    for (size_t i = 0; i < sizeof of_a_target / sizeof of_a_target[0]; i++)
        for (int there = 0; there < 2; there++) {
            make(of_a_target[i], SPAN_S(0), SPAN_S(60), SPAN_S(60));
            facts.has_target = there;
            ck_assert_int_eq(after(0, 0, 0), there ? REMEDY_ACT : REMEDY_NOTHING);
            ck_assert_int_eq(remedy_trouble(rule)[0] == '\0', there);
        }
    make("breaker == 'OPEN'", SPAN_S(0), SPAN_S(60), SPAN_S(60));
    facts.has_target = false;
    ck_assert_int_eq(after(0, 0, 0), REMEDY_NOTHING);
    facts.has_target = true; /* and once it is known, no trouble */
    ck_assert_int_eq(after(1, 0, 0), REMEDY_NOTHING);
    ck_assert_str_eq(remedy_trouble(rule), "");
    make("dyn(1)", SPAN_S(0), SPAN_S(60), SPAN_S(60)); /* nor is what is neither true nor false */
    ck_assert_int_eq(after(0, 0, 0), REMEDY_NOTHING);
    make("dyn(true)", SPAN_S(0), SPAN_S(60), SPAN_S(60));
    ck_assert_int_eq(after(0, 0, 0), REMEDY_ACT);
}
END_TEST

START_TEST(remedy__waits_until_it_has_been_so_for_long_enough)
{
    make("deadletters > 10", SPAN_S(30), SPAN_S(60), SPAN_S(60));
    ck_assert_int_eq(after(0, 0, 0), REMEDY_NOTHING);
    ck_assert_int_eq(after(20, 0, 0), REMEDY_NOTHING);
    facts.deadletters = 0; /* a hiccup */
    ck_assert_int_eq(after(5, 0, 0), REMEDY_NOTHING);
    ck_assert_int_eq(remedy_true_since(rule).us, 0);
    facts.deadletters = 20;
    ck_assert_int_eq(after(5, 0, 0), REMEDY_NOTHING);
    ck_assert_int_eq(after(29, 0, 0), REMEDY_NOTHING);
    ck_assert_int_eq(after(1, 0, 0), REMEDY_ACT);
}
END_TEST

START_TEST(remedy__acts_at_most_so_often_and_is_judged_before)
{
    make("deadletters > 10", SPAN_S(0), SPAN_S(600), SPAN_S(100));
    ck_assert_int_eq(after(0, 100, 50), REMEDY_ACT);
    ck_assert_int_eq(after(50, 10, 5), REMEDY_NOTHING);
    ck_assert_int_eq(after(50, 10, 5), REMEDY_JUDGED);
    ck_assert_int_eq(after(499, 0, 0), REMEDY_NOTHING);
    ck_assert_int_eq(after(1, 0, 0), REMEDY_ACT);
    ck_assert_uint_eq(remedy_mark(rule)->acts, 2);
    make("deadletters > 10", SPAN_S(0), SPAN_S(50), SPAN_S(100));
    ck_assert_int_eq(after(0, 100, 50), REMEDY_ACT);
    ck_assert_int_eq(after(60, 10, 5), REMEDY_NOTHING); /* it is not judged yet */
    ck_assert_int_eq(after(40, 10, 5), REMEDY_JUDGED);
    ck_assert_int_eq(after(0, 0, 0), REMEDY_ACT);
}
END_TEST

static void make_of(const struct remedy_options *options)
{
    make("true", SPAN_S(0), SPAN_S(60), SPAN_S(60));
    finish();
    ck_assert_int_eq(remedy_create(options, &heap, &rule, &detail), 0);
}

/* Whether it was done is not known: so it is undone, where it can be. */
START_TEST(remedy__an_act_without_an_answer_is_late)
{
    for (unsigned of = 0; of < 8; of++) {
        const struct remedy_options options = {.when = "true",
                                               .acts = true,
                                               .judged = (of & 1) != 0,
                                               .holds = (of & 2) != 0,
                                               .undone = (of & 4) != 0,
                                               .every = SPAN_S(60),
                                               .settle = SPAN_S(100)};
        make_of(&options);
        facts.held = options.holds;
        const struct remedy_mark *m = remedy_mark(rule);
        ck_assert_int_eq(remedy_look(rule, &facts, now), REMEDY_ACT);
        ck_assert(m->held == options.holds && m->pending == options.judged && !m->taken_back);
        ck_assert_int_eq(after(60, 0, 0), REMEDY_NOTHING);
        ck_assert_int_eq(after(40, 0, 0), options.judged ? REMEDY_JUDGED : REMEDY_NOTHING);
        ck_assert_int_eq(after(59, 0, 0), REMEDY_NOTHING);
        ck_assert_int_eq(after(1, 0, 0), REMEDY_LATE);
        ck_assert_int_eq(m->order, options.undone ? REMEDY_ORDER_UNDO : REMEDY_ORDER_NONE);
        ck_assert(m->held == (options.holds && options.undone) && !m->pending && m->taken_back);
    }
    /* One that was ordered before the rule was told to try alone, and that nobody has answered: it is of no use. */
    const struct remedy_options tries = {.when = "true", .every = SPAN_S(60), .settle = SPAN_S(60)};
    make_of(&tries);
    const struct remedy_mark ordered = {.acts = 1, .acted_at = now, .order = REMEDY_ORDER_ACT, .pending = true};
    remedy_restore(rule, &ordered);
    ck_assert_int_eq(after(1, 0, 0), REMEDY_LATE);
    ck_assert(!remedy_mark(rule)->pending);
}
END_TEST

/* What was refused changes nothing: there is nothing to judge, nothing that is held, and nothing to undo. */
START_TEST(remedy__a_refused_act_is_none)
{
    const struct remedy_options options = {.when = "true",
                                           .acts = true,
                                           .judged = true,
                                           .holds = true,
                                           .undone = true,
                                           .every = SPAN_S(60),
                                           .settle = SPAN_S(60)};
    const struct remedy_mark *m;
    for (int done = 0; done < 2; done++) {
        make_of(&options);
        m = remedy_mark(rule);
        ck_assert_int_eq(remedy_look(rule, &facts, now), REMEDY_ACT);
        ck_assert(!remedy_answered(rule, REMEDY_ORDER_NONE, m->acts, done));
        ck_assert(!remedy_answered(rule, REMEDY_ORDER_UNDO, m->acts, done));
        ck_assert(!remedy_answered(rule, REMEDY_ORDER_ACT, m->acts + 1, done));
        ck_assert_int_eq(m->order, REMEDY_ORDER_ACT);
        ck_assert(remedy_answered(rule, REMEDY_ORDER_ACT, m->acts, done));
        ck_assert(m->held == done && m->pending == done && m->taken_back != done);
        remedy_take_back(rule);
        ck_assert_int_eq(m->order, done ? REMEDY_ORDER_UNDO : REMEDY_ORDER_NONE);
        ck_assert(!m->pending && m->disarmed && m->taken_back);
        if (done)
            ck_assert(remedy_answered(rule, REMEDY_ORDER_UNDO, m->acts, true));
        remedy_take_back(rule); /* it is back already */
        ck_assert_int_eq(m->order, REMEDY_ORDER_NONE);
    }
}
END_TEST

/* Before the act 90 of 100 went well; afterwards fewer: it stops itself, and stays so until somebody arms it. */
START_TEST(remedy__that_makes_things_worse_stops_itself)
{
    make("deadletters > 10", SPAN_S(60), SPAN_S(60), SPAN_S(60));
    ck_assert_int_eq(after(0, 1000, 1000), REMEDY_NOTHING);
    ck_assert_int_eq(after(30, 50, 45), REMEDY_NOTHING);
    ck_assert_int_eq(after(30, 50, 45), REMEDY_ACT);
    ck_assert_uint_eq(remedy_mark(rule)->before_all, 100);
    ck_assert_uint_eq(remedy_mark(rule)->before_good, 90);
    ck_assert_int_eq(after(30, 50, 40), REMEDY_NOTHING);
    struct remedy_mark kept = *remedy_mark(rule); /* a restart in between */
    make("deadletters > 10", SPAN_S(60), SPAN_S(60), SPAN_S(60));
    remedy_restore(rule, &kept);
    now.us = kept.acted_at.us + 30000000;
    facts.all = 1150;
    facts.good = 1130;
    ck_assert_int_eq(after(30, 50, 40), REMEDY_WORSE);
    ck_assert(remedy_mark(rule)->disarmed);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(after(60, 10, 10), REMEDY_NOTHING);
    remedy_arm(rule);
    ck_assert_int_eq(after(10, 10, 10), REMEDY_NOTHING);
    ck_assert_int_eq(after(60, 10, 10), REMEDY_ACT);
}
END_TEST

START_TEST(remedy__that_does_no_harm_goes_on)
{
    static const struct {
        uint64_t all, good;
    } ends[] = {{100, 90}, {100, 91}, {0, 0}};
    for (size_t i = 0; i < 3; i++) {
        make("deadletters > 10", SPAN_S(60), SPAN_S(60), SPAN_S(60));
        after(0, 0, 0);
        ck_assert_int_eq(after(60, 100, 90), REMEDY_ACT);
        ck_assert_int_eq(after(60, ends[i].all, ends[i].good), REMEDY_JUDGED);
    }
}
END_TEST

/* A counter that began anew, as a target's at a restart, tells nothing. */
START_TEST(remedy__counters_may_begin_anew)
{
    make("deadletters > 10", SPAN_S(60), SPAN_S(60), SPAN_S(60));
    after(0, 500, 500);
    ck_assert_int_eq(after(60, 100, 100), REMEDY_ACT);
    facts.all = facts.good = 0;
    ck_assert_int_eq(after(60, 10, 0), REMEDY_JUDGED);
    ck_assert_int_eq(after(10, 0, 0), REMEDY_ACT);
}
END_TEST

START_TEST(remedy__what_goes_on_is_not_done_twice)
{
    const struct remedy_options options = {.when = "true",
                                           .acts = true,
                                           .judged = true,
                                           .holds = true,
                                           .undone = true,
                                           .every = SPAN_S(60),
                                           .settle = SPAN_S(60)};
    make("true", SPAN_S(0), SPAN_S(60), SPAN_S(60));
    finish();
    ck_assert_int_eq(remedy_create(&options, &heap, &rule, &detail), 0);
    ck_assert_int_eq(after(0, 0, 0), REMEDY_ACT);
    facts.held = true;
    ck_assert_int_eq(after(60, 0, 0), REMEDY_JUDGED);
    ck_assert_int_eq(after(600, 0, 0), REMEDY_NOTHING);
    remedy_take_back(rule);
    remedy_arm(rule);
    ck_assert_int_eq(after(60, 0, 0), REMEDY_NOTHING); /* not before it is taken back */
    ck_assert(remedy_answered(rule, REMEDY_ORDER_UNDO, remedy_mark(rule)->acts, true));
    ck_assert_int_eq(after(60, 0, 0), REMEDY_ACT);
    facts.held = false; /* by somebody else: then there is nothing to judge */
    ck_assert_int_eq(after(1, 0, 0), REMEDY_LOOSED);
    ck_assert(remedy_mark(rule)->disarmed && !remedy_mark(rule)->held && !remedy_mark(rule)->pending);
    ck_assert_int_eq(after(60, 0, 0), REMEDY_NOTHING);
}
END_TEST

START_TEST(remedy__that_is_tried_says_what_it_would_do)
{
    const struct remedy_options options = {
        .when = "deadletters > 10", .judged = true, .holds = true, .every = SPAN_S(60), .settle = SPAN_S(60)};
    make("true", SPAN_S(0), SPAN_S(60), SPAN_S(60));
    finish();
    ck_assert_int_eq(remedy_create(&options, &heap, &rule, &detail), 0);
    ck_assert_int_eq(after(0, 0, 0), REMEDY_WOULD);
    ck_assert_int_eq(after(59, 0, 0), REMEDY_NOTHING);
    ck_assert_int_eq(after(1, 0, 0), REMEDY_WOULD);
    ck_assert(!remedy_mark(rule)->held && !remedy_mark(rule)->pending && remedy_mark(rule)->taken_back);
    remedy_take_back(rule);
    ck_assert_int_eq(remedy_mark(rule)->order, REMEDY_ORDER_NONE); /* there is nothing to take back */
}
END_TEST

/* It is judged by what came in `settle` before its act: no less, and little more, however often it looks and for however long it has. */
START_TEST(remedy__counts_what_came_before_as_long_as_after)
{
    for (int looks = 100; looks <= 1300; looks += 400) {
        make("deadletters > 20", SPAN_S(0), SPAN_S(60), SPAN_S(3600));
        for (int i = 0; i < looks; i++)
            ck_assert_int_eq(after(10, 2, i % 2), REMEDY_NOTHING); /* also while nothing goes well */
        facts.deadletters = 21;
        ck_assert_int_eq(after(10, 2, 0), REMEDY_ACT);
        const struct remedy_mark *m = remedy_mark(rule);
        uint64_t most = (uint64_t)looks < 360 ? (uint64_t)looks : 360; /* looks, of ten seconds each */
        ck_assert_uint_ge(m->before_all, 2 * most);
        ck_assert_uint_le(m->before_all, 2 * (most + 13));
        ck_assert_uint_ge(m->before_good, most / 2);
        ck_assert_uint_le(m->before_good, (most + 14) / 2);
        ck_assert_uint_eq(m->at_good, facts.good);
        ck_assert_uint_eq(m->at_all, facts.all);
    }
    /* Of what is just as old as that, it counts from there. */
    make("deadletters > 20", SPAN_S(0), SPAN_S(60), SPAN_S(60));
    for (uint64_t i = 1; i <= 3; i++)
        ck_assert_int_eq(after(30, i, i), REMEDY_NOTHING);
    facts.deadletters = 21;
    ck_assert_int_eq(after(30, 4, 0), REMEDY_ACT);
    ck_assert_uint_eq(remedy_mark(rule)->before_all, 3 + 4);
    ck_assert_uint_eq(remedy_mark(rule)->before_good, 3);
    /* A counter that stands one lower than it did has begun anew. */
    make("deadletters > 20", SPAN_S(0), SPAN_S(60), SPAN_S(3600));
    ck_assert_int_eq(after(10, 5, 5), REMEDY_NOTHING);
    facts.good--;
    facts.deadletters = 21;
    ck_assert_int_eq(after(10, 1, 0), REMEDY_ACT);
    ck_assert_uint_eq(remedy_mark(rule)->before_all, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remedy");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, NULL, finish);
    tcase_add_test(all, remedy__sees_what_is_so);
    tcase_add_test(all, remedy__refuses_what_is_no_question);
    tcase_add_test(all, remedy__what_is_not_known_is_no_reason);
    tcase_add_test(all, remedy__waits_until_it_has_been_so_for_long_enough);
    tcase_add_test(all, remedy__acts_at_most_so_often_and_is_judged_before);
    tcase_add_test(all, remedy__an_act_without_an_answer_is_late);
    tcase_add_test(all, remedy__a_refused_act_is_none);
    tcase_add_test(all, remedy__that_makes_things_worse_stops_itself);
    tcase_add_test(all, remedy__that_does_no_harm_goes_on);
    tcase_add_test(all, remedy__counters_may_begin_anew);
    tcase_add_test(all, remedy__what_goes_on_is_not_done_twice);
    tcase_add_test(all, remedy__that_is_tried_says_what_it_would_do);
    tcase_add_test(all, remedy__counts_what_came_before_as_long_as_after);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
