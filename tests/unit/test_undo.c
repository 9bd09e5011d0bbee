/* The order of compensations: small cases by hand, and all small sagas against the rules themselves. */
#include "compensations/undo.h"

#include <check.h>
#include <stdlib.h>

enum { STEPS = 8 };

enum {
    NONE = SAGA_COMPENSATION_NONE,
    OWED = SAGA_COMPENSATION_OWED,
    STARTED = SAGA_COMPENSATION_STARTED,
    DONE = SAGA_COMPENSATION_DONE,
    FAILED = SAGA_COMPENSATION_FAILED,
    SKIPPED = SAGA_COMPENSATION_SKIPPED,
};

struct fake {
    size_t count;
    uint8_t state[STEPS];
    uint32_t order[STEPS];
    bool needs[STEPS][STEPS]; /* [later][earlier], transitively */
};

static uint8_t state_of(const void *saga, size_t step)
{
    return ((const struct fake *)saga)->state[step];
}

static uint32_t order_of(const void *saga, size_t step)
{
    return ((const struct fake *)saga)->order[step];
}

static const uint64_t *ancestors_of(const void *saga, size_t step)
{
    static uint64_t set[1];
    set[0] = 0;
    for (size_t earlier = 0; earlier < STEPS; earlier++)
        set[0] |= (uint64_t)((const struct fake *)saga)->needs[step][earlier] << earlier;
    return set;
}

static struct saga_undo_view reverse_view(const struct fake *fake)
{
    return (struct saga_undo_view){fake, fake->count, state_of, order_of, NULL};
}

static struct saga_undo_view dependency_view(const struct fake *fake)
{
    return (struct saga_undo_view){fake, fake->count, state_of, order_of, ancestors_of};
}

#define MANY 65

static uint8_t owed_all(const void *saga, size_t step)
{
    (void)saga, (void)step;
    return OWED;
}

/* The first step waits for the last; steps are not numbered in the order in which they run. */
static const uint64_t *ancestors_of_many(const void *saga, size_t step)
{
    static const uint64_t none[2], last[2] = {0, UINT64_C(1) << (MANY - 65)};
    (void)saga;
    return step == 0 ? last : none;
}

START_TEST(undo__steps_beyond_the_sixty_fourth_wait_too)
{
    const struct saga_undo_view view = {NULL, MANY, owed_all, NULL, ancestors_of_many};
    uint16_t next[MANY];
    ck_assert_uint_eq(saga_undo_next(&view, next, MANY), MANY - 1);
    ck_assert_uint_eq(next[MANY - 2], MANY - 2);
}
END_TEST

START_TEST(undo__owed_by_what_took_effect_or_may_have)
{
    for (uint8_t action = SAGA_ACTION_PENDING; action <= SAGA_ACTION_SKIPPED; action++) {
        bool effect = action == SAGA_ACTION_DONE || action == SAGA_ACTION_UNKNOWN;
        ck_assert_msg(saga_undo_owed(action, true) == effect, "action state %d", action);
        ck_assert_msg(!saga_undo_owed(action, false), "action state %d without a compensation", action);
    }
}
END_TEST

START_TEST(undo__open_until_it_is_done_or_skipped)
{
    ck_assert(!saga_undo_open(NONE));
    ck_assert(saga_undo_open(OWED));
    ck_assert(saga_undo_open(STARTED));
    ck_assert(!saga_undo_open(DONE));
    ck_assert(saga_undo_open(FAILED));
    ck_assert(!saga_undo_open(SKIPPED));
}
END_TEST

START_TEST(undo__reverse_takes_the_last_started_first)
{
    /* Started in the order 1, 2, 0: not that of the definition. */
    struct fake fake = {.count = 3, .state = {OWED, OWED, OWED}, .order = {30, 10, 20}};
    struct saga_undo_view view = reverse_view(&fake);
    static const uint16_t expected[] = {0, 2, 1};
    for (size_t i = 0; i < 3; i++) {
        uint16_t next[STEPS];
        ck_assert_uint_eq(saga_undo_next(&view, next, STEPS), 1);
        ck_assert_uint_eq(next[0], expected[i]);
        fake.state[next[0]] = STARTED;
        ck_assert_uint_eq(saga_undo_next(&view, next, STEPS), 0);
        fake.state[expected[i]] = DONE;
    }
    uint16_t next[1];
    ck_assert_uint_eq(saga_undo_next(&view, next, 1), 0);
}
END_TEST

START_TEST(undo__reverse_breaks_ties_by_index)
{
    struct fake fake = {.count = 3, .state = {OWED, OWED, NONE}, .order = {5, 5, 5}};
    struct saga_undo_view view = reverse_view(&fake);
    uint16_t next[1];
    ck_assert_uint_eq(saga_undo_next(&view, next, 1), 1);
    ck_assert_uint_eq(next[0], 1);
}
END_TEST

START_TEST(undo__reverse_waits_behind_a_failed_one_and_passes_a_skipped_one)
{
    struct fake fake = {.count = 3, .state = {OWED, FAILED, DONE}, .order = {1, 2, 3}};
    struct saga_undo_view view = reverse_view(&fake);
    uint16_t next[1];
    ck_assert_uint_eq(saga_undo_next(&view, next, 1), 0);
    fake.state[1] = SKIPPED;
    ck_assert_uint_eq(saga_undo_next(&view, next, 1), 1);
    ck_assert_uint_eq(next[0], 0);
}
END_TEST

