/* Recovery through the core and a store: what the simulator found there, with the shortest way to it. */
#include "tests/support/memory_store.h"

#include "sidecar/definition/reader.h"
#include "sidecar/engine/saga.h"
#include "sidecar/core/core.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLS_MAX 256

static const char definition_text[] =
    "name: two\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: /p.S/UndoA}\n"
    "  - {name: b, target: t, after: [a], action: /p.S/B}\n";

static struct memory_disk *disk;
static struct store *store;
static struct catalog *catalog;
static struct core *core;
static struct error_detail detail;
static struct call_effect calls[CALLS_MAX]; /* that are out */
static size_t call_count;
static int last_code;
static bool no_memory;
static bool registered;
static struct instant now = {.us = INT64_C(1000000000000)};

static void *take(void *self, size_t size)
{
    (void)self;
    return no_memory ? NULL : malloc(size);
}

static void *take_zeroed(void *self, size_t size)
{
    (void)self;
    return no_memory ? NULL : calloc(1, size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    (void)size;
    free(at);
}

static void on_durable(void *self, uint64_t frame, struct bytes records)
{
    (void)self;
    (void)frame;
    (void)records;
}

static void on_reply(void *self, const struct reply_effect *reply, const struct error_detail *why)
{
    (void)self;
    (void)why;
    last_code = reply->code;
}

static void on_call(void *self, const struct call_effect *call)
{
    (void)self;
    ck_assert_uint_lt(call_count, CALLS_MAX);
    calls[call_count++] = *call;
}

static struct definition *definition(void)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    ck_assert_int_eq(definition_read(bytes_of_text(definition_text), &limits, &d, &detail), 0);
    return d;
}

/* Opens the core on what the disk holds. Returns what core_open does. */
static int open_core(void)
{
    static const struct memory memory = {.take = take, .take_zeroed = take_zeroed, .give_back = give_back};
    const struct target_options target = {.name = "t", .timeout = SPAN_S(2), .max_concurrent_calls = 1000};
    struct core_options options = {
        .engine = {.live_sagas_max = 1000,
                   .steps_max = 8,
                   .payload_bytes_max = 64,
                   .targets_max = 1,
                   .enlisted_deadline_default = SPAN_S(60),
                   .enlisted_lease_default = SPAN_S(5),
                   .pushback_max = SPAN_S(300),
                   .deadline_max = SPAN_S(3600),
                   .seed = 1,
                   .tag = 1},
        .targets = &target,
        .target_count = 1,
        .commit_bytes_max = 65536,
        .retention = SPAN_S(3600),
    };
    struct core_world world = {.durable = on_durable, .reply = on_reply, .call = on_call};
    struct store_state state;
    call_count = 0;
    ck_assert_int_eq(memory_store_open(disk, &store, &state, &detail), 0);
    ck_assert_int_eq(catalog_create(4, &catalog), 0);
    if (registered) {
        struct definition *d = definition();
        d->number = 1;
        ck_assert_int_eq(catalog_add(catalog, d, now, &detail), 0);
    }
    int code = core_open(&options, &memory, store, &state, catalog, &world, now, &core, &detail);
    if (code == 0 && !registered)
        ck_assert_int_eq(core_register(core, definition(), now, 0, &detail), 0);
    registered = true;
    return code;
}

static void close_core(void)
{
    core_close(core);
    core = NULL;
    catalog_destroy(catalog);
    store->close(store);
}

static void step(const struct event *event)
{
    ck_assert_int_eq(core_submit(core, event, &detail), 0);
    ck_assert_int_eq(core_commit(core, now, &detail), 0);
}

static void start(void)
{
    step(&(struct event){.type = EVENT_START, .now = now, .token = 1, .definition = catalog_by_number(catalog, 1)});
    ck_assert_int_eq(last_code, 0);
}

