/* What the sidecar holds as saga.v1 shows it: states, times, what a step waits for, events, and texts that are always
 * valid UTF-8. */
#include "sidecar/api/view.h"

#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct owner o;
static struct arena a;

static const char fan[] =
    "name: fan\nversion: 1.2.3\nsteps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, retry: {maxAttempts: 2, initialBackoff: 250ms, "
    "jitter: 0}}, compensation: /p.S/UndoB}\n"
    "  - {name: c, target: u, after: [a], action: /p.S/C, compensation: /p.S/UndoC}\n"
    "  - {name: d, target: u, after: [b, c], action: /p.S/D}\n";

static const char hurried[] = "name: hurried\nversion: 1.0.0\ndeadline: 60s\nsteps:\n"
                              "  - {name: a, target: t, pivot: true, action: /p.S/A, compensation: /p.S/UndoA}\n"
                              "  - {name: b, target: u, after: [a], action: /p.S/B}\n";

static void setup(void)
{
    owner_init(&o);
    ck_assert_int_eq(owner_start(&o), 0);
    ck_assert_int_eq(owner_register(&o, fan), 0);
    ck_assert_int_eq(owner_register(&o, hurried), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    arena_init(&a);
}

static void teardown(void)
{
    arena_finish(&a);
    owner_close(&o);
}

static const Saga__V1__Saga *view(uint64_t serial, unsigned flags)
{
    const struct saga *s = engine_find(core_engine(o.core), serial);
    ck_assert_ptr_nonnull(s);
    const Saga__V1__Saga *m = view_saga(&a, s, core_engine(o.core), flags);
    ck_assert_ptr_nonnull(m);
    return m;
}

static const char *until_text(const Google__Protobuf__Timestamp *until)
{
    static char text[32];
    if (until == NULL)
        return "";
    int64_t us = until->seconds * 1000000 + until->nanos / 1000 - o.now.us;
    snprintf(text, sizeof text, "@%.3g", (double)us / 1e6);
    return text;
}

/* "a=words|b=words|..." of the steps that wait for something, "@2" where that is over 2 s after now. */
static const char *waiting(uint64_t serial)
{
    static char text[512];
    const Saga__V1__Saga *m = view(serial, VIEW_STEPS);
    text[0] = '\0';
    for (size_t i = 0; i < m->n_steps; i++)
        if (m->steps[i]->waiting_for[0] != '\0')
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%s%s", text[0] == '\0' ? "" : "|",
                     m->steps[i]->name, m->steps[i]->waiting_for, until_text(m->steps[i]->waits_until));
    return text;
}

