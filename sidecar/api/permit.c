/* permit.c - who may do what, asked where a row of the table of methods is dispatched: of the method before its request is read, and of the
 * definition that it is about, where the rules tell definitions apart, once it is known. */
#include "sidecar/api/api_inside.h"

#include "sidecar/engine/saga.h"
#include "sidecar/observe/log.h"

#include <stdio.h>

/* However many are refused, it is told of this often. */
#define TELL_EVERY SPAN_S(1)

bool permit_caller(const struct rpc_peer *peer, struct caller *c)
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
    else if (peer->has_user)
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

static const char *name_of(unsigned method)
{
    return method < METHOD_COUNT ? authz_method_name(method) : "reflection";
}

static void tell(struct api *api, const struct rpc_peer *peer, unsigned method, const char *reason)
{
    struct instant now = api_now(api);
    if (instant_before(now, api->tell_denied_at)) {
        api->denied_untold++;
        return;
    }
    log_event(LOG_LEVEL_WARN, "a call was refused: no rule allows it", LOG_TEXT("method", name_of(method)),
              LOG_TEXT("reason", reason), LOG_NUMBER("uid", peer->has_user ? (int64_t)peer->uid : -1),
              LOG_TEXT("address", peer->address), LOG_TEXT("identity", peer->identity),
              LOG_NUMBER("others", api->denied_untold));
    api->denied_untold = 0;
    api->tell_denied_at = instant_after(now, TELL_EVERY);
}

void permit_tell_tags(struct api *api, struct rpc_call *call, enum method_id method)
{
    tell(api, rpc_call_peer(call), method, "tags");
}

/* Tells of a refusal and words it; whoever refuses counts it. */
static int deny(struct api *api, const struct rpc_peer *peer, unsigned method, const char *reason, const char *words,
                struct error_detail *detail)
{
    char who[140], text[sizeof detail->text];
    write_who(peer, who, sizeof who);
    snprintf(text, sizeof text, "%s is not allowed to %s: %s", name_of(method), who, words);
    tell(api, peer, method, reason);
    return error_set(detail, E_PERMISSION, "", text);
}

