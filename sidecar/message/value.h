/* value.h - one value of a field. */
#ifndef SAGA_MESSAGE_VALUE_H
#define SAGA_MESSAGE_VALUE_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* The numbers of google.protobuf.FieldDescriptorProto.Type. */
enum field_kind {
    FIELD_DOUBLE = 1,
    FIELD_FLOAT = 2,
    FIELD_INT64 = 3,
    FIELD_UINT64 = 4,
    FIELD_INT32 = 5,
    FIELD_FIXED64 = 6,
    FIELD_FIXED32 = 7,
    FIELD_BOOL = 8,
    FIELD_STRING = 9,
    FIELD_GROUP = 10,
    FIELD_MESSAGE = 11,
    FIELD_BYTES = 12,
    FIELD_UINT32 = 13,
    FIELD_ENUM = 14,
    FIELD_SFIXED32 = 15,
    FIELD_SFIXED64 = 16,
    FIELD_SINT32 = 17,
    FIELD_SINT64 = 18,
};

/* What the kinds are in C. */
enum value_class {
    VALUE_INT,    /* i: all signed integers, enums */
    VALUE_UINT,   /* u */
    VALUE_DOUBLE, /* d: a float too, widened */
    VALUE_BOOL,   /* b */
    VALUE_TEXT,   /* text: of a string or bytes; of a message its fields on the wire */
};

struct value {
    enum field_kind kind;
    union {
        int64_t i;
        uint64_t u;
        double d;
        bool b;
        struct bytes text; /* a view */
    };
};

enum value_class value_class_of(enum field_kind kind);

/* The name that a .proto file has for it: "sint64"; "message", "group", "enum". */
const char *field_kind_name(enum field_kind kind);

/* Whether it is the kind's zero: 0 (not -0.0), false, empty. */
bool value_is_zero(const struct value *v);

/* Whether two values of one class are equal: numbers by value (NaN equals nothing), texts by their bytes. */
bool value_equal(const struct value *a, const struct value *b);

/* Whether an integer, of VALUE_INT or VALUE_UINT, fits a field of this kind, which is an integer's or an enum. */
bool value_fits(enum field_kind kind, const struct value *v);

#endif
