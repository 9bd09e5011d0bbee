/* The digits are kept as text and halved or doubled in place, by as many powers of two at once as a word holds. Slow beside tables, and exact
 * without any. Numbers of few digits, which nearly all are, take a short way through doubles that are exact themselves. */
#include "sidecar/base/decimal.h"

#include "sidecar/base/check.h"

#include <string.h>

/* A digit times two to this power, and a carry, fit a word. */
#define SHIFT_MAX 59

static void trim(struct decimal *d)
{
    while (d->count > 0 && d->digits[d->count - 1] == '0')
        d->count--;
    if (d->count == 0)
        d->point = 0;
}

/* Multiplies by two to the power of by. */
static void shift_left(struct decimal *d, unsigned by)
{
    /* 2^59 has 18 digits: so many more may come in front. */
    char wide[DECIMAL_DIGITS_MAX + 20];
    int at = (int)sizeof wide;
    uint64_t carry = 0;
    for (int i = d->count - 1; i >= 0; i--) {
        carry += (uint64_t)(d->digits[i] - '0') << by;
        wide[--at] = (char)('0' + carry % 10);
        carry /= 10;
    }
    int grown = 0;
    for (; carry > 0; carry /= 10, grown++)
        wide[--at] = (char)('0' + carry % 10);
    int count = (int)sizeof wide - at;
    d->point += grown;
    for (int i = DECIMAL_DIGITS_MAX; i < count; i++)
        d->cut = d->cut || wide[at + i] != '0';
    d->count = count < DECIMAL_DIGITS_MAX ? count : DECIMAL_DIGITS_MAX;
    memcpy(d->digits, wide + at, (size_t)d->count);
    trim(d);
}

/* Divides by two to the power of by. */
static void shift_right(struct decimal *d, unsigned by)
{
    const uint64_t mask = (UINT64_C(1) << by) - 1;
    uint64_t rest = 0;
    int in = 0;
    for (; rest >> by == 0; in++) {
        if (in >= d->count && rest == 0) {
            d->count = 0;
            d->point = 0;
            return;
        }
        rest = rest * 10 + (in < d->count ? (uint64_t)(d->digits[in] - '0') : 0);
    }
    d->point -= in - 1;
    int out = 0;
    for (; in < d->count || rest > 0; in++) {
        char digit = (char)('0' + (rest >> by));
        if (out < DECIMAL_DIGITS_MAX)
            d->digits[out++] = digit;
        else
            d->cut = d->cut || digit != '0';
        rest = (rest & mask) * 10 + (in < d->count ? (uint64_t)(d->digits[in] - '0') : 0);
        if (in >= d->count && rest == 0)
            break;
    }
    d->count = out;
    trim(d);
}

static void shift(struct decimal *d, int by)
{
    for (; by > SHIFT_MAX && d->count > 0; by -= SHIFT_MAX)
        shift_left(d, SHIFT_MAX);
    for (; by < -SHIFT_MAX && d->count > 0; by += SHIFT_MAX)
        shift_right(d, SHIFT_MAX);
    if (d->count == 0 || by == 0)
        return;
    if (by > 0)
        shift_left(d, (unsigned)by);
    else
        shift_right(d, (unsigned)-by);
}

/* Whether rounding to count digits goes up. */
static bool rounds_up(const struct decimal *d, int count)
{
    if (count < 0 || count >= d->count)
        return false;
    if (d->digits[count] == '5' && count + 1 == d->count && !d->cut)
        return count > 0 && (d->digits[count - 1] - '0') % 2 == 1;
    return d->digits[count] >= '5';
}

void decimal_round_to(struct decimal *d, int count)
{
    if (count >= d->count)
        return;
    bool up = rounds_up(d, count);
    d->count = count < 0 ? 0 : count;
    d->cut = false;
    if (!up) {
        trim(d);
        return;
    }
    int i = count - 1;
    while (i >= 0 && d->digits[i] == '9')
        i--;
    if (i < 0) {
        d->digits[0] = '1';
        d->count = 1;
        d->point++;
        return;
    }
    d->digits[i]++;
    d->count = i + 1;
}

