/* Arithmetic, order, membership and indices. Whole numbers that do not fit are errors, never other numbers. */
#include "sidecar/base/timestamp.h"
#include "sidecar/expression/run_inside.h"

static struct datum overflow(const struct call *c)
{
    return call_fail(c, "range: return error for overflow: the whole number does not fit 64 bits");
}

static bool both(const struct call *c, enum datum_kind kind)
{
    return call_is(c, 0, kind) && call_is(c, 1, kind);
}

static struct datum checked_int(const struct call *c, bool over, const int64_t *result)
{
    return over ? overflow(c) : datum_int(*result);
}

static struct datum checked_uint(const struct call *c, bool over, const uint64_t *result)
{
    return over ? overflow(c) : datum_uint(*result);
}

static struct datum checked_duration(const struct call *c, bool over, const int64_t *result)
{
    return over ? call_fail(c, "range: a duration has at most 292 years") : datum_duration(*result);
}

static struct datum equality(const struct call *c, bool wanted)
{
    struct datum failed;
    if (c->count != 2)
        return call_mismatch(c);
    int same = datum_equal(c->evaluation, c->position, &c->args[0], &c->args[1], &failed);
    return same < 0 ? failed : datum_bool((same == 1) == wanted);
}

struct datum function_equal(const struct call *c)
{
    return equality(c, true);
}

struct datum function_not_equal(const struct call *c)
{
    return equality(c, false);
}

/* The order of the two arguments; 2 when there is none between them, 3 when they have none. */
static int order(const struct call *c)
{
    if (c->count != 2)
        return 3;
    charge(c->evaluation,
           call_is(c, 0, DATUM_STRING) || call_is(c, 0, DATUM_BYTES) ? cost_of_bytes(c->args[0].size) : 0);
    return datum_compare(&c->args[0], &c->args[1]);
}

struct datum function_less(const struct call *c)
{
    int o = order(c);
    return o == 3 ? call_mismatch(c) : datum_bool(o == -1);
}

struct datum function_less_equal(const struct call *c)
{
    int o = order(c);
    return o == 3 ? call_mismatch(c) : datum_bool(o == -1 || o == 0);
}

struct datum function_greater(const struct call *c)
{
    int o = order(c);
    return o == 3 ? call_mismatch(c) : datum_bool(o == 1);
}

struct datum function_greater_equal(const struct call *c)
{
    int o = order(c);
    return o == 3 ? call_mismatch(c) : datum_bool(o == 1 || o == 0);
}

struct datum function_in(const struct call *c)
{
    const struct datum *of = &c->args[1];
    if (of->kind == DATUM_MAP)
        return datum_bool(map_find(of, &c->args[0]) >= 0);
    if (of->kind != DATUM_LIST)
        return call_mismatch(c);
    for (uint32_t i = 0; i < of->size; i++) {
        struct datum failed;
        int same = datum_equal(c->evaluation, c->position, &of->items[i], &c->args[0], &failed);
        if (same != 0)
            return same < 0 ? failed : datum_bool(true);
    }
    return datum_bool(false);
}

/* Texts and lists one behind the other. */
static struct datum concatenated(const struct call *c)
{
    const struct datum *a = &c->args[0], *b = &c->args[1];
    size_t unit = a->kind == DATUM_LIST ? sizeof *a->items : 1;
    uint64_t count = (uint64_t)a->size + b->size;
    if (a->size == 0 || b->size == 0)
        return a->size == 0 ? *b : *a;
    uint8_t *at = NULL;
    if (count <= UINT32_MAX && charge(c->evaluation, cost_of_bytes(count * unit)))
        at = pool_take(c->evaluation->pool, count * unit);
    if (at == NULL)
        return call_memory(c);
    memcpy(at, a->text, a->size * unit);
    memcpy(at + a->size * unit, b->text, b->size * unit);
    return (struct datum){.kind = a->kind, .size = (uint32_t)count, .text = at};
}

