/* The participant's server as a sidecar meets it: what is handed on, what is refused, and how it stops. */
#include <saga/participant.h>

#include "client-lib/src/participant_server.h"
#include "tests/support/grpc_caller.h"
#include "tests/support/until.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <grpc/support/time.h>

#define DO   "/shop.v1.Inventory/Reserve"
#define UNDO "/shop.v1.Inventory/Release"

/* ---- functions under call ---- */

/* A door that functions wait at. */
static struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open;
    int inside;
    int carried_out;
    int saw_cancel;
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void gate_reset(void)
{
    gate.open = false;
    gate.inside = gate.carried_out = gate.saw_cancel = 0;
}

static void gate_open(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static void gate_wait_inside(int count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    pthread_mutex_lock(&gate.mutex);
    int failed = 0;
    while (gate.inside < count && failed == 0)
        failed = pthread_cond_timedwait(&gate.changed, &gate.mutex, &deadline);
    pthread_mutex_unlock(&gate.mutex);
    ck_assert_msg(failed == 0, "only %d of %d calls reached the function", gate.inside, count);
}

static int pass_gate(saga_call *call, void *user)
{
    (void)user;
    pthread_mutex_lock(&gate.mutex);
    bool first = gate.inside++ == 0; /* others may come for no longer than 300 ms, before the stop has begun */
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    gate.carried_out++;
    gate.saw_cancel += first && saga_call_cancelled(call);
    pthread_mutex_unlock(&gate.mutex);
    return saga_call_reply(call, "through", 7);
}

/* Stays until nobody waits for it. */
static int wait_for_cancel(saga_call *call, void *user)
{
    (void)user;
    pthread_mutex_lock(&gate.mutex);
    gate.inside++;
    pthread_cond_broadcast(&gate.changed);
    struct timespec tick = {.tv_nsec = 1000000};
    for (int i = 0; i < 20000 && !saga_call_cancelled(call); i++) {
        pthread_mutex_unlock(&gate.mutex);
        nanosleep(&tick, NULL);
        pthread_mutex_lock(&gate.mutex);
    }
    gate.saw_cancel += saga_call_cancelled(call);
    pthread_mutex_unlock(&gate.mutex);
    return SAGA_E_CANCELLED;
}

/* Answers with everything it was told. */
static int echo(saga_call *call, void *user)
{
    const struct saga_call_info *i = saga_call_info(call);
    char text[2048];
    int size = snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%s|%d|%d|%d|%.*s|%s", i->saga_id, i->definition, i->step,
                        i->method, i->idempotency_key, i->action_key, i->traceparent, i->phase, i->action_outcome,
                        i->attempt, (int)i->request_size, (const char *)i->request, (const char *)user);
    ck_assert(i->timeout_ms > 0 && saga_call_time_left_ms(call) > 0 && saga_call_time_left_ms(call) <= i->timeout_ms);
    return saga_call_reply(call, text, (size_t)size);
}

static int refuse_it(saga_call *call, void *user)
{
    return saga_call_fail(call, atomic_load((atomic_int *)user), "no: %s", saga_call_info(call)->step);
}

static int answer_too_much(saga_call *call, void *user)
{
    (void)user;
    static char much[4096];
    return saga_call_reply(call, much, sizeof much);
}

/* Answers with what it was sent. */
static int answer_as_much(saga_call *call, void *user)
{
    (void)user;
    return saga_call_reply(call, saga_call_info(call)->request, saga_call_info(call)->request_size);
}

/* ---- a participant under test ---- */

static saga_participant *participant;
static struct caller caller;
static struct saga_error error;

static void serve_with(const struct saga_participant_options *options, saga_step_function action,
                       saga_step_function compensation, void *user)
{
    gate_reset();
    ck_assert_msg(saga_participant_open(options, &participant, &error) == SAGA_OK, "%s", error.message);
    ck_assert_int_eq(
        saga_participant_step(participant, DO, action, compensation != NULL ? UNDO : NULL, compensation, user, &error),
        SAGA_OK);
    ck_assert_msg(saga_participant_start(participant, &error) == SAGA_OK, "%s", error.message);
    caller_open(&caller, saga_participant_address(participant));
}

static void end(void)
{
    caller_close(&caller);
    saga_participant_close(participant);
    participant = NULL;
}