void decimal_round_places(struct decimal *d, int places)
{
    decimal_round_to(d, d->point + places);
}

void decimal_exact(double value, struct decimal *d)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    CHECK(exponent != 0x7ff);
    if (exponent == 0)
        exponent = 1;
    else
        mantissa |= UINT64_C(1) << 52;
    *d = (struct decimal){.negative = bits >> 63 != 0};
    char text[INTEGER_TEXT_SIZE];
    d->count = mantissa == 0 ? 0 : (int)decimal_write_uint(mantissa, text);
    memcpy(d->digits, text, (size_t)d->count);
    d->point = d->count;
    trim(d);
    shift(d, exponent - 1075);
}

/* The whole number that d is rounded to (ties to even); it fits. */
static uint64_t whole(const struct decimal *d)
{
    uint64_t n = 0;
    for (int i = 0; i < d->point; i++)
        n = n * 10 + (i < d->count ? (uint64_t)(d->digits[i] - '0') : 0);
    return n + (d->point >= 0 && rounds_up(d, d->point));
}

static double from_bits(bool negative, uint64_t bits)
{
    bits |= (uint64_t)negative << 63;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The nearest double. Uses d up. */
static double nearest(struct decimal *d)
{
    const uint64_t infinite = UINT64_C(0x7ff) << 52;
    if (d->count == 0 || d->point < -330)
        return from_bits(d->negative, 0);
    if (d->point > 310)
        return from_bits(d->negative, infinite);
    /* To [1/2, 1): then the number is d times two to the power of exponent. */
    int exponent = 0;
    while (d->point > 0) {
        int by = d->point > 17 ? SHIFT_MAX : d->point * 3;
        shift(d, -by);
        exponent += by;
    }
    while (d->point < 0 || d->digits[0] < '5') {
        int by = d->point < -17 ? SHIFT_MAX : d->point < 0 ? -d->point * 3 : 1;
        shift(d, by);
        exponent -= by;
    }
    exponent--; /* now as IEEE 754 writes it, 1.xxx */
    if (exponent < -1022) {
        shift(d, exponent + 1022);
        exponent = -1022;
    }
    shift(d, 53);
    uint64_t mantissa = whole(d);
    if (mantissa == UINT64_C(1) << 53) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent > 1023)
        return from_bits(d->negative, infinite);
    uint64_t biased = mantissa >> 52 == 0 ? 0 : (uint64_t)(exponent + 1023);
    return from_bits(d->negative, biased << 52 | (mantissa & ((UINT64_C(1) << 52) - 1)));
}

/* Powers of ten that are exact. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A whole number of at most 15 digits and a power of ten are exact, so that their product or quotient is rounded once. */
static bool nearest_fast(const struct decimal *d, double *value)
{
    int power = d->point - d->count;
    if (d->count > 15 || d->cut || power > 22 || power < -22)
        return false;
    uint64_t n = 0;
    for (int i = 0; i < d->count; i++)
        n = n * 10 + (uint64_t)(d->digits[i] - '0');
    double exact = (double)n;
    exact = power < 0 ? exact / powers[-power] : exact * powers[power];
    *value = d->negative ? -exact : exact;
    return true;
}

