/* place.c - from ids to loops. */
#include "sidecar/shard/place.h"

#include "sidecar/base/fnv.h"

int place_of_saga(const struct tags *tags, struct bytes text, unsigned loops)
{
    struct saga_id id;
    if (!saga_id_parse((const char *)text.at, text.size, &id))
        return -1;
    int told = tags_find(tags, id.tag);
    if (told >= 0)
        return told;
    unsigned loop = loops == 1 ? 0 : (unsigned)(id.tag & (SAGA_LOOPS_MAX - 1));
    return loop < loops ? (int)loop : -1;
}

/* Lets every bit of the hash bear on every other (the finalizer of MurmurHash3, which is in the public domain). */
static uint64_t mix(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

int place_of_request(const struct tags *tags, struct bytes request_id, unsigned loops)
{
    if (request_id.size == 0)
        return -1;
    uint64_t hash = fnv_add(FNV_START, request_id.at, request_id.size);
    return (int)(((tags->mixed ? mix(hash) : hash) >> 32) % loops);
}

uint64_t place_tag(uint64_t chance, unsigned loop, unsigned loops)
{
    uint64_t tag = chance & ((UINT64_C(1) << SAGA_ID_TAG_BITS) - 1);
    return loops == 1 ? tag : (tag & ~(uint64_t)(SAGA_LOOPS_MAX - 1)) | loop;
}
