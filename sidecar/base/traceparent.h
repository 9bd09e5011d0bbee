/* traceparent.h - whether a text is a trace context that can be handed on: https://www.w3.org/TR/trace-context/#traceparent-header. */
#ifndef SAGA_BASE_TRACEPARENT_H
#define SAGA_BASE_TRACEPARENT_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* "00-", 32 hexadecimal digits, "-", 16 of them, "-", 2 of them; in lower case, and neither id all zeros. Versions to come may have more behind
 * another "-", in printable ASCII. */
bool traceparent_valid(struct bytes text);

#endif
