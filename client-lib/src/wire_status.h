/* wire_status.h - how a call ended, as the caller of the library reads it. Pure. */
#ifndef SAGA_CLIENT_WIRE_STATUS_H
#define SAGA_CLIENT_WIRE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <saga/error.h>

#include "google/rpc/status.pb-c.h"

/* What C core tells about a call that ended with an error. Views. */
struct wire_ending {
    int status; /* gRPC status; a number outside the table counts as UNKNOWN */
    const char *message;
    size_t message_size;
    const uint8_t *details; /* grpc-status-details-bin, or NULL */
    size_t details_size;
    bool left;           /* the call may have reached the sidecar */
    const char *address; /* of the sidecar, for the sentence */
};

/* Fills error (may be NULL) and returns its code, never SAGA_OK. */
int wire_status_of_ending(const struct wire_ending *ending, struct saga_error *error);

/* The same from a status inside a message (saga.v1.Result.error). */
int wire_status_of_message(const Google__Rpc__Status *status, struct saga_error *error);

#endif
