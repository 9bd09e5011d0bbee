/* admission.h - whether one more may begin: so many live at once, and so many begin in a second. One that may not is told when to come again: each a
 * place further back, at the pace at which room is made, so that all who are told come one after another and find room. Pure: the caller tells the
 * time. Owns nothing; the caller embeds it. */
#ifndef SAGA_RESILIENCE_ADMISSION_H
#define SAGA_RESILIENCE_ADMISSION_H

#include "sidecar/resilience/rate.h"

struct admission_options {
    uint32_t live_max;          /* 0: any number */
    struct rate_options starts; /* per_second 0: any number */
};

/* Zeroed, it admits all. */
struct admission {
    struct admission_options options;
    struct rate starts;
    uint32_t live;
    struct instant ended_at; /* the last; 0: none has */
    struct span pace;        /* between two ends, of late; 0: not known */
    struct instant told;     /* the latest that anybody was told to come again */
};

enum admission_verdict { ADMISSION_OPEN, ADMISSION_LIVE, ADMISSION_STARTS };

/* Other options from now on. What lives, lives on. */
void admission_set(struct admission *a, const struct admission_options *options);

/* Whether it bounds anything. */
static inline bool admission_bounds(const struct admission *a)
{
    return a->options.live_max > 0 || a->options.starts.per_second > 0;
}

/* Whether one may begin. If not, which bound forbids it, and *delay is how long to wait before the next try: a guess, of a minute at most. */
enum admission_verdict admission_asks(struct admission *a, struct instant now, struct span *delay);

/* How long one should wait that was refused for a bound of the caller's, in which each end makes room that admission_note_end tells of. */
struct span admission_guess(struct admission *a, struct instant now);

/* One begins, which was admitted. */
void admission_take(struct admission *a, struct instant now);

/* One lives, which has just begun or had before; one has ended; one is forgotten that has not. */
static inline void admission_live(struct admission *a)
{
    a->live++;
}
void admission_end(struct admission *a, struct instant now);
void admission_note_end(struct admission *a, struct instant now);
static inline void admission_forget(struct admission *a)
{
    a->live--;
}

#endif
