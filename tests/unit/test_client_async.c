/* The asynchronous half against a scripted sidecar: order, completion exactly once over lost connections, bounds, deadlines, eventfd. */
#include <saga/saga.h>

#include "client-lib/src/client_inside.h"
#include "saga/v1/coordinator.pb-c.h"
#include "tests/support/fake_server.h"
#include "tests/support/until.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAGAS 3000

static struct fake_server *server;
static saga_client *client;
static struct saga_error error;

/* ---- the sidecar ---- */

static struct side {
    atomic_uint messages, commands;
    atomic_uint largest; /* message, in commands */
    int executed[SAGAS]; /* how often "n" was carried out anew, as a sidecar that knows request ids does */
    int order[SAGAS];    /* in which they were carried out */
    atomic_int order_count;
    atomic_bool hold;     /* messages are kept for the test to answer */
    atomic_int cut_every; /* the connection breaks at every so many-th message: before, or after it was carried out */
    atomic_int short_answer;  /* so many answers lack a result */
    atomic_int stopping;      /* so many messages are answered UNAVAILABLE from their second command on, once */
    atomic_int refuse_stream; /* a gRPC status */
    atomic_int exhausted;     /* so many Starts are refused by a limit */
    atomic_int lose_answers; /* so many messages are carried out and their connection is cut, before exhausted counts */
    struct fake_call *_Atomic call; /* the last Pipe */
    struct fake_call *cut; /* the last that was cut: of a broken connection nothing is read behind what got lost */
    int held_counts[64];   /* commands in the messages that are held */
    atomic_int held;
} side;

struct answer {
    Saga__V1__PipeResponse response;
    Saga__V1__Result results[2048], *list[2048];
    char ids[2048][16];
    Saga__V1__StartResponse start[2048];
    Saga__V1__BeginResponse begin[2048];
    Saga__V1__EnlistResponse enlist;
    Saga__V1__SettleResponse settle;
    Saga__V1__CommitResponse commit;
    Saga__V1__AbortResponse abort;
    Google__Rpc__Status failed, stopping, exhausted;
};

static struct answer answer;

static void start(int i, const Saga__V1__StartRequest *r)
{
    Saga__V1__Result *result = &answer.results[i];
    if (strcmp(r->definition, "unknown") == 0) {
        google__rpc__status__init(&answer.failed);
        answer.failed.code = 5;
        answer.failed.message = (char *)(uintptr_t) "no such definition";
        result->result_case = SAGA__V1__RESULT__RESULT_ERROR;
        result->error = &answer.failed;
        return;
    }
    if (atomic_load(&side.lose_answers) == 0 && atomic_load(&side.exhausted) > 0) {
        atomic_fetch_sub(&side.exhausted, 1);
        google__rpc__status__init(&answer.exhausted);
        answer.exhausted.code = 8;
        answer.exhausted.message = (char *)(uintptr_t) "calls_max";
        result->result_case = SAGA__V1__RESULT__RESULT_ERROR;
        result->error = &answer.exhausted;
        return;
    }
    int n = atoi(r->request_id);
    saga__v1__start_response__init(&answer.start[i]);
    snprintf(answer.ids[i], sizeof answer.ids[i], "s-%s", r->request_id);
    answer.start[i].saga_id = answer.ids[i];
    if (n >= 0 && n < SAGAS) {
        answer.start[i].already_started = side.executed[n] > 0;
        if (side.executed[n]++ == 0)
            side.order[atomic_fetch_add(&side.order_count, 1)] = n;
    }
    result->result_case = SAGA__V1__RESULT__RESULT_START;
    result->start = &answer.start[i];
}

/* What the last command of a kind was about. */
static struct seen {
    char enlist[32], settle[32], commit[32], abort[32], reason[32];
} seen;

static void note(char room[32], const char *text)
{
    snprintf(room, 32, "%s", text);
}

static void carry_out(int i, const Saga__V1__Command *c)
{
    Saga__V1__Result *result = &answer.results[i];
    saga__v1__result__init(result);
    answer.list[i] = result;
    switch (c->command_case) {
    case SAGA__V1__COMMAND__COMMAND_START:
        start(i, c->start);
        break;
    case SAGA__V1__COMMAND__COMMAND_BEGIN:
        saga__v1__begin_response__init(&answer.begin[i]);
        answer.begin[i].saga_id = (char *)(uintptr_t) "tx-1";
        answer.begin[i].already_started = strcmp(c->begin->name, "again") == 0;
        result->result_case = SAGA__V1__RESULT__RESULT_BEGIN;
        result->begin = &answer.begin[i];
        break;
    case SAGA__V1__COMMAND__COMMAND_ENLIST:
        ck_assert_uint_eq(c->enlist->n_enlist, 1);
        note(seen.enlist, c->enlist->saga_id);
        result->result_case = SAGA__V1__RESULT__RESULT_ENLIST;
        result->enlist = &answer.enlist;
        break;
    case SAGA__V1__COMMAND__COMMAND_SETTLE:
        note(seen.settle, c->settle->saga_id);
        result->result_case = SAGA__V1__RESULT__RESULT_SETTLE;
        result->settle = &answer.settle;
        break;
    case SAGA__V1__COMMAND__COMMAND_COMMIT:
        note(seen.commit, c->commit->saga_id);
        result->result_case = SAGA__V1__RESULT__RESULT_COMMIT;
        result->commit = &answer.commit;
        break;
    default: /* an Abort is answered with what does not fit it, when its saga says so */
        note(seen.abort, c->abort->saga_id);
        note(seen.reason, c->abort->reason);
        result->result_case =
            strcmp(c->abort->saga_id, "odd") == 0 ? SAGA__V1__RESULT__RESULT_COMMIT : SAGA__V1__RESULT__RESULT_ABORT;
        result->abort = &answer.abort;
        if (result->result_case == SAGA__V1__RESULT__RESULT_COMMIT)
            result->commit = &answer.commit;
    }
}

