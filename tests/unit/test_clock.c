/* The sidecar's clock starts from the wall clock, never runs backwards, and never stands behind the journal. */
#include "sidecar/runtime/clock.h"

#include <check.h>
#include <time.h>

static int64_t wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

START_TEST(clock__starts_from_the_wall_clock)
{
    struct clock c;
    int64_t before = wall_us();
    clock_init(&c);
    struct instant now = clock_now(&c);
    int64_t after = wall_us();
    /* The two clocks are read one after the other, and a busy machine may stop us between. */
    ck_assert_int_ge(now.us, before - 1000);
    ck_assert_int_le(now.us, after + (after - before) + 1000);
}
END_TEST

START_TEST(clock__never_runs_backwards)
{
    struct clock c;
    clock_init(&c);
    struct instant last = clock_now(&c);
    for (int i = 0; i < 100000; i++) {
        struct instant now = clock_now(&c);
        ck_assert(!instant_before(now, last));
        last = now;
    }
}
END_TEST

START_TEST(clock__goes_on_from_what_the_journal_holds)
{
    struct clock c;
    clock_init(&c);
    struct instant ahead = instant_after(clock_now(&c), SPAN_S(3600));
    clock_not_before(&c, ahead);
    struct instant now = clock_now(&c);
    ck_assert(!instant_before(now, ahead));
    ck_assert(instant_before(now, instant_after(ahead, SPAN_S(60))));
}
END_TEST

START_TEST(clock__a_journal_of_the_past_changes_nothing)
{
    struct clock c;
    clock_init(&c);
    int64_t offset = c.offset_us;
    clock_not_before(&c, (struct instant){.us = clock_now(&c).us - 1000000});
    clock_not_before(&c, (struct instant){0});
    ck_assert_int_eq(c.offset_us, offset);
}
END_TEST

/* However the wall clock was set: so far it and the sidecar's are apart. */
START_TEST(clock__how_far_the_wall_clock_is_from_it)
{
    struct clock c;
    clock_init(&c);
    for (int sign = -1; sign <= 1; sign += 2) {
        int64_t offset = c.offset_us;
        c.offset_us += sign * SPAN_S(3600).us;
        struct span apart = clock_difference(&c);
        ck_assert_int_gt(apart.us, SPAN_S(3590).us);
        ck_assert_int_lt(apart.us, SPAN_S(3610).us);
        c.offset_us = offset;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tests = tcase_create("clock");
    tcase_add_test(tests, clock__starts_from_the_wall_clock);
    tcase_add_test(tests, clock__never_runs_backwards);
    tcase_add_test(tests, clock__goes_on_from_what_the_journal_holds);
    tcase_add_test(tests, clock__a_journal_of_the_past_changes_nothing);
    tcase_add_test(tests, clock__how_far_the_wall_clock_is_from_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
