/* What a journal has registered is read as it was accepted, whatever the configuration says by now of new definitions. */
#include "sidecar/runtime/loop_inside.h"

#include "sidecar/core/retries.h"
#include "sidecar/core/schemas.h"
#include "sidecar/definition/reader.h"
#include "sidecar/lint/lint.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "tests/support/core_owner.h"
#include "tests/support/shapes.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char plain[] = "name: plain\nversion: 1.2.0\nsteps:\n  - {name: a, target: t, action: /t.T/A}\n";
static const char typed[] =
    "name: typed\nversion: 1.2.0\nschema: trades\ninput: trades.v1.Claim\nsteps:\n"
    "  - {name: a, target: t, action: {method: /trades.v1.Claims/Open, request: {id: =input.claim_id}}}\n";
static const char source[] = "name: order\nversion: 1.2.0\ndeadline: 2h\nsteps:\n"
                             "  - {name: a, target: t, action: {method: /t.T/A, request: {constant: \"0123456789\"}},"
                             " compensation: {method: /t.T/UndoA, timeout: 90m}}\n"
                             "  - {name: b, target: t, after: [a], action: {method: /t.T/B}, "
                             "fallback: {last_good: {key: all, max_age: 3h}}}\n";

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

/* What the core was told to register, which takes it; tests.mk wraps this, too. */
static struct definition *given;
static int register_fails; /* with this code */
int __wrap_core_register(struct core *c, struct definition *definition, struct instant now, uint64_t token,
                         struct error_detail *detail);
int __wrap_core_register(struct core *c, struct definition *definition, struct instant now, uint64_t token,
                         struct error_detail *detail)
{
    (void)c;
    (void)now;
    (void)detail;
    ck_assert(token == 0 && given == NULL); /* nobody waits for it */
    if (register_fails != 0)                /* and then it stays the caller's */
        return register_fails;
    given = definition;
    return 0;
}

/* What was written into the audit log of a file; this is wrapped as well. */
static unsigned audited;
void __wrap_api_audit_file(struct api *api, bool schema, const char *name, const char *which);
void __wrap_api_audit_file(struct api *api, bool schema, const char *name, const char *which)
{
    (void)api;
    ck_assert_str_eq(name, schema ? "shapes" : "plain");
    ck_assert(schema || strcmp(which, "1.2.0") == 0);
    audited += schema ? 1 : 100;
}

