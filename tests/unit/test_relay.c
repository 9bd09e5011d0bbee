/* Several loops: which one a request goes to, what is asked of all, and that every call has an end. */
#include "sidecar/relay/relay_inside.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS 3

static struct api_world w;

static int asked; /* of which the last has not been heard */

static void count_asked(void *self, unsigned place, int change)
{
    (void)self;
    ck_assert_uint_lt(place, LOOPS);
    asked += change;
    ck_assert_int_ge(asked, 0);
}

static void setup(void)
{
    api_world_init(&w, LOOPS);
    api_world_start(&w);
    for (unsigned k = 0; k < LOOPS; k++)
        w.loop[k].relay->options.asked = count_asked;
}

static void teardown(void)
{
    ck_assert_int_eq(asked, 0);
    api_world_close(&w);
}

static const char definition[] =
    "name: one\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /t.T/Do, compensation: /t.T/Undo}\n";

static Saga__V1__ListRequest list_of(int page_size, const char *token)
{
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.page_size = page_size;
    m.page_token = (char *)(uintptr_t)token;
    return m;
}

START_TEST(relay__a_saga_is_reached_over_every_connection)
{
    for (unsigned owner = 0; owner < LOOPS; owner++) {
        char id[SAGA_ID_TEXT_SIZE];
        api_world_begin(&w, owner, "x", "", id);
        ck_assert_uint_eq(api_world_loop_of(id), owner);
        for (unsigned other = 0; other < LOOPS; other++) {
            Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
            get.saga_id = id;
            Saga__V1__GetResponse *r = api_world_get(&w, other, METHOD_GET, &get.base);
            ck_assert_str_eq(r->saga->id, id);
            saga__v1__get_response__free_unpacked(r, NULL);
        }
        Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
        m.saga_id = id;
        protobuf_c_message_free_unpacked(api_world_get(&w, (owner + 1) % LOOPS, METHOD_COMMIT, &m.base), NULL);
    }
}
END_TEST

START_TEST(relay__a_request_id_finds_its_saga_over_every_connection)
{
    for (int i = 0; i < 30; i++) {
        char request_id[24], id[SAGA_ID_TEXT_SIZE];
        snprintf(request_id, sizeof request_id, "order-%d", i);
        api_world_begin(&w, 0, "x", request_id, id);
        for (unsigned k = 1; k < LOOPS; k++) {
            char again[SAGA_ID_TEXT_SIZE];
            api_world_begin(&w, k, "x", request_id, again);
            ck_assert_str_eq(again, id);
        }
    }
}
END_TEST

START_TEST(relay__a_registration_is_carried_to_all)
{
    for (unsigned k = 0; k < LOOPS; k++) {
        Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
        m.source.data = (uint8_t *)(uintptr_t)definition;
        m.source.len = strlen(definition);
        Saga__V1__RegisterDefinitionResponse *r = api_world_get(&w, LOOPS - 1 - k, METHOD_REGISTER_DEFINITION, &m.base);
        ck_assert_int_eq(r->already_registered, k > 0);
        saga__v1__register_definition_response__free_unpacked(r, NULL);
        ck_assert_uint_eq(catalog_count(w.loop[k].catalog), 1);
    }
    Saga__V1__RegisterDefinitionRequest bad = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    bad.source.data = (uint8_t *)(uintptr_t) "x";
    bad.source.len = 1;
    api_world_refused(&w, 1, METHOD_REGISTER_DEFINITION, &bad.base, "INVALID_ARGUMENT", "");
}
END_TEST

static void count_first_asked(void *self, unsigned place, int change)
{
    ck_assert_uint_eq(place, 0);
    count_asked(self, place, change);
}

/* The first loop carries them all, so that two of them come to each loop in the same order. */
START_TEST(relay__a_registration_is_the_first_loops_to_carry)
{
    for (unsigned k = 1; k < LOOPS; k++)
        w.loop[k].relay->options.asked = count_first_asked;
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    m.source.data = (uint8_t *)(uintptr_t)definition;
    m.source.len = strlen(definition);
    protobuf_c_message_free_unpacked(api_world_get(&w, LOOPS - 1, METHOD_REGISTER_DEFINITION, &m.base), NULL);
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_uint_eq(catalog_count(w.loop[k].catalog), 1);
}
END_TEST

