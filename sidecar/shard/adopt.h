/* adopt.h - which journals of a fleet a sidecar may take over, when it looks for them, and what it does with those that it has. Pure: the database and
 * the simulator tell what there is. */
#ifndef SAGA_SHARD_ADOPT_H
#define SAGA_SHARD_ADOPT_H

#include "sidecar/base/instant.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A journal that has ended so many sidecars that took it over, each within ADOPT_LASTING, waits for a person. */
#define ADOPT_TRIES_MAX 3
#define ADOPT_LASTING   SPAN_S(30)

/* Leases that end while the database is away say nothing: their sidecars are back at it within this, like ourselves. */
#define ADOPT_STEADY SPAN_S(5)

/* A journal in which nothing lives any more is kept for so long: somebody may ask for what has ended. */
#define ADOPT_IDLE SPAN_S(30)

/* A journal without a holder, as the database shows it. */
struct adopt_offer {
    const char *needs;  /* names of targets, with a comma behind each */
    uint64_t live;      /* sagas, as its holder said last */
    uint64_t tries;     /* take-overs since one lasted */
    bool given_up;      /* in order, so that live is right; or its lease is over */
    bool wanted;        /* a sidecar whose own it is waits for it */
    bool asked;         /* somebody asks for a saga of it, who may have ended */
    struct span steady; /* for how long the database has been there without a break, as whoever looks has seen it */
};

/* Whether one with these targets may have it. */
bool adopt_may_take(const struct adopt_offer *offer, bool (*has)(void *self, const char *name, size_t size),
                    void *self);

/* Whether a journal of another is to be given up: its own sidecar waits for it, or nothing has lived in it since idle_since (0: something does). */
bool adopt_gives_up(bool wanted, struct instant idle_since, struct instant now);

/* A journal that nobody came back to for so long, or for the retention where that is more, is removed: what ended in it is not kept any longer. */
#define ADOPT_KEPT_MIN SPAN_S(3600)

/* Whether a journal may be removed that nobody has had for this long. */
bool adopt_may_remove(const struct adopt_offer *offer, struct span alone, struct span retention);

/* How long until the next look for one that may be: each once a minute, and all together once a second at most. */
struct span adopt_sweep_pause(uint64_t sidecars, uint64_t chance);

/* How long until the next look, when so many sidecars look at the same database: each the more rarely the more there are, so that all together look
 * twenty times a second at most. chance spreads them. */
struct span adopt_pause(uint64_t sidecars, uint64_t chance);

#endif
