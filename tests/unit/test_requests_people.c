/* What people ask of the engine, and on whose behalf: rights and turns by tags, dead letters, turns back, breakers. */
#include "tests/support/requests_world.h"

/* Those of a definition take their turns together, or those of a tag's value, which is no definition's name. */
START_TEST(requests_people__a_tag_is_no_name)
{
    define(TYPED "tags: {tenant: =input.sku}\nfair_by: tenant\n"
                 "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n");
    struct definition *of_tag = definition;
    const struct event tagged = {.type = EVENT_START, .definition = of_tag, .input = line("plain")};
    ck_assert_int_eq(ask(tagged), 0); /* it has the only place */
    ck_assert_int_eq(ask(tagged), 0);
    ck_assert_int_eq(ask(tagged), 0);
    ck_assert_uint_eq(engine->keys.count, 1);
    define("name: plain\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_uint_eq(engine->keys.count, 2);
    engine_destroy(engine);
    engine = NULL;
    definition_destroy(of_tag);
}
END_TEST

/* Who may start sagas of some tags alone starts no others, and none that has no tags. */
START_TEST(requests_people__a_right_to_tags_is_no_right_to_others)
{
    struct event event = {
        .type = EVENT_START, .tag_sets = bytes_of("tenant\0acme\0\0\0tenant\0other\0\0\0", 29), .input = line("acme")};
    define("name: plain\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    event.definition = definition;
    ck_assert_int_eq(ask(event), E_PERMISSION);
    definition_destroy(definition);
    define(TYPED "tags: {tenant: =input.sku}\n"
                 "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n");
    event.definition = definition;
    ck_assert_int_eq(ask(event), 0);
    event.input = line("other");
    ck_assert_int_eq(ask(event), 0);
    event.input = line("third");
    ck_assert_int_eq(ask(event), E_PERMISSION);
    event.tag_sets.size = 0;
    ck_assert_int_eq(ask(event), 0);
}
END_TEST

/* What a person has tried anew after a refusal is another action, which begins then; and each step that is skipped is counted. */
START_TEST(requests_people__what_people_do_to_a_dead_letter_is_kept)
{
    const struct target_options wide = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4};
    struct event act = {.type = EVENT_RETRY, .actor = bytes_of_text("ann"), .reason = bytes_of_text("why")};
    define("name: d\nversion: 1.0.0\nforward_only: true\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A}\n  - {name: b, target: t, action: /p.S/B}\n");
    ck_assert_int_eq(engine_set_target(engine, &wide), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    for (uint16_t i = 0; i < 2; i++)
        ask((struct event){.type = EVENT_ANSWER,
                           .step_index = i,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_NOT_FOUND});
    const struct saga *s = engine_find(engine, 1);
    ck_assert_int_eq(s->state, SAGA_STUCK);
    now.us += 5000000;
    act.step = bytes_of_text("a");
    ck_assert_int_eq(ask(act), 0);
    ck_assert_int_eq(s->steps[0].generation, 1);
    ck_assert_int_eq(s->steps[0].first_at.us, 0); /* it has not begun: the other is stuck yet */
    act.type = EVENT_SKIP;
    act.step = bytes_of_text("b");
    ck_assert_int_eq(ask(act), 0);
    ck_assert_uint_eq(call_count, 3);
    ck_assert_uint_eq(s->stuck_step, RECORD_NO_STEP);
    ck_assert_uint_eq(calls[2].generation, 1);
    ck_assert_int_eq(calls[2].action_started.us, now.us);
    answer(CODE_NOT_FOUND, SAGA_REACH_ANSWERED);
    act.step = bytes_of_text("a");
    ck_assert_int_eq(ask(act), 0);
    ck_assert_int_eq(s->state, SAGA_COMMITTED);
    ck_assert_uint_eq(s->skips, 2);
}
END_TEST

START_TEST(requests_people__a_cancel_that_comes_too_late_is_told_why)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, pivot: true, action: /p.S/A}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B}\n");
    const struct event cancel = {.type = EVENT_CANCEL};
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ask(cancel), E_AFTER_PIVOT);
    ck_assert_ptr_nonnull(strstr(words, "pivot has been started"));
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_uint_eq(call_count, 2);
    ck_assert_int_eq(ask(cancel), E_AFTER_PIVOT);
    ck_assert_ptr_nonnull(strstr(words, "pivot is done"));
}
END_TEST

START_TEST(requests_people__before_the_pivot_a_cancel_turns_back)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
           "  - {name: p, after: [a], target: t, pivot: true, action: /p.S/P}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert(!saga_at_pivot(engine_find(engine, 1)));
    ck_assert_int_eq(ask((struct event){.type = EVENT_CANCEL}), 0);
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_COMPENSATING);
}
END_TEST

