/* The registered definitions: found by name, version and number, in order, within their bound. */
#include "sidecar/core/catalog.h"

#include "sidecar/definition/reader.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct catalog *catalog;
static struct error_detail detail;

static void setup(void)
{
    ck_assert_int_eq(catalog_create(40, &catalog), 0);
}

static void teardown(void)
{
    catalog_destroy(catalog);
}

static struct definition *made(const char *name, const char *version)
{
    char text[256];
    struct definition *d;
    struct definition_limits limits = definition_limits_default();
    snprintf(text, sizeof text, "name: %s\nversion: %s\nsteps:\n  - {name: s, action: {target: t, method: /p.S/M}}\n",
             name, version);
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), 0);
    return d;
}

static struct definition *add(const char *name, const char *version, uint32_t number)
{
    struct definition *d = made(name, version);
    d->number = number;
    ck_assert_int_eq(catalog_add(catalog, d, (struct instant){.us = 7}, &detail), 0);
    return d;
}

static const struct definition *find(const char *name, const char *version)
{
    const struct catalog_entry *entry = catalog_find(catalog, bytes_of_text(name), bytes_of_text(version));
    return entry == NULL ? NULL : entry->definition;
}

START_TEST(catalog__finds_by_name_and_version)
{
    const struct definition *one = add("checkout", "1.0.0", 0);
    const struct definition *two = add("checkout", "1.0.1", 0);
    const struct definition *other = add("check", "1.0.0", 0);
    ck_assert_ptr_eq(find("checkout", "1.0.0"), one);
    ck_assert_ptr_eq(find("checkout", "1.0.1"), two);
    ck_assert_ptr_eq(find("check", "1.0.0"), other);
    ck_assert_ptr_null(find("checkout", "1.0.2"));
    ck_assert_ptr_null(find("checkou", ""));
    char longest[2 * VERSION_BYTES_MAX];
    memset(longest, '1', sizeof longest);
    ck_assert_ptr_null(catalog_find(catalog, bytes_of_text("check"), bytes_of(longest, sizeof longest)));
    memcpy(longest, "1.0.0-", 6);
    longest[VERSION_BYTES_MAX] = '\0';
    const struct definition *as_long_as_may_be = add("check", longest, 0);
    ck_assert_ptr_eq(find("check", longest), as_long_as_may_be);
    ck_assert_ptr_null(catalog_find(catalog, bytes_of_text("check"), bytes_of("1.0.0", 6)));
    ck_assert_ptr_null(find("", ""));
}
END_TEST

/* By the rules of semver.org, and not by the text. */
START_TEST(catalog__no_version_is_the_highest)
{
    add("a", "1.9.0", 0);
    const struct definition *highest = add("a", "1.10.0", 0);
    add("a", "1.10.0-rc.1", 0);
    add("a", "1.2.0", 0);
    add("b", "9.0.0", 0);
    static const char *const order[] = {"1.2.0", "1.9.0", "1.10.0-rc.1", "1.10.0", "9.0.0"};
    ck_assert_uint_eq(catalog_count(catalog), 5);
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_str_eq(catalog_at(catalog, i)->definition->version, order[i]);
    ck_assert_ptr_eq(find("a", ""), highest);
    ck_assert_ptr_null(catalog_at(catalog, 5));
    /* What is only tried out must be asked for. */
    const struct definition *tried = add("a", "2.0.0-rc.1", 0);
    ck_assert_ptr_eq(find("a", ""), highest);
    ck_assert_ptr_eq(find("a", "2.0.0-rc.1"), tried);
    add("only-tried", "1.0.0-alpha", 0);
    add("only-tried", "1.0.0-beta", 0);
    ck_assert_ptr_null(find("only-tried", ""));
    const struct definition *built = add("only-tried", "0.9.0+build-7", 0);
    ck_assert_ptr_eq(find("only-tried", ""), built);
    /* Another build is another definition. */
    ck_assert_ptr_eq(find("only-tried", "0.9.0+build-7"), built);
    ck_assert_ptr_null(find("only-tried", "0.9.0+build-6"));
    ck_assert_ptr_null(find("only-tried", "0.9.0"));
}
END_TEST

