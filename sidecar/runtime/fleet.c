/* fleet.c - guests: the journals of others that this sidecar looks after.
 *
 * Who does what: the fleet's thread looks at the database, begins guests and ends them. A guest's thread opens a sidecar within this one, with the
 * same configuration and the other's journal, and turns it. Loop 0 sends requests to those that serve. A guest that ends goes on reading what it
 * is asked, and refuses it, until loop 0 has said that it asks no more and has heard the last answer. */
#include "sidecar/runtime/fleet.h"

#include "sidecar/api/view.h"
#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"
#include "sidecar/journal/postgres/postgres_fleet.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/finder.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/loop_inside.h"
#include "sidecar/runtime/reload.h"
#include "sidecar/runtime/sidecar.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/trust.h"
#include "sidecar/shard/adopt.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* How often guests are looked at. */
#define LOOK_EVERY SPAN_MS(500)
/* What somebody asks for is looked at this often, however often it is asked for. */
#define LOOK_ASKED SPAN_MS(200)
/* A journal that could not be opened, or went on badly, is left to others for so long; after trouble with the database itself, for so long. */
#define FAILED_FOR SPAN_S(60)
#define AWAY_FOR   SPAN_S(2)
#define FAILED_MAX 64
/* How soon the next piece of a journal goes that was removed. */
#define SWEEP_BUSY SPAN_S(1)
/* A guest that ends reads what it is asked this often. */
#define LINGER_POLL SPAN_MS(20)

enum guest_state {
    GUEST_NONE,    /* no thread */
    GUEST_OPENING, /* its sidecar is being opened */
    GUEST_SERVING, /* may be asked */
    GUEST_ENDING,  /* is asked no more, once loop 0 has seen it */
    GUEST_OVER,    /* its thread is to be joined */
};

struct guest {
    struct fleet *fleet;
    struct adopted adopted;
    char journal[JOURNAL_NAME_SIZE];
    pthread_t thread;
    atomic_int state;
    atomic_bool unasked; /* loop 0 asks no more */
    atomic_uint asks;    /* that loop 0 has not heard the last of */
    struct config *config;
    struct sidecar *sidecar; /* in the mutex while it is given or taken back */
    bool stop;               /* in the mutex */
    int failed;              /* how it ended; for who has joined its thread */
    struct loop *loop;       /* loop 0's: while it is asked */
    /* The fleet's thread's own. */
    struct instant began, idle_since;
    bool lasted, wanted;
};

struct failed_journal {
    char journal[JOURNAL_NAME_SIZE];
    struct instant until;
};

struct fleet {
    struct sidecar *home;
    const char *file;
    char own[JOURNAL_NAME_SIZE];
    struct postgres_fleet *db;
    struct finder *finder;
    struct transport_credentials credentials; /* of calls of other sidecars */
    struct finder_found found;                /* loop 0's: what was told last */
    struct relay_journal all[FINDER_ALL_MAX]; /* likewise */
    struct clock clock;
    pthread_t thread;
    pthread_mutex_t mutex; /* of the next two, and of what a guest says */
    pthread_cond_t changed;
    bool stop;
    char wished[JOURNAL_NAME_SIZE]; /* in the mutex: a journal that somebody asks for, and nobody has; "": none */
    struct guest guests[FLEET_TAKEOVERS_MAX];
    /* The thread's own. */
    struct failed_journal failed[FAILED_MAX];
    unsigned next_failed;
    uint64_t held;
    char chosen[JOURNAL_NAME_SIZE];
    bool asked;                 /* what is looked for somebody asks for */
    struct fleet_row abandoned; /* with texts that are gone */
    bool told_away;
    struct instant steady_since; /* since when the database has answered without a break */
};

/* ---- a guest ---- */

static bool has_target(void *self, const char *name, size_t size)
{
    const struct config *config = ((const struct fleet *)self)->home->config;
    for (size_t i = 0; i < config->target_count; i++)
        if (strlen(config->targets[i].name) == size && memcmp(config->targets[i].name, name, size) == 0)
            return true;
    return false;
}

