/* Definitions, schemas and runbooks in sagactl: shown, registered. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/runbook.h"
#include "tests/support/shapes.h"
#include "tests/support/told_sidecar.h"

#include <unistd.h>

/* ---- definitions ---- */

/* All pages are shown, and what they ask for next leads on. */
START_TEST(definitions__are_shown_page_by_page)
{
    Saga__V1__ListDefinitionsResponse pages[2] = {SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT,
                                                  SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT};
    Saga__V1__Definition d[3] = {SAGA__V1__DEFINITION__INIT, SAGA__V1__DEFINITION__INIT, SAGA__V1__DEFINITION__INIT},
                         *all[] = {&d[0], &d[1], &d[2]};
    static const char *const names[] = {"order", "refund", "send"};
    for (int i = 0; i < 3; i++) {
        d[i].name = text(names[i]);
        d[i].version = text("1.0.0");
    }
    pages[0].definitions = all;
    pages[0].n_definitions = 2;
    pages[0].next_page_token = text("refund");
    pages[1].definitions = all + 2;
    pages[1].n_definitions = 1;
    tell("ListDefinitions", &pages[0].base);
    tell("ListDefinitions", &pages[1].base);
    ck_assert_msg(sagactl("definitions") == EXIT_DONE, "%s", complained);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(strstr(said, names[i]) != NULL, "%s is not in %s", names[i], said);
    Saga__V1__ListDefinitionsRequest *request = ASKED(saga__v1__list_definitions_request, 1);
    ck_assert_str_eq(request->page_token, "refund");
    saga__v1__list_definitions_request__free_unpacked(request, NULL);
}
END_TEST

/* Where a page does not come that is said, and ends the command: what there is, is not all of it. */
START_TEST(lists__say_that_a_page_does_not_come)
{
    static const struct {
        const char *words, *method, *shown; /* of the page before */
    } cases[] = {{"definitions", "ListDefinitions", ""},
                 {"definitions -o json", "ListDefinitions", ""},
                 {"schema list", "ListSchemas", "order "},
                 {"schema list -o json", "ListSchemas", "\"order\""}};
    Saga__V1__ListDefinitionsResponse definitions = SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT;
    Saga__V1__ListSchemasResponse schemas = SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT;
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT, *one_definition[] = {&d};
    Saga__V1__Schema s = SAGA__V1__SCHEMA__INIT, *one_schema[] = {&s};
    d.name = s.name = definitions.next_page_token = schemas.next_page_token = text("order");
    d.version = text("1.0.0");
    definitions.definitions = one_definition;
    schemas.schemas = one_schema;
    definitions.n_definitions = schemas.n_schemas = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (unsigned pages = 0; pages < 2; pages++) { /* that come */
            anew();
            if (pages > 0)
                tell(cases[i].method, i < 2 ? &definitions.base : &schemas.base);
            tell(cases[i].method, NULL);
            told[pages].code = SAGA_E_UNAVAILABLE;
            ck_assert_msg(sagactl(cases[i].words) == EXIT_UNREACHABLE, "%s: %s", cases[i].words, said);
            ck_assert_msg(pages == 0 || cases[i].shown[0] == '\0' ? said[0] == '\0'
                                                                  : strstr(said, cases[i].shown) != NULL,
                          "%s: %s", cases[i].words, said);
            ck_assert_ptr_nonnull(strstr(complained, "it is refused"));
        }
}
END_TEST