static struct caller_call *action_call(void)
{
    struct caller_call *call = calloc(1, sizeof *call);
    *call = (struct caller_call){
        .method = DO,
        .metadata = {{"saga-id", "9f03c1d2a4b7-2a"},
                     {"saga-definition", "checkout"},
                     {"saga-step", "reserve"},
                     {"saga-phase", "action"},
                     {"saga-attempt", "3"},
                     {"idempotency-key", "9f03c1d2a4b7-2a/reserve/action"},
                     {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
        .request = "hello",
        .request_size = 5,
        .timeout_ms = 20000,
    };
    return call;
}

static void set_metadata(struct caller_call *call, const char *key, const char *value)
{
    size_t i = 0;
    while (call->metadata[i][0] != NULL && strcmp(call->metadata[i][0], key) != 0)
        i++;
    ck_assert_uint_lt(i, CALLER_METADATA_MAX - 1);
    call->metadata[i][0] = value != NULL ? key : "x-left-out";
    call->metadata[i][1] = value != NULL ? value : "";
}

static struct caller_call *compensation_call(void)
{
    struct caller_call *call = action_call();
    call->method = UNDO;
    set_metadata(call, "saga-phase", "compensation");
    set_metadata(call, "idempotency-key", "9f03c1d2a4b7-2a/reserve/compensation");
    set_metadata(call, "saga-action-outcome", "unknown");
    set_metadata(call, "saga-action-key", "9f03c1d2a4b7-2a/reserve/action");
    return call;
}

static void assert_answer(const struct caller_call *call, int status, const char *words)
{
    ck_assert_msg(call->status == status && strstr(call->message, words) != NULL, "%d: %s (not %d: %s)", call->status,
                  call->message, status, words);
}

/* A health check on the same connection: when it is answered, the server has seen what was sent before it. */
static void pass_health_check(void)
{
    struct caller_call *call = calloc(1, sizeof *call);
    call->method = "/grpc.health.v1.Health/Check";
    call->timeout_ms = 20000;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    free(call);
}

/* ---- what is handed on ---- */

START_TEST(participant__hands_on_everything_that_came_with_a_call)
{
    serve_with(NULL, echo, echo, (void *)(uintptr_t) "user");
    struct caller_call *call = action_call();
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    call->answer[call->answer_size] = 0;
    ck_assert_str_eq((char *)call->answer, "9f03c1d2a4b7-2a|checkout|reserve|" DO "|9f03c1d2a4b7-2a/reserve/action||"
                                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01|1|0|3|hello|user");
    free(call);
    call = compensation_call();
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    call->answer[call->answer_size] = 0;
    ck_assert_str_eq(
        (char *)call->answer,
        "9f03c1d2a4b7-2a|checkout|reserve|" UNDO "|9f03c1d2a4b7-2a/reserve/compensation|"
        "9f03c1d2a4b7-2a/reserve/action|00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01|2|2|3|hello|user");
    free(call);
    end();
}
END_TEST

/* What came with it that cannot be passed on is no reason to refuse the call, and is not handed on. */
START_TEST(participant__hands_on_a_trace_that_can_be_passed_on)
{
    static const struct {
        const char *given, *handed;
    } traces[] = {{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
                  {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0", ""},
                  {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789", ""}};
    serve_with(NULL, echo, echo, (void *)(uintptr_t) "user");
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        char expected[256];
        struct caller_call *call = action_call();
        set_metadata(call, "traceparent", traces[i].given);
        ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
        call->answer[call->answer_size] = 0;
        snprintf(expected, sizeof expected,
                 "9f03c1d2a4b7-2a|checkout|reserve|" DO "|9f03c1d2a4b7-2a/reserve/action||%s|1|0|3|hello|user",
                 traces[i].handed);
        ck_assert_str_eq((char *)call->answer, expected);
        free(call);
    }
    end();
}
END_TEST

START_TEST(participant__answers_with_the_functions_status_and_message)
{
    atomic_int status = SAGA_E_FAILED_PRECONDITION;
    serve_with(NULL, refuse_it, NULL, &status);
    struct caller_call *call = action_call();
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_FAILED_PRECONDITION, "no: reserve");
    ck_assert_str_eq(call->function, "ended");
    status = 77;
    caller_run(&caller, call);
    ck_assert_str_eq(call->function, "ended");
    assert_answer(call, SAGA_E_UNKNOWN, "no: reserve");
    ck_assert_str_eq(call->function, "ended");
    free(call);
    end();
}
END_TEST

/* Key, value (NULL: left out), and what the refusal says. */
static const struct {
    const char *key, *value, *words;
} bad_metadata[] = {
    {"saga-id", NULL, "saga-id is missing"},
    {"saga-definition", NULL, "saga-definition is missing"},
    {"saga-step", "", "saga-step is missing"},
    {"saga-phase", NULL, "saga-phase is missing"},
    {"saga-phase", "forward", "saga-phase is neither"},
    {"saga-attempt", NULL, "saga-attempt is missing"},
    {"saga-attempt", "0", "saga-attempt is not a number from 1"},
    {"saga-attempt", "12345678901", "saga-attempt is not a number from 1"},
    {"saga-attempt", "-1", "saga-attempt is not a number from 1"},
    {"idempotency-key", NULL, "idempotency-key is missing"},
    {"saga-action-outcome", "done", "saga-action-outcome comes with an action"},
    {"saga-action-key", "k", "saga-action-key comes with an action"},
    {"saga-id", "12345678901234567890123456789012345678901234567890123456789012345", "saga-id is too long"},
};

START_TEST(participant__refuses_bad_metadata_by_name)
{
    serve_with(NULL, echo, echo, (void *)(uintptr_t) "");
    for (size_t i = 0; i < sizeof bad_metadata / sizeof bad_metadata[0]; i++) {
        struct caller_call *call = action_call();
        set_metadata(call, bad_metadata[i].key, bad_metadata[i].value);
        caller_run(&caller, call);
        assert_answer(call, SAGA_E_INVALID_ARGUMENT, bad_metadata[i].words);
        ck_assert_str_eq(call->function, "not-begun");
        free(call);
    }
    struct caller_call *call = action_call();
    call->metadata[7][0] = "saga-id";
    call->metadata[7][1] = "another";
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_INVALID_ARGUMENT, "saga-id comes twice");
    free(call);
    call = compensation_call();
    set_metadata(call, "saga-action-key", "9f03c1d2a4b7-2a/reserve/compensation");
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_INVALID_ARGUMENT, "saga-action-key is the compensation's own key");
    free(call);
    end();
}
END_TEST

/* C core sends no such metadata, but hands on what a stranger sends: a NUL must not make two keys look the same. */
START_TEST(participant__metadata_with_a_nul_is_no_other)
{
    static const char *const names[] = {"saga-id",    "saga-definition", "saga-step",
                                        "saga-phase", "saga-attempt",    "idempotency-key"};
    static const char *const values[] = {"9f03c1d2a4b7-2a", "shop", "reserve",
                                         "action",          "1",    "9f03c1d2a4b7-2a/reserve"};
    grpc_metadata pairs[6];
    struct participant_metadata read;
    char problem[128];
    for (size_t i = 0; i < 6; i++)
        pairs[i] = (grpc_metadata){.key = grpc_slice_from_static_string(names[i]),
                                   .value = grpc_slice_from_static_string(values[i])};
    const grpc_metadata_array all = {.count = 6, .metadata = pairs};
    ck_assert_int_eq(participant_metadata_read(&all, DO, strlen(DO), &read, problem, sizeof problem), SAGA_OK);
    pairs[5].value = grpc_slice_from_static_buffer("9f03c1d2a4b7-2a/reserve\0", 24);
    ck_assert_int_eq(participant_metadata_read(&all, DO, strlen(DO), &read, problem, sizeof problem),
                     SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(problem, "metadata idempotency-key is not printable ASCII");
}
END_TEST

/* A compensation's metadata, the texts as long as they may be. */
enum { TEXT_PAIRS = 5, PAIRS = 10 };
static const size_t text_bytes_max[TEXT_PAIRS] = {64, 128, 64, 256, 256};
static char long_texts[TEXT_PAIRS][258];
static const char *pairs_given[PAIRS][2] = {
    {"saga-id", long_texts[0]},         {"saga-definition", long_texts[1]},
    {"saga-step", long_texts[2]},       {"idempotency-key", long_texts[3]},
    {"saga-action-key", long_texts[4]}, {"saga-action-outcome", "done"},
    {"saga-phase", "compensation"},     {"saga-attempt", "2147483647"},
    {"traceparent", "00-aa"},           {"saga-action-started-ms", "9223372036854775807"},
};
static struct participant_metadata read_out;
static char read_problem[128];

/* Reads the first count of them, and one more when there is one. */
static int read_pairs(size_t count, const char *key, const char *value)
{
    grpc_metadata pairs[PAIRS + 1];
    grpc_metadata_array all = {.count = count, .metadata = pairs};
    for (size_t i = 0; i < count; i++)
        pairs[i] = (grpc_metadata){.key = grpc_slice_from_static_string(pairs_given[i][0]),
                                   .value = grpc_slice_from_static_string(pairs_given[i][1])};
    if (key != NULL)
        pairs[all.count++] =
            (grpc_metadata){.key = grpc_slice_from_static_string(key), .value = grpc_slice_from_static_string(value)};
    return participant_metadata_read(&all, UNDO, strlen(UNDO), &read_out, read_problem, sizeof read_problem);
}

START_TEST(participant__metadata_is_read_up_to_its_bounds)
{
    const struct saga_call_info *info = &read_out.info;
    for (int i = 0; i < TEXT_PAIRS; i++)
        memset(long_texts[i], 'a' + i, text_bytes_max[i]);
    /* A second traceparent is none of the saga's, and no reason to refuse. */
    ck_assert_int_eq(read_pairs(PAIRS, "traceparent", "00-bb"), SAGA_OK);
    ck_assert_str_eq(info->saga_id, long_texts[0]);
    ck_assert_str_eq(info->definition, long_texts[1]);
    ck_assert_str_eq(info->step, long_texts[2]);
    ck_assert_str_eq(info->idempotency_key, long_texts[3]);
    ck_assert_str_eq(info->action_key, long_texts[4]);
    ck_assert_str_eq(info->method, UNDO);
    ck_assert_str_eq(info->traceparent, "00-aa");
    ck_assert_int_eq(info->action_outcome, SAGA_CALL_OUTCOME_DONE);
    ck_assert_int_eq(info->phase, SAGA_CALL_COMPENSATION);
    ck_assert_int_eq(info->attempt, INT32_MAX);
    ck_assert_int_eq(info->action_started_ms, INT64_MAX);
    pairs_given[5][1] = "unknown";
    ck_assert_int_eq(read_pairs(PAIRS - 1, NULL, NULL), SAGA_OK); /* an older sidecar does not say when it began */
    ck_assert_int_eq(info->action_outcome, SAGA_CALL_OUTCOME_UNKNOWN);
    ck_assert_int_eq(info->action_started_ms, 0);
    for (int i = 0; i < TEXT_PAIRS; i++) {
        char expected[128];
        long_texts[i][text_bytes_max[i]] = 'x';
        ck_assert_int_eq(read_pairs(PAIRS, NULL, NULL), SAGA_E_INVALID_ARGUMENT);
        snprintf(expected, sizeof expected, "metadata %s is too long", pairs_given[i][0]);
        ck_assert_str_eq(read_problem, expected);
        long_texts[i][text_bytes_max[i]] = '\0';
    }
    static const struct {
        int at;
        const char *value, *problem;
    } bad[] = {{5, "undone", "is neither done nor unknown"},
               {6, "action", "saga-action-outcome comes with an action"},
               {7, "2147483648", "is not a number from 1"},
               {9, "9223372036854775808", "is not a number of milliseconds"},
               {9, "-1", "is not a number of milliseconds"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *before = pairs_given[bad[i].at][1];
        pairs_given[bad[i].at][1] = bad[i].value;
        ck_assert_int_eq(read_pairs(PAIRS, NULL, NULL), SAGA_E_INVALID_ARGUMENT);
        ck_assert_msg(strstr(read_problem, bad[i].problem) != NULL, "%s", read_problem);
        pairs_given[bad[i].at][1] = before;
    }
}
END_TEST

START_TEST(participant__refuses_what_no_function_is_for)
{
    serve_with(NULL, echo, echo, (void *)(uintptr_t) "");
    struct caller_call *call = action_call();
    call->method = "/shop.v1.Inventory/Nothing";
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_UNIMPLEMENTED, "no such method");
    ck_assert_str_eq(call->function, "not-begun");
    call->method = UNDO;
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_INVALID_ARGUMENT, "the method is no action");
    call->method = DO;
    call->timeout_ms = -1;
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_INVALID_ARGUMENT, "grpc-timeout is missing");
    call->timeout_ms = 20000;
    call->no_message = 1;
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_INVALID_ARGUMENT, "carries no message");
    call->no_message = 0;
    set_metadata(call, "grpc-internal-encoding-request", "gzip");
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_UNIMPLEMENTED, "'gzip' is disabled");
    free(call);
    end();
}
END_TEST

