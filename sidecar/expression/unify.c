#include "sidecar/expression/unify_inside.h"

#include "sidecar/base/check.h"

const struct type *unify_fresh(struct unifier *u)
{
    if (u->count == u->room) {
        uint32_t room = u->room == 0 ? 64 : 2 * u->room;
        const struct type **bound = pool_grow(u->pool, u->bound, u->room * sizeof *bound, room * sizeof *bound);
        if (bound == NULL) {
            u->no_room = true;
            return &type_dyn;
        }
        u->bound = bound;
        u->room = room;
    }
    const struct type *t = type_variable(u->pool, u->count);
    if (t == NULL) {
        u->no_room = true;
        return &type_dyn;
    }
    u->bound[u->count++] = NULL;
    return t;
}

const struct type *unify_look(const struct unifier *u, const struct type *t)
{
    while (t->kind == TYPE_VARIABLE && u->bound[t->variable] != NULL)
        t = u->bound[t->variable];
    return t;
}

static bool bind(struct unifier *u, uint32_t variable, const struct type *t)
{
    if (u->trail_count == u->trail_room) {
        uint32_t room = u->trail_room == 0 ? 64 : 2 * u->trail_room;
        uint32_t *trail = pool_grow(u->pool, u->trail, u->trail_room * sizeof *trail, room * sizeof *trail);
        const struct type **before =
            trail == NULL ? NULL : pool_grow(u->pool, u->before, u->trail_room * sizeof *before, room * sizeof *before);
        if (before == NULL) {
            u->no_room = true;
            return false;
        }
        u->trail = trail;
        u->before = before;
        u->trail_room = room;
    }
    u->trail[u->trail_count] = variable;
    u->before[u->trail_count++] = u->bound[variable];
    u->bound[variable] = t;
    return true;
}

void unify_undo(struct unifier *u, uint32_t mark)
{
    while (u->trail_count > mark) {
        u->trail_count--;
        u->bound[u->trail[u->trail_count]] = u->before[u->trail_count];
    }
}

bool unify_same(const struct type *a, const struct type *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->variable != b->variable || a->message != b->message)
        return false;
    for (int i = 0; i < 2; i++) {
        if ((a->of[i] == NULL) != (b->of[i] == NULL))
            return false;
        if (a->of[i] != NULL && !unify_same(a->of[i], b->of[i]))
            return false;
    }
    return true;
}

/* Whether the variable is somewhere in t. */
static bool occurs(const struct unifier *u, uint32_t variable, const struct type *t)
{
    if (t->kind == TYPE_VARIABLE) {
        if (t->variable == variable)
            return true;
        return u->bound[t->variable] != NULL && occurs(u, variable, u->bound[t->variable]);
    }
    for (int i = 0; i < 2; i++)
        if (t->of[i] != NULL && occurs(u, variable, t->of[i]))
            return true;
    return false;
}

/* Whether a says no more about a value than b does. */
static bool as_general(const struct type *a, const struct type *b)
{
    if (a->kind == TYPE_DYN || a->kind == TYPE_VARIABLE)
        return true;
    if (b->kind == TYPE_DYN || b->kind == TYPE_VARIABLE)
        return false;
    if (b->kind == TYPE_NULL && a->kind != TYPE_NULL)
        return true;
    if (a->kind == TYPE_WRAPPER && unify_same(a->of[0], b))
        return true;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case TYPE_LIST:
    case TYPE_OPTIONAL:
        return as_general(a->of[0], b->of[0]);
    case TYPE_MAP:
        return as_general(a->of[0], b->of[0]) && as_general(a->of[1], b->of[1]);
    case TYPE_TYPE:
        return true;
    default:
        return unify_same(a, b);
    }
}

static const struct type *more_general(const struct type *a, const struct type *b)
{
    return as_general(a, b) ? a : b;
}

