/* completion.c - shell completions, from the tables of commands and options. Ids and definitions are asked of the sidecar, for half a second
 * at most. */
#include "client-lib/sagactl/help.h"

#include <string.h>

static void join(FILE *out, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", words[i]);
}

/* A shell command that prints the words that fit, or NULL. */
static const char *asked_words(enum complete complete)
{
    switch (complete) {
    case COMPLETE_SAGA:
        return "sagactl -t 500ms list 2>/dev/null | tail -n +2 | cut -d\\  -f1";
    case COMPLETE_STUCK:
        return "sagactl -t 500ms list --state stuck 2>/dev/null | tail -n +2 | cut -d\\  -f1";
    case COMPLETE_DEFINITION:
        return "sagactl -t 500ms definitions 2>/dev/null | tail -n +2 | cut -d\\  -f1";
    case COMPLETE_NOTHING:
    case COMPLETE_FILE:
    case COMPLETE_VALUES:
        break;
    }
    return NULL;
}

/* ---- bash ---- */

static void bash_options(FILE *out, uint64_t mask)
{
    const char *between = "";
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        if ((mask & OPTION_BIT(id)) == 0)
            continue;
        fprintf(out, "%s--%s", between, option_rows[id].name);
        between = " ";
    }
}

/* The cases of words after which an argument is due: by name, since no two options of one name differ in what they take
 * here. */
static void bash_arguments(FILE *out)
{
    char shorts[OPTION_COUNT][4] = {""};
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        bool shared = false;
        for (unsigned other = 0; other < OPTION_COUNT; other++)
            shared = shared || (other != id && option_rows[other].letter == option_rows[id].letter);
        if (option_rows[id].letter != '\0' && !shared)
            snprintf(shorts[id], sizeof shorts[id], "|-%c", option_rows[id].letter);
    }
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        if (row->argument == NULL)
            continue;
        fprintf(out, "    --%s%s) ", row->name, shorts[id]);
        if (row->complete == COMPLETE_FILE) {
            fputs("COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n", out);
        } else if (row->complete == COMPLETE_VALUES) {
            fputs("COMPREPLY=($(compgen -W '", out);
            join(out, row->values);
            fputs("' -- \"$cur\")) ;;\n", out);
        } else if (asked_words(row->complete) != NULL) {
            fprintf(out, "COMPREPLY=($(compgen -W \"$(%s)\" -- \"$cur\")) ;;\n", asked_words(row->complete));
        } else {
            fputs("COMPREPLY=() ;;\n", out);
        }
    }
}

/* The words of COMP_WORDS after which the command does not come: options with a separate argument. */
static void bash_skips(FILE *out)
{
    const char *between = "";
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        if (row->argument == NULL || (OPTIONS_COMMON & OPTION_BIT(id)) == 0)
            continue;
        fprintf(out, "%s--%s", between, row->name);
        if (row->letter != '\0')
            fprintf(out, "|-%c", row->letter);
        between = "|";
    }
}

static void bash(FILE *out)
{
    fputs("# bash completion of sagactl\n_sagactl() {\n"
          "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
          "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case ${COMP_WORDS[i]} in\n      ",
          out);
    bash_skips(out);
    fputs(
        ") ((i++)) ;;\n      -*) ;;\n      *) command=${COMP_WORDS[i]}; break ;;\n    esac\n  done\n  case $prev in\n",
        out);
    bash_arguments(out);
    fputs("    *)\n      case $command in\n", out);
    for (size_t i = 0; i < command_count; i++) {
        const struct command_row *c = &command_rows[i];
        fprintf(out, "        %s)\n          if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '", c->name);
        bash_options(out, OPTIONS_COMMON | c->options);
        fputs("' -- \"$cur\"))\n          else ", out);
        if (c->complete == COMPLETE_FILE) {
            fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", out);
        } else if (c->complete == COMPLETE_VALUES) {
            fputs("COMPREPLY=($(compgen -W '", out);
            join(out, c->values);
            fputs("' -- \"$cur\"))", out);
        } else if (asked_words(c->complete) != NULL) {
            fprintf(out, "COMPREPLY=($(compgen -W \"$(%s)\" -- \"$cur\"))", asked_words(c->complete));
        } else {
            fputs("COMPREPLY=()", out);
        }
        fputs("; fi ;;\n", out);
    }
    fputs("        *) COMPREPLY=($(compgen -W '", out);
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "%s ", command_rows[i].name);
    bash_options(out, OPTIONS_BEFORE);
    fputs("' -- \"$cur\")) ;;\n      esac ;;\n  esac\n}\ncomplete -F _sagactl sagactl\n", out);
}

/* ---- zsh ---- */

/* Text inside single quotes and, with brackets, inside a description of _arguments. */
static void zsh_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text) != NULL)
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

