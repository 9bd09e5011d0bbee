/* adopt.c - what one journal more means to a sidecar. */
#include "sidecar/shard/adopt.h"

#include "sidecar/base/defect.h"

#include <string.h>

/* What all sidecars of a database look at it together, and the most often that one does. */
#define LOOKS_A_SECOND 20
#define PAUSE_MIN      SPAN_MS(1000)

static bool has_all(const char *needs, bool (*has)(void *self, const char *name, size_t size), void *self)
{
    for (const char *comma; (comma = strchr(needs, ',')) != NULL; needs = comma + 1)
        if (!has(self, needs, (size_t)(comma - needs)))
            return false;
    return true;
}

bool adopt_may_take(const struct adopt_offer *offer, bool (*has)(void *self, const char *name, size_t size), void *self)
{
    if (offer->wanted || offer->tries >= ADOPT_TRIES_MAX)
        return false;
    if (!offer->given_up && offer->steady.us < ADOPT_STEADY.us && !DEFECT(BREAK_IGNORED) &&
        !(DEFECT(WISH_GRANTED) && offer->asked))
        return false;
    if ((offer->given_up || DEFECT(DEAD_BELIEVED)) && offer->live == 0 && !offer->asked)
        return false;
    return has_all(offer->needs, has, self);
}

bool adopt_gives_up(bool wanted, struct instant idle_since, struct instant now)
{
    return (wanted && !DEFECT(WANTED_IGNORED)) ||
           (idle_since.us != 0 && !instant_before(now, instant_after(idle_since, ADOPT_IDLE)));
}

bool adopt_may_remove(const struct adopt_offer *offer, struct span alone, struct span retention)
{
    int64_t kept = retention.us > ADOPT_KEPT_MIN.us ? retention.us : ADOPT_KEPT_MIN.us;
    return offer->given_up && !offer->wanted && offer->live == 0 && offer->tries < ADOPT_TRIES_MAX &&
           (alone.us > kept || DEFECT(REMOVED_EARLY));
}

/* So many look; each a pause at least, and all together so often a second at most. */
static struct span pause_of(uint64_t sidecars, int64_t a_second, struct span least, uint64_t chance)
{
    int64_t us = (int64_t)(sidecars < 1000000 ? sidecars : 1000000) * 1000000 / a_second;
    us = us > least.us ? us : least.us;
    return (struct span){.us = us - us / 4 + (int64_t)(chance % (uint64_t)(us / 2))};
}

struct span adopt_pause(uint64_t sidecars, uint64_t chance)
{
    return pause_of(sidecars, LOOKS_A_SECOND, PAUSE_MIN, chance);
}

struct span adopt_sweep_pause(uint64_t sidecars, uint64_t chance)
{
    return pause_of(sidecars, 1, SPAN_S(60), chance);
}
