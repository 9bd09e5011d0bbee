/* Writing: values as fields of messages. */
#include "sidecar/expression/fields.h"

#include "sidecar/base/decimal.h"
#include "sidecar/expression/clock_text_inside.h"
#include "sidecar/expression/run_inside.h"

/* Whole numbers beyond are texts in JSON, as protobuf's own mapping has it. */
#define JSON_INT_MAX INT64_C(9007199254740991)

static struct datum build_any(struct evaluation *e, uint32_t position, const struct message_type *type,
                              const struct datum *value, struct builder *b);

static struct datum mismatch(struct evaluation *e, uint32_t position, const struct field *f)
{
    return fail_about(e, position, "a value of another type cannot be in the field ", f->name);
}

static struct datum range(struct evaluation *e, uint32_t position, const struct field *f)
{
    return fail_about(e, position, "range: the number does not fit the field ", f->name);
}

/* The value of a field that is no message. */
static struct datum scalar(struct evaluation *e, uint32_t position, const struct field *f, const struct datum *value,
                           struct value *out)
{
    *out = (struct value){.kind = f->kind};
    switch (value_class_of(f->kind)) {
    case VALUE_INT:
        if (f->kind == FIELD_ENUM && value->kind == DATUM_NULL && enum_is_null(f->enumeration))
            return datum_null();
        if (value->kind != DATUM_INT)
            return mismatch(e, position, f);
        out->i = value->i;
        return value_fits(f->kind, out) ? datum_null() : range(e, position, f);
    case VALUE_UINT:
        if (value->kind != DATUM_UINT)
            return mismatch(e, position, f);
        out->u = value->u;
        return value_fits(f->kind, out) ? datum_null() : range(e, position, f);
    case VALUE_DOUBLE:
        if (value->kind != DATUM_DOUBLE)
            return mismatch(e, position, f);
        out->d = value->d;
        return datum_null();
    case VALUE_BOOL:
        if (value->kind != DATUM_BOOL)
            return mismatch(e, position, f);
        out->b = value->b;
        return datum_null();
    default:
        if (value->kind != (f->kind == FIELD_STRING ? DATUM_STRING : DATUM_BYTES))
            return mismatch(e, position, f);
        out->text = datum_bytes(value);
        return charge(e, cost_of_bytes(value->size)) ? datum_null() : fail_memory(e, position);
    }
}

/* One value of the field: of a message with all that is in it. */
static struct datum build_one(struct evaluation *e, uint32_t position, struct builder *b, const struct field *f,
                              const struct datum *value)
{
    struct value v = {.kind = f->kind};
    struct datum done;
    if (f->kind == FIELD_GROUP)
        return fail_about(e, position, "a group cannot be written: ", f->name);
    if (f->kind == FIELD_MESSAGE)
        done = wire_of_datum(e, position, f->message, value, &v.text);
    else
        done = scalar(e, position, f, value, &v);
    if (!datum_failed(&done))
        build_field(b, f, &v);
    return done;
}

static struct datum build_list(struct evaluation *e, uint32_t position, struct builder *b, const struct field *f,
                               const struct datum *list)
{
    if (list->kind != DATUM_LIST)
        return mismatch(e, position, f);
    bool packed = f->packed && list->size > 0;
    size_t mark = packed ? build_open(b, f) : 0;
    struct datum done = datum_null();
    for (uint32_t i = 0; i < list->size && !datum_failed(&done); i++) {
        struct value v;
        if (!charge(e, 1))
            return fail_memory(e, position);
        if (!packed) {
            done = build_one(e, position, b, f, &list->items[i]);
            continue;
        }
        done = scalar(e, position, f, &list->items[i], &v);
        if (!datum_failed(&done))
            build_packed(b, f, &v);
    }
    if (packed)
        build_close(b, mark);
    return done;
}

static struct datum build_map(struct evaluation *e, uint32_t position, struct builder *b, const struct field *f,
                              const struct datum *map)
{
    if (map->kind != DATUM_MAP)
        return mismatch(e, position, f);
    struct datum done = datum_null();
    for (uint32_t i = 0; i < map->size && !datum_failed(&done); i++) {
        if (!charge(e, 2))
            return fail_memory(e, position);
        size_t mark = build_open(b, f);
        done = build_one(e, position, b, &f->message->fields[0], &map->map->entries[2 * i]);
        if (!datum_failed(&done))
            done = build_one(e, position, b, &f->message->fields[1], &map->map->entries[2 * i + 1]);
        build_close(b, mark);
    }
    return done;
}

