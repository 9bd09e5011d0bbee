/* service.c - the API's methods: requests become events, replies go back. Reads are put aside until the next commit, so that they show
 * nothing that is not durable. */
#include "sidecar/runtime/loop.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/reader.h"
#include "sidecar/observe/log.h"
#include "sidecar/rpc/status_details.h"
#include "sidecar/api/view.h"

#include <stdlib.h>
#include <utlist.h>

#define COORDINATOR "/saga.v1.Coordinator/"
#define OPERATOR    "/saga.v1.Operator/"

const struct rpc_method service_methods[METHOD_COUNT] = {
    {COORDINATOR "RegisterDefinition", RPC_UNARY, METHOD_REGISTER_DEFINITION},
    {COORDINATOR "GetDefinition", RPC_UNARY, METHOD_GET_DEFINITION},
    {COORDINATOR "ListDefinitions", RPC_UNARY, METHOD_LIST_DEFINITIONS},
    {COORDINATOR "Start", RPC_UNARY, METHOD_START},
    {COORDINATOR "Begin", RPC_UNARY, METHOD_BEGIN},
    {COORDINATOR "Enlist", RPC_UNARY, METHOD_ENLIST},
    {COORDINATOR "Settle", RPC_UNARY, METHOD_SETTLE},
    {COORDINATOR "KeepAlive", RPC_UNARY, METHOD_KEEP_ALIVE},
    {COORDINATOR "Commit", RPC_UNARY, METHOD_COMMIT},
    {COORDINATOR "Abort", RPC_UNARY, METHOD_ABORT},
    {COORDINATOR "Get", RPC_UNARY, METHOD_GET},
    {COORDINATOR "List", RPC_UNARY, METHOD_LIST},
    {COORDINATOR "Wait", RPC_UNARY, METHOD_WAIT},
    {COORDINATOR "Watch", RPC_SERVER_STREAM, METHOD_WATCH},
    {COORDINATOR "Cancel", RPC_UNARY, METHOD_CANCEL},
    {COORDINATOR "Pipe", RPC_BIDI, METHOD_PIPE},
    {OPERATOR "Pause", RPC_UNARY, METHOD_PAUSE},
    {OPERATOR "Resume", RPC_UNARY, METHOD_RESUME},
    {OPERATOR "ListDeadLetters", RPC_UNARY, METHOD_LIST_DEAD_LETTERS},
    {OPERATOR "Retry", RPC_UNARY, METHOD_RETRY},
    {OPERATOR "Skip", RPC_UNARY, METHOD_SKIP},
    {OPERATOR "Resolve", RPC_UNARY, METHOD_RESOLVE},
};

/* What the methods that change something are sent; reads.c and pipe.c know the others. */
static const ProtobufCMessageDescriptor *const request_types[METHOD_COUNT] = {
    [METHOD_REGISTER_DEFINITION] = &saga__v1__register_definition_request__descriptor,
    [METHOD_START] = &saga__v1__start_request__descriptor,
    [METHOD_BEGIN] = &saga__v1__begin_request__descriptor,
    [METHOD_ENLIST] = &saga__v1__enlist_request__descriptor,
    [METHOD_SETTLE] = &saga__v1__settle_request__descriptor,
    [METHOD_KEEP_ALIVE] = &saga__v1__keep_alive_request__descriptor,
    [METHOD_COMMIT] = &saga__v1__commit_request__descriptor,
    [METHOD_ABORT] = &saga__v1__abort_request__descriptor,
    [METHOD_CANCEL] = &saga__v1__cancel_request__descriptor,
    [METHOD_PAUSE] = &saga__v1__pause_request__descriptor,
    [METHOD_RESUME] = &saga__v1__resume_request__descriptor,
    [METHOD_RETRY] = &saga__v1__retry_request__descriptor,
    [METHOD_SKIP] = &saga__v1__skip_request__descriptor,
    [METHOD_RESOLVE] = &saga__v1__resolve_request__descriptor,
};

/* ---- requests and answers ---- */

struct request *service_request_take(struct loop *s)
{
    struct request *request = s->free_requests;
    if (request != NULL)
        s->free_requests = request->next;
    else
        request = malloc(sizeof *request);
    if (request == NULL)
        return NULL;
    memset(request, 0, sizeof *request);
    DL_APPEND2(s->active_requests, request, active_prev, active_next);
    return request;
}

