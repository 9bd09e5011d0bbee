/* What a participant is opened with: options, an address, steps, and a process that is no other. */
#include "client-lib/src/participant_server.h"
#include "tests/support/participant_world.h"

#include <sys/wait.h>
#include <unistd.h>

START_TEST(participant_open__does_not_survive_fork)
{
    serve_with(NULL, echo, NULL, (void *)(uintptr_t) "");
    pid_t child = fork();
    if (child == 0) {
        saga_participant *other;
        bool refused = saga_participant_open(NULL, &other, &error) == SAGA_E_FAILED_PRECONDITION &&
                       strcmp(error.reason, SAGA_REASON_FORKED) == 0 && other == NULL &&
                       saga_participant_start(participant, &error) == SAGA_E_FAILED_PRECONDITION &&
                       strcmp(error.reason, SAGA_REASON_FORKED) == 0;
        saga_participant_close(participant);
        _exit(refused ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    struct caller_call *call = action_call();
    caller_run(&caller, call);
    ck_assert_int_eq(call->status, SAGA_OK);
    free(call);
    end();
}
END_TEST

START_TEST(participant_open__refuses_bad_options)
{
    ck_assert_int_eq(saga_participant_open(NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "out");
    ck_assert_int_eq(saga_participant_step(NULL, DO, echo, NULL, NULL, NULL, &error), SAGA_E_INVALID_ARGUMENT);
    static const struct {
        struct saga_participant_options options;
        const char *field;
    } bad[] = {
        {{.reserved = {1}}, "reserved"},
        {{.reserved = {0, 0, 1}}, "reserved"},
        {{.address = "0.0.0.0:0"}, "address"},
        {{.address = "127.0.0.1"}, "address"},
        {{.address = "127.0.0.1:70000"}, "address"},
        {{.address = "::1:80"}, "address"},
        {{.address = "unix:"}, "address"},
        {{.address = ""}, "address"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        participant = (void *)(uintptr_t) "what was there before does not stay";
        ck_assert_int_eq(saga_participant_open(&bad[i].options, &participant, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, bad[i].field);
        ck_assert_ptr_null(participant);
    }
    char longest[300];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "unix:/", 6);
    longest[299] = '\0';
    const struct saga_participant_options options = {.address = longest};
    ck_assert_int_eq(saga_participant_open(&options, &participant, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "address");
    ck_assert_str_eq(error.message, "the address is too long");
}
END_TEST

/* Each of them from its least to its most, and what it is when nothing is said. */
START_TEST(participant_open__options_are_bounded)
{
    static const struct {
        const char *name;
        size_t at; /* in the options */
        uint32_t least, most, usual;
    } options[] = {
#define OPTION(name, least, most, usual) {#name, offsetof(struct saga_participant_options, name), least, most, usual}
        OPTION(threads, 1, 1024, 8),
        OPTION(queue_calls_max, 1, 65536, 256),
        OPTION(request_bytes_max, 1024, 64 << 20, 4 << 20),
        OPTION(answer_bytes_max, 1024, 64 << 20, 4 << 20),
        OPTION(connection_calls_max, 1, 65536, 256),
        OPTION(pushback_ms, 1, 60000, 200),
        OPTION(handshake_timeout_ms, 100, 600000, 10000),
        OPTION(stop_grace_ms, 1, 3600000, 10000),
#undef OPTION
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        /* 0 is what is usual. */
        const uint32_t tried[] = {options[i].least - 1, options[i].least, options[i].most, options[i].most + 1};
        for (size_t t = 0; t < 4; t++) {
            struct saga_participant_options given = {.address = NULL};
            memcpy((char *)&given + options[i].at, &tried[t], sizeof tried[t]);
            bool good = tried[t] == 0 || t == 1 || t == 2;
            int code = saga_participant_open(&given, &participant, &error);
            ck_assert_msg(code == (good ? SAGA_OK : SAGA_E_INVALID_ARGUMENT), "%s: %u", options[i].name, tried[t]);
            if (!good) {
                ck_assert_str_eq(error.field, options[i].name);
                continue;
            }
            uint32_t taken;
            memcpy(&taken, (const char *)&participant->options + options[i].at, sizeof taken);
            ck_assert_uint_eq(taken, tried[t] == 0 ? options[i].usual : tried[t]);
            saga_participant_close(participant);
        }
        uint32_t usual;
        ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
        memcpy(&usual, (const char *)&participant->options + options[i].at, sizeof usual);
        ck_assert_uint_eq(usual, options[i].usual);
        saga_participant_close(participant);
    }
}
END_TEST

START_TEST(participant_open__takes_no_address_that_is_in_use)
{
    saga_participant *second;
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    struct saga_participant_options options = {.address = saga_participant_address(participant)};
    ck_assert_int_eq(saga_participant_open(&options, &second, &error), SAGA_E_UNAVAILABLE);
    char words[128];
    snprintf(words, sizeof words, "cannot listen at %s: it is in use, or not this machine's", options.address);
    ck_assert_str_eq(error.message, words);
    ck_assert_str_eq(error.field, "address");
    saga_participant_close(participant);

    char folder[] = "/tmp/participant-XXXXXX", address[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    options.address = address;
    serve_with(&options, echo, NULL, (void *)(uintptr_t) "");
    ck_assert_str_eq(saga_participant_address(participant), address);
    ck_assert_int_eq(saga_participant_open(&options, &second, &error), SAGA_E_UNAVAILABLE);
    struct caller_call *call = action_call();
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    free(call);
    end();
    /* What is there and is no socket is left alone. */
    snprintf(address, sizeof address, "%s/socket", folder);
    unlink(address);
    FILE *file = fopen(address, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    ck_assert_int_eq(saga_participant_open(&options, &second, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "address");
    snprintf(address, sizeof address, "%s/socket", folder);
    ck_assert_int_eq(access(address, F_OK), 0);
    unlink(address);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* A variable of the environment that is empty is none. */
START_TEST(participant_open__takes_nothing_for_no_certificate)
{
    static const char *const variables[] = {"SAGAD_TLS_CERTIFICATE", "SAGAD_TLS_KEY", "SAGAD_TLS_ROOTS",
                                            "SAGAD_TLS_IDENTITY"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        setenv(variables[i], "", 1);
    const struct saga_participant_options options = {.address = "0.0.0.0:0", .plaintext_network = true};
    serve_with(&options, echo, NULL, (void *)(uintptr_t) "");
    struct caller_call *call = action_call();
    ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
    free(call);
    end();
}
END_TEST

/* One that was never started has an address all the same, which others may have after it. */
START_TEST(participant_open__gives_its_address_back)
{
    char folder[] = "/tmp/participant-XXXXXX", address[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    const struct saga_participant_options options = {.address = address};
    for (int i = 0; i < 2; i++) {
        int code = saga_participant_open(&options, &participant, &error);
        ck_assert_msg(code == SAGA_OK, "%s", error.message);
        ck_assert_int_eq(access(address + strlen("unix:"), F_OK), 0);
        saga_participant_close(participant);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(participant_open__refuses_steps_that_contradict_each_other)
{
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    saga_participant *p = participant;
    ck_assert_int_eq(saga_participant_start(p, &error), SAGA_E_FAILED_PRECONDITION);
    static char longest[SAGA_CALL_METHOD_BYTES_MAX + 1], too_long[SAGA_CALL_METHOD_BYTES_MAX + 2];
    memset(longest, 'm', sizeof longest - 1);
    memset(too_long, 'm', sizeof too_long - 1);
    memcpy(longest, "/a.B/", 5);
    memcpy(too_long, "/a.B/", 5);
    const struct {
        const char *action_method, *compensation_method;
        saga_step_function action, compensation;
        const char *field;
    } bad[] = {
        {"Reserve", NULL, echo, NULL, "action_method"},
        {NULL, NULL, echo, NULL, "action_method"},
        {"/Reserve", NULL, echo, NULL, "action_method"},
        {"//Reserve", NULL, echo, NULL, "action_method"},
        {"/a.B/", NULL, echo, NULL, "action_method"},
        {"/a.B/C/D", NULL, echo, NULL, "action_method"},
        {"/a.B/\x7f", NULL, echo, NULL, "action_method"},
        {too_long, NULL, echo, NULL, "action_method"},
        {DO, "Release", echo, echo, "compensation_method"},
        {DO, NULL, echo, echo, "compensation_method"},
        {DO, NULL, NULL, NULL, "action"},
        {DO, UNDO, NULL, echo, "action"},
        {DO, UNDO, echo, NULL, "compensation"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(saga_participant_step(p, bad[i].action_method, bad[i].action, bad[i].compensation_method,
                                               bad[i].compensation, NULL, &error),
                         SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, bad[i].field);
    }
    ck_assert_uint_eq(p->method_count, 0); /* of a step that is refused nothing is kept */
    ck_assert_int_eq(saga_participant_step(p, DO, echo, UNDO, echo, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(p, "/a.B/C", echo, UNDO, echo, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(p, longest, echo, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_uint_eq(p->method_count, 4);
    ck_assert_int_eq(saga_participant_step(p, DO, pass_gate, NULL, NULL, NULL, &error), SAGA_E_ALREADY_EXISTS);
    ck_assert_str_eq(error.field, "action_method");
    ck_assert_int_eq(saga_participant_step(p, DO, echo, NULL, NULL, p, &error), SAGA_E_ALREADY_EXISTS);
    ck_assert_int_eq(saga_participant_step(p, DO, echo, UNDO, pass_gate, NULL, &error), SAGA_E_ALREADY_EXISTS);
    ck_assert_str_eq(error.field, "compensation_method");
    /* The other phase of a method is another matter. */
    ck_assert_int_eq(saga_participant_step(p, UNDO, pass_gate, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_uint_eq(p->method_count, 5);
    ck_assert_int_eq(saga_participant_start(p, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(p, "/a.B/D", echo, NULL, NULL, NULL, &error), SAGA_E_FAILED_PRECONDITION);
    ck_assert_int_eq(saga_participant_start(p, &error), SAGA_E_FAILED_PRECONDITION);
    saga_participant_close(p);
}
END_TEST

START_TEST(participant_open__has_so_many_methods)
{
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    for (int i = 0; i < 1024; i++) {
        char method[32];
        snprintf(method, sizeof method, "/a.B/M%d", i);
        ck_assert_int_eq(saga_participant_step(participant, method, echo, NULL, NULL, NULL, &error), SAGA_OK);
    }
    ck_assert_int_eq(saga_participant_step(participant, DO, echo, NULL, NULL, NULL, &error), SAGA_E_RESOURCE_EXHAUSTED);
    /* One that is known takes no place of its own. */
    ck_assert_int_eq(saga_participant_step(participant, "/a.B/M0", echo, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_step(participant, "/a.B/M0", echo, UNDO, echo, NULL, &error),
                     SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(participant->method_count, 1024);
    for (int i = 0; i < 1024; i++) {
        char method[32];
        snprintf(method, sizeof method, "/a.B/M%d", i);
        const struct participant_method *found =
            participant_find(participant, method, strlen(method), SAGA_CALL_ACTION);
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found->path, method);
        ck_assert_ptr_null(participant_find(participant, method, strlen(method), SAGA_CALL_COMPENSATION));
    }
    saga_participant_close(participant);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("participant_open");
    TCase *opening = tcase_create("opening");
    tcase_set_timeout(opening, 60);
    tcase_add_test(opening, participant_open__refuses_bad_options);
    tcase_add_test(opening, participant_open__does_not_survive_fork);
    tcase_add_test(opening, participant_open__options_are_bounded);
    tcase_add_test(opening, participant_open__has_so_many_methods);
    tcase_add_test(opening, participant_open__takes_no_address_that_is_in_use);
    tcase_add_test(opening, participant_open__takes_nothing_for_no_certificate);
    tcase_add_test(opening, participant_open__gives_its_address_back);
    tcase_add_test(opening, participant_open__refuses_steps_that_contradict_each_other);
    suite_add_tcase(suite, opening);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
