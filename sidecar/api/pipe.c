/* pipe.c - Pipe: messages of many commands, each answered by one message with as many results, in order.
 *
 * A message is kept as it came, and its commands are read and carried out one by one: so a long one is cut into pieces by time, and what
 * else there is to do waits for a piece at most. */
#include "sidecar/api/api_inside.h"

#include "sidecar/api/packed.h"
#include "sidecar/base/account.h"
#include "sidecar/message/wire.h"
#include "sidecar/base/check.h"
#include "sidecar/rpc/status_details.h"
#include "sidecar/shard/place.h"
#include "sidecar/shard/tags.h"

#include <stdlib.h>
#include <utlist.h>

/* Messages of one pipe that may be in work: more are not read from it until the first is answered. */
#define MESSAGES_MAX 16

struct piped_command {
    struct request request; /* its address is the token */
    struct piped_message *message;
    bool answered;
    bool elsewhere; /* another loop answers it */
    int code;
    struct reply_effect reply;
    struct registered registered;
    struct error_detail *detail; /* owned; NULL: the code says it all */
    struct bytes told;           /* owned; elsewhere: the response, or google.rpc.Status of an error */
};

struct piped_message {
    struct pipe *pipe;
    struct piped_message *next;
    uint8_t *bytes;            /* owned, until all is carried out */
    size_t size;               /* of them */
    struct bytes rest;         /* what of them is not carried out yet */
    size_t count, open, begun; /* commands; those that are not answered, and those that were looked at */
    struct piped_command commands[];
};

struct pipe {
    struct request request;
    struct api *api;
    struct piped_message *first, **last; /* in the order they came */
    struct piped_message *carrying;      /* the last, while some of its commands have not been looked at */
    size_t message_count;
    bool asked; /* for the next message */
    bool sending;
    bool gone;    /* the peer is: nothing is sent any more */
    bool over;    /* no message will come any more: end it when the last is answered */
    int end_code; /* with this error; 0: OK */
    struct error_detail end_detail;
    struct pipe *prev, *next; /* among the open ones */
};

static struct pipe *pipe_of(struct api *api, struct rpc_call *call)
{
    struct pipe *p = rpc_call_owner(call);
    if (p != NULL || (p = calloc(1, sizeof *p)) == NULL)
        return p;
    p->request = (struct request){.kind = REQUEST_PIPE, .method = METHOD_PIPE, .call = call};
    p->api = api;
    p->last = &p->first;
    p->asked = true;
    rpc_call_set_owner(call, &p->request);
    DL_APPEND(api->pipes, p);
    return p;
}

static void free_bytes(struct piped_message *message)
{
    account_sub(&account.lives, message->size);
    free(message->bytes);
    message->bytes = NULL;
    message->size = 0;
}

static void message_free(struct piped_message *message)
{
    for (size_t i = 0; i < message->count; i++) {
        answer_forget(&message->commands[i].registered);
        free(message->commands[i].detail);
        free((void *)(uintptr_t)message->commands[i].told.at);
    }
    free_bytes(message);
    free(message);
}

/* ---- results ---- */

static bool result_error(struct arena *a, const struct piped_command *command, Saga__V1__Result *result)
{
    uint8_t *at = arena_take(a, STATUS_DETAILS_SIZE_MAX);
    if (at == NULL)
        return false;
    struct bytes packed = command->told.at != NULL ? command->told : status_details(command->code, command->detail, at);
    result->result_case = SAGA__V1__RESULT__RESULT_ERROR;
    result->error = google__rpc__status__unpack(&a->allocator, packed.size, packed.at);
    return result->error != NULL;
}

/* The field of a Result that a response of this type goes into. */
static const ProtobufCFieldDescriptor *result_field(const ProtobufCMessageDescriptor *response)
{
    const ProtobufCMessageDescriptor *type = &saga__v1__result__descriptor;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].descriptor == response)
            return &type->fields[i];
    CHECK(!"a command whose response is a result");
}

static bool result_done(struct arena *a, const struct piped_command *command, Saga__V1__Result *result)
{
    enum method_id method = command->request.method;
    const ProtobufCMessageDescriptor *type = methods[method].response;
    const ProtobufCFieldDescriptor *field = result_field(type);
    ProtobufCMessage *response =
        command->elsewhere ? protobuf_c_message_unpack(type, &a->allocator, command->told.size, command->told.at)
                           : answer_make(a, method, &command->reply, &command->registered);
    memcpy((char *)result + field->offset, &response, sizeof response);
    result->result_case = (Saga__V1__Result__ResultCase)field->id;
    return response != NULL;
}

