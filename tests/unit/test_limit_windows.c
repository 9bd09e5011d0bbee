/* How many calls of a target may be in flight, as is found out from how long they take: for made-up targets the limit after each window, and how long a
 * call takes without load. It is kept in tests/fixtures/resilience/limit.txt; `build/release/tests/unit/test_limit_windows write` writes that anew, for
 * its difference to be read. */
#include "sidecar/resilience/limit.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

/* A target that does so many at once in so long; more wait there. Every one of `refused_every` is refused. */
static const struct target {
    const char *what;
    int at_once, took_us, callers, refused_every;
    uint32_t max;
} targets[] = {
    {"ample", 100, 5000, 100, 0, 64},
    {"of ten at once", 10, 5000, 100, 0, 64},
    {"of one at once", 1, 2000, 100, 0, 64},
    {"asked by three", 10, 5000, 3, 0, 64},
    {"asked by seven", 100, 5000, 7, 0, 64},
    {"that refuses one of eleven", 100, 5000, 100, 11, 64},
    {"that refuses one of ten", 100, 5000, 100, 10, 64},
    {"that refuses one of nine", 100, 5000, 100, 9, 64},
    {"that refuses all", 100, 5000, 100, 1, 64},
    {"slow", 4, 120000, 100, 0, 16},
    {"that answers at once", 100, 0, 100, 0, 5},
};

/* The answer of the oldest call comes; places that are free are taken at once. */
static void put_target(FILE *out, const struct target *t)
{
    struct limit l = {.max = 0};
    int64_t left[1024], free_at[1024] = {0}, back[1024];
    int calls = 0, answers = 0, windows = 0;
    struct instant now = {.us = 1000};
    int64_t base_us = 0;
    uint64_t began = 0;
    limit_set(&l, t->max);
    fprintf(out, "a target %s: first %u,", t->what, limit_places(&l));
    while (windows < 70) {
        while (calls < t->callers && calls < (int)limit_places(&l)) {
            int place = 0;
            for (int i = 1; i < t->at_once; i++)
                place = free_at[i] < free_at[place] ? i : place;
            int64_t begins = free_at[place] > now.us ? free_at[place] : now.us;
            left[calls] = now.us;
            back[calls++] = free_at[place] = begins + t->took_us;
        }
        int first = 0;
        for (int i = 1; i < calls; i++)
            first = back[i] < back[first] ? i : first;
        now.us = back[first] > now.us ? back[first] : now.us + (t->took_us == 0 ? 900 : 0);
        answers++;
        limit_return(&l, (struct instant){.us = left[first]}, now, (uint32_t)calls,
                     t->refused_every > 0 && answers % t->refused_every == 0);
        limit_check(&l);
        calls--;
        left[first] = left[calls];
        back[first] = back[calls];
        if ((uint64_t)l.began_at.us == began || l.count > 0)
            continue;
        began = (uint64_t)l.began_at.us;
        windows++;
        fprintf(out, "%s%.3f", windows % 10 == 0 ? "\n  " : " ", (double)l.thousandths / 1000);
        if (l.probing)
            fprintf(out, " (probes with %u)", limit_places(&l));
        if (l.base_us != base_us)
            fprintf(out, " (alone %" PRId64 "us)", l.base_us);
        base_us = l.base_us;
    }
    limit_set(&l, 3);
    fprintf(out, "\n  at most 3: %u,", limit_places(&l));
    limit_set(&l, 0);
    limit_check(&l);
    limit_return(&l, now, now, 1, true);
    fprintf(out, " unused: %" PRIu64 " %" PRIu64 "\n", l.thousandths, (uint64_t)l.count);
}

static void put_limits(FILE *out)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        put_target(out, &targets[i]);
}

START_TEST(limit__finds_these_places)
{
    kept_text_compare("tests/fixtures/resilience/limit.txt", put_limits);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "limit_windows", limit__finds_these_places);
}
