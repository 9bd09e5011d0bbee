/* The configuration in words: every option is printed, and an error tells its place. */
#include "sidecar/config/config_options.h"

#include <check.h>
#include <stdlib.h>

START_TEST(config_print__errors_tell_their_place)
{
    char line[128], little[12];
    struct error_detail d;
    error_set(&d, E_ARGUMENT, "listen[0]", "is wrong");
    d.line = 3;
    d.column = 5;
    ck_assert_uint_eq(config_describe_error("sagad.yaml", E_ARGUMENT, &d, line, sizeof line), strlen(line));
    ck_assert_str_eq(line, "sagad.yaml:3:5: listen[0]: is wrong");
    config_describe_error(NULL, E_ARGUMENT, &d, line, sizeof line);
    ck_assert_str_eq(line, "3:5: listen[0]: is wrong");
    ck_assert_uint_eq(config_describe_error("sagad.yaml", E_ARGUMENT, &d, little, sizeof little), 11);
    ck_assert_str_eq(little, "sagad.yaml:");
    error_set(&d, E_MEMORY, NULL, NULL);
    config_describe_error("f", E_MEMORY, &d, line, sizeof line);
    ck_assert_str_eq(line, "f: no memory is left");
}
END_TEST

START_TEST(config_print__options_are_printed)
{
    char *text = NULL, line[256], fallback[OPTION_DEFAULT_SIZE];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    config_print_options(out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(strncmp(text, "Options of sagad.yaml, with their defaults and bounds.\n\nPlaces\n\n  data", 70),
                     0);
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++) {
        snprintf(line, sizeof line, "\n  %s: %s", config_options[i].name, option_default(&config_options[i], fallback));
        ck_assert_msg(strstr(text, line) != NULL, "%s is not printed", line);
    }
    for (size_t i = 0; i < TARGET_OPTION_COUNT; i++) {
        snprintf(line, sizeof line, "\n  targets.NAME.%s: ", config_target_options[i].name);
        ck_assert_msg(strstr(text, line) != NULL, "%s is not printed", line);
    }
    ck_assert_ptr_nonnull(strstr(text, "\n  payload_bytes_max: 1MiB  # 1KiB to 16MiB\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  log_level: info  # error, warn, info or debug\n"));
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++) { /* what a reload takes says so */
        snprintf(line, sizeof line, "\n  %s: ", config_options[i].name);
        const char *here = strstr(text, line), *next = strstr(here + 1, "\n\n"),
                   *taken = strstr(here, "Taken by a reload");
        ck_assert_msg((taken != NULL && (next == NULL || taken < next)) == config_options[i].reloaded, "%s", line);
    }
    for (const char *start = text, *end; (end = strchr(start, '\n')) != NULL; start = end + 1)
        ck_assert_msg(end - start <= (strncmp(start, "    ", 4) == 0 ? 100 : 160), "a line is long: %.*s",
                      (int)(end - start), start);
    free(text);
}
END_TEST

/* A word that has room stands in the line before. */
START_TEST(config_print__lines_are_filled)
{
    char *text = NULL;
    size_t size, full = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    config_print_options(out);
    ck_assert_int_eq(fclose(out), 0);
    for (const char *line = text, *next; (next = strchr(line, '\n')) != NULL && *++next != '\0'; line = next) {
        size_t width = (size_t)(next - 1 - line), word = strcspn(next + strspn(next, " "), " \n");
        full += width == 100;
        if (strncmp(line, "    ", 4) == 0 && strncmp(next, "    ", 4) == 0 && strncmp(next + 4, "Taken by", 8) != 0)
            ck_assert_msg(width + 1 + word > 100, "has room for %zu more: %.*s", word, (int)width, line);
    }
    ck_assert_uint_gt(full, 0);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_print");
    TCase *words = tcase_create("words");
    tcase_add_test(words, config_print__errors_tell_their_place);
    tcase_add_test(words, config_print__options_are_printed);
    tcase_add_test(words, config_print__lines_are_filled);
    suite_add_tcase(suite, words);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
