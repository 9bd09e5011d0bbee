/* serve.c - the server: its methods, the slots that wait for their calls, and who is let in.
 *
 * C core hands out a call only into a slot that was armed for its method, and keeps what comes beyond the slots in a list without a bound.
 * So every slot is armed again the moment a call has come, and what is too much is refused here. */
#include "sidecar/rpc/rpc_inside.h"

#include <grpc/grpc_security.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Slots of one method. More than a turn brings would wait in C core's list for a moment, which costs little. */
#define SLOTS_UNARY  32
#define SLOTS_STREAM 4

/* What the room serves itself at once. */
#define ROOM_CALLS_MAX   128
#define ROOM_STREAMS_MAX 64

/* A client may ask as often as this whether we are there. */
#define PING_INTERVAL_MIN_MS 5000

static int capped(uint32_t n)
{
    return n > INT_MAX ? INT_MAX : (int)n;
}

static grpc_server *server_create(const struct rpc_options *o)
{
    const struct {
        const char *key;
        int value;
    } settings[] = {
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, capped(o->connection_streams_max)},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, capped(o->message_bytes_max)},
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
        {GRPC_ARG_MAX_METADATA_SIZE, capped(o->metadata_bytes_max)},
        {GRPC_ARG_KEEPALIVE_TIME_MS, rpc_milliseconds(o->keepalive_time)},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, rpc_milliseconds(o->keepalive_timeout)},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MIN_MS},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg args[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        args[i] = (grpc_arg){
            .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)settings[i].key, .value.integer = settings[i].value};
    return grpc_server_create(&(grpc_channel_args){.num_args = COUNT, .args = args}, NULL);
}

static void serve(struct rpc *r, const struct rpc_method *methods, size_t count, struct rpc_service *service)
{
    for (size_t i = 0; i < count; i++) {
        struct rpc_served *served = &r->served[r->served_count++];
        served->method = &methods[i];
        served->service = service;
        /* A message that must come first is read before the call is handed out: a peer that stays silent takes no slot. */
        grpc_server_register_method_payload_handling payload = GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER;
        if (methods[i].kind == RPC_BIDI)
            payload = GRPC_SRM_PAYLOAD_NONE;
        served->registered = grpc_server_register_method(r->server, methods[i].path, NULL, payload, 0);
        CHECK(served->registered != NULL);
    }
}

void rpc_serve_init(struct rpc *r)
{
    r->server = server_create(&r->options);
    grpc_server_register_completion_queue(r->server, r->queue, NULL);
    r->owner_service.callbacks = r->callbacks;
    r->owner_service.quota.calls_max = r->options.calls_max;
    r->owner_service.quota.streams_max = r->options.streams_max;
    r->room_service.callbacks = rpc_room_callbacks;
    r->room_service.callbacks.self = r;
    r->room_service.quota.calls_max = ROOM_CALLS_MAX;
    r->room_service.quota.streams_max = ROOM_STREAMS_MAX;
    r->served = rpc_allocate((r->options.method_count + ROOM_METHOD_COUNT) * sizeof *r->served);
    serve(r, r->options.methods, r->options.method_count, &r->owner_service);
    serve(r, rpc_room_methods, ROOM_METHOD_COUNT, &r->room_service);
    grpc_call_details_init(&r->stranger);
}

void rpc_serve_finish(struct rpc *r)
{
    grpc_server_destroy(r->server);
    grpc_call_details_destroy(&r->stranger);
    free(r->served);
    for (struct rpc_call *call = r->free_calls, *next; call != NULL; call = next) {
        next = call->next_free;
        free(call);
    }
}

static bool admit(struct rpc_call *call)
{
    struct rpc_quota *quota = &call->served->service->quota;
    bool stream = call->served->method->kind != RPC_UNARY;
    if (call->rpc->stopping) {
        rpc_call_refuse(call, E_STOPPING);
        return false;
    }
    if (quota->calls >= quota->calls_max) {
        rpc_call_refuse(call, E_QUEUE);
        return false;
    }
    if (stream && quota->streams >= quota->streams_max) {
        rpc_call_refuse(call, E_STREAMS);
        return false;
    }
    quota->calls++;
    quota->streams += stream;
    call->counted = true;
    return true;
}

static void arm(struct rpc *r, const struct rpc_served *served);

static void arrived(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = RPC_HOLDER(op, struct rpc_call, arrived);
    struct rpc *r = call->rpc;
    r->armed--;
    if (!ok) { /* the server is stopping */
        rpc_call_give_back(call);
        return;
    }
    if (call->served == NULL) {
        grpc_call_details_destroy(&r->stranger);
        grpc_call_details_init(&r->stranger);
    }
    if (!r->shut)
        arm(r, call->served);
    if (call->served == NULL)
        rpc_call_refuse_unimplemented(call, "sagad serves no method of this name");
    else if (admit(call))
        rpc_call_begin(call);
}

static void arm(struct rpc *r, const struct rpc_served *served)
{
    struct rpc_call *call = rpc_call_take(r, served);
    call->arrived.done = arrived;
    grpc_call_error error;
    if (served == NULL) {
        error = grpc_server_request_call(r->server, &call->call, &r->stranger, &call->metadata, r->queue, r->queue,
                                         &call->arrived);
    } else {
        grpc_byte_buffer **payload = served->method->kind == RPC_BIDI ? NULL : &call->payload;
        error = grpc_server_request_registered_call(r->server, served->registered, &call->call, &call->deadline,
                                                    &call->metadata, payload, r->queue, r->queue, &call->arrived);
    }
    CHECK(error == GRPC_CALL_OK);
    r->armed++;
}

void rpc_serve_arm(struct rpc *r)
{
    for (size_t i = 0; i < r->served_count; i++)
        for (int n = r->served[i].method->kind == RPC_UNARY ? SLOTS_UNARY : SLOTS_STREAM; n > 0; n--)
            arm(r, &r->served[i]);
    arm(r, NULL);
}
