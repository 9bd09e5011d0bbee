/* What a loop counts of records, attempts and commits: each thing once, in the series that its name says. */
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "sidecar/engine/saga.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop s;
static struct sidecar sidecar;
static struct config config = {.http_listen = "127.0.0.1:0", .metrics_series_max = 1000};
static struct loop_target targets[1];
static struct store store;
static struct instant now;
static char *page;
static uint8_t lacks;

struct instant __wrap_clock_now(const struct clock *c);
struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

/* What its steps say of that is the engine's. */
uint8_t __wrap_saga_lacks(const struct saga *saga);
uint8_t __wrap_saga_lacks(const struct saga *saga)
{
    (void)saga;
    return lacks;
}

static void setup(void)
{
    memset(&s, 0, sizeof s);
    memset(targets, 0, sizeof targets);
    s.sidecar = &sidecar;
    s.config = &config;
    s.targets = targets;
    s.store = &store;
    now = (struct instant){.us = INT64_C(1000000000)};
    targets[0].shared = calloc(1, sizeof *targets[0].shared + 2);
    strcpy(targets[0].shared->name, "t");
    ck_assert_int_eq(counters_open(&s), 0);
}

static void teardown(void)
{
    counters_close(&s);
    free(targets[0].shared);
    free(page);
    page = NULL;
}

/* Of a series as it is written: its name with its labels. -1: there is none. */
static double counted(const char *series)
{
    char line[300];
    size_t size;
    free(page);
    FILE *out = open_memstream(&page, &size);
    ck_assert_int_eq(metrics_write(&s.vitals.metrics, 1, METRICS_PROMETHEUS, out), 0);
    fclose(out);
    snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr(page, line);
    return at == NULL ? -1 : atof(at + strlen(line));
}

static void is(const char *series, double expected)
{
    double there = counted(series);
    ck_assert_msg(there == expected, "%s is %g, not %g", series, there, expected);
}

static void near(const char *series, double expected)
{
    double there = counted(series);
    ck_assert_msg(there > expected - 1e-6 && there < expected + 1e-6, "%s is %g, not %g", series, there, expected);
}

static struct saga saga_of(const char *name)
{
    return (struct saga){.name = bytes_of_text(name), .started_at = now};
}

static void record(const struct saga *saga, struct record r)
{
    r.at = instant_after(now, SPAN_MS(1500));
    ck_assert(counters_want(&s, r.type));
    counters_record(&s, saga, &r);
}

START_TEST(counters__failures_are_of_their_phase_and_status)
{
    const struct saga saga = saga_of("order");
    record(&saga, (struct record){.type = RECORD_ACTION_FAILED, .status = 14});
    record(&saga, (struct record){.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_REJECTED, .status = 9});
    record(&saga, (struct record){.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_UNKNOWN, .status = 4});
    record(&saga, (struct record){.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_DONE});
    record(&saga, (struct record){.type = RECORD_COMPENSATION_FAILED, .status = 14});
    record(&saga, (struct record){.type = RECORD_COMPENSATION_FAILED, .status = 14});
    record(&saga, (struct record){
                      .type = RECORD_COMPENSATION_ENDED, .compensation_state = SAGA_COMPENSATION_FAILED, .status = 13});
    record(&saga, (struct record){.type = RECORD_COMPENSATION_ENDED, .compensation_state = SAGA_COMPENSATION_DONE});
#define FAILURES(phase, status) \
    "sagad_step_failures_total{definition=\"order\",step=\"\",phase=\"" phase "\",status=\"" status "\"}"
    is(FAILURES("action", "UNAVAILABLE"), 1);
    is(FAILURES("action", "FAILED_PRECONDITION"), 1);
    is(FAILURES("action", "DEADLINE_EXCEEDED"), 1);
    is(FAILURES("action", "OK"), -1);
    is(FAILURES("compensation", "UNAVAILABLE"), 2);
    is(FAILURES("compensation", "INTERNAL"), 1);
    is(FAILURES("compensation", "OK"), -1);
}
END_TEST