void service_request_give_back(struct loop *s, struct request *request)
{
    DL_DELETE2(s->active_requests, request, active_prev, active_next);
    free(request->body);
    request->next = s->free_requests;
    s->free_requests = request;
}

void service_finish(struct loop *s)
{
    while (s->free_requests != NULL) {
        struct request *request = s->free_requests;
        s->free_requests = request->next;
        free(request);
    }
}

void service_abandon(struct loop *s)
{
    struct request *request, *next;
    DL_FOREACH_SAFE2(s->active_requests, request, next, active_next)
    {
        if (request->relay != NULL) /* another loop answers it */
            continue;
        service_refuse(request->call, E_STOPPING, NULL);
        service_request_give_back(s, request);
    }
}

void service_tell_damage(int code, const struct error_detail *detail)
{
    if (code == E_JOURNAL_CORRUPT)
        log_event(LOG_LEVEL_ERROR, "the journal is damaged: a request was refused", LOG_TEXT("journal", detail->field),
                  LOG_TEXT("what", detail->text));
}

void service_refuse(struct rpc_call *call, int code, const struct error_detail *detail)
{
    uint8_t details[STATUS_DETAILS_SIZE_MAX];
    char message[STATUS_MESSAGE_SIZE_MAX];
    service_tell_damage(code, detail);
    status_message(code, detail, message);
    rpc_end(call, error_row(code)->grpc_status, message, status_details(code, detail, details));
}

void service_answer(struct loop *s, struct rpc_call *call, const ProtobufCMessage *message)
{
    struct bytes packed = message == NULL ? bytes_of(NULL, 0) : arena_pack(&s->arena, message);
    if (packed.at == NULL)
        service_refuse(call, E_MEMORY, NULL);
    else
        rpc_reply(call, packed);
}

void service_submit(struct loop *s, struct event *event)
{
    if (s->fatal == 0)
        s->fatal = core_submit(s->core, event, &s->fatal_detail);
}

/* ---- decoding ---- */

static int decode_keep_alive(const Saga__V1__KeepAliveRequest *m, struct event *e, struct error_detail *detail)
{
    return decode_act(&(struct decode_act){.type = EVENT_KEEP_ALIVE, .saga_id = m->saga_id}, e, detail);
}

static int decode_cancel(const Saga__V1__CancelRequest *m, struct event *e, struct error_detail *detail)
{
    return decode_act(&(struct decode_act){.type = EVENT_CANCEL, .saga_id = m->saga_id, .reason = m->reason}, e,
                      detail);
}

static int decode_pause(const Saga__V1__PauseRequest *m, struct event *e, struct error_detail *detail)
{
    return decode_act(
        &(struct decode_act){.type = EVENT_PAUSE, .saga_id = m->saga_id, .actor = m->actor, .reason = m->reason}, e,
        detail);
}

static int decode_resume(const Saga__V1__ResumeRequest *m, struct event *e, struct error_detail *detail)
{
    return decode_act(&(struct decode_act){.type = EVENT_RESUME, .saga_id = m->saga_id, .actor = m->actor}, e, detail);
}

static int decode_retry(const Saga__V1__RetryRequest *m, struct event *e, struct error_detail *detail)
{
    return decode_act(
        &(struct decode_act){.type = EVENT_RETRY, .saga_id = m->saga_id, .step = m->step, .actor = m->actor}, e,
        detail);
}

static int decode_skip(const Saga__V1__SkipRequest *m, struct event *e, struct error_detail *detail)
{
    return decode_act(
        &(struct decode_act){
            .type = EVENT_SKIP, .saga_id = m->saga_id, .step = m->step, .actor = m->actor, .reason = m->reason},
        e, detail);
}

static int decode_resolve(const Saga__V1__ResolveRequest *m, struct event *e, struct error_detail *detail)
{
    return decode_act(
        &(struct decode_act){.type = EVENT_RESOLVE, .saga_id = m->saga_id, .actor = m->actor, .reason = m->reason}, e,
        detail);
}

