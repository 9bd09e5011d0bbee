/* answers.h - last good answers as rows of the journal: SUBJECT_ANSWER, by the numbers of their slots. A slot that is free has an empty value, so that
 * there are never more rows than answers at once. Pure. */
#ifndef SAGA_CORE_ANSWERS_H
#define SAGA_CORE_ANSWERS_H

#include "sidecar/engine/engine.h"
#include "sidecar/journal/store.h"

#define ANSWER_ROW_VERSION 1
#define ANSWER_NAME_SIZE   11

/* How many bytes the value of its row takes. */
size_t answers_value_size(const struct recalled *one);

/* The row of a slot. name: room for ANSWER_NAME_SIZE; value: for answers_value_size bytes; the row views both. */
struct subject_row answers_row(const struct recalled *one, char *name, uint8_t *value);

/* Reads one; a view of row, with an empty name where the slot is free. Returns 0, or E_JOURNAL_CORRUPT or E_JOURNAL_VERSION with detail. */
int answers_read(const struct subject_row *row, struct recalled *one, struct error_detail *detail);

#endif
