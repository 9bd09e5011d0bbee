/* sagactl: the command line, and what is made of its tables: help, manual page, completions. Runs at the top of the
 * tree. */
#include "client-lib/sagactl/exits.h"
#include "client-lib/sagactl/help.h"
#include "client-lib/sagactl/options.h"

#include <check.h>
#include <pwd.h>
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
    static char copy[4096];
    int argc = 0;
    size_t size;
    free(out_text);
    free(err_text);
    FILE *out = open_memstream(&out_text, &size), *err = open_memstream(&err_text, &size);
    ck_assert(out != NULL && err != NULL);
    snprintf(copy, sizeof copy, "sagactl|%s", line);
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

/* ---- what is made of the tables ---- */

START_TEST(tables__have_no_clashes)
{
    for (size_t c = 0; c < command_count; c++) {
        uint64_t mask = OPTIONS_COMMON | command_rows[c].options;
        for (unsigned a = 0; a < OPTION_COUNT; a++) {
            ck_assert_ptr_nonnull(option_rows[a].name);
            for (unsigned b = 0; b < a; b++) {
                if ((mask & OPTION_BIT(a)) == 0 || (mask & OPTION_BIT(b)) == 0)
                    continue;
                ck_assert_str_ne(option_rows[a].name, option_rows[b].name);
                ck_assert_msg(option_rows[a].letter == '\0' || option_rows[a].letter != option_rows[b].letter,
                              "%s: -%c", command_rows[c].name, option_rows[a].letter);
            }
        }
    }
}
END_TEST

START_TEST(tables__help_is_within_80_columns)
{
    for (size_t i = 0; i <= command_count; i++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (i < command_count)
            help_command(out, &command_rows[i]);
        else
            help_overview(out);
        fclose(out);
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
            ck_assert_msg(strlen(line) <= 80, "%s", line);
        free(text);
    }
}
END_TEST

START_TEST(tables__the_manual_page_is_theirs)
{
    static char page[262144];
    FILE *file = fopen("docs/man/sagactl.1", "r");
    ck_assert_msg(file != NULL, "docs/man/sagactl.1 is not there; tests run at the top of the tree");
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    char *begin = strstr(page, HELP_MAN_BEGIN), *end = strstr(page, HELP_MAN_END), *sections = NULL;
    size_t size;
    ck_assert(begin != NULL && end != NULL);
    begin += strlen(HELP_MAN_BEGIN);
    *end = '\0';
    FILE *out = open_memstream(&sections, &size);
    help_man(out);
    fclose(out);
    ck_assert_msg(strcmp(begin, sections) == 0, "docs/man/sagactl.1 is not up to date; run make docs-sagactl");
    free(sections);
}
END_TEST

START_TEST(tables__completions_name_everything)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t i = 0; i < 3; i++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        ck_assert(help_completion(out, shells[i]));
        fclose(out);
        for (size_t c = 0; c < command_count; c++)
            ck_assert_msg(strstr(text, command_rows[c].name) != NULL, "%s: %s", shells[i], command_rows[c].name);
        for (unsigned id = 0; id < OPTION_COUNT; id++)
            ck_assert_msg(strstr(text, option_rows[id].name) != NULL, "%s: %s", shells[i], option_rows[id].name);
        /* Each says all of what it says in a line of its own. */
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            size_t end = strlen(line);
            if (strcmp(shells[i], "fish") == 0)
                ck_assert_msg(line[0] == '#' || (strncmp(line, "complete -c sagactl", 19) == 0 &&
                                                 strstr(line + 1, "complete -c sagactl") == NULL),
                              "%s", line);
            else if (strcmp(shells[i], "bash") == 0 && strncmp(line, "    --", 6) == 0)
                ck_assert_msg(end > 3 && strcmp(line + end - 3, " ;;") == 0, "%s", line);
        }
        free(text);
    }
    ck_assert(!help_completion(stderr, "csh"));
}
END_TEST

