/* metrics_push.c - series, added up over the loops, as data points. */
#include "sidecar/observe/metrics_push.h"

#include "sidecar/base/error.h"
#include "sidecar/observe/metrics_inside.h"

#include <stdlib.h>

/* A label's value with its NUL, and a name. */
#define VALUE_SIZE (METRIC_LABEL_BYTES + 1)
#define NAME_SIZE  32

struct metrics_push {
    struct metric_series **series; /* of all, equal ones side by side */
    size_t count, at;
    struct instant started;
    struct otlp_batch points; /* of one row, while they are gathered */
};

int metrics_push_create(struct metrics *const *all, unsigned count, struct instant started, struct metrics_push **out)
{
    struct metrics_push *p = calloc(1, sizeof *p);
    if (p == NULL)
        return E_MEMORY;
    p->series = metrics_sorted(all, count, &p->count);
    p->started = started;
    if (p->series == NULL) {
        free(p);
        return E_MEMORY;
    }
    *out = p;
    return 0;
}

uint64_t metrics_push_destroy(struct metrics_push *p)
{
    struct metric_sum sum;
    uint64_t left = 0;
    if (p == NULL)
        return 0;
    for (; p->at < p->count; left++)
        metrics_sum(p->series, p->count, &p->at, &sum);
    free(p->series);
    free(p->points.at);
    free(p);
    return left;
}

/* ---- a data point ---- */

struct labels {
    struct otlp_attribute attributes[METRIC_LABELS_MAX];
    Otlp__KeyValue *list[METRIC_LABELS_MAX];
    char names[METRIC_LABELS_MAX][NAME_SIZE], values[METRIC_LABELS_MAX][VALUE_SIZE];
    size_t count;
};

static void read_labels(const struct metric_series *s, struct labels *l)
{
    const uint8_t *at = s->labels;
    const char *name = metric_rows[s->metric].labels;
    for (l->count = 0; *name != '\0'; l->count++) {
        size_t i = l->count, size = strcspn(name, ",");
        otlp_text(bytes_of((const uint8_t *)name, size), l->names[i], NAME_SIZE);
        otlp_text(bytes_of(at, s->label_size[i]), l->values[i], VALUE_SIZE);
        otlp_say(&l->attributes[i], l->names[i], l->values[i]);
        l->list[i] = &l->attributes[i].pair;
        at += s->label_size[i];
        name += size + (name[size] == ',');
    }
}

static uint64_t ns(struct instant at)
{
    return (uint64_t)at.us * 1000;
}

static bool add_number(struct metrics_push *p, const struct metric_sum *sum, struct instant now)
{
    const struct metric_row *row = &metric_rows[sum->first->metric];
    struct labels labels;
    Otlp__NumberDataPoint point = OTLP__NUMBER_DATA_POINT__INIT;
    read_labels(sum->first, &labels);
    point.attributes = labels.list;
    point.n_attributes = labels.count;
    point.time_unix_nano = ns(now);
    if (row->type == METRIC_COUNTER)
        point.start_time_unix_nano = ns(p->started);
    if (metric_counts(row) && row->scale == 1) {
        point.value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
        point.as_int = (int64_t)sum->count;
    } else {
        point.value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
        point.as_double = metric_counts(row) ? (double)sum->count * row->scale : sum->gauge;
    }
    return otlp_batch_add(&p->points, &point.base, SIZE_MAX);
}

static void put_id(uint64_t from, uint8_t to[8])
{
    for (unsigned i = 0; i < 8; i++)
        to[i] = (uint8_t)(from >> (56 - 8 * i));
}

