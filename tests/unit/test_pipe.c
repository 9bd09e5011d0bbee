/* Pipe: commands in pieces of time, each by itself, in order; what ends a stream. */
#include "sidecar/base/account.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;

static void setup(void)
{
    api_world_init(&w, 1);
}

static void teardown(void)
{
    w.tick = (struct span){0};
    api_world_close(&w);
}

/* A message of so many Begins with request_ids PREFIX-0 and so on. */
static struct bytes begins(const char *prefix, size_t count)
{
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    Saga__V1__Command *commands = calloc(count + 1, sizeof *commands), **list = calloc(count + 1, sizeof *list);
    Saga__V1__BeginRequest *all = calloc(count + 1, sizeof *all);
    char(*ids)[32] = calloc(count + 1, sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        saga__v1__command__init(&commands[i]);
        saga__v1__begin_request__init(&all[i]);
        snprintf(ids[i], sizeof ids[i], "%s-%zu", prefix, i);
        all[i].name = (char *)(uintptr_t) "x";
        all[i].request_id = ids[i];
        commands[i].command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
        commands[i].begin = &all[i];
        list[i] = &commands[i];
    }
    m.n_commands = count;
    m.commands = list;
    uint8_t *at = malloc(protobuf_c_message_get_packed_size(&m.base) + 1);
    struct bytes packed = bytes_of(at, protobuf_c_message_pack(&m.base, at));
    free(commands);
    free(list);
    free(all);
    free(ids);
    return packed;
}

static void finish(struct world_call *pipe)
{
    if (!pipe->ended)
        api_world_half_close(pipe);
    for (int i = 0; i < 100 && !pipe->ended; i++) {
        if (pipe->sending)
            api_world_took(pipe);
        api_world_settle(&w);
    }
    ck_assert(pipe->ended);
}

static Saga__V1__PipeResponse *answer(const struct world_call *pipe, size_t index)
{
    ck_assert_uint_gt(pipe->sent_count, index);
    Saga__V1__PipeResponse *r = saga__v1__pipe_response__unpack(NULL, pipe->sent[index].size, pipe->sent[index].at);
    ck_assert_ptr_nonnull(r);
    return r;
}

START_TEST(pipe__a_long_message_is_carried_out_in_pieces)
{
    enum { COMMANDS = 20000 };
    api_world_start(&w);
    struct bytes packed = begins("long", COMMANDS);
    w.tick = (struct span){.us = 10}; /* what a command costs */
    w.longest = (struct span){0};
    struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
    ck_assert(api_busy(w.loop[0].api));
    ck_assert_uint_eq(pipe->wanted, 0); /* nothing more is read meanwhile */
    /* Somebody else is served between two pieces. */
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    begin.name = (char *)(uintptr_t) "other";
    struct world_call *other = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    api_world_turn(&w, 0);
    ck_assert(other->ended);
    ck_assert(api_busy(w.loop[0].api));
    api_world_free(other);
    api_world_settle(&w);
    ck_assert_int_le(w.longest.us, 10000);
    ck_assert_uint_eq(pipe->wanted, 1);
    Saga__V1__PipeResponse *r = answer(pipe, 0);
    ck_assert_uint_eq(r->n_results, COMMANDS);
    for (size_t i = 0; i < COMMANDS; i++) {
        ck_assert_int_eq(r->results[i]->result_case, SAGA__V1__RESULT__RESULT_BEGIN);
        ck_assert(!r->results[i]->begin->already_started);
    }
    saga__v1__pipe_response__free_unpacked(r, NULL);
    (void)id;
    finish(pipe);
    ck_assert_int_eq(pipe->status, 0);
    api_world_free(pipe);
    free((void *)(uintptr_t)packed.at);
}
END_TEST

START_TEST(pipe__what_was_sent_is_carried_out_though_the_peer_is_gone)
{
    enum { COMMANDS = 3000 };
    api_world_start(&w);
    struct bytes packed = begins("gone", COMMANDS);
    w.tick = (struct span){.us = 10};
    struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
    ck_assert(api_busy(w.loop[0].api));
    api_world_cancel(pipe);
    api_world_settle(&w);
    ck_assert(pipe->ended);
    ck_assert_uint_eq(pipe->sent_count, 0);
    ck_assert_uint_eq(engine_counts(core_engine(w.loop[0].core)).live, COMMANDS);
    api_world_free(pipe);
    free((void *)(uintptr_t)packed.at);
}
END_TEST

