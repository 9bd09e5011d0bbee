/* What rules of remediation decide, as the journal keeps it: an order outlives a crash until it is answered, and rows of old go on. */
#include "sidecar/core/rulings.h"

#include "sidecar/core/heap.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct owner o;
static struct error_detail detail;
static struct rulings *left;
static struct ruling *rule;
static struct remedy_facts facts;
static const char *aims_at; /* this target */
static Saga__V1__RuleAct does;
static bool judged_by_objective; /* or by the target's counters, which a life begins with none of */

static void close_rule(void)
{
    ruling_destroy(rule);
    rulings_destroy(left);
    rule = NULL;
    left = NULL;
}

/* A life begins, in which "holds" holds this definition; or only says that it would. */
static void open_rule(const char *definition, bool acts)
{
    const struct ruling_options options = {
        .name = "holds",
        .definition = definition,
        .target = aims_at,
        .act = does,
        .by_objective = judged_by_objective,
        .remedy = {.when = "deadletters > 3",
                   .acts = acts,
                   .judged = true,
                   .holds = true,
                   .undone = true,
                   .every = SPAN_S(60),
                   .settle = SPAN_S(10)},
    };
    close_rule();
    ck_assert_int_eq(rulings_create(&heap, &left), 0);
    ck_assert_int_eq(rulings_recover(left, o.store, &detail), 0);
    ck_assert_int_eq(ruling_create(&options, &heap, &rule, &detail), 0);
    ruling_go_on(rule, left, true, NULL, false);
}

static void restart(const char *definition, bool acts)
{
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_restart(&o);
    open_rule(definition, acts);
}

static void setup(void)
{
    owner_open(&o);
    facts = (struct remedy_facts){.deadletters = 4, .breaker = "CLOSED"};
    judged_by_objective = true;
    aims_at = "";
    does = SAGA__V1__RULE_ACT__RULE_ACT_HOLD;
    open_rule("one", true);
}

static void teardown(void)
{
    close_rule();
    owner_close(&o);
}

static enum remedy_verdict look(int64_t seconds)
{
    enum remedy_verdict verdict;
    o.now.us += seconds * 1000000;
    ck_assert_int_eq(ruling_look(rule, o.core, &facts, o.now, &verdict), 0);
    return verdict;
}

static void answer(enum remedy_order order, const char *why)
{
    ck_assert_int_eq(ruling_answered(rule, o.core, order, ruling_mark(rule)->acts, why), 0);
}

START_TEST(ruling__an_order_is_there_until_it_is_answered)
{
    ck_assert_int_eq(look(0), REMEDY_ACT);
    for (int lives = 0; lives < 2; lives++) {
        ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_ACT);
        ck_assert(ruling_mark(rule)->held && ruling_mark(rule)->pending);
        ck_assert_uint_eq(ruling_mark(rule)->acts, 1);
        ck_assert_str_eq(ruling_said(rule), "deadletters > 3: deadletters=4 burn_5m=0 burn_1h=0");
        restart("one", true);
    }
    ck_assert_int_eq(look(5), REMEDY_NOTHING); /* it is not done twice */
    answer(REMEDY_ORDER_ACT, NULL);
    facts.held = true;
    restart("one", true);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_NONE);
    ck_assert(ruling_mark(rule)->held && !ruling_mark(rule)->taken_back);
    ck_assert_int_eq(ruling_take_back(rule, o.core), 0);
    restart("one", true);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_UNDO);
    ck_assert(ruling_mark(rule)->disarmed && ruling_mark(rule)->held);
    answer(REMEDY_ORDER_ACT, NULL); /* late: another has taken its place */
    ck_assert_int_eq(ruling_answered(rule, o.core, REMEDY_ORDER_UNDO, 0, NULL), 0); /* that of an earlier act */
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_UNDO);
    answer(REMEDY_ORDER_UNDO, NULL);
    restart("one", true);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_NONE);
    ck_assert(ruling_mark(rule)->disarmed && !ruling_mark(rule)->held);
    ck_assert_int_eq(ruling_take_back(rule, o.core), 0); /* nothing of it is left */
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_NONE);
}
END_TEST

