/* reflection.c - server reflection (https://grpc.io/docs/guides/reflection/) from a serialized FileDescriptorSet.
 *
 * v1 and v1alpha differ in nothing but the name of the service, so one set of messages serves both. Every file is kept as the bytes that
 * came, and read once to know what it declares. A question is answered by walking the files: there are few, and nobody is in a hurry. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <stdlib.h>

#define FILES_MAX    64
#define SERVICES_MAX 64

typedef Google__Protobuf__FileDescriptorProto File;
typedef Google__Protobuf__DescriptorProto Message;
typedef Google__Protobuf__EnumDescriptorProto Enum;
typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

struct rpc_reflection {
    File *files[FILES_MAX];
    struct bytes raw[FILES_MAX];
    size_t count;
};

/* ---- the descriptors ---- */

/* Reads a base-128 number. Returns false at the end of the bytes. */
static bool read_varint(struct bytes *from, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && from->size > 0; shift += 7) {
        uint8_t byte = from->at[0];
        *from = bytes_of(from->at + 1, from->size - 1);
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Takes the next file out of the set, whose only field is `repeated FileDescriptorProto file = 1`. */
static bool read_file(struct bytes *set, struct bytes *file)
{
    uint64_t key, size;
    if (!read_varint(set, &key) || key != (1 << 3 | 2) || !read_varint(set, &size) || size > set->size)
        return false;
    *file = bytes_of(set->at, size);
    *set = bytes_of(set->at + size, set->size - size);
    return true;
}

void rpc_set_descriptors(struct rpc *r, struct bytes descriptors)
{
    rpc_reflection_finish(r);
    struct rpc_reflection *x = r->reflection = rpc_allocate(sizeof *r->reflection);
    while (descriptors.size > 0) {
        CHECK(x->count < FILES_MAX && read_file(&descriptors, &x->raw[x->count]));
        File *file = google__protobuf__file_descriptor_proto__unpack(NULL, x->raw[x->count].size, x->raw[x->count].at);
        CHECK(file != NULL);
        x->files[x->count++] = file;
    }
}

void rpc_reflection_finish(struct rpc *r)
{
    if (r->reflection == NULL)
        return;
    for (size_t i = 0; i < r->reflection->count; i++)
        google__protobuf__file_descriptor_proto__free_unpacked(r->reflection->files[i], NULL);
    free(r->reflection);
    r->reflection = NULL;
}

/* Whether *symbol goes on with name, as a whole word of a dotted name; then *symbol is what follows. */
static bool descend(const char **symbol, const char *name)
{
    size_t size = strlen(name);
    if (size == 0)
        return true;
    if (strncmp(*symbol, name, size) != 0)
        return false;
    const char *end = *symbol + size;
    if (*end != '\0' && (*end != '.' || end[1] == '\0'))
        return false;
    *symbol = *end == '.' ? end + 1 : end;
    return true;
}

static bool declares_value(Enum *const *enums, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        const char *rest = symbol;
        if (descend(&rest, enums[i]->name) && rest[0] == '\0')
            return true;
        for (size_t k = 0; k < enums[i]->n_value; k++)
            if (strcmp(enums[i]->value[k]->name, symbol) == 0)
                return true;
    }
    return false;
}

/* Messages hold messages. The depth is that of our own files. */
static bool declares_message(Message *const *messages, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        const Message *m = messages[i];
        const char *rest = symbol;
        if (!descend(&rest, m->name))
            continue;
        if (rest[0] == '\0' || declares_message(m->nested_type, m->n_nested_type, rest) ||
            declares_value(m->enum_type, m->n_enum_type, rest))
            return true;
        for (size_t k = 0; k < m->n_field; k++)
            if (strcmp(m->field[k]->name, rest) == 0)
                return true;
    }
    return false;
}

static bool declares(const File *file, const char *symbol)
{
    if (file->package != NULL && !descend(&symbol, file->package))
        return false;
    if (symbol[0] == '\0')
        return false;
    for (size_t i = 0; i < file->n_service; i++) {
        const char *rest = symbol;
        if (!descend(&rest, file->service[i]->name))
            continue;
        if (rest[0] == '\0')
            return true;
        for (size_t k = 0; k < file->service[i]->n_method; k++)
            if (strcmp(file->service[i]->method[k]->name, rest) == 0)
                return true;
    }
    return declares_message(file->message_type, file->n_message_type, symbol) ||
           declares_value(file->enum_type, file->n_enum_type, symbol);
}

static size_t index_of_file(const struct rpc_reflection *x, const char *name)
{
    size_t i = 0;
    while (i < x->count && strcmp(x->files[i]->name, name) != 0)
        i++;
    return i;
}

