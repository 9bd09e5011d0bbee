/* shapes.h - the types of shapes.proto, read. */
#ifndef SAGA_TESTS_SHAPES_H
#define SAGA_TESTS_SHAPES_H

#include "sidecar/definition/reader.h"
#include "sidecar/message/schema.h"

/* The serialized FileDescriptorSet of tests/support/shapes.proto and what it imports. */
extern const unsigned char shapes[];
extern const unsigned long shapes_size;

/* Reads it; ends the test when it cannot be. The caller destroys it. */
struct schema *shapes_schema(void);

/* The same as the schema "shapes" of typed definitions, for the rest of the program. */
struct definition_schemas shapes_schemas(void);

/* A message shapes.Line of nothing but this sku, in room of at least sku.size + 2 bytes; sku has at most 127. */
struct bytes shapes_line(struct bytes sku, uint8_t *room);

/* A type of package shapes; ends the test when there is none. */
const struct message_type *shapes_type(const struct schema *s, const char *name);

/* A field of it. */
const struct field *shapes_field(const struct message_type *t, const char *name);

#endif
