/* engine_table.h - what an engine does about everything that can happen to a saga in each of the states that it can be in, as a table to be kept: what it
 * answers, records and sends, and all that is different behind it. */
#ifndef SAGA_TESTS_ENGINE_TABLE_H
#define SAGA_TESTS_ENGINE_TABLE_H

#include "tests/support/engine_play.h"

/* How a saga comes to be as it is: lines of engine_play.h. */
struct history {
    const char *name, *definition; /* definition NULL: none */
    unsigned places;
    const char *lines;
    const char *probes; /* of this state alone: lines, each tried by itself; NULL: none */
};

/* requests: lines that are tried in every state, "%s" in them being each step of saga 1; answers: to each call that is out. Either ends with NULL. */
struct probes {
    const char *const *requests, *const *answers;
};

void engine_table_put(FILE *out, const struct history *histories, size_t count, const struct probes *probes);

/* Plays a history, silently; the caller closes it. */
struct play *engine_table_play(const struct history *h, struct definition *d);

/* All that is held, for engine_words_difference; the caller frees it. */
char *engine_table_state(struct play *p);

/* The results that were said of this first, behind the names of all that came to the same. Takes (frees) the results, and forgets them. */
void engine_table_put_same(FILE *out, const char *const *names, char **results, unsigned count);

#endif
