/* cmd_fleet.c - the journals of a fleet: which sidecar has each, and which nobody has. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"

#include <string.h>

#define FIELD           256
#define PROGRAM_COLUMNS 8

static const char *how_it_is(const Saga__V1__Journal *j, enum paint *paint)
{
    *paint = PAINT_NONE;
    if (j->orphan && j->tries >= 3)
        *paint = PAINT_BAD;
    else if (j->orphan || j->wanted)
        *paint = PAINT_WARN;
    if (j->orphan)
        return j->tries >= 3 ? "to be given" : "orphan";
    if (j->carrier[0] == '\0')
        return "given up";
    if (strcmp(j->carrier, j->name) == 0)
        return "at home";
    return j->wanted ? "goes home" : "taken over";
}

/* As wide as what is told of the one that needs most words. */
static unsigned widest_state(const Saga__V1__ListJournalsResponse *m)
{
    size_t most = strlen("taken over");
    enum paint paint;
    for (size_t i = 0; i < m->n_journals; i++) {
        size_t size = strlen(how_it_is(m->journals[i], &paint));
        most = size > most ? size : most;
    }
    return (unsigned)most;
}

/* As wide as the longest of these names, within reason. */
static unsigned widest(const struct screen *s, const Saga__V1__ListJournalsResponse *m)
{
    char text[FIELD];
    unsigned most = 7;
    for (size_t i = 0; i < m->n_journals; i++) {
        unsigned columns = screen_columns(s, screen_clean(s, m->journals[i]->name, text, sizeof text));
        most = columns > most ? columns : most;
    }
    return most < 60 ? most : 60;
}

/* Who has it, by version: one that does not tell is older than any that does. */
static const char *program_of(const struct screen *s, const Saga__V1__Journal *j, char text[FIELD])
{
    if (j->program[0] == '\0')
        return j->carrier[0] == '\0' ? "" : "older";
    return screen_clean(s, j->program, text, FIELD);
}

static void put_journal(const struct screen *s, const Saga__V1__Journal *j, unsigned width, unsigned state_width)
{
    char text[FIELD];
    enum paint paint;
    const char *how = how_it_is(j, &paint);
    screen_cell(s, PAINT_NONE, screen_clean(s, j->name, text, sizeof text), width);
    fputs("  ", s->out);
    screen_cell(s, paint, how, state_width);
    fputs("  ", s->out);
    screen_cell(s, PAINT_NONE, screen_clean(s, j->carrier, text, sizeof text), width);
    fprintf(s->out, " %6llu %9llu %9llu %8.1fs  ", (unsigned long long)j->epoch, (unsigned long long)j->live,
            (unsigned long long)j->commits, j->lease == NULL ? 0 : (double)j->lease->seconds + j->lease->nanos / 1e9);
    fprintf(s->out, "%4u  ", j->form);
    screen_cell(s, PAINT_NONE, program_of(s, j, text), PROGRAM_COLUMNS);
    fputs("  ", s->out);
    fprintf(s->out, "%s\n", screen_clean(s, j->address, text, sizeof text));
}

static void put_all(const struct run *r, const Saga__V1__ListJournalsResponse *m)
{
    unsigned width = widest(&r->screen, m), state_width = widest_state(m);
    screen_cell(&r->screen, PAINT_DIM, "JOURNAL", width);
    screen_put(&r->screen, PAINT_DIM, "  %-*s  ", (int)state_width, "STATE");
    screen_cell(&r->screen, PAINT_DIM, "AT", width);
    screen_put(&r->screen, PAINT_DIM, " %6s %9s %9s %9s  %4s  %-*s  ADDRESS\n", "EPOCH", "LIVE", "COMMITS", "LEASE",
               "FORM", PROGRAM_COLUMNS, "SAGAD");
    for (size_t i = 0; i < m->n_journals; i++)
        put_journal(&r->screen, m->journals[i], width, state_width);
}

static int give(struct run *r)
{
    Saga__V1__GiveJournalRequest request = SAGA__V1__GIVE_JOURNAL_REQUEST__INIT;
    ProtobufCMessage *answer;
    if (r->o.word_count != 2 || strcmp(r->o.words[0], "give") != 0)
        return run_say(r, EXIT_USAGE, "give takes the name of a journal");
    request.journal = r->o.words[1];
    request.actor = r->o.actor;
    int status = run_call(r, "/saga.v1.Operator/GiveJournal", &request.base,
                          &saga__v1__give_journal_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    protobuf_c_message_free_unpacked(answer, NULL);
    if (!r->o.json)
        fputs("whoever has it beside its own gives it up; its own sidecar takes it, or another\n", r->screen.out);
    else if (json_put(r->screen.out, json_pack("{ss}", "given", r->o.words[1]), false) != 0)
        status = run_say(r, EXIT_REFUSED, "it is done, but there is no memory to say so");
    return status;
}

int command_fleet(struct run *r)
{
    Saga__V1__ListJournalsRequest request = SAGA__V1__LIST_JOURNALS_REQUEST__INIT;
    char after[FIELD] = "";
    int status = EXIT_DONE;
    if (r->o.word_count > 0)
        return give(r);
    do {
        Saga__V1__ListJournalsResponse *answer;
        request.after = after;
        status = run_call(r, "/saga.v1.Operator/ListJournals", &request.base,
                          &saga__v1__list_journals_response__descriptor, &answer);
        if (status != EXIT_DONE)
            return status;
        if (r->o.json)
            status = run_json(r, &answer->base, false);
        else
            put_all(r, answer);
        bool same = answer->next[0] != '\0' && strcmp(after, answer->next) == 0;
        snprintf(after, sizeof after, "%s", answer->next);
        saga__v1__list_journals_response__free_unpacked(answer, NULL);
        if (same)
            return run_say(r, EXIT_REFUSED, "the sidecar's token for the next page cannot be used");
    } while (status == EXIT_DONE && after[0] != '\0');
    return status;
}
