/* libsaga_storm.c - a program that begins and commits sagas through the asynchronous half as fast as it can, and says how far it is, for a
 * test that kills its sidecar meanwhile.  libsaga_storm COUNT [poll]
 *
 * Prints a line "at N" after each tenth, and at last how many of each there were. Fails when a command did not end with OK, exactly once. */
#include <saga/saga.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(int argc, char **argv)
{
    struct saga_error error;
    count = argc > 1 ? atol(argv[1]) : 0;
    told = calloc((size_t)count + 1, 1);
    if (count < 10 || !told)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
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
