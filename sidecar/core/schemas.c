/* schemas.c - a chain of sets, a sorted array of names, and the pins of definitions while they are recovered. */
#include "sidecar/core/schemas.h"

#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct pin {
    uint32_t definition;
    const struct schema_set *set;
};

struct schemas {
    uint32_t sets_max, set_count;
    struct schema_set *sets;
    struct schema_entry **sorted;
    uint32_t count;
    struct pin *pins; /* as the journal says; those of this run are in the definitions */
    size_t pin_count;
    const struct schema_set *fixed; /* of the definition that is being read */
    struct error_detail *detail;
};

int schemas_create(uint32_t sets_max, struct schemas **out)
{
    struct schemas *s = calloc(1, sizeof *s);
    if (s == NULL)
        return E_MEMORY;
    s->sets_max = sets_max;
    *out = s;
    return 0;
}

static void destroy_set(struct schema_set *set)
{
    if (set == NULL)
        return;
    schema_destroy(set->schema);
    free((void *)(uintptr_t)set->bytes.at);
    free(set);
}

void schemas_destroy(struct schemas *s)
{
    if (s == NULL)
        return;
    for (struct schema_set *set = s->sets, *next; set != NULL; set = next) {
        next = set->next;
        destroy_set(set);
    }
    for (uint32_t i = 0; i < s->count; i++)
        free(s->sorted[i]);
    free(s->sorted);
    free(s->pins);
    free(s);
}

static struct schema_set *find_set(const struct schemas *s, struct bytes hash)
{
    for (struct schema_set *set = s->sets; set != NULL; set = set->next)
        if (bytes_equal(bytes_of_text(set->hash), hash))
            return set;
    return NULL;
}

const struct schema_set *schemas_find_set(const struct schemas *s, struct bytes hash)
{
    return find_set(s, hash);
}

static struct bytes copy_of(struct bytes bytes)
{
    uint8_t *at = malloc(bytes.size + 1);
    if (at != NULL && bytes.size > 0)
        memcpy(at, bytes.at, bytes.size);
    return bytes_of(at, bytes.size);
}

/* Reads and copies a set that is not there yet. */
static int make_set(const struct schemas *s, struct bytes bytes, const char *hash, struct schema_set **out,
                    struct error_detail *detail)
{
    if (s->set_count >= s->sets_max)
        return error_set(detail, E_SCHEMAS, "descriptors", NULL);
    struct schema_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    memcpy(set->hash, hash, sizeof set->hash);
    set->bytes = copy_of(bytes);
    int code = set->bytes.at == NULL ? error_set(detail, E_MEMORY, "", NULL)
                                     : schema_read(set->bytes, &heap, &set->schema, detail);
    if (code != 0) {
        destroy_set(set);
        return code;
    }
    *out = set;
    return 0;
}

static void keep_set(struct schemas *s, struct schema_set *set)
{
    set->next = s->sets;
    s->sets = set;
    s->set_count++;
}

