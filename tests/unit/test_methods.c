/* The table of methods against the services in proto/: a row for each rpc, with its messages, and a place for each field that it goes by. */
#include "sidecar/api/methods.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

static const ProtobufCServiceDescriptor *const services[] = {&saga__v1__coordinator__descriptor,
                                                             &saga__v1__operator__descriptor};

static int row_of(const char *path)
{
    for (int id = 0; id < METHOD_COUNT; id++)
        if (strcmp(methods_served[id].path, path) == 0)
            return id;
    return -1;
}

START_TEST(methods__are_those_of_the_services)
{
    unsigned count = 0;
    char path[128];
    for (size_t s = 0; s < 2; s++)
        for (unsigned i = 0; i < services[s]->n_methods; i++, count++) {
            const ProtobufCMethodDescriptor *m = &services[s]->methods[i];
            snprintf(path, sizeof path, "/%s/%s", services[s]->name, m->name);
            int id = row_of(path);
            ck_assert_msg(id >= 0, "%s has no row", path);
            ck_assert_ptr_eq(methods[id].request, m->input);
            ck_assert_ptr_eq(methods[id].response, m->output);
            ck_assert_int_eq(methods_served[id].id, id);
        }
    ck_assert_uint_eq(count, METHOD_COUNT);
}
END_TEST

START_TEST(methods__do_one_thing_each)
{
    for (int id = 0; id < METHOD_COUNT; id++) {
        const struct method *m = &methods[id];
        const char *path = methods_served[id].path;
        ck_assert_msg((m->decode != NULL) + (m->act != NULL) + (m->read != NULL) + (m->take != NULL) == 1, "%s", path);
        ck_assert_msg(m->answer == NULL || m->decode != NULL || m->act != NULL, "%s", path);
        /* Those of the whole fleet are filled in by the relay. */
        ck_assert_msg(m->response->n_fields == 0 || id == METHOD_CHANGE_BULK || m->answer != NULL || m->read != NULL || m->take != NULL,
                      "%s: who fills its response in?", path);
        ck_assert_msg(m->role >= ROLE_VIEWER && m->role <= ROLE_OPERATOR, "%s", path);
        ck_assert_msg((m->take == NULL) == (methods_served[id].kind != RPC_BIDI), "%s", path);
        ck_assert_int_eq(methods_find(m->request), id);
    }
    ck_assert_int_eq(methods_find(&saga__v1__saga__descriptor), METHOD_COUNT);
}
END_TEST

static const ProtobufCFieldDescriptor *field(const ProtobufCMessageDescriptor *type, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(type, name);
}

START_TEST(methods__have_the_fields_that_they_go_by)
{
    for (int id = 0; id < METHOD_COUNT; id++) {
        const struct method *m = &methods[id];
        const char *path = methods_served[id].path;
        switch (m->route) {
        case ROUTE_SAGA:
        case ROUTE_REQUEST:
        case ROUTE_EVENTS:
            ck_assert_msg(m->key != NULL && field(m->request, m->key) != NULL &&
                              field(m->request, m->key)->type == PROTOBUF_C_TYPE_STRING,
                          "%s", path);
            break;
        case ROUTE_PAGES_NEWEST:
        case ROUTE_PAGES_OLDEST:
            ck_assert_msg(field(m->request, "page_size") != NULL && field(m->request, "page_token") != NULL &&
                              field(m->response, "sagas") != NULL && field(m->response, "next_page_token") != NULL,
                          "%s", path);
            break;
        case ROUTE_ALL: /* joined, lists remain of them */
            ck_assert_msg(m->key == NULL && m->response->n_fields > 0, "%s", path);
            for (unsigned f = 0; f < m->response->n_fields; f++)
                ck_assert_msg(m->response->fields[f].label == PROTOBUF_C_LABEL_REPEATED, "%s", path);
            break;
        case ROUTE_COMMANDS:
            ck_assert_msg(field(m->request, m->key) != NULL, "%s", path);
            break;
        default:
            ck_assert_msg(m->key == NULL && (m->route == ROUTE_FIRST || m->route == ROUTE_FIRST_THEN_ALL), "%s", path);
        }
    }
}
END_TEST

/* What Pipe takes has a decoder, goes by an id, and has a field for its response. */
START_TEST(methods__every_command_has_its_result)
{
    const ProtobufCMessageDescriptor *command = &saga__v1__command__descriptor, *result = &saga__v1__result__descriptor;
    for (unsigned i = 0; i < command->n_fields; i++) {
        enum method_id id = methods_find(command->fields[i].descriptor);
        ck_assert_int_lt(id, METHOD_COUNT);
        ck_assert(methods[id].decode != NULL);
        ck_assert(methods[id].route == ROUTE_SAGA || methods[id].route == ROUTE_REQUEST);
        ck_assert_ptr_nonnull(field(result, command->fields[i].name));
        ck_assert_ptr_eq(field(result, command->fields[i].name)->descriptor, methods[id].response);
    }
    ck_assert_uint_eq(result->n_fields, command->n_fields + 1); /* and the error */
}
END_TEST

START_TEST(methods__a_key_is_read_from_the_unpacked_request)
{
    Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    start.request_id = (char *)(uintptr_t) "mine";
    abort.saga_id = (char *)(uintptr_t) "id";
    ck_assert_str_eq(methods_key(METHOD_START, &start.base), "mine");
    ck_assert_str_eq(methods_key(METHOD_ABORT, &abort.base), "id");
}
END_TEST

/* "RegisterSchemaRequest" as "register_schema_request". */
static void write_small(const char *name, char text[128])
{
    size_t used = 0;
    for (size_t i = 0; name[i] != '\0' && used + 2 < 128; i++) {
        bool capital = name[i] >= 'A' && name[i] <= 'Z';
        if (capital && i > 0)
            text[used++] = '_';
        text[used++] = (char)(capital ? name[i] - 'A' + 'a' : name[i]);
    }
    text[used] = '\0';
}

/* The corpus of tests/fuzz/fuzz_proto.c has each; of Pipe's several. */
START_TEST(methods__every_request_is_fuzzed)
{
    for (int id = 0; id < METHOD_COUNT; id++) {
        char name[128], path[256];
        write_small(methods[id].request->short_name, name);
        snprintf(path, sizeof path, "tests/fuzz/corpus/proto/%s", id == METHOD_PIPE ? "pipe_start" : name);
        FILE *file = fopen(path, "r");
        ck_assert_msg(file != NULL, "%s is not there: a message of %s that fuzz_proto begins with", path, name);
        fclose(file);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("methods");
    TCase *tc = tcase_create("methods");
    tcase_add_test(tc, methods__are_those_of_the_services);
    tcase_add_test(tc, methods__do_one_thing_each);
    tcase_add_test(tc, methods__have_the_fields_that_they_go_by);
    tcase_add_test(tc, methods__every_request_is_fuzzed);
    tcase_add_test(tc, methods__every_command_has_its_result);
    tcase_add_test(tc, methods__a_key_is_read_from_the_unpacked_request);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
