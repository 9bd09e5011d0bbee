/* Reads: short ones first, long ones in pieces; what a page shows; that every read has an end. */
#include "tests/support/api_world.h"

#include "sidecar/base/account.h"
#include "sidecar/engine/saga.h"
#include "tests/support/shapes.h"

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
}
END_TEST

/* The disk is far away: a crash now would leave nothing of the saga. */
START_TEST(reads__what_is_not_durable_yet_is_not_found)
{
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__FindRequest find = SAGA__V1__FIND_REQUEST__INIT;
    Saga__V1__ListRequest list = list_of("", 0, "");
    begin.name = (char *)(uintptr_t) "x";
    begin.request_id = find.request_id = (char *)(uintptr_t) "r";
    api_world_start(&w);
    memory_disk_set_far(w.loop[0].disk, true);
    struct world_call *begun = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    api_world_turn(&w, 0);
    memory_disk_arrive(w.loop[0].disk, STORE_PENDING); /* nobody has begun one with it */
    api_world_turn(&w, 0);
    ck_assert_uint_eq(memory_disk_on_the_way(w.loop[0].disk), 1);
    struct world_call *found = api_world_ask(&w, 0, METHOD_FIND, &find.base);
    struct world_call *listed = api_world_ask(&w, 0, METHOD_LIST, &list.base);
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    saga_id_format(engine_find(core_engine(w.loop[0].core), 1)->id, id);
    get.saga_id = id;
    struct world_call *got = api_world_ask(&w, 0, METHOD_GET, &get.base);
    api_world_turn(&w, 0);
    ck_assert(!begun->ended && found->ended && listed->ended && got->ended);
    ck_assert_str_eq(found->reason, "SAGA_NOT_FOUND");
    ck_assert_str_eq(got->reason, "SAGA_NOT_FOUND");
    Saga__V1__ListResponse *r = saga__v1__list_response__unpack(NULL, listed->body.size, listed->body.at);
    ck_assert_uint_eq(r->n_sagas, 0);
    saga__v1__list_response__free_unpacked(r, NULL);
    memory_disk_arrive(w.loop[0].disk, 0);
    api_world_turn(&w, 0);
    ck_assert(begun->ended);
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_FIND, &find.base), NULL);
    api_world_free(begun);
    api_world_free(found);
    api_world_free(got);
    api_world_free(listed);
}
END_TEST

static bool holds = true;

static int tell_whether_it_holds(struct store *s, struct error_detail *detail)
{
    (void)s;
    return holds ? 0 : error_set(detail, E_JOURNAL_AWAY, "", "the journal may be another's by now");
}

/* Another may have the journal by then, and may have gone on with it: what memory has is out of date. */
START_TEST(reads__nothing_is_told_while_the_journal_may_be_anothers)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    w.loop[0].store->holds = tell_whether_it_holds;
    holds = true;
    api_world_begin(&w, 0, "x", "", id);
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
    Saga__V1__WatchRequest watch = SAGA__V1__WATCH_REQUEST__INIT;
    Saga__V1__ListRequest list = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__ListDeadLettersRequest letters = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    Saga__V1__FindRequest find = SAGA__V1__FIND_REQUEST__INIT;
    get.saga_id = wait.saga_id = watch.saga_id = id;
    find.request_id = (char *)(uintptr_t) "r";
    const struct {
        enum method_id method;
        const ProtobufCMessage *request;
    } asked[] = {{METHOD_GET, &get.base},
                 {METHOD_WAIT, &wait.base},
                 {METHOD_WATCH, &watch.base},
                 {METHOD_LIST, &list.base},
                 {METHOD_LIST_DEAD_LETTERS, &letters.base},
                 {METHOD_FIND, &find.base}};
    holds = false;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct world_call *call = api_world_ask(&w, 0, asked[i].method, asked[i].request);
        api_turn(w.loop[0].api);
        ck_assert_msg(call->ended, "%s", call->method->path);
        ck_assert_str_eq(call->reason, "JOURNAL_AWAY");
        api_world_free(call);
    }
    holds = true;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_GET, &get.base), NULL);
}
END_TEST

/* One turn, and the answer that has come of it. */
static void *read_now(enum method_id method, const ProtobufCMessage *m)
{
    struct world_call *call = api_world_ask(&w, 0, method, m);
    api_world_turn(&w, 0);
    ck_assert(call->ended);
    ck_assert_msg(call->status == 0, "%s %s", call->reason, call->field);
    void *answer = protobuf_c_message_unpack(methods[method].response, NULL, call->body.size, call->body.at);
    api_world_free(call);
    return answer;
}

