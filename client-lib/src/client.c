/* client.c - opening and closing a client, and the loop that repeats what got lost with a connection. */
#include "client-lib/src/client_inside.h"

#include "client-lib/src/forked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS_DEFAULT        10000
#define MESSAGE_BYTES_MAX_DEFAULT (UINT32_C(16) << 20)
#define QUEUE_COMMANDS_DEFAULT    65536
#define QUEUE_COMMANDS_MAX        1048576
#define QUEUE_BYTES_DEFAULT       (UINT32_C(64) << 20)
#define PIPE_COMMANDS_DEFAULT     128
#define PIPE_COMMANDS_MAX         65536
#define PIPE_MESSAGES_DEFAULT     8
#define PIPE_MESSAGES_MAX         1024
/* The longest answer to one command: an error with its details. */
#define ANSWER_BYTES_MAX   ((size_t)2304)
#define NANOSECONDS_PER_MS INT64_C(1000000)

/* ---- opening and closing ---- */

static int check_options(const struct saga_client_options *o, struct saga_error *error)
{
    for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
        if (o->reserved[i] != 0)
            return client_refuse(error, "reserved", "reserved must be 0");
    if (o->message_bytes_max > INT32_MAX)
        return client_refuse(error, "message_bytes_max", "message_bytes_max is at most 2147483647");
    if (o->queue_commands_max > QUEUE_COMMANDS_MAX)
        return client_refuse(error, "queue_commands_max", "queue_commands_max is at most 1048576");
    if (o->pipe_commands_max > PIPE_COMMANDS_MAX)
        return client_refuse(error, "pipe_commands_max", "pipe_commands_max is at most 65536");
    if (o->pipe_messages_max > PIPE_MESSAGES_MAX)
        return client_refuse(error, "pipe_messages_max", "pipe_messages_max is at most 1024");
    return SAGA_OK;
}

static size_t answers_bytes(const struct saga_client_options *o)
{
    return o->pipe_commands_max * ANSWER_BYTES_MAX;
}

static void fill_in(struct saga_client_options *o)
{
    o->address = NULL;
    if (o->timeout_ms == 0)
        o->timeout_ms = TIMEOUT_MS_DEFAULT;
    if (o->queue_commands_max == 0)
        o->queue_commands_max = QUEUE_COMMANDS_DEFAULT;
    if (o->queue_bytes_max == 0)
        o->queue_bytes_max = QUEUE_BYTES_DEFAULT;
    if (o->pipe_commands_max == 0)
        o->pipe_commands_max = PIPE_COMMANDS_DEFAULT;
    if (o->pipe_messages_max == 0)
        o->pipe_messages_max = PIPE_MESSAGES_DEFAULT;
    if (o->message_bytes_max == 0)
        o->message_bytes_max =
            answers_bytes(o) > MESSAGE_BYTES_MAX_DEFAULT ? answers_bytes(o) : MESSAGE_BYTES_MAX_DEFAULT;
}

/* An answer that is too long is lost, and what it told with it: those of commands must fit. */
static int check_answers(const struct saga_client_options *o, struct saga_error *error)
{
    char text[sizeof error->message];
    if (o->message_bytes_max >= answers_bytes(o))
        return SAGA_OK;
    snprintf(text, sizeof text, "message_bytes_max is at least %zu: %zu for each of %u commands in a message",
             answers_bytes(o), ANSWER_BYTES_MAX, o->pipe_commands_max);
    return client_refuse(error, "message_bytes_max", text);
}

/* Runs on the wire's thread after each of its events. */
static int64_t turn(void *self)
{
    saga_client *client = self;
    int64_t leases = lease_turn(client);
    int64_t commands = async_turn(client);
    return leases < commands ? leases : commands;
}

