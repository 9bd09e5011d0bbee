/* serve.c - the server: its methods, the slots that wait for their calls, and who is let in.
 *
 * C core hands out a call only into a slot that was armed for its method, and keeps what comes beyond the slots in a list without a bound.
 * So every slot is armed again the moment a call has come, and what is too much is refused here. One slot a method is enough: what waits in
 * that list is handed out when the slot is armed again. More are paid for by every call, since Debian's C core looks through all tags that
 * are out for each one that completes: 32 slots a method cost a saga of three steps a sixth of its instructions. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"
#include "transport/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What the room serves itself at once. */
#define ROOM_CALLS_MAX   128
#define ROOM_STREAMS_MAX 64

/* What C core reads of a connection at once: what is read already is carried out, also when the connection is ended for it (guard.c). */
#define READ_CHUNK_BYTES 65536

/* A client may ask as often as this whether we are there. */
#define PING_INTERVAL_MIN_MS 5000

static int capped(uint32_t n)
{
    return n > INT_MAX ? INT_MAX : (int)n;
}

static grpc_server *server_create(const struct rpc_options *o, bool tls, const grpc_arg *extra)
{
    /* What admitted a connection over TLS may be revoked or end: then it does not last for ever. */
    int age_ms = tls ? rpc_milliseconds(o->tls_connection_age) : INT_MAX;
    const struct transport_setting settings[] = {
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, capped(o->connection_streams_max)},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, capped(o->message_bytes_max)},
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0}, /* unpack.c bounds it */
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
        {GRPC_ARG_MAX_METADATA_SIZE, capped(o->metadata_bytes_max)},
        {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, rpc_milliseconds(o->handshake_timeout)},
        {GRPC_ARG_KEEPALIVE_TIME_MS, rpc_milliseconds(o->keepalive_time)},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, rpc_milliseconds(o->keepalive_timeout)},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MIN_MS},
        /* Where C core listens by itself: not together with another process. */
        {GRPC_ARG_ALLOW_REUSEPORT, 0},
        {GRPC_ARG_MAX_CONNECTION_AGE_MS, age_ms},
        {GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, READ_CHUNK_BYTES},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg args[COUNT + 2];
    size_t count = COUNT;
    transport_settings(settings, COUNT, args);
    args[count++] = rpc_incoming_arg(true);
    if (extra != NULL)
        args[count++] = *extra;
    return grpc_server_create(&(grpc_channel_args){.num_args = count, .args = args}, NULL);
}

static void serve(struct rpc *r, const struct rpc_method *methods, size_t count, struct rpc_service *service)
{
    for (size_t i = 0; i < count; i++)
        r->served[r->served_count++] = (struct rpc_served){.method = &methods[i], .service = service};
}

void rpc_serve_init(struct rpc *r)
{
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
}

