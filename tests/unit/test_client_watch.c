/* Watching against a scripted sidecar: the cursor over lost connections, ends, cancels. */
#include <saga/saga.h>

#include "client-lib/src/client_inside.h"
#include "saga/v1/coordinator.pb-c.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS 20

static struct fake_server *server;
static saga_client *client;
static saga_watch *watch;
static struct saga_error error;

static atomic_int per_stream; /* events sent on a stream before the connection is cut; 0: all, then the end */
static atomic_bool silent;    /* nothing is sent */
static char asked_for[64];    /* the last request's saga */

static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

/* ---- tests.mk wraps this ---- */

/* What happens when a stream is opened: nothing else, the watch is cancelled before it is there, or there is no memory for it. */
static enum { OPENS, OPENS_CANCELLED, OPENS_NOT } opening;

int __real_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *e);
int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *e);

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *e)
{
    if (opening == OPENS_NOT)
        return saga_error_set(e, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a stream");
    if (opening == OPENS_CANCELLED)
        saga_watch_cancel(watch);
    return __real_wire_stream_open(w, method, request, type, wait_for_ready, out, e);
}

/* ---- the sidecar ---- */

/* Events have the cursors "1" to "20". Two of them travel in one message. */
static void handle(struct fake_call *call, const void *request, void *user)
{
    const Saga__V1__WatchRequest *r = request;
    (void)user;
    snprintf(asked_for, sizeof asked_for, "%s", r->saga_id);
    if (strcmp(r->saga_id, "none") == 0) {
        fake_fail(call, 5, "no saga has this id", "SAGA_NOT_FOUND", NULL, -1);
        return;
    }
    if (strcmp(r->saga_id, "stopping") == 0) {
        fake_fail(call, 14, "the sidecar is stopping", "STOPPING", NULL, -1);
        return;
    }
    if (strcmp(r->cursor, "over") == 0) {
        fake_end(call);
        return;
    }
    if (strcmp(r->cursor, "old") == 0) {
        fake_fail(call, 11, "gone", "CURSOR_EXPIRED", "cursor", -1);
        return;
    }
    int next = atoi(r->cursor) + 1;
    int last = atomic_load(&per_stream) > 0 ? next + atomic_load(&per_stream) - 1 : EVENTS;
    if (atomic_load(&silent))
        return;
    for (; next <= last && next <= EVENTS; next += 2) {
        char cursors[2][16];
        Saga__V1__Event events[2];
        Saga__V1__Event *list[2] = {&events[0], &events[1]};
        Saga__V1__WatchResponse response = SAGA__V1__WATCH_RESPONSE__INIT;
        for (int i = 0; i < 2 && next + i <= EVENTS; i++) {
            saga__v1__event__init(&events[i]);
            snprintf(cursors[i], sizeof cursors[i], "%d", next + i);
            events[i].cursor = cursors[i];
            events[i].saga_id = text("s-1");
            events[i].attempt = next + i;
            response.n_events++;
        }
        response.events = list;
        fake_answer(call, &response.base);
    }
    if (strcmp(r->saga_id, "breaks") == 0)
        fake_fail(call, 14, "the sidecar is stopping", "STOPPING", NULL, -1);
    else if (atomic_load(&per_stream) == 0 && r->saga_id[0] != '\0')
        fake_end(call);
    /* What is to be cut is cut by the test, which knows what has arrived. */
}

static void open_with(const char *saga_id, const char *cursor)
{
    struct saga_client_options options = {.address = fake_address(server)};
    ck_assert_int_eq(saga_client_open(&options, &client, &error), SAGA_OK);
    ck_assert_int_eq(saga_watch_open(client, saga_id, cursor, &watch, &error), SAGA_OK);
}

static void setup(void)
{
    atomic_store(&per_stream, 0);
    atomic_store(&silent, false);
    opening = OPENS;
    server = fake_open(handle, NULL);
}

static void teardown(void)
{
    saga_watch_close(watch);
    saga_client_close(client);
    fake_close(server);
}

static void expect(int number)
{
    const struct saga_event *event;
    int code = saga_watch_next(watch, 20000, &event, &error);
    ck_assert_msg(code == SAGA_OK, "%d: %d %s", number, code, error.message);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->attempt, number);
    ck_assert_int_eq(atoi(event->cursor), number);
}

