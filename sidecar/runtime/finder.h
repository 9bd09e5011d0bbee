/* finder.h - in which journal of the fleet a saga lives, and who has that: asked of the database by a thread of its own, and remembered for a moment.
 *
 * The owner asks in the same words until it gets an answer; it is woken when there may be one. */
#ifndef SAGA_RUNTIME_FINDER_H
#define SAGA_RUNTIME_FINDER_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"
#include "sidecar/config/config.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/relay/relay.h"
#include "sidecar/runtime/journal.h"

#include <stdint.h>

struct finder;

#define FINDER_ADDRESS_SIZE 201

struct finder_found {
    bool known;                      /* a journal has it */
    char journal[JOURNAL_NAME_SIZE]; /* which */
    char carrier[JOURNAL_NAME_SIZE]; /* whose sidecar has that; "": nobody's */
    char address[FINDER_ADDRESS_SIZE];
    bool held; /* its lease is not over */
    uint64_t live;
};

struct finder_options {
    const struct config *config; /* borrowed for the finder's life */
    const char *own;             /* likewise: the journal for which request_ids are claimed */
    void (*wake)(void *self);    /* by the finder's thread */
    void *self;
};

int finder_open(const struct finder_options *options, struct finder **out, struct error_detail *detail);
/* Accepts NULL. */
void finder_close(struct finder *f);

/* Each returns 0 with *out, STORE_PENDING, E_QUEUE when too much is asked for at once, or E_JOURNAL_AWAY when the database does not answer. */

/* The journal that has the sagas whose ids have this tag. */
int finder_tag(struct finder *f, uint64_t tag, struct finder_found *out);
/* The one that has the saga of a request_id; claimed for our own when no other has it: then it is known for good, to all. */
int finder_request(struct finder *f, struct bytes request_id, bool claim, struct finder_found *out);

/* Of many. */
struct finder_journal {
    char name[JOURNAL_NAME_SIZE], carrier[JOURNAL_NAME_SIZE], address[FINDER_ADDRESS_SIZE];
    char program[POSTGRES_PROGRAM_BYTES_MAX + 1]; /* as of fleet_row */
    uint64_t id, epoch, commits, live, tries, form;
    int64_t lease_ms;
    bool held, wanted;
};

#define FINDER_JOURNALS_MAX 200
/* And of all. */
#define FINDER_ALL_MAX (RELAY_JOURNALS_MAX + 1)

/* As the others, for operators; of several who ask at once each waits for its turn. The fleet's journals by name, behind `after`: *list is a view until
 * the next call. */
int finder_list(struct finder *f, const char *after, const struct finder_journal **list, unsigned *count);
/* All of them, FINDER_ALL_MAX at most. */
int finder_all(struct finder *f, const struct finder_journal **list, unsigned *count);
/* Has a journal given up by whoever has it beside its own, and lets one that waits for a person be taken again. *there: there is such a journal. */
int finder_want(struct finder *f, const char *journal, bool *there);

#endif
