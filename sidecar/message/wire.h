/* wire.h - the fields of protobuf's wire format, one after another, as views into the bytes (https://protobuf.dev/programming-guides/encoding/).
 * Knows no types of messages. Pure; owns nothing. */
#ifndef SAGA_MESSAGE_WIRE_H
#define SAGA_MESSAGE_WIRE_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* Messages and groups within one another, as protobuf's own libraries bound them. */
#define MESSAGE_DEPTH_MAX 100
#define FIELD_NUMBER_MAX  536870911

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2, /* with their length before them */
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4, /* never given to a caller */
    WIRE_FIXED32 = 5,
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t bits;      /* of a varint or a fixed one */
    struct bytes body;  /* of bytes, and of a group without its end */
    struct bytes whole; /* the field with its tag, as it stands */
};

/* Takes the next field off *rest. Returns 1; 0 at the end; -1 when the bytes are no fields, and then *rest is left anywhere within its bytes. */
int wire_next(struct bytes *rest, struct wire_field *field);

/* Takes the next value of a packed field off *rest; type is not WIRE_BYTES or a group. Returns as wire_next does. */
int wire_next_packed(struct bytes *rest, enum wire_type type, uint64_t *bits);

/* The most bytes of a varint, and the bytes of this one. */
#define WIRE_VARINT_MAX 10
size_t wire_varint_size(uint64_t value);

/* Writes a varint; returns its size. */
size_t wire_put_varint(uint8_t *to, uint64_t value);

/* Little-endian; size is 4 or 8. */
void wire_put_fixed(uint8_t *to, uint64_t bits, size_t size);

static inline int64_t wire_unzigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
}

static inline uint64_t wire_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

#endif
