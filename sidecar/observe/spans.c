/* spans.c - ids that follow from what a span is of, and the span as a message. */
#include "sidecar/observe/spans.h"

#include "sidecar/base/check.h"
#include "sidecar/base/random.h"
#include "sidecar/base/traceparent.h"

#include <string.h>

/* A span: its attributes' names have 32 bytes at most, and no field's tag and length more than 6. */
#define PACKED_MAX (1024 + (size_t)(SPAN_ATTRIBUTES_MAX + 2) * (TEXT_SIZE + 64))
#define TEXT_SIZE  256 /* of a text in a span, with its NUL; longer ones are cut */

/* ---- ids ---- */

static uint64_t mixed(uint64_t a, uint64_t b)
{
    struct random r;
    random_seed(&r, a);
    uint64_t first = random_next(&r);
    random_seed(&r, first ^ b);
    return random_next(&r);
}

static void put_id(uint64_t from, uint8_t to[8])
{
    if (from == 0)
        from = 1; /* all zeros are no id */
    for (unsigned i = 0; i < 8; i++)
        to[i] = (uint8_t)(from >> (56 - 8 * i));
}

struct trace trace_of(struct saga_id saga, struct bytes traceparent, unsigned percent)
{
    struct trace t = {.has_parent = traceparent_valid(traceparent)};
    if (t.has_parent) {
        uint8_t flags = 0;
        otlp_id(bytes_of(traceparent.at + 3, 2 * TRACE_ID_SIZE), t.id, TRACE_ID_SIZE);
        otlp_id(bytes_of(traceparent.at + 36, 2 * SPAN_ID_SIZE), t.parent, SPAN_ID_SIZE);
        t.sampled = otlp_id(bytes_of(traceparent.at + 53, 2), &flags, 1) && (flags & 1) != 0;
        return t;
    }
    uint64_t high = mixed(saga.tag, saga.serial), low = mixed(high, saga.tag);
    put_id(high, t.id);
    put_id(low, t.id + 8);
    t.sampled = low % 100 < percent;
    return t;
}

void span_id_of(const struct span_key *key, uint8_t id[SPAN_ID_SIZE])
{
    uint64_t saga = mixed(key->saga.tag, key->saga.serial);
    put_id(mixed(saga, (uint64_t)key->step << 32 | (uint64_t)key->phase << 16 | key->attempt), id);
}

static char *write_hex(const uint8_t *bytes, size_t size, char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

void trace_id_text(const struct trace *trace, char text[2 * TRACE_ID_SIZE + 1])
{
    *write_hex(trace->id, TRACE_ID_SIZE, text) = '\0';
}

void span_id_text(const struct span_key *key, char text[2 * SPAN_ID_SIZE + 1])
{
    uint8_t id[SPAN_ID_SIZE];
    span_id_of(key, id);
    *write_hex(id, SPAN_ID_SIZE, text) = '\0';
}

void trace_parent_of(const struct trace *trace, const struct span_key *attempt, char text[TRACEPARENT_SIZE])
{
    uint8_t id[SPAN_ID_SIZE];
    span_id_of(attempt, id);
    memcpy(text, "00-", 3);
    char *at = write_hex(trace->id, TRACE_ID_SIZE, text + 3);
    *at++ = '-';
    at = write_hex(id, SPAN_ID_SIZE, at);
    memcpy(at, "-01", 4);
}

/* ---- one span ---- */

struct built {
    struct otlp_attribute attributes[SPAN_ATTRIBUTES_MAX];
    Otlp__KeyValue *list[SPAN_ATTRIBUTES_MAX];
    char texts[SPAN_ATTRIBUTES_MAX][TEXT_SIZE];
};

static void build_attributes(struct built *b, const struct trace_span *span)
{
    CHECK(span->attribute_count <= SPAN_ATTRIBUTES_MAX);
    for (unsigned i = 0; i < span->attribute_count; i++) {
        const struct span_attribute *from = &span->attributes[i];
        if (from->text.at == NULL)
            otlp_say_number(&b->attributes[i], from->name, from->number);
        else
            otlp_say(&b->attributes[i], from->name, otlp_text(from->text, b->texts[i], TEXT_SIZE));
        b->list[i] = &b->attributes[i].pair;
    }
}

bool spans_add(struct otlp_queue *q, const struct trace *trace, const struct trace_span *span)
{
    struct built b;
    char name[TEXT_SIZE], error[TEXT_SIZE];
    uint8_t id[SPAN_ID_SIZE];
    Otlp__Span m = OTLP__SPAN__INIT;
    Otlp__Status status = OTLP__STATUS__INIT;
    struct instant ended = instant_max(span->began, span->ended);
    span_id_of(&span->key, id);
    build_attributes(&b, span);
    m.trace_id = (ProtobufCBinaryData){.len = TRACE_ID_SIZE, .data = (uint8_t *)(uintptr_t)trace->id};
    m.span_id = (ProtobufCBinaryData){.len = SPAN_ID_SIZE, .data = id};
    if (span->parent != NULL)
        m.parent_span_id = (ProtobufCBinaryData){.len = SPAN_ID_SIZE, .data = (uint8_t *)(uintptr_t)span->parent};
    m.name = otlp_text(span->name, name, sizeof name);
    m.kind = span->is_call ? OTLP__SPAN_KIND__SPAN_KIND_CLIENT : OTLP__SPAN_KIND__SPAN_KIND_INTERNAL;
    m.start_time_unix_nano = (uint64_t)span->began.us * 1000;
    m.end_time_unix_nano = (uint64_t)ended.us * 1000;
    m.attributes = b.list;
    m.n_attributes = span->attribute_count;
    if (span->failed) {
        status.code = OTLP__STATUS_CODE__STATUS_CODE_ERROR;
        status.message = otlp_text(span->error, error, sizeof error);
        m.status = &status;
    }
    return otlp_queue_add_small(q, &m.base, PACKED_MAX);
}