/* To the microsecond: what may be done again is told by it. And what had been counted by then, which it is judged by. */
START_TEST(ruling__when_it_acted_is_kept)
{
    o.now.us += 123456;
    facts.all = 100;
    facts.good = 90;
    facts.deadletters = 0;
    ck_assert_int_eq(look(0), REMEDY_NOTHING);
    facts.all = 150;
    facts.good = 120;
    facts.deadletters = 4;
    ck_assert_int_eq(look(5), REMEDY_ACT);
    answer(REMEDY_ORDER_ACT, NULL);
    facts.held = true;
    for (int lives = 0; lives < 2; lives++) {
        const struct remedy_mark *m = ruling_mark(rule);
        ck_assert_int_eq(m->acted_at.us, o.now.us);
        ck_assert(m->at_all == 150 && m->at_good == 120 && m->before_all == 50 && m->before_good == 30);
        restart("one", true);
    }
}
END_TEST

/* Counters of a target begin anew with a life, and what was counted by then is not of them: an act is judged by what comes after it. */
START_TEST(ruling__what_acted_before_a_restart_is_judged)
{
    judged_by_objective = false;
    restart("one", true);
    facts.all = 100;
    facts.good = 90;
    facts.deadletters = 0;
    ck_assert_int_eq(look(0), REMEDY_NOTHING);
    facts.all = 200;
    facts.good = 185;
    facts.deadletters = 4;
    ck_assert_int_eq(look(5), REMEDY_ACT);
    answer(REMEDY_ORDER_ACT, NULL);
    restart("one", true);
    const struct remedy_mark *m = ruling_mark(rule);
    ck_assert(m->at_all == 0 && m->at_good == 0 && m->before_all == 100 && m->before_good == 95);
    facts.held = true;
    facts.all = 100;
    facts.good = 10;
    ck_assert_int_eq(look(10), REMEDY_WORSE);
    ck_assert_str_eq(ruling_said(rule), "it made things worse, and is disarmed: before its act 95 of 100 went well, "
                                        "after it 10 of 100");
}
END_TEST

/* One that has never acted has nothing to take back, also after a restart. */
START_TEST(ruling__what_never_acted_is_only_disarmed)
{
    ck_assert_int_eq(ruling_take_back(rule, o.core), 0);
    for (int lives = 0; lives < 2; lives++) {
        ck_assert(ruling_mark(rule)->disarmed);
        ck_assert_int_eq(ruling_mark(rule)->acted_at.us, 0);
        ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_NONE);
        ck_assert_str_eq(ruling_said(rule), "taken back by an operator");
        restart("one", true);
    }
    ck_assert_int_eq(ruling_arm(rule, o.core), 0);
    for (int lives = 0; lives < 2; lives++) {
        ck_assert(!ruling_mark(rule)->disarmed);
        ck_assert_str_eq(ruling_said(rule), "armed by an operator");
        restart("one", true);
    }
}
END_TEST

START_TEST(ruling__what_is_refused_is_not_held)
{
    ck_assert_int_eq(look(0), REMEDY_ACT);
    answer(REMEDY_ORDER_ACT, "64 definitions are held");
    restart("one", true);
    const struct remedy_mark *m = ruling_mark(rule);
    ck_assert(!m->held && !m->pending && m->taken_back && !m->disarmed);
    ck_assert_str_eq(ruling_said(rule), "it could not be done: 64 definitions are held");
    ck_assert_int_eq(look(59), REMEDY_NOTHING);
    ck_assert_str_eq(ruling_said(rule), "it could not be done: 64 definitions are held");
    ck_assert_int_eq(look(1), REMEDY_ACT);
}
END_TEST

/* So long after it was decided who knows what is so: it is taken back, in case that it was done, and the rule decides anew. */
START_TEST(ruling__what_finds_no_answer_is_taken_back)
{
    ck_assert_int_eq(look(0), REMEDY_ACT);
    restart("one", true);
    facts.deadletters = 0;
    ck_assert_int_eq(look(69), REMEDY_JUDGED);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_ACT);
    ck_assert_int_eq(look(1), REMEDY_LATE);
    restart("one", true);
    ck_assert_str_eq(ruling_said(rule), "nobody knows whether its last act was done: it is taken back");
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_UNDO);
    ck_assert(!ruling_mark(rule)->disarmed);
    answer(REMEDY_ORDER_UNDO, NULL);
    ck_assert(!ruling_mark(rule)->held);
    facts = (struct remedy_facts){.deadletters = 12,
                                  .burn_5m = 14.4,
                                  .burn_1h = 6,
                                  .has_target = true,
                                  .breaker = "OPEN",
                                  .attempts = 9,
                                  .failed = 4};
    ck_assert_int_eq(look(0), REMEDY_ACT);
    ck_assert_str_eq(ruling_said(rule),
                     "deadletters > 3: deadletters=12 burn_5m=14.4 burn_1h=6 breaker=OPEN attempts=9 failed=4");
    /* One that is only tried from now on asks for nothing. */
    restart("one", false);
    ck_assert_int_eq(look(0), REMEDY_LATE);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_UNDO);
}
END_TEST

