/* example.c - a message in which everything is set to something. */
#include "sidecar/message/build.h"
#include "sidecar/rehearse/rehearse.h"

#define EXAMPLE_DEPTH_MAX 6
#define EXAMPLE_BYTES_MAX 65536

static void put_message(struct builder *b, const struct message_type *type, unsigned depth);

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

static void put_field(struct builder *b, const struct field *f, unsigned depth)
{
    if (f->kind == FIELD_GROUP)
        return;
    if (f->kind == FIELD_MESSAGE) {
        size_t mark = build_open(b, f);
        put_message(b, f->message, depth + 1);
        build_close(b, mark);
        return;
    }
    struct value v = value_for(f);
    if (!f->packed) {
        build_field(b, f, &v);
        return;
    }
    size_t mark = build_open(b, f);
    build_packed(b, f, &v);
    build_close(b, mark);
}

/* Any names a type, and values of JSON may hold one another without end: these stay empty. */
static void put_message(struct builder *b, const struct message_type *type, unsigned depth)
{
    bool left_empty = type->well_known == WELL_KNOWN_ANY || type->well_known == WELL_KNOWN_STRUCT ||
                      type->well_known == WELL_KNOWN_LIST_VALUE || type->well_known == WELL_KNOWN_FIELD_MASK;
    int oneof = -1;
    for (unsigned i = 0; i < type->field_count && !left_empty; i++) {
        const struct field *f = &type->fields[i];
        bool chosen_already = f->oneof >= 0 && f->oneof == oneof;
        if (chosen_already || (f->kind == FIELD_MESSAGE && depth == EXAMPLE_DEPTH_MAX))
            continue;
        oneof = f->oneof >= 0 ? f->oneof : oneof;
        put_field(b, f, depth);
    }
}

int rehearse_example(const struct message_type *type, struct pool *pool, struct bytes *wire)
{
    struct builder b;
    builder_init(&b, pool, EXAMPLE_BYTES_MAX);
    put_message(&b, type, 0);
    return builder_finish(&b, wire);
}
