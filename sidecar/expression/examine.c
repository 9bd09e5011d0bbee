/* examine.c - walks over the checked tree of an expression. */
#include "sidecar/expression/examine.h"

#include "sidecar/expression/compiled_inside.h"

/* Of a message's literal the operand is its name. */
static const struct node *operand_of(const struct node *n)
{
    return n->kind == NODE_MESSAGE ? NULL : n->operand;
}

static bool uses_any(const struct node *n)
{
    const struct node *operand = operand_of(n);
    bool any = n->kind == NODE_VARIABLE || (operand != NULL && uses_any(operand));
    for (uint32_t i = 0; i < n->count && !any; i++)
        any = uses_any(n->args[i]);
    return any;
}

bool examine_is_constant(const struct expression *e)
{
    return !uses_any(e->root);
}

const struct field *examine_field_of(const struct expression *e, unsigned variable)
{
    const struct node *n = e->root;
    bool plain = n->kind == NODE_FIELD && !n->test && !n->optional && n->operand->kind == NODE_VARIABLE &&
                 !n->operand->test && n->operand->slot == variable;
    return plain ? n->field : NULL;
}

/* ---- what may be absent ---- */

struct absent {
    unsigned variable, outcome;
};

/* outcome == 'done', or with != its contrary. */
static bool is_done(const struct absent *a, const struct node *n, enum function_id function)
{
    if (n->kind != NODE_CALL || n->function != function || n->count != 2)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        const struct node *name = n->args[i], *text = n->args[1 - i];
        if (name->kind == NODE_VARIABLE && name->slot == a->outcome && text->kind == NODE_LITERAL &&
            text->literal.kind == DATUM_STRING && bytes_equal(datum_bytes(&text->literal), bytes_of_text("done")))
            return true;
    }
    return false;
}

/* Whether the variable is there whenever n has this value. */
static bool implies(const struct absent *a, const struct node *n, bool value)
{
    if (n->kind == NODE_VARIABLE)
        return n->test && n->slot == a->variable && value;
    if (n->kind == NODE_CALL && n->function == FUNCTION_ID_NOT)
        return implies(a, n->args[0], !value);
    if (n->kind != NODE_AND && n->kind != NODE_OR)
        return is_done(a, n, value ? FUNCTION_ID_EQUAL : FUNCTION_ID_NOT_EQUAL);
    /* One of them is enough when all of them have that value. */
    bool all_have_it = (n->kind == NODE_AND) == value;
    bool one = false, every = true;
    for (uint32_t i = 0; i < n->count; i++) {
        bool implied = implies(a, n->args[i], value);
        one = one || implied;
        every = every && implied;
    }
    return all_have_it ? one : every;
}

static bool misses(const struct absent *a, const struct node *n);

/* && and || pass over a failure when another part settles the result, in any order. */
static bool logic_misses(const struct absent *a, const struct node *n)
{
    for (uint32_t i = 0; i < n->count; i++) {
        bool guarded = false;
        for (uint32_t k = 0; k < n->count && !guarded; k++)
            guarded = k != i && implies(a, n->args[k], n->kind == NODE_AND);
        if (!guarded && misses(a, n->args[i]))
            return true;
    }
    return false;
}

static bool misses(const struct absent *a, const struct node *n)
{
    if (n->kind == NODE_VARIABLE)
        return n->slot == a->variable && !n->test;
    if (n->kind == NODE_AND || n->kind == NODE_OR)
        return logic_misses(a, n);
    if (n->kind == NODE_CHOICE)
        return misses(a, n->args[0]) || (misses(a, n->args[1]) && !implies(a, n->args[0], true)) ||
               (misses(a, n->args[2]) && !implies(a, n->args[0], false));
    const struct node *operand = operand_of(n);
    bool any = operand != NULL && misses(a, operand);
    for (uint32_t i = 0; i < n->count && !any; i++)
        any = misses(a, n->args[i]);
    return any;
}

bool examine_may_miss(const struct expression *e, unsigned variable, unsigned outcome)
{
    struct absent a = {.variable = variable, .outcome = outcome};
    return misses(&a, e->root);
}

/* ---- what must be equal ---- */

static bool must_equal(const struct node *n, unsigned variable, struct examined_equal *out)
{
    bool found = false;
    for (uint32_t i = 0; n->kind == NODE_AND && i < n->count && !found; i++)
        found = must_equal(n->args[i], variable, out);
    if (n->kind != NODE_CALL || n->function != FUNCTION_ID_EQUAL || n->count != 2)
        return found;
    for (unsigned i = 0; i < 2; i++) {
        const struct node *name = n->args[i], *other = n->args[1 - i];
        if (name->kind != NODE_VARIABLE || name->slot != variable || name->test)
            continue;
        *out = (struct examined_equal){.variable = other->kind == NODE_VARIABLE ? (int)other->slot : -1,
                                       .literal = other->literal};
        return other->kind == NODE_LITERAL || (other->kind == NODE_VARIABLE && !other->test);
    }
    return false;
}

bool examine_must_equal(const struct expression *e, unsigned variable, struct examined_equal *out)
{
    return must_equal(e->root, variable, out);
}

