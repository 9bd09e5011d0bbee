/* metrics.c - the series of one loop: a table that only grows, so that readers need no lock. */
#include "sidecar/observe/metrics_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"
#include "sidecar/base/fnv.h"

#include <math.h>
#include <stdlib.h>

/* From a millisecond to hours; few, since each is a series of its own where they are kept. */
static const double durations[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                   1,     2.5,    5,     10,   30,    60,   300, 1800, 7200};
static const double sizes[] = {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304};

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static const double counts[] = {1, 3, 10, 30, 100, 300, 1000, 3000, 10000};

#define BUCKETS_NONE      .buckets = NULL, .bucket_count = 0
#define BUCKETS_DURATIONS .buckets = durations, .bucket_count = sizeof durations / sizeof durations[0]
#define BUCKETS_SIZES     .buckets = sizes, .bucket_count = sizeof sizes / sizeof sizes[0]
#define BUCKETS_COUNTS    .buckets = counts, .bucket_count = sizeof counts / sizeof counts[0]
#define METRIC(id, row_name, row_type, row_unit, row_buckets, row_labels, row_help) \
    [METRIC_##id] = {.name = (row_name), \
                     .type = METRIC_##row_type, \
                     .unit = (row_unit), \
                     .labels = (row_labels), \
                     .help = (row_help), \
                     .scale = sizeof(row_unit) == sizeof "seconds" ? 1e-6 : 1, \
                     BUCKETS_##row_buckets},
const struct metric_row metric_rows[METRIC_COUNT] = {
#include "sidecar/observe/metrics.def"
};
#undef METRIC

_Static_assert(sizeof durations / sizeof durations[0] <= METRIC_BUCKETS_MAX, "METRIC_BUCKETS_MAX is too small");

unsigned metric_label_count(const struct metric_row *row)
{
    unsigned count = row->labels[0] != '\0';
    for (const char *c = row->labels; *c != '\0'; c++)
        count += *c == ',';
    return count;
}

int metrics_create(uint32_t series_max, struct metrics **out)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (m == NULL)
        return E_MEMORY;
    m->series_max = series_max;
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        m->label_count[i] = (uint8_t)metric_label_count(&metric_rows[i]);
    m->room = series_max + METRIC_COUNT;
    m->table_size = 64;
    while (m->table_size < (size_t)m->room * 2)
        m->table_size *= 2;
    m->series = calloc(m->room, sizeof(struct metric_series *));
    m->table = calloc(m->table_size, sizeof(struct metric_series *));
    if (m->series == NULL || m->table == NULL) {
        metrics_destroy(m);
        return E_MEMORY;
    }
    m->bytes = sizeof *m + (m->room + m->table_size) * sizeof(struct metric_series *);
    *out = m;
    return 0;
}

uint32_t metrics_count(const struct metrics *m)
{
    return atomic_load_explicit(&m->count, memory_order_relaxed);
}

size_t metrics_bytes(const struct metrics *m)
{
    return m->bytes;
}

void metrics_destroy(struct metrics *m)
{
    if (m == NULL)
        return;
    for (uint32_t i = 0; i < atomic_load(&m->count); i++)
        free(m->series[i]);
    free(m->series);
    free(m->table);
    free(m);
}

/* A value at most as long as is kept, not cut within a character of UTF-8. */
static struct bytes cut(struct bytes value)
{
    if (value.size <= METRIC_LABEL_BYTES)
        return value;
    size_t size = METRIC_LABEL_BYTES;
    while (size > 0 && value.at[size] >> 6 == 2)
        size--;
    return bytes_of(value.at, size);
}

/* Eight bytes as a number, or size of them, from 1 on, some of them twice: labels are looked up several times a saga. */
static uint64_t word_at(const uint8_t *at, size_t size)
{
    uint64_t word = 0;
    uint32_t first, last;
    if (size >= sizeof word) {
        memcpy(&word, at, sizeof word);
        return word;
    }
    if (size >= sizeof first) {
        memcpy(&first, at, sizeof first);
        memcpy(&last, at + size - sizeof last, sizeof last);
        return (uint64_t)first << 32 | last;
    }
    return (uint64_t)at[0] << 16 | (uint64_t)at[size / 2] << 8 | at[size - 1];
}

static uint64_t hash_add(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * HASH_FACTOR;
    return hash ^ hash >> 32;
}

/* What stands beside one another is told apart by its size. */
static uint64_t hash_of(enum metric metric, const struct bytes *values, unsigned count)
{
    uint64_t hash = FNV_START + (uint64_t)metric;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *at = values[i].at;
        size_t left = values[i].size;
        hash ^= left;
        for (; left > 8; left -= 8, at += 8)
            hash = hash_add(hash, word_at(at, 8));
        hash = hash_add(hash, left == 0 ? 0 : word_at(at, left));
    }
    return hash;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (size > 16)
        return memcmp(a, b, size) == 0;
    if (size > 8)
        return word_at(a, 8) == word_at(b, 8) && word_at(a + size - 8, 8) == word_at(b + size - 8, 8);
    return size == 0 || word_at(a, size) == word_at(b, size);
}

static bool is_it(const struct metric_series *s, enum metric metric, const struct bytes *values, unsigned count)
{
    const uint8_t *at = s->labels;
    if (s->metric != metric)
        return false;
    for (unsigned i = 0; i < count; at += s->label_size[i], i++)
        if (s->label_size[i] != values[i].size || !same(at, values[i].at, values[i].size))
            return false;
    return true;
}

