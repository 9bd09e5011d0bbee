/* Walks the tree. A failure is a value: what an operator does with one decides it, and `&&`, `||`, all() and exists() pass over it when the other side
 * settles the result, in any order. */
#include "sidecar/expression/compiled_inside.h"

#include "sidecar/expression/fields.h"
#include "sidecar/expression/map.h"
#include "sidecar/expression/run_inside.h"
#include "sidecar/expression/walk_inside.h"

/* ---- fields ---- */

static struct datum no_key(struct evaluation *e, uint32_t position, struct bytes key)
{
    return fail_about(e, position, "no such key: ", key);
}

/* What a dynamic select finds: the value; a failure with *absent when it is not there. */
static struct datum select(struct evaluation *e, const struct node *n, const struct datum *of, bool *absent)
{
    *absent = false;
    if (of->kind == DATUM_MAP) {
        struct datum key = datum_string(n->name);
        int64_t at = map_find(of, &key);
        *absent = at < 0;
        return at < 0 ? no_key(e, n->position, n->name) : of->map->entries[2 * at + 1];
    }
    if (of->kind != DATUM_MESSAGE)
        return fail(e, n->position, "a value of this type does not support field selection");
    const struct field *f = message_field_by_name(of->message->type, n->name);
    if (f == NULL)
        return fail_about(e, n->position, "no_such_field: the message has no field of this name: ", n->name);
    if (n->test || n->optional) {
        struct datum failed;
        int set = field_is_set(e, n->position, of->message, f, &failed);
        if (set < 0)
            return failed;
        *absent = set == 0;
        if (n->test || *absent)
            return datum_null();
    }
    return datum_of_field(e, n->position, of->message, f);
}

static struct datum walk_select(struct evaluation *e, const struct node *n)
{
    struct datum of = walk(e, n->operand);
    if (datum_failed(&of))
        return of;
    bool optional = of.kind == DATUM_OPTIONAL, absent;
    if (optional && of.held == NULL)
        return n->test ? datum_bool(false) : of;
    if (optional)
        of = *of.held;
    struct node as = *n;
    as.optional = n->optional || optional;
    struct datum found = select(e, &as, &of, &absent);
    if (absent && n->test)
        return datum_bool(false);
    if (absent && as.optional)
        return (struct datum){.kind = DATUM_OPTIONAL, .held = NULL};
    if (datum_failed(&found))
        return found;
    if (n->test)
        return datum_bool(true);
    return as.optional ? optional_of(e, n->position, found) : found;
}

static struct datum walk_field(struct evaluation *e, const struct node *n)
{
    struct datum of = walk(e, n->operand), failed;
    if (datum_failed(&of))
        return of;
    if (of.kind != DATUM_MESSAGE || of.message->type != n->field->owner)
        return fail(e, n->position, "no such key: the value is no message of the type that was declared");
    if (!n->test)
        return datum_of_field(e, n->position, of.message, n->field);
    int set = field_is_set(e, n->position, of.message, n->field, &failed);
    return set < 0 ? failed : datum_bool(set == 1);
}

static struct datum walk_variable(struct evaluation *e, const struct node *n)
{
    const struct datum *v = &e->variables[n->slot];
    bool absent = v->kind == DATUM_FAILURE && v->failure == NULL;
    if (n->test)
        return datum_bool(!absent);
    if (!absent)
        return *v;
    /* has() is asked of what was written with a dot. */
    return fail(e, n->position,
                n->operand != NULL ? "no such key: what this name stands for is not there; ask has() first"
                                   : "no such key: what this name stands for is not there");
}

/* ---- logic ---- */

static struct datum mismatch(struct evaluation *e, const struct node *n)
{
    return fail(e, n->position, no_such_overload);
}

/* Joins a condition to those before it: true when the result is settled. */
static bool settles(struct evaluation *e, const struct node *n, const struct datum *condition, bool settled_by,
                    struct datum *result)
{
    if (condition->kind == DATUM_BOOL && condition->b == settled_by) {
        *result = *condition;
        return true;
    }
    if (condition->kind == DATUM_FAILURE) {
        if (!datum_failed(result))
            *result = *condition;
        return condition->failure->fatal;
    }
    if (condition->kind != DATUM_BOOL && !datum_failed(result))
        *result = mismatch(e, n);
    return false;
}

static struct datum walk_logic(struct evaluation *e, const struct node *n)
{
    bool settled_by = n->kind == NODE_OR;
    struct datum result = datum_bool(!settled_by);
    for (uint32_t i = 0; i < n->count; i++) {
        struct datum condition = walk(e, n->args[i]);
        if (settles(e, n, &condition, settled_by, &result))
            break;
    }
    return result;
}

static struct datum walk_choice(struct evaluation *e, const struct node *n)
{
    struct datum condition = walk(e, n->args[0]);
    if (datum_failed(&condition))
        return condition;
    return condition.kind == DATUM_BOOL ? walk(e, n->args[condition.b ? 1 : 2]) : mismatch(e, n);
}

/* ---- literals of lists, maps and messages ---- */

/* An item; false when it is an optional without a value, or failed (then *value is the failure). */
static bool walk_item(struct evaluation *e, const struct node *n, uint32_t at, const struct node *item,
                      struct datum *value)
{
    *value = walk(e, item);
    if (datum_failed(value))
        return false;
    if (n->optionals == NULL || !n->optionals[at])
        return true;
    if (value->kind != DATUM_OPTIONAL) {
        *value = mismatch(e, item);
        return false;
    }
    if (value->held == NULL)
        return false;
    *value = *value->held;
    return true;
}

