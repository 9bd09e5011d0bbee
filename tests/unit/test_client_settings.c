/* What libsaga tells C core of its channel, and which signals its threads take. tests.mk wraps what makes them. */
#include <saga/participant.h>
#include <saga/saga.h>

#include <check.h>
#include <grpc/grpc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 32 };

static struct {
    char key[96], text[96];
    int number;
} told[ARGS_MAX];
static size_t told_count;
static int threads, threads_open; /* that were begun, and those of them that some signal can reach */
static struct saga_error error;

grpc_channel *__real_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args);
grpc_channel *__wrap_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

grpc_channel *__wrap_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args)
{
    ck_assert_uint_le(args->num_args, ARGS_MAX);
    memset(told, 0, sizeof told);
    told_count = args->num_args;
    for (size_t i = 0; i < told_count; i++) {
        strcpy(told[i].key, args->args[i].key);
        if (args->args[i].type == GRPC_ARG_INTEGER)
            told[i].number = args->args[i].value.integer;
        else if (args->args[i].type == GRPC_ARG_STRING)
            strcpy(told[i].text, args->args[i].value.string);
    }
    return __real_grpc_channel_create(name, c, args);
}

/* A thread begins with the mask of the one that makes it. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD};
    sigset_t now;
    bool open = false;
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        open = open || sigismember(&now, signals[i]) == 0;
    threads++;
    threads_open += open;
    return __real_pthread_create(thread, attributes, run, argument);
}

/* The place of key, which is told once. */
static size_t place_of(const char *key)
{
    size_t place = told_count;
    for (size_t i = 0; i < told_count; i++)
        if (strcmp(told[i].key, key) == 0) {
            ck_assert_msg(place == told_count, "%s is told twice", key);
            place = i;
        }
    ck_assert_msg(place < told_count, "%s is not told", key);
    return place;
}

/* Retries are the client's own, and the sidecar is a neighbour: nothing of the environment stands between. */
START_TEST(client_settings__the_channel_is_plain)
{
    static const struct {
        const char *key;
        int number;
    } rows[] = {{GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 76543210},
                {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100},
                {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000},
                {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000},
                {GRPC_ARG_ENABLE_RETRIES, 0},
                {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
                {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
                {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1}};
    const struct saga_client_options options = {.address = "unix:/nowhere/at-all.sock", .message_bytes_max = 76543210};
    saga_client *client;
    ck_assert_msg(saga_client_open(&options, &client, &error) == SAGA_OK, "%s", error.message);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int number = told[place_of(rows[i].key)].number;
        ck_assert_msg(number == rows[i].number, "%s is %d and not %d", rows[i].key, number, rows[i].number);
    }
    ck_assert_str_eq(told[place_of(GRPC_ARG_PRIMARY_USER_AGENT_STRING)].text, "libsaga/" SAGA_VERSION);
    saga_client_close(client);
}
END_TEST

/* Signals are the program's business: its own threads take them, and go on taking them. */
static void are_deaf(int at_least)
{
    sigset_t now;
    ck_assert_int_ge(threads, at_least);
    ck_assert_msg(threads_open == 0, "%d of %d threads take the program's signals", threads_open, threads);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    ck_assert_int_eq(sigismember(&now, SIGTERM), 0);
    ck_assert_int_eq(sigismember(&now, SIGUSR1), 1); /* as the test has it */
}

static void block_one(void)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &one, NULL);
    threads = threads_open = 0;
}

START_TEST(client_settings__a_clients_thread_takes_no_signals)
{
    const struct saga_client_options options = {.address = "unix:/nowhere/at-all.sock"};
    saga_client *client;
    ck_assert_int_eq(saga_client_open(&options, &client, &error), SAGA_OK);
    are_deaf(1);
    saga_client_close(client);
}
END_TEST

static int reply(saga_call *call, void *user)
{
    (void)user;
    return saga_call_reply(call, "", 0);
}

START_TEST(client_settings__a_participants_threads_take_no_signals)
{
    enum { THREADS = 3 };
    const struct saga_participant_options options = {.threads = THREADS};
    saga_participant *p;
    ck_assert_msg(saga_participant_open(&options, &p, &error) == SAGA_OK, "%s", error.message);
    ck_assert_int_eq(saga_participant_step(p, "/shop.v1.Inventory/Reserve", reply, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_msg(saga_participant_start(p, &error) == SAGA_OK, "%s", error.message);
    are_deaf(THREADS + 1);
    saga_participant_stop(p);
    saga_participant_close(p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_settings");
    TCase *tests = tcase_create("settings");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, block_one, NULL);
    tcase_add_test(tests, client_settings__the_channel_is_plain);
    tcase_add_test(tests, client_settings__a_clients_thread_takes_no_signals);
    tcase_add_test(tests, client_settings__a_participants_threads_take_no_signals);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
