/* When what goes to a collector is sent, sent again and given up: in a time that passes as the thread waits for it, over calls that the test answers. */
#include "sidecar/base/grpc_status.h"
#include "sidecar/observe/log.h"
#include "sidecar/observe/otlp_queue.h"
#include "sidecar/rpc/rpc.h"
#include "sidecar/runtime/exporter.h"
#include "sidecar/runtime/tracing.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOPS = 2, CALLS = 64, LOOK_US = 10000 };

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

static struct rpc_callbacks callbacks;
static void *in_flight;
static struct otlp_queue *queues[LOOPS];
static struct exporter *exporter;
static struct config config;
static int some_room, some_target;

/* The thread's time, and until when it runs by itself: then it waits in truth. */
static _Thread_local bool is_thread;
static int64_t now_us;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t reached = PTHREAD_COND_INITIALIZER;
static int64_t runs_until_us;
static bool rests;

/* ---- tests.mk wraps these ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
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
    if (!is_thread)
        return __real_clock_gettime(clock, t);
    *t = (struct timespec){.tv_sec = (time_t)(now_us / 1000000), .tv_nsec = (long)(now_us % 1000000 * 1000)};
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    if (m == &lock)
        return __real_pthread_cond_timedwait(c, m, until);
    if (!is_thread) { /* the first time: from now on its time is ours */
        is_thread = true;
        now_us = 1000000000;
        return ETIMEDOUT;
    }
    pthread_mutex_lock(&lock);
    bool rest = now_us >= runs_until_us;
    rests = rest;
    pthread_cond_broadcast(&reached);
    pthread_mutex_unlock(&lock);
    if (rest)
        return pthread_cond_wait(c, m);
    int64_t to = (int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000;
    now_us = to > now_us ? to : now_us;
    return ETIMEDOUT;
}

struct otlp_queue *__wrap_tracing_queue(struct tracing *t)
{
    return (struct otlp_queue *)(void *)t;
}

int __wrap_rpc_create(const struct rpc_options *options, const struct rpc_callbacks *c, struct rpc **out)
{
    (void)options;
    callbacks = *c;
    *out = (struct rpc *)(void *)&some_room;
    return 0;
}

int __wrap_rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                             struct error_detail *detail)
{
    (void)r;
    (void)detail;
    ck_assert_str_eq(to->address, "unix:/collector");
    *out = (struct rpc_target *)(void *)&some_target;
    return 0;
}

void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag)
{
    (void)metadata;
    ck_assert_ptr_eq(target, &some_target);
    ck_assert_uint_eq(metadata_count, 0);
    ck_assert_int_eq(timeout.us, SPAN_S(10).us);
    ck_assert_ptr_null(in_flight);
    ck_assert_uint_lt(left_count, CALLS);
    left[left_count].at_us = now_us;
    left[left_count].request = request;
    snprintf(left[left_count].method, sizeof left[left_count].method, "%s", method);
    left[left_count++].size = request.size;
    in_flight = tag;
}

int __wrap_rpc_poll(struct rpc *r, struct span wait)
{
    void *tag = in_flight;
    (void)r;
    now_us += wait.us;
    if (tag == NULL)
        return 0;
    in_flight = NULL;
    size_t at = left_count - 1 < script_count ? left_count - 1 : script_count - 1;
    callbacks.on_answer(callbacks.self, tag, &(struct rpc_answer){.status = script[at]});
    return 1;
}

bool __wrap_rpc_idle(const struct rpc *r)
{
    (void)r;
    return in_flight == NULL;
}

void __wrap_rpc_stop(struct rpc *r)
{
    (void)r;
}

void __wrap_rpc_cancel_all(struct rpc *r)
{
    (void)r;
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
        runs_until_us = 1000000000 + time.us;
        for (unsigned i = 0; i < LOOPS; i++)
            loops[i] = (struct tracing *)(void *)queues[i];
        ck_assert_int_eq(exporter_open(&config, true, &exporter), 0);
        ck_assert_int_eq(exporter_start(exporter, &config, NULL, loops, LOOPS, NULL, &detail), 0);
    }
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
    left_count = 0;
    script_count = 1;
    script[0] = CODE_OK;
}

static void teardown(void)
{
    exporter_close(exporter);
    exporter = NULL;
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

int main(void)
{
    Suite *s = suite_create("exporter");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, exporter__what_cannot_be_sent_is_sent_again_each_time_later_up_to_half_a_minute);
    tcase_add_test(t, exporter__delays_begin_anew);
    tcase_add_loop_test(t, exporter__what_is_retryable_is_sent_again_and_nothing_else, 0, 17);
    tcase_add_loop_test(t, exporter__what_is_left_at_the_end_is_sent_once, 0, 2);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
