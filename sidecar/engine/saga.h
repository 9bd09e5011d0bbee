/* saga.h - one live saga, as the engine holds it in memory. Others may read it (to list and to show); only fold.c changes what is
 * durable, and only engine/ the rest. */
#ifndef SAGA_ENGINE_SAGA_H
#define SAGA_ENGINE_SAGA_H

#include "compensations/undo.h"
#include "sidecar/engine/record.h"
#include "sidecar/engine/timers.h"
#include "sidecar/resilience/fair.h"

/* What an enlisted step brought with it. One allocation with its texts behind it. */
struct enlisted {
    const char *name;
    size_t name_size;
    struct call_spec call; /* of the compensation; call.target NULL: it needs none */
    size_t block_size;
};

struct step {
    /* Durable: changed by records alone. */
    struct bytes output;       /* owned; of a DONE action */
    struct enlisted *enlisted; /* owned; NULL in an orchestrated saga */
    struct instant first_at;   /* of the action's first attempt under its present key; an enlisted step's enlistment */
    struct instant next_at;    /* when the next attempt may leave, after one that failed */
    uint64_t action_digest;    /* of the mapped request that the action's first attempt was sent; 0: none yet */
    union {
        uint64_t undo_digest; /* likewise of its compensation */
        struct instant
            given_at; /* of a fallback that took the last good answer, which nothing undoes: when that was given */
    };
    uint32_t order;           /* of the action's start, from 1 */
    uint32_t generation;      /* how often an operator had a REJECTED action tried anew */
    uint16_t action_attempts; /* that failed or ended it */
    uint16_t compensation_attempts;
    uint8_t choice;       /* which of its targets it goes to, from 1; 0: it has not begun, or there is no choice */
    uint8_t action;       /* enum saga_action_state */
    uint8_t compensation; /* enum saga_compensation_state */
    bool maybe_executed;  /* an attempt of the action may have been executed */
    bool output_is_request;
    bool permitted; /* a record permits an attempt to leave, and none tells its end */

    /* Volatile: lost with the process. */
    uint8_t choosing;      /* the choice that its first attempt's record will tell; 0: none yet */
    bool on_wire;          /* the owner of the engine was asked to make that call, and has not answered */
    bool placed;           /* it holds a place at its target */
    bool queued;           /* it waits for one */
    bool hasty;            /* but not while the target takes no calls */
    bool deferred;         /* and nobody waits for it */
    uint8_t class;         /* for how long: enum target_class */
    uint16_t sheds;        /* how often its participant has said of an attempt that it had not begun */
    struct fair_item turn; /* of it at the target; its ticket from when it first asked until it was answered; 0: none */
    struct instant queued_at; /* since when it has waited */
    struct instant left_at;   /* the attempt that is on the wire */
    struct instant
        shed_at;   /* since when its participant has said of each attempt that it had not begun; 0: it has not */
    uint8_t *kept; /* owned: what was computed for the attempt that is out */
    struct bytes metadata; /* of it: packed, as the mapping has it */
    struct bytes mapped;   /* and the request */
    struct step *queue_next, *queue_previous;
    struct step *hasty_next, *hasty_previous;
    struct saga *saga;
};

struct saga {
    struct saga_id id;

    /* Durable. */
    const struct definition *definition;                     /* borrowed; NULL for an enlisted saga */
    struct bytes name, request_id, input, traceparent, tags; /* owned, in this saga's own allocation */
    struct bytes owner;              /* likewise: the identity that began it; empty: not known */
    const struct step_place *places; /* likewise, of its steps, when its definition has loops; else NULL */
    const struct bytes *names;       /* likewise: their names */
    uint64_t fingerprint;
    struct instant started_at, ended_at, deadline, quiet_at;
    struct span lease;
    uint8_t state;        /* enum saga_state */
    uint8_t stuck_from;   /* the state that STUCK goes back to */
    uint8_t mode;         /* enum saga_mode */
    uint8_t priority;     /* enum call_priority */
    uint8_t reason;       /* why it turned back */
    uint8_t stuck_reason; /* while STUCK */
    bool paused;
    bool answered;                    /* nothing is left but deferred steps */
    struct bytes answer;              /* owned: what those who wait for it are given then */
    bool synthetic;                   /* a heartbeat, not a customer's */
    uint16_t reason_step, stuck_step; /* RECORD_NO_STEP: none */
    uint16_t step_count, step_room;
    uint16_t skips; /* how often a person skipped a step of it, or an undo */
    uint32_t order_last;
    struct step *steps;

    /* Volatile. */
    struct instant lease_until;
    struct timer timer;

    /* The owner's: which frames hold its records, the last and the first. */
    uint64_t position, first_position;

    struct saga *same_serial, *same_request; /* hash chains */
    uint64_t request_hash;
    struct saga *older, *newer;   /* by serial */
    struct saga *earlier, *later; /* by first_position: what the journal must keep for it begins earlier, or later */
    size_t block_size;
};

