/* between.c - reads the document whole, and writes it again with the part replaced. */
#include "tests/support/between.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT_SIZE 1048576

static int fail(const char *tool, const char *path, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", tool, path, what);
    return EXIT_FAILURE;
}

int between_replace(const char *tool, const char *path, const char *begin, const char *end, void (*write)(FILE *out))
{
    static char text[DOCUMENT_SIZE];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return fail(tool, path, "cannot be read");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *first = strstr(text, begin), *last = strstr(text, end);
    if (first == NULL || last == NULL || last < first)
        return fail(tool, path, "has not the two lines between which it is to be written");
    file = fopen(path, "w");
    if (file == NULL)
        return fail(tool, path, "cannot be written");
    fprintf(file, "%.*s%s", (int)(first - text), text, begin);
    write(file);
    fputs(last, file);
    return fclose(file) == 0 ? EXIT_SUCCESS : fail(tool, path, "cannot be written");
}
