/* What has gone on lately, as a status shows it: how long a target's attempts took, which steps fail and of which phase, and which of them are
 * forgotten first; that a window has an end. */
#include "sidecar/runtime/lately.h"

#include "sidecar/core/arena.h"
#include "sidecar/engine/saga.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_S 300

static struct loop s;
static struct loop_target targets[2];
static struct arena arena;
static struct instant now;

struct instant __wrap_clock_now(const struct clock *c);
struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

static void setup(void)
{
    memset(&s, 0, sizeof s);
    memset(targets, 0, sizeof targets);
    s.targets = targets;
    now = (struct instant){.us = INT64_C(1000000000000)}; /* a slice begins */
    arena_init(&arena);
    ck_assert_int_eq(lately_open(&s), 0);
}

static void teardown(void)
{
    lately_close(&s);
    arena_finish(&arena);
}

static struct call_effect call_of(const char *definition, const char *step, uint8_t phase)
{
    return (struct call_effect){
        .target = 1, .definition = bytes_of_text(definition), .step_name = bytes_of_text(step), .phase = phase};
}

static void ended(struct call_effect call, struct span took, int status, enum saga_reach reach, const char *said)
{
    const struct rpc_answer answer = {.status = status, .reach = reach, .message = bytes_of_text(said)};
    lately_attempt(&s, &call, (struct instant){.us = now.us - took.us}, &answer, now);
}

static const Saga__V1__LoopStatus *loop_status(void)
{
    static Saga__V1__LoopStatus m;
    saga__v1__loop_status__init(&m);
    ck_assert(lately_fill(&s, &arena, &m));
    ck_assert(protobuf_c_message_check(&m.base)); /* it can be sent */
    return &m;
}

static const Saga__V1__TargetStatus *target_status(void)
{
    static Saga__V1__TargetStatus m;
    saga__v1__target_status__init(&m);
    ck_assert(lately_fill_target(&s, &targets[1], &arena, &m));
    return &m;
}

static int64_t us_of(const Google__Protobuf__Duration *d)
{
    return d == NULL ? 0 : d->seconds * 1000000 + d->nanos / 1000;
}

static int64_t at_of(const Google__Protobuf__Timestamp *t)
{
    return t == NULL ? 0 : t->seconds * 1000000 + t->nanos / 1000;
}

START_TEST(lately__a_targets_attempts_by_their_ends_and_times)
{
    struct call_effect call = call_of("order", "pay", SAGA_PHASE_ACTION);
    struct instant first = now;
    ended(call, SPAN_MS(100), 0, SAGA_REACH_ANSWERED, "");
    now = instant_after(now, SPAN_S(1));
    ended(call, SPAN_MS(500), 14, SAGA_REACH_MAYBE, "away");
    struct instant failed = now;
    now = instant_after(now, SPAN_S(1));
    ended(call, SPAN_MS(300), 9, SAGA_REACH_ANSWERED, "no");
    call.synthetic = true;
    ended(call, SPAN_S(9), 14, SAGA_REACH_MAYBE, "a heartbeat");
    const Saga__V1__TargetStatus *m = target_status();
    ck_assert_uint_eq(m->recent->count, 3);
    ck_assert_uint_eq(m->recent->failed, 1);
    ck_assert_uint_eq(m->recent->refused, 1);
    ck_assert_int_eq(us_of(m->recent->mean), SPAN_MS(300).us);
    ck_assert_int_eq(us_of(m->recent->most), SPAN_MS(500).us);
    ck_assert_uint_eq(m->attempts, 3);
    ck_assert_uint_eq(m->attempts_failed, 1);
    ck_assert_int_eq(at_of(m->last_success), first.us);
    ck_assert_int_eq(at_of(m->last_failure), failed.us);
    ck_assert_int_eq(m->last_failure_status, 14);
    ck_assert_str_eq(m->last_failure_message, "away");
    /* What never left is how it failed last, and no attempt. */
    call.synthetic = false;
    ended(call, SPAN_S(1), 4, SAGA_REACH_NONE, "nobody listens there");
    m = target_status();
    ck_assert_uint_eq(m->attempts, 3);
    ck_assert_uint_eq(m->recent->count, 3);
    ck_assert_str_eq(m->last_failure_message, "nobody listens there");
    ck_assert_int_eq(at_of(m->last_failure), now.us);
    /* Only words that are no longer than they are kept, whatever the status. */
    char words[400];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    static const int statuses[][2] = {{99, 2}, {16, 16}, {17, 2}, {1, 1}, {-1, 2}};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        ended(call, SPAN_S(1), statuses[i][0], SAGA_REACH_MAYBE, words);
        ck_assert_int_eq(target_status()->last_failure_status, statuses[i][1]);
    }
    ck_assert_uint_eq(strlen(target_status()->last_failure_message), LAST_SAID_BYTES);
}
END_TEST

