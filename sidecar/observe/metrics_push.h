/* metrics_push.h - the metrics as a collector takes them: one telling of all of them, in as many parts as it takes. The numbers are those that the
 * exposition shows; a part's are of the moment when it was made. Counters and histograms are cumulative since the process began to count, and those
 * that are kept over a restart since nobody knows when (0). */
#ifndef SAGA_OBSERVE_METRICS_PUSH_H
#define SAGA_OBSERVE_METRICS_PUSH_H

#include "sidecar/observe/metrics.h"
#include "sidecar/observe/otlp.h"

/* About so much is said at once: far below what a collector takes by default (4 MiB). */
#define METRICS_PUSH_BYTES (512 * 1024)

struct metrics_push;

/* Begins with the series that there are. all is borrowed until the push is destroyed. Gives *out. Returns 0 or E_MEMORY. */
int metrics_push_create(struct metrics *const *all, unsigned count, struct instant started, struct metrics_push **out);

/* Adds the next part to an empty batch. Returns how many data points it has; 0: all have been told, or there is no memory. */
uint64_t metrics_push_next(struct metrics_push *p, struct instant now, struct otlp_batch *batch);

/* Accepts NULL. Returns how many data points were not told. */
uint64_t metrics_push_destroy(struct metrics_push *p);

#endif