/* Why its question has no answer is said, while there is nothing else to say. */
START_TEST(ruling__what_cannot_be_told_is_said)
{
    const struct ruling_options options = {
        .name = "holds",
        .definition = "one",
        .target = "bank",
        .act = SAGA__V1__RULE_ACT__RULE_ACT_HOLD,
        .remedy = {.when = "attempts > 3 || deadletters > 3", .acts = true, .every = SPAN_S(60), .settle = SPAN_S(10)}};
    ruling_destroy(rule);
    ck_assert_int_eq(ruling_create(&options, &heap, &rule, &detail), 0);
    facts.deadletters = 0;
    ck_assert_int_eq(look(1), REMEDY_NOTHING);
    ck_assert_str_eq(ruling_said(rule),
                     "its question cannot be answered: no such key: what this name stands for is not there");
    facts.deadletters = 4;
    ck_assert_int_eq(look(1), REMEDY_ACT);
    facts.deadletters = 0;
    ck_assert_int_eq(look(1), REMEDY_NOTHING); /* its act is to be answered */
    ck_assert_str_eq(ruling_said(rule), "attempts > 3 || deadletters > 3: deadletters=4 burn_5m=0 burn_1h=0");
}
END_TEST

START_TEST(ruling__what_is_let_go_by_hand_disarms)
{
    ck_assert_int_eq(look(0), REMEDY_ACT);
    ck_assert_int_eq(look(1), REMEDY_NOTHING); /* it is asked for */
    answer(REMEDY_ORDER_ACT, NULL);
    facts.held = true;
    ck_assert_int_eq(look(1), REMEDY_NOTHING);
    facts.held = false;
    ck_assert_int_eq(look(1), REMEDY_LOOSED);
    restart("one", true);
    ck_assert_str_eq(ruling_said(rule), "somebody else took back what it did, and it is disarmed");
    ck_assert(ruling_mark(rule)->disarmed && !ruling_mark(rule)->held);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_NONE);
}
END_TEST

/* A rule that is about something else now has nothing to do with what it did. */
START_TEST(ruling__another_of_its_name_takes_nothing_back)
{
    static const struct {
        const char *definition, *target;
        Saga__V1__RuleAct act;
        bool same;
    } rows[] = {{"one", "bank", SAGA__V1__RULE_ACT__RULE_ACT_TRIP, true},
                {"two", "bank", SAGA__V1__RULE_ACT__RULE_ACT_TRIP, false},
                {"one", "other", SAGA__V1__RULE_ACT__RULE_ACT_TRIP, false},
                {"one", "bank", SAGA__V1__RULE_ACT__RULE_ACT_HOLD, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        teardown();
        owner_open(&o);
        aims_at = "bank";
        does = SAGA__V1__RULE_ACT__RULE_ACT_TRIP;
        open_rule("one", true);
        ck_assert_int_eq(look(0), REMEDY_ACT);
        answer(REMEDY_ORDER_ACT, NULL);
        aims_at = rows[i].target;
        does = rows[i].act;
        restart(rows[i].definition, true);
        ck_assert_msg(ruling_mark(rule)->held == rows[i].same, "row %zu", i);
        ck_assert_int_eq(ruling_mark(rule)->taken_back, !rows[i].same);
        ck_assert_int_eq(ruling_take_back(rule, o.core), 0);
        ck_assert_int_eq(ruling_order(rule), rows[i].same ? REMEDY_ORDER_UNDO : REMEDY_ORDER_NONE);
    }
    /* Nor does it what the other had decided, and nobody has answered. */
    teardown();
    setup();
    ck_assert_int_eq(look(0), REMEDY_ACT);
    restart("two", true);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_NONE);
    ck_assert(!ruling_mark(rule)->held && !ruling_mark(rule)->pending && ruling_mark(rule)->taken_back);
}
END_TEST

