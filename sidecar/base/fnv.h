/* fnv.h - the hash FNV-1a, 64 bits (https://www.rfc-editor.org/rfc/rfc9923). Good and quick for short texts, and the same everywhere; it
 * keeps nobody out who aims at a value. */
#ifndef SAGA_BASE_FNV_H
#define SAGA_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* The hash of what went into `hash` before (FNV_START: nothing), and of these bytes after it. */
static inline uint64_t fnv_add(uint64_t hash, const void *at, size_t size)
{
    const uint8_t *byte = at;
    for (; size >= 4; byte += 4, size -= 4) { /* four at a time: inputs are hashed whole */
        hash = (hash ^ byte[0]) * FNV_PRIME;
        hash = (hash ^ byte[1]) * FNV_PRIME;
        hash = (hash ^ byte[2]) * FNV_PRIME;
        hash = (hash ^ byte[3]) * FNV_PRIME;
    }
    for (; size > 0; byte++, size--)
        hash = (hash ^ *byte) * FNV_PRIME;
    return hash;
}

#endif
