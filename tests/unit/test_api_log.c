/* What the log says of what people and services do, each in its own words, with who it was; and nothing of what was refused. */
#include "sidecar/api/api_inside.h"
#include "tests/support/api_world.h"
#include "tests/support/shapes.h"

#include "sidecar/observe/log.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;
static char said[1024]; /* "level text name=value ...", of the last line */
static unsigned lines;

static void hear(void *self, const struct log_entry *entry)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    (void)self;
    lines++;
    int at = snprintf(said, sizeof said, "%s %s", levels[entry->level], entry->text);
    for (size_t i = 0; i < entry->field_count; i++) {
        const struct log_field *f = &entry->fields[i];
        if (f->kind == LOG_KIND_NUMBER)
            at += snprintf(said + at, sizeof said - (size_t)at, " %s=%" PRId64, f->name, f->number);
        else
            at += snprintf(said + at, sizeof said - (size_t)at, " %s=%.*s", f->name, (int)f->text.size,
                           (const char *)f->text.at);
    }
}

static int change_rule(void *self, const char *name, bool arm, struct error_detail *detail)
{
    (void)self;
    (void)arm;
    return strcmp(name, "rule") == 0 ? 0 : error_set(detail, E_ARGUMENT, "name", "no such rule");
}

static void set_up(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    w.loop[0].api->options.change_rule = change_rule;
    w.loop[0].api->options.fault_injection = true;
    log_listen(hear, NULL);
}

static void tear_down(void)
{
    log_listen(NULL, NULL);
    api_world_close(&w);
}

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* It is done, and said in these words. */
static void says(enum method_id method, const ProtobufCMessage *m, const char *words)
{
    said[0] = '\0';
    lines = 0;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, method, m), NULL);
    ck_assert_str_eq(said, words);
    ck_assert_uint_eq(lines, words[0] != '\0');
}

/* What is registered already, and what is only tried, is no news. */
START_TEST(api_log__what_is_registered_is_told_once)
{
    char words[256];
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    char yaml[] = "name: order\nversion: 1.2.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, pivot: true}\n";
    m.source = (ProtobufCBinaryData){.data = (uint8_t *)yaml, .len = strlen(yaml)};
    m.dry_run = true;
    says(METHOD_REGISTER_DEFINITION, &m.base, "");
    m.dry_run = false;
    says(METHOD_REGISTER_DEFINITION, &m.base, "info definition registered definition=order version=1.2.0");
    says(METHOD_REGISTER_DEFINITION, &m.base, "");
    Saga__V1__RegisterSchemaRequest s = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    s.name = text_of("shop");
    s.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    s.dry_run = true;
    says(METHOD_REGISTER_SCHEMA, &s.base, "");
    s.dry_run = false;
    Saga__V1__RegisterSchemaResponse *r = api_world_get(&w, 0, METHOD_REGISTER_SCHEMA, &s.base);
    snprintf(words, sizeof words, "info schema registered schema=shop hash=%s", r->hash);
    ck_assert_str_eq(said, words);
    saga__v1__register_schema_response__free_unpacked(r, NULL);
    says(METHOD_REGISTER_SCHEMA, &s.base, "");
}
END_TEST

START_TEST(api_log__what_an_operator_does_is_told)
{
    w.peer = (struct rpc_peer){.transport = RPC_TRANSPORT_TLS, .address = "10.0.0.7:47", .identity = "spiffe://a/ann"};
#define WHO " uid=-1 address=10.0.0.7:47 identity=spiffe://a/ann"
    Saga__V1__HoldDefinitionRequest hold = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    hold.definition = text_of("order");
    hold.actor = text_of("anna");
    hold.reason = text_of("why");
    says(METHOD_HOLD_DEFINITION, &hold.base,
         "info starts of a definition are held definition=order actor=anna reason=why" WHO);
    hold.release = true;
    says(METHOD_HOLD_DEFINITION, &hold.base, "info a definition is let go definition=order actor=anna reason=why" WHO);
    Saga__V1__ChangeRuleRequest rule = SAGA__V1__CHANGE_RULE_REQUEST__INIT;
    rule.name = text_of("rule");
    rule.actor = text_of("anna");
    rule.reason = text_of("why");
    rule.change = SAGA__V1__RULE_CHANGE__RULE_CHANGE_ARM;
    says(METHOD_CHANGE_RULE, &rule.base, "info a rule is armed rule=rule actor=anna reason=why" WHO);
    rule.change = SAGA__V1__RULE_CHANGE__RULE_CHANGE_UNDO;
    says(METHOD_CHANGE_RULE, &rule.base,
         "info what a rule did is taken back, and it is disarmed rule=rule actor=anna reason=why" WHO);
    rule.name = text_of("other");
    lines = 0;
    api_world_refused(&w, 0, METHOD_CHANGE_RULE, &rule.base, "INVALID_ARGUMENT", "name");
    ck_assert_uint_eq(lines, 0);
    Saga__V1__ReloadRequest reload = SAGA__V1__RELOAD_REQUEST__INIT;
    reload.actor = text_of("anna");
    says(METHOD_RELOAD, &reload.base, "info a reload was asked for actor=anna" WHO);
    w.peer = (struct rpc_peer){
        .transport = RPC_TRANSPORT_UNIX, .address = "", .identity = "", .has_user = true, .uid = 7, .gid = 8};
    says(METHOD_RELOAD, &reload.base, "info a reload was asked for actor=anna uid=7 address= identity=");
}
END_TEST

