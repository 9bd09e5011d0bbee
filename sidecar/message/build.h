/* build.h - builds a message on the wire, field by field, in a pool. Pure. What goes wrong is kept and told at the end, so that callers need
 * not ask after every field. */
#ifndef SAGA_MESSAGE_BUILD_H
#define SAGA_MESSAGE_BUILD_H

#include "sidecar/base/pool.h"
#include "sidecar/message/schema.h"

struct builder {
    struct pool *pool; /* borrowed */
    uint8_t *at;
    size_t size, room;
    size_t bytes_max;
    int code; /* 0, or why it failed */
};

void builder_init(struct builder *b, struct pool *pool, size_t bytes_max);

/* The message as a view into the pool. 0, E_PAYLOAD when it would be over bytes_max or the pool's own bound, or E_MEMORY. */
int builder_finish(struct builder *b, struct bytes *wire);

/* One value with its tag. Of a field without presence, zero is left out, as protobuf's own libraries do; of a repeated one it is not. v is of
 * f's class; an integer fits f's kind (CHECK). Of a message, v->text is its fields on the wire. */
void build_field(struct builder *b, const struct field *f, const struct value *v);

/* A message, a map's entry or packed values, piece by piece: what is built until build_close is within. Gives the mark for build_close. */
size_t build_open(struct builder *b, const struct field *f);
void build_close(struct builder *b, size_t mark);

/* One value without its tag, between build_open and build_close of a packed field. */
void build_packed(struct builder *b, const struct field *f, const struct value *v);

/* Fields on the wire, as they stand. */
void build_raw(struct builder *b, struct bytes wire);

#endif
