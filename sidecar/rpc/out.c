/* out.c - calls out.
 *
 * What is sent and what is received are batches of their own, so that the end of a call reaches us at its deadline although the peer does not
 * read what was sent: the answer is given then, and the call lingers until its sends have come out (stall.c). A call is given to C core once
 * there is a connection for it, and the target takes what it is sent; until then that holds it (target.c), so that it has certainly not left. Where every address fails, or the
 * connection was lost just then, C core has the call without one; then its headers are a batch of their own as well, whose fate tells for
 * certain whether the call has left: it comes out as done once they are on a connection, and as failed when they never were. A call that has
 * found no connection within connect_timeout is given up. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <string.h>

#define FREE_OUTS_MAX   1024
#define METADATA_MAX    32
#define PUSHBACK_KEY    "grpc-retry-pushback-ms"
#define PUSHBACK_MS_MAX (INT64_C(24) * 3600 * 1000)

/* Of a call that has ended: its headers, too, fail within this, unless they are stuck on a connection and so have left. */
#define DECISION_MS 250

/* When the room is taken down: what is stuck on a connection has this long to come out once that is cut. */
#define LINGER_MS 1000

/* What a call that is held will be made of. */
struct headers {
    grpc_slice path;
    size_t count;
    grpc_metadata entries[METADATA_MAX];
};

struct rpc_out {
    struct rpc *rpc;
    struct rpc_target *target;
    grpc_call *call;
    void *tag;
    struct rpc_reflecting *reflecting; /* whose question it is; NULL: the owner's call */
    struct rpc_op ended;               /* everything that is received */
    struct rpc_op left;                /* the headers */
    struct rpc_op sent;                /* the request, and on a channel with a connection the headers, too */
    struct rpc_leaving leaving;
    struct rpc_link link;       /* in rpc.outs, or in rpc.lingering */
    struct rpc_link connecting; /* in its target's ring, rpc.connecting, rpc.unanswered or rpc.undecided */
    struct headers *held;       /* owned, until it has a line */
    gpr_timespec connect_end;   /* or the end of the wait for a decision */
    gpr_timespec deadline;

    struct bytes view;  /* of the request */
    grpc_slice request; /* until it is sent; empty once it is */
    size_t counted;     /* of what its target has not taken */
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *output;
    grpc_status_code status;
    grpc_slice message;
    const char *trace; /* C core's account of what went wrong, or NULL; ours to free */
    unsigned pending;  /* batches that have not come out: none once it is over, and all that was sent has */
    bool apart;        /* its headers are a batch of their own */
    bool decided;      /* and have come out */
    bool over;         /* `ended` has come out */
    bool unsent;       /* its headers were never put on a connection */
    bool cancelled;    /* by us */
    const char *words; /* in rpc.unanswered: what its answer says, with its status; */
    const char *why;   /* and why its target could not be reached, if that is the reason */
    struct rpc_out *next_free;
};

static struct rpc_out *take(struct rpc *r)
{
    struct rpc_out *out = r->free_outs;
    if (out != NULL) {
        r->free_outs = out->next_free;
        r->free_out_count--;
        memset(out, 0, sizeof *out);
    } else {
        out = rpc_allocate(sizeof *out);
    }
    out->rpc = r;
    out->message = grpc_empty_slice();
    out->request = grpc_empty_slice();
    rpc_link_init(&out->connecting);
    rpc_link_init(&out->leaving.link);
    rpc_link_append(&r->outs, &out->link);
    r->out_count++;
    return out;
}

static void headers_unref(const struct headers *h)
{
    grpc_slice_unref(h->path);
    for (size_t i = 0; i < h->count; i++) {
        grpc_slice_unref(h->entries[i].key);
        grpc_slice_unref(h->entries[i].value);
    }
}

static void free_held(struct rpc_out *out)
{
    if (out->held != NULL)
        headers_unref(out->held);
    free(out->held);
    out->held = NULL;
}

static void count_gone(struct rpc_out *out)
{
    rpc_target_took(out->target, out->counted);
    out->counted = 0;
}

