/* The pipe of the asynchronous half by itself, over a stream that a test opens, answers and ends: what goes into a message, when a stream is
 * opened, whose an answer is, and what becomes of that which has none. */
#include "client-lib/src/client_inside.h"
#include "client-lib/src/wire_duplex.h"
#include "client-lib/src/wire_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS       INT64_C(1000000)
#define COMMANDS 8

static struct wire never_forked;
static saga_client client;
static struct async *const a = &client.async;
static int64_t now_ns;
static bool shut;

/* ---- tests.mk wraps these ---- */

/* The stream: what was done to it last, and how often. */
static struct {
    unsigned opened, sent, cancelled;
    bool refuses, reached;
    char bytes[64]; /* of the last message, as a text; of a long one its beginning */
    size_t size;
    const struct wire_duplex_events *events;
    void *self;
    int64_t delayed_ms; /* the delay before this one */
} stream;

void __wrap_wire_wake(struct wire *wire);
bool __wrap_wire_is_shut(struct wire *wire);
int64_t __wrap_wire_now(void);
int64_t __wrap_wire_backoff(int64_t *delay_ms);
int __wrap_wire_duplex_open(struct wire *w, const char *method, const ProtobufCMessageDescriptor *response_type,
                            const struct wire_duplex_events *events, void *self, struct wire_duplex **out,
                            struct saga_error *error);
void __wrap_wire_duplex_send(struct wire_duplex *d, grpc_slice message);
bool __wrap_wire_duplex_reached(const struct wire_duplex *d);
void __wrap_wire_duplex_cancel(struct wire_duplex *d);

void __wrap_wire_wake(struct wire *wire)
{
    (void)wire;
}

bool __wrap_wire_is_shut(struct wire *wire)
{
    (void)wire;
    return shut;
}

int64_t __wrap_wire_now(void)
{
    return now_ns;
}

int64_t __wrap_wire_backoff(int64_t *delay_ms)
{
    stream.delayed_ms = *delay_ms;
    *delay_ms += 20;
    return *delay_ms * MS;
}

int __wrap_wire_duplex_open(struct wire *w, const char *method, const ProtobufCMessageDescriptor *response_type,
                            const struct wire_duplex_events *events, void *self, struct wire_duplex **out,
                            struct saga_error *error)
{
    ck_assert_ptr_eq(w, &never_forked);
    ck_assert_str_eq(method, "/saga.v1.Coordinator/Pipe");
    ck_assert_ptr_eq(response_type, &saga__v1__pipe_response__descriptor);
    (void)error;
    stream.opened++;
    stream.events = events;
    stream.self = self;
    if (stream.refuses)
        return SAGA_E_RESOURCE_EXHAUSTED;
    *out = (struct wire_duplex *)(void *)&stream;
    return SAGA_OK;
}

void __wrap_wire_duplex_send(struct wire_duplex *d, grpc_slice message)
{
    ck_assert_ptr_eq(d, &stream);
    ck_assert(stream.reached);
    stream.sent++;
    stream.size = GRPC_SLICE_LENGTH(message);
    snprintf(stream.bytes, sizeof stream.bytes, "%.*s", (int)(stream.size < 60 ? stream.size : 60),
             (const char *)GRPC_SLICE_START_PTR(message));
    grpc_slice_unref(message);
}

bool __wrap_wire_duplex_reached(const struct wire_duplex *d)
{
    ck_assert_ptr_eq(d, &stream);
    return stream.reached;
}

void __wrap_wire_duplex_cancel(struct wire_duplex *d)
{
    ck_assert_ptr_eq(d, &stream);
    stream.cancelled++;
}

/* ---- a world ---- */

static void setup(void)
{
    struct saga_error error;
    memset(&stream, 0, sizeof stream);
    stream.reached = true;
    now_ns = 1000 * MS;
    shut = false;
    client = (saga_client){
        .wire = &never_forked,
        .options = {
            .queue_commands_max = 1000, .queue_bytes_max = 100000000, .pipe_commands_max = 2, .pipe_messages_max = 2}};
    ck_assert_int_eq(async_init(&client, &error), SAGA_OK);
}

static void teardown(void)
{
    async_finish(&client);
}

static struct told {
    unsigned times;
    int code;
    char reason[64], message[128], saga_id[SAGA_ID_SIZE];
    bool already_started;
} told[COMMANDS];

