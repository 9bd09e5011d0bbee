/* reflecting.c - asks a target for descriptors, by gRPC's reflection (https://grpc.io/docs/guides/reflection/): a question a call, since a stream
 * with one message each way is what a unary call is. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <stdlib.h>

/* What a stranger's server may make us hold: a schema's bound, and as many files as that may well be. */
#define FILES_MAX 1024
#define BYTES_MAX 524288

/* What stands before a file in the set: a byte, and its length. */
#define HEAD_BYTES_MAX 8

typedef Google__Protobuf__FileDescriptorProto File;
typedef Grpc__Reflection__V1__ServerReflectionRequest Question;
typedef Grpc__Reflection__V1__ServerReflectionResponse Answer;

struct rpc_reflecting {
    struct rpc_target *target;
    rpc_reflected_fn on_end;
    void *tag;
    gpr_timespec deadline;
    char **services;                 /* owned */
    unsigned service_count, service; /* which is asked for */
    File *files[FILES_MAX];
    unsigned file_count, file; /* whose imports are looked for */
    size_t import;
    uint8_t *question; /* owned: that is out, packed */
    uint8_t *set;      /* owned: the files as a FileDescriptorSet */
    size_t size, room;
    bool old; /* the server has only v1alpha */
};

static void ask(struct rpc_reflecting *x);

static void finish(struct rpc_reflecting *x, int status, struct bytes why)
{
    struct rpc *r = x->target->rpc;
    const struct rpc_reflected told = {
        .status = status, .message = why, .set = status == CODE_OK ? bytes_of(x->set, x->size) : bytes_of(NULL, 0)};
    x->on_end(r->callbacks.self, x->tag, &told);
    for (unsigned i = 0; i < x->service_count; i++)
        free(x->services[i]);
    for (unsigned i = 0; i < x->file_count; i++)
        google__protobuf__file_descriptor_proto__free_unpacked(x->files[i], NULL);
    free(x->services);
    free(x->question);
    free(x->set);
    free(x);
}

static bool has_file(const struct rpc_reflecting *x, const char *name)
{
    for (unsigned i = 0; i < x->file_count; i++)
        if (strcmp(x->files[i]->name, name) == 0)
            return true;
    return false;
}

/* ---- answers ---- */

/* Behind the others, as `repeated FileDescriptorProto file = 1`. */
static void append(struct rpc_reflecting *x, const ProtobufCBinaryData *file)
{
    size_t needed = x->size + file->len + HEAD_BYTES_MAX;
    if (needed > x->room) {
        x->room = 2 * needed;
        uint8_t *larger = rpc_allocate(x->room);
        if (x->size > 0)
            memcpy(larger, x->set, x->size);
        free(x->set);
        x->set = larger;
    }
    x->set[x->size++] = 1 << 3 | 2;
    size_t rest = file->len;
    for (; rest >= 0x80; rest >>= 7)
        x->set[x->size++] = (uint8_t)(rest | 0x80);
    x->set[x->size++] = (uint8_t)rest;
    memcpy(x->set + x->size, file->data, file->len);
    x->size += file->len;
}

/* NULL, or what is wrong with it. */
static const char *add_file(struct rpc_reflecting *x, const ProtobufCBinaryData *data)
{
    File *file = google__protobuf__file_descriptor_proto__unpack(NULL, data->len, data->data);
    if (file == NULL || file->name == NULL || has_file(x, file->name)) {
        bool wrong = file == NULL || file->name == NULL;
        if (file != NULL)
            google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
        return wrong ? "what it tells of itself are no descriptors" : NULL;
    }
    if (x->file_count == FILES_MAX || x->size + HEAD_BYTES_MAX + data->len > BYTES_MAX) {
        google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
        return "it tells of more than 1024 files, or 512 KiB of them";
    }
    append(x, data);
    x->files[x->file_count++] = file;
    return NULL;
}

