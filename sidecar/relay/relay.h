/* relay.h - with several loops: a request that another loop answers, or all of them, is asked there, and what they say is passed on. It
 * stands before the api of its loop, to which it hands the rest; with one loop that is all. */
#ifndef SAGA_RELAY_RELAY_H
#define SAGA_RELAY_RELAY_H

#include "sidecar/api/api.h"
#include "sidecar/shard/tags.h"

struct relay;

/* What tells where a request belongs: the tag of its saga's id, or its request_id. */
struct relay_key {
    uint64_t tag;
    struct bytes request_id; /* empty: it goes by the tag */
    bool claims;             /* a saga may begin by it */
};

struct relay_place {
    unsigned place;      /* among those here, when address is NULL */
    const char *address; /* else where the other sidecar is reached; a view until the next find */
    const struct transport_credentials *credentials;
};

/* A journal of the fleet. Views until the relay asks again. */
struct relay_journal {
    uint64_t id; /* in the database; it stays what it is */
    const char *name, *carrier, *address;
    uint64_t live;
    bool held;     /* its lease goes on */
    bool given_up; /* in order: live is right */
    int place;     /* among those here; -1: it is elsewhere, or nowhere */
};

/* As many as are asked at once about the whole fleet. */
#define RELAY_JOURNALS_MAX 1024

/* Borrowed for the relay's life. */
struct relay_options {
    struct api *api;
    struct rpc *rpc;
    struct rpc *const *rooms; /* of every loop, by its index; then of guests, NULL where there is none */
    unsigned loop, loops;     /* which of how many loops this one is */
    const unsigned *places;   /* how many loops there are, and places of guests; 1: there is nobody to ask */
    /* So many asks more (or less, negative) are under way in this place. */
    void (*asked)(void *self, unsigned place, int change);
    const struct tags *tags; /* whose ids are whose */
    /* The last frame that a loop has made durable; from any thread. */
    uint64_t (*durable_frame)(void *self, unsigned loop);
    /* In a fleet: where what has no place here belongs. Returns 0, STORE_PENDING to be asked again in a later turn, or why nobody can be asked. NULL:
     * all that there is has its place here. */
    int (*find)(void *self, const struct relay_key *key, struct relay_place *out, struct error_detail *detail);
    /* Likewise all journals of the fleet, RELAY_JOURNALS_MAX and one at most; how their sidecars are called; and that a journal which nobody has be
     * taken over for a moment. */
    int (*journals)(void *self, const struct relay_journal **out, unsigned *count, struct error_detail *detail);
    const struct transport_credentials *(*credentials)(void *self);
    void (*wish)(void *self, const char *journal);
    struct instant (*now)(void *self);
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

/* Once a turn: what waits to hear where it belongs. */
void relay_turn(struct relay *relay);

#endif
