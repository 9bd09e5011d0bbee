/* expression.h - expressions in CEL (https://github.com/google/cel-spec), the
 * language of definitions: read and checked once, evaluated often.
 * docs/expressions.md says what of it there is. Pure: no clock, no I/O, no
 * memory but the pool's; the same input gives the same value. */
#ifndef SAGA_EXPRESSION_EXPRESSION_H
#define SAGA_EXPRESSION_EXPRESSION_H

#include "sidecar/base/error.h"
#include "sidecar/expression/datum.h"

#define EXPRESSION_BYTES_MAX 16384 /* of the text */
#define EXPRESSION_NODES_MAX 4096  /* operators, names, literals and calls together */
#define EXPRESSION_DEPTH_MAX 200   /* of one within another */

/* A name that expressions see. It may have dots ("saga.id"); the longest name
 * that fits wins. */
struct variable {
    struct bytes name;
    const struct type *type;
    bool may_be_absent; /* has(name) tells; using it while it is absent fails */
};

/* What expressions are checked against; borrowed for the call, but for the
 * schema and the types, which must outlive the expression. */
struct environment {
    const struct schema *schema; /* message types and enums; NULL: none */
    struct bytes container;      /* the package that names are sought in first, and
                             then in those around it */
    const struct variable *variables;
    unsigned variable_count;
    bool unchecked; /* what has no meaning fails when it is evaluated, and not
                     before: for the conformance suite */
};

struct expression_error {
    uint32_t position; /* bytes from the beginning of the text */
    int line, column;  /* of it, from 1; columns count code points */
    char text[224];    /* one sentence */
};

struct expression;

/* Reads and checks text. The expression, a copy of the text with it, is made in
 * the pool and lives as long. Fails with E_SYNTAX (it cannot be read),
 * E_ARGUMENT (it has no meaning or no type), E_PAYLOAD (a bound) or E_MEMORY.
 */
int expression_compile(struct bytes text, const struct environment *environment, struct pool *pool,
                       const struct expression **out, struct expression_error *error);

const struct type *expression_type(const struct expression *e);

/* Whether a value of one type may stand where the other is wanted: of the same type, dyn, null for a message, what a wrapper holds for the wrapper. */
bool type_fits(const struct type *wanted, const struct type *given, struct pool *pool);

/* Whether it uses the variable of this index. */
bool expression_uses(const struct expression *e, unsigned variable);

/* One evaluation. The caller sets all but the last three, which are to be zero
 * before the first; costs of several evaluations add up. */
struct evaluation {
    const struct schema *schema;
    struct pool *pool;
    const struct datum *variables; /* by the environment's index; one that is
                                    absent is `datum_absent` */
    uint64_t cost_max;             /* about one for each operation and each 16 bytes that are
                        looked at or written */
    uint64_t cost;
    struct datum *locals;
    const struct failure *ended; /* a bound was reached */
    /* The message that was asked for a field last, and where its fields lie; NULL: they are looked for each time. */
    const struct message_type *indexed_type;
    struct bytes indexed;
    struct message_index *index;
};

extern const struct datum datum_absent;

/* The value, which lives as long as the pool and the messages that the
 * variables are views of; or a DATUM_FAILURE, whose position is in the
 * expression's text. */
struct datum expression_evaluate(const struct expression *e, struct evaluation *evaluation);

/* Line and column of a position in an expression's text. */
void expression_place(struct bytes text, uint32_t position, int *line, int *column);

#endif
