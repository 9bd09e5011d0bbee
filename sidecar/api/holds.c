/* holds.c - definitions held, and let go. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"
#include "sidecar/core/holds.h"

#include "sidecar/observe/log.h"

int holds_change(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__HoldDefinitionRequest *m = message;
    const struct rpc_peer *peer = rpc_call_peer(change->request.call);
    Saga__V1__Hold hold = SAGA__V1__HOLD__INIT;
    hold.definition = m->definition;
    hold.actor = m->actor;
    hold.reason = m->reason;
    hold.since = view_time(&api->arena, api_now(api));
    int code = hold.since == NULL             ? error_set(detail, E_MEMORY, "", NULL)
               : core_stalled(api->core) != 0 ? error_set(detail, core_stalled(api->core), "", NULL)
                                              : 0;
    if (code == 0)
        code = holds_set(core_holds(api->core), api->core, &hold, !m->release, m->own, detail);
    if (code != 0)
        return code;
    audit_act(api, change->request.call, METHOD_HOLD_DEFINITION, m->release ? "release" : "hold", m->definition,
              m->actor, m->reason);
    log_event(LOG_LEVEL_INFO, m->release ? "a definition is let go" : "starts of a definition are held",
              LOG_TEXT("definition", m->definition), LOG_TEXT("actor", m->actor), LOG_TEXT("reason", m->reason),
              LOG_NUMBER("uid", peer->has_user ? (int64_t)peer->uid : -1), LOG_TEXT("address", peer->address),
              LOG_TEXT("identity", peer->identity));
    return core_reply(api->core, &(struct reply_effect){.token = (uintptr_t)change}, NULL);
}
