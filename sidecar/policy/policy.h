/* policy.h - rules of one's own that definitions must keep: a file of expressions over the definition's model (docs/policy.md). Read once, checked
 * often. Without I/O and clock; memory through struct memory, and of the C library while the file is read. */
#ifndef SAGA_POLICY_POLICY_H
#define SAGA_POLICY_POLICY_H

#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/memory.h"
#include "sidecar/definition/participants.h"

#define POLICY_BYTES_MAX   262144 /* of the text */
#define POLICY_RULES_MAX   256
#define POLICY_WAIVERS_MAX 1024

struct policy;

/* What rules see beside the definition. */
struct policy_view {
    struct participants targets; /* where nobody knows them, rules that ask for them are passed over */
    struct instant now;          /* waivers end */
};

struct policy_finding {
    const char *rule; /* its id; a view into the policy */
    bool error;       /* else a warning */
    int step;         /* -1: the definition */
    char text[224];   /* the rule's words, and what became of a waiver */
};

/* Reads a policy (text borrowed). On success *out is to be given to policy_destroy. Fails with E_SYNTAX, E_ARGUMENT, E_PAYLOAD or E_MEMORY; then
 * detail tells the place. memory must outlive the policy. */
int policy_read(struct bytes text, const struct memory *memory, struct policy **out, struct error_detail *detail);

/* Accepts NULL. */
void policy_destroy(struct policy *p);

/* Whether both were read from the same text; NULL is none. */
bool policy_same(const struct policy *a, const struct policy *b);

/* Hands everything that the definition violates and nobody has waived to found. 0 or E_MEMORY. */
int policy_check(struct policy *p, const struct definition *d, const struct policy_view *view,
                 void (*found)(void *self, const struct policy_finding *finding), void *self);

/* The same in short: 0; E_POLICY with the first error, by the rule's name; or E_MEMORY. */
int policy_admit(struct policy *p, const struct definition *d, const struct policy_view *view,
                 struct error_detail *detail);

#endif
