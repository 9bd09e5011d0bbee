/* Targets as the engine keeps them for its sagas: which one a step goes to, also after a restart, and what of it is configured. */
#include "tests/support/requests_world.h"

/* Of a step's targets each must be there, whichever of them is not. */
START_TEST(requests_targets__every_target_of_a_step_is_looked_for)
{
    static const char *const names[] = {"[t, gone]", "[gone, t]"};
    struct definition_limits limits = definition_limits_default();
    limits.schemas = shapes_schemas();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[256];
        struct error_detail detail;
        snprintf(text, sizeof text,
                 "name: d\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\nsteps:\n"
                 "  - {name: a, target: {oneof: %s, by: input.sku}, action: /shapes.Shop/Old, compensation: none}\n",
                 names[i]);
        ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definition, &detail), 0);
        ck_assert_int_eq(engine_resolve(engine, definition, &detail), E_TARGET_NOT_FOUND);
        ck_assert_str_eq(detail.field, "action.target");
        ck_assert_str_eq(detail.text, "step a: sagad.yaml names no target gone");
        definition_destroy(definition);
        definition = NULL;
    }
}
END_TEST

/* How many of its places are used is found out where that is said. */
START_TEST(requests_targets__a_target_is_as_it_was_configured)
{
    struct target_options o = {.name = "t",
                               .timeout = SPAN_S(4),
                               .max_concurrent_calls = 9,
                               .adaptive_concurrency = true,
                               .barrier = true,
                               .max_pending_calls = 5,
                               .pending_timeout = SPAN_S(3),
                               .rate = {.per_second = 100, .burst = 10},
                               .budget = {.percent = 20, .min_per_second = 3}};
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    const struct target *t = engine_target(engine, 0);
    ck_assert_uint_eq(t->places, 9);
    ck_assert_uint_eq(t->limit.max, 9);
    ck_assert_uint_lt(target_places(t), 9); /* it begins cautiously */
    ck_assert_int_eq(t->timeout.us, SPAN_S(4).us);
    ck_assert_int_eq(t->pending_timeout.us, SPAN_S(3).us);
    ck_assert(t->barrier && t->pending_max == 5);
    o.adaptive_concurrency = o.barrier = false;
    o.pending_timeout = SPAN_S(2);
    o.max_pending_calls = 6;
    o.timeout = SPAN_S(5);
    o.rate.per_second = 50;
    o.budget.percent = 10;
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert_uint_eq(target_places(t), 9);
    ck_assert_int_eq(t->pending_timeout.us, SPAN_S(2).us);
    ck_assert_int_eq(t->timeout.us, SPAN_S(5).us);
    ck_assert(!t->barrier && t->pending_max == 6);
    ck_assert(t->rate.per_second == 50 && t->budget.options.percent == 10);
    o.barrier = true;
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert(t->barrier);
    o.max_concurrent_calls = 0; /* it is gone, and all that was said of it */
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert(!t->barrier && t->pending_max == 0 && t->pending_timeout.us == 0 && t->places == 0);
}
END_TEST

/* Of what is called or undone somewhere the name is kept, so that a reload finds it again. */
START_TEST(requests_targets__names_of_targets_are_kept)
{
    struct error_detail detail;
    struct definition_limits limits = definition_limits_default();
    ck_assert_int_eq(definition_read(bytes_of_text("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: "
                                                   "/p.S/A, compensation: {target: u, method: /p.S/U}}\n"),
                                     &limits, &definition, &detail),
                     0);
    ck_assert_int_eq(engine_find_target(engine, bytes_of_text("u")), -1);
    ck_assert_int_eq(engine_keep_names(engine, definition), 0);
    ck_assert_uint_eq(engine->target_count, 2);
    ck_assert_int_eq(engine_find_target(engine, bytes_of_text("u")), -1); /* it is not there */
    ck_assert_int_eq(engine_resolve(engine, definition, &detail), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(detail.field, "compensation.target");
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    ck_assert_int_eq(engine_find_target(engine, bytes_of_text("u")), 1);
}
END_TEST

/* A journal in which the attempts of a step went to two targets is not one that was written so. */
START_TEST(requests_targets__a_step_goes_where_it_went)
{
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    struct error_detail detail;
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    define(TYPED "steps:\n  - {name: a, target: {oneof: [t, u], by: \"'t'\"}, action: {method: /shapes.Shop/Old,\n"
                 "     retry: {maxAttempts: 3}}, compensation: none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("in")}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_ANSWERED);
    struct record r = {
        .type = RECORD_ACTION_STARTED, .saga = engine_find(engine, 1)->id, .at = now, .attempt = 2, .choice = 2};
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), E_JOURNAL_CORRUPT);
    r.choice = 0;
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), E_JOURNAL_CORRUPT);
    r.choice = 1;
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), 0);
}
END_TEST

