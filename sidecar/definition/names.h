/* names.h - the form of names and of gRPC method names. Pure. */
#ifndef SAGA_DEFINITION_NAMES_H
#define SAGA_DEFINITION_NAMES_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* Whether name is 1 to max bytes of letters, digits, '-', '_' and '.'. */
bool definition_name_valid(struct bytes name, size_t max);

/* Whether method is "/package.Service/Method" of at most METHOD_BYTES_MAX bytes. */
bool definition_method_valid(struct bytes method);

#endif
