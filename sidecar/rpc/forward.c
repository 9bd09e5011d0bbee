/* forward.c - a request is asked of another process, a sidecar of the same fleet, as ask.c asks it of another loop: who asks hears of both alike.
 *
 * A channel for each address, of which C core looks after the connection; those that are used least go when there are many. A call fails at
 * once when nobody answers there: whoever is asked for may be elsewhere by now. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"
#include "transport/settings.h"

#include <grpc/support/alloc.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Sidecars to which there are connections at once. */
#define ROADS_MAX 128

#define DETAILS_KEY "grpc-status-details-bin"

struct rpc_road {
    grpc_channel *channel; /* NULL: the place is free */
    char *address;         /* owned */
    uint64_t used;
    uint64_t certificates_version;
};

struct rpc_roads {
    struct rpc_road all[ROADS_MAX];
    uint64_t uses;
};

struct rpc_forward {
    struct rpc *rpc;
    const struct rpc_method *method;
    const struct rpc_asker *asker;
    void *tag;
    grpc_call *call;
    struct rpc_op sent, received, ended;
    struct rpc_link link; /* in rpc.forwards */
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *payload; /* of a unary call, when it has come; of a stream, the one that is being received */
    grpc_status_code status;
    grpc_slice message;
    unsigned pending; /* batches that have not come out */
    bool over;        /* its status is there */
    bool waits;       /* one was handed over, and has not been taken */
};

/* ---- roads ---- */

