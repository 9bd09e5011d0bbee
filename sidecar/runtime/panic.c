/* panic.c - what the sidecar does when an expectation of its own does not hold: it says so and ends, since the journal is right and the
 * memory may not be. A restart takes up from the journal. */
#include "sidecar/base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void saga_panic(const char *file, int line, const char *expectation)
{
    fprintf(stderr,
            "sagad: %s:%d: %s does not hold. This is a defect of sagad; what was acknowledged is in the journal.\n",
            file, line, expectation);
    abort();
}
