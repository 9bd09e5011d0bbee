/* Registered schemas: kept once, named anew, durable with the definitions that stay with them; and what is said of rows that are damaged. */
#include "sidecar/core/schemas.h"
#include "tests/support/core_owner.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdlib.h>

#include "descriptors.h"

static struct owner o;
static struct schemas *schemas;
static struct error_detail detail;
static const struct schema_entry *entry;
static bool repeated;

static void setup(void)
{
    owner_open(&o);
    ck_assert_int_eq(schemas_create(2, &schemas), 0);
}

static void teardown(void)
{
    schemas_destroy(schemas);
    owner_close(&o);
}

static struct bytes first_set(void)
{
    return bytes_of(shapes, shapes_size);
}

static struct bytes second_set(void)
{
    return bytes_of(descriptors, descriptors_size);
}

static int add(const char *name, struct bytes set)
{
    return schemas_add(schemas, o.core, bytes_of_text(name), set, o.now, &entry, &repeated, &detail);
}

/* As after a kill: everything anew, from the disk. Returns what schemas_recover does. */
static int recover(void)
{
    ck_assert_int_eq(owner_commit(&o), 0);
    schemas_destroy(schemas);
    ck_assert_int_eq(schemas_create(1, &schemas), 0);
    owner_restart(&o);
    return schemas_recover(schemas, o.store, &detail);
}

static const char *hash_of(const char *name)
{
    const struct schema_entry *found = schemas_find(schemas, bytes_of_text(name));
    return found == NULL ? "" : found->set->hash;
}

START_TEST(schemas__a_set_is_kept_once_under_any_names)
{
    ck_assert_int_eq(add("b", first_set()), 0);
    ck_assert(!repeated);
    const struct schema_set *set = entry->set;
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert(!repeated);
    ck_assert_ptr_eq(entry->set, set);
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert(repeated);
    ck_assert_str_eq(schemas_at(schemas, 0)->name, "a");
    ck_assert_str_eq(schemas_at(schemas, 1)->name, "b");
    ck_assert_uint_eq(schemas_count(schemas), 2);
    ck_assert_ptr_null(schemas_at(schemas, 2));
    ck_assert_ptr_eq(schemas_find_set(schemas, bytes_of_text(set->hash)), set);
    ck_assert_ptr_null(schemas_find_set(schemas, bytes_of_text("cafe")));
}
END_TEST

START_TEST(schemas__names_and_sets_are_bounded)
{
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert_int_eq(add("b", second_set()), 0);
    ck_assert_int_eq(add("c", first_set()), E_SCHEMAS);
    ck_assert_int_eq(add("a", bytes_of_text("nonsense")), E_SCHEMAS);
    ck_assert_int_eq(add("a", second_set()), 0);
    ck_assert(!repeated);
    ck_assert_str_eq(hash_of("a"), hash_of("b"));
    /* A name that stands for another set from now on is one name still, in the next life, too. */
    for (int lives = 0; lives < 2; lives++) {
        ck_assert_uint_eq(schemas_count(schemas), 2);
        ck_assert_str_eq(schemas_at(schemas, 0)->name, "a");
        ck_assert_str_eq(schemas_at(schemas, 1)->name, "b");
        ck_assert_str_eq(hash_of("a"), hash_of("b"));
        ck_assert_int_eq(recover(), 0);
    }
}
END_TEST

/* What a dry run says is what would be: refused in the same order, and nothing of it stays. */
START_TEST(schemas__trying_answers_as_adding_would)
{
    char hash[SHA256_TEXT_SIZE], first[SHA256_TEXT_SIZE];
    sha256_text(first_set(), first);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(schemas_try(schemas, o.core, bytes_of_text("a"), first_set(), hash, &repeated, &detail), 0);
        ck_assert(!repeated);
        ck_assert_str_eq(hash, first);
        ck_assert_ptr_null(schemas_find_set(schemas, bytes_of_text(first)));
    }
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert_int_eq(add("b", first_set()), 0);
    ck_assert_int_eq(schemas_try(schemas, o.core, bytes_of_text("a"), first_set(), hash, &repeated, &detail), 0);
    ck_assert(repeated);
    const struct {
        const char *name;
        struct bytes set;
        int code;
    } cases[] = {
        {"c", first_set(), E_SCHEMAS},
        {"c", second_set(), E_SCHEMAS},
        {"a", bytes_of_text("nonsense"), E_ARGUMENT},
        {"c", bytes_of_text("nonsense"), E_ARGUMENT},
    };
    struct error_detail tried;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = schemas_try(schemas, o.core, bytes_of_text(cases[i].name), cases[i].set, hash, &repeated, &tried);
        ck_assert_int_eq(code, cases[i].code);
        ck_assert_int_eq(add(cases[i].name, cases[i].set), code);
        ck_assert_str_eq(detail.text, tried.text);
        ck_assert_str_eq(detail.field, tried.field);
    }
    /* A set that found no room for its name is not kept: there is room for another. */
    ck_assert_int_eq(add("a", second_set()), 0);
}
END_TEST

START_TEST(schemas__nothing_is_added_to_a_tight_journal)
{
    char hash[SHA256_TEXT_SIZE];
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_set_tight(o.disk, true);
    ck_assert_int_eq(schemas_try(schemas, o.core, bytes_of_text("b"), first_set(), hash, &repeated, &detail),
                     E_JOURNAL_FULL);
    ck_assert_int_eq(add("b", first_set()), E_JOURNAL_FULL);
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert(repeated);
}
END_TEST