/* An undo goes to the target that the action went to, by the method that undoes it. */
START_TEST(requests_targets__an_undo_goes_where_its_action_went)
{
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    define(TYPED "steps:\n  - {name: a, target: {oneof: [t, u], by: input.sku}, action: {method: /shapes.Shop/Old,\n"
                 "     retry: {maxAttempts: 1}}, compensation: {method: /shapes.Shop/Reserve, request: {order_id: "
                 "=input.sku}}}\n");
    for (unsigned k = 0; k < 2; k++) {
        first.serial = k + 1;
        ck_assert_int_eq(
            ask((struct event){.type = EVENT_START, .definition = definition, .input = line(k == 0 ? "u" : "t")}), 0);
        answer(CODE_UNKNOWN, SAGA_REACH_ANSWERED);
        ck_assert_uint_eq(call_count, 2);
        for (unsigned i = 0; i < 2; i++)
            ck_assert_int_eq(calls[i].target, 1 - k);
        ck_assert_str_eq(calls[0].method, "/shapes.Shop/Old");
        ck_assert_str_eq(calls[1].method, "/shapes.Shop/Reserve");
        call_count = 0;
    }
}
END_TEST

/* The choice is of those that the step names, and the saga says so when it is not. */
START_TEST(requests_targets__a_choice_of_none_is_said)
{
    define(TYPED "steps:\n  - {name: a, target: {oneof: [t], by: input.sku}, action: /shapes.Shop/Old, compensation: "
                 "none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("u")}), 0);
    ck_assert_uint_eq(call_count, 0);
    ck_assert_str_eq(ended_words, "the target that `by` gives is none of oneof");
}
END_TEST

/* Of a loop over nothing there is no instance to see. */
START_TEST(requests_targets__a_loop_over_nothing_has_no_outcomes)
{
    define(TYPED "steps:\n"
                 "  - {name: a, target: t, for_each: \"input.sku == 'none' ? [] : ['x']\", max_items: 2,\n"
                 "     action: {method: /shapes.Shop/Old, request: {sku: =item}}, compensation: none}\n"
                 "  - {name: b, target: t, after: [a], action: /shapes.Shop/Old, compensation: none}\n"
                 "  - {name: c, target: t, after: [b], compensation: none,\n"
                 "     action: {method: /shapes.Shop/Reserve, request: {order_id: =string(size(steps.a.outcome))}}}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("none")}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_uint_eq(call_count, 2);
    ck_assert_str_eq(calls[1].method, "/shapes.Shop/Reserve");
    ck_assert_uint_eq(calls[1].request.size, 3);
    ck_assert_mem_eq(calls[1].request.at, "\n\0010", 3);
}
END_TEST

/* What a loop goes over may not be to be told; then there is no saga, and it says why. */
START_TEST(requests_targets__a_loop_that_cannot_be_counted_is_refused)
{
    define(TYPED "steps:\n"
                 "  - {name: a, target: t, for_each: \"[string(1 / (size(input.sku) - 1))]\", max_items: 2,\n"
                 "     action: {method: /shapes.Shop/Old, request: {sku: =item}}, compensation: none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("x")}),
                     E_EXPRESSION);
    ck_assert_str_eq(words, "divide by zero, in: [string(1 / (size(input.sku) - 1))]");
    ck_assert_ptr_null(engine_find(engine, 1));
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("xy")}), 0);
}
END_TEST

/* Where nobody waits for a target that cannot be reached, its attempts are made as often as the step says. */
START_TEST(requests_targets__what_does_not_wait_for_its_target_is_tried_again)
{
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    engine->options.target_wait = SPAN_S(0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_NONE);
    ck_assert_int_eq(engine_find(engine, 1)->steps[0].action, SAGA_ACTION_STARTED);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(call_count, 2);
    ck_assert_uint_eq(calls[1].attempt, 2);
}
END_TEST

