/* Reading: fields of messages as values. */
#include "sidecar/expression/fields.h"

#include "sidecar/base/timestamp.h"
#include "sidecar/base/utf8.h"
#include "sidecar/expression/map.h"
#include "sidecar/expression/run_inside.h"
#include "sidecar/message/wire.h"

static const char no_message[] = "a message's bytes are damaged";

/* Any within Any, Struct within Value: as deep as messages may be. */
static struct datum of_message(struct evaluation *e, uint32_t position, const struct message_type *type,
                               struct bytes wire, unsigned depth);

static struct datum bad(struct evaluation *e, uint32_t position, int code)
{
    return code == E_ARGUMENT ? fail(e, position, no_message) : fail_memory(e, position);
}

/* A value of a singular field, or one item of a repeated one. */
static struct datum of_value(struct evaluation *e, uint32_t position, const struct field *f, const struct value *v,
                             unsigned depth)
{
    switch (f->kind) {
    case FIELD_MESSAGE:
        return of_message(e, position, f->message, v->text, depth);
    case FIELD_STRING:
        if (!charge(e, cost_of_bytes(v->text.size)) || !utf8_valid(v->text))
            return fail_about(e, position, "a string is not valid UTF-8, in the field ", f->name);
        return datum_string(v->text);
    case FIELD_BYTES:
        return datum_text(DATUM_BYTES, v->text);
    case FIELD_BOOL:
        return datum_bool(v->b);
    case FIELD_ENUM:
        return enum_is_null(f->enumeration) ? datum_null() : datum_int(v->i);
    default:
        break;
    }
    switch (value_class_of(f->kind)) {
    case VALUE_INT:
        return datum_int(v->i);
    case VALUE_UINT:
        return datum_uint(v->u);
    case VALUE_DOUBLE:
        return datum_double(v->d);
    default:
        return fail_about(e, position, "a group cannot be read: ", f->name);
    }
}

/* Shorter messages are gone over for each field. */
#define INDEXED_BYTES_MIN 64

int field_get(struct evaluation *e, struct bytes wire, const struct field *f, struct value *out)
{
    if (wire.size < INDEXED_BYTES_MIN)
        return message_get(wire, f, e->pool, out);
    if (e->indexed_type != f->owner || e->indexed.at != wire.at || e->indexed.size != wire.size) {
        e->indexed_type = f->owner;
        e->indexed = wire;
        if (message_index_make(f->owner, wire, e->pool, &e->index) != 1)
            e->index = NULL;
    }
    return e->index == NULL ? message_get(wire, f, e->pool, out) : message_index_get(e->index, f, e->pool, out);
}

static struct datum of_singular(struct evaluation *e, uint32_t position, struct bytes wire, const struct field *f,
                                unsigned depth)
{
    struct value v;
    if (!charge(e, 1 + cost_of_bytes(wire.size)))
        return fail_memory(e, position);
    int found = field_get(e, wire, f, &v);
    if (found < 0)
        return bad(e, position, found);
    if (found == 0 && f->kind == FIELD_MESSAGE) {
        if (f->message->well_known == WELL_KNOWN_WRAPPER || f->message->well_known == WELL_KNOWN_ANY)
            return datum_null();
        v.text = bytes_of(NULL, 0);
    }
    return of_value(e, position, f, &v, depth);
}

static struct datum of_repeated(struct evaluation *e, uint32_t position, struct bytes wire, const struct field *f,
                                unsigned depth)
{
    int64_t count = charge(e, 1 + 2 * cost_of_bytes(wire.size)) ? message_count(wire, f) : E_MEMORY;
    if (count < 0)
        return bad(e, position, (int)count);
    if (!charge(e, (uint64_t)count))
        return fail_memory(e, position);
    struct datum *items = pool_take(e->pool, (size_t)count * sizeof *items + 1);
    if (items == NULL)
        return fail_memory(e, position);
    struct message_items at;
    message_items(&at, wire, f);
    struct value v;
    for (int64_t i = 0; i < count; i++) {
        int next = message_next(&at, &v);
        items[i] = next == 1 ? of_value(e, position, f, &v, depth) : bad(e, position, E_ARGUMENT);
        if (datum_failed(&items[i]))
            return items[i];
    }
    return datum_list(items, (uint32_t)count);
}

static struct datum of_map(struct evaluation *e, uint32_t position, struct bytes wire, const struct field *f,
                           unsigned depth)
{
    int64_t count = charge(e, 1 + 2 * cost_of_bytes(wire.size)) ? message_count(wire, f) : E_MEMORY;
    if (count < 0)
        return bad(e, position, (int)count);
    struct map_builder map;
    if (!charge(e, 2 * (uint64_t)count) || !map_builder_init(&map, e->pool, (uint32_t)count))
        return fail_memory(e, position);
    struct message_items at;
    message_items(&at, wire, f);
    for (int64_t i = 0; i < count; i++) {
        struct value entry, key, value;
        int next = message_next(&at, &entry);
        if (next == 1)
            next = message_entry(f, entry.text, e->pool, &key, &value);
        if (next != 1)
            return bad(e, position, next == 0 ? E_ARGUMENT : next);
        struct datum k = of_value(e, position, &f->message->fields[0], &key, depth);
        struct datum v = of_value(e, position, &f->message->fields[1], &value, depth);
        if (datum_failed(&k))
            return k;
        if (datum_failed(&v))
            return v;
        map_builder_add(&map, &k, &v, true);
    }
    return map_builder_finish(&map);
}

