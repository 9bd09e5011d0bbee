/* exporter.c - the thread that sends to a collector (OTLP over gRPC) what there is of traces, metrics and logs: a client like any other, one request of
 * each at a time, so that none waits for another.
 *
 * What the protocol calls retryable is sent again, each time later; meanwhile the queues fill, and then they drop. Metrics are not sent again: the next
 * ones tell it all.
 *
 * The thread sleeps on a lock of its own, never in gRPC: C core has one epoll set for all threads, and whoever waits in it takes the loops'
 * events in and has to wake them (seen: 1.6 times the CPU a saga). While a call is out it looks now and then, without waiting.
 *
 * What this thread has to log is not sent: a collector that refuses a line would be the reason of the next. */
#include "sidecar/runtime/exporter.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/observe/log.h"
#include "sidecar/observe/metrics_push.h"
#include "sidecar/observe/otlp_logs.h"
#include "sidecar/observe/panel.h"
#include "sidecar/rpc/rpc.h"
#include "sidecar/runtime/release.h"
#include "sidecar/runtime/tracing.h"
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
#define ANSWER_MAX     65536 /* nothing in it is of interest but what was not taken */
#define METADATA_MAX   16384
#define INSTANCE_SIZE  256
#define LOGS_BYTES     (1 << 20) /* of records that wait */

enum signal_kind { TRACES, METRICS, LOGS, SIGNALS };

struct signal {
    struct otlp_batch batch;
    struct bytes request; /* of the batch; at NULL: nothing is being sent */
    uint64_t items;       /* in it */
    int64_t send_at, retry_us;
    uint64_t lost; /* since sending failed */
    bool in_flight, failing, partly;
};