/* While the journal is full memory is ahead of it: what is shown is what it holds. */
START_TEST(reads__go_on_while_the_journal_is_full)
{
    api_world_start(&w);
    begin_many(5);
    commit(ids[0]);
    Saga__V1__WatchRequest watch_one = SAGA__V1__WATCH_REQUEST__INIT;
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    abort.saga_id = wait.saga_id = watch_one.saga_id = ids[1];
    begin.name = (char *)(uintptr_t) "never";
    memory_disk_set_size(w.loop[0].disk, 1);
    struct world_call *aborted = api_world_ask(&w, 0, METHOD_ABORT, &abort.base);
    struct world_call *began = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    api_world_turn(&w, 0);
    ck_assert_int_eq(core_stalled(w.loop[0].core), E_JOURNAL_FULL);
    ck_assert(!aborted->ended && !began->ended);
    struct world_call *waits = api_world_ask(&w, 0, METHOD_WAIT, &wait.base);
    struct world_call *watches = api_world_ask(&w, 0, METHOD_WATCH, &watch_one.base);
    for (int i = 0; i < 5; i++) {
        Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
        get.saga_id = ids[i];
        Saga__V1__GetResponse *r = read_now(METHOD_GET, &get.base);
        ck_assert_str_eq(r->saga->id, ids[i]);
        ck_assert_int_eq(r->saga->state, i == 0 ? SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED
                                                : SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING);
        ck_assert_uint_eq(r->n_timeline, i == 0 ? 2 : 1);
        saga__v1__get_response__free_unpacked(r, NULL);
    }
    Saga__V1__ListRequest m = list_of("", 0, "");
    Saga__V1__ListResponse *r = read_now(METHOD_LIST, &m.base);
    ck_assert_uint_eq(r->n_sagas, 5); /* without the one that may never have been */
    ck_assert_str_eq(r->sagas[3]->id, ids[1]);
    ck_assert_int_eq(r->sagas[3]->state, SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING);
    saga__v1__list_response__free_unpacked(r, NULL);
    ck_assert(!waits->ended);
    ck_assert_uint_eq(watches->sent_count, 1);
    Saga__V1__WatchResponse *seen = saga__v1__watch_response__unpack(NULL, watches->sent[0].size, watches->sent[0].at);
    ck_assert_uint_eq(seen->n_events, 1);
    saga__v1__watch_response__free_unpacked(seen, NULL);
    /* And once there is room, all of it. */
    memory_disk_set_size(w.loop[0].disk, 0);
    api_world_settle(&w);
    ck_assert(aborted->ended && began->ended && waits->ended);
    api_world_took(watches);
    api_world_settle(&w);
    ck_assert_uint_eq(watches->sent_count, 2);
    api_world_took(watches);
    api_world_settle(&w);
    ck_assert(watches->ended);
    api_world_free(aborted);
    api_world_free(began);
    api_world_free(waits);
    api_world_free(watches);
}
END_TEST

START_TEST(reads__what_ends_sagas_is_taken_while_the_journal_is_tight)
{
    api_world_start(&w);
    begin_many(2);
    memory_disk_set_tight(w.loop[0].disk, true);
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__EnlistRequest enlist = SAGA__V1__ENLIST_REQUEST__INIT;
    Saga__V1__Enlistment step = SAGA__V1__ENLISTMENT__INIT, *steps = &step;
    Saga__V1__KeepAliveRequest alive = SAGA__V1__KEEP_ALIVE_REQUEST__INIT;
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    begin.name = (char *)(uintptr_t) "new";
    enlist.saga_id = alive.saga_id = abort.saga_id = ids[1];
    step.step = (char *)(uintptr_t) "s";
    enlist.n_enlist = 1;
    enlist.enlist = &steps;
    api_world_refused(&w, 0, METHOD_BEGIN, &begin.base, "JOURNAL_FULL", "");
    api_world_refused(&w, 0, METHOD_ENLIST, &enlist.base, "JOURNAL_FULL", "");
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_KEEP_ALIVE, &alive.base), NULL);
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ABORT, &abort.base), NULL);
    commit(ids[0]);
    memory_disk_set_tight(w.loop[0].disk, false);
    begin_many(1);
}
END_TEST

