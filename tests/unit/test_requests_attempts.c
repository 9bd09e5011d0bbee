/* What becomes of a call that the engine makes: what goes with it, what is made of its answer, how attempts and heartbeats are counted, and what is told
 * of it in the end. */
#include "tests/support/requests_world.h"

/* The trace that its saga was begun with, and since when it was due: one that found its target full has waited for it. */
START_TEST(requests_attempts__a_call_tells_where_it_comes_from)
{
    const struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    const struct event abort = {.type = EVENT_ABORT, .settle = &s, .settle_count = 1, .identity = bytes_of_text("ann")};
    begin("a");
    ck_assert_int_eq(ask(abort), 0);
    ck_assert_uint_eq(call_count, 1);
    begin("a");
    first.serial = 2;
    ck_assert_int_eq(ask(abort), 0);
    ck_assert_uint_eq(call_count, 1); /* the target has one place */
    first.serial = 1;
    now.us += 500000;
    ask((struct event){.type = EVENT_ANSWER,
                       .phase = SAGA_PHASE_COMPENSATION,
                       .attempt = 1,
                       .reach = SAGA_REACH_ANSWERED,
                       .status = CODE_OK});
    ck_assert_uint_eq(call_count, 2);
    first.serial = 2;
    static const char why[MESSAGE_BYTES_MAX + 9] = "why";
    ask((struct event){.type = EVENT_ANSWER,
                       .phase = SAGA_PHASE_COMPENSATION,
                       .attempt = 1,
                       .reach = SAGA_REACH_ANSWERED,
                       .status = CODE_INTERNAL,
                       .message = bytes_of(why, sizeof why)});
    ck_assert_uint_eq(said, MESSAGE_BYTES_MAX); /* as much of the participant's words as a record holds */
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(bytes_equal(calls[i].traceparent, bytes_of_text(TRACE)));
        ck_assert_int_eq(calls[i].due_at.us, 1000000);
    }
}
END_TEST

/* What could not be sent for want of memory was certainly not carried out. */
START_TEST(requests_attempts__what_had_no_memory_for_its_request_is_refused_and_tried_again)
{
    define(TYPED
           "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: =input.sku + 'abc'},\n"
           "     retry: {maxAttempts: 2, initialBackoff: 100ms, jitter: 0}}, compensation: none}\n");
    struct bytes in = line("a text of a size that nothing else has here....");
    refused_size = in.size + 3;
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = in}), 0);
    ck_assert_int_eq(last.type, RECORD_ACTION_FAILED);
    ck_assert_int_eq(last.status, CODE_RESOURCE_EXHAUSTED);
    ck_assert(!last.maybe_executed);
    ck_assert_uint_eq(call_count, 0);
    refused_size = 0;
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(call_count, 1);
    ck_assert_uint_eq(calls[0].request.size, in.size + 3);
}
END_TEST