START_TEST(counters__sagas_by_how_they_begin_and_end)
{
    struct saga saga = saga_of("order");
    record(&saga, (struct record){.type = RECORD_STARTED, .mode = SAGA_ENLISTED});
    record(&saga, (struct record){.type = RECORD_STARTED, .mode = SAGA_ORCHESTRATED});
    record(&saga, (struct record){.type = RECORD_STARTED, .mode = SAGA_ORCHESTRATED});
    record(&saga, (struct record){.type = RECORD_ENDED, .saga_state = SAGA_COMMITTED});
    record(&saga, (struct record){.type = RECORD_STUCK, .reason = REASON_COMPENSATION_FAILED});
    saga.reason = REASON_CANCELLED;
    record(&saga, (struct record){.type = RECORD_ENDED, .saga_state = SAGA_COMPENSATED});
    is("sagad_sagas_started_total{definition=\"order\",mode=\"enlisted\"}", 1);
    is("sagad_sagas_started_total{definition=\"order\",mode=\"orchestrated\"}", 2);
    is("sagad_sagas_ended_total{definition=\"order\",state=\"COMMITTED\",reason=\"\"}", 1);
    is("sagad_sagas_ended_total{definition=\"order\",state=\"COMPENSATED\",reason=\"CANCELLED\"}", 1);
    is("sagad_sagas_stuck_entered_total{definition=\"order\",step=\"\",reason=\"COMPENSATION_FAILED\"}", 1);
    near("sagad_saga_duration_seconds_sum{definition=\"order\",state=\"COMPENSATED\"}", 1.5);
}
END_TEST

/* Whatever a saga has done without, each kind counts; what was undone has done without nothing, and what is deferred is not missing. */
START_TEST(counters__degraded_sagas_by_all_that_they_lack)
{
    static const uint8_t rows[] = {LACK_MISSING,
                                   LACK_FALLBACK | LACK_STALE,
                                   LACK_STALE | LACK_MISSING | LACK_DEFERRED,
                                   LACK_STALE,
                                   LACK_DEFERRED,
                                   0};
    const struct saga saga = saga_of("order");
    for (size_t i = 0; i < sizeof rows; i++) {
        lacks = rows[i];
        record(&saga, (struct record){.type = RECORD_ENDED, .saga_state = SAGA_COMMITTED});
    }
    lacks = LACK_MISSING;
    record(&saga, (struct record){.type = RECORD_ENDED, .saga_state = SAGA_COMPENSATED});
    is("sagad_sagas_degraded_total{definition=\"order\",kind=\"MISSING\"}", 2);
    is("sagad_sagas_degraded_total{definition=\"order\",kind=\"FALLBACK\"}", 1);
    is("sagad_sagas_degraded_total{definition=\"order\",kind=\"STALE\"}", 3);
    is("sagad_sagas_degraded_total{definition=\"order\",kind=\"DEFERRED\"}", -1);
}
END_TEST

/* A heartbeat that got stuck is told once, with why; when a person has ended it, as what it has become. */
START_TEST(counters__heartbeats_are_counted_apart)
{
    struct saga saga = saga_of("order");
    saga.synthetic = true;
    saga.reason = REASON_ACTION_REJECTED;
    struct record r = {.type = RECORD_STUCK, .reason = REASON_COMPENSATION_FAILED, .at = now};
    counters_record_synthetic(&s, &saga, &r);
    r = (struct record){.type = RECORD_ENDED, .saga_state = SAGA_RESOLVED, .at = instant_after(now, SPAN_S(2))};
    counters_record_synthetic(&s, &saga, &r);
    saga.reason = REASON_NONE;
    r = (struct record){.type = RECORD_ENDED, .saga_state = SAGA_COMMITTED, .at = instant_after(now, SPAN_S(3))};
    counters_record_synthetic(&s, &saga, &r);
    for (uint8_t type = RECORD_STARTED; type < RECORD_ENDED; type++) /* what else there is of one is not counted */
        if (type != RECORD_STUCK)
            counters_record_synthetic(&s, &saga, &(struct record){.type = type, .at = now});
    is("sagad_synthetic_sagas_total{definition=\"order\",state=\"STUCK\",reason=\"COMPENSATION_FAILED\"}", 1);
    is("sagad_synthetic_sagas_total{definition=\"order\",state=\"RESOLVED\",reason=\"ACTION_REJECTED\"}", 1);
    is("sagad_synthetic_sagas_total{definition=\"order\",state=\"COMMITTED\",reason=\"\"}", 1);
    unsigned series = 0;
    for (const char *at = page; (at = strstr(at, "\nsagad_synthetic_sagas_total{")) != NULL; at++)
        series++;
    ck_assert_uint_eq(series, 3);
    ck_assert_ptr_null(strstr(page, "\nsagad_sagas_ended_total{"));
    near("sagad_synthetic_duration_seconds_sum{definition=\"order\",state=\"RESOLVED\"}", 2);
}
END_TEST

