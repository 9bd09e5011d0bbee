/* fleet.h - the sidecar among others that share its database: it takes over the journals of those that are gone, each as a sidecar within this one that
 * nobody but this one's loop talks to, and gives them up again. A thread of its own looks at the database; a guest has one, too. */
#ifndef SAGA_RUNTIME_FLEET_H
#define SAGA_RUNTIME_FLEET_H

#include "sidecar/base/error.h"
#include "sidecar/relay/relay.h"

struct fleet;
struct loop;
struct sidecar;

/* For a sidecar that runs; file (borrowed; NULL: the defaults) is where its configuration is read again. Returns 0, E_MEMORY or E_SYSTEM. */
int fleet_open(struct sidecar *sidecar, const char *file, struct fleet **out, struct error_detail *detail);

/* Loop 0, each turn: guests that have come, or are going. */
void fleet_turn(struct loop *s);
/* Loop 0: gauges of guests, when somebody looks. */
void fleet_count(struct loop *s, struct instant now);
/* Loop 0, for the relay: it has asked a guest, or heard the last of it. */
void fleet_asked(void *self, unsigned place, int change);

/* Loop 0, as of relay_options: where a saga, or a request_id, belongs. */
int fleet_find(void *self, const struct relay_key *key, struct relay_place *out, struct error_detail *detail);

int fleet_all(void *self, const struct relay_journal **out, unsigned *count, struct error_detail *detail);
const struct transport_credentials *fleet_credentials(void *self);
void fleet_wish(void *self, const char *journal);

/* Loop 0, as of api_options. */
int fleet_journals(void *self, const char *after, struct arena *a, Saga__V1__ListJournalsResponse *m,
                   struct error_detail *detail);
int fleet_give(void *self, const char *journal, struct error_detail *detail);

/* No further one is taken over, and those that are here are given up. From any thread. */
void fleet_stop(struct fleet *f);
/* Guests read their configuration again. From the thread of signals. */
void fleet_reload(struct fleet *f);
/* Waits until all are gone. Loop 0 has made its last turn. Accepts NULL. */
void fleet_close(struct fleet *f);

#endif
