/* cmd_top.c - what goes on right now, again and again: rates, targets, steps that fail, dead letters. */
#include "client-lib/sagactl/guests.h"
#include "client-lib/sagactl/heartbeats.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/targets.h"
#include "client-lib/sagactl/times.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIELD        256
#define REFRESH_NS   INT64_C(2000000000)
#define FIRST_NS     INT64_C(1000000000) /* rates are of two looks: with --once, of a second */
#define ROWS_MAX     12
#define CLEAR_SCREEN "\033[H\033[J"

/* One look, of all loops together. */
struct look {
    Saga__V1__StatusResponse *status; /* owned */
    int64_t at_ns;
    uint64_t started, ended, turned_back, became_stuck, attempts, failed;
    uint64_t live, compensating, stuck, paused;
    struct recent_all sagas;
};

static int take_look(struct run *r, struct look *look)
{
    Saga__V1__StatusRequest request = SAGA__V1__STATUS_REQUEST__INIT;
    *look = (struct look){.status = NULL};
    int code =
        run_call(r, "/saga.v1.Operator/Status", &request.base, &saga__v1__status_response__descriptor, &look->status);
    if (code != EXIT_DONE)
        return code;
    look->at_ns = wire_now();
    for (size_t i = 0; i < look->status->n_loops; i++) {
        const Saga__V1__LoopStatus *l = look->status->loops[i];
        look->started += l->sagas_started;
        look->ended += l->sagas_ended;
        look->turned_back += l->sagas_turned_back;
        look->became_stuck += l->sagas_became_stuck;
        look->attempts += l->attempts;
        look->failed += l->attempts_failed;
        look->live += l->live;
        look->compensating += l->compensating;
        look->stuck += l->stuck;
        look->paused += l->paused;
        recent_all_add(&look->sagas, l->recent_sagas);
    }
    return EXIT_DONE;
}

static void drop_look(struct look *look)
{
    if (look->status != NULL)
        saga__v1__status_response__free_unpacked(look->status, NULL);
    look->status = NULL;
}

/* A second's worth; a sidecar that was restarted counts from nothing. */
static double rate(uint64_t before, uint64_t now, const struct look *a, const struct look *b)
{
    double seconds = (double)(b->at_ns - a->at_ns) / 1e9;
    return now < before || seconds <= 0 ? 0 : (double)(now - before) / seconds;
}

/* ---- the parts of the screen ---- */

static void put_sagas(const struct run *r, const struct look *a, const struct look *b)
{
    const struct screen *s = &r->screen;
    char mean[TIMES_TEXT_SIZE], most[TIMES_TEXT_SIZE], address[600], at[TIMES_TEXT_SIZE], clean[FIELD];
    const char *version = b->status->n_loops > 0 ? b->status->loops[0]->version : "?";
    screen_put(s, PAINT_STRONG, "%s", screen_clean(s, wire_address(r->wire), address, sizeof address));
    fprintf(s->out, "  sagad %s  %s\n", screen_clean(s, version, clean, sizeof clean), times_write(s, s->now, at));
    fprintf(s->out, "sagas       %llu live, %llu going back, ", (unsigned long long)b->live,
            (unsigned long long)b->compensating);
    screen_put(s, b->stuck > 0 ? PAINT_BAD : PAINT_NONE, "%llu stuck", (unsigned long long)b->stuck);
    fprintf(s->out, ", %llu paused\n", (unsigned long long)b->paused);
    fprintf(s->out,
            "a second    %.1f started, %.1f ended, %.1f turned back, %.1f got stuck; %.1f attempts, %.1f failed\n",
            rate(a->started, b->started, a, b), rate(a->ended, b->ended, a, b),
            rate(a->turned_back, b->turned_back, a, b), rate(a->became_stuck, b->became_stuck, a, b),
            rate(a->attempts, b->attempts, a, b), rate(a->failed, b->failed, a, b));
    if (b->sagas.count > 0)
        fprintf(s->out, "5 minutes   %llu ended: %.3g %% committed; %s on average, %s at most\n",
                (unsigned long long)b->sagas.count,
                100.0 * (double)(b->sagas.count - b->sagas.failed) / (double)b->sagas.count,
                times_write_span(b->sagas.mean, mean), times_write_span(b->sagas.most, most));
}

static void put_target(const struct screen *s, const struct target_all *t)
{
    char name[FIELD], places[48], mean[TIMES_TEXT_SIZE], most[TIMES_TEXT_SIZE], said[FIELD];
    const struct recent_all *n = &t->recent;
    screen_cell(s, t->away != NULL ? PAINT_BAD : PAINT_NONE, screen_clean(s, t->first->name, name, sizeof name), 20);
    snprintf(places, sizeof places, "%llu/%llu", (unsigned long long)t->calls, (unsigned long long)t->calls_max);
    double share = n->count == 0 ? 0 : 100.0 / (double)n->count;
    fprintf(s->out, " %9s %7llu %9llu %6.3g%% %6.3g%% %8s %8s  ", places, (unsigned long long)t->waiting,
            (unsigned long long)n->count, share * (double)n->failed, share * (double)n->refused,
            n->count > 0 ? times_write_span(n->mean, mean) : "-", n->count > 0 ? times_write_span(n->most, most) : "-");
    said[0] = '\0';
    if (n->failed > 0 && t->failed_last != NULL)
        story_answer(s, t->failed_last->last_failure_status, t->failed_last->last_failure_message, said, sizeof said);
    screen_rest(s, PAINT_WARN, t->away != NULL ? "cannot be reached" : said, 20 + 66);
    fputc('\n', s->out);
}