/* One way to write an option, "--state=" or "-s+", with what it is for and what it takes. */
static void zsh_option(FILE *out, const char *spelling, const struct option_row *row)
{
    fprintf(out, " \\\n        '*%s[", spelling);
    zsh_text(out, row->help);
    fputc(']', out);
    if (row->argument != NULL) {
        fprintf(out, ":%s:", row->argument);
        if (row->complete == COMPLETE_FILE)
            fputs("_files", out);
        if (row->complete == COMPLETE_VALUES) {
            fputc('(', out);
            join(out, row->values);
            fputc(')', out);
        }
    }
    fputc('\'', out);
}

static void zsh_options(FILE *out, uint64_t mask)
{
    char spelling[64];
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        if ((mask & OPTION_BIT(id)) == 0)
            continue;
        snprintf(spelling, sizeof spelling, "--%s%s", row->name, row->argument ? "=" : "");
        zsh_option(out, spelling, row);
        snprintf(spelling, sizeof spelling, "-%c%s", row->letter, row->argument ? "+" : "");
        if (row->letter != '\0')
            zsh_option(out, spelling, row);
    }
}

static void zsh(FILE *out)
{
    fputs("#compdef sagactl\n_sagactl() {\n  local context state line\n  typeset -A opt_args\n  _arguments -C", out);
    zsh_options(out, OPTIONS_BEFORE);
    fputs(" \\\n        '1:command:->command' '*::argument:->argument'\n  case $state in\n    command)\n      local -a "
          "commands\n      commands=(\n",
          out);
    for (size_t i = 0; i < command_count; i++) {
        fprintf(out, "        '%s:", command_rows[i].name);
        zsh_text(out, command_rows[i].summary);
        fputs("'\n", out);
    }
    fputs("      )\n      _describe command commands ;;\n    argument)\n      case $line[1] in\n", out);
    for (size_t i = 0; i < command_count; i++) {
        const struct command_row *c = &command_rows[i];
        fprintf(out, "        %s) _arguments", c->name);
        zsh_options(out, OPTIONS_COMMON | c->options);
        if (c->complete == COMPLETE_FILE)
            fputs(" \\\n        '*:file:_files'", out);
        if (asked_words(c->complete) != NULL)
            fprintf(out, " \\\n        '1:value:($(%s))'", asked_words(c->complete));
        if (c->complete == COMPLETE_VALUES) {
            fputs(" \\\n        '1:value:(", out);
            join(out, c->values);
            fputs(")'", out);
        }
        fputs(" ;;\n", out);
    }
    /* Found by way of $fpath this file is the function's body the first time; sourced, it only says what the function
     * is for. */
    fputs("      esac ;;\n  esac\n}\nif [[ $funcstack[1] == _sagactl ]]; then\n  _sagactl \"$@\"\nelse\n  compdef "
          "_sagactl sagactl\nfi\n",
          out);
}

/* ---- fish ---- */

static void fish_text(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++)
        fprintf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    fputc('\'', out);
}

static void fish_option(FILE *out, const char *condition, const struct option_row *row)
{
    fprintf(out, "complete -c sagactl%s -l %s", condition, row->name);
    if (row->letter != '\0')
        fprintf(out, " -s %c", row->letter);
    if (row->argument != NULL)
        fputs(row->complete == COMPLETE_FILE ? " -r -F" : " -x", out);
    if (row->complete == COMPLETE_VALUES) {
        fputs(" -a '", out);
        join(out, row->values);
        fputc('\'', out);
    }
    fputs(" -d ", out);
    fish_text(out, row->help);
    fputc('\n', out);
}

static void fish(FILE *out)
{
    char condition[128];
    fputs("# fish completion of sagactl\ncomplete -c sagactl -f\n", out);
    for (unsigned id = 0; id < OPTION_COUNT; id++)
        if ((OPTIONS_COMMON & OPTION_BIT(id)) != 0)
            fish_option(out, "", &option_rows[id]);
    fish_option(out, " -n __fish_use_subcommand", &option_rows[OPTION_SHOW_VERSION]);
    for (size_t i = 0; i < command_count; i++) {
        const struct command_row *c = &command_rows[i];
        fprintf(out, "complete -c sagactl -n __fish_use_subcommand -a %s -d ", c->name);
        fish_text(out, c->summary);
        fputc('\n', out);
        snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %s'", c->name);
        for (unsigned id = 0; id < OPTION_COUNT; id++)
            if ((c->options & OPTION_BIT(id)) != 0)
                fish_option(out, condition, &option_rows[id]);
        if (asked_words(c->complete) != NULL)
            fprintf(out, "complete -c sagactl%s -a '(%s)'\n", condition, asked_words(c->complete));
        if (c->complete == COMPLETE_FILE)
            fprintf(out, "complete -c sagactl%s -F\n", condition);
        if (c->complete == COMPLETE_VALUES) {
            fprintf(out, "complete -c sagactl%s -a '", condition);
            join(out, c->values);
            fputs("'\n", out);
        }
    }
}

bool help_completion(FILE *out, const char *shell)
{
    static const struct {
        const char *name;
        void (*write)(FILE *out);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].write(out);
            return true;
        }
    }
    return false;
}
