/* exposition.c - the metrics of all loops as text, each series once.
 *
 * The forms: https://prometheus.io/docs/instrumenting/exposition_formats/ and
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md */
#include "sidecar/observe/metrics_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static size_t labels_size(const struct metric_series *s)
{
    size_t size = 0;
    for (unsigned i = 0; i < METRIC_LABELS_MAX; i++)
        size += s->label_size[i];
    return size;
}

static int order_of(const struct metric_series *a, const struct metric_series *b)
{
    if (a->metric != b->metric)
        return a->metric < b->metric ? -1 : 1;
    size_t x = labels_size(a), y = labels_size(b);
    int order = memcmp(a->labels, b->labels, x < y ? x : y);
    if (order == 0 && x == y)
        order = memcmp(a->label_size, b->label_size, sizeof a->label_size);
    return order != 0 ? order : x < y ? -1 : x > y;
}

static int compare(const void *left, const void *right)
{
    return order_of(*(struct metric_series *const *)left, *(struct metric_series *const *)right);
}

struct metric_series **metrics_sorted(struct metrics *const *all, unsigned count, size_t *size)
{
    size_t room = 0;
    for (unsigned k = 0; k < count; k++)
        room += all[k]->room;
    struct metric_series **series = calloc(room + 1, sizeof(struct metric_series *));
    *size = 0;
    for (unsigned k = 0; series != NULL && k < count; k++) {
        uint32_t made = atomic_load_explicit(&all[k]->count, memory_order_acquire);
        for (uint32_t i = 0; i < made; i++)
            series[(*size)++] = all[k]->series[i];
    }
    if (series != NULL)
        qsort(series, *size, sizeof(struct metric_series *), compare);
    return series;
}

static void add_example(struct metric_sum *sum, const struct metric_series *s)
{
    const struct metric_row *row = &metric_rows[s->metric];
    const struct metric_example *e = &s->example;
    uint64_t version = atomic_load_explicit(&e->version, memory_order_acquire);
    uint64_t high = atomic_load_explicit(&e->trace_high, memory_order_acquire);
    uint64_t low = atomic_load_explicit(&e->trace_low, memory_order_acquire);
    uint64_t value = atomic_load_explicit(&e->value, memory_order_acquire);
    uint64_t at_us = atomic_load_explicit(&e->at_us, memory_order_acquire);
    bool whole = version != 0 && version % 2 == 0 && atomic_load_explicit(&e->version, memory_order_relaxed) == version;
    if (!whole || (sum->has_example && sum->example_at_us >= at_us))
        return;
    sum->has_example = true;
    sum->trace_high = high;
    sum->trace_low = low;
    sum->example_value = value;
    sum->example_at_us = at_us;
    sum->example_bucket = 0;
    while (sum->example_bucket < row->bucket_count && (double)value * row->scale > row->buckets[sum->example_bucket])
        sum->example_bucket++;
}

static void add(struct metric_sum *sum, const struct metric_series *s)
{
    const struct metric_row *row = &metric_rows[s->metric];
    uint64_t value = atomic_load_explicit(&s->value, memory_order_relaxed);
    double gauge;
    memcpy(&gauge, &value, sizeof gauge);
    switch (row->type) {
    case METRIC_COUNTER:
    case METRIC_COUNTER_KEPT:
        sum->count += value;
        break;
    case METRIC_GAUGE:
        if (isnan(gauge))
            break;
        sum->unset = false;
        sum->gauge += gauge;
        break;
    case METRIC_GAUGE_MAX:
        if (isnan(gauge))
            break;
        sum->unset = false;
        sum->gauge = gauge > sum->gauge ? gauge : sum->gauge;
        break;
    case METRIC_HISTOGRAM:
        for (unsigned i = 0; i <= row->bucket_count; i++)
            sum->buckets[i] += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        sum->total += value;
        add_example(sum, s);
        break;
    }
}