START_TEST(reads__what_ends_sagas_is_taken_while_memory_is_nearly_used_up)
{
    api_world_start(&w);
    begin_many(2);
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT, known = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__EnlistRequest enlist = SAGA__V1__ENLIST_REQUEST__INIT;
    Saga__V1__Enlistment step = SAGA__V1__ENLISTMENT__INIT, *steps = &step;
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    begin.name = known.name = (char *)(uintptr_t) "new";
    known.request_id = (char *)(uintptr_t) "known";
    enlist.saga_id = abort.saga_id = ids[1];
    step.step = (char *)(uintptr_t) "s";
    enlist.n_enlist = 1;
    enlist.enlist = &steps;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_BEGIN, &known.base), NULL);
    account.max = account.lives + 1; /* of which five eighths are for new work */
    api_world_refused(&w, 0, METHOD_BEGIN, &begin.base, "MEMORY_BYTES_MAX", "");
    api_world_refused(&w, 0, METHOD_ENLIST, &enlist.base, "MEMORY_BYTES_MAX", "");
    /* A repeated request is answered. */
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_BEGIN, &known.base), NULL);
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ABORT, &abort.base), NULL);
    commit(ids[0]);
    account.max = 0;
    begin_many(1);
    account.max = SIZE_MAX;
    atomic_store(&account.pressed, true);
    api_world_refused(&w, 0, METHOD_BEGIN, &begin.base, "MEMORY_BYTES_MAX", "");
    atomic_store(&account.pressed, false);
    begin_many(1);
}
END_TEST

START_TEST(reads__large_questions_are_not_kept_while_memory_is_nearly_used_up)
{
    char name[20000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    api_world_start(&w);
    Saga__V1__ListRequest large = list_of(name, 1, ""), small = list_of("n", 1, "");
    account.max = SIZE_MAX;
    atomic_store(&account.pressed, true);
    api_world_refused(&w, 0, METHOD_LIST, &large.base, "MEMORY_BYTES_MAX", "");
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_LIST, &small.base), NULL);
    atomic_store(&account.pressed, false);
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_LIST, &large.base), NULL);
}
END_TEST

START_TEST(reads__answers_that_nobody_takes_leave_no_room_for_large_ones)
{
    api_world_start(&w);
    begin_many(1000);
    Saga__V1__ListRequest large = list_of("", 1000, ""), small = list_of("", 1, "");
    account.max = (size_t)1 << 26;
    account_add(&account.leaving, (size_t)1 << 24);
    api_world_refused(&w, 0, METHOD_LIST, &large.base, "MEMORY_BYTES_MAX", "");
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_LIST, &small.base), NULL);
    account_sub(&account.leaving, (size_t)1 << 24);
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_LIST, &large.base), NULL);
    ck_assert_uint_eq(account.leaving, 0);
}
END_TEST

START_TEST(reads__everything_that_lives_is_given_back_to_the_account)
{
    api_world_start(&w);
    begin_many(1000);
    ck_assert_uint_gt(account.lives, 1000 * 200);
    api_world_close(&w);
    ck_assert_uint_eq(account.lives, 0);
    api_world_init(&w, 1);
    api_world_start(&w);
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

/* What waits, and what has been answered, is no more of it than before. */
START_TEST(reads__requests_are_given_back_to_the_account)
{
    api_world_start(&w);
    begin_many(3);
    size_t before = account.lives;
    for (int i = 0; i < 20; i++) {
        Saga__V1__ListRequest m = list_of("many", 2, "");
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_LIST, &m.base), NULL);
        m.page_size = -1;
        api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "page_size");
    }
    ck_assert_uint_eq(account.lives, before);
}
END_TEST

static size_t count_of(const Saga__V1__ListRequest *m)
{
    Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m->base);
    size_t count = r->n_sagas;
    ck_assert_str_eq(r->next_page_token, "");
    saga__v1__list_response__free_unpacked(r, NULL);
    return count;
}

