/* Which rule of a drill strikes a call. */
#include "sidecar/resilience/drill.h"
#include "tests/support/beside.h"

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

/* ---- a second reckoning: the first rule that is about a call, and whose chance it is ---- */

static const char *const words[] = {"", "a", "b"};

static bool model_is_about(const struct drill_rule *r, const char *target, const char *definition,
                           const char *tag_value, unsigned phase)
{
    bool target_is = *r->target == '\0' || strcmp(r->target, target) == 0;
    bool definition_is = *r->definition == '\0' || strcmp(r->definition, definition) == 0;
    bool tag_is = *r->tag == '\0' || (strcmp(r->tag, "t") == 0 && strcmp(r->tag_value, tag_value) == 0);
    return target_is && definition_is && tag_is && (r->phase == 0 || r->phase == phase);
}

START_TEST(drill__strikes_as_a_second_reckoning_says)
{
    for (int world = 0; world < 300; world++) {
        struct drill_rule rules[5] = {{.kind = 0}};
        uint32_t count = (uint32_t)below(6);
        for (uint32_t i = 0; i < count; i++) {
            struct drill_rule *r = &rules[i];
            *r = (struct drill_rule){.kind = (uint8_t)(1 + below(DRILL_KIND_COUNT - 1)),
                                     .status = 14,
                                     .phase = (uint8_t)below(3),
                                     .permille = (uint32_t)(below(3) ? below(1001) : below(2) * 1000),
                                     .until = {.us = below(100)}};
            strcpy(r->target, words[below(3)]);
            strcpy(r->definition, words[below(3)]);
            strcpy(r->tag, below(4) == 0 ? "t" : below(9) == 0 ? "u" : "");
            strcpy(r->tag_value, words[1 + below(2)]);
        }
        drill_set(&drill, rules, count);
        for (int step = 0; step < 120; step++) {
            const char *target = words[1 + below(2)], *definition = words[1 + below(2)], *value = words[1 + below(2)];
            char tags[8] = "t\0\0";
            tags[2] = value[0];
            struct drill_subject s = {.target = target,
                                      .definition = bytes_of_text(definition),
                                      .tags = bytes_of(tags, 4),
                                      .phase = (uint8_t)(1 + below(2))};
            struct instant now = {.us = below(100)};
            struct random used = {.state = (uint64_t)step}, expected = used;
            const struct drill_rule *struck = NULL;
            for (uint32_t i = 0; i < count && struck == NULL; i++)
                if (now.us < rules[i].until.us && model_is_about(&rules[i], target, definition, value, s.phase) &&
                    random_below(&expected, 1000) < rules[i].permille)
                    struck = &drill.rules[i];
            must(drill_draw(&drill, &s, now, &used) == struck);
            must_be(used.state, expected.state);
            must(struck == NULL || memcmp(struck, &rules[struck - drill.rules], sizeof *struck) == 0);
        }
    }
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
    tcase_add_test(c, drill__strikes_as_a_second_reckoning_says);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
