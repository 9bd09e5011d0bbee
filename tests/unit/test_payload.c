/* Payloads whose type is known: what a Start takes, as bytes or as JSON, what Get shows as JSON, and to whom Wait shows what came of it. */
#include "tests/support/api_world.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;
static Saga__V1__StartRequest request;
static char id[SAGA_ID_TEXT_SIZE];

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static ProtobufCBinaryData data_of(struct bytes b)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)b.at, .len = b.size};
}

static void set_up(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    api_world_add_schema(&w);
    api_world_register(&w, "name: typed\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n"
                           "output: {sku: =steps.a.output.sku}\noutput_type: shapes.Line\nsteps:\n"
                           "  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n"
                           "  - {name: b, target: t, after: [a], action: {method: /shapes.Shop/Old}}\n");
    api_world_register(&w, "name: plain\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    request = (Saga__V1__StartRequest)SAGA__V1__START_REQUEST__INIT;
    request.definition = text_of("typed");
}

static void tear_down(void)
{
    api_world_close(&w);
}

static void started(void)
{
    Saga__V1__StartResponse *r = api_world_get(&w, 0, METHOD_START, &request.base);
    snprintf(id, sizeof id, "%s", r->saga_id);
    saga__v1__start_response__free_unpacked(r, NULL);
}

static void refused(const char *field)
{
    api_world_refused(&w, 0, METHOD_START, &request.base, "INVALID_ARGUMENT", field);
}

static Saga__V1__GetResponse *get(bool payloads, bool json)
{
    Saga__V1__GetRequest m = SAGA__V1__GET_REQUEST__INIT;
    m.saga_id = id;
    m.include_payloads = payloads;
    m.payloads_as_json = json;
    return api_world_get(&w, 0, METHOD_GET, &m.base);
}

static void drop(Saga__V1__GetResponse *r)
{
    saga__v1__get_response__free_unpacked(r, NULL);
}

/* What was written as JSON is the same message as what was given as bytes, also to the participant. */
START_TEST(payload__an_input_may_be_json)
{
    static const uint8_t line[] = {0x0a, 1, 'x', 0x10, 3};
    request.input_json = text_of("{\"sku\": \"x\", \"quantity\": 3}");
    started();
    ck_assert_uint_eq(w.loop[0].call_count, 1);
    ck_assert(bytes_equal(w.loop[0].calls[0].request, bytes_of(line, sizeof line)));
    Saga__V1__GetResponse *r = get(true, false);
    ck_assert(bytes_equal(bytes_of(r->saga->input.data, r->saga->input.len), bytes_of(line, sizeof line)));
    drop(r);
}
END_TEST

/* The field at fault is told, within the message, too. */
START_TEST(payload__what_is_no_message_of_its_type_is_refused)
{
    static const uint8_t cut[] = {0x0a, 9, 'x'}, unknown[] = {0x0a, 1, 'x', 0x78, 3}, line[] = {0x0a, 1, 'x'};
    static char large[262144 + 64];
    static const struct {
        const char *json, *field;
    } texts[] = {{"{\"sku\": 5}", "input_json.sku"},
                 {"{\"sku\": \"x\"", "input_json"},
                 {"{\"weight\": 5}", "input_json.weight"},
                 {"[]", "input_json"},
                 {"{\"quantity\": 1.5}", "input_json.quantity"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        request.input_json = text_of(texts[i].json);
        refused(texts[i].field);
    }
    request.input_json = text_of("{\n \"sku\": 5}"); /* and the place in the text */
    struct world_call *call = api_world_ask(&w, 0, METHOD_START, &request.base);
    api_world_settle(&w);
    ck_assert_msg(strstr(call->message, " (line 2, column 9)") != NULL, "%s", call->message);
    api_world_free(call);
    /* What is too long of a path is cut between two characters. */
    for (size_t shift = 0; shift < 2; shift++) {
        char json[256] = "{\"a", field[128] = "input_json.a";
        json[2 + shift] = field[11 + shift] = '\0';
        for (size_t i = 0; i < 60; i++)
            strcat(json, "\xc3\xa9");
        for (size_t i = shift; i < 42; i++)
            strcat(field, "\xc3\xa9");
        strcat(json, "\": 5}");
        request.input_json = json;
        refused(field);
    }
    request.input = data_of(bytes_of(line, sizeof line));
    request.input_json = text_of("{}");
    refused("input_json"); /* not both */
    request.input_json = text_of("");
    started();
    request.input = data_of(bytes_of(cut, sizeof cut));
    refused("input");
    request.input = data_of(bytes_of(unknown, sizeof unknown));
    refused("input");
    /* As JSON only what says its type; as bytes whatever it is. */
    request.definition = text_of("plain");
    started();
    request.input = data_of(bytes_of(NULL, 0));
    request.input_json = text_of("{}");
    refused("input_json");
    request.definition = text_of("typed");
    for (int over = 0; over < 2; over++) {
        memset(large, ' ', sizeof large);
        memcpy(large, "{}", 2);
        large[262144 + over] = '\0';
        request.input_json = large;
        if (over)
            api_world_refused(&w, 0, METHOD_START, &request.base, "PAYLOAD_BYTES_MAX", "");
        else
            started();
    }
}
END_TEST

/* A type may require a field, as those of proto2 do: package need; message Need { required string name = 1; } and a service. */
static const char need[] =
    "\x0a\x4b\x0a\x07n.proto\x12\x04need\x22\x14\x0a\x04Need\x12\x0c\x0a\x04name\x18\x01\x20\x02\x28\x09"
    "\x32\x24\x0a\x04Shop\x12\x1c\x0a\x02"
    "Do\x12\x0a.need.Need\x1a\x0a.need.Need";

START_TEST(payload__what_its_type_requires_is_there)
{
    static const uint8_t name[] = {0x0a, 1, 'x'};
    Saga__V1__RegisterSchemaRequest m = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    m.name = text_of("need");
    m.descriptors = data_of(bytes_of(need, sizeof need - 1));
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_REGISTER_SCHEMA, &m.base), NULL);
    api_world_register(&w, "name: needy\nversion: 1.0.0\nschema: need\ninput: need.Need\nsteps:\n"
                           "  - {name: a, target: t, action: {method: /need.Shop/Do}, compensation: none}\n");
    request.definition = text_of("needy");
    refused("input");
    request.input_json = text_of("{}");
    refused("input_json");
    request.input_json = text_of("{\"name\": \"\"}");
    started();
    request.input_json = text_of("");
    request.input = data_of(bytes_of(name, sizeof name));
    started();
}
END_TEST