static size_t index_of_symbol(const struct rpc_reflection *x, const char *symbol)
{
    size_t i = 0;
    while (i < x->count && !declares(x->files[i], symbol))
        i++;
    return i;
}

/* ---- the answers ---- */

/* What a response points to while it is packed. */
struct answer {
    Response response;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    Grpc__Reflection__V1__ListServiceResponse list;
    Grpc__Reflection__V1__ErrorResponse error;
    ProtobufCBinaryData raw[FILES_MAX];
    Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX];
    Grpc__Reflection__V1__ServiceResponse *service_list[SERVICES_MAX];
    char names[SERVICES_MAX][128];
};

static void answer_error(struct answer *a, int code, const char *message)
{
    grpc__reflection__v1__error_response__init(&a->error);
    a->error.error_code = code;
    a->error.error_message = (char *)(uintptr_t)message;
    a->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    a->response.error_response = &a->error;
}

/* Answers with the file at index and everything it imports, itself first. */
static void answer_file(const struct rpc_reflection *x, struct answer *a, size_t index)
{
    if (index == x->count) {
        answer_error(a, CODE_NOT_FOUND, "no such file or symbol is served");
        return;
    }
    size_t order[FILES_MAX] = {index};
    bool taken[FILES_MAX] = {false};
    size_t count = 1;
    taken[index] = true;
    for (size_t i = 0; i < count; i++) {
        const File *file = x->files[order[i]];
        for (size_t k = 0; k < file->n_dependency; k++) {
            size_t import = index_of_file(x, file->dependency[k]);
            if (import < x->count && !taken[import]) {
                taken[import] = true;
                order[count++] = import;
            }
        }
    }
    grpc__reflection__v1__file_descriptor_response__init(&a->files);
    for (size_t i = 0; i < count; i++) {
        a->raw[i].data = (uint8_t *)(uintptr_t)x->raw[order[i]].at;
        a->raw[i].len = x->raw[order[i]].size;
    }
    a->files.n_file_descriptor_proto = count;
    a->files.file_descriptor_proto = a->raw;
    a->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    a->response.file_descriptor_response = &a->files;
}

/* Answers with every service that has a method here, in the order in which they were registered. */
static void answer_services(const struct rpc *r, struct answer *a)
{
    size_t count = 0;
    for (size_t i = 0; i < r->served_count && count < SERVICES_MAX; i++) {
        const char *name = r->served[i].method->path + 1;
        size_t size = strcspn(name, "/");
        bool known = size >= sizeof a->names[0];
        for (size_t k = 0; k < count && !known; k++)
            known = strlen(a->names[k]) == size && memcmp(a->names[k], name, size) == 0;
        if (known)
            continue;
        memcpy(a->names[count], name, size);
        a->names[count][size] = '\0';
        grpc__reflection__v1__service_response__init(&a->services[count]);
        a->services[count].name = a->names[count];
        a->service_list[count] = &a->services[count];
        count++;
    }
    grpc__reflection__v1__list_service_response__init(&a->list);
    a->list.n_service = count;
    a->list.service = a->service_list;
    a->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    a->response.list_services_response = &a->list;
}

void rpc_reflection_answer(struct rpc *r, struct rpc_call *call, struct bytes bytes)
{
    static const struct rpc_reflection nothing;
    const struct rpc_reflection *x = r->reflection != NULL ? r->reflection : &nothing;
    Request *request = grpc__reflection__v1__server_reflection_request__unpack(NULL, bytes.size, bytes.at);
    if (request == NULL) {
        rpc_end(call, CODE_INVALID_ARGUMENT, "the bytes are no ServerReflectionRequest", bytes_of(NULL, 0));
        return;
    }
    struct answer *a = rpc_allocate(sizeof *a);
    grpc__reflection__v1__server_reflection_response__init(&a->response);
    a->response.valid_host = request->host;
    a->response.original_request = request;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        answer_file(x, a, index_of_file(x, request->file_by_filename));
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        answer_file(x, a, index_of_symbol(x, request->file_containing_symbol));
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        answer_services(r, a);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        answer_error(a, CODE_NOT_FOUND, "nothing here has extensions");
        break;
    default:
        answer_error(a, CODE_UNIMPLEMENTED, "this question is not known here");
    }
    size_t size = grpc__reflection__v1__server_reflection_response__get_packed_size(&a->response);
    uint8_t *packed = rpc_allocate(size + 1);
    grpc__reflection__v1__server_reflection_response__pack(&a->response, packed);
    rpc_send(call, bytes_of(packed, size));
    free(packed);
    free(a);
    grpc__reflection__v1__server_reflection_request__free_unpacked(request, NULL);
}
