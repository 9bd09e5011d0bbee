/* examine.h - what can be said of an expression without evaluating it. Pure. */
#ifndef SAGA_EXPRESSION_EXAMINE_H
#define SAGA_EXPRESSION_EXAMINE_H

#include "sidecar/expression/expression.h"

/* Whether it uses no variable at all: then its value is the same for every saga. */
bool examine_is_constant(const struct expression *e);

/* The field when the expression is no more than that field of the variable, as in `input.card`; else NULL. */
const struct field *examine_field_of(const struct expression *e, unsigned variable);

/* Whether it may fail for the variable's absence: whether it uses the variable where neither has(it) nor outcome == 'done' was asked before, outcome
 * being the variable that tells. Both are indices of the environment. */
bool examine_may_miss(const struct expression *e, unsigned variable, unsigned outcome);

/* What a variable is compared with. */
struct examined_equal {
    int variable;         /* another variable, by its index; -1: the literal */
    struct datum literal; /* a view of the expression */
};

/* Whether it can only be true when the variable equals one thing: of the parts that a && at its top joins, one is such a comparison. */
bool examine_must_equal(const struct expression *e, unsigned variable, struct examined_equal *out);

/* Hands every field of a message that it reads or sets to seen, one that is used twice twice. */
void examine_fields(const struct expression *e, void (*seen)(void *self, const struct field *f), void *self);

/* Likewise, only those that it reads. */
void examine_reads(const struct expression *e, void (*seen)(void *self, const struct field *f), void *self);

/* Hands every type of message to seen of which the expression takes a whole message, and not only fields of it: what it gives, compares, or hands
 * to a function. One that it makes itself does not count. */
void examine_wholes(const struct expression *e, void (*seen)(void *self, const struct message_type *type), void *self);

/* Of the messages that the value consists of: hands the fields that the expression itself sets to set, and every type of which it gives a whole message
 * that it has from elsewhere to given. What it only reads does not count. */
void examine_value(const struct expression *e, void (*set)(void *self, const struct field *f),
                   void (*given)(void *self, const struct message_type *type), void *self);

/* How large something is at most: the list `list` of a condition, or, where that is NULL, the variable, of a loop or of a value that was
 * looked at before. */
struct examine_bound {
    const struct node *list;
    int variable;
    uint64_t size; /* items of a list or map, bytes of a text or a message */
};

#define EXAMINE_BOUNDS_MAX 384

struct examine_bounds {
    uint64_t items; /* that any other list has, of what comes from outside */
    unsigned count;
    struct examine_bound of[EXAMINE_BOUNDS_MAX];
};

/* What holds when the condition does: size(input.lines) <= 50 and its like, joined by &&. Views of the condition. */
void examine_add_bounds(struct examine_bounds *b, const struct expression *condition);

struct examined_cost {
    uint64_t cost; /* as an evaluation counts it */
    uint64_t size; /* of the value */
};

/* What an evaluation of the expression comes to, about and at most, when lists are no longer than that and texts are short. */
struct examined_cost examine_cost(const struct expression *e, const struct examine_bounds *bounds);

#endif