/* From a time on, and before one: to the microsecond, of those that live and those that have ended. */
START_TEST(reads__a_list_is_of_a_time)
{
    enum { SAGAS = 6 };
    struct instant at[SAGAS];
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    for (int i = 0; i < SAGAS; i++) {
        w.now.us += 500001;
        at[i] = w.now;
        api_world_begin(&w, 0, "x", "", id);
        if (i % 2 == 1)
            commit(id);
    }
    for (int from = 0; from < SAGAS; from++)
        for (int to = from; to < SAGAS; to++)
            for (int later = 0; later < 2; later++) {
                Google__Protobuf__Timestamp first = GOOGLE__PROTOBUF__TIMESTAMP__INIT,
                                            end = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
                first.seconds = at[from].us / 1000000;
                first.nanos = (int32_t)(at[from].us % 1000000) * 1000;
                end.seconds = (at[to].us + later) / 1000000;
                end.nanos = (int32_t)((at[to].us + later) % 1000000) * 1000;
                Saga__V1__ListRequest m = list_of("", 0, "");
                m.started_from = &first;
                m.started_before = &end;
                ck_assert_uint_eq(count_of(&m), (size_t)(to - from + later));
            }
}
END_TEST

/* A question about something else leaves the definition that is asked for. */
START_TEST(reads__a_question_and_a_definition_are_both_meant)
{
    static const struct {
        const char *definition, *where;
        size_t count;
    } asked[] = {{"many", "state == RUNNING", 3},     {"other", "state == RUNNING", 0},
                 {"many", "definition == 'many'", 3}, {"many", "definition == 'other'", 0},
                 {"", "definition == 'many'", 3},     {"many", "", 3}};
    api_world_start(&w);
    begin_many(3);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        Saga__V1__ListRequest m = list_of(asked[i].definition, 0, "");
        m.where = (char *)(uintptr_t)asked[i].where;
        ck_assert_msg(count_of(&m) == asked[i].count, "%s, %s", asked[i].definition, asked[i].where);
    }
}
END_TEST

/* A page of few among many is short, and leads on. */
START_TEST(reads__a_page_looks_at_so_many)
{
    api_world_start(&w);
    for (int i = 0; i < 9; i++)
        begin_many(2500);
    Saga__V1__ListRequest m = list_of("none", 0, "");
    Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m.base);
    ck_assert_uint_eq(r->n_sagas, 0);
    ck_assert_uint_eq(strtoul(r->next_page_token, NULL, 16), 9 * 2500 - 20000 + 1); /* below that it goes on */
    m.page_token = r->next_page_token;
    ck_assert_uint_eq(count_of(&m), 0);
    saga__v1__list_response__free_unpacked(r, NULL);
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
    w.tick = (struct span){.us = 300};
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

START_TEST(reads__a_list_is_of_so_many_tags)
{
    Saga__V1__Tag tag = SAGA__V1__TAG__INIT;
    Saga__V1__Tag *tags[17];
    for (int i = 0; i < 17; i++)
        tags[i] = &tag;
    tag.name = (char *)(uintptr_t) "a";
    api_world_start(&w);
    begin_many(1);
    Saga__V1__ListRequest m = list_of("", 0, "");
    m.tags = tags;
    m.n_tags = 16;
    ck_assert_uint_eq(count_of(&m), 0);
    m.n_tags = 17;
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "tags");
}
END_TEST

static void begin_tags(void)
{
    api_world_start(&w);
    api_world_add_schema(&w);
    api_world_register(&w,
                       "name: tagged\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n"
                       "tags: {tenant: =input.sku, known: \"='yes'\"}\n"
                       "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n");
}

/* Several that start in one frame. */
static void start_tagged(unsigned count, const char *const *skus)
{
    struct world_call *calls[8];
    ck_assert_uint_le(count, 8);
    for (unsigned i = 0; i < count; i++) {
        uint8_t room[32];
        Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
        struct bytes input = shapes_line(bytes_of_text(skus[i]), room);
        m.definition = (char *)(uintptr_t) "tagged";
        m.input = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)input.at, .len = input.size};
        calls[i] = api_world_ask(&w, 0, METHOD_START, &m.base);
    }
    uint64_t before = w.loop[0].durable_frame;
    api_world_settle(&w);
    ck_assert_uint_eq(w.loop[0].durable_frame, before + 1);
    for (unsigned i = 0; i < count; i++) {
        ck_assert(calls[i]->ended && calls[i]->status == 0);
        api_world_free(calls[i]);
    }
}

/* A store whose answers come when it is asked again, and are given once. */
static int (*read_near)(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail);
static int (*list_near)(struct store *s, const struct ended_query *query,
                        void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                        struct error_detail *detail);
static uint64_t frames_asked; /* bit n: frame n */
static bool list_asked;
static unsigned lists_given;

static int read_far(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    ck_assert_uint_lt(frame, 64);
    frames_asked ^= UINT64_C(1) << frame;
    return (frames_asked >> frame & 1) != 0 ? STORE_PENDING : read_near(s, frame, records, detail);
}

