/* breaker.h - the circuit breaker of one target: when what comes back from it is mostly failure, or mostly slow, nothing leaves for a while.
 * Then a few probes do, and more for each that comes back well, until it is closed again. Pure: the caller tells the time. Owns nothing; the
 * caller embeds it. One owner, no locks.
 *
 *            enough calls in the window, too many failed or slow
 *   CLOSED ------------------------------------------------------> OPEN <--------.
 *      ^                                                             |            |
 *      | as many good answers as the window                          | its time   | too many of those that came back
 *      | takes to be judged                                          v is over    | failed or were slow: twice as long
 *      `------------------------------------------------------- HALF_OPEN --------'
 *
 * The mark is what must outlive the process; that OPEN becomes HALF_OPEN follows from the time. What is counted starts anew. */
#ifndef SAGA_RESILIENCE_BREAKER_H
#define SAGA_RESILIENCE_BREAKER_H

#include "sidecar/base/instant.h"

#include <stdbool.h>

enum breaker_state { BREAKER_CLOSED = 1, BREAKER_OPEN = 2, BREAKER_HALF_OPEN = 3 };

struct breaker_options {
    struct span window; /* that is looked back */
    uint32_t
        volume; /* the least number of calls in it that is judged; and of good answers that close; at least probes */
    uint32_t failure_percent; /* of them that may fail before it opens; 0: it never opens for that */
    uint32_t slow_percent;    /* likewise, that may be slow */
    struct span slow_call;    /* from which on one is slow */
    uint32_t status_codes;    /* bit n: gRPC status n is a failure */
    struct span open;         /* how long it is open at first; twice as long each time that it opens again, */
    struct span open_max;     /* up to this */
    uint32_t probes;          /* out at once, to begin with; at least 1 */
};

/* What must outlive the process. */
struct breaker_mark {
    bool open;                 /* or half-open, after open_until */
    bool held;                 /* open until a person says otherwise */
    uint32_t openings;         /* in a row, without being closed in between */
    struct instant opened_at;  /* 0: never */
    struct instant open_until; /* while it is open */
};

struct breaker_counts {
    uint32_t calls, failed, slow;
};

#define BREAKER_SLICES 10

struct breaker {
    struct breaker_options options;
    struct breaker_mark mark;
    struct breaker_counts slices[BREAKER_SLICES], window; /* the window, in slices of time; and their sum */
    unsigned slice;                                       /* that is counted in */
    struct instant slice_ends;
    struct breaker_counts probed; /* since it became half-open */
    uint32_t probes_out;
};

/* What came of a call that left. */
enum breaker_outcome {
    BREAKER_NOTHING, /* it never left after all, or nobody can tell */
    BREAKER_ANSWERED,
    BREAKER_FAILED,
};

/* The options from now on; with no window, none but a person opens it. What was counted, and whether it is open, stays. Zeroed, a breaker is
 * closed. */
void breaker_set(struct breaker *b, const struct breaker_options *options);

/* Takes up what a former process left. It is open for no longer than open_max from now, whatever the clocks have done. */
void breaker_restore(struct breaker *b, const struct breaker_mark *mark, struct instant now);

enum breaker_state breaker_state(const struct breaker *b, struct instant now);

/* For the three below, which are asked for every call: a closed breaker costs next to nothing. */
bool breaker_open_admits(const struct breaker *b, struct instant now, struct instant *again);
void breaker_open_leave(struct breaker *b, struct instant now);
bool breaker_count(struct breaker *b, struct instant left_at, struct instant now, enum breaker_outcome outcome);

/* Whether a call may leave. If not, *again is when to ask again (INSTANT_NEVER: when something has come back, or a person has decided). */
static inline bool breaker_admits(const struct breaker *b, struct instant now, struct instant *again)
{
    *again = INSTANT_NEVER;
    return !b->mark.open || breaker_open_admits(b, now, again);
}

/* A call leaves, which was admitted; and that one has come back. Returns whether the mark has changed. */
static inline void breaker_leave(struct breaker *b, struct instant now)
{
    if (b->mark.open)
        breaker_open_leave(b, now);
}

static inline bool breaker_return(struct breaker *b, struct instant left_at, struct instant now,
                                  enum breaker_outcome outcome)
{
    bool counts = b->mark.open || b->options.failure_percent > 0 || b->options.slow_percent > 0;
    return counts && breaker_count(b, left_at, now, outcome);
}

/* What this status is to it. */
enum breaker_outcome breaker_outcome(const struct breaker *b, int status);

/* A person opens it, now and for its time; holds it open; closes it, with nothing counted. */
void breaker_trip(struct breaker *b, struct instant now);
void breaker_hold(struct breaker *b, struct instant now);
void breaker_reset(struct breaker *b);

/* Ends the process unless it is sound. */
void breaker_check(const struct breaker *b);

#endif
