/* Calls of participants: they leave in order, in pieces of time, and with what is left of their own. */
#include "sidecar/observe/log.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS 4096

static struct loop s;
static struct loop_target targets[2];
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
static char traceparent[64]; /* of the last */
static struct event told[CALLS];
static size_t told_count;
static unsigned counted; /* attempts, and the last of them */
static int counted_attempt, counted_status;
static struct instant counted_left_at;
static char lines[4096]; /* of the log */

struct instant __wrap_clock_now(const struct clock *c);
void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag);
void __wrap_api_submit(struct api *api, struct event *event);
void __wrap_counters_attempt(struct loop *loop, const struct call_effect *call, struct instant left_at,
                             const struct rpc_answer *answer);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

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
        if (strcmp(metadata[i].key, "traceparent") == 0)
            snprintf(traceparent, sizeof traceparent, "%.*s", (int)metadata[i].value.size,
                     (const char *)metadata[i].value.at);
        else if (strcmp(metadata[i].key, "saga-attempt") == 0)
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

void __wrap_counters_attempt(struct loop *loop, const struct call_effect *call, struct instant left_at,
                             const struct rpc_answer *answer)
{
    ck_assert_ptr_eq(loop, &s);
    counted++;
    counted_attempt = call->attempt;
    counted_status = answer->status;
    counted_left_at = left_at;
}

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, fields, count, line);
    strcat(lines, strchr(line, ' ') + 1);
}

static void setup(void)
{
    static struct config config;
    config.pushback_max = SPAN_S(300);
    memset(targets, 0, sizeof targets);
    targets[0].rpc = (struct rpc_target *)(void *)&some_connection;
    targets[1].rpc = (struct rpc_target *)(void *)&another;
    memset(failing, 0, sizeof failing);
    s = (struct loop){.targets = targets, .target_count = 2, .config = &config, .failing = failing};
    now = (struct instant){.us = 1000000000};
    tick = call_costs = (struct span){0};
    memset(left, 0, sizeof left);
    left_count = told_count = 0;
    counted = 0;
    lines[0] = '\0';
    targets[1].address = "10.0.0.1:5";
    targets[1].shared = calloc(1, sizeof *targets[1].shared + 8);
    strcpy(targets[1].shared->name, "shop");
}

static void teardown(void)
{
    free(targets[1].shared);
    outcalls_finish(&s);
}

