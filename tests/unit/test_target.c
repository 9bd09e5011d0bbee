/* One target by itself: how long it is waited for, who is next, who is one too many, and what is told of those that leave. */
#include "sidecar/core/heap.h"
#include "sidecar/engine/target.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct fair_table keys;
static struct target t;
static struct step steps[16];

static const struct target_key alice = {FAIR_NORMAL, 1}, bob = {FAIR_NORMAL, 2};

static struct instant at(int64_t s)
{
    return (struct instant){.us = s * 1000000};
}

static void set_up(void)
{
    static char name[] = "t";
    ck_assert_int_eq(fair_init(&keys, &heap, 16), 0);
    t = (struct target){.name = name, .places = 8, .keys = &keys};
    memset(steps, 0, sizeof steps);
}

static void tear_down(void)
{
    for (unsigned i = 0; i < 16; i++)
        if (steps[i].queued)
            target_unqueue(&t, &steps[i]);
    fair_finish(&keys);
}

static void queue(unsigned i, enum target_class class, struct target_key key, int64_t s)
{
    target_queue(&t, &steps[i], class, key, at(s));
}

static int64_t longest(int64_t s)
{
    return target_longest(&t, at(s)).us / 1000000;
}

START_TEST(target__the_longest_wait_is_of_whichever_class)
{
    ck_assert_int_eq(longest(100), 0);
    for (unsigned class = 0; class < CLASS_COUNT; class ++)
        queue(class, (enum target_class) class, alice, 10 + class);
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        ck_assert_int_eq(longest(100), 90 - (int64_t) class);
        target_unqueue(&t, &steps[class]);
    }
    ck_assert_int_eq(longest(100), 0);
}
END_TEST

START_TEST(target__who_comes_back_stands_where_he_stood)
{
    struct instant again;
    queue(0, CLASS_BOUNDED, alice, 1);
    queue(1, CLASS_BOUNDED, alice, 2);
    target_take_turn(&t, &steps[0]);
    target_unqueue(&t, &steps[0]);
    queue(0, CLASS_BOUNDED, alice, 3);
    ck_assert_ptr_eq(target_first(&t, at(4), &again), &steps[0]);
    ck_assert_int_eq(longest(4), 3); /* it has waited all the time */
    target_unqueue(&t, &steps[0]);
    target_forget(&steps[0]);
    queue(0, CLASS_BOUNDED, alice, 5);
    ck_assert_ptr_eq(target_first(&t, at(6), &again), &steps[1]);
    ck_assert_int_eq(longest(6), 4);
}
END_TEST

/* A flood under one key leaves the others a ninth. */
START_TEST(target__one_key_does_not_fill_it)
{
    t.pending_max = 9;
    queue(9, CLASS_PATIENT, alice, 1); /* undos and the like do not count */
    for (unsigned i = 0; i < 7; i++) {
        ck_assert(!target_crowded(&t, alice));
        queue(i, CLASS_BOUNDED, alice, 1);
    }
    ck_assert(!target_crowded(&t, alice));
    queue(7, CLASS_BOUNDED, alice, 1);
    ck_assert(target_crowded(&t, alice));
    ck_assert(!target_crowded(&t, bob));
    queue(8, CLASS_BOUNDED, bob, 1);
    ck_assert(target_crowded(&t, bob)); /* and nobody is let in beyond it */
    t.pending_max = 0;
    ck_assert(!target_crowded(&t, alice));
}
END_TEST

/* With itself: eight of eight places taken are told as eight, and as seven of the next. */
START_TEST(target__what_comes_back_tells_how_many_were_in_flight)
{
    limit_set(&t.limit, 8);
    for (unsigned i = 0; i < 3; i++)
        target_enter(&t, &steps[i], CLASS_BOUNDED, at(1));
    t.limit.began_at = at(1);
    target_leave(&t, &steps[0], at(2), BREAKER_NOTHING);
    ck_assert_uint_eq(t.limit.count, 0); /* what never left tells nothing */
    target_leave(&t, &steps[1], at(2), BREAKER_ANSWERED);
    ck_assert_uint_eq(t.limit.most, 2);
    ck_assert_uint_eq(t.limit.count, 1);
    ck_assert_uint_eq(t.limit.failed, 0);
    target_leave(&t, &steps[2], at(2), BREAKER_FAILED);
    ck_assert_uint_eq(t.limit.most, 2);
    ck_assert_uint_eq(t.limit.failed, 1);
    ck_assert_uint_eq(t.places_taken, 0);
}
END_TEST