static struct datum of_field(struct evaluation *e, uint32_t position, struct bytes wire, const struct field *f,
                             unsigned depth)
{
    if (f->map)
        return of_map(e, position, wire, f, depth);
    return f->repeated ? of_repeated(e, position, wire, f, depth) : of_singular(e, position, wire, f, depth);
}

struct datum datum_of_field(struct evaluation *e, uint32_t position, const struct message *message,
                            const struct field *f)
{
    return of_field(e, position, message->wire, f, 0);
}

/* The whole numbers in fields 1 and 2 of a Timestamp or a Duration. */
static int two_numbers(struct evaluation *e, const struct message_type *type, struct bytes wire, int64_t *seconds,
                       int64_t *nanos)
{
    struct value v = {0};
    int found = message_get(wire, &type->fields[0], e->pool, &v);
    *seconds = v.i;
    if (found < 0)
        return found;
    found = message_get(wire, &type->fields[1], e->pool, &v);
    *nanos = v.i;
    return found < 0 ? found : 0;
}

static struct datum of_timestamp(struct evaluation *e, uint32_t position, const struct message_type *type,
                                 struct bytes wire)
{
    int64_t seconds, nanos;
    int code = two_numbers(e, type, wire, &seconds, &nanos);
    if (code < 0)
        return bad(e, position, code);
    if (!timestamp_valid(seconds, nanos))
        return fail(e, position, "a Timestamp is out of range: it lies in the years 1 to 9999");
    return datum_timestamp(seconds, (uint32_t)nanos);
}

static struct datum of_duration(struct evaluation *e, uint32_t position, const struct message_type *type,
                                struct bytes wire)
{
    int64_t seconds, nanos, all;
    int code = two_numbers(e, type, wire, &seconds, &nanos);
    if (code < 0)
        return bad(e, position, code);
    if (__builtin_mul_overflow(seconds, NANOS_PER_SECOND, &all) || __builtin_add_overflow(all, nanos, &all) ||
        nanos <= -NANOS_PER_SECOND || nanos >= NANOS_PER_SECOND)
        return fail(e, position, "a Duration is out of range: it has at most 292 years");
    return datum_duration(all);
}

/* google.protobuf.Value: the field that was set last is its kind. */
static struct datum of_json(struct evaluation *e, uint32_t position, const struct message_type *type, struct bytes wire,
                            unsigned depth)
{
    const struct field *last = NULL;
    struct bytes rest = wire;
    struct wire_field w;
    int next;
    while ((next = wire_next(&rest, &w)) == 1) {
        const struct field *f = message_field_by_number(type, w.number);
        last = f == NULL ? last : f;
    }
    if (next < 0)
        return fail(e, position, no_message);
    return last == NULL ? datum_null() : of_field(e, position, wire, last, depth);
}

static struct datum of_any(struct evaluation *e, uint32_t position, const struct message_type *type, struct bytes wire,
                           unsigned depth)
{
    struct value url, held;
    int found = message_get(wire, &type->fields[0], e->pool, &url);
    if (found >= 0)
        found = message_get(wire, &type->fields[1], e->pool, &held);
    if (found < 0)
        return bad(e, position, found);
    size_t slash = url.text.size;
    while (slash > 0 && url.text.at[slash - 1] != '/')
        slash--;
    struct bytes name = bytes_of(url.text.at + slash, url.text.size - slash);
    const struct message_type *of = e->schema == NULL || url.text.size == 0 ? NULL : schema_message(e->schema, name);
    if (of == NULL)
        return fail_about(e, position,
                          "conversion error: an Any holds a message of a type that the schema does not have: ", name);
    return of_message(e, position, of, held.text, depth);
}

static struct datum of_message(struct evaluation *e, uint32_t position, const struct message_type *type,
                               struct bytes wire, unsigned depth)
{
    if (depth == MESSAGE_DEPTH_MAX)
        return fail(e, position, "a message has more than 100 messages within one another");
    if (!charge(e, 1))
        return fail_memory(e, position);
    switch (type->well_known) {
    case WELL_KNOWN_WRAPPER:
        return of_field(e, position, wire, &type->fields[0], depth + 1);
    case WELL_KNOWN_TIMESTAMP:
        return of_timestamp(e, position, type, wire);
    case WELL_KNOWN_DURATION:
        return of_duration(e, position, type, wire);
    case WELL_KNOWN_VALUE:
        return of_json(e, position, type, wire, depth + 1);
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_LIST_VALUE:
        return of_field(e, position, wire, &type->fields[0], depth + 1);
    case WELL_KNOWN_ANY:
        return of_any(e, position, type, wire, depth + 1);
    default: {
        struct message *message = pool_take(e->pool, sizeof *message);
        if (message == NULL)
            return fail_memory(e, position);
        *message = (struct message){.type = type, .wire = wire};
        return (struct datum){.kind = DATUM_MESSAGE, .message = message};
    }
    }
}

struct datum datum_of_message(struct evaluation *e, uint32_t position, const struct message_type *type,
                              struct bytes wire)
{
    return of_message(e, position, type, wire, 0);
}

int field_is_set(struct evaluation *e, uint32_t position, const struct message *message, const struct field *f,
                 struct datum *failed)
{
    if (!charge(e, 1 + cost_of_bytes(message->wire.size))) {
        *failed = fail_memory(e, position);
        return -1;
    }
    struct value v;
    int64_t found = f->repeated ? message_count(message->wire, f) : field_get(e, message->wire, f, &v);
    if (found < 0) {
        *failed = bad(e, position, (int)found);
        return -1;
    }
    return found > 0 && (f->repeated || f->presence || !value_is_zero(&v));
}
