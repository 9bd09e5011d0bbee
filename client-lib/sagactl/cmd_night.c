/* cmd_night.c - for an operator woken at night: what is stuck, by what it has in common, and retrying it so. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/question.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/times.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 1000
#define FIELD    256

/* ---- dead letters ---- */

/* The step that a dead letter waits for. */
static const Saga__V1__Step *stuck_step(const Saga__V1__Saga *saga)
{
    for (size_t i = 0; i < saga->n_steps; i++)
        if (strcmp(saga->steps[i]->name, saga->stuck_step) == 0)
            return saga->steps[i];
    return NULL;
}

/* One that could not even be asked for has failed without an attempt. */
static bool is_undo(const Saga__V1__Step *step)
{
    return step->compensation_attempts > 0 ||
           step->compensation == SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_FAILED;
}

static int status_of(const Saga__V1__Saga *saga)
{
    const Saga__V1__Step *step = stuck_step(saga);
    return step != NULL ? step->last_status : 0;
}

/* Shows each dead letter that --definition, --step and --status let through to take, a page at a time; of the first page only, unless all. */
static int each_dead_letter(struct run *r, bool all, int (*take)(void *self, const Saga__V1__Saga *saga), void *self)
{
    Saga__V1__ListDeadLettersRequest request = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    static char token[TOKEN_SIZE];
    int status = EXIT_DONE;
    if (r->o.definition != NULL)
        request.definition = (char *)(uintptr_t)r->o.definition;
    if (r->o.where != NULL)
        request.where = (char *)(uintptr_t)r->o.where;
    request.fleet = r->o.fleet;
    if (r->o.journal != NULL)
        request.journal = (char *)(uintptr_t)r->o.journal;
    request.page_size = PAGE_MAX;
    token[0] = '\0';
    do {
        Saga__V1__ListDeadLettersResponse *page;
        request.page_token = token;
        status = run_call(r, "/saga.v1.Operator/ListDeadLetters", &request.base,
                          &saga__v1__list_dead_letters_response__descriptor, &page);
        if (status != EXIT_DONE)
            return status;
        for (size_t i = 0; i < page->n_sagas && status == EXIT_DONE; i++) {
            const Saga__V1__Saga *saga = page->sagas[i];
            bool wanted = (r->o.step == NULL || strcmp(saga->stuck_step, r->o.step) == 0) &&
                          (r->o.status < 0 || status_of(saga) == r->o.status);
            if (wanted)
                status = take(self, saga);
        }
        run_absent(r, page->absent, page->n_absent);
        int next = run_next_page(r, token, page->next_page_token);
        protobuf_c_message_free_unpacked(&page->base, NULL);
        if (next != EXIT_DONE)
            return next;
    } while (all && token[0] != '\0' && status == EXIT_DONE);
    return status;
}

/* ---- the summary ---- */

struct group {
    char definition[FIELD], step[FIELD], message[FIELD]; /* message: what the first of them was told */
    bool undo;
    int status;
    size_t count;
    struct instant oldest;
};

struct summary {
    struct run *r;
    struct group *groups;
    size_t count, sagas;
};

static int add_to_summary(void *self, const Saga__V1__Saga *saga)
{
    struct summary *s = self;
    const Saga__V1__Step *step = stuck_step(saga);
    struct group *g = NULL;
    int status = status_of(saga);
    for (size_t i = 0; i < s->count && g == NULL; i++)
        if (s->groups[i].status == status && strcmp(s->groups[i].definition, saga->definition) == 0 &&
            strcmp(s->groups[i].step, saga->stuck_step) == 0)
            g = &s->groups[i];
    if (g == NULL) {
        g = realloc(s->groups, (s->count + 1) * sizeof *g);
        if (g == NULL)
            return run_say(s->r, EXIT_REFUSED, "there is no memory for the summary");
        s->groups = g;
        g += s->count++;
        *g = (struct group){.status = status, .oldest = INSTANT_NEVER, .undo = step != NULL && is_undo(step)};
        snprintf(g->definition, sizeof g->definition, "%s", saga->definition);
        snprintf(g->step, sizeof g->step, "%s", saga->stuck_step);
        snprintf(g->message, sizeof g->message, "%s", step != NULL ? step->last_message : "");
    }
    g->count++;
    s->sagas++;
    struct instant started = times_of(saga->started_at);
    g->oldest = instant_min(g->oldest, started);
    return EXIT_DONE;
}

static int more_first(const void *a, const void *b)
{
    size_t x = ((const struct group *)a)->count, y = ((const struct group *)b)->count;
    return x < y ? 1 : x > y ? -1 : 0;
}

static int put_summary_json(struct run *r, const struct summary *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++) {
        const struct group *g = &s->groups[i];
        json_array_append_new(list, json_pack("{sososssssosI}", "definition", json_of_text(g->definition), "step",
                                              json_of_text(g->step), "phase", g->undo ? "compensation" : "action",
                                              "status", saga_status_name(g->status), "message",
                                              json_of_text(g->message), "count", (json_int_t)g->count));
    }
    return json_put(r->screen.out, list, false) == 0 ? EXIT_DONE
                                                     : run_say(r, EXIT_REFUSED, "there is no memory for the summary");
}

/* The command that tries a group again: of the same sidecar and journals, and where a question chose them a bulk job that asks it, too. */
static void put_retry(const struct run *r, const struct group *g)
{
    char question[QUESTION_WHERE_SIZE], where[QUESTION_WHERE_SIZE];
    fprintf(r->screen.out, "        sagactl %s", r->o.where == NULL ? "retry --all" : "deadletters retry");
    fputs(run_same_sidecar(r), r->screen.out);
    run_put_option(r, "journal", r->o.journal);
    if (r->o.fleet)
        fputs(" --fleet", r->screen.out);
    run_put_option(r, "definition", g->definition);
    if (r->o.where == NULL) {
        run_put_option(r, "step", g->step);
        run_put_option(r, "status", saga_status_name(g->status));
    } else {
        snprintf(where, sizeof where, "(%s) && step == '%s' && status == '%s'",
                 question_on_a_line(r->o.where, question, sizeof question), g->step,
                 g->status == SAGA_OK ? "" : saga_status_name(g->status));
        run_put_option(r, "where", where);
    }
    fputc('\n', r->screen.out);
}