/* A call of which a drill makes something. */
static void ask_struck(uint16_t attempt, struct span timeout, uint16_t target, uint8_t fault, struct span delay)
{
    const struct call_effect call = {
        .target = target,
        .fault = fault,
        .fault_status = 14,
        .fault_delay = delay,
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

static void ask(uint16_t attempt, struct span timeout)
{
    ask_struck(attempt, timeout, 0, DRILL_NONE, (struct span){0});
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

/* A call of step 5's compensation, to the second target. */
static void *ask_undo(void)
{
    const struct call_effect call = {
        .target = 1,
        .saga = {.tag = 0xabc, .serial = 7},
        .step = 5,
        .phase = SAGA_PHASE_COMPENSATION,
        .attempt = 3,
        .timeout = SPAN_S(2),
        .method = "/t.T/Do",
        .definition = bytes_of_text("d"),
        .step_name = bytes_of_text("s"),
    };
    size_t before = left_count;
    outcalls_call(&s, &call);
    outcalls_run(&s);
    return left_count > before ? left[before].tag : NULL;
}

static void is_about_the_undo(const struct event *event)
{
    ck_assert_int_eq(event->type, EVENT_ANSWER);
    ck_assert(event->saga.tag == 0xabc && event->saga.serial == 7);
    ck_assert_uint_eq(event->step_index, 5);
    ck_assert_int_eq(event->phase, SAGA_PHASE_COMPENSATION);
    ck_assert_int_eq(event->attempt, 3);
    ck_assert_int_eq(event->now.us, now.us);
}

static bool says(struct bytes said, const char *text)
{
    return said.size == strlen(text) && memcmp(said.at, text, said.size) == 0;
}

/* A call is a span of its own, which hangs under what the saga came with; where nothing is traced, that itself is passed on. */
START_TEST(outcalls__each_call_names_its_span)
{
    static const char came[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const struct config with = {.otlp_endpoint = "127.0.0.1:4317", .traces_percent = 100};
    struct call_effect call = {.saga = {.tag = 1, .serial = 1},
                               .phase = SAGA_PHASE_ACTION,
                               .attempt = 1,
                               .timeout = SPAN_S(2),
                               .method = "/t.T/Do",
                               .definition = bytes_of_text("d"),
                               .step_name = bytes_of_text("s"),
                               .traceparent = bytes_of_text(came)};
    outcalls_call(&s, &call);
    outcalls_run(&s);
    ck_assert_str_eq(traceparent, came);
    ck_assert_int_eq(tracing_create(&with, &s.tracing), 0);
    char before[sizeof traceparent];
    for (call.attempt = 1; call.attempt <= 2; call.attempt++) {
        strcpy(before, traceparent);
        outcalls_call(&s, &call);
        outcalls_run(&s);
        ck_assert_uint_eq(strlen(traceparent), strlen(came));
        ck_assert_int_eq(strncmp(traceparent, came, 36), 0); /* the same trace, */
        ck_assert_str_ne(traceparent, came);
        ck_assert_str_ne(traceparent, before); /* and another span for each attempt */
    }
    tracing_destroy(s.tracing);
    s.tracing = NULL;
}
END_TEST

START_TEST(outcalls__an_answer_is_told_whole)
{
    struct instant began = now;
    void *tag = ask_undo();
    now = instant_after(now, SPAN_MS(20));
    const struct rpc_answer answer = {.reach = SAGA_REACH_ANSWERED,
                                      .status = 9,
                                      .message = bytes_of_text("not now"),
                                      .output = bytes_of_text("out"),
                                      .has_pushback = true,
                                      .pushback = SPAN_MS(9999)};
    outcalls_answer(&s, tag, &answer);
    ck_assert_uint_eq(told_count, 1);
    is_about_the_undo(&told[0]);
    ck_assert_int_eq(told[0].reach, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(told[0].status, 9);
    ck_assert(!told[0].unreached);
    ck_assert(says(told[0].message, "not now") && says(told[0].output, "out"));
    ck_assert(told[0].has_pushback);
    ck_assert_int_eq(told[0].pushback.us, SPAN_MS(9999).us);
    ck_assert(counted == 1 && counted_attempt == 3 && counted_status == 9);
    ck_assert_int_eq(counted_left_at.us, began.us);
    ck_assert_str_eq(lines, ""); /* a break of less than ten seconds is nobody's business */
}
END_TEST

/* It is obeyed, and within a bound; people see nothing else of the target for so long. */
START_TEST(outcalls__a_long_pushback_is_told)
{
    const struct {
        struct span asked;
        const char *waits;
    } rows[] = {{SPAN_S(10), "asked_ms=10000 waits_ms=10000\n"}, {SPAN_S(3600), "asked_ms=3600000 waits_ms=300000\n"}};
    for (int i = 0; i < 2; i++) {
        char line[256];
        lines[0] = '\0';
        outcalls_answer(&s, ask_undo(), &(struct rpc_answer){.has_pushback = true, .pushback = rows[i].asked});
        snprintf(line, sizeof line,
                 "level=warn msg=\"a participant asks to come again much later\" saga=000000000abc-7 target=shop %s",
                 rows[i].waits);
        ck_assert_str_eq(lines, line);
        ck_assert_int_eq(told[i].pushback.us, rows[i].asked.us);
    }
}
END_TEST

/* Calls to a target that is away wait for it: that is told once, and when it is back. */
START_TEST(outcalls__a_target_that_cannot_be_reached_is_waited_for)
{
    const struct rpc_answer answer = {.reach = SAGA_REACH_NONE,
                                      .unreached = "nobody listens there",
                                      .status = 14,
                                      .message = bytes_of_text("of C core")};
    for (unsigned i = 0; i < 2; i++) {
        outcalls_answer(&s, ask_undo(), &answer);
        is_about_the_undo(&told[i]);
        ck_assert(told[i].unreached);
        ck_assert_int_eq(told[i].reach, SAGA_REACH_NONE);
        ck_assert(says(told[i].message, "nobody listens there"));
    }
    ck_assert_uint_eq(told_count, 2);
    ck_assert_int_eq(targets[1].down_since.us, now.us);
    ck_assert_int_eq(targets[0].down_since.us, 0);
    ck_assert_uint_eq(atomic_load(&targets[1].shared->down), 1);
    ck_assert_str_eq(lines, "level=warn msg=\"a target cannot be reached: its calls wait for it\" target=shop "
                            "address=10.0.0.1:5 why=\"nobody listens there\" detail=\"of C core\"\n");
    lines[0] = '\0';
    now = instant_after(now, SPAN_MS(1500));
    outcalls_reachable(&s, 1);
    ck_assert_uint_eq(told_count, 3);
    ck_assert_int_eq(told[2].type, EVENT_TARGET);
    ck_assert_uint_eq(told[2].target, 1);
    ck_assert_str_eq(lines, "level=info msg=\"a target can be reached again\" target=shop down_ms=1500\n");
    s.cutting = true; /* at the end of the grace nobody is told */
    outcalls_answer(&s, ask_undo(), &answer);
    ck_assert_uint_eq(told_count, 3);
    ck_assert_int_eq(targets[1].down_since.us, 0);
}
END_TEST

START_TEST(outcalls__what_could_not_leave_says_so)
{
    targets[1].rpc = NULL;
    ck_assert_ptr_null(ask_undo());
    is_about_the_undo(&told[0]);
    ck_assert_int_eq(told[0].status, 14);
    ck_assert(says(told[0].message, "sagad.yaml names the target no more"));
    ck_assert_int_eq(told[1].type, EVENT_TARGET); /* and it waits for it, as those do that wait already */
    ck_assert_uint_eq(told[1].target, 1);
    ck_assert_uint_eq(counted, 0); /* no attempt */
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
    now = instant_after(now, SPAN_MS(350));
    outcalls_answer(&s, left[0].tag, &answer);
    now.us -= SPAN_MS(350).us;
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].took.us, SPAN_MS(350).us);
    ck_assert_int_eq(told[0].attempt, 7);
    ck_assert_int_eq(told[0].status, 14);
    ck_assert_uint_eq(told[0].saga.serial, 1);
    /* It may run until its deadline as it stands on the wire, and a way. */
    ck_assert_int_ge(told[0].quiet_at.us, instant_after(now, SPAN_S(2)).us);
    ask(8, SPAN_S(2));
    outcalls_run(&s);
    ck_assert_ptr_eq(left[1].tag, left[0].tag); /* where the one before was remembered */
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
    ask_struck(3, SPAN_S(2), 0, DRILL_DELAY, SPAN_MS(10)); /* and what a drill holds */
    ask_struck(4, SPAN_S(2), 0, DRILL_DELAY, SPAN_MS(10));
    outcalls_run(&s);
    outcalls_abandon(&s);
    ck_assert_int_eq(outcalls_expiry(&s).us, INSTANT_NEVER.us);
    ck_assert_uint_eq(left_count, 1);
    ask_struck(5, SPAN_S(2), 0, DRILL_DUPLICATE, (struct span){0});
    outcalls_run(&s);
    s.cutting = true;
    outcalls_answer(&s, left[0].tag, &(struct rpc_answer){.reach = SAGA_REACH_MAYBE, .status = 1});
    outcalls_answer(&s, left[1].tag, &(struct rpc_answer){.reach = SAGA_REACH_MAYBE, .status = 1});
    ck_assert_uint_eq(told_count, 0); /* it was cut by us */
    ck_assert(!outcalls_wait(&s));
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
    void *place = s.free_outs;
    ck_assert_ptr_nonnull(place); /* of the one that did not leave: the next is remembered there */
    targets[0].rpc = (struct rpc_target *)(void *)&some_connection;
    ask(1, SPAN_S(2));
    outcalls_run(&s);
    ck_assert_uint_eq(left_count, 1);
    ck_assert_ptr_eq(left[0].tag, place);
    targets[0].rpc = (struct rpc_target *)(void *)&another;
    const struct rpc_answer answer = {.reach = SAGA_REACH_NONE, .unreached = "nobody listens there", .status = 14};
    outcalls_answer(&s, left[0].tag, &answer);
    ck_assert_uint_eq(told_count, 4);
    ck_assert(told[2].unreached);
    ck_assert_int_eq(told[3].type, EVENT_TARGET);
    ck_assert_int_eq(targets[0].down_since.us, 0);
}
END_TEST

/* ---- drills ---- */

static void run_at(int64_t ms)
{
    now = (struct instant){.us = 1000000000 + ms * 1000};
    outcalls_run(&s);
}

static int64_t due_ms(void)
{
    struct instant due = outcalls_expiry(&s);
    return due.us == INSTANT_NEVER.us ? -1 : (due.us - 1000000000) / 1000;
}

START_TEST(outcalls__a_delayed_call_leaves_when_it_is_due_and_the_loop_wakes_for_it)
{
    ask_struck(1, SPAN_S(2), 0, DRILL_DELAY, SPAN_MS(300));
    ask_struck(2, SPAN_S(2), 0, DRILL_DELAY, SPAN_MS(100));
    ask_struck(3, SPAN_MS(50), 0, DRILL_DELAY, SPAN_MS(100));
    ck_assert_int_eq(due_ms(), -1);
    run_at(0);
    ck_assert_int_eq(due_ms(), 50); /* the first of them: one that is never to leave */
    run_at(50);
    ck_assert_uint_eq(left_count, 0);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].attempt, 3);
    ck_assert_int_eq(told[0].reach, SAGA_REACH_NONE);
    ck_assert_int_eq(due_ms(), 100);
    run_at(99);
    ck_assert_uint_eq(left_count, 0);
    run_at(100);
    ck_assert_uint_eq(left_count, 1);
    ck_assert_uint_eq(left[0].attempt, 2);
    ck_assert_int_eq(left[0].timeout.us, SPAN_MS(1900).us);
    ck_assert_int_eq(due_ms(), 300);
    run_at(300);
    ck_assert_uint_eq(left_count, 2);
    ck_assert_int_eq(due_ms(), -1);
}
END_TEST

START_TEST(outcalls__a_reordered_call_leaves_behind_the_next_to_its_own_target)
{
    ask_struck(1, SPAN_S(2), 0, DRILL_REORDER, SPAN_MS(500));
    run_at(0);
    ask_struck(2, SPAN_S(2), 1, DRILL_NONE, (struct span){0});
    run_at(1);
    ck_assert_uint_eq(left_count, 1); /* another's */
    ck_assert_uint_eq(left[0].attempt, 2);
    ask_struck(3, SPAN_S(2), 0, DRILL_NONE, (struct span){0});
    run_at(2);
    ck_assert_uint_eq(left_count, 3);
    ck_assert_uint_eq(left[1].attempt, 3);
    ck_assert_uint_eq(left[2].attempt, 1);
    /* Nobody comes: after its delay. */
    ask_struck(4, SPAN_S(2), 0, DRILL_REORDER, SPAN_MS(500));
    run_at(10);
    ck_assert_int_eq(due_ms(), 510);
    run_at(510);
    ck_assert_uint_eq(left_count, 4);
}
END_TEST

START_TEST(outcalls__an_aborted_call_is_answered_as_if_that_had_come)
{
    ask_struck(1, SPAN_S(2), 0, DRILL_ABORT, (struct span){0});
    run_at(0);
    ck_assert_uint_eq(left_count, 0);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].status, 14);
    ck_assert(!told[0].unreached);
    /* Who gets this status cannot know whether something runs, and waits for as long as it would. */
    ck_assert_int_eq(told[0].reach, SAGA_REACH_MAYBE);
    ck_assert_int_ge(told[0].quiet_at.us, instant_after(now, SPAN_S(2)).us);
    ck_assert(says(told[0].message, "a drill aborted the call"));
    const struct call_effect refused = {.fault = DRILL_ABORT, .fault_status = 9, .attempt = 2, .timeout = SPAN_S(2)};
    outcalls_call(&s, &refused); /* whereas this one says that nothing has been done */
    run_at(1);
    ck_assert_int_eq(told[1].reach, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(told[1].quiet_at.us, 0);
}
END_TEST

