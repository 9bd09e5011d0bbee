/* The participant's server as a sidecar meets it: what is handed on, what is refused, who waits, and who is let in. */
#include "tests/support/participant_world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* ---- what is handed on ---- */

START_TEST(participant__hands_on_everything_that_came_with_a_call)
{
    serve_with(NULL, echo, echo, (void *)(uintptr_t) "user");
    struct caller_call *call = action_call();
    call->timeout_ms = INT64_C(200) * 365 * 24 * 3600 * 1000; /* however far its deadline is */
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

START_TEST(participant__refuses_what_no_function_is_for)
{
    serve_with(NULL, echo, echo, (void *)(uintptr_t) "");
    struct caller_call *call = action_call();
    call->method = "/shop.v1.Inventory/Nothing";
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_UNIMPLEMENTED, "no such method");
    ck_assert_str_eq(call->function, "not-begun");
    static const char *const alike[] = {"/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Chec",
                                        "/grpc.health.v1.Health/Check2"};
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        call->method = alike[i];
        caller_run(&caller, call);
        assert_answer(call, SAGA_E_UNIMPLEMENTED, "no such method");
    }
    /* One that is longer than any may be is none, even where it begins as one that there is. */
    char longest[4096];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, DO, strlen(DO));
    longest[sizeof longest - 1] = '\0';
    call->method = longest;
    caller_run(&caller, call);
    assert_answer(call, SAGA_E_UNIMPLEMENTED, "no such method");
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
    static const char *const others[] = {"\x0a\x07shop.v1", "\x0a\x11shop.v1.Inventorx", "\x0a\x10shop.v1.Inventor",
                                         "\x0a\x12shop.v1.Inventory2"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        call->request = others[i];
        call->request_size = strlen(others[i]);
        ck_assert_int_eq(caller_run(&caller, call), SAGA_E_NOT_FOUND);
    }
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
    suite_add_tcase(suite, serving);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
