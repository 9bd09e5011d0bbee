/* gauges.c - what is so now in a loop, looked at when somebody asks. */
#include "sidecar/runtime/counters.h"

#include "sidecar/base/check.h"
#include "sidecar/core/holds.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/journal/codec.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/runtime/fleet.h"
#include "sidecar/runtime/objectives.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "transport/certificates.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

/* Sagas that are looked at for the oldest of a kind. */
#define LOOK_MAX        5000
#define TELL_HOST_EVERY SPAN_S(5)
#define LABELS(...)     ((struct metric_labels){{__VA_ARGS__}})

double counters_journal_bytes(const struct loop *s)
{
    static const char *const endings[] = {"", "-wal", ".reserve"};
    char path[JOURNAL_PATH_SIZE], name[JOURNAL_PATH_SIZE + 16];
    struct stat file;
    double bytes = 0;
    if (s->database != NULL)
        return (double)postgres_store_bytes(s->database);
    sidecar_journal_path(s->config, s->index, path);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        if (stat(name, &file) == 0)
            bytes += (double)file.st_size;
    }
    return bytes;
}

uint64_t counters_journal_reusable(const struct loop *s)
{
    return s->store->reusable == NULL ? 0 : s->store->reusable(s->store);
}

double counters_volume_free(const struct loop *s)
{
    struct statvfs volume;
    return statvfs(s->config->data_dir, &volume) == 0 ? (double)volume.f_bavail * (double)volume.f_frsize : 0;
}

