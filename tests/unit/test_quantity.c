/* Numbers with units: read, refused with words, and written so that they read back. */
#include "sidecar/definition/quantity.h"

#include <check.h>
#include <stdlib.h>

static int64_t span_of(const char *text)
{
    struct span span = {-1};
    const char *wrong = quantity_read_span(bytes_of_text(text), &span);
    ck_assert_msg(wrong == NULL, "%s %s", text, wrong);
    return span.us;
}

static uint64_t size_of(const char *text)
{
    uint64_t size = 0;
    const char *wrong = quantity_read_size(bytes_of_text(text), &size);
    ck_assert_msg(wrong == NULL, "%s %s", text, wrong);
    return size;
}

START_TEST(quantity__spans_are_read_to_the_microsecond)
{
    ck_assert_int_eq(span_of("250ms"), 250000);
    ck_assert_int_eq(span_of("2s"), 2000000);
    ck_assert_int_eq(span_of("1.5s"), 1500000);
    ck_assert_int_eq(span_of("3m"), 180000000);
    ck_assert_int_eq(span_of("1h"), INT64_C(3600000000));
    ck_assert_int_eq(span_of("168h"), INT64_C(604800000000));
    ck_assert_int_eq(span_of("0.250s"), 250000);
    ck_assert_int_eq(span_of("0.000001s"), 1);
    ck_assert_int_eq(span_of("0.250000000s"), 250000);
    ck_assert_int_eq(span_of("0.5h"), INT64_C(1800000000));
    ck_assert_int_eq(span_of("0s"), 0);
    ck_assert_int_eq(span_of("2562047788h"), INT64_C(2562047788) * 3600000000);
}
END_TEST

START_TEST(quantity__spans_that_are_none_are_refused_with_words)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "is not a length of time, as in 250ms, 2s, 1.5s, 3m or 1h"},
        {"soon", "is not a length of time, as in 250ms, 2s, 1.5s, 3m or 1h"},
        {"-2s", "is not a length of time, as in 250ms, 2s, 1.5s, 3m or 1h"},
        {".5s", "is not a length of time, as in 250ms, 2s, 1.5s, 3m or 1h"},
        {"30", "has no unit; write ms, s, m or h"},
        {"30 s", "has an unknown unit; write ms, s, m or h"},
        {"1h30m", "has an unknown unit; write ms, s, m or h"},
        {"2d", "has an unknown unit; write ms, s, m or h"},
        {"1.s", "is not a number"},
        {"1.5.s", "has an unknown unit; write ms, s, m or h"},
        {"0.0000001s", "is finer than a microsecond"},
        {"0.0001ms", "is finer than a microsecond"},
        {"0.0000000001s", "has too many decimal places"},
        {"2562047789h", "is too long a time"},
        {"99999999999999999999h", "is too large a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span span = {-1};
        const char *wrong = quantity_read_span(bytes_of_text(cases[i].text), &span);
        ck_assert_msg(wrong != NULL, "%s is read", cases[i].text);
        ck_assert_str_eq(wrong, cases[i].words);
        ck_assert_int_eq(span.us, -1);
    }
}
END_TEST

START_TEST(quantity__sizes_have_binary_units)
{
    uint64_t size = 7;
    ck_assert_uint_eq(size_of("65536"), 65536);
    ck_assert_uint_eq(size_of("0"), 0);
    ck_assert_uint_eq(size_of("12B"), 12);
    ck_assert_uint_eq(size_of("64KiB"), 65536);
    ck_assert_uint_eq(size_of("4MiB"), 4194304);
    ck_assert_uint_eq(size_of("1GiB"), UINT64_C(1) << 30);
    ck_assert_uint_eq(size_of("2TiB"), UINT64_C(2) << 40);
    ck_assert_ptr_nonnull(quantity_read_size(bytes_of_text("1MB"), &size));
    ck_assert_ptr_nonnull(quantity_read_size(bytes_of_text("1.5MiB"), &size));
    ck_assert_ptr_nonnull(quantity_read_size(bytes_of_text("MiB"), &size));
    ck_assert_ptr_nonnull(quantity_read_size(bytes_of_text("9999999999TiB"), &size));
    ck_assert_uint_eq(size, 7);
}
END_TEST

