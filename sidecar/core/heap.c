/* heap.c - malloc for the pure rooms, on the account. */
#include "sidecar/core/heap.h"

#include "sidecar/base/account.h"

#include <stdlib.h>

static void *counted(void *at, size_t size)
{
    if (at != NULL)
        account_add(&account.lives, size);
    return at;
}

static void *take(void *self, size_t size)
{
    (void)self;
    return counted(malloc(size), size);
}

static void *take_zeroed(void *self, size_t size)
{
    (void)self;
    return counted(calloc(1, size), size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    account_sub(&account.lives, size);
    free(at);
}

const struct memory heap = {.take = take, .take_zeroed = take_zeroed, .give_back = give_back};
