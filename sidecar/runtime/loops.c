/* loops.c - the sidecar as its owner sees it: one loop, or several side by side; their start, their end. */
#include "sidecar/runtime/loops.h"

#include "sidecar/base/check.h"
#include "sidecar/observe/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How often a loop that has failed looks whether all stop. */
#define FAILED_POLL SPAN_MS(10)

/* ---- the data directory ---- */

const char *loops_journal_path(const struct config *config, unsigned k, char path[JOURNAL_PATH_SIZE])
{
    if (k == 0)
        snprintf(path, JOURNAL_PATH_SIZE, "%s/journal.db", config->data_dir);
    else
        snprintf(path, JOURNAL_PATH_SIZE, "%s/journal-%u.db", config->data_dir, k);
    return path;
}

/* A saga is looked for by its id's loop, and a request_id by its hash: with another number of loops they would not be
 * found. The journals are made from the last to the first, so where there is a journal.db, there are all. */
static int check_journals(const struct config *config, struct error_detail *detail)
{
    char path[JOURNAL_PATH_SIZE], text[sizeof detail->text];
    unsigned made = 0;
    for (unsigned k = 0; k < SAGA_LOOPS_MAX; k++)
        if (access(loops_journal_path(config, k, path), F_OK) == 0)
            made = k + 1;
    bool whole = access(loops_journal_path(config, 0, path), F_OK) == 0;
    if (made == config->loops || made == 0 || (!whole && made < config->loops))
        return 0;
    snprintf(text, sizeof text, "the data directory was made with loops: %u, and cannot be used with %u", made,
             (unsigned)config->loops);
    return error_set(detail, E_ARGUMENT, "loops", text);
}

/* ---- shares ---- */

static uint32_t part(uint32_t whole, unsigned k, unsigned count)
{
    return whole / count + (k < whole % count);
}

static int share(const struct config *config, unsigned k, struct config *own)
{
    unsigned count = config->loops;
    struct config_target *targets = calloc(config->target_count + 1, sizeof *targets);
    if (targets == NULL)
        return E_MEMORY;
    for (size_t i = 0; i < config->target_count; i++) {
        targets[i] = config->targets[i];
        targets[i].max_concurrent_calls = part(config->targets[i].max_concurrent_calls, k, count);
    }
    *own = *config;
    own->targets = targets;
    own->live_sagas_max = part(config->live_sagas_max, k, count);
    own->calls_max = part(config->calls_max, k, count);
    own->streams_max = part(config->streams_max, k, count);
    own->waiters_max = part(config->waiters_max, k, count);
    own->journal_bytes_max = config->journal_bytes_max / count;
    return 0;
}

/* ---- what the loops tell one another ---- */

static void wake_others(struct sidecar *s)
{
    for (unsigned k = 0; k < s->loops->count; k++)
        if (k != s->index)
            rpc_wake(s->loops->all[k]->rpc);
}

void loops_fail(struct sidecar *s)
{
    atomic_store(&s->loops->failed, true);
    if (s->index == 0)
        return;
    sidecar_stop(s->loops->all[0]);
    while (!atomic_load(&s->stop_asked))
        rpc_poll(s->rpc, FAILED_POLL);
}

void loops_stop_others(struct sidecar *s)
{
    for (unsigned k = 1; s->index == 0 && k < s->loops->count; k++)
        sidecar_stop(s->loops->all[k]);
}

bool loops_are_quiet(struct sidecar *s)
{
    /* A loop that stops lets nothing in, so once it has nothing of its own it asks nobody any more. */
    if (!s->quiet && rpc_idle(s->rpc)) {
        s->quiet = true;
        if (atomic_fetch_add(&s->loops->quiet, 1) + 1 == s->loops->count)
            wake_others(s);
    }
    return atomic_load(&s->loops->quiet) == s->loops->count;
}

bool loops_full(struct sidecar *s, bool full)
{
    uint64_t own = UINT64_C(1) << s->index;
    uint64_t now = atomic_load(&s->loops->full);
    if (full != ((now & own) != 0)) {
        now = full ? atomic_fetch_or(&s->loops->full, own) | own : atomic_fetch_and(&s->loops->full, ~own) & ~own;
        wake_others(s);
    }
    return now != 0;
}

/* ---- the start ---- */

