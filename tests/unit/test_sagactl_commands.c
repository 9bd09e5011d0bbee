/* What every command of sagactl has in common: how it ends, which words it takes, and what is said when nobody answers. */
#include "tests/support/told_sidecar.h"

#include "grpc/health/v1/health.pb-c.h"

/* What scripts go by. */
START_TEST(every_command__ends_as_the_call_did)
{
    static const struct {
        int code, status;
    } cases[] = {{SAGA_E_UNAVAILABLE, EXIT_UNREACHABLE},     {SAGA_E_NOT_FOUND, EXIT_NOT_FOUND},
                 {SAGA_E_DEADLINE_EXCEEDED, EXIT_TIMEOUT},   {SAGA_E_PERMISSION_DENIED, EXIT_REFUSED},
                 {SAGA_E_FAILED_PRECONDITION, EXIT_REFUSED}, {SAGA_E_INVALID_ARGUMENT, EXIT_REFUSED}};
    static const struct {
        const char *words, *method;
    } commands[] = {{"fleet", "ListJournals"},
                    {"fleet give a", "GiveJournal"},
                    {"slo", "ListObjectives"},
                    {"rules", "ListRules"},
                    {"rules arm a", "ChangeRule"},
                    {"bulk", "ListBulks"},
                    {"bulk a pause", "ChangeBulk"},
                    {"drill", "ListFaults"},
                    {"audit", "ListAudit"},
                    {"list", "List"},
                    {"definitions", "ListDefinitions"},
                    {"definitions a", "GetDefinition"},
                    {"deadletters", "ListDeadLetters"},
                    {"targets", "Status"},
                    {"schema list", "ListSchemas"},
                    {"schema show a", "GetSchema"},
                    {"graph a", "GetDefinition"},
                    {"input a", "GetDefinition"},
                    {"get 9f03c1d2a4b7-2a", "Get"},
                    {"why 9f03c1d2a4b7-2a", "Get"},
                    {"pause 9f03c1d2a4b7-2a", "Pause"},
                    {"top --once", "Status"},
                    {"reload", "Reload"}};
    for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            asked_count = 0;
            told_count = 1;
            told[0].method = commands[k].method;
            told[0].code = cases[i].code;
            int status = sagactl(commands[k].words);
            ck_assert_msg(status == cases[i].status, "%s: %d", commands[k].words, status);
            ck_assert_str_eq(said, "");
            ck_assert_ptr_nonnull(strstr(complained, "sagactl: it is refused\n"));
        }
    /* A server without a sidecar's health is none. */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        asked_count = 0;
        told[0].method = "Check";
        told[0].code = cases[i].code;
        ck_assert_int_eq(sagactl("status"), cases[i].status == EXIT_NOT_FOUND ? EXIT_REFUSED : cases[i].status);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* An address that is none is a mistake of the command line, whichever command it is; the file is there so that it is not that one. */
START_TEST(every_command__says_that_an_address_is_none)
{
    static const char *const commands[] = {"status",
                                           "top --once",
                                           "targets",
                                           "list",
                                           "list --request-id a",
                                           "get 9f03c1d2a4b7-2a",
                                           "why 9f03c1d2a4b7-2a",
                                           "wait 9f03c1d2a4b7-2a",
                                           "watch 9f03c1d2a4b7-2a",
                                           "start a",
                                           "start a --wait",
                                           "cancel 9f03c1d2a4b7-2a",
                                           "deadletters",
                                           "deadletters --summary",
                                           "deadletters retry --where true",
                                           "retry --all",
                                           "bulk",
                                           "bulk a --wait",
                                           "definitions",
                                           "register FILE",
                                           "register --dry-run FILE",
                                           "register FILE FILE",
                                           "schema list",
                                           "schema register FILE --name a",
                                           "schema reflect a x:1",
                                           "graph a",
                                           "input a",
                                           "drill",
                                           "slo",
                                           "rules",
                                           "fleet",
                                           "audit",
                                           "verify",
                                           "authz explain",
                                           "contract export --target a",
                                           "reload"};
    char path[] = "/tmp/saga-commands-XXXXXX", words[128];
    write_file(path, "name: a\nversion: 1.0.0\nsteps:\n"
                     "  - {name: s, target: t, action: /p.S/A, compensation: none}\n");
    told_unopened = "\"x\" is no address";
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char *to = words;
        for (const char *at = commands[i]; *at != '\0'; at++)
            if (strncmp(at, "FILE", 4) == 0) {
                to += sprintf(to, "%s", path);
                at += 3;
            } else {
                *to++ = *at;
            }
        *to = '\0';
        ck_assert_msg(sagactl(words) == EXIT_USAGE, "%s", words);
        ck_assert_msg(strncmp(complained, "sagactl: \"x\" is no address", 26) == 0, "%s: %s", words, complained);
        ck_assert_msg(said[0] == '\0', "%s: %s", words, said);
    }
    unlink(path);
}
END_TEST

