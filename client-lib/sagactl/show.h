/* show.h - one saga for the eyes of an operator, and sagas and definitions in tables. */
#ifndef SAGACTL_SHOW_H
#define SAGACTL_SHOW_H

#include "client-lib/sagactl/screen.h"

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

/* What a saga goes without: "missing", "fallback", "stale", "deferred". */
const char *show_lack(Saga__V1__LackKind kind);

/* The whole screen of get: what and where it is, timeline, steps, and what to do when it does not go on by itself.
 * same is what the commands that are proposed need to ask the same sidecar (run_same_sidecar). */
void show_saga(const struct screen *s, const Saga__V1__GetResponse *answer, const char *same);

/* A table of sagas. The widths of the columns are chosen from what is in it. */
void show_list(const struct screen *s, Saga__V1__Saga *const *sagas, size_t count);

/* A block for each of some dead letters. */
void show_dead_letters(const struct screen *s, Saga__V1__Saga *const *sagas, size_t count);

/* A table of definitions. */
void show_definitions(const struct screen *s, Saga__V1__Definition *const *definitions, size_t count);

/* How a saga ended, in one line: "9f03c1d2a4b7-2a COMMITTED after 1.2s". */
void show_end(const struct screen *s, const Saga__V1__Saga *saga);

#endif
