/* Metrics: what is counted, how much of it, and the two forms in which it is told. */
#include "sidecar/observe/metrics.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#define TEXT(t)     bytes_of_text(t)
#define LABELS(...) ((struct metric_labels){{__VA_ARGS__}})
#define NOW         ((struct instant){.us = INT64_C(1700000000000042)})

static struct metrics *m;
static char *text;

static void setup(void)
{
    ck_assert_int_eq(metrics_create(10, &m), 0);
}

static void teardown(void)
{
    metrics_destroy(m);
    free(text);
    text = NULL;
}

static const char *written(struct metrics *const *all, unsigned count, enum metrics_format format)
{
    size_t size;
    free(text);
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(metrics_write(all, count, format, out), 0);
    fclose(out);
    return text;
}

static void assert_line(const char *line)
{
    char whole[512];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    ck_assert_msg(strstr(text, whole) != NULL, "no line %s in:\n%s", line, text);
}

START_TEST(metrics__a_counter_counts_each_series_alone)
{
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(TEXT("checkout"), TEXT("orchestrated")), 1);
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(TEXT("checkout"), TEXT("orchestrated")), 2);
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(TEXT("checkou"), TEXT("torchestrated")), 5);
    ck_assert_str_eq(
        written(&m, 1, METRICS_PROMETHEUS),
        "# HELP sagad_sagas_started_total Sagas that began, by definition (or the name given to Begin) and mode.\n"
        "# TYPE sagad_sagas_started_total counter\n"
        "sagad_sagas_started_total{definition=\"checkou\",mode=\"torchestrated\"} 5\n"
        "sagad_sagas_started_total{definition=\"checkout\",mode=\"orchestrated\"} 3\n");
}
END_TEST

START_TEST(metrics__a_gauge_that_is_not_set_is_not_shown)
{
    struct metrics *other;
    ck_assert_int_eq(metrics_create(10, &other), 0);
    metrics_set(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 7);
    metrics_set(other, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 5);
    metrics_unset(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS);
    struct metrics *const both[] = {m, other};
    written(both, 2, METRICS_PROMETHEUS);
    assert_line("sagad_sagas_live 5");
    metrics_unset(other, METRIC_SAGAS_LIVE, METRIC_NO_LABELS);
    ck_assert_ptr_null(strstr(written(both, 2, METRICS_PROMETHEUS), "\nsagad_sagas_live"));
    metrics_set(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 0);
    written(both, 2, METRICS_PROMETHEUS);
    assert_line("sagad_sagas_live 0");
    ck_assert_uint_eq(metrics_count(m), 1);
    metrics_set(other, METRIC_OLDEST_LIVE, METRIC_NO_LABELS, 7); /* nor one of which the highest counts */
    metrics_unset(other, METRIC_OLDEST_LIVE, METRIC_NO_LABELS);
    ck_assert_ptr_null(strstr(written(&other, 1, METRICS_PROMETHEUS), "\nsagad_oldest_live_saga_age_seconds"));
    ck_assert_uint_gt(metrics_bytes(m), 0);
    metrics_destroy(other);
}
END_TEST

/* What a series takes is counted with its buckets and the texts of its labels. */
START_TEST(metrics__what_they_take_is_counted_whole)
{
    static const char name[] = "a-name-of-a-definition-that-is-rather-long";
    size_t before = metrics_bytes(m);
    ck_assert_uint_gt(before,
                      3 * (10 + METRIC_COUNT) * sizeof(void *)); /* places for all of them, twice over to find them */
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(TEXT("x"), TEXT("y")), 1);
    size_t counter = metrics_bytes(m) - before;
    before = metrics_bytes(m);
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(TEXT(name), TEXT("y")), 1);
    ck_assert_uint_eq(metrics_bytes(m) - before, counter + sizeof name - 2);
    before = metrics_bytes(m);
    metrics_observe(m, METRIC_SAGA_DURATION, LABELS(TEXT("x"), TEXT("y")), 1, bytes_of(NULL, 0), NOW);
    ck_assert_uint_eq(metrics_bytes(m) - before,
                      counter + (metric_rows[METRIC_SAGA_DURATION].bucket_count + 1) * sizeof(uint64_t));
    before = metrics_bytes(m);
    metrics_observe(m, METRIC_SAGA_DURATION, LABELS(TEXT("x"), TEXT("y")), 1, bytes_of(NULL, 0), NOW);
    ck_assert_uint_eq(metrics_bytes(m), before); /* it is there */
}
END_TEST

