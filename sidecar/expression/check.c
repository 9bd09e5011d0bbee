/* The checker: what each name means, and which type each part has. What it finds out is written into the nodes. */
#include "sidecar/expression/check_inside.h"

#include "sidecar/base/nearest.h"
#include "sidecar/expression/clock_text_inside.h"
#include "sidecar/expression/names_inside.h"
#include "sidecar/expression/regex.h"

static void check(struct checker *c, struct node *n);

void *check_refuse(struct checker *c, int code, uint32_t position, const char *text)
{
    if (c->code == 0)
        c->code = expression_fail(c->error, code, position, text);
    return NULL;
}

static void append(struct checker *c, const char *text)
{
    expression_error_append(c->error, bytes_of_text(text));
}

void check_append_type(struct checker *c, const struct type *t)
{
    char text[96];
    size_t size = type_print(unify_apply(&c->unifier, t, true), text, sizeof text);
    expression_error_append(c->error, bytes_of(text, size));
}

/* A meaning is missing: refused, or left to fail when it is evaluated. about is part of the sentence. */
static void meaningless(struct checker *c, struct node *n, uint32_t position, const char *text, struct bytes about)
{
    n->type = &type_dyn;
    if (c->environment->unchecked) {
        n->kind = NODE_UNKNOWN;
        n->name = bytes_of_text(text);
        return;
    }
    if (c->code == 0) {
        check_refuse(c, E_ARGUMENT, position, text);
        expression_error_append(c->error, about);
    }
}

static void out_of_room(struct checker *c)
{
    check_refuse(c, E_MEMORY, 0, "the expression needs more memory than it may have");
}

/* Whether a value of this type may stand where a bool must. */
static void check_condition(struct checker *c, struct node *n)
{
    check(c, n);
    if (c->code != 0 || c->environment->unchecked || unify_try(&c->unifier, &type_bool, n->type))
        return;
    check_refuse(c, E_ARGUMENT, n->position, "a condition is a bool, and this is ");
    check_append_type(c, n->type);
}

static void check_literal(struct checker *c, struct node *n)
{
    n->type = datum_type(c->pool, &n->literal);
}

/* ---- names ---- */

static const struct local *find_local(const struct checker *c, struct bytes name)
{
    for (uint32_t i = c->local_count; i > 0; i--)
        if (bytes_equal(c->locals[i - 1].name, name))
            return &c->locals[i - 1];
    return NULL;
}

static void push_local(struct checker *c, struct bytes name, const struct type *type)
{
    if (c->local_count == LOCALS_MAX) {
        check_refuse(c, E_PAYLOAD, 0, "macros within one another give more than 64 names");
        return;
    }
    c->locals[c->local_count++] = (struct local){.name = name, .type = type};
    if (c->local_count > c->locals_most)
        c->locals_most = c->local_count;
}

static bool use_local(struct checker *c, struct node *n, struct bytes name)
{
    const struct local *local = find_local(c, name);
    if (local == NULL)
        return false;
    n->kind = NODE_LOCAL;
    n->slot = (uint32_t)(local - c->locals);
    n->type = local->type;
    return true;
}

/* Makes of n what the name means; false when it means nothing. */
static bool use_name(struct checker *c, struct node *n, struct bytes name, bool absolute)
{
    struct named named;
    if (!names_find(c->environment, c->pool, name, absolute, &named))
        return false;
    n->type = named.type;
    switch (named.kind) {
    case NAMED_VARIABLE:
        n->slot = named.variable;
        if (n->test) {
            if (!c->environment->variables[named.variable].may_be_absent && !c->environment->unchecked)
                check_refuse(c, E_ARGUMENT, n->position,
                             "has() is asked of a field, and this is a name that always has a value");
            n->type = &type_bool;
        }
        n->kind = NODE_VARIABLE;
        break;
    case NAMED_CONSTANT:
        n->kind = NODE_LITERAL;
        n->literal = named.type->kind == TYPE_NULL ? datum_null() : datum_int(named.number);
        break;
    case NAMED_TYPE:
        n->kind = NODE_LITERAL;
        n->literal = datum_of_type(named.type);
        n->type = type_of_type(c->pool, named.type);
        if (n->type == NULL)
            out_of_room(c);
        break;
    }
    return true;
}

