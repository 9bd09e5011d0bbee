/* participant_world.h - a participant that serves, whoever calls it, and functions for it, some of which wait at a gate until the test opens it. */
#ifndef TESTS_SUPPORT_PARTICIPANT_WORLD_H
#define TESTS_SUPPORT_PARTICIPANT_WORLD_H

#include <saga/participant.h>

#include "tests/support/grpc_caller.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static inline void gate_reset(void)
{
    gate.open = false;
    gate.inside = gate.carried_out = gate.saw_cancel = 0;
}

static inline void gate_open(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static inline void gate_wait_inside(int count)
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

static inline int pass_gate(saga_call *call, void *user)
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
static inline int wait_for_cancel(saga_call *call, void *user)
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
static inline int echo(saga_call *call, void *user)
{
    const struct saga_call_info *i = saga_call_info(call);
    char text[2048];
    int size = snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%s|%d|%d|%d|%.*s|%s", i->saga_id, i->definition, i->step,
                        i->method, i->idempotency_key, i->action_key, i->traceparent, i->phase, i->action_outcome,
                        i->attempt, (int)i->request_size, (const char *)i->request, (const char *)user);
    ck_assert(i->timeout_ms > 0 && saga_call_time_left_ms(call) > 0 && saga_call_time_left_ms(call) <= i->timeout_ms);
    return saga_call_reply(call, text, (size_t)size);
}

/* ---- a participant under test ---- */

static saga_participant *participant;
static struct caller caller;
static struct saga_error error;

static inline void serve_with(const struct saga_participant_options *options, saga_step_function action,
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

static inline void end(void)
{
    caller_close(&caller);
    saga_participant_close(participant);
    participant = NULL;
}

static inline struct caller_call *action_call(void)
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

static inline void set_metadata(struct caller_call *call, const char *key, const char *value)
{
    size_t i = 0;
    while (call->metadata[i][0] != NULL && strcmp(call->metadata[i][0], key) != 0)
        i++;
    ck_assert_uint_lt(i, CALLER_METADATA_MAX - 1);
    call->metadata[i][0] = value != NULL ? key : "x-left-out";
    call->metadata[i][1] = value != NULL ? value : "";
}

static inline struct caller_call *compensation_call(void)
{
    struct caller_call *call = action_call();
    call->method = UNDO;
    set_metadata(call, "saga-phase", "compensation");
    set_metadata(call, "idempotency-key", "9f03c1d2a4b7-2a/reserve/compensation");
    set_metadata(call, "saga-action-outcome", "unknown");
    set_metadata(call, "saga-action-key", "9f03c1d2a4b7-2a/reserve/action");
    return call;
}

static inline void assert_answer(const struct caller_call *call, int status, const char *words)
{
    ck_assert_msg(call->status == status && strstr(call->message, words) != NULL, "%d: %s (not %d: %s)", call->status,
                  call->message, status, words);
}

/* A health check on the same connection: when it is answered, the server has seen what was sent before it. */
static inline void pass_health_check(void)
{
    struct caller_call *call = calloc(1, sizeof *call);
    call->method = "/grpc.health.v1.Health/Check";
    call->timeout_ms = 20000;
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    free(call);
}

#endif
