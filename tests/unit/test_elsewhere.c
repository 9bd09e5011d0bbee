/* In a fleet: requests that wait to hear where their sagas are, how many, and how they are asked there. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/api/api_inside.h"
#include "sidecar/core/heap.h"
#include "sidecar/journal/store.h"
#include "sidecar/rpc/status_details.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 1024 }; /* as in elsewhere.c */

static struct api_world w;
static int finds; /* what whoever knows says: with this code, this place */
static struct relay_place place;
static bool is_forwarded, cannot_be_called;
static unsigned forwarded, cancelled;
static int asked[2]; /* asks that are under way here, by place */
static unsigned times_found;
static struct relay_key key;
static struct span timeout;
static const struct rpc_asker *heard_by;
static void *heard_as;
static int some_call;

/* ---- tests.mk wraps these ---- */

struct rpc_forward *__wrap_rpc_forward(struct rpc *r, const struct rpc_forward_to *to, const struct rpc_method *method,
                                       struct bytes message, const struct rpc_asker *asker, void *tag);
bool __wrap_rpc_call_is_forwarded(const struct rpc_call *call);

struct rpc_forward *__wrap_rpc_forward(struct rpc *r, const struct rpc_forward_to *to, const struct rpc_method *method,
                                       struct bytes message, const struct rpc_asker *asker, void *tag)
{
    (void)r;
    (void)method;
    ck_assert_str_eq(to->address, "1.2.3.4:5");
    ck_assert_ptr_eq(to->credentials, place.credentials);
    ck_assert_uint_eq(to->peer->role, 7);
    ck_assert_uint_gt(message.size, 0);
    forwarded++;
    timeout = to->timeout;
    heard_by = asker;
    heard_as = tag;
    return cannot_be_called ? NULL : (struct rpc_forward *)(void *)&some_call;
}

bool __wrap_rpc_call_is_forwarded(const struct rpc_call *call)
{
    (void)call;
    return is_forwarded;
}

void __wrap_rpc_forward_cancel(struct rpc_forward *f);
void __wrap_rpc_forward_cancel(struct rpc_forward *f)
{
    ck_assert_ptr_eq(f, &some_call);
    cancelled++;
}

/* ---- a world ---- */

static void count_asked(void *self, unsigned where, int change)
{
    (void)self;
    ck_assert_uint_lt(where, 2);
    asked[where] += change;
}

static int find(void *self, const struct relay_key *k, struct relay_place *out, struct error_detail *detail)
{
    (void)self;
    ck_assert(k->tag == 0xabc || (k->tag == 0 && k->request_id.size > 0));
    times_found++;
    key = *k;
    *out = place;
    return finds == 0 || finds == STORE_PENDING ? finds : error_set(detail, finds, "", "not now");
}

static void setup(void)
{
    api_world_init(&w, 2);
    api_world_start(&w);
    w.loop[0].relay->options.find = find;
    w.loop[0].relay->options.asked = count_asked;
    finds = 0;
    place = (struct relay_place){.address = "1.2.3.4:5", .credentials = &transport_plaintext};
    w.peer.role = 7;
}

static void teardown(void)
{
    api_world_close(&w);
}

static struct world_call *get_of(const char *id)
{
    Saga__V1__GetRequest m = SAGA__V1__GET_REQUEST__INIT;
    m.saga_id = (char *)(uintptr_t)id;
    return api_world_ask(&w, 0, METHOD_GET, &m.base);
}

static struct world_call *get(void)
{
    return get_of("000000000abc-7");
}

/* Another sidecar answers what it was asked last. */
static void answers(int status)
{
    heard_by->on_end(NULL, heard_as, &(struct rpc_told){.status = status, .message = ""});
}

