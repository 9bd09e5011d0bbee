/* scalar.h - one value of a field as people write it in JSON or YAML. Pure. */
#ifndef SAGA_MESSAGE_SCALAR_H
#define SAGA_MESSAGE_SCALAR_H

#include "sidecar/base/error.h"
#include "sidecar/base/pool.h"
#include "sidecar/message/build.h"

/* Reads text as a value of f: quoted, where JSON would have a string (texts, bytes in base64, names of enums, numbers too), or bare (numbers, true and
 * false). Not for messages. Returns 0, E_ARGUMENT with detail->text alone, E_MEMORY or E_PAYLOAD. The value may be a view into text or the pool. */
int scalar_read(const struct field *f, struct bytes text, bool quoted, struct pool *pool, struct value *out,
                struct error_detail *detail);

/* Whether the type is one that JSON writes as one text: Timestamp, Duration, FieldMask. */
bool scalar_is_text(const struct message_type *type);

/* Reads such a text, and builds the fields of the message. 0 or E_ARGUMENT. */
int scalar_read_text(const struct message_type *type, struct bytes text, struct builder *b,
                     struct error_detail *detail);

#endif
