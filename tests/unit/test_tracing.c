/* From records to spans: when each begins and ends, what it hangs under, and what is forgotten of it. */
#include "sidecar/runtime/tracing.h"

#include "compensations/undo.h"
#include "sidecar/engine/saga.h"
#include "sidecar/observe/otlp.h"
#include "sidecar/observe/otlp_queue.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Otlp__Span span_message;

static struct owner o;
static struct tracing *t;
static const struct saga *saga;
static struct instant began;

static void setup(void)
{
    const struct config config = {.otlp_endpoint = "127.0.0.1:4317", .traces_percent = 100};
    owner_open(&o);
    owner_submit_start(&o, 1, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    saga = engine_find(core_engine(o.core), o.saga.serial);
    ck_assert_ptr_nonnull(saga);
    ck_assert_int_eq(tracing_create(&config, &t), 0);
    began = o.now;
}

static void teardown(void)
{
    tracing_destroy(t);
    owner_close(&o);
}

/* A record of the saga, so many milliseconds after its start. */
static void record(uint8_t type, int64_t ms, struct record r)
{
    ck_assert(tracing_wants(t, type));
    r.type = type;
    r.saga = saga->id;
    r.at = (struct instant){.us = began.us + ms * 1000};
    tracing_record(t, saga, &r);
}

/* ---- what was made ---- */

static span_message *made[32];
static size_t made_count;

static void take(void)
{
    struct otlp_batch batch = {0};
    otlp_queue_take(tracing_queue(t), &batch);
    made_count = 0;
    for (uint8_t *at = batch.at; made_count < batch.count;) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        made[made_count] = otlp__span__unpack(NULL, size, at + sizeof size);
        ck_assert_ptr_nonnull(made[made_count++]);
        at += sizeof size + size;
    }
    free(batch.at);
}

static void drop(void)
{
    for (size_t i = 0; i < made_count; i++)
        otlp__span__free_unpacked(made[i], NULL);
}

/* The number-th span has this name, began and ended so, and hangs under the span of that number; -1: under none of them. */
static void is(size_t number, const char *name, int64_t from_ms, int64_t to_ms, int under)
{
    ck_assert_uint_lt(number, made_count);
    const span_message *m = made[number];
    ck_assert_str_eq(m->name, name);
    ck_assert_int_eq((int64_t)(m->start_time_unix_nano / 1000) - began.us, from_ms * 1000);
    ck_assert_int_eq((int64_t)(m->end_time_unix_nano / 1000) - began.us, to_ms * 1000);
    if (under < 0)
        return;
    ck_assert_uint_eq(m->parent_span_id.len, SPAN_ID_SIZE);
    ck_assert_mem_eq(m->parent_span_id.data, made[under]->span_id.data, SPAN_ID_SIZE);
}

