/* call.c - the life of one served call.
 *
 * A unary call costs three events: it arrives with its message, what follows the message is found to be nothing, and its reply has left.
 * Word of its cancellation is asked for together with the reply, which is free, or earlier once it has become a long call. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/rpc/status_details.h"

#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <string.h>

/* Calls kept for reuse. */
#define FREE_CALLS_MAX 1024

#define DETAILS_KEY "grpc-status-details-bin"

static void maybe_release(struct rpc_call *call);

struct rpc_call *rpc_call_take(struct rpc *r, struct rpc_entrance *entrance, const struct rpc_served *served)
{
    struct rpc_call *call = r->free_calls;
    if (call != NULL) {
        r->free_calls = call->next_free;
        r->free_call_count--;
        memset(call, 0, sizeof *call);
    } else {
        call = rpc_allocate(sizeof *call);
    }
    call->rpc = r;
    call->entrance = entrance;
    call->served = served;
    grpc_metadata_array_init(&call->metadata);
    call->end_message = grpc_empty_slice();
    call->end_details = grpc_empty_slice();
    rpc_link_init(&call->open);
    rpc_link_init(&call->unwatched);
    rpc_link_init(&call->unended);
    rpc_link_init(&call->leaving.link);
    return call;
}

void rpc_call_give_back(struct rpc_call *call)
{
    struct rpc *r = call->rpc;
    grpc_metadata_array_destroy(&call->metadata);
    if (r->free_call_count >= FREE_CALLS_MAX) {
        free(call);
        return;
    }
    call->next_free = r->free_calls;
    r->free_calls = call;
    r->free_call_count++;
}

static const struct rpc_callbacks *callbacks_of(const struct rpc_call *call)
{
    return &call->served->service->callbacks;
}

static bool is_unary(const struct rpc_call *call)
{
    return call->served != NULL && call->served->method->kind == RPC_UNARY;
}

static void maybe_release(struct rpc_call *call)
{
    if (call->pending > 0 || !call->ended)
        return;
    if (call->counted) {
        struct rpc_quota *quota = &call->served->service->quota;
        quota->calls--;
        quota->streams -= !is_unary(call);
    }
    rpc_link_remove(&call->open);
    rpc_link_remove(&call->unwatched);
    rpc_link_remove(&call->unended);
    grpc_byte_buffer_destroy(call->payload);
    grpc_byte_buffer_destroy(call->surplus);
    grpc_slice_unref(call->end_message);
    grpc_slice_unref(call->end_details);
    grpc_call_unref(call->call);
    free(call->peer);
    rpc_call_give_back(call);
}

static void start(struct rpc_call *call, const grpc_op *ops, size_t count, struct rpc_op *op)
{
    CHECK(grpc_call_start_batch(call->call, ops, count, op, NULL) == GRPC_CALL_OK);
    call->pending++;
}

static void start_sending(struct rpc_call *call, const grpc_op *ops, size_t count, struct rpc_op *op, size_t size)
{
    call->leaving.call = call->call;
    rpc_leaving_begin(call->rpc, &call->leaving, size);
    start(call, ops, count, op);
}

/* ---- cancellation ---- */

static void closed(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = RPC_HOLDER(op, struct rpc_call, closed);
    if (!ok || call->cancelled)
        call->gone = true;
    if (call->gone && call->delivered && !call->ended)
        callbacks_of(call)->on_cancelled(callbacks_of(call)->self, call);
    call->pending--;
    maybe_release(call);
}

static void watch(struct rpc_call *call)
{
    rpc_link_remove(&call->unwatched);
    if (call->watched || call->ended)
        return;
    call->watched = true;
    call->closed.done = closed;
    const grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled};
    start(call, &op, 1, &call->closed);
}

void rpc_call_watch_before(struct rpc *r, uint64_t turn)
{
    while (!rpc_link_is_single(&r->unwatched)) {
        struct rpc_call *call = RPC_HOLDER(r->unwatched.next, struct rpc_call, unwatched);
        if (call->turn >= turn)
            return;
        watch(call);
    }
}

void rpc_call_cancel_all(struct rpc *r)
{
    rpc_call_watch_before(r, UINT64_MAX);
    for (struct rpc_link *l = r->open.next; l != &r->open; l = l->next) {
        struct rpc_call *call = RPC_HOLDER(l, struct rpc_call, open);
        if (!call->delivered)
            call->gone = true;
        grpc_call_cancel_with_status(call->call, GRPC_STATUS_UNAVAILABLE, "the sidecar is stopping", NULL);
    }
}

/* ---- the end ---- */

static void finished(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = RPC_HOLDER(op, struct rpc_call, finished);
    (void)ok;
    rpc_leaving_end(&call->leaving);
    atomic_fetch_add_explicit(&call->rpc->ends, 1, memory_order_relaxed);
    /* For guard.c. A client that goes away with what it waits for does not count; one that is refused at the door does. */
    if (call->cancelled && call->quick)
        atomic_fetch_add_explicit(&call->rpc->resets, 1, memory_order_relaxed);
    call->pending--;
    maybe_release(call);
}

