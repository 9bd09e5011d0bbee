/* engine.h - the state machine of sagas: events in, records and effects out.
 *
 * Pure: no clock, no I/O, no threads, no randomness but the generator seeded at its making. One owner, no locks. Given the
 * same events it gives the same records and effects, on every machine.
 *
 * The owner's duty (I1): the records of a step are made durable before any of its effects is carried out. */
#ifndef SAGA_ENGINE_ENGINE_H
#define SAGA_ENGINE_ENGINE_H

#include "sidecar/base/error.h"
#include "sidecar/base/memory.h"
#include "sidecar/engine/event.h"
#include "sidecar/engine/record.h"
#include "sidecar/resilience/admission.h"
#include "sidecar/resilience/breaker.h"
#include "sidecar/resilience/budget.h"
#include "sidecar/resilience/drill.h"
#include "sidecar/resilience/rate.h"
#include "sidecar/resilience/recall.h"

struct engine;
struct saga; /* sidecar/engine/saga.h shows its inside to those who list it */

struct engine_options {
    uint32_t live_sagas_max;
    uint32_t steps_max;         /* of an enlisted saga; at most STEPS_LIMIT */
    uint32_t payload_bytes_max; /* of an input, an output, a compensation's request */
    uint32_t targets_max;       /* and names of such that are not there */
    struct span enlisted_deadline_default;
    struct span enlisted_lease_default;
    struct span pushback_max; /* the longest that a participant's pushback is obeyed */
    struct span target_wait;  /* of an action for a target that cannot be reached; then attempts count. 0: all do */
    struct span deadline_max; /* of deadlines, leases and timeouts that requests ask for */
    struct retry_policy compensation_retry; /* where an enlistment says nothing (max_attempts 0) */
    uint64_t seed;                          /* of the jitter */
    struct recall_options recall;           /* of the last good answers; its seed is the above */
    uint64_t tag;                           /* of new saga ids, SAGA_ID_TAG_BITS */
};

/* A participant's address as the engine knows it: a name, its bulkhead, breaker and rate. */
struct target_options {
    const char *name;    /* copied */
    struct span timeout; /* of an attempt that declares none */
    bool barrier;        /* where a call says nothing: its participant refuses an action whose undo has been there */
    uint32_t max_concurrent_calls;  /* 0: it is not there (any more); what calls it waits */
    bool adaptive_concurrency;      /* how many of them may be in flight is found out */
    struct breaker_options breaker; /* of a target that is there, as the following ones */
    struct rate_options rate;
    struct budget_options budget; /* of retries */
    uint32_t max_pending_calls;   /* actions before the pivot that may wait; 0: any number */
    struct span pending_timeout;  /* for how long each, but while the target cannot be reached; 0: without an end */
};

/* A reply to a requester. */
struct reply_effect {
    uint64_t token;
    int code; /* 0 or an error code */
    struct saga_id saga;
    bool repeated;     /* START, BEGIN: the request_id was seen before */
    struct span lease; /* KEEP_ALIVE */
};

/* A call to make. Views stay valid until the answer has been handed to engine_step. */
struct call_effect {
    struct saga_id saga;
    uint16_t step;
    uint16_t attempt;     /* from 1 */
    uint16_t target;      /* index given by engine_set_target */
    uint8_t phase;        /* enum saga_phase */
    uint8_t action_state; /* compensation: SAGA_ACTION_DONE or SAGA_ACTION_UNKNOWN */
    struct span timeout;
    const char *method;
    struct bytes request;
    struct bytes metadata;   /* that the definition asks for: each name and its text, with a NUL behind either */
    struct bytes definition; /* for the metadata, as the following ones */
    struct bytes step_name;
    struct bytes traceparent;
    struct instant action_started; /* when the action was first attempted under its key, or enlisted */
    struct instant due_at;         /* since when it has waited for its turn at the target */
    uint32_t generation;  /* part of the idempotency key: above 0 once an operator had a REJECTED action tried anew */
    bool synthetic;       /* its saga is a heartbeat */
    uint8_t fault;        /* enum drill_kind: what is to be done to it on purpose */
    uint8_t fault_status; /* ABORT */
    struct span fault_delay; /* DELAY, REORDER */
};

/* A target's breaker has opened or closed. The owner keeps the mark, in the commit that the effect belongs to: engine_restore_breaker takes it. */
struct breaker_effect {
    uint16_t target;
    struct breaker_mark mark;
};

enum effect_type { EFFECT_REPLY = 1, EFFECT_CALL = 2, EFFECT_BREAKER = 3 };

