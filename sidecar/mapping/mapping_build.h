/* mapping_build.h - makes a mapping, while a definition is read. What is wrong is told with its place in the expression's own text. */
#ifndef SAGA_MAPPING_MAPPING_BUILD_H
#define SAGA_MAPPING_MAPPING_BUILD_H

#include "sidecar/definition/model.h"
#include "sidecar/expression/expression.h"
#include "sidecar/mapping/mapping.h"

#define MAPPING_LETS_MAX     64
#define MAPPING_REQUIRES_MAX 64
#define MAPPING_EXPECTS_MAX  16 /* of one step */
/* Of all its expressions and requests together. */
#define MAPPING_BYTES_MAX (16u << 20)

/* Where an expression or a request stands: what it sees depends on that. */
struct mapping_place {
    int step; /* -1: before the first one */
    bool compensation;
};

/* For a definition whose steps have their names and ancestors already, of which the actions' and compensations' methods are read later; borrowed
 * until the mapping is whole. The schema must outlive the mapping. input is NULL when the definition does not tell. On success *out is the caller's to release. 0 or E_MEMORY. */
int mapping_create(const struct definition *d, const struct schema *schema, const struct message_type *input,
                   const struct memory *memory, struct mapping **out);

/* Tells that a step has an output of this type. Before anything is added that may use it. 0 or E_MEMORY. */
int mapping_set_output(struct mapping *m, unsigned step, const struct message_type *action_request,
                       const struct message_type *output);

/* A name that expressions added later see. name is a CEL identifier. 0, E_SYNTAX, E_ARGUMENT, E_PAYLOAD, E_MEMORY; then *error says where. */
int mapping_add_let(struct mapping *m, struct bytes name, struct bytes text, struct expression_error *error);

/* A condition at the start, and what is said when it does not hold. */
int mapping_add_require(struct mapping *m, struct bytes text, struct bytes otherwise, struct expression_error *error);

/* The step is a loop over the list that the expression gives, of at most max_items. After its output is set, and before anything is added that may use
 * that. */
int mapping_set_loop(struct mapping *m, unsigned step, uint16_t max_items, struct bytes text,
                     struct expression_error *error);

int mapping_set_when(struct mapping *m, unsigned step, struct bytes text, struct expression_error *error);

/* Which of several targets the step goes to, by its name. */
int mapping_set_target(struct mapping *m, unsigned step, struct bytes text, struct expression_error *error);

/* The key of the last good answer that may stand in for the step; what it gives is a text, a whole number or a bool. */
int mapping_set_key(struct mapping *m, unsigned step, struct bytes text, struct expression_error *error);

/* What an answer of the step's action must be, and what is said when it is not; undone: then it is undone, or else nothing was done. */
int mapping_add_expect(struct mapping *m, unsigned step, struct bytes text, struct bytes otherwise, bool undone,
                       struct expression_error *error);

/* A tag; with expression, what it gives (a text, a whole number or a bool), or else as it stands. */
int mapping_add_tag(struct mapping *m, struct bytes name, struct bytes text, bool expression,
                    struct expression_error *error);

/* The same for the metadata of the step's calls. */
int mapping_add_metadata(struct mapping *m, unsigned step, struct bytes name, struct bytes text, bool expression,
                         struct expression_error *error);

/* google.protobuf.Struct, of the schema or of the mapping's own. NULL: no memory. */
const struct message_type *mapping_struct(struct mapping *m);

/* Begins what is given to those who wait, as a request of this type; with type NULL it is the type of the whole expression to come. */
int mapping_begin_output(struct mapping *m, const struct message_type *type);

/* ---- a request, piece by piece: what is added is within the innermost message that is open ---- */

/* Begins the request of a place, of this type, which lasts until the next begin. 0 or E_MEMORY. */
int mapping_begin_request(struct mapping *m, struct mapping_place place, const struct message_type *type);

/* The whole request is what the expression gives: a message of the request's type. */
int mapping_add_whole(struct mapping *m, struct bytes text, struct expression_error *error);

/* A field whose value the expression gives; with item, one item of a repeated field. */
int mapping_add_expression(struct mapping *m, const struct field *f, bool item, struct bytes text,
                           struct expression_error *error);

/* Fields that are the same for every saga, as they stand on the wire. */
int mapping_add_constant(struct mapping *m, struct bytes wire, struct expression_error *error);

/* A message within, or a map's entry. */
int mapping_open(struct mapping *m, const struct field *f, struct expression_error *error);
int mapping_close(struct mapping *m, struct expression_error *error);

#endif
