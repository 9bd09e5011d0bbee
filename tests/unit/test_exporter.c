/* When what goes to a collector is sent, sent again and given up: in a time that passes as the thread waits for it, over calls that the test answers. */
#include "sidecar/base/grpc_status.h"
#include "sidecar/observe/log.h"
#include "sidecar/observe/metrics.h"
#include "sidecar/observe/otlp_queue.h"
#include "sidecar/observe/panel.h"
#include "sidecar/rpc/rpc.h"
#include "sidecar/runtime/exporter.h"
#include "sidecar/runtime/tracing.h"

#include "opentelemetry/otlp.pb-c.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOPS = 2, CALLS = 64, SIGNALS = 3, LOOK_US = 10000, BEGUN_US = 1000000000 };

/* What left, in the thread's time, and how each is answered: by the script, whose last status is every later one's. */
static struct {
    int64_t at_us;
    char method[96];
    struct bytes request;
    size_t size;
} left[CALLS];
static size_t left_count;
static int script[CALLS];
static size_t script_count;
static struct bytes said; /* in every answer that is OK */

static struct rpc_callbacks callbacks;
static struct {
    void *tag;
    size_t call;
} in_flight[SIGNALS];
static size_t in_flight_count;
static bool silent, cancelled,
    stopped; /* the collector answers nothing; what it does not was cancelled; nothing new leaves */
static struct otlp_queue *queues[LOOPS];
static struct exporter *exporter;
static char words[4096]; /* of the log */
static struct config config;
static struct panel *panel;  /* NULL: nobody counts */
static struct metrics *many; /* series, or NULL */
static bool of_a_guest;
static int some_room, some_target;
static int room_fails, target_fails; /* with these codes */
static struct rpc_options room;      /* as it was made */

/* The thread's time, and until when it runs by itself: then it waits in truth. */
static _Thread_local bool is_thread, begins;
static int64_t now_us;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t reached = PTHREAD_COND_INITIALIZER;
static int64_t runs_until_us;
static bool rests;
static pthread_cond_t *rest_on; /* where it waits in truth */
static pthread_mutex_t *rest_with;
static bool keeps_time; /* it waits in truth, for a moment, */
static int64_t late_us; /* which was by so much longer than it was to be */

/* ---- tests.mk wraps these ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);
void __real_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);
struct otlp_queue *__wrap_tracing_queue(struct tracing *t);
int __wrap_rpc_create(const struct rpc_options *options, const struct rpc_callbacks *c, struct rpc **out);
int __wrap_rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                             struct error_detail *detail);
void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag);
int __wrap_rpc_poll(struct rpc *r, struct span wait);
bool __wrap_rpc_idle(const struct rpc *r);
void __wrap_rpc_stop(struct rpc *r);
void __wrap_rpc_cancel_all(struct rpc *r);
void __wrap_rpc_destroy(struct rpc *r);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    if (begins) /* what is due first is due by its time, too */
        now_us = BEGUN_US;
    else if (!is_thread)
        return __real_clock_gettime(clock, t);
    *t = (struct timespec){.tv_sec = (time_t)(now_us / 1000000), .tv_nsec = (long)(now_us % 1000000 * 1000)};
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    if (m == &lock)
        return __real_pthread_cond_timedwait(c, m, until);
    if (keeps_time) {
        struct timespec soon, now;
        __real_clock_gettime(CLOCK_MONOTONIC, &soon);
        soon.tv_nsec += 20000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        while (__real_pthread_cond_timedwait(c, m, &soon) != ETIMEDOUT)
            ;
        __real_clock_gettime(CLOCK_MONOTONIC, &now);
        late_us = (now.tv_sec - soon.tv_sec) * 1000000 + (now.tv_nsec - soon.tv_nsec) / 1000;
        keeps_time = false;
    }
    if (!is_thread) { /* the first time: from now on its time is ours */
        is_thread = true;
        now_us = BEGUN_US;
        return ETIMEDOUT;
    }
    pthread_mutex_lock(&lock);
    bool rest = now_us >= runs_until_us;
    rests = rest;
    rest_on = c;
    rest_with = m;
    pthread_cond_broadcast(&reached);
    pthread_mutex_unlock(&lock);
    if (rest)
        return pthread_cond_wait(c, m);
    int64_t to = (int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000;
    now_us = to > now_us ? to : now_us;
    return ETIMEDOUT;
}

