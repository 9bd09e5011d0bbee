/* sidecar.c - the sidecar as its owner sees it: one loop, or several side by side; their start, their end. */
#include "sidecar/runtime/sidecar.h"

#include "sidecar/base/account.h"
#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/absent.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/exporter.h"
#include "sidecar/runtime/fleet.h"
#include "sidecar/runtime/reload.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/surroundings.h"
#include "sidecar/runtime/trust.h"
#include "sidecar/runtime/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* How often a loop that has failed looks whether all stop. */
#define FAILED_POLL SPAN_MS(10)

/* What a process has open beside its loops, what a loop has (lock, journal, log, queue), and with how many connections it is of use. */
#define FILES_OF_PROCESS 16
#define FILES_OF_LOOP    10
#define CONNECTIONS_MIN  16

/* ---- the data directory ---- */

const char *sidecar_journal_path(const struct config *config, unsigned k, char path[JOURNAL_PATH_SIZE])
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
        if (access(sidecar_journal_path(config, k, path), F_OK) == 0)
            made = k + 1;
    bool whole = access(sidecar_journal_path(config, 0, path), F_OK) == 0;
    if (made == config->loops || made == 0 || (!whole && made < config->loops))
        return 0;
    snprintf(text, sizeof text,
             "the data directory was made with loops: %u, and cannot be used with %u: write loops: %u, or begin with "
             "another data_dir",
             made, (unsigned)config->loops, made);
    return error_set(detail, E_ARGUMENT, "loops", text);
}

/* A sidecar that could not serve anybody, for want of files, does not begin. */
static int check_files(const struct config *config, struct error_detail *detail)
{
    char text[sizeof detail->text];
    struct rlimit limit;
    uint64_t needed = FILES_OF_PROCESS + RPC_FILES_KEPT + CONNECTIONS_MIN + (uint64_t)config->loops * FILES_OF_LOOP +
                      config->target_count;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return 0;
    snprintf(text, sizeof text,
             "it may have %llu files open, and needs %llu to serve anybody: raise the limit (ulimit -n, LimitNOFILE= "
             "of systemd)",
             (unsigned long long)limit.rlim_cur, (unsigned long long)needed);
    return error_set(detail, E_SYSTEM, "", text);
}

/* Address space that the libraries and their threads take (0.6 GB when idle), and what another loop adds. Without it gRPC aborts, or hangs. */
#define SPACE_OF_PROCESS (UINT64_C(768) << 20)
#define SPACE_OF_LOOP    (UINT64_C(128) << 20)

static int check_space(const struct config *config, struct error_detail *detail)
{
    char text[sizeof detail->text];
    struct rlimit limit;
    uint64_t needed = SPACE_OF_PROCESS + (config->loops - 1) * SPACE_OF_LOOP + config->memory_bytes_max;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur >= needed)
        return 0;
    snprintf(text, sizeof text,
             "it may have %llu MiB of address space, and needs %llu: raise the limit (ulimit -v, LimitAS= of systemd), "
             "or lower memory_bytes_max",
             (unsigned long long)limit.rlim_cur >> 20, (unsigned long long)(needed + (1 << 20) - 1) >> 20);
    return error_set(detail, E_SYSTEM, "", text);
}

/* ---- shares ---- */

uint32_t sidecar_part(uint32_t whole, unsigned k, unsigned count)
{
    return whole / count + (k < whole % count);
}

struct config_target sidecar_share_target(const struct config_target *target, unsigned k, unsigned count)
{
    struct config_target own = *target;
    own.max_concurrent_calls = sidecar_part(target->max_concurrent_calls, k, count);
    own.max_pending_calls = sidecar_part(target->max_pending_calls, k, count);
    own.rate_limit_per_second = sidecar_part(target->rate_limit_per_second, k, count);
    own.rate_limit_burst = sidecar_part(target->rate_limit_burst, k, count);
    own.retry_budget_min_per_second = sidecar_part(target->retry_budget_min_per_second, k, count);
    own.breaker_probes = sidecar_part(target->breaker_probes, k, count);
    own.breaker_volume = sidecar_part(target->breaker_volume, k, count);
    /* No loop is without a probe, or it would never learn that the target is back. */
    if (own.breaker_probes == 0)
        own.breaker_probes = 1;
    if (own.breaker_volume < own.breaker_probes)
        own.breaker_volume = own.breaker_probes;
    return own;
}

