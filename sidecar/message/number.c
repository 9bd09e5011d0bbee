/* number.c - integers as text, and what doubles and floats are. */
#include "sidecar/message/number.h"

#define EXPONENT_BITS UINT64_C(0x7ff0000000000000)

bool number_read_uint(struct bytes text, uint64_t *value)
{
    uint64_t sum = 0;
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.at[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool number_read_int(struct bytes text, int64_t *value)
{
    bool negative = text.size > 0 && text.at[0] == '-';
    uint64_t size;
    if (!number_read_uint(bytes_of(text.at + negative, text.size - negative), &size) ||
        size > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

static size_t put_digits(uint64_t value, char *text)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = '\0';
    return count;
}

size_t number_write_uint(uint64_t value, char text[NUMBER_TEXT_SIZE])
{
    return put_digits(value, text);
}

size_t number_write_int(int64_t value, char text[NUMBER_TEXT_SIZE])
{
    if (value >= 0)
        return put_digits((uint64_t)value, text);
    text[0] = '-';
    return 1 + put_digits(0 - (uint64_t)value, text + 1);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

bool number_is_nan(double value)
{
    return value != value;
}

bool number_is_finite(double value)
{
    return (bits_of(value) & EXPONENT_BITS) != EXPONENT_BITS;
}

float number_to_float(double value)
{
    return (float)value;
}

bool number_is_int(double value, int64_t *whole)
{
    if (!(value >= -0x1p63 && value < 0x1p63) || (double)(int64_t)value != value)
        return false;
    *whole = (int64_t)value;
    return true;
}

bool number_is_uint(double value, uint64_t *whole)
{
    if (!(value >= 0 && value < 0x1p64) || (double)(uint64_t)value != value)
        return false;
    *whole = (uint64_t)value;
    return true;
}
