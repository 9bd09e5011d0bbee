/* build.c - a message on the wire, written from its beginning to its end; lengths are put in when what they count is there. */
#include "sidecar/message/build.h"

#include "sidecar/base/check.h"
#include "sidecar/message/message.h"

#define ROOM_MIN 256

void builder_init(struct builder *b, struct pool *pool, size_t bytes_max)
{
    *b = (struct builder){.pool = pool, .bytes_max = bytes_max};
}

int builder_finish(struct builder *b, struct bytes *wire)
{
    if (b->code != 0)
        return b->code;
    *wire = bytes_of(b->at == NULL ? (const uint8_t *)"" : b->at, b->size);
    return 0;
}

/* Makes room for size bytes more; they count already. NULL once anything failed. */
static uint8_t *extend(struct builder *b, size_t size)
{
    if (b->code != 0)
        return NULL;
    if (size > b->bytes_max || b->size > b->bytes_max - size) {
        b->code = E_PAYLOAD;
        return NULL;
    }
    if (size > b->room - b->size) {
        size_t room = b->room < ROOM_MIN / 2 ? ROOM_MIN : b->room * 2;
        if (room < b->size + size)
            room = b->size + size;
        uint8_t *at = pool_grow(b->pool, b->at, b->room, room);
        if (at == NULL) {
            b->code = pool_is_full(b->pool, room) ? E_PAYLOAD : E_MEMORY;
            return NULL;
        }
        b->at = at;
        b->room = room;
    }
    b->size += size;
    return b->at + b->size - size;
}

static void put_varint(struct builder *b, uint64_t value)
{
    uint8_t *to = extend(b, wire_varint_size(value));
    if (to != NULL)
        wire_put_varint(to, value);
}

static void put_tag(struct builder *b, const struct field *f, enum wire_type type)
{
    put_varint(b, (uint64_t)f->number << 3 | type);
}

void build_raw(struct builder *b, struct bytes wire)
{
    uint8_t *to = wire.size == 0 ? NULL : extend(b, wire.size);
    if (to != NULL)
        memcpy(to, wire.at, wire.size);
}

static uint64_t bits_of(const struct field *f, const struct value *v)
{
    uint64_t bits = 0;
    uint32_t bits32;
    float single;
    switch (f->kind) {
    case FIELD_DOUBLE:
        memcpy(&bits, &v->d, sizeof bits);
        return bits;
    case FIELD_FLOAT:
        single = (float)v->d;
        memcpy(&bits32, &single, sizeof bits32);
        return bits32;
    case FIELD_SINT32:
    case FIELD_SINT64:
        return wire_zigzag(v->i);
    case FIELD_BOOL:
        return v->b;
    default:
        return value_class_of(f->kind) == VALUE_UINT ? v->u : (uint64_t)v->i;
    }
}

void build_packed(struct builder *b, const struct field *f, const struct value *v)
{
    enum wire_type type = field_kind_wire(f->kind);
    enum value_class class = value_class_of(f->kind);
    CHECK(class != VALUE_TEXT && class == value_class_of(v->kind));
    CHECK((class != VALUE_INT && class != VALUE_UINT) || value_fits(f->kind, v));
    uint64_t bits = bits_of(f, v);
    if (type == WIRE_VARINT) {
        put_varint(b, bits);
        return;
    }
    size_t size = type == WIRE_FIXED64 ? 8 : 4;
    uint8_t *to = extend(b, size);
    if (to != NULL)
        wire_put_fixed(to, bits, size);
}

void build_field(struct builder *b, const struct field *f, const struct value *v)
{
    if (!f->presence && !f->repeated && value_is_zero(v))
        return;
    put_tag(b, f, field_kind_wire(f->kind));
    if (value_class_of(f->kind) != VALUE_TEXT) {
        build_packed(b, f, v);
        return;
    }
    CHECK(value_class_of(v->kind) == VALUE_TEXT && f->kind != FIELD_GROUP);
    put_varint(b, v->text.size);
    build_raw(b, v->text);
}

size_t build_open(struct builder *b, const struct field *f)
{
    put_tag(b, f, WIRE_BYTES);
    /* One byte for the length, which is nearly always enough. */
    extend(b, 1);
    return b->size;
}

void build_close(struct builder *b, size_t mark)
{
    if (b->code != 0)
        return;
    CHECK(mark >= 1 && mark <= b->size);
    size_t size = b->size - mark;
    size_t more = wire_varint_size(size) - 1;
    if (more > 0) {
        if (extend(b, more) == NULL)
            return;
        memmove(b->at + mark + more, b->at + mark, size);
    }
    wire_put_varint(b->at + mark - 1, size);
}
