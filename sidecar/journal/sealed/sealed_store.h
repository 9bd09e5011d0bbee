/* sealed_store.h - a store before another one: what goes into frames is encrypted, and frames and rows of the audit trail are chained, so that a
 * change, or a cut in the middle, is found. Everything else passes through. docs/journal-format.md has the bytes.
 *
 * Frames of before, as they are, are read as ever: so both can be begun with any journal. */
#ifndef SAGA_JOURNAL_SEALED_STORE_H
#define SAGA_JOURNAL_SEALED_STORE_H

#include "sidecar/journal/sealed/seal.h"
#include "sidecar/journal/store.h"

struct sealed_options {
    const struct seal_keys
        *encryption; /* NULL or none: nothing is encrypted; those that are needed to read are named by the error */
    const struct seal_keys *chain; /* likewise: nothing is chained */
    /* Fills in bytes that nobody can guess. Returns false when there are none. */
    bool (*random)(void *self, uint8_t *at, size_t size);
    void *self;
};

/* Takes inner, which was opened with state; *out is closed in its place. Keys are copied. On failure inner stays with the caller. Returns 0;
 * E_ARGUMENT when a key is missing or another, by its name; E_JOURNAL_CORRUPT; or E_MEMORY. */
int sealed_store_open(const struct sealed_options *options, struct store *inner, const struct store_state *state,
                      struct store **out, struct error_detail *detail);

/* Of data keys, how many are not yet kept under the key in use: each commit takes some of them over. */
uint32_t sealed_store_old_keys(const struct store *store);

#define SEALED_HEAD_SIZE 64

/* Where the chain of frames, and that of the audit trail, stand: "1f4:<32 hexadecimal digits>"; "" when nothing is chained. */
void sealed_store_heads(const struct store *store, char frames[SEALED_HEAD_SIZE], char audit[SEALED_HEAD_SIZE]);

/* One chain as it is walked. */
struct sealed_chain {
    uint64_t first, next; /* what there is begins there; what is looked at next */
    uint64_t last;        /* what was durable when it began */
    uint64_t chained;     /* of what was looked at */
    bool begun;           /* one before was chained */
    uint8_t mac[SEAL_MAC_SIZE];
    bool head_seen; /* the known one */
};

/* A look at both chains, in pieces. */
struct sealed_look {
    struct sealed_chain frames, audit;
    const char *known; /* a head that was written down outside, of the frames; NULL: none */
    char finding[160]; /* "": none so far; the look ends with the first */
};

void sealed_look_begin(const struct store *store, struct sealed_look *look);
/* Looks at rows_max more, or at none while the store has them under way. Returns 0 with *more, or what reading fails with; what is found is in the look, and is no error. */
int sealed_look_on(struct store *store, struct sealed_look *look, uint32_t rows_max, bool *more,
                   struct error_detail *detail);

/* Opens what was kept as a frame, into room of frame.size bytes when *plain is to be another: for who reads frames below the store. Returns 0 or
 * E_JOURNAL_CORRUPT. */
int sealed_store_read(struct store *store, uint64_t number, struct bytes frame, struct bytes *plain,
                      struct error_detail *detail);

#endif
