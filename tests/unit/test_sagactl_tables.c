/* What is made of the tables of sagactl's commands and options: help, the manual page, completions. Runs at the top of the tree. */
#include "client-lib/sagactl/help.h"
#include "client-lib/sagactl/options.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

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
            if (*at == '\'') /* which would end the quoted text */
                to = stpcpy(to, "'\\'");
            *to++ = *at;
        }
        strcpy(to, "'\n");
        ck_assert_msg(strstr(text, line) != NULL, "%s", line);
        snprintf(line, sizeof line, "\n        %s) _arguments", command_rows[c].name);
        ck_assert_msg(strstr(text, line) != NULL, "%s", line);
    }
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        char line[512] = "[", *to = line + 1;
        for (const char *at = option_rows[id].help; *at != '\0'; at++) {
            if (strchr("[]:\\", *at) != NULL)
                *to++ = '\\';
            if (*at == '\'')
                to = stpcpy(to, "'\\'");
            *to++ = *at;
        }
        strcpy(to, "]");
        ck_assert_msg(strstr(text, line) != NULL, "%s", line);
    }
    ck_assert_uint_gt(marked, 0);
    free(text);
}
END_TEST

/* Behind an option that takes an argument bash proposes what that may be; before a command it is passed over together with it. */
START_TEST(tables__completions_of_bash_know_what_an_option_takes)
{
    char *text = NULL, line[600];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert(help_completion(out, "bash"));
    fclose(out);
    char *skips = strstr(text, "case ${COMP_WORDS[i]} in\n      "), *skips_end = strstr(text, ") ((i++)) ;;\n");
    ck_assert(skips != NULL && skips_end != NULL && skips < skips_end);
    const char *options = strstr(text, "  case $prev in\n"), *rest = strstr(text, "\n    *)\n      case $command in\n");
    ck_assert(options != NULL && rest != NULL && options < rest);
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        bool common = (OPTIONS_COMMON & OPTION_BIT(id)) != 0, shared = row->letter == '\0';
        for (unsigned other = 0; other < OPTION_COUNT; other++)
            shared = shared || (other != id && option_rows[other].letter == row->letter);
        /* "    --state|-s) COMPREPLY=(": by its letter where no other option has it. */
        int used = snprintf(line, sizeof line, "\n    --%s", row->name);
        if (!shared)
            used += snprintf(line + used, sizeof line - (size_t)used, "|-%c", row->letter);
        used += snprintf(line + used, sizeof line - (size_t)used, ") COMPREPLY=(");
        if (row->complete == COMPLETE_FILE)
            snprintf(line + used, sizeof line - (size_t)used, "$(compgen -f -- \"$cur\")) ;;\n");
        else if (row->complete == COMPLETE_VALUES) {
            used += snprintf(line + used, sizeof line - (size_t)used, "$(compgen -W '");
            for (size_t k = 0; row->values[k] != NULL; k++)
                used += snprintf(line + used, sizeof line - (size_t)used, "%s%s", k > 0 ? " " : "", row->values[k]);
            snprintf(line + used, sizeof line - (size_t)used, "' -- \"$cur\")) ;;\n");
        } else if (row->complete == COMPLETE_NOTHING)
            snprintf(line + used, sizeof line - (size_t)used, ") ;;\n");
        else
            snprintf(line + used, sizeof line - (size_t)used, "$(compgen -W \"$(sagactl -t 500ms ");
        ck_assert_msg((strstr(text, line) != NULL) == (row->argument != NULL), "%s", line);
        used = snprintf(line, sizeof line, "--%s", row->name);
        if (row->letter != '\0')
            used += snprintf(line + used, sizeof line - (size_t)used, "|-%c", row->letter);
        const char *skip = strstr(skips, line);
        while (skip != NULL && strchr("|)", skip[used]) == NULL)
            skip = strstr(skip + 1, line);
        ck_assert_msg(!(common && row->argument != NULL) || (skip != NULL && skip < skips_end), "%s", line);
    }
    free(text);
}
END_TEST

