/* cmd_watch.c - watch: events as they become durable, also across a restart of the sidecar. */
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/story.h"

#include <string.h>

#define CURSOR_SIZE 2048 /* of all sagas of a sidecar with many loops */

struct watch {
    struct run *r;
    char cursor[CURSOR_SIZE]; /* of the last event shown; "" before the first */
    bool one_saga;
    bool ended; /* that one has */
    bool came;  /* something on this stream */
};

static int put_event(struct watch *w, const Saga__V1__Event *event)
{
    struct run *r = w->r;
    int status = EXIT_DONE;
    if (r->o.json)
        status = run_json(r, &event->base, true);
    else
        story_write_line(&r->screen, event, !w->one_saga);
    fflush(r->screen.out);
    size_t size = strlen(event->cursor);
    if (size < sizeof w->cursor)
        memcpy(w->cursor, event->cursor, size + 1);
    w->ended = w->one_saga && event->type == SAGA__V1__EVENT_TYPE__EVENT_TYPE_ENDED;
    if (status == EXIT_DONE && ferror(r->screen.out))
        status = run_say(r, EXIT_REFUSED, "the output cannot be written");
    return status;
}

static int too_late(struct watch *w)
{
    return run_say(w->r, EXIT_TIMEOUT, "the time given has passed");
}

/* Shows what comes until the stream ends, for good or not. again: it is not the first one. Returns EXIT_DONE with *lost
 * set when a new one is to be opened. */
static int follow(struct watch *w, struct wire_stream *stream, int64_t deadline, bool again, bool *lost)
{
    struct saga_error error;
    *lost = false;
    for (;;) {
        ProtobufCMessage *message;
        int code = wire_stream_read(stream, deadline, &message, &error);
        if (code == SAGA_E_DEADLINE_EXCEEDED && wire_time_left_ms(deadline) == 0)
            return too_late(w);
        if (code != SAGA_OK) {
            bool never_there = !again && strcmp(error.reason, SAGA_REASON_UNREACHABLE) == 0;
            *lost = run_lost(&error) && !never_there;
            return *lost ? EXIT_DONE : run_failed(w->r, &error);
        }
        if (message == NULL) {
            /* A watch of every saga has no end: the sidecar went away in good order. */
            *lost = !w->one_saga;
            return EXIT_DONE;
        }
        const Saga__V1__WatchResponse *response = (const Saga__V1__WatchResponse *)message;
        int status = EXIT_DONE;
        w->came = true;
        for (size_t i = 0; i < response->n_events && status == EXIT_DONE && !w->ended; i++)
            status = put_event(w, response->events[i]);
        protobuf_c_message_free_unpacked(message, NULL);
        if (status != EXIT_DONE || w->ended)
            return status;
    }
}

int command_watch(struct run *r)
{
    Saga__V1__WatchRequest request = SAGA__V1__WATCH_REQUEST__INIT;
    struct watch w = {.r = r, .one_saga = r->o.word_count > 0};
    int64_t delay_ms = 0;
    bool lost = false;
    int status = run_connect(r);
    int64_t deadline = r->deadline;
    if (status != EXIT_DONE)
        return status;
    if (r->o.journal != NULL)
        request.journal = (char *)(uintptr_t)r->o.journal;
    if (w.one_saga)
        request.saga_id = r->o.words[0];
    if (r->o.from != NULL)
        snprintf(w.cursor, sizeof w.cursor, "%s", r->o.from);
    do {
        struct wire_stream *stream;
        struct saga_error error;
        request.cursor = w.cursor;
        if (wire_stream_open(r->wire, "/saga.v1.Coordinator/Watch", &request.base,
                             &saga__v1__watch_response__descriptor, lost, &stream, &error) != SAGA_OK)
            return run_failed(r, &error);
        bool again = lost;
        status = follow(&w, stream, deadline, again, &lost);
        wire_stream_close(stream);
        if (lost && !again)
            run_note(r, "the sidecar is gone; waiting until it is back");
        if (w.came)
            delay_ms = 0;
        w.came = false;
        if (lost)
            run_pause(&delay_ms, deadline);
        /* A stream that is refused at once fails before anybody waits on it, so that its read would never tell. */
        if (lost && wire_time_left_ms(deadline) == 0)
            return too_late(&w);
    } while (status == EXIT_DONE && lost);
    return status;
}