START_TEST(participant__bounds_requests_and_answers)
{
    struct saga_participant_options options = {.request_bytes_max = 2048, .answer_bytes_max = 2048};
    serve_with(&options, answer_too_much, NULL, NULL);
    static char request[4096];
    struct caller_call *call = action_call();
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_RESOURCE_EXHAUSTED, "answer_bytes_max is 2048");
    call->request = request;
    call->request_size = sizeof request;
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_RESOURCE_EXHAUSTED, "2048");
    end();
    serve_with(&options, answer_as_much, NULL, NULL);
    call->request_size = 2048;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    ck_assert_uint_eq(call->answer_size, 2048);
    call->request_size = 2049;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_E_RESOURCE_EXHAUSTED);
    call->request_size = 0;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    ck_assert_uint_eq(call->answer_size, 0);
    free(call);
    end();
}
END_TEST

/* ---- the queue ---- */

START_TEST(participant__full_queue_tells_when_to_come_again)
{
    struct saga_participant_options options = {.threads = 1, .queue_calls_max = 1, .pushback_ms = 321};
    serve_with(&options, pass_gate, NULL, NULL);
    struct caller_call *first = action_call(), *second = action_call(), *third = action_call();
    caller_start(&caller, first);
    gate_wait_inside(1);
    caller_start(&caller, second);
    third->timeout_ms =
        10000; /* one connection, so it comes behind the second, which waits: were there room for it, it would wait, too */
    caller_run(&caller, third);
    assert_answer(third, SAGA_E_RESOURCE_EXHAUSTED, "queue_calls_max");
    ck_assert_str_eq(third->pushback, "321");
    ck_assert_str_eq(third->function, "not-begun");

    /* A health check needs no place in the queue. */
    pass_health_check();

    gate_open();
    caller_finish(first);
    caller_finish(second);
    ck_assert_int_eq(first->status, SAGA_OK);
    ck_assert_int_eq(second->status, SAGA_OK);
    free(first);
    free(second);
    free(third);
    end();
}
END_TEST

START_TEST(participant__call_whose_deadline_passed_in_the_queue_is_not_carried_out)
{
    struct saga_participant_options options = {.threads = 1};
    serve_with(&options, pass_gate, NULL, NULL);
    struct caller_call *first = action_call(), *second = action_call();
    caller_start(&caller, first);
    gate_wait_inside(1);
    second->timeout_ms = 100;
    ck_assert_int_eq(caller_run(&caller, second), SAGA_E_DEADLINE_EXCEEDED);
    pass_health_check();
    gate_open();
    caller_finish(first);
    ck_assert_int_eq(first->status, SAGA_OK);
    free(first);
    free(second);
    end(); /* every call that was taken has ended by then */
    ck_assert_int_eq(gate.carried_out, 1);
}
END_TEST

/* What its caller has taken back while it waited: the time that it had left is no reason. */
START_TEST(participant__call_that_was_cancelled_in_the_queue_is_not_carried_out)
{
    struct saga_participant_options options = {.threads = 1};
    serve_with(&options, pass_gate, NULL, NULL);
    struct caller_call *first = action_call(), *second = action_call();
    caller_start(&caller, first);
    gate_wait_inside(1);
    second->timeout_ms = 600000;
    caller_start(&caller, second);
    pass_health_check();
    caller_cancel(second);
    caller_finish(second);
    ck_assert_int_eq(second->status, SAGA_E_CANCELLED);
    pass_health_check();
    gate_open();
    caller_finish(first);
    ck_assert_int_eq(first->status, SAGA_OK);
    free(first);
    free(second);
    end(); /* every call that was taken has ended by then */
    ck_assert_int_eq(gate.carried_out, 1);
}
END_TEST