static void put_group(struct run *r, const struct group *g)
{
    char definition[FIELD], step[FIELD], message[FIELD], span[TIMES_TEXT_SIZE] = "";
    screen_clean(&r->screen, g->definition, definition, sizeof definition);
    screen_clean(&r->screen, g->step, step, sizeof step);
    if (g->oldest.us != INSTANT_NEVER.us)
        times_write_span(instant_since(r->screen.now, g->oldest), span);
    screen_put(&r->screen, PAINT_STRONG, "%6zu  %s, %s of %s: %s", g->count, definition, g->undo ? "undo" : "action",
               step, saga_status_name(g->status));
    fprintf(r->screen.out, "%s%s%s\n", span[0] != '\0' ? ", the oldest started " : "", span,
            span[0] != '\0' ? " ago" : "");
    if (g->message[0] != '\0')
        fprintf(r->screen.out, "        %s\n", screen_clean(&r->screen, g->message, message, sizeof message));
    put_retry(r, g);
}

int run_summary(struct run *r)
{
    struct summary s = {.r = r};
    int status = each_dead_letter(r, true, add_to_summary, &s);
    if (s.count > 0)
        qsort(s.groups, s.count, sizeof *s.groups, more_first);
    if (status == EXIT_DONE && r->o.json) {
        status = put_summary_json(r, &s);
    } else if (status == EXIT_DONE) {
        if (s.sagas == 0)
            fputs("No saga is stuck.\n", r->screen.out);
        else
            fprintf(r->screen.out, "%zu dead letter%s:\n", s.sagas, s.sagas == 1 ? "" : "s");
        for (size_t i = 0; i < s.count; i++)
            put_group(r, &s.groups[i]);
    }
    free(s.groups);
    return status;
}

/* Heartbeats stand in a table of their own. */
static int add_real(void *self, const Saga__V1__Saga *saga)
{
    return saga->synthetic ? EXIT_DONE : add_to_summary(self, saga);
}

int run_letters(struct run *r, unsigned rows_max)
{
    struct summary s = {.r = r};
    int status = each_dead_letter(r, false, add_real, &s);
    if (s.count > 0) {
        qsort(s.groups, s.count, sizeof *s.groups, more_first);
        screen_put(&r->screen, PAINT_DIM, "\n%-40s %9s  %s\n", "DEAD LETTERS AT", "SAGAS", "THE LAST ANSWER");
    }
    for (size_t i = 0; i < s.count && i < rows_max; i++) {
        const struct group *g = &s.groups[i];
        char definition[FIELD], step[FIELD], what[3 * FIELD], said[2 * FIELD];
        snprintf(what, sizeof what, "%s, %s of %s",
                 screen_clean(&r->screen, g->definition, definition, sizeof definition), g->undo ? "undo" : "action",
                 screen_clean(&r->screen, g->step, step, sizeof step));
        screen_cell(&r->screen, PAINT_BAD, what, 40);
        fprintf(r->screen.out, " %9zu  ", g->count);
        story_answer(&r->screen, g->status, g->message, said, sizeof said);
        screen_rest(&r->screen, PAINT_NONE, said, 52);
        fputc('\n', r->screen.out);
    }
    free(s.groups);
    return status;
}

/* ---- retrying many ---- */

struct ids {
    struct run *r;
    char (*ids)[64];
    size_t count;
};

static int add_id(void *self, const Saga__V1__Saga *saga)
{
    struct ids *all = self;
    char(*ids)[64] = realloc(all->ids, (all->count + 1) * sizeof *ids);
    if (ids == NULL)
        return run_say(all->r, EXIT_REFUSED, "there is no memory for the list");
    all->ids = ids;
    snprintf(ids[all->count++], sizeof ids[0], "%s", saga->id);
    return EXIT_DONE;
}

/* All are found before the first is tried, so that one that fails again is not found again. */
int run_retry_all(struct run *r)
{
    struct ids all = {.r = r};
    size_t done = 0;
    int status = each_dead_letter(r, true, add_id, &all);
    if (status != EXIT_DONE) {
        free(all.ids);
        return status;
    }
    for (size_t i = 0; i < all.count && (status == EXIT_DONE || status == EXIT_REFUSED || status == EXIT_NOT_FOUND);
         i++) {
        Saga__V1__RetryRequest request = SAGA__V1__RETRY_REQUEST__INIT;
        ProtobufCMessage *answer;
        request.saga_id = all.ids[i];
        request.actor = r->o.actor;
        if (r->o.step != NULL)
            request.step = (char *)(uintptr_t)r->o.step;
        int this =
            run_call(r, "/saga.v1.Operator/Retry", &request.base, &saga__v1__retry_response__descriptor, &answer);
        if (this == EXIT_DONE) {
            protobuf_c_message_free_unpacked(answer, NULL);
            done++;
        }
        status = this == EXIT_DONE ? status : this;
    }
    if (!r->o.json)
        fprintf(r->screen.out, "%zu of %zu dead letter%s tried again\n", done, all.count, all.count == 1 ? "" : "s");
    else
        json_put(r->screen.out, json_pack("{sIsI}", "retried", (json_int_t)done, "found", (json_int_t)all.count),
                 false);
    free(all.ids);
    return status;
}
