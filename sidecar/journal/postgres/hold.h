/* hold.h - what a holder may conclude from what the database says of its journal. Pure: the simulator of a fleet goes by the same rules. Times are of a clock
 * that no one sets, in microseconds. */
#ifndef SAGA_JOURNAL_POSTGRES_HOLD_H
#define SAGA_JOURNAL_POSTGRES_HOLD_H

#include "sidecar/base/instant.h"

#include <stdbool.h>
#include <stdint.h>

/* Until when a lease that was asked for at asked_us, and granted, may be relied on: the last tenth is not. */
int64_t hold_until(int64_t asked_us, struct span lease);
/* Whether it is time to have it prolonged. */
bool hold_is_old(int64_t now_us, int64_t asked_us, struct span lease);

/* How far a journal has come: how often it was taken, and its last commit. */
struct hold_mark {
    uint64_t epoch, seq;
};

/* Whether a database that is there now has lost what was seen of it. */
bool hold_went_back(struct hold_mark now, struct hold_mark seen);

/* Whether a commit whose answer was lost was kept, by a journal that has come to `last`. Else nothing is left of it once the journal is taken again by a
 * higher epoch, and it is sent again. */
bool hold_has_kept(uint64_t seq, uint64_t last);

/* A moment of the server's clock that was long ago by ours, whatever the server's has done since: it may jump ahead, as where a standby whose clock is
 * another's is promoted. */
struct hold_past {
    bool begun;
    int64_t noted_us;      /* by our clock */
    int64_t noted, moment; /* by the server's; moment: the one that was long ago, 0: none was yet */
};

/* Whether it is time to ask what the server's clock says; and what it said, not after now_us. */
bool hold_past_is_due(const struct hold_past *p, int64_t now_us, struct span ago);
void hold_past_note(struct hold_past *p, int64_t now_us, int64_t said);

#endif
