/* mapping_inside.h - what a mapping holds. */
#ifndef SAGA_MAPPING_MAPPING_INSIDE_H
#define SAGA_MAPPING_MAPPING_INSIDE_H

#include "sidecar/mapping/mapping_build.h"

/* The variables of all expressions; which of them one sees is a matter of its place. Each step has two, and then come the lets. */
enum {
    VARIABLE_INPUT,
    VARIABLE_ID,
    VARIABLE_DEFINITION,
    VARIABLE_STARTED_AT,
    VARIABLE_TAGS,
    VARIABLE_ACTION_REQUEST,
    VARIABLE_ACTION_KEY,
    VARIABLE_ACTION_OUTCOME,
    VARIABLE_ACTION_OUTPUT,
    VARIABLE_ITEM,
    VARIABLE_INDEX,
    VARIABLE_STEPS,
};

struct rule {
    const struct expression *expression;
    struct bytes text;
    const uint16_t *uses; /* variables, in order of their numbers */
    unsigned use_count;
};

enum piece_kind { PIECE_CONSTANT, PIECE_EXPRESSION, PIECE_WHOLE, PIECE_OPEN, PIECE_CLOSE };

struct piece {
    enum piece_kind kind;
    const struct field *field;
    bool item; /* the expression gives one item of a repeated field */
    struct bytes wire;
    struct rule rule;
    const struct field
        *copied; /* of the input: the expression is this field, of the same kind; NULL: it is to be evaluated */
};

/* Messages within one another. */
#define PIECES_DEPTH_MAX 32

struct request {
    const struct message_type *type; /* NULL: there is none */
    struct piece *pieces;
    uint32_t count, room, depth;
};

struct requirement {
    struct rule rule;
    struct bytes otherwise;
    bool undone; /* of what is expected of an answer */
};

/* A text of tags or metadata. */
struct named_text {
    struct bytes name, text;
    bool computed; /* by the rule */
    struct rule rule;
};

struct texts {
    struct named_text *list; /* MAPPING_TEXTS_MAX of them; NULL: none yet */
    unsigned count;
};

struct step_mapping {
    struct bytes name;
    struct step_set ancestors;
    bool loop;
    bool deferred;
    uint16_t max_items;
    struct rule each; /* of a loop: gives its list */
    const struct type *item;
    bool has_when, has_target;
    struct rule when, target;
    bool has_key; /* of its last good answer */
    struct rule key;
    struct requirement *expects; /* MAPPING_EXPECTS_MAX of them; NULL: none yet */
    unsigned expect_count;
    struct texts metadata;
    struct request action, compensation;
    const struct message_type *action_request, *output;
};

struct mapping {
    const struct memory *memory;
    struct pool pool;
    uint32_t owners;
    const struct schema *schema;
    const struct message_type *input;
    struct bytes definition; /* its name */
    unsigned step_count;
    struct step_mapping *steps;
    struct variable *variables;
    struct rule lets[MAPPING_LETS_MAX];
    struct requirement requires[MAPPING_REQUIRES_MAX];
    unsigned let_count, require_count;
    struct texts tags;
    struct request output;
    struct schema *own; /* with google.protobuf.Struct, where the definition's has none */
    struct request *building;
    struct mapping_place place; /* of what is being built */
    bool answered;              /* and the step's action has answered */
    bool over;                  /* and the saga is done */
};

static inline unsigned variable_of_let(const struct mapping *m, unsigned let)
{
    return VARIABLE_STEPS + 2 * m->step_count + let;
}

static inline unsigned variable_count(const struct mapping *m)
{
    return variable_of_let(m, MAPPING_LETS_MAX);
}

#endif
