/* Functions of numbers. Nothing here asks the C library: it would not be the same everywhere. */
#include "sidecar/expression/run_inside.h"

/* From here on every double is whole. */
#define WHOLE_FROM 4503599627370496.0

static bool is_whole(double d)
{
    return !(d < WHOLE_FROM && d > -WHOLE_FROM);
}

static bool one(const struct call *c, enum datum_kind kind)
{
    return c->count == 1 && call_is(c, 0, kind);
}

static bool two(const struct call *c, enum datum_kind kind)
{
    return c->count == 2 && call_is(c, 0, kind) && call_is(c, 1, kind);
}

static double truncated(double d)
{
    return is_whole(d) ? d : __builtin_copysign((double)(int64_t)d, d);
}

struct datum function_trunc(const struct call *c)
{
    return one(c, DATUM_DOUBLE) ? datum_double(truncated(c->args[0].d)) : call_mismatch(c);
}

struct datum function_floor(const struct call *c)
{
    if (!one(c, DATUM_DOUBLE))
        return call_mismatch(c);
    double d = c->args[0].d, t = truncated(d);
    return datum_double(t > d ? t - 1 : t);
}

struct datum function_ceil(const struct call *c)
{
    if (!one(c, DATUM_DOUBLE))
        return call_mismatch(c);
    double d = c->args[0].d, t = truncated(d);
    return datum_double(t < d ? t + 1 : t);
}

/* Halves away from zero. */
struct datum function_round(const struct call *c)
{
    if (!one(c, DATUM_DOUBLE))
        return call_mismatch(c);
    double d = c->args[0].d, t = truncated(d), rest = d - t;
    if (is_whole(d))
        return datum_double(d);
    return datum_double(rest >= 0.5 ? t + 1 : rest <= -0.5 ? t - 1 : t);
}

struct datum function_abs(const struct call *c)
{
    const struct datum *v = &c->args[0];
    if (one(c, DATUM_UINT))
        return *v;
    if (one(c, DATUM_DOUBLE))
        return datum_double(__builtin_fabs(v->d));
    if (!one(c, DATUM_INT))
        return call_mismatch(c);
    return v->i == INT64_MIN ? call_fail(c, "range: integer overflow: the smallest int has no absolute value")
                             : datum_int(v->i < 0 ? -v->i : v->i);
}

struct datum function_sign(const struct call *c)
{
    const struct datum *v = &c->args[0];
    if (one(c, DATUM_UINT))
        return datum_uint(v->u > 0);
    if (one(c, DATUM_INT))
        return datum_int((v->i > 0) - (v->i < 0));
    if (!one(c, DATUM_DOUBLE))
        return call_mismatch(c);
    return datum_double(v->d != v->d ? v->d : (v->d > 0) - (v->d < 0));
}

/* Digit by digit, as on paper: the 54 leading bits of the root, the last of them and the rest rounding it. */
static double square_root(double d)
{
    if (!(d > 0) || d - d != 0)
        return d < 0 ? __builtin_nan("") : d;
    int exponent = 0;
    for (; d < 0x1p52; exponent--)
        d *= 4;
    for (; d >= 0x1p54; exponent++)
        d /= 4;
    /* d is whole now, below 2^54; the root of d times 2^54 has 53 or 54 bits. */
    uint64_t high = (uint64_t)d, root = 0, rest = 0;
    for (int i = 0; i < 54; i++) {
        /* Two bits at a time, of d and then of the zeros behind it. */
        rest = rest << 2 | (i < 27 ? high >> (52 - 2 * i) & 3 : 0);
        uint64_t test = root << 2 | 1;
        root <<= 1;
        if (rest >= test) {
            rest -= test;
            root |= 1;
        }
    }
    /* A rest makes the last bit one, so that the conversion rounds as it should. */
    double result = (double)(root << 1 | (rest != 0)) / 0x1p28;
    for (; exponent < 0; exponent++)
        result /= 2;
    for (; exponent > 0; exponent--)
        result *= 2;
    return result;
}

struct datum function_sqrt(const struct call *c)
{
    const struct datum *v = &c->args[0];
    if (one(c, DATUM_DOUBLE))
        return datum_double(square_root(v->d));
    if (one(c, DATUM_INT))
        return datum_double(square_root((double)v->i));
    return one(c, DATUM_UINT) ? datum_double(square_root((double)v->u)) : call_mismatch(c);
}

struct datum function_is_nan(const struct call *c)
{
    return one(c, DATUM_DOUBLE) ? datum_bool(c->args[0].d != c->args[0].d) : call_mismatch(c);
}

struct datum function_is_inf(const struct call *c)
{
    double d = c->args[0].d;
    return one(c, DATUM_DOUBLE) ? datum_bool(d == d && d - d != 0) : call_mismatch(c);
}

struct datum function_is_finite(const struct call *c)
{
    return one(c, DATUM_DOUBLE) ? datum_bool(c->args[0].d - c->args[0].d == 0) : call_mismatch(c);
}

/* Bits of an int are those of a uint. */
static struct datum bits(const struct call *c, uint64_t result)
{
    return (struct datum){.kind = c->args[0].kind, .u = result};
}

#define BITS(name, operator) \
    struct datum function_bit_##name(const struct call *c) \
    { \
        if (!two(c, DATUM_INT) && !two(c, DATUM_UINT)) \
            return call_mismatch(c); \
        return bits(c, c->args[0].u operator c->args[1].u); \
    }

BITS(and, &)
BITS(or, |)
BITS(xor, ^)

struct datum function_bit_not(const struct call *c)
{
    return one(c, DATUM_INT) || one(c, DATUM_UINT) ? bits(c, ~c->args[0].u) : call_mismatch(c);
}

static struct datum shifted(const struct call *c, bool left)
{
    if (c->count != 2 || (!call_is(c, 0, DATUM_INT) && !call_is(c, 0, DATUM_UINT)) || !call_is(c, 1, DATUM_INT))
        return call_mismatch(c);
    int64_t by = c->args[1].i;
    if (by < 0)
        return call_fail(c, "negative offset: bits are shifted by 0 or more places");
    return bits(c, by >= 64 ? 0 : left ? c->args[0].u << by : c->args[0].u >> by);
}

struct datum function_bit_shift_left(const struct call *c)
{
    return shifted(c, true);
}

struct datum function_bit_shift_right(const struct call *c)
{
    return shifted(c, false);
}