/* What the exporter says of itself. */
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    if (is_thread) {
        log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, fields, count, line);
        strncat(words, strchr(line, ' ') + 1, sizeof words - 1 - strlen(words));
    }
    __real_log_write(level, text, fields, count);
}

struct otlp_queue *__wrap_tracing_queue(struct tracing *t)
{
    return (struct otlp_queue *)(void *)t;
}

int __wrap_rpc_create(const struct rpc_options *options, const struct rpc_callbacks *c, struct rpc **out)
{
    if (room_fails != 0)
        return room_fails;
    room = *options;
    callbacks = *c;
    *out = (struct rpc *)(void *)&some_room;
    return 0;
}

int __wrap_rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                             struct error_detail *detail)
{
    (void)r;
    ck_assert_str_eq(to->address, "unix:/collector");
    if (target_fails != 0)
        return error_set(detail, target_fails, "address", "is too long");
    *out = (struct rpc_target *)(void *)&some_target;
    return 0;
}

static uint64_t metrics_at_ns; /* of the last that left */

/* When the first number of the first metric was so. */
static uint64_t told_at_ns(struct bytes request)
{
    Otlp__ExportRequest *all = otlp__export_request__unpack(NULL, request.size, request.at);
    ck_assert_ptr_nonnull(all);
    ck_assert(all->n_resource_items == 1 && all->resource_items[0]->n_scope_items == 1);
    ProtobufCBinaryData item = all->resource_items[0]->scope_items[0]->items[0];
    Otlp__Metric *m = otlp__metric__unpack(NULL, item.len, item.data);
    ck_assert_ptr_nonnull(m);
    item = m->data_case == OTLP__METRIC__DATA_SUM ? m->sum->data_points[0] : m->gauge->data_points[0];
    Otlp__NumberDataPoint *point = otlp__number_data_point__unpack(NULL, item.len, item.data);
    ck_assert_ptr_nonnull(point);
    uint64_t ns = point->time_unix_nano;
    otlp__number_data_point__free_unpacked(point, NULL);
    otlp__metric__free_unpacked(m, NULL);
    otlp__export_request__free_unpacked(all, NULL);
    return ns;
}

void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag)
{
    (void)metadata;
    ck_assert_ptr_eq(target, &some_target);
    ck_assert_uint_eq(metadata_count, 0);
    ck_assert_int_eq(timeout.us, SPAN_S(10).us);
    for (size_t i = 0; i < in_flight_count; i++)
        ck_assert_ptr_ne(in_flight[i].tag, tag); /* one request of each at a time */
    ck_assert_uint_lt(left_count, CALLS);
    left[left_count].at_us = now_us;
    left[left_count].request = request;
    snprintf(left[left_count].method, sizeof left[left_count].method, "%s", method);
    if (strstr(method, "MetricsService") != NULL)
        metrics_at_ns = told_at_ns(request);
    in_flight[in_flight_count].tag = tag;
    in_flight[in_flight_count++].call = left_count;
    left[left_count++].size = request.size;
}

int __wrap_rpc_poll(struct rpc *r, struct span wait)
{
    (void)r;
    now_us += wait.us;
    if (in_flight_count == 0 || (silent && !cancelled))
        return 0;
    void *tag = in_flight[0].tag;
    size_t at = in_flight[0].call < script_count ? in_flight[0].call : script_count - 1;
    memmove(in_flight, in_flight + 1, --in_flight_count * sizeof *in_flight);
    callbacks.on_answer(callbacks.self, tag, &(struct rpc_answer){.status = script[at], .output = said});
    return 1;
}

bool __wrap_rpc_idle(const struct rpc *r)
{
    (void)r;
    return in_flight_count == 0;
}

void __wrap_rpc_stop(struct rpc *r)
{
    (void)r;
    stopped = true;
}

void __wrap_rpc_cancel_all(struct rpc *r)
{
    (void)r;
    ck_assert(stopped);
    cancelled = true;
}

void __wrap_rpc_destroy(struct rpc *r)
{
    (void)r;
}

/* ---- a world ---- */

static void add(unsigned loop)
{
    Otlp__KeyValue item = OTLP__KEY_VALUE__INIT;
    item.key = (char *)(uintptr_t) "of a test";
    ck_assert(otlp_queue_add(queues[loop], &item.base));
}

