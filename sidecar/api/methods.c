/* methods.c - the table of methods, made of methods.def. */
#include "sidecar/api/api_inside.h"

#define COORDINATOR "/saga.v1.Coordinator/"
#define OPERATOR    "/saga.v1.Operator/"

const struct rpc_method methods_served[METHOD_COUNT] = {
#define METHOD(id, service, name, kind, ...) [METHOD_##id] = {service name, kind, METHOD_##id},
#include "sidecar/api/methods.def"
#undef METHOD
};

const struct method methods[METHOD_COUNT] = {
#define METHOD(id, service_, name_, kind_, role_, subject_, route_, key_, request_, response_, ...) \
    [METHOD_##id] = {.request = &saga__v1__##request_##__descriptor, \
                     .response = &saga__v1__##response_##__descriptor, \
                     .role = role_, \
                     .subject = subject_, \
                     .route = route_, \
                     .key = key_, \
                     __VA_ARGS__},
#include "sidecar/api/methods.def"
#undef METHOD
};

enum method_id methods_find(const ProtobufCMessageDescriptor *request)
{
    enum method_id id = 0;
    while (id < METHOD_COUNT && methods[id].request != request)
        id++;
    return id;
}

const char *methods_text(const ProtobufCMessage *request, const char *name)
{
    const char *text;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(request->descriptor, name);
    memcpy(&text, (const char *)request + field->offset, sizeof text);
    return text;
}

const char *methods_key(enum method_id id, const ProtobufCMessage *request)
{
    return methods_text(request, methods[id].key);
}
