/* What is so now in a loop, as monitoring reads it: each number in the series that its name says, in its unit, and gone once it is no more. */
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "sidecar/core/heap.h"
#include "sidecar/core/holds.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/resilience/admission.h"
#include "sidecar/resilience/recall.h"
#include "sidecar/runtime/fleet.h"
#include "sidecar/runtime/objectives.h"
#include "sidecar/runtime/remedies.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAGAS 4

static struct loop s;
static struct sidecar sidecar;
static struct config_target config_target = {.name = "t"};
static struct config_limit limit = {.definition = "few"};
static struct config config = {.http_listen = "127.0.0.1:0",
                               .data_dir = "/nowhere/at/all",
                               .metrics_series_max = 1000,
                               .live_sagas_max = 900,
                               .journal_bytes_max = 901,
                               .definition_limits = &limit,
                               .definition_limit_count = 1};
static struct loop_target targets[1];
static struct target engines[1];
static struct store store;
static struct instant now;
static struct saga sagas[SAGAS];
static struct saga_counts real;
static struct recall answers;
static struct admission family;
static struct drift_target drifts[LOOP_TARGETS_MAX];
static uint32_t told;
static int stalled, unreadable, undecodable; /* codes */
static uint64_t first_frame;
static struct instant first_at;
static unsigned frames_read, fleets_counted;
static char *page;

/* ---- the loop's surroundings; tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
struct span __wrap_clock_difference(const struct clock *c);
int64_t __wrap_certificates_not_after(struct certificates *c);
int64_t __wrap_certificates_lifetime(struct certificates *c);
struct tracing_counts __wrap_tracing_counts(struct tracing *t);
int __wrap_core_read_frame(struct core *c, uint64_t frame, struct bytes *records, struct error_detail *detail);
int __wrap_codec_decode(struct bytes *records, struct record *out, uint64_t *previous, struct error_detail *detail);
const struct engine *__wrap_core_engine(const struct core *c);
int __wrap_core_stalled(const struct core *c);
struct holds *__wrap_core_holds(struct core *c);
const Saga__V1__Hold *__wrap_holds_at(const struct holds *h, unsigned place);
const struct target *__wrap_engine_target(const struct engine *e, uint16_t index);
struct engine_counts __wrap_engine_counts(const struct engine *e);
struct saga_counts __wrap_engine_counts_real(const struct engine *e);
const struct admission *__wrap_engine_family(const struct engine *e, uint32_t index, const char **name);
const struct saga *__wrap_engine_after(const struct engine *e, uint64_t serial);
const struct recall *__wrap_engine_answers(const struct engine *e);
uint32_t __wrap_catalog_count(const struct catalog *c);
void __wrap_fleet_count(struct loop *l, struct instant at);
struct webhook_counts __wrap_remedies_pages(struct loop *l);
bool __wrap_vitals_are_wanted(const struct vitals *v);
void __wrap_vitals_tell(struct vitals *v, uint32_t reasons);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

struct span __wrap_clock_difference(const struct clock *c)
{
    (void)c;
    return SPAN_MS(250);
}

static int64_t expires; /* stands for the certificates, too */
int64_t __wrap_certificates_not_after(struct certificates *c)
{
    ck_assert_ptr_eq(c, (struct certificates *)(void *)&expires);
    return expires;
}

int64_t __wrap_certificates_lifetime(struct certificates *c)
{
    (void)c;
    return 86400;
}

struct tracing_counts __wrap_tracing_counts(struct tracing *t)
{
    return t == NULL ? (struct tracing_counts){0} : (struct tracing_counts){.made = 5, .dropped = 2};
}

static bool empty; /* the frame */
int __wrap_core_read_frame(struct core *c, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    (void)c;
    (void)detail;
    frames_read++;
    ck_assert_uint_eq(frame, first_frame);
    *records = bytes_of_text(empty ? "" : "records");
    return unreadable;
}

int __wrap_codec_decode(struct bytes *records, struct record *out, uint64_t *previous, struct error_detail *detail)
{
    (void)previous;
    (void)detail;
    ck_assert_uint_eq(records->size, 7);
    *out = (struct record){.at = first_at};
    return undecodable;
}

static uint64_t first_of(struct store *of)
{
    ck_assert_ptr_eq(of, &store);
    return first_frame;
}

const struct engine *__wrap_core_engine(const struct core *c)
{
    (void)c;
    return NULL;
}

