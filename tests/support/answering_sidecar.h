/* answering_sidecar.h - a sidecar that answers each method as a table says, and tells what it was asked. Of a program whose line in tests.mk wraps
 * wire_open, wire_call, wire_close, wire_address, wire_stream_open, wire_stream_read, wire_stream_close, wire_deadline, clock_gettime, nanosleep and
 * gethostname: no time passes but by pauses. */
#ifndef SAGA_TESTS_ANSWERING_SIDECAR_H
#define SAGA_TESTS_ANSWERING_SIDECAR_H

#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "tests/support/message_of_text.h"
#include "tests/support/no_pause.h"

#include "grpc/reflection/v1/reflection.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SCREEN_ANSWERS 8

/* What is answered to a method (behind the last slash) the first time that it is asked, and so on; what is asked more often than there are rows is
 * answered by a message in which nothing is set. */
struct screen_answer {
    const char *method;
    const ProtobufCMessageDescriptor *type; /* NULL: it fails */
    const char *text;                       /* of message_of_text; or the words of the error */
    int code;
    const char *reason;
};

struct screen_row {
    const char *line; /* behind "sagactl", parted by spaces; what stands in ' is one word */
    struct screen_answer answers[SCREEN_ANSWERS];
    unsigned varied; /* of its answers, so many have every field changed (screens_vary); 0: all */
};

#define ANSWER(method, type, text) \
    { \
        method, &saga__v1__##type##__descriptor, text, 0, NULL \
    }
#define REFUSES(method, code, reason, text) \
    { \
        method, NULL, text, code, reason \
    }

/* ---- the sidecar ---- */

static const struct screen_row *now_row;
static ProtobufCMessage *messages[SCREEN_ANSWERS]; /* of its answers */
static bool given[SCREEN_ANSWERS];
static FILE *asked;
static unsigned streams;
static const char *opened; /* the address; NULL: none was given */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_gethostname(char *name, size_t size);
int64_t __wrap_wire_deadline(int64_t timeout_ms);
int __wrap_wire_open(const struct wire_options *options, struct wire **out, struct saga_error *error);
int __wrap_wire_call(struct wire *w, struct wire_call *call, struct saga_error *error);
void __wrap_wire_close(struct wire *w);
const char *__wrap_wire_address(const struct wire *w);
int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *error);
int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error);
void __wrap_wire_stream_close(struct wire_stream *s);

/* The monotonic clock begins at a second. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t ns = no_pause_ns + (clock == CLOCK_REALTIME ? MESSAGE_NOW * 1000000000 + 250000000 : 1000000000);
    *now = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}

int __wrap_gethostname(char *name, size_t size)
{
    snprintf(name, size, "ops");
    return 0;
}

int64_t __wrap_wire_deadline(int64_t timeout_ms)
{
    return timeout_ms < 0 ? WIRE_FOREVER : wire_now() + timeout_ms * 1000000;
}

int __wrap_wire_open(const struct wire_options *options, struct wire **out, struct saga_error *error)
{
    (void)error;
    opened = options->address;
    if (options->address != NULL)
        fprintf(asked, "? to %s by %s, %s, %s, %s\n", options->address, options->tls.certificate, options->tls.key,
                options->tls.roots, options->tls.identity);
    *out = (struct wire *)(uintptr_t)given;
    return SAGA_OK;
}

void __wrap_wire_close(struct wire *w)
{
    (void)w;
}

const char *__wrap_wire_address(const struct wire *w)
{
    (void)w;
    return opened == NULL ? "unix:here.sock" : opened;
}

static unsigned sum_of(const char *text)
{
    unsigned sum = 2166136261u;
    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * 16777619u;
    return sum;
}

/* Those fields alone that are not as they are when nothing is said; of a long text its size and a sum. */
static json_t *said_of(const ProtobufCMessage *request)
{
    const char *name;
    void *next;
    json_t *value, *fields = json_of_message(request);
    json_object_foreach_safe(fields, next, name, value)
    {
        const char *word = json_string_value(value);
        bool nothing = word != NULL
                           ? word[0] == '\0' || strcmp(word, "0") == 0 || strstr(word, "_UNSPECIFIED")
                           : json_is_false(value) || (json_is_number(value) && json_number_value(value) == 0) ||
                                 (json_is_array(value) && json_array_size(value) == 0);
        if (nothing)
            json_object_del(fields, name);
        else if (word != NULL && strlen(word) > 400)
            json_object_set_new(fields, name, json_sprintf("%zu bytes, %08x", strlen(word), sum_of(word)));
    }
    return fields;
}

