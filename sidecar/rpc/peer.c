/* peer.c - who is at the other end of a connection: asked of the kernel when it comes in, and by then the same for all who share its entrance,
 * save for a TCP address, which C core tells of each call. */
#include "sidecar/rpc/rpc_inside.h"

#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void rpc_peer_of_socket(int fd, const struct rpc_listening *listening, struct rpc_peer *out)
{
    struct ucred user;
    socklen_t size = sizeof user;
    bool tls = listening->credentials.security == TRANSPORT_TLS;
    *out = (struct rpc_peer){.transport = tls ? RPC_TRANSPORT_TLS : RPC_TRANSPORT_TCP, .role = listening->role};
    if (listening->path[0] == '\0')
        return;
    out->transport = RPC_TRANSPORT_UNIX;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &size) != 0)
        return;
    out->has_user = true;
    out->uid = user.uid;
    out->gid = user.gid;
}

/* C core names a peer as "ipv4:127.0.0.1:41234" or "ipv6:%5B::1%5D:41234". */
static void read_address(grpc_call *call, char address[RPC_PEER_ADDRESS_SIZE])
{
    char *name = grpc_call_get_peer(call);
    const char *from = strchr(name, ':');
    size_t size = 0;
    for (from = from == NULL ? name : from + 1; *from != '\0' && size + 1 < RPC_PEER_ADDRESS_SIZE; from++) {
        bool bracket = strncmp(from, "%5B", 3) == 0 || strncmp(from, "%5D", 3) == 0;
        address[size++] = bracket ? (from[2] == 'B' ? '[' : ']') : *from;
        from += bracket ? 2 : 0;
    }
    address[size] = '\0';
    gpr_free(name);
}

/* The first value of a property that fits whole. */
static bool read_property(const grpc_auth_context *context, const char *name, char out[RPC_PEER_IDENTITY_SIZE])
{
    grpc_auth_property_iterator each = grpc_auth_context_find_properties_by_name(context, name);
    const grpc_auth_property *p;
    while ((p = grpc_auth_property_iterator_next(&each)) != NULL) {
        if (p->value_length == 0 || p->value_length >= RPC_PEER_IDENTITY_SIZE)
            continue;
        memcpy(out, p->value, p->value_length);
        out[p->value_length] = '\0';
        return true;
    }
    return false;
}

static void read_identity(grpc_call *call, char identity[RPC_PEER_IDENTITY_SIZE])
{
    grpc_auth_context *context = grpc_call_auth_context(call);
    if (context == NULL)
        return;
    if (!read_property(context, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME, identity))
        read_property(context, GRPC_PEER_DNS_PROPERTY_NAME, identity);
    grpc_auth_context_release(context);
}

/* ---- passed on by another sidecar ---- */

struct bytes rpc_peer_write(const struct rpc_peer *peer, char text[RPC_FORWARDED_SIZE])
{
    snprintf(text, RPC_FORWARDED_SIZE, "1 %u %u %u %u %u\n%s\n%s", (unsigned)peer->transport, peer->role,
             (unsigned)peer->has_user, (unsigned)peer->uid, (unsigned)peer->gid, peer->address, peer->identity);
    return bytes_of_text(text);
}

/* Returns false when it is none of ours. */
static bool read_peer(struct bytes from, struct rpc_peer *out)
{
    char text[RPC_FORWARDED_SIZE];
    unsigned transport, role, has_user, uid, gid;
    int end = 0;
    if (from.size >= sizeof text)
        return false;
    memcpy(text, from.at, from.size);
    text[from.size] = '\0';
    if (sscanf(text, "1 %u %u %u %u %u%n", &transport, &role, &has_user, &uid, &gid, &end) != 5 || text[end] != '\n')
        return false;
    char *address = text + end + 1, *identity = strchr(address, '\n');
    if (identity == NULL || transport > RPC_TRANSPORT_TLS)
        return false;
    *identity++ = '\0';
    *out = (struct rpc_peer){
        .transport = (enum rpc_transport)transport, .role = role, .has_user = has_user != 0, .uid = uid, .gid = gid};
    snprintf(out->address, sizeof out->address, "%s", address);
    snprintf(out->identity, sizeof out->identity, "%s", identity);
    return true;
}

bool rpc_call_is_forwarded(const struct rpc_call *call)
{
    return call->ask == NULL && rpc_call_metadata(call, RPC_FORWARDED_KEY).size > 0;
}

/* A sidecar of the same identity is believed on whose behalf it asks; anybody else is who it is itself. */
static void believe(struct rpc_call *call)
{
    const char *forwarder = call->rpc->options.forwarder;
    struct rpc_peer told;
    if (forwarder == NULL || forwarder[0] == '\0' || call->peer->transport != RPC_TRANSPORT_TLS ||
        strcmp(call->peer->identity, forwarder) != 0 || !rpc_call_is_forwarded(call))
        return;
    if (read_peer(rpc_call_metadata(call, RPC_FORWARDED_KEY), &told) && told.transport != RPC_TRANSPORT_NONE)
        *call->peer = told;
}

const struct rpc_peer *rpc_call_peer(struct rpc_call *call)
{
    if (call->ask != NULL)
        return rpc_ask_peer(call->ask);
    if (call->entrance->peer.transport == RPC_TRANSPORT_UNIX)
        return &call->entrance->peer;
    if (call->peer == NULL) {
        call->peer = rpc_allocate(sizeof *call->peer);
        *call->peer = call->entrance->peer;
        read_address(call->call, call->peer->address);
        if (call->peer->transport == RPC_TRANSPORT_TLS)
            read_identity(call->call, call->peer->identity);
        believe(call);
    }
    return call->peer;
}
