/* model.c - looking things up in a definition. */
#include "sidecar/definition/model.h"

int definition_step_find(const struct definition *d, struct bytes name)
{
    for (unsigned i = 0; i < d->step_count; i++)
        if (bytes_equal(bytes_of_text(d->steps[i].name), name))
            return (int)i;
    return -1;
}

bool definition_step_forward_only(const struct definition *d, unsigned step)
{
    return d->forward_only || (d->pivot_step >= 0 && step_set_has(&d->steps[step].ancestors, (unsigned)d->pivot_step));
}