/* The exporter has begun when this is called first; then its thread goes on for so long of its time, and rests. */
static void run_for(struct span time)
{
    static struct tracing *loops[LOOPS];
    struct error_detail detail;
    if (exporter == NULL) {
        runs_until_us = BEGUN_US + time.us;
        for (unsigned i = 0; i < LOOPS; i++)
            loops[i] = (struct tracing *)(void *)queues[i];
        ck_assert_int_eq(exporter_open(&config, of_a_guest, &exporter), 0);
        begins = true;
        ck_assert_int_eq(exporter_start(exporter, &config, NULL, loops, LOOPS, panel, &detail), 0);
        begins = false;
    }
    pthread_mutex_lock(&lock);
    while (!rests)
        pthread_cond_wait(&reached, &lock);
    pthread_mutex_unlock(&lock);
}

/* It goes on for so long. */
static void go_on(int64_t us)
{
    pthread_mutex_lock(&lock);
    runs_until_us += us;
    rests = false;
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(rest_with);
    pthread_cond_signal(rest_on);
    pthread_mutex_unlock(rest_with);
    pthread_mutex_lock(&lock);
    while (!rests)
        pthread_cond_wait(&reached, &lock);
    pthread_mutex_unlock(&lock);
}

static void setup(void)
{
    log_open(&(struct log_options){.level = LOG_LEVEL_ERROR, .fd = 2});
    config = (struct config){.otlp_endpoint = "unix:/collector"};
    for (unsigned i = 0; i < LOOPS; i++)
        ck_assert_int_eq(otlp_queue_create(1 << 16, &queues[i]), 0);
    of_a_guest = true;
    left_count = 0;
    script_count = 1;
    script[0] = CODE_OK;
    words[0] = '\0';
}

static void teardown(void)
{
    exporter_close(exporter);
    exporter = NULL;
    panel_destroy(panel);
    panel = NULL;
    metrics_destroy(many);
    many = NULL;
    for (unsigned i = 0; i < LOOPS; i++)
        otlp_queue_destroy(queues[i]);
}

START_TEST(exporter__what_cannot_be_sent_is_sent_again_each_time_later_up_to_half_a_minute)
{
    static const int64_t delays_s[] = {1, 2, 4, 8, 16, 30, 30, 30};
    enum { DELAYS = sizeof delays_s / sizeof delays_s[0] };
    script_count = DELAYS + 1;
    for (int i = 0; i < DELAYS; i++)
        script[i] = CODE_UNAVAILABLE;
    script[DELAYS] = CODE_OK;
    add(0);
    run_for(SPAN_S(300));
    ck_assert_uint_eq(left_count, DELAYS + 1); /* and once it was taken, no more */
    for (int i = 0; i < DELAYS; i++) {
        ck_assert_int_eq(left[i + 1].at_us - left[i].at_us, delays_s[i] * 1000000 + LOOK_US);
        ck_assert_uint_eq(left[i + 1].size, left[0].size);
        ck_assert_ptr_eq(left[i + 1].request.at, left[0].request.at); /* the same one */
    }
    ck_assert_ptr_nonnull(strstr(left[0].method, "TraceService/Export"));
    teardown();
}
END_TEST

/* After one that was taken the next begins with the first delay. */
START_TEST(exporter__delays_begin_anew)
{
    static const int statuses[] = {CODE_UNAVAILABLE, CODE_UNAVAILABLE, CODE_OK, CODE_UNAVAILABLE, CODE_OK};
    script_count = 5;
    memcpy(script, statuses, sizeof statuses);
    add(0);
    add(1);
    run_for(SPAN_S(60));
    ck_assert_uint_eq(left_count, 5);
    ck_assert_int_eq(left[2].at_us - left[1].at_us, 2000000 + LOOK_US);
    ck_assert_int_eq(left[3].at_us - left[2].at_us, LOOK_US); /* the other loop's, at once */
    ck_assert_int_eq(left[4].at_us - left[3].at_us, 1000000 + LOOK_US);
    teardown();
}
END_TEST

