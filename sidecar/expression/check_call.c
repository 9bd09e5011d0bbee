/* Which of a function's overloads a call may mean, and what type that gives. */
#include "sidecar/expression/check_inside.h"

/* One overload's text being read, with the types that its letters stand for in this call. */
struct signature {
    struct unifier *unifier;
    const char *at;
    const struct type *letters[2]; /* A and B */
};

static const struct type *read_type(struct signature *s)
{
    struct pool *p = s->unifier->pool;
    char c = *s->at++;
    switch (c) {
    case 'b':
        return &type_bool;
    case 'i':
        return &type_int;
    case 'u':
        return &type_uint;
    case 'd':
        return &type_double;
    case 's':
        return &type_string;
    case 'y':
        return &type_bytes;
    case 't':
        return &type_timestamp;
    case 'D':
        return &type_duration;
    case '*':
        return &type_dyn;
    case 'l':
        return type_list(p, read_type(s));
    case 'm': {
        const struct type *key = read_type(s);
        return type_map(p, key, read_type(s));
    }
    case 'o':
        return type_optional(p, read_type(s));
    case 'T':
        return type_of_type(p, read_type(s));
    default:
        if (s->letters[c - 'A'] == NULL)
            s->letters[c - 'A'] = unify_fresh(s->unifier);
        return s->letters[c - 'A'];
    }
}

static const struct node *argument(const struct node *n, uint32_t i)
{
    if (n->operand == NULL)
        return n->args[i];
    return i == 0 ? n->operand : n->args[i - 1];
}

/* Whether the arguments fit the overload at *text, which is moved behind it; then *result is its type. */
static bool overload_fits(struct checker *c, const struct node *n, const char **text, const struct type **result)
{
    struct signature s = {.unifier = &c->unifier, .at = *text};
    uint32_t count = n->count + (n->operand != NULL), i = 0;
    uint32_t mark = unify_mark(&c->unifier);
    bool fits = true;
    for (; *s.at != ':'; i++) {
        const struct type *wanted = read_type(&s);
        c->unifier.no_room = c->unifier.no_room || wanted == NULL;
        fits = fits && wanted != NULL && i < count && unify_assignable(&c->unifier, wanted, argument(n, i)->type);
    }
    s.at++;
    *result = read_type(&s);
    *text = s.at + (*s.at == ' ');
    if (*result == NULL)
        c->unifier.no_room = true;
    fits = fits && i == count && *result != NULL;
    if (!fits)
        unify_undo(&c->unifier, mark);
    return fits;
}

/* How a function is written: an operator by its sign. */
static void append_name(struct checker *c, struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.at[i] != '_' || name.size > 6)
            expression_error_append(c->error, bytes_of(name.at + i, 1));
}

/* The type of a field of an enum among the arguments, or NULL. */
static const struct enum_type *enum_among(const struct node *n)
{
    for (uint32_t i = 0; i < n->count + (n->operand != NULL); i++) {
        const struct node *a = argument(n, i);
        if (a->kind == NODE_FIELD && !a->test && !a->field->repeated && a->field->kind == FIELD_ENUM)
            return a->field->enumeration;
    }
    return NULL;
}

static void refuse_call(struct checker *c, const struct node *n)
{
    if (c->code != 0)
        return;
    check_refuse(c, E_ARGUMENT, n->position, "");
    append_name(c, bytes_of_text(functions[n->function].name));
    expression_error_append(c->error, bytes_of_text(" cannot be used with ("));
    for (uint32_t i = 0; i < n->count + (n->operand != NULL); i++) {
        if (i > 0)
            expression_error_append(c->error, bytes_of_text(", "));
        check_append_type(c, argument(n, i)->type);
    }
    const struct enum_type *e = enum_among(n);
    if (e == NULL) {
        expression_error_append(c->error, bytes_of_text("); convert with int(), uint(), double() or string()"));
        return;
    }
    expression_error_append(c->error, bytes_of_text("); the values of the enum have names: "));
    expression_error_append(c->error, e->name);
    expression_error_append(c->error, bytes_of_text("."));
    expression_error_append(c->error, e->values[e->value_count > 1 ? 1 : 0].name);
}

/* math.greatest and math.least: any count of numbers, or a list of them. */
static bool check_numbers(struct checker *c, struct node *n)
{
    const struct type *result = NULL;
    for (uint32_t i = 0; i < n->count; i++) {
        const struct type *t = unify_look(&c->unifier, n->args[i]->type);
        if (n->count == 1 && t->kind == TYPE_LIST) {
            bool empty = n->args[i]->kind == NODE_LIST && n->args[i]->count == 0;
            t = empty ? &type_string : unify_look(&c->unifier, t->of[0]);
        }
        if (t->kind == TYPE_WRAPPER)
            t = t->of[0];
        if (t->kind != TYPE_INT && t->kind != TYPE_UINT && t->kind != TYPE_DOUBLE && t->kind != TYPE_DYN)
            return false;
        result = result == NULL || result->kind == t->kind ? t : &type_dyn;
    }
    n->type = result;
    return n->count > 0;
}

void check_overloads(struct checker *c, struct node *n)
{
    if (n->function == FUNCTION_ID_GREATEST || n->function == FUNCTION_ID_LEAST) {
        if (check_numbers(c, n))
            return;
        n->type = NULL;
    }
    const struct type *type = NULL;
    for (const char *text = functions[n->function].overloads; *text != '\0';) {
        const struct type *result;
        if (!overload_fits(c, n, &text, &result))
            continue;
        result = unify_apply(&c->unifier, result, false);
        type = type == NULL || unify_same(type, result) ? result : &type_dyn;
    }
    if (type == NULL && c->environment->unchecked)
        type = &type_dyn;
    n->type = type;
    if (type == NULL && !c->unifier.no_room)
        refuse_call(c, n);
}