/* What it refuses nobody else has. */
START_TEST(relay__a_registration_that_the_first_loop_refuses_goes_no_further)
{
    static const char other[] = "name: one\nversion: 1.0.0\nsteps:\n  - {name: b, target: t, action: /t.T/Do, "
                                "compensation: none}\n";
    for (unsigned k = 0; k < LOOPS; k++)
        w.loop[k].relay->options.loops = 1;
    api_world_register(&w, other);
    for (unsigned k = 0; k < LOOPS; k++)
        w.loop[k].relay->options.loops = LOOPS;
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    m.source.data = (uint8_t *)(uintptr_t)definition;
    m.source.len = strlen(definition);
    for (unsigned k = 0; k < LOOPS; k++)
        api_world_refused(&w, k, METHOD_REGISTER_DEFINITION, &m.base, "DEFINITION_EXISTS", "");
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_uint_eq(catalog_count(w.loop[k].catalog), k == 0);
}
END_TEST

/* What is behind the loops is a guest, whose journal is another's. */
START_TEST(relay__a_registration_is_carried_to_no_guest)
{
    for (unsigned k = 0; k < LOOPS; k++)
        w.loop[k].relay->options.loops = LOOPS - 1;
    api_world_register(&w, definition);
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_uint_eq(catalog_count(w.loop[k].catalog), k < LOOPS - 1);
}
END_TEST

/* What looks at all sagas sees those of guests, and asks in no place that is empty by now. */
START_TEST(relay__guests_that_are_there_are_looked_at)
{
    struct rpc *rooms[LOOPS];
    char ids[LOOPS][SAGA_ID_TEXT_SIZE];
    memcpy(rooms, w.loop[0].relay->options.rooms, sizeof rooms);
    for (unsigned k = 0; k < LOOPS; k++) {
        api_world_begin(&w, k, "x", "", ids[k]);
        w.loop[k].relay->options.loops = 1;
    }
    w.loop[0].relay->options.rooms = rooms;
    for (unsigned there = LOOPS; there > 1; rooms[--there] = NULL) {
        Saga__V1__ListRequest m = list_of(100, "");
        Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m.base);
        ck_assert_uint_eq(r->n_sagas, there);
        saga__v1__list_response__free_unpacked(r, NULL);
        Saga__V1__StatusRequest s = SAGA__V1__STATUS_REQUEST__INIT;
        Saga__V1__StatusResponse *status = api_world_get(&w, 0, METHOD_STATUS, &s.base);
        ck_assert_uint_eq(status->n_loops, there);
        saga__v1__status_response__free_unpacked(status, NULL);
    }
}
END_TEST

/* A cursor outlives guests: events of all sagas are those of the sidecar's own loop. */
START_TEST(relay__events_of_all_are_without_those_of_guests)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    char id[SAGA_ID_TEXT_SIZE];
    w.loop[0].relay->options.loops = 1;
    struct world_call *call = api_world_ask(&w, 0, METHOD_WATCH, &m.base);
    api_world_settle(&w);
    api_world_begin(&w, 1, "x", "", id);
    ck_assert_uint_eq(call->sent_count, 0);
    api_world_begin(&w, 0, "x", "", id);
    ck_assert_uint_eq(call->sent_count, 1);
    Saga__V1__WatchResponse *r = saga__v1__watch_response__unpack(NULL, call->sent[0].size, call->sent[0].at);
    ck_assert_str_eq(r->events[0]->saga_id, id);
    ck_assert_ptr_null(strchr(r->events[0]->cursor, ','));
    saga__v1__watch_response__free_unpacked(r, NULL);
    api_world_cancel(call);
    api_world_settle(&w);
    api_world_free(call);
}
END_TEST

/* In the words of whoever refused it. */
START_TEST(relay__a_refusal_is_told_as_it_was_said)
{
    Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
    char id[SAGA_ID_TEXT_SIZE];
    api_world_begin(&w, 1, "x", "", id);
    m.saga_id = id;
    protobuf_c_message_free_unpacked(api_world_get(&w, 1, METHOD_COMMIT, &m.base), NULL);
    Saga__V1__CancelRequest late = SAGA__V1__CANCEL_REQUEST__INIT;
    late.saga_id = id;
    struct world_call *there = api_world_ask(&w, 1, METHOD_CANCEL, &late.base);
    struct world_call *here = api_world_ask(&w, 0, METHOD_CANCEL, &late.base);
    api_world_settle(&w);
    ck_assert(there->ended && here->ended);
    ck_assert_int_ne(there->status, 0);
    ck_assert_int_eq(here->status, there->status);
    ck_assert_str_ne(there->message, "");
    ck_assert_str_eq(here->message, there->message);
    ck_assert_str_ne(there->reason, "");
    ck_assert_str_eq(here->reason, there->reason);
    api_world_free(there);
    api_world_free(here);
}
END_TEST

