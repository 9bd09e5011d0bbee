/* random.h - a small seeded generator (SplitMix64), for jitter and for tests. Not for secrets. The same seed gives the
 * same sequence on every machine. */
#ifndef SAGA_BASE_RANDOM_H
#define SAGA_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

void random_seed(struct random *r, uint64_t seed);

uint64_t random_next(struct random *r);

/* A number in [0, bound); 0 when bound is 0. */
uint64_t random_below(struct random *r, uint64_t bound);

#endif
