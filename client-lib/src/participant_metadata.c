/* participant_metadata.c - from a call's metadata to saga_call_info. What arrives is the network's: it is checked here, once. */
#include "client-lib/src/participant_server.h"

#include <stdio.h>
#include <string.h>

struct field {
    const char *key;
    char *to;
    size_t size;
};

/* Copies what fits. One byte more than the longest that is allowed fits, so that the check sees that it is too long. */
static void copy_value(const struct field *field, grpc_slice value)
{
    size_t size = GRPC_SLICE_LENGTH(value);
    if (size > field->size - 1)
        size = field->size - 1;
    const uint8_t *from = GRPC_SLICE_START_PTR(value);
    for (size_t i = 0; i < size; i++)
        field->to[i] = from[i] != 0 ? (char)from[i] : '\x01'; /* a NUL must not make two keys look the same */
    field->to[size] = '\0';
}

/* A trace context that cannot be passed on is no reason to refuse a call (https://www.w3.org/TR/trace-context/). */
static void drop_bad_traceparent(char *text)
{
    if (strlen(text) > SAGA_CALL_TRACEPARENT_BYTES_MAX)
        text[0] = '\0';
    for (const char *c = text; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            text[0] = '\0';
}

/* A decimal number from 1 to max without sign or blanks, or 0. */
static int64_t read_number(const char *text, int64_t max)
{
    int64_t number = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || number > (max - (*c - '0')) / 10)
            return 0;
        number = number * 10 + (*c - '0');
    }
    return number;
}

static void read_words(struct participant_metadata *m)
{
    m->info.phase = strcmp(m->phase, "action") == 0         ? SAGA_CALL_ACTION
                    : strcmp(m->phase, "compensation") == 0 ? SAGA_CALL_COMPENSATION
                                                            : 0;
    m->info.attempt = (int)read_number(m->attempt, INT32_MAX);
    m->info.action_started_ms = read_number(m->action_started, INT64_MAX);
    if (m->info.action_started_ms == 0 && m->action_started[0] != '\0')
        m->info.action_started_ms = -1;
    m->info.action_outcome = m->action_outcome[0] == '\0'                ? SAGA_CALL_OUTCOME_NONE
                             : strcmp(m->action_outcome, "done") == 0    ? SAGA_CALL_OUTCOME_DONE
                             : strcmp(m->action_outcome, "unknown") == 0 ? SAGA_CALL_OUTCOME_UNKNOWN
                                                                         : -1;
}

int participant_metadata_read(const grpc_metadata_array *metadata, const char *method, size_t method_size,
                              struct participant_metadata *out, char *problem, size_t problem_size)
{
    memset(out, 0, sizeof *out);
    const struct field fields[] = {
        {"saga-id", out->saga_id, sizeof out->saga_id},
        {"saga-definition", out->definition, sizeof out->definition},
        {"saga-step", out->step, sizeof out->step},
        {"saga-phase", out->phase, sizeof out->phase},
        {"saga-attempt", out->attempt, sizeof out->attempt},
        {"idempotency-key", out->idempotency_key, sizeof out->idempotency_key},
        {"saga-action-outcome", out->action_outcome, sizeof out->action_outcome},
        {"saga-action-key", out->action_key, sizeof out->action_key},
        {"saga-action-started-ms", out->action_started, sizeof out->action_started},
        {"traceparent", out->traceparent, sizeof out->traceparent},
    };
    enum { FIELDS = sizeof fields / sizeof fields[0], TRACEPARENT = FIELDS - 1 };
    bool seen[FIELDS] = {false};

    for (size_t i = 0; i < metadata->count; i++) {
        const grpc_metadata *pair = &metadata->metadata[i];
        for (size_t f = 0; f < FIELDS; f++) {
            if (grpc_slice_str_cmp(pair->key, fields[f].key) != 0)
                continue;
            if (seen[f] && f != TRACEPARENT) {
                snprintf(problem, problem_size, "metadata %s comes twice", fields[f].key);
                return SAGA_E_INVALID_ARGUMENT;
            }
            if (!seen[f])
                copy_value(&fields[f], pair->value);
            seen[f] = true;
            break;
        }
    }
    drop_bad_traceparent(out->traceparent);

    copy_value(&(struct field){":path", out->method, sizeof out->method},
               grpc_slice_from_static_buffer(method, method_size));
    out->info.saga_id = out->saga_id;
    out->info.definition = out->definition;
    out->info.step = out->step;
    out->info.method = out->method;
    out->info.idempotency_key = out->idempotency_key;
    out->info.action_key = out->action_key;
    out->info.traceparent = out->traceparent;
    read_words(out);

    const char *field, *what;
    if (call_info_check(&out->info, false, &field, &what) != SAGA_OK) {
        bool missing = false;
        for (size_t f = 0; f < FIELDS; f++)
            missing = missing || (!seen[f] && strcmp(fields[f].key, field) == 0);
        snprintf(problem, problem_size, "metadata %s %s", field, missing ? "is missing" : what);
        return SAGA_E_INVALID_ARGUMENT;
    }
    return SAGA_OK;
}