/* Whether the variable may stand for t. *known: it stood for something before. */
static bool fits(struct unifier *u, const struct type *t, const struct type *variable, bool *known)
{
    *known = true;
    if (unify_same(t, variable))
        return true;
    const struct type *bound = u->bound[variable->variable];
    if (bound == NULL) {
        *known = false;
        return !occurs(u, variable->variable, t) && bind(u, variable->variable, t);
    }
    if (unify_same(t, bound))
        return true;
    if (!unify_assignable(u, t, bound))
        return false;
    const struct type *general = more_general(t, bound);
    if (general != bound && !occurs(u, variable->variable, general))
        return bind(u, variable->variable, general);
    return true;
}

static bool nullable(const struct type *t)
{
    return t->kind == TYPE_NULL || t->kind == TYPE_WRAPPER || t->kind == TYPE_MESSAGE || t->kind == TYPE_TIMESTAMP ||
           t->kind == TYPE_DURATION || t->kind == TYPE_OPTIONAL;
}

/* Where dyn meets a list of something, that may be anything too: what is promised of it later must hold. */
static bool widen(struct unifier *u, const struct type *t)
{
    bool wide = true;
    for (int i = 0; i < 2 && t->kind != TYPE_WRAPPER && t->of[i] != NULL; i++)
        wide = unify_assignable(u, &type_dyn, t->of[i]) && wide;
    return wide;
}

bool unify_assignable(struct unifier *u, const struct type *to, const struct type *from)
{
    bool known;
    if (from->kind == TYPE_VARIABLE) {
        if (fits(u, to, from, &known))
            return true;
        if (known)
            return false;
    }
    if (to->kind == TYPE_VARIABLE)
        return fits(u, from, to, &known);
    if (to->kind == TYPE_DYN || from->kind == TYPE_DYN)
        return widen(u, to) && widen(u, from);
    if (to->kind == TYPE_NULL)
        return nullable(from);
    if (from->kind == TYPE_NULL)
        return nullable(to);
    if (to->kind == TYPE_WRAPPER && from->kind != TYPE_WRAPPER)
        return unify_same(to->of[0], from);
    if (from->kind == TYPE_WRAPPER && to->kind != TYPE_WRAPPER)
        return unify_same(from->of[0], to);
    if (to->kind != from->kind)
        return false;
    switch (to->kind) {
    case TYPE_LIST:
    case TYPE_OPTIONAL:
        return unify_assignable(u, to->of[0], from->of[0]);
    case TYPE_MAP:
        return unify_assignable(u, to->of[0], from->of[0]) && unify_assignable(u, to->of[1], from->of[1]);
    case TYPE_MESSAGE:
        return to->message == from->message;
    case TYPE_WRAPPER:
        return unify_same(to->of[0], from->of[0]);
    default:
        return true;
    }
}

bool unify_try(struct unifier *u, const struct type *to, const struct type *from)
{
    uint32_t mark = unify_mark(u);
    if (unify_assignable(u, to, from))
        return true;
    unify_undo(u, mark);
    return false;
}

const struct type *unify_join(struct unifier *u, const struct type *a, const struct type *b)
{
    if (!unify_try(u, a, b))
        return &type_dyn;
    return more_general(a, b);
}

/* Deeper than types are written; a cycle cannot be (occurs), but what is bound to it may be long. */
#define TYPE_DEPTH_MAX 64

static const struct type *apply(struct unifier *u, const struct type *t, bool free_is_dyn, unsigned depth)
{
    t = unify_look(u, t);
    if (depth == TYPE_DEPTH_MAX)
        return &type_dyn;
    if (t->kind == TYPE_VARIABLE)
        return free_is_dyn ? &type_dyn : t;
    if (t->of[0] == NULL)
        return t;
    const struct type *a = apply(u, t->of[0], free_is_dyn, depth + 1);
    const struct type *b = t->of[1] == NULL ? NULL : apply(u, t->of[1], free_is_dyn, depth + 1);
    if (a == t->of[0] && b == t->of[1])
        return t;
    struct type *made = pool_take(u->pool, sizeof *made);
    if (made == NULL) {
        u->no_room = true;
        return &type_dyn;
    }
    *made = *t;
    made->of[0] = a;
    made->of[1] = b;
    return made;
}

const struct type *unify_apply(struct unifier *u, const struct type *t, bool free_is_dyn)
{
    return apply(u, t, free_is_dyn, 0);
}
