/* rulings.h - what rules of remediation decide, and what of it is durable: a row each in loop 0's journal (SUBJECT_REMEDY; name: the rule's; value:
 * saga.v1.Rule).
 *
 * What a rule decides is an order, and in its row before anybody asks for it: the owner looks at ruling_order once the row is durable. It stays in the
 * row until the owner has an answer, so that what was asked for when the process ended is asked for again, and never counts as done
 * because it was decided. No clock, no I/O. One owner, no locks. */
#ifndef SAGA_CORE_RULINGS_H
#define SAGA_CORE_RULINGS_H

#include "sidecar/core/core.h"
#include "sidecar/remedy/remedy.h"

#include "saga/v1/operator.pb-c.h"

#define RULING_SAID_BYTES 240
#define RULING_NAME_BYTES 128

/* ---- how rules were left ---- */

struct rulings;

/* memory is copied. Gives *out. Returns 0 or E_MEMORY. */
int rulings_create(const struct memory *memory, struct rulings **out);
/* Accepts NULL. */
void rulings_destroy(struct rulings *r);

/* Reads all rows. Returns 0, E_MEMORY, E_JOURNAL_CORRUPT, or what the store fails with. */
int rulings_recover(struct rulings *r, struct store *store, struct error_detail *detail);

/* ---- a rule in force ---- */

struct ruling;

struct ruling_options {
    const char *name;                /* copied, as `when` of the remedy */
    const char *definition, *target; /* borrowed for its life; "": none */
    Saga__V1__RuleAct act;
    bool
        by_objective; /* judged by the definition's objective; else by its target's attempts, which are counted anew from each start */
    struct remedy_options remedy;
};

/* memory is borrowed for its life. Gives *out. Returns 0, E_ARGUMENT with what is wrong with `when`, or E_MEMORY. */
int ruling_create(const struct ruling_options *options, const struct memory *memory, struct ruling **out,
                  struct error_detail *detail);
/* Accepts NULL. */
void ruling_destroy(struct ruling *r);

/* Goes on as the rule of its name was left, as far as that still means something; before: the one that has been in force until now, or NULL. One that is
 * as it was (same) keeps since when its question has been true. */
void ruling_go_on(struct ruling *r, const struct rulings *left, bool at_start, struct ruling *before, bool same);
/* Keeps how a rule is left that is in force no more. Returns 0 or E_MEMORY. */
int ruling_leave(const struct ruling *r, struct rulings *left);

/* Looks at what is so, and decides; what has changed goes into the core's batch. Returns 0 or E_MEMORY: the owner must stop. */
int ruling_look(struct ruling *r, struct core *core, const struct remedy_facts *facts, struct instant now,
                enum remedy_verdict *verdict);

/* A person arms it, or takes back what it did, which disarms it. Both return 0 or E_MEMORY. */
int ruling_arm(struct ruling *r, struct core *core);
int ruling_take_back(struct ruling *r, struct core *core);

/* What is to be asked for, once the row is durable. */
enum remedy_order ruling_order(const struct ruling *r);
/* What came of that, asked for when the mark had so many acts: done, or it was not done and never will be (why is not NULL). Without an answer nothing is said, and the order stands.
 * Returns 0 or E_MEMORY. */
int ruling_answered(struct ruling *r, struct core *core, enum remedy_order order, uint64_t act, const char *why);

/* Views for its life. What it said stays as it is while an order stands that is an act. */
const struct remedy_mark *ruling_mark(const struct ruling *r);
const char *ruling_name(const struct ruling *r);
const char *ruling_said(const struct ruling *r);
struct instant ruling_true_since(const struct ruling *r);
/* As in its row, but for the time. */
Saga__V1__Rule ruling_message(const struct ruling *r);

#endif