/* Whether n is a name with dots and its first part no macro's; then *name is all of it. */
static bool qualified_name(struct checker *c, const struct node *n, struct bytes *name, bool *absolute)
{
    const struct node *first = n;
    size_t size = 0;
    for (; first->kind == NODE_SELECT; first = first->operand) {
        if ((first->test && first != n) || first->optional)
            return false;
        size += first->name.size + 1;
    }
    if (first->kind != NODE_NAME || (!first->absolute && find_local(c, first->name) != NULL))
        return false;
    size += first->name.size;
    uint8_t *text = pool_take(c->pool, size + 1);
    if (text == NULL) {
        out_of_room(c);
        return false;
    }
    *name = bytes_of(text, size);
    *absolute = first->absolute;
    for (; n->kind == NODE_SELECT; n = n->operand) {
        size -= n->name.size;
        memcpy(text + size, n->name.at, n->name.size);
        text[--size] = '.';
    }
    memcpy(text, first->name.at, first->name.size);
    return true;
}

static bool begins(struct bytes name, struct bytes whole)
{
    return whole.size >= name.size && memcmp(whole.at, name.at, name.size) == 0 &&
           (whole.size == name.size || whole.at[name.size] == '.');
}

/* Whether name is one of the parts of a name with dots, behind its first. */
static bool is_part(struct bytes name, struct bytes whole)
{
    const uint8_t *dot;
    while (whole.size > 0 && (dot = memchr(whole.at, '.', whole.size)) != NULL) {
        whole.size -= (size_t)(dot + 1 - whole.at);
        whole.at = dot + 1;
        if (begins(name, whole))
            return true;
    }
    return false;
}

/* The first variable of which is says so; its name is empty when there is none. */
static struct bytes first_whose(const struct checker *c, struct bytes name, bool (*is)(struct bytes, struct bytes))
{
    const struct environment *e = c->environment;
    for (unsigned i = 0; i < e->variable_count; i++)
        if (is(name, e->variables[i].name))
            return e->variables[i].name;
    return bytes_of(NULL, 0);
}

static size_t part_size(struct bytes name, size_t from)
{
    size_t to = from;
    while (to < name.size && name.at[to] != '.')
        to++;
    return to - from;
}

/* Which part of a name was meant that stands behind the first `from` bytes of name; NULL when none is near. */
static const char *meant(struct checker *c, struct bytes name, size_t from)
{
    const struct environment *e = c->environment;
    const char **parts = pool_take(c->pool, (e->variable_count + c->local_count + 1) * sizeof *parts);
    size_t count = 0;
    for (unsigned i = 0; parts != NULL && i < e->variable_count + c->local_count; i++) {
        bool local = i >= e->variable_count;
        struct bytes v = local ? c->locals[i - e->variable_count].name : e->variables[i].name;
        if (v.size <= from || (local && from > 0) || (from > 0 && memcmp(v.at, name.at, from) != 0))
            continue;
        size_t size = part_size(v, from);
        char *part = pool_take(c->pool, size + 1);
        if (part == NULL)
            break;
        memcpy(part, v.at + from, size);
        part[size] = '\0';
        parts[count++] = part;
    }
    return count == 0 ? NULL : nearest_name(bytes_of(name.at + from, part_size(name, from)), parts, count);
}

/* Says which part of a name with dots it is that nothing begins with, or all of it, and what may have been meant. */
static void unknown_name(struct checker *c, struct node *n)
{
    struct bytes all = c->dotted.size > 0 ? c->dotted : n->name, name = all;
    size_t from = 0;
    name.size = part_size(all, 0);
    while (name.size < all.size && first_whose(c, name, begins).size > 0) {
        from = name.size + 1;
        name.size = from + part_size(all, from);
    }
    struct bytes below = first_whose(c, name, begins);
    if (below.size == 0 && from == 0)
        below = first_whose(c, name, is_part); /* it means nothing alone */
    const char *part = below.size > 0 || c->environment->unchecked ? NULL : meant(c, name, from);
    bool near = below.size > 0 || part != NULL;
    meaningless(c, n, n->position, "nothing has this name: ", near || from > 0 ? name : all);
    if (!near || c->code != E_ARGUMENT)
        return;
    append(c, "; did you mean ");
    expression_error_append(c->error, below.size > 0 ? below : bytes_of(name.at, from));
    append(c, part == NULL ? "" : part);
    append(c, "?");
}

