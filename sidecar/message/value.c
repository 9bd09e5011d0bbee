/* value.c - what the kinds of fields are. */
#include "sidecar/message/value.h"

static const struct {
    enum value_class class;
    const char *name;
} kinds[] = {
    [FIELD_DOUBLE] = {VALUE_DOUBLE, "double"},  [FIELD_FLOAT] = {VALUE_DOUBLE, "float"},
    [FIELD_INT64] = {VALUE_INT, "int64"},       [FIELD_UINT64] = {VALUE_UINT, "uint64"},
    [FIELD_INT32] = {VALUE_INT, "int32"},       [FIELD_FIXED64] = {VALUE_UINT, "fixed64"},
    [FIELD_FIXED32] = {VALUE_UINT, "fixed32"},  [FIELD_BOOL] = {VALUE_BOOL, "bool"},
    [FIELD_STRING] = {VALUE_TEXT, "string"},    [FIELD_GROUP] = {VALUE_TEXT, "group"},
    [FIELD_MESSAGE] = {VALUE_TEXT, "message"},  [FIELD_BYTES] = {VALUE_TEXT, "bytes"},
    [FIELD_UINT32] = {VALUE_UINT, "uint32"},    [FIELD_ENUM] = {VALUE_INT, "enum"},
    [FIELD_SFIXED32] = {VALUE_INT, "sfixed32"}, [FIELD_SFIXED64] = {VALUE_INT, "sfixed64"},
    [FIELD_SINT32] = {VALUE_INT, "sint32"},     [FIELD_SINT64] = {VALUE_INT, "sint64"},
};

enum value_class value_class_of(enum field_kind kind)
{
    return kinds[kind].class;
}

const char *field_kind_name(enum field_kind kind)
{
    return kinds[kind].name;
}

bool value_is_zero(const struct value *v)
{
    switch (value_class_of(v->kind)) {
    case VALUE_INT:
        return v->i == 0;
    case VALUE_UINT:
        return v->u == 0;
    case VALUE_DOUBLE:
        return v->d == 0 && !__builtin_signbit(v->d);
    case VALUE_BOOL:
        return !v->b;
    case VALUE_TEXT:
        break;
    }
    return v->text.size == 0;
}

bool value_equal(const struct value *a, const struct value *b)
{
    switch (value_class_of(a->kind)) {
    case VALUE_INT:
        return a->i == b->i;
    case VALUE_UINT:
        return a->u == b->u;
    case VALUE_DOUBLE:
        return a->d == b->d;
    case VALUE_BOOL:
        return a->b == b->b;
    case VALUE_TEXT:
        break;
    }
    return bytes_equal(a->text, b->text) != 0;
}

static bool fits_signed(int64_t i, uint64_t max)
{
    return i <= (int64_t)max && i >= -(int64_t)max - 1;
}

bool value_fits(enum field_kind kind, const struct value *v)
{
    bool narrow = kind == FIELD_INT32 || kind == FIELD_SINT32 || kind == FIELD_SFIXED32 || kind == FIELD_ENUM ||
                  kind == FIELD_UINT32 || kind == FIELD_FIXED32;
    bool to_signed = value_class_of(kind) == VALUE_INT;
    if (value_class_of(v->kind) == VALUE_UINT)
        return v->u <= (to_signed ? (narrow ? INT32_MAX : (uint64_t)INT64_MAX) : (narrow ? UINT32_MAX : UINT64_MAX));
    if (to_signed)
        return !narrow || fits_signed(v->i, INT32_MAX);
    return v->i >= 0 && (!narrow || v->i <= (int64_t)UINT32_MAX);
}
