/* names.h - what names stand for, looked up by a thread of its own: the loop never waits for a name server.
 *
 * The look-up is c-ares', which C core uses itself: /etc/hosts, then the name servers of /etc/resolv.conf with its search list, or the one
 * server that was named. Every look-up ends within NAMES_WAIT_MS. */
#ifndef SAGA_RPC_NAMES_H
#define SAGA_RPC_NAMES_H

#include "sidecar/rpc/inbox.h"

#include <stdint.h>

#define NAMES_WAIT_MS 5000

struct rpc;
struct names;

struct name_address {
    bool six;
    uint8_t bytes[16]; /* 4, or 16 when it is six */
};

enum name_end {
    NAME_FOUND,
    NAME_UNKNOWN, /* whoever knows says that there is no such name, or that it has no address */
    NAME_UNSURE   /* nobody has said anything that could be believed */
};

/* One look-up. The room's thread fills in what is asked and hands it over; it is the names' until it comes back. */
struct name_query {
    struct letter letter;
    const char *host; /* borrowed until it is back */
    const char
        *authority; /* the name server to ask, "address" or "address:port"; "" for those of the system. Likewise. */
    /* When it is back: */
    enum name_end end;
    const char *why;                /* in words, unless it was FOUND */
    struct name_address *addresses; /* to be freed */
    unsigned count;
};

/* Starts the thread. What is back is put into `back`, and r is woken. */
struct names *names_create(struct rpc *r, struct inbox *back);

/* From r's thread; at most one at a time of each query. */
void names_ask(struct names *n, struct name_query *query);

/* Waits for the thread. Queries that are not back are simply the caller's again. Accepts NULL. */
void names_destroy(struct names *n);

#endif