START_TEST(watch__gives_every_event_and_then_none)
{
    const struct saga_event *event;
    open_with("s-1", NULL);
    for (int i = 1; i <= EVENTS; i++)
        expect(i);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(saga_watch_next(watch, 20000, &event, &error), SAGA_OK);
        ck_assert_ptr_null(event);
    }
    ck_assert_str_eq(asked_for, "s-1");
    ck_assert_uint_eq(fake_count(server, "Watch"), 1);
}
END_TEST

START_TEST(watch__streams_that_break_are_not_opened_again_at_once)
{
    const struct saga_event *event;
    open_with("stopping", NULL);
    ck_assert_int_ne(saga_watch_next(watch, 1000, &event, &error), SAGA_OK);
    ck_assert_uint_ge(fake_count(server, "Watch"), 4);
    ck_assert_uint_le(fake_count(server, "Watch"), 10);
}
END_TEST

/* One of every saga has no end: a sidecar that ends it has gone away, and is not asked over and over while it does. */
START_TEST(watch__streams_that_end_are_not_opened_again_at_once)
{
    const struct saga_event *event;
    open_with(NULL, "over");
    ck_assert_int_ne(saga_watch_next(watch, 1000, &event, &error), SAGA_OK);
    ck_assert_uint_ge(fake_count(server, "Watch"), 4);
    ck_assert_uint_le(fake_count(server, "Watch"), 10);
}
END_TEST

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Nor does a look that is not to wait wait for that. */
START_TEST(watch__looks_end_in_time_between_two_streams)
{
    const struct saga_event *event;
    int64_t took_ms = INT64_MAX;
    open_with("stopping", NULL);
    ck_assert_int_ne(saga_watch_next(watch, 1000, &event, &error),
                     SAGA_OK);                    /* by then it waits a quarter of a second at least */
    for (int tries = 0; took_ms > 500; tries++) { /* a busy machine may be late */
        ck_assert_msg(tries < 5, "%lld ms for three looks", (long long)took_ms);
        ck_assert_int_ne(saga_watch_next(watch, 0, &event, &error), SAGA_OK);
        int64_t began_ms = now_ms();
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(saga_watch_next(watch, 0, &event, &error), SAGA_E_UNAVAILABLE);
            ck_assert_str_eq(error.reason, SAGA_REASON_UNREACHABLE);
        }
        took_ms = now_ms() - began_ms;
    }
}
END_TEST

START_TEST(watch__goes_on_after_the_last_event_it_gave)
{
    /* Two events come on a stream; the connection is lost when one of them has been given, and when both have. */
    atomic_store(&per_stream, 2);
    open_with("s-1", NULL);
    expect(1);
    fake_cut(server);
    for (int i = 2; i <= EVENTS; i++) {
        expect(i);
        if (i % 2 == 0)
            fake_cut(server);
    }
    ck_assert_uint_eq(fake_count(server, "Watch"), EVENTS / 2);
}
END_TEST

