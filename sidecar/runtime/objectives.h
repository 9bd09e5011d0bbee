/* objectives.h - what the configuration promises of definitions and of their heartbeats, in a loop: counted in its journal (sidecar/core/slis.h), shown
 * as metrics, and taken anew by a reload. */
#ifndef SAGA_RUNTIME_OBJECTIVES_H
#define SAGA_RUNTIME_OBJECTIVES_H

#include "sidecar/runtime/loop_inside.h"

/* With what has been counted so far. Returns 0, E_MEMORY, E_JOURNAL_CORRUPT, or what the store fails with. */
int objectives_open(struct loop *s, struct error_detail *detail);

/* From now on what this configuration, which is borrowed, promises. Returns 0, or E_MEMORY with nothing changed. */
int objectives_take(struct loop *s, const struct config *config);

/* Brings the metrics up to date; a guest's: how fast its objectives burn, in the metrics of its place. */
void objectives_count(struct loop *s, struct instant now);
/* A guest ends, and its place stays. */
void objectives_leave(struct loop *s);

#endif