static void tell(void *user, const struct saga_result *result)
{
    struct told *t = user;
    t->times++;
    t->code = result->code;
    t->already_started = result->already_started;
    client_copy_text(t->saga_id, sizeof t->saga_id, result->saga_id);
    client_copy_text(t->reason, sizeof t->reason, result->error ? result->error->reason : "");
    client_copy_text(t->message, sizeof t->message, result->error ? result->error->message : "");
}

/* A Start whose bytes are its number, so many times. */
static void push_bytes(int number, size_t size, int64_t deadline)
{
    struct saga_error error;
    struct command *command = calloc(1, sizeof *command + size);
    ck_assert_ptr_nonnull(command);
    memset(&told[number], 0, sizeof told[number]);
    command->kind = SAGA__V1__COMMAND__COMMAND_START;
    command->deadline = deadline;
    command->done = tell;
    command->user = &told[number];
    command->size = size;
    memset(command->bytes, '0' + number, size);
    ck_assert_int_eq(async_push(&client, command, &error), SAGA_OK);
}

static void push(int first, int last)
{
    for (int i = first; i <= last; i++)
        push_bytes(i, 1, WIRE_FOREVER);
}

static int64_t turn(void)
{
    return async_turn(&client);
}

static void sent(void)
{
    stream.events->sent(stream.self);
}

/* A turn sends this, and nothing the next time. */
static void sends(const char *bytes)
{
    unsigned before = stream.sent;
    turn();
    ck_assert_uint_eq(stream.sent, before + 1);
    ck_assert_str_eq(stream.bytes, bytes);
    turn(); /* it is not handed over yet */
    ck_assert_uint_eq(stream.sent, before + 1);
    sent();
}

static void sends_nothing(void)
{
    unsigned before = stream.sent;
    turn();
    ck_assert_uint_eq(stream.sent, before);
}

/* Answers a message: of each command a digit for the saga that was started so, or the letter of an error. */
static void answer(const char *results)
{
    Saga__V1__PipeResponse response = SAGA__V1__PIPE_RESPONSE__INIT;
    Saga__V1__Result room[COMMANDS], *list[COMMANDS];
    Saga__V1__StartResponse starts[COMMANDS];
    Google__Rpc__Status errors[COMMANDS];
    char ids[COMMANDS][2];
    for (size_t i = 0; results[i] != '\0'; i++) {
        saga__v1__result__init(&room[i]);
        saga__v1__start_response__init(&starts[i]);
        google__rpc__status__init(&errors[i]);
        list[i] = &room[i];
        if (results[i] >= '0' && results[i] <= '9') {
            snprintf(ids[i], sizeof ids[i], "%c", results[i]);
            starts[i].saga_id = ids[i];
            starts[i].already_started = results[i] == '5';
            room[i].result_case = SAGA__V1__RESULT__RESULT_START;
            room[i].start = &starts[i];
        } else { /* N: not found; S: the sidecar is stopping; B: it broke */
            errors[i].code = results[i] == 'N'   ? SAGA_E_NOT_FOUND
                             : results[i] == 'S' ? SAGA_E_UNAVAILABLE
                                                 : SAGA_E_INTERNAL;
            room[i].result_case = SAGA__V1__RESULT__RESULT_ERROR;
            room[i].error = &errors[i];
        }
        response.n_results++;
    }
    response.results = list;
    stream.events->received(stream.self, &response.base);
}

/* The stream ends so. */
static void ends(int code, const char *reason)
{
    struct saga_error error;
    if (code != SAGA_OK)
        saga_error_set(&error, code, reason, NULL, "it is over");
    stream.events->ended(stream.self, code, code == SAGA_OK ? NULL : &error);
}

static void ended_lost(void)
{
    ends(SAGA_E_UNAVAILABLE, SAGA_REASON_LOST);
}

static void assert_started(int number)
{
    char id[2] = {(char)('0' + number), '\0'};
    ck_assert_msg(told[number].times == 1 && told[number].code == SAGA_OK, "%d: %u times, %d", number,
                  told[number].times, told[number].code);
    ck_assert_str_eq(told[number].saga_id, id);
}

static void assert_failed(int number, int code, const char *reason, const char *message)
{
    ck_assert_msg(told[number].times == 1 && told[number].code == code, "%d: %u times, %d", number, told[number].times,
                  told[number].code);
    ck_assert_str_eq(told[number].reason, reason);
    ck_assert_str_eq(told[number].message, message != NULL ? message : saga_status_text(code));
}

