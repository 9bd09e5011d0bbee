/* The synchronous client against a scripted sidecar: what each function sends and reads, errors with their details, repeats, deadlines. */
#include <saga/saga.h>

#include "client-lib/src/client_inside.h"
#include "saga/v1/coordinator.pb-c.h"
#include "tests/support/fake_peer.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct fake_server *server;
static saga_client *client;
static struct saga_error error;

/* What the sidecar has seen of the last Start, and what it does. */
static struct seen {
    char definition[64], version[64], request_id[SAGA_REQUEST_ID_SIZE], traceparent[64], input[64], reason[64];
    char saga_id[64], source[64];
    int priority, page_size;
    int64_t deadline_s;
    int32_t deadline_ns;
    int64_t timeout_ms;
    bool dry_run, until_stuck, until_answered, include_payloads;
} seen_;

/* What the server's thread saw before it answered; the server's lock orders the two threads. */
static struct seen *look(void)
{
    fake_count(server, "Start");
    return &seen_;
}
#define seen (*look())

static atomic_uint lose; /* so many calls are lost with their connection */
static atomic_uint stop; /* so many calls are told that the sidecar is stopping */
static atomic_bool hold; /* calls are not answered */
static struct fake_call *held;

static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

static void answer_saga(struct fake_call *call, const char *id, bool timeline)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT;
    Saga__V1__Step *steps[] = {&step};
    Saga__V1__Event event = SAGA__V1__EVENT__INIT;
    Saga__V1__Event ended = SAGA__V1__EVENT__INIT;
    Saga__V1__Event *events[] = {&event, &ended};
    at.seconds = 1700000000;
    at.nanos = 123000000;
    saga.id = text(id);
    saga.definition = text("checkout");
    saga.version = text("1.0.0");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED;
    saga.reason = SAGA__V1__REASON__REASON_ACTION_REJECTED;
    saga.reason_step = text("charge");
    saga.request_id = text("r-1");
    saga.started_at = &at;
    step.name = text("charge");
    step.action = SAGA__V1__ACTION_STATE__ACTION_STATE_REJECTED;
    step.compensation = SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_NONE;
    step.action_attempts = 2;
    step.last_status = 9;
    step.last_message = text("declined");
    step.output = (ProtobufCBinaryData){.data = (uint8_t *)text("out"), .len = 3};
    event.cursor = text("7.0");
    event.saga_id = text(id);
    event.type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_TURNED_BACK;
    event.at = &at;
    event.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING;
    ended.cursor = text("8.0");
    ended.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED;
    if (strcmp(call->method, "Wait") == 0) {
        Saga__V1__WaitResponse response = SAGA__V1__WAIT_RESPONSE__INIT;
        response.saga = &saga;
        fake_answer(call, &response.base);
        return;
    }
    Saga__V1__GetResponse response = SAGA__V1__GET_RESPONSE__INIT;
    response.saga = &saga;
    saga.n_steps = 1;
    saga.steps = steps;
    response.n_timeline = timeline ? 2 : 0;
    response.timeline = events;
    response.timeline_truncated = true;
    fake_answer(call, &response.base);
}

static void start(struct fake_call *call, const Saga__V1__StartRequest *r)
{
    snprintf(seen.definition, sizeof seen.definition, "%s", r->definition);
    snprintf(seen.version, sizeof seen.version, "%s", r->version);
    snprintf(seen.request_id, sizeof seen.request_id, "%s", r->request_id);
    snprintf(seen.traceparent, sizeof seen.traceparent, "%s", r->traceparent);
    snprintf(seen.input, sizeof seen.input, "%.*s", (int)r->input.len, (const char *)r->input.data);
    seen.priority = (int)r->priority;
    seen.deadline_s = r->deadline ? r->deadline->seconds : -1;
    seen.deadline_ns = r->deadline ? r->deadline->nanos : -1;
    if (strcmp(r->definition, "unknown") == 0) {
        fake_fail(call, 5, "no such definition is registered", "DEFINITION_NOT_FOUND", "definition", -1);
    } else if (strcmp(r->definition, "full") == 0) {
        fake_fail(call, 8, "the sidecar holds live_sagas_max sagas", "LIVE_SAGAS_MAX", NULL, 1500);
    } else if (strcmp(r->definition, "no memory") == 0) {
        fake_fail(call, 8, "no memory is left", "OUT_OF_MEMORY", NULL, -1);
    } else {
        Saga__V1__StartResponse response = SAGA__V1__START_RESPONSE__INIT;
        response.saga_id = text("9f03-2a");
        response.already_started = call->number > 1;
        fake_answer(call, &response.base);
    }
}

static void answer_large(struct fake_call *call)
{
    static char lengthy[8000];
    Saga__V1__GetResponse response = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    memset(lengthy, 'x', sizeof lengthy - 1);
    saga.reason_step = lengthy;
    response.saga = &saga;
    fake_answer(call, &response.base);
}

static void see_saga(const char *saga_id)
{
    snprintf(seen.saga_id, sizeof seen.saga_id, "%s", saga_id);
}

