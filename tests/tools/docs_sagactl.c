/* docs_sagactl.c - writes commands, options and exit statuses into the manual page: docs_sagactl sagactl.1
 * What stands between the two lines of help.h is replaced. */
#include "client-lib/sagactl/help.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT_SIZE 1048576

static int fail(const char *path, const char *what)
{
    fprintf(stderr, "docs_sagactl: %s: %s\n", path, what);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static char text[DOCUMENT_SIZE];
    if (argc != 2)
        return fail("usage", "docs_sagactl sagactl.1");
    FILE *file = fopen(argv[1], "r");
    if (file == NULL)
        return fail(argv[1], "cannot be read");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *begin = strstr(text, HELP_MAN_BEGIN), *end = strstr(text, HELP_MAN_END);
    if (begin == NULL || end == NULL || end < begin)
        return fail(argv[1], "has not the two lines between which the tables stand");
    file = fopen(argv[1], "w");
    if (file == NULL)
        return fail(argv[1], "cannot be written");
    fprintf(file, "%.*s%s", (int)(begin - text), text, HELP_MAN_BEGIN);
    help_man(file);
    fputs(end, file);
    return fclose(file) == 0 ? EXIT_SUCCESS : fail(argv[1], "cannot be written");
}