/* An option is written by its name and by its letter, where it has one, each with whether an argument comes with it. */
START_TEST(tables__completions_of_zsh_know_each_spelling)
{
    char *text = NULL, spelling[96];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert(help_completion(out, "zsh"));
    fclose(out);
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        snprintf(spelling, sizeof spelling, "\n        '*--%s%s[%.4s", row->name, row->argument != NULL ? "=" : "",
                 row->help);
        ck_assert_msg(strstr(text, spelling) != NULL, "%s", spelling);
        snprintf(spelling, sizeof spelling, "\n        '*-%c%s[%.4s", row->letter, row->argument != NULL ? "+" : "",
                 row->help);
        ck_assert_msg(row->letter == '\0' || strstr(text, spelling) != NULL, "%s", spelling);
    }
    free(text);
}
END_TEST

/* What an option takes is told behind it, in zsh and in fish. */
START_TEST(tables__completions_tell_what_an_option_takes)
{
    for (int fish = 0; fish < 2; fish++) {
        char *text = NULL, values[256], end[400];
        size_t size;
        FILE *out = open_memstream(&text, &size);
        ck_assert(help_completion(out, fish ? "fish" : "zsh"));
        fclose(out);
        for (unsigned id = 0; id < OPTION_COUNT; id++) {
            const struct option_row *row = &option_rows[id];
            char begin[96], letter[8] = "";
            size_t used = 0;
            values[0] = '\0';
            for (size_t k = 0; row->complete == COMPLETE_VALUES && row->values[k] != NULL; k++)
                used += (size_t)snprintf(values + used, sizeof values - used, "%s%s", k > 0 ? " " : "", row->values[k]);
            if (row->letter != '\0')
                snprintf(letter, sizeof letter, " -s %c", row->letter);
            if (fish) {
                snprintf(begin, sizeof begin, " -l %s%s%s", row->name, letter,
                         row->argument == NULL            ? ""
                         : row->complete == COMPLETE_FILE ? " -r -F"
                                                          : " -x");
                snprintf(end, sizeof end, "%s%s%s -d '%.4s", values[0] != '\0' ? " -a '" : "", values,
                         values[0] != '\0' ? "'" : "", row->help);
            } else {
                snprintf(begin, sizeof begin, "\n        '*--%s%s[%.4s", row->name, row->argument != NULL ? "=" : "",
                         row->help);
                snprintf(end, sizeof end, "]%s%s%s%s%s%s'", row->argument != NULL ? ":" : "",
                         row->argument != NULL ? row->argument : "", row->argument != NULL ? ":" : "",
                         row->complete == COMPLETE_FILE ? "_files"
                         : values[0] != '\0'            ? "("
                                                        : "",
                         values, values[0] != '\0' ? ")" : "");
            }
            const char *at = strstr(text, begin), *line_end = at == NULL ? NULL : strchr(at + 1, '\n');
            const char *there = at == NULL ? NULL : strstr(at + strlen(begin), end);
            ck_assert_msg(there != NULL && there < line_end && (!fish || there == at + strlen(begin)), "%s ... %s",
                          begin, end);
        }
        free(text);
    }
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

/* What can be asked for is asked for: sagas, those that are stuck where only they will do, definitions. */
START_TEST(tables__completions_ask_for_what_there_is)
{
    static const struct {
        const char *shell, *head, *tail, *end; /* "HEAD command TAIL ... END" */
    } shells[] = {{"bash", "\n        ", ")\n          if [[ $cur == -* ]]; then", "; fi ;;\n"},
                  {"zsh", "\n        ", ") _arguments", " ;;\n"},
                  {"fish", "\ncomplete -c sagactl -n '__fish_seen_subcommand_from ", "' -a", "\n"}};
    static const char *const questions[] = {
        [COMPLETE_SAGA] = "(sagactl -t 500ms list 2>/dev/null | tail -n +2 | cut -d\\  -f1)",
        [COMPLETE_STUCK] = "(sagactl -t 500ms list --state stuck 2>/dev/null | tail -n +2 | cut -d\\  -f1)",
        [COMPLETE_DEFINITION] = "(sagactl -t 500ms definitions 2>/dev/null | tail -n +2 | cut -d\\  -f1)"};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        char *text = NULL, begin[256];
        size_t size;
        FILE *out = open_memstream(&text, &size);
        ck_assert(help_completion(out, shells[i].shell));
        fclose(out);
        for (size_t c = 0; c < command_count; c++) {
            const struct command_row *row = &command_rows[c];
            bool asks = row->complete == COMPLETE_SAGA || row->complete == COMPLETE_STUCK ||
                        row->complete == COMPLETE_DEFINITION;
            snprintf(begin, sizeof begin, "%s%s%s", shells[i].head, row->name, shells[i].tail);
            const char *at = strstr(text, begin), *end = at == NULL ? NULL : strstr(at + strlen(begin), shells[i].end);
            const char *question = at == NULL ? NULL : strstr(at, asks ? questions[row->complete] : "sagactl -t");
            ck_assert_msg((question != NULL && question < end) == asks, "%s: %s", shells[i].shell, row->name);
        }
        free(text);
    }
}
END_TEST