START_TEST(definitions__shows_the_version_that_is_asked_for)
{
    static const char source[] = "name: order\nversion: 1.0.0\nsteps:\n  - {name: s, target: t, action: /p.S/A}\n";
    static const char *const words[] = {"definitions order 1.0.0", "definitions order", "graph order --version 1.0.0"};
    Saga__V1__Definition answer = SAGA__V1__DEFINITION__INIT;
    answer.source.data = (uint8_t *)(uintptr_t)source;
    answer.source.len = sizeof source - 1;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        anew();
        tell("GetDefinition", &answer.base);
        ck_assert_msg(sagactl(words[i]) == EXIT_DONE, "%s", complained);
        if (i < 2)
            ck_assert_str_eq(said, source);
        else
            ck_assert_ptr_nonnull(strstr(said, "order 1.0.0\n"));
        Saga__V1__GetDefinitionRequest *request = ASKED(saga__v1__get_definition_request, 0);
        ck_assert_str_eq(request->name, "order");
        ck_assert_str_eq(request->version, i == 1 ? "" : "1.0.0");
        saga__v1__get_definition_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* Whatever sent it may not be a sidecar, and a pipe may end on a terminal: what is no part of a YAML text is not shown as it is. */
START_TEST(definitions__let_nothing_steer_a_terminal)
{
    static const struct {
        const char *source, *shown;
    } cases[] = {{"a: b\n\tc\r\nd", "a: b\n\tc\r\nd"},
                 {"a\rb\033[2J\177\007", "a?b?[2J??"},
                 {"\r", "?"},
                 {"\xc2\x9f\xc2\x80\xc2\x9b", "\xc2\xbf\xc2\xbf\xc2\xbf"},
                 {"\xc2\xa0\xc3\x9b\xe2\x82\x80", "\xc2\xa0\xc3\x9b\xe2\x82\x80"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Saga__V1__Definition answer = SAGA__V1__DEFINITION__INIT;
        answer.source.data = (uint8_t *)(uintptr_t)cases[i].source;
        answer.source.len = strlen(cases[i].source);
        anew();
        tell("GetDefinition", &answer.base);
        SHOWS("definitions order", cases[i].shown);
    }
}
END_TEST

/* Of several files each is told of, and it ends as the first that was refused. */
START_TEST(register__says_what_came_of_each_file)
{
    static const struct {
        const char *option, *words;
        bool already;
    } cases[] = {{"", "order 1.0.0 registered\n", false},
                 {"", "order 1.0.0 was registered already\n", true},
                 {" --dry-run", "order 1.0.0 would be registered\n", false},
                 {" --dry-run", "order 1.0.0 is registered already\n", true}};
    Saga__V1__RegisterDefinitionResponse answer = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
    Saga__V1__Finding findings[2] = {SAGA__V1__FINDING__INIT, SAGA__V1__FINDING__INIT};
    Saga__V1__Finding *list[] = {&findings[0], &findings[1]};
    char path[] = "/tmp/saga-register-XXXXXX", words[160], expected[400];
    /* How long a saga may take is the sidecar's to say, and not this program's. */
    write_file(path, "name: order\nversion: 1.0.0\ndeadline: 800h\nsteps:\n  - {name: s, target: t, action: /p.S/A}\n");
    answer.name = text("order");
    answer.version = text("1.0.0");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        answer.already_registered = cases[i].already;
        tell("RegisterDefinition", &answer.base);
        snprintf(words, sizeof words, "register %s%s", path, cases[i].option);
        SHOWS(words, cases[i].words);
        Saga__V1__RegisterDefinitionRequest *request = ASKED(saga__v1__register_definition_request, 0);
        ck_assert_int_eq(request->dry_run, cases[i].option[0] != '\0');
        saga__v1__register_definition_request__free_unpacked(request, NULL);
    }
    /* A rule of a policy knows no place. */
    for (int i = 0; i < 2; i++) {
        findings[i].warning = true;
        findings[i].rule = text("odd");
        findings[i].message = text("it is odd");
        findings[i].line = i == 0 ? 1 : 0;
        findings[i].column = i == 0 ? 5 : 0;
        findings[i].field = text(i == 0 ? "steps[0]" : "");
    }
    answer.findings = list;
    answer.n_findings = 2;
    anew();
    tell("RegisterDefinition", &answer.base);
    snprintf(words, sizeof words, "register %s", path);
    ck_assert_int_eq(sagactl(words), EXIT_DONE);
    snprintf(expected, sizeof expected, "%s:1:5: warning: steps[0]: it is odd [odd]\n%s: warning: it is odd [odd]\n",
             path, path);
    ck_assert_str_eq(complained, expected);
    anew();
    tell("RegisterDefinition", NULL);
    told[0].code = SAGA_E_FAILED_PRECONDITION;
    tell("RegisterDefinition", &answer.base);
    snprintf(words, sizeof words, "register --dry-run %s %s", path, path);
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_str_eq(said, "order 1.0.0 is registered already\n");
    /* Where one cannot be read none is sent. */
    anew();
    snprintf(words, sizeof words, "register /nowhere.yaml %s", path);
    ck_assert_int_eq(sagactl(words), EXIT_USAGE);
    unlink(path);
}
END_TEST

/* Each target is asked once, for every service that its calls are of, and no other. */
START_TEST(register__asks_targets_for_their_types)
{
    static const char *const services[2][2] = {{"shop.StockKeeper", "shop.Stock"}, {"mail.Mail", "mail.Undo"}};
    static const char *const targets[] = {"shop", "mail"};
    Saga__V1__ReflectResponse reflected = SAGA__V1__REFLECT_RESPONSE__INIT;
    Saga__V1__RegisterSchemaResponse schema = SAGA__V1__REGISTER_SCHEMA_RESPONSE__INIT;
    Saga__V1__RegisterDefinitionResponse answer = SAGA__V1__REGISTER_DEFINITION_RESPONSE__INIT;
    char path[] = "/tmp/saga-register-XXXXXX", words[64];
    /* Of a file its name alone; it is told of by both, and registered once. */
    static const char set[] = "\n\003\n\001a", two[] = "\n\003\n\001a\n\003\n\001b";
    write_file(path, "name: order\nversion: 1.0.0\nschema: trade\ndeadline: 800h\nsteps:\n"
                     "  - {name: a, target: shop, action: /shop.StockKeeper/A, compensation: /shop.Stock/B}\n"
                     "  - {name: b, target: mail, action: /mail.Mail/A, compensation: /mail.Undo/A}\n"
                     "  - {name: c, target: shop, action: /shop.Stock/C, compensation: none}\n");
    snprintf(words, sizeof words, "register --reflect %s", path);
    Saga__V1__ReflectResponse more = reflected;
    reflected.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)set, .len = sizeof set - 1};
    more.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)two, .len = sizeof two - 1};
    tell("Reflect", &reflected.base);
    tell("Reflect", &more.base);
    tell("RegisterSchema", &schema.base);
    tell("RegisterDefinition", &answer.base);
    ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
    unlink(path);
    for (unsigned i = 0; i < 2; i++) {
        Saga__V1__ReflectRequest *request = ASKED(saga__v1__reflect_request, i);
        ck_assert_str_eq(request->target, targets[i]);
        ck_assert_uint_eq(request->n_services, 2);
        ck_assert_str_eq(request->services[0], services[i][0]);
        ck_assert_str_eq(request->services[1], services[i][1]);
        saga__v1__reflect_request__free_unpacked(request, NULL);
    }
    Saga__V1__RegisterSchemaRequest *request = ASKED(saga__v1__register_schema_request, 2);
    ck_assert_str_eq(request->name, "trade");
    ck_assert_uint_eq(request->descriptors.len, sizeof two - 1);
    ck_assert_mem_eq(request->descriptors.data, two, sizeof two - 1);
    saga__v1__register_schema_request__free_unpacked(request, NULL);
}
END_TEST

