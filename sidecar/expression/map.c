/* Keys are found by their hash when there are many, else one by one. */
#include "sidecar/expression/map.h"

#include "sidecar/base/fnv.h"

static uint32_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(h ^ h >> 33);
}

/* Equal keys have one hash. */
static uint32_t key_hash(const struct datum *key)
{
    switch (key->kind) {
    case DATUM_STRING:
        return mix(fnv_add(FNV_START, key->text, key->size));
    case DATUM_BOOL:
        return key->b;
    default:
        return mix(key->u);
    }
}

static bool keys_equal(const struct datum *a, const struct datum *b)
{
    return datum_compare(a, b) == 0;
}

/* The whole number that a double is exactly: no key is a double, and one that is only near to a key is another. */
static bool whole_of(double d, struct datum *whole)
{
    if (d >= 9223372036854775808.0 && d < 18446744073709551616.0) {
        *whole = datum_uint((uint64_t)d);
        return true;
    }
    bool fits = d >= -9223372036854775808.0 && d < 9223372036854775808.0;
    *whole = datum_int(fits ? (int64_t)d : 0);
    return fits && (double)whole->i == d;
}

int64_t map_find(const struct datum *map, const struct datum *key)
{
    const struct datum *entries = map->map->entries;
    struct datum whole;
    if (key->kind == DATUM_DOUBLE) {
        if (!whole_of(key->d, &whole))
            return -1;
        key = &whole;
    }
    if (map->map->slots == NULL) {
        for (uint32_t i = 0; i < map->size; i++)
            if (keys_equal(&entries[2 * i], key))
                return i;
        return -1;
    }
    uint32_t mask = map->map->slot_mask;
    for (uint32_t slot = key_hash(key) & mask;; slot = (slot + 1) & mask) {
        uint32_t found = map->map->slots[slot];
        if (found == 0)
            return -1;
        if (keys_equal(&entries[2 * (found - 1)], key))
            return found - 1;
    }
}

/* Fewer are looked at one by one. */
#define SLOTS_FROM 9

bool map_key_allowed(const struct datum *key)
{
    return key->kind == DATUM_BOOL || key->kind == DATUM_INT || key->kind == DATUM_UINT || key->kind == DATUM_STRING;
}

bool map_builder_init(struct map_builder *b, struct pool *p, uint32_t capacity)
{
    *b = (struct map_builder){.capacity = capacity};
    if (capacity >= SLOTS_FROM) {
        uint32_t slots = 16;
        while (slots < 2 * capacity)
            slots *= 2;
        b->slots = pool_take_zeroed(p, slots, sizeof *b->slots);
        b->mask = slots - 1;
        if (b->slots == NULL)
            return false;
    }
    b->entries = pool_take_zeroed(p, 2 * (size_t)capacity, sizeof *b->entries);
    b->map = pool_take(p, sizeof *b->map);
    return b->entries != NULL && b->map != NULL;
}

bool map_builder_add(struct map_builder *b, const struct datum *key, const struct datum *value, bool replace)
{
    uint32_t slot = 0, at = b->count;
    if (b->slots != NULL) {
        for (slot = key_hash(key) & b->mask; b->slots[slot] != 0; slot = (slot + 1) & b->mask)
            if (keys_equal(&b->entries[2 * (b->slots[slot] - 1)], key))
                break;
        if (b->slots[slot] != 0)
            at = b->slots[slot] - 1;
    } else {
        for (at = 0; at < b->count && !keys_equal(&b->entries[2 * at], key);)
            at++;
    }
    if (at < b->count && !replace)
        return false;
    if (at == b->count) {
        b->count++;
        if (b->slots != NULL)
            b->slots[slot] = b->count;
    }
    b->entries[2 * at] = *key;
    b->entries[2 * at + 1] = *value;
    return true;
}

struct datum map_builder_finish(const struct map_builder *b)
{
    *b->map = (struct datum_map){.entries = b->entries, .slots = b->slots, .slot_mask = b->mask};
    return (struct datum){.kind = DATUM_MAP, .size = b->count, .map = b->map};
}
