/* traced.c - a traceparent comes into the packed message as if the client had written it there: then it travels to another loop, and is kept,
 * like one of the client's own. What W3C calls invalid is left out: it says that such a trace begins anew. */
#include "sidecar/api/traced.h"

#include "sidecar/api/methods.h"
#include "sidecar/api/packed.h"
#include "sidecar/base/check.h"
#include "sidecar/base/traceparent.h"

#define FIELD           "traceparent"
#define WIRE_BYTES_TYPE 2

struct bytes traced(struct rpc_call *call, struct bytes message, struct arena *a)
{
    const struct method *method = &methods[rpc_call_method(call)->id];
    if (method->route != ROUTE_REQUEST || method->decode == NULL)
        return message;
    struct bytes trace = rpc_call_metadata(call, FIELD);
    if (trace.size > TRACEPARENT_BYTES_MAX || !traceparent_valid(trace) ||
        packed_text(method->request, message, FIELD).size > 0)
        return message;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(method->request, FIELD);
    CHECK(field != NULL && field->id < 16); /* a tag of one byte */
    uint8_t *at = arena_take(a, message.size + 2 + trace.size);
    if (at == NULL)
        return message;
    if (message.size > 0)
        memcpy(at, message.at, message.size);
    at[message.size] = (uint8_t)(field->id << 3 | WIRE_BYTES_TYPE);
    at[message.size + 1] = (uint8_t)trace.size;
    memcpy(at + message.size + 2, trace.at, trace.size);
    return bytes_of(at, message.size + 2 + trace.size);
}
