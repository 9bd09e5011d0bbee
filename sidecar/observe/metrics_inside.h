/* metrics_inside.h - what those who count and those who write the exposition share. */
#ifndef SAGA_OBSERVE_METRICS_INSIDE_H
#define SAGA_OBSERVE_METRICS_INSIDE_H

#include "sidecar/observe/metrics.h"

/* The trace of the last observation that had one. A reader that finds version odd, or changed, has read a mixture. */
struct metric_example {
    _Atomic uint64_t version;
    _Atomic uint64_t trace_high, trace_low;
    _Atomic uint64_t value;
    _Atomic uint64_t at_us;
};

struct metric_series {
    enum metric metric;
    bool other; /* of METRICS_OTHER */
    uint8_t label_size[METRIC_LABELS_MAX];
    const uint8_t *labels;  /* one behind the other, in this allocation */
    _Atomic uint64_t value; /* a counter's count, a gauge's double, a histogram's sum before scaling */
    struct metric_example example;
    _Atomic uint64_t buckets[]; /* of a histogram: how many fell into each, and at last into none */
};

struct metrics {
    uint32_t series_max, room;
    bool making_other;
    uint8_t label_count[METRIC_COUNT];
    size_t bytes;                 /* of all that was allocated */
    size_t table_size;            /* a power of two */
    struct metric_series **table; /* by hash, for the writer alone */
    struct metric_series **series;
    _Atomic uint32_t count; /* of series; those below it are there for good */
};

unsigned metric_label_count(const struct metric_row *row);

static inline bool metric_counts(const struct metric_row *row)
{
    return row->type == METRIC_COUNTER || row->type == METRIC_COUNTER_KEPT;
}

/* What is told of one series, added up over all that have it. */
struct metric_sum {
    const struct metric_series *first; /* of those that are added up: its labels are theirs */
    uint64_t count;
    bool unset; /* a gauge that no loop has set: it is not shown */
    double gauge;
    uint64_t buckets[METRIC_BUCKETS_MAX + 1];
    uint64_t total; /* of a histogram's observations, before scaling */
    bool has_example;
    unsigned example_bucket;
    uint64_t trace_high, trace_low, example_value, example_at_us;
};

/* Every series of all of them in the rows' order, equal ones side by side. Gives the list (free) and its *size, or NULL: no memory. */
struct metric_series **metrics_sorted(struct metrics *const *all, unsigned count, size_t *size);

/* Adds up the series at *at with those that equal it, and moves *at behind them. */
void metrics_sum(struct metric_series *const *series, size_t size, size_t *at, struct metric_sum *sum);

#endif