static void attempt(uint8_t phase, uint16_t number, struct span waited, struct span took, int status,
                    enum saga_reach reach)
{
    struct instant left = {.us = now.us - took.us};
    const struct call_effect call = {.phase = phase, .attempt = number, .due_at = {.us = left.us - waited.us}};
    counters_attempt(&s, &call, left, &(struct rpc_answer){.status = status, .reach = reach});
}

/* An attempt waits until it leaves, and takes from then on; the first of a step is no retry. */
START_TEST(counters__attempts_by_their_times)
{
    attempt(SAGA_PHASE_ACTION, 1, SPAN_MS(100), SPAN_MS(2000), 0, SAGA_REACH_ANSWERED);
    attempt(SAGA_PHASE_ACTION, 2, SPAN_MS(200), SPAN_MS(3000), 14, SAGA_REACH_MAYBE);
    attempt(SAGA_PHASE_ACTION, 3, SPAN_MS(300), SPAN_MS(4000), 0, SAGA_REACH_ANSWERED);
    attempt(SAGA_PHASE_COMPENSATION, 2, SPAN_MS(400), SPAN_MS(5000), 0, SAGA_REACH_ANSWERED);
    attempt(SAGA_PHASE_ACTION, 4, SPAN_MS(500), SPAN_MS(6000), 14, SAGA_REACH_NONE);
    is("sagad_attempts_total{target=\"t\",phase=\"action\",status=\"OK\"}", 2);
    is("sagad_attempts_total{target=\"t\",phase=\"action\",status=\"UNAVAILABLE\"}", 1);
    is("sagad_attempts_total{target=\"t\",phase=\"action\",status=\"NOT_SENT\"}", 1);
    is("sagad_attempts_total{target=\"t\",phase=\"compensation\",status=\"OK\"}", 1);
    is("sagad_retries_total{target=\"t\",phase=\"action\"}", 2);
    is("sagad_retries_total{target=\"t\",phase=\"compensation\"}", 1);
    near("sagad_attempt_wait_seconds_sum{target=\"t\",phase=\"action\"}", 0.6);
    near("sagad_attempt_duration_seconds_sum{target=\"t\",phase=\"action\"}", 9);
    near("sagad_attempt_wait_seconds_sum{target=\"t\",phase=\"compensation\"}", 0.4);
    is("sagad_attempt_duration_seconds_count{target=\"t\",phase=\"action\"}", 3);
}
END_TEST

/* Each commit with what it carried, and no more. */
START_TEST(counters__commits_each_by_itself)
{
    for (int i = 0; i < 3; i++) {
        struct instant began = now;
        counters_committing(&s);
        counters_frame(&s, 1000, 7);
        counters_frame(&s, 500, 3);
        now = instant_after(now, SPAN_MS(20));
        counters_commit(&s, began);
    }
    is("sagad_commit_records_sum", 30);
    is("sagad_commit_records_count", 3);
    is("sagad_commit_records_bucket{le=\"10\"}", 3);
    is("sagad_commit_bytes_sum", 4500);
    near("sagad_commit_duration_seconds_sum", 0.06);
    is("sagad_journal_sync_duration_seconds_count", -1); /* nothing tells */
}
END_TEST

/* A store that tells how long it has waited for the disk is asked, and no commit is told of a wait before it. */
static struct span waited;
static struct span synced(struct store *of)
{
    struct span told = waited;
    ck_assert_ptr_eq(of, &store);
    waited = (struct span){0};
    return told;
}

START_TEST(counters__waits_for_the_disk_are_of_their_commits)
{
    store.synced = synced;
    waited = SPAN_MS(700); /* before */
    counters_committing(&s);
    counters_commit(&s, now);
    is("sagad_journal_sync_duration_seconds_count", -1); /* nothing was to be waited for */
    counters_committing(&s);
    waited = SPAN_MS(30);
    counters_commit(&s, now);
    is("sagad_journal_sync_duration_seconds_count", 1);
    near("sagad_journal_sync_duration_seconds_sum", 0.03);
    is("sagad_commit_records_count", 2);
    store.synced = NULL;
}
END_TEST

