/* docs_options.c - writes what is said of the options in the documents: docs_options sagad.yaml.5 configuration.md
 * The first file is written whole; in the second, what stands between the two lines of config_docs.h is replaced. */
#include "sidecar/config/config_docs.h"
#include "tests/support/between.h"

#include <stdlib.h>

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

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: docs_options sagad.yaml.5 configuration.md\n");
        return EXIT_FAILURE;
    }
    return write_man(argv[1]) != 0 || between_replace("docs_options", argv[2], CONFIG_DOCS_BEGIN, CONFIG_DOCS_END, config_docs_markdown) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