/* However a call ended, its place is free again: that of a step among threads and queue, that of a health check among 64. */
START_TEST(participant__every_end_gives_its_place_back)
{
    struct saga_participant_options options = {.threads = 1, .queue_calls_max = 1};
    atomic_int status = SAGA_E_FAILED_PRECONDITION;
    serve_with(&options, refuse_it, NULL, &status);
    struct caller_call *call = action_call();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(caller_run(&caller, call), SAGA_E_FAILED_PRECONDITION);
        call->no_message = 1;
        ck_assert_int_eq(caller_run(&caller, call), SAGA_E_INVALID_ARGUMENT);
        call->no_message = 0;
        call->method = UNDO;
        ck_assert_int_eq(caller_run(&caller, call), SAGA_E_UNIMPLEMENTED);
        call->method = DO;
        set_metadata(call, "saga-attempt", "0");
        ck_assert_int_eq(caller_run(&caller, call), SAGA_E_INVALID_ARGUMENT);
        set_metadata(call, "saga-attempt", "3");
    }
    free(call);
    for (int i = 0; i < 65; i++)
        pass_health_check();
    /* One that cannot be read has its place, too. */
    call = calloc(1, sizeof *call);
    call->method = "/grpc.health.v1.Health/Check";
    call->timeout_ms = 20000;
    call->request = "\xff";
    call->request_size = 1;
    for (int i = 0; i < 65; i++)
        ck_assert_int_eq(caller_run(&caller, call), SAGA_E_INVALID_ARGUMENT);
    free(call);
    end();
}
END_TEST

START_TEST(participant__function_sees_that_its_call_was_cancelled)
{
    serve_with(NULL, wait_for_cancel, NULL, NULL);
    struct caller_call *call = action_call();
    call->timeout_ms = 600000; /* longer than the function waits: only the cancelling tells it */
    caller_start(&caller, call);
    gate_wait_inside(1);
    caller_cancel(call);
    caller_finish(call);
    ck_assert_int_eq(call->status, SAGA_E_CANCELLED);
    free(call);
    end();
    ck_assert_int_eq(gate.saw_cancel, 1);
}
END_TEST

struct hammer {
    int number;
    int answered;
};

static void *hammer(void *argument)
{
    struct hammer *h = argument;
    struct caller own;
    caller_open(&own, saga_participant_address(participant));
    struct caller_call *call = action_call();
    for (int i = 0; i < 100; i++) {
        char id[32], expected[64];
        snprintf(id, sizeof id, "saga-%d-%d", h->number, i);
        snprintf(expected, sizeof expected, "%s|checkout", id);
        set_metadata(call, "saga-id", id);
        if (caller_run(&own, call) == SAGA_OK && memcmp(call->answer, expected, strlen(expected)) == 0)
            h->answered++;
        else
            fprintf(stderr, "caller %d, call %d: %d %s\n", h->number, i, call->status, call->message);
    }
    free(call);
    caller_close(&own);
    return NULL;
}

START_TEST(participant__many_callers_get_their_own_answers)
{
    struct saga_participant_options options = {.threads = 3};
    serve_with(&options, echo, NULL, (void *)(uintptr_t) "");
    enum { CALLERS = 8 };
    pthread_t threads[CALLERS];
    struct hammer hammers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        hammers[i] = (struct hammer){.number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &hammers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(hammers[i].answered, 100);
    }
    end();
}
END_TEST

/* Sends size bytes on a new connection, and leaves it open or drops it. Returns the descriptor, or -1 when dropped. */
static int stranger(const void *bytes, size_t size, bool stay)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(saga_participant_address(participant), ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    if (stay)
        return fd;
    close(fd);
    return -1;
}

START_TEST(participant__serves_on_among_strangers)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    enum { STRANGERS = 90 };
    int open[STRANGERS];
    char noise[512];
    struct saga_participant_options options = {.handshake_timeout_ms = 1000}; /* the caller has to keep to it, too */
    serve_with(&options, echo, NULL, (void *)(uintptr_t) "");
    struct caller_call *call = action_call();
    srand(7);
    for (int i = 0; i < STRANGERS; i++) {
        for (size_t n = 0; n < sizeof noise; n++)
            noise[n] = (char)rand();
        size_t head = i % 3 == 0 ? 0 : sizeof preface - 1;
        memcpy(noise, preface, head);
        open[i] = stranger(noise, i % 3 == 2 ? head : sizeof noise, i % 2 == 0);
        if (i % 10 == 0)
            ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    }
    /* Those that have said nothing sensible are turned away while the others are served. */
    char byte;
    struct pollfd silent = {.fd = stranger("", 0, true), .events = POLLIN};
    ck_assert_int_eq(poll(&silent, 1, 20000), 1);
    while (recv(silent.fd, noise, sizeof noise, 0) > 0)
        ;
    ck_assert_int_le(recv(silent.fd, &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    free(call);
    end(); /* and none of them holds up the stop */
    for (int i = 0; i < STRANGERS; i++)
        if (open[i] >= 0)
            close(open[i]);
    close(silent.fd);
}
END_TEST

/* ---- health ---- */

START_TEST(participant__serves_health_checks)
{
    serve_with(NULL, echo, NULL, (void *)(uintptr_t) "");
    struct caller_call *call = calloc(1, sizeof *call);
    call->method = "/grpc.health.v1.Health/Check";
    call->timeout_ms = 20000;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    ck_assert_mem_eq(call->answer, "\x08\x01", 2);
    call->request = "\x0a\x11shop.v1.Inventory";
    call->request_size = 19;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    call->request = "\x0a\x07shop.v1";
    call->request_size = 9;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_E_NOT_FOUND);
    call->request = "\xff";
    call->request_size = 1;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_E_INVALID_ARGUMENT);
    /* Without a deadline it might stay for ever. */
    call->timeout_ms = -1;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_E_RESOURCE_EXHAUSTED);
    free(call);
    end();
}
END_TEST

/* ---- stopping ---- */

static void *stop(void *argument)
{
    (void)argument;
    saga_participant_stop(participant);
    return NULL;
}

START_TEST(participant__stop_lets_calls_end)
{
    struct saga_participant_options options = {.stop_grace_ms = 3600000};
    serve_with(&options, pass_gate, NULL, NULL);
    struct caller_call *call = action_call();
    caller_start(&caller, call);
    gate_wait_inside(1);
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop, NULL);
    /* From then on new calls are told that they were not carried out, until the last one has ended. */
    struct caller_call *late = action_call();
    late->timeout_ms = 300;
    do
        caller_run(&caller, late);
    while (late->status == SAGA_E_DEADLINE_EXCEEDED);
    assert_answer(late, SAGA_E_UNAVAILABLE, "not carried out");
    ck_assert_str_eq(late->function, "not-begun");
    struct caller_call *health = calloc(1, sizeof *health);
    health->method = "/grpc.health.v1.Health/Check";
    health->timeout_ms = 20000;
    ck_assert_int_eq(caller_run(&caller, health), SAGA_OK);
    ck_assert_mem_eq(health->answer, "\x08\x02", 2); /* NOT_SERVING */
    free(health);
    gate_open();
    caller_finish(call);
    ck_assert_int_eq(call->status, SAGA_OK);
    pthread_join(stopper, NULL);
    ck_assert_int_eq(gate.saw_cancel, 0); /* its time was not over */
    free(call);
    free(late);
    end();
}
END_TEST

