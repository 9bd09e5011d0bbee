/* relay.c - with several loops: says which of them a request is for, and when that is another, asks it there and passes
 * on what it says.
 *
 * A saga's id says where it lives. A start with a request_id belongs where its hash says, so that a repetition finds
 * the saga over whichever connection it comes. Definitions are registered with loop 0 first, and what it has accepted
 * with the others, so that all have the same. What looks at all sagas asks every loop. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/api/packed.h"
#include "sidecar/api/traced.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/check.h"
#include "sidecar/shard/place.h"

#include <stdlib.h>

int relay_create(const struct relay_options *options, struct relay **out)
{
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL)
        return E_MEMORY;
    relay->options = *options;
    arena_init(&relay->arena);
    for (unsigned id = 0; id < METHOD_COUNT; id++)
        relay->by_journal[id] = methods[id].route != ROUTE_FIRST && gather_has_field(methods[id].request, "journal");
    *out = relay;
    return 0;
}

void relay_destroy(struct relay *relay)
{
    if (relay == NULL)
        return;
    arena_finish(&relay->arena);
    free(relay);
}

/* ---- where a request belongs ---- */

#define HERE (-1)
#define ALL  (-2)

static int place_of(const struct relay *relay, enum method_id id, struct bytes message)
{
    const struct method *method = &methods[id];
    unsigned loops = relay->options.loops;
    struct bytes key = method->key == NULL ? bytes_of(NULL, 0) : packed_text(method->request, message, method->key);
    int place;
    switch (method->route) {
    case ROUTE_FIRST: /* so that all connections see the same time of registration */
        place = 0;
        break;
    case ROUTE_FIRST_THEN_ALL:
        place = relay->options.loop == 0 ? ALL : 0;
        break;
    case ROUTE_ALL:
    case ROUTE_PAGES_NEWEST:
    case ROUTE_PAGES_OLDEST:
        place = ALL;
        break;
    case ROUTE_EVENTS: /* those of guests have no place in its cursor, which outlives them */
        place = key.size == 0 ? (loops == 1 ? HERE : ALL) : place_of_saga(relay->options.tags, key, loops);
        break;
    case ROUTE_REQUEST:
        place = place_of_request(relay->options.tags, key, loops);
        break;
    case ROUTE_SAGA: /* an id that no loop has given is not found here as well as anywhere */
        place = place_of_saga(relay->options.tags, key, loops);
        break;
    case ROUTE_COMMANDS:
        place = HERE;
        break;
    default:
        CHECK(!"a route");
    }
    return place == (int)relay->options.loop ? HERE : place;
}

/* Whether a request to all goes to this place, too. What is registered stays here: a guest's journal is another's. */
static bool is_asked(const struct relay *relay, enum method_id method, unsigned place)
{
    bool registers = methods[method].route == ROUTE_FIRST_THEN_ALL && methods[method].role == ROLE_SERVICE;
    return relay->options.rooms[place] != NULL && (place < relay->options.loops || !registers);
}

/* ---- what the loops say ---- */

struct bytes relay_copy(struct bytes from)
{
    void *at = from.size == 0 ? NULL : malloc(from.size);
    if (at != NULL)
        memcpy(at, from.at, from.size);
    return bytes_of(at, at == NULL ? 0 : from.size);
}

static void drop(struct bytes *owned)
{
    free((void *)(uintptr_t)owned->at);
    *owned = bytes_of(NULL, 0);
}

static void cut(struct relayed *relayed)
{
    if (relayed->cut)
        return;
    relayed->cut = true;
    for (unsigned i = 0; i < relayed->count; i++)
        if (relayed->parts[i].ask != NULL)
            rpc_ask_cancel(relayed->parts[i].ask);
        else if (relayed->parts[i].forward != NULL)
            rpc_forward_cancel(relayed->parts[i].forward);
}

void relay_fail(struct relayed *relayed, const struct rpc_told *told)
{
    if (relayed->failed)
        return;
    relayed->failed = true;
    relayed->status = told->status;
    relayed->message = told->message == NULL ? NULL : strdup(told->message);
    relayed->details = relay_copy(told->details);
    cut(relayed);
}

