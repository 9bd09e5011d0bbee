/* memory.h - the allocator that pure rooms are handed, so that they own no heap of their own and a test can make
 * the Nth allocation fail. */
#ifndef SAGA_BASE_MEMORY_H
#define SAGA_BASE_MEMORY_H

#include <stddef.h>

struct memory {
    /* Gives size bytes aligned for any type, not zeroed, or NULL. size is never 0. */
    void *(*take)(void *self, size_t size);
    /* The same, all zero: for large tables that are touched little by little. */
    void *(*take_zeroed)(void *self, size_t size);
    /* Takes back what the two above gave; size is what was asked for. at is never NULL. */
    void (*give_back)(void *self, void *at, size_t size);
    void *self;
};

static inline void *memory_take(const struct memory *m, size_t size)
{
    return m->take(m->self, size);
}

/* Accepts NULL. */
static inline void memory_give_back(const struct memory *m, void *at, size_t size)
{
    if (at != NULL)
        m->give_back(m->self, at, size);
}

#endif
