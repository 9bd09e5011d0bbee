/* What operators ask for: taken to the last of each bound, in the trail as what it was, and shown as it was asked for. */
#include "sidecar/api/api_inside.h"
#include "tests/support/api_world.h"
#include "tests/support/shapes.h"

#include "sidecar/core/bulk.h"
#include "sidecar/core/holds.h"

#include "google/protobuf/descriptor.pb-c.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;
static char long_actor[130];
static char given[160]; /* to whoever runs the loop: a rule or a journal */
static bool armed;

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int change_rule(void *self, const char *name, bool arm, struct error_detail *detail)
{
    (void)self;
    (void)detail;
    snprintf(given, sizeof given, "%s", name);
    armed = arm;
    return 0;
}

static int give(void *self, const char *journal, struct error_detail *detail)
{
    (void)self;
    (void)detail;
    snprintf(given, sizeof given, "%s", journal);
    return 0;
}

static void set_up(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    w.loop[0].api->options.change_rule = change_rule;
    w.loop[0].api->options.give = give;
    memset(long_actor, 'a', 129);
}

static void tear_down(void)
{
    api_world_close(&w);
}

static void taken(enum method_id method, const ProtobufCMessage *m)
{
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, method, m), NULL);
}

static void refused(enum method_id method, const ProtobufCMessage *m, const char *field)
{
    api_world_refused(&w, 0, method, m, "INVALID_ARGUMENT", field);
}

/* The newest entry of the trail is this one. */
static void expect(const char *method, const char *act, const char *subject, const char *actor, const char *reason)
{
    Saga__V1__ListAuditRequest m = SAGA__V1__LIST_AUDIT_REQUEST__INIT;
    m.page_size = 1;
    Saga__V1__ListAuditResponse *list = api_world_get(&w, 0, METHOD_LIST_AUDIT, &m.base);
    ck_assert_uint_eq(list->n_entries, 1);
    const Saga__V1__AuditEntry *e = list->entries[0];
    ck_assert_str_eq(e->method, method);
    ck_assert_str_eq(e->act, act);
    ck_assert_str_eq(e->subject, subject);
    ck_assert_str_eq(e->actor, actor);
    ck_assert_str_eq(e->reason, reason);
    saga__v1__list_audit_response__free_unpacked(list, NULL);
}

/* Somebody says who he is, in 1 to 128 bytes. *actor is of m. */
static void actor_has_bounds(enum method_id method, const ProtobufCMessage *m, char **actor)
{
    *actor = text_of("");
    refused(method, m, "actor");
    *actor = long_actor;
    refused(method, m, "actor");
    *actor = long_actor + 1;
    taken(method, m);
    *actor = text_of("anna");
}

static Saga__V1__StartBulkRequest job(void)
{
    Saga__V1__StartBulkRequest m = SAGA__V1__START_BULK_REQUEST__INIT;
    m.id = text_of("job");
    m.act = SAGA__V1__BULK_ACT__BULK_ACT_SKIP;
    m.where = text_of("true");
    m.definition = text_of("order");
    m.actor = text_of("anna");
    m.reason = text_of("why");
    return m;
}

START_TEST(operator__a_job_is_shown_as_it_was_asked_for)
{
    Saga__V1__StartBulkRequest m = job();
    for (int i = 0; i < 2; i++) {
        Saga__V1__StartBulkResponse *r = api_world_get(&w, 0, METHOD_START_BULK, &m.base);
        ck_assert_int_eq(r->already_started, i);
        saga__v1__start_bulk_response__free_unpacked(r, NULL);
    }
    expect("StartBulk", "", "job", "anna", "why");
    m.id = text_of("quick");
    m.per_second = 7.5;
    taken(METHOD_START_BULK, &m.base);
    Saga__V1__ListBulksRequest list = SAGA__V1__LIST_BULKS_REQUEST__INIT;
    Saga__V1__ListBulksResponse *r = api_world_get(&w, 0, METHOD_LIST_BULKS, &list.base);
    ck_assert_uint_eq(r->n_jobs, 2);
    for (size_t i = 0; i < 2; i++) {
        const Saga__V1__BulkJob *is = r->jobs[i];
        bool quick = strcmp(is->id, "quick") == 0;
        ck_assert_int_eq(is->act, SAGA__V1__BULK_ACT__BULK_ACT_SKIP);
        ck_assert_str_eq(is->identity, "uid:1234");
        ck_assert_str_eq(is->where, "true");
        ck_assert_str_eq(is->definition, "order");
        ck_assert_str_eq(is->actor, "anna");
        ck_assert_str_eq(is->reason, "why");
        ck_assert_double_eq(is->per_second, quick ? 7.5 : BULK_PER_SECOND_DEFAULT);
    }
    saga__v1__list_bulks_response__free_unpacked(r, NULL);
}
END_TEST

