/* relay_inside.h - what the files of this room share: relay.c carries requests to other loops and answers back, gather.c makes one answer of
 * many, elsewhere.c and fleetwide.c ask other sidecars. */
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
    bool by_journal[METHOD_COUNT]; /* requests that may name a journal of the fleet */
    unsigned wide_count;           /* requests to the whole fleet that are under way */
};

#define RELAY_JOURNAL_SIZE 129
#define RELAY_WHY_SIZE     224

/* A journal of which a request to the whole fleet is asked, and why it is not in the answer. */
struct wide_journal {
    uint64_t id, live;
    char name[RELAY_JOURNAL_SIZE], carrier[RELAY_JOURNAL_SIZE];
    char *address; /* owned */
    int place;     /* as of relay_journal */
    bool done;     /* it has no more to list */
    bool absent;
    int status;
    char why[RELAY_WHY_SIZE];
};

/* A request about the whole fleet, or one of its journals. */
struct wide {
    char journal[RELAY_JOURNAL_SIZE]; /* the one that is asked for; "": all */
    bool acts;                        /* the first decides whether the others are asked */
    struct instant until;
    unsigned next, answered;       /* the part that is asked next; those that had an answer */
    size_t bytes;                  /* of answers, on the account */
    struct wide_journal *journals; /* one a part; NULL: it is not known yet whom to ask */
    unsigned count;
};

/* What one loop was asked, and what it said. */
struct relayed_part {
    struct relayed *relayed;
    unsigned place;              /* that was asked */
    struct rpc_ask *ask;         /* NULL: not asked, or it has said its last */
    struct rpc_forward *forward; /* likewise; of another sidecar */
    struct bytes body;           /* owned: its answer, or a message that waits for the stream */
    bool waits;
    struct bytes token;     /* owned; pages of the whole fleet: with which it was asked */
    struct position cursor; /* events: the last one of its loop that was passed on */
};

/* A request that other loops answer. */
struct relayed {
    struct request request;
    struct relay *relay;
    struct bytes
        question; /* owned; of what is asked of the others once loop 0 has agreed, or once it is known whom to ask */
    struct relay_key key; /* of one that is lost: views question */
    struct instant since; /* likewise */
    struct relayed *next_lost;
    struct wide *wide;    /* owned; of one to the whole fleet, or to a journal by its name (fleetwide.c); else NULL */
    unsigned count, open; /* parts, and those that have not said their last */
    bool all;             /* part k is loop k; else, unless wide, the only part is some loop */
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

/* The page of one loop, or journal, and how far it has been taken. */
struct page {
    Saga__V1__Saga **sagas;
    size_t count, taken;
    const char *next; /* "": it is the last */
};

/* What stands for a part that has no more to list. */
#define GATHER_NO_MORE "-"
/* Where the next page of this part begins, or GATHER_NO_MORE. */
const char *gather_token(struct arena *a, const struct page *page, bool newest_first);

/* Where in a message the field of this name lies; and so it is made a list of so many. */
void *gather_field(const ProtobufCMessage *m, const char *name);
bool gather_has_field(const ProtobufCMessageDescriptor *type, const char *name);
/* The messages of a list. */
void *gather_list(const ProtobufCMessage *m, const char *name, size_t *count);
void gather_set_list(ProtobufCMessage *m, const char *name, const void *all, size_t count);

/* The one page of all loops' pages, and a watcher's message with the cursors of all loops. In the arena; NULL bytes when no memory is left. */
struct bytes gather_page(const struct relayed *relayed);
struct bytes gather_events(struct relayed_part *part, struct bytes message);

/* ---- relay.c ---- */
struct relayed *relayed_create(struct relay *relay, struct rpc_call *call, unsigned count);
void relayed_free(struct relayed *relayed);
/* A copy, NULL when there is nothing in it or no memory is left. */
struct bytes relay_copy(struct bytes from);
void relay_ask(struct relayed *relayed, unsigned part, unsigned loop, struct bytes question);
/* Asks another sidecar. Returns false when it cannot be called. */
bool relay_forward(struct relayed *relayed, unsigned part, const struct relay_place *to, struct span timeout,
                   struct bytes question);
/* Keeps the first error, and lets the other parts go. */
void relay_fail(struct relayed *relayed, const struct rpc_told *told);
bool relay_is_pages(enum method_id method);

/* ---- elsewhere.c ---- */
/* Whether the request may belong elsewhere, and by what that is told; key views message. */
bool elsewhere_key(const struct relay *relay, enum method_id id, struct bytes message, struct relay_key *key);
/* Takes such a request. */
void elsewhere_take(struct relay *relay, struct rpc_call *call, struct bytes message);
/* Refuses, of a guest, a request by which a saga may begin and which lay too long since the home loop sent it. Returns whether it did. */
bool elsewhere_refuses(struct relay *relay, struct rpc_call *call);
/* It waits until those who know have been asked; and has it wait, or go its way. Refuses what is one too many. */
struct relayed *elsewhere_wait(struct relay *relay, struct rpc_call *call, struct bytes message);
void elsewhere_try(struct relayed *relayed);
/* Ends it with an error. */
void elsewhere_refuse(struct relayed *relayed, int code, const struct error_detail *detail);

/* ---- fleetwide.c ---- */
/* Takes a request that is about the whole fleet, or one of its journals. Returns false when it is about neither. */
bool fleetwide_take(struct relay *relay, struct rpc_call *call, struct bytes message);
/* Of one that waits: 0 when it has gone its way (relayed is gone, or asks), STORE_PENDING, or with what it is to be refused. */
int fleetwide_try(struct relayed *relayed, struct error_detail *detail);
/* A part has ended. */
void fleetwide_end(struct relayed_part *part, const struct rpc_told *told);
void fleetwide_free(struct relayed *relayed);

/* ---- fleetwide_answer.c ---- */
/* Lies in the arena; NULL bytes when no memory is left. */
struct bytes fleetwide_answer(const struct relayed *relayed);
/* Where the next page begins, and who is not in it. NULL, false: no memory is left. */
char *fleetwide_token(const struct relayed *relayed, const struct page *pages, bool newest_first);
bool fleetwide_tell_absent(const struct relayed *relayed, ProtobufCMessage *response);

#endif
