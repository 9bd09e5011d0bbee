/* Spans of traces: ids that never change, texts that fit a message, and a queue that is bounded. */
#include "sidecar/observe/spans.h"

#include "opentelemetry/otlp.pb-c.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const struct saga_id saga = {.tag = UINT64_C(0x9f03c1d2a4b7), .serial = 0x2a};
static const struct bytes came = {.at = (const uint8_t *)"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                  .size = 55};

/* A trace of the saga's own: the ids are in traces that were sent, so they may not change with a version. */
START_TEST(spans__ids_follow_from_the_saga)
{
    const struct trace t = trace_of(saga, bytes_of(NULL, 0), 100);
    const struct span_key attempt = {.saga = saga, .step = 1, .phase = 1, .attempt = 2};
    char text[TRACEPARENT_SIZE];
    trace_parent_of(&t, &attempt, text);
    ck_assert(!t.has_parent && t.sampled);
    ck_assert_str_eq(text, "00-3e912738aa3b6ee778bb8cfa71494507-3bda197559bf1b3f-01");
    /* The log has the same, by themselves. */
    char trace[2 * TRACE_ID_SIZE + 1], span[2 * SPAN_ID_SIZE + 1];
    trace_id_text(&t, trace);
    span_id_text(&attempt, span);
    ck_assert_str_eq(trace, "3e912738aa3b6ee778bb8cfa71494507");
    ck_assert_str_eq(span, "3bda197559bf1b3f");
}
END_TEST

START_TEST(spans__each_part_makes_another_id)
{
    const struct span_key keys[] = {
        {.saga = saga, .step = 1, .phase = 1, .attempt = 2},
        {.saga = saga, .step = 1, .phase = 1, .attempt = 3},
        {.saga = saga, .step = 1, .phase = 2, .attempt = 2},
        {.saga = saga, .step = 2, .phase = 1, .attempt = 2},
        {.saga = saga, .step = UINT16_MAX},
        {.saga = {.tag = saga.tag, .serial = 0x2b}, .step = 1, .phase = 1, .attempt = 2},
        {.saga = {.tag = saga.tag + 1, .serial = 0x2a}, .step = 1, .phase = 1, .attempt = 2},
    };
    uint8_t ids[7][SPAN_ID_SIZE];
    for (unsigned i = 0; i < 7; i++) {
        span_id_of(&keys[i], ids[i]);
        for (unsigned j = 0; j < i; j++)
            ck_assert_msg(memcmp(ids[i], ids[j], SPAN_ID_SIZE) != 0, "%u and %u", i, j);
    }
}
END_TEST

START_TEST(spans__a_trace_that_came_is_gone_on_with)
{
    const struct trace t = trace_of(saga, came, 0);
    const struct span_key attempt = {.saga = saga, .step = 0, .phase = 1, .attempt = 1};
    char text[TRACEPARENT_SIZE];
    trace_parent_of(&t, &attempt, text);
    ck_assert(t.has_parent && t.sampled);
    ck_assert_int_eq(t.parent[0], 0xb7);
    ck_assert_int_eq(t.parent[7], 0x31);
    ck_assert(strncmp(text, "00-0af7651916cd43dd8448eb211c80319c-", 36) == 0);
    ck_assert_str_eq(text + 52, "-01");
    const struct trace unsampled =
        trace_of(saga, bytes_of_text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), 100);
    ck_assert(unsampled.has_parent && !unsampled.sampled);
    /* What only looks like one says nothing, whatever its flags are. */
    const struct bytes none = bytes_of_text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00.");
    const struct bytes nil = bytes_of_text("00-00000000000000000000000000000000-b7ad6b7169203331-01");
    ck_assert(trace_of(saga, none, 100).sampled && !trace_of(saga, nil, 0).sampled);
    ck_assert(trace_sampled(saga, none, 100) && !trace_sampled(saga, nil, 0));
    ck_assert(trace_sampled(saga, came, 0) && !trace_sampled(saga, bytes_of(came.at, 54), 0));
}
END_TEST

