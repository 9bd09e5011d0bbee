/* counters.c - feeds the metrics of a loop. */
#include "sidecar/runtime/counters.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "transport/certificates.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Sagas that are looked at for the oldest that is stuck. */
#define STUCK_LOOK_MAX 5000
#define LABELS(...)    ((struct metric_labels){{__VA_ARGS__}})

static void wake(void *self)
{
    rpc_wake(((struct loop *)self)->rpc);
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
static struct bytes trace_id_of(const struct saga *saga)
{
    return saga->traceparent.size >= 35 ? bytes_of(saga->traceparent.at + 3, 32) : bytes_of(NULL, 0);
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
                    trace_id_of(saga), r->at);
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
                        trace_id_of(saga), r->at);
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
                    trace_id_of(saga), r->at);
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

/* ---- attempts and commits ---- */

void counters_attempt(struct loop *s, const struct call_effect *call, struct instant left_at,
                      const struct rpc_answer *answer)
{
    if (call->synthetic)
        return;
    uint8_t phase = call->phase;
    struct bytes name = bytes_of_text(s->targets[call->target].shared->name);
    struct instant now = clock_now(&s->clock);
    bool sent = answer->reach != SAGA_REACH_NONE;
    const char *status = sent ? grpc_status_name((uint8_t)answer->status) : "NOT_SENT";
    metrics_add(s->vitals.metrics, METRIC_ATTEMPTS, LABELS(name, phase_name(phase), bytes_of_text(status)), 1);
    if (sent)
        metrics_observe(s->vitals.metrics, METRIC_ATTEMPT_DURATION, LABELS(name, phase_name(phase)),
                        (uint64_t)instant_since(now, left_at).us, bytes_of(NULL, 0), now);
}

void counters_refused(struct loop *s, const char *path, int code)
{
    metrics_add(s->vitals.metrics, METRIC_REFUSALS,
                LABELS(bytes_of_text(strrchr(path, '/') + 1), bytes_of_text(error_row(code)->reason)), 1);
}

void counters_frame(struct loop *s, size_t bytes)
{
    metrics_observe(s->vitals.metrics, METRIC_COMMIT_BYTES, METRIC_NO_LABELS, bytes, bytes_of(NULL, 0),
                    (struct instant){0});
}

void counters_commit(struct loop *s, struct instant began_at)
{
    struct instant now = clock_now(&s->clock);
    metrics_observe(s->vitals.metrics, METRIC_COMMITS, METRIC_NO_LABELS, (uint64_t)instant_since(now, began_at).us,
                    bytes_of(NULL, 0), now);
}

/* ---- gauges ---- */

double counters_journal_bytes(const struct loop *s)
{
    static const char *const endings[] = {"", "-wal", ".reserve"};
    char path[JOURNAL_PATH_SIZE], name[JOURNAL_PATH_SIZE + 16];
    struct stat file;
    double bytes = 0;
    sidecar_journal_path(s->config, s->index, path);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        if (stat(name, &file) == 0)
            bytes += (double)file.st_size;
    }
    return bytes;
}

double counters_volume_free(const struct loop *s)
{
    struct statvfs volume;
    return statvfs(s->config->data_dir, &volume) == 0 ? (double)volume.f_bavail * (double)volume.f_frsize : 0;
}

static void refresh_objectives(struct loop *s, struct instant now)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } windows[] = {{"5m", 300},   {"30m", 1800}, {"1h", 3600},  {"2h", 7200},
                   {"6h", 21600}, {"1d", 86400}, {"3d", 259200}};
    struct metrics *m = s->vitals.metrics;
    for (size_t i = 0; slis_at(s->slis, i) != NULL; i++)
        for (unsigned sli = 0; sli < SLI_COUNT; sli++) {
            const struct objective *o = slis_at(s->slis, i);
            static const char *const of_heartbeats[SLI_COUNT] = {"synthetic_success", "synthetic_latency"};
            struct bytes definition = bytes_of_text(o->definition),
                         name = bytes_of_text(o->synthetic ? of_heartbeats[sli] : sli_names[sli]);
            if (o->promised[sli] == 0)
                continue;
            struct sli_count more = slis_take_new(s->slis, i, (enum sli)sli);
            metrics_add(m, METRIC_SLO_EVENTS, LABELS(definition, name), more.all);
            metrics_add(m, METRIC_SLO_BAD, LABELS(definition, name), more.bad);
            metrics_set(m, METRIC_SLO_PROMISED, LABELS(definition, name), o->promised[sli] / 100000.0);
            for (size_t k = 0; k < sizeof windows / sizeof windows[0]; k++)
                metrics_set(
                    m, METRIC_SLO_BURN, LABELS(definition, name, bytes_of_text(windows[k].name)),
                    sli_burn(o->promised[sli], slis_count(s->slis, i, (enum sli)sli, SPAN_S(windows[k].seconds), now)));
        }
}

