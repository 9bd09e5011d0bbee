/* envelope.c - sealed frames as bytes. */
#include "sidecar/journal/sealed/envelope.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

#include <string.h>
#include <zlib.h>

#define HEADER_SIZE 8 /* size, checksum; as of a record */
#define FLAGS_AT    1
#define TIME_AT     2
#define FIXED_SIZE  19 /* no record is shorter */
#define CHAIN_SIZE  (2 * SEAL_MAC_SIZE)
#define KEY_SIZE    (4 + 8)

enum { IS_SEALED = 1, IS_CHAINED = 2 };

static uint8_t *put(uint8_t *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint64_t get(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

static size_t before_content(const struct envelope *e)
{
    return FIXED_SIZE + (e->chained ? CHAIN_SIZE : 0) + (e->sealed ? KEY_SIZE + SEAL_TAG_SIZE : 0);
}

bool envelope_is(struct bytes frame)
{
    return frame.size > HEADER_SIZE && frame.at[HEADER_SIZE] == SEALED_FORMAT;
}

bool envelope_read(struct bytes frame, struct envelope *e)
{
    memset(e, 0, sizeof *e);
    if (frame.size < HEADER_SIZE + FIXED_SIZE || get(frame.at, 4) != frame.size - HEADER_SIZE)
        return false;
    const uint8_t *body = frame.at + HEADER_SIZE;
    if (crc32(0, body, (uInt)(frame.size - HEADER_SIZE)) != get(frame.at + 4, 4) || body[0] != SEALED_FORMAT ||
        body[FLAGS_AT] > (IS_SEALED | IS_CHAINED))
        return false;
    e->sealed = (body[FLAGS_AT] & IS_SEALED) != 0;
    e->chained = (body[FLAGS_AT] & IS_CHAINED) != 0;
    e->at.us = (int64_t)get(body + TIME_AT, 8);
    size_t size = before_content(e);
    if (frame.size - HEADER_SIZE <= size)
        return false;
    const uint8_t *at = body + FIXED_SIZE;
    if (e->chained) {
        memcpy(e->previous, at, SEAL_MAC_SIZE);
        memcpy(e->mac, at + SEAL_MAC_SIZE, SEAL_MAC_SIZE);
        at += CHAIN_SIZE;
    }
    if (e->sealed) {
        e->slot = (uint32_t)get(at, 4);
        e->counter = get(at + 4, 8);
        memcpy(e->tag, at + KEY_SIZE, SEAL_TAG_SIZE);
    }
    e->content = bytes_of(body + size, frame.size - HEADER_SIZE - size);
    return e->counter > 0 || !e->sealed;
}

uint8_t *envelope_begin(const struct envelope *e, uint8_t *at)
{
    uint8_t *body = at + HEADER_SIZE;
    CHECK(HEADER_SIZE + before_content(e) <= ENVELOPE_SIZE_MAX && e->content.size > 0);
    memset(body, 0, FIXED_SIZE);
    body[0] = SEALED_FORMAT;
    body[FLAGS_AT] = (uint8_t)((e->sealed ? IS_SEALED : 0) | (e->chained ? IS_CHAINED : 0));
    put(body + TIME_AT, (uint64_t)e->at.us, 8);
    uint8_t *next = body + FIXED_SIZE;
    if (e->chained) {
        memcpy(next, e->previous, SEAL_MAC_SIZE);
        memcpy(next + SEAL_MAC_SIZE, e->mac, SEAL_MAC_SIZE);
        next += CHAIN_SIZE;
    }
    if (e->sealed)
        next = put(put(next, e->slot, 4), e->counter, 8) + SEAL_TAG_SIZE;
    CHECK(next == body + before_content(e));
    return next;
}

size_t envelope_end(const struct envelope *e, uint8_t *at)
{
    uint8_t *body = at + HEADER_SIZE;
    size_t size = before_content(e) + e->content.size;
    CHECK(size <= UINT32_MAX);                              /* it is found again by its size */
    CHECK(!e->sealed || e->counter > 0);                    /* no counter is none */
    CHECK(e->content.size > 0 && body[0] == SEALED_FORMAT); /* it was begun */
    if (e->sealed)
        memcpy(body + before_content(e) - SEAL_TAG_SIZE, e->tag, SEAL_TAG_SIZE);
    put(at, size, 4);
    put(at + 4, crc32(0, body, (uInt)size), 4);
    return HEADER_SIZE + size;
}

struct bytes envelope_bound(const struct envelope *e, char kind, uint64_t number, uint8_t out[ENVELOPE_BOUND_SIZE])
{
    uint8_t *at = out;
    *at++ = (uint8_t)kind;
    at = put(at, number, 8);
    at = put(at, (uint64_t)e->at.us, 8);
    at = put(at, e->sealed ? e->slot : 0, 4);
    at = put(at, e->sealed ? e->counter : 0, 8);
    CHECK(at == out + ENVELOPE_BOUND_SIZE);
    return bytes_of(out, (size_t)(at - out));
}