/* ---- schemas ---- */

START_TEST(schemas__are_shown_page_by_page)
{
    Saga__V1__ListSchemasResponse pages[2] = {SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT,
                                              SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT};
    Saga__V1__Schema s[2] = {SAGA__V1__SCHEMA__INIT, SAGA__V1__SCHEMA__INIT}, *all[] = {&s[0], &s[1]};
    s[0].name = text("shop");
    s[1].name = text("bank");
    for (int i = 0; i < 2; i++) {
        pages[i].schemas = all + i;
        pages[i].n_schemas = 1;
    }
    pages[0].next_page_token = text("shop");
    tell("ListSchemas", &pages[0].base);
    tell("ListSchemas", &pages[1].base);
    ck_assert_msg(sagactl("schema list") == EXIT_DONE, "%s", complained);
    ck_assert_ptr_nonnull(strstr(said, "\nshop "));
    ck_assert_ptr_nonnull(strstr(said, "\nbank "));
    Saga__V1__ListSchemasRequest *request = ASKED(saga__v1__list_schemas_request, 1);
    ck_assert_str_eq(request->page_token, "shop");
    saga__v1__list_schemas_request__free_unpacked(request, NULL);
}
END_TEST

/* Each with the beginning of its hash, its day and its services, below one head; none are told of as that. */
START_TEST(schemas__have_a_row_each)
{
    Saga__V1__ListSchemasResponse pages[2] = {SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT,
                                              SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT};
    Saga__V1__Schema s[2] = {SAGA__V1__SCHEMA__INIT, SAGA__V1__SCHEMA__INIT}, *all[] = {&s[0], &s[1]};
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char *services[] = {text("shop.Stock"), text("shop.Orders")};
    tell("ListSchemas", &pages[1].base);
    SHOWS("schema list", "No schema is registered. Register one with: sagactl schema register FILE\n");
    at.seconds = 1700000000;
    s[0].name = text("shop");
    s[0].hash = text("0123456789abcdef");
    s[0].registered_at = &at;
    s[0].message_count = 7;
    s[0].services = services;
    s[0].n_services = 2;
    s[1].name = text("bank");
    for (int i = 0; i < 2; i++) {
        pages[i].schemas = all + i;
        pages[i].n_schemas = 1;
    }
    pages[0].next_page_token = text("shop");
    anew();
    tell("ListSchemas", &pages[0].base);
    tell("ListSchemas", &pages[1].base);
    SHOWS("schema list", "NAME                  HASH          REGISTERED  MESSAGES  SERVICES\n"
                         "shop                  0123456789ab  2023-11-14         7  shop.Stock, shop.Orders\n"
                         "bank                                -                  0  \n");
    assert_asked(0, &saga__v1__list_schemas_request__descriptor, "{'page_size':1000}");
    anew();
    tell("ListSchemas", &pages[1].base);
    ck_assert_int_eq(sagactl("schema list -o json"), EXIT_DONE);
    json_t *document = json_loads(said, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(document, "schemas")), 1);
    json_decref(document);
}
END_TEST

