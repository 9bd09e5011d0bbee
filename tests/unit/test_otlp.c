/* What is said to a collector: requests, what it answers, records of the log, and metrics in parts. */
#include "sidecar/observe/metrics_push.h"
#include "sidecar/observe/otlp_logs.h"

#include <check.h>
#include <stdlib.h>

#define LABELS(...) ((struct metric_labels){{__VA_ARGS__}})
#define STARTED     ((struct instant){.us = INT64_C(1700000000000000)})
#define NOW         ((struct instant){.us = INT64_C(1700000060000000)})
#define TRACE       "0af7651916cd43dd8448eb211c80319c"

/* ---- answers ---- */

static uint64_t rejected(int64_t count, const char *text, uint64_t sent, char said[OTLP_TEXT_SIZE])
{
    uint8_t packed[2048];
    Otlp__ExportResponse answer = OTLP__EXPORT_RESPONSE__INIT;
    Otlp__PartialSuccess partly = OTLP__PARTIAL_SUCCESS__INIT;
    partly.rejected = count;
    partly.error_message = (char *)(uintptr_t)text;
    answer.partial_success = &partly;
    return otlp_rejected(bytes_of(packed, otlp__export_response__pack(&answer, packed)), sent, said);
}

START_TEST(otlp__an_answer_says_what_was_not_taken)
{
    char said[OTLP_TEXT_SIZE], much[1024];
    ck_assert_uint_eq(otlp_rejected(bytes_of(NULL, 0), 5, said), 0);
    ck_assert_str_eq(said, "");
    ck_assert_uint_eq(rejected(3, "too old", 5, said), 3);
    ck_assert_str_eq(said, "too old");
    ck_assert_uint_eq(rejected(0, "speak slower", 5, said), 0);
    ck_assert_str_eq(said, "speak slower");
    ck_assert_uint_eq(rejected(6, "", 5, said), 5); /* never more than was sent */
    ck_assert_uint_eq(rejected(INT64_MAX, "", 5, said), 5);
    ck_assert_uint_eq(rejected(-1, "", 5, said), 0);
    ck_assert_uint_eq(otlp_rejected(bytes_of_text("\xff\xff no message"), 5, said), 0);
    ck_assert_str_eq(said, "");
    memset(much, 'x', sizeof much);
    much[sizeof much - 1] = '\0';
    ck_assert_uint_eq(rejected(1, much, 5, said), 1);
    ck_assert_uint_eq(strlen(said), OTLP_TEXT_SIZE - 1);
}
END_TEST

START_TEST(otlp__an_id_is_its_digits)
{
    uint8_t id[2];
    ck_assert(otlp_id(bytes_of_text("0aF7"), id, 2) == false);
    ck_assert(!otlp_id(bytes_of_text("0000"), id, 2));
    for (unsigned at = 0; at < 4; at++) {
        char hex[] = "0af7";
        hex[at] = 'g';
        ck_assert_msg(!otlp_id(bytes_of_text(hex), id, 2), "%s", hex);
    }
    ck_assert(!otlp_id(bytes_of_text("0af"), id, 2));
    ck_assert(!otlp_id(bytes_of_text("0af7a"), id, 2));
    ck_assert(!otlp_id(bytes_of_text("0af70a"), id, 2));
    ck_assert(otlp_id(bytes_of_text("0af7"), id, 2));
    ck_assert_mem_eq(id, "\x0a\xf7", 2);
}
END_TEST

/* protobuf's texts are UTF-8 without NUL; what is longer than its room ends with a whole character. */
START_TEST(otlp__a_text_is_valid_and_fits)
{
    static const struct {
        const char *from;
        size_t from_size, room;
        const char *to;
    } rows[] = {
        {"plain", 5, 6, "plain"},
        {"plain", 5, 5, "plai"},
        {"a\0b", 3, 16, "a?b"},
        {"eight..\0 and more", 17, 32, "eight..? and more"},
        {"eight bytes, then \xff and more", 28, 64, "eight bytes, then ? and more"},
        {"caf\xc3\xa9", 5, 6, "caf\xc3\xa9"},
        {"caf\xc3\xa9", 5, 5, "caf"},
        {"caf\xc3\xa9!", 6, 6, "caf\xc3\xa9"},
        {"\xed\xa0\x80", 3, 16, "???"}, /* half of a pair of UTF-16 */
        {"\xc3", 1, 16, "?"},
        {"\x80", 1, 16, "?"},
        {"\x80\x80\x80\x80\x80\x80\x80\x80", 8, 16, "????????"},
        {"", 0, 1, ""},
    };
    char to[64];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_str_eq(otlp_text(bytes_of(rows[i].from, rows[i].from_size), to, rows[i].room), rows[i].to);
}
END_TEST

