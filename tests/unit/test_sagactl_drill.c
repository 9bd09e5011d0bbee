/* Drills as a person meets them in sagactl: the faults that there are, and a file of them carried out, counted and taken away. */
#include "tests/support/told_sidecar.h"

START_TEST(drill__shows_the_faults_that_there_are)
{
    Google__Protobuf__Timestamp until = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ListFaultsResponse answer = SAGA__V1__LIST_FAULTS_RESPONSE__INIT;
    Saga__V1__Fault faults[3], *list[3];
    until.seconds = INT64_C(253402300799);
    for (int i = 0; i < 3; i++) {
        saga__v1__fault__init(&faults[i]);
        list[i] = &faults[i];
        faults[i].kind = (Saga__V1__FaultKind)(i == 2 ? 99 : 1 + 5 * i);
        faults[i].percent = 12.5;
        faults[i].calls = (Saga__V1__FaultCalls)i;
        faults[i].until = &until;
    }
    faults[1].target = text("bank");
    faults[1].definition = text("order");
    answer.faults = list;
    answer.n_faults = 3;
    tell("ListFaults", &answer.base);
    ck_assert_int_eq(sagactl("drill"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "delay of 12.5 % of all calls to any target of any definition, for another "));
    ck_assert_ptr_nonnull(strstr(said, "\nreorder of 12.5 % of calls of actions to bank of order, for another "));
    ck_assert_ptr_nonnull(strstr(said, "\n? of 12.5 % of calls of compensations to any target of any definition, "));
    anew();
    answer.n_faults = 0;
    tell("ListFaults", &answer.base);
    SHOWS("drill", "No faults are injected.\n");
}
END_TEST

/* How long a call is held up, and with what one is refused. */
START_TEST(drill__says_how)
{
    Google__Protobuf__Timestamp until = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__ListFaultsResponse answer = SAGA__V1__LIST_FAULTS_RESPONSE__INIT;
    Saga__V1__Fault faults[2] = {SAGA__V1__FAULT__INIT, SAGA__V1__FAULT__INIT}, *list[] = {&faults[0], &faults[1]};
    until.seconds = INT64_C(253402300799);
    delay.nanos = 250000000;
    faults[0].kind = SAGA__V1__FAULT_KIND__FAULT_KIND_DELAY;
    faults[0].delay = &delay;
    faults[1].kind = SAGA__V1__FAULT_KIND__FAULT_KIND_ABORT;
    faults[1].status = 14;
    faults[1].tag = text("tenant");
    faults[1].tag_value = text("acme");
    for (int i = 0; i < 2; i++) {
        faults[i].percent = 100;
        faults[i].until = &until;
    }
    answer.faults = list;
    answer.n_faults = 2;
    tell("ListFaults", &answer.base);
    ck_assert_int_eq(sagactl("drill"), EXIT_DONE);
    ck_assert_msg(strstr(said, "delay by 250ms of 100 % of ") == said, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, "\nabort with UNAVAILABLE of 100 % of "));
    ck_assert_ptr_nonnull(strstr(said, " to any target of any definition with tenant=acme, for another "));
}
END_TEST

#define STEP "steps:\n  - "

