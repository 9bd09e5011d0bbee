/* compiled_inside.h - an expression that was read and checked.. */
#ifndef SAGA_EXPRESSION_COMPILED_INSIDE_H
#define SAGA_EXPRESSION_COMPILED_INSIDE_H

#include "sidecar/expression/ast_inside.h"

struct expression {
    struct node *root;
    uint32_t locals; /* names that macros within one another give, at most */
};

#endif
