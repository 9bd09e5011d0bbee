/* json_read.c - JSON straight into a message on the wire: nothing is kept but what has been seen of the messages that are open. */
#include "sidecar/message/json_inside.h"

#include "sidecar/base/decimal.h"
#include "sidecar/message/message.h"
#include "sidecar/message/scalar.h"

/* ---- what is wrong ---- */

static void append_place(const struct json_place *place, struct error_detail *detail)
{
    char digits[INTEGER_TEXT_SIZE + 1];
    if (place == NULL)
        return;
    append_place(place->outer, detail);
    size_t used = strlen(detail->field), room = sizeof detail->field - 1 - used;
    struct bytes text = place->name;
    if (place->name.at == NULL) {
        digits[0] = '[';
        text = bytes_of(digits, 1 + decimal_write_uint(place->index, digits + 1));
    } else if (used > 0 && room > 0) {
        detail->field[used++] = '.';
        room--;
    }
    size_t size = text.size < room ? text.size : room;
    /* A key may be any text; what is cut stays one. */
    while (size > 0 && size < text.size && (text.at[size] & 0xc0) == 0x80)
        size--;
    memcpy(detail->field + used, text.at, size);
    if (place->name.at == NULL && size < room)
        detail->field[used + size++] = ']';
    detail->field[used + size] = '\0';
}

static void find_line(struct json_reader *r, const uint8_t *at)
{
    r->detail->line = 1;
    r->detail->column = 1;
    for (const uint8_t *c = r->text.at; c < at; c++) {
        r->detail->column = *c == '\n' ? 1 : r->detail->column + 1;
        r->detail->line += *c == '\n';
    }
}

int json_refuse(struct json_reader *r, const struct json_place *place, const uint8_t *at, const char *text,
                const char *more)
{
    int code = error_set(r->detail, E_ARGUMENT, "", text);
    if (more != NULL)
        error_append(r->detail, more);
    append_place(place, r->detail);
    find_line(r, at);
    return code;
}

int json_no_room(struct json_reader *r)
{
    return error_set(r->detail, pool_is_full(&r->scratch, 4096) ? E_PAYLOAD : E_MEMORY, "", NULL);
}

/* Gives an error that something else has put into words its place. */
int json_placed(struct json_reader *r, const struct json_place *place, const uint8_t *at, int code)
{
    if (code == 0)
        return 0;
    append_place(place, r->detail);
    find_line(r, at);
    return code;
}

/* ---- the bare JSON ---- */

int json_take(struct json_reader *r, const struct json_place *place, struct json_token *t)
{
    *t = json_next(&r->scan);
    if (t->kind == JSON_WRONG)
        return json_refuse(r, place, t->at, t->wrong, NULL);
    if (t->kind == JSON_END)
        return json_refuse(r, place, t->at, "the JSON ends too early", NULL);
    return 0;
}

/* After a value within an object or an array: whether another follows. */
int json_more(struct json_reader *r, const struct json_place *place, enum json_kind end, bool *more)
{
    struct json_token t;
    int code = json_take(r, place, &t);
    if (code != 0)
        return code;
    *more = t.kind == JSON_COMMA;
    if (t.kind != JSON_COMMA && t.kind != end)
        return json_refuse(r, place, t.at, end == JSON_ARRAY_END ? "expected ',' or ']'" : "expected ',' or '}'", NULL);
    return 0;
}

/* Before the first value: whether there is any. */
int json_any(struct json_reader *r, enum json_kind end, bool *any)
{
    struct json_scan ahead = r->scan;
    *any = json_next(&ahead).kind != end;
    if (!*any)
        r->scan = ahead;
    return 0;
}

int json_key(struct json_reader *r, const struct json_place *place, struct json_token *key, struct bytes *name)
{
    struct json_token colon;
    int code = json_take(r, place, key);
    if (code == 0 && key->kind != JSON_STRING)
        return json_refuse(r, place, key->at, "expected a key in quotes", NULL);
    if (code == 0)
        code = json_take(r, place, &colon);
    if (code == 0 && colon.kind != JSON_COLON)
        return json_refuse(r, place, colon.at, "expected ':' after a key", NULL);
    if (code != 0)
        return code;
    *name = json_text(key, &r->scratch);
    return name->at == NULL ? json_no_room(r) : 0;
}

