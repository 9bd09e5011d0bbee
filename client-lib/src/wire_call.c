/* wire_call.c - unary calls: one batch with everything in it, and somebody to tell when it has ended. */
#include <stdlib.h>
#include <string.h>

#include "client-lib/src/wire.h"
#include "client-lib/src/wire_inside.h"

#define UNARY_OPS 5

struct unary {
    struct wire_tag tag;      /* of the rest */
    struct wire_tag left_tag; /* of the headers */
    unsigned pending;
    bool left; /* the headers were put on a connection */
    void (*ended)(struct unary *u);
    struct wire_live live;
    struct wire *wire;
    const ProtobufCMessageDescriptor *response_type;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *received;
    grpc_slice message;
    grpc_status_code status;
};

static void end_operation(struct unary *u)
{
    if (--u->pending == 0)
        u->ended(u);
}

static void on_left(struct wire_tag *tag, bool ok)
{
    struct unary *u = (struct unary *)(void *)((char *)tag - offsetof(struct unary, left_tag));
    u->left = ok;
    end_operation(u);
}

static void on_rest(struct wire_tag *tag, bool ok)
{
    (void)ok;
    end_operation((struct unary *)(void *)((char *)tag - offsetof(struct unary, tag)));
}

static int begin(struct unary *u, struct wire *w, const struct wire_call *call, struct saga_error *error)
{
    int code = wire_usable(w, error);
    if (code != SAGA_OK)
        return code;
    u->wire = w;
    u->response_type = call->response_type;
    u->live.call = wire_create_call(w, call->method, call->deadline);
    code = wire_admit(w, &u->live, error);
    if (code != SAGA_OK) {
        grpc_call_unref(u->live.call);
        return code;
    }
    grpc_metadata_array_init(&u->initial);
    grpc_metadata_array_init(&u->trailing);
    u->received = NULL;
    u->message = grpc_empty_slice();
    u->tag.done = on_rest;
    u->left_tag.done = on_left;
    u->pending = 2;
    u->left = false;
    grpc_op headers;
    memset(&headers, 0, sizeof headers);
    headers.op = GRPC_OP_SEND_INITIAL_METADATA;
    if (call->wait_for_ready)
        headers.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    grpc_byte_buffer *request = wire_pack(call->request);
    grpc_op ops[UNARY_OPS];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_MESSAGE;
    ops[0].data.send_message.send_message = request;
    ops[1].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[2].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[2].data.recv_initial_metadata.recv_initial_metadata = &u->initial;
    ops[3].op = GRPC_OP_RECV_MESSAGE;
    ops[3].data.recv_message.recv_message = &u->received;
    ops[4].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[4].data.recv_status_on_client.trailing_metadata = &u->trailing;
    ops[4].data.recv_status_on_client.status = &u->status;
    ops[4].data.recv_status_on_client.status_details = &u->message;
    wire_batch(w, u->live.call, &headers, 1, &u->left_tag);
    wire_batch(w, u->live.call, ops, UNARY_OPS, &u->tag);
    grpc_byte_buffer_destroy(request);
    return SAGA_OK;
}

/* Reads how the call ended and frees all of it. *response is set on SAGA_OK. */
static int conclude(struct unary *u, ProtobufCMessage **response, bool *left, struct saga_error *error)
{
    int code = SAGA_OK;
    *response = NULL;
    *left = u->left;
    if (u->status != GRPC_STATUS_OK) {
        code = wire_error_of_call(u->wire, u->left, u->status, u->message, &u->trailing, error);
    } else {
        *response = wire_unpack(u->received, u->response_type);
        if (!*response)
            code = saga_error_set(error, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, NULL,
                                  "the sidecar's answer cannot be read");
    }
    wire_dismiss(u->wire, &u->live);
    if (u->received)
        grpc_byte_buffer_destroy(u->received);
    grpc_slice_unref(u->message);
    grpc_metadata_array_destroy(&u->initial);
    grpc_metadata_array_destroy(&u->trailing);
    grpc_call_unref(u->live.call);
    return code;
}

/* ---- waiting for the end ---- */

struct waiter {
    struct unary unary;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool over;
};

static void on_waited(struct unary *u)
{
    struct waiter *waiter = (struct waiter *)(void *)u;
    /* Signalled with the mutex held: the waiter may free everything as soon as it gets the mutex. */
    pthread_mutex_lock(&waiter->mutex);
    waiter->over = true;
    pthread_cond_signal(&waiter->ended);
    pthread_mutex_unlock(&waiter->mutex);
}

int wire_call(struct wire *w, struct wire_call *call, struct saga_error *error)
{
    struct waiter waiter;
    call->response = NULL;
    call->left = false;
    waiter.unary.ended = on_waited;
    waiter.over = false;
    pthread_mutex_init(&waiter.mutex, NULL);
    pthread_cond_init(&waiter.ended, NULL);
    int code = begin(&waiter.unary, w, call, error);
    if (code == SAGA_OK) {
        pthread_mutex_lock(&waiter.mutex);
        while (!waiter.over)
            pthread_cond_wait(&waiter.ended, &waiter.mutex);
        pthread_mutex_unlock(&waiter.mutex);
        code = conclude(&waiter.unary, &call->response, &call->left, error);
    }
    pthread_cond_destroy(&waiter.ended);
    pthread_mutex_destroy(&waiter.mutex);
    return code;
}

/* ---- not waiting ---- */

struct background {
    struct unary unary;
    wire_done *done;
    void *self;
};

static void on_background(struct unary *u)
{
    struct background *background = (struct background *)(void *)u;
    struct saga_error error;
    ProtobufCMessage *response;
    bool left;
    int code = conclude(&background->unary, &response, &left, &error);
    background->done(background->self, code, response, code == SAGA_OK ? NULL : &error);
    if (response)
        protobuf_c_message_free_unpacked(response, NULL);
    free(background);
}

int wire_call_background(struct wire *w, const struct wire_call *call, wire_done *done, void *self,
                         struct saga_error *error)
{
    struct background *background = malloc(sizeof *background);
    if (!background)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a call");
    background->unary.ended = on_background;
    background->done = done;
    background->self = self;
    int code = begin(&background->unary, w, call, error);
    if (code != SAGA_OK)
        free(background);
    return code;
}