/* The oldest one that needs a person, or NULL. */
static const struct saga *oldest_stuck(const struct engine *e)
{
    const struct saga *saga = engine_counts_real(e).stuck == 0 ? NULL : engine_after(e, 0);
    for (unsigned i = 0; saga != NULL && i < STUCK_LOOK_MAX; i++, saga = engine_after(e, saga->id.serial))
        if (saga->state == SAGA_STUCK && !saga->synthetic)
            return saga;
    return NULL;
}

const struct saga *counters_oldest_live(const struct loop *s)
{
    const struct engine *e = core_engine(s->core);
    const struct saga *saga = engine_counts_real(e).live == 0 ? NULL : engine_after(e, 0);
    for (unsigned i = 0; saga != NULL && i < STUCK_LOOK_MAX; i++, saga = engine_after(e, saga->id.serial))
        if (!saga->synthetic)
            return saga;
    return NULL;
}

static void refresh_limits(struct loop *s)
{
    const struct admission *a;
    const char *name;
    for (uint32_t i = 0; (a = engine_family(core_engine(s->core), i, &name)) != NULL; i++) {
        if (!admission_bounds(a))
            continue;
        struct metrics *m = s->vitals.metrics;
        metrics_set(m, METRIC_DEFINITION_LIVE, LABELS(bytes_of_text(name)), a->live);
        metrics_set(m, METRIC_DEFINITION_LIVE_MAX, LABELS(bytes_of_text(name)), a->options.live_max);
        metrics_set(m, METRIC_DEFINITION_STARTS_MAX, LABELS(bytes_of_text(name)), a->options.starts.per_second);
    }
}

