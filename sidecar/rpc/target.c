/* target.c - peers to call: one channel each. */
#include "sidecar/rpc/rpc_inside.h"

#include "transport/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* After a connection broke: tried again soon, since the peer is near. Calls wait meanwhile, so a participant that is back is to be found
 * within about a second. */
#define RECONNECT_MS_FIRST 100
#define RECONNECT_MS_MAX   1000

/* A pod that is replaced has another address: a name is resolved anew when a connection is lost, but not more often than this. (C core's own
 * 30 s would be as long an outage.) */
#define RESOLVE_MS_MIN 500

/* Servers end the connection of a client that pings more often than they permit, and with it every call on it. grpc-go and grpc-java permit a
 * ping in five minutes: https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md. What a dead machine has not acknowledged
 * ends the connection sooner: with pings on, C core gives TCP keepalive_timeout to wait for that. */
#define PING_MS_MIN (5 * 60 * 1000)

int rpc_target_ping_ms(struct span keepalive_time)
{
    int ms = rpc_milliseconds(keepalive_time);
    return ms > PING_MS_MIN ? ms : PING_MS_MIN;
}

/* NULL when no memory is left for the credentials. */
static grpc_channel *channel_create(const struct rpc_options *o, const char *name, const char *host,
                                    const struct transport_credentials *credentials, bool one_address)
{
    const struct transport_setting settings[] = {
        /* Attempts are durable and counted by the engine: C core's own would multiply with them unseen. */
        {GRPC_ARG_ENABLE_RETRIES, 0},
        {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
        /* http_proxy in the environment is meant for the world outside. */
        {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, o->message_bytes_max > INT_MAX ? INT_MAX : (int)o->message_bytes_max},
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0}, /* unpack.c bounds it */
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
        {GRPC_ARG_MAX_METADATA_SIZE, (int)o->metadata_bytes_max},
        {GRPC_ARG_KEEPALIVE_TIME_MS, rpc_target_ping_ms(o->keepalive_time)},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, rpc_milliseconds(o->keepalive_timeout)},
        {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, rpc_milliseconds(o->connect_timeout)},
        {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MS_FIRST},
        {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MS_MAX},
        {GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RESOLVE_MS_MIN},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg args[COUNT + 2];
    transport_settings(settings, COUNT, args);
    args[COUNT + 1] = rpc_incoming_arg(false);
    args[COUNT] = (grpc_arg){.type = GRPC_ARG_STRING,
                             .key = (char *)GRPC_ARG_LB_POLICY_NAME,
                             .value.string = (char *)(uintptr_t)(one_address ? "pick_first" : "round_robin")};
    grpc_channel_credentials *ours = transport_channel_credentials(credentials, host);
    if (ours == NULL)
        return NULL;
    grpc_channel *channel = grpc_channel_create(name, ours, &(grpc_channel_args){.num_args = COUNT + 2, .args = args});
    grpc_channel_credentials_release(ours);
    return channel;
}

int rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                      struct error_detail *detail)
{
    struct address at;
    char name[ADDRESS_NAME_SIZE];
    const char *wrong = address_read_target(to->address, &at);
    if (wrong != NULL || !address_target_name(&at, name))
        return error_set(detail, E_ARGUMENT, "address", wrong == NULL ? "is too long" : wrong);
    struct rpc_target *target = calloc(1, sizeof *target);
    if (target == NULL)
        return error_set(detail, E_MEMORY, "", "");
    target->rpc = r;
    target->number = to->number;
    if (at.path != NULL)
        memcpy(target->path, at.path, strlen(at.path) + 1);
    target->one_address = to->one_address;
    target->credentials = *to->credentials;
    if (to->credentials->certificates != NULL)
        target->certificates_version = certificates_version(to->credentials->certificates);
    memcpy(target->name, name, strlen(name) + 1);
    memcpy(target->host, at.host, sizeof target->host);
    target->channel = channel_create(&r->options, name, target->host, to->credentials, to->one_address);
    if (target->channel == NULL) {
        free(target);
        return error_set(detail, E_MEMORY, "", "");
    }
    rpc_link_append(&r->targets, &target->link);
    *out = target;
    return 0;
}

