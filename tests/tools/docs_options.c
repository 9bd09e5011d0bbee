/* docs_options.c - writes what is said of the options in the documents: docs_options sagad.yaml.5 configuration.md
 * The first file is written whole; in the second, what stands between the two lines of config_docs.h is replaced. */
#include "sidecar/config/config_docs.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT_SIZE 1048576

static int fail(const char *path, const char *what)
{
    fprintf(stderr, "docs_options: %s: %s\n", path, what);
    return EXIT_FAILURE;
}

static int write_man(const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return fail(path, "cannot be written");
    config_docs_man(out);
    return fclose(out) == 0 ? 0 : fail(path, "cannot be written");
}

static int replace_tables(const char *path)
{
    static char text[DOCUMENT_SIZE];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return fail(path, "cannot be read");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *begin = strstr(text, CONFIG_DOCS_BEGIN), *end = strstr(text, CONFIG_DOCS_END);
    if (begin == NULL || end == NULL || end < begin)
        return fail(path, "has not the two lines between which the options stand");
    file = fopen(path, "w");
    if (file == NULL)
        return fail(path, "cannot be written");
    fprintf(file, "%.*s%s", (int)(begin - text), text, CONFIG_DOCS_BEGIN);
    config_docs_markdown(file);
    fputs(end, file);
    return fclose(file) == 0 ? 0 : fail(path, "cannot be written");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: docs_options sagad.yaml.5 configuration.md\n");
        return EXIT_FAILURE;
    }
    return write_man(argv[1]) != 0 || replace_tables(argv[2]) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
