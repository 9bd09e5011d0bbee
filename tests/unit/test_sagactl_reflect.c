/* sagactl schema reflect against servers that the test makes up: which files are asked for, what is registered, and how a stranger's server is borne. */
#include "tests/support/told_sidecar.h"

#include "sidecar/message/wire.h"

#include "grpc/reflection/v1/reflection.pb-c.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest question_t;
typedef Grpc__Reflection__V1__ServerReflectionResponse answer_t;

#define ASKS(name)    (q->message_request_case == GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name)
#define ANSWERS(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

/* ---- a server ---- */

#define QUESTIONS_MAX 16

static const struct {
    const char *name, *service, *imports[2];
} files[] = {{"a.proto", "shop.A", {"common.proto", "b.proto"}},
             {"b.proto", "shop.B", {NULL}},
             {"common.proto", NULL, {"deep.proto"}},
             {"deep.proto", NULL, {NULL}},
             {"last.proto", "shop.Last", {"common.proto"}}};

static struct {
    const char *services[5];
    bool only_older;   /* has reflection by its older name */
    unsigned answers;  /* > 0: of so many questions, and then it has reflection no longer */
    bool says_nothing; /* its streams end without a message */
    bool unopened;     /* nor can one be opened */
    bool other;        /* answers something else than it was asked */
    const char *error; /* answers that */
    int code;          /* SAGA_OK, or fails so */
    size_t padding;    /* > 0: each file has as many bytes more, and imports another one, without an end */
} server;
static char questions[QUESTIONS_MAX][80]; /* "ADDRESS: what", with "older " before it */
static unsigned question_count;
static int64_t deadline_given;
static ProtobufCMessage *answer_next; /* NULL: none, or not yet */
static int code_next;

static size_t put_text(uint8_t *to, uint8_t tag, const char *text)
{
    to[0] = tag;
    to[1] = (uint8_t)strlen(text);
    memcpy(to + 2, text, to[1]);
    return 2u + to[1];
}

/* A FileDescriptorProto of its name and imports alone. Returns its size. */
static size_t put_file(uint8_t *to, const char *name)
{
    char import[16];
    size_t size = put_text(to, 0x0a, name);
    if (server.padding > 0) {
        snprintf(import, sizeof import, "f%u", question_count);
        size += put_text(to + size, 0x1a, import);
        to[size++] = 0x12; /* its package */
        size += wire_put_varint(to + size, server.padding);
        memset(to + size, 'x', server.padding);
        return size + server.padding;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        for (size_t k = 0; strcmp(files[i].name, name) == 0 && k < 2 && files[i].imports[k] != NULL; k++)
            size += put_text(to + size, 0x1a, files[i].imports[k]);
    return size;
}

static const char *file_of(const char *symbol)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i].service != NULL && strcmp(files[i].service, symbol) == 0)
            return files[i].name;
    return "f";
}

static ProtobufCMessage *answered(const question_t *q)
{
    answer_t answer = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    Grpc__Reflection__V1__ExtensionNumberResponse odd = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Grpc__Reflection__V1__FileDescriptorResponse set = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    Grpc__Reflection__V1__ServiceResponse room[5], *services[5];
    ProtobufCBinaryData file;
    uint8_t *bytes = malloc(server.padding + 256), *packed = malloc(server.padding + 512);
    ck_assert(bytes != NULL && packed != NULL);
    if (server.error != NULL) {
        error.error_message = text(server.error);
        answer.message_response_case = ANSWERS(ERROR_RESPONSE);
        answer.error_response = &error;
    } else if (ASKS(LIST_SERVICES)) {
        for (; list.n_service < 5 && server.services[list.n_service] != NULL; list.n_service++) {
            services[list.n_service] = &room[list.n_service];
            grpc__reflection__v1__service_response__init(&room[list.n_service]);
            room[list.n_service].name = text(server.services[list.n_service]);
        }
        list.service = services;
        answer.message_response_case = ANSWERS(LIST_SERVICES_RESPONSE);
        answer.list_services_response = &list;
    } else if (server.other) {
        answer.message_response_case = ANSWERS(ALL_EXTENSION_NUMBERS_RESPONSE);
        answer.all_extension_numbers_response = &odd;
    } else {
        file.data = bytes;
        file.len =
            put_file(bytes, ASKS(FILE_CONTAINING_SYMBOL) ? file_of(q->file_containing_symbol) : q->file_by_filename);
        set.file_descriptor_proto = &file;
        set.n_file_descriptor_proto = 1;
        answer.message_response_case = ANSWERS(FILE_DESCRIPTOR_RESPONSE);
        answer.file_descriptor_response = &set;
    }
    size_t size = grpc__reflection__v1__server_reflection_response__pack(&answer, packed);
    answer_t *whole = grpc__reflection__v1__server_reflection_response__unpack(NULL, size, packed);
    ck_assert_ptr_nonnull(whole);
    free(bytes);
    free(packed);
    return &whole->base;
}

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *error);
int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error);
void __wrap_wire_stream_close(struct wire_stream *s);