static void setup(void)
{
    s = (struct loop){.config = &config, .limits = definition_limits_default()};
    s.limits.source_bytes_max = 50;
    s.limits.steps_max = 1;
    s.limits.payload_bytes_max = 5;
    s.limits.deadline_max = s.limits.last_good_age_max = SPAN_S(60);
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

/* Of what stands in place of an answer. */
static struct span age_of(const struct definition *d)
{
    struct span age = {0};
    for (unsigned i = 0; i < d->step_count; i++)
        age = span_max(age, d->steps[i].max_age);
    return age;
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
    ck_assert_uint_eq(entry->definition->step_count, 3); /* what stands in is one, too */
    ck_assert_int_eq(age_of(entry->definition).us, SPAN_S(3 * 3600).us);
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

/* After a crash between two loops the second takes from the first what that has taken, by the same limits, and with its retries. */
START_TEST(registered__what_another_loop_has_taken_is_taken)
{
    is_kept = true;
    ck_assert_int_eq(recover(source), 0);
    const struct definition *first = catalog_at(s.catalog, 0)->definition;
    struct loop other = {.config = &config, .limits = s.limits, .schemas = s.schemas, .index = 1};
    ck_assert_int_eq(catalog_create(1, &other.catalog), 0);
    ck_assert_msg(registered_take_definition(&other, first, &other.failure.detail) == 0, "%s",
                  other.failure.detail.text);
    ck_assert_ptr_nonnull(given);
    ck_assert(bytes_equal(given->source, first->source));
    ck_assert_uint_eq(given->steps[0].action.retry.max_attempts, 11);
    ck_assert_uint_eq(given->steps[0].compensation.retry.max_attempts, 12);
    ck_assert_int_eq(age_of(given).us, SPAN_S(3 * 3600).us);
    definition_destroy(given);
    given = NULL;
    ck_assert_int_eq(registered_take_definition(&s, first, &s.failure.detail), 0); /* it has it */
    ck_assert_ptr_null(given);
    catalog_destroy(other.catalog);
}
END_TEST

/* A start that finds in schemas_dir what an earlier one registered from there does not register it anew. */
START_TEST(registered__a_file_is_audited_once)
{
    char folder[] = "/tmp/registered-XXXXXX", path[64];
    static struct owner o;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/shapes.binpb", folder);
    FILE *to = fopen(path, "w");
    ck_assert(to != NULL && fwrite(shapes, shapes_size, 1, to) == 1 && fclose(to) == 0);
    struct config with_files = {.schemas_dir = folder, .definitions_dir = ""};
    s.config = &with_files;
    owner_init(&o);
    ck_assert_int_eq(owner_start(&o), 0);
    for (int start = 0; start < 2; start++) {
        s.core = o.core;
        ck_assert_int_eq(registered_take_files(&s, &s.failure.detail), 0);
        ck_assert_uint_eq(schemas_count(s.schemas), 1);
        ck_assert_uint_eq(audited, 1);
        ck_assert_int_eq(owner_commit(&o), 0);
        schemas_destroy(s.schemas);
        owner_restart(&o);
        ck_assert_int_eq(schemas_create(10, &s.schemas), 0);
        ck_assert_int_eq(schemas_recover(s.schemas, o.store, &s.failure.detail), 0);
    }
    owner_close(&o);
    ck_assert(unlink(path) == 0 && rmdir(folder) == 0);
}
END_TEST

/* What another loop has is no file, and was in the audit log when that took it. */
START_TEST(registered__a_schema_of_another_loop_is_no_file)
{
    static struct owner o;
    const struct schema_entry *entry;
    bool repeated;
    struct loop other = {.config = &config, .limits = s.limits, .index = 1};
    owner_init(&o);
    ck_assert_int_eq(owner_start(&o), 0);
    ck_assert_int_eq(schemas_create(10, &other.schemas), 0);
    ck_assert_int_eq(schemas_add(s.schemas, o.core, bytes_of_text("shapes"), bytes_of(shapes, shapes_size), o.now,
                                 &entry, &repeated, &s.failure.detail),
                     0);
    other.core = o.core;
    audited = 0;
    ck_assert_int_eq(registered_take_schema(&other, entry, &other.failure.detail), 0);
    ck_assert_uint_eq(schemas_count(other.schemas), 1);
    ck_assert_uint_eq(audited, 0);
    schemas_destroy(other.schemas);
    owner_close(&o);
}
END_TEST

/* Of a file, and not of another loop; with the limits that there are now. */
START_TEST(registered__a_definition_of_a_file_is_audited)
{
    char folder[] = "/tmp/registered-XXXXXX", path[64];
    struct config with_files = {.schemas_dir = "",
                                .definitions_dir = folder,
                                .definition_bytes_max = 1000,
                                .steps_max = 5,
                                .payload_bytes_max = 1000,
                                .deadline_max = SPAN_S(86400)};
    struct sidecar sidecar = {.config_now = &config};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/plain.yaml", folder);
    FILE *to = fopen(path, "w");
    ck_assert(to != NULL && fputs(plain, to) >= 0 && fclose(to) == 0);
    s.config = &with_files;
    s.sidecar = &sidecar;
    s.index = 1; /* of the first alone it is asked whether its targets are there */
    audited = 0;
    ck_assert_msg(registered_take_files(&s, &s.failure.detail) == 0, "%s", s.failure.detail.text);
    ck_assert_uint_eq(audited, 100);
    struct definition *first = given;
    given = NULL;
    ck_assert_int_eq(registered_take_definition(&s, first, &s.failure.detail), 0);
    ck_assert_ptr_nonnull(given);
    ck_assert_uint_eq(audited, 100);
    definition_destroy(first);
    definition_destroy(given);
    given = NULL;
    ck_assert(unlink(path) == 0 && rmdir(folder) == 0);
}
END_TEST

/* Whatever the name of its types stands for by now: those that it was registered with are found by what they are. */
START_TEST(registered__a_typed_one_of_another_loop_keeps_its_types)
{
    static struct owner o;
    const struct schema_entry *entry;
    bool repeated;
    owner_init(&o);
    ck_assert_int_eq(owner_start(&o), 0);
    s.core = o.core;
    ck_assert_int_eq(schemas_add(s.schemas, o.core, bytes_of_text("renamed"), bytes_of(trades, trades_size), o.now,
                                 &entry, &repeated, &s.failure.detail),
                     0);
    s.limits.schemas = schemas_current(s.schemas);
    const struct definition other = {.source = bytes_of_text(typed), .schema_hash = entry->set->hash, .retry = kept};
    register_fails = E_QUEUE; /* of what was read nothing stays, and nothing goes twice */
    ck_assert_int_eq(registered_take_definition(&s, &other, &s.failure.detail), E_QUEUE);
    register_fails = 0;
    ck_assert_msg(registered_take_definition(&s, &other, &s.failure.detail) == 0, "%s", s.failure.detail.text);
    ck_assert(given != NULL && given->schema != NULL);
    ck_assert_str_eq(given->schema_hash, entry->set->hash);
    definition_destroy(given);
    given = NULL;
    owner_close(&o);
}
END_TEST

/* It is not taken as one without. */
START_TEST(registered__one_whose_types_are_not_there_is_refused)
{
    const struct definition other = {.source = bytes_of_text(typed), .schema_hash = "none", .retry = kept};
    const struct definition nonsense = {.source = bytes_of_text("name: order\n"), .retry = kept};
    ck_assert_int_ne(registered_take_definition(&s, &other, &s.failure.detail), 0);
    ck_assert_str_ne(s.failure.detail.text, "");
    ck_assert_int_eq(registered_take_definition(&s, &nonsense, &s.failure.detail), E_ARGUMENT);
    ck_assert_ptr_null(given);
}
END_TEST

static struct lint_report linted;
static unsigned warned;

static void note(void *list, const struct warning *warning)
{
    ck_assert_ptr_eq(list, &linted);
    ck_assert_uint_lt(warned, linted.count);
    const struct lint_finding *f = &linted.findings[warned++];
    ck_assert_str_eq(warning->rule, lint_rows[f->rule].id);
    ck_assert_str_eq(warning->field, f->field);
    ck_assert_str_eq(warning->text, f->text);
    ck_assert(warning->line == f->line && warning->column == f->column);
    ck_assert_int_eq(warning->is_warning, lint_rows[f->rule].severity == LINT_WARNING);
}

/* Whoever registers is warned of what lint finds, by the first loop alone. */
START_TEST(registered__warnings_are_those_of_lint)
{
    struct sidecar sidecar = {.config_now = &config};
    s.sidecar = &sidecar;
    ck_assert_int_eq(recover(source), 0);
    const struct definition *d = catalog_at(s.catalog, 0)->definition;
    linted.count = linted.more = warned = 0;
    ck_assert_int_eq(lint_definition(d, &config.participants, &linted), 0);
    ck_assert_uint_gt(linted.count, 0);
    bool apart = false;
    for (unsigned i = 0; i < linted.count; i++)
        apart |= linted.findings[i].line != linted.findings[i].column;
    ck_assert(apart);
    ck_assert_int_eq(registered_warn(&s, d, note, &linted), 0);
    ck_assert_uint_eq(warned, linted.count);
    s.index = 1;
    ck_assert_int_eq(registered_warn(&s, d, note, &linted), 0);
    ck_assert_uint_eq(warned, linted.count);
}
END_TEST

static void note_target(void *list, const struct warning *warning)
{
    bool *missed = list;
    *missed |= strcmp(warning->rule, lint_rows[LINT_RULE_TARGET_UNKNOWN].id) == 0;
}

/* What a reload has brought counts, and not what there was at the start; a further loop takes what the first took. */
START_TEST(registered__the_targets_in_force_count)
{
    static const struct participant called = {.name = "t"}, other = {.name = "u"};
    static const struct config_target in[] = {{.name = "u"}, {.name = "t"}};
    struct config at_start = {.schemas_dir = "",
                              .definitions_dir = "",
                              .definition_bytes_max = 1000,
                              .steps_max = 5,
                              .payload_bytes_max = 1000,
                              .deadline_max = SPAN_S(86400),
                              .target_count = 1},
                  now = at_start;
    struct sidecar sidecar = {.config_now = &now};
    s.config = &at_start;
    s.sidecar = &sidecar;
    ck_assert_int_eq(recover(plain), 0);
    const struct definition *d = catalog_at(s.catalog, 0)->definition;
    for (int gone = 0; gone < 2; gone++) {
        struct error_detail detail = {.text = ""};
        bool missed = false;
        at_start.targets = &in[gone];
        at_start.participants = (struct participants){.at = gone ? &called : &other, .count = 1};
        now.targets = &in[!gone];
        now.participants = (struct participants){.at = gone ? &other : &called, .count = 1};
        s.index = 0;
        ck_assert_int_eq(registered_warn(&s, d, note_target, &missed), 0);
        ck_assert_int_eq(missed, gone);
        int code = registered_admit(&s, d, &detail);
        ck_assert_msg((code != 0) == gone, "%d: %s", code, detail.text);
        s.index = 1;
        ck_assert_int_eq(registered_admit(&s, d, &detail), 0);
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
    tcase_add_test(t, registered__what_another_loop_has_taken_is_taken);
    tcase_add_test(t, registered__a_file_is_audited_once);
    tcase_add_test(t, registered__a_definition_of_a_file_is_audited);
    tcase_add_test(t, registered__a_typed_one_of_another_loop_keeps_its_types);
    tcase_add_test(t, registered__one_whose_types_are_not_there_is_refused);
    tcase_add_test(t, registered__warnings_are_those_of_lint);
    tcase_add_test(t, registered__the_targets_in_force_count);
    tcase_add_test(t, registered__what_cannot_be_read_is_told);
    tcase_add_test(t, registered__a_schema_of_another_loop_is_no_file);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
