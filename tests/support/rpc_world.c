/* rpc_world.c - the owner of the room under test, and the plain client before it. */
#include "tests/support/rpc_world.h"

#include "sidecar/base/account.h"

#include <check.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ECHO, HOLD, FAIL, STREAM, TALK, METHODS };

static const struct rpc_method methods[METHODS] = {
    {"/t.T/Echo", RPC_UNARY, ECHO}, {"/t.T/Hold", RPC_UNARY, HOLD},
    {"/t.T/Fail", RPC_UNARY, FAIL}, {"/t.T/Stream", RPC_SERVER_STREAM, STREAM},
    {"/t.T/Talk", RPC_BIDI, TALK},
};

static void set_text(struct world_text *t, struct bytes b)
{
    t->size = b.size;
    size_t kept = b.size < sizeof t->at ? b.size : sizeof t->at - 1;
    if (kept > 0)
        memcpy(t->at, b.at, kept);
    t->at[kept] = '\0';
}

static struct world_held *held_of(struct world *w, struct rpc_call *call)
{
    struct world_held *h = rpc_call_owner(call);
    if (h == NULL) {
        ck_assert_int_lt(w->held_count, WORLD_HELD_MAX);
        h = &w->held[w->held_count++];
        h->call = call;
        rpc_call_set_owner(call, h);
    }
    return h;
}

static void on_message(void *self, struct rpc_call *call, struct bytes message)
{
    struct world *w = self;
    int id = rpc_call_method(call)->id;
    if (id == ECHO) {
        const gpr_timespec end =
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(w->echo_takes.us, GPR_TIMESPAN));
        while (w->echo_takes.us > 0 && gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) < 0)
            ;
        w->echoes++;
        rpc_reply(call, message);
    } else if (id == FAIL) {
        rpc_end(call, 9, "not in this state", bytes_of_text("\x08\x09"));
    } else {
        struct world_held *h = held_of(w, call);
        h->messages++;
        set_text(&h->message, message);
    }
}

static void on_half_close(void *self, struct rpc_call *call)
{
    held_of(self, call)->half_closes++;
}

static void on_cancelled(void *self, struct rpc_call *call)
{
    struct world *w = self;
    struct world_held *h = held_of(w, call);
    h->cancellations++;
    if (w->reply_to_cancelled) {
        h->call = NULL;
        rpc_end(call, 1, NULL, bytes_of(NULL, 0));
    }
}

static void on_sent(void *self, struct rpc_call *call)
{
    held_of(self, call)->sent++;
}

static void on_answer(void *self, void *tag, const struct rpc_answer *answer)
{
    struct world_answer *a = tag;
    (void)self;
    a->count++;
    a->reach = answer->reach;
    a->unreached = answer->unreached;
    a->status = answer->status;
    a->has_pushback = answer->has_pushback;
    a->pushback = answer->pushback;
    set_text(&a->message, answer->message);
    set_text(&a->output, answer->output);
}

static void on_turned_away(void *self)
{
    struct world *w = self;
    atomic_fetch_add(&w->turned_away, 1);
}

static void on_refused(void *self, const struct rpc_method *method, int code)
{
    struct world *w = self;
    ck_assert_ptr_nonnull(method);
    w->refusals++;
    w->refused_code = code;
}

static void on_reachable(void *self, unsigned number)
{
    struct world *w = self;
    ck_assert_uint_eq(number, WORLD_TARGET);
    w->reachable++;
}

void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->reply_to_cancelled = true;
    w->options = (struct rpc_options){
        .methods = methods,
        .method_count = METHODS,
        .message_bytes_max = 1 << 20,
        .calls_max = 100,
        .streams_max = 10,
        .connection_streams_max = 128,
        .handshake_timeout = SPAN_S(5),
        .keepalive_time = SPAN_S(30),
        .keepalive_timeout = SPAN_S(10),
        .connect_timeout = SPAN_S(2),
        .metadata_bytes_max = 16384,
    };
}

static bool may_leave(void *self)
{
    return !((struct world *)self)->forbids;
}

