/* where.h - a question about sagas in the language of expressions: state == STUCK && tags.tenant == 'acme'. Read once, asked of many. Pure: it is
 * told the time, and takes memory through struct memory, within bounds. One owner, no locks. */
#ifndef SAGA_WHERE_WHERE_H
#define SAGA_WHERE_WHERE_H

#include "sidecar/base/error.h"
#include "sidecar/base/memory.h"
#include "sidecar/engine/record.h"

#define WHERE_BYTES_MAX 2048

struct where;
struct saga;

/* What a question sees of one saga. Borrowed for the call. */
struct where_view {
    struct saga_id id;
    struct bytes definition, version, request_id;
    struct bytes step;           /* on which it is stuck, else for which it turned back; empty: none */
    struct bytes tags;           /* packed */
    uint8_t mode, state, reason; /* reason: why it is stuck, else why it turned back */
    int status;                  /* gRPC status of the stuck step's last failure; -1: not known */
    bool paused, synthetic;
    bool degraded; /* it goes without something: a step is missing, stood in for, or old */
    bool deferred; /* nothing but deferred steps is left */
    struct instant started_at, ended_at, deadline; /* 0 or INSTANT_NEVER: there is none */
};

/* Reads a question. On success *out must be destroyed. Returns 0, E_ARGUMENT with what is wrong and where, or E_MEMORY. memory is borrowed for its
 * life. */
int where_compile(struct bytes text, const struct memory *memory, struct where **out, struct error_detail *detail);
/* Accepts NULL. */
void where_destroy(struct where *w);

/* What a live saga shows; status is not known. */
struct where_view where_view_of(const struct saga *saga);

/* Whether it asks for the status, or for tags, which cost a look into the journal; or for what is deferred. */
bool where_needs_status(const struct where *w);
bool where_needs_tags(const struct where *w);
bool where_needs_deferred(const struct where *w);

/* In which states a saga can only be (bit n for state n), and of which definition (a view, empty: of any), for the question to be true of it. */
uint32_t where_states(const struct where *w);
struct bytes where_definition(const struct where *w);

/* Whether it is true of the saga. What fails (a tag that is not there) is not true. Returns 0, E_MEMORY, or E_ARGUMENT when it costs more than one question
 * may: some 20 us. */
int where_asks(struct where *w, const struct where_view *view, struct instant now, bool *matches,
               struct error_detail *detail);

#endif
