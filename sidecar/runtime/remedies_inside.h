/* remedies_inside.h - what the files of remediation share. */
#ifndef SAGA_RUNTIME_REMEDIES_INSIDE_H
#define SAGA_RUNTIME_REMEDIES_INSIDE_H

#include "sidecar/remedy/remedy.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/webhook.h"

#define RULE_SAID_BYTES 240

/* What was counted of one objective of a rule's definition, in 5m, 1h and 6h. */
#define BURNS 3
struct burn_count {
    double promised;
    uint64_t all[BURNS], bad[BURNS];
};
#define OBJECTIVE_KINDS 4

struct rule {
    const struct config_remedy *config; /* NULL: it is in force no more, and there until its acts have been answered */
    struct remedy *remedy;
    bool by_objective; /* judged by the definition's objective of success; else by its target's attempts */
    struct remedy_facts facts;
    struct burn_count burns[OBJECTIVE_KINDS];
    char said[RULE_SAID_BYTES];
    unsigned acts_out; /* that no answer has come of */
    char name[STEP_NAME_BYTES_MAX + 1];
};

/* How a rule was left that is not in force: it goes on so when it is again. */
struct rule_left {
    struct rule_left *next;
    struct remedy_mark mark;
    char said[RULE_SAID_BYTES];
    char name[STEP_NAME_BYTES_MAX + 1];
};

struct remedies {
    struct rule **rules; /* in force */
    size_t count;
    struct rule_left *left;
    struct webhook *webhook; /* NULL: no rule pages */
    struct instant next;
    unsigned awaited;            /* answers of loops */
    bool failed;                 /* one of them was none */
    struct error_detail *detail; /* while rows are read */
};

/* ---- remedies_facts.c ---- */
/* Nothing is known yet; what a loop said is added to what is; and all loops have. */
void facts_begin(struct remedies *r);
void facts_add_status(struct remedies *r, const Saga__V1__StatusResponse *m, struct instant now);
void facts_add_objectives(struct remedies *r, const Saga__V1__ListObjectivesResponse *m);
void facts_end(struct remedies *r);
/* "deadletters=12 breaker=OPEN", what a rule's question was true of. */
void facts_write(const struct remedy_facts *f, char *text, size_t size);

/* ---- remedies_act.c ---- */
/* Does what the rule is for, or takes back what it did last; said: why. */
void remedies_act(struct loop *s, struct rule *rule, const char *said);
/* The rule is in force no more. */
void remedies_let_go(struct rule *rule);
void remedies_undo(struct loop *s, struct rule *rule, const char *said);

#endif
