/* Conversions: from text and to text, and between numbers. */
#include "sidecar/base/decimal.h"
#include "sidecar/base/timestamp.h"
#include "sidecar/base/utf8.h"
#include "sidecar/expression/clock_text_inside.h"
#include "sidecar/expression/run_inside.h"

static struct datum range(const struct call *c)
{
    return call_fail(c, "range error: the number does not fit");
}

struct datum function_to_bool(const struct call *c)
{
    static const char *const words[] = {"0", "f", "F", "false", "False", "FALSE",
                                        "1", "t", "T", "true",  "True",  "TRUE"};
    if (call_is(c, 0, DATUM_BOOL))
        return c->args[0];
    if (!call_is(c, 0, DATUM_STRING))
        return call_mismatch(c);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (bytes_equal(call_text(c, 0), bytes_of_text(words[i])))
            return datum_bool(i >= 6);
    return call_fail(c, "Type conversion error: the text is no bool");
}

struct datum function_to_int(const struct call *c)
{
    const struct datum *v = &c->args[0];
    int64_t i;
    switch (v->kind) {
    case DATUM_INT:
        return *v;
    case DATUM_UINT:
        return v->u > INT64_MAX ? range(c) : datum_int((int64_t)v->u);
    case DATUM_DOUBLE:
        /* The largest double below 2^63 fits; the smallest int is not reached, as CEL's other evaluators have it. */
        return v->d > -9223372036854775808.0 && v->d < 9223372036854775808.0 ? datum_int((int64_t)v->d) : range(c);
    case DATUM_STRING: {
        int bad = decimal_read_int(datum_bytes(v), &i);
        if (bad == -1)
            return call_fail(c, "the text is no int");
        return bad != 0 ? range(c) : datum_int(i);
    }
    case DATUM_TIMESTAMP:
        return datum_int(v->i);
    default:
        return call_mismatch(c);
    }
}

struct datum function_to_uint(const struct call *c)
{
    const struct datum *v = &c->args[0];
    uint64_t u;
    switch (v->kind) {
    case DATUM_UINT:
        return *v;
    case DATUM_INT:
        return v->i < 0 ? range(c) : datum_uint((uint64_t)v->i);
    case DATUM_DOUBLE:
        return v->d >= 0 && v->d < 18446744073709551616.0 ? datum_uint((uint64_t)v->d) : range(c);
    case DATUM_STRING: {
        int bad = decimal_read_uint(datum_bytes(v), &u);
        if (bad == -1)
            return call_fail(c, "the text is no uint");
        return bad != 0 ? range(c) : datum_uint(u);
    }
    default:
        return call_mismatch(c);
    }
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* The words for what is no number, in any case. */
static bool read_word(struct bytes text, double *value)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", __builtin_nan("")},     {"inf", __builtin_inf()},      {"+inf", __builtin_inf()},
                 {"-inf", -__builtin_inf()},     {"infinity", __builtin_inf()}, {"+infinity", __builtin_inf()},
                 {"-infinity", -__builtin_inf()}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i].word), k = 0;
        while (k < text.size && k < size && lower(text.at[k]) == (uint8_t)words[i].word[k])
            k++;
        if (k != size || text.size != size)
            continue;
        *value = words[i].value;
        return true;
    }
    return false;
}

struct datum function_to_double(const struct call *c)
{
    const struct datum *v = &c->args[0];
    double d;
    switch (v->kind) {
    case DATUM_DOUBLE:
        return *v;
    case DATUM_INT:
        return datum_double((double)v->i);
    case DATUM_UINT:
        return datum_double((double)v->u);
    case DATUM_STRING:
        if (!charge(c->evaluation, cost_of_bytes(v->size)))
            return call_memory(c);
        if (decimal_read(datum_bytes(v), &d) || read_word(datum_bytes(v), &d))
            return datum_double(d);
        return call_fail(c, "the text is no double");
    default:
        return call_mismatch(c);
    }
}

/* From this exponent on a double is written with one. */
#define DOUBLE_EXPONENT_MAX 21

struct datum function_to_string(const struct call *c)
{
    const struct datum *v = &c->args[0];
    char digits[DECIMAL_TEXT_SIZE];
    struct text t = {.evaluation = c->evaluation};
    switch (v->kind) {
    case DATUM_STRING:
        return *v;
    case DATUM_BOOL:
        return datum_string(bytes_of_text(v->b ? "true" : "false"));
    case DATUM_INT:
        text_add(&t, bytes_of(digits, decimal_write_int(v->i, digits)));
        break;
    case DATUM_UINT:
        text_add(&t, bytes_of(digits, decimal_write_uint(v->u, digits)));
        break;
    case DATUM_DOUBLE:
        text_add(&t, bytes_of(digits, decimal_write(v->d, false, DOUBLE_EXPONENT_MAX, digits)));
        break;
    case DATUM_BYTES:
        if (!charge(c->evaluation, cost_of_bytes(v->size)) || !utf8_valid(datum_bytes(v)))
            return call_fail(c, "invalid UTF-8: the bytes are no text");
        return datum_string(datum_bytes(v));
    case DATUM_TIMESTAMP:
        return write_timestamp(c->evaluation, c->position, v);
    case DATUM_DURATION:
        return write_duration(c->evaluation, c->position, v);
    default:
        return call_mismatch(c);
    }
    return text_finish(&t, DATUM_STRING, c->position);
}

struct datum function_to_bytes(const struct call *c)
{
    if (call_is(c, 0, DATUM_BYTES))
        return c->args[0];
    return call_is(c, 0, DATUM_STRING) ? datum_text(DATUM_BYTES, call_text(c, 0)) : call_mismatch(c);
}

struct datum function_to_timestamp(const struct call *c)
{
    const struct datum *v = &c->args[0];
    if (v->kind == DATUM_TIMESTAMP)
        return *v;
    if (v->kind == DATUM_STRING)
        return read_timestamp(c->evaluation, c->position, datum_bytes(v));
    if (v->kind != DATUM_INT)
        return call_mismatch(c);
    return timestamp_valid(v->i, 0) ? datum_timestamp(v->i, 0)
                                    : call_fail(c, "range: a timestamp lies in the years 1 to 9999");
}

struct datum function_to_duration(const struct call *c)
{
    if (call_is(c, 0, DATUM_DURATION))
        return c->args[0];
    return call_is(c, 0, DATUM_STRING) ? read_duration(c->evaluation, c->position, call_text(c, 0)) : call_mismatch(c);
}

struct datum function_to_dyn(const struct call *c)
{
    return c->count == 1 ? c->args[0] : call_mismatch(c);
}

struct datum function_type(const struct call *c)
{
    const struct type *t = c->count == 1 ? datum_type(c->evaluation->pool, &c->args[0]) : NULL;
    return c->count != 1 ? call_mismatch(c) : t == NULL ? call_memory(c) : datum_of_type(t);
}
