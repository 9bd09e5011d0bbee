/* wire_call.c - unary calls, and somebody to tell when each has ended.
 *
 * What is sent and what is received are batches of their own, so that a call ends at its deadline although the sidecar does not read what it is
 * sent (it was stopped, or frozen): what is stuck on the connection lingers behind it, and is freed when it has come out. */
#include <stdlib.h>
#include <string.h>

#include "client-lib/src/wire.h"
#include "client-lib/src/wire_inside.h"

#define SEND_OPS    2
#define RECEIVE_OPS 3

/* How a call has ended. */
struct ending {
    int code;
    ProtobufCMessage *response; /* owned by whoever is told; NULL unless code is SAGA_OK */
    bool left;
    struct saga_error error;
};

/* Lives until its last batch has ended; from its beginning on the wire's thread alone touches it. */
struct unary {
    struct wire_tag tag;      /* of what is received */
    struct wire_tag left_tag; /* of the headers */
    struct wire_tag sent_tag; /* of the request */
    struct wire_wait decision;
    unsigned pending;
    bool decided; /* the headers' batch has ended */
    bool left;    /* the headers were put on a connection */
    bool over;    /* nothing more will be received */
    bool told;
    void (*tell)(void *self, struct ending *ending);
    void *self;
    struct wire_live live;
    struct wire *wire;
    const ProtobufCMessageDescriptor *response_type;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *received;
    grpc_slice message;
    grpc_status_code status;
};

static void free_unary(struct unary *u)
{
    if (u->received)
        grpc_byte_buffer_destroy(u->received);
    grpc_slice_unref(u->message);
    grpc_metadata_array_destroy(&u->initial);
    grpc_metadata_array_destroy(&u->trailing);
    grpc_call_unref(u->live.call);
    free(u);
}

static void tell(struct unary *u)
{
    /* What is stuck on a connection has left. */
    struct ending ending = {.code = SAGA_OK, .left = u->left || !u->decided};
    u->told = true;
    if (u->status != GRPC_STATUS_OK) {
        ending.code = wire_error_of_call(u->wire, ending.left, u->status, u->message, &u->trailing, &ending.error);
    } else {
        ending.response = wire_unpack(u->received, u->response_type);
        if (!ending.response)
            ending.code = saga_error_set(&ending.error, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, NULL,
                                         "the sidecar's answer cannot be read");
    }
    u->tell(u->self, &ending);
    wire_dismiss(u->wire, &u->live);
}

static void end_operation(struct unary *u)
{
    u->pending--;
    if (u->over && !u->told && (u->decided || u->status == GRPC_STATUS_OK)) {
        wire_wait_end(u->wire, &u->decision);
        tell(u);
    }
    if (u->pending == 0)
        free_unary(u);
}

static void on_left(struct wire_tag *tag, bool ok)
{
    struct unary *u = (struct unary *)(void *)((char *)tag - offsetof(struct unary, left_tag));
    u->decided = true;
    u->left = ok;
    end_operation(u);
}

static void on_sent(struct wire_tag *tag, bool ok)
{
    (void)ok;
    end_operation((struct unary *)(void *)((char *)tag - offsetof(struct unary, sent_tag)));
}

static void on_undecided(struct wire_wait *wait)
{
    tell((struct unary *)(void *)((char *)wait - offsetof(struct unary, decision)));
}

static void on_received(struct wire_tag *tag, bool ok)
{
    struct unary *u = (struct unary *)(void *)((char *)tag - offsetof(struct unary, tag));
    (void)ok;
    u->over = true;
    if (!u->decided && u->status != GRPC_STATUS_OK)
        wire_wait_begin(u->wire, &u->decision);
    end_operation(u);
}

