/* postgres_place.h - a PostgreSQL server with the tables of journals, for tests of the store in it. One at a time; failures end the test. */
#ifndef TESTS_SUPPORT_POSTGRES_PLACE_H
#define TESTS_SUPPORT_POSTGRES_PLACE_H

#include "sidecar/journal/postgres/postgres_store.h"
#include "tests/support/postgres.h"

/* Starts the server and makes the tables, before any test runs. False, with words on stderr, when it cannot. */
bool place_start(struct postgres *p);
/* Options for a journal of this name, which nobody has yet: with a short lease. */
struct postgres_store_options place_options(const struct postgres *p, const char *journal);
/* One statement of somebody else's. */
void place_query(const struct postgres *p, const char *sql);
/* Likewise, which gives one row with a number. */
int64_t place_number(const struct postgres *p, const char *sql);

#endif
