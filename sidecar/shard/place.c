/* place.c - from ids to loops. */
#include "sidecar/shard/place.h"

#include "sidecar/base/fnv.h"

int place_of_saga(const struct tags *tags, struct bytes text, unsigned loops)
{
    struct saga_id id;
    if (!saga_id_parse((const char *)text.at, text.size, &id))
        return -1;
    int told = tags_find(tags, id.tag);
    unsigned loop = told >= 0 ? (unsigned)told : loops == 1 ? 0 : (unsigned)(id.tag & (SAGA_LOOPS_MAX - 1));
    return loop < loops ? (int)loop : -1;
}

int place_of_request(struct bytes request_id, unsigned loops)
{
    if (request_id.size == 0)
        return -1;
    return (int)((fnv_add(FNV_START, request_id.at, request_id.size) >> 32) % loops);
}

uint64_t place_tag(uint64_t chance, unsigned loop, unsigned loops)
{
    uint64_t tag = chance & ((UINT64_C(1) << SAGA_ID_TAG_BITS) - 1);
    return loops == 1 ? tag : (tag & ~(uint64_t)(SAGA_LOOPS_MAX - 1)) | loop;
}