static struct metric_series *make(struct metrics *m, enum metric metric, const struct bytes *values, unsigned count)
{
    const struct metric_row *row = &metric_rows[metric];
    size_t size = 0, cells = row->type == METRIC_HISTOGRAM ? row->bucket_count + 1 : 0;
    for (unsigned i = 0; i < count; i++)
        size += values[i].size;
    struct metric_series *s = calloc(1, sizeof *s + cells * sizeof s->buckets[0] + size);
    if (s == NULL)
        return NULL;
    m->bytes += sizeof *s + cells * sizeof s->buckets[0] + size;
    s->metric = metric;
    uint8_t *at = (uint8_t *)(s->buckets + cells);
    s->labels = at;
    for (unsigned i = 0; i < count; i++) {
        s->label_size[i] = (uint8_t)values[i].size;
        if (values[i].size > 0)
            memcpy(at, values[i].at, values[i].size);
        at += values[i].size;
    }
    return s;
}

/* The series of these labels, made when it is not there; NULL: no memory, and the observation is lost. */
static struct metric_series *find(struct metrics *m, enum metric metric, const struct metric_labels *labels)
{
    struct bytes values[METRIC_LABELS_MAX];
    unsigned count = m->label_count[metric];
    CHECK(count <= METRIC_LABELS_MAX);
    for (unsigned i = 0; i < count; i++)
        values[i] = cut(labels->values[i]);
    uint64_t at = hash_of(metric, values, count) & (m->table_size - 1);
    for (; m->table[at] != NULL; at = (at + 1) & (m->table_size - 1))
        if (is_it(m->table[at], metric, values, count))
            return m->table[at];
    uint32_t made = atomic_load_explicit(&m->count, memory_order_relaxed);
    if (made >= m->series_max && !m->making_other) {
        struct metric_labels other;
        for (unsigned i = 0; i < METRIC_LABELS_MAX; i++)
            other.values[i] = bytes_of_text(METRICS_OTHER);
        m->making_other = true;
        struct metric_series *s = find(m, metric, &other);
        m->making_other = false;
        if (metric != METRIC_OVERFLOW)
            metrics_add(m, METRIC_OVERFLOW, METRIC_NO_LABELS, 1);
        return s;
    }
    struct metric_series *s = make(m, metric, values, count);
    if (s == NULL)
        return NULL;
    s->other = m->making_other;
    CHECK(made < m->room);
    m->table[at] = s;
    m->series[made] = s;
    atomic_store_explicit(&m->count, made + 1, memory_order_release);
    return s;
}

/* One thread writes: no read-modify-write is needed. */
static void raise(_Atomic uint64_t *cell, uint64_t n)
{
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + n, memory_order_relaxed);
}

struct metric_series *metrics_series(struct metrics *m, enum metric metric, struct metric_labels labels)
{
    return m == NULL ? NULL : find(m, metric, &labels);
}

bool metrics_series_is_own(const struct metric_series *s)
{
    return s != NULL && !s->other;
}

void metrics_series_add(struct metric_series *s, uint64_t n)
{
    if (s == NULL)
        return;
    CHECK(metric_counts(&metric_rows[s->metric]));
    raise(&s->value, n);
}

void metrics_add(struct metrics *m, enum metric metric, struct metric_labels labels, uint64_t n)
{
    CHECK(metric_counts(&metric_rows[metric]));
    metrics_series_add(metrics_series(m, metric, labels), n);
}

void metrics_set(struct metrics *m, enum metric metric, struct metric_labels labels, double value)
{
    struct metric_series *s = m == NULL ? NULL : find(m, metric, &labels);
    CHECK(metric_rows[metric].type == METRIC_GAUGE || metric_rows[metric].type == METRIC_GAUGE_MAX);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (s != NULL)
        atomic_store_explicit(&s->value, bits, memory_order_relaxed);
}

void metrics_unset(struct metrics *m, enum metric metric, struct metric_labels labels)
{
    metrics_set(m, metric, labels, NAN);
}

/* Sixteen hex digits as a number; false when they are none. */
static bool read_hex(const uint8_t *at, uint64_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t c = at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *out = *out << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static void keep_example(struct metric_example *e, struct bytes trace, uint64_t value, struct instant now)
{
    uint64_t high, low;
    if (trace.size != 32 || !read_hex(trace.at, &high) || !read_hex(trace.at + 16, &low))
        return;
    uint64_t version = atomic_load_explicit(&e->version, memory_order_relaxed);
    atomic_store_explicit(&e->version, version + 1, memory_order_relaxed); /* odd: it is being written */
    /* Each with release: who sees any of them sees the odd version, too. */
    atomic_store_explicit(&e->trace_high, high, memory_order_release);
    atomic_store_explicit(&e->trace_low, low, memory_order_release);
    atomic_store_explicit(&e->value, value, memory_order_release);
    atomic_store_explicit(&e->at_us, (uint64_t)now.us, memory_order_release);
    atomic_store_explicit(&e->version, version + 2, memory_order_release);
}

void metrics_series_observe(struct metric_series *s, uint64_t value, struct bytes trace, struct instant now)
{
    if (s == NULL)
        return;
    const struct metric_row *row = &metric_rows[s->metric];
    CHECK(row->type == METRIC_HISTOGRAM);
    double scaled = (double)value * row->scale;
    unsigned bucket = 0;
    while (bucket < row->bucket_count && scaled > row->buckets[bucket])
        bucket++;
    raise(&s->buckets[bucket], 1);
    raise(&s->value, value);
    keep_example(&s->example, trace, value, now);
}

void metrics_observe(struct metrics *m, enum metric metric, struct metric_labels labels, uint64_t value,
                     struct bytes trace, struct instant now)
{
    CHECK(metric_rows[metric].type == METRIC_HISTOGRAM);
    metrics_series_observe(metrics_series(m, metric, labels), value, trace, now);
}
