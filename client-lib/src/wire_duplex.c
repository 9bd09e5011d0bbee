/* wire_duplex.c - a bidirectional stream: one message going out, one being waited for, and the status that ends it. */
#include "client-lib/src/wire_duplex.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/src/wire_inside.h"

struct wire_duplex {
    struct wire_tag left_tag, open_tag, send_tag, read_tag, status_tag;
    struct wire_live live;
    struct wire *wire;
    const ProtobufCMessageDescriptor *response_type;
    const struct wire_duplex_events *events;
    void *self;
    struct wire_wait decision;
    unsigned operations; /* batches that have not ended */
    unsigned receiving;  /* of these, who waits for the sidecar */
    bool decided;        /* the headers' batch has ended */
    bool left;           /* the headers were put on a connection */
    bool told;           /* the owner of the end; what is stuck on a connection lingers */

    grpc_byte_buffer *received;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice message;
};

#define DUPLEX_OF(tag, member) ((struct wire_duplex *)(void *)((char *)(tag)-offsetof(struct wire_duplex, member)))

static void batch(struct wire_duplex *d, const grpc_op *op, struct wire_tag *tag)
{
    d->operations++;
    wire_batch(d->wire, d->live.call, op, 1, tag);
}

static void receive(struct wire_duplex *d, const grpc_op *op, struct wire_tag *tag)
{
    d->receiving++;
    batch(d, op, tag);
}

static void read_ahead(struct wire_duplex *d)
{
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &d->received;
    d->received = NULL;
    receive(d, &op, &d->read_tag);
}

static void free_core(struct wire_duplex *d)
{
    grpc_metadata_array_destroy(&d->initial);
    grpc_metadata_array_destroy(&d->trailing);
    grpc_slice_unref(d->message);
    grpc_call_unref(d->live.call);
}

static void tell(struct wire_duplex *d)
{
    struct saga_error error;
    int code = SAGA_OK;
    d->told = true;
    if (d->status != GRPC_STATUS_OK) /* what is stuck on a connection has left */
        code = wire_error_of_call(d->wire, d->left || !d->decided, d->status, d->message, &d->trailing, &error);
    /* The client may be gone once the wire has no live call left, so its owner hears of the end before. */
    d->events->ended(d->self, code, code == SAGA_OK ? NULL : &error);
    wire_dismiss(d->wire, &d->live);
}

static void on_undecided(struct wire_wait *wait)
{
    tell(DUPLEX_OF(wait, decision));
}

static void end_operation(struct wire_duplex *d)
{
    d->operations--;
    if (d->receiving == 0 && !d->told && d->decided) {
        wire_wait_end(d->wire, &d->decision);
        tell(d);
    } else if (d->receiving == 0 && !d->told && d->decision.at == 0) {
        wire_wait_begin(d->wire, &d->decision);
    }
    if (d->operations > 0)
        return;
    free_core(d);
    free(d);
}

static void end_receiving(struct wire_duplex *d)
{
    d->receiving--;
    end_operation(d);
}

static void on_left(struct wire_tag *tag, bool ok)
{
    struct wire_duplex *d = DUPLEX_OF(tag, left_tag);
    d->decided = true;
    d->left = ok;
    end_operation(d);
}

static void on_open(struct wire_tag *tag, bool ok)
{
    (void)ok;
    end_receiving(DUPLEX_OF(tag, open_tag));
}

static void on_sent(struct wire_tag *tag, bool ok)
{
    struct wire_duplex *d = DUPLEX_OF(tag, send_tag);
    if (ok && !d->told)
        d->events->sent(d->self);
    end_operation(d);
}

static void on_read(struct wire_tag *tag, bool ok)
{
    struct wire_duplex *d = DUPLEX_OF(tag, read_tag);
    if (ok && d->received) {
        ProtobufCMessage *message = wire_unpack(d->received, d->response_type);
        grpc_byte_buffer_destroy(d->received);
        d->received = NULL;
        read_ahead(d);
        d->events->received(d->self, message);
        if (message)
            protobuf_c_message_free_unpacked(message, NULL);
    }
    end_receiving(d);
}

static void on_status(struct wire_tag *tag, bool ok)
{
    (void)ok;
    end_receiving(DUPLEX_OF(tag, status_tag));
}

static void start(struct wire_duplex *d)
{
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    op.data.recv_status_on_client.trailing_metadata = &d->trailing;
    op.data.recv_status_on_client.status = &d->status;
    op.data.recv_status_on_client.status_details = &d->message;
    receive(d, &op, &d->status_tag);
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_INITIAL_METADATA;
    op.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    batch(d, &op, &d->left_tag);
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_INITIAL_METADATA;
    op.data.recv_initial_metadata.recv_initial_metadata = &d->initial;
    receive(d, &op, &d->open_tag);
    read_ahead(d);
}

int wire_duplex_open(struct wire *w, const char *method, const ProtobufCMessageDescriptor *response_type,
                     const struct wire_duplex_events *events, void *self, struct wire_duplex **out,
                     struct saga_error *error)
{
    int code = wire_usable(w, error);
    if (code != SAGA_OK)
        return code;
    struct wire_duplex *d = calloc(1, sizeof *d);
    if (!d)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a stream");
    d->left_tag.done = on_left;
    d->open_tag.done = on_open;
    d->send_tag.done = on_sent;
    d->read_tag.done = on_read;
    d->status_tag.done = on_status;
    d->decision.over = on_undecided;
    d->wire = w;
    d->response_type = response_type;
    d->events = events;
    d->self = self;
    grpc_metadata_array_init(&d->initial);
    grpc_metadata_array_init(&d->trailing);
    d->message = grpc_empty_slice();
    d->live.call = wire_create_call(w, method, WIRE_FOREVER);
    code = wire_admit(w, &d->live, error);
    if (code != SAGA_OK) {
        free_core(d);
        free(d);
        return code;
    }
    start(d);
    *out = d;
    return SAGA_OK;
}

void wire_duplex_send(struct wire_duplex *d, grpc_slice message)
{
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&message, 1);
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_MESSAGE;
    op.data.send_message.send_message = buffer;
    batch(d, &op, &d->send_tag);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(message);
}

bool wire_duplex_reached(const struct wire_duplex *d)
{
    return d->left;
}

void wire_duplex_cancel(struct wire_duplex *d)
{
    grpc_call_cancel(d->live.call, NULL);
}
