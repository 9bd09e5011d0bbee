/* support.c - bytes to and from C core's slices and buffers, and its times. */
#include "sidecar/rpc/rpc_inside.h"

#include <limits.h>
#include <stdlib.h>

/* A hundred years. */
#define FOR_EVER_US (INT64_C(3155760000) * 1000000)

void *rpc_allocate(size_t size)
{
    void *at = calloc(1, size);
    if (at == NULL)
        saga_panic(__FILE__, __LINE__, CHECK_MEMORY);
    return at;
}

grpc_slice rpc_slice_of(struct bytes bytes)
{
    return grpc_slice_from_copied_buffer((const char *)bytes.at, bytes.size);
}

grpc_byte_buffer *rpc_fill_slice(struct rpc *r, grpc_slice message)
{
    grpc_slice_buffer *slices = &r->sending.data.raw.slice_buffer;
    grpc_slice_buffer_reset_and_unref(slices);
    grpc_slice_buffer_add(slices, message);
    return &r->sending;
}

grpc_byte_buffer *rpc_fill(struct rpc *r, struct bytes message)
{
    return rpc_fill_slice(r, rpc_slice_of(message));
}

int rpc_milliseconds(struct span span)
{
    int64_t ms = span.us / 1000;
    return ms > INT_MAX ? INT_MAX : ms < 1 ? 1 : (int)ms;
}

gpr_timespec rpc_after(struct span span)
{
    if (span.us < 0 || span.us > FOR_EVER_US)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(span.us, GPR_TIMESPAN));
}
