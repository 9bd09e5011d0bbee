/* Semantic versions: their form and their order; and the form of names and methods. */
#include "sidecar/definition/reader.h"

#include <check.h>
#include <stdlib.h>

START_TEST(version__accepts_what_semver_accepts)
{
    static const char *const good[] = {"0.0.0",          "1.0.0",
                                       "10.20.30",       "1.0.0-alpha",
                                       "1.0.0-alpha.1",  "1.0.0-0.3.7",
                                       "1.0.0-x.7.z.92", "1.0.0-x-y-z.--",
                                       "1.0.0+001",      "1.0.0-beta+exp.sha",
                                       "1.0.0-0a",       "99999999999999999999999.999999999.0",
                                       "1.0.0+-.00",     "1.0.0-alpha-0.01a"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(definition_version_valid(good[i]), "%s is refused", good[i]);
}
END_TEST

START_TEST(version__refuses_what_semver_refuses)
{
    static const char *const bad[] = {"",         "1",         "1.0",        "1.0.",    "1.0.0.0",  "v1.0.0",
                                      "01.0.0",   "1.00.0",    "1.0.-",      "1.0.0-",  "1.0.0-01", "1.0.0-a..b",
                                      "1.0.0-a.", "1.0.0+",    "1.0.0+a..b", "1.0.0-ä", "1.0.0 ",   " 1.0.0",
                                      "-1.0.0",   "1.0.0+a+b", "1.0.0-a_b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!definition_version_valid(bad[i]), "%s is accepted", bad[i]);
}
END_TEST

START_TEST(version__is_bounded)
{
    char text[VERSION_BYTES_MAX + 2] = "1.0.0-";
    memset(text + 6, 'a', VERSION_BYTES_MAX - 6);
    ck_assert(definition_version_valid(text));
    text[VERSION_BYTES_MAX] = 'a';
    ck_assert(!definition_version_valid(text));
}
END_TEST

START_TEST(version__orders_every_pair_as_semver_does)
{
    static const char *const rising[] = {"0.0.0",
                                         "0.0.1",
                                         "0.1.0",
                                         "0.9.10",
                                         "0.10.0",
                                         "1.0.0-0",
                                         "1.0.0-2",
                                         "1.0.0-10",
                                         "1.0.0-18446744073709551616",
                                         "1.0.0--",
                                         "1.0.0-ALPHA",
                                         "1.0.0-alpha",
                                         "1.0.0-alpha.1",
                                         "1.0.0-alpha.1.0",
                                         "1.0.0-alpha.beta",
                                         "1.0.0-alpha1",
                                         "1.0.0-beta",
                                         "1.0.0-beta.2",
                                         "1.0.0-beta.11",
                                         "1.0.0-rc.1",
                                         "1.0.0",
                                         "1.0.1-a",
                                         "1.0.1",
                                         "2.0.0",
                                         "10.0.0",
                                         "99999999999999999999999.0.0"};
    size_t count = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(definition_version_valid(rising[i]), "%s is refused", rising[i]);
        for (size_t j = 0; j < count; j++) {
            int order = definition_version_compare(rising[i], rising[j]);
            ck_assert_msg((order > 0) - (order < 0) == (i > j) - (i < j), "%s to %s: %d", rising[i], rising[j], order);
        }
    }
    ck_assert_int_eq(definition_version_compare("1.0.0+a", "1.0.0+b"), 0);
    ck_assert_int_eq(definition_version_compare("1.0.0-rc.1+a", "1.0.0-rc.1"), 0);
}
END_TEST

START_TEST(names__have_letters_digits_and_three_signs)
{
    ck_assert(definition_name_valid(bytes_of_text("a"), 64));
    ck_assert(definition_name_valid(bytes_of_text("Order_check-out.v2"), 64));
    ck_assert(definition_name_valid(bytes_of_text("1234"), 4));
    ck_assert(!definition_name_valid(bytes_of_text("12345"), 4));
    static const char *const bad[] = {"", "a b", "a/b", "ä", "a\n", "a:", "a\"", "[", "@", "`", "{", "z~"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!definition_name_valid(bytes_of_text(bad[i]), 64), "%s is accepted", bad[i]);
    ck_assert(!definition_name_valid(bytes_of("a\0b", 3), 64));
}
END_TEST

START_TEST(methods__are_a_service_and_a_method)
{
    static const char *const good[] = {"/inventory.v1.Inventory/Reserve", "/Inventory/Reserve", "/_a._1/_2",
                                       "/a.b.c.d/E9"};
    static const char *const bad[] = {
        "",         "/",     "/a",    "/a/",    "a/b",   "a.b/C",  "//b",  "/a/b/c", "/a./b",   "/.a/b",  "/a..b/c",
        "/a.b/c.d", "/1a/b", "/a/1b", "/a b/c", "/a/b ", "/a-b/c", "/a/ü", "/a.b",   "/a.b./c", "/a/b\n", "http://a/b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(definition_method_valid(bytes_of_text(good[i])), "%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!definition_method_valid(bytes_of_text(bad[i])), "%s is accepted", bad[i]);
    char text[METHOD_BYTES_MAX + 2];
    memset(text, 'a', sizeof text);
    text[0] = text[2] = '/';
    ck_assert(definition_method_valid(bytes_of(text, METHOD_BYTES_MAX)));
    ck_assert(!definition_method_valid(bytes_of(text, METHOD_BYTES_MAX + 1)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("version");
    TCase *forms = tcase_create("forms");
    tcase_add_test(forms, version__accepts_what_semver_accepts);
    tcase_add_test(forms, version__refuses_what_semver_refuses);
    tcase_add_test(forms, version__is_bounded);
    tcase_add_test(forms, version__orders_every_pair_as_semver_does);
    tcase_add_test(forms, names__have_letters_digits_and_three_signs);
    tcase_add_test(forms, methods__are_a_service_and_a_method);
    suite_add_tcase(suite, forms);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
