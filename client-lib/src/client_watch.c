/* client_watch.c - a stream of events over as many connections as it takes: each new stream begins after the last event that was given. */
#include "client-lib/src/client_inside.h"

#include <stdlib.h>
#include <string.h>

struct saga_watch {
    saga_client *client;
    char *saga_id;
    char *cursor; /* of the last event that was given */
    Saga__V1__WatchResponse *message;
    size_t given;               /* of message's events */
    struct saga_event event;    /* the view that was given last */
    int64_t delay_ms, again_at; /* no new stream before */
    bool over;                  /* the saga has ended, and all of it has been given */
    pthread_mutex_t mutex;      /* guards stream against saga_watch_cancel */
    struct wire_stream *stream;
    bool cancelled; /* guarded by the client's mutex */
};

static int no_memory(struct saga_error *error)
{
    return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a watch");
}

int saga_watch_open(saga_client *client, const char *saga_id, const char *cursor, saga_watch **out,
                    struct saga_error *error)
{
    if (!out)
        return client_refuse(error, "out", "out must not be NULL");
    *out = NULL;
    saga_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return no_memory(error);
    watch->client = client;
    watch->saga_id = strdup(client_text(saga_id));
    watch->cursor = strdup(client_text(cursor));
    pthread_mutex_init(&watch->mutex, NULL);
    if (!watch->saga_id || !watch->cursor) {
        saga_watch_close(watch);
        return no_memory(error);
    }
    *out = watch;
    return SAGA_OK;
}

static bool is_cancelled(saga_watch *watch)
{
    pthread_mutex_lock(&watch->client->mutex);
    bool cancelled = watch->cancelled;
    pthread_mutex_unlock(&watch->client->mutex);
    return cancelled;
}

static void close_stream(saga_watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    struct wire_stream *stream = watch->stream;
    watch->stream = NULL;
    pthread_mutex_unlock(&watch->mutex);
    wire_stream_close(stream);
}

static int open_stream(saga_watch *watch, struct saga_error *error)
{
    Saga__V1__WatchRequest request = SAGA__V1__WATCH_REQUEST__INIT;
    struct wire_stream *stream;
    request.saga_id = watch->saga_id;
    request.cursor = watch->cursor;
    int code =
        wire_stream_open(watch->client->wire, COORDINATOR "Watch", &request.base, &saga__v1__watch_response__descriptor,
                         !watch->client->options.fail_fast, &stream, error);
    if (code != SAGA_OK)
        return code;
    pthread_mutex_lock(&watch->mutex);
    watch->stream = stream;
    pthread_mutex_unlock(&watch->mutex);
    /* A cancel that came before the stream was there to be cancelled. */
    if (is_cancelled(watch))
        wire_stream_cancel(stream);
    return SAGA_OK;
}

static void drop_message(saga_watch *watch)
{
    if (watch->message)
        saga__v1__watch_response__free_unpacked(watch->message, NULL);
    watch->message = NULL;
    watch->given = 0;
}

/* Gives the next event of the message at hand, if there is one. */
static int give(saga_watch *watch, const struct saga_event **event, struct saga_error *error)
{
    if (!watch->message || watch->given == watch->message->n_events)
        return SAGA_OK;
    char *cursor = strdup(watch->message->events[watch->given]->cursor);
    if (!cursor)
        return no_memory(error);
    free(watch->cursor);
    watch->cursor = cursor;
    client_event_of(watch->message->events[watch->given++], &watch->event);
    *event = &watch->event;
    return SAGA_OK;
}

/* The stream has failed with *last. Returns SAGA_OK when a new one should be tried. */
static int failed(saga_watch *watch, int code, const struct saga_error *last, struct saga_error *error)
{
    close_stream(watch);
    bool unreachable = strcmp(last->reason, SAGA_REASON_UNREACHABLE) == 0;
    if (is_cancelled(watch) || !client_is_lost(code, last) || (unreachable && watch->client->options.fail_fast)) {
        if (error)
            *error = *last;
        return code;
    }
    watch->again_at = wire_now() + wire_backoff(&watch->delay_ms);
    return SAGA_OK;
}

static int too_late(saga_watch *watch, struct saga_error *error)
{
    if (watch->stream && wire_stream_reached(watch->stream))
        return saga_error_set(error, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL, "no event came in time");
    return saga_error_set(error, SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, NULL,
                          "there is no connection to the sidecar; the next call goes on trying");
}

/* Waits for the next message. SAGA_OK: look again. */
static int fetch(saga_watch *watch, int64_t deadline, struct saga_error *error)
{
    struct saga_error last;
    ProtobufCMessage *message;
    if (!watch->stream) {
        if (watch->again_at > deadline) {
            client_pause(watch->client, deadline, &watch->cancelled);
            return is_cancelled(watch) ? SAGA_OK : too_late(watch, error);
        }
        client_pause(watch->client, watch->again_at, &watch->cancelled);
        int code = open_stream(watch, error);
        if (code != SAGA_OK)
            return code;
    }
    int code = wire_stream_read(watch->stream, deadline, &message, &last);
    if (code == SAGA_E_DEADLINE_EXCEEDED && strcmp(last.reason, SAGA_REASON_DEADLINE) == 0)
        return too_late(watch, error);
    if (code != SAGA_OK)
        return failed(watch, code, &last, error);
    if (message) {
        watch->delay_ms = 0;
        drop_message(watch);
        watch->message = (void *)message;
    } else if (watch->saga_id[0] != '\0') {
        watch->over = true;
        close_stream(watch);
    } else {
        /* A watch of every saga has no end: the sidecar went away in good order. */
        close_stream(watch);
        watch->again_at = wire_now() + wire_backoff(&watch->delay_ms);
    }
    return SAGA_OK;
}

int saga_watch_next(saga_watch *watch, int64_t timeout_ms, const struct saga_event **event, struct saga_error *error)
{
    *event = NULL;
    int code = client_may_wait(watch->client, error);
    int64_t deadline = wire_deadline(timeout_ms);
    while (code == SAGA_OK) {
        if (is_cancelled(watch))
            return saga_error_set(error, SAGA_E_CANCELLED, SAGA_REASON_CANCELLED, NULL, "the watch was cancelled");
        code = give(watch, event, error);
        if (code != SAGA_OK || *event || watch->over)
            return code;
        code = fetch(watch, deadline, error);
    }
    return code;
}

void saga_watch_cancel(saga_watch *watch)
{
    if (wire_forked(watch->client->wire))
        return;
    pthread_mutex_lock(&watch->client->mutex);
    watch->cancelled = true;
    pthread_cond_broadcast(&watch->client->changed);
    pthread_mutex_unlock(&watch->client->mutex);
    pthread_mutex_lock(&watch->mutex);
    if (watch->stream)
        wire_stream_cancel(watch->stream);
    pthread_mutex_unlock(&watch->mutex);
}

void saga_watch_close(saga_watch *watch)
{
    if (!watch || wire_forked(watch->client->wire))
        return;
    close_stream(watch);
    drop_message(watch);
    pthread_mutex_destroy(&watch->mutex);
    free(watch->saga_id);
    free(watch->cursor);
    free(watch);
}
