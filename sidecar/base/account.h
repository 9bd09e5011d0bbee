/* account.h - one account of bytes for the whole process: what lives in memory because somebody asked for it, and what goes out until it has
 * left. What comes in is not here: C core holds that, within a bound of its own (rpc_options.incoming_bytes_max). Any thread. */
#ifndef SAGA_BASE_ACCOUNT_H
#define SAGA_BASE_ACCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct account {
    atomic_size_t max;     /* memory_bytes_max; 0: there is no bound */
    atomic_size_t lives;   /* sagas with their payloads, definitions, requests that wait */
    atomic_size_t leaving; /* messages that have been given to C core, until their send is done */
    atomic_bool pressed;   /* the process as a whole has come to max */
};

extern struct account account;

static inline void account_add(atomic_size_t *counter, size_t size)
{
    atomic_fetch_add_explicit(counter, size, memory_order_relaxed);
}

static inline void account_sub(atomic_size_t *counter, size_t size)
{
    atomic_fetch_sub_explicit(counter, size, memory_order_relaxed);
}

/* Whether there is room for new work: what has begun may grow beyond that. */
bool account_takes_work(void);

/* Whether an answer of size bytes may be given to C core beside those that nobody has read yet. A small one always may: every call has one. */
bool account_takes_answer(size_t size);

/* Whether a request of size bytes may be kept until its turn comes. A small one always may. */
bool account_takes_request(size_t size);

#endif
