/* queue.c - the loop's turn: takes out of the completion queue what has come, and wakes it from elsewhere.
 *
 * C core hands out the events of about one socket each time it is asked, and many of those bring no completion (a window update, half a
 * message). So one empty answer does not mean that nothing has come; several in a row do. rpc_poll asks that often before it says
 * "drained", and remembers having said so: the call that only confirms it costs nothing. */
#include "sidecar/rpc/rpc_inside.h"

#include <pthread.h>

/* So many empty answers in a row are "drained": few after a single event, where waiting for company costs more than it brings, and more
 * after a burst. Stopping at the first one cut 52,000 calls a second to 7,500. But no more than there are calls that could bring something:
 * as many as were in flight at once of late. */
#define EMPTY_POLLS_QUIET 2
#define EMPTY_POLLS_BUSY  6

/* A turn ends after so long, looked at once in so many events: the owner commits even when more keep coming, and those who come meanwhile are
 * soon seen, since C core looks at its sockets only once what it has is taken out. */
#define TURN_MAX  SPAN_MS(4)
#define LOOK_MANY 16

#define COMPANY_TURNS 8

/* A unary call that is not answered within so many turns is a long one: its cancellation is asked for. */
#define QUICK_TURNS 4

static void woken(struct rpc_op *op, bool ok)
{
    struct rpc *r = RPC_HOLDER(op, struct rpc, wake);
    (void)ok;
    atomic_store(&r->wake_pending, false);
}

void rpc_queue_init(struct rpc *r)
{
    r->queue = grpc_completion_queue_create_for_next(NULL);
    r->sending.type = GRPC_BB_RAW;
    r->sending.data.raw.compression = GRPC_COMPRESS_NONE;
    grpc_slice_buffer_init(&r->sending.data.raw.slice_buffer);
    r->wake.done = woken;
    atomic_init(&r->wake_pending, false);
    inbox_init(&r->inbox);
    /* An empty batch on a call that can never be made comes out of the queue at once: C core's C API has no other alarm. */
    r->wake_channel = grpc_lame_client_channel_create("wake", GRPC_STATUS_UNAVAILABLE, "wakes the queue");
    r->wake_call = grpc_channel_create_call(r->wake_channel, NULL, GRPC_PROPAGATE_DEFAULTS, r->queue,
                                            grpc_slice_from_static_string("/wake"), NULL,
                                            gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

void rpc_queue_finish(struct rpc *r)
{
    grpc_slice_buffer_destroy(&r->sending.data.raw.slice_buffer);
    grpc_call_unref(r->wake_call);
    grpc_channel_destroy(r->wake_channel);
    grpc_completion_queue_shutdown(r->queue);
    grpc_event event;
    do
        event = grpc_completion_queue_next(r->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    while (event.type != GRPC_QUEUE_SHUTDOWN);
    grpc_completion_queue_destroy(r->queue);
}

void rpc_wake(struct rpc *r)
{
    if (!atomic_exchange(&r->wake_pending, true))
        CHECK(grpc_call_start_batch(r->wake_call, NULL, 0, &r->wake, NULL) == GRPC_CALL_OK);
}

/* Takes one event out and runs it, or returns false when none came before `until`. */
static bool take_one(struct rpc *r, gpr_timespec until)
{
    uint64_t progress = atomic_load_explicit(&r->progress, memory_order_relaxed);
    atomic_store_explicit(&r->progress, progress + 1, memory_order_relaxed);
    grpc_event event = grpc_completion_queue_next(r->queue, until, NULL);
    atomic_store_explicit(&r->progress, progress + 2, memory_order_relaxed);
    CHECK(event.type != GRPC_QUEUE_SHUTDOWN);
    if (event.type != GRPC_OP_COMPLETE)
        return false;
    struct rpc_op *op = event.tag;
    op->done(op, event.success != 0);
    return true;
}

/* Whether the owner has enough of a turn; what is left comes with the next one. */
static bool enough(const struct rpc *r)
{
    return r->callbacks.enough != NULL && r->callbacks.enough(r->callbacks.self);
}

/* How many calls may have something to say: as many as were in flight lately, one turn's forgetting at a time. */
static void count_company(struct rpc *r)
{
    unsigned now = r->owner_service.quota.calls + r->out_count + r->forward_count;
    if (now >= r->company)
        r->company = now < EMPTY_POLLS_BUSY ? now : EMPTY_POLLS_BUSY;
    else if (r->turn % COMPANY_TURNS == 0)
        r->company--;
}

static int empty_polls_max(const struct rpc *r, int handled)
{
    int most = handled <= 1 ? EMPTY_POLLS_QUIET : EMPTY_POLLS_BUSY;
    int company = r->company < 1 ? 1 : (int)r->company;
    return company < most ? company : most;
}

/* Takes out what is there. Returns how many events that was, and whether nothing is left. */
static int drain(struct rpc *r, int handled)
{
    const gpr_timespec at_once = gpr_inf_past(GPR_CLOCK_MONOTONIC), end = rpc_after(TURN_MAX);
    int empty = 0;
    bool over = false;
    r->drained = false;
    while (!over && !enough(r)) {
        if (take_one(r, at_once)) {
            over = ++handled % LOOK_MANY == 0 && gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) > 0;
            empty = 0;
            count_company(r);
        } else if (++empty >= empty_polls_max(r, handled)) {
            r->drained = true;
            break;
        }
    }
    return handled;
}

static int turn(struct rpc *r, struct span wait)
{
    r->turn++;
    r->now = gpr_now(GPR_CLOCK_MONOTONIC);
    rpc_entrances_turn(r);
    rpc_call_watch_before(r, wait.us != 0 ? r->turn : r->turn - QUICK_TURNS);
    gpr_timespec next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    int handled = rpc_asks_read(r) + rpc_out_turn(r, &next);
    rpc_stall_turn(r, &next);
    rpc_call_refuse_unended(r, &next);
    if (handled == 0 && wait.us == 0 && r->drained) {
        r->drained = false;
        return 0;
    }
    if (handled > 0 || wait.us == 0)
        return drain(r, handled);

    gpr_timespec end = rpc_after(wait);
    for (;;) {
        if (take_one(r, gpr_time_min(end, next)))
            return drain(r, 1);
        next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
        r->now = gpr_now(GPR_CLOCK_MONOTONIC);
        handled = rpc_out_turn(r, &next);
        rpc_stall_turn(r, &next);
        rpc_call_refuse_unended(r, &next);
        if (handled > 0)
            return drain(r, handled);
        if (gpr_time_cmp(end, r->now) <= 0) {
            r->drained = false;
            return 0;
        }
    }
}

int rpc_poll(struct rpc *r, struct span wait)
{
    if (!atomic_load_explicit(&r->polled, memory_order_relaxed) && r->started &&
        pthread_getcpuclockid(pthread_self(), &r->poller) == 0)
        atomic_store_explicit(&r->polled, true, memory_order_release);
    rpc_asks_flush(r); /* what the owner has written since */
    int handled = turn(r, wait);
    if (handled > 0 && atomic_load_explicit(&r->guard_sleeps, memory_order_relaxed)) {
        atomic_store(&r->guard_sleeps, false);
        rpc_door_knock(r->keeper);
    }
    rpc_asks_flush(r);
    return handled;
}