const struct saga *counters_oldest_live(const struct loop *s)
{
    const struct engine *e = core_engine(s->core);
    const struct saga *saga = engine_counts_real(e).live == 0 ? NULL : engine_after(e, 0);
    for (unsigned i = 0; saga != NULL && i < LOOK_MAX; i++, saga = engine_after(e, saga->id.serial))
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

void counters_limits_change(struct loop *s, const struct config *before)
{
    for (size_t i = 0; s->vitals.metrics != NULL && i < before->definition_limit_count; i++) {
        struct bytes name = bytes_of_text(before->definition_limits[i].definition);
        metrics_unset(s->vitals.metrics, METRIC_DEFINITION_LIVE, LABELS(name));
        metrics_unset(s->vitals.metrics, METRIC_DEFINITION_LIVE_MAX, LABELS(name));
        metrics_unset(s->vitals.metrics, METRIC_DEFINITION_STARTS_MAX, LABELS(name));
    }
}

void counters_target_changes(struct loop *s, const struct config_target *before)
{
    if (s->vitals.metrics != NULL && before->retry_budget_percent > 0)
        metrics_unset(s->vitals.metrics, METRIC_RETRIES_LEFT, LABELS(bytes_of_text(before->name)));
    if (s->vitals.metrics != NULL && before->rate_limit_per_second > 0)
        metrics_unset(s->vitals.metrics, METRIC_RATE_MAX, LABELS(bytes_of_text(before->name)));
}

static double age(const struct saga *saga, struct instant now)
{
    return saga == NULL ? 0 : (double)instant_since(now, saga->started_at).us / 1e6;
}

/* The oldest that need a person, and that wait for nothing but deferred steps. */
static void find_oldest(const struct loop *s, const struct saga **out_stuck, const struct saga **out_deferred)
{
    const struct engine *e = core_engine(s->core);
    struct saga_counts counts = engine_counts_real(e);
    const struct saga *stuck = NULL, *deferred = NULL;
    const struct saga *saga = counts.stuck + counts.answered == 0 ? NULL : engine_after(e, 0);
    for (unsigned i = 0; saga != NULL && i < LOOK_MAX; i++, saga = engine_after(e, saga->id.serial)) {
        if (stuck == NULL && saga->state == SAGA_STUCK && !saga->synthetic)
            stuck = saga;
        if (deferred == NULL && saga->answered && !saga->synthetic)
            deferred = saga;
        if ((stuck != NULL || counts.stuck == 0) && (deferred != NULL || counts.answered == 0))
            break;
    }
    *out_stuck = stuck;
    *out_deferred = deferred;
}

static void refresh_oldest(struct loop *s, struct instant now)
{
    const struct saga *stuck, *deferred;
    find_oldest(s, &stuck, &deferred);
    metrics_set(s->vitals.metrics, METRIC_OLDEST_LIVE, METRIC_NO_LABELS, age(counters_oldest_live(s), now));
    metrics_set(s->vitals.metrics, METRIC_OLDEST_STUCK, METRIC_NO_LABELS, age(stuck, now));
    metrics_set(s->vitals.metrics, METRIC_OLDEST_DEFERRED, METRIC_NO_LABELS, age(deferred, now));
}

static void refresh_holds(struct loop *s)
{
    unsigned held = 0;
    for (unsigned i = 0; i < HOLDS_MAX; i++)
        held += holds_at(core_holds(s->core), i) != NULL;
    metrics_set(s->vitals.metrics, METRIC_DEFINITIONS_HELD, METRIC_NO_LABELS, held);
}

/* When the first record of the oldest frame was written; read once for each frame that becomes the oldest. What cannot be read now is asked for
 * again at the next look. */
static void refresh_journal_age(struct loop *s, struct instant now)
{
    uint64_t first = s->store->first_frame == NULL ? 0 : s->store->first_frame(s->store);
    struct bytes records;
    struct record r;
    struct error_detail detail;
    uint64_t previous;
    if (first != s->oldest_frame && first != 0 && core_stalled(s->core) == 0 &&
        core_read_frame(s->core, first, &records, &detail) == 0 && records.size > 0 &&
        codec_decode(&records, &r, &previous, &detail) == 0) {
        s->oldest_frame = first;
        s->oldest_record_at = r.at;
    }
    if (s->oldest_frame == 0)
        return;
    if (first == 0) /* retention has freed all of them */
        s->oldest_record_at = now;
    metrics_set(s->vitals.metrics, METRIC_JOURNAL_AGE, METRIC_NO_LABELS,
                (double)instant_since(now, s->oldest_record_at).us / 1e6);
}

static void refresh_certificate(struct loop *s)
{
    struct certificates *certificates = s->sidecar->certificates;
    int64_t expiry = certificates == NULL ? 0 : certificates_not_after(certificates);
    if (expiry == 0)
        return;
    metrics_set(s->vitals.metrics, METRIC_CERTIFICATE_EXPIRY, METRIC_NO_LABELS, (double)expiry);
    metrics_set(s->vitals.metrics, METRIC_CERTIFICATE_LIFETIME, METRIC_NO_LABELS,
                (double)certificates_lifetime(certificates));
}

static void refresh(struct loop *s)
{
    struct metrics *m = s->vitals.metrics;
    const struct engine *e = core_engine(s->core);
    struct saga_counts counts = engine_counts_real(e), synthetic = engine_counts(e).synthetic;
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
        bool there = target_places(target) > 0;
        if (there && target->budget.options.percent > 0)
            metrics_set(m, METRIC_RETRIES_LEFT, LABELS(name), (double)budget_left(&target->budget, now) / 1000);
        if (there && target->rate.per_second > 0)
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
    const struct recall *answers = engine_answers(e);
    metrics_set(m, METRIC_LAST_GOOD_ANSWERS, METRIC_NO_LABELS, answers->count);
    metrics_set(m, METRIC_LAST_GOOD_BYTES, METRIC_NO_LABELS, (double)answers->bytes);
    metrics_add(m, METRIC_LAST_GOOD_EVICTED, METRIC_NO_LABELS, answers->evicted - s->answers_evicted);
    s->answers_evicted = answers->evicted;
    metrics_set(m, METRIC_SYNTHETICS_LIVE, METRIC_NO_LABELS, synthetic.live);
    metrics_set(m, METRIC_SYNTHETICS_STUCK, METRIC_NO_LABELS, synthetic.stuck);
    metrics_set(m, METRIC_SAGAS_COMPENSATING, METRIC_NO_LABELS, counts.compensating);
    refresh_oldest(s, now);
    objectives_count(s, now);
    fleet_count(s, now);
    refresh_limits(s);
    refresh_holds(s);
    refresh_journal_age(s, now);
    metrics_set(m, METRIC_JOURNAL_BYTES, METRIC_NO_LABELS, counters_journal_bytes(s));
    metrics_set(m, METRIC_JOURNAL_REUSABLE, METRIC_NO_LABELS, (double)counters_journal_reusable(s));
    metrics_set(m, METRIC_JOURNAL_BYTES_MAX, METRIC_NO_LABELS, (double)s->config->journal_bytes_max);
    metrics_set(m, METRIC_JOURNAL_VOLUME_FREE, METRIC_NO_LABELS, counters_volume_free(s));
    metrics_set(m, METRIC_JOURNAL_FULL, METRIC_NO_LABELS, s->told_full != 0);
    refresh_certificate(s);
    metrics_set(m, METRIC_CLOCK_DIFFERENCE, METRIC_NO_LABELS, (double)clock_difference(&s->clock).us / 1e6);
    metrics_set(m, METRIC_DEFINITIONS, METRIC_NO_LABELS, catalog_count(s->catalog));
    metrics_set(m, METRIC_SERIES_BYTES, METRIC_NO_LABELS, 0); /* they count themselves, too */
    metrics_set(m, METRIC_SERIES, METRIC_NO_LABELS, metrics_count(m));
    metrics_set(m, METRIC_SERIES_BYTES, METRIC_NO_LABELS, (double)metrics_bytes(m));
}

/* What this thread has had of a processor: how busy others keep the machine is not in it. */
static int64_t busy_us(void)
{
    struct timespec busy;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &busy) == 0);
    return (int64_t)busy.tv_sec * 1000000 + busy.tv_nsec / 1000;
}

