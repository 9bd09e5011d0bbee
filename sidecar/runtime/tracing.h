/* tracing.h - traces of sagas for an OpenTelemetry collector: what a loop says of its records, and the thread that sends it.
 *
 * A span for the saga, one for each step and each undo, one for each attempt; participants are told the attempt's as their parent. Spans are
 * queued in bounded memory and sent by a thread of their own: no saga waits for a collector, and what it cannot take in time is dropped and
 * counted. */
#ifndef SAGA_RUNTIME_TRACING_H
#define SAGA_RUNTIME_TRACING_H

#include "sidecar/base/error.h"
#include "sidecar/config/config.h"
#include "sidecar/engine/engine.h"
#include "sidecar/observe/spans.h"

struct tracing;  /* of a loop */
struct exporter; /* of the sidecar */
struct certificates;

/* ---- a loop's ---- */

/* Gives *out, NULL when no traces are wanted. Returns 0 or E_MEMORY. */
int tracing_create(const struct config *config, struct tracing **out);
/* Accepts NULL, as all that follow. */
void tracing_destroy(struct tracing *t);

/* Whether records of this type are of interest. */
bool tracing_wants(const struct tracing *t, uint8_t type);
/* A record of this live saga has become durable. */
void tracing_record(struct tracing *t, const struct saga *saga, const struct record *r);

/* Which traceparent a call is to carry: that of its attempt, written to text, or the one that its saga came with. */
struct bytes tracing_parent(const struct tracing *t, const struct call_effect *call, char text[TRACEPARENT_SIZE]);

/* Spans made, and those of them that were dropped, since the last time. */
struct tracing_counts {
    uint64_t made, dropped;
};
struct tracing_counts tracing_counts(struct tracing *t);

/* ---- the sidecar's ---- */

/* Begins to send what these loops make to otlp_endpoint. certificates may be NULL. Gives *out, NULL when no traces are wanted. */
int exporter_open(const struct config *config, struct certificates *certificates, struct tracing *const *loops,
                  unsigned count, struct exporter **out, struct error_detail *detail);
/* Sends what is left, for a second at most, and ends. No loop may add any more. Accepts NULL. */
void exporter_close(struct exporter *e);

#endif
