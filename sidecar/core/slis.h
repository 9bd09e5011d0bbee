/* slis.h - what objectives are measured by: for each definition that has some, how many sagas ended, how many of them badly, and so on. Heartbeats
 * (synthetic sagas) count for objectives of their own alone.
 *
 * Durable. The counts (SUBJECT_SLI; name: the definition, for heartbeats with '~' before it) are written in the commit of the ends that they count, so that they agree with the
 * journal to the last one, whatever crashes. What they were at earlier times (SUBJECT_SLI_HISTORY), from which burn rates follow, is written every
 * five minutes, and thinned with age. One owner, no locks. */
#ifndef SAGA_CORE_SLIS_H
#define SAGA_CORE_SLIS_H

#include "sidecar/engine/engine.h"
#include "sidecar/journal/store.h"

#define OBJECTIVES_MAX 320 /* as many as options.def has of objectives and synthetics */
#define OBJECTIVES_IDLE_MAX \
    1024 /* of which nothing is promised now, and whose counts are kept in memory, to go on from */
#define SLI_WINDOW_MAX SPAN_S(90 * 24 * 3600)

/* What is promised. In thousandths of a percent; 0: nothing is. */
enum sli { SLI_SUCCESS, SLI_LATENCY, SLI_FRESHNESS, SLI_COUNT };
extern const char *const sli_names[SLI_COUNT];

struct objective {
    const char *definition;       /* or the name given to Begin; borrowed while it is promised */
    uint32_t promised[SLI_COUNT]; /* 99900: 99.9 % */
    struct span latency;          /* a saga is fast when it is committed within */
    struct span freshness;        /* the definition is fresh while its oldest live saga is younger */
    struct span window;           /* over which the promise is kept */
    bool synthetic;               /* of the definition's heartbeats; else of all its other sagas */
};

/* Of sagas, and of freshness of looks: one every SLI_LOOK. */
#define SLI_LOOK SPAN_S(10)
struct sli_count {
    uint64_t all, bad;
};

struct slis;
struct core;
struct saga;

/* Copies the objectives, each definition and its heartbeats at most once, but for their texts. memory is copied. Gives *out. Returns 0 or E_MEMORY. */
int slis_create(const struct objective *objectives, size_t count, const struct memory *memory, struct slis **out);
/* Accepts NULL. */
void slis_destroy(struct slis *s);

/* From now on this is promised, as slis_create has it, and nothing else. What has been counted goes on, also of what was promised before, here or in
 * an earlier process. Returns 0, or E_MEMORY with nothing changed. */
int slis_promise(struct slis *s, const struct objective *objectives, size_t count);

/* Reads what is kept of them; before the core is opened. Rows of other definitions stay where they are. Returns 0, E_MEMORY, E_JOURNAL_CORRUPT, or what
 * the store fails with. */
int slis_recover(struct slis *s, struct store *store, struct error_detail *detail);

/* For the core: a saga ends with this record; the batch is about to be closed, so that rows are added for what has been counted.
 * Returns 0 or E_MEMORY. */
void slis_ended(struct slis *s, const struct saga *saga, const struct record *r);
int slis_close(struct slis *s, struct core *core);

/* A heartbeat of the definition could not begin, which its objective of success counts as bad. It is kept as looks are. s NULL: nothing. */
void slis_missed(struct slis *s, const char *definition);

/* Looks whether definitions are fresh, and keeps what the counts are now, when it is time to. Its rows go into the core's batch. Returns 0 or
 * E_MEMORY. */
int slis_tick(struct slis *s, struct core *core, struct instant now);
/* When slis_tick is due, or INSTANT_NEVER. */
struct instant slis_expiry(const struct slis *s);

/* ---- to look at ---- */

/* The objective at this index, or NULL. */
const struct objective *slis_at(const struct slis *s, size_t index);
/* What was counted in the last `window` (0: ever): as near as what was kept tells, never less than the window, where it is so old. */
struct sli_count slis_count(const struct slis *s, size_t index, enum sli sli, struct span window, struct instant now);

/* What has been counted since this was asked last, for counters. */
struct sli_count slis_take_new(struct slis *s, size_t index, enum sli sli);

/* How fast the promise is used up: 1 is just as fast as it may be. */
double sli_burn(uint32_t promised, struct sli_count count);

/* A saga that ended in this way has not kept what was promised; and what was decided by somebody has. */
bool sli_is_bad(uint8_t saga_state, uint8_t reason);

#endif
