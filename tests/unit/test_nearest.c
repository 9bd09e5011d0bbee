/* The valid name nearest to a wrong one. */
#include "sidecar/base/nearest.h"

#include <check.h>
#include <stdlib.h>

static const char *const names[] = {"name", "version", "deadline", "compensation_order", "maxAttempts", "steps"};
#define COUNT (sizeof names / sizeof names[0])

static const char *nearest(const char *wrong)
{
    return nearest_name(bytes_of_text(wrong), names, COUNT);
}

START_TEST(nearest__finds_what_a_slip_of_the_hand_meant)
{
    ck_assert_str_eq(nearest("versoin"), "version");
    ck_assert_str_eq(nearest("deadlin"), "deadline");
    ck_assert_str_eq(nearest("deadlines"), "deadline");
    ck_assert_str_eq(nearest("step"), "steps");
    ck_assert_str_eq(nearest("nmae"), "name");
    ck_assert_str_eq(nearest("evrsoin"), "version"); /* two swaps, and not four letters */
    ck_assert_str_eq(nearest("compensations_ordre"), "compensation_order");
}
END_TEST

START_TEST(nearest__looks_past_case_and_separators)
{
    ck_assert_str_eq(nearest("max_attempts"), "maxAttempts");
    ck_assert_str_eq(nearest("MAX-ATTEMPTS"), "maxAttempts");
    ck_assert_str_eq(nearest("compensationOrder"), "compensation_order");
    ck_assert_str_eq(nearest("s-t-e-p-s"), "steps");
    ck_assert_str_eq(nearest("s_t_e_p_s"), "steps");
}
END_TEST

START_TEST(nearest__does_not_guess_another_word)
{
    ck_assert_ptr_null(nearest("colour"));
    ck_assert_ptr_null(nearest("stuff")); /* three letters of steps are others */
    ck_assert_str_eq(nearest("stups"), "steps");
    ck_assert_ptr_null(nearest("qsept")); /* of which no two letters have changed their places */
    ck_assert_ptr_null(nearest("stpxq"));
    ck_assert_ptr_null(nearest(""));
    ck_assert_ptr_null(nearest("_"));
    ck_assert_ptr_null(nearest_name(bytes_of_text("name"), names, 0));
    const char *const short_names[] = {"a"};
    ck_assert_ptr_null(nearest_name(bytes_of_text("b"), short_names, 1));
}
END_TEST

START_TEST(nearest__is_not_overrun_by_long_texts)
{
    char text[300];
    memset(text, 'n', sizeof text);
    ck_assert_ptr_null(nearest_name(bytes_of(text, sizeof text), names, COUNT));
    text[299] = '\0';
    const char *const long_names[] = {text, "name"};
    ck_assert_str_eq(nearest_name(bytes_of_text("nam"), long_names, 2), "name");
    ck_assert_ptr_eq(nearest_name(bytes_of(text, 64), (const char *const[]){text + 299 - 64}, 1), text + 299 - 64);
}
END_TEST

START_TEST(nearest__takes_the_closest_and_then_the_first)
{
    const char *const close[] = {"payload_max", "payload_min", "payload_mix"};
    ck_assert_str_eq(nearest_name(bytes_of_text("payload_mox"), close, 3), "payload_max");
    ck_assert_str_eq(nearest_name(bytes_of_text("payload_mixx"), close, 3), "payload_mix");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nearest");
    TCase *name = tcase_create("name");
    tcase_add_test(name, nearest__finds_what_a_slip_of_the_hand_meant);
    tcase_add_test(name, nearest__looks_past_case_and_separators);
    tcase_add_test(name, nearest__does_not_guess_another_word);
    tcase_add_test(name, nearest__is_not_overrun_by_long_texts);
    tcase_add_test(name, nearest__takes_the_closest_and_then_the_first);
    suite_add_tcase(suite, name);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
