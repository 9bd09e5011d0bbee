/* sagactl: the command line: what is read from it, and what is said of mistakes. */
#include "client-lib/sagactl/exits.h"
#include "client-lib/sagactl/options.h"

#include <check.h>
#include <pwd.h>
#include <saga/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID        "9f03c1d2a4b7-2a"
#define WORDS_MAX 16

static struct options options;
static int status;
static char *words[WORDS_MAX];
static char *out_text, *err_text;

/* Reads a command line whose words are separated by '|'. */
static bool read_line(const char *line)
{
    static char *copy; /* the words are views of it */
    int argc = 0;
    size_t size;
    free(copy);
    copy = malloc(strlen(line) + sizeof "sagactl|");
    free(out_text);
    free(err_text);
    FILE *out = open_memstream(&out_text, &size), *err = open_memstream(&err_text, &size);
    ck_assert(out != NULL && err != NULL);
    sprintf(copy, "sagactl|%s", line);
    for (char *word = strtok(copy, "|"); word != NULL; word = strtok(NULL, "|"))
        words[argc++] = word;
    words[argc] = NULL;
    bool read = options_read(&options, argc, words, out, err, &status);
    fclose(out);
    fclose(err);
    return read;
}

static void assert_read(const char *line)
{
    ck_assert_msg(read_line(line), "%s: %s", line, err_text);
    ck_assert_str_eq(err_text, "");
}

/* said stands somewhere in what is said. */
static void assert_refused(const char *line, const char *said)
{
    ck_assert_msg(!read_line(line), "%s", line);
    ck_assert_msg(status == EXIT_USAGE, "%s: %d", line, status);
    ck_assert_msg(strstr(err_text, said) != NULL, "%s: %s", line, err_text);
    ck_assert_str_eq(out_text, "");
}

START_TEST(options__reads_a_command_and_its_words)
{
    assert_read("retry|" ID "|charge");
    ck_assert_str_eq(options.command->name, "retry");
    ck_assert_uint_eq(options.word_count, 2);
    ck_assert_str_eq(options.words[0], ID);
    ck_assert_str_eq(options.words[1], "charge");
    ck_assert_int_eq(options.timeout_ms, -1);
    ck_assert_ptr_null(options.address);
    ck_assert(!options.json && !options.utc && options.color == COLOR_AUTO);
    assert_read("list");
    ck_assert_uint_eq(options.word_count, 0);
    ck_assert_uint_eq(options.limit, 50);
}
END_TEST

START_TEST(options__stand_before_and_behind_the_command)
{
    assert_read("-o|json|--address=unix:/x|get|" ID "|--timeout|1.5s|--utc|--color=never");
    ck_assert(options.json && options.utc && options.color == COLOR_NEVER);
    ck_assert_str_eq(options.address, "unix:/x");
    ck_assert_int_eq(options.timeout_ms, 1500);
    ck_assert_str_eq(options.words[0], ID);
    assert_read("get|-p|" ID "|-ojson");
    ck_assert(options.json && options.payloads);
    assert_read("register|--|-n");
    ck_assert(!options.dry_run);
    ck_assert_str_eq(options.words[0], "-n");
}
END_TEST

START_TEST(options__of_start)
{
    assert_read("start|order|--version|2.0.0|--input-text|a book|-r|order-1|-d|30s|--wait");
    ck_assert_str_eq(options.version, "2.0.0");
    ck_assert_str_eq(options.input_text, "a book");
    ck_assert_str_eq(options.request_id, "order-1");
    ck_assert_int_eq(options.deadline.us, 30000000);
    ck_assert(options.wait);
    assert_refused("start|order|--input|x|--input-text|y", "exclude one another");
    assert_refused("start|order|--version", "--version needs VERSION");
    assert_refused("start|order|--version|two", "is not a semantic version");
    assert_refused("start|order|--deadline|30", "has no unit");
    assert_refused("start|order|--deadline|0s", "is less than 1ms");
    assert_refused("start|or der", "is not the name of a definition");
    assert_refused("start", "needs DEFINITION");
    assert_refused("start|order|more", "\"more\" is too much");
    char line[400];
    snprintf(line, sizeof line, "start|order|-r|%0129d", 0);
    assert_refused(line, "--request-id takes 1 to 128 bytes");
    snprintf(line, sizeof line, "start|order|-r|%0128d", 0);
    assert_read(line);
}
END_TEST

