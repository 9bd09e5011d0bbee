/* beside.h - for a second reckoning that goes beside a module for many steps: dice, and comparisons that are told of only when they fail, for
 * libcheck takes a system call for each of its own. */
#ifndef SAGA_TESTS_BESIDE_H
#define SAGA_TESTS_BESIDE_H

#include "sidecar/base/random.h"

#include <check.h>
#include <inttypes.h>

#define must(condition) \
    do { \
        if (!(condition)) \
            ck_abort_msg("not so: %s", #condition); \
    } while (0)

/* Of whole numbers. */
#define must_be(is, expected) \
    do { \
        int64_t is_ = (int64_t)(is), expected_ = (int64_t)(expected); \
        if (is_ != expected_) \
            ck_abort_msg("%s is %" PRId64 ", and not %s, %" PRId64, #is, is_, #expected, expected_); \
    } while (0)

static struct random dice = {.state = 4};

/* A number from 0 to below the bound. */
static inline int64_t below(int64_t bound)
{
    return (int64_t)random_below(&dice, (uint64_t)bound);
}

#endif
