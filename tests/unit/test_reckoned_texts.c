/* Numbers and times that people write, against a second reckoning by the C library and by counting: of valid texts with a few signs changed by chance,
 * which are read, and as what. Behind each text stands more that must not be read. */
#include "sidecar/base/decimal.h"
#include "sidecar/base/timestamp.h"
#include "tests/support/by_chance.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 8000

static void setup(void)
{
    by_chance_seed(20261130);
}

/* ---- numbers ---- */

static bool is_decimal(const char *text, size_t size)
{
    size_t at = 0;
    sign_at(text, size, &at, "+-");
    size_t whole = digits_at(text, size, &at);
    size_t part = sign_at(text, size, &at, ".") ? digits_at(text, size, &at) : 0;
    if (whole + part == 0)
        return false;
    if (at == size)
        return true;
    if (!sign_at(text, size, &at, "eE"))
        return false;
    sign_at(text, size, &at, "+-");
    return digits_at(text, size, &at) > 0 && at == size;
}

START_TEST(reckoned__numbers_are_read_as_the_c_library_reads_them)
{
    static const char *const texts[] = {"0",
                                        "-12.5e3",
                                        "1e23",
                                        "9007199254740993",
                                        "123456789012345678",
                                        "4.35e-7",
                                        "1.7976931348623157e308",
                                        "5e-324",
                                        "2.2250738585072011e-308",
                                        "0.000001",
                                        "99999999999999974834176",
                                        "1e-22",
                                        "18446744073709551615",
                                        "-9223372036854775808"};
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[SPOILT_SIZE], copy[SPOILT_SIZE] = "", *end;
        size_t size = by_chance_spoilt(texts, sizeof texts / sizeof *texts, "5019.e+-E", text);
        struct bytes view = bytes_of(text, size);
        memcpy(copy, text, size);
        double value = 7, expected = strtod(copy, &end);
        ck_assert_msg(decimal_read(view, &value) == is_decimal(text, size), "%s", copy);
        if (is_decimal(text, size))
            ck_assert_msg(memcmp(&value, &expected, sizeof value) == 0, "%s: %a, not %a", copy, value, expected);
        size_t at = size > 0 && text[0] == '-';
        bool whole = digits_at(text, size, &at) > 0 && at == size, negative = text[0] == '-';
        int64_t number = 7;
        uint64_t natural = 7;
        errno = 0;
        long long signed_one = strtoll(copy, NULL, 10);
        int expected_code = !whole ? -1 : errno == ERANGE ? -2 : 0;
        ck_assert_msg(decimal_read_int(view, &number) == expected_code, "%s", copy);
        ck_assert_msg(expected_code != 0 || number == signed_one, "%s", copy);
        errno = 0;
        unsigned long long natural_one = strtoull(copy, NULL, 10);
        expected_code = !whole || negative ? -1 : errno == ERANGE ? -2 : 0;
        ck_assert_msg(decimal_read_uint(view, &natural) == expected_code, "%s", copy);
        ck_assert_msg(expected_code != 0 || natural == natural_one, "%s", copy);
    }
}
END_TEST

