/* recall.c - answers in slots, found by a hash of their names, in the order of their age. */
#include "sidecar/resilience/recall.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/error.h"
#include "sidecar/base/siphash.h"

#include <string.h>

#define FIRST_ROOM 16

/* With the name and the answer behind it. */
struct recall_entry {
    struct recall_entry *older, *newer;
    struct instant given_at;
    uint64_t hash;
    uint32_t slot, same; /* same: the next of its bucket, a slot from 1 */
    uint32_t name_size, answer_size;
};

void recall_init(struct recall *r, const struct memory *memory, const struct recall_options *options)
{
    *r = (struct recall){.memory = memory, .options = *options};
}

static size_t entry_size(size_t name, size_t answer)
{
    return sizeof(struct recall_entry) + name + answer;
}

static size_t size_of(const struct recall_entry *e)
{
    return entry_size(e->name_size, e->answer_size);
}

static struct bytes name_of(const struct recall_entry *e)
{
    return bytes_of((const uint8_t *)(e + 1), e->name_size);
}

static struct recalled seen(const struct recall_entry *e)
{
    return (struct recalled){.slot = e->slot,
                             .name = name_of(e),
                             .answer = bytes_of((const uint8_t *)(e + 1) + e->name_size, e->answer_size),
                             .given_at = e->given_at};
}

void recall_finish(struct recall *r)
{
    for (uint32_t i = 0; i < r->slot_count; i++)
        if (r->slots[i].entry != NULL)
            memory_give_back(r->memory, r->slots[i].entry, size_of(r->slots[i].entry));
    memory_give_back(r->memory, r->slots, r->slot_room * sizeof *r->slots);
    memory_give_back(r->memory, r->buckets, r->slot_room * sizeof *r->buckets);
    *r = (struct recall){.memory = r->memory, .options = r->options};
}

/* ---- where it is ---- */

static struct bytes until_nul(struct bytes text)
{
    const uint8_t *nul = text.size == 0 ? NULL : memchr(text.at, 0, text.size);
    return nul == NULL ? text : bytes_of(text.at, (size_t)(nul - text.at));
}

static struct bytes after_nul(struct bytes text)
{
    size_t size = until_nul(text).size;
    return size == text.size ? bytes_of(NULL, 0) : bytes_of(text.at + size + 1, text.size - size - 1);
}

static struct bytes key_of(struct bytes name)
{
    struct bytes key = after_nul(after_nul(name));
    key.size -= key.size > 0;
    return key;
}

/* Whatever the method: what is one's under one key is in one bucket. */
static uint64_t hash_of(const struct recall *r, struct bytes whose, struct bytes key)
{
    const uint64_t first[2] = {r->options.seed, 0}, second[2] = {r->options.seed, siphash(first, whose)};
    return siphash(second, key);
}

static uint64_t hash_of_name(const struct recall *r, struct bytes name)
{
    return hash_of(r, until_nul(name), key_of(name));
}

static uint32_t *bucket_of(const struct recall *r, uint64_t hash)
{
    return &r->buckets[hash % r->slot_room];
}

static struct recall_entry *find(const struct recall *r, struct bytes name, uint64_t hash)
{
    uint32_t at = r->slot_room == 0 ? 0 : *bucket_of(r, hash);
    while (at != 0) {
        struct recall_entry *e = r->slots[at - 1].entry;
        if (e->hash == hash && bytes_equal(name_of(e), name))
            return e;
        at = e->same;
    }
    return NULL;
}

static void put_in_bucket(struct recall *r, struct recall_entry *e)
{
    uint32_t *bucket = bucket_of(r, e->hash);
    e->same = *bucket;
    *bucket = e->slot + 1;
}

static void take_out_of_bucket(struct recall *r, const struct recall_entry *e)
{
    uint32_t *at = bucket_of(r, e->hash);
    while (*at != e->slot + 1)
        at = &r->slots[*at - 1].entry->same;
    *at = e->same;
}

/* Room for so many slots. Those that are there stay where they are. */
static int reserve(struct recall *r, uint32_t wanted)
{
    uint32_t room = r->slot_room == 0 ? FIRST_ROOM : r->slot_room;
    if (wanted <= r->slot_room)
        return 0;
    while (room < wanted)
        room *= 2;
    struct recall_slot *slots = r->memory->take_zeroed(r->memory->self, room * sizeof *slots);
    uint32_t *buckets = r->memory->take_zeroed(r->memory->self, room * sizeof *buckets);
    if (slots == NULL || buckets == NULL) {
        memory_give_back(r->memory, slots, room * sizeof *slots);
        memory_give_back(r->memory, buckets, room * sizeof *buckets);
        return E_MEMORY;
    }
    if (r->slot_count > 0)
        memcpy(slots, r->slots, r->slot_count * sizeof *slots);
    memory_give_back(r->memory, r->slots, r->slot_room * sizeof *r->slots);
    memory_give_back(r->memory, r->buckets, r->slot_room * sizeof *r->buckets);
    r->slots = slots;
    r->buckets = buckets;
    r->slot_room = room;
    for (uint32_t i = 0; i < r->slot_count; i++)
        if (slots[i].entry != NULL)
            put_in_bucket(r, slots[i].entry);
    return 0;
}