static void set_state(struct guest *g, enum guest_state state)
{
    atomic_store(&g->state, state);
    rpc_wake(g->fleet->home->rooms[0]);
}

/* Gives its sidecar to those who may stop it. Returns false when it is to stop at once. */
static bool show(struct guest *g, struct sidecar *sidecar)
{
    pthread_mutex_lock(&g->fleet->mutex);
    g->sidecar = sidecar;
    bool stop = g->stop;
    pthread_mutex_unlock(&g->fleet->mutex);
    return !stop;
}

static void serve(struct guest *g, struct sidecar *sidecar)
{
    struct error_detail detail;
    log_event(LOG_LEVEL_WARN, "a journal is taken over: its sagas go on here", LOG_TEXT("journal", g->journal),
              LOG_NUMBER("live_sagas", engine_counts(core_engine(sidecar->loops[0]->core)).live));
    if (show(g, sidecar)) {
        set_state(g, GUEST_SERVING);
        int code = g->failed = sidecar_run(sidecar, &detail);
        show(g, NULL);
        if (code != 0)
            log_event(LOG_LEVEL_WARN, "a journal that was taken over is lost again: its sagas go on elsewhere",
                      LOG_TEXT("journal", g->journal), LOG_TEXT("reason", error_row(code)->reason),
                      LOG_TEXT("text", detail.text));
        else
            log_event(LOG_LEVEL_INFO, "a journal that was taken over is given up", LOG_TEXT("journal", g->journal));
        set_state(g, GUEST_ENDING);
        while (!atomic_load(&g->unasked) || atomic_load(&g->asks) > 0)
            rpc_poll(sidecar->rooms[0], LINGER_POLL);
    }
    show(g, NULL);
    sidecar_close(sidecar);
}

static void *run_guest(void *self)
{
    struct guest *g = self;
    struct sidecar *sidecar;
    struct error_detail detail;
    int code = config_read(g->fleet->file, &g->config, &detail);
    if (code == 0)
        code = sidecar_open_guest(g->config, &g->adopted, &sidecar, &detail);
    if (code == 0)
        serve(g, sidecar);
    else if (code != E_JOURNAL_LOCKED) /* another was quicker */
        log_event(LOG_LEVEL_ERROR, "a journal cannot be taken over", LOG_TEXT("journal", g->journal),
                  LOG_TEXT("reason", error_row(code)->reason), LOG_TEXT("text", detail.text));
    config_destroy(g->config);
    g->config = NULL;
    if (code != 0)
        g->failed = code;
    pthread_mutex_lock(&g->fleet->mutex);
    atomic_store(&g->state, GUEST_OVER);
    pthread_cond_broadcast(&g->fleet->changed);
    pthread_mutex_unlock(&g->fleet->mutex);
    return NULL;
}

static void stop_guest(struct guest *g)
{
    pthread_mutex_lock(&g->fleet->mutex);
    g->stop = true;
    if (g->sidecar != NULL)
        sidecar_stop(g->sidecar);
    pthread_mutex_unlock(&g->fleet->mutex);
}

/* ---- the fleet's thread ---- */

static bool stops(void *self)
{
    struct fleet *f = self;
    pthread_mutex_lock(&f->mutex);
    bool stop = f->stop;
    pthread_mutex_unlock(&f->mutex);
    return stop;
}

static bool has_failed(const struct fleet *f, const char *journal, struct instant now)
{
    for (unsigned i = 0; i < FAILED_MAX; i++)
        if (strcmp(f->failed[i].journal, journal) == 0 && instant_before(now, f->failed[i].until))
            return true;
    return false;
}

static void note_failed(struct fleet *f, const char *journal, int code, struct instant now)
{
    struct failed_journal *at = &f->failed[f->next_failed++ % FAILED_MAX];
    bool away = code == E_JOURNAL || code == E_JOURNAL_AWAY;
    snprintf(at->journal, sizeof at->journal, "%s", journal);
    at->until = instant_after(now, away ? AWAY_FOR : FAILED_FOR);
}

