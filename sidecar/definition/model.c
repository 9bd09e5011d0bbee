/* model.c - looking things up in a definition. */
#include "sidecar/definition/model.h"

int definition_step_find(const struct definition *d, struct bytes name)
{
    for (unsigned i = 0; i < d->step_count; i++)
        if (bytes_equal(bytes_of_text(d->steps[i].name), name))
            return (int)i;
    return -1;
}