static void start(struct unary *u, const struct wire_call *call)
{
    grpc_byte_buffer *request = wire_pack(call->request);
    grpc_op headers, send[SEND_OPS], receive[RECEIVE_OPS];
    memset(&headers, 0, sizeof headers);
    memset(send, 0, sizeof send);
    memset(receive, 0, sizeof receive);
    headers.op = GRPC_OP_SEND_INITIAL_METADATA;
    if (call->wait_for_ready)
        headers.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    send[0].op = GRPC_OP_SEND_MESSAGE;
    send[0].data.send_message.send_message = request;
    send[1].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    receive[0].op = GRPC_OP_RECV_INITIAL_METADATA;
    receive[0].data.recv_initial_metadata.recv_initial_metadata = &u->initial;
    receive[1].op = GRPC_OP_RECV_MESSAGE;
    receive[1].data.recv_message.recv_message = &u->received;
    receive[2].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    receive[2].data.recv_status_on_client.trailing_metadata = &u->trailing;
    receive[2].data.recv_status_on_client.status = &u->status;
    receive[2].data.recv_status_on_client.status_details = &u->message;
    /* Once the last of them is handed over, the call may be gone. */
    u->pending = 3;
    wire_batch(u->wire, u->live.call, &headers, 1, &u->left_tag);
    wire_batch(u->wire, u->live.call, send, SEND_OPS, &u->sent_tag);
    wire_batch(u->wire, u->live.call, receive, RECEIVE_OPS, &u->tag);
    grpc_byte_buffer_destroy(request);
}

/* tell follows, on the wire's thread, when SAGA_OK is returned. */
static int begin(struct wire *w, const struct wire_call *call, void (*tell_of)(void *self, struct ending *ending),
                 void *self, struct saga_error *error)
{
    int code = wire_usable(w, error);
    if (code != SAGA_OK)
        return code;
    struct unary *u = calloc(1, sizeof *u);
    if (!u)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a call");
    u->wire = w;
    u->response_type = call->response_type;
    u->tell = tell_of;
    u->self = self;
    u->tag.done = on_received;
    u->left_tag.done = on_left;
    u->sent_tag.done = on_sent;
    u->decision.over = on_undecided;
    u->message = grpc_empty_slice();
    grpc_metadata_array_init(&u->initial);
    grpc_metadata_array_init(&u->trailing);
    u->live.call = wire_create_call(w, call->method, call->deadline);
    code = wire_admit(w, &u->live, error);
    if (code != SAGA_OK)
        free_unary(u);
    else
        start(u, call);
    return code;
}

/* ---- waiting for the end ---- */

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool over;
    struct ending ending;
};

static void on_waited(void *self, struct ending *ending)
{
    struct waiter *waiter = self;
    /* Signalled with the mutex held: the waiter may be gone as soon as it gets the mutex. */
    pthread_mutex_lock(&waiter->mutex);
    waiter->ending = *ending;
    waiter->over = true;
    pthread_cond_signal(&waiter->ended);
    pthread_mutex_unlock(&waiter->mutex);
}

int wire_call(struct wire *w, struct wire_call *call, struct saga_error *error)
{
    struct waiter waiter;
    call->response = NULL;
    call->left = false;
    waiter.over = false;
    pthread_mutex_init(&waiter.mutex, NULL);
    pthread_cond_init(&waiter.ended, NULL);
    int code = begin(w, call, on_waited, &waiter, error);
    if (code == SAGA_OK) {
        pthread_mutex_lock(&waiter.mutex);
        while (!waiter.over)
            pthread_cond_wait(&waiter.ended, &waiter.mutex);
        pthread_mutex_unlock(&waiter.mutex);
        code = waiter.ending.code;
        call->response = waiter.ending.response;
        call->left = waiter.ending.left;
        if (code != SAGA_OK && error)
            *error = waiter.ending.error;
    }
    pthread_cond_destroy(&waiter.ended);
    pthread_mutex_destroy(&waiter.mutex);
    return code;
}

/* ---- not waiting ---- */

struct background {
    wire_done *done;
    void *self;
};

static void on_background(void *self, struct ending *ending)
{
    struct background *background = self;
    background->done(background->self, ending->code, ending->response, ending->code == SAGA_OK ? NULL : &ending->error);
    if (ending->response)
        protobuf_c_message_free_unpacked(ending->response, NULL);
    free(background);
}

int wire_call_background(struct wire *w, const struct wire_call *call, wire_done *done, void *self,
                         struct saga_error *error)
{
    struct background *background = malloc(sizeof *background);
    if (!background)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a call");
    *background = (struct background){.done = done, .self = self};
    int code = begin(w, call, on_background, background, error);
    if (code != SAGA_OK)
        free(background);
    return code;
}