static struct bytes response_of(struct arena *a, const struct piped_message *message)
{
    Saga__V1__PipeResponse response = SAGA__V1__PIPE_RESPONSE__INIT;
    Saga__V1__Result *results = arena_take(a, (message->count + 1) * sizeof *results);
    response.n_results = message->count;
    response.results = arena_take(a, (message->count + 1) * sizeof *response.results);
    if (results == NULL || response.results == NULL)
        return bytes_of(NULL, 0);
    for (size_t i = 0; i < message->count; i++) {
        const struct piped_command *command = &message->commands[i];
        response.results[i] = &results[i];
        saga__v1__result__init(&results[i]);
        bool ok = command->code == 0 ? result_done(a, command, &results[i]) : result_error(a, command, &results[i]);
        if (!ok)
            return bytes_of(NULL, 0);
    }
    return arena_pack(a, &response.base);
}

/* ---- the stream ---- */

static void end(struct pipe *p)
{
    DL_DELETE(p->api->pipes, p);
    if (p->end_code == 0)
        rpc_end(p->request.call, 0, "", bytes_of(NULL, 0));
    else
        api_refuse(p->api, p->request.call, p->end_code, &p->end_detail);
    free(p);
}

static struct piped_message *take_first(struct pipe *p)
{
    struct piped_message *message = p->first;
    p->first = message->next;
    if (p->first == NULL)
        p->last = &p->first;
    p->message_count--;
    return message;
}

/* Sends what is answered, reads on where there is room, and ends when all is said. */
static void turn(struct pipe *p)
{
    while (p->gone && p->first != NULL && p->first->open == 0)
        message_free(take_first(p));
    if (!p->sending && !p->gone && p->first != NULL && p->first->open == 0) {
        struct arena *a = &p->api->arena;
        arena_reset(a);
        struct piped_message *message = take_first(p);
        struct bytes response = response_of(a, message);
        message_free(message);
        if (response.at == NULL) {
            p->over = true;
            p->end_code = error_set(&p->end_detail, E_MEMORY, "", NULL);
        } else {
            p->sending = true;
            rpc_send(p->request.call, response);
        }
    }
    if (p->over && !p->sending && p->first == NULL) {
        end(p);
        return;
    }
    if (!p->over && !p->asked && p->carrying == NULL && p->message_count < MESSAGES_MAX) {
        p->asked = true;
        rpc_next(p->request.call);
    }
}

/* No further message is read; what was read is answered first. */
static void end_with(struct pipe *p, int code)
{
    p->over = true;
    p->end_code = code;
    turn(p);
}

/* ---- commands ---- */

/* The number of the field of PipeRequest that they are in. */
static uint32_t commands_field(void)
{
    const struct method *method = &methods[METHOD_PIPE];
    return protobuf_c_message_descriptor_get_field_by_name(method->request, method->key)->id;
}

static void command_answered(struct piped_command *command, int code, const struct error_detail *detail)
{
    command->answered = true;
    command->code = code;
    if (code != 0 && !command->elsewhere) /* or else the loop that refused it has counted it */
        api_refused(command->message->pipe->api, command->request.method, code);
    if (code != 0 && detail != NULL && (command->detail = malloc(sizeof *detail)) != NULL)
        *command->detail = *detail;
    command->message->open--;
}

/* Another loop has answered. */
static void told(void *self, void *tag, const struct rpc_told *told)
{
    struct piped_command *command = tag;
    struct bytes said = told->status == 0 ? told->body : told->details;
    void *copy = said.size == 0 ? NULL : malloc(said.size);
    (void)self;
    if (copy != NULL)
        memcpy(copy, said.at, said.size);
    command->told = bytes_of(copy, copy == NULL ? 0 : said.size);
    /* Unless the status says more. */
    bool lost = copy == NULL && said.size > 0;
    command_answered(command, told->status != 0 || lost ? E_MEMORY : 0, NULL);
    if (command->message->open == 0)
        turn(command->message->pipe);
}

static const struct rpc_asker asker = {.on_end = told};

