/* place.h - with several loops: in which of them a saga lives, and where a new one is to live. Pure; one rule for all who ask.
 *
 * It is part of what a data directory means: a saga, and what was started with a request_id, is looked for where this says. */
#ifndef SAGA_SHARD_PLACE_H
#define SAGA_SHARD_PLACE_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/shard/tags.h"

/* The loop that the text of a saga's id tells; -1: the text is no id, or no loop of so many has given it. tags tell whose it is; what they do
 * not know is from before journals told of their tags, and there the low bits of one are the loop. */
int place_of_saga(const struct tags *tags, struct bytes id, unsigned loops);

/* The loop in which a start with this request_id lives, whichever connection it comes over; -1 when it is empty: any will do. By its hash, and
 * where tags say so by the hash mixed once more: the plain one hardly changes with the last letters, so that numbered requests all lived in one
 * loop. What was made so stays so. */
int place_of_request(const struct tags *tags, struct bytes request_id, unsigned loops);

/* The version of SUBJECT_PLACEMENT whose hash is mixed; without a row it is not. */
#define PLACEMENT_MIXED 2

/* The tag of a loop's new sagas: what chance gives, with the loop in it where there are several. */
uint64_t place_tag(uint64_t chance, unsigned loop, unsigned loops);

#endif
