/* rules.c - what the sidecar does by itself, listed and changed. */
#include "sidecar/api/api_inside.h"

#include "sidecar/observe/log.h"

int rules_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    Saga__V1__ListRulesResponse response = SAGA__V1__LIST_RULES_RESPONSE__INIT;
    (void)message;
    if (!api->options.rules(api->options.self, read->arena, &response))
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}

int rules_change(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__ChangeRuleRequest *m = message;
    const struct rpc_peer *peer = rpc_call_peer(change->request.call);
    bool arm = m->change == SAGA__V1__RULE_CHANGE__RULE_CHANGE_ARM;
    if (!arm && m->change != SAGA__V1__RULE_CHANGE__RULE_CHANGE_UNDO)
        return error_set(detail, E_ARGUMENT, "change", "ARM or UNDO");
    if (m->actor[0] == '\0' || strlen(m->actor) > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in 1 to 128 bytes");
    if (strlen(m->reason) > MESSAGE_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "reason", "at most 256 bytes");
    if (core_stalled(api->core) != 0)
        return error_set(detail, core_stalled(api->core), "", NULL);
    int code = api->options.change_rule(api->options.self, m->name, arm, detail);
    if (code != 0)
        return code;
    audit_act(api, change->request.call, METHOD_CHANGE_RULE, arm ? "arm" : "undo", m->name, m->actor, m->reason);
    log_event(LOG_LEVEL_INFO, arm ? "a rule is armed" : "what a rule did is taken back, and it is disarmed",
              LOG_TEXT("rule", m->name), LOG_TEXT("actor", m->actor), LOG_TEXT("reason", m->reason),
              LOG_NUMBER("uid", peer->has_user ? (int64_t)peer->uid : -1), LOG_TEXT("address", peer->address),
              LOG_TEXT("identity", peer->identity));
    return core_reply(api->core, &(struct reply_effect){.token = (uintptr_t)change}, NULL);
}