static int list_far(struct store *s, const struct ended_query *query,
                    void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                    struct error_detail *detail)
{
    list_asked = !list_asked;
    lists_given += !list_asked;
    return list_asked ? STORE_PENDING : list_near(s, query, take, self, examined_to, detail);
}

/* One that tells once no more than so many live any more: of those that had ended when it was asked (none), or by now. */
static unsigned list_live;
static bool list_as_asked;

static int list_late(struct store *s, const struct ended_query *query,
                     void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                     struct error_detail *detail)
{
    *examined_to = 0;
    return engine_counts(core_engine(w.loop[0].core)).live > list_live ? STORE_PENDING
           : list_as_asked                                             ? 0
                           : list_near(s, query, take, self, examined_to, detail);
}

/* A saga that ends while those that have are asked for is in the list, once. */
START_TEST(reads__a_saga_that_ends_meanwhile_is_listed)
{
    api_world_start(&w);
    begin_many(2);
    struct store *s = w.loop[0].store;
    list_near = s->list_ended;
    s->list_ended = list_late;
    for (int i = 0; i < 2; i++) {
        Saga__V1__ListRequest m = list_of("many", 0, "");
        list_as_asked = i == 0;
        list_live = (unsigned)(1 - i);
        struct world_call *call = api_world_ask(&w, 0, METHOD_LIST, &m.base);
        api_world_turn(&w, 0);
        ck_assert(!call->ended);
        commit(ids[i]);
        Saga__V1__ListResponse *r = saga__v1__list_response__unpack(NULL, call->body.size, call->body.at);
        ck_assert_uint_eq(r->n_sagas, 2);
        for (int k = 0; k < 2; k++)
            ck_assert_str_eq(r->sagas[k]->id, ids[1 - k]);
        saga__v1__list_response__free_unpacked(r, NULL);
        api_world_free(call);
    }
}
END_TEST

/* Of several tags a saga that is listed has each, whether it has ended or not, and however far away that is kept. */
START_TEST(reads__a_list_of_tags_is_of_what_has_them_all)
{
    static const struct {
        const char *tenant, *other;
        size_t count;
    } asked[] = {{"acme", NULL, 2},   {"zeta", NULL, 1}, {"none", NULL, 0},  {"acme", "yes", 2},
                 {"zeta", "yes", 1},  {"acme", "no", 0}, {"none", "yes", 0}, {NULL, "yes", 3},
                 {"acme", "acme", 0}, {"ac", NULL, 0},   {NULL, "no", 0}};
    begin_tags();
    static const char *const tenants[] = {"acme", "zeta", "acme"};
    for (int i = 0; i < 3; i++)
        start_tagged(1, &tenants[i]);
    begin_many(1); /* which has none */
    for (int ended = 0; ended < 3; ended++) {
        if (ended == 2) {
            struct store *s = w.loop[0].store;
            read_near = s->read_frame;
            list_near = s->list_ended;
            s->read_frame = read_far;
            s->list_ended = list_far;
        }
        for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
            Saga__V1__Tag tags[2] = {SAGA__V1__TAG__INIT, SAGA__V1__TAG__INIT}, *all[2];
            Saga__V1__ListRequest m = list_of("", 0, "");
            m.tags = all;
            if (asked[i].tenant != NULL) {
                tags[0].name = (char *)(uintptr_t) "tenant";
                tags[0].value = (char *)(uintptr_t)asked[i].tenant;
                all[m.n_tags++] = &tags[0];
            }
            if (asked[i].other != NULL) {
                tags[1].name = (char *)(uintptr_t) "known";
                tags[1].value = (char *)(uintptr_t)asked[i].other;
                all[m.n_tags++] = &tags[1];
            }
            ck_assert_msg(count_of(&m) == asked[i].count, "%d %zu", ended, i);
            ck_assert_uint_eq(lists_given, ended < 2 ? 0 : i + 1); /* what was given once is not asked for again */
        }
        while (!ended && w.loop[0].call_count > 0)
            api_world_answer(&w, 0, 0, "", bytes_of(NULL, 0));
    }
}
END_TEST

