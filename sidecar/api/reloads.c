/* reloads.c - an operator has the configuration read again: whoever runs the loop does it, and says what came of it. */
#include "sidecar/api/api_inside.h"

#include "sidecar/observe/log.h"

#include <utlist.h>

int reloads_act(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__ReloadRequest *m = message;
    size_t size = strlen(m->actor);
    if (size == 0 || size > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in at most 128 bytes");
    if (core_stalled(api->core) != 0) /* what is registered, and who asked, could not become durable */
        return error_set(detail, core_stalled(api->core), "", NULL);
    const struct rpc_peer *peer = rpc_call_peer(change->request.call);
    log_event(LOG_LEVEL_INFO, "a reload was asked for", LOG_TEXT("actor", m->actor),
              LOG_NUMBER("uid", peer->has_user ? (int64_t)peer->uid : -1), LOG_TEXT("address", peer->address),
              LOG_TEXT("identity", peer->identity));
    audit_add(api, change->request.call, METHOD_RELOAD, "", m->actor, "");
    change->asked = api->options.reload(api->options.self);
    return 0;
}

bool reloads_answer(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                    ProtobufCMessage *response)
{
    Saga__V1__ReloadResponse *m = (Saga__V1__ReloadResponse *)response;
    (void)a;
    (void)reply;
    m->taken = registered->reload->taken;
    m->n_taken = registered->reload->taken_count;
    m->needs_restart = registered->reload->restart;
    m->n_needs_restart = registered->reload->restart_count;
    return true;
}

static void answer(struct api *api, struct change *change, const struct api_reload *told)
{
    const struct reply_effect reply = {.code = 0};
    if (told->code != 0) {
        api_refuse(api, change->request.call, told->code, told->detail);
    } else {
        change->registered.reload = told;
        arena_reset(&api->arena);
        api_answer(api, change->request.call, answer_make(&api->arena, METHOD_RELOAD, &reply, &change->registered));
    }
    change_give_back(api, change);
}

void api_reloaded(struct api *api, uint32_t number, const struct api_reload *told)
{
    struct change *change, *next;
    DL_FOREACH_SAFE(api->changes, change, next)
    {
        if (change->request.method == METHOD_RELOAD && change->asked <= number)
            answer(api, change, told);
    }
}