START_TEST(options__of_list)
{
    assert_read("list|--state|running,stuck|-s|COMMITTED|--limit|1000|--definition|order|--since|2h");
    ck_assert_uint_eq(options.states, 1u << 1 | 1u << 5 | 1u << 2);
    ck_assert_uint_eq(options.limit, 1000);
    assert_read("list|-s|live");
    ck_assert_uint_eq(options.states, 1u << 1 | 1u << 3 | 1u << 5);
    assert_read("list|-s|ended");
    ck_assert_uint_eq(options.states, 1u << 2 | 1u << 4 | 1u << 6);
    assert_refused("list|--state|runing", "\"runing\" is not a state; did you mean running?");
    assert_refused("list|--state|running,", "\"\" is not a state");
    assert_refused("list|--limit|0", "is not a count from 1 to 1000");
    assert_refused("list|--limit|1001", "is not a count from 1 to 1000");
    assert_refused("list|--limit|ten", "is not a count");
    assert_refused("list|--since|then", "is not a time");
    assert_refused("list|--all|--page|x", "exclude one another");
    assert_refused("list|x", "is too much");
}
END_TEST

START_TEST(options__of_an_operator)
{
    assert_read("skip|" ID "|charge|--reason|by hand|--actor|bob");
    ck_assert_str_eq(options.actor, "bob");
    ck_assert_str_eq(options.reason, "by hand");
    setenv("USER", "anna", 1);
    assert_read("pause|" ID);
    ck_assert_int_eq(strncmp(options.actor, "anna@", 5), 0);
    /* Where the environment does not say who it is, the system does. */
    const struct passwd *entry = getpwuid(geteuid());
    char who[256];
    snprintf(who, sizeof who, "%.63s", entry != NULL ? entry->pw_name : "unknown");
    for (int unset = 0; unset < 2; unset++) {
        setenv("USER", "", 1);
        if (unset)
            unsetenv("USER");
        assert_read("pause|" ID);
        size_t size = strcspn(options.actor, "@");
        ck_assert_msg(size == strlen(who) && strncmp(options.actor, who, size) == 0, "%s", options.actor);
    }
    assert_refused("retry|" ID "|--definition|order", "go with --all");
    assert_refused("skip|" ID "|charge", "needs --reason");
    assert_refused("reject|" ID "|charge", "needs --reason");
    assert_refused("resolve|" ID, "needs --reason");
    assert_refused("skip|" ID "|--reason|x", "needs SAGA-ID STEP");
    static const char *const steps[] = {"a/b", "a[]", "a[1", "a[x]", "a[1]b", "[1]"};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "skip|" ID "|%s|--reason|x", steps[i]);
        assert_refused(line, "is not the name of a step");
    }
    assert_read("skip|" ID "|a[12]|--reason|x");
    assert_refused("contract|check|--contract|c.json|--schema|s|--definition|d", "--contract says which target and");
    assert_refused("contract|check|--contract|c.json|--schema|s|--target|t", "--contract says which target and");
    char line[400];
    snprintf(line, sizeof line, "pause|" ID "|--actor|%0129d", 0);
    assert_refused(line, "--actor takes 1 to 128 bytes");
    snprintf(line, sizeof line, "pause|" ID "|--reason|%0257d", 0);
    assert_refused(line, "--reason takes 1 to 256 bytes");
}
END_TEST

