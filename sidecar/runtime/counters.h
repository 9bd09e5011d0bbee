/* counters.h - what a loop counts (sidecar/observe/metrics.def), and where the numbers come from: durable records, ends of attempts, commits.
 * Gauges are read when somebody asks for them. Nothing is counted when nobody can look. */
#ifndef SAGA_RUNTIME_COUNTERS_H
#define SAGA_RUNTIME_COUNTERS_H

#include "sidecar/runtime/loop_inside.h"

/* Whether anybody can look: over HTTP, or where they are pushed to. */
bool counters_are_wanted(const struct config *config);

/* Makes the loop's metrics. Returns 0 or E_MEMORY. */
int counters_open(struct loop *s);
void counters_close(struct loop *s);

/* How many calls a target may have in flight in this loop; 0: none any more. */
void counters_target(struct loop *s, const char *name, uint32_t calls_max);
/* What is bounded no more is not shown any more; what still is, at the next look. */
void counters_target_changes(struct loop *s, const struct config_target *before);
void counters_limits_change(struct loop *s, const struct config *before);

/* The saga that has lived longest, of those that are no heartbeats; NULL: none lives, or heartbeats alone are as old. */
const struct saga *counters_oldest_live(const struct loop *s);

/* The loop's journal with its log, what of that is written again before it grows, and what is free on its volume: bytes. */
double counters_journal_bytes(const struct loop *s);
uint64_t counters_journal_reusable(const struct loop *s);
double counters_volume_free(const struct loop *s);

/* Whether records of this type are counted. */
bool counters_want(const struct loop *s, uint8_t type);
/* A record of this saga has become durable. */
void counters_record(struct loop *s, const struct saga *saga, const struct record *r);
/* Likewise of a heartbeat, which is counted in metrics of its own alone. */
void counters_record_synthetic(struct loop *s, const struct saga *saga, const struct record *r);

/* A heartbeat of this definition is to begin every so often; one was not begun. */
void counters_synthetic(struct loop *s, const char *definition, struct span every);
void counters_synthetic_missed(struct loop *s, const char *definition);
/* None is to begin any more. */
void counters_synthetic_gone(struct loop *s, const char *definition);

/* A rule of remediation has done this; whether it is armed; and what came of pages, as far as is known. */
void counters_remedy(struct loop *s, const char *rule, const char *result);
void counters_remedy_armed(struct loop *s, const char *rule, bool armed);
void counters_remedy_gone(struct loop *s, const char *rule);

/* An attempt that left at left_at has ended. A heartbeat's is not counted. */
void counters_attempt(struct loop *s, const struct call_effect *call, struct instant left_at,
                      const struct rpc_answer *answer);

/* A request was refused with this error. */
void counters_refused(struct loop *s, const char *path, int code);

/* The target's breaker has opened or closed. */
void counters_breaker(struct loop *s, const char *target, bool open);

/* A commit comes: what was fsync'd before it is none of it. */
void counters_committing(struct loop *s);
/* A frame of so many records, and bytes of them, has become durable; the commit that made it so began at began_at. */
void counters_frame(struct loop *s, size_t bytes, unsigned records);
void counters_commit(struct loop *s, struct instant began_at);

/* ---- gauges.c ---- */
/* Once a turn: brings the gauges up to date when somebody waits for them. */
void counters_turn(struct loop *s);

#endif