START_TEST(payload__a_definition_tells_the_type_of_its_input)
{
    Saga__V1__GetDefinitionRequest m = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
    for (int typed = 0; typed < 2; typed++) {
        m.name = text_of(typed ? "typed" : "plain");
        Saga__V1__Definition *d = api_world_get(&w, 0, METHOD_GET_DEFINITION, &m.base);
        ck_assert_str_eq(d->schema, typed ? "shapes" : "");
        ck_assert_str_eq(d->input, typed ? "shapes.Line" : "");
        ck_assert_uint_eq(strlen(d->schema_hash), typed ? 64 : 0);
        saga__v1__definition__free_unpacked(d, NULL);
    }
}
END_TEST

/* Beside the bytes, for whoever asks for both; of steps that are done. */
START_TEST(payload__is_shown_as_json_where_its_type_is_known)
{
    uint8_t room[32];
    request.input_json = text_of("{\"sku\":\"in\"}");
    started();
    for (int over = 0; over < 2; over++) {
        api_world_answer(&w, 0, 0, "", shapes_line(bytes_of_text("out"), room));
        for (int asked = 0; asked < 4; asked++) {
            bool payloads = asked >= 2, json = asked % 2 == 1;
            Saga__V1__GetResponse *r = get(payloads, json);
            const Saga__V1__Saga *s = r->saga;
            ck_assert_int_eq(s->state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED, over);
            ck_assert_int_eq(s->input.len > 0, payloads);
            ck_assert_int_eq(s->steps[0]->output.len > 0, payloads);
            ck_assert_int_eq(s->output.len > 0, payloads && over);
            ck_assert_str_eq(s->input_json, payloads && json ? "{\"sku\":\"in\"}" : "");
            ck_assert_str_eq(s->steps[0]->output_json, payloads && json ? "{\"sku\":\"out\"}" : "");
            ck_assert_str_eq(s->steps[1]->output_json, payloads && json && over ? "{\"sku\":\"out\"}" : "");
            ck_assert_str_eq(s->output_json, payloads && json && over ? "{\"sku\":\"out\"}" : "");
            drop(r);
        }
    }
    request.definition = text_of("plain");
    request.input_json = text_of("");
    request.input = data_of(shapes_line(bytes_of_text("in"), room));
    started();
    Saga__V1__GetResponse *r = get(true, true);
    ck_assert_uint_eq(r->saga->input.len, 4);
    ck_assert_str_eq(r->saga->input_json, "");
    drop(r);
}
END_TEST