START_TEST(operator__a_change_of_a_job_is_in_the_trail_as_what_it_was)
{
    static const struct {
        Saga__V1__BulkState state;
        const char *act;
    } changes[] = {{SAGA__V1__BULK_STATE__BULK_STATE_PAUSED, "pause"},
                   {SAGA__V1__BULK_STATE__BULK_STATE_RUNNING, "resume"},
                   {SAGA__V1__BULK_STATE__BULK_STATE_CANCELLED, "cancel"}};
    Saga__V1__StartBulkRequest start = job();
    Saga__V1__ChangeBulkRequest m = SAGA__V1__CHANGE_BULK_REQUEST__INIT;
    api_world_begin(&w, 0, "x", "", (char[SAGA_ID_TEXT_SIZE]){0});
    taken(METHOD_START_BULK, &start.base);
    m.id = text_of("job");
    m.state = SAGA__V1__BULK_STATE__BULK_STATE_PAUSED;
    actor_has_bounds(METHOD_CHANGE_BULK, &m.base, &m.actor);
    for (size_t i = 0; i < 3; i++) {
        m.state = changes[i].state;
        taken(METHOD_CHANGE_BULK, &m.base);
        expect("ChangeBulk", changes[i].act, "job", "anna", "");
    }
}
END_TEST

START_TEST(operator__a_rule_is_armed_or_taken_back)
{
    char reason[258] = "";
    Saga__V1__ChangeRuleRequest m = SAGA__V1__CHANGE_RULE_REQUEST__INIT;
    m.name = text_of("rule");
    m.actor = text_of("anna");
    m.reason = reason;
    refused(METHOD_CHANGE_RULE, &m.base, "change");
    m.change = SAGA__V1__RULE_CHANGE__RULE_CHANGE_ARM;
    actor_has_bounds(METHOD_CHANGE_RULE, &m.base, &m.actor);
    ck_assert_str_eq(given, "rule");
    ck_assert(armed);
    memset(reason, 'x', 257);
    refused(METHOD_CHANGE_RULE, &m.base, "reason");
    reason[256] = '\0';
    taken(METHOD_CHANGE_RULE, &m.base);
    expect("ChangeRule", "arm", "rule", "anna", reason);
    m.change = SAGA__V1__RULE_CHANGE__RULE_CHANGE_UNDO;
    taken(METHOD_CHANGE_RULE, &m.base);
    ck_assert(!armed);
    expect("ChangeRule", "undo", "rule", "anna", reason);
}
END_TEST

START_TEST(operator__a_journal_is_given)
{
    char name[130];
    Saga__V1__GiveJournalRequest m = SAGA__V1__GIVE_JOURNAL_REQUEST__INIT;
    memset(name, 'j', sizeof name);
    name[129] = '\0';
    m.journal = name;
    m.actor = text_of("anna");
    refused(METHOD_GIVE_JOURNAL, &m.base, "journal");
    name[128] = '\0';
    actor_has_bounds(METHOD_GIVE_JOURNAL, &m.base, &m.actor);
    taken(METHOD_GIVE_JOURNAL, &m.base);
    ck_assert_str_eq(given, name);
    expect("GiveJournal", "", name, "anna", "");
}
END_TEST

