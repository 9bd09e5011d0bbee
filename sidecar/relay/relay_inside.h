/* relay_inside.h - what the files of this room share: relay.c carries requests to other loops and answers back, gather.c makes one answer of
 * many. */
#ifndef SAGA_RELAY_RELAY_INSIDE_H
#define SAGA_RELAY_RELAY_INSIDE_H

#include "sidecar/core/arena.h"
#include "sidecar/core/timeline.h"
#include "sidecar/relay/relay.h"

#include "saga/v1/coordinator.pb-c.h"

struct relay {
    struct relay_options options;
    struct arena arena;   /* of the message being handled */
    struct relayed *lost; /* that wait to hear where they belong */
    unsigned lost_count;
};

/* What one loop was asked, and what it said. */
struct relayed_part {
    struct relayed *relayed;
    unsigned place;              /* that was asked */
    struct rpc_ask *ask;         /* NULL: not asked, or it has said its last */
    struct rpc_forward *forward; /* likewise; of another sidecar */
    struct bytes body;           /* owned: its answer, or a message that waits for the stream */
    bool waits;
    struct bytes token;     /* owned; pages: with which it was asked */
    struct position cursor; /* events: the last one of its loop that was passed on */
};

/* A request that other loops answer. */
struct relayed {
    struct request request;
    struct relay *relay;
    struct bytes
        question; /* owned; of what is asked of the others once loop 0 has agreed, or once it is known whom to ask */
    struct relay_key key; /* of one that is lost: views question */
    struct relayed *next_lost;
    unsigned count, open; /* parts, and those that have not said their last */
    bool all;             /* part k is loop k; else the only part is some loop */
    bool cut;             /* the parts have been cancelled */
    bool away;            /* the sidecar that was asked does not answer */
    bool failed;          /* the first error that was told: */
    int status;
    char *message;
    struct bytes details;         /* owned, as the message */
    size_t page_size;             /* pages */
    struct relayed_part *sending; /* whose message the stream is taking */
    struct relayed_part parts[];
};

/* ---- gather.c ---- */

/* What is to be asked of loop k in a request to all of them; views the arena. A NULL view with code 0: it is not asked. Returns 0, or an
 * error with which the request is refused. */
int gather_question(struct relayed *relayed, const ProtobufCMessage *m, unsigned k, struct bytes *question,
                    struct error_detail *detail);

/* The one page of all loops' pages, and a watcher's message with the cursors of all loops. In the arena; NULL bytes when no memory is left. */
struct bytes gather_page(const struct relayed *relayed);
struct bytes gather_events(struct relayed_part *part, struct bytes message);

/* ---- relay.c ---- */
struct relayed *relayed_create(struct relay *relay, struct rpc_call *call, unsigned count);
void relayed_free(struct relayed *relayed);
/* A copy, NULL when there is nothing in it or no memory is left. */
struct bytes relay_copy(struct bytes from);
void relay_ask(struct relayed *relayed, unsigned part, unsigned loop, struct bytes question);
/* Asks another sidecar, as the first part. Returns false when it cannot be called. */
bool relay_forward(struct relayed *relayed, const struct relay_place *to, struct span timeout, struct bytes question);

/* ---- elsewhere.c ---- */
/* Whether the request may belong elsewhere, and by what that is told; key views message. */
bool elsewhere_key(const struct relay *relay, enum method_id id, struct bytes message, struct relay_key *key);
/* Takes such a request. */
void elsewhere_take(struct relay *relay, struct rpc_call *call, struct bytes message);

#endif
