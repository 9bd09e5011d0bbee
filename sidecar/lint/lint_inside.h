/* lint_inside.h - what the judges share. */
#ifndef SAGA_LINT_LINT_INSIDE_H
#define SAGA_LINT_LINT_INSIDE_H

#include "sidecar/definition/yaml_value.h"
#include "sidecar/lint/lint.h"

/* What a comment in a line allows. */
struct lint_allowance {
    int16_t rule; /* -1: nothing */
    bool alone;   /* nothing else stands in the line, so that it is about the next one too */
};

struct lint {
    const struct definition *d;
    const struct participants *participants;
    const struct yaml_node *root;
    const struct yaml_node *steps[STEPS_LIMIT]; /* the nodes of the steps */
    struct lint_allowance *allowances;          /* of each line */
    size_t line_count;
    struct lint_report *report;
};

/* A finding at a node, or at its key; nothing when a comment allows it. */
void lint_found(struct lint *l, enum lint_rule rule, const struct yaml_node *n, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void lint_found_key(struct lint *l, enum lint_rule rule, const struct yaml_node *n, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What a step's call is written as: its action, or its compensation. */
const struct yaml_node *lint_call(const struct lint *l, unsigned step, bool compensation);

/* The call's own value of a key, else its step's; else the call. */
const struct yaml_node *lint_said(const struct lint *l, unsigned step, bool compensation, const char *key);

/* Whether the step may be undone: it comes before the pivot, or there is none. */
bool lint_before_pivot(const struct definition *d, unsigned step);

/* The longest that the waits between all attempts may come to. */
struct span lint_waits(const struct retry_policy *retry);

void lint_steps(struct lint *l);
void lint_times(struct lint *l);
void lint_typed(struct lint *l);

#endif
