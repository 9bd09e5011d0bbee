/* tracing.h - traces of sagas for an OpenTelemetry collector: what a loop says of its records.
 *
 * A span for the saga, one for each step and each undo, one for each attempt; participants are told the attempt's as their parent. Spans are
 * queued in bounded memory; exporter.c sends them. */
#ifndef SAGA_RUNTIME_TRACING_H
#define SAGA_RUNTIME_TRACING_H

#include "sidecar/base/error.h"
#include "sidecar/config/config.h"
#include "sidecar/engine/engine.h"
#include "sidecar/observe/spans.h"

struct tracing;

/* Gives *out, NULL when no traces are wanted. Returns 0 or E_MEMORY. */
int tracing_create(const struct config *config, struct tracing **out);
/* Accepts NULL, as all that follow. */
void tracing_destroy(struct tracing *t);

/* Whether records of this type are of interest, and of this saga (NULL: none lives). */
bool tracing_wants(const struct tracing *t, uint8_t type);
bool tracing_samples(const struct tracing *t, const struct saga *saga);
/* A record of this live saga has become durable. */
void tracing_record(struct tracing *t, const struct saga *saga, const struct record *r);

/* Which traceparent a call is to carry: that of its attempt, written to text, or the one that its saga came with. */
struct bytes tracing_parent(const struct tracing *t, const struct call_effect *call, char text[TRACEPARENT_SIZE]);

/* The ids of the span that a record of this live saga belongs to: the attempt's that it is of (phase 0: of none), or the saga's. Returns false when
 * the saga is not traced. */
struct tracing_ids {
    char trace[2 * TRACE_ID_SIZE + 1], span[2 * SPAN_ID_SIZE + 1];
};
bool tracing_ids(const struct tracing *t, const struct saga *saga, const struct record *r, uint8_t phase,
                 struct tracing_ids *ids);

/* Where its spans wait, for any thread. */
struct otlp_queue *tracing_queue(struct tracing *t);

/* Spans made, and those of them that were dropped, since the last time. */
struct tracing_counts {
    uint64_t made, dropped;
};
struct tracing_counts tracing_counts(struct tracing *t);

#endif
