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
    struct arena arena; /* of the message being handled */
};

/* What one loop was asked, and what it said. */
struct relayed_part {
    struct relayed *relayed;
    struct rpc_ask *ask; /* NULL: not asked, or it has said its last */
    struct bytes body;   /* owned: its answer, or a message that waits for the stream */
    bool waits;
    struct bytes token;     /* owned; pages: with which it was asked */
    struct position cursor; /* events: the last one of its loop that was passed on */
};

/* A request that other loops answer. */
struct relayed {
    struct request request;
    struct relay *relay;
    struct bytes question; /* owned; of what is asked of the others once loop 0 has agreed */
    unsigned count, open;  /* parts, and those that have not said their last */
    bool all;              /* part k is loop k; else the only part is some loop */
    bool cut;              /* the parts have been cancelled */
    bool failed;           /* the first error that was told: */
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

#endif
