/* timestamp.c - the calendar, and times as text. */
#include "sidecar/base/timestamp.h"

#include "sidecar/base/check.h"
#include "sidecar/base/decimal.h"

#define DAY_SECONDS 86400

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970 of a day, with years that begin in March, so that the leap day is the last one of its year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_divide(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

struct civil civil_of(int64_t seconds)
{
    int64_t days = floor_divide(seconds, DAY_SECONDS);
    int of_day = (int)(seconds - days * DAY_SECONDS);
    int64_t z = days + 719468;
    int64_t era = floor_divide(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    struct civil c = {.day = (int)(day_of_year - (153 * m + 2) / 5 + 1),
                      .month = (int)(m < 10 ? m + 3 : m - 9),
                      .hour = of_day / 3600,
                      .minute = of_day / 60 % 60,
                      .second = of_day % 60,
                      .weekday = (int)((days % 7 + 11) % 7)};
    c.year = (int)(year_of_era + era * 400 + (c.month <= 2));
    c.year_day = (int)(days - days_of(c.year, 1, 1));
    return c;
}

int64_t civil_seconds(const struct civil *c)
{
    return days_of(c->year, c->month, c->day) * DAY_SECONDS + c->hour * 3600 + c->minute * 60 + c->second;
}

bool timestamp_valid(int64_t seconds, int64_t nanos)
{
    return seconds >= TIMESTAMP_SECONDS_MIN && seconds <= TIMESTAMP_SECONDS_MAX && nanos >= 0 && nanos <= 999999999;
}

bool duration_valid(int64_t seconds, int64_t nanos)
{
    return seconds >= -DURATION_SECONDS_MAX && seconds <= DURATION_SECONDS_MAX && nanos >= -999999999 &&
           nanos <= 999999999 && (seconds <= 0 || nanos >= 0) && (seconds >= 0 || nanos <= 0);
}

/* Takes count digits off *text. */
static bool take_digits(struct bytes *text, size_t count, int *value)
{
    int sum = 0;
    if (text->size < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)text->at[i] - '0';
        if (digit > 9)
            return false;
        sum = sum * 10 + (int)digit;
    }
    *text = bytes_of(text->at + count, text->size - count);
    *value = sum;
    return true;
}

static bool take_char(struct bytes *text, char c)
{
    if (text->size == 0 || text->at[0] != (uint8_t)c)
        return false;
    *text = bytes_of(text->at + 1, text->size - 1);
    return true;
}

/* ".25", or nothing. */
static bool take_fraction(struct bytes *text, int32_t *nanos)
{
    int32_t unit = 100000000;
    *nanos = 0;
    if (!take_char(text, '.'))
        return true;
    size_t places = 0;
    int digit;
    for (; take_digits(text, 1, &digit); places++, unit /= 10) {
        if (places == 9)
            return false;
        *nanos += digit * unit;
    }
    return places > 0;
}

/* "Z" or "+02:00"; in seconds. */
static bool take_offset(struct bytes *text, int *offset)
{
    int hours, minutes;
    *offset = 0;
    if (take_char(text, 'Z'))
        return true;
    bool west = take_char(text, '-');
    if (!west && !take_char(text, '+'))
        return false;
    if (!take_digits(text, 2, &hours) || !take_char(text, ':') || !take_digits(text, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool timestamp_read(struct bytes text, int64_t *seconds, int32_t *nanos)
{
    struct civil c;
    int offset;
    int32_t fraction;
    if (!take_digits(&text, 4, &c.year) || !take_char(&text, '-') || !take_digits(&text, 2, &c.month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &c.day) || !take_char(&text, 'T') ||
        !take_digits(&text, 2, &c.hour) || !take_char(&text, ':') || !take_digits(&text, 2, &c.minute) ||
        !take_char(&text, ':') || !take_digits(&text, 2, &c.second) || !take_fraction(&text, &fraction) ||
        !take_offset(&text, &offset) || text.size != 0)
        return false;
    if (c.year < 1 || c.month < 1 || c.month > 12 || c.day < 1 || c.day > month_days(c.year, c.month) || c.hour > 23 ||
        c.minute > 59 || c.second > 59)
        return false;
    int64_t sum = civil_seconds(&c) - offset;
    if (!timestamp_valid(sum, fraction))
        return false;
    *seconds = sum;
    *nanos = fraction;
    return true;
}

bool duration_read(struct bytes text, int64_t *seconds, int32_t *nanos)
{
    bool negative = take_char(&text, '-');
    size_t digits = 0;
    uint64_t whole;
    int32_t fraction;
    while (digits < text.size && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    if (decimal_read_uint(bytes_of(text.at, digits), &whole) != 0 || whole > (uint64_t)DURATION_SECONDS_MAX)
        return false;
    text = bytes_of(text.at + digits, text.size - digits);
    if (!take_fraction(&text, &fraction) || !take_char(&text, 's') || text.size != 0)
        return false;
    int64_t sum = negative ? -(int64_t)whole : (int64_t)whole;
    fraction = negative ? -fraction : fraction;
    if (!duration_valid(sum, fraction))
        return false;
    *seconds = sum;
    *nanos = fraction;
    return true;
}

static char *put_digits(char *to, int value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + count;
}

static char *put_fraction(char *to, int32_t nanos)
{
    if (nanos == 0)
        return to;
    *to++ = '.';
    if (nanos % 1000000 == 0)
        return put_digits(to, nanos / 1000000, 3);
    if (nanos % 1000 == 0)
        return put_digits(to, nanos / 1000, 6);
    return put_digits(to, nanos, 9);
}

size_t timestamp_write(int64_t seconds, int32_t nanos, char text[TIMESTAMP_TEXT_SIZE])
{
    CHECK(timestamp_valid(seconds, nanos));
    struct civil c = civil_of(seconds);
    char *to = put_digits(text, c.year, 4);
    *to++ = '-';
    to = put_digits(to, c.month, 2);
    *to++ = '-';
    to = put_digits(to, c.day, 2);
    *to++ = 'T';
    to = put_digits(to, c.hour, 2);
    *to++ = ':';
    to = put_digits(to, c.minute, 2);
    *to++ = ':';
    to = put_fraction(put_digits(to, c.second, 2), nanos);
    *to++ = 'Z';
    *to = '\0';
    return (size_t)(to - text);
}

size_t duration_write(int64_t seconds, int32_t nanos, char text[TIMESTAMP_TEXT_SIZE])
{
    CHECK(duration_valid(seconds, nanos));
    char *to = text, digits[INTEGER_TEXT_SIZE];
    if (seconds < 0 || nanos < 0)
        *to++ = '-';
    size_t size = decimal_write_int(seconds < 0 ? -seconds : seconds, digits);
    memcpy(to, digits, size);
    to = put_fraction(to + size, nanos < 0 ? -nanos : nanos);
    *to++ = 's';
    *to = '\0';
    return (size_t)(to - text);
}