/* What those who wait are given cannot be computed: the record says why. */
START_TEST(requests_attempts__an_answer_that_fails_has_its_words)
{
    define(TYPED "forward_only: true\noutput: {sku: \"=input.sku.split('-')[1]\"}\noutput_type: shapes.Line\nsteps:\n"
                 "  - {name: a, target: t, action: {method: /shapes.Shop/Old}}\n"
                 "  - {name: b, after: [a], target: t, deferred: true, action: {method: /shapes.Shop/Old}}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("in")}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_uint_eq(call_count, 2);
    ck_assert_uint_gt(answered, 0);
}
END_TEST

/* To look at: until when a step waits is at most its saga's deadline; and a breaker that is open, not the rate, is what it waits for. */
START_TEST(requests_attempts__what_a_step_waits_for_is_told)
{
    const struct target_options rated = {
        .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 2, .rate = {.per_second = 1, .burst = 1}};
    const struct event hold = {.type = EVENT_BREAKER,
                               .name = bytes_of_text("t"),
                               .actor = bytes_of_text("ann"),
                               .reason = bytes_of_text("why"),
                               .breaker_act = BREAKER_HOLD};
    define("name: d\nversion: 1.0.0\ndeadline: 20s\nsteps:\n"
           "  - {name: a, target: t, reserve: 5s, action: /p.S/A, compensation: none}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B}\n");
    ck_assert(!engine_target_rated(engine, 0));
    ck_assert_int_eq(engine_set_target(engine, &rated), 0);
    const struct event start = {.type = EVENT_START, .definition = definition};
    ck_assert_int_eq(ask(start), 0);
    ck_assert_int_eq(ask(start), 0);
    ck_assert_uint_eq(call_count, 1);
    ck_assert(engine_target_rated(engine, 0));
    const struct saga *second = engine_find(engine, 2);
    ck_assert(second->steps[0].queued);
    ck_assert_int_eq(engine_waits_until(engine, second, 0).us, now.us + SPAN_S(15).us);
    for (int s = 14; s < 17; s += 2) {
        struct target_options patient = rated;
        patient.pending_timeout = SPAN_S(s);
        ck_assert_int_eq(engine_set_target(engine, &patient), 0);
        ck_assert_int_eq(engine_waits_until(engine, second, 0).us, now.us + SPAN_S(s < 15 ? s : 15).us);
    }
    struct target_options narrow = rated;
    narrow.max_concurrent_calls = 1; /* then it waits for that place */
    ck_assert_int_eq(engine_set_target(engine, &narrow), 0);
    ck_assert(!engine_target_rated(engine, 0));
    ck_assert_int_eq(engine_set_target(engine, &rated), 0);
    ck_assert(engine_target_rated(engine, 0));
    ck_assert_int_eq(ask(hold), 0);
    ck_assert(!engine_target_rated(engine, 0));
}
END_TEST

/* A first attempt waits for no budget, a retry and the retry of an undo do. */
START_TEST(requests_attempts__what_waits_for_the_budget_is_told)
{
    static const bool budgeted[CLASS_COUNT] = {[CLASS_RETRY] = true, [CLASS_RETRY_UNDO] = true};
    for (uint8_t class = 0; class < CLASS_COUNT; class ++)
        ck_assert_msg(engine_step_budgeted(&(struct step){.class = class}) == budgeted[class], "class %u", class);
}
END_TEST

/* How often each was tried, the last attempt with it, for whoever looks. */
START_TEST(requests_attempts__attempts_are_counted_to_the_end)
{
    const struct settlement done = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    struct event undone = {.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_COMPENSATION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_UNAVAILABLE};
    begin("a");
    const struct step *step = &engine_find(engine, 1)->steps[0];
    ck_assert_int_eq(ask((struct event){.type = EVENT_ABORT, .settle = &done, .settle_count = 1}), 0);
    ck_assert_uint_eq(step->action_attempts, 1);
    ask(undone);
    ck_assert_uint_eq(step->compensation_attempts, 1);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    undone.attempt = 2;
    ask(undone);
    ck_assert_int_eq(step->compensation, SAGA_COMPENSATION_FAILED);
    ck_assert_uint_eq(step->compensation_attempts, 2);
}
END_TEST

/* A heartbeat is no customer's saga, whatever state it is in. */
START_TEST(requests_attempts__heartbeats_are_counted_apart)
{
    const struct event pause = {.type = EVENT_PAUSE, .actor = bytes_of_text("ann")};
    const struct event resume = {.type = EVENT_RESUME, .actor = bytes_of_text("ann")};
    define("name: d\nversion: 1.0.0\nforward_only: true\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n"
           "  - {name: b, after: [a], target: t, deferred: true, action: /p.S/B}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .synthetic = true}), 0);
    ck_assert_int_eq(ask(pause), 0);
    ck_assert_uint_eq(engine_counts(engine).paused, 1);
    ck_assert_uint_eq(engine_counts_real(engine).paused, 0);
    ck_assert_int_eq(ask(resume), 0);
    ck_assert_uint_eq(engine_counts(engine).synthetic.paused, 0);
    ck_assert(calls[0].synthetic);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_uint_eq(engine_counts(engine).answered, 1);
    ck_assert_uint_eq(engine_counts_real(engine).answered, 0);
    ck_assert_uint_eq(engine_counts_real(engine).live, 0);
    engine_check(engine);
}
END_TEST

/* So is one that goes back: of two, one is a customer's. */
START_TEST(requests_attempts__heartbeats_that_go_back_are_counted_apart)
{
    const struct target_options roomy = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4};
    ck_assert_int_eq(engine_set_target(engine, &roomy), 0);
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: {method: "
           "/p.S/UndoA, retry: {maxAttempts: 1}}}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B, compensation: none}\n");
    for (int synthetic = 0; synthetic < 2; synthetic++) {
        first.serial = (uint64_t)synthetic + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .synthetic = synthetic}), 0);
        answer(CODE_OK, SAGA_REACH_ANSWERED);
        ask((struct event){.type = EVENT_CANCEL});
        ck_assert_uint_eq(engine_counts(engine).compensating, 1);
        ck_assert_uint_eq(engine_counts_real(engine).compensating, 1 - synthetic);
        call_count = 0;
        ask((struct event){.type = EVENT_ANSWER,
                           .step_index = 1,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_NOT_FOUND});
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_COMPENSATION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_NOT_FOUND});
        ck_assert_uint_eq(engine_counts(engine).stuck, 1 + synthetic);
        ck_assert_uint_eq(engine_counts_real(engine).stuck, 1);
        ck_assert_uint_eq(engine_counts(engine).compensating, 0);
    }
    engine_check(engine);
}
END_TEST

