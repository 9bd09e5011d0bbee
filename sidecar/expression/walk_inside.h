/* walk_inside.h - evaluating a part of an expression.. */
#ifndef SAGA_EXPRESSION_WALK_INSIDE_H
#define SAGA_EXPRESSION_WALK_INSIDE_H

#include "sidecar/expression/ast_inside.h"

struct datum walk(struct evaluation *e, const struct node *n);
struct datum walk_loop(struct evaluation *e, const struct node *n);

#endif
