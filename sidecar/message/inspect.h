/* inspect.h - checks bytes against the type that they are said to have. Pure, bounded, allocates nothing. */
#ifndef SAGA_MESSAGE_INSPECT_H
#define SAGA_MESSAGE_INSPECT_H

#include "sidecar/message/schema.h"

struct inspection {
    uint32_t known;          /* fields that the type has, in all messages within it */
    uint32_t unknown;        /* those it has not: another type's, an extension's, a newer version's */
    bool incomplete;         /* a required field of proto2 is not there */
    uint32_t unknown_number; /* of the first unknown one; 0 when there is none */
    const struct message_type *unknown_in;
};

/* Goes over the message and every message within it. Returns 0, or E_ARGUMENT when it is none: bytes that are no fields, a string that is not
 * UTF-8, more than MESSAGE_DEPTH_MAX within one another. detail->field is then the path, as in "lines[2].sku". */
int inspect_message(const struct message_type *type, struct bytes wire, struct inspection *out,
                    struct error_detail *detail);

#endif
