/* scalar.c - texts and numbers of JSON as values of fields. */
#include "sidecar/message/scalar.h"

#include "sidecar/base/decimal.h"
#include "sidecar/base/timestamp.h"
#include "sidecar/base/utf8.h"
#include "sidecar/message/base64.h"

static int refuse(struct error_detail *detail, const char *text, const char *more)
{
    int code = error_set(detail, E_ARGUMENT, "", text);
    if (more != NULL)
        error_append(detail, more);
    return code;
}

#define EXPONENT_MAX (INT64_C(1) << 40)

/* What stands behind an e; one that is beyond all bounds stays so. */
static int64_t read_exponent(struct bytes text)
{
    int64_t exponent;
    bool plus = text.size > 0 && text.at[0] == '+', minus = text.size > 0 && text.at[0] == '-';
    if (decimal_read_int(bytes_of(text.at + plus, text.size - plus), &exponent) != 0)
        return minus ? -EXPONENT_MAX : EXPONENT_MAX;
    return exponent > EXPONENT_MAX ? EXPONENT_MAX : exponent < -EXPONENT_MAX ? -EXPONENT_MAX : exponent;
}

/* The digits of a number with a point or an exponent as a whole number, exactly: a double would round the larger ones. False when it is none, or does not
 * fit. */
static bool read_scaled(struct bytes text, bool sign, uint64_t *n)
{
    size_t end = sign;
    while (end < text.size && text.at[end] != 'e' && text.at[end] != 'E')
        end++;
    const uint8_t *dot = memchr(text.at, '.', end);
    int64_t whole = (int64_t)(dot == NULL ? end : (size_t)(dot - text.at)) - sign; /* so many digits count */
    if (end < text.size)
        whole += read_exponent(bytes_of(text.at + end + 1, text.size - end - 1));
    *n = 0;
    for (size_t i = sign; i < end; i++) {
        if (text.at[i] == '.')
            continue;
        unsigned digit = text.at[i] - '0';
        if (whole <= 0 ? digit != 0 : *n > (UINT64_MAX - digit) / 10)
            return false;
        *n = whole-- > 0 ? *n * 10 + digit : *n;
    }
    for (; whole > 0 && *n > 0; whole--, *n *= 10)
        if (*n > UINT64_MAX / 10)
            return false;
    return true;
}

/* Numbers with a point or an exponent are integers, too, when they are whole: 1.0, 1e3. */
static bool read_whole(struct bytes text, struct value *v)
{
    double d;
    uint64_t n;
    bool negative = text.size > 0 && text.at[0] == '-';
    if (!decimal_read(text, &d) || !read_scaled(text, negative || text.at[0] == '+', &n) ||
        (negative && n > (uint64_t)INT64_MAX + 1))
        return false;
    if (negative || n <= INT64_MAX)
        *v = (struct value){.kind = FIELD_INT64, .i = negative ? (int64_t)(0 - n) : (int64_t)n};
    else
        *v = (struct value){.kind = FIELD_UINT64, .u = n};
    return true;
}

static int read_integer(const struct field *f, struct bytes text, struct value *out, struct error_detail *detail)
{
    struct value v;
    if (!read_whole(text, &v))
        return refuse(detail, "must be a whole number, within the range of ", field_kind_name(f->kind));
    if (!value_fits(f->kind, &v))
        return refuse(detail, "is out of the range of ", field_kind_name(f->kind));
    bool to_signed = value_class_of(f->kind) == VALUE_INT, from_signed = v.kind == FIELD_INT64;
    out->kind = f->kind;
    if (to_signed)
        out->i = from_signed ? v.i : (int64_t)v.u;
    else
        out->u = from_signed ? (uint64_t)v.i : v.u;
    return 0;
}

static bool is_text(struct bytes text, const char *word)
{
    return bytes_equal(text, bytes_of_text(word)) != 0;
}