/* ---- by age ---- */

static void put_newest(struct recall *r, struct recall_entry *e)
{
    e->newer = NULL;
    e->older = r->newest;
    *(r->newest == NULL ? &r->oldest : &r->newest->newer) = e;
    r->newest = e;
}

static void take_out_of_row(struct recall *r, struct recall_entry *e)
{
    *(e->older == NULL ? &r->oldest : &e->older->newer) = e->newer;
    *(e->newer == NULL ? &r->newest : &e->newer->older) = e->older;
}

/* ---- keeping and forgetting ---- */

static void changed(struct recall *r, uint32_t slot)
{
    struct recall_slot *s = &r->slots[slot];
    if (s->changed)
        return;
    s->changed = true;
    s->next_changed = r->first_changed;
    r->first_changed = slot + 1;
}

static void forget(struct recall *r, struct recall_entry *e)
{
    uint32_t slot = e->slot;
    take_out_of_bucket(r, e);
    take_out_of_row(r, e);
    CHECK(r->count > 0 && r->bytes >= size_of(e) && r->slots[slot].entry == e);
    r->count--;
    r->bytes -= size_of(e);
    r->changed_bytes -= r->slots[slot].changed ? size_of(e) : 0;
    memory_give_back(r->memory, e, size_of(e));
    r->slots[slot].entry = NULL;
    r->slots[slot].next_free = r->first_free;
    r->first_free = slot + 1;
    changed(r, slot);
}

/* The oldest give way until one more of this size fits. */
static bool make_room(struct recall *r, size_t size)
{
    if (r->options.answers_max == 0 || size > r->options.bytes_max)
        return false;
    while (r->count > 0 && !DEFECT(RECALL_UNBOUNDED) &&
           (r->count >= r->options.answers_max || r->bytes + size > r->options.bytes_max)) {
        forget(r, r->oldest);
        r->evicted++;
    }
    return true;
}

static uint32_t free_slot(struct recall *r)
{
    uint32_t at = r->first_free;
    if (at == 0)
        return r->slot_count++;
    r->first_free = r->slots[at - 1].next_free;
    return at - 1;
}

static struct recall_entry *make(struct recall *r, struct bytes name, struct bytes answer, struct instant given_at)
{
    struct recall_entry *e = memory_take(r->memory, entry_size(name.size, answer.size));
    if (e == NULL)
        return NULL;
    *e = (struct recall_entry){.given_at = given_at,
                               .hash = hash_of_name(r, name),
                               .name_size = (uint32_t)name.size,
                               .answer_size = (uint32_t)answer.size};
    memcpy(e + 1, name.at, name.size);
    if (answer.size > 0)
        memcpy((uint8_t *)(e + 1) + name.size, answer.at, answer.size);
    return e;
}

static void put(struct recall *r, struct recall_entry *e, uint32_t slot)
{
    e->slot = slot;
    r->slots[slot].entry = e;
    r->count++;
    r->bytes += size_of(e);
    put_in_bucket(r, e);
    put_newest(r, e);
}

void recall_keep(struct recall *r, struct bytes name, struct bytes answer, struct instant now)
{
    CHECK(name.size > 0 && name.size <= RECALL_NAME_BYTES_MAX);
    struct recall_entry *before = find(r, name, hash_of_name(r, name));
    if (before != NULL)
        forget(r, before);
    if (answer.size > RECALL_ANSWER_BYTES_MAX || !make_room(r, entry_size(name.size, answer.size)))
        return;
    struct recall_entry *e = NULL;
    if ((r->first_free == 0 && reserve(r, r->slot_count + 1) != 0) || (e = make(r, name, answer, now)) == NULL)
        return;
    put(r, e, free_slot(r));
    changed(r, e->slot);
    r->changed_bytes += size_of(e);
}

bool recall_find(const struct recall *r, struct bytes name, struct span age, struct instant now, struct recalled *out)
{
    const struct recall_entry *e = find(r, name, hash_of_name(r, name));
    *out = (struct recalled){.given_at = {0}};
    if (e == NULL)
        return false;
    /* One from the future tells that the clock went back, and not how old it is. */
    int64_t old = instant_since(now, e->given_at).us;
    out->given_at = e->given_at;
    if ((old < 0 || old > span_min(age, r->options.age_max).us) && !DEFECT(RECALL_TOO_OLD))
        return false;
    *out = seen(e);
    return true;
}

