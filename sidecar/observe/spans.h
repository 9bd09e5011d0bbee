/* spans.h - the spans of traces, as a collector takes them (proto/opentelemetry/trace.proto): made by a loop, kept in a queue of bounded bytes,
 * and taken out by whoever sends them. What finds the queue full is dropped; nobody waits. */
#ifndef SAGA_OBSERVE_SPANS_H
#define SAGA_OBSERVE_SPANS_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/saga_id.h"

#include <stdbool.h>

#define TRACE_ID_SIZE 16
#define SPAN_ID_SIZE  8
/* "00-" trace "-" span "-01" and a NUL. */
#define TRACEPARENT_SIZE 56

/* The trace that a saga belongs to. */
struct trace {
    uint8_t id[TRACE_ID_SIZE];
    uint8_t parent[SPAN_ID_SIZE];
    bool has_parent;
    bool sampled;
};

/* That of its traceparent, sampled as that says. A saga that came without one has a trace of its own, which follows from its id, and of
 * those percent in a hundred are sampled. The same saga gives the same trace, whichever process asks. */
struct trace trace_of(struct saga_id saga, struct bytes traceparent, unsigned percent);

/* What a span id follows from: parts that a crash does not change, so that what was a parent before is one after. */
struct span_key {
    struct saga_id saga;
    uint16_t step;    /* RECORD_NO_STEP: the saga itself */
    uint8_t phase;    /* of the step */
    uint16_t attempt; /* 0: the step itself */
};

void span_id_of(const struct span_key *key, uint8_t id[SPAN_ID_SIZE]);

/* What a participant is told: the trace, and the attempt as its parent. */
void trace_parent_of(const struct trace *trace, const struct span_key *attempt, char text[TRACEPARENT_SIZE]);

#define SPAN_ATTRIBUTES_MAX 11

struct span_attribute {
    const char *name;
    struct bytes text; /* at NULL: it is a number */
    int64_t number;
};

/* One span. Texts are borrowed for the call, and need not be UTF-8. */
struct trace_span {
    struct span_key key;
    const uint8_t *parent; /* SPAN_ID_SIZE bytes; NULL: none */
    struct bytes name;
    bool is_call;
    bool failed;
    struct bytes error; /* of one that failed, in words; may be empty */
    struct instant began, ended;
    struct span_attribute attributes[SPAN_ATTRIBUTES_MAX];
    unsigned attribute_count;
};

struct spans;

/* A queue of at most bytes_max. Gives *out. Returns 0 or E_MEMORY. */
int spans_create(size_t bytes_max, struct spans **out);
/* Accepts NULL. */
void spans_destroy(struct spans *q);

/* Adds a span. From the owner's thread. Returns false when it was dropped. */
bool spans_add(struct spans *q, const struct trace *trace, const struct trace_span *span);

/* What spans_take found: each span a length of four bytes in the machine's order, and then its bytes. */
struct span_batch {
    uint8_t *at;
    size_t size, room;
    size_t count;
};

/* Moves what is queued into the batch, which must be empty, and whose memory the queue goes on with. From any thread. */
void spans_take(struct spans *q, struct span_batch *batch);

/* Packs a batch as one ExportTraceServiceRequest. Gives *out (free). Returns 0 or E_MEMORY. */
int spans_request(const struct span_batch *batch, const char *instance, const char *version, struct bytes *out);

#define SPANS_EXPORT_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

#endif
