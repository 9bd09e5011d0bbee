/* catalog.c - a sorted array of definitions, and the same by number. What is added stands behind what is in order until somebody looks: a start
 * with many sorts them once. */
#include "sidecar/core/catalog.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/reader.h"

#include <stdlib.h>

/* So many are put in their places one by one; more are sorted with all the rest. */
#define INSERTED_MAX 8

struct order {
    struct catalog_entry *entries;
    uint32_t count, room;
    uint32_t sorted; /* the first so many are in order */
};

struct catalog {
    uint32_t definitions_max;
    uint32_t number_max;
    struct order *order;           /* by name, then version */
    struct definition **by_number; /* index number - 1 */
    uint32_t by_number_room;
};

int catalog_create(uint32_t definitions_max, struct catalog **out)
{
    struct catalog *c = calloc(1, sizeof *c);
    struct order *order = calloc(1, sizeof *order);
    if (c == NULL || order == NULL) {
        free(c);
        free(order);
        return E_MEMORY;
    }
    c->definitions_max = definitions_max;
    c->order = order;
    *out = c;
    return 0;
}

void catalog_destroy(struct catalog *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->order->count; i++)
        definition_destroy(c->order->entries[i].definition);
    free(c->order->entries);
    free(c->order);
    free(c->by_number);
    free(c);
}

static int name_compare(struct bytes a, struct bytes b)
{
    int order = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Versions of equal precedence (they differ in build metadata only) are told apart by their text. */
static int version_compare(const char *a, const char *b)
{
    int order = definition_version_compare(a, b);
    return order != 0 ? order : strcmp(a, b);
}

static int entry_compare(const struct definition *a, const struct definition *b)
{
    int order = name_compare(bytes_of_text(a->name), bytes_of_text(b->name));
    return order != 0 ? order : version_compare(a->version, b->version);
}

static int by_name(const void *a, const void *b)
{
    return entry_compare(((const struct catalog_entry *)a)->definition, ((const struct catalog_entry *)b)->definition);
}

/* The first of the sorted entries that is not below what is looked for, as `below` says. */
static uint32_t lower_bound(const struct order *o, bool (*below)(const struct definition *d, const void *key),
                            const void *key)
{
    uint32_t low = 0;
    uint32_t high = o->sorted;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (below(o->entries[middle].definition, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool below_definition(const struct definition *d, const void *key)
{
    return entry_compare(d, key) < 0;
}

static void check_distinct(const struct order *o, uint32_t at)
{
    CHECK(at == 0 || entry_compare(o->entries[at - 1].definition, o->entries[at].definition) < 0);
}

/* Puts what was added into its place. */
static void put_in_order(struct order *o)
{
    CHECK(o->sorted <= o->count && o->count <= o->room);
    if (o->count - o->sorted > INSERTED_MAX) {
        qsort(o->entries, o->count, sizeof *o->entries, by_name);
        o->sorted = o->count;
        for (uint32_t i = 1; i < o->count; i++)
            check_distinct(o, i);
    }
    while (o->sorted < o->count) {
        struct catalog_entry entry = o->entries[o->sorted];
        uint32_t at = lower_bound(o, below_definition, entry.definition);
        memmove(o->entries + at + 1, o->entries + at, (o->sorted - at) * sizeof *o->entries);
        o->entries[at] = entry;
        o->sorted++;
        check_distinct(o, at);
        if (at + 1 < o->sorted)
            check_distinct(o, at + 1);
    }
}

static int make_room(struct catalog *c, uint32_t number)
{
    struct order *o = c->order;
    if (o->count == o->room) {
        uint32_t room = o->room == 0 ? 16 : o->room * 2;
        struct catalog_entry *entries = realloc(o->entries, room * sizeof *entries);
        if (entries == NULL)
            return E_MEMORY;
        o->entries = entries;
        o->room = room;
    }
    if (number <= c->by_number_room)
        return 0;
    uint32_t room = number < 16 ? 16 : number * 2;
    struct definition **by_number = realloc(c->by_number, room * sizeof *by_number);
    if (by_number == NULL)
        return E_MEMORY;
    memset(by_number + c->by_number_room, 0, (room - c->by_number_room) * sizeof *by_number);
    c->by_number = by_number;
    c->by_number_room = room;
    return 0;
}

bool catalog_is_full(const struct catalog *c)
{
    return c->order->count >= c->definitions_max;
}

int catalog_add(struct catalog *c, struct definition *definition, struct instant registered_at,
                struct error_detail *detail)
{
    if (definition->number == 0 && catalog_is_full(c))
        return error_set(detail, E_DEFINITIONS, "", NULL);
    uint32_t number = definition->number != 0 ? definition->number : c->number_max + 1;
    if (make_room(c, number) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    CHECK(c->by_number[number - 1] == NULL); /* a number is given once */
    definition->number = number;
    c->order->entries[c->order->count++] =
        (struct catalog_entry){.definition = definition, .registered_at = registered_at};
    c->by_number[number - 1] = definition;
    if (number > c->number_max)
        c->number_max = number;
    return 0;
}

/* What is looked for: a name, and a version or the end of the name's versions. */
struct wanted {
    struct bytes name;
    const char *version; /* NULL: behind the last */
};

static bool below_wanted(const struct definition *d, const void *key)
{
    const struct wanted *wanted = key;
    int order = name_compare(bytes_of_text(d->name), wanted->name);
    if (order != 0)
        return order < 0;
    return wanted->version == NULL || version_compare(d->version, wanted->version) < 0;
}

const struct catalog_entry *catalog_find(const struct catalog *c, struct bytes name, struct bytes version)
{
    struct order *o = c->order;
    char text[VERSION_BYTES_MAX + 1];
    struct wanted wanted = {.name = name};
    put_in_order(o);
    if (version.size > VERSION_BYTES_MAX)
        return NULL;
    if (version.size > 0) {
        memcpy(text, version.at, version.size);
        text[version.size] = '\0';
        if (strlen(text) != version.size || !definition_version_valid(text))
            return NULL; /* nothing is registered under what is no version */
        wanted.version = text;
    }
    uint32_t at = lower_bound(o, below_wanted, &wanted);
    if (version.size == 0 && at-- == 0) /* the last entry of this name is its highest version */
        return NULL;
    if (at == o->count)
        return NULL;
    /* What is only tried out is taken when it is asked for. */
    while (version.size == 0 && at > 0 && definition_version_is_prerelease(o->entries[at].definition->version) &&
           bytes_equal(bytes_of_text(o->entries[at].definition->name), name))
        at--;
    const struct definition *d = o->entries[at].definition;
    bool found = bytes_equal(bytes_of_text(d->name), name) &&
                 (version.size == 0 || bytes_equal(bytes_of_text(d->version), version));
    if (found && version.size == 0 && definition_version_is_prerelease(d->version))
        return NULL;
    return found ? &o->entries[at] : NULL;
}

const struct definition *catalog_by_number(const struct catalog *c, uint32_t number)
{
    return number == 0 || number > c->by_number_room ? NULL : c->by_number[number - 1];
}

const struct catalog_entry *catalog_at(const struct catalog *c, uint32_t index)
{
    put_in_order(c->order);
    return index < c->order->count ? &c->order->entries[index] : NULL;
}

uint32_t catalog_count(const struct catalog *c)
{
    return c->order->count;
}