int sidecar_share(const struct config *config, unsigned k, struct config *own)
{
    unsigned count = config->loops;
    struct config_target *targets = calloc(config->target_count + 1, sizeof *targets);
    if (targets == NULL)
        return E_MEMORY;
    for (size_t i = 0; i < config->target_count; i++)
        targets[i] = sidecar_share_target(&config->targets[i], k, count);
    *own = *config;
    own->targets = targets;
    own->live_sagas_max = sidecar_part(config->live_sagas_max, k, count);
    own->calls_max = sidecar_part(config->calls_max, k, count);
    own->streams_max = sidecar_part(config->streams_max, k, count);
    own->metrics_series_max = sidecar_part(config->metrics_series_max, k, count);
    own->waiters_max = sidecar_part(config->waiters_max, k, count);
    own->watchers_max = sidecar_part(config->watchers_max, k, count);
    own->last_good_answers_max = sidecar_part(config->last_good_answers_max, k, count);
    own->last_good_bytes_max = config->last_good_bytes_max / count;
    own->journal_bytes_max = config->journal_bytes_max / count;
    return 0;
}

/* ---- what the loops tell one another ---- */

static void wake_others(struct loop *s)
{
    for (unsigned k = 0; k < s->sidecar->count; k++)
        if (k != s->index)
            rpc_wake(s->sidecar->loops[k]->rpc);
}

void sidecar_loop_failed(struct loop *s)
{
    atomic_store(&s->sidecar->failed, true);
    if (s->index == 0)
        return;
    loop_stop(s->sidecar->loops[0]);
    while (!atomic_load(&s->stop_asked))
        rpc_poll(s->rpc, FAILED_POLL);
}

void sidecar_stop_others(struct loop *s)
{
    for (unsigned k = 1; s->index == 0 && k < s->sidecar->count; k++)
        loop_stop(s->sidecar->loops[k]);
}

bool sidecar_is_quiet(struct loop *s)
{
    /* A loop that stops lets nothing in, so once it has nothing of its own it asks nobody any more. */
    if (!s->quiet && rpc_idle(s->rpc) && !outcalls_wait(s)) {
        s->quiet = true;
        if (atomic_fetch_add(&s->sidecar->quiet, 1) + 1 == s->sidecar->count)
            wake_others(s);
    }
    return atomic_load(&s->sidecar->quiet) == s->sidecar->count;
}

bool sidecar_full(struct loop *s, bool full)
{
    uint64_t own = UINT64_C(1) << s->index;
    uint64_t now = atomic_load(&s->sidecar->full);
    if (full != ((now & own) != 0)) {
        now = full ? atomic_fetch_or(&s->sidecar->full, own) | own : atomic_fetch_and(&s->sidecar->full, ~own) & ~own;
        wake_others(s);
    }
    return now != 0;
}

/* ---- the start ---- */

static void tell_ready(const struct config *config, const struct sidecar *sidecar)
{
    struct engine_counts sum = {0};
    for (unsigned k = 0; k < sidecar->count; k++) {
        sum.live += engine_counts(core_engine(sidecar->loops[k]->core)).live;
        sum.stuck += engine_counts(core_engine(sidecar->loops[k]->core)).stuck;
    }
    log_event(LOG_LEVEL_INFO, "ready", LOG_TEXT("data_dir", config->data_dir), LOG_NUMBER("live_sagas", sum.live),
              LOG_NUMBER("stuck_sagas", sum.stuck),
              LOG_NUMBER("definitions", catalog_count(sidecar->loops[0]->catalog)));
}