static struct guest *find_guest(struct fleet *f, const char *journal)
{
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        if (atomic_load(&f->guests[i].state) != GUEST_NONE && strcmp(f->guests[i].journal, journal) == 0)
            return &f->guests[i];
    return NULL;
}

/* The first that fits: they come in no order, so that several sidecars share them out. */
static void consider(void *self, const struct fleet_row *row)
{
    struct fleet *f = self;
    const struct adopt_offer offer = {.needs = row->needs,
                                      .live = row->live,
                                      .tries = row->tries,
                                      .given_up = !row->held,
                                      .wanted = row->wanted,
                                      .asked = f->asked,
                                      .steady = instant_since(clock_now(&f->clock), f->steady_since)};
    bool free = !row->held || row->lease_ms <= 0;
    if (free && f->chosen[0] == '\0' && adopt_may_take(&offer, has_target, f) && find_guest(f, row->name) == NULL &&
        !has_failed(f, row->name, clock_now(&f->clock)))
        snprintf(f->chosen, sizeof f->chosen, "%s", row->name);
}

static void begin_guest(struct fleet *f, struct guest *g, const char *journal, struct instant now)
{
    snprintf(g->journal, sizeof g->journal, "%s", journal);
    g->adopted = (struct adopted){.journal = g->journal, .metrics = f->home->guest_metrics[g - f->guests]};
    g->began = now;
    g->idle_since = (struct instant){0};
    g->lasted = g->wanted = false;
    g->failed = 0;
    pthread_mutex_lock(&f->mutex);
    bool over = f->stop; /* who ends the guests has been here, and does not come again */
    if (!over) {
        g->stop = false;
        g->sidecar = NULL;
        atomic_store(&g->unasked, false);
        atomic_store(&g->state, GUEST_OPENING);
    }
    pthread_mutex_unlock(&f->mutex);
    if (over)
        return;
    if (pthread_create(&g->thread, NULL, run_guest, g) == 0)
        return;
    log_say(LOG_LEVEL_ERROR, "a journal cannot be taken over: no thread can be had");
    atomic_store(&g->state, GUEST_NONE);
    note_failed(f, journal, E_SYSTEM, now);
}

/* Where another guest may be; NULL: there are as many as may be. */
static struct guest *free_guest(struct fleet *f)
{
    struct guest *found = NULL;
    unsigned taken = 0;
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++) {
        bool none = atomic_load(&f->guests[i].state) == GUEST_NONE;
        taken += !none;
        found = found == NULL && none ? &f->guests[i] : found;
    }
    return taken < f->home->config->fleet_takeovers_max ? found : NULL;
}

static void tell_away(struct fleet *f, int code, const struct error_detail *detail)
{
    if (code != 0 && !f->told_away)
        log_event(LOG_LEVEL_WARN, "the fleet's journals cannot be looked at", LOG_TEXT("why", detail->text));
    f->told_away = code != 0;
    if (code != 0)
        f->steady_since = INSTANT_NEVER;
    else if (f->steady_since.us == INSTANT_NEVER.us)
        f->steady_since = clock_now(&f->clock);
}

/* Looks for one journal that nobody has: for the one that is asked for, or ("") for any. */
static void look_for_orphan(struct fleet *f, const char *asked)
{
    struct error_detail detail;
    struct guest *g = free_guest(f);
    if (g == NULL)
        return;
    f->chosen[0] = '\0';
    f->asked = asked[0] != '\0';
    if (postgres_fleet_is_anew(f->db)) /* it was away since the last look */
        f->steady_since = clock_now(&f->clock);
    int code = f->asked ? postgres_fleet_of_name(f->db, asked, consider, f, &detail)
                        : postgres_fleet_orphans(f->db, f->own, consider, f, &f->held, &detail);
    tell_away(f, code, &detail);
    if (code == 0 && f->chosen[0] != '\0')
        begin_guest(f, g, f->chosen, clock_now(&f->clock));
}

