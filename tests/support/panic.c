/* panic.c - how a test ends when an expectation of the code under it does not hold. */
#include "sidecar/base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void saga_panic(const char *file, int line, const char *expectation)
{
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, expectation);
    abort();
}