START_TEST(operator__a_definition_is_held_and_let_go)
{
    Saga__V1__HoldDefinitionRequest m = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    m.definition = text_of("order");
    m.reason = text_of("why");
    m.actor = text_of("anna");
    taken(METHOD_HOLD_DEFINITION, &m.base);
    expect("HoldDefinition", "hold", "order", "anna", "why");
    const struct holds *holds = core_holds(w.loop[0].core);
    const Saga__V1__Hold *h = NULL;
    for (unsigned i = 0; i < HOLDS_MAX && h == NULL; i++)
        h = holds_at(holds, i);
    ck_assert_str_eq(h->definition, "order");
    ck_assert_str_eq(h->actor, "anna");
    ck_assert_str_eq(h->reason, "why");
    m.release = true;
    taken(METHOD_HOLD_DEFINITION, &m.base);
    ck_assert(!holds_has(holds, bytes_of_text("order")));
    expect("HoldDefinition", "release", "order", "anna", "why");
    m.release = false;
    actor_has_bounds(METHOD_HOLD_DEFINITION, &m.base, &m.actor);
}
END_TEST

START_TEST(operator__what_was_done_to_a_breaker_is_in_the_trail)
{
    static const struct {
        Saga__V1__BreakerAct act;
        const char *name;
    } acts[] = {{SAGA__V1__BREAKER_ACT__BREAKER_ACT_TRIP, "trip"},
                {SAGA__V1__BREAKER_ACT__BREAKER_ACT_HOLD, "hold"},
                {SAGA__V1__BREAKER_ACT__BREAKER_ACT_RESET, "reset"}};
    Saga__V1__SetBreakerRequest m = SAGA__V1__SET_BREAKER_REQUEST__INIT;
    m.target = text_of("t");
    m.actor = text_of("anna");
    m.reason = text_of("why");
    for (size_t i = 0; i < 3; i++) {
        m.act = acts[i].act;
        taken(METHOD_SET_BREAKER, &m.base);
        expect("SetBreaker", acts[i].name, "t", "anna", "why");
    }
    /* Up to the last byte that either may have. */
    char reason[MESSAGE_BYTES_MAX + 1] = "";
    memset(reason, 'r', MESSAGE_BYTES_MAX);
    m.actor = long_actor + 1;
    m.reason = reason;
    taken(METHOD_SET_BREAKER, &m.base);
    expect("SetBreaker", "reset", "t", m.actor, reason);
}
END_TEST

START_TEST(operator__a_drill_is_in_the_trail)
{
    Saga__V1__InjectFaultsRequest m = SAGA__V1__INJECT_FAULTS_REQUEST__INIT; /* no more faults */
    w.loop[0].api->options.fault_injection = true;
    m.actor = text_of("anna");
    m.reason = text_of("over");
    taken(METHOD_INJECT_FAULTS, &m.base);
    expect("InjectFaults", "", "", "anna", "over");
    actor_has_bounds(METHOD_INJECT_FAULTS, &m.base, &m.actor);
}
END_TEST