/* Reads the digits and the point; returns how many bytes, 0 when there is no digit. */
static size_t read_digits(struct bytes text, size_t at, struct decimal *d)
{
    bool point = false, any = false;
    size_t i = at;
    for (; i < text.size; i++) {
        char c = (char)text.at[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        any = true;
        if (d->count == 0 && c == '0') {
            d->point -= point;
            continue;
        }
        if (d->count < DECIMAL_DIGITS_MAX)
            d->digits[d->count++] = c;
        else
            d->cut = d->cut || c != '0';
        d->point += !point;
    }
    return any ? i - at : 0;
}

static bool read_exponent(struct bytes text, size_t at, int *exponent)
{
    bool negative = at < text.size && text.at[at] == '-';
    if (at < text.size && (text.at[at] == '-' || text.at[at] == '+'))
        at++;
    int n = 0;
    size_t first = at;
    for (; at < text.size && text.at[at] >= '0' && text.at[at] <= '9'; at++)
        if (n < 100000000)
            n = n * 10 + (text.at[at] - '0');
    *exponent = negative ? -n : n;
    return at == text.size && at > first;
}

bool decimal_read(struct bytes text, double *value)
{
    struct decimal d = {0};
    size_t at = 0;
    if (text.size > INT32_MAX / 4)
        return false;
    d.negative = text.size > 0 && text.at[0] == '-';
    if (text.size > 0 && (text.at[0] == '-' || text.at[0] == '+'))
        at++;
    size_t digits = read_digits(text, at, &d);
    if (digits == 0)
        return false;
    at += digits;
    int exponent = 0;
    if (at < text.size && ((text.at[at] != 'e' && text.at[at] != 'E') || !read_exponent(text, at + 1, &exponent)))
        return false;
    d.point += exponent;
    trim(&d);
    if (!nearest_fast(&d, value))
        *value = nearest(&d);
    return true;
}

static size_t write_exponent(int exponent, char *to)
{
    size_t size = 0;
    to[size++] = 'e';
    to[size++] = exponent < 0 ? '-' : '+';
    unsigned n = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (n >= 100)
        to[size++] = (char)('0' + n / 100);
    to[size++] = (char)('0' + n / 10 % 10);
    to[size++] = (char)('0' + n % 10);
    return size;
}

size_t decimal_write(double value, bool single, int exponent_max, char text[DECIMAL_TEXT_SIZE])
{
    CHECK(exponent_max <= 21);
    const char *word = value != value ? "NaN" : value - value == 0 ? NULL : value > 0 ? "Infinity" : "-Infinity";
    if (word != NULL) {
        memcpy(text, word, strlen(word));
        return strlen(word);
    }
    struct decimal d;
    decimal_shortest(value, single, &d);
    size_t size = 0;
    if (d.negative)
        text[size++] = '-';
    int exponent = d.count == 0 ? 0 : d.point - 1;
    if (exponent < -5 || exponent >= exponent_max) {
        text[size++] = d.digits[0];
        if (d.count > 1) {
            text[size++] = '.';
            memcpy(text + size, d.digits + 1, (size_t)d.count - 1);
            size += (size_t)d.count - 1;
        }
        return size + write_exponent(exponent, text + size);
    }
    for (int i = exponent < 0 ? exponent : 0; i < d.count || i <= exponent; i++) {
        if (i == exponent + 1 && i > 0)
            text[size++] = '.';
        text[size++] = i >= 0 && i < d.count ? d.digits[i] : '0';
        if (exponent < 0 && i == exponent)
            text[size++] = '.';
    }
    return size;
}

size_t decimal_write_uint(uint64_t value, char text[INTEGER_TEXT_SIZE])
{
    char digits[INTEGER_TEXT_SIZE];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    memcpy(text, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

size_t decimal_write_int(int64_t value, char text[INTEGER_TEXT_SIZE])
{
    if (value >= 0)
        return decimal_write_uint((uint64_t)value, text);
    text[0] = '-';
    char digits[INTEGER_TEXT_SIZE];
    size_t size = decimal_write_uint(0 - (uint64_t)value, digits);
    memcpy(text + 1, digits, size);
    return size + 1;
}

int decimal_read_uint(struct bytes text, uint64_t *value)
{
    uint64_t n = 0;
    bool fits = true;
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return -1;
        unsigned digit = text.at[i] - '0';
        fits = fits && n <= (UINT64_MAX - digit) / 10;
        n = n * 10 + digit;
    }
    if (text.size == 0)
        return -1;
    *value = n;
    return fits ? 0 : -2;
}

int decimal_read_int(struct bytes text, int64_t *value)
{
    bool negative = text.size > 0 && text.at[0] == '-';
    uint64_t n;
    int bad = decimal_read_uint(bytes_of(text.at + negative, text.size - negative), &n);
    if (bad != 0)
        return bad;
    if (n > (uint64_t)INT64_MAX + negative)
        return -2;
    *value = negative ? (int64_t)(0 - n) : (int64_t)n;
    return 0;
}
