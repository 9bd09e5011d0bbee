/* message.c - fields out of a message on the wire. */
#include "sidecar/message/message.h"

#include "sidecar/base/check.h"

enum wire_type field_kind_wire(enum field_kind kind)
{
    switch (kind) {
    case FIELD_DOUBLE:
    case FIELD_FIXED64:
    case FIELD_SFIXED64:
        return WIRE_FIXED64;
    case FIELD_FLOAT:
    case FIELD_FIXED32:
    case FIELD_SFIXED32:
        return WIRE_FIXED32;
    case FIELD_STRING:
    case FIELD_BYTES:
    case FIELD_MESSAGE:
        return WIRE_BYTES;
    case FIELD_GROUP:
        return WIRE_GROUP;
    default:
        return WIRE_VARINT;
    }
}

static double double_of(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static double double_of_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

struct value value_of_bits(enum field_kind kind, uint64_t bits)
{
    struct value v = {.kind = kind};
    switch (kind) {
    case FIELD_DOUBLE:
        v.d = double_of(bits);
        break;
    case FIELD_FLOAT:
        v.d = double_of_float((uint32_t)bits);
        break;
    case FIELD_INT64:
    case FIELD_SFIXED64:
        v.i = (int64_t)bits;
        break;
    case FIELD_INT32:
    case FIELD_SFIXED32:
    case FIELD_ENUM:
        v.i = (int32_t)(uint32_t)bits;
        break;
    case FIELD_SINT32:
        v.i = (int32_t)wire_unzigzag((uint32_t)bits);
        break;
    case FIELD_SINT64:
        v.i = wire_unzigzag(bits);
        break;
    case FIELD_UINT32:
    case FIELD_FIXED32:
        v.u = (uint32_t)bits;
        break;
    case FIELD_BOOL:
        v.b = bits != 0;
        break;
    default:
        v.u = bits;
        break;
    }
    return v;
}

/* The value of a field on the wire, whose type fits. */
static struct value value_of(const struct field *f, const struct wire_field *w)
{
    if (value_class_of(f->kind) != VALUE_TEXT)
        return value_of_bits(f->kind, w->bits);
    return (struct value){.kind = f->kind, .text = w->body};
}

/* proto2's enums are closed: a number that is none of theirs makes the field unknown. */
static bool is_known(const struct field *f, const struct value *v)
{
    return f->enumeration == NULL || !f->enumeration->closed ||
           enum_value_by_number(f->enumeration, (int32_t)v->i) != NULL;
}

/* Puts more behind what is there: two messages on the wire, one after the other, are the two merged. */
static int merge(struct pool *pool, struct bytes *text, struct bytes more)
{
    if (more.size == 0)
        return 1;
    uint8_t *at = more.size > SIZE_MAX - text->size ? NULL : pool_take(pool, text->size + more.size);
    if (at == NULL)
        return pool_is_full(pool, text->size + more.size) ? E_PAYLOAD : E_MEMORY;
    memcpy(at, text->at, text->size);
    memcpy(at + text->size, more.at, more.size);
    *text = bytes_of(at, text->size + more.size);
    return 1;
}

int message_get(struct bytes wire, const struct field *f, struct pool *pool, struct value *out)
{
    enum wire_type type = field_kind_wire(f->kind);
    struct wire_field w;
    int found, result = 0;
    *out = f->implicit;
    while ((found = wire_next(&wire, &w)) == 1) {
        if (w.number != f->number || w.type != type) {
            /* Another field of the same oneof unsets this one. */
            const struct field *other = f->oneof < 0 ? NULL : message_field_by_number(f->owner, w.number);
            if (other != NULL && other != f && other->oneof == f->oneof && w.type == field_kind_wire(other->kind)) {
                struct value v = value_of(other, &w);
                if (is_known(other, &v)) {
                    *out = f->implicit;
                    result = 0;
                }
            }
            continue;
        }
        struct value v = value_of(f, &w);
        if (!is_known(f, &v))
            continue;
        if (result == 1 && f->kind == FIELD_MESSAGE && out->text.size > 0) {
            int merged = merge(pool, &out->text, v.text);
            if (merged != 1)
                return merged;
        } else {
            *out = v;
        }
        result = 1;
    }
    if (found < 0)
        return E_ARGUMENT;
    return result == 1 && !f->presence && value_is_zero(out) ? 0 : result;
}

/* ---- several fields of one message ---- */

struct message_index {
    struct bytes wire;
    struct {
        struct wire_field last; /* of them */
        uint32_t count;
    } fields[];
};

/* wire_next for the fields that most are: a number up to 15, and less than 128 bytes. */
static inline int next_short(struct bytes *rest, struct wire_field *w)
{
    if (rest->size < 2 || (rest->at[0] & 0x87) != WIRE_BYTES || rest->at[0] < 8 || rest->at[1] >= 0x80 ||
        rest->at[1] > rest->size - 2)
        return wire_next(rest, w);
    size_t size = rest->at[1];
    w->number = rest->at[0] >> 3;
    w->type = WIRE_BYTES;
    w->body = bytes_of(rest->at + 2, size);
    w->whole = bytes_of(rest->at, size + 2);
    *rest = bytes_of(rest->at + size + 2, rest->size - size - 2);
    return 1;
}

int message_index_make(const struct message_type *type, struct bytes wire, struct pool *pool,
                       struct message_index **out)
{
    struct wire_field w = {.bits = 0};
    struct bytes rest = wire;
    int found;
    *out = NULL;
    if (type->field_count > MESSAGE_INDEX_FIELDS_MAX)
        return 0;
    size_t size = sizeof(struct message_index) + type->field_count * sizeof((*out)->fields[0]);
    struct message_index *index = pool_take(pool, size);
    if (index == NULL)
        return pool_is_full(pool, size) ? E_PAYLOAD : E_MEMORY;
    index->wire = wire;
    for (unsigned i = 0; i < type->field_count; i++)
        index->fields[i].count = 0;
    while ((found = next_short(&rest, &w)) == 1) {
        const struct field *f = message_field_by_number(type, w.number);
        if (f == NULL || w.type != field_kind_wire(f->kind))
            continue;
        index->fields[f->index].last = w;
        index->fields[f->index].count++;
    }
    *out = index;
    return found < 0 ? E_ARGUMENT : 1;
}

/* Whether the field's value depends on more than the last of its kind. */
static bool needs_whole(const struct message_index *index, const struct field *f)
{
    bool whole = index->fields[f->index].count > 1 && (f->kind == FIELD_MESSAGE || f->enumeration != NULL);
    for (unsigned i = 0; f->oneof >= 0 && i < f->owner->field_count; i++)
        whole = whole || (f->owner->fields[i].oneof == f->oneof && i != f->index && index->fields[i].count > 0);
    return whole;
}

int message_index_get(const struct message_index *index, const struct field *f, struct pool *pool, struct value *out)
{
    uint32_t count = index->fields[f->index].count;
    if (f->oneof >= 0 || f->kind == FIELD_MESSAGE || f->enumeration != NULL)
        return message_get(needs_whole(index, f) ? index->wire
                           : count == 0          ? bytes_of(NULL, 0)
                                                 : index->fields[f->index].last.whole,
                           f, pool, out);
    *out = count == 0 ? f->implicit : value_of(f, &index->fields[f->index].last);
    return count > 0 && (f->presence || !value_is_zero(out));
}

void message_items(struct message_items *items, struct bytes wire, const struct field *f)
{
    CHECK(f->repeated);
    *items = (struct message_items){.field = f, .rest = wire};
}

static int next_packed(struct message_items *items, struct value *out)
{
    uint64_t bits;
    int found = wire_next_packed(&items->packed, items->packed_type, &bits);
    if (found == 1)
        *out = value_of_bits(items->field->kind, bits);
    return found < 0 ? E_ARGUMENT : found;
}

int message_next(struct message_items *items, struct value *out)
{
    const struct field *f = items->field;
    enum wire_type type = field_kind_wire(f->kind);
    for (;;) {
        struct wire_field w;
        int found = next_packed(items, out);
        if (found == 0) {
            found = wire_next(&items->rest, &w);
            if (found <= 0)
                return found < 0 ? E_ARGUMENT : 0;
            if (w.number != f->number)
                continue;
            if (w.type == WIRE_BYTES && type != WIRE_BYTES && type != WIRE_GROUP) {
                items->packed = w.body;
                items->packed_type = type;
                continue;
            }
            if (w.type != type)
                continue;
            *out = value_of(f, &w);
        }
        if (found < 0)
            return found;
        if (is_known(f, out))
            return 1;
    }
}

int64_t message_count(struct bytes wire, const struct field *f)
{
    struct message_items items;
    struct value v;
    int64_t count = 0;
    int found;
    message_items(&items, wire, f);
    while ((found = message_next(&items, &v)) == 1)
        count++;
    return found < 0 ? found : count;
}

int message_item(struct bytes wire, const struct field *f, uint64_t index, struct value *out)
{
    struct message_items items;
    int found;
    message_items(&items, wire, f);
    do
        found = message_next(&items, out);
    while (found == 1 && index-- > 0);
    return found;
}

int message_entry(const struct field *map, struct bytes entry, struct pool *pool, struct value *key,
                  struct value *value)
{
    CHECK(map->map);
    int found = message_get(entry, &map->message->fields[0], pool, key);
    if (found >= 0)
        found = message_get(entry, &map->message->fields[1], pool, value);
    return found < 0 ? found : 1;
}

int message_find(struct bytes wire, const struct field *map, const struct value *key, struct pool *pool,
                 struct value *out)
{
    struct message_items items;
    struct value entry, this_key, value;
    int found, result = 0;
    message_items(&items, wire, map);
    while ((found = message_next(&items, &entry)) == 1) {
        found = message_entry(map, entry.text, pool, &this_key, &value);
        if (found < 0)
            return found;
        if (value_equal(&this_key, key)) {
            *out = value;
            result = 1;
        }
    }
    return found < 0 ? found : result;
}
