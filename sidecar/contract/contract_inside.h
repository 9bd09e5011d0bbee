/* contract_inside.h - what the files of this room share. */
#ifndef SAGA_CONTRACT_CONTRACT_INSIDE_H
#define SAGA_CONTRACT_CONTRACT_INSIDE_H

#include "sidecar/contract/contract.h"
#include "sidecar/contract/usage_inside.h"

/* One call, in one direction. */
struct comparison {
    const struct contract_check *check;
    struct pool *pool;
    const struct usage *usage;
    unsigned step;
    bool compensation;
    bool request; /* what we write and the participant reads; else the other way */
    struct compared *compared;
    bool full; /* the pool has no room */
};

/* Says what is wrong with the call. */
void contract_found(struct comparison *c, enum contract_rule rule, bool breaks, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "the action of charge", "let total". */
void contract_place(const struct definition *d, const struct usage_place *place, char *text, size_t size);

/* Compares what the two types say of the fields that are used; all: all of them are, there. */
void contract_compare(struct comparison *c, const struct message_type *was, const struct message_type *now,
                      const struct usage_place *all);

#endif
