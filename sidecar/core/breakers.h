/* breakers.h - the marks of targets' breakers as rows of the journal: SUBJECT_BREAKER, by the target's name. Pure. */
#ifndef SAGA_CORE_BREAKERS_H
#define SAGA_CORE_BREAKERS_H

#include "sidecar/engine/engine.h"
#include "sidecar/journal/store.h"

#define BREAKER_ROW_BYTES   21
#define BREAKER_ROW_VERSION 1

/* The row of a target's mark. value: room for BREAKER_ROW_BYTES; the row views it and the name. */
struct subject_row breakers_row(const char *target, const struct breaker_mark *mark, uint8_t value[BREAKER_ROW_BYTES]);

/* Reads one. Returns 0, or E_JOURNAL_CORRUPT or E_JOURNAL_VERSION with detail. */
int breakers_read(const struct subject_row *row, struct breaker_mark *mark, struct error_detail *detail);

#endif
