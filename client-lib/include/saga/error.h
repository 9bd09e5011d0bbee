/* error.h - what can go wrong in libsaga, and where a caller reads the details.
 *
 * Every function that can fail returns SAGA_OK (0) or a positive status from the table below. The numbers and meanings are those of gRPC
 * (https://grpc.io/docs/guides/status-codes/), because most errors come from the sidecar as they are. Details go into a struct that the
 * caller owns and may leave out (NULL); nothing is thread-local, nothing need be freed. */
#ifndef SAGA_ERROR_H
#define SAGA_ERROR_H

#include <stddef.h>
#include <stdint.h>
#include <saga/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Columns: constant, number, name, what it means for the caller of this library. */
#define SAGA_STATUS_TABLE(X) \
    X(SAGA_OK, 0, "OK", "done") \
    X(SAGA_E_CANCELLED, 1, "CANCELLED", "the call was cancelled") \
    X(SAGA_E_UNKNOWN, 2, "UNKNOWN", "it is not known what happened") \
    X(SAGA_E_INVALID_ARGUMENT, 3, "INVALID_ARGUMENT", "an argument is not valid; field names it") \
    X(SAGA_E_DEADLINE_EXCEEDED, 4, "DEADLINE_EXCEEDED", "no answer came in time; it may still have been carried out") \
    X(SAGA_E_NOT_FOUND, 5, "NOT_FOUND", "there is no such thing") \
    X(SAGA_E_ALREADY_EXISTS, 6, "ALREADY_EXISTS", "it exists already, with another content") \
    X(SAGA_E_PERMISSION_DENIED, 7, "PERMISSION_DENIED", "the caller may not do this") \
    X(SAGA_E_RESOURCE_EXHAUSTED, 8, "RESOURCE_EXHAUSTED", "a limit is reached; reason names it") \
    X(SAGA_E_FAILED_PRECONDITION, 9, "FAILED_PRECONDITION", "the state does not allow it") \
    X(SAGA_E_ABORTED, 10, "ABORTED", "the operation was given up") \
    X(SAGA_E_OUT_OF_RANGE, 11, "OUT_OF_RANGE", "it lies outside what is held") \
    X(SAGA_E_UNIMPLEMENTED, 12, "UNIMPLEMENTED", "the other side does not know this operation") \
    X(SAGA_E_INTERNAL, 13, "INTERNAL", "something that should work did not") \
    X(SAGA_E_UNAVAILABLE, 14, "UNAVAILABLE", "the other side cannot be reached now") \
    X(SAGA_E_DATA_LOSS, 15, "DATA_LOSS", "data is lost or damaged") \
    X(SAGA_E_UNAUTHENTICATED, 16, "UNAUTHENTICATED", "the caller is not known")

#define SAGA_STATUS_CONSTANT(constant, number, name, text) constant = number,
enum saga_status { SAGA_STATUS_TABLE(SAGA_STATUS_CONSTANT) SAGA_STATUS_COUNT = 17 };
#undef SAGA_STATUS_CONSTANT

/* Reasons that the library itself gives; those of the sidecar are listed in docs/api.md. Compare reason with strcmp. They are stable. */
#define SAGA_REASON_ARGUMENT    "INVALID_ARGUMENT"    /* the library refused an argument before sending anything */
#define SAGA_REASON_MEMORY      "OUT_OF_MEMORY"       /* no memory is left in this process */
#define SAGA_REASON_SYSTEM      "SYSTEM"              /* the operating system refused; message says what */
#define SAGA_REASON_UNREACHABLE "SIDECAR_UNREACHABLE" /* no connection to the sidecar: the call never left */
#define SAGA_REASON_LOST        "CONNECTION_LOST" /* the connection broke during the call: it may have been carried out */
#define SAGA_REASON_DEADLINE    "DEADLINE_EXCEEDED" /* no answer within the call's deadline */
#define SAGA_REASON_PROTOCOL    "PROTOCOL"          /* the other side answered with something that cannot be read */
#define SAGA_REASON_QUEUE       "CLIENT_QUEUE_FULL" /* queue_commands_max or queue_bytes_max is reached */
#define SAGA_REASON_CLOSED      "CLIENT_CLOSED"     /* the client is being closed */
#define SAGA_REASON_FORKED \
    "CLIENT_FORKED" /* a client or participant was opened before fork(): none can be used in the child */
#define SAGA_REASON_CALLBACK  "CLIENT_CALLBACK" /* a function that waits was called on the client's own thread */
#define SAGA_REASON_CANCELLED "CANCELLED"       /* the caller cancelled it */

/* Room for the details of one error. The caller owns it; a function that fails fills it in, one that succeeds leaves it alone. */
struct saga_error {
    int code;               /* enum saga_status; the same number that the function returned */
    char reason[64];        /* stable, for programs: "LIVE_SAGAS_MAX"; "" when the other side gave none */
    char field[96];         /* path of the field at fault, as in "enlist[0].step", or "" */
    char message[256];      /* one sentence for people; may change; cut when too long */
    int64_t retry_delay_ms; /* trying again makes sense after this; -1 when nothing was said about it */
};

/* "NOT_FOUND" for 5; "UNKNOWN" for a number outside the table. A view, valid for ever. Thread-safe. */
SAGA_API const char *saga_status_name(int code);

/* The table's sentence for a status. A view, valid for ever. Thread-safe. */
SAGA_API const char *saga_status_text(int code);

/* Fills *error (which may be NULL) and returns code, so that a participant's code can write `return saga_error_set(...)`. reason, field and
 * message are copied and cut to fit; NULL is "", except that a NULL message becomes the status's text. retry_delay_ms becomes -1. */
SAGA_API int saga_error_set(struct saga_error *error, int code, const char *reason, const char *field,
                            const char *message);

#ifdef __cplusplus
}
#endif

#endif
