/* sagactl lint: where a finding is, by what a definition is judged, how it ends, and what its rules mean. */
#include "sidecar/lint/lint.h"
#include "tests/support/told_files.h"
#include "tests/support/trades.h"

/* What an editor keeps beside it is none. */
START_TEST(lint__takes_no_hidden_descriptors)
{
    char folder[] = "/tmp/saga-schemas-XXXXXX", file[64], words[128];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/.a.binpb", folder);
    fclose(fopen(file, "w"));
    snprintf(words, sizeof words, "lint --schema %s x.yaml", folder);
    ck_assert_int_eq(sagactl(words), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(complained, ": holds no file of descriptors (*.binpb)\n"));
    unlink(file);
    /* Nor what only ends in some such way. */
    static const char *const names[] = {"a", "binpb", "a.binp", "a.binpb~"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, names[i]);
        fclose(fopen(file, "w"));
        snprintf(words, sizeof words, "lint --schema %s x.yaml", folder);
        ck_assert_int_eq(sagactl(words), EXIT_USAGE);
        ck_assert_ptr_nonnull(strstr(complained, ": holds no file of descriptors (*.binpb)\n"));
        unlink(file);
    }
    rmdir(folder);
}
END_TEST

/* Each finding where it is, be it in the first line. */
START_TEST(lint__says_where)
{
    static const char *const cases[][2] = {
        {"nam: a\nversion: 1.0.0\nsteps: []\n", ":1:1: error: nam: "},
        {"name: A!\nversion: 1.0.0\nsteps: []\n", ":1:7: error: name: "},
        {"name: a\nversion: x\nsteps: []\n", ":2:10: error: version: "},
        {"name: a\nversion: 1.0.0\nsteps: []\n", ":3:8: error: steps: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/saga-lint-XXXXXX", words[160];
        write_file(path, cases[i][0]);
        snprintf(words, sizeof words, "lint %s", path);
        ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
        snprintf(words, sizeof words, "%s%s", path, cases[i][1]);
        ck_assert_msg(strncmp(said, words, strlen(words)) == 0, "%s is not what %s begins with", words, said);
        unlink(path);
    }
}
END_TEST

/* As the worst of its files. */
START_TEST(lint__ends_as_its_worst_file)
{
    char good[] = "/tmp/saga-lint-XXXXXX", bad[] = "/tmp/saga-lint-XXXXXX", words[160];
    write_file(good, "name: a\nversion: 1.0.0\ndeadline: 5m\nsteps:\n"
                     "  - {name: s, target: t, action: /p.S/A, compensation: /p.S/B}\n");
    write_file(bad, "name: a\nversion: 1.0.0\nsteps: []\n");
    const struct {
        const char *first, *second;
        int status;
    } cases[] = {{good, good, EXIT_DONE}, {good, bad, EXIT_REFUSED}, {bad, good, EXIT_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int sarif = 0; sarif < 2; sarif++) {
            snprintf(words, sizeof words, "lint %s %s%s", cases[i].first, cases[i].second, sarif ? " -o sarif" : "");
            ck_assert_msg(sagactl(words) == cases[i].status, "%s", words);
            ck_assert_int_eq(strstr(said, sarif ? "\"results\": [" : "1.0.0, 1 step: ") != NULL, 1);
            /* What is wrong with one is wrong with that one alone. */
            for (int second = 0; !sarif && second < 2; second++) {
                const char *path = second ? cases[i].second : cases[i].first;
                snprintf(words, sizeof words, path == good ? "%s: a 1.0.0, 1 step: good\n" : "%s: 1 error\n", path);
                ck_assert_msg(strstr(said, words) != NULL, "%s is not in %s", words, said);
            }
            const char *sign = sarif ? "\"ruleId\": " : ": error: ", *found = strstr(said, sign);
            ck_assert_int_eq(found != NULL, cases[i].status != EXIT_DONE);
            ck_assert(found == NULL || strstr(found + 1, sign) == NULL);
        }
    unlink(good);
    unlink(bad);
    /* A name is a reference in SARIF; and a step is found where it stands, not where a longer name begins as its own does, nor where something
     * else has its name. */
    char odd[] = "/tmp/saga-100%-XXXXXX", policy[] = "/tmp/saga-policy-XXXXXX";
    write_file(odd, "name: pay\nversion: 1.0.0\ndeadline: 5m\nsteps:\n"
                    "  - {name: payment, target: t, action: /p.S/A, compensation: /p.S/B}\n"
                    "  - {name: pay, target: u, action: /p.S/A, compensation: /p.S/B}\n");
    write_file(policy,
               "rules:\n  - id: no-u\n    severity: error\n    that: step.target != 'u'\n    else: u is closed\n");
    snprintf(words, sizeof words, "lint --policy %s %s -o sarif", policy, odd);
    ck_assert_int_eq(sagactl(words), EXIT_REFUSED);
    ck_assert_msg(strstr(said, "/tmp/saga-100%25-") != NULL, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, "\"startLine\": 6"));
    /* A finding's number is that of its rule, among all that there are: those of every definition, and then the policy's. */
    json_t *document = json_loads(said, 0, NULL);
    const json_t *run = json_array_get(json_object_get(document, "runs"), 0);
    const json_t *rules = json_object_get(json_object_get(json_object_get(run, "tool"), "driver"), "rules");
    const json_t *result = json_array_get(json_object_get(run, "results"), 0);
    ck_assert_uint_eq(json_array_size(rules), LINT_RULE_COUNT + 1);
    for (size_t i = 0; i < LINT_RULE_COUNT; i++)
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rules, i), "id")), lint_rows[i].id);
    ck_assert_str_eq(json_string_value(json_object_get(result, "ruleId")), "no-u");
    ck_assert_int_eq(json_integer_value(json_object_get(result, "ruleIndex")), LINT_RULE_COUNT);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rules, LINT_RULE_COUNT), "id")), "no-u");
    json_decref(document);
    unlink(odd);
    unlink(policy);
    ck_assert_int_eq(sagactl("lint --explain undo-missing"), EXIT_DONE);
    ck_assert_int_eq(strncmp(said, "undo-missing (warning): ", 24), 0);
    put_text("bad.yaml", "name: a\nversion: x\nsteps: []\n");
    ck_assert_int_eq(sagactl("lint bad.yaml -o json"), EXIT_REFUSED);
    json_t *told_of = json_loads(said, 0, NULL);
    const json_t *one = json_array_get(json_object_get(told_of, "findings"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(one, "field")), "version");
    ck_assert_int_eq(json_integer_value(json_object_get(one, "line")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(one, "column")), 10);
    json_decref(told_of);
    /* In SARIF it has the number of its rule. */
    ck_assert_int_eq(sagactl("lint bad.yaml -o sarif"), EXIT_REFUSED);
    document = json_loads(said, 0, NULL);
    run = json_array_get(json_object_get(document, "runs"), 0);
    rules = json_object_get(json_object_get(json_object_get(run, "tool"), "driver"), "rules");
    result = json_array_get(json_object_get(run, "results"), 0);
    ck_assert_uint_eq(json_array_size(rules), LINT_RULE_COUNT);
    ck_assert_str_eq(
        json_string_value(json_object_get(
            json_array_get(rules, (size_t)json_integer_value(json_object_get(result, "ruleIndex"))), "id")),
        json_string_value(json_object_get(result, "ruleId")));
    json_decref(document);
    put_text("good.yaml", "name: a\nversion: 1.2.3\ndeadline: 5m\nsteps:\n"
                          "  - {name: s, target: t, action: /p.S/A, compensation: /p.S/B}\n");
    ck_assert_int_eq(sagactl("lint good.yaml -o json"), EXIT_DONE);
    assert_json(said, "{'file':'good.yaml','findings':[],'name':'a','steps':1,'version':'1.2.3'}");
}
END_TEST