/* What an answer was expected to be, and why a request could not be made, is said with the end of the step. */
START_TEST(requests_attempts__why_a_step_failed_is_kept_in_words)
{
    static const struct {
        const char *steps, *words;
        int answers;
    } failed[] = {
        {"  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: input}, compensation: none,\n"
         "     expect: [{that: action.output.sku == 'yes', else: it says no, undo: false}]}\n",
         "it says no", 1},
        {"  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: \"=string(1 / "
         "input.quantity)\"}},\n"
         "     compensation: none}\n",
         "divide by zero", 0},
    };
    for (size_t i = 0; i < sizeof failed / sizeof failed[0]; i++) {
        char text[512];
        tear_down();
        set_up();
        snprintf(text, sizeof text, TYPED "steps:\n%s", failed[i].steps);
        define(text);
        ended_words[0] = '\0';
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("in")}), 0);
        for (int k = 0; k < failed[i].answers; k++)
            answer(CODE_OK, SAGA_REACH_ANSWERED);
        ck_assert_msg(strstr(ended_words, failed[i].words) != NULL, "%zu: %s", i, ended_words);
    }
}
END_TEST

/* An answer as large as a payload may be is kept; a larger one was carried out, and nobody knows what it says. */
START_TEST(requests_attempts__an_answer_is_as_large_as_a_payload)
{
    static const uint8_t bytes[65];
    define(
        "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
        "     compensation: none}\n");
    for (unsigned i = 0; i < 2; i++) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .output = bytes_of(bytes, 64 + i)});
        ck_assert_int_eq(engine_find(engine, i + 1)->steps[0].action, i == 0 ? SAGA_ACTION_DONE : SAGA_ACTION_UNKNOWN);
        ck_assert_int_eq(ended_status, i == 0 ? CODE_OK : CODE_RESOURCE_EXHAUSTED);
    }
}
END_TEST

/* Both times in full: which of them to change is the question. */
START_TEST(requests_attempts__an_answer_that_is_too_old_says_by_how_much)
{
    define(
        "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
        "     compensation: none, fallback: {last_good: {key: k, max_age: 1500ms}}}\n");
    for (unsigned i = 0; i < 2; i++, now.us += 12345678) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = i == 0 ? CODE_OK : CODE_NOT_FOUND});
    }
    ck_assert_str_eq(ended_words, "the last good answer under its key is 12s old, and max_age is 1.500s");
}
END_TEST

