/* A watch of libsaga over streams that end in every way one after the other: what is asked of the sidecar, what is read and for how long, what is told.
 * It is kept in tests/fixtures/client/watches.txt; `build/release/tests/unit/test_watch_states write` writes that anew, for its difference to be
 * read. The wire and its streams are this test's (tests.mk). */
#include "tests/support/kept_text.h"
#include "tests/support/still_wire.h"

#include <stdlib.h>

static const char path[] = "tests/fixtures/client/watches.txt";

/* What a read of a stream comes to, or the opening of one. */
enum happens { EVENTS, NOTHING, ENDS, SILENT, LOST, BROKEN, UNREACHABLE, STOPPING, REFUSED, SHUT, NOT_OPENED, WAYS };

static const struct {
    const char *name;
    int code;
    const char *reason;
} ways[] = {
    [EVENTS] = {"events", SAGA_OK, NULL},
    [NOTHING] = {"no events", SAGA_OK, NULL},
    [ENDS] = {"end", SAGA_OK, NULL},
    [SILENT] = {"silence", SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE},
    [LOST] = {"lost", SAGA_E_UNAVAILABLE, SAGA_REASON_LOST},
    [BROKEN] = {"broken", SAGA_E_INTERNAL, ""},
    [UNREACHABLE] = {"unreachable", SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE},
    [STOPPING] = {"stopping", SAGA_E_UNAVAILABLE, "STOPPING"},
    [REFUSED] = {"refused", SAGA_E_NOT_FOUND, "SAGA_NOT_FOUND"},
    [SHUT] = {"shut", SAGA_E_CANCELLED, SAGA_REASON_CLOSED},
    [NOT_OPENED] = {"not opened", SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY},
};

static enum happens script[4];
static unsigned at, cursor, streams_open, cancels;
static bool reached;

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **stream,
                            struct saga_error *error);
int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error);
bool __wrap_wire_stream_reached(struct wire_stream *s);
void __wrap_wire_stream_cancel(struct wire_stream *s);
void __wrap_wire_stream_close(struct wire_stream *s);

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **stream,
                            struct saga_error *error)
{
    static char one[1];
    (void)w;
    ck_assert(type == &saga__v1__watch_response__descriptor);
    ck_assert_str_eq(method, COORDINATOR "Watch");
    fputs(" open{", out);
    message_text_put(out, request);
    fprintf(out, "%s}", wait_for_ready ? "" : " now");
    *stream = NULL;
    if (script[at] == NOT_OPENED) {
        at += at < 3;
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a stream");
    }
    *stream = (struct wire_stream *)(void *)one;
    streams_open++;
    return SAGA_OK;
}

int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error)
{
    enum happens now = script[at];
    (void)s;
    at += at < 3;
    *message = NULL;
    fprintf(out, " read:%s", ways[now].name);
    if (deadline != WIRE_FOREVER)
        fprintf(out, "(%" PRId64 ")", (deadline - NOW - waited) / 1000000);
    if (now == SILENT && deadline != WIRE_FOREVER)
        waited = deadline - NOW;
    if (ways[now].code != SAGA_OK || now == NOT_OPENED)
        return saga_error_set(error, ways[now].code, ways[now].reason, NULL, "it ended so");
    if (now == ENDS)
        return SAGA_OK;
    Saga__V1__Event events[2], *list[] = {&events[0], &events[1]};
    Saga__V1__WatchResponse response = SAGA__V1__WATCH_RESPONSE__INIT;
    char cursors[2][16];
    uint8_t packed[200];
    for (unsigned i = 0; i < 2; i++) {
        saga__v1__event__init(&events[i]);
        snprintf(cursors[i], sizeof cursors[i], "c%u", cursor + i + 1);
        events[i].cursor = cursors[i];
        events[i].attempt = (int32_t)(cursor + i);
    }
    response.events = list;
    response.n_events = now == EVENTS ? 2 : 0;
    cursor += (unsigned)response.n_events;
    size_t size = saga__v1__watch_response__pack(&response, packed);
    *message = protobuf_c_message_unpack(&saga__v1__watch_response__descriptor, NULL, size, packed);
    return SAGA_OK;
}