int __wrap_core_stalled(const struct core *c)
{
    (void)c;
    return stalled;
}

struct holds *__wrap_core_holds(struct core *c)
{
    (void)c;
    return NULL;
}

const Saga__V1__Hold *__wrap_holds_at(const struct holds *h, unsigned place)
{
    static const Saga__V1__Hold held;
    (void)h;
    return place == 0 || place == HOLDS_MAX - 1 ? &held : NULL;
}

const struct target *__wrap_engine_target(const struct engine *e, uint16_t index)
{
    (void)e;
    return &engines[index];
}

struct engine_counts __wrap_engine_counts(const struct engine *e)
{
    (void)e;
    return (struct engine_counts){.live = 70, .synthetic = {.live = 7, .stuck = 8}};
}

struct saga_counts __wrap_engine_counts_real(const struct engine *e)
{
    (void)e;
    return real;
}

const struct admission *__wrap_engine_family(const struct engine *e, uint32_t index, const char **name)
{
    (void)e;
    *name = "few";
    return index == 0 ? &family : NULL;
}

const struct saga *__wrap_engine_after(const struct engine *e, uint64_t serial)
{
    (void)e;
    return serial >= SAGAS ? NULL : &sagas[serial];
}

const struct recall *__wrap_engine_answers(const struct engine *e)
{
    (void)e;
    return &answers;
}

uint32_t __wrap_catalog_count(const struct catalog *c)
{
    (void)c;
    return 12;
}

void __wrap_fleet_count(struct loop *l, struct instant at)
{
    ck_assert(l == &s && at.us == now.us);
    fleets_counted++;
}

struct webhook_counts __wrap_remedies_pages(struct loop *l)
{
    (void)l;
    return (struct webhook_counts){.sent = 1, .failed = 2, .dropped = 3};
}

bool __wrap_vitals_are_wanted(const struct vitals *v)
{
    (void)v;
    return true;
}

void __wrap_vitals_tell(struct vitals *v, uint32_t reasons)
{
    (void)v;
    told = reasons;
}

/* ---- one loop ---- */

static void setup(void)
{
    memset(&s, 0, sizeof s);
    memset(targets, 0, sizeof targets);
    memset(engines, 0, sizeof engines);
    memset(sagas, 0, sizeof sagas);
    memset(&family, 0, sizeof family);
    memset(&answers, 0, sizeof answers);
    memset(&sidecar, 0, sizeof sidecar);
    memset(drifts, 0, sizeof drifts);
    s.sidecar = &sidecar;
    s.config = &config;
    s.targets = targets;
    s.target_count = 1;
    s.store = &store;
    ck_assert_int_eq(slis_create(NULL, 0, &heap, &s.slis), 0);
    now = (struct instant){.us = INT64_C(1000000000)};
    targets[0].shared = calloc(1, sizeof *targets[0].shared + 2);
    strcpy(targets[0].shared->name, "t");
    real = (struct saga_counts){.live = 11, .stuck = 2, .compensating = 3, .paused = 4, .answered = 5};
    for (unsigned i = 0; i < SAGAS; i++) {
        sagas[i].id.serial = i + 1;
        sagas[i].started_at = instant_after(now, SPAN_S(-100 + 10 * (int)i));
    }
    stalled = 0;
    ck_assert_int_eq(counters_open(&s), 0);
}

static void teardown(void)
{
    counters_close(&s);
    slis_destroy(s.slis);
    free(targets[0].shared);
    free(page);
    page = NULL;
}

static void is(const char *series, double expected)
{
    char line[300];
    size_t size;
    free(page);
    FILE *out = open_memstream(&page, &size);
    ck_assert_int_eq(metrics_write(&s.vitals.metrics, 1, METRICS_PROMETHEUS, out), 0);
    fclose(out);
    snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr(page, line);
    double there = at == NULL ? -1 : atof(at + strlen(line));
    ck_assert_msg(there > expected - 1e-6 && there < expected + 1e-6, "%s is %g, not %g", series, there, expected);
}

