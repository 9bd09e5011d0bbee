/* sagactl contract: what a sidecar has of a participant, and what a change of its messages breaks of that. */
#include "tests/support/told_files.h"
#include "tests/support/trades.h"

#define ORDER \
    "{\"name\":\"order\",\"version\":\"1.0.0\",\"source\":\"name: order\\nversion: 1.0.0\\nsteps:\\n" \
    "  - {name: a, target: stock, action: /trades.v1.Inventory/Reserve, compensation: " \
    "/trades.v1.Inventory/Gone}\\n\"}"
#define OTHER \
    "{\"name\":\"other\",\"version\":\"1.0.0\",\"source\":\"name: other\\nversion: 1.0.0\\nsteps:\\n" \
    "  - {name: a, target: bank, action: /p.S/A, compensation: none}\\n\"}"
#define BOTH  "{\"contract\":1,\"target\":\"stock\",\"definitions\":[" ORDER "," OTHER "]}"
#define ALONE "{\"contract\":1,\"target\":\"stock\",\"definitions\":[" OTHER "]}"

static void contract_setup(void)
{
    files_setup();
    put_bytes("trades.binpb", trades, trades_size);
    put_text("both.json", BOTH);
    put_text("other.json", ALONE);
}

/* What a sidecar of wider bounds has registered is read, too. */
START_TEST(contract__has_what_a_sidecar_has_taken)
{
    static const char source[] = "name: wide\nversion: 1.0.0\ndeadline: 800h\nsteps:\n"
                                 "  - {name: a, target: bank, action: /p.S/A, compensation: none,\n"
                                 "     fallback: {last_good: {key: k, max_age: 700h}}}\n";
    Saga__V1__ListDefinitionsResponse all = SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT;
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT, *list[] = {&d};
    all.definitions = list;
    all.n_definitions = 1;
    d.name = text("wide");
    d.version = text("1.0.0");
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)source, .len = sizeof source - 1};
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d.base);
    ck_assert_msg(sagactl("contract export --target bank") == EXIT_DONE, "%s", complained);
    json_t *contract = json_loads(said, 0, NULL);
    const json_t *one = json_array_get(json_object_get(contract, "definitions"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(one, "source")), source);
    json_decref(contract);
    anew();
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d.base);
    ck_assert_int_eq(sagactl("contract export --target shop"), EXIT_NOT_FOUND);
    ck_assert_str_eq(complained, "sagactl: no registered definition calls shop\n");
    /* Of one definition, without those whose names only begin so. */
    Saga__V1__Definition wider = SAGA__V1__DEFINITION__INIT, *both[] = {&d, &wider};
    wider.name = text("wider");
    wider.version = text("1.0.0");
    all.definitions = both;
    all.n_definitions = 2;
    anew();
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d.base);
    ck_assert_msg(sagactl("contract export --target bank --definition wide") == EXIT_DONE, "%s", complained);
    Saga__V1__GetDefinitionRequest *request = ASKED(saga__v1__get_definition_request, 1);
    ck_assert_str_eq(request->name, "wide");
    protobuf_c_message_free_unpacked(&request->base, NULL);
}
END_TEST