/* Its attributes, as "key=value", one behind the other. */
static const char *attributes(size_t number)
{
    static char text[600];
    size_t used = 0;
    ck_assert_uint_lt(number, made_count);
    const span_message *m = made[number];
    text[0] = '\0';
    for (size_t i = 0; i < m->n_attributes; i++) {
        Otlp__KeyValue *pair = otlp__key_value__unpack(NULL, m->attributes[i].len, m->attributes[i].data);
        ck_assert_ptr_nonnull(pair);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=", i == 0 ? "" : " ", pair->key);
        if (pair->value->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", pair->value->string_value);
        else
            used += (size_t)snprintf(text + used, sizeof text - used, "%ld", (long)pair->value->int_value);
        otlp__key_value__free_unpacked(pair, NULL);
    }
    return text;
}

/* What its status says; NULL: that it went well, by having none. */
static void failed_with(size_t number, const char *error)
{
    const Otlp__Status *status = made[number]->status;
    ck_assert_int_eq(status == NULL, error == NULL);
    if (status == NULL)
        return;
    ck_assert_int_eq(status->code, OTLP__STATUS_CODE__STATUS_CODE_ERROR);
    ck_assert_str_eq(status->message, error);
}

START_TEST(tracing__each_attempt_begins_when_it_left_and_the_step_when_its_first_did)
{
    record(RECORD_ACTION_STARTED, 10, (struct record){.attempt = 1});
    record(RECORD_ACTION_FAILED, 30, (struct record){.attempt = 1, .status = 14});
    record(RECORD_ACTION_STARTED, 100, (struct record){.attempt = 2});
    record(RECORD_ACTION_ENDED, 150, (struct record){.attempt = 2, .action_state = SAGA_ACTION_DONE});
    take();
    ck_assert_uint_eq(made_count, 3);
    is(0, "p.S/A", 10, 30, 2);
    is(1, "p.S/A", 100, 150, 2);
    is(2, "a", 10, 150, -1);
    ck_assert_ptr_nonnull(made[0]->status);
    ck_assert_ptr_null(made[1]->status);
    ck_assert_int_ne(memcmp(made[0]->span_id.data, made[1]->span_id.data, SPAN_ID_SIZE), 0);
    drop();
    const struct tracing_counts counts = tracing_counts(t), none = tracing_counts(t);
    ck_assert_uint_eq(counts.made, 3);
    ck_assert_uint_eq(counts.dropped + none.made + none.dropped, 0);
}
END_TEST

/* As docs/observability.md tells. */
START_TEST(tracing__each_says_what_it_is)
{
    record(RECORD_ACTION_STARTED, 10, (struct record){.attempt = 1});
    record(RECORD_ACTION_FAILED, 30, (struct record){.attempt = 1, .status = 14, .message = bytes_of_text("away")});
    record(RECORD_ACTION_ENDED, 150, (struct record){.attempt = 2, .action_state = SAGA_ACTION_DONE});
    record(RECORD_COMPENSATION_ENDED, 70,
           (struct record){.step = 1,
                           .attempt = 3,
                           .compensation_state = SAGA_COMPENSATION_FAILED,
                           .status = 13,
                           .message = bytes_of_text("broken")});
    record(RECORD_STUCK, 70, (struct record){.step = 1, .reason = REASON_COMPENSATION_FAILED});
    record(RECORD_ENDED, 80, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_COMMITTED});
    take();
    static const struct {
        const char *said, *error; /* NULL: it went well */
    } rows[] = {
        {"saga.step=a saga.phase=action saga.attempt=1 saga.target=t rpc.system.name=grpc rpc.method=p.S/A "
         "rpc.response.status_code=UNAVAILABLE error.type=UNAVAILABLE",
         "away"},
        {"saga.step=a saga.phase=action saga.attempt=2 saga.target=t rpc.system.name=grpc rpc.method=p.S/A "
         "rpc.response.status_code=OK",
         NULL},
        {"saga.step=a saga.phase=action", NULL},
        {"saga.step=b saga.phase=compensation saga.attempt=3 saga.target=u rpc.system.name=grpc rpc.method=p.S/UndoB "
         "rpc.response.status_code=INTERNAL error.type=INTERNAL",
         "broken"},
        {"saga.step=b saga.phase=compensation", "broken"},
        {"saga.step=b saga.reason=COMPENSATION_FAILED", "COMPENSATION_FAILED"},
        {"saga.state=COMMITTED", NULL},
    };
    ck_assert_uint_eq(made_count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < made_count; i++) {
        char whole[400], id[SAGA_ID_TEXT_SIZE];
        saga_id_format(saga->id, id);
        snprintf(whole, sizeof whole, "saga.id=%s saga.definition=two %s", id, rows[i].said);
        ck_assert_str_eq(attributes(i), whole);
        failed_with(i, rows[i].error);
    }
    drop();
}
END_TEST

/* Which step turned a saga back is said of it as a whole. */
START_TEST(tracing__a_saga_says_what_turned_it_back)
{
    const struct saga *known = saga;
    struct saga copy = *saga;
    copy.reason = REASON_ACTION_REJECTED;
    copy.reason_step = 1;
    saga = &copy;
    record(RECORD_ENDED, 80, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_COMPENSATED});
    saga = known;
    take();
    ck_assert_ptr_nonnull(
        strstr(attributes(0), " saga.state=COMPENSATED saga.reason=ACTION_REJECTED saga.reason_step=b"));
    failed_with(0, record_reason_name(REASON_ACTION_REJECTED));
    drop();
}
END_TEST