static void give_back(struct rpc_out *out)
{
    struct rpc *r = out->rpc;
    count_gone(out);
    rpc_link_remove(&out->link);
    rpc_link_remove(&out->connecting);
    rpc_leaving_end(&out->leaving);
    free_held(out);
    grpc_metadata_array_destroy(&out->initial);
    grpc_metadata_array_destroy(&out->trailing);
    grpc_byte_buffer_destroy(out->output);
    grpc_slice_unref(out->message);
    grpc_slice_unref(out->request);
    gpr_free((void *)(uintptr_t)out->trace);
    if (out->call != NULL)
        grpc_call_unref(out->call);
    if (r->free_out_count >= FREE_OUTS_MAX) {
        free(out);
        return;
    }
    out->next_free = r->free_outs;
    r->free_outs = out;
    r->free_out_count++;
}

/* Reads the number of milliseconds. What is no number asks for no retry, as a negative one does:
 * https://github.com/grpc/proposal/blob/master/A6-client-retries.md */
static struct span pushback_of(grpc_slice value)
{
    const uint8_t *at = GRPC_SLICE_START_PTR(value);
    size_t size = GRPC_SLICE_LENGTH(value);
    int64_t ms = 0;
    if (size == 0)
        return SPAN_MS(-1);
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9')
            return SPAN_MS(-1);
        ms = ms > PUSHBACK_MS_MAX ? ms : ms * 10 + (at[i] - '0');
    }
    return SPAN_MS(ms > PUSHBACK_MS_MAX ? PUSHBACK_MS_MAX : ms);
}

/* The participant's word on its function, or NULL. */
static const char *function_of(const struct rpc_out *out)
{
    for (size_t i = 0; i < out->trailing.count; i++) {
        const grpc_metadata *m = &out->trailing.metadata[i];
        if (grpc_slice_str_cmp(m->key, SAGA_FUNCTION_KEY) != 0)
            continue;
        if (grpc_slice_str_cmp(m->value, SAGA_FUNCTION_ENDED) == 0)
            return SAGA_FUNCTION_ENDED;
        if (grpc_slice_str_cmp(m->value, SAGA_FUNCTION_NOT_BEGUN) == 0)
            return SAGA_FUNCTION_NOT_BEGUN;
    }
    return NULL;
}

static void find_pushback(const struct rpc_out *out, struct rpc_answer *a)
{
    for (size_t i = 0; i < out->trailing.count && !a->has_pushback; i++) {
        const grpc_metadata *m = &out->trailing.metadata[i];
        if (grpc_slice_str_cmp(m->key, PUSHBACK_KEY) == 0) {
            a->has_pushback = true;
            a->pushback = pushback_of(m->value);
        }
    }
}

static void hand_over(struct rpc_out *out, const struct rpc_answer *a)
{
    struct rpc *r = out->rpc;
    if (out->reflecting != NULL)
        rpc_reflecting_answer(out->reflecting, a);
    else
        r->callbacks.on_answer(r->callbacks.self, out->tag, a);
}

static enum saga_reach reach_of(struct rpc_out *out)
{
    bool late = gpr_time_cmp(out->deadline, gpr_now(out->deadline.clock_type)) <= 0;
    const struct rpc_ending ending = {
        .status = (int)out->status,
        .trace = out->trace,
        .function = function_of(out),
        .unsent = out->unsent,
        .ended_here = out->cancelled || (late && out->status == GRPC_STATUS_DEADLINE_EXCEEDED),
    };
    return rpc_reach_of(&ending);
}

static void answer(struct rpc_out *out)
{
    struct rpc *r = out->rpc;
    struct rpc_answer a = {
        .reach = SAGA_REACH_ANSWERED,
        .status = (int)out->status,
        .message = bytes_of(GRPC_SLICE_START_PTR(out->message), GRPC_SLICE_LENGTH(out->message)),
    };
    grpc_slice flat = grpc_empty_slice();
    int code;
    if (out->status != GRPC_STATUS_OK) {
        a.reach = reach_of(out);
        if (out->unsent) {
            a.unreached = rpc_target_cause(out->trace);
            rpc_target_await(out->target);
        }
        find_pushback(out, &a);
    } else if (out->output == NULL) {
        /* It says that all is well, but there is no output for the steps that follow. */
        a.reach = SAGA_REACH_MAYBE;
        a.status = CODE_INTERNAL;
        a.message = bytes_of_text("the peer answered OK without a message");
    } else if ((code = rpc_unpack(r, out->output, &a.output, &flat)) != 0) {
        a.reach = SAGA_REACH_MAYBE;
        a.status = code == E_ARGUMENT ? CODE_INTERNAL : CODE_RESOURCE_EXHAUSTED;
        a.message = bytes_of_text(rpc_unpack_words(code));
    }
    rpc_link_remove(&out->link);
    rpc_link_append(&r->lingering, &out->link);
    r->out_count--;
    hand_over(out, &a);
    grpc_slice_unref(flat);
    if (out->pending == 0)
        give_back(out);
}