/* A timestamp and so many nanoseconds. */
static struct datum moved(const struct call *c, const struct datum *timestamp, int64_t by, bool back)
{
    int64_t seconds = by / NANOS_PER_SECOND, nanos = by % NANOS_PER_SECOND;
    seconds = timestamp->i + (back ? -seconds : seconds);
    nanos = (int64_t)timestamp->size + (back ? -nanos : nanos);
    seconds += nanos < 0 ? -1 : nanos >= NANOS_PER_SECOND;
    nanos += nanos < 0 ? NANOS_PER_SECOND : nanos >= NANOS_PER_SECOND ? -NANOS_PER_SECOND : 0;
    if (!timestamp_valid(seconds, nanos))
        return call_fail(c, "range: a timestamp lies in the years 1 to 9999");
    return datum_timestamp(seconds, (uint32_t)nanos);
}

struct datum function_add(const struct call *c)
{
    const struct datum *a = &c->args[0], *b = &c->args[1];
    int64_t i;
    uint64_t u;
    if (both(c, DATUM_INT))
        return checked_int(c, __builtin_add_overflow(a->i, b->i, &i), &i);
    if (both(c, DATUM_UINT))
        return checked_uint(c, __builtin_add_overflow(a->u, b->u, &u), &u);
    if (both(c, DATUM_DOUBLE))
        return datum_double(a->d + b->d);
    if (both(c, DATUM_STRING) || both(c, DATUM_BYTES) || both(c, DATUM_LIST))
        return concatenated(c);
    if (both(c, DATUM_DURATION))
        return checked_duration(c, __builtin_add_overflow(a->i, b->i, &i), &i);
    if (call_is(c, 0, DATUM_TIMESTAMP) && call_is(c, 1, DATUM_DURATION))
        return moved(c, a, b->i, false);
    if (call_is(c, 0, DATUM_DURATION) && call_is(c, 1, DATUM_TIMESTAMP))
        return moved(c, b, a->i, false);
    return call_mismatch(c);
}

static struct datum between(const struct call *c)
{
    const struct datum *a = &c->args[0], *b = &c->args[1];
    int64_t all;
    bool over = __builtin_mul_overflow(a->i - b->i, NANOS_PER_SECOND, &all) ||
                __builtin_add_overflow(all, (int64_t)a->size - (int64_t)b->size, &all);
    return checked_duration(c, over, &all);
}

struct datum function_subtract(const struct call *c)
{
    const struct datum *a = &c->args[0], *b = &c->args[1];
    int64_t i;
    uint64_t u;
    if (both(c, DATUM_INT))
        return checked_int(c, __builtin_sub_overflow(a->i, b->i, &i), &i);
    if (both(c, DATUM_UINT))
        return checked_uint(c, __builtin_sub_overflow(a->u, b->u, &u), &u);
    if (both(c, DATUM_DOUBLE))
        return datum_double(a->d - b->d);
    if (both(c, DATUM_TIMESTAMP))
        return between(c);
    if (both(c, DATUM_DURATION))
        return checked_duration(c, __builtin_sub_overflow(a->i, b->i, &i), &i);
    if (call_is(c, 0, DATUM_TIMESTAMP) && call_is(c, 1, DATUM_DURATION))
        return moved(c, a, b->i, true);
    return call_mismatch(c);
}

struct datum function_multiply(const struct call *c)
{
    const struct datum *a = &c->args[0], *b = &c->args[1];
    int64_t i;
    uint64_t u;
    if (both(c, DATUM_INT))
        return checked_int(c, __builtin_mul_overflow(a->i, b->i, &i), &i);
    if (both(c, DATUM_UINT))
        return checked_uint(c, __builtin_mul_overflow(a->u, b->u, &u), &u);
    return both(c, DATUM_DOUBLE) ? datum_double(a->d * b->d) : call_mismatch(c);
}

static struct datum by_zero(const struct call *c)
{
    return call_fail(c, "divide by zero");
}

