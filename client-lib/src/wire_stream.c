/* wire_stream.c - server streams: one request out, messages in, read one ahead. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client-lib/src/wire.h"
#include "client-lib/src/wire_inside.h"

#define OPEN_OPS 3

struct wire_stream {
    struct wire_tag left_tag;
    struct wire_tag open_tag;
    struct wire_tag read_tag;
    struct wire_tag status_tag;
    struct wire_live live;
    struct wire *wire;
    const ProtobufCMessageDescriptor *response_type;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    unsigned operations; /* batches that have not ended */
    bool arrived;        /* received holds a message that has not been taken */
    bool left;           /* the headers were put on a connection */
    bool over;           /* the status is there */
    bool closed;         /* nobody reads it any more: who ends its last operation frees it */
    bool cancelled;      /* by wire_stream_cancel */

    grpc_byte_buffer *received;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice message;
};

#define STREAM_OF(tag, member) ((struct wire_stream *)(void *)((char *)(tag)-offsetof(struct wire_stream, member)))

static void batch(struct wire_stream *s, const grpc_op *ops, size_t count, struct wire_tag *tag)
{
    s->operations++;
    wire_batch(s->wire, s->live.call, ops, count, tag);
}

static void read_ahead(struct wire_stream *s)
{
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &s->received;
    s->received = NULL;
    batch(s, &op, 1, &s->read_tag);
}

static void free_stream(struct wire_stream *s)
{
    if (s->received)
        grpc_byte_buffer_destroy(s->received);
    grpc_metadata_array_destroy(&s->initial);
    grpc_metadata_array_destroy(&s->trailing);
    grpc_slice_unref(s->message);
    grpc_call_unref(s->live.call);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* With the mutex held, which it gives up: nobody may touch s afterwards. */
static void end_operation(struct wire_stream *s)
{
    bool last = --s->operations == 0 && s->closed;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    if (last)
        free_stream(s);
}

static void on_left(struct wire_tag *tag, bool ok)
{
    struct wire_stream *s = STREAM_OF(tag, left_tag);
    pthread_mutex_lock(&s->mutex);
    s->left = ok;
    end_operation(s);
}

static void on_open(struct wire_tag *tag, bool ok)
{
    struct wire_stream *s = STREAM_OF(tag, open_tag);
    (void)ok;
    pthread_mutex_lock(&s->mutex);
    end_operation(s);
}

static void on_read(struct wire_tag *tag, bool ok)
{
    struct wire_stream *s = STREAM_OF(tag, read_tag);
    pthread_mutex_lock(&s->mutex);
    s->arrived = ok && s->received;
    end_operation(s);
}

static void on_status(struct wire_tag *tag, bool ok)
{
    struct wire_stream *s = STREAM_OF(tag, status_tag);
    (void)ok;
    pthread_mutex_lock(&s->mutex);
    s->over = true;
    wire_dismiss(s->wire, &s->live);
    end_operation(s);
}

static void start(struct wire_stream *s, const ProtobufCMessage *request, bool wait_for_ready)
{
    grpc_byte_buffer *packed = wire_pack(request);
    grpc_op headers;
    memset(&headers, 0, sizeof headers);
    headers.op = GRPC_OP_SEND_INITIAL_METADATA;
    if (wait_for_ready)
        headers.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    grpc_op ops[OPEN_OPS];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_MESSAGE;
    ops[0].data.send_message.send_message = packed;
    ops[1].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[2].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[2].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
    grpc_op status;
    memset(&status, 0, sizeof status);
    status.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    status.data.recv_status_on_client.trailing_metadata = &s->trailing;
    status.data.recv_status_on_client.status = &s->status;
    status.data.recv_status_on_client.status_details = &s->message;
    pthread_mutex_lock(&s->mutex);
    batch(s, &status, 1, &s->status_tag);
    batch(s, &headers, 1, &s->left_tag);
    batch(s, ops, OPEN_OPS, &s->open_tag);
    read_ahead(s);
    pthread_mutex_unlock(&s->mutex);
    grpc_byte_buffer_destroy(packed);
}

int wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *response_type, bool wait_for_ready, struct wire_stream **out,
                     struct saga_error *error)
{
    int code = wire_usable(w, error);
    if (code != SAGA_OK)
        return code;
    struct wire_stream *s = calloc(1, sizeof *s);
    if (!s)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a stream");
    s->left_tag.done = on_left;
    s->open_tag.done = on_open;
    s->read_tag.done = on_read;
    s->status_tag.done = on_status;
    s->wire = w;
    s->response_type = response_type;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&s->mutex, NULL);
    grpc_metadata_array_init(&s->initial);
    grpc_metadata_array_init(&s->trailing);
    s->message = grpc_empty_slice();
    s->live.call = wire_create_call(w, method, WIRE_FOREVER);
    code = wire_admit(w, &s->live, error);
    if (code != SAGA_OK) {
        free_stream(s);
        return code;
    }
    start(s, request, wait_for_ready);
    *out = s;
    return SAGA_OK;
}

/* Waits, with the mutex held, until there is something to say or the deadline has passed. */
static void await(struct wire_stream *s, int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    while (!s->cancelled && !s->arrived && !(s->over && s->operations == 0)) {
        if (deadline == WIRE_FOREVER)
            pthread_cond_wait(&s->changed, &s->mutex);
        else if (pthread_cond_timedwait(&s->changed, &s->mutex, &until) != 0)
            return;
    }
}

int wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message, struct saga_error *error)
{
    grpc_byte_buffer *received = NULL;
    bool over = false;
    bool cancelled = false;
    *message = NULL;
    pthread_mutex_lock(&s->mutex);
    await(s, deadline);
    if (s->cancelled) {
        cancelled = true;
    } else if (s->arrived) {
        received = s->received;
        s->arrived = false;
        read_ahead(s);
    } else {
        over = s->over && s->operations == 0;
    }
    pthread_mutex_unlock(&s->mutex);

    if (cancelled)
        return saga_error_set(error, SAGA_E_CANCELLED, SAGA_REASON_CANCELLED, NULL, "the stream was cancelled");
    if (received) {
        *message = wire_unpack(received, s->response_type);
        grpc_byte_buffer_destroy(received);
        return *message ? SAGA_OK
                        : saga_error_set(error, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, NULL,
                                         "the sidecar's message cannot be read");
    }
    if (!over)
        return saga_error_set(error, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL, "nothing came in time");
    if (s->status == GRPC_STATUS_OK)
        return SAGA_OK;
    return wire_error_of_call(s->wire, s->left, s->status, s->message, &s->trailing, error);
}

bool wire_stream_reached(struct wire_stream *s)
{
    pthread_mutex_lock(&s->mutex);
    bool left = s->left;
    pthread_mutex_unlock(&s->mutex);
    return left;
}

void wire_stream_cancel(struct wire_stream *s)
{
    pthread_mutex_lock(&s->mutex);
    s->cancelled = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    grpc_call_cancel(s->live.call, NULL);
}

void wire_stream_close(struct wire_stream *s)
{
    if (!s || wire_forked(s->wire))
        return;
    wire_stream_cancel(s);
    pthread_mutex_lock(&s->mutex);
    s->closed = true;
    bool last = s->operations == 0;
    pthread_mutex_unlock(&s->mutex);
    if (last)
        free_stream(s);
}