/* Whether there was one. */
static bool look_for_wished(struct fleet *f)
{
    char wished[JOURNAL_NAME_SIZE];
    pthread_mutex_lock(&f->mutex);
    memcpy(wished, f->wished, sizeof wished);
    f->wished[0] = '\0';
    pthread_mutex_unlock(&f->mutex);
    if (wished[0] != '\0' && find_guest(f, wished) == NULL)
        look_for_orphan(f, wished);
    return wished[0] != '\0';
}

static void note_abandoned(void *self, const struct fleet_row *row)
{
    struct fleet *f = self;
    const struct adopt_offer offer = {
        .live = row->live, .tries = row->tries, .given_up = !row->held, .wanted = row->wanted, .needs = row->needs};
    if (!adopt_may_remove(&offer, (struct span){.us = -row->lease_ms * 1000}, f->home->config->retention))
        return;
    snprintf(f->chosen, sizeof f->chosen, "%s", row->name);
    f->abandoned = *row;
}

/* Removes one journal that nobody came back to, and a piece of what is left of such a one. Returns whether there may be more. */
static bool look_for_abandoned(struct fleet *f)
{
    struct error_detail detail;
    struct span kept = span_max(f->home->config->retention, ADOPT_KEPT_MIN);
    bool removed = false, more = false;
    f->chosen[0] = '\0';
    int code = postgres_fleet_abandoned(f->db, f->own, kept, note_abandoned, f, &detail);
    if (code == 0 && f->chosen[0] != '\0')
        code = postgres_fleet_remove(f->db, f->abandoned.id, f->abandoned.epoch, kept, &removed, &detail);
    if (removed)
        log_event(LOG_LEVEL_INFO, "a journal is removed that nobody came back to, and in which all had ended",
                  LOG_TEXT("journal", f->chosen), LOG_NUMBER("alone_s", -f->abandoned.lease_ms / 1000));
    if (code == 0)
        code = postgres_fleet_sweep(f->db, f->home->config->audit_retention, &more, &detail);
    tell_away(f, code, &detail);
    return code == 0 && (removed || more);
}

static void note_wanted(void *self, const struct fleet_row *row)
{
    struct guest *g = find_guest(self, row->name);
    if (g != NULL)
        g->wanted = g->wanted || row->wanted;
}

/* Whether there are any. */
static bool look_at_guests(struct fleet *f)
{
    struct error_detail detail;
    struct instant now = clock_now(&f->clock);
    bool any = false;
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++) {
        struct guest *g = &f->guests[i];
        int state = atomic_load(&g->state);
        if (state == GUEST_OVER) {
            pthread_join(g->thread, NULL);
            /* One whom another was before, or who has taken it from us, goes on with it. */
            if (g->failed != 0 && g->failed != E_JOURNAL_LOCKED && g->failed != E_JOURNAL_FENCED)
                note_failed(f, g->journal, g->failed, now);
            atomic_store(&g->state, GUEST_NONE);
        }
        any |= state != GUEST_NONE && state != GUEST_OVER;
    }
    if (!any)
        return false;
    tell_away(f, postgres_fleet_guests(f->db, f->own, note_wanted, f, &detail), &detail);
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++) {
        struct guest *g = &f->guests[i];
        if (atomic_load(&g->state) != GUEST_SERVING)
            continue;
        pthread_mutex_lock(&f->mutex);
        uint64_t live = g->sidecar == NULL ? 1 : atomic_load(&g->sidecar->loops[0]->live);
        pthread_mutex_unlock(&f->mutex);
        if (live != 0)
            g->idle_since = (struct instant){0};
        else if (g->idle_since.us == 0)
            g->idle_since = now;
        if (adopt_gives_up(g->wanted, g->idle_since, now))
            stop_guest(g);
        if (!g->lasted && instant_before(instant_after(g->began, ADOPT_LASTING), now))
            g->lasted = postgres_fleet_lasted(f->db, f->own, g->journal, &detail) == 0;
    }
    return true;
}

