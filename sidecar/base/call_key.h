/* call_key.h - the idempotency key of a call, the same for every attempt of it. */
#ifndef SAGA_BASE_CALL_KEY_H
#define SAGA_BASE_CALL_KEY_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/saga_id.h"

/* Room for a key with its NUL, when the step's name has at most name_max bytes. */
#define CALL_KEY_SIZE(name_max) (SAGA_ID_TEXT_SIZE + (name_max) + 32)

/* Writes "9f03c1d2a4b7-2a/reserve/action", and "#2" behind it for generation 1; with its NUL. Returns its length. */
size_t call_key_format(struct saga_id saga, struct bytes step, bool action, uint32_t generation, char *key);

#endif