/* What is only tried is no act: one that is armed then does not wait for `every`. But what was done counts, also when it was only tried in between. */
START_TEST(ruling__what_was_tried_holds_up_no_act)
{
    restart("one", false);
    ck_assert_int_eq(look(0), REMEDY_WOULD);
    ck_assert_int_eq(look(1), REMEDY_NOTHING);
    restart("one", true);
    ck_assert_int_eq(look(1), REMEDY_ACT);
    answer(REMEDY_ORDER_ACT, NULL);
    facts.held = true;
    ck_assert_int_eq(look(10), REMEDY_JUDGED);
    ck_assert_int_eq(ruling_leave(rule, left), 0);
    restart("one", false);
    restart("one", true);
    ck_assert_int_eq(ruling_mark(rule)->acted_at.us, o.now.us - 10 * 1000000);
}
END_TEST

/* As it was written before orders were: what it did goes on, and can be taken back. */
START_TEST(ruling__rows_of_old_go_on)
{
    static const char row[] = "\x0a\x05holds\x40\x01\x48\x01\x50\x07\x5a\x03\x08\xd2\x09\x6a\x03why\x70\x64\x78\x5a";
    const struct subject_row old = {
        .kind = SUBJECT_REMEDY, .name = bytes_of_text("holds"), .version = 1, .value = bytes_of(row, sizeof row - 1)};
    ck_assert_int_eq(core_set_subject(o.core, &old), 0);
    restart("one", true);
    const struct remedy_mark *m = ruling_mark(rule);
    ck_assert(m->held && m->pending && !m->disarmed && !m->taken_back);
    ck_assert_uint_eq(m->acts, 7);
    ck_assert_int_eq(m->acted_at.us, 1234 * 1000000);
    ck_assert_uint_eq(m->before_all, 100);
    ck_assert_uint_eq(m->before_good, 90);
    ck_assert_str_eq(ruling_said(rule), "why");
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_NONE);
    ck_assert_int_eq(ruling_take_back(rule, o.core), 0);
    ck_assert_int_eq(ruling_order(rule), REMEDY_ORDER_UNDO);
}
END_TEST

/* A rule that asks whether dead letters have been there for half a minute; with `reloads` it takes the place of the one that there is. */
static void open_patient(const char *definition, bool by_objective, bool reloads, bool same)
{
    const struct ruling_options options = {
        .name = "holds",
        .definition = definition,
        .target = aims_at,
        .act = SAGA__V1__RULE_ACT__RULE_ACT_HOLD,
        .by_objective = by_objective,
        .remedy = {.when = "deadletters > 3",
                   .acts = true,
                   .judged = true,
                   .holds = true,
                   .undone = true,
                   .lasts = SPAN_S(30),
                   .every = SPAN_S(60),
                   .settle = SPAN_S(10)},
    };
    struct ruling *before = reloads ? rule : NULL;
    if (!reloads)
        close_rule();
    else
        ck_assert_int_eq(ruling_leave(before, left), 0);
    if (left == NULL)
        ck_assert_int_eq(rulings_create(&heap, &left), 0);
    ck_assert_int_eq(ruling_create(&options, &heap, &rule, &detail), 0);
    ruling_go_on(rule, left, !reloads, before, same);
    ruling_destroy(before);
}