START_TEST(elsewhere__an_answer_has_half_a_minute_and_a_wait_as_long_as_its_caller)
{
    struct world_call *call = get();
    ck_assert_uint_eq(forwarded, 1);
    ck_assert_int_eq(timeout.us, SPAN_S(30).us);
    answers(0);
    ck_assert(call->ended && call->status == 0);
    api_world_free(call);
    Saga__V1__WaitRequest m = SAGA__V1__WAIT_REQUEST__INIT;
    m.saga_id = (char *)(uintptr_t) "000000000abc-7";
    call = api_world_ask(&w, 0, METHOD_WAIT, &m.base);
    ck_assert_uint_eq(forwarded, 2);
    ck_assert_int_lt(timeout.us, 0);
    answers(0);
    ck_assert(call->ended);
    api_world_free(call);
    Saga__V1__WatchRequest stream = SAGA__V1__WATCH_REQUEST__INIT;
    stream.saga_id = (char *)(uintptr_t) "000000000abc-7";
    call = api_world_ask(&w, 0, METHOD_WATCH, &stream.base);
    ck_assert_uint_eq(forwarded, 3);
    ck_assert_int_lt(timeout.us, 0);
    answers(0);
    api_world_free(call);
}
END_TEST

/* Whose tag belongs to a loop here is known already. */
START_TEST(elsewhere__what_lives_here_is_asked_about_of_nobody)
{
    struct tags tags = {0};
    for (unsigned k = 0; k < 2; k++) {
        ck_assert_int_eq(tags_add(&tags, &heap, 0xa00 + k, k), 0);
        w.loop[k].relay->options.tags = &tags;
    }
    for (unsigned k = 0; k < 2; k++) {
        struct world_call *call = get_of(k == 0 ? "000000000a00-7" : "000000000a01-7");
        api_world_settle(&w);
        ck_assert(call->ended);
        ck_assert_str_eq(call->reason, "SAGA_NOT_FOUND");
        api_world_free(call);
    }
    ck_assert_uint_eq(times_found, 0);
    tags_finish(&tags, &heap);
}
END_TEST

/* Each goes where its own saga is, or is to be. */
START_TEST(elsewhere__commands_of_a_pipe_find_their_sagas)
{
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    Saga__V1__Command commands[2], *list[2] = {&commands[0], &commands[1]};
    Saga__V1__CommitRequest commit = SAGA__V1__COMMIT_REQUEST__INIT;
    Saga__V1__StartRequest begin = SAGA__V1__START_REQUEST__INIT;
    static uint8_t details[STATUS_DETAILS_SIZE_MAX];
    for (int i = 0; i < 2; i++)
        saga__v1__command__init(&commands[i]);
    commands[0].command_case = SAGA__V1__COMMAND__COMMAND_COMMIT;
    commands[0].commit = &commit;
    commit.saga_id = (char *)(uintptr_t) "000000000abc-7";
    commands[1].command_case = SAGA__V1__COMMAND__COMMAND_START;
    commands[1].start = &begin;
    begin.definition = (char *)(uintptr_t) "d";
    begin.request_id = (char *)(uintptr_t) "r";
    m.n_commands = 1;
    w.loop[0].api->options.fleet = true;
    for (int i = 0; i < 2; i++) {
        m.commands = &list[i];
        times_found = forwarded = 0;
        struct world_call *pipe = api_world_ask(&w, 0, METHOD_PIPE, &m.base);
        api_world_settle(&w);
        ck_assert_uint_eq(times_found, 1);
        ck_assert_uint_eq(forwarded, 1);
        ck_assert(i == 0 ? key.tag == 0xabc : key.request_id.size == 1);
        heard_by->on_end(
            NULL, heard_as,
            &(struct rpc_told){.status = 5, .message = "", .details = status_details(E_SAGA_NOT_FOUND, NULL, details)});
        api_world_settle(&w);
        ck_assert_uint_eq(pipe->sent_count, 1);
        Saga__V1__PipeResponse *r = saga__v1__pipe_response__unpack(NULL, pipe->sent[0].size, pipe->sent[0].at);
        ck_assert_int_eq(r->results[0]->result_case, SAGA__V1__RESULT__RESULT_ERROR);
        ck_assert_int_eq(r->results[0]->error->code, 5);
        saga__v1__pipe_response__free_unpacked(r, NULL);
        api_world_half_close(pipe);
        api_world_took(pipe);
        ck_assert(pipe->ended);
        api_world_free(pipe);
    }
}
END_TEST

