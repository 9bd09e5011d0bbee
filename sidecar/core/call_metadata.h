/* call_metadata.h - what goes to a participant beside the request: who calls, which attempt it is, and the idempotency key. Pure.
 *
 * Keys are printable ASCII. The simulator uses the same code, so that what it proves of keys holds for sagad. */
#ifndef SAGA_CORE_CALL_METADATA_H
#define SAGA_CORE_CALL_METADATA_H

#include "sidecar/engine/engine.h"

#define IDEMPOTENCY_KEY_SIZE (SAGA_ID_TEXT_SIZE + STEP_NAME_BYTES_MAX + 32)
#define CALL_METADATA_MAX    27 /* 11 of ours, and 16 of the definition's */

struct call_metadata_entry {
    const char *key; /* lower case */
    struct bytes value;
};

/* Views the call and its own texts: it must not be moved. */
struct call_metadata {
    struct call_metadata_entry entries[CALL_METADATA_MAX];
    size_t count;
    char attempt[8];
    char key[IDEMPOTENCY_KEY_SIZE];
    char action_key[IDEMPOTENCY_KEY_SIZE];
    char action_started[24];
};

/* The key of every attempt of one (saga, step, phase), as "9f03c1d2a4b7-2a/charge/action". An action that an operator has tried anew after a
 * definite refusal is another action to the participant's barrier, which keeps the refusal: then "#2" follows, and so on, also in
 * the key of its compensation. Returns its length. */
size_t call_idempotency_key(struct saga_id saga, struct bytes step, uint8_t phase, uint32_t generation,
                            char key[IDEMPOTENCY_KEY_SIZE]);

void call_metadata_init(struct call_metadata *m, const struct call_effect *call);

#endif