static struct datum walk_list(struct evaluation *e, const struct node *n)
{
    struct datum *items = pool_take(e->pool, n->count * sizeof *items + 1);
    if (items == NULL)
        return fail_memory(e, n->position);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        struct datum value;
        if (walk_item(e, n, i, n->args[i], &value))
            items[count++] = value;
        else if (datum_failed(&value))
            return value;
    }
    return datum_list(items, count);
}

static struct datum walk_map(struct evaluation *e, const struct node *n)
{
    struct map_builder map;
    if (!map_builder_init(&map, e->pool, n->count / 2))
        return fail_memory(e, n->position);
    for (uint32_t i = 0; i + 1 < n->count; i += 2) {
        struct datum key = walk(e, n->args[i]), value;
        if (datum_failed(&key))
            return key;
        if (!map_key_allowed(&key))
            return fail(e, n->args[i]->position,
                        "unsupported key type: a map's key is a bool, an int, a uint or a string");
        if (!walk_item(e, n, i / 2, n->args[i + 1], &value)) {
            if (datum_failed(&value))
                return value;
            continue;
        }
        if (!map_builder_add(&map, &key, &value, false))
            return fail(e, n->args[i]->position, "Failed with repeated key: a map has each key once");
    }
    return map_builder_finish(&map);
}

/* Of the fields not yet written the one with the smallest number: a message is written in their order, so that equal ones have equal bytes. */
static uint32_t next_member(const struct node *n, uint32_t after)
{
    uint32_t best = n->count;
    for (uint32_t i = 0; i < n->count; i++)
        if (n->members[i]->number > after && (best == n->count || n->members[i]->number < n->members[best]->number))
            best = i;
    return best;
}

static struct datum walk_message(struct evaluation *e, const struct node *n)
{
    struct builder b;
    struct datum *values = pool_take(e->pool, n->count * sizeof *values + 1);
    bool *given = pool_take_zeroed(e->pool, n->count + 1, sizeof *given);
    if (values == NULL || given == NULL || !charge(e, (uint64_t)n->count * n->count / 16))
        return fail_memory(e, n->position);
    for (uint32_t i = 0; i < n->count; i++) {
        given[i] = walk_item(e, n, i, n->args[i], &values[i]);
        if (datum_failed(&values[i]))
            return values[i];
    }
    builder_init(&b, e->pool, UINT32_MAX);
    uint32_t after = 0;
    for (uint32_t i = next_member(n, 0); i < n->count; i = next_member(n, after)) {
        after = n->members[i]->number;
        if (!given[i])
            continue;
        struct datum done = build_datum(e, n->args[i]->position, &b, n->members[i], &values[i]);
        if (datum_failed(&done))
            return done;
    }
    struct bytes wire;
    if (builder_finish(&b, &wire) != 0 || !charge(e, cost_of_bytes(wire.size)))
        return fail_memory(e, n->position);
    return datum_of_message(e, n->position, n->message, wire);
}

/* ---- the rest ---- */

static struct datum walk_call(struct evaluation *e, const struct node *n)
{
    enum { FEW = 4 };
    struct datum few[FEW], *args = few;
    uint32_t count = n->count + (n->operand != NULL), at = 0;
    if (count > FEW)
        args = pool_take(e->pool, count * sizeof *args);
    if (args == NULL)
        return fail_memory(e, n->position);
    if (n->operand != NULL)
        args[at++] = walk(e, n->operand);
    for (uint32_t i = 0; i < n->count && (at == 0 || !datum_failed(&args[at - 1])); i++)
        args[at++] = walk(e, n->args[i]);
    if (at > 0 && datum_failed(&args[at - 1]))
        return args[at - 1];
    struct call c = {
        .evaluation = e, .args = args, .count = count, .position = n->position, .type = n->type, .regex = n->regex};
    return functions[n->function].handler(&c);
}

static struct datum walk_bind(struct evaluation *e, const struct node *n)
{
    /* A failure is the value's until it is used. */
    struct datum value = walk(e, n->args[0]);
    e->locals[n->slot] = value;
    return walk(e, n->args[1]);
}

struct datum walk(struct evaluation *e, const struct node *n)
{
    if (!charge(e, 1))
        return fail_memory(e, n->position);
    switch (n->kind) {
    case NODE_LITERAL:
        return n->literal;
    case NODE_LOCAL:
        return e->locals[n->slot];
    case NODE_VARIABLE:
        return walk_variable(e, n);
    case NODE_FIELD:
        return walk_field(e, n);
    case NODE_SELECT:
        return walk_select(e, n);
    case NODE_CALL:
    case NODE_INDEX:
        return walk_call(e, n);
    case NODE_AND:
    case NODE_OR:
        return walk_logic(e, n);
    case NODE_CHOICE:
        return walk_choice(e, n);
    case NODE_LIST:
        return walk_list(e, n);
    case NODE_MAP:
        return walk_map(e, n);
    case NODE_MESSAGE:
        return walk_message(e, n);
    case NODE_LOOP:
        return walk_loop(e, n);
    case NODE_BIND:
        return walk_bind(e, n);
    default:
        return fail_about(e, n->position, "", n->name);
    }
}

struct datum expression_evaluate(const struct expression *expression, struct evaluation *e)
{
    e->locals = pool_take_zeroed(e->pool, expression->locals + 1, sizeof *e->locals);
    if (e->locals == NULL)
        return fail_memory(e, 0);
    return walk(e, expression->root);
}
