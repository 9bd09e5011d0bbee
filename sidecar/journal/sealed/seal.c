/* seal.c - keys and ciphers, by OpenSSL. */
#include "sidecar/journal/sealed/seal.h"

#include "sidecar/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_SIZE 12

/* ---- keys ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, and what is behind it. */
static struct bytes word(struct bytes *line)
{
    size_t from = 0, to;
    while (from < line->size && is_space(line->at[from]))
        from++;
    for (to = from; to < line->size && !is_space(line->at[to]);)
        to++;
    struct bytes found = bytes_of(line->at + from, to - from);
    *line = bytes_of(line->at + to, line->size - to);
    return found;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_key(struct bytes hex, uint8_t out[SEAL_KEY_SIZE])
{
    for (size_t i = 0; i < SEAL_KEY_SIZE && hex.size == 2 * SEAL_KEY_SIZE; i++) {
        int high = digit(hex.at[2 * i]), low = digit(hex.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return hex.size == 2 * SEAL_KEY_SIZE;
}

static const char *read_line(struct bytes line, struct seal_keys *out)
{
    struct bytes name = word(&line);
    if (name.size == 0)
        return NULL;
    struct bytes hex = word(&line);
    if (word(&line).size > 0)
        return "a line holds a name and a key, and nothing else";
    for (size_t i = 0; i < name.size; i++) /* it is told in errors, and kept */
        if (name.at[i] < 0x21 || name.at[i] > 0x7e)
            return "a key's name is letters, digits and signs of ASCII";
    if (name.size > SEAL_KEY_NAME_MAX)
        return "a key's name has at most 32 bytes";
    if (out->count == SEAL_KEYS_MAX)
        return "more than 16 keys";
    if (seal_find_key(out, name) != NULL)
        return "two keys have one name";
    struct seal_key *key = &out->keys[out->count];
    memcpy(key->name, name.at, name.size);
    key->name[name.size] = '\0';
    if (!read_key(hex, key->bytes))
        return "a key is 64 hexadecimal digits, behind its name; make one with: openssl rand -hex 32";
    out->count++;
    return NULL;
}

int seal_read_keys(struct bytes text, const char *field, struct seal_keys *out, struct error_detail *detail)
{
    char where[200];
    memset(out, 0, sizeof *out);
    for (unsigned number = 1; text.size > 0; number++) {
        const uint8_t *end = memchr(text.at, '\n', text.size);
        struct bytes line = bytes_of(text.at, end == NULL ? text.size : (size_t)(end - text.at));
        text = end == NULL ? bytes_of(NULL, 0) : bytes_of(end + 1, text.size - line.size - 1);
        const uint8_t *remark = line.size == 0 ? NULL : memchr(line.at, '#', line.size);
        if (remark != NULL)
            line.size = (size_t)(remark - line.at);
        const char *wrong = read_line(line, out);
        if (wrong == NULL)
            continue;
        seal_forget_keys(out);
        snprintf(where, sizeof where, "line %u of the keys: %s", number, wrong);
        return error_set(detail, E_ARGUMENT, field, where);
    }
    return out->count > 0
               ? 0
               : error_set(detail, E_ARGUMENT, field,
                           "there is no key: write a name and 64 hexadecimal digits a line, the one to use first");
}

const struct seal_key *seal_find_key(const struct seal_keys *keys, struct bytes name)
{
    for (size_t i = 0; keys != NULL && i < keys->count; i++)
        if (bytes_equal(bytes_of_text(keys->keys[i].name), name))
            return &keys->keys[i];
    return NULL;
}

void seal_forget_keys(struct seal_keys *keys)
{
    if (keys != NULL)
        OPENSSL_cleanse(keys, sizeof *keys);
}

bool seal_derive(const uint8_t key[SEAL_KEY_SIZE], const uint8_t salt[SEAL_SALT_SIZE], const char *purpose,
                 uint8_t out[SEAL_KEY_SIZE])
{
    char digest[] = "SHA256";
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = hkdf == NULL ? NULL : EVP_KDF_CTX_new(hkdf);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_octet_string("key", (void *)(uintptr_t)key, SEAL_KEY_SIZE),
        OSSL_PARAM_construct_octet_string("salt", (void *)(uintptr_t)salt, SEAL_SALT_SIZE),
        OSSL_PARAM_construct_octet_string("info", (void *)(uintptr_t)purpose, strlen(purpose)),
        OSSL_PARAM_construct_end(),
    };
    bool done = ctx != NULL && EVP_KDF_derive(ctx, out, SEAL_KEY_SIZE, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(hkdf);
    return done;
}

/* ---- AES-256-GCM ---- */

/* Two contexts, so that neither direction sets the key up again. */
struct seal_cipher {
    EVP_CIPHER_CTX *in, *out;
};

struct seal_cipher *seal_cipher_create(const uint8_t key[SEAL_KEY_SIZE])
{
    struct seal_cipher *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->in = EVP_CIPHER_CTX_new();
    c->out = EVP_CIPHER_CTX_new();
    if (c->in != NULL && c->out != NULL && EVP_EncryptInit_ex(c->in, EVP_aes_256_gcm(), NULL, key, NULL) == 1 &&
        EVP_DecryptInit_ex(c->out, EVP_aes_256_gcm(), NULL, key, NULL) == 1)
        return c;
    seal_cipher_destroy(c);
    return NULL;
}

void seal_cipher_destroy(struct seal_cipher *c)
{
    if (c == NULL)
        return;
    EVP_CIPHER_CTX_free(c->in); /* overwrites its key */
    EVP_CIPHER_CTX_free(c->out);
    free(c);
}

static void nonce_of(uint64_t counter, uint8_t nonce[NONCE_SIZE])
{
    memset(nonce, 0, NONCE_SIZE);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(counter >> 8 * i);
}

bool seal_encrypt(struct seal_cipher *c, uint64_t counter, struct bytes beside, struct bytes plain, uint8_t *out,
                  uint8_t tag[SEAL_TAG_SIZE])
{
    uint8_t nonce[NONCE_SIZE];
    int size;
    CHECK(counter > 0 && plain.size <= INT32_MAX && beside.size <= INT32_MAX);
    nonce_of(counter, nonce);
    return EVP_EncryptInit_ex(c->in, NULL, NULL, NULL, nonce) == 1 &&
           EVP_EncryptUpdate(c->in, NULL, &size, beside.at, (int)beside.size) == 1 &&
           EVP_EncryptUpdate(c->in, out, &size, plain.at, (int)plain.size) == 1 &&
           EVP_EncryptFinal_ex(c->in, out + size, &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(c->in, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_SIZE, tag) == 1;
}

bool seal_decrypt(struct seal_cipher *c, uint64_t counter, struct bytes beside, struct bytes sealed,
                  const uint8_t tag[SEAL_TAG_SIZE], uint8_t *out)
{
    uint8_t nonce[NONCE_SIZE];
    int size;
    if (sealed.size > INT32_MAX)
        return false;
    nonce_of(counter, nonce);
    return EVP_DecryptInit_ex(c->out, NULL, NULL, NULL, nonce) == 1 &&
           EVP_DecryptUpdate(c->out, NULL, &size, beside.at, (int)beside.size) == 1 &&
           EVP_DecryptUpdate(c->out, out, &size, sealed.at, (int)sealed.size) == 1 &&
           EVP_CIPHER_CTX_ctrl(c->out, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_SIZE, (void *)(uintptr_t)tag) == 1 &&
           EVP_DecryptFinal_ex(c->out, out + size, &size) == 1;
}

/* ---- HMAC ---- */

struct seal_mac {
    EVP_MAC_CTX *ctx;
};

struct seal_mac *seal_mac_create(const uint8_t key[SEAL_KEY_SIZE])
{
    char digest[] = "SHA256";
    struct seal_mac *m = calloc(1, sizeof *m);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end()};
    if (m != NULL && hmac != NULL)
        m->ctx = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    if (m != NULL && m->ctx != NULL && EVP_MAC_init(m->ctx, key, SEAL_KEY_SIZE, params) == 1)
        return m;
    seal_mac_destroy(m);
    return NULL;
}

void seal_mac_destroy(struct seal_mac *m)
{
    if (m == NULL)
        return;
    EVP_MAC_CTX_free(m->ctx);
    free(m);
}

bool seal_mac(struct seal_mac *m, struct bytes head, struct bytes body, uint8_t out[SEAL_MAC_SIZE])
{
    uint8_t whole[32];
    size_t size = 0;
    bool done = EVP_MAC_init(m->ctx, NULL, 0, NULL) == 1 && EVP_MAC_update(m->ctx, head.at, head.size) == 1 &&
                (body.size == 0 || EVP_MAC_update(m->ctx, body.at, body.size) == 1) &&
                EVP_MAC_final(m->ctx, whole, &size, sizeof whole) == 1;
    CHECK(!done || size == sizeof whole); /* of SHA-256 */
    if (done)
        memcpy(out, whole, SEAL_MAC_SIZE);
    return done;
}

bool seal_mac_equal(const uint8_t a[SEAL_MAC_SIZE], const uint8_t b[SEAL_MAC_SIZE])
{
    return CRYPTO_memcmp(a, b, SEAL_MAC_SIZE) == 0;
}
