/* message_text.c - walks a message by its descriptor. */
#include "tests/support/message_text.h"

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "google/protobuf/timestamp.pb-c.h"
#include "opentelemetry/otlp.pb-c.h"

#define SHOWN_MAX 120
#define SAME_MIN  16 /* so many equal bytes are counted */

void message_text_put_bytes(FILE *out, struct bytes bytes)
{
    fputc('\'', out);
    size_t shown = 0;
    for (; shown < bytes.size && shown < SHOWN_MAX; shown++) {
        size_t i = shown;
        size_t same = 1;
        while (i + same < bytes.size && bytes.at[i + same] == bytes.at[i])
            same++;
        if (same >= SAME_MIN) {
            fprintf(out, "%c*%zu", bytes.at[i], same);
            shown += same - 1;
        } else if (bytes.at[i] < 0x20 || bytes.at[i] > 0x7e || bytes.at[i] == '\'')
            fprintf(out, "\\%02x", bytes.at[i]);
        else
            fputc(bytes.at[i], out);
    }
    fputc('\'', out);
    if (shown < bytes.size) {
        uint32_t sum = 0;
        for (size_t i = 0; i < bytes.size; i++)
            sum = sum * 31 + bytes.at[i];
        fprintf(out, "..%zu bytes, sum %08" PRIx32, bytes.size, sum);
    }
}

static void put_enum(FILE *out, const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    const char *first = type->values[0].name;
    size_t same = 0;
    if (value == NULL) {
        fprintf(out, "%d", number);
        return;
    }
    /* All of SAGA_STATE_RUNNING, SAGA_STATE_STUCK begin with SAGA_STATE_. */
    for (size_t i = 0; first[i] != '\0'; i++) {
        bool all = true;
        for (unsigned k = 0; k < type->n_values; k++)
            all &= strncmp(type->values[k].name, first, i + 1) == 0;
        if (all && first[i] == '_')
            same = i + 1;
    }
    fputs(value->name + same, out);
}

static void put_message(FILE *out, const ProtobufCMessage *m);

static bool is_time(const ProtobufCMessageDescriptor *type)
{
    return strcmp(type->name, "google.protobuf.Timestamp") == 0 || strcmp(type->name, "google.protobuf.Duration") == 0;
}

/* Fields of bytes that are a message: what is said to a collector is packed piece by piece. */
static const struct {
    const ProtobufCMessageDescriptor *in;
    const char *field;
    const ProtobufCMessageDescriptor *packed;
} packed_fields[] = {
    {&otlp__span__descriptor, "attributes", &otlp__key_value__descriptor},
    {&otlp__gauge__descriptor, "data_points", &otlp__number_data_point__descriptor},
    {&otlp__sum__descriptor, "data_points", &otlp__number_data_point__descriptor},
    {&otlp__histogram__descriptor, "data_points", &otlp__histogram_data_point__descriptor},
};

static void put_data(FILE *out, const ProtobufCMessageDescriptor *in, const ProtobufCFieldDescriptor *field,
                     struct bytes data)
{
    for (size_t i = 0; i < sizeof packed_fields / sizeof *packed_fields; i++)
        if (packed_fields[i].in == in && strcmp(packed_fields[i].field, field->name) == 0) {
            fputc('{', out);
            message_text_put_packed(out, packed_fields[i].packed, data);
            fputc('}', out);
            return;
        }
    message_text_put_bytes(out, data);
}

static void put_value(FILE *out, const ProtobufCMessageDescriptor *in, const ProtobufCFieldDescriptor *field,
                      const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        fputs(*(const protobuf_c_boolean *)at ? "yes" : "no", out);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(out, field->descriptor, *(const int *)at);
        break;
    case PROTOBUF_C_TYPE_STRING:
        message_text_put_bytes(out, bytes_of_text(*(char *const *)at));
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *data = at;
        put_data(out, in, field, bytes_of(data->data, data->len));
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        put_message(out, *(const ProtobufCMessage *const *)at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        fprintf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        fprintf(out, "%" PRIu64, *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        fprintf(out, "%" PRIu32, *(const uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        fprintf(out, "%.9g", *(const double *)at);
        break;
    default:
        ck_assert_msg(field->type == PROTOBUF_C_TYPE_INT32, "%s", field->name);
        fprintf(out, "%" PRId32, *(const int32_t *)at);
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(int);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return sizeof(uint32_t);
    default:
        return sizeof(uint64_t);
    }
}

static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field)
{
    const char *at = (const char *)m + field->offset;
    static const char zeros[sizeof(ProtobufCBinaryData)];
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        return *(const uint32_t *)(const void *)((const char *)m + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)(const void *)at;
        return text != NULL && text[0] != '\0';
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)(const void *)at)->len > 0;
    return memcmp(at, zeros, size_of(field)) != 0;
}

static void put_fields(FILE *out, const ProtobufCMessage *m)
{
    const char *between = "";
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
        const char *at = (const char *)m + field->offset;
        size_t count = 1;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            count = *(const size_t *)(const void *)((const char *)m + field->quantifier_offset);
            at = *(char *const *)(const void *)at;
        } else if (!is_set(m, field)) {
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            fprintf(out, "%s%s:", between, field->name);
            put_value(out, m->descriptor, field, at + k * size_of(field));
            between = " ";
        }
    }
}

static void put_message(FILE *out, const ProtobufCMessage *m)
{
    if (is_time(m->descriptor)) {
        const Google__Protobuf__Timestamp *t = (const void *)m; /* a Duration has the same fields */
        fprintf(out, "%" PRId64, t->seconds);
        if (t->nanos != 0)
            fprintf(out, ".%09d", t->nanos);
        fputc('s', out);
        return;
    }
    fputc('{', out);
    put_fields(out, m);
    fputc('}', out);
}

void message_text_put(FILE *out, const ProtobufCMessage *m)
{
    put_fields(out, m);
}

void message_text_put_packed(FILE *out, const ProtobufCMessageDescriptor *type, struct bytes packed)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, packed.size, packed.at);
    ck_assert_msg(m != NULL, "%s", type->name);
    message_text_put(out, m);
    protobuf_c_message_free_unpacked(m, NULL);
}
