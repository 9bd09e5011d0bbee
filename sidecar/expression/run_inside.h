/* run_inside.h - what the parts of the evaluation share: how things fail, what they cost, texts that are built.. */
#ifndef SAGA_EXPRESSION_RUN_INSIDE_H
#define SAGA_EXPRESSION_RUN_INSIDE_H

#include "sidecar/expression/expression.h"
#include "sidecar/expression/function_inside.h"

/* A failure that `||` and `&&` may pass over. text is a constant. */
struct datum fail(struct evaluation *e, uint32_t position, const char *text);
/* about is a name of the definition, or of a type; never a value: what is said goes to who may see no payloads. */
struct datum fail_about(struct evaluation *e, uint32_t position, const char *text, struct bytes about);

/* One that ends the evaluation: a bound. */
struct datum fail_bound(struct evaluation *e, uint32_t position, const char *text);

/* The bound on memory. */
struct datum fail_memory(struct evaluation *e, uint32_t position);

extern const char no_such_overload[];
extern const char out_of_range[];

/* Adds to the cost; false when that is over its bound (then e->ended). */
bool charge(struct evaluation *e, uint64_t cost);

/* What looking at or writing so many bytes costs. */
static inline uint64_t cost_of_bytes(size_t size)
{
    return size / 16;
}

/* The same for a call. */
static inline struct datum call_fail(const struct call *c, const char *text)
{
    return fail(c->evaluation, c->position, text);
}
static inline struct datum call_memory(const struct call *c)
{
    return fail_memory(c->evaluation, c->position);
}
static inline struct datum call_mismatch(const struct call *c)
{
    return fail(c->evaluation, c->position, no_such_overload);
}
static inline bool call_is(const struct call *c, uint32_t i, enum datum_kind kind)
{
    return i < c->count && c->args[i].kind == kind;
}
static inline struct bytes call_text(const struct call *c, uint32_t i)
{
    return datum_bytes(&c->args[i]);
}

/* A text that grows in the evaluation's pool. */
struct text {
    struct evaluation *evaluation;
    uint8_t *at;
    size_t size, room;
    bool failed;
};

void text_add(struct text *t, struct bytes more);
void text_add_point(struct text *t, uint32_t point);

/* The string, or the bound that was reached. */
struct datum text_finish(const struct text *t, enum datum_kind kind, uint32_t position);

/* Whether a and b are equal, as == has it. -1: a failure, which is then in *failed. */
int datum_equal(struct evaluation *e, uint32_t position, const struct datum *a, const struct datum *b,
                struct datum *failed);

/* An optional that holds value. */
struct datum optional_of(struct evaluation *e, uint32_t position, struct datum value);

/* Whether it is its type's zero: optional.ofNonZeroValue. */
bool datum_is_zero(const struct datum *d);

/* Base64 with padding. */
struct datum bytes_as_text(struct evaluation *e, uint32_t position, struct bytes bytes);

/* Code points of a valid text. */
uint32_t text_points(struct bytes text);
/* Where the code point of this number begins; the size when it is the one behind the last. */
size_t text_offset(struct bytes text, uint32_t point);

#endif
