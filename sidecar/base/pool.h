/* pool.h - memory that is taken piece by piece and given back at once, within a bound. Pure: it takes its blocks through struct memory.
 * One owner, no locks. */
#ifndef SAGA_BASE_POOL_H
#define SAGA_BASE_POOL_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/memory.h"

#include <stdbool.h>

struct pool_block;

/* Embedded by its owner. Nothing is taken before the first pool_take. */
struct pool {
    const struct memory *memory; /* borrowed for the pool's life */
    size_t bytes_max;            /* of all its blocks together */
    size_t bytes;                /* that its blocks hold now */
    bool starved;                /* memory itself had none to give; its owner may reset it */
    struct pool_block *newest;
};

/* Where a pool stood. */
struct pool_mark {
    struct pool_block *block;
    size_t used;
};

void pool_init(struct pool *p, const struct memory *memory, size_t bytes_max);

/* Gives everything back. The pool may be used again. */
void pool_finish(struct pool *p);

/* size bytes aligned for any type, not zeroed; a view until the pool is rewound behind it or finished. NULL when bytes_max is reached (then
 * pool_is_full) or no memory is left. size may be 0. */
void *pool_take(struct pool *p, size_t size);

/* The same, zeroed: count things of size bytes each. */
void *pool_take_zeroed(struct pool *p, size_t count, size_t size);

/* Makes what pool_take gave size bytes large: in place when it was the last that was taken, else as a copy. at may be NULL with old_size 0. */
void *pool_grow(struct pool *p, void *at, size_t old_size, size_t size);

/* A copy of text with a NUL behind it, which does not count; its at is NULL when there is no room. */
struct bytes pool_copy(struct pool *p, struct bytes text);

/* Whether size more bytes would go over bytes_max: tells a bound from a machine without memory after a NULL. */
bool pool_is_full(const struct pool *p, size_t size);

/* Everything that was taken after the mark is gone. The oldest block stays. */
struct pool_mark pool_mark(const struct pool *p);
void pool_rewind(struct pool *p, struct pool_mark mark);

#endif
