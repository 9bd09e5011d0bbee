/* wire_status.c - from a gRPC status and its google.rpc.Status details to a struct saga_error. */
#include "client-lib/src/wire_status.h"

#include <stdio.h>
#include <string.h>

#include "google/rpc/error_details.pb-c.h"

static void copy_text(char *to, size_t size, const char *from, size_t length)
{
    if (length >= size)
        length = size - 1;
    if (length > 0)
        memcpy(to, from, length);
    to[length] = '\0';
}

static int code_of(int status)
{
    return status > SAGA_OK && status < SAGA_STATUS_COUNT ? status : SAGA_E_UNKNOWN;
}

static bool type_is(const Google__Protobuf__Any *any, const char *type)
{
    const char *slash = strrchr(any->type_url, '/');
    return strcmp(slash ? slash + 1 : any->type_url, type) == 0;
}

static void read_reason(const Google__Protobuf__Any *any, struct saga_error *error)
{
    Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
    if (!info)
        return;
    copy_text(error->reason, sizeof error->reason, info->reason, strlen(info->reason));
    google__rpc__error_info__free_unpacked(info, NULL);
}

static void read_field(const Google__Protobuf__Any *any, struct saga_error *error)
{
    Google__Rpc__BadRequest *bad = google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
    if (!bad)
        return;
    if (bad->n_field_violations > 0) {
        const char *field = bad->field_violations[0]->field;
        copy_text(error->field, sizeof error->field, field, strlen(field));
    }
    google__rpc__bad_request__free_unpacked(bad, NULL);
}

static void read_delay(const Google__Protobuf__Any *any, struct saga_error *error)
{
    Google__Rpc__RetryInfo *retry = google__rpc__retry_info__unpack(NULL, any->value.len, any->value.data);
    if (!retry)
        return;
    const Google__Protobuf__Duration *delay = retry->retry_delay;
    /* A day bounds what a broken peer can ask for, and keeps the arithmetic in range. */
    if (delay && delay->seconds >= 0 && delay->seconds <= 86400 && delay->nanos >= 0 && delay->nanos <= 999999999)
        error->retry_delay_ms = delay->seconds * 1000 + (delay->nanos + 999999) / 1000000;
    google__rpc__retry_info__free_unpacked(retry, NULL);
}

static void read_details(const Google__Rpc__Status *status, struct saga_error *error)
{
    for (size_t i = 0; i < status->n_details; i++) {
        const Google__Protobuf__Any *any = status->details[i];
        if (type_is(any, "google.rpc.ErrorInfo"))
            read_reason(any, error);
        else if (type_is(any, "google.rpc.BadRequest"))
            read_field(any, error);
        else if (type_is(any, "google.rpc.RetryInfo"))
            read_delay(any, error);
    }
}

int wire_status_of_message(const Google__Rpc__Status *status, struct saga_error *error)
{
    int code = code_of(status->code);
    if (!error)
        return code;
    saga_error_set(error, code, "", "", status->message[0] != '\0' ? status->message : NULL);
    read_details(status, error);
    return code;
}

/* A failure that the sidecar did not explain is gRPC's own; the reason says what is known about the call. */
static void explain(const struct wire_ending *ending, struct saga_error *error)
{
    if (!ending->left && (error->code == SAGA_E_UNAVAILABLE || error->code == SAGA_E_DEADLINE_EXCEEDED)) {
        static const char preface[] = "failed to connect to all addresses; last error: "; /* C core's, of any cause */
        const char *cause = error->code == SAGA_E_DEADLINE_EXCEEDED ? "no connection in time" : error->message;
        char text[sizeof error->message];
        if (strncmp(cause, preface, sizeof preface - 1) == 0)
            cause += sizeof preface - 1;
        snprintf(text, sizeof text, "no sidecar answers at %.80s (%.150s)", ending->address, cause);
        saga_error_set(error, SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, NULL, text);
    } else if (error->code == SAGA_E_UNAVAILABLE) {
        copy_text(error->reason, sizeof error->reason, SAGA_REASON_LOST, strlen(SAGA_REASON_LOST));
    } else if (error->code == SAGA_E_DEADLINE_EXCEEDED) {
        saga_error_set(error, error->code, SAGA_REASON_DEADLINE, NULL, NULL);
    } else if (error->code == SAGA_E_CANCELLED) {
        copy_text(error->reason, sizeof error->reason, SAGA_REASON_CANCELLED, strlen(SAGA_REASON_CANCELLED));
    }
}

int wire_status_of_ending(const struct wire_ending *ending, struct saga_error *error)
{
    struct saga_error unwanted;
    if (!error)
        error = &unwanted;
    saga_error_set(error, code_of(ending->status), "", "", NULL);
    if (ending->message_size > 0)
        copy_text(error->message, sizeof error->message, ending->message, ending->message_size);
    if (ending->details_size > 0) {
        Google__Rpc__Status *status = google__rpc__status__unpack(NULL, ending->details_size, ending->details);
        if (status) {
            read_details(status, error);
            google__rpc__status__free_unpacked(status, NULL);
        }
    }
    if (error->reason[0] == '\0')
        explain(ending, error);
    return error->code;
}
