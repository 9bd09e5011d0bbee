/* unify_inside.h - which types go together while an expression is checked: what each type variable stands for is found out on the way. */
#ifndef SAGA_EXPRESSION_UNIFY_INSIDE_H
#define SAGA_EXPRESSION_UNIFY_INSIDE_H

#include "sidecar/expression/type.h"

struct unifier {
    struct pool *pool;
    const struct type **bound; /* by variable; NULL: free */
    uint32_t count, room;
    uint32_t *trail; /* variables in the order in which they were changed, and what they were before */
    const struct type **before;
    uint32_t trail_count, trail_room;
    bool no_room;
};

/* A new variable; type_dyn when the pool has no room (then no_room). */
const struct type *unify_fresh(struct unifier *u);

/* What t stands for now, its outside only. */
const struct type *unify_look(const struct unifier *u, const struct type *t);

/* Whether a value of one type may stand where the other is expected; binds variables. unify_undo takes bindings back to a mark. */
bool unify_assignable(struct unifier *u, const struct type *to, const struct type *from);
static inline uint32_t unify_mark(const struct unifier *u)
{
    return u->trail_count;
}
void unify_undo(struct unifier *u, uint32_t mark);

/* The same, leaving nothing bound when it is false. */
bool unify_try(struct unifier *u, const struct type *to, const struct type *from);

/* One type for values of both: the more general, or dyn. */
const struct type *unify_join(struct unifier *u, const struct type *a, const struct type *b);

/* t with everything in it that is known; what is free stays, or becomes dyn. */
const struct type *unify_apply(struct unifier *u, const struct type *t, bool free_is_dyn);

bool unify_same(const struct type *a, const struct type *b);

#endif
