/* hold.c - what a holder may conclude. */
#include "sidecar/journal/postgres/hold.h"

#include "sidecar/base/defect.h"

/* Parts of the lease: what is not used of it, and after which it is prolonged. */
#define MARGIN_PART 10
#define RENEW_PART  3

int64_t hold_until(int64_t asked_us, struct span lease)
{
    return asked_us + lease.us - lease.us / MARGIN_PART;
}

bool hold_is_old(int64_t now_us, int64_t asked_us, struct span lease)
{
    return now_us - asked_us >= lease.us / RENEW_PART;
}

bool hold_went_back(struct hold_mark now, struct hold_mark seen)
{
    return (now.epoch < seen.epoch || now.seq < seen.seq) && !DEFECT(LOSS_IGNORED);
}

bool hold_has_kept(uint64_t seq, uint64_t last)
{
    return (seq <= last && !DEFECT(KEPT_IS_SENT_AGAIN)) || DEFECT(UNSURE_IS_KEPT);
}

bool hold_past_is_due(const struct hold_past *p, int64_t now_us, struct span ago)
{
    return !p->begun || now_us - p->noted_us >= ago.us;
}

void hold_past_note(struct hold_past *p, int64_t now_us, int64_t said)
{
    *p = (struct hold_past){.begun = true, .noted_us = now_us, .noted = said, .moment = p->noted};
}
