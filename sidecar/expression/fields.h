/* fields.h - between messages on the wire and the values of expressions, well-known types among them. */
#ifndef SAGA_EXPRESSION_FIELDS_H
#define SAGA_EXPRESSION_FIELDS_H

#include "sidecar/expression/expression.h"
#include "sidecar/message/build.h"

/* What a message of this type is in an expression: itself, or what a well-known type stands for. wire is borrowed as long as the result lives. May
 * fail: an Any of a type that the schema does not have, a time beyond what CEL has. */
struct datum datum_of_message(struct evaluation *e, uint32_t position, const struct message_type *type,
                              struct bytes wire);

/* A message's field; what is not set reads as its default, or null for a wrapper. */
struct datum datum_of_field(struct evaluation *e, uint32_t position, const struct message *message,
                            const struct field *f);

/* message_get, which goes over a message once when it is asked for several fields, one after another. */
int field_get(struct evaluation *e, struct bytes wire, const struct field *f, struct value *out);

/* Whether it is set, as has() tells. 1, 0, or -1 with the reason in *failed. */
int field_is_set(struct evaluation *e, uint32_t position, const struct message *message, const struct field *f,
                 struct datum *failed);

/* Appends the field with this value, converted as a message's literal is: an int fits an int32 field when it is small enough, null leaves a message
 * unset. A failure's kind is DATUM_FAILURE; else null. */
struct datum build_datum(struct evaluation *e, uint32_t position, struct builder *b, const struct field *f,
                         const struct datum *value);

/* A whole message of this type from a value: the message itself, or what becomes one (a map a Struct, an int an Int64Value). */
struct datum wire_of_datum(struct evaluation *e, uint32_t position, const struct message_type *type,
                           const struct datum *value, struct bytes *wire);

#endif
