/* remedy.h - one rule of remediation: when something is to be done, and whether that has made things better. Pure: it is told the time and what is
 * so, and says what to do. One owner, no locks.
 *
 * A rule acts when its question has been true for long enough, at most so often, and not again before its last act has been judged: when the share
 * of what went well in the time after it (`settle`) is smaller than in as long before, the rule is worse than nothing, and disarms itself. What it
 * decides is an order until somebody says what came of it. */
#ifndef SAGA_REMEDY_REMEDY_H
#define SAGA_REMEDY_REMEDY_H

#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/memory.h"

#include <stdbool.h>

#define REMEDY_WHEN_BYTES_MAX 2048

struct remedy;

struct remedy_options {
    const char *when; /* borrowed for the call */
    bool acts;        /* else it says what it would do */
    bool judged;      /* what it does can be for better or worse */
    bool holds;       /* what it does goes on until it is taken back: it is not done twice */
    bool undone;      /* what it does can be taken back */
    struct span lasts, every, settle;
};

/* What is so now, of all loops together; what a question sees has the same name. */
struct remedy_facts {
    uint64_t deadletters; /* of the rule's definition; without one, of all */
    struct span oldest_deadletter;
    uint64_t live;
    double burn_5m, burn_1h, burn_6h; /* the worst of the definition's objectives; 0: it has none */
    bool has_target;                  /* without, what follows is absent */
    const char *breaker;              /* "CLOSED", "OPEN", "HALF_OPEN": of loops the worst; borrowed for the call */
    struct span breaker_open_for;     /* 0: it is closed */
    struct span unreachable_for;      /* 0: it can be reached */
    uint64_t attempts, failed;        /* of the target, in the last five minutes */
    uint64_t all, good;               /* what the rule is judged by, counted since some time */
    bool held;                        /* what a rule that holds has done is so, or that is not known */
};

/* What is decided, and to be asked for, or was, and has not been answered. */
enum remedy_order { REMEDY_ORDER_NONE, REMEDY_ORDER_ACT, REMEDY_ORDER_UNDO };

/* What must outlive the process. */
struct remedy_mark {
    bool disarmed;
    bool pending;    /* its last act is not judged yet */
    bool held;       /* what it did goes on */
    bool taken_back; /* its last act, or it was none: it is not taken back again */
    uint8_t order;   /* enum remedy_order: is asked for again after a restart */
    uint64_t acts;   /* how often it has acted, or would have */
    struct instant acted_at;
    uint64_t before_all, before_good; /* in `settle` before its last act */
    uint64_t at_all, at_good;         /* counted when it acted */
};

enum remedy_verdict {
    REMEDY_NOTHING,
    REMEDY_WOULD,  /* it would act, and is to say so */
    REMEDY_ACT,    /* the mark has changed: it is to be durable first */
    REMEDY_WORSE,  /* likewise; what it did is taken back, where that can be */
    REMEDY_JUDGED, /* likewise; its last act did no harm */
    REMEDY_LOOSED, /* likewise; somebody else took back what it did */
    REMEDY_LATE /* likewise; its act has found no answer for so long that it is not asked for again, but taken back */
};

/* Reads the rule. On success *out must be destroyed. memory is borrowed for its life. Returns 0, E_ARGUMENT with what is wrong with `when`, or E_MEMORY. */
int remedy_create(const struct remedy_options *options, const struct memory *memory, struct remedy **out,
                  struct error_detail *detail);
/* Accepts NULL. */
void remedy_destroy(struct remedy *r);

/* Takes up what a former process left. */
void remedy_restore(struct remedy *r, const struct remedy_mark *mark);
/* View for the rule's life. */
const struct remedy_mark *remedy_mark(const struct remedy *r);
/* Since when its question has been true; 0: it is not. And why it could not be answered; "": it could. */
struct instant remedy_true_since(const struct remedy *r);
const char *remedy_trouble(const struct remedy *r);

/* Looks at what is so. */
enum remedy_verdict remedy_look(struct remedy *r, const struct remedy_facts *facts, struct instant now);

/* A person arms it again. */
void remedy_arm(struct remedy *r);
/* What it did last is taken back, where that can be and has not been, and it is disarmed. */
void remedy_take_back(struct remedy *r);

/* What was asked for has come to its end: it is done, or it was not, and never will be; act: the number of acts when it was asked for. Returns whether
 * that is news: another order may have taken its place. */
bool remedy_answered(struct remedy *r, enum remedy_order order, uint64_t act, bool done);

#endif
