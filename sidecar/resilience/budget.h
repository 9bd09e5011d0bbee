/* budget.h - a budget of retries: what calls for the first time pays for a few calls again, and so does each that comes back well; while all fail, a
 * target is called little more often than there is work for it. A retry without budget is delayed, and never dropped. Pure: the caller tells the
 * time. Owns nothing; the caller embeds it. */
#ifndef SAGA_RESILIENCE_BUDGET_H
#define SAGA_RESILIENCE_BUDGET_H

#include "sidecar/base/instant.h"

#include <stdbool.h>

struct budget_options {
    uint32_t percent;        /* retries for a hundred first calls; 0: there is no budget, and all may leave */
    uint32_t min_per_second; /* that may leave in any case; at least 1 */
};

/* In thousandths of a retry. */
struct budget {
    struct budget_options options;
    int64_t left, most;
    int64_t kept; /* of most: for undos alone */
    struct instant looked_at;
};

/* Other options from now on. Nothing is left then. Zeroed, there is no budget. */
void budget_set(struct budget *b, const struct budget_options *options);

/* Whether a retry may leave; of an undo also of what is kept for these. If not, *again is when the time alone will have paid for it. */
bool budget_admits(struct budget *b, struct instant now, bool undo, struct instant *again);

/* A call leaves: the first of its step's, or a retry, which was admitted. */
void budget_leave(struct budget *b, bool retry);

/* What may leave now, in thousandths of a retry. */
int64_t budget_left(const struct budget *b, struct instant now);

/* A retry has come back well: another may leave. */
void budget_pay_back(struct budget *b);

#endif
