#include "sidecar/definition/typed_request.h"

#include "sidecar/base/nearest.h"
#include "sidecar/definition/yaml_value.h"
#include "sidecar/message/scalar.h"

/* Of a message's fields, to name the nearest. */
#define FIELDS_NAMED_MAX 256

static int read_fields(const struct typed_request *t, const struct yaml_node *n, const struct message_type *type);
static int read_one(const struct typed_request *t, const struct yaml_node *n, const struct field *f, bool item);

static bool is_expression(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR && n->text.size > 0 && n->text.at[0] == '=';
}

static struct bytes behind_sign(const struct yaml_node *n)
{
    return bytes_of(n->text.at + 1, n->text.size - 1);
}

static int no_memory(const struct typed_request *t)
{
    return error_set(t->detail, E_MEMORY, NULL, NULL);
}

/* Opens and closes a message around what read makes. */
static int within(const struct typed_request *t, const struct yaml_node *n, const struct field *f,
                  int (*read)(const struct typed_request *t, const struct yaml_node *n, const struct field *f))
{
    struct expression_error error;
    int code = mapping_open(t->mapping, f, &error);
    if (code != 0)
        return typed_refuse(n, 0, code, &error, t->detail);
    code = read(t, n, f);
    if (code == 0 && mapping_close(t->mapping, &error) != 0)
        code = no_memory(t);
    return code;
}

/* ---- literals ---- */

/* What writes the fields of a constant. */
struct constant {
    struct pool pool;
    struct builder builder;
};

static void constant_init(struct constant *c, const struct typed_request *t)
{
    pool_init(&c->pool, &typed_memory, t->limits->payload_bytes_max + 65536u);
    builder_init(&c->builder, &c->pool, t->limits->payload_bytes_max);
}

static int constant_finish(struct constant *c, const struct typed_request *t, const struct yaml_node *n, int code)
{
    struct bytes wire;
    struct expression_error error;
    if (code == 0)
        code = builder_finish(&c->builder, &wire);
    if (code == E_PAYLOAD)
        code = yaml_refuse(n, E_PAYLOAD, t->detail, "is larger than payload_bytes_max (%u)",
                           (unsigned)t->limits->payload_bytes_max);
    else if (code != 0 && t->detail->text[0] == '\0')
        code = no_memory(t);
    if (code == 0 && mapping_add_constant(t->mapping, wire, &error) != 0)
        code = no_memory(t);
    pool_finish(&c->pool);
    return code;
}

/* A number, a text, a bool, a name of an enum. */
static int build_scalar(const struct typed_request *t, const struct yaml_node *n, const struct field *f,
                        struct bytes text, bool quoted, struct constant *c)
{
    struct value v;
    struct error_detail why = {.text = ""};
    bool as_text = quoted || f->kind == FIELD_STRING || f->kind == FIELD_BYTES || f->kind == FIELD_ENUM;
    int code = scalar_read(f, text, as_text, &c->pool, &v, &why);
    /* An enum's number stands without quotes. */
    if (code == E_ARGUMENT && f->kind == FIELD_ENUM && !quoted && scalar_read(f, text, false, &c->pool, &v, &why) == 0)
        code = 0;
    if (code == E_ARGUMENT)
        return yaml_rule(t->detail, "literal-type", yaml_refuse(n, code, t->detail, "%s", why.text));
    if (code == 0)
        build_field(&c->builder, f, &v);
    return code;
}

static int read_scalar(const struct typed_request *t, const struct yaml_node *n, const struct field *f)
{
    struct constant c;
    constant_init(&c, t);
    t->detail->text[0] = '\0';
    return constant_finish(&c, t, n, build_scalar(t, n, f, n->text, !n->plain, &c));
}

/* A message that JSON writes as one value: a time, a wrapper. */
static int read_single(const struct typed_request *t, const struct yaml_node *n, const struct field *f)
{
    struct constant c;
    struct error_detail why = {.text = ""};
    constant_init(&c, t);
    t->detail->text[0] = '\0';
    size_t mark = build_open(&c.builder, f);
    int code;
    if (f->message->well_known == WELL_KNOWN_WRAPPER) {
        code = build_scalar(t, n, &f->message->fields[0], n->text, !n->plain, &c);
    } else {
        code = scalar_read_text(f->message, n->text, &c.builder, &why);
        if (code == E_ARGUMENT)
            code = yaml_rule(t->detail, "literal-type", yaml_refuse(n, code, t->detail, "%s", why.text));
    }
    build_close(&c.builder, mark);
    return constant_finish(&c, t, n, code);
}

/* ---- messages ---- */

static int read_message_fields(const struct typed_request *t, const struct yaml_node *n, const struct field *f)
{
    return read_fields(t, n, f->message);
}

