/* ast_inside.h - an expression as a tree: made by parse.c, given types and meaning by
 * check.c, walked by evaluate.c.. */
#ifndef SAGA_EXPRESSION_AST_INSIDE_H
#define SAGA_EXPRESSION_AST_INSIDE_H

#include "sidecar/expression/datum.h"
#include "sidecar/expression/expression.h"
#include "sidecar/expression/function_inside.h"

enum node_kind {
    NODE_LITERAL,
    NODE_NAME,
    NODE_SELECT,   /* operand.name, operand.?name, has(operand.name) */
    NODE_INDEX,    /* operand[args[0]], operand[?args[0]] */
    NODE_CALL,     /* name(args), operand.name(args); operators too, which have no
                    name that could be written */
    NODE_AND,      /* args */
    NODE_OR,       /* args */
    NODE_CHOICE,   /* args[0] ? args[1] : args[2] */
    NODE_LIST,     /* args */
    NODE_MAP,      /* args: keys and values by turns */
    NODE_MESSAGE,  /* name{fields[i]: args[i]} */
    NODE_LOOP,     /* a macro over operand */
    NODE_BIND,     /* args[0] is names[0] in args[1] */
    NODE_FIELD,    /* checked: a select of a message's field */
    NODE_LOCAL,    /* checked: a name that a macro gave */
    NODE_VARIABLE, /* checked: a name of the environment */
    NODE_UNKNOWN,  /* not checked: what fails when it is evaluated; name is the
                    reason */
};

enum loop_kind {
    LOOP_ALL,
    LOOP_EXISTS,
    LOOP_EXISTS_ONE,
    LOOP_MAP,       /* args: [condition,] item */
    LOOP_FILTER,    /* args: condition */
    LOOP_MAP_MAP,   /* transformMap; args: [condition,] value */
    LOOP_MAP_ENTRY, /* transformMapEntry; args: [condition,] map */
    LOOP_OPT_MAP,
    LOOP_OPT_FLAT_MAP,
};

struct node {
    enum node_kind kind;
    enum loop_kind loop;
    uint32_t position;
    uint32_t count;     /* of args */
    bool test;          /* has() */
    bool optional;      /* .?name, [?index] */
    bool absolute;      /* .name: not sought in the container */
    uint8_t name_count; /* of a loop: 1 or 2 */
    struct bytes name;
    struct bytes names[2];
    struct node *operand;
    struct node **args;
    struct bytes *fields;  /* of a message */
    const bool *optionals; /* of a list, map or message, for each item or entry:
                            ?item; NULL when there is none */
    struct datum literal;
    /* By the checker: */
    const struct type *type;
    uint32_t slot;                /* of a local, a loop's first name, or a variable */
    enum function_id function;    /* of a call */
    const struct field *field;    /* of NODE_FIELD */
    const struct field **members; /* of a message's fields */
    const struct message_type *message;
    const struct regex *regex; /* of matches() with a literal pattern */
};

struct parsed {
    struct node *root;
    uint32_t node_count;
};

/* Reads the text, which must outlive the tree. 0, E_SYNTAX, E_PAYLOAD (a bound)
 * or E_MEMORY; then *error says where. */
int parse_expression(struct bytes text, struct pool *pool, struct parsed *out, struct expression_error *error);

/* Gives every node its type and its meaning. 0 or E_ARGUMENT, E_PAYLOAD,
 * E_MEMORY. */
int check_expression(struct node *root, const struct environment *environment, struct pool *pool, uint32_t *locals,
                     struct expression_error *error);

/* Fills *error in and returns code. */
int expression_fail(struct expression_error *error, int code, uint32_t position, const char *text);
void expression_error_append(struct expression_error *error, struct bytes more);

#endif
