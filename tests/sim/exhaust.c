/* exhaust.c - small scope, all of it: a chain of three steps, with and without a pivot, a diamond in both orders of undo, a loop of two before a
 * step, a step that is skipped before the pivot, and a pivot that is a loop of two, of which a person tells what did not happen; every outcome of
 * every call (ok, rejected, timed out executed, timed out not executed) times an end of the sidecar at every boundary of an effect. */
#include "tests/sim/sim.h"

/* The next run's choices: the last digit that can grow does, and what came after it is forgotten. */
static bool advance_script(struct script *s)
{
    s->length = s->used;
    while (s->length > 0 && s->digits[s->length - 1] + 1 == s->bases[s->length - 1])
        s->length--;
    if (s->length == 0)
        return false;
    s->digits[s->length - 1]++;
    return true;
}

void exhaust_replay(struct totals *totals, unsigned shape, const unsigned *digits, unsigned count)
{
    struct script script = {.shape = (enum shape)shape, .crashes_left = 1};
    for (unsigned i = 0; i < count && i < SCRIPT_MAX; i++)
        script.digits[script.length++] = (uint8_t)digits[i];
    world_run(&(struct run){.script = &script, .print = true}, totals);
}

uint64_t exhaust_run(struct totals *totals, int only)
{
    uint64_t runs = 0;
    unsigned first = only < 0 ? 0 : (unsigned)only, end = only < 0 ? SHAPE_COUNT : first + 1;
    for (unsigned shape = first; shape < end; shape++) {
        struct script script = {.shape = shape};
        do {
            script.used = 0;
            script.crashes_left = 1;
            world_run(&(struct run){.script = &script}, totals);
            runs++;
        } while (advance_script(&script));
    }
    return runs;
}

uint64_t exhaust_memory(struct totals *totals, uint64_t seeds)
{
    uint64_t runs = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct run run = {.seed = seed, .memory_fail_count = 1 + seed % 3};
        do {
            run.memory_fail_at++;
            world_run(&run, totals);
            runs++;
        } while (run.memory_failures > 0);
    }
    return runs;
}