static inline bool saga_ended(const struct saga *s)
{
    return s->state == SAGA_COMMITTED || s->state == SAGA_COMPENSATED || s->state == SAGA_RESOLVED;
}

/* When the step's attempts must have ended: its saga's deadline, or what the step reserves of that earlier. */
struct instant saga_step_deadline(const struct saga *s, unsigned step);

/* It is on the way back, or was. */
static inline bool saga_turned_back(const struct saga *s)
{
    return s->reason != REASON_NONE;
}

/* Which of its definition's steps a step is; the saga is orchestrated. */
static inline unsigned saga_spec_index(const struct saga *s, unsigned step)
{
    return s->places == NULL ? step : s->places[step].step;
}

static inline const struct step_spec *saga_spec(const struct saga *s, unsigned step)
{
    return &s->definition->steps[saga_spec_index(s, step)];
}

/* The first of the saga's steps that are this one of the definition, or step_count: an empty loop. */
unsigned saga_first_of(const struct saga *s, unsigned spec);

/* The step that this one stands in for; it is no other's fallback itself. */
unsigned saga_stood_in_for(const struct saga *s, unsigned step);

/* The fallback of the step, directly or by and by, that takes the last good answer; RECORD_NO_STEP: there is none. */
unsigned saga_last_good_of(const struct saga *s, unsigned step);

/* The step whose output counts as this one's: its own, or, when it is not DONE, of what stands in for it; RECORD_NO_STEP: none does. */
unsigned saga_output_of(const struct saga *s, unsigned step);

/* What a step, or a saga of such, goes without: bits of enum saga_lack. */
uint8_t saga_step_lacks(const struct saga *s, unsigned step);
/* LACK_STALE: when the answer that stands in was given. */
struct instant saga_step_as_of(const struct saga *s, unsigned step);
uint8_t saga_lacks(const struct saga *s);

/* Whether the step stands in for one that has come to nothing, and so is needed. */
bool saga_stand_in_needed(const struct saga *s, unsigned step);

/* Views the name of a step. */
struct bytes saga_step_name(const struct saga *s, unsigned step);

/* The declared call of a step's phase (enum saga_phase), or NULL when it has none. */
const struct call_spec *saga_step_call(const struct saga *s, unsigned step, uint8_t phase);

/* The index of the step of this name, or -1. */
int saga_step_find(const struct saga *s, struct bytes name);

bool saga_step_has_compensation(const struct saga *s, unsigned step);

/* The pivot's action is over and done with: the saga only goes forward. */
bool saga_past_pivot(const struct saga *s);

/* The pivot may have been executed, or will be. It may have been also while it is PENDING: when an operator has it tried anew. */
bool saga_at_pivot(const struct saga *s);

/* Only an answer can tell about the pivot: an attempt is out, or another one is to follow that nothing but an answer can spare. */
bool saga_pivot_awaited(const struct saga *s);

/* An instance of the pivot but for `except` (RECORD_NO_STEP: any) of which nobody can tell whether it was executed, and which has no undo; or -1. */
int saga_pivot_unknown(const struct saga *s, unsigned except);

/* Whether there are attempts of actions or compensations (enum saga_phase) whose end is not recorded. */
bool saga_call_is_out(const struct saga *s, uint8_t phase);

/* Compensations may leave: the saga is COMPENSATING, or STUCK on the way back while branches beside the stuck one go on. */
bool saga_undoing(const struct saga *s);

bool saga_undone_by_dependency(const struct saga *s);

/* Whether this step is to be attempted again at its next_at. */
bool saga_step_waits(const struct saga *s, unsigned step);

/* For the two below. */
bool saga_failed_step_over(const struct saga *s, unsigned step);
bool saga_unknown_step_undone_early(const struct saga *s, unsigned step);

/* The step is in nobody's way: what comes after it may start, and the saga may be committed. Asked of every step at every event, so what is
 * rare is asked last. */
static inline bool saga_step_over(const struct saga *s, unsigned step)
{
    uint8_t action = s->steps[step].action;
    if (action == SAGA_ACTION_DONE || action == SAGA_ACTION_SKIPPED)
        return true;
    return (action == SAGA_ACTION_REJECTED || action == SAGA_ACTION_UNKNOWN) && saga_failed_step_over(s, step);
}

/* A step of unknown outcome whose failure turns no saga back, and that has a compensation, is undone before what comes after it starts. */
static inline bool saga_step_undone_early(const struct saga *s, unsigned step)
{
    return s->steps[step].action == SAGA_ACTION_UNKNOWN && saga_unknown_step_undone_early(s, step);
}

/* Whether this step is what keeps a STUCK saga. */
bool saga_step_stuck(const struct saga *s, unsigned step);

/* Whether this step is an undo that is still to be made, or an action past the pivot, and no attempt of it is out: nothing but a person can
 * spare it. */
bool saga_step_must_be_made(const struct saga *s, unsigned step);

/* Ends the process unless the saga, or one step of it, is sound: what an engine may hold between two events. */
void saga_check(const struct saga *s);
void saga_check_step(const struct saga *s, unsigned step);

#endif