/* Of an enlisted saga nobody has said what its payloads are. */
START_TEST(payload__of_an_enlisted_saga_is_bytes_alone)
{
    Saga__V1__EnlistRequest enlist = SAGA__V1__ENLIST_REQUEST__INIT;
    Saga__V1__Enlistment step = SAGA__V1__ENLISTMENT__INIT, *steps = &step;
    Saga__V1__Settlement settled = SAGA__V1__SETTLEMENT__INIT, *settle = &settled;
    api_world_begin(&w, 0, "shop", "", id);
    enlist.saga_id = id;
    step.step = settled.step = text_of("s");
    enlist.n_enlist = 1;
    enlist.enlist = &steps;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ENLIST, &enlist.base), NULL);
    enlist.n_enlist = 0;
    enlist.n_settle = 1;
    enlist.settle = &settle;
    settled.outcome = SAGA__V1__OUTCOME__OUTCOME_DONE;
    settled.output = data_of(bytes_of_text("out"));
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ENLIST, &enlist.base), NULL);
    Saga__V1__GetResponse *r = get(true, true);
    ck_assert_uint_eq(r->saga->n_steps, 1);
    ck_assert_int_eq(r->saga->steps[0]->action, SAGA__V1__ACTION_STATE__ACTION_STATE_DONE);
    ck_assert_uint_eq(r->saga->steps[0]->output.len, 3);
    ck_assert_str_eq(r->saga->steps[0]->output_json, "");
    drop(r);
}
END_TEST

/* What is large is shown as bytes alone, so that the rest of the saga can be shown, too. */
START_TEST(payload__json_of_a_saga_has_a_bound)
{
    static char text[65536 + 32];
    static uint8_t output[65536];
    uint8_t room[32];
    for (int over = 0; over < 2; over++) {
        /* A field's tag and three bytes of its length. */
        int size = snprintf(text, sizeof text, "{\"sku\":\"%0*d\"}", 40000, 0);
        ck_assert_int_eq(size, 40000 + 10);
        request.input_json = text;
        started();
        output[0] = 0x0a;
        size_t rest = 65536 - 40004 - 4 + (size_t)over;
        output[1] = (uint8_t)(rest & 0x7f) | 0x80;
        output[2] = (uint8_t)(rest >> 7 & 0x7f) | 0x80;
        output[3] = (uint8_t)(rest >> 14);
        memset(output + 4, 'x', rest);
        api_world_answer(&w, 0, 0, "", bytes_of(output, rest + 4));
        Saga__V1__GetResponse *r = get(true, true);
        ck_assert_uint_eq(r->saga->input.len, 40004);
        ck_assert_uint_gt(strlen(r->saga->input_json), 40000);
        ck_assert_uint_eq(r->saga->steps[0]->output.len, rest + 4);
        ck_assert_int_eq(r->saga->steps[0]->output_json[0] != '\0', !over);
        drop(r);
        api_world_answer(&w, 0, 0, "", shapes_line(bytes_of_text("out"), room));
        r = get(true, true);
        ck_assert_int_eq(r->saga->steps[1]->output_json[0] != '\0', over); /* the one before has used up all */
        drop(r);
    }
}
END_TEST

static struct world_call *waits(bool until_answered)
{
    Saga__V1__WaitRequest m = SAGA__V1__WAIT_REQUEST__INIT;
    m.saga_id = id;
    m.until_answered = until_answered;
    return api_world_ask(&w, 0, METHOD_WAIT, &m.base);
}

