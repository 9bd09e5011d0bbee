/* watch.h - what a watcher is sent next.
 *
 * A watcher has a cursor and nothing else: what it has not seen yet is read from the journal when its stream has room. So a slow one costs no
 * memory, and there is one way to send, whether it catches up or follows. What one watcher of all sagas is sent, others who stand at the same
 * place are sent too, without being made anew. */
#ifndef SAGA_API_WATCH_H
#define SAGA_API_WATCH_H

#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"

struct backlog;
struct subscription;
struct watch;

/* Someone who waits for a saga, or watches one or all. */
struct subscriber {
    struct request request;
    struct subscription *to; /* NULL: watches every saga */
    struct saga_id saga;
    struct position cursor;  /* of a watcher: the last event that it was sent */
    struct backlog *backlog; /* of a watcher of one saga, while it is far behind */
    bool until_stuck, until_answered; /* of a waiter */
    bool sending;            /* of a watcher: its stream is taking a message */
    bool queued;             /* of a watcher: there may be something for it */
    struct subscriber *ready_next;
    struct subscriber *prev, *next;
};

int watch_create(struct api *api, struct watch **out);
/* Accepts NULL. */
void watch_destroy(struct watch *w);

/* The next message for a watcher whose stream has room: in *message, a view until the next call, with the cursor moved past it. Empty when
 * there is nothing to see before what comes after frame `last_frame`. Returns 0; WATCH_MORE when the time of the turn is used up, or the
 * store is to be asked again; WATCH_END when the saga has ended and all was sent; or an error. */
#define WATCH_MORE STORE_PENDING
#define WATCH_END  2
int watch_next(struct watch *w, struct subscriber *u, uint64_t last_frame, struct bytes *message,
               struct error_detail *detail);

/* Lets go of what is kept for a watcher that leaves. */
void watch_forget(struct subscriber *u);

#endif
