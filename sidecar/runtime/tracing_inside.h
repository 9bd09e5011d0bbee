/* tracing_inside.h - what the exporter knows of a loop's traces. */
#ifndef SAGA_RUNTIME_TRACING_INSIDE_H
#define SAGA_RUNTIME_TRACING_INSIDE_H

#include "sidecar/observe/spans.h"

struct tracing;

/* Its queue, for any thread. */
struct spans *tracing_spans(struct tracing *t);

#endif