/* Of each definition and step for itself, however often, and whichever is counted in between. */
START_TEST(counters__steps_of_definitions_are_told_apart)
{
    static const char *const names[] = {"a", "b"};
    char series[160];
    struct step_spec specs[2] = {{.name = "one"}, {.name = "two"}};
    struct definition definitions[2] = {{.steps = specs}, {.steps = specs}};
    struct saga sagas[2];
    for (int d = 0; d < 2; d++) {
        sagas[d] = saga_of(names[d]);
        sagas[d].definition = &definitions[d];
        sagas[d].step_count = 2;
        sagas[d].steps = calloc(2, sizeof sagas[d].steps[0]);
        for (int i = 0; i < 2; i++)
            sagas[d].steps[i].first_at = instant_after(now, SPAN_MS(500 + 100 * i));
    }
    for (int round = 0; round < 3; round++)
        for (int d = 0; d < 2; d++) {
            record(&sagas[d], (struct record){.type = RECORD_STARTED, .mode = SAGA_ORCHESTRATED});
            for (uint16_t step = 0; step < 2; step++)
                record(&sagas[d],
                       (struct record){.type = RECORD_ACTION_ENDED, .step = step, .action_state = SAGA_ACTION_DONE});
            record(&sagas[d], (struct record){.type = RECORD_ACTION_FAILED, .step = 1, .status = 14});
            record(&sagas[d], (struct record){.type = RECORD_ENDED, .saga_state = SAGA_COMMITTED});
        }
    for (int d = 0; d < 2; d++) {
        snprintf(series, sizeof series, "sagad_step_duration_seconds_sum{definition=\"%s\",step=\"one\"}", names[d]);
        near(series, 3);
        snprintf(series, sizeof series, "sagad_step_duration_seconds_sum{definition=\"%s\",step=\"two\"}", names[d]);
        near(series, 2.7);
        snprintf(series, sizeof series, "sagad_sagas_started_total{definition=\"%s\",mode=\"orchestrated\"}", names[d]);
        is(series, 3);
        snprintf(series, sizeof series, "sagad_sagas_ended_total{definition=\"%s\",state=\"COMMITTED\",reason=\"\"}",
                 names[d]);
        is(series, 3);
        snprintf(series, sizeof series, "sagad_saga_duration_seconds_sum{definition=\"%s\",state=\"COMMITTED\"}",
                 names[d]);
        near(series, 4.5);
        snprintf(series, sizeof series,
                 "sagad_step_failures_total{definition=\"%s\",step=\"two\",phase=\"action\",status=\"UNAVAILABLE\"}",
                 names[d]);
        is(series, 3);
    }
    /* One whose beginning nobody knows, or which the clock has put behind its end, tells no time. */
    sagas[0].steps[0].first_at = (struct instant){0};
    sagas[0].steps[1].first_at = instant_after(now, SPAN_S(2));
    sagas[0].started_at = instant_after(now, SPAN_S(2));
    for (uint16_t step = 0; step < 2; step++)
        record(&sagas[0], (struct record){.type = RECORD_ACTION_ENDED, .step = step, .action_state = SAGA_ACTION_DONE});
    is("sagad_step_duration_seconds_count{definition=\"a\",step=\"one\"}", 3);
    is("sagad_step_duration_seconds_count{definition=\"a\",step=\"two\"}", 3);
    record(&sagas[0], (struct record){.type = RECORD_ENDED, .saga_state = SAGA_COMMITTED});
    near("sagad_saga_duration_seconds_sum{definition=\"a\",state=\"COMMITTED\"}", 4.5);
    is("sagad_saga_duration_seconds_count{definition=\"a\",state=\"COMMITTED\"}", 4);
    for (int d = 0; d < 2; d++)
        free(sagas[d].steps);
}
END_TEST