static void fail_memory(struct relayed *relayed)
{
    const struct error_row *row = error_row(E_MEMORY);
    relay_fail(relayed, &(struct rpc_told){.status = row->grpc_status, .message = row->text});
}

void relayed_free(struct relayed *relayed)
{
    for (unsigned i = 0; i < relayed->count; i++) {
        drop(&relayed->parts[i].body);
        drop(&relayed->parts[i].token);
    }
    drop(&relayed->question);
    drop(&relayed->details);
    free(relayed->message);
    fleetwide_free(relayed);
    free(relayed);
}

bool relay_is_pages(enum method_id method)
{
    return methods[method].route == ROUTE_PAGES_NEWEST || methods[method].route == ROUTE_PAGES_OLDEST;
}

/* The answers of all, one behind the other: protobuf reads that as one message whose lists are theirs together. */
static struct bytes join(const struct relayed *relayed)
{
    size_t size = 0, used = 0;
    for (unsigned i = 0; i < relayed->count; i++)
        size += relayed->parts[i].body.size;
    uint8_t *at = arena_take(&relayed->relay->arena, size + 1);
    for (unsigned i = 0; at != NULL && i < relayed->count; i++) {
        struct bytes body = relayed->parts[i].body;
        if (body.size > 0)
            memcpy(at + used, body.at, body.size);
        used += body.size;
    }
    return bytes_of(at, at == NULL ? 0 : size);
}

/* The last has spoken. */
static void finish(struct relayed *relayed)
{
    struct rpc_call *call = relayed->request.call;
    enum method_id method = relayed->request.method;
    if (relayed->away) {
        struct error_detail detail;
        error_set(&detail, E_SAGA_AWAY, "", "the sidecar that has the saga does not answer: another will take it over");
        api_refuse(relayed->relay->options.api, call, E_SAGA_AWAY, &detail);
    } else if (relayed->failed || methods_served[method].kind != RPC_UNARY) {
        rpc_end(call, relayed->status, relayed->message, relayed->details);
    } else if (relayed->all && relay_is_pages(method)) {
        arena_reset(&relayed->relay->arena);
        struct bytes answer = gather_page(relayed);
        if (answer.at == NULL)
            api_refuse(relayed->relay->options.api, call, E_MEMORY, NULL);
        else
            rpc_reply(call, answer);
    } else if (methods[method].route == ROUTE_ALL) {
        arena_reset(&relayed->relay->arena);
        struct bytes answer = join(relayed);
        if (answer.at == NULL)
            api_refuse(relayed->relay->options.api, call, E_MEMORY, NULL);
        else
            rpc_reply(call, answer);
    } else {
        rpc_reply(call, relayed->parts[0].body);
    }
    relayed_free(relayed);
}

static void pass_on(struct relayed_part *part, struct bytes message)
{
    struct relayed *relayed = part->relayed;
    if (relayed->all) {
        arena_reset(&relayed->relay->arena);
        message = gather_events(part, message);
        if (message.at == NULL) {
            fail_memory(relayed);
            return;
        }
    }
    relayed->sending = part;
    rpc_send(relayed->request.call, message);
}

static void part_message(void *self, void *tag, struct bytes message)
{
    struct relayed_part *part = tag;
    struct relayed *relayed = part->relayed;
    (void)self;
    if (relayed->cut)
        return;
    if (relayed->sending == NULL) {
        pass_on(part, message);
        return;
    }
    part->body = relay_copy(message);
    part->waits = true;
    if (part->body.at == NULL)
        fail_memory(relayed);
}

static const struct rpc_asker asker;

void relay_ask(struct relayed *relayed, unsigned part, unsigned loop, struct bytes question)
{
    const struct relay_options *options = &relayed->relay->options;
    relayed->parts[part].place = loop;
    options->asked(options->self, loop, 1);
    relayed->parts[part].ask = rpc_ask(options->rpc, options->rooms[loop], &methods_served[relayed->request.method],
                                       question, rpc_call_peer(relayed->request.call), &asker, &relayed->parts[part]);
    relayed->open++;
}

