/* known.c - the names of sagas that have ended, remembered as they went by. */
#include "sidecar/api/known.h"

#include "sidecar/core/arena.h"
#include "sidecar/engine/saga.h"

#include <stdlib.h>

static _Thread_local bool out_of_memory;
#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) (out_of_memory = true)
/* The default hash falls through its cases in a way that clang warns of; for keys of eight bytes this one does as well. */
#define HASH_FUNCTION(key, size, hash) HASH_OAT(key, size, hash)
#include <uthash.h>
#include <utlist.h>

/* Sagas that are remembered, and the bytes of their names; the oldest make room. */
#define SAGAS_MAX 16384
#define BYTES_MAX (4u << 20)

/* One saga. Its step names lie one after another, each with its NUL. */
struct known_saga {
    uint64_t serial;
    const struct definition *definition; /* NULL: it was enlisted */
    char *name;                          /* owned; NULL: the definition's */
    char *steps;                         /* owned; of an enlisted saga */
    size_t steps_size, step_count;
    char *counts; /* of a definition with loops */
    size_t counts_size;
    UT_hash_handle hh; /* in the order of coming */
};

struct known_names {
    struct core *core;
    struct store *store;
    const struct catalog *catalog;
    struct known_saga *known;
    size_t bytes;
    struct arena arena; /* of a look into the journal */
    char step_name[STEP_NAME_BYTES_MAX + 1];
};

int known_create(struct core *core, struct store *store, const struct catalog *catalog, struct known_names **out)
{
    struct known_names *n = calloc(1, sizeof *n);
    if (n == NULL)
        return E_MEMORY;
    n->core = core;
    n->store = store;
    n->catalog = catalog;
    arena_init(&n->arena);
    *out = n;
    return 0;
}

static void forget(struct known_names *n, struct known_saga *k)
{
    n->bytes -=
        k->steps_size + (k->name == NULL ? 0 : strlen(k->name) + 1) + (k->counts == NULL ? 0 : k->counts_size + 1);
    HASH_DEL(n->known, k);
    free(k->name);
    free(k->steps);
    free(k->counts);
    free(k);
}

void known_destroy(struct known_names *n)
{
    struct known_saga *k, *next;
    if (n == NULL)
        return;
    HASH_ITER(hh, n->known, k, next)
    {
        forget(n, k);
    }
    arena_finish(&n->arena);
    free(n);
}

static struct known_saga *find(const struct known_names *n, uint64_t serial)
{
    struct known_saga *k;
    HASH_FIND(hh, n->known, &serial, sizeof serial, k);
    return k;
}

static void make_room(struct known_names *n)
{
    while (n->known != NULL && (HASH_COUNT(n->known) > SAGAS_MAX || n->bytes > BYTES_MAX))
        forget(n, n->known);
}

static char *copy_of(struct bytes text)
{
    char *copy = malloc(text.size + 1);
    if (copy == NULL)
        return NULL;
    if (text.size > 0)
        memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    return copy;
}

/* What cannot be remembered for want of memory is looked up when it is needed. */
static struct known_saga *add(struct known_names *n, uint64_t serial, const struct definition *definition,
                              struct bytes name)
{
    struct known_saga *k = find(n, serial);
    if (k != NULL)
        forget(n, k);
    if ((k = calloc(1, sizeof *k)) == NULL)
        return NULL;
    k->serial = serial;
    k->definition = definition;
    if (definition == NULL && (k->name = copy_of(name)) == NULL) {
        free(k);
        return NULL;
    }
    out_of_memory = false;
    HASH_ADD(hh, n->known, serial, sizeof k->serial, k);
    if (out_of_memory) {
        free(k->name);
        free(k);
        return NULL;
    }
    n->bytes += k->name == NULL ? 0 : name.size + 1;
    return k;
}

/* Steps are enlisted in order. One that is out of order, or finds no memory, ends what is remembered of its saga. */
static void add_step(struct known_names *n, struct known_saga *k, size_t step, struct bytes name)
{
    if (step < k->step_count)
        return;
    char *steps = step > k->step_count ? NULL : realloc(k->steps, k->steps_size + name.size + 1);
    if (steps == NULL) {
        forget(n, k);
        return;
    }
    if (name.size > 0)
        memcpy(steps + k->steps_size, name.at, name.size);
    steps[k->steps_size + name.size] = '\0';
    k->steps = steps;
    k->steps_size += name.size + 1;
    k->step_count++;
    n->bytes += name.size + 1;
}