/* In a fleet: whether it is for the relay to say where the command belongs. */
static bool goes_by_relay(const struct api *api, enum method_id method, struct bytes key)
{
    struct saga_id saga;
    if (!api->options.fleet || key.size == 0)
        return false;
    if (methods[method].route == ROUTE_REQUEST)
        return true;
    return saga_id_parse((const char *)key.at, key.size, &saga) &&
           tags_find(api->options.tags, saga.tag) != (int)api->options.loop;
}

/* Hands a command to the loop that it is for. Returns false when that is this one. */
static bool ask_another(struct api *api, struct piped_command *command, const ProtobufCMessage *m)
{
    enum method_id method = command->request.method;
    if (api->options.loops == 1 && !api->options.fleet)
        return false;
    struct bytes key = bytes_of_text(methods_key(method, m));
    unsigned loops = api->options.loops;
    bool by_relay = goes_by_relay(api, method, key);
    int place = by_relay                                 ? (int)api->options.loop
                : methods[method].route == ROUTE_REQUEST ? place_of_request(api->options.tags, key, loops)
                                                         : place_of_saga(api->options.tags, key, loops);
    if (place < 0 || ((unsigned)place == api->options.loop && !by_relay))
        return false;
    struct bytes packed = arena_pack(&api->arena, m);
    if (packed.at == NULL)
        command_answered(command, E_MEMORY, NULL);
    else
        rpc_ask(api->options.rpc, api->options.rooms[place], &methods_served[method], packed,
                rpc_call_peer(command->message->pipe->request.call), &asker, command);
    command->elsewhere = packed.at != NULL;
    return true;
}

/* Reads a command, and carries it out. */
static void carry_out(struct api *api, struct piped_command *command, struct bytes packed)
{
    struct error_detail detail;
    struct event event;
    char identity[IDENTITY_TEXT_SIZE];
    arena_reset(&api->arena);
    int code = packed_check(&saga__v1__command__descriptor, packed, api->bounds, &detail);
    Saga__V1__Command *m = code == 0 ? saga__v1__command__unpack(&api->arena.allocator, packed.size, packed.at) : NULL;
    const ProtobufCFieldDescriptor *field =
        m == NULL ? NULL : protobuf_c_message_descriptor_get_field(m->base.descriptor, m->command_case);
    if (code != 0) {
        /* as it says */
    } else if (m == NULL) {
        code = error_set(&detail, E_ARGUMENT, "command", "the command cannot be read as saga.v1.Command");
    } else if (field == NULL) {
        code = error_set(&detail, E_ARGUMENT, "command", "a command that this sidecar does not know");
    } else {
        const ProtobufCMessage *request;
        memcpy(&request, (char *)m + field->offset, sizeof request);
        command->request.method = methods_find(field->descriptor);
        struct rpc_call *call = command->message->pipe->request.call;
        if (ask_another(api, command, request))
            return;
        code = permit_request(api, call, command->request.method, request, NULL, &detail);
        if (code == STORE_PENDING)
            code = error_set(&detail, E_JOURNAL_AWAY, "saga_id", NULL);
        if (code == 0)
            code = change_decode(api, call, command->request.method, request, &event, identity, &detail);
        event.token = (uintptr_t)&command->request;
        if (code == 0)
            code = answer_keep(&command->registered, &event, &detail);
        if (code == 0)
            api_submit(api, &event);
    }
    if (code != 0)
        command_answered(command, code, &detail);
}

/* Goes on with the last message. */
static void carry(struct pipe *p)
{
    struct piped_message *message = p->carrying;
    struct wire_field field;
    uint32_t number = commands_field();
    while (message->begun < message->count && api_has_time(p->api)) {
        CHECK(wire_next(&message->rest, &field) == 1);
        if (field.number == number)
            carry_out(p->api, &message->commands[message->begun++], field.body);
    }
    if (message->begun < message->count)
        return;
    p->carrying = NULL;
    p->api->pipes_carrying--;
    free_bytes(message);
}

void pipes_run(struct api *api)
{
    struct pipe *p, *next;
    if (api->pipes_carrying == 0)
        return;
    DL_FOREACH_SAFE(api->pipes, p, next)
    {
        if (p->carrying == NULL)
            continue;
        carry(p);
        turn(p);
    }
}

