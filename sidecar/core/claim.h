/* claim.h - in a fleet a request_id is claimed for the journal in which its saga begins, by a row that goes when nobody has looked at it for long and no
 * saga of it is kept. Pure: how long each of these is. */
#ifndef SAGA_CORE_CLAIM_H
#define SAGA_CORE_CLAIM_H

#include "sidecar/base/instant.h"

#include <stdbool.h>

/* For how long nobody has looked at one that may go, where what ended is kept for so long. */
struct span claim_unseen(struct span retention);

/* Whether a look at a claim is so long ago that no saga may begin by it any more: whoever has looked may have stood still, and by now the claim be gone
 * and the saga have begun elsewhere. Three such pauses, one behind the other, are shorter than what claim_unseen gives. */
bool claim_is_past(struct span ago);

#endif