START_TEST(options__of_a_bulk_job)
{
    static const struct {
        const char *rate;
        double per_second;
    } rates[] = {{"10", 10}, {"10/s", 10}, {"0.01", 0.01}, {"10000/s", 10000}, {"30/m", 0.5}, {"600000/m", 10000}};
    static const char *const bad[] = {"0.009", "10001", "0.5/m", "600001/m", "1/h", "/s", "nan", "-1"};
    char line[128];
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        snprintf(line, sizeof line, "deadletters|retry|--where|true|--rate|%s", rates[i].rate);
        assert_read(line);
        ck_assert_double_eq_tol(options.per_second, rates[i].per_second, 1e-9);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(line, sizeof line, "deadletters|retry|--where|true|--rate|%s", bad[i]);
        assert_refused(line, "is not a rate from 0.01/s to 10000/s");
    }
    assert_refused("deadletters|skip|--where|true", "needs --reason TEXT");
    assert_read("deadletters|skip|--where|true|--dry-run");
    assert_refused("deadletters|retry", "retry needs --where");
    assert_refused("deadletters|drop|--where|true", "\"drop\" is none of retry, skip, resolve");
    assert_refused("deadletters|--wait", "go with retry, skip and resolve");
}
END_TEST

/* A mistake is told as the line asks for, wherever it says so. */
START_TEST(options__mistakes_are_told_as_json)
{
    static const char *const lines[] = {"-o|json|lits", "lits|-o|json", "list|--limit|0|-ojson", "--output|json|lits",
                                        "list|--limit|0|--output=json"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_refused(lines[i], "{\"error\":{\"code\":\"INVALID_ARGUMENT\",");
        ck_assert_ptr_null(strstr(err_text, "Try: "));
    }
    assert_refused("list|--limit|0|-o|text", "Try: sagactl help list\n");
    assert_refused("list|--limit|0|--definition|json", "Try: sagactl help list\n"); /* which is a name here */
}
END_TEST

START_TEST(options__refuse_what_is_no_saga)
{
    static const char *const bad[] = {"1", "9F03c1d2a4b7-2a", "9f03c1d2a4b7", "9f03c1d2a4b7-02a", "9f03c1d2a4b7-2a "};
    static const char *const commands[] = {"get", "wait", "watch", "cancel", "pause", "resume", "retry"};
    char line[128];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t j = 0; j < sizeof commands / sizeof commands[0]; j++) {
            snprintf(line, sizeof line, "%s|%s", commands[j], bad[i]);
            assert_refused(line, "is not a saga's id, as in");
        }
    }
    assert_read("watch");
}
END_TEST

START_TEST(options__name_the_nearest)
{
    assert_refused("strat|x", "there is no command strat; did you mean start?");
    assert_refused("deadletter", "did you mean deadletters?");
    assert_refused("frobnicate", "there is no command frobnicate\n");
    assert_refused("wait|" ID "|--tiemout=1s", "there is no option --tiemout; did you mean --timeout?");
    assert_refused("--adress|x|list", "there is no option --adress; did you mean --address?");
    /* Only what this command takes. */
    assert_refused("get|" ID "|--reasn|x", "there is no option --reasn\n");
    assert_refused("list|-z", "there is no option -z");
    assert_refused("list|--utc=1", "--utc takes no argument");
    assert_refused("list|-o|jsn", "\"jsn\" is none of text, json");
    assert_refused("list|--timeout", "--timeout needs TIME");
    assert_refused("-o", "--output needs FORMAT");
}
END_TEST

START_TEST(options__are_shown_safely)
{
    assert_refused("\033[2J", "\\x1b[2J");
    assert_refused("get|\033[2J", "\\x1b[2J");
    assert_refused("list|--\033[2J", "\\x1b[2J");
    ck_assert_ptr_null(strchr(err_text, '\033'));
}
END_TEST

START_TEST(options__help_and_version_are_no_mistakes)
{
    ck_assert(!read_line("--help"));
    ck_assert_int_eq(status, EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(out_text, "usage: sagactl"));
    ck_assert_str_eq(err_text, "");
    ck_assert(!read_line("resolve|--help"));
    ck_assert_int_eq(status, EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(out_text, "usage: sagactl resolve SAGA-ID"));
    ck_assert(!read_line("-V"));
    ck_assert_int_eq(status, EXIT_DONE);
    ck_assert_int_eq(strncmp(out_text, "sagactl ", 8), 0);
    /* Nothing to do is one. */
    ck_assert(!read_line(""));
    ck_assert_int_eq(status, EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(err_text, "usage: sagactl"));
}
END_TEST