static void refuse_rest(int from, int count)
{
    google__rpc__status__init(&answer.stopping);
    answer.stopping.code = 14;
    answer.stopping.message = (char *)(uintptr_t) "the sidecar is stopping";
    for (int i = from; i < count; i++) {
        saga__v1__result__init(&answer.results[i]);
        answer.list[i] = &answer.results[i];
        answer.results[i].result_case = SAGA__V1__RESULT__RESULT_ERROR;
        answer.results[i].error = &answer.stopping;
    }
}

static void handle(struct fake_call *call, const void *request, void *user)
{
    const Saga__V1__PipeRequest *r = request;
    (void)user;
    if (!r) {
        fake_end(call);
        return;
    }
    ck_assert_str_eq(call->method, "Pipe");
    ck_assert_uint_le(r->n_commands, 2048);
    side.call = call;
    if (call == side.cut)
        return;
    if (atomic_load(&side.refuse_stream) != 0) {
        fake_fail(call, atomic_load(&side.refuse_stream), "not here", NULL, NULL, -1);
        return;
    }
    unsigned number = atomic_fetch_add(&side.messages, 1) + 1;
    int every = atomic_load(&side.cut_every);
    bool cut = every > 0 && number % (unsigned)every == 0;
    if (cut)
        side.cut = call;
    if (cut && number / (unsigned)every % 2 == 0) {
        fake_cut(server);
        return;
    }
    saga__v1__pipe_response__init(&answer.response);
    int count = (int)r->n_commands, done = count;
    if (atomic_load(&side.stopping) > 0 && count > 1) {
        atomic_fetch_sub(&side.stopping, 1);
        done = 1;
    }
    for (int i = 0; i < done; i++)
        carry_out(i, r->commands[i]);
    refuse_rest(done, count);
    atomic_fetch_add(&side.commands, r->n_commands);
    if (r->n_commands > atomic_load(&side.largest))
        atomic_store(&side.largest, (unsigned)r->n_commands);
    if (!cut && atomic_load(&side.lose_answers) > 0) {
        atomic_fetch_sub(&side.lose_answers, 1);
        cut = true;
    }
    if (cut) {
        fake_cut(server);
        return;
    }
    if (atomic_load(&side.hold)) {
        side.held_counts[atomic_load(&side.held) % 64] = count;
        atomic_fetch_add(&side.held, 1);
        return;
    }
    answer.response.n_results = (size_t)count;
    if (atomic_load(&side.short_answer) > 0 && atomic_fetch_sub(&side.short_answer, 1) > 0)
        answer.response.n_results--;
    answer.response.results = answer.list;
    fake_answer(call, &answer.response.base);
}

/* Answers a message of count commands that was held, with Commits. */
static void answer_held(int count)
{
    static Saga__V1__Result results[2048];
    static Saga__V1__Result *list[2048];
    static Saga__V1__CommitResponse commit = SAGA__V1__COMMIT_RESPONSE__INIT;
    Saga__V1__PipeResponse response = SAGA__V1__PIPE_RESPONSE__INIT;
    for (int i = 0; i < count; i++) {
        saga__v1__result__init(&results[i]);
        results[i].result_case = SAGA__V1__RESULT__RESULT_COMMIT;
        results[i].commit = &commit;
        list[i] = &results[i];
    }
    response.n_results = (size_t)count;
    response.results = list;
    fake_answer(side.call, &response.base);
}

/* ---- the client's side ---- */

/* What a callback was told. */
struct told {
    atomic_int times;
    int code;
    char reason[64], message[128], saga_id[64];
    bool already_started;
    pthread_t thread;
};

static atomic_int completed;

static void tell(void *user, const struct saga_result *result)
{
    struct told *told = user;
    told->code = result->code;
    ck_assert((result->code == SAGA_OK) == (result->error == NULL));
    if (result->error) {
        ck_assert_int_eq(result->error->code, result->code);
        snprintf(told->reason, sizeof told->reason, "%s", result->error->reason);
        snprintf(told->message, sizeof told->message, "%.127s", result->error->message);
    }
    snprintf(told->saga_id, sizeof told->saga_id, "%s", result->saga_id);
    told->already_started = result->already_started;
    told->thread = pthread_self();
    atomic_fetch_add(&told->times, 1);
    atomic_fetch_add(&completed, 1);
}

