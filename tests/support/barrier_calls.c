/* barrier_calls.c - calls of one step, by the saga's id. */
#include "tests/support/barrier_calls.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const int barrier_refusals[BARRIER_REFUSALS] = {
    SAGA_E_INVALID_ARGUMENT, SAGA_E_NOT_FOUND,         SAGA_E_ALREADY_EXISTS, SAGA_E_FAILED_PRECONDITION,
    SAGA_E_OUT_OF_RANGE,     SAGA_E_PERMISSION_DENIED, SAGA_E_UNIMPLEMENTED,  SAGA_E_UNAUTHENTICATED};

static saga_call *make(const char *saga, int phase, int outcome, int64_t started_ms, int64_t timeout_ms)
{
    char action_key[128], key[128];
    snprintf(action_key, sizeof action_key, "%s/charge/action", saga);
    snprintf(key, sizeof key, "%s/charge/compensation", saga);
    bool action = phase == SAGA_CALL_ACTION;
    struct saga_call_info info = {
        .saga_id = saga,
        .definition = "checkout",
        .step = "charge",
        .method = "/shop.v1.Payment/Charge",
        .idempotency_key = action ? action_key : key,
        .action_key = action ? "" : action_key,
        .phase = phase,
        .action_outcome = outcome,
        .attempt = 1,
        .timeout_ms = timeout_ms,
        .request = saga,
        .request_size = strlen(saga),
        .action_started_ms = started_ms,
    };
    saga_call *call;
    struct saga_error error;
    ck_assert_msg(saga_call_create(&info, &call, &error) == SAGA_OK, "%s %s", error.field, error.message);
    return call;
}

saga_call *barrier_action(const char *saga, int64_t timeout_ms)
{
    return make(saga, SAGA_CALL_ACTION, SAGA_CALL_OUTCOME_NONE, 0, timeout_ms);
}

saga_call *barrier_compensation(const char *saga, int outcome, int64_t timeout_ms)
{
    return make(saga, SAGA_CALL_COMPENSATION, outcome, 0, timeout_ms);
}

saga_call *barrier_call_from(const char *saga, int phase, int64_t started_ms)
{
    return make(saga, phase, phase == SAGA_CALL_ACTION ? SAGA_CALL_OUTCOME_NONE : SAGA_CALL_OUTCOME_UNKNOWN, started_ms,
                0);
}

saga_call *barrier_call_of(const char *saga, int phase, int64_t ago_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return barrier_call_from(saga, phase, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - ago_ms);
}

bool barrier_answered(const saga_call *call, const char *text)
{
    size_t size;
    const void *bytes = saga_call_answer(call, &size);
    return size == strlen(text) && (size == 0 || memcmp(bytes, text, size) == 0);
}