START_TEST(target__those_that_nobody_waits_for_are_counted)
{
    steps[0].deferred = true;
    queue(0, CLASS_PATIENT, alice, 1);
    queue(1, CLASS_PATIENT, alice, 1);
    ck_assert_uint_eq(t.deferred, 1);
    target_unqueue(&t, &steps[1]);
    ck_assert_uint_eq(t.deferred, 1);
    target_unqueue(&t, &steps[0]);
    ck_assert_uint_eq(t.deferred, 0);
}
END_TEST

/* While both may leave, a retry and one that is none by turns, of actions and of undos; undos before all. */
START_TEST(target__retries_take_turns_with_the_others)
{
    static const enum target_class classes[2][2] = {{CLASS_BOUNDED, CLASS_RETRY}, {CLASS_UNDO, CLASS_RETRY_UNDO}};
    struct instant again;
    for (unsigned i = 0; i < 12; i++)
        queue(i, classes[i / 6][i % 2], alice, 1);
    for (unsigned i = 0; i < 12; i++) {
        struct step *next = target_first(&t, at(2), &again);
        ck_assert_uint_eq(next->class, classes[i < 6][i % 2 == 0]);
        target_take_turn(&t, next);
        target_unqueue(&t, next);
    }
}
END_TEST

/* Whoever has had a turn lets those of other keys go first. */
START_TEST(target__keys_take_turns)
{
    static const unsigned order[] = {0, 2, 1, 3};
    struct instant again;
    for (unsigned i = 0; i < 4; i++)
        queue(i, CLASS_BOUNDED, i < 2 ? alice : bob, 1);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_ptr_eq(target_first(&t, at(2), &again), &steps[order[i]]);
        target_take_turn(&t, &steps[order[i]]);
        target_unqueue(&t, &steps[order[i]]);
    }
}
END_TEST

/* Of retries, and what comes back well alone. */
START_TEST(target__a_retry_that_comes_back_well_pays_for_another)
{
    static const enum target_class classes[] = {CLASS_BOUNDED, CLASS_RETRY, CLASS_RETRY, CLASS_RETRY, CLASS_RETRY_UNDO};
    static const enum breaker_outcome outcomes[] = {BREAKER_ANSWERED, BREAKER_NOTHING, BREAKER_FAILED, BREAKER_ANSWERED,
                                                    BREAKER_ANSWERED};
    budget_set(&t.budget, &(struct budget_options){.percent = 10, .min_per_second = 10});
    struct instant again;
    budget_admits(&t.budget, at(1), false, &again);
    for (unsigned i = 0; i < 5; i++) {
        if (i > 0)
            ck_assert(budget_admits(&t.budget, at(60), i == 4, &again));
        target_enter(&t, &steps[i], classes[i], at(60));
        int64_t left = t.budget.left;
        target_leave(&t, &steps[i], at(61), outcomes[i]);
        ck_assert_int_eq(t.budget.left > left, i >= 3);
    }
}
END_TEST

/* When the next may leave is told of whoever can be the next: here an undo that is a retry, and nobody else. */
START_TEST(target__a_retry_of_an_undo_tells_when_it_may_leave)
{
    struct instant again;
    budget_set(&t.budget, &(struct budget_options){.percent = 10, .min_per_second = 1});
    queue(0, CLASS_RETRY_UNDO, alice, 1);
    for (unsigned i = 0; target_first(&t, at(1), &again) != NULL; i++) {
        ck_assert_uint_lt(i, 100);
        budget_leave(&t.budget, true);
    }
    ck_assert(instant_before(at(1), again) && instant_before(again, at(3)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("target");
    TCase *c = tcase_create("target");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, target__the_longest_wait_is_of_whichever_class);
    tcase_add_test(c, target__a_retry_of_an_undo_tells_when_it_may_leave);
    tcase_add_test(c, target__who_comes_back_stands_where_he_stood);
    tcase_add_test(c, target__one_key_does_not_fill_it);
    tcase_add_test(c, target__what_comes_back_tells_how_many_were_in_flight);
    tcase_add_test(c, target__those_that_nobody_waits_for_are_counted);
    tcase_add_test(c, target__keys_take_turns);
    tcase_add_test(c, target__retries_take_turns_with_the_others);
    tcase_add_test(c, target__a_retry_that_comes_back_well_pays_for_another);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
