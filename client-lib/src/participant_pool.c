/* participant_pool.c - the threads that run functions, and the queue before them. */
#include "client-lib/src/participant_server.h"

#include <signal.h>
#include <stdlib.h>

static struct served *pool_pop(struct participant_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->first == NULL && !pool->ending)
        pthread_cond_wait(&pool->filled, &pool->mutex);
    struct served *s = pool->first;
    if (s != NULL) {
        pool->busy++;
        pool->first = s->next;
        if (pool->first == NULL)
            pool->last = NULL;
    }
    pthread_mutex_unlock(&pool->mutex);
    return s;
}

static void answer_stopping(struct served *s)
{
    served_answer(s, SAGA_E_UNAVAILABLE, "the participant is stopping; the call was not carried out");
}

/* Among those that run; false when nothing is begun any more. */
static bool enter(saga_participant *p, struct served *s)
{
    struct participant_pool *pool = &p->pool;
    pthread_mutex_lock(&pool->mutex);
    bool refusing = atomic_load(&p->refusing);
    if (!refusing) {
        s->previous = NULL;
        s->next = pool->running;
        if (s->next != NULL)
            s->next->previous = s;
        pool->running = s;
    }
    pthread_mutex_unlock(&pool->mutex);
    return !refusing;
}

static void leave(struct participant_pool *pool, struct served *s)
{
    pthread_mutex_lock(&pool->mutex);
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        pool->running = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    pthread_mutex_unlock(&pool->mutex);
}

/* A call that nobody waits for any more is not carried out: the caller counts it as unknown either way, and has less to undo. */
static void run_one(saga_participant *p, struct served *s)
{
    if (saga_call_time_left_ms(&s->call) == 0) {
        served_answer(s, SAGA_E_DEADLINE_EXCEEDED, "the deadline passed before the call was carried out");
    } else if (saga_call_cancelled(&s->call)) {
        served_answer(s, SAGA_E_CANCELLED, "the call was cancelled before it was carried out");
    } else if (!enter(p, s)) {
        answer_stopping(s);
    } else {
        int status = call_status(s->method->function(&s->call, s->method->user));
        s->ran = true;
        leave(&p->pool, s);
        served_answer(s, status, s->call.message);
    }
}

static void *pool_thread(void *argument)
{
    saga_participant *p = argument;
    struct served *s;
    while ((s = pool_pop(&p->pool)) != NULL) {
        run_one(p, s);
        pthread_mutex_lock(&p->pool.mutex);
        if (--p->pool.busy == 0)
            pthread_cond_broadcast(&p->pool.idle);
        pthread_mutex_unlock(&p->pool.mutex);
    }
    return NULL;
}

void participant_pool_push(saga_participant *p, struct served *s)
{
    struct participant_pool *pool = &p->pool;
    s->next = NULL;
    pthread_mutex_lock(&pool->mutex);
    if (pool->last != NULL)
        pool->last->next = s;
    else
        pool->first = s;
    pool->last = s;
    pthread_cond_signal(&pool->filled);
    pthread_mutex_unlock(&pool->mutex);
}

void participant_pool_refuse(saga_participant *p)
{
    struct participant_pool *pool = &p->pool;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&p->refusing, true);
    for (struct served *s = pool->running; s != NULL; s = s->next)
        atomic_store_explicit(&s->call.cancelled, true, memory_order_release);
    struct served *waiting = pool->first;
    pool->first = pool->last = NULL;
    pthread_mutex_unlock(&pool->mutex);
    while (waiting != NULL) {
        struct served *s = waiting;
        waiting = s->next; /* once answered it is the server thread's */
        answer_stopping(s);
    }
}

void participant_pool_await_idle(saga_participant *p)
{
    struct participant_pool *pool = &p->pool;
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0 || pool->first != NULL)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

int participant_pool_start(saga_participant *p, struct saga_error *error)
{
    struct participant_pool *pool = &p->pool;
    pool->ending = false;
    pool->threads = calloc(p->options.threads, sizeof *pool->threads);
    if (pool->threads == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);

    /* Signals are the program's business: its own threads take them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pool->thread_count = 0; pool->thread_count < p->options.threads; pool->thread_count++)
        if (pthread_create(&pool->threads[pool->thread_count], NULL, pool_thread, p) != 0)
            break;
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (pool->thread_count == p->options.threads)
        return SAGA_OK;
    participant_pool_stop(p);
    return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_SYSTEM, "threads",
                          "the operating system gives no more threads");
}

void participant_pool_stop(saga_participant *p)
{
    struct participant_pool *pool = &p->pool;
    pthread_mutex_lock(&pool->mutex);
    pool->ending = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    free(pool->threads);
    pool->threads = NULL;
    pool->thread_count = 0;
}