/* It keeps the place of its targets: those of undos, too. */
START_TEST(requests_targets__a_target_that_is_named_again_is_the_one_that_was_gone)
{
    struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    const char text[] =
        "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
        "  - {name: b, after: [a], target: t, action: /p.S/B,\n"
        "     compensation: {target: u, method: /p.S/UndoB}}\n";
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definition, &detail), 0);
    definition->number = 1;
    ck_assert_int_eq(engine_keep_names(engine, definition), 0);
    ck_assert_int_eq(engine_resolve(engine, definition, &detail), E_TARGET_NOT_FOUND);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(words, "step b calls target u, which sagad.yaml does not name");
    ck_assert_int_eq(engine_set_target(engine, &u), definition->steps[1].compensation.target_index);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
}
END_TEST

/* What the method says of its barrier counts before what its target says: without one, the undo waits for the action's end. */
START_TEST(requests_targets__a_methods_barrier_is_its_own)
{
    static const struct {
        const char *said;
        bool of_target, waits;
    } rows[] = {
        {"", false, true}, {"", true, false}, {", barrier: true", false, false}, {", barrier: false", true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        const struct target_options t = {
            .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1, .barrier = rows[i].of_target};
        tear_down();
        set_up();
        ck_assert_int_eq(engine_set_target(engine, &t), 0);
        snprintf(text, sizeof text,
                 "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A%s, retry: "
                 "{maxAttempts: 2, initialBackoff: 100ms, jitter: 0}}, compensation: /p.S/UndoA}\n",
                 rows[i].said);
        define(text);
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        struct instant quiet_at = instant_after(now, SPAN_S(9));
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_MAYBE,
                           .status = CODE_DEADLINE_EXCEEDED,
                           .quiet_at = quiet_at});
        ck_assert_int_eq(last.type, RECORD_ACTION_FAILED);
        ck_assert_msg(last.quiet_at.us == (rows[i].waits ? quiet_at.us : 0), "row %zu", i);
    }
}
END_TEST

/* What must be made waits at a target where as many wait as may; what need not be is turned away. */
START_TEST(requests_targets__what_must_be_made_is_not_turned_away)
{
    const struct target_options crowded = {
        .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1, .max_pending_calls = 1};
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: p, target: t, pivot: true, action: /p.S/P}\n"
           "  - {name: b, after: [p], target: t, action: /p.S/B}\n");
    ck_assert_int_eq(engine_set_target(engine, &crowded), 0);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert(engine_find(engine, 2)->steps[0].queued);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ended_status, CODE_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(ended_words, "as many calls wait for the target as may (max_pending_calls)");
    answer(CODE_OK, SAGA_REACH_ANSWERED); /* the second leaves, and the third is out of the way */
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    first.serial = 2;
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    const struct saga *s = engine_find(engine, 2);
    ck_assert_int_eq(s->steps[1].action, SAGA_ACTION_PENDING);
    ck_assert(s->steps[1].queued);
}
END_TEST

/* Where nothing bounds the wait nobody is turned away, however often the target lets one leave. */
START_TEST(requests_targets__without_a_bound_all_wait)
{
    const struct target_options rated = {
        .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4, .rate = {.per_second = 1, .burst = 1}};
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    ck_assert_int_eq(engine_set_target(engine, &rated), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_uint_eq(call_count, i);
        ck_assert_uint_eq(engine_counts(engine).waiting, 3 - i);
        ck_assert_int_eq(engine_find(engine, 3)->steps[0].queued, i < 3);
        now.us += SPAN_S(1).us;
        ask((struct event){.type = EVENT_TICK});
    }
}
END_TEST

/* Of the targets that an undo may go to, too, each must be there. */
START_TEST(requests_targets__a_choice_of_undos_is_looked_for)
{
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1},
                                gone = {.name = "u"};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    define(TYPED "steps:\n  - {name: a, target: {oneof: [t, u], by: input.sku}, action: {target: t, method: "
                 "/shapes.Shop/Old},\n     compensation: {method: /shapes.Shop/Old, request: input}}\n");
    const struct event start = {.type = EVENT_START, .definition = definition, .input = line("t")};
    ck_assert_int_eq(engine_set_target(engine, &gone), 1);
    ck_assert_int_eq(ask(start), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(words, "step a calls target u, which sagad.yaml does not name");
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    ck_assert_int_eq(ask(start), 0);
}
END_TEST

