/* metrics.h - what the sidecar counts, as numbers that any thread may read while one thread counts.
 *
 * Each loop has a struct metrics of its own and is the only one that writes it: no locks, no shared cache lines on the way of a saga. A
 * reader adds the loops up. The rows are those of metrics.def. Series are made when they are first counted, up to a bound; what comes
 * beyond goes to one series a metric, in which every label is METRICS_OTHER. */
#ifndef SAGA_OBSERVE_METRICS_H
#define SAGA_OBSERVE_METRICS_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#define METRIC(id, ...) METRIC_##id,
enum metric {
#include "sidecar/observe/metrics.def"
    METRIC_COUNT
};
#undef METRIC

enum metric_type { METRIC_COUNTER = 1, METRIC_COUNTER_KEPT, METRIC_GAUGE, METRIC_GAUGE_MAX, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX  4
#define METRIC_LABEL_BYTES 128 /* of a value; a longer one is cut, never within a character */
#define METRIC_BUCKETS_MAX 18
#define METRICS_OTHER      "_other"

/* A row of metrics.def. */
struct metric_row {
    const char *name;
    enum metric_type type;
    const char *unit;
    const char *labels; /* joined by commas */
    const char *help;
    const double *buckets; /* upper bounds, ascending; the last bucket, of everything, is not among them */
    unsigned bucket_count;
    double scale; /* of what is counted or observed to the unit: microseconds are 1e-6 seconds */
};
extern const struct metric_row metric_rows[METRIC_COUNT];

struct metrics;

/* At most series_max series, and one more a metric. Gives *out. Returns 0 or E_MEMORY. */
int metrics_create(uint32_t series_max, struct metrics **out);

/* Accepts NULL. */
void metrics_destroy(struct metrics *m);

/* The labels of a series in the row's order. Borrowed for the call; texts of any bytes. */
struct metric_labels {
    struct bytes values[METRIC_LABELS_MAX];
};

#define METRIC_NO_LABELS ((struct metric_labels){0})

/* Counts n more: microseconds where the unit is seconds. m NULL: nothing is counted (the same for what follows). */
void metrics_add(struct metrics *m, enum metric metric, struct metric_labels labels, uint64_t n);

/* Sets a gauge. */
void metrics_set(struct metrics *m, enum metric metric, struct metric_labels labels, double value);

/* The gauge is not shown any more, until it is set again. */
void metrics_unset(struct metrics *m, enum metric metric, struct metric_labels labels);

/* Observes a value: microseconds where the unit is seconds. trace, when not empty, is the trace id (32 hex digits) that the exposition shows
 * beside the bucket it fell into. */
void metrics_observe(struct metrics *m, enum metric metric, struct metric_labels labels, uint64_t value,
                     struct bytes trace, struct instant now);

/* How many series there are, and the memory that all of this takes, in bytes: at most as if there were as many as there may be. Of the thread that counts. */
uint32_t metrics_count(const struct metrics *m);
size_t metrics_bytes(const struct metrics *m);

/* The same for who counts one series again and again: the series of these labels, which stays for the metrics' life; NULL: m is, or there is no memory,
 * and counting it does nothing. */
struct metric_series;
/* Whether it may be kept: that of METRICS_OTHER is looked for each time, so that each time is counted as one that found no place. */
bool metrics_series_is_own(const struct metric_series *s);
struct metric_series *metrics_series(struct metrics *m, enum metric metric, struct metric_labels labels);
void metrics_series_add(struct metric_series *s, uint64_t n);
void metrics_series_observe(struct metric_series *s, uint64_t value, struct bytes trace, struct instant now);

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

/* Writes what all of them hold: the text format 0.0.4 of Prometheus, or OpenMetrics 1.0.0 without its closing "# EOF". From any thread.
 * Returns 0 or E_MEMORY. */
int metrics_write(struct metrics *const *all, unsigned count, enum metrics_format format, FILE *out);

/* The rows as a table in Markdown, for docs/observability.md, where it stands between these lines. */
#define METRICS_DOCS_BEGIN "<!-- metrics: from sidecar/observe/metrics.def by `make docs-metrics`; do not edit -->\n"
#define METRICS_DOCS_END   "<!-- metrics: end -->\n"
void metrics_docs(FILE *out);

#endif
