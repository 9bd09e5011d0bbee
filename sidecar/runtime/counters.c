/* counters.c - feeds the metrics of a loop. */
#include "sidecar/runtime/counters.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/saga.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <string.h>

#define LABELS(...) ((struct metric_labels){{__VA_ARGS__}})

static void wake(void *self)
{
    rpc_wake(((struct loop *)self)->rpc);
}

bool counters_are_wanted(const struct config *config)
{
    return config->http_listen[0] != '\0' || config->otlp_metrics_interval.us > 0;
}

int counters_open(struct loop *s)
{
    s->vitals.wake = wake;
    s->vitals.self = s;
    int code = metrics_create(s->config->metrics_series_max, &s->vitals.metrics);
    /* The bound on places is what it is from the start; what is counted comes with its first. */
    for (size_t i = 0; code == 0 && i < s->config->target_count; i++)
        counters_target(s, s->config->targets[i].name, s->config->targets[i].max_concurrent_calls);
    return code;
}

void counters_target(struct loop *s, const char *name, uint32_t calls_max)
{
    if (s->vitals.metrics != NULL)
        metrics_set(s->vitals.metrics, METRIC_CALLS_MAX, LABELS(bytes_of_text(name)), calls_max);
}

void counters_close(struct loop *s)
{
    metrics_destroy(s->vitals.metrics);
}

/* ---- records ---- */

bool counters_want(const struct loop *s, uint8_t type)
{
    if (s->vitals.metrics == NULL)
        return false;
    return type == RECORD_STARTED || type == RECORD_ACTION_FAILED || type == RECORD_ACTION_ENDED ||
           type == RECORD_COMPENSATION_FAILED || type == RECORD_COMPENSATION_ENDED || type == RECORD_STUCK ||
           type == RECORD_ENDED;
}

static struct bytes phase_name(uint8_t phase)
{
    return bytes_of_text(phase == SAGA_PHASE_ACTION ? "action" : "compensation");
}

static struct bytes step_name(const struct saga *saga, uint16_t step)
{
    return step < saga->step_count ? saga_step_name(saga, step) : bytes_of(NULL, 0);
}

/* The trace id within a traceparent: 00-<32 digits>-... */
static struct bytes trace_id_of(struct bytes traceparent)
{
    return traceparent.size >= 35 ? bytes_of(traceparent.at + 3, 32) : bytes_of(NULL, 0);
}

static void count_lacks(struct metrics *m, const struct saga *saga)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } kinds[] = {{LACK_MISSING, "MISSING"}, {LACK_FALLBACK, "FALLBACK"}, {LACK_STALE, "STALE"}};
    uint8_t lacks = saga_lacks(saga);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((lacks & kinds[i].bit) != 0)
            metrics_add(m, METRIC_SAGAS_DEGRADED, LABELS(saga->name, bytes_of_text(kinds[i].name)), 1);
}

static void count_end(struct metrics *m, const struct saga *saga, const struct record *r)
{
    struct bytes state = bytes_of_text(record_state_name(r->saga_state));
    struct span lived = instant_since(r->at, saga->started_at);
    if (r->saga_state == SAGA_COMMITTED)
        count_lacks(m, saga);
    metrics_add(m, METRIC_SAGAS_ENDED, LABELS(saga->name, state, bytes_of_text(record_reason_name(saga->reason))), 1);
    metrics_observe(m, METRIC_SAGA_DURATION, LABELS(saga->name, state), lived.us < 0 ? 0 : (uint64_t)lived.us,
                    trace_id_of(saga->traceparent), r->at);
}

static void count_failure(struct metrics *m, const struct saga *saga, const struct record *r, uint8_t phase)
{
    metrics_add(
        m, METRIC_STEP_FAILURES,
        LABELS(saga->name, step_name(saga, r->step), phase_name(phase), bytes_of_text(grpc_status_name(r->status))), 1);
}

static void count_step(struct metrics *m, const struct saga *saga, const struct record *r)
{
    struct instant began = r->step < saga->step_count ? saga->steps[r->step].first_at : (struct instant){0};
    struct span took = instant_since(r->at, began);
    if (began.us != 0 && took.us >= 0)
        metrics_observe(m, METRIC_STEP_DURATION, LABELS(saga->name, step_name(saga, r->step)), (uint64_t)took.us,
                        trace_id_of(saga->traceparent), r->at);
}