START_TEST(metrics__several_loops_are_one)
{
    struct metrics *other;
    ck_assert_int_eq(metrics_create(10, &other), 0);
    metrics_add(m, METRIC_ATTEMPTS, LABELS(TEXT("a"), TEXT("action"), TEXT("OK")), 3);
    metrics_add(other, METRIC_ATTEMPTS, LABELS(TEXT("a"), TEXT("action"), TEXT("OK")), 4);
    metrics_set(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 7);
    metrics_set(other, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 5);
    metrics_set(m, METRIC_OLDEST_LIVE, METRIC_NO_LABELS, 7);
    metrics_set(other, METRIC_OLDEST_LIVE, METRIC_NO_LABELS, 5.5);
    written((struct metrics *[]){m, other}, 2, METRICS_PROMETHEUS);
    assert_line("sagad_attempts_total{target=\"a\",phase=\"action\",status=\"OK\"} 7");
    assert_line("sagad_sagas_live 12");
    assert_line("sagad_oldest_live_saga_age_seconds 7");
    metrics_destroy(other);
}
END_TEST

/* Labels that read alike one behind the other are told apart, whichever loop has made them in which order. */
START_TEST(metrics__series_of_several_loops_are_matched_by_each_label)
{
    static const char *const labels[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}};
    enum { COUNT = sizeof labels / sizeof labels[0], LOOPS = 4 };
    struct metrics *all[LOOPS];
    for (unsigned k = 0; k < LOOPS; k++) {
        ck_assert_int_eq(metrics_create(10, &all[k]), 0);
        for (unsigned i = 0; i < COUNT; i++) {
            unsigned which = (i * (k % 2 == 0 ? 1 : COUNT - 1) + k) % COUNT;
            metrics_add(all[k], METRIC_SAGAS_STARTED, LABELS(TEXT(labels[which][0]), TEXT(labels[which][1])),
                        which + 1);
        }
    }
    written(all, LOOPS, METRICS_PROMETHEUS);
    for (unsigned i = 0; i < COUNT; i++) {
        char line[128];
        snprintf(line, sizeof line, "sagad_sagas_started_total{definition=\"%s\",mode=\"%s\"} %u", labels[i][0],
                 labels[i][1], LOOPS * (i + 1));
        assert_line(line);
    }
    for (unsigned k = 0; k < LOOPS; k++)
        metrics_destroy(all[k]);
}
END_TEST

/* Of whatever length, and wherever it is that they differ. */
START_TEST(metrics__labels_that_are_nearly_alike_are_told_apart)
{
    static const size_t sizes[] = {1, 3, 7, 8, 9, 12, 16, 17, 20, 40};
    enum { LETTERS = 20, SERIES_MAX = 3000 };
    struct metrics *many;
    char label[64], line[128];
    ck_assert_int_eq(metrics_create(SERIES_MAX, &many), 0);
    for (int look = 0; look < 2; look++) {
        int n = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (size_t at = 0; at < sizes[i]; at++)
                for (int letter = 0; letter < LETTERS; letter++, n++) {
                    memset(label, 'a', sizes[i]);
                    label[sizes[i]] = '\0';
                    label[at] = (char)('b' + letter);
                    snprintf(line, sizeof line, "sagad_target_calls_waiting{target=\"%s\"} %d", label, n);
                    if (look)
                        assert_line(line);
                    else
                        metrics_set(many, METRIC_CALLS_WAITING, LABELS(TEXT(label)), n);
                }
        ck_assert_uint_eq(metrics_count(many), (uint32_t)n);
        written(&many, 1, METRICS_PROMETHEUS);
    }
    metrics_destroy(many);
}
END_TEST