static int read_fraction(const struct field *f, struct bytes text, bool quoted, struct value *out,
                         struct error_detail *detail)
{
    double d;
    if (quoted && (is_text(text, "NaN") || is_text(text, "Infinity") || is_text(text, "-Infinity"))) {
        double infinity = text.at[0] == '-' ? -__builtin_inf() : __builtin_inf();
        *out = (struct value){.kind = f->kind, .d = text.at[0] == 'N' ? __builtin_nan("") : infinity};
        return 0;
    }
    if (!decimal_read(text, &d))
        return refuse(detail, "must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"", NULL);
    if (f->kind == FIELD_FLOAT)
        d = (double)(float)d;
    if (d - d != 0)
        return refuse(detail, "is out of the range of ", field_kind_name(f->kind));
    *out = (struct value){.kind = f->kind, .d = d};
    return 0;
}

static int read_enum(const struct field *f, struct bytes text, bool quoted, struct value *out,
                     struct error_detail *detail)
{
    const struct enum_type *e = f->enumeration;
    const struct enum_value *value = quoted ? enum_value_by_name(e, text) : NULL;
    struct value v = {.kind = FIELD_ENUM, .i = value == NULL ? 0 : value->number};
    bool known = value != NULL;
    if (!quoted && read_integer(f, text, &v, detail) == 0)
        known = !e->closed || enum_value_by_number(e, (int32_t)v.i) != NULL;
    if (!known)
        return refuse(detail, "must be the name or number of a value of ", (const char *)e->name.at);
    *out = v;
    return 0;
}

static int read_bytes(struct bytes text, struct pool *pool, struct value *out, struct error_detail *detail)
{
    size_t room = BASE64_BYTES_MAX(text.size), size;
    uint8_t *at = pool_take(pool, room);
    if (at == NULL)
        return error_set(detail, pool_is_full(pool, room) ? E_PAYLOAD : E_MEMORY, "", NULL);
    if (!base64_read(text, at, &size))
        return refuse(detail, "must be bytes in base64", NULL);
    *out = (struct value){.kind = FIELD_BYTES, .text = bytes_of(at, size)};
    return 0;
}

static int read_text(const struct field *f, struct bytes text, bool quoted, struct pool *pool, struct value *out,
                     struct error_detail *detail)
{
    if (!quoted)
        return refuse(detail, "must be a text in quotes", NULL);
    if (f->kind == FIELD_BYTES)
        return read_bytes(text, pool, out, detail);
    if (!utf8_valid(text))
        return refuse(detail, "must be UTF-8", NULL);
    *out = (struct value){.kind = FIELD_STRING, .text = text};
    return 0;
}

int scalar_read(const struct field *f, struct bytes text, bool quoted, struct pool *pool, struct value *out,
                struct error_detail *detail)
{
    switch (value_class_of(f->kind)) {
    case VALUE_INT:
        return f->kind == FIELD_ENUM ? read_enum(f, text, quoted, out, detail) : read_integer(f, text, out, detail);
    case VALUE_UINT:
        return read_integer(f, text, out, detail);
    case VALUE_DOUBLE:
        return read_fraction(f, text, quoted, out, detail);
    case VALUE_BOOL:
        if (quoted || (!is_text(text, "true") && !is_text(text, "false")))
            return refuse(detail, "must be true or false", NULL);
        *out = (struct value){.kind = FIELD_BOOL, .b = text.at[0] == 't'};
        return 0;
    case VALUE_TEXT:
        break;
    }
    return read_text(f, text, quoted, pool, out, detail);
}

bool scalar_is_text(const struct message_type *type)
{
    return type->well_known == WELL_KNOWN_TIMESTAMP || type->well_known == WELL_KNOWN_DURATION ||
           type->well_known == WELL_KNOWN_FIELD_MASK;
}

/* A path in lowerCamelCase is one of snake_case on the wire. */
static int build_path(const struct field *f, struct bytes path, struct builder *b, struct error_detail *detail)
{
    size_t mark = build_open(b, f);
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.at[i], lower[2] = {'_', (uint8_t)(c | 0x20)};
        if (c == '_')
            return refuse(detail, "must be paths in lowerCamelCase with commas between them", NULL);
        build_raw(b, c >= 'A' && c <= 'Z' ? bytes_of(lower, 2) : bytes_of(path.at + i, 1));
    }
    build_close(b, mark);
    return 0;
}

static int read_mask(const struct message_type *type, struct bytes text, struct builder *b, struct error_detail *detail)
{
    size_t begin = 0;
    int code = 0;
    for (size_t i = 0; code == 0 && text.size > 0 && i <= text.size; i++) {
        if (i < text.size && text.at[i] != ',')
            continue;
        code = build_path(&type->fields[0], bytes_of(text.at + begin, i - begin), b, detail);
        begin = i + 1;
    }
    return code;
}

int scalar_read_text(const struct message_type *type, struct bytes text, struct builder *b, struct error_detail *detail)
{
    struct value seconds = {.kind = FIELD_INT64}, nanos = {.kind = FIELD_INT32};
    int32_t n = 0;
    if (type->well_known == WELL_KNOWN_FIELD_MASK)
        return read_mask(type, text, b, detail);
    if (type->well_known == WELL_KNOWN_TIMESTAMP && !timestamp_read(text, &seconds.i, &n))
        return refuse(detail, "must be a time of RFC 3339, as in \"2026-11-28T08:30:00Z\"", NULL);
    if (type->well_known == WELL_KNOWN_DURATION && !duration_read(text, &seconds.i, &n))
        return refuse(detail, "must be a number of seconds with an s, as in \"3.5s\"", NULL);
    nanos.i = n;
    build_field(b, &type->fields[0], &seconds);
    build_field(b, &type->fields[1], &nanos);
    return 0;
}
