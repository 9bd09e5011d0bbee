/* What libsaga asks of a sidecar for every option of every function, each set alone and at its bounds. It is kept in
 * tests/fixtures/client/requests.txt; `build/release/tests/unit/test_client_requests write` writes that anew, for its difference to be read. The wire
 * is this test's (tests.mk): no call leaves, and time stands still. */
#include "tests/support/kept_text.h"
#include "tests/support/still_wire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/client/requests.txt";

/* ---- opening ---- */

static void put_opening(void)
{
    static const struct saga_client_options rows[] = {
        {.address = NULL},
        {.address = "unix:/run/x"},
        {.address = "nowhere"},
        {.address = "nowhere", .async_poll = true},
        {.timeout_ms = 1},
        {.timeout_ms = -1},
        {.message_bytes_max = 294911},
        {.message_bytes_max = 294912},
        {.message_bytes_max = 2147483647},
        {.message_bytes_max = 2147483648},
        {.fail_fast = true},
        {.lease_keeper_off = true},
        {.async_poll = true},
        {.queue_commands_max = 1048576},
        {.queue_commands_max = 1048577},
        {.queue_bytes_max = 1},
        {.pipe_commands_max = 1},
        {.pipe_commands_max = 65536},
        {.pipe_commands_max = 65537},
        {.pipe_commands_max = 10000},
        {.pipe_messages_max = 1024},
        {.pipe_messages_max = 1025},
        {.tls_certificate = "c"},
        {.tls_key = "k"},
        {.tls_roots = "r"},
        {.tls_identity = "i"},
        {.reserved = {1}},
        {.reserved = {0, 0, 0, 1}},
    };
    fprintf(out, "saga_client_open\n");
    saga_client_close(client_of(NULL));
    for (size_t i = 0; i < COUNT(rows); i++) {
        fprintf(out, " %zu\n", i);
        saga_client *client = client_of(&rows[i]);
        if (client == NULL)
            continue;
        ck_assert(client->async.fd < 0 || fcntl(client->async.fd, F_GETFD) >= 0);
        const struct saga_client_options *o = &client->options;
        fprintf(out,
                "  timeout %" PRId64 " fast %d keeper_off %d poll %d %d queue %u %zu pipe %u %u bytes %zu address %s\n",
                o->timeout_ms, o->fail_fast, o->lease_keeper_off, o->async_poll, client->async.fd >= 0,
                o->queue_commands_max, o->queue_bytes_max, o->pipe_commands_max, o->pipe_messages_max,
                o->message_bytes_max, saga_client_address(client));
        saga_client_close(client);
    }
    struct saga_error error;
    put_result(saga_client_open(NULL, NULL, &error), &error);
    ck_assert_int_eq(saga_client_open(NULL, NULL, NULL), SAGA_E_INVALID_ARGUMENT);
}

/* ---- sagas of definitions ---- */

