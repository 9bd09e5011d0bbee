/* vary.h - a request, and the same with one thing of it different: each field left out, at what may be its bounds, beyond them, and what is no value
 * of its type at all. */
#ifndef SAGA_TESTS_VARY_H
#define SAGA_TESTS_VARY_H

#include "sidecar/base/bytes.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

/* Called with what is different, as "enlist.step = 65 x"; NULL: nothing is. The request is a view for the call. */
void vary(const ProtobufCMessageDescriptor *type, struct bytes request,
          void (*each)(void *self, const char *what, struct bytes varied), void *self);

/* Writes the words of a line that another does not have, and, with a minus before them, those that the other has and it has not; "as ever" when there are
 * none of either. */
void vary_put_difference(FILE *out, const char *other, const char *line);

#endif