static void free_client(saga_client *client)
{
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

int saga_client_open(const struct saga_client_options *options, saga_client **out, struct saga_error *error)
{
    static const struct saga_client_options defaults;
    const struct saga_client_options *given = options ? options : &defaults;
    if (!out)
        return client_refuse(error, "out", "out must not be NULL");
    *out = NULL;
    int code = check_options(given, error);
    if (code != SAGA_OK)
        return code;
    saga_client *client = calloc(1, sizeof *client);
    if (!client)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a client");
    client->options = *given;
    fill_in(&client->options);
    code = check_answers(&client->options, error);
    if (code != SAGA_OK) {
        free(client);
        return code;
    }
    client->renew_at = WIRE_FOREVER;
    pthread_mutex_init(&client->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    code = async_init(client, error);
    if (code == SAGA_OK) {
        struct wire_options wire = {
            .address = given->address,
            .tls = {.certificate = given->tls_certificate,
                    .key = given->tls_key,
                    .roots = given->tls_roots,
                    .identity = given->tls_identity},
            .message_bytes_max = client->options.message_bytes_max,
            .hooks = {.turn = turn, .self = client},
        };
        code = wire_open(&wire, &client->wire, error);
        if (code != SAGA_OK)
            async_finish(client);
    }
    if (code != SAGA_OK) {
        free_client(client);
        return code;
    }
    *out = client;
    return SAGA_OK;
}

void saga_client_shutdown(saga_client *client)
{
    if (wire_forked(client->wire))
        return;
    pthread_mutex_lock(&client->mutex);
    client->shut = true;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
    wire_shutdown(client->wire);
    wire_wake(client->wire);
}

void saga_client_close(saga_client *client)
{
    if (!client || wire_forked(client->wire))
        return;
    saga_client_shutdown(client);
    async_await_end(client);
    wire_close(client->wire);
    async_finish(client);
    free_client(client);
}

const char *saga_client_address(const saga_client *client)
{
    return wire_address(client->wire);
}

/* ---- calls ---- */

int client_may_wait(saga_client *client, struct saga_error *error)
{
    if (wire_is_own_thread(client->wire))
        return saga_error_set(error, SAGA_E_FAILED_PRECONDITION, SAGA_REASON_CALLBACK, NULL,
                              "a function that waits cannot be called in a callback on the client's own thread");
    if (wire_forked(client->wire))
        return forked_error(error);
    return SAGA_OK;
}

int64_t client_deadline(const saga_client *client, int64_t timeout_ms)
{
    return wire_deadline(timeout_ms != 0 ? timeout_ms : client->options.timeout_ms);
}

bool client_is_lost(int code, const struct saga_error *error)
{
    switch (code) {
    case SAGA_E_UNAVAILABLE:
        return true;
    case SAGA_E_CANCELLED: /* how a server that is killed or stopped resets its streams */
        return strcmp(error->reason, SAGA_REASON_CLOSED) != 0;
    case SAGA_E_INTERNAL:
    case SAGA_E_UNKNOWN: /* the sidecar's own carry a reason: this is gRPC's word for a stream that broke */
        return error->reason[0] == '\0';
    case SAGA_E_RESOURCE_EXHAUSTED: /* carried out, perhaps, and no room to say so */
        return strcmp(error->reason, SAGA_REASON_MEMORY) == 0;
    default:
        return false;
    }
}

bool client_is_open(int code, bool left)
{
    return left && code == SAGA_E_RESOURCE_EXHAUSTED;
}

void client_pause(saga_client *client, int64_t until, const bool *cancelled)
{
    struct timespec end = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    pthread_mutex_lock(&client->mutex);
    while (!client->shut && !(cancelled && *cancelled))
        if (pthread_cond_timedwait(&client->changed, &client->mutex, &end) != 0)
            break;
    pthread_mutex_unlock(&client->mutex);
}

/* What to say when time is up and the last attempt ended with *last. left: some attempt may have been carried out. */
static int give_up(saga_client *client, bool left, const struct saga_error *last, struct saga_error *error)
{
    if (left && !client->options.fail_fast) {
        char text[sizeof last->message];
        snprintf(text, sizeof text, "no answer came in time; the last try ended so: %.180s", last->message);
        return saga_error_set(error, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL, text);
    }
    if (left) {
        char text[sizeof last->message];
        snprintf(text, sizeof text, "the connection was lost during the call (%.180s)", last->message);
        return saga_error_set(error, SAGA_E_UNAVAILABLE, SAGA_REASON_LOST, NULL, text);
    }
    if (error)
        *error = *last;
    return last->code;
}

int client_call(saga_client *client, struct client_call *call, struct saga_error *error)
{
    int64_t deadline = client_deadline(client, call->timeout_ms);
    int64_t delay_ms = 0;
    bool left = false;
    call->response = NULL;
    call->attempts = 0;
    int code = client_may_wait(client, error);
    if (code != SAGA_OK)
        return code;
    for (;;) {
        struct saga_error last;
        struct wire_call one = {
            .method = call->method,
            .request = call->request,
            .response_type = call->response_type,
            .deadline = deadline,
            .wait_for_ready = !client->options.fail_fast,
        };
        call->sent_at = wire_now();
        call->attempts++;
        code = wire_call(client->wire, &one, &last);
        call->response = one.response;
        if (code == SAGA_OK)
            return SAGA_OK;
        bool lost = client_is_lost(code, &last);
        if (!lost && !client_is_open(code, left)) {
            if (error)
                *error = last;
            return code;
        }
        bool unreachable = strcmp(last.reason, SAGA_REASON_UNREACHABLE) == 0;
        left = left || (lost && one.left && !unreachable);
        /* Unreachable means that time is up, or that nobody wants to wait. */
        if (unreachable && (client->options.fail_fast || wire_time_left_ms(deadline) == 0))
            return give_up(client, left, &last, error);
        int64_t again_at = wire_now() + wire_backoff(&delay_ms);
        if (again_at >= deadline)
            return give_up(client, left, &last, error);
        client_pause(client, again_at, NULL);
    }
}