static void handle(struct fake_call *call, const void *request, void *user)
{
    (void)user;
    seen.timeout_ms = call->timeout_ms;
    if (atomic_load(&lose) > 0) {
        atomic_fetch_sub(&lose, 1);
        fake_cut(server);
    } else if (atomic_load(&stop) > 0) {
        atomic_fetch_sub(&stop, 1);
        fake_fail(call, 14, "the sidecar is stopping", "STOPPING", NULL, 100);
    } else if (atomic_load(&hold)) {
        held = call;
    } else if (strcmp(call->method, "Start") == 0) {
        start(call, request);
    } else if (strcmp(call->method, "RegisterDefinition") == 0) {
        const Saga__V1__RegisterDefinitionRequest *r = request;
        Saga__V1__RegisterDefinitionResponse response = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
        seen.dry_run = r->dry_run;
        snprintf(seen.source, sizeof seen.source, "%.*s", (int)r->source.len, (const char *)r->source.data);
        response.name = text("checkout");
        response.version = text("1.0.0");
        response.already_registered = true;
        if (memcmp(r->source.data, "bad", 3) == 0)
            fake_fail(call, 3, "line 1, column 1: no", "SYNTAX", "source", -1);
        else
            fake_answer(call, &response.base);
    } else if (strcmp(call->method, "Wait") == 0) {
        see_saga(((const Saga__V1__WaitRequest *)request)->saga_id);
        seen.until_answered = ((const Saga__V1__WaitRequest *)request)->until_answered;
        seen.until_stuck = ((const Saga__V1__WaitRequest *)request)->until_stuck;
        answer_saga(call, ((const Saga__V1__WaitRequest *)request)->saga_id, false);
    } else if (strcmp(call->method, "Get") == 0) {
        const Saga__V1__GetRequest *r = request;
        see_saga(r->saga_id);
        seen.include_payloads = r->include_payloads;
        seen.page_size = r->page_size;
        if (strcmp(r->saga_id, "none") == 0)
            fake_fail(call, 5, "no saga has this id", "SAGA_NOT_FOUND", NULL, -1);
        else if (strcmp(r->saga_id, "large") == 0)
            answer_large(call);
        else if (strcmp(r->saga_id, "empty") == 0)
            fake_answer(call, &(Saga__V1__GetResponse)SAGA__V1__GET_RESPONSE__INIT.base);
        else
            answer_saga(call, r->saga_id, true);
    } else if (strcmp(call->method, "Cancel") == 0) {
        const Saga__V1__CancelRequest *r = request;
        see_saga(r->saga_id);
        snprintf(seen.reason, sizeof seen.reason, "%s", r->reason);
        if (strcmp(r->saga_id, "late") == 0)
            fake_fail(call, 9, "the saga has ended", "SAGA_ENDED", NULL, -1);
        else
            fake_answer(call, &(Saga__V1__CancelResponse)SAGA__V1__CANCEL_RESPONSE__INIT.base);
    }
}

static void open_with(struct saga_client_options options)
{
    options.address = fake_address(server);
    ck_assert_int_eq(saga_client_open(&options, &client, &error), SAGA_OK);
}

static void setup(void)
{
    memset(&seen_, 0, sizeof seen_);
    atomic_store(&lose, 0);
    atomic_store(&stop, 0);
    atomic_store(&hold, false);
    server = fake_open(handle, NULL);
    open_with((struct saga_client_options){0});
}