static void refresh(struct loop *s)
{
    struct metrics *m = s->vitals.metrics;
    const struct engine *e = core_engine(s->core);
    struct saga_counts counts = engine_counts_real(e), synthetic = engine_counts(e).synthetic;
    const struct saga *oldest = counters_oldest_live(s);
    struct instant now = clock_now(&s->clock);
    for (uint16_t i = 0; i < s->target_count; i++) {
        if (s->targets[i].shared == NULL)
            continue;
        struct bytes name = bytes_of_text(s->targets[i].shared->name);
        const struct target *target = engine_target(e, i);
        metrics_set(m, METRIC_CALLS_MAX, LABELS(name), target_places(target));
        metrics_set(m, METRIC_CALLS_IN_FLIGHT, LABELS(name), target->places_taken);
        metrics_set(m, METRIC_CALLS_WAITING, LABELS(name), target->waiting);
        metrics_set(m, METRIC_OLDEST_WAITING, LABELS(name), (double)target_longest(target, now).us / 1e6);
        if (target->budget.options.percent > 0)
            metrics_set(m, METRIC_RETRIES_LEFT, LABELS(name), (double)budget_left(&target->budget, now) / 1000);
        if (target->rate.per_second > 0)
            metrics_set(m, METRIC_RATE_MAX, LABELS(name), target->rate.per_second);
        metrics_set(m, METRIC_TARGET_BREAKER, LABELS(name), breaker_state(&target->breaker, now) - BREAKER_CLOSED);
        metrics_set(m, METRIC_TARGET_UNREACHABLE, LABELS(name),
                    s->targets[i].down_since.us == 0 ? 0
                                                     : (double)instant_since(now, s->targets[i].down_since).us / 1e6);
    }
    for (unsigned i = 0; i < s->target_count; i++)
        if (drift_of(s, i) != NULL)
            metrics_set(m, METRIC_SCHEMA_BREAKS, LABELS(bytes_of_text(s->targets[i].shared->name)),
                        drift_of(s, i)->breaks);
    struct webhook_counts pages = remedies_pages(s);
    metrics_add(m, METRIC_WEBHOOKS, LABELS(bytes_of_text("sent")), pages.sent);
    metrics_add(m, METRIC_WEBHOOKS, LABELS(bytes_of_text("failed")), pages.failed);
    metrics_add(m, METRIC_WEBHOOKS, LABELS(bytes_of_text("dropped")), pages.dropped);
    struct tracing_counts spans = tracing_counts(s->tracing);
    if (s->tracing != NULL) {
        metrics_add(m, METRIC_SPANS, METRIC_NO_LABELS, spans.made);
        metrics_add(m, METRIC_SPANS_DROPPED, METRIC_NO_LABELS, spans.dropped);
    }
    metrics_set(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, counts.live);
    metrics_set(m, METRIC_SAGAS_LIVE_MAX, METRIC_NO_LABELS, s->config->live_sagas_max);
    metrics_set(m, METRIC_SAGAS_STUCK_NOW, METRIC_NO_LABELS, counts.stuck);
    metrics_set(m, METRIC_SAGAS_PAUSED, METRIC_NO_LABELS, counts.paused);
    metrics_set(m, METRIC_SAGAS_ANSWERED, METRIC_NO_LABELS, counts.answered);
    metrics_set(m, METRIC_SYNTHETICS_LIVE, METRIC_NO_LABELS, synthetic.live);
    metrics_set(m, METRIC_SYNTHETICS_STUCK, METRIC_NO_LABELS, synthetic.stuck);
    metrics_set(m, METRIC_OLDEST_LIVE, METRIC_NO_LABELS,
                oldest == NULL ? 0 : (double)instant_since(now, oldest->started_at).us / 1e6);
    const struct saga *stuck = oldest_stuck(e);
    metrics_set(m, METRIC_OLDEST_STUCK, METRIC_NO_LABELS,
                stuck == NULL ? 0 : (double)instant_since(now, stuck->started_at).us / 1e6);
    refresh_objectives(s, now);
    refresh_limits(s);
    metrics_set(m, METRIC_JOURNAL_BYTES, METRIC_NO_LABELS, counters_journal_bytes(s));
    metrics_set(m, METRIC_JOURNAL_BYTES_MAX, METRIC_NO_LABELS, (double)s->config->journal_bytes_max);
    metrics_set(m, METRIC_JOURNAL_VOLUME_FREE, METRIC_NO_LABELS, counters_volume_free(s));
    metrics_set(m, METRIC_JOURNAL_FULL, METRIC_NO_LABELS, s->told_full != 0);
    struct certificates *certificates = s->sidecar->certificates;
    int64_t expiry = certificates == NULL ? 0 : certificates_not_after(certificates);
    if (expiry != 0)
        metrics_set(m, METRIC_CERTIFICATE_EXPIRY, METRIC_NO_LABELS, (double)expiry);
    metrics_set(m, METRIC_CLOCK_DIFFERENCE, METRIC_NO_LABELS, (double)clock_difference(&s->clock).us / 1e6);
    metrics_set(m, METRIC_DEFINITIONS, METRIC_NO_LABELS, catalog_count(s->catalog));
}

void counters_turn(struct loop *s)
{
    if (s->vitals.metrics == NULL || !vitals_are_wanted(&s->vitals))
        return;
    uint32_t reasons = 0;
    reasons |= s->stopping ? VITALS_STOPPING : 0;
    reasons |= s->told_full == E_JOURNAL_AWAY ? VITALS_JOURNAL_AWAY : s->told_full != 0 ? VITALS_JOURNAL_FULL : 0;
    reasons |= s->failure.code != 0 ? VITALS_FAILED : 0;
    refresh(s);
    vitals_tell(&s->vitals, reasons);
}