/* What is too long ends with a whole character, wherever the bound falls. */
START_TEST(lately__words_are_cut_between_characters)
{
    static const char *const characters[] = {"x", "\u00e9", "\u20ac", "\U0001f600"};
    for (size_t i = 0; i < 4; i++)
        for (size_t before = 0; before < 4; before++) {
            char words[400] = "";
            size_t size = strlen(characters[i]);
            memset(words, 'x', before);
            while (strlen(words) + size < sizeof words)
                strcat(words, characters[i]);
            ended(call_of("order", "pay", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, words);
            words[before + (LAST_SAID_BYTES - before) / size * size] = '\0';
            ck_assert_str_eq(target_status()->last_failure_message, words);
            ck_assert_str_eq(loop_status()->failing_steps[0]->last_message, words);
        }
}
END_TEST

/* What just fits is whole, whatever stands behind it. */
START_TEST(lately__words_that_fit_are_whole)
{
    char words[LAST_SAID_BYTES + 2];
    memset(words, 'x', LAST_SAID_BYTES);
    memcpy(words + LAST_SAID_BYTES - 2, "\u00e9\u00e9", 4);
    struct call_effect call = call_of("order", "pay", SAGA_PHASE_ACTION);
    const struct rpc_answer answer = {
        .status = 14, .reach = SAGA_REACH_MAYBE, .message = bytes_of(words, LAST_SAID_BYTES)};
    lately_attempt(&s, &call, now, &answer, now);
    ck_assert_uint_eq(strlen(target_status()->last_failure_message), LAST_SAID_BYTES);
    memcpy(words + LAST_SAID_BYTES - 1, "\u00e9", 2); /* of which the second byte stands behind */
    words[LAST_SAID_BYTES - 1] = 'x';
    lately_attempt(&s, &call, now, &answer, now);
    ck_assert_uint_eq(strlen(target_status()->last_failure_message), LAST_SAID_BYTES);
}
END_TEST

START_TEST(lately__steps_that_fail_are_told_by_their_phase)
{
    ended(call_of("order", "pay", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "first");
    ended(call_of("order", "pay", SAGA_PHASE_COMPENSATION), SPAN_S(1), 13, SAGA_REACH_ANSWERED, "undo");
    ended(call_of("order", "ship", SAGA_PHASE_ACTION), SPAN_S(1), 9, SAGA_REACH_ANSWERED, "refused");
    ended(call_of("refund", "pay", SAGA_PHASE_ACTION), SPAN_S(1), 0, SAGA_REACH_ANSWERED, "");
    ended(call_of("order", "pay", SAGA_PHASE_ACTION), SPAN_S(1), 13, SAGA_REACH_MAYBE, "second");
    const Saga__V1__LoopStatus *m = loop_status();
    ck_assert_uint_eq(m->n_failing_steps, 3);
    static const struct {
        const char *step, *said;
        bool compensation;
        unsigned count;
        int status;
    } expected[] = {{"pay", "second", false, 2, 13}, {"pay", "undo", true, 1, 13}, {"ship", "refused", false, 1, 9}};
    for (unsigned i = 0; i < 3; i++) {
        const Saga__V1__FailingStep *f = m->failing_steps[i];
        ck_assert_str_eq(f->definition, "order");
        ck_assert_str_eq(f->step, expected[i].step);
        ck_assert_int_eq(f->compensation, expected[i].compensation);
        ck_assert_uint_eq(f->count, expected[i].count);
        ck_assert_int_eq(f->last_status, expected[i].status);
        ck_assert_str_eq(f->last_message, expected[i].said);
        ck_assert_int_eq(at_of(f->last), now.us);
    }
}
END_TEST

static bool is_told(const char *step)
{
    const Saga__V1__LoopStatus *m = loop_status();
    bool told = false;
    for (size_t i = 0; i < m->n_failing_steps; i++)
        told = told || strcmp(m->failing_steps[i]->step, step) == 0;
    return told;
}

/* Of more steps than there are places, the one whose last failure is longest ago. */
START_TEST(lately__the_oldest_failure_gives_way)
{
    char name[16];
    for (unsigned i = 0; i < FAILING_STEPS_MAX; i++) {
        snprintf(name, sizeof name, "s%u", i);
        ended(call_of("order", name, SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "");
        now = instant_after(now, SPAN_MS(10));
    }
    ended(call_of("order", "s0", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "again");
    ended(call_of("order", "one more", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "");
    ck_assert_uint_eq(loop_status()->n_failing_steps, FAILING_STEPS_MAX);
    ck_assert(is_told("one more") && is_told("s0") && is_told("s2"));
    ck_assert(!is_told("s1"));
}
END_TEST

/* What is older than the window counts no more, to the slice; how it failed last stays. */
START_TEST(lately__a_window_has_an_end)
{
    ended(call_of("order", "pay", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "away");
    now = instant_after(now, (struct span){.us = SPAN_S(WINDOW_S).us - 1});
    ck_assert_uint_eq(target_status()->recent->count, 1);
    ck_assert(is_told("pay"));
    now = instant_after(now, (struct span){.us = 1});
    ck_assert_uint_eq(target_status()->recent->count, 0);
    ck_assert_ptr_null(target_status()->recent->mean);
    ck_assert(!is_told("pay"));
    ck_assert_str_eq(target_status()->last_failure_message, "away");
    ck_assert_uint_eq(target_status()->attempts, 1);
}
END_TEST

/* One that has not failed for long hides none that still does, wherever their places are. */
START_TEST(lately__those_that_fail_no_more_hide_no_others)
{
    ended(call_of("order", "pay", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "away");
    now = instant_after(now, SPAN_S(WINDOW_S - 10));
    ended(call_of("order", "ship", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "away");
    ended(call_of("order", "bill", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "away");
    ck_assert(is_told("pay") && is_told("ship") && is_told("bill"));
    now = instant_after(now, SPAN_S(10));
    ck_assert(!is_told("pay") && is_told("ship") && is_told("bill"));
    ended(call_of("order", "bill", SAGA_PHASE_ACTION), SPAN_S(1), 14, SAGA_REACH_MAYBE, "away");
    now = instant_after(now, SPAN_S(WINDOW_S - 10));
    ck_assert(!is_told("pay") && !is_told("ship") && is_told("bill"));
}
END_TEST

START_TEST(lately__sagas_by_their_ends)
{
    static const uint8_t states[] = {SAGA_COMMITTED, SAGA_COMMITTED, SAGA_COMPENSATED, SAGA_RESOLVED};
    struct saga saga = {.started_at = now};
    for (unsigned i = 0; i < 4; i++) {
        const struct record r = {
            .type = RECORD_ENDED, .saga_state = states[i], .at = instant_after(now, SPAN_S(i + 1))};
        lately_ended(&s, &saga, &r);
    }
    for (unsigned type = 0; type < RECORD_TYPE_COUNT; type++)
        for (unsigned i = 0; i <= type; i++)
            ck_assert_int_eq(lately_count(&s, (uint8_t)type), type == RECORD_ENDED);
    const Saga__V1__LoopStatus *m = loop_status();
    ck_assert_uint_eq(m->recent_sagas->count, 4);
    ck_assert_uint_eq(m->recent_sagas->failed, 2);
    ck_assert_int_eq(us_of(m->recent_sagas->mean), SPAN_MS(2500).us);
    ck_assert_int_eq(us_of(m->recent_sagas->most), SPAN_S(4).us);
    ck_assert_uint_eq(m->sagas_started, RECORD_STARTED + 1);
    ck_assert_uint_eq(m->sagas_turned_back, RECORD_TURNED_BACK + 1);
    ck_assert_uint_eq(m->sagas_ended, RECORD_ENDED + 1);
    ck_assert_uint_eq(m->sagas_became_stuck, RECORD_STUCK + 1);
    ck_assert_uint_eq(m->attempts, RECORD_ACTION_STARTED + RECORD_COMPENSATION_STARTED + 2);
    ck_assert_uint_eq(m->attempts_failed, RECORD_ACTION_FAILED + RECORD_COMPENSATION_FAILED + 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lately");
    TCase *tc = tcase_create("lately");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, lately__a_targets_attempts_by_their_ends_and_times);
    tcase_add_test(tc, lately__steps_that_fail_are_told_by_their_phase);
    tcase_add_test(tc, lately__the_oldest_failure_gives_way);
    tcase_add_test(tc, lately__a_window_has_an_end);
    tcase_add_test(tc, lately__those_that_fail_no_more_hide_no_others);
    tcase_add_test(tc, lately__sagas_by_their_ends);
    tcase_add_test(tc, lately__words_that_fit_are_whole);
    tcase_add_test(tc, lately__words_are_cut_between_characters);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