static void put_targets(const struct screen *s, const Saga__V1__StatusResponse *m)
{
    if (m->n_loops == 0 || m->loops[0]->n_targets == 0)
        return;
    screen_put(s, PAINT_DIM, "\n%-20s %9s %7s %9s %7s %7s %8s %8s  %s\n", "TARGET", "PLACES", "WAIT", "ATTEMPTS",
               "FAILED", "REFUSED", "MEAN", "MOST", "FAILED LAST WITH");
    size_t count = m->loops[0]->n_targets;
    for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
        struct target_all t = targets_add(m, m->loops[0]->targets[i]->name);
        put_target(s, &t);
    }
    if (count > ROWS_MAX)
        fprintf(s->out, "and %zu more: sagactl status\n", count - ROWS_MAX);
}

static int by_count(const void *a, const void *b)
{
    const Saga__V1__FailingStep *x = *(Saga__V1__FailingStep *const *)a, *y = *(Saga__V1__FailingStep *const *)b;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

/* Those of one loop stand beside those of another: several loops are rare, and the same step then has several lines. */
static void put_failing(const struct screen *s, const Saga__V1__StatusResponse *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->n_loops; i++)
        count += m->loops[i]->n_failing_steps;
    Saga__V1__FailingStep **all = count == 0 ? NULL : malloc(count * sizeof(*all));
    if (all == NULL)
        return;
    size_t at = 0;
    for (size_t i = 0; i < m->n_loops; i++)
        for (size_t k = 0; k < m->loops[i]->n_failing_steps; k++)
            all[at++] = m->loops[i]->failing_steps[k];
    qsort(all, count, sizeof(*all), by_count);
    screen_put(s, PAINT_DIM, "\n%-40s %9s  %s\n", "FAILING STEP", "ATTEMPTS", "THE LAST ANSWER");
    for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
        char name[FIELD], step[FIELD / 2], what[2 * FIELD], said[FIELD];
        snprintf(what, sizeof what, "%s, %s of %s", screen_clean(s, all[i]->definition, name, sizeof name),
                 all[i]->compensation ? "undo" : "action", screen_clean(s, all[i]->step, step, sizeof step));
        story_answer(s, all[i]->last_status, all[i]->last_message, said, sizeof said);
        screen_cell(s, PAINT_NONE, what, 40);
        fprintf(s->out, " %9llu  ", (unsigned long long)all[i]->count);
        screen_rest(s, PAINT_WARN, said, 52);
        fputc('\n', s->out);
    }
    free(all);
}

/* ---- again and again ---- */

static int put_json(struct run *r, const struct look *a, const struct look *b)
{
    json_t *rates =
        json_pack("{sf,sf,sf,sf,sf,sf}", "started", rate(a->started, b->started, a, b), "ended",
                  rate(a->ended, b->ended, a, b), "turned_back", rate(a->turned_back, b->turned_back, a, b),
                  "became_stuck", rate(a->became_stuck, b->became_stuck, a, b), "attempts",
                  rate(a->attempts, b->attempts, a, b), "attempts_failed", rate(a->failed, b->failed, a, b));
    json_t *it = json_pack("{so,so}", "per_second", rates, "status", json_of_message(&b->status->base));
    return json_put(r->screen.out, it, !r->o.once) == 0 ? EXIT_DONE : run_say(r, EXIT_REFUSED, "there is no memory");
}

static int put_look(struct run *r, const struct look *a, const struct look *b)
{
    r->screen.now = times_now();
    if (r->o.json)
        return put_json(r, a, b);
    if (r->screen.terminal && !r->o.once)
        fputs(CLEAR_SCREEN, r->screen.out);
    put_sagas(r, a, b);
    put_targets(&r->screen, b->status);
    put_failing(&r->screen, b->status);
    heartbeats_put(&r->screen, b->status);
    guests_put(&r->screen, b->status);
    int code = b->stuck > 0 ? run_letters(r, ROWS_MAX) : EXIT_DONE;
    if (!r->screen.terminal && !r->o.once)
        fputc('\n', r->screen.out);
    return code;
}

static void sleep_for(int64_t ns)
{
    nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
}

/* A sidecar that was there and is away for a while is looked for again; the screen then says so. */
int command_top(struct run *r)
{
    struct look before, now;
    int code = take_look(r, &before);
    bool was_there = code == EXIT_DONE;
    int64_t wait = FIRST_NS;
    while (code == EXIT_DONE || (code == EXIT_UNREACHABLE && was_there && !r->o.once)) {
        if (r->o.timeout_ms >= 0 && !r->o.once && wire_now() + wait >= r->deadline) {
            code = EXIT_DONE;
            break;
        }
        sleep_for(wait);
        wait = REFRESH_NS;
        code = take_look(r, &now);
        if (code != EXIT_DONE)
            continue;
        code = put_look(r, &before, &now);
        fflush(r->screen.out);
        drop_look(&before);
        before = now;
        if (r->o.once || ferror(r->screen.out) != 0)
            break;
    }
    drop_look(&before);
    return code;
}
