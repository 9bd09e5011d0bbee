/* Every allocation refused in turn, where the C library's own allocator is used: reading a definition, packing it, the catalog, schemas. The core's
 * allocations are refused by the simulator (make sim-memory). Linked with --wrap, so that only the tree's own calls are counted. */
#include "sidecar/definition/pack.h"
#include "sidecar/definition/reader.h"
#include "sidecar/core/catalog.h"
#include "sidecar/core/schemas.h"
#include "sidecar/observe/metrics.h"
#include "tests/support/core_owner.h"
#include "tests/support/shapes.h"
#include "tests/support/trades.h"
#include "transport/credentials.h"

#include <check.h>
#include <stdlib.h>

static uint64_t allocations, fail_at; /* 0: none fails */

static bool refused(void)
{
    return fail_at != 0 && ++allocations == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return refused() ? NULL : __real_realloc(at, size);
}

static const char text[] =
    "name: two\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, request: {constant: bytes}}, compensation: /p.S/UndoA}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, request: {output: a}}}\n";

static struct error_detail detail;

static int read_definition(struct definition **out)
{
    struct definition_limits limits = definition_limits_default();
    return definition_read(bytes_of_text(text), &limits, out, &detail);
}

START_TEST(alloc__reading_a_definition_is_refused_cleanly)
{
    int code = E_MEMORY;
    uint64_t n = 0;
    while (code != 0) {
        struct definition *d = NULL;
        allocations = 0;
        fail_at = ++n;
        code = read_definition(&d);
        fail_at = 0;
        ck_assert_msg(code == 0 || code == E_MEMORY, "allocation %llu: %d %s", (unsigned long long)n, code,
                      detail.text);
        ck_assert(code == 0 || d == NULL);
        definition_destroy(d);
    }
    ck_assert_uint_gt(n, 3);
}
END_TEST

START_TEST(alloc__the_catalog_refuses_and_stays_whole)
{
    struct definition *d;
    ck_assert_int_eq(read_definition(&d), 0);
    for (uint64_t n = 1;; n++) {
        struct catalog *c = NULL;
        struct definition *first = definition_pack(d), *second = definition_pack(d);
        first->name = "one";
        allocations = 0;
        fail_at = n;
        int code = catalog_create(8, &c);
        int added = code == 0 ? catalog_add(c, first, (struct instant){0}, &detail) : code;
        int added_too = added == 0 ? catalog_add(c, second, (struct instant){0}, &detail) : added;
        fail_at = 0;
        ck_assert(added_too == 0 || added_too == E_MEMORY);
        if (code == 0) {
            ck_assert_uint_eq(catalog_count(c), (added == 0) + (added_too == 0));
            ck_assert_ptr_eq(catalog_by_number(c, 1), added == 0 ? first : NULL);
        }
        catalog_destroy(c);
        if (added != 0)
            definition_destroy(first);
        if (added_too != 0)
            definition_destroy(second);
        else
            break;
        ck_assert_uint_lt(n, 100);
    }
    definition_destroy(d);
}
END_TEST

/* What was refused is not there, so that the same again is no repetition; and what is there is durable. */
START_TEST(alloc__a_schema_is_there_when_its_rows_are)
{
    static struct owner o;
    const struct bytes sets[] = {bytes_of(shapes, shapes_size), bytes_of(trades, trades_size)};
    const struct schema_entry *entry;
    struct schemas *schemas;
    bool repeated;
    owner_open(&o);
    ck_assert_int_eq(schemas_create(2, &schemas), 0);
    for (int k = 0; k < 2; k++) {
        const struct schema_set *before = k == 0 ? NULL : schemas_at(schemas, 0)->set;
        int code = E_MEMORY;
        for (uint64_t n = 1; code != 0; n++) {
            allocations = 0;
            fail_at = n;
            code = schemas_add(schemas, o.core, bytes_of_text("a"), sets[k], o.now, &entry, &repeated, &detail);
            fail_at = 0;
            ck_assert(code == 0 ? !repeated : code == E_MEMORY);
            entry = schemas_find(schemas, bytes_of_text("a"));
            ck_assert((code == 0) == (entry != NULL && entry->set != before));
        }
        char hash[SHA256_TEXT_SIZE];
        sha256_text(sets[k], hash);
        ck_assert_int_eq(owner_commit(&o), 0);
        schemas_destroy(schemas);
        ck_assert_int_eq(schemas_create(2, &schemas), 0);
        owner_restart(&o);
        ck_assert_int_eq(schemas_recover(schemas, o.store, &detail), 0);
        ck_assert_uint_eq(schemas_count(schemas), 1);
        ck_assert_str_eq(schemas_at(schemas, 0)->set->hash, hash);
    }
    schemas_destroy(schemas);
    owner_close(&o);
}
END_TEST

START_TEST(alloc__packing_is_refused)
{
    struct definition *d;
    ck_assert_int_eq(read_definition(&d), 0);
    allocations = 0;
    fail_at = 1;
    struct definition *copy = definition_pack(d);
    fail_at = 0;
    ck_assert_ptr_null(copy);
    definition_destroy(d);
}
END_TEST

/* What is counted meanwhile is lost, and nothing else. */
START_TEST(alloc__counting_goes_on)
{
    struct metrics *m;
    ck_assert_int_eq(metrics_create(10, &m), 0);
    allocations = 0;
    fail_at = 1;
    metrics_set(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 1);
    fail_at = 0;
    ck_assert_uint_eq(metrics_count(m), 0);
    metrics_set(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 2);
    ck_assert_uint_eq(metrics_count(m), 1);
    metrics_destroy(m);
}
END_TEST

START_TEST(alloc__a_connection_is_refused)
{
    const struct transport_credentials tls = {.security = TRANSPORT_TLS};
    allocations = 0;
    fail_at = 1;
    grpc_channel_credentials *none = transport_channel_credentials(&tls, "localhost");
    fail_at = 0;
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("alloc");
    TCase *t = tcase_create("alloc");
    tcase_add_test(t, alloc__reading_a_definition_is_refused_cleanly);
    tcase_add_test(t, alloc__the_catalog_refuses_and_stays_whole);
    tcase_add_test(t, alloc__a_schema_is_there_when_its_rows_are);
    tcase_add_test(t, alloc__packing_is_refused);
    tcase_add_test(t, alloc__counting_goes_on);
    tcase_add_test(t, alloc__a_connection_is_refused);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
