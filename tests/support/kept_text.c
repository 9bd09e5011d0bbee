#include "tests/support/kept_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

void kept_text_compare(const char *path, void (*put)(FILE *out))
{
    char *now = NULL, line[4096];
    size_t size = 0;
    unsigned number = 0;
    FILE *out = open_memstream(&now, &size), *kept = fopen(path, "r");
    ck_assert_msg(out != NULL && kept != NULL, "%s", path);
    put(out);
    ck_assert_int_eq(fclose(out), 0);
    const char *at = now;
    for (; fgets(line, sizeof line, kept) != NULL; at += strlen(line)) {
        number++;
        ck_assert_msg(strncmp(at, line, strlen(line)) == 0, "%s:%u: was\n%.500sand is\n%.500s", path, number, line, at);
    }
    ck_assert_msg(*at == '\0', "%s: there is more than before: %.500s", path, at);
    fclose(kept);
    free(now);
}

int kept_text_write(const char *path, void (*put)(FILE *out))
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return EXIT_FAILURE;
    put(out);
    return fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