START_TEST(outcalls__a_dropped_request_is_answered_when_its_time_is_over)
{
    ask_struck(1, SPAN_S(2), 0, DRILL_DROP_REQUEST, (struct span){0});
    run_at(0);
    ck_assert_int_eq(due_ms(), 2000);
    run_at(1999);
    ck_assert_uint_eq(left_count + told_count, 0);
    run_at(2000);
    ck_assert_uint_eq(left_count, 0);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].status, 4);
    ck_assert_int_eq(told[0].reach, SAGA_REACH_MAYBE);
    ck_assert_int_ge(told[0].quiet_at.us, now.us);
}
END_TEST

START_TEST(outcalls__a_dropped_answer_is_as_a_lost_connection)
{
    const struct rpc_answer well = {.reach = SAGA_REACH_ANSWERED, .output = bytes_of_text("out"), .has_pushback = true};
    ask_struck(1, SPAN_S(2), 0, DRILL_DROP_ANSWER, (struct span){0});
    run_at(0);
    outcalls_answer(&s, left[0].tag, &well);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].status, 14);
    ck_assert_int_eq(told[0].reach, SAGA_REACH_MAYBE);
    ck_assert_int_ge(told[0].quiet_at.us, instant_after(now, SPAN_S(2)).us);
    ck_assert_uint_eq(told[0].output.size, 0);
    ck_assert(!told[0].has_pushback);
    ck_assert(says(told[0].message, "a drill dropped the answer"));
    /* What certainly did not leave has no answer that could be lost. */
    ask_struck(2, SPAN_S(2), 0, DRILL_DROP_ANSWER, (struct span){0});
    run_at(1);
    outcalls_answer(&s, left[1].tag, &(struct rpc_answer){.reach = SAGA_REACH_NONE, .status = 8});
    ck_assert_int_eq(told[1].status, 8);
    ck_assert_int_eq(told[1].reach, SAGA_REACH_NONE);
}
END_TEST