struct exporter {
    struct rpc *rpc;
    struct rpc_target *collector;
    struct tracing *const *loops;
    unsigned loop_count, next;
    struct panel *panel; /* NULL: no metrics */
    struct metrics *own; /* of what is sent and lost; NULL: nobody looks */
    int64_t metrics_every_us;
    struct metrics_push *push; /* the telling that is under way, or NULL */
    int64_t telling_at;        /* when the next is due */
    struct otlp_queue *logs;   /* NULL: none are sent */
    struct signal signals[SIGNALS];
    bool last,
        last_begun; /* the loops have ended: what there is is sent once more; the metrics' last telling has begun */
    char instance[INSTANCE_SIZE];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* under the lock */
    pthread_t thread;
    bool started;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- what is sent ---- */

static uint64_t fill_traces(struct exporter *e, struct otlp_batch *batch)
{
    for (unsigned i = 0; i < e->loop_count && batch->count == 0; i++) {
        otlp_queue_take(tracing_queue(e->loops[e->next]), batch);
        e->next = (e->next + 1) % e->loop_count;
    }
    return batch->count;
}

/* The next part of a telling, which begins when it is due. */
static uint64_t fill_metrics(struct exporter *e, struct otlp_batch *batch)
{
    struct timespec now;
    struct metrics *all[PANEL_METRICS_MAX];
    if (e->panel == NULL)
        return 0;
    if (e->push == NULL) {
        if (!e->last)
            panel_ask(e->panel);
        unsigned count = panel_metrics(e->panel, all);
        if (metrics_push_create(all, count, panel_started(e->panel), &e->push) != 0)
            return 0;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    return metrics_push_next(e->push, (struct instant){.us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000},
                             batch);
}

static uint64_t fill_logs(struct exporter *e, struct otlp_batch *batch)
{
    if (e->logs != NULL)
        otlp_queue_take(e->logs, batch);
    return batch->count;
}

/* What is special about each; texts are constants, since the log goes by kinds. */
static const struct {
    const char *name, *path;
    uint64_t (*fill)(struct exporter *e, struct otlp_batch *batch);
    bool again; /* what could not be sent is tried again */
    const char *fails, *goes, *partly;
} kinds[SIGNALS] = {
    [TRACES] = {"traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", fill_traces, true,
                "traces cannot be sent: what comes is kept as far as there is room, then dropped",
                "traces are sent again", "the collector did not take all traces"},
    [METRICS] = {"metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", fill_metrics, false,
                 "metrics cannot be sent: the next are tried when they are due", "metrics are sent again",
                 "the collector did not take all metrics"},
    [LOGS] = {"logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", fill_logs, true,
              "logs cannot be sent: what comes is kept as far as there is room, then dropped", "logs are sent again",
              "the collector did not take all logs"},
};

static const char *name_of(const struct exporter *e, const struct signal *s)
{
    return kinds[s - e->signals].name;
}

static void count(struct exporter *e, struct signal *s, uint64_t sent, uint64_t lost)
{
    const struct metric_labels labels = {{bytes_of_text(name_of(e, s))}};
    s->lost += lost;
    metrics_add(e->own, METRIC_OTLP_SENT, labels, sent);
    metrics_add(e->own, METRIC_OTLP_LOST, labels, lost);
}

/* What found no room. */
static void count_dropped(struct exporter *e)
{
    uint64_t spans = 0;
    for (unsigned k = 0; k < e->loop_count; k++)
        spans += otlp_queue_dropped(tracing_queue(e->loops[k]));
    count(e, &e->signals[TRACES], 0, spans);
    if (e->logs != NULL)
        count(e, &e->signals[LOGS], 0, otlp_queue_dropped(e->logs));
}

/* The batch is done with, sent or lost. */
static void forget(struct signal *s)
{
    free((void *)(uintptr_t)s->request.at);
    s->request = bytes_of(NULL, 0);
    s->batch.size = s->batch.count = 0;
    s->items = 0;
    s->retry_us = 0;
}

/* Of the telling that is under way what is left is not told. */
static void end_push(struct exporter *e)
{
    count(e, &e->signals[METRICS], 0, metrics_push_destroy(e->push));
    e->push = NULL;
    e->signals[METRICS].send_at = e->telling_at;
}

static void gather(struct exporter *e, struct signal *s)
{
    s->items = kinds[s - e->signals].fill(e, &s->batch);
    if (s->items > 0 && otlp_request(&s->batch, e->instance, sagad_version, &s->request) != 0) {
        count(e, s, 0, s->items);
        forget(s);
    }
}

static void send_next(struct exporter *e, struct signal *s)
{
    int64_t now = now_us();
    if (s == &e->signals[METRICS] && e->last && !e->last_begun) {
        end_push(e);
        e->last_begun = true;
    }
    if (s == &e->signals[METRICS] && e->push == NULL)
        e->telling_at = now + e->metrics_every_us;
    if (s->request.at == NULL)
        gather(e, s);
    if (s->request.at != NULL) {
        s->in_flight = true;
        rpc_call_out(e->collector, kinds[s - e->signals].path, NULL, 0, s->request, CALL_TIMEOUT, s);
    } else if (s == &e->signals[METRICS]) {
        end_push(e);
    } else {
        s->send_at = now + SEND_EVERY_US;
    }
}

/* https://opentelemetry.io/docs/specs/otlp/#failures */
static bool is_retryable(int status)
{
    return status == CODE_CANCELLED || status == CODE_DEADLINE_EXCEEDED || status == CODE_ABORTED ||
           status == CODE_OUT_OF_RANGE || status == CODE_UNAVAILABLE || status == CODE_DATA_LOSS ||
           status == CODE_RESOURCE_EXHAUSTED;
}

static void tell(struct exporter *e, struct signal *s, const struct rpc_answer *answer)
{
    bool failing = answer->status != 0;
    if (failing && !s->failing)
        log_event(LOG_LEVEL_WARN, kinds[s - e->signals].fails,
                  LOG_TEXT("status", grpc_status_name((uint8_t)answer->status)), LOG_BYTES("text", answer->message),
                  LOG_TEXT("unreached", answer->unreached == NULL ? "" : answer->unreached));
    else if (!failing && s->failing)
        log_event(LOG_LEVEL_INFO, kinds[s - e->signals].goes, LOG_NUMBER("lost", s->lost));
    s->lost = failing ? s->lost : 0;
    s->failing = failing;
}

/* It has been taken, but for what the answer says. */
static void on_taken(struct exporter *e, struct signal *s, struct bytes answer)
{
    char text[OTLP_TEXT_SIZE];
    uint64_t rejected = otlp_rejected(answer, s->items, text);
    bool partly = rejected > 0 || text[0] != '\0';
    if (partly && !s->partly)
        log_event(LOG_LEVEL_WARN, kinds[s - e->signals].partly, LOG_NUMBER("not_taken", rejected),
                  LOG_NUMBER("of", s->items), LOG_TEXT("text", text));
    s->partly = partly;
    count(e, s, s->items - rejected, rejected);
    s->lost = 0;
    forget(s);
    s->send_at = now_us(); /* what comes next, if there is any */
}

static void on_refused(struct exporter *e, struct signal *s)
{
    count(e, s, 0, s->items);
    forget(s);
    if (s == &e->signals[METRICS])
        end_push(e);
    else
        s->send_at = now_us() + SEND_EVERY_US;
}

static void on_answer(void *self, void *tag, const struct rpc_answer *answer)
{
    struct exporter *e = self;
    struct signal *s = tag;
    CHECK(s >= e->signals && s < e->signals + SIGNALS && s->in_flight);
    s->in_flight = false;
    tell(e, s, answer);
    if (answer->status == 0) {
        on_taken(e, s, answer->output);
    } else if (kinds[s - e->signals].again && is_retryable(answer->status)) {
        s->retry_us = s->retry_us == 0                  ? RETRY_FIRST_US
                      : s->retry_us * 2 < RETRY_LAST_US ? s->retry_us * 2
                                                        : RETRY_LAST_US;
        s->send_at = now_us() + s->retry_us;
    } else {
        on_refused(e, s);
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

/* Sends what there is of each signal, until it fails or nothing is left. Returns whether anything is in flight. */
static bool send_last(struct exporter *e, bool done[SIGNALS])
{
    bool waits = false;
    for (unsigned i = 0; i < SIGNALS; i++) {
        struct signal *s = &e->signals[i];
        if (!s->in_flight && !s->failing && !done[i]) {
            send_next(e, s);
            done[i] = !s->in_flight;
        }
        waits |= s->in_flight;
    }
    return waits;
}

/* The loops have ended: now it may wait in gRPC. */
static void finish(struct exporter *e)
{
    int64_t until = now_us() + LAST_US;
    bool done[SIGNALS] = {false};
    e->last = true;
    while (send_last(e, done) && now_us() < until)
        rpc_poll(e->rpc, SPAN_MS(50));
    rpc_stop(e->rpc);
    rpc_cancel_all(e->rpc);
    until = now_us() + CUT_US;
    while (!rpc_idle(e->rpc) && now_us() < until)
        rpc_poll(e->rpc, SPAN_MS(50));
    look(e);
}

static _Thread_local bool is_exporter;

static void *run(void *self)
{
    struct exporter *e = self;
    int64_t wait = 0;
    is_exporter = true;
    while (!rest(e, wait < 0 ? 0 : wait)) {
        look(e);
        count_dropped(e);
        wait = SEND_EVERY_US;
        for (unsigned i = 0; i < SIGNALS; i++) {
            struct signal *s = &e->signals[i];
            if (!s->in_flight && now_us() >= s->send_at)
                send_next(e, s);
            int64_t next = s->in_flight ? LOOK_EVERY_US : s->send_at - now_us();
            wait = next < wait ? next : wait;
        }
    }
    finish(e);
    return NULL;
}

/* Of the log, by any thread. */
static void hear(void *self, const struct log_entry *entry)
{
    struct exporter *e = self;
    if (!is_exporter)
        otlp_logs_add(e->logs, entry);
}

int exporter_open(const struct config *config, bool of_a_guest, struct exporter **out)
{
    *out = NULL;
    if (config->otlp_endpoint[0] == '\0')
        return 0;
    struct exporter *e = calloc(1, sizeof *e);
    if (e == NULL)
        return E_MEMORY;
    if (config->otlp_logs && !of_a_guest) {
        if (otlp_queue_create(LOGS_BYTES, &e->logs) != 0) {
            free(e);
            return E_MEMORY;
        }
        log_listen(hear, e);
    }
    *out = e;
    return 0;
}

/* What is said over the metrics' heads is counted by metrics of their own. */
static int look_after(struct exporter *e, const struct config *config, struct panel *panel)
{
    bool wanted = panel != NULL && config->otlp_metrics_interval.us > 0;
    e->panel = wanted ? panel : NULL;
    e->metrics_every_us = wanted ? config->otlp_metrics_interval.us : INT64_MAX / 4;
    e->signals[METRICS].send_at = now_us() + e->metrics_every_us;
    if (panel == NULL)
        return 0;
    int code = metrics_create(METRIC_COUNT, &e->own);
    if (code == 0)
        panel_add(panel, e->own);
    return code;
}

static int connect_to(struct exporter *e, const struct config *config, struct certificates *certificates,
                      struct error_detail *detail)
{
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
    int code = rpc_create(&options, &callbacks, &e->rpc);
    if (code != 0)
        return error_set(detail, code, "", NULL);
    code = rpc_target_create(e->rpc, &to, &e->collector, detail);
    if (code != 0) /* why is in its words */
        snprintf(detail->field, sizeof detail->field, "otlp_endpoint");
    return code;
}

int exporter_start(struct exporter *e, const struct config *config, struct certificates *certificates,
                   struct tracing *const *loops, unsigned loop_count, struct panel *panel, struct error_detail *detail)
{
    if (e == NULL)
        return 0;
    e->loops = loops;
    e->loop_count = loop_count;
    if (gethostname(e->instance, sizeof e->instance - 1) != 0)
        e->instance[0] = '\0';
    if (look_after(e, config, panel) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    int code = connect_to(e, config, certificates, detail);
    if (code != 0)
        return code;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    CHECK(pthread_mutex_init(&e->lock, NULL) == 0 && pthread_cond_init(&e->wake, &clock) == 0);
    pthread_condattr_destroy(&clock);
    CHECK(pthread_create(&e->thread, NULL, run, e) == 0);
    e->started = true;
    return 0;
}

static void stop(struct exporter *e)
{
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
}

void exporter_close(struct exporter *e)
{
    if (e == NULL)
        return;
    if (e->started)
        stop(e);
    if (e->logs != NULL)
        log_listen(NULL, NULL);
    if (e->rpc == NULL || rpc_idle(e->rpc))
        rpc_destroy(e->rpc);
    metrics_push_destroy(e->push);
    for (unsigned i = 0; i < SIGNALS; i++) {
        free((void *)(uintptr_t)e->signals[i].request.at);
        free(e->signals[i].batch.at);
    }
    otlp_queue_destroy(e->logs);
    metrics_destroy(e->own);
    free(e);
}
