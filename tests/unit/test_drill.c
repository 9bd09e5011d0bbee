/* Which rule of a drill strikes a call. */
#include "sidecar/resilience/drill.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define AT(us_) ((struct instant){.us = (us_)})

static struct drill drill;
static struct random rng;

static void set(struct drill_rule rule)
{
    if (rule.permille == 0)
        rule.permille = 1000;
    if (rule.until.us == 0)
        rule.until = AT(1000);
    drill_set(&drill, &rule, 1);
    random_seed(&rng, 1);
}

static uint8_t struck(const char *target, const char *definition, const char *tags, size_t tags_size, uint8_t phase,
                      int64_t at)
{
    const struct drill_subject subject = {
        .target = target, .definition = bytes_of_text(definition), .tags = bytes_of(tags, tags_size), .phase = phase};
    const struct drill_rule *r = drill_draw(&drill, &subject, AT(at), &rng);
    return r == NULL ? DRILL_NONE : r->kind;
}

START_TEST(drill__a_rule_is_about_what_it_names)
{
    static const char tags[] = "tenant\0acme";
    set((struct drill_rule){.kind = DRILL_DELAY, .target = "payment"});
    ck_assert_uint_eq(struck("payment", "order", "", 0, 1, 1), DRILL_DELAY);
    ck_assert_uint_eq(struck("stock", "order", "", 0, 1, 1), DRILL_NONE);
    set((struct drill_rule){.kind = DRILL_ABORT, .status = 14, .definition = "order", .phase = 2});
    ck_assert_uint_eq(struck("stock", "order", "", 0, 2, 1), DRILL_ABORT);
    ck_assert_uint_eq(struck("stock", "order", "", 0, 1, 1), DRILL_NONE);
    ck_assert_uint_eq(struck("stock", "other", "", 0, 2, 1), DRILL_NONE);
    set((struct drill_rule){.kind = DRILL_DUPLICATE, .tag = "tenant", .tag_value = "acme"});
    ck_assert_uint_eq(struck("stock", "order", tags, sizeof tags, 1, 1), DRILL_DUPLICATE);
    ck_assert_uint_eq(struck("stock", "order", "", 0, 1, 1), DRILL_NONE);
}
END_TEST

START_TEST(drill__its_time_is_over)
{
    set((struct drill_rule){.kind = DRILL_DROP_ANSWER, .until = AT(50)});
    ck_assert_uint_eq(struck("t", "d", "", 0, 1, 49), DRILL_DROP_ANSWER);
    ck_assert_uint_eq(struck("t", "d", "", 0, 1, 50), DRILL_NONE);
    drill_set(&drill, NULL, 0);
    ck_assert_uint_eq(struck("t", "d", "", 0, 1, 1), DRILL_NONE);
}
END_TEST

START_TEST(drill__so_many_in_a_hundred)
{
    unsigned hits = 0;
    set((struct drill_rule){.kind = DRILL_DROP_REQUEST, .permille = 250});
    for (unsigned i = 0; i < 10000; i++)
        hits += struck("t", "d", "", 0, 1, 1) == DRILL_DROP_REQUEST;
    ck_assert_uint_ge(hits, 2300);
    ck_assert_uint_le(hits, 2700);
    set((struct drill_rule){.kind = DRILL_DROP_REQUEST, .permille = 999});
    for (hits = 0; hits < 100000 && struck("t", "d", "", 0, 1, 1) == DRILL_DROP_REQUEST; hits++)
        ;
    ck_assert_uint_lt(hits, 100000);
}
END_TEST

START_TEST(drill__the_first_rule_that_strikes_does)
{
    struct drill_rule rules[2] = {{.kind = DRILL_DELAY, .permille = 500, .until = AT(9)},
                                  {.kind = DRILL_REORDER, .permille = 1000, .until = AT(9)}};
    unsigned first = 0, second = 0;
    drill_set(&drill, rules, 2);
    random_seed(&rng, 7);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t kind = struck("t", "d", "", 0, 1, 1);
        first += kind == DRILL_DELAY;
        second += kind == DRILL_REORDER;
    }
    ck_assert_uint_eq(first + second, 1000);
    ck_assert(first > 400 && second > 400);
}
END_TEST

START_TEST(drill__kinds_have_names)
{
    for (uint8_t kind = 1; kind < DRILL_KIND_COUNT; kind++)
        ck_assert_uint_eq(drill_kind_of(bytes_of_text(drill_kind_name(kind))), kind);
    ck_assert_uint_eq(drill_kind_of(bytes_of_text("")), DRILL_NONE);
    ck_assert_str_eq(drill_kind_name(DRILL_KIND_COUNT), "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drill");
    TCase *c = tcase_create("drill");
    tcase_add_test(c, drill__a_rule_is_about_what_it_names);
    tcase_add_test(c, drill__its_time_is_over);
    tcase_add_test(c, drill__so_many_in_a_hundred);
    tcase_add_test(c, drill__the_first_rule_that_strikes_does);
    tcase_add_test(c, drill__kinds_have_names);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