static void ended(struct rpc_op *op, bool ok)
{
    struct rpc_out *out = RPC_HOLDER(op, struct rpc_out, ended);
    struct rpc *r = out->rpc;
    (void)ok;
    out->pending--;
    out->over = true;
    rpc_link_remove(&out->connecting);
    if (!out->apart || out->decided || out->status == GRPC_STATUS_OK) {
        answer(out);
        return;
    }
    out->connect_end = gpr_time_add(r->now, gpr_time_from_millis(DECISION_MS, GPR_TIMESPAN));
    rpc_link_append(&r->undecided, &out->connecting);
}

static void sent(struct rpc_op *op, bool ok)
{
    struct rpc_out *out = RPC_HOLDER(op, struct rpc_out, sent);
    (void)ok;
    rpc_leaving_end(&out->leaving);
    count_gone(out);
    if (--out->pending == 0)
        give_back(out);
}

/* Returns whether C core has taken the batch. It refuses only metadata that cannot go on the wire (a line break, say). */
static bool start(struct rpc_out *out, const grpc_op *ops, size_t count, struct rpc_op *op)
{
    if (grpc_call_start_batch(out->call, ops, count, op, NULL) != GRPC_CALL_OK)
        return false;
    out->pending++;
    return true;
}

/* Sends the request, behind the headers when there are any to send. Returns false when C core refuses those. */
static bool send_request(struct rpc_out *out, const grpc_op *headers)
{
    grpc_op ops[3];
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    if (headers != NULL)
        ops[count++] = *headers;
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    size_t size = GRPC_SLICE_LENGTH(out->request);
    ops[count++].data.send_message.send_message = rpc_fill_slice(out->rpc, out->request);
    ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    out->request = grpc_empty_slice();
    out->sent.done = sent;
    if (!start(out, ops, count, &out->sent))
        return false;
    rpc_leaving_begin(out->rpc, &out->leaving, size);
    return true;
}

static void left(struct rpc_op *op, bool ok)
{
    struct rpc_out *out = RPC_HOLDER(op, struct rpc_out, left);
    bool undecided = out->over && !rpc_link_is_single(&out->connecting);
    out->pending--;
    out->decided = true;
    out->unsent = !ok;
    rpc_link_remove(&out->connecting);
    if (undecided)
        answer(out);
    else if (out->pending == 0)
        give_back(out);
    else if (ok && !out->over)
        CHECK(send_request(out, NULL));
}

/* It will be answered in the next turn, without C core. */
static void answer_later(struct rpc_out *out, int status, const char *words, const char *why)
{
    out->status = (grpc_status_code)status;
    out->words = words;
    out->why = why;
    rpc_link_remove(&out->connecting);
    rpc_link_append(&out->rpc->unanswered, &out->connecting);
}

/* Into the ring of those that have no connection yet, which is in the order of their ends; those that were held come with an earlier one. */
static void put_connecting(struct rpc_out *out)
{
    struct rpc_link *before = &out->rpc->connecting;
    while (before->previous != &out->rpc->connecting &&
           gpr_time_cmp(RPC_HOLDER(before->previous, struct rpc_out, connecting)->connect_end, out->connect_end) > 0)
        before = before->previous;
    rpc_link_append(before, &out->connecting);
}

/* Starts the call. The headers of one that has no connection yet (connected: the line was just seen to have one) go first, alone: with the
 * request behind them their fate would be known only once that, too, is written. */