/* One line when sending fails, however often, and one when it goes again. */
START_TEST(exporter__a_failure_and_its_end_are_told_once)
{
    static const int statuses[] = {CODE_OK, CODE_UNAVAILABLE, CODE_INTERNAL, CODE_UNAVAILABLE, CODE_OK, CODE_OK};
    script_count = 6;
    memcpy(script, statuses, sizeof statuses);
    for (unsigned i = 0; i < 2; i++)
        add(i);
    run_for(SPAN_S(5));
    ck_assert_uint_eq(left_count, 3);
    add(0);
    go_on(5000000);
    add(0);
    go_on(5000000);
    ck_assert_uint_eq(left_count, 6);
    ck_assert_str_eq(words, "level=warn msg=\"traces cannot be sent: what comes is kept as far as there is room, then "
                            "dropped\" status=UNAVAILABLE text=\"\" unreached=\"\"\n"
                            "level=info msg=\"traces are sent again\" lost=1\n");
    teardown();
}
END_TEST

/* A start that fails for its collector says which option that is of, and why. */
START_TEST(exporter__a_collector_that_cannot_be_had_is_told)
{
    struct error_detail detail = {.text = "what was there before"};
    ck_assert_int_eq(exporter_open(&config, true, &exporter), 0);
    target_fails = E_ARGUMENT;
    ck_assert_int_eq(exporter_start(exporter, &config, NULL, NULL, 0, NULL, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "otlp_endpoint");
    ck_assert_str_eq(detail.text, "is too long");
    room_fails = E_MEMORY;
    ck_assert_int_eq(exporter_start(exporter, &config, NULL, NULL, 0, NULL, &detail), E_MEMORY);
    ck_assert_str_eq(detail.field, "");
    ck_assert_str_eq(detail.text, "");
}
END_TEST

/* Its connection is kept as those of targets are. */
START_TEST(exporter__the_connection_is_kept_as_configured)
{
    config.keepalive_time = SPAN_S(41);
    config.keepalive_timeout = SPAN_S(42);
    run_for((struct span){0});
    ck_assert_int_eq(room.keepalive_time.us, SPAN_S(41).us);
    ck_assert_int_eq(room.keepalive_timeout.us, SPAN_S(42).us);
    ck_assert(room.connect_timeout.us > 0 && room.connect_timeout.us <= SPAN_S(10).us);
    ck_assert(room.message_bytes_max > 0 && room.metadata_bytes_max > 0 && room.method_count == 0);
}
END_TEST

/* Whatever time of day somebody sets meanwhile. */
START_TEST(exporter__its_rests_are_as_long_as_they_are_to_be)
{
    keeps_time = true;
    late_us = -1;
    run_for(SPAN_S(1));
    ck_assert_int_ge(late_us, 0);
    teardown();
}
END_TEST

/* By the words of the protocol; the rest is given up, and what comes next is sent. */
START_TEST(exporter__what_is_retryable_is_sent_again_and_nothing_else)
{
    static const bool again[17] = {
        [CODE_CANCELLED] = true,         [CODE_DEADLINE_EXCEEDED] = true, [CODE_ABORTED] = true,
        [CODE_OUT_OF_RANGE] = true,      [CODE_UNAVAILABLE] = true,       [CODE_DATA_LOSS] = true,
        [CODE_RESOURCE_EXHAUSTED] = true};
    script_count = 2;
    script[0] = _i;
    script[1] = CODE_OK;
    add(0);
    add(1);
    run_for(SPAN_S(10));
    ck_assert_uint_eq(left_count, again[_i] ? 3 : 2);
    ck_assert_int_eq(left[1].at_us - left[0].at_us, LOOK_US + (again[_i] ? 1000000 : _i == CODE_OK ? 0 : 500000));
    teardown();
}
END_TEST

START_TEST(exporter__what_is_left_at_the_end_is_sent_once)
{
    run_for(SPAN_S(2));
    ck_assert_uint_eq(left_count, 0);
    script[0] = _i == 0 ? CODE_OK : CODE_UNAVAILABLE;
    add(0);
    add(1);
    teardown();
    ck_assert_uint_eq(left_count, _i == 0 ? LOOPS : 1); /* a collector that is not there is asked once */
}
END_TEST

/* A collector that says nothing holds nobody up for long: what is under way is cancelled. */
START_TEST(exporter__a_silent_collector_holds_up_no_end)
{
    run_for(SPAN_S(2));
    int64_t before = now_us;
    silent = true;
    script[0] = CODE_CANCELLED;
    add(0);
    teardown();
    ck_assert_uint_eq(left_count, 1);
    ck_assert(cancelled && in_flight_count == 0);
    ck_assert_int_ge(now_us, before + 1000000);
    ck_assert_int_le(now_us, before + 1200000);
}
END_TEST

/* ---- what is counted ---- */

/* Of the counter `name` of a signal; -1: it has no such series. */
static long counted(const char *name, const char *signal)
{
    struct metrics *all[PANEL_METRICS_MAX];
    char *text, what[96];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(metrics_write(all, panel_metrics(panel, all), METRICS_PROMETHEUS, out), 0);
    fclose(out);
    snprintf(what, sizeof what, "\nsagad_otlp_%s_total{signal=\"%s\"} ", name, signal);
    const char *at = strstr(text, what);
    long count = at == NULL ? -1 : atol(at + strlen(what));
    free(text);
    return count;
}

static void watch(void)
{
    ck_assert_int_eq(metrics_create(10000, &many), 0);
    ck_assert_int_eq(panel_create("1.2.3", &panel), 0);
    panel_add_guests(panel, &many, 1);
}

/* As many as find room, and so many more. */
static void fill(unsigned loop, unsigned more)
{
    Otlp__KeyValue item = OTLP__KEY_VALUE__INIT;
    item.key = (char *)(uintptr_t) "of a test";
    while (otlp_queue_add(queues[loop], &item.base))
        ;
    for (unsigned i = 1; i < more; i++)
        ck_assert(!otlp_queue_add(queues[loop], &item.base));
}

START_TEST(exporter__what_finds_no_room_is_lost_in_every_loop)
{
    watch();
    fill(0, 2);
    fill(1, 5);
    run_for(SPAN_S(3));
    ck_assert_int_eq(counted("lost", "traces"), 7);
    ck_assert_int_gt(counted("sent", "traces"), 100);
    teardown();
}
END_TEST

/* Of what the collector has taken some may be left out; what it refuses for good is lost as a whole, once. */
START_TEST(exporter__what_was_not_taken_is_lost)
{
    Otlp__PartialSuccess partly = OTLP__PARTIAL_SUCCESS__INIT;
    Otlp__ExportResponse response = OTLP__EXPORT_RESPONSE__INIT;
    uint8_t packed[64];
    partly.rejected = 2;
    response.partial_success = &partly;
    watch();
    said = bytes_of(packed, otlp__export_response__pack(&response, packed));
    for (int i = 0; i < 5; i++)
        add(0);
    for (int i = 0; i < 4; i++)
        add(1);
    script_count = 3;
    script[0] = CODE_OK;
    script[1] = CODE_UNAVAILABLE;
    script[2] = CODE_INVALID_ARGUMENT;
    run_for(SPAN_S(10));
    ck_assert_uint_eq(left_count, 3);
    ck_assert_int_eq(counted("sent", "traces"), 3);
    ck_assert_int_eq(counted("lost", "traces"), 2 + 4);
    teardown();
}
END_TEST

/* That a part was left out is told once, until all was taken; a word of the collector's alone is told, too. */
START_TEST(exporter__what_is_left_out_is_told_once)
{
    static const struct {
        int64_t rejected;
        const char *text;
    } answers[] = {{1, "too old"}, {1, ""}, {0, ""}, {0, "soon no more"}, {0, ""}};
    uint8_t packed[64];
    script_count = 0;
    run_for(SPAN_S(1));
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        Otlp__PartialSuccess partly = OTLP__PARTIAL_SUCCESS__INIT;
        Otlp__ExportResponse response = OTLP__EXPORT_RESPONSE__INIT;
        partly.rejected = answers[i].rejected;
        partly.error_message = (char *)(uintptr_t)answers[i].text;
        response.partial_success = &partly;
        said = bytes_of(packed, otlp__export_response__pack(&response, packed));
        script_count = left_count + 1;
        script[left_count] = CODE_OK;
        add(0);
        go_on(5000000);
    }
    ck_assert_uint_eq(left_count, sizeof answers / sizeof *answers);
    ck_assert_str_eq(words,
                     "level=warn msg=\"the collector did not take all traces\" not_taken=1 of=1 text=\"too old\"\n"
                     "level=warn msg=\"the collector did not take all traces\" not_taken=0 of=1 "
                     "text=\"soon no more\"\n");
    teardown();
}
END_TEST

