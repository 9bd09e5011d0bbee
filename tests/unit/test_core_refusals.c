/* What the core refuses by itself, before the engine is asked. */
#include "tests/support/core_owner.h"

#include "sidecar/core/core_inside.h"

#include <check.h>
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

static struct error_detail told_why;

static void hear_why(void *self, const struct reply_effect *r, const struct error_detail *why)
{
    (void)self;
    ck_assert_int_eq(r->code, E_REQUEST_ID_REUSED);
    told_why = *why;
}

/* What is refused before the engine is asked names its place, and nothing else is said. */
START_TEST(core_refusals__a_refusal_names_its_place)
{
    owner_submit_start(&o, 1, "one", "r1");
    owner_finish_all(&o);
    memset(&told_why, 'x', sizeof told_why);
    o.core->world.reply = hear_why;
    owner_submit_start(&o, 2, "two", "r1");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(told_why.field, "request_id");
    ck_assert_str_eq(told_why.text, "");
    ck_assert_int_eq(told_why.retry_ms, 0);
    o.told_size = 0;
}
END_TEST

static bool is_crowded(void *self)
{
    return *(const bool *)self;
}

/* Where memory is nearly used up nothing new is begun, and what lives goes on. */
START_TEST(core_refusals__without_room_in_memory_nothing_begins)
{
    bool crowded = true;
    owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    o.core->world.crowded = is_crowded;
    void *self = o.core->world.self;
    for (unsigned i = 0; i < 2; i++, crowded = !crowded) {
        o.core->world.self = &crowded;
        owner_submit_start(&o, 2, "one", NULL);
        o.core->world.self = self;
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_str_eq(owner_told(&o),
                         crowded ? "reply 2 MEMORY_BYTES_MAX\n" : "durable 2\nreply 2 ok saga=2\ncall 2 a action #1\n");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_refusals");
    TCase *t = tcase_create("core_refusals");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, core_refusals__a_refusal_names_its_place);
    tcase_add_test(t, core_refusals__without_room_in_memory_nothing_begins);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
