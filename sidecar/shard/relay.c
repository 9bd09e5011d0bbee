/* relay.c - with several loops: says which of them a request is for, and when that is another, asks it there and passes
 * on what it says.
 *
 * A saga's id says where it lives. A start with a request_id belongs where its hash says, so that a repetition finds
 * the saga over whichever connection it comes. Definitions are registered with loop 0 first, and what it has accepted
 * with the others, so that all have the same. What looks at all sagas asks every loop. */
#include "sidecar/shard/relay.h"

#include "sidecar/base/fnv.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <stdlib.h>

#define HERE (-1)
#define ALL  (-2)

/* ---- where a request belongs ---- */

static int loop_of_saga(const struct loop *s, struct bytes text)
{
    struct saga_id id;
    if (!saga_id_parse((const char *)text.at, text.size, &id))
        return HERE;
    unsigned loop = id.tag & (SAGA_LOOPS_MAX - 1);
    /* An id that no loop has given is not found here as well as anywhere. */
    return loop >= s->sidecar->count || loop == s->index ? HERE : (int)loop;
}

/* Part of the journal's format, since it says in whose journal a request_id is looked for. */
static int loop_of_request(const struct loop *s, struct bytes request_id)
{
    if (request_id.size == 0)
        return HERE;
    uint64_t hash = fnv_add(FNV_START, request_id.at, request_id.size);
    unsigned loop = (unsigned)((hash >> 32) % s->sidecar->count);
    return loop == s->index ? HERE : (int)loop;
}

