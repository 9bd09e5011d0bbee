/* packed.c - walks packed messages (https://protobuf.dev/programming-guides/encoding/). */
#include "sidecar/api/packed.h"

#include "sidecar/base/utf8.h"
#include "sidecar/message/wire.h"

#include <stdio.h>
#include <string.h>

/* Fields of one message that may be unknown, or there again though they hold one value. */
#define IDLE_FIELDS_MAX 1000
/* Lists for which the table has no bound. */
#define COUNT_MAX 1000
/* The types of the API nest less deeply. */
#define DEPTH_MAX 16

struct bytes packed_text(const ProtobufCMessageDescriptor *type, struct bytes message, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, name);
    struct bytes found = bytes_of(NULL, 0);
    struct wire_field here;
    while (field != NULL && wire_next(&message, &here) == 1)
        if (here.number == field->id && here.type == WIRE_BYTES)
            found = here.body;
    return found;
}

/* ---- the check ---- */

/* Where in the message: a field of what contains it. */
struct place {
    const struct place *in; /* NULL: of the request itself */
    const ProtobufCFieldDescriptor *field;
    uint32_t index; /* of a repeated one */
};

struct check {
    const struct packed_bound *bounds;
    struct error_detail *detail;
};

static size_t write_path(const struct place *place, char *text, size_t room)
{
    size_t used = place->in == NULL ? 0 : write_path(place->in, text, room);
    if (used >= room)
        return used;
    int more =
        place->field->label == PROTOBUF_C_LABEL_REPEATED
            ? snprintf(text + used, room - used, "%s%s[%u]", used > 0 ? "." : "", place->field->name, place->index)
            : snprintf(text + used, room - used, "%s%s", used > 0 ? "." : "", place->field->name);
    return used + (size_t)more;
}

static int fail(const struct check *c, int code, const struct place *place, const char *text)
{
    char path[96] = "";
    if (place != NULL)
        write_path(place, path, sizeof path);
    return error_set(c->detail, code, path, text);
}

static const struct packed_bound *bound_of(const struct check *c, const char *field)
{
    static const struct packed_bound other = {
        .count_max = COUNT_MAX, .code = E_ARGUMENT, .text = "more of them than any request needs"};
    for (const struct packed_bound *b = c->bounds; b != NULL && b->field != NULL; b++)
        if (strcmp(b->field, field) == 0)
            return b;
    return &other;
}

static uint64_t elements(const struct wire_field *here, const ProtobufCFieldDescriptor *field)
{
    if (here->type != WIRE_BYTES || field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING ||
        field->type == PROTOBUF_C_TYPE_BYTES)
        return 1;
    uint64_t count = 0; /* packed numbers: each ends with a byte below 0x80 (those of fixed width are in no request) */
    for (size_t i = 0; i < here->body.size; i++)
        count += here->body.at[i] < 0x80;
    return count;
}

/* How often each repeated field has been seen; requests have few of them. */
#define LISTS_MAX 8
struct tally {
    const ProtobufCFieldDescriptor *field;
    uint64_t count;
};

static int check(const struct check *c, const ProtobufCMessageDescriptor *type, struct bytes message,
                 const struct place *in, unsigned depth)
{
    struct tally lists[LISTS_MAX] = {{0}};
    struct wire_field here;
    unsigned idle = 0;
    int found;
    while ((found = wire_next(&message, &here)) == 1) {
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, here.number);
        struct place place = {.in = in, .field = field};
        if (field == NULL || field->label != PROTOBUF_C_LABEL_REPEATED) {
            if (++idle > IDLE_FIELDS_MAX)
                return fail(c, E_ARGUMENT, in, "too many fields that are unknown, or there again and again");
            if (field == NULL)
                continue;
        } else {
            struct tally *t = lists;
            while (t->field != field && t->field != NULL && t < lists + LISTS_MAX - 1)
                t++;
            t->field = field;
            place.index = (uint32_t)t->count;
            t->count += elements(&here, field);
            const struct packed_bound *bound = bound_of(c, field->name);
            if (t->count > bound->count_max) {
                place.index = bound->count_max;
                return fail(c, bound->code, &place, bound->text);
            }
        }
        if (here.type != WIRE_BYTES)
            continue;
        if (field->type == PROTOBUF_C_TYPE_STRING && here.body.size > 0 &&
            memchr(here.body.at, '\0', here.body.size) != NULL)
            return fail(c, E_ARGUMENT, &place, "a text must not contain NUL");
        if (field->type == PROTOBUF_C_TYPE_STRING && !utf8_valid(here.body))
            return fail(c, E_ARGUMENT, &place, "a text must be UTF-8");
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && depth < DEPTH_MAX) {
            int code = check(c, field->descriptor, here.body, &place, depth + 1);
            if (code != 0)
                return code;
        }
    }
    if (found == 0)
        return 0;
    fail(c, E_ARGUMENT, in, "the request cannot be read as ");
    error_append(c->detail, type->name);
    return E_ARGUMENT;
}

int packed_check(const ProtobufCMessageDescriptor *type, struct bytes message, const struct packed_bound *bounds,
                 struct error_detail *detail)
{
    const struct check c = {.bounds = bounds, .detail = detail};
    return check(&c, type, message, NULL, 0);
}