/* What a loop lacks, from loop 0. Sets that no name stands for any more come as those that definitions are pinned to. */
static int take_from_first(struct loop *first, struct loop *s, struct error_detail *detail)
{
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < catalog_count(first->catalog); i++) {
        const struct definition *d = catalog_at(first->catalog, i)->definition;
        const struct schema_set *set =
            d->schema_hash == NULL ? NULL : schemas_find_set(first->schemas, bytes_of_text(d->schema_hash));
        struct schema_entry named = {.set = set};
        if (set != NULL && schemas_find_set(s->schemas, bytes_of_text(set->hash)) == NULL) {
            snprintf(named.name, sizeof named.name, "%s", d->schema_name);
            code = registered_take_schema(s, &named, detail);
        }
        if (code == 0)
            code = registered_take_definition(s, d, detail);
    }
    for (uint32_t i = 0; code == 0 && i < schemas_count(first->schemas); i++)
        code = registered_take_schema(s, schemas_at(first->schemas, i), detail);
    return code;
}

/* Loop 0 has definitions and schemas first: what the others lack after a crash, they get from it. */
static int take_registered(struct sidecar *sidecar, struct error_detail *detail)
{
    int code = registered_take_files(sidecar->loops[0], detail);
    if (code == 0)
        loop_commit(sidecar->loops[0]);
    for (unsigned k = 1; code == 0 && k < sidecar->count; k++)
        code = take_from_first(sidecar->loops[0], sidecar->loops[k], detail);
    return code;
}

static struct sidecar *make(const struct config *config)
{
    struct sidecar *sidecar = calloc(1, sizeof *sidecar);
    struct config *configs = calloc(config->loops, sizeof *configs);
    if (sidecar == NULL || configs == NULL) {
        free(sidecar);
        free(configs);
        return NULL;
    }
    pthread_mutex_init(&sidecar->targets_mutex, NULL);
    sidecar->config = sidecar->config_now = sidecar->rules_now = config;
    sidecar->count = sidecar->places = config->loops;
    sidecar->configs = configs;
    return sidecar;
}

