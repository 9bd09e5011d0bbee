/* Every way to stop a sidecar: idle, with everybody waiting, under load, with a full journal. */
#include "tests/support/sidecar_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct sidecar_world w;
static struct saga_error error;

static void teardown(void)
{
    world_close_sidecar(&w);
}

/* A saga that is stuck: its undo is a method that nobody serves. */
static void stuck_saga(char id[64])
{
    world_begin(&w, id);
    ck_assert_int_eq(world_enlist(&w, id, "a", "itself", 4, 0, NULL), SAGA_OK);
    ck_assert_int_eq(world_abort(&w, id, NULL), SAGA_OK);
}

static void read_some(struct wire_stream *stream)
{
    int code;
    Saga__V1__WatchResponse *m = world_watch_next(stream, &code, &error);
    ck_assert_ptr_nonnull(m);
    saga__v1__watch_response__free_unpacked(m, NULL);
}

/* Far longer than the test's patience: who holds the stop up fails it. */
#define LONG_GRACE "shutdown_grace: 10m\n"

START_TEST(sidecar_stop__a_stop_lets_everybody_go_at_once)
{
    char id[64];
    struct world_call waits[2];
    struct world_pipe idle, answered;
    world_open_sidecar(&w, LONG_GRACE);
    stuck_saga(id);
    world_wait_start(&w, &waits[0], id, true, 0);
    ck_assert_int_eq(world_wait_end(&waits[0]), SAGA_OK); /* nothing is in flight any more */
    world_wait_start(&w, &waits[0], id, false, 0);
    world_wait_start(&w, &waits[1], id, false, 0);
    struct wire_stream *one = world_watch(&w, id, ""), *all = world_watch(&w, "", "1.0");
    read_some(one);
    read_some(all);
    world_pipe_open(&w, &answered);
    world_pipe_open_beside(&answered, &idle); /* does not say a word */
    world_pipe_send_begins(&answered, "p", 1);
    saga__v1__pipe_response__free_unpacked(world_pipe_receive(&answered), NULL);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(world_wait_end(&waits[i]), SAGA_E_UNAVAILABLE);
        ck_assert_str_eq(waits[i].error.reason, "STOPPING");
    }
    ck_assert_int_eq(world_pipe_end(&idle), 14);
    ck_assert_int_eq(world_pipe_end(&answered), 14);
    for (int i = 0; i < 2; i++) {
        int code;
        struct wire_stream *stream = i == 0 ? one : all;
        Saga__V1__WatchResponse *m;
        while ((m = world_watch_next(stream, &code, &error)) != NULL)
            saga__v1__watch_response__free_unpacked(m, NULL);
        ck_assert_int_eq(code, SAGA_E_UNAVAILABLE);
        ck_assert_str_eq(error.reason, "STOPPING");
        wire_stream_close(stream);
    }
}
END_TEST

/* A Wait that is too many: its error says so at once. For a saga that has ended, so that one which is not takes no place from those that are on
 * their way. */
static bool waiters_are_too_many(const char *ended)
{
    struct world_call one_more;
    world_wait_start(&w, &one_more, ended, false, 0);
    return world_wait_end(&one_more) == SAGA_E_RESOURCE_EXHAUSTED;
}

/* Stops while requests come in: everyone who was taken in is answered with what happens, and not by a connection that breaks. */
START_TEST(sidecar_stop__a_stop_under_load_answers_everybody)
{
    enum { WAITS = 50 };
    char id[64], ended[64];
    struct world_call waits[WAITS];
    struct world_pipe p;
    world_open_sidecar(&w, LONG_GRACE "waiters_max: 50\n");
    world_begin(&w, ended);
    ck_assert_int_eq(world_commit(&w, ended, &error), 0);
    world_begin(&w, id);
    world_pipe_open(&w, &p);
    for (int i = 0; i < 20; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "m%d", i);
        world_pipe_send_begins(&p, prefix, 20);
    }
    for (int i = 0; i < WAITS; i++)
        world_wait_start(&w, &waits[i], id, false, 60000);
    /* Of all that wait, each has been taken in when there is no room for one more. */
    WORLD_WAIT_UNTIL(waiters_are_too_many(ended));
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    wire_shutdown(w.wire);
    for (int i = 0; i < WAITS; i++) {
        ck_assert_int_eq(world_wait_end(&waits[i]), SAGA_E_UNAVAILABLE);
        ck_assert_str_eq(waits[i].error.reason, "STOPPING");
    }
    int answered = 0;
    Saga__V1__PipeResponse *m;
    while ((m = world_pipe_receive(&p)) != NULL) {
        ck_assert_uint_eq(m->n_results, 20);
        for (size_t i = 0; i < m->n_results; i++)
            ck_assert(m->results[i]->result_case == SAGA__V1__RESULT__RESULT_BEGIN ||
                      m->results[i]->result_case == SAGA__V1__RESULT__RESULT_ERROR);
        answered++;
        saga__v1__pipe_response__free_unpacked(m, NULL);
    }
    ck_assert_int_gt(answered, 0);
    ck_assert_int_eq(world_pipe_end(&p), 14);
}
END_TEST