/* What decides is named: the definition's own age, what the sidecar allows by now, or a clock that went back. */
START_TEST(requests_attempts__an_answer_that_is_too_old_says_for_whom)
{
    static const struct {
        const char *max_age;
        int64_t later;
        const char *says;
    } cases[] = {
        {"1h", 3601000000, "the last good answer under its key is 3601s old, and max_age is 3600s"},
        {"2h", 3601000000, "the last good answer under its key is 3601s old, and last_good_age_max is 3600s"},
        {"2h", 7201000000, "the last good answer under its key is 7201s old, and last_good_age_max is 3600s"},
        {"2h", -1, "the last good answer under its key is of a time to come: the clock went back"},
        {"2h", -5000000, "the last good answer under its key is of a time to come: the clock went back"},
    };
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: "
             "1}},\n     compensation: none, fallback: {last_good: {key: k, max_age: %s}}}\n",
             cases[_i].max_age);
    now.us = 10000000;
    define(yaml);
    for (unsigned i = 0; i < 2; i++, now.us += cases[_i].later) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = i == 0 ? CODE_OK : CODE_NOT_FOUND});
    }
    ck_assert_str_eq(ended_words, cases[_i].says);
}
END_TEST

/* A retry that waits for its turn is tried, too, when the target has been away for too long; and its saga's deadline is the end
 * of any wait. */
START_TEST(requests_attempts__until_when_a_retry_waits_is_told)
{
    const struct target_options o = {
        .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4, .budget = {.percent = 10, .min_per_second = 1}};
    char text[256];
    snprintf(text, sizeof text,
             "name: d\nversion: 1.0.0\n%ssteps:\n  - {name: a, target: t, action: {method: /p.S/A,\n"
             "     retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n",
             _i == 0 ? "" : "deadline: 20s\n");
    define(text);
    struct instant deadline = _i == 0 ? INSTANT_NEVER : instant_after(now, SPAN_S(20));
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_ANSWERED);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    const struct saga *s = engine_find(engine, 1);
    ck_assert(s->steps[0].queued && engine_step_budgeted(&s->steps[0]));
    ck_assert_int_eq(engine_waits_until(engine, s, 0).us, deadline.us);
    first.serial = 2;
    answer(CODE_UNAVAILABLE, SAGA_REACH_NONE);
    ck_assert(engine_target_down(engine, 0));
    ck_assert_int_eq(engine_waits_until(engine, s, 0).us, instant_min(deadline, instant_after(now, SPAN_S(3600))).us);
}
END_TEST

/* Whatever number a participant ends a call with. */
START_TEST(requests_attempts__a_status_that_there_is_not_is_unknown)
{
    static const int told[] = {CODE_COUNT, 99, 258, -1};
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: none}\n");
    for (unsigned i = 0; i < sizeof told / sizeof told[0]; i++) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        ck_assert_uint_eq(engine_counts(engine).calls, 1);
        answer(told[i], SAGA_REACH_ANSWERED);
        ck_assert_uint_eq(engine_counts(engine).calls, 0);
        ck_assert_int_eq(ended_status, CODE_UNKNOWN);
    }
}
END_TEST

/* An answer that is kept for fallbacks is forgotten when it is as old as any may be. */
START_TEST(requests_attempts__a_kept_answer_has_its_time)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A, compensation: none,\n"
           "     fallback: {last_good: {key: rates, max_age: 1h}}}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(last.saga_state, SAGA_COMMITTED);
    ck_assert_int_eq(engine_expiry(engine).us, now.us + SPAN_S(3600).us);
    now.us = engine_expiry(engine).us + 1;
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(engine_answers(engine)->count, 0);
}
END_TEST