struct effect {
    uint8_t type;
    union {
        struct reply_effect reply;
        struct call_effect call;
        struct breaker_effect breaker;
    } as;
};

/* Where engine_step puts what it decided. The owner supplies it and must take a record before returning from add_record:
 * its views are valid only for that call. add_effect copies the effect. detail is filled before a reply with an error. */
struct engine_out {
    void (*add_record)(void *self, const struct record *record);
    void (*add_effect)(void *self, const struct effect *effect, const struct error_detail *detail);
    void *self;
};

/* On success *out must be destroyed by the caller. memory is copied; what it points to must outlive the engine.
 * Returns 0 or E_MEMORY. */
int engine_create(const struct engine_options *options, const struct memory *memory, struct engine **out);

/* Frees every saga too. Accepts NULL. */
void engine_destroy(struct engine *e);

/* Adds a target, or changes the one of this name: what is out goes on. When it was there before the call or waits for it, EVENT_TARGET is to
 * follow. Returns its index, which stays, or E_MEMORY. */
int engine_set_target(struct engine *e, const struct target_options *options);

/* Recovery: the names of targets that the definition calls and that are not there are kept, so that what waits for them goes on once
 * they are. Those beyond targets_max wait for another start. Returns 0 or E_MEMORY. */
int engine_keep_names(struct engine *e, const struct definition *definition);

/* Recovery, after the targets have been set: the mark of a target's breaker as it was kept. The name of one that is not there is kept too, if it is open.
 * Returns 0 or E_MEMORY. */
int engine_restore_breaker(struct engine *e, struct bytes target, const struct breaker_mark *mark, struct instant now);

/* The last good answers. Recovery, before anything is replayed: one as it was kept, and engine_restored_answers behind the last; as recall_restore. */
int engine_restore_answer(struct engine *e, const struct recalled *one);
void engine_restored_answers(struct engine *e);
/* A slot that has changed: the owner keeps it in the commit that has the records of the step. False: there is none (any more). View until the next step. */
bool engine_next_answer(struct engine *e, struct recalled *out);
/* Somebody wants what is kept under this name and key forgotten: a definition's and a step's name with a '/' between them, or the name that last_good gives. */
void engine_forget_answer(struct engine *e, struct bytes name, struct bytes key);
/* For rehearsals: as if the step, whose action has begun, had been answered well in another saga. */
void engine_made_up_answer(struct engine *e, const struct saga *s, unsigned step, struct bytes output,
                           struct instant now);
/* To look at: how many there are, how large. View for the engine's life. */
const struct recall *engine_answers(const struct engine *e);

/* The faults that are injected from now on, at most DRILL_RULES_MAX; and those that are. */
void engine_set_drill(struct engine *e, const struct drill_rule *rules, uint32_t count);
const struct drill *engine_drill(const struct engine *e);

/* The index of a target that is there, or -1. */
int engine_find_target(const struct engine *e, struct bytes name);

/* Whether a resolved call goes to a target that is not there, and so waits. */
bool engine_target_absent(const struct engine *e, const struct call_spec *call);

/* To look at: places taken, calls that wait. index is below the number of targets added. View for the engine's life. */
struct target;
const struct target *engine_target(const struct engine *e, uint16_t index);
/* Whether a step that waits is a retry that needs budget. */
struct step;
bool engine_step_budgeted(const struct step *step);
/* Until when a step that waits at its target does so at most, its saga's deadline included; INSTANT_NEVER: for as long as that takes. */
struct instant engine_waits_until(const struct engine *e, const struct saga *s, unsigned step);
/* Whether what waits for it waits for its rate alone. */
bool engine_target_rated(const struct engine *e, uint16_t index);
/* Whether its breaker is open, and until when. View for the engine's life. */
const struct breaker_mark *engine_breaker(const struct engine *e, uint16_t index);
/* Whether it cannot be reached, as far as answers have told. */
bool engine_target_down(const struct engine *e, uint16_t index);

/* Sets target_index of every call of the definition, and its family. Returns 0, E_MEMORY, or E_TARGET_NOT_FOUND with detail naming the field: calls of
 * targets that are not there wait until they are, and no saga of the definition is started before. */
int engine_resolve(struct engine *e, struct definition *definition, struct error_detail *detail);

/* What bounds the sagas of all definitions of a name. */
struct definition_bound {
    const char *definition;
    struct admission_options options;
};

/* These bound new sagas from now on, in the place of those before. Returns 0, or E_MEMORY: then nothing has changed. */
int engine_set_limits(struct engine *e, const struct definition_bound *bounds, size_t count);

