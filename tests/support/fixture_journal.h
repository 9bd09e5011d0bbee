/* fixture_journal.h - what the fixtures of the journal's earlier versions hold, written and checked. */
#ifndef TESTS_SUPPORT_FIXTURE_JOURNAL_H
#define TESTS_SUPPORT_FIXTURE_JOURNAL_H

#include "sidecar/journal/store.h"

/* Writes it into an empty store. Returns 0 or what the store returned. */
int fixture_journal_write(struct store *store);

/* Whether the store and what it told when it was opened are as fixture_journal_write left them, with what that schema holds. Returns NULL, or the name of what is not. */
const char *fixture_journal_check(struct store *store, const struct store_state *state, int schema);

#endif
