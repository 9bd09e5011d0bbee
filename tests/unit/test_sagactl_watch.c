/* sagactl watch against streams that the test makes up: what is shown, what is asked for anew after a loss, and how often. */
#include "tests/support/told_sidecar.h"

/* ---- streams ---- */

#define OPENED_MAX 200
#define EVENTS_MAX 4

/* One stream: its events, each in a message of its own, and how it ends. */
struct told_stream {
    Saga__V1__Event events[EVENTS_MAX];
    unsigned n;
    int code; /* SAGA_OK: in good order */
    const char *reason;
    bool late; /* not before the time that was given has passed */
};

static const struct told_stream *streams;
static unsigned stream_count; /* the last one again and again */
static unsigned opened, closed, given;
static char cursors[OPENED_MAX][16], sagas[OPENED_MAX][24], journals[OPENED_MAX][16];
static bool waited[OPENED_MAX];
static bool at_once; /* what has come is written before more is asked for */

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *error);
int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error);
void __wrap_wire_stream_close(struct wire_stream *s);

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *error)
{
    const Saga__V1__WatchRequest *asked_for = (const Saga__V1__WatchRequest *)request;
    (void)w, (void)error;
    ck_assert_str_eq(method, "/saga.v1.Coordinator/Watch");
    ck_assert_ptr_eq(type, &saga__v1__watch_response__descriptor);
    ck_assert_uint_lt(opened, OPENED_MAX);
    snprintf(cursors[opened], sizeof cursors[0], "%s", asked_for->cursor);
    snprintf(sagas[opened], sizeof sagas[0], "%s", asked_for->saga_id);
    snprintf(journals[opened], sizeof journals[0], "%s", asked_for->journal);
    waited[opened] = wait_for_ready;
    opened++;
    given = 0;
    *out = (struct wire_stream *)(uintptr_t)&streams[opened <= stream_count ? opened - 1 : stream_count - 1];
    return SAGA_OK;
}

int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error)
{
    const struct told_stream *told_one = (const struct told_stream *)(const void *)s;
    while (told_one->late && wire_time_left_ms(deadline) > 0)
        ;
    *message = NULL;
    if (at_once && given > 0)
        ck_assert(said != NULL && strstr(said, told_one->events[given - 1].saga_id) != NULL);
    if (given < told_one->n) {
        Saga__V1__WatchResponse response = SAGA__V1__WATCH_RESPONSE__INIT;
        Saga__V1__Event event = told_one->events[given++], *one = &event;
        uint8_t bytes[1024];
        response.n_events = 1;
        response.events = &one;
        size_t size = protobuf_c_message_pack(&response.base, bytes);
        *message = protobuf_c_message_unpack(&saga__v1__watch_response__descriptor, NULL, size, bytes);
        return SAGA_OK;
    }
    if (told_one->code == SAGA_OK)
        return SAGA_OK;
    return saga_error_set(error, told_one->code, told_one->reason, NULL, "it went away");
}

void __wrap_wire_stream_close(struct wire_stream *s)
{
    (void)s;
    closed++;
}

static void begin(const struct told_stream *all, unsigned count)
{
    streams = all;
    stream_count = count;
    opened = closed = 0;
}

static Saga__V1__Event event(const char *cursor, Saga__V1__EventType type)
{
    Saga__V1__Event e = SAGA__V1__EVENT__INIT;
    e.cursor = text(cursor);
    e.saga_id = text("9f03c1d2a4b7-2a");
    e.type = type;
    return e;
}

#define STARTED(cursor) event(cursor, SAGA__V1__EVENT_TYPE__EVENT_TYPE_SAGA_STARTED)
#define ENDED(cursor)   event(cursor, SAGA__V1__EVENT_TYPE__EVENT_TYPE_ENDED)

/* ---- tests ---- */

/* Whoever reads a pipe learns of each when it happens. */
START_TEST(watch__an_event_is_written_when_it_comes)
{
    struct told_stream two = {
        .events = {STARTED("1.0"), STARTED("2.0")}, .n = 2, .code = SAGA_E_CANCELLED, .reason = ""};
    two.events[1].saga_id = text("9f03c1d2a4b7-2b");
    begin(&two, 1);
    at_once = true;
    sagactl("watch");
    at_once = false;
    ck_assert_uint_eq(given, 2);
}
END_TEST

START_TEST(watch__is_at_rest_until_its_time_has_passed)
{
    const struct told_stream refuses = {.code = SAGA_E_UNAVAILABLE, .reason = ""};
    static const char *const lines[] = {"watch --timeout 60ms", "watch 9f03c1d2a4b7-2a --timeout 60ms"};
    for (size_t i = 0; i < 2; i++) {
        begin(&refuses, 1);
        ck_assert_int_eq(sagactl(lines[i]), EXIT_TIMEOUT);
        ck_assert_str_eq(complained, "sagactl: the sidecar is gone; waiting until it is back\n"
                                     "sagactl: the time given has passed\n");
        /* At once, after 10 to 20 ms, and after 20 to 40 more. */
        ck_assert_uint_le(opened, 3);
        ck_assert_uint_eq(opened, closed);
    }
}
END_TEST

