/* inspect.c - bytes against a type, messages within messages. */
#include "sidecar/message/inspect.h"

#include "sidecar/base/decimal.h"
#include "sidecar/base/utf8.h"
#include "sidecar/message/message.h"

/* The way from the outermost message to what is looked at: on the stack, and made a text only for an error. */
struct place {
    const struct place *outer;
    const struct field *field;
    struct bytes message; /* that the field stands in */
    const uint8_t *at;    /* where */
};

struct inspector {
    struct inspection *out;
    struct error_detail *detail;
};

static void append_path(struct error_detail *detail, struct bytes text)
{
    size_t used = strlen(detail->field);
    size_t room = sizeof detail->field - 1 - used;
    size_t size = text.size < room ? text.size : room;
    memcpy(detail->field + used, text.at, size);
    detail->field[used + size] = '\0';
}

/* How many of the same field stand before. */
static uint32_t index_of(const struct place *p)
{
    struct bytes rest = p->message;
    struct wire_field w;
    uint32_t index = 0;
    while (wire_next(&rest, &w) == 1 && w.whole.at != p->at)
        index += w.number == p->field->number;
    return index;
}

static void write_place(const struct place *p, struct error_detail *detail)
{
    if (p == NULL)
        return;
    write_place(p->outer, detail);
    if (detail->field[0] != '\0')
        append_path(detail, bytes_of_text("."));
    append_path(detail, p->field->name);
    if (p->field->repeated) {
        char text[INTEGER_TEXT_SIZE];
        append_path(detail, bytes_of_text("["));
        append_path(detail, bytes_of(text, decimal_write_uint(index_of(p), text)));
        append_path(detail, bytes_of_text("]"));
    }
}

static int refuse(const struct inspector *in, const struct place *place, const char *text)
{
    int code = error_set(in->detail, E_ARGUMENT, "", text);
    write_place(place, in->detail);
    return code;
}

static void count_unknown(struct inspector *in, const struct message_type *type, uint32_t number)
{
    if (in->out->unknown++ != 0)
        return;
    in->out->unknown_number = number;
    in->out->unknown_in = type;
}

/* The number of a closed enum that it does not have is an unknown field. */
static void check_enum(struct inspector *in, const struct field *f, uint64_t bits)
{
    if (f->enumeration != NULL && f->enumeration->closed &&
        enum_value_by_number(f->enumeration, (int32_t)(uint32_t)bits) == NULL)
        count_unknown(in, f->owner, f->number);
}

static int inspect_packed(struct inspector *in, struct bytes packed, const struct place *place)
{
    uint64_t bits;
    int found;
    while ((found = wire_next_packed(&packed, field_kind_wire(place->field->kind), &bits)) == 1)
        check_enum(in, place->field, bits);
    return found < 0 ? refuse(in, place, "its packed values end within one") : 0;
}

static int inspect(struct inspector *in, const struct message_type *type, struct bytes wire, const struct place *outer,
                   unsigned depth);

static int inspect_field(struct inspector *in, const struct wire_field *w, const struct place *place, unsigned depth)
{
    const struct field *f = place->field;
    in->out->known++;
    if (f->kind == FIELD_MESSAGE)
        return inspect(in, f->message, w->body, place, depth + 1);
    if (f->kind == FIELD_STRING)
        return f->owner->strict_utf8 && !utf8_valid(w->body) ? refuse(in, place, "a string must be UTF-8") : 0;
    if (w->type == WIRE_BYTES && f->kind != FIELD_BYTES)
        return inspect_packed(in, w->body, place);
    if (w->type == WIRE_VARINT)
        check_enum(in, f, w->bits);
    return 0;
}

/* Whether the field can be of this type on the wire; else it is an unknown one. */
static bool fits(const struct field *f, enum wire_type type)
{
    enum wire_type own = field_kind_wire(f->kind);
    return own == type || (f->repeated && type == WIRE_BYTES && own != WIRE_GROUP);
}

/* proto2 alone has required fields, and few messages have any. */
static void check_required(struct inspector *in, const struct message_type *type, struct bytes wire)
{
    for (unsigned i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        struct bytes rest = wire;
        struct wire_field w;
        bool found = !f->required;
        while (!found && wire_next(&rest, &w) == 1)
            found = w.number == f->number && fits(f, w.type);
        in->out->incomplete = in->out->incomplete || !found;
    }
}

static int inspect(struct inspector *in, const struct message_type *type, struct bytes wire, const struct place *outer,
                   unsigned depth)
{
    struct place place = {.outer = outer, .message = wire};
    struct wire_field w;
    int found;
    if (depth > MESSAGE_DEPTH_MAX)
        return refuse(in, outer, "messages are more than 100 within one another");
    struct bytes rest = wire;
    while ((found = wire_next(&rest, &w)) == 1) {
        place.field = message_field_by_number(type, w.number);
        place.at = w.whole.at;
        if (place.field == NULL || !fits(place.field, w.type)) {
            count_unknown(in, type, w.number);
            continue;
        }
        int code = inspect_field(in, &w, &place, depth);
        if (code != 0)
            return code;
    }
    if (found < 0)
        return refuse(in, outer, "the bytes are no message");
    check_required(in, type, wire);
    return 0;
}

int inspect_message(const struct message_type *type, struct bytes wire, struct inspection *out,
                    struct error_detail *detail)
{
    struct inspector in = {.out = out, .detail = detail};
    *out = (struct inspection){.known = 0};
    return inspect(&in, type, wire, NULL, 1);
}