/* Until then, or until somebody asks for something where that counts. Returns false when it is to end. */
static bool pause_for(struct fleet *f, struct span wait, bool wishes)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait.us % 1000000 * 1000;
    until.tv_sec += (time_t)(wait.us / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&f->mutex);
    while (!f->stop && (!wishes || f->wished[0] == '\0') &&
           pthread_cond_timedwait(&f->changed, &f->mutex, &until) != ETIMEDOUT)
        ;
    bool stop = f->stop;
    pthread_mutex_unlock(&f->mutex);
    return !stop;
}

static uint64_t chance_of(void)
{
    uint64_t chance;
    return getrandom(&chance, sizeof chance, 0) == (ssize_t)sizeof chance ? chance : 0;
}

static void *watch(void *self)
{
    struct fleet *f = self;
    struct instant next = clock_now(&f->clock), next_sweep = next;
    for (;;) {
        struct instant now = clock_now(&f->clock);
        bool any = look_at_guests(f);
        bool asked = look_for_wished(f);
        if (!instant_before(now, next)) {
            look_for_orphan(f, "");
            next = instant_after(now, adopt_pause(f->held, chance_of()));
        }
        if (!instant_before(now, next_sweep)) {
            bool more = look_for_abandoned(f);
            next_sweep = instant_after(now, more ? SWEEP_BUSY : adopt_sweep_pause(f->held, chance_of()));
        }
        struct span wait = instant_since(instant_min(next, next_sweep), now);
        if ((asked && !pause_for(f, LOOK_ASKED, false)) || !pause_for(f, any ? span_min(wait, LOOK_EVERY) : wait, true))
            break;
    }
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        if (atomic_load(&f->guests[i].state) != GUEST_NONE)
            pthread_join(f->guests[i].thread, NULL);
    return NULL;
}

/* ---- loop 0 ---- */

#define LABELS(text) ((struct metric_labels){{bytes_of_text(text)}})
static const enum metric guest_gauges[] = {METRIC_GUEST_LIVE,         METRIC_GUEST_COMPENSATING,
                                           METRIC_GUEST_STUCK,        METRIC_GUEST_OLDEST,
                                           METRIC_GUEST_OLDEST_STUCK, METRIC_GUEST_OLDEST_DEFERRED};

static int attach(struct loop *s, struct guest *g, unsigned place)
{
    struct sidecar *home = s->sidecar;
    const struct tags *tags = &g->sidecar->tags;
    for (size_t i = 0; i < tags->count; i++)
        if (tags_add(&home->tags, &heap, tags->all[i].tag, place) != 0)
            return E_MEMORY;
    home->rooms[place] = g->sidecar->rooms[0];
    home->places = 1 + FLEET_TAKEOVERS_MAX;
    g->loop = g->sidecar->loops[0];
    metrics_add(s->vitals.metrics, METRIC_TAKEOVERS, METRIC_NO_LABELS, 1);
    return 0;
}

static void detach(struct loop *s, unsigned place)
{
    struct sidecar *home = s->sidecar;
    struct guest *g = &home->fleet->guests[place - 1];
    g->loop = NULL;
    for (unsigned i = 0; i < sizeof guest_gauges / sizeof *guest_gauges; i++)
        metrics_unset(s->vitals.metrics, guest_gauges[i], LABELS(g->journal));
    home->rooms[place] = NULL;
    tags_drop(&home->tags, place);
    home->places = 1;
    for (unsigned k = 1; k <= FLEET_TAKEOVERS_MAX; k++)
        if (home->rooms[k] != NULL)
            home->places = 1 + FLEET_TAKEOVERS_MAX;
}