static void put_asked(const char *method, const ProtobufCMessage *request, int64_t deadline, bool waits)
{
    bool has_versions = strncmp(method, "/grpc.reflection.", 17) == 0;
    fprintf(asked, "? %s", has_versions ? method : strrchr(method, '/') + 1);
    if (deadline != WIRE_FOREVER)
        fprintf(asked, " within %lldms", (long long)((deadline - wire_now()) / 1000000));
    fprintf(asked, "%s ", waits ? ", waiting," : "");
    if (request->descriptor == &grpc__reflection__v1__server_reflection_request__descriptor) {
        /* One of several texts. */
        const Grpc__Reflection__V1__ServerReflectionRequest *m =
            (const Grpc__Reflection__V1__ServerReflectionRequest *)request;
        fprintf(asked, "%d '%s'\n", (int)m->message_request_case, m->file_by_filename);
        return;
    }
    json_t *fields = said_of(request);
    json_dumpf(fields, asked, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(fields);
    fputc('\n', asked);
}

/* The answer of this method whose turn it is; SCREEN_ANSWERS: there is none any more. */
static size_t next_of(const char *method)
{
    for (size_t i = 0; i < SCREEN_ANSWERS; i++)
        if (now_row->answers[i].method != NULL && !given[i] &&
            strcmp(now_row->answers[i].method, strrchr(method, '/') + 1) == 0) {
            given[i] = true;
            return i;
        }
    return SCREEN_ANSWERS;
}

static ProtobufCMessage *copy_of(const ProtobufCMessage *m)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = malloc(size + 1);
    protobuf_c_message_pack(m, bytes);
    ProtobufCMessage *copy = protobuf_c_message_unpack(m->descriptor, NULL, size, bytes);
    ck_assert_ptr_nonnull(copy);
    free(bytes);
    return copy;
}

static int answer_failure(size_t i, struct saga_error *error)
{
    const struct screen_answer *a = &now_row->answers[i];
    return saga_error_set(error, a->code, a->reason, "", a->text);
}

int __wrap_wire_call(struct wire *w, struct wire_call *call, struct saga_error *error)
{
    (void)w;
    put_asked(call->method, call->request, call->deadline, call->wait_for_ready);
    size_t i = next_of(call->method);
    if (i < SCREEN_ANSWERS && messages[i] == NULL)
        return answer_failure(i, error);
    if (i < SCREEN_ANSWERS) {
        ck_assert_msg(messages[i]->descriptor == call->response_type, "%s", call->method);
        call->response = copy_of(messages[i]);
        return SAGA_OK;
    }
    call->response = protobuf_c_message_unpack(call->response_type, NULL, 0, (const uint8_t *)"");
    return SAGA_OK;
}

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *error)
{
    (void)w, (void)type, (void)error;
    put_asked(method, request, WIRE_FOREVER, wait_for_ready);
    *out = (struct wire_stream *)(uintptr_t)method;
    streams++;
    return SAGA_OK;
}

/* The first stream ends in good order when there is no answer any more, and what is opened then is refused. */
int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error)
{
    (void)deadline;
    size_t i = next_of((const char *)s);
    *message = NULL;
    if (i == SCREEN_ANSWERS)
        return streams == 1 ? SAGA_OK : saga_error_set(error, SAGA_E_CANCELLED, "", "", "that is enough");
    if (messages[i] == NULL)
        return answer_failure(i, error);
    *message = copy_of(messages[i]);
    return SAGA_OK;
}

void __wrap_wire_stream_close(struct wire_stream *s)
{
    (void)s;
}

#endif
