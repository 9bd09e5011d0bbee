/* suites.c - a sidecar in a thread, a participant and a client beside it, and what they do while memory is refused to
 * one of them. */
#include "tests/alloc/alloc.h"

#include "sidecar/base/check.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/sidecar.h"

#include <pthread.h>
#include <saga/async.h>
#include <saga/participant.h>
#include <saga/saga.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char definition[] =
    "name: pair\nversion: 1.0.0\nsteps:\n"
    "  - {name: a, target: p, retry: {maxAttempts: 2, initialBackoff: 10ms}, action: /p.S/A, compensation: {method: /p.S/UndoA, request: own_output}}\n"
    "  - {name: b, target: p, retry: {maxAttempts: 2, initialBackoff: 10ms}, after: [a], action: {method: /p.S/B, request: {output: a}}}\n";

/* Says what was not as it must be, and ends the try. */
#define EXPECT(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "alloc: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(3); \
        } \
    } while (0)

/* ---- folders ---- */

void alloc_folder_make(struct alloc_folder *folder, const struct alloc_folder *copied)
{
    char command[256];
    if (copied != NULL)
        *folder = *copied;
    snprintf(folder->path, sizeof folder->path, "%s/alloc-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    EXPECT(mkdtemp(folder->path) != NULL);
    if (copied != NULL) {
        snprintf(command, sizeof command, "cp -r %s/data %s/defs %s", copied->path, copied->path, folder->path);
        EXPECT(system(command) == 0);
        return;
    }
    snprintf(command, sizeof command, "mkdir %s/defs", folder->path);
    EXPECT(system(command) == 0);
    snprintf(command, sizeof command, "%s/defs/pair.yaml", folder->path);
    FILE *file = fopen(command, "w");
    EXPECT(file != NULL && fputs(definition, file) >= 0 && fclose(file) == 0);
}

void alloc_folder_remove(struct alloc_folder *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder->path);
    EXPECT(system(command) == 0);
}

static void acknowledged(struct alloc_folder *folder, const char *id, bool ends)
{
    EXPECT(folder->saga_count < ALLOC_SAGAS_MAX);
    snprintf(folder->sagas[folder->saga_count].id, sizeof folder->sagas[0].id, "%s", id);
    folder->sagas[folder->saga_count++].ends = ends;
}

/* ---- the sidecar ---- */

struct host {
    struct config *config;
    struct sidecar *sidecar;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool opened; /* or not, with code */
    bool ended;
    int code;
};

static void *host_run(void *self)
{
    struct host *h = self;
    struct error_detail detail;
    alloc_side_here = ALLOC_SIDE_SIDECAR;
    int code = sidecar_open(h->config, NULL, &h->sidecar, &detail);
    pthread_mutex_lock(&h->lock);
    h->opened = true;
    h->code = code;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
    if (code != 0)
        return NULL;
    code = sidecar_run(h->sidecar, &detail);
    pthread_mutex_lock(&h->lock);
    h->ended = true; /* nobody stops it any more */
    h->code = code;
    pthread_mutex_unlock(&h->lock);
    sidecar_close(h->sidecar);
    return NULL;
}

/* Returns what sidecar_open did. */
static int host_open(struct host *h, const struct alloc_folder *folder)
{
    char yaml[1024];
    struct error_detail detail;
    memset(h, 0, sizeof *h);
    snprintf(yaml, sizeof yaml,
             "data_dir: %s/data\ndefinitions_dir: %s/defs\nlisten: ['unix:%s/s.sock']\nshutdown_grace: "
             "300ms\nconnect_timeout: 1s\n"
             "targets: {p: 'unix:%s/p.sock'}\n"
             "default_retry: {initialBackoff: 10ms}\ndefault_compensation_retry: {initialBackoff: 10ms}\n",
             folder->path, folder->path, folder->path, folder->path);
    EXPECT(config_read_text(bytes_of_text(yaml), &h->config, &detail) == 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_ERROR, .fd = 2});
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    EXPECT(pthread_create(&h->thread, NULL, host_run, h) == 0);
    pthread_mutex_lock(&h->lock);
    while (!h->opened)
        pthread_cond_wait(&h->changed, &h->lock);
    int code = h->sidecar == NULL ? h->code : 0; /* it runs already, and may have stopped */
    pthread_mutex_unlock(&h->lock);
    return code;
}

static bool host_lives(struct host *h)
{
    pthread_mutex_lock(&h->lock);
    bool lives = !h->ended;
    pthread_mutex_unlock(&h->lock);
    return lives;
}