/* By its place and name; nothing is asked of the sidecar before. */
START_TEST(drill__says_what_is_wrong_with_its_file)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"", ": the file holds no drill"},
        {"[a]", ":1:1: must be a mapping"},
        {"{name: a}", ":1:1: steps is missing"},
        {"{steps: [], nme: a}", ":1:13: nme: "},
        {"{steps: [], name: [a]}", ":1:19: name: must be a text, not a list"},
        {"{steps: [], reason: {a: b}}", ":1:21: reason: must be a text, not a mapping"},
        {"steps: {wait: 1s}", ":1:8: steps: must be a list"},
        {STEP "start: {definition: d, number: 2}", ":2:28: steps[0].start.number: "},
        {STEP "start: {version: 1.0.0}", ":2:12: steps[0].start: definition is missing"},
        {STEP "start: {definition: [d]}", ":2:25: steps[0].start.definition: must be a text, not a list"},
        {STEP "start: {definition: d, version: [1]}", ":2:37: steps[0].start.version: must be a text"},
        {STEP "start: {definition: d, json: {a: b}}", ":2:34: steps[0].start.json: must be a text, not a mapping"},
        {STEP "start: {definition: d, input: [a]}", ":2:35: steps[0].start.input: must be a text, not a list"},
        {STEP "start: {definition: d, count: 0}", ":2:35: steps[0].start.count: "},
        {STEP "start: {definition: d, count: 10001}", ":2:35: steps[0].start.count: "},
        {STEP "faults: {kind: delay}", ":2:13: steps[0].faults: "},
        {STEP "wait: soon", ":2:11: steps[0].wait: "},
        {STEP "wait: 0s", ":2:11: steps[0].wait: "},
        {STEP "pause: 2h", ":2:12: steps[0].pause: "},
        {STEP "expect: ''", ":2:13: steps[0].expect: must be an expression about a saga"},
        {STEP "expect: [true]", ":2:13: steps[0].expect: must be an expression about a saga"},
        {STEP "begin: d", ":2:5: steps[0].begin: "},
        {STEP "wait", ":2:5: steps[0]: "},
        {STEP "{pause: 1ms, wait: 1s}", ":2:5: steps[0]: must say one thing"},
        {STEP "{}", ":2:5: steps[0]: must say one thing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/saga-drill-XXXXXX", words[64], expected[160];
        write_file(path, cases[i].yaml);
        snprintf(words, sizeof words, "drill %s", path);
        snprintf(expected, sizeof expected, "sagactl: %s%s", path, cases[i].says);
        ck_assert_int_eq(sagactl(words), EXIT_USAGE);
        unlink(path);
        ck_assert_msg(strncmp(complained, expected, strlen(expected)) == 0, "%s\nis not\n%s", complained, expected);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* All of its sagas are looked at, whatever pages they come in. */
START_TEST(drill__counts_its_sagas_over_all_pages)
{
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    Saga__V1__ListResponse first = SAGA__V1__LIST_RESPONSE__INIT, last = first, none = first;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *list[] = {&saga, &saga};
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    saga.id = text("9f03c1d2a4b7-2a");
    first.sagas = last.sagas = list;
    first.n_sagas = 2;
    last.n_sagas = 1;
    first.next_page_token = text("next");
    write_file(path, STEP "start: {definition: d, count: 3}\n  - expect: state == COMMITTED");
    snprintf(words, sizeof words, "drill %s", path);
    for (int i = 0; i < 3; i++)
        tell("Start", &started.base);
    tell("List", &first.base);
    tell("List", &last.base);
    tell("List", &none.base);
    SHOWS(words, "3 sagas of d started\nholds of all 3 sagas: state == COMMITTED\ndrill: everything held\n");
    anew();
    for (int i = 0; i < 3; i++)
        tell("Start", &started.base);
    tell("List", &first.base);
    tell("List", &none.base);
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: of 3 sagas that were started 2 are there\n");
    unlink(path);
}
END_TEST

/* What an expectation is asked with is not of the comment that it ends in. */
START_TEST(drill__an_expectation_may_have_a_comment)
{
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    Saga__V1__ListResponse one = SAGA__V1__LIST_RESPONSE__INIT, none = one;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *list[] = {&saga};
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    saga.id = text("9f03c1d2a4b7-2a");
    one.sagas = list;
    one.n_sagas = 1;
    write_file(path, STEP "start: {definition: d}\n  - expect: state == COMMITTED // at last");
    snprintf(words, sizeof words, "drill %s", path);
    tell("Start", &started.base);
    tell("List", &one.base);
    tell("List", &none.base);
    ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
    Saga__V1__ListRequest *request = ASKED(saga__v1__list_request, 2);
    const char *asks = strstr(request->where, " && (!(state");
    ck_assert_msg(asks != NULL && strcmp(asks, " && (!(state == COMMITTED // at last\n)\n)") == 0, "%s",
                  request->where);
    saga__v1__list_request__free_unpacked(request, NULL);
    unlink(path);
}
END_TEST

/* As many faults as a sidecar takes, and what is said of each in the file. */
START_TEST(drill__injects_as_many_faults_as_there_may_be)
{
    Saga__V1__InjectFaultsResponse injected = SAGA__V1__INJECT_FAULTS_RESPONSE__INIT;
    for (int count = 31; count <= 33; count++) {
        char path[] = "/tmp/saga-drill-XXXXXX", words[96], expected[160], yaml[2048];
        size_t used = (size_t)snprintf(yaml, sizeof yaml, STEP "faults: [");
        for (int i = 0; i < count; i++)
            used +=
                (size_t)snprintf(yaml + used, sizeof yaml - used, "%s{kind: drop-answer, for: 1m}", i > 0 ? ", " : "");
        snprintf(yaml + used, sizeof yaml - used, "]\n");
        write_file(path, yaml);
        anew();
        if (count <= 32) {
            tell("InjectFaults", &injected.base);
            tell("InjectFaults", &injected.base);
        }
        snprintf(words, sizeof words, "drill %s --actor ann", path);
        ck_assert_msg(sagactl(words) == (count <= 32 ? EXIT_DONE : EXIT_USAGE), "%s", complained);
        if (count <= 32) /* they are taken away, with the reason that stands for none */
            assert_asked(1, &saga__v1__inject_faults_request__descriptor, "{'actor':'ann','reason':'a drill'}");
        snprintf(expected, sizeof expected, "%d faults injected\n", count);
        ck_assert_int_eq(strstr(said, expected) != NULL, count <= 32);
        snprintf(expected, sizeof expected, "sagactl: %s:2:13: steps[0].faults: holds more than 32 faults\n", path);
        ck_assert_str_eq(complained, count <= 32 ? "" : expected);
        unlink(path);
    }
}
END_TEST

START_TEST(drill__sends_what_a_fault_says)
{
    static const struct {
        const char *yaml, *asked;
    } cases[] = {
        {"{kind: delay, delay: 1500ms, for: 1m, target: bank, percent: 12.5, calls: actions}",
         "{'actor':'ann','faults':[{'calls':'FAULT_CALLS_ACTIONS','definition':'','delay':'1.500s','kind':'FAULT_KIND_"
         "DELAY','lasts':'60s','percent':12.5,'status':0,'tag':'','tag_value':'','target':'bank'}],'reason':'to see'}"},
        {"{kind: abort, status: UNAVAILABLE, for: 2s, definition: order, calls: compensations}",
         "{'actor':'ann','faults':[{'calls':'FAULT_CALLS_COMPENSATIONS','definition':'order','kind':'FAULT_KIND_ABORT',"
         "'lasts':'2s','percent':100.0,'status':14,'tag':'','tag_value':'','target':''}],'reason':'to see'}"},
        {"{kind: drop-request, for: 1h, tag: tenant, tag_value: acme}",
         "{'actor':'ann','faults':[{'calls':'FAULT_CALLS_UNSPECIFIED','definition':'','kind':'FAULT_KIND_DROP_REQUEST',"
         "'lasts':'3600s','percent':100.0,'status':0,'tag':'tenant','tag_value':'acme','target':''}],'reason':'to "
         "see'}"},
    };
    Saga__V1__InjectFaultsResponse injected = SAGA__V1__INJECT_FAULTS_RESPONSE__INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/saga-drill-XXXXXX", words[96], yaml[256];
        snprintf(yaml, sizeof yaml, "name: storm\nreason: to see\n" STEP "faults: [%s]\n", cases[i].yaml);
        write_file(path, yaml);
        anew();
        tell("InjectFaults", &injected.base);
        tell("InjectFaults", &injected.base);
        snprintf(words, sizeof words, "drill %s --actor ann", path);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        assert_asked(0, &saga__v1__inject_faults_request__descriptor, cases[i].asked);
        assert_asked(1, &saga__v1__inject_faults_request__descriptor, "{'actor':'ann','reason':'to see'}");
        unlink(path);
    }
}
END_TEST

