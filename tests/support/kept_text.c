#include "tests/support/kept_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

bool kept_text_anew;

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
    if (kept_text_anew)
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
