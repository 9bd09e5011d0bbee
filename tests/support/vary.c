/* vary.c - changes an unpacked message in place, field by field, and packs it. What is unpacked lies in one block, whose parts are never freed. */
#include "tests/support/vary.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 4

static const size_t sizes[] = {1, 64, 65, 128, 129, 256, 257, 65537};
static const int32_t numbers[] = {-1, 0, 1, 1000, 1001, 5000, 5001, INT32_MAX};
static const int32_t nanos[] = {-1, 0, 1000, 999999, 1000000, 999999999, 1000000000};
static const int64_t seconds[] = {
    -1, 0, 1, 86400, 86401, 1000000, 1000001, 253402300799, 253402300800, 315576000000, 315576000001, INT64_MAX};
static const double fractions[] = {-0.001, 0, 0.001, 0.0015, 1, 1.001, 100, 100.001, 1000.001, NAN, INFINITY};
static const size_t counts[] = {0, 2, 16, 17, 1000, 1001};

struct varying {
    ProtobufCMessage *whole;
    void (*each)(void *self, const char *what, struct bytes varied);
    void *self;
    char path[100];
    _Alignas(16) uint8_t block[1 << 16];
    size_t used;
    char long_text[65538];
};

static void *take(void *self, size_t size)
{
    struct varying *v = self;
    void *at = v->block + v->used;
    v->used += (size + 15) & ~(size_t)15;
    ck_assert_uint_le(v->used, sizeof v->block);
    return memset(at, 0, size);
}

static void keep(void *self, void *at)
{
    (void)self;
    (void)at;
}

static void hand_on(struct varying *v, const char *value)
{
    char what[200];
    size_t size = protobuf_c_message_get_packed_size(v->whole);
    uint8_t *packed = malloc(size + 1);
    ck_assert_ptr_nonnull(packed);
    protobuf_c_message_pack(v->whole, packed);
    snprintf(what, sizeof what, "%s = %s", v->path, value == NULL ? "" : value);
    v->each(v->self, value == NULL ? NULL : what, bytes_of(packed, size));
    free(packed);
}

static void hand_on_number(struct varying *v, int64_t number)
{
    char value[32];
    snprintf(value, sizeof value, "%" PRId64, number);
    hand_on(v, value);
}

static void vary_text(struct varying *v, char **text)
{
    char *before = *text, value[32];
    *text = v->long_text + sizeof v->long_text - 1;
    hand_on(v, "''");
    *text = (char *)(uintptr_t) "a\xff";
    hand_on(v, "a\\ff");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *text = v->long_text + sizeof v->long_text - 1 - sizes[i];
        snprintf(value, sizeof value, "%zu x", sizes[i]);
        hand_on(v, value);
    }
    *text = before;
}

static void vary_bytes(struct varying *v, ProtobufCBinaryData *data)
{
    const ProtobufCBinaryData before = *data;
    char value[32];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *data = (ProtobufCBinaryData){.data = (uint8_t *)v->long_text, .len = i == 0 ? 0 : sizes[i]};
        snprintf(value, sizeof value, "%zu bytes", data->len);
        hand_on(v, value);
    }
    *data = before;
}

static void vary_number(struct varying *v, const char *name, int32_t *number)
{
    const int32_t before = *number;
    bool of_second = strcmp(name, "nanos") == 0;
    const int32_t *values = of_second ? nanos : numbers;
    size_t count = of_second ? sizeof nanos / sizeof *nanos : sizeof numbers / sizeof *numbers;
    for (size_t i = 0; i < count; i++)
        hand_on_number(v, *number = values[i]);
    *number = before;
}

static void vary_seconds(struct varying *v, int64_t *number)
{
    const int64_t before = *number;
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        hand_on_number(v, *number = seconds[i]);
    *number = before;
}

static void vary_fraction(struct varying *v, double *number)
{
    const double before = *number;
    char value[32];
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        *number = fractions[i];
        snprintf(value, sizeof value, "%.9g", *number);
        hand_on(v, value);
    }
    *number = before;
}

static void vary_enum(struct varying *v, const ProtobufCEnumDescriptor *type, int *number)
{
    const int before = *number;
    for (int i = -1; i <= (int)type->n_values; i++)
        hand_on_number(v, *number = i);
    *number = before;
}

static void vary_message(struct varying *v, ProtobufCMessage *m, unsigned depth);