int service_decode(const struct loop *s, enum method method, const ProtobufCMessage *message, struct event *event,
                   struct error_detail *detail)
{
    const void *m = message;
    *event = (struct event){.now = clock_now(&s->clock)};
    switch (method) {
    case METHOD_START:
        return decode_start(&s->decoder, m, event, detail);
    case METHOD_BEGIN:
        return decode_begin(&s->decoder, m, event, detail);
    case METHOD_ENLIST:
        return decode_enlist(&s->decoder, m, event, detail);
    case METHOD_SETTLE:
        return decode_settle(&s->decoder, m, event, detail);
    case METHOD_COMMIT:
        return decode_commit(&s->decoder, m, event, detail);
    case METHOD_ABORT:
        return decode_abort(&s->decoder, m, event, detail);
    case METHOD_KEEP_ALIVE:
        return decode_keep_alive(m, event, detail);
    case METHOD_CANCEL:
        return decode_cancel(m, event, detail);
    case METHOD_PAUSE:
        return decode_pause(m, event, detail);
    case METHOD_RESUME:
        return decode_resume(m, event, detail);
    case METHOD_RETRY:
        return decode_retry(m, event, detail);
    case METHOD_SKIP:
        return decode_skip(m, event, detail);
    case METHOD_RESOLVE:
        return decode_resolve(m, event, detail);
    default:
        CHECK(!"a method that makes an event");
    }
}

/* ---- definitions ---- */

/* Sends the answer through the core: what was registered must be durable first. */
static int register_definition(struct loop *s, struct request *request, const Saga__V1__RegisterDefinitionRequest *m,
                               struct error_detail *detail)
{
    struct bytes source = bytes_of(m->source.data, m->source.len);
    struct definition *definition;
    int code = definition_read(source, &s->limits, &definition, detail);
    if (code != 0)
        return code;
    const struct catalog_entry *there =
        catalog_find(s->catalog, bytes_of_text(definition->name), bytes_of_text(definition->version));
    if (there != NULL) {
        bool same = bytes_equal(there->definition->source, definition->source);
        definition_destroy(definition);
        request->definition = there->definition;
        request->repeated = true;
        if (!same)
            return error_set(detail, E_DEFINITION_EXISTS, "source",
                             "this name and version are registered with another text: raise the version");
        s->fatal = core_reply(s->core, &(struct reply_effect){.token = (uintptr_t)request}, NULL);
        return 0;
    }
    if (m->dry_run) {
        code = engine_resolve(core_engine(s->core), definition, detail);
        if (code == 0) {
            Saga__V1__RegisterDefinitionResponse response = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
            response.name = (char *)(uintptr_t)definition->name;
            response.version = (char *)(uintptr_t)definition->version;
            service_answer(s, request->call, &response.base);
            service_request_give_back(s, request);
        }
        definition_destroy(definition);
        return code;
    }
    request->definition = definition;
    code = core_register(s->core, definition, clock_now(&s->clock), (uintptr_t)request, detail);
    if (code != 0)
        definition_destroy(definition);
    else
        log_event(LOG_LEVEL_INFO, "definition registered", LOG_TEXT("definition", definition->name),
                  LOG_TEXT("version", definition->version));
    return code;
}

/* ---- a message of a unary call or a server stream ---- */

static void put_aside(struct loop *s, struct request *request, struct bytes message)
{
    request->body_size = message.size;
    if (message.size > 0 && (request->body = malloc(message.size)) == NULL) {
        service_refuse(request->call, E_MEMORY, NULL);
        service_request_give_back(s, request);
        return;
    }
    if (message.size > 0)
        memcpy(request->body, message.at, message.size);
    rpc_call_set_owner(request->call, request);
    request->next = NULL;
    *s->reads_last = request;
    s->reads_last = &request->next;
}

static void act(struct loop *s, struct request *request, struct bytes message)
{
    struct error_detail detail;
    const ProtobufCMessageDescriptor *type = request_types[request->method];
    arena_reset(&s->arena);
    const ProtobufCMessage *m = protobuf_c_message_unpack(type, &s->arena.allocator, message.size, message.at);
    int code;
    if (m == NULL) {
        code = error_set(&detail, E_ARGUMENT, "", "the request cannot be read as ");
        error_append(&detail, type->name);
    } else if (request->method == METHOD_REGISTER_DEFINITION) {
        code = register_definition(s, request, (const void *)m, &detail);
    } else {
        struct event event;
        code = service_decode(s, request->method, m, &event, &detail);
        event.token = (uintptr_t)request;
        if (code == 0)
            service_submit(s, &event);
    }
    if (code != 0) {
        service_refuse(request->call, code, &detail);
        service_request_give_back(s, request);
    }
}

