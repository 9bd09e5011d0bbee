/* Reads: short ones first, long ones in pieces; what a page shows; that every read has an end. */
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
    api_world_close(&w);
}

static char ids[3000][SAGA_ID_TEXT_SIZE];

static void begin_many(int count)
{
    struct world_call **calls = calloc((size_t)count, sizeof(*calls));
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    m.name = (char *)(uintptr_t) "many";
    for (int i = 0; i < count; i++)
        calls[i] = api_world_ask(&w, 0, METHOD_BEGIN, &m.base);
    api_world_settle(&w);
    for (int i = 0; i < count; i++) {
        Saga__V1__BeginResponse *r = saga__v1__begin_response__unpack(NULL, calls[i]->body.size, calls[i]->body.at);
        strcpy(ids[i], r->saga_id);
        saga__v1__begin_response__free_unpacked(r, NULL);
        api_world_free(calls[i]);
    }
    free(calls);
}

static void commit(const char *id)
{
    Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
    m.saga_id = (char *)(uintptr_t)id;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_COMMIT, &m.base), NULL);
}

static Saga__V1__ListRequest list_of(const char *definition, int page_size, const char *token)
{
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.definition = (char *)(uintptr_t)definition;
    m.page_size = page_size;
    m.page_token = (char *)(uintptr_t)token;
    return m;
}

START_TEST(reads__are_shown_what_is_durable_and_nothing_else)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", id);
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    get.saga_id = abort.saga_id = id;
    struct world_call *aborted = api_world_ask(&w, 0, METHOD_ABORT, &abort.base);
    struct world_call *got = api_world_ask(&w, 0, METHOD_GET, &get.base);
    ck_assert(!aborted->ended && !got->ended); /* nothing before the commit */
    api_world_turn(&w, 0);
    ck_assert(aborted->ended && got->ended);
    Saga__V1__GetResponse *r = saga__v1__get_response__unpack(NULL, got->body.size, got->body.at);
    ck_assert_int_eq(r->saga->state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED);
    saga__v1__get_response__free_unpacked(r, NULL);
    api_world_free(aborted);
    api_world_free(got);
    /* While the journal is full memory is ahead of it. */
    memory_disk_set_size(w.loop[0].disk, 1);
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    begin.name = (char *)(uintptr_t) "x";
    struct world_call *began = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    api_world_turn(&w, 0);
    memory_disk_set_size(w.loop[0].disk, 0);
    api_world_settle(&w);
    ck_assert(began->ended);
    api_world_free(began);
}
END_TEST

START_TEST(reads__a_list_is_cut_by_time_and_still_whole)
{
    api_world_start(&w);
    begin_many(3000);
    for (int i = 0; i < 3000; i += 3)
        commit(ids[i]);
    w.tick = (struct span){.us = 400}; /* whoever looks at the clock finds that much time gone */
    w.longest = (struct span){0};
    char token[64] = "";
    int seen = 2999, pages = 0;
    do {
        Saga__V1__ListRequest m = list_of("many", 1000, token);
        Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m.base);
        for (size_t i = 0; i < r->n_sagas; i++, seen--)
            ck_assert_str_eq(r->sagas[i]->id, ids[seen]);
        snprintf(token, sizeof token, "%s", r->next_page_token);
        saga__v1__list_response__free_unpacked(r, NULL);
        pages++;
    } while (token[0] != '\0');
    ck_assert_int_eq(seen, -1);
    ck_assert_int_le(pages, 4);
    ck_assert_int_le(w.longest.us, 20000);
    w.tick = (struct span){0};
}
END_TEST

START_TEST(reads__a_short_one_waits_for_no_long_one)
{
    enum { LONG = 40 };
    struct world_call *lists[LONG];
    api_world_start(&w);
    begin_many(3000);
    w.tick = (struct span){.us = 200};
    for (int i = 0; i < LONG; i++) {
        Saga__V1__ListRequest m = list_of("matches nothing", 0, "");
        lists[i] = api_world_ask(&w, 0, METHOD_LIST, &m.base);
    }
    w.longest = (struct span){0};
    struct instant began = w.now;
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    get.saga_id = ids[0];
    struct world_call *got = api_world_ask(&w, 0, METHOD_GET, &get.base);
    int turns = 0;
    while (!got->ended && turns < 1000) {
        api_world_turn(&w, 0);
        turns++;
    }
    ck_assert(got->ended);
    ck_assert_int_eq(got->status, 0);
    ck_assert(!lists[LONG - 1]->ended);
    ck_assert_int_le(instant_since(w.now, began).us, 250000);
    api_world_settle(&w);
    ck_assert_int_le(w.longest.us, 20000);
    for (int i = 0; i < LONG; i++) {
        ck_assert_int_eq(lists[i]->status, 0);
        api_world_free(lists[i]);
    }
    api_world_free(got);
    w.tick = (struct span){0};
}
END_TEST

START_TEST(reads__one_that_nobody_waits_for_is_let_go)
{
    api_world_start(&w);
    begin_many(3000);
    w.tick = (struct span){.us = 1000};
    Saga__V1__ListRequest m = list_of("matches nothing", 0, "");
    struct world_call *first = api_world_ask(&w, 0, METHOD_LIST, &m.base);
    struct world_call *second = api_world_ask(&w, 0, METHOD_LIST, &m.base);
    api_world_turn(&w, 0);
    ck_assert(!first->ended && !second->ended);
    api_world_cancel(first);
    api_world_turn(&w, 0);
    ck_assert(first->ended);
    api_abandon(w.loop[0].api);
    ck_assert(second->ended);
    ck_assert_str_eq(second->reason, "STOPPING");
    ck_assert(!api_busy(w.loop[0].api));
    struct world_call *late = api_world_ask(&w, 0, METHOD_LIST, &m.base);
    ck_assert(late->ended);
    ck_assert_str_eq(late->reason, "STOPPING");
    api_world_free(first);
    api_world_free(second);
    api_world_free(late);
    w.tick = (struct span){0};
}
END_TEST

START_TEST(reads__refuse_what_is_out_of_bounds)
{
    api_world_start(&w);
    begin_many(1);
    Saga__V1__ListRequest m = list_of("", -1, "");
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "page_size");
    m = list_of("", 1001, "");
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "page_size");
    m = list_of("", 0, "-");
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "page_token");
    Saga__V1__ListDeadLettersRequest d = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    d.page_token = (char *)(uintptr_t) "0x1";
    api_world_refused(&w, 0, METHOD_LIST_DEAD_LETTERS, &d.base, "INVALID_ARGUMENT", "page_token");
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    get.saga_id = ids[0];
    get.page_token = (char *)(uintptr_t) "77.1";
    api_world_refused(&w, 0, METHOD_GET, &get.base, "INVALID_ARGUMENT", "page_token");
    get.page_token = (char *)(uintptr_t) "";
    get.page_size = 5001;
    api_world_refused(&w, 0, METHOD_GET, &get.base, "INVALID_ARGUMENT", "page_size");
    get.page_size = 0;
    get.saga_id = (char *)(uintptr_t) "000000000abc-77";
    api_world_refused(&w, 0, METHOD_GET, &get.base, "SAGA_NOT_FOUND", "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reads");
    TCase *tc = tcase_create("reads");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reads__are_shown_what_is_durable_and_nothing_else);
    tcase_add_test(tc, reads__a_list_is_cut_by_time_and_still_whole);
    tcase_add_test(tc, reads__a_short_one_waits_for_no_long_one);
    tcase_add_test(tc, reads__one_that_nobody_waits_for_is_let_go);
    tcase_add_test(tc, reads__refuse_what_is_out_of_bounds);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
