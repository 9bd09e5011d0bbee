/* function_inside.h - the functions of the language, as the table function.def has them.. */
#ifndef SAGA_EXPRESSION_FUNCTION_INSIDE_H
#define SAGA_EXPRESSION_FUNCTION_INSIDE_H

#include "sidecar/expression/datum.h"

enum function_style { FUNCTION_GLOBAL, FUNCTION_MEMBER };

enum function_id {
#define FUNCTION(id, name, style, overloads, handler) FUNCTION_ID_##id,
#include "sidecar/expression/function.def"
#undef FUNCTION
    FUNCTION_COUNT
};

struct evaluation;
struct regex;

/* One call on its way. */
struct call {
    struct evaluation *evaluation;
    const struct datum *args; /* none of them failed */
    uint32_t count;
    uint32_t position;
    const struct type *type;   /* of the result, as checked */
    const struct regex *regex; /* of matches(): made from a literal pattern; else NULL */
};

typedef struct datum function_handler(const struct call *call);

struct function {
    const char *name;
    enum function_style style;
    const char *overloads;
    function_handler *handler;
};

extern const struct function functions[FUNCTION_COUNT];

/* -1 when there is none of this name and style. */
int function_find(struct bytes name, enum function_style style);

#define FUNCTION(id, name, style, overloads, handler) function_handler handler;
#include "sidecar/expression/function.def"
#undef FUNCTION

#endif
