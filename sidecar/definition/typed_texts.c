#include "sidecar/definition/typed_texts.h"

#include "sidecar/definition/names.h"
#include "sidecar/definition/yaml_value.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_expression(const struct yaml_node *n)
{
    return n->text.size > 0 && n->text.at[0] == '=';
}

/* Adds one text, which n names by its key. */
typedef int add_text(struct mapping *m, unsigned step, const struct yaml_node *n, struct bytes text, bool expression,
                     struct expression_error *error);

static int add_tag(struct mapping *m, unsigned step, const struct yaml_node *n, struct bytes text, bool expression,
                   struct expression_error *error)
{
    (void)step;
    return mapping_add_tag(m, n->key, text, expression, error);
}

static int add_metadata(struct mapping *m, unsigned step, const struct yaml_node *n, struct bytes text, bool expression,
                        struct expression_error *error)
{
    return mapping_add_metadata(m, step, n->key, text, expression, error);
}

static int read_text(const struct yaml_node *n, struct mapping *m, unsigned step, add_text *add,
                     struct error_detail *detail)
{
    struct expression_error error;
    if (n->kind != YAML_SCALAR || yaml_node_is_null(n))
        return yaml_refuse(n, E_ARGUMENT, detail, "must be a text, or an expression that gives one");
    bool expression = is_expression(n);
    if (!expression && n->text.size > MAPPING_TEXT_BYTES_MAX)
        return yaml_refuse(n, E_ARGUMENT, detail, "is longer than 256 bytes");
    struct bytes text = bytes_of(n->text.at + expression, n->text.size - expression);
    int code = add(m, step, n, text, expression, &error);
    return code == 0 ? 0 : typed_refuse(n, expression, code, &error, detail);
}

int typed_tags_read(const struct yaml_node *n, struct mapping *m, struct error_detail *detail)
{
    if (n == NULL)
        return 0;
    if (n->kind != YAML_MAPPING)
        return yaml_refuse(n, E_ARGUMENT, detail, "must map names to texts");
    int code = 0;
    for (const struct yaml_node *tag = n->first; code == 0 && tag != NULL; tag = tag->next) {
        if (!definition_name_valid(tag->key, STEP_NAME_BYTES_MAX))
            return yaml_refuse_key(tag, E_ARGUMENT, detail, "a tag's name is 1 to 64 letters, digits, '-', '_' or '.'");
        code = read_text(tag, m, 0, add_tag, detail);
    }
    return code;
}

static bool begins_with(struct bytes name, const char *text)
{
    size_t size = strlen(text);
    return name.size >= size && memcmp(name.at, text, size) == 0;
}

/* What HTTP/2, gRPC and the sidecar say themselves. */
static bool is_ours(struct bytes name)
{
    static const char *const taken[] = {"idempotency-key", "traceparent", "tracestate", "te",
                                        "content-type",    "user-agent",  "host",       "connection"};
    bool ours = begins_with(name, "saga-") || begins_with(name, "grpc-");
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        ours = ours || bytes_equal(name, bytes_of_text(taken[i]));
    return ours;
}

static bool is_header(struct bytes name)
{
    bool valid = definition_name_valid(name, STEP_NAME_BYTES_MAX);
    for (size_t i = 0; i < name.size; i++)
        valid = valid && (name.at[i] < 'A' || name.at[i] > 'Z');
    return valid && (name.size < 4 || memcmp(name.at + name.size - 4, "-bin", 4) != 0);
}

int typed_metadata_read(const struct yaml_node *n, struct mapping *m, unsigned step, struct error_detail *detail)
{
    if (n == NULL)
        return 0;
    if (n->kind != YAML_MAPPING)
        return yaml_refuse(n, E_ARGUMENT, detail, "must map names to texts");
    int code = 0;
    for (const struct yaml_node *one = n->first; code == 0 && one != NULL; one = one->next) {
        if (!is_header(one->key))
            return yaml_refuse_key(
                one, E_ARGUMENT, detail,
                "a name is 1 to 64 small letters, digits, '-', '_' or '.', and does not end in -bin");
        if (is_ours(one->key))
            return yaml_refuse_key(one, E_ARGUMENT, detail, "is said by gRPC or the sidecar itself");
        code = read_text(one, m, step, add_metadata, detail);
    }
    return code;
}

/* ---- output ---- */

static int no_memory(const struct typed_request *t)
{
    return error_set(t->detail, E_MEMORY, NULL, NULL);
}