/* How many commands are in a message; or that it is none, or has more than it may. */
static int count_commands(const struct api *api, struct bytes rest, size_t *count, struct error_detail *detail)
{
    struct wire_field field;
    uint32_t number = commands_field();
    *count = 0;
    int found;
    while ((found = wire_next(&rest, &field)) == 1 && (field.number != number || field.type == WIRE_BYTES))
        *count += field.number == number;
    if (found != 0)
        return error_set(detail, E_ARGUMENT, "", "the message cannot be read as saga.v1.PipeRequest");
    if (*count > api->options.pipe_commands_max)
        return error_set(detail, E_ARGUMENT, "commands", "more than pipe_commands_max in one message");
    return 0;
}

void pipe_message(struct api *api, struct rpc_call *call, struct bytes bytes)
{
    struct pipe *p = pipe_of(api, call);
    size_t count;
    if (p == NULL) {
        api_refuse(api, call, E_MEMORY, NULL);
        return;
    }
    p->asked = false;
    if (p->over)
        return;
    if (api->stopping) { /* its first message crossed our stopping */
        end_with(p, error_set(&p->end_detail, E_STOPPING, "", NULL));
        return;
    }
    int code = count_commands(api, bytes, &count, &p->end_detail);
    if (code != 0) {
        end_with(p, code);
        return;
    }
    if (!account_takes_request(bytes.size)) {
        end_with(p, error_set(&p->end_detail, E_BYTES, "", NULL));
        return;
    }
    struct piped_message *message = calloc(1, sizeof *message + count * sizeof message->commands[0]);
    uint8_t *copy = message == NULL ? NULL : malloc(bytes.size + 1);
    if (copy == NULL) {
        free(message);
        end_with(p, error_set(&p->end_detail, E_MEMORY, "", NULL));
        return;
    }
    if (bytes.size > 0)
        memcpy(copy, bytes.at, bytes.size);
    message->bytes = copy;
    message->size = bytes.size;
    account_add(&account.lives, bytes.size);
    message->rest = bytes_of(copy, bytes.size);
    message->pipe = p;
    message->count = message->open = count;
    for (size_t i = 0; i < count; i++) {
        message->commands[i].request.kind = REQUEST_COMMAND;
        message->commands[i].request.method = METHOD_PIPE; /* until it has been read */
        message->commands[i].message = message;
    }
    *p->last = message;
    p->last = &message->next;
    p->message_count++;
    p->carrying = message;
    api->pipes_carrying++;
    carry(p);
    turn(p);
}

void pipe_reply(struct api *api, struct request *request, const struct reply_effect *reply,
                const struct error_detail *detail)
{
    struct piped_command *command = (struct piped_command *)(void *)request;
    command->reply = *reply;
    if (reply->code == E_PERMISSION && !command->message->pipe->gone)
        permit_tell_tags(api, command->message->pipe->request.call, request->method);
    api_tell_damage(reply->code, detail);
    command_answered(command, reply->code, detail);
    if (command->message->open == 0)
        turn(command->message->pipe);
}

void pipe_half_close(struct api *api, struct rpc_call *call)
{
    struct pipe *p = pipe_of(api, call);
    if (p == NULL) {
        api_refuse(api, call, E_MEMORY, NULL);
        return;
    }
    p->over = true;
    turn(p);
}

/* What was sent is carried out all the same; there is nobody to tell. */
void pipe_cancelled(struct api *api, struct rpc_call *call)
{
    struct pipe *p = pipe_of(api, call);
    if (p == NULL) {
        api_refuse(api, call, E_MEMORY, NULL);
        return;
    }
    p->gone = true;
    p->over = true;
    p->sending = false;
    turn(p);
}

void pipes_end(struct api *api)
{
    struct pipe *p, *next;
    DL_FOREACH_SAFE(api->pipes, p, next)
    {
        if (!p->over)
            end_with(p, error_set(&p->end_detail, E_STOPPING, "", NULL));
    }
}

void pipes_abandon(struct api *api)
{
    struct pipe *p, *next;
    DL_FOREACH_SAFE(api->pipes, p, next)
    {
        api->pipes_carrying -= p->carrying != NULL;
        p->carrying = NULL;
        for (struct piped_message *message = p->first; message != NULL; message = message->next)
            for (size_t i = 0; i < message->count; i++)
                if (!message->commands[i].answered && !message->commands[i].elsewhere)
                    command_answered(&message->commands[i], E_STOPPING, NULL);
        turn(p);
    }
}

void pipe_sent(struct api *api, struct rpc_call *call)
{
    struct pipe *p = rpc_call_owner(call);
    (void)api;
    p->sending = false;
    turn(p);
}