int __wrap_wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                            const ProtobufCMessageDescriptor *type, bool wait_for_ready, struct wire_stream **out,
                            struct saga_error *error)
{
    const question_t *q = (const question_t *)request;
    bool older = strcmp(method, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") == 0;
    (void)w, (void)wait_for_ready;
    ck_assert(older || strcmp(method, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") == 0);
    ck_assert_ptr_eq(type, &grpc__reflection__v1__server_reflection_response__descriptor);
    if (question_count < QUESTIONS_MAX)
        snprintf(questions[question_count], sizeof questions[0], "%s%s: %s", older ? "older " : "", opened_with.address,
                 ASKS(LIST_SERVICES)            ? "services"
                 : ASKS(FILE_CONTAINING_SYMBOL) ? q->file_containing_symbol
                                                : q->file_by_filename);
    question_count++;
    bool silent = server.answers > 0 && question_count > server.answers;
    if (server.unopened)
        return saga_error_set(error, server.code, "", NULL, "it went wrong");
    code_next = silent || (server.only_older && !older) ? SAGA_E_UNIMPLEMENTED : server.code;
    answer_next = code_next != SAGA_OK || server.says_nothing ? NULL : answered(q);
    *out = (struct wire_stream *)(uintptr_t)&server;
    return SAGA_OK;
}

int __wrap_wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message,
                            struct saga_error *error)
{
    (void)s;
    deadline_given = deadline;
    *message = answer_next;
    answer_next = NULL;
    return code_next == SAGA_OK ? SAGA_OK : saga_error_set(error, code_next, "", NULL, "it went wrong");
}

void __wrap_wire_stream_close(struct wire_stream *s)
{
    ck_assert_ptr_eq((void *)s, (void *)&server);
}

/* ---- tests ---- */

static void begin(void)
{
    anew();
    memset(&server, 0, sizeof server);
    question_count = 0;
    server.services[0] = "shop.A";
}

static void register_well(void)
{
    static const Saga__V1__RegisterSchemaResponse answer = SAGA__V1__REGISTER_SCHEMA_RESPONSE__INIT;
    tell("RegisterSchema", &answer.base);
}

/* The names of the files that were registered, each with a space behind it. */
static void assert_registered(const char *names)
{
    Saga__V1__RegisterSchemaRequest *request = ASKED(saga__v1__register_schema_request, 0);
    struct bytes set = {request->descriptors.data, request->descriptors.len};
    struct wire_field file, name;
    char all[256] = "";
    ck_assert_str_eq(request->name, "shop");
    while (wire_next(&set, &file) == 1) {
        ck_assert_uint_eq(file.number, 1);
        ck_assert_int_eq(wire_next(&file.body, &name), 1);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%.*s ", (int)name.body.size, (const char *)name.body.at);
    }
    ck_assert_str_eq(all, names);
    saga__v1__register_schema_request__free_unpacked(request, NULL);
}

/* Every service is asked for but those that all servers have, and every import, each file once; several servers make one schema. */
START_TEST(reflect__asks_for_all_that_there_is_once)
{
    static const char *const asks[] = {"x:1: services",     "x:1: shop.A",  "x:1: shop.Last",
                                       "x:1: common.proto", "x:1: b.proto", "x:1: deep.proto",
                                       "y:2: services",     "y:2: shop.A",  "y:2: shop.Last"};
    static const char *const services[] = {"grpc.health.v1.Health", "shop.A", "grpc.reflection.v1.ServerReflection",
                                           "shop.Last"};
    begin();
    memcpy(server.services, services, sizeof services);
    register_well();
    ck_assert_msg(sagactl("schema reflect shop x:1 y:2") == EXIT_DONE, "%s", complained);
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
        ck_assert_str_eq(questions[i], asks[i]);
    ck_assert_uint_eq(question_count, sizeof asks / sizeof asks[0]);
    assert_registered("a.proto last.proto common.proto b.proto deep.proto ");
}
END_TEST

/* A server that has reflection only by its older name is asked for the newer one once. */
START_TEST(reflect__knows_the_older_name)
{
    static const char *const asks[] = {"x:1: services", "older x:1: services", "older x:1: shop.B"};
    begin();
    server.only_older = true;
    server.services[0] = "shop.B";
    register_well();
    ck_assert_msg(sagactl("schema reflect shop x:1") == EXIT_DONE, "%s", complained);
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
        ck_assert_str_eq(questions[i], asks[i]);
    ck_assert_uint_eq(question_count, sizeof asks / sizeof asks[0]);
    assert_registered("b.proto ");
}
END_TEST

/* By which name it has reflection is found out once: what it refuses later it is not asked for by the other name. */
START_TEST(reflect__stays_with_a_name)
{
    for (int older = 0; older < 2; older++) {
        begin();
        server.only_older = older;
        server.answers = older ? 2 : 1;
        ck_assert_int_eq(sagactl("schema reflect shop x:1"), EXIT_REFUSED);
        ck_assert_int_eq(strncmp(complained, "sagactl: the server at x:1 has no reflection; ", 46), 0);
        ck_assert_str_eq(questions[server.answers], older ? "older x:1: shop.A" : "x:1: shop.A");
        ck_assert_str_eq(questions[question_count - 1], questions[server.answers]);
    }
}
END_TEST

/* What a server does not tell is not registered. */
START_TEST(reflect__says_what_is_wrong_with_a_server)
{
    static const struct {
        int code;
        bool says_nothing, other;
        const char *error, *service;
        int status;
        const char *complaint;
    } cases[] = {
        {SAGA_E_UNAVAILABLE, false, false, NULL, "shop.A", EXIT_UNREACHABLE, "x:1: it went wrong\n"},
        {SAGA_E_DEADLINE_EXCEEDED, false, false, NULL, "shop.A", EXIT_UNREACHABLE, "x:1: it went wrong\n"},
        {SAGA_E_PERMISSION_DENIED, false, false, NULL, "shop.A", EXIT_REFUSED, "x:1: it went wrong\n"},
        {SAGA_E_UNIMPLEMENTED, false, false, NULL, "shop.A", EXIT_REFUSED, "the server at x:1 has no reflection; "},
        {SAGA_OK, true, false, NULL, "shop.A", EXIT_REFUSED, "the server at x:1 has no reflection; "},
        {SAGA_OK, false, true, NULL, "shop.A", EXIT_REFUSED, "x:1 answered something else than it was asked\n"},
        {SAGA_OK, false, false, "not today", "shop.A", EXIT_REFUSED, "x:1: not today\n"},
        {SAGA_OK, false, false, NULL, NULL, EXIT_REFUSED, "the servers tell of no services\n"},
        {SAGA_OK, false, false, NULL, "grpc.health.v1.Health", EXIT_REFUSED, "the servers tell of no services\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char complaint[128];
        begin();
        server.code = cases[i].code;
        server.says_nothing = cases[i].says_nothing;
        server.other = cases[i].other;
        server.error = cases[i].error;
        server.services[0] = cases[i].service;
        snprintf(complaint, sizeof complaint, "sagactl: %s", cases[i].complaint);
        ck_assert_int_eq(sagactl("schema reflect shop x:1"), cases[i].status);
        ck_assert_msg(strncmp(complained, complaint, strlen(complaint)) == 0, "%s", complained);
        ck_assert_str_eq(said, "");
    }
    begin();
    server.unopened = true;
    server.code = SAGA_E_RESOURCE_EXHAUSTED;
    ck_assert_int_eq(sagactl("schema reflect shop x:1"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: x:1: it went wrong\n");
}
END_TEST

/* Of a server whose files have no end so many are taken, be they small or large. */
START_TEST(reflect__holds_only_so_much)
{
    static const struct {
        size_t padding;
        unsigned files;
    } cases[] = {{1, 4096}, {1048576 - 100, 16}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        server.padding = cases[i].padding;
        ck_assert_int_eq(sagactl("schema reflect shop x:1"), EXIT_REFUSED);
        ck_assert_str_eq(complained, "sagactl: x:1 tells of more than 4096 files, or 16 MiB of them\n");
        ck_assert_uint_eq(question_count, 1 + cases[i].files + 1);
    }
}
END_TEST

/* A server has the time that was given, and else what any call has. */
START_TEST(reflect__heeds_the_time_given)
{
    const int64_t minute = INT64_C(60000000000);
    for (int given = 0; given < 2; given++) {
        begin();
        register_well();
        ck_assert_int_eq(sagactl(given ? "schema reflect shop x:1 --timeout 60m" : "schema reflect shop x:1"),
                         EXIT_DONE);
        int64_t left = deadline_given - wire_now();
        ck_assert_msg(given ? left > 30 * minute && left <= 60 * minute : left <= 10 * minute, "%lld", (long long)left);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_reflect");
    TCase *tc = tcase_create("reflect");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reflect__asks_for_all_that_there_is_once);
    tcase_add_test(tc, reflect__knows_the_older_name);
    tcase_add_test(tc, reflect__stays_with_a_name);
    tcase_add_test(tc, reflect__says_what_is_wrong_with_a_server);
    tcase_add_test(tc, reflect__holds_only_so_much);
    tcase_add_test(tc, reflect__heeds_the_time_given);
    tcase_set_timeout(tc, 120); /* each of many files is looked for among those before it */
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
