/* In a fleet: requests that wait to hear where their sagas are, how many, and how they are asked there. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/journal/store.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 1024 }; /* as in elsewhere.c */

static struct api_world w;
static int finds; /* what whoever knows says: with this code, this place */
static struct relay_place place;
static bool is_forwarded;
static unsigned forwarded;
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
    ck_assert_uint_gt(message.size, 0);
    forwarded++;
    timeout = to->timeout;
    heard_by = asker;
    heard_as = tag;
    return (struct rpc_forward *)(void *)&some_call;
}

bool __wrap_rpc_call_is_forwarded(const struct rpc_call *call)
{
    (void)call;
    return is_forwarded;
}

/* ---- a world ---- */

static int find(void *self, const struct relay_key *key, struct relay_place *out, struct error_detail *detail)
{
    (void)self;
    ck_assert_uint_eq(key->tag, 0xabc);
    *out = place;
    return finds == 0 || finds == STORE_PENDING ? finds : error_set(detail, finds, "", "not now");
}

static void setup(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    w.loop[0].relay->options.find = find;
    finds = 0;
    place = (struct relay_place){.address = "1.2.3.4:5"};
}

static void teardown(void)
{
    api_world_close(&w);
}

static struct world_call *get(void)
{
    Saga__V1__GetRequest m = SAGA__V1__GET_REQUEST__INIT;
    m.saga_id = (char *)(uintptr_t) "000000000abc-7";
    return api_world_ask(&w, 0, METHOD_GET, &m.base);
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

int main(void)
{
    Suite *s = suite_create("elsewhere");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, elsewhere__an_answer_has_half_a_minute_and_a_wait_as_long_as_its_caller);
    tcase_add_test(t, elsewhere__what_was_sent_here_goes_no_further);
    tcase_add_test(t, elsewhere__those_that_wait_are_bounded_and_make_room);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
