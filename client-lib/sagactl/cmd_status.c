/* cmd_status.c - how the sidecar is, and its targets. */
#include "client-lib/sagactl/guests.h"
#include "client-lib/sagactl/heartbeats.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/targets.h"
#include "client-lib/sagactl/times.h"

#include "sidecar/definition/quantity.h"

#include "grpc/health/v1/health.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define FIELD 256

/* A server that knows no such service has no sidecar's health: it refuses. */
static int ask_health(struct run *r, const char *service, const char **name)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *answer;
    request.service = (char *)(uintptr_t)service;
    int status = run_call(r, "/grpc.health.v1.Health/Check", &request.base,
                          &grpc__health__v1__health_check_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status == EXIT_NOT_FOUND ? EXIT_REFUSED : status;
    *name = (unsigned)answer->status < 4 ? names[answer->status] : "?";
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return EXIT_DONE;
}

/* Of all loops together. */
struct all {
    uint64_t heartbeats, heartbeats_stuck, live, answered, compensating, stuck, paused, bytes, bytes_max, reusable,
        free;
    bool full, stalled;
    struct instant oldest, journal_since, certificate_expires;
};

static struct all add_loops(const Saga__V1__StatusResponse *m)
{
    struct all all = {.oldest = INSTANT_NEVER,
                      .journal_since = INSTANT_NEVER,
                      .certificate_expires = INSTANT_NEVER,
                      .free = UINT64_MAX};
    for (size_t i = 0; i < m->n_loops; i++) {
        const Saga__V1__LoopStatus *l = m->loops[i];
        all.heartbeats += l->synthetics_live;
        all.heartbeats_stuck += l->synthetics_stuck;
        all.live += l->live;
        all.answered += l->answered;
        all.compensating += l->compensating;
        all.stuck += l->stuck;
        all.paused += l->paused;
        all.bytes += l->journal_bytes;
        all.bytes_max += l->journal_bytes_max;
        all.free = l->volume_free_bytes < all.free ? l->volume_free_bytes : all.free;
        all.reusable += l->journal_reusable_bytes;
        all.full |= l->journal_full;
        all.stalled |= l->journal_stalled;
        if (l->oldest_live != NULL)
            all.oldest = instant_min(all.oldest, times_of(l->oldest_live));
        if (l->certificate_expires != NULL)
            all.certificate_expires = instant_min(all.certificate_expires, times_of(l->certificate_expires));
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
        again[QUANTITY_TEXT_SIZE + 32] = "", back[TIMES_TEXT_SIZE + 32] = "";
    if (all->journal_since.us != INSTANT_NEVER.us)
        snprintf(back, sizeof back, ", reaching back %s",
                 times_write_span(instant_since(r->screen.now, all->journal_since), span));
    if (all->reusable > 0) {
        write_size(all->reusable, unused);
        snprintf(again, sizeof again, ", %s of that free again", unused);
    }
    write_size(all->bytes, bytes);
    write_size(all->bytes_max, max);
    write_size(all->free, unused);
    screen_put(&r->screen, all->full ? PAINT_BAD : PAINT_NONE, "journal %s%s%s%s%s, %s free on its volume%s%s\n", bytes,
               all->bytes_max > 0 ? " of " : "", all->bytes_max > 0 ? max : "", again, back, unused,
               all->full ? ": new sagas are refused" : "",
               all->stalled ? ", what has begun waits"
               : all->full  ? ", what has begun goes on"
                            : "");
}

static void put_certificate(struct run *r, const struct all *all)
{
    char span[TIMES_TEXT_SIZE];
    struct instant at = all->certificate_expires;
    if (at.us == INSTANT_NEVER.us)
        return;
    if (instant_before(at, r->screen.now))
        screen_put(&r->screen, PAINT_BAD, "certificate expired %s ago: over TLS nobody comes in\n",
                   times_write_span(instant_since(r->screen.now, at), span));
    else
        fprintf(r->screen.out, "certificate expires in %s\n", times_write_span(instant_since(at, r->screen.now), span));
}

/* The definitions of which starts are refused; every loop tells of each. */
static void put_holds(struct run *r, const Saga__V1__StatusResponse *m)
{
    char name[FIELD], word[FIELD], actor[FIELD], reason[FIELD], span[TIMES_TEXT_SIZE];
    for (size_t i = 0; m->n_loops > 0 && i < m->loops[0]->n_holds; i++) {
        const Saga__V1__Hold *h = m->loops[0]->holds[i];
        screen_clean(&r->screen, h->definition, name, sizeof name);
        snprintf(span, sizeof span, "?");
        if (h->since != NULL)
            times_write_span(instant_since(r->screen.now, times_of(h->since)), span);
        screen_put(&r->screen, PAINT_BAD, "definition %s is held for %s, by %s%s%s: sagactl release %s\n", name, span,
                   screen_clean(&r->screen, h->actor, actor, sizeof actor), h->reason[0] != '\0' ? ", " : "",
                   screen_clean(&r->screen, h->reason, reason, sizeof reason),
                   screen_shell_word(name, word, sizeof word));
    }
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
    put_certificate(r, &all);
    put_holds(r, m);
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
    return json_put(r->screen.out, out, false) == 0
               ? EXIT_DONE
               : run_say(r, EXIT_REFUSED, "the answer cannot be written: no memory, or no room where it goes");
}

int command_status(struct run *r)
{
    Saga__V1__StatusRequest request = SAGA__V1__STATUS_REQUEST__INIT;
    Saga__V1__StatusResponse *answer;
    const char *health;
    int status = ask_health(r, "saga.v1.Coordinator", &health);
    if (status == EXIT_DONE)
        status =
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
