/* quantity.c - numbers with units, read and written without floating point, so that every machine reads the same. */
#include "sidecar/definition/quantity.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define FRACTION_DIGITS_MAX 9

struct unit {
    const char *name;
    uint64_t worth;
};

static const struct unit span_units[] = {
    {"ms", 1000}, {"s", 1000000}, {"m", UINT64_C(60000000)}, {"h", UINT64_C(3600000000)}};
static const struct unit size_units[] = {{"B", 1},
                                         {"KiB", UINT64_C(1) << 10},
                                         {"MiB", UINT64_C(1) << 20},
                                         {"GiB", UINT64_C(1) << 30},
                                         {"TiB", UINT64_C(1) << 40}};
#define UNIT_COUNT(units) (sizeof(units) / sizeof((units)[0]))

/* A number as written: whole.fraction, the fraction being `fraction` / 10^digits, and what follows it. */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    unsigned digits;
    struct bytes rest;
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Appends a digit. False when the number no longer fits. */
static bool push_digit(uint64_t *number, uint8_t c)
{
    unsigned digit = (unsigned)(c - '0');
    if (*number > (UINT64_MAX - digit) / 10)
        return false;
    *number = *number * 10 + digit;
    return true;
}

static const char *read_decimal(struct bytes text, struct decimal *number)
{
    size_t i = 0;
    *number = (struct decimal){0};
    for (; i < text.size && is_digit(text.at[i]); i++)
        if (!push_digit(&number->whole, text.at[i]))
            return "is too large a number";
    if (i == 0)
        return "is not a number";
    if (i < text.size && text.at[i] == '.') {
        for (i++; i < text.size && is_digit(text.at[i]); i++) {
            if (number->digits == FRACTION_DIGITS_MAX)
                return "has too many decimal places";
            number->fraction = number->fraction * 10 + (uint64_t)(text.at[i] - '0');
            number->digits++;
        }
        if (number->digits == 0)
            return "is not a number";
    }
    number->rest = bytes_of(text.at + i, text.size - i);
    return NULL;
}

static const struct unit *find_unit(struct bytes name, const struct unit *units, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(bytes_of_text(units[i].name), name))
            return &units[i];
    return NULL;
}

/* number * worth, exactly. False when it does not fit; *fine is false when the fraction is finer than one. */
static bool scale(const struct decimal *number, uint64_t worth, uint64_t *product, bool *fine)
{
    uint64_t parts = 1;
    for (unsigned i = 0; i < number->digits; i++)
        parts *= 10;
    /* The fraction is below 10^9 and the largest unit with fractions is an hour, 3.6 * 10^9: this cannot overflow. */
    *fine = number->fraction * worth % parts == 0;
    uint64_t rest = number->fraction * worth / parts;
    if (number->whole > ((uint64_t)INT64_MAX - rest) / worth)
        return false;
    *product = number->whole * worth + rest;
    return true;
}

const char *quantity_read_span(struct bytes text, struct span *span)
{
    struct decimal number;
    uint64_t us;
    bool fine;
    const char *wrong = read_decimal(text, &number);
    if (wrong != NULL)
        return text.size == 0 || !is_digit(text.at[0]) ? "is not a length of time, as in 250ms, 2s, 1.5s, 3m or 1h"
                                                       : wrong;
    if (number.rest.size == 0)
        return "has no unit; write ms, s, m or h";
    const struct unit *unit = find_unit(number.rest, span_units, UNIT_COUNT(span_units));
    if (unit == NULL)
        return "has an unknown unit; write ms, s, m or h";
    if (!scale(&number, unit->worth, &us, &fine))
        return "is too long a time";
    if (!fine)
        return "is finer than a microsecond";
    span->us = (int64_t)us;
    return NULL;
}

const char *quantity_read_size(struct bytes text, uint64_t *size)
{
    struct decimal number;
    bool fine;
    const char *wrong = read_decimal(text, &number);
    if (wrong != NULL)
        return text.size == 0 || !is_digit(text.at[0]) ? "is not a size, as in 65536, 64KiB or 4MiB" : wrong;
    if (number.digits != 0)
        return "is not a whole number";
    const struct unit *unit = &size_units[0];
    if (number.rest.size != 0)
        unit = find_unit(number.rest, size_units, UNIT_COUNT(size_units));
    if (unit == NULL)
        return "has an unknown unit; write B, KiB, MiB, GiB or TiB";
    return scale(&number, unit->worth, size, &fine) ? NULL : "is too large a size";
}

const char *quantity_read_count(struct bytes text, uint64_t *count)
{
    struct decimal number;
    const char *wrong = read_decimal(text, &number);
    if (wrong == NULL && (number.digits != 0 || number.rest.size != 0))
        wrong = "is not a whole number";
    if (wrong == NULL)
        *count = number.whole;
    return wrong;
}

const char *quantity_read_permille(struct bytes text, uint32_t *permille)
{
    struct decimal number;
    uint64_t thousandths;
    bool fine;
    const char *wrong = read_decimal(text, &number);
    if (wrong != NULL)
        return wrong;
    if (number.rest.size != 0)
        return "is not a number";
    if (!scale(&number, 1000, &thousandths, &fine) || thousandths > UINT32_MAX)
        return "is too large a number";
    if (!fine)
        return "has more than three decimal places";
    *permille = (uint32_t)thousandths;
    return NULL;
}

void quantity_write_span(struct span span, char text[QUANTITY_TEXT_SIZE])
{
    uint64_t us = (uint64_t)span.us;
    size_t i = UNIT_COUNT(span_units);
    while (i > 1 && us % span_units[i - 1].worth != 0)
        i--;
    const struct unit *unit = us == 0 ? &span_units[1] : &span_units[i - 1];
    if (us % unit->worth == 0)
        snprintf(text, QUANTITY_TEXT_SIZE, "%" PRIu64 "%s", us / unit->worth, unit->name);
    else
        snprintf(text, QUANTITY_TEXT_SIZE, "%" PRIu64 ".%03" PRIu64 "%s", us / 1000, us % 1000, unit->name);
}

void quantity_write_size(uint64_t size, char text[QUANTITY_TEXT_SIZE])
{
    size_t i = UNIT_COUNT(size_units);
    while (i > 1 && (size == 0 || size % size_units[i - 1].worth != 0))
        i--;
    snprintf(text, QUANTITY_TEXT_SIZE, "%" PRIu64 "%s", size / size_units[i - 1].worth,
             i == 1 ? "" : size_units[i - 1].name);
}

void quantity_write_permille(uint32_t permille, char text[QUANTITY_TEXT_SIZE])
{
    int places = permille % 1000 == 0 ? 0 : permille % 100 == 0 ? 1 : permille % 10 == 0 ? 2 : 3;
    static const uint32_t divisors[] = {1000, 100, 10, 1};
    if (places == 0)
        snprintf(text, QUANTITY_TEXT_SIZE, "%" PRIu32, permille / 1000);
    else
        snprintf(text, QUANTITY_TEXT_SIZE, "%" PRIu32 ".%0*" PRIu32, permille / 1000, places,
                 permille % 1000 / divisors[places]);
}
