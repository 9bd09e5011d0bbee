/* exporter.c - the thread that sends spans to a collector (OTLP over gRPC): a client like any other, one request at a time.
 *
 * What the protocol calls retryable is sent again, each time later; meanwhile the loops' queues fill, and then they drop.
 *
 * The thread sleeps on a lock of its own, never in gRPC: C core has one epoll set for all threads, and whoever waits in it takes the loops'
 * events in and has to wake them (seen: 1.6 times the CPU a saga). While a call is out it looks now and then, without waiting. */
#include "sidecar/runtime/tracing.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/observe/log.h"
#include "sidecar/rpc/rpc.h"
#include "sidecar/runtime/release.h"
#include "sidecar/runtime/tracing_inside.h"
#include "sidecar/runtime/trust.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SEND_EVERY_US  INT64_C(500000) /* what has gathered until then goes in one request */
#define CALL_TIMEOUT   SPAN_S(10)
#define LOOK_EVERY_US  INT64_C(10000) /* while a call is out */
#define RETRY_FIRST_US INT64_C(1000000)
#define RETRY_LAST_US  INT64_C(30000000)
#define LAST_US        INT64_C(1000000) /* what is left at the end is given so long */
#define CUT_US         INT64_C(1000000) /* and what is then cancelled, so long to end */
#define CONNECT        SPAN_S(5)
#define ANSWER_MAX     65536 /* nothing in it is of interest but that it is there */
#define METADATA_MAX   16384
#define INSTANCE_SIZE  256

struct exporter {
    struct rpc *rpc;
    struct rpc_target *collector;
    struct tracing *const *loops;
    unsigned loop_count, next;
    struct span_batch batch;
    struct bytes request; /* of the batch; at NULL: nothing is being sent */
    int64_t send_at, retry_us;
    uint64_t lost;
    bool in_flight, failing;
    char instance[INSTANCE_SIZE];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* under the lock */
    pthread_t thread;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The batch is done with, sent or lost. */
static void forget(struct exporter *e)
{
    free((void *)(uintptr_t)e->request.at);
    e->request = bytes_of(NULL, 0);
    e->batch.size = e->batch.count = 0;
    e->retry_us = 0;
}

/* Takes what the next loop that has something has gathered. */
static void gather(struct exporter *e)
{
    for (unsigned i = 0; i < e->loop_count && e->batch.count == 0; i++) {
        spans_take(tracing_spans(e->loops[e->next]), &e->batch);
        e->next = (e->next + 1) % e->loop_count;
    }
    if (e->batch.count > 0 && spans_request(&e->batch, e->instance, sagad_version, &e->request) != 0) {
        e->lost += e->batch.count;
        forget(e);
    }
}

static void send_next(struct exporter *e)
{
    if (e->request.at == NULL)
        gather(e);
    if (e->request.at == NULL) {
        e->send_at = now_us() + SEND_EVERY_US;
        return;
    }
    e->in_flight = true;
    rpc_call_out(e->collector, SPANS_EXPORT_PATH, NULL, 0, e->request, CALL_TIMEOUT, e);
}

/* https://opentelemetry.io/docs/specs/otlp/#failures */
static bool is_retryable(int status)
{
    return status == CODE_CANCELLED || status == CODE_DEADLINE_EXCEEDED || status == CODE_ABORTED ||
           status == CODE_OUT_OF_RANGE || status == CODE_UNAVAILABLE || status == CODE_DATA_LOSS ||
           status == CODE_RESOURCE_EXHAUSTED;
}

static void tell(struct exporter *e, const struct rpc_answer *answer)
{
    bool failing = answer->status != 0;
    if (failing && !e->failing)
        log_event(LOG_LEVEL_WARN, "traces cannot be sent: what comes is kept as far as there is room, then dropped",
                  LOG_TEXT("status", grpc_status_name((uint8_t)answer->status)), LOG_BYTES("text", answer->message),
                  LOG_TEXT("unreached", answer->unreached == NULL ? "" : answer->unreached));
    else if (!failing && e->failing)
        log_event(LOG_LEVEL_INFO, "traces are sent again", LOG_NUMBER("lost", e->lost));
    e->failing = failing;
}

static void on_answer(void *self, void *tag, const struct rpc_answer *answer)
{
    struct exporter *e = self;
    CHECK(tag == e && e->in_flight);
    e->in_flight = false;
    tell(e, answer);
    if (answer->status == 0) {
        forget(e);
        e->send_at = now_us(); /* the next loop's, if there is any */
    } else if (is_retryable(answer->status)) {
        e->retry_us = e->retry_us == 0                  ? RETRY_FIRST_US
                      : e->retry_us * 2 < RETRY_LAST_US ? e->retry_us * 2
                                                        : RETRY_LAST_US;
        e->send_at = now_us() + e->retry_us;
    } else {
        e->lost += e->batch.count;
        forget(e);
        e->send_at = now_us() + SEND_EVERY_US;
    }
}

/* Its next try comes by the clock. */
static void on_reachable(void *self, unsigned number)
{
    (void)self;
    (void)number;
}

/* Sleeps so long, or until it is to stop; whether it is. */
static bool rest(struct exporter *e, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += us / 1000000;
    until.tv_nsec += us % 1000000 * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&e->lock);
    while (!e->stop && pthread_cond_timedwait(&e->wake, &e->lock, &until) == 0)
        ;
    bool stop = e->stop;
    pthread_mutex_unlock(&e->lock);
    return stop;
}

