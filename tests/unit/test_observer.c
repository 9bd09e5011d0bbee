/* What is seen of every record that has become durable: who waits is told, it is counted, and people read of what needs them. */
#include "sidecar/runtime/loop_inside.h"

#include "compensations/undo.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/core/heap.h"
#include "sidecar/engine/engine.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 8192
#define SEEN_MAX  64

static struct loop s;
static struct engine *engine;
static uint8_t frame[FRAME_MAX];
static size_t frame_size;
static char lines[8192]; /* of the log, without their time and their saga */
static bool cares, counts;
static uint64_t touched[SEEN_MAX], durable_frame;
static size_t touched_count, frame_bytes, frame_records;
static uint8_t counted[SEEN_MAX];
static size_t counted_count;
static unsigned heartbeats, remembered, traced; /* records that were told so */
static bool traces, samples;

/* ---- what the observer tells; tests.mk wraps these ---- */

bool __wrap_api_cares(const struct api *api);
void __wrap_api_durable(struct api *api, uint64_t number);
void __wrap_api_touch(struct api *api, uint64_t serial);
bool __wrap_counters_want(const struct loop *loop, uint8_t type);
void __wrap_counters_record(struct loop *loop, const struct saga *saga, const struct record *r);
void __wrap_counters_record_synthetic(struct loop *loop, const struct saga *saga, const struct record *r);
void __wrap_lately_ended(struct loop *loop, const struct saga *saga, const struct record *r);
bool __wrap_tracing_wants(const struct tracing *t, uint8_t type);
bool __wrap_tracing_samples(const struct tracing *t, const struct saga *saga);
void __wrap_tracing_record(struct tracing *t, const struct saga *saga, const struct record *r);
void __wrap_counters_frame(struct loop *loop, size_t bytes, unsigned records);
const struct engine *__wrap_core_engine(const struct core *c);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

bool __wrap_api_cares(const struct api *api)
{
    (void)api;
    return cares;
}

void __wrap_api_durable(struct api *api, uint64_t number)
{
    (void)api;
    durable_frame = number;
}

void __wrap_api_touch(struct api *api, uint64_t serial)
{
    (void)api;
    ck_assert_uint_lt(touched_count, SEEN_MAX);
    touched[touched_count++] = serial;
}

bool __wrap_counters_want(const struct loop *loop, uint8_t type)
{
    (void)loop;
    return counts && type != RECORD_ACTION_STARTED;
}

void __wrap_counters_record(struct loop *loop, const struct saga *saga, const struct record *r)
{
    (void)loop;
    ck_assert_uint_eq(saga->id.serial, r->saga.serial);
    ck_assert_uint_lt(counted_count, SEEN_MAX);
    counted[counted_count++] = r->type;
}

void __wrap_counters_record_synthetic(struct loop *loop, const struct saga *saga, const struct record *r)
{
    (void)loop;
    ck_assert(saga->synthetic && saga->id.serial == r->saga.serial);
    heartbeats++;
}

void __wrap_lately_ended(struct loop *loop, const struct saga *saga, const struct record *r)
{
    (void)loop;
    ck_assert_uint_eq(saga->id.serial, r->saga.serial);
    remembered++;
}

bool __wrap_tracing_wants(const struct tracing *t, uint8_t type)
{
    (void)t;
    return traces && type == RECORD_ENDED;
}

bool __wrap_tracing_samples(const struct tracing *t, const struct saga *saga)
{
    (void)t;
    ck_assert_ptr_nonnull(saga);
    return samples;
}

void __wrap_tracing_record(struct tracing *t, const struct saga *saga, const struct record *r)
{
    (void)t;
    ck_assert(saga != NULL && r->type == RECORD_ENDED);
    traced++;
}

void __wrap_counters_frame(struct loop *loop, size_t bytes, unsigned records)
{
    (void)loop;
    frame_bytes += bytes;
    frame_records += records;
}

const struct engine *__wrap_core_engine(const struct core *c)
{
    (void)c;
    return engine;
}

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    struct log_field shown[16];
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (fields[i].kind != LOG_KIND_SAGA)
            shown[kept++] = fields[i];
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, shown, kept, line);
    strcat(lines, strchr(line, ' ') + 1);
}

/* ---- a frame of records that the engine has taken ---- */

static void put(const struct record *r)
{
    ck_assert_uint_lt(frame_size + codec_record_size_max(r), FRAME_MAX);
    frame_size += codec_encode(r, 0, frame + frame_size);
}