void metrics_sum(struct metric_series *const *series, size_t size, size_t *at, struct metric_sum *sum)
{
    enum metric_type type = metric_rows[series[*at]->metric].type;
    *sum = (struct metric_sum){.first = series[*at], .unset = type == METRIC_GAUGE || type == METRIC_GAUGE_MAX};
    for (; *at < size && order_of(series[*at], sum->first) == 0; (*at)++)
        add(sum, series[*at]);
}

/* ---- text ---- */

/* A series' name and labels, as they begin each of its lines, without the brace that ends them. */
#define HEAD_SIZE (128 + METRIC_LABELS_MAX * (2 * METRIC_LABEL_BYTES + 64))
struct head {
    char text[HEAD_SIZE];
    size_t size;
    bool labels; /* it has some */
};

static void put(struct head *h, const void *at, size_t size)
{
    CHECK(size > 0 && size <= sizeof h->text - h->size);
    memcpy(h->text + h->size, at, size);
    h->size += size;
}

static void put_value(struct head *h, struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] == '\\' || value.at[i] == '"')
            put(h, "\\", 1);
        if (value.at[i] == '\n')
            put(h, "\\n", 2);
        else
            put(h, value.at + i, 1);
    }
}

static void begin_lines(struct head *h, const struct metric_series *s, const char *suffix)
{
    const char *name = metric_rows[s->metric].labels;
    const uint8_t *at = s->labels;
    *h = (struct head){.labels = *name != '\0'};
    put(h, metric_rows[s->metric].name, strlen(metric_rows[s->metric].name));
    if (suffix[0] != '\0')
        put(h, suffix, strlen(suffix));
    for (unsigned i = 0; *name != '\0'; i++) {
        size_t size = strcspn(name, ",");
        put(h, i == 0 ? "{" : ",", 1);
        put(h, name, size);
        put(h, "=\"", 2);
        put_value(h, bytes_of(at, s->label_size[i]));
        put(h, "\"", 1);
        at += s->label_size[i];
        name += size + (name[size] == ',');
    }
}

/* The line's beginning, with bound (NULL: none) as le. A scrape has tens of thousands, and this thread alone has the file. */
static void write_head_of(FILE *out, const struct head *h, const char *bound)
{
    fwrite_unlocked(h->text, 1, h->size, out);
    if (bound != NULL) {
        fputs_unlocked(h->labels ? ",le=\"" : "{le=\"", out);
        fputs_unlocked(bound, out);
        fputc_unlocked('"', out);
    }
    fputs_unlocked(h->labels || bound != NULL ? "} " : " ", out);
}

static void write_count(FILE *out, uint64_t count)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + count % 10);
    while ((count /= 10) > 0);
    fwrite_unlocked(digits + at, 1, sizeof digits - at, out);
}

static void write_number(FILE *out, double value)
{
    fprintf(out, "%.10g", value);
}

/* The upper bounds as text, of one row at a time. */
struct bounds {
    const struct metric_row *row;
    char text[METRIC_BUCKETS_MAX + 1][32];
};

static void write_bounds(struct bounds *b, const struct metric_row *row, enum metrics_format format)
{
    if (b->row == row)
        return;
    b->row = row;
    for (unsigned i = 0; i < row->bucket_count; i++)
        snprintf(b->text[i], sizeof b->text[i],
                 format == METRICS_OPENMETRICS && row->buckets[i] == (double)(int64_t)row->buckets[i] ? "%.1f"
                                                                                                      : "%.10g",
                 row->buckets[i]);
    memcpy(b->text[row->bucket_count], "+Inf", 5);
}