START_TEST(undo__nothing_fits_in_no_room)
{
    struct fake fake = {.count = 1, .state = {OWED}, .order = {1}};
    struct saga_undo_view reverse = reverse_view(&fake), dependency = dependency_view(&fake);
    ck_assert_uint_eq(saga_undo_next(&reverse, NULL, 0), 0);
    ck_assert_uint_eq(saga_undo_next(&dependency, NULL, 0), 0);
    fake.count = 0;
    uint16_t next[1];
    reverse = reverse_view(&fake);
    ck_assert_uint_eq(saga_undo_next(&reverse, next, 1), 0);
}
END_TEST

/* A diamond: 0, then 1 and 2 side by side, then 3. */
static struct fake diamond(void)
{
    struct fake fake = {.count = 4, .state = {OWED, OWED, OWED, OWED}, .order = {1, 2, 3, 4}};
    fake.needs[1][0] = fake.needs[2][0] = fake.needs[3][0] = fake.needs[3][1] = fake.needs[3][2] = true;
    return fake;
}

START_TEST(undo__dependency_runs_branches_side_by_side)
{
    struct fake fake = diamond();
    struct saga_undo_view view = dependency_view(&fake);
    uint16_t next[STEPS];
    ck_assert_uint_eq(saga_undo_next(&view, next, STEPS), 1);
    ck_assert_uint_eq(next[0], 3);
    fake.state[3] = DONE;
    ck_assert_uint_eq(saga_undo_next(&view, next, STEPS), 2);
    ck_assert_uint_eq(next[0], 1);
    ck_assert_uint_eq(next[1], 2);
    ck_assert_uint_eq(saga_undo_next(&view, next, 1), 1);
    fake.state[1] = DONE;
    fake.state[2] = STARTED;
    ck_assert_uint_eq(saga_undo_next(&view, next, STEPS), 0);
    fake.state[2] = DONE;
    ck_assert_uint_eq(saga_undo_next(&view, next, STEPS), 1);
    ck_assert_uint_eq(next[0], 0);
}
END_TEST

START_TEST(undo__dependency_holds_back_only_what_a_failed_one_needs)
{
    struct fake fake = diamond();
    struct saga_undo_view view = dependency_view(&fake);
    uint16_t next[STEPS];
    fake.state[3] = DONE;
    fake.state[1] = FAILED;
    ck_assert_uint_eq(saga_undo_next(&view, next, STEPS), 1);
    ck_assert_uint_eq(next[0], 2);
}
END_TEST

/* Every assignment of states to four steps of a diamond: what may start must be owed, with nothing open that depends on it;
 * and nothing that may start is left out. */
START_TEST(undo__dependency_is_exact_for_every_state)
{
    for (unsigned code = 0; code < 6 * 6 * 6 * 6; code++) {
        struct fake fake = diamond();
        for (unsigned step = 0, rest = code; step < 4; step++, rest /= 6)
            fake.state[step] = (uint8_t)(rest % 6 + 1);
        struct saga_undo_view view = dependency_view(&fake);
        uint16_t next[STEPS];
        size_t count = saga_undo_next(&view, next, STEPS), seen = 0;
        for (unsigned step = 0; step < 4; step++) {
            bool may = fake.state[step] == OWED;
            for (unsigned later = 0; later < 4; later++)
                may = may && !(fake.needs[later][step] && saga_undo_open(fake.state[later]));
            bool listed = seen < count && next[seen] == step;
            ck_assert_msg(listed == may, "states %u, step %u", code, step);
            seen += listed;
        }
        ck_assert_uint_eq(seen, count);
    }
}
END_TEST

/* The same in reverse order: at most one, the last started of the owed, and none while one is started or failed. */
START_TEST(undo__reverse_is_exact_for_every_state)
{
    for (unsigned code = 0; code < 6 * 6 * 6 * 6; code++) {
        struct fake fake = {.count = 4, .order = {4, 2, 3, 1}};
        int expected = -1;
        bool blocked = false;
        for (unsigned step = 0, rest = code; step < 4; step++, rest /= 6) {
            fake.state[step] = (uint8_t)(rest % 6 + 1);
            blocked = blocked || fake.state[step] == STARTED || fake.state[step] == FAILED;
            if (fake.state[step] == OWED && (expected < 0 || fake.order[step] > fake.order[expected]))
                expected = (int)step;
        }
        struct saga_undo_view view = reverse_view(&fake);
        uint16_t next[STEPS];
        size_t count = saga_undo_next(&view, next, STEPS);
        ck_assert_msg(count == (!blocked && expected >= 0), "states %u", code);
        if (count == 1)
            ck_assert_int_eq(next[0], expected);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("undo");
    TCase *order = tcase_create("order");
    tcase_add_test(order, undo__steps_beyond_the_sixty_fourth_wait_too);
    tcase_add_test(order, undo__owed_by_what_took_effect_or_may_have);
    tcase_add_test(order, undo__open_until_it_is_done_or_skipped);
    tcase_add_test(order, undo__reverse_takes_the_last_started_first);
    tcase_add_test(order, undo__reverse_breaks_ties_by_index);
    tcase_add_test(order, undo__reverse_waits_behind_a_failed_one_and_passes_a_skipped_one);
    tcase_add_test(order, undo__nothing_fits_in_no_room);
    tcase_add_test(order, undo__dependency_runs_branches_side_by_side);
    tcase_add_test(order, undo__dependency_holds_back_only_what_a_failed_one_needs);
    tcase_add_test(order, undo__dependency_is_exact_for_every_state);
    tcase_add_test(order, undo__reverse_is_exact_for_every_state);
    suite_add_tcase(suite, order);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
