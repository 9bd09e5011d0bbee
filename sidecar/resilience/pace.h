/* pace.h - the least time within which a target has answered of late: who has less need not ask. Looks back at least ten seconds, and at most thirty; when
 * it has heard nothing for a second it knows nothing, so that somebody tries it again. Pure: the caller tells the time. Owns nothing; the caller
 * embeds it. */
#ifndef SAGA_RESILIENCE_PACE_H
#define SAGA_RESILIENCE_PACE_H

#include "sidecar/base/instant.h"

#define PACE_WINDOW SPAN_S(10)
#define PACE_FRESH  SPAN_S(1)

/* Zeroed, it knows nothing. */
struct pace {
    struct span least, before; /* in the window that is open, and the one before it; 0: nothing was answered */
    struct instant until;      /* of the one that is open */
    struct instant noted_at;   /* the last answer */
};

/* It has answered within so long. */
void pace_note(struct pace *p, struct span took, struct instant now);

/* 0: not known. */
struct span pace_least(const struct pace *p, struct instant now);

#endif
