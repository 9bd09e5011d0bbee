/* sample_records.c - records of every type, with every field in use somewhere, at its bounds in some. */
#include "tests/support/sample_records.h"

#define TEXT(literal) \
    { \
        .at = (const uint8_t *)(literal), .size = sizeof(literal) - 1 \
    }
#define ID \
    { \
        .tag = 0x9f03c1d2a4b7, .serial = 42 \
    }
#define AT \
    { \
        .us = 1750000000123456 \
    }
#define LATER(us_after) \
    { \
        .us = 1750000000123456 + (us_after) \
    }
#define X16  "0123456789abcdef"
#define X64  X16 X16 X16 X16
#define X256 X64 X64 X64 X64

static const struct record samples[] = {
    {.type = RECORD_STARTED,
     .saga = ID,
     .at = AT,
     .step = RECORD_NO_STEP,
     .mode = SAGA_ORCHESTRATED,
     .definition = 7,
     .name = TEXT("checkout"),
     .request_id = TEXT("order-1001"),
     .fingerprint = 0xfedcba9876543210,
     .input = TEXT("\0\1\2 input"),
     .traceparent = TEXT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
     .deadline = LATER(30000000)},
    {.type = RECORD_STARTED,
     .saga = {.tag = 0, .serial = 1},
     .at = {.us = 0},
     .step = RECORD_NO_STEP,
     .mode = SAGA_ENLISTED,
     .name = TEXT("transfer"),
     .deadline = {.us = INT64_MAX},
     .lease = {.us = 5000000}},
    {.type = RECORD_STARTED,
     .saga = {.tag = 0xffffffffffff, .serial = UINT64_MAX},
     .at = {.us = INT64_MAX},
     .step = RECORD_NO_STEP,
     .mode = SAGA_ENLISTED,
     .definition = UINT32_MAX,
     .name = TEXT(X64 X64),
     .request_id = TEXT(X64 X64),
     .fingerprint = 1,
     .traceparent = TEXT(X64),
     .deadline = {.us = INT64_MIN},
     .lease = {.us = INT64_MAX}},
    {.type = RECORD_ENLISTED,
     .saga = ID,
     .at = AT,
     .step = 3,
     .step_name = TEXT("charge"),
     .call = {.target = "payment",
              .method = "/shop.Payment/Refund",
              .source = REQUEST_CONSTANT,
              .timeout = {.us = 1500000},
              .retry = {.max_attempts = 5,
                        .initial_backoff = {.us = 100000},
                        .max_backoff = {.us = 60000000},
                        .backoff_multiplier_permille = 2000,
                        .jitter_permille = 200,
                        .retryable_status_codes = 1u << 14},
              .constant = TEXT("refund \0 of 1200")}},
    {.type = RECORD_ENLISTED,
     .saga = ID,
     .at = AT,
     .step = STEPS_LIMIT - 1,
     .step_name = TEXT(X64),
     .call = {.target = X64,
              .method = X256,
              .source = REQUEST_CONSTANT,
              .timeout = {.us = INT64_MAX},
              .retry = {.max_attempts = 1000,
                        .initial_backoff = {.us = INT64_MAX},
                        .max_backoff = {.us = INT64_MAX},
                        .backoff_multiplier_permille = UINT32_MAX,
                        .jitter_permille = 1000,
                        .retryable_status_codes = (1u << 17) - 1}}},
    {.type = RECORD_ENLISTED, .saga = ID, .at = AT, .step = 0, .step_name = TEXT("look")},
    {.type = RECORD_ACTION_STARTED, .saga = ID, .at = AT, .step = 1, .attempt = 1},
    {.type = RECORD_ACTION_FAILED,
     .saga = ID,
     .at = AT,
     .step = 1,
     .attempt = UINT16_MAX,
     .status = 14,
     .maybe_executed = true,
     .next_at = LATER(250000),
     .quiet_at = LATER(-1),
     .message = TEXT(X256)},
    {.type = RECORD_ACTION_ENDED,
     .saga = ID,
     .at = AT,
     .step = 1,
     .attempt = 2,
     .action_state = 3,
     .output = TEXT("paid")},
    {.type = RECORD_ACTION_ENDED,
     .saga = ID,
     .at = AT,
     .step = 1,
     .attempt = 2,
     .action_state = 6,
     .status = 16,
     .output_is_request = true,
     .quiet_at = LATER(1),
     .message = TEXT("no answer")},
    {.type = RECORD_TURNED_BACK,
     .saga = ID,
     .at = AT,
     .step = 1,
     .reason = REASON_ACTION_REJECTED,
     .quiet_at = LATER(99),
     .message = TEXT("declined"),
     .actor = TEXT("till-4")},
    {.type = RECORD_COMPENSATION_STARTED, .saga = ID, .at = AT, .step = 0, .attempt = 1},
    {.type = RECORD_COMPENSATION_FAILED,
     .saga = ID,
     .at = AT,
     .step = 0,
     .attempt = 1,
     .status = 255,
     .next_at = LATER(1000)},
    {.type = RECORD_COMPENSATION_ENDED, .saga = ID, .at = AT, .step = 0, .attempt = 2, .compensation_state = 6},
    {.type = RECORD_STUCK, .saga = ID, .at = AT, .step = 0, .reason = REASON_PIVOT_UNKNOWN},
    {.type = RECORD_ENDED,
     .saga = ID,
     .at = AT,
     .step = RECORD_NO_STEP,
     .saga_state = SAGA_RESOLVED,
     .message = TEXT("by hand"),
     .actor = TEXT(X64 X64)},
    {.type = RECORD_PAUSED, .saga = ID, .at = AT, .step = RECORD_NO_STEP, .actor = TEXT("ann")},
    {.type = RECORD_RESUMED, .saga = ID, .at = AT, .step = RECORD_NO_STEP},
    {.type = RECORD_RETRIED, .saga = ID, .at = AT, .step = 2},
    {.type = RECORD_SKIPPED, .saga = ID, .at = {.us = -5}, .step = 2, .message = TEXT("refunded by phone")},
    {.type = RECORD_MOVED, .saga = ID, .at = AT, .step = RECORD_NO_STEP, .copies = 300},
    {.type = RECORD_REJECTED,
     .saga = ID,
     .at = {.us = 9},
     .step = 1,
     .actor = TEXT("ann"),
     .message = TEXT("not in their books")},
    {.type = RECORD_UNREACHED,
     .saga = ID,
     .at = AT,
     .step = 2,
     .attempt = 1,
     .status = 14,
     .message = TEXT("connection refused")},
    {.type = RECORD_PAUSED,
     .saga = ID,
     .at = AT,
     .step = RECORD_NO_STEP,
     .actor = TEXT("ann"),
     .identity = TEXT("spiffe://example.org/ns/ops/sa/night")},
    {.type = RECORD_STARTED,
     .saga = ID,
     .at = AT,
     .step = RECORD_NO_STEP,
     .mode = SAGA_ORCHESTRATED,
     .definition = 8,
     .name = TEXT("payout"),
     .deadline = {.us = INT64_MAX},
     .tags = TEXT("order\0A-1\0"),
     .counts = TEXT("\2\0\0\0\0\1")},
    {.type = RECORD_ACTION_STARTED,
     .saga = ID,
     .at = AT,
     .step = 1,
     .attempt = 1,
     .digest = 0xfedcba9876543211,
     .choice = 2},
    {.type = RECORD_ANSWERED, .saga = ID, .at = AT, .step = RECORD_NO_STEP, .output = TEXT("\x0a\x02ok")},
    {.type = RECORD_STARTED,
     .saga = ID,
     .at = AT,
     .step = RECORD_NO_STEP,
     .mode = SAGA_ORCHESTRATED,
     .definition = 8,
     .name = TEXT("payout"),
     .deadline = {.us = INT64_MAX},
     .synthetic = true},
    {.type = RECORD_STARTED,
     .saga = ID,
     .at = AT,
     .step = RECORD_NO_STEP,
     .mode = SAGA_ORCHESTRATED,
     .definition = 8,
     .name = TEXT("payout"),
     .deadline = {.us = INT64_MAX},
     .priority = PRIORITY_HIGH},
    {.type = RECORD_ACTION_STARTED, .saga = ID, .at = AT, .step = 1, .attempt = 2, .fault = 4},
};

