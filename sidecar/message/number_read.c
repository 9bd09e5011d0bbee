/* number_read.c - decimals to the nearest double: exactly by integers that fit where they do, by large ones where not. */
#include "sidecar/message/bignum.h"
#include "sidecar/message/number.h"

/* The exact middle between two doubles has at most 767 significant digits; what follows only says on which side of it a number is. */
#define DIGITS_MAX   780
#define EXPONENT_MAX 100000

struct decimal {
    bool negative;
    bool inexact;          /* digits that are not zero were left out at the end */
    const uint8_t *digits; /* the first that is not zero; a point may stand between */
    const uint8_t *end;
    unsigned count;   /* of digits that are used, up to DIGITS_MAX */
    int64_t exponent; /* of the last digit that is used */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Reads "e-12"; a huge exponent is cut, which changes nothing. */
static bool read_exponent(struct bytes text, int64_t *exponent)
{
    size_t i = 0;
    bool negative = text.size > 0 && text.at[0] == '-';
    int64_t sum = 0;
    if (text.size > 0 && (text.at[0] == '-' || text.at[0] == '+'))
        i++;
    if (i == text.size)
        return false;
    for (; i < text.size; i++) {
        if (!is_digit(text.at[i]))
            return false;
        if (sum < EXPONENT_MAX)
            sum = sum * 10 + (text.at[i] - '0');
    }
    *exponent = negative ? -sum : sum;
    return true;
}

/* Counts one more digit; behind is whether it stands behind the point. */
static void add_digit(struct decimal *d, const uint8_t *at, bool behind)
{
    if (d->count == 0 && *at == '0') {
        d->exponent -= behind;
        return;
    }
    if (d->count == 0)
        d->digits = at;
    if (d->count == DIGITS_MAX) {
        d->inexact = d->inexact || *at != '0';
        d->exponent += !behind;
        return;
    }
    d->count++;
    d->exponent -= behind;
    d->end = at + 1;
}

static bool split(struct bytes text, struct decimal *d)
{
    size_t i = 0, digits = 0;
    bool behind = false;
    *d = (struct decimal){.negative = text.size > 0 && text.at[0] == '-'};
    i += d->negative;
    for (; i < text.size; i++) {
        if (is_digit(text.at[i])) {
            add_digit(d, text.at + i, behind);
            digits++;
        } else if (text.at[i] == '.' && !behind && digits > 0 && i + 1 < text.size && is_digit(text.at[i + 1])) {
            behind = true;
        } else {
            break;
        }
    }
    int64_t exponent = 0;
    if (digits == 0)
        return false;
    if (i < text.size) {
        if ((text.at[i] | 0x20) != 'e' || !read_exponent(bytes_of(text.at + i + 1, text.size - i - 1), &exponent))
            return false;
    }
    d->exponent += exponent;
    return true;
}

/* At most 2^53 as an integer, and a power of ten that a double holds exactly: one operation rounds once. */
static bool read_small(const struct decimal *d, double *value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t sum = 0;
    if (d->count > 15 || d->exponent < -22 || d->exponent > 22)
        return false;
    for (const uint8_t *at = d->digits; at != d->end; at++)
        if (*at != '.')
            sum = sum * 10 + (*at - '0');
    *value = d->exponent < 0 ? (double)sum / powers[-d->exponent] : (double)sum * powers[d->exponent];
    return true;
}

/* floor(numerator / denominator), which has at most 55 bits; leaves the rest in numerator. */
static uint64_t divide(struct bignum *numerator, const struct bignum *denominator)
{
    struct bignum shifted = *denominator;
    uint64_t quotient = 0;
    bignum_shift_left(&shifted, 55);
    for (unsigned i = 0; i <= 55; i++) {
        quotient <<= 1;
        if (bignum_compare(numerator, &shifted) >= 0) {
            bignum_subtract(numerator, &shifted);
            quotient |= 1;
        }
        bignum_shift_left(numerator, 1);
    }
    return quotient;
}

/* quotient * 2^exponent, and something more when sticky, as the nearest double. */
static double compose(uint64_t quotient, int exponent, bool sticky)
{
    int length = 64 - __builtin_clzll(quotient);
    int drop = length - 53;
    if (exponent + drop < -1074)
        drop = -1074 - exponent;
    if (drop > 60)
        return 0.0;
    if (drop > 0) {
        uint64_t rest = quotient & ((UINT64_C(1) << drop) - 1);
        uint64_t half = UINT64_C(1) << (drop - 1);
        quotient >>= drop;
        exponent += drop;
        if (rest > half || (rest == half && (sticky || (quotient & 1) != 0)))
            quotient++;
    }
    if (quotient == 0)
        return 0.0;
    if (quotient == UINT64_C(1) << 53) {
        quotient >>= 1;
        exponent++;
    }
    if (exponent > 971)
        return __builtin_inf();
    /* Below 2^52 it is a subnormal, whose exponent field is 0. */
    uint64_t bits = quotient < UINT64_C(1) << 52
                        ? quotient
                        : (quotient & ((UINT64_C(1) << 52) - 1)) | (uint64_t)(exponent + 1075) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double read_large(const struct decimal *d)
{
    struct bignum numerator, denominator;
    bignum_set(&numerator, 0);
    bignum_set(&denominator, 1);
    for (const uint8_t *at = d->digits; at != d->end; at++)
        if (*at != '.')
            bignum_multiply_add(&numerator, 10, *at - '0');
    int exponent = (int)d->exponent;
    bignum_multiply_power10(exponent < 0 ? &denominator : &numerator, (unsigned)(exponent < 0 ? -exponent : exponent));
    int shift = 54 - (int)bignum_bit_length(&numerator) + (int)bignum_bit_length(&denominator);
    bignum_shift_left(shift < 0 ? &denominator : &numerator, (unsigned)(shift < 0 ? -shift : shift));
    uint64_t quotient = divide(&numerator, &denominator);
    return compose(quotient, -shift, numerator.count != 0 || d->inexact);
}

bool number_read_double(struct bytes text, double *value)
{
    struct decimal d;
    if (!split(text, &d))
        return false;
    double size;
    int64_t highest = d.exponent + d.count; /* the number is below 10^highest */
    if (d.count == 0 || highest < -330)
        size = 0.0;
    else if (highest > 310)
        size = __builtin_inf();
    else if (!read_small(&d, &size))
        size = read_large(&d);
    *value = d.negative ? -size : size;
    return true;
}