/* The log's lines that find no room; those of the exporter's own thread are none of its business. */
START_TEST(exporter__lines_that_find_no_room_are_lost)
{
    int nowhere = open("/dev/null", O_WRONLY);
    log_open(&(struct log_options){.level = LOG_LEVEL_DEBUG, .fd = nowhere});
    watch();
    of_a_guest = false;
    config.otlp_logs = true;
    script[0] = CODE_UNAVAILABLE;
    add(0); /* what cannot be sent is logged by its thread */
    run_for(SPAN_S(3));
    ck_assert_int_eq(counted("sent", "logs"), 0);
    ck_assert_int_eq(counted("lost", "logs"), 0);
    for (size_t i = 0; i < left_count; i++)
        ck_assert_ptr_null(strstr(left[i].method, "LogsService"));
    char text[256];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 5000; i++)
        log_event(LOG_LEVEL_DEBUG, "a line of a test", LOG_BYTES("text", bytes_of(text, sizeof text)));
    script_count = left_count + 1;
    script[left_count] = CODE_OK;
    for (size_t i = 0; i < left_count; i++)
        script[i] = CODE_UNAVAILABLE;
    go_on(SPAN_S(60).us);
    long sent = counted("sent", "logs");
    ck_assert_int_gt(sent, 1000);
    ck_assert_int_eq(sent + counted("lost", "logs"), 5000);
    teardown();
}
END_TEST

