/* libsaga_storm.c - a program that begins sagas through libsaga as fast as it can, for a test that kills its sidecar meanwhile.
 *
 * libsaga_storm COUNT [poll]: begins and commits through the asynchronous half, prints a line "at N" after each tenth, and at last how many of
 * each there were. Fails when a command did not end with OK, exactly once.
 *
 * libsaga_storm verdicts: begins sagas with short timeouts, by both halves, until its standard input ends. Prints a line "REQUEST-ID VERDICT"
 * for each: "done", "none" (certainly not carried out, as client.h has it) or "open" (it may have been). */
#include <saga/saga.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERDICT_TIMEOUT_MS 120
#define VERDICT_THREADS    3
#define VERDICT_BURST      10
#define VERDICT_REST_US    10000

static saga_client *client;
static long count, begun, committed, failed;
static char *told; /* how often each saga's begin (low half) and commit (high half) were completed */

static void report(const char *what, const struct saga_result *result)
{
    if (failed++ < 5)
        fprintf(stderr, "%s: %s: %s\n", what, result->error->reason, result->error->message);
}

static void on_commit(void *user, const struct saga_result *result)
{
    told[(intptr_t)user] += 16;
    if (result->code != SAGA_OK)
        report("commit", result);
    else if (++committed % (count / 10) == 0)
        printf("at %ld\n", committed);
}

static void on_begin(void *user, const struct saga_result *result)
{
    struct saga_error error;
    told[(intptr_t)user]++;
    if (result->code != SAGA_OK) {
        report("begin", result);
        return;
    }
    begun++;
    if (saga_async_commit(client, result->saga_id, NULL, 0, 0, on_commit, user, &error) != SAGA_OK) {
        fprintf(stderr, "queueing: %s\n", error.message);
        failed++;
    }
}

/* ---- verdicts ---- */

static atomic_bool enough;

static const char *verdict_of(int code, const struct saga_error *error)
{
    if (code == SAGA_OK)
        return "done";
    bool none = strcmp(error->reason, SAGA_REASON_UNREACHABLE) == 0 || code == SAGA_E_RESOURCE_EXHAUSTED;
    return none ? "none" : "open";
}

static void on_verdict(void *user, const struct saga_result *result)
{
    printf("%s %s\n", (const char *)user, verdict_of(result->code, result->error));
    free(user);
}

static void *begin_and_wait(void *prefix)
{
    for (long i = 0; !atomic_load(&enough); i++) {
        struct saga_error error;
        char id[32];
        saga_tx *tx;
        snprintf(id, sizeof id, "%s-%ld", (const char *)prefix, i);
        struct saga_begin_options options = {.name = "storm", .request_id = id, .timeout_ms = VERDICT_TIMEOUT_MS};
        int code = saga_begin(client, &options, &tx, &error);
        printf("%s %s\n", id, verdict_of(code, &error));
        if (code == SAGA_OK)
            saga_tx_free(tx);
    }
    return NULL;
}

static void *begin_in_background(void *prefix)
{
    for (long i = 0; !atomic_load(&enough); i++) {
        struct saga_error error;
        char *id = malloc(32);
        snprintf(id, 32, "%s-%ld", (const char *)prefix, i);
        struct saga_begin_options options = {.name = "storm", .request_id = id, .timeout_ms = VERDICT_TIMEOUT_MS};
        if (saga_async_begin(client, &options, on_verdict, id, &error) != SAGA_OK)
            abort();
        /* In bursts with a rest between them, so that most kills find nothing on the way and the next burst finds no connection. */
        if (i % VERDICT_BURST == 0) {
            saga_async_drain(client, -1, NULL);
            usleep(VERDICT_REST_US);
        }
    }
    return NULL;
}

static int tell_verdicts(void)
{
    static char names[VERDICT_THREADS][8];
    struct saga_error error;
    pthread_t threads[VERDICT_THREADS];
    char byte;
    if (saga_client_open(NULL, &client, &error) != SAGA_OK)
        return 1;
    for (int i = 0; i < VERDICT_THREADS; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        pthread_create(&threads[i], NULL, i == 0 ? begin_in_background : begin_and_wait, names[i]);
    }
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    atomic_store(&enough, true);
    for (int i = 0; i < VERDICT_THREADS; i++)
        pthread_join(threads[i], NULL);
    int code = saga_async_drain(client, 60000, &error);
    saga_client_close(client);
    return code == SAGA_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct saga_error error;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "verdicts") == 0)
        return tell_verdicts();
    count = argc > 1 ? atol(argv[1]) : 0;
    told = calloc((size_t)count + 1, 1);
    if (count < 10 || !told)
        return 2;
    struct saga_client_options options = {.timeout_ms = 60000, .async_poll = argc > 2 && strcmp(argv[2], "poll") == 0};
    if (saga_client_open(&options, &client, &error) != SAGA_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    for (intptr_t i = 0; i < count; i++) {
        /* Half of the queue is left for the commits. */
        while (saga_async_outstanding(client) > 30000)
            saga_async_drain(client, 5, NULL);
        if (saga_async_begin(client, &(struct saga_begin_options){.name = "storm"}, on_begin, (void *)i, &error) !=
            SAGA_OK)
            return fprintf(stderr, "%s\n", error.message), 1;
    }
    if (saga_async_drain(client, 60000, &error) != SAGA_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    saga_client_close(client);
    long wrong = 0;
    for (long i = 0; i < count; i++)
        wrong += told[i] != 17;
    printf("begun %ld committed %ld failed %ld not once %ld\n", begun, committed, failed, wrong);
    return failed == 0 && wrong == 0 ? 0 : 1;
}