/* With a definition go the descriptors that it was registered with, once; of what calls the participant not neither is in it. */
START_TEST(contract__has_the_descriptors_of_its_definitions)
{
    static const char calls[] = "name: x\nversion: 1.0.0\nsteps:\n"
                                "  - {name: a, target: bank, action: /p.S/A, compensation: none}\n";
    Saga__V1__ListDefinitionsResponse all = SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT;
    Saga__V1__Definition d[3], *list[3];
    Saga__V1__Schema schema = SAGA__V1__SCHEMA__INIT;
    for (int i = 0; i < 3; i++) {
        saga__v1__definition__init(&d[i]);
        list[i] = &d[i];
        d[i].name = text("x");
        d[i].version = text(i == 0 ? "1.0.0" : i == 1 ? "2.0.0" : "3.0.0");
        d[i].source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)calls, .len = sizeof calls - 1};
        d[i].schema_hash = text(i < 2 ? "0123" : "");
    }
    schema.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "abcd", .len = 4};
    all.definitions = list;
    all.n_definitions = 3;
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d[0].base);
    tell("GetSchema", &schema.base);
    tell("GetDefinition", &d[1].base);
    tell("GetDefinition", &d[2].base);
    ck_assert_msg(sagactl("contract export --target bank") == EXIT_DONE, "%s", complained);
    assert_asked(1, &saga__v1__get_definition_request__descriptor, "{'name':'x','version':'1.0.0'}");
    assert_asked(2, &saga__v1__get_schema_request__descriptor, "{'hash':'0123'}");
    assert_asked(3, &saga__v1__get_definition_request__descriptor, "{'name':'x','version':'2.0.0'}");
    json_t *contract = json_loads(said, 0, NULL);
    assert_value(json_object_get(contract, "schemas"), "{'0123':'YWJjZA=='}");
    ck_assert_str_eq(json_string_value(json_object_get(contract, "target")), "bank");
    ck_assert_uint_eq(json_array_size(json_object_get(contract, "definitions")), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_array_get(json_object_get(contract, "definitions"), i);
        ck_assert_str_eq(json_string_value(json_object_get(one, "version")), d[i].version);
        ck_assert_int_eq(json_object_get(one, "schema") != NULL, i < 2);
    }
    json_decref(contract);
    d[0].source.len = 8; /* cannot be read */
    anew();
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d[0].base);
    ck_assert_int_eq(sagactl("contract export --target bank"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(complained, "a definition of the contract cannot be read: "));
    anew();
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d[1].base);
    tell("GetSchema", NULL);
    told[2].code = SAGA_E_PERMISSION_DENIED;
    ck_assert_int_eq(sagactl("contract export --target bank"), EXIT_REFUSED);
    ck_assert_str_eq(said, "");
    /* Neither is asked for what another participant alone is called by. */
    all.n_definitions = 1;
    anew();
    tell("ListDefinitions", &all.base);
    tell("GetDefinition", &d[1].base);
    ck_assert_int_eq(sagactl("contract export --target shop"), EXIT_NOT_FOUND);
}
END_TEST

/* ---- check ---- */

/* What a change breaks, and of how many definitions how many calls were looked at. */
START_TEST(contract__is_checked)
{
    ck_assert_int_eq(sagactl("contract check --schema trades.binpb --contract both.json"), EXIT_REFUSED);
    ck_assert_str_eq(said,
                     "trades.binpb: error: order 1.0.0, compensation of a: /trades.v1.Inventory/Gone is not there any "
                     "more [method-removed]\ntrades.binpb: 1 error\n");
    ck_assert_str_eq(complained, "");
    ck_assert_int_eq(sagactl("contract check --schema trades.binpb --contract both.json -o json"), EXIT_REFUSED);
    ck_assert_ptr_null(strstr(said, "not checked"));
    ck_assert_ptr_nonnull(strstr(said, "\"calls\": 2,\n  \"definitions\": 1\n"));
    ck_assert_ptr_nonnull(strstr(said, "\"method-removed\""));
    ck_assert_int_eq(sagactl("contract check --schema trades.binpb --contract both.json -o sarif"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "\"ruleId\": \"method-removed\""));
    ck_assert_int_eq(sagactl("contract check --schema trades.binpb --contract other.json"), EXIT_DONE);
    ck_assert_str_eq(said, "trades.binpb: good\n");
    ck_assert_str_eq(complained, "sagactl: no definition of the contract calls anything of it\n");
}
END_TEST

