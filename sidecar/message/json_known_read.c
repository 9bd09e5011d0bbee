/* json_known_read.c - the types that JSON has forms of their own for: Any, Struct, Value, times, wrappers. */
#include "sidecar/message/json_inside.h"

#include "sidecar/base/decimal.h"
#include "sidecar/message/scalar.h"

static int read_text(struct json_reader *r, const struct message_type *type, const struct json_place *place)
{
    struct json_token t;
    int code = json_take(r, place, &t);
    if (code != 0)
        return code;
    if (t.kind != JSON_STRING)
        return json_refuse(r, place, t.at, "must be a text in quotes: ", (const char *)type->name.at);
    struct bytes text = json_text(&t, &r->scratch);
    if (text.at == NULL)
        return json_no_room(r);
    return json_placed(r, place, t.at, scalar_read_text(type, text, r->builder, r->detail));
}

/* A wrapper is its value. */
static int read_wrapper(struct json_reader *r, const struct message_type *type, const struct json_place *place)
{
    const struct field *f = &type->fields[0];
    struct json_token t;
    struct value v;
    int code = json_take(r, place, &t);
    if (code != 0)
        return code;
    if (t.kind != JSON_STRING && t.kind != JSON_NUMBER && t.kind != JSON_TRUE && t.kind != JSON_FALSE)
        return json_refuse(r, place, t.at, "must be a single value: ", field_kind_name(f->kind));
    struct bytes text = json_text(&t, &r->scratch);
    if (text.at == NULL)
        return json_no_room(r);
    code = scalar_read(f, text, t.kind == JSON_STRING, &r->scratch, &v, r->detail);
    if (code == 0)
        build_field(r->builder, f, &v);
    return json_placed(r, place, t.at, code);
}

/* ---- any JSON as a Value ---- */

static int read_any_object(struct json_reader *r, const struct message_type *type, const struct json_place *outer,
                           unsigned depth)
{
    const struct field *fields = &type->fields[0];
    struct json_token t;
    bool more;
    int code = json_take(r, outer, &t);
    if (code == 0 && t.kind != JSON_OBJECT)
        return json_refuse(r, outer, t.at, "must be an object", NULL);
    if (code == 0)
        code = json_any(r, JSON_OBJECT_END, &more);
    while (code == 0 && more) {
        struct json_place place = {.outer = outer};
        struct pool_mark mark = pool_mark(&r->scratch);
        code = json_key(r, outer, &t, &place.name);
        if (code != 0)
            return code;
        size_t entry = build_open(r->builder, fields);
        struct value key = {.kind = FIELD_STRING, .text = place.name};
        build_field(r->builder, &fields->message->fields[0], &key);
        size_t value = build_open(r->builder, &fields->message->fields[1]);
        code = json_read_message(r, fields->message->fields[1].message, &place, depth + 1);
        build_close(r->builder, value);
        build_close(r->builder, entry);
        pool_rewind(&r->scratch, mark);
        if (code == 0)
            code = json_more(r, outer, JSON_OBJECT_END, &more);
    }
    return code;
}

static int read_any_array(struct json_reader *r, const struct message_type *type, const struct json_place *outer,
                          unsigned depth)
{
    const struct field *values = &type->fields[0];
    struct json_place place = {.outer = outer};
    struct json_token t;
    bool more;
    int code = json_take(r, outer, &t);
    if (code == 0 && t.kind != JSON_ARRAY)
        return json_refuse(r, outer, t.at, "must be an array", NULL);
    if (code == 0)
        code = json_any(r, JSON_ARRAY_END, &more);
    for (; code == 0 && more; place.index++) {
        size_t mark = build_open(r->builder, values);
        code = json_read_message(r, values->message, &place, depth + 1);
        build_close(r->builder, mark);
        if (code == 0)
            code = json_more(r, outer, JSON_ARRAY_END, &more);
    }
    return code;
}

static int read_any_number(struct json_reader *r, const struct json_token *t, const struct json_place *place,
                           struct value *v)
{
    v->kind = FIELD_DOUBLE;
    if (!decimal_read(t->text, &v->d) || v->d - v->d != 0)
        return json_refuse(r, place, t->at, "is out of the range of double", NULL);
    return 0;
}

/* null, a number, a text, true or false as the field of a Value that stands for it. */
static int read_any_scalar(struct json_reader *r, const struct message_type *type, const struct json_place *place)
{
    struct json_token t;
    struct value v = {.kind = FIELD_ENUM, .i = 0};
    unsigned number = 1;
    int code = json_take(r, place, &t);
    if (code != 0)
        return code;
    if (t.kind == JSON_NUMBER) {
        number = 2;
        code = read_any_number(r, &t, place, &v);
    } else if (t.kind == JSON_STRING) {
        number = 3;
        v = (struct value){.kind = FIELD_STRING, .text = json_text(&t, &r->scratch)};
        if (v.text.at == NULL)
            return json_no_room(r);
    } else if (t.kind == JSON_TRUE || t.kind == JSON_FALSE) {
        number = 4;
        v = (struct value){.kind = FIELD_BOOL, .b = t.kind == JSON_TRUE};
    } else if (t.kind != JSON_NULL) {
        return json_refuse(r, place, t.at, "expected a value", NULL);
    }
    if (code == 0)
        build_field(r->builder, message_field_by_number(type, number), &v);
    return code;
}