/* While the journal takes nothing, nothing is done that it could not keep. */
START_TEST(operator__what_could_not_be_kept_is_refused_at_once)
{
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__HoldDefinitionRequest hold = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    Saga__V1__ReloadRequest reload = SAGA__V1__RELOAD_REQUEST__INIT;
    Saga__V1__RegisterSchemaRequest schema = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    Saga__V1__ChangeRuleRequest rule = SAGA__V1__CHANGE_RULE_REQUEST__INIT;
    const struct {
        enum method_id method;
        const ProtobufCMessage *m;
    } asked[] = {{METHOD_HOLD_DEFINITION, &hold.base},
                 {METHOD_RELOAD, &reload.base},
                 {METHOD_REGISTER_SCHEMA, &schema.base},
                 {METHOD_CHANGE_RULE, &rule.base}};
    begin.name = hold.definition = text_of("order");
    hold.actor = reload.actor = rule.actor = text_of("anna");
    hold.reason = rule.reason = text_of("why");
    schema.name = text_of("shapes");
    schema.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    rule.name = text_of("calm");
    rule.change = SAGA__V1__RULE_CHANGE__RULE_CHANGE_ARM;
    memset(given, 0, sizeof given);
    api_world_add_schema(&w); /* it is there already, which must not be told either */
    memory_disk_set_size(w.loop[0].disk, 1);
    struct world_call *began = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    api_world_turn(&w, 0);
    ck_assert_int_eq(core_stalled(w.loop[0].core), E_JOURNAL_FULL);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct world_call *call = api_world_ask(&w, 0, asked[i].method, asked[i].m);
        ck_assert_msg(call->ended, "%s", call->method->path);
        ck_assert_str_eq(call->reason, "JOURNAL_FULL");
        api_world_free(call);
    }
    ck_assert_str_eq(given, "");
    ck_assert_uint_eq(w.loop[0].reloads, 0);
    ck_assert(!holds_has(core_holds(w.loop[0].core), bytes_of_text("order")));
    memory_disk_set_size(w.loop[0].disk, 0);
    api_world_settle(&w);
    ck_assert(began->ended);
    api_world_free(began);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        taken(asked[i].method, asked[i].m);
}
END_TEST

/* In order, each once; the last page leads nowhere. */
START_TEST(operator__definitions_are_listed_in_pages)
{
    static const char *const names[] = {"a", "b", "c"};
    char yaml[200], token[20] = "";
    for (int i = 0; i < 3; i++) {
        snprintf(yaml, sizeof yaml, "name: %s\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /t.T/Do}\n",
                 names[i]);
        api_world_register(&w, yaml);
    }
    for (int size = 1; size <= 4; size++) {
        int seen = 0;
        token[0] = '\0';
        do {
            Saga__V1__ListDefinitionsRequest m = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
            m.page_size = size;
            m.page_token = token;
            Saga__V1__ListDefinitionsResponse *r = api_world_get(&w, 0, METHOD_LIST_DEFINITIONS, &m.base);
            ck_assert_uint_eq(r->n_definitions, 3 - seen < size ? 3 - seen : size);
            for (size_t i = 0; i < r->n_definitions; i++) {
                ck_assert_str_eq(r->definitions[i]->name, names[seen++]);
                ck_assert_uint_eq(r->definitions[i]->source.len, 0);
            }
            ck_assert_int_eq(r->next_page_token[0] != '\0', seen < 3);
            snprintf(token, sizeof token, "%s", r->next_page_token);
            saga__v1__list_definitions_response__free_unpacked(r, NULL);
        } while (seen < 3);
    }
    Saga__V1__GetDefinitionRequest get = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
    get.name = text_of("c");
    Saga__V1__Definition *d = api_world_get(&w, 0, METHOD_GET_DEFINITION, &get.base);
    ck_assert_uint_eq(d->source.len, strlen(yaml));
    saga__v1__definition__free_unpacked(d, NULL);
    get.version = text_of("2.0.0");
    api_world_refused(&w, 0, METHOD_GET_DEFINITION, &get.base, "DEFINITION_NOT_FOUND", "");
}
END_TEST

START_TEST(operator__a_head_that_is_verified_is_no_longer_than_one)
{
    char head[80] = "0/1:", *heads[] = {head};
    Saga__V1__VerifyRequest m = SAGA__V1__VERIFY_REQUEST__INIT;
    m.heads = heads;
    m.n_heads = 1;
    memset(head + 4, '0', 63 - 2);
    ck_assert_uint_eq(strlen(head + 2), 63);
    taken(METHOD_VERIFY, &m.base);
    memset(head + 4, '0', 64 - 2);
    refused(METHOD_VERIFY, &m.base, "heads");
}
END_TEST

/* What a schema's files write as messages, those within messages included; a map's entries nobody wrote. */
static int messages_in(Google__Protobuf__DescriptorProto *const *list, size_t count)
{
    int messages = 0;
    for (size_t i = 0; i < count; i++)
        if (list[i]->options == NULL || !list[i]->options->map_entry)
            messages += 1 + messages_in(list[i]->nested_type, list[i]->n_nested_type);
    return messages;
}

