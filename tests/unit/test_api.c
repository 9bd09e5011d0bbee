/* The service as a whole: every method by its row, how calls end and are counted, what is said of what was done, the end of it all. */
#include "tests/support/api_world.h"

#include "sidecar/base/account.h"
#include "sidecar/base/call_key.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;
static struct api_loop *loop;

static void setup(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    loop = &w.loop[0];
}

static void teardown(void)
{
    account.max = 0;
    api_world_close(&w);
}

static bool is_stream(enum method_id method)
{
    return methods_served[method].kind != RPC_UNARY;
}

/* ---- every method ---- */

/* An empty request means something different to each; that it is answered once, and counted when it is refused, holds for all. */
START_TEST(api__every_method_answers_an_empty_request_once)
{
    for (enum method_id method = 0; method < METHOD_COUNT; method++) {
        unsigned before = loop->refusals;
        struct world_call *call = api_world_ask_bytes(&w, 0, method, bytes_of("", 0));
        api_world_settle(&w);
        if (!call->ended) {
            ck_assert_msg(is_stream(method), "%s", methods_served[method].path);
            if (methods_served[method].kind == RPC_BIDI)
                api_world_half_close(call);
            for (size_t i = 0; !call->ended && i <= call->sent_count; i++) {
                if (call->sending)
                    api_world_took(call);
                api_world_settle(&w);
            }
            if (!call->ended)
                api_world_cancel(call);
            api_world_settle(&w);
        }
        ck_assert_msg(call->ended, "%s", methods_served[method].path);
        bool refused = call->status != 0 && call->reason[0] != '\0';
        ck_assert_msg(loop->refusals == before + refused, "%s", methods_served[method].path);
        ck_assert(!refused || (loop->refused_method == method && loop->refused_code < 0));
        api_world_free(call);
    }
    ck_assert_uint_eq(w.open_calls, 0);
}
END_TEST

START_TEST(api__bytes_that_are_no_message_are_refused_by_every_method)
{
    static const uint8_t junk[] = {0x0a, 0x7f, 'x'}; /* a text that is longer than the message */
    for (enum method_id method = 0; method < METHOD_COUNT; method++) {
        struct world_call *call = api_world_ask_bytes(&w, 0, method, bytes_of(junk, sizeof junk));
        api_world_settle(&w);
        ck_assert_msg(call->ended && call->status == 3, "%s", methods_served[method].path);
        ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
        ck_assert_int_eq(loop->refused_code, E_ARGUMENT);
        api_world_free(call);
    }
    ck_assert_uint_eq(loop->refusals, METHOD_COUNT);
    ck_assert(!core_pending(loop->core));
}
END_TEST

/* A message of a pipe is answered command by command, and this one has none. */
static void all_are_refused(const char *reason)
{
    for (enum method_id method = 0; method < METHOD_COUNT; method++) {
        if (methods_served[method].kind == RPC_BIDI)
            continue;
        struct world_call *call = api_world_ask_bytes(&w, 0, method, bytes_of("", 0));
        api_turn(loop->api);
        ck_assert_msg(call->ended, "%s", methods_served[method].path);
        ck_assert_str_eq(call->reason, reason);
        api_world_free(call);
    }
}

/* A field that is there, though not as what it should be. */
START_TEST(api__what_cannot_be_read_is_named)
{
    static const uint8_t number[] = {0x08, 0x01};
    static const struct {
        enum method_id method;
        const char *type;
    } rows[] = {{METHOD_BEGIN, "saga.v1.BeginRequest"}, {METHOD_GET, "saga.v1.GetRequest"}};
    for (size_t i = 0; i < 2; i++) {
        char words[96];
        struct world_call *call = api_world_ask_bytes(&w, 0, rows[i].method, bytes_of(number, sizeof number));
        api_world_settle(&w);
        snprintf(words, sizeof words, "the request cannot be read as %s", rows[i].type);
        ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
        ck_assert_ptr_nonnull(strstr(call->message, words));
        api_world_free(call);
    }
}
END_TEST