static void look(struct exporter *e)
{
    while (rpc_poll(e->rpc, (struct span){0}) > 0)
        ;
}

/* The loops have ended: now it may wait in gRPC. */
static void finish(struct exporter *e)
{
    int64_t until = now_us() + LAST_US;
    do {
        if (!e->in_flight && !e->failing)
            send_next(e);
        if (!e->in_flight)
            break;
        rpc_poll(e->rpc, SPAN_MS(50));
    } while (now_us() < until);
    rpc_stop(e->rpc);
    rpc_cancel_all(e->rpc);
    until = now_us() + CUT_US;
    while (!rpc_idle(e->rpc) && now_us() < until)
        rpc_poll(e->rpc, SPAN_MS(50));
    look(e);
}

static void *run(void *self)
{
    struct exporter *e = self;
    int64_t wait = 0;
    while (!rest(e, wait < 0 ? 0 : wait)) {
        look(e);
        if (!e->in_flight && now_us() >= e->send_at)
            send_next(e);
        wait = e->in_flight ? LOOK_EVERY_US : e->send_at - now_us();
    }
    finish(e);
    return NULL;
}

int exporter_open(const struct config *config, struct certificates *certificates, struct tracing *const *loops,
                  unsigned count, struct exporter **out, struct error_detail *detail)
{
    *out = NULL;
    if (config->otlp_endpoint[0] == '\0')
        return 0;
    struct exporter *e = calloc(1, sizeof *e);
    if (e == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    const struct rpc_options options = {
        .message_bytes_max = ANSWER_MAX,
        .keepalive_time = config->keepalive_time,
        .keepalive_timeout = config->keepalive_timeout,
        .connect_timeout = CONNECT,
        .metadata_bytes_max = METADATA_MAX,
    };
    const struct rpc_callbacks callbacks = {.on_answer = on_answer, .on_reachable = on_reachable, .self = e};
    const struct config_target at = {.name = "otlp_endpoint", .address = config->otlp_endpoint, .identity = ""};
    const struct transport_credentials credentials = trust_of_target(&at, certificates);
    const struct rpc_peer_address to = {
        .address = at.address, .credentials = &credentials, .policy = SPREAD_PICK_FIRST};
    e->loops = loops;
    e->loop_count = count;
    if (gethostname(e->instance, sizeof e->instance - 1) != 0)
        e->instance[0] = '\0';
    int code = rpc_create(&options, &callbacks, &e->rpc);
    if (code == 0)
        code = rpc_target_create(e->rpc, &to, &e->collector, detail);
    if (code != 0) {
        rpc_destroy(e->rpc);
        free(e);
        return error_set(detail, code, "otlp_endpoint", detail->text);
    }
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    CHECK(pthread_mutex_init(&e->lock, NULL) == 0 && pthread_cond_init(&e->wake, &clock) == 0);
    pthread_condattr_destroy(&clock);
    CHECK(pthread_create(&e->thread, NULL, run, e) == 0);
    *out = e;
    return 0;
}

void exporter_close(struct exporter *e)
{
    if (e == NULL)
        return;
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    if (rpc_idle(e->rpc))
        rpc_destroy(e->rpc);
    free((void *)(uintptr_t)e->request.at);
    free(e->batch.at);
    free(e);
}
