/* remedies_act.c - what a rule does, by the sidecar's own requests to each of its loops: loop 0 first, which may refuse. */
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/remedies_inside.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/utf8.h"
#include "sidecar/observe/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BULK_ID_SIZE    96
#define ACTOR_SIZE      96
#define PAGE_TEXT_BYTES 2049 /* of each text of a page: of the longest, a question */
#define REASON_BYTES    180  /* as a bulk job's */

/* A request on its way through the loops. */
struct act {
    struct rule *rule;
    enum method_id method;
    unsigned loop; /* that is asked */
    size_t size;
    uint8_t body[];
};

static const char *actor_of(const struct rule *rule, char text[ACTOR_SIZE])
{
    snprintf(text, ACTOR_SIZE, "rule %s", rule->name);
    return text;
}

/* The same after a restart. */
static const char *bulk_id(const struct rule *rule, char text[BULK_ID_SIZE])
{
    snprintf(text, BULK_ID_SIZE, "rule-%.40s-%lld", rule->name,
             (long long)(remedy_mark(rule->remedy)->acted_at.us / 1000000));
    return text;
}

static void ask(struct loop *s, struct act *act);

static void tell_failed(struct loop *s, struct rule *rule, const char *text)
{
    snprintf(rule->said, sizeof rule->said, "it could not be done: ");
    utf8_append(rule->said, sizeof rule->said, text);
    counters_remedy(s, rule->name, "failed");
    log_event(LOG_LEVEL_ERROR, "what a rule decided could not be done", LOG_TEXT("rule", rule->name),
              LOG_TEXT("text", text));
}

static void answered(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    struct act *act = tag;
    bool over = told->status != 0 || ++act->loop == s->sidecar->count || s->cutting || s->stopping;
    if (told->status != 0 && !s->cutting)
        tell_failed(s, act->rule, told->message == NULL ? "" : told->message);
    if (!over) {
        ask(s, act);
        return;
    }
    act->rule->acts_out--;
    if (act->rule->config == NULL)
        remedies_let_go(act->rule);
    free(act);
}

static const struct rpc_asker asker = {.on_end = answered};

static void ask(struct loop *s, struct act *act)
{
    rpc_ask(s->rpc, s->sidecar->rooms[act->loop], &methods_served[act->method], bytes_of(act->body, act->size), NULL,
            &asker, act);
}

static void ask_all(struct loop *s, struct rule *rule, enum method_id method, const ProtobufCMessage *m)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    struct act *act = malloc(sizeof *act + size);
    if (act == NULL) {
        tell_failed(s, rule, "there is no memory");
        return;
    }
    *act = (struct act){.rule = rule, .method = method, .size = size};
    protobuf_c_message_pack(m, act->body);
    rule->acts_out++;
    ask(s, act);
}

void remedies_let_go(struct rule *rule)
{
    rule->config = NULL;
    if (rule->acts_out > 0)
        return;
    remedy_destroy(rule->remedy);
    free(rule);
}

/* ---- the acts ---- */

static void retry(struct loop *s, struct rule *rule, char *actor, char *reason)
{
    char id[BULK_ID_SIZE];
    Saga__V1__StartBulkRequest m = SAGA__V1__START_BULK_REQUEST__INIT;
    m.id = (char *)(uintptr_t)bulk_id(rule, id);
    m.act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
    m.where = (char *)(uintptr_t)rule->config->where;
    m.definition = (char *)(uintptr_t)rule->config->definition;
    m.actor = actor;
    m.reason = reason;
    m.per_second = rule->config->per_second;
    ask_all(s, rule, METHOD_START_BULK, &m.base);
}

static void cancel(struct loop *s, struct rule *rule, char *actor)
{
    char id[BULK_ID_SIZE];
    Saga__V1__ChangeBulkRequest m = SAGA__V1__CHANGE_BULK_REQUEST__INIT;
    m.id = (char *)(uintptr_t)bulk_id(rule, id);
    m.state = SAGA__V1__BULK_STATE__BULK_STATE_CANCELLED;
    m.actor = actor;
    ask_all(s, rule, METHOD_CHANGE_BULK, &m.base);
}

