/* exporter.h - what goes to an OpenTelemetry collector by itself: traces, metrics, and the log.
 *
 * A thread of its own sends what waits in bounded queues: no saga waits for a collector, nor does the log, and what it cannot take in time is dropped
 * and counted. */
#ifndef SAGA_RUNTIME_EXPORTER_H
#define SAGA_RUNTIME_EXPORTER_H

#include "sidecar/base/error.h"
#include "sidecar/config/config.h"
#include "sidecar/observe/panel.h"

struct exporter;
struct tracing;
struct certificates;

/* Begins to keep what is logged, where that is to be sent; of a guest only traces are. Gives *out, NULL when nothing goes to a collector. Returns 0 or
 * E_MEMORY. */
int exporter_open(const struct config *config, bool of_a_guest, struct exporter **out);

/* Begins to send what these loops make, and what is on the panel (NULL: no metrics), to otlp_endpoint. certificates may be NULL. e may be NULL. */
int exporter_start(struct exporter *e, const struct config *config, struct certificates *certificates,
                   struct tracing *const *loops, unsigned loop_count, struct panel *panel, struct error_detail *detail);

/* Sends what is left, for a second at most, and ends. No loop may add any more, and nobody looks at the panel. Accepts NULL. */
void exporter_close(struct exporter *e);

#endif
