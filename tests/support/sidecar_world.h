/* sidecar_world.h - a whole sidecar in a thread of the test, in a folder of its own, with a client before it: calls
 * through the client library's wire, and Pipe as plain gRPC. Everything that waits fails the test after 30 s. */
#ifndef TESTS_SUPPORT_SIDECAR_WORLD_H
#define TESTS_SUPPORT_SIDECAR_WORLD_H

#include "client-lib/src/wire.h"
#include "sidecar/runtime/sidecar.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdbool.h>

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

#define COORDINATOR "/saga.v1.Coordinator/"
#define OPERATOR    "/saga.v1.Operator/"

struct sidecar_world {
    char folder[64];
    char address[96]; /* of its unix socket */
    struct config *config;
    struct sidecar *sidecar;
    pthread_t thread;
    bool running;
    int code; /* what sidecar_run returned, once it has ended */
    struct error_detail detail;
    struct wire *wire;
};

/* Asks again and again until condition holds, or fails the test after 30 s. */
#define WORLD_WAIT_UNTIL(condition) \
    for (int64_t end_ = wire_deadline(30000); !(condition); world_soon()) \
    ck_assert_msg(wire_time_left_ms(end_) > 0, "waited in vain for " #condition)
void world_soon(void);

/* Makes the folder, opens and runs a sidecar with these lines added to its configuration ("waiters_max: 1\n"), and
 * opens the wire. "nobody" is a target that is never there. */
void world_open_sidecar(struct sidecar_world *w, const char *options);

/* Only what comes after the folder is made, for a sidecar that is started anew, with a new wire to it. */
void world_run_sidecar(struct sidecar_world *w, const char *options);

/* Stops the sidecar, waits for its end and closes it. Returns what sidecar_run returned. The wire stays. */
int world_stop_sidecar(struct sidecar_world *w);

/* Stops what still runs, and removes everything. */
void world_close_sidecar(struct sidecar_world *w);

/* One unary call, until it has ended. The response is to be freed by protobuf_c_message_free_unpacked(response, NULL),
 * unless response is NULL. Returns the status. */
int world_ask(struct sidecar_world *w, const char *method, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *response_type, int64_t timeout_ms, ProtobufCMessage **response,
              struct saga_error *error);

/* Begins an enlisted saga, and checks that it was. */
void world_begin(struct sidecar_world *w, char id[64]);
/* Settles (or commits, aborts) it; returns the status. */
int world_enlist(struct sidecar_world *w, const char *id, const char *step, const char *target, size_t payload,
                 int64_t timeout_ms, struct saga_error *error);
int world_commit(struct sidecar_world *w, const char *id, struct saga_error *error);
int world_abort(struct sidecar_world *w, const char *id, struct saga_error *error);

/* A call in the background. */
struct world_call {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    int code;
    struct saga_error error;
    int state; /* of the saga in a WaitResponse */
};
void world_wait_start(struct sidecar_world *w, struct world_call *call, const char *id, bool until_stuck,
                      int64_t timeout_ms);
/* Returns the status. */
int world_wait_end(struct world_call *call);
bool world_wait_ended(struct world_call *call);

/* Watch. Returns the next events (free with saga__v1__watch_response__free_unpacked), or NULL at the end, with *code
 * set. */
struct wire_stream *world_watch(struct sidecar_world *w, const char *id, const char *cursor);
Saga__V1__WatchResponse *world_watch_next(struct wire_stream *stream, int *code, struct saga_error *error);

/* Pipe as plain gRPC. */
struct world_pipe {
    grpc_channel *channel; /* NULL: another pipe's */
    grpc_completion_queue *queue;
    grpc_call *call;
    bool greeted; /* the initial metadata has been received */
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice details;
};
void world_pipe_open(struct sidecar_world *w, struct world_pipe *p);
/* On the connection of another one, so that what is sent here arrives before what is sent there afterwards. */
void world_pipe_open_beside(struct world_pipe *other, struct world_pipe *p);
void world_pipe_send(struct world_pipe *p, const Saga__V1__PipeRequest *message);
void world_pipe_send_bytes(struct world_pipe *p, const void *bytes, size_t size);
/* A message of count Begins with request_ids PREFIX-0, ... */
void world_pipe_send_begins(struct world_pipe *p, const char *prefix, int count);
void world_pipe_half_close(struct world_pipe *p);
/* NULL when no more comes. */
Saga__V1__PipeResponse *world_pipe_receive(struct world_pipe *p);
void world_pipe_cancel(struct world_pipe *p);
/* Waits for the end, and returns the status. */
int world_pipe_end(struct world_pipe *p);

#endif