/* A heartbeat is told apart in all that it has, as in the log. */
START_TEST(tracing__a_heartbeat_says_so)
{
    const struct saga *known = saga;
    struct saga copy = *saga;
    copy.synthetic = true;
    saga = &copy;
    record(RECORD_ACTION_FAILED, 30, (struct record){.attempt = 1, .status = 14});
    record(RECORD_ACTION_ENDED, 150, (struct record){.attempt = 2, .action_state = SAGA_ACTION_DONE});
    record(RECORD_STUCK, 70, (struct record){.step = 1, .reason = REASON_COMPENSATION_FAILED});
    record(RECORD_ENDED, 80, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_COMMITTED});
    saga = known;
    take();
    ck_assert_uint_eq(made_count, 5);
    for (size_t i = 0; i < made_count; i++)
        ck_assert_msg(strstr(attributes(i), " saga.definition=two saga.synthetic=true saga.s") != NULL, "%s",
                      attributes(i));
    drop();
}
END_TEST

/* What was over and is tried again, as people ask for, begins then. */
START_TEST(tracing__what_is_tried_again_begins_anew)
{
    const struct record failed = {.compensation_state = SAGA_COMPENSATION_FAILED, .status = 13};
    for (int i = 0; i < 2; i++) {
        struct record r = failed;
        r.attempt = (uint16_t)(i + 1);
        record(RECORD_COMPENSATION_STARTED, 100 * i + 10, (struct record){.attempt = r.attempt});
        record(RECORD_COMPENSATION_ENDED, 100 * i + 20, r);
    }
    take();
    ck_assert_uint_eq(made_count, 4);
    is(1, "undo a", 10, 20, -1);
    is(2, "p.S/UndoA", 110, 120, 3);
    is(3, "undo a", 110, 120, -1);
    drop();
}
END_TEST

/* What finds no room is counted, once. */
START_TEST(tracing__what_finds_no_room_is_counted)
{
    struct tracing_counts counts = {0};
    for (uint64_t all = 0; counts.dropped == 0; all += counts.made) {
        for (int i = 0; i < 1000; i++)
            record(RECORD_ACTION_FAILED, 30, (struct record){.attempt = 1, .status = 14});
        counts = tracing_counts(t);
        ck_assert_uint_eq(counts.made, 1000);
        ck_assert_uint_lt(all, 50000);
    }
    ck_assert_uint_le(counts.dropped, 1000);
    ck_assert_uint_eq(otlp_queue_dropped(tracing_queue(t)), counts.dropped);
}
END_TEST

START_TEST(tracing__undo_has_spans_of_its_own)
{
    record(RECORD_ACTION_STARTED, 10, (struct record){.attempt = 1});
    record(RECORD_ACTION_ENDED, 20, (struct record){.attempt = 1, .action_state = SAGA_ACTION_DONE});
    record(RECORD_COMPENSATION_STARTED, 40, (struct record){.attempt = 1});
    record(RECORD_COMPENSATION_ENDED, 70, (struct record){.attempt = 1, .compensation_state = SAGA_COMPENSATION_DONE});
    record(RECORD_ENDED, 80, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_COMPENSATED});
    take();
    ck_assert_uint_eq(made_count, 5);
    is(0, "p.S/A", 10, 20, 1);
    is(1, "a", 10, 20, 4);
    is(2, "p.S/UndoA", 40, 70, 3);
    is(3, "undo a", 40, 70, 4);
    is(4, "two", 0, 80, -1);
    for (size_t i = 0; i < 4; i++) /* an undo that is done has not failed, though its saga has */
        failed_with(i, NULL);
    failed_with(4, record_reason_name(saga->reason));
    ck_assert_uint_eq(made[4]->parent_span_id.len, 0);
    drop();
}
END_TEST

/* What a person skipped or resolved never ends: with its saga it is forgotten, whichever of the two it was. */
START_TEST(tracing__with_a_saga_all_of_it_is_forgotten)
{
    record(RECORD_ACTION_STARTED, 10, (struct record){.attempt = 1});
    record(RECORD_COMPENSATION_STARTED, 20, (struct record){.attempt = 1});
    record(RECORD_ACTION_STARTED, 10, (struct record){.step = 1, .attempt = 1});
    record(RECORD_COMPENSATION_STARTED, 20, (struct record){.step = 1, .attempt = 1});
    record(RECORD_ENDED, 80, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_RESOLVED});
    take();
    drop();
    for (uint16_t step = 0; step < 2; step++) {
        record(RECORD_COMPENSATION_STARTED, 1000, (struct record){.step = step, .attempt = 2});
        record(RECORD_COMPENSATION_ENDED, 1100, (struct record){.step = step, .attempt = 2});
        record(RECORD_ACTION_STARTED, 1000, (struct record){.step = step, .attempt = 2});
        record(RECORD_ACTION_ENDED, 1100, (struct record){.step = step, .attempt = 2});
    }
    take();
    ck_assert_uint_eq(made_count, 8);
    for (size_t i = 0; i < made_count; i++)
        is(i, made[i]->name, 1000, 1100, -1);
    drop();
}
END_TEST