static void check_name(struct checker *c, struct node *n)
{
    if (!n->absolute && use_local(c, n, n->name))
        return;
    if (!use_name(c, n, n->name, n->absolute) && c->code == 0)
        unknown_name(c, n);
}

/* ---- fields ---- */

static const struct type *field_type(struct checker *c, const struct field *f)
{
    const struct type *t = type_of_field(c->pool, f);
    if (t == NULL)
        out_of_room(c);
    return t == NULL ? &type_dyn : t;
}

/* The field of a message, refused when it has none of this name, or one that cannot be read. */
static const struct field *find_field(struct checker *c, const struct message_type *message, struct bytes name,
                                      uint32_t position)
{
    const struct field *f = message_field_by_name(message, name);
    if (f != NULL && f->kind != FIELD_GROUP)
        return f;
    if (c->code == 0) {
        check_refuse(c, E_ARGUMENT, position,
                     f == NULL ? "the message has no field of this name: " : "a group cannot be read: ");
        expression_error_append(c->error, message->name);
        append(c, ".");
        expression_error_append(c->error, name);
    }
    return NULL;
}

static void check_select(struct checker *c, struct node *n)
{
    struct bytes name;
    bool absolute;
    bool qualified = qualified_name(c, n, &name, &absolute);
    if (qualified && use_name(c, n, name, absolute))
        return;
    if (c->code != 0)
        return;
    bool outermost = qualified && c->dotted.size == 0;
    if (outermost)
        c->dotted = name;
    check(c, n->operand);
    if (outermost)
        c->dotted.size = 0;
    if (c->code != 0)
        return;
    const struct type *of = unify_look(&c->unifier, n->operand->type);
    bool optional = of->kind == TYPE_OPTIONAL;
    if (optional)
        of = unify_look(&c->unifier, of->of[0]);
    switch (of->kind) {
    case TYPE_MAP:
        n->type = of->of[1];
        break;
    case TYPE_MESSAGE:
        if (c->environment->unchecked) {
            n->type = &type_dyn;
            break;
        }
        n->field = find_field(c, of->message, n->name, n->position);
        if (n->field == NULL)
            return;
        n->type = field_type(c, n->field);
        /* Of an optional message the plain select finds its way when it is evaluated. */
        if (!optional && !n->optional)
            n->kind = NODE_FIELD;
        break;
    case TYPE_VARIABLE:
        /* It must not become a type that has no such field later. */
        unify_try(&c->unifier, &type_dyn, of);
        n->type = &type_dyn;
        break;
    case TYPE_DYN:
        n->type = &type_dyn;
        break;
    default:
        n->type = &type_dyn;
        if (!c->environment->unchecked) {
            check_refuse(c, E_ARGUMENT, n->position, "only messages and maps have fields, and this is ");
            check_append_type(c, of);
        }
        return;
    }
    if (n->test) {
        n->type = &type_bool;
    } else if (optional || n->optional) {
        n->type = type_optional(c->pool, n->type);
        if (n->type == NULL)
            out_of_room(c);
    }
}

/* ---- literals of lists, maps and messages ---- */

/* The type of an item; of ?item what the optional holds. */
static const struct type *item_type(struct checker *c, struct node *n, uint32_t at, struct node *item)
{
    check(c, item);
    if (c->code != 0 || n->optionals == NULL || !n->optionals[at])
        return item->type;
    const struct type *held = unify_fresh(&c->unifier);
    const struct type *optional = type_optional(c->pool, held);
    if (optional == NULL) {
        out_of_room(c);
    } else if (!unify_try(&c->unifier, optional, item->type)) {
        check_refuse(c, E_ARGUMENT, item->position, "behind ? an optional is expected, and this is ");
        check_append_type(c, item->type);
    }
    return held;
}