static int settle(const char *id, const char *step, size_t output, int64_t timeout_ms)
{
    static uint8_t bytes[1000000];
    Saga__V1__SettleRequest m = SAGA__V1__SETTLE_REQUEST__INIT;
    Saga__V1__Settlement settlement = SAGA__V1__SETTLEMENT__INIT, *list = &settlement;
    m.saga_id = (char *)(uintptr_t)id;
    settlement.step = (char *)(uintptr_t)step;
    settlement.outcome = SAGA__V1__OUTCOME__OUTCOME_DONE;
    settlement.output.data = bytes;
    settlement.output.len = output;
    m.n_settle = 1;
    m.settle = &list;
    return world_ask(&w, COORDINATOR "Settle", &m.base, &saga__v1__settle_response__descriptor, timeout_ms, NULL,
                     &error);
}

/* Fills the journal: with new work until no more is taken, and with outcomes, which have a part of their own, until one waits for room. Its
 * caller gives it up. */
static void fill_journal(char id[64])
{
    char step[32];
    int code = SAGA_OK;
    world_begin(&w, id);
    for (int n = 0; code == SAGA_OK; n++) {
        ck_assert_int_lt(n, 200);
        snprintf(step, sizeof step, "s%d", n);
        code = world_enlist(&w, id, step, "nobody", 1000000, 3000, &error);
    }
    ck_assert_int_eq(code, SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(error.reason, "JOURNAL_FULL");
    code = SAGA_OK;
    for (int n = 0; code == SAGA_OK; n++) {
        snprintf(step, sizeof step, "s%d", n);
        code = settle(id, step, 1000000, 3000);
        ck_assert(n > 0 || code == SAGA_OK);
    }
    ck_assert_int_eq(code, SAGA_E_DEADLINE_EXCEEDED);
}

static bool is_full(void)
{
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    m.name = (char *)(uintptr_t) "more";
    int code = world_ask(&w, COORDINATOR "Begin", &m.base, &saga__v1__begin_response__descriptor, 1000, NULL, &error);
    return code == SAGA_E_RESOURCE_EXHAUSTED && strcmp(error.reason, "JOURNAL_FULL") == 0;
}

START_TEST(sidecar_stop__a_stop_while_the_journal_is_full_ends_within_the_grace)
{
    char id[64];
    struct world_call wait;
    world_open_sidecar(&w, "journal_bytes_max: 16MiB\nsteps_max: 256\nshutdown_grace: 300ms\n");
    fill_journal(id);
    WORLD_WAIT_UNTIL(is_full());
    world_wait_start(&w, &wait, id, false, 0);
    struct world_pipe p;
    world_pipe_open(&w, &p);
    world_pipe_send_begins(&p, "late", 3);
    Saga__V1__PipeResponse *m = world_pipe_receive(&p);
    ck_assert_int_eq(m->results[0]->result_case, SAGA__V1__RESULT__RESULT_ERROR);
    saga__v1__pipe_response__free_unpacked(m, NULL);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_lt(after.tv_sec - before.tv_sec, 4); /* cut at 0.3 s, not given up 5 s later */
    ck_assert_int_eq(world_pipe_end(&p), 14);
    ck_assert_int_eq(world_wait_end(&wait), SAGA_E_UNAVAILABLE);
    world_run_sidecar(&w, "steps_max: 256\n");
    ck_assert_int_eq(world_abort(&w, id, &error), SAGA_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sidecar_stop");
    TCase *t = tcase_create("sidecar_stop");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, sidecar_stop__a_stop_lets_everybody_go_at_once);
    tcase_add_test(t, sidecar_stop__a_stop_under_load_answers_everybody);
    tcase_add_test(t, sidecar_stop__a_stop_while_the_journal_is_full_ends_within_the_grace);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