/* A line of the log names the span of what it tells, and a call names the span that it is. */
START_TEST(tracing__the_log_and_calls_name_the_spans)
{
    static const struct record rows[] = {
        {.type = RECORD_ACTION_FAILED, .step = 0, .attempt = 1},
        {.type = RECORD_ACTION_FAILED, .step = 1, .attempt = 2},
        {.type = RECORD_COMPENSATION_FAILED, .step = 1, .attempt = 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct record r = rows[i];
        uint8_t phase = r.type == RECORD_ACTION_FAILED ? SAGA_PHASE_ACTION : SAGA_PHASE_COMPENSATION, id[TRACE_ID_SIZE];
        const struct call_effect call = {.saga = saga->id, .step = r.step, .phase = phase, .attempt = r.attempt};
        struct tracing_ids ids;
        char text[TRACEPARENT_SIZE], expected[TRACEPARENT_SIZE];
        r.saga = saga->id;
        record(r.type, 30, r);
        take();
        ck_assert_uint_eq(made_count, 1);
        ck_assert(tracing_ids(t, saga, &r, phase, &ids));
        otlp_id(bytes_of_text(ids.trace), id, TRACE_ID_SIZE);
        ck_assert_mem_eq(id, made[0]->trace_id.data, TRACE_ID_SIZE);
        otlp_id(bytes_of_text(ids.span), id, SPAN_ID_SIZE);
        ck_assert_mem_eq(id, made[0]->span_id.data, SPAN_ID_SIZE);
        snprintf(expected, sizeof expected, "00-%s-%s-01", ids.trace, ids.span);
        ck_assert(bytes_equal(tracing_parent(t, &call, text), bytes_of_text(expected)));
        drop();
    }
    /* What is of no attempt is of the saga. */
    struct tracing_ids of_end, of_step;
    const struct record end = {.type = RECORD_ENDED, .saga = saga->id, .step = RECORD_NO_STEP};
    const struct record skipped = {.type = RECORD_STUCK, .saga = saga->id, .step = 0};
    ck_assert(tracing_ids(t, saga, &end, 0, &of_end) && tracing_ids(t, saga, &skipped, SAGA_PHASE_ACTION, &of_step));
    record(RECORD_ENDED, 80, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_COMMITTED});
    take();
    uint8_t id[SPAN_ID_SIZE];
    otlp_id(bytes_of_text(of_end.span), id, SPAN_ID_SIZE);
    ck_assert_mem_eq(id, made[0]->span_id.data, SPAN_ID_SIZE);
    ck_assert_str_eq(of_step.span, of_end.span);
    drop();
}
END_TEST

/* What began in a former life is shown from when it is known. */
START_TEST(tracing__what_began_before_is_shown_from_when_it_is_known)
{
    record(RECORD_COMPENSATION_ENDED, 70, (struct record){.attempt = 3, .compensation_state = SAGA_COMPENSATION_DONE});
    take();
    ck_assert_uint_eq(made_count, 2);
    is(0, "p.S/UndoA", 70, 70, 1);
    is(1, "undo a", 70, 70, -1);
    drop();
}
END_TEST

/* Of so many what is under way is kept; those that come when there is no room are shown as what began before is. */
START_TEST(tracing__what_is_under_way_is_bounded)
{
    enum { OPEN_MAX = 65536 }; /* as in tracing.c */
    struct record other = {.type = RECORD_ACTION_STARTED, .saga = saga->id, .attempt = 1, .at = began};
    for (unsigned i = 1; i < OPEN_MAX; i++) {
        other.saga.serial = saga->id.serial + i;
        tracing_record(t, saga, &other);
    }
    for (int i = 0; i < 2; i++) {
        record(RECORD_ACTION_STARTED, 10, (struct record){.attempt = 1});
        record(RECORD_ACTION_ENDED, 80, (struct record){.attempt = 1, .action_state = SAGA_ACTION_DONE});
        other.saga.serial = saga->id.serial + OPEN_MAX;
        tracing_record(t, saga, &other);
    }
    take();
    ck_assert_uint_eq(made_count, 4);
    is(0, "p.S/A", 10, 80, 1);
    is(2, "p.S/A", 80, 80, 3);
    drop();
}
END_TEST