/* Returns what sidecar_open or sidecar_run returned. */
static int host_close(struct host *h, bool opened)
{
    pthread_mutex_lock(&h->lock);
    if (opened && !h->ended)
        sidecar_stop(h->sidecar);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    config_destroy(h->config);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->changed);
    return h->code;
}

/* ---- the participant ---- */

static int do_a(saga_call *call, void *user)
{
    (void)user;
    return saga_call_reply(call, "reservation", 11);
}

static int do_b(saga_call *call, void *user)
{
    (void)user;
    return saga_call_fail(call, SAGA_E_FAILED_PRECONDITION, "declined");
}

static int undo_a(saga_call *call, void *user)
{
    (void)call;
    (void)user;
    return SAGA_OK;
}

/* Returns NULL when memory was refused. */
static saga_participant *participant_open(const struct alloc_folder *folder)
{
    char address[96];
    struct saga_error error;
    saga_participant *p = NULL;
    snprintf(address, sizeof address, "unix:%s/p.sock", folder->path);
    struct saga_participant_options options = {.address = address, .threads = 2, .stop_grace_ms = 1000};
    int code = saga_participant_open(&options, &p, &error);
    if (code == SAGA_OK)
        code = saga_participant_step(p, "/p.S/A", do_a, "/p.S/UndoA", undo_a, NULL, &error);
    if (code == SAGA_OK)
        code = saga_participant_step(p, "/p.S/B", do_b, NULL, NULL, NULL, &error);
    if (code == SAGA_OK)
        code = saga_participant_start(p, &error);
    if (code == SAGA_OK)
        return p;
    EXPECT(code == SAGA_E_RESOURCE_EXHAUSTED);
    saga_participant_close(p);
    return NULL;
}

/* ---- the client ---- */

/* What may be the matter while memory is refused to the sidecar: nearly everything, since it may stop. */
static bool all_is_well;       /* nothing is refused: every call must succeed */
static bool client_is_refused; /* then calls succeed, or are refused for want of memory */

/* A sidecar that has stopped does not answer any more, and is not waited for long. */
static int64_t patience_ms(void)
{
    return all_is_well || client_is_refused ? 20000 : 1500;
}

static bool went_well(int code, const struct saga_error *error)
{
    if (code != SAGA_OK && (all_is_well || (client_is_refused && code != SAGA_E_RESOURCE_EXHAUSTED))) {
        fprintf(stderr, "alloc: a call ended with %s %s: %s\n", saga_status_name(code), error->reason, error->message);
        _exit(3);
    }
    return code == SAGA_OK;
}

static void wait_for(saga_client *client, const char *id, unsigned flags)
{
    struct saga_info info;
    struct saga_error error;
    went_well(saga_wait(client, id, flags, patience_ms(), &info, &error), &error);
}

