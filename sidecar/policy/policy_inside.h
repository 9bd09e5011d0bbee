/* policy_inside.h - what a policy holds. */
#ifndef SAGA_POLICY_POLICY_INSIDE_H
#define SAGA_POLICY_POLICY_INSIDE_H

#include "sidecar/base/pool.h"
#include "sidecar/expression/expression.h"
#include "sidecar/policy/policy.h"

/* The variables of all rules. */
enum { VARIABLE_DEFINITION, VARIABLE_STEP, VARIABLE_TARGETS, VARIABLE_COUNT };

struct policy_rule {
    const char *id;
    bool error;
    const struct expression *that;
    const char *otherwise;
    bool of_steps;   /* it is asked of every step */
    bool of_targets; /* it asks what targets there are */
};

struct waiver {
    const char *rule, *definition, *step; /* step NULL: all */
    const char *reason;
    struct instant until; /* its last day's end */
};

struct policy {
    const struct memory *memory;
    struct pool pool;
    struct bytes text;     /* that it was read from */
    struct schema *schema; /* of the model */
    const struct message_type *definition, *step, *target;
    struct variable variables[VARIABLE_COUNT];
    struct policy_rule *rules;
    struct waiver *waivers;
    unsigned rule_count, waiver_count;
};

/* The model of a definition, of one of its steps, and of a target, on the wire: in the pool. E_MEMORY or 0. */
int model_definition(const struct definition *d, struct pool *pool, struct bytes *wire);
int model_step(const struct definition *d, unsigned step, unsigned choice, struct pool *pool, struct bytes *wire);
int model_target(const struct participant *t, struct pool *pool, struct bytes *wire);

#endif
