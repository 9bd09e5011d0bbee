/* cmd_runbook.c - what an alert means and what to do, with what is true right now in the place of the commands that show it. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/runbook.h"

#include "sidecar/base/nearest.h"

#include <stdlib.h>
#include <string.h>

#define LOOK      "```look\n"
#define LOOK_END  "```\n"
#define WORDS_MAX 12
#define LINE_SIZE 160

static const struct runbook *runbook_find(const char *name)
{
    for (size_t i = 0; i < runbook_count; i++)
        if (strcmp(runbooks[i].name, name) == 0)
            return &runbooks[i];
    return NULL;
}

/* The first line of a runbook is "# NAME: what it is about". */
static void put_title(struct run *r, const struct runbook *b)
{
    const char *at = b->text + strlen("# ") + strlen(b->name) + strlen(": ");
    fprintf(r->screen.out, "%-24s %.*s\n", b->name, (int)strcspn(at, "\n"), at);
}

static int list(struct run *r)
{
    if (!r->o.json) {
        for (size_t i = 0; i < runbook_count; i++)
            put_title(r, &runbooks[i]);
        return EXIT_DONE;
    }
    json_t *names = json_array();
    for (size_t i = 0; i < runbook_count; i++)
        json_array_append_new(names, json_string(runbooks[i].name));
    return json_put(r->screen.out, json_pack("{so}", "runbooks", names), false) == 0
               ? EXIT_DONE
               : run_say(r, EXIT_REFUSED, "there is no memory");
}

/* Runs a line as the command that it is, at the same sidecar. What goes wrong is said in its place, and the runbook goes on. */
static void look(struct run *r, const char *line, size_t size)
{
    struct option_given same[OPTIONS_OF_SIDECAR];
    char names[OPTIONS_OF_SIDECAR][32], words[LINE_SIZE], *argv[WORDS_MAX + 2 * OPTIONS_OF_SIDECAR + 2], *rest = words;
    int argc = 0;
    if (size >= sizeof words)
        return;
    memcpy(words, line, size);
    words[size] = '\0';
    for (char *word = strtok_r(words, " ", &rest); word != NULL && argc < WORDS_MAX; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    options_of_sidecar(&r->o, same);
    for (size_t i = 0; i < OPTIONS_OF_SIDECAR; i++) {
        if (same[i].value == NULL)
            continue;
        snprintf(names[i], sizeof names[i], "--%s", same[i].name);
        argv[argc++] = names[i];
        argv[argc++] = (char *)(uintptr_t)same[i].value;
    }
    if (r->o.utc)
        argv[argc++] = (char *)(uintptr_t) "--utc";
    argv[argc] = NULL;
    screen_put(&r->screen, PAINT_STRONG, "$ %.*s\n", (int)size, line);
    fflush(r->screen.out);
    run_main(argc, argv, r->screen.out, r->screen.out);
}

/* Writes a runbook. Its blocks of what to look at are carried out. */
static void show(struct run *r, const char *text)
{
    const char *block;
    while ((block = strstr(text, LOOK)) != NULL) {
        fwrite(text, 1, (size_t)(block - text), r->screen.out);
        const char *line = block + strlen(LOOK), *end = strstr(line, LOOK_END);
        while (line < end) {
            size_t size = strcspn(line, "\n");
            look(r, line, size);
            line += size + 1;
        }
        text = end + strlen(LOOK_END);
    }
    fputs(text, r->screen.out);
}

int command_runbook(struct run *r)
{
    if (r->o.word_count == 0)
        return list(r);
    const struct runbook *b = runbook_find(r->o.words[0]);
    if (b == NULL) {
        const char *names[64];
        size_t count = runbook_count < 64 ? runbook_count : 64;
        for (size_t i = 0; i < count; i++)
            names[i] = runbooks[i].name;
        const char *near = nearest_name(bytes_of_text(r->o.words[0]), names, count);
        return run_say(r, EXIT_USAGE, "there is no runbook \"%.100s\"%s%s; sagactl runbook lists them", r->o.words[0],
                       near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
    }
    if (r->o.json) {
        json_t *it = json_pack("{so, so}", "name", json_of_text(b->name), "text", json_of_text(b->text));
        return json_put(r->screen.out, it, false) == 0 ? EXIT_DONE : run_say(r, EXIT_REFUSED, "there is no memory");
    }
    show(r, b->text);
    return EXIT_DONE;
}
