/* echo_server.c - the cost of one call on this machine: a bare gRPC C core server that gives back what it gets, with no storage and nothing
 * in between. The reference of docs/performance.md. Prints its port; ends with its standard input. */
#include "tests/bench/tls.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 512

struct slot {
    grpc_call *call;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    int answering;
    int cancelled;
};

static grpc_server *server;
static grpc_completion_queue *queue;
static void *method;

static void arm(struct slot *s)
{
    memset(s, 0, sizeof *s);
    grpc_metadata_array_init(&s->metadata);
    if (grpc_server_request_registered_call(server, method, &s->call, &s->deadline, &s->metadata, &s->payload, queue,
                                            queue, s) != GRPC_CALL_OK)
        abort();
}

static void answer(struct slot *s)
{
    grpc_op ops[4];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = s->payload;
    ops[2].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
    ops[3].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[3].data.recv_close_on_server.cancelled = &s->cancelled;
    s->answering = 1;
    if (grpc_call_start_batch(s->call, ops, 4, s, NULL) != GRPC_CALL_OK)
        abort();
}

static void handle(struct slot *s, int ok)
{
    if (!s->answering && ok && s->payload != NULL) {
        answer(s);
        return;
    }
    grpc_metadata_array_destroy(&s->metadata);
    grpc_byte_buffer_destroy(s->payload);
    if (s->call != NULL)
        grpc_call_unref(s->call);
    arm(s);
}

/* A thread of its own, so that a server with nothing to do wakes for C core's reasons alone. */
static void *end_with_input(void *unused)
{
    char byte;
    (void)unused;
    while (read(0, &byte, 1) > 0)
        ;
    _exit(0);
}

int main(void)
{
    grpc_arg args[] = {
        {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_MAX_CONCURRENT_STREAMS, .value.integer = 128},
        {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ENABLE_CHANNELZ, .value.integer = 0},
    };
    grpc_init();
    server = grpc_server_create(&(grpc_channel_args){.num_args = 2, .args = args}, NULL);
    queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, queue, NULL);
    method =
        grpc_server_register_method(server, "/bench.Echo/Echo", NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    grpc_server_credentials *credentials = tls_server();
    int port = grpc_server_add_http2_port(server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    if (port == 0)
        return 1;
    grpc_server_start(server);
    struct slot *slots = calloc(SLOTS, sizeof *slots);
    for (int i = 0; i < SLOTS; i++)
        arm(&slots[i]);
    printf("%d\n", port);
    fflush(stdout);
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_with_input, NULL) != 0)
        return 1;
    for (;;) {
        grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        handle(event.tag, event.success);
    }
}
