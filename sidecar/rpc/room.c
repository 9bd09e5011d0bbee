/* room.c - the services that the room serves itself, as seen from the calls: one table of methods, one set of callbacks. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

const struct rpc_method rpc_room_methods[ROOM_METHOD_COUNT] = {
    {"/grpc.health.v1.Health/Check", RPC_UNARY, ROOM_HEALTH_CHECK},
    {"/grpc.health.v1.Health/Watch", RPC_SERVER_STREAM, ROOM_HEALTH_WATCH},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", RPC_BIDI, ROOM_REFLECTION},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", RPC_BIDI, ROOM_REFLECTION},
};

static void on_message(void *self, struct rpc_call *call, struct bytes message)
{
    struct rpc *r = self;
    switch ((enum rpc_room_method)rpc_call_method(call)->id) {
    case ROOM_HEALTH_CHECK:
        rpc_health_check(r, call, message);
        break;
    case ROOM_HEALTH_WATCH:
        rpc_health_watch(r, call, message);
        break;
    case ROOM_REFLECTION:
        if (r->callbacks.may_reflect != NULL && !r->callbacks.may_reflect(r->callbacks.self, call)) {
            const struct error_row *row = error_row(E_PERMISSION);
            rpc_end(call, row->grpc_status, row->text, bytes_of(NULL, 0));
            break;
        }
        rpc_reflection_answer(r, call, message);
        break;
    }
}

static void on_half_close(void *self, struct rpc_call *call)
{
    (void)self;
    rpc_end(call, CODE_OK, NULL, bytes_of(NULL, 0));
}

static void on_cancelled(void *self, struct rpc_call *call)
{
    (void)self;
    if (rpc_call_method(call)->id == ROOM_HEALTH_WATCH)
        rpc_health_cancelled(call);
    else
        rpc_end(call, CODE_CANCELLED, NULL, bytes_of(NULL, 0));
}

static void on_sent(void *self, struct rpc_call *call)
{
    (void)self;
    if (rpc_call_method(call)->id == ROOM_HEALTH_WATCH)
        rpc_health_sent(call);
    else
        rpc_next(call);
}

const struct rpc_callbacks rpc_room_callbacks = {
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_cancelled = on_cancelled,
    .on_sent = on_sent,
};