START_TEST(outcalls__a_duplicate_leaves_twice_and_the_second_answer_counts)
{
    ask_struck(1, SPAN_S(2), 0, DRILL_DUPLICATE, (struct span){0});
    run_at(0);
    outcalls_answer(&s, left[0].tag, &(struct rpc_answer){.reach = SAGA_REACH_MAYBE, .status = 14});
    ck_assert_uint_eq(told_count, 0);
    run_at(100);
    ck_assert_uint_eq(left_count, 2);
    ck_assert_uint_eq(left[1].attempt, 1);
    ck_assert_int_eq(left[1].timeout.us, SPAN_MS(1900).us);
    /* The first may still run, whatever the second says but that it is done. */
    outcalls_answer(&s, left[1].tag, &(struct rpc_answer){.reach = SAGA_REACH_ANSWERED, .status = 9});
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].status, 9);
    ck_assert_int_eq(told[0].reach, SAGA_REACH_MAYBE);
    ck_assert_int_ge(told[0].quiet_at.us, now.us);
    /* When its time is over it does not leave again. */
    ask_struck(2, SPAN_S(2), 0, DRILL_DUPLICATE, (struct span){0});
    run_at(200);
    now = instant_after(now, SPAN_S(2));
    outcalls_answer(&s, left[2].tag, &(struct rpc_answer){.reach = SAGA_REACH_ANSWERED, .status = 0});
    ck_assert_uint_eq(told_count, 2);
    ck_assert_int_eq(told[1].status, 0);
}
END_TEST

