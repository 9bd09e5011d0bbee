/* bulk.h - bulk jobs: one act of an operator (retry, skip, resolve) done to every dead letter of which a question is true, at a rate.
 *
 * A job is durable as a subject row (SUBJECT_BULK; name: its place, "00" to "63"; value: saga.v1.BulkJob). It goes through the sagas that were there
 * when it began, the oldest first. How far it has come is committed together with what it did, so that a crash makes it neither leave one out
 * nor act on one twice. Rates are not kept: after a start it begins cautiously. One owner, no locks; driven by the owner like the core. */
#ifndef SAGA_CORE_BULK_H
#define SAGA_CORE_BULK_H

#include "sidecar/core/core.h"
#include "sidecar/where/where.h"

#include "saga/v1/operator.pb-c.h"

#define BULK_JOBS_MAX           64
#define BULK_REASON_BYTES_MAX   180
#define BULK_ID_BYTES_MAX       64
#define BULK_PER_SECOND_MAX     10000
#define BULK_PER_SECOND_DEFAULT 10

struct bulks;

struct bulk_options {
    struct core *core;           /* borrowed */
    const struct memory *memory; /* copied */
    unsigned loops;              /* how many share a job's rate */
    /* Fills in what the audit trail is to say of a job's act (event->audit). May be NULL. Returns 0 or E_MEMORY. */
    int (*audit)(void *self, const Saga__V1__BulkJob *job, struct event *event);
    void *self;
};

/* Gives *out. Returns 0 or E_MEMORY. */
int bulks_create(const struct bulk_options *options, struct bulks **out);
/* Accepts NULL. */
void bulks_destroy(struct bulks *b);

/* Reads all rows; before bulks_run. Returns 0, E_MEMORY, E_JOURNAL_CORRUPT, or what the store fails with. */
int bulks_recover(struct bulks *b, struct store *store, struct error_detail *detail);

/* Begins a job (copied) at now: id, act, where, definition, actor, identity, reason and per_second are as asked for; its row goes into the core's batch.
 * *repeated: it is there already, with the same content. Returns 0, E_ARGUMENT, E_BULK_EXISTS, E_BULK_JOBS, what core_may_add does, or E_MEMORY. */
int bulks_add(struct bulks *b, const Saga__V1__BulkJob *job, struct instant now, bool *repeated,
              struct error_detail *detail);

/* Makes it go on, halt, or end; of several loops those that have ended stay so. Returns 0, E_BULK_NOT_FOUND, E_BULK_ENDED, or E_MEMORY. */
int bulks_change(struct bulks *b, struct bytes id, Saga__V1__BulkState state, struct instant now,
                 struct error_detail *detail);

/* The job in this place, below BULK_JOBS_MAX, as its row has it (a view until the next call of anything here); NULL: none. */
const Saga__V1__BulkJob *bulks_at(const struct bulks *b, unsigned place);

/* Does what is due, a bounded piece of it, between two commits; what it decides waits for the next core_commit. Returns 0, or what
 * core_submit fails with: the owner must stop. */
int bulks_run(struct bulks *b, struct instant now, struct error_detail *detail);

/* When bulks_run is due next, or INSTANT_NEVER. */
struct instant bulks_expiry(const struct bulks *b);

#endif
