/* otlp_queue.c - a batch that grows behind a lock. */
#include "sidecar/observe/otlp_queue.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"

#include <pthread.h>
#include <stdlib.h>

struct otlp_queue {
    pthread_mutex_t lock;
    size_t bytes_max;
    struct otlp_batch queued;
    uint64_t dropped;
};

int otlp_queue_create(size_t bytes_max, struct otlp_queue **out)
{
    struct otlp_queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return E_MEMORY;
    q->bytes_max = bytes_max;
    CHECK(pthread_mutex_init(&q->lock, NULL) == 0);
    *out = q;
    return 0;
}

void otlp_queue_destroy(struct otlp_queue *q)
{
    if (q == NULL)
        return;
    pthread_mutex_destroy(&q->lock);
    free(q->queued.at);
    free(q);
}

bool otlp_queue_add(struct otlp_queue *q, const ProtobufCMessage *item)
{
    pthread_mutex_lock(&q->lock);
    bool added = otlp_batch_add(&q->queued, item, q->bytes_max);
    q->dropped += !added;
    pthread_mutex_unlock(&q->lock);
    return added;
}

bool otlp_queue_add_small(struct otlp_queue *q, const ProtobufCMessage *item, size_t most)
{
    pthread_mutex_lock(&q->lock);
    bool added = otlp_batch_add_small(&q->queued, item, most, q->bytes_max);
    q->dropped += !added;
    pthread_mutex_unlock(&q->lock);
    return added;
}

void otlp_queue_take(struct otlp_queue *q, struct otlp_batch *batch)
{
    CHECK(batch->size == 0 && batch->count == 0);
    pthread_mutex_lock(&q->lock);
    struct otlp_batch queued = q->queued;
    q->queued = *batch;
    pthread_mutex_unlock(&q->lock);
    *batch = queued;
}

uint64_t otlp_queue_dropped(struct otlp_queue *q)
{
    pthread_mutex_lock(&q->lock);
    uint64_t dropped = q->dropped;
    q->dropped = 0;
    pthread_mutex_unlock(&q->lock);
    return dropped;
}