/* Each saga by a request of its own, of the definition, version and input that the file says. */
START_TEST(drill__starts_what_its_file_says)
{
    static const struct {
        const char *yaml, *version, *input, *json;
        unsigned count;
    } cases[] = {{"{definition: order}", "", "", "", 1},
                 {"{definition: order, version: 2.0.0, count: 3, input: book}", "2.0.0", "book", "", 3},
                 {"{definition: order, json: '{\"a\": 1}', count: 2}", "", "", "{\"a\": 1}", 2}};
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/saga-drill-XXXXXX", words[64], yaml[256], expected[128], before[128] = "";
        snprintf(yaml, sizeof yaml, "name: storm\n" STEP "start: %s\n", cases[i].yaml);
        write_file(path, yaml);
        anew();
        for (unsigned k = 0; k < cases[i].count; k++)
            tell("Start", &started.base);
        snprintf(words, sizeof words, "drill %s", path);
        snprintf(expected, sizeof expected, "%u saga%s of order started\nstorm: everything held\n", cases[i].count,
                 cases[i].count == 1 ? "" : "s");
        SHOWS(words, expected);
        unlink(path);
        for (unsigned k = 0; k < cases[i].count; k++) {
            Saga__V1__StartRequest *request = ASKED(saga__v1__start_request, k);
            ck_assert_str_eq(request->definition, "order");
            ck_assert_str_eq(request->version, cases[i].version);
            ck_assert_str_eq(request->input_json, cases[i].json);
            ck_assert_uint_eq(request->input.len, strlen(cases[i].input));
            ck_assert(request->input.len == 0 || memcmp(request->input.data, cases[i].input, request->input.len) == 0);
            ck_assert_int_eq(strncmp(request->request_id, "drill-", 6), 0);
            ck_assert_str_ne(request->request_id, before);
            snprintf(before, sizeof before, "%s", request->request_id);
            saga__v1__start_request__free_unpacked(request, NULL);
        }
    }
}
END_TEST