/* The wait is over, and its answer has the output in both forms, or in none. */
static void expect_output(struct world_call *call, bool shown, const char *who)
{
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 0);
    Saga__V1__WaitResponse *r = saga__v1__wait_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_str_eq(r->saga->id, id);
    ck_assert_msg((r->saga->output.len > 0) == shown, "%s: %zu bytes", who, r->saga->output.len);
    ck_assert_msg(strcmp(r->saga->output_json, shown ? "{\"sku\":\"out\"}" : "") == 0, "%s: %s", who,
                  r->saga->output_json);
    saga__v1__wait_response__free_unpacked(r, NULL);
    api_world_free(call);
}

/* Whoever may wait for a saga is told that it ended, or has its answer; what it put out is for its owner, and for whoever may look at the
 * payloads of such a saga. */
START_TEST(payload__an_output_that_is_waited_for_is_for_whom_may_see_it)
{
    static struct who anyone[] = {{.kind = WHO_ANYONE}};
    static const char *const same[] = {"lat*"}, *const another[] = {"plain"};
    static const struct bytes tagged = {(const uint8_t *)"sku\0in\0", 7}, untagged = {(const uint8_t *)"sku\0out\0", 8};
    const struct {
        const char *name;
        struct authz_rule rule;
        bool shown;
    } table[] = {
        {"nobody", {.rights = RIGHT_VIEWER}, false},
        {"payloads alone", {.rights = RIGHT_PAYLOADS}, false},
        {"all", {.rights = RIGHT_VIEWER | RIGHT_PAYLOADS}, true},
        {"one's own", {.rights = RIGHT_SERVICE | RIGHT_PAYLOADS}, false},
        {"by its name", {.rights = RIGHT_VIEWER | RIGHT_PAYLOADS, .definitions = same, .definition_count = 1}, true},
        {"another's", {.rights = RIGHT_VIEWER | RIGHT_PAYLOADS, .definitions = another, .definition_count = 1}, false},
        {"by its tags", {.rights = RIGHT_VIEWER | RIGHT_PAYLOADS, .tags = tagged}, true},
        {"other tags", {.rights = RIGHT_VIEWER | RIGHT_PAYLOADS, .tags = untagged}, false},
    };
    const struct rpc_peer owner = w.peer;
    uint8_t room[32];
    api_world_register(&w, "name: later\nversion: 1.0.0\nforward_only: true\nschema: shapes\ninput: shapes.Line\n"
                           "tags: {sku: =input.sku}\noutput: {sku: =steps.a.output.sku}\noutput_type: shapes.Line\n"
                           "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}}\n"
                           "  - {name: b, target: t, deferred: true, action: {method: /shapes.Shop/Old}}\n");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct authz_rule rules[] = {{.who = anyone, .who_count = 1, .rights = RIGHT_VIEWER | RIGHT_SERVICE},
                                     table[i].rule};
        rules[1].who = anyone;
        rules[1].who_count = 1;
        w.authz = (struct authz){.rules = rules, .count = 2, .given = true};
        authz_prepare(&w.authz, rules);
        request.definition = text_of("later");
        request.input_json = text_of("{\"sku\": \"in\"}");
        started();
        /* Both wait together, for the answer and for the end; and once it has ended, others ask. */
        for (int step = 0; step < 3; step++) {
            struct world_call *own = waits(step == 0);
            w.peer.uid++;
            struct world_call *reader = waits(step == 0);
            w.peer = owner;
            api_world_settle(&w);
            ck_assert_int_eq(reader->ended, step == 2);
            if (step < 2)
                api_world_answer(&w, 0, 0, "", shapes_line(bytes_of_text("out"), room));
            expect_output(own, true, "its owner");
            expect_output(reader, table[i].shown, table[i].name);
        }
    }
    w.authz = authz_default(false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("payload");
    TCase *tc = tcase_create("payload");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, payload__an_input_may_be_json);
    tcase_add_test(tc, payload__what_is_no_message_of_its_type_is_refused);
    tcase_add_test(tc, payload__what_its_type_requires_is_there);
    tcase_add_test(tc, payload__a_definition_tells_the_type_of_its_input);
    tcase_add_test(tc, payload__is_shown_as_json_where_its_type_is_known);
    tcase_add_test(tc, payload__of_an_enlisted_saga_is_bytes_alone);
    tcase_add_test(tc, payload__json_of_a_saga_has_a_bound);
    tcase_add_test(tc, payload__an_output_that_is_waited_for_is_for_whom_may_see_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