/* ---- what waits ---- */

/* Either way of adding fills a queue to its bound, counts what finds no room, and says so once. */
START_TEST(otlp__what_finds_no_room_is_counted_once)
{
    Otlp__KeyValue item = OTLP__KEY_VALUE__INIT;
    char key[101];
    enum { KEY = 100, PACKED = KEY + 2, WHOLE = PACKED + 4 };
    static const unsigned rooms[][2] = {{3 * WHOLE, 3}, {3 * WHOLE - 1, 2}, {WHOLE, 1}, {WHOLE - 1, 0}};
    memset(key, 'k', KEY);
    key[KEY] = '\0';
    item.key = key;
    for (int small = 0; small < 2; small++)
        for (size_t row = 0; row < sizeof rooms / sizeof rooms[0]; row++) {
            const unsigned fit = rooms[row][1];
            struct otlp_queue *q;
            struct otlp_batch batch = {0};
            ck_assert_int_eq(otlp_queue_create(rooms[row][0], &q), 0);
            for (unsigned i = 0; i < 5; i++)
                ck_assert_int_eq(small ? otlp_queue_add_small(q, &item.base, 1000) : otlp_queue_add(q, &item.base),
                                 i < fit);
            ck_assert_uint_eq(otlp_queue_dropped(q), 5 - fit);
            ck_assert_uint_eq(otlp_queue_dropped(q), 0);
            otlp_queue_take(q, &batch);
            ck_assert_uint_eq(batch.count, fit);
            ck_assert_uint_eq(batch.size, fit * WHOLE);
            ProtobufCBinaryData *list = otlp_batch_list(&batch);
            for (unsigned i = 0; i < fit; i++)
                ck_assert_uint_eq(list[i].len, PACKED);
            free(list);
            ck_assert_int_eq(otlp_queue_add(q, &item.base), fit > 0); /* there is room again */
            ck_assert_uint_eq(otlp_queue_dropped(q), fit == 0);
            free(batch.at);
            otlp_queue_destroy(q);
        }
}
END_TEST

START_TEST(otlp__a_request_says_who_sends_it)
{
    struct otlp_batch batch = {0};
    struct bytes out;
    Otlp__KeyValue item = OTLP__KEY_VALUE__INIT;
    item.key = (char *)(uintptr_t) "x";
    ck_assert(otlp_batch_add(&batch, &item.base, 100));
    ck_assert_int_eq(otlp_request(&batch, "host-7", "1.2.3", &out), 0);
    Otlp__ExportRequest *request = otlp__export_request__unpack(NULL, out.size, out.at);
    ck_assert_ptr_nonnull(request);
    static const char *const expected[][2] = {
        {"service.name", "sagad"}, {"service.version", "1.2.3"}, {"service.instance.id", "host-7"}};
    const Otlp__ResourceItems *by = request->resource_items[0];
    ck_assert_uint_eq(by->resource->n_attributes, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(by->resource->attributes[i]->key, expected[i][0]);
        ck_assert_str_eq(by->resource->attributes[i]->value->string_value, expected[i][1]);
    }
    ck_assert_str_eq(by->scope_items[0]->scope->name, "sagad");
    ck_assert_str_eq(by->scope_items[0]->scope->version, "1.2.3");
    ck_assert_uint_eq(by->scope_items[0]->n_items, 1);
    otlp__export_request__free_unpacked(request, NULL);
    free((void *)(uintptr_t)out.at);
    free(batch.at);
}
END_TEST

/* ---- logs ---- */

static Otlp__LogRecord *logged(const struct log_field *fields, size_t count, enum log_level level)
{
    struct otlp_queue *q;
    struct otlp_batch batch = {0};
    const struct log_entry entry = {
        .at = NOW, .level = level, .text = "it broke", .fields = fields, .field_count = count};
    ck_assert_int_eq(otlp_queue_create(1 << 16, &q), 0);
    ck_assert(otlp_logs_add(q, &entry));
    otlp_queue_take(q, &batch);
    ProtobufCBinaryData *list = otlp_batch_list(&batch);
    Otlp__LogRecord *m = otlp__log_record__unpack(NULL, list[0].len, list[0].data);
    ck_assert_ptr_nonnull(m);
    free(list);
    free(batch.at);
    otlp_queue_destroy(q);
    return m;
}

