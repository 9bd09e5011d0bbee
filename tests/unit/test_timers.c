/* Timers of subjects that are no sagas, held against a list that is searched from end to end. */
#include "sidecar/engine/timers.h"

#include "sidecar/base/random.h"
#include "sidecar/core/heap.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SUBJECTS = 40 };

struct subject {
    int number;
    struct timer timer;
};

static struct subject subjects[SUBJECTS];
static struct timers timers;

static void set_up(void)
{
    ck_assert_int_eq(timers_init(&timers, &heap, SUBJECTS), 0);
    for (int i = 0; i < SUBJECTS; i++)
        subjects[i] = (struct subject){.number = i, .timer = {.due = INSTANT_NEVER, .subject = TIMER_OF_SAGA}};
}

static void tear_down(void)
{
    timers_finish(&timers, &heap);
}

static struct instant earliest(void)
{
    struct instant first = INSTANT_NEVER;
    for (int i = 0; i < SUBJECTS; i++)
        if (subjects[i].timer.slot != 0)
            first = instant_min(first, subjects[i].timer.due);
    return first;
}

START_TEST(timers__the_first_is_the_earliest_whatever_is_set)
{
    struct random random;
    random_seed(&random, (uint64_t)_i + 1);
    for (int round = 0; round < 2000; round++) {
        struct subject *s = &subjects[random_below(&random, SUBJECTS)];
        bool out = random_below(&random, 4) == 0;
        struct instant due = out ? INSTANT_NEVER : (struct instant){.us = (int64_t)random_below(&random, 50)};
        timers_set(&timers, &s->timer, due);
        struct timer *first = timers_first(&timers);
        ck_assert_int_eq(first == NULL ? INT64_MAX : first->due.us, earliest().us);
        for (int i = 0; i < SUBJECTS; i++)
            timers_check(&timers, &subjects[i].timer);
    }
}
END_TEST

START_TEST(timers__tell_their_holder)
{
    timers_set(&timers, &subjects[7].timer, (struct instant){.us = 5});
    timers_set(&timers, &subjects[3].timer, (struct instant){.us = 4});
    ck_assert_int_eq(TIMER_HOLDER(timers_first(&timers), struct subject, timer)->number, 3);
    timers_set(&timers, &subjects[3].timer, INSTANT_NEVER);
    ck_assert_int_eq(TIMER_HOLDER(timers_first(&timers), struct subject, timer)->number, 7);
    timers_set(&timers, &subjects[7].timer, INSTANT_NEVER);
    ck_assert_ptr_null(timers_first(&timers));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timers");
    TCase *tcase = tcase_create("timers");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, timers__the_first_is_the_earliest_whatever_is_set, 0, 20);
    tcase_add_test(tcase, timers__tell_their_holder);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
