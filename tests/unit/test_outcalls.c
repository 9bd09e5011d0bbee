/* Calls of participants: they leave in order, in pieces of time, and with what is left of their own. */
#include "sidecar/runtime/loop_inside.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define CALLS 4096

static struct loop s;
static struct loop_target targets[1];
static struct failing_step failing[FAILING_STEPS_MAX];
static int some_connection, another;
static struct instant now;
static struct span tick;       /* passes whenever the clock is read */
static struct span call_costs; /* and with each call that leaves */

/* What left, and what was told to the engine; tests.mk wraps these. */
static struct {
    struct span timeout;
    void *tag;
    uint16_t attempt;
} left[CALLS];
static size_t left_count;
static struct event told[CALLS];
static size_t told_count;

struct instant __wrap_clock_now(const struct clock *c);
void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag);
void __wrap_api_submit(struct api *api, struct event *event);
void __wrap_counters_attempt(struct loop *loop, uint16_t target, uint8_t phase, struct instant left_at,
                             const struct rpc_answer *answer);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now = instant_after(now, tick);
}

void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag)
{
    (void)target;
    (void)request;
    ck_assert_str_eq(method, "/t.T/Do");
    for (size_t i = 0; i < metadata_count; i++)
        if (strcmp(metadata[i].key, "saga-attempt") == 0)
            for (size_t k = 0; k < metadata[i].value.size; k++)
                left[left_count].attempt = (uint16_t)(left[left_count].attempt * 10 + (metadata[i].value.at[k] - '0'));
    left[left_count].timeout = timeout;
    left[left_count++].tag = tag;
    now = instant_after(now, call_costs);
}

void __wrap_api_submit(struct api *api, struct event *event)
{
    (void)api;
    told[told_count++] = *event;
}

void __wrap_counters_attempt(struct loop *loop, uint16_t target, uint8_t phase, struct instant left_at,
                             const struct rpc_answer *answer)
{
    (void)loop;
    (void)target;
    (void)phase;
    (void)left_at;
    (void)answer;
}

static void setup(void)
{
    static struct config config;
    memset(targets, 0, sizeof targets);
    targets[0].rpc = (struct rpc_target *)(void *)&some_connection;
    memset(failing, 0, sizeof failing);
    s = (struct loop){.targets = targets, .target_count = 1, .config = &config, .failing = failing};
    now = (struct instant){.us = 1000000000};
    tick = call_costs = (struct span){0};
    memset(left, 0, sizeof left);
    left_count = told_count = 0;
}

static void teardown(void)
{
    outcalls_finish(&s);
}

static void ask(uint16_t attempt, struct span timeout)
{
    const struct call_effect call = {
        .saga = {.tag = 1, .serial = 1},
        .phase = SAGA_PHASE_ACTION,
        .attempt = attempt,
        .timeout = timeout,
        .method = "/t.T/Do",
        .definition = bytes_of_text("d"),
        .step_name = bytes_of_text("s"),
    };
    outcalls_call(&s, &call);
}

START_TEST(outcalls__leave_in_pieces_and_in_order)
{
    for (int i = 0; i < CALLS; i++)
        ask((uint16_t)(i + 1), SPAN_S(2));
    ck_assert_uint_eq(left_count, 0);
    call_costs = (struct span){.us = 60};
    size_t turns = 0;
    for (; outcalls_wait(&s); turns++) {
        struct instant began = now;
        ck_assert_uint_lt(turns, 1000);
        outcalls_run(&s);
        ck_assert_int_le(instant_since(now, began).us, 6000);
    }
    ck_assert_uint_gt(turns, 30);
    ck_assert_uint_eq(left_count, CALLS);
    for (int i = 0; i < CALLS; i++)
        ck_assert_uint_eq(left[i].attempt, i + 1);
    /* The time of each has run since it was asked for. */
    ck_assert_int_eq(left[0].timeout.us, SPAN_S(2).us);
    ck_assert_int_le(left[CALLS - 1].timeout.us, SPAN_S(2).us - (CALLS - 100) * 60);
    ck_assert_uint_eq(told_count, 0);
}
END_TEST