/* Of examples of several loops the latest is shown, whichever is looked at first, and at its own bucket. */
START_TEST(metrics__the_latest_example_is_shown)
{
    struct metrics *other;
    ck_assert_int_eq(metrics_create(10, &other), 0);
    const struct metric_labels labels = LABELS(TEXT("x"), TEXT("COMMITTED"));
    metrics_observe(m, METRIC_SAGA_DURATION, labels, 20000, TEXT("11111111111111111111111111111111"), NOW);
    metrics_observe(other, METRIC_SAGA_DURATION, labels, 2000, TEXT("22222222222222222222222222222222"),
                    instant_after(NOW, SPAN_S(1)));
    for (int turn = 0; turn < 2; turn++) {
        struct metrics *const both[] = {turn == 0 ? m : other, turn == 0 ? other : m};
        written(both, 2, METRICS_OPENMETRICS);
        assert_line("sagad_saga_duration_seconds_bucket{definition=\"x\",state=\"COMMITTED\",le=\"0.0025\"} 1 # "
                    "{trace_id=\"22222222222222222222222222222222\"} 0.002 1700000001.000042");
        ck_assert_ptr_null(strstr(text, "trace_id=\"1111"));
    }
    metrics_destroy(other);
}
END_TEST

START_TEST(metrics__a_histogram_tells_bucket_sum_and_count)
{
    struct metric_labels labels = LABELS(TEXT("a"), TEXT("action"));
    metrics_observe(m, METRIC_ATTEMPT_DURATION, labels, 1000, bytes_of(NULL, 0),
                    NOW); /* just 1 ms: within its bucket */
    metrics_observe(m, METRIC_ATTEMPT_DURATION, labels, 1001, bytes_of(NULL, 0), NOW);
    metrics_observe(m, METRIC_ATTEMPT_DURATION, labels, UINT64_C(8000000000), bytes_of(NULL, 0), NOW);
    written(&m, 1, METRICS_PROMETHEUS);
    assert_line("sagad_attempt_duration_seconds_bucket{target=\"a\",phase=\"action\",le=\"0.001\"} 1");
    assert_line("sagad_attempt_duration_seconds_bucket{target=\"a\",phase=\"action\",le=\"0.0025\"} 2");
    assert_line("sagad_attempt_duration_seconds_bucket{target=\"a\",phase=\"action\",le=\"7200\"} 2");
    assert_line("sagad_attempt_duration_seconds_bucket{target=\"a\",phase=\"action\",le=\"+Inf\"} 3");
    assert_line("sagad_attempt_duration_seconds_sum{target=\"a\",phase=\"action\"} 8000.002001");
    assert_line("sagad_attempt_duration_seconds_count{target=\"a\",phase=\"action\"} 3");
}
END_TEST

