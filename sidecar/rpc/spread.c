/* spread.c - turns. */
#include "sidecar/rpc/spread.h"

int spread_next(enum spread_policy policy, const uint8_t *states, unsigned count, unsigned *turn)
{
    unsigned from = policy == SPREAD_ROUND_ROBIN && count > 0 ? *turn % count : 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned which = from + i < count ? from + i : from + i - count;
        if (states[which] == SPREAD_READY) {
            *turn = which + 1;
            return (int)which;
        }
    }
    return -1;
}

bool spread_wants(enum spread_policy policy, const uint8_t *states, unsigned count, unsigned which)
{
    if (policy == SPREAD_ROUND_ROBIN)
        return true;
    /* The first that can be reached; while that is not known, those up to the first that has not been tried. */
    unsigned first = 0;
    while (first < count && states[first] != SPREAD_READY)
        first++;
    if (first < count)
        return which == first;
    for (unsigned i = 0; i < which; i++)
        if (states[i] == SPREAD_IDLE)
            return false;
    return true;
}

bool spread_hopeless(const uint8_t *states, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (states[i] != SPREAD_FAILING)
            return false;
    return true;
}
