/* together.c - many tests in one program, which is linked once: it is the one by whose name it is called. tests.mk writes down which are in it. */
#include <stdio.h>
#include <string.h>

#define TEST(name) int main_of_##name(int argc, char **argv);
#include "together.def"
#undef TEST

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } tests[] = {
#define TEST(name) {#name, main_of_##name},
#include "together.def"
    };
    const char *slash = strrchr(argv[0], '/'), *name = slash == NULL ? argv[0] : slash + 1;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strcmp(tests[i].name, name) == 0)
            return tests[i].run(argc, argv);
    fprintf(stderr, "%s is none of the tests in here\n", name);
    return 2;
}
