/* Bounds of definitions in a core: taken, changed and taken away while it runs; and when those who are refused are told to come again. */
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct owner o;

static void setup(void)
{
    owner_open(&o);
}

static void teardown(void)
{
    owner_close(&o);
}

static void set(const char *definition, uint32_t live_max, uint32_t per_second)
{
    const struct definition_bound bound = {
        .definition = definition,
        .options = {.live_max = live_max, .starts = {.per_second = per_second, .burst = per_second}}};
    ck_assert_int_eq(core_set_limits(o.core, &bound, definition == NULL ? 0 : 1), 0);
}

/* How a start of this definition is answered. */
static const char *start(const char *name)
{
    static char answer[64];
    owner_told(&o);
    owner_submit_start(&o, 7, name, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    const char *reply = strstr(owner_told(&o), "reply 7 ");
    ck_assert_ptr_nonnull(reply);
    snprintf(answer, sizeof answer, "%.*s", (int)strcspn(reply + 8, " \n"), reply + 8);
    return answer;
}

START_TEST(limits__hold_from_when_they_are_set_until_they_are_taken_away)
{
    ck_assert_str_eq(start("one"), "ok");
    ck_assert_str_eq(start("one"), "ok");
    set("one", 2, 0); /* those that live already count */
    ck_assert_str_eq(start("one"), "DEFINITION_LIMIT");
    ck_assert_str_eq(start("two"), "ok");
    set("one", 3, 0);
    ck_assert_str_eq(start("one"), "ok");
    ck_assert_str_eq(start("one"), "DEFINITION_LIMIT");
    set("two", 1, 0); /* and no longer of one */
    ck_assert_str_eq(start("one"), "ok");
    ck_assert_str_eq(start("two"), "DEFINITION_LIMIT");
    set("one", 0, 1);
    ck_assert_str_eq(start("two"), "ok");
    ck_assert_str_eq(start("one"), "ok");
    ck_assert_str_eq(start("one"), "DEFINITION_LIMIT");
    set(NULL, 0, 0);
    ck_assert_str_eq(start("one"), "ok");
    /* And nobody is told of them any more. */
    const struct admission *a;
    const char *name;
    for (uint32_t i = 0; (a = engine_family(core_engine(o.core), i, &name)) != NULL; i++)
        ck_assert_msg(!admission_bounds(a), "%s", name);
}
END_TEST

START_TEST(limits__of_a_definition_that_is_registered_later)
{
    set("later", 1, 0);
    ck_assert_int_eq(
        owner_register(
            &o, "name: later\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n"),
        0);
    ck_assert_str_eq(start("later"), "ok");
    ck_assert_str_eq(start("later"), "DEFINITION_LIMIT");
}
END_TEST

/* A saga has ended, another lives, and the process is away for an hour: who is refused then is not told to wait for as long as that. */
START_TEST(limits__the_time_down_tells_nothing_of_how_quickly_sagas_end)
{
    o.live_sagas_max = 1;
    owner_restart(&o);
    ck_assert_str_eq(start("one"), "ok");
    owner_finish_all(&o);
    ck_assert_str_eq(start("one"), "ok");
    o.now.us += INT64_C(3600) * 1000000;
    owner_restart(&o);
    ck_assert_str_eq(start("one"), "LIVE_SAGAS_MAX");
    ck_assert_int_ge(o.retry_ms, 0);
    ck_assert_int_le(o.retry_ms, 200);
    o.live_sagas_max = 1000;
    owner_restart(&o);
    set("one", 1, 0);
    ck_assert_str_eq(start("one"), "DEFINITION_LIMIT");
    ck_assert_int_ge(o.retry_ms, 0);
    ck_assert_int_le(o.retry_ms, 200);
    /* While it runs, a quiet hour does tell. */
    o.now.us += INT64_C(3600) * 1000000;
    set("two", 1, 0);
    ck_assert_str_eq(start("two"), "ok");
    owner_finish_all(&o);
    ck_assert_str_eq(start("two"), "ok");
    o.now.us += INT64_C(20) * 1000000;
    ck_assert_str_eq(start("two"), "DEFINITION_LIMIT");
    ck_assert_int_ge(o.retry_ms, 20000);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("limits");
    Suite *s = suite_create("limits");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, limits__hold_from_when_they_are_set_until_they_are_taken_away);
    tcase_add_test(c, limits__of_a_definition_that_is_registered_later);
    tcase_add_test(c, limits__the_time_down_tells_nothing_of_how_quickly_sagas_end);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