/* One that finds no memory for them is looked up when it is needed. */
static void set_counts(struct known_names *n, struct known_saga *k, struct bytes counts)
{
    if (k == NULL || counts.size == 0)
        return;
    if ((k->counts = copy_of(counts)) == NULL) {
        forget(n, k);
        return;
    }
    k->counts_size = counts.size;
    n->bytes += counts.size + 1;
}

void known_learn(struct known_names *n, const struct record *r)
{
    if (r->type == RECORD_STARTED) {
        set_counts(n, add(n, r->saga.serial, catalog_by_number(n->catalog, r->definition), r->name), r->counts);
        make_room(n);
    } else if (r->type == RECORD_ENLISTED) {
        struct known_saga *k = find(n, r->saga.serial);
        if (k != NULL)
            add_step(n, k, r->step, r->step_name);
        make_room(n);
    }
}

/* Asks the journal for a saga that has ended. *out is NULL when it cannot tell, or has forgotten. */
static int look_up(struct known_names *n, struct saga_id id, struct known_saga **out, struct error_detail *detail)
{
    struct ended_row row;
    struct timeline timeline;
    *out = NULL;
    int code = n->store->find_ended(n->store, id.serial, &row, detail);
    if (code == E_SAGA_NOT_FOUND || (code == 0 && !saga_id_equal(row.saga, id)))
        return 0; /* retention has forgotten its row, and not yet all of its frames */
    if (code != 0)
        return code;
    uint64_t last_frame = row.last_frame;
    *out = add(n, id.serial, catalog_by_number(n->catalog, row.definition), row.name);
    if (*out == NULL || ((*out)->definition != NULL && (*out)->definition->loop_count == 0))
        return 0;
    arena_reset(&n->arena);
    code = timeline_load(n->core, &(struct timeline_query){.serial = id.serial, .last_frame = last_frame}, &n->arena,
                         &timeline, detail);
    if (code != 0)
        forget(n, *out);
    for (size_t i = 0; code == 0 && *out != NULL && i < timeline.count; i++)
        if (timeline.entries[i].record.type == RECORD_ENLISTED) {
            add_step(n, *out, timeline.entries[i].record.step, timeline.entries[i].record.step_name);
            *out = find(n, id.serial);
        } else if (timeline.entries[i].record.type == RECORD_STARTED) {
            set_counts(n, *out, timeline.entries[i].record.counts);
            *out = find(n, id.serial);
        }
    return code;
}

static struct bytes step_of(struct known_names *n, const struct known_saga *k, unsigned step)
{
    if (k->definition != NULL)
        return view_step_name(k->definition, bytes_of(k->counts, k->counts_size), step, n->step_name);
    const char *name = k->steps;
    if (step >= k->step_count)
        return bytes_of(NULL, 0);
    while (step-- > 0)
        name += strlen(name) + 1;
    return bytes_of_text(name);
}

int known_find(struct known_names *n, const struct record *r, struct view_names *out, struct error_detail *detail)
{
    const struct saga *saga = engine_find(core_engine(n->core), r->saga.serial);
    *out = (struct view_names){.definition = bytes_of(NULL, 0)};
    if (saga != NULL) {
        out->definition = saga->name;
        out->step = r->step < saga->step_count ? saga_step_name(saga, r->step) : bytes_of(NULL, 0);
        return 0;
    }
    struct known_saga *k = find(n, r->saga.serial);
    if (k == NULL) {
        int code = look_up(n, r->saga, &k, detail);
        if (code != 0 || k == NULL)
            return code;
        make_room(n);
        if ((k = find(n, r->saga.serial)) == NULL)
            return 0;
    }
    out->definition = k->definition != NULL ? bytes_of_text(k->definition->name) : bytes_of_text(k->name);
    out->step = step_of(n, k, r->step);
    return 0;
}
