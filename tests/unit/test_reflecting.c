/* What a target tells of itself: which questions it is asked, and what becomes of its answers. No call leaves: tests.mk wraps that. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_BYTES_MAX 524288

typedef Google__Protobuf__FileDescriptorProto File;
typedef Grpc__Reflection__V1__ServerReflectionRequest Question;
typedef Grpc__Reflection__V1__ServerReflectionResponse Answer;

static struct rpc room;
static struct rpc_target target;
static struct rpc_reflecting *asking; /* has a question out */
static char method[128], question[128];
static struct span left;
static int ends, status;
static char why[128];
static Google__Protobuf__FileDescriptorSet *set;
static size_t set_size;

void __wrap_rpc_call_out_for(struct rpc_target *to, const char *name, struct bytes request, struct span timeout,
                             struct rpc_reflecting *reflecting);

/* Notes the question as "symbol NAME" or "file NAME". */
void __wrap_rpc_call_out_for(struct rpc_target *to, const char *name, struct bytes request, struct span timeout,
                             struct rpc_reflecting *reflecting)
{
    ck_assert_ptr_eq(to, &target);
    Question *q = grpc__reflection__v1__server_reflection_request__unpack(NULL, request.size, request.at);
    bool symbol = q->message_request_case ==
                  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    ck_assert(symbol || q->message_request_case ==
                            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME);
    snprintf(question, sizeof question, "%s %s", symbol ? "symbol" : "file",
             symbol ? q->file_containing_symbol : q->file_by_filename);
    snprintf(method, sizeof method, "%s", name);
    left = timeout;
    asking = reflecting;
    grpc__reflection__v1__server_reflection_request__free_unpacked(q, NULL);
}

static void on_end(void *self, void *tag, const struct rpc_reflected *told)
{
    ck_assert_ptr_eq(self, &room);
    ck_assert_ptr_eq(tag, &ends);
    ends++;
    asking = NULL;
    status = told->status;
    snprintf(why, sizeof why, "%.*s", (int)told->message.size,
             told->message.size == 0 ? "" : (const char *)told->message.at);
    set = google__protobuf__file_descriptor_set__unpack(NULL, told->set.size, told->set.at);
    set_size = told->set.size;
    ck_assert_ptr_nonnull(set);
}

static void setup(void)
{
    room.callbacks.self = &room;
    target.rpc = &room;
    ends = 0;
}

static void teardown(void)
{
    if (set != NULL)
        google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    set = NULL;
}

static void begin(const char *first, const char *second)
{
    const char *services[] = {first, second};
    rpc_reflect(&target, services, second == NULL ? 1 : 2, SPAN_S(5), on_end, &ends);
}

static void answer_bytes(struct bytes output)
{
    struct rpc_reflecting *x = asking;
    ck_assert_ptr_nonnull(x);
    asking = NULL;
    rpc_reflecting_answer(x, &(struct rpc_answer){.output = output});
}

static void answer_status(int code, const char *message, const char *unreached)
{
    struct rpc_reflecting *x = asking;
    ck_assert_ptr_nonnull(x);
    asking = NULL;
    rpc_reflecting_answer(
        x, &(struct rpc_answer){.status = code, .message = bytes_of_text(message), .unreached = unreached});
}

static void answer_message(const Answer *answer)
{
    size_t size = grpc__reflection__v1__server_reflection_response__get_packed_size(answer);
    uint8_t *at = malloc(size + 1);
    grpc__reflection__v1__server_reflection_response__pack(answer, at);
    answer_bytes(bytes_of(at, size));
    free(at);
}

static void answer_files(ProtobufCBinaryData *files, size_t count)
{
    Grpc__Reflection__V1__FileDescriptorResponse response = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    Answer answer = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.n_file_descriptor_proto = count;
    response.file_descriptor_proto = files;
    answer.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    answer.file_descriptor_response = &response;
    answer_message(&answer);
}

/* A file of this name (NULL: none) and package, which imports up to two; to be freed. */
static ProtobufCBinaryData file_of(const char *name, const char *package, const char *import, const char *other)
{
    File file = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_PROTO__INIT;
    char *imports[] = {(char *)(uintptr_t)import, (char *)(uintptr_t)other};
    file.name = (char *)(uintptr_t)name;
    file.package = (char *)(uintptr_t)package;
    file.n_dependency = import == NULL ? 0 : other == NULL ? 1 : 2;
    file.dependency = imports;
    ProtobufCBinaryData data = {.len = google__protobuf__file_descriptor_proto__get_packed_size(&file)};
    data.data = malloc(data.len + 1);
    google__protobuf__file_descriptor_proto__pack(&file, data.data);
    return data;
}

static void answer_file(const char *name, const char *package, const char *import, const char *other)
{
    ProtobufCBinaryData file = file_of(name, package, import, other);
    answer_files(&file, 1);
    free(file.data);
}

/* It does not know what it is asked for. */
static void answer_unknown(void)
{
    Grpc__Reflection__V1__ErrorResponse response = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    Answer answer = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.error_code = CODE_NOT_FOUND;
    answer.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    answer.error_response = &response;
    answer_message(&answer);
}