START_TEST(quantity__counts_are_whole)
{
    uint64_t count = 7;
    ck_assert_ptr_null(quantity_read_count(bytes_of_text("18446744073709551615"), &count));
    ck_assert_uint_eq(count, UINT64_MAX);
    ck_assert_str_eq(quantity_read_count(bytes_of_text("18446744073709551616"), &count), "is too large a number");
    ck_assert_str_eq(quantity_read_count(bytes_of_text("1.0"), &count), "is not a whole number");
    ck_assert_str_eq(quantity_read_count(bytes_of_text("10k"), &count), "is not a whole number");
    ck_assert_str_eq(quantity_read_count(bytes_of_text("ten"), &count), "is not a number");
    ck_assert_str_eq(quantity_read_count(bytes_of_text("1.0000000000"), &count), "has too many decimal places");
    ck_assert_str_eq(quantity_read_count(bytes_of_text("1."), &count), "is not a number");
    ck_assert_uint_eq(count, UINT64_MAX);
}
END_TEST

START_TEST(quantity__ratios_have_three_places)
{
    uint32_t permille = 7;
    ck_assert_ptr_null(quantity_read_permille(bytes_of_text("0.2"), &permille));
    ck_assert_uint_eq(permille, 200);
    ck_assert_ptr_null(quantity_read_permille(bytes_of_text("1.625"), &permille));
    ck_assert_uint_eq(permille, 1625);
    ck_assert_ptr_null(quantity_read_permille(bytes_of_text("2"), &permille));
    ck_assert_uint_eq(permille, 2000);
    ck_assert_ptr_null(quantity_read_permille(bytes_of_text("4294967.295"), &permille));
    ck_assert_uint_eq(permille, UINT32_MAX);
    ck_assert_ptr_null(quantity_read_permille(bytes_of_text("0.123000000"), &permille));
    ck_assert_uint_eq(permille, 123);
    static const struct {
        const char *text, *words;
    } none[] = {
        {"0.1234", "has more than three decimal places"},
        {"20%", "is not a number"},
        {"", "is not a number"},
        {"-1", "is not a number"},
        {".5", "is not a number"},
        {"1.", "is not a number"},
        {"few", "is not a number"},
        {"1 ", "is not a number"},
        {"5000000", "is too large a number"},
        {"4294967.296", "is too large a number"},
        {"18446744073709551616", "is too large a number"},
        {"0.1230000000", "has too many decimal places"},
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const char *wrong = quantity_read_permille(bytes_of_text(none[i].text), &permille);
        ck_assert_msg(wrong != NULL && strcmp(wrong, none[i].words) == 0, "%s: %s", none[i].text, wrong);
        ck_assert_uint_eq(permille, 123);
    }
}
END_TEST

START_TEST(quantity__what_is_written_reads_back)
{
    static const char *const spans[] = {"0s", "0.001ms", "1.500ms", "250ms", "1500ms", "90s", "1h", "168h", "61m"};
    static const char *const sizes[] = {"0", "1", "1023", "1KiB", "1025", "4MiB", "3GiB", "2TiB"};
    static const char *const ratios[] = {"0", "0.2", "0.25", "0.125", "0.005", "1", "1.5", "100"};
    char text[QUANTITY_TEXT_SIZE];
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        quantity_write_span((struct span){span_of(spans[i])}, text);
        ck_assert_str_eq(text, spans[i]);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        quantity_write_size(size_of(sizes[i]), text);
        ck_assert_str_eq(text, sizes[i]);
    }
    for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
        uint32_t permille;
        ck_assert_ptr_null(quantity_read_permille(bytes_of_text(ratios[i]), &permille));
        quantity_write_permille(permille, text);
        ck_assert_str_eq(text, ratios[i]);
    }
    quantity_write_size(UINT64_MAX, text);
    ck_assert_str_eq(text, "18446744073709551615");
    quantity_write_span((struct span){INT64_MAX}, text);
    ck_assert_str_eq(text, "9223372036854775.807ms");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quantity");
    TCase *quantities = tcase_create("quantities");
    tcase_add_test(quantities, quantity__spans_are_read_to_the_microsecond);
    tcase_add_test(quantities, quantity__spans_that_are_none_are_refused_with_words);
    tcase_add_test(quantities, quantity__sizes_have_binary_units);
    tcase_add_test(quantities, quantity__counts_are_whole);
    tcase_add_test(quantities, quantity__ratios_have_three_places);
    tcase_add_test(quantities, quantity__what_is_written_reads_back);
    suite_add_tcase(suite, quantities);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