/* The same rule goes on where it was, as long as it is judged by the same counts; another begins to look anew, and what it did is not judged. */
START_TEST(ruling__a_reload_goes_on_where_the_rule_was)
{
    static const struct {
        const char *definition, *target;
        bool by_objective, same, goes_on, pending;
    } rows[] = {{"one", "", true, true, true, true},
                {"one", "", true, false, false, true},
                {"one", "", false, true, false, false},
                {"two", "", true, true, false, false},
                {"one", "bank", true, true, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        facts.held = false;
        aims_at = "";
        open_patient("one", true, false, true);
        ck_assert_int_eq(look(1), REMEDY_NOTHING);
        ck_assert_int_eq(look(29), REMEDY_NOTHING);
        aims_at = rows[i].target;
        open_patient(rows[i].definition, rows[i].by_objective, true, rows[i].same);
        ck_assert_msg(look(1) == (rows[i].goes_on ? REMEDY_ACT : REMEDY_NOTHING), "row %zu", i);
        if (!rows[i].goes_on) {
            ck_assert_int_eq(look(29), REMEDY_NOTHING);
            ck_assert_int_eq(look(1), REMEDY_ACT);
        }
        aims_at = "";
        open_patient("one", true, false, true);
        ck_assert_int_eq(look(1), REMEDY_NOTHING);
        ck_assert_int_eq(look(30), REMEDY_ACT);
        answer(REMEDY_ORDER_ACT, NULL);
        facts.held = true;
        ck_assert(ruling_mark(rule)->pending);
        aims_at = rows[i].target;
        open_patient(rows[i].definition, rows[i].by_objective, true, rows[i].same);
        ck_assert_int_eq(ruling_mark(rule)->pending, rows[i].pending);
        ck_assert_uint_eq(ruling_mark(rule)->acts, 1);
    }
}
END_TEST

/* A target's counters go on over a reload, and begin anew with the process. */
START_TEST(ruling__what_acted_before_a_reload_is_judged_by_the_counts_of_then)
{
    open_patient("one", false, false, true);
    ck_assert_int_eq(look(1), REMEDY_NOTHING);
    facts.all = 100;
    facts.good = 90;
    ck_assert_int_eq(look(30), REMEDY_ACT);
    answer(REMEDY_ORDER_ACT, NULL);
    open_patient("one", false, true, false);
    ck_assert(ruling_mark(rule)->pending);
    ck_assert_uint_eq(ruling_mark(rule)->at_all, 100);
    ck_assert_uint_eq(ruling_mark(rule)->at_good, 90);
    facts.all = 110;
    facts.good = 91;
    facts.held = true;
    ck_assert_int_eq(look(10), REMEDY_WORSE);
    ck_assert_str_eq(ruling_said(rule), "it made things worse, and is disarmed: before its act 90 of 100 went well, "
                                        "after it 1 of 10");
    ck_assert_int_eq(ruling_leave(rule, left), 0);
    ruling_go_on(rule, left, true, NULL, false);
    ck_assert_ptr_nonnull(strstr(ruling_said(rule), "it made things worse")); /* what it said last */
    ck_assert_uint_eq(ruling_mark(rule)->at_all, 0);
    ck_assert_uint_eq(ruling_mark(rule)->at_good, 0);
}
END_TEST

/* A name is as long as may be, and no longer. */
START_TEST(ruling__a_name_has_its_bound)
{
    char name[RULING_NAME_BYTES + 2] = "";
    uint8_t row[2 * sizeof name];
    Saga__V1__Rule m = SAGA__V1__RULE__INIT;
    memset(name, 'n', RULING_NAME_BYTES + (size_t)_i);
    m.name = name;
    size_t size = saga__v1__rule__pack(&m, row);
    const struct subject_row kept = {
        .kind = SUBJECT_REMEDY, .name = bytes_of_text("x"), .version = 1, .value = bytes_of(row, size)};
    ck_assert_int_eq(core_set_subject(o.core, &kept), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    close_rule();
    ck_assert_int_eq(rulings_create(&heap, &left), 0);
    ck_assert_int_eq(rulings_recover(left, o.store, &detail), _i == 0 ? 0 : E_JOURNAL_CORRUPT);
}
END_TEST

START_TEST(ruling__what_is_no_row_is_damage)
{
    const struct subject_row bad = {
        .kind = SUBJECT_REMEDY, .name = bytes_of_text("x"), .version = 1, .value = bytes_of_text("\xff")};
    ck_assert_int_eq(core_set_subject(o.core, &bad), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    close_rule();
    ck_assert_int_eq(rulings_create(&heap, &left), 0);
    ck_assert_int_eq(rulings_recover(left, o.store, &detail), E_JOURNAL_CORRUPT);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("ruling");
    Suite *s = suite_create("ruling");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, ruling__an_order_is_there_until_it_is_answered);
    tcase_add_test(c, ruling__when_it_acted_is_kept);
    tcase_add_test(c, ruling__what_acted_before_a_restart_is_judged);
    tcase_add_test(c, ruling__what_never_acted_is_only_disarmed);
    tcase_add_test(c, ruling__what_is_refused_is_not_held);
    tcase_add_test(c, ruling__what_finds_no_answer_is_taken_back);
    tcase_add_test(c, ruling__what_cannot_be_told_is_said);
    tcase_add_test(c, ruling__what_is_let_go_by_hand_disarms);
    tcase_add_test(c, ruling__another_of_its_name_takes_nothing_back);
    tcase_add_test(c, ruling__what_was_tried_holds_up_no_act);
    tcase_add_test(c, ruling__rows_of_old_go_on);
    tcase_add_test(c, ruling__a_reload_goes_on_where_the_rule_was);
    tcase_add_test(c, ruling__what_acted_before_a_reload_is_judged_by_the_counts_of_then);
    tcase_add_loop_test(c, ruling__a_name_has_its_bound, 0, 2);
    tcase_add_test(c, ruling__what_is_no_row_is_damage);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
