/* random.c - SplitMix64, after Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014). */
#include "sidecar/base/random.h"

void random_seed(struct random *r, uint64_t seed)
{
    r->state = seed;
}

uint64_t random_next(struct random *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

__extension__ typedef unsigned __int128 wide;

uint64_t random_below(struct random *r, uint64_t bound)
{
    if (bound == 0)
        return 0;
    /* Multiply-shift: the bias is below 2^-32 for the bounds used here (delays and choices far under 2^32). */
    return (uint64_t)(((wide)random_next(r) * bound) >> 64);
}
