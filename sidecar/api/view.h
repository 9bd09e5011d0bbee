/* view.h - sagas and records as saga.v1 shows them. Everything is taken from an arena and lives as long as it; functions give NULL when no memory
 * is left. Texts that came from outside are made valid UTF-8. */
#ifndef SAGA_API_VIEW_H
#define SAGA_API_VIEW_H

#include "sidecar/engine/saga.h"
#include "sidecar/core/catalog.h"
#include "sidecar/core/timeline.h"

#include "saga/v1/coordinator.pb-c.h"

Google__Protobuf__Timestamp *view_time(struct arena *a, struct instant at);
Google__Protobuf__Duration *view_span(struct arena *a, struct span span);

enum view_flags {
    VIEW_STEPS = 1,    /* with the steps */
    VIEW_PAYLOADS = 2, /* with input and outputs */
    VIEW_JSON = 4,     /* and those as JSON, too, where their types are known */
};

/* A saga in memory, with the configured targets' names where steps wait for one. engine may be NULL: the saga is not live, and nothing waits. */
Saga__V1__Saga *view_saga(struct arena *a, const struct saga *s, const struct engine *engine, unsigned flags);

/* A saga that has ended, without steps. */
Saga__V1__Saga *view_ended(struct arena *a, const struct ended_row *row, const struct catalog *catalog);

/* What those who wait for a saga that is answered are given. Returns false when no memory is left. */
bool view_add_answer(struct arena *a, Saga__V1__Saga *m, const struct saga *s);

/* Adds to a view with steps what only the records tell: the last failures, and how it was resolved. Returns false when no memory is left. */
bool view_add_history(struct arena *a, Saga__V1__Saga *saga, const struct timeline *timeline);

/* The name of a saga's step, in name; empty when it has none, or its loops are not known. */
struct bytes view_step_name(const struct definition *d, struct bytes counts, unsigned step,
                            char name[STEP_NAME_BYTES_MAX + 1]);

/* Adds to a view what came of the saga: its output, or why it turned back. definition may be NULL. Returns false when no memory is left. */
bool view_add_outcome(struct arena *a, Saga__V1__Saga *saga, const struct timeline *timeline,
                      const struct definition *definition, unsigned flags);

/* The packed tags of a saga. Returns false when no memory is left. */
bool view_add_tags(struct arena *a, Saga__V1__Saga *saga, struct bytes tags);

/* What an event says of its saga beside the record. */
struct view_names {
    struct bytes definition;
    struct bytes step; /* empty: the record is about no step */
};

/* One record as an event. */
Saga__V1__Event *view_event(struct arena *a, const struct timeline_entry *entry, const struct view_names *names);

/* A definition; source only when it is asked for. */
Saga__V1__Definition *view_definition(struct arena *a, const struct catalog_entry *entry, bool with_source);

#endif