/* A page of all loops has no saga twice, none too few, and the order of their starts. */
START_TEST(relay__pages_of_all_loops_are_in_order)
{
    static char ids[90][SAGA_ID_TEXT_SIZE];
    for (int i = 0; i < 90; i++) {
        w.now = instant_after(w.now, SPAN_MS(1));
        api_world_begin(&w, (unsigned)(i * 7) % LOOPS, "x", "", ids[i]);
    }
    for (int size = 1; size <= 90; size += 11) {
        char token[256] = "";
        int next = 89;
        do {
            Saga__V1__ListRequest m = list_of(size, token);
            Saga__V1__ListResponse *r = api_world_get(&w, (unsigned)size % LOOPS, METHOD_LIST, &m.base);
            for (size_t i = 0; i < r->n_sagas; i++)
                ck_assert_str_eq(r->sagas[i]->id, ids[next--]);
            snprintf(token, sizeof token, "%s", r->next_page_token);
            saga__v1__list_response__free_unpacked(r, NULL);
        } while (token[0] != '\0');
        ck_assert_int_eq(next, -1);
    }
}
END_TEST

START_TEST(relay__pages_leave_out_what_is_started_while_paging)
{
    static char ids[12][SAGA_ID_TEXT_SIZE];
    char token[256] = "";
    int next = 11;
    for (int i = 0; i < 12; i++) {
        w.now = instant_after(w.now, SPAN_MS(1));
        api_world_begin(&w, i < 9 ? (unsigned)i % LOOPS : 0, "x", "", ids[i]); /* the newest three are of one loop */
    }
    do {
        Saga__V1__ListRequest m = list_of(2, token);
        Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m.base);
        for (size_t i = 0; i < r->n_sagas; i++)
            ck_assert_str_eq(r->sagas[i]->id, ids[next--]);
        snprintf(token, sizeof token, "%s", r->next_page_token);
        saga__v1__list_response__free_unpacked(r, NULL);
        for (unsigned k = 0; k < LOOPS; k++) {
            w.now = instant_after(w.now, SPAN_MS(1));
            api_world_begin(&w, k, "newer", "", (char[SAGA_ID_TEXT_SIZE]){0});
        }
    } while (token[0] != '\0');
    ck_assert_int_eq(next, -1);
}
END_TEST

START_TEST(relay__tokens_that_no_page_gave_are_refused)
{
    static const char *const bad[] = {"-,-,-", "-",       "-,-",   "1",       ",",     ",,",
                                      ",,,",   "-,-,-,-", "x,-,-", "1,2,3,4", "-,--,-"};
    static const char *const cursors[] = {"1.0", "1.0,1.0", "1.0,1.0,x", ",,", "1.0,1.0,1.0,1.0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        Saga__V1__ListRequest m = list_of(0, bad[i]);
        Saga__V1__ListDeadLettersRequest d = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
        d.page_token = (char *)(uintptr_t)bad[i];
        if (strcmp(bad[i], ",,") == 0) /* three empty ones are where every loop begins */
            continue;
        for (unsigned k = 0; k < LOOPS; k++) {
            api_world_refused(&w, k, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "page_token");
            api_world_refused(&w, k, METHOD_LIST_DEAD_LETTERS, &d.base, "INVALID_ARGUMENT", "page_token");
        }
    }
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
        m.cursor = (char *)(uintptr_t)cursors[i];
        api_world_refused(&w, 1, METHOD_WATCH, &m.base, "INVALID_ARGUMENT", "cursor");
    }
    ck_assert_uint_eq(w.open_calls, 0);
}
END_TEST