static struct record of(uint64_t serial, uint8_t type)
{
    return (struct record){
        .type = type, .saga = {.tag = 1, .serial = serial}, .at = {.us = 1000}, .step = RECORD_NO_STEP};
}

static void add(struct record r)
{
    struct error_detail detail;
    ck_assert_msg(engine_replay(engine, &r, NULL, &detail) == 0, "%s", detail.text);
    put(&r);
}

static struct record of_step(uint64_t serial, uint8_t type, uint16_t attempt)
{
    struct record r = of(serial, type);
    r.step = 0;
    r.attempt = attempt;
    return r;
}

static bool is_heartbeat;
static const char *traceparent = "";

/* An enlisted saga with a step whose undo is called at t. */
static void begin(uint64_t serial)
{
    struct record r = of(serial, RECORD_STARTED);
    r.synthetic = is_heartbeat;
    r.traceparent = bytes_of_text(traceparent);
    r.mode = SAGA_ENLISTED;
    r.name = bytes_of_text("trip");
    r.deadline = INSTANT_NEVER;
    r.lease = SPAN_S(10);
    add(r);
    r = of(serial, RECORD_ENLISTED);
    r.step_name = bytes_of_text("hotel");
    r.call = (struct call_spec){.target = "t",
                                .method = "/t.T/Undo",
                                .source = REQUEST_CONSTANT,
                                .retry = {.max_attempts = 2,
                                          .initial_backoff = SPAN_MS(1),
                                          .max_backoff = SPAN_MS(1),
                                          .backoff_multiplier_permille = 1000}};
    r.step = 0;
    add(r);
}

static void turn_back(uint64_t serial, uint8_t reason)
{
    struct record r = of_step(serial, RECORD_ACTION_ENDED, 1);
    r.action_state = SAGA_ACTION_UNKNOWN;
    add(r);
    r = of(serial, RECORD_TURNED_BACK);
    r.reason = reason;
    r.actor = bytes_of_text(reason == REASON_CANCELLED ? "kim" : "");
    r.message = bytes_of_text(reason == REASON_CANCELLED ? "by phone" : "");
    add(r);
}

/* The undo fails for good, and the saga is stuck. */
static void get_stuck(uint64_t serial)
{
    add(of_step(serial, RECORD_COMPENSATION_STARTED, 1));
    struct record r = of_step(serial, RECORD_COMPENSATION_ENDED, 1);
    r.compensation_state = SAGA_COMPENSATION_FAILED;
    r.status = CODE_INTERNAL;
    r.message = bytes_of_text("ledger is locked");
    add(r);
    r = of_step(serial, RECORD_STUCK, 0);
    r.reason = REASON_COMPENSATION_FAILED;
    add(r);
}

static void observe(void)
{
    lines[0] = '\0';
    touched_count = counted_count = frame_bytes = frame_records = 0;
    heartbeats = remembered = traced = 0;
    observer_durable(&s, 7, bytes_of(frame, frame_size));
    ck_assert_uint_eq(durable_frame, 7);
    ck_assert_uint_eq(atomic_load(&s.durable_frame), 7);
    ck_assert_uint_eq(frame_bytes, frame_size);
    frame_size = 0;
}

static void setup(void)
{
    const struct engine_options options = {
        .live_sagas_max = 8, .steps_max = 4, .payload_bytes_max = 64, .targets_max = 1};
    ck_assert_int_eq(engine_create(&options, &heap, &engine), 0);
    engine_set_target(engine, &(struct target_options){.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1});
    log_set_level(LOG_LEVEL_INFO);
    frame_size = 0;
    cares = counts = true;
    traces = samples = is_heartbeat = false;
    traceparent = "";
}

/* Its undo is done, and it has ended. */
static void undo(uint64_t serial)
{
    add(of_step(serial, RECORD_COMPENSATION_STARTED, 1));
    struct record r = of_step(serial, RECORD_COMPENSATION_ENDED, 1);
    r.compensation_state = SAGA_COMPENSATION_DONE;
    add(r);
    r = of(serial, RECORD_ENDED);
    r.saga_state = SAGA_COMPENSATED;
    add(r);
}

static void teardown(void)
{
    engine_destroy(engine);
}