static int messages_of_shapes(void)
{
    int messages = 0;
    Google__Protobuf__FileDescriptorSet *set = google__protobuf__file_descriptor_set__unpack(NULL, shapes_size, shapes);
    for (size_t i = 0; i < set->n_file; i++)
        messages += messages_in(set->file[i]->message_type, set->file[i]->n_message_type);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    return messages;
}

/* By its name or by its hash, and not by both; with its text when it is asked for by itself. */
START_TEST(operator__a_schema_is_shown_as_it_was_registered)
{
    Saga__V1__RegisterSchemaRequest m = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    Saga__V1__GetSchemaRequest get = SAGA__V1__GET_SCHEMA_REQUEST__INIT;
    char hash[SHA256_TEXT_SIZE];
    m.name = text_of("shapes");
    m.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    for (int i = 0; i < 3; i++) { /* the first only says what it would be */
        m.dry_run = i == 0;
        Saga__V1__RegisterSchemaResponse *r = api_world_get(&w, 0, METHOD_REGISTER_SCHEMA, &m.base);
        ck_assert_int_eq(r->already_registered, i == 2);
        if (i > 0)
            ck_assert_str_eq(r->hash, hash);
        snprintf(hash, sizeof hash, "%s", r->hash);
        saga__v1__register_schema_response__free_unpacked(r, NULL);
    }
    refused(METHOD_GET_SCHEMA, &get.base, "name");
    get.name = text_of("shapes");
    get.hash = hash;
    refused(METHOD_GET_SCHEMA, &get.base, "name");
    for (int by_hash = 0; by_hash < 2; by_hash++) {
        get.name = text_of(by_hash ? "" : "shapes");
        get.hash = by_hash ? hash : text_of("");
        Saga__V1__Schema *one = api_world_get(&w, 0, METHOD_GET_SCHEMA, &get.base);
        ck_assert_str_eq(one->name, get.name);
        ck_assert_str_eq(one->hash, hash);
        ck_assert_int_eq(one->registered_at != NULL, !by_hash);
        ck_assert_uint_eq(one->descriptors.len, shapes_size);
        ck_assert_uint_gt(one->n_services, 0);
        ck_assert_int_eq(one->message_count, messages_of_shapes());
        saga__v1__schema__free_unpacked(one, NULL);
    }
    hash[0] ^= 1;
    api_world_refused(&w, 0, METHOD_GET_SCHEMA, &get.base, "SCHEMA_NOT_FOUND", "");
    get.name = text_of("other");
    get.hash = text_of("");
    api_world_refused(&w, 0, METHOD_GET_SCHEMA, &get.base, "SCHEMA_NOT_FOUND", "");
    Saga__V1__ListSchemasRequest list = SAGA__V1__LIST_SCHEMAS_REQUEST__INIT;
    list.page_size = 1;
    Saga__V1__ListSchemasResponse *r = api_world_get(&w, 0, METHOD_LIST_SCHEMAS, &list.base);
    ck_assert_uint_eq(r->n_schemas, 1);
    ck_assert_str_eq(r->schemas[0]->name, "shapes");
    ck_assert_uint_eq(r->schemas[0]->descriptors.len, 0);
    ck_assert_str_eq(r->next_page_token, "");
    saga__v1__list_schemas_response__free_unpacked(r, NULL);
}
END_TEST