void service_message(void *self, struct rpc_call *call, struct bytes message)
{
    struct loop *s = self;
    enum method method = (enum method)rpc_call_method(call)->id;
    if (method == METHOD_PIPE) {
        pipe_message(s, call, message);
        return;
    }
    if (s->fatal == 0 && !s->cutting && relay_message(s, call, method, message))
        return;
    struct request *request = s->fatal != 0 || s->cutting ? NULL : service_request_take(s);
    if (request == NULL) {
        service_refuse(call, s->fatal != 0 ? E_JOURNAL : s->cutting ? E_STOPPING : E_MEMORY, NULL);
        return;
    }
    request->call = call;
    request->method = (uint8_t)method;
    if (request_types[method] == NULL)
        put_aside(s, request, message);
    else
        act(s, request, message);
}

void service_half_close(void *self, struct rpc_call *call)
{
    pipe_half_close(self, call);
}

/* A change that was asked for is carried out all the same; its reply goes nowhere. */
void service_cancelled(void *self, struct rpc_call *call)
{
    struct request *request = rpc_call_owner(call);
    if (rpc_call_method(call)->id == METHOD_PIPE)
        pipe_cancelled(self, call);
    else if (request != NULL && request->relay != NULL)
        relay_cancelled(request);
    else if (request != NULL && request->subscriber != NULL)
        subscribers_cancelled(self, request);
    else if (request != NULL)
        request->cancelled = true;
}

void service_sent(void *self, struct rpc_call *call)
{
    if (rpc_call_method(call)->id == METHOD_PIPE)
        pipe_sent(self, call);
    else if (((struct request *)rpc_call_owner(call))->relay != NULL)
        relay_sent(self, rpc_call_owner(call));
    else
        subscribers_sent(self, rpc_call_owner(call));
}

/* ---- replies ---- */

static void answer_start(struct loop *s, const struct request *request, const struct reply_effect *reply)
{
    char id[SAGA_ID_TEXT_SIZE];
    saga_id_format(reply->saga, id);
    if (request->method == METHOD_START) {
        Saga__V1__StartResponse response = SAGA__V1__START_RESPONSE__INIT;
        response.saga_id = id;
        response.already_started = reply->repeated;
        service_answer(s, request->call, &response.base);
    } else {
        Saga__V1__BeginResponse response = SAGA__V1__BEGIN_RESPONSE__INIT;
        response.saga_id = id;
        response.already_started = reply->repeated;
        service_answer(s, request->call, &response.base);
    }
}

static void answer_unary(struct loop *s, const struct request *request, const struct reply_effect *reply)
{
    switch (request->method) {
    case METHOD_START:
    case METHOD_BEGIN:
        answer_start(s, request, reply);
        break;
    case METHOD_KEEP_ALIVE: {
        Saga__V1__KeepAliveResponse response = SAGA__V1__KEEP_ALIVE_RESPONSE__INIT;
        response.lease = view_span(&s->arena, reply->lease);
        service_answer(s, request->call, &response.base);
        break;
    }
    case METHOD_REGISTER_DEFINITION: {
        Saga__V1__RegisterDefinitionResponse response = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
        response.name = (char *)(uintptr_t)request->definition->name;
        response.version = (char *)(uintptr_t)request->definition->version;
        response.already_registered = request->repeated;
        service_answer(s, request->call, &response.base);
        break;
    }
    default: /* an empty message */
        rpc_reply(request->call, bytes_of(NULL, 0));
    }
}

void service_reply(void *self, const struct reply_effect *reply, const struct error_detail *detail)
{
    struct loop *s = self;
    struct request *request = (struct request *)(uintptr_t)reply->token;
    if (request == NULL) /* the sidecar itself asked, as for definitions_dir */
        return;
    if (request->piped != NULL) {
        pipe_reply(s, request, reply, detail);
        return;
    }
    arena_reset(&s->arena);
    if (reply->code != 0)
        service_refuse(request->call, reply->code, detail);
    else
        answer_unary(s, request, reply);
    service_request_give_back(s, request);
}
