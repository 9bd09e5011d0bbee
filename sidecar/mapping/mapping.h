/* mapping.h - what a typed definition computes: what holds before a saga starts, whether a step is needed, what its calls are sent. Made once, when
 * the definition is read; used by the engine. Pure: no clock, no I/O, memory through struct memory within bounds. One owner at a time. */
#ifndef SAGA_MAPPING_MAPPING_H
#define SAGA_MAPPING_MAPPING_H

#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/pool.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/message/schema.h"

struct mapping;

/* What becomes of a step, as expressions see it. */
enum mapping_outcome { OUTCOME_OPEN, OUTCOME_DONE, OUTCOME_REJECTED, OUTCOME_UNKNOWN, OUTCOME_SKIPPED };

struct mapping_step {
    uint8_t outcome;      /* enum mapping_outcome */
    struct bytes output;  /* of a DONE step, or of what stands in for it */
    uint16_t stood_in_by; /* the step of the definition that stands in for it, whose output this is; 0: none does */
    uint32_t generation;  /* of the action's idempotency key */
};

/* One saga, as its owner has it. All views. */
struct mapping_view {
    struct saga_id id;
    struct instant started_at;
    struct bytes input;
    struct bytes tags; /* packed, as mapping_tags gives them */
    const void *saga;
    int instance; /* of the loop whose step is asked about; -1: it is none */
    /* A step of the definition; of a loop, an instance of it. */
    struct mapping_step (*step)(const void *saga, unsigned step, unsigned instance);
    unsigned (*count)(const void *saga, unsigned step); /* of a loop: how many instances it has */
};

/* Work of one evaluation, as sidecar/expression/expression.h counts it: some milliseconds at most. */
#define MAPPING_COST_MAX UINT64_C(200000)
/* Memory of one, beside the messages that it reads. */
#define MAPPING_MEMORY_MAX (4u << 20)

/* Another owner. The last mapping_release frees it; it accepts NULL, and so does mapping_share. */
struct mapping *mapping_share(struct mapping *m);
void mapping_release(struct mapping *m);

/* Whether all that the definition requires holds. 0; E_REQUIRED with the definition's own words; E_EXPRESSION when that cannot be told; E_MEMORY.
 * Nothing of this keeps anything in the pool. */
int mapping_require(const struct mapping *m, const struct mapping_view *view, struct pool *pool,
                    struct error_detail *detail);

/* How many instances each loop has, as struct definition counts them, in the pool. 0; E_STEPS when there are more than max_items; E_EXPRESSION with the
 * reason; E_MEMORY. */
int mapping_counts(const struct mapping *m, const struct mapping_view *view, struct pool *pool, struct bytes *counts,
                   struct error_detail *detail);

/* Whether the step is needed, by its `when`. 1 or 0; E_EXPRESSION with the reason, or E_MEMORY. */
int mapping_when(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                 struct error_detail *detail);

/* The name of the target that the step goes to, in the pool or in what the view holds. 0, E_EXPRESSION with the reason, or E_MEMORY. */
int mapping_target(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                   struct bytes *name, struct error_detail *detail);
bool mapping_has_target(const struct mapping *m, unsigned step);

/* The key of the last good answer that may stand in for the step, as mapping_target; at most LAST_GOOD_KEY_BYTES_MAX bytes. */
int mapping_key(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                struct bytes *key, struct error_detail *detail);

/* Whether the answer of the step's action, which the view shows as its output, is what is expected of it. 1; 0 with the definition's own words in
 * detail, and *undone: what was done is to be undone, or else nothing was done; E_EXPRESSION with the reason; E_MEMORY. */
int mapping_expect(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                   bool *undone, struct error_detail *detail);

/* The most texts of one kind, what they hold together when packed, and one of them. */
#define MAPPING_TEXTS_MAX      16
#define MAPPING_TEXT_BYTES_MAX 256
#define MAPPING_TEXTS_SIZE_MAX 8192

/* The saga's tags; what goes to the participant beside our own metadata. Packed as in sidecar/base/texts.h, in
 * the definition's order, in the pool. 0, E_EXPRESSION with the reason, or E_MEMORY. */
int mapping_tags(const struct mapping *m, const struct mapping_view *view, struct pool *pool, struct bytes *packed,
                 struct error_detail *detail);
int mapping_metadata(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                     struct bytes *packed, struct error_detail *detail);
bool mapping_has_tags(const struct mapping *m);
bool mapping_has_metadata(const struct mapping *m, unsigned step);

/* What those who wait for the saga are given, as mapping_request; its type, NULL: there is none. */
int mapping_output(const struct mapping *m, const struct mapping_view *view, size_t bytes_max, struct pool *pool,
                   struct bytes *output, struct error_detail *detail);
const struct message_type *mapping_output_type(const struct mapping *m);

/* What the step's action (or its compensation) is sent, at most bytes_max bytes, as a view into the pool or into what the view holds. 0;
 * E_EXPRESSION with the reason, or E_MEMORY. */
int mapping_request(const struct mapping *m, const struct mapping_view *view, unsigned step, bool compensation,
                    size_t bytes_max, struct pool *pool, struct bytes *request, struct error_detail *detail);

#endif
