/* fuzz_expression.c - a text, and behind a NUL the bytes of a message, as an expression and its input: it is refused with words and a place, fails with
 * words and a place, or gives a value of the type that was promised, the same every time, within its bounds. */
#include "descriptors.h"
#include "sidecar/base/check.h"
#include "sidecar/base/utf8.h"
#include "sidecar/core/heap.h"
#include "sidecar/expression/fields.h"
#include "sidecar/expression/run_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

#define COST_MAX   20000
#define MEMORY_MAX (4 << 20)

static void check_value(const struct type *type, const struct datum *d);

static void check_inside(const struct type *type, const struct datum *d)
{
    if (d->kind == DATUM_STRING)
        CHECK(utf8_valid(datum_bytes(d)));
    if (d->kind == DATUM_LIST)
        for (uint32_t i = 0; i < d->size; i++)
            check_value(type->kind == TYPE_LIST ? type->of[0] : &type_dyn, &d->items[i]);
    if (d->kind == DATUM_MAP)
        for (uint32_t i = 0; i < d->size; i++) {
            check_value(type->kind == TYPE_MAP ? type->of[0] : &type_dyn, &d->map->entries[2 * i]);
            check_value(type->kind == TYPE_MAP ? type->of[1] : &type_dyn, &d->map->entries[2 * i + 1]);
            CHECK(map_find(d, &d->map->entries[2 * i]) == i);
        }
    if (d->kind == DATUM_OPTIONAL && d->held != NULL)
        check_value(type->kind == TYPE_OPTIONAL ? type->of[0] : &type_dyn, d->held);
}

/* Whether the value is of the type; null stands for messages, times and optionals too, as the checker has it. */
static void check_value(const struct type *type, const struct datum *d)
{
    static const enum datum_kind kinds[] = {
        [TYPE_NULL] = DATUM_NULL,         [TYPE_BOOL] = DATUM_BOOL,
        [TYPE_INT] = DATUM_INT,           [TYPE_UINT] = DATUM_UINT,
        [TYPE_DOUBLE] = DATUM_DOUBLE,     [TYPE_STRING] = DATUM_STRING,
        [TYPE_BYTES] = DATUM_BYTES,       [TYPE_TIMESTAMP] = DATUM_TIMESTAMP,
        [TYPE_DURATION] = DATUM_DURATION, [TYPE_LIST] = DATUM_LIST,
        [TYPE_MAP] = DATUM_MAP,           [TYPE_MESSAGE] = DATUM_MESSAGE,
        [TYPE_OPTIONAL] = DATUM_OPTIONAL, [TYPE_TYPE] = DATUM_TYPE,
    };
    CHECK(d->kind != DATUM_FAILURE);
    if (type->kind == TYPE_WRAPPER)
        type = d->kind == DATUM_NULL ? &type_null : type->of[0];
    bool nullable = type->kind == TYPE_MESSAGE || type->kind == TYPE_TIMESTAMP || type->kind == TYPE_DURATION ||
                    type->kind == TYPE_OPTIONAL;
    if (type->kind != TYPE_DYN && type->kind != TYPE_VARIABLE && !(nullable && d->kind == DATUM_NULL))
        CHECK(d->kind == kinds[type->kind]);
    check_inside(type, d);
}

static struct datum evaluated(const struct expression *e, const struct schema *schema, const struct datum *variables,
                              struct pool *pool)
{
    struct evaluation evaluation = {.schema = schema, .pool = pool, .variables = variables, .cost_max = COST_MAX};
    struct datum d = expression_evaluate(e, &evaluation);
    if (d.kind == DATUM_FAILURE) {
        CHECK(d.failure != NULL && d.failure->text.size > 0 && utf8_valid(d.failure->text));
        CHECK(d.failure->position <= EXPRESSION_BYTES_MAX);
    }
    return d;
}

static void try(struct bytes text, struct bytes wire, const struct schema *schema, struct pool *pool)
{
    struct evaluation reading = {.schema = schema, .pool = pool, .cost_max = COST_MAX};
    const struct message_type *saga = schema_message(schema, bytes_of_text("saga.v1.Saga"));
    CHECK(saga != NULL);
    const struct datum values[] = {datum_of_message(&reading, 0, saga, wire), datum_int(3)};
    const struct variable variables[] = {{bytes_of_text("s"), type_of_message(pool, saga), false},
                                         {bytes_of_text("d"), &type_dyn, false}};
    const struct environment environment = {
        .schema = schema, .container = bytes_of_text("saga.v1"), .variables = variables, .variable_count = 2};
    const struct expression *e;
    struct expression_error error;
    int code = expression_compile(text, &environment, pool, &e, &error);
    if (code != 0) {
        CHECK(error.text[0] != '\0' && memchr(error.text, '\0', sizeof error.text) != NULL && error.line > 0 &&
              error.column > 0);
        CHECK(error.position <= text.size);
        CHECK(code == E_SYNTAX || utf8_valid(bytes_of_text(error.text)));
        return;
    }
    struct datum first = evaluated(e, schema, values, pool), again = evaluated(e, schema, values, pool), failed;
    CHECK(first.kind == again.kind);
    if (first.kind == DATUM_FAILURE)
        return;
    check_value(expression_type(e), &first);
    struct evaluation comparing = {.schema = schema, .pool = pool, .cost_max = UINT64_MAX};
    /* But for a NaN somewhere. */
    if (first.kind == DATUM_STRING || first.kind == DATUM_INT || first.kind == DATUM_BYTES)
        CHECK(datum_equal(&comparing, 0, &first, &again, &failed) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static struct schema *schema;
    struct error_detail detail;
    if (schema == NULL)
        CHECK(schema_read(bytes_of(descriptors, descriptors_size), &heap, &schema, &detail) == 0);
    const uint8_t *end = size == 0 ? NULL : memchr(at, 0, size);
    size_t text = end == NULL ? size : (size_t)(end - at);
    struct pool pool;
    pool_init(&pool, &heap, MEMORY_MAX);
    try(bytes_of(at, text), end == NULL ? bytes_of(NULL, 0) : bytes_of(end + 1, size - text - 1), schema, &pool);
    pool_finish(&pool);
    return 0;
}