/* What the second says stands where the first is over, or where the second is done. One that never left leaves no second time. */
START_TEST(outcalls__a_duplicate_casts_no_doubt_without_need)
{
    static const struct {
        enum saga_reach first;
        int status;
        enum saga_reach told;
    } rows[] = {{SAGA_REACH_ANSWERED, 9, SAGA_REACH_ANSWERED},
                {SAGA_REACH_MAYBE, 0, SAGA_REACH_ANSWERED},
                {SAGA_REACH_MAYBE, 9, SAGA_REACH_MAYBE}};
    for (size_t i = 0; i < 3; i++) {
        ask_struck(1, SPAN_S(2), 0, DRILL_DUPLICATE, (struct span){0});
        run_at(0);
        outcalls_answer(&s, left[2 * i].tag, &(struct rpc_answer){.reach = rows[i].first, .status = 14});
        ck_assert_uint_eq(told_count, i);
        run_at(0);
        outcalls_answer(&s, left[2 * i + 1].tag,
                        &(struct rpc_answer){.reach = SAGA_REACH_ANSWERED, .status = rows[i].status});
        ck_assert_uint_eq(told_count, i + 1);
        ck_assert_int_eq(told[i].reach, rows[i].told);
        ck_assert_int_eq(told[i].quiet_at.us != 0, rows[i].told == SAGA_REACH_MAYBE);
    }
    ask_struck(1, SPAN_S(2), 1, DRILL_DUPLICATE, (struct span){0});
    run_at(0);
    outcalls_answer(&s, left[6].tag, &(struct rpc_answer){.reach = SAGA_REACH_NONE, .unreached = "away"});
    ck_assert_uint_eq(told_count, 4);
    ck_assert(told[3].unreached && !outcalls_wait(&s));
}
END_TEST