START_TEST(operator__an_answer_to_be_forgotten_has_bounds)
{
    char name[259], key[258], reason[258];
    Saga__V1__ForgetAnswerRequest m = SAGA__V1__FORGET_ANSWER_REQUEST__INIT;
    memset(name, 'n', 258);
    memset(key, 'k', 257);
    memset(reason, 'r', 257);
    name[258] = key[257] = reason[257] = '\0';
    m.name = name;
    m.actor = text_of("anna");
    m.reason = text_of("why");
    refused(METHOD_FORGET_ANSWER, &m.base, "name");
    name[257] = '\0';
    m.key = key;
    refused(METHOD_FORGET_ANSWER, &m.base, "key");
    key[256] = '\0';
    m.reason = reason;
    refused(METHOD_FORGET_ANSWER, &m.base, "reason");
    reason[256] = '\0';
    actor_has_bounds(METHOD_FORGET_ANSWER, &m.base, &m.actor);
    m.reason = text_of("");
    refused(METHOD_FORGET_ANSWER, &m.base, "reason");
    m.name = text_of("");
    refused(METHOD_FORGET_ANSWER, &m.base, "name");
}
END_TEST

START_TEST(operator__a_reload_is_told_what_came_of_it)
{
    char *done[] = {text_of("targets"), text_of("log_level")}, *restart[] = {text_of("listen")};
    const struct api_reload told = {.taken = done, .taken_count = 2, .restart = restart, .restart_count = 1};
    Saga__V1__ReloadRequest m = SAGA__V1__RELOAD_REQUEST__INIT;
    actor_has_bounds(METHOD_RELOAD, &m.base, &m.actor);
    /* The later of two is what the earlier asked for, too; the earlier says nothing of the later. */
    struct world_call *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = api_world_ask(&w, 0, METHOD_RELOAD, &m.base);
    api_reloaded(w.loop[0].api, w.loop[0].reloads - 3, &told);
    ck_assert(!calls[0]->ended);
    api_reloaded(w.loop[0].api, w.loop[0].reloads - 1, &told);
    ck_assert(calls[0]->ended && calls[1]->ended && !calls[2]->ended);
    api_reloaded(w.loop[0].api, w.loop[0].reloads, &told);
    for (int i = 0; i < 3; i++) {
        ck_assert(calls[i]->ended);
        Saga__V1__ReloadResponse *r = saga__v1__reload_response__unpack(NULL, calls[i]->body.size, calls[i]->body.at);
        ck_assert_uint_eq(r->n_taken, 2);
        ck_assert_str_eq(r->taken[1], "log_level");
        ck_assert_uint_eq(r->n_needs_restart, 1);
        ck_assert_str_eq(r->needs_restart[0], "listen");
        saga__v1__reload_response__free_unpacked(r, NULL);
        api_world_free(calls[i]);
    }
    api_world_settle(&w);
    taken(METHOD_RELOAD, &m.base);
    expect("Reload", "", "", "anna", "");
    struct error_detail detail;
    const struct api_reload wrong = {.code = error_set(&detail, E_ARGUMENT, "sagad.yaml:7", "no such option"),
                                     .detail = &detail};
    struct world_call *call = api_world_ask(&w, 0, METHOD_RELOAD, &m.base);
    api_reloaded(w.loop[0].api, w.loop[0].reloads, &wrong);
    ck_assert(call->ended && call->status != 0);
    ck_assert_str_eq(call->field, "sagad.yaml:7");
    ck_assert_msg(strstr(call->message, "no such option") != NULL, "%s", call->message);
    api_world_free(call);
}
END_TEST

START_TEST(operator__one_to_64_services_are_reflected)
{
    char *services[65];
    Saga__V1__ReflectRequest m = SAGA__V1__REFLECT_REQUEST__INIT;
    for (int i = 0; i < 65; i++)
        services[i] = text_of("s.S");
    m.target = text_of("t");
    m.services = services;
    refused(METHOD_REFLECT, &m.base, "services");
    m.n_services = 65;
    refused(METHOD_REFLECT, &m.base, "services");
    ck_assert_uint_eq(w.loop[0].reflects, 0);
    m.n_services = 64;
    struct world_call *call = api_world_ask(&w, 0, METHOD_REFLECT, &m.base);
    ck_assert_uint_eq(w.loop[0].reflects, 1);
    api_reflected(w.loop[0].api, w.loop[0].reflects, 0, NULL, bytes_of_text("set"));
    ck_assert(call->ended && call->status == 0);
    api_world_free(call);
}
END_TEST

