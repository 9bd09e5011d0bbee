/* data_keys.c - one key for each start, made by chance and kept in the journal under one of the configured keys: to take another of those into use
 * is to keep a row for each start anew, and no frame.
 *
 * A counter in place of chance would repeat after a restored backup, or a commit that was fenced off; so no two starts share a key. What keeps a
 * data key is itself used once: it is derived from the configured key and 128 bits of chance. */
#include "sidecar/journal/sealed/sealed_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define PURPOSE "sagad: a data key of the journal"
/* name's size, salt, the key, its tag, the first frame */
#define VALUE_SIZE(name_size) (1 + (name_size) + SEAL_SALT_SIZE + SEAL_KEY_SIZE + SEAL_TAG_SIZE + 8)

_Static_assert(VALUE_SIZE(SEAL_KEY_NAME_MAX) <= DATA_KEY_VALUE_MAX, "a row has room for every name");

void data_keys_check(const struct sealed_store *s)
{
    uint32_t old = 0;
    CHECK(s->data_key_count <= DATA_KEYS_MAX);
    for (uint32_t i = 0; i < s->data_key_count; i++) {
        CHECK(i == 0 || s->data_keys[i - 1].first_frame <= s->data_keys[i].first_frame); /* they are found by it */
        old += s->data_keys[i].old;
    }
    CHECK(old == s->old_keys);
}

/* What the kept key is bound to. */
static struct bytes bound(uint32_t slot, uint64_t first_frame, uint8_t out[12])
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(slot >> 8 * i);
    for (int i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(first_frame >> 8 * i);
    return bytes_of(out, 12);
}

bool data_keys_row(struct sealed_store *s, struct data_key *k, struct way *way, unsigned index, struct subject_row *row)
{
    const struct seal_key *under = &s->encryption.keys[0];
    uint8_t wrapping[SEAL_KEY_SIZE], beside[12];
    size_t name_size = strlen(under->name);
    uint8_t *at = way->values[index], *salt = at + 1 + name_size, *key = salt + SEAL_SALT_SIZE;
    struct seal_cipher *cipher = NULL;
    CHECK(index <= TAKEN_OVER_MAX && s->encryption.count > 0);
    CHECK(name_size > 0 && name_size <= SEAL_KEY_NAME_MAX);
    CHECK(k->first_frame > 0 || k != &s->current); /* a row comes with the frame that the key encrypts first */
    at[0] = (uint8_t)name_size;
    memcpy(at + 1, under->name, name_size);
    bool done = s->random(s->self, salt, SEAL_SALT_SIZE) && seal_derive(under->bytes, salt, PURPOSE, wrapping) &&
                (cipher = seal_cipher_create(wrapping)) != NULL &&
                seal_encrypt(cipher, 1, bound(k->slot, k->first_frame, beside), bytes_of(k->key, SEAL_KEY_SIZE), key,
                             key + SEAL_KEY_SIZE);
    seal_cipher_destroy(cipher);
    OPENSSL_cleanse(wrapping, sizeof wrapping);
    memcpy(key + SEAL_KEY_SIZE + SEAL_TAG_SIZE, beside + 4, 8);
    snprintf(way->names[index], sizeof way->names[index], "%u", (unsigned)k->slot);
    *row = (struct subject_row){.kind = SUBJECT_DATA_KEY,
                                .name = bytes_of_text(way->names[index]),
                                .version = VERSION,
                                .value = bytes_of(at, VALUE_SIZE(name_size))};
    return done;
}

/* ---- reading ---- */

struct reading {
    struct sealed_store *s;
    struct error_detail *detail;
};

static int corrupt(struct error_detail *detail, const char *text)
{
    return error_set(detail, E_JOURNAL_CORRUPT, "", text);
}

static int name_key(struct error_detail *detail, const char *before, const char *name, const char *after)
{
    error_set(detail, E_ARGUMENT, "encryption_key_file", before);
    error_append(detail, name);
    error_append(detail, after);
    return E_ARGUMENT;
}

static int unwrap(struct sealed_store *s, struct data_key *k, const uint8_t *salt, struct error_detail *detail)
{
    uint8_t wrapping[SEAL_KEY_SIZE], beside[12];
    const struct seal_key *under = seal_find_key(&s->encryption, bytes_of_text(k->under));
    if (under == NULL)
        return name_key(detail,
                        "the journal is encrypted, and the key that opens a part of it is not among those given: ",
                        k->under, "; give it with the others (encryption_key_file, encryption_key_command)");
    const uint8_t *key = salt + SEAL_SALT_SIZE;
    struct seal_cipher *cipher = NULL;
    bool made = seal_derive(under->bytes, salt, PURPOSE, wrapping) && (cipher = seal_cipher_create(wrapping)) != NULL;
    bool opened = made && seal_decrypt(cipher, 1, bound(k->slot, k->first_frame, beside), bytes_of(key, SEAL_KEY_SIZE),
                                       key + SEAL_KEY_SIZE, k->key);
    seal_cipher_destroy(cipher);
    OPENSSL_cleanse(wrapping, sizeof wrapping);
    if (!made)
        return error_set(detail, E_MEMORY, "", NULL);
    return opened
               ? 0
               : name_key(detail, "the key of this name is not the one that the journal was encrypted with: ", k->under,
                          ", or the row that it opens was changed");
}

