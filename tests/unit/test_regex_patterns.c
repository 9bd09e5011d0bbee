/* Every pattern of up to three of some signs, and which of all texts of up to three letters it matches, or which error it is. It is kept in
 * tests/fixtures/expression/patterns.txt; `build/release/tests/unit/test_regex_patterns write` writes that anew, for its difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/regex.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/expression/patterns.txt";
static const char signs[] = "ab*?|()[]^$.-\\";
static const char *const texts[] = {"",    "a",   "b",   "aa",  "ab",  "ba",  "bb", "aaa", "aab",
                                    "aba", "abb", "baa", "bab", "bba", "bbb", "-",  "a-",  "\n"};

static struct pool pool;
static const char *errors[16];

/* As 18 bits, the first text the lowest; or the number of the error, behind an E. */
static void put_pattern(FILE *out, const char *pattern)
{
    struct pool_mark mark = pool_mark(&pool);
    const char *wrong = NULL;
    const struct regex *r = regex_make(bytes_of_text(pattern), &pool, &wrong);
    unsigned matched = 0, error = 0;
    for (unsigned i = 0; r != NULL && i < sizeof texts / sizeof *texts; i++)
        matched |= (unsigned)(regex_matches(r, bytes_of_text(texts[i]), &pool) == 1) << i;
    while (r == NULL && errors[error] != NULL && strcmp(errors[error], wrong) != 0)
        error++;
    if (r != NULL) {
        fprintf(out, " %x", matched);
    } else {
        errors[error] = wrong; /* a constant of its own */
        fprintf(out, " E%u", error);
    }
    pool_rewind(&pool, mark);
}

/* A line for each beginning: what comes of each last sign. */
static void put_all(FILE *out)
{
    pool_init(&pool, &heap, 1 << 20);
    for (size_t i = 0; i < sizeof signs * sizeof signs; i++) {
        char first = signs[i / sizeof signs], second = signs[i % sizeof signs], pattern[4] = {0};
        size_t used = 0;
        if (first != '\0')
            pattern[used++] = first;
        if (second != '\0')
            pattern[used++] = second;
        else if (first == '\0')
            continue;
        fprintf(out, "%s:", pattern);
        for (size_t k = 0; k < sizeof signs; k++) {
            pattern[used] = signs[k];
            put_pattern(out, pattern);
        }
        fprintf(out, "\n");
    }
    for (size_t i = 0; i < sizeof errors / sizeof *errors && errors[i] != NULL; i++)
        fprintf(out, "E%zu: %s\n", i, errors[i]);
    pool_finish(&pool);
}

START_TEST(regex__every_short_pattern_matches_as_it_did)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "regex_patterns", regex__every_short_pattern_matches_as_it_did);
}
