/* permit.c - who may do what, asked where a row of the table of methods is dispatched: of the method before its request is read, and of the
 * definition that it is about, where the rules tell definitions apart, once it is known. */
#include "sidecar/api/api_inside.h"

#include "sidecar/engine/saga.h"
#include "sidecar/observe/log.h"

#include <stdio.h>

/* However many are refused, it is told of this often. */
#define TELL_EVERY SPAN_S(1)

/* Returns false for what the sidecar itself asks. */
static bool caller_of(const struct rpc_peer *peer, struct caller *c)
{
    static const enum caller_way ways[] = {
        [RPC_TRANSPORT_UNIX] = CALLER_UNIX, [RPC_TRANSPORT_TCP] = CALLER_PLAINTEXT, [RPC_TRANSPORT_TLS] = CALLER_TLS};
    if (peer->transport == RPC_TRANSPORT_NONE)
        return false;
    *c = (struct caller){.way = ways[peer->transport],
                         .has_user = peer->has_user,
                         .uid = peer->uid,
                         .gid = peer->gid,
                         .identity = peer->identity,
                         .listener = peer->role};
    return true;
}

struct bytes permit_identity(const struct rpc_peer *peer, char text[IDENTITY_TEXT_SIZE])
{
    text[0] = '\0';
    if (peer->transport == RPC_TRANSPORT_TLS)
        snprintf(text, IDENTITY_TEXT_SIZE, "%s", peer->identity[0] != '\0' ? peer->identity : "tls");
    else if (peer->transport == RPC_TRANSPORT_TCP)
        snprintf(text, IDENTITY_TEXT_SIZE, "plaintext");
    else if (peer->transport == RPC_TRANSPORT_UNIX && peer->has_user)
        snprintf(text, IDENTITY_TEXT_SIZE, "uid:%u", (unsigned)peer->uid);
    else if (peer->transport == RPC_TRANSPORT_UNIX)
        snprintf(text, IDENTITY_TEXT_SIZE, "unix");
    return bytes_of_text(text);
}

static void write_who(const struct rpc_peer *peer, char *text, size_t size)
{
    if (peer->transport == RPC_TRANSPORT_TLS)
        snprintf(text, size, "%.120s",
                 peer->identity[0] != '\0' ? peer->identity : "one without a name in its certificate");
    else if (peer->transport == RPC_TRANSPORT_TCP)
        snprintf(text, size, "one who comes in plaintext over TCP");
    else if (peer->has_user)
        snprintf(text, size, "uid %u", (unsigned)peer->uid);
    else
        snprintf(text, size, "an unknown user of a unix socket");
}

/* Tells of a refusal and words it; whoever refuses counts it. */
static int deny(struct api *api, const struct rpc_peer *peer, unsigned method, const char *reason, const char *words,
                struct error_detail *detail)
{
    char who[140], text[sizeof detail->text];
    struct instant now = api_now(api);
    const char *name = method < METHOD_COUNT ? authz_method_name(method) : "reflection";
    write_who(peer, who, sizeof who);
    snprintf(text, sizeof text, "%s is not allowed to %s: %s", name, who, words);
    if (instant_before(now, api->tell_denied_at)) {
        api->denied_untold++;
    } else {
        log_event(LOG_LEVEL_WARN, "a call was refused: no rule allows it", LOG_TEXT("method", name),
                  LOG_TEXT("reason", reason), LOG_NUMBER("uid", peer->has_user ? (int64_t)peer->uid : -1),
                  LOG_TEXT("address", peer->address), LOG_TEXT("identity", peer->identity),
                  LOG_NUMBER("others", api->denied_untold));
        api->denied_untold = 0;
        api->tell_denied_at = instant_after(now, TELL_EVERY);
    }
    return error_set(detail, E_PERMISSION, "", text);
}

static int permit_method(struct api *api, const struct rpc_peer *peer, enum method_id method,
                         struct error_detail *detail)
{
    struct caller c;
    if (!caller_of(peer, &c) || authz_extent(api->options.authz, &c, method) != AUTHZ_NOTHING)
        return 0;
    return deny(api, peer, method, "method", "no rule of authorization says so", detail);
}

bool permit_call(struct api *api, struct rpc_call *call)
{
    struct error_detail detail;
    int code = permit_method(api, rpc_call_peer(call), (enum method_id)rpc_call_method(call)->id, &detail);
    if (code != 0)
        api_refuse(api, call, code, &detail);
    return code == 0;
}

bool api_may_reflect(struct api *api, struct rpc_call *call)
{
    struct caller c;
    struct error_detail detail;
    const struct rpc_peer *peer = rpc_call_peer(call);
    if (!caller_of(peer, &c))
        return true;
    for (unsigned method = 0; method < METHOD_COUNT; method++)
        if (authz_extent(api->options.authz, &c, method) != AUTHZ_NOTHING)
            return true;
    deny(api, peer, METHOD_COUNT, "method", "no rule of authorization allows it anything", &detail);
    return false;
}

/* What a request is about. */
struct about {
    struct bytes name; /* of its definition; empty: of none in particular */
    bool own;          /* it is the caller's saga, or none */
    bool many;         /* it is about all that there are */
    bool known;        /* false: there is no such saga, which the method itself says best */
};

