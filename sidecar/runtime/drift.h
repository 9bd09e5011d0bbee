/* drift.h - what targets tell of their messages: for those who ask, and compared with what definitions were registered with. Of loop 0. */
#ifndef SAGA_RUNTIME_DRIFT_H
#define SAGA_RUNTIME_DRIFT_H

#include "sidecar/base/instant.h"
#include "sidecar/base/sha256.h"

#include <stdbool.h>
#include <stdint.h>

struct error_detail;
struct loop;
struct schema;

/* Of one target, as it was compared last. */
struct drift_target {
    struct instant at;    /* 0: it never was */
    uint32_t breaks;      /* what a saga would stumble over */
    uint32_t definitions; /* that there were */
    bool failed;          /* it could not be asked */
    char hash[SHA256_TEXT_SIZE];
};

enum drift_phase { DRIFT_RESTS, DRIFT_NEXT, DRIFT_ASKS, DRIFT_COMPARES };

struct drift {
    struct instant next; /* when there is something to do; 0: at once */
    enum drift_phase phase;
    unsigned target;              /* in work */
    uint32_t definition;          /* the next to compare, by its index in the catalog */
    uint32_t breaks;              /* so far */
    struct schema *schema;        /* owned: of the target in work */
    struct drift_target *targets; /* owned; LOOP_TARGETS_MAX; NULL: nothing was compared yet */
    uint32_t asked;               /* requests of others so far */
};

/* As in api_options. */
int drift_reflect(void *self, const char *target, char *const *services, unsigned count, uint32_t *number,
                  struct error_detail *detail);

/* Goes on comparing, for a few milliseconds, every schema_drift_interval. */
void drift_turn(struct loop *s);

/* How a target was found last; NULL: it was not. */
const struct drift_target *drift_of(const struct loop *s, unsigned target);

void drift_finish(struct loop *s);

#endif