static void open_with(struct saga_client_options options)
{
    options.address = fake_address(server);
    ck_assert_int_eq(saga_client_open(&options, &client, &error), SAGA_OK);
}

static void setup(void)
{
    memset(&side, 0, sizeof side);
    saga__v1__enlist_response__init(&answer.enlist);
    saga__v1__settle_response__init(&answer.settle);
    saga__v1__commit_response__init(&answer.commit);
    saga__v1__abort_response__init(&answer.abort);
    atomic_store(&completed, 0);
    server = fake_open(handle, NULL);
    client = NULL;
}

static void teardown(void)
{
    saga_client_close(client);
    fake_close(server);
}

static int start_number(int n, const char *definition, struct told *told)
{
    char id[16];
    snprintf(id, sizeof id, "%d", n);
    struct saga_start_options options = {.definition = definition, .request_id = id};
    return saga_async_start(client, &options, told ? tell : NULL, told, &error);
}

static int commit(struct told *told, int64_t timeout_ms)
{
    return saga_async_commit(client, "tx-1", NULL, 0, timeout_ms, told ? tell : NULL, told, &error);
}

static void drain(void)
{
    ck_assert_int_eq(saga_async_drain(client, 30000, &error), SAGA_OK);
    ck_assert_uint_eq(saga_async_outstanding(client), 0);
    fake_count(server, "Pipe"); /* the server's lock orders its thread and this one */
}

START_TEST(async__every_command_is_answered_as_its_kind)
{
    struct told told[8] = {0};
    struct saga_settlement settle = {.step = "a", .outcome = SAGA_DONE};
    struct saga_enlistment enlist = {.step = "b"};
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(start_number(1, "checkout", &told[0]), SAGA_OK);
    ck_assert_int_eq(start_number(2, "unknown", &told[1]), SAGA_OK);
    struct saga_begin_options begin = {.name = "transfer"};
    ck_assert_int_eq(saga_async_begin(client, &begin, tell, &told[2], &error), SAGA_OK);
    ck_assert_int_eq(saga_async_advance(client, "tx-3", &settle, 1, &enlist, 1, 0, tell, &told[3], &error), SAGA_OK);
    ck_assert_int_eq(saga_async_advance(client, "tx-4", &settle, 1, NULL, 0, 0, tell, &told[4], &error), SAGA_OK);
    ck_assert_int_eq(commit(&told[5], 0), SAGA_OK);
    ck_assert_int_eq(saga_async_abort(client, "tx-6", "no", 0, tell, &told[6], &error), SAGA_OK);
    begin.name = "again";
    ck_assert_int_eq(saga_async_begin(client, &begin, tell, &told[7], &error), SAGA_OK);
    ck_assert_int_eq(commit(NULL, 0), SAGA_OK);
    drain();
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(atomic_load(&told[i].times), 1);
    ck_assert_int_eq(told[0].code, SAGA_OK);
    ck_assert_str_eq(told[0].saga_id, "s-1");
    ck_assert_int_eq(told[1].code, SAGA_E_NOT_FOUND);
    ck_assert_str_eq(told[1].message, "no such definition");
    ck_assert_str_eq(told[1].saga_id, "");
    ck_assert_str_eq(told[2].saga_id, "tx-1");
    ck_assert(!told[2].already_started);
    for (int i = 3; i < 7; i++) {
        ck_assert_int_eq(told[i].code, SAGA_OK);
        ck_assert_str_eq(told[i].saga_id, "");
    }
    ck_assert_str_eq(told[7].saga_id, "tx-1");
    ck_assert(told[7].already_started);
    ck_assert_str_eq(seen.enlist, "tx-3");
    ck_assert_str_eq(seen.settle, "tx-4");
    ck_assert_str_eq(seen.commit, "tx-1");
    ck_assert_str_eq(seen.abort, "tx-6");
    ck_assert_str_eq(seen.reason, "no");
    ck_assert(!pthread_equal(told[0].thread, pthread_self()));
    ck_assert_uint_eq(fake_count(server, "Pipe"), 1);
}
END_TEST

