/* remedies.h - the rules of remediation at work: every ten seconds loop 0 asks all loops how things are, as any operator would, and what a rule then
 * decides it does by the sidecar's own requests, so that its acts are checked, made durable and audited like a person's.
 *
 * What they decide, and what of that is kept, is sidecar/core/rulings.h's. */
#ifndef SAGA_RUNTIME_REMEDIES_H
#define SAGA_RUNTIME_REMEDIES_H

#include "sidecar/runtime/loop_inside.h"
#include "sidecar/runtime/webhook.h"

#include "saga/v1/operator.pb-c.h"

/* Whether every question of the configuration's rules can be asked, and who is to be paged can be; before they are taken, and not in a loop. Returns 0,
 * E_ARGUMENT, E_SYSTEM or E_MEMORY. */
int remedies_check(const struct config *config, struct error_detail *detail);

/* Makes the rules, as they were left; once the journal is open. Returns 0, E_MEMORY, E_JOURNAL_CORRUPT, or what the store fails with. */
int remedies_open(struct loop *s, struct error_detail *detail);
void remedies_close(struct loop *s);

/* From now on those of this configuration, which is borrowed. A rule goes on as it was left, whenever that was; what one that is gone has done stays.
 * Returns 0, or E_MEMORY with nothing changed. */
int remedies_take(struct loop *s, const struct config *config, struct error_detail *detail);

/* The answer of the core that has the loop's remedies as token: what they decided before is durable (0), or will never be. */
void remedies_kept(struct loop *s, int code);

/* Once a turn: asks when it is time to; and when that is due, or INSTANT_NEVER. */
void remedies_turn(struct loop *s);
struct instant remedies_expiry(const struct loop *s);

/* Pages sent and not, since this was asked last. */
struct webhook_counts remedies_pages(struct loop *s);

/* For the api, with the loop as self. */
bool remedies_list(void *self, struct arena *a, Saga__V1__ListRulesResponse *m);
int remedies_change(void *self, const char *name, bool arm, struct error_detail *detail);

#endif