/* Whatever was answered shows that the target is there, also a refusal; that nobody was reached does not. */
START_TEST(requests_targets__who_answers_is_there)
{
    const struct target_options wide = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4};
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    ck_assert_int_eq(engine_set_target(engine, &wide), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    for (first.serial = 1; first.serial <= 3; first.serial++) {
        call_count = 0;
        answer(first.serial < 3 ? CODE_UNAVAILABLE : CODE_NOT_FOUND,
               first.serial < 3 ? SAGA_REACH_NONE : SAGA_REACH_ANSWERED);
        ck_assert_int_eq(engine_target_down(engine, 0), first.serial < 3);
    }
}
END_TEST

/* Or those of a tenant, where the definition says so. */
START_TEST(requests_targets__tenants_take_turns)
{
    static const char *const tenants[] = {"x", "x", "x", "y"};
    static const uint64_t order[] = {1, 2, 4, 3};
    define(TYPED "tags: {tenant: =input.sku}\nfair_by: tenant\nsteps:\n"
                 "  - {name: a, target: t, action: /shapes.Shop/Old, compensation: none}\n");
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line(tenants[i])}),
                         0);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(call_count, i + 1);
        ck_assert_uint_eq(calls[i].saga.serial, order[i]);
        first.serial = order[i];
        answer(CODE_OK, SAGA_REACH_ANSWERED);
    }
}
END_TEST

/* What does not wait for its target does not wait for one that sagad.yaml names no more. */
START_TEST(requests_targets__what_is_gone_is_not_waited_for_in_haste)
{
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1},
                                gone = {.name = "u"};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
           "  - {name: b, after: [a], target: u, unavailable: refuse, action: /p.S/B, compensation: none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(engine_set_target(engine, &gone), 1);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(ended_status, CODE_UNAVAILABLE);
    ck_assert_int_eq(engine_find(engine, 1)->steps[1].action, SAGA_ACTION_REJECTED);
}
END_TEST

/* Those of a definition that many wait for let one of another go between them. */
START_TEST(requests_targets__definitions_take_turns)
{
    static const uint64_t order[] = {1, 2, 4, 3};
    struct definition *other = NULL;
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    other = definition;
    define("name: e\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(call_count, i + 1);
        ck_assert_uint_eq(calls[i].saga.serial, order[i]);
        first.serial = order[i];
        answer(CODE_OK, SAGA_REACH_ANSWERED);
    }
    definition_destroy(other);
}
END_TEST

/* An hour is more microseconds than 32 bits hold. */
START_TEST(requests_targets__a_lost_target_is_waited_for_as_long_as_is_said)
{
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_NONE);
    ck_assert_uint_eq(call_count, 1);
    ck_assert_int_eq(engine_expiry(engine).us, now.us + SPAN_S(3600).us);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(call_count, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_targets");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, requests_targets__a_target_is_as_it_was_configured);
    tcase_add_test(tests, requests_targets__names_of_targets_are_kept);
    tcase_add_test(tests, requests_targets__a_step_goes_where_it_went);
    tcase_add_test(tests, requests_targets__an_undo_goes_where_its_action_went);
    tcase_add_test(tests, requests_targets__a_choice_of_none_is_said);
    tcase_add_test(tests, requests_targets__a_loop_that_cannot_be_counted_is_refused);
    tcase_add_test(tests, requests_targets__a_loop_over_nothing_has_no_outcomes);
    tcase_add_test(tests, requests_targets__what_does_not_wait_for_its_target_is_tried_again);
    tcase_add_test(tests, requests_targets__a_target_that_is_named_again_is_the_one_that_was_gone);
    tcase_add_test(tests, requests_targets__what_must_be_made_is_not_turned_away);
    tcase_add_test(tests, requests_targets__definitions_take_turns);
    tcase_add_test(tests, requests_targets__what_is_gone_is_not_waited_for_in_haste);
    tcase_add_test(tests, requests_targets__tenants_take_turns);
    tcase_add_test(tests, requests_targets__without_a_bound_all_wait);
    tcase_add_test(tests, requests_targets__a_choice_of_undos_is_looked_for);
    tcase_add_test(tests, requests_targets__who_answers_is_there);
    tcase_add_test(tests, requests_targets__a_lost_target_is_waited_for_as_long_as_is_said);
    tcase_add_test(tests, requests_targets__a_methods_barrier_is_its_own);
    tcase_add_test(tests, requests_targets__every_target_of_a_step_is_looked_for);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