/* A step of a loop has a name for each round, and what was undone is no step's time. */
START_TEST(counters__steps_of_loops_have_names_of_their_own)
{
    static const char *const expected[] = {"pay/1", "pay/2", "pay/3"};
    struct step_spec spec = {.name = "pay"};
    struct definition definition = {.steps = &spec};
    char series[160];
    for (unsigned i = 0; i < 3; i++) {
        struct bytes names[] = {bytes_of_text(expected[i])};
        struct saga saga = saga_of("order");
        saga.definition = &definition;
        saga.names = names;
        saga.step_count = 1;
        saga.steps = calloc(1, sizeof saga.steps[0]);
        saga.steps[0].first_at = instant_after(now, SPAN_MS(500));
        for (unsigned k = 0; k <= i; k++)
            record(&saga, (struct record){.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_DONE});
        record(&saga, (struct record){.type = RECORD_ACTION_FAILED, .status = 14});
        record(&saga, (struct record){.type = RECORD_COMPENSATION_ENDED, .compensation_state = SAGA_COMPENSATION_DONE});
        free(saga.steps);
    }
    for (unsigned i = 0; i < 3; i++) {
        snprintf(series, sizeof series, "sagad_step_duration_seconds_count{definition=\"order\",step=\"%s\"}",
                 expected[i]);
        is(series, i + 1);
        snprintf(series, sizeof series,
                 "sagad_step_failures_total{definition=\"order\",step=\"%s\",phase=\"action\",status=\"UNAVAILABLE\"}",
                 expected[i]);
        is(series, 1);
    }
}
END_TEST

/* A definition's heartbeats have a time to succeed in from when they are configured. */
START_TEST(counters__heartbeats_by_their_schedule)
{
    struct saga saga = saga_of("order");
    struct record r = {.type = RECORD_ENDED, .saga_state = SAGA_COMPENSATED, .at = instant_after(now, SPAN_S(3))};
    saga.synthetic = true;
    counters_synthetic(&s, "order", SPAN_MS(1500));
    is("sagad_synthetic_interval_seconds{definition=\"order\"}", 1.5);
    is("sagad_synthetic_last_success_timestamp_seconds{definition=\"order\"}", 1000);
    counters_record_synthetic(&s, &saga, &r);
    is("sagad_synthetic_last_success_timestamp_seconds{definition=\"order\"}", 1000);
    r.saga_state = SAGA_COMMITTED;
    counters_record_synthetic(&s, &saga, &r);
    is("sagad_synthetic_last_success_timestamp_seconds{definition=\"order\"}", 1003);
    r = (struct record){.type = RECORD_STARTED, .at = now};
    counters_record_synthetic(&s, &saga, &r);
    counters_synthetic_missed(&s, "order");
    counters_synthetic_missed(&s, "order");
    is("sagad_synthetic_missed_total{definition=\"order\"}", 2);
    is("sagad_synthetic_sagas_total{definition=\"order\",state=\"COMMITTED\",reason=\"\"}", 1);
    counters_synthetic_gone(&s, "order");
    is("sagad_synthetic_interval_seconds{definition=\"order\"}", -1);
    is("sagad_synthetic_last_success_timestamp_seconds{definition=\"order\"}", -1);
    is("sagad_synthetic_missed_total{definition=\"order\"}", 2);
    const struct call_effect call = {.phase = SAGA_PHASE_ACTION, .attempt = 1, .synthetic = true, .due_at = now};
    counters_attempt(&s, &call, now, &(struct rpc_answer){.reach = SAGA_REACH_ANSWERED});
    ck_assert_ptr_null(strstr(page, "\nsagad_attempts_total{"));
    is("sagad_attempts_total{target=\"t\",phase=\"action\",status=\"OK\"}", -1);
}
END_TEST

START_TEST(counters__rules_by_their_names)
{
    counters_remedy(&s, "calm", "done");
    counters_remedy(&s, "calm", "done");
    counters_remedy_armed(&s, "calm", true);
    is("sagad_remediation_total{rule=\"calm\",result=\"done\"}", 2);
    is("sagad_remediation_armed{rule=\"calm\"}", 1);
    counters_remedy_armed(&s, "calm", false);
    is("sagad_remediation_armed{rule=\"calm\"}", 0);
    counters_remedy_gone(&s, "calm");
    is("sagad_remediation_armed{rule=\"calm\"}", -1);
    is("sagad_remediation_total{rule=\"calm\",result=\"done\"}", 2);
}
END_TEST

