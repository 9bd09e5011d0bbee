/* record.h - what the journal holds: every decision about a saga, in the order it was made.
 *
 * The engine changes a saga's durable state only by applying a record, both when it decides and when it replays, so that
 * the journal is the truth by construction. Views in a record point into memory of whoever made it. */
#ifndef SAGA_ENGINE_RECORD_H
#define SAGA_ENGINE_RECORD_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/definition/model.h"

/* Numbers are in the journal: add at the end, never change or reuse one. */
enum record_type {
    RECORD_STARTED = 1,              /* a saga begins; mode tells which kind */
    RECORD_ENLISTED = 2,             /* an enlisted step begins, with its compensation */
    RECORD_ACTION_STARTED = 3,       /* an attempt of an orchestrated step may leave; the first one begins the step */
    RECORD_ACTION_FAILED = 4,        /* that attempt failed; another is to follow at next_at */
    RECORD_ACTION_ENDED = 5,         /* action_state tells how */
    RECORD_TURNED_BACK = 6,          /* RUNNING -> COMPENSATING; reason, step */
    RECORD_COMPENSATION_STARTED = 7, /* an attempt of it may leave */
    RECORD_COMPENSATION_FAILED = 8,  /* that attempt failed; another is to follow at next_at */
    RECORD_COMPENSATION_ENDED = 9,   /* compensation_state: DONE or FAILED */
    RECORD_STUCK = 10,               /* reason, step */
    RECORD_ENDED = 11,               /* saga_state: COMMITTED, COMPENSATED or RESOLVED */
    RECORD_PAUSED = 12,
    RECORD_RESUMED = 13,
    RECORD_RETRIED = 14, /* an operator: the step's attempts count anew, and the saga leaves STUCK if it was the last */
    RECORD_SKIPPED = 15, /* an operator: likewise, and the step needs no more doing */
    RECORD_MOVED =
        16, /* the `copies` records that follow in this frame are the saga's whole history: older frames need not be kept for it */
    RECORD_UNREACHED =
        17, /* the attempt that was permitted does not count: it never left, as its target could not be reached, or its participant
               says that it had not begun; then another is to follow at next_at */
    RECORD_REJECTED =
        18, /* an operator: the unknown action did not happen; before its pivot is done the saga turns back with it */
    RECORD_ANSWERED =
        19, /* all is done but deferred steps, which begin now: this is what those who wait for the saga are given */
    RECORD_TYPE_COUNT = 20
};

enum saga_state {
    SAGA_RUNNING = 1,
    SAGA_COMMITTED = 2,
    SAGA_COMPENSATING = 3,
    SAGA_COMPENSATED = 4,
    SAGA_STUCK = 5,
    SAGA_RESOLVED = 6,
};

enum saga_mode {
    SAGA_ORCHESTRATED = 1,
    SAGA_ENLISTED = 2,
};

/* What a saga goes without: bits; in the rows of those that have ended. */
enum saga_lack {
    LACK_MISSING = 1,  /* an optional step came to nothing, and nothing stands in for it */
    LACK_FALLBACK = 2, /* its fallback stands in */
    LACK_STALE = 4,    /* an earlier good answer does */
    LACK_DEFERRED = 8, /* it is still to come, and nobody waits for it */
};
#define LACKS_MAX 15

/* As saga.v1.Reason. */
enum saga_reason {
    REASON_NONE = 0,
    REASON_ACTION_REJECTED = 1,
    REASON_ACTION_UNKNOWN = 2,
    REASON_DEADLINE = 3,
    REASON_LEASE = 4,
    REASON_CANCELLED = 5,
    REASON_ABORTED = 6,
    REASON_COMPENSATION_FAILED = 7,
    REASON_FORWARD_FAILED = 8,
    REASON_PIVOT_UNKNOWN = 9,
    REASON_UNREACHABLE = 10,
    REASON_ATTEMPTS_SPENT = 11,
    REASON_EXPRESSION_FAILED = 12, /* an expression: a condition, or what a call should be sent */
    REASON_REQUEST_CHANGED = 13,   /* a call maps to another request than its first attempt was sent */
    REASON_UNEXPECTED_ANSWER = 14, /* a step's action answered OK, and not what the definition expects */
    REASON_OVERLOADED = 15,        /* too many calls waited for a step's target, or it for too long */
    REASON_UNAVAILABLE = 16,       /* a step's target took no calls, and the step does not wait for that */
    REASON_COUNT = 17
};