START_TEST(outcalls__one_whose_time_is_over_never_leaves)
{
    ask(1, SPAN_MS(10));
    ask(2, SPAN_S(10));
    now = instant_after(now, SPAN_MS(10));
    outcalls_run(&s);
    ck_assert_uint_eq(left_count, 1);
    ck_assert_uint_eq(left[0].attempt, 2);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].type, EVENT_ANSWER);
    ck_assert_int_eq(told[0].attempt, 1);
    ck_assert_int_eq(told[0].reach, SAGA_REACH_NONE);
    ck_assert_int_eq(told[0].status, 4);
}
END_TEST

START_TEST(outcalls__an_answer_tells_what_it_is_about)
{
    ask(7, SPAN_S(2));
    outcalls_run(&s);
    struct rpc_answer answer = {.reach = SAGA_REACH_MAYBE, .status = 14};
    outcalls_answer(&s, left[0].tag, &answer);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].attempt, 7);
    ck_assert_int_eq(told[0].status, 14);
    ck_assert_uint_eq(told[0].saga.serial, 1);
    /* It may run until its deadline as it stands on the wire, and a way. */
    ck_assert_int_ge(told[0].quiet_at.us, instant_after(now, SPAN_S(2)).us);
    ask(8, SPAN_S(2));
    outcalls_run(&s);
    answer.reach = SAGA_REACH_ANSWERED;
    outcalls_answer(&s, left[1].tag, &answer);
    ck_assert_int_eq(told[1].quiet_at.us, 0);
}
END_TEST

START_TEST(outcalls__what_waits_at_the_end_of_the_grace_is_as_a_crash_leaves_it)
{
    for (int i = 0; i < 10; i++)
        ask(1, SPAN_S(2));
    outcalls_abandon(&s);
    ck_assert(!outcalls_wait(&s));
    outcalls_run(&s);
    ck_assert_uint_eq(left_count + told_count, 0);
    ask(2, SPAN_S(2));
    outcalls_run(&s);
    s.cutting = true;
    outcalls_answer(&s, left[0].tag, &(struct rpc_answer){.reach = SAGA_REACH_MAYBE, .status = 1});
    ck_assert_uint_eq(told_count, 0); /* it was cut by us */
}
END_TEST

/* A configuration that was read again came between: what could not leave waits for the target as it is now, and no attempt is counted. */
START_TEST(outcalls__a_target_that_was_changed_is_asked_anew)
{
    targets[0].rpc = NULL;
    ask(1, SPAN_S(2));
    outcalls_run(&s);
    ck_assert_uint_eq(left_count, 0);
    ck_assert_uint_eq(told_count, 2);
    ck_assert_int_eq(told[0].type, EVENT_ANSWER);
    ck_assert_int_eq(told[0].reach, SAGA_REACH_NONE);
    ck_assert(told[0].unreached);
    ck_assert_int_eq(told[1].type, EVENT_TARGET);
    targets[0].rpc = (struct rpc_target *)(void *)&some_connection;
    ask(1, SPAN_S(2));
    outcalls_run(&s);
    ck_assert_uint_eq(left_count, 1);
    targets[0].rpc = (struct rpc_target *)(void *)&another;
    const struct rpc_answer answer = {.reach = SAGA_REACH_NONE, .unreached = "nobody listens there", .status = 14};
    outcalls_answer(&s, left[0].tag, &answer);
    ck_assert_uint_eq(told_count, 4);
    ck_assert(told[2].unreached);
    ck_assert_int_eq(told[3].type, EVENT_TARGET);
    ck_assert_int_eq(targets[0].down_since.us, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outcalls");
    TCase *tc = tcase_create("outcalls");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, outcalls__leave_in_pieces_and_in_order);
    tcase_add_test(tc, outcalls__a_target_that_was_changed_is_asked_anew);
    tcase_add_test(tc, outcalls__one_whose_time_is_over_never_leaves);
    tcase_add_test(tc, outcalls__an_answer_tells_what_it_is_about);
    tcase_add_test(tc, outcalls__what_waits_at_the_end_of_the_grace_is_as_a_crash_leaves_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