bool relay_forward(struct relayed *relayed, unsigned k, const struct relay_place *to, struct span timeout,
                   struct bytes question)
{
    const struct rpc_forward_to where = {.address = to->address,
                                         .credentials = to->credentials,
                                         .peer = rpc_call_peer(relayed->request.call),
                                         .timeout = timeout};
    struct relayed_part *part = &relayed->parts[k];
    part->forward = rpc_forward(relayed->relay->options.rpc, &where, &methods_served[relayed->request.method], question,
                                &asker, part);
    relayed->open += part->forward != NULL;
    return part->forward != NULL;
}

static void part_end(void *self, void *tag, const struct rpc_told *told)
{
    struct relayed_part *part = tag;
    struct relayed *relayed = part->relayed;
    (void)self;
    bool far = part->forward != NULL;
    part->ask = NULL;
    part->forward = NULL;
    relayed->open--;
    if (!far)
        relayed->relay->options.asked(relayed->relay->options.self, part->place, -1);
    if (relayed->wide != NULL) {
        fleetwide_end(part, told);
        return;
    }
    /* Nobody is there any more: somebody will be. */
    if (far && told->status == CODE_UNAVAILABLE && told->details.size == 0)
        relayed->away = !relayed->failed;
    if (told->status != 0) {
        relay_fail(relayed, told);
    } else if (methods_served[relayed->request.method].kind == RPC_UNARY) {
        part->body = relay_copy(told->body);
        if (part->body.at == NULL && told->body.size > 0)
            fail_memory(relayed);
        /* Loop 0 has accepted the definition: now the others. */
        bool agreed = part == relayed->parts && relayed->question.at != NULL && !relayed->failed;
        for (unsigned k = 1; agreed && k < relayed->count; k++)
            if (is_asked(relayed->relay, relayed->request.method, k))
                relay_ask(relayed, k, k, relayed->question);
    }
    if (relayed->open == 0)
        finish(relayed);
}

static const struct rpc_asker asker = {.on_message = part_message, .on_end = part_end};

/* What has become of the call, when other loops answer it; or NULL. */
static struct relayed *relayed_of(const struct rpc_call *call)
{
    struct request *request = rpc_call_owner(call);
    return request != NULL && request->kind == REQUEST_RELAYED ? (struct relayed *)(void *)request : NULL;
}

void relay_cancelled(struct relay *relay, struct rpc_call *call)
{
    struct relayed *relayed = relayed_of(call);
    if (relayed != NULL)
        cut(relayed);
    else
        api_cancelled(relay->options.api, call);
}

/* The stream has room: for the message of the loop that comes next after the one whose message has left. */
void relay_sent(struct relay *relay, struct rpc_call *call)
{
    struct relayed *relayed = relayed_of(call);
    if (relayed == NULL) {
        api_sent(relay->options.api, call);
        return;
    }
    struct relayed_part *sent = relayed->sending;
    relayed->sending = NULL;
    if (relayed->cut)
        return;
    if (sent->ask != NULL)
        rpc_ask_took(sent->ask);
    else if (sent->forward != NULL)
        rpc_forward_took(sent->forward);
    for (unsigned i = 1; i <= relayed->count; i++) {
        struct relayed_part *part = &relayed->parts[((size_t)(sent - relayed->parts) + i) % relayed->count];
        if (!part->waits)
            continue;
        struct bytes message = part->body;
        part->body = bytes_of(NULL, 0);
        part->waits = false;
        pass_on(part, message);
        drop(&message);
        return;
    }
}

/* ---- a request that comes ---- */

struct relayed *relayed_create(struct relay *relay, struct rpc_call *call, unsigned count)
{
    struct relayed *relayed = calloc(1, sizeof *relayed + count * sizeof relayed->parts[0]);
    if (relayed == NULL) {
        api_refuse(relay->options.api, call, E_MEMORY, NULL);
        return NULL;
    }
    relayed->request =
        (struct request){.kind = REQUEST_RELAYED, .method = (enum method_id)rpc_call_method(call)->id, .call = call};
    relayed->relay = relay;
    relayed->count = count;
    for (unsigned i = 0; i < count; i++)
        relayed->parts[i].relayed = relayed;
    rpc_call_set_owner(call, &relayed->request);
    return relayed;
}

