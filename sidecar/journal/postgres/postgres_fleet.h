/* postgres_fleet.h - what all sidecars of a fleet may see of the journals in their database: who has which. A connection of its own, used by a thread of
 * its own: each of these waits for the server, for the timeout at most. */
#ifndef SAGA_JOURNAL_POSTGRES_FLEET_H
#define SAGA_JOURNAL_POSTGRES_FLEET_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"

#include <stdbool.h>
#include <stdint.h>

struct postgres_fleet;

struct postgres_fleet_options {
    const char *conninfo;
    const char *fleet;
    struct span timeout;
    /* Asked while it waits: whether it is to give up. */
    bool (*stop)(void *self);
    void *self;
};

/* A journal; views for the call that gives it. */
struct fleet_row {
    const char *name;
    const char *carrier; /* the journal of the sidecar that has it; "": nobody does */
    const char *address; /* where that one is reached */
    const char *needs;   /* as of postgres_store_options */
    const char *program; /* the version of sagad that has it; "": nobody has it, or one that does not tell */
    uint64_t id;         /* which stays what it is */
    uint64_t form;       /* that who takes it must be able to read */
    uint64_t epoch, commits, live, tries;
    int64_t lease_ms; /* that is left of it; negative: since when it is over */
    bool held;        /* somebody has it, or had it and did not give it up */
    bool wanted;
};

/* Options are borrowed. Connects when it is used first, and again when the connection was lost. */
int postgres_fleet_create(const struct postgres_fleet_options *options, struct postgres_fleet **out);
void postgres_fleet_destroy(struct postgres_fleet *f);

/* Whether there is no connection, or it has been lost: what is asked next makes another. */
bool postgres_fleet_is_anew(struct postgres_fleet *f);

typedef void (*fleet_take_fn)(void *self, const struct fleet_row *row);

/* Each returns 0, or E_JOURNAL_AWAY with why. */

/* Some journals that nobody holds and this sagad can read, other than `own`, in no order; and how many are held. */
int postgres_fleet_orphans(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self, uint64_t *held,
                           struct error_detail *detail);
/* Those that a sidecar has beside its own. */
int postgres_fleet_guests(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self,
                          struct error_detail *detail);
/* The one whose sagas' ids have this tag; the one of this name. take is not called when there is none. */
int postgres_fleet_of_tag(struct postgres_fleet *f, uint64_t tag, fleet_take_fn take, void *self,
                          struct error_detail *detail);
int postgres_fleet_of_name(struct postgres_fleet *f, const char *name, fleet_take_fn take, void *self,
                           struct error_detail *detail);
/* The one in which a saga of this request_id lives, or was begun. */
int postgres_fleet_of_request(struct postgres_fleet *f, struct bytes request_id, fleet_take_fn take, void *self,
                              struct error_detail *detail);
/* The journals of these request_ids, which are all different: those of which no journal is known are claimed for `own`, durably. take is told the
 * place of each. */
typedef void (*fleet_claimed_fn)(void *self, unsigned index, const struct fleet_row *row);
int postgres_fleet_claim(struct postgres_fleet *f, const char *own, const struct bytes *request_ids, unsigned count,
                         fleet_claimed_fn take, void *self, struct error_detail *detail);
/* All by name, behind `after`, so many at most. */
int postgres_fleet_list(struct postgres_fleet *f, const char *after, unsigned rows_max, fleet_take_fn take, void *self,
                        struct error_detail *detail);
/* Some journal that nobody has, nothing lives in and nobody waits for, and that has been so for so long: as the others. */
int postgres_fleet_abandoned(struct postgres_fleet *f, const char *own, struct span kept, fleet_take_fn take,
                             void *self, struct error_detail *detail);
/* Takes a journal out of the fleet that is as it was given (id, epoch), and still abandoned; *removed: it was. Its name is free from then on, and what it
 * holds goes by and by. */
int postgres_fleet_remove(struct postgres_fleet *f, uint64_t id, uint64_t epoch, struct span kept, bool *removed,
                          struct error_detail *detail);
/* Deletes a piece of what is left of some journal that was removed; of its audit trail once that was long enough ago. *more: there may be more. */
int postgres_fleet_sweep(struct postgres_fleet *f, struct span audit_kept, bool *more, struct error_detail *detail);
/* A take-over has lasted. What is left to a person stays so. */
int postgres_fleet_lasted(struct postgres_fleet *f, const char *own, const char *name, struct error_detail *detail);
/* Has whoever has it give it up, for so long that its own sidecar can take it, or another. */
int postgres_fleet_want(struct postgres_fleet *f, const char *name, bool *there, struct error_detail *detail);

#endif