/* Those of a guest's loop are the sidecar's own already. */
START_TEST(exporter__lines_go_where_they_are_wanted)
{
    static const struct {
        bool guest, wanted;
        unsigned sent;
    } rows[] = {{true, true, 0}, {true, false, 0}, {false, false, 0}, {false, true, 1}};
    of_a_guest = rows[_i].guest;
    config.otlp_logs = rows[_i].wanted;
    run_for(SPAN_S(1));
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = 2});
    log_event(LOG_LEVEL_INFO, "a line of a test", LOG_NUMBER("n", 1));
    go_on(SPAN_S(3).us);
    ck_assert_uint_eq(left_count, rows[_i].sent);
    ck_assert(left_count == 0 || strstr(left[0].method, "LogsService/Export") != NULL);
    log_event(LOG_LEVEL_INFO, "the last line of a test", LOG_NUMBER("n", 2)); /* which leaves at the end */
    teardown();
    ck_assert_uint_eq(left_count, 2 * rows[_i].sent);
    log_event(LOG_LEVEL_INFO, "a line that nobody takes any more", LOG_NUMBER("n", 3));
}
END_TEST

/* ---- metrics: a telling of several parts ---- */

static void count_many(void)
{
    char name[METRIC_LABEL_BYTES + 1];
    watch();
    for (int i = 0; i < 8000; i++) {
        snprintf(name, sizeof name, "%0120d", i);
        metrics_add(many, METRIC_SAGAS_STARTED,
                    (struct metric_labels){{bytes_of_text(name), bytes_of_text("enlisted")}}, 1);
    }
    config.otlp_metrics_interval = SPAN_S(10);
}

/* The next telling makes up for one that was not taken; of that all is lost, also what had not left. */
START_TEST(exporter__a_telling_that_is_refused_is_lost_as_a_whole)
{
    count_many();
    run_for(SPAN_MS(15000));
    size_t parts = left_count;
    long all = counted("sent", "metrics");
    ck_assert_uint_gt(parts, 2);
    ck_assert_int_gt(all, 8000);
    ck_assert_int_eq(counted("lost", "metrics"), 0);
    /* One is refused, and in the next the second part. */
    script_count = parts + 4;
    script[parts] = script[parts + 2] = CODE_UNAVAILABLE;
    for (size_t i = 0; i < parts; i++)
        script[i] = CODE_OK;
    script[parts + 1] = script[parts + 3] = CODE_OK;
    go_on(SPAN_S(10).us);
    ck_assert_uint_eq(left_count, parts + 1);
    long lost = counted("lost", "metrics");
    ck_assert_int_ge(lost, all);
    ck_assert_int_eq(counted("sent", "metrics"), all);
    go_on(SPAN_S(10).us);
    ck_assert_uint_eq(left_count, parts + 3);
    long taken = counted("sent", "metrics") - all;
    ck_assert_int_gt(taken, 1000);
    ck_assert_int_ge(counted("lost", "metrics") - lost + taken, all);
    ck_assert_int_le(counted("lost", "metrics") - lost + taken, all + 8); /* its own series have come to it */
    go_on(SPAN_S(10).us);
    ck_assert_uint_eq(left_count, 2 * parts + 3);
    ck_assert_int_eq(left[parts + 1].at_us - left[parts].at_us, SPAN_S(10).us);
    teardown();
}
END_TEST