/* A guest's gauges are its host's, who is told what they are made of; and how fast its objectives burn, which counts beside the host's. */
static void tell_host(struct loop *s)
{
    const struct saga *stuck, *deferred;
    struct instant now = clock_now(&s->clock);
    if (instant_before(now, s->next_told_host))
        return;
    s->next_told_host = instant_after(now, TELL_HOST_EVERY);
    find_oldest(s, &stuck, &deferred);
    atomic_store(&s->oldest_stuck_us, stuck == NULL ? 0 : stuck->started_at.us);
    atomic_store(&s->oldest_deferred_us, deferred == NULL ? 0 : deferred->started_at.us);
    if (s->vitals.metrics != NULL)
        objectives_count(s, now);
}

void counters_turn(struct loop *s)
{
    if (s->sidecar->adopted != NULL) {
        tell_host(s);
        return;
    }
    if (s->vitals.metrics == NULL || !vitals_are_wanted(&s->vitals))
        return;
    uint32_t reasons = 0;
    reasons |= s->stopping ? VITALS_STOPPING : 0;
    reasons |= s->told_full == 0                ? 0
               : s->told_full == E_JOURNAL_AWAY ? VITALS_JOURNAL_AWAY
               : core_stalled(s->core) == 0     ? VITALS_JOURNAL_TIGHT
                                                : VITALS_JOURNAL_FULL;
    reasons |= s->failure.code != 0 ? VITALS_FAILED : 0;
    int64_t began_us = busy_us();
    refresh(s);
    int64_t took_us = busy_us() - began_us;
    s->gauges_most_us = took_us > s->gauges_most_us ? took_us : s->gauges_most_us;
    metrics_set(s->vitals.metrics, METRIC_GAUGES_TURN, METRIC_NO_LABELS, (double)s->gauges_most_us / 1e6);
    vitals_tell(&s->vitals, reasons);
}
