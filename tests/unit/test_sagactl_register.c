/* sagactl register against a sidecar that the test makes up: what is found here, what the sidecar refuses, and what is sent when. */
#include "tests/support/told_files.h"

#define GOOD "name: a\nversion: 1.0.0\nsteps:\n  - {name: s, target: t, action: /p.S/A, compensation: none}\n"

static void register_setup(void)
{
    files_setup();
    put_text("good.yaml", GOOD);
    put_text("bad.yaml", "name: a\nversion: 1.0.0\nsteps:\n  - {name: s, color: red}\n");
    put_text("empty.yaml", "");
}

/* With --dry-run a file is looked at here first: what is wrong has its place, for people and for programs, and nothing is sent. */
START_TEST(register__finds_here_what_is_wrong)
{
    ck_assert_int_eq(sagactl("register --dry-run bad.yaml"), EXIT_REFUSED);
    ck_assert_msg(strncmp(complained, "bad.yaml:4:15: steps[0].color: ", 31) == 0, "%s", complained);
    ck_assert_str_eq(said, "");
    ck_assert_int_eq(sagactl("register --dry-run bad.yaml -o json"), EXIT_REFUSED);
    json_t *document = json_loads(complained, 0, NULL), *error = json_object_get(document, "error");
    ck_assert_str_eq(json_string_value(json_object_get(error, "file")), "bad.yaml");
    ck_assert_int_eq(json_integer_value(json_object_get(error, "line")), 4);
    ck_assert_int_eq(json_integer_value(json_object_get(error, "column")), 15);
    ck_assert_str_eq(json_string_value(json_object_get(error, "field")), "steps[0].color");
    ck_assert_str_eq(json_string_value(json_object_get(error, "reason")), "INVALID_ARGUMENT");
    ck_assert_str_ne(json_string_value(json_object_get(error, "message")), "");
    json_decref(document);
    /* Of several each is told of, and the first counts. */
    ck_assert_int_eq(sagactl("register --dry-run nowhere.yaml bad.yaml good.yaml"), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(complained, "sagactl: nowhere.yaml: No such file or directory\nbad.yaml:4:15: "));
    ck_assert_int_eq(sagactl("register --dry-run bad.yaml nowhere.yaml"), EXIT_REFUSED);
}
END_TEST