int json_skip(struct json_reader *r, const struct json_place *place, unsigned depth)
{
    struct json_token t, key;
    struct bytes name;
    bool more;
    int code = json_take(r, place, &t);
    if (code != 0)
        return code;
    if (t.kind != JSON_OBJECT && t.kind != JSON_ARRAY)
        return t.kind == JSON_STRING || t.kind == JSON_NUMBER || t.kind == JSON_TRUE || t.kind == JSON_FALSE ||
                       t.kind == JSON_NULL
                   ? 0
                   : json_refuse(r, place, t.at, "expected a value", NULL);
    if (depth > JSON_DEPTH_MAX)
        return json_refuse(r, place, t.at, "the JSON is more than 100 deep", NULL);
    enum json_kind end = t.kind == JSON_OBJECT ? JSON_OBJECT_END : JSON_ARRAY_END;
    code = json_any(r, end, &more);
    while (code == 0 && more) {
        struct pool_mark mark = pool_mark(&r->scratch);
        if (end == JSON_OBJECT_END)
            code = json_key(r, place, &key, &name);
        pool_rewind(&r->scratch, mark);
        if (code == 0)
            code = json_skip(r, place, depth + 1);
        if (code == 0)
            code = json_more(r, place, end, &more);
    }
    return code;
}

/* ---- fields ---- */

/* What has been seen of the message that is read: a bit a field, a bit a oneof. */
struct seen {
    uint8_t *fields, *oneofs;
};

static bool test_and_set(uint8_t *bits, unsigned n)
{
    bool was = (bits[n / 8] >> n % 8 & 1) != 0;
    bits[n / 8] |= (uint8_t)(1 << n % 8);
    return was;
}

static bool is_null_value(const struct field *f)
{
    return f->kind == FIELD_ENUM && bytes_equal(f->enumeration->name, bytes_of_text("google.protobuf.NullValue"));
}

/* Whether null is a value of the field, and not its absence. */
static bool takes_null(const struct field *f)
{
    return !f->repeated &&
           (is_null_value(f) || (f->kind == FIELD_MESSAGE && f->message->well_known == WELL_KNOWN_VALUE));
}

/* A single value that is no message. */
static int read_scalar(struct json_reader *r, const struct field *f, const struct json_place *place, struct value *v)
{
    struct json_token t;
    int code = json_take(r, place, &t);
    if (code != 0)
        return code;
    if (t.kind == JSON_NULL && is_null_value(f)) {
        *v = (struct value){.kind = FIELD_ENUM, .i = 0};
        return 0;
    }
    if (t.kind != JSON_STRING && t.kind != JSON_NUMBER && t.kind != JSON_TRUE && t.kind != JSON_FALSE)
        return json_refuse(r, place, t.at, "must be a single value: ", field_kind_name(f->kind));
    struct bytes text = json_text(&t, &r->scratch);
    if (text.at == NULL)
        return json_no_room(r);
    return json_placed(r, place, t.at, scalar_read(f, text, t.kind == JSON_STRING, &r->scratch, v, r->detail));
}

/* A single value with its tag. */
static int read_value(struct json_reader *r, const struct field *f, const struct json_place *place, unsigned depth)
{
    struct value v;
    if (f->kind == FIELD_GROUP)
        return json_refuse(r, place, r->scan.at, "is a group, which JSON cannot set here", NULL);
    if (f->kind == FIELD_MESSAGE) {
        size_t mark = build_open(r->builder, f);
        int code = json_read_message(r, f->message, place, depth + 1);
        build_close(r->builder, mark);
        return code;
    }
    struct pool_mark mark = pool_mark(&r->scratch);
    int code = read_scalar(r, f, place, &v);
    if (code == 0)
        build_field(r->builder, f, &v);
    pool_rewind(&r->scratch, mark);
    return code;
}

static int read_packed(struct json_reader *r, const struct field *f, const struct json_place *place)
{
    struct value v;
    int code = read_scalar(r, f, place, &v);
    if (code == 0)
        build_packed(r->builder, f, &v);
    return code;
}

static int read_array(struct json_reader *r, const struct field *f, const struct json_place *outer, unsigned depth)
{
    struct json_token t;
    struct json_place place = {.outer = outer};
    bool more = false;
    int code = json_take(r, outer, &t);
    if (code != 0)
        return code;
    if (t.kind != JSON_ARRAY)
        return json_refuse(r, outer, t.at, "must be an array", NULL);
    json_any(r, JSON_ARRAY_END, &more);
    size_t mark = f->packed && more ? build_open(r->builder, f) : 0;
    for (bool packed = f->packed && more; code == 0 && more; place.index++) {
        code = packed ? read_packed(r, f, &place) : read_value(r, f, &place, depth);
        if (code == 0)
            code = json_more(r, outer, JSON_ARRAY_END, &more);
    }
    if (mark != 0)
        build_close(r->builder, mark);
    return code;
}

/* The key of a map's entry: what is no text stands in quotes, too. */
static int read_map_key(struct json_reader *r, const struct field *key, const struct json_token *t, struct bytes name,
                        const struct json_place *place)
{
    struct value v;
    int code = scalar_read(key, name, key->kind == FIELD_STRING, &r->scratch, &v, r->detail);
    if (code == 0)
        build_field(r->builder, key, &v);
    return json_placed(r, place, t->at, code);
}