static int permit_method(struct api *api, const struct rpc_peer *peer, enum method_id method,
                         struct error_detail *detail)
{
    struct caller c;
    if (!permit_caller(peer, &c) || authz_extent(api->options.authz, &c, method) != AUTHZ_NOTHING)
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

bool api_permits(struct api *api, struct rpc_call *call)
{
    return permit_call(api, call);
}

bool api_may_reflect(struct api *api, struct rpc_call *call)
{
    struct caller c;
    struct error_detail detail;
    const struct rpc_peer *peer = rpc_call_peer(call);
    if (!permit_caller(peer, &c))
        return true;
    for (unsigned method = 0; method < METHOD_COUNT; method++)
        if (authz_extent(api->options.authz, &c, method) != AUTHZ_NOTHING)
            return true;
    deny(api, peer, METHOD_COUNT, "method", "no rule of authorization allows it anything", &detail);
    return false;
}

/* What a request is about. */
struct about {
    struct authz_about of;
    bool many;  /* it is about all that there are */
    bool known; /* false: there is no such saga, which the method itself says best */
};

/* Those that a List asks for are the tags of all that it gives. */
static bool asked_tags(struct api *api, const Saga__V1__ListRequest *m, struct bytes *tags)
{
    size_t size = 0;
    for (size_t i = 0; i < m->n_tags; i++)
        size += strlen(m->tags[i]->name) + strlen(m->tags[i]->value) + 2;
    char *at = size == 0 ? NULL : arena_take(&api->arena, size);
    *tags = bytes_of(at, at == NULL ? 0 : size);
    for (size_t i = 0; at != NULL && i < m->n_tags; i++) {
        at = stpcpy(at, m->tags[i]->name) + 1;
        at = stpcpy(at, m->tags[i]->value) + 1;
    }
    return size == 0 || at != NULL;
}

/* What the row shows is gone with the next use of the store. */
static int ended_tags(struct api *api, const struct ended_row *row, struct about *about, struct error_detail *detail)
{
    const char *name = arena_text(&api->arena, row->name);
    about->of.definition = bytes_of_text(name != NULL ? name : "");
    return name == NULL ? error_set(detail, E_MEMORY, "", NULL)
                        : reads_tags(api, row->first_frame, row->saga.serial, &about->of.tags, detail);
}

static int look_at(struct api *api, const struct rpc_peer *peer, enum method_id id, const ProtobufCMessage *m,
                   bool by_tags, struct about *about, struct error_detail *detail)
{
    const struct method *method = &methods[id];
    struct saga_id saga;
    struct found found;
    *about = (struct about){.known = true, .of.own = true};
    if (method->definition != NULL)
        about->of.definition = bytes_of_text(methods_text(m, method->definition));
    if (id == METHOD_LIST && !asked_tags(api, (const Saga__V1__ListRequest *)(const void *)m, &about->of.tags))
        return error_set(detail, E_MEMORY, "", NULL);
    about->many = method->route == ROUTE_PAGES_NEWEST || method->route == ROUTE_PAGES_OLDEST;
    if (method->route != ROUTE_SAGA && method->route != ROUTE_EVENTS)
        return 0;
    const char *key = methods_key(id, m);
    if (key[0] == '\0' && method->route == ROUTE_EVENTS) {
        about->of.own = false;
        return 0;
    }
    about->known = decode_saga_id(key, &saga, detail) == 0;
    int code = about->known ? reads_find(api, saga, &found, detail) : 0;
    if (code == E_SAGA_NOT_FOUND) {
        about->known = false;
        return 0;
    }
    if (code == 0 && about->known) {
        about->of.definition = found.live != NULL ? found.live->name : found.ended.name;
        about->of.own = permit_owns(peer, found.live != NULL ? found.live->owner : found.ended.owner);
        if (found.live != NULL)
            about->of.tags = found.live->tags;
        else if (by_tags)
            code = ended_tags(api, &found.ended, about, detail);
    }
    return code;
}

int permit_definition(struct api *api, struct rpc_call *call, enum method_id method, struct bytes name,
                      struct error_detail *detail)
{
    struct caller c;
    const struct rpc_peer *peer = rpc_call_peer(call);
    if (!permit_caller(peer, &c) ||
        authz_allows(api->options.authz, &c, method, false, &(struct authz_about){.definition = name, .own = true}))
        return 0;
    return deny(api, peer, method, "definition", "no rule of authorization says so of this definition", detail);
}

int permit_others(struct api *api, struct rpc_call *call, struct error_detail *detail)
{
    struct caller c;
    const struct rpc_peer *peer = rpc_call_peer(call);
    if (!permit_caller(peer, &c) || authz_extent(api->options.authz, &c, METHOD_LIST_AUDIT) == AUTHZ_ALL)
        return 0;
    return deny(api, peer, METHOD_EXPLAIN, "method",
                "only who may read the audit trail may ask about others; ask about yourself", detail);
}

bool permit_owns(const struct rpc_peer *peer, struct bytes owner)
{
    char text[IDENTITY_TEXT_SIZE];
    return owner.size > 0 && bytes_equal(permit_identity(peer, text), owner);
}

bool permit_shows(struct api *api, struct rpc_call *call, enum method_id method, const struct authz_about *about)
{
    struct caller c;
    return !permit_caller(rpc_call_peer(call), &c) || authz_allows(api->options.authz, &c, method, false, about);
}

bool permit_any_tags(const struct api *api)
{
    return authz_by_tags(api->options.authz, NULL);
}

bool permit_tags(struct api *api, struct rpc_call *call, enum method_id method, struct bytes name, struct bytes *sets)
{
    struct caller c;
    const struct authz *z = api->options.authz;
    const struct authz_about about = {.definition = name, .own = true};
    *sets = bytes_of(NULL, 0);
    if (!permit_caller(rpc_call_peer(call), &c) || !authz_by_tags(z, &c) || authz_allows(z, &c, method, false, &about))
        return true;
    size_t size = 0;
    for (size_t i = 0; i < z->count; i++)
        size += authz_rule_tags(z, i, &c, method, name).size + 2;
    uint8_t *at = arena_take(&api->arena, size);
    if (at == NULL)
        return false;
    sets->at = at;
    for (size_t i = 0; i < z->count; i++) {
        struct bytes tags = authz_rule_tags(z, i, &c, method, name);
        if (tags.size == 0)
            continue;
        memcpy(at, tags.at, tags.size);
        memset(at + tags.size, 0, 2);
        at += tags.size + 2;
    }
    sets->size = (size_t)(at - sets->at);
    return true;
}

bool permit_output(struct api *api, struct rpc_call *call, struct bytes name, struct bytes owner, struct bytes tags)
{
    struct caller c;
    const struct rpc_peer *peer = rpc_call_peer(call);
    const struct authz_about about = {.definition = name, .own = permit_owns(peer, owner), .tags = tags};
    return !permit_caller(peer, &c) || about.own || authz_allows(api->options.authz, &c, METHOD_WAIT, true, &about);
}

/* Says what the rules are short of. */
static int deny_about(struct api *api, const struct rpc_peer *peer, enum method_id method, bool payloads,
                      const struct about *about, bool of_others, struct error_detail *detail)
{
    struct caller c;
    bool tags = permit_caller(peer, &c) && authz_by_tags(api->options.authz, &c);
    if (about->of.definition.size == 0)
        return deny(
            api, peer, method, "definition",
            tags ? "the rules of authorization limit it to sagas with some tags; ask for those, or for one of them"
            : about->of.own || about->many ? "the rules of authorization limit it to some definitions; name one of them"
                                           : "the rules of authorization limit it to some sagas; name one of them",
            detail);
    return deny(api, peer, method,
                of_others  ? "owner"
                : payloads ? "payloads"
                : tags     ? "tags"
                           : "definition",
                of_others  ? "no rule of authorization says so of a saga that another has begun"
                : payloads ? "no rule of authorization lets it read payloads of this definition"
                : tags     ? "no rule of authorization says so of this definition and of a saga with these tags"
                           : "no rule of authorization says so of this definition",
                detail);
}

int permit_request(struct api *api, struct rpc_call *call, enum method_id method, const ProtobufCMessage *m,
                   bool *limited, struct error_detail *detail)
{
    struct caller c;
    const struct rpc_peer *peer = rpc_call_peer(call);
    const struct authz *z = api->options.authz;
    if (!permit_caller(peer, &c))
        return 0;
    if (limited != NULL)
        *limited = false;
    bool payloads = method == METHOD_GET && ((const Saga__V1__GetRequest *)(const void *)m)->include_payloads;
    enum authz_extent extent = payloads ? authz_payloads(z, &c, method) : authz_extent(z, &c, method);
    if (extent == AUTHZ_ALL)
        return 0;
    if (extent == AUTHZ_NOTHING && payloads && authz_extent(z, &c, method) != AUTHZ_NOTHING)
        return deny(api, peer, method, "payloads",
                    "no rule of authorization lets it read payloads; ask without include_payloads", detail);
    if (extent == AUTHZ_NOTHING) /* a command of a pipe */
        return permit_method(api, peer, method, detail);
    if (method == METHOD_REGISTER_DEFINITION || method == METHOD_FIND || method == METHOD_LIST_DEFINITIONS)
        return 0; /* they ask once they know the names */
    struct about about;
    int code = look_at(api, peer, method, m, authz_by_tags(z, &c), &about, detail);
    if (code != 0 || !about.known) /* what could not be looked up is not allowed */
        return code;
    struct authz_about own = about.of;
    own.own = true;
    about.of.own = about.of.own && !about.many;
    if (authz_allows(z, &c, method, payloads, &about.of))
        return 0;
    if (about.many && limited != NULL &&
        (method == METHOD_LIST_DEAD_LETTERS ? authz_somewhere(z, &c, method, own.definition)
                                            : authz_allows(z, &c, method, payloads, &own))) {
        *limited = true;
        return 0;
    }
    /* Which tags it will have, its start tells: the engine refuses others (permit_tags). */
    struct bytes sets;
    if (method == METHOD_START && !permit_tags(api, call, method, own.definition, &sets))
        return error_set(detail, E_MEMORY, "", NULL);
    if (method == METHOD_START && sets.size > 0)
        return 0;
    return deny_about(api, peer, method, payloads, &about, authz_allows(z, &c, method, payloads, &own), detail);
}
