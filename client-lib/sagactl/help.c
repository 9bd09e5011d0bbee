/* help.c - help and the man page's sections, from the tables. */
#include "client-lib/sagactl/help.h"

#include "client-lib/sagactl/exits.h"
#include "client-lib/sagactl/screen.h"

#include <string.h>

#define WIDTH  80
#define INDENT 22

static void wrapped(FILE *out, const char *text, unsigned indent, unsigned at)
{
    struct screen s = {.out = out, .width = WIDTH};
    screen_wrap(&s, PAINT_NONE, text, indent, at);
}

static void put_option(FILE *out, const struct option_row *row)
{
    char left[64], letter[5] = "";
    if (row->letter != '\0')
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    int size = snprintf(left, sizeof left, "  %4s--%s%s%s", letter, row->name, row->argument ? " " : "",
                        row->argument ? row->argument : "");
    fputs(left, out);
    if (size + 2 > INDENT + 4) {
        fputc('\n', out);
        size = 0;
    }
    wrapped(out, row->help, INDENT + 4, (unsigned)size);
}

static void put_options(FILE *out, const char *title, uint64_t mask)
{
    fprintf(out, "\n%s\n", title);
    for (unsigned id = 0; id < OPTION_COUNT; id++)
        if ((mask & OPTION_BIT(id)) != 0)
            put_option(out, &option_rows[id]);
}

void help_overview(FILE *out)
{
    fputs("usage: sagactl [OPTION]... COMMAND [ARGUMENT]...\n\nLooks at the sagas of a sidecar (sagad) and steers "
          "them.\n\nCommands\n",
          out);
    for (size_t i = 0; i < command_count; i++) {
        int size = fprintf(out, "  %s", command_rows[i].name);
        wrapped(out, command_rows[i].summary, 16, (unsigned)size);
    }
    put_options(out, "Options, before or after the command", OPTIONS_COMMON);
    put_options(out, "Before the command only", OPTION_BIT(OPTION_SHOW_VERSION));
    fputs("\nsagactl help COMMAND tells more of each; sagactl(1) lists the exit statuses.\n", out);
}

void help_command(FILE *out, const struct command_row *command)
{
    fprintf(out, "usage: sagactl %s%s%s [OPTION]...\n\n", command->name, command->arguments[0] ? " " : "",
            command->arguments);
    char sentence[256];
    snprintf(sentence, sizeof sentence, "%c%s.", command->summary[0] - 'a' + 'A', command->summary + 1);
    wrapped(out, sentence, 0, 0);
    if (command->text[0] != '\0')
        wrapped(out, command->text, 0, 0);
    if (command->options != 0)
        put_options(out, "Options", command->options);
    put_options(out, "Options of every command", OPTIONS_COMMON);
}

/* ---- man page ---- */

/* Text for roff: hyphens that are meant as such, no line that looks like a request. */
static void roff(FILE *out, const char *text)
{
    if (text[0] == '.' || text[0] == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

static void roff_option(FILE *out, const struct option_row *row)
{
    fputs(".TP\n\\fB", out);
    if (row->letter != '\0')
        fprintf(out, "\\-%c\\fR, \\fB", row->letter);
    fputs("\\-\\-", out);
    roff(out, row->name);
    fputs("\\fR", out);
    if (row->argument)
        fprintf(out, " \\fI%s\\fR", row->argument);
    fputc('\n', out);
    roff(out, row->help);
    fputc('\n', out);
}

static void roff_options(FILE *out, uint64_t mask)
{
    for (unsigned id = 0; id < OPTION_COUNT; id++)
        if ((mask & OPTION_BIT(id)) != 0)
            roff_option(out, &option_rows[id]);
}

static void roff_command(FILE *out, const struct command_row *command)
{
    fputs(".SS \"sagactl ", out);
    roff(out, command->name);
    if (command->arguments[0] != '\0') {
        fputc(' ', out);
        roff(out, command->arguments);
    }
    fprintf(out, "\"\n%c", command->summary[0] - 'a' + 'A');
    roff(out, command->summary + 1);
    fputs(".\n", out);
    if (command->text[0] != '\0') {
        roff(out, command->text);
        fputc('\n', out);
    }
    roff_options(out, command->options);
}

void help_man(FILE *out)
{
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < command_count; i++)
        roff_command(out, &command_rows[i]);
    fputs(".SH OPTIONS\nEvery command takes these, before or after its name.\n", out);
    roff_options(out, OPTIONS_COMMON);
    fputs(".PP\nBefore the command only:\n", out);
    roff_options(out, OPTION_BIT(OPTION_SHOW_VERSION));
    fputs(".SH EXIT STATUS\n", out);
#define EXITS_ROFF(constant, number, text) \
    fputs(".TP\n.B " #number "\n", out); \
    roff(out, text); \
    fputc('\n', out);
    EXITS_TABLE(EXITS_ROFF)
#undef EXITS_ROFF
}
