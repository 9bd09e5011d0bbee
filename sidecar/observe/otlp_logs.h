/* otlp_logs.h - a line of the log as a collector takes it: the same fields, by the names that the spans have for them; trace_id and span_id are the
 * record's own. */
#ifndef SAGA_OBSERVE_OTLP_LOGS_H
#define SAGA_OBSERVE_OTLP_LOGS_H

#include "sidecar/observe/log.h"
#include "sidecar/observe/otlp_queue.h"

/* Adds a record to a queue. Returns false when it was dropped. */
bool otlp_logs_add(struct otlp_queue *q, const struct log_entry *entry);

#endif
