/* engine_words.h - everything that can be seen of an engine, in words: what it gives out, with all fields that say something, and what it holds, one
 * fact a line, so that two of its states can be compared. Times are milliseconds from ENGINE_WORDS_EPOCH_US. */
#ifndef SAGA_TESTS_ENGINE_WORDS_H
#define SAGA_TESTS_ENGINE_WORDS_H

#include "sidecar/engine/engine.h"

#include <stdio.h>

#define ENGINE_WORDS_EPOCH_US INT64_C(1000000000000)

/* A record that e has applied, and an effect; on the line that out is at. */
void engine_words_record(FILE *out, const struct engine *e, const struct record *r);
void engine_words_effect(FILE *out, const struct engine *e, const struct effect *effect,
                         const struct error_detail *detail);

/* All of it: sagas, steps, targets, counts. What is as it is in the beginning, and zero, is left out. */
void engine_words_state(FILE *out, const struct engine *e, struct instant now);

/* The facts of `after` that are not in `before`, and by a '-' the sagas that are there no more; "; " before each. */
void engine_words_difference(FILE *out, const char *before, const char *after);

#endif
