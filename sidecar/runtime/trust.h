/* trust.h - the certificates of the sidecar, and who speaks what: which addresses are served and called over TLS, and as whom. */
#ifndef SAGA_RUNTIME_TRUST_H
#define SAGA_RUNTIME_TRUST_H

#include "sidecar/base/error.h"
#include "sidecar/config/config.h"
#include "transport/credentials.h"

/* Reads the certificates that the configuration names; *out becomes NULL when it names none. Returns 0, or E_SYSTEM with what is wrong. */
int trust_open(const struct config *config, struct certificates **out, struct error_detail *detail);

/* Reads what has changed, at most once a second, and tells of it. */
void trust_look(struct certificates *certificates);

/* How to listen at an address, and how to call a target. */
struct transport_credentials trust_of_listener(const char *address, struct certificates *certificates);
struct transport_credentials trust_of_target(const struct config_target *target, struct certificates *certificates);

/* How the other sidecars of the fleet are called: those with this sidecar's own certificates over TLS, as fleet_identity; others in plaintext. */
struct transport_credentials trust_of_sidecars(const struct config *config, struct certificates *certificates);

#endif
