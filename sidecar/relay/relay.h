/* relay.h - with several loops: a request that another loop answers, or all of them, is asked there, and what they say is passed on. It
 * stands before the api of its loop, to which it hands the rest; with one loop that is all. */
#ifndef SAGA_RELAY_RELAY_H
#define SAGA_RELAY_RELAY_H

#include "sidecar/api/api.h"

struct relay;

/* Borrowed for the relay's life. */
struct relay_options {
    struct api *api;
    struct rpc *rpc;
    struct rpc *const *rooms; /* of every loop, by its index */
    unsigned loop, loops;     /* which of how many this one is */
    const struct tags *tags;  /* whose ids are whose */
    /* The last frame that a loop has made durable; from any thread. */
    uint64_t (*durable_frame)(void *self, unsigned loop);
    void *self;
};

/* Returns 0 or E_MEMORY. */
int relay_create(const struct relay_options *options, struct relay **out);
/* Accepts NULL. */
void relay_destroy(struct relay *relay);

/* As of rpc_callbacks. */
void relay_message(struct relay *relay, struct rpc_call *call, struct bytes message);
void relay_cancelled(struct relay *relay, struct rpc_call *call);
void relay_sent(struct relay *relay, struct rpc_call *call);

#endif
