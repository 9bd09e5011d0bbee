/* seal.h - keys, and what is done with them: the one place of the journal that knows OpenSSL's ciphers. One owner, no locks. */
#ifndef SAGA_JOURNAL_SEALED_SEAL_H
#define SAGA_JOURNAL_SEALED_SEAL_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"

#define SEAL_KEY_SIZE       32
#define SEAL_TAG_SIZE       16
#define SEAL_SALT_SIZE      16
#define SEAL_MAC_SIZE       16
#define SEAL_KEY_NAME_MAX   32
#define SEAL_KEYS_MAX       16
#define SEAL_KEYS_BYTES_MAX 65536

/* Keys by their names. The first is the one in use; the others are for what was written with them. */
struct seal_keys {
    struct seal_key {
        char name[SEAL_KEY_NAME_MAX + 1];
        uint8_t bytes[SEAL_KEY_SIZE];
    } keys[SEAL_KEYS_MAX];
    size_t count;
};

/* Reads lines of a name and 64 hexadecimal digits; what follows a # is not read. Returns 0 or E_ARGUMENT, with the line at fault and never a key
 * in detail, whose field becomes `field`. */
int seal_read_keys(struct bytes text, const char *field, struct seal_keys *out, struct error_detail *detail);
/* NULL: there is none of this name. */
const struct seal_key *seal_find_key(const struct seal_keys *keys, struct bytes name);
/* Overwrites them; accepts NULL. */
void seal_forget_keys(struct seal_keys *keys);

/* A key for one purpose, from another and a salt (HKDF with SHA-256). Returns false when no memory is left. */
bool seal_derive(const uint8_t key[SEAL_KEY_SIZE], const uint8_t salt[SEAL_SALT_SIZE], const char *purpose,
                 uint8_t out[SEAL_KEY_SIZE]);

/* AES-256-GCM with one key. A counter is used once, to encrypt. */
struct seal_cipher;
struct seal_cipher *seal_cipher_create(const uint8_t key[SEAL_KEY_SIZE]); /* NULL when no memory is left */
void seal_cipher_destroy(struct seal_cipher *c);                          /* accepts NULL */
/* out has room for plain.size. Returns false when no memory is left. */
bool seal_encrypt(struct seal_cipher *c, uint64_t counter, struct bytes beside, struct bytes plain, uint8_t *out,
                  uint8_t tag[SEAL_TAG_SIZE]);
/* Returns whether it is what was encrypted, beside the same. */
bool seal_decrypt(struct seal_cipher *c, uint64_t counter, struct bytes beside, struct bytes sealed,
                  const uint8_t tag[SEAL_TAG_SIZE], uint8_t *out);

/* HMAC with SHA-256, cut to 128 bits, over head and body. */
struct seal_mac;
struct seal_mac *seal_mac_create(const uint8_t key[SEAL_KEY_SIZE]);
void seal_mac_destroy(struct seal_mac *m);
bool seal_mac(struct seal_mac *m, struct bytes head, struct bytes body, uint8_t out[SEAL_MAC_SIZE]);
/* In a time that does not tell where they differ. */
bool seal_mac_equal(const uint8_t a[SEAL_MAC_SIZE], const uint8_t b[SEAL_MAC_SIZE]);

#endif