/* Nobody waits for it, and it takes its time nevertheless. */
static int outlast_the_cancel(saga_call *call, void *user)
{
    wait_for_cancel(call, user);
    nanosleep(&(struct timespec){.tv_nsec = 400000000}, NULL);
    pthread_mutex_lock(&gate.mutex);
    gate.carried_out++;
    pthread_mutex_unlock(&gate.mutex);
    return saga_call_fail(call, SAGA_E_UNKNOWN, "it took too long");
}

static int carried_out(void)
{
    pthread_mutex_lock(&gate.mutex);
    int count = gate.carried_out;
    pthread_mutex_unlock(&gate.mutex);
    return count;
}

START_TEST(participant__stop_answers_what_outlasts_the_grace_when_it_has_ended)
{
    struct saga_participant_options options = {.threads = 1, .stop_grace_ms = 100};
    serve_with(&options, outlast_the_cancel, NULL, NULL);
    struct caller_call *running = action_call(), *waiting = action_call();
    caller_start(&caller, running);
    gate_wait_inside(1);
    caller_start(&caller, waiting);
    pass_health_check();
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop, NULL);
    caller_finish(waiting);
    assert_answer(waiting, SAGA_E_UNAVAILABLE, "not carried out");
    ck_assert_str_eq(waiting->function, "not-begun");
    ck_assert_int_eq(carried_out(), 0);
    caller_finish(running);
    ck_assert_int_eq(carried_out(), 1);
    assert_answer(running, SAGA_E_UNKNOWN, "too long");
    ck_assert_str_eq(running->function, "ended");
    pthread_join(stopper, NULL);
    ck_assert_int_eq(gate.inside, 1);
    ck_assert_int_eq(gate.saw_cancel, 1);
    free(running);
    free(waiting);
    end();
}
END_TEST

/* Each of those that run then, not one of them. */
START_TEST(participant__every_function_sees_that_the_grace_is_over)
{
    enum { RUNNING = 3 };
    struct saga_participant_options options = {.threads = RUNNING, .stop_grace_ms = 100};
    struct caller_call *calls[RUNNING];
    serve_with(&options, wait_for_cancel, NULL, NULL);
    for (int i = 0; i < RUNNING; i++) {
        calls[i] = action_call();
        calls[i]->timeout_ms = 600000; /* longer than the function waits: only the stop tells it */
        caller_start(&caller, calls[i]);
        gate_wait_inside(i + 1);
    }
    /* Some end before, in an order of their own, and others take their threads. */
    static const int ended[] = {1, 0};
    enum { ENDED = sizeof ended / sizeof ended[0] };
    for (int i = 0; i < ENDED; i++) {
        struct caller_call **call = &calls[ended[i]];
        caller_cancel(*call);
        caller_finish(*call);
        free(*call);
        *call = action_call();
        (*call)->timeout_ms = 600000;
        caller_start(&caller, *call);
        gate_wait_inside(RUNNING + i + 1);
    }
    saga_participant_stop(participant);
    for (int i = 0; i < RUNNING; i++) {
        caller_finish(calls[i]);
        ck_assert_int_eq(calls[i]->status, SAGA_E_CANCELLED);
        free(calls[i]);
    }
    end();
    ck_assert_int_eq(gate.saw_cancel, RUNNING + ENDED);
}
END_TEST

/* A call whose headers alone have come: it has been taken, and no function runs. */
static grpc_call *call_without_a_message(grpc_completion_queue *queue)
{
    static const char *const pairs[][2] = {{"saga-id", "1-1"},    {"saga-definition", "d"},
                                           {"saga-step", "s"},    {"saga-phase", "action"},
                                           {"saga-attempt", "1"}, {"idempotency-key", "k"}};
    enum { COUNT = sizeof pairs / sizeof pairs[0] };
    grpc_metadata metadata[COUNT];
    grpc_op op;
    for (int i = 0; i < COUNT; i++)
        metadata[i] = (grpc_metadata){.key = grpc_slice_from_static_string(pairs[i][0]),
                                      .value = grpc_slice_from_static_string(pairs[i][1])};
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_INITIAL_METADATA;
    op.data.send_initial_metadata.count = COUNT;
    op.data.send_initial_metadata.metadata = metadata;
    gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(60, GPR_TIMESPAN));
    grpc_call *call = grpc_channel_create_call(caller.channel, NULL, 0, queue, grpc_slice_from_static_string(DO), NULL,
                                               deadline, NULL);
    ck_assert_int_eq(grpc_call_start_batch(call, &op, 1, NULL, NULL), GRPC_CALL_OK);
    ck_assert_int_eq(grpc_completion_queue_next(queue, deadline, NULL).type, GRPC_OP_COMPLETE);
    return call;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* It may yet become one that is carried out, and so has the grace, but not anew at each stage of the stop. What a busy machine makes late is
 * tried again. */
START_TEST(participant__stop_waits_the_grace_once)
{
    enum { GRACE_MS = 400 };
    int64_t took_ms = INT64_MAX;
    for (int i = 0; i < 5 && took_ms >= 2 * GRACE_MS; i++) {
        struct saga_participant_options options = {.stop_grace_ms = GRACE_MS};
        serve_with(&options, echo, NULL, (void *)(uintptr_t) "");
        grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
        grpc_call *call = call_without_a_message(queue);
        pass_health_check();
        int64_t began = now_ms();
        saga_participant_stop(participant);
        took_ms = now_ms() - began;
        ck_assert_int_ge(took_ms, GRACE_MS - 1);
        grpc_call_unref(call);
        grpc_completion_queue_shutdown(queue);
        while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type != GRPC_QUEUE_SHUTDOWN)
            ;
        grpc_completion_queue_destroy(queue);
        end();
    }
    ck_assert_int_lt(took_ms, 2 * GRACE_MS);
}
END_TEST

static void *run(void *argument)
{
    (void)argument;
    return (void *)(intptr_t)saga_participant_run(participant, &error);
}

static void assert_run_ends(void (*how)(void))
{
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(participant, DO, echo, NULL, NULL, (void *)(uintptr_t) "", &error), SAGA_OK);
    pthread_t runner;
    pthread_create(&runner, NULL, run, NULL);
    caller_open(&caller, saga_participant_address(participant));
    struct caller_call *call = action_call();
    do
        caller_run(&caller, call);
    while (call->status == SAGA_E_UNAVAILABLE);
    ck_assert_int_eq(call->status, SAGA_OK);
    /* The signals' handlers are its own for as long as it runs. */
    saga_participant *second;
    struct saga_error refused;
    ck_assert_int_eq(saga_participant_open(NULL, &second, &refused), SAGA_OK);
    ck_assert_int_eq(saga_participant_run(second, &refused), SAGA_E_FAILED_PRECONDITION);
    saga_participant_close(second);
    how();
    void *code;
    pthread_join(runner, &code);
    ck_assert_int_eq((int)(intptr_t)code, SAGA_OK);
    free(call);
    end();
}

static void terminate(void)
{
    kill(getpid(), SIGTERM);
}

static void press_control_c(void)
{
    kill(getpid(), SIGINT);
}

static void of_ones_own(int number)
{
    (void)number;
}

