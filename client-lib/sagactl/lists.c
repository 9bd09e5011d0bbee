/* lists.c - sagas, dead letters and definitions in tables. */
#include "client-lib/sagactl/show.h"

#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"

#include <string.h>

#define FIELD       256
#define SENTENCE    1024
#define STATE_WIDTH 12
#define TIME_WIDTH  7

/* "checkout 1.0.0" */
static char *kind(const struct screen *s, const Saga__V1__Saga *saga, char text[FIELD])
{
    char name[FIELD / 2], version[FIELD / 4];
    snprintf(text, FIELD, "%s%s%s", screen_clean(s, saga->definition, name, sizeof name),
             saga->version[0] != '\0' ? " " : "", screen_clean(s, saga->version, version, sizeof version));
    return text;
}

static char *reason_text(const struct screen *s, const Saga__V1__Saga *saga, char text[FIELD])
{
    bool stuck = saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
    const char *reason = words_reason(stuck ? saga->stuck_reason : saga->reason),
               *step = stuck ? saga->stuck_step : saga->reason_step;
    char name[FIELD / 2], skips[96] = "";
    size_t used = 0;
    if (saga->skips > 0)
        used = (size_t)snprintf(skips, sizeof skips, "%u skipped%s", (unsigned)saga->skips,
                                reason[0] != '\0' || saga->n_lacks > 0 ? "; " : "");
    for (size_t i = 0; i < saga->n_lacks && used < sizeof skips; i++)
        used += (size_t)snprintf(skips + used, sizeof skips - used, "%s%s", show_lack(saga->lacks[i]->kind),
                                 i + 1 < saga->n_lacks ? ", "
                                 : reason[0] != '\0'   ? "; "
                                                       : "");
    snprintf(text, FIELD, "%s%s%s%s%s%s",
             saga->synthetic ? (reason[0] != '\0' || skips[0] != '\0' || saga->paused ? "synthetic; " : "synthetic")
                             : "",
             saga->paused ? (reason[0] != '\0' || skips[0] != '\0' ? "paused; " : "paused") : "", skips, reason,
             step[0] != '\0' ? " at " : "", screen_clean(s, step, name, sizeof name));
    return text;
}

