/* What a journal has registered is read as it was accepted, whatever the configuration says by now of new definitions. */
#include "sidecar/runtime/loop_inside.h"

#include "sidecar/core/retries.h"
#include "sidecar/core/schemas.h"
#include "sidecar/definition/reader.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "name: order\nversion: 1.2.0\ndeadline: 2h\nsteps:\n"
                             "  - {name: a, target: t, action: {method: /t.T/A, request: {constant: \"0123456789\"}},"
                             " compensation: {method: /t.T/UndoA, timeout: 90m}}\n"
                             "  - {name: b, target: t, after: [a], action: {method: /t.T/B}}\n";

static struct loop s;
static struct config config;
static struct retry_defaults kept;
static bool is_kept;

/* tests.mk wraps it. */
const struct retry_defaults *__wrap_retries_find(const struct retries *r, uint32_t definition);
const struct retry_defaults *__wrap_retries_find(const struct retries *r, uint32_t definition)
{
    (void)r;
    ck_assert_uint_eq(definition, 7);
    return is_kept ? &kept : NULL;
}

static void setup(void)
{
    s = (struct loop){.config = &config, .limits = definition_limits_default()};
    s.limits.source_bytes_max = 50;
    s.limits.steps_max = 1;
    s.limits.payload_bytes_max = 5;
    s.limits.deadline_max = SPAN_S(60);
    config.earlier_retry = s.limits.retry.action;
    config.earlier_retry.max_attempts = 9;
    kept = s.limits.retry;
    kept.action.max_attempts = 11;
    kept.compensation.max_attempts = 12;
    is_kept = false;
    ck_assert(catalog_create(1, &s.catalog) == 0 && schemas_create(10, &s.schemas) == 0);
}

static void teardown(void)
{
    catalog_destroy(s.catalog);
    schemas_destroy(s.schemas);
}

static int recover(const char *text)
{
    const struct definition_row row = {
        .number = 7, .registered_at = {.us = 1234}, .source = bytes_of(text, strlen(text))};
    return registered_recover(&s, &row);
}

START_TEST(registered__what_was_accepted_stays)
{
    struct definition *fresh;
    ck_assert_int_ne(definition_read(bytes_of_text(source), &s.limits, &fresh, &s.failure.detail), 0);
    ck_assert_int_eq(recover(source), 0);
    ck_assert_uint_eq(catalog_count(s.catalog), 1);
    const struct catalog_entry *entry = catalog_at(s.catalog, 0);
    ck_assert_int_eq(entry->registered_at.us, 1234);
    ck_assert_uint_eq(entry->definition->number, 7);
    ck_assert_str_eq(entry->definition->version, "1.2.0");
    ck_assert_int_eq(entry->definition->deadline.us, SPAN_S(7200).us);
    ck_assert_uint_eq(entry->definition->step_count, 2);
}
END_TEST

/* Where a step says nothing of retries, what was said when it was registered; of those from before that was kept, what the configuration says for
 * them. */
START_TEST(registered__retries_are_those_of_its_time)
{
    for (int i = 0; i < 2; i++) {
        is_kept = i == 1;
        ck_assert_int_eq(recover(source), 0);
        const struct definition *d = catalog_at(s.catalog, 0)->definition;
        ck_assert_uint_eq(d->steps[0].action.retry.max_attempts, is_kept ? 11 : 9);
        ck_assert_uint_eq(d->steps[0].compensation.retry.max_attempts,
                          is_kept ? 12 : s.limits.retry.compensation.max_attempts);
        catalog_destroy(s.catalog);
        ck_assert_int_eq(catalog_create(1, &s.catalog), 0);
    }
}
END_TEST

START_TEST(registered__what_cannot_be_read_is_told)
{
    ck_assert_int_eq(recover("name: order\n"), E_ARGUMENT);
    ck_assert_str_ne(s.failure.detail.text, "");
    ck_assert_uint_eq(catalog_count(s.catalog), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("registered");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, registered__what_was_accepted_stays);
    tcase_add_test(t, registered__retries_are_those_of_its_time);
    tcase_add_test(t, registered__what_cannot_be_read_is_told);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