/* First of all, so that whoever asks meanwhile hears that the journal is being read. */
static int open_http(const struct config *config, struct sidecar *sidecar, struct error_detail *detail)
{
    int port = 0;
    if (!counters_are_wanted(config))
        return 0;
    if (panel_create(sagad_version, &sidecar->panel) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    if (config->http_listen[0] == '\0')
        return 0;
    int code = http_open(config->http_listen, sidecar->panel, &sidecar->http, &port, detail);
    if (code == 0)
        log_event(LOG_LEVEL_INFO, "listening for probes and scrapes", LOG_TEXT("address", config->http_listen),
                  LOG_NUMBER("port", port));
    return code;
}

int sidecar_check_start(const struct config *config, struct error_detail *detail)
{
    int code = check_files(config, detail);
    if (code == 0)
        code = check_space(config, detail);
    if (code == 0)
        code = journal_check_kind(config, detail);
    return code != 0 ? code : check_journals(config, detail);
}

static int open_sidecar(const struct config *config, const struct adopted *adopted, struct sidecar **out,
                        struct error_detail *detail)
{
    struct sidecar *sidecar = make(config);
    if (sidecar == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    sidecar->adopted = adopted;
    if (exporter_open(config, adopted != NULL, &sidecar->exporter) != 0) {
        sidecar_close(sidecar);
        return error_set(detail, E_MEMORY, "", NULL);
    }
    int code = keys_read(config, &sidecar->keys, detail); /* before there are threads: it may run a program */
    if (code == 0)
        code = trust_open(config, &sidecar->certificates, detail);
    if (code == 0 && adopted == NULL)
        code = open_http(config, sidecar, detail);
    for (unsigned k = sidecar->count; code == 0 && k-- > 0;) {
        if (sidecar_share(config, k, &sidecar->configs[k]) != 0)
            code = error_set(detail, E_MEMORY, "", NULL);
        else
            code = loop_open(&sidecar->configs[k], sidecar, k, &sidecar->loops[k], detail);
    }
    keys_forget(&sidecar->keys);
    if (code == 0 && adopted == NULL)
        code = take_registered(sidecar, detail);
    if (code != 0) {
        sidecar_close(sidecar);
        return code;
    }
    for (unsigned k = 0; k < sidecar->count; k++) {
        sidecar->vitals[k] = &sidecar->loops[k]->vitals;
        sidecar->tracing[k] = sidecar->loops[k]->tracing;
    }
    code = exporter_start(sidecar->exporter, config, sidecar->certificates, sidecar->tracing, sidecar->count,
                          sidecar->panel, detail);
    if (code != 0) {
        sidecar_close(sidecar);
        return code;
    }
    if (sidecar->panel != NULL)
        panel_watch(sidecar->panel, sidecar->vitals, sidecar->count);
    absent_tell(sidecar);
    *out = sidecar;
    return 0;
}

int sidecar_open(const struct config *config, const char *file, struct sidecar **out, struct error_detail *detail)
{
    int code = sidecar_check_start(config, detail);
    if (code != 0)
        return code;
    account.max = (size_t)config->memory_bytes_max;
    code = open_sidecar(config, NULL, out, detail);
    if (code != 0)
        return code;
    (*out)->file = file;
    surroundings_tell(config);
    return 0;
}

int sidecar_open_guest(const struct config *config, const struct adopted *adopted, struct sidecar **out,
                       struct error_detail *detail)
{
    return open_sidecar(config, adopted, out, detail);
}

/* ---- the run, the end ---- */

static void *turn(void *self)
{
    loop_turn(self);
    return NULL;
}

int sidecar_run(struct sidecar *s, struct error_detail *detail)
{
    for (unsigned k = 1; k < s->count; k++) {
        loop_start(s->loops[k]);
        rpc_share_door(s->loops[0]->rpc, s->loops[k]->rpc);
    }
    loop_start(s->loops[0]);
    if (s->adopted == NULL)
        tell_ready(s->config, s); /* every saga has taken up where it was: whoever comes now is served at once */
    if (s->config->fleet[0] != '\0' && s->adopted == NULL) {
        int code = fleet_open(s, s->file, &s->fleet, detail);
        if (code != 0)
            return code;
    }
    for (unsigned k = 1; k < s->count; k++)
        CHECK(pthread_create(&s->threads[k], NULL, turn, s->loops[k]) == 0);
    loop_turn(s->loops[0]);
    for (unsigned k = 1; k < s->count; k++)
        pthread_join(s->threads[k], NULL);
    for (unsigned k = 0; k < s->count; k++) {
        if (s->loops[k]->failure.code == 0)
            continue;
        *detail = s->loops[k]->failure.detail;
        return s->loops[k]->failure.code;
    }
    return 0;
}

void sidecar_stop(struct sidecar *s)
{
    loop_stop(s->loops[0]);
}

void sidecar_reload(struct sidecar *s, const char *file)
{
    reload_read(s, file);
    fleet_reload(s->fleet);
}

void sidecar_close(struct sidecar *s)
{
    if (s == NULL)
        return;
    fleet_close(s->fleet);
    http_close(s->http);
    exporter_close(s->exporter);
    panel_destroy(s->panel);
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        metrics_destroy(s->guest_metrics[i]);
    for (unsigned k = 0; k < s->count; k++) {
        loop_close(s->loops[k]);
        free((void *)(uintptr_t)s->configs[k].targets);
    }
    tags_finish(&s->tags, &heap);
    certificates_destroy(s->certificates);
    free(s->configs);
    for (struct shared_target *t = s->targets, *next; t != NULL; t = next) {
        next = t->next;
        free(t);
    }
    pthread_mutex_destroy(&s->targets_mutex);
    reload_drop(s);
    free(s);
}
