/* counted_memory.h - memory that knows how much of it is out, and gives none when it is told so: what a room takes and gives back agrees to the byte. */
#ifndef SAGA_TESTS_COUNTED_MEMORY_H
#define SAGA_TESTS_COUNTED_MEMORY_H

#include "sidecar/base/memory.h"

#include <stdbool.h>
#include <stdlib.h>

struct counted_memory {
    size_t bytes, blocks;
    bool refuses;
};

static inline void *counted_take_zeroed(void *self, size_t size)
{
    struct counted_memory *c = self;
    if (c->refuses)
        return NULL;
    c->bytes += size;
    c->blocks++;
    return calloc(1, size);
}

static inline void *counted_take(void *self, size_t size)
{
    unsigned char *at = counted_take_zeroed(self, size);
    for (size_t i = 0; at != NULL && i < size; i++)
        at[i] = 0xa5;
    return at;
}

static inline void counted_give_back(void *self, void *at, size_t size)
{
    struct counted_memory *c = self;
    c->bytes -= size;
    c->blocks--;
    free(at);
}

static inline struct memory counted_memory(struct counted_memory *c)
{
    return (struct memory){
        .take = counted_take, .take_zeroed = counted_take_zeroed, .give_back = counted_give_back, .self = c};
}

#endif
