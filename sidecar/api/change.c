/* change.c - unary requests that change something: each becomes an event, and the core's reply its answer. */
#include "sidecar/api/api_inside.h"

#include "sidecar/observe/log.h"

#include <stdlib.h>
#include <utlist.h>

static struct change *take(struct api *api, struct rpc_call *call)
{
    struct change *change = api->free_changes;
    if (change != NULL)
        api->free_changes = change->next;
    else
        change = malloc(sizeof *change);
    if (change == NULL)
        return NULL;
    *change = (struct change){
        .request = {.kind = REQUEST_CHANGE, .method = (enum method_id)rpc_call_method(call)->id, .call = call},
    };
    rpc_call_set_owner(call, &change->request);
    DL_APPEND(api->changes, change);
    return change;
}

void change_give_back(struct api *api, struct change *change)
{
    DL_DELETE(api->changes, change);
    answer_forget(&change->registered);
    change->next = api->free_changes;
    api->free_changes = change;
}

/* ---- who did what ---- */

static const char *transport_name(enum rpc_transport transport)
{
    static const char *const names[] = {[RPC_TRANSPORT_NONE] = "none",
                                        [RPC_TRANSPORT_UNIX] = "unix",
                                        [RPC_TRANSPORT_TCP] = "tcp",
                                        [RPC_TRANSPORT_TLS] = "tls"};
    return names[transport];
}

/* What a person did to a saga or to a target's breaker, and over which connection: what is said of the actor is only said. */
static void tell_act(const struct change *change, const struct reply_effect *reply)
{
    const struct rpc_peer *peer = rpc_call_peer(change->request.call);
    if (change->actor_size == 0)
        return;
    const bool breaker = change->request.method == METHOD_SET_BREAKER;
    const struct log_field saga = LOG_SAGA(reply->saga),
                           target = LOG_BYTES("target", bytes_of(change->target, change->target_size));
    log_event(LOG_LEVEL_INFO, breaker ? "an act on a target" : "an act on a saga",
              LOG_TEXT("method", methods_served[change->request.method].path), breaker ? target : saga,
              LOG_BYTES("actor", bytes_of(change->actor, change->actor_size)),
              LOG_TEXT("outcome", reply->code == 0 ? "OK" : error_row(reply->code)->reason),
              LOG_TEXT("transport", transport_name(peer->transport)),
              LOG_NUMBER("uid", peer->has_user ? (int64_t)peer->uid : -1), LOG_TEXT("address", peer->address),
              LOG_TEXT("identity", peer->identity));
}

/* As much of it as there is room for. Returns how much that is. */
static size_t keep(uint8_t *to, size_t room, struct bytes from)
{
    size_t size = from.size < room ? from.size : room;
    if (size > 0)
        memcpy(to, from.at, size);
    return size;
}

/* Who acts, and on which target. */
static void keep_act(struct change *change, const struct event *event)
{
    change->actor_size = keep(change->actor, sizeof change->actor, event->actor);
    if (event->type == EVENT_BREAKER)
        change->target_size = keep(change->target, sizeof change->target, event->name);
}

static void refuse(struct api *api, struct change *change, int code, const struct error_detail *detail)
{
    api_refuse(api, change->request.call, code, detail);
    change_give_back(api, change);
}

int change_decode(struct api *api, struct rpc_call *call, enum method_id method, const void *message,
                  struct event *event, char identity[IDENTITY_TEXT_SIZE], struct error_detail *detail)
{
    const struct rpc_peer *peer = rpc_call_peer(call);
    *event = (struct event){.now = api_now(api)};
    int code = methods[method].decode(&api->decoder, message, event, detail);
    event->identity = permit_identity(peer, identity);
    event->scoped = api->options.authz->given;
    if (code == 0 && method == METHOD_START &&
        !permit_tags(api, call, method, bytes_of_text(((const Saga__V1__StartRequest *)message)->definition),
                     &event->tag_sets))
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0 && !audit_of_event(api, peer, method, event, &event->audit))
        code = error_set(detail, E_MEMORY, "", NULL);
    return code;
}

void change_message(struct api *api, struct rpc_call *call, struct bytes message)
{
    struct error_detail detail;
    struct change *change = take(api, call);
    if (change == NULL) {
        api_refuse(api, call, E_MEMORY, NULL);
        return;
    }
    const struct method *method = &methods[change->request.method];
    arena_reset(&api->arena);
    int code = api_check(api, change->request.method, message, &detail);
    const ProtobufCMessage *m =
        code != 0 ? NULL : protobuf_c_message_unpack(method->request, &api->arena.allocator, message.size, message.at);
    if (code != 0) {
        /* as it says */
    } else if (m == NULL) {
        code = api_unreadable(change->request.method, &detail);
    } else if ((code = permit_request(api, call, change->request.method, m, NULL, &detail)) != 0) {
        if (code == STORE_PENDING)
            code = error_set(&detail, E_JOURNAL_AWAY, "saga_id", NULL);
    } else if (method->act != NULL) {
        code = method->act(api, change, m, &detail);
    } else {
        struct event event;
        char identity[IDENTITY_TEXT_SIZE];
        code = change_decode(api, call, change->request.method, m, &event, identity, &detail);
        event.token = (uintptr_t)change;
        keep_act(change, &event);
        if (code == 0)
            code = answer_keep(&change->registered, &event, &detail);
        if (code == 0)
            api_submit(api, &event);
    }
    if (code != 0)
        refuse(api, change, code, &detail);
}

void change_reply(struct api *api, struct change *change, const struct reply_effect *reply,
                  const struct error_detail *detail)
{
    arena_reset(&api->arena);
    tell_act(change, reply);
    if (reply->code == E_PERMISSION)
        permit_tell_tags(api, change->request.call, change->request.method);
    if (reply->code != 0) {
        refuse(api, change, reply->code, detail);
        return;
    }
    api_answer(api, change->request.call, answer_make(&api->arena, change->request.method, reply, &change->registered));
    change_give_back(api, change);
}

void changes_abandon(struct api *api)
{
    struct change *change, *next;
    DL_FOREACH_SAFE(api->changes, change, next)
    {
        refuse(api, change, E_STOPPING, NULL);
    }
}

void changes_finish(struct api *api)
{
    while (api->free_changes != NULL) {
        struct change *change = api->free_changes;
        api->free_changes = change->next;
        free(change);
    }
}
