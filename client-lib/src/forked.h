/* forked.h - what fork() leaves unusable. Internal to client-lib/src.
 *
 * C core does not survive fork(): its threads are gone in the child, its locks as they happened to be, its sockets shared with the parent. So
 * whatever was opened before is dead in the child, and where C core was used before, nothing can be opened either. */
#ifndef SAGA_CLIENT_FORKED_H
#define SAGA_CLIENT_FORKED_H

#include <stdbool.h>

#include <saga/error.h>

/* To be called before C core is used. *generation is for forked_since. Fails with FAILED_PRECONDITION (CLIENT_FORKED) in the child of a
 * process that had used it. Thread-safe. */
int forked_begin(unsigned *generation, struct saga_error *error);

/* Whether this process was forked after that. Thread-safe. */
bool forked_since(unsigned generation);

/* The error of what was opened before a fork and is used in the child. */
int forked_error(struct saga_error *error);

#endif