static void hold(struct loop *s, struct rule *rule, bool release, char *actor, char *reason)
{
    Saga__V1__HoldDefinitionRequest m = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    m.definition = (char *)(uintptr_t)rule->config->definition;
    m.release = release;
    m.actor = actor;
    m.reason = reason;
    ask_all(s, rule, METHOD_HOLD_DEFINITION, &m.base);
}

static void set_breaker(struct loop *s, struct rule *rule, Saga__V1__BreakerAct what, char *actor, char *reason)
{
    Saga__V1__SetBreakerRequest m = SAGA__V1__SET_BREAKER_REQUEST__INIT;
    m.target = (char *)(uintptr_t)rule->config->target;
    m.act = what;
    m.actor = actor;
    m.reason = reason;
    ask_all(s, rule, METHOD_SET_BREAKER, &m.base);
}

/* Texts are names, words of ours and expressions: quotes and backslashes are escaped, what steers is left out, and what is long is cut. Returns
 * where it ends. */
static char *put_json(char *to, const char *separator, const char *name, const char *text)
{
    char shown[PAGE_TEXT_BYTES] = "";
    utf8_append(shown, sizeof shown, text);
    to += snprintf(to, 32, "%s\"%s\": \"", separator, name);
    for (const char *at = shown; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            *to++ = '\\';
        if ((unsigned char)*at >= ' ')
            *to++ = *at;
    }
    *to++ = '"';
    return to;
}

static void page(struct loop *s, struct rule *rule, const char *said)
{
    char body[5 * (2 * PAGE_TEXT_BYTES + 32)];
    char *to = put_json(body, "{", "rule", rule->name);
    to = put_json(to, ", ", "when", rule->config->when);
    to = put_json(to, ", ", "definition", rule->config->definition);
    to = put_json(to, ", ", "target", rule->config->target);
    to = put_json(to, ", ", "said", said);
    memcpy(to, "}", 2);
    if (!webhook_post(s->remedies->webhook, rule->config->url, body))
        snprintf(rule->said, sizeof rule->said, "the page was dropped: %d wait already", WEBHOOKS_WAITING_MAX);
}

void remedies_act(struct loop *s, struct rule *rule, const char *said)
{
    char actor[ACTOR_SIZE], reason[REASON_BYTES + 1] = "";
    actor_of(rule, actor);
    utf8_append(reason, sizeof reason, said);
    switch ((enum config_remedy_act)rule->config->act) {
    case CONFIG_REMEDY_RETRY:
        retry(s, rule, actor, reason);
        break;
    case CONFIG_REMEDY_HOLD:
        hold(s, rule, false, actor, reason);
        break;
    case CONFIG_REMEDY_TRIP:
        set_breaker(s, rule, SAGA__V1__BREAKER_ACT__BREAKER_ACT_TRIP, actor, reason);
        break;
    case CONFIG_REMEDY_RESET:
        set_breaker(s, rule, SAGA__V1__BREAKER_ACT__BREAKER_ACT_RESET, actor, reason);
        break;
    case CONFIG_REMEDY_PAGE:
        api_audit_own(s->api, "Page", rule->name, actor, reason);
        page(s, rule, said);
        break;
    }
}

void remedies_undo(struct loop *s, struct rule *rule, const char *said)
{
    char actor[ACTOR_SIZE], reason[REASON_BYTES + 1] = "";
    actor_of(rule, actor);
    utf8_append(reason, sizeof reason, said);
    if (remedy_mark(rule->remedy)->acted_at.us == 0 || !rule->config->acts)
        return;
    switch ((enum config_remedy_act)rule->config->act) {
    case CONFIG_REMEDY_RETRY:
        cancel(s, rule, actor);
        break;
    case CONFIG_REMEDY_HOLD:
        hold(s, rule, true, actor, reason);
        break;
    case CONFIG_REMEDY_TRIP:
        set_breaker(s, rule, SAGA__V1__BREAKER_ACT__BREAKER_ACT_RESET, actor, reason);
        break;
    case CONFIG_REMEDY_RESET:
    case CONFIG_REMEDY_PAGE:
        break;
    }
}