/* ---- fields ---- */

static void walk_fields(const struct node *n, bool sets, void (*seen)(void *self, const struct field *f), void *self)
{
    const struct node *operand = operand_of(n);
    if (n->field != NULL)
        seen(self, n->field);
    if (operand != NULL)
        walk_fields(operand, sets, seen, self);
    for (uint32_t i = 0; i < n->count; i++) {
        if (sets && n->kind == NODE_MESSAGE && n->members != NULL && n->members[i] != NULL)
            seen(self, n->members[i]);
        walk_fields(n->args[i], sets, seen, self);
    }
}

void examine_fields(const struct expression *e, void (*seen)(void *self, const struct field *f), void *self)
{
    walk_fields(e->root, true, seen, self);
}

void examine_reads(const struct expression *e, void (*seen)(void *self, const struct field *f), void *self)
{
    walk_fields(e->root, false, seen, self);
}

/* ---- whole messages ---- */

struct wholes {
    void (*seen)(void *self, const struct message_type *type);
    void *self;
};

static void see_type(const struct wholes *w, const struct type *t)
{
    if (t == NULL)
        return;
    if (t->kind == TYPE_MESSAGE)
        w->seen(w->self, t->message);
    else if (t->kind == TYPE_LIST || t->kind == TYPE_MAP || t->kind == TYPE_OPTIONAL)
        for (unsigned i = 0; i < 2; i++)
            see_type(w, t->of[i]);
}

static bool is_size(const struct node *n)
{
    return n->kind == NODE_CALL && (n->function == FUNCTION_ID_SIZE || n->function == FUNCTION_ID_SIZE_OF);
}

/* part: only a part of the value is taken, by what stands around it. */
static void walk_wholes(const struct wholes *w, const struct node *n, bool part)
{
    bool within =
        n->kind == NODE_FIELD || n->kind == NODE_SELECT || n->kind == NODE_INDEX || n->kind == NODE_LOOP || is_size(n);
    bool makes = n->kind == NODE_MESSAGE || n->kind == NODE_LIST || n->kind == NODE_MAP;
    if (!part && !makes && !n->test && n->kind != NODE_CHOICE && n->kind != NODE_BIND)
        see_type(w, n->type);
    if (operand_of(n) != NULL)
        walk_wholes(w, operand_of(n), within);
    for (uint32_t i = 0; i < n->count; i++) {
        bool passes = (n->kind == NODE_CHOICE && i > 0) || (n->kind == NODE_BIND && i == 1);
        bool taken_by_name = n->kind == NODE_BIND && i == 0;
        walk_wholes(w, n->args[i], taken_by_name || is_size(n) || (passes && part));
    }
}

void examine_wholes(const struct expression *e, void (*seen)(void *self, const struct message_type *type), void *self)
{
    walk_wholes(&(struct wholes){.seen = seen, .self = self}, e->root, false);
}

/* ---- what the value consists of ---- */

struct value_parts {
    struct wholes wholes;
    void (*set)(void *self, const struct field *f);
};

/* Whether nobody knows the type, or that of what is in it. */
static bool is_open(const struct type *t)
{
    if (t == NULL)
        return false;
    bool holds = t->kind == TYPE_LIST || t->kind == TYPE_MAP || t->kind == TYPE_OPTIONAL;
    return t->kind == TYPE_DYN || (holds && (is_open(t->of[0]) || is_open(t->of[1])));
}

/* What alone the value is made of: the body of a name, the last part of a macro that makes something of each item. */
static const struct node *result_of(const struct node *n)
{
    bool makes = n->kind == NODE_BIND || (n->kind == NODE_LOOP && n->loop >= LOOP_MAP && n->loop != LOOP_FILTER);
    return makes ? n->args[n->count - 1] : NULL;
}

static void walk_value(const struct value_parts *v, const struct node *n)
{
    const struct node *result = result_of(n), *operand = operand_of(n);
    bool makes = n->kind == NODE_MESSAGE || n->kind == NODE_LIST || n->kind == NODE_MAP;
    const struct node *named = n->kind == NODE_BIND ? n->args[0] : operand; /* what the result has another name for */
    /* Of an open type anything may be handed on that it is made of, but what a field of a message holds is no part of that message. */
    bool open = n->kind != NODE_FIELD && (is_open(n->type) || (result != NULL && is_open(named->type)));
    if (result != NULL)
        walk_value(v, result);
    else if (!makes && n->kind != NODE_CHOICE)
        see_type(&v->wholes, n->type);
    if (open && !makes && operand != NULL)
        walk_value(v, operand);
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->kind == NODE_MESSAGE && n->members != NULL && n->members[i] != NULL)
            v->set(v->wholes.self, n->members[i]);
        if (makes || (n->kind == NODE_CHOICE ? i > 0 : open && n->args[i] != result))
            walk_value(v, n->args[i]);
    }
}

void examine_value(const struct expression *e, void (*set)(void *self, const struct field *f),
                   void (*given)(void *self, const struct message_type *type), void *self)
{
    walk_value(&(struct value_parts){.wholes = {.seen = given, .self = self}, .set = set}, e->root);
}
