#include "tests/support/message_text.h"

#include "opentelemetry/otlp.pb-c.h"

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static void put_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == '"')
            fprintf(out, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, out);
    fputc('"', out);
}

static void put_enum(FILE *out, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, value);
    if (v == NULL)
        fprintf(out, "%d", value);
    else
        fputs(v->name, out);
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

static void put_bytes(FILE *out, const ProtobufCMessageDescriptor *in, const char *field, const ProtobufCBinaryData *b)
{
    for (size_t i = 0; i < sizeof packed_fields / sizeof *packed_fields; i++)
        if (packed_fields[i].in == in && strcmp(packed_fields[i].field, field) == 0) {
            ProtobufCMessage *m = protobuf_c_message_unpack(packed_fields[i].packed, NULL, b->len, b->data);
            ck_assert_ptr_nonnull(m);
            message_text_put(out, m);
            protobuf_c_message_free_unpacked(m, NULL);
            return;
        }
    for (size_t i = 0; i < b->len; i++)
        fprintf(out, "%02x", b->data[i]);
}

static void put_value(FILE *out, const ProtobufCMessageDescriptor *in, const ProtobufCFieldDescriptor *f,
                      const void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        fprintf(out, "%" PRId32, *(const int32_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        fprintf(out, "%" PRIu32, *(const uint32_t *)at);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        fprintf(out, "%" PRId64, *(const int64_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        fprintf(out, "%" PRIu64, *(const uint64_t *)at);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        fprintf(out, "%.9g", (double)*(const float *)at);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        fprintf(out, "%.17g", *(const double *)at);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        fputs(*(const protobuf_c_boolean *)at ? "true" : "false", out);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(out, f->descriptor, *(const int *)at);
        return;
    case PROTOBUF_C_TYPE_STRING:
        put_text(out, *(const char *const *)at);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(out, in, f->name, at);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        message_text_put(out, *(const ProtobufCMessage *const *)at);
        return;
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(uint32_t);
    }
    return 0;
}

/* Of a single field: one of a oneof by its case, an optional one by its flag, others by not being the default. */
static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const void *at = (const char *)m + f->offset, *quantifier = (const char *)m + f->quantifier_offset;
    static const char zero[sizeof(ProtobufCBinaryData)];
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        return *(const uint32_t *)quantifier == f->id;
    if (f->type == PROTOBUF_C_TYPE_STRING)
        return *(const char *const *)at != NULL && **(const char *const *)at != '\0';
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(const void *const *)at != NULL;
    if (f->label == PROTOBUF_C_LABEL_OPTIONAL)
        return *(const protobuf_c_boolean *)quantifier != 0;
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)at)->len > 0;
    return memcmp(at, zero, size_of(f)) != 0;
}

void message_text_put(FILE *out, const ProtobufCMessage *m)
{
    const char *between = "";
    fputc('{', out);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const void *at = (const char *)m + f->offset;
        size_t count = f->label == PROTOBUF_C_LABEL_REPEATED
                           ? *(const size_t *)(const void *)((const char *)m + f->quantifier_offset)
                           : 0;
        if (f->label == PROTOBUF_C_LABEL_REPEATED ? count == 0 : !is_set(m, f))
            continue;
        fprintf(out, "%s%s: ", between, f->name);
        between = ", ";
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            put_value(out, m->descriptor, f, at);
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            fputs(k == 0 ? "[" : " ", out);
            put_value(out, m->descriptor, f, *(const char *const *)at + k * size_of(f));
        }
        fputc(']', out);
    }
    fputc('}', out);
}
