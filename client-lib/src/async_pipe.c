/* async_pipe.c - on the wire's thread: commands gathered into messages of Pipe, answers matched with them, and all that has no answer sent
 * again when a connection is lost. */
#include "client-lib/src/client_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/src/wire_inside.h"
#include "client-lib/src/wire_duplex.h"
#include "client-lib/src/wire_status.h"

/* Beyond this a message takes no further command; one command alone may be longer. Far below the sidecar's smallest message_bytes_max that
 * suits its other defaults. */
#define MESSAGE_BYTES_MAX ((size_t)1 << 20)
/* When a message for which there was no memory is tried again. */
#define NO_MEMORY_RETRY_NS INT64_C(10000000)

/* ---- answers ---- */

static void complete_with_error(saga_client *client, struct command *command, const struct saga_error *error)
{
    async_complete(client, command, &(struct completion){.code = error->code, .error = error});
}

static void complete_unreadable(saga_client *client, struct command *command)
{
    struct saga_error error;
    saga_error_set(&error, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, NULL,
                   "the sidecar's answer does not fit the command");
    complete_with_error(client, command, &error);
}

/* The result of the right kind for a command. */
static bool is_answer(const struct command *command, const Saga__V1__Result *result)
{
    static const Saga__V1__Result__ResultCase expected[] = {
        [SAGA__V1__COMMAND__COMMAND_START] = SAGA__V1__RESULT__RESULT_START,
        [SAGA__V1__COMMAND__COMMAND_BEGIN] = SAGA__V1__RESULT__RESULT_BEGIN,
        [SAGA__V1__COMMAND__COMMAND_ENLIST] = SAGA__V1__RESULT__RESULT_ENLIST,
        [SAGA__V1__COMMAND__COMMAND_SETTLE] = SAGA__V1__RESULT__RESULT_SETTLE,
        [SAGA__V1__COMMAND__COMMAND_COMMIT] = SAGA__V1__RESULT__RESULT_COMMIT,
        [SAGA__V1__COMMAND__COMMAND_ABORT] = SAGA__V1__RESULT__RESULT_ABORT,
    };
    return result->result_case == expected[command->kind];
}

/* Completes a command as the sidecar says. Returns false when it is to be sent again. */
static bool answered(saga_client *client, struct command *command, const Saga__V1__Result *result)
{
    if (result->result_case == SAGA__V1__RESULT__RESULT_ERROR) {
        struct saga_error error;
        int code = wire_status_of_message(result->error, &error);
        if (client_is_lost(code, &error) || client_is_open(code, command->left)) {
            command->left = command->left || code != SAGA_E_UNAVAILABLE;
            return false;
        }
        complete_with_error(client, command, &error);
        return true;
    }
    if (!is_answer(command, result)) {
        complete_unreadable(client, command);
        return true;
    }
    struct completion completion = {.code = SAGA_OK};
    if (result->result_case == SAGA__V1__RESULT__RESULT_START) {
        completion.saga_id = result->start->saga_id;
        completion.already_started = result->start->already_started;
    } else if (result->result_case == SAGA__V1__RESULT__RESULT_BEGIN) {
        completion.saga_id = result->begin->saga_id;
        completion.already_started = result->begin->already_started;
    }
    async_complete(client, command, &completion);
    return true;
}

static struct sent_message *take_sent(struct async *a)
{
    struct sent_message *sent = a->sent_first;
    if (sent) {
        a->sent_first = sent->next;
        if (!a->sent_first)
            a->sent_last = NULL;
        a->sent_count--;
    }
    return sent;
}

/* Nothing more is sent or believed on this stream. What has no answer goes on when its end has come. */
static void break_off(struct async *a)
{
    a->breaking = true;
    wire_duplex_cancel(a->stream);
}

static void on_received(void *self, const ProtobufCMessage *message)
{
    saga_client *client = self;
    struct async *a = &client->async;
    const Saga__V1__PipeResponse *response = (const void *)message;
    struct sent_message *sent = a->sent_first;
    if (a->breaking)
        return;
    bool readable = response && sent && response->n_results == sent->count;
    bool complete = true;
    for (size_t i = 0; sent && i < sent->count; i++) {
        struct command *command = sent->commands[i];
        if (!command)
            continue;
        if (!readable) {
            sent->commands[i] = NULL;
            complete_unreadable(client, command);
        } else if (answered(client, command, response->results[i])) {
            sent->commands[i] = NULL;
        } else {
            complete = false;
        }
    }
    if (complete)
        free(take_sent(a));
    /* A command that was not carried out because the sidecar is stopping keeps its place in front of those that were sent after it. */
    if (!readable || !complete)
        break_off(a);
    else
        a->delay_ms = 0;
}

static void on_sent(void *self)
{
    ((saga_client *)self)->async.sending = false;
}

