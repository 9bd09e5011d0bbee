/* usage_inside.h - which fields of which messages a definition uses, and where. */
#ifndef SAGA_CONTRACT_USAGE_INSIDE_H
#define SAGA_CONTRACT_USAGE_INSIDE_H

#include "sidecar/base/pool.h"
#include "sidecar/definition/model.h"
#include "sidecar/mapping/mapping_look.h"
#include "sidecar/message/schema.h"

/* Where something is used. */
struct usage_place {
    enum mapping_part part;
    unsigned index; /* as in struct mapping_seen */
};

struct message_usage {
    const struct message_type *type;
    const struct usage_place *whole;   /* all of it is used; NULL: it is not */
    const struct usage_place **fields; /* by their indices; NULL: not used */
    struct message_usage *next;
};

struct usage {
    struct pool *pool;
    struct message_usage *messages;
    bool full; /* the pool has no room */
};

/* What expressions read of the answers of steps, and what is handed on whole. */
void usage_of_answers(struct usage *u, const struct definition *d);

/* What one call is sent. */
void usage_of_request(struct usage *u, const struct definition *d, unsigned step, bool compensation);

/* Where the field, or all of its message, is used first; NULL: nowhere. */
const struct usage_place *usage_find(const struct usage *u, const struct field *f);
/* Where all of a message is used. */
const struct usage_place *usage_find_whole(const struct usage *u, const struct message_type *type);

#endif