/* The bound of each target is there from the start; a guest counts in what is given to it, and tells no bounds: it has those of its sidecar. */
START_TEST(counters__a_guest_counts_where_it_is_told)
{
    struct config_target configured[] = {{.name = "t", .max_concurrent_calls = 8},
                                         {.name = "u", .max_concurrent_calls = 9}};
    struct config own = config;
    own.targets = configured;
    own.target_count = 2;
    counters_close(&s);
    s.config = &own;
    ck_assert_int_eq(counters_open(&s), 0);
    is("sagad_target_calls_max{target=\"t\"}", 8);
    is("sagad_target_calls_max{target=\"u\"}", 9);
    counters_close(&s);
    struct metrics *given;
    ck_assert_int_eq(metrics_create(100, &given), 0);
    const struct adopted adopted = {.journal = "j", .metrics = given};
    sidecar.adopted = &adopted;
    ck_assert_int_eq(counters_open(&s), 0);
    ck_assert_ptr_eq(s.vitals.metrics, given);
    const struct saga saga = saga_of("order");
    record(&saga, (struct record){.type = RECORD_STARTED, .mode = SAGA_ENLISTED});
    is("sagad_sagas_started_total{definition=\"order\",mode=\"enlisted\"}", 1);
    is("sagad_target_calls_max{target=\"t\"}", -1);
    counters_close(&s);
    metrics_destroy(given); /* which stays until now */
    sidecar.adopted = NULL;
    s.config = &config;
    ck_assert_int_eq(counters_open(&s), 0);
}
END_TEST

START_TEST(counters__nobody_counts_for_nobody)
{
    static const uint8_t counted_types[] = {RECORD_STARTED,
                                            RECORD_ACTION_FAILED,
                                            RECORD_ACTION_ENDED,
                                            RECORD_COMPENSATION_FAILED,
                                            RECORD_COMPENSATION_ENDED,
                                            RECORD_STUCK,
                                            RECORD_ENDED};
    struct metrics *kept = s.vitals.metrics;
    unsigned wanted = 0;
    for (unsigned type = 0; type < 256; type++)
        wanted += counters_want(&s, (uint8_t)type);
    ck_assert_uint_eq(wanted, sizeof counted_types);
    s.vitals.metrics = NULL;
    for (size_t i = 0; i < sizeof counted_types; i++)
        ck_assert(!counters_want(&s, counted_types[i]));
    counters_attempt(&s, &(struct call_effect){.attempt = 2}, now, &(struct rpc_answer){.reach = SAGA_REACH_ANSWERED});
    s.vitals.metrics = kept;
    ck_assert(counters_are_wanted(&config));
    struct config quiet = {.http_listen = ""};
    ck_assert(!counters_are_wanted(&quiet));
    quiet.otlp_metrics_interval = SPAN_S(60);
    ck_assert(counters_are_wanted(&quiet));
}
END_TEST

START_TEST(counters__breakers_and_refusals_by_their_names)
{
    counters_breaker(&s, "t", true);
    counters_breaker(&s, "t", true);
    counters_breaker(&s, "t", false);
    counters_refused(&s, "/saga.v1.Operator/Retry", E_SAGA_NOT_FOUND);
    is("sagad_target_breaker_changes_total{target=\"t\",state=\"OPEN\"}", 2);
    is("sagad_target_breaker_changes_total{target=\"t\",state=\"CLOSED\"}", 1);
    is("sagad_requests_refused_total{method=\"Retry\",reason=\"SAGA_NOT_FOUND\"}", 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counters");
    TCase *tc = tcase_create("counters");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, counters__failures_are_of_their_phase_and_status);
    tcase_add_test(tc, counters__sagas_by_how_they_begin_and_end);
    tcase_add_test(tc, counters__degraded_sagas_by_all_that_they_lack);
    tcase_add_test(tc, counters__heartbeats_are_counted_apart);
    tcase_add_test(tc, counters__attempts_by_their_times);
    tcase_add_test(tc, counters__commits_each_by_itself);
    tcase_add_test(tc, counters__waits_for_the_disk_are_of_their_commits);
    tcase_add_test(tc, counters__steps_of_definitions_are_told_apart);
    tcase_add_test(tc, counters__steps_of_loops_have_names_of_their_own);
    tcase_add_test(tc, counters__heartbeats_by_their_schedule);
    tcase_add_test(tc, counters__rules_by_their_names);
    tcase_add_test(tc, counters__a_guest_counts_where_it_is_told);
    tcase_add_test(tc, counters__nobody_counts_for_nobody);
    tcase_add_test(tc, counters__breakers_and_refusals_by_their_names);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
