/* What is said of an error: all of it is about the last one. */
#include "sidecar/base/error.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(error__nothing_stays_of_the_one_before)
{
    struct error_detail detail;
    memset(&detail, 'x', sizeof detail);
    detail.rule = "a-rule";
    ck_assert_int_eq(error_set(&detail, E_ARGUMENT, "name", "is none"), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "name");
    ck_assert_str_eq(detail.text, "is none");
    ck_assert_int_eq(detail.retry_ms, 0);
    ck_assert_int_eq(detail.line, 0);
    ck_assert_int_eq(detail.column, 0);
    ck_assert_ptr_null(detail.rule);
    error_append(&detail, ", and no more");
    ck_assert_str_eq(detail.text, "is none, and no more");
    ck_assert_int_eq(error_set(&detail, E_MEMORY, NULL, NULL), E_MEMORY);
    ck_assert_str_eq(detail.field, "");
    ck_assert_str_eq(detail.text, "");
}
END_TEST

/* A text that is longer than its place is cut, and stays a text. */
START_TEST(error__what_is_too_long_is_cut)
{
    struct error_detail detail;
    char text[2 * sizeof detail.text];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&detail, E_ARGUMENT, text, text);
    error_append(&detail, text);
    ck_assert_uint_eq(strlen(detail.field), sizeof detail.field - 1);
    ck_assert_uint_eq(strlen(detail.text), sizeof detail.text - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("error");
    tcase_add_test(tcase, error__nothing_stays_of_the_one_before);
    tcase_add_test(tcase, error__what_is_too_long_is_cut);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
