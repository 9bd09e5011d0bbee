#include "sidecar/base/decimal.h"
#include "sidecar/base/random.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double read(const char *text)
{
    double value = -77;
    ck_assert_msg(decimal_read(bytes_of_text(text), &value), "%s", text);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

START_TEST(decimal__reads_the_nearest_as_the_c_library_does)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "7.",
        ".5",
        "123.456",
        "1e22",
        "1e23",
        "-987.654e-3",
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740991.4999999999999999999999999999999",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e-400",
        "1e400",
        "6.02214e23",
        "0.000000000000000000000000000000000000000000001",
        "100000000000000000000000000000000000000000000000",
        "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899",
        "1e999999999999",
        "0e999999999999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(bits_of(read(texts[i])) == bits_of(strtod(texts[i], NULL)), "%s: %a", texts[i], read(texts[i]));
}
END_TEST

/* Halfway between two doubles, and a digit more somewhere behind as many zeros as are kept of a text, or more. */
START_TEST(decimal__the_last_of_very_many_digits_decides)
{
    static const long double halfway[] = {9007199254740993.0L, 4503599627370497.5L,     1.0L + 0x1p-53L,
                                          0.25L + 0x3p-55L,    0x1.00000000000008p-40L, 0x1.00000000000018p300L};
    enum { DIGITS = 850 };
    for (size_t i = 0; i < sizeof halfway / sizeof *halfway; i++)
        for (int digits = DECIMAL_DIGITS_MAX - 60; digits < DIGITS; digits++) {
            char text[DIGITS + 16];
            snprintf(text, sizeof text, "%.*Le", digits - 1, halfway[i]);
            char *last = strchr(text, 'e') - 1;
            for (char more = '0'; more <= '1'; more++) {
                *last = more;
                ck_assert_msg(bits_of(read(text)) == bits_of(strtod(text, NULL)), "%s: %a", text, read(text));
            }
        }
}
END_TEST

START_TEST(decimal__what_is_no_number_is_refused)
{
    static const char *const texts[] = {"",   ".",  "-",   "e5",  "1e",  "1e+", "1.2.3", "0x10",
                                        " 1", "1 ", "nan", "inf", "1,5", "--1", "1e5.5", "1_000"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value;
        ck_assert_msg(!decimal_read(bytes_of_text(texts[i]), &value), "%s", texts[i]);
    }
}
END_TEST

static void there_and_back(double value)
{
    char text[DECIMAL_TEXT_SIZE + 1];
    size_t size = decimal_write(value, false, 21, text);
    ck_assert_uint_le(size, DECIMAL_TEXT_SIZE);
    text[size] = '\0';
    ck_assert_msg(bits_of(read(text)) == bits_of(value), "%a became %s", value, text);
    ck_assert_msg(bits_of(strtod(text, NULL)) == bits_of(value), "%a became %s", value, text);
    int digits = 1;
    char shortest[64];
    do
        snprintf(shortest, sizeof shortest, "%.*e", digits++ - 1, value);
    while (strtod(shortest, NULL) != value);
    struct decimal d;
    decimal_shortest(value, false, &d);
    ck_assert_msg(d.count < digits, "%s has more digits than %s", text, shortest);
    snprintf(shortest, sizeof shortest, "%.17e", value);
    decimal_exact(value, &d);
    decimal_round_to(&d, 18);
    for (int i = 0; i < d.count; i++)
        ck_assert_msg(d.digits[i] == shortest[(value < 0) + (i > 0) + i], "%s at %d", shortest, i);
}

START_TEST(decimal__any_number_comes_back_from_its_shortest_text)
{
    static const double values[] = {0.1,     1.0 / 3, DBL_MAX, DBL_MIN, 4.9406564584124654e-324,
                                    1e21,    1e22,    1e-5,    1e-6,    123456789.0,
                                    -1.5e-7, 5e-324,  1e100,   2e-308,  9007199254740993.0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        there_and_back(values[i]);
    /* Powers of two lie unevenly between their neighbours. */
    for (int exponent = -1074; exponent < 1024; exponent++)
        there_and_back(ldexp(1, exponent));
    struct decimal d;
    decimal_shortest(0x1.8p305 / 1.5, false, &d);
    ck_assert_int_eq(d.count, 16);
    struct random r;
    random_seed(&r, 4);
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = random_next(&r);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            there_and_back(value);
        there_and_back((double)(int64_t)random_below(&r, 1000000) / 1000.0 + 0.001);
    }
}
END_TEST