/* To look at: of those that wait for a target, how many nobody waits for. */
START_TEST(requests_attempts__what_is_deferred_is_told_apart_while_it_waits)
{
    define("name: d\nversion: 1.0.0\nforward_only: true\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A}\n"
           "  - {name: b, after: [a], target: t, deferred: true, action: /p.S/B}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    first.serial = 2;
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_uint_eq(engine_target(engine, 0)->waiting, 1);
    ck_assert_uint_eq(engine_target(engine, 0)->deferred, 0);
    first.serial = 1;
    answer(CODE_OK, SAGA_REACH_ANSWERED); /* and the second's action leaves before it */
    ck_assert_uint_eq(engine_target(engine, 0)->waiting, 1);
    ck_assert_uint_eq(engine_target(engine, 0)->deferred, 1);
}
END_TEST

/* What an owner settles with may be what its undo is to be asked; and the undo tells since when the action may have been done. */
START_TEST(requests_attempts__an_undo_is_asked_what_its_owner_said)
{
    const struct settlement s = {.step = bytes_of_text("a"),
                                 .action_state = SAGA_ACTION_DONE,
                                 .output = bytes_of_text("undo this"),
                                 .output_is_request = true};
    struct instant begun = now;
    begin("a");
    now.us += 500000;
    ck_assert_int_eq(ask((struct event){.type = EVENT_ABORT, .settle = &s, .settle_count = 1}), 0);
    ck_assert_uint_eq(call_count, 1);
    ck_assert(bytes_equal(calls[0].request, s.output));
    ck_assert_int_eq(calls[0].action_started.us, begun.us);
    ck_assert(!calls[0].synthetic);
}
END_TEST

/* What those who wait were given is what the saga ends with. */
START_TEST(requests_attempts__an_answer_stays_what_it_was)
{
    define(TYPED "forward_only: true\noutput: {sku: =input.sku}\noutput_type: shapes.Line\nsteps:\n"
                 "  - {name: a, target: t, action: {method: /shapes.Shop/Old}}\n"
                 "  - {name: b, after: [a], target: t, deferred: true, action: {method: /shapes.Shop/Old}}\n");
    const struct bytes in = line("in");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = in}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert(bytes_equal(engine_find(engine, 1)->answer, in));
}
END_TEST

/* What an optional step may have done is undone beside what goes on. */
START_TEST(requests_attempts__an_early_undo_holds_up_nothing)
{
    const struct target_options wide = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4};
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, optional: true, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
           "     compensation: /p.S/UndoA}\n"
           "  - {name: b, target: t, action: /p.S/B, compensation: none}\n"
           "  - {name: c, after: [b], target: t, action: /p.S/C, compensation: none}\n");
    ck_assert_int_eq(engine_set_target(engine, &wide), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ask((struct event){.type = EVENT_ANSWER,
                       .phase = SAGA_PHASE_ACTION,
                       .attempt = 1,
                       .reach = SAGA_REACH_MAYBE,
                       .status = CODE_UNAVAILABLE,
                       .quiet_at = instant_after(now, SPAN_S(10))});
    ck_assert_int_eq(engine_find(engine, 1)->steps[0].compensation, SAGA_COMPENSATION_OWED);
    ask((struct event){
        .type = EVENT_ANSWER, .step_index = 1, .phase = SAGA_PHASE_ACTION, .attempt = 1, .reach = SAGA_REACH_ANSWERED});
    ck_assert_uint_eq(call_count, 3);
    ck_assert_str_eq(calls[2].method, "/p.S/C");
    /* Of one that is done nothing is owed while all goes well. */
    call_count = 0;
    first.serial = 2;
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(engine_find(engine, 2)->steps[0].compensation, SAGA_COMPENSATION_NONE);
}
END_TEST