static void on_ended(void *self, int code, const struct saga_error *error)
{
    saga_client *client = self;
    struct async *a = &client->async;
    struct command_list again = {0};
    bool lost = code == SAGA_OK || client_is_lost(code, error);
    a->stream = NULL;
    a->sending = false;
    a->breaking = false;
    a->open_at = wire_now() + wire_backoff(&a->delay_ms);
    for (struct sent_message *sent; (sent = take_sent(a));) {
        for (size_t i = 0; i < sent->count; i++) {
            struct command *command = sent->commands[i];
            if (!command)
                continue;
            command->message = NULL;
            if (lost || client_is_open(code, command->left)) {
                command->left = command->left || lost;
                command_append(&again, command);
            } else {
                complete_with_error(client, command, error);
            }
        }
        free(sent);
    }
    async_put_back(a, again);
}

static const struct wire_duplex_events pipe_events = {.sent = on_sent, .received = on_received, .ended = on_ended};

/* ---- sending ---- */

/* Gathers what waits into one message. Returns NULL when nothing does, or when there is no memory (it waits on). */
static struct sent_message *gather(saga_client *client, grpc_slice *bytes)
{
    struct async *a = &client->async;
    struct sent_message *sent = malloc(sizeof *sent + client->options.pipe_commands_max * sizeof(struct command *));
    size_t size = 0;
    if (!sent)
        return NULL;
    *sent = (struct sent_message){.count = 0};
    while (sent->count < client->options.pipe_commands_max) {
        struct command *command = async_take(a, sent->count == 0 ? SIZE_MAX : MESSAGE_BYTES_MAX - size);
        if (!command)
            break;
        command->message = sent;
        command->message_index = sent->count;
        sent->commands[sent->count++] = command;
        size += command->size;
        if (size >= MESSAGE_BYTES_MAX)
            break;
    }
    if (sent->count == 0) {
        free(sent);
        return NULL;
    }
    *bytes = grpc_slice_malloc(size);
    uint8_t *at = GRPC_SLICE_START_PTR(*bytes);
    for (size_t i = 0; i < sent->count; i++) {
        memcpy(at, sent->commands[i]->bytes, sent->commands[i]->size);
        at += sent->commands[i]->size;
    }
    return sent;
}

static void send_next(saga_client *client)
{
    struct async *a = &client->async;
    grpc_slice bytes;
    struct sent_message *sent = gather(client, &bytes);
    if (!sent)
        return;
    if (a->sent_last)
        a->sent_last->next = sent;
    else
        a->sent_first = sent;
    a->sent_last = sent;
    a->sent_count++;
    a->sending = true;
    wire_duplex_send(a->stream, bytes);
}

static void open_stream(saga_client *client)
{
    struct async *a = &client->async;
    int code = wire_duplex_open(client->wire, COORDINATOR "Pipe", &saga__v1__pipe_response__descriptor, &pipe_events,
                                client, &a->stream, NULL);
    if (code != SAGA_OK)
        a->open_at = wire_now() + wire_backoff(&a->delay_ms);
}

/* ---- the turn ---- */

static void time_out(saga_client *client, struct command *command)
{
    const struct async *a = &client->async;
    struct saga_error error;
    bool reached = a->stream && wire_duplex_reached(a->stream);
    /* A command is handed over once there is a connection, and not before: of one that still waits it is certain that it never leaves. */
    if (command->left || reached)
        saga_error_set(&error, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL,
                       command->left || command->message ? NULL : "it was still queued behind others");
    else
        saga_error_set(&error, SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, NULL,
                       "no connection to the sidecar in time");
    complete_with_error(client, command, &error);
}

static void close_all(saga_client *client)
{
    struct command_list all = async_take_all(&client->async);
    struct saga_error error;
    saga_error_set(&error, SAGA_E_CANCELLED, SAGA_REASON_CLOSED, NULL, "the client is being closed");
    for (struct command *command = all.first, *next; command; command = next) {
        next = command->next;
        complete_with_error(client, command, &error);
    }
}

int64_t async_turn(saga_client *client)
{
    struct async *a = &client->async;
    int64_t next;
    for (struct command *command; (command = async_take_expired(a, wire_now(), &next));)
        time_out(client, command);
    if (wire_is_shut(client->wire)) {
        close_all(client);
        return WIRE_FOREVER;
    }
    if (!a->stream && async_is_waiting(a)) {
        int64_t now = wire_now();
        if (now >= a->open_at)
            open_stream(client);
        if (!a->stream)
            return a->open_at < next ? a->open_at : next;
    }
    if (a->stream && wire_duplex_reached(a->stream) && !a->sending && !a->breaking &&
        a->sent_count < client->options.pipe_messages_max) {
        send_next(client);
        /* No memory for a message: nothing else may happen that has what waits looked at again. */
        int64_t again = wire_now() + NO_MEMORY_RETRY_NS;
        if (!a->sending && async_is_waiting(a) && again < next)
            next = again;
    }
    return next;
}
