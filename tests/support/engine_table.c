#include "tests/support/engine_table.h"

#include "sidecar/definition/reader.h"
#include "sidecar/engine/saga.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PROBES_MAX 256
#define PROBE_SIZE 160
#define SEEN_MAX   256

static FILE *nowhere; /* for what has been told before */

static char lines[PROBES_MAX][PROBE_SIZE];
static const char *names[PROBES_MAX];
static char *results[PROBES_MAX];
static unsigned probe_count;

/* The kinds of calls of which all answers have been tried: of the others a few will do. */
static char seen[SEEN_MAX][PROBE_SIZE];
static unsigned seen_count;

char *engine_table_state(struct play *p)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    engine_words_state(out, play_engine(p), play_now(p));
    fclose(out);
    return text;
}

/* ---- histories ---- */

/* Whether an earlier history has begun with so much of this one, so that what comes of it is told there. */
static bool told_before(const struct history *all, const struct history *h, size_t size)
{
    for (const struct history *other = all; other < h; other++)
        if (other->definition == h->definition && other->places == h->places && strlen(other->lines) >= size &&
            strncmp(other->lines, h->lines, size) == 0 && strchr("\n", other->lines[size]) != NULL)
            return true;
    return false;
}

/* Plays the history; of what is new in it each line, what comes of it, and what is different then are told. all NULL: nothing is. */
static struct play *play_history(const struct history *h, struct definition *d, FILE *out, const struct history *all)
{
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    struct play *p = play_open(d, h->places, all != NULL ? out : nowhere);
    for (const char *line = h->lines; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        bool tell = all != NULL && !told_before(all, h, (size_t)(line - h->lines) + size);
        char *before = tell ? engine_table_state(p) : NULL;
        if (all != NULL)
            fprintf(out, "> %.*s", (int)size, line);
        play_say_to(p, tell ? out : nowhere);
        ck_assert_msg(play_do(p, line, size), "%s: %.*s", h->name, (int)size, line);
        if (tell) {
            char *after = engine_table_state(p);
            engine_words_difference(out, before, after);
            free(after);
        }
        if (all != NULL)
            fputc('\n', out);
        free(before);
        line += size + (line[size] == '\n');
    }
    play_say_to(p, nowhere);
    return p;
}

struct play *engine_table_play(const struct history *h, struct definition *d)
{
    return play_history(h, d, NULL, NULL);
}

/* ---- probes ---- */

static void add_probe(const char *text, size_t size, const char *step)
{
    ck_assert_uint_lt(probe_count, PROBES_MAX);
    const char *hole = strstr(text, "%s");
    char *line = lines[probe_count];
    names[probe_count++] = line;
    if (hole == NULL || hole >= text + size)
        snprintf(line, PROBE_SIZE, "%.*s", (int)size, text);
    else
        snprintf(line, PROBE_SIZE, "%.*s%s%s", (int)(hole - text), text, step, hole + 2);
}

static const char *step_name(const struct saga *s, unsigned step)
{
    static char text[STEP_NAME_BYTES_MAX + 1];
    struct bytes name = saga_step_name(s, step);
    snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.at);
    return text;
}

/* Whether such a call has been answered in every way before. */
static bool was_seen(const struct history *h, const struct saga *s, unsigned step)
{
    const struct step *own = &s->steps[step];
    char text[PROBE_SIZE];
    bool back = own->compensation != SAGA_COMPENSATION_NONE;
    snprintf(text, sizeof text, "%p %s %d %d %d", (const void *)h->definition, step_name(s, step), back,
             (back ? own->compensation_attempts : own->action_attempts) > 0, s->state);
    for (unsigned i = 0; i < seen_count; i++)
        if (strcmp(seen[i], text) == 0)
            return true;
    ck_assert_uint_lt(seen_count, SEEN_MAX);
    strcpy(seen[seen_count++], text);
    return false;
}

static void make_probes(const struct history *h, const struct engine *e, const struct probes *probes)
{
    const struct saga *s = engine_find(e, 1);
    probe_count = 0;
    for (const char *const *request = probes->requests; *request != NULL; request++) {
        bool each = strstr(*request, "%s") != NULL;
        for (unsigned k = 0; k < (each && s != NULL ? s->step_count : 1); k++)
            add_probe(*request, strlen(*request), s == NULL || !each ? "a" : step_name(s, k));
    }
    for (; s != NULL; s = engine_after(e, s->id.serial))
        for (unsigned k = 0; k < s->step_count; k++) {
            bool out = s->steps[k].on_wire, few = out && was_seen(h, s, k);
            for (unsigned i = 0; out && probes->answers[i] != NULL && (i < 5 || !few); i++) {
                char line[PROBE_SIZE];
                snprintf(line, sizeof line, "answer %llu %s %s", (unsigned long long)s->id.serial, step_name(s, k),
                         probes->answers[i]);
                add_probe(line, strlen(line), "");
            }
        }
    for (const char *line = h->probes; line != NULL && *line != '\0';) {
        size_t size = strcspn(line, "\n");
        add_probe(line, size, "");
        line += size + (line[size] == '\n');
    }
}

static char *result_of(const struct history *h, struct definition *d, const char *probe)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct play *p = engine_table_play(h, d);
    char *before = engine_table_state(p);
    play_say_to(p, out);
    bool done = play_do(p, probe, strlen(probe));
    char *after = engine_table_state(p);
    if (done)
        engine_words_difference(out, before, after);
    else
        fputs("; cannot be", out);
    fclose(out);
    free(before);
    free(after);
    play_close(p);
    return text;
}

void engine_table_put_same(FILE *out, const char *const *all, char **said, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (said[i] == NULL)
            continue;
        fprintf(out, "  %s", all[i]);
        for (unsigned k = i + 1; k < count; k++)
            if (said[k] != NULL && strcmp(said[i], said[k]) == 0) {
                fprintf(out, " | %s", all[k]);
                free(said[k]);
                said[k] = NULL;
            }
        fprintf(out, "%s\n", said[i][0] == '\0' ? "; nothing" : said[i]);
        free(said[i]);
        said[i] = NULL;
    }
}

void engine_table_put(FILE *out, const struct history *histories, size_t count, const struct probes *probes)
{
    seen_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct history *h = &histories[i];
        struct definition *d = h->definition == NULL ? NULL : play_definition(h->definition);
        fprintf(out, "%s=== %s\n", i == 0 ? "" : "\n", h->name);
        struct play *p = play_history(h, d, out, histories);
        make_probes(h, play_engine(p), probes);
        play_close(p);
        for (unsigned k = 0; k < probe_count; k++)
            results[k] = result_of(h, d, lines[k]);
        engine_table_put_same(out, names, results, probe_count);
        definition_destroy(d);
    }
}
