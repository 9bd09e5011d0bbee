/* reflect.c - asks a server for its services, for their files, and for what those import: a question a stream, since a stream with one question
 * is what a server stream is. */
#include "client-lib/sagactl/reflect.h"

#include "sidecar/message/wire.h"

#include "grpc/reflection/v1/reflection.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* What a stranger's server may make us hold. */
#define FILES_MAX 4096
#define BYTES_MAX 16777216

/* Of FileDescriptorProto. */
enum { FILE_NAME = 1, FILE_DEPENDENCY = 3 };

typedef Grpc__Reflection__V1__ServerReflectionRequest question_t;
typedef Grpc__Reflection__V1__ServerReflectionResponse answer_t;

struct asking {
    struct run *r;
    struct wire *wire;
    struct reflected *files;
    const char *address;
    const char *method; /* the version of reflection that the server has */
    int64_t deadline;
};

static int no_memory(struct run *r)
{
    return run_say(r, EXIT_REFUSED, "there is no memory for the descriptors");
}

/* One question over one method. Gives *answer on SAGA_OK. */
static int ask_once(struct asking *a, const char *method, const question_t *question, answer_t **answer,
                    struct saga_error *error)
{
    struct wire_stream *stream;
    ProtobufCMessage *message = NULL;
    int code = wire_stream_open(a->wire, method, &question->base,
                                &grpc__reflection__v1__server_reflection_response__descriptor, true, &stream, error);
    if (code != SAGA_OK)
        return code;
    code = wire_stream_read(stream, a->deadline, &message, error);
    wire_stream_close(stream);
    if (code == SAGA_OK && message == NULL)
        code = saga_error_set(error, SAGA_E_UNIMPLEMENTED, "SAGACTL", "", "the server answered nothing");
    *answer = (answer_t *)message;
    return code;
}

/* Asks, with the older name of reflection where the server has only that. */
static int ask(struct asking *a, const question_t *question, answer_t **answer)
{
    static const char now[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    static const char before[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    struct saga_error error;
    int code = ask_once(a, a->method != NULL ? a->method : now, question, answer, &error);
    if (a->method == NULL)
        a->method = code == SAGA_E_UNIMPLEMENTED ? before : now;
    if (code == SAGA_E_UNIMPLEMENTED && a->method == before)
        code = ask_once(a, before, question, answer, &error);
    if (code == SAGA_E_UNIMPLEMENTED)
        return run_say(a->r, EXIT_REFUSED,
                       "the server at %.200s has no reflection; make the descriptors with protoc or buf", a->address);
    if (code != SAGA_OK)
        return run_say(a->r,
                       code == SAGA_E_UNAVAILABLE || code == SAGA_E_DEADLINE_EXCEEDED ? EXIT_UNREACHABLE : EXIT_REFUSED,
                       "%.200s: %.600s", a->address, error.message);
    if ((*answer)->message_response_case !=
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE)
        return EXIT_DONE;
    int status = run_say(a->r, EXIT_REFUSED, "%.200s: %.600s", a->address, (*answer)->error_response->error_message);
    protobuf_c_message_free_unpacked(&(*answer)->base, NULL);
    return status;
}

/* The text of a field of a file, the nth of it; empty when there is none. */
static struct bytes text_of(struct bytes file, uint32_t number, size_t nth)
{
    struct wire_field f;
    while (wire_next(&file, &f) == 1)
        if (f.number == number && f.type == WIRE_BYTES && nth-- == 0)
            return f.body;
    return bytes_of(NULL, 0);
}

static bool has_file(const struct reflected *files, struct bytes name)
{
    for (size_t i = 0; i < files->count; i++)
        if (bytes_equal(text_of(files->files[i], FILE_NAME, 0), name))
            return true;
    return false;
}

static int add_file(struct asking *a, const ProtobufCBinaryData *data)
{
    struct reflected *files = a->files;
    struct bytes file = bytes_of(data->data, data->len);
    if (has_file(files, text_of(file, FILE_NAME, 0)))
        return EXIT_DONE;
    if (files->count == FILES_MAX || file.size > BYTES_MAX - files->bytes)
        return run_say(a->r, EXIT_REFUSED, "%.200s tells of more than 4096 files, or 16 MiB of them", a->address);
    if (files->count == files->room) {
        size_t room = files->room == 0 ? 16 : files->room * 2;
        struct bytes *more = realloc(files->files, room * sizeof *more);
        if (more == NULL)
            return no_memory(a->r);
        files->files = more;
        files->room = room;
    }
    uint8_t *copy = malloc(file.size + 1);
    if (copy == NULL)
        return no_memory(a->r);
    if (file.size > 0)
        memcpy(copy, file.at, file.size);
    files->files[files->count++] = bytes_of(copy, file.size);
    files->bytes += file.size;
    return EXIT_DONE;
}

/* Adds the files that a question is answered with. */
static int add_answer(struct asking *a, const question_t *question)
{
    answer_t *answer;
    int status = ask(a, question, &answer);
    if (status != EXIT_DONE)
        return status;
    if (answer->message_response_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE)
        for (size_t i = 0; status == EXIT_DONE && i < answer->file_descriptor_response->n_file_descriptor_proto; i++)
            status = add_file(a, &answer->file_descriptor_response->file_descriptor_proto[i]);
    else
        status = run_say(a->r, EXIT_REFUSED, "%.200s answered something else than it was asked", a->address);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

static int add_service(struct asking *a, const char *name)
{
    question_t question = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    /* What every server has beside its own. */
    if (strncmp(name, "grpc.reflection.", 16) == 0 || strncmp(name, "grpc.health.", 12) == 0)
        return EXIT_DONE;
    question.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    question.file_containing_symbol = (char *)(uintptr_t)name;
    return add_answer(a, &question);
}

/* Servers may answer with a file alone. Files that are added meanwhile are gone over, too. */
static int add_imports(struct asking *a)
{
    int status = EXIT_DONE;
    for (size_t i = 0; status == EXIT_DONE && i < a->files->count; i++) {
        struct bytes name;
        for (size_t n = 0; status == EXIT_DONE && (name = text_of(a->files->files[i], FILE_DEPENDENCY, n)).at != NULL;
             n++) {
            question_t question = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
            char text[1024];
            if (name.size >= sizeof text || has_file(a->files, name))
                continue;
            memcpy(text, name.at, name.size);
            text[name.size] = '\0';
            question.message_request_case =
                GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
            question.file_by_filename = text;
            status = add_answer(a, &question);
        }
    }
    return status;
}

static int add_all(struct asking *a)
{
    question_t question = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    answer_t *answer;
    question.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
    question.list_services = (char *)(uintptr_t) "";
    int status = ask(a, &question, &answer);
    if (status != EXIT_DONE)
        return status;
    if (answer->message_response_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE)
        for (size_t i = 0; status == EXIT_DONE && i < answer->list_services_response->n_service; i++)
            status = add_service(a, answer->list_services_response->service[i]->name);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status == EXIT_DONE ? add_imports(a) : status;
}

int reflect_server(struct run *r, const char *address, struct reflected *files)
{
    struct saga_error error;
    struct wire_options options = {.address = address, .message_bytes_max = 4 * RUN_FILE_BYTES_MAX};
    struct asking a = {
        .r = r,
        .files = files,
        .address = address,
        .deadline = wire_deadline(r->o.timeout_ms >= 0 ? r->o.timeout_ms : RUN_TIMEOUT_DEFAULT_MS),
    };
    if (wire_open(&options, &a.wire, &error) != SAGA_OK)
        return run_failed(r, &error);
    int status = add_all(&a);
    wire_close(a.wire);
    return status;
}

/* ---- through the sidecar ---- */

#define SERVICES_MAX 64

/* What a definition calls. */
struct calls {
    struct {
        const char *target, *method;
    } list[2 * STEPS_LIMIT * TARGET_CHOICES_MAX];
    unsigned count;
};

static void find_calls(const struct definition *d, struct calls *calls)
{
    const char *target;
    calls->count = 0;
    for (unsigned i = 0; i < 2u * d->step_count; i++) {
        const struct step_spec *s = &d->steps[i / 2];
        for (unsigned k = 0; (target = step_spec_target(s, i % 2 == 1, k)) != NULL; k++) {
            calls->list[calls->count].target = target;
            calls->list[calls->count++].method = i % 2 == 1 ? s->compensation.method : s->action.method;
        }
    }
}

/* Whether a call before this one goes to the same target. */
static bool is_asked(const struct calls *calls, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (strcmp(calls->list[k].target, calls->list[i].target) == 0)
            return true;
    return false;
}

/* Returns how many were added: 1 or 0. */
static unsigned add_service_name(char *names[SERVICES_MAX], size_t count, const char *method)
{
    size_t size = strcspn(method + 1, "/");
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], method + 1, size) == 0 && names[i][size] == '\0')
            return 0;
    return count < SERVICES_MAX && (names[count] = strndup(method + 1, size)) != NULL;
}

