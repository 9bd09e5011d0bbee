/* rpc.c - the room as a whole: made, started, stopped, emptied, taken down. */
#include "sidecar/rpc/rpc_inside.h"

#include "transport/core.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* C core writes free-form lines to stderr, some of them whenever a stranger sends garbage. sagad's log has structured lines only, so they
 * are dropped, unless somebody asked for them in the way that C core documents. */
static void drop_log_line(gpr_log_func_args *args)
{
    (void)args;
}

/* C core polls for a channel whose owner does not, every five seconds, for which its timer threads wake once a second. This room is always
 * polled by its loop. The name is from gRPC's doc/environment_variables.md; a value that somebody has set stays. */
static void stop_backup_polling(void)
{
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 0);
}

/* What all rooms of the process hold of messages that are being received. */
static struct {
    pthread_mutex_t mutex;
    grpc_resource_quota *of_clients, *of_targets;
    unsigned rooms;
} incoming = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void incoming_open(uint64_t bytes_max)
{
    pthread_mutex_lock(&incoming.mutex);
    if (incoming.rooms++ == 0) {
        incoming.of_clients = grpc_resource_quota_create("clients");
        incoming.of_targets = grpc_resource_quota_create("targets");
        if (bytes_max != 0) {
            grpc_resource_quota_resize(incoming.of_clients, (size_t)bytes_max);
            grpc_resource_quota_resize(incoming.of_targets, (size_t)bytes_max);
        }
    }
    pthread_mutex_unlock(&incoming.mutex);
}

static void incoming_close(void)
{
    pthread_mutex_lock(&incoming.mutex);
    if (--incoming.rooms == 0) {
        grpc_resource_quota_unref(incoming.of_clients);
        grpc_resource_quota_unref(incoming.of_targets);
    }
    pthread_mutex_unlock(&incoming.mutex);
}

grpc_arg rpc_incoming_arg(bool of_clients)
{
    grpc_resource_quota *quota = of_clients ? incoming.of_clients : incoming.of_targets;
    return (grpc_arg){.type = GRPC_ARG_POINTER,
                      .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
                      .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}};
}

int rpc_create(const struct rpc_options *options, const struct rpc_callbacks *callbacks, struct rpc **out)
{
    if (getenv("GRPC_VERBOSITY") == NULL)
        gpr_set_log_function(drop_log_line);
    bool accepts = transport_external_works(); /* asked once in a process, before gRPC has threads */
    struct rpc *r = calloc(1, sizeof *r);
    if (r == NULL)
        return E_MEMORY;
    stop_backup_polling();
    transport_core();
    incoming_open(options->incoming_bytes_max);
    r->options = *options;
    r->options.core_accepts = r->options.core_accepts || !accepts;
    r->callbacks = *callbacks;
    rpc_link_init(&r->open);
    rpc_link_init(&r->unwatched);
    rpc_link_init(&r->unended);
    rpc_link_init(&r->targets);
    rpc_link_init(&r->lines);
    rpc_link_init(&r->restless);
    inbox_init(&r->told);
    r->now = gpr_now(GPR_CLOCK_MONOTONIC);
    r->chance = (unsigned)r->now.tv_nsec ^ (unsigned)getpid();
    rpc_link_init(&r->forwards);
    rpc_link_init(&r->outs);
    rpc_link_init(&r->lingering);
    rpc_link_init(&r->undecided);
    rpc_link_init(&r->leaving);
    r->now = gpr_now(GPR_CLOCK_MONOTONIC);
    rpc_link_init(&r->connecting);
    rpc_link_init(&r->unanswered);
    rpc_queue_init(r);
    rpc_serve_init(r);
    rpc_door_init(r);
    rpc_health_init(r);
    *out = r;
    return 0;
}

bool rpc_accepts_itself(const struct rpc *r)
{
    return !r->options.core_accepts;
}

void rpc_start(struct rpc *r)
{
    CHECK(!r->started && !r->stopping);
    r->started = true;
    for (unsigned i = 0; i < r->entrances_made; i++) /* those where C core listens by itself */
        rpc_entrance_start(r->entrances[i]);
    rpc_door_open(r);
}

void rpc_stop(struct rpc *r)
{
    if (r->stopping)
        return;
    r->stopping = true;
    rpc_door_close(r);
    rpc_health_stop(r);
    rpc_call_refuse_silent(r);
}

void rpc_cancel_all(struct rpc *r)
{
    rpc_call_cancel_all(r);
    rpc_out_cancel_all(r);
    rpc_forward_cancel_all(r);
}

bool rpc_idle(const struct rpc *r)
{
    return r->owner_service.quota.calls == 0 && r->out_count == 0 && r->forward_count == 0;
}

void rpc_destroy(struct rpc *r)
{
    if (r == NULL)
        return;
    CHECK(rpc_idle(r));
    rpc_stop(r);
    rpc_asks_drop(r);
    /* C core's own shutdown resets the calls that arrive after it, which their clients see as CANCELLED and may not dare to repeat. So until
     * everything in flight has ended, calls are still taken in, and refused with words. */
    rpc_entrances_shut(r);
    if (!rpc_out_drained(r))
        return; /* a peer over TCP that reads nothing: what it was sent stays until the kernel gives up, or the process ends */
    rpc_door_finish(r);
    rpc_serve_finish(r);
    rpc_health_finish(r);
    rpc_reflection_finish(r);
    rpc_out_finish(r);
    rpc_forward_finish(r);
    rpc_stall_finish(r);
    rpc_targets_finish(r);
    rpc_queue_finish(r);
    free(r);
    incoming_close();
}