struct datum build_datum(struct evaluation *e, uint32_t position, struct builder *b, const struct field *f,
                         const struct datum *value)
{
    if (f->map)
        return build_map(e, position, b, f, value);
    if (f->repeated)
        return build_list(e, position, b, f, value);
    /* null leaves a message unset; two types have a null of their own. */
    if (value->kind == DATUM_NULL && f->kind == FIELD_MESSAGE && f->message->well_known != WELL_KNOWN_VALUE &&
        f->message->well_known != WELL_KNOWN_ANY && f->message->well_known != WELL_KNOWN_STRUCT &&
        f->message->well_known != WELL_KNOWN_LIST_VALUE)
        return datum_null();
    return build_one(e, position, b, f, value);
}

/* "a,bC" for the paths a and b_c of a FieldMask, as JSON has it. */
static struct datum mask_text(struct evaluation *e, uint32_t position, const struct message *mask)
{
    struct datum paths = datum_of_field(e, position, mask, &mask->type->fields[0]);
    struct text out = {.evaluation = e};
    if (datum_failed(&paths))
        return paths;
    for (uint32_t i = 0; i < paths.size; i++) {
        struct bytes path = datum_bytes(&paths.items[i]);
        if (i > 0)
            text_add(&out, bytes_of_text(","));
        for (size_t k = 0; k < path.size; k++) {
            bool upper = path.at[k] == '_' && k + 1 < path.size && path.at[k + 1] >= 'a' && path.at[k + 1] <= 'z';
            k += upper;
            uint8_t c = path.at[k] ^ (upper ? 0x20 : 0);
            text_add(&out, bytes_of(&c, 1));
        }
    }
    return text_finish(&out, DATUM_STRING, position);
}

/* google.protobuf.Value. */
static struct datum build_json(struct evaluation *e, uint32_t position, const struct message_type *type,
                               const struct datum *value, struct builder *b)
{
    enum { JSON_NULL = 1, JSON_NUMBER, JSON_STRING, JSON_BOOL, JSON_STRUCT, JSON_LIST };
    char digits[INTEGER_TEXT_SIZE];
    struct datum json = *value;
    unsigned number = JSON_STRING;
    switch (value->kind) {
    case DATUM_NULL:
        number = JSON_NULL;
        json = datum_int(0);
        break;
    case DATUM_BOOL:
        number = JSON_BOOL;
        break;
    case DATUM_INT:
        if (value->i <= JSON_INT_MAX && value->i >= -JSON_INT_MAX) {
            number = JSON_NUMBER;
            json = datum_double((double)value->i);
        } else {
            json = datum_string(bytes_of(digits, decimal_write_int(value->i, digits)));
        }
        break;
    case DATUM_UINT:
        if (value->u <= (uint64_t)JSON_INT_MAX) {
            number = JSON_NUMBER;
            json = datum_double((double)value->u);
        } else {
            json = datum_string(bytes_of(digits, decimal_write_uint(value->u, digits)));
        }
        break;
    case DATUM_DOUBLE:
        number = JSON_NUMBER;
        break;
    case DATUM_STRING:
        break;
    case DATUM_BYTES:
        json = bytes_as_text(e, position, datum_bytes(value));
        break;
    case DATUM_TIMESTAMP:
        json = write_timestamp(e, position, value);
        break;
    case DATUM_DURATION:
        json = write_duration(e, position, value);
        break;
    case DATUM_MAP:
        number = JSON_STRUCT;
        break;
    case DATUM_LIST:
        number = JSON_LIST;
        break;
    case DATUM_MESSAGE:
        if (value->message->type->well_known == WELL_KNOWN_FIELD_MASK) {
            json = mask_text(e, position, value->message);
            break;
        }
        if (value->message->type->well_known != WELL_KNOWN_EMPTY)
            return fail_about(e, position, "a message of this type cannot be JSON: ", value->message->type->name);
        number = JSON_STRUCT;
        json = (struct datum){.kind = DATUM_MAP};
        break;
    default:
        return fail(e, position, "a value of this type cannot be JSON");
    }
    const struct field *f = message_field_by_number(type, number);
    if (datum_failed(&json) || f == NULL)
        return f == NULL ? fail(e, position, "google.protobuf.Value is declared otherwise") : json;
    return build_one(e, position, b, f, &json);
}