static int ask_target(struct run *r, const struct calls *calls, const char *target, struct reflected *files)
{
    Saga__V1__ReflectRequest request = SAGA__V1__REFLECT_REQUEST__INIT;
    Saga__V1__ReflectResponse *answer;
    struct asking a = {.r = r, .files = files, .address = target};
    char *names[SERVICES_MAX];
    request.target = (char *)(uintptr_t)target;
    request.services = names;
    for (unsigned i = 0; i < calls->count; i++)
        if (strcmp(calls->list[i].target, target) == 0)
            request.n_services += add_service_name(names, request.n_services, calls->list[i].method);
    int status =
        run_call(r, "/saga.v1.Coordinator/Reflect", &request.base, &saga__v1__reflect_response__descriptor, &answer);
    for (size_t i = 0; i < request.n_services; i++)
        free(names[i]);
    if (status != EXIT_DONE)
        return status;
    struct bytes set = bytes_of(answer->descriptors.data, answer->descriptors.len);
    struct wire_field f;
    while (status == EXIT_DONE && set.size > 0 && wire_next(&set, &f) == 1)
        if (f.number == 1 && f.type == WIRE_BYTES)
            status = add_file(&a, &(ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)f.body.at, .len = f.body.size});
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

int reflect_definition(struct run *r, const struct definition *d, struct reflected *files)
{
    static struct calls calls;
    int status = EXIT_DONE;
    find_calls(d, &calls);
    for (unsigned i = 0; status == EXIT_DONE && i < calls.count; i++)
        if (!is_asked(&calls, i))
            status = ask_target(r, &calls, calls.list[i].target, files);
    return status;
}

int reflect_set(struct run *r, const struct reflected *files, char **set, size_t *size)
{
    uint8_t *at = malloc(files->bytes + files->count * (1 + WIRE_VARINT_MAX) + 1);
    if (at == NULL)
        return no_memory(r);
    *set = (char *)at;
    *size = 0;
    for (size_t i = 0; i < files->count; i++) {
        at[(*size)++] = 1 << 3 | WIRE_BYTES; /* FileDescriptorSet.file */
        *size += wire_put_varint(at + *size, files->files[i].size);
        memcpy(at + *size, files->files[i].at, files->files[i].size);
        *size += files->files[i].size;
    }
    return EXIT_DONE;
}

void reflect_finish(struct reflected *files)
{
    for (size_t i = 0; i < files->count; i++)
        free((void *)(uintptr_t)files->files[i].at);
    free(files->files);
}
