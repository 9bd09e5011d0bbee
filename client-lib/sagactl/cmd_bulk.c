/* cmd_bulk.c - bulk jobs: one act on many dead letters, begun, followed, halted. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/times.h"

#include <string.h>
#include <time.h>

#define FIELD      256
#define SENTENCE   1024
#define LOOK_EVERY INT64_C(1000000000)

#define STATE(name) SAGA__V1__BULK_STATE__BULK_STATE_##name

static const char *const acts[] = {"?", "retry", "skip", "resolve"};
static const char *const states[] = {"?", "RUNNING", "PAUSED", "DONE", "CANCELLED", "FAILED"};

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)(text != NULL ? text : protobuf_c_empty_string);
}

#define WHOSE_SIZE 600

/* What names the journals of a job in a command that is proposed. */
static const char *whose(const struct run *r, char text[WHOSE_SIZE])
{
    char clean[FIELD], word[2 * FIELD];
    snprintf(text, WHOSE_SIZE, "%s", r->o.fleet ? " --fleet" : "");
    if (r->o.journal != NULL)
        snprintf(text, WHOSE_SIZE, " --journal %s",
                 screen_shell_word(screen_clean(&r->screen, r->o.journal, clean, sizeof clean), word, sizeof word));
    return text;
}

/* ---- a job of all loops ---- */

struct job {
    const Saga__V1__BulkJob *first;
    Saga__V1__BulkState state; /* of the loops: one that failed, else one that goes on, else as the first */
    uint64_t examined, acted, refused;
    const char *error;
    double per_second; /* of all together */
    unsigned journals;
    struct instant ended; /* the last; INSTANT_NEVER: it goes on */
};

static bool has_ended(Saga__V1__BulkState state)
{
    return state == STATE(DONE) || state == STATE(CANCELLED) || state == STATE(FAILED);
}

static struct job add_up(const Saga__V1__ListBulksResponse *m, const char *id)
{
    struct job all = {.error = "", .ended = {0}};
    for (size_t i = 0; i < m->n_jobs; i++) {
        const Saga__V1__BulkJob *j = m->jobs[i];
        if (strcmp(j->id, id) != 0)
            continue;
        bool graver = all.first == NULL || j->state == STATE(FAILED) ||
                      (all.state != STATE(FAILED) && has_ended(all.state) && !has_ended(j->state));
        all.first = all.first == NULL ? j : all.first;
        all.state = graver ? j->state : all.state;
        all.error = j->error[0] != '\0' ? j->error : all.error;
        all.examined += j->examined;
        all.acted += j->acted;
        all.refused += j->refused;
        /* Loops of a sidecar each say the whole rate; journals their share. */
        all.per_second = j->journal[0] == '\0' ? j->per_second : all.per_second + (j->loop == 0 ? j->per_second : 0);
        all.journals += j->journal[0] != '\0' && j->loop == 0;
        all.ended = instant_max(all.ended, times_of(j->ended_at));
    }
    return all;
}