/* Sends the last batch: what has not been sent yet, up to and with the status. message is of a unary call that ends well. */
static void send_end(struct rpc_call *call, const struct bytes *message)
{
    grpc_op ops[4];
    grpc_metadata details = {0};
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    if (!call->greeted)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (message != NULL) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = rpc_fill(call->rpc, *message);
    }
    grpc_op *status = &ops[count++];
    status->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    status->data.send_status_from_server.status = (grpc_status_code)call->end_status;
    if (GRPC_SLICE_LENGTH(call->end_message) > 0)
        status->data.send_status_from_server.status_details = &call->end_message;
    if (GRPC_SLICE_LENGTH(call->end_details) > 0) {
        details.key = grpc_slice_from_static_string(DETAILS_KEY);
        details.value = call->end_details;
        status->data.send_status_from_server.trailing_metadata_count = 1;
        status->data.send_status_from_server.trailing_metadata = &details;
    }
    if (!call->watched) {
        call->watched = call->quick = true;
        ops[count].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
        ops[count++].data.recv_close_on_server.cancelled = &call->cancelled;
    }
    call->finished.done = finished;
    start_sending(call, ops, count, &call->finished, message == NULL ? 0 : message->size);
}

static void end(struct rpc_call *call, const struct bytes *message)
{
    CHECK(!call->ended);
    call->ended = true;
    rpc_link_remove(&call->unwatched);
    if (call->gone)
        maybe_release(call);
    else if (call->sending)
        call->end_waits = true;
    else
        send_end(call, message);
}

void rpc_reply(struct rpc_call *call, struct bytes message)
{
    CHECK(is_unary(call));
    if (call->ask != NULL)
        rpc_ask_end(call, &(struct rpc_told){.body = message});
    else
        end(call, &message);
}

void rpc_end(struct rpc_call *call, int status, const char *message, struct bytes details)
{
    if (call->ask != NULL) {
        rpc_ask_end(call, &(struct rpc_told){.status = status, .message = message, .details = details});
        return;
    }
    call->end_status = status;
    if (message != NULL)
        call->end_message = grpc_slice_from_copied_string(message);
    if (details.size > 0)
        call->end_details = rpc_slice_of(details);
    end(call, NULL);
}

/* Ends a call that the owner does not know of. */
static void refuse(struct rpc_call *call, int status, const char *message, struct bytes details)
{
    if (rpc_link_is_single(&call->open))
        rpc_link_append(&call->rpc->open, &call->open);
    rpc_end(call, status, message, details);
}

void rpc_call_refuse(struct rpc_call *call, int code)
{
    uint8_t details[STATUS_DETAILS_SIZE_MAX];
    char message[STATUS_MESSAGE_SIZE_MAX];
    const struct rpc_callbacks *callbacks = call->served == NULL ? NULL : callbacks_of(call);
    if (callbacks != NULL && callbacks->on_refused != NULL)
        callbacks->on_refused(callbacks->self, call->served->method, code);
    refuse(call, error_row(code)->grpc_status, status_message(code, NULL, message),
           status_details(code, NULL, details));
}

void rpc_call_refuse_silent(struct rpc *r)
{
    for (struct rpc_link *l = r->open.next, *next; l != &r->open; l = next) {
        struct rpc_call *call = RPC_HOLDER(l, struct rpc_call, open);
        next = l->next; /* a call that is gone leaves the list at once */
        if (!call->delivered && !call->ended && call->served->method->kind == RPC_BIDI)
            rpc_call_refuse(call, E_STOPPING);
    }
}

void rpc_call_refuse_words(struct rpc_call *call, int status, const char *message)
{
    refuse(call, status, message, bytes_of(NULL, 0));
}

/* ---- what comes in ---- */

/* A message that cannot be unpacked. A stream that the owner knows of is cancelled: it hears of that as of a peer that is gone. */
static void refuse_packed(struct rpc_call *call, int code)
{
    int status = code == E_ARGUMENT ? CODE_INVALID_ARGUMENT : CODE_RESOURCE_EXHAUSTED;
    const char *words = rpc_unpack_words(code);
    if (call->delivered)
        grpc_call_cancel_with_status(call->call, (grpc_status_code)status, words, NULL);
    else
        rpc_call_refuse_words(call, status, words);
}

/* Hands call->payload to the owner. */
static void deliver(struct rpc_call *call)
{
    call->pending++; /* the owner may end the call before the callback returns */
    /* The owner may ask for the next message within the callback, and it may be there at once. */
    grpc_byte_buffer *payload = call->payload;
    call->payload = NULL;
    grpc_slice flat;
    struct bytes message;
    int code = rpc_unpack(call->rpc, payload, &message, &flat);
    if (code != 0) {
        refuse_packed(call, code);
    } else {
        if (!call->delivered && is_unary(call)) {
            call->turn = call->rpc->turn;
            rpc_link_append(&call->rpc->unwatched, &call->unwatched);
        }
        call->delivered = true;
        callbacks_of(call)->on_message(callbacks_of(call)->self, call, message);
    }
    grpc_slice_unref(flat);
    grpc_byte_buffer_destroy(payload);
    call->pending--;
    maybe_release(call);
}