/* Each is told of the target that it asked about, in whatever order these answer. */
START_TEST(operator__each_target_tells_whom_it_was_asked_for)
{
    static const unsigned order[] = {1, 2, 0};
    const struct error_detail refusal = {.text = "no reflection"};
    char *services[] = {text_of("s.S")};
    Saga__V1__ReflectRequest m = SAGA__V1__REFLECT_REQUEST__INIT;
    struct world_call *calls[3];
    m.target = text_of("t");
    m.services = services;
    m.n_services = 1;
    for (int i = 0; i < 3; i++)
        calls[i] = api_world_ask(&w, 0, METHOD_REFLECT, &m.base);
    for (unsigned i = 0; i < 3; i++) {
        char set[16];
        unsigned of = order[i];
        snprintf(set, sizeof set, "set %u", of);
        api_reflected(w.loop[0].api, w.loop[0].reflects - 2 + of, of == 2 ? E_TARGET_NOT_FOUND : 0, &refusal,
                      bytes_of_text(set));
        for (unsigned k = 0; k < 3; k++)
            ck_assert_int_eq(calls[k]->ended, k == 1 || (k == 2 && i > 0) || i == 2);
        if (of == 2) {
            ck_assert_str_eq(calls[of]->reason, "TARGET_NOT_FOUND");
            continue;
        }
        Saga__V1__ReflectResponse *r =
            saga__v1__reflect_response__unpack(NULL, calls[of]->body.size, calls[of]->body.at);
        ck_assert(bytes_equal(bytes_of(r->descriptors.data, r->descriptors.len), bytes_of_text(set)));
        saga__v1__reflect_response__free_unpacked(r, NULL);
    }
    for (int i = 0; i < 3; i++)
        api_world_free(calls[i]);
    api_world_settle(&w);
}
END_TEST

START_TEST(operator__a_request_id_that_is_looked_for_has_bounds)
{
    char name[130], id[SAGA_ID_TEXT_SIZE];
    Saga__V1__FindRequest m = SAGA__V1__FIND_REQUEST__INIT;
    memset(name, 'n', 129);
    name[129] = '\0';
    m.request_id = name;
    refused(METHOD_FIND, &m.base, "request_id");
    name[128] = '\0';
    api_world_begin(&w, 0, "x", name, id);
    Saga__V1__FindResponse *r = api_world_get(&w, 0, METHOD_FIND, &m.base);
    ck_assert_str_eq(r->saga_id, id);
    saga__v1__find_response__free_unpacked(r, NULL);
    m.request_id = text_of("");
    refused(METHOD_FIND, &m.base, "request_id");
    m.request_id = text_of("other");
    struct world_call *call = api_world_ask(&w, 0, METHOD_FIND, &m.base);
    api_world_settle(&w);
    ck_assert_str_eq(call->reason, "SAGA_NOT_FOUND");
    ck_assert_ptr_nonnull(strstr(call->message, "no saga was started with this request_id"));
    api_world_free(call);
}
END_TEST

/* Each once, in the order of their names, whatever the size of the pages. */
START_TEST(operator__schemas_are_listed_page_by_page)
{
    static const char *const names[] = {"ants", "bees", "crabs"};
    Saga__V1__RegisterSchemaRequest m = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    m.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    for (int i = 2; i >= 0; i--) {
        m.name = text_of(names[i]);
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_REGISTER_SCHEMA, &m.base), NULL);
    }
    for (int size = 1; size <= 4; size++) {
        char token[32] = "";
        int seen = 0;
        do {
            Saga__V1__ListSchemasRequest list = SAGA__V1__LIST_SCHEMAS_REQUEST__INIT;
            list.page_size = size;
            list.page_token = token;
            Saga__V1__ListSchemasResponse *r = api_world_get(&w, 0, METHOD_LIST_SCHEMAS, &list.base);
            ck_assert_uint_eq(r->n_schemas, 3 - seen < size ? 3 - seen : size);
            for (size_t i = 0; i < r->n_schemas; i++)
                ck_assert_str_eq(r->schemas[i]->name, names[seen++]);
            ck_assert_int_eq(r->next_page_token[0] != '\0', seen < 3);
            snprintf(token, sizeof token, "%s", r->next_page_token);
            saga__v1__list_schemas_response__free_unpacked(r, NULL);
        } while (token[0] != '\0');
        ck_assert_int_eq(seen, 3);
    }
}
END_TEST