static void leave(struct rpc_out *out, const struct rpc_line *line, bool connected, struct headers *h)
{
    grpc_op headers, ops[3];
    out->request = rpc_slice_of(out->view);
    out->counted = out->view.size;
    rpc_target_given(out->target, out->counted);
    memset(&headers, 0, sizeof headers);
    headers.op = GRPC_OP_SEND_INITIAL_METADATA;
    headers.data.send_initial_metadata.count = h->count;
    headers.data.send_initial_metadata.metadata = h->entries;
    out->call = grpc_channel_create_call(line->channel, NULL, GRPC_PROPAGATE_DEFAULTS, out->rpc->queue, h->path, NULL,
                                         out->deadline, NULL);
    out->apart = !connected;
    out->left.done = left;
    if (out->apart ? !start(out, &headers, 1, &out->left) : !send_request(out, &headers)) {
        answer_later(out, CODE_INTERNAL, "the call's metadata cannot be sent", NULL);
        return;
    }
    if (out->apart)
        put_connecting(out);
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[0].data.recv_initial_metadata.recv_initial_metadata = &out->initial;
    ops[1].op = GRPC_OP_RECV_MESSAGE;
    ops[1].data.recv_message.recv_message = &out->output;
    ops[2].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[2].data.recv_status_on_client.trailing_metadata = &out->trailing;
    ops[2].data.recv_status_on_client.status = &out->status;
    ops[2].data.recv_status_on_client.status_details = &out->message;
    ops[2].data.recv_status_on_client.error_string = &out->trace;
    out->ended.done = ended;
    CHECK(start(out, ops, 3, &out->ended));
}

static void call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                     size_t metadata_count, struct bytes request, struct span timeout, void *tag,
                     struct rpc_reflecting *reflecting)
{
    struct rpc *r = target->rpc;
    struct headers h;
    CHECK(metadata_count <= METADATA_MAX);
    struct rpc_out *out = take(r);
    out->target = target;
    out->tag = tag;
    out->reflecting = reflecting;
    out->deadline = rpc_after(timeout.us < 0 ? SPAN_MS(0) : timeout);
    out->connect_end = gpr_time_add(r->now, gpr_time_from_micros(r->options.connect_timeout.us, GPR_TIMESPAN));
    out->view = request;
    h.path = grpc_slice_from_copied_string(method);
    h.count = metadata_count;
    memset(h.entries, 0, metadata_count * sizeof *h.entries);
    for (size_t i = 0; i < metadata_count; i++) {
        h.entries[i].key = grpc_slice_from_copied_string(metadata[i].key);
        h.entries[i].value = rpc_slice_of(metadata[i].value);
    }
    const struct rpc_line *line = rpc_target_holds(target, request.size) ? NULL : rpc_target_line(target);
    if (line != NULL) {
        leave(out, line, true, &h);
        headers_unref(&h);
        return;
    }
    out->held = rpc_allocate(sizeof *out->held);
    *out->held = h;
    rpc_target_hold(target, &out->connecting);
}

void rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                  size_t metadata_count, struct bytes request, struct span timeout, void *tag)
{
    call_out(target, method, metadata, metadata_count, request, timeout, tag, NULL);
}

void rpc_call_out_for(struct rpc_target *target, const char *method, struct bytes request, struct span timeout,
                      struct rpc_reflecting *reflecting)
{
    call_out(target, method, NULL, 0, request, timeout, NULL, reflecting);
}

/* ---- those that wait for a connection ---- */

void rpc_out_go(struct rpc_link *held, const struct rpc_line *line, bool connected)
{
    struct rpc_out *out = RPC_HOLDER(held, struct rpc_out, connecting);
    const struct rpc_callbacks *callbacks = &out->rpc->callbacks;
    if (callbacks->may_leave != NULL && !callbacks->may_leave(callbacks->self)) {
        rpc_out_give_up(held, "the sidecar may not call now");
        return;
    }
    if (connected &&
        gpr_time_cmp(out->deadline, out->rpc->now) <= 0) { /* else its target is to blame: C core says so */
        answer_later(out, CODE_DEADLINE_EXCEEDED, "its time was over before it could leave", NULL);
        return;
    }
    leave(out, line, connected, out->held);
    free_held(out);
}

size_t rpc_out_size(const struct rpc_link *held)
{
    return RPC_HOLDER(held, struct rpc_out, connecting)->view.size;
}

