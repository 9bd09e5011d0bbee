/* model.h - a definition as the engine sees it: read, checked, immutable.
 *
 * Made by definition/reader.h from YAML, or by hand in tests. One allocation holds it all; every pointer points into it. */
#ifndef SAGA_DEFINITION_MODEL_H
#define SAGA_DEFINITION_MODEL_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/step_set.h"

#include <stdbool.h>
#include <stdint.h>

/* The bounds of a retry policy, whoever wrote it: YAML, a request, a record. */
#define RETRY_ATTEMPTS_MAX            1000
#define RETRY_BACKOFF_MIN             SPAN_MS(1)
#define RETRY_BACKOFF_MAX             SPAN_S(24 * 3600)
#define RETRY_MULTIPLIER_PERMILLE_MIN 1000
#define RETRY_MULTIPLIER_PERMILLE_MAX 100000
#define RETRY_JITTER_PERMILLE_MAX     1000

#define NAME_BYTES_MAX      128 /* of a definition */
#define STEP_NAME_BYTES_MAX 64  /* of a step or a target */
#define METHOD_BYTES_MAX    256 /* of a full gRPC method name */

/* Names follow the retryPolicy of a gRPC service config. Ratios are in thousandths, so that every compiler computes the same. */
struct retry_policy {
    struct span initial_backoff; /* at most max_backoff */
    struct span max_backoff;
    uint32_t backoff_multiplier_permille;
    uint32_t jitter_permille;
    uint32_t retryable_status_codes; /* bit n is status n */
    uint16_t max_attempts;           /* the first included */
};

/* Whether every number of a policy is within its bounds. */
static inline bool retry_policy_valid(const struct retry_policy *p)
{
    return p->max_attempts >= 1 && p->max_attempts <= RETRY_ATTEMPTS_MAX &&
           p->initial_backoff.us >= RETRY_BACKOFF_MIN.us && p->max_backoff.us >= p->initial_backoff.us &&
           p->max_backoff.us <= RETRY_BACKOFF_MAX.us &&
           p->backoff_multiplier_permille >= RETRY_MULTIPLIER_PERMILLE_MIN &&
           p->backoff_multiplier_permille <= RETRY_MULTIPLIER_PERMILLE_MAX &&
           p->jitter_permille <= RETRY_JITTER_PERMILLE_MAX;
}

static inline bool retry_policy_equal(const struct retry_policy *a, const struct retry_policy *b)
{
    return a->max_attempts == b->max_attempts && a->initial_backoff.us == b->initial_backoff.us &&
           a->max_backoff.us == b->max_backoff.us && a->backoff_multiplier_permille == b->backoff_multiplier_permille &&
           a->jitter_permille == b->jitter_permille && a->retryable_status_codes == b->retryable_status_codes;
}

/* What a call takes where its definition says nothing. */
struct retry_defaults {
    struct retry_policy action;
    struct retry_policy compensation; /* and of an action past the pivot */
};

/* Of sidecar/message/schema.h. */
struct schema;
struct message_type;
struct method_type;
/* Of sidecar/mapping/mapping.h. */
struct mapping;

enum request_source {
    REQUEST_INPUT = 0,      /* the saga's input */
    REQUEST_CONSTANT = 1,   /* bytes of the definition */
    REQUEST_OUTPUT = 2,     /* the output of an earlier step */
    REQUEST_OWN_OUTPUT = 3, /* of a compensation: its own action's output; empty when the outcome is unknown */
    REQUEST_MAPPED = 4,     /* what the definition's mapping makes of the input and of outputs */
};

/* Whether the participant refuses an action whose undo has been there, so that an undo need not wait for an attempt that may still run. */
enum call_barrier {
    BARRIER_UNSAID = 0, /* as its target */
    BARRIER_NONE = 1,
    BARRIER_THERE = 2,
};

/* Who has more turns at a target for which many wait. */
enum call_priority {
    PRIORITY_UNSAID = 0, /* of a start: as its definition; of a definition: NORMAL */
    PRIORITY_LOW = 1,
    PRIORITY_NORMAL = 2,
    PRIORITY_HIGH = 3,
};

/* One call of a participant, as declared. */
struct call_spec {
    const char *target;  /* a name from `targets` in sagad.yaml */
    const char *method;  /* "/package.Service/Method" */
    struct span timeout; /* of one attempt; 0 takes the target's default */
    struct retry_policy retry;
    int target_index; /* of that target in the engine, set by engine_resolve; -1: not resolved, or no such target */
    enum request_source source;
    uint16_t source_step;             /* with REQUEST_OUTPUT */
    uint8_t barrier;                  /* enum call_barrier; of an action */
    bool not_idempotent;              /* said: its participant may do it twice when it is called twice */
    struct bytes constant;            /* with REQUEST_CONSTANT */
    const struct method_type *called; /* as the schema declares it; NULL in a definition without types */
};

/* The most targets among which one is chosen. */
#define TARGET_CHOICES_MAX 16

/* A step's calls, with one of the targets that it may go to. */
struct call_choice {
    const char *name; /* as oneof has it; a call that names a target of its own goes there all the same */
    struct call_spec action;
    struct call_spec compensation;
};

/* What stands in for a step whose action came to nothing: a step of its own, right behind it. */
enum stand_in {
    STAND_IN_NONE = 0,      /* it is a step as any other */
    STAND_IN_CALL = 1,      /* another call, with an undo of its own */
    STAND_IN_VALUE = 2,     /* what the definition says takes the place of an output: nobody is called */
    STAND_IN_LAST_GOOD = 3, /* an earlier good answer does, of another saga perhaps: nobody is called */
};