/* Get is told twice: without payloads and with them. */
START_TEST(operator__each_method_is_explained)
{
    char as[514];
    Saga__V1__ExplainRequest m = SAGA__V1__EXPLAIN_REQUEST__INIT;
    Saga__V1__ExplainResponse *r = api_world_get(&w, 0, METHOD_EXPLAIN, &m.base);
    ck_assert_uint_eq(r->n_verdicts, METHOD_COUNT + 1);
    unsigned gets = 0;
    for (size_t i = 0; i < r->n_verdicts; i++) {
        ck_assert_int_eq(r->verdicts[i]->extent, SAGA__V1__EXTENT__EXTENT_ALLOWED);
        ck_assert_uint_eq(r->verdicts[i]->n_rules, 0); /* nobody has written any */
        if (strcmp(r->verdicts[i]->method, "Get") == 0)
            ck_assert_int_eq(r->verdicts[i]->payloads, gets++);
        else
            ck_assert(!r->verdicts[i]->payloads);
    }
    ck_assert_uint_eq(gets, 2);
    ck_assert(!r->has_rules);
    saga__v1__explain_response__free_unpacked(r, NULL);
    m.method = text_of("Retry");
    r = api_world_get(&w, 0, METHOD_EXPLAIN, &m.base);
    ck_assert_uint_eq(r->n_verdicts, 1);
    ck_assert_str_eq(r->verdicts[0]->method, "Retry");
    saga__v1__explain_response__free_unpacked(r, NULL);
    m.method = text_of("Nothing");
    refused(METHOD_EXPLAIN, &m.base, "method");
    m.method = text_of("");
    strcpy(as, "spiffe://");
    memset(as + 9, 'x', 504);
    as[513] = '\0';
    m.as = as;
    refused(METHOD_EXPLAIN, &m.base, "as");
    as[512] = '\0';
    r = api_world_get(&w, 0, METHOD_EXPLAIN, &m.base);
    ck_assert_str_eq(r->identity, as);
    saga__v1__explain_response__free_unpacked(r, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operator");
    TCase *tc = tcase_create("operator");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, operator__a_job_is_shown_as_it_was_asked_for);
    tcase_add_test(tc, operator__a_change_of_a_job_is_in_the_trail_as_what_it_was);
    tcase_add_test(tc, operator__a_rule_is_armed_or_taken_back);
    tcase_add_test(tc, operator__a_journal_is_given);
    tcase_add_test(tc, operator__a_definition_is_held_and_let_go);
    tcase_add_test(tc, operator__what_was_done_to_a_breaker_is_in_the_trail);
    tcase_add_test(tc, operator__a_drill_is_in_the_trail);
    tcase_add_test(tc, operator__what_could_not_be_kept_is_refused_at_once);
    tcase_add_test(tc, operator__definitions_are_listed_in_pages);
    tcase_add_test(tc, operator__a_head_that_is_verified_is_no_longer_than_one);
    tcase_add_test(tc, operator__a_schema_is_shown_as_it_was_registered);
    tcase_add_test(tc, operator__an_answer_to_be_forgotten_has_bounds);
    tcase_add_test(tc, operator__a_reload_is_told_what_came_of_it);
    tcase_add_test(tc, operator__one_to_64_services_are_reflected);
    tcase_add_test(tc, operator__each_target_tells_whom_it_was_asked_for);
    tcase_add_test(tc, operator__a_request_id_that_is_looked_for_has_bounds);
    tcase_add_test(tc, operator__schemas_are_listed_page_by_page);
    tcase_add_test(tc, operator__each_method_is_explained);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