/* What was done all the same, when nobody wanted it any more, is undone. */
START_TEST(requests_people__what_is_done_after_a_cancel_is_undone)
{
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_CANCEL}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_COMPENSATING);
    ck_assert_uint_eq(call_count, 2);
    ck_assert_str_eq(calls[1].method, "/p.S/UndoA");
    tear_down(); /* and where there is nothing to undo it has been turned back all the same */
    set_up();
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_CANCEL}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_COMPENSATED);
}
END_TEST

/* What a later step asks with cannot be spared, nor while the saga goes on. */
START_TEST(requests_people__what_is_needed_is_not_skipped)
{
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    struct event skip = {.type = EVENT_SKIP, .actor = bytes_of_text("ann"), .reason = bytes_of_text("why")};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: p, target: t, pivot: true, action: /p.S/P}\n"
           "  - {name: b, after: [p], target: u, action: /p.S/B}\n"
           "  - {name: c, after: [b], target: t, action: {method: /p.S/C, request: {output: b}}}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ask((struct event){.type = EVENT_ANSWER,
                       .step_index = 1,
                       .phase = SAGA_PHASE_ACTION,
                       .attempt = 1,
                       .reach = SAGA_REACH_NONE,
                       .unreached = true,
                       .status = CODE_UNAVAILABLE});
    ck_assert(engine_target_down(engine, 1));
    skip.step = bytes_of_text("b");
    ck_assert_int_eq(ask(skip), E_OUTPUT_NEEDED);
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_RUNNING);
}
END_TEST

/* Of a dead letter: which words of a person there are, and what they are about. */
START_TEST(requests_people__who_acts_on_a_dead_letter_is_told_what_helps)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, pivot: true, action: {method: /p.S/A, retry: {maxAttempts: 1}}}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B}\n");
    const struct event retry_b = {.type = EVENT_RETRY, .actor = bytes_of_text("ann"), .step = bytes_of_text("b")};
    struct event act = {.actor = bytes_of_text("ann"), .reason = bytes_of_text("why"), .step = bytes_of_text("c")};
    static const uint8_t of_a_step[] = {EVENT_RETRY, EVENT_SKIP, EVENT_REJECT};
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    act.type = EVENT_RESOLVE;
    ck_assert_int_eq(ask(act), E_SAGA_NOT_STUCK);
    act.type = EVENT_SKIP;
    ck_assert_int_eq(ask(act), E_SAGA_NOT_STUCK);
    ck_assert_ptr_nonnull(strstr(words, "can be skipped before only while its target cannot be reached"));
    ck_assert_int_eq(ask(retry_b), E_SAGA_NOT_STUCK);
    ck_assert_str_eq(words, "the saga is not a dead letter: the sidecar goes on by itself");
    answer(CODE_UNAVAILABLE, SAGA_REACH_MAYBE);
    ck_assert_int_eq(ask(retry_b), E_SAGA_NOT_STUCK);
    ck_assert_str_eq(words, "this step is not what the saga is stuck on");
    for (unsigned i = 0; i < 3; i++) {
        act.type = of_a_step[i];
        ck_assert_int_eq(ask(act), E_STEP_NOT_FOUND);
        ck_assert_str_eq(field, "step");
    }
    ck_assert_int_eq(ask((struct event){.type = EVENT_CANCEL}), E_SAGA_STUCK);
    ck_assert_ptr_nonnull(strstr(words, "the pivot's outcome is unknown"));
}
END_TEST

/* A saga that a person's word turns back is stuck on nothing any more, and says which step it was. */
START_TEST(requests_people__a_rejection_says_of_which_step)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: p, after: [a], target: t, pivot: true, action: {method: /p.S/P, retry: {maxAttempts: 1}}}\n"
           "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ask((struct event){
        .type = EVENT_ANSWER, .step_index = 1, .phase = SAGA_PHASE_ACTION, .attempt = 1, .reach = SAGA_REACH_ANSWERED});
    answer(CODE_UNAVAILABLE, SAGA_REACH_MAYBE);
    const struct saga *s = engine_find(engine, 1);
    ck_assert_int_eq(s->state, SAGA_STUCK);
    ck_assert_int_eq(ask((struct event){.type = EVENT_REJECT,
                                        .actor = bytes_of_text("ann"),
                                        .reason = bytes_of_text("why"),
                                        .step = bytes_of_text("p")}),
                     0);
    ck_assert_int_eq(s->state, SAGA_COMPENSATING);
    ck_assert_int_eq(s->reason, REASON_ACTION_REJECTED);
    ck_assert_uint_eq(s->reason_step, 0);
    ck_assert_int_eq(s->stuck_reason, REASON_NONE);
    ck_assert_uint_eq(s->stuck_step, RECORD_NO_STEP);
}
END_TEST