struct step_spec {
    const char *name;
    bool loop;                 /* for_each: the saga has an instance of it for each item, each a step of its own */
    uint16_t max_items;        /* of a loop: a saga with more is not started */
    uint16_t max_parallel;     /* of a loop: so many instances at once */
    struct step_set after;     /* the steps it waits for, directly */
    struct step_set ancestors; /* the same, transitively */
    bool pivot;
    bool has_compensation;
    bool
        optional; /* its failure does not turn the saga back; an unknown outcome is undone before what comes after it starts */
    struct span reserve;  /* of its saga's deadline, for the steps after it: its own attempts end that much earlier */
    uint8_t stand_in;     /* enum stand_in: it is the fallback of the step before it, and begins when that has failed */
    bool has_fallback;    /* the step behind it is its fallback */
    struct span max_age;  /* STAND_IN_LAST_GOOD: how old the answer may be */
    const char *kept_as;  /* likewise: the name under which answers are kept; NULL: the definition's and the step's */
    const char *kept_key; /* likewise: their key, where that is a text; NULL: the mapping computes it */
    bool deferred;        /* it begins when everything else is done, and nobody need wait for it */
    bool in_haste;        /* its action does not wait for a target that takes no calls now */
    bool none_said;       /* `compensation: none`: it was not forgotten */
    bool irreversible;    /* said: nothing undoes it */
    struct call_spec action;
    struct call_spec compensation;
    uint16_t
        choice_count; /* of `target: {oneof: ...}`: a saga goes to one of so many, which it chooses when the step begins; 0: there is no choice */
    struct call_choice *choices; /* in the order of oneof; the calls above are as the first */
};

enum compensation_order {
    ORDER_REVERSE = 0,    /* one after another, in reverse of the actions' start */
    ORDER_DEPENDENCY = 1, /* branches with no path between them side by side */
};

struct definition {
    uint32_t number; /* within one journal, from 1; 0 until registered */
    const char *name;
    const char *version;  /* semantic, as in "1.4.0" */
    struct span deadline; /* of the saga; 0 when it has none */
    enum compensation_order order;
    uint16_t step_count; /* 1 to STEPS_LIMIT */
    uint16_t loop_count; /* how many of them are loops */
    bool reserves;       /* a step of it reserves a part of the deadline */
    bool forward_only;   /* the saga never turns back: every step is like one past a pivot, and there is none */
    uint32_t family;     /* of all definitions of this name, in the engine, from 1; set by engine_resolve; 0: none */
    uint8_t priority;    /* enum call_priority, of its sagas' calls */
    const char
        *fair_by;   /* a tag: among those who wait for a target, its value has turns; NULL: the definition's name */
    int pivot_step; /* index, or -1. Every other step is an ancestor or a descendant of it. */
    struct step_spec *steps;
    struct bytes source;         /* the YAML text */
    struct retry_defaults retry; /* with which it was read */

    /* What a typed definition knows of its messages; without a schema all of it is NULL. The types live as long as the schema, which outlives
     * the definition. */
    const char *schema_name;
    const char
        *schema_hash; /* of the set of descriptors that it is pinned to; NULL when they are not at hand (to lint) */
    const struct schema *schema; /* NULL when they are not at hand */
    const char *input_name;      /* full name of the input's type, or NULL: any bytes */
    const struct message_type *input;
    const struct message_type *output; /* of what those who wait for a saga are given; NULL: nothing */
    bool tagged;                       /* its sagas have tags */
    struct mapping *mapping; /* what it computes; NULL when it computes nothing, or the types are not at hand */
};

/* The index of the step of this name, or -1. */
int definition_step_find(const struct definition *d, struct bytes name);

/* Where a step of a saga stands in its definition. A saga's steps are its definition's, in order, each loop's instances in its place. */
struct step_place {
    uint16_t step;
    int16_t instance; /* of a loop, from 0; -1: it is none */
};

/* counts: how many instances each of the definition's loops has, in their order, two bytes each, the lower first. False when the saga has no such
 * step, or the counts are not this definition's. */
bool definition_place(const struct definition *d, struct bytes counts, unsigned index, struct step_place *place);

/* How many steps a saga with these counts has; -1 when they are not this definition's, or it has more than STEPS_LIMIT. */
int definition_step_total(const struct definition *d, struct bytes counts);

/* "reserve", "reserve[3]", with a NUL; returns the length. */
size_t definition_place_name(const struct definition *d, struct step_place place, char name[STEP_NAME_BYTES_MAX + 1]);

/* Whether the failure of the step turns no saga back: it is passed over, or something stands in for it. */
static inline bool step_spec_yields(const struct step_spec *s)
{
    return s->optional || s->has_fallback;
}

/* The bounds of what a key is, and of an answer's age. */
#define LAST_GOOD_KEY_BYTES_MAX 256
#define LAST_GOOD_AGE_MIN       SPAN_S(1)

/* Whether the step's action is a call. */
static inline bool step_spec_asks(const struct step_spec *s)
{
    return s->stand_in <= STAND_IN_CALL;
}

/* Where the step stands in the text: "steps[2]", of a fallback "steps[2].fallback"; with a NUL. */
#define STEP_PATH_SIZE 200
void definition_step_path(const struct definition *d, unsigned step, char path[STEP_PATH_SIZE]);

/* The k-th target that a call of the step may go to; NULL behind the last, or when it has no such call. */
const char *step_spec_target(const struct step_spec *s, bool compensation, unsigned k);

/* Whether any call of the step may go to this target. */
bool step_spec_calls(const struct step_spec *s, const char *target);

/* Whether the step comes after the point of no return, so that it can only go forward. */
bool definition_step_forward_only(const struct definition *d, unsigned step);

#endif
