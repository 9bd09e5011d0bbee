/* typed.h - what a definition says of its messages: its schema, the type of its input, and that the methods it calls are there and are sent what
 * they take. */
#ifndef SAGA_DEFINITION_TYPED_H
#define SAGA_DEFINITION_TYPED_H

#include "sidecar/definition/reader.h"
#include "sidecar/definition/yaml_tree.h"

/* Reads `schema` and `input` of the mapping at the top. Texts become views into the tree. */
int typed_read(const struct yaml_node *root, const struct definition_limits *limits, struct definition *d,
               struct error_detail *detail);

/* The method that a call names in n, which must be unary. Leaves *method NULL when the definition has no types at hand. */
int typed_find_method(const struct definition *d, const struct yaml_node *n, const struct method_type **method,
                      struct error_detail *detail);

/* Once all calls have been read: whether each is sent a message of the type that it takes. nodes are those of the steps. */
int typed_check(const struct definition *d, const struct yaml_node *const *nodes, struct error_detail *detail);

#endif