/* Every loop is asked its own question. */
static int ask_all(struct relayed *relayed, const ProtobufCMessage *m, struct error_detail *detail)
{
    struct bytes questions[SAGA_LOOPS_MAX];
    relayed->all = true;
    for (unsigned k = 0; k < relayed->count; k++) {
        int code = gather_question(relayed, m, k, &questions[k], detail);
        if (code != 0)
            return code;
    }
    for (unsigned k = 0; k < relayed->count; k++)
        if (questions[k].at != NULL && is_asked(relayed->relay, relayed->request.method, k))
            relay_ask(relayed, k, k, questions[k]);
    /* No page leads to where nobody has more. */
    return relayed->open > 0 ? 0 : error_set(detail, E_ARGUMENT, "page_token", "not a token of an earlier page");
}

static int register_with_all(struct relayed *relayed, struct bytes message, struct error_detail *detail)
{
    relayed->question = relay_copy(message);
    if (relayed->question.at == NULL && message.size > 0)
        return error_set(detail, E_MEMORY, "", NULL);
    relay_ask(relayed, 0, 0, message);
    return 0;
}

/* Asks all loops. Returns false when the message is not fit to be read, which whoever reads it says best. */
static bool relay_to_all(struct relay *relay, struct rpc_call *call, struct bytes message)
{
    struct error_detail detail;
    enum method_id method = (enum method_id)rpc_call_method(call)->id;
    const ProtobufCMessage *m = NULL;
    bool each_its_own = methods[method].route != ROUTE_FIRST_THEN_ALL && methods[method].route != ROUTE_ALL;
    if (each_its_own) {
        if (api_check(relay->options.api, method, message, &detail) != 0)
            return false;
        arena_reset(&relay->arena);
        m = protobuf_c_message_unpack(methods[method].request, &relay->arena.allocator, message.size, message.at);
        if (m == NULL) { /* this loop alone is no answer */
            api_refuse(relay->options.api, call, api_unreadable(method, &detail), &detail);
            return true;
        }
    }
    struct relayed *relayed = relayed_create(relay, call, *relay->options.places);
    if (relayed == NULL)
        return true;
    int code = 0;
    if (each_its_own)
        code = ask_all(relayed, m, &detail);
    else if (methods[method].route == ROUTE_ALL)
        for (unsigned k = 0; k < relayed->count; k++) {
            if (is_asked(relay, method, k))
                relay_ask(relayed, k, k, message);
        }
    else
        code = register_with_all(relayed, message, &detail);
    if (code != 0) {
        api_refuse(relay->options.api, call, code, &detail);
        relayed_free(relayed);
    }
    return true;
}

/* Returns false when the request is for this loop. */
static bool asked_elsewhere(struct relay *relay, struct rpc_call *call, struct bytes message)
{
    enum method_id method = (enum method_id)rpc_call_method(call)->id;
    const struct rpc *asker_of = rpc_call_asker(call);
    const struct relay_options *options = &relay->options;
    struct relay_key key;
    /* In a fleet a Pipe's commands come by ourselves. */
    if (options->find != NULL && asker_of == options->rpc &&
        (methods[method].route == ROUTE_SAGA || methods[method].route == ROUTE_REQUEST))
        asker_of = NULL;
    if (api_closed(options->api) == 0 && fleetwide_take(relay, call, message))
        return true;
    if (asker_of == NULL && api_closed(options->api) == 0 && elsewhere_key(relay, method, message, &key)) {
        elsewhere_take(relay, call, message);
        return true;
    }
    if (elsewhere_refuses(relay, call))
        return true;
    if (*options->places == 1 || api_closed(options->api) != 0)
        return false;
    /* What another loop asks has arrived, save a registration that came to loop 0 to be carried to all. */
    if (asker_of != NULL &&
        (methods[method].route != ROUTE_FIRST_THEN_ALL || options->loop != 0 || asker_of == options->rpc))
        return false;
    int place = place_of(relay, method, message);
    if (place == HERE)
        return false;
    if (place == ALL)
        return relay_to_all(relay, call, message);
    struct relayed *relayed = relayed_create(relay, call, 1);
    if (relayed != NULL)
        relay_ask(relayed, 0, (unsigned)place, message);
    return true;
}

void relay_message(struct relay *relay, struct rpc_call *call, struct bytes message)
{
    arena_reset(&relay->arena);
    message = traced(call, message, &relay->arena);
    if (!asked_elsewhere(relay, call, message))
        api_message(relay->options.api, call, message);
}
