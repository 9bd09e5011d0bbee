/* What is told of each record that becomes durable, of each kind of saga: its line in the log, what it counts, its spans; then of each kind of answer to an
 * attempt, and of what else a loop counts. All of it is real, from the frame to the page. It is kept in tests/fixtures/runtime/records.txt;
 * `build/release/tests/unit/test_told_records write` writes that anew, for its difference to be read. */
#include "sidecar/api/api.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/core/arena.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/lately.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "tests/support/core_owner.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"
#include "tests/support/record_names.h"

#include <stdlib.h>
#include <string.h>

#define START_US INT64_C(1700000000000000)
#define PARENT   "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"

static struct owner o;
static struct loop s;
static struct sidecar sidecar;
static struct config config = {
    .http_listen = "127.0.0.1:0", .metrics_series_max = 1000, .otlp_endpoint = "127.0.0.1:1", .traces_percent = 100};
static struct loop_target targets[2];
static struct store store;
static struct instant now = {.us = START_US};
static FILE *to;
static char *page; /* what has been counted so far */
static const char *const type_names[] = RECORD_NAMES;

/* ---- what stands in for the rest; tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
bool __wrap_api_cares(const struct api *api);
void __wrap_api_durable(struct api *api, uint64_t frame);
void __wrap_api_touch(struct api *api, uint64_t serial);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

bool __wrap_api_cares(const struct api *api)
{
    (void)api;
    return true;
}

void __wrap_api_durable(struct api *api, uint64_t frame)
{
    (void)api;
    fprintf(to, "  durable %lu\n", (unsigned long)frame);
}

void __wrap_api_touch(struct api *api, uint64_t serial)
{
    (void)api;
    fprintf(to, "  touched %lu\n", (unsigned long)serial);
}

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    log_line(LOG_FORMAT_LOGFMT, now, level, text, fields, count, line);
    fprintf(to, "  %s", line);
}

/* ---- what is shown ---- */

/* Of the buckets of a series, which add up, those with more than the one before. */
static bool is_empty_bucket(const char *line, size_t size, char *before, size_t room)
{
    const char *le = memmem(line, size, "le=\"", 4), *value = memrchr(line, ' ', size);
    char now_seen[512];
    if (le == NULL)
        return false;
    snprintf(now_seen, sizeof now_seen, "%.*s%.*s", (int)(le - line), line, (int)strcspn(value, "\n#"), value);
    bool same = strcmp(now_seen, before) == 0 || atoi(value) == 0;
    snprintf(before, room, "%s", now_seen);
    return same;
}

/* The lines that are other than on the page before. */
static void put_counted(void)
{
    char *text = NULL, *last = page, bucket[512] = "";
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputc('\n', out);
    ck_assert_int_eq(metrics_write(&s.vitals.metrics, 1, METRICS_OPENMETRICS, out), 0);
    fclose(out);
    for (char *line = text + 1, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char whole[1024];
        snprintf(whole, sizeof whole, "\n%.*s\n", (int)(end - line), line);
        bool empty = is_empty_bucket(line, (size_t)(end - line), bucket, sizeof bucket);
        if (!empty && (last == NULL || strstr(last, whole) == NULL))
            fprintf(to, "  %.*s\n", (int)(end - line), line);
    }
    free(page);
    page = text;
}

static void put_spans(void)
{
    struct otlp_batch batch = {0};
    const struct tracing_counts counts = tracing_counts(s.tracing);
    otlp_queue_take(tracing_queue(s.tracing), &batch);
    ck_assert_uint_eq(counts.made, batch.count);
    ck_assert_uint_eq(counts.dropped, 0);
    uint8_t *at = batch.at;
    for (size_t i = 0; i < batch.count; i++) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        Otlp__Span *m = otlp__span__unpack(NULL, size, at + sizeof size);
        ck_assert_ptr_nonnull(m);
        fputs("  span ", to);
        message_text_put(to, &m->base);
        fputc('\n', to);
        otlp__span__free_unpacked(m, NULL);
        at += sizeof size + size;
    }
    free(batch.at);
}

/* ---- records ---- */

static uint8_t frame[8192];
static size_t frame_size;