/* Asked again with the same request_id, it is the same saga, whatever has become of it. */
START_TEST(api__a_start_tells_whether_it_was_the_first)
{
    api_world_register(&w,
                       "name: order\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, pivot: true, action: /p.S/A}\n");
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    m.definition = (char *)(uintptr_t) "order";
    m.request_id = (char *)(uintptr_t) "r-1";
    char id[SAGA_ID_TEXT_SIZE] = "";
    for (int i = 0; i < 3; i++) {
        Saga__V1__StartResponse *r = api_world_get(&w, 0, METHOD_START, &m.base);
        ck_assert_int_eq(r->already_started, i > 0);
        ck_assert(i == 0 || strcmp(r->saga_id, id) == 0);
        snprintf(id, sizeof id, "%s", r->saga_id);
        saga__v1__start_response__free_unpacked(r, NULL);
        if (i == 1)
            api_world_answer(&w, 0, 0, "", bytes_of(NULL, 0));
    }
}
END_TEST

START_TEST(api__nothing_is_taken_in_once_the_journal_has_failed)
{
    ck_assert_int_eq(api_closed(loop->api), 0);
    loop->failure.code = E_JOURNAL;
    ck_assert_int_eq(api_closed(loop->api), E_JOURNAL);
    all_are_refused("JOURNAL_ERROR");
    loop->failure.code = E_JOURNAL_FENCED; /* whoever has it by now can be asked */
    all_are_refused("JOURNAL_FENCED");
    ck_assert(!core_pending(loop->core) && !api_busy(loop->api));
}
END_TEST

START_TEST(api__nothing_is_taken_in_at_the_end_of_a_stop)
{
    api_stop(loop->api);
    ck_assert_int_eq(api_closed(loop->api), 0); /* what is on its way is answered still */
    core_abandon(loop->core);
    api_abandon(loop->api);
    ck_assert_int_eq(api_closed(loop->api), E_STOPPING);
    all_are_refused("STOPPING");
}
END_TEST

/* ---- what is said of what was done ---- */

static Saga__V1__Enlistment enlistment_of(const char *step)
{
    Saga__V1__Enlistment e = SAGA__V1__ENLISTMENT__INIT;
    e.step = (char *)(uintptr_t)step;
    return e;
}

/* The key that an owner sends with its action's calls. */
static void expect_key(const char *key, const char *id, const char *step)
{
    struct saga_id saga;
    char expected[CALL_KEY_SIZE(8)];
    ck_assert(saga_id_parse(id, strlen(id), &saga));
    call_key_format(saga, bytes_of_text(step), true, 0, expected);
    ck_assert_str_eq(key, expected);
}

START_TEST(api__owners_are_told_the_keys_of_their_actions)
{
    Saga__V1__Enlistment a = enlistment_of("a"), b = enlistment_of("b"), c = enlistment_of("c");
    Saga__V1__Enlistment *two[] = {&a, &b}, *one[] = {&c};
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    begin.name = (char *)(uintptr_t) "order";
    begin.request_id = (char *)(uintptr_t) "r1";
    begin.n_enlist = 2;
    begin.enlist = two;
    for (int again = 0; again < 2; again++) {
        Saga__V1__BeginResponse *r = api_world_get(&w, 0, METHOD_BEGIN, &begin.base);
        ck_assert_int_eq(r->already_started, again);
        ck_assert_uint_eq(r->n_action_keys, 2);
        expect_key(r->action_keys[0], r->saga_id, "a");
        expect_key(r->action_keys[1], r->saga_id, "b");
        Saga__V1__EnlistRequest enlist = SAGA__V1__ENLIST_REQUEST__INIT;
        enlist.saga_id = r->saga_id;
        enlist.n_enlist = 1;
        enlist.enlist = one;
        Saga__V1__EnlistResponse *e = api_world_get(&w, 0, METHOD_ENLIST, &enlist.base);
        ck_assert_uint_eq(e->n_action_keys, 1);
        expect_key(e->action_keys[0], r->saga_id, "c");
        saga__v1__enlist_response__free_unpacked(e, NULL);
        saga__v1__begin_response__free_unpacked(r, NULL);
    }
}
END_TEST

