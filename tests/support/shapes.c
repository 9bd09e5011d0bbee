/* shapes.c - the types of shapes.proto, read. */
#include "tests/support/shapes.h"

#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"

#include <stdio.h>

struct schema *shapes_schema(void)
{
    struct schema *s = NULL;
    struct error_detail detail = {.field = ""};
    int code = schema_read(bytes_of(shapes, shapes_size), &heap, &s, &detail);
    if (code != 0)
        fprintf(stderr, "shapes: %s: %s\n", detail.field, detail.text);
    CHECK(code == 0);
    return s;
}

static const struct schema *find(void *self, const char *name, const char **hash)
{
    static struct schema *schema;
    (void)self;
    if (schema == NULL)
        schema = shapes_schema();
    *hash = "cafe";
    return strcmp(name, "shapes") == 0 ? schema : NULL;
}

struct definition_schemas shapes_schemas(void)
{
    return (struct definition_schemas){.find = find};
}

struct bytes shapes_line(struct bytes sku, uint8_t *room)
{
    CHECK(sku.size < 128);
    if (sku.size == 0)
        return bytes_of(room, 0);
    room[0] = 1 << 3 | 2;
    room[1] = (uint8_t)sku.size;
    memcpy(room + 2, sku.at, sku.size);
    return bytes_of(room, sku.size + 2);
}

const struct message_type *shapes_type(const struct schema *s, const char *name)
{
    char full[128];
    int size = snprintf(full, sizeof full, "shapes.%s", name);
    const struct message_type *t = schema_message(s, bytes_of(full, (size_t)size));
    CHECK(t != NULL);
    return t;
}

const struct field *shapes_field(const struct message_type *t, const char *name)
{
    const struct field *f = message_field_by_name(t, bytes_of_text(name));
    CHECK(f != NULL);
    return f;
}