/* What it does not know is left out: whoever needs it misses it. */
static const char *take(struct rpc_reflecting *x, struct bytes body)
{
    const char *wrong = NULL;
    Answer *answer = grpc__reflection__v1__server_reflection_response__unpack(NULL, body.size, body.at);
    if (answer == NULL)
        return "it answered something else than it was asked";
    if (answer->message_response_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE) {
        const Grpc__Reflection__V1__FileDescriptorResponse *files = answer->file_descriptor_response;
        for (size_t i = 0; wrong == NULL && i < files->n_file_descriptor_proto; i++)
            wrong = add_file(x, &files->file_descriptor_proto[i]);
    } else if (answer->message_response_case !=
               GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE) {
        wrong = "it answered something else than it was asked";
    }
    grpc__reflection__v1__server_reflection_response__free_unpacked(answer, NULL);
    return wrong;
}

void rpc_reflecting_answer(struct rpc_reflecting *x, const struct rpc_answer *answer)
{
    if (x->target->retired || x->target->rpc->stopping) {
        finish(x, CODE_CANCELLED,
               bytes_of_text(x->target->retired ? "its address has changed meanwhile" : "the sidecar is stopping"));
        return;
    }
    if (answer->status == CODE_UNIMPLEMENTED && !x->old) {
        x->old = true;
        ask(x);
        return;
    }
    if (answer->status != CODE_OK) {
        finish(x, answer->status,
               answer->status == CODE_UNIMPLEMENTED ? bytes_of_text("it has no reflection")
               : answer->unreached != NULL          ? bytes_of_text(answer->unreached)
                                                    : answer->message);
        return;
    }
    const char *wrong = take(x, answer->output);
    if (wrong != NULL) {
        finish(x, CODE_FAILED_PRECONDITION, bytes_of_text(wrong));
        return;
    }
    if (x->service < x->service_count)
        x->service++;
    else
        x->import++;
    ask(x);
}

/* ---- questions ---- */

/* The next import that is not there yet, or NULL. */
static const char *next_import(struct rpc_reflecting *x)
{
    for (; x->file < x->file_count; x->file++, x->import = 0)
        for (; x->import < x->files[x->file]->n_dependency; x->import++)
            if (!has_file(x, x->files[x->file]->dependency[x->import]))
                return x->files[x->file]->dependency[x->import];
    return NULL;
}

static void ask(struct rpc_reflecting *x)
{
    static const char now[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    static const char before[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    Question question = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    const char *import = x->service < x->service_count ? NULL : next_import(x);
    if (x->service == x->service_count && import == NULL) {
        finish(x, CODE_OK, bytes_of(NULL, 0));
        return;
    }
    if (import == NULL) {
        question.message_request_case =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
        question.file_containing_symbol = x->services[x->service];
    } else {
        question.message_request_case =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
        question.file_by_filename = (char *)(uintptr_t)import;
    }
    size_t size = protobuf_c_message_get_packed_size(&question.base);
    free(x->question);
    x->question = rpc_allocate(size + 1);
    protobuf_c_message_pack(&question.base, x->question);
    gpr_timespec left = gpr_time_sub(x->deadline, gpr_now(x->deadline.clock_type));
    rpc_call_out_for(x->target, x->old ? before : now, bytes_of(x->question, size),
                     (struct span){.us = (int64_t)(gpr_timespec_to_micros(left))}, x);
}

void rpc_reflect(struct rpc_target *target, const char *const *services, unsigned count, struct span timeout,
                 rpc_reflected_fn on_end, void *tag)
{
    struct rpc_reflecting *x = rpc_allocate(sizeof *x);
    x->target = target;
    x->on_end = on_end;
    x->tag = tag;
    x->deadline = rpc_after(timeout);
    x->services = rpc_allocate((count + 1) * sizeof *x->services);
    for (unsigned i = 0; i < count; i++) {
        size_t size = strlen(services[i]) + 1;
        x->services[i] = rpc_allocate(size);
        memcpy(x->services[i], services[i], size);
    }
    x->service_count = count;
    ask(x);
}
