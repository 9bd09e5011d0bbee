/* claim.c - the two times, and that one is well within the other. */
#include "sidecar/core/claim.h"

#include "sidecar/base/defect.h"

#define UNSEEN_MIN SPAN_S(60)
#define BELIEVED   SPAN_S(15)

struct span claim_unseen(struct span retention)
{
    return span_max(retention, UNSEEN_MIN);
}

bool claim_is_past(struct span ago)
{
    return ago.us > BELIEVED.us && !DEFECT(LOOK_NEVER_PAST);
}
