/* made_messages.h - messages made by chance, in the one form on the wire and in JSON that protobuf gives them, and in others that mean the same. */
#ifndef SAGA_TESTS_MADE_MESSAGES_H
#define SAGA_TESTS_MADE_MESSAGES_H

#include "tests/support/made_scalars.h"

/* One message in four forms. The loose wire may be cut behind `half` into two messages that are one together. */
struct made {
    struct made_text wire, json, loose_wire, loose_json;
    size_t half;
};

/* Of a type of shapes.proto; what it is lives until the next. *known and *unknown: how many fields the loose wire has of either sort, in all messages within
 * it. */
const struct made *made_message(const struct schema *schema, const struct message_type *type, unsigned *known,
                                unsigned *unknown);

#endif
