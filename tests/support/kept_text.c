#include "tests/support/kept_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool anew;

static void write_anew(const char *path, const char *text)
{
    FILE *kept = fopen(path, "w");
    ck_assert_msg(kept != NULL, "%s", path);
    ck_assert_int_ge(fputs(text, kept), 0);
    ck_assert_int_eq(fclose(kept), 0);
}

void kept_text_compare(const char *path, void (*put)(FILE *out))
{
    char *now = NULL, line[4096];
    size_t size = 0;
    unsigned number = 0;
    FILE *out = open_memstream(&now, &size);
    ck_assert_ptr_nonnull(out);
    put(out);
    ck_assert_int_eq(fclose(out), 0);
    if (anew)
        write_anew(path, now);
    FILE *kept = fopen(path, "r");
    ck_assert_msg(kept != NULL, "%s", path);
    const char *at = now;
    for (; fgets(line, sizeof line, kept) != NULL; at += strlen(line)) {
        number++;
        if (strncmp(at, line, strlen(line)) != 0)
            ck_abort_msg("%s:%u: was\n%.500sand is\n%.500s", path, number, line, at);
    }
    ck_assert_msg(*at == '\0', "%s: there is more than before: %.500s", path, at);
    fclose(kept);
    free(now);
}

void kept_text_play(const char *path, FILE *out, const struct kept_script *script)
{
    char text[256];
    unsigned played = 0;
    FILE *scripts = fopen(path, "r");
    ck_assert_msg(scripts != NULL, "%s", path);
    script->begin();
    while (fgets(text, sizeof text, scripts) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '=') {
            script->finish(text);
            script->begin();
        }
        if (text[0] == '=' || text[0] == '>')
            fprintf(out, "%s\n", text);
        if (text[0] != '>')
            continue;
        script->happens(text + 2);
        played++;
    }
    script->finish("the end");
    fclose(scripts);
    ck_assert_uint_gt(played, 0);
}

int kept_text_run(int argc, char **argv, const char *name, const TTest *test)
{
    anew = argc == 2 && strcmp(argv[1], "write") == 0;
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
