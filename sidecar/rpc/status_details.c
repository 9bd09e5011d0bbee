/* status_details.c - errors as google.rpc.Status. */
#include "sidecar/rpc/status_details.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <stdio.h>

#define DOMAIN          "saga.v1"
#define TYPE_PREFIX     "type.googleapis.com/"
#define PACKED_SIZE_MAX 512

/* protobuf-c's strings are not const, though packing leaves them alone. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

const char *status_message(int code, const struct error_detail *detail, char message[STATUS_MESSAGE_SIZE_MAX])
{
    char place[48] = "";
    if (detail != NULL && detail->line > 0)
        snprintf(place, sizeof place, "%d:%d: ", detail->line, detail->column);
    bool named = detail != NULL && detail->field[0] != '\0';
    bool told = detail != NULL && detail->text[0] != '\0';
    snprintf(message, STATUS_MESSAGE_SIZE_MAX, "%s%s%s%s", place, named ? detail->field : "", named ? ": " : "",
             told ? detail->text : error_row(code)->text);
    return message;
}

/* One detail on its way into a Status. */
struct packed {
    Google__Protobuf__Any any;
    uint8_t value[PACKED_SIZE_MAX];
};

static Google__Protobuf__Any *pack(struct packed *p, const char *type_url, const ProtobufCMessage *message)
{
    google__protobuf__any__init(&p->any);
    p->any.type_url = text(type_url);
    p->any.value.len = protobuf_c_message_get_packed_size(message);
    p->any.value.data = p->value;
    CHECK(p->any.value.len <= sizeof p->value);
    protobuf_c_message_pack(message, p->value);
    return &p->any;
}

/* How long to wait before the next try, where the refusal does not say: a full disk and a restart take their time, whoever holds a definition
 * takes longer, and a full queue empties at once. */
static void set_delay(int code, const struct error_detail *detail, Google__Protobuf__Duration *delay)
{
    if (detail != NULL && detail->retry_ms > 0) {
        delay->seconds = detail->retry_ms / 1000;
        delay->nanos = detail->retry_ms % 1000 * 1000000;
    } else if (code == E_HELD)
        delay->seconds = 10;
    else if (code == E_JOURNAL_FULL || code == E_STOPPING)
        delay->seconds = 1;
    else
        delay->nanos = 100000000;
}

struct bytes status_details(int code, const struct error_detail *detail, uint8_t at[STATUS_DETAILS_SIZE_MAX])
{
    const struct error_row *row = error_row(code);
    Google__Protobuf__Any *details[3];
    size_t count = 0;
    struct packed info, bad_request, retry_info;

    Google__Rpc__ErrorInfo why = GOOGLE__RPC__ERROR_INFO__INIT;
    why.reason = text(row->reason);
    why.domain = text(DOMAIN);
    details[count++] = pack(&info, TYPE_PREFIX "google.rpc.ErrorInfo", &why.base);

    if (row->grpc_status == CODE_INVALID_ARGUMENT && detail != NULL) {
        Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
        Google__Rpc__BadRequest__FieldViolation *violations = &violation;
        violation.field = text(detail->field);
        violation.description = text(detail->text[0] != '\0' ? detail->text : row->text);
        Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
        bad.n_field_violations = 1;
        bad.field_violations = &violations;
        details[count++] = pack(&bad_request, TYPE_PREFIX "google.rpc.BadRequest", &bad.base);
    }
    if (row->retryable) {
        Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
        Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
        set_delay(code, detail, &delay);
        retry.retry_delay = &delay;
        details[count++] = pack(&retry_info, TYPE_PREFIX "google.rpc.RetryInfo", &retry.base);
    }

    char message[STATUS_MESSAGE_SIZE_MAX];
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = row->grpc_status;
    status.message = text(status_message(code, detail, message));
    status.n_details = count;
    status.details = details;
    CHECK(google__rpc__status__get_packed_size(&status) <= STATUS_DETAILS_SIZE_MAX);
    return bytes_of(at, google__rpc__status__pack(&status, at));
}
