/* Unary requests that change something: nothing is said before it is durable, and everything is answered once. */
#include "sidecar/api/api_inside.h"
#include "tests/support/api_world.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;

static void setup(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
}

static void teardown(void)
{
    api_world_close(&w);
}

static Saga__V1__BeginRequest begin_of(const char *name)
{
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    m.name = (char *)(uintptr_t)name;
    return m;
}

START_TEST(change__is_answered_by_the_commit)
{
    Saga__V1__BeginRequest m = begin_of("x");
    struct world_call *calls[10];
    for (int i = 0; i < 10; i++)
        calls[i] = api_world_ask(&w, 0, METHOD_BEGIN, &m.base);
    for (int i = 0; i < 10; i++)
        ck_assert(!calls[i]->ended);
    api_world_turn(&w, 0);
    for (int i = 0; i < 10; i++) {
        ck_assert(calls[i]->ended);
        ck_assert_int_eq(calls[i]->status, 0);
        api_world_free(calls[i]);
    }
    ck_assert_uint_eq(w.loop[0].durable_frame, 1);
}
END_TEST

START_TEST(change__one_that_is_cancelled_is_carried_out_all_the_same)
{
    Saga__V1__BeginRequest m = begin_of("x");
    struct world_call *call = api_world_ask(&w, 0, METHOD_BEGIN, &m.base);
    api_world_cancel(call);
    api_world_settle(&w);
    ck_assert(call->ended);
    ck_assert_uint_eq(engine_counts(core_engine(w.loop[0].core)).live, 1);
    api_world_free(call);
}
END_TEST

START_TEST(change__what_is_left_at_the_end_of_a_stop_is_refused)
{
    Saga__V1__BeginRequest m = begin_of("x");
    struct world_call *call = api_world_ask(&w, 0, METHOD_BEGIN, &m.base);
    api_stop(w.loop[0].api);
    core_abandon(w.loop[0].core);
    api_abandon(w.loop[0].api);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "STOPPING");
    api_world_free(call);
    /* After a failure, too. */
    w.loop[0].failure.code = E_JOURNAL;
    call = api_world_ask(&w, 0, METHOD_BEGIN, &m.base);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "JOURNAL_ERROR");
    api_world_free(call);
}
END_TEST

/* What waits for something else than the journal, and that is every one of them. */
START_TEST(change__all_that_wait_at_the_end_of_a_stop_are_refused)
{
    Saga__V1__ReloadRequest m = SAGA__V1__RELOAD_REQUEST__INIT;
    struct world_call *calls[3];
    m.actor = (char *)(uintptr_t) "anna";
    for (int i = 0; i < 3; i++)
        calls[i] = api_world_ask(&w, 0, METHOD_RELOAD, &m.base);
    api_stop(w.loop[0].api);
    core_abandon(w.loop[0].core);
    for (int i = 0; i < 3; i++)
        ck_assert(!calls[i]->ended);
    api_abandon(w.loop[0].api);
    for (int i = 0; i < 3; i++) {
        ck_assert(calls[i]->ended);
        ck_assert_str_eq(calls[i]->reason, "STOPPING");
        api_world_free(calls[i]);
    }
}
END_TEST

START_TEST(change__texts_with_nul_and_long_lists_are_refused_by_name)
{
    static uint8_t enlists[2 + 2 * 100000] = {0x0a, 0x00};
    /* request_id "a\0b" of a Begin, and of a Start. */
    static const uint8_t nul[] = {0x0a, 0x01, 'x', 0x12, 0x03, 'a', 0x00, 'b'};
    struct world_call *call = api_world_ask_bytes(&w, 0, METHOD_BEGIN, bytes_of(nul, sizeof nul));
    ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
    ck_assert_str_eq(call->field, "request_id");
    api_world_free(call);
    for (size_t i = 2; i < sizeof enlists; i += 2) {
        enlists[i] = 0x12;
        enlists[i + 1] = 0x00;
    }
    call = api_world_ask_bytes(&w, 0, METHOD_ENLIST, bytes_of(enlists, sizeof enlists));
    ck_assert_str_eq(call->reason, "STEPS_MAX");
    api_world_free(call);
    ck_assert(!core_pending(w.loop[0].core));
}
END_TEST

START_TEST(change__definitions_are_checked_registered_and_found_again)
{
    static const char one[] =
        "name: one\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /t.T/Do, compensation: /t.T/Undo}\n";
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    m.source.data = (uint8_t *)(uintptr_t)one;
    m.source.len = strlen(one);
    m.dry_run = true;
    Saga__V1__RegisterDefinitionResponse *r = api_world_get(&w, 0, METHOD_REGISTER_DEFINITION, &m.base);
    ck_assert_str_eq(r->name, "one");
    saga__v1__register_definition_response__free_unpacked(r, NULL);
    ck_assert_uint_eq(catalog_count(w.loop[0].catalog), 0);
    m.dry_run = false;
    for (int i = 0; i < 2; i++) {
        r = api_world_get(&w, 0, METHOD_REGISTER_DEFINITION, &m.base);
        ck_assert_int_eq(r->already_registered, i);
        ck_assert_str_eq(r->version, "1.0.0");
        saga__v1__register_definition_response__free_unpacked(r, NULL);
    }
    Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
    start.definition = (char *)(uintptr_t) "one";
    Saga__V1__StartResponse *s = api_world_get(&w, 0, METHOD_START, &start.base);
    ck_assert(s->saga_id[0] != '\0');
    saga__v1__start_response__free_unpacked(s, NULL);
    ck_assert_uint_eq(w.loop[0].call_count, 1);
}
END_TEST

