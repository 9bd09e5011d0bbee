/* pool.c - blocks in a chain, the newest first; the newest alone is taken from. */
#include "sidecar/base/pool.h"

#include "sidecar/base/check.h"

#include <stdalign.h>

#define BLOCK_BYTES_MIN 4096
#define BLOCK_BYTES_MAX 65536
#define ALIGNMENT       alignof(max_align_t)

struct pool_block {
    struct pool_block *older;
    size_t room, used; /* of bytes */
    alignas(max_align_t) uint8_t bytes[];
};

void pool_init(struct pool *p, const struct memory *memory, size_t bytes_max)
{
    *p = (struct pool){.memory = memory, .bytes_max = bytes_max};
}

static void drop_newest(struct pool *p)
{
    struct pool_block *block = p->newest;
    size_t size = sizeof *block + block->room;
    p->newest = block->older;
    CHECK(p->bytes >= size);
    p->bytes -= size;
    memory_give_back(p->memory, block, size);
}

void pool_finish(struct pool *p)
{
    while (p->newest != NULL)
        drop_newest(p);
}

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

bool pool_is_full(const struct pool *p, size_t size)
{
    return size > p->bytes_max || aligned(size) + sizeof(struct pool_block) > p->bytes_max - p->bytes;
}

/* Each block is as large as all before it, within bounds: few blocks for much, and little for little. */
static bool add_block(struct pool *p, size_t size)
{
    if (pool_is_full(p, size))
        return false;
    size_t left = p->bytes_max - p->bytes - sizeof(struct pool_block);
    size_t room = p->bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : p->bytes;
    if (room > BLOCK_BYTES_MAX)
        room = BLOCK_BYTES_MAX;
    room -= sizeof(struct pool_block);
    if (room > left)
        room = left / ALIGNMENT * ALIGNMENT;
    if (room < size)
        room = size;
    struct pool_block *block = memory_take(p->memory, sizeof *block + room);
    if (block == NULL) {
        p->starved = true;
        return false;
    }
    *block = (struct pool_block){.older = p->newest, .room = room};
    p->newest = block;
    p->bytes += sizeof *block + room;
    return true;
}

void *pool_take(struct pool *p, size_t size)
{
    if (size > p->bytes_max)
        return NULL;
    size = aligned(size);
    if ((p->newest == NULL || size > p->newest->room - p->newest->used) && !add_block(p, size))
        return NULL;
    void *at = p->newest->bytes + p->newest->used;
    p->newest->used += size;
    return at;
}

void *pool_take_zeroed(struct pool *p, size_t count, size_t size)
{
    if (size != 0 && count > p->bytes_max / size)
        return NULL;
    void *at = pool_take(p, count * size);
    return at == NULL ? NULL : memset(at, 0, count * size);
}

void *pool_grow(struct pool *p, void *at, size_t old_size, size_t size)
{
    CHECK(size >= old_size);
    struct pool_block *block = p->newest;
    if (at != NULL && size <= p->bytes_max && (uint8_t *)at + aligned(old_size) == block->bytes + block->used) {
        size_t begin = (size_t)((uint8_t *)at - block->bytes);
        if (aligned(size) <= block->room - begin) {
            block->used = begin + aligned(size);
            return at;
        }
    }
    void *copy = pool_take(p, size);
    if (copy != NULL && old_size != 0)
        memcpy(copy, at, old_size);
    return copy;
}

struct bytes pool_copy(struct pool *p, struct bytes text)
{
    uint8_t *at = text.size == SIZE_MAX ? NULL : pool_take(p, text.size + 1);
    if (at == NULL)
        return bytes_of(NULL, 0);
    if (text.size != 0)
        memcpy(at, text.at, text.size);
    at[text.size] = 0;
    return bytes_of(at, text.size);
}

struct pool_mark pool_mark(const struct pool *p)
{
    return (struct pool_mark){.block = p->newest, .used = p->newest == NULL ? 0 : p->newest->used};
}

void pool_rewind(struct pool *p, struct pool_mark mark)
{
    while (p->newest != mark.block && p->newest != NULL && (mark.block != NULL || p->newest->older != NULL))
        drop_newest(p);
    if (p->newest == NULL)
        return;
    CHECK(p->newest->used >= mark.used || mark.block == NULL);
    p->newest->used = mark.block == NULL ? 0 : mark.used;
}