static int read_message(const struct typed_request *t, const struct yaml_node *n, const struct field *f)
{
    const struct message_type *type = f->message;
    bool single = scalar_is_text(type) || type->well_known == WELL_KNOWN_WRAPPER;
    bool free_form = type->well_known == WELL_KNOWN_STRUCT || type->well_known == WELL_KNOWN_VALUE ||
                     type->well_known == WELL_KNOWN_LIST_VALUE || type->well_known == WELL_KNOWN_ANY;
    if (free_form)
        return yaml_refuse(n, E_ARGUMENT, t->detail, "is a %s; write it as an expression: \"={'key': 1}\"",
                           (const char *)type->name.at);
    if (single && n->kind == YAML_SCALAR)
        return read_single(t, n, f);
    if (single || n->kind != YAML_MAPPING)
        return yaml_refuse(n, E_ARGUMENT, t->detail, single ? "must be one value" : "must be a mapping, the message %s",
                           (const char *)type->name.at);
    return within(t, n, f, read_message_fields);
}

/* An entry of a map: its key, and its value. */
static int read_entry(const struct typed_request *t, const struct yaml_node *n, const struct field *f)
{
    struct constant c;
    constant_init(&c, t);
    t->detail->text[0] = '\0';
    int code = constant_finish(&c, t, n, build_scalar(t, n, &f->message->fields[0], n->key, true, &c));
    return code != 0 ? code : read_one(t, n, &f->message->fields[1], false);
}

static int read_items(const struct typed_request *t, const struct yaml_node *n, const struct field *f)
{
    enum yaml_kind wanted = f->map ? YAML_MAPPING : YAML_SEQUENCE;
    int code = 0;
    if (n->kind != wanted)
        return yaml_refuse(n, E_ARGUMENT, t->detail, f->map ? "must be a mapping" : "must be a list");
    for (const struct yaml_node *item = n->first; code == 0 && item != NULL; item = item->next)
        code = f->map ? within(t, item, f, read_entry) : read_one(t, item, f, true);
    return code;
}

/* A value of the field: an expression, or a literal; with item, one of a repeated field. */
static int read_one(const struct typed_request *t, const struct yaml_node *n, const struct field *f, bool item)
{
    struct expression_error error;
    if (is_expression(n)) {
        int code = mapping_add_expression(t->mapping, f, item, behind_sign(n), &error);
        return code == 0 ? 0 : typed_refuse(n, 1, code, &error, t->detail);
    }
    if (yaml_node_is_null(n) && item)
        return yaml_refuse(n, E_ARGUMENT, t->detail, "is null; a list has no such items");
    if (yaml_node_is_null(n))
        return 0;
    if (f->repeated && !item)
        return read_items(t, n, f);
    if (f->kind == FIELD_MESSAGE)
        return read_message(t, n, f);
    if (n->kind != YAML_SCALAR)
        return yaml_refuse(n, E_ARGUMENT, t->detail, "must be one value, of type %s", field_kind_name(f->kind));
    return read_scalar(t, n, f);
}

static int refuse_field(const struct typed_request *t, const struct yaml_node *n, const struct message_type *type)
{
    const char *names[FIELDS_NAMED_MAX];
    unsigned count = 0;
    for (; count < type->field_count && count < FIELDS_NAMED_MAX; count++)
        names[count] = (const char *)type->fields[count].name.at;
    const char *nearest = nearest_name(n->key, names, count);
    return yaml_rule(t->detail, "field-unknown",
                     yaml_refuse_key(n, E_ARGUMENT, t->detail, "%s has no such field%s%s%s",
                                     (const char *)type->name.at, nearest == NULL ? "" : "; did you mean ",
                                     nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?"));
}

static int read_fields(const struct typed_request *t, const struct yaml_node *n, const struct message_type *type)
{
    int code = 0;
    for (const struct yaml_node *child = n->first; code == 0 && child != NULL; child = child->next) {
        const struct field *f = message_field_by_any_name(type, child->key);
        if (f == NULL)
            return refuse_field(t, child, type);
        if (f->kind == FIELD_GROUP)
            return yaml_refuse_key(child, E_ARGUMENT, t->detail, "is a group, which is not written");
        for (const struct yaml_node *other = n->first; other != child; other = other->next) {
            const struct field *g = message_field_by_any_name(type, other->key);
            if (f == g)
                return yaml_refuse_key(child, E_ARGUMENT, t->detail, "is given twice, under two names");
            if (f->oneof >= 0 && f->oneof == g->oneof)
                return yaml_refuse_key(child, E_ARGUMENT, t->detail, "excludes %s: both are of one oneof",
                                       (const char *)g->name.at);
        }
        code = read_one(t, child, f, false);
    }
    return code;
}

int typed_request_read(const struct typed_request *t, const struct yaml_node *n, const struct message_type *type)
{
    struct expression_error error;
    if (is_expression(n)) {
        int code = mapping_add_whole(t->mapping, behind_sign(n), &error);
        return code == 0 ? 0 : typed_refuse(n, 1, code, &error, t->detail);
    }
    if (n->kind != YAML_MAPPING)
        return yaml_refuse(n, E_ARGUMENT, t->detail, "must map the fields of %s, or be an expression (=input)",
                           type == NULL ? "a message" : (const char *)type->name.at);
    return read_fields(t, n, type);
}