static void check_list(struct checker *c, struct node *n)
{
    const struct type *of = NULL;
    for (uint32_t i = 0; i < n->count && c->code == 0; i++) {
        const struct type *item = item_type(c, n, i, n->args[i]);
        if (c->code == 0)
            of = of == NULL ? item : unify_join(&c->unifier, of, item);
    }
    if (c->code != 0)
        return;
    n->type = type_list(c->pool, of == NULL ? unify_fresh(&c->unifier) : of);
    if (n->type == NULL)
        out_of_room(c);
}

static void check_map(struct checker *c, struct node *n)
{
    const struct type *key = NULL, *value = NULL;
    for (uint32_t i = 0; i + 1 < n->count && c->code == 0; i += 2) {
        check(c, n->args[i]);
        if (c->code != 0)
            return;
        const struct type *k = n->args[i]->type, *v = item_type(c, n, i / 2, n->args[i + 1]);
        if (c->code != 0)
            return;
        enum type_kind kind = unify_look(&c->unifier, k)->kind;
        bool never =
            kind == TYPE_DOUBLE || kind == TYPE_NULL || kind == TYPE_BYTES || kind == TYPE_LIST || kind == TYPE_MAP;
        if (never && !c->environment->unchecked) {
            check_refuse(c, E_ARGUMENT, n->args[i]->position,
                         "a map's key is a bool, an int, a uint or a string, and this is ");
            check_append_type(c, k);
            return;
        }
        key = key == NULL ? k : unify_join(&c->unifier, key, k);
        value = value == NULL ? v : unify_join(&c->unifier, value, v);
    }
    if (c->code != 0)
        return;
    n->type = type_map(c->pool, key == NULL ? unify_fresh(&c->unifier) : key,
                       value == NULL ? unify_fresh(&c->unifier) : value);
    if (n->type == NULL)
        out_of_room(c);
}

static void check_member(struct checker *c, struct node *n, uint32_t i)
{
    const struct field *f = find_field(c, n->message, n->fields[i], n->args[i]->position);
    n->members[i] = f;
    const struct type *given = f == NULL ? NULL : item_type(c, n, i, n->args[i]);
    if (c->code != 0 || f == NULL)
        return;
    for (uint32_t k = 0; k < i; k++)
        if (n->members[k] == f) {
            check_refuse(c, E_ARGUMENT, n->args[i]->position, "this field is given twice: ");
            expression_error_append(c->error, f->name);
            return;
        }
    const struct type *wanted = field_type(c, f);
    /* null leaves a list or a map alone when it is written so. */
    if (c->environment->unchecked || unify_try(&c->unifier, wanted, given))
        return;
    check_refuse(c, E_ARGUMENT, n->args[i]->position, "the field ");
    expression_error_append(c->error, f->name);
    append(c, " is ");
    check_append_type(c, wanted);
    append(c, ", and this is ");
    check_append_type(c, given);
}

static void check_message(struct checker *c, struct node *n)
{
    struct bytes name;
    bool absolute;
    if (!qualified_name(c, n->operand, &name, &absolute)) {
        check_refuse(c, E_ARGUMENT, n->position, "a message's type is a name: shop.v1.Order{...}");
        return;
    }
    n->message = names_find_message(c->environment, name, absolute);
    if (n->message == NULL) {
        meaningless(c, n, n->position, "there is no message type of this name: ", name);
        return;
    }
    n->members = pool_take_zeroed(c->pool, n->count + 1, sizeof *n->members);
    if (n->members == NULL) {
        out_of_room(c);
        return;
    }
    for (uint32_t i = 0; i < n->count && c->code == 0; i++)
        check_member(c, n, i);
    n->type = type_of_message(c->pool, n->message);
    if (n->type == NULL)
        out_of_room(c);
}

/* ---- macros ---- */

/* The types of a loop's names: items and keys of what it goes over. */
static void loop_names(struct checker *c, struct node *n, const struct type *over)
{
    bool optional = n->loop == LOOP_OPT_MAP || n->loop == LOOP_OPT_FLAT_MAP;
    const struct type *first = &type_dyn, *second = &type_dyn;
    if (over->kind == TYPE_VARIABLE)
        unify_try(&c->unifier, &type_dyn, over);
    else if (optional && over->kind == TYPE_OPTIONAL)
        first = over->of[0];
    else if (!optional && over->kind == TYPE_LIST) {
        first = n->name_count == 1 ? over->of[0] : &type_int;
        second = over->of[0];
    } else if (!optional && over->kind == TYPE_MAP) {
        first = over->of[0];
        second = over->of[1];
    } else if (over->kind != TYPE_DYN && !c->environment->unchecked) {
        check_refuse(c, E_ARGUMENT, n->operand->position,
                     optional ? "this macro is asked of an optional, and this is "
                              : "a macro goes over a list or a map, and this is ");
        check_append_type(c, over);
    }
    push_local(c, n->names[0], first);
    if (n->name_count == 2)
        push_local(c, n->names[1], second);
}

