/* shortest.c - the shortest decimal that reads back as the same number: Steele and White's free-format algorithm ("How to print floating-point
 * numbers accurately", 1990) on large integers, and a quick way for the numbers that people write. */
#include "sidecar/base/bignum.h"
#include "sidecar/base/check.h"
#include "sidecar/base/decimal.h"

/* A positive number: mantissa * 2^exponent, of a format with this many bits and this least exponent. */
struct binary {
    uint64_t mantissa;
    int exponent;
    int exponent_min;
    int bits;
};

/* What dividing the number by a power of ten keeps exact: number = rest / scale, and half the way to its neighbours. */
struct division {
    struct bignum rest, scale, above, below;
    bool even; /* the ends of the interval read back as this number, too */
};

static void start(struct division *s, const struct binary *b)
{
    bool lowest = b->mantissa == UINT64_C(1) << (b->bits - 1) && b->exponent > b->exponent_min;
    unsigned up = b->exponent > 0 ? (unsigned)b->exponent : 0;
    unsigned down = b->exponent < 0 ? (unsigned)-b->exponent : 0;
    s->even = (b->mantissa & 1) == 0;
    bignum_set(&s->rest, b->mantissa);
    bignum_set(&s->scale, 1);
    bignum_set(&s->above, 1);
    bignum_set(&s->below, 1);
    /* The neighbour below a power of two is only half as far. */
    bignum_shift_left(&s->rest, up + 1 + lowest);
    bignum_shift_left(&s->scale, down + 1 + lowest);
    bignum_shift_left(&s->above, up + lowest);
    bignum_shift_left(&s->below, up);
}

static bool is_high(const struct division *s)
{
    int order = bignum_compare_sum(&s->rest, &s->above, &s->scale);
    return order > 0 || (order == 0 && s->even);
}

static bool is_low(const struct division *s)
{
    int order = bignum_compare(&s->rest, &s->below);
    return order < 0 || (order == 0 && s->even);
}

static void times_ten(struct division *s)
{
    bignum_multiply_add(&s->rest, 10, 0);
    bignum_multiply_add(&s->above, 10, 0);
    bignum_multiply_add(&s->below, 10, 0);
}

/* Scales so that the number is below 1 and its first digit is the next one; returns the exponent of that digit. */
static int scale(struct division *s, const struct binary *b)
{
    int length = 64 - __builtin_clzll(b->mantissa);
    /* floor(log10(2) * (position of the highest bit)), at most one too small. */
    int estimate = (int)((int64_t)(b->exponent + length - 1) * 1233 >> 12);
    if (estimate >= 0) {
        bignum_multiply_power10(&s->scale, (unsigned)estimate);
    } else {
        bignum_multiply_power10(&s->rest, (unsigned)-estimate);
        bignum_multiply_power10(&s->above, (unsigned)-estimate);
        bignum_multiply_power10(&s->below, (unsigned)-estimate);
    }
    while (is_high(s)) {
        bignum_multiply_add(&s->scale, 10, 0);
        estimate++;
    }
    for (;;) {
        struct division next = *s;
        times_ten(&next);
        if (is_high(&next))
            return estimate - 1;
        *s = next;
        estimate--;
    }
}

static void generate(const struct binary *b, struct decimal *out)
{
    struct division s;
    start(&s, b);
    out->point = scale(&s, b) + 1;
    out->count = 0;
    for (;;) {
        times_ten(&s);
        unsigned digit = 0;
        while (bignum_compare(&s.rest, &s.scale) >= 0) {
            bignum_subtract(&s.rest, &s.scale);
            digit++;
        }
        bool low = is_low(&s), high = is_high(&s);
        if (low || high) {
            int half = bignum_compare_sum(&s.rest, &s.rest, &s.scale);
            digit += high && (!low || half > 0 || (half == 0 && digit % 2 != 0));
        }
        CHECK(out->count < 17);
        out->digits[out->count++] = (char)('0' + digit);
        if (low || high)
            return;
    }
}

/* Decimals of few digits: n / 10^places, tried from the fewest places on. */
static bool generate_small(double value, uint64_t limit, bool single, struct decimal *out)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    for (int places = 0; places < (int)(sizeof powers / sizeof powers[0]); places++) {
        double product = value * powers[places] + 0.5;
        if (!(product < (double)limit))
            return false;
        uint64_t n = (uint64_t)product;
        double back = (double)n / powers[places];
        if (n == 0 || (single ? (double)(float)back : back) != value)
            continue;
        out->count = (int)decimal_write_uint(n, out->digits);
        out->point = out->count - places;
        while (out->digits[out->count - 1] == '0')
            out->count--;
        return true;
    }
    return false;
}

static struct binary binary_of(double value, bool single)
{
    struct binary b = {.bits = single ? 24 : 53, .exponent_min = single ? -149 : -1074};
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (single) {
        float narrow = (float)value;
        uint32_t few;
        memcpy(&few, &narrow, sizeof few);
        bits = few;
    }
    int exponent = (int)(bits >> (b.bits - 1));
    b.mantissa = bits & ((UINT64_C(1) << (b.bits - 1)) - 1);
    if (exponent > 0)
        b.mantissa |= UINT64_C(1) << (b.bits - 1);
    b.exponent = b.exponent_min + (exponent > 0 ? exponent - 1 : 0);
    return b;
}

void decimal_shortest(double value, bool single, struct decimal *d)
{
    d->negative = __builtin_signbit(value) != 0;
    d->cut = false;
    d->count = d->point = 0;
    double size = d->negative ? -value : value;
    if (size == 0 || generate_small(size, single ? 1000000 : UINT64_C(1000000000000000), single, d))
        return;
    struct binary b = binary_of(size, single);
    generate(&b, d);
}
