/* client_inside.h - what the files of the client share. Internal to client-lib/src.
 *
 *   client.c           the public face: options, opening, closing; the loop that repeats what got lost
 *   client_build.c     from the public structs to the messages of saga.v1, checked
 *   client_info.c      from the messages of saga.v1 to the public structs; names of numbers
 *   client_sagas.c     register, start, wait, get, cancel
 *   client_snapshot.c  a saga with its steps and timeline
 *   client_watch.c     events, over as many connections as it takes
 *   client_tx.c        enlisted sagas
 *   client_lease.c     the keeper of their leases
 *   async.c ...        the asynchronous half (async_inside.h) */
#ifndef SAGA_CLIENT_INSIDE_H
#define SAGA_CLIENT_INSIDE_H

#include <pthread.h>

#include <saga/async.h>
#include <saga/client.h>

#include "client-lib/src/async_inside.h"
#include "client-lib/src/wire.h"
#include "saga/v1/coordinator.pb-c.h"

#define COORDINATOR "/saga.v1.Coordinator/"

/* An enlisted saga. The client's mutex guards everything but the first five members, which do not change. */
struct action_key {
    struct action_key *next;
    const char *key; /* behind step, in the same memory */
    char step[];
};

struct saga_tx {
    saga_client *client;
    char saga_id[SAGA_ID_SIZE];
    int64_t timeout_ms;
    bool kept;               /* the keeper renews it */
    bool already_started;    /* its request_id was known */
    struct action_key *keys; /* owned; of the steps that were enlisted here */

    int64_t lease_ms; /* 0: not known yet */
    int64_t heard_of; /* when the last call that was answered had been sent */
    int64_t renew_at; /* when the keeper sends its next KeepAlive; WIRE_FOREVER: not again */
    int64_t sent_at;  /* when the KeepAlive that is under way was sent */
    bool renewing;    /* a KeepAlive of the keeper is under way */
    int64_t renew_timeout_ms;
    struct saga_tx *due_next; /* while the keeper is about to send */
    bool ended;               /* committed, aborted, or the sidecar says that it does not run */
    bool freed;               /* by the owner, while renewing: its end frees it */
    struct saga_tx *next, *previous;
};

struct saga_client {
    struct wire *wire;
    struct saga_client_options options; /* with defaults filled in; address is not used */
    pthread_mutex_t mutex;              /* guards shut and the list of sagas */
    pthread_cond_t changed;             /* on the monotonic clock: the client was shut, or a watch was cancelled */
    bool shut;
    struct saga_tx *sagas;
    int64_t renew_at; /* when the keeper looks at them again, at the latest */
    struct async async;
};

/* ---- client.c ---- */

/* One call of the sidecar. */
struct client_call {
    const char *method;
    const ProtobufCMessage *request; /* borrowed */
    const ProtobufCMessageDescriptor *response_type;
    int64_t timeout_ms; /* 0: the client's; negative: for ever */

    ProtobufCMessage *response; /* set on SAGA_OK: gives; free with protobuf_c_message_free_unpacked(response, NULL) */
    int64_t sent_at;            /* set: when the attempt that was answered was sent */
    unsigned attempts;          /* set */
};

/* Calls, and calls again whatever got lost, until the deadline. */
int client_call(saga_client *client, struct client_call *call, struct saga_error *error);

/* Fails when a function that waits cannot be called: forked, closed, or in a callback on the client's thread. */
int client_may_wait(saga_client *client, struct saga_error *error);

/* The deadline of a call that was given timeout_ms: 0 takes the client's. */
int64_t client_deadline(const saga_client *client, int64_t timeout_ms);

/* Whether what ended so may simply be sent again: the connection broke, or the sidecar is stopping or had no memory for its answer. */
bool client_is_lost(int code, const struct saga_error *error);

/* Whether a refusal leaves open what became of an attempt before it, which may have been carried out (left): a limit that is reached turns
 * away the repetition too. Then it is asked again, for the refusal must not pass for the verdict. */
bool client_is_open(int code, bool left);

/* Waits until the clock says until, the client is shut, or *cancelled (may be NULL; guarded by the client's mutex) is set. */
void client_pause(saga_client *client, int64_t until, const bool *cancelled);

/* ---- client_build.c ---- */

int client_refuse(struct saga_error *error, const char *field, const char *problem);

/* Checks an id and casts the const away, as the generated structs want it. */
int client_saga_id(const char *saga_id, char **out, struct saga_error *error);

/* NULL becomes "". */
char *client_text(const char *text);

struct built_start {
    Saga__V1__StartRequest message;
    Google__Protobuf__Duration deadline;
    char request_id[SAGA_REQUEST_ID_SIZE];
};
int build_start(struct built_start *out, const struct saga_start_options *options, struct saga_error *error);

/* What a request with steps owns; built_finish frees it, also after a failure. */
struct built {
    union {
        Saga__V1__BeginRequest begin;
        Saga__V1__EnlistRequest enlist;
        Saga__V1__SettleRequest settle;
        Saga__V1__CommitRequest commit;
    } message;
    Google__Protobuf__Duration deadline, lease;
    char request_id[SAGA_REQUEST_ID_SIZE];
    struct built_enlistment *enlistments;
    Saga__V1__Enlistment **enlist;
    Saga__V1__Settlement *settlements;
    Google__Protobuf__Duration *may_run_for; /* of each */
    Saga__V1__Settlement **settle;
};
int build_begin(struct built *out, const struct saga_begin_options *options, struct saga_error *error);
/* An EnlistRequest, or a SettleRequest when there is nothing to enlist. */
int build_advance(struct built *out, const char *saga_id, const struct saga_settlement *settle, size_t settle_count,
                  const struct saga_enlistment *enlist, size_t enlist_count, struct saga_error *error);
int build_commit(struct built *out, const char *saga_id, const struct saga_settlement *settle, size_t settle_count,
                 struct saga_error *error);
void built_finish(struct built *out);

/* ---- client_info.c ---- */

void client_copy_text(char *to, size_t size, const char *from);
int64_t client_time_ms(const Google__Protobuf__Timestamp *at);
void client_info_of(const Saga__V1__Saga *saga, struct saga_info *out);
/* Views of the message. */
void client_step_of(const Saga__V1__Step *step, struct saga_step *out);
void client_event_of(const Saga__V1__Event *event, struct saga_event *out);

/* ---- client_lease.c ---- */

/* Links tx in. The keeper counts from heard_of. */
void lease_add(struct saga_tx *tx);

/* Unlinks and frees, now or when its last KeepAlive has ended. */
void lease_remove(struct saga_tx *tx);
/* client_tx.c: frees one that no list holds. */
void client_tx_destroy(struct saga_tx *tx);

/* The sidecar has answered a call for tx that was sent at sent_at. lease_ms of 0: it did not say how long the lease is. */
void lease_heard(struct saga_tx *tx, int64_t sent_at, int64_t lease_ms);

/* What a KeepAliveResponse says, in milliseconds; 0: nothing. */
int64_t lease_of_response(const ProtobufCMessage *response);

/* The saga does not run any more: nothing to renew. */
void lease_end(struct saga_tx *tx);

/* On the wire's thread: sends the KeepAlives that are due. Returns when it wants to run again. */
int64_t lease_turn(saga_client *client);

#endif