/* "d.ddde+xx" of a decimal, as the C library writes it with so many digits. */
static void write_decimal(const struct decimal *d, int count, char *out)
{
    char *to = out;
    if (d->negative)
        *to++ = '-';
    for (int i = 0; i < count; i++) {
        *to++ = i < d->count ? d->digits[i] : '0';
        if (i == 0 && count > 1)
            *to++ = '.';
    }
    int exponent = d->count == 0 ? 0 : d->point - 1;
    sprintf(to, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

static double some_double(void)
{
    uint64_t bits = by_chance_draw() ^ by_chance_draw() << 31;
    double value;
    switch (by_chance(4)) {
    case 0:
        return (double)(int64_t)(bits % 2000001 - 1000000) / (double)(1 << by_chance(12));
    case 1:
        return (double)(bits % 100000) / 1000;
    default:
        memcpy(&value, &bits, sizeof value);
        return value - value == 0 ? value : 0.5;
    }
}

START_TEST(reckoned__digits_and_roundings_are_those_of_the_c_library)
{
    for (unsigned i = 0; i < ROUNDS / 8; i++) {
        struct decimal d;
        char said[1200], expected[1200], text[DECIMAL_TEXT_SIZE];
        double value = some_double(), back;
        decimal_exact(value, &d);
        write_decimal(&d, 780, said);
        snprintf(expected, sizeof expected, "%.779e", value);
        ck_assert_str_eq(said, expected);
        int count = 1 + (int)by_chance(20);
        decimal_round_to(&d, count);
        ck_assert_int_le(d.count, count);
        write_decimal(&d, count, said);
        snprintf(expected, sizeof expected, "%.*e", count - 1, value);
        ck_assert_msg(strcmp(said, expected) == 0, "%a to %d: %s, not %s", value, count, said, expected);
        /* To places behind the point: read back, since the C library writes them plain. */
        int places = (int)by_chance(8);
        decimal_exact(value, &d);
        decimal_round_places(&d, places);
        snprintf(expected, sizeof expected, "%.*f", places, value);
        int all = d.count == 0 ? 1 : d.point + places > 0 ? d.point + places : 1;
        write_decimal(&d, all, said);
        ck_assert_msg(strtod(said, NULL) == strtod(expected, NULL), "%a to %d places: %s, not %s", value, places, said,
                      expected);
        ck_assert_int_le(d.count, all);
        /* The shortest text reads back, and one digit less does not. */
        decimal_shortest(value, false, &d);
        write_decimal(&d, d.count == 0 ? 1 : d.count, said);
        ck_assert_msg(strtod(said, NULL) == value, "%a: %s", value, said);
        snprintf(expected, sizeof expected, "%.*e", d.count > 1 ? d.count - 2 : 16, value);
        ck_assert_msg(d.count <= 1 || strtod(expected, NULL) != value, "%a: %s is shorter than %s", value, expected,
                      said);
        size_t size = decimal_write(value, false, 21, text);
        ck_assert(decimal_read(bytes_of(text, size), &back) && memcmp(&back, &value, sizeof value) == 0);
        float single = (float)value;
        if (single - single != 0)
            continue;
        decimal_shortest((double)single, true, &d);
        write_decimal(&d, d.count == 0 ? 1 : d.count, said);
        ck_assert_msg(strtof(said, NULL) == single, "%a: %s", (double)single, said);
        snprintf(expected, sizeof expected, "%.*e", d.count > 1 ? d.count - 2 : 8, (double)single);
        ck_assert_msg(d.count <= 1 || strtof(expected, NULL) != single, "%a: %s is shorter than %s", (double)single,
                      expected, said);
    }
}
END_TEST

/* ---- times ---- */

static int days_of_month(int64_t year, int month)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 ? 28 + leap : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Counted year by year and month by month from the first of January of the year 1. */
static int64_t counted_days(int year, int month, int day)
{
    int64_t days = -719162;
    for (int y = 1; y < year; y++)
        days += 337 + days_of_month(y, 2);
    for (int m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days + day - 1;
}

static bool number(const char *text, size_t size, size_t *at, size_t count, int *value)
{
    size_t first = *at;
    *value = 0;
    for (; *at < size && *at - first < count && text[*at] >= '0' && text[*at] <= '9'; ++*at)
        *value = *value * 10 + (text[*at] - '0');
    return *at - first == count;
}

/* ".25" or nothing, in nanoseconds. */
static bool fraction(const char *text, size_t size, size_t *at, int *nanos)
{
    *nanos = 0;
    if (!sign_at(text, size, at, "."))
        return true;
    size_t first = *at, count = digits_at(text, size, at);
    for (size_t i = 0; i < 9; i++)
        *nanos = *nanos * 10 + (i < count ? text[first + i] - '0' : 0);
    return count >= 1 && count <= 9;
}

static bool reckon_timestamp(const char *text, size_t size, int64_t *seconds, int *nanos)
{
    int y, mo, d, h, mi, s, zh = 0, zm = 0;
    size_t at = 0;
    bool west = false;
    if (!number(text, size, &at, 4, &y) || !sign_at(text, size, &at, "-") || !number(text, size, &at, 2, &mo) ||
        !sign_at(text, size, &at, "-") || !number(text, size, &at, 2, &d) || !sign_at(text, size, &at, "T") ||
        !number(text, size, &at, 2, &h) || !sign_at(text, size, &at, ":") || !number(text, size, &at, 2, &mi) ||
        !sign_at(text, size, &at, ":") || !number(text, size, &at, 2, &s) || !fraction(text, size, &at, nanos))
        return false;
    if (!sign_at(text, size, &at, "Z")) {
        west = at < size && text[at] == '-';
        if (!sign_at(text, size, &at, "+-") || !number(text, size, &at, 2, &zh) || !sign_at(text, size, &at, ":") ||
            !number(text, size, &at, 2, &zm))
            return false;
    }
    if (at != size || y < 1 || mo < 1 || mo > 12 || d < 1 || d > days_of_month(y, mo) || h > 23 || mi > 59 || s > 59 ||
        zh > 23 || zm > 59)
        return false;
    *seconds = counted_days(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - (west ? -1 : 1) * (zh * 3600 + zm * 60);
    return *seconds >= counted_days(1, 1, 1) * 86400 && *seconds < counted_days(10000, 1, 1) * 86400;
}

static bool reckon_duration(const char *text, size_t size, int64_t *seconds, int *nanos)
{
    size_t at = 0, first;
    bool negative = sign_at(text, size, &at, "-");
    first = at;
    if (digits_at(text, size, &at) == 0)
        return false;
    *seconds = 0;
    for (size_t i = first; i < at; i++)
        *seconds = *seconds > INT64_C(400000000000) ? *seconds : *seconds * 10 + (text[i] - '0');
    if (!fraction(text, size, &at, nanos) || !sign_at(text, size, &at, "s") || at != size)
        return false;
    if (*seconds > INT64_C(315576000000))
        return false;
    *seconds = negative ? -*seconds : *seconds;
    *nanos = negative ? -*nanos : *nanos;
    return true;
}

START_TEST(reckoned__times_are_those_that_are_counted)
{
    static const char *const stamps[] = {"2024-02-29T23:59:59Z",           "0001-01-01T00:00:00Z",
                                         "9999-12-31T23:59:59.999999999Z", "1900-02-28T12:00:00.5+01:00",
                                         "1969-12-31T23:59:59.123-23:59",  "2026-11-30T07:08:09.123456+00:30",
                                         "2000-10-19T10:11:12.000001Z"};
    static const char *const spans[] = {
        "0s",      "3.5s",   "-1.000000001s",        "315576000000s", "-315576000000s", "315576000000.5s",
        "12.340s", "-0.25s", "99999999999999999999s"};
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[SPOILT_SIZE], out[TIMESTAMP_TEXT_SIZE], copy[SPOILT_SIZE] = "";
        int64_t seconds = 7, expected = 7;
        int32_t nanos = 7;
        int expected_nanos = 7;
        size_t size = by_chance_spoilt(stamps, sizeof stamps / sizeof *stamps, "0123459Z+-:.T", text);
        memcpy(copy, text, size);
        bool is = reckon_timestamp(text, size, &expected, &expected_nanos);
        ck_assert_msg(timestamp_read(bytes_of(text, size), &seconds, &nanos) == is, "%s", copy);
        if (is) {
            ck_assert_msg(seconds == expected && nanos == expected_nanos, "%s: %" PRIi64 ".%d", copy, seconds, nanos);
            size = timestamp_write(seconds, nanos, out);
            ck_assert(reckon_timestamp(out, size, &expected, &expected_nanos) && expected == seconds &&
                      expected_nanos == nanos && out[size] == '\0');
            struct civil c = civil_of(seconds);
            int64_t days = counted_days(c.year, c.month, c.day);
            ck_assert_int_eq(days * 86400 + c.hour * 3600 + c.minute * 60 + c.second, seconds);
            ck_assert(c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= days_of_month(c.year, c.month) &&
                      c.hour < 24 && c.minute < 60 && c.second < 60);
            ck_assert_int_eq(c.weekday, (int)((days + 719162 + 1) % 7));
            ck_assert_int_eq(c.year_day, days - counted_days(c.year, 1, 1));
            ck_assert_int_eq(civil_seconds(&c), seconds);
        }
        memset(copy, 0, sizeof copy);
        size = by_chance_spoilt(spans, sizeof spans / sizeof *spans, "0159.s-", text);
        memcpy(copy, text, size);
        is = reckon_duration(text, size, &expected, &expected_nanos);
        bool valid = is && duration_valid(expected, expected_nanos);
        ck_assert_msg(duration_read(bytes_of(text, size), &seconds, &nanos) == valid, "%s", copy);
        if (valid) {
            ck_assert_msg(seconds == expected && nanos == expected_nanos, "%s", copy);
            size = duration_write(seconds, nanos, out);
            ck_assert(reckon_duration(out, size, &expected, &expected_nanos) && expected == seconds &&
                      expected_nanos == nanos && out[size] == '\0');
        }
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("reckoned_texts");
    tcase_set_timeout(c, 30);
    Suite *s = suite_create("reckoned_texts");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, reckoned__numbers_are_read_as_the_c_library_reads_them);
    tcase_add_test(c, reckoned__digits_and_roundings_are_those_of_the_c_library);
    tcase_add_test(c, reckoned__times_are_those_that_are_counted);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