/* What another sidecar has sent here is not sent on: two that each believe that the other has it would never end. */
START_TEST(elsewhere__what_was_sent_here_goes_no_further)
{
    is_forwarded = true;
    struct world_call *call = get();
    ck_assert_uint_eq(forwarded, 0);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "SAGA_AWAY");
    api_world_free(call);
    place = (struct relay_place){.place = 1}; /* a guest beside this loop is where it was sent to */
    call = get();
    api_world_settle(&w);
    ck_assert_str_eq(call->reason, "SAGA_NOT_FOUND");
    api_world_free(call);
}
END_TEST

/* One that gives an address that is none. */
START_TEST(elsewhere__who_cannot_be_called_is_away)
{
    cannot_be_called = true;
    struct world_call *call = get();
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "SAGA_AWAY");
    api_world_free(call);
    ck_assert_uint_eq(w.open_calls, 0);
}
END_TEST

/* Another sidecar's own refusal is told as it is; that nobody answers there is told as what it means. */
START_TEST(elsewhere__nobody_there_is_told_apart_from_a_refusal)
{
    static const struct {
        int status;
        const char *details, *reason;
    } rows[] = {{14, "", "SAGA_AWAY"}, {14, "\x08\x0e", ""}, {13, "", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_call *call = get();
        heard_by->on_end(NULL, heard_as,
                         &(struct rpc_told){.status = rows[i].status,
                                            .message = "",
                                            .details = bytes_of(rows[i].details, strlen(rows[i].details))});
        ck_assert(call->ended);
        ck_assert_int_eq(call->status, rows[i].status);
        ck_assert_str_eq(call->reason, rows[i].reason);
        if (i == 0)
            ck_assert_ptr_nonnull(strstr(call->message, "the sidecar that has the saga does not answer"));
        api_world_free(call);
    }
}
END_TEST

START_TEST(elsewhere__who_waits_no_more_is_not_waited_for)
{
    struct world_call *call = get();
    api_world_cancel(call);
    ck_assert_uint_eq(cancelled, 1);
    ck_assert(!call->ended); /* the other's last word ends it */
    answers(1);
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 1);
    api_world_free(call);
    /* One that has not left yet, in the next turn. */
    finds = STORE_PENDING;
    call = get();
    api_world_cancel(call);
    relay_turn(w.loop[0].relay);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "STOPPING");
    ck_assert_str_eq(call->message, error_row(E_STOPPING)->text);
    ck_assert_str_eq(call->field, "");
    ck_assert_uint_eq(cancelled, 1);
    api_world_free(call);
}
END_TEST

/* A guest that is asked may not be given back meanwhile. What others are asked is no matter of any place here. */
START_TEST(elsewhere__what_is_asked_here_is_counted_where)
{
    place = (struct relay_place){.place = 1};
    struct world_call *call = get();
    ck_assert_int_eq(asked[1], 1);
    api_world_settle(&w);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "SAGA_NOT_FOUND");
    ck_assert_int_eq(asked[1], 0);
    api_world_free(call);
    place = (struct relay_place){.address = "1.2.3.4:5", .credentials = &transport_plaintext};
    call = get();
    answers(0);
    ck_assert(asked[0] == 0 && asked[1] == 0);
    api_world_free(call);
}
END_TEST

/* Who only looks claims nothing; who is not allowed, and what cannot be, is asked about of nobody. */
START_TEST(elsewhere__a_key_says_whether_a_saga_may_begin_by_it)
{
    Saga__V1__FindRequest look = SAGA__V1__FIND_REQUEST__INIT;
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    look.request_id = begin.request_id = (char *)(uintptr_t) "r-1";
    begin.name = (char *)(uintptr_t) "shop";
    struct world_call *call = api_world_ask(&w, 0, METHOD_FIND, &look.base);
    ck_assert_uint_eq(times_found, 1);
    ck_assert(!key.claims);
    ck_assert_uint_eq(key.request_id.size, 3);
    answers(0);
    api_world_free(call);
    call = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    ck_assert_uint_eq(times_found, 2);
    ck_assert(key.claims);
    answers(0);
    api_world_free(call);
    begin.request_id = (char *)(uintptr_t) ""; /* it lives wherever it comes */
    call = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    api_world_settle(&w);
    ck_assert_uint_eq(times_found, 2);
    ck_assert(call->ended && call->status == 0);
    api_world_free(call);
    static char text[REQUEST_ID_BYTES_MAX + 2];
    memset(text, 'r', sizeof text - 1);
    begin.request_id = text;
    call = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    api_world_settle(&w);
    ck_assert_uint_eq(times_found, 2);
    ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
    api_world_free(call);
    text[REQUEST_ID_BYTES_MAX] = '\0'; /* the longest that there may be */
    call = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
    ck_assert_uint_eq(times_found, 3);
    ck_assert_uint_eq(key.request_id.size, REQUEST_ID_BYTES_MAX);
    answers(0);
    api_world_free(call);
}
END_TEST