bool __wrap_wire_stream_reached(struct wire_stream *s)
{
    (void)s;
    return reached;
}

void __wrap_wire_stream_cancel(struct wire_stream *s)
{
    ck_assert_ptr_nonnull(s);
    cancels++;
}

void __wrap_wire_stream_close(struct wire_stream *s)
{
    streams_open -= s != NULL;
    if (s != NULL)
        fputs(" close", out);
}

/* So many times for the next event, each for so long; the last time after a cancel. */
static void run(saga_client *client, const char *id, const char *from, int64_t timeout_ms, unsigned times, bool cancel)
{
    struct saga_error error;
    const struct saga_event *event;
    saga_watch *watch;
    at = cursor = cancels = 0;
    waited = 0;
    ck_assert_int_eq(saga_watch_open(client, id, from, &watch, &error), SAGA_OK);
    for (unsigned i = 0; i < times; i++) {
        if (cancel && i + 1 == times)
            saga_watch_cancel(watch);
        int code = saga_watch_next(watch, timeout_ms, &event, &error);
        fprintf(out, " -> %s", code != SAGA_OK ? saga_status_name(code) : event == NULL ? "over" : event->cursor);
        if (code == SAGA_OK && event != NULL)
            fprintf(out, "#%d", event->attempt);
        if (code != SAGA_OK)
            fprintf(out, "(%s)", error.reason);
        ck_assert(code == SAGA_OK || event == NULL);
    }
    fprintf(out, " cancels:%u", cancels);
    saga_watch_close(watch);
    fputc('\n', out);
    ck_assert_uint_eq(streams_open, 0);
}

static void put_all(FILE *to)
{
    static const int64_t times[] = {0, 700, -1};
    struct saga_error error;
    saga_watch *watch;
    out = to;
    quiet = true;
    for (int fast = 0; fast < 2; fast++) {
        saga_client *client = client_now(fast);
        for (unsigned i = 0; i < WAYS * WAYS; i++) {
            script[0] = (enum happens)(i / WAYS);
            script[1] = (enum happens)(i % WAYS);
            script[2] = EVENTS;
            script[3] = ENDS;
            reached = i % 2 == 0;
            fprintf(out, "%s%s, %s%s, events, end:", fast ? "fast: " : "", ways[script[0]].name, ways[script[1]].name,
                    reached ? " (reached)" : "");
            run(client, i % 3 == 0 ? NULL : "s-1", i % 4 == 0 ? "c0" : NULL, times[i % COUNT(times)], 6, i % 5 == 0);
        }
        saga_client_close(client);
    }
    saga_client *client = client_now(false);
    put_result(saga_watch_open(client, "s", NULL, NULL, &error), &error);
    ck_assert_int_eq(saga_watch_open(client, "s", NULL, &watch, &error), SAGA_OK);
    for (int i = 0; i < 2; i++) {
        const struct saga_event *event;
        forked = i == 0;
        own_thread = i == 1;
        put_result(saga_watch_next(watch, 0, &event, &error), &error);
        if (forked)
            saga_watch_cancel(watch);
    }
    forked = own_thread = false;
    script[0] = EVENTS;
    at = 0;
    const struct saga_event *event;
    put_result(saga_watch_next(watch, 0, &event, &error), &error);
    saga_watch_cancel(watch);
    put_result(saga_watch_next(watch, 0, &event, &error), &error);
    saga_watch_close(watch);
    saga_watch_close(NULL);
    saga_client_shutdown(client);
    saga_client_close(client);
    fputc('\n', out);
}

START_TEST(watch__goes_on_or_ends_so)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "watch_states", watch__goes_on_or_ends_so);
}
