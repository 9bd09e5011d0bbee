/* The retry policies that definitions keep: written with their definitions, read back, and what is said of rows that are damaged. */
#include "sidecar/core/retries.h"
#include "sidecar/definition/reader.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct owner o;
static struct retries *retries;
static struct error_detail detail;

static void setup(void)
{
    owner_open(&o);
    retries = NULL;
}

static void teardown(void)
{
    retries_destroy(retries);
    owner_close(&o);
}

/* As after a kill: everything anew, from the disk. Returns what retries_recover does. */
static int recover(void)
{
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_restart(&o);
    return retries_recover(o.store, &retries, &detail);
}

/* Registers one that takes these where it says nothing; returns its number. */
static uint32_t add(const char *name, const struct retry_defaults *retry)
{
    char text[256];
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    limits.retry = *retry;
    snprintf(text, sizeof text,
             "name: %s\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: /p.S/B}\n",
             name);
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), 0);
    ck_assert_int_eq(core_register(o.core, d, o.now, 0, &detail), 0);
    return d->number;
}

START_TEST(retries__what_was_in_force_outlives_a_kill)
{
    struct retry_defaults usual = definition_limits_default().retry, largest = usual;
    largest.action = (struct retry_policy){.max_attempts = RETRY_ATTEMPTS_MAX,
                                           .initial_backoff = RETRY_BACKOFF_MAX,
                                           .max_backoff = RETRY_BACKOFF_MAX,
                                           .backoff_multiplier_permille = RETRY_MULTIPLIER_PERMILLE_MAX,
                                           .jitter_permille = RETRY_JITTER_PERMILLE_MAX,
                                           .retryable_status_codes = 0x1fffe};
    uint32_t numbers[12];
    for (unsigned i = 0; i < 12; i++) { /* their texts are in another order than their numbers */
        char name[16];
        snprintf(name, sizeof name, "d%u", i);
        numbers[i] = add(name, i % 2 == 0 ? &usual : &largest);
    }
    ck_assert_int_eq(recover(), 0);
    for (unsigned i = 0; i < 12; i++) {
        const struct retry_defaults *kept = retries_find(retries, numbers[i]), *want = i % 2 == 0 ? &usual : &largest;
        ck_assert_ptr_nonnull(kept);
        ck_assert(retry_policy_equal(&kept->action, &want->action));
        ck_assert(retry_policy_equal(&kept->compensation, &want->compensation));
    }
    ck_assert_ptr_null(retries_find(retries, 0));
    ck_assert_ptr_null(retries_find(retries, numbers[11] + 1));
}
END_TEST

#define SOUND "12 100000 10000000 2000 200 0 20 200000 30000000 2000 200 0"

static const struct {
    const char *name, *value;
    uint64_t version;
    int code;
} rows[] = {
    {"1", SOUND, 1, 0},
    {"4294967295", SOUND, 1, 0},
    {"1", SOUND, 2, E_JOURNAL_CORRUPT},
    {"one", SOUND, 1, E_JOURNAL_CORRUPT},
    {"0", SOUND, 1, E_JOURNAL_CORRUPT},
    {"4294967296", SOUND, 1, E_JOURNAL_CORRUPT},
    {"1 ", SOUND, 1, E_JOURNAL_CORRUPT},
    {"1", "", 1, E_JOURNAL_CORRUPT},
    {"1", SOUND " 1", 1, E_JOURNAL_CORRUPT},
    {"1", "12 100000 10000000 2000 200 0 20 200000 30000000 2000 200", 1, E_JOURNAL_CORRUPT},
    {"1", "0 100000 10000000 2000 200 0 20 200000 30000000 2000 200 0", 1, E_JOURNAL_CORRUPT},
    {"1", "12 100000 10000000 2000 200 0 65556 200000 30000000 2000 200 0", 1, E_JOURNAL_CORRUPT},
    {"1", "12 -1 10000000 2000 200 0 20 200000 30000000 2000 200 0", 1, E_JOURNAL_CORRUPT},
    {"1", "12 100000 10000000 2000 200 0x 20 200000 30000000 2000 200 0", 1, E_JOURNAL_CORRUPT},
};

START_TEST(retries__of_many_each_is_found)
{
    enum { COUNT = 100 };
    char name[8], value[80];
    for (unsigned i = 1; i <= COUNT; i++) {
        snprintf(name, sizeof name, "%u", i);
        snprintf(value, sizeof value, "%u 100000 10000000 2000 200 0 20 200000 30000000 2000 200 0", i);
        const struct subject_row row = {
            .kind = SUBJECT_RETRY, .name = bytes_of_text(name), .version = 1, .value = bytes_of_text(value)};
        ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    }
    ck_assert_int_eq(recover(), 0);
    for (unsigned i = 1; i <= COUNT; i++) {
        ck_assert_ptr_nonnull(retries_find(retries, i));
        ck_assert_uint_eq(retries_find(retries, i)->action.max_attempts, i);
    }
    ck_assert_ptr_null(retries_find(retries, COUNT + 1));
}
END_TEST

START_TEST(retries__a_row_that_is_none_is_damage)
{
    const struct subject_row row = {.kind = SUBJECT_RETRY,
                                    .name = bytes_of_text(rows[_i].name),
                                    .version = rows[_i].version,
                                    .value = bytes_of_text(rows[_i].value)};
    ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    ck_assert_int_eq(recover(), rows[_i].code);
    if (rows[_i].code != 0)
        ck_assert_str_eq(detail.text, "a definition's retry policies in the table subjects are none");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retries");
    TCase *tests = tcase_create("retries");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, retries__what_was_in_force_outlives_a_kill);
    tcase_add_test(tests, retries__of_many_each_is_found);
    tcase_add_loop_test(tests, retries__a_row_that_is_none_is_damage, 0, sizeof rows / sizeof *rows);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
