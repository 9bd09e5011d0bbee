/* How a participant's server stops: what it waits for and how long, what becomes of calls, and what makes it stop. */
#include "tests/support/participant_world.h"

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include <grpc/support/time.h>

static void *stop(void *argument)
{
    (void)argument;
    saga_participant_stop(participant);
    return NULL;
}

START_TEST(participant_stop__lets_calls_end)
{
    struct saga_participant_options options = {.stop_grace_ms = 3600000};
    serve_with(&options, pass_gate, echo, (void *)(uintptr_t) "");
    /* That it was idle before is of no account. */
    struct caller_call *before = compensation_call();
    ck_assert_int_eq(caller_run(&caller, before), SAGA_OK);
    free(before);
    pass_health_check();
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

/* Nobody waits for it, and it goes on until the gate is open nevertheless. */
static int outlast_the_cancel(saga_call *call, void *user)
{
    wait_for_cancel(call, user);
    pthread_mutex_lock(&gate.mutex);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.mutex);
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

START_TEST(participant_stop__answers_what_outlasts_the_grace_when_it_has_ended)
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
    /* For as long as it runs the server answers, as before. */
    struct caller_call *late = action_call(), *health = calloc(1, sizeof *health);
    health->method = "/grpc.health.v1.Health/Check";
    health->timeout_ms = 20000;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(caller_run(&caller, health), SAGA_OK);
        ck_assert_mem_eq(health->answer, "\x08\x02", 2); /* NOT_SERVING */
        caller_run(&caller, late);
        assert_answer(late, SAGA_E_UNAVAILABLE, "not carried out");
    }
    free(late);
    free(health);
    gate_open();
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
START_TEST(participant_stop__every_function_sees_that_the_grace_is_over)
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
START_TEST(participant_stop__waits_the_grace_once)
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

START_TEST(participant_stop__runs_until_it_is_interrupted_or_signalled)
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

int main(void)
{
    Suite *suite = suite_create("participant_stop");
    TCase *stopping = tcase_create("stopping");
    tcase_set_timeout(stopping, 60);
    tcase_add_test(stopping, participant_stop__lets_calls_end);
    tcase_add_test(stopping, participant_stop__answers_what_outlasts_the_grace_when_it_has_ended);
    tcase_add_test(stopping, participant_stop__every_function_sees_that_the_grace_is_over);
    tcase_add_test(stopping, participant_stop__waits_the_grace_once);
    tcase_add_test(stopping, participant_stop__runs_until_it_is_interrupted_or_signalled);
    suite_add_tcase(suite, stopping);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
