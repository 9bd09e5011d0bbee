/* cmd_about.c - the commands about sagactl itself: completion, version, help. */
#include "client-lib/sagactl/help.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"

#include <saga/version.h>
#include <stdlib.h>
#include <string.h>

/* A text as it is, or as the one field of a JSON document. */
static int put_text(struct run *r, const char *name, const char *text)
{
    if (!r->o.json) {
        fputs(text, r->screen.out); /* whether it was written is looked at in the end */
        return EXIT_DONE;
    }
    if (json_put(r->screen.out, json_pack("{so}", name, json_of_text(text)), false) == 0)
        return EXIT_DONE;
    return run_say(r, EXIT_REFUSED, "there is no memory");
}

/* What is written by write_it(out, argument), collected and put out. */
static int put_written(struct run *r, const char *name, void (*write_it)(FILE *out, const void *argument),
                       const void *argument)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return run_say(r, EXIT_REFUSED, "there is no memory");
    write_it(out, argument);
    bool written = fclose(out) == 0;
    int status = written ? put_text(r, name, text) : run_say(r, EXIT_REFUSED, "there is no memory");
    free(text);
    return status;
}

static void write_completion(FILE *out, const void *shell)
{
    help_completion(out, shell);
}

static void write_help(FILE *out, const void *command)
{
    if (command == NULL)
        help_overview(out);
    else
        help_command(out, command);
}

int command_completion(struct run *r)
{
    const char *const *shells = r->o.command->values;
    for (size_t i = 0; shells[i] != NULL; i++)
        if (strcmp(shells[i], r->o.words[0]) == 0)
            return put_written(r, "completion", write_completion, r->o.words[0]);
    return run_say(r, EXIT_USAGE, "there are completions for bash, zsh and fish, not for \"%.100s\"", r->o.words[0]);
}

int command_version(struct run *r)
{
    char text[64];
    snprintf(text, sizeof text, r->o.json ? "%s" : "sagactl %s\n", saga_version());
    return put_text(r, "version", text);
}

int command_help(struct run *r)
{
    if (r->o.word_count == 0)
        return put_written(r, "help", write_help, NULL);
    const struct command_row *command = command_find(r->o.words[0]);
    if (command != NULL)
        return put_written(r, "help", write_help, command);
    const char *near = command_nearest(r->o.words[0]);
    return run_say(r, EXIT_USAGE, "there is no command %.200s%s%s%s", r->o.words[0], near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}