START_TEST(decimal__a_float_has_fewer_digits)
{
    struct random r;
    random_seed(&r, 5);
    for (int i = 0; i < 3000; i++) {
        uint32_t bits = (uint32_t)random_next(&r);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char text[DECIMAL_TEXT_SIZE + 1];
        text[decimal_write((double)value, true, 21, text)] = '\0';
        ck_assert_msg(strtof(text, NULL) == value, "%s", text);
        struct decimal d;
        decimal_shortest((double)value, true, &d);
        ck_assert_int_le(d.count, 9);
    }
}
END_TEST

START_TEST(decimal__is_written_plain_or_with_an_exponent)
{
    static const struct {
        double value;
        int exponent_max;
        const char *text;
    } cases[] = {{0, 21, "0"},
                 {-0.0, 21, "-0"},
                 {1500, 21, "1500"},
                 {123.456, 21, "123.456"},
                 {-0.0045, 21, "-0.0045"},
                 {0.00001, 21, "0.00001"},
                 {0.000001, 21, "1e-06"},
                 {1e20, 21, "100000000000000000000"},
                 {1e21, 21, "1e+21"},
                 {1234567, 6, "1.234567e+06"},
                 {1e6, 21, "1000000"},
                 {2.5e-308, 21, "2.5e-308"},
                 {INFINITY, 21, "Infinity"},
                 {-INFINITY, 21, "-Infinity"},
                 {NAN, 21, "NaN"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[DECIMAL_TEXT_SIZE + 1];
        text[decimal_write(cases[i].value, false, cases[i].exponent_max, text)] = '\0';
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(decimal__rounds_ties_to_even)
{
    static const struct {
        double value;
        int places;
        const char *digits;
        int point;
    } cases[] = {{1.5, 0, "2", 1},  {2.5, 0, "2", 1},   {0.5, 0, "", 0},   {0.25, 1, "2", 0},
                 {0.75, 1, "8", 0}, {99.96, 1, "1", 3}, {1.005, 2, "1", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct decimal d;
        decimal_exact(cases[i].value, &d);
        decimal_round_places(&d, cases[i].places);
        ck_assert_int_eq(d.count, (int)strlen(cases[i].digits));
        ck_assert_mem_eq(d.digits, cases[i].digits, strlen(cases[i].digits));
        ck_assert_int_eq(d.point, cases[i].point);
    }
}
END_TEST

START_TEST(decimal__whole_numbers_have_their_bounds)
{
    int64_t i;
    uint64_t u;
    ck_assert_int_eq(decimal_read_int(bytes_of_text("-9223372036854775808"), &i), 0);
    ck_assert(i == INT64_MIN);
    ck_assert_int_eq(decimal_read_int(bytes_of_text("-9223372036854775809"), &i), -2);
    ck_assert_int_eq(decimal_read_int(bytes_of_text("9223372036854775807"), &i), 0);
    ck_assert_int_eq(decimal_read_int(bytes_of_text("9223372036854775808"), &i), -2);
    ck_assert_int_eq(decimal_read_uint(bytes_of_text("18446744073709551615"), &u), 0);
    ck_assert(u == UINT64_MAX);
    ck_assert_int_eq(decimal_read_uint(bytes_of_text("18446744073709551616"), &u), -2);
    ck_assert_int_eq(decimal_read_uint(bytes_of_text("99999999999999999999999"), &u), -2);
    ck_assert_int_eq(decimal_read_uint(bytes_of_text("-1"), &u), -1);
    ck_assert_int_eq(decimal_read_int(bytes_of_text("-"), &i), -1);
    ck_assert_int_eq(decimal_read_int(bytes_of_text(""), &i), -1);
    char text[INTEGER_TEXT_SIZE + 1];
    text[decimal_write_int(INT64_MIN, text)] = '\0';
    ck_assert_str_eq(text, "-9223372036854775808");
    text[decimal_write_uint(UINT64_MAX, text)] = '\0';
    ck_assert_str_eq(text, "18446744073709551615");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decimal");
    TCase *c = tcase_create("decimal");
    tcase_add_test(c, decimal__reads_the_nearest_as_the_c_library_does);
    tcase_add_test(c, decimal__the_last_of_very_many_digits_decides);
    tcase_add_test(c, decimal__what_is_no_number_is_refused);
    tcase_add_test(c, decimal__any_number_comes_back_from_its_shortest_text);
    tcase_add_test(c, decimal__a_float_has_fewer_digits);
    tcase_add_test(c, decimal__is_written_plain_or_with_an_exponent);
    tcase_add_test(c, decimal__rounds_ties_to_even);
    tcase_add_test(c, decimal__whole_numbers_have_their_bounds);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