static bool read_varint(struct bytes *rest, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; rest->size > 0 && shift < 64; shift += 7) {
        uint8_t byte = rest->at[0];
        *rest = bytes_of(rest->at + 1, rest->size - 1);
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The text of a field in a packed message, found without unpacking it; empty when there is none, or the message is
 * none. */
static struct bytes text_field(struct bytes rest, unsigned number)
{
    struct bytes found = bytes_of(NULL, 0);
    while (rest.size > 0) {
        uint64_t key, size = 0;
        if (!read_varint(&rest, &key))
            break;
        unsigned wire_type = key & 7;
        if (wire_type == 0) {
            if (!read_varint(&rest, &size))
                break;
            continue;
        }
        if (wire_type == 2 ? !read_varint(&rest, &size) : wire_type != 1 && wire_type != 5)
            break;
        size = wire_type == 1 ? 8 : wire_type == 5 ? 4 : size;
        if (size > rest.size)
            break;
        if (key == ((uint64_t)number << 3 | 2))
            found = bytes_of(rest.at, (size_t)size);
        rest = bytes_of(rest.at + size, rest.size - (size_t)size);
    }
    return found;
}

static int place_of(const struct loop *s, enum method method, struct bytes message)
{
    switch (method) {
    case METHOD_REGISTER_DEFINITION:
        return s->index == 0 ? ALL : 0;
    case METHOD_GET_DEFINITION:
    case METHOD_LIST_DEFINITIONS:
        return s->index == 0 ? HERE : 0; /* so that all connections see the same time of registration */
    case METHOD_START:
        return loop_of_request(s, text_field(message, 3));
    case METHOD_BEGIN:
        return loop_of_request(s, text_field(message, 2));
    case METHOD_LIST:
    case METHOD_LIST_DEAD_LETTERS:
        return ALL;
    case METHOD_WATCH:
        return text_field(message, 1).size == 0 ? ALL : loop_of_saga(s, text_field(message, 1));
    default:
        return loop_of_saga(s, text_field(message, 1));
    }
}

struct rpc *relay_command_loop(const struct loop *s, enum method method, const ProtobufCMessage *m)
{
    const void *message = m;
    const char *id;
    int place;
    if (s->sidecar->count == 1)
        return NULL;
    if (method == METHOD_START || method == METHOD_BEGIN) {
        id = method == METHOD_START ? ((const Saga__V1__StartRequest *)message)->request_id
                                    : ((const Saga__V1__BeginRequest *)message)->request_id;
        place = loop_of_request(s, bytes_of_text(id));
    } else {
        id = method == METHOD_ENLIST   ? ((const Saga__V1__EnlistRequest *)message)->saga_id
             : method == METHOD_SETTLE ? ((const Saga__V1__SettleRequest *)message)->saga_id
             : method == METHOD_COMMIT ? ((const Saga__V1__CommitRequest *)message)->saga_id
                                       : ((const Saga__V1__AbortRequest *)message)->saga_id;
        place = loop_of_saga(s, bytes_of_text(id));
    }
    return place == HERE ? NULL : s->sidecar->loops[place]->rpc;
}

/* ---- what the loops say ---- */

/* A copy, NULL when there is nothing in it or no memory is left. */
static struct bytes copy_of(struct bytes from)
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

static void cut(struct relay *relay)
{
    if (relay->cut)
        return;
    relay->cut = true;
    for (unsigned i = 0; i < relay->count; i++)
        if (relay->parts[i].ask != NULL)
            rpc_ask_cancel(relay->parts[i].ask);
}

/* Keeps the first error, and lets the others go. */
static void fail(struct relay *relay, const struct rpc_told *told)
{
    if (relay->failed)
        return;
    relay->failed = true;
    relay->status = told->status;
    relay->message = told->message == NULL ? NULL : strdup(told->message);
    relay->details = copy_of(told->details);
    cut(relay);
}

static void fail_memory(struct relay *relay)
{
    const struct error_row *row = error_row(E_MEMORY);
    fail(relay, &(struct rpc_told){.status = row->grpc_status, .message = row->text});
}

static void relay_free(struct loop *s, struct relay *relay)
{
    for (unsigned i = 0; i < relay->count; i++) {
        drop(&relay->parts[i].body);
        drop(&relay->parts[i].token);
    }
    drop(&relay->question);
    drop(&relay->details);
    free(relay->message);
    service_request_give_back(s, relay->request);
    free(relay);
}

/* The last has spoken. */
static void finish(struct loop *s, struct relay *relay)
{
    struct rpc_call *call = relay->request->call;
    enum method method = (enum method)relay->request->method;
    if (relay->failed || service_methods[method].kind != RPC_UNARY) {
        rpc_end(call, relay->status, relay->message, relay->details);
    } else if (method == METHOD_LIST || method == METHOD_LIST_DEAD_LETTERS) {
        arena_reset(&s->arena);
        struct bytes answer = gather_answer(s, relay);
        if (answer.at == NULL)
            service_refuse(call, E_MEMORY, NULL);
        else
            rpc_reply(call, answer);
    } else {
        rpc_reply(call, relay->parts[0].body);
    }
    relay_free(s, relay);
}

static void pass_on(struct loop *s, struct relay_part *part, struct bytes message)
{
    struct relay *relay = part->relay;
    if (relay->all) {
        arena_reset(&s->arena);
        message = gather_events(s, part, message);
        if (message.at == NULL) {
            fail_memory(relay);
            return;
        }
    }
    relay->sending = part;
    rpc_send(relay->request->call, message);
}

static void part_message(void *self, void *tag, struct bytes message)
{
    struct relay_part *part = tag;
    struct relay *relay = part->relay;
    if (relay->cut)
        return;
    if (relay->sending == NULL) {
        pass_on(self, part, message);
        return;
    }
    part->body = copy_of(message);
    part->waits = true;
    if (part->body.at == NULL)
        fail_memory(relay);
}

static const struct rpc_asker asker;

static void ask(struct loop *s, struct relay *relay, unsigned part, unsigned loop, struct bytes question)
{
    const struct rpc_method *method = &service_methods[relay->request->method];
    relay->parts[part].ask = rpc_ask(s->rpc, s->sidecar->loops[loop]->rpc, method, question,
                                     rpc_call_peer(relay->request->call), &asker, &relay->parts[part]);
    relay->open++;
}

static void part_end(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    struct relay_part *part = tag;
    struct relay *relay = part->relay;
    part->ask = NULL;
    relay->open--;
    if (told->status != 0) {
        fail(relay, told);
    } else if (service_methods[relay->request->method].kind == RPC_UNARY) {
        part->body = copy_of(told->body);
        if (part->body.at == NULL && told->body.size > 0)
            fail_memory(relay);
        /* Loop 0 has accepted the definition: now the others. */
        bool agreed = part == relay->parts && relay->question.at != NULL && !relay->failed;
        for (unsigned k = 1; agreed && k < relay->count; k++)
            ask(s, relay, k, k, relay->question);
    }
    if (relay->open == 0)
        finish(s, relay);
}

static const struct rpc_asker asker = {.on_message = part_message, .on_end = part_end};

void relay_cancelled(struct request *request)
{
    cut(request->relay);
}

/* The stream has room: for the message of the loop that comes next after the one whose message has left. */
void relay_sent(struct loop *s, struct request *request)
{
    struct relay *relay = request->relay;
    struct relay_part *sent = relay->sending;
    relay->sending = NULL;
    if (relay->cut)
        return;
    if (sent->ask != NULL)
        rpc_ask_took(sent->ask);
    for (unsigned i = 1; i <= relay->count; i++) {
        struct relay_part *part = &relay->parts[((size_t)(sent - relay->parts) + i) % relay->count];
        if (!part->waits)
            continue;
        struct bytes message = part->body;
        part->body = bytes_of(NULL, 0);
        part->waits = false;
        pass_on(s, part, message);
        drop(&message);
        return;
    }
}

/* ---- a request that comes ---- */

static struct relay *relay_create(struct loop *s, struct rpc_call *call, enum method method, unsigned count)
{
    struct relay *relay = calloc(1, sizeof *relay + count * sizeof relay->parts[0]);
    struct request *request = relay == NULL ? NULL : service_request_take(s);
    if (request == NULL) {
        free(relay);
        service_refuse(call, E_MEMORY, NULL);
        return NULL;
    }
    request->call = call;
    request->method = (uint8_t)method;
    request->relay = relay;
    relay->request = request;
    relay->count = count;
    for (unsigned i = 0; i < count; i++)
        relay->parts[i].relay = relay;
    rpc_call_set_owner(call, request);
    return relay;
}

/* Every loop is asked its own question. Returns false when the message is none, which whoever reads it says best. */
static bool ask_all(struct loop *s, struct rpc_call *call, enum method method, struct bytes message)
{
    struct error_detail detail;
    int code = 0;
    arena_reset(&s->arena);
    const ProtobufCMessage *m =
        protobuf_c_message_unpack(reads_type(method), &s->arena.allocator, message.size, message.at);
    if (m == NULL)
        return false;
    struct relay *relay = relay_create(s, call, method, s->sidecar->count);
    if (relay == NULL)
        return true;
    relay->all = true;
    struct bytes questions[SAGA_LOOPS_MAX];
    for (unsigned k = 0; code == 0 && k < relay->count; k++)
        code = gather_question(s, relay, m, k, &questions[k], &detail);
    if (code != 0) {
        service_refuse(call, code, &detail);
        relay_free(s, relay);
        return true;
    }
    for (unsigned k = 0; k < relay->count; k++)
        if (questions[k].at != NULL)
            ask(s, relay, k, k, questions[k]);
    return true;
}

static void register_with_all(struct loop *s, struct rpc_call *call, struct bytes message)
{
    struct relay *relay = relay_create(s, call, METHOD_REGISTER_DEFINITION, s->sidecar->count);
    if (relay == NULL)
        return;
    relay->all = true;
    relay->question = copy_of(message);
    if (relay->question.at == NULL && message.size > 0) {
        service_refuse(call, E_MEMORY, NULL);
        relay_free(s, relay);
        return;
    }
    ask(s, relay, 0, 0, message);
}

bool relay_message(struct loop *s, struct rpc_call *call, enum method method, struct bytes message)
{
    const struct rpc *asker_of = rpc_call_asker(call);
    if (s->sidecar->count == 1)
        return false;
    /* What another loop asks has arrived, save a registration that came to loop 0 to be carried to all. */
    if (asker_of != NULL && (method != METHOD_REGISTER_DEFINITION || s->index != 0 || asker_of == s->rpc))
        return false;
    int place = place_of(s, method, message);
    if (place == HERE)
        return false;
    if (place == ALL && method != METHOD_REGISTER_DEFINITION)
        return ask_all(s, call, method, message);
    if (place == ALL) {
        register_with_all(s, call, message);
        return true;
    }
    struct relay *relay = relay_create(s, call, method, 1);
    if (relay != NULL)
        ask(s, relay, 0, (unsigned)place, message);
    return true;
}