/* An answer that is not what was expected turns the saga back, its own action with it; one that goes back already goes on so. */
START_TEST(requests_attempts__what_was_not_expected_is_undone)
{
    define(TYPED "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: input},\n"
                 "     expect: [{that: action.output.sku == 'yes', else: it says no}],\n"
                 "     compensation: {method: /shapes.Shop/Old, request: input}}\n");
    const struct event start = {.type = EVENT_START, .definition = definition, .input = line("in")};
    ck_assert_int_eq(ask(start), 0);
    if (_i == 1)
        ck_assert_int_eq(ask((struct event){.type = EVENT_CANCEL}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    const struct saga *s = engine_find(engine, 1);
    ck_assert_int_eq(s->state, SAGA_COMPENSATING);
    ck_assert_int_eq(s->reason, _i == 0 ? REASON_UNEXPECTED_ANSWER : REASON_CANCELLED);
    ck_assert_uint_eq(call_count, 2);
}
END_TEST

/* Nor do those of two sidecars, whose seeds are not the same. */
START_TEST(requests_attempts__retries_are_spread_over_engines)
{
    int64_t next_at[3];
    for (unsigned i = 0; i < 3; i++) {
        struct engine_options options = engine->options;
        const struct target_options t = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
        options.seed = i / 2; /* 0, 0, 1 */
        tear_down();
        ck_assert_int_eq(engine_create(&options, &heap, &engine), 0);
        ck_assert_int_eq(engine_set_target(engine, &t), 0);
        define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, compensation: none,\n"
               "     action: {method: /p.S/A, retry: {maxAttempts: 9, initialBackoff: 10s, jitter: 0.5}}}\n");
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        answer(CODE_UNAVAILABLE, SAGA_REACH_ANSWERED);
        next_at[i] = engine_find(engine, 1)->steps[0].next_at.us;
    }
    ck_assert_int_eq(next_at[0], next_at[1]);
    ck_assert_int_ne(next_at[0], next_at[2]);
}
END_TEST

/* Sagas that failed together do not come again together, and none sooner or later than the jitter is wide. */
START_TEST(requests_attempts__retries_are_spread_by_their_jitter)
{
    enum { SAGAS = 4 };
    char text[256];
    snprintf(
        text, sizeof text,
        "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 9, "
        "initialBackoff: 10s, maxBackoff: 60s, jitter: %s}}, compensation: none}\n",
        _i == 0 ? "0" : "0.5");
    define(text);
    int64_t delays[SAGAS];
    unsigned others = 0;
    for (unsigned k = 0; k < SAGAS; k++) {
        first.serial = k + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        answer(CODE_UNAVAILABLE, SAGA_REACH_ANSWERED);
        delays[k] = engine_find(engine, k + 1)->steps[0].next_at.us - now.us;
        ck_assert_int_ge(delays[k], _i == 0 ? 10000000 : 5000000);
        ck_assert_int_le(delays[k], _i == 0 ? 10000000 : 15000000);
        others += delays[k] != delays[0];
    }
    ck_assert_uint_eq(others, _i == 0 ? 0 : SAGAS - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_attempts");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, requests_attempts__an_answer_stays_what_it_was);
    tcase_add_test(tests, requests_attempts__an_early_undo_holds_up_nothing);
    tcase_add_loop_test(tests, requests_attempts__what_was_not_expected_is_undone, 0, 2);
    tcase_add_test(tests, requests_attempts__retries_are_spread_over_engines);
    tcase_add_loop_test(tests, requests_attempts__retries_are_spread_by_their_jitter, 0, 2);
    tcase_add_test(tests, requests_attempts__a_call_tells_where_it_comes_from);
    tcase_add_loop_test(tests, requests_attempts__until_when_a_retry_waits_is_told, 0, 2);
    tcase_add_test(tests, requests_attempts__an_answer_is_as_large_as_a_payload);
    tcase_add_test(tests, requests_attempts__heartbeats_are_counted_apart);
    tcase_add_test(tests, requests_attempts__why_a_step_failed_is_kept_in_words);
    tcase_add_test(tests, requests_attempts__heartbeats_that_go_back_are_counted_apart);
    tcase_add_test(tests, requests_attempts__what_had_no_memory_for_its_request_is_refused_and_tried_again);
    tcase_add_test(tests, requests_attempts__an_answer_that_fails_has_its_words);
    tcase_add_test(tests, requests_attempts__what_waits_for_the_budget_is_told);
    tcase_add_test(tests, requests_attempts__attempts_are_counted_to_the_end);
    tcase_add_test(tests, requests_attempts__what_a_step_waits_for_is_told);
    tcase_add_test(tests, requests_attempts__a_status_that_there_is_not_is_unknown);
    tcase_add_test(tests, requests_attempts__a_kept_answer_has_its_time);
    tcase_add_test(tests, requests_attempts__what_is_deferred_is_told_apart_while_it_waits);
    tcase_add_test(tests, requests_attempts__an_undo_is_asked_what_its_owner_said);
    tcase_add_test(tests, requests_attempts__an_answer_that_is_too_old_says_by_how_much);
    tcase_add_loop_test(tests, requests_attempts__an_answer_that_is_too_old_says_for_whom, 0, 5);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