/* What is only tried out is taken by whoever names it, also where there is nothing else. */
START_TEST(catalog__a_pre_release_alone_is_no_version)
{
    const struct definition *tried = add("checkout", "1.0.0-rc.1", 0);
    ck_assert_ptr_null(find("checkout", ""));
    ck_assert_ptr_eq(find("checkout", "1.0.0-rc.1"), tried);
    add("apple", "1.0.0", 0); /* which stands before it */
    add("checkout", "1.0.0-rc.2", 0);
    ck_assert_ptr_null(find("checkout", ""));
    const struct definition *released = add("checkout", "0.9.0", 0);
    ck_assert_ptr_eq(find("checkout", ""), released);
}
END_TEST

START_TEST(catalog__numbers_are_given_in_order_and_never_twice)
{
    ck_assert_uint_eq(add("z", "1.0.0", 0)->number, 1);
    ck_assert_uint_eq(add("a", "1.0.0", 0)->number, 2);
    ck_assert_uint_eq(add("m", "1.0.0", 37)->number, 37);
    ck_assert_uint_eq(add("b", "1.0.0", 0)->number, 38);
    ck_assert_str_eq(catalog_by_number(catalog, 1)->name, "z");
    ck_assert_str_eq(catalog_by_number(catalog, 2)->name, "a");
    ck_assert_str_eq(catalog_by_number(catalog, 37)->name, "m");
    ck_assert_ptr_null(catalog_by_number(catalog, 0));
    ck_assert_ptr_null(catalog_by_number(catalog, 3));
    ck_assert_ptr_null(catalog_by_number(catalog, 39));
    ck_assert_ptr_null(catalog_by_number(catalog, UINT32_MAX));
}
END_TEST

START_TEST(catalog__more_than_its_bound_is_refused)
{
    char version[16];
    for (int i = 0; i < 40; i++) {
        snprintf(version, sizeof version, "1.0.%d", i);
        uint32_t number = add("a", version, 0)->number;
        ck_assert_ptr_nonnull(catalog_by_number(catalog, number)); /* the latest, too */
        ck_assert_ptr_null(catalog_by_number(catalog, number + 1));
    }
    struct definition *d = made("a", "2.0.0");
    ck_assert_int_eq(catalog_add(catalog, d, (struct instant){0}, &detail), E_DEFINITIONS);
    definition_destroy(d);
    ck_assert_uint_eq(catalog_count(catalog), 40);
    for (uint32_t number = 1; number <= 40; number++)
        ck_assert_uint_eq(catalog_by_number(catalog, number)->number, number);
}
END_TEST

/* A bound that was lowered holds for what is new; what is in the journal may have sagas that live. */
START_TEST(catalog__what_the_journal_holds_is_taken_beyond_the_bound)
{
    catalog_destroy(catalog);
    ck_assert_int_eq(catalog_create(1, &catalog), 0);
    add("a", "1.0.0", 1);
    add("a", "1.0.1", 2);
    ck_assert_str_eq(catalog_by_number(catalog, 2)->version, "1.0.1");
    struct definition *d = made("a", "2.0.0");
    ck_assert_int_eq(catalog_add(catalog, d, (struct instant){0}, &detail), E_DEFINITIONS);
    definition_destroy(d);
}
END_TEST

START_TEST(catalog__destroy_accepts_null)
{
    catalog_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tests = tcase_create("catalog");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, catalog__finds_by_name_and_version);
    tcase_add_test(tests, catalog__no_version_is_the_highest);
    tcase_add_test(tests, catalog__a_pre_release_alone_is_no_version);
    tcase_add_test(tests, catalog__numbers_are_given_in_order_and_never_twice);
    tcase_add_test(tests, catalog__more_than_its_bound_is_refused);
    tcase_add_test(tests, catalog__what_the_journal_holds_is_taken_beyond_the_bound);
    tcase_add_test(tests, catalog__destroy_accepts_null);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