static grpc_channel *open_road(const struct rpc *r, const char *address,
                               const struct transport_credentials *credentials)
{
    const struct rpc_options *o = &r->options;
    const struct transport_setting settings[] = {
        {GRPC_ARG_ENABLE_RETRIES, 0},
        {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
        {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         INT_MAX}, /* it bounds what it sends, and this sidecar bounds all that it receives */
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
        {GRPC_ARG_MAX_METADATA_SIZE, (int)o->metadata_bytes_max},
        {GRPC_ARG_KEEPALIVE_TIME_MS, rpc_milliseconds(o->keepalive_time)},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, rpc_milliseconds(o->keepalive_timeout)},
        {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, rpc_milliseconds(o->connect_timeout)},
        {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100},
        {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg args[COUNT + 1];
    struct address at;
    char name[ADDRESS_NAME_SIZE];
    if (address_read_target(address, &at) != NULL || !address_target_name(&at, name))
        return NULL;
    transport_settings(settings, COUNT, args);
    args[COUNT] = rpc_incoming_arg(false);
    grpc_channel_credentials *ours = transport_channel_credentials(credentials, at.host);
    if (ours == NULL)
        return NULL;
    grpc_channel *channel = grpc_channel_create(name, ours, &(grpc_channel_args){.num_args = COUNT + 1, .args = args});
    grpc_channel_credentials_release(ours);
    return channel;
}

static void close_road(struct rpc_road *road)
{
    if (road->channel != NULL)
        grpc_channel_destroy(road->channel); /* calls on it keep what they need */
    free(road->address);
    *road = (struct rpc_road){.channel = NULL};
}

/* NULL: no memory, or no such address. */
static grpc_channel *road_to(struct rpc *r, const char *address, const struct transport_credentials *credentials)
{
    if (r->roads == NULL)
        r->roads = rpc_allocate(sizeof *r->roads);
    uint64_t version = credentials->certificates == NULL ? 0 : certificates_version(credentials->certificates);
    struct rpc_road *place = &r->roads->all[0];
    for (struct rpc_road *road = r->roads->all; road < r->roads->all + ROADS_MAX; road++) {
        if (road->channel != NULL && road->certificates_version == version && strcmp(road->address, address) == 0) {
            road->used = ++r->roads->uses;
            return road->channel;
        }
        if (road->used < place->used)
            place = road;
    }
    close_road(place);
    place->channel = open_road(r, address, credentials);
    place->address = strdup(address);
    place->certificates_version = version;
    place->used = ++r->roads->uses;
    if (place->channel == NULL || place->address == NULL)
        close_road(place);
    return place->channel;
}

/* ---- the end ---- */

static struct bytes details_of(const struct rpc_forward *f)
{
    for (size_t i = 0; i < f->trailing.count; i++)
        if (grpc_slice_str_cmp(f->trailing.metadata[i].key, DETAILS_KEY) == 0)
            return bytes_of(GRPC_SLICE_START_PTR(f->trailing.metadata[i].value),
                            GRPC_SLICE_LENGTH(f->trailing.metadata[i].value));
    return bytes_of(NULL, 0);
}

static void finish(struct rpc_forward *f)
{
    struct rpc *r = f->rpc;
    struct rpc_told told = {.status = (int)f->status, .details = details_of(f)};
    grpc_slice flat = grpc_empty_slice();
    char *text = grpc_slice_to_c_string(f->message);
    int code = f->payload == NULL ? 0 : rpc_unpack(r, f->payload, &told.body, &flat);
    told.message = text;
    if (f->status == GRPC_STATUS_OK && f->method->kind == RPC_UNARY && (code != 0 || f->payload == NULL))
        told = (struct rpc_told){.status = CODE_INTERNAL, .message = "the sidecar that was asked gave no answer"};
    rpc_link_remove(&f->link);
    r->forward_count--;
    f->asker->on_end(r->callbacks.self, f->tag, &told);
    grpc_slice_unref(flat);
    gpr_free(text);
    grpc_byte_buffer_destroy(f->payload);
    grpc_metadata_array_destroy(&f->initial);
    grpc_metadata_array_destroy(&f->trailing);
    grpc_slice_unref(f->message);
    if (f->call != NULL)
        grpc_call_unref(f->call);
    free(f);
}

/* A stream that ended well has no message left by then: the next is asked for until there is none. */
static void maybe_finish(struct rpc_forward *f)
{
    if (f->over && f->pending == 0 && !f->waits)
        finish(f);
}

/* ---- messages ---- */

static void start(struct rpc_forward *f, const grpc_op *ops, size_t count, struct rpc_op *op)
{
    CHECK(grpc_call_start_batch(f->call, ops, count, op, NULL) == GRPC_CALL_OK);
    f->pending++;
}

static void received(struct rpc_op *op, bool ok);

static void receive(struct rpc_forward *f)
{
    f->received.done = received;
    const grpc_op ops = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &f->payload};
    start(f, &ops, 1, &f->received);
}

static void received(struct rpc_op *op, bool ok)
{
    struct rpc_forward *f = RPC_HOLDER(op, struct rpc_forward, received);
    struct rpc *r = f->rpc;
    f->pending--;
    if (f->method->kind == RPC_UNARY || !ok || f->payload == NULL) {
        maybe_finish(f);
        return;
    }
    struct bytes message;
    grpc_slice flat;
    int code = rpc_unpack(r, f->payload, &message, &flat);
    f->waits = code == 0;
    if (code == 0)
        f->asker->on_message(r->callbacks.self, f->tag, message);
    else
        grpc_call_cancel_with_status(f->call, GRPC_STATUS_INTERNAL, rpc_unpack_words(code), NULL);
    grpc_slice_unref(flat);
    grpc_byte_buffer_destroy(f->payload);
    f->payload = NULL;
    maybe_finish(f);
}

static void sent(struct rpc_op *op, bool ok)
{
    struct rpc_forward *f = RPC_HOLDER(op, struct rpc_forward, sent);
    (void)ok;
    f->pending--;
    maybe_finish(f);
}

static void ended(struct rpc_op *op, bool ok)
{
    struct rpc_forward *f = RPC_HOLDER(op, struct rpc_forward, ended);
    (void)ok;
    f->pending--;
    f->over = true;
    f->waits = f->waits && f->status == GRPC_STATUS_OK;
    maybe_finish(f);
}

/* ---- who asks ---- */

struct rpc_forward *rpc_forward(struct rpc *r, const struct rpc_forward_to *to, const struct rpc_method *method,
                                struct bytes message, const struct rpc_asker *asker, void *tag)
{
    grpc_op ops[4];
    grpc_metadata metadata = {.key = grpc_slice_from_static_string(RPC_FORWARDED_KEY)};
    grpc_channel *channel = road_to(r, to->address, to->credentials);
    if (channel == NULL)
        return NULL;
    struct rpc_forward *f = rpc_allocate(sizeof *f);
    f->rpc = r;
    f->method = method;
    f->asker = asker;
    f->tag = tag;
    f->message = grpc_empty_slice();
    rpc_link_init(&f->link);
    rpc_link_append(&r->forwards, &f->link);
    r->forward_count++;
    gpr_timespec deadline = to->timeout.us < 0 ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : rpc_after(to->timeout);
    grpc_slice path = grpc_slice_from_copied_string(method->path);
    f->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, r->queue, path, NULL, deadline, NULL);
    grpc_slice_unref(path);
    memset(ops, 0, sizeof ops);
    char peer[RPC_FORWARDED_SIZE];
    metadata.value = rpc_slice_of(rpc_peer_write(to->peer, peer));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].data.send_initial_metadata.count = 1;
    ops[0].data.send_initial_metadata.metadata = &metadata;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = rpc_fill(r, message);
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &f->initial;
    f->sent.done = sent;
    start(f, ops, 4, &f->sent);
    grpc_slice_unref(metadata.value);
    receive(f);
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[0].data.recv_status_on_client.trailing_metadata = &f->trailing;
    ops[0].data.recv_status_on_client.status = &f->status;
    ops[0].data.recv_status_on_client.status_details = &f->message;
    f->ended.done = ended;
    start(f, ops, 1, &f->ended);
    return f;
}

void rpc_forward_took(struct rpc_forward *f)
{
    if (!f->waits)
        return;
    f->waits = false;
    receive(f);
}

void rpc_forward_cancel(struct rpc_forward *f)
{
    if (f->over) /* C core has nothing more to say of it by itself: asked for the next message, it says that there is none */
        rpc_forward_took(f);
    f->waits = false;
    grpc_call_cancel(f->call, NULL);
}

void rpc_forward_cancel_all(struct rpc *r)
{
    for (struct rpc_link *l = r->forwards.next; l != &r->forwards; l = l->next)
        rpc_forward_cancel(RPC_HOLDER(l, struct rpc_forward, link));
}

void rpc_forward_finish(struct rpc *r)
{
    CHECK(rpc_link_is_single(&r->forwards));
    for (unsigned i = 0; r->roads != NULL && i < ROADS_MAX; i++)
        close_road(&r->roads->all[i]);
    free(r->roads);
}