static void tell_ready(const struct config *config, struct sidecar *const *loops, unsigned count)
{
    struct engine_counts sum = {0};
    for (unsigned k = 0; k < count; k++) {
        sum.live += engine_counts(core_engine(loops[k]->core)).live;
        sum.stuck += engine_counts(core_engine(loops[k]->core)).stuck;
    }
    log_event(LOG_LEVEL_INFO, "ready", LOG_TEXT("data_dir", config->data_dir), LOG_NUMBER("live_sagas", sum.live),
              LOG_NUMBER("stuck_sagas", sum.stuck), LOG_NUMBER("definitions", catalog_count(loops[0]->catalog)));
}

static void close_all(struct loops *loops)
{
    for (unsigned k = 0; k < loops->count; k++) {
        loop_close(loops->all[k]);
        free((void *)(uintptr_t)loops->configs[k].targets);
    }
    free(loops->configs);
    free(loops);
}

/* Loop 0 has the definitions first: what the others lack after a crash, they get from it. */
static int take_definitions(struct loops *loops, struct error_detail *detail)
{
    const struct catalog *catalog = loops->all[0]->catalog;
    int code = loop_take_definitions(loops->all[0], detail);
    for (unsigned k = 1; k < loops->count; k++)
        for (uint32_t i = 0; code == 0 && i < catalog_count(catalog); i++)
            code = loop_take_definition(loops->all[k], catalog_at(catalog, i)->definition, detail);
    return code;
}

static int open_several(const struct config *config, struct sidecar **out, struct error_detail *detail)
{
    struct loops *loops = calloc(1, sizeof *loops);
    if (loops == NULL || (loops->configs = calloc(config->loops, sizeof *loops->configs)) == NULL) {
        free(loops);
        return error_set(detail, E_MEMORY, "", NULL);
    }
    loops->count = config->loops;
    int code = 0;
    for (unsigned k = loops->count; code == 0 && k-- > 0;) {
        if (share(config, k, &loops->configs[k]) != 0)
            code = error_set(detail, E_MEMORY, "", NULL);
        else
            code = loop_open(&loops->configs[k], loops, k, &loops->all[k], detail);
    }
    if (code == 0)
        code = take_definitions(loops, detail);
    if (code != 0) {
        close_all(loops);
        return code;
    }
    tell_ready(config, loops->all, loops->count);
    *out = loops->all[0];
    return 0;
}

int sidecar_open(const struct config *config, struct sidecar **out, struct error_detail *detail)
{
    int code = check_journals(config, detail);
    if (code != 0 || config->loops > 1)
        return code != 0 ? code : open_several(config, out, detail);
    struct sidecar *s;
    code = loop_open(config, NULL, 0, &s, detail);
    if (code != 0)
        return code;
    code = loop_take_definitions(s, detail);
    if (code != 0) {
        loop_close(s);
        return code;
    }
    tell_ready(config, &s, 1);
    *out = s;
    return 0;
}

/* ---- the run, the end ---- */

static void *turn(void *self)
{
    loop_turn(self);
    return NULL;
}

static void run_several(struct loops *loops)
{
    for (unsigned k = 1; k < loops->count; k++) {
        loop_start(loops->all[k]);
        rpc_share_door(loops->all[0]->rpc, loops->all[k]->rpc);
    }
    loop_start(loops->all[0]);
    for (unsigned k = 1; k < loops->count; k++)
        CHECK(pthread_create(&loops->threads[k], NULL, turn, loops->all[k]) == 0);
    loop_turn(loops->all[0]);
    for (unsigned k = 1; k < loops->count; k++)
        pthread_join(loops->threads[k], NULL);
}

int sidecar_run(struct sidecar *s, struct error_detail *detail)
{
    if (s->loops != NULL) {
        run_several(s->loops);
    } else {
        loop_start(s);
        loop_turn(s);
    }
    for (unsigned k = 0; k < (s->loops == NULL ? 1 : s->loops->count); k++) {
        const struct sidecar *loop = s->loops == NULL ? s : s->loops->all[k];
        if (loop->fatal == 0)
            continue;
        *detail = loop->fatal_detail;
        return loop->fatal;
    }
    return 0;
}

void sidecar_stop(struct sidecar *s)
{
    atomic_store(&s->stop_asked, true);
    rpc_wake(s->rpc);
}

void sidecar_close(struct sidecar *s)
{
    if (s != NULL && s->loops != NULL)
        close_all(s->loops);
    else
        loop_close(s);
}