static int read_any_value(struct json_reader *r, const struct message_type *type, const struct json_place *place,
                          unsigned depth)
{
    struct json_scan ahead = r->scan;
    enum json_kind kind = json_next(&ahead).kind;
    if (kind != JSON_OBJECT && kind != JSON_ARRAY)
        return read_any_scalar(r, type, place);
    const struct field *f = message_field_by_number(type, kind == JSON_OBJECT ? 5 : 6);
    size_t mark = build_open(r->builder, f);
    int code = json_read_message(r, f->message, place, depth + 1);
    build_close(r->builder, mark);
    return code;
}

/* ---- Any ---- */

/* The text of "@type", wherever it stands in the object that comes next; at is NULL when there is none. Takes nothing. */
static int find_type_url(struct json_reader *r, const struct json_place *place, unsigned depth, struct bytes *url)
{
    struct json_scan before = r->scan;
    struct json_token t;
    struct bytes name;
    bool more = false;
    *url = bytes_of(NULL, 0);
    int code = json_take(r, place, &t);
    if (code == 0 && t.kind != JSON_OBJECT)
        code = json_refuse(r, place, t.at, "must be an object with \"@type\": it is an Any", NULL);
    if (code == 0)
        json_any(r, JSON_OBJECT_END, &more);
    while (code == 0 && more) {
        code = json_key(r, place, &t, &name);
        if (code == 0 && bytes_equal(name, bytes_of_text("@type"))) {
            code = json_take(r, place, &t);
            if (code == 0 && (t.kind != JSON_STRING || url->at != NULL))
                code = json_refuse(r, place, t.at, "\"@type\" must be one text", NULL);
            if (code == 0)
                *url = json_text(&t, &r->scratch);
        } else if (code == 0) {
            code = json_skip(r, place, depth);
        }
        if (code == 0)
            code = json_more(r, place, JSON_OBJECT_END, &more);
    }
    if (code == 0)
        r->scan = before;
    return code;
}

/* {"@type": ..., "value": ...}: how a type stands in an Any that has a form of its own in JSON. */
static int read_any_known(struct json_reader *r, const struct message_type *type, const struct json_place *outer,
                          unsigned depth)
{
    struct json_token t;
    struct json_place place = {.outer = outer};
    bool more, found = false;
    int code = json_take(r, outer, &t);
    if (code == 0)
        code = json_any(r, JSON_OBJECT_END, &more);
    while (code == 0 && more) {
        code = json_key(r, outer, &t, &place.name);
        if (code == 0 && bytes_equal(place.name, bytes_of_text("@type")))
            code = json_skip(r, outer, depth);
        else if (code == 0 && !found && bytes_equal(place.name, bytes_of_text("value"))) {
            found = true;
            code = json_read_message(r, type, &place, depth + 1);
        } else if (code == 0)
            code = json_refuse(r, &place, t.at, "beside \"@type\" there must be one \"value\"", NULL);
        if (code == 0)
            code = json_more(r, outer, JSON_OBJECT_END, &more);
    }
    if (code == 0 && !found)
        code = json_refuse(r, outer, t.at, "beside \"@type\" there must be one \"value\"", NULL);
    return code;
}

static int read_any(struct json_reader *r, const struct message_type *any, const struct json_place *place,
                    unsigned depth)
{
    struct bytes url;
    const uint8_t *at = r->scan.at;
    int code = find_type_url(r, place, depth, &url);
    if (code != 0)
        return code;
    if (url.at == NULL) {
        struct json_token t = json_next(&r->scan);
        bool more;
        code = json_any(r, JSON_OBJECT_END, &more);
        return code != 0 || !more ? code : json_refuse(r, place, t.at, "an Any needs its \"@type\"", NULL);
    }
    const struct message_type *type = schema_type_of_url(r->schema, url);
    if (type == NULL)
        return json_refuse(r, place, at, "\"@type\" must be a name with a '/' before it, of a type in the schema",
                           NULL);
    struct value v = {.kind = FIELD_STRING, .text = url};
    build_field(r->builder, &any->fields[0], &v);
    size_t begin = r->builder->size, mark = build_open(r->builder, &any->fields[1]);
    unsigned any_depth = r->any_depth;
    r->any_depth = depth;
    code = type->well_known != WELL_KNOWN_NONE && type->well_known != WELL_KNOWN_EMPTY
               ? read_any_known(r, type, place, depth)
               : json_read_fields(r, type, place, depth);
    r->any_depth = any_depth;
    /* An empty message needs no bytes. */
    if (r->builder->code == 0 && r->builder->size == mark)
        r->builder->size = begin;
    else
        build_close(r->builder, mark);
    return code;
}

int json_read_message(struct json_reader *r, const struct message_type *type, const struct json_place *place,
                      unsigned depth)
{
    if (depth > JSON_DEPTH_MAX)
        return json_refuse(r, place, r->scan.at, "the JSON is more than 100 deep", NULL);
    switch (type->well_known) {
    case WELL_KNOWN_ANY:
        return read_any(r, type, place, depth);
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
    case WELL_KNOWN_FIELD_MASK:
        return read_text(r, type, place);
    case WELL_KNOWN_STRUCT:
        return read_any_object(r, type, place, depth);
    case WELL_KNOWN_LIST_VALUE:
        return read_any_array(r, type, place, depth);
    case WELL_KNOWN_VALUE:
        return read_any_value(r, type, place, depth);
    case WELL_KNOWN_WRAPPER:
        return read_wrapper(r, type, place);
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_NONE:
        break;
    }
    return json_read_fields(r, type, place, depth);
}