/* A command that ends the sidecar is carried out where the file says so, and one that fails ends the drill. */
START_TEST(drill__kills_by_the_command_that_was_given)
{
    static const struct {
        const char *kill;
        int status;
        const char *says, *complains;
    } cases[] = {
        {"true", EXIT_DONE, "killed by: true\ndrill: everything held\n", ""},
        {"false", EXIT_REFUSED, "", "sagactl: the command of --kill failed: false\n"},
    };
    char path[] = "/tmp/saga-drill-XXXXXX", words[96];
    write_file(path, STEP "kill: now\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(words, sizeof words, "drill %s --kill %s", path, cases[i].kill);
        ck_assert_int_eq(sagactl(words), cases[i].status);
        ck_assert_str_eq(said, cases[i].says);
        ck_assert_str_eq(complained, cases[i].complains);
    }
    snprintf(words, sizeof words, "drill %s", path);
    ck_assert_int_eq(sagactl(words), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(complained, "kill needs --kill COMMAND"));
    unlink(path);
}
END_TEST

/* Those that have not ended in the time that they had are told, with one of them by name; and so is what does not hold. */
START_TEST(drill__says_which_sagas_are_not_as_they_should_be)
{
    Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
    Saga__V1__ListResponse two = SAGA__V1__LIST_RESPONSE__INIT;
    Saga__V1__Saga sagas[2] = {SAGA__V1__SAGA__INIT, SAGA__V1__SAGA__INIT}, *list[] = {&sagas[0], &sagas[1]};
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    sagas[0].id = text("9f03c1d2a4b7-2a");
    sagas[1].id = text("9f03c1d2a4b7-2b");
    two.sagas = list;
    two.n_sagas = 2;
    Saga__V1__ListResponse first = two, second = two; /* the same on two pages */
    first.n_sagas = second.n_sagas = 1;
    first.next_page_token = text("more");
    second.sagas = list + 1;
    write_file(path, STEP "start: {definition: order, count: 2}\n  - wait: 1ms\n");
    snprintf(words, sizeof words, "drill %s", path);
    tell("Start", &started.base);
    tell("Start", &started.base);
    tell("List", &first.base);
    tell("List", &second.base);
    ck_assert_int_eq(sagactl(words), EXIT_TIMEOUT);
    ck_assert_str_eq(complained, "sagactl: 2 of the 2 sagas have not ended, as 9f03c1d2a4b7-2a\n");
    unlink(path);
    char other[] = "/tmp/saga-drill-XXXXXX";
    write_file(other, STEP "start: {definition: order, count: 2}\n  - expect: 'true'\n");
    snprintf(words, sizeof words, "drill %s", other);
    anew();
    tell("Start", &started.base);
    tell("Start", &started.base);
    tell("List", &two.base);
    tell("List", &two.base);
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: line 3: of 2 of the 2 sagas this does not hold: true (see sagactl get "
                                 "9f03c1d2a4b7-2a)\n");
    unlink(other);
}
END_TEST

