/* typed_texts.h - what a typed definition says in texts: tags, and the metadata of calls; and its output. */
#ifndef SAGA_DEFINITION_TYPED_TEXTS_H
#define SAGA_DEFINITION_TYPED_TEXTS_H

#include "sidecar/definition/typed_request.h"

/* Reads `tags: {order: =input.order_id}`. n may be NULL. */
int typed_tags_read(const struct yaml_node *n, struct mapping *m, struct error_detail *detail);

/* Reads `metadata: {x-tenant: =input.tenant}` of a step. n may be NULL. */
int typed_metadata_read(const struct yaml_node *n, struct mapping *m, unsigned step, struct error_detail *detail);

/* Reads `output`, of the type that `output_type` names, or else a google.protobuf.Struct; n may be NULL. */
int typed_output_read(const struct yaml_node *n, const struct yaml_node *type, const struct typed_request *t,
                      const struct schema *schema);

#endif
