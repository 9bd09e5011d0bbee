/* journal_check.h - the journals of a data directory that no sidecar uses, or of a sidecar in a database, read whole: what `sagad --check-journal`
 * does. */
#ifndef SAGA_RUNTIME_JOURNAL_CHECK_H
#define SAGA_RUNTIME_JOURNAL_CHECK_H

#include "sidecar/config/config.h"

#include <stdio.h>

/* Opens every journal as a start would (in a database it is read as it is at one moment, whoever has it), reads all its records and rows, and compares each index with its rows. Writes what is wrong to out, a
 * line each with what mends it, and at the end a line a journal. Returns 0 when all are sound, E_JOURNAL_CORRUPT when one is not (*detail is
 * not set then), or why one could not be looked at, in *detail. */
int journal_check(const struct config *config, FILE *out, struct error_detail *detail);

#endif