/* What a rule means is told with an example of each kind, and what is no rule is none. */
START_TEST(lint__explains_its_rules)
{
    for (int i = 0; i < LINT_RULE_COUNT; i++) {
        char words[128];
        snprintf(words, sizeof words, "lint --explain %s", lint_rows[i].id);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        const char *with = strstr(said, "\nWith it:\n\n"), *without = strstr(said, "\nWithout it:\n\n");
        ck_assert_msg(with != NULL && without != NULL && strncmp(said, lint_rows[i].id, strlen(lint_rows[i].id)) == 0,
                      "%s", said);
        char beginning[64]; /* of what it explains, as much as is on one line */
        snprintf(beginning, sizeof beginning, "\n%.24s", lint_rows[i].explanation);
        ck_assert_msg(strstr(said, beginning) != NULL && strstr(said, beginning) < with, "%s", said);
        ck_assert_msg(strncmp(with + 11, lint_rows[i].bad, strlen(lint_rows[i].bad)) == 0, "%s", said);
        ck_assert_str_eq(without + 14, lint_rows[i].good);
    }
    ck_assert_int_eq(sagactl("lint --explain all"), EXIT_DONE);
    const char *at = said;
    for (int i = 0; i < LINT_RULE_COUNT; i++) {
        char line[256];
        snprintf(line, sizeof line, "%-24s %-8s %s\n", lint_rows[i].id, lint_severity_name(lint_rows[i].severity),
                 lint_rows[i].meaning);
        ck_assert_msg(strncmp(at, line, strlen(line)) == 0, "%s", at);
        at += strlen(line);
    }
    ck_assert_str_eq(at, "");
    ck_assert_int_eq(sagactl("lint --explain nonsense"), EXIT_USAGE);
    ck_assert_str_eq(complained, "sagactl: there is no rule \"nonsense\"; docs/lint.md and --explain all list them\n");
    ck_assert_int_eq(sagactl("lint"), EXIT_USAGE);
    ck_assert_str_eq(complained, "sagactl: needs FILE..., or --explain RULE\n");
}
END_TEST