START_TEST(relay__events_of_all_loops_are_one_stream)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    char id[SAGA_ID_TEXT_SIZE], cursor[256] = "";
    size_t seen = 0;
    for (int round = 0; round < 2; round++) {
        m.cursor = cursor;
        struct world_call *call = api_world_ask(&w, 1, METHOD_WATCH, &m.base);
        api_world_settle(&w);
        for (size_t begun = 0, taken = 0; begun < 18; begun += 9) { /* also once all that there was has been taken */
            for (unsigned i = 0; i < 9; i++)
                api_world_begin(&w, i % LOOPS, "x", "", id);
            for (; taken < call->sent_count; taken++) {
                struct bytes sent = call->sent[taken];
                Saga__V1__WatchResponse *r = saga__v1__watch_response__unpack(NULL, sent.size, sent.at);
                seen += r->n_events;
                strcpy(cursor, r->events[r->n_events - 1]->cursor);
                saga__v1__watch_response__free_unpacked(r, NULL);
                api_world_took(call);
                api_world_settle(&w);
            }
        }
        ck_assert_uint_eq(seen, 18 * (size_t)(round + 1));
        api_world_cancel(call);
        api_world_settle(&w);
        ck_assert(call->ended);
        api_world_free(call);
    }
}
END_TEST

/* Where all loops have more to tell than is taken, each has its turn. */
START_TEST(relay__events_of_busy_loops_come_in_turn)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    struct world_call *call = api_world_ask(&w, 1, METHOD_WATCH, &m.base);
    char id[SAGA_ID_TEXT_SIZE];
    unsigned seen[LOOPS] = {0};
    api_world_settle(&w);
    for (unsigned k = 0; k < LOOPS; k++)
        api_world_begin(&w, k, "x", "", id);
    for (size_t i = 0; i < 4 * LOOPS; i++) {
        ck_assert_uint_gt(call->sent_count, i);
        Saga__V1__WatchResponse *r = saga__v1__watch_response__unpack(NULL, call->sent[i].size, call->sent[i].at);
        unsigned from = api_world_loop_of(r->events[0]->saga_id);
        saga__v1__watch_response__free_unpacked(r, NULL);
        seen[from]++;
        api_world_begin(&w, from, "x", "", id); /* it has more to tell before the message is taken */
        api_world_took(call);
        api_world_settle(&w);
    }
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_uint_ge(seen[k], 3);
    api_world_cancel(call);
    api_world_settle(&w);
    api_world_free(call);
}
END_TEST

START_TEST(relay__a_pipe_asks_whom_its_commands_are_for)
{
    char ids[LOOPS][SAGA_ID_TEXT_SIZE];
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    Saga__V1__Command commands[LOOPS + 1], *list[LOOPS + 1];
    Saga__V1__CommitRequest commits[LOOPS + 1];
    for (unsigned k = 0; k <= LOOPS; k++) {
        if (k < LOOPS)
            api_world_begin(&w, k, "x", "", ids[k]);
        saga__v1__command__init(&commands[k]);
        saga__v1__commit_request__init(&commits[k]);
        commits[k].saga_id = k < LOOPS ? ids[k] : (char *)(uintptr_t) "000000000001-77";
        commands[k].command_case = SAGA__V1__COMMAND__COMMAND_COMMIT;
        commands[k].commit = &commits[k];
        list[k] = &commands[k];
    }
    m.n_commands = LOOPS + 1;
    m.commands = list;
    struct world_call *pipe = api_world_ask(&w, 2, METHOD_PIPE, &m.base);
    api_world_settle(&w);
    ck_assert_uint_eq(pipe->sent_count, 1);
    Saga__V1__PipeResponse *r = saga__v1__pipe_response__unpack(NULL, pipe->sent[0].size, pipe->sent[0].at);
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_int_eq(r->results[k]->result_case, SAGA__V1__RESULT__RESULT_COMMIT);
    ck_assert_int_eq(r->results[LOOPS]->result_case, SAGA__V1__RESULT__RESULT_ERROR);
    ck_assert_int_eq(r->results[LOOPS]->error->code, 5);
    saga__v1__pipe_response__free_unpacked(r, NULL);
    api_world_half_close(pipe);
    api_world_took(pipe);
    ck_assert(pipe->ended);
    api_world_free(pipe);
}
END_TEST

/* Every request of every method over every connection, whole, cut short and made of nonsense: each has its answer, and gives its place back. */
START_TEST(relay__every_loop_says_how_it_is)
{
    for (unsigned k = 0; k < LOOPS; k++) {
        Saga__V1__StatusRequest m = SAGA__V1__STATUS_REQUEST__INIT;
        Saga__V1__StatusResponse *r = api_world_get(&w, k, METHOD_STATUS, &m.base);
        unsigned seen = 0;
        ck_assert_uint_eq(r->n_loops, LOOPS);
        for (size_t i = 0; i < r->n_loops; i++)
            seen |= 1u << r->loops[i]->loop;
        ck_assert_uint_eq(seen, (1u << LOOPS) - 1);
        saga__v1__status_response__free_unpacked(r, NULL);
    }
}
END_TEST

