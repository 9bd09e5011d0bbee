/* sealed_inside.h - what the files of this folder share. */
#ifndef SAGA_JOURNAL_SEALED_INSIDE_H
#define SAGA_JOURNAL_SEALED_INSIDE_H

#include "sidecar/journal/sealed/envelope.h"
#include "sidecar/journal/sealed/sealed_store.h"

#define KIND_FRAME  'f'
#define KIND_AUDIT  'a'
#define KIND_ANSWER 'l'

/* The version of an answer's row that is sealed; as it was given, it is another's. */
#define VERSION_SEALED 2

/* Data keys that a journal can have: one for each start whose frames are kept. */
#define DATA_KEYS_MAX 4096
/* And of a commit, those that are taken over to the key in use. */
#define TAKEN_OVER_MAX     16
#define DATA_KEY_VALUE_MAX 128

/* What the frames of one start were encrypted with. Kept under one of the configured keys. */
struct data_key {
    uint32_t slot;
    uint64_t first_frame; /* that it encrypted; 0: none yet */
    char under[SEAL_KEY_NAME_MAX + 1];
    uint8_t key[SEAL_KEY_SIZE];
    struct seal_cipher *cipher; /* made when it is needed */
    bool old;                   /* it is to be taken over */
    bool needed;                /* by other than frames */
};

/* A commit that is on the way. */
struct way {
    uint8_t *bytes; /* owned: what the inner store borrows */
    size_t room;
    size_t *cuts;
    size_t cut_room;
    struct subject_row *subjects;
    size_t subject_room;
    uint8_t values[TAKEN_OVER_MAX + 1][DATA_KEY_VALUE_MAX];
    char names[TAKEN_OVER_MAX + 1][16];
    uint32_t taken[TAKEN_OVER_MAX]; /* indices of data keys */
    unsigned taken_count;
    bool has_key;                    /* it brings the data key in use */
    uint64_t last_frame, last_audit; /* 0: none of it */
    uint8_t frame_mac[SEAL_MAC_SIZE], audit_mac[SEAL_MAC_SIZE];
};

struct sealed_store {
    struct store face; /* first, so that the owner's pointer is ours */
    struct store *inner;
    struct seal_keys encryption, chain;
    bool (*random)(void *self, uint8_t *at, size_t size);
    void *self;

    /* Encryption. */
    struct data_key *data_keys; /* by first_frame */
    uint32_t data_key_count, old_keys;
    struct data_key current;
    bool has_current, current_kept;
    uint64_t counter;
    uint8_t *plain; /* what was read last */
    size_t plain_room;

    /* The chain. */
    struct seal_mac *macs[SEAL_KEYS_MAX];
    uint64_t first_frame, last_frame, last_audit; /* last_frame, last_audit: durable */
    bool frame_chained, audit_chained;            /* the last of each is */
    uint8_t frame_mac[SEAL_MAC_SIZE], audit_mac[SEAL_MAC_SIZE];

    struct way ways[STORE_COMMITS_MAX];
    unsigned way_first, way_count;
};

static inline struct sealed_store *sealed_of(const struct store *face)
{
    return (struct sealed_store *)(uintptr_t)face;
}

/* ---- data_keys.c ---- */
/* Reads those that the journal has, and makes the one of this start. */
int data_keys_open(struct sealed_store *s, const struct store_state *state, struct error_detail *detail);
void data_keys_close(struct sealed_store *s);
/* The row of a data key, kept under the key in use, in way's room at index. Returns false when there is no chance, or no memory. */
bool data_keys_row(struct sealed_store *s, struct data_key *k, struct way *way, unsigned index,
                   struct subject_row *row);
/* NULL when there is none of this slot; its cipher is there, but for want of memory. */
struct data_key *data_keys_find(struct sealed_store *s, uint32_t slot);

/* What a sound table of them is; each is a CHECK. */
void data_keys_check(const struct sealed_store *s);

/* ---- sealed_store.c ---- */
/* What a sound store is; each is a CHECK. */
void sealed_check(const struct sealed_store *s);
/* The content of what was kept; *plain is a view of it, or of s->plain until the next. */
int sealed_open(struct sealed_store *s, char kind, uint64_t number, struct bytes kept, struct bytes *plain,
                struct error_detail *detail);

#endif
