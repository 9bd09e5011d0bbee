/* forked.c - counts forks, and remembers where C core was used first. */
#include "client-lib/src/forked.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint forks;
static atomic_uint used_at; /* forks at the first use, plus 1; 0: not used yet */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

bool forked_since(unsigned generation)
{
    return generation != atomic_load_explicit(&forks, memory_order_relaxed);
}

int forked_begin(unsigned *generation, struct saga_error *error)
{
    pthread_once(&once, watch_forks);
    *generation = atomic_load(&forks);
    unsigned first = 0;
    if (!atomic_compare_exchange_strong(&used_at, &first, *generation + 1) && first != *generation + 1)
        return saga_error_set(
            error, SAGA_E_FAILED_PRECONDITION, SAGA_REASON_FORKED, NULL,
            "this process was forked from one that had opened a client or participant; fork before the "
            "first is opened, or exec");
    return SAGA_OK;
}

int forked_error(struct saga_error *error)
{
    return saga_error_set(error, SAGA_E_FAILED_PRECONDITION, SAGA_REASON_FORKED, NULL,
                          "it was opened before fork(); fork before the first is opened, or exec");
}
