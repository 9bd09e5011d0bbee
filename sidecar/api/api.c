/* api.c - the room as a whole: where a call goes by what it has become, and how it is ended. */
#include "sidecar/api/api_inside.h"

#include "sidecar/base/account.h"
#include "sidecar/base/check.h"
#include "sidecar/observe/log.h"
#include "sidecar/rpc/status_details.h"

#include <stdlib.h>

/* How long commands of pipes, and then who waits and watches, may hold the loop in one turn. */
#define WORK_MAX SPAN_MS(4)

bool api_has_time(struct api *api)
{
    struct instant now = api_now(api);
    if (api->work_until.us == 0)
        api->work_until = instant_after(now, WORK_MAX);
    return instant_before(now, api->work_until);
}

int api_create(const struct api_options *options, struct api **out)
{
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return E_MEMORY;
    api->options = *options;
    api->core = options->core;
    api->catalog = options->catalog;
    api->store = options->store;
    reads_init(api);
    arena_init(&api->arena);
    api->decoder = (struct decoder){
        .arena = &api->arena,
        .catalog = options->catalog,
        .compensation_retry = options->compensation_retry,
    };
    api->bounds[0] = (struct packed_bound){.field = "enlist", .count_max = options->steps_max, .code = E_STEPS};
    api->bounds[1] = (struct packed_bound){
        .field = "settle", .count_max = options->steps_max, .code = E_ARGUMENT, .text = "more than steps_max"};
    if (subscribers_create(api, &api->subscribers) != 0) {
        api_destroy(api);
        return E_MEMORY;
    }
    *out = api;
    return 0;
}

void api_destroy(struct api *api)
{
    if (api == NULL)
        return;
    subscribers_destroy(api->subscribers);
    changes_finish(api);
    reads_finish(api);
    arena_finish(&api->arena);
    free(api);
}

void api_set_authz(struct api *api, const struct authz *authz)
{
    api->options.authz = authz;
}

/* ---- ends of calls ---- */

void api_tell_damage(int code, const struct error_detail *detail)
{
    if (code == E_JOURNAL_CORRUPT)
        log_event(LOG_LEVEL_ERROR, "the journal is damaged: a request was refused", LOG_TEXT("journal", detail->field),
                  LOG_TEXT("what", detail->text));
}

void api_refused(struct api *api, enum method_id method, int code)
{
    api->options.refused(api->options.self, method, code);
}

void api_refuse(struct api *api, struct rpc_call *call, int code, const struct error_detail *detail)
{
    uint8_t details[STATUS_DETAILS_SIZE_MAX];
    char message[STATUS_MESSAGE_SIZE_MAX];
    api_tell_damage(code, detail);
    api_refused(api, (enum method_id)rpc_call_method(call)->id, code);
    status_message(code, detail, message);
    rpc_end(call, error_row(code)->grpc_status, message, status_details(code, detail, details));
}

/* Only what somebody wants to see is as large as that: what was done about a request is told in a few bytes. */
static const struct error_detail unread = {.text = "too much that was asked for has not been read by its clients yet "
                                                   "(memory_bytes_max): ask again, or for less at once"};

void api_answer(struct api *api, struct rpc_call *call, const ProtobufCMessage *message)
{
    size_t size = message == NULL ? 0 : protobuf_c_message_get_packed_size(message);
    /* What is refused is not packed first: the arena would hold it until the turn ends, once for each who asks. */
    if (!account_takes_answer(size)) {
        api_refuse(api, call, E_BYTES, &unread);
        return;
    }
    struct bytes packed = message == NULL ? bytes_of(NULL, 0) : arena_pack_sized(&api->arena, message, size);
    if (packed.at == NULL)
        api_refuse(api, call, E_MEMORY, NULL);
    else
        rpc_reply(call, packed);
}

/* ---- the calls ---- */

