/* typed_request.h - a request as YAML has it: protobuf's JSON form, in which any value may be an expression, a text that begins with =. */
#ifndef SAGA_DEFINITION_TYPED_REQUEST_H
#define SAGA_DEFINITION_TYPED_REQUEST_H

#include "sidecar/definition/reader.h"
#include "sidecar/definition/yaml_tree.h"
#include "sidecar/mapping/mapping_build.h"

struct typed_request {
    struct mapping *mapping; /* its request is begun */
    const struct definition_limits *limits;
    struct error_detail *detail;
};

int typed_request_read(const struct typed_request *t, const struct yaml_node *n, const struct message_type *type);

/* The heap, for what is made of expressions. */
extern const struct memory typed_memory;

/* The text of a value that is always an expression, without the = that it may have; *offset is 1 when it had. */
int typed_expression(const struct yaml_node *n, struct bytes *text, unsigned *offset, struct error_detail *detail);

/* Says what is wrong within an expression, which begins offset bytes into the node's text. Returns code. */
int typed_refuse(const struct yaml_node *n, unsigned offset, int code, const struct expression_error *error,
                 struct error_detail *detail);

#endif
