/* A bulkhead that finds its size by itself: rules of the machine, and a participant whose capacity halves and doubles, beside the best fixed size. */
#include "sidecar/base/random.h"
#include "sidecar/resilience/limit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS      INT64_C(1000)
#define AT(us_) ((struct instant){.us = SPAN_S(1000).us + (us_)})

START_TEST(limit__begins_cautiously_and_stays_within_its_bounds)
{
    struct limit l = {0};
    limit_set(&l, 100);
    ck_assert_uint_eq(limit_places(&l), 8);
    limit_set(&l, 4);
    ck_assert_uint_eq(limit_places(&l), 4);
    /* Quick answers, all places used: more, and never more than there may be. */
    limit_set(&l, 20);
    for (int64_t i = 1; i < 20000; i++)
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 500), limit_places(&l), false);
    ck_assert_uint_ge(limit_places(&l), 10);
    ck_assert_uint_le(limit_places(&l), 20);
    limit_check(&l);
    /* Failures alone: fewer, and one in any case. */
    for (int64_t i = 20001; i < 60000; i++)
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 500), limit_places(&l), true);
    ck_assert_uint_eq(limit_places(&l), 1);
    limit_check(&l);
    /* From there it finds its way back. */
    for (int64_t i = 60001; i < 80000; i++)
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 500), limit_places(&l), false);
    ck_assert_uint_ge(limit_places(&l), 10);
    limit_set(&l, 0);
    limit_return(&l, AT(1), AT(2), 1, false);
    limit_check(&l);
    /* Who is told to again begins anew, and measures anew. */
    limit_set(&l, 100);
    ck_assert_uint_eq(limit_places(&l), 8);
    ck_assert_int_eq(l.base_us, 0);
}
END_TEST

/* Twelve calls, the first of which only begins a window, and so many of which fail. Returns where the next begins. */
static int64_t window(struct limit *l, int64_t from, int64_t took, unsigned failed)
{
    int64_t us = from;
    for (unsigned i = 0; i < 12; i++, us += 5 * MS)
        limit_return(l, AT(us), AT(us + took), limit_places(l), i < failed);
    return us + took;
}

/* A window has ten calls and 50 ms. */
START_TEST(limit__a_window_is_of_many_calls_and_some_time)
{
    struct limit many = {0}, slow = {0};
    limit_set(&many, 100);
    limit_set(&slow, 100);
    for (int64_t i = 0; i < 40; i++)
        limit_return(&many, AT(1 + i * MS), AT(1 + i * MS + 500), 8, false);
    ck_assert_uint_eq(many.windows, 0);
    for (int64_t i = 0; i < 9; i++)
        limit_return(&slow, AT(1 + i * 20 * MS), AT(1 + i * 20 * MS + 500), 8, false);
    ck_assert_uint_eq(slow.windows, 0);
    limit_return(&many, AT(51 * MS), AT(52 * MS), 8, false);
    for (int64_t i = 9; i < 11; i++)
        limit_return(&slow, AT(1 + i * 20 * MS), AT(1 + i * 20 * MS + 500), 8, false);
    ck_assert_uint_eq(many.windows, 1);
    ck_assert_uint_eq(slow.windows, 1);
}
END_TEST

/* More than one in ten is too many, however quick the others are. */
START_TEST(limit__a_few_failures_are_too_many)
{
    struct limit quiet = {0}, ill = {0};
    limit_set(&quiet, 100);
    limit_set(&ill, 100);
    for (int64_t i = 0, a = 1, b = 1; i < 6; i++) {
        a = window(&quiet, a, 500, 2); /* one of eleven */
        b = window(&ill, b, 500, 3);   /* two */
    }
    ck_assert_uint_gt(quiet.thousandths, 8000);
    ck_assert_uint_lt(ill.thousandths, 8000);
}
END_TEST

/* A target that has become slower for good is measured anew, and then has as many places as before. */
START_TEST(limit__what_has_become_slower_is_the_new_measure)
{
    struct limit l = {0};
    limit_set(&l, 8);
    int64_t at = 1;
    for (unsigned i = 0; i < 5; i++)
        at = window(&l, at, 500, 0);
    ck_assert_int_eq(l.base_us, 500);
    for (unsigned i = 0; i < 3 * LIMIT_PROBE_WINDOWS; i++)
        at = window(&l, at, 5000, 0);
    ck_assert_int_eq(l.base_us, 5000);
    ck_assert_uint_ge(l.thousandths, 7000);
}
END_TEST

/* One that has become faster is measured by that from its first window on, and not from the next probe. */
START_TEST(limit__what_has_become_faster_is_the_new_measure_at_once)
{
    struct limit l = {0};
    limit_set(&l, 8);
    int64_t at = 1;
    for (unsigned i = 0; i < 3; i++)
        at = window(&l, at, 5000, 0);
    ck_assert_int_eq(l.base_us, 5000);
    for (unsigned i = 0; i < 2; i++) /* the first has what left before */
        at = window(&l, at, 500, 0);
    ck_assert_int_eq(l.base_us, 500);
    ck_assert_uint_lt(l.windows, LIMIT_PROBE_WINDOWS);
}
END_TEST