/* A job is in every loop, and is found by the whole of its name. */
START_TEST(relay__jobs_are_told_by_each_loop)
{
    static const char *const names[] = {"job", "job-2"};
    for (int i = 0; i < 2; i++) {
        Saga__V1__StartBulkRequest start = SAGA__V1__START_BULK_REQUEST__INIT;
        start.id = (char *)(uintptr_t)names[i];
        start.act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
        start.where = (char *)(uintptr_t) "true";
        start.actor = (char *)(uintptr_t) "anna";
        protobuf_c_message_free_unpacked(api_world_get(&w, 1, METHOD_START_BULK, &start.base), NULL);
    }
    for (int i = 0; i < 3; i++) {
        Saga__V1__ListBulksRequest m = SAGA__V1__LIST_BULKS_REQUEST__INIT;
        m.id = (char *)(uintptr_t)(i < 2 ? names[i] : "");
        Saga__V1__ListBulksResponse *r = api_world_get(&w, 2, METHOD_LIST_BULKS, &m.base);
        unsigned seen = 0;
        ck_assert_uint_eq(r->n_jobs, i < 2 ? LOOPS : 2 * LOOPS);
        for (size_t k = 0; k < r->n_jobs; k++) {
            if (i < 2)
                ck_assert_str_eq(r->jobs[k]->id, names[i]);
            seen |= 1u << r->jobs[k]->loop;
        }
        ck_assert_uint_eq(seen, (1u << LOOPS) - 1);
        saga__v1__list_bulks_response__free_unpacked(r, NULL);
    }
}
END_TEST

/* Whichever loops have nothing to tell. */
START_TEST(relay__what_one_loop_alone_has_is_told)
{
    const unsigned alone = 1, *places = w.loop[0].relay->options.places;
    for (unsigned owner = 0; owner < LOOPS; owner++) {
        char name[16];
        snprintf(name, sizeof name, "job-%u", owner);
        Saga__V1__StartBulkRequest start = SAGA__V1__START_BULK_REQUEST__INIT;
        start.id = name;
        start.act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
        start.where = (char *)(uintptr_t) "true";
        start.actor = (char *)(uintptr_t) "anna";
        w.loop[owner].relay->options.places = &alone;
        protobuf_c_message_free_unpacked(api_world_get(&w, owner, METHOD_START_BULK, &start.base), NULL);
        w.loop[owner].relay->options.places = places;
        Saga__V1__ListBulksRequest m = SAGA__V1__LIST_BULKS_REQUEST__INIT;
        m.id = name;
        for (unsigned k = 0; k < LOOPS; k++) {
            Saga__V1__ListBulksResponse *r = api_world_get(&w, k, METHOD_LIST_BULKS, &m.base);
            ck_assert_uint_eq(r->n_jobs, 1);
            ck_assert_str_eq(r->jobs[0]->id, name);
            ck_assert_uint_eq(r->jobs[0]->loop, owner);
            saga__v1__list_bulks_response__free_unpacked(r, NULL);
        }
    }
}
END_TEST

START_TEST(relay__a_request_id_is_found_over_every_connection)
{
    for (int i = 0; i < 12; i++) {
        char request_id[24], id[SAGA_ID_TEXT_SIZE];
        snprintf(request_id, sizeof request_id, "order-%d", i);
        Saga__V1__FindRequest m = SAGA__V1__FIND_REQUEST__INIT;
        m.request_id = request_id;
        api_world_refused(&w, 0, METHOD_FIND, &m.base, "SAGA_NOT_FOUND", "");
        api_world_begin(&w, 0, "x", request_id, id);
        for (unsigned end = 0; end < 2; end++) {
            for (unsigned k = 0; k < LOOPS; k++) {
                Saga__V1__FindResponse *r = api_world_get(&w, k, METHOD_FIND, &m.base);
                ck_assert_str_eq(r->saga_id, id);
                saga__v1__find_response__free_unpacked(r, NULL);
            }
            Saga__V1__CommitRequest commit = SAGA__V1__COMMIT_REQUEST__INIT;
            commit.saga_id = id;
            if (end == 0)
                protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_COMMIT, &commit.base), NULL);
        }
    }
    Saga__V1__FindRequest none = SAGA__V1__FIND_REQUEST__INIT;
    api_world_refused(&w, 0, METHOD_FIND, &none.base, "INVALID_ARGUMENT", "request_id");
}
END_TEST

