/* call_reader.h - reads one call of a participant, as a step of a definition declares it. */
#ifndef SAGA_DEFINITION_CALL_READER_H
#define SAGA_DEFINITION_CALL_READER_H

#include "sidecar/definition/reader.h"
#include "sidecar/definition/yaml_tree.h"

/* What is known of the call's surroundings: steps have their names and ancestors already. All borrowed. */
struct call_reader {
    const struct definition *definition;
    uint16_t step; /* that the call belongs to */
    const struct definition_limits *limits;
    struct yaml_tree *tree; /* gives room to constants */
    struct error_detail *detail;
};

/* Reads an action or a compensation. step holds the target, timeout and retry for both calls of the step, where they
 * are declared once; n is the call itself, a mapping or just a method. *call is zeroed by the caller, its texts become
 * views into the tree. */
int call_read(const struct call_reader *r, const struct yaml_node *step, const struct yaml_node *n,
              bool is_compensation, struct call_spec *call);

/* Reads what stands in for the output of a call, of which *call is a copy: it is said as a request is, of the answer's type. */
int call_read_value(const struct call_reader *r, const struct yaml_node *n, struct call_spec *call);

/* Reads the name of a step of d. */
int call_read_step(const struct definition *d, const struct yaml_node *n, uint16_t *step, struct error_detail *detail);

/* Once both calls of a step have been read: the targets among which it chooses, if it does. */
int call_read_choices(const struct call_reader *r, const struct yaml_node *step, struct step_spec *spec);

#endif
