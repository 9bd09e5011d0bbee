/* catalog.c - a sorted array of definitions, and the same by number: they are few, and rarely change. */
#include "sidecar/core/catalog.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/reader.h"

#include <stdlib.h>

struct catalog {
    uint32_t definitions_max;
    uint32_t count;
    uint32_t number_max;
    struct catalog_entry *sorted;
    struct definition **by_number; /* index number - 1 */
    uint32_t by_number_room;
};

int catalog_create(uint32_t definitions_max, struct catalog **out)
{
    struct catalog *c = calloc(1, sizeof *c);
    if (c == NULL)
        return E_MEMORY;
    c->definitions_max = definitions_max;
    *out = c;
    return 0;
}

void catalog_destroy(struct catalog *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->count; i++)
        definition_destroy(c->sorted[i].definition);
    free(c->sorted);
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

static int make_room(struct catalog *c, uint32_t number)
{
    struct catalog_entry *sorted = realloc(c->sorted, (c->count + 1) * sizeof *sorted);
    if (sorted == NULL)
        return E_MEMORY;
    c->sorted = sorted;
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

int catalog_add(struct catalog *c, struct definition *definition, struct instant registered_at,
                struct error_detail *detail)
{
    if (definition->number == 0 && c->count >= c->definitions_max)
        return error_set(detail, E_DEFINITIONS, "", NULL);
    uint32_t number = definition->number != 0 ? definition->number : c->number_max + 1;
    if (make_room(c, number) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    uint32_t index = c->count;
    while (index > 0 && entry_compare(definition, c->sorted[index - 1].definition) < 0) {
        c->sorted[index] = c->sorted[index - 1];
        index--;
    }
    CHECK(index == 0 || entry_compare(definition, c->sorted[index - 1].definition) != 0);
    definition->number = number;
    c->sorted[index] = (struct catalog_entry){.definition = definition, .registered_at = registered_at};
    c->by_number[number - 1] = definition;
    c->count++;
    if (number > c->number_max)
        c->number_max = number;
    return 0;
}

const struct catalog_entry *catalog_find(const struct catalog *c, struct bytes name, struct bytes version)
{
    /* The last entry of this name is its highest version. */
    for (uint32_t i = c->count; i > 0; i--) {
        const struct definition *d = c->sorted[i - 1].definition;
        if (bytes_equal(bytes_of_text(d->name), name) &&
            (version.size == 0 || bytes_equal(bytes_of_text(d->version), version)))
            return &c->sorted[i - 1];
    }
    return NULL;
}

const struct definition *catalog_by_number(const struct catalog *c, uint32_t number)
{
    return number == 0 || number > c->by_number_room ? NULL : c->by_number[number - 1];
}

const struct catalog_entry *catalog_at(const struct catalog *c, uint32_t index)
{
    return index < c->count ? &c->sorted[index] : NULL;
}

uint32_t catalog_count(const struct catalog *c)
{
    return c->count;
}
