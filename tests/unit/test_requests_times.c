/* What a saga's time lets leave, and what it ends: its deadline, what is reserved of it, and how quick a target has been. */
#include "tests/support/requests_world.h"

/* Of a pivot that may have been executed, and waits for its turn, the deadline turns the saga back where it can be undone; otherwise its answer decides. */
START_TEST(requests_times__a_pivot_that_can_be_undone_has_a_deadline)
{
    char text[256];
    snprintf(text, sizeof text,
             "name: d\nversion: 1.0.0\ndeadline: 5s\nsteps:\n  - {name: p, target: t, pivot: true,\n"
             "     action: {method: /p.S/P, retry: {maxAttempts: 9, initialBackoff: 3s, jitter: 0}}%s}\n",
             _i == 0 ? ", compensation: /p.S/UndoP" : "");
    if (_i == 2) { /* nor is it waited for within bounds */
        const struct target_options bounded = {
            .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1, .pending_timeout = SPAN_S(1)};
        ck_assert_int_eq(engine_set_target(engine, &bounded), 0);
    }
    define(text);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_MAYBE);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_uint_eq(call_count, 2); /* the place is taken */
    const struct saga *s = engine_find(engine, 1);
    now.us += SPAN_S(3).us;
    ask((struct event){.type = EVENT_TICK});
    ck_assert(s->steps[0].queued);
    now.us += SPAN_S(2).us;
    ask((struct event){.type = EVENT_TICK});
    ck_assert_int_eq(s->state, _i == 0 ? SAGA_COMPENSATING : SAGA_RUNNING);
}
END_TEST

/* Time that is reserved for the steps behind one ends no step that has not come to wait yet: the one before it may still be done. */
START_TEST(requests_times__a_reserve_ends_what_waits_and_nothing_else)
{
    define("name: d\nversion: 1.0.0\ndeadline: 10s\nsteps:\n"
           "  - {name: a, target: t, action: {method: /p.S/A, timeout: 60s}, compensation: none}\n"
           "  - {name: b, after: [a], target: t, reserve: 8s, action: /p.S/B, compensation: none}\n"
           "  - {name: c, after: [b], target: t, action: /p.S/C}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    const struct saga *s = engine_find(engine, 1);
    now.us += SPAN_S(2).us;
    ask((struct event){.type = EVENT_TICK});
    const struct event looks[] = {{.type = EVENT_PAUSE, .actor = bytes_of_text("ann")},
                                  {.type = EVENT_RESUME, .actor = bytes_of_text("ann")}};
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(ask(looks[i]), 0);
        ck_assert_int_eq(s->state, SAGA_RUNNING);
        ck_assert_int_eq(s->steps[1].action, SAGA_ACTION_PENDING);
    }
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(s->steps[1].action, SAGA_ACTION_REJECTED); /* now it would begin, and has no time */
    ck_assert_int_eq(ended_status, CODE_DEADLINE_EXCEEDED);
}
END_TEST

/* Past the pivot nothing is given up for want of time, also where steps before it reserved some. */
START_TEST(requests_times__past_the_pivot_no_time_is_over)
{
    define("name: d\nversion: 1.0.0\ndeadline: 10s\nsteps:\n"
           "  - {name: a, target: t, reserve: 2s, action: /p.S/A, compensation: none}\n"
           "  - {name: p, after: [a], target: t, pivot: true, action: /p.S/P}\n"
           "  - {name: b, after: [p], target: t, action: {method: /p.S/B,\n"
           "     retry: {maxAttempts: 9, initialBackoff: 20s, maxBackoff: 20s, jitter: 0}}}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    const struct saga *s = engine_find(engine, 1);
    for (uint16_t i = 0; i < 3; i++)
        ask((struct event){.type = EVENT_ANSWER,
                           .step_index = i,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = i < 2 ? CODE_OK : CODE_UNAVAILABLE});
    now.us += SPAN_S(10).us;
    ask((struct event){.type = EVENT_TICK});
    ck_assert_int_eq(s->state, SAGA_RUNNING);
    ck_assert_int_eq(s->steps[2].action, SAGA_ACTION_STARTED);
    now.us += SPAN_S(10).us;
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(call_count, 4);
}
END_TEST

/* Who has less time than its target has taken of late for any answer need not ask; only what went well tells that. */
START_TEST(requests_times__what_would_come_too_late_does_not_leave)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: none}\n");
    const struct event start = {.type = EVENT_START, .definition = definition, .deadline = SPAN_MS(500)};
    const int statuses[] = {CODE_NOT_FOUND, CODE_OK};
    for (unsigned i = 0; i < 2; i++) {
        first.serial = i + 1;
        ck_assert_int_eq(ask(start), 0);
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .took = SPAN_MS(800),
                           .status = statuses[i]});
        ck_assert_uint_eq(call_count, i + 1);
    }
    ck_assert_int_eq(ask(start), 0);
    ck_assert_uint_eq(call_count, 2);
    ck_assert_int_eq(ended_status, CODE_DEADLINE_EXCEEDED);
    ck_assert_str_eq(ended_words, "no attempt leaves: 0.500s are left of the deadline, and no answer of its target has "
                                  "come within less than 0.800s");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_times");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, requests_times__a_pivot_that_can_be_undone_has_a_deadline, 0, 3);
    tcase_add_test(tests, requests_times__a_reserve_ends_what_waits_and_nothing_else);
    tcase_add_test(tests, requests_times__past_the_pivot_no_time_is_over);
    tcase_add_test(tests, requests_times__what_would_come_too_late_does_not_leave);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
