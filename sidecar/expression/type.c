#include "sidecar/expression/type.h"

#include "sidecar/base/check.h"

const struct type type_dyn = {.kind = TYPE_DYN};
const struct type type_null = {.kind = TYPE_NULL};
const struct type type_bool = {.kind = TYPE_BOOL};
const struct type type_int = {.kind = TYPE_INT};
const struct type type_uint = {.kind = TYPE_UINT};
const struct type type_double = {.kind = TYPE_DOUBLE};
const struct type type_string = {.kind = TYPE_STRING};
const struct type type_bytes = {.kind = TYPE_BYTES};
const struct type type_timestamp = {.kind = TYPE_TIMESTAMP};
const struct type type_duration = {.kind = TYPE_DURATION};
const struct type type_type = {.kind = TYPE_TYPE};
const struct type type_list_dyn = {.kind = TYPE_LIST, .of = {&type_dyn}};
const struct type type_map_dyn = {.kind = TYPE_MAP, .of = {&type_dyn, &type_dyn}};
const struct type type_map_json = {.kind = TYPE_MAP, .of = {&type_string, &type_dyn}};
const struct type type_optional_dyn = {.kind = TYPE_OPTIONAL, .of = {&type_dyn}};

static const struct type *make(struct pool *p, struct type t)
{
    struct type *made = pool_take(p, sizeof t);
    if (made != NULL)
        *made = t;
    return made;
}

const struct type *type_list(struct pool *p, const struct type *of)
{
    return of == NULL ? NULL : make(p, (struct type){.kind = TYPE_LIST, .of = {of}});
}

const struct type *type_map(struct pool *p, const struct type *key, const struct type *value)
{
    return key == NULL || value == NULL ? NULL : make(p, (struct type){.kind = TYPE_MAP, .of = {key, value}});
}

const struct type *type_optional(struct pool *p, const struct type *of)
{
    return of == NULL ? NULL : make(p, (struct type){.kind = TYPE_OPTIONAL, .of = {of}});
}

const struct type *type_wrapper(struct pool *p, const struct type *of)
{
    return make(p, (struct type){.kind = TYPE_WRAPPER, .of = {of}});
}

const struct type *type_of_type(struct pool *p, const struct type *of)
{
    return of == NULL ? NULL : make(p, (struct type){.kind = TYPE_TYPE, .of = {of}});
}

const struct type *type_variable(struct pool *p, uint32_t variable)
{
    return make(p, (struct type){.kind = TYPE_VARIABLE, .variable = variable});
}

bool enum_is_null(const struct enum_type *e)
{
    return bytes_equal(e->name, bytes_of_text("google.protobuf.NullValue"));
}

static const struct type *scalar(enum field_kind kind)
{
    switch (kind) {
    case FIELD_DOUBLE:
    case FIELD_FLOAT:
        return &type_double;
    case FIELD_INT64:
    case FIELD_INT32:
    case FIELD_SFIXED32:
    case FIELD_SFIXED64:
    case FIELD_SINT32:
    case FIELD_SINT64:
    case FIELD_ENUM:
        return &type_int;
    case FIELD_UINT64:
    case FIELD_UINT32:
    case FIELD_FIXED64:
    case FIELD_FIXED32:
        return &type_uint;
    case FIELD_BOOL:
        return &type_bool;
    case FIELD_STRING:
        return &type_string;
    case FIELD_BYTES:
        return &type_bytes;
    default:
        return &type_dyn;
    }
}

const struct type *type_of_message(struct pool *p, const struct message_type *message)
{
    switch (message->well_known) {
    case WELL_KNOWN_ANY:
    case WELL_KNOWN_VALUE:
        return &type_dyn;
    case WELL_KNOWN_TIMESTAMP:
        return &type_timestamp;
    case WELL_KNOWN_DURATION:
        return &type_duration;
    case WELL_KNOWN_STRUCT:
        return &type_map_json;
    case WELL_KNOWN_LIST_VALUE:
        return &type_list_dyn;
    case WELL_KNOWN_WRAPPER:
        return type_wrapper(p, scalar(message->fields[0].kind));
    default:
        return make(p, (struct type){.kind = TYPE_MESSAGE, .message = message});
    }
}

static const struct type *type_of_item(struct pool *p, const struct field *f)
{
    if (f->kind == FIELD_MESSAGE || f->kind == FIELD_GROUP)
        return type_of_message(p, f->message);
    if (f->kind == FIELD_ENUM && enum_is_null(f->enumeration))
        return &type_null;
    return scalar(f->kind);
}

const struct type *type_of_field(struct pool *p, const struct field *f)
{
    if (f->map)
        return type_map(p, type_of_item(p, &f->message->fields[0]), type_of_item(p, &f->message->fields[1]));
    return f->repeated ? type_list(p, type_of_item(p, f)) : type_of_item(p, f);
}

bool type_same_at_run(const struct type *a, const struct type *b)
{
    return a->kind == b->kind && a->message == b->message;
}

struct bytes type_name(const struct type *t)
{
    static const char *const names[] = {
        [TYPE_DYN] = "dyn",
        [TYPE_NULL] = "null_type",
        [TYPE_BOOL] = "bool",
        [TYPE_INT] = "int",
        [TYPE_UINT] = "uint",
        [TYPE_DOUBLE] = "double",
        [TYPE_STRING] = "string",
        [TYPE_BYTES] = "bytes",
        [TYPE_TIMESTAMP] = "google.protobuf.Timestamp",
        [TYPE_DURATION] = "google.protobuf.Duration",
        [TYPE_LIST] = "list",
        [TYPE_MAP] = "map",
        [TYPE_MESSAGE] = "message",
        [TYPE_WRAPPER] = "wrapper",
        [TYPE_OPTIONAL] = "optional_type",
        [TYPE_TYPE] = "type",
        [TYPE_VARIABLE] = "?",
    };
    return t->kind == TYPE_MESSAGE ? t->message->name : bytes_of_text(names[t->kind]);
}

static void put(char *text, size_t size, size_t *at, struct bytes more)
{
    for (size_t i = 0; i < more.size && *at + 1 < size; i++)
        text[(*at)++] = (char)more.at[i];
}

static void print(const struct type *t, char *text, size_t size, size_t *at)
{
    if (*at + 1 >= size)
        return;
    put(text, size, at, type_name(t));
    for (int i = 0; i < 2 && t->of[i] != NULL; i++) {
        put(text, size, at, bytes_of_text(i == 0 ? "(" : ", "));
        print(t->of[i], text, size, at);
    }
    if (t->of[0] != NULL)
        put(text, size, at, bytes_of_text(")"));
}

size_t type_print(const struct type *t, char *text, size_t size)
{
    CHECK(size > 0);
    size_t at = 0;
    print(t, text, size, &at);
    text[at] = '\0';
    return at;
}