void rpc_serve_finish(struct rpc *r)
{
    unsigned asked = atomic_load(&r->entrances_asked);
    for (unsigned i = 0; i < asked; i++) {
        struct rpc_entrance *e = r->entrances[i];
        if (e->server != NULL) {
            grpc_server_destroy(e->server);
            grpc_call_details_destroy(&e->stranger);
        }
        free(e->registered);
        free(e);
    }
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

static void arm(struct rpc_entrance *e, const struct rpc_served *served);

static void arrived(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = RPC_HOLDER(op, struct rpc_call, arrived);
    struct rpc_entrance *e = call->entrance;
    e->armed--;
    if (!ok) { /* the server is stopping */
        rpc_call_give_back(call);
        return;
    }
    if (call->served == NULL) {
        grpc_call_details_destroy(&e->stranger);
        grpc_call_details_init(&e->stranger);
    }
    if (!e->rpc->shut)
        arm(e, call->served);
    if (call->served == NULL)
        rpc_call_refuse_words(call, CODE_UNIMPLEMENTED, "sagad serves no method of this name");
    else if (admit(call))
        rpc_call_begin(call);
}

static void arm(struct rpc_entrance *e, const struct rpc_served *served)
{
    struct rpc *r = e->rpc;
    struct rpc_call *call = rpc_call_take(r, e, served);
    call->arrived.done = arrived;
    grpc_call_error error;
    if (served == NULL) {
        error = grpc_server_request_call(e->server, &call->call, &e->stranger, &call->metadata, r->queue, r->queue,
                                         &call->arrived);
    } else {
        grpc_byte_buffer **payload = served->method->kind == RPC_BIDI ? NULL : &call->payload;
        error = grpc_server_request_registered_call(e->server, e->registered[served - r->served], &call->call,
                                                    &call->deadline, &call->metadata, payload, r->queue, r->queue,
                                                    &call->arrived);
    }
    CHECK(error == GRPC_CALL_OK);
    e->armed++;
}

/* ---- entrances ---- */

void rpc_entrance_make(struct rpc_entrance *e, const grpc_arg *extra)
{
    struct rpc *r = e->rpc;
    e->server = server_create(&r->options, e->listening->credentials.security == TRANSPORT_TLS, extra);
    grpc_server_register_completion_queue(e->server, r->queue, NULL);
    grpc_call_details_init(&e->stranger);
    e->registered = rpc_allocate(r->served_count * sizeof *e->registered);
    for (size_t i = 0; i < r->served_count; i++) {
        const struct rpc_method *method = r->served[i].method;
        /* A message that must come first is read before the call is handed out: a peer that stays silent takes no slot. */
        grpc_server_register_method_payload_handling payload = GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER;
        if (method->kind == RPC_BIDI)
            payload = GRPC_SRM_PAYLOAD_NONE;
        e->registered[i] = grpc_server_register_method(e->server, method->path, NULL, payload, 0);
        CHECK(e->registered[i] != NULL);
    }
}

void rpc_entrance_start(struct rpc_entrance *e)
{
    const struct rpc *r = e->rpc;
    grpc_server_start(e->server);
    for (size_t i = 0; i < r->served_count; i++)
        arm(e, &r->served[i]);
    arm(e, NULL);
    atomic_store_explicit(&e->open, true, memory_order_release);
}

void rpc_entrances_turn(struct rpc *r)
{
    static const char name[] = "external:door";
    while (r->entrances_made < atomic_load_explicit(&r->entrances_asked, memory_order_acquire) && !r->stopping) {
        struct rpc_entrance *e = r->entrances[r->entrances_made++];
        const grpc_arg port = transport_external_arg(name, &e->external);
        grpc_server_credentials *credentials = transport_server_credentials(&e->listening->credentials);
        rpc_entrance_make(e, &port);
        CHECK(transport_external_add(e->server, name, &e->external, credentials)); /* it did, when it was tried */
        grpc_server_credentials_release(credentials);
        rpc_entrance_start(e);
        rpc_door_knock(e->door);
    }
}

static void is_down(struct rpc_op *op, bool ok)
{
    (void)ok;
    RPC_HOLDER(op, struct rpc_entrance, shut_down)->down = true;
}

static bool all_down(const struct rpc *r)
{
    for (unsigned i = 0; i < r->entrances_made; i++)
        if (!r->entrances[i]->down || r->entrances[i]->armed > 0)
            return false;
    return true;
}

void rpc_entrances_shut(struct rpc *r)
{
    r->shut = true;
    for (unsigned i = 0; i < r->entrances_made; i++) {
        struct rpc_entrance *e = r->entrances[i];
        e->shut_down.done = is_down;
        grpc_server_shutdown_and_notify(e->server, r->queue, &e->shut_down);
        /* Clients that keep their connections open would hold the server for as long as they like. */
        grpc_server_cancel_all_calls(e->server);
    }
    while (!all_down(r) || !rpc_link_is_single(&r->open))
        rpc_poll(r, SPAN_S(1));
}