/* Answers the oldest call that is out of this saga with OK. */
static void answer(uint64_t serial)
{
    size_t i = 0;
    while (calls[i].saga.serial != serial)
        ck_assert_uint_lt(++i, call_count);
    struct event event = {.type = EVENT_ANSWER,
                          .now = now,
                          .saga = calls[i].saga,
                          .step_index = calls[i].step,
                          .phase = calls[i].phase,
                          .attempt = calls[i].attempt,
                          .reach = SAGA_REACH_ANSWERED};
    calls[i] = calls[--call_count];
    step(&event);
}

static void setup(void)
{
    disk = memory_disk_create();
    no_memory = registered = false;
    ck_assert_ptr_nonnull(disk);
    ck_assert_int_eq(open_core(), 0);
    ck_assert_int_eq(core_commit(core, now, &detail), 0);
}

static void teardown(void)
{
    if (core != NULL)
        close_core();
    memory_disk_destroy(disk);
}

/* Sagas 1 and 101 start before saga 102 and end after it has started. Recovery begins where 102 began, so it sees their
 * later records without the first ones. The sagas between them make the store be told where recovery may begin. */
START_TEST(recovery__begins_after_the_start_of_a_saga_that_has_ended)
{
    start();
    for (uint64_t serial = 2; serial <= 100; serial++) {
        start();
        answer(serial);
        answer(serial);
    }
    start();
    start();
    for (int i = 0; i < 2; i++) {
        answer(1);
        answer(101);
    }
    start();
    close_core();
    int code = open_core();
    ck_assert_msg(code == 0, "recovery refused: %s", detail.text);
    ck_assert_ptr_null(engine_find(core_engine(core), 1));
    ck_assert_ptr_null(engine_find(core_engine(core), 101));
    ck_assert_ptr_nonnull(engine_find(core_engine(core), 102));
    ck_assert_uint_eq(engine_counts(core_engine(core)).live, 2);
}
END_TEST

/* A Begin with an enlistment is repeated when its saga has ended and left memory: to acknowledge it would be to ask its
 * owner to act. */
START_TEST(recovery__a_repeated_begin_of_an_ended_saga_is_refused)
{
    struct enlistment enlist = {.step = bytes_of_text("a")};
    struct event event = {.type = EVENT_BEGIN,
                          .now = now,
                          .token = 1,
                          .name = bytes_of_text("n"),
                          .request_id = bytes_of_text("r1"),
                          .enlist = &enlist,
                          .enlist_count = 1};
    step(&event);
    ck_assert_int_eq(last_code, 0);
    step(&(struct event){.type = EVENT_ABORT, .now = now, .token = 2, .saga = {.tag = 1, .serial = 1}});
    ck_assert_int_eq(last_code, 0);
    ck_assert_ptr_null(engine_find(core_engine(core), 1));
    step(&event);
    ck_assert_int_eq(last_code, E_SAGA_ENDED);
    close_core();
    ck_assert_int_eq(open_core(), 0);
    step(&event);
    ck_assert_int_eq(last_code, E_SAGA_ENDED);
}
END_TEST

/* When there is no memory for what follows from an answer, nothing of it may be committed: the saga would have ended in the journal, and
 * nobody could find it. */
START_TEST(recovery__an_end_that_could_not_be_noted_down_is_not_committed)
{
    start();
    answer(1);
    struct event last = {.type = EVENT_ANSWER,
                         .now = now,
                         .saga = calls[0].saga,
                         .step_index = calls[0].step,
                         .phase = calls[0].phase,
                         .attempt = calls[0].attempt,
                         .reach = SAGA_REACH_ANSWERED};
    no_memory = true;
    int code = core_submit(core, &last, &detail);
    if (code == 0)
        code = core_commit(core, now, &detail);
    no_memory = false;
    ck_assert_int_eq(code, E_MEMORY);
    close_core();
    ck_assert_int_eq(open_core(), 0);
    ck_assert_ptr_nonnull(engine_find(core_engine(core), 1));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recovery");
    TCase *t = tcase_create("recovery");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, recovery__begins_after_the_start_of_a_saga_that_has_ended);
    tcase_add_test(t, recovery__a_repeated_begin_of_an_ended_saga_is_refused);
    tcase_add_test(t, recovery__an_end_that_could_not_be_noted_down_is_not_committed);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
