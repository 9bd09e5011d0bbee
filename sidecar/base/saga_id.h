/* saga_id.h - the durable identity of one saga.
 *
 * `serial` counts the sagas of one journal and never repeats within it; it is the key of everything the sidecar
 * keeps. `tag` is drawn at random at every start of the sidecar, so that two sidecars, or one that was restored from
 * an older backup, never hand the same id, and so the same idempotency keys, to a participant.
 * With several loops the low bits of the tag tell the loop that the saga lives in.
 * As text: twelve hexadecimal digits of the tag, a hyphen, the serial in hexadecimal: `9f03c1d2a4b7-2a`. */
#ifndef SAGA_BASE_SAGA_ID_H
#define SAGA_BASE_SAGA_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct saga_id {
    uint64_t tag;    /* 48 bits */
    uint64_t serial; /* from 1 */
};

#define SAGA_ID_TAG_BITS 48
/* Low bits of the tag that tell the loop. */
#define SAGA_ID_LOOP_BITS 6
#define SAGA_LOOPS_MAX    (1 << SAGA_ID_LOOP_BITS)
/* Bytes of the longest text with its NUL: 12 + 1 + 16 + 1. */
#define SAGA_ID_TEXT_SIZE 30

/* Writes the text with its NUL and returns its length. */
size_t saga_id_format(struct saga_id id, char text[SAGA_ID_TEXT_SIZE]);

/* Reads a text of size bytes. Returns false, leaving *id alone, when it is not exactly the form above
 * (lower case, no leading zeros in the serial). */
bool saga_id_parse(const char *text, size_t size, struct saga_id *id);

static inline bool saga_id_equal(struct saga_id a, struct saga_id b)
{
    return a.serial == b.serial && a.tag == b.tag;
}

#endif
