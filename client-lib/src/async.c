/* async.c - the asynchronous half's public face: each function packs one command and queues it. */
#include "client-lib/src/client_inside.h"

#include <stdlib.h>

#include "client-lib/src/wire_inside.h"

/* Field 1 of PipeRequest, length-delimited. */
#define COMMANDS_TAG    0x0a
#define VARINT_SIZE_MAX 10

/* Packs a command as it stands in a PipeRequest, so that a message is made by putting commands behind each other. */
static struct command *pack(const Saga__V1__Command *message)
{
    size_t size = saga__v1__command__get_packed_size(message);
    struct command *command = malloc(sizeof *command + 1 + VARINT_SIZE_MAX + size);
    if (!command)
        return NULL;
    *command = (struct command){.kind = message->command_case};
    command->bytes[command->size++] = COMMANDS_TAG;
    size_t rest = size;
    for (; rest >= 0x80; rest >>= 7)
        command->bytes[command->size++] = (uint8_t)(rest | 0x80);
    command->bytes[command->size++] = (uint8_t)rest;
    command->size += saga__v1__command__pack(message, command->bytes + command->size);
    return command;
}

static int queue(saga_client *client, const Saga__V1__Command *message, int64_t timeout_ms, saga_async_done done,
                 void *user, struct saga_error *error)
{
    int code = wire_usable(client->wire, error);
    if (code != SAGA_OK)
        return code;
    struct command *command = pack(message);
    if (!command)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a command");
    command->deadline = client_deadline(client, timeout_ms);
    command->done = done;
    command->user = user;
    code = async_push(client, command, error);
    if (code != SAGA_OK)
        free(command);
    return code;
}

int saga_async_start(saga_client *client, const struct saga_start_options *options, saga_async_done done, void *user,
                     struct saga_error *error)
{
    struct built_start start;
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT;
    int code = build_start(&start, options, error);
    if (code != SAGA_OK)
        return code;
    command.command_case = SAGA__V1__COMMAND__COMMAND_START;
    command.start = &start.message;
    return queue(client, &command, options->timeout_ms, done, user, error);
}

int saga_async_begin(saga_client *client, const struct saga_begin_options *options, saga_async_done done, void *user,
                     struct saga_error *error)
{
    struct built built;
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT;
    int code = build_begin(&built, options, error);
    command.command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
    command.begin = &built.message.begin;
    if (code == SAGA_OK)
        code = queue(client, &command, options->timeout_ms, done, user, error);
    built_finish(&built);
    return code;
}

int saga_async_advance(saga_client *client, const char *saga_id, const struct saga_settlement *settle,
                       size_t settle_count, const struct saga_enlistment *enlist, size_t enlist_count,
                       int64_t timeout_ms, saga_async_done done, void *user, struct saga_error *error)
{
    struct built built;
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT;
    int code = build_advance(&built, saga_id, settle, settle_count, enlist, enlist_count, error);
    if (enlist_count == 0) {
        command.command_case = SAGA__V1__COMMAND__COMMAND_SETTLE;
        command.settle = &built.message.settle;
    } else {
        command.command_case = SAGA__V1__COMMAND__COMMAND_ENLIST;
        command.enlist = &built.message.enlist;
    }
    if (code == SAGA_OK)
        code = queue(client, &command, timeout_ms, done, user, error);
    built_finish(&built);
    return code;
}

int saga_async_commit(saga_client *client, const char *saga_id, const struct saga_settlement *settle,
                      size_t settle_count, int64_t timeout_ms, saga_async_done done, void *user,
                      struct saga_error *error)
{
    struct built built;
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT;
    int code = build_commit(&built, saga_id, settle, settle_count, error);
    command.command_case = SAGA__V1__COMMAND__COMMAND_COMMIT;
    command.commit = &built.message.commit;
    if (code == SAGA_OK)
        code = queue(client, &command, timeout_ms, done, user, error);
    built_finish(&built);
    return code;
}

int saga_async_abort(saga_client *client, const char *saga_id, const char *reason, int64_t timeout_ms,
                     saga_async_done done, void *user, struct saga_error *error)
{
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT;
    Saga__V1__AbortRequest request = SAGA__V1__ABORT_REQUEST__INIT;
    int code = client_saga_id(saga_id, &request.saga_id, error);
    if (code != SAGA_OK)
        return code;
    request.reason = client_text(reason);
    command.command_case = SAGA__V1__COMMAND__COMMAND_ABORT;
    command.abort = &request;
    return queue(client, &command, timeout_ms, done, user, error);
}