static const struct type *loop_type(struct checker *c, const struct node *n, const struct type *over,
                                    const struct type *result)
{
    switch (n->loop) {
    case LOOP_MAP:
        return type_list(c->pool, result);
    case LOOP_FILTER:
        return over->kind == TYPE_LIST  ? over
               : over->kind == TYPE_MAP ? type_list(c->pool, over->of[0])
                                        : &type_list_dyn;
    case LOOP_MAP_MAP: {
        /* A list's keys are its indices. */
        const struct type *key = over->kind == TYPE_MAP ? over->of[0] : over->kind == TYPE_LIST ? &type_int : &type_dyn;
        return type_map(c->pool, key, result);
    }
    case LOOP_MAP_ENTRY:
        return result;
    case LOOP_OPT_MAP:
        return type_optional(c->pool, result);
    case LOOP_OPT_FLAT_MAP:
        return result;
    default:
        return &type_bool;
    }
}

static void check_loop(struct checker *c, struct node *n)
{
    check(c, n->operand);
    if (c->code != 0)
        return;
    const struct type *over = unify_look(&c->unifier, n->operand->type);
    uint32_t locals = c->local_count;
    n->slot = locals;
    loop_names(c, n, over);
    struct node *last = n->args[n->count - 1];
    bool condition =
        n->loop == LOOP_ALL || n->loop == LOOP_EXISTS || n->loop == LOOP_EXISTS_ONE || n->loop == LOOP_FILTER;
    if (n->count == 2 && c->code == 0)
        check_condition(c, n->args[0]);
    if (c->code == 0) {
        if (condition)
            check_condition(c, last);
        else
            check(c, last);
    }
    c->local_count = locals;
    if (c->code != 0)
        return;
    enum type_kind result = unify_look(&c->unifier, last->type)->kind;
    if (n->loop == LOOP_MAP_ENTRY && result != TYPE_MAP && result != TYPE_DYN && result != TYPE_VARIABLE)
        check_refuse(c, E_ARGUMENT, last->position, "transformMapEntry makes an entry, {key: value}, of every item");
    if (n->loop == LOOP_OPT_FLAT_MAP && result != TYPE_OPTIONAL && result != TYPE_DYN && result != TYPE_VARIABLE)
        check_refuse(c, E_ARGUMENT, last->position, "optFlatMap makes an optional; optMap takes any value");
    n->type = loop_type(c, n, unify_look(&c->unifier, n->operand->type), last->type);
    if (n->type == NULL)
        out_of_room(c);
}

static void check_bind(struct checker *c, struct node *n)
{
    check(c, n->args[0]);
    if (c->code != 0)
        return;
    n->slot = c->local_count;
    push_local(c, n->names[0], n->args[0]->type);
    check(c, n->args[1]);
    c->local_count = n->slot;
    n->type = n->args[1]->type;
}

/* ---- the rest ---- */

static void check_choice(struct checker *c, struct node *n)
{
    check_condition(c, n->args[0]);
    for (uint32_t i = 1; i < 3 && c->code == 0; i++)
        check(c, n->args[i]);
    if (c->code != 0)
        return;
    const struct type *both = unify_fresh(&c->unifier);
    bool fits = unify_try(&c->unifier, both, n->args[1]->type) && unify_try(&c->unifier, both, n->args[2]->type);
    n->type = fits ? both : &type_dyn;
    if (fits || c->environment->unchecked)
        return;
    check_refuse(c, E_ARGUMENT, n->args[2]->position, "both branches have one type; these are ");
    check_append_type(c, n->args[1]->type);
    append(c, " and ");
    check_append_type(c, n->args[2]->type);
}