int api_closed(const struct api *api)
{
    int failed = api->options.failure->code;
    if (failed == E_JOURNAL_FENCED) /* another has the journal by now, and goes on with it */
        return failed;
    return failed != 0 ? E_JOURNAL : api->cutting ? E_STOPPING : 0;
}

void api_message(struct api *api, struct rpc_call *call, struct bytes message)
{
    const struct method *method = &methods[rpc_call_method(call)->id];
    if (!permit_call(api, call))
        return;
    if (method->take != NULL)
        method->take(api, call, message);
    else if (api_closed(api) != 0)
        api_refuse(api, call, api_closed(api), NULL);
    else if (method->read != NULL)
        reads_message(api, call, message);
    else
        change_message(api, call, message);
}

void api_half_close(struct api *api, struct rpc_call *call)
{
    pipe_half_close(api, call);
}

void api_cancelled(struct api *api, struct rpc_call *call)
{
    struct request *request = rpc_call_owner(call);
    if (request == NULL) { /* a stream of which nothing has come yet */
        pipe_cancelled(api, call);
        return;
    }
    switch (request->kind) {
    case REQUEST_CHANGE: /* it is carried out all the same; its reply goes nowhere */
        break;
    case REQUEST_READ:
        ((struct read *)request)->cancelled = true;
        break;
    case REQUEST_SUBSCRIBER:
        subscribers_cancelled(api, request);
        break;
    case REQUEST_PIPE:
        pipe_cancelled(api, call);
        break;
    case REQUEST_COMMAND:
    case REQUEST_RELAYED:
        CHECK(!"a call that is answered here");
    }
}

void api_sent(struct api *api, struct rpc_call *call)
{
    struct request *request = rpc_call_owner(call);
    if (request->kind == REQUEST_PIPE)
        pipe_sent(api, call);
    else
        subscribers_sent(api, request);
}

/* ---- the core ---- */

void api_submit(struct api *api, struct event *event)
{
    struct failure *failure = api->options.failure;
    if (failure->code == 0)
        failure->code = core_submit(api->core, event, &failure->detail);
}

void api_reply(struct api *api, const struct reply_effect *reply, const struct error_detail *detail)
{
    struct request *request = (struct request *)(uintptr_t)reply->token;
    if (request == NULL) /* the sidecar itself asked, as for definitions_dir */
        return;
    if (request->kind == REQUEST_COMMAND)
        pipe_reply(api, request, reply, detail);
    else
        change_reply(api, (struct change *)request, reply, detail);
}

void api_durable(struct api *api, uint64_t frame)
{
    subscribers_durable(api->subscribers, frame);
}

bool api_cares(const struct api *api)
{
    return subscribers_care(api->subscribers);
}

void api_touch(struct api *api, uint64_t serial)
{
    subscribers_touch(api->subscribers, serial);
}

/* ---- turns and the end ---- */

void api_work(struct api *api)
{
    pipes_run(api);
    api->work_until = (struct instant){0};
}

void api_turn(struct api *api)
{
    reads_run(api);
    api->work_until = (struct instant){0};
    subscribers_run(api);
    api->work_until = (struct instant){0};
}

bool api_busy(const struct api *api)
{
    return api->pipes_carrying > 0 || reads_busy(api) || subscribers_busy(api->subscribers);
}

int api_check(const struct api *api, enum method_id method, struct bytes message, struct error_detail *detail)
{
    return packed_check(methods[method].request, message, api->bounds, detail);
}

int api_unreadable(enum method_id method, struct error_detail *detail)
{
    error_set(detail, E_ARGUMENT, "", "the request cannot be read as ");
    error_append(detail, methods[method].request->name);
    return E_ARGUMENT;
}

void api_stop(struct api *api)
{
    api->stopping = true;
    subscribers_end(api);
    pipes_end(api);
}

void api_abandon(struct api *api)
{
    api->cutting = true;
    reads_abandon(api);
    changes_abandon(api);
    pipes_abandon(api);
}
