/* pipe.c - Pipe: messages of many commands, each answered by one message with as many results, in order. */
#include "sidecar/runtime/loop.h"

#include "sidecar/base/check.h"
#include "sidecar/rpc/status_details.h"

#include <stdlib.h>
#include <utlist.h>

/* Messages of one pipe that may be in work: more are not read from it until the first is answered. */
#define MESSAGES_MAX 16

struct piped_command {
    struct request request; /* its address is the token; request.piped is the message */
    bool answered;
    bool elsewhere; /* another loop answers it */
    bool repeated;
    int code;
    struct saga_id saga;
    struct error_detail *detail; /* owned; NULL: the code says it all */
    struct bytes status;         /* owned: another loop's error, as google.rpc.Status */
};

struct piped_message {
    struct pipe *pipe;
    struct piped_message *next;
    size_t count, open; /* commands, and those that are not answered yet */
    struct piped_command commands[];
};

struct pipe {
    struct rpc_call *call;
    struct piped_message *first, **last; /* in the order they came */
    size_t message_count;
    bool asked; /* for the next message */
    bool sending;
    bool gone;    /* the peer is: nothing is sent any more */
    bool over;    /* no message will come any more: end it when the last is answered */
    int end_code; /* with this error; 0: OK */
    struct error_detail end_detail;
    struct pipe *prev, *next; /* among the open ones */
};

static struct pipe *pipe_of(struct loop *s, struct rpc_call *call)
{
    struct pipe *p = rpc_call_owner(call);
    if (p != NULL || (p = calloc(1, sizeof *p)) == NULL)
        return p;
    p->call = call;
    p->last = &p->first;
    p->asked = true;
    rpc_call_set_owner(call, p);
    DL_APPEND(s->pipes, p);
    return p;
}

static void message_free(struct piped_message *message)
{
    for (size_t i = 0; i < message->count; i++) {
        free(message->commands[i].detail);
        free((void *)(uintptr_t)message->commands[i].status.at);
    }
    free(message);
}

/* ---- results ---- */

static bool result_error(struct arena *a, const struct piped_command *command, Saga__V1__Result *result)
{
    uint8_t *at = arena_take(a, STATUS_DETAILS_SIZE_MAX);
    if (at == NULL)
        return false;
    struct bytes packed =
        command->status.at != NULL ? command->status : status_details(command->code, command->detail, at);
    result->result_case = SAGA__V1__RESULT__RESULT_ERROR;
    result->error = google__rpc__status__unpack(&a->allocator, packed.size, packed.at);
    return result->error != NULL;
}

#define RESULT(a, result, case_name, member, type, init) \
    ((result)->result_case = case_name, \
     ((result)->member = arena_take(a, sizeof(type))) != NULL && (init((result)->member), true))

