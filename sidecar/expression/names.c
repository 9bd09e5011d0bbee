#include "sidecar/expression/names_inside.h"

/* Longer names cannot be declared. */
#define NAME_MAX 512

/* Goes from the container outwards: "a.b.name", "a.name", "name". */
struct candidates {
    struct bytes container, name;
    bool last;
    char text[NAME_MAX];
};

static struct candidates candidates_of(const struct environment *environment, struct bytes name, bool absolute)
{
    struct candidates c = {.name = name};
    if (!absolute)
        c.container = environment->container;
    return c;
}

static bool next_candidate(struct candidates *c, struct bytes *out)
{
    if (c->last)
        return false;
    size_t container = c->container.size, dot = container > 0;
    if (container + dot + c->name.size > sizeof c->text) {
        c->last = true;
        return false;
    }
    if (container > 0)
        memcpy(c->text, c->container.at, container);
    if (dot)
        c->text[container] = '.';
    memcpy(c->text + container + dot, c->name.at, c->name.size);
    *out = bytes_of(c->text, container + dot + c->name.size);
    c->last = container == 0;
    while (container > 0 && c->container.at[container - 1] != '.')
        container--;
    c->container.size = container > 0 ? container - 1 : 0;
    return true;
}

static bool find_variable(const struct environment *environment, struct bytes name, struct named *out)
{
    for (unsigned i = 0; i < environment->variable_count; i++) {
        if (!bytes_equal(environment->variables[i].name, name))
            continue;
        *out = (struct named){.kind = NAMED_VARIABLE, .type = environment->variables[i].type, .variable = i};
        return true;
    }
    return false;
}

static bool find_constant(const struct schema *schema, struct bytes name, struct named *out)
{
    size_t dot = name.size;
    while (dot > 0 && name.at[dot - 1] != '.')
        dot--;
    if (dot < 2)
        return false;
    const struct enum_type *e = schema_enum(schema, bytes_of(name.at, dot - 1));
    const struct enum_value *v = e == NULL ? NULL : enum_value_by_name(e, bytes_of(name.at + dot, name.size - dot));
    if (v == NULL)
        return false;
    *out =
        (struct named){.kind = NAMED_CONSTANT, .type = enum_is_null(e) ? &type_null : &type_int, .number = v->number};
    return true;
}

static const struct type *find_plain_type(struct bytes name)
{
    static const struct type *const types[] = {
        &type_bool,    &type_int,  &type_uint, &type_double,    &type_string,   &type_bytes,       &type_list_dyn,
        &type_map_dyn, &type_null, &type_type, &type_timestamp, &type_duration, &type_optional_dyn};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (bytes_equal(name, type_name(types[i])))
            return types[i];
    return NULL;
}

static bool find_type(const struct schema *schema, struct pool *pool, struct bytes name, struct named *out)
{
    const struct type *t = find_plain_type(name);
    const struct message_type *message = t != NULL || schema == NULL ? NULL : schema_message(schema, name);
    if (message != NULL)
        t = type_of_message(pool, message);
    if (t == NULL)
        return false;
    *out = (struct named){.kind = NAMED_TYPE, .type = t};
    return true;
}

bool names_find(const struct environment *environment, struct pool *pool, struct bytes name, bool absolute,
                struct named *out)
{
    struct candidates c = candidates_of(environment, name, absolute);
    struct bytes candidate;
    while (next_candidate(&c, &candidate))
        if (find_variable(environment, candidate, out) || find_type(environment->schema, pool, candidate, out) ||
            (environment->schema != NULL && find_constant(environment->schema, candidate, out)))
            return true;
    return false;
}

const struct message_type *names_find_message(const struct environment *environment, struct bytes name, bool absolute)
{
    struct candidates c = candidates_of(environment, name, absolute);
    struct bytes candidate;
    while (environment->schema != NULL && next_candidate(&c, &candidate)) {
        const struct message_type *message = schema_message(environment->schema, candidate);
        if (message != NULL)
            return message;
    }
    return NULL;
}