static void interrupt(void)
{
    saga_participant_interrupt(participant);
}

START_TEST(participant__runs_until_it_is_interrupted_or_signalled)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct sigaction own = {.sa_handler = of_ones_own}, found;
    for (int i = 0; i < 2; i++)
        sigaction(signals[i], &own, NULL);
    assert_run_ends(interrupt);
    assert_run_ends(terminate);
    assert_run_ends(press_control_c);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(sigaction(signals[i], NULL, &found), 0);
        ck_assert(found.sa_handler == of_ones_own);
    }
}
END_TEST

/* ---- opening ---- */

START_TEST(participant__does_not_survive_fork)
{
    serve_with(NULL, echo, NULL, (void *)(uintptr_t) "");
    pid_t child = fork();
    if (child == 0) {
        saga_participant *other;
        bool refused = saga_participant_open(NULL, &other, &error) == SAGA_E_FAILED_PRECONDITION &&
                       strcmp(error.reason, SAGA_REASON_FORKED) == 0 && other == NULL &&
                       saga_participant_start(participant, &error) == SAGA_E_FAILED_PRECONDITION &&
                       strcmp(error.reason, SAGA_REASON_FORKED) == 0;
        saga_participant_close(participant);
        _exit(refused ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    struct caller_call *call = action_call();
    caller_run(&caller, call);
    ck_assert_int_eq(call->status, SAGA_OK);
    free(call);
    end();
}
END_TEST

START_TEST(participant__refuses_bad_options)
{
    ck_assert_int_eq(saga_participant_open(NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "out");
    ck_assert_int_eq(saga_participant_step(NULL, DO, echo, NULL, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    static const struct {
        struct saga_participant_options options;
        const char *field;
    } bad[] = {
        {{.reserved = {1}}, "reserved"},
        {{.reserved = {0, 0, 1}}, "reserved"},
        {{.address = "0.0.0.0:0"}, "address"},
        {{.address = "127.0.0.1"}, "address"},
        {{.address = "127.0.0.1:70000"}, "address"},
        {{.address = "::1:80"}, "address"},
        {{.address = "unix:"}, "address"},
        {{.address = ""}, "address"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(saga_participant_open(&bad[i].options, &participant, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, bad[i].field);
        ck_assert_ptr_null(participant);
    }
}
END_TEST

/* Each of them from its least to its most, and what it is when nothing is said. */
START_TEST(participant__options_are_bounded)
{
    static const struct {
        const char *name;
        size_t at; /* in the options */
        uint32_t least, most, usual;
    } options[] = {
#define OPTION(name, least, most, usual) {#name, offsetof(struct saga_participant_options, name), least, most, usual}
        OPTION(threads, 1, 1024, 8),
        OPTION(queue_calls_max, 1, 65536, 256),
        OPTION(request_bytes_max, 1024, 64 << 20, 4 << 20),
        OPTION(answer_bytes_max, 1024, 64 << 20, 4 << 20),
        OPTION(connection_calls_max, 1, 65536, 256),
        OPTION(pushback_ms, 1, 60000, 200),
        OPTION(handshake_timeout_ms, 100, 600000, 10000),
        OPTION(stop_grace_ms, 1, 3600000, 10000),
#undef OPTION
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        /* 0 is what is usual. */
        const uint32_t tried[] = {options[i].least - 1, options[i].least, options[i].most, options[i].most + 1};
        for (size_t t = 0; t < 4; t++) {
            struct saga_participant_options given = {.address = NULL};
            memcpy((char *)&given + options[i].at, &tried[t], sizeof tried[t]);
            bool good = tried[t] == 0 || t == 1 || t == 2;
            int code = saga_participant_open(&given, &participant, &error);
            ck_assert_msg(code == (good ? SAGA_OK : SAGA_E_INVALID_ARGUMENT), "%s: %u", options[i].name, tried[t]);
            if (!good) {
                ck_assert_str_eq(error.field, options[i].name);
                continue;
            }
            uint32_t taken;
            memcpy(&taken, (const char *)&participant->options + options[i].at, sizeof taken);
            ck_assert_uint_eq(taken, tried[t] == 0 ? options[i].usual : tried[t]);
            saga_participant_close(participant);
        }
        uint32_t usual;
        ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
        memcpy(&usual, (const char *)&participant->options + options[i].at, sizeof usual);
        ck_assert_uint_eq(usual, options[i].usual);
        saga_participant_close(participant);
    }
}
END_TEST

START_TEST(participant__takes_no_address_that_is_in_use)
{
    saga_participant *second;
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    struct saga_participant_options options = {.address = saga_participant_address(participant)};
    ck_assert_int_eq(saga_participant_open(&options, &second, &error), SAGA_E_UNAVAILABLE);
    saga_participant_close(participant);

    char folder[] = "/tmp/participant-XXXXXX", address[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    options.address = address;
    serve_with(&options, echo, NULL, (void *)(uintptr_t) "");
    ck_assert_str_eq(saga_participant_address(participant), address);
    ck_assert_int_eq(saga_participant_open(&options, &second, &error), SAGA_E_UNAVAILABLE);
    struct caller_call *call = action_call();
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    free(call);
    end();
    /* What is there and is no socket is left alone. */
    snprintf(address, sizeof address, "%s/socket", folder);
    unlink(address);
    FILE *file = fopen(address, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    ck_assert_int_eq(saga_participant_open(&options, &second, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "address");
    snprintf(address, sizeof address, "%s/socket", folder);
    ck_assert_int_eq(access(address, F_OK), 0);
    unlink(address);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(participant__refuses_steps_that_contradict_each_other)
{
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    saga_participant *p = participant;
    ck_assert_int_eq(saga_participant_start(p, &error), SAGA_E_FAILED_PRECONDITION);
    static char longest[SAGA_CALL_METHOD_BYTES_MAX + 1], too_long[SAGA_CALL_METHOD_BYTES_MAX + 2];
    memset(longest, 'm', sizeof longest - 1);
    memset(too_long, 'm', sizeof too_long - 1);
    memcpy(longest, "/a.B/", 5);
    memcpy(too_long, "/a.B/", 5);
    const struct {
        const char *action_method, *compensation_method;
        saga_step_function action, compensation;
        const char *field;
    } bad[] = {
        {"Reserve", NULL, echo, NULL, "action_method"},
        {NULL, NULL, echo, NULL, "action_method"},
        {"/Reserve", NULL, echo, NULL, "action_method"},
        {"//Reserve", NULL, echo, NULL, "action_method"},
        {"/a.B/", NULL, echo, NULL, "action_method"},
        {"/a.B/C/D", NULL, echo, NULL, "action_method"},
        {"/a.B/\x7f", NULL, echo, NULL, "action_method"},
        {too_long, NULL, echo, NULL, "action_method"},
        {DO, "Release", echo, echo, "compensation_method"},
        {DO, NULL, echo, echo, "compensation_method"},
        {DO, NULL, NULL, NULL, "action"},
        {DO, UNDO, NULL, echo, "action"},
        {DO, UNDO, echo, NULL, "compensation"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(saga_participant_step(p, bad[i].action_method, bad[i].action, bad[i].compensation_method,
                                               bad[i].compensation, NULL, &error),
                         SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, bad[i].field);
    }
    ck_assert_uint_eq(p->method_count, 0); /* of a step that is refused nothing is kept */
    ck_assert_int_eq(saga_participant_step(p, DO, echo, UNDO, echo, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(p, "/a.B/C", echo, UNDO, echo, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(p, longest, echo, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_uint_eq(p->method_count, 4);
    ck_assert_int_eq(saga_participant_step(p, DO, pass_gate, NULL, NULL, NULL, &error), SAGA_E_ALREADY_EXISTS);
    ck_assert_str_eq(error.field, "action_method");
    ck_assert_int_eq(saga_participant_step(p, DO, echo, NULL, NULL, p, &error), SAGA_E_ALREADY_EXISTS);
    ck_assert_int_eq(saga_participant_step(p, DO, echo, UNDO, pass_gate, NULL, &error), SAGA_E_ALREADY_EXISTS);
    ck_assert_str_eq(error.field, "compensation_method");
    /* The other phase of a method is another matter. */
    ck_assert_int_eq(saga_participant_step(p, UNDO, pass_gate, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_uint_eq(p->method_count, 5);
    ck_assert_int_eq(saga_participant_start(p, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(p, "/a.B/D", echo, NULL, NULL, NULL, &error), SAGA_E_FAILED_PRECONDITION);
    ck_assert_int_eq(saga_participant_start(p, &error), SAGA_E_FAILED_PRECONDITION);
    saga_participant_close(p);
}
END_TEST

START_TEST(participant__has_so_many_methods)
{
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    for (int i = 0; i < 1024; i++) {
        char method[32];
        snprintf(method, sizeof method, "/a.B/M%d", i);
        ck_assert_int_eq(saga_participant_step(participant, method, echo, NULL, NULL, NULL, &error), SAGA_OK);
    }
    ck_assert_int_eq(saga_participant_step(participant, DO, echo, NULL, NULL, NULL, &error), SAGA_E_RESOURCE_EXHAUSTED);
    /* One that is known takes no place of its own. */
    ck_assert_int_eq(saga_participant_step(participant, "/a.B/M0", echo, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(participant, "/a.B/M0", echo, UNDO, echo, NULL, &error),
                     SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(participant->method_count, 1024);
    for (int i = 0; i < 1024; i++) {
        char method[32];
        snprintf(method, sizeof method, "/a.B/M%d", i);
        const struct participant_method *found =
            participant_find(participant, method, strlen(method), SAGA_CALL_ACTION);
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found->path, method);
        ck_assert_ptr_null(participant_find(participant, method, strlen(method), SAGA_CALL_COMPENSATION));
    }
    saga_participant_close(participant);
}
END_TEST

/* ---- a call by hand ---- */

START_TEST(call__by_hand_keeps_copies_and_checks)
{
    char id[] = "saga", request[] = "bytes";
    struct saga_call_info info = {.saga_id = id,
                                  .definition = "d",
                                  .step = "s",
                                  .idempotency_key = "k",
                                  .phase = SAGA_CALL_ACTION,
                                  .attempt = 1,
                                  .request = request,
                                  .request_size = 5};
    saga_call *call;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    id[0] = request[0] = 'X';
    ck_assert_str_eq(saga_call_info(call)->saga_id, "saga");
    ck_assert_str_eq(saga_call_info(call)->definition, "d");
    ck_assert_str_eq(saga_call_info(call)->step, "s");
    ck_assert_str_eq(saga_call_info(call)->idempotency_key, "k");
    ck_assert_str_eq(saga_call_info(call)->action_key, "");
    ck_assert_str_eq(saga_call_info(call)->traceparent, "");
    ck_assert_uint_eq(saga_call_info(call)->request_size, 5);
    ck_assert_str_eq(saga_call_info(call)->method, "");
    ck_assert_mem_eq(saga_call_info(call)->request, "bytes", 5);
    ck_assert(saga_call_time_left_ms(call) == INT64_MAX && !saga_call_cancelled(call));
    size_t size;
    ck_assert_int_eq(saga_call_reply(call, "one", 3), SAGA_OK);
    ck_assert_int_eq(saga_call_reply(call, "second", 6), SAGA_OK);
    ck_assert_mem_eq(saga_call_answer(call, &size), "second", 6);
    ck_assert_uint_eq(size, 6);
    /* Up to 4 MiB, as a participant's by default; one that is too long takes the one before with it. */
    static char most[(4 << 20) + 1];
    ck_assert_int_eq(saga_call_reply(call, most, sizeof most - 1), SAGA_OK);
    saga_call_answer(call, &size);
    ck_assert_uint_eq(size, 4 << 20);
    ck_assert_int_eq(saga_call_reply(call, most, sizeof most), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(saga_call_message(call), "answer_bytes_max is 4194304"));
    ck_assert_ptr_null(saga_call_answer(call, &size));
    ck_assert_uint_eq(size, 0);
    saga_call_destroy(call);
    info.timeout_ms = 60000;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    ck_assert_int_le(saga_call_time_left_ms(call), 60000);
    ck_assert_int_gt(saga_call_time_left_ms(call), 30000);
    saga_call_destroy(call);
    info.timeout_ms = 1;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    UNTIL(saga_call_cancelled(call));
    ck_assert_int_eq(saga_call_time_left_ms(call), 0);
    saga_call_destroy(call);

    info.phase = SAGA_CALL_COMPENSATION;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "action_outcome");
    info.idempotency_key = NULL;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "idempotency_key");
}
END_TEST

/* What is wrong is told by the member's name. */
START_TEST(call__by_hand_names_what_is_wrong)
{
    static char lengthy[4096];
    const struct saga_call_info good = {.saga_id = "i",
                                        .definition = "d",
                                        .step = "s",
                                        .idempotency_key = "k",
                                        .action_key = "a",
                                        .phase = SAGA_CALL_COMPENSATION,
                                        .action_outcome = SAGA_CALL_OUTCOME_UNKNOWN,
                                        .attempt = 1};
    memset(lengthy, 'x', sizeof lengthy - 1);
    struct {
        struct saga_call_info info;
        const char *field, *problem;
    } cases[24];
    size_t count = 0;
#define CASE(member, value, says) \
    do { \
        cases[count].info = good; \
        cases[count].info.member = value; \
        cases[count].field = #member; \
        cases[count++].problem = says; \
    } while (0)
    CASE(saga_id, NULL, "is missing");
    CASE(saga_id, lengthy, "is too long");
    CASE(definition, "", "is missing");
    CASE(definition, lengthy, "is too long");
    CASE(step, NULL, "is missing");
    CASE(step, "\x7f", "is not printable ASCII");
    CASE(step, "\x1f", "is not printable ASCII");
    CASE(idempotency_key, NULL, "is missing");
    CASE(idempotency_key, lengthy, "is too long");
    CASE(action_key, lengthy, "is too long");
    CASE(action_key, NULL, "is missing");
    CASE(action_key, "k", "is the compensation's own key");
    CASE(traceparent, lengthy, "is too long");
    CASE(method, lengthy, "is too long");
    CASE(phase, 0, "is neither action nor compensation");
    CASE(attempt, 0, "is not a number from 1");
    CASE(timeout_ms, -1, "is negative");
    CASE(action_outcome, SAGA_CALL_OUTCOME_NONE, "is neither done nor unknown");
    CASE(action_started_ms, -1, "is not a number of milliseconds");
#undef CASE
    for (size_t i = 0; i < count; i++) {
        saga_call *call;
        ck_assert_int_eq(saga_call_create(&cases[i].info, &call, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, cases[i].field);
        ck_assert_msg(strstr(error.message, cases[i].problem) != NULL, "%s: %s", error.field, error.message);
    }
    struct saga_call_info action = good;
    saga_call *call;
    ck_assert_int_eq(saga_call_create(&good, &call, &error), SAGA_OK);
    saga_call_destroy(call);
    action.phase = SAGA_CALL_ACTION;
    ck_assert_int_eq(saga_call_create(&action, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "action_outcome");
    action.action_outcome = SAGA_CALL_OUTCOME_NONE;
    ck_assert_int_eq(saga_call_create(&action, &call, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "action_key");
    ck_assert_ptr_nonnull(strstr(error.message, "comes with an action"));
}
END_TEST

START_TEST(call__message_is_cut_and_kept_utf8)
{
    struct saga_call_info info = {.saga_id = "i",
                                  .definition = "d",
                                  .step = "s",
                                  .idempotency_key = "k",
                                  .phase = SAGA_CALL_ACTION,
                                  .attempt = 1};
    saga_call *call;
    ck_assert_int_eq(saga_call_create(&info, &call, &error), SAGA_OK);
    ck_assert_int_eq(saga_call_fail(call, SAGA_OK, "x"), SAGA_E_INTERNAL);
    saga_call_fail(call, SAGA_E_ABORTED, "%s", "gr\xc3\xbc\xc3\x9f \xff\xc0\x80 \xed\xa0\x80 \xf0\x9f\x8d\x8e");
    ck_assert_str_eq(saga_call_message(call), "gr\xc3\xbc\xc3\x9f ??? ??? \xf0\x9f\x8d\x8e");
    /* The first and the last of each length, and what is beyond them: overlong, a surrogate, past the last code point, broken off. */
    static const struct {
        const char *given, *kept;
    } sequences[] = {
        {"\x7f", "\x7f"},
        {"\xc2\x80", "\xc2\x80"},
        {"\xdf\xbf", "\xdf\xbf"},
        {"\xe0\xa0\x80", "\xe0\xa0\x80"},
        {"\xef\xbf\xbf", "\xef\xbf\xbf"},
        {"\xed\x9f\xbf", "\xed\x9f\xbf"},
        {"\xee\x80\x80", "\xee\x80\x80"},
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\x80", "?"},
        {"\xc1\xbf", "??"},
        {"\xe0\x9f\xbf", "???"},
        {"\xed\xbf\xbf", "???"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf5\x80\x80\x80", "????"},
        {"\xff", "?"},
        {"\xc3", "?"},
        {"\xe2\x82", "??"},
        {"\xe2\x82z", "??z"},
        {"\xf0\x9f\x8d", "???"},
        {"\xc3(", "?("},
    };
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        saga_call_fail(call, SAGA_E_ABORTED, "%s", sequences[i].given);
        ck_assert_str_eq(saga_call_message(call), sequences[i].kept);
    }
    /* Of a letter that is cut nothing stays. */
    static const char *const letters[] = {"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8d\x8e"};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        for (size_t stays = 1; stays <= strlen(letters[i]); stays++) {
            char lengthy[400];
            memset(lengthy, 'a', sizeof lengthy);
            memcpy(lengthy + 256 - stays, letters[i], strlen(letters[i]));
            lengthy[399] = '\0';
            saga_call_fail(call, SAGA_E_ABORTED, "%s", lengthy);
            ck_assert_uint_eq(strlen(saga_call_message(call)), stays == strlen(letters[i]) ? 256 : 256 - stays);
        }
    /* What wraps a function says what it said. */
    saga_call_fail(call, SAGA_E_ABORTED, "inner");
    saga_call_fail(call, SAGA_E_ABORTED, "outer: %s", saga_call_message(call));
    ck_assert_str_eq(saga_call_message(call), "outer: inner");
    ck_assert_int_eq(saga_call_reply(call, NULL, 3), SAGA_E_INTERNAL);
    ck_assert_ptr_null(saga_call_answer(call, NULL));
    ck_assert_int_eq(saga_call_create(&info, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "out");
    saga_call_destroy(call);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("participant");
    TCase *serving = tcase_create("serving");
    tcase_set_timeout(serving, 60);
    tcase_add_test(serving, participant__hands_on_everything_that_came_with_a_call);
    tcase_add_test(serving, participant__hands_on_a_trace_that_can_be_passed_on);
    tcase_add_test(serving, participant__answers_with_the_functions_status_and_message);
    tcase_add_test(serving, participant__refuses_bad_metadata_by_name);
    tcase_add_test(serving, participant__refuses_what_no_function_is_for);
    tcase_add_test(serving, participant__bounds_requests_and_answers);
    tcase_add_test(serving, participant__full_queue_tells_when_to_come_again);
    tcase_add_test(serving, participant__call_whose_deadline_passed_in_the_queue_is_not_carried_out);
    tcase_add_test(serving, participant__call_that_was_cancelled_in_the_queue_is_not_carried_out);
    tcase_add_test(serving, participant__every_end_gives_its_place_back);
    tcase_add_test(serving, participant__function_sees_that_its_call_was_cancelled);
    tcase_add_test(serving, participant__many_callers_get_their_own_answers);
    tcase_add_test(serving, participant__serves_on_among_strangers);
    tcase_add_test(serving, participant__serves_health_checks);
    tcase_add_test(serving, participant__stop_lets_calls_end);
    tcase_add_test(serving, participant__stop_answers_what_outlasts_the_grace_when_it_has_ended);
    tcase_add_test(serving, participant__every_function_sees_that_the_grace_is_over);
    tcase_add_test(serving, participant__stop_waits_the_grace_once);
    tcase_add_test(serving, participant__runs_until_it_is_interrupted_or_signalled);
    suite_add_tcase(suite, serving);
    TCase *opening = tcase_create("opening");
    tcase_set_timeout(opening, 60);
    tcase_add_test(opening, participant__refuses_bad_options);
    tcase_add_test(serving, participant__does_not_survive_fork);
    tcase_add_test(opening, participant__metadata_with_a_nul_is_no_other);
    tcase_add_test(opening, participant__options_are_bounded);
    tcase_add_test(opening, participant__has_so_many_methods);
    tcase_add_test(opening, participant__metadata_is_read_up_to_its_bounds);
    tcase_add_test(opening, participant__takes_no_address_that_is_in_use);
    tcase_add_test(opening, participant__refuses_steps_that_contradict_each_other);
    tcase_add_test(opening, call__by_hand_keeps_copies_and_checks);
    tcase_add_test(opening, call__by_hand_names_what_is_wrong);
    tcase_add_test(opening, call__message_is_cut_and_kept_utf8);
    suite_add_tcase(suite, opening);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
