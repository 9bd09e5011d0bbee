/* counters.c - feeds the metrics of a loop. */
#include "sidecar/runtime/counters.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/saga.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <stdlib.h>
#include <string.h>

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define LABELS(...) ((struct metric_labels){{__VA_ARGS__}})

/* Series that every saga is counted in, of a step of its definition (or of its start or end): definitions stay as long as the loop. A place is whose
 * it was last; one more, behind them, is for what is looked for anew each time. */
#define KNOWN_COUNT 512
#define OF_START    (UINT32_C(1) << 30)
#define OF_END      (OF_START + 1)
struct known_series {
    const struct definition *definition;
    uint32_t of;
    struct metric_series *count, *took; /* NULL: not known */
};

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
    int code = 0;
    if (s->sidecar->adopted != NULL) /* they outlive it; what is a gauge there is told by whoever looks after it */
        s->vitals.metrics = s->sidecar->adopted->metrics;
    else
        code = metrics_create(s->config->metrics_series_max, &s->vitals.metrics);
    s->known = calloc(KNOWN_COUNT + 1, sizeof *s->known);
    if (code == 0 && s->known == NULL)
        code = E_MEMORY;
    /* The bound on places is what it is from the start; what is counted comes with its first. */
    for (size_t i = 0; code == 0 && i < s->config->target_count; i++)
        counters_target(s, s->config->targets[i].name, s->config->targets[i].max_concurrent_calls);
    return code;
}

void counters_target(struct loop *s, const char *name, uint32_t calls_max)
{
    if (s->sidecar->adopted == NULL)
        metrics_set(s->vitals.metrics, METRIC_CALLS_MAX, LABELS(bytes_of_text(name)), calls_max);
}