/* ---- what is remembered of a target ---- */

START_TEST(outcalls__refusals_do_not_count_against_a_target_and_what_never_left_not_at_all)
{
    static const struct {
        int status, reach;
        bool attempt, failed;
    } answers[] = {{0, SAGA_REACH_ANSWERED, true, false}, {9, SAGA_REACH_ANSWERED, true, false},
                   {3, SAGA_REACH_ANSWERED, true, false}, {14, SAGA_REACH_MAYBE, true, true},
                   {2, SAGA_REACH_ANSWERED, true, true},  {13, SAGA_REACH_ANSWERED, true, true},
                   {8, SAGA_REACH_NOT_BEGUN, true, true}, {14, SAGA_REACH_NONE, false, false}};
    uint64_t attempts = 0, failed = 0;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        ask((uint16_t)(i + 1), SPAN_S(2));
        outcalls_run(&s);
        outcalls_answer(&s, left[i].tag, &(struct rpc_answer){.reach = answers[i].reach, .status = answers[i].status});
        attempts += answers[i].attempt;
        failed += answers[i].failed;
        ck_assert_msg(targets[0].attempts == attempts && targets[0].attempts_failed == failed, "answer %zu: %lu, %lu",
                      i, (unsigned long)targets[0].attempts, (unsigned long)targets[0].attempts_failed);
    }
    ck_assert_int_eq(targets[0].last_failure.status, 14);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outcalls");
    TCase *tc = tcase_create("outcalls");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, outcalls__leave_in_pieces_and_in_order);
    tcase_add_test(tc, outcalls__a_target_that_was_changed_is_asked_anew);
    tcase_add_test(tc, outcalls__each_call_names_its_span);
    tcase_add_test(tc, outcalls__an_answer_is_told_whole);
    tcase_add_test(tc, outcalls__a_long_pushback_is_told);
    tcase_add_test(tc, outcalls__a_target_that_cannot_be_reached_is_waited_for);
    tcase_add_test(tc, outcalls__what_could_not_leave_says_so);
    tcase_add_test(tc, outcalls__one_whose_time_is_over_never_leaves);
    tcase_add_test(tc, outcalls__an_answer_tells_what_it_is_about);
    tcase_add_test(tc, outcalls__what_waits_at_the_end_of_the_grace_is_as_a_crash_leaves_it);
    tcase_add_test(tc, outcalls__a_delayed_call_leaves_when_it_is_due_and_the_loop_wakes_for_it);
    tcase_add_test(tc, outcalls__a_reordered_call_leaves_behind_the_next_to_its_own_target);
    tcase_add_test(tc, outcalls__an_aborted_call_is_answered_as_if_that_had_come);
    tcase_add_test(tc, outcalls__a_dropped_request_is_answered_when_its_time_is_over);
    tcase_add_test(tc, outcalls__a_dropped_answer_is_as_a_lost_connection);
    tcase_add_test(tc, outcalls__a_duplicate_leaves_twice_and_the_second_answer_counts);
    tcase_add_test(tc, outcalls__a_duplicate_casts_no_doubt_without_need);
    tcase_add_test(tc, outcalls__refusals_do_not_count_against_a_target_and_what_never_left_not_at_all);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
