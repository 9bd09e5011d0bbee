/* grpc_caller.h - calls any method of a gRPC server with any metadata, as a sidecar or a stranger would. For tests. */
#ifndef SAGA_TESTS_GRPC_CALLER_H
#define SAGA_TESTS_GRPC_CALLER_H

#include <stddef.h>
#include <stdint.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#define CALLER_METADATA_MAX 16

struct caller {
    grpc_channel *channel;
};

/* One call. The first part is filled in by the test, the second by caller_finish. */
struct caller_call {
    const char *method;
    const char *metadata[CALLER_METADATA_MAX][2]; /* key and value; ends at a NULL key */
    const void *request;
    size_t request_size;
    int no_message;     /* ends the stream without having sent a message */
    int64_t timeout_ms; /* negative: no deadline */

    int status;
    char message[512];
    uint8_t answer[65536];
    size_t answer_size;
    char pushback[32]; /* grpc-retry-pushback-ms, or "" */
    char function[32]; /* saga-function, or "" */

    grpc_call *call;
    grpc_completion_queue *queue;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *received;
    grpc_status_code code;
    grpc_slice details;
};

void caller_open(struct caller *c, const char *address);
/* The same with credentials (taken). */
void caller_open_with(struct caller *c, const char *address, grpc_channel_credentials *credentials);
void caller_close(struct caller *c);

/* Starts a call; caller_finish waits for its end. Any thread. */
void caller_start(struct caller *c, struct caller_call *call);
void caller_finish(struct caller_call *call);
void caller_cancel(struct caller_call *call);

/* Both; returns the status. */
int caller_run(struct caller *c, struct caller_call *call);

#endif