void recall_forget(struct recall *r, struct bytes whose, struct bytes key)
{
    uint64_t hash = hash_of(r, whose, key);
    uint32_t at = r->slot_room == 0 ? 0 : *bucket_of(r, hash);
    while (at != 0) {
        struct recall_entry *e = r->slots[at - 1].entry;
        struct bytes name = name_of(e);
        at = e->same;
        if (e->hash == hash && bytes_equal(until_nul(name), whose) && bytes_equal(key_of(name), key))
            forget(r, e);
    }
}

struct instant recall_due(const struct recall *r)
{
    return r->oldest == NULL ? INSTANT_NEVER : instant_after(r->oldest->given_at, r->options.age_max);
}

void recall_expire(struct recall *r, struct instant now, unsigned most)
{
    for (; most > 0 && r->oldest != NULL && instant_before(recall_due(r), now); most--)
        forget(r, r->oldest);
}

bool recall_next_changed(struct recall *r, struct recalled *out)
{
    if (r->first_changed == 0)
        return false;
    uint32_t slot = r->first_changed - 1;
    struct recall_slot *s = &r->slots[slot];
    CHECK(s->changed && slot < r->slot_count);
    r->first_changed = s->next_changed;
    s->changed = false;
    r->changed_bytes -= s->entry == NULL ? 0 : size_of(s->entry);
    *out = s->entry == NULL ? (struct recalled){.slot = slot} : seen(s->entry);
    return true;
}

/* ---- recovery ---- */

/* A slot is the place of a row: more than the number of answers that there ever may be is none of ours. */
#define SLOTS_MAX (UINT32_C(1) << 24)

int recall_restore(struct recall *r, const struct recalled *one)
{
    if (one->slot >= SLOTS_MAX || one->name.size == 0 || one->name.size > RECALL_NAME_BYTES_MAX ||
        one->answer.size > RECALL_ANSWER_BYTES_MAX)
        return E_JOURNAL_CORRUPT;
    if (reserve(r, one->slot + 1) != 0)
        return E_MEMORY;
    if (one->slot >= r->slot_count)
        r->slot_count = one->slot + 1;
    if (r->slots[one->slot].entry != NULL || find(r, one->name, hash_of_name(r, one->name)) != NULL)
        return E_JOURNAL_CORRUPT;
    struct recall_entry *e = make(r, one->name, one->answer, one->given_at);
    if (e == NULL)
        return E_MEMORY;
    put(r, e, one->slot);
    return 0;
}

/* Two rows by age, as one; linked by newer alone. */
static struct recall_entry *merge(struct recall_entry *a, struct recall_entry *b)
{
    struct recall_entry *first = NULL, **end = &first;
    while (a != NULL && b != NULL) {
        struct recall_entry **take = instant_before(b->given_at, a->given_at) ? &b : &a;
        *end = *take;
        end = &(*take)->newer;
        *take = (*take)->newer;
    }
    *end = a != NULL ? a : b;
    return first;
}

/* Rows of 1, 2, 4, ... entries are merged as they fill. */
static struct recall_entry *sort(struct recall_entry *first)
{
    struct recall_entry *rows[32] = {NULL}, *all = NULL;
    while (first != NULL) {
        struct recall_entry *row = first;
        first = first->newer;
        row->newer = NULL;
        unsigned i = 0;
        for (; i < 31 && rows[i] != NULL; i++) {
            row = merge(rows[i], row);
            rows[i] = NULL;
        }
        rows[i] = row;
    }
    for (unsigned i = 0; i < 32; i++)
        all = merge(rows[i], all);
    return all;
}

void recall_restored(struct recall *r)
{
    struct recall_entry *e = sort(r->oldest);
    r->oldest = r->newest = NULL;
    while (e != NULL) {
        struct recall_entry *next = e->newer;
        put_newest(r, e);
        e = next;
    }
    for (uint32_t i = r->slot_count; i > 0; i--)
        if (r->slots[i - 1].entry == NULL) {
            r->slots[i - 1].next_free = r->first_free;
            r->first_free = i;
        }
    while (r->count > 0 && (r->count > r->options.answers_max || r->bytes > r->options.bytes_max))
        forget(r, r->oldest);
    recall_check(r);
}

void recall_check(const struct recall *r)
{
    CHECK(r->count <= r->slot_count && r->slot_count <= r->slot_room);
    CHECK((r->count == 0) == (r->bytes == 0) && (r->oldest == NULL) == (r->count == 0));
    CHECK((r->oldest == NULL) == (r->newest == NULL));
    CHECK(r->changed_bytes <= r->bytes && (r->first_changed != 0 || r->changed_bytes == 0));
    CHECK(r->count == 0 || (r->oldest->older == NULL && r->newest->newer == NULL));
    CHECK(r->count == 0 || DEFECT(RECALL_UNBOUNDED) ||
          (r->count <= r->options.answers_max && r->bytes <= r->options.bytes_max));
}