/* Of an action's step the journal knows that: its last attempt is shown from its end, the whole from its beginning. */
START_TEST(tracing__a_step_that_began_before_is_shown_whole)
{
    const struct saga *known = saga;
    struct saga copy = *saga;
    struct step steps[2] = {saga->steps[0], saga->steps[1]};
    steps[0].first_at = (struct instant){.us = began.us + 5000};
    copy.steps = steps;
    saga = &copy;
    record(RECORD_ACTION_FAILED, 40, (struct record){.attempt = 2, .status = 14});
    record(RECORD_ACTION_ENDED, 60, (struct record){.attempt = 3, .action_state = SAGA_ACTION_DONE});
    record(RECORD_COMPENSATION_ENDED, 70, (struct record){.attempt = 1, .compensation_state = SAGA_COMPENSATION_DONE});
    saga = known;
    take();
    ck_assert_uint_eq(made_count, 5);
    is(0, "p.S/A", 40, 40, 2);
    is(1, "p.S/A", 60, 60, 2);
    is(2, "a", 5, 60, -1);
    is(4, "undo a", 70, 70, -1); /* which the action's beginning says nothing of */
    drop();
}
END_TEST

START_TEST(tracing__one_that_is_stuck_says_so_each_time)
{
    record(RECORD_STUCK, 70, (struct record){.reason = REASON_COMPENSATION_FAILED});
    record(RECORD_STUCK, 90, (struct record){.reason = REASON_COMPENSATION_FAILED});
    record(RECORD_ENDED, 95, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_RESOLVED});
    take();
    ck_assert_uint_eq(made_count, 3);
    is(0, "stuck", 70, 70, 2);
    is(1, "stuck", 90, 90, 2);
    ck_assert_int_ne(memcmp(made[0]->span_id.data, made[1]->span_id.data, SPAN_ID_SIZE), 0);
    drop();
}
END_TEST

START_TEST(tracing__none_without_a_collector_and_none_of_those_that_are_not_sampled)
{
    ck_assert(tracing_samples(t, saga) && !tracing_samples(t, NULL)); /* nor of one that is not there */
    const struct config none = {.otlp_endpoint = "", .traces_percent = 100},
                        few = {.otlp_endpoint = "127.0.0.1:1", .traces_percent = 0};
    const struct call_effect call = {.saga = saga->id, .traceparent = bytes_of_text("as it came")};
    char text[TRACEPARENT_SIZE];
    tracing_destroy(t);
    ck_assert_int_eq(tracing_create(&none, &t), 0);
    ck_assert_ptr_null(t);
    ck_assert(!tracing_wants(t, RECORD_ENDED));
    ck_assert(bytes_equal(tracing_parent(t, &call, text), call.traceparent));
    ck_assert_int_eq(tracing_create(&few, &t), 0);
    record(RECORD_ENDED, 80, (struct record){.step = RECORD_NO_STEP, .saga_state = SAGA_COMMITTED});
    ck_assert_uint_eq(tracing_counts(t).made, 0);
    ck_assert(bytes_equal(tracing_parent(t, &call, text), call.traceparent));
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("tracing");
    Suite *s = suite_create("tracing");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, tracing__each_attempt_begins_when_it_left_and_the_step_when_its_first_did);
    tcase_add_test(c, tracing__each_says_what_it_is);
    tcase_add_test(c, tracing__a_saga_says_what_turned_it_back);
    tcase_add_test(c, tracing__a_heartbeat_says_so);
    tcase_add_test(c, tracing__what_is_tried_again_begins_anew);
    tcase_add_test(c, tracing__what_finds_no_room_is_counted);
    tcase_add_test(c, tracing__undo_has_spans_of_its_own);
    tcase_add_test(c, tracing__with_a_saga_all_of_it_is_forgotten);
    tcase_add_test(c, tracing__the_log_and_calls_name_the_spans);
    tcase_add_test(c, tracing__what_began_before_is_shown_from_when_it_is_known);
    tcase_add_test(c, tracing__what_is_under_way_is_bounded);
    tcase_add_test(c, tracing__a_step_that_began_before_is_shown_whole);
    tcase_add_test(c, tracing__one_that_is_stuck_says_so_each_time);
    tcase_add_test(c, tracing__none_without_a_collector_and_none_of_those_that_are_not_sampled);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
