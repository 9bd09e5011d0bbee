/* cmd_night.c - for an operator woken at night: what is stuck, by what it has in common, and retrying it so; how the sidecar is. */
#include "client-lib/sagactl/guests.h"
#include "client-lib/sagactl/heartbeats.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/targets.h"
#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"

#include "sidecar/definition/quantity.h"

#include "grpc/health/v1/health.pb-c.h"

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
        size_t size = strlen(page->next_page_token);
        bool usable = size < sizeof token && (size == 0 || strcmp(page->next_page_token, token) != 0);
        if (usable)
            memcpy(token, page->next_page_token, size + 1);
        protobuf_c_message_free_unpacked(&page->base, NULL);
        if (!usable)
            return run_say(r, EXIT_REFUSED, "the sidecar's token for the next page cannot be used");
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
        *g = (struct group){
            .status = status, .oldest = INSTANT_NEVER, .undo = step != NULL && step->compensation_attempts > 0};
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

static void put_group(struct run *r, const struct group *g)
{
    char definition[FIELD], step[FIELD], message[FIELD], word[FIELD], span[TIMES_TEXT_SIZE] = "";
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
    fprintf(r->screen.out, "        sagactl retry --all --definition %s",
            screen_shell_word(definition, word, sizeof word));
    fprintf(r->screen.out, " --step %s --status %s\n", screen_shell_word(step, word, sizeof word),
            saga_status_name(g->status));
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

int run_letters(struct run *r, unsigned rows_max)
{
    struct summary s = {.r = r};
    int status = each_dead_letter(r, false, add_to_summary, &s);
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

/* ---- status ---- */

static const char *health_of(struct run *r, const char *service)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *answer;
    request.service = (char *)(uintptr_t)service;
    if (run_call(r, "/grpc.health.v1.Health/Check", &request.base, &grpc__health__v1__health_check_response__descriptor,
                 &answer) != EXIT_DONE)
        return NULL;
    const char *name = (unsigned)answer->status < 4 ? names[answer->status] : "?";
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return name;
}

/* Of all loops together. */
struct all {
    uint64_t heartbeats, heartbeats_stuck, live, answered, compensating, stuck, paused, calls, waiting, bytes,
        bytes_max, free;
    bool full;
    struct instant oldest, journal_since;
};

static struct all add_loops(const Saga__V1__StatusResponse *m)
{
    struct all all = {.oldest = INSTANT_NEVER, .journal_since = INSTANT_NEVER, .free = UINT64_MAX};
    for (size_t i = 0; i < m->n_loops; i++) {
        const Saga__V1__LoopStatus *l = m->loops[i];
        all.heartbeats += l->synthetics_live;
        all.heartbeats_stuck += l->synthetics_stuck;
        all.live += l->live;
        all.answered += l->answered;
        all.compensating += l->compensating;
        all.stuck += l->stuck;
        all.paused += l->paused;
        all.calls += l->calls;
        all.waiting += l->calls_waiting;
        all.bytes += l->journal_bytes;
        all.bytes_max += l->journal_bytes_max;
        all.free = l->volume_free_bytes < all.free ? l->volume_free_bytes : all.free;
        all.full |= l->journal_full;
        if (l->oldest_live != NULL)
            all.oldest = instant_min(all.oldest, times_of(l->oldest_live));
        if (l->journal_since != NULL)
            all.journal_since = instant_min(all.journal_since, times_of(l->journal_since));
    }
    return all;
}

/* As people read it: 7.9MiB. */
static void write_size(uint64_t size, char text[QUANTITY_TEXT_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)size;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    snprintf(text, QUANTITY_TEXT_SIZE, "%.*f%s", unit == 0 || value >= 100 ? 0 : 1, value, units[unit]);
}

static void put_journal(struct run *r, const struct all *all)
{
    char bytes[QUANTITY_TEXT_SIZE], max[QUANTITY_TEXT_SIZE], unused[QUANTITY_TEXT_SIZE], span[TIMES_TEXT_SIZE],
        back[TIMES_TEXT_SIZE + 32] = "";
    if (all->journal_since.us != INSTANT_NEVER.us)
        snprintf(back, sizeof back, ", reaching back %s",
                 times_write_span(instant_since(r->screen.now, all->journal_since), span));
    write_size(all->bytes, bytes);
    write_size(all->bytes_max, max);
    write_size(all->free, unused);
    screen_put(&r->screen, all->full ? PAINT_BAD : PAINT_NONE, "journal %s%s%s%s, %s free on its volume%s\n", bytes,
               all->bytes_max > 0 ? " of " : "", all->bytes_max > 0 ? max : "", back, unused,
               all->full ? ": new sagas are refused" : "");
}

/* A target is one line, whatever the number of loops; it is away when some loop cannot reach it. */
static void put_targets(struct run *r, const Saga__V1__StatusResponse *m)
{
    char name[FIELD], address[600], span[TIMES_TEXT_SIZE];
    for (size_t i = 0; m->n_loops > 0 && i < m->loops[0]->n_targets; i++) {
        const Saga__V1__TargetStatus *t = m->loops[0]->targets[i], *away = NULL;
        uint64_t calls = 0, calls_max = 0, waiting = 0, deferred = 0;
        for (size_t k = 0; k < m->n_loops; k++)
            for (size_t n = 0; n < m->loops[k]->n_targets; n++) {
                const Saga__V1__TargetStatus *other = m->loops[k]->targets[n];
                if (strcmp(other->name, t->name) != 0)
                    continue;
                calls += other->calls;
                calls_max += other->calls_max;
                waiting += other->waiting;
                deferred += other->deferred;
                away = other->unreachable ? other : away;
            }
        fprintf(r->screen.out, "target %s at %s: ", screen_clean(&r->screen, t->name, name, sizeof name),
                screen_clean(&r->screen, t->address, address, sizeof address));
        if (away != NULL && away->unreachable_for != NULL)
            screen_put(&r->screen, PAINT_BAD, "cannot be reached for %s, ",
                       times_write_span((struct span){.us = away->unreachable_for->seconds * 1000000 +
                                                            away->unreachable_for->nanos / 1000},
                                        span));
        fprintf(r->screen.out, "%llu of %llu calls in flight, %llu wait", (unsigned long long)calls,
                (unsigned long long)calls_max, (unsigned long long)waiting);
        if (deferred > 0)
            fprintf(r->screen.out, ", %llu of them deferred", (unsigned long long)deferred);
        fputc('\n', r->screen.out);
    }
}

/* The definitions that are bounded, of all loops together: the first loop tells their names. */
static void put_limits(struct run *r, const Saga__V1__StatusResponse *m)
{
    char name[FIELD], most[32], starts[64];
    for (size_t i = 0; m->n_loops > 0 && i < m->loops[0]->n_definition_limits; i++) {
        const char *definition = m->loops[0]->definition_limits[i]->definition;
        uint64_t live = 0, live_max = 0, per_second = 0;
        for (size_t k = 0; k < m->n_loops; k++)
            for (size_t n = 0; n < m->loops[k]->n_definition_limits; n++) {
                const Saga__V1__DefinitionLimit *l = m->loops[k]->definition_limits[n];
                bool same = strcmp(l->definition, definition) == 0;
                live += same ? l->live : 0;
                live_max += same ? l->live_max : 0;
                per_second += same ? l->starts_per_second : 0;
            }
        if (live_max > 0)
            snprintf(most, sizeof most, " of %llu", (unsigned long long)live_max);
        if (per_second > 0)
            snprintf(starts, sizeof starts, ", at most %llu start in a second", (unsigned long long)per_second);
        screen_put(&r->screen, live_max > 0 && live >= live_max ? PAINT_BAD : PAINT_NONE,
                   "definition %s: %llu%s live%s\n", screen_clean(&r->screen, definition, name, sizeof name),
                   (unsigned long long)live, live_max > 0 ? most : "", per_second > 0 ? starts : "");
    }
}

static void put_status(struct run *r, const char *health, const Saga__V1__StatusResponse *m)
{
    char span[TIMES_TEXT_SIZE], address[600], version[FIELD];
    struct all all = add_loops(m);
    size_t guests = 0;
    for (size_t i = 0; i < m->n_loops; i++)
        guests += m->loops[i]->journal[0] != '\0';
    screen_clean(&r->screen, wire_address(r->wire), address, sizeof address);
    screen_clean(&r->screen, m->n_loops > 0 ? m->loops[0]->version : "?", version, sizeof version);
    fprintf(r->screen.out, "%s is ", address);
    screen_put(&r->screen, strcmp(health, "SERVING") == 0 ? PAINT_GOOD : PAINT_BAD, "%s", health);
    fprintf(r->screen.out, ": sagad %s, %zu loop%s", version, m->n_loops - guests, m->n_loops - guests == 1 ? "" : "s");
    if (guests > 0)
        fprintf(r->screen.out, ", %zu journal%s taken over", guests, guests == 1 ? "" : "s");
    fputc('\n', r->screen.out);
    fprintf(r->screen.out, "%8llu running\n%8llu compensating\n",
            (unsigned long long)(all.live - all.compensating - all.stuck), (unsigned long long)all.compensating);
    screen_put(&r->screen, all.stuck > 0 ? PAINT_BAD : PAINT_NONE, "%8llu stuck%s\n", (unsigned long long)all.stuck,
               all.stuck > 0 ? ": sagactl deadletters --summary" : "");
    fprintf(r->screen.out, "%8llu paused%s\n", (unsigned long long)all.paused,
            all.paused > 0 ? ": sagactl list --state paused" : "");
    if (all.answered > 0)
        fprintf(r->screen.out, "%8llu of them answered, with deferred steps left: sagactl list --where deferred\n",
                (unsigned long long)all.answered);
    if (all.oldest.us != INSTANT_NEVER.us)
        fprintf(r->screen.out, "The oldest of them was started %s ago.\n",
                times_write_span(instant_since(r->screen.now, all.oldest), span));
    if (all.heartbeats > 0)
        screen_put(&r->screen, all.heartbeats_stuck > 0 ? PAINT_BAD : PAINT_NONE,
                   "Beside them %llu heartbeat%s live, %llu stuck: sagactl list --state live --where synthetic\n",
                   (unsigned long long)all.heartbeats, all.heartbeats == 1 ? "" : "s",
                   (unsigned long long)all.heartbeats_stuck);
    put_journal(r, &all);
    put_limits(r, m);
    put_targets(r, m);
    heartbeats_put(&r->screen, m);
    guests_put(&r->screen, m);
}

/* The counts of all loops together, and what the sidecar says of each. */
static int put_status_json(struct run *r, const char *health, const Saga__V1__StatusResponse *m)
{
    struct all all = add_loops(m);
    json_t *said = json_of_message(&m->base);
    if (said == NULL)
        return run_say(r, EXIT_REFUSED, "there is no memory for the answer");
    json_t *out =
        json_pack("{sssssIsIsIsI}", "address", wire_address(r->wire), "health", health, "running",
                  (json_int_t)(all.live - all.compensating - all.stuck), "compensating", (json_int_t)all.compensating,
                  "stuck", (json_int_t)all.stuck, "paused", (json_int_t)all.paused);
    json_object_update_new(out, said);
    return json_put(r->screen.out, out, false) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

int command_status(struct run *r)
{
    Saga__V1__StatusRequest request = SAGA__V1__STATUS_REQUEST__INIT;
    Saga__V1__StatusResponse *answer;
    const char *health = health_of(r, "saga.v1.Coordinator");
    if (health == NULL)
        return r->failure.code == SAGA_E_UNAVAILABLE ? EXIT_UNREACHABLE : EXIT_REFUSED;
    int status =
        run_call(r, "/saga.v1.Operator/Status", &request.base, &saga__v1__status_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json)
        status = put_status_json(r, health, answer);
    else
        put_status(r, health, answer);
    saga__v1__status_response__free_unpacked(answer, NULL);
    return status;
}

/* ---- targets ---- */

int command_targets(struct run *r)
{
    Saga__V1__StatusRequest request = SAGA__V1__STATUS_REQUEST__INIT;
    Saga__V1__StatusResponse *answer;
    int status =
        run_call(r, "/saga.v1.Operator/Status", &request.base, &saga__v1__status_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json) {
        status = run_json(r, &answer->base, false);
    } else if (r->o.word_count > 0) {
        targets_put(&r->screen, answer, r->o.words[0]);
    } else {
        for (size_t i = 0; answer->n_loops > 0 && i < answer->loops[0]->n_targets; i++)
            targets_put(&r->screen, answer, answer->loops[0]->targets[i]->name);
    }
    saga__v1__status_response__free_unpacked(answer, NULL);
    return status;
}
