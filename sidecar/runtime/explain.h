/* explain.h - what the rules of a configuration allow whom, in words, without a sidecar that runs. */
#ifndef SAGA_RUNTIME_EXPLAIN_H
#define SAGA_RUNTIME_EXPLAIN_H

#include "sidecar/config/config.h"

struct explain {
    const char *as;         /* uid:N, gid:N, plaintext, unix, tls, spiffe://..., dns:NAME */
    const char *method;     /* NULL: all */
    const char *definition; /* NULL: of any */
};

/* Prints a line a method: its name, whether it is allowed, and which rule says so. Returns the exit code: 0; with a method 1 when it is not
 * allowed; 2 when as or method is nothing (words go to errors). */
int explain_print(const struct config *config, const struct explain *e, FILE *out, FILE *errors);

#endif
