/* json_write.c - a message on the wire as JSON. A message is gone over once: what is on the wire of each field is put into a list, and the lists
 * are written in order of the fields. */
#include "sidecar/message/json_inside.h"

#include "sidecar/base/decimal.h"
#include "sidecar/base/utf8.h"
#include "sidecar/message/base64.h"
#include "sidecar/message/message.h"
#include "sidecar/message/schema_inside.h"

/* ---- text ---- */

static void put(struct json_writer *w, const void *at, size_t size)
{
    build_raw(w->out, bytes_of(at, size));
}

void json_put_raw(struct json_writer *w, const char *text)
{
    put(w, text, strlen(text));
}

void json_put_part(struct json_writer *w, struct bytes text)
{
    static const char digits[] = "0123456789abcdef";
    size_t plain = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.at[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        put(w, text.at + plain, i - plain);
        plain = i + 1;
        char hex[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        char letter[2] = {'\\', c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : (char)c};
        bool has_letter = c == '\n' || c == '\t' || c == '\r' || c == '"' || c == '\\';
        put(w, has_letter ? letter : hex, has_letter ? sizeof letter : sizeof hex);
    }
    put(w, text.at + plain, text.size - plain);
}

void json_put_text(struct json_writer *w, struct bytes text)
{
    json_put_raw(w, "\"");
    json_put_part(w, text);
    json_put_raw(w, "\"");
}

static void new_line(struct json_writer *w)
{
    if (!w->pretty)
        return;
    json_put_raw(w, "\n");
    for (unsigned i = 0; i < w->indent; i++)
        json_put_raw(w, "  ");
}

void json_open(struct json_writer *w, char bracket)
{
    put(w, &bracket, 1);
    w->indent++;
}

void json_begin(struct json_writer *w, bool first)
{
    if (!first)
        json_put_raw(w, ",");
    new_line(w);
}

void json_close(struct json_writer *w, char bracket, bool empty)
{
    w->indent--;
    if (!empty)
        new_line(w);
    put(w, &bracket, 1);
}

void json_put_key(struct json_writer *w, struct bytes name)
{
    json_put_text(w, name);
    json_put_raw(w, w->pretty ? ": " : ":");
}

int json_fail(struct json_writer *w, const struct message_type *type, const char *text)
{
    return error_set(w->detail, E_ARGUMENT, (const char *)type->name.at, text);
}

static int no_room(struct json_writer *w)
{
    return error_set(w->detail, pool_is_full(&w->scratch, 4096) ? E_PAYLOAD : E_MEMORY, "", NULL);
}

/* ---- values ---- */

static void put_double(struct json_writer *w, const struct value *v)
{
    char text[DECIMAL_TEXT_SIZE];
    size_t size = decimal_write(v->d, v->kind == FIELD_FLOAT, 21, text);
    bool is_number = v->d - v->d == 0;
    if (!is_number)
        json_put_raw(w, "\"");
    put(w, text, size);
    /* Some readers take "-0" for an integer, and lose its sign. */
    if (size == 2 && text[0] == '-' && text[1] == '0')
        json_put_raw(w, ".0");
    if (!is_number)
        json_put_raw(w, "\"");
}

/* Integers of 64 bits stand in quotes, since JavaScript would round them. */
static void put_integer(struct json_writer *w, const struct value *v)
{
    char text[INTEGER_TEXT_SIZE];
    bool is_signed = value_class_of(v->kind) == VALUE_INT;
    bool wide = v->kind == FIELD_INT64 || v->kind == FIELD_UINT64 || v->kind == FIELD_SINT64 ||
                v->kind == FIELD_FIXED64 || v->kind == FIELD_SFIXED64;
    size_t size = is_signed ? decimal_write_int(v->i, text) : decimal_write_uint(v->u, text);
    if (wide)
        json_put_raw(w, "\"");
    put(w, text, size);
    if (wide)
        json_put_raw(w, "\"");
}

static void put_enum(struct json_writer *w, const struct field *f, const struct value *v)
{
    const struct enum_value *value = enum_value_by_number(f->enumeration, (int32_t)v->i);
    if (bytes_equal(f->enumeration->name, bytes_of_text("google.protobuf.NullValue")))
        json_put_raw(w, "null");
    else if (value != NULL)
        json_put_text(w, value->name);
    else
        put_integer(w, v);
}

static int put_bytes(struct json_writer *w, struct bytes bytes)
{
    size_t size = BASE64_TEXT_SIZE(bytes.size);
    struct pool_mark mark = pool_mark(&w->scratch);
    uint8_t *text = pool_take(&w->scratch, size);
    if (text == NULL)
        return no_room(w);
    base64_write(bytes, text);
    json_put_raw(w, "\"");
    put(w, text, size);
    json_put_raw(w, "\"");
    pool_rewind(&w->scratch, mark);
    return 0;
}

int json_write_value(struct json_writer *w, const struct field *f, const struct value *v, unsigned depth)
{
    switch (f->kind) {
    case FIELD_DOUBLE:
    case FIELD_FLOAT:
        put_double(w, v);
        return 0;
    case FIELD_BOOL:
        json_put_raw(w, v->b ? "true" : "false");
        return 0;
    case FIELD_ENUM:
        put_enum(w, f, v);
        return 0;
    case FIELD_BYTES:
        return put_bytes(w, v->text);
    case FIELD_STRING:
        if (!utf8_valid(v->text))
            return json_fail(w, f->owner, "holds a string that is not UTF-8");
        json_put_text(w, v->text);
        return 0;
    case FIELD_MESSAGE:
        return json_write_message(w, f->message, v->text, depth + 1);
    default:
        put_integer(w, v);
        return 0;
    }
}

/* ---- what is on the wire of each field ---- */

struct found {
    struct wire_field wire;
    struct found *next;
};

struct list {
    struct found *first, *last;
};

static bool fits(const struct field *f, enum wire_type type)
{
    enum wire_type own = field_kind_wire(f->kind);
    return f->kind != FIELD_GROUP && (own == type || (f->repeated && type == WIRE_BYTES));
}

static bool is_unknown_enum(const struct field *f, uint64_t bits)
{
    return f->kind == FIELD_ENUM && f->enumeration->closed &&
           enum_value_by_number(f->enumeration, (int32_t)(uint32_t)bits) == NULL;
}

static int add_found(struct json_writer *w, struct list *list, const struct field *f, const struct wire_field *wire)
{
    /* Of one value the last counts; of a message all parts do. */
    if (!f->repeated && f->kind != FIELD_MESSAGE && list->first != NULL) {
        list->first->wire = *wire;
        return 0;
    }
    struct found *found = pool_take(&w->scratch, sizeof *found);
    if (found == NULL)
        return no_room(w);
    *found = (struct found){.wire = *wire};
    if (list->last != NULL)
        list->last->next = found;
    else
        list->first = found;
    list->last = found;
    return 0;
}

/* The lists of a message, one for each field of its type. */
static int find_all(struct json_writer *w, const struct message_type *type, struct bytes wire, struct list **out)
{
    struct wire_field field;
    int found, code = 0;
    struct list *lists = pool_take_zeroed(&w->scratch, type->field_count + 1, sizeof *lists);
    const struct field **set = pool_take_zeroed(&w->scratch, type->oneof_count + 1, sizeof *set); /* of each oneof */
    if (lists == NULL || set == NULL)
        return no_room(w);
    while (code == 0 && (found = wire_next(&wire, &field)) != 0) {
        if (found < 0)
            return json_fail(w, type, "the bytes are no message");
        const struct field *f = message_field_by_number(type, field.number);
        if (f == NULL || !fits(f, field.type) || (field.type == WIRE_VARINT && is_unknown_enum(f, field.bits)))
            continue;
        if (f->oneof >= 0) {
            if (set[f->oneof] != NULL && set[f->oneof] != f)
                lists[set[f->oneof]->index] = (struct list){.first = NULL};
            set[f->oneof] = f;
        }
        code = add_found(w, &lists[f->index], f, &field);
    }
    *out = lists;
    return code;
}

/* ---- fields ---- */

static int put_item(struct json_writer *w, const struct field *f, const struct value *v, bool *empty, unsigned depth)
{
    if (*empty) {
        json_put_key(w, f->json_name);
        json_open(w, '[');
    }
    json_begin(w, *empty);
    *empty = false;
    return json_write_value(w, f, v, depth);
}

static int write_packed(struct json_writer *w, const struct field *f, struct bytes packed, bool *empty, unsigned depth)
{
    uint64_t bits;
    int found;
    while ((found = wire_next_packed(&packed, field_kind_wire(f->kind), &bits)) == 1) {
        struct value v = value_of_bits(f->kind, bits);
        if (!is_unknown_enum(f, bits))
            put_item(w, f, &v, empty, depth);
    }
    return found < 0 ? json_fail(w, f->owner, "its packed values end within one") : 0;
}

static struct value value_of(const struct field *f, const struct wire_field *wire)
{
    if (value_class_of(f->kind) == VALUE_TEXT)
        return (struct value){.kind = f->kind, .text = wire->body};
    return value_of_bits(f->kind, wire->bits);
}

/* Packed parts may all be empty: then there is nothing, and not even a key. *empty says so. */
static int write_repeated(struct json_writer *w, const struct field *f, const struct found *found, bool *empty,
                          unsigned depth)
{
    int code = 0;
    for (; code == 0 && found != NULL; found = found->next) {
        if (found->wire.type == WIRE_BYTES && field_kind_wire(f->kind) != WIRE_BYTES) {
            code = write_packed(w, f, found->wire.body, empty, depth);
        } else {
            struct value v = value_of(f, &found->wire);
            code = put_item(w, f, &v, empty, depth);
        }
    }
    if (!*empty)
        json_close(w, ']', false);
    return code;
}

struct entry {
    struct value key, value;
    unsigned order; /* among those on the wire */
};

static int key_order(const struct value *a, const struct value *b)
{
    switch (value_class_of(a->kind)) {
    case VALUE_INT:
        return (a->i > b->i) - (a->i < b->i);
    case VALUE_UINT:
        return (a->u > b->u) - (a->u < b->u);
    case VALUE_BOOL:
        return a->b - b->b;
    default:
        return name_order(a->text, b->text);
    }
}

static bool entry_before(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = key_order(&x->key, &y->key);
    return order != 0 ? order < 0 : x->order < y->order;
}

static int put_map_key(struct json_writer *w, const struct field *map, const struct value *key)
{
    char text[INTEGER_TEXT_SIZE];
    if (key->kind == FIELD_STRING && !utf8_valid(key->text))
        return json_fail(w, map->owner, "holds a string that is not UTF-8");
    if (key->kind == FIELD_STRING)
        json_put_key(w, key->text);
    else if (key->kind == FIELD_BOOL)
        json_put_key(w, bytes_of_text(key->b ? "true" : "false"));
    else if (value_class_of(key->kind) == VALUE_INT)
        json_put_key(w, bytes_of(text, decimal_write_int(key->i, text)));
    else
        json_put_key(w, bytes_of(text, decimal_write_uint(key->u, text)));
    return 0;
}

/* The entries in order of their keys; of one key the last on the wire. */
static int read_entries(struct json_writer *w, const struct field *f, const struct found *found, struct entry ***sorted,
                        unsigned *count)
{
    unsigned n = 0;
    for (const struct found *e = found; e != NULL; e = e->next)
        n++;
    struct entry *entries = pool_take_zeroed(&w->scratch, n, sizeof *entries);
    struct entry **order = pool_take_zeroed(&w->scratch, n, sizeof *order);
    if (entries == NULL || order == NULL)
        return no_room(w);
    for (unsigned i = 0; i < n; i++, found = found->next) {
        int code = message_entry(f, found->wire.body, &w->scratch, &entries[i].key, &entries[i].value);
        if (code < 0)
            return code == E_ARGUMENT ? json_fail(w, f->message, "the bytes are no message") : no_room(w);
        entries[i].order = i;
        order[i] = &entries[i];
    }
    sort_pointers((void **)order, n, entry_before);
    *sorted = order;
    *count = n;
    return 0;
}

static int write_map(struct json_writer *w, const struct field *f, const struct found *found, unsigned depth)
{
    struct entry **entries = NULL;
    unsigned count = 0;
    int code = read_entries(w, f, found, &entries, &count);
    bool first = true;
    if (code != 0)
        return code;
    json_open(w, '{');
    for (unsigned i = 0; code == 0 && i < count; i++) {
        if (i + 1 < count && value_equal(&entries[i]->key, &entries[i + 1]->key))
            continue;
        json_begin(w, first);
        first = false;
        code = put_map_key(w, f, &entries[i]->key);
        if (code == 0)
            code = json_write_value(w, &f->message->fields[1], &entries[i]->value, depth);
    }
    json_close(w, '}', first);
    return code;
}

int json_write_struct(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth)
{
    struct pool_mark mark = pool_mark(&w->scratch);
    struct list *lists;
    int code = find_all(w, type, wire, &lists);
    if (code == 0)
        code = write_map(w, &type->fields[0], lists[0].first, depth);
    pool_rewind(&w->scratch, mark);
    return code;
}

/* Several parts of one message, one after the other, are the message. */
static int join(struct json_writer *w, const struct found *found, struct bytes *whole)
{
    size_t size = 0;
    if (found->next == NULL) {
        *whole = found->wire.body;
        return 0;
    }
    for (const struct found *part = found; part != NULL; part = part->next)
        size += part->wire.body.size;
    uint8_t *at = pool_take(&w->scratch, size);
    if (at == NULL)
        return no_room(w);
    *whole = bytes_of(at, size);
    for (; found != NULL; at += found->wire.body.size, found = found->next)
        if (found->wire.body.size != 0)
            memcpy(at, found->wire.body.at, found->wire.body.size);
    return 0;
}

static int write_single(struct json_writer *w, const struct field *f, const struct found *found, unsigned depth)
{
    struct value v = value_of(f, &found->wire);
    int code = f->kind == FIELD_MESSAGE ? join(w, found, &v.text) : 0;
    if (code != 0)
        return code;
    json_put_key(w, f->json_name);
    return json_write_value(w, f, &v, depth);
}

/* Whether a single field is to be seen: zero without presence is not there. */
static bool is_there(const struct field *f, const struct found *found)
{
    struct value v;
    if (f->presence || f->kind == FIELD_MESSAGE)
        return true;
    v = value_of(f, &found->wire);
    return !value_is_zero(&v);
}

static bool has_items(const struct field *f, const struct found *found)
{
    bool packs = value_class_of(f->kind) != VALUE_TEXT;
    for (; found != NULL; found = found->next) {
        uint64_t bits;
        struct bytes packed = found->wire.body;
        if (!packs || found->wire.type != WIRE_BYTES)
            return true;
        int more;
        while ((more = wire_next_packed(&packed, field_kind_wire(f->kind), &bits)) != 0)
            if (more < 0 || !is_unknown_enum(f, bits))
                return true;
    }
    return false;
}

int json_write_fields(struct json_writer *w, const struct message_type *type, struct bytes wire, bool first,
                      unsigned depth, bool *empty)
{
    struct pool_mark mark = pool_mark(&w->scratch);
    struct list *lists;
    int code = find_all(w, type, wire, &lists);
    for (unsigned i = 0; code == 0 && w->out->code == 0 && i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        const struct found *found = lists[i].first;
        bool none = true;
        if (found == NULL || (f->repeated ? !has_items(f, found) : !is_there(f, found)))
            continue;
        json_begin(w, first);
        first = false;
        if (f->map) {
            json_put_key(w, f->json_name);
            code = write_map(w, f, found, depth);
        } else {
            code = f->repeated ? write_repeated(w, f, found, &none, depth) : write_single(w, f, found, depth);
        }
    }
    *empty = first;
    pool_rewind(&w->scratch, mark);
    return code;
}

int json_write(const struct schema *schema, const struct message_type *type, struct bytes wire, bool pretty,
               struct pool *pool, size_t bytes_max, struct bytes *json, struct error_detail *detail)
{
    struct builder out;
    struct json_writer w = {.schema = schema, .out = &out, .pretty = pretty, .detail = detail};
    builder_init(&out, pool, bytes_max < SIZE_MAX ? bytes_max + 1 : bytes_max);
    pool_init(&w.scratch, pool->memory, pool->bytes_max);
    int code = json_write_message(&w, type, wire, 1);
    pool_finish(&w.scratch);
    if (code != 0)
        return code;
    put(&w, "", 1);
    code = builder_finish(&out, json);
    if (code != 0)
        return error_set(detail, code, "", NULL);
    json->size--;
    return 0;
}