/* Where a colon parts a name from what it is for, one in a text is marked. */
START_TEST(tables__completions_of_zsh_mark_what_would_part)
{
    char *text = NULL;
    size_t size, marked = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert(help_completion(out, "zsh"));
    fclose(out);
    for (size_t c = 0; c < command_count; c++) {
        char line[256], *to = line + snprintf(line, sizeof line, "\n        '%s:", command_rows[c].name);
        for (const char *at = command_rows[c].summary; *at != '\0'; at++) {
            if (strchr("[]:\\", *at) != NULL) {
                *to++ = '\\';
                marked++;
            }
            *to++ = *at;
        }
        *to = '\0';
        ck_assert_msg(strchr(command_rows[c].summary, '\'') != NULL || strstr(text, line) != NULL, "%s", line);
    }
    ck_assert_uint_gt(marked, 0);
    free(text);
}
END_TEST

/* Between quotes fish takes an apostrophe for the end, unless it is marked; what stands behind a quoted text is the line's end. */
START_TEST(tables__completions_of_fish_are_quoted_to_their_end)
{
    char *text = NULL;
    size_t size, marked = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert(help_completion(out, "fish"));
    fclose(out);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *at = strstr(line, " -d '");
        if (at == NULL)
            continue;
        for (at += strlen(" -d '"); *at != '\'' && *at != '\0'; at++)
            if (*at == '\\') {
                marked++;
                at++;
            }
        ck_assert_msg(strcmp(at, "'") == 0, "%s", line);
    }
    ck_assert_uint_gt(marked, 0);
    free(text);
}
END_TEST

/* Each command that takes one of a few words proposes these, whatever the shell, and what is written of it is whole. */
START_TEST(tables__completions_propose_the_words_of_a_command)
{
    static const struct {
        const char *shell, *head, *tail, *before, *end; /* "HEAD command TAIL ... BEFORE words END" */
    } shells[] = {{"bash", "\n        ", ")\n          if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '",
                   "' -- \"$cur\"))\n          else COMPREPLY=($(compgen -W '", "' -- \"$cur\")); fi ;;\n"},
                  {"zsh", "\n        ", ") _arguments", " '1:value:(", ")' ;;\n"},
                  {"fish", "\ncomplete -c sagactl -n '__fish_seen_subcommand_from ", "' -a", " '", "'\n"}};
    for (size_t i = 0; i < 3; i++) {
        char *text = NULL, begin[256], few[512];
        size_t size, proposed = 0;
        FILE *out = open_memstream(&text, &size);
        ck_assert(help_completion(out, shells[i].shell));
        fclose(out);
        for (size_t c = 0; c < command_count; c++) {
            const struct command_row *row = &command_rows[c];
            if (row->complete != COMPLETE_VALUES)
                continue;
            size_t used = (size_t)snprintf(few, sizeof few, "%s", shells[i].before);
            for (size_t k = 0; row->values[k] != NULL; k++)
                used += (size_t)snprintf(few + used, sizeof few - used, "%s%s", k > 0 ? " " : "", row->values[k]);
            snprintf(few + used, sizeof few - used, "%s", shells[i].end);
            snprintf(begin, sizeof begin, "%s%s%s", shells[i].head, row->name, shells[i].tail);
            const char *at = strstr(text, begin), *there = at == NULL ? NULL : strstr(at + strlen(begin), few);
            ck_assert_msg(there != NULL && strstr(at + strlen(begin), shells[i].end) == there + used, "%s, %s:%s",
                          shells[i].shell, row->name, few);
            proposed++;
        }
        ck_assert_uint_gt(proposed, 0);
        free(text);
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
    tcase_add_test(tests, tables__have_no_clashes);
    tcase_add_test(tests, tables__help_is_within_80_columns);
    tcase_add_test(tests, tables__the_manual_page_is_theirs);
    tcase_add_test(tests, tables__completions_name_everything);
    tcase_add_test(tests, tables__completions_of_zsh_mark_what_would_part);
    tcase_add_test(tests, tables__completions_of_fish_are_quoted_to_their_end);
    tcase_add_test(tests, tables__completions_propose_the_words_of_a_command);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
