/* traced.h - the trace context that OpenTelemetry and its like put into a request's metadata, and not into its message. */
#ifndef SAGA_API_TRACED_H
#define SAGA_API_TRACED_H

#include "sidecar/core/arena.h"
#include "sidecar/rpc/rpc.h"

/* The message of a call that starts a saga; with the call's traceparent in it when it says none itself and the call has one of W3C's form.
 * Views message, or what was taken from the arena. */
struct bytes traced(struct rpc_call *call, struct bytes message, struct arena *a);

#endif