START_TEST(limit__does_not_grow_unasked)
{
    struct limit l = {0};
    limit_set(&l, 100);
    for (int64_t i = 1; i < 5000; i++)
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 500), 1, false);
    ck_assert_uint_le(limit_places(&l), 8);
    /* Nor for a rush that is over: what was used then is no reason in later windows. */
    for (int64_t i = 5000; i < 6000; i++)
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 500), limit_places(&l), false);
    for (int64_t i = 6000; i < 6100; i++) /* the rest of its last window */
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 500), 1, false);
    uint64_t rush = l.thousandths;
    ck_assert_uint_gt(rush, 12000);
    for (int64_t i = 6100; i < 16000; i++)
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 500), 1, false);
    ck_assert_uint_le(l.thousandths, rush);
    /* But it shrinks where answers come late. */
    for (int64_t i = 16000; i < 16200; i++)
        limit_return(&l, AT(1 + i * MS), AT(1 + i * MS + 5000), 1, false);
    ck_assert_uint_lt(l.thousandths, rush);
}
END_TEST

/* Also while it tries how long a call takes alone, there is one place. */
START_TEST(limit__there_is_always_one_place)
{
    for (uint64_t thousandths = 1000; thousandths < 4000; thousandths += 999) {
        const struct limit l = {.max = 10, .thousandths = thousandths, .probing = true};
        ck_assert_uint_eq(limit_places(&l), thousandths / 2 < 1000 ? 1 : thousandths / 2000);
    }
}
END_TEST

/* ---- a participant with so many workers, for which more calls wait than it can take ---- */

#define CALLS_MAX   512
#define SERVICE     (10 * MS)
#define PHASE       (20000 * MS)
#define LEARNS      (3000 * MS) /* of a phase: not judged */
#define SAMPLES_MAX 200000

struct seen {
    unsigned done;
    int64_t p99_us;
};

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Runs phases, each with its number of workers. fixed: the size of the bulkhead; 0: it is found. What is seen of each phase, once it has begun. */
static void run(const unsigned *workers, unsigned phases, unsigned fixed, struct seen *seen)
{
    static int64_t samples[SAMPLES_MAX];
    struct {
        int64_t left, done;
    } out[CALLS_MAX];
    int64_t now = 1, free_at[CALLS_MAX] = {0};
    unsigned flying = 0;
    struct limit l = {0};
    struct random random;
    random_seed(&random, 42);
    limit_set(&l, 256);
    for (unsigned phase = 0; phase < phases; phase++) {
        int64_t end = (phase + 1) * PHASE;
        unsigned count = 0;
        while (now < end) {
            unsigned places = fixed > 0 ? fixed : limit_places(&l);
            while (flying < places) {
                unsigned worker = 0;
                for (unsigned i = 1; i < workers[phase]; i++)
                    worker = free_at[i] < free_at[worker] ? i : worker;
                int64_t begins = free_at[worker] > now ? free_at[worker] : now;
                free_at[worker] = begins + SERVICE * 8 / 10 + (int64_t)random_below(&random, SERVICE * 4 / 10);
                out[flying].left = now;
                out[flying++].done = free_at[worker];
            }
            unsigned first = 0;
            for (unsigned i = 1; i < flying; i++)
                first = out[i].done < out[first].done ? i : first;
            now = out[first].done;
            if (fixed == 0)
                limit_return(&l, AT(out[first].left), AT(now), flying, false);
            if (now > end - PHASE + LEARNS && count < SAMPLES_MAX)
                samples[count++] = now - out[first].left;
            out[first] = out[--flying];
        }
        /* Workers that are gone finish what they have; those that come are free. */
        for (unsigned i = phase + 1 < phases ? workers[phase] : 0; phase + 1 < phases && i < workers[phase + 1]; i++)
            free_at[i] = now;
        qsort(samples, count, sizeof *samples, by_size);
        seen[phase] = (struct seen){.done = count, .p99_us = count == 0 ? 0 : samples[(size_t)count * 99 / 100]};
    }
}

START_TEST(limit__follows_a_capacity_that_halves_and_doubles)
{
    static const unsigned workers[] = {32, 16, 32, 64};
    struct seen found[4], best[4], one[4];
    run(workers, 4, 0, found);
    for (unsigned phase = 0; phase < 4; phase++) {
        run(workers, 4, workers[phase], one); /* as many calls as there are workers is the best for its phase */
        best[phase] = one[phase];
        printf("workers %u: %u calls, p99 %.1f ms; fixed at the best: %u calls, p99 %.1f ms\n", workers[phase],
               found[phase].done, (double)found[phase].p99_us / 1000, best[phase].done,
               (double)best[phase].p99_us / 1000);
    }
    for (unsigned phase = 0; phase < 4; phase++) {
        ck_assert_uint_ge(found[phase].done * 4, best[phase].done * 3);
        ck_assert_int_le(found[phase].p99_us, 2 * best[phase].p99_us);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("limit");
    TCase *c = tcase_create("limit");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, limit__a_window_is_of_many_calls_and_some_time);
    tcase_add_test(c, limit__begins_cautiously_and_stays_within_its_bounds);
    tcase_add_test(c, limit__does_not_grow_unasked);
    tcase_add_test(c, limit__there_is_always_one_place);
    tcase_add_test(c, limit__a_few_failures_are_too_many);
    tcase_add_test(c, limit__what_has_become_slower_is_the_new_measure);
    tcase_add_test(c, limit__what_has_become_faster_is_the_new_measure_at_once);
    tcase_add_test(c, limit__follows_a_capacity_that_halves_and_doubles);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