static void orchestrated(saga_client *client, struct alloc_folder *folder)
{
    struct saga_error error;
    struct saga_started started;
    struct saga_start_options options = {.definition = "pair",
                                         .input = "input",
                                         .input_size = 5,
                                         .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
    if (!went_well(saga_start(client, &options, &started, &error), &error))
        return;
    acknowledged(folder, started.saga_id, true);
    wait_for(client, started.saga_id, 0);
    saga_snapshot *snapshot;
    if (went_well(saga_snapshot_get(client, started.saga_id, SAGA_SNAPSHOT_PAYLOADS, &snapshot, &error), &error))
        saga_snapshot_free(snapshot);
}

/* method: of the undo; one that nobody serves makes a dead letter. */
static void enlisted(saga_client *client, struct alloc_folder *folder, const char *method, bool aborts)
{
    struct saga_error error;
    saga_tx *tx;
    struct saga_retry_policy once = {.max_attempts = 1};
    bool served = strcmp(method, "/p.S/UndoA") == 0;
    struct saga_compensation undo = {.target = "p",
                                     .method = method,
                                     .request = "r",
                                     .request_size = 1,
                                     .retry = served ? NULL : &once};
    struct saga_begin_options options = {.name = "shop", .lease_ms = 3600000, .deadline_ms = 3600000};
    if (!went_well(saga_begin(client, &options, &tx, &error), &error))
        return;
    char id[64];
    snprintf(id, sizeof id, "%s", saga_tx_id(tx));
    bool good = went_well(saga_enlist(tx, "a", &undo, &error), &error) &&
                went_well(saga_settle(tx, "a", SAGA_DONE, "out", 3, &error), &error);
    bool aborted = good && aborts && went_well(saga_abort(tx, "why", &error), &error);
    acknowledged(folder, id, aborted && served);
    saga_tx_free(tx);
    if (aborted)
        wait_for(client, id, SAGA_WAIT_UNTIL_STUCK);
}

static void begun(void *user, const struct saga_result *result)
{
    (void)went_well(result->code, result->error);
    if (result->code == SAGA_OK)
        acknowledged(user, result->saga_id, false);
}

static void piped(saga_client *client, struct alloc_folder *folder)
{
    struct saga_error error;
    struct saga_begin_options options = {
        .name = "piped", .lease_ms = 3600000, .deadline_ms = 3600000, .timeout_ms = patience_ms()};
    for (int i = 0; i < 3; i++)
        (void)went_well(saga_async_begin(client, &options, begun, folder, &error), &error);
    EXPECT(saga_async_drain(client, 30000, &error) == SAGA_OK);
}

static void watched(saga_client *client)
{
    struct saga_error error;
    saga_watch *watch;
    const struct saga_event *event;
    if (!went_well(saga_watch_open(client, NULL, "1.0", &watch, &error), &error))
        return;
    for (int i = 0, code = SAGA_OK; i < 4 && code == SAGA_OK; i++) {
        code = saga_watch_next(watch, patience_ms(), &event, &error);
        (void)went_well(code, &error);
    }
    saga_watch_close(watch);
}

static saga_client *client_open(const struct alloc_folder *folder)
{
    char address[96];
    struct saga_error error;
    saga_client *client;
    snprintf(address, sizeof address, "unix:%s/s.sock", folder->path);
    struct saga_client_options options = {.address = address, .timeout_ms = patience_ms(), .fail_fast = true};
    return went_well(saga_client_open(&options, &client, &error), &error) ? client : NULL;
}

/* As long as the sidecar lives. */
static void drive(struct host *host, saga_client *client, struct alloc_folder *folder)
{
    if (host_lives(host))
        enlisted(client, folder, "/p.S/UndoA", false); /* lives on */
    if (host_lives(host))
        orchestrated(client, folder);
    if (host_lives(host))
        enlisted(client, folder, "/p.S/UndoA", true);
    if (host_lives(host))
        enlisted(client, folder, "/p.S/Nowhere", true); /* gets stuck */
    if (host_lives(host))
        piped(client, folder);
    if (host_lives(host))
        watched(client);
}

/* ---- suites ---- */

/* With nothing refused any more: the journal opens, what was acknowledged is there, and what ends by itself does. */
static void check_journal(struct alloc_folder *folder)
{
    struct host host;
    struct saga_error error;
    struct saga_info info;
    alloc_arm(false);
    all_is_well = true;
    client_is_refused = false;
    EXPECT(host_open(&host, folder) == 0);
    saga_client *client = client_open(folder);
    for (unsigned i = 0; i < folder->saga_count; i++) {
        (void)went_well(saga_get(client, folder->sagas[i].id, &info, &error), &error);
        if (folder->sagas[i].ends)
            wait_for(client, folder->sagas[i].id, 0);
    }
    saga_client_close(client);
    EXPECT(host_close(&host, true) == 0);
}

static void life(struct alloc_folder *folder, bool drives)
{
    struct host host;
    saga_participant *participant = participant_open(folder);
    saga_client *client = client_open(folder);
    EXPECT(participant != NULL && client != NULL);
    alloc_arm(true);
    bool opened = host_open(&host, folder) == 0;
    if (opened && drives)
        drive(&host, client, folder);
    /* What SQLite cannot do may be told as an error of the journal; that it is damaged may not be said. */
    int code = host_close(&host, opened);
    if (code != 0 && code != E_MEMORY && code != E_JOURNAL)
        fprintf(stderr, "alloc: the sidecar ended with %s\n", error_row(code)->reason);
    EXPECT(code == 0 || code == E_MEMORY || code == E_JOURNAL);
    saga_client_close(client);
    check_journal(folder);
    saga_participant_close(participant);
}

void alloc_prepare(struct alloc_folder *folder)
{
    all_is_well = true;
    life(folder, true);
}

void alloc_whole_life(struct alloc_folder *folder)
{
    life(folder, true);
}

void alloc_restart(struct alloc_folder *folder)
{
    life(folder, false);
}

void alloc_client(struct alloc_folder *folder)
{
    struct host host;
    EXPECT(host_open(&host, folder) == 0);
    client_is_refused = true;
    alloc_arm(true);
    saga_participant *participant = participant_open(folder);
    if (participant == NULL) /* that was the one */
        participant = participant_open(folder);
    EXPECT(participant != NULL);
    saga_client *client = client_open(folder);
    if (client != NULL)
        drive(&host, client, folder);
    saga_client_close(client);
    alloc_arm(false);
    EXPECT(host_close(&host, true) == 0);
    check_journal(folder);
    saga_participant_close(participant);
}
