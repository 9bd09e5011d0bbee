/* targets.h - the targets of one loop: what the engine knows of each, the connection to it, and their change while the loop runs. */
#ifndef SAGA_RUNTIME_TARGETS_H
#define SAGA_RUNTIME_TARGETS_H

#include "sidecar/runtime/loop_inside.h"

/* Makes those of the configuration, in its order, which is that of the engine's indices. Returns 0, E_ARGUMENT or E_MEMORY. */
int targets_open(struct loop *s, struct error_detail *detail);
void targets_close(struct loop *s);

/* Takes what differs between two configurations: targets that are new, changed, or gone. What is out goes on over the connection on which it
 * left. Both are borrowed for the call. One that cannot be had is told of and stays as it is. */
void targets_take(struct loop *s, const struct config *before, const struct config *after);

/* The target of this name in a configuration, or NULL; and whether both say the same. */
const struct config_target *targets_find(const struct config *config, const char *name);

/* Whether a call that has ended left over a connection that has been given up since: then its target may be there all the same. */
bool targets_gave_up(const struct loop *s, uint16_t target, const struct rpc_target *over);

/* What waits for it may go now, or finds a place. */
void targets_let_go(struct loop *s, uint16_t index);

/* Notes that it cannot be reached, or can: of several loops the first tells so, and the last. */
void targets_down(struct loop *s, uint16_t target, const struct rpc_answer *answer);
/* What the engine is told of a loop's own target. */
struct target_options targets_options(const struct config_target *target);
/* As of core_world: says that a breaker has opened or closed. */
void targets_breaker(void *self, const struct breaker_effect *breaker);
void targets_back(struct loop *s, uint16_t target);

#endif
