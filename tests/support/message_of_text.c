/* message_of_text.c - read and changed by descriptors alone. */
#include "tests/support/message_of_text.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 65536

/* ---- reading ---- */

static void skip_space(const char **at)
{
    *at += strspn(*at, " \n");
}

/* Seconds and their fraction, of which nanoseconds have the same sign. */
static void set_time(ProtobufCMessage *m, double seconds)
{
    if (m->descriptor == &google__protobuf__timestamp__descriptor) {
        Google__Protobuf__Timestamp *t = (Google__Protobuf__Timestamp *)m;
        int64_t us = MESSAGE_NOW * 1000000 + (int64_t)(seconds * 1e6);
        t->seconds = us / 1000000;
        t->nanos = (int32_t)(us % 1000000) * 1000;
    } else {
        Google__Protobuf__Duration *d = (Google__Protobuf__Duration *)m;
        d->seconds = (int64_t)seconds;
        d->nanos = (int32_t)((int64_t)(seconds * 1e6) % 1000000) * 1000;
    }
}

/* The bytes with which the names of an enum's values begin. */
static size_t common_of(const ProtobufCEnumDescriptor *type)
{
    const char *first = type->values[0].name, *last_word = strrchr(first, '_');
    return last_word == NULL ? 0 : (size_t)(last_word + 1 - first);
}

static int enum_value(const ProtobufCEnumDescriptor *type, const char *word, size_t size)
{
    size_t common = common_of(type);
    for (unsigned i = 0; i < type->n_values; i++)
        if (strlen(type->values[i].name) == common + size && strncmp(type->values[i].name + common, word, size) == 0)
            return type->values[i].value;
    ck_assert_msg(isdigit((unsigned char)word[0]), "%s has no value %.*s", type->name, (int)size, word);
    return atoi(word);
}

static char *quoted(const char **at, size_t *size)
{
    ck_assert_msg(**at == '\'', "a text in ' belongs here: %.40s", *at);
    const char *begin = *at + 1, *end = strchr(begin, '\'');
    ck_assert_msg(end != NULL, "a text does not end: %.40s", *at);
    *size = (size_t)(end - begin);
    *at = end + 1;
    return strndup(begin, *size);
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static char *letters(size_t count)
{
    char *text = calloc(1, count + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', count);
    return text;
}

/* Gives what is in the file of this name. */
static uint8_t *file_of(const char *name, size_t size, size_t *read)
{
    char path[64];
    uint8_t *content = malloc(FILE_MAX);
    snprintf(path, sizeof path, "%.*s", (int)size, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL && content != NULL, "%s", path);
    *read = fread(content, 1, FILE_MAX, file);
    fclose(file);
    return content;
}

static void read_fields(ProtobufCMessage *m, const char **at);

static ProtobufCMessage *new_message(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *m = malloc(type->sizeof_message);
    ck_assert_ptr_nonnull(m);
    protobuf_c_message_init(type, m);
    return m;
}

static void read_value(const ProtobufCFieldDescriptor *f, void *to, const char **at)
{
    const char *word = *at;
    size_t size = strcspn(word, " \n}");
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)to = new_message(f->descriptor);
        if (*word == '{') {
            ++*at;
            read_fields(*(ProtobufCMessage **)to, at);
            ck_assert_msg(**at == '}', "} belongs here: %.40s", *at);
            ++*at;
            return;
        }
        set_time(*(ProtobufCMessage **)to, strtod(word, NULL));
        break;
    case PROTOBUF_C_TYPE_STRING:
        if (*word != '*') {
            *(char **)to = quoted(at, &size);
            return;
        }
        *(char **)to = letters(strtoul(word + 1, NULL, 10));
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData *bytes = to;
        if (*word == '\'') {
            bytes->data = (uint8_t *)quoted(at, &bytes->len);
            return;
        }
        if (*word == '*')
            bytes->data = (uint8_t *)letters(bytes->len = strtoul(word + 1, NULL, 10));
        else
            bytes->data = file_of(word + 1, size - 1, &bytes->len);
        break;
    }
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)to = enum_value(f->descriptor, word, size);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)to = strtod(word, NULL);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        *(int64_t *)to = strtoll(word, NULL, 10);
        break;
    default:
        *(int32_t *)to = (int32_t)strtoll(word, NULL, 10);
    }
    *at += size;
}

static void read_fields(ProtobufCMessage *m, const char **at)
{
    for (skip_space(at); **at != '\0' && **at != '}'; skip_space(at)) {
        char name[64];
        size_t size = strcspn(*at, ":{");
        snprintf(name, sizeof name, "%.*s", (int)size, *at);
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
        ck_assert_msg(f != NULL, "%s has no field %s", m->descriptor->name, name);
        char *base = (char *)m;
        void *to = base + f->offset;
        *at += size + ((*at)[size] == ':');
        if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
            *(uint32_t *)(void *)(base + f->quantifier_offset) = f->id;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t *count = (size_t *)(void *)(base + f->quantifier_offset), width = size_of(f);
            char *more = realloc(*(void **)to, (*count + 1) * width);
            ck_assert_ptr_nonnull(more);
            *(char **)to = more;
            to = more + width * (*count)++;
        }
        read_value(f, to, at);
    }
}