static void put_job(const struct run *r, const struct job *j)
{
    const struct screen *s = &r->screen;
    const Saga__V1__BulkJob *m = j->first;
    char id[FIELD], text[SENTENCE], actor[FIELD], span[TIMES_TEXT_SIZE];
    enum paint paint = j->state == STATE(FAILED) ? PAINT_BAD : j->state == STATE(PAUSED) ? PAINT_WARN : PAINT_NONE;
    screen_put(s, PAINT_STRONG, "%s", screen_clean(s, m->id, id, sizeof id));
    fprintf(s->out, "  %s  ", (unsigned)m->act < 4 ? acts[m->act] : "?");
    screen_put(s, paint, "%s", (unsigned)j->state < 6 ? states[j->state] : "?");
    struct instant began = times_of(m->started_at), to = j->ended.us == INSTANT_NEVER.us ? s->now : j->ended;
    fprintf(s->out, ", by %s, %s %s\n", screen_clean(s, m->actor, actor, sizeof actor),
            has_ended(j->state) ? "took" : "for", times_write_span(instant_since(to, began), span));
    if (m->definition[0] != '\0')
        fprintf(s->out, "    of %s\n", screen_clean(s, m->definition, text, sizeof text));
    fputs("    where ", s->out);
    screen_wrap(s, PAINT_NONE, screen_clean(s, m->where, text, sizeof text), 10, 10);
    fprintf(s->out, "    %llu looked at, %llu done", (unsigned long long)j->examined, (unsigned long long)j->acted);
    screen_put(s, j->refused > 0 ? PAINT_WARN : PAINT_NONE, ", %llu refused", (unsigned long long)j->refused);
    fprintf(s->out, "; at most %g a second", j->per_second);
    if (j->journals > 0)
        fprintf(s->out, "; in %u journal%s", j->journals, j->journals == 1 ? "" : "s");
    fputc('\n', s->out);
    if (j->error[0] != '\0') {
        fputs("    ", s->out);
        screen_wrap(s, PAINT_BAD, screen_clean(s, j->error, text, sizeof text), 4, 4);
    }
}

static int ask(struct run *r, const char *id, Saga__V1__ListBulksResponse **answer)
{
    Saga__V1__ListBulksRequest request = SAGA__V1__LIST_BULKS_REQUEST__INIT;
    request.id = text_of(id);
    request.fleet = r->o.fleet;
    request.journal = text_of(r->o.journal);
    r->screen.now = times_now();
    int status =
        run_call(r, "/saga.v1.Operator/ListBulks", &request.base, &saga__v1__list_bulks_response__descriptor, answer);
    if (status == EXIT_DONE)
        run_absent(r, (*answer)->absent, (*answer)->n_absent);
    return status;
}

static int no_job(struct run *r, const char *id)
{
    return run_say(r, EXIT_NOT_FOUND, "there is no bulk job %.100s", id);
}

/* Looks until it has ended, and reports. A job goes on whether somebody looks or not. */
static int follow(struct run *r, const char *id)
{
    Saga__V1__ListBulksResponse *answer;
    char text[WHOSE_SIZE];
    for (bool again = false;; again = true) {
        int status = ask(r, id, &answer);
        if (status != EXIT_DONE)
            return status;
        struct job j = add_up(answer, id);
        bool over = j.first == NULL || has_ended(j.state), counts = r->screen.terminal && !r->o.json;
        if (!over && counts)
            fprintf(r->screen.out, "\r%llu looked at, %llu done, %llu refused ", (unsigned long long)j.examined,
                    (unsigned long long)j.acted, (unsigned long long)j.refused);
        else if (again && counts)
            fputc('\n', r->screen.out);
        if (j.first == NULL)
            status = no_job(r, id);
        else if (over && r->o.json)
            status = run_json(r, &answer->base, false);
        else if (over)
            put_job(r, &j);
        if (over && j.state == STATE(FAILED))
            status = EXIT_REFUSED;
        saga__v1__list_bulks_response__free_unpacked(answer, NULL);
        if (over)
            return status;
        if (r->o.timeout_ms >= 0 && wire_now() + LOOK_EVERY >= r->deadline)
            return run_say(r, EXIT_TIMEOUT, "the job goes on: sagactl bulk %s%s", id, whose(r, text));
        fflush(r->screen.out);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY % 1000000000, .tv_sec = LOOK_EVERY / 1000000000}, NULL);
    }
}

/* ---- deadletters ACT ---- */

/* "retry-20261128T101500-4711" */
static void make_id(const char *act, char id[64])
{
    char when[32];
    time_t seconds = (time_t)(times_now().us / 1000000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(when, sizeof when, "%Y%m%dT%H%M%S", &tm) == 0)
        when[0] = '\0';
    snprintf(id, 64, "%.8s-%.20s-%06u", act, when, (unsigned)(times_now().us % 1000000));
}