static int name_compare(struct bytes a, struct bytes b)
{
    int order = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The index at which the name is, or belongs. */
static uint32_t place_of(const struct schemas *s, struct bytes name)
{
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (name_compare(bytes_of_text(s->sorted[middle]->name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct schema_entry *schemas_find(const struct schemas *s, struct bytes name)
{
    uint32_t place = place_of(s, name);
    return place < s->count && bytes_equal(bytes_of_text(s->sorted[place]->name), name) ? s->sorted[place] : NULL;
}

/* Makes a name, and room for it among the others. Gives NULL when it is there already. */
static int make_name(struct schemas *s, struct bytes name, struct schema_entry **out, struct error_detail *detail)
{
    CHECK(definition_name_valid(name, NAME_BYTES_MAX));
    *out = NULL;
    if (schemas_find(s, name) != NULL)
        return 0;
    struct schema_entry **sorted = realloc(s->sorted, (s->count + 1) * sizeof *sorted);
    if (sorted == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    s->sorted = sorted;
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    memcpy((*out)->name, name.at, name.size);
    return 0;
}

/* Takes made, which make_name gave for this name. */
static const struct schema_entry *set_name(struct schemas *s, struct bytes name, struct schema_entry *made,
                                           const struct schema_set *set, struct instant now)
{
    uint32_t place = place_of(s, name);
    if (made != NULL) {
        memmove(s->sorted + place + 1, s->sorted + place, (s->count - place) * sizeof(*s->sorted));
        s->sorted[place] = made;
        s->count++;
    }
    s->sorted[place]->set = set;
    s->sorted[place]->registered_at = now;
    return s->sorted[place];
}

const struct schema_entry *schemas_at(const struct schemas *s, uint32_t index)
{
    return index < s->count ? s->sorted[index] : NULL;
}

uint32_t schemas_count(const struct schemas *s)
{
    return s->count;
}

/* ---- what is durable ---- */

/* Room for the value of a name's row. */
#define NAME_VALUE_SIZE (8 + SHA256_TEXT_SIZE - 1)

static struct subject_row row_of_set(const struct schema_set *set)
{
    return (struct subject_row){
        .kind = SUBJECT_SCHEMA, .name = bytes_of_text(set->hash), .version = 1, .value = set->bytes};
}

static struct subject_row row_of_name(struct bytes name, const struct schema_set *set, struct instant now,
                                      uint8_t room[NAME_VALUE_SIZE])
{
    for (unsigned i = 0; i < 8; i++)
        room[i] = (uint8_t)((uint64_t)now.us >> (8 * i));
    memcpy(room + 8, set->hash, SHA256_TEXT_SIZE - 1);
    return (struct subject_row){
        .kind = SUBJECT_SCHEMA_NAME, .name = name, .version = 1, .value = bytes_of(room, NAME_VALUE_SIZE)};
}

struct subject_row schemas_row_of_pin(uint32_t definition, const char *hash, char room[16])
{
    snprintf(room, 16, "%" PRIu32, definition);
    return (struct subject_row){
        .kind = SUBJECT_PIN, .name = bytes_of_text(room), .version = 1, .value = bytes_of_text(hash)};
}

/* A set under a name, looked at before anything changes. */
struct offer {
    char hash[SHA256_TEXT_SIZE];
    struct schema_set *there; /* the set that is kept already, or NULL */
    struct schema_set *made;  /* else the one that was read; owned */
    bool repeated;            /* the name stands for it already */
};

static int look_at(const struct schemas *s, const struct core *core, struct bytes name, struct bytes set,
                   struct offer *offer, struct error_detail *detail)
{
    const struct schema_entry *entry = schemas_find(s, name);
    int code = 0;
    sha256_text(set, offer->hash);
    offer->made = NULL;
    offer->there = find_set(s, bytes_of_text(offer->hash));
    offer->repeated = entry != NULL && entry->set == offer->there;
    if (offer->repeated)
        return 0;
    if (offer->there == NULL)
        code = make_set(s, set, offer->hash, &offer->made, detail);
    if (code == 0 && entry == NULL && s->count >= s->sets_max)
        code = error_set(detail, E_SCHEMAS, "name", NULL);
    if (code == 0)
        code = core_may_add(core, detail);
    if (code != 0)
        destroy_set(offer->made);
    return code;
}

int schemas_try(const struct schemas *s, const struct core *core, struct bytes name, struct bytes set,
                char hash[SHA256_TEXT_SIZE], bool *repeated, struct error_detail *detail)
{
    struct offer offer;
    int code = look_at(s, core, name, set, &offer, detail);
    if (code != 0)
        return code;
    memcpy(hash, offer.hash, sizeof offer.hash);
    *repeated = offer.repeated;
    destroy_set(offer.made);
    return 0;
}

/* What is in the core's batch is kept: a set also without the row of its name. */
static int write_rows(struct schemas *s, struct core *core, struct bytes name, struct offer *offer, struct instant now,
                      struct error_detail *detail)
{
    uint8_t room[NAME_VALUE_SIZE];
    if (offer->there == NULL) {
        struct subject_row set_row = row_of_set(offer->made);
        if (core_set_subject(core, &set_row) != 0)
            return error_set(detail, E_MEMORY, "", NULL);
        keep_set(s, offer->there = offer->made);
        offer->made = NULL;
    }
    struct subject_row name_row = row_of_name(name, offer->there, now, room);
    return core_set_subject(core, &name_row) == 0 ? 0 : error_set(detail, E_MEMORY, "", NULL);
}

int schemas_add(struct schemas *s, struct core *core, struct bytes name, struct bytes set, struct instant now,
                const struct schema_entry **out, bool *repeated, struct error_detail *detail)
{
    struct offer offer;
    int code = look_at(s, core, name, set, &offer, detail);
    if (code != 0)
        return code;
    *repeated = offer.repeated;
    if (*repeated) {
        *out = schemas_find(s, name);
        return 0;
    }
    struct schema_entry *made;
    code = make_name(s, name, &made, detail);
    if (code == 0)
        code = write_rows(s, core, name, &offer, now, detail);
    if (code == 0)
        *out = set_name(s, name, made, offer.there, now);
    else
        free(made);
    destroy_set(offer.made);
    return code;
}

static int damaged(struct schemas *s, const char *what)
{
    return error_set(s->detail, E_JOURNAL_CORRUPT, "", what);
}

static int recover_set(void *self, const struct subject_row *row)
{
    struct schemas *s = self;
    char hash[SHA256_TEXT_SIZE];
    struct schema_set *set;
    sha256_text(row->value, hash);
    if (!bytes_equal(bytes_of_text(hash), row->name))
        return damaged(s, "a schema's row in the table subjects has another hash than its descriptors");
    int code = make_set(s, row->value, hash, &set, s->detail);
    if (code != 0)
        return code;
    keep_set(s, set);
    return 0;
}

static int recover_name(void *self, const struct subject_row *row)
{
    struct schemas *s = self;
    struct schema_entry *made;
    struct instant at = {0};
    if (row->value.size != NAME_VALUE_SIZE || !definition_name_valid(row->name, NAME_BYTES_MAX))
        return damaged(s, "a schema's name in the table subjects is none");
    for (unsigned i = 0; i < 8; i++)
        at.us |= (int64_t)((uint64_t)row->value.at[i] << (8 * i));
    const struct schema_set *set = schemas_find_set(s, bytes_of(row->value.at + 8, SHA256_TEXT_SIZE - 1));
    if (set == NULL)
        return damaged(s, "a schema's name in the table subjects stands for descriptors that are not there");
    int code = make_name(s, row->name, &made, s->detail);
    if (code == 0)
        set_name(s, row->name, made, set, at);
    return code;
}

static int recover_pin(void *self, const struct subject_row *row)
{
    struct schemas *s = self;
    char text[SUBJECT_NAME_BYTES_MAX + 1], *end;
    memcpy(text, row->name.at, row->name.size);
    text[row->name.size] = '\0';
    unsigned long number = strtoul(text, &end, 10);
    const struct schema_set *set = schemas_find_set(s, row->value);
    if (*end != '\0' || number == 0 || number > UINT32_MAX || set == NULL)
        return damaged(s, "a definition is pinned to descriptors that are not there");
    struct pin *pins = realloc(s->pins, (s->pin_count + 1) * sizeof *pins);
    if (pins == NULL)
        return error_set(s->detail, E_MEMORY, "", NULL);
    s->pins = pins;
    pins[s->pin_count++] = (struct pin){.definition = (uint32_t)number, .set = set};
    return 0;
}

int schemas_recover(struct schemas *s, struct store *store, struct error_detail *detail)
{
    /* schemas_max may have been lowered since, and does not hold for these. */
    uint32_t sets_max = s->sets_max;
    s->detail = detail;
    s->sets_max = UINT32_MAX;
    int code = store->scan_subjects(store, SUBJECT_SCHEMA, recover_set, s, detail);
    if (code == 0)
        code = store->scan_subjects(store, SUBJECT_SCHEMA_NAME, recover_name, s, detail);
    if (code == 0)
        code = store->scan_subjects(store, SUBJECT_PIN, recover_pin, s, detail);
    s->sets_max = sets_max;
    s->detail = NULL;
    return code;
}

static const struct schema *find_fixed(void *self, const char *name, const char **hash)
{
    const struct schemas *s = self;
    (void)name;
    if (s->fixed == NULL)
        return NULL;
    *hash = s->fixed->hash;
    return s->fixed->schema;
}

static const struct schema *find_current(void *self, const char *name, const char **hash)
{
    const struct schema_entry *entry = schemas_find(self, bytes_of_text(name));
    if (entry == NULL)
        return NULL;
    *hash = entry->set->hash;
    return entry->set->schema;
}

struct definition_schemas schemas_current(struct schemas *s)
{
    return (struct definition_schemas){.find = find_current, .self = s};
}

struct definition_schemas schemas_pinned(struct schemas *s, uint32_t definition)
{
    s->fixed = NULL;
    for (size_t i = 0; i < s->pin_count; i++)
        if (s->pins[i].definition == definition)
            s->fixed = s->pins[i].set;
    return (struct definition_schemas){.find = find_fixed, .self = s};
}

struct definition_schemas schemas_fixed(struct schemas *s, const char *hash)
{
    s->fixed = hash == NULL ? NULL : find_set(s, bytes_of_text(hash));
    return (struct definition_schemas){.find = find_fixed, .self = s};
}