void counters_record(struct loop *s, const struct record *r)
{
    struct metrics *m = s->vitals.metrics;
    const struct saga *saga = engine_find(core_engine(s->core), r->saga.serial);
    if (saga == NULL)
        return;
    switch (r->type) {
    case RECORD_STARTED:
        metrics_add(m, METRIC_SAGAS_STARTED,
                    LABELS(saga->name, bytes_of_text(r->mode == SAGA_ENLISTED ? "enlisted" : "orchestrated")), 1);
        break;
    case RECORD_ACTION_FAILED:
        count_failure(m, saga, r, SAGA_PHASE_ACTION);
        break;
    case RECORD_ACTION_ENDED:
        count_step(m, saga, r);
        if (r->action_state != SAGA_ACTION_DONE)
            count_failure(m, saga, r, SAGA_PHASE_ACTION);
        break;
    case RECORD_COMPENSATION_FAILED:
        count_failure(m, saga, r, SAGA_PHASE_COMPENSATION);
        break;
    case RECORD_COMPENSATION_ENDED:
        if (r->compensation_state != SAGA_COMPENSATION_DONE)
            count_failure(m, saga, r, SAGA_PHASE_COMPENSATION);
        break;
    case RECORD_STUCK:
        metrics_add(m, METRIC_SAGAS_STUCK,
                    LABELS(saga->name, step_name(saga, r->step), bytes_of_text(record_reason_name(r->reason))), 1);
        break;
    case RECORD_ENDED:
        count_end(m, saga, r);
        break;
    default:
        break;
    }
}

/* ---- heartbeats ---- */

static double seconds(struct instant at)
{
    return (double)at.us / 1e6;
}

void counters_record_synthetic(struct loop *s, const struct record *r)
{
    struct metrics *m = s->vitals.metrics;
    const struct saga *saga = engine_find(core_engine(s->core), r->saga.serial);
    if (saga == NULL || (r->type != RECORD_ENDED && r->type != RECORD_STUCK))
        return;
    bool stuck = r->type == RECORD_STUCK;
    struct bytes state = bytes_of_text(record_state_name(stuck ? SAGA_STUCK : r->saga_state));
    const char *reason = record_reason_name(stuck ? r->reason : saga->reason);
    metrics_add(m, METRIC_SYNTHETICS, LABELS(saga->name, state, bytes_of_text(reason)), 1);
    if (stuck)
        return;
    struct span lived = instant_since(r->at, saga->started_at);
    metrics_observe(m, METRIC_SYNTHETIC_DURATION, LABELS(saga->name, state), lived.us < 0 ? 0 : (uint64_t)lived.us,
                    trace_id_of(saga->traceparent), r->at);
    if (r->saga_state == SAGA_COMMITTED)
        metrics_set(m, METRIC_SYNTHETIC_SUCCESS, LABELS(saga->name), seconds(r->at));
}

void counters_synthetic(struct loop *s, const char *definition, struct span every)
{
    struct bytes name = bytes_of_text(definition);
    metrics_set(s->vitals.metrics, METRIC_SYNTHETIC_INTERVAL, LABELS(name), (double)every.us / 1e6);
    /* The first has as long as any other. */
    metrics_set(s->vitals.metrics, METRIC_SYNTHETIC_SUCCESS, LABELS(name), seconds(clock_now(&s->clock)));
}

void counters_synthetic_gone(struct loop *s, const char *definition)
{
    metrics_unset(s->vitals.metrics, METRIC_SYNTHETIC_INTERVAL, LABELS(bytes_of_text(definition)));
    metrics_unset(s->vitals.metrics, METRIC_SYNTHETIC_SUCCESS, LABELS(bytes_of_text(definition)));
}

void counters_synthetic_missed(struct loop *s, const char *definition)
{
    metrics_add(s->vitals.metrics, METRIC_SYNTHETICS_MISSED, LABELS(bytes_of_text(definition)), 1);
}

/* ---- remediation ---- */

void counters_remedy(struct loop *s, const char *rule, const char *result)
{
    metrics_add(s->vitals.metrics, METRIC_REMEDIES, LABELS(bytes_of_text(rule), bytes_of_text(result)), 1);
}

void counters_remedy_armed(struct loop *s, const char *rule, bool armed)
{
    metrics_set(s->vitals.metrics, METRIC_REMEDY_ARMED, LABELS(bytes_of_text(rule)), armed);
}

void counters_remedy_gone(struct loop *s, const char *rule)
{
    metrics_unset(s->vitals.metrics, METRIC_REMEDY_ARMED, LABELS(bytes_of_text(rule)));
}