START_TEST(gauges__each_number_is_in_its_series)
{
    answers.count = 21;
    answers.bytes = 22;
    answers.evicted = 23;
    counters_turn(&s);
    is("sagad_sagas_live", 11);
    ck_assert_ptr_nonnull(strstr(page, "\nsagad_gauges_refresh_max_seconds ")); /* however long that was */
    is("sagad_sagas_live_max", 900);
    is("sagad_sagas_stuck", 2);
    is("sagad_sagas_compensating", 3);
    is("sagad_sagas_paused", 4);
    is("sagad_sagas_answered", 5);
    is("sagad_synthetic_sagas_live", 7);
    is("sagad_synthetic_sagas_stuck", 8);
    is("sagad_definitions", 12);
    is("sagad_definitions_held", 2);
    is("sagad_journal_limit_bytes", 901);
    is("sagad_journal_full", 0);
    is("sagad_clock_difference_seconds", 0.25);
    is("sagad_webhooks_total{result=\"sent\"}", 1);
    is("sagad_webhooks_total{result=\"failed\"}", 2);
    is("sagad_webhooks_total{result=\"dropped\"}", 3);
    is("sagad_last_good_answers", 21);
    is("sagad_last_good_bytes", 22);
    is("sagad_last_good_evicted_total", 23);
    answers.evicted = 25;
    counters_turn(&s);
    is("sagad_last_good_evicted_total", 25);
    is("sagad_spans_total", -1);
    is("sagad_certificate_expiry_timestamp_seconds", -1);
    is("sagad_journal_age_seconds", -1);
}
END_TEST

/* As old as the first record of its oldest frame, which is read once; what cannot be read now is asked for again. */
START_TEST(gauges__a_journal_is_as_old_as_its_first_record)
{
    store.first_frame = first_of;
    counters_turn(&s);
    is("sagad_journal_age_seconds", -1);
    ck_assert_uint_eq(frames_read, 0); /* nothing is in it */
    first_frame = 7;
    first_at = (struct instant){.us = now.us - 2500000};
    stalled = E_JOURNAL_AWAY;
    counters_turn(&s);
    ck_assert_uint_eq(frames_read, 0);
    stalled = 0;
    unreadable = E_JOURNAL_AWAY;
    counters_turn(&s);
    unreadable = 0;
    undecodable = E_JOURNAL_CORRUPT;
    counters_turn(&s);
    undecodable = 0;
    is("sagad_journal_age_seconds", -1);
    ck_assert_uint_eq(frames_read, 2);
    empty = true;
    counters_turn(&s);
    empty = false;
    is("sagad_journal_age_seconds", -1);
    frames_read = 2;
    for (int i = 0; i < 3; i++)
        counters_turn(&s);
    is("sagad_journal_age_seconds", 2.5);
    ck_assert_uint_eq(frames_read, 3);
    first_frame = 9; /* retention has freed some */
    first_at = (struct instant){.us = now.us - 1000000};
    counters_turn(&s);
    is("sagad_journal_age_seconds", 1);
    ck_assert_uint_eq(frames_read, 4);
    first_frame = 0; /* and then all */
    counters_turn(&s);
    is("sagad_journal_age_seconds", 0);
    ck_assert_uint_eq(frames_read, 4);
}
END_TEST

static uint64_t reusable(struct store *of)
{
    ck_assert_ptr_eq(of, &store);
    return 4096;
}

static void write_bytes(const char *path, const char *ending, size_t size)
{
    char name[JOURNAL_PATH_SIZE + 16];
    snprintf(name, sizeof name, "%s%s", path, ending);
    FILE *to = fopen(name, "w");
    ck_assert(to != NULL && fseek(to, (long)size - 1, SEEK_SET) == 0 && fputc('x', to) == 'x' && fclose(to) == 0);
}