START_TEST(otlp__a_record_has_the_fields_of_its_line)
{
    const struct log_field fields[] = {
        LOG_SAGA(((struct saga_id){.tag = 0x9f03c1d2a4b7, .serial = 42})),
        LOG_BYTES("step", bytes_of("ch\xff", 3)),
        LOG_NUMBER("attempt", 3),
        LOG_TEXT("target", "shop"),
        LOG_TEXT("trace_id", TRACE),
        LOG_TEXT("span_id", "b7ad6b7169203331"),
        LOG_TEXT("text", NULL),
        LOG_TEXT("digest", "11111111111111111111111111111111"), /* of the length of an id, and none */
        LOG_TEXT("uid", "2222222222222222"),
        LOG_TEXT("trace_id", "unknown"),
    };
    enum { FIELDS = sizeof fields / sizeof fields[0], ATTRIBUTES = FIELDS - 2 };
    Otlp__LogRecord *m = logged(fields, FIELDS, LOG_LEVEL_WARN);
    static const char *const expected[][2] = {
        {"saga.id", "9f03c1d2a4b7-2a"}, {"saga.step", "ch?"},   {"saga.attempt", NULL},
        {"saga.target", "shop"},        {"text", ""},           {"digest", "11111111111111111111111111111111"},
        {"uid", "2222222222222222"},    {"trace_id", "unknown"}};
    ck_assert_str_eq(m->body->string_value, "it broke");
    ck_assert_int_eq(m->severity_number, 13);
    ck_assert_str_eq(m->severity_text, "WARN");
    ck_assert_uint_eq(m->time_unix_nano, UINT64_C(1700000060000000000));
    ck_assert_uint_eq(m->trace_id.len, 16);
    ck_assert_mem_eq(m->trace_id.data, "\x0a\xf7\x65\x19", 4);
    ck_assert_uint_eq(m->span_id.len, 8);
    ck_assert_mem_eq(m->span_id.data, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
    ck_assert_uint_eq(m->flags, 1);
    ck_assert_uint_eq(m->n_attributes, ATTRIBUTES);
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        ck_assert_str_eq(m->attributes[i]->key, expected[i][0]);
        if (expected[i][1] != NULL)
            ck_assert_str_eq(m->attributes[i]->value->string_value, expected[i][1]);
        else
            ck_assert_int_eq(m->attributes[i]->value->int_value, 3);
    }
    otlp__log_record__free_unpacked(m, NULL);
}
END_TEST

