/* target.c - peers to call: one channel each. */
#include "sidecar/rpc/rpc_inside.h"

#include "transport/settings.h"

#include <limits.h>
#include <stdlib.h>

/* After a connection broke: tried again soon, since the peer is near. While there is none, attempts fail at once; a participant that is back
 * must be found before the usual four attempts of a call, some 0.7 s, are spent. */
#define RECONNECT_MS_FIRST 100
#define RECONNECT_MS_MAX   400

/* Servers end the connection of a client that pings more often than they permit, and with it every call on it. grpc-go and grpc-java permit a
 * ping in five minutes: https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md. What a dead machine has not acknowledged
 * ends the connection sooner: with pings on, C core gives TCP keepalive_timeout to wait for that. */
#define PING_MS_MIN (5 * 60 * 1000)

static grpc_channel *channel_create(const struct rpc_options *o, const char *name,
                                    const struct transport_credentials *credentials)
{
    int ping_ms = rpc_milliseconds(o->keepalive_time);
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
        {GRPC_ARG_KEEPALIVE_TIME_MS, ping_ms > PING_MS_MIN ? ping_ms : PING_MS_MIN},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, rpc_milliseconds(o->keepalive_timeout)},
        {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, rpc_milliseconds(o->connect_timeout)},
        {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MS_FIRST},
        {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MS_MAX},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg args[COUNT];
    transport_settings(settings, COUNT, args);
    grpc_channel_credentials *ours = transport_channel_credentials(credentials);
    grpc_channel *channel = grpc_channel_create(name, ours, &(grpc_channel_args){.num_args = COUNT, .args = args});
    grpc_channel_credentials_release(ours);
    return channel;
}

int rpc_target_create(struct rpc *r, const char *address, const struct transport_credentials *credentials,
                      struct rpc_target **out, struct error_detail *detail)
{
    struct address at;
    char name[ADDRESS_NAME_SIZE];
    const char *wrong = address_read_target(address, &at);
    if (wrong != NULL || !address_target_name(&at, name))
        return error_set(detail, E_ARGUMENT, "address", wrong == NULL ? "is too long" : wrong);
    struct rpc_target *target = calloc(1, sizeof *target);
    if (target == NULL)
        return error_set(detail, E_MEMORY, "", "");
    target->rpc = r;
    if (at.path != NULL)
        memcpy(target->path, at.path, strlen(at.path) + 1);
    target->channel = channel_create(&r->options, name, credentials);
    rpc_link_append(&r->targets, &target->link);
    *out = target;
    return 0;
}

void rpc_targets_finish(struct rpc *r)
{
    while (!rpc_link_is_single(&r->targets)) {
        struct rpc_target *target = RPC_HOLDER(r->targets.next, struct rpc_target, link);
        rpc_link_remove(&target->link);
        grpc_channel_destroy(target->channel);
        free(target);
    }
}
