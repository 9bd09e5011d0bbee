/* json_skeleton.c - an example of a type, to be filled in. */
#include "sidecar/message/json_inside.h"

#define DEPTH_MAX 8

/* The types that the example is within. */
struct around {
    const struct around *outer;
    const struct message_type *type;
    unsigned depth_max;
};

static bool is_within(const struct around *a, const struct message_type *type)
{
    unsigned depth = 0, depth_max = a->depth_max;
    for (; a->type != NULL; a = a->outer)
        if (a->type == type || ++depth == depth_max)
            return true;
    return false;
}

static void put_message(struct json_writer *w, const struct message_type *type, const struct around *outer);

static void put_value(struct json_writer *w, const struct field *f, const struct around *around)
{
    struct value v = {.kind = f->kind};
    if (f->kind == FIELD_MESSAGE) {
        put_message(w, f->message, around);
        return;
    }
    if (f->kind == FIELD_ENUM)
        v.i = f->enumeration->values[0].number;
    if (value_class_of(f->kind) == VALUE_TEXT)
        v.text = bytes_of("", 0);
    json_write_value(w, f, &v, 0);
}

static void put_map_key(struct json_writer *w, const struct field *key)
{
    enum value_class class = value_class_of(key->kind);
    json_put_key(w, bytes_of_text(class == VALUE_TEXT ? "key" : class == VALUE_BOOL ? "true" : "1"));
}

static void put_field(struct json_writer *w, const struct field *f, const struct around *around)
{
    json_put_key(w, f->json_name);
    if (!f->repeated) {
        put_value(w, f, around);
        return;
    }
    const struct field *item = f->map ? &f->message->fields[1] : f;
    bool empty = item->kind == FIELD_MESSAGE && is_within(around, item->message);
    json_open(w, f->map ? '{' : '[');
    if (!empty)
        json_begin(w, true);
    if (f->map && !empty) {
        put_map_key(w, &f->message->fields[0]);
        put_value(w, &f->message->fields[1], around);
    } else if (!empty) {
        put_value(w, f, around);
    }
    json_close(w, f->map ? '}' : ']', empty);
}

/* Whether no field before it is of the same oneof. */
static bool is_first_choice(const struct field *f)
{
    for (unsigned i = 0; f->oneof >= 0 && i < f->index; i++)
        if (f->owner->fields[i].oneof == f->oneof)
            return false;
    return true;
}

static void put_fields(struct json_writer *w, const struct message_type *type, const struct around *outer)
{
    struct around around = {.outer = outer, .type = type, .depth_max = outer->depth_max};
    bool first = true;
    json_open(w, '{');
    for (unsigned i = 0; i < type->field_count && w->out->code == 0; i++) {
        const struct field *f = &type->fields[i];
        bool again = f->kind == FIELD_MESSAGE && !f->repeated && is_within(&around, f->message);
        if (!is_first_choice(f) || again || f->kind == FIELD_GROUP)
            continue;
        json_begin(w, first);
        first = false;
        put_field(w, f, &around);
    }
    json_close(w, '}', first);
}

static void put_message(struct json_writer *w, const struct message_type *type, const struct around *outer)
{
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP:
        json_put_raw(w, "\"1970-01-01T00:00:00Z\"");
        break;
    case WELL_KNOWN_DURATION:
        json_put_raw(w, "\"0s\"");
        break;
    case WELL_KNOWN_FIELD_MASK:
        json_put_raw(w, "\"\"");
        break;
    case WELL_KNOWN_LIST_VALUE:
        json_put_raw(w, "[]");
        break;
    case WELL_KNOWN_VALUE:
        json_put_raw(w, "null");
        break;
    case WELL_KNOWN_WRAPPER:
        put_value(w, &type->fields[0], outer);
        break;
    case WELL_KNOWN_ANY:
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_EMPTY:
        json_put_raw(w, "{}");
        break;
    case WELL_KNOWN_NONE:
        put_fields(w, type, outer);
        break;
    }
}

/* With so many types within one another. */
static int write_within(const struct message_type *type, unsigned depth_max, struct pool *pool, size_t bytes_max,
                        struct bytes *json)
{
    const struct around none = {.depth_max = depth_max};
    struct builder out;
    struct error_detail detail;
    struct json_writer w = {.out = &out, .pretty = true, .detail = &detail};
    builder_init(&out, pool, bytes_max);
    pool_init(&w.scratch, pool->memory, pool->bytes_max);
    put_message(&w, type, &none);
    pool_finish(&w.scratch);
    build_raw(&out, bytes_of("", 1));
    int code = builder_finish(&out, json);
    json->size -= code == 0;
    return code;
}

/* What would be too large has less within it. */
int json_skeleton(const struct message_type *type, struct pool *pool, size_t bytes_max, struct bytes *json)
{
    int code = E_PAYLOAD;
    for (unsigned depth = DEPTH_MAX; code == E_PAYLOAD && depth > 0; depth /= 2) {
        struct pool_mark mark = pool_mark(pool);
        code = write_within(type, depth, pool, bytes_max, json);
        if (code != 0)
            pool_rewind(pool, mark);
    }
    return code;
}