START_TEST(metrics__an_example_stands_at_its_bucket_in_openmetrics_alone)
{
    struct bytes trace = TEXT("0af7651916cd43dd8448eb211c80319c");
    metrics_observe(m, METRIC_SAGA_DURATION, LABELS(TEXT("x"), TEXT("COMMITTED")), 20000, trace, NOW);
    static const char *const wrong[] = {"not a trace", "0af7651916cd43ddg448eb211c80319c",
                                        "0af7651916cd43gd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        metrics_observe(m, METRIC_SAGA_DURATION, LABELS(TEXT("x"), TEXT("COMMITTED")), 20000, TEXT(wrong[i]), NOW);
    metrics_observe(m, METRIC_SAGA_DURATION, LABELS(TEXT("y"), TEXT("COMMITTED")), 1000000, trace, NOW);
    metrics_observe(m, METRIC_SAGA_DURATION, LABELS(TEXT("z"), TEXT("COMMITTED")), UINT64_C(8000000000), trace, NOW);
    metrics_observe(m, METRIC_SAGA_DURATION, LABELS(TEXT("none"), TEXT("COMMITTED")), 1, bytes_of(NULL, 0), NOW);
    metrics_add(m, METRIC_OVERFLOW, METRIC_NO_LABELS, 1);
    written(&m, 1, METRICS_OPENMETRICS);
    assert_line("# TYPE sagad_metrics_overflow counter");
    assert_line("sagad_metrics_overflow_total 1");
    assert_line("# UNIT sagad_saga_duration_seconds seconds");
    assert_line("sagad_saga_duration_seconds_bucket{definition=\"x\",state=\"COMMITTED\",le=\"0.025\"} 5 # "
                "{trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.02 1700000000.000042");
    assert_line("sagad_saga_duration_seconds_bucket{definition=\"x\",state=\"COMMITTED\",le=\"1.0\"} 5");
    /* Just at a bound, and beyond all of them. */
    assert_line("sagad_saga_duration_seconds_bucket{definition=\"y\",state=\"COMMITTED\",le=\"1.0\"} 1 # "
                "{trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 1 1700000000.000042");
    assert_line("sagad_saga_duration_seconds_bucket{definition=\"z\",state=\"COMMITTED\",le=\"+Inf\"} 1 # "
                "{trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 8000 1700000000.000042");
    assert_line("sagad_saga_duration_seconds_bucket{definition=\"none\",state=\"COMMITTED\",le=\"0.001\"} 1");
    written(&m, 1, METRICS_PROMETHEUS);
    ck_assert_ptr_null(strstr(text, "trace_id"));
}
END_TEST

/* Once, before its series, and of those alone that have any; a unit is told in OpenMetrics. */
START_TEST(metrics__each_has_its_head)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_COUNTER_KEPT] = "counter", [METRIC_GAUGE] = "gauge",
        [METRIC_GAUGE_MAX] = "gauge", [METRIC_HISTOGRAM] = "histogram",
    };
    char head[1024], unit[256];
    metrics_destroy(m);
    ck_assert_int_eq(metrics_create(METRIC_COUNT, &m), 0);
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &metric_rows[i];
        bool counts = row->type == METRIC_COUNTER || row->type == METRIC_COUNTER_KEPT;
        struct metrics *one, *to[2] = {m};
        ck_assert_int_eq(metrics_create(1, &one), 0);
        to[1] = one;
        for (int k = 0; k < 2; k++)
            if (counts)
                metrics_add(to[k], i, METRIC_NO_LABELS, 1);
            else if (row->type == METRIC_HISTOGRAM)
                metrics_observe(to[k], i, METRIC_NO_LABELS, 1, bytes_of(NULL, 0), NOW);
            else
                metrics_set(to[k], i, METRIC_NO_LABELS, 1);
        for (int open = 0; open < 2; open++) {
            const char *total = counts && !open ? "_total" : "";
            unit[0] = '\0';
            if (open && row->unit[0] != '\0')
                snprintf(unit, sizeof unit, "# UNIT %s %s\n", row->name, row->unit);
            int size = snprintf(head, sizeof head, "# HELP %s%s %s\n# TYPE %s%s %s\n%s%s", row->name, total, row->help,
                                row->name, total, types[row->type], unit, row->name);
            written(&one, 1, open ? METRICS_OPENMETRICS : METRICS_PROMETHEUS);
            ck_assert_msg(strncmp(text, head, (size_t)size) == 0, "%s is not the beginning of:\n%s", head, text);
            ck_assert_ptr_null(strstr(text + size, "# "));
        }
        metrics_destroy(one);
    }
    ck_assert_uint_eq(metrics_count(m), METRIC_COUNT); /* none is taken for another of the same labels */
}
END_TEST

START_TEST(metrics__labels_are_escaped_and_cut)
{
    char longer[METRIC_LABEL_BYTES + 2];
    memset(longer, 'a', sizeof longer);
    memcpy(longer + METRIC_LABEL_BYTES - 1, "\xc3\xa9", 2); /* a character across the bound goes whole */
    longer[METRIC_LABEL_BYTES + 1] = '\0';
    metrics_set(m, METRIC_CALLS_WAITING, LABELS(TEXT("a\"b\\c\nd")), 1);
    metrics_set(m, METRIC_CALLS_WAITING, LABELS(TEXT(longer)), 2);
    written(&m, 1, METRICS_PROMETHEUS);
    assert_line("sagad_target_calls_waiting{target=\"a\\\"b\\\\c\\nd\"} 1");
    ck_assert_ptr_null(strstr(text, "\xc3"));
    ck_assert_ptr_nonnull(strstr(text, "aaaa\"} 2"));
    char whole[METRIC_LABEL_BYTES + 1]; /* one of just so many is cut nowhere, whatever lies behind it */
    memset(whole, 'w', METRIC_LABEL_BYTES);
    whole[METRIC_LABEL_BYTES] = (char)0x80;
    metrics_set(m, METRIC_CALLS_WAITING, LABELS(bytes_of(whole, METRIC_LABEL_BYTES)), 4);
    char line[METRIC_LABEL_BYTES + 64];
    snprintf(line, sizeof line, "sagad_target_calls_waiting{target=\"%.*s\"} 4", METRIC_LABEL_BYTES, whole);
    written(&m, 1, METRICS_PROMETHEUS);
    assert_line(line);
    memset(longer, 0x80, sizeof longer - 1); /* no character begins anywhere: nothing of it is kept */
    metrics_set(m, METRIC_CALLS_WAITING, LABELS(TEXT(longer)), 3);
    written(&m, 1, METRICS_PROMETHEUS);
    assert_line("sagad_target_calls_waiting{target=\"\"} 3");
}
END_TEST