static void assert_open(int first, int last)
{
    for (int i = first; i <= last; i++)
        ck_assert_uint_eq(told[i].times, 0);
}

/* ---- messages ---- */

START_TEST(async_pipe__messages_are_gathered_and_matched_with_their_answers)
{
    ck_assert_int_eq(turn(), WIRE_FOREVER);
    ck_assert_uint_eq(stream.opened, 0); /* there is nothing to say */
    push(0, 6);
    sends("01");
    ck_assert_uint_eq(stream.opened, 1);
    sends("23");
    sends_nothing(); /* two without an answer are as many as may be */
    answer("0N");
    assert_started(0);
    assert_failed(1, SAGA_E_NOT_FOUND, "", NULL);
    assert_open(2, 6);
    sends("45");
    answer("23");
    answer("45");
    for (int i = 2; i <= 5; i++) {
        assert_started(i);
        ck_assert_int_eq(told[i].already_started, i == 5);
    }
    sends("6");
    answer("6");
    assert_started(6);
    sends_nothing();
    ck_assert_uint_eq(stream.opened, 1);
    ck_assert_uint_eq(stream.cancelled, 0);
}
END_TEST

/* Ends all that there is, as a client does that is closed, and begins anew. */
static void close_all(void)
{
    shut = true;
    ck_assert_int_eq(turn(), WIRE_FOREVER);
    ends(SAGA_E_CANCELLED, SAGA_REASON_CLOSED);
    shut = false;
    now_ns += 1000 * MS;
    ck_assert_uint_eq(a->outstanding, 0);
}

/* Up to 1 MiB, but for one that is longer by itself. */
START_TEST(async_pipe__messages_have_so_many_bytes)
{
    enum { MOST = 1 << 20 };
    static const struct {
        size_t sizes[3], message;
    } cases[] = {{{MOST - 2, 1, 1}, MOST}, {{MOST - 2, 2, 1}, MOST},     {{MOST - 1, 2, 1}, MOST - 1},
                 {{MOST, 1, 1}, MOST},     {{MOST + 1, 1, 1}, MOST + 1}, {{1, MOST, 1}, 1}};
    client.options.pipe_commands_max = 3;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int k = 0; k < 3; k++)
            push_bytes(k, cases[i].sizes[k], WIRE_FOREVER);
        turn();
        ck_assert_msg(stream.size == cases[i].message, "%zu: %zu", i, stream.size);
        close_all();
    }
}
END_TEST