void fleet_turn(struct loop *s)
{
    struct fleet *f = s->sidecar->fleet;
    if (f == NULL)
        return;
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++) {
        struct guest *g = &f->guests[i];
        int state = atomic_load(&g->state);
        if (state == GUEST_SERVING && s->sidecar->rooms[i + 1] == NULL) {
            pthread_mutex_lock(&f->mutex);
            bool there = g->sidecar != NULL;
            bool failed = there && attach(s, g, i + 1) != 0;
            pthread_mutex_unlock(&f->mutex);
            if (failed)
                stop_guest(g);
        } else if (state == GUEST_ENDING && !atomic_load(&g->unasked)) {
            detach(s, i + 1);
            atomic_store(&g->unasked, true);
        }
    }
}

static double age(const _Atomic int64_t *started_us, struct instant now)
{
    int64_t us = atomic_load(started_us);
    return us == 0 ? 0 : (double)(now.us - us) / 1e6;
}

void fleet_count(struct loop *s, struct instant now)
{
    struct fleet *f = s->sidecar->fleet;
    struct metrics *m = s->vitals.metrics;
    unsigned guests = 0;
    for (unsigned i = 0; f != NULL && i < FLEET_TAKEOVERS_MAX; i++) {
        const struct loop *there = f->guests[i].loop;
        if (there == NULL)
            continue;
        const char *journal = f->guests[i].journal;
        guests++;
        metrics_set(m, METRIC_GUEST_LIVE, LABELS(journal), (double)atomic_load(&there->real_live));
        metrics_set(m, METRIC_GUEST_COMPENSATING, LABELS(journal), (double)atomic_load(&there->compensating));
        metrics_set(m, METRIC_GUEST_STUCK, LABELS(journal), (double)atomic_load(&there->stuck));
        metrics_set(m, METRIC_GUEST_OLDEST, LABELS(journal), age(&there->oldest_us, now));
        metrics_set(m, METRIC_GUEST_OLDEST_STUCK, LABELS(journal), age(&there->oldest_stuck_us, now));
        metrics_set(m, METRIC_GUEST_OLDEST_DEFERRED, LABELS(journal), age(&there->oldest_deferred_us, now));
    }
    if (f != NULL)
        metrics_set(m, METRIC_GUESTS, METRIC_NO_LABELS, guests);
}

void fleet_asked(void *self, unsigned place, int change)
{
    struct loop *s = self;
    struct fleet *f = s->sidecar->fleet;
    if (f == NULL || place == 0)
        return;
    CHECK(place <= FLEET_TAKEOVERS_MAX);
    atomic_fetch_add(&f->guests[place - 1].asks, (unsigned)change);
}

/* The place of a guest that serves; 0: none. */
static unsigned place_of(const struct loop *s, const char *journal)
{
    struct fleet *f = s->sidecar->fleet;
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        if (s->sidecar->rooms[i + 1] != NULL && strcmp(f->guests[i].journal, journal) == 0)
            return i + 1;
    return 0;
}

