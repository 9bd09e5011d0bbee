/* What is shown of every metric, of three loops, with labels of all kinds: the page in both forms, and the data points for a collector; then every kind of
 * field in a line of the log, in both forms, and as a record for a collector. It is kept in tests/fixtures/observe;
 * `build/release/tests/unit/test_told_numbers write` writes that anew, for its difference to be read. */
#include "sidecar/base/error.h"
#include "sidecar/observe/log.h"
#include "sidecar/observe/metrics_inside.h"
#include "sidecar/observe/metrics_push.h"
#include "sidecar/observe/otlp_logs.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS 3
#define AT_US INT64_C(1700000000250000)

static struct metrics *loops[LOOPS];
static const char trace[] = "0102030405060708090a0b0c0d0e0f10", other_trace[] = "f1020304050607080900000000000001";

/* Of a row by number: its labels, plain ones for most. 150 letters are cut, at a character. */
static struct metric_labels labels_of(unsigned row, bool odd)
{
    static const char *const plain[] = {"a", "b2", "c_3", "OK"};
    static const char odd_ones[][32] = {"q\"uo\\te\nline", "caf\xc3\xa9 {x=1}", "\x01\t\x7f", ""};
    static char letters[2][160];
    struct metric_labels l = METRIC_NO_LABELS;
    for (unsigned i = 0; i < 75; i++)
        memcpy(letters[0] + 2 * i, "\xc3\xa9", 2);
    snprintf(letters[1], sizeof letters[1], "x%.150s", letters[0]);
    for (unsigned i = 0; i < metric_label_count(&metric_rows[row]); i++) {
        unsigned kind = (row + i) % 6;
        l.values[i] = bytes_of_text(!odd ? plain[i] : kind < 4 ? odd_ones[kind] : letters[kind - 4]);
    }
    return l;
}

static void count(unsigned loop, unsigned row, bool odd)
{
    static const double gauges[] = {1.5, -2, 1e15, 0.1, INFINITY, 0, NAN, 123456789};
    struct metrics *m = loops[loop];
    const struct metric_row *r = &metric_rows[row];
    const struct metric_labels l = labels_of(row, odd);
    switch (r->type) {
    case METRIC_COUNTER:
    case METRIC_COUNTER_KEPT:
        metrics_add(m, row, l, (row + 1) * 1000 + loop * 100 + odd);
        metrics_add(m, row, l, 1);
        return;
    case METRIC_GAUGE:
    case METRIC_GAUGE_MAX:
        metrics_set(m, row, l, gauges[(row + loop + 4 * odd) % 8]);
        if (loop == 2)
            metrics_unset(m, row, l);
        return;
    case METRIC_HISTOGRAM: {
        uint64_t bound = (uint64_t)llround(r->buckets[(row + loop) % r->bucket_count] / r->scale);
        struct instant now = {.us = AT_US - 5000000 + loop * 1000000};
        metrics_observe(m, row, l, bound, bytes_of_text(trace), now);
        metrics_observe(m, row, l, bound + 1, bytes_of_text(loop == 1 ? "" : other_trace), now);
        metrics_observe(m, row, l, odd ? UINT64_C(1) << 50 : 0, bytes_of_text("not an id"), now);
        return;
    }
    }
}

static char *page(enum metrics_format format, unsigned loop_count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(metrics_write(loops, loop_count, format, out), 0);
    fclose(out);
    return text;
}

/* The lines of one that the other does not have. */
static void put_other_lines(FILE *out, const char *text, const char *than)
{
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        size_t size = (size_t)(end + 1 - line);
        const char *at = than;
        while (*at != '\0' && strncmp(at, line, size) != 0)
            at = strchr(at, '\n') + 1;
        if (*at == '\0')
            fprintf(out, "%.*s", (int)size, line);
    }
}

static void put_items(FILE *out, const struct otlp_batch *batch, const ProtobufCMessageDescriptor *type)
{
    ProtobufCBinaryData *list = otlp_batch_list(batch);
    ck_assert_ptr_nonnull(list);
    for (size_t i = 0; i < batch->count; i++) {
        ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, list[i].len, list[i].data);
        ck_assert_ptr_nonnull(m);
        message_text_put(out, m);
        fputc('\n', out);
        protobuf_c_message_free_unpacked(m, NULL);
    }
    free(list);
}

static void put_push(FILE *out)
{
    struct metrics_push *push = NULL;
    struct otlp_batch batch = {0};
    struct instant started = {.us = AT_US - 60000000}, before = {.us = started.us - 1}, now = {.us = AT_US};
    ck_assert_int_eq(metrics_push_create(loops, LOOPS, started, &push), 0);
    uint64_t told = metrics_push_next(push, now, &batch);
    put_items(out, &batch, &otlp__metric__descriptor);
    fprintf(out, "%lu points", (unsigned long)told);
    fprintf(out, ", and then %lu", (unsigned long)metrics_push_next(push, now, &batch));
    fprintf(out, "; not told %lu\n", (unsigned long)metrics_push_destroy(push));
    free(batch.at);
    batch = (struct otlp_batch){0};
    ck_assert_int_eq(metrics_push_create(loops, 1, started, &push), 0);
    fprintf(out, "of one loop %lu would not be told\n", (unsigned long)metrics_push_destroy(push));
    ck_assert_int_eq(metrics_push_create(loops, 1, started, &push), 0);
    told = metrics_push_next(push, before, &batch); /* a clock that was set back */
    fprintf(out, "of one loop %lu points of %zu metrics\n", (unsigned long)told, batch.count);
    batch.count = batch.count > 0; /* the first tells of all */
    batch.size = batch.count == 0 ? 0 : 4 + (size_t)(batch.at[0] | batch.at[1] << 8);
    put_items(out, &batch, &otlp__metric__descriptor);
    metrics_push_destroy(push);
    free(batch.at);
}