static struct datum build_time(struct evaluation *e, uint32_t position, const struct message_type *type,
                               int64_t seconds, int64_t nanos, struct builder *b)
{
    struct datum s = datum_int(seconds), n = datum_int(nanos);
    struct datum done = build_one(e, position, b, &type->fields[0], &s);
    return datum_failed(&done) ? done : build_one(e, position, b, &type->fields[1], &n);
}

/* The fields of the message that value is, or becomes. */
static struct datum build_message(struct evaluation *e, uint32_t position, const struct message_type *type,
                                  const struct datum *value, struct builder *b)
{
    const struct field *fields = type->fields;
    switch (type->well_known) {
    case WELL_KNOWN_WRAPPER:
        return build_one(e, position, b, &fields[0], value);
    case WELL_KNOWN_TIMESTAMP:
        if (value->kind == DATUM_TIMESTAMP)
            return build_time(e, position, type, value->i, value->size, b);
        break;
    case WELL_KNOWN_DURATION:
        if (value->kind == DATUM_DURATION)
            return build_time(e, position, type, value->i / NANOS_PER_SECOND, value->i % NANOS_PER_SECOND, b);
        break;
    case WELL_KNOWN_VALUE:
        return build_json(e, position, type, value, b);
    case WELL_KNOWN_STRUCT:
        if (value->kind == DATUM_MAP)
            return build_map(e, position, b, &fields[0], value);
        break;
    case WELL_KNOWN_LIST_VALUE:
        if (value->kind == DATUM_LIST)
            return build_list(e, position, b, &fields[0], value);
        break;
    case WELL_KNOWN_ANY:
        return build_any(e, position, type, value, b);
    default:
        if (value->kind == DATUM_MESSAGE && value->message->type == type) {
            build_raw(b, value->message->wire);
            return datum_null();
        }
        break;
    }
    return fail_about(e, position, "a value of another type cannot become a ", type->name);
}

struct datum wire_of_datum(struct evaluation *e, uint32_t position, const struct message_type *type,
                           const struct datum *value, struct bytes *wire)
{
    if (value->kind == DATUM_MESSAGE && value->message->type == type) {
        *wire = value->message->wire;
        return datum_null();
    }
    struct builder b;
    builder_init(&b, e->pool, UINT32_MAX);
    struct datum done = build_message(e, position, type, value, &b);
    if (!datum_failed(&done) && (builder_finish(&b, wire) != 0 || !charge(e, cost_of_bytes(wire->size))))
        return fail_memory(e, position);
    return done;
}

/* The type that holds a value within an Any. */
static const struct message_type *holder(const struct evaluation *e, const struct datum *value)
{
    static const char *const names[] = {
        [DATUM_NULL] = "google.protobuf.Value",         [DATUM_BOOL] = "google.protobuf.BoolValue",
        [DATUM_INT] = "google.protobuf.Int64Value",     [DATUM_UINT] = "google.protobuf.UInt64Value",
        [DATUM_DOUBLE] = "google.protobuf.DoubleValue", [DATUM_STRING] = "google.protobuf.StringValue",
        [DATUM_BYTES] = "google.protobuf.BytesValue",   [DATUM_LIST] = "google.protobuf.ListValue",
        [DATUM_MAP] = "google.protobuf.Struct",         [DATUM_TIMESTAMP] = "google.protobuf.Timestamp",
        [DATUM_DURATION] = "google.protobuf.Duration",
    };
    if (value->kind == DATUM_MESSAGE)
        return value->message->type;
    bool named = (size_t)value->kind < sizeof names / sizeof *names && names[value->kind] != NULL && e->schema != NULL;
    return named ? schema_message(e->schema, bytes_of_text(names[value->kind])) : NULL;
}

static struct datum build_any(struct evaluation *e, uint32_t position, const struct message_type *type,
                              const struct datum *value, struct builder *b)
{
    static const char prefix[] = "type.googleapis.com/";
    const struct message_type *of = holder(e, value);
    if (of == NULL)
        return fail(e, position,
                    "a value of this type cannot be in an Any, or the schema lacks the type that would hold it");
    struct bytes wire;
    struct datum done = wire_of_datum(e, position, of, value, &wire);
    if (datum_failed(&done))
        return done;
    struct text url = {.evaluation = e};
    text_add(&url, bytes_of_text(prefix));
    text_add(&url, of->name);
    struct datum name = text_finish(&url, DATUM_STRING, position), held = datum_text(DATUM_BYTES, wire);
    if (datum_failed(&name))
        return name;
    done = build_one(e, position, b, &type->fields[0], &name);
    return datum_failed(&done) ? done : build_one(e, position, b, &type->fields[1], &held);
}
