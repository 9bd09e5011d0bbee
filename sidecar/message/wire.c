/* wire.c - tags, varints, fixed numbers, lengths and groups. */
#include "sidecar/message/wire.h"

static int take_varint(struct bytes *rest, size_t size_max, uint64_t *value)
{
    uint64_t bits = 0;
    size_t max = rest->size < size_max ? rest->size : size_max;
    for (size_t i = 0; i < max; i++) {
        uint8_t byte = rest->at[i];
        bits |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *rest = bytes_of(rest->at + i + 1, rest->size - i - 1);
            *value = bits;
            return 1;
        }
    }
    return -1;
}

static int take_fixed(struct bytes *rest, size_t size, uint64_t *value)
{
    if (rest->size < size)
        return -1;
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)rest->at[i] << (8 * i);
    *rest = bytes_of(rest->at + size, rest->size - size);
    *value = bits;
    return 1;
}

static int next(struct bytes *rest, struct wire_field *field, unsigned depth);

/* Goes over the fields of a group up to its end, which has the same number. */
static int take_group(struct bytes *rest, struct wire_field *group, unsigned depth)
{
    const uint8_t *begin = rest->at;
    if (depth >= MESSAGE_DEPTH_MAX)
        return -1;
    for (;;) {
        struct wire_field inner;
        const uint8_t *before = rest->at;
        if (next(rest, &inner, depth + 1) != 1)
            return -1;
        if (inner.type == WIRE_GROUP_END) {
            group->body = bytes_of(begin, (size_t)(before - begin));
            return inner.number == group->number ? 1 : -1;
        }
    }
}

static int take_body(struct bytes *rest, struct wire_field *field)
{
    uint64_t size;
    if (take_varint(rest, WIRE_VARINT_MAX, &size) != 1 || size > rest->size)
        return -1;
    field->body = bytes_of(rest->at, (size_t)size);
    *rest = bytes_of(rest->at + size, rest->size - (size_t)size);
    return 1;
}

static int next(struct bytes *rest, struct wire_field *field, unsigned depth)
{
    uint64_t tag;
    if (rest->size == 0)
        return 0;
    if (take_varint(rest, 5, &tag) != 1 || tag > UINT32_MAX || tag >> 3 == 0)
        return -1;
    field->number = (uint32_t)(tag >> 3);
    field->type = (enum wire_type)(tag & 7);
    switch (field->type) {
    case WIRE_VARINT:
        return take_varint(rest, WIRE_VARINT_MAX, &field->bits);
    case WIRE_FIXED64:
        return take_fixed(rest, 8, &field->bits);
    case WIRE_FIXED32:
        return take_fixed(rest, 4, &field->bits);
    case WIRE_BYTES:
        return take_body(rest, field);
    case WIRE_GROUP:
        return take_group(rest, field, depth);
    case WIRE_GROUP_END:
        return depth == 0 ? -1 : 1;
    }
    return -1;
}

int wire_next(struct bytes *rest, struct wire_field *field)
{
    const uint8_t *begin = rest->at;
    int found = next(rest, field, 0);
    if (found == 1)
        field->whole = bytes_of(begin, (size_t)(rest->at - begin));
    return found;
}

int wire_next_packed(struct bytes *rest, enum wire_type type, uint64_t *bits)
{
    if (rest->size == 0)
        return 0;
    if (type == WIRE_VARINT)
        return take_varint(rest, WIRE_VARINT_MAX, bits);
    return take_fixed(rest, type == WIRE_FIXED64 ? 8 : 4, bits);
}

size_t wire_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

size_t wire_put_varint(uint8_t *to, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

void wire_put_fixed(uint8_t *to, uint64_t bits, size_t size)
{
    for (size_t i = 0; i < size; i++, bits >>= 8)
        to[i] = (uint8_t)bits;
}