static void put_numbers(FILE *out)
{
    for (unsigned loop = 0; loop < LOOPS; loop++) {
        ck_assert_int_eq(metrics_create(1000, &loops[loop]), 0);
        for (unsigned row = METRIC_COUNT; row-- > 0;) { /* they are shown in the rows' order, whatever came first */
            count(loop, row, false);
            if (loop == row % 2 && metric_label_count(&metric_rows[row]) > 0)
                count(loop, row, true);
        }
        fprintf(out, "loop %u has %u series\n", loop, metrics_count(loops[loop]));
    }
    char *open = page(METRICS_OPENMETRICS, LOOPS), *plain = page(METRICS_PROMETHEUS, LOOPS);
    fputs(open, out);
    fputs("---- other than that for Prometheus\n", out);
    put_other_lines(out, plain, open);
    fputs("---- for a collector\n", out);
    put_push(out);
    free(open);
    free(plain);
    for (unsigned loop = 0; loop < LOOPS; loop++)
        metrics_destroy(loops[loop]);
}

/* ---- lines ---- */

static void put_line(FILE *out, enum log_level level, struct instant at, const char *text,
                     const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    const struct log_entry entry = {.at = at, .level = level, .text = text, .fields = fields, .field_count = count};
    struct otlp_queue *queue = NULL;
    struct otlp_batch batch = {0};
    for (int form = LOG_FORMAT_LOGFMT; form <= LOG_FORMAT_JSON; form++) {
        size_t size = log_line((enum log_format)form, at, level, text, fields, count, line);
        ck_assert_uint_eq(size, strlen(line));
        fputs(line, out);
    }
    ck_assert_int_eq(otlp_queue_create(1 << 20, &queue), 0);
    ck_assert(otlp_logs_add(queue, &entry));
    otlp_queue_take(queue, &batch);
    put_items(out, &batch, &otlp__log_record__descriptor);
    free(batch.at);
    otlp_queue_destroy(queue);
}

static void put_lines(FILE *out)
{
    static char letters[6][LOG_VALUE_BYTES_MAX + 8];
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) /* about where a value is cut */
        memset(letters[i], 'l', LOG_VALUE_BYTES_MAX - 3 + i);
    memcpy(letters[5] + LOG_VALUE_BYTES_MAX - 2, "\xe2\x82\xac", 3);
    memcpy(letters[4] + LOG_VALUE_BYTES_MAX - 3, "\xe2\x82\xac", 3);
    const char *const texts[] = {"",
                                 "word",
                                 "two words",
                                 "a=b",
                                 "\"q\"",
                                 "back\\",
                                 "\n\r\t",
                                 "\x01\x1f\x7f",
                                 "\xc2\x80\xc2\x9f",
                                 "\xc2\xa0",
                                 "\xe2\x82\xac",
                                 "\xf0\x9f\x98\x80",
                                 "\xed\xa0\x80",
                                 "\xc0\xaf",
                                 "\xf4\x90\x80\x80",
                                 "\xff\xc3",
                                 "\xe2\x82",
                                 "~!@",
                                 letters[0],
                                 letters[3],
                                 letters[4],
                                 letters[5]};
    static const char *const names[] = {"saga",  "definition", "step",      "attempt", "target",
                                        "state", "reason",     "synthetic", "phase",   "actor"};
    struct instant at = {.us = AT_US};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct log_field fields[] = {LOG_TEXT("value", texts[i]), LOG_NUMBER("after", 1)};
        put_line(out, (enum log_level)(i % 4), at, i % 5 == 4 ? texts[i] : "said", fields, 2);
    }
    const struct log_field kinds[] = {LOG_SAGA(((struct saga_id){.tag = 0xabc, .serial = 0xff})),
                                      LOG_NUMBER("least", INT64_MIN),
                                      LOG_NUMBER("none", 0),
                                      LOG_TEXT("trace_id", trace),
                                      LOG_TEXT("span_id", "1112131415161718"),
                                      LOG_TEXT("trace_id", "0"),
                                      LOG_NUMBER("span_id", 3),
                                      LOG_TEXT("span_id", "0000000000000000")};
    put_line(out, LOG_LEVEL_DEBUG, (struct instant){.us = 1}, "kinds", kinds, sizeof kinds / sizeof *kinds);
    struct log_field many[20];
    for (size_t i = 0; i < 20; i++)
        many[i] = (struct log_field)LOG_TEXT(names[i % 10], "v");
    for (size_t count = 0; count <= 20; count += 4)
        put_line(out, LOG_LEVEL_INFO, at, "many", many, count);
    for (size_t i = 0; i < 6; i++) /* no more than a line holds: what does not fit is left out, and what does is not */
        many[i] = (struct log_field)LOG_TEXT(names[i], letters[i % 3]);
    put_line(out, LOG_LEVEL_WARN, at, "much", many, 8);
}

START_TEST(observe__every_number_and_line_is_shown_so)
{
    kept_text_compare("tests/fixtures/observe/numbers.txt", put_numbers);
    kept_text_compare("tests/fixtures/observe/lines.txt", put_lines);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "told_numbers", observe__every_number_and_line_is_shown_so);
}