/* Whatever comes of it, the faults that it has injected end with it. */
START_TEST(drill__takes_its_faults_away_when_it_fails)
{
    Saga__V1__InjectFaultsResponse injected = SAGA__V1__INJECT_FAULTS_RESPONSE__INIT;
    Saga__V1__ListResponse none = SAGA__V1__LIST_RESPONSE__INIT;
    Saga__V1__InjectFaultsRequest *request;
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    write_file(path, STEP "faults: [{kind: drop-answer, for: 1m}]\n  - start: {definition: d}\n  - expect: 'true'");
    snprintf(words, sizeof words, "drill %s", path);
    for (int refused = 0; refused < 2; refused++) {
        Saga__V1__StartResponse started = SAGA__V1__START_RESPONSE__INIT;
        anew();
        tell("InjectFaults", &injected.base);
        tell("Start", &started.base);
        if (refused)
            told[1].code = SAGA_E_NOT_FOUND; /* there is no such definition */
        else
            tell("List", &none.base);
        tell("InjectFaults", &injected.base);
        ck_assert_int_eq(sagactl(words), refused ? EXIT_NOT_FOUND : EXIT_REFUSED);
        for (int last = 0; last < 2; last++) {
            request = ASKED(saga__v1__inject_faults_request, last ? told_count - 1 : 0);
            ck_assert_uint_eq(request->n_faults, last ? 0 : 1);
            saga__v1__inject_faults_request__free_unpacked(request, NULL);
        }
    }
    /* Where they cannot be taken away nothing has gone well. */
    char other[] = "/tmp/saga-drill-XXXXXX";
    write_file(other, STEP "faults: [{kind: drop-answer, for: 1m}]\n");
    snprintf(words, sizeof words, "drill %s", other);
    anew();
    tell("InjectFaults", &injected.base);
    tell("InjectFaults", NULL);
    told[1].code = SAGA_E_FAILED_PRECONDITION;
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_str_eq(said, "1 fault injected\n");
    unlink(other);
    unlink(path);
}
END_TEST

/* No answer is no refusal: they may have been injected. Of what was refused there are none. */
START_TEST(drill__takes_away_what_may_have_been_injected)
{
    static const struct {
        int code, status;
        bool taken_away;
    } cases[] = {{SAGA_E_DEADLINE_EXCEEDED, EXIT_TIMEOUT, true},
                 {SAGA_E_UNAVAILABLE, EXIT_UNREACHABLE, true},
                 {SAGA_E_FAILED_PRECONDITION, EXIT_REFUSED, false}};
    Saga__V1__InjectFaultsResponse injected = SAGA__V1__INJECT_FAULTS_RESPONSE__INIT;
    char path[] = "/tmp/saga-drill-XXXXXX", words[64];
    write_file(path, STEP "faults: [{kind: drop-answer, for: 1m}]\n  - start: {definition: d}\n");
    snprintf(words, sizeof words, "drill %s --actor ann", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        tell("InjectFaults", NULL);
        told[0].code = cases[i].code;
        if (cases[i].taken_away)
            tell("InjectFaults", &injected.base);
        ck_assert_msg(sagactl(words) == cases[i].status, "case %zu: %s", i, complained);
        ck_assert_uint_eq(asked_count, told_count);
        if (cases[i].taken_away)
            assert_asked(1, &saga__v1__inject_faults_request__descriptor, "{'actor':'ann','reason':'a drill'}");
    }
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_drill");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, drill__shows_the_faults_that_there_are);
    tcase_add_test(tc, drill__says_how);
    tcase_add_test(tc, drill__says_what_is_wrong_with_its_file);
    tcase_add_test(tc, drill__counts_its_sagas_over_all_pages);
    tcase_add_test(tc, drill__takes_its_faults_away_when_it_fails);
    tcase_add_test(tc, drill__takes_away_what_may_have_been_injected);
    tcase_add_test(tc, drill__an_expectation_may_have_a_comment);
    tcase_add_test(tc, drill__injects_as_many_faults_as_there_may_be);
    tcase_add_test(tc, drill__sends_what_a_fault_says);
    tcase_add_test(tc, drill__starts_what_its_file_says);
    tcase_add_test(tc, drill__kills_by_the_command_that_was_given);
    tcase_add_test(tc, drill__says_which_sagas_are_not_as_they_should_be);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