static void ended_with(int code, const char *text)
{
    ck_assert_int_eq(ends, 1);
    ck_assert_ptr_null(asking);
    ck_assert_int_eq(status, code);
    ck_assert_str_eq(why, text);
    ck_assert(code == 0 || set->n_file == 0);
}

/* Each service, then each import of each file, and none of them twice. */
START_TEST(reflecting__every_file_is_asked_for_once)
{
    static const char *const names[] = {"a.proto", "b.proto", "c.proto", "d.proto", "e.proto"};
    begin("x.A", "x.B");
    ck_assert_str_eq(question, "symbol x.A");
    answer_file("a.proto", "first", "c.proto", "b.proto");
    ck_assert_str_eq(question, "symbol x.B");
    answer_file("b.proto", "x", "c.proto", "d.proto");
    ck_assert_str_eq(question, "file c.proto");
    answer_file("c.proto", "x", "a.proto", NULL);
    ck_assert_str_eq(question, "file d.proto");
    ProtobufCBinaryData more[] = {file_of("d.proto", "x", "e.proto", NULL), file_of("a.proto", "again", NULL, NULL),
                                  file_of("e.proto", "last", NULL, NULL)};
    answer_files(more, 3); /* some tell all that a file needs at once */
    ended_with(0, "");
    ck_assert_uint_eq(set->n_file, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(set->file[i]->name, names[i]);
    ck_assert_str_eq(set->file[0]->package, "first");
    ck_assert_str_eq(set->file[4]->package, "last");
    for (size_t i = 0; i < 3; i++)
        free(more[i].data);
}
END_TEST

/* Whoever needs it will miss it. */
START_TEST(reflecting__what_it_does_not_know_is_left_out)
{
    begin("x.Unknown", "x.B");
    answer_unknown();
    ck_assert_str_eq(question, "symbol x.B");
    answer_file("b.proto", "x", "c.proto", "d.proto");
    ck_assert_str_eq(question, "file c.proto");
    answer_unknown();
    ck_assert_str_eq(question, "file d.proto");
    answer_file("d.proto", "x", NULL, NULL);
    ended_with(0, "");
    ck_assert_uint_eq(set->n_file, 2);
}
END_TEST

/* The same question, and the others after it, in the words that it knows. */
START_TEST(reflecting__a_server_of_the_older_kind_is_asked_as_it_understands)
{
    begin("x.A", NULL);
    ck_assert_str_eq(method, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    answer_status(CODE_UNIMPLEMENTED, "no such method", NULL);
    ck_assert_str_eq(question, "symbol x.A");
    ck_assert_str_eq(method, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    answer_file("a.proto", "x", "b.proto", NULL);
    ck_assert_str_eq(question, "file b.proto");
    ck_assert_str_eq(method, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    answer_unknown();
    ended_with(0, "");
}
END_TEST

START_TEST(reflecting__what_goes_wrong_is_told_in_words)
{
    begin("x.A", NULL);
    answer_status(CODE_UNIMPLEMENTED, "no such method", NULL);
    answer_status(CODE_UNIMPLEMENTED, "no such method", NULL);
    ended_with(CODE_UNIMPLEMENTED, "it has no reflection");
    teardown();
    setup();
    begin("x.A", NULL);
    answer_status(CODE_UNAVAILABLE, "of C core", "nobody listens there");
    ended_with(CODE_UNAVAILABLE, "nobody listens there");
    teardown();
    setup();
    begin("x.A", NULL);
    answer_status(CODE_PERMISSION_DENIED, "not for you", NULL);
    ended_with(CODE_PERMISSION_DENIED, "not for you");
}
END_TEST

START_TEST(reflecting__what_is_no_answer_ends_it)
{
    Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Answer other = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    ProtobufCBinaryData wrong[] = {file_of("a.proto", "x", NULL, NULL), {.data = (uint8_t *)"\xff", .len = 1}};
    other.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    other.list_services_response = &list;
    begin("x.A", NULL);
    answer_message(&other);
    ended_with(CODE_FAILED_PRECONDITION, "it answered something else than it was asked");
    teardown();
    setup();
    begin("x.A", NULL);
    answer_bytes(bytes_of_text("\xff"));
    ended_with(CODE_FAILED_PRECONDITION, "it answered something else than it was asked");
    teardown();
    setup();
    begin("x.A", NULL);
    answer_files(wrong, 2);
    ended_with(CODE_FAILED_PRECONDITION, "what it tells of itself are no descriptors");
    teardown();
    setup();
    begin("x.A", NULL);
    answer_file(NULL, "nameless", NULL, NULL);
    ended_with(CODE_FAILED_PRECONDITION, "what it tells of itself are no descriptors");
    free(wrong[0].data);
}
END_TEST

#define TOO_MUCH "it tells of more than 1024 files, or 512 KiB of them"

START_TEST(reflecting__files_are_bounded)
{
    enum { FILES_MAX = 1024 };
    static ProtobufCBinaryData files[FILES_MAX + 1];
    char name[32];
    for (int i = 0; i <= FILES_MAX; i++) {
        snprintf(name, sizeof name, "%d.proto", i);
        files[i] = file_of(name, NULL, NULL, NULL);
    }
    begin("x.A", NULL);
    answer_files(files, FILES_MAX);
    ended_with(0, "");
    ck_assert_uint_eq(set->n_file, FILES_MAX);
    ck_assert_str_eq(set->file[FILES_MAX - 1]->name, "1023.proto");
    teardown();
    setup();
    begin("x.A", NULL);
    answer_files(files, FILES_MAX + 1);
    ended_with(CODE_FAILED_PRECONDITION, TOO_MUCH);
    for (int i = 0; i <= FILES_MAX; i++)
        free(files[i].data);
}
END_TEST

/* A file of so many bytes, beside those that say how many these are. */
static ProtobufCBinaryData file_of_size(const char *name, size_t size)
{
    static char package[SET_BYTES_MAX + 1];
    ProtobufCBinaryData file = {.len = 0};
    for (size_t letters = size; file.len != size; letters--) {
        free(file.data);
        memset(package, 'x', letters);
        package[letters] = '\0';
        file = file_of(name, package, NULL, NULL);
    }
    return file;
}

/* Of them together, however they come. What a set of files takes beside the files is a few bytes. */
START_TEST(reflecting__bytes_are_bounded)
{
    static const size_t sizes[][2] = {
        {127, 128}, {16383, 16384}, {SET_BYTES_MAX / 2, SET_BYTES_MAX / 2 - 16}, {SET_BYTES_MAX - 100, 84}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int beyond = 0; beyond < 2; beyond++) {
            ProtobufCBinaryData files[] = {file_of_size("a.proto", sizes[i][0]), file_of_size("b.proto", sizes[i][1]),
                                           file_of_size("c.proto", 100)};
            setup();
            begin("x.A", "x.B");
            answer_files(files, 1);
            answer_files(&files[1], beyond ? 2 : 1);
            if (beyond && sizes[i][0] + sizes[i][1] > SET_BYTES_MAX / 2) {
                ended_with(CODE_FAILED_PRECONDITION, TOO_MUCH);
            } else {
                ended_with(0, "");
                ck_assert_uint_eq(set->n_file, beyond ? 3 : 2);
                ck_assert_uint_le(set_size, SET_BYTES_MAX);
                ck_assert_uint_eq(google__protobuf__file_descriptor_proto__get_packed_size(set->file[0]), sizes[i][0]);
                ck_assert_uint_eq(google__protobuf__file_descriptor_proto__get_packed_size(set->file[1]), sizes[i][1]);
            }
            teardown();
            for (int k = 0; k < 3; k++)
                free(files[k].data);
        }
}
END_TEST

/* One that has taken it all to the last byte leaves no room for another. */
START_TEST(reflecting__a_file_as_large_as_all_may_be_is_the_last)
{
    for (size_t size = SET_BYTES_MAX - 16; size <= SET_BYTES_MAX; size++) {
        ProtobufCBinaryData files[] = {file_of_size("a.proto", size), file_of_size("b.proto", 100)};
        setup();
        begin("x.A", NULL);
        answer_files(files, 2);
        ended_with(CODE_FAILED_PRECONDITION, TOO_MUCH);
        teardown();
        free(files[0].data);
        free(files[1].data);
    }
}
END_TEST

/* Whatever is answered, nobody asks on. */
START_TEST(reflecting__a_target_that_is_elsewhere_and_a_room_that_stops_are_asked_no_more)
{
    begin("x.A", NULL);
    target.retired = true;
    answer_file("a.proto", "x", "b.proto", NULL);
    ended_with(CODE_CANCELLED, "its address has changed meanwhile");
    teardown();
    setup();
    target.retired = false;
    begin("x.A", NULL);
    room.stopping = true;
    answer_status(CODE_UNIMPLEMENTED, "", NULL);
    ended_with(CODE_CANCELLED, "the sidecar is stopping");
}
END_TEST

/* All questions together have the time that was given. */
START_TEST(reflecting__questions_share_their_time)
{
    begin("x.A", "x.B");
    ck_assert(left.us > 0 && left.us <= SPAN_S(5).us);
    struct span first = left;
    answer_unknown();
    ck_assert(left.us < first.us && left.us > SPAN_S(1).us);
    answer_unknown();
    ended_with(0, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reflecting");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reflecting__every_file_is_asked_for_once);
    tcase_add_test(t, reflecting__what_it_does_not_know_is_left_out);
    tcase_add_test(t, reflecting__a_server_of_the_older_kind_is_asked_as_it_understands);
    tcase_add_test(t, reflecting__what_goes_wrong_is_told_in_words);
    tcase_add_test(t, reflecting__what_is_no_answer_ends_it);
    tcase_add_test(t, reflecting__files_are_bounded);
    tcase_add_test(t, reflecting__bytes_are_bounded);
    tcase_add_test(t, reflecting__a_file_as_large_as_all_may_be_is_the_last);
    tcase_add_test(t, reflecting__a_target_that_is_elsewhere_and_a_room_that_stops_are_asked_no_more);
    tcase_add_test(t, reflecting__questions_share_their_time);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