/* By what a definition is judged: its types, the bounds of a sidecar, a policy; what of these cannot be read is not judged by. */
START_TEST(lint__judges_by_what_it_is_given)
{
    static const struct {
        const char *words;
        int status;
        const char *says, *complains;
    } cases[] = {
        {"lint typed.yaml", EXIT_DONE, "typed.yaml: typed 1.0.0, 1 step: good\n",
         "sagactl: typed.yaml: its messages were not looked at: --schema FILE names those of the schema trades\n"},
        {"lint typed.yaml --schema trades.binpb", EXIT_REFUSED,
         "typed.yaml:7:38: error: steps[0].action: the schema trades has no such method [method-unknown]\n"
         "typed.yaml: 1 error\n",
         ""},
        {"lint plain.yaml --schema trades.binpb", EXIT_DONE, "plain.yaml: plain 1.0.0, 2 steps: good\n", ""},
        {"lint plain.yaml --config few.conf", EXIT_REFUSED,
         "plain.yaml:5:3: error: steps: holds 2 steps; steps_max is 1 [bound]\nplain.yaml: 1 error\n", ""},
        {"lint plain.yaml --policy policy.yaml", EXIT_REFUSED,
         "plain.yaml:6:1: error: steps[1]: b: u is closed [no-u]\nplain.yaml: plain 1.0.0, 2 steps: 1 error\n", ""},
        {"lint plain.yaml --policy first.yaml", EXIT_REFUSED,
         "plain.yaml:5:1: error: steps[0]: a: t is closed [no-t]\nplain.yaml: plain 1.0.0, 2 steps: 1 error\n", ""},
        {"lint plain.yaml --policy few.conf", EXIT_USAGE, "",
         "sagactl: few.conf:1:1: steps_max: is not a name that can stand here; the names here are rules, waivers\n"},
        {"lint plain.yaml --policy nowhere", EXIT_USAGE, "", "sagactl: nowhere: No such file or directory\n"},
        {"lint plain.yaml --config policy.yaml", EXIT_USAGE, "", NULL},
        {"lint plain.yaml --schema nowhere.binpb", EXIT_USAGE, "",
         "sagactl: nowhere.binpb: No such file or directory\n"},
        {"lint plain.yaml --schema plain.yaml", EXIT_REFUSED, "", NULL},
        {"lint nowhere.yaml", EXIT_USAGE, "", "sagactl: nowhere.yaml: No such file or directory\n"},
    };
    put_bytes("trades.binpb", trades, trades_size);
    put_text("few.conf", "steps_max: 1\n");
    put_text("policy.yaml",
             "rules:\n  - id: no-u\n    severity: error\n    that: step.target != 'u'\n    else: u is closed\n");
    put_text("first.yaml",
             "rules:\n  - id: no-t\n    severity: error\n    that: step.target != 't'\n    else: t is closed\n");
    put_text("typed.yaml", "name: typed\nversion: 1.0.0\nschema: trades\ninput: trades.v1.Order\ndeadline: 5m\nsteps:\n"
                           "  - {name: a, target: stock, action: /trades.v1.Inventory/Gone, compensation: none}\n");
    put_text("plain.yaml", "name: plain\nversion: 1.0.0\ndeadline: 20m\nsteps:\n"
                           "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/B}\n"
                           "  - {name: b, target: u, after: [a], action: /p.S/A, compensation: /p.S/B}\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = sagactl(cases[i].words);
        ck_assert_msg(status == cases[i].status, "%s: %d: %s%s", cases[i].words, status, said, complained);
        ck_assert_str_eq(said, cases[i].says);
        if (cases[i].complains != NULL)
            ck_assert_str_eq(complained, cases[i].complains);
        else
            ck_assert_str_ne(complained, "");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_lint");
    TCase *tc = tcase_create("lint");
    tcase_add_checked_fixture(tc, files_setup, files_teardown);
    tcase_add_test(tc, lint__takes_no_hidden_descriptors);
    tcase_add_test(tc, lint__says_where);
    tcase_add_test(tc, lint__ends_as_its_worst_file);
    tcase_add_test(tc, lint__explains_its_rules);
    tcase_add_test(tc, lint__judges_by_what_it_is_given);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
