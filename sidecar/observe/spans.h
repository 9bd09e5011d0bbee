/* spans.h - the spans of traces, as a collector takes them: their ids, and what is said of each. */
#ifndef SAGA_OBSERVE_SPANS_H
#define SAGA_OBSERVE_SPANS_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/observe/otlp_queue.h"

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

/* Whether that is sampled, and nothing else: of few sagas more is asked. */
bool trace_sampled(struct saga_id saga, struct bytes traceparent, unsigned percent);

/* What a span id follows from: parts that a crash does not change, so that what was a parent before is one after. */
struct span_key {
    struct saga_id saga;
    uint16_t step;    /* RECORD_NO_STEP: the saga itself */
    uint8_t phase;    /* of the step */
    uint16_t attempt; /* 0: the step itself */
};

void span_id_of(const struct span_key *key, uint8_t id[SPAN_ID_SIZE]);

/* Both as hex digits, for who reads the log. */
void trace_id_text(const struct trace *trace, char text[2 * TRACE_ID_SIZE + 1]);
void span_id_text(const struct span_key *key, char text[2 * SPAN_ID_SIZE + 1]);

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

/* Adds a span to a queue. Returns false when it was dropped. */
bool spans_add(struct otlp_queue *q, const struct trace *trace, const struct trace_span *span);

#endif
