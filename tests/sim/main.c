/* main.c - what the simulator is asked to do. */
#include "tests/sim/sim.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>

static const char usage[] = "usage: sim seed N            replay one seed, one line an event\n"
                            "       sim many N [FROM]     N seeds from FROM (1)\n"
                            "       sim smoke N           the same, and every named mark must be reached\n"
                            "       sim hash N [FROM]     the hash of each seed's trace\n"
                            "       sim soak [FROM]       until stopped\n"
                            "       sim exhaust [SHAPE]   every outcome of every call, times an end at every boundary\n"
                            "       sim choices SHAPE D.. one of those again, an event a line\n"
                            "       sim memory N          each allocation of the core refused in turn, in N worlds\n"
                            "exit: 0 nothing found, 2 usage, 3 crash, 4 safety, 5 liveness, 6 a mark was not reached\n";

#ifdef SAGA_DEFECTS
#include "sidecar/base/defect.h"

int saga_defect;

/* The number of a planted defect, or 0. */
static int defect_named(const char *name)
{
#define DEFECT_NAME(name) #name,
    static const char *const names[] = {"", DEFECT_TABLE(DEFECT_NAME)};
    for (int i = 1; i < DEFECT_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}
#endif

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(const struct totals *t, double took)
{
    printf("sim: %llu worlds, %llu events, %llu sagas ended, %llu calls, %llu records, %llu faults, %llu ends of the "
           "sidecar, "
           "in %.1f s: %.0f worlds/s, %.0f events/s, %.0f sagas/s\n",
           (unsigned long long)t->seeds, (unsigned long long)t->events, (unsigned long long)t->sagas,
           (unsigned long long)t->calls, (unsigned long long)t->records, (unsigned long long)t->faults,
           (unsigned long long)t->crashes, took, (double)t->seeds / took, (double)t->events / took,
           (double)t->sagas / took);
}

static uint64_t run_one(uint64_t seed, struct totals *totals)
{
    struct run run = {.seed = seed};
    world_run(&run, totals);
    return run.hash;
}

int main(int argc, char **argv)
{
    static struct totals totals;
    const char *what = argc > 1 ? argv[1] : "";
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t from = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    struct run run = {.seed = n, .print = true};
    double began = seconds();
    /* Worlds are many and short: what one gives back is for the next, and not for the system, which would clear it page by page. */
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TOP_PAD, 16 << 20);
#ifdef SAGA_DEFECTS
    const char *name = getenv("SIM_DEFECT");
    saga_defect = name == NULL ? 0 : defect_named(name);
    if (name != NULL && saga_defect == 0) {
        fprintf(stderr, "sim: no defect is called %s\n", name);
        return EXIT_USAGE;
    }
#endif
    if (strcmp(what, "seed") == 0 && argc == 3) {
        world_run(&run, &totals);
        printf("sim: seed %llu, commit %s, hash %016llx\n", (unsigned long long)n, build_commit(),
               (unsigned long long)run.hash);
    } else if ((strcmp(what, "many") == 0 || strcmp(what, "smoke") == 0) && n > 0) {
        for (uint64_t seed = from; seed < from + n; seed++)
            run_one(seed, &totals);
        tell(&totals, seconds() - began);
        if (strcmp(what, "smoke") == 0 && marks_report(&totals) > 0)
            return EXIT_UNREACHED;
    } else if (strcmp(what, "hash") == 0 && n > 0) {
        for (uint64_t seed = from; seed < from + n; seed++) {
            uint64_t hash = run_one(seed, &totals);
            printf("%llu %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
        }
    } else if (strcmp(what, "soak") == 0) {
        for (uint64_t seed = n > 0 ? n : (uint64_t)time(NULL);; seed++) {
            run_one(seed, &totals);
            if (totals.seeds % 10000 == 0)
                tell(&totals, seconds() - began);
        }
    } else if (strcmp(what, "exhaust") == 0 && n < SHAPE_COUNT) {
        uint64_t runs = exhaust_run(&totals, argc > 2 ? (int)n : -1);
        printf("sim: exhaustive: %llu runs\n", (unsigned long long)runs);
        tell(&totals, seconds() - began);
    } else if (strcmp(what, "choices") == 0 && argc > 2 && n < SHAPE_COUNT) {
        unsigned digits[SCRIPT_MAX], count = 0;
        for (int i = 3; i < argc && count < SCRIPT_MAX; i++)
            digits[count++] = (unsigned)strtoul(argv[i], NULL, 10);
        exhaust_replay(&totals, (unsigned)n, digits, count);
    } else if (strcmp(what, "memory") == 0 && n > 0) {
        uint64_t runs = exhaust_memory(&totals, n);
        printf("sim: each allocation of the core refused in turn: %llu runs\n", (unsigned long long)runs);
        tell(&totals, seconds() - began);
    } else {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return EXIT_SAFE;
}