START_TEST(metrics__beyond_the_bound_is_other)
{
    char name[16];
    for (int i = 0; i < 13; i++) {
        snprintf(name, sizeof name, "d%d", i);
        metrics_add(m, METRIC_SAGAS_STARTED, LABELS(TEXT(name), TEXT("enlisted")), 1);
    }
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(TEXT("d3"), TEXT("enlisted")), 1);
    written(&m, 1, METRICS_PROMETHEUS);
    assert_line("sagad_sagas_started_total{definition=\"d3\",mode=\"enlisted\"} 2");
    assert_line("sagad_sagas_started_total{definition=\"d9\",mode=\"enlisted\"} 1");
    assert_line("sagad_sagas_started_total{definition=\"_other\",mode=\"_other\"} 3");
    assert_line("sagad_metrics_overflow_total 3");
    ck_assert_ptr_null(strstr(text, "\"d10\""));
    const struct metric_labels four = LABELS(TEXT("a"), TEXT("b"), TEXT("c"), TEXT("d"));
    metrics_add(m, METRIC_STEP_FAILURES, four, 1); /* of each label */
    written(&m, 1, METRICS_PROMETHEUS);
    assert_line(
        "sagad_step_failures_total{definition=\"_other\",step=\"_other\",phase=\"_other\",status=\"_other\"} 1");
    ck_assert(!metrics_series_is_own(metrics_series(m, METRIC_STEP_FAILURES, four)));
    ck_assert(metrics_series_is_own(metrics_series(m, METRIC_SAGAS_STARTED, LABELS(TEXT("d3"), TEXT("enlisted")))));
    ck_assert(!metrics_series_is_own(NULL));
}
END_TEST

static void *write_much(void *self)
{
    char name[16];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "d%d", i % 8);
        metrics_observe(self, METRIC_SAGA_DURATION, LABELS(TEXT(name), TEXT("COMMITTED")), (uint64_t)i,
                        TEXT(i % 2 ? "11111111111111111111111111111111" : "22222222222222222222222222222222"), NOW);
    }
    return NULL;
}

/* A reader beside the writer sees whole series and whole examples. */
START_TEST(metrics__are_read_while_they_are_counted)
{
    pthread_t writer;
    unsigned long long last = 0;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_much, m), 0);
    for (int i = 0; i < 50; i++) {
        written(&m, 1, METRICS_OPENMETRICS);
        const char *count = strstr(text, "sagad_saga_duration_seconds_count{definition=\"d0\"");
        unsigned long long now = count == NULL ? 0 : strtoull(strchr(count, ' '), NULL, 10);
        ck_assert_uint_ge(now, last);
        last = now;
        for (const char *e = text; (e = strstr(e, "trace_id=\"")) != NULL;) {
            e += strlen("trace_id=\"");
            ck_assert_uint_eq(strspn(e, e[0] == '1' ? "1" : "2"), 32);
        }
    }
    pthread_join(writer, NULL);
    written(&m, 1, METRICS_OPENMETRICS);
    assert_line("sagad_saga_duration_seconds_count{definition=\"d7\",state=\"COMMITTED\"} 2500");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, metrics__a_counter_counts_each_series_alone);
    tcase_add_test(all, metrics__a_gauge_that_is_not_set_is_not_shown);
    tcase_add_test(all, metrics__what_they_take_is_counted_whole);
    tcase_add_test(all, metrics__several_loops_are_one);
    tcase_add_test(all, metrics__series_of_several_loops_are_matched_by_each_label);
    tcase_add_test(all, metrics__labels_that_are_nearly_alike_are_told_apart);
    tcase_add_test(all, metrics__the_latest_example_is_shown);
    tcase_add_test(all, metrics__a_histogram_tells_bucket_sum_and_count);
    tcase_add_test(all, metrics__an_example_stands_at_its_bucket_in_openmetrics_alone);
    tcase_add_test(all, metrics__each_has_its_head);
    tcase_add_test(all, metrics__labels_are_escaped_and_cut);
    tcase_add_test(all, metrics__beyond_the_bound_is_other);
    tcase_add_test(all, metrics__are_read_while_they_are_counted);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