void rpc_out_give_up(struct rpc_link *held, const char *why)
{
    answer_later(RPC_HOLDER(held, struct rpc_out, connecting), CODE_UNAVAILABLE, why, why);
}

void rpc_out_expire(struct rpc *r, const struct rpc_link *ring, const char *why, gpr_timespec *next)
{
    why = why != NULL ? why : "no connection was found in time";
    for (struct rpc_link *l = ring->next, *after; l != ring; l = after) {
        struct rpc_out *out = RPC_HOLDER(l, struct rpc_out, connecting);
        after = l->next;
        gpr_timespec end = gpr_time_min(out->connect_end, out->deadline);
        if (gpr_time_cmp(end, r->now) > 0)
            *next = gpr_time_min(*next, end);
        else
            answer_later(out, gpr_time_cmp(out->deadline, r->now) <= 0 ? CODE_DEADLINE_EXCEEDED : CODE_UNAVAILABLE, why,
                         why);
    }
}

/* Answers those that C core never had, or has refused. */
static int answer_without(struct rpc *r)
{
    int count = 0;
    const struct rpc_link *last = r->unanswered.previous; /* what the callbacks add has to wait for the next turn */
    for (bool more = last != &r->unanswered; more; count++) {
        struct rpc_out *out = RPC_HOLDER(r->unanswered.next, struct rpc_out, connecting);
        more = &out->connecting != last;
        const struct rpc_answer a = {
            .reach = SAGA_REACH_NONE,
            .unreached = out->why,
            .status = (int)out->status,
            .message = bytes_of_text(out->words),
        };
        rpc_link_remove(&out->connecting);
        r->out_count--;
        if (out->why != NULL)
            rpc_target_await(out->target);
        hand_over(out, &a);
        give_back(out);
    }
    return count;
}

/* Takes the first of ring out when its time has come. */
static struct rpc_out *take_due(const struct rpc *r, struct rpc_link *ring, gpr_timespec *next)
{
    if (rpc_link_is_single(ring))
        return NULL;
    struct rpc_out *out = RPC_HOLDER(ring->next, struct rpc_out, connecting);
    if (gpr_time_cmp(out->connect_end, r->now) > 0) {
        *next = gpr_time_min(*next, out->connect_end);
        return NULL;
    }
    rpc_link_remove(&out->connecting);
    return out;
}

int rpc_out_turn(struct rpc *r, gpr_timespec *next)
{
    int count = rpc_targets_turn(r, next) + answer_without(r);
    for (struct rpc_out *out; (out = take_due(r, &r->undecided, next)) != NULL; count++)
        answer(out); /* its headers are stuck, so they have left */
    for (struct rpc_out *out; (out = take_due(r, &r->connecting, next)) != NULL;) {
        out->cancelled = true;
        grpc_call_cancel_with_status(out->call, GRPC_STATUS_UNAVAILABLE, "no connection was found in time", NULL);
    }
    return count;
}

void rpc_out_cancel_all(struct rpc *r)
{
    for (struct rpc_link *l = r->outs.next; l != &r->outs; l = l->next) {
        struct rpc_out *out = RPC_HOLDER(l, struct rpc_out, link);
        out->cancelled = true;
        if (out->held != NULL)
            answer_later(out, CODE_CANCELLED, "the sidecar is stopping", NULL);
        else if (out->call != NULL)
            grpc_call_cancel_with_status(out->call, GRPC_STATUS_CANCELLED, "the sidecar is stopping", NULL);
    }
}

bool rpc_out_drained(struct rpc *r)
{
    gpr_timespec end = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(LINGER_MS, GPR_TIMESPAN));
    while (!rpc_link_is_single(&r->lingering) && gpr_time_cmp(r->now, end) < 0) {
        rpc_stall_cut_all(r);
        rpc_poll(r, SPAN_MS(10));
    }
    return rpc_link_is_single(&r->lingering);
}

void rpc_out_finish(struct rpc *r)
{
    CHECK(rpc_link_is_single(&r->outs));
    for (struct rpc_out *out = r->free_outs, *next; out != NULL; out = next) {
        next = out->next_free;
        free(out);
    }
}
