/* number_write.c - the shortest decimal that reads back as the same number: Steele and White's free-format algorithm ("How to print
 * floating-point numbers accurately", 1990) on large integers, and a quick way for the numbers that people write. */
#include "sidecar/message/bignum.h"
#include "sidecar/message/number.h"

#define DIGITS_MAX 17

/* digits[0].digits[1]... * 10^exponent */
struct digits {
    char text[DIGITS_MAX + 1];
    unsigned count;
    int exponent;
};

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

static void generate(const struct binary *b, struct digits *out)
{
    struct division s;
    start(&s, b);
    out->exponent = scale(&s, b);
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
        out->text[out->count++] = (char)('0' + digit);
        if (low || high)
            return;
    }
}

/* Decimals of few digits: n / 10^places, tried from the fewest places on. */
static bool generate_small(double value, uint64_t limit, bool single, struct digits *out)
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
        char text[NUMBER_TEXT_SIZE];
        out->count = (unsigned)number_write_uint(n, text);
        out->exponent = (int)out->count - 1 - places;
        while (text[out->count - 1] == '0')
            out->count--;
        memcpy(out->text, text, out->count);
        return true;
    }
    return false;
}

static size_t put_zeros(char *to, int count)
{
    for (int i = 0; i < count; i++)
        to[i] = '0';
    return count > 0 ? (size_t)count : 0;
}

static size_t write_exponent(const struct digits *d, char *text)
{
    size_t n = 0;
    text[n++] = d->text[0];
    if (d->count > 1) {
        text[n++] = '.';
        memcpy(text + n, d->text + 1, d->count - 1);
        n += d->count - 1;
    }
    text[n++] = 'e';
    text[n++] = d->exponent < 0 ? '-' : '+';
    char exponent[NUMBER_TEXT_SIZE];
    size_t size = number_write_uint((uint64_t)(d->exponent < 0 ? -d->exponent : d->exponent), exponent);
    memcpy(text + n, exponent, size + 1);
    return n + size;
}

static size_t write_digits(const struct digits *d, char *text)
{
    size_t n = 0;
    int count = (int)d->count;
    if (d->exponent < -6 || d->exponent > 20)
        return write_exponent(d, text);
    if (d->exponent < 0) {
        text[n++] = '0';
        text[n++] = '.';
        n += put_zeros(text + n, -d->exponent - 1);
        memcpy(text + n, d->text, d->count);
        n += d->count;
    } else {
        int whole = d->exponent + 1 < count ? d->exponent + 1 : count;
        memcpy(text, d->text, (size_t)whole);
        n += (size_t)whole + put_zeros(text + whole, d->exponent + 1 - count);
        if (count > whole) {
            text[n++] = '.';
            memcpy(text + n, d->text + whole, (size_t)(count - whole));
            n += (size_t)(count - whole);
        }
    }
    text[n] = '\0';
    return n;
}

static size_t put_text(const char *from, char *text)
{
    size_t size = strlen(from);
    memcpy(text, from, size + 1);
    return size;
}

/* What has no digits, and the sign. Returns true when text is whole. */
static bool write_special(double value, char *text, size_t *size)
{
    if (number_is_nan(value))
        *size = put_text("NaN", text);
    else if (!number_is_finite(value))
        *size = put_text(value < 0 ? "-Infinity" : "Infinity", text);
    else if (value == 0)
        *size = put_text(__builtin_signbit(value) ? "-0" : "0", text);
    else
        return false;
    return true;
}

size_t number_write_double(double value, char text[NUMBER_TEXT_SIZE])
{
    struct digits digits;
    size_t size;
    if (write_special(value, text, &size))
        return size;
    size = 0;
    if (value < 0)
        text[size++] = '-';
    double positive = value < 0 ? -value : value;
    if (!generate_small(positive, UINT64_C(1000000000000000), false, &digits)) {
        uint64_t bits;
        memcpy(&bits, &positive, sizeof bits);
        int exponent = (int)(bits >> 52);
        uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
        struct binary b = {.mantissa = exponent == 0 ? fraction : fraction | UINT64_C(1) << 52,
                           .exponent = exponent == 0 ? -1074 : exponent - 1075,
                           .exponent_min = -1074,
                           .bits = 53};
        generate(&b, &digits);
    }
    return size + write_digits(&digits, text + size);
}

size_t number_write_float(float value, char text[NUMBER_TEXT_SIZE])
{
    struct digits digits;
    size_t size;
    if (write_special((double)value, text, &size))
        return size;
    size = 0;
    if (value < 0)
        text[size++] = '-';
    float positive = value < 0 ? -value : value;
    if (!generate_small((double)positive, 1000000, true, &digits)) {
        uint32_t bits;
        memcpy(&bits, &positive, sizeof bits);
        int exponent = (int)(bits >> 23);
        uint32_t fraction = bits & 0x7fffff;
        struct binary b = {.mantissa = exponent == 0 ? fraction : fraction | 0x800000,
                           .exponent = exponent == 0 ? -149 : exponent - 150,
                           .exponent_min = -149,
                           .bits = 24};
        generate(&b, &digits);
    }
    return size + write_digits(&digits, text + size);
}