/* What a saga would be started with, field by field, is of the schema that the definition was registered with. */
START_TEST(input__is_of_the_schema_of_the_definition)
{
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT;
    Saga__V1__Schema schema = SAGA__V1__SCHEMA__INIT;
    schema.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    d.input = text("shapes.Line");
    d.schema_hash = text("0123");
    tell("GetDefinition", &d.base);
    tell("GetSchema", &schema.base);
    ck_assert_msg(sagactl("input order --version 1.0.0") == EXIT_DONE, "%s", complained);
    assert_asked(0, &saga__v1__get_definition_request__descriptor, "{'name':'order','version':'1.0.0'}");
    assert_asked(1, &saga__v1__get_schema_request__descriptor, "{'hash':'0123'}");
    json_t *document = json_loads(said, 0, NULL);
    ck_assert_msg(json_object_get(document, "sku") != NULL && json_object_get(document, "quantity") != NULL, "%s",
                  said);
    json_decref(document);
    /* Which may not be there; nor need there be a type at all, or descriptors that can be read. */
    d.input = text("shapes.None");
    anew();
    tell("GetDefinition", &d.base);
    tell("GetSchema", &schema.base);
    ck_assert_int_eq(sagactl("input order"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: the sidecar's descriptors have no shapes.None\n");
    schema.descriptors.len = 5;
    anew();
    tell("GetDefinition", &d.base);
    tell("GetSchema", &schema.base);
    ck_assert_int_eq(sagactl("input order"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(complained, "the sidecar's descriptors cannot be read: "));
    anew();
    tell("GetDefinition", &d.base);
    tell("GetSchema", NULL);
    told[1].code = SAGA_E_NOT_FOUND;
    ck_assert_int_eq(sagactl("input order"), EXIT_NOT_FOUND);
    d.input = text("");
    anew();
    tell("GetDefinition", &d.base);
    ck_assert_int_eq(sagactl("input order"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: order does not say the type of its input (schema, input)\n");
    ck_assert_str_eq(said, "");
}
END_TEST

/* Each field with its type and number; what google.protobuf has is known. */
START_TEST(schemas__show_what_is_their_own)
{
    static const char *const lines[] = {"service shapes.Shop\n",
                                        "  /shapes.Shop/Follow (shapes.Order) returns (stream shapes.Line)\n",
                                        "message shapes.Line\n  string sku = 1\n  int32 quantity = 2\n",
                                        "  google.protobuf.NullValue null_value = 12\n",
                                        "  repeated google.protobuf.Timestamp times = 15\n",
                                        "  map<string, shapes.Thicket> h = 9\n",
                                        "enum shapes.Color\n  COLOR_NONE = 0\n  RED = 1\n  CRIMSON = 1\n  BLUE = -2\n"};
    Saga__V1__Schema schema = SAGA__V1__SCHEMA__INIT;
    schema.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    tell("GetSchema", &schema.base);
    ck_assert_msg(sagactl("schema show shapes") == EXIT_DONE, "%s", complained);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(said, lines[i]) != NULL, "%s is not in %s", lines[i], said);
    ck_assert_msg(strstr(said, "message google") == NULL && strstr(said, "enum google") == NULL, "%s", said);
    ck_assert_ptr_null(strstr(said, "Entry"));
}
END_TEST

/* ---- runbooks ---- */

/* Each by its name and what it is about, which its first line says. */
START_TEST(runbook__lists_all)
{
    const char *at;
    ck_assert_int_eq(sagactl("runbook"), EXIT_DONE);
    at = said;
    for (size_t i = 0; i < runbook_count; i++) {
        char line[160];
        const char *about = strstr(runbooks[i].text, ": ") + 2;
        snprintf(line, sizeof line, "%-24s %.*s\n", runbooks[i].name, (int)strcspn(about, "\n"), about);
        ck_assert_msg(strncmp(at, line, strlen(line)) == 0, "%s", at);
        at += strlen(line);
    }
    ck_assert_str_eq(at, "");
    ck_assert_int_eq(sagactl("runbook -o json"), EXIT_DONE);
    json_t *all = json_loads(said, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(all, "runbooks")), runbook_count);
    json_decref(all);
    ck_assert_int_eq(sagactl("runbook SagadDown -o json"), EXIT_DONE);
    all = json_loads(said, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(all, "name")), "SagadDown");
    ck_assert_int_eq(strncmp(json_string_value(json_object_get(all, "text")), "# SagadDown: ", 13), 0);
    json_decref(all);
}
END_TEST

/* What a runbook shows is shown as the rest of it was asked for. */
START_TEST(runbook__looks_as_it_was_told)
{
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__ListAuditResponse audit = SAGA__V1__LIST_AUDIT_RESPONSE__INIT;
    Saga__V1__AuditEntry entry = SAGA__V1__AUDIT_ENTRY__INIT, *entries[] = {&entry};
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    at.seconds = 1700000000;
    entry.time = &at;
    entry.method = text("Skip");
    audit.entries = entries;
    audit.n_entries = 1;
    for (int utc = 0; utc < 2; utc++) {
        anew();
        tell("Status", &status.base);
        tell("ListAudit", &audit.base);
        ck_assert_int_eq(sagactl(utc ? "runbook SagadBreakerOpen --utc" : "runbook SagadBreakerOpen"), EXIT_DONE);
        ck_assert_msg(strstr(said, utc ? "$ sagactl audit\n2023-11-14 22:13:20 UTC  Skip"
                                       : "$ sagactl audit\n2023-11-14 22:13:20 +0000  Skip") != NULL,
                      "%s", said);
    }
    /* The words before and behind what is shown are those of the runbook, to its end. */
    const char *text_of = NULL;
    for (size_t i = 0; i < runbook_count; i++)
        if (strcmp(runbooks[i].name, "SagadBreakerOpen") == 0)
            text_of = runbooks[i].text;
    ck_assert_ptr_nonnull(text_of);
    size_t head = strcspn(text_of, "\n") + 1, tail = strlen(strrchr(text_of, '#'));
    ck_assert_int_eq(strncmp(said, text_of, head), 0);
    ck_assert(strlen(said) > tail && strcmp(said + strlen(said) - tail, strrchr(text_of, '#')) == 0);
    /* And with all that it takes to reach the sidecar. */
    anew();
    tell("Status", &status.base);
    tell("ListAudit", &audit.base);
    ck_assert_int_eq(
        sagactl("runbook SagadBreakerOpen --address unix:there.sock --tls-certificate c.pem --tls-key k.pem "
                "--tls-roots r.pem --tls-identity other"),
        EXIT_DONE);
    ck_assert_str_eq(opened_with.address, "unix:there.sock");
    ck_assert_str_eq(opened_with.tls.certificate, "c.pem");
    ck_assert_str_eq(opened_with.tls.key, "k.pem");
    ck_assert_str_eq(opened_with.tls.roots, "r.pem");
    ck_assert_str_eq(opened_with.tls.identity, "other");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_definitions");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, definitions__are_shown_page_by_page);
    tcase_add_test(tc, schemas__are_shown_page_by_page);
    tcase_add_test(tc, schemas__have_a_row_each);
    tcase_add_test(tc, input__is_of_the_schema_of_the_definition);
    tcase_add_test(tc, schemas__show_what_is_their_own);
    tcase_add_test(tc, lists__say_that_a_page_does_not_come);
    tcase_add_test(tc, definitions__shows_the_version_that_is_asked_for);
    tcase_add_test(tc, definitions__let_nothing_steer_a_terminal);
    tcase_add_test(tc, register__says_what_came_of_each_file);
    tcase_add_test(tc, register__asks_targets_for_their_types);
    tcase_add_test(tc, runbook__looks_as_it_was_told);
    tcase_add_test(tc, runbook__lists_all);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
