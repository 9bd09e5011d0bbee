/* spans.c - spans are packed when they are made: then the queue is bytes, and who sends them only wraps them up. */
#include "sidecar/observe/spans.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"
#include "sidecar/base/random.h"
#include "sidecar/base/traceparent.h"
#include "sidecar/base/utf8.h"

#include "opentelemetry/trace.pb-c.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 256 /* of a text in a span; longer ones are cut */

typedef Opentelemetry__Proto__Collector__Trace__V1__Span span_message;
typedef Opentelemetry__Proto__Collector__Trace__V1__KeyValue key_value;
typedef Opentelemetry__Proto__Collector__Trace__V1__AnyValue any_value;

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

static unsigned digit(uint8_t c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

static void read_hex(const uint8_t *text, uint8_t *to, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
}

struct trace trace_of(struct saga_id saga, struct bytes traceparent, unsigned percent)
{
    struct trace t = {.has_parent = traceparent_valid(traceparent)};
    if (t.has_parent) {
        uint8_t flags;
        read_hex(traceparent.at + 3, t.id, TRACE_ID_SIZE);
        read_hex(traceparent.at + 36, t.parent, SPAN_ID_SIZE);
        read_hex(traceparent.at + 53, &flags, 1);
        t.sampled = (flags & 1) != 0;
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

/* ---- the queue ---- */

struct spans {
    pthread_mutex_t lock;
    size_t bytes_max;
    struct span_batch queued;
};

int spans_create(size_t bytes_max, struct spans **out)
{
    struct spans *q = calloc(1, sizeof *q);
    if (q == NULL)
        return E_MEMORY;
    q->bytes_max = bytes_max;
    CHECK(pthread_mutex_init(&q->lock, NULL) == 0);
    *out = q;
    return 0;
}

void spans_destroy(struct spans *q)
{
    if (q == NULL)
        return;
    pthread_mutex_destroy(&q->lock);
    free(q->queued.at);
    free(q);
}

/* Room for so many bytes more, or NULL. */
static uint8_t *more(struct spans *q, size_t size)
{
    struct span_batch *b = &q->queued;
    if (size > q->bytes_max || b->size > q->bytes_max - size)
        return NULL;
    if (b->size + size > b->room) {
        size_t room = b->room == 0 ? 4096 : b->room;
        while (room < b->size + size)
            room *= 2;
        uint8_t *at = realloc(b->at, room);
        if (at == NULL)
            return NULL;
        b->at = at;
        b->room = room;
    }
    b->size += size;
    b->count++;
    return b->at + b->size - size;
}

static bool enqueue(struct spans *q, const span_message *message)
{
    uint32_t size = (uint32_t)protobuf_c_message_get_packed_size(&message->base);
    pthread_mutex_lock(&q->lock);
    uint8_t *at = more(q, sizeof size + size);
    if (at != NULL) {
        memcpy(at, &size, sizeof size);
        protobuf_c_message_pack(&message->base, at + sizeof size);
    }
    pthread_mutex_unlock(&q->lock);
    return at != NULL;
}

void spans_take(struct spans *q, struct span_batch *batch)
{
    CHECK(batch->size == 0 && batch->count == 0);
    pthread_mutex_lock(&q->lock);
    struct span_batch queued = q->queued;
    q->queued = *batch;
    pthread_mutex_unlock(&q->lock);
    *batch = queued;
}

/* ---- one span ---- */

/* A text as a message of proto3 may have it: cut, with a NUL at its end, and a question mark for each byte that is not UTF-8. */
static char *text_of(struct bytes from, char to[NAME_SIZE])
{
    size_t size = 0;
    while (from.size > 0) {
        size_t sequence = from.at[0] == '\0' ? 0 : utf8_sequence_size(from);
        size_t taken = sequence == 0 ? 1 : sequence;
        if (size + taken > NAME_SIZE - 1)
            break;
        if (sequence == 0)
            to[size] = '?';
        else
            memcpy(to + size, from.at, sequence);
        size += taken;
        from = bytes_of(from.at + taken, from.size - taken);
    }
    to[size] = '\0';
    return to;
}

struct built {
    key_value pairs[SPAN_ATTRIBUTES_MAX];
    key_value *list[SPAN_ATTRIBUTES_MAX];
    any_value values[SPAN_ATTRIBUTES_MAX];
    char texts[SPAN_ATTRIBUTES_MAX][NAME_SIZE];
};

static void build_attributes(struct built *b, const struct trace_span *span)
{
    CHECK(span->attribute_count <= SPAN_ATTRIBUTES_MAX);
    for (unsigned i = 0; i < span->attribute_count; i++) {
        const struct span_attribute *from = &span->attributes[i];
        opentelemetry__proto__collector__trace__v1__key_value__init(&b->pairs[i]);
        opentelemetry__proto__collector__trace__v1__any_value__init(&b->values[i]);
        b->pairs[i].key = (char *)(uintptr_t)from->name;
        b->pairs[i].value = &b->values[i];
        if (from->text.at == NULL) {
            b->values[i].value_case = OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__ANY_VALUE__VALUE_INT_VALUE;
            b->values[i].int_value = from->number;
        } else {
            b->values[i].value_case = OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__ANY_VALUE__VALUE_STRING_VALUE;
            b->values[i].string_value = text_of(from->text, b->texts[i]);
        }
        b->list[i] = &b->pairs[i];
    }
}

bool spans_add(struct spans *q, const struct trace *trace, const struct trace_span *span)
{
    struct built b;
    char name[NAME_SIZE], error[NAME_SIZE];
    uint8_t id[SPAN_ID_SIZE];
    span_message m = OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__SPAN__INIT;
    Opentelemetry__Proto__Collector__Trace__V1__Status status =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__STATUS__INIT;
    struct instant ended = instant_max(span->began, span->ended);
    span_id_of(&span->key, id);
    build_attributes(&b, span);
    m.trace_id = (ProtobufCBinaryData){.len = TRACE_ID_SIZE, .data = (uint8_t *)(uintptr_t)trace->id};
    m.span_id = (ProtobufCBinaryData){.len = SPAN_ID_SIZE, .data = id};
    if (span->parent != NULL)
        m.parent_span_id = (ProtobufCBinaryData){.len = SPAN_ID_SIZE, .data = (uint8_t *)(uintptr_t)span->parent};
    m.name = text_of(span->name, name);
    m.kind = span->is_call ? OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__SPAN_KIND__SPAN_KIND_CLIENT
                           : OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__SPAN_KIND__SPAN_KIND_INTERNAL;
    m.start_time_unix_nano = (uint64_t)span->began.us * 1000;
    m.end_time_unix_nano = (uint64_t)ended.us * 1000;
    m.attributes = b.list;
    m.n_attributes = span->attribute_count;
    if (span->failed) {
        status.code = OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__STATUS_CODE__STATUS_CODE_ERROR;
        status.message = text_of(span->error, error);
        m.status = &status;
    }
    return enqueue(q, &m);
}

/* ---- the request ---- */

static void attribute(key_value *pair, any_value *value, const char *name, const char *text)
{
    opentelemetry__proto__collector__trace__v1__key_value__init(pair);
    opentelemetry__proto__collector__trace__v1__any_value__init(value);
    value->value_case = OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__ANY_VALUE__VALUE_STRING_VALUE;
    value->string_value = (char *)(uintptr_t)text;
    pair->key = (char *)(uintptr_t)name;
    pair->value = value;
}

int spans_request(const struct span_batch *batch, const char *instance, const char *version, struct bytes *out)
{
    key_value pairs[3], *list[3] = {&pairs[0], &pairs[1], &pairs[2]};
    any_value values[3];
    Opentelemetry__Proto__Collector__Trace__V1__Resource resource =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__RESOURCE__INIT;
    Opentelemetry__Proto__Collector__Trace__V1__Scope scope = OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__SCOPE__INIT;
    Opentelemetry__Proto__Collector__Trace__V1__ScopeSpans said =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__SCOPE_SPANS__INIT;
    Opentelemetry__Proto__Collector__Trace__V1__ResourceSpans by =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__RESOURCE_SPANS__INIT;
    Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest request =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_REQUEST__INIT;
    Opentelemetry__Proto__Collector__Trace__V1__ScopeSpans *said_list = &said;
    Opentelemetry__Proto__Collector__Trace__V1__ResourceSpans *by_list = &by;
    attribute(&pairs[0], &values[0], "service.name", "sagad");
    attribute(&pairs[1], &values[1], "service.version", version);
    attribute(&pairs[2], &values[2], "service.instance.id", instance);
    resource.attributes = list;
    resource.n_attributes = 3;
    scope.name = (char *)(uintptr_t) "sagad";
    said.scope = &scope;
    said.spans = calloc(batch->count + 1, sizeof *said.spans);
    if (said.spans == NULL)
        return E_MEMORY;
    uint8_t *at = batch->at;
    for (; said.n_spans < batch->count; said.n_spans++) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        said.spans[said.n_spans] = (ProtobufCBinaryData){.len = size, .data = at + sizeof size};
        at += sizeof size + size;
    }
    CHECK(batch->count == 0 || at == batch->at + batch->size);
    by.resource = &resource;
    by.scope_spans = &said_list;
    by.n_scope_spans = 1;
    request.resource_spans = &by_list;
    request.n_resource_spans = 1;
    size_t size = protobuf_c_message_get_packed_size(&request.base);
    uint8_t *packed = malloc(size);
    if (packed != NULL)
        *out = bytes_of(packed, protobuf_c_message_pack(&request.base, packed));
    free(said.spans);
    return packed == NULL ? E_MEMORY : 0;
}