/* Of the flags, two hexadecimal digits, the lowest bit says so, whatever the others say. */
START_TEST(spans__of_the_flags_one_is_looked_at)
{
    for (unsigned flags = 0; flags < 256; flags++) {
        char text[64];
        snprintf(text, sizeof text, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-%02x", flags);
        for (unsigned percent = 0; percent <= 100; percent += 100)
            ck_assert_msg(trace_sampled(saga, bytes_of_text(text), percent) == (flags % 2 == 1), "%s", text);
    }
}
END_TEST

START_TEST(spans__percent_of_many)
{
    unsigned sampled = 0;
    for (uint64_t i = 1; i <= 10000; i++) {
        const struct saga_id id = {.tag = saga.tag, .serial = i};
        const struct trace t = trace_of(id, bytes_of(NULL, 0), 10);
        uint64_t low = 0;
        for (unsigned at = 8; at < TRACE_ID_SIZE; at++)
            low = low << 8 | t.id[at];
        ck_assert(t.sampled == (low % 100 < 10)); /* other versions and loops decide the same */
        sampled += t.sampled;
        ck_assert(!trace_of(id, bytes_of(NULL, 0), 0).sampled && trace_of(id, bytes_of(NULL, 0), 100).sampled);
    }
    ck_assert_uint_gt(sampled, 900);
    ck_assert_uint_lt(sampled, 1100);
}
END_TEST

static struct trace_span a_span(void)
{
    return (struct trace_span){
        .key = {.saga = saga, .step = 1, .phase = 1, .attempt = 1},
        .name = bytes_of_text("shop.P/Do"),
        .is_call = true,
        .failed = true,
        .error = bytes_of("bad \xff\0byte", 10),
        .began = {.us = 2000},
        .ended = {.us = 1000},
        .attributes = {{.name = "saga.attempt", .number = 7}, {.name = "saga.target", .text = bytes_of_text("shop")}},
        .attribute_count = 2,
    };
}

/* Takes what is queued, as one request. */
static Otlp__ExportRequest *request_of(struct otlp_queue *q, struct otlp_batch *batch)
{
    struct bytes packed;
    otlp_queue_take(q, batch);
    ck_assert_int_eq(otlp_request(batch, "here", "1.2.3", &packed), 0);
    Otlp__ExportRequest *request = otlp__export_request__unpack(NULL, packed.size, packed.at);
    free((void *)(uintptr_t)packed.at);
    ck_assert_ptr_nonnull(request);
    return request;
}

static void check_attribute(const Otlp__Span *said, size_t i, const char *name, int64_t number, const char *text)
{
    Otlp__KeyValue *pair = otlp__key_value__unpack(NULL, said->attributes[i].len, said->attributes[i].data);
    uint8_t again[1024];
    ck_assert_ptr_nonnull(pair);
    ck_assert_str_eq(pair->key, name);
    if (text == NULL) {
        ck_assert_int_eq(pair->value->value_case, OTLP__ANY_VALUE__VALUE_INT_VALUE);
        ck_assert_int_eq(pair->value->int_value, number);
    } else {
        ck_assert_int_eq(pair->value->value_case, OTLP__ANY_VALUE__VALUE_STRING_VALUE);
        ck_assert_str_eq(pair->value->string_value, text);
    }
    /* Byte for byte what protobuf-c makes of it. */
    ck_assert_uint_eq(otlp__key_value__pack(pair, again), said->attributes[i].len);
    ck_assert_mem_eq(again, said->attributes[i].data, said->attributes[i].len);
    otlp__key_value__free_unpacked(pair, NULL);
}

START_TEST(spans__what_was_added_is_what_is_sent)
{
    struct otlp_queue *q;
    struct otlp_batch batch = {0};
    struct trace_span span = a_span();
    const struct trace t = trace_of(saga, came, 0);
    ck_assert_int_eq(otlp_queue_create(1 << 16, &q), 0);
    span.parent = t.parent;
    ck_assert(spans_add(q, &t, &span) && spans_add(q, &t, &span));
    Otlp__ExportRequest *request = request_of(q, &batch);
    ck_assert_uint_eq(request->resource_items[0]->scope_items[0]->n_items, 2);
    const ProtobufCBinaryData packed = request->resource_items[0]->scope_items[0]->items[1];
    Otlp__Span *said = otlp__span__unpack(NULL, packed.len, packed.data);
    ck_assert_ptr_nonnull(said);
    ck_assert_str_eq(said->name, "shop.P/Do");
    ck_assert_int_eq(said->kind, OTLP__SPAN_KIND__SPAN_KIND_CLIENT);
    ck_assert_int_eq(said->status->code, OTLP__STATUS_CODE__STATUS_CODE_ERROR);
    ck_assert_str_eq(said->status->message, "bad ??byte");
    ck_assert_uint_eq(said->start_time_unix_nano, 2000000);
    ck_assert_uint_eq(said->end_time_unix_nano, 2000000); /* never before its start */
    uint8_t id[SPAN_ID_SIZE];
    span_id_of(&span.key, id);
    ck_assert_mem_eq(said->span_id.data, id, SPAN_ID_SIZE);
    ck_assert_mem_eq(said->trace_id.data, t.id, TRACE_ID_SIZE);
    ck_assert_mem_eq(said->parent_span_id.data, t.parent, SPAN_ID_SIZE);
    ck_assert_uint_eq(said->n_attributes, 2);
    check_attribute(said, 0, "saga.attempt", 7, NULL);
    check_attribute(said, 1, "saga.target", 0, "shop");
    ck_assert_str_eq(request->resource_items[0]->resource->attributes[2]->value->string_value, "here");
    otlp__span__free_unpacked(said, NULL);
    otlp__export_request__free_unpacked(request, NULL);
    free(batch.at);
    otlp_queue_destroy(q);
}
END_TEST

/* One span, as a collector reads it. */
static Otlp__Span *told(const struct trace_span *span)
{
    struct otlp_queue *q;
    struct otlp_batch batch = {0};
    const struct trace t = trace_of(saga, came, 0);
    ck_assert_int_eq(otlp_queue_create(1 << 16, &q), 0);
    ck_assert(spans_add(q, &t, span));
    otlp_queue_take(q, &batch);
    uint32_t size;
    memcpy(&size, batch.at, sizeof size);
    Otlp__Span *said = otlp__span__unpack(NULL, size, batch.at + sizeof size);
    ck_assert_ptr_nonnull(said);
    free(batch.at);
    otlp_queue_destroy(q);
    return said;
}

START_TEST(spans__attributes_of_any_number_and_length)
{
    static const int64_t numbers[] = {0, 1, 127, 128, 65535, INT64_MAX, -1, INT64_MIN};
    char text[301], shown[301];
    struct trace_span span = a_span();
    span.attribute_count = 1;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        span.attributes[0] = (struct span_attribute){.name = "saga.attempt", .number = numbers[i]};
        Otlp__Span *said = told(&span);
        check_attribute(said, 0, "saga.attempt", numbers[i], NULL);
        otlp__span__free_unpacked(said, NULL);
    }
    for (size_t size = 1; size < sizeof text; size++)
        for (unsigned odd = 0; odd < 3;
             odd++) { /* plain, and with a byte that is none of UTF-8, or a NUL, at its end */
            memset(text, 'x', size);
            memset(shown, 'x', size);
            if (odd > 0) {
                text[size - 1] = odd == 1 ? '\xff' : '\0';
                shown[size - 1] = '?';
            }
            shown[size < 255 ? size : 255] = '\0';
            span.attributes[0] = (struct span_attribute){.name = "saga.target", .text = bytes_of(text, size)};
            Otlp__Span *said = told(&span);
            check_attribute(said, 0, "saga.target", 0, shown);
            otlp__span__free_unpacked(said, NULL);
        }
}
END_TEST