static int take(void *self, const struct subject_row *row)
{
    struct reading *r = self;
    struct sealed_store *s = r->s;
    struct data_key k = {.slot = 0};
    char name[16] = "";
    size_t name_size = row->value.size == 0 ? 0 : row->value.at[0];
    if (row->version != VERSION)
        return error_set(r->detail, E_JOURNAL_VERSION, "", "a data key has a form that this sagad does not know");
    if (row->name.size >= sizeof name || name_size > SEAL_KEY_NAME_MAX || row->value.size != VALUE_SIZE(name_size) ||
        s->data_key_count == DATA_KEYS_MAX)
        return corrupt(r->detail, "a row of the table subjects is no data key");
    memcpy(name, row->name.at, row->name.size);
    k.slot = (uint32_t)strtoul(name, NULL, 10);
    memcpy(k.under, row->value.at + 1, name_size);
    const uint8_t *salt = row->value.at + 1 + name_size, *first = row->value.at + row->value.size - 8;
    for (int i = 8; i > 0; i--)
        k.first_frame = k.first_frame << 8 | first[i - 1];
    int code = unwrap(s, &k, salt, r->detail);
    if (code != 0)
        return code;
    k.old = strcmp(k.under, s->encryption.keys[0].name) != 0;
    /* By first frame; there are few, and they mostly come so. */
    uint32_t at = s->data_key_count++;
    for (; at > 0 && s->data_keys[at - 1].first_frame > k.first_frame; at--)
        s->data_keys[at] = s->data_keys[at - 1];
    s->data_keys[at] = k;
    return 0;
}

/* Answers are kept beside the frames, and may outlive those of their start. */
static int take_answer(void *self, const struct subject_row *row)
{
    struct sealed_store *s = self;
    struct envelope e;
    if (row->version != VERSION_SEALED || !envelope_read(row->value, &e))
        return 0; /* whoever needs it is told what is wrong with it */
    for (uint32_t i = 0; i < s->data_key_count; i++)
        s->data_keys[i].needed |= s->data_keys[i].slot == e.slot;
    return 0;
}

/* A slot whose frames are all gone: a row becomes durable with the first frame that its key encrypted. */
static uint32_t free_slot(struct sealed_store *s, const struct store_state *state)
{
    uint32_t highest = 0;
    for (uint32_t i = 0; i < s->data_key_count; i++) {
        uint64_t to = i + 1 < s->data_key_count ? s->data_keys[i + 1].first_frame : state->last_frame + 1;
        if (to <= state->first_frame && (!s->data_keys[i].needed || DEFECT(ANSWER_KEY_FORGOTTEN))) {
            uint32_t slot = s->data_keys[i].slot;
            memmove(&s->data_keys[i], &s->data_keys[i + 1], (--s->data_key_count - i) * sizeof s->data_keys[0]);
            OPENSSL_cleanse(&s->data_keys[s->data_key_count], sizeof s->data_keys[0]);
            return slot;
        }
        if (s->data_keys[i].slot > highest)
            highest = s->data_keys[i].slot;
    }
    return highest + 1;
}

int data_keys_open(struct sealed_store *s, const struct store_state *state, struct error_detail *detail)
{
    struct reading reading = {.s = s, .detail = detail};
    s->data_keys = malloc(DATA_KEYS_MAX * sizeof *s->data_keys);
    if (s->data_keys == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    int code = s->inner->scan_subjects(s->inner, SUBJECT_DATA_KEY, take, &reading, detail);
    if (code != 0 || s->encryption.count == 0)
        return code;
    code = s->inner->scan_subjects(s->inner, SUBJECT_ANSWER, take_answer, s, detail);
    if (code != 0)
        return code;
    s->current.slot = free_slot(s, state);
    if (s->data_key_count == DATA_KEYS_MAX)
        return error_set(detail, E_ARGUMENT, "retention",
                         "the journal holds frames of 4096 starts, each with a key of its own: more than it may");
    for (uint32_t i = 0; i < s->data_key_count; i++)
        s->old_keys += s->data_keys[i].old;
    bool made = s->random(s->self, s->current.key, SEAL_KEY_SIZE) &&
                (s->current.cipher = seal_cipher_create(s->current.key)) != NULL;
    s->has_current = made;
    data_keys_check(s);
    return made ? 0 : error_set(detail, E_MEMORY, "encryption_key_file", "no data key can be made");
}

struct data_key *data_keys_find(struct sealed_store *s, uint32_t slot)
{
    struct data_key *found = s->has_current && s->current.slot == slot ? &s->current : NULL;
    for (uint32_t i = s->data_key_count; found == NULL && i > 0; i--)
        if (s->data_keys[i - 1].slot == slot)
            found = &s->data_keys[i - 1];
    if (found != NULL && found->cipher == NULL)
        found->cipher = seal_cipher_create(found->key);
    return found;
}

void data_keys_close(struct sealed_store *s)
{
    for (uint32_t i = 0; i < s->data_key_count; i++)
        seal_cipher_destroy(s->data_keys[i].cipher);
    seal_cipher_destroy(s->current.cipher);
    OPENSSL_cleanse(&s->current, sizeof s->current);
    if (s->data_keys != NULL)
        OPENSSL_cleanse(s->data_keys, s->data_key_count * sizeof *s->data_keys);
    free(s->data_keys);
}