/* Texts have bounds, and the longest that is allowed is. */
START_TEST(options__have_bounds)
{
    static const struct {
        const char *line, *option;
        int max;
    } cases[] = {{"list", "address", 512},
                 {"list", "tls-certificate", 4000},
                 {"list", "tls-key", 4000},
                 {"list", "tls-roots", 4000},
                 {"list", "tls-identity", 512},
                 {"list", "page", 65535},
                 {"list", "where", 2048},
                 {"list", "journal", 128},
                 {"list", "definition", 128},
                 {"list", "request-id", 128},
                 {"start|order", "input", 4096},
                 {"start|order", "request-id", 128},
                 {"start|order", "json", 4194304},
                 {"watch", "from", 2047},
                 {"pause|" ID, "reason", 256},
                 {"pause|" ID, "actor", 128},
                 {"deadletters|retry|--where|true", "name", 128},
                 {"deadletters|--summary", "step", 64},
                 {"lint|f", "schema", 4096},
                 {"lint|f", "policy", 4096},
                 {"lint|f", "config", 4096},
                 {"lint", "explain", 64},
                 {"contract|check", "contract", 4096},
                 {"contract|export", "target", 64},
                 {"authz|explain", "as", 512},
                 {"authz|explain", "method", 64}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int more = 0; more < 2; more++) {
            size_t used = strlen(cases[i].line) + strlen(cases[i].option) + 4, size = (size_t)(cases[i].max + more);
            char *line = malloc(used + size + 1), complaint[32];
            sprintf(line, "%s|--%s|", cases[i].line, cases[i].option);
            memset(line + used, 'a', size);
            line[used + size] = '\0';
            snprintf(complaint, sizeof complaint, "--%s", cases[i].option);
            if (more)
                assert_refused(line, complaint);
            else
                assert_read(line);
            sprintf(line, "%s|--%s=", cases[i].line, cases[i].option); /* nor is nothing a text */
            assert_refused(line, complaint);
            free(line);
        }
}
END_TEST

START_TEST(options__of_a_rehearsal)
{
    assert_read("rehearse|f");
    ck_assert_uint_eq(options.seeds, 0);
    assert_read("rehearse|f|--seeds|1");
    ck_assert_uint_eq(options.seeds, 1);
    assert_read("rehearse|f|--seeds|1000000");
    ck_assert_uint_eq(options.seeds, 1000000);
    assert_refused("rehearse|f|--seeds|0", "is not a count from 1 to 1000000");
    assert_refused("rehearse|f|--seeds|1000001", "is not a count from 1 to 1000000");
    assert_refused("rehearse|f|--seeds|some", "is not a count from 1 to 1000000");
}
END_TEST

/* Each value is the one that was typed, by its name or as a number. */
START_TEST(options__have_the_value_that_was_typed)
{
    assert_read("start|order|--priority|low");
    ck_assert_uint_eq(options.priority, 1);
    assert_read("start|order|--priority|high");
    ck_assert_uint_eq(options.priority, 3);
    assert_read("start|order");
    ck_assert_uint_eq(options.priority, 0);
    assert_refused("start|order|--priority|higher", "is none of low, normal, high");
    assert_read("list|--tag|tenant=a=b");
    ck_assert_str_eq(options.tag, "tenant=a=b");
    assert_refused("list|--tag|tenant", "--tag takes NAME=VALUE");
    assert_read("deadletters|--summary|--status|unavailable");
    ck_assert_int_eq(options.status, SAGA_E_UNAVAILABLE);
    assert_read("deadletters|--summary|--status|UNAUTHENTICATED");
    ck_assert_int_eq(options.status, SAGA_E_UNAUTHENTICATED);
    assert_refused("deadletters|--summary|--status|GONE", "is not a gRPC status");
    assert_read("list|--timeout|1ms");
    ck_assert_int_eq(options.timeout_ms, 1);
    assert_refused("list|--timeout|0ms", "is less than 1ms");
    assert_read("list|--timeout|9000h"); /* longer than a year is a year */
    ck_assert_int_eq(options.timeout_ms, INT64_C(366) * 24 * 3600 * 1000);
    assert_read("--color|always|list");
    ck_assert_int_eq(options.color, COLOR_ALWAYS);
    assert_refused("list|--before|then", "is not a time");
    assert_refused("list|--definition|or der", "is not a name");
    assert_refused("contract|export|--target|b k", "is not the name of a target");
    assert_refused("deadletters|--summary|--step|a b", "is not the name of a step");
}
END_TEST

