/* event.h - what happens to the engine: requests of services and operators, answers of participants, the passing of time. */
#ifndef SAGA_ENGINE_EVENT_H
#define SAGA_ENGINE_EVENT_H

#include "compensations/answer.h"
#include "compensations/barrier.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/record.h"

enum event_type {
    EVENT_START = 1,
    EVENT_BEGIN,
    EVENT_ENLIST,
    EVENT_COMMIT,
    EVENT_ABORT,
    EVENT_KEEP_ALIVE,
    EVENT_CANCEL,
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_RETRY,
    EVENT_SKIP,
    EVENT_REJECT,
    EVENT_RESOLVE,
    EVENT_ANSWER, /* a call that the engine asked for has ended */
    EVENT_TICK,   /* nothing but time: carries out what is due */
    EVENT_TARGET, /* a target can be reached again, of which an answer said that it could not; or engine_set_target has changed it */
    EVENT_BREAKER, /* an operator opens, holds or closes the breaker of the target `name` */
};

enum breaker_act { BREAKER_TRIP = 1, BREAKER_HOLD = 2, BREAKER_RESET = 3 };

/* One step to enlist. All views. */
struct enlistment {
    struct bytes step;
    bool has_compensation;
    struct call_spec compensation; /* source REQUEST_CONSTANT; target and method NUL-terminated */
};

/* One outcome to settle. */
struct settlement {
    struct bytes step;
    uint8_t action_state; /* SAGA_ACTION_DONE, REJECTED or UNKNOWN */
    struct bytes output;
    bool output_is_request;
    struct span may_run_for; /* of UNKNOWN: for so long the action may still take effect */
};

/* Everything in it is borrowed for the call of engine_step. Texts are checked for length and form by the engine: it trusts
 * nobody. */
struct event {
    uint8_t type;
    struct instant now; /* never before the `now` of the event before it */
    int no_room; /* not 0: only what ends sagas is taken; new ones, and further steps, are refused with this error. E_HELD: of START and
                       BEGIN, whose definition is held */
    uint64_t token;        /* of the requester; comes back in its reply. Unused for ANSWER and TICK. */
    struct bytes audit;    /* the owner's: what its audit trail is to say if this changes anything */
    struct bytes identity; /* of the requester, as its connection proves; empty: the sidecar itself */
    struct saga_id saga;   /* all but START, BEGIN, TICK, TARGET, BREAKER */

    /* START, BEGIN */
    struct bytes tag_sets; /* START: the saga's tags must be such as one of these sets (texts_have_any); empty: any */
    bool scoped;           /* request_ids are each identity's own: what another began under the same one says nothing */
    struct bytes request_id;
    struct bytes input; /* START */
    struct bytes name;  /* BEGIN; BREAKER: of the target */
    struct bytes traceparent;
    struct span deadline; /* 0: START takes the definition's, BEGIN the default */
    struct span lease;    /* BEGIN; 0: the default */
    uint8_t priority;     /* START: enum call_priority; 0: as its definition */
    struct bytes version; /* START, as it was asked for: empty for the highest. Only tells one request from another. */
    bool synthetic;       /* START: a heartbeat */
    const struct definition *definition; /* START; resolved by engine_resolve; must outlive the engine */

    /* BEGIN (enlist only), ENLIST, COMMIT and ABORT (settle only). Settlements come before enlistments; all or nothing. A
     * Settle request is ENLIST without enlistments. */
    const struct settlement *settle;
    size_t settle_count;
    const struct enlistment *enlist;
    size_t enlist_count;

    /* ABORT, CANCEL, PAUSE, RESUME, RETRY, SKIP, REJECT, RESOLVE, BREAKER */
    struct bytes step; /* RETRY (empty: all stuck steps), SKIP */
    struct bytes actor;
    struct bytes reason;

    /* ANSWER: the call it answers, as asked for in struct call_effect */
    uint16_t step_index;
    uint8_t phase; /* enum saga_phase */
    uint16_t attempt;
    uint8_t reach;  /* enum saga_reach */
    bool unreached; /* it never left, because its target could not be reached; EVENT_TARGET follows once it can */
    int status;
    struct instant
        quiet_at; /* with MAYBE: until then the participant may still be at it, as sidecar/base/quiet.h says; else 0 */
    struct bytes message;
    struct bytes output;
    struct span took;     /* from when it left; 0: not known */
    bool has_pushback;    /* grpc-retry-pushback-ms was sent */
    struct span pushback; /* negative: do not retry */

    uint16_t target;     /* TARGET: its index */
    uint8_t breaker_act; /* BREAKER: enum breaker_act */
};

/* Whose sagas the request_id is looked for among; empty: all. */
static inline struct bytes event_scope(const struct event *e)
{
    return e->scoped && !DEFECT(SCOPE_FORGOTTEN) ? e->identity : bytes_of(NULL, 0);
}

/* Whether what `owner` began is within the scope. Of whom nothing is known, it may be. */
static inline bool scope_has(struct bytes scope, struct bytes owner)
{
    return scope.size == 0 || owner.size == 0 || bytes_equal(scope, owner);
}

#endif
