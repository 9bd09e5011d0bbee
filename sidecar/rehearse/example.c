/* example.c - a message in which everything is set to something. */
#include "sidecar/message/build.h"
#include "sidecar/rehearse/rehearse.h"

#define EXAMPLE_DEPTH_MAX 6
#define EXAMPLE_BYTES_MAX 16384

/* How large: so many messages within one another, and so many items of a list. */
struct extent {
    unsigned depth, items;
};

static void put_message(struct builder *b, const struct message_type *type, struct extent extent);

static struct value value_for(const struct field *f)
{
    struct value v = {.kind = f->kind};
    switch (value_class_of(f->kind)) {
    case VALUE_INT:
        v.i = f->kind != FIELD_ENUM             ? 1
              : f->enumeration->value_count > 1 ? f->enumeration->values[1].number
                                                : f->enumeration->values[0].number;
        break;
    case VALUE_UINT:
        v.u = 1;
        break;
    case VALUE_DOUBLE:
        v.d = 1;
        break;
    case VALUE_BOOL:
        v.b = true;
        break;
    case VALUE_TEXT:
        v.text = f->name;
        break;
    }
    return v;
}

static void put_field(struct builder *b, const struct field *f, struct extent extent)
{
    unsigned items = f->repeated && !f->map ? extent.items : 1;
    struct value v = value_for(f);
    size_t packed = f->packed ? build_open(b, f) : 0;
    for (unsigned i = 0; i < items; i++) {
        if (f->packed) {
            build_packed(b, f, &v);
        } else if (f->kind == FIELD_MESSAGE) {
            size_t mark = build_open(b, f);
            put_message(b, f->message, (struct extent){.depth = extent.depth - 1, .items = 1});
            build_close(b, mark);
        } else {
            build_field(b, f, &v);
        }
    }
    if (f->packed)
        build_close(b, packed);
}

/* Whether a field before it is of the same oneof. */
static bool is_another_choice(const struct message_type *type, const struct field *f)
{
    for (const struct field *before = type->fields; before != f && f->oneof >= 0; before++)
        if (before->oneof == f->oneof)
            return true;
    return false;
}

/* Any names a type, and values of JSON may hold one another without end: these stay empty. What has grown too large already is left. */
static void put_message(struct builder *b, const struct message_type *type, struct extent extent)
{
    bool left_empty = type->well_known == WELL_KNOWN_ANY || type->well_known == WELL_KNOWN_STRUCT ||
                      type->well_known == WELL_KNOWN_LIST_VALUE || type->well_known == WELL_KNOWN_FIELD_MASK;
    for (unsigned i = 0; i < type->field_count && !left_empty && b->code == 0; i++) {
        const struct field *f = &type->fields[i];
        bool too_deep = f->kind == FIELD_MESSAGE && extent.depth == 0;
        if (!too_deep && f->kind != FIELD_GROUP && !is_another_choice(type, f))
            put_field(b, f, extent);
    }
}

int rehearse_example(const struct message_type *type, struct pool *pool, struct bytes *wire)
{
    struct pool scratch;
    struct builder b;
    *wire = bytes_of("", 0);
    pool_init(&scratch, pool->memory, 4 * EXAMPLE_BYTES_MAX);
    int code = E_PAYLOAD;
    for (unsigned depth = EXAMPLE_DEPTH_MAX + 1; code == E_PAYLOAD && depth > 0; depth--) {
        struct bytes built;
        pool_finish(&scratch);
        builder_init(&b, &scratch, EXAMPLE_BYTES_MAX);
        put_message(&b, type, (struct extent){.depth = depth - 1, .items = 2});
        code = builder_finish(&b, &built);
        if (code == 0)
            *wire = pool_copy(pool, built);
    }
    pool_finish(&scratch);
    return code == E_MEMORY || wire->at == NULL ? E_MEMORY : 0;
}
