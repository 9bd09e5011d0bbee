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
    uint8_t label_size[METRIC_LABELS_MAX];
    const uint8_t *labels;  /* one behind the other, in this allocation */
    _Atomic uint64_t value; /* a counter's count, a gauge's double, a histogram's sum before scaling */
    struct metric_example example;
    _Atomic uint64_t buckets[]; /* of a histogram: how many fell into each, and at last into none */
};

struct metrics {
    uint32_t series_max, room;
    uint32_t others; /* series of METRICS_OTHER */
    bool making_other;
    size_t bytes; /* of all that was allocated */
    size_t table_size;            /* a power of two */
    struct metric_series **table; /* by hash, for the writer alone */
    struct metric_series **series;
    _Atomic uint32_t count; /* of series; those below it are there for good */
};

unsigned metric_label_count(const struct metric_row *row);

#endif
