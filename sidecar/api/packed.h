/* packed.h - what can be said of a packed message before it is unpacked: the text of one of its fields, and whether it is fit to be unpacked
 * at all. Pure. */
#ifndef SAGA_API_PACKED_H
#define SAGA_API_PACKED_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* The text of a field of the message itself, by its name in the .proto; the last of several, as unpacking has it. Empty when there is none,
 * or the message is none. */
struct bytes packed_text(const ProtobufCMessageDescriptor *type, struct bytes message, const char *name);

/* How often a repeated field of this name may be there, wherever in a message. */
struct packed_bound {
    const char *field; /* NULL: the end of the table */
    uint32_t count_max;
    int code;
    const char *text; /* NULL: what the code's row says */
};

/* Whether the message can be unpacked at a cost that its size explains: no list longer than its bound, no more than a thousand fields that
 * say nothing; and whether its texts are UTF-8, which whoever is told of them must be able to read, without a NUL, which would cut one short. Returns 0,
 * or an error, with the field at fault in detail. */
int packed_check(const ProtobufCMessageDescriptor *type, struct bytes message, const struct packed_bound *bounds,
                 struct error_detail *detail);

#endif