START_TEST(elsewhere__who_may_not_is_refused_before_anybody_is_asked)
{
    w.authz = (struct authz){.given = true};
    w.peer = (struct rpc_peer){.transport = RPC_TRANSPORT_TCP};
    struct world_call *call = get();
    ck_assert_uint_eq(times_found, 0);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "PERMISSION_DENIED");
    api_world_free(call);
}
END_TEST

START_TEST(elsewhere__those_that_wait_are_bounded_and_make_room)
{
    static struct world_call *calls[WAITING_MAX];
    for (int round = 0; round < 3; round++) {
        finds = STORE_PENDING;
        for (unsigned i = 0; i < WAITING_MAX; i++) {
            calls[i] = get();
            ck_assert(!calls[i]->ended);
            if (i % 100 == 0)
                relay_turn(w.loop[0].relay); /* they wait on, and count once */
        }
        struct world_call *late = get();
        ck_assert(late->ended);
        ck_assert_str_eq(late->reason, "QUEUE_FULL");
        api_world_free(late);
        finds = round == 0 ? E_JOURNAL_AWAY : E_SAGA_AWAY;
        relay_turn(w.loop[0].relay);
        for (unsigned i = 0; i < WAITING_MAX; i++) {
            ck_assert(calls[i]->ended);
            ck_assert_str_eq(calls[i]->reason, round == 0 ? "JOURNAL_AWAY" : "SAGA_AWAY");
            api_world_free(calls[i]);
        }
    }
    ck_assert_uint_eq(w.open_calls, 0);
}
END_TEST

static struct world_call *start(void)
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    m.definition = (char *)(uintptr_t) "none";
    m.request_id = (char *)(uintptr_t) "r-1";
    return api_world_ask(&w, 0, METHOD_START, &m.base);
}

/* It looked whose the request_id is, and stood still: by now the claim may be gone, and the saga have begun elsewhere. */
START_TEST(elsewhere__no_saga_begins_by_a_look_of_long_ago)
{
    static const struct {
        int64_t s;
        const char *reason; /* it comes to the definition, which is not there */
    } cases[] = {{14, "DEFINITION_NOT_FOUND"}, {16, "SAGA_AWAY"}, {3600, "SAGA_AWAY"}};
    place = (struct relay_place){.place = 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        finds = STORE_PENDING;
        struct world_call *call = start();
        ck_assert(!call->ended);
        w.now = instant_after(w.now, SPAN_S(cases[i].s));
        finds = 0;
        relay_turn(w.loop[0].relay);
        ck_assert(call->ended);
        ck_assert_str_eq(call->reason, cases[i].reason);
        api_world_free(call);
    }
}
END_TEST