/* The words of the options of these, "--a --b". */
static void options_text(uint64_t mask, char *to, size_t size)
{
    size_t used = 0;
    to[0] = '\0';
    for (unsigned id = 0; id < OPTION_COUNT; id++)
        if ((mask & OPTION_BIT(id)) != 0)
            used += (size_t)snprintf(to + used, size - used, "%s--%s", used > 0 ? " " : "", option_rows[id].name);
    ck_assert_uint_lt(used, size);
}

/* In place of an option bash proposes all that the command takes, and else files, where it takes some, or nothing. */
START_TEST(tables__completions_of_bash_know_what_a_command_takes)
{
    char *text = NULL, options[2000], line[2500];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert(help_completion(out, "bash"));
    fclose(out);
    for (size_t c = 0; c < command_count; c++) {
        const struct command_row *row = &command_rows[c];
        options_text(OPTIONS_COMMON | row->options, options, sizeof options);
        snprintf(line, sizeof line,
                 "\n        %s)\n          if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n"
                 "          else COMPREPLY=(%s",
                 row->name, options,
                 row->complete == COMPLETE_FILE      ? "$(compgen -f -- \"$cur\")); fi ;;\n"
                 : row->complete == COMPLETE_NOTHING ? "); fi ;;\n"
                                                     : "$(compgen -W ");
        ck_assert_msg(strstr(text, line) != NULL, "%s", line);
    }
    size_t used = (size_t)snprintf(line, sizeof line, "        *) COMPREPLY=($(compgen -W '");
    for (size_t c = 0; c < command_count; c++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s ", command_rows[c].name);
    options_text(OPTIONS_BEFORE, options, sizeof options);
    snprintf(line + used, sizeof line - used, "%s' -- \"$cur\")) ;;\n", options);
    ck_assert_msg(strstr(text, line) != NULL, "%s", line);
    free(text);
}
END_TEST

/* Files are proposed behind each command that takes some, and behind no other. */
START_TEST(tables__completions_propose_files)
{
    static const struct {
        const char *shell, *head, *tail, *end, *files; /* "HEAD command TAIL ... FILES ... END" */
    } shells[] = {{"zsh", "\n        ", ") _arguments", " ;;\n", " \\\n        '*:file:_files' ;;\n"},
                  {"fish", "\ncomplete -c sagactl -n '__fish_seen_subcommand_from ", "' -F", "\n", "' -F\n"}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        char *text = NULL, begin[256];
        size_t size;
        FILE *out = open_memstream(&text, &size);
        ck_assert(help_completion(out, shells[i].shell));
        fclose(out);
        for (size_t c = 0; c < command_count; c++) {
            const struct command_row *row = &command_rows[c];
            snprintf(begin, sizeof begin, "%s%s%s", shells[i].head, row->name, shells[i].tail);
            const char *at = strstr(text, begin), *files = at == NULL ? NULL : strstr(at, shells[i].files);
            const char *end = at == NULL ? NULL : strstr(at + 1, shells[i].end);
            bool proposed = files != NULL && files < end + strlen(shells[i].end);
            ck_assert_msg(proposed == (row->complete == COMPLETE_FILE), "%s: %s", shells[i].shell, row->name);
        }
        free(text);
    }
}
END_TEST

/* Every name has its text beside it or, when it is too long, below it, in a column. */
START_TEST(tables__help_has_columns)
{
    char *text = NULL, line[128], left[64];
    size_t size;
    for (size_t i = 0; i <= command_count; i++) {
        const struct command_row *row = i < command_count ? &command_rows[i] : NULL;
        FILE *out = open_memstream(&text, &size);
        if (row != NULL)
            help_command(out, row);
        else
            help_overview(out);
        fclose(out);
        for (size_t c = 0; row == NULL && c < command_count; c++) {
            snprintf(line, sizeof line, "\n  %-14s%.20s", command_rows[c].name, command_rows[c].summary);
            ck_assert_msg(strstr(text, line) != NULL, "%s", line);
        }
        uint64_t mask = OPTIONS_COMMON | (row != NULL ? row->options : OPTION_BIT(OPTION_SHOW_VERSION));
        ck_assert_int_eq(strstr(text, "\n\nOptions\n") != NULL, row != NULL && row->options != 0);
        ck_assert_ptr_nonnull(strstr(text, row != NULL ? "\n\nOptions of every command\n"
                                                       : "\n\nOptions, before or after the command\n"));
        ck_assert_int_eq(strstr(text, "\n\nBefore the command only\n") != NULL, row == NULL);
        for (unsigned id = 0; id < OPTION_COUNT; id++) {
            const struct option_row *o = &option_rows[id];
            char letter[5] = {'-', o->letter, ',', ' ', '\0'};
            if ((mask & OPTION_BIT(id)) == 0)
                continue;
            int used = snprintf(left, sizeof left, "  %4s--%s%s%s", o->letter != '\0' ? letter : "", o->name,
                                o->argument != NULL ? " " : "", o->argument != NULL ? o->argument : "");
            bool below = used > 24;
            snprintf(line, sizeof line, "\n%s%s%*s%.20s", left, below ? "\n" : "", below ? 26 : 26 - used, "", o->help);
            ck_assert_msg(strstr(text, line) != NULL, "%s is not in %s", line, text);
        }
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_tables");
    TCase *tests = tcase_create("tables");
    tcase_add_test(tests, tables__have_no_clashes);
    tcase_add_test(tests, tables__help_is_within_80_columns);
    tcase_add_test(tests, tables__the_manual_page_is_theirs);
    tcase_add_test(tests, tables__completions_name_everything);
    tcase_add_test(tests, tables__completions_of_zsh_mark_what_would_part);
    tcase_add_test(tests, tables__completions_of_bash_know_what_an_option_takes);
    tcase_add_test(tests, tables__completions_of_zsh_know_each_spelling);
    tcase_add_test(tests, tables__completions_tell_what_an_option_takes);
    tcase_add_test(tests, tables__completions_of_fish_are_quoted_to_their_end);
    tcase_add_test(tests, tables__completions_propose_the_words_of_a_command);
    tcase_add_test(tests, tables__completions_ask_for_what_there_is);
    tcase_add_test(tests, tables__completions_of_bash_know_what_a_command_takes);
    tcase_add_test(tests, tables__completions_propose_files);
    tcase_add_test(tests, tables__help_has_columns);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