/* A literal as an expression gives it: a number or a bool, or else a text. */
static int add_literal(const struct typed_request *t, const struct yaml_node *n, const struct field *value)
{
    struct expression_error error;
    bool plain = n->plain && mapping_add_expression(t->mapping, value, false, n->text, &error) == 0;
    if (plain)
        return 0;
    char *text = malloc(2 * n->text.size + 3);
    size_t size = 0;
    if (text == NULL)
        return no_memory(t);
    text[size++] = '\'';
    for (size_t i = 0; i < n->text.size; i++) {
        if (n->text.at[i] == '\'' || n->text.at[i] == '\\')
            text[size++] = '\\';
        if (n->text.at[i] == '\n')
            text[size++] = '\\';
        text[size++] = n->text.at[i] == '\n' ? 'n' : (char)n->text.at[i];
    }
    text[size++] = '\'';
    int code = mapping_add_expression(t->mapping, value, false, bytes_of(text, size), &error);
    free(text);
    return code == 0 ? 0 : typed_refuse(n, 0, code, &error, t->detail);
}

/* Whether a plain scalar is what JSON calls a number, true or false. */
static bool is_number_or_bool(const struct yaml_node *n)
{
    bool number = n->text.size > 0;
    for (size_t i = 0; i < n->text.size; i++) {
        uint8_t c = n->text.at[i];
        number = number && ((c >= '0' && c <= '9') || c == '.' || (i == 0 && c == '-'));
    }
    return number || bytes_equal(n->text, bytes_of_text("true")) || bytes_equal(n->text, bytes_of_text("false"));
}

/* One entry of a Struct: its name, and any of JSON's values. */
static int read_entry(const struct typed_request *t, const struct yaml_node *n, const struct field *fields)
{
    struct expression_error error;
    uint8_t key[2 + STEP_NAME_BYTES_MAX];
    if (n->kind != YAML_SCALAR)
        return yaml_refuse(n, E_ARGUMENT, t->detail, "must be a value or an expression: \"={'key': input.id}\"");
    if (n->key.size == 0 || n->key.size > STEP_NAME_BYTES_MAX)
        return yaml_refuse_key(n, E_ARGUMENT, t->detail, "a name is 1 to 64 bytes");
    key[0] = 1 << 3 | 2; /* the key of a map's entry, a string */
    key[1] = (uint8_t)n->key.size;
    memcpy(key + 2, n->key.at, n->key.size);
    const struct field *value = &fields->message->fields[1];
    int code = mapping_open(t->mapping, fields, &error);
    if (code == 0)
        code = mapping_add_constant(t->mapping, bytes_of(key, 2 + n->key.size), &error);
    if (code != 0)
        return typed_refuse(n, 0, code, &error, t->detail);
    if (is_expression(n)) {
        code = mapping_add_expression(t->mapping, value, false, bytes_of(n->text.at + 1, n->text.size - 1), &error);
        if (code != 0)
            return typed_refuse(n, 1, code, &error, t->detail);
    } else {
        struct yaml_node literal = *n;
        literal.plain = n->plain && is_number_or_bool(n);
        code = add_literal(t, &literal, value);
    }
    return code != 0 ? code : mapping_close(t->mapping, &error) == 0 ? 0 : no_memory(t);
}

static int read_struct(const struct yaml_node *n, const struct typed_request *t, const struct message_type *type)
{
    int code = mapping_begin_output(t->mapping, type);
    for (const struct yaml_node *entry = n->first; code == 0 && entry != NULL; entry = entry->next)
        code = read_entry(t, entry, &type->fields[0]);
    return code;
}

int typed_output_read(const struct yaml_node *n, const struct yaml_node *named, const struct typed_request *t,
                      const struct schema *schema)
{
    const struct message_type *type = NULL;
    if (n == NULL)
        return named == NULL
                   ? 0
                   : yaml_refuse_key(named, E_ARGUMENT, t->detail, "is the type of output, which is not there");
    if (named != NULL) {
        type = named->kind == YAML_SCALAR ? schema_message(schema, named->text) : NULL;
        if (type == NULL || type->map_entry)
            return yaml_refuse(named, E_ARGUMENT, t->detail, "the schema has no such message");
    }
    if (type == NULL && n->kind == YAML_MAPPING) {
        type = mapping_struct(t->mapping);
        return type == NULL ? no_memory(t) : read_struct(n, t, type);
    }
    mapping_begin_output(t->mapping, type);
    return typed_request_read(t, n, type);
}