/* A call whose receiver is a namespace: math.abs(x). */
static bool namespaced(struct checker *c, struct node *n)
{
    struct bytes name;
    bool absolute;
    struct node called = {.kind = NODE_SELECT, .operand = n->operand, .name = n->name};
    if (!qualified_name(c, &called, &name, &absolute) || function_find(name, FUNCTION_GLOBAL) < 0)
        return false;
    n->operand = NULL;
    n->name = name;
    return true;
}

/* A pattern that is a literal is read once; it and a zone's name are refused now when they are not supported. */
static void check_last_argument(struct checker *c, struct node *n, const struct node *last)
{
    if (last->literal.kind != DATUM_STRING)
        return;
    struct bytes text = datum_bytes(&last->literal);
    const char *wrong = NULL;
    int64_t offset;
    if (n->function == FUNCTION_ID_MATCHES || n->function == FUNCTION_ID_MATCHES_OF)
        n->regex = regex_make(text, c->pool, &wrong);
    else if (n->function >= FUNCTION_ID_FULL_YEAR && n->function <= FUNCTION_ID_MILLISECONDS &&
             !read_offset(text, &offset))
        wrong = "time zones are UTC and fixed offsets as in +01:00, and this is another";
    if (wrong == regex_no_room)
        out_of_room(c);
    else if (wrong != NULL && !c->environment->unchecked)
        check_refuse(c, E_ARGUMENT, last->position, wrong);
}

static void check_call(struct checker *c, struct node *n)
{
    if (n->operand != NULL && !namespaced(c, n) && c->code == 0)
        check(c, n->operand);
    for (uint32_t i = 0; i < n->count && c->code == 0; i++)
        check(c, n->args[i]);
    if (c->code != 0)
        return;
    int found = function_find(n->name, n->operand != NULL ? FUNCTION_MEMBER : FUNCTION_GLOBAL);
    if (found < 0) {
        meaningless(c, n, n->position, "there is no such function: ", n->name);
        return;
    }
    n->function = (enum function_id)found;
    check_overloads(c, n);
    if (c->code == 0 && n->count > 0 && n->args[n->count - 1]->kind == NODE_LITERAL)
        check_last_argument(c, n, n->args[n->count - 1]);
}

static void check_index(struct checker *c, struct node *n)
{
    check(c, n->operand);
    if (c->code == 0)
        check(c, n->args[0]);
    n->function = n->optional ? FUNCTION_ID_OPTIONAL_INDEX : FUNCTION_ID_INDEX;
    if (c->code == 0)
        check_overloads(c, n);
}

static void check(struct checker *c, struct node *n)
{
    switch (n->kind) {
    case NODE_LITERAL:
        check_literal(c, n);
        break;
    case NODE_NAME:
        check_name(c, n);
        break;
    case NODE_SELECT:
        check_select(c, n);
        break;
    case NODE_INDEX:
        check_index(c, n);
        break;
    case NODE_CALL:
        check_call(c, n);
        break;
    case NODE_AND:
    case NODE_OR:
        for (uint32_t i = 0; i < n->count && c->code == 0; i++)
            check_condition(c, n->args[i]);
        n->type = &type_bool;
        break;
    case NODE_CHOICE:
        check_choice(c, n);
        break;
    case NODE_LIST:
        check_list(c, n);
        break;
    case NODE_MAP:
        check_map(c, n);
        break;
    case NODE_MESSAGE:
        check_message(c, n);
        break;
    case NODE_LOOP:
        check_loop(c, n);
        break;
    case NODE_BIND:
        check_bind(c, n);
        break;
    default:
        break;
    }
    if (c->code == 0 && (c->unifier.no_room || n->type == NULL))
        out_of_room(c);
}

int check_expression(struct node *root, const struct environment *environment, struct pool *pool, uint32_t *locals,
                     struct expression_error *error)
{
    struct checker c = {.environment = environment, .pool = pool, .error = error, .unifier = {.pool = pool}};
    check(&c, root);
    if (c.code != 0)
        return c.code;
    root->type = unify_apply(&c.unifier, root->type, true);
    if (c.unifier.no_room)
        out_of_room(&c);
    *locals = c.locals_most;
    return c.code;
}