/* By what only looks, or tells a saga that there is, none begins, however long it waited. */
START_TEST(elsewhere__what_begins_no_saga_is_never_too_late)
{
    Saga__V1__FindRequest look = SAGA__V1__FIND_REQUEST__INIT;
    Saga__V1__CancelRequest tell = SAGA__V1__CANCEL_REQUEST__INIT;
    look.request_id = (char *)(uintptr_t) "r-1";
    tell.saga_id = (char *)(uintptr_t) "000000000abc-7";
    place = (struct relay_place){.place = 0};
    for (int i = 0; i < 3; i++) {
        finds = STORE_PENDING;
        struct world_call *call = i == 0   ? api_world_ask(&w, 0, METHOD_FIND, &look.base)
                                  : i == 1 ? api_world_ask(&w, 0, METHOD_CANCEL, &tell.base)
                                           : get();
        ck_assert(!call->ended);
        w.now = instant_after(w.now, SPAN_S(3600));
        finds = 0;
        relay_turn(w.loop[0].relay);
        api_world_settle(&w);
        ck_assert(call->ended);
        ck_assert_str_eq(call->reason, "SAGA_NOT_FOUND");
        api_world_free(call);
    }
    /* Nor on its way to a guest. */
    struct relay *guest = w.loop[1].relay;
    guest->options.rooms = (struct rpc *const[]){guest->options.rooms[1], (struct rpc *)(void *)&some_call};
    guest->options.loops = 1;
    place = (struct relay_place){.place = 1};
    w.asked_ago = SPAN_S(3600);
    for (int i = 0; i < 3; i++) {
        struct world_call *call = i == 0   ? api_world_ask(&w, 0, METHOD_FIND, &look.base)
                                  : i == 1 ? api_world_ask(&w, 0, METHOD_CANCEL, &tell.base)
                                           : get();
        api_world_settle(&w);
        ck_assert(call->ended);
        ck_assert_str_eq(call->reason, "SAGA_NOT_FOUND");
        api_world_free(call);
    }
}
END_TEST

/* Nor by one that lay in the way from the home loop to a guest, which is a sidecar of its own. */
START_TEST(elsewhere__nor_by_one_that_lay_on_its_way_to_a_guest)
{
    static struct rpc *const home = (struct rpc *)(void *)&some_call;
    struct relay *guest = w.loop[1].relay;
    struct rpc *own = guest->options.rooms[1];
    place = (struct relay_place){.place = 1};
    for (int among_loops = 0; among_loops < 3; among_loops++) { /* not, the first of them, the last */
        struct rpc *const loop = w.loop[0].relay->options.rpc;
        struct rpc *const rooms[3][2] = {{own, home}, {loop, own}, {own, loop}};
        guest->options.rooms = rooms[among_loops];
        guest->options.loops = among_loops ? 2 : 1;
        for (int late = 0; late < 2; late++) {
            w.asked_ago = SPAN_S(14 + 2 * late);
            struct world_call *call = start();
            api_world_settle(&w);
            ck_assert(call->ended);
            ck_assert_str_eq(call->reason, late && !among_loops ? "SAGA_AWAY" : "DEFINITION_NOT_FOUND");
            api_world_free(call);
        }
    }
}
END_TEST

static void setup_two(void)
{
    setup();
    api_world_close(&w);
    api_world_init(&w, 2);
    api_world_start(&w);
    w.loop[0].relay->options.find = find;
}

int main(void)
{
    Suite *s = suite_create("elsewhere");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, elsewhere__an_answer_has_half_a_minute_and_a_wait_as_long_as_its_caller);
    tcase_add_test(t, elsewhere__what_lives_here_is_asked_about_of_nobody);
    tcase_add_test(t, elsewhere__commands_of_a_pipe_find_their_sagas);
    tcase_add_test(t, elsewhere__what_was_sent_here_goes_no_further);
    tcase_add_test(t, elsewhere__who_cannot_be_called_is_away);
    tcase_add_test(t, elsewhere__nobody_there_is_told_apart_from_a_refusal);
    tcase_add_test(t, elsewhere__who_waits_no_more_is_not_waited_for);
    tcase_add_test(t, elsewhere__what_is_asked_here_is_counted_where);
    tcase_add_test(t, elsewhere__a_key_says_whether_a_saga_may_begin_by_it);
    tcase_add_test(t, elsewhere__who_may_not_is_refused_before_anybody_is_asked);
    tcase_add_test(t, elsewhere__those_that_wait_are_bounded_and_make_room);
    tcase_add_test(t, elsewhere__no_saga_begins_by_a_look_of_long_ago);
    suite_add_tcase(s, t);
    t = tcase_create("two");
    tcase_add_checked_fixture(t, setup_two, teardown);
    tcase_add_test(t, elsewhere__what_begins_no_saga_is_never_too_late);
    tcase_add_test(t, elsewhere__nor_by_one_that_lay_on_its_way_to_a_guest);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