static void answer(int status)
{
    owner_answer(&o, status, status == 0 ? "out" : NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
}

/* The first call that is out found nobody. */
static void answer_unreached(void)
{
    const struct call_effect call = o.calls[0];
    memmove(o.calls, o.calls + 1, --o.call_count * sizeof o.calls[0]);
    owner_submit(&o, (struct event){.type = EVENT_ANSWER,
                                    .saga = call.saga,
                                    .step_index = call.step,
                                    .phase = call.phase,
                                    .attempt = call.attempt,
                                    .reach = SAGA_REACH_NONE,
                                    .unreached = true,
                                    .message = bytes_of_text("nobody is there"),
                                    .status = 14});
    ck_assert_int_eq(owner_commit(&o), 0);
}

/* Nothing was heard of the first call that is out, which may run for so long. */
static void answer_lost(struct span runs)
{
    const struct call_effect call = o.calls[0];
    memmove(o.calls, o.calls + 1, --o.call_count * sizeof o.calls[0]);
    owner_submit(&o, (struct event){.type = EVENT_ANSWER,
                                    .saga = call.saga,
                                    .step_index = call.step,
                                    .phase = call.phase,
                                    .attempt = call.attempt,
                                    .reach = SAGA_REACH_MAYBE,
                                    .quiet_at = instant_after(o.now, runs),
                                    .status = 14});
    ck_assert_int_eq(owner_commit(&o), 0);
}

static void start(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        owner_submit_start(&o, 1, "fan", i == 0 ? "r-1" : NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
}

static void act(uint8_t type, const char *step)
{
    owner_submit(&o, (struct event){.type = type,
                                    .token = 1,
                                    .saga = {.tag = 0xabc, .serial = 1},
                                    .step = bytes_of_text(step),
                                    .actor = bytes_of_text("me"),
                                    .reason = bytes_of_text("why")});
    ck_assert_int_eq(owner_commit(&o), 0);
}

/* ---- what a step waits for ---- */

START_TEST(view__forward_steps_say_what_they_wait_for)
{
    start(1);
    ck_assert_str_eq(waiting(1), "a=the answer of target t|b=step a|c=step a|d=step b");
}
END_TEST

START_TEST(view__a_deferred_step_waits_for_those_that_are_not)
{
    ck_assert_int_eq(owner_register(&o, "name: later\nversion: 1.0.0\nforward_only: true\nsteps:\n"
                                        "  - {name: a, target: t, action: /p.S/A}\n"
                                        "  - {name: b, target: t, deferred: true, action: /p.S/B}\n"),
                     0);
    owner_submit_start(&o, 1, "later", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(waiting(1), "a=the answer of target t|b=the steps that are not deferred");
    answer(0);
    ck_assert_str_eq(waiting(1), "b=the answer of target t");
    ck_assert(view(1, 0)->answered);
}
END_TEST

START_TEST(view__a_step_that_is_retried_says_when)
{
    start(1);
    answer(0);
    ck_assert_str_eq(waiting(1), "b=the answer of target t|c=the answer of target u|d=step b");
    o.now = (struct instant){.us = INT64_C(1767225600123456)}; /* 2026-01-01 */
    answer(14);
    ck_assert_str_eq(waiting(1), "b=the time of its next attempt@0.25|c=the answer of target u|d=step b");
    answer(0);
    ck_assert_str_eq(waiting(1), "b=the time of its next attempt@0.25|d=step b");
    act(EVENT_PAUSE, NULL);
    ck_assert_str_eq(waiting(1), "b=a resume of the saga|d=a resume of the saga");
    ck_assert(view(1, 0)->paused);
}
END_TEST

/* An action waits for a target that is not there for target_wait, and not beyond its saga's deadline; an undo for as long as that takes. */
START_TEST(view__a_wait_for_a_target_says_until_when)
{
    start(1);
    answer_unreached();
    ck_assert_str_eq(waiting(1), "a=target t, which cannot be reached@300|b=step a|c=step a|d=step b");
    o.now = instant_after(o.now, SPAN_S(100));
    ck_assert_str_eq(waiting(1), "a=target t, which cannot be reached@200|b=step a|c=step a|d=step b");
    ck_assert(!view(1, 0)->pivot_started);
    owner_submit_start(&o, 1, "hurried", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(waiting(2), "a=target t, which cannot be reached@60|b=step a");
}
END_TEST

START_TEST(view__what_can_only_go_forward_waits_for_ever)
{
    owner_submit_start(&o, 1, "hurried", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert(view(1, 0)->pivot_started);
    answer(0); /* a, the pivot */
    answer_unreached();
    ck_assert_str_eq(waiting(1), "b=target u, which cannot be reached, for as long as that takes");
}
END_TEST

START_TEST(view__a_full_target_is_named)
{
    start(17);
    ck_assert_uint_eq(o.call_count, 16);
    ck_assert_str_eq(waiting(17), "a=a free place among the calls to target t|b=step a|c=step a|d=step b");
}
END_TEST

START_TEST(view__a_priority_is_told_with_the_wait)
{
    static const struct {
        uint8_t priority;
        Saga__V1__Priority shown;
        const char *words;
    } cases[] = {{PRIORITY_LOW, SAGA__V1__PRIORITY__PRIORITY_LOW, ", at low priority"},
                 {PRIORITY_NORMAL, SAGA__V1__PRIORITY__PRIORITY_NORMAL, ""},
                 {PRIORITY_HIGH, SAGA__V1__PRIORITY__PRIORITY_HIGH, ", at high priority"}};
    start(16);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[160];
        owner_submit(&o, (struct event){.type = EVENT_START,
                                        .token = 1,
                                        .definition = catalog_at(o.catalog, 0)->definition,
                                        .priority = cases[i].priority});
        ck_assert_int_eq(owner_commit(&o), 0);
        snprintf(expected, sizeof expected, "a=a free place among the calls to target t%s|b=step a|c=step a|d=step b",
                 cases[i].words);
        ck_assert_str_eq(waiting(17 + i), expected);
        ck_assert_int_eq(view(17 + i, 0)->priority, cases[i].shown);
    }
}
END_TEST

static void breaker(uint8_t act)
{
    owner_submit(&o, (struct event){.type = EVENT_BREAKER,
                                    .token = 1,
                                    .name = bytes_of_text("t"),
                                    .actor = bytes_of_text("me"),
                                    .reason = bytes_of_text("why"),
                                    .breaker_act = act});
    ck_assert_int_eq(owner_commit(&o), 0);
}

START_TEST(view__an_open_breaker_is_named)
{
    breaker(BREAKER_TRIP);
    start(1);
    struct span open = instant_since(engine_breaker(core_engine(o.core), 0)->open_until, o.now);
    char expected[160];
    snprintf(expected, sizeof expected,
             "a=target t, whose breaker is open, and lets few calls leave after that@%.3g|b=step a|c=step a|d=step b",
             (double)open.us / 1e6);
    ck_assert_int_gt(open.us, 0);
    ck_assert_str_eq(waiting(1), expected);
    breaker(BREAKER_HOLD);
    ck_assert_ptr_nonnull(strstr(waiting(1), "a=target t, whose breaker an operator holds open"));
    breaker(BREAKER_RESET);
    ck_assert_str_eq(waiting(1), "a=the answer of target t|b=step a|c=step a|d=step b");
}
END_TEST

START_TEST(view__undos_say_what_they_wait_for)
{
    start(1);
    answer(0); /* a */
    answer(9); /* b is refused while c is out */
    ck_assert_int_eq(view(1, 0)->state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING);
    ck_assert_str_eq(waiting(1), "a=the end of actions in flight|c=the answer of target u");
    answer(0); /* c */
    ck_assert_str_eq(waiting(1), "a=the undo of later steps|c=the answer of target u");
    answer(0); /* the undo of c */
    ck_assert_str_eq(waiting(1), "a=the answer of target t");
    answer(9); /* the undo of a has one attempt */
    ck_assert_int_eq(view(1, 0)->state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    ck_assert_str_eq(waiting(1), "a=an operator");
    ck_assert_str_eq(view(1, 0)->stuck_step, "a");
    ck_assert_int_eq(view(1, 0)->stuck_reason, SAGA__V1__REASON__REASON_COMPENSATION_FAILED);
    ck_assert_str_eq(view(1, 0)->reason_step, "b");
    ck_assert_int_eq(view(1, 0)->reason, SAGA__V1__REASON__REASON_ACTION_REJECTED);
}
END_TEST

/* The undo may go to another target than its action. */
START_TEST(view__a_step_shows_the_target_that_it_is_at)
{
    ck_assert_int_eq(
        owner_register(&o, "name: apart\nversion: 1.0.0\nsteps:\n"
                           "  - {name: a, target: t, action: /p.S/A, compensation: {target: u, method: /p.S/UndoA}}\n"
                           "  - {name: b, target: t, after: [a], action: /p.S/B}\n"),
        0);
    owner_submit_start(&o, 1, "apart", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    answer(0); /* a */
    ck_assert_str_eq(view(1, VIEW_STEPS)->steps[0]->target, "t");
    answer(9); /* b, and it turns back */
    ck_assert_str_eq(waiting(1), "a=the answer of target u");
    ck_assert_str_eq(view(1, VIEW_STEPS)->steps[0]->target, "u");
    ck_assert_str_eq(view(1, VIEW_STEPS)->steps[1]->target, "t");
}
END_TEST

/* An attempt of which nothing was heard may still run at its target: no undo leaves before that is over, neither a first attempt nor another. */
START_TEST(view__an_undo_waits_until_a_lost_attempt_is_over)
{
    start(1);
    answer(0); /* a */
    answer(9); /* b is refused while c is out */
    answer_lost(SPAN_S(30));
    ck_assert_str_eq(waiting(1),
                     "a=an action's attempt, which may still run@30|c=an action's attempt, which may still run@30");
}
END_TEST

static const char lean[] =
    "name: lean\nversion: 1.0.0\nsteps:\n"
    "  - {name: a, target: t, optional: true, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
    "     compensation: {method: /p.S/UndoA, retry: {initialBackoff: 250ms, jitter: 0}}}\n"
    "  - {name: b, target: u, action: {method: /p.S/B, retry: {maxAttempts: 2, initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: none}\n";

static void pass(struct span time)
{
    o.now = instant_after(o.now, time);
    owner_submit(&o, (struct event){.type = EVENT_TICK});
    ck_assert_int_eq(owner_commit(&o), 0);
}

/* How often the undo of the first step was tried, the attempt that is out included; its action was tried once. */
static int undos(void)
{
    const Saga__V1__Step *first = view(1, VIEW_STEPS)->steps[0];
    ck_assert_int_eq(first->action_attempts, 1);
    return first->compensation_attempts;
}

/* What an optional step may have done is undone while the saga goes on. */
START_TEST(view__an_early_undo_waits_until_a_lost_attempt_is_over)
{
    ck_assert_int_eq(owner_register(&o, lean), 0);
    owner_submit_start(&o, 1, "lean", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    answer_lost(SPAN_S(10)); /* a */
    ck_assert_str_eq(waiting(1), "a=an action's attempt, which may still run@10|b=the answer of target u");
    ck_assert_int_eq(undos(), 0);
    pass(SPAN_S(10));
    ck_assert_str_eq(waiting(1), "a=the answer of target t|b=the answer of target u");
    ck_assert_int_eq(undos(), 1);
    struct call_effect b = o.calls[0];
    o.calls[0] = o.calls[1];
    o.calls[1] = b;
    answer(14); /* the undo of a */
    ck_assert_str_eq(waiting(1), "a=the time of its next attempt@0.25|b=the answer of target u");
    ck_assert_int_eq(undos(), 1);
    answer_lost(SPAN_S(20)); /* b */
    ck_assert_str_eq(waiting(1), "a=the time of its next attempt@20|b=the time of its next attempt@0.1");
    pass(SPAN_MS(300));
    ck_assert_str_eq(waiting(1), "a=the time of its next attempt@19.7|b=the answer of target u");
    answer(9); /* b, and it turns back */
    ck_assert_int_eq(view(1, 0)->state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING);
    ck_assert_str_eq(waiting(1), "a=the time of its next attempt@19.7");
    pass((struct span){.us = 19700000});
    ck_assert_str_eq(waiting(1), "a=the answer of target t");
    ck_assert_int_eq(undos(), 2);
}
END_TEST

/* Of a saga that is stuck on its way forward nothing goes on. */
START_TEST(view__a_retry_beside_a_stuck_step_waits_for_an_operator)
{
    ck_assert_int_eq(owner_register(&o, "name: held\nversion: 1.0.0\nsteps:\n"
                                        "  - {name: p, target: t, pivot: true, action: /p.S/P}\n"
                                        "  - {name: b, target: t, after: [p], action: /p.S/B}\n"
                                        "  - {name: c, target: t, after: [p], action: /p.S/C}\n"),
                     0);
    owner_submit_start(&o, 1, "held", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    answer(0);  /* p */
    answer(14); /* b */
    ck_assert_ptr_nonnull(strstr(waiting(1), "b=the time of its next attempt@"));
    answer(9); /* c */
    ck_assert_int_eq(view(1, 0)->state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    ck_assert_str_eq(waiting(1), "b=an operator, for the stuck step|c=an operator");
}
END_TEST

/* Once the saga goes back, the undo of an optional step waits as all others do. */
START_TEST(view__no_undo_is_early_in_a_saga_that_goes_back)
{
    ck_assert_int_eq(
        owner_register(&o,
                       "name: back\nversion: 1.0.0\nsteps:\n"
                       "  - {name: a, target: t, optional: true, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
                       "     compensation: /p.S/UndoA}\n"
                       "  - {name: b, target: t, action: /p.S/B, compensation: none}\n"
                       "  - {name: c, target: u, action: /p.S/C, compensation: none}\n"),
        0);
    owner_submit_start(&o, 1, "back", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    answer_lost(SPAN_S(10)); /* a */
    answer(9);               /* b, while c is out */
    ck_assert_str_eq(waiting(1), "a=the end of actions in flight|c=the answer of target u");
}
END_TEST

/* A step that somebody skipped is not still to come. */
START_TEST(view__a_skipped_step_is_no_lack)
{
    struct ended_row row;
    ck_assert_int_eq(owner_register(&o, "name: later\nversion: 1.0.0\nforward_only: true\nsteps:\n"
                                        "  - {name: a, target: t, action: /p.S/A}\n"
                                        "  - {name: b, target: t, deferred: true, action: /p.S/B}\n"),
                     0);
    owner_submit_start(&o, 1, "later", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    answer(0);
    ck_assert_uint_eq(view(1, 0)->n_lacks, 1);
    answer(9); /* b */
    ck_assert_int_eq(view(1, 0)->state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    ck_assert_uint_eq(view(1, 0)->n_lacks, 1); /* it may still be done */
    act(EVENT_SKIP, "b");
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &o.detail), 0);
    ck_assert_uint_eq(row.lacks, 0);
}
END_TEST

START_TEST(view__an_enlisted_step_waits_for_its_owner)
{
    static const struct enlistment step = {.step = {(const uint8_t *)"s", 1}};
    owner_submit(
        &o, (struct event){
                .type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("shop"), .enlist = &step, .enlist_count = 1});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(waiting(1), "s=its owner to settle it");
    const Saga__V1__Saga *m = view(1, VIEW_STEPS);
    ck_assert_int_eq(m->mode, SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED);
    ck_assert_str_eq(m->definition, "shop");
    ck_assert_str_eq(m->version, "");
    ck_assert_int_eq(m->steps[0]->action, SAGA__V1__ACTION_STATE__ACTION_STATE_STARTED);
}
END_TEST

/* ---- sagas ---- */

START_TEST(view__a_saga_shows_what_was_asked_for)
{
    start(1);
    answer(0);
    const Saga__V1__Saga *m = view(1, 0);
    ck_assert_uint_eq(m->n_steps, 0);
    ck_assert_uint_eq(m->input.len, 0);
    ck_assert_str_eq(m->id, "000000000abc-1");
    ck_assert_str_eq(m->definition, "fan");
    ck_assert_str_eq(m->version, "1.2.3");
    ck_assert_str_eq(m->request_id, "r-1");
    ck_assert_int_eq(m->started_at->seconds, 1000);
    ck_assert_ptr_null(m->ended_at);
    ck_assert_ptr_null(m->deadline);
    m = view(1, VIEW_STEPS);
    ck_assert_uint_eq(m->n_steps, 4);
    ck_assert_uint_eq(m->steps[0]->output.len, 0);
    ck_assert_int_eq(m->steps[0]->action, SAGA__V1__ACTION_STATE__ACTION_STATE_DONE);
    ck_assert_int_eq(m->steps[0]->action_attempts, 1);
    ck_assert_int_eq(m->steps[1]->action_attempts, 1); /* the one that is out */
    ck_assert_int_eq(m->steps[3]->action, SAGA__V1__ACTION_STATE__ACTION_STATE_PENDING);
    ck_assert_int_eq(m->steps[3]->action_attempts, 0);
    m = view(1, VIEW_STEPS | VIEW_PAYLOADS);
    ck_assert_mem_eq(m->input.data, "in", 2);
    ck_assert_uint_eq(m->steps[0]->output.len, 3);
}
END_TEST

START_TEST(view__a_saga_that_has_ended_is_shown_from_its_row)
{
    struct ended_row row;
    start(1);
    owner_finish_all(&o);
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &o.detail), 0);
    const Saga__V1__Saga *m = view_ended(&a, &row, o.catalog);
    ck_assert_str_eq(m->id, "000000000abc-1");
    ck_assert_str_eq(m->definition, "fan");
    ck_assert_str_eq(m->version, "1.2.3");
    ck_assert_str_eq(m->request_id, "r-1");
    ck_assert_int_eq(m->state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    ck_assert_int_eq(m->started_at->seconds, 1000);
    ck_assert_ptr_nonnull(m->ended_at);
    row.definition = 99; /* not in the catalog */
    ck_assert_str_eq(view_ended(&a, &row, o.catalog)->version, "");
}
END_TEST

/* Of what a saga went without its row has the kinds, each told once, in any company. */
START_TEST(view__a_saga_that_has_ended_tells_every_kind_that_it_lacks)
{
    static const Saga__V1__LackKind kinds[] = {
        SAGA__V1__LACK_KIND__LACK_KIND_MISSING, SAGA__V1__LACK_KIND__LACK_KIND_FALLBACK,
        SAGA__V1__LACK_KIND__LACK_KIND_STALE, SAGA__V1__LACK_KIND__LACK_KIND_DEFERRED};
    struct ended_row row;
    start(1);
    owner_finish_all(&o);
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &o.detail), 0);
    for (uint8_t lacks = 0; lacks < 16; lacks++) {
        row.lacks = lacks;
        const Saga__V1__Saga *m = view_ended(&a, &row, o.catalog);
        size_t told = 0;
        for (size_t k = 0; k < 4; k++)
            if ((lacks >> k & 1) != 0) {
                ck_assert_uint_lt(told, m->n_lacks);
                ck_assert_int_eq(m->lacks[told++]->kind, kinds[k]);
            }
        ck_assert_uint_eq(m->n_lacks, told);
    }
}
END_TEST

START_TEST(view__times_keep_their_microseconds)
{
    const Google__Protobuf__Timestamp *t = view_time(&a, (struct instant){.us = INT64_C(1767225600123456)});
    ck_assert_int_eq(t->seconds, 1767225600);
    ck_assert_int_eq(t->nanos, 123456000);
    const Google__Protobuf__Duration *d = view_span(&a, (struct span){.us = 1500001});
    ck_assert_int_eq(d->seconds, 1);
    ck_assert_int_eq(d->nanos, 500001000);
}
END_TEST

/* ---- history and events ---- */

static Saga__V1__Saga *view_with_history(void)
{
    struct timeline timeline;
    const struct saga *s = engine_find(core_engine(o.core), 1);
    ck_assert_ptr_nonnull(s);
    const struct timeline_query query = {.serial = 1, .last_frame = s->position};
    ck_assert_int_eq(timeline_load(o.core, &query, &a, &timeline, &o.detail), 0);
    Saga__V1__Saga *m = view_saga(&a, s, core_engine(o.core), VIEW_STEPS);
    ck_assert(view_add_history(&a, m, &timeline));
    return m;
}

/* Also of a target that nobody could reach, action and undo alike. */
START_TEST(view__history_tells_of_who_was_not_reached)
{
    start(1);
    answer_unreached();
    Saga__V1__Saga *m = view_with_history();
    ck_assert_int_eq(m->steps[0]->last_status, 14);
    ck_assert_str_eq(m->steps[0]->last_message, "nobody is there");
}
END_TEST

/* What a person has tried anew began when it began. */
START_TEST(view__history_keeps_when_a_step_began)
{
    struct instant began = o.now;
    owner_submit_start(&o, 1, "hurried", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.now = instant_after(o.now, SPAN_S(10));
    answer(0); /* a, the pivot */
    answer(9); /* b, past it */
    ck_assert_int_eq(view(1, 0)->state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    o.now = instant_after(o.now, SPAN_S(10));
    act(EVENT_RETRY, "b");
    Saga__V1__Saga *m = view_with_history();
    ck_assert_str_eq(m->steps[1]->waiting_for, "the answer of target u");
    ck_assert_int_eq(m->steps[0]->started_at->seconds, began.us / 1000000);
    ck_assert_int_eq(m->steps[1]->started_at->seconds, began.us / 1000000 + 10);
}
END_TEST

START_TEST(view__history_adds_the_last_failures_and_the_resolution)
{
    struct timeline timeline;
    start(1);
    answer(0);
    owner_answer(&o, 9, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    uint64_t last = engine_find(core_engine(o.core), 1)->position;
    ck_assert_int_eq(
        timeline_load(o.core, &(struct timeline_query){.serial = 1, .last_frame = last}, &a, &timeline, &o.detail), 0);
    Saga__V1__Saga *m = view_saga(&a, engine_find(core_engine(o.core), 1), core_engine(o.core), VIEW_STEPS);
    ck_assert(view_add_history(&a, m, &timeline));
    ck_assert_int_eq(m->steps[1]->last_status, 9);
    ck_assert_int_eq(m->steps[0]->last_status, 0);
    ck_assert_int_eq(m->steps[0]->started_at->seconds, 1000);
    ck_assert_ptr_null(m->steps[3]->started_at);
    struct timeline_entry end = {.record = {.type = RECORD_ENDED,
                                            .step = RECORD_NO_STEP,
                                            .saga_state = SAGA_RESOLVED,
                                            .actor = bytes_of_text("me"),
                                            .message = bytes_of_text("by h\xc3nd")}};
    ck_assert(view_add_history(&a, m, &(struct timeline){.entries = &end, .count = 1}));
    ck_assert_str_eq(m->resolved_by, "me");
    ck_assert_str_eq(m->resolution, "by h?nd");
}
END_TEST

/* Why there is no output was said with the answer; the end, which says nothing, leaves it so. */
START_TEST(view__what_an_answer_said_stays_said)
{
    struct timeline_entry entries[] = {
        {.record = {.type = RECORD_ANSWERED, .step = RECORD_NO_STEP, .message = bytes_of_text("output: no such step")}},
        {.record = {.type = RECORD_ENDED, .step = RECORD_NO_STEP, .saga_state = SAGA_COMMITTED}}};
    start(1);
    for (size_t count = 1; count <= 2; count++) {
        Saga__V1__Saga *m = view_saga(&a, engine_find(core_engine(o.core), 1), NULL, 0);
        ck_assert(view_add_outcome(&a, m, &(struct timeline){.entries = entries, .count = count}, NULL, 0));
        ck_assert_str_eq(m->reason_message, "output: no such step");
    }
}
END_TEST

/* Why it turned back is said by its record, or else by what was said last of the action that ended so. */
START_TEST(view__what_turned_a_saga_back_is_told_in_its_words)
{
    static const struct {
        const char *own, *told;
        uint16_t step;
    } cases[] = {{"", "sold out", 1},
                 {"the deadline", "the deadline", 1},
                 {"", "", RECORD_NO_STEP},
                 {"an operator", "an operator", RECORD_NO_STEP},
                 {"", "", 2}};
    start(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct timeline_entry entries[] = {
            {.record = {.type = RECORD_ACTION_ENDED, .step = 1, .message = bytes_of_text("not yet")}},
            {.record = {.type = RECORD_ACTION_ENDED, .step = 1, .message = bytes_of_text("sold out")}},
            {.record = {.type = RECORD_ACTION_ENDED, .step = 0, .message = bytes_of_text("of another")}},
            {.record = {.type = RECORD_ACTION_FAILED, .step = 1, .message = bytes_of_text("tried again")}},
            {.record = {.type = RECORD_TURNED_BACK, .step = cases[i].step, .message = bytes_of_text(cases[i].own)}}};
        Saga__V1__Saga *m = view_saga(&a, engine_find(core_engine(o.core), 1), NULL, 0);
        ck_assert(view_add_outcome(&a, m, &(struct timeline){.entries = entries, .count = 5}, NULL, 0));
        ck_assert_str_eq(m->reason_message, cases[i].told);
        m = view_saga(&a, engine_find(core_engine(o.core), 1), NULL, 0);
        ck_assert(view_add_outcome(&a, m, &(struct timeline){.entries = entries, .count = 5},
                                   catalog_at(o.catalog, 0)->definition, 0));
        ck_assert_str_eq(m->reason_step, cases[i].step == RECORD_NO_STEP ? "" : cases[i].step == 1 ? "b" : "c");
    }
}
END_TEST

static const Saga__V1__Event *event_of(struct record record)
{
    struct timeline_entry entry = {.record = record, .position = {.frame = 0x1f, .index = 2}};
    struct view_names names = {.definition = bytes_of_text("shop\xff"), .step = bytes_of_text("s")};
    entry.record.saga = (struct saga_id){.tag = 0xabc, .serial = 9};
    const Saga__V1__Event *m = view_event(&a, &entry, &names);
    ck_assert_ptr_nonnull(m);
    return m;
}

START_TEST(view__an_event_shows_its_record)
{
    const Saga__V1__Event *m = event_of((struct record){.type = RECORD_ACTION_FAILED,
                                                        .at = {.us = 5000000},
                                                        .step = 0,
                                                        .attempt = 3,
                                                        .status = 14,
                                                        .next_at = {.us = 6000000},
                                                        .given_at = {.us = 7000000},
                                                        .fault = DRILL_DUPLICATE,
                                                        .reason = REASON_UNAVAILABLE,
                                                        .action_state = SAGA_ACTION_UNKNOWN,
                                                        .compensation_state = SAGA_COMPENSATION_OWED,
                                                        .synthetic = true,
                                                        .identity = bytes_of_text("uid:7"),
                                                        .message = bytes_of("no \0 \xc3\xbc \xff", 9),
                                                        .actor = bytes_of_text("\xc3")});
    ck_assert_str_eq(m->cursor, "1f.2");
    ck_assert_str_eq(m->saga_id, "000000000abc-9");
    ck_assert_int_eq(m->type, SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_ATTEMPT_FAILED);
    ck_assert_int_eq(m->at->seconds, 5);
    ck_assert_int_eq(m->next_attempt_at->seconds, 6);
    ck_assert_int_eq(m->attempt, 3);
    ck_assert_int_eq(m->status, 14);
    ck_assert_str_eq(m->definition, "shop?");
    ck_assert_str_eq(m->step, "s");
    ck_assert_str_eq(m->message, "no ? \xc3\xbc ?");
    ck_assert_str_eq(m->actor, "?");
    ck_assert_str_eq(m->identity, "uid:7");
    ck_assert_int_eq(m->as_of->seconds, 7);
    ck_assert_int_eq(m->fault, SAGA__V1__FAULT_KIND__FAULT_KIND_DUPLICATE);
    ck_assert_int_eq(m->reason, SAGA__V1__REASON__REASON_UNAVAILABLE);
    ck_assert_int_eq(m->action, SAGA__V1__ACTION_STATE__ACTION_STATE_UNKNOWN);
    ck_assert_int_eq(m->compensation, SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_OWED);
    ck_assert(m->synthetic);
    ck_assert_int_eq(m->state, 0);
}
END_TEST

START_TEST(view__an_event_says_when_the_state_changes)
{
    ck_assert_int_eq(event_of((struct record){.type = RECORD_STARTED})->state,
                     SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING);
    ck_assert_int_eq(event_of((struct record){.type = RECORD_TURNED_BACK})->state,
                     SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING);
    ck_assert_int_eq(event_of((struct record){.type = RECORD_STUCK})->state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    ck_assert_int_eq(event_of((struct record){.type = RECORD_ENDED, .saga_state = SAGA_RESOLVED})->state,
                     SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED);
    ck_assert_ptr_null(event_of((struct record){.type = RECORD_ENDED})->next_attempt_at);
}
END_TEST

START_TEST(view__a_definition_shows_its_steps_and_on_demand_its_text)
{
    const struct catalog_entry *entry = catalog_at(o.catalog, 0);
    const Saga__V1__Definition *m = view_definition(&a, entry, false);
    ck_assert_str_eq(m->name, "fan");
    ck_assert_uint_eq(m->n_steps, 4);
    ck_assert_str_eq(m->steps[3], "d");
    ck_assert_uint_eq(m->source.len, 0);
    m = view_definition(&a, entry, true);
    ck_assert_uint_eq(m->source.len, sizeof fan - 1);
}
END_TEST

/* In metrics, traces, logs and `where` they are what the API calls them. */
START_TEST(view__states_and_reasons_have_the_names_of_the_api)
{
    const ProtobufCEnumDescriptor *states = &saga__v1__saga_state__descriptor;
    const ProtobufCEnumDescriptor *reasons = &saga__v1__reason__descriptor;
    for (unsigned i = 0; i < states->n_values; i++)
        ck_assert_str_eq(record_state_name((uint8_t)states->values[i].value),
                         states->values[i].value == 0 ? "" : states->values[i].name + strlen("SAGA_STATE_"));
    for (unsigned i = 0; i < reasons->n_values; i++)
        ck_assert_str_eq(record_reason_name((uint8_t)reasons->values[i].value),
                         reasons->values[i].value == 0 ? "" : reasons->values[i].name + strlen("REASON_"));
    ck_assert_str_eq(record_state_name((uint8_t)states->n_values), "");
    ck_assert_str_eq(record_reason_name((uint8_t)reasons->n_values), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *t = tcase_create("view");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, view__forward_steps_say_what_they_wait_for);
    tcase_add_test(t, view__a_deferred_step_waits_for_those_that_are_not);
    tcase_add_test(t, view__a_step_that_is_retried_says_when);
    tcase_add_test(t, view__a_wait_for_a_target_says_until_when);
    tcase_add_test(t, view__what_can_only_go_forward_waits_for_ever);
    tcase_add_test(t, view__a_full_target_is_named);
    tcase_add_test(t, view__a_priority_is_told_with_the_wait);
    tcase_add_test(t, view__undos_say_what_they_wait_for);
    tcase_add_test(t, view__an_open_breaker_is_named);
    tcase_add_test(t, view__a_step_shows_the_target_that_it_is_at);
    tcase_add_test(t, view__an_undo_waits_until_a_lost_attempt_is_over);
    tcase_add_test(t, view__an_early_undo_waits_until_a_lost_attempt_is_over);
    tcase_add_test(t, view__a_retry_beside_a_stuck_step_waits_for_an_operator);
    tcase_add_test(t, view__no_undo_is_early_in_a_saga_that_goes_back);
    tcase_add_test(t, view__a_skipped_step_is_no_lack);
    tcase_add_test(t, view__an_enlisted_step_waits_for_its_owner);
    tcase_add_test(t, view__a_saga_shows_what_was_asked_for);
    tcase_add_test(t, view__a_saga_that_has_ended_is_shown_from_its_row);
    tcase_add_test(t, view__a_saga_that_has_ended_tells_every_kind_that_it_lacks);
    tcase_add_test(t, view__times_keep_their_microseconds);
    tcase_add_test(t, view__history_adds_the_last_failures_and_the_resolution);
    tcase_add_test(t, view__history_tells_of_who_was_not_reached);
    tcase_add_test(t, view__history_keeps_when_a_step_began);
    tcase_add_test(t, view__what_an_answer_said_stays_said);
    tcase_add_test(t, view__what_turned_a_saga_back_is_told_in_its_words);
    tcase_add_test(t, view__an_event_shows_its_record);
    tcase_add_test(t, view__an_event_says_when_the_state_changes);
    tcase_add_test(t, view__a_definition_shows_its_steps_and_on_demand_its_text);
    tcase_add_test(t, view__states_and_reasons_have_the_names_of_the_api);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
