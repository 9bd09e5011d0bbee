/* sample_records.h - records of every type, with every field in use somewhere, at its bounds in some. New ones are added at the end, because
 * fixtures of the journal begin with them. */
#ifndef TESTS_SUPPORT_SAMPLE_RECORDS_H
#define TESTS_SUPPORT_SAMPLE_RECORDS_H

#include "sidecar/engine/record.h"

/* The records, valid for ever. */
const struct record *sample_records(size_t *count);

/* Whether the two say the same. */
bool sample_records_equal(const struct record *a, const struct record *b);

#endif