/* The bound may have been lowered since: what is there stays. */
START_TEST(schemas__what_is_registered_outlives_a_kill)
{
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert_int_eq(add("b", second_set()), 0);
    struct instant before = o.now;
    o.now = instant_after(o.now, SPAN_S(90));
    ck_assert_int_eq(add("b", first_set()), 0);
    ck_assert_int_eq(entry->registered_at.us, o.now.us);
    char old[SHA256_TEXT_SIZE], first[SHA256_TEXT_SIZE];
    sha256_text(second_set(), old);
    sha256_text(first_set(), first);
    ck_assert_int_eq(recover(), 0);
    ck_assert_str_eq(hash_of("a"), first);
    ck_assert_str_eq(hash_of("b"), first);
    ck_assert_int_eq(schemas_find(schemas, bytes_of_text("a"))->registered_at.us, before.us);
    ck_assert_int_eq(schemas_find(schemas, bytes_of_text("b"))->registered_at.us, o.now.us);
    ck_assert_ptr_nonnull(schemas_find_set(schemas, bytes_of_text(old)));
    ck_assert_int_eq(add("c", first_set()), E_SCHEMAS);
    ck_assert_int_eq(add("a", first_set()), 0);
    ck_assert(repeated);
}
END_TEST

static const char typed[] = "name: typed\nversion: 1.0.0\nschema: a\ninput: shapes.Order\nsteps:\n"
                            "  - {name: s, target: t, action: /shapes.Shop/Reserve}\n";

START_TEST(schemas__a_definition_stays_with_its_set)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    ck_assert_int_eq(add("a", first_set()), 0);
    limits.schemas = schemas_current(schemas);
    ck_assert_int_eq(definition_read(bytes_of_text(typed), &limits, &d, &detail), 0);
    ck_assert_int_eq(core_register(o.core, d, o.now, 0, &detail), 0);
    uint32_t number = d->number;
    ck_assert_int_eq(add("a", second_set()), 0);
    ck_assert_int_eq(recover(), 0);
    char first[SHA256_TEXT_SIZE];
    sha256_text(first_set(), first);
    const char *hash = NULL;
    struct definition_schemas pinned = schemas_pinned(schemas, number);
    ck_assert_ptr_nonnull(pinned.find(pinned.self, "a", &hash));
    ck_assert_str_eq(hash, first);
    pinned = schemas_pinned(schemas, number + 1);
    ck_assert_ptr_null(pinned.find(pinned.self, "a", &hash));
    pinned = schemas_fixed(schemas, first);
    ck_assert_ptr_nonnull(pinned.find(pinned.self, "a", &hash));
}
END_TEST

static void assert_damaged(uint32_t kind, const char *name, struct bytes value, const char *words)
{
    const struct subject_row row = {.kind = kind, .name = bytes_of_text(name), .version = 1, .value = value};
    ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    int code = recover();
    ck_assert_msg(code == E_JOURNAL_CORRUPT, "%s: %d %s", name, code, detail.text);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%s", detail.text);
}

START_TEST(schemas__a_set_under_another_hash_is_damage)
{
    assert_damaged(SUBJECT_SCHEMA, "cafe", first_set(), "has another hash than its descriptors");
}
END_TEST

START_TEST(schemas__a_name_of_nothing_is_damage)
{
    uint8_t value[8 + SHA256_TEXT_SIZE - 1] = {0};
    assert_damaged(SUBJECT_SCHEMA_NAME, "a", bytes_of(value, sizeof value),
                   "stands for descriptors that are not there");
    assert_damaged(SUBJECT_SCHEMA_NAME, "a", bytes_of(value, 3), "is none");
}
END_TEST

START_TEST(schemas__a_pin_to_nothing_is_damage)
{
    assert_damaged(SUBJECT_PIN, "1", bytes_of_text("cafe"), "pinned to descriptors that are not there");
    assert_damaged(SUBJECT_PIN, "one", bytes_of_text("cafe"), "pinned to descriptors that are not there");
}
END_TEST

/* What is pinned is named by its number and nothing else. */
START_TEST(schemas__a_pin_of_no_definition_is_damage)
{
    static const char *const names[] = {"1x", "0", "4294967296"};
    char hash[SHA256_TEXT_SIZE];
    sha256_text(first_set(), hash);
    ck_assert_int_eq(add("a", first_set()), 0);
    const struct subject_row last = {
        .kind = SUBJECT_PIN, .name = bytes_of_text("4294967295"), .version = 1, .value = bytes_of_text(hash)};
    ck_assert_int_eq(core_set_subject(o.core, &last), 0);
    ck_assert_int_eq(recover(), 0);
    assert_damaged(SUBJECT_PIN, names[_i], bytes_of_text(hash), "pinned to descriptors that are not there");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schemas");
    TCase *tests = tcase_create("schemas");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, schemas__a_set_is_kept_once_under_any_names);
    tcase_add_test(tests, schemas__names_and_sets_are_bounded);
    tcase_add_test(tests, schemas__trying_answers_as_adding_would);
    tcase_add_test(tests, schemas__nothing_is_added_to_a_tight_journal);
    tcase_add_test(tests, schemas__what_is_registered_outlives_a_kill);
    tcase_add_test(tests, schemas__a_definition_stays_with_its_set);
    tcase_add_test(tests, schemas__a_set_under_another_hash_is_damage);
    tcase_add_test(tests, schemas__a_name_of_nothing_is_damage);
    tcase_add_loop_test(tests, schemas__a_pin_of_no_definition_is_damage, 0, 3);
    tcase_add_test(tests, schemas__a_pin_to_nothing_is_damage);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