static unsigned at_most(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned at_least(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* The one unit of a length of time that tells most: a column has not room for two. */
static char *short_span(struct span span, char text[TIMES_TEXT_SIZE])
{
    times_write_span(span, text);
    text[strcspn(text, " ")] = '\0';
    return text;
}

void show_list(const struct screen *s, Saga__V1__Saga *const *sagas, size_t count)
{
    char text[FIELD], span[TIMES_TEXT_SIZE];
    unsigned id_width = 4, kind_width = 10;
    for (size_t i = 0; i < count; i++) {
        id_width = at_least(id_width, screen_columns(s, screen_clean(s, sagas[i]->id, text, 64)));
        kind_width = at_least(kind_width, screen_columns(s, kind(s, sagas[i], text)));
    }
    id_width = at_most(id_width, 29);
    unsigned others = id_width + STATE_WIDTH + 2 * TIME_WIDTH + 4 * 2;
    kind_width = at_most(kind_width, at_most(at_least(16, s->width / 4), s->width - others));
    unsigned used = others + kind_width + 2;
    unsigned why_width = s->width > used ? s->width - used : 0;
    screen_put(s, PAINT_DIM, "%-*s  %-*s  %-*s  %*s  %*s%s\n", (int)id_width, "SAGA", STATE_WIDTH, "STATE",
               (int)kind_width, "DEFINITION", TIME_WIDTH, "AGE", TIME_WIDTH, "TOOK", why_width >= 4 ? "  WHY" : "");
    for (size_t i = 0; i < count; i++) {
        const Saga__V1__Saga *saga = sagas[i];
        struct instant started = times_of(saga->started_at), over = times_of(saga->ended_at);
        screen_cell(s, PAINT_NONE, screen_clean(s, saga->id, text, 64), id_width);
        fputs("  ", s->out);
        screen_cell(s, words_saga_paint(saga->state), words_saga_state(saga->state), STATE_WIDTH);
        fputs("  ", s->out);
        screen_cell(s, PAINT_NONE, kind(s, saga, text), kind_width);
        fprintf(s->out, "  %*s", TIME_WIDTH,
                started.us == INSTANT_NEVER.us ? "-" : short_span(instant_since(s->now, started), span));
        bool known = started.us != INSTANT_NEVER.us && over.us != INSTANT_NEVER.us;
        fprintf(s->out, "  %*s", TIME_WIDTH, known ? short_span(instant_since(over, started), span) : "-");
        reason_text(s, saga, text);
        if (text[0] != '\0' && why_width >= 4) {
            fputs("  ", s->out);
            screen_cell(s, PAINT_NONE, text, at_most(why_width, screen_columns(s, text)));
        }
        fputc('\n', s->out);
    }
}

void show_dead_letters(const struct screen *s, Saga__V1__Saga *const *sagas, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Saga__V1__Saga *saga = sagas[i];
        struct instant started = times_of(saga->started_at);
        char id[64], text[FIELD], span[TIMES_TEXT_SIZE], answer[SENTENCE];
        screen_put(s, PAINT_STRONG, "%s", screen_clean(s, saga->id, id, sizeof id));
        fprintf(s->out, "  %s", kind(s, saga, text));
        if (started.us != INSTANT_NEVER.us)
            fprintf(s->out, ", started %s ago", times_write_span(instant_since(s->now, started), span));
        fputs("\n    ", s->out);
        screen_wrap(s, PAINT_BAD, reason_text(s, saga, text), 4, 4);
        for (size_t j = 0; j < saga->n_steps; j++) {
            const Saga__V1__Step *step = saga->steps[j];
            bool failed = step->compensation == SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_FAILED;
            if (!failed && strcmp(step->name, saga->stuck_step) != 0)
                continue;
            bool undo = failed || step->compensation_attempts > 0;
            screen_clean(s, step->name, text, sizeof text);
            int attempts = undo ? step->compensation_attempts : step->action_attempts;
            fprintf(s->out, "    %s: ", text);
            char line[SENTENCE + FIELD];
            story_answer(s, step->last_status, step->last_message, answer, sizeof answer);
            snprintf(line, sizeof line, "%s %s after %d attempt%s%s%s", undo ? "compensation" : "action",
                     undo ? words_compensation(step->compensation) : words_action(step->action), attempts,
                     attempts == 1 ? "" : "s", answer[0] != '\0' ? ", " : "", answer);
            unsigned at = at_most(4 + screen_columns(s, text) + 2, s->width / 2);
            screen_wrap(s, PAINT_NONE, line, at, at);
        }
    }
}

void show_definitions(const struct screen *s, Saga__V1__Definition *const *definitions, size_t count)
{
    char text[SENTENCE];
    unsigned name_width = 4, version_width = 7;
    for (size_t i = 0; i < count; i++) {
        name_width = at_least(name_width, screen_columns(s, screen_clean(s, definitions[i]->name, text, FIELD)));
        version_width =
            at_least(version_width, screen_columns(s, screen_clean(s, definitions[i]->version, text, FIELD)));
    }
    name_width = at_most(name_width, s->width / 3);
    version_width = at_most(version_width, s->width / 5);
    unsigned at = name_width + version_width + 2 + 2 + 12;
    screen_put(s, PAINT_DIM, "%-*s  %-*s  %-10s  %s\n", (int)name_width, "NAME", (int)version_width, "VERSION",
               "REGISTERED", "STEPS");
    for (size_t i = 0; i < count; i++) {
        const Saga__V1__Definition *d = definitions[i];
        char when[TIMES_TEXT_SIZE], steps[SENTENCE] = "";
        screen_cell(s, PAINT_NONE, screen_clean(s, d->name, text, FIELD), name_width);
        fputs("  ", s->out);
        screen_cell(s, PAINT_NONE, screen_clean(s, d->version, text, FIELD), version_width);
        times_write(s, times_of(d->registered_at), when);
        when[strcspn(when, " ")] = '\0';
        fprintf(s->out, "  %-10s  ", when);
        for (size_t j = 0, used = 0; j < d->n_steps; j++) {
            char name[FIELD];
            screen_clean(s, d->steps[j], name, sizeof name);
            if (used + strlen(name) + sizeof ", , ..." > sizeof steps) {
                snprintf(steps + used, sizeof steps - used, ", ...");
                break;
            }
            used += (size_t)snprintf(steps + used, sizeof steps - used, "%s%s", j > 0 ? ", " : "", name);
        }
        screen_wrap(s, PAINT_NONE, steps, at, at);
    }
}
