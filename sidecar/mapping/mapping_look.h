/* mapping_look.h - what a mapping is made of, for those who judge a definition. Views for the mapping's life. */
#ifndef SAGA_MAPPING_MAPPING_LOOK_H
#define SAGA_MAPPING_MAPPING_LOOK_H

#include "sidecar/expression/expression.h"
#include "sidecar/mapping/mapping.h"

enum mapping_part {
    MAPPING_LET,
    MAPPING_REQUIRE,
    MAPPING_TAG,
    MAPPING_EACH, /* the list of a loop */
    MAPPING_WHEN,
    MAPPING_TARGET, /* which of several it goes to */
    MAPPING_KEY,    /* under which its good answers are kept */
    MAPPING_EXPECT,
    MAPPING_METADATA,
    MAPPING_ACTION,
    MAPPING_COMPENSATION,
    MAPPING_OUTPUT, /* what those who wait are given */
};

struct mapping_seen {
    enum mapping_part part;
    unsigned index;    /* of the name under let, of the requirement, of the tag; else of the step */
    struct bytes name; /* of a let */
    /* An expression: its text, without the sign before it; NULL for a field of a request alone. */
    const struct expression *expression;
    struct bytes text;
    /* The field of a request that it, or a literal, sets; NULL when it is the whole request, or no part of one. */
    const struct field *field;
};

/* In the order in which they were read. */
void mapping_look(const struct mapping *m, void (*seen)(void *self, const struct mapping_seen *what), void *self);

/* Variables by their indices in the expressions' environment. */
unsigned mapping_input(void);
unsigned mapping_own_output(void);
unsigned mapping_own_outcome(void);
unsigned mapping_step_output(unsigned step);
unsigned mapping_step_outcome(unsigned step);
unsigned mapping_let(const struct mapping *m, unsigned let);

/* Whether it is another for each saga, whatever its input is. */
bool mapping_of_one_saga(const struct expression *e);

/* Whether the step has a condition. */
bool mapping_has_when(const struct mapping *m, unsigned step);

#endif