/* One whose answer is on its way when it is cancelled has its end all the same: nobody says any more that it has left. */
START_TEST(pipe__a_peer_that_goes_while_it_is_sent_to_is_let_go)
{
    api_world_start(&w);
    struct bytes packed = begins("sent", 1);
    struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
    api_world_settle(&w);
    ck_assert(pipe->sending);
    api_world_cancel(pipe);
    api_world_settle(&w);
    ck_assert(pipe->ended);
    api_world_free(pipe);
    free((void *)(uintptr_t)packed.at);
}
END_TEST

static size_t lives(void)
{
    return atomic_load(&account.lives);
}

/* What is kept of a message is counted while it is kept, and no longer, whoever is still there. */
START_TEST(pipe__a_message_counts_until_it_is_carried_out)
{
    /* Nothing of these lives on. */
    enum { COMMANDS = 3000 };
    static uint8_t empty[2 * COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        empty[2 * i] = 0x0a;
    api_world_start(&w);
    for (int gone = 0; gone < 2; gone++) {
        size_t before = lives();
        w.tick = (struct span){.us = 10};
        struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, bytes_of(empty, sizeof empty));
        ck_assert(api_busy(w.loop[0].api));
        ck_assert_uint_eq(lives(), before + sizeof empty);
        if (gone)
            api_world_cancel(pipe);
        api_world_settle(&w);
        ck_assert_uint_eq(pipe->sent_count, gone ? 0 : 1); /* though none of its commands has to be waited for */
        finish(pipe);
        ck_assert_uint_eq(lives(), before);
        api_world_free(pipe);
    }
}
END_TEST

START_TEST(pipe__a_stop_answers_what_was_read)
{
    api_world_start(&w);
    struct bytes packed = begins("stop", 2000);
    w.tick = (struct span){.us = 10};
    struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
    api_stop(w.loop[0].api);
    ck_assert(!pipe->ended);
    api_world_settle(&w);
    Saga__V1__PipeResponse *r = answer(pipe, 0);
    ck_assert_uint_eq(r->n_results, 2000);
    saga__v1__pipe_response__free_unpacked(r, NULL);
    finish(pipe);
    ck_assert_str_eq(pipe->reason, "STOPPING");
    api_world_free(pipe);
    /* And where nothing can be made durable any more, it is refused. */
    pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
    ck_assert(pipe->ended);
    api_world_free(pipe);
    free((void *)(uintptr_t)packed.at);
}
END_TEST

START_TEST(pipe__an_abandoned_message_is_refused_whole)
{
    api_world_start(&w);
    struct bytes packed = begins("abandoned", 2000);
    w.tick = (struct span){.us = 10};
    struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
    ck_assert(api_busy(w.loop[0].api));
    api_stop(w.loop[0].api);
    core_abandon(w.loop[0].core);
    api_abandon(w.loop[0].api);
    ck_assert(!api_busy(w.loop[0].api));
    Saga__V1__PipeResponse *r = answer(pipe, 0);
    ck_assert_uint_eq(r->n_results, 2000);
    for (size_t i = 0; i < r->n_results; i++)
        ck_assert_int_eq(r->results[i]->error->code, 14);
    saga__v1__pipe_response__free_unpacked(r, NULL);
    finish(pipe);
    api_world_free(pipe);
    free((void *)(uintptr_t)packed.at);
}
END_TEST

START_TEST(pipe__bad_messages_and_bad_commands)
{
    static const uint8_t torn[] = {0x0a, 0x05, 0x12}, wrong_type[] = {0x08, 0x01},
                         deep_nul[] = {0x0a, 0x08, 0x12, 0x06, 0x0a, 0x01, 'x', 0x12, 0x01, 0x00},
                         bad_command[] = {0x0a, 0x02, 0x12, 0x7f}, unknown[] = {0x0a, 0x03, 0x7a, 0x01, 'x'},
                         empty[] = {0x0a, 0x00};
    w.pipe_commands_max = 3;
    api_world_start(&w);
    /* These end the stream. */
    struct bytes many = begins("many", 4);
    const struct bytes end[] = {bytes_of(torn, sizeof torn), bytes_of(wrong_type, sizeof wrong_type), many};
    for (size_t i = 0; i < 3; i++) {
        struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, end[i]);
        ck_assert(pipe->ended);
        ck_assert_str_eq(pipe->reason, "INVALID_ARGUMENT");
        api_world_free(pipe);
    }
    /* These are answered. */
    const struct bytes one[] = {bytes_of(deep_nul, sizeof deep_nul), bytes_of(bad_command, sizeof bad_command),
                                bytes_of(unknown, sizeof unknown), bytes_of(empty, sizeof empty)};
    for (size_t i = 0; i < 4; i++) {
        struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, one[i]);
        api_world_settle(&w);
        Saga__V1__PipeResponse *r = answer(pipe, 0);
        ck_assert_uint_eq(r->n_results, 1);
        ck_assert_int_eq(r->results[0]->result_case, SAGA__V1__RESULT__RESULT_ERROR);
        ck_assert_int_eq(r->results[0]->error->code, 3);
        saga__v1__pipe_response__free_unpacked(r, NULL);
        finish(pipe);
        ck_assert_int_eq(pipe->status, 0);
        api_world_free(pipe);
    }
    ck_assert_uint_eq(engine_counts(core_engine(w.loop[0].core)).live, 0);
    free((void *)(uintptr_t)many.at);
}
END_TEST

