/* check_inside.h - what the parts of the checker share.. */
#ifndef SAGA_EXPRESSION_CHECK_INSIDE_H
#define SAGA_EXPRESSION_CHECK_INSIDE_H

#include "sidecar/expression/ast_inside.h"
#include "sidecar/expression/unify_inside.h"

/* Names that macros within one another give. */
#define LOCALS_MAX 64

struct local {
    struct bytes name;
    const struct type *type;
};

struct checker {
    const struct environment *environment;
    struct pool *pool;
    struct expression_error *error;
    int code;
    struct unifier unifier;
    struct local locals[LOCALS_MAX];
    uint32_t local_count, locals_most;
    struct bytes dotted; /* the name with dots that is looked at, all of it; empty: none is */
};

/* Keeps the first error. Returns NULL. */
void *check_refuse(struct checker *c, int code, uint32_t position, const char *text);
void check_append_type(struct checker *c, const struct type *t);

/* Gives a call, whose arguments are checked and whose function is found, its type. */
void check_overloads(struct checker *c, struct node *n);

#endif