/* By a pipe as well. */
START_TEST(api__owners_are_told_the_keys_of_their_actions_in_a_pipe)
{
    Saga__V1__Enlistment a = enlistment_of("a"), b = enlistment_of("b");
    Saga__V1__Enlistment *two[] = {&a, &b};
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT, *commands[] = {&command};
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    begin.name = (char *)(uintptr_t) "order";
    begin.n_enlist = 2;
    begin.enlist = two;
    command.command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
    command.begin = &begin;
    m.n_commands = 1;
    m.commands = commands;
    struct world_call *pipe = api_world_ask(&w, 0, METHOD_PIPE, &m.base);
    api_world_settle(&w);
    ck_assert_uint_eq(pipe->sent_count, 1);
    Saga__V1__PipeResponse *r = saga__v1__pipe_response__unpack(NULL, pipe->sent[0].size, pipe->sent[0].at);
    ck_assert_int_eq(r->results[0]->result_case, SAGA__V1__RESULT__RESULT_BEGIN);
    const Saga__V1__BeginResponse *begun = r->results[0]->begin;
    ck_assert_uint_eq(begun->n_action_keys, 2);
    expect_key(begun->action_keys[0], begun->saga_id, "a");
    expect_key(begun->action_keys[1], begun->saga_id, "b");
    saga__v1__pipe_response__free_unpacked(r, NULL);
    api_world_half_close(pipe);
    api_world_took(pipe);
    api_world_settle(&w);
    api_world_free(pipe);
}
END_TEST

#define TRACE_OF_CALL    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define TRACE_OF_MESSAGE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* A saga is traced by what its message says, or else the metadata, where OpenTelemetry puts it; what is no trace there is left out. */
START_TEST(api__a_trace_comes_with_the_message_or_beside_it)
{
    static const struct {
        const char *metadata, *message, *kept;
    } traces[] = {{NULL, "", ""},
                  {TRACE_OF_CALL, "", TRACE_OF_CALL},
                  {TRACE_OF_CALL, TRACE_OF_MESSAGE, TRACE_OF_MESSAGE},
                  {NULL, TRACE_OF_MESSAGE, TRACE_OF_MESSAGE},
                  {"00-00000000000000000000000000000000-b7ad6b7169203331-01", "", ""},
                  {"00-0af7651916cd43dd8448eb211c80319c", "", ""},
                  {TRACE_OF_CALL "-01234567890123456789012345678901234567890123456789", "", ""}};
    api_world_register(&w, "name: one\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    for (size_t i = 0; i < 2 * sizeof traces / sizeof traces[0]; i++) {
        Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
        Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
        Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
        bool enlisted = i % 2 == 1;
        w.traceparent = traces[i / 2].metadata;
        start.definition = (char *)(uintptr_t) "one";
        begin.name = (char *)(uintptr_t) "shop";
        start.traceparent = begin.traceparent = (char *)(uintptr_t)traces[i / 2].message;
        Saga__V1__StartResponse *s = enlisted ? NULL : api_world_get(&w, 0, METHOD_START, &start.base);
        Saga__V1__BeginResponse *b = enlisted ? api_world_get(&w, 0, METHOD_BEGIN, &begin.base) : NULL;
        get.saga_id = enlisted ? b->saga_id : s->saga_id;
        Saga__V1__GetResponse *r = api_world_get(&w, 0, METHOD_GET, &get.base);
        ck_assert_msg(strcmp(r->saga->traceparent, traces[i / 2].kept) == 0, "%zu: %s", i, r->saga->traceparent);
        saga__v1__get_response__free_unpacked(r, NULL);
        if (s != NULL)
            saga__v1__start_response__free_unpacked(s, NULL);
        if (b != NULL)
            saga__v1__begin_response__free_unpacked(b, NULL);
    }
}
END_TEST

START_TEST(api__a_renewal_is_told_its_lease)
{
    Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__KeepAliveRequest renew = SAGA__V1__KEEP_ALIVE_REQUEST__INIT;
    lease.seconds = 17;
    lease.nanos = 500000000;
    begin.name = (char *)(uintptr_t) "order";
    begin.lease = &lease;
    Saga__V1__BeginResponse *r = api_world_get(&w, 0, METHOD_BEGIN, &begin.base);
    renew.saga_id = r->saga_id;
    Saga__V1__KeepAliveResponse *k = api_world_get(&w, 0, METHOD_KEEP_ALIVE, &renew.base);
    ck_assert_int_eq(k->lease->seconds, 17);
    ck_assert_int_eq(k->lease->nanos, 500000000);
    saga__v1__keep_alive_response__free_unpacked(k, NULL);
    saga__v1__begin_response__free_unpacked(r, NULL);
}
END_TEST