/* What nobody has may be asked for, also if nothing lives in it: the thread looks at it at once. */
static void wish(struct fleet *f, const char *journal)
{
    pthread_mutex_lock(&f->mutex);
    snprintf(f->wished, sizeof f->wished, "%s", journal);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

int fleet_find(void *self, const struct relay_key *key, struct relay_place *out, struct error_detail *detail)
{
    struct loop *s = self;
    struct fleet *f = s->sidecar->fleet;
    struct finder_found *found = &f->found;
    char text[sizeof detail->text];
    *out = (struct relay_place){.place = 0};
    int code = key->request_id.size > 0 ? finder_request(f->finder, key->request_id, key->claims, found)
                                        : finder_tag(f->finder, key->tag, found);
    if (code == E_JOURNAL_AWAY)
        return error_set(detail, code, "", "the database does not tell where the saga is");
    if (code == E_QUEUE)
        return error_set(detail, code, "", "too many requests wait to hear where their sagas are");
    if (code != 0 || !found->known || strcmp(found->journal, f->own) == 0)
        return code;
    if ((out->place = place_of(s, found->journal)) != 0)
        return 0;
    if (found->held && found->address[0] != '\0' && strcmp(found->carrier, f->own) != 0) {
        out->address = found->address;
        out->credentials = &f->credentials;
        return 0;
    }
    if (!found->held)
        wish(f, found->journal);
    snprintf(text, sizeof text,
             found->held && strcmp(found->carrier, f->own) != 0
                 ? "it lives in the journal %.120s, which a sidecar has that tells no fleet_address"
                 : "it lives in the journal %.120s, which is being taken over",
             found->journal);
    return error_set(detail, E_SAGA_AWAY, "", text);
}

int fleet_all(void *self, const struct relay_journal **out, unsigned *count, struct error_detail *detail)
{
    struct loop *s = self;
    struct fleet *f = s->sidecar->fleet;
    const struct finder_journal *list;
    int code = finder_all(f->finder, &list, count);
    if (code != 0)
        return code == STORE_PENDING
                   ? code
                   : error_set(detail, code, "", "the database does not tell which journals there are");
    for (unsigned i = 0; i < *count; i++) {
        const struct finder_journal *j = &list[i];
        bool own = strcmp(j->name, f->own) == 0;
        unsigned guest = place_of(s, j->name);
        f->all[i] = (struct relay_journal){.id = j->id,
                                           .name = j->name,
                                           .carrier = j->carrier,
                                           .address = j->address,
                                           .live = j->live,
                                           .held = j->held && j->lease_ms > 0 &&
                                                   (guest != 0 || strcmp(j->carrier, f->own) != 0),
                                           .given_up = !j->held,
                                           .place = own          ? 0
                                                    : guest != 0 ? (int)guest
                                                                 : -1};
    }
    *out = f->all;
    return 0;
}

const struct transport_credentials *fleet_credentials(void *self)
{
    return &((struct loop *)self)->sidecar->fleet->credentials;
}

void fleet_wish(void *self, const char *journal)
{
    wish(((struct loop *)self)->sidecar->fleet, journal);
}

static int no_fleet(struct error_detail *detail)
{
    return error_set(detail, E_NO_FLEET, "", NULL);
}

static bool view_journal(struct arena *a, const struct finder_journal *j, Saga__V1__Journal **out)
{
    Saga__V1__Journal *m = *out = arena_take(a, sizeof *m);
    if (m == NULL)
        return false;
    saga__v1__journal__init(m);
    m->name = arena_text(a, bytes_of_text(j->name));
    m->carrier = arena_text(a, bytes_of_text(j->carrier));
    m->address = arena_text(a, bytes_of_text(j->address));
    m->epoch = j->epoch;
    m->commits = j->commits;
    m->live = j->live;
    m->lease = view_span(a, (struct span){.us = j->held ? j->lease_ms * 1000 : 0});
    m->orphan = j->held ? j->lease_ms <= 0 : j->live > 0;
    m->tries = j->tries;
    m->wanted = j->wanted;
    m->form = (uint32_t)j->form;
    m->program = arena_text(a, bytes_of_text(j->program));
    return m->name != NULL && m->carrier != NULL && m->address != NULL && m->lease != NULL && m->program != NULL;
}

int fleet_journals(void *self, const char *after, struct arena *a, Saga__V1__ListJournalsResponse *m,
                   struct error_detail *detail)
{
    struct fleet *f = ((struct loop *)self)->sidecar->fleet;
    const struct finder_journal *list;
    unsigned count;
    if (f == NULL)
        return no_fleet(detail);
    int code = finder_list(f->finder, after, &list, &count);
    if (code != 0)
        return code == STORE_PENDING ? code : error_set(detail, code, "", "the database does not tell");
    m->journals = arena_take(a, (count + 1) * sizeof(*m->journals));
    for (unsigned i = 0; m->journals != NULL && i < count; i++)
        if (!view_journal(a, &list[i], &m->journals[m->n_journals++]))
            return error_set(detail, E_MEMORY, "", NULL);
    if (m->journals == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    if (count == FINDER_JOURNALS_MAX)
        m->next = m->journals[count - 1]->name;
    return 0;
}

int fleet_give(void *self, const char *journal, struct error_detail *detail)
{
    struct fleet *f = ((struct loop *)self)->sidecar->fleet;
    bool there;
    if (f == NULL)
        return no_fleet(detail);
    int code = finder_want(f->finder, journal, &there);
    if (code != 0)
        return code == STORE_PENDING ? code : error_set(detail, code, "", "the database does not tell");
    return there ? 0 : error_set(detail, E_ARGUMENT, "journal", "the fleet has no journal of this name");
}

static void wake_home(void *self)
{
    rpc_wake(((struct fleet *)self)->home->rooms[0]);
}

/* ---- the whole ---- */

/* What guests count is shown with the sidecar's own: all of them together have as many series as it has itself. */
static int open_metrics(struct sidecar *sidecar)
{
    unsigned places = sidecar->config->fleet_takeovers_max;
    uint32_t series_max = places == 0 ? 0 : sidecar->config->metrics_series_max / places;
    _Static_assert(FLEET_TAKEOVERS_MAX <= PANEL_GUESTS_MAX, "a place for each");
    for (unsigned i = 0; sidecar->panel != NULL && i < places; i++)
        if (metrics_create(series_max, &sidecar->guest_metrics[i]) != 0)
            return E_MEMORY;
    if (sidecar->panel != NULL)
        panel_add_guests(sidecar->panel, sidecar->guest_metrics, places);
    return 0;
}

int fleet_open(struct sidecar *sidecar, const char *file, struct fleet **out, struct error_detail *detail)
{
    pthread_condattr_t clock;
    struct fleet *f = calloc(1, sizeof *f);
    if (f == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    f->home = sidecar;
    f->file = file;
    clock_init(&f->clock);
    f->steady_since = INSTANT_NEVER;
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        f->guests[i].fleet = f;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &clock);
    pthread_condattr_destroy(&clock);
    const struct postgres_fleet_options options = {.conninfo = sidecar->config->store,
                                                   .fleet = sidecar->config->fleet,
                                                   .timeout = sidecar->config->store_timeout,
                                                   .stop = stops,
                                                   .self = f};
    int code = journal_name(sidecar->config, f->own, detail);
    if (code == 0 && open_metrics(sidecar) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0 && postgres_fleet_create(&options, &f->db) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    const struct finder_options finder = {.config = sidecar->config, .own = f->own, .wake = wake_home, .self = f};
    f->credentials = trust_of_sidecars(sidecar->config, sidecar->certificates);
    if (code == 0)
        code = finder_open(&finder, &f->finder, detail);
    if (code == 0 && pthread_create(&f->thread, NULL, watch, f) != 0)
        code = error_set(detail, E_SYSTEM, "", "a thread for the fleet");
    if (code != 0) {
        finder_close(f->finder);
        postgres_fleet_destroy(f->db);
        free(f);
        return code;
    }
    *out = f;
    return 0;
}

void fleet_stop(struct fleet *f)
{
    if (f == NULL)
        return;
    pthread_mutex_lock(&f->mutex);
    f->stop = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        stop_guest(&f->guests[i]);
}

void fleet_reload(struct fleet *f)
{
    if (f == NULL)
        return;
    pthread_mutex_lock(&f->mutex);
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        if (f->guests[i].sidecar != NULL && atomic_load(&f->guests[i].state) == GUEST_SERVING)
            sidecar_reload(f->guests[i].sidecar, f->file);
    pthread_mutex_unlock(&f->mutex);
}

void fleet_close(struct fleet *f)
{
    if (f == NULL)
        return;
    fleet_stop(f);
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++) {
        atomic_store(&f->guests[i].asks, 0); /* of which nobody hears any more */
        atomic_store(&f->guests[i].unasked, true);
    }
    pthread_join(f->thread, NULL);
    finder_close(f->finder);
    postgres_fleet_destroy(f->db);
    pthread_mutex_destroy(&f->mutex);
    pthread_cond_destroy(&f->changed);
    free(f);
}
