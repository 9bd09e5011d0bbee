/* made_scalars.h - values of fields made by chance, as they stand on the wire and in JSON, and in other words that mean the same; by nothing of what is tested
 * with them. */
#ifndef SAGA_TESTS_MADE_SCALARS_H
#define SAGA_TESTS_MADE_SCALARS_H

#include "sidecar/message/schema.h"

#define MADE_TEXT_MAX 16384

struct made_text {
    size_t size;
    char at[MADE_TEXT_MAX];
};

void made_put(struct made_text *t, const void *at, size_t size);
void made_say(struct made_text *t, const char *words);
void made_varint(struct made_text *t, uint64_t n);
/* White space of JSON, or none. */
void made_white(struct made_text *t);

struct made_scalar {
    uint64_t bits; /* as the varint, or the fixed number, has them */
    struct made_text text;
    struct made_text json, loose; /* the same in other words */
    bool zero;
};

/* The number of the wire type. */
unsigned made_wire(enum field_kind kind);

/* Any value that the field may have. */
void made_scalar(struct made_scalar *s, const struct field *f);

/* The field's tag; the value alone; both. */
void made_tag(struct made_text *t, const struct field *f, unsigned wire);
void made_value(struct made_text *t, const struct field *f, const struct made_scalar *s);
void made_field(struct made_text *t, const struct field *f, const struct made_scalar *s);

#endif
