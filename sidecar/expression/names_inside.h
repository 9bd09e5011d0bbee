/* names_inside.h - what a name means in an environment: a variable, an enum's constant or a type.. */
#ifndef SAGA_EXPRESSION_NAMES_INSIDE_H
#define SAGA_EXPRESSION_NAMES_INSIDE_H

#include "sidecar/expression/expression.h"

enum named_kind { NAMED_VARIABLE, NAMED_CONSTANT, NAMED_TYPE };

struct named {
    enum named_kind kind;
    const struct type *type; /* of the variable or constant; or the type itself */
    unsigned variable;
    int64_t number;
};

/* Sought in the container and those around it, unless absolute. False when there is none, or the pool has no room. */
bool names_find(const struct environment *environment, struct pool *pool, struct bytes name, bool absolute,
                struct named *out);

/* NULL when there is none. */
const struct message_type *names_find_message(const struct environment *environment, struct bytes name, bool absolute);

#endif
