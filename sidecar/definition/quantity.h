/* quantity.h - lengths of time, sizes, counts and ratios as people write them in YAML: "250ms", "4MiB", "64", "0.2".
 *
 * A reader returns NULL, or what is wrong in words that follow the text: "has no unit; write ms, s, m or h". */
#ifndef SAGA_DEFINITION_QUANTITY_H
#define SAGA_DEFINITION_QUANTITY_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"

/* Room for every text that is written here, with its NUL. */
#define QUANTITY_TEXT_SIZE 32

/* A decimal number with a unit: ms, s, m or h ("250ms", "1.5s", and gRPC's JSON form "0.250s"). */
const char *quantity_read_span(struct bytes text, struct span *span);

/* Bytes: a whole number, alone or with B, KiB, MiB, GiB or TiB. */
const char *quantity_read_size(struct bytes text, uint64_t *size);

/* A whole number. */
const char *quantity_read_count(struct bytes text, uint64_t *count);

/* A decimal number of at most three places, in thousandths. */
const char *quantity_read_permille(struct bytes text, uint32_t *permille);

/* The shortest text that reads back as the same; negative spans do not occur. */
void quantity_write_span(struct span span, char text[QUANTITY_TEXT_SIZE]);
void quantity_write_size(uint64_t size, char text[QUANTITY_TEXT_SIZE]);
void quantity_write_permille(uint32_t permille, char text[QUANTITY_TEXT_SIZE]);

#endif
