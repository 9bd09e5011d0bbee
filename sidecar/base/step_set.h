/* step_set.h - a set of step indices of one definition. */
#ifndef SAGA_BASE_STEP_SET_H
#define SAGA_BASE_STEP_SET_H

#include <stdbool.h>
#include <stdint.h>

/* The most steps that any saga can have; steps_max in sagad.yaml may say less. */
#define STEPS_LIMIT 256

struct step_set {
    uint64_t words[STEPS_LIMIT / 64];
};

static inline void step_set_add(struct step_set *s, unsigned step)
{
    s->words[step / 64] |= UINT64_C(1) << step % 64;
}

static inline bool step_set_has(const struct step_set *s, unsigned step)
{
    return (s->words[step / 64] >> step % 64 & 1) != 0;
}

static inline void step_set_add_all(struct step_set *s, const struct step_set *more)
{
    for (unsigned i = 0; i < STEPS_LIMIT / 64; i++)
        s->words[i] |= more->words[i];
}

/* True when they have a member in common. */
static inline bool step_set_meets(const struct step_set *a, const struct step_set *b)
{
    for (unsigned i = 0; i < STEPS_LIMIT / 64; i++)
        if ((a->words[i] & b->words[i]) != 0)
            return true;
    return false;
}

/* True when every member of s is in whole. */
static inline bool step_set_within(const struct step_set *s, const struct step_set *whole)
{
    for (unsigned i = 0; i < STEPS_LIMIT / 64; i++)
        if ((s->words[i] & ~whole->words[i]) != 0)
            return false;
    return true;
}

#endif