static void add(const struct saga *saga, struct record r)
{
    r.saga = saga->id;
    r.at = (struct instant){.us = now.us};
    ck_assert_uint_lt(frame_size + codec_record_size_max(&r), sizeof frame);
    frame_size += codec_encode(&r, 0, frame + frame_size);
}

static void observe(void)
{
    static uint64_t number;
    observer_durable(&s, ++number, bytes_of(frame, frame_size));
    fprintf(to, "  bytes of the commit: %zu, records %zu\n", s.commit_bytes, s.commit_records);
    ck_assert_uint_eq(s.durable_frame, number);
    s.commit_bytes = s.commit_records = 0;
    frame_size = 0;
    put_counted();
    put_spans();
    now.us += 250000;
}

static void put_record(const struct saga *saga, struct record r)
{
    fprintf(to, "%s step %d attempt %d status %d reason %d states %d %d %d\n", type_names[r.type], (int16_t)r.step,
            r.attempt, r.status, r.reason, r.action_state, r.compensation_state, r.saga_state);
    add(saga, r);
    observe();
}

#define KIM .actor = bytes_of_text("kim"), .message = bytes_of_text("by \"phone\"")
#define NO  .step = RECORD_NO_STEP

static void put_saga(const struct saga *saga)
{
    const struct retry_policy retry = definition_limits_default().retry.compensation;
    const struct record records[] = {
        {.type = RECORD_STARTED, NO, .mode = saga->mode, .name = saga->name, .traceparent = saga->traceparent},
        {.type = RECORD_ENLISTED,
         .step = 1,
         .step_name = bytes_of_text("b"),
         .call = {.target = "t", .method = "/p.S/B", .source = REQUEST_CONSTANT, .retry = retry}},
        {.type = RECORD_ACTION_STARTED, .attempt = 1},
        {.type = RECORD_UNREACHED, .attempt = 1, .status = 14, .message = bytes_of_text("no connection")},
        {.type = RECORD_ACTION_FAILED, .attempt = 1, .status = 14, .message = bytes_of_text("away\n")},
        {.type = RECORD_ACTION_STARTED, .attempt = 2},
        {.type = RECORD_ACTION_ENDED, .attempt = 2, .action_state = SAGA_ACTION_DONE},
        {.type = RECORD_ACTION_ENDED, .step = 1, .attempt = 1, .action_state = SAGA_ACTION_REJECTED, .status = 9},
        {.type = RECORD_ACTION_ENDED, .step = 1, .attempt = 0, .action_state = SAGA_ACTION_UNKNOWN, .status = 4},
        {.type = RECORD_TURNED_BACK, .step = 1, .reason = REASON_ACTION_REJECTED},
        {.type = RECORD_TURNED_BACK, NO, .reason = REASON_CANCELLED, KIM},
        {.type = RECORD_COMPENSATION_STARTED, .attempt = 1},
        {.type = RECORD_COMPENSATION_FAILED, .attempt = 1, .status = 13, .message = bytes_of_text("locked")},
        {.type = RECORD_COMPENSATION_ENDED, .attempt = 1, .compensation_state = SAGA_COMPENSATION_DONE},
        {.type = RECORD_COMPENSATION_ENDED,
         .step = 1,
         .attempt = 3,
         .status = 13,
         .compensation_state = SAGA_COMPENSATION_FAILED},
        {.type = RECORD_STUCK, .step = 1, .reason = REASON_COMPENSATION_FAILED},
        {.type = RECORD_STUCK, NO, .reason = REASON_COMPENSATION_FAILED},
        {.type = RECORD_PAUSED, NO, KIM},
        {.type = RECORD_RESUMED, NO, KIM},
        {.type = RECORD_RETRIED, .step = 1, KIM},
        {.type = RECORD_SKIPPED, .step = 1, KIM},
        {.type = RECORD_REJECTED, .step = 1, KIM},
        {.type = RECORD_ANSWERED, NO},
        {.type = RECORD_ENDED, NO, .saga_state = SAGA_COMMITTED},
        {.type = RECORD_ENDED, NO, .saga_state = SAGA_COMPENSATED},
        {.type = RECORD_ENDED, NO, .saga_state = SAGA_RESOLVED, KIM},
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        put_record(saga, records[i]);
    /* Why it is stuck is told with the answer before, of this step alone. */
    for (uint16_t of = 0; of < 2; of++) {
        fprintf(to, "the answer of step %d, STUCK at 0\n", of);
        add(saga, (struct record){.type = RECORD_COMPENSATION_ENDED,
                                  .step = of,
                                  .attempt = 5,
                                  .status = 7,
                                  .compensation_state = SAGA_COMPENSATION_FAILED,
                                  .message = bytes_of_text("never")});
        add(saga, (struct record){.type = RECORD_STUCK, .reason = REASON_COMPENSATION_FAILED});
        observe();
    }
    fputs("an act before it is stuck, and a history that is moved\n", to);
    add(saga, (struct record){.type = RECORD_PAUSED, NO});
    add(saga, (struct record){.type = RECORD_STUCK, .reason = REASON_COMPENSATION_FAILED});
    add(saga, (struct record){.type = RECORD_MOVED, NO, .copies = 1});
    add(saga, (struct record){.type = RECORD_ENDED, NO, .saga_state = SAGA_RESOLVED});
    add(saga, (struct record){.type = RECORD_RESUMED, NO});
    observe();
}

/* The engine's own, with what these tests make of it. */
static struct saga *saga_of(uint64_t serial)
{
    union {
        const struct saga *seen;
        struct saga *changed;
    } saga = {.seen = engine_find(core_engine(o.core), serial)};
    ck_assert_ptr_nonnull(saga.seen);
    return saga.changed;
}

static struct saga *begin(const char *definition)
{
    owner_submit_start(&o, 1, definition, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    return saga_of(o.saga.serial);
}

static void put_sagas(void)
{
    struct saga *saga = begin("two");
    saga->started_at = (struct instant){.us = START_US - 1500000};
    saga->steps[0].first_at = (struct instant){.us = START_US - 700000};
    fputs("---- a saga of two steps\n", to);
    put_saga(saga);
    fputs("---- on its way back, with a trace of its own, and a name for its reason\n", to);
    saga->traceparent = bytes_of_text(PARENT);
    saga->reason = REASON_ACTION_REJECTED;
    saga->reason_step = 1;
    saga->stuck_from = SAGA_COMPENSATING;
    saga->steps[1].compensation = SAGA_COMPENSATION_OWED;
    saga->steps[0].compensation = SAGA_COMPENSATION_OWED;
    put_saga(saga);
    fputs("---- stuck on its way ahead, whose trace nobody keeps\n", to);
    saga->traceparent = bytes_of_text("00-0102030405060708090a0b0c0d0e0f10-1112131415161718-00");
    saga->stuck_from = SAGA_RUNNING;
    put_saga(saga);
    fputs("---- a heartbeat\n", to);
    saga->traceparent = bytes_of(NULL, 0);
    saga->synthetic = true;
    put_saga(saga);
    fputs("---- one that is gone\n", to);
    const struct saga gone = {.id = {.tag = 7, .serial = 12345}, .mode = SAGA_ENLISTED, .name = bytes_of_text("gone")};
    put_saga(&gone);
    fputs("---- at info\n", to);
    log_set_level(LOG_LEVEL_INFO);
    saga->synthetic = false;
    put_saga(saga);
    log_set_level(LOG_LEVEL_DEBUG);
}

/* ---- attempts, and what else is counted ---- */

static void put_status(void)
{
    struct arena arena;
    Saga__V1__LoopStatus loop;
    Saga__V1__TargetStatus target;
    arena_init(&arena);
    saga__v1__loop_status__init(&loop);
    saga__v1__target_status__init(&target);
    ck_assert(lately_fill(&s, &arena, &loop) && lately_fill_target(&s, &targets[1], &arena, &target));
    fputs("  loop ", to);
    message_text_put(to, &loop.base);
    fputs("\n  target ", to);
    message_text_put(to, &target.base);
    fputc('\n', to);
    arena_finish(&arena);
}

static void put_attempts(void)
{
    static const struct rpc_answer answers[] = {
        {.reach = SAGA_REACH_ANSWERED, .status = 0},
        {.reach = SAGA_REACH_ANSWERED, .status = 9, .message = {.at = (const uint8_t *)"no", .size = 2}},
        {.reach = SAGA_REACH_ANSWERED, .status = 14, .message = {.at = (const uint8_t *)"away", .size = 4}},
        {.reach = SAGA_REACH_MAYBE, .status = 4},
        {.reach = SAGA_REACH_ANSWERED, .status = 77},
        {.reach = SAGA_REACH_NONE, .status = 14, .unreached = "no route"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (uint8_t phase = SAGA_PHASE_ACTION; phase <= SAGA_PHASE_COMPENSATION; phase++)
            for (uint16_t attempt = 1; attempt < 4; attempt++) {
                struct call_effect call = {.target = 1, .phase = phase, .attempt = attempt, .synthetic = attempt == 3};
                call.definition = bytes_of_text("two");
                call.step_name = bytes_of_text(phase == SAGA_PHASE_ACTION ? "a" : "b");
                call.due_at = (struct instant){.us = now.us - 900000 + 500000 * (i == 3)};
                call.traceparent = bytes_of_text(attempt == 2 ? PARENT : "");
                struct instant left_at = {.us = now.us - 600000 + (int64_t)i * 1000};
                fprintf(to, "an answer: reach %d status %d phase %d attempt %d\n", answers[i].reach, answers[i].status,
                        phase, attempt);
                counters_attempt(&s, &call, left_at, &answers[i]);
                lately_attempt(&s, &call, left_at, &answers[i], now);
                put_counted();
                put_status();
                now.us += 3000000;
            }
}

static struct span synced(struct store *of)
{
    (void)of;
    return (struct span){.us = 1500};
}

#define COUNTED(call) \
    do { \
        fputs(#call "\n", to); \
        call; \
        put_counted(); \
    } while (0)

static void put_others(void)
{
    COUNTED(counters_commit(&s, (struct instant){.us = now.us - 4000}));
    store.synced = synced;
    s.commit_bytes = 5000;
    s.commit_records = 3;
    COUNTED(counters_committing(&s));
    COUNTED(counters_commit(&s, (struct instant){.us = now.us - 4000}));
    COUNTED(counters_frame(&s, 70, 2));
    COUNTED(counters_commit(&s, (struct instant){.us = now.us - 9000}));
    COUNTED(counters_refused(&s, "/saga.v1.SagaService/Start", E_MEMORY));
    COUNTED(counters_breaker(&s, "t", true));
    COUNTED(counters_breaker(&s, "t", false));
    COUNTED(counters_target(&s, "u", 9));
    COUNTED(counters_synthetic(&s, "two", SPAN_S(90)));
    COUNTED(counters_synthetic_missed(&s, "two"));
    COUNTED(counters_synthetic_gone(&s, "two"));
    COUNTED(counters_remedy(&s, "r", "acted"));
    COUNTED(counters_remedy_armed(&s, "r", true));
    COUNTED(counters_remedy_armed(&s, "r", false));
    COUNTED(counters_remedy_gone(&s, "r"));
}

static void put_all(FILE *out)
{
    to = out;
    now.us = START_US;
    log_set_level(LOG_LEVEL_DEBUG);
    owner_open(&o);
    s = (struct loop){.sidecar = &sidecar, .config = &config, .targets = targets, .store = &store, .core = o.core};
    for (unsigned i = 0; i < 2; i++) {
        targets[i] = (struct loop_target){.shared = calloc(1, sizeof *targets[i].shared + 2)};
        targets[i].shared->name[0] = "tu"[i];
    }
    ck_assert(counters_open(&s) == 0 && lately_open(&s) == 0 && tracing_create(&config, &s.tracing) == 0);
    put_sagas();
    put_status();
    put_attempts();
    put_others();
    tracing_destroy(s.tracing);
    lately_close(&s);
    counters_close(&s);
    free(targets[0].shared);
    free(targets[1].shared);
    owner_close(&o);
    free(page);
    page = NULL;
}

START_TEST(runtime__records_and_answers_are_told_so)
{
    kept_text_compare("tests/fixtures/runtime/records.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "told_records", runtime__records_and_answers_are_told_so);
}