static int read_map(struct json_reader *r, const struct field *f, const struct json_place *outer, unsigned depth)
{
    const struct field *key = &f->message->fields[0], *value = &f->message->fields[1];
    struct json_token t;
    bool more = false;
    int code = json_take(r, outer, &t);
    if (code == 0 && t.kind != JSON_OBJECT)
        code = json_refuse(r, outer, t.at, "must be an object: it is a map", NULL);
    if (code == 0)
        json_any(r, JSON_OBJECT_END, &more);
    while (code == 0 && more) {
        struct json_place place = {.outer = outer};
        struct pool_mark scratch = pool_mark(&r->scratch);
        code = json_key(r, outer, &t, &place.name);
        size_t mark = build_open(r->builder, f);
        if (code == 0)
            code = read_map_key(r, key, &t, place.name, &place);
        if (code == 0)
            code = read_value(r, value, &place, depth);
        build_close(r->builder, mark);
        pool_rewind(&r->scratch, scratch);
        if (code == 0)
            code = json_more(r, outer, JSON_OBJECT_END, &more);
    }
    return code;
}

/* Notes that a field is set; refuses a second time, and a second one of its oneof. */
static int note(struct json_reader *r, struct seen *seen, const struct field *f, bool is_null, const uint8_t *at,
                const struct json_place *place)
{
    if (test_and_set(seen->fields, f->index))
        return json_refuse(r, place, at, "is set twice", NULL);
    if (!is_null && f->oneof >= 0 && test_and_set(seen->oneofs, (unsigned)f->oneof))
        return json_refuse(
            r, place, at, "another field of the same oneof is set, too: ", (const char *)f->owner->oneofs[f->oneof].at);
    return 0;
}

static int read_field(struct json_reader *r, const struct message_type *type, struct seen *seen,
                      const struct json_place *outer, unsigned depth)
{
    struct json_token key;
    struct json_place place = {.outer = outer};
    int code = json_key(r, outer, &key, &place.name);
    if (code != 0)
        return code;
    if (r->any_depth == depth && bytes_equal(place.name, bytes_of_text("@type")))
        return json_skip(r, &place, depth);
    const struct field *f = message_field_by_any_name(type, place.name);
    if (f == NULL)
        return json_refuse(r, &place, key.at, "there is no such field in ", (const char *)type->name.at);
    place.name = f->name;
    struct json_scan ahead = r->scan;
    bool is_null = json_next(&ahead).kind == JSON_NULL && !takes_null(f);
    code = note(r, seen, f, is_null, key.at, &place);
    if (code != 0)
        return code;
    if (is_null) {
        r->scan = ahead;
        return 0;
    }
    if (f->map)
        return read_map(r, f, &place, depth);
    return f->repeated ? read_array(r, f, &place, depth) : read_value(r, f, &place, depth);
}

int json_read_fields(struct json_reader *r, const struct message_type *type, const struct json_place *place,
                     unsigned depth)
{
    struct json_token t;
    bool more = false;
    struct pool_mark mark = pool_mark(&r->scratch);
    struct seen seen = {.fields = pool_take_zeroed(&r->scratch, type->field_count / 8 + 1, 1),
                        .oneofs = pool_take_zeroed(&r->scratch, type->oneof_count / 8 + 1, 1)};
    if (seen.fields == NULL || seen.oneofs == NULL)
        return json_no_room(r);
    int code = json_take(r, place, &t);
    if (code == 0 && t.kind != JSON_OBJECT)
        code = json_refuse(r, place, t.at, "must be an object: ", (const char *)type->name.at);
    if (code == 0)
        json_any(r, JSON_OBJECT_END, &more);
    while (code == 0 && more) {
        code = read_field(r, type, &seen, place, depth);
        if (code == 0)
            code = json_more(r, place, JSON_OBJECT_END, &more);
    }
    pool_rewind(&r->scratch, mark);
    return code;
}

int json_read(const struct schema *schema, const struct message_type *type, struct bytes json, struct pool *pool,
              size_t bytes_max, struct bytes *wire, struct error_detail *detail)
{
    struct builder builder;
    struct json_reader r = {.schema = schema, .text = json, .builder = &builder, .detail = detail};
    error_set(detail, 0, "", "");
    builder_init(&builder, pool, bytes_max);
    pool_init(&r.scratch, pool->memory, pool->bytes_max);
    json_scan(&r.scan, json);
    int code = json_read_message(&r, type, NULL, 1);
    if (code == 0) {
        struct json_token t = json_next(&r.scan);
        if (t.kind != JSON_END)
            code = json_refuse(&r, NULL, t.at, "something follows the message", NULL);
    }
    if (code == 0) {
        code = builder_finish(&builder, wire);
        if (code != 0)
            error_set(detail, code, "", NULL);
    }
    pool_finish(&r.scratch);
    return code;
}
