/* rehearse.h - a definition in the real engine and a made-up world: nothing is called. Every call ends in every way, in small scope: with no
 * outcome out of the ordinary, with one, with two, and so on, so that what is found has the shortest story first. Pure but for memory. */
#ifndef SAGA_REHEARSE_REHEARSE_H
#define SAGA_REHEARSE_REHEARSE_H

#include "sidecar/base/error.h"
#include "sidecar/base/memory.h"
#include "sidecar/definition/participants.h"
#include "sidecar/lint/lint.h"

#define REHEARSE_TRACE_SIZE   1600
#define REHEARSE_FINDINGS_MAX 100

struct rehearse_options {
    struct bytes input;      /* of the saga; of the input's type, when there is one */
    unsigned deviations_max; /* outcomes out of the ordinary in one run, at most */
    unsigned runs_max;       /* of which more is left to chance: then so many runs are drawn by seed */
    uint64_t seed;
    unsigned
        drawn_runs; /* so many drawn by seed, after the one in which all goes well, and no others; 0: those above */
    struct participants targets; /* for how long an attempt takes that is lost */
    const struct memory *memory; /* borrowed */
};

struct rehearse_finding {
    const char *rule; /* "left-behind": one of rehearse_rules */
    enum lint_severity severity;
    int step; /* -1: of the saga */
    char text[224];
    char trace[REHEARSE_TRACE_SIZE]; /* what happens, a line each; "" when there is nothing to tell */
};

/* An end that can be reached: COMMITTED, COMPENSATED, or STUCK for a reason at a step. */
struct rehearse_end {
    uint8_t state;  /* enum saga_state */
    uint8_t reason; /* of STUCK, or why it turned back; enum saga_reason */
    int step;       /* -1: none */
    unsigned runs;
    struct span longest;
};

#define REHEARSE_ENDS_MAX 64

/* When there are more findings, it is the milder ones that have no room: an error is lost to other errors alone. */
struct rehearse_report {
    unsigned runs;
    bool drawn; /* there were too many ways for all of them */
    unsigned end_count;
    struct rehearse_end ends[REHEARSE_ENDS_MAX];
    unsigned count;
    struct rehearse_finding findings[REHEARSE_FINDINGS_MAX];
};

/* What each call is sent when all goes well, in order. */
struct rehearse_call {
    unsigned step;    /* of the definition */
    const char *name; /* "reserve", "reserve[1]" */
    const char *target;
    bool compensation;
    struct bytes request;
};

/* Rehearses. d is resolved here; its number is set. plan (may be NULL) is told of the calls of the first run, in which all goes well. Returns 0;
 * E_REQUIRED or E_EXPRESSION when the saga would not start with this input (detail says why); or E_MEMORY. */
int rehearse(struct definition *d, const struct rehearse_options *options,
             void (*plan)(void *self, const struct rehearse_call *call), void *self, struct rehearse_report *report,
             struct error_detail *detail);

/* A message of this type in which everything is set to something: texts to their field's name, numbers to 1, its own
 * lists to two items, so that of a loop one may fail when another is done. A type that would
 * become larger than 16 KiB has less within it, or is empty. In the pool; 0 or E_MEMORY. */
struct pool;
int rehearse_example(const struct message_type *type, struct pool *pool, struct bytes *wire);

#endif