START_TEST(spans__a_full_queue_drops_and_goes_on)
{
    struct otlp_queue *q;
    struct otlp_batch batch = {0};
    const struct trace_span span = a_span();
    const struct trace t = trace_of(saga, came, 0);
    unsigned added = 0;
    ck_assert_int_eq(otlp_queue_create(2048, &q), 0);
    while (spans_add(q, &t, &span))
        ck_assert_uint_lt(++added, 100);
    ck_assert_uint_gt(added, 5);
    otlp_queue_take(q, &batch);
    ck_assert_uint_eq(batch.count, added);
    ck_assert_uint_le(batch.size, 2048);
    ck_assert(spans_add(q, &t, &span));
    ck_assert_uint_eq(otlp_queue_dropped(q), 1);
    ck_assert_uint_eq(otlp_queue_dropped(q), 0);
    free(batch.at);
    otlp_queue_destroy(q);
}
END_TEST

START_TEST(spans__a_long_text_is_cut_between_characters)
{
    struct otlp_queue *q;
    struct otlp_batch batch = {0};
    struct trace_span span = a_span();
    char name[602];
    for (unsigned i = 0; i < 301; i++)
        memcpy(name + 2 * i, "\xc3\xa4", 2);
    span.name = bytes_of(name, sizeof name);
    const struct trace t = trace_of(saga, came, 0);
    ck_assert_int_eq(otlp_queue_create(1 << 16, &q), 0);
    ck_assert(spans_add(q, &t, &span));
    Otlp__ExportRequest *request = request_of(q, &batch);
    const ProtobufCBinaryData packed = request->resource_items[0]->scope_items[0]->items[0];
    Otlp__Span *said = otlp__span__unpack(NULL, packed.len, packed.data);
    ck_assert_uint_eq(strlen(said->name), 254);
    otlp__span__free_unpacked(said, NULL);
    otlp__export_request__free_unpacked(request, NULL);
    free(batch.at);
    otlp_queue_destroy(q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spans");
    TCase *tc = tcase_create("spans");
    tcase_add_test(tc, spans__ids_follow_from_the_saga);
    tcase_add_test(tc, spans__each_part_makes_another_id);
    tcase_add_test(tc, spans__a_trace_that_came_is_gone_on_with);
    tcase_add_test(tc, spans__of_the_flags_one_is_looked_at);
    tcase_add_test(tc, spans__percent_of_many);
    tcase_add_test(tc, spans__what_was_added_is_what_is_sent);
    tcase_add_test(tc, spans__attributes_of_any_number_and_length);
    tcase_add_test(tc, spans__a_full_queue_drops_and_goes_on);
    tcase_add_test(tc, spans__a_long_text_is_cut_between_characters);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
