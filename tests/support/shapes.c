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
