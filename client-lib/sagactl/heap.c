#include "client-lib/sagactl/heap.h"

#include <stdlib.h>

static void *take(void *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void *take_zeroed(void *self, size_t size)
{
    (void)self;
    return calloc(1, size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    (void)size;
    free(at);
}

const struct memory heap_memory = {.take = take, .take_zeroed = take_zeroed, .give_back = give_back};
