/* twin_store.h - a store and the one made of memory, driven side by side by the same made-up calls. */
#ifndef TESTS_SUPPORT_TWIN_STORE_H
#define TESTS_SUPPORT_TWIN_STORE_H

#include "sidecar/journal/store.h"

/* As store_commit_now, but no longer than a test may take. */
int commit_in_time(struct store *s, const struct store_commit *commit, struct error_detail *detail);

/* Opens the store that `open` gives, empty at first, again and again in between, and fails the test where what it gives differs from what the
 * one made of memory does. */
void twin_store_compare(int (*open)(void *self, struct store **out, struct store_state *state), void *self, int steps);

#endif