/* Those that began in one frame, too. */
START_TEST(reads__a_saga_has_its_own_tags)
{
    static const char *const tenants[] = {"acme", "zeta", "beta", "acme"};
    static const size_t counts[] = {2, 1, 1};
    begin_tags();
    start_tagged(4, tenants);
    for (int ended = 0; ended < 2; ended++) {
        for (int i = 0; i < 3; i++) {
            Saga__V1__Tag tag = SAGA__V1__TAG__INIT, *all[] = {&tag};
            Saga__V1__ListRequest m = list_of("", 0, "");
            m.tags = all;
            m.n_tags = 1;
            tag.name = (char *)(uintptr_t) "tenant";
            tag.value = (char *)(uintptr_t)tenants[i];
            ck_assert_msg(count_of(&m) == counts[i], "%d %s", ended, tenants[i]);
        }
        while (w.loop[0].call_count > 0)
            api_world_answer(&w, 0, 0, "", bytes_of(NULL, 0));
    }
}
END_TEST

START_TEST(reads__a_time_is_one_that_can_be_written)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    api_world_start(&w);
    begin_many(1);
    Saga__V1__ListRequest m = list_of("", 0, "");
    m.started_before = &at;
    at.seconds = INT64_C(253402300799);
    at.nanos = 999999999;
    ck_assert_uint_eq(count_of(&m), 1);
    at.nanos = 1000000000;
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "started_before");
    at.nanos = -1;
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "started_before");
    m.started_from = &at;
    m.started_before = NULL;
    at.nanos = 0;
    at.seconds++;
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "started_from");
    at.seconds = -1;
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "started_from");
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
    d.page_token = (char *)(uintptr_t) "";
    Saga__V1__ListDefinitionsRequest definitions = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
    Saga__V1__ListSchemasRequest schemas = SAGA__V1__LIST_SCHEMAS_REQUEST__INIT;
    for (int wrong = 0; wrong < 2; wrong++) {
        d.page_size = definitions.page_size = schemas.page_size = wrong == 0 ? -1 : 1001;
        api_world_refused(&w, 0, METHOD_LIST_DEAD_LETTERS, &d.base, "INVALID_ARGUMENT", "page_size");
        api_world_refused(&w, 0, METHOD_LIST_DEFINITIONS, &definitions.base, "INVALID_ARGUMENT", "page_size");
        api_world_refused(&w, 0, METHOD_LIST_SCHEMAS, &schemas.base, "INVALID_ARGUMENT", "page_size");
    }
    definitions.page_size = schemas.page_size = 1000;
    definitions.page_token = schemas.page_token = (char *)(uintptr_t) "-";
    api_world_refused(&w, 0, METHOD_LIST_DEFINITIONS, &definitions.base, "INVALID_ARGUMENT", "page_token");
    api_world_refused(&w, 0, METHOD_LIST_SCHEMAS, &schemas.base, "INVALID_ARGUMENT", "page_token");
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
    tcase_add_test(tc, reads__what_is_not_durable_yet_is_not_found);
    tcase_add_test(tc, reads__nothing_is_told_while_the_journal_may_be_anothers);
    tcase_add_test(tc, reads__go_on_while_the_journal_is_full);
    tcase_add_test(tc, reads__what_ends_sagas_is_taken_while_the_journal_is_tight);
    tcase_add_test(tc, reads__what_ends_sagas_is_taken_while_memory_is_nearly_used_up);
    tcase_add_test(tc, reads__large_questions_are_not_kept_while_memory_is_nearly_used_up);
    tcase_add_test(tc, reads__answers_that_nobody_takes_leave_no_room_for_large_ones);
    tcase_add_test(tc, reads__everything_that_lives_is_given_back_to_the_account);
    tcase_add_test(tc, reads__a_list_is_cut_by_time_and_still_whole);
    tcase_add_test(tc, reads__a_page_looks_at_so_many);
    tcase_add_test(tc, reads__a_question_and_a_definition_are_both_meant);
    tcase_add_test(tc, reads__a_list_is_of_a_time);
    tcase_add_test(tc, reads__requests_are_given_back_to_the_account);
    tcase_add_test(tc, reads__a_short_one_waits_for_no_long_one);
    tcase_add_test(tc, reads__one_that_nobody_waits_for_is_let_go);
    tcase_add_test(tc, reads__a_list_is_of_so_many_tags);
    tcase_add_test(tc, reads__a_saga_that_ends_meanwhile_is_listed);
    tcase_add_test(tc, reads__a_list_of_tags_is_of_what_has_them_all);
    tcase_add_test(tc, reads__a_saga_has_its_own_tags);
    tcase_add_test(tc, reads__a_time_is_one_that_can_be_written);
    tcase_add_test(tc, reads__refuse_what_is_out_of_bounds);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
