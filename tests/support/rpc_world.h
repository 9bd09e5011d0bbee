/* rpc_world.h - a room of rpc/ with a plain gRPC client before it, both turned by the test's one thread.
 *
 * The served methods: /t.T/Echo (unary, replies what came), /t.T/Hold (unary, kept for the test to end), /t.T/Fail (unary, ends with
 * FAILED_PRECONDITION, a message and details), /t.T/Stream (server stream, kept), /t.T/Talk (bidi, kept). */
#ifndef SAGA_TESTS_RPC_WORLD_H
#define SAGA_TESTS_RPC_WORLD_H

#include "sidecar/rpc/rpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <stdatomic.h>

#define WORLD_HELD_MAX 64
#define WORLD_ROLE     3 /* of its listener */
#define WORLD_TARGET   5 /* the number of its targets */

struct world_text {
    char at[256];
    size_t size;
};

struct world_answer {
    int count; /* how many times it was given */
    enum saga_reach reach;
    const char *unreached;
    int status;
    struct world_text message;
    struct world_text output;
    bool has_pushback;
    struct span pushback;
};

/* A kept call and what the owner heard of it. */
struct world_held {
    struct rpc_call *call;
    struct world_text message; /* the last */
    int messages;
    int half_closes;
    int cancellations;
    int sent;
};

struct world {
    struct rpc *rpc;
    struct rpc_options options;
    char address[128];
    int port;
    char folder[64];
    struct world_held held[WORLD_HELD_MAX];
    int held_count;
    int echoes;
    struct span echo_takes;                          /* the work that each of them is */
    int refusals, refused_code;                      /* of calls that the owner never knew of, and the last of them */
    atomic_int turned_away;                          /* how often it was told, by the door, that somebody was */
    int reachable;                                   /* word that a target can be reached again */
    bool reply_to_cancelled;                         /* a kept call is ended as soon as it is cancelled */
    enum spread_policy policy;                       /* of its targets */
    const char *host;                                /* where it listens, as [::1]; NULL: 127.0.0.1 */
    bool forbids;                                    /* calls that were held may not leave */
    bool compresses;                                 /* the client packs its messages; set before world_open */
    const struct transport_credentials *credentials; /* of its listener; NULL: plaintext, as its client */
    grpc_completion_queue *queue;
    grpc_channel *channel;
};

/* Fills in options that suit a test. The caller may change them before world_open. */
void world_init(struct world *w);

/* Listens at 127.0.0.1 or `host` (port 0), or at a unix socket in a folder of its own, starts, and makes the client's channel. */
void world_open(struct world *w, bool unix_socket);

/* Ends the kept calls, stops, and takes all of it down. Fails the test when the room does not become idle. */
void world_close(struct world *w);

/* Handles what has come on both sides. Waits a moment when nothing has. */
void world_turn(struct world *w);

/* Turns until condition holds, or fails the test after 10 s. */
#define WORLD_UNTIL(w, condition) \
    do { \
        gpr_timespec world_end_ = world_deadline(10); \
        while (!(condition)) { \
            world_turn(w); \
            ck_assert_msg(gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), world_end_) < 0, \
                          "waited in vain for " #condition); \
        } \
    } while (0)
gpr_timespec world_deadline(int seconds);

/* One call of the plain client. */
struct client_call {
    struct world *world;
    grpc_call *call;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *buffer;
    grpc_status_code status;
    grpc_slice status_message;
    struct world_text message; /* the last received */
    struct world_text details; /* grpc-status-details-bin */
    struct bytes kept;         /* the last received, whole, when keeps is set; freed by client_finish */
    bool keeps;
    int received;
    bool end_of_messages;
    bool started;
    bool sent;
    bool ended;
    int pending;
};

/* Starts a call on w's channel; timeout_ms 0 is none. */
void client_start(struct client_call *c, struct world *w, const char *method, int timeout_ms);
void client_send(struct client_call *c, struct bytes message, bool last);
void client_half_close(struct client_call *c);
void client_receive(struct client_call *c);
/* Waits for the status and takes the call down. */
void client_finish(struct client_call *c);
void client_cancel(struct client_call *c);

/* A whole unary call: sends, half-closes, receives, and waits for the end. */
void client_unary(struct client_call *c, struct world *w, const char *method, struct bytes request);

/* A call out of the room, whose answer goes into *answer. */
void world_call_out(struct world *w, struct rpc_target *target, const char *method, const char *request,
                    struct span timeout, struct world_answer *answer);
struct rpc_target *world_target(struct world *w, const char *address);

#endif
