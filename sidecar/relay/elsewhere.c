/* elsewhere.c - in a fleet: whose saga a request is about is asked of those who know, the request waits for that, and then goes its way: to this loop,
 * to a guest beside it, or to another sidecar. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/api/packed.h"
#include "sidecar/core/claim.h"

#include <stdlib.h>

/* Requests that wait to hear where they belong. */
#define LOST_MAX 1024
/* What another sidecar is asked ends by our own clock, unless it is asked to wait. */
#define ANSWER_MAX SPAN_S(30)

bool elsewhere_key(const struct relay *relay, enum method_id id, struct bytes message, struct relay_key *key)
{
    const struct method *method = &methods[id];
    struct bytes text = method->key == NULL ? bytes_of(NULL, 0) : packed_text(method->request, message, method->key);
    struct saga_id saga;
    *key = (struct relay_key){.claims = method->decode != NULL};
    if (relay->options.find == NULL || text.size == 0)
        return false;
    switch (method->route) {
    case ROUTE_SAGA:
    case ROUTE_EVENTS:
        if (!saga_id_parse((const char *)text.at, text.size, &saga) || tags_find(relay->options.tags, saga.tag) >= 0)
            return false;
        key->tag = saga.tag;
        return true;
    case ROUTE_REQUEST:
        if (text.size > REQUEST_ID_BYTES_MAX)
            return false;
        key->request_id = text;
        return true;
    default:
        return false;
    }
}

static bool waits_long(enum method_id id)
{
    return id == METHOD_WAIT || methods_served[id].kind != RPC_UNARY;
}

void elsewhere_refuse(struct relayed *relayed, int code, const struct error_detail *detail)
{
    api_refuse(relayed->relay->options.api, relayed->request.call, code, detail);
    relayed_free(relayed);
}

/* No saga begins by a look at its claim that is so long ago. Nothing is between this and the core, in which it then lives, but the letter to a guest
 * (elsewhere_refuses). */
static bool is_late(const struct relayed *relayed)
{
    const struct relay_options *options = &relayed->relay->options;
    return relayed->key.claims && relayed->key.request_id.size > 0 &&
           claim_is_past(instant_since(options->now(options->self), relayed->since));
}

static int late(struct error_detail *detail)
{
    return error_set(detail, E_SAGA_AWAY, "",
                     "the sidecar stood still since it looked whose request_id it is: ask again");
}

bool elsewhere_refuses(struct relay *relay, struct rpc_call *call)
{
    const struct relay_options *options = &relay->options;
    const struct method *method = &methods[rpc_call_method(call)->id];
    const struct rpc *asker = rpc_call_asker(call);
    struct error_detail detail;
    for (unsigned k = 0; k < options->loops; k++)
        if (asker == NULL || asker == options->rooms[k])
            return false;
    if (method->route != ROUTE_REQUEST || method->decode == NULL || !claim_is_past(rpc_call_asked_ago(call)))
        return false;
    api_refuse(relay->options.api, call, late(&detail), &detail);
    return true;
}

/* Where it belongs is known. */
static void go(struct relayed *relayed, const struct relay_place *to)
{
    struct relay *relay = relayed->relay;
    struct rpc_call *call = relayed->request.call;
    struct error_detail detail;
    if (is_late(relayed)) {
        elsewhere_refuse(relayed, late(&detail), &detail);
        return;
    }
    if (to->address == NULL && to->place == relay->options.loop) {
        struct bytes message = relayed->question;
        relayed->question = bytes_of(NULL, 0);
        rpc_call_set_owner(call, NULL);
        api_message(relay->options.api, call, message);
        free((void *)(uintptr_t)message.at);
        relayed_free(relayed);
        return;
    }
    if (to->address != NULL && rpc_call_is_forwarded(call)) { /* it was here when the other sidecar was told so */
        elsewhere_refuse(relayed, error_set(&detail, E_SAGA_AWAY, "", NULL), &detail);
        return;
    }
    struct bytes question = relayed->question;
    relayed->question = bytes_of(NULL, 0); /* or it would be asked of all */
    bool asked = true;
    if (to->address == NULL)
        relay_ask(relayed, 0, to->place, question);
    else
        asked = relay_forward(relayed, 0, to, waits_long(relayed->request.method) ? SPAN_MS(-1) : ANSWER_MAX, question);
    free((void *)(uintptr_t)question.at);
    if (!asked)
        elsewhere_refuse(relayed,
                         error_set(&detail, E_SAGA_AWAY, "", "the address of the sidecar that has it cannot be called"),
                         &detail);
}

/* Returns whether it waits on. */
static bool try(struct relayed *relayed)
{
    struct relay_place to;
    struct error_detail detail;
    struct relay *relay = relayed->relay;
    int code = relayed->cut ? E_STOPPING : api_closed(relay->options.api);
    if (code != 0) {
        error_set(&detail, code, "", NULL);
    } else if (relayed->wide != NULL) {
        if ((code = fleetwide_try(relayed, &detail)) == 0)
            return false;
    } else {
        code = relay->options.find(relay->options.self, &relayed->key, &to, &detail);
    }
    if (code == STORE_PENDING)
        return true;
    if (code != 0)
        elsewhere_refuse(relayed, code, &detail);
    else
        go(relayed, &to);
    return false;
}

struct relayed *elsewhere_wait(struct relay *relay, struct rpc_call *call, struct bytes message)
{
    struct error_detail detail;
    if (!api_permits(relay->options.api, call))
        return NULL;
    if (relay->lost_count == LOST_MAX) {
        api_refuse(relay->options.api, call,
                   error_set(&detail, E_QUEUE, "", "too many requests wait to hear where their sagas are"), &detail);
        return NULL;
    }
    struct relayed *relayed = relayed_create(relay, call, 1);
    if (relayed == NULL)
        return NULL;
    relayed->question = relay_copy(message);
    if (relayed->question.at != NULL)
        return relayed;
    elsewhere_refuse(relayed, E_MEMORY, NULL);
    return NULL;
}

void elsewhere_try(struct relayed *relayed)
{
    struct relay *relay = relayed->relay;
    if (!try(relayed))
        return;
    relayed->next_lost = relay->lost;
    relay->lost = relayed;
    relay->lost_count++;
}

void elsewhere_take(struct relay *relay, struct rpc_call *call, struct bytes message)
{
    struct relayed *relayed = elsewhere_wait(relay, call, message);
    if (relayed == NULL)
        return;
    relayed->since = relay->options.now(relay->options.self);
    if (elsewhere_key(relay, relayed->request.method, relayed->question, &relayed->key))
        elsewhere_try(relayed);
    else
        elsewhere_refuse(relayed, E_MEMORY, NULL);
}

void relay_turn(struct relay *relay)
{
    struct relayed *all = relay->lost;
    relay->lost = NULL;
    relay->lost_count = 0;
    while (all != NULL) {
        struct relayed *relayed = all;
        all = all->next_lost;
        elsewhere_try(relayed);
    }
}