/* Nothing is handed to a stream that no connection has. */
START_TEST(async_pipe__waits_for_a_connection)
{
    stream.reached = false;
    push(0, 0);
    push_bytes(1, 1, now_ns + 50 * MS);
    ck_assert_int_eq(turn(), now_ns + 50 * MS);
    ck_assert_uint_eq(stream.opened, 1);
    ck_assert_uint_eq(stream.sent, 0);
    now_ns += 50 * MS - 1;
    ck_assert_int_eq(turn(), now_ns + 1);
    assert_open(0, 1);
    now_ns += 1;
    ck_assert_int_eq(turn(), WIRE_FOREVER);
    assert_failed(1, SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no connection to the sidecar in time");
    assert_open(0, 0);
    stream.reached = true;
    sends("0");
    ck_assert_uint_eq(stream.opened, 1);
}
END_TEST

/* One that could not be opened is tried again a little later, and later still; whoever is due before is told before. */
START_TEST(async_pipe__is_not_opened_again_at_once)
{
    stream.refuses = true;
    push(0, 0);
    ck_assert_int_eq(turn(), now_ns + 20 * MS);
    push_bytes(1, 1, now_ns + 5 * MS);
    ck_assert_int_eq(turn(), now_ns + 5 * MS);
    now_ns += 20 * MS - 1;
    ck_assert_int_eq(turn(), now_ns + 1);
    assert_failed(1, SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no connection to the sidecar in time");
    ck_assert_uint_eq(stream.opened, 1);
    now_ns += 1;
    ck_assert_int_eq(turn(), now_ns + 40 * MS);
    ck_assert_uint_eq(stream.opened, 2);
    stream.refuses = false;
    now_ns += 40 * MS;
    sends("0");
    ck_assert_uint_eq(stream.opened, 3);
    /* An answer ends the row of failures, and a loss begins another one. */
    answer("0");
    push(2, 2);
    sends("2");
    ended_lost();
    ck_assert_int_eq(stream.delayed_ms, 0);
    ck_assert_int_eq(turn(), now_ns + 20 * MS);
    now_ns += 20 * MS;
    sends("2");
    ended_lost();
    ck_assert_int_eq(stream.delayed_ms, 20);
    close_all();
}
END_TEST

/* ---- what gets lost ---- */

/* All that has no answer is sent again, in its order and before what waits. */
START_TEST(async_pipe__what_got_lost_is_sent_again)
{
    push(0, 5);
    sends("01");
    sends("23");
    answer("01");
    turn();
    ck_assert_str_eq(stream.bytes, "45"); /* which is still being sent */
    push(6, 6);
    ended_lost();
    assert_open(2, 6);
    now_ns += 20 * MS;
    sends("23");
    sends("45");
    answer("23");
    answer("45");
    sends("6");
    answer("6");
    for (int i = 0; i <= 6; i++)
        assert_started(i);
    ck_assert_uint_eq(stream.opened, 2);
}
END_TEST

/* A stream that a sidecar ends in good order is lost as any other; a refusal is what all of it get. */
START_TEST(async_pipe__how_a_stream_ends)
{
    static const struct {
        int code;
        const char *reason;
        bool lost;
    } cases[] = {{SAGA_OK, NULL, true},
                 {SAGA_E_UNAVAILABLE, SAGA_REASON_LOST, true},
                 {SAGA_E_CANCELLED, SAGA_REASON_CANCELLED, true},
                 {SAGA_E_INTERNAL, "", true},
                 {SAGA_E_UNIMPLEMENTED, "", false},
                 {SAGA_E_RESOURCE_EXHAUSTED, "", false},
                 {SAGA_E_PERMISSION_DENIED, "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        push(0, 3);
        sends("01");
        sends("23");
        push(4, 4);
        ends(cases[i].code, cases[i].reason);
        for (int k = 0; k <= 3 && !cases[i].lost; k++)
            assert_failed(k, cases[i].code, cases[i].reason, "it is over");
        assert_open(cases[i].lost ? 0 : 4, 4);
        now_ns += 1000 * MS;
        sends(cases[i].lost ? "01" : "4");
        close_all();
    }
}
END_TEST

/* What has been on a connection that broke may have been carried out: a limit's refusal is no verdict on it, and its time passes unknown. */
START_TEST(async_pipe__what_may_have_been_carried_out_stays_open)
{
    push(0, 0);
    sends("0");
    ended_lost();
    now_ns += 20 * MS;
    push_bytes(1, 1, now_ns + 5 * MS);
    sends("01");
    ends(SAGA_E_RESOURCE_EXHAUSTED, "");
    assert_open(0, 0);
    assert_failed(1, SAGA_E_RESOURCE_EXHAUSTED, "", "it is over");
    close_all();
    /* The answer that told of the sidecar's own failure leaves it as open; that it is stopping does not. */
    static const char *const answers[] = {"0B", "0S"};
    for (int i = 0; i < 2; i++) {
        push(0, 1);
        sends("01");
        answer(answers[i]);
        assert_started(0);
        assert_open(1, 1);
        ends(SAGA_E_RESOURCE_EXHAUSTED, "");
        if (i == 0)
            assert_open(1, 1);
        else
            assert_failed(1, SAGA_E_RESOURCE_EXHAUSTED, "", "it is over");
        close_all();
    }
}
END_TEST

/* Once one of a message was not carried out, nothing more is sent or believed on its stream: what was sent after it comes after it. */
START_TEST(async_pipe__what_was_not_carried_out_keeps_its_place)
{
    push(0, 6);
    sends("01");
    sends("23");
    answer("0S");
    assert_started(0);
    ck_assert_uint_eq(stream.cancelled, 1);
    answer("23");
    assert_open(1, 6);
    sends_nothing();
    ck_assert_uint_eq(stream.cancelled, 1);
    ends(SAGA_E_CANCELLED, SAGA_REASON_CANCELLED);
    sends_nothing();
    now_ns += 20 * MS;
    sends("12");
    ck_assert_uint_eq(stream.opened, 2);
    sends("34");
    answer("12");
    answer("34");
    sends("56");
    answer("56");
    for (int i = 0; i <= 6; i++)
        assert_started(i);
}
END_TEST

/* ---- answers that do not fit ---- */

START_TEST(async_pipe__answers_that_do_not_fit_break_it_off)
{
    static const char *const answers[] = {"", "0", "012", NULL};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        push(0, 3);
        sends("01");
        sends("23");
        if (answers[i] != NULL)
            answer(answers[i]);
        else
            stream.events->received(stream.self, NULL);
        for (int k = 0; k < 2; k++)
            assert_failed(k, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, "the sidecar's answer does not fit the command");
        ck_assert_uint_eq(stream.cancelled, i + 1);
        ends(SAGA_E_CANCELLED, SAGA_REASON_CANCELLED);
        now_ns += 1000 * MS;
        sends("23");
        close_all();
    }
    /* Nor is there one that nothing was said for. */
    push(0, 0);
    sends("0");
    answer("0");
    stream.cancelled = 0;
    answer("1");
    ck_assert_uint_eq(stream.cancelled, 1);
}
END_TEST

/* ---- time ---- */

/* What is known of one whose time has passed; what comes for it later is nobody's, and the others of its message have their answers. */
START_TEST(async_pipe__tells_what_is_known_when_time_has_passed)
{
    int64_t due = now_ns + 10 * MS;
    client.options.pipe_messages_max = 1;
    push_bytes(0, 1, due);
    push(1, 1);
    push_bytes(2, 1, due);
    ck_assert_int_eq(turn(), due);
    ck_assert_str_eq(stream.bytes, "01");
    sent();
    now_ns = due;
    ck_assert_int_eq(turn(), WIRE_FOREVER);
    assert_failed(0, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL);
    assert_failed(2, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, "it was still queued behind others");
    answer("01");
    assert_started(1);
    ck_assert_uint_eq(told[0].times, 1);
    /* One that was lost may have been carried out, connection or none. */
    push_bytes(3, 1, now_ns + 10 * MS);
    sends("3");
    ended_lost();
    now_ns += 10 * MS;
    turn();
    assert_failed(3, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL);
    /* A message of which none is left is no reason to send anything again. */
    now_ns += 1000 * MS;
    push_bytes(4, 1, now_ns + 10 * MS);
    sends("4");
    now_ns += 10 * MS;
    turn();
    ended_lost();
    now_ns += 1000 * MS;
    sends_nothing();
}
END_TEST

/* ---- the end ---- */

START_TEST(async_pipe__a_client_that_is_closed_has_nothing_carried_out_any_more)
{
    push(0, 3);
    sends("01");
    shut = true;
    ck_assert_int_eq(turn(), WIRE_FOREVER);
    assert_open(0, 1); /* of these the stream's end tells */
    for (int i = 2; i <= 3; i++)
        assert_failed(i, SAGA_E_CANCELLED, SAGA_REASON_CLOSED, "the client is being closed");
    ends(SAGA_E_CANCELLED, SAGA_REASON_CLOSED);
    for (int i = 0; i <= 1; i++)
        assert_failed(i, SAGA_E_CANCELLED, SAGA_REASON_CLOSED, "it is over");
    push(4, 4);
    ck_assert_int_eq(turn(), WIRE_FOREVER);
    assert_failed(4, SAGA_E_CANCELLED, SAGA_REASON_CLOSED, "the client is being closed");
    ck_assert_uint_eq(stream.sent, 1);
    ck_assert_uint_eq(stream.opened, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async_pipe");
    TCase *tc = tcase_create("async_pipe");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, async_pipe__messages_are_gathered_and_matched_with_their_answers);
    tcase_add_test(tc, async_pipe__messages_have_so_many_bytes);
    tcase_add_test(tc, async_pipe__waits_for_a_connection);
    tcase_add_test(tc, async_pipe__is_not_opened_again_at_once);
    tcase_add_test(tc, async_pipe__what_got_lost_is_sent_again);
    tcase_add_test(tc, async_pipe__how_a_stream_ends);
    tcase_add_test(tc, async_pipe__what_may_have_been_carried_out_stays_open);
    tcase_add_test(tc, async_pipe__what_was_not_carried_out_keeps_its_place);
    tcase_add_test(tc, async_pipe__answers_that_do_not_fit_break_it_off);
    tcase_add_test(tc, async_pipe__tells_what_is_known_when_time_has_passed);
    tcase_add_test(tc, async_pipe__a_client_that_is_closed_has_nothing_carried_out_any_more);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
