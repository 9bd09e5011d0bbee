/* typed_mapping.h - what a typed definition computes: the names under `let`, what it requires, the conditions of its steps, and requests that are made of
 * expressions. */
#ifndef SAGA_DEFINITION_TYPED_MAPPING_H
#define SAGA_DEFINITION_TYPED_MAPPING_H

#include "sidecar/definition/reader.h"
#include "sidecar/definition/yaml_tree.h"

/* Reads all that into d->mapping, which the caller releases; NULL when the definition computes nothing, or its types are not at hand. Of d all else is
 * read; nodes are those of its steps. */
int typed_mapping_read(const struct yaml_node *root, const struct yaml_node **nodes,
                       const struct definition_limits *limits, struct definition *d, struct error_detail *detail);

#endif