void counters_close(struct loop *s)
{
    if (s->sidecar->adopted == NULL)
        metrics_destroy(s->vitals.metrics);
    free(s->known);
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

static struct known_series *unknown(struct loop *s)
{
    struct known_series *k = &s->known[KNOWN_COUNT];
    k->count = k->took = NULL;
    return k;
}

static struct known_series *known(struct loop *s, const struct saga *saga, uint32_t of)
{
    /* What has no definition, or loops, has names of its own. */
    if (saga->definition == NULL || saga->names != NULL)
        return unknown(s);
    uint64_t hash = (((uintptr_t)saga->definition >> 4) + of) * HASH_FACTOR;
    struct known_series *k = &s->known[hash >> 32 & (KNOWN_COUNT - 1)];
    if (k->definition != saga->definition || k->of != of)
        *k = (struct known_series){.definition = saga->definition, .of = of};
    return k;
}

/* That of METRICS_OTHER is not kept: each time that it is looked for is counted. */
static struct metric_series *keep(struct metric_series **place, struct metric_series *found)
{
    if (metrics_series_is_own(found))
        *place = found;
    return found;
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

static void count_start(struct loop *s, const struct saga *saga, uint8_t mode)
{
    struct known_series *k = known(s, saga, OF_START);
    struct metric_series *count = k->count;
    if (count == NULL) {
        struct bytes name = bytes_of_text(mode == SAGA_ENLISTED ? "enlisted" : "orchestrated");
        count = keep(&k->count, metrics_series(s->vitals.metrics, METRIC_SAGAS_STARTED, LABELS(saga->name, name)));
    }
    metrics_series_add(count, 1);
}

static void count_end(struct loop *s, const struct saga *saga, const struct record *r)
{
    struct metrics *m = s->vitals.metrics;
    struct span lived = instant_since(r->at, saga->started_at);
    /* Nearly all end so; it is the one end that is known. */
    bool usual = r->saga_state == SAGA_COMMITTED && saga->reason == REASON_NONE;
    struct known_series *k = usual ? known(s, saga, OF_END) : unknown(s);
    struct metric_series *count = k->count, *took = k->took;
    if (count == NULL || took == NULL) {
        struct bytes state = bytes_of_text(record_state_name(r->saga_state));
        struct bytes reason = bytes_of_text(record_reason_name(saga->reason));
        count = keep(&k->count, metrics_series(m, METRIC_SAGAS_ENDED, LABELS(saga->name, state, reason)));
        took = keep(&k->took, metrics_series(m, METRIC_SAGA_DURATION, LABELS(saga->name, state)));
    }
    if (r->saga_state == SAGA_COMMITTED)
        count_lacks(m, saga);
    metrics_series_add(count, 1);
    metrics_series_observe(took, lived.us < 0 ? 0 : (uint64_t)lived.us, trace_id_of(saga->traceparent), r->at);
}

static void count_failure(struct metrics *m, const struct saga *saga, const struct record *r, uint8_t phase)
{
    metrics_add(
        m, METRIC_STEP_FAILURES,
        LABELS(saga->name, step_name(saga, r->step), phase_name(phase), bytes_of_text(grpc_status_name(r->status))), 1);
}

static void count_step(struct loop *s, const struct saga *saga, const struct record *r)
{
    struct instant began = r->step < saga->step_count ? saga->steps[r->step].first_at : (struct instant){0};
    struct span lasted = instant_since(r->at, began);
    if (began.us == 0 || lasted.us < 0)
        return;
    struct known_series *k = known(s, saga, r->step);
    struct metric_series *took = k->took;
    if (took == NULL)
        took = keep(&k->took, metrics_series(s->vitals.metrics, METRIC_STEP_DURATION,
                                             LABELS(saga->name, step_name(saga, r->step))));
    metrics_series_observe(took, (uint64_t)lasted.us, trace_id_of(saga->traceparent), r->at);
}

void counters_record(struct loop *s, const struct saga *saga, const struct record *r)
{
    struct metrics *m = s->vitals.metrics;
    switch (r->type) {
    case RECORD_STARTED:
        count_start(s, saga, r->mode);
        break;
    case RECORD_ACTION_FAILED:
        count_failure(m, saga, r, SAGA_PHASE_ACTION);
        break;
    case RECORD_ACTION_ENDED:
        count_step(s, saga, r);
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
        count_end(s, saga, r);
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

void counters_record_synthetic(struct loop *s, const struct saga *saga, const struct record *r)
{
    struct metrics *m = s->vitals.metrics;
    if (r->type != RECORD_ENDED && r->type != RECORD_STUCK)
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

/* Nearly all are OK: what each of those is counted in is looked for once. */
static void count_status(struct loop *s, const struct call_effect *call, struct attempt_series *series, int status)
{
    struct metric_series *count = status == CODE_OK ? series->ok : NULL;
    if (count == NULL) {
        struct bytes name = bytes_of_text(s->targets[call->target].shared->name);
        count = metrics_series(s->vitals.metrics, METRIC_ATTEMPTS,
                               LABELS(name, phase_name(call->phase), bytes_of_text(grpc_status_name(status))));
        if (status == CODE_OK)
            keep(&series->ok, count);
    }
    metrics_series_add(count, 1);
}

static void count_times(struct loop *s, const struct call_effect *call, struct attempt_series *series, struct span took,
                        struct span waited, struct instant now)
{
    struct metric_series *of_took = series->took, *of_waited = series->waited;
    struct bytes trace = trace_id_of(call->traceparent);
    if (of_took == NULL || of_waited == NULL) {
        const struct metric_labels labels =
            LABELS(bytes_of_text(s->targets[call->target].shared->name), phase_name(call->phase));
        of_took = keep(&series->took, metrics_series(s->vitals.metrics, METRIC_ATTEMPT_DURATION, labels));
        of_waited = keep(&series->waited, metrics_series(s->vitals.metrics, METRIC_ATTEMPT_WAIT, labels));
    }
    metrics_series_observe(of_took, (uint64_t)took.us, trace, now);
    metrics_series_observe(of_waited, waited.us < 0 ? 0 : (uint64_t)waited.us, trace, now);
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
    struct attempt_series *series = &s->targets[call->target].series[call->phase == SAGA_PHASE_COMPENSATION];
    struct instant now = clock_now(&s->clock);
    count_status(s, call, series, (uint8_t)answer->status);
    count_times(s, call, series, instant_since(now, left_at), instant_since(left_at, call->due_at), now);
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