START_TEST(relay__every_call_has_an_end)
{
    static const uint8_t nonsense[] = {0x0a, 0x05, '-', ',', '-', ',', '-', 0x12, 0x02, 0xff, 0xff,
                                       0x32, 0x05, '-', ',', '-', ',', '-', 0x2a, 0x01, 0x00};
    unsigned calls = 0;
    for (int id = 0; id < METHOD_COUNT; id++)
        for (unsigned k = 0; k < LOOPS; k++)
            for (size_t size = 0; size <= sizeof nonsense; size++) {
                struct world_call *call = api_world_ask_bytes(&w, k, (enum method_id)id, bytes_of(nonsense, size));
                api_world_settle(&w);
                if (!call->ended) { /* a stream, or somebody who waits: it goes when its peer does */
                    ck_assert_msg(methods_served[id].kind != RPC_UNARY, "%s with %zu bytes", methods_served[id].path,
                                  size);
                    api_world_cancel(call);
                    api_world_settle(&w);
                }
                ck_assert_msg(call->ended, "%s with %zu bytes", methods_served[id].path, size);
                api_world_free(call);
                calls++;
            }
    ck_assert_uint_gt(calls, 1000);
    ck_assert_uint_eq(w.open_calls, 0);
}
END_TEST

START_TEST(relay__a_call_that_is_cancelled_ends_with_its_parts)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    struct world_call *call = api_world_ask(&w, 0, METHOD_WATCH, &m.base);
    api_world_cancel(call); /* before any loop has heard of it */
    api_world_cancel(call);
    api_world_settle(&w);
    ck_assert(call->ended);
    api_world_free(call);
    char id[SAGA_ID_TEXT_SIZE];
    api_world_begin(&w, 2, "x", "", id);
    Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
    wait.saga_id = id;
    call = api_world_ask(&w, 0, METHOD_WAIT, &wait.base);
    api_world_settle(&w);
    ck_assert(!call->ended);
    api_world_cancel(call);
    api_world_settle(&w);
    ck_assert(call->ended);
    api_world_free(call);
}
END_TEST

/* Of a stream nothing may have come yet. */
START_TEST(relay__a_stream_that_said_nothing_is_cancelled)
{
    struct world_call *pipe = api_world_open(&w, 0, METHOD_PIPE);
    api_world_cancel(pipe);
    api_world_settle(&w);
    ck_assert(pipe->ended);
    ck_assert_uint_eq(pipe->sent_count, 0);
    api_world_free(pipe);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay");
    TCase *tc = tcase_create("relay");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, relay__a_saga_is_reached_over_every_connection);
    tcase_add_test(tc, relay__a_request_id_finds_its_saga_over_every_connection);
    tcase_add_test(tc, relay__a_registration_is_carried_to_all);
    tcase_add_test(tc, relay__a_registration_is_the_first_loops_to_carry);
    tcase_add_test(tc, relay__a_registration_that_the_first_loop_refuses_goes_no_further);
    tcase_add_test(tc, relay__a_registration_is_carried_to_no_guest);
    tcase_add_test(tc, relay__guests_that_are_there_are_looked_at);
    tcase_add_test(tc, relay__events_of_all_are_without_those_of_guests);
    tcase_add_test(tc, relay__a_refusal_is_told_as_it_was_said);
    tcase_add_test(tc, relay__pages_of_all_loops_are_in_order);
    tcase_add_test(tc, relay__pages_leave_out_what_is_started_while_paging);
    tcase_add_test(tc, relay__tokens_that_no_page_gave_are_refused);
    tcase_add_test(tc, relay__events_of_all_loops_are_one_stream);
    tcase_add_test(tc, relay__events_of_busy_loops_come_in_turn);
    tcase_add_test(tc, relay__a_pipe_asks_whom_its_commands_are_for);
    tcase_add_test(tc, relay__every_loop_says_how_it_is);
    tcase_add_test(tc, relay__jobs_are_told_by_each_loop);
    tcase_add_test(tc, relay__what_one_loop_alone_has_is_told);
    tcase_add_test(tc, relay__a_request_id_is_found_over_every_connection);
    tcase_add_test(tc, relay__every_call_has_an_end);
    tcase_add_test(tc, relay__a_call_that_is_cancelled_ends_with_its_parts);
    tcase_add_test(tc, relay__a_stream_that_said_nothing_is_cancelled);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
