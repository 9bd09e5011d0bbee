/* spans.c - ids that follow from what a span is of, and the span as a message. */
#include "sidecar/observe/spans.h"

#include "sidecar/base/check.h"
#include "sidecar/base/random.h"
#include "sidecar/base/traceparent.h"

#include <string.h>

/* A span: no field's tag and length take more than 6 bytes. */
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

/* Of a trace of its own: it follows from the saga's id. */
static void own_id(struct saga_id saga, uint64_t *high, uint64_t *low)
{
    *high = mixed(saga.tag, saga.serial);
    *low = mixed(*high, saga.tag);
}

/* The digit of a traceparent that says "sampled" with its lowest bit, and how long the text is up to it. */
#define FLAG_AT  54
#define FLAG_END 55

bool trace_sampled(struct saga_id saga, struct bytes traceparent, unsigned percent)
{
    uint64_t high, low = 0;
    bool told = false;
    if (percent > 0 && percent < 100)
        own_id(saga, &high, &low);
    if (traceparent.size >= FLAG_END) {
        uint8_t digit = traceparent.at[FLAG_AT];
        told = ((digit <= '9' ? digit : digit - 'a' + 10) & 1) != 0;
    }
    bool own = low % 100 < percent;
    /* Nearly always neither is, and then it does not matter which of the two counts. */
    return own == told ? own : traceparent_valid(traceparent) ? told : own;
}

struct trace trace_of(struct saga_id saga, struct bytes traceparent, unsigned percent)
{
    struct trace t = {.has_parent = traceparent_valid(traceparent),
                      .sampled = trace_sampled(saga, traceparent, percent)};
    if (t.has_parent) {
        otlp_id(bytes_of(traceparent.at + 3, 2 * TRACE_ID_SIZE), t.id, TRACE_ID_SIZE);
        otlp_id(bytes_of(traceparent.at + 36, 2 * SPAN_ID_SIZE), t.parent, SPAN_ID_SIZE);
        return t;
    }
    uint64_t high, low;
    own_id(saga, &high, &low);
    put_id(high, t.id);
    put_id(low, t.id + 8);
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

#define NAME_SIZE_MAX 32 /* of an attribute's name */

struct built {
    ProtobufCBinaryData list[SPAN_ATTRIBUTES_MAX];
    uint8_t packed[SPAN_ATTRIBUTES_MAX][TEXT_SIZE + 64];
};

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value > 127; value >>= 7)
        *at++ = (uint8_t)(value | 128);
    *at++ = (uint8_t)value;
    return at;
}

/* What a KeyValue with one of the two values is on the wire: tags, each with the length or number that follows it. */
#define TAG_KEY    0x0a
#define TAG_VALUE  0x12
#define TAG_TEXT   0x0a
#define TAG_NUMBER 0x18

/* A KeyValue, serialized: most of a span is these, and protobuf-c takes several times as long. */
static size_t pack_attribute(const struct span_attribute *from, uint8_t *to)
{
    char text[TEXT_SIZE];
    uint8_t value[TEXT_SIZE + 16], *end = value;
    size_t name_size = strlen(from->name);
    CHECK(name_size <= NAME_SIZE_MAX);
    if (from->text.at == NULL) {
        *end++ = TAG_NUMBER;
        end = put_varint(end, (uint64_t)from->number);
    } else {
        size_t size = strlen(otlp_text(from->text, text, sizeof text));
        *end++ = TAG_TEXT;
        end = put_varint(end, size);
        memcpy(end, text, size);
        end += size;
    }
    uint8_t *at = to;
    *at++ = TAG_KEY;
    *at++ = (uint8_t)name_size;
    memcpy(at, from->name, name_size);
    at += name_size;
    *at++ = TAG_VALUE;
    at = put_varint(at, (size_t)(end - value));
    memcpy(at, value, (size_t)(end - value));
    return (size_t)(at + (end - value) - to);
}

static void build_attributes(struct built *b, const struct trace_span *span)
{
    CHECK(span->attribute_count <= SPAN_ATTRIBUTES_MAX);
    for (unsigned i = 0; i < span->attribute_count; i++)
        b->list[i] =
            (ProtobufCBinaryData){.len = pack_attribute(&span->attributes[i], b->packed[i]), .data = b->packed[i]};
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