/* However long a definition and its requests are, and however many steps it has: what a sidecar may be set to take is read. */
START_TEST(contract__of_wide_definitions_is_checked)
{
    enum { COMMENT = 300000, REQUEST = 1100000, STEPS = 256 };
    char *source, *wide = malloc(COMMENT + REQUEST + 1);
    size_t size;
    memset(wide, 'x', COMMENT + REQUEST);
    wide[COMMENT + REQUEST] = '\0';
    FILE *out = open_memstream(&source, &size);
    fprintf(out,
            "{\"contract\":1,\"target\":\"stock\",\"definitions\":[{\"name\":\"wide\",\"version\":\"1.0.0\","
            "\"source\":\"# %.*s\\nname: wide\\nversion: 1.0.0\\nsteps:\\n  - {name: s, target: stock, action: "
            "{method: /trades.v1.Inventory/Gone, request: {constant: %.*s}}, compensation: none}\\n",
            COMMENT, wide, REQUEST, wide);
    for (int i = 1; i < STEPS; i++)
        fprintf(out, "  - {name: s%d, target: stock, action: /trades.v1.Inventory/Gone, compensation: none}\\n", i);
    fputs("\"}]}", out);
    fclose(out);
    put_bytes("wide.json", source, size);
    free(source);
    free(wide);
    ck_assert_int_eq(sagactl("contract check --schema trades.binpb --contract wide.json"), EXIT_REFUSED);
    ck_assert_msg(strstr(said, "trades.binpb: error: wide 1.0.0, action of s255: ") != NULL, "%.500s%s", said,
                  complained);
}
END_TEST

/* What is no contract, or none that can be read, is compared with nothing. */
START_TEST(contract__is_refused)
{
    static const struct {
        const char *contract;
        int status;
        const char *complaint;
    } cases[] = {
        {"{}", EXIT_USAGE, "it.json: is no contract: make one with sagactl contract export\n"},
        {"no", EXIT_USAGE, "it.json: is no contract: make one with sagactl contract export\n"},
        {"{\"contract\":2}", EXIT_USAGE, "it.json: is a contract of a later sagactl\n"},
        {"{\"contract\":1,\"definitions\":[{}]}", EXIT_REFUSED, "a definition of the contract has no source\n"},
        {"{\"contract\":1,\"definitions\":[{\"source\":\"name: a\\nversion: 1.0.0\\nsteps: []\\n\"}]}", EXIT_REFUSED,
         "a definition of the contract cannot be read: 3:8: steps: must hold at least one step\n"},
        {"{\"contract\":1,\"definitions\":[{\"source\":\"\",\"schema\":\"abc\"}],\"schemas\":{\"abd\":\"\"}}",
         EXIT_REFUSED, "the contract has no descriptors abc\n"},
        {"{\"contract\":1,\"definitions\":[{\"source\":\"\",\"schema\":\"abc\"}],\"schemas\":{\"abc\":\"*\"}}",
         EXIT_REFUSED, "the contract has no descriptors abc\n"},
        {"{\"contract\":1,\"definitions\":[{\"source\":\"\",\"schema\":\"abc\"}],\"schemas\":{\"abc\":\"YWJj\"}}",
         EXIT_REFUSED, "the contract's descriptors abc cannot be read: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text("it.json", cases[i].contract);
        int status = sagactl("contract check --schema trades.binpb --contract it.json");
        ck_assert_msg(status == cases[i].status, "%s: %d", cases[i].contract, status);
        ck_assert_msg(strncmp(complained, "sagactl: ", 9) == 0 &&
                          strncmp(complained + 9, cases[i].complaint, strlen(cases[i].complaint)) == 0,
                      "%s", complained);
        ck_assert_str_eq(strchr(complained, '\n'), "\n"); /* and once */
    }
    ck_assert_int_eq(sagactl("contract check --schema trades.binpb --contract nowhere.json"), EXIT_USAGE);
    ck_assert_int_eq(sagactl("contract check --schema nowhere.binpb --contract both.json"), EXIT_USAGE);
    /* Of one participant, by its file or the folder that has it alone. */
    ck_assert_int_eq(sagactl("contract check --schema . --contract both.json"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "");
    put_bytes("more.binpb", trades, trades_size);
    ck_assert_int_eq(sagactl("contract check --schema . --contract both.json"), EXIT_USAGE);
    ck_assert_str_eq(complained, "sagactl: --schema: one file, of one participant\n");
    ck_assert_str_eq(said, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_contract");
    TCase *tc = tcase_create("contract");
    tcase_add_checked_fixture(tc, contract_setup, files_teardown);
    tcase_add_test(tc, contract__has_the_descriptors_of_its_definitions);
    tcase_add_test(tc, contract__has_what_a_sidecar_has_taken);
    tcase_add_test(tc, contract__is_checked);
    tcase_add_test(tc, contract__is_refused);
    tcase_add_test(tc, contract__of_wide_definitions_is_checked);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
