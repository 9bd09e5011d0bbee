/* journal_check.c - a journal is looked at in parts, so that what is wrong with one does not keep the others from being told. */
#include "sidecar/runtime/journal_check.h"

#include "sidecar/journal/codec.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/keys.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <inttypes.h>
#include <unistd.h>

/* Rows between two calls of the store. */
#define VERIFY_ROWS 10000

struct look {
    FILE *out;
    const char *path;
    struct error_detail detail, told; /* as it was told last */
    uint64_t frames, records, definitions;
    unsigned findings;
    bool in_database;
};

static void tell(struct look *l)
{
    fprintf(l->out, "%s: %s\n", l->path, l->detail.text);
    l->told = l->detail;
    l->findings++;
}

static int take_frame(void *self, uint64_t frame, struct bytes records)
{
    struct look *l = self;
    struct record record;
    uint64_t previous;
    (void)frame;
    l->frames++;
    for (; records.size > 0; l->records++) {
        int code = codec_decode(&records, &record, &previous, &l->detail);
        if (code != 0)
            return code;
    }
    return 0;
}

static int take_definition(void *self, const struct definition_row *row)
{
    (void)row;
    ((struct look *)self)->definitions++;
    return 0;
}

/* Whoever reads it checks it. */
static int take_subject(void *self, const struct subject_row *row)
{
    (void)self;
    (void)row;
    return 0;
}

/* What a part ended with: damage is told, and the next part follows; anything else ends the look. Parts that read the same find the same, which is
 * told once. */
static int part_over(struct look *l, int code)
{
    if (code == E_JOURNAL_CORRUPT && (l->findings == 0 || strcmp(l->detail.text, l->told.text) != 0))
        tell(l);
    return code == E_JOURNAL_CORRUPT ? 0 : code;
}

/* Rows that are damaged themselves hide nothing, so all of them are told. */
static int verify_all(struct look *l, struct store *store)
{
    int code = 0;
    for (bool more = true; more && code == 0;) {
        code = store->verify(store, VERIFY_ROWS, &more, &l->detail);
        if (code == 0 && l->detail.text[0] != '\0')
            tell(l);
    }
    return code;
}

static void take_ended(void *self, const struct ended_row *row)
{
    (void)self;
    (void)row;
}

/* A row is checked when it is read. */
static int look_at_ended(struct look *l, struct store *store)
{
    struct ended_query query = {
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = VERIFY_ROWS, .examine_max = VERIFY_ROWS};
    int code = 0;
    while (code == 0 && query.below != 0)
        code = store->list_ended(store, &query, take_ended, l, &query.below, &l->detail);
    return code;
}

static int look_at(struct look *l, struct store *store, struct store *inner)
{
    int code = part_over(l, store->scan(store, 0, take_frame, l, &l->detail));
    if (code == 0)
        code = part_over(l, store->scan_definitions(store, take_definition, l, &l->detail));
    for (uint32_t kind = 1; code == 0 && kind < SUBJECT_KIND_COUNT; kind++)
        code = part_over(l, store->scan_subjects(store, kind, take_subject, l, &l->detail));
    if (code == 0)
        code = part_over(l, keys_verify(store, &l->detail));
    if (code == 0 && l->in_database)
        code = part_over(l, look_at_ended(l, store));
    if (code == 0)
        code = part_over(l, verify_all(l, store));
    if (code == 0 && !l->in_database)
        code = part_over(l, sqlite_store_inspect(inner, &l->detail));
    return code;
}

static int open_one(const struct config *config, struct look *l, struct store **store, struct store_state *state)
{
    const struct sqlite_store_options options = {.path = l->path};
    return l->in_database ? postgres_store_look(config->store, l->path, config->store_timeout, store, state, &l->detail)
                          : sqlite_store_open(&options, store, state, &l->detail);
}

static int check_one(const struct config *config, const char *path, const struct keys *keys, FILE *out, bool *sound,
                     struct error_detail *detail)
{
    struct look look = {.out = out, .path = path, .in_database = config->store[0] != '\0'};
    struct store_state state;
    struct store *store;
    int code = open_one(config, &look, &store, &state);
    if (code == 0) {
        struct store *inner = store;
        code = keys_apply(keys, &state, &store, &look.detail);
        if (code == 0)
            code = look_at(&look, store, inner);
        store->close(store);
    } else {
        code = part_over(&look, code);
    }
    if (code != 0)
        *detail = look.detail;
    else if (look.findings > 0)
        fprintf(out, "%s: damaged: copy the whole %s before anything else touches it\n", path,
                look.in_database ? "database" : "data directory");
    else
        fprintf(out, "%s: sound: %" PRIu64 " frames with %" PRIu64 " records, %" PRIu64 " definitions, every row%s\n",
                path, look.frames, look.records, look.definitions, look.in_database ? "" : " and every index");
    *sound = *sound && look.findings == 0;
    return code;
}

static int check_files(const struct config *config, const struct keys *keys, FILE *out, bool *sound,
                       struct error_detail *detail)
{
    char path[JOURNAL_PATH_SIZE];
    unsigned found = 0;
    int code = 0;
    for (unsigned k = 0; k < SAGA_LOOPS_MAX && code == 0; k++) {
        if (access(sidecar_journal_path(config, k, path), F_OK) != 0)
            continue;
        found++;
        code = check_one(config, path, keys, out, sound, detail);
    }
    return code == 0 && found == 0 ? error_set(detail, E_ARGUMENT, "data_dir", "there is no journal in it") : code;
}

static int check_database(const struct config *config, const struct keys *keys, FILE *out, bool *sound,
                          struct error_detail *detail)
{
    char name[JOURNAL_NAME_SIZE];
    int code = journal_check_kind(config, detail);
    for (unsigned k = 0; k < config->loops && code == 0; k++) {
        code = journal_name_of(config, k, name, detail);
        if (code == 0)
            code = check_one(config, name, keys, out, sound, detail);
    }
    return code;
}

int journal_check(const struct config *config, FILE *out, struct error_detail *detail)
{
    bool sound = true;
    struct keys keys;
    int code = keys_read(config, &keys, detail);
    if (code == 0)
        code = (config->store[0] == '\0' ? check_files : check_database)(config, &keys, out, &sound, detail);
    keys_forget(&keys);
    return code != 0 ? code : sound ? 0 : E_JOURNAL_CORRUPT;
}