static void write_histogram(FILE *out, const struct metric_row *row, const struct metric_sum *sum,
                            enum metrics_format format, struct bounds *bounds)
{
    uint64_t below = 0;
    struct head head;
    write_bounds(bounds, row, format);
    begin_lines(&head, sum->first, "_bucket");
    for (unsigned i = 0; i <= row->bucket_count; i++) {
        below += sum->buckets[i];
        write_head_of(out, &head, bounds->text[i]);
        write_count(out, below);
        if (format == METRICS_OPENMETRICS && sum->has_example && sum->example_bucket == i) {
            fprintf(out, " # {trace_id=\"%016" PRIx64 "%016" PRIx64 "\"} ", sum->trace_high, sum->trace_low);
            write_number(out, (double)sum->example_value * row->scale);
            fprintf(out, " %" PRIu64 ".%06" PRIu64, sum->example_at_us / 1000000, sum->example_at_us % 1000000);
        }
        fputc_unlocked('\n', out);
    }
    begin_lines(&head, sum->first, "_sum");
    write_head_of(out, &head, NULL);
    write_number(out, (double)sum->total * row->scale);
    begin_lines(&head, sum->first, "_count");
    fputc_unlocked('\n', out);
    write_head_of(out, &head, NULL);
    write_count(out, below);
    fputc_unlocked('\n', out);
}

static void write_sum(FILE *out, const struct metric_sum *sum, enum metrics_format format, struct bounds *bounds)
{
    const struct metric_row *row = &metric_rows[sum->first->metric];
    struct head head;
    if (row->type == METRIC_HISTOGRAM) {
        write_histogram(out, row, sum, format, bounds);
        return;
    }
    begin_lines(&head, sum->first, metric_counts(row) ? "_total" : "");
    write_head_of(out, &head, NULL);
    if (metric_counts(row) && row->scale == 1)
        write_count(out, sum->count);
    else if (metric_counts(row))
        write_number(out, (double)sum->count * row->scale);
    else
        write_number(out, sum->gauge);
    fputc_unlocked('\n', out);
}

static const char *const types[] = {
    [METRIC_COUNTER] = "counter", [METRIC_COUNTER_KEPT] = "counter", [METRIC_GAUGE] = "gauge",
    [METRIC_GAUGE_MAX] = "gauge", [METRIC_HISTOGRAM] = "histogram",
};

static void write_head(FILE *out, const struct metric_row *row, enum metrics_format format)
{
    /* In the older form a counter's name has its suffix here, too. */
    const char *suffix = format == METRICS_PROMETHEUS && metric_counts(row) ? "_total" : "";
    fprintf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", row->name, suffix, row->help, row->name, suffix, types[row->type]);
    if (format == METRICS_OPENMETRICS && row->unit[0] != '\0')
        fprintf(out, "# UNIT %s %s\n", row->name, row->unit);
}

int metrics_write(struct metrics *const *all, unsigned count, enum metrics_format format, FILE *out)
{
    size_t size, at = 0;
    struct bounds bounds = {.row = NULL};
    struct metric_series **series = metrics_sorted(all, count, &size);
    if (series == NULL)
        return E_MEMORY;
    for (unsigned metric = 0; metric < METRIC_COUNT; metric++) {
        if (at < size && series[at]->metric == metric)
            write_head(out, &metric_rows[metric], format);
        while (at < size && series[at]->metric == metric) {
            struct metric_sum sum;
            metrics_sum(series, size, &at, &sum);
            if (!sum.unset)
                write_sum(out, &sum, format, &bounds);
        }
    }
    free(series);
    return 0;
}

/* ---- the document ---- */

void metrics_docs(FILE *out)
{
    fputs("| metric | type | labels | |\n|---|---|---|---|\n", out);
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &metric_rows[i];
        fprintf(out, "| `%s%s` | %s | ", row->name, metric_counts(row) ? "_total" : "", types[row->type]);
        for (const char *name = row->labels; *name != '\0';) {
            size_t size = strcspn(name, ",");
            fprintf(out, "%s`%.*s`", name == row->labels ? "" : ", ", (int)size, name);
            name += size + (name[size] == ',');
        }
        fprintf(out, " | %s |\n", row->help);
    }
}