/* Who follows a saga from its spans to its lines looks for the same names. */
START_TEST(otlp__a_record_names_things_as_spans_do)
{
    static const char *const names[][2] = {
        {"definition", "saga.definition"},
        {"step", "saga.step"},
        {"attempt", "saga.attempt"},
        {"target", "saga.target"},
        {"state", "saga.state"},
        {"reason", "saga.reason"},
        {"synthetic", "saga.synthetic"},
        {"phase", "saga.phase"},
        {"saga", "saga.id"},
        {"status", "status"},
    };
    enum { COUNT = sizeof names / sizeof names[0] };
    struct log_field fields[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        fields[i] = (struct log_field)LOG_TEXT(names[i][0], "v");
    Otlp__LogRecord *record = logged(fields, COUNT, LOG_LEVEL_INFO);
    ck_assert_uint_eq(record->n_attributes, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_str_eq(record->attributes[i]->key, names[i][1]);
    ck_assert_uint_eq(record->flags, 0); /* it is of no span */
    otlp__log_record__free_unpacked(record, NULL);
}
END_TEST

START_TEST(otlp__a_record_is_bounded)
{
    static const int severities[] = {17, 13, 9, 5};
    struct log_field fields[40];
    char much[2000];
    memset(much, 'x', sizeof much);
    for (size_t i = 0; i < 40; i++)
        fields[i] = (struct log_field)LOG_BYTES("text", bytes_of((uint8_t *)much, sizeof much));
    for (unsigned level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        Otlp__LogRecord *m = logged(fields, 40, level);
        ck_assert_int_eq(m->severity_number, severities[level]);
        ck_assert_uint_eq(m->n_attributes + m->dropped_attributes_count, 40);
        ck_assert_uint_ge(m->n_attributes, 14); /* no line has more (observer.c) */
        ck_assert_uint_eq(strlen(m->attributes[0]->value->string_value), LOG_VALUE_BYTES_MAX);
        ck_assert_uint_eq(m->trace_id.len, 0);
        otlp__log_record__free_unpacked(m, NULL);
    }
}
END_TEST

/* ---- metrics ---- */

static struct metrics *m, *other;

static void setup(void)
{
    ck_assert_int_eq(metrics_create(20000, &m), 0);
    ck_assert_int_eq(metrics_create(20000, &other), 0);
}

static void teardown(void)
{
    metrics_destroy(m);
    metrics_destroy(other);
}

/* The next part's items. */
static struct otlp_batch part;

static uint64_t next_part(struct metrics_push *p, ProtobufCBinaryData **list)
{
    part.size = part.count = 0;
    uint64_t points = metrics_push_next(p, NOW, &part);
    *list = otlp_batch_list(&part);
    return points;
}

static Otlp__Metric *metric_at(const ProtobufCBinaryData *list, size_t i)
{
    Otlp__Metric *metric = otlp__metric__unpack(NULL, list[i].len, list[i].data);
    ck_assert_ptr_nonnull(metric);
    return metric;
}

static Otlp__NumberDataPoint *number_at(const ProtobufCBinaryData *points, size_t i)
{
    Otlp__NumberDataPoint *point = otlp__number_data_point__unpack(NULL, points[i].len, points[i].data);
    ck_assert_ptr_nonnull(point);
    return point;
}

START_TEST(otlp__several_loops_are_one)
{
    struct metrics *const all[] = {m, other};
    struct metrics_push *p;
    ProtobufCBinaryData *list;
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(bytes_of_text("a"), bytes_of_text("orchestrated")), 3);
    metrics_add(other, METRIC_SAGAS_STARTED, LABELS(bytes_of_text("a"), bytes_of_text("orchestrated")), 4);
    metrics_add(m, METRIC_SLO_EVENTS, LABELS(bytes_of_text("a"), bytes_of_text("success")), 9);
    metrics_add(m, METRIC_PROCESS_CPU, METRIC_NO_LABELS, 1500000);
    metrics_set(m, METRIC_OLDEST_LIVE, METRIC_NO_LABELS, 2.5);
    metrics_set(other, METRIC_OLDEST_LIVE, METRIC_NO_LABELS, 3.5);
    metrics_set(m, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 2);
    metrics_set(other, METRIC_SAGAS_LIVE, METRIC_NO_LABELS, 5);
    metrics_set(m, METRIC_JOURNAL_BYTES, METRIC_NO_LABELS, 4096);
    metrics_set(m, METRIC_JOURNAL_BYTES_MAX, METRIC_NO_LABELS, 1);
    metrics_unset(m, METRIC_JOURNAL_BYTES_MAX, METRIC_NO_LABELS); /* and so it is not told */
    ck_assert_int_eq(metrics_push_create(all, 2, STARTED, &p), 0);
    ck_assert_uint_eq(next_part(p, &list), 6);
    ck_assert_uint_eq(part.count, 6);
    static const struct {
        const char *name, *unit;
        uint64_t start; /* 1: when it began to count */
        double value;
    } expected[] = {
        {"sagad_sagas_started", "", 1, 7},
        {"sagad_sagas_live", "", 0, 7},
        {"sagad_oldest_live_saga_age_seconds", "s", 0, 3.5},
        {"sagad_slo_events", "", 0, 9}, /* kept: nobody knows since when */
        {"sagad_journal_bytes", "By", 0, 4096},
        {"process_cpu_seconds", "s", 1, 1.5},
    };
    for (size_t i = 0; i < 6; i++) {
        Otlp__Metric *metric = metric_at(list, i);
        bool sum = metric->data_case == OTLP__METRIC__DATA_SUM;
        ck_assert_str_eq(metric->name, expected[i].name);
        ck_assert_str_eq(metric->unit, expected[i].unit);
        ck_assert_str_ne(metric->description, "");
        ck_assert(sum == (i == 0 || i == 3 || i == 5));
        ck_assert(!sum || (metric->sum->is_monotonic && metric->sum->aggregation_temporality == 2));
        Otlp__NumberDataPoint *point = number_at(sum ? metric->sum->data_points : metric->gauge->data_points, 0);
        ck_assert_uint_eq(point->start_time_unix_nano, expected[i].start * (uint64_t)STARTED.us * 1000);
        ck_assert_uint_eq(point->time_unix_nano, (uint64_t)NOW.us * 1000);
        ck_assert_double_eq(point->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_INT ? (double)point->as_int
                                                                                       : point->as_double,
                            expected[i].value);
        if (i == 0) {
            ck_assert_str_eq(point->attributes[0]->key, "definition");
            ck_assert_str_eq(point->attributes[1]->key, "mode");
            ck_assert_str_eq(point->attributes[1]->value->string_value, "orchestrated");
        }
        otlp__number_data_point__free_unpacked(point, NULL);
        otlp__metric__free_unpacked(metric, NULL);
    }
    free(list);
    ck_assert_uint_eq(metrics_push_destroy(p), 0);
}
END_TEST

/* A wall clock that was set back does not make anything end before it began. */
START_TEST(otlp__a_clock_that_was_set_back_tells_no_end_before_the_beginning)
{
    struct metrics *const all[] = {m};
    struct metrics_push *p;
    metrics_add(m, METRIC_SAGAS_STARTED, LABELS(bytes_of_text("a"), bytes_of_text("orchestrated")), 3);
    ck_assert_int_eq(metrics_push_create(all, 1, STARTED, &p), 0);
    part.size = part.count = 0;
    ck_assert_uint_eq(metrics_push_next(p, (struct instant){.us = STARTED.us - 1}, &part), 1);
    ProtobufCBinaryData *list = otlp_batch_list(&part);
    Otlp__Metric *metric = metric_at(list, 0);
    Otlp__NumberDataPoint *point = number_at(metric->sum->data_points, 0);
    ck_assert_uint_eq(point->time_unix_nano, point->start_time_unix_nano);
    otlp__number_data_point__free_unpacked(point, NULL);
    otlp__metric__free_unpacked(metric, NULL);
    free(list);
    ck_assert_uint_eq(metrics_push_destroy(p), 0);
}
END_TEST

START_TEST(otlp__a_histogram_has_buckets_sum_and_example)
{
    struct metrics_push *p;
    ProtobufCBinaryData *list;
    const struct metric_labels labels = LABELS(bytes_of_text("a"), bytes_of_text("COMMITTED"));
    metrics_observe(m, METRIC_SAGA_DURATION, labels, 1000, bytes_of(NULL, 0), NOW); /* on a bound: below it */
    metrics_observe(m, METRIC_SAGA_DURATION, labels, 20000, bytes_of_text(TRACE), NOW);
    metrics_observe(m, METRIC_SAGA_DURATION, labels, UINT64_C(9000000000), bytes_of(NULL, 0), NOW);
    metrics_observe(m, METRIC_COMMIT_BYTES, METRIC_NO_LABELS, 0, bytes_of(NULL, 0), NOW);
    ck_assert_int_eq(metrics_push_create(&m, 1, STARTED, &p), 0);
    ck_assert_uint_eq(next_part(p, &list), 2);
    Otlp__Metric *metric = metric_at(list, 0);
    ck_assert_int_eq(metric->histogram->aggregation_temporality, 2);
    Otlp__HistogramDataPoint *h = otlp__histogram_data_point__unpack(NULL, metric->histogram->data_points[0].len,
                                                                     metric->histogram->data_points[0].data);
    ck_assert_uint_eq(h->count, 3);
    ck_assert_uint_eq(h->n_attributes, 2);
    ck_assert_str_eq(h->attributes[0]->key, "definition");
    ck_assert_str_eq(h->attributes[0]->value->string_value, "a");
    ck_assert_str_eq(h->attributes[1]->key, "state");
    ck_assert_str_eq(h->attributes[1]->value->string_value, "COMMITTED");
    ck_assert_uint_eq(h->time_unix_nano, (uint64_t)NOW.us * 1000);
    ck_assert_double_eq_tol(h->sum, 9000.021, 1e-9);
    ck_assert_uint_eq(h->n_bucket_counts, h->n_explicit_bounds + 1);
    ck_assert_uint_eq(h->bucket_counts[0], 1);
    ck_assert_uint_eq(h->bucket_counts[4], 1);
    ck_assert_double_eq(h->explicit_bounds[4], 0.025);
    ck_assert_uint_eq(h->bucket_counts[h->n_explicit_bounds], 1);
    ck_assert_uint_eq(h->start_time_unix_nano, (uint64_t)STARTED.us * 1000);
    ck_assert_double_eq(h->exemplars[0]->as_double, 0.02);
    ck_assert_uint_eq(h->exemplars[0]->time_unix_nano, (uint64_t)NOW.us * 1000);
    uint8_t id[16];
    ck_assert(otlp_id(bytes_of_text(TRACE), id, sizeof id));
    ck_assert_uint_eq(h->exemplars[0]->trace_id.len, sizeof id);
    ck_assert_mem_eq(h->exemplars[0]->trace_id.data, id, sizeof id);
    otlp__histogram_data_point__free_unpacked(h, NULL);
    otlp__metric__free_unpacked(metric, NULL);
    metric = metric_at(list, 1);
    h = otlp__histogram_data_point__unpack(NULL, metric->histogram->data_points[0].len,
                                           metric->histogram->data_points[0].data);
    ck_assert_int_eq(h->has_sum_case, OTLP__HISTOGRAM_DATA_POINT__HAS_SUM_SUM); /* of 0: told all the same */
    ck_assert_uint_eq(h->n_exemplars, 0);
    otlp__histogram_data_point__free_unpacked(h, NULL);
    otlp__metric__free_unpacked(metric, NULL);
    free(list);
    metrics_push_destroy(p);
}
END_TEST

START_TEST(otlp__many_series_are_told_in_parts_each_once)
{
    struct metrics_push *p;
    ProtobufCBinaryData *list;
    uint64_t told = 0, points, parts = 0;
    double sum = 0;
    char name[METRIC_LABEL_BYTES + 1];
    memset(name, 'x', sizeof name);
    for (unsigned i = 0; i < 15000; i++) {
        int size = snprintf(name, sizeof name, "%06u", i);
        name[size] = 'x'; /* a label as long as any */
        metrics_add(m, METRIC_SAGAS_DEGRADED, LABELS(bytes_of(name, METRIC_LABEL_BYTES), bytes_of_text("k")), 2);
    }
    metrics_add(m, METRIC_OVERFLOW, METRIC_NO_LABELS, 1);
    ck_assert_int_eq(metrics_push_create(&m, 1, STARTED, &p), 0);
    while ((points = next_part(p, &list)) > 0) {
        told += points;
        parts++;
        ck_assert_uint_lt(part.size, METRICS_PUSH_BYTES + 65536);
        for (size_t i = 0; i < part.count; i++) {
            Otlp__Metric *metric = metric_at(list, i);
            for (size_t k = 0; k < metric->sum->n_data_points; k++) {
                Otlp__NumberDataPoint *point = number_at(metric->sum->data_points, k);
                sum += (double)point->as_int;
                otlp__number_data_point__free_unpacked(point, NULL);
            }
            otlp__metric__free_unpacked(metric, NULL);
        }
        free(list);
        if (parts == 2) /* what is counted meanwhile hurts nobody */
            metrics_add(m, METRIC_SAGAS_STARTED, METRIC_NO_LABELS, 1);
    }
    free(list);
    ck_assert_uint_gt(parts, 3);
    ck_assert_uint_eq(told, 15001);
    ck_assert_double_eq(sum, 30001);
    ck_assert_uint_eq(metrics_push_destroy(p), 0);
    ck_assert_int_eq(metrics_push_create(&m, 1, STARTED, &p), 0);
    points = next_part(p, &list);
    free(list);
    ck_assert_uint_eq(metrics_push_destroy(p), 15002 - points); /* what is not told is known */
    free(part.at);
    part = (struct otlp_batch){0};
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("otlp");
    TCase *said = tcase_create("said"), *metrics = tcase_create("metrics");
    tcase_add_test(said, otlp__an_answer_says_what_was_not_taken);
    tcase_add_test(said, otlp__an_id_is_its_digits);
    tcase_add_test(said, otlp__a_text_is_valid_and_fits);
    tcase_add_test(said, otlp__what_finds_no_room_is_counted_once);
    tcase_add_test(said, otlp__a_request_says_who_sends_it);
    tcase_add_test(said, otlp__a_record_names_things_as_spans_do);
    tcase_add_test(said, otlp__a_record_has_the_fields_of_its_line);
    tcase_add_test(said, otlp__a_record_is_bounded);
    tcase_add_checked_fixture(metrics, setup, teardown);
    tcase_add_test(metrics, otlp__several_loops_are_one);
    tcase_add_test(metrics, otlp__a_clock_that_was_set_back_tells_no_end_before_the_beginning);
    tcase_add_test(metrics, otlp__a_histogram_has_buckets_sum_and_example);
    tcase_add_test(metrics, otlp__many_series_are_told_in_parts_each_once);
    suite_add_tcase(suite, said);
    suite_add_tcase(suite, metrics);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
