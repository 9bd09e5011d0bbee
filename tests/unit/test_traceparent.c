/* Trace contexts as W3C writes them, and what is none. */
#include "sidecar/base/traceparent.h"

#include <check.h>
#include <stdlib.h>

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

START_TEST(traceparent__what_follows_the_form_is_one)
{
    static const char *const good[] = {
        "00-" TRACE "-" PARENT "-01",      "00-" TRACE "-" PARENT "-00",    "cc-" TRACE "-" PARENT "-01",
        "01-" TRACE "-" PARENT "-01-more", "01-" TRACE "-" PARENT "-01-!~",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(traceparent_valid(bytes_of_text(good[i])), "%s", good[i]);
}
END_TEST

START_TEST(traceparent__what_does_not_is_none)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01-more",
        "01-" TRACE "-" PARENT "-01more",
        "01-" TRACE "-" PARENT "-01-m\xc3\xa9",
        "01-" TRACE "-" PARENT "-01-m\n",
        "01-" TRACE "-" PARENT "-01-m m",
        "01-" TRACE "-" PARENT "-01-m\x7f",
        "ff-" TRACE "-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        "0g-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-0\n",
        "00-" TRACE "-00f067aa0ba902\xc3\xa9-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!traceparent_valid(bytes_of_text(bad[i])), "%s", bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("traceparent");
    TCase *tcase = tcase_create("traceparent");
    tcase_add_test(tcase, traceparent__what_follows_the_form_is_one);
    tcase_add_test(tcase, traceparent__what_does_not_is_none);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