START_TEST(watch__goes_on_behind_the_last_event_that_was_shown)
{
    const struct told_stream told_streams[] = {
        {.events = {STARTED("c1"), STARTED("c2")}, .n = 2, .code = SAGA_E_UNAVAILABLE, .reason = SAGA_REASON_LOST},
        {.code = SAGA_E_UNAVAILABLE, .reason = SAGA_REASON_UNREACHABLE},
        {.events = {ENDED("c3"), STARTED("c4")}, .n = 2, .code = SAGA_OK},
    };
    for (int json = 0; json < 2; json++) {
        begin(told_streams, 3);
        ck_assert_int_eq(sagactl(json ? "watch 9f03c1d2a4b7-2a --from c0 --journal other -o json"
                                      : "watch 9f03c1d2a4b7-2a --from c0 --journal other"),
                         EXIT_DONE);
        ck_assert_uint_eq(opened, 3);
        ck_assert_uint_eq(closed, 3);
        ck_assert_str_eq(cursors[0], "c0");
        ck_assert_str_eq(cursors[1], "c2");
        ck_assert_str_eq(cursors[2], "c2");
        for (unsigned i = 0; i < 3; i++) {
            ck_assert_str_eq(sagas[i], "9f03c1d2a4b7-2a");
            ck_assert_str_eq(journals[i], "other");
        }
        /* The first one fails at once where nobody is; later ones wait for a connection. */
        ck_assert(!waited[0] && waited[1] && waited[2]);
        /* Who looks is told once, and what comes behind the end of the one saga is not waited for. */
        ck_assert_str_eq(complained,
                         json ? "{\"note\":{\"message\":\"the sidecar is gone; waiting until it is back\"}}\n"
                              : "sagactl: the sidecar is gone; waiting until it is back\n");
        ck_assert_uint_eq(given, 1);
    }
}
END_TEST

/* For a person a line each, for a program a document a line. */
START_TEST(watch__shows_each_event_in_a_line)
{
    const struct told_stream one = {.events = {STARTED("c1"), ENDED("c2")}, .n = 2};
    const char *line;
    begin(&one, 1);
    ck_assert_int_eq(sagactl("watch 9f03c1d2a4b7-2a"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, " started\n"));
    ck_assert_ptr_null(strchr(said, '{'));
    ck_assert_ptr_null(strstr(said, "9f03c1d2a4b7-2a")); /* it is of that one alone */
    begin(&one, 1);
    ck_assert_int_eq(sagactl("watch 9f03c1d2a4b7-2a -o json"), EXIT_DONE);
    ck_assert_int_eq(strncmp(said, "{\"cursor\":\"c1\",", 15), 0);
    ck_assert_ptr_nonnull(line = strchr(said, '\n'));
    ck_assert_int_eq(strncmp(line, "\n{\"cursor\":\"c2\",", 16), 0);
    ck_assert_ptr_eq(strchr(line + 1, '\n'), said + strlen(said) - 1);
}
END_TEST

START_TEST(watch__of_every_saga_has_no_end)
{
    const struct told_stream told_streams[] = {
        {.events = {ENDED("c1")}, .n = 1, .code = SAGA_OK},
        {.events = {ENDED("c2")}, .n = 1, .code = SAGA_E_PERMISSION_DENIED, .reason = ""},
    };
    begin(told_streams, 2);
    ck_assert_int_eq(sagactl("watch"), EXIT_REFUSED);
    ck_assert_uint_eq(opened, 2);
    ck_assert_str_eq(cursors[1], "c1");
    ck_assert_str_eq(sagas[1], "");
    ck_assert_ptr_nonnull(strstr(said, "  9f03c1d2a4b7-2a  -- ")); /* whose it is */
    ck_assert_ptr_nonnull(strstr(complained, "it went away"));
}
END_TEST

START_TEST(watch__of_one_that_is_not_there_says_so_at_once)
{
    const struct told_stream told_streams[] = {
        {.code = SAGA_E_UNAVAILABLE, .reason = SAGA_REASON_UNREACHABLE},
        {.code = SAGA_E_NOT_FOUND, .reason = ""},
    };
    begin(told_streams, 1);
    ck_assert_int_eq(sagactl("watch"), EXIT_UNREACHABLE);
    begin(told_streams + 1, 1);
    ck_assert_int_eq(sagactl("watch 9f03c1d2a4b7-2a"), EXIT_NOT_FOUND);
    ck_assert_uint_eq(opened, 1);
}
END_TEST

/* A server that ends a watch by a time of its own says so; the time that was given has not passed. */
START_TEST(watch__tells_whose_time_has_passed)
{
    const struct told_stream told_stream = {.code = SAGA_E_DEADLINE_EXCEEDED, .reason = ""};
    begin(&told_stream, 1);
    ck_assert_int_eq(sagactl("watch --timeout 60m"), EXIT_TIMEOUT);
    ck_assert_str_eq(complained, "sagactl: it went away\n");
    ck_assert_uint_eq(opened, 1);
    const struct told_stream late = {.code = SAGA_E_DEADLINE_EXCEEDED, .reason = "", .late = true};
    begin(&late, 1);
    ck_assert_int_eq(sagactl("watch --timeout 2ms"), EXIT_TIMEOUT);
    ck_assert_str_eq(complained, "sagactl: the time given has passed\n");
    ck_assert_uint_eq(closed, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_watch");
    TCase *tc = tcase_create("watch");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, watch__an_event_is_written_when_it_comes);
    tcase_add_test(tc, watch__is_at_rest_until_its_time_has_passed);
    tcase_add_test(tc, watch__goes_on_behind_the_last_event_that_was_shown);
    tcase_add_test(tc, watch__shows_each_event_in_a_line);
    tcase_add_test(tc, watch__of_every_saga_has_no_end);
    tcase_add_test(tc, watch__of_one_that_is_not_there_says_so_at_once);
    tcase_add_test(tc, watch__tells_whose_time_has_passed);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
