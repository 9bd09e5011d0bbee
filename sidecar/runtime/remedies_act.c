/* remedies_act.c - what a rule does, by the sidecar's own requests to each of its loops: loop 0 first, which may refuse. */
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/remedies_inside.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
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
    enum remedy_order order; /* what it is asked for */
    uint64_t number;         /* of the rule's act */
    unsigned loop;           /* that is asked */
    size_t size;
    uint8_t body[];
};

static const char *actor_of(const struct rule *rule, char text[ACTOR_SIZE])
{
    snprintf(text, ACTOR_SIZE, "rule %s", ruling_name(rule->ruling));
    return text;
}

/* The same after a restart. */
static const char *bulk_id(const struct rule *rule, char text[BULK_ID_SIZE])
{
    snprintf(text, BULK_ID_SIZE, "rule-%.40s-%lld", ruling_name(rule->ruling),
             (long long)(ruling_mark(rule->ruling)->acted_at.us / 1000000));
    return text;
}

/* Another try, or the last. */
static void tell_failed(struct loop *s, const struct rule *rule, const char *text)
{
    const char *name = ruling_name(rule->ruling);
    counters_remedy(s, name, "failed");
    log_event(LOG_LEVEL_ERROR, "what a rule decided could not be done", LOG_TEXT("rule", name), LOG_TEXT("text", text));
}

/* An order has come to its end; why: it was not done, and never will be. */
static void end_order(struct loop *s, struct rule *rule, enum remedy_order order, uint64_t act, const char *why)
{
    if (why != NULL)
        tell_failed(s, rule, why);
    else if (order == REMEDY_ORDER_ACT)
        counters_remedy(s, ruling_name(rule->ruling), "acted");
    if (ruling_answered(rule->ruling, s->core, order, act, why) != 0)
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
}

static void ask(struct loop *s, struct act *act);

/* Whether the same may be taken another time. */
static bool is_passing(int status)
{
    return status == CODE_UNAVAILABLE || status == CODE_RESOURCE_EXHAUSTED || status == CODE_ABORTED ||
           status == CODE_DEADLINE_EXCEEDED || status == CODE_CANCELLED;
}

/* What is asked for again is the same to the letter, as a bulk job must be. What no loop has done is over when one refuses it; what some have done,
 * or may have, is asked for again until all have. There is nothing to take back where a loop says so. */
static void answered(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    struct act *act = tag;
    struct rule *rule = act->rule;
    const char *text = told->message == NULL ? "" : told->message;
    bool undo = act->order == REMEDY_ORDER_UNDO, ends = s->cutting || s->stopping;
    bool again = is_passing(told->status) || (told->status != 0 && !undo && act->loop > 0);
    bool refused = told->status != 0 && !again && !undo;
    bool all = !again && !refused && ++act->loop == s->sidecar->count;
    if (!again && !refused && !all && !ends) {
        ask(s, act);
        return;
    }
    rule->out = false;
    if (again && !ends)
        tell_failed(s, rule, text);
    if (rule->config == NULL)
        remedies_let_go(rule);
    else if (all || (refused && !ends))
        end_order(s, rule, act->order, act->number, all ? NULL : text);
    free(act);
    if (!ends && !again) /* else at the next look */
        remedies_carry_out(s);
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
    if (act == NULL)
        return; /* it is asked for again */
    *act = (struct act){.rule = rule,
                        .method = method,
                        .order = ruling_order(rule->ruling),
                        .number = ruling_mark(rule->ruling)->acts,
                        .size = size};
    protobuf_c_message_pack(m, act->body);
    rule->out = rule->stirred = true;
    ask(s, act);
}

void remedies_let_go(struct rule *rule)
{
    rule->config = NULL;
    if (rule->out)
        return;
    ruling_destroy(rule->ruling);
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
    m.release = m.own = release;
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

/* The number is the same when a page is sent again, as nobody knew whether it had been. */
static void page(struct loop *s, struct rule *rule, const char *said)
{
    char body[5 * (2 * PAGE_TEXT_BYTES + 32) + 32];
    char *to = put_json(body, "{", "rule", ruling_name(rule->ruling));
    to = put_json(to, ", ", "when", rule->config->when);
    to = put_json(to, ", ", "definition", rule->config->definition);
    to = put_json(to, ", ", "target", rule->config->target);
    to = put_json(to, ", ", "said", said);
    snprintf(to, 32, ", \"number\": %llu}", (unsigned long long)ruling_mark(rule->ruling)->acts);
    rule->page_number = ruling_mark(rule->ruling)->acts;
    rule->page = webhook_post(s->remedies->webhook, rule->config->url, body);
    if (rule->page == 0)
        end_order(s, rule, REMEDY_ORDER_ACT, rule->page_number, "the page was dropped: too many wait already");
}

void remedies_follow_pages(struct loop *s)
{
    for (size_t i = 0; i < s->remedies->count; i++) {
        struct rule *rule = s->remedies->rules[i];
        enum webhook_fate fate = rule->page == 0 ? WEBHOOK_WAITS : webhook_fate(s->remedies->webhook, rule->page);
        if (fate == WEBHOOK_WAITS)
            continue;
        rule->page = 0;
        end_order(s, rule, REMEDY_ORDER_ACT, rule->page_number,
                  fate == WEBHOOK_SENT ? NULL : "the webhook did not take the page");
    }
}

static void act_now(struct loop *s, struct rule *rule)
{
    const char *said = ruling_said(rule->ruling);
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
        api_audit_own(s->api, "Page", ruling_name(rule->ruling), actor, reason);
        page(s, rule, said);
        break;
    }
}

static void undo_now(struct loop *s, struct rule *rule)
{
    char actor[ACTOR_SIZE], reason[REASON_BYTES + 1] = "";
    actor_of(rule, actor);
    utf8_append(reason, sizeof reason, ruling_said(rule->ruling));
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
        CHECK(!"nothing of it can be taken back");
    }
}

/* ---- what is decided is durable before it is asked for ---- */

static bool waits(const struct rule *rule)
{
    return ruling_order(rule->ruling) != REMEDY_ORDER_NONE && !rule->out && rule->page == 0;
}

/* The core's own answer is let out when everything that was decided before it is durable, however long the journal is full or away. A read is
 * not: that is answered from what is durable already. */
void remedies_carry_out(struct loop *s)
{
    struct remedies *r = s->remedies;
    bool any = false;
    for (size_t i = 0; !r->keeping && !r->durable && i < r->count; i++)
        any |= r->rules[i]->kept = waits(r->rules[i]);
    if (!any)
        return;
    r->keeping = true;
    if (core_reply(s->core, &(struct reply_effect){.token = (uintptr_t)r}, NULL) != 0)
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
}

/* What is asked for is asked for outside of the commit that said so. */
void remedies_kept(struct loop *s, int code)
{
    struct remedies *r = s->remedies;
    CHECK(r->keeping);
    r->keeping = false;
    r->durable = code == 0;
}

void remedies_ask(struct loop *s)
{
    struct remedies *r = s->remedies;
    bool may = !s->cutting && !s->stopping && s->failure.code == 0;
    r->durable = false;
    for (size_t i = 0; may && i < r->count; i++)
        if (r->rules[i]->kept && waits(r->rules[i]))
            (ruling_order(r->rules[i]->ruling) == REMEDY_ORDER_ACT ? act_now : undo_now)(s, r->rules[i]);
    bool more = false; /* decided since */
    for (size_t i = 0; may && i < r->count; i++)
        more |= !r->rules[i]->kept && waits(r->rules[i]);
    if (more)
        remedies_carry_out(s);
}