/* "COMMITTED", "ACTION_REJECTED"; "" for REASON_NONE and for numbers outside the tables. */
const char *record_state_name(uint8_t state);
const char *record_reason_name(uint8_t reason);

#define RECORD_NO_STEP        UINT16_MAX
#define REQUEST_ID_BYTES_MAX  128
#define MESSAGE_BYTES_MAX     256 /* of what a participant or operator said; longer ones are cut */
#define ACTOR_BYTES_MAX       128
#define TRACEPARENT_BYTES_MAX 64
#define TAGS_BYTES_MAX        8192
#define IDENTITY_BYTES_MAX    256 /* of whoever asks, as it was proven to us */

/* One record. Which fields mean something depends on the type; the others are zero. Each is cleared and handed on several times, so its fields
 * leave no holes. */
struct record {
    uint8_t type;    /* enum record_type */
    uint32_t copies; /* MOVED */
    struct saga_id saga;
    struct instant at;

    uint16_t step;              /* index within the saga, or RECORD_NO_STEP */
    uint16_t attempt;           /* of an action or compensation: the attempt that it is about, from 1 */
    uint8_t status;             /* FAILED, ENDED, UNREACHED: gRPC status of that attempt */
    uint8_t reason;             /* TURNED_BACK, STUCK: enum saga_reason */
    uint8_t action_state;       /* ACTION_ENDED: enum saga_action_state */
    uint8_t compensation_state; /* COMPENSATION_ENDED: enum saga_compensation_state */
    uint8_t saga_state;         /* ENDED: enum saga_state */
    bool
        maybe_executed; /* ACTION_FAILED: the attempt may have been executed; REJECTED: another instance of the pivot may
                                   have been, so the saga stays stuck (it turned back before that was recorded) */
    bool output_is_request; /* ACTION_ENDED of an enlisted step: its compensation's request becomes the output */
    uint8_t fault;  /* ACTION_STARTED, COMPENSATION_STARTED: what a drill does to the attempt, enum drill_kind */
    uint8_t choice; /* ACTION_STARTED of a step that chooses its target: which, from 1 */
    struct instant next_at; /* FAILED, UNREACHED (0: as soon as the target is back) */
    struct instant
        quiet_at; /* ACTION_FAILED, ACTION_ENDED, TURNED_BACK: until then the action may still be running (0: it is not) */
    struct bytes message; /* what the participant or operator said; the reason given for an operator's or owner's act */
    struct bytes actor;   /* operator's acts, ABORTED and CANCELLED */
    struct bytes
        identity; /* who asked for it, as the connection proves. STARTED: the saga's owner. Else empty also when it was the owner. */
    struct bytes
        output; /* ACTION_ENDED with DONE; ANSWERED, ENDED with COMMITTED: what those who wait for the saga are given */
    uint64_t digest; /* ACTION_STARTED, COMPENSATION_STARTED: of a mapped request; 0: it is not mapped */
    struct instant
        given_at; /* ACTION_ENDED of a fallback that takes the last good answer: when that was given; 0: it is none */

    /* STARTED */
    uint8_t mode;
    uint8_t priority;    /* enum call_priority, as the start asked for */
    bool synthetic;      /* a heartbeat: it is told to participants, and never counted among real sagas */
    uint32_t definition; /* number; 0 for an enlisted saga */
    struct bytes name;   /* of the definition, or as given to Begin */
    struct bytes request_id;
    uint64_t fingerprint; /* of the request's content, to tell a repeated request from another one */
    struct bytes input;
    struct bytes traceparent;
    struct bytes counts; /* of the definition's loops: how many instances each has, as definition_place takes them */
    struct bytes tags;   /* packed: each name and its text, with a NUL behind either */
    struct instant deadline; /* INSTANT_NEVER: none */
    struct span lease;       /* enlisted */

    /* ENLISTED: the compensation; call.target NULL when it needs none. call.source is REQUEST_CONSTANT. */
    struct bytes step_name;
    struct call_spec call;
};

#endif