int run_bulk(struct run *r)
{
    Saga__V1__StartBulkRequest request = SAGA__V1__START_BULK_REQUEST__INIT;
    Saga__V1__StartBulkResponse *answer;
    char id[64], text[WHOSE_SIZE];
    if (r->o.dry_run)
        return run_summary(r);
    for (unsigned i = 1; i < 4; i++)
        if (strcmp(r->o.words[0], acts[i]) == 0)
            request.act = (Saga__V1__BulkAct)i;
    if (r->o.name == NULL)
        make_id(r->o.words[0], id);
    request.id = r->o.name != NULL ? text_of(r->o.name) : id;
    request.where = text_of(r->o.where);
    request.definition = text_of(r->o.definition);
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    request.per_second = r->o.per_second;
    request.fleet = r->o.fleet;
    request.journal = text_of(r->o.journal);
    int status =
        run_call(r, "/saga.v1.Operator/StartBulk", &request.base, &saga__v1__start_bulk_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    run_absent(r, answer->absent, answer->n_absent);
    saga__v1__start_bulk_response__free_unpacked(answer, NULL);
    if (r->o.wait)
        return follow(r, request.id);
    if (r->o.json)
        return json_put(r->screen.out, json_pack("{ss}", "id", request.id), false) == 0
                   ? EXIT_DONE
                   : run_say(r, EXIT_REFUSED, "it has begun, but there is no memory to say so, or no room");
    whose(r, text);
    fprintf(r->screen.out, "%s has begun. How far it is: sagactl bulk %s%s; to halt it: sagactl bulk %s pause%s\n",
            request.id, request.id, text, request.id, text);
    return EXIT_DONE;
}

/* ---- bulk ---- */

static int change(struct run *r, const char *word)
{
    Saga__V1__ChangeBulkRequest request = SAGA__V1__CHANGE_BULK_REQUEST__INIT;
    Saga__V1__ChangeBulkResponse *answer;
    request.id = r->o.words[0];
    request.actor = r->o.actor;
    request.fleet = r->o.fleet;
    request.journal = text_of(r->o.journal);
    if (strcmp(word, "pause") == 0)
        request.state = STATE(PAUSED);
    else if (strcmp(word, "resume") == 0)
        request.state = STATE(RUNNING);
    else if (strcmp(word, "cancel") == 0)
        request.state = STATE(CANCELLED);
    else
        return run_say(r, EXIT_USAGE, "\"%.100s\" is none of pause, resume, cancel", word);
    int status = run_call(r, "/saga.v1.Operator/ChangeBulk", &request.base, &saga__v1__change_bulk_response__descriptor,
                          &answer);
    if (status != EXIT_DONE)
        return status;
    run_absent(r, answer->absent, answer->n_absent);
    saga__v1__change_bulk_response__free_unpacked(answer, NULL);
    return EXIT_DONE;
}

static bool seen_before(const Saga__V1__ListBulksResponse *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(m->jobs[k]->id, m->jobs[i]->id) == 0)
            return true;
    return false;
}

int command_bulk(struct run *r)
{
    Saga__V1__ListBulksResponse *answer;
    int status = r->o.word_count == 2 ? change(r, r->o.words[1]) : EXIT_DONE;
    if (status != EXIT_DONE)
        return status;
    if (r->o.wait && r->o.word_count > 0)
        return follow(r, r->o.words[0]);
    status = ask(r, r->o.word_count > 0 ? r->o.words[0] : NULL, &answer);
    if (status != EXIT_DONE)
        return status;
    if (answer->n_jobs == 0 && r->o.word_count > 0)
        status = no_job(r, r->o.words[0]);
    else if (r->o.json)
        status = run_json(r, &answer->base, false);
    else if (answer->n_jobs == 0)
        fputs("There is no bulk job.\n", r->screen.out);
    for (size_t i = 0; i < answer->n_jobs && !r->o.json; i++) {
        struct job j = add_up(answer, answer->jobs[i]->id);
        if (!seen_before(answer, i))
            put_job(r, &j);
    }
    saga__v1__list_bulks_response__free_unpacked(answer, NULL);
    return status;
}
