/* Numbers as text and back: the nearest double, the shortest text, whatever the locale. */
#include "sidecar/base/random.h"
#include "sidecar/message/number.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double read_ok(const char *text)
{
    double value = 0;
    ck_assert_msg(number_read_double(bytes_of_text(text), &value), "%s", text);
    return value;
}

START_TEST(number__integers_are_read_within_their_range)
{
    int64_t i;
    uint64_t u;
    ck_assert(number_read_int(bytes_of_text("-9223372036854775808"), &i) && i == INT64_MIN);
    ck_assert(number_read_int(bytes_of_text("9223372036854775807"), &i) && i == INT64_MAX);
    ck_assert(number_read_int(bytes_of_text("-0"), &i) && i == 0);
    ck_assert(number_read_uint(bytes_of_text("18446744073709551615"), &u) && u == UINT64_MAX);
    static const char *const bad[] = {"", "-", "9223372036854775808", "-9223372036854775809", "1 ", "+1", "1.0", "0x1"};
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++)
        ck_assert_msg(!number_read_int(bytes_of_text(bad[n]), &i), "%s", bad[n]);
    ck_assert(!number_read_uint(bytes_of_text("18446744073709551616"), &u));
    ck_assert(!number_read_uint(bytes_of_text("-1"), &u));
}
END_TEST

START_TEST(number__integers_are_written)
{
    char text[NUMBER_TEXT_SIZE];
    ck_assert_uint_eq(number_write_int(INT64_MIN, text), 20);
    ck_assert_str_eq(text, "-9223372036854775808");
    number_write_uint(UINT64_MAX, text);
    ck_assert_str_eq(text, "18446744073709551615");
    number_write_int(0, text);
    ck_assert_str_eq(text, "0");
}
END_TEST

START_TEST(number__what_is_no_decimal_is_refused)
{
    static const char *const bad[] = {"",      "-",  ".",  ".5",   "5.",  "1e",  "1e+", "--1", "+1",
                                      "1e1.5", "1 ", " 1", "0x10", "inf", "nan", "1,5", "1e5x"};
    double value;
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++)
        ck_assert_msg(!number_read_double(bytes_of_text(bad[n]), &value), "%s", bad[n]);
}
END_TEST

/* Exactly half-way cases, the ends of the range, and decimals far longer than a double needs. */
START_TEST(number__the_nearest_double_is_read)
{
    ck_assert(read_ok("9007199254740993") == 9007199254740992.0);
    ck_assert(read_ok("9007199254740995") == 9007199254740996.0);
    ck_assert(read_ok("9007199254740993.00000000000000000000000000000000000001") == 9007199254740994.0);
    ck_assert(read_ok("2.2250738585072011e-308") == 0x0.fffffffffffffp-1022);
    ck_assert(read_ok("2.2250738585072014e-308") == 0x1p-1022);
    ck_assert(read_ok("5e-324") == 0x1p-1074);
    ck_assert(read_ok("2.4703282292062327208e-324") == 0);
    ck_assert(read_ok("2.4703282292062327209e-324") == 0x1p-1074);
    ck_assert(read_ok("1.7976931348623157e308") == 0x1.fffffffffffffp1023);
    ck_assert(read_ok("1.7976931348623159e308") == INFINITY);
    ck_assert(read_ok("-1e400") == -INFINITY);
    ck_assert(read_ok("1e99999999999999999999") == INFINITY);
    ck_assert(read_ok("1e-99999999999999999999") == 0);
    ck_assert(read_ok("0e99999999999999999999") == 0);
    ck_assert(signbit(read_ok("-0")));
    char text[1200] = "0.";
    memset(text + 2, '0', 320);
    memset(text + 322, '9', 800);
    ck_assert(read_ok(text) == strtod(text, NULL));
}
END_TEST