static int look_at(struct api *api, const struct rpc_peer *peer, enum method_id id, const ProtobufCMessage *m,
                   struct about *about, struct error_detail *detail)
{
    const struct method *method = &methods[id];
    struct saga_id saga;
    struct found found;
    *about = (struct about){.known = true, .own = true};
    if (method->definition != NULL)
        about->name = bytes_of_text(methods_text(m, method->definition));
    about->many = method->route == ROUTE_PAGES_NEWEST || method->route == ROUTE_PAGES_OLDEST;
    if (method->route != ROUTE_SAGA && method->route != ROUTE_EVENTS)
        return 0;
    const char *key = methods_key(id, m);
    if (key[0] == '\0' && method->route == ROUTE_EVENTS) {
        about->own = false;
        return 0;
    }
    about->known = decode_saga_id(key, &saga, detail) == 0;
    int code = about->known ? reads_find(api, saga, &found, detail) : 0;
    if (code == E_SAGA_NOT_FOUND) {
        about->known = false;
        return 0;
    }
    if (code == 0 && about->known) {
        about->name = found.live != NULL ? found.live->name : found.ended.name;
        about->own = permit_owns(peer, found.live != NULL ? found.live->owner : found.ended.owner);
    }
    return code;
}

int permit_definition(struct api *api, struct rpc_call *call, enum method_id method, struct bytes name,
                      struct error_detail *detail)
{
    struct caller c;
    const struct rpc_peer *peer = rpc_call_peer(call);
    if (!caller_of(peer, &c) || authz_allows(api->options.authz, &c, method, false, name, true))
        return 0;
    return deny(api, peer, method, "definition", "no rule of authorization says so of this definition", detail);
}

bool permit_owns(const struct rpc_peer *peer, struct bytes owner)
{
    char text[IDENTITY_TEXT_SIZE];
    return owner.size > 0 && bytes_equal(permit_identity(peer, text), owner);
}

bool permit_shows(struct api *api, struct rpc_call *call, enum method_id method, struct bytes name, bool own)
{
    struct caller c;
    return !caller_of(rpc_call_peer(call), &c) || authz_allows(api->options.authz, &c, method, false, name, own);
}

bool permit_output(struct api *api, struct rpc_call *call, struct bytes name, struct bytes owner)
{
    struct caller c;
    const struct authz *z = api->options.authz;
    const struct rpc_peer *peer = rpc_call_peer(call);
    bool own = permit_owns(peer, owner);
    /* Who may cancel it is who may have started it, in this definition's name. */
    return !caller_of(peer, &c) || authz_allows(z, &c, METHOD_WAIT, true, name, own) ||
           (authz_allows(z, &c, METHOD_START, false, name, true) &&
            authz_allows(z, &c, METHOD_CANCEL, false, name, own));
}

int permit_request(struct api *api, struct rpc_call *call, enum method_id method, const ProtobufCMessage *m,
                   bool *own_alone, struct error_detail *detail)
{
    struct caller c;
    const struct rpc_peer *peer = rpc_call_peer(call);
    const struct authz *z = api->options.authz;
    if (!caller_of(peer, &c))
        return 0;
    if (own_alone != NULL)
        *own_alone = false;
    bool payloads = method == METHOD_GET && ((const Saga__V1__GetRequest *)(const void *)m)->include_payloads;
    enum authz_extent extent = payloads ? authz_payloads(z, &c, method) : authz_extent(z, &c, method);
    if (extent == AUTHZ_ALL)
        return 0;
    if (extent == AUTHZ_NOTHING && payloads && authz_extent(z, &c, method) != AUTHZ_NOTHING)
        return deny(api, peer, method, "payloads",
                    "no rule of authorization lets it read payloads; ask without include_payloads", detail);
    if (extent == AUTHZ_NOTHING) /* a command of a pipe */
        return permit_method(api, peer, method, detail);
    switch (method) {
    case METHOD_REGISTER_DEFINITION: /* they ask once they know the names */
    case METHOD_FIND:
    case METHOD_LIST_DEFINITIONS:
    case METHOD_GET_SCHEMA: /* types alone, which are of no definition */
    case METHOD_LIST_SCHEMAS:
        return 0;
    default:
        break;
    }
    struct about about;
    int code = look_at(api, peer, method, m, &about, detail);
    if (code != 0 || !about.known)
        return code == 0 || code == STORE_PENDING ? code : 0;
    if (authz_allows(z, &c, method, payloads, about.name, about.own && !about.many))
        return 0;
    if (about.many && own_alone != NULL && authz_allows(z, &c, method, payloads, about.name, true)) {
        *own_alone = true;
        return 0;
    }
    if (about.name.size == 0)
        return deny(api, peer, method, "definition",
                    about.own ? "the rules of authorization limit it to some definitions; name one of them"
                              : "the rules of authorization limit it to some sagas; name one of them",
                    detail);
    bool of_others = authz_allows(z, &c, method, payloads, about.name, true);
    return deny(api, peer, method,
                of_others  ? "owner"
                : payloads ? "payloads"
                           : "definition",
                of_others  ? "no rule of authorization says so of a saga that another has begun"
                : payloads ? "no rule of authorization lets it read payloads of this definition"
                           : "no rule of authorization says so of this definition",
                detail);
}