/* What the sidecar refuses is told of the file; what did not reach it is not. */
START_TEST(register__names_the_file_that_is_refused)
{
    static const struct {
        int code;
        const char *reason;
        int status;
        const char *says;
    } cases[] = {{SAGA_E_INVALID_ARGUMENT, "DEFINITION_INVALID", EXIT_REFUSED, "sagactl: good.yaml: it is refused"},
                 {SAGA_E_PERMISSION_DENIED, NULL, EXIT_REFUSED, "sagactl: good.yaml: it is refused"},
                 {SAGA_E_UNAVAILABLE, NULL, EXIT_UNREACHABLE, "sagactl: it is refused"},
                 {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, EXIT_UNREACHABLE, "sagactl: it is refused"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        tell("RegisterDefinition", NULL);
        told[0].code = cases[i].code;
        told[0].reason = cases[i].reason;
        ck_assert_int_eq(sagactl("register good.yaml"), cases[i].status);
        ck_assert_msg(strncmp(complained, cases[i].says, strlen(cases[i].says)) == 0, "%s", complained);
        ck_assert_str_eq(said, "");
    }
    /* Where a file is only tried and there is no sidecar it was looked at here, which is something. */
    anew();
    tell("RegisterDefinition", NULL);
    told[0].code = SAGA_E_UNAVAILABLE;
    told[0].reason = SAGA_REASON_UNREACHABLE;
    ck_assert_int_eq(sagactl("register --dry-run good.yaml"), EXIT_DONE);
    ck_assert_str_eq(complained, "sagactl: no sidecar answers at unix:here.sock: only checked here\n");
    anew();
    tell("RegisterDefinition", NULL);
    told[0].code = SAGA_E_UNAVAILABLE;
    told[0].reason = SAGA_REASON_LOST;
    ck_assert_int_eq(sagactl("register --dry-run good.yaml"), EXIT_UNREACHABLE);
}
END_TEST

/* Several are all tried before the first is sent, and of the trial nothing is told; a program has a line for each. */
START_TEST(register__tries_all_before_the_first)
{
    Saga__V1__RegisterDefinitionResponse answer = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
    answer.name = text("a");
    answer.version = text("1.0.0");
    for (int json = 0; json < 2; json++) {
        anew();
        for (int i = 0; i < 4; i++)
            tell("RegisterDefinition", &answer.base);
        ck_assert_int_eq(sagactl(json ? "register good.yaml good.yaml -o json" : "register good.yaml good.yaml"),
                         EXIT_DONE);
        unsigned lines = 0;
        for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
            lines++;
        ck_assert_msg(lines == 2, "%s", said);
        ck_assert_int_eq(said[0], json ? '{' : 'a');
        for (unsigned i = 0; i < 4; i++) {
            Saga__V1__RegisterDefinitionRequest *request = ASKED(saga__v1__register_definition_request, i);
            ck_assert_int_eq(request->dry_run, i < 2);
            ck_assert_uint_eq(request->source.len, strlen(GOOD));
            saga__v1__register_definition_request__free_unpacked(request, NULL);
        }
    }
    anew();
    tell("RegisterDefinition", &answer.base);
    tell("RegisterDefinition", NULL);
    told[1].code = SAGA_E_INVALID_ARGUMENT;
    ck_assert_int_eq(sagactl("register good.yaml bad.yaml"), EXIT_REFUSED);
    ck_assert_str_eq(said, "");
    ck_assert_ptr_nonnull(strstr(complained, "sagactl: bad.yaml: it is refused"));
}
END_TEST

/* Targets are asked of nothing for a definition that is none, or that has no schema to register. */
START_TEST(register__reflects_for_a_schema_alone)
{
    ck_assert_int_eq(sagactl("register --reflect bad.yaml"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(complained, "bad.yaml:4:15: steps[0].color: "));
    ck_assert_int_eq(sagactl("register --reflect good.yaml"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: good.yaml: names no schema, which would be that of its targets' types\n");
    /* And what the sidecar cannot be told by a target is registered by nobody. */
    put_text("typed.yaml", "name: a\nversion: 1.0.0\nschema: shop\ninput: shop.Order\nsteps:\n"
                           "  - {name: s, target: t, action: /p.S/A, compensation: none}\n");
    tell("Reflect", NULL);
    told[0].code = SAGA_E_PERMISSION_DENIED;
    ck_assert_int_eq(sagactl("register --reflect typed.yaml"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(complained, "it is refused"));
    ck_assert_str_eq(said, "");
}
END_TEST

/* What became of each file is told, as its name and the beginning of what names its content. */
START_TEST(schema_register__tells_what_became_of_a_file)
{
    static const struct {
        const char *words, *says;
        bool already;
    } cases[] = {{"schema register shop.binpb", "shop 0123456789ab registered\n", false},
                 {"schema register shop.binpb", "shop 0123456789ab was registered already\n", true},
                 {"schema register shop.binpb --name other", "other 0123456789ab registered\n", false},
                 {"schema register shop.binpb --dry-run", "shop 0123456789ab would be registered\n", false}};
    Saga__V1__RegisterSchemaResponse answer = SAGA__V1__REGISTER_SCHEMA_RESPONSE__INIT;
    answer.hash = text("0123456789abcdef");
    put_text("shop.binpb", "the bytes");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer.already_registered = cases[i].already;
        anew();
        tell("RegisterSchema", &answer.base);
        SHOWS(cases[i].words, cases[i].says);
        Saga__V1__RegisterSchemaRequest *request = ASKED(saga__v1__register_schema_request, 0);
        ck_assert_int_eq(request->dry_run, i == 3);
        ck_assert_uint_eq(request->descriptors.len, strlen("the bytes"));
        ck_assert_mem_eq(request->descriptors.data, "the bytes", strlen("the bytes"));
        saga__v1__register_schema_request__free_unpacked(request, NULL);
    }
    anew();
    tell("RegisterSchema", &answer.base);
    ck_assert_int_eq(sagactl("schema register shop.binpb -o json"), EXIT_DONE);
    assert_json(said, "{'already_registered':false,'hash':'0123456789abcdef'}");
}
END_TEST

/* A program has a definition with all that the sidecar says of it. */
START_TEST(definitions__are_shown_to_a_program)
{
    Saga__V1__Definition answer = SAGA__V1__DEFINITION__INIT;
    answer.name = text("a");
    answer.version = text("1.0.0");
    answer.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "x", .len = 1};
    tell("GetDefinition", &answer.base);
    ck_assert_int_eq(sagactl("definitions a -o json"), EXIT_DONE);
    json_t *document = json_loads(said, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(document, "name")), "a");
    ck_assert_str_eq(json_string_value(json_object_get(document, "source")), "eA==");
    json_decref(document);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_register");
    TCase *tc = tcase_create("register");
    tcase_add_checked_fixture(tc, register_setup, files_teardown);
    tcase_add_test(tc, register__finds_here_what_is_wrong);
    tcase_add_test(tc, register__names_the_file_that_is_refused);
    tcase_add_test(tc, register__tries_all_before_the_first);
    tcase_add_test(tc, register__reflects_for_a_schema_alone);
    tcase_add_test(tc, schema_register__tells_what_became_of_a_file);
    tcase_add_test(tc, definitions__are_shown_to_a_program);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