/* Who acts on a saga says who it is, and of what cannot be taken back also why. */
START_TEST(requests_people__who_acts_says_who_and_why)
{
    static const struct {
        uint8_t type;
        bool reason;
    } acts[] = {{EVENT_PAUSE, false}, {EVENT_RESUME, false}, {EVENT_RETRY, false}, {EVENT_SKIP, true},
                {EVENT_REJECT, true}, {EVENT_RESOLVE, true}, {EVENT_BREAKER, true}};
    begin("a");
    for (unsigned i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct event act = {.type = acts[i].type, .name = bytes_of_text("t"), .reason = bytes_of_text("why")};
        act.breaker_act = BREAKER_TRIP;
        ck_assert_int_eq(ask(act), E_ARGUMENT);
        ck_assert_str_eq(field, "actor");
        act.actor = bytes_of_text("ann");
        act.reason.size = 0;
        ck_assert_int_eq(ask(act) == E_ARGUMENT && strcmp(field, "reason") == 0, acts[i].reason);
    }
    ck_assert(!engine_breaker(engine, 0)->open);
    const struct event pause = {.type = EVENT_PAUSE,
                                .actor = bytes_of_text("bob"),
                                .identity = bytes_of_text("bert"),
                                .reason = bytes_of_text("why")};
    ck_assert_int_eq(ask((struct event){.type = EVENT_RESUME, .actor = bytes_of_text("ann")}), 0);
    ck_assert_int_eq(ask(pause), 0);
    ck_assert_uint_eq(last.type, RECORD_PAUSED);
    ck_assert(bytes_equal(last.actor, pause.actor) && bytes_equal(last.message, pause.reason));
    ck_assert_str_eq(identity, "bert");
}
END_TEST

START_TEST(requests_people__a_turn_tells_who_asked_for_it)
{
    struct event event = {.type = EVENT_CANCEL, .actor = bytes_of_text("bob"), .identity = bytes_of_text("bert")};
    begin("a");
    ck_assert_int_eq(ask(event), 0);
    ck_assert_uint_eq(last.type, RECORD_TURNED_BACK);
    ck_assert_str_eq(identity, "bert");
    ck_assert(bytes_equal(last.actor, event.actor));

    static const char why[MESSAGE_BYTES_MAX + 1] = "why";
    begin("a");
    first.serial = 2;
    event = (struct event){.type = EVENT_ABORT, .reason = bytes_of(why, sizeof why)};
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "reason");
    event.reason.size--;
    ck_assert_int_eq(ask(event), 0);
}
END_TEST

START_TEST(requests_people__a_breaker_is_tripped_held_or_reset)
{
    struct event event = {.type = EVENT_BREAKER,
                          .name = bytes_of_text("t"),
                          .actor = bytes_of_text("ann"),
                          .reason = bytes_of_text("why")};
    static const struct {
        uint8_t act;
        bool open, held;
    } acts[] = {{BREAKER_TRIP, true, false},
                {BREAKER_HOLD, true, true},
                {BREAKER_RESET, false, false},
                {BREAKER_HOLD, true, true},
                {BREAKER_TRIP, true, false}};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        event.breaker_act = acts[i].act;
        ck_assert_int_eq(ask(event), 0);
        ck_assert_int_eq(engine_breaker(engine, 0)->open, acts[i].open);
        ck_assert_int_eq(engine_breaker(engine, 0)->held, acts[i].held);
    }
    event.breaker_act = 99;
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "act");
    ck_assert(engine_breaker(engine, 0)->open);
    event.breaker_act = BREAKER_RESET;
    event.name = bytes_of_text("u");
    ck_assert_int_eq(ask(event), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(field, "target");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_people");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, requests_people__a_breaker_is_tripped_held_or_reset);
    tcase_add_test(tests, requests_people__what_people_do_to_a_dead_letter_is_kept);
    tcase_add_test(tests, requests_people__a_rejection_says_of_which_step);
    tcase_add_test(tests, requests_people__a_tag_is_no_name);
    tcase_add_test(tests, requests_people__a_right_to_tags_is_no_right_to_others);
    tcase_add_test(tests, requests_people__a_cancel_that_comes_too_late_is_told_why);
    tcase_add_test(tests, requests_people__what_is_done_after_a_cancel_is_undone);
    tcase_add_test(tests, requests_people__what_is_needed_is_not_skipped);
    tcase_add_test(tests, requests_people__before_the_pivot_a_cancel_turns_back);
    tcase_add_test(tests, requests_people__who_acts_on_a_dead_letter_is_told_what_helps);
    tcase_add_test(tests, requests_people__who_acts_says_who_and_why);
    tcase_add_test(tests, requests_people__a_turn_tells_who_asked_for_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
