/* envelope.h - the form of a frame, or row, that is sealed: format 2 of what begins as a record does, so that its size, checksum and time are where
 * they are in a record. */
#ifndef SAGA_JOURNAL_SEALED_ENVELOPE_H
#define SAGA_JOURNAL_SEALED_ENVELOPE_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/journal/sealed/seal.h"

/* What more than its content one takes at most. */
#define ENVELOPE_SIZE_MAX 96

struct envelope {
    struct instant at;
    bool chained, sealed;
    uint8_t previous[SEAL_MAC_SIZE], mac[SEAL_MAC_SIZE]; /* chained. previous: zero where the chain begins */
    uint32_t slot;                                       /* sealed: of the data key */
    uint64_t counter;
    uint8_t tag[SEAL_TAG_SIZE];
    struct bytes content;
};

/* Whether it is one at all. */
bool envelope_is(struct bytes frame);
/* Views frame. Returns false when it is damaged. */
bool envelope_read(struct bytes frame, struct envelope *e);
/* Where the content goes, once everything but tag and checksum is written; returns it. */
uint8_t *envelope_begin(const struct envelope *e, uint8_t *at);
/* The content is there, of e's size. Returns the whole size. */
size_t envelope_end(const struct envelope *e, uint8_t *at);

/* What a content is bound to, beside itself: which of the journal's rows it is, and when. */
#define ENVELOPE_BOUND_SIZE 29
struct bytes envelope_bound(const struct envelope *e, char kind, uint64_t number, uint8_t out[ENVELOPE_BOUND_SIZE]);

#endif