/* A unary call or server stream has one message, and what follows it is known now. */
static void surplus_known(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = RPC_HOLDER(op, struct rpc_call, received);
    (void)ok;
    call->pending--;
    rpc_link_remove(&call->unended);
    if (call->gone || call->ended) {
        call->ended = true;
        maybe_release(call);
    } else if (call->surplus != NULL) {
        rpc_call_refuse_words(call, CODE_UNIMPLEMENTED, "the method takes one message, and more have come");
    } else {
        if (!is_unary(call))
            watch(call);
        deliver(call);
    }
}

static void received(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = RPC_HOLDER(op, struct rpc_call, received);
    (void)ok;
    call->receiving = false;
    if (call->ended) {
        grpc_byte_buffer_destroy(call->payload);
        call->payload = NULL;
    } else if (call->gone) {
        /* Whoever knows of the call has heard of it; who has not need not. */
        if (!call->delivered)
            call->ended = true;
    } else if (call->payload != NULL) {
        deliver(call);
    } else {
        call->delivered = true;
        callbacks_of(call)->on_half_close(callbacks_of(call)->self, call);
    }
    call->pending--;
    maybe_release(call);
}

static void receive(struct rpc_call *call, grpc_byte_buffer **into, void (*done)(struct rpc_op *op, bool ok))
{
    call->received.done = done;
    const grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = into};
    start(call, &op, 1, &call->received);
}

void rpc_call_begin(struct rpc_call *call)
{
    rpc_link_append(&call->rpc->open, &call->open);
    call->since = call->rpc->now;
    if (call->served->method->kind == RPC_BIDI) {
        watch(call);
        call->receiving = true;
        receive(call, &call->payload, received);
    } else if (call->payload == NULL) {
        rpc_call_refuse_words(call, CODE_UNIMPLEMENTED, "the method takes one message, and none has come");
    } else {
        rpc_link_append(&call->rpc->unended, &call->unended);
        receive(call, &call->surplus, surplus_known);
    }
}

void rpc_call_refuse_unended(struct rpc *r, gpr_timespec *next)
{
    gpr_timespec patience = gpr_time_from_micros(r->options.handshake_timeout.us, GPR_TIMESPAN);
    while (!rpc_link_is_single(&r->unended)) {
        struct rpc_call *call = RPC_HOLDER(r->unended.next, struct rpc_call, unended);
        gpr_timespec due = gpr_time_add(call->since, patience);
        if (gpr_time_cmp(due, r->now) > 0) {
            *next = gpr_time_min(*next, due);
            return;
        }
        rpc_link_remove(&call->unended);
        if (!call->ended)
            rpc_call_refuse_words(call, CODE_DEADLINE_EXCEEDED,
                                  "the request has not come to its end within handshake_timeout");
    }
}

void rpc_next(struct rpc_call *call)
{
    CHECK(call->served->method->kind == RPC_BIDI && !call->receiving && !call->ended);
    if (call->gone)
        return;
    call->receiving = true;
    receive(call, &call->payload, received);
}

/* ---- what goes out on a stream ---- */

static void sent(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = RPC_HOLDER(op, struct rpc_call, sent);
    rpc_leaving_end(&call->leaving);
    call->sending = false;
    if (call->end_waits && !call->gone)
        send_end(call, NULL);
    else if (ok && !call->ended && !call->gone)
        callbacks_of(call)->on_sent(callbacks_of(call)->self, call);
    call->pending--;
    maybe_release(call);
}

void rpc_send(struct rpc_call *call, struct bytes message)
{
    CHECK(!is_unary(call) && !call->sending && !call->ended);
    if (call->gone)
        return;
    if (call->ask != NULL) {
        rpc_ask_send(call, message);
        return;
    }
    grpc_op ops[2];
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    if (!call->greeted)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = rpc_fill(call->rpc, message);
    call->greeted = true;
    call->sending = true;
    call->sent.done = sent;
    start_sending(call, ops, count, &call->sent, message.size);
}

/* ---- what the owner may ask ---- */

struct bytes rpc_call_metadata(const struct rpc_call *call, const char *key)
{
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *m = &call->metadata.metadata[i];
        if (grpc_slice_str_cmp(m->key, key) == 0)
            return bytes_of(GRPC_SLICE_START_PTR(m->value), GRPC_SLICE_LENGTH(m->value));
    }
    return bytes_of(NULL, 0);
}

const struct rpc_method *rpc_call_method(const struct rpc_call *call)
{
    return call->served->method;
}

void rpc_call_set_owner(struct rpc_call *call, void *owner)
{
    call->owner = owner;
}

void *rpc_call_owner(const struct rpc_call *call)
{
    return call->owner;
}