ProtobufCMessage *message_of_text(const ProtobufCMessageDescriptor *type, const char *text)
{
    ProtobufCMessage *m = new_message(type);
    read_fields(m, &text);
    ck_assert_msg(*text == '\0', "this is too much: %.40s", text);
    return m;
}

/* ---- changing ---- */

static const char steering[] = "\033[2J'\xff\n\xc3\xa9, and what is said beside it goes on to where the line ends";
static const double times[] = {7205, -0.004};
static const double numbers[] = {0, 1, 3000000000.0};

struct varying {
    void (*take)(void *self, const char *path, const char *value);
    void *self;
    bool once; /* each field has but one other value */
};

static void vary_fields(const struct varying *v, ProtobufCMessage *m, const char *path);

static void vary_message(const struct varying *v, ProtobufCMessage **at, const ProtobufCMessageDescriptor *type,
                         const char *path, bool may_be_none)
{
    ProtobufCMessage *kept = *at;
    bool is_time = type == &google__protobuf__timestamp__descriptor || type == &google__protobuf__duration__descriptor;
    *at = NULL;
    if (kept != NULL && may_be_none)
        v->take(v->self, path, "none");
    for (size_t i = 0; is_time && i < (v->once ? 1 : sizeof times / sizeof *times); i++) {
        char value[32];
        *at = new_message(type);
        set_time(*at, times[i]);
        snprintf(value, sizeof value, "%g", times[i]);
        v->take(v->self, path, value);
        free(*at);
    }
    *at = kept;
    if (kept != NULL && !is_time)
        vary_fields(v, kept, path);
}

static void vary_enum(const struct varying *v, int *at, const ProtobufCEnumDescriptor *type, const char *path)
{
    int kept = *at;
    size_t common = common_of(type);
    for (unsigned i = 0; i < type->n_values; i++) {
        *at = type->values[i].value;
        if (*at != kept)
            v->take(v->self, path, type->values[i].name + common);
        if (*at != kept && v->once)
            break;
    }
    *at = 99;
    if (!v->once)
        v->take(v->self, path, "99");
    *at = kept;
}

static void vary_text(const struct varying *v, char **at, const char *path)
{
    char *kept = *at, other[sizeof steering];
    *at = other;
    memcpy(other, steering, sizeof other);
    if (!v->once || kept[0] == '\0')
        v->take(v->self, path, "steering");
    *at = other + sizeof other - 1;
    if (kept[0] != '\0')
        v->take(v->self, path, "none");
    *at = kept;
}

static void vary_number(const struct varying *v, const ProtobufCFieldDescriptor *f, void *at, const char *path)
{
    unsigned char kept[8];
    size_t size = size_of(f);
    memcpy(kept, at, size);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char value[32];
        snprintf(value, sizeof value, "%.10g", numbers[i]);
        if (f->type == PROTOBUF_C_TYPE_DOUBLE)
            *(double *)at = numbers[i];
        else if (size == 8)
            *(int64_t *)at = (int64_t)numbers[i];
        else
            *(uint32_t *)at = (uint32_t)numbers[i] & (f->type == PROTOBUF_C_TYPE_INT32 ? INT32_MAX : UINT32_MAX);
        if (memcmp(kept, at, size) == 0)
            continue;
        v->take(v->self, path, value);
        if (v->once)
            break;
    }
    memcpy(at, kept, size);
}

static void vary_value(const struct varying *v, const ProtobufCFieldDescriptor *f, void *at, const char *path)
{
    ProtobufCBinaryData *bytes = at, kept;
    int *truth = at;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        vary_message(v, at, f->descriptor, path, f->label != PROTOBUF_C_LABEL_REPEATED);
        break;
    case PROTOBUF_C_TYPE_STRING:
        vary_text(v, at, path);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        kept = *bytes;
        *bytes = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)steering, .len = 6};
        v->take(v->self, path, "steering");
        bytes->len = sizeof steering;
        v->take(v->self, path, "long");
        bytes->len = 0;
        if (kept.len > 0)
            v->take(v->self, path, "none");
        *bytes = kept;
        break;
    case PROTOBUF_C_TYPE_ENUM:
        vary_enum(v, at, f->descriptor, path);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *truth = !*truth;
        v->take(v->self, path, *truth ? "true" : "false");
        *truth = !*truth;
        break;
    default:
        vary_number(v, f, at, path);
    }
}

static void vary_fields(const struct varying *v, ProtobufCMessage *m, const char *path)
{
    const struct varying once = {v->take, v->self, true};
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        char name[200], *base = (char *)m;
        snprintf(name, sizeof name, "%s%s%s", path, path[0] != '\0' ? "." : "", f->name);
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            vary_value(v, f, base + f->offset, name);
            continue;
        }
        size_t *count = (size_t *)(void *)(base + f->quantifier_offset), all = *count;
        for (*count = 0; *count < all && *count < 2; ++*count)
            v->take(v->self, name, *count == 0 ? "none" : "the first");
        *count = all;
        for (size_t k = 0; k < all; k++) {
            char element[240];
            snprintf(element, sizeof element, "%s[%zu]", name, k);
            vary_value(k == 0 ? v : &once, f, *(char **)(void *)(base + f->offset) + k * size_of(f), element);
        }
    }
}

void message_vary(ProtobufCMessage *message, void (*take)(void *self, const char *path, const char *value), void *self)
{
    struct varying v = {take, self, false};
    vary_fields(&v, message, "");
}