void world_open(struct world *w, bool unix_socket)
{
    const struct rpc_callbacks callbacks = {.on_message = on_message,
                                            .on_half_close = on_half_close,
                                            .on_cancelled = on_cancelled,
                                            .on_sent = on_sent,
                                            .on_answer = on_answer,
                                            .on_turned_away = on_turned_away,
                                            .on_refused = on_refused,
                                            .on_reachable = on_reachable,
                                            .may_leave = may_leave,
                                            .self = w};
    struct error_detail detail = {0};
    ck_assert_int_eq(rpc_create(&w->options, &callbacks, &w->rpc), 0);
    strcpy(w->folder, "/tmp/test_rpc.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w->folder));
    if (unix_socket)
        snprintf(w->address, sizeof w->address, "unix:%s/s.sock", w->folder);
    else
        snprintf(w->address, sizeof w->address, "%s:0", w->host != NULL ? w->host : "127.0.0.1");
    const struct rpc_listener listener = {.address = w->address,
                                          .credentials = w->credentials == NULL ? &transport_plaintext : w->credentials,
                                          .role = WORLD_ROLE};
    int rc = rpc_listen(w->rpc, &listener, &w->port, &detail);
    ck_assert_msg(rc == 0, "%s", detail.text);
    if (!unix_socket)
        snprintf(w->address, sizeof w->address, "%s:%d", w->host != NULL ? w->host : "127.0.0.1", w->port);
    rpc_start(w->rpc);
    w->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_channel_credentials *plaintext = grpc_insecure_credentials_create();
    grpc_arg packing = {.type = GRPC_ARG_INTEGER, .value.integer = GRPC_COMPRESS_GZIP};
    packing.key = (char *)(uintptr_t)GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM;
    w->channel = grpc_channel_create(w->address, plaintext, &(grpc_channel_args){w->compresses ? 1 : 0, &packing});
    grpc_channel_credentials_release(plaintext);
}

void world_close(struct world *w)
{
    for (int i = 0; i < w->held_count; i++) {
        struct rpc_call *call = w->held[i].call;
        w->held[i].call = NULL;
        if (call != NULL)
            rpc_end(call, 14, "closing", bytes_of(NULL, 0));
    }
    rpc_stop(w->rpc);
    WORLD_UNTIL(w, rpc_idle(w->rpc));
    rpc_destroy(w->rpc);
    ck_assert_uint_eq(atomic_load(&account.leaving), 0); /* what was sent has been counted out */
    grpc_channel_destroy(w->channel);
    grpc_completion_queue_shutdown(w->queue);
    while (grpc_completion_queue_next(w->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN)
        ;
    grpc_completion_queue_destroy(w->queue);
    char path[96];
    snprintf(path, sizeof path, "%s/s.sock", w->folder);
    unlink(path);
    ck_assert_int_eq(rmdir(w->folder), 0);
}

gpr_timespec world_deadline(int seconds)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(seconds, GPR_TIMESPAN));
}

/* ---- the plain client ---- */

enum what { SENT, RECEIVED, ENDED };

struct tag {
    struct client_call *call;
    enum what what;
    bool last;
};

static void read_buffer(struct client_call *c)
{
    grpc_byte_buffer_reader reader;
    ck_assert_int_ne(grpc_byte_buffer_reader_init(&reader, c->buffer), 0);
    grpc_slice flat = grpc_byte_buffer_reader_readall(&reader);
    struct bytes all = bytes_of(GRPC_SLICE_START_PTR(flat), GRPC_SLICE_LENGTH(flat));
    set_text(&c->message, all);
    if (c->keeps) {
        free((void *)(uintptr_t)c->kept.at);
        void *copy = malloc(all.size + 1);
        memcpy(copy, all.at, all.size);
        c->kept = bytes_of(copy, all.size);
    }
    grpc_slice_unref(flat);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(c->buffer);
    c->buffer = NULL;
}