/* At the end all is told anew, also when a telling is under way. */
START_TEST(exporter__the_last_telling_is_whole)
{
    count_many();
    run_for(SPAN_MS(15000));
    size_t parts = left_count;
    go_on(left[0].at_us + SPAN_S(10).us - (BEGUN_US + SPAN_MS(15000).us)); /* the first part of the second has left */
    ck_assert_uint_eq(left_count, parts + 1);
    teardown();
    ck_assert_uint_eq(left_count, 2 * parts + 1);
}
END_TEST

/* To the microsecond, at a time that is no whole second. */
START_TEST(exporter__numbers_are_of_the_time_at_which_they_leave)
{
    begins = true; /* the panel's time is the thread's */
    watch();
    begins = false;
    metrics_add(many, METRIC_SAGAS_STARTED, (struct metric_labels){{bytes_of_text("order"), bytes_of_text("enlisted")}},
                1);
    config.otlp_metrics_interval = (struct span){.us = 10234567};
    run_for(SPAN_MS(15000));
    ck_assert_uint_eq(left_count, 1);
    ck_assert_int_ne(left[0].at_us % 1000, 0);
    ck_assert_uint_eq(metrics_at_ns, (uint64_t)left[0].at_us * 1000);
    teardown();
}
END_TEST

static unsigned asked; /* for fresh numbers */
static struct vitals vitals;

static void wake(void *self)
{
    (void)self;
    asked++;
    vitals_tell(&vitals, 0);
}

/* Of a loop that runs fresh numbers are told; one that has ended has said its last. What was told is not told again while others are still under way. */
START_TEST(exporter__the_end_is_told_once)
{
    static struct vitals *const all[] = {&vitals};
    unsigned tellings = 0;
    watch();
    vitals = (struct vitals){.metrics = many, .wake = wake};
    panel_watch(panel, all, 1);
    config.otlp_metrics_interval = SPAN_S(10);
    run_for(SPAN_MS(15000));
    ck_assert_uint_eq(left_count, 1);
    ck_assert_uint_eq(asked, 1);
    for (unsigned i = 0; i < LOOPS; i++)
        add(i);
    teardown();
    for (size_t i = 1; i < left_count; i++)
        tellings += strstr(left[i].method, "MetricsService") != NULL;
    ck_assert_uint_eq(left_count, 1 + LOOPS + 1);
    ck_assert_uint_eq(tellings, 1);
    ck_assert_uint_eq(asked, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exporter");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, exporter__what_cannot_be_sent_is_sent_again_each_time_later_up_to_half_a_minute);
    tcase_add_test(t, exporter__a_failure_and_its_end_are_told_once);
    tcase_add_test(t, exporter__delays_begin_anew);
    tcase_add_loop_test(t, exporter__what_is_retryable_is_sent_again_and_nothing_else, 0, 17);
    tcase_add_test(t, exporter__a_collector_that_cannot_be_had_is_told);
    tcase_add_test(t, exporter__its_rests_are_as_long_as_they_are_to_be);
    tcase_add_test(t, exporter__the_connection_is_kept_as_configured);
    tcase_add_loop_test(t, exporter__what_is_left_at_the_end_is_sent_once, 0, 2);
    tcase_add_test(t, exporter__a_silent_collector_holds_up_no_end);
    tcase_add_test(t, exporter__what_finds_no_room_is_lost_in_every_loop);
    tcase_add_test(t, exporter__what_was_not_taken_is_lost);
    tcase_add_test(t, exporter__what_is_left_out_is_told_once);
    tcase_add_test(t, exporter__lines_that_find_no_room_are_lost);
    tcase_add_loop_test(t, exporter__lines_go_where_they_are_wanted, 0, 4);
    tcase_add_test(t, exporter__a_telling_that_is_refused_is_lost_as_a_whole);
    tcase_add_test(t, exporter__the_last_telling_is_whole);
    tcase_add_test(t, exporter__numbers_are_of_the_time_at_which_they_leave);
    tcase_add_test(t, exporter__the_end_is_told_once);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
