/* When an owner looks, and what comes of one that looks late: timers, and leases that start anew. */
#include "tests/support/core_owner.h"

#include "sidecar/engine/saga.h"

#include <check.h>

static struct owner o;

static void setup(void)
{
    owner_open(&o);
}

static void teardown(void)
{
    owner_close(&o);
}

static const struct saga *live(uint64_t serial)
{
    return engine_find(core_engine(o.core), serial);
}

/* What arrives goes before timers, but an owner who never gets to the end of it looks at them after a second all the same. */
START_TEST(core_late__timers_go_off_though_more_arrives_all_the_time)
{
    owner_submit(
        &o,
        (struct event){
            .type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("b"), .deadline = SPAN_MS(1), .lease = SPAN_S(5)});
    ck_assert_int_eq(owner_commit(&o), 0);
    struct instant began = o.now;
    unsigned turns = 0;
    bool due = false;
    for (; turns < 100 && !due; turns++) {
        core_await(o.core, (struct span){0}, o.now);
        o.now = instant_after(o.now, SPAN_MS(50));
        due = core_look(o.core, false, o.now);
    }
    ck_assert(due);
    ck_assert_int_ge(instant_since(o.now, began).us, CORE_LATE.us);
    ck_assert_int_le(instant_since(o.now, began).us, CORE_LATE.us + SPAN_MS(100).us);
    /* What renews a lease may be among what has not been taken in. */
    ck_assert_int_eq(live(1)->lease_until.us, instant_after(o.now, SPAN_S(5)).us);
    core_await(o.core, (struct span){0}, o.now);
    ck_assert(core_look(o.core, true, o.now)); /* and at once when all has been taken in */
}
END_TEST

/* Late is who has not looked for a while, however long ago he last said that he would wait: leases end while he is busy, too. */
START_TEST(core_late__leases_end_though_nobody_waits)
{
    owner_submit(&o, (struct event){.type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("b"), .lease = SPAN_S(5)});
    ck_assert_int_eq(owner_commit(&o), 0);
    struct instant until = live(1)->lease_until;
    core_await(o.core, (struct span){0}, o.now);
    for (unsigned turns = 0; instant_before(o.now, until); turns++) {
        ck_assert_uint_lt(turns, 10);
        o.now = instant_after(o.now, SPAN_MS(500));
        ck_assert_int_eq(core_look(o.core, true, o.now), turns == 9);
    }
    ck_assert_int_eq(live(1)->lease_until.us, until.us);
}
END_TEST

/* A process that stood still for as long as that after it meant to look lets all leases start anew. */
START_TEST(core_late__who_was_stopped_ends_no_lease)
{
    owner_submit(&o, (struct event){.type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("b"), .lease = SPAN_S(5)});
    ck_assert_int_eq(owner_commit(&o), 0);
    struct instant until = live(1)->lease_until;
    for (int late = 0; late < 2; late++) {
        core_await(o.core, SPAN_S(2), o.now);
        o.now = instant_after(o.now, SPAN_S(2));
        o.now = instant_after(o.now, (struct span){.us = CORE_LATE.us + late});
        ck_assert_int_eq(core_look(o.core, true, o.now),
                         late); /* the timer looks after the lease, which is longer now */
        ck_assert_int_eq(live(1)->lease_until.us, late ? instant_after(o.now, SPAN_S(5)).us : until.us);
    }
}
END_TEST

/* Also where the first that he looks at is what has arrived. */
START_TEST(core_late__what_arrives_late_finds_leases_anew)
{
    owner_submit(&o, (struct event){.type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("b"), .lease = SPAN_S(5)});
    ck_assert_int_eq(owner_commit(&o), 0);
    core_await(o.core, SPAN_S(2), o.now);
    o.now = instant_after(o.now, SPAN_S(4));
    owner_submit_start(&o, 2, "one", NULL);
    ck_assert_int_eq(live(1)->lease_until.us, instant_after(o.now, SPAN_S(5)).us);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.told_size = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_late");
    TCase *t = tcase_create("core_late");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, core_late__timers_go_off_though_more_arrives_all_the_time);
    tcase_add_test(t, core_late__leases_end_though_nobody_waits);
    tcase_add_test(t, core_late__who_was_stopped_ends_no_lease);
    tcase_add_test(t, core_late__what_arrives_late_finds_leases_anew);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