/* What has worked begins anew with the shortest wait: ten losses in a row, none of them after a failure, are not ten failures. */
START_TEST(watch__waits_little_after_a_stream_that_worked)
{
    struct timespec began, ended;
    int64_t ms = INT64_MAX;
    atomic_store(&per_stream, 2);
    /* With waits that grow it is 1310 at the least; without, a busy machine may make it as long at times. */
    for (unsigned tries = 1; ms >= 1200; tries++) {
        ck_assert_msg(tries <= 5, "%lld ms", (long long)ms);
        saga_watch_close(watch);
        open_with("breaks", NULL);
        clock_gettime(CLOCK_MONOTONIC, &began);
        for (int i = 1; i <= EVENTS; i++)
            expect(i);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        ms = (ended.tv_sec - began.tv_sec) * 1000 + (ended.tv_nsec - began.tv_nsec) / 1000000;
        ck_assert_uint_eq(fake_count(server, "Watch"), tries * (EVENTS / 2));
    }
}
END_TEST

START_TEST(watch__begins_after_a_cursor)
{
    open_with("s-1", "18");
    expect(19);
    expect(20);
}
END_TEST

START_TEST(watch__of_everything_has_no_end)
{
    const struct saga_event *event;
    open_with(NULL, "18");
    expect(19);
    expect(20);
    ck_assert_str_eq(asked_for, "");
    ck_assert_int_eq(saga_watch_next(watch, 50, &event, &error), SAGA_E_DEADLINE_EXCEEDED);
    ck_assert_ptr_null(event);
    ck_assert_int_eq(saga_watch_next(watch, 0, &event, &error), SAGA_E_DEADLINE_EXCEEDED);
}
END_TEST

START_TEST(watch__tells_errors_and_can_be_asked_again)
{
    const struct saga_event *event;
    open_with("none", NULL);
    ck_assert_int_eq(saga_watch_next(watch, 20000, &event, &error), SAGA_E_NOT_FOUND);
    ck_assert_str_eq(error.reason, "SAGA_NOT_FOUND");
    ck_assert_int_eq(saga_watch_next(watch, 20000, &event, &error), SAGA_E_NOT_FOUND);
    saga_watch_close(watch);
    ck_assert_int_eq(saga_watch_open(client, NULL, "old", &watch, &error), SAGA_OK);
    ck_assert_int_eq(saga_watch_next(watch, 20000, &event, &error), SAGA_E_OUT_OF_RANGE);
    ck_assert_str_eq(error.reason, "CURSOR_EXPIRED");
}
END_TEST