/* One that knows its messages, too, is only judged: against its schema, which is to be there. */
START_TEST(change__a_dry_run_of_a_typed_definition_registers_nothing)
{
    static const char typed[] = "name: typed\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\nsteps:\n"
                                "  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n";
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    m.source.data = (uint8_t *)(uintptr_t)typed;
    m.source.len = strlen(typed);
    for (int dry = 1; dry >= 0; dry--) {
        m.dry_run = dry;
        api_world_refused(&w, 0, METHOD_REGISTER_DEFINITION, &m.base, "SCHEMA_NOT_FOUND", "");
    }
    api_world_add_schema(&w);
    for (int dry = 1; dry >= 0; dry--) {
        m.dry_run = dry;
        Saga__V1__RegisterDefinitionResponse *r = api_world_get(&w, 0, METHOD_REGISTER_DEFINITION, &m.base);
        ck_assert(!r->already_registered);
        saga__v1__register_definition_response__free_unpacked(r, NULL);
        ck_assert_uint_eq(catalog_count(w.loop[0].catalog), !dry);
    }
    ck_assert_ptr_nonnull(catalog_at(w.loop[0].catalog, 0)->definition->schema_hash);
    /* What is registered is so whatever its schema's name stands for by now. */
    Saga__V1__RegisterSchemaRequest other = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    other.name = (char *)(uintptr_t) "shapes";
    other.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)trades, .len = trades_size};
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_REGISTER_SCHEMA, &other.base), NULL);
    Saga__V1__RegisterDefinitionResponse *r = api_world_get(&w, 0, METHOD_REGISTER_DEFINITION, &m.base);
    ck_assert(r->already_registered);
    saga__v1__register_definition_response__free_unpacked(r, NULL);
}
END_TEST

/* The definition of this number, or one that calls a target which is not there. */
static void refused_either_way(int number, bool absent, const char *reason)
{
    char text[128];
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    snprintf(text, sizeof text, "name: n%d\nversion: 1.0.0\nsteps:\n  - {name: a, target: %s, action: /t.T/Do}\n",
             number, absent ? "nobody" : "t");
    m.source.data = (uint8_t *)text;
    m.source.len = strlen(text);
    for (int dry = 0; dry < 2; dry++) {
        m.dry_run = dry == 0;
        if (reason != NULL)
            api_world_refused(&w, 0, METHOD_REGISTER_DEFINITION, &m.base, reason,
                              strcmp(reason, "TARGET_NOT_FOUND") == 0 ? "action.target" : "");
        else
            protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_REGISTER_DEFINITION, &m.base), NULL);
    }
}

static int admit_none(void *self, const struct definition *definition, struct error_detail *detail)
{
    (void)self;
    (void)definition;
    return error_set(detail, E_POLICY, "", NULL);
}

START_TEST(change__a_dry_run_is_refused_as_the_real_one_would_be)
{
    struct api_options *options = &w.loop[0].api->options;
    int (*admit)(void *self, const struct definition *definition, struct error_detail *detail) = options->admit;
    options->admit = admit_none;
    refused_either_way(0, false, "POLICY_VIOLATED");
    options->admit = admit;
    refused_either_way(0, true, "TARGET_NOT_FOUND");
    memory_disk_set_tight(w.loop[0].disk, true);
    refused_either_way(0, false, "JOURNAL_FULL");
    refused_either_way(0, true, "JOURNAL_FULL");
    memory_disk_set_tight(w.loop[0].disk, false);
    int count = 0;
    while (!catalog_is_full(w.loop[0].catalog))
        refused_either_way(count++, false, NULL);
    refused_either_way(count, false, "DEFINITIONS_MAX");
    refused_either_way(count, true, "TARGET_NOT_FOUND");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("change");
    TCase *tc = tcase_create("change");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, change__is_answered_by_the_commit);
    tcase_add_test(tc, change__one_that_is_cancelled_is_carried_out_all_the_same);
    tcase_add_test(tc, change__what_is_left_at_the_end_of_a_stop_is_refused);
    tcase_add_test(tc, change__all_that_wait_at_the_end_of_a_stop_are_refused);
    tcase_add_test(tc, change__texts_with_nul_and_long_lists_are_refused_by_name);
    tcase_add_test(tc, change__definitions_are_checked_registered_and_found_again);
    tcase_add_test(tc, change__a_dry_run_of_a_typed_definition_registers_nothing);
    tcase_add_test(tc, change__a_dry_run_is_refused_as_the_real_one_would_be);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
