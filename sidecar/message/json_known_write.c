/* json_known_write.c - the types that JSON has forms of their own for: Any, Struct, Value, times, wrappers. */
#include "sidecar/message/json_inside.h"

#include "sidecar/base/timestamp.h"
#include "sidecar/base/utf8.h"
#include "sidecar/message/message.h"

static int get(struct json_writer *w, const struct message_type *type, unsigned number, struct bytes wire,
               struct value *v)
{
    int found = message_get(wire, message_field_by_number(type, number), &w->scratch, v);
    return found < 0 ? json_fail(w, type, "the bytes are no message, or too many") : 0;
}

static int write_time(struct json_writer *w, const struct message_type *type, struct bytes wire)
{
    struct value seconds, nanos;
    char text[TIMESTAMP_TEXT_SIZE];
    bool is_timestamp = type->well_known == WELL_KNOWN_TIMESTAMP;
    int code = get(w, type, 1, wire, &seconds);
    if (code == 0)
        code = get(w, type, 2, wire, &nanos);
    if (code != 0)
        return code;
    if (is_timestamp ? !timestamp_valid(seconds.i, nanos.i) : !duration_valid(seconds.i, nanos.i))
        return json_fail(w, type, "is out of its range");
    size_t size = is_timestamp ? timestamp_write(seconds.i, (int32_t)nanos.i, text)
                               : duration_write(seconds.i, (int32_t)nanos.i, text);
    json_put_text(w, bytes_of(text, size));
    return 0;
}

/* snake_case in lowerCamelCase; what would not come back the same is refused, as it is by protobuf's own libraries. */
static int put_path(struct json_writer *w, const struct message_type *type, struct bytes path)
{
    size_t plain = 0;
    if (!utf8_valid(path))
        return json_fail(w, type, "holds a string that is not UTF-8");
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.at[i];
        bool lower = i + 1 < path.size && path.at[i + 1] >= 'a' && path.at[i + 1] <= 'z';
        if ((c >= 'A' && c <= 'Z') || (c == '_' && !lower))
            return json_fail(w, type, "holds a path that has no form in JSON");
        if (c != '_')
            continue;
        json_put_part(w, bytes_of(path.at + plain, i - plain));
        c = (uint8_t)(path.at[++i] - 32);
        json_put_part(w, bytes_of(&c, 1));
        plain = i + 1;
    }
    json_put_part(w, bytes_of(path.at + plain, path.size - plain));
    return 0;
}

static int write_mask(struct json_writer *w, const struct message_type *type, struct bytes wire)
{
    struct message_items items;
    struct value path;
    int found, code = 0;
    bool first = true;
    json_put_raw(w, "\"");
    message_items(&items, wire, &type->fields[0]);
    while (code == 0 && (found = message_next(&items, &path)) != 0) {
        if (found < 0)
            return json_fail(w, type, "the bytes are no message");
        if (!first)
            json_put_raw(w, ",");
        first = false;
        code = put_path(w, type, path.text);
    }
    json_put_raw(w, "\"");
    return code;
}

static int write_list(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth)
{
    struct message_items items;
    struct value v;
    int found, code = 0;
    bool first = true;
    json_open(w, '[');
    message_items(&items, wire, &type->fields[0]);
    while (code == 0 && (found = message_next(&items, &v)) != 0) {
        if (found < 0)
            return json_fail(w, type, "the bytes are no message");
        json_begin(w, first);
        first = false;
        code = json_write_value(w, &type->fields[0], &v, depth);
    }
    json_close(w, ']', first);
    return code;
}

/* The one of a Value's fields that is set; null when none is. */
static int write_any_value(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth)
{
    for (unsigned number = 1; number <= 6; number++) {
        const struct field *f = message_field_by_number(type, number);
        struct value v;
        int found = message_get(wire, f, &w->scratch, &v);
        if (found < 0)
            return json_fail(w, type, "the bytes are no message, or too many");
        if (found == 0)
            continue;
        if (f->kind == FIELD_DOUBLE && v.d - v.d != 0)
            return json_fail(w, type, "holds a number that JSON does not have");
        return json_write_value(w, f, &v, depth);
    }
    json_put_raw(w, "null");
    return 0;
}

static int write_wrapper(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth)
{
    struct value v;
    int code = get(w, type, 1, wire, &v);
    return code != 0 ? code : json_write_value(w, &type->fields[0], &v, depth);
}

static int write_any(struct json_writer *w, const struct message_type *any, struct bytes wire, unsigned depth)
{
    struct value url, inner;
    bool empty = true;
    int code = get(w, any, 1, wire, &url);
    if (code == 0)
        code = get(w, any, 2, wire, &inner);
    if (code != 0)
        return code;
    json_open(w, '{');
    if (url.text.size > 0) {
        const struct message_type *type = schema_type_of_url(w->schema, url.text);
        if (type == NULL)
            return json_fail(w, any, "holds a type that is not in the schema");
        json_begin(w, true);
        json_put_key(w, bytes_of_text("@type"));
        code = json_write_value(w, &any->fields[0], &url, depth);
        empty = false;
        if (code == 0 && type->well_known != WELL_KNOWN_NONE && type->well_known != WELL_KNOWN_EMPTY) {
            json_begin(w, false);
            json_put_key(w, bytes_of_text("value"));
            code = json_write_message(w, type, inner.text, depth + 1);
        } else if (code == 0) {
            code = json_write_fields(w, type, inner.text, false, depth, &empty);
        }
    } else if (inner.text.size > 0) {
        return json_fail(w, any, "holds bytes without a type");
    }
    json_close(w, '}', empty);
    return code;
}

static int write_plain(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth)
{
    bool empty = true;
    json_open(w, '{');
    int code = json_write_fields(w, type, wire, true, depth, &empty);
    json_close(w, '}', empty);
    return code;
}

int json_write_message(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth)
{
    if (depth > JSON_DEPTH_MAX)
        return json_fail(w, type, "messages are more than 100 within one another");
    switch (type->well_known) {
    case WELL_KNOWN_ANY:
        return write_any(w, type, wire, depth);
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
        return write_time(w, type, wire);
    case WELL_KNOWN_FIELD_MASK:
        return write_mask(w, type, wire);
    case WELL_KNOWN_STRUCT:
        return json_write_struct(w, type, wire, depth);
    case WELL_KNOWN_LIST_VALUE:
        return write_list(w, type, wire, depth);
    case WELL_KNOWN_VALUE:
        return write_any_value(w, type, wire, depth);
    case WELL_KNOWN_WRAPPER:
        return write_wrapper(w, type, wire, depth);
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_NONE:
        break;
    }
    return write_plain(w, type, wire, depth);
}
