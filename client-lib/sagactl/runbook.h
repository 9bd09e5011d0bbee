/* runbook.h - the runbooks of docs/runbooks, which are a part of the program: who is woken at night may have nothing but a shell in a pod. */
#ifndef SAGACTL_RUNBOOK_H
#define SAGACTL_RUNBOOK_H

#include <stddef.h>

struct runbook {
    const char *name; /* of the alert, and of the file */
    const char *text; /* Markdown */
};

/* By name; the Makefile writes them. */
extern const struct runbook runbooks[];
extern const size_t runbook_count;

#endif