START_TEST(api__a_registration_is_told_what_was_found)
{
    static const char source[] = "name: odd\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /t.T/Do}\n"
                                 "  - {name: b, after: [a], target: t, action: /t.T/Do}\n";
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    m.source.data = (uint8_t *)(uintptr_t)source;
    m.source.len = strlen(source);
    Saga__V1__RegisterDefinitionResponse *r = api_world_get(&w, 0, METHOD_REGISTER_DEFINITION, &m.base);
    ck_assert_str_eq(r->name, "odd");
    ck_assert_uint_eq(r->n_findings, 2);
    const Saga__V1__Finding *note = r->findings[0], *warning = r->findings[1];
    ck_assert_str_eq(note->rule, "a-note");
    ck_assert_str_eq(note->message, "worth knowing");
    ck_assert_str_eq(note->field, "steps[0]");
    ck_assert(!note->warning && note->line == 3 && note->column == 5);
    ck_assert_str_eq(warning->rule, "a-rule");
    ck_assert(warning->warning && warning->line == 0);
    saga__v1__register_definition_response__free_unpacked(r, NULL);
}
END_TEST

/* ---- bounds ---- */

START_TEST(api__a_large_answer_waits_for_room)
{
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__ListRequest list = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    for (int i = 0; i < 400; i++)
        api_world_begin(&w, 0, "order", "", id);
    list.page_size = 400;
    get.saga_id = id;
    account.max = 1 << 20;
    account_add(&account.leaving, 1 << 18); /* others have not read what they asked for */
    struct world_call *call = api_world_ask(&w, 0, METHOD_LIST, &list.base);
    api_world_settle(&w);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "MEMORY_BYTES_MAX");
    ck_assert_int_eq(loop->refused_code, E_BYTES);
    ck_assert_int_eq(loop->refused_method, METHOD_LIST);
    api_world_free(call);
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_GET, &get.base), NULL); /* a small one does not */
    account_sub(&account.leaving, 1 << 18);
    Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &list.base);
    ck_assert_uint_eq(r->n_sagas, 400);
    saga__v1__list_response__free_unpacked(r, NULL);
}
END_TEST

START_TEST(api__lists_of_a_request_are_bounded_by_steps_max)
{
    enum { MANY = 300 };
    static uint8_t packed[2 * MANY];
    struct error_detail detail;
    ck_assert_uint_lt(w.steps_max, MANY);
    const struct {
        enum method_id method;
        const char *field;
        int code;
    } lists[] = {{METHOD_BEGIN, "enlist", E_STEPS},
                 {METHOD_ENLIST, "enlist", E_STEPS},
                 {METHOD_ENLIST, "settle", E_ARGUMENT},
                 {METHOD_COMMIT, "settle", E_ARGUMENT}};
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(methods[lists[k].method].request, lists[k].field);
        ck_assert_ptr_nonnull(field);
        for (size_t i = 0; i < sizeof packed; i += 2)
            packed[i] = (uint8_t)(field->id << 3 | 2);
        ck_assert_int_eq(api_check(loop->api, lists[k].method, bytes_of(packed, 2 * (size_t)w.steps_max), &detail), 0);
        ck_assert_int_eq(
            api_check(loop->api, lists[k].method, bytes_of(packed, 2 * ((size_t)w.steps_max + 1)), &detail),
            lists[k].code);
        ck_assert_int_eq(strncmp(detail.field, lists[k].field, strlen(lists[k].field)), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *tcase = tcase_create("api");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, api__every_method_answers_an_empty_request_once);
    tcase_add_test(tcase, api__bytes_that_are_no_message_are_refused_by_every_method);
    tcase_add_test(tcase, api__what_cannot_be_read_is_named);
    tcase_add_test(tcase, api__a_start_tells_whether_it_was_the_first);
    tcase_add_test(tcase, api__nothing_is_taken_in_once_the_journal_has_failed);
    tcase_add_test(tcase, api__nothing_is_taken_in_at_the_end_of_a_stop);
    tcase_add_test(tcase, api__owners_are_told_the_keys_of_their_actions);
    tcase_add_test(tcase, api__owners_are_told_the_keys_of_their_actions_in_a_pipe);
    tcase_add_test(tcase, api__a_trace_comes_with_the_message_or_beside_it);
    tcase_add_test(tcase, api__a_renewal_is_told_its_lease);
    tcase_add_test(tcase, api__a_registration_is_told_what_was_found);
    tcase_add_test(tcase, api__a_large_answer_waits_for_room);
    tcase_add_test(tcase, api__lists_of_a_request_are_bounded_by_steps_max);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