START_TEST(watch__without_a_sidecar)
{
    const struct saga_event *event;
    fake_unlisten(server);
    open_with("s-1", NULL);
    ck_assert_int_eq(saga_watch_next(watch, 60, &event, &error), SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(error.reason, SAGA_REASON_UNREACHABLE);
    fake_listen(server);
    expect(1);
}
END_TEST

static void *next_in_thread(void *out)
{
    const struct saga_event *event;
    *(int *)out = saga_watch_next(watch, -1, &event, &error);
    return NULL;
}

/* Who fails fast is told so by the first attempt, and waits for no other. */
START_TEST(watch__without_a_sidecar_may_fail_at_once)
{
    const struct saga_event *event;
    struct saga_client_options options = {.address = "unix:/nowhere/at-all.sock", .fail_fast = true};
    ck_assert_int_eq(saga_client_open(&options, &client, &error), SAGA_OK);
    ck_assert_int_eq(saga_watch_open(client, "s-1", NULL, &watch, &error), SAGA_OK);
    ck_assert_int_eq(saga_watch_next(watch, 5000, &event, &error), SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(error.reason, SAGA_REASON_UNREACHABLE);
    ck_assert_ptr_null(strstr(error.message, "goes on trying"));
}
END_TEST

START_TEST(watch__cancel_from_another_thread)
{
    pthread_t thread;
    int code;
    atomic_store(&silent, true);
    open_with("s-1", NULL);
    pthread_create(&thread, NULL, next_in_thread, &code);
    fake_await(server, "Watch", 1);
    saga_watch_cancel(watch);
    pthread_join(thread, NULL);
    ck_assert_int_eq(code, SAGA_E_CANCELLED);
    ck_assert_str_eq(error.reason, SAGA_REASON_CANCELLED);
    next_in_thread(&code);
    ck_assert_int_eq(code, SAGA_E_CANCELLED);
}
END_TEST

START_TEST(watch__cancel_while_there_is_no_connection)
{
    pthread_t thread;
    int code;
    fake_unlisten(server);
    open_with("s-1", NULL);
    pthread_create(&thread, NULL, next_in_thread, &code);
    saga_watch_cancel(watch);
    pthread_join(thread, NULL);
    ck_assert_int_eq(code, SAGA_E_CANCELLED);
}
END_TEST

START_TEST(watch__cancel_while_a_stream_is_opened)
{
    const struct saga_event *event;
    atomic_store(&silent, true);
    opening = OPENS_CANCELLED;
    open_with("s-1", NULL);
    ck_assert_int_eq(saga_watch_next(watch, 20000, &event, &error), SAGA_E_CANCELLED);
    ck_assert_str_eq(error.reason, SAGA_REASON_CANCELLED);
}
END_TEST

START_TEST(watch__without_memory_can_be_asked_again)
{
    const struct saga_event *event;
    opening = OPENS_NOT;
    open_with("s-1", NULL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(saga_watch_next(watch, 20000, &event, &error), SAGA_E_RESOURCE_EXHAUSTED);
        ck_assert_str_eq(error.reason, SAGA_REASON_MEMORY);
        ck_assert_ptr_null(event);
    }
    opening = OPENS;
    expect(1);
    ck_assert_int_eq(saga_watch_open(client, "s-1", NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "out");
}
END_TEST

/* Whatever time is left of it: who cancels does not wait for the next attempt. */
START_TEST(watch__a_pause_ends_with_the_watch_or_the_client)
{
    const bool cancelled = true, on = false;
    open_with("s-1", NULL);
    client_pause(client, wire_now(), &on);
    client_pause(client, wire_now(), NULL);
    client_pause(client, wire_deadline(3600000), &cancelled);
    saga_client_shutdown(client);
    client_pause(client, wire_deadline(3600000), &on);
    client_pause(client, wire_deadline(3600000), NULL);
}
END_TEST

START_TEST(watch__ends_with_the_client)
{
    pthread_t thread;
    int code;
    atomic_store(&silent, true);
    open_with("s-1", NULL);
    pthread_create(&thread, NULL, next_in_thread, &code);
    fake_await(server, "Watch", 1);
    saga_client_shutdown(client);
    pthread_join(thread, NULL);
    ck_assert_int_eq(code, SAGA_E_CANCELLED);
    ck_assert_str_eq(error.reason, SAGA_REASON_CLOSED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_watch");
    TCase *c = tcase_create("watch");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, watch__gives_every_event_and_then_none);
    tcase_add_test(c, watch__streams_that_break_are_not_opened_again_at_once);
    tcase_add_test(c, watch__streams_that_end_are_not_opened_again_at_once);
    tcase_add_test(c, watch__looks_end_in_time_between_two_streams);
    tcase_add_test(c, watch__goes_on_after_the_last_event_it_gave);
    tcase_add_test(c, watch__waits_little_after_a_stream_that_worked);
    tcase_add_test(c, watch__begins_after_a_cursor);
    tcase_add_test(c, watch__of_everything_has_no_end);
    tcase_add_test(c, watch__tells_errors_and_can_be_asked_again);
    tcase_add_test(c, watch__without_a_sidecar);
    tcase_add_test(c, watch__without_a_sidecar_may_fail_at_once);
    tcase_add_test(c, watch__cancel_from_another_thread);
    tcase_add_test(c, watch__cancel_while_there_is_no_connection);
    tcase_add_test(c, watch__cancel_while_a_stream_is_opened);
    tcase_add_test(c, watch__without_memory_can_be_asked_again);
    tcase_add_test(c, watch__a_pause_ends_with_the_watch_or_the_client);
    tcase_add_test(c, watch__ends_with_the_client);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