/* To look at, one after another from 0: how many sagas of a definition live, and what bounds them; NULL: there are no more. View until the next
 * definition is resolved. */
const struct admission *engine_family(const struct engine *e, uint32_t index, const char **name);

/* Carries out one event. Returns 0, or E_MEMORY when an ANSWER or TICK could not be taken in: then nothing of it has changed, and
 * the owner must stop; the journal still tells the truth. When an event could not be carried out to its end engine_starved tells so: then nothing of it may be
 * written either. Requests that fail are answered, and return 0. */
int engine_step(struct engine *e, const struct event *event, const struct engine_out *out);

/* Whether there was no memory for what a saga must keep. */
bool engine_starved(const struct engine *e);

/* The leases of all enlisted sagas start anew at now: their owners could not renew them. */
void engine_renew_leases(struct engine *e, struct instant now);

/* Shutdown: from now on no attempt leaves. Answers are taken in and requests carried out as ever; what would have left next is what the
 * next start's engine_resume finds to do. No EVENT_TICK may follow. */
void engine_hold(struct engine *e);

/* When the next EVENT_TICK is due, or INSTANT_NEVER. */
struct instant engine_expiry(const struct engine *e);

/* Recovery: applies one record of the journal, in the journal's order. definition is that of a RECORD_STARTED with a number,
 * else NULL. A RECORD_MOVED takes the saga away: its history follows. Returns 0, E_MEMORY, E_LIVE_SAGAS, or E_JOURNAL_CORRUPT when the record cannot follow what came before (detail says how). */
int engine_replay(struct engine *e, const struct record *record, const struct definition *definition,
                  struct error_detail *detail);

/* Recovery's end: the sagas that live take up where the journal left them. Attempts that were out are counted as lost, those whose
 * time has come are called again. At most sagas_max of those with a serial above *after (0: from the first), in order; *after becomes the
 * last of them, or UINT64_MAX when there are no more. Gives records and effects like a step. Returns 0 or E_MEMORY. */
int engine_resume(struct engine *e, struct instant now, uint64_t *after, unsigned sagas_max,
                  const struct engine_out *out);

/* The live saga with this serial, or NULL. An ended saga stays until engine_release. View until the next step. */
const struct saga *engine_find(const struct engine *e, uint64_t serial);

/* The live saga started with this request_id by whom `scope` says (event_scope), or NULL. */
const struct saga *engine_find_request(const struct engine *e, struct bytes request_id, struct bytes scope);

/* Fingerprint of a START or BEGIN event's content, as kept in RECORD_STARTED. Left out is what may differ between two tries of one request:
 * the trace context, and how the compensation is retried. */
uint64_t engine_fingerprint(const struct event *event);

/* Lets an ended saga go, once its end is durable and told. */
void engine_release(struct engine *e, uint64_t serial);

/* The newest saga with a serial below (UINT64_MAX: the newest of all), and the oldest with a serial above (0: the oldest of
 * all), or NULL. Constant time when the saga of that serial is itself still here; otherwise a walk along the live ones. */
const struct saga *engine_before(const struct engine *e, uint64_t serial);
const struct saga *engine_after(const struct engine *e, uint64_t serial);

/* The live saga whose records begin earliest in the journal, as engine_set_position and engine_set_moved have told, or NULL. */
const struct saga *engine_earliest(const struct engine *e);

/* The serial of the newest saga ever; the next one gets one more. */
uint64_t engine_serial(const struct engine *e);
void engine_set_serial(struct engine *e, uint64_t serial);

/* Where the owner last wrote of this saga; the engine only keeps it. */
void engine_set_position(struct engine *e, uint64_t serial, uint64_t position);

/* The owner has written the saga's whole history anew at position, which is beyond every position so far: nothing before it is needed. */
void engine_set_moved(struct engine *e, uint64_t serial, uint64_t position);

/* Of sagas. */
struct saga_counts {
    uint32_t live; /* ended ones that were not released included */
    uint32_t stuck;
    uint32_t compensating;
    uint32_t paused;
    uint32_t answered; /* nothing is left but deferred steps */
};

struct engine_counts {
    uint32_t live; /* as in saga_counts, of all sagas */
    uint32_t stuck;
    uint32_t compensating;
    uint32_t paused;
    uint32_t answered;
    struct saga_counts synthetic; /* of them */
    uint32_t calls;               /* in flight */
    uint32_t waiting;             /* calls that wait for their target's bulkhead */
};
struct engine_counts engine_counts(const struct engine *e);
/* Of those that are not. */
struct saga_counts engine_counts_real(const struct engine *e);

#endif
