/* graph.c - the steps as a directed graph. There are at most STEPS_LIMIT of them, so plain passes over all are quick
 * enough. */
#include "sidecar/definition/graph.h"

#include "sidecar/base/check.h"

/* A step that `step` waits for and that is not in order yet. Some step is: the caller knows that `step` cannot be
 * ordered. */
static uint16_t open_dependency(const struct definition *d, const struct step_set *ordered, uint16_t step)
{
    uint16_t i = 0;
    while (!step_set_has(&d->steps[step].after, i) || step_set_has(ordered, i)) {
        i++;
        CHECK(i < d->step_count);
    }
    return i;
}

/* Walks from one step that cannot be ordered to the next, until one comes again: from there on it is a circle. */
static void find_circle(const struct definition *d, const struct step_set *ordered, uint16_t circle[STEPS_LIMIT],
                        size_t *size)
{
    struct step_set seen = {{0}};
    uint16_t step = 0;
    while (step_set_has(ordered, step))
        step++;
    for (; !step_set_has(&seen, step); step = open_dependency(d, ordered, step))
        step_set_add(&seen, step);
    *size = 0;
    uint16_t first = step;
    do {
        circle[(*size)++] = step;
        step = open_dependency(d, ordered, step);
    } while (step != first);
}

bool graph_order(struct definition *d, uint16_t circle[STEPS_LIMIT], size_t *size)
{
    struct step_set ordered = {{0}};
    unsigned count = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (uint16_t i = 0; i < d->step_count; i++) {
            struct step_spec *step = &d->steps[i];
            if (step_set_has(&ordered, i) || !step_set_within(&step->after, &ordered))
                continue;
            step->ancestors = step->after;
            for (uint16_t j = 0; j < d->step_count; j++)
                if (step_set_has(&step->after, j))
                    step_set_add_all(&step->ancestors, &d->steps[j].ancestors);
            step_set_add(&ordered, i);
            count++;
            moved = true;
        }
    }
    if (count == d->step_count)
        return true;
    find_circle(d, &ordered, circle, size);
    return false;
}

int graph_beside_pivot(const struct definition *d)
{
    for (int i = 0; d->pivot_step >= 0 && i < d->step_count; i++)
        if (i != d->pivot_step && !step_set_has(&d->steps[i].ancestors, (unsigned)d->pivot_step) &&
            !step_set_has(&d->steps[d->pivot_step].ancestors, (unsigned)i))
            return i;
    return -1;
}