START_TEST(observer__who_waits_is_told_of_each_record)
{
    begin(1);
    begin(2);
    observe();
    ck_assert_uint_eq(touched_count, 4);
    ck_assert_uint_eq(frame_records, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(touched[i], 1 + i / 2);
    turn_back(1, REASON_LEASE);
    cares = false;
    observe();
    ck_assert_uint_eq(touched_count, 0);
}
END_TEST

START_TEST(observer__what_is_counted_is_counted_once)
{
    begin(1);
    turn_back(1, REASON_LEASE);
    observe();
    static const uint8_t wanted[] = {RECORD_STARTED, RECORD_ENLISTED, RECORD_ACTION_ENDED, RECORD_TURNED_BACK};
    ck_assert_uint_eq(counted_count, sizeof wanted);
    ck_assert_int_eq(memcmp(counted, wanted, sizeof wanted), 0);
    counts = false;
    get_stuck(1);
    observe();
    ck_assert_uint_eq(counted_count, 0);
}
END_TEST

START_TEST(observer__a_dead_letter_is_told_with_what_was_said_last)
{
    begin(1);
    turn_back(1, REASON_LEASE);
    get_stuck(1);
    observe();
    ck_assert_str_eq(lines, "level=warn msg=\"saga stuck: it needs an operator\" definition=trip step=hotel "
                            "state=COMPENSATING target=t reason=COMPENSATION_FAILED attempt=1 status=INTERNAL "
                            "text=\"ledger is locked\"\n");
}
END_TEST

/* The record before it may be another saga's, or that of a branch which ended last. */
START_TEST(observer__a_dead_letter_is_not_told_with_what_another_was_told)
{
    begin(1);
    turn_back(1, REASON_LEASE);
    begin(2);
    turn_back(2, REASON_LEASE);
    add(of_step(1, RECORD_COMPENSATION_STARTED, 1));
    struct record failed = of_step(1, RECORD_COMPENSATION_ENDED, 1);
    failed.compensation_state = SAGA_COMPENSATION_FAILED;
    failed.status = CODE_INTERNAL;
    failed.message = bytes_of_text("ledger is locked");
    add(failed);
    add(of_step(2, RECORD_COMPENSATION_STARTED, 1));
    failed.saga.serial = _i == 0 ? 2 : 1;
    failed.step = _i == 1 ? 1 : 0;
    failed.type = _i == 2 ? RECORD_COMPENSATION_STARTED : failed.type; /* which is no answer */
    failed.message = bytes_of_text("of another");
    put(&failed);
    struct record stuck = of_step(1, RECORD_STUCK, 0);
    stuck.reason = REASON_COMPENSATION_FAILED;
    add(stuck);
    observe();
    ck_assert_str_eq(lines, "level=warn msg=\"saga stuck: it needs an operator\" definition=trip step=hotel "
                            "state=COMPENSATING target=t reason=COMPENSATION_FAILED\n");
}
END_TEST

/* Whether anybody counts or not. */
START_TEST(observer__what_people_do_is_told_with_their_names)
{
    counts = _i == 1;
    begin(1);
    struct record act = of(1, RECORD_PAUSED);
    act.actor = bytes_of_text("kim");
    act.message = bytes_of_text("to look");
    add(act);
    act.type = RECORD_RESUMED;
    act.message = bytes_of_text("");
    add(act);
    turn_back(1, REASON_CANCELLED);
    get_stuck(1);
    act.type = RECORD_ENDED;
    act.saga_state = SAGA_RESOLVED;
    act.message = bytes_of_text("by hand");
    add(act);
    observe();
    ck_assert_str_eq(lines,
                     "level=info msg=\"saga paused\" definition=trip actor=kim text=\"to look\"\n"
                     "level=info msg=\"saga resumed\" definition=trip actor=kim\n"
                     "level=info msg=\"saga cancelled by an operator\" definition=trip reason=CANCELLED actor=kim "
                     "text=\"by phone\"\n"
                     "level=warn msg=\"saga stuck: it needs an operator\" definition=trip step=hotel "
                     "state=COMPENSATING target=t reason=COMPENSATION_FAILED attempt=1 status=INTERNAL "
                     "text=\"ledger is locked\"\n"
                     "level=info msg=\"saga resolved by an operator\" definition=trip actor=kim text=\"by hand\"\n");
}
END_TEST

START_TEST(observer__the_rest_is_told_at_debug)
{
    log_set_level(LOG_LEVEL_DEBUG);
    begin(1);
    turn_back(1, REASON_LEASE);
    observe();
    ck_assert_str_eq(lines, "level=debug msg=\"saga started\" definition=trip\n"
                            "level=debug msg=\"step enlisted\" definition=trip step=hotel\n"
                            "level=debug msg=\"action ended\" definition=trip step=hotel attempt=1 status=OK\n"
                            "level=debug msg=\"saga turned back\" definition=trip reason=LEASE\n");
    undo(1);
    observe();
    ck_assert_str_eq(lines,
                     "level=debug msg=\"compensation started\" definition=trip step=hotel target=t attempt=1\n"
                     "level=debug msg=\"compensation ended\" definition=trip step=hotel target=t attempt=1 status=OK\n"
                     "level=debug msg=\"saga ended\" definition=trip\n");
    begin(3);
    turn_back(3, REASON_LEASE);
    observe();
    struct record failed = of_step(3, RECORD_COMPENSATION_FAILED, 1);
    add(of_step(3, RECORD_COMPENSATION_STARTED, 1));
    failed.status = CODE_UNAVAILABLE;
    failed.message = bytes_of_text("away");
    add(failed);
    observe();
    ck_assert_ptr_nonnull(
        strstr(lines, " definition=trip step=hotel target=t attempt=1 status=UNAVAILABLE text=away\n"));
    log_set_level(LOG_LEVEL_INFO);
    begin(2);
    turn_back(2, REASON_LEASE);
    undo(2);
    counts = false;
    observe();
    ck_assert_str_eq(lines, "");
    ck_assert_uint_eq(remembered, 1); /* how it ended is, whoever asks for the rest */
}
END_TEST

/* A heartbeat is counted apart, not remembered, and told as what it is; all of a trace has its id. */
START_TEST(observer__a_heartbeat_is_told_apart)
{
    is_heartbeat = true;
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    begin(1);
    turn_back(1, REASON_CANCELLED);
    undo(1);
    observe();
    ck_assert_str_eq(lines, "level=info msg=\"saga cancelled by an operator\" definition=trip synthetic=true "
                            "trace_id=0af7651916cd43dd8448eb211c80319c reason=CANCELLED actor=kim text=\"by phone\"\n");
    ck_assert_uint_eq(heartbeats, 7);
    ck_assert_uint_eq(counted_count + remembered, 0);
    is_heartbeat = false;
    begin(2);
    turn_back(2, REASON_LEASE);
    undo(2);
    observe();
    ck_assert_uint_eq(heartbeats, 0);
    ck_assert_uint_eq(remembered, 1);
    counts = false; /* and though nobody counts */
    begin(3);
    turn_back(3, REASON_LEASE);
    undo(3);
    observe();
    ck_assert_uint_eq(remembered, 1);
}
END_TEST

START_TEST(observer__what_is_sampled_is_traced)
{
    for (int i = 0; i < 4; i++) {
        traces = i % 2 == 1;
        samples = i / 2 == 1;
        counts = false;
        begin((uint64_t)i + 1);
        turn_back((uint64_t)i + 1, REASON_LEASE);
        undo((uint64_t)i + 1);
        observe();
        ck_assert_uint_eq(traced, i == 3);
    }
}
END_TEST

/* The history of a saga that is moved was told, counted and waited for when it happened. */
START_TEST(observer__copies_of_a_history_are_passed_over)
{
    begin(1);
    turn_back(1, REASON_CANCELLED);
    get_stuck(1);
    uint8_t copies[FRAME_MAX];
    size_t size = frame_size;
    memcpy(copies, frame, size);
    observe();
    struct record moved = of(1, RECORD_MOVED);
    moved.copies = 7;
    put(&moved);
    memcpy(frame + frame_size, copies, size);
    frame_size += size;
    begin(2);
    observe();
    ck_assert_str_eq(lines, "");
    ck_assert_uint_eq(touched_count, 2);
    ck_assert_uint_eq(touched[0], 2);
    ck_assert_uint_eq(counted_count, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("observer");
    TCase *tc = tcase_create("observer");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, observer__who_waits_is_told_of_each_record);
    tcase_add_test(tc, observer__what_is_counted_is_counted_once);
    tcase_add_test(tc, observer__a_dead_letter_is_told_with_what_was_said_last);
    tcase_add_loop_test(tc, observer__a_dead_letter_is_not_told_with_what_another_was_told, 0, 3);
    tcase_add_loop_test(tc, observer__what_people_do_is_told_with_their_names, 0, 2);
    tcase_add_test(tc, observer__the_rest_is_told_at_debug);
    tcase_add_test(tc, observer__a_heartbeat_is_told_apart);
    tcase_add_test(tc, observer__what_is_sampled_is_traced);
    tcase_add_test(tc, observer__copies_of_a_history_are_passed_over);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