const struct record *sample_records(size_t *count)
{
    *count = sizeof samples / sizeof samples[0];
    return samples;
}

static bool texts_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool calls_equal(const struct call_spec *a, const struct call_spec *b)
{
    return texts_equal(a->target, b->target) && texts_equal(a->method, b->method) && a->timeout.us == b->timeout.us &&
           a->retry.max_attempts == b->retry.max_attempts &&
           a->retry.initial_backoff.us == b->retry.initial_backoff.us &&
           a->retry.max_backoff.us == b->retry.max_backoff.us &&
           a->retry.backoff_multiplier_permille == b->retry.backoff_multiplier_permille &&
           a->retry.jitter_permille == b->retry.jitter_permille &&
           a->retry.retryable_status_codes == b->retry.retryable_status_codes && a->source == b->source &&
           bytes_equal(a->constant, b->constant);
}

bool sample_records_equal(const struct record *a, const struct record *b)
{
    return a->type == b->type && saga_id_equal(a->saga, b->saga) && a->at.us == b->at.us && a->step == b->step &&
           a->attempt == b->attempt && a->status == b->status && a->reason == b->reason &&
           a->action_state == b->action_state && a->compensation_state == b->compensation_state &&
           a->saga_state == b->saga_state && a->maybe_executed == b->maybe_executed &&
           a->output_is_request == b->output_is_request && a->next_at.us == b->next_at.us &&
           a->quiet_at.us == b->quiet_at.us && bytes_equal(a->message, b->message) && bytes_equal(a->actor, b->actor) &&
           bytes_equal(a->output, b->output) && a->mode == b->mode && a->definition == b->definition &&
           bytes_equal(a->name, b->name) && bytes_equal(a->request_id, b->request_id) &&
           a->fingerprint == b->fingerprint && bytes_equal(a->input, b->input) &&
           bytes_equal(a->traceparent, b->traceparent) && a->deadline.us == b->deadline.us &&
           a->lease.us == b->lease.us && a->copies == b->copies && bytes_equal(a->step_name, b->step_name) &&
           bytes_equal(a->identity, b->identity) && bytes_equal(a->tags, b->tags) &&
           bytes_equal(a->counts, b->counts) && a->digest == b->digest && a->choice == b->choice &&
           a->fault == b->fault && a->synthetic == b->synthetic && a->priority == b->priority &&
           calls_equal(&a->call, &b->call);
}