static void completed(struct tag *tag)
{
    struct client_call *c = tag->call;
    c->pending--;
    if (tag->what == SENT)
        c->sent = true;
    if (tag->what == RECEIVED) {
        if (c->buffer == NULL) {
            c->end_of_messages = true;
        } else {
            read_buffer(c);
            c->received++;
        }
    }
    if (tag->what == ENDED) {
        for (size_t i = 0; i < c->trailing.count; i++)
            if (grpc_slice_str_cmp(c->trailing.metadata[i].key, "grpc-status-details-bin") == 0) {
                grpc_slice value = c->trailing.metadata[i].value;
                set_text(&c->details, bytes_of(GRPC_SLICE_START_PTR(value), GRPC_SLICE_LENGTH(value)));
            }
        c->ended = true;
    }
    free(tag);
}

void world_turn(struct world *w)
{
    int handled = rpc_poll(w->rpc, SPAN_MS(0));
    for (int i = 0; i < 3; i++) {
        grpc_event event = grpc_completion_queue_next(w->queue, gpr_inf_past(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            completed(event.tag);
            handled++;
        }
    }
    if (handled == 0)
        rpc_poll(w->rpc, SPAN_MS(1));
}

static void start(struct client_call *c, const grpc_op *ops, size_t count, enum what what)
{
    struct tag *tag = calloc(1, sizeof *tag);
    tag->call = c;
    tag->what = what;
    ck_assert_int_eq(grpc_call_start_batch(c->call, ops, count, tag, NULL), GRPC_CALL_OK);
    c->pending++;
}

void client_start(struct client_call *c, struct world *w, const char *method, int timeout_ms)
{
    memset(c, 0, sizeof *c);
    c->world = w;
    c->status_message = grpc_empty_slice();
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (timeout_ms > 0)
        deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    grpc_slice path = grpc_slice_from_copied_string(method);
    c->call = grpc_channel_create_call(w->channel, NULL, GRPC_PROPAGATE_DEFAULTS, w->queue, path, NULL, deadline, NULL);
    grpc_slice_unref(path);
    grpc_op ops[3];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &c->initial;
    ops[2].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[2].data.recv_status_on_client.trailing_metadata = &c->trailing;
    ops[2].data.recv_status_on_client.status = &c->status;
    ops[2].data.recv_status_on_client.status_details = &c->status_message;
    start(c, ops, 3, ENDED);
}

void client_send(struct client_call *c, struct bytes message, bool last)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)message.at, message.size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[2];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_MESSAGE;
    ops[0].data.send_message.send_message = buffer;
    ops[1].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    c->sent = false;
    start(c, ops, last ? 2 : 1, SENT);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
}

void client_half_close(struct client_call *c)
{
    const grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    start(c, &op, 1, SENT);
}

void client_receive(struct client_call *c)
{
    const grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &c->buffer};
    start(c, &op, 1, RECEIVED);
}

void client_finish(struct client_call *c)
{
    WORLD_UNTIL(c->world, c->pending == 0);
    ck_assert(c->ended);
    grpc_metadata_array_destroy(&c->initial);
    grpc_metadata_array_destroy(&c->trailing);
    free((void *)(uintptr_t)c->kept.at);
    grpc_slice_unref(c->status_message);
    grpc_call_unref(c->call);
}

void client_cancel(struct client_call *c)
{
    grpc_call_cancel(c->call, NULL);
}

void client_unary(struct client_call *c, struct world *w, const char *method, struct bytes request)
{
    client_start(c, w, method, 0);
    client_receive(c);
    client_send(c, request, true);
    client_finish(c);
}

/* ---- calls out ---- */

struct rpc_target *world_target(struct world *w, const char *address)
{
    struct rpc_target *target;
    struct error_detail detail = {0};
    int rc = rpc_target_create(
        w->rpc,
        &(struct rpc_peer_address){
            .address = address, .credentials = &transport_plaintext, .number = WORLD_TARGET, .policy = w->policy},
        &target, &detail);
    ck_assert_msg(rc == 0, "%s", detail.text);
    return target;
}

void world_call_out(struct world *w, struct rpc_target *target, const char *method, const char *request,
                    struct span timeout, struct world_answer *answer)
{
    (void)w;
    const struct rpc_metadata metadata[] = {{"saga-id", bytes_of_text("00000000000000000000000000000001")},
                                            {"idempotency-key", bytes_of_text("k")}};
    memset(answer, 0, sizeof *answer);
    rpc_call_out(target, method, metadata, 2, bytes_of_text(request), timeout, answer);
}