static void teardown(void)
{
    saga_client_close(client);
    fake_close(server);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int start_named(const char *definition, struct saga_started *started, int64_t timeout_ms)
{
    return saga_start(client, &(struct saga_start_options){.definition = definition, .timeout_ms = timeout_ms}, started,
                      &error);
}

START_TEST(client__start_sends_everything_and_reads_the_answer)
{
    struct saga_started started;
    struct saga_start_options options = {.definition = "checkout",
                                         .version = "1.0.0",
                                         .request_id = "order-7",
                                         .input = "basket",
                                         .input_size = 6,
                                         .deadline_ms = 1500,
                                         .traceparent = "00-aa-bb-01",
                                         .priority = SAGA_PRIORITY_HIGH,
                                         .timeout_ms = 5000};
    ck_assert_int_eq(saga_start(client, &options, &started, &error), SAGA_OK);
    ck_assert_str_eq(started.saga_id, "9f03-2a");
    ck_assert_str_eq(started.request_id, "order-7");
    ck_assert(!started.already_started);
    ck_assert_str_eq(seen.definition, "checkout");
    ck_assert_str_eq(seen.version, "1.0.0");
    ck_assert_str_eq(seen.request_id, "order-7");
    ck_assert_str_eq(seen.input, "basket");
    ck_assert_str_eq(seen.traceparent, "00-aa-bb-01");
    ck_assert_int_eq(seen.priority, SAGA_PRIORITY_HIGH);
    ck_assert_int_eq(seen.deadline_s, 1);
    ck_assert_int_eq(seen.deadline_ns, 500000000);
    ck_assert_int_gt(seen.timeout_ms, 3000);
    /* C core rounds a timeout up to few digits before it puts it on the wire. */
    ck_assert_int_le(seen.timeout_ms, 5100);
}
END_TEST

/* What is not said is left to the sidecar and its definition. */
START_TEST(client__what_is_not_said_is_not_sent)
{
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
    ck_assert_str_eq(seen.version, "");
    ck_assert_str_eq(seen.input, "");
    ck_assert_str_eq(seen.traceparent, "");
    ck_assert_int_eq(seen.priority, 0);
    ck_assert_int_eq(seen.deadline_s, -1);
    /* Ten seconds are the client's own for a call that names none. */
    ck_assert_int_gt(seen.timeout_ms, 8000);
    ck_assert_int_le(seen.timeout_ms, 10100);
    saga_client_close(client);
    open_with((struct saga_client_options){.timeout_ms = 7000});
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
    ck_assert_int_gt(seen.timeout_ms, 5000);
    ck_assert_int_le(seen.timeout_ms, 7100);
    ck_assert_int_eq(start_named("checkout", NULL, -1), SAGA_OK);
    ck_assert_int_eq(seen.timeout_ms, -1);
    saga_client_close(client);
    open_with((struct saga_client_options){.timeout_ms = -1});
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
    ck_assert_int_eq(seen.timeout_ms, -1);
}
END_TEST

START_TEST(client__request_ids_are_uuids_in_order)
{
    struct saga_started first, second;
    ck_assert_int_eq(start_named("checkout", &first, 0), SAGA_OK);
    ck_assert_str_eq(seen.request_id, first.request_id);
    struct timespec tick = {.tv_nsec = 2000000}; /* the time in front counts milliseconds */
    nanosleep(&tick, NULL);
    ck_assert_int_eq(start_named("checkout", &second, 0), SAGA_OK);
    ck_assert_uint_eq(strlen(first.request_id), 36);
    ck_assert_int_eq(first.request_id[14], '7');
    ck_assert_ptr_nonnull(strchr("89ab", first.request_id[19]));
    ck_assert_int_lt(strcmp(first.request_id, second.request_id), 0);
}
END_TEST

START_TEST(client__errors_carry_their_details)
{
    ck_assert_int_eq(start_named("unknown", NULL, 0), SAGA_E_NOT_FOUND);
    ck_assert_int_eq(error.code, SAGA_E_NOT_FOUND);
    ck_assert_str_eq(error.reason, "DEFINITION_NOT_FOUND");
    ck_assert_str_eq(error.field, "definition");
    ck_assert_str_eq(error.message, "no such definition is registered");
    ck_assert_int_eq(error.retry_delay_ms, -1);
    ck_assert_int_eq(start_named("full", NULL, 0), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(error.reason, "LIVE_SAGAS_MAX");
    ck_assert_int_eq(error.retry_delay_ms, 1500);
    ck_assert_uint_eq(fake_count(server, "Start"), 2); /* a definite answer is not asked for again */
    ck_assert_int_eq(saga_start(client, &(struct saga_start_options){.definition = "unknown"}, NULL, NULL),
                     SAGA_E_NOT_FOUND);
}
END_TEST

#define DURATION_MS_MAX INT64_C(315576000000000) /* ten thousand years, of which a Duration can say no more */

START_TEST(client__arguments_are_checked_before_anything_is_sent)
{
    static char longest[SAGA_REQUEST_ID_SIZE], too_long[SAGA_REQUEST_ID_SIZE + 1], long_id[SAGA_ID_SIZE + 1];
    memset(longest, 'r', sizeof longest - 1);
    memset(too_long, 'r', sizeof too_long - 1);
    memset(long_id, 'x', sizeof long_id - 1);
    ck_assert_int_eq(saga_start(client, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "definition");
    ck_assert_str_eq(error.reason, SAGA_REASON_ARGUMENT);
    const struct {
        struct saga_start_options options;
        const char *field;
    } cases[] = {
        {{.definition = ""}, "definition"},
        {{.definition = "d", .request_id = too_long}, "request_id"},
        {{.definition = "d", .deadline_ms = -1}, "deadline_ms"},
        {{.definition = "d", .deadline_ms = DURATION_MS_MAX + 1}, "deadline_ms"},
        {{.definition = "d", .reserved = {1}}, "reserved"},
        {{.definition = "d", .reserved = {0, 0, 1}}, "reserved"},
        {{.definition = "d", .input_size = 1}, "input"},
        {{.definition = "d", .priority = SAGA_PRIORITY_HIGH + 1}, "priority"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(saga_start(client, &cases[i].options, NULL, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, cases[i].field);
        ck_assert_int_eq(saga_async_start(client, &cases[i].options, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, cases[i].field);
    }
    ck_assert_int_eq(saga_wait(client, NULL, 0, 0, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_wait(client, "a", 4, 0, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "flags");
    ck_assert_int_eq(saga_get(client, long_id, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "saga_id");
    long_id[SAGA_ID_SIZE - 1] = '\0'; /* one that is as long as one may be is asked for */
    ck_assert_int_eq(saga_cancel(client, "", NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "saga_id");
    ck_assert_int_eq(saga_register_definition(client, NULL, 1, false, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_register_definition(client, "name: x", 0, false, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_snapshot_get(client, "a", 0, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    saga_snapshot *snapshot = (void *)(uintptr_t) "what was there before does not stay";
    ck_assert_int_eq(saga_snapshot_get(client, "a", 8, &snapshot, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_ptr_null(snapshot);
    ck_assert_int_eq(saga_snapshot_get(client, "", 0, &snapshot, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "saga_id");
    ck_assert_uint_eq(fake_connections(server), 0);
    ck_assert_int_eq(saga_get(client, long_id, NULL, &error), SAGA_OK);
    ck_assert_str_eq(seen.saga_id, long_id);
    const struct saga_start_options most = {
        .definition = "checkout", .request_id = longest, .deadline_ms = DURATION_MS_MAX};
    ck_assert_int_eq(saga_start(client, &most, NULL, &error), SAGA_OK);
    ck_assert_str_eq(seen.request_id, longest);
    ck_assert_int_eq(seen.deadline_s, DURATION_MS_MAX / 1000);
}
END_TEST

START_TEST(client__options_are_checked)
{
    saga_client *other;
    struct {
        struct saga_client_options options;
        const char *field;
    } cases[] = {
        {{.address = "nonsense"}, "address"},
        {{.reserved = {1}}, "reserved"},
        {{.queue_commands_max = 1048577}, "queue_commands_max"},
        {{.pipe_commands_max = 65537}, "pipe_commands_max"},
        {{.pipe_messages_max = 1025}, "pipe_messages_max"},
        {{.message_bytes_max = (size_t)INT32_MAX + 1}, "message_bytes_max"},
        {{.message_bytes_max = 128 * 2304 - 1}, "message_bytes_max"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        other = client; /* what was there before does not stay */
        ck_assert_int_eq(saga_client_open(&cases[i].options, &other, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, cases[i].field);
        ck_assert_ptr_null(other);
    }
    /* The bounds themselves are within. */
    struct saga_client_options most = {.address = fake_address(server),
                                       .queue_commands_max = 1048576,
                                       .pipe_commands_max = 65536,
                                       .pipe_messages_max = 1024,
                                       .message_bytes_max = INT32_MAX};
    struct saga_client_options least = {.address = fake_address(server), .message_bytes_max = 128 * 2304};
    struct saga_client_options usual = {.address = fake_address(server), .pipe_commands_max = 65536};
    const struct saga_client_options *const within[] = {&most, &least, &usual};
    for (size_t i = 0; i < sizeof within / sizeof within[0]; i++) {
        ck_assert_msg(saga_client_open(within[i], &other, &error) == SAGA_OK, "%zu: %s", i, error.message);
        saga_client_close(other);
    }
    ck_assert_str_eq(saga_client_address(client), fake_address(server));
    saga_client_close(NULL);
}
END_TEST

/* An answer that is longer than was said is not taken in. */
START_TEST(client__answers_are_bounded)
{
    struct saga_info info;
    ck_assert_int_eq(saga_get(client, "large", &info, &error), SAGA_OK);
    saga_client_close(client);
    open_with((struct saga_client_options){.pipe_commands_max = 1, .message_bytes_max = 4096});
    ck_assert_int_eq(saga_get(client, "s-1", &info, &error), SAGA_OK);
    ck_assert_int_eq(saga_get(client, "large", &info, &error), SAGA_E_RESOURCE_EXHAUSTED);
}
END_TEST

/* What one of them is closed or cut by is nothing to the other. */
START_TEST(client__each_has_a_connection_of_its_own)
{
    saga_client *other;
    const struct saga_client_options options = {.address = fake_address(server)};
    struct saga_info info;
    ck_assert_int_eq(saga_client_open(&options, &other, &error), SAGA_OK);
    ck_assert_int_eq(saga_get(client, "s-1", &info, &error), SAGA_OK);
    ck_assert_uint_eq(fake_connections(server), 1);
    ck_assert_int_eq(saga_get(other, "s-1", &info, &error), SAGA_OK);
    ck_assert_uint_eq(fake_connections(server), 2);
    saga_client_close(other);
}
END_TEST

START_TEST(client__register_definition)
{
    struct saga_registration registration;
    ck_assert_int_eq(saga_register_definition(client, "name: x", 7, true, &registration, &error), SAGA_OK);
    ck_assert_str_eq(registration.name, "checkout");
    ck_assert_str_eq(registration.version, "1.0.0");
    ck_assert(registration.already_registered);
    ck_assert(seen.dry_run);
    ck_assert_str_eq(seen.source, "name: x");
    ck_assert_int_eq(saga_register_definition(client, "bad", 3, false, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.message, "line 1, column 1: no");
    ck_assert_str_eq(error.reason, "SYNTAX");
    ck_assert(!seen.dry_run);
}
END_TEST

START_TEST(client__wait_get_and_cancel)
{
    struct saga_info info;
    ck_assert_int_eq(saga_wait(client, "s-1", SAGA_WAIT_UNTIL_STUCK, 3000, &info, &error), SAGA_OK);
    ck_assert(seen.until_stuck);
    ck_assert_int_gt(seen.timeout_ms, 1500);
    ck_assert_int_le(seen.timeout_ms, 3100);
    ck_assert_str_eq(info.saga_id, "s-1");
    ck_assert_str_eq(info.definition, "checkout");
    ck_assert_int_eq(info.state, SAGA_STATE_COMPENSATED);
    ck_assert(saga_state_final(info.state));
    ck_assert_str_eq(saga_state_name(info.state), "COMPENSATED");
    ck_assert_str_eq(saga_reason_name(info.reason), "ACTION_REJECTED");
    ck_assert_str_eq(info.reason_step, "charge");
    ck_assert_int_eq(info.started_at_ms, 1700000000123);
    ck_assert_int_eq(info.ended_at_ms, 0);
    ck_assert(!seen.until_answered);
    ck_assert_int_eq(saga_wait(client, "s-3", SAGA_WAIT_UNTIL_ANSWERED, 0, NULL, &error), SAGA_OK);
    ck_assert_str_eq(seen.saga_id, "s-3");
    ck_assert(seen.until_answered && !seen.until_stuck);
    ck_assert_int_eq(saga_wait(client, "s-1", 0, 0, NULL, &error), SAGA_OK);
    ck_assert(!seen.until_stuck && !seen.until_answered);
    ck_assert_int_eq(saga_get(client, "s-2", &info, &error), SAGA_OK);
    ck_assert_str_eq(info.saga_id, "s-2");
    ck_assert_int_eq(saga_get(client, "none", &info, &error), SAGA_E_NOT_FOUND);
    ck_assert_int_eq(saga_get(client, "empty", &info, &error), SAGA_E_INTERNAL);
    ck_assert_str_eq(error.reason, SAGA_REASON_PROTOCOL);
    ck_assert_int_eq(saga_cancel(client, "s-1", "changed my mind", &error), SAGA_OK);
    ck_assert_str_eq(seen.reason, "changed my mind");
    ck_assert_str_eq(seen.saga_id, "s-1");
    ck_assert_int_eq(saga_cancel(client, "late", NULL, &error), SAGA_E_FAILED_PRECONDITION);
    ck_assert_str_eq(error.reason, "SAGA_ENDED");
    ck_assert_str_eq(seen.reason, "");
}
END_TEST

START_TEST(client__snapshot)
{
    saga_snapshot *snapshot;
    ck_assert_int_eq(saga_snapshot_get(client, "s-1", SAGA_SNAPSHOT_PAYLOADS, &snapshot, &error), SAGA_OK);
    ck_assert(seen.include_payloads);
    ck_assert_int_eq(seen.page_size, 5000); /* as many events as the sidecar gives at once */
    ck_assert_str_eq(saga_snapshot_info(snapshot)->saga_id, "s-1");
    ck_assert_uint_eq(saga_snapshot_step_count(snapshot), 1);
    const struct saga_step *step = saga_snapshot_step(snapshot, 0);
    ck_assert_str_eq(step->name, "charge");
    ck_assert_str_eq(saga_action_name(step->action), "REJECTED");
    ck_assert_str_eq(saga_compensation_name(step->compensation), "NONE");
    ck_assert_int_eq(step->action_attempts, 2);
    ck_assert_str_eq(step->last_message, "declined");
    ck_assert_str_eq(step->waiting_for, "");
    ck_assert_uint_eq(step->output_size, 3);
    ck_assert_mem_eq(step->output, "out", 3);
    ck_assert_ptr_null(saga_snapshot_step(snapshot, 1));
    ck_assert_uint_eq(saga_snapshot_event_count(snapshot), 2);
    const struct saga_event *event = saga_snapshot_event(snapshot, 0);
    ck_assert_str_eq(event->cursor, "7.0");
    ck_assert_str_eq(saga_event_name(event->type), "TURNED_BACK");
    ck_assert_int_eq(event->at_ms, 1700000000123);
    ck_assert_str_eq(event->step, "");
    ck_assert_int_eq(event->state, SAGA_STATE_COMPENSATING);
    ck_assert_str_eq(saga_snapshot_event(snapshot, 1)->cursor, "8.0");
    ck_assert_int_eq(saga_snapshot_event(snapshot, 1)->state, SAGA_STATE_COMPENSATED);
    ck_assert_ptr_null(saga_snapshot_event(snapshot, 2));
    ck_assert(saga_snapshot_truncated(snapshot));
    saga_snapshot_free(snapshot);
    saga_snapshot_free(NULL);
    ck_assert_int_eq(saga_snapshot_get(client, "s-1", 0, &snapshot, &error), SAGA_OK);
    ck_assert(!seen.include_payloads);
    saga_snapshot_free(snapshot);
    ck_assert_int_eq(saga_snapshot_get(client, "none", 0, &snapshot, &error), SAGA_E_NOT_FOUND);
    ck_assert_int_eq(saga_snapshot_get(client, "empty", 0, &snapshot, &error), SAGA_E_INTERNAL);
    ck_assert_str_eq(saga_state_name(99), "UNKNOWN_VALUE");
}
END_TEST

/* ---- what got lost ---- */

START_TEST(client__a_lost_start_is_repeated_with_the_same_request_id)
{
    struct saga_started started;
    char before[SAGA_REQUEST_ID_SIZE];
    ck_assert_int_eq(start_named("checkout", &started, 0), SAGA_OK);
    strcpy(before, seen.request_id);
    atomic_store(&lose, 3);
    ck_assert_int_eq(start_named("checkout", &started, 0), SAGA_OK);
    ck_assert_uint_eq(fake_count(server, "Start"), 5);
    ck_assert_str_eq(started.request_id, seen.request_id);
    ck_assert_str_ne(before, seen.request_id);
    ck_assert(started.already_started);
    ck_assert_uint_ge(fake_connections(server), 4);
}
END_TEST

START_TEST(client__a_stopping_sidecar_is_asked_again)
{
    atomic_store(&stop, 2);
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
    ck_assert_uint_eq(fake_count(server, "Start"), 3);
}
END_TEST

/* What a connection loses, and a sidecar that stops or had no room for its answer, is asked again; what was decided is not. */
START_TEST(client__what_is_asked_again)
{
    static const struct {
        int code;
        const char *reason;
        bool lost, open;
    } cases[] = {{SAGA_E_UNAVAILABLE, "", true, false},
                 {SAGA_E_UNAVAILABLE, "STOPPING", true, false},
                 {SAGA_E_CANCELLED, "", true, false},
                 {SAGA_E_CANCELLED, SAGA_REASON_CLOSED, false, false},
                 {SAGA_E_INTERNAL, "", true, false},
                 {SAGA_E_INTERNAL, "JOURNAL", false, false},
                 {SAGA_E_UNKNOWN, "", true, false},
                 {SAGA_E_UNKNOWN, "JOURNAL", false, false},
                 {SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, true, true},
                 {SAGA_E_RESOURCE_EXHAUSTED, "LIVE_SAGAS_MAX", false, true},
                 {SAGA_E_DEADLINE_EXCEEDED, "", false, false},
                 {SAGA_E_ABORTED, "", false, false},
                 {SAGA_E_NOT_FOUND, "", false, false},
                 {SAGA_E_FAILED_PRECONDITION, "", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct saga_error e;
        saga_error_set(&e, cases[i].code, cases[i].reason, NULL, NULL);
        ck_assert_msg(client_is_lost(cases[i].code, &e) == cases[i].lost, "%d %s", cases[i].code, cases[i].reason);
        ck_assert_int_eq(client_is_open(cases[i].code, true), cases[i].open);
        ck_assert(!client_is_open(cases[i].code, false));
    }
}
END_TEST

/* A call's time counts from when it was made: a repetition has what is left of it. */
START_TEST(client__a_repetition_has_the_time_that_is_left)
{
    atomic_store(&stop, 5);
    ck_assert_int_eq(start_named("checkout", NULL, 9000), SAGA_OK);
    ck_assert_uint_eq(fake_count(server, "Start"), 6);
    /* Pauses of 10, 20, 40, 80 and 160 ms at least; C core rounds a timeout up to few digits. */
    ck_assert_int_le(seen.timeout_ms, 9000 - 310 + 200);
}
END_TEST

START_TEST(client__a_limit_is_no_verdict_on_what_got_lost)
{
    ck_assert_int_eq(start_named("full", NULL, 0), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(fake_count(server, "Start"), 1);
    /* The first may have been carried out, so that the limit turns away its repetition only. */
    atomic_store(&lose, 1);
    ck_assert_int_eq(start_named("full", NULL, 400), SAGA_E_DEADLINE_EXCEEDED);
    ck_assert_str_eq(error.reason, SAGA_REASON_DEADLINE);
    ck_assert_uint_gt(fake_count(server, "Start"), 3);
    /* No memory for the answer is not the answer. */
    ck_assert_int_eq(start_named("no memory", NULL, 200), SAGA_E_DEADLINE_EXCEEDED);
}
END_TEST

static void *wait_in_thread(void *out)
{
    struct saga_error e;
    int code = saga_wait(client, "s-1", 0, 20000, out, &e);
    return (void *)(intptr_t)code;
}

START_TEST(client__wait_survives_a_restart_of_the_sidecar)
{
    struct saga_info info;
    pthread_t thread;
    void *code;
    atomic_store(&hold, true);
    pthread_create(&thread, NULL, wait_in_thread, &info);
    fake_await(server, "Wait", 1);
    fake_unlisten(server);
    atomic_store(&hold, false);
    fake_listen(server);
    pthread_join(thread, &code);
    ck_assert_int_eq((int)(intptr_t)code, SAGA_OK);
    ck_assert_str_eq(info.saga_id, "s-1");
    ck_assert_uint_eq(fake_count(server, "Wait"), 2);
}
END_TEST

START_TEST(client__no_answer_is_a_deadline_exceeded)
{
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK); /* connected */
    atomic_store(&hold, true);
    int64_t before = now_ms();
    int code = start_named("checkout", NULL, 150);
    ck_assert_msg(code == SAGA_E_DEADLINE_EXCEEDED, "%d %s %s", code, error.reason, error.message);
    ck_assert_int_ge(now_ms() - before, 140);
    ck_assert_str_eq(error.reason, SAGA_REASON_DEADLINE);
    /* Lost on the way, and then nobody there: it may have been carried out. */
    atomic_store(&hold, false);
    atomic_store(&lose, 1000);
    ck_assert_int_eq(start_named("checkout", NULL, 1500), SAGA_E_DEADLINE_EXCEEDED);
    ck_assert_str_eq(error.reason, SAGA_REASON_DEADLINE);
}
END_TEST

START_TEST(client__no_sidecar_until_the_deadline)
{
    fake_unlisten(server);
    int64_t before = now_ms();
    ck_assert_int_eq(start_named("checkout", NULL, 200), SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(error.reason, SAGA_REASON_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(error.message, fake_address(server)));
    ck_assert_int_ge(now_ms() - before, 190);
    fake_listen(server);
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
}
END_TEST

START_TEST(client__fail_fast_does_not_wait_for_a_sidecar)
{
    saga_client_close(client);
    open_with((struct saga_client_options){.fail_fast = true, .timeout_ms = 30000});
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
    fake_unlisten(server);
    int64_t before = now_ms();
    int code = start_named("checkout", NULL, 0);
    ck_assert_int_eq(code, SAGA_E_UNAVAILABLE);
    ck_assert_int_lt(now_ms() - before, 20000); /* of 30 s in which one might come */
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(error.reason, SAGA_REASON_UNREACHABLE);
    fake_listen(server);
    do
        code = start_named("checkout", NULL, 0);
    while (code != SAGA_OK && now_ms() - before < 20000);
    ck_assert_int_eq(code, SAGA_OK);
    /* It left before the connection broke: not certainly nothing. Whose time ends amid another attempt hears of that instead. */
    atomic_store(&lose, 1000);
    before = now_ms();
    do
        code = start_named("checkout", NULL, 100);
    while (code == SAGA_E_DEADLINE_EXCEEDED && now_ms() - before < 20000);
    ck_assert_int_eq(code, SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(error.reason, SAGA_REASON_LOST);
    ck_assert_ptr_nonnull(strstr(error.message, "during the call"));
}
END_TEST

START_TEST(client__repeats_come_neither_at_once_nor_ever_later)
{
    atomic_store(&stop, 10000);
    ck_assert_int_eq(start_named("checkout", NULL, 4000), SAGA_E_DEADLINE_EXCEEDED);
    /* Delays of 20, 40, ... 320 ms and then 500 ms, each at most halved by the jitter. Without the cap there would be 9. */
    ck_assert_uint_ge(fake_count(server, "Start"), 10);
    ck_assert_uint_le(fake_count(server, "Start"), 21);
}
END_TEST

static void *start_in_thread(void *out)
{
    struct saga_error e;
    (void)out;
    return (void *)(intptr_t)saga_start(
        client, &(struct saga_start_options){.definition = "checkout", .timeout_ms = 30000}, NULL, &e);
}

START_TEST(client__connects_soon_after_a_long_absence)
{
    pthread_t thread;
    void *code;
    fake_unlisten(server);
    pthread_create(&thread, NULL, start_in_thread, NULL);
    /* So long that the delays between tries would be over 4 s by now without a cap. */
    nanosleep(&(struct timespec){.tv_sec = 12}, NULL);
    int64_t back = now_ms();
    fake_listen(server);
    pthread_join(thread, &code);
    ck_assert_int_eq((int)(intptr_t)code, SAGA_OK);
    ck_assert_int_le(now_ms() - back, 3500);
}
END_TEST

START_TEST(client__does_not_storm_a_door_that_is_shut_at_once)
{
    fake_shut_door(server, true);
    ck_assert_int_eq(start_named("checkout", NULL, 2000), SAGA_E_UNAVAILABLE);
    ck_assert_uint_ge(fake_connections(server), 4);
    ck_assert_uint_le(fake_connections(server), 15);
    fake_shut_door(server, false);
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
}
END_TEST

/* ---- ends ---- */

START_TEST(client__shutdown_ends_calls_that_wait)
{
    struct saga_info info;
    pthread_t thread;
    void *code;
    atomic_store(&hold, true);
    pthread_create(&thread, NULL, wait_in_thread, &info);
    fake_await(server, "Wait", 1);
    saga_client_shutdown(client);
    pthread_join(thread, &code);
    ck_assert_int_eq((int)(intptr_t)code, SAGA_E_CANCELLED);
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_E_CANCELLED);
    ck_assert_str_eq(error.reason, SAGA_REASON_CLOSED);
    saga_client_shutdown(client);
}
END_TEST

START_TEST(client__shutdown_ends_the_pause_before_a_repeat)
{
    struct saga_info info;
    pthread_t thread;
    void *code;
    fake_unlisten(server);
    pthread_create(&thread, NULL, wait_in_thread, &info);
    saga_client_shutdown(client);
    pthread_join(thread, &code);
    ck_assert_int_eq((int)(intptr_t)code, SAGA_E_CANCELLED);
}
END_TEST

static void *start_many(void *failures)
{
    for (int i = 0; i < 200; i++) {
        struct saga_error e;
        struct saga_started started;
        if (saga_start(client, &(struct saga_start_options){.definition = "checkout"}, &started, &e) != SAGA_OK)
            atomic_fetch_add((atomic_int *)failures, 1);
    }
    return NULL;
}

START_TEST(client__many_threads_use_one_client)
{
    pthread_t threads[4];
    atomic_int failures = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, start_many, &failures);
    fake_await(server, "Start", 50);
    fake_cut(server);
    fake_await(server, "Start", 300);
    fake_cut(server);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&failures), 0);
}
END_TEST

/* Runs in the child: 0 when all is as client.h says. */
static int use_in_child(void)
{
    struct saga_error e;
    saga_tx *tx;
    saga_watch *watch;
    const struct saga_event *event;
    if (saga_get(client, "s-1", NULL, &e) != SAGA_E_FAILED_PRECONDITION || strcmp(e.reason, SAGA_REASON_FORKED) != 0)
        return 1;
    if (saga_async_abort(client, "s-1", NULL, 0, NULL, NULL, &e) != SAGA_E_FAILED_PRECONDITION)
        return 2;
    if (saga_tx_attach(client, "s-1", 0, 0, &tx, &e) != SAGA_E_FAILED_PRECONDITION)
        return 3;
    if (saga_watch_open(client, "s-1", NULL, &watch, &e) != SAGA_OK ||
        saga_watch_next(watch, 0, &event, &e) != SAGA_E_FAILED_PRECONDITION)
        return 4;
    saga_watch_cancel(watch);
    saga_watch_close(watch);
    if (saga_async_drain(client, 0, &e) != SAGA_E_FAILED_PRECONDITION || saga_async_poll(client, 1) != 0 ||
        saga_async_outstanding(client) != 0)
        return 5;
    saga_client_shutdown(client);
    saga_client_close(client);
    saga_client *other;
    if (saga_client_open(NULL, &other, &e) != SAGA_E_FAILED_PRECONDITION || strcmp(e.reason, SAGA_REASON_FORKED) != 0)
        return 6;
    return 0;
}

START_TEST(client__does_not_survive_fork)
{
    int status;
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
    pid_t child = fork();
    if (child == 0)
        _exit(use_in_child());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(start_named("checkout", NULL, 0), SAGA_OK);
}
END_TEST

/* It was never handed to the connection, and never will be. */
static void count_timeout(void *user, const struct saga_result *result)
{
    ck_assert_int_eq(result->code, SAGA_E_UNAVAILABLE);
    atomic_fetch_add((atomic_int *)user, 1);
}

/* A sidecar that was stopped: what it is sent is stuck on the connection, and whatever waits for it ends by our clock all the same. With nothing
 * else of C core in the process, its own end is not waited for either. */
START_TEST(client__nothing_waits_for_a_sidecar_that_does_not_read)
{
    enum { SIZE = 8 << 20 };
    static char input[SIZE];
    char path[64];
    struct fake_peer peer;
    saga_client *c;
    saga_watch *watch;
    const struct saga_event *event;
    atomic_int timeouts = 0;
    snprintf(path, sizeof path, "/tmp/test_client.%d", (int)getpid());
    fake_peer_init(&peer);
    peer.deaf = true;
    peer.path = path;
    fake_peer_start(&peer);
    ck_assert_int_eq(saga_client_open(&(struct saga_client_options){.address = peer.address}, &c, &error), SAGA_OK);
    int64_t began = now_ms();
    struct saga_start_options start = {
        .definition = "checkout", .input = input, .input_size = SIZE, .timeout_ms = 2000};
    ck_assert_int_eq(saga_start(c, &start, NULL, &error), SAGA_E_DEADLINE_EXCEEDED); /* it may have been carried out */
    start.input_size = 1;
    ck_assert_int_eq(saga_start(c, &start, NULL, &error), SAGA_E_DEADLINE_EXCEEDED); /* behind it */
    ck_assert_int_eq(saga_async_start(c, &start, count_timeout, &timeouts, &error), SAGA_OK);
    ck_assert_int_eq(saga_async_drain(c, 5000, &error), SAGA_OK);
    ck_assert_int_eq(atomic_load(&timeouts), 1);
    ck_assert_int_eq(saga_watch_open(c, "s-1", NULL, &watch, &error), SAGA_OK);
    ck_assert_int_ne(saga_watch_next(watch, 300, &event, &error), SAGA_OK);
    saga_watch_close(watch);
    saga_client_close(c);
    ck_assert_int_lt(now_ms() - began, 15000); /* and not for as long as the connection stands */
    fake_peer_stop(&peer);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *alone = tcase_create("alone");
    tcase_set_timeout(alone, 60);
    tcase_add_test(alone, client__nothing_waits_for_a_sidecar_that_does_not_read);
    suite_add_tcase(suite, alone);
    TCase *c = tcase_create("client");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, client__start_sends_everything_and_reads_the_answer);
    tcase_add_test(c, client__what_is_not_said_is_not_sent);
    tcase_add_test(c, client__request_ids_are_uuids_in_order);
    tcase_add_test(c, client__errors_carry_their_details);
    tcase_add_test(c, client__arguments_are_checked_before_anything_is_sent);
    tcase_add_test(c, client__options_are_checked);
    tcase_add_test(c, client__answers_are_bounded);
    tcase_add_test(c, client__each_has_a_connection_of_its_own);
    tcase_add_test(c, client__register_definition);
    tcase_add_test(c, client__wait_get_and_cancel);
    tcase_add_test(c, client__snapshot);
    tcase_add_test(c, client__a_lost_start_is_repeated_with_the_same_request_id);
    tcase_add_test(c, client__a_stopping_sidecar_is_asked_again);
    tcase_add_test(c, client__repeats_come_neither_at_once_nor_ever_later);
    tcase_add_test(c, client__connects_soon_after_a_long_absence);
    tcase_add_test(c, client__does_not_storm_a_door_that_is_shut_at_once);
    tcase_add_test(c, client__what_is_asked_again);
    tcase_add_test(c, client__a_repetition_has_the_time_that_is_left);
    tcase_add_test(c, client__a_limit_is_no_verdict_on_what_got_lost);
    tcase_add_test(c, client__wait_survives_a_restart_of_the_sidecar);
    tcase_add_test(c, client__no_answer_is_a_deadline_exceeded);
    tcase_add_test(c, client__no_sidecar_until_the_deadline);
    tcase_add_test(c, client__fail_fast_does_not_wait_for_a_sidecar);
    tcase_add_test(c, client__shutdown_ends_calls_that_wait);
    tcase_add_test(c, client__shutdown_ends_the_pause_before_a_repeat);
    tcase_add_test(c, client__many_threads_use_one_client);
    tcase_add_test(c, client__does_not_survive_fork);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
