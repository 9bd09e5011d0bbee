/* inbox.h - letters from any thread to one. Putting one in never waits, and so never holds up the loop that writes. */
#ifndef SAGA_RPC_INBOX_H
#define SAGA_RPC_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Embedded, as the first member, in what is sent. */
struct letter {
    struct letter *next;
};

struct inbox {
    _Atomic(struct letter *) newest;
};

static inline void inbox_init(struct inbox *box)
{
    atomic_init(&box->newest, NULL);
}

/* From any thread. Takes letter. */
static inline void inbox_put(struct inbox *box, struct letter *letter)
{
    struct letter *before = atomic_load_explicit(&box->newest, memory_order_relaxed);
    do
        letter->next = before;
    while (!atomic_compare_exchange_weak_explicit(&box->newest, &before, letter, memory_order_release,
                                                  memory_order_relaxed));
}

static inline bool inbox_is_empty(const struct inbox *box)
{
    return atomic_load_explicit(&box->newest, memory_order_relaxed) == NULL;
}

/* The owner's: gives all that there is, linked by next, those of one sender in the order in which it put them in; or
 * NULL. */
static inline struct letter *inbox_take(struct inbox *box)
{
    struct letter *newest = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
    struct letter *oldest = NULL;
    while (newest != NULL) {
        struct letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

#endif
