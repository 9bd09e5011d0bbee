/* timeline.h - the records of one saga, gathered from the journal by walking backwards from its last frame. */
#ifndef SAGA_CORE_TIMELINE_H
#define SAGA_CORE_TIMELINE_H

#include "sidecar/core/arena.h"
#include "sidecar/core/core.h"

/* The most records of one saga that are gathered: the latest. */
#define TIMELINE_RECORDS_MAX 20000

/* Where a record stands: the cursor of Watch and of a timeline. */
struct position {
    uint64_t frame;
    uint32_t index; /* of the record within its frame */
};

#define POSITION_TEXT_SIZE 32

/* "1f4.2": both numbers in hexadecimal. Returns its length. */
size_t position_format(struct position p, char text[POSITION_TEXT_SIZE]);
bool position_parse(const char *text, struct position *p);

static inline bool position_after(struct position a, struct position b)
{
    return a.frame > b.frame || (a.frame == b.frame && a.index > b.index);
}

struct timeline_entry {
    struct record record; /* its views lie in the arena */
    struct position position;
};

/* In order of time. */
struct timeline {
    struct timeline_entry *entries;
    size_t count;
    bool truncated; /* there were earlier ones: they have left the journal, or are more than was asked for */
    bool gone;      /* truncated, because they have left the journal */
};

/* What to gather. A saga whose history was moved is shown with the copies, once, and without the RECORD_MOVED itself. */
struct timeline_query {
    uint64_t serial;
    uint64_t last_frame;   /* that holds a record of it */
    struct position after; /* only what comes after it; 0.0: everything */
    uint64_t hidden_from;  /* nothing of this frame and those beyond it, which are not durable yet; 0: everything */
    size_t records_max;    /* the latest so many; 0: TIMELINE_RECORDS_MAX */
};

/* A timeline while it is gathered, a frame at a time, so that a long one can be cut into pieces. */
struct timeline_walk {
    struct timeline_query query;
    struct timeline timeline; /* complete once it is done; until then back to front */
    size_t room;
    struct arena *arena;
    uint64_t next; /* the frame to look at; 0: there is none */
};
void timeline_begin(struct timeline_walk *w, const struct timeline_query *query, struct arena *arena);
/* Looks at the next frame, or finds that it is *done. Errors as of timeline_load. */
int timeline_go_on(struct timeline_walk *w, struct core *core, bool *done, struct error_detail *detail);

/* Gathers records of one saga. Everything is taken from arena. Returns 0, STORE_PENDING (ask again),
 * E_MEMORY, E_JOURNAL or E_JOURNAL_CORRUPT. */
int timeline_load(struct core *core, const struct timeline_query *query, struct arena *arena, struct timeline *out,
                  struct error_detail *detail);

/* How far back is looked for what made a saga stuck; pauses and other acts of operators may have followed it. */
#define TIMELINE_END_RECORDS 32

/* gRPC status with which a stuck saga's step failed last; -1 when it is not told by the latest records. last_frame and hidden_from as in
 * timeline_query. Errors as of timeline_load. */
int timeline_last_status(struct core *core, const struct saga *saga, uint64_t last_frame, uint64_t hidden_from,
                         int *status, struct error_detail *detail);

/* Replays a whole timeline into an engine of its own, so that a saga that has left memory can be shown as it ended. *out is given and must be
 * destroyed; the saga in it is found by its serial. definition is that of the saga or NULL. Returns 0, E_MEMORY or E_JOURNAL_CORRUPT. */
int timeline_replay(const struct timeline *timeline, const struct definition *definition, struct engine **out,
                    struct error_detail *detail);

#endif