/* What would be left aside is refused, and so are words that cannot be what they should. */
START_TEST(options__go_together_or_do_not)
{
    static const struct {
        const char *line, *complaint; /* NULL: none */
    } cases[] = {
        {"deadletters|--step|charge", "--step and --status go with --summary"},
        {"deadletters|--status|UNAVAILABLE", "--step and --status go with --summary"},
        {"deadletters|--summary|--step|charge|--status|UNAVAILABLE", NULL},
        {"deadletters|--dry-run", "go with retry, skip and resolve"},
        {"deadletters|--rate|1", "go with retry, skip and resolve"},
        {"deadletters|--name|a", "go with retry, skip and resolve"},
        {"deadletters|--reason|a", "go with retry, skip and resolve"},
        {"deadletters|resolve|--where|true", "needs --reason TEXT"},
        {"deadletters|retry|--where|true", NULL},
        {"deadletters|--all|--page|a", "--all and --page exclude one another"},
        {"retry|" ID "|--all", "takes a saga's id or --all, not both"},
        {"retry", "needs SAGA-ID [STEP], or --all"},
        {"retry|" ID "|--step|charge", "go with --all"},
        {"retry|" ID "|--status|UNAVAILABLE", "go with --all"},
        {"retry|--all|--definition|order|--step|charge|--status|UNAVAILABLE", NULL},
        {"register|--reflect|--dry-run|f", "--reflect registers the types first, which --dry-run does not"},
        {"list|-o|sarif", "-o sarif goes with lint, rehearse and contract check"},
        {"lint|f|-o|sarif", NULL},
        {"rehearse|f|-o|sarif", NULL},
        {"contract|check|-o|sarif", NULL},
        {"list|-o|dot", "-o dot goes with graph"},
        {"lint|f|-o|svg", "-o svg goes with graph"},
        {"graph|f|-o|mermaid", NULL},
        {"start|order|-j|{}|-i|f", "exclude one another"},
        {"start|order|-j|{}|--input-hex|00", "exclude one another"},
        {"breaker|open|bank|--reason|a", "\"open\" is none of trip, hold, reset"},
        {"breaker|trip|bank", "needs --reason TEXT"},
        {"hold|order", "needs --reason TEXT"},
        {"release|order", NULL},
        {"rules|disarm|a", "\"disarm\" is none of arm, undo"},
        {"rules|arm", "arm needs the name of a rule"},
        {"rules|undo", "undo needs the name of a rule"},
        {"rules|arm|a", NULL},
        {"definitions|or der", "is not the name of a definition"},
        {"definitions|order|one", "is not a semantic version, as in 1.0.0"},
        {"definitions|order|1.0.0", NULL},
        {"hold|or der|--reason|a", "is not the name of a definition"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].complaint == NULL)
            assert_read(cases[i].line);
        else
            assert_refused(cases[i].line, cases[i].complaint);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, options__reads_a_command_and_its_words);
    tcase_add_test(tests, options__stand_before_and_behind_the_command);
    tcase_add_test(tests, options__of_start);
    tcase_add_test(tests, options__of_list);
    tcase_add_test(tests, options__of_an_operator);
    tcase_add_test(tests, options__of_a_bulk_job);
    tcase_add_test(tests, options__mistakes_are_told_as_json);
    tcase_add_test(tests, options__refuse_what_is_no_saga);
    tcase_add_test(tests, options__name_the_nearest);
    tcase_add_test(tests, options__are_shown_safely);
    tcase_add_test(tests, options__help_and_version_are_no_mistakes);
    tcase_add_test(tests, options__have_bounds);
    tcase_add_test(tests, options__of_a_rehearsal);
    tcase_add_test(tests, options__have_the_value_that_was_typed);
    tcase_add_test(tests, options__go_together_or_do_not);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
