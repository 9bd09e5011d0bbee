/* Sums and extremes of lists (those of Kubernetes), and optionals. */
#include "sidecar/expression/run_inside.h"

/* The sum of nothing is the zero of the list's type. */
static struct datum zero(const struct type *type)
{
    switch (type->kind) {
    case TYPE_UINT:
        return datum_uint(0);
    case TYPE_DOUBLE:
        return datum_double(0);
    case TYPE_DURATION:
        return datum_duration(0);
    default:
        return datum_int(0);
    }
}

struct datum function_sum(const struct call *c)
{
    if (c->count != 1 || !call_is(c, 0, DATUM_LIST))
        return call_mismatch(c);
    const struct datum *list = &c->args[0];
    struct datum two[2] = {list->size == 0 ? zero(c->type) : list->items[0]};
    bool summable = datum_is_number(&two[0]) || two[0].kind == DATUM_DURATION;
    for (uint32_t i = 1; i < list->size && summable; i++) {
        two[1] = list->items[i];
        struct call add = *c;
        add.args = two;
        add.count = 2;
        struct datum sum = charge(c->evaluation, 1) ? function_add(&add) : call_memory(c);
        if (datum_failed(&sum))
            return sum;
        two[0] = sum;
    }
    return summable ? two[0] : call_mismatch(c);
}

/* The first of the items that none is beyond; wanted is the order that an item beyond has. */
static struct datum extreme(const struct call *c, const struct datum *items, uint32_t count, int wanted)
{
    struct datum best = items[0];
    for (uint32_t i = 0; i < count; i++) {
        int order = charge(c->evaluation, 1) ? datum_compare(&items[i], &best) : 3;
        if (order == 3)
            return c->evaluation->ended != NULL ? call_memory(c) : call_mismatch(c);
        if (order == wanted)
            best = items[i];
    }
    return best;
}

static struct datum extreme_of_list(const struct call *c, int wanted, const char *empty)
{
    if (c->count != 1 || !call_is(c, 0, DATUM_LIST))
        return call_mismatch(c);
    return c->args[0].size == 0 ? call_fail(c, empty) : extreme(c, c->args[0].items, c->args[0].size, wanted);
}

struct datum function_min(const struct call *c)
{
    return extreme_of_list(c, -1, "an empty list has no min");
}

struct datum function_max(const struct call *c)
{
    return extreme_of_list(c, 1, "an empty list has no max");
}

struct datum function_is_sorted(const struct call *c)
{
    if (c->count != 1 || !call_is(c, 0, DATUM_LIST))
        return call_mismatch(c);
    for (uint32_t i = 1; i < c->args[0].size; i++) {
        int order = charge(c->evaluation, 1) ? datum_compare(&c->args[0].items[i - 1], &c->args[0].items[i]) : 3;
        if (order == 3)
            return c->evaluation->ended != NULL ? call_memory(c) : call_mismatch(c);
        if (order > 0)
            return datum_bool(false);
    }
    return datum_bool(true);
}

/* math.greatest and math.least: of the arguments, or of the one list. */
static struct datum extreme_number(const struct call *c, int wanted)
{
    bool list = c->count == 1 && call_is(c, 0, DATUM_LIST);
    const struct datum *items = list ? c->args[0].items : c->args;
    uint32_t count = list ? c->args[0].size : c->count;
    if (count == 0)
        return call_fail(c, "an empty list has no greatest or least number");
    for (uint32_t i = 0; i < count; i++)
        if (!datum_is_number(&items[i]))
            return call_mismatch(c);
    return extreme(c, items, count, wanted);
}

struct datum function_greatest(const struct call *c)
{
    return extreme_number(c, 1);
}

struct datum function_least(const struct call *c)
{
    return extreme_number(c, -1);
}

/* ---- optionals ---- */

static struct datum none(void)
{
    return (struct datum){.kind = DATUM_OPTIONAL, .held = NULL};
}

struct datum function_optional_none(const struct call *c)
{
    return c->count == 0 ? none() : call_mismatch(c);
}

struct datum function_optional_of(const struct call *c)
{
    return c->count == 1 ? optional_of(c->evaluation, c->position, c->args[0]) : call_mismatch(c);
}

struct datum function_optional_of_non_zero(const struct call *c)
{
    return c->count == 1 && datum_is_zero(&c->args[0]) ? none() : function_optional_of(c);
}

struct datum function_has_value(const struct call *c)
{
    return c->count == 1 && call_is(c, 0, DATUM_OPTIONAL) ? datum_bool(c->args[0].held != NULL) : call_mismatch(c);
}

struct datum function_value(const struct call *c)
{
    if (c->count != 1 || !call_is(c, 0, DATUM_OPTIONAL))
        return call_mismatch(c);
    return c->args[0].held != NULL ? *c->args[0].held
                                   : call_fail(c, "optional.none() dereference: the optional has no value");
}

struct datum function_or(const struct call *c)
{
    if (c->count != 2 || !call_is(c, 0, DATUM_OPTIONAL) || !call_is(c, 1, DATUM_OPTIONAL))
        return call_mismatch(c);
    return c->args[c->args[0].held != NULL ? 0 : 1];
}

struct datum function_or_value(const struct call *c)
{
    if (c->count != 2 || !call_is(c, 0, DATUM_OPTIONAL))
        return call_mismatch(c);
    return c->args[0].held != NULL ? *c->args[0].held : c->args[1];
}