struct datum function_divide(const struct call *c)
{
    const struct datum *a = &c->args[0], *b = &c->args[1];
    if (both(c, DATUM_INT)) {
        if (b->i == 0)
            return by_zero(c);
        return a->i == INT64_MIN && b->i == -1 ? overflow(c) : datum_int(a->i / b->i);
    }
    if (both(c, DATUM_UINT))
        return b->u == 0 ? by_zero(c) : datum_uint(a->u / b->u);
    if (!both(c, DATUM_DOUBLE))
        return call_mismatch(c);
    if (b->d != 0 || a->d != a->d)
        return datum_double(a->d / b->d);
    /* As IEEE 754 has it, with the sign of both. */
    bool negative = (a->d < 0) != (__builtin_signbit(b->d) != 0);
    return datum_double(a->d == 0 ? __builtin_nan("") : negative ? -__builtin_inf() : __builtin_inf());
}

struct datum function_modulo(const struct call *c)
{
    const struct datum *a = &c->args[0], *b = &c->args[1];
    if (both(c, DATUM_INT)) {
        if (b->i == 0)
            return call_fail(c, "modulus by zero");
        return a->i == INT64_MIN && b->i == -1 ? overflow(c) : datum_int(a->i % b->i);
    }
    if (both(c, DATUM_UINT))
        return b->u == 0 ? call_fail(c, "modulus by zero") : datum_uint(a->u % b->u);
    return call_mismatch(c);
}

struct datum function_negate(const struct call *c)
{
    if (call_is(c, 0, DATUM_DOUBLE))
        return datum_double(-c->args[0].d);
    if (!call_is(c, 0, DATUM_INT))
        return call_mismatch(c);
    return c->args[0].i == INT64_MIN ? overflow(c) : datum_int(-c->args[0].i);
}

struct datum function_not(const struct call *c)
{
    return call_is(c, 0, DATUM_BOOL) ? datum_bool(!c->args[0].b) : call_mismatch(c);
}

/* The index into a list: an int, or another number that is one. -1: it is none; -2: it is outside. */
static int64_t list_index(const struct datum *list, const struct datum *index)
{
    if (!datum_is_number(index))
        return -1;
    struct datum first = datum_int(0), end = datum_int(list->size);
    int above = number_compare(index, &first), below = number_compare(index, &end);
    if (above == 2)
        return -1;
    int64_t at = above < 0 || below >= 0 ? -2 : index->kind == DATUM_DOUBLE ? (int64_t)index->d : index->i;
    return at >= 0 && index->kind == DATUM_DOUBLE && (double)at != index->d ? -1 : at;
}

/* What an index finds; *absent tells a failure that only means that nothing is there. */
static struct datum found_at(const struct call *c, const struct datum *of, bool *absent)
{
    const struct datum *index = &c->args[1];
    *absent = false;
    if (of->kind == DATUM_MAP) {
        int64_t at = map_find(of, index);
        *absent = at < 0;
        if (at >= 0)
            return of->map->entries[2 * at + 1];
        return call_fail(c, "no such key");
    }
    if (of->kind != DATUM_LIST)
        return call_mismatch(c);
    int64_t at = list_index(of, index);
    *absent = at == -2;
    if (at >= 0)
        return of->items[at];
    return call_fail(c,
                     at == -2 ? "invalid_argument: index out of range" : "invalid_argument: a list's index is an int");
}

struct datum function_index(const struct call *c)
{
    const struct datum *of = &c->args[0];
    bool optional = of->kind == DATUM_OPTIONAL, absent;
    if (optional && of->held == NULL)
        return *of;
    struct datum found = found_at(c, optional ? of->held : of, &absent);
    if (!optional)
        return found;
    return absent ? (struct datum){.kind = DATUM_OPTIONAL, .held = NULL}
                  : optional_of(c->evaluation, c->position, found);
}

struct datum function_optional_index(const struct call *c)
{
    const struct datum *of = &c->args[0];
    bool absent;
    if (of->kind == DATUM_OPTIONAL && of->held == NULL)
        return *of;
    struct datum found = found_at(c, of->kind == DATUM_OPTIONAL ? of->held : of, &absent);
    return absent ? (struct datum){.kind = DATUM_OPTIONAL, .held = NULL}
                  : optional_of(c->evaluation, c->position, found);
}