/* Digits without zeros before the first and after the last that is none. */
static int significant(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

/* What is written reads back, and nothing of fewer digits does. */
static void check_double(double value)
{
    char text[NUMBER_TEXT_SIZE], shorter[64];
    size_t size = number_write_double(value, text);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_msg(strtod(text, NULL) == value, "%.17g was written as %s", value, text);
    ck_assert_msg(read_ok(text) == value, "%s is not read back", text);
    if (significant(text) > 1) {
        snprintf(shorter, sizeof shorter, "%.*e", significant(text) - 2, value);
        ck_assert_msg(strtod(shorter, NULL) != value, "%s is shorter than %s", shorter, text);
    }
}

static void check_float(float value)
{
    char text[NUMBER_TEXT_SIZE], shorter[64];
    number_write_float(value, text);
    ck_assert_msg(strtof(text, NULL) == value, "%.9g was written as %s", (double)value, text);
    if (significant(text) > 1) {
        snprintf(shorter, sizeof shorter, "%.*e", significant(text) - 2, (double)value);
        ck_assert_msg(strtof(shorter, NULL) != value, "%s is shorter than %s", shorter, text);
    }
}

START_TEST(number__doubles_are_written_shortest)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1"},
                 {-1.5, "-1.5"},
                 {0.1, "0.1"},
                 {1e20, "100000000000000000000"},
                 {1e21, "1e+21"},
                 {1e-6, "0.000001"},
                 {1e-7, "1e-7"},
                 {123456789.125, "123456789.125"},
                 {5e-324, "5e-324"},
                 {0x1.fffffffffffffp1023, "1.7976931348623157e+308"},
                 {0x1p-1022, "2.2250738585072014e-308"},
                 {9007199254740993.0, "9007199254740992"},
                 {0.3, "0.3"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {0x1p-44, "5.684341886080802e-14"},
                 {100, "100"},
                 {2e22, "2e+22"}};
    char text[NUMBER_TEXT_SIZE];
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        number_write_double(cases[n].value, text);
        ck_assert_str_eq(text, cases[n].text);
    }
    number_write_double(-0.0, text);
    ck_assert_str_eq(text, "-0");
    number_write_double(-INFINITY, text);
    ck_assert_str_eq(text, "-Infinity");
    number_write_double(NAN, text);
    ck_assert_str_eq(text, "NaN");
}
END_TEST

START_TEST(number__random_doubles_and_floats_go_to_text_and_back)
{
    struct random r;
    random_seed(&r, 7);
    for (int n = 0; n < 20000; n++) {
        uint64_t bits = random_next(&r);
        double value;
        if (n % 4 == 0)
            value = (double)(int64_t)random_below(&r, 1000000000) / 100;
        else if (n % 4 == 1)
            value = ldexp(1, (int)random_below(&r, 2000) - 1000);
        else
            memcpy(&value, &bits, sizeof value);
        if (isfinite(value) && value != 0)
            check_double(value);
    }
    for (int n = 0; n < 20000; n++) {
        uint32_t bits = (uint32_t)random_next(&r);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value) && value != 0)
            check_float(value);
    }
}
END_TEST

START_TEST(number__the_locale_does_not_matter)
{
    char text[NUMBER_TEXT_SIZE];
    setlocale(LC_ALL, "de_DE.UTF-8");
    number_write_double(0.5, text);
    ck_assert_str_eq(text, "0.5");
    ck_assert(read_ok("0.5") == 0.5);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("number");
    TCase *tests = tcase_create("number");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, number__integers_are_read_within_their_range);
    tcase_add_test(tests, number__integers_are_written);
    tcase_add_test(tests, number__what_is_no_decimal_is_refused);
    tcase_add_test(tests, number__the_nearest_double_is_read);
    tcase_add_test(tests, number__doubles_are_written_shortest);
    tcase_add_test(tests, number__random_doubles_and_floats_go_to_text_and_back);
    tcase_add_test(tests, number__the_locale_does_not_matter);
    suite_add_tcase(s, tests);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
