/* drill.h - faults that are injected on purpose, for a drill: of the calls that a rule is about so many in a hundred are delayed, aborted, lost or
 * repeated, until its time is over. Pure: the caller tells the time, and whom a call is for. Owns nothing; the caller embeds it. One owner, no locks. */
#ifndef SAGA_RESILIENCE_DRILL_H
#define SAGA_RESILIENCE_DRILL_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/random.h"

#include <stdbool.h>

/* Numbers are in the journal: add at the end, never change or reuse one. */
enum drill_kind {
    DRILL_NONE = 0,
    DRILL_DELAY = 1,        /* the call leaves later */
    DRILL_ABORT = 2,        /* it does not leave, and counts as answered with a status */
    DRILL_DROP_REQUEST = 3, /* it does not leave, and nothing comes back until its time is over */
    DRILL_DROP_ANSWER = 4,  /* its answer is thrown away, as if the connection had been lost */
    DRILL_DUPLICATE = 5,    /* it leaves twice, one after the other */
    DRILL_REORDER = 6,      /* it leaves behind the next call to its target, or after the delay */
    DRILL_KIND_COUNT
};

#define DRILL_TARGET_BYTES_MAX     64
#define DRILL_DEFINITION_BYTES_MAX 128
#define DRILL_TAG_BYTES_MAX        256
#define DRILL_RULES_MAX            32

/* What is empty, or 0, matches everything. */
struct drill_rule {
    char target[DRILL_TARGET_BYTES_MAX + 1];
    char definition[DRILL_DEFINITION_BYTES_MAX + 1];
    char tag[DRILL_TARGET_BYTES_MAX + 1], tag_value[DRILL_TAG_BYTES_MAX + 1];
    uint8_t phase;        /* enum saga_phase */
    uint8_t kind;         /* enum drill_kind */
    uint8_t status;       /* ABORT: gRPC status, not OK */
    uint32_t permille;    /* of the calls */
    struct span delay;    /* DELAY, REORDER */
    struct instant until; /* from then on it does nothing */
};

struct drill {
    struct drill_rule rules[DRILL_RULES_MAX];
    uint32_t count;
};

/* Whom a call is for. Views. */
struct drill_subject {
    const char *target;
    struct bytes definition;
    struct bytes tags; /* packed, as in sidecar/base/texts.h */
    uint8_t phase;
};

/* What stands here from now on: at most DRILL_RULES_MAX, copied. */
void drill_set(struct drill *d, const struct drill_rule *rules, uint32_t count);

/* The rule that strikes a call which leaves now: the first that is about it, and whose chance it is; NULL: none. Valid until drill_set. */
const struct drill_rule *drill_draw(const struct drill *d, const struct drill_subject *subject, struct instant now,
                                    struct random *random);

/* "delay", "abort"; "" for DRILL_NONE and for numbers outside the table. And back; DRILL_NONE: there is no such word. */
const char *drill_kind_name(uint8_t kind);
uint8_t drill_kind_of(struct bytes name);

#endif
