/* told_sidecar.h - sagactl run whole, as a person types it, against a sidecar that gives what a test has told it to give. Of a program whose
 * line in tests.mk wraps wire_open, wire_call, wire_close and wire_address. */
#ifndef SAGA_TESTS_TOLD_SIDECAR_H
#define SAGA_TESTS_TOLD_SIDECAR_H

#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a sidecar that gives what it was told to give ---- */

#define TOLD_MAX 8

static struct {
    const char *method; /* behind the last slash */
    const ProtobufCMessage *answer;
    int code;                   /* or that it fails so */
    const char *reason, *words; /* NULL: none, and that it is refused */
    int64_t again_ms;           /* after which it may be tried again; 0: that is not said */
} told[TOLD_MAX];
static const char *told_address = "unix:here.sock";
static const char *told_unopened;       /* why there is no way to it; NULL: there is one */
static struct wire_options opened_with; /* by the last that has reached it; a view of its words */
static unsigned told_count, asked_count;
static char asked[TOLD_MAX][64];
static uint8_t asked_bytes[TOLD_MAX][1 << 17];
static size_t asked_sizes[TOLD_MAX];
static int64_t asked_deadlines[TOLD_MAX];

int __wrap_wire_open(const struct wire_options *options, struct wire **out, struct saga_error *error);
int __wrap_wire_call(struct wire *w, struct wire_call *call, struct saga_error *error);
void __wrap_wire_close(struct wire *w);
const char *__wrap_wire_address(const struct wire *w);

int __wrap_wire_open(const struct wire_options *options, struct wire **out, struct saga_error *error)
{
    opened_with = *options;
    if (told_unopened != NULL)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "address", told_unopened);
    *out = (struct wire *)(uintptr_t)told;
    return SAGA_OK;
}

void __wrap_wire_close(struct wire *w)
{
    (void)w;
}

const char *__wrap_wire_address(const struct wire *w)
{
    (void)w;
    return told_address;
}

int __wrap_wire_call(struct wire *w, struct wire_call *call, struct saga_error *error)
{
    static uint8_t bytes[1 << 17];
    (void)w;
    ck_assert_msg(asked_count < told_count, "%s was not expected", call->method);
    unsigned n = asked_count++;
    snprintf(asked[n], sizeof asked[n], "%s", strrchr(call->method, '/') + 1);
    ck_assert_str_eq(asked[n], told[n].method);
    ck_assert_uint_le(protobuf_c_message_get_packed_size(call->request), sizeof asked_bytes[n]);
    asked_sizes[n] = protobuf_c_message_pack(call->request, asked_bytes[n]);
    asked_deadlines[n] = call->deadline;
    if (told[n].code != SAGA_OK) {
        saga_error_set(error, told[n].code, told[n].reason == NULL ? "" : told[n].reason, "",
                       told[n].words == NULL ? "it is refused" : told[n].words);
        if (error != NULL)
            error->retry_delay_ms = told[n].again_ms > 0 ? told[n].again_ms : -1;
        return told[n].code;
    }
    ck_assert_uint_le(protobuf_c_message_get_packed_size(told[n].answer), sizeof bytes);
    size_t size = protobuf_c_message_pack(told[n].answer, bytes);
    call->response = protobuf_c_message_unpack(call->response_type, NULL, size, bytes);
    ck_assert_ptr_nonnull(call->response);
    return SAGA_OK;
}

/* ---- a person and a terminal ---- */

static char *said, *complained;

static inline void setup(void)
{
    told_count = asked_count = 0;
    said = complained = NULL;
    told_unopened = NULL;
    setenv("TZ", "UTC", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("COLUMNS");
}

static inline void teardown(void)
{
    free(said);
    free(complained);
}

/* What was asked for, as a message of this type; and anew. */
#define ASKED(type, index) type##__unpack(NULL, asked_sizes[index], asked_bytes[index])

static inline void anew(void)
{
    told_count = asked_count = 0;
}

static inline void tell(const char *method, const ProtobufCMessage *answer)
{
    told[told_count].method = method;
    told[told_count].code = SAGA_OK;
    told[told_count].reason = told[told_count].words = NULL;
    told[told_count].again_ms = 0;
    told[told_count++].answer = answer;
}

/* Runs "sagactl WORDS", which are parted by single spaces. Returns the exit status; what it writes goes to out, its complaints into
 * complained. */
static inline int sagactl_into(FILE *out, const char *words)
{
    static char line[256];
    char *argv[32] = {(char *)(uintptr_t) "sagactl"};
    int argc = 1;
    size_t size;
    snprintf(line, sizeof line, "%s", words);
    for (char *at = strtok(line, " "); at != NULL; at = strtok(NULL, " "))
        argv[argc++] = at;
    free(complained);
    FILE *err = open_memstream(&complained, &size);
    int status = run_main(argc, argv, out, err);
    fclose(err);
    ck_assert_msg(asked_count == told_count, "%u of %u calls were made: %s", asked_count, told_count, complained);
    return status;
}

/* The same; what it writes is in said. */
static inline int sagactl(const char *words)
{
    size_t size;
    free(said);
    FILE *out = open_memstream(&said, &size);
    int status = sagactl_into(out, words);
    fclose(out);
    return status;
}

#define SHOWS(words, expected) \
    do { \
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained); \
        ck_assert_str_eq(said, expected); \
        ck_assert_str_eq(complained, ""); \
    } while (0)

/* Fails unless it is this, in JSON with ' for quotes and sorted names. */
static inline void assert_value(const json_t *value, const char *expected)
{
    char *shown = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_ptr_nonnull(shown);
    for (char *at = strchr(shown, '"'); at != NULL; at = strchr(at, '"'))
        *at = '\'';
    ck_assert_str_eq(shown, expected);
    free(shown);
}

static inline void assert_json(const char *text, const char *expected)
{
    json_t *value = json_loads(text, 0, NULL);
    ck_assert_msg(value != NULL, "%s", text);
    assert_value(value, expected);
    json_decref(value);
}

/* Fails unless the call of this number has asked for this: the fields that are not as they are when nothing is said. */
static inline void assert_asked(unsigned index, const ProtobufCMessageDescriptor *type, const char *expected)
{
    const char *name;
    void *next;
    json_t *value;
    ProtobufCMessage *request = protobuf_c_message_unpack(type, NULL, asked_sizes[index], asked_bytes[index]);
    ck_assert_ptr_nonnull(request);
    json_t *fields = json_of_message(request);
    json_object_foreach_safe(fields, next, name, value)
    {
        const char *said_as = json_string_value(value);
        bool is_default = said_as != NULL
                              ? said_as[0] == '\0' || strcmp(said_as, "0") == 0 || strstr(said_as, "_UNSPECIFIED")
                              : json_is_false(value) || (json_is_number(value) && json_number_value(value) == 0) ||
                                    (json_is_array(value) && json_array_size(value) == 0);
        if (is_default)
            json_object_del(fields, name);
    }
    assert_value(fields, expected);
    json_decref(fields);
    protobuf_c_message_free_unpacked(request, NULL);
}

static inline char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

/* path: a template of mkstemp. The caller unlinks the file. */
static inline void write_file(char path[], const char *content)
{
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

#endif
