/* otlp_queue.h - packed items that wait to be sent to a collector, in bounded bytes: added by any thread, taken out by whoever sends them. What
 * finds the queue full is dropped and counted; nobody waits. */
#ifndef SAGA_OBSERVE_OTLP_QUEUE_H
#define SAGA_OBSERVE_OTLP_QUEUE_H

#include "sidecar/observe/otlp.h"

struct otlp_queue;

/* A queue of at most bytes_max. Gives *out. Returns 0 or E_MEMORY. */
int otlp_queue_create(size_t bytes_max, struct otlp_queue **out);
/* Accepts NULL. */
void otlp_queue_destroy(struct otlp_queue *q);

/* Adds an item. Returns false when it was dropped. */
bool otlp_queue_add(struct otlp_queue *q, const ProtobufCMessage *item);
/* Likewise one that is packed in `most` bytes at most. */
bool otlp_queue_add_small(struct otlp_queue *q, const ProtobufCMessage *item, size_t most);

/* Moves what is queued into the batch, which must be empty, and whose memory the queue goes on with. */
void otlp_queue_take(struct otlp_queue *q, struct otlp_batch *batch);

/* How many were dropped since this was asked last. */
uint64_t otlp_queue_dropped(struct otlp_queue *q);

#endif