/* ---- waiting for one that is not there ---- */

static void watch(struct rpc_target *target);

static void changed(struct rpc_op *op, bool ok)
{
    struct rpc_target *target = RPC_HOLDER(op, struct rpc_target, changed);
    struct rpc *r = target->rpc;
    (void)ok;
    target->watched = false;
    if (target->retired)
        return;
    if (grpc_channel_check_connectivity_state(target->channel, 0) != GRPC_CHANNEL_READY) {
        watch(target);
        return;
    }
    target->awaited = false;
    r->callbacks.on_reachable(r->callbacks.self, target->number);
}

/* C core tries by itself, with a delay that grows, as long as somebody asks it to. */
static void watch(struct rpc_target *target)
{
    if (target->rpc->stopping)
        return;
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(target->channel, 1);
    /* When the connection is there already, any other state is one that has changed. */
    state = state == GRPC_CHANNEL_READY ? GRPC_CHANNEL_IDLE : state;
    target->watched = true;
    target->changed.done = changed;
    grpc_channel_watch_connectivity_state(target->channel, state, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                          target->rpc->queue, &target->changed);
}

void rpc_target_await(struct rpc_target *target)
{
    if (target->awaited || target->retired)
        return;
    target->awaited = true;
    if (!target->watched)
        watch(target);
}

const char *rpc_target_cause(const char *trace)
{
    static const struct {
        const char *said, *means;
    } causes[] = {
        {"Connection refused", "connection refused: nobody listens there"},
        {"No such file or directory", "there is no socket at this path"},
        {"Permission denied", "permission denied"},
        {"No route to host", "no route to the host"},
        {"Network is unreachable", "the network is unreachable"},
        {"DNS", "no such name"},
        {"Domain name not found", "no such name"},
        {"andshake", "the handshake of TLS failed"},
        {"SSL", "the handshake of TLS failed"},
        {"http1.x", "what listens there does not speak HTTP/2"},
        {"SETTINGS", "what listens there does not speak HTTP/2"},
        {"Failed parsing HTTP/2", "what listens there does not speak HTTP/2"},
        {"Socket closed", "it closes every connection at once"},
        {"Connection reset by peer", "it closes every connection at once"},
    };
    for (size_t i = 0; trace != NULL && i < sizeof causes / sizeof causes[0]; i++)
        if (strstr(trace, causes[i].said) != NULL)
            return causes[i].means;
    return "no connection was found in time";
}

/* ---- certificates that change ---- */

/* The calls that are out go on over the channel on which they left. */
static void renew(struct rpc_target *target)
{
    uint64_t version = certificates_version(target->credentials.certificates);
    if (version == target->certificates_version || target->retired)
        return;
    grpc_channel *channel =
        channel_create(&target->rpc->options, target->name, target->host, &target->credentials, target->one_address);
    if (channel == NULL) /* the next time, then */
        return;
    grpc_channel_destroy(target->channel);
    target->channel = channel;
    target->certificates_version = version;
}

void rpc_targets_renew(struct rpc *r)
{
    for (struct rpc_link *l = r->targets.next; l != &r->targets; l = l->next) {
        struct rpc_target *target = RPC_HOLDER(l, struct rpc_target, link);
        if (target->credentials.certificates != NULL)
            renew(target);
    }
}

void rpc_targets_finish(struct rpc *r)
{
    while (!rpc_link_is_single(&r->targets)) {
        struct rpc_target *target = RPC_HOLDER(r->targets.next, struct rpc_target, link);
        rpc_link_remove(&target->link);
        if (!target->retired)
            grpc_channel_destroy(target->channel);
        free(target);
    }
}

void rpc_target_retire(struct rpc_target *target)
{
    target->retired = true;
    target->awaited = false;
    grpc_channel_destroy(target->channel); /* the calls that are out hold it */
}
