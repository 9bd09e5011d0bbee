/* expression_text.h - what comes of an expression, in one line: its type, its value and what it cost, or what is wrong and where. */
#ifndef SAGA_TESTS_EXPRESSION_TEXT_H
#define SAGA_TESTS_EXPRESSION_TEXT_H

#include "sidecar/expression/expression.h"

#include <stdio.h>

#define EXPRESSION_COST_MAX 2000

/* What an expression is read and evaluated with; the values by the environment's index. */
struct expression_world {
    struct environment environment;
    const struct datum *values;
    struct pool *pool; /* rewound behind each */
    bool untyped;      /* the type is not told */
};

/* Writes one line's end without its newline. A value is written so that each bit of it shows. */
void expression_text_put(FILE *out, const struct expression_world *world, const char *text);

/* The same, but what failed as the one before did, in a table of them, says no more than that. *last is NULL before the first and to be freed. */
void expression_text_put_shortly(FILE *out, const struct expression_world *world, const char *text, char **last);

/* The value alone. */
void expression_text_datum(FILE *out, const struct datum *d);

/* A text of bytes with what is not printable, or beyond ASCII, escaped. */
void expression_text_bytes(FILE *out, struct bytes text);

#endif