START_TEST(api_log__a_bulk_job_is_told)
{
    Saga__V1__StartBulkRequest m = SAGA__V1__START_BULK_REQUEST__INIT;
    m.id = text_of("job");
    m.act = SAGA__V1__BULK_ACT__BULK_ACT_SKIP;
    m.where = text_of("true");
    m.definition = text_of("order");
    m.actor = text_of("anna");
    m.reason = text_of("why");
    w.peer = (struct rpc_peer){
        .transport = RPC_TRANSPORT_UNIX, .address = "", .identity = "", .has_user = true, .uid = 7, .gid = 8};
    says(METHOD_START_BULK, &m.base, "info a bulk job begins bulk=job act=skip actor=anna uid=7 address= identity=");
    says(METHOD_START_BULK, &m.base, "");
}
END_TEST

/* The key may name a person. */
START_TEST(api_log__an_answer_is_forgotten_without_its_key)
{
    Saga__V1__ForgetAnswerRequest m = SAGA__V1__FORGET_ANSWER_REQUEST__INIT;
    m.name = text_of("limits");
    m.key = text_of("ann@example.org");
    m.actor = text_of("anna");
    m.reason = text_of("why");
    says(METHOD_FORGET_ANSWER, &m.base, "info a last good answer is forgotten name=limits actor=anna reason=why");
}
END_TEST

START_TEST(api_log__damage_is_told_as_an_error)
{
    Saga__V1__ListAuditRequest m = SAGA__V1__LIST_AUDIT_REQUEST__INIT;
    core_audit(w.loop[0].core, bytes_of("\x0a\x7f", 2));
    api_world_settle(&w);
    struct world_call *call = api_world_ask(&w, 0, METHOD_LIST_AUDIT, &m.base);
    api_world_settle(&w);
    ck_assert_str_eq(said, "error the journal is damaged: a request was refused journal= what=row 1 of the audit trail "
                           "cannot be read");
    api_world_free(call);
}
END_TEST

START_TEST(api_log__a_drill_is_told_as_a_warning)
{
    Google__Protobuf__Duration lasts = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__Fault fault = SAGA__V1__FAULT__INIT, *faults[] = {&fault};
    Saga__V1__InjectFaultsRequest m = SAGA__V1__INJECT_FAULTS_REQUEST__INIT;
    lasts.seconds = 10;
    fault.kind = SAGA__V1__FAULT_KIND__FAULT_KIND_DUPLICATE;
    fault.lasts = &lasts;
    m.actor = text_of("anna");
    m.reason = text_of("why");
    m.n_faults = 1;
    m.faults = faults;
    says(METHOD_INJECT_FAULTS, &m.base, "warn faults are injected, for a drill actor=anna reason=why faults=1");
    m.n_faults = 0;
    says(METHOD_INJECT_FAULTS, &m.base, "warn no more faults are injected actor=anna reason=why faults=0");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api_log");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, api_log__what_is_registered_is_told_once);
    tcase_add_test(t, api_log__what_an_operator_does_is_told);
    tcase_add_test(t, api_log__a_drill_is_told_as_a_warning);
    tcase_add_test(t, api_log__a_bulk_job_is_told);
    tcase_add_test(t, api_log__an_answer_is_forgotten_without_its_key);
    tcase_add_test(t, api_log__damage_is_told_as_an_error);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