START_TEST(async__arguments_are_checked)
{
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(saga_async_start(client, NULL, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_async_begin(client, NULL, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_async_advance(client, "a", NULL, 0, NULL, 0, 0, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_async_commit(client, NULL, NULL, 0, 0, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_async_abort(client, "", NULL, 0, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "saga_id");
    ck_assert_uint_eq(saga_async_outstanding(client), 0);
    ck_assert_int_eq(saga_async_fd(client), -1);
    ck_assert_uint_eq(saga_async_poll(client, 10), 0);
}
END_TEST

START_TEST(async__lost_connections_neither_lose_nor_double_nor_reorder)
{
    static struct told told[SAGAS];
    memset(told, 0, sizeof told);
    atomic_store(&side.cut_every, 17);
    open_with((struct saga_client_options){.pipe_commands_max = 16, .timeout_ms = 60000});
    for (int i = 0; i < SAGAS; i++)
        ck_assert_int_eq(start_number(i, "checkout", &told[i]), SAGA_OK);
    drain();
    int repeated = 0;
    for (int i = 0; i < SAGAS; i++) {
        char id[16];
        snprintf(id, sizeof id, "s-%d", i);
        ck_assert_int_eq(atomic_load(&told[i].times), 1);
        ck_assert_int_eq(told[i].code, SAGA_OK);
        ck_assert_str_eq(told[i].saga_id, id);
        ck_assert_int_ge(side.executed[i], 1);
        ck_assert_int_eq(side.order[i], i);
        repeated += told[i].already_started;
    }
    ck_assert_int_gt(repeated, 0);
    ck_assert_uint_gt(fake_connections(server), 5);
    ck_assert_int_eq(atomic_load(&completed), SAGAS);
}
END_TEST

static void *queue_in_thread(void *argument)
{
    struct told *told = argument;
    for (int i = 0; i < 500; i++) {
        struct saga_error e;
        struct saga_start_options options = {.definition = "checkout"};
        ck_assert_int_eq(saga_async_start(client, &options, tell, &told[i], &e), SAGA_OK);
    }
    return NULL;
}

START_TEST(async__many_threads_queue_while_connections_break)
{
    static struct told told[4][500];
    pthread_t threads[4];
    memset(told, 0, sizeof told);
    atomic_store(&side.cut_every, 19);
    open_with((struct saga_client_options){.pipe_commands_max = 16, .timeout_ms = 60000});
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, queue_in_thread, told[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    drain();
    for (int i = 0; i < 2000; i++) {
        ck_assert_int_eq(atomic_load(&told[i / 500][i % 500].times), 1);
        ck_assert_int_eq(told[i / 500][i % 500].code, SAGA_OK);
    }
}
END_TEST

START_TEST(async__commands_are_gathered_and_messages_bounded)
{
    atomic_store(&side.hold, true);
    open_with((struct saga_client_options){.pipe_commands_max = 50, .pipe_messages_max = 3});
    for (int i = 0; i < 3; i++) { /* each of the first messages holds what there is */
        ck_assert_int_eq(commit(NULL, 0), SAGA_OK);
        UNTIL(atomic_load(&side.held) == i + 1);
    }
    for (int i = 0; i < 120; i++)
        ck_assert_int_eq(commit(NULL, 0), SAGA_OK);
    ck_assert_int_eq(atomic_load(&side.held), 3);
    answer_held(1);
    UNTIL(atomic_load(&side.held) == 4);
    ck_assert_int_eq(side.held_counts[3], 50);
    answer_held(1);
    answer_held(1);
    UNTIL(atomic_load(&side.held) == 6);
    ck_assert_int_eq(side.held_counts[4], 50);
    ck_assert_int_eq(side.held_counts[5], 20);
    answer_held(50);
    answer_held(50);
    answer_held(20);
    drain();
    ck_assert_uint_eq(fake_count(server, "Pipe"), 1);
}
END_TEST

START_TEST(async__the_queue_is_bounded)
{
    char input[600];
    memset(input, 'x', sizeof input);
    atomic_store(&side.hold, true);
    open_with((struct saga_client_options){.queue_commands_max = 4, .queue_bytes_max = 1000});
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(commit(NULL, 0), SAGA_OK);
    ck_assert_uint_eq(saga_async_outstanding(client), 4);
    struct told told = {0};
    ck_assert_int_eq(commit(&told, 0), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(error.reason, SAGA_REASON_QUEUE);
    int answered = 0;
    while (answered < 4) {
        UNTIL(atomic_load(&side.held) > 0 && answered < 4);
        int held = atomic_load(&side.held), sum = 0;
        for (int i = 0; i < held; i++)
            sum += side.held_counts[i];
        if (sum < 4)
            continue;
        for (int i = 0; i < held; i++)
            answer_held(side.held_counts[i]);
        answered = 4;
    }
    drain();
    struct saga_start_options options = {
        .definition = "checkout", .request_id = "-1", .input = input, .input_size = sizeof input};
    atomic_store(&side.hold, false);
    for (int i = 0; i < 5; i++) { /* what is complete counts no more */
        ck_assert_int_eq(saga_async_start(client, &options, NULL, NULL, &error), SAGA_OK);
        drain();
    }
    atomic_store(&side.hold, true);
    ck_assert_int_eq(saga_async_start(client, &options, NULL, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_async_start(client, &options, tell, &told, &error), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(error.reason, SAGA_REASON_QUEUE);
    ck_assert_int_eq(atomic_load(&told.times), 0);
}
END_TEST

/* 64 MiB by default: what waits for a sidecar that is away. */
START_TEST(async__the_queue_holds_so_much_by_default)
{
    static char input[15 << 20];
    const struct saga_start_options options = {
        .definition = "checkout", .request_id = "-1", .input = input, .input_size = sizeof input, .timeout_ms = 60000};
    fake_unlisten(server);
    open_with((struct saga_client_options){0});
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(saga_async_start(client, &options, NULL, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_async_start(client, &options, NULL, NULL, &error), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(error.reason, SAGA_REASON_QUEUE);
}
END_TEST

START_TEST(async__large_commands_travel_alone)
{
    static char input[1200000];
    static const size_t sizes[4] = {700000, 700000, 1200000, 10};
    memset(input, 'x', sizeof input);
    struct told told[4] = {0};
    atomic_store(&side.hold, true);
    open_with((struct saga_client_options){.pipe_messages_max = 1});
    ck_assert_int_eq(commit(NULL, 0), SAGA_OK);
    UNTIL(atomic_load(&side.held) == 1);
    for (int i = 0; i < 4; i++) {
        struct saga_start_options options = {
            .definition = "checkout", .request_id = "-1", .input = input, .input_size = sizes[i]};
        ck_assert_int_eq(saga_async_start(client, &options, tell, &told[i], &error), SAGA_OK);
    }
    atomic_store(&side.hold, false);
    answer_held(1);
    drain();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(told[i].code, SAGA_OK);
    ck_assert_uint_eq(atomic_load(&side.messages), 5);
}
END_TEST

/* A command's size goes before it, in a byte more from 128 bytes on, and from 16384. */
START_TEST(async__commands_of_every_size_arrive)
{
    static char input[16500];
    static struct told told[300];
    memset(input, 'x', sizeof input);
    memset(told, 0, sizeof told);
    open_with((struct saga_client_options){0});
    for (int i = 0; i < 300; i++) {
        struct saga_start_options options = {.definition = "checkout",
                                             .request_id = "-1",
                                             .input = input,
                                             .input_size = i < 150 ? (size_t)i : 16200 + (size_t)i};
        ck_assert_int_eq(saga_async_start(client, &options, tell, &told[i], &error), SAGA_OK);
    }
    drain();
    for (int i = 0; i < 300; i++)
        ck_assert_msg(told[i].code == SAGA_OK, "%d: %s", i, told[i].message);
}
END_TEST

/* When a command's deadline was set: between two readings of the clock. */
static struct due {
    int64_t from, to;
} due[300];
static struct due *passed[300];
static int passed_count;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void note_deadline(void *user, const struct saga_result *result)
{
    ck_assert_int_eq(result->code, SAGA_E_DEADLINE_EXCEEDED);
    passed[passed_count++] = user;
    atomic_fetch_add(&completed, 1);
}

START_TEST(async__deadlines_pass_in_their_own_order)
{
    atomic_store(&side.hold, true);
    passed_count = 0;
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(commit(NULL, 60000), SAGA_OK);
    UNTIL(atomic_load(&side.held) == 1); /* connected */
    /* 31 and 300 have no common factor: every timeout from 500 to 799 ms once, far from sorted. */
    for (int64_t i = 0; i < 300; i++) {
        int64_t timeout_ms = 500 + i * 31 % 300;
        due[i].from = now_ns() + timeout_ms * 1000000;
        ck_assert_int_eq(saga_async_commit(client, "tx-1", NULL, 0, timeout_ms, note_deadline, &due[i], &error),
                         SAGA_OK);
        due[i].to = now_ns() + timeout_ms * 1000000;
    }
    UNTIL(atomic_load(&completed) == 300);
    for (int i = 1; i < 300; i++)
        ck_assert_int_le(passed[i - 1]->from, passed[i]->to);
    ck_assert_uint_eq(saga_async_outstanding(client), 1);
}
END_TEST

START_TEST(async__timeouts)
{
    struct told told[4] = {0};
    atomic_store(&side.hold, true);
    open_with((struct saga_client_options){.pipe_messages_max = 1});
    ck_assert_int_eq(commit(&told[0], 20000), SAGA_OK);
    UNTIL(atomic_load(&side.held) == 1);
    ck_assert_int_eq(commit(&told[1], 100), SAGA_OK); /* stays queued behind the first */
    UNTIL(atomic_load(&told[1].times) == 1);
    ck_assert_int_eq(told[1].code, SAGA_E_DEADLINE_EXCEEDED);
    ck_assert_str_eq(told[1].reason, SAGA_REASON_DEADLINE);
    ck_assert_str_eq(told[1].message, "it was still queued behind others");
    answer_held(1);
    UNTIL(atomic_load(&told[0].times) == 1);
    ck_assert_int_eq(told[0].code, SAGA_OK);

    /* Two in one message, of which the first times out before the answer: the second still gets its own. */
    ck_assert_int_eq(commit(NULL, 20000), SAGA_OK);
    UNTIL(atomic_load(&side.held) == 2);
    ck_assert_int_eq(commit(&told[2], 1500), SAGA_OK);
    ck_assert_int_eq(commit(&told[3], 20000), SAGA_OK);
    answer_held(1);
    UNTIL(atomic_load(&side.held) == 3);
    ck_assert_int_eq(side.held_counts[2], 2);
    UNTIL(atomic_load(&told[2].times) == 1);
    ck_assert_int_eq(told[2].code, SAGA_E_DEADLINE_EXCEEDED);
    ck_assert_str_eq(told[2].reason, SAGA_REASON_DEADLINE);
    ck_assert_ptr_null(strstr(told[2].message, "queued"));
    ck_assert_int_eq(atomic_load(&told[3].times), 0);
    answer_held(2);
    drain();
    ck_assert_int_eq(told[3].code, SAGA_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(atomic_load(&told[i].times), 1);
}
END_TEST

/* Each counts from its own call, or by the client's; one that is negative has none. */
START_TEST(async__every_command_has_its_own_timeout)
{
    struct told told[6] = {0}, forever = {0};
    const struct saga_settlement settle = {.step = "a", .outcome = SAGA_DONE};
    const struct saga_enlistment enlist = {.step = "b"};
    const struct saga_start_options start = {.definition = "checkout", .timeout_ms = _i ? 0 : 50};
    const struct saga_begin_options begin = {.name = "transfer", .timeout_ms = _i ? 0 : 50};
    int64_t own = _i ? 0 : 50;
    atomic_store(&side.hold, true);
    open_with((struct saga_client_options){.timeout_ms = _i ? 50 : 60000});
    ck_assert_int_eq(saga_async_start(client, &start, tell, &told[0], &error), SAGA_OK);
    ck_assert_int_eq(saga_async_begin(client, &begin, tell, &told[1], &error), SAGA_OK);
    ck_assert_int_eq(saga_async_advance(client, "t", NULL, 0, &enlist, 1, own, tell, &told[2], &error), SAGA_OK);
    ck_assert_int_eq(saga_async_advance(client, "t", &settle, 1, NULL, 0, own, tell, &told[3], &error), SAGA_OK);
    ck_assert_int_eq(saga_async_commit(client, "t", &settle, 1, own, tell, &told[4], &error), SAGA_OK);
    ck_assert_int_eq(saga_async_abort(client, "t", NULL, own, tell, &told[5], &error), SAGA_OK);
    ck_assert_int_eq(commit(&forever, -1), SAGA_OK);
    for (int i = 0; i < 6; i++) {
        UNTIL(atomic_load(&told[i].times) == 1);
        ck_assert(told[i].code == SAGA_E_DEADLINE_EXCEEDED || told[i].code == SAGA_E_UNAVAILABLE);
    }
    ck_assert_int_eq(atomic_load(&forever.times), 0);
    ck_assert_uint_eq(saga_async_outstanding(client), 1);
}
END_TEST

START_TEST(async__streams_that_break_are_not_opened_again_at_once)
{
    struct told told = {0};
    atomic_store(&side.refuse_stream, 14);
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(commit(&told, 1000), SAGA_OK);
    UNTIL(atomic_load(&told.times) == 1);
    ck_assert_int_eq(told.code, SAGA_E_DEADLINE_EXCEEDED);
    ck_assert_uint_ge(fake_count(server, "Pipe"), 4);
    ck_assert_uint_le(fake_count(server, "Pipe"), 10);
}
END_TEST

static int64_t delay_seen;

/* Called on the wire's thread, which alone looks at the delay. */
static void note_delay(void *user, const struct saga_result *result)
{
    (void)user;
    ck_assert_int_eq(result->code, SAGA_OK);
    delay_seen = client->async.delay_ms;
}

/* The next loss is the first again: losses do not add up over a client's life. */
START_TEST(async__an_answer_ends_the_row_of_losses)
{
    struct saga_start_options options = {.definition = "checkout", .request_id = "1"};
    open_with((struct saga_client_options){0});
    atomic_store(&side.lose_answers, 2);
    ck_assert_int_eq(saga_async_start(client, &options, note_delay, NULL, &error), SAGA_OK);
    drain();
    ck_assert_int_gt(delay_seen, 0);
    ck_assert_int_eq(saga_async_start(client, &options, note_delay, NULL, &error), SAGA_OK);
    drain();
    ck_assert_int_eq(delay_seen, 0);
}
END_TEST

START_TEST(async__without_a_sidecar)
{
    struct told told[2] = {0};
    fake_unlisten(server);
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(commit(&told[0], 100), SAGA_OK);
    ck_assert_int_eq(commit(&told[1], 20000), SAGA_OK);
    ck_assert_int_eq(saga_async_drain(client, 10, &error), SAGA_E_DEADLINE_EXCEEDED);
    UNTIL(atomic_load(&told[0].times) == 1);
    ck_assert_int_eq(told[0].code, SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(told[0].reason, SAGA_REASON_UNREACHABLE);
    fake_listen(server);
    drain();
    ck_assert_int_eq(told[1].code, SAGA_OK);
}
END_TEST

START_TEST(async__what_was_called_not_carried_out_never_is)
{
    struct told told[2] = {0};
    fake_unlisten(server);
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(start_number(1, "checkout", NULL), SAGA_OK);
    struct saga_start_options options = {.definition = "checkout", .request_id = "2", .timeout_ms = 100};
    ck_assert_int_eq(saga_async_start(client, &options, tell, &told[0], &error), SAGA_OK);
    UNTIL(atomic_load(&told[0].times) == 1);
    ck_assert_str_eq(told[0].reason, SAGA_REASON_UNREACHABLE);
    fake_listen(server);
    ck_assert_int_eq(start_number(3, "checkout", &told[1]), SAGA_OK);
    drain();
    ck_assert_int_eq(side.executed[1], 1);
    ck_assert_int_eq(side.executed[2], 0);
    ck_assert_int_eq(side.executed[3], 1);
}
END_TEST

START_TEST(async__a_limit_is_no_verdict_on_what_got_lost)
{
    struct told told[2] = {0};
    atomic_store(&side.exhausted, 1); /* at first sight it is one */
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(start_number(1, "checkout", &told[0]), SAGA_OK);
    drain();
    ck_assert_int_eq(told[0].code, SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(side.executed[1], 0);
    atomic_store(&side.lose_answers, 1);
    atomic_store(&side.exhausted, 2);
    ck_assert_int_eq(start_number(2, "checkout", &told[1]), SAGA_OK);
    drain();
    ck_assert_int_eq(told[1].code, SAGA_OK);
    ck_assert(told[1].already_started);
    ck_assert_int_eq(side.executed[2], 2);
    ck_assert_int_eq(atomic_load(&side.exhausted), 0);
}
END_TEST

START_TEST(async__eventfd_and_poll)
{
    struct told told[10] = {0};
    open_with((struct saga_client_options){.async_poll = true});
    struct pollfd fd = {.fd = saga_async_fd(client), .events = POLLIN};
    ck_assert_int_ge(fd.fd, 0);
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(start_number(i, i == 3 ? "unknown" : "checkout", &told[i]), SAGA_OK);
    size_t ran = 0;
    while (ran < 7) {
        ck_assert_int_eq(poll(&fd, 1, 20000), 1);
        ran += saga_async_poll(client, 7 - ran);
    }
    ck_assert_uint_eq(ran, 7);
    ck_assert_int_eq(atomic_load(&completed), 7);
    ck_assert_uint_eq(saga_async_outstanding(client), 3); /* completed is what its callback has run for */
    ck_assert_int_eq(poll(&fd, 1, 20000), 1);
    drain();
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(atomic_load(&told[i].times), 1);
        ck_assert(pthread_equal(told[i].thread, pthread_self()));
        ck_assert_int_eq(told[i].code, i == 3 ? SAGA_E_NOT_FOUND : SAGA_OK);
    }
    ck_assert_str_eq(told[3].message, "no such definition");
    ck_assert_str_eq(told[9].saga_id, "s-9");
}
END_TEST

static struct told chained;

static void queue_another(void *user, const struct saga_result *result)
{
    struct saga_error e;
    tell(user, result);
    ck_assert_int_eq(saga_get(client, "s-1", NULL, &e), SAGA_E_FAILED_PRECONDITION);
    ck_assert_str_eq(e.reason, SAGA_REASON_CALLBACK);
    ck_assert_int_eq(saga_async_drain(client, 0, &e), SAGA_E_FAILED_PRECONDITION);
    saga_watch *watch;
    const struct saga_event *event;
    ck_assert_int_eq(saga_watch_open(client, "s-1", NULL, &watch, &e), SAGA_OK);
    ck_assert_int_eq(saga_watch_next(watch, 0, &event, &e), SAGA_E_FAILED_PRECONDITION);
    ck_assert_str_eq(e.reason, SAGA_REASON_CALLBACK);
    saga_watch_close(watch);
    ck_assert_int_eq(saga_async_commit(client, "tx-1", NULL, 0, 0, tell, &chained, &e), SAGA_OK);
}

START_TEST(async__callbacks_may_queue_and_must_not_wait)
{
    struct told told = {0};
    memset(&chained, 0, sizeof chained);
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(saga_async_commit(client, "tx-1", NULL, 0, 0, queue_another, &told, &error), SAGA_OK);
    UNTIL(atomic_load(&chained.times) == 1);
    drain();
    ck_assert_int_eq(chained.code, SAGA_OK);
}
END_TEST

static void close_with_outstanding(bool poll, bool connected)
{
    struct told told[200] = {0};
    if (!connected)
        fake_unlisten(server);
    atomic_store(&side.hold, true);
    open_with((struct saga_client_options){.async_poll = poll, .pipe_messages_max = 2, .pipe_commands_max = 3});
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(commit(&told[i], 0), SAGA_OK);
    if (connected)
        UNTIL(atomic_load(&side.held) == 2);
    saga_client_close(client);
    client = NULL;
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(atomic_load(&told[i].times), 1);
        ck_assert_int_eq(told[i].code, SAGA_E_CANCELLED);
        ck_assert_str_eq(told[i].reason, SAGA_REASON_CLOSED);
    }
}

START_TEST(async__closing_completes_what_is_outstanding)
{
    close_with_outstanding(_i & 1, _i & 2);
}
END_TEST

START_TEST(async__shutdown_completes_and_refuses)
{
    struct told told = {0};
    atomic_store(&side.hold, true);
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(commit(&told, 0), SAGA_OK);
    UNTIL(atomic_load(&side.held) == 1);
    saga_client_shutdown(client);
    UNTIL(atomic_load(&told.times) == 1);
    ck_assert_int_eq(told.code, SAGA_E_CANCELLED);
    ck_assert_int_eq(commit(&told, 0), SAGA_E_CANCELLED);
    ck_assert_str_eq(error.reason, SAGA_REASON_CLOSED);
}
END_TEST

START_TEST(async__answers_that_do_not_fit)
{
    struct told told[3] = {0};
    atomic_store(&side.short_answer, 1);
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(commit(&told[0], 0), SAGA_OK);
    UNTIL(atomic_load(&told[0].times) == 1);
    ck_assert_int_eq(told[0].code, SAGA_E_INTERNAL);
    ck_assert_str_eq(told[0].reason, SAGA_REASON_PROTOCOL);
    ck_assert_int_eq(saga_async_abort(client, "odd", NULL, 0, tell, &told[1], &error), SAGA_OK);
    ck_assert_int_eq(commit(&told[2], 0), SAGA_OK);
    drain();
    ck_assert_int_eq(told[1].code, SAGA_E_INTERNAL);
    ck_assert_int_eq(told[2].code, SAGA_OK);
    ck_assert_uint_eq(fake_count(server, "Pipe"), 2);
}
END_TEST

START_TEST(async__what_a_stopping_sidecar_refused_is_sent_again_in_its_place)
{
    static struct told told[300];
    memset(told, 0, sizeof told);
    atomic_store(&side.stopping, 5);
    open_with((struct saga_client_options){.pipe_commands_max = 10, .pipe_messages_max = 1});
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(start_number(i, "checkout", &told[i]), SAGA_OK);
    drain();
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(told[i].code, SAGA_OK);
        ck_assert_int_eq(atomic_load(&told[i].times), 1);
        ck_assert_int_eq(side.order[i], i);
        ck_assert_int_eq(side.executed[i], 1);
    }
    ck_assert_uint_eq(fake_count(server, "Pipe"), 6);
}
END_TEST

START_TEST(async__a_definite_refusal_of_the_stream_reaches_every_command)
{
    struct told told = {0};
    atomic_store(&side.refuse_stream, 12);
    open_with((struct saga_client_options){0});
    ck_assert_int_eq(commit(&told, 0), SAGA_OK);
    drain();
    ck_assert_int_eq(told.code, SAGA_E_UNIMPLEMENTED);
    ck_assert_str_eq(told.message, "not here");
    atomic_store(&side.refuse_stream, 0);
    ck_assert_int_eq(commit(&told, 0), SAGA_OK);
    drain();
    ck_assert_int_eq(told.code, SAGA_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_async");
    TCase *c = tcase_create("async");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, async__every_command_is_answered_as_its_kind);
    tcase_add_test(c, async__arguments_are_checked);
    tcase_add_test(c, async__lost_connections_neither_lose_nor_double_nor_reorder);
    tcase_add_test(c, async__many_threads_queue_while_connections_break);
    tcase_add_test(c, async__commands_are_gathered_and_messages_bounded);
    tcase_add_test(c, async__the_queue_is_bounded);
    tcase_add_test(c, async__the_queue_holds_so_much_by_default);
    tcase_add_test(c, async__large_commands_travel_alone);
    tcase_add_test(c, async__commands_of_every_size_arrive);
    tcase_add_test(c, async__timeouts);
    tcase_add_test(c, async__deadlines_pass_in_their_own_order);
    tcase_add_loop_test(c, async__every_command_has_its_own_timeout, 0, 2);
    tcase_add_test(c, async__streams_that_break_are_not_opened_again_at_once);
    tcase_add_test(c, async__an_answer_ends_the_row_of_losses);
    tcase_add_test(c, async__without_a_sidecar);
    tcase_add_test(c, async__what_was_called_not_carried_out_never_is);
    tcase_add_test(c, async__a_limit_is_no_verdict_on_what_got_lost);
    tcase_add_test(c, async__eventfd_and_poll);
    tcase_add_test(c, async__callbacks_may_queue_and_must_not_wait);
    tcase_add_loop_test(c, async__closing_completes_what_is_outstanding, 0, 4);
    tcase_add_test(c, async__shutdown_completes_and_refuses);
    tcase_add_test(c, async__answers_that_do_not_fit);
    tcase_add_test(c, async__what_a_stopping_sidecar_refused_is_sent_again_in_its_place);
    tcase_add_test(c, async__a_definite_refusal_of_the_stream_reaches_every_command);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