static bool add_histogram(struct metrics_push *p, const struct metric_sum *sum, struct instant now)
{
    const struct metric_row *row = &metric_rows[sum->first->metric];
    struct labels labels;
    uint8_t trace[16];
    uint64_t buckets[METRIC_BUCKETS_MAX + 1];
    Otlp__HistogramDataPoint point = OTLP__HISTOGRAM_DATA_POINT__INIT;
    Otlp__Exemplar example = OTLP__EXEMPLAR__INIT, *examples = &example;
    read_labels(sum->first, &labels);
    point.attributes = labels.list;
    point.n_attributes = labels.count;
    point.start_time_unix_nano = ns(p->started);
    point.time_unix_nano = ns(now);
    point.has_sum_case = OTLP__HISTOGRAM_DATA_POINT__HAS_SUM_SUM;
    point.sum = (double)sum->total * row->scale;
    for (unsigned i = 0; i <= row->bucket_count; i++) {
        buckets[i] = sum->buckets[i];
        point.count += buckets[i];
    }
    point.bucket_counts = buckets;
    point.n_bucket_counts = row->bucket_count + 1;
    point.explicit_bounds = (double *)(uintptr_t)row->buckets;
    point.n_explicit_bounds = row->bucket_count;
    if (sum->has_example) {
        put_id(sum->trace_high, trace);
        put_id(sum->trace_low, trace + 8);
        example.trace_id = (ProtobufCBinaryData){.len = sizeof trace, .data = trace};
        example.time_unix_nano = sum->example_at_us * 1000;
        example.value_case = OTLP__EXEMPLAR__VALUE_AS_DOUBLE;
        example.as_double = (double)sum->example_value * row->scale;
        point.exemplars = &examples;
        point.n_exemplars = 1;
    }
    return otlp_batch_add(&p->points, &point.base, SIZE_MAX);
}

/* ---- a metric ---- */

static const char *unit_of(const struct metric_row *row)
{
    return strcmp(row->unit, "seconds") == 0 ? "s" : strcmp(row->unit, "bytes") == 0 ? "By" : "";
}

/* Wraps up the points that were gathered. */
static bool add_metric(struct metrics_push *p, const struct metric_row *row, struct otlp_batch *batch)
{
    Otlp__Metric m = OTLP__METRIC__INIT;
    Otlp__Gauge gauge = OTLP__GAUGE__INIT;
    Otlp__Sum sum = OTLP__SUM__INIT;
    Otlp__Histogram histogram = OTLP__HISTOGRAM__INIT;
    ProtobufCBinaryData *points = otlp_batch_list(&p->points);
    if (points == NULL)
        return false;
    m.name = (char *)(uintptr_t)row->name;
    m.description = (char *)(uintptr_t)row->help;
    m.unit = (char *)(uintptr_t)unit_of(row);
    gauge.data_points = sum.data_points = histogram.data_points = points;
    gauge.n_data_points = sum.n_data_points = histogram.n_data_points = p->points.count;
    sum.aggregation_temporality = histogram.aggregation_temporality =
        OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
    sum.is_monotonic = true;
    if (row->type == METRIC_HISTOGRAM) {
        m.data_case = OTLP__METRIC__DATA_HISTOGRAM;
        m.histogram = &histogram;
    } else if (metric_counts(row)) {
        m.data_case = OTLP__METRIC__DATA_SUM;
        m.sum = &sum;
    } else {
        m.data_case = OTLP__METRIC__DATA_GAUGE;
        m.gauge = &gauge;
    }
    bool added = otlp_batch_add(batch, &m.base, SIZE_MAX);
    free(points);
    p->points.size = p->points.count = 0;
    return added;
}

uint64_t metrics_push_next(struct metrics_push *p, struct instant now, struct otlp_batch *batch)
{
    uint64_t told = 0;
    now = instant_max(now, p->started); /* a wall clock may be set back */
    while (p->at < p->count && batch->size < METRICS_PUSH_BYTES) {
        enum metric metric = p->series[p->at]->metric;
        const struct metric_row *row = &metric_rows[metric];
        while (p->at < p->count && p->series[p->at]->metric == metric &&
               batch->size + p->points.size < METRICS_PUSH_BYTES) {
            struct metric_sum sum;
            metrics_sum(p->series, p->count, &p->at, &sum);
            if (!sum.unset && !(row->type == METRIC_HISTOGRAM ? add_histogram : add_number)(p, &sum, now))
                return 0;
        }
        told += p->points.count;
        if (p->points.count > 0 && !add_metric(p, row, batch))
            return 0;
    }
    return told;
}