static void put_starts(saga_client *client)
{
    static const char long_id[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    const struct saga_start_options rows[] = {
        {.definition = NULL},
        {.definition = ""},
        {.definition = "d"},
        {.definition = "d", .version = "1.0.0"},
        {.definition = "d", .request_id = "r"},
        {.definition = "d", .request_id = ""},
        {.definition = "d", .request_id = long_id},
        {.definition = "d", .request_id = long_id + 1},
        {.definition = "d", .input = "in", .input_size = 2},
        {.definition = "d", .input_size = 2},
        {.definition = "d", .deadline_ms = 1},
        {.definition = "d", .deadline_ms = 61500},
        {.definition = "d", .deadline_ms = -1},
        {.definition = "d", .deadline_ms = 315576000000000},
        {.definition = "d", .deadline_ms = 315576000000001},
        {.definition = "d", .traceparent = "00-1"},
        {.definition = "d", .timeout_ms = 7},
        {.definition = "d", .timeout_ms = -7},
        {.definition = "d", .priority = 1},
        {.definition = "d", .priority = 3},
        {.definition = "d", .priority = 4},
        {.definition = "d", .reserved = {1}},
        {.definition = "d", .reserved = {0, 0, 1}},
    };
    struct saga_started started;
    struct saga_error error;
    fprintf(out, "saga_start\n");
    answer = bytes_of("\x0a\x03s-1\x10\x01", 7);
    for (size_t i = 0; i < COUNT(rows); i++) {
        calls = 0;
        fprintf(out, " %zu\n", i);
        int code = saga_start(client, &rows[i], &started, &error);
        put_result(code, &error);
        if (code == SAGA_OK)
            fprintf(out, "  %s %s %d\n", started.saga_id, started.request_id, started.already_started);
    }
    calls = 0;
    put_result(saga_start(client, &rows[2], NULL, NULL), NULL);
    put_result(saga_start(client, NULL, &started, &error), &error);
}

static void put_acts(saga_client *client)
{
    static const char longest[] = "000000000000000000000000000000000000000000000000000000000000000";
    static const char *const ids[] = {NULL, "", "s-1", longest,
                                      "0000000000000000000000000000000000000000000000000000000000000000"};
    struct saga_registration registration;
    struct saga_snapshot *snapshot;
    struct saga_error error;
    fprintf(out, "by id\n");
    answer = bytes_of("\x0a\x00", 2);
    for (size_t i = 0; i < COUNT(ids); i++)
        for (unsigned flags = 0; flags < 5; flags++) {
            calls = 0;
            fprintf(out, " %s %u\n", text(ids[i]), flags);
            put_result(saga_wait(client, ids[i], flags, flags == 1 ? 0 : flags == 2 ? -1 : 77, NULL, &error), &error);
            calls = 0;
            int code = saga_snapshot_get(client, ids[i], flags, &snapshot, &error);
            put_result(code, &error);
            saga_snapshot_free(snapshot);
            calls = 0;
            if (flags == 0)
                put_result(saga_get(client, ids[i], NULL, &error), &error);
            calls = 0;
            if (flags < 2)
                put_result(saga_cancel(client, ids[i], flags == 0 ? NULL : "why", &error), &error);
        }
    put_result(saga_snapshot_get(client, "s-1", 0, NULL, &error), &error);
    answer = bytes_of("\x0a\x01n\x12\x01v\x18\x01", 8);
    for (int i = 0; i < 4; i++) {
        calls = 0;
        int code =
            saga_register_definition(client, i == 0 ? NULL : "name: x", i == 1 ? 0 : 7, i == 3, &registration, &error);
        put_result(code, &error);
        if (code == SAGA_OK)
            fprintf(out, "  %s %s %d\n", registration.name, registration.version, registration.already_registered);
    }
    calls = 0;
    put_result(saga_register_definition(client, "name: x", 7, false, NULL, &error), &error);
}

/* ---- enlisted sagas ---- */

static const struct saga_retry_policy retries[] = {
    {.max_attempts = 0},
    {.max_attempts = 9},
    {.initial_backoff_ms = 1},
    {.initial_backoff_ms = -1},
    {.initial_backoff_ms = 1, .max_backoff_ms = 86400000},
    {.max_backoff_ms = 1500},
    {.max_backoff_ms = -1},
    {.backoff_multiplier = 1.5},
    {.jitter = 0.25},
    {.jitter = -0.5},
    {.initial_backoff_ms = -1, .jitter = 1},
};

static const struct saga_compensation compensations[] = {
    {.target = NULL},
    {.target = "t"},
    {.method = "/m"},
    {.target = "t", .method = "/m"},
    {.target = "t", .method = "/m", .request = "req", .request_size = 3},
    {.target = "t", .method = "/m", .request = "req"},
    {.target = "t", .method = "/m", .request_size = 3},
    {.target = "t", .method = "/m", .timeout_ms = 2500},
    {.target = "t", .method = "/m", .timeout_ms = -1},
    {.target = "t", .method = "/m", .timeout_ms = -1, .retry = &retries[1]},
    {.target = "t", .method = "/m", .reserved = {1}},
    {.target = "t", .method = "/m", .reserved = {0, 1}},
};

static const struct saga_settlement settlements[] = {
    {.step = NULL, .outcome = 1},
    {.step = "a", .outcome = 0},
    {.step = "a", .outcome = 1},
    {.step = "a", .outcome = 2},
    {.step = "a", .outcome = 3},
    {.step = "a", .outcome = 4},
    {.step = "a", .outcome = 1, .output = "o", .output_size = 1},
    {.step = "a", .outcome = 1, .output = "o"},
    {.step = "a", .outcome = 1, .output_size = 1},
    {.step = "a", .outcome = 1, .use_output_for_compensation = true},
    {.step = "a", .outcome = 3, .may_run_for_ms = 1001},
    {.step = "a", .outcome = 3, .may_run_for_ms = -1},
};

static void put_begins(saga_client *client)
{
    static const struct saga_compensation one = {.target = "t", .method = "/m"};
    static const struct saga_enlistment steps[2] = {{.step = "a", .compensation = &one}, {.step = "b"}};
    const struct saga_begin_options rows[] = {
        {.name = NULL},
        {.name = ""},
        {.name = "n"},
        {.name = "n", .request_id = "r"},
        {.name = "n", .deadline_ms = 1},
        {.name = "n", .deadline_ms = -1},
        {.name = "n", .lease_ms = 1},
        {.name = "n", .lease_ms = -1},
        {.name = "n", .traceparent = "00-1"},
        {.name = "n", .enlist = steps, .enlist_count = 1},
        {.name = "n", .enlist = steps, .enlist_count = 2},
        {.name = "n", .enlist = steps},
        {.name = "n", .enlist_count = 2},
        {.name = "n", .enlist = steps, .enlist_count = 257},
        {.name = "n", .timeout_ms = 7},
        {.name = "n", .reserved = {1}},
        {.name = "n", .reserved = {0, 0, 0, 1}},
    };
    struct saga_error error;
    saga_tx *tx;
    fprintf(out, "saga_begin\n");
    for (int already = 0; already < 2; already++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            answer = already ? bytes_of("\x0a\x03s-1\x10\x01\x1a\x02k1\x1a\x02k2", 15)
                             : bytes_of("\x0a\x03s-1\x1a\x02k1\x1a\x02k2", 13);
            calls = 0;
            fprintf(out, " %zu\n", i);
            int code = saga_begin(client, &rows[i], &tx, &error);
            put_result(code, &error);
            ck_assert_int_eq(tx == NULL, code != SAGA_OK);
            if (tx == NULL)
                continue;
            fprintf(out, "  %s %d keys %s %s %s lease %" PRId64 "\n", saga_tx_id(tx), saga_tx_already_started(tx),
                    text(saga_tx_action_key(tx, "a")), text(saga_tx_action_key(tx, "b")),
                    text(saga_tx_action_key(tx, NULL)), saga_tx_lease_left_ms(tx));
            calls = 0;
            put_result(saga_commit(tx, &error), &error);
            saga_tx_free(tx);
        }
    put_result(saga_begin(client, &rows[2], NULL, &error), &error);
    put_result(saga_begin(client, NULL, &tx, &error), &error);
}

static void put_steps(saga_client *client)
{
    struct saga_settlement many[257];
    struct saga_error error;
    saga_tx *tx;
    fprintf(out, "steps\n");
    answer = bytes_of("\x0a\x03key", 5);
    ck_assert_int_eq(saga_tx_attach(client, "s-7", 900, 55, &tx, &error), SAGA_OK);
    for (size_t i = 0; i < COUNT(retries) + COUNT(compensations); i++) {
        struct saga_compensation with_retry = compensations[3];
        with_retry.retry = &retries[i % COUNT(retries)];
        calls = 0;
        fprintf(out, " %zu\n", i);
        put_result(saga_enlist(tx, "a", i < COUNT(retries) ? &with_retry : &compensations[i - COUNT(retries)], &error),
                   &error);
    }
    calls = 0;
    put_result(saga_enlist(tx, "c", NULL, &error), &error);
    put_result(saga_enlist(tx, NULL, NULL, &error), &error);
    fprintf(out, "  keys %s %s %s\n", text(saga_tx_action_key(tx, "a")), text(saga_tx_action_key(tx, "c")),
            text(saga_tx_action_key(tx, "d")));
    for (size_t i = 0; i < COUNT(settlements); i++) {
        const struct saga_settlement two[2] = {settlements[2], settlements[i]};
        const struct saga_enlistment next = {.step = "z"};
        calls = 0;
        fprintf(out, " settled %zu\n", i);
        put_result(saga_settle(tx, settlements[i].step, (enum saga_outcome)settlements[i].outcome,
                               settlements[i].output, settlements[i].output_size, &error),
                   &error);
        calls = 0;
        put_result(saga_advance(tx, two, 2, &next, 1, &error), &error);
        calls = 0;
        put_result(saga_commit_with(tx, two, 2, &error), &error);
    }
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = settlements[2];
    put_result(saga_advance(tx, NULL, 0, NULL, 0, &error), &error);
    put_result(saga_advance(tx, NULL, 1, NULL, 0, &error), &error);
    put_result(saga_advance(tx, many, 257, NULL, 0, &error), &error);
    put_result(saga_commit_with(tx, many, 257, &error), &error);
    quiet = true;
    put_result(saga_advance(tx, many, 256, NULL, 0, &error), &error);
    quiet = false;
    for (int i = 0; i < 2; i++) {
        calls = 0;
        put_result(saga_abort(tx, i == 0 ? NULL : "why", &error), &error);
    }
    saga_tx_free(tx);
}

static void put_all(FILE *to)
{
    out = to;
    put_opening();
    saga_client *client = client_now(false);
    put_starts(client);
    put_acts(client);
    put_begins(client);
    put_steps(client);
    saga_client_close(client);
}

START_TEST(client__asks_in_these_words)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "client_requests", client__asks_in_these_words);
}
