/* relay.h - with several loops: a request that another loop answers, or all of them. relay.c carries it there and back;
 * gather.c makes one answer of many. */
#ifndef SAGA_SHARD_RELAY_H
#define SAGA_SHARD_RELAY_H

#include "sidecar/runtime/loop.h"

/* What one loop was asked, and what it said. */
struct relay_part {
    struct relay *relay;
    struct rpc_ask *ask; /* NULL: not asked, or it has said its last */
    struct bytes body;   /* owned: its answer, or a message that waits for the stream */
    bool waits;
    struct bytes token;     /* owned: List, ListDeadLetters: with which it was asked */
    struct position cursor; /* Watch of all sagas: the last event of its loop that was passed on */
};

struct relay {
    struct request *request;
    struct bytes question; /* owned; of what is asked of the others once loop 0 has agreed */
    unsigned count, open;  /* parts, and those that have not said their last */
    bool all;              /* part k is loop k; else the only part is some loop */
    bool cut;              /* the parts have been cancelled */
    bool failed;           /* the first error that was told: */
    int status;
    char *message;
    struct bytes details;       /* owned, as the message */
    size_t page_size;           /* List, ListDeadLetters */
    struct relay_part *sending; /* whose message the stream is taking */
    struct relay_part parts[];
};

/* ---- gather.c ---- */

/* What is to be asked of loop k in a request to all of them; views the arena. A NULL view with code 0: it is not asked.
 * Returns 0, or an error with which the request is refused. */
int gather_question(struct loop *s, struct relay *relay, const ProtobufCMessage *m, unsigned k, struct bytes *question,
                    struct error_detail *detail);

/* The one answer of a List or ListDeadLetters, and a watcher's message with the cursors of all loops. In the arena;
 * NULL bytes when no memory is left. */
struct bytes gather_answer(struct loop *s, const struct relay *relay);
struct bytes gather_events(struct loop *s, struct relay_part *part, struct bytes message);

#endif
