/* rehearse_inside.h - a rehearsal, and one run of it. */
#ifndef SAGA_REHEARSE_REHEARSE_INSIDE_H
#define SAGA_REHEARSE_REHEARSE_INSIDE_H

#include "sidecar/base/random.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/engine.h"
#include "sidecar/engine/saga.h"
#include "sidecar/rehearse/rehearse.h"

#include <stdarg.h>

/* Calls of which the outcome is chosen in one run. */
#define CHOICES_MAX 600

enum outcome { OUTCOME_WELL, OUTCOME_REFUSED, OUTCOME_LOST, OUTCOME_LATE, OUTCOME_EMPTY };

struct rehearsal {
    struct definition *d;
    const struct rehearse_options *options;
    struct bytes outputs[STEPS_LIMIT]; /* what each action answers when it answers something */
};

struct run {
    /* Choices: the first `prefix` are given, the others are 0; or all are drawn. */
    uint8_t choices[CHOICES_MAX], ways[CHOICES_MAX];
    unsigned prefix, choice_count;
    struct random *random;
    void (*plan)(void *self, const struct rehearse_call *call);
    void *plan_self;
    /* What came of it. */
    struct step_set reached; /* steps that were called or skipped */
    struct span lasted;
    char trace[REHEARSE_TRACE_SIZE];
    char why[224]; /* an expression failed */
    /* Told of the saga at its end, before the world goes. */
    void (*ended)(void *self, const struct saga *s);
    void *self;
};

/* 0, the code with which the start was refused, or E_MEMORY. */
int world_run(const struct rehearsal *r, struct run *run, struct error_detail *detail);

#endif
