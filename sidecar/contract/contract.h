/* contract.h - what a change of a participant's messages breaks of a registered definition: the rules of the wire, of what the definition uses.
 * Pure; memory through struct memory, within a bound. */
#ifndef SAGA_CONTRACT_CONTRACT_H
#define SAGA_CONTRACT_CONTRACT_H

#include "sidecar/base/error.h"
#include "sidecar/base/memory.h"
#include "sidecar/definition/model.h"
#include "sidecar/message/schema.h"

enum contract_rule {
#define CONTRACT(constant, id, meaning) CONTRACT_##constant,
#include "sidecar/contract/contract.def"
#undef CONTRACT
    CONTRACT_RULE_COUNT
};

struct contract_row {
    const char *id;
    const char *meaning;
};

extern const struct contract_row contract_rows[CONTRACT_RULE_COUNT];

struct contract_finding {
    enum contract_rule rule;
    bool
        breaks; /* a saga of this definition would fail; else the change is against the rules of the wire, and nothing here uses it */
    unsigned step;
    bool compensation; /* it is the call that undoes the step */
    const char *text;  /* one sentence */
};

struct contract_check {
    const struct definition *d; /* read against the types that it is pinned to */
    const struct schema *next;  /* as the participant would have it */
    /* Only calls of this target, of which every method must be in next. NULL: all calls whose service is in next. */
    const char *target;
    const struct memory *memory;
    void (*found)(void *self, const struct contract_finding *finding);
    void *self;
};

/* Checks every call. *calls (may be NULL): how many there were to check. Returns 0 or E_MEMORY. Of a definition without types only the methods
 * are looked at. */
int contract_check(const struct contract_check *check, unsigned *calls);

#endif