static bool result_done(struct arena *a, const struct piped_command *command, Saga__V1__Result *result)
{
    char *id = NULL;
    if (command->request.method == METHOD_START || command->request.method == METHOD_BEGIN) {
        id = arena_take(a, SAGA_ID_TEXT_SIZE);
        if (id == NULL)
            return false;
        saga_id_format(command->saga, id);
    }
    switch (command->request.method) {
    case METHOD_START:
        if (!RESULT(a, result, SAGA__V1__RESULT__RESULT_START, start, Saga__V1__StartResponse,
                    saga__v1__start_response__init))
            return false;
        result->start->saga_id = id;
        result->start->already_started = command->repeated;
        return true;
    case METHOD_BEGIN:
        if (!RESULT(a, result, SAGA__V1__RESULT__RESULT_BEGIN, begin, Saga__V1__BeginResponse,
                    saga__v1__begin_response__init))
            return false;
        result->begin->saga_id = id;
        result->begin->already_started = command->repeated;
        return true;
    case METHOD_ENLIST:
        return RESULT(a, result, SAGA__V1__RESULT__RESULT_ENLIST, enlist, Saga__V1__EnlistResponse,
                      saga__v1__enlist_response__init);
    case METHOD_SETTLE:
        return RESULT(a, result, SAGA__V1__RESULT__RESULT_SETTLE, settle, Saga__V1__SettleResponse,
                      saga__v1__settle_response__init);
    case METHOD_COMMIT:
        return RESULT(a, result, SAGA__V1__RESULT__RESULT_COMMIT, commit, Saga__V1__CommitResponse,
                      saga__v1__commit_response__init);
    default:
        CHECK(command->request.method == METHOD_ABORT);
        return RESULT(a, result, SAGA__V1__RESULT__RESULT_ABORT, abort, Saga__V1__AbortResponse,
                      saga__v1__abort_response__init);
    }
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

static void end(struct loop *s, struct pipe *p)
{
    DL_DELETE(s->pipes, p);
    if (p->end_code == 0)
        rpc_end(p->call, 0, "", bytes_of(NULL, 0));
    else
        service_refuse(p->call, p->end_code, &p->end_detail);
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
static void turn(struct loop *s, struct pipe *p)
{
    while (p->gone && p->first != NULL && p->first->open == 0)
        message_free(take_first(p));
    if (!p->sending && !p->gone && p->first != NULL && p->first->open == 0) {
        arena_reset(&s->arena);
        struct piped_message *message = take_first(p);
        struct bytes response = response_of(&s->arena, message);
        message_free(message);
        if (response.at == NULL) {
            p->over = true;
            p->end_code = error_set(&p->end_detail, E_MEMORY, "", NULL);
        } else {
            p->sending = true;
            rpc_send(p->call, response);
        }
    }
    if (p->over && !p->sending && p->first == NULL) {
        end(s, p);
        return;
    }
    if (!p->over && !p->asked && p->message_count < MESSAGES_MAX) {
        p->asked = true;
        rpc_next(p->call);
    }
}

/* No further message is read; what was read is answered first. */
static void end_with(struct loop *s, struct pipe *p, int code)
{
    p->over = true;
    p->end_code = code;
    turn(s, p);
}

static enum method method_of(const Saga__V1__Command *command, const ProtobufCMessage **message)
{
    switch (command->command_case) {
    case SAGA__V1__COMMAND__COMMAND_START:
        *message = &command->start->base;
        return METHOD_START;
    case SAGA__V1__COMMAND__COMMAND_BEGIN:
        *message = &command->begin->base;
        return METHOD_BEGIN;
    case SAGA__V1__COMMAND__COMMAND_ENLIST:
        *message = &command->enlist->base;
        return METHOD_ENLIST;
    case SAGA__V1__COMMAND__COMMAND_SETTLE:
        *message = &command->settle->base;
        return METHOD_SETTLE;
    case SAGA__V1__COMMAND__COMMAND_COMMIT:
        *message = &command->commit->base;
        return METHOD_COMMIT;
    case SAGA__V1__COMMAND__COMMAND_ABORT:
        *message = &command->abort->base;
        return METHOD_ABORT;
    default:
        return METHOD_COUNT;
    }
}

static void command_answered(struct piped_command *command, int code, const struct error_detail *detail)
{
    command->answered = true;
    command->code = code;
    if (code != 0 && detail != NULL && (command->detail = malloc(sizeof *detail)) != NULL)
        *command->detail = *detail;
    command->request.piped->open--;
}

/* Another loop has answered. */
static void told(void *self, void *tag, const struct rpc_told *told)
{
    struct piped_command *command = tag;
    int code = told->status == 0 ? 0 : E_MEMORY; /* unless status says more */
    if (code != 0 && told->details.size > 0) {
        void *copy = malloc(told->details.size);
        if (copy != NULL)
            memcpy(copy, told->details.at, told->details.size);
        command->status = bytes_of(copy, copy == NULL ? 0 : told->details.size);
    } else if (command->request.method == METHOD_START || command->request.method == METHOD_BEGIN) {
        /* BeginResponse is the same message under another name. */
        Saga__V1__StartResponse *m = saga__v1__start_response__unpack(NULL, told->body.size, told->body.at);
        if (m == NULL || !saga_id_parse(m->saga_id, strlen(m->saga_id), &command->saga))
            code = E_MEMORY;
        else
            command->repeated = m->already_started;
        if (m != NULL)
            saga__v1__start_response__free_unpacked(m, NULL);
    }
    command_answered(command, code, NULL);
    if (command->request.piped->open == 0)
        turn(self, command->request.piped->pipe);
}

static const struct rpc_asker asker = {.on_end = told};

/* Hands a command to the loop that it is for. Returns false when that is this one. */
static bool ask_another(struct loop *s, struct piped_command *command, const ProtobufCMessage *m)
{
    enum method method = (enum method)command->request.method;
    struct rpc *other = relay_command_loop(s, method, m);
    if (other == NULL)
        return false;
    struct bytes packed = arena_pack(&s->arena, m);
    if (packed.at == NULL)
        command_answered(command, E_MEMORY, NULL);
    else
        rpc_ask(s->rpc, other, &service_methods[method], packed, rpc_call_peer(command->request.piped->pipe->call),
                &asker, command);
    command->elsewhere = packed.at != NULL;
    return true;
}

static void carry_out(struct loop *s, struct piped_command *command, const Saga__V1__Command *m)
{
    struct error_detail detail;
    struct event event;
    const ProtobufCMessage *request;
    enum method method = method_of(m, &request);
    int code;
    if (method == METHOD_COUNT) {
        code = error_set(&detail, E_ARGUMENT, "command", "a command that this sidecar does not know");
    } else {
        command->request.method = (uint8_t)method;
        if (ask_another(s, command, request))
            return;
        code = service_decode(s, method, request, &event, &detail);
        event.token = (uintptr_t)&command->request;
        if (code == 0)
            service_submit(s, &event);
    }
    if (code != 0)
        command_answered(command, code, &detail);
}

void pipe_message(struct loop *s, struct rpc_call *call, struct bytes bytes)
{
    struct pipe *p = pipe_of(s, call);
    if (p == NULL) {
        service_refuse(call, E_MEMORY, NULL);
        return;
    }
    p->asked = false;
    if (p->over)
        return;
    if (s->stopping) { /* its first message crossed our stopping */
        end_with(s, p, error_set(&p->end_detail, E_STOPPING, "", NULL));
        return;
    }
    arena_reset(&s->arena);
    const Saga__V1__PipeRequest *m = saga__v1__pipe_request__unpack(&s->arena.allocator, bytes.size, bytes.at);
    if (m == NULL) {
        end_with(s, p, error_set(&p->end_detail, E_ARGUMENT, "", "the message cannot be read as saga.v1.PipeRequest"));
        return;
    }
    if (m->n_commands > s->config->pipe_commands_max) {
        end_with(s, p, error_set(&p->end_detail, E_ARGUMENT, "commands", "more than pipe_commands_max in one message"));
        return;
    }
    struct piped_message *message = calloc(1, sizeof *message + m->n_commands * sizeof message->commands[0]);
    if (message == NULL) {
        end_with(s, p, error_set(&p->end_detail, E_MEMORY, "", NULL));
        return;
    }
    message->pipe = p;
    message->count = message->open = m->n_commands;
    *p->last = message;
    p->last = &message->next;
    p->message_count++;
    for (size_t i = 0; i < m->n_commands; i++) {
        message->commands[i].request.piped = message;
        carry_out(s, &message->commands[i], m->commands[i]);
    }
    turn(s, p);
}

void pipe_reply(struct loop *s, struct request *request, const struct reply_effect *reply,
                const struct error_detail *detail)
{
    struct piped_command *command = (struct piped_command *)(void *)request;
    command->saga = reply->saga;
    command->repeated = reply->repeated;
    service_tell_damage(reply->code, detail);
    command_answered(command, reply->code, detail);
    if (request->piped->open == 0)
        turn(s, request->piped->pipe);
}

void pipe_half_close(struct loop *s, struct rpc_call *call)
{
    struct pipe *p = pipe_of(s, call);
    if (p == NULL) {
        service_refuse(call, E_MEMORY, NULL);
        return;
    }
    p->over = true;
    turn(s, p);
}

/* What was sent is carried out all the same; there is nobody to tell. */
void pipe_cancelled(struct loop *s, struct rpc_call *call)
{
    struct pipe *p = pipe_of(s, call);
    if (p == NULL) {
        service_refuse(call, E_MEMORY, NULL);
        return;
    }
    p->gone = true;
    p->over = true;
    p->sending = false;
    turn(s, p);
}

void pipes_end(struct loop *s)
{
    struct pipe *p, *next;
    DL_FOREACH_SAFE(s->pipes, p, next)
    {
        if (!p->over)
            end_with(s, p, error_set(&p->end_detail, E_STOPPING, "", NULL));
    }
}

void pipes_abandon(struct loop *s)
{
    struct pipe *p, *next;
    DL_FOREACH_SAFE(s->pipes, p, next)
    {
        for (struct piped_message *message = p->first; message != NULL; message = message->next)
            for (size_t i = 0; i < message->count; i++)
                if (!message->commands[i].answered && !message->commands[i].elsewhere)
                    command_answered(&message->commands[i], E_STOPPING, NULL);
        turn(s, p);
    }
}

void pipe_sent(struct loop *s, struct rpc_call *call)
{
    struct pipe *p = rpc_call_owner(call);
    p->sending = false;
    turn(s, p);
}
