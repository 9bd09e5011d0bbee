/* tags.c - a sorted array: it is made once, and looked into for each request of a saga. A journal gives its tags in order, so that most
 * are added at the end. */
#include "sidecar/shard/tags.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"

#include <string.h>

/* The first of them that is not below tag. */
static size_t place(const struct tags *t, uint64_t tag)
{
    size_t low = 0;
    size_t high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->all[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    CHECK(low == 0 || t->all[low - 1].tag < tag); /* they are in order */
    return low;
}

int tags_add(struct tags *t, const struct memory *memory, uint64_t tag, unsigned loop)
{
    CHECK(t->count <= t->room);
    size_t at = place(t, tag);
    if (at < t->count && t->all[at].tag == tag) {
        t->all[at].loop = loop;
        return 0;
    }
    if (t->count == t->room) {
        size_t room = t->room == 0 ? 16 : t->room * 2;
        struct tag_place *all = memory_take(memory, room * sizeof *all);
        if (all == NULL)
            return E_MEMORY;
        if (t->count > 0)
            memcpy(all, t->all, t->count * sizeof *all);
        memory_give_back(memory, t->all, t->room * sizeof *all);
        t->all = all;
        t->room = room;
    }
    memmove(t->all + at + 1, t->all + at, (t->count - at) * sizeof *t->all);
    t->all[at] = (struct tag_place){.tag = tag, .loop = loop};
    t->count++;
    return 0;
}

int tags_find(const struct tags *t, uint64_t tag)
{
    size_t at = place(t, tag);
    return at < t->count && t->all[at].tag == tag ? (int)t->all[at].loop : -1;
}

void tags_drop(struct tags *t, unsigned loop)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++)
        if (t->all[i].loop != loop)
            t->all[kept++] = t->all[i];
    t->count = kept;
}

void tags_finish(struct tags *t, const struct memory *memory)
{
    memory_give_back(memory, t->all, t->room * sizeof *t->all);
    *t = (struct tags){0};
}