/* All of its files, of this loop alone; and what the volume has left. */
START_TEST(gauges__a_journal_tells_what_it_takes)
{
    char dir[] = "/tmp/saga-gauges-XXXXXX", path[JOURNAL_PATH_SIZE], command[64];
    struct config own = config;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    own.data_dir = dir;
    s.config = &own;
    s.index = 1;
    store.reusable = reusable;
    counters_turn(&s);
    is("sagad_journal_bytes", 0);
    is("sagad_journal_reusable_bytes", 4096);
    ck_assert(counters_volume_free(&s) > 0);
    sidecar_journal_path(&own, 1, path);
    write_bytes(path, "", 1000);
    write_bytes(path, "-wal", 200);
    write_bytes(path, ".reserve", 30);
    write_bytes(path, "-shm", 4); /* which is none of it */
    sidecar_journal_path(&own, 0, path);
    write_bytes(path, "", 5000);
    counters_turn(&s);
    is("sagad_journal_bytes", 1230);
    ck_assert_ptr_nonnull(strstr(page, "\nsagad_journal_volume_free_bytes "));
    ck_assert_ptr_null(strstr(page, "\nsagad_journal_volume_free_bytes 0\n"));
    own.data_dir = "/nowhere/at/all";
    ck_assert(counters_volume_free(&s) == 0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(gauges__spans_certificates_and_the_fleet_are_told)
{
    int some;
    counters_turn(&s);
    is("sagad_certificate_expiry_timestamp_seconds", -1);
    sidecar.certificates = (struct certificates *)(void *)&expires;
    counters_turn(&s);
    is("sagad_certificate_expiry_timestamp_seconds", -1); /* it has none that ends */
    expires = 1234567;
    s.tracing = (struct tracing *)(void *)&some;
    fleets_counted = 0;
    for (int i = 0; i < 2; i++)
        counters_turn(&s);
    ck_assert_uint_eq(fleets_counted, 2);
    is("sagad_certificate_expiry_timestamp_seconds", 1234567);
    is("sagad_certificate_lifetime_seconds", 86400);
    is("sagad_spans_total", 10);
    is("sagad_spans_dropped_total", 4);
    is("sagad_metrics_series", metrics_count(s.vitals.metrics));
    is("sagad_metrics_bytes", (double)metrics_bytes(s.vitals.metrics));
}
END_TEST

/* Of whom nothing is known any more nothing is shown. */
START_TEST(gauges__a_target_is_shown_as_it_is)
{
    const struct budget_options budget = {.percent = 20, .min_per_second = 10};
    struct target *t = &engines[0];
    t->places = 9;
    t->places_taken = 4;
    t->waiting = 3;
    counters_turn(&s);
    is("sagad_target_calls_max{target=\"t\"}", 9);
    is("sagad_target_calls_in_flight{target=\"t\"}", 4);
    is("sagad_target_calls_waiting{target=\"t\"}", 3);
    is("sagad_target_oldest_waiting_seconds{target=\"t\"}", (double)target_longest(t, now).us / 1e6);
    is("sagad_target_breaker_state{target=\"t\"}", 0);
    is("sagad_target_unreachable_seconds{target=\"t\"}", 0);
    is("sagad_target_retry_budget_left{target=\"t\"}", -1);
    is("sagad_target_rate_limit_per_second{target=\"t\"}", -1);
    is("sagad_target_schema_breaks{target=\"t\"}", -1);
    budget_set(&t->budget, &budget);
    t->budget.left = 2500;
    t->budget.looked_at = now;
    t->rate.per_second = 50;
    t->breaker.mark = (struct breaker_mark){.open = true, .open_until = instant_after(now, SPAN_S(1))};
    targets[0].down_since = instant_after(now, SPAN_MS(-1500));
    s.drift.targets = drifts;
    drifts[0] = (struct drift_target){.at = now, .breaks = 6};
    counters_turn(&s);
    is("sagad_target_retry_budget_left{target=\"t\"}", (double)budget_left(&t->budget, now) / 1000);
    ck_assert_int_gt(budget_left(&t->budget, now), 0);
    is("sagad_target_rate_limit_per_second{target=\"t\"}", 50);
    is("sagad_target_breaker_state{target=\"t\"}", 1);
    is("sagad_target_unreachable_seconds{target=\"t\"}", 1.5);
    is("sagad_target_schema_breaks{target=\"t\"}", 6);
    t->breaker.mark.open_until = now;
    counters_turn(&s);
    is("sagad_target_breaker_state{target=\"t\"}", 2);
    config_target.retry_budget_percent = 20;
    config_target.rate_limit_per_second = 50;
    counters_target_changes(&s, &config_target);
    is("sagad_target_retry_budget_left{target=\"t\"}", -1);
    is("sagad_target_rate_limit_per_second{target=\"t\"}", -1);
    t->places = 0;
    counters_turn(&s);
    is("sagad_target_retry_budget_left{target=\"t\"}", -1);
    is("sagad_target_rate_limit_per_second{target=\"t\"}", -1);
}
END_TEST

START_TEST(gauges__a_definition_that_is_bounded_is_shown_until_it_is_not)
{
    family.live = 5;
    counters_turn(&s);
    is("sagad_definition_sagas_live{definition=\"few\"}", -1);
    family.options.live_max = 6;
    family.options.starts.per_second = 7;
    counters_turn(&s);
    is("sagad_definition_sagas_live{definition=\"few\"}", 5);
    is("sagad_definition_sagas_live_max{definition=\"few\"}", 6);
    is("sagad_definition_starts_per_second_max{definition=\"few\"}", 7);
    counters_limits_change(&s, &config);
    is("sagad_definition_sagas_live{definition=\"few\"}", -1);
    is("sagad_definition_sagas_live_max{definition=\"few\"}", -1);
    is("sagad_definition_starts_per_second_max{definition=\"few\"}", -1);
}
END_TEST

/* Heartbeats are none of them. */
START_TEST(gauges__the_oldest_of_each_kind)
{
    sagas[0].synthetic = true;
    sagas[0].state = SAGA_STUCK;
    sagas[0].answered = true;
    sagas[2].answered = true;
    sagas[3].state = SAGA_STUCK;
    counters_turn(&s);
    is("sagad_oldest_live_saga_age_seconds", 90);
    is("sagad_oldest_deferred_saga_age_seconds", 80);
    is("sagad_oldest_stuck_saga_age_seconds", 70);
    for (unsigned i = 0; i < 2; i++) { /* the first of several, also where it takes longer to find one of the others */
        for (unsigned k = 0; k < 4; k++) {
            bool stuck = (k == 3) == (i == 0);
            sagas[k].synthetic = false;
            sagas[k].state = k > 0 && stuck ? SAGA_STUCK : SAGA_RUNNING;
            sagas[k].answered = k > 0 && !stuck;
        }
        counters_turn(&s);
        is("sagad_oldest_deferred_saga_age_seconds", i == 0 ? 90 : 70);
        is("sagad_oldest_stuck_saga_age_seconds", i == 0 ? 70 : 90);
    }
    real = (struct saga_counts){.live = 0};
    counters_turn(&s);
    is("sagad_oldest_live_saga_age_seconds", 0);
    is("sagad_oldest_deferred_saga_age_seconds", 0);
    is("sagad_oldest_stuck_saga_age_seconds", 0);
}
END_TEST

START_TEST(gauges__why_a_loop_is_not_ready_is_told)
{
    counters_turn(&s);
    ck_assert_uint_eq(told, 0);
    s.told_full = 1;
    counters_turn(&s);
    ck_assert_uint_eq(told, VITALS_JOURNAL_TIGHT);
    is("sagad_journal_full", 1);
    stalled = s.told_full = E_JOURNAL_FULL;
    counters_turn(&s);
    ck_assert_uint_eq(told, VITALS_JOURNAL_FULL);
    stalled = s.told_full = E_JOURNAL_AWAY;
    counters_turn(&s);
    ck_assert_uint_eq(told, VITALS_JOURNAL_AWAY);
    s.told_full = 0;
    s.stopping = true;
    s.failure.code = E_MEMORY;
    counters_turn(&s);
    ck_assert_uint_eq(told, VITALS_STOPPING | VITALS_FAILED);
}
END_TEST

/* A latency without a time, and a freshness without one, is no promise; what is promised no more is not shown. */
START_TEST(gauges__what_is_promised_is_shown_until_it_is_not)
{
    struct config_objective promised[] = {{.definition = "few",
                                           .success = 99900,
                                           .latency_percent = 95000,
                                           .freshness_percent = 95000,
                                           .window = SPAN_S(86400)}};
    const struct config_synthetic beat = {.promised = {.definition = "beat",
                                                       .success = 99000,
                                                       .latency = SPAN_S(1),
                                                       .latency_percent = 90000,
                                                       .window = SPAN_S(86400)}};
    struct config next = config;
    next.objectives = promised;
    next.objective_count = 1;
    next.synthetics = &beat;
    next.synthetic_count = 1;
    ck_assert_int_eq(objectives_take(&s, &next), 0);
    is("sagad_slo_promised_ratio{definition=\"few\",objective=\"success\"}", 0.999);
    is("sagad_slo_promised_ratio{definition=\"few\",objective=\"latency\"}", -1);
    is("sagad_slo_promised_ratio{definition=\"few\",objective=\"freshness\"}", -1);
    is("sagad_slo_promised_ratio{definition=\"beat\",objective=\"synthetic_latency\"}", 0.9);
    is("sagad_slo_burn_rate{definition=\"few\",objective=\"success\",window=\"3d\"}", 0);
    promised[0].latency = SPAN_S(1);
    promised[0].freshness = SPAN_S(60);
    promised[0].freshness_percent = 97000;
    ck_assert_int_eq(objectives_take(&s, &next), 0);
    is("sagad_slo_promised_ratio{definition=\"few\",objective=\"latency\"}", 0.95);
    is("sagad_slo_promised_ratio{definition=\"few\",objective=\"freshness\"}", 0.97);
    slis_missed(s.slis, "beat");
    counters_turn(&s);
    is("sagad_slo_events_total{definition=\"beat\",objective=\"synthetic_success\"}", 1);
    /* What was counted is counted, though nobody has looked before the change. */
    slis_missed(s.slis, "beat");
    ck_assert_int_eq(objectives_take(&s, &config), 0);
    is("sagad_slo_events_total{definition=\"beat\",objective=\"synthetic_success\"}", 2);
    is("sagad_slo_bad_events_total{definition=\"beat\",objective=\"synthetic_success\"}", 2);
    is("sagad_slo_promised_ratio{definition=\"few\",objective=\"success\"}", -1);
    is("sagad_slo_burn_rate{definition=\"few\",objective=\"success\",window=\"3d\"}", -1);
    is("sagad_slo_promised_ratio{definition=\"beat\",objective=\"synthetic_latency\"}", -1);
    is("sagad_slo_burn_rate{definition=\"beat\",objective=\"synthetic_latency\",window=\"5m\"}", -1);
    is("sagad_slo_promised_ratio{definition=\"few\",objective=\"freshness\"}", -1);
    is("sagad_slo_burn_rate{definition=\"few\",objective=\"freshness\",window=\"5m\"}", -1);
    is("sagad_slo_burn_rate{definition=\"few\",objective=\"freshness\",window=\"3d\"}", -1);
}
END_TEST

/* A guest tells its host, every few seconds. */
START_TEST(gauges__a_guest_tells_its_host)
{
    const struct config_synthetic beat = {
        .promised = {.definition = "beat", .success = 99000, .window = SPAN_S(86400)}};
    struct config next = config;
    next.synthetics = &beat;
    next.synthetic_count = 1;
    ck_assert_int_eq(objectives_take(&s, &next), 0);
    slis_missed(s.slis, "beat");
    sidecar.adopted = (const struct adopted *)&sidecar; /* only looked at whether it is there */
    sagas[1].state = SAGA_STUCK;
    sagas[2].answered = true;
    counters_turn(&s);
    is("sagad_slo_burn_rate{definition=\"beat\",objective=\"synthetic_success\",window=\"3d\"}", 100);
    is("sagad_slo_events_total{definition=\"beat\",objective=\"synthetic_success\"}",
       0); /* its own journal counts them */
    ck_assert_int_eq(atomic_load(&s.oldest_stuck_us), sagas[1].started_at.us);
    ck_assert_int_eq(atomic_load(&s.oldest_deferred_us), sagas[2].started_at.us);
    sagas[1].state = SAGA_RUNNING;
    now = instant_after(now, SPAN_MS(4999));
    counters_turn(&s);
    ck_assert_int_eq(atomic_load(&s.oldest_stuck_us), sagas[1].started_at.us);
    now = instant_after(now, SPAN_MS(1));
    counters_turn(&s);
    ck_assert_int_eq(atomic_load(&s.oldest_stuck_us), 0);
    sidecar.adopted = NULL;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gauges");
    TCase *tc = tcase_create("gauges");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, gauges__each_number_is_in_its_series);
    tcase_add_test(tc, gauges__a_journal_is_as_old_as_its_first_record);
    tcase_add_test(tc, gauges__a_journal_tells_what_it_takes);
    tcase_add_test(tc, gauges__spans_certificates_and_the_fleet_are_told);
    tcase_add_test(tc, gauges__a_target_is_shown_as_it_is);
    tcase_add_test(tc, gauges__a_definition_that_is_bounded_is_shown_until_it_is_not);
    tcase_add_test(tc, gauges__the_oldest_of_each_kind);
    tcase_add_test(tc, gauges__why_a_loop_is_not_ready_is_told);
    tcase_add_test(tc, gauges__what_is_promised_is_shown_until_it_is_not);
    tcase_add_test(tc, gauges__a_guest_tells_its_host);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
