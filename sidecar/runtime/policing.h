/* policing.h - whether a new definition may be registered: the rules of lint, and the policy of policy_file. */
#ifndef SAGA_RUNTIME_POLICING_H
#define SAGA_RUNTIME_POLICING_H

#include "sidecar/api/api.h"
#include "sidecar/config/config.h"
#include "sidecar/policy/policy.h"

/* Reads policy_file; *out is NULL when there is none, and else to be given to policy_destroy. Returns 0 or a code; detail says where in the file. */
int policing_open(const struct config *config, struct policy **out, struct error_detail *detail);

/* 0, E_ARGUMENT for what lint calls an error, E_POLICY for what the policy does, or E_MEMORY. policy may be NULL. */
int policing_admit(const struct config *config, struct policy *policy, const struct definition *d, struct instant now,
                   struct error_detail *detail);

/* What lint says of a definition that may be registered, and what the policy (may be NULL) warns of. Returns 0 or E_MEMORY. */
int policing_warn(const struct config *config, struct policy *policy, const struct definition *d, struct instant now,
                  void (*found)(void *list, const struct warning *warning), void *list);

#endif