/* One after another, each sent when the one before was answered. */
START_TEST(pipe__messages_are_answered_one_by_one)
{
    api_world_start(&w);
    struct world_call *pipe = NULL;
    for (unsigned i = 0; i < 3; i++) {
        char prefix[8];
        snprintf(prefix, sizeof prefix, "p%u", i);
        struct bytes packed = begins(prefix, i + 1);
        if (i == 0) {
            pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
        } else {
            api_world_took(pipe);
            relay_message(w.loop[0].relay, (struct rpc_call *)pipe, packed);
        }
        api_world_settle(&w);
        ck_assert_uint_eq(pipe->sent_count, i + 1);
        ck_assert_uint_eq(pipe->wanted, i + 1);
        Saga__V1__PipeResponse *r = answer(pipe, i);
        ck_assert_uint_eq(r->n_results, i + 1);
        for (size_t k = 0; k < r->n_results; k++)
            ck_assert_int_eq(r->results[k]->result_case, SAGA__V1__RESULT__RESULT_BEGIN);
        saga__v1__pipe_response__free_unpacked(r, NULL);
        free((void *)(uintptr_t)packed.at);
    }
    finish(pipe);
    ck_assert_int_eq(pipe->status, 0);
    api_world_free(pipe);
}
END_TEST

/* Of a later version of the API, which has more fields, of any type. */
START_TEST(pipe__fields_that_nobody_knows_are_passed_over)
{
    static const uint8_t packed[] = {0x78, 0x01, 0x0a, 0x05, 0x12, 0x03, 0x0a, 0x01, 'x',
                                     0x7a, 0x01, 'y',  0x7d, 1,    2,    3,    4};
    api_world_start(&w);
    struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, bytes_of(packed, sizeof packed));
    api_world_settle(&w);
    Saga__V1__PipeResponse *r = answer(pipe, 0);
    ck_assert_uint_eq(r->n_results, 1);
    ck_assert_int_eq(r->results[0]->result_case, SAGA__V1__RESULT__RESULT_BEGIN);
    saga__v1__pipe_response__free_unpacked(r, NULL);
    finish(pipe);
    ck_assert_int_eq(pipe->status, 0);
    api_world_free(pipe);
}
END_TEST

START_TEST(pipe__sixteen_messages_are_in_work_at_most)
{
    api_world_start(&w);
    struct bytes packed = begins("deep", 1);
    struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, packed);
    int messages = 1;
    while (pipe->wanted > 0 && messages < 100) { /* no commit meanwhile */
        pipe->wanted--;
        relay_message(w.loop[0].relay, (struct rpc_call *)pipe, packed);
        messages++;
    }
    ck_assert_int_eq(messages, 16);
    api_world_settle(&w);
    finish(pipe);
    ck_assert_uint_eq(pipe->sent_count, 16);
    api_world_free(pipe);
    free((void *)(uintptr_t)packed.at);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipe");
    TCase *tc = tcase_create("pipe");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, pipe__a_long_message_is_carried_out_in_pieces);
    tcase_add_test(tc, pipe__what_was_sent_is_carried_out_though_the_peer_is_gone);
    tcase_add_test(tc, pipe__a_peer_that_goes_while_it_is_sent_to_is_let_go);
    tcase_add_test(tc, pipe__a_message_counts_until_it_is_carried_out);
    tcase_add_test(tc, pipe__a_stop_answers_what_was_read);
    tcase_add_test(tc, pipe__an_abandoned_message_is_refused_whole);
    tcase_add_test(tc, pipe__bad_messages_and_bad_commands);
    tcase_add_test(tc, pipe__messages_are_answered_one_by_one);
    tcase_add_test(tc, pipe__fields_that_nobody_knows_are_passed_over);
    tcase_add_test(tc, pipe__sixteen_messages_are_in_work_at_most);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
