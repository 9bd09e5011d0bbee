/* json.c - any message as JSON, by its descriptor. */
#include "client-lib/sagactl/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"

/* About ten thousand years, as google.protobuf.Duration has them. */
#define DURATION_SECONDS_MAX INT64_C(315576000000)

/* ---- texts ---- */

/* Bytes of the valid UTF-8 sequence at text, or 0. */
static size_t sequence(const char *text)
{
    json_t *try;
    for (size_t size = 1; size <= 4; size++) {
        if (text[size - 1] == '\0')
            return 0;
        try = json_stringn(text, size);
        if (try != NULL) {
            json_decref(try);
            return size;
        }
    }
    return 0;
}

json_t *json_of_text(const char *text)
{
    json_t *whole = json_string(text);
    if (whole != NULL)
        return whole;
    char *mended = malloc(3 * strlen(text) + 1);
    if (mended == NULL)
        return NULL;
    size_t used = 0;
    while (*text != '\0') {
        size_t size = sequence(text);
        memcpy(mended + used, size > 0 ? text : "\xef\xbf\xbd", size > 0 ? size : 3);
        used += size > 0 ? size : 3;
        text += size > 0 ? size : 1;
    }
    whole = json_stringn(mended, used);
    free(mended);
    return whole;
}

static json_t *of_bytes(const ProtobufCBinaryData *data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0;
    char *text = malloc((data->len + 2) / 3 * 4 + 1);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < data->len; i += 3) {
        size_t left = data->len - i;
        uint32_t three = (uint32_t)data->data[i] << 16 | (left > 1 ? (uint32_t)data->data[i + 1] << 8 : 0) |
                         (left > 2 ? data->data[i + 2] : 0);
        text[used++] = digits[three >> 18];
        text[used++] = digits[three >> 12 & 63];
        text[used++] = left > 1 ? digits[three >> 6 & 63] : '=';
        text[used++] = left > 2 ? digits[three & 63] : '=';
    }
    json_t *value = json_stringn(text, used);
    free(text);
    return value;
}

/* ".5", ".000001": a fraction of a second with as many digits as it needs, in threes. */
static void write_fraction(int32_t nanos, char *text, size_t size)
{
    if (nanos == 0)
        text[0] = '\0';
    else if (nanos % 1000000 == 0)
        snprintf(text, size, ".%03" PRId32, nanos / 1000000);
    else if (nanos % 1000 == 0)
        snprintf(text, size, ".%06" PRId32, nanos / 1000);
    else
        snprintf(text, size, ".%09" PRId32, nanos);
}

static json_t *of_timestamp(const Google__Protobuf__Timestamp *t)
{
    char day[32], fraction[16];
    struct tm tm;
    time_t seconds = (time_t)t->seconds;
    bool valid = t->seconds >= INT64_C(-62135596800) && t->seconds <= INT64_C(253402300799) && t->nanos >= 0 &&
                 t->nanos <= 999999999;
    if (!valid || gmtime_r(&seconds, &tm) == NULL)
        return json_null();
    strftime(day, sizeof day, "-%m-%dT%H:%M:%S", &tm);
    write_fraction(t->nanos, fraction, sizeof fraction);
    return json_sprintf("%04d%s%sZ", tm.tm_year + 1900, day, fraction);
}

static json_t *of_duration(const Google__Protobuf__Duration *d)
{
    char fraction[16];
    bool valid = d->seconds >= -DURATION_SECONDS_MAX && d->seconds <= DURATION_SECONDS_MAX && d->nanos >= -999999999 &&
                 d->nanos <= 999999999;
    if (!valid || (d->seconds > 0 && d->nanos < 0) || (d->seconds < 0 && d->nanos > 0))
        return json_null();
    write_fraction(d->nanos < 0 ? -d->nanos : d->nanos, fraction, sizeof fraction);
    int64_t seconds = d->seconds < 0 ? -d->seconds : d->seconds;
    return json_sprintf("%s%" PRId64 "%ss", d->seconds < 0 || d->nanos < 0 ? "-" : "", seconds, fraction);
}

/* ---- fields ---- */

static json_t *of_enum(const ProtobufCFieldDescriptor *field, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(field->descriptor, number);
    return value != NULL ? json_string(value->name) : json_integer(number);
}

static json_t *of_message(const ProtobufCMessage *message)
{
    if (message->descriptor == &google__protobuf__timestamp__descriptor)
        return of_timestamp((const Google__Protobuf__Timestamp *)message);
    if (message->descriptor == &google__protobuf__duration__descriptor)
        return of_duration((const Google__Protobuf__Duration *)message);
    if (message->descriptor == &google__protobuf__double_value__descriptor)
        return json_real(((const Google__Protobuf__DoubleValue *)message)->value);
    return json_of_message(message);
}

/* One value of a field. */
static json_t *of_value(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_sprintf("%" PRId64, *(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_sprintf("%" PRIu64, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return of_enum(field, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_of_text(*(char *const *)at == NULL ? "" : *(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return of_bytes(at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return of_message(*(const ProtobufCMessage *const *)at);
    }
    return NULL;
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static json_t *of_repeated(const ProtobufCFieldDescriptor *field, const char *base)
{
    size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset), size = size_of(field);
    const char *values = *(const char *const *)(const void *)(base + field->offset);
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < count; i++) {
        if (json_array_append_new(array, of_value(field, values + i * size)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *json_of_message(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const char *base = (const char *)message;
    json_t *object = json_object();
    for (unsigned i = 0; object != NULL && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const void *at = base + field->offset;
        bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        if (!repeated && field->type == PROTOBUF_C_TYPE_MESSAGE && *(const void *const *)at == NULL)
            continue;
        json_t *value = repeated ? of_repeated(field, base) : of_value(field, at);
        if (json_object_set_new(object, field->name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *json_of_error(const struct saga_error *error)
{
    return json_pack("{s{sssosososI}}", "error", "code", saga_status_name(error->code), "reason",
                     json_of_text(error->reason), "field", json_of_text(error->field), "message",
                     json_of_text(error->message), "retry_delay_ms", (json_int_t)error->retry_delay_ms);
}

int json_put(FILE *out, json_t *value, bool one_line)
{
    if (value == NULL)
        return -1;
    int failed = json_dumpf(value, out, JSON_ENSURE_ASCII | (one_line ? JSON_COMPACT : JSON_INDENT(2)));
    json_decref(value);
    return failed != 0 || fputc('\n', out) == EOF ? -1 : 0;
}