/* ---- attempts and commits ---- */

/* The series that each attempt is counted in are looked for once. */
static struct attempt_series *series_of(struct loop *s, const struct call_effect *call)
{
    struct loop_target *target = &s->targets[call->target];
    struct attempt_series *series = &target->series[call->phase == SAGA_PHASE_COMPENSATION];
    struct bytes name = bytes_of_text(target->shared->name), phase = phase_name(call->phase);
    struct metrics *m = s->vitals.metrics;
    if (series->took == NULL) {
        series->took = metrics_series(m, METRIC_ATTEMPT_DURATION, LABELS(name, phase));
        series->waited = metrics_series(m, METRIC_ATTEMPT_WAIT, LABELS(name, phase));
    }
    return series;
}

static void count_status(struct loop *s, const struct call_effect *call, struct attempt_series *series,
                         const char *status)
{
    struct bytes name = bytes_of_text(s->targets[call->target].shared->name);
    struct metric_labels labels = LABELS(name, phase_name(call->phase), bytes_of_text(status));
    bool ok = strcmp(status, "OK") == 0;
    if (!ok)
        metrics_add(s->vitals.metrics, METRIC_ATTEMPTS, labels, 1);
    else if (series->ok == NULL)
        series->ok = metrics_series(s->vitals.metrics, METRIC_ATTEMPTS, labels);
    if (ok)
        metrics_series_add(series->ok, 1);
}

void counters_attempt(struct loop *s, const struct call_effect *call, struct instant left_at,
                      const struct rpc_answer *answer)
{
    struct metrics *m = s->vitals.metrics;
    if (call->synthetic || m == NULL)
        return;
    if (answer->reach == SAGA_REACH_NONE) {
        struct bytes name = bytes_of_text(s->targets[call->target].shared->name);
        metrics_add(m, METRIC_ATTEMPTS, LABELS(name, phase_name(call->phase), bytes_of_text("NOT_SENT")), 1);
        return;
    }
    struct attempt_series *series = series_of(s, call);
    struct instant now = clock_now(&s->clock);
    struct span waited = instant_since(left_at, call->due_at);
    struct bytes trace = trace_id_of(call->traceparent);
    count_status(s, call, series, grpc_status_name((uint8_t)answer->status));
    metrics_series_observe(series->took, (uint64_t)instant_since(now, left_at).us, trace, now);
    metrics_series_observe(series->waited, waited.us < 0 ? 0 : (uint64_t)waited.us, trace, now);
    if (call->attempt > 1)
        metrics_add(m, METRIC_RETRIES,
                    LABELS(bytes_of_text(s->targets[call->target].shared->name), phase_name(call->phase)), 1);
}

void counters_refused(struct loop *s, const char *path, int code)
{
    metrics_add(s->vitals.metrics, METRIC_REFUSALS,
                LABELS(bytes_of_text(strrchr(path, '/') + 1), bytes_of_text(error_row(code)->reason)), 1);
}

void counters_breaker(struct loop *s, const char *target, bool open)
{
    metrics_add(s->vitals.metrics, METRIC_BREAKER_CHANGES,
                LABELS(bytes_of_text(target), bytes_of_text(open ? "OPEN" : "CLOSED")), 1);
}

void counters_frame(struct loop *s, size_t bytes, unsigned records)
{
    s->commit_bytes += bytes;
    s->commit_records += records;
}

void counters_committing(struct loop *s)
{
    if (s->store->synced != NULL)
        s->store->synced(s->store);
}

void counters_commit(struct loop *s, struct instant began_at)
{
    struct metrics *m = s->vitals.metrics;
    struct instant now = clock_now(&s->clock);
    struct bytes no_trace = bytes_of(NULL, 0);
    struct span synced = s->store->synced == NULL ? (struct span){0} : s->store->synced(s->store);
    metrics_observe(m, METRIC_COMMITS, METRIC_NO_LABELS, (uint64_t)instant_since(now, began_at).us, no_trace, now);
    if (synced.us > 0)
        metrics_observe(m, METRIC_SYNCS, METRIC_NO_LABELS, (uint64_t)synced.us, no_trace, now);
    metrics_observe(m, METRIC_COMMIT_RECORDS, METRIC_NO_LABELS, s->commit_records, no_trace, now);
    metrics_observe(m, METRIC_COMMIT_BYTES, METRIC_NO_LABELS, s->commit_bytes, no_trace, now);
    s->commit_bytes = s->commit_records = 0;
}
