/* typed_definitions.h - definitions that know the types of shapes.proto: read, or refused in the words and at the place that a test expects. */
#ifndef SAGA_TESTS_TYPED_DEFINITIONS_H
#define SAGA_TESTS_TYPED_DEFINITIONS_H

#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/mapping/mapping.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <string.h>

static struct schema *schema;
static struct definition_limits limits;
static struct pool pool;

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    *hash = "cafe";
    return strcmp(name, "shop") == 0 ? schema : NULL;
}

static void setup(void)
{
    schema = shapes_schema();
    limits = definition_limits_default();
    limits.schemas.find = find;
    pool_init(&pool, &heap, MAPPING_MEMORY_MAX);
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
}

#define HEAD "name: checkout\nversion: 2.0.0\nschema: shop\ninput: shapes.Order\n"

static struct definition *definition(const char *text)
{
    struct definition *d = NULL;
    struct error_detail detail = {.text = ""};
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    ck_assert_ptr_nonnull(d->mapping);
    return d;
}

static void refused_with(const char *text, int wanted, const char *words, int line, int column)
{
    struct definition *d = NULL;
    struct error_detail detail = {.text = ""};
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code != 0, "it was taken: %s", text);
    ck_assert_msg(wanted == 0 || code == wanted, "%d: %s: %s", code, detail.field, detail.text);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%s: %s", detail.field, detail.text);
    ck_assert_msg(detail.line == line && detail.column == column, "%d:%d: %s", detail.line, detail.column, detail.text);
}

static void refused(const char *text, const char *words, int line, int column)
{
    refused_with(text, 0, words, line, column);
}

#endif
