/* remedies_inside.h - what the files of remediation share. */
#ifndef SAGA_RUNTIME_REMEDIES_INSIDE_H
#define SAGA_RUNTIME_REMEDIES_INSIDE_H

#include "sidecar/core/rulings.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/webhook.h"

/* What was counted of one objective of a rule's definition, in 5m, 1h and 6h. */
#define BURNS 3
struct burn_count {
    double promised;
    uint64_t all[BURNS], bad[BURNS];
};
#define OBJECTIVE_KINDS 4

struct rule {
    const struct config_remedy *config; /* NULL: in force no more, and there until its request was answered */
    struct ruling *ruling;
    bool by_objective; /* judged by the definition's objective of success; else by its target's attempts */
    struct remedy_facts facts;
    struct burn_count burns[OBJECTIVE_KINDS];
    bool kept;            /* what it decided last is durable when the journal's answer comes that is waited for */
    bool out;             /* a request of it is on its way through the loops */
    bool stirred;         /* one was, since facts were asked for: what it holds may be seen by some loops only */
    uint64_t page;        /* that is being sent; 0: none */
    uint64_t page_number; /* of the act that it is */
};

struct remedies {
    struct rule **rules; /* in force */
    size_t count;
    struct rulings *left;
    struct webhook *webhook; /* NULL: no rule pages */
    struct instant next;
    unsigned awaited; /* answers of loops */
    bool failed;      /* one of them was none */
    bool keeping;     /* the journal's answer is waited for which says that rows are durable */
    bool durable;     /* it has come: what was decided before is to be asked for */
};

/* ---- remedies_facts.c ---- */
/* Nothing is known yet; what a loop said is added to what is; and all loops have. */
void facts_begin(struct remedies *r);
void facts_add_status(struct remedies *r, const Saga__V1__StatusResponse *m, struct instant now);
void facts_add_objectives(struct remedies *r, const Saga__V1__ListObjectivesResponse *m);
void facts_end(struct remedies *r);

/* ---- remedies_act.c ---- */
/* Asks for what rules have decided, once that is durable; without a wait where nothing is decided. */
void remedies_carry_out(struct loop *s);
void remedies_ask(struct loop *s);
/* Looks what came of pages. */
void remedies_follow_pages(struct loop *s);
/* The rule is in force no more. */
void remedies_let_go(struct rule *rule);

#endif