/* Of one that is not there, an empty one; else none, and then what it holds. */
static void vary_part(struct varying *v, const ProtobufCFieldDescriptor *field, ProtobufCMessage **at, unsigned depth)
{
    ProtobufCMessage *before = *at;
    const ProtobufCMessageDescriptor *type = field->descriptor;
    if (before == NULL)
        protobuf_c_message_init(type, *at = take(v, type->sizeof_message));
    else
        *at = NULL;
    hand_on(v, before == NULL ? "{}" : "none");
    if (before != NULL)
        *at = before;
    if (depth < DEPTH_MAX)
        vary_message(v, *at, depth + 1);
    *at = before;
}

static void vary_value(struct varying *v, const ProtobufCFieldDescriptor *field, void *at, unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        vary_text(v, at);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        vary_bytes(v, at);
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        vary_number(v, field->name, at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        vary_seconds(v, at);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        vary_fraction(v, at);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        vary_enum(v, field->descriptor, at);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at;
        hand_on(v, "the other");
        *(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at;
        break;
    default:
        ck_assert_msg(field->type == PROTOBUF_C_TYPE_MESSAGE, "%s", field->name);
        vary_part(v, field, at, depth);
    }
}

/* So many of the first of a list; then the first of them varied, where it is a text or a message: those are pointers both. */
static void vary_list(struct varying *v, const ProtobufCFieldDescriptor *field, size_t *count, void **at,
                      unsigned depth)
{
    const size_t count_before = *count;
    void *const before = *at;
    char value[32];
    bool pointers = field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING;
    size_t size = pointers ? sizeof(void *) : sizeof(int);
    for (size_t i = 0; count_before > 0 && i < sizeof counts / sizeof *counts; i++) {
        char *list = calloc(counts[i] + 1, size);
        ck_assert_ptr_nonnull(list);
        for (size_t k = 0; k < counts[i]; k++)
            memcpy(list + k * size, before, size);
        *count = counts[i];
        *at = list;
        snprintf(value, sizeof value, "%zu times", counts[i]);
        hand_on(v, value);
        free(list);
    }
    *count = count_before;
    *at = before;
    if (count_before == 0)
        return;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        vary_message(v, *(ProtobufCMessage **)before, depth + 1);
    else
        vary_value(v, field, before, depth);
}

static void vary_field(struct varying *v, ProtobufCMessage *m, const ProtobufCFieldDescriptor *field, unsigned depth)
{
    char *at = (char *)m + field->offset, *quantity = (char *)m + field->quantifier_offset;
    size_t used = strlen(v->path);
    snprintf(v->path + used, sizeof v->path - used, "%s%s", used > 0 ? "." : "", field->name);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        vary_list(v, field, (size_t *)(void *)quantity, (void **)(void *)at, depth);
    else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        vary_value(v, field, at, depth);
    v->path[used] = '\0';
}

static void vary_message(struct varying *v, ProtobufCMessage *m, unsigned depth)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        vary_field(v, m, &m->descriptor->fields[i], depth);
}

void vary(const ProtobufCMessageDescriptor *type, struct bytes request,
          void (*each)(void *self, const char *what, struct bytes varied), void *self)
{
    struct varying *v = aligned_alloc(_Alignof(struct varying), sizeof *v);
    ck_assert_ptr_nonnull(v);
    memset(v, 0, sizeof *v);
    v->each = each;
    v->self = self;
    memset(v->long_text, 'x', sizeof v->long_text - 1);
    ProtobufCAllocator block = {.alloc = take, .free = keep, .allocator_data = v};
    v->whole = protobuf_c_message_unpack(type, &block, request.size, request.at);
    ck_assert_msg(v->whole != NULL, "%s", type->name);
    hand_on(v, NULL);
    vary_message(v, v->whole, 0);
    free(v);
}

static bool has_word(const char *line, const char *word, size_t size)
{
    for (const char *at = line; *at != '\0'; at += strspn(at, " ")) {
        size_t here = strcspn(at, " ");
        if (here == size && memcmp(at, word, size) == 0)
            return true;
        at += here;
    }
    return false;
}

static unsigned put_words(FILE *out, const char *other, const char *line, const char *before, unsigned count)
{
    for (const char *at = line; *at != '\0'; at += strspn(at, " ")) {
        size_t here = strcspn(at, " ");
        if (!has_word(other, at, here))
            fprintf(out, "%s%s%.*s", count++ > 0 ? " " : "", before, (int)here, at);
        at += here;
    }
    return count;
}

void vary_put_difference(FILE *out, const char *other, const char *line)
{
    unsigned count = put_words(out, other, line, "", 0);
    if (put_words(out, line, other, "-", count) == 0)
        fputs("as ever", out);
}