/* A word that a command does not know is none that it knows. */
START_TEST(every_command__says_which_words_it_takes)
{
    static const struct {
        const char *words, *says;
    } cases[] = {
        {"contract frob", "sagactl: contract takes check --schema FILE, or export --target NAME\n"},
        {"schema frob", "sagactl: schema takes register FILE..., reflect NAME ADDRESS..., list or show NAME\n"},
        {"schema list more", "sagactl: schema takes register FILE..., reflect NAME ADDRESS..., list or show NAME\n"},
        {"schema show", "sagactl: schema show needs NAME\n"},
        {"schema show a b", "sagactl: schema show needs NAME\n"},
        {"schema register", "sagactl: schema register needs FILE...: "},
        {"schema register a b --name c", "sagactl: --name is for one FILE\n"},
        {"schema reflect a", "sagactl: schema reflect needs NAME ADDRESS...: "},
        {"schema reflect or/der a:1", "sagactl: \"or/der\" is not a name: "},
        {"authz frob", "sagactl: authz takes explain, not \"frob\"\n"},
        {"runbook SagadDwon",
         "sagactl: there is no runbook \"SagadDwon\"; did you mean SagadDown; sagactl runbook lists them\n"},
        {"contract check", "sagactl: contract check needs --schema FILE: "},
        {"contract export", "sagactl: contract export needs --target NAME: "},
        {"list --request-id a --state stuck", "sagactl: --request-id names one saga: nothing else chooses beside it\n"},
        {"list --request-id a --fleet", "sagactl: --request-id names one saga: nothing else chooses beside it\n"},
        {"get --request-id a 9f03c1d2a4b7-2a", "sagactl: get takes a SAGA-ID, or --request-id and none\n"},
        {"get", "sagactl: get takes a SAGA-ID, or --request-id and none\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(sagactl(cases[i].words) == EXIT_USAGE, "%s", cases[i].words);
        ck_assert_msg(strncmp(complained, cases[i].says, strlen(cases[i].says)) == 0, "%s", complained);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* Whoever finds no sidecar is told what stands there instead, and whoever has lost it that he cannot know. */
START_TEST(every_command__says_why_there_was_no_answer)
{
    static const struct {
        int code;
        const char *reason, *message, *words, *hint;
    } cases[] = {
        {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no sidecar answers at x (connect: Connection refused)",
         "sagactl: no sidecar answers at unix:here.sock: nobody serves this socket",
         "see whether it is being restarted"},
        {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no sidecar answers at x (No such file or directory)",
         "sagactl: no sidecar answers at unix:here.sock: there is no socket at this path",
         "--address says where to look"},
        {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no sidecar answers at x (of some kind)",
         "sagactl: no sidecar answers at x (of some kind)", ""},
        {SAGA_E_UNAVAILABLE, SAGA_REASON_LOST, "broken",
         "sagactl: the connection was lost before the answer came: it may have been carried out", ""},
        {SAGA_E_DEADLINE_EXCEEDED, "DEADLINE", "no answer came in time", "sagactl: no answer came in time\n", ""},
        {SAGA_E_FAILED_PRECONDITION, "SAGA_NOT_STUCK", "step: it is none", "sagactl: it is none (SAGA_NOT_STUCK)\n",
         ""},
        {SAGA_E_UNIMPLEMENTED, NULL, "", "sagactl: what answers at unix:here.sock is a gRPC server, but no sidecar",
         "It is another program's address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        tell("ListRules", NULL);
        told[0].code = cases[i].code;
        told[0].reason = cases[i].reason;
        told[0].words = cases[i].message;
        ck_assert_int_ne(sagactl("rules"), EXIT_DONE);
        ck_assert_msg(strncmp(complained, cases[i].words, strlen(cases[i].words)) == 0, "%s", complained);
        ck_assert_msg(strstr(complained, cases[i].hint) != NULL, "%s", complained);
        ck_assert_ptr_null(strstr(complained, "tried again"));
    }
    /* And when it may be otherwise, where that is known. */
    anew();
    tell("ListRules", NULL);
    told[0].code = SAGA_E_RESOURCE_EXHAUSTED;
    told[0].reason = "LIVE_SAGAS_MAX";
    told[0].again_ms = 1500;
    ck_assert_int_eq(sagactl("rules"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: it is refused (LIVE_SAGAS_MAX)\nIt may work when tried again in 1.5s.\n");
}
END_TEST

/* In words that help, by what kind of address it is. */
START_TEST(every_command__tells_why_nobody_answers)
{
    static const struct {
        const char *address, *words, *says;
    } cases[] = {
        {"unix:nowhere.sock", "No such file or directory", ": there is no socket at this path\n"},
        {"unix:nowhere.sock", "Connection refused", ": nobody serves this socket\n"},
        {"unix:nowhere.sock", "Permission denied", ": you may not use this socket\n"},
        {"unix:/", "Connection refused", ": what is at this path is no socket\n"},
        {"127.0.0.1:1", "Connection refused", ": nothing listens there\n"},
        {"127.0.0.1:1", "SSL: certificate verify failed", ": its certificate is by none whom you trust"},
        {"127.0.0.1:1", "it is of somebody else", ": its certificate is of somebody else\n"},
        {"127.0.0.1:1", "SSL: wrong version number", ": what answers there does not speak TLS\n"},
        {"127.0.0.1:1", "Trying to connect an http1.x server", ": what answers there does not speak gRPC\n"},
        {"127.0.0.1:1", "Socket closed", ": it closes every connection at once\n"},
        {"nobody:1", "DNS resolution failed for nobody:1", ": there is no such host\n"},
        {"127.0.0.1:1", "no connection in time", ": something takes connections there and says nothing\n"},
        {"dns://tmp", "Connection refused", ": nothing listens there\n"},
        {"127.0.0.1:1", "No such file or directory", "sagactl: No such file or directory\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        asked_count = 0;
        told_count = 1;
        told[0].method = "ListFaults";
        told[0].code = SAGA_E_UNAVAILABLE;
        told[0].reason = SAGA_REASON_UNREACHABLE;
        told[0].words = cases[i].words;
        told_address = cases[i].address;
        ck_assert_int_eq(sagactl("drill"), EXIT_UNREACHABLE);
        ck_assert_msg(strstr(complained, cases[i].says) != NULL, "%s\nis not in\n%s", cases[i].says, complained);
    }
}
END_TEST

/* Commands with what they are told: answers in which nothing is. */
#define ANSWER(name) &saga__v1__##name##_response__descriptor
static const struct {
    const char *words, *methods[2];
    const ProtobufCMessageDescriptor *answers[2];
} answered[] = {
    {"status", {"Check", "Status"}, {&grpc__health__v1__health_check_response__descriptor, ANSWER(status)}},
    {"fleet", {"ListJournals"}, {ANSWER(list_journals)}},
    {"fleet give a", {"GiveJournal"}, {ANSWER(give_journal)}},
    {"slo", {"ListObjectives"}, {ANSWER(list_objectives)}},
    {"rules", {"ListRules"}, {ANSWER(list_rules)}},
    {"rules arm a", {"ChangeRule"}, {ANSWER(change_rule)}},
    {"bulk", {"ListBulks"}, {ANSWER(list_bulks)}},
    {"deadletters retry --where true", {"StartBulk"}, {ANSWER(start_bulk)}},
    {"deadletters", {"ListDeadLetters"}, {ANSWER(list_dead_letters)}},
    {"deadletters --summary", {"ListDeadLetters"}, {ANSWER(list_dead_letters)}},
    {"retry --all", {"ListDeadLetters"}, {ANSWER(list_dead_letters)}},
    {"retry 9f03c1d2a4b7-2a", {"Retry"}, {ANSWER(retry)}},
    {"breaker reset a --reason b", {"SetBreaker"}, {ANSWER(set_breaker)}},
    {"hold a --reason b", {"HoldDefinition"}, {ANSWER(hold_definition)}},
    {"forget a b", {"ForgetAnswer"}, {ANSWER(forget_answer)}},
    {"audit", {"ListAudit"}, {ANSWER(list_audit)}},
    {"list", {"List"}, {ANSWER(list)}},
    {"definitions", {"ListDefinitions"}, {ANSWER(list_definitions)}},
    {"schema list", {"ListSchemas"}, {ANSWER(list_schemas)}},
    {"start a", {"Start"}, {ANSWER(start)}},
    {"reload", {"Reload"}, {ANSWER(reload)}},
    {"drill", {"ListFaults"}, {ANSWER(list_faults)}},
    {"version", {NULL}, {NULL}},
    {"runbook", {NULL}, {NULL}},
    {"completion bash", {NULL}, {NULL}},
    {"help", {NULL}, {NULL}},
};

/* Tells the answers of a row, which the caller frees. */
static void tell_row(size_t row, ProtobufCMessage *answers[2])
{
    anew();
    for (int k = 0; k < 2 && answered[row].methods[k] != NULL; k++) {
        answers[k] = malloc(answered[row].answers[k]->sizeof_message);
        ck_assert_ptr_nonnull(answers[k]);
        protobuf_c_message_init(answered[row].answers[k], answers[k]);
        tell(answered[row].methods[k], answers[k]);
    }
}

/* A program that asks for JSON has one document, whatever it asked for. */
START_TEST(every_command__speaks_json)
{
    for (size_t i = 0; i < sizeof answered / sizeof answered[0]; i++) {
        ProtobufCMessage *answers[2] = {NULL, NULL};
        char words[128];
        tell_row(i, answers);
        snprintf(words, sizeof words, "%s -o json", answered[i].words);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s: %s", words, complained);
        json_t *document = json_loads(said, 0, NULL);
        ck_assert_msg(document != NULL, "%s: %s", words, said);
        json_decref(document);
        free(answers[0]);
        free(answers[1]);
    }
}
END_TEST

/* Whatever it was, output that is lost is said, and the exit status tells. */
START_TEST(every_command__says_that_its_output_is_lost)
{
    for (size_t i = 0; i < sizeof answered / sizeof answered[0]; i++)
        for (int json = 0; json < 2; json++) {
            ProtobufCMessage *answers[2] = {NULL, NULL};
            FILE *full = fopen("/dev/full", "w");
            char words[128];
            ck_assert_ptr_nonnull(full);
            setvbuf(full, NULL, _IONBF, 0);
            tell_row(i, answers);
            snprintf(words, sizeof words, "%s%s", answered[i].words, json ? " -o json" : "");
            ck_assert_msg(sagactl_into(full, words) == EXIT_REFUSED, "%s", words);
            ck_assert_msg(complained[0] != '\0', "%s: not a word", words);
            fclose(full);
            free(answers[0]);
            free(answers[1]);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_commands");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_command__says_which_words_it_takes);
    tcase_add_test(tc, every_command__says_that_an_address_is_none);
    tcase_add_test(tc, every_command__says_why_there_was_no_answer);
    tcase_add_test(tc, every_command__ends_as_the_call_did);
    tcase_add_test(tc, every_command__tells_why_nobody_answers);
    tcase_add_test(tc, every_command__speaks_json);
    tcase_add_test(tc, every_command__says_that_its_output_is_lost);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
