/* fleet_world.h - a fleet whose database and whose guests' sidecars are the test's, and so is the time: the fleet's thread takes one turn whenever it
 * may. Of a program whose line in tests.mk wraps what stands here. */
#ifndef TESTS_SUPPORT_FLEET_WORLD_H
#define TESTS_SUPPORT_FLEET_WORLD_H

#include "sidecar/runtime/fleet.h"

#include "sidecar/core/heap.h"
#include "sidecar/journal/postgres/postgres_fleet.h"
#include "sidecar/journal/store.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/finder.h"
#include "sidecar/runtime/sidecar.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/shard/adopt.h"
#include "tests/support/until.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOURNALS = 20, OPENINGS = 32 };

static struct config config, guests_config;
static struct sidecar home;
static struct loop loop;
static int home_room;
static _Atomic int64_t now_us;

/* The database. What a look changes is changed by the test between turns. */
static struct fleet_row rows[JOURNALS];
static bool guest_of_ours[JOURNALS];
static unsigned row_count;
static struct fleet_row abandoned; /* a journal that nobody came back to; without a name there is none */
static unsigned removals, sweeps, guest_looks;
static bool more_to_sweep;
static int sweep_fails; /* with this code */
static int database;
static bool anew;
static bool (*stops)(void *self); /* how it hears that nobody wants its answer any more */
static void *stops_self;
static atomic_uint lasted;
static char lasted_name[64];

/* A guest's sidecar. */
struct world_guest {
    struct sidecar sidecar; /* first */
    struct loop loop;
    int room;
    char journal[64];
    atomic_bool stop, closed, running;
    atomic_uint polls;
    int ends; /* with this code, when it is told to stop */
};
static struct world_guest guests[OPENINGS];
static atomic_uint began, opened;
static int opens;        /* with this code */
static atomic_bool slow; /* none of them comes to its end */
static atomic_uint reloads, joined;

/* The turns of the fleet's thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned allowed, arrived;
static bool free_running;
static int64_t rests_until_us,
    rests_us;           /* by the clock that runs while the machine does, and how long that is when it comes there */
static bool keeps_time; /* it is to wait in truth, for a moment */
static int64_t late_us; /* by how much that was longer than it was to be */

static struct finder_found found;
static int finds;
static struct finder_journal listed[4];
static unsigned listed_count;
static struct finder_journal page[FINDER_JOURNALS_MAX];
static unsigned page_count;

/* ---- tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __wrap_pthread_join(pthread_t thread, void **result);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_postgres_fleet_create(const struct postgres_fleet_options *options, struct postgres_fleet **out);
void __wrap_postgres_fleet_destroy(struct postgres_fleet *f);
int __wrap_postgres_fleet_orphans(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self,
                                  uint64_t *held, struct error_detail *detail);
int __wrap_postgres_fleet_of_name(struct postgres_fleet *f, const char *name, fleet_take_fn take, void *self,
                                  struct error_detail *detail);
int __wrap_postgres_fleet_guests(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self,
                                 struct error_detail *detail);
int __wrap_postgres_fleet_abandoned(struct postgres_fleet *f, const char *own, struct span kept, fleet_take_fn take,
                                    void *self, struct error_detail *detail);
int __wrap_postgres_fleet_remove(struct postgres_fleet *f, uint64_t id, uint64_t epoch, struct span kept, bool *removed,
                                 struct error_detail *detail);
int __wrap_postgres_fleet_sweep(struct postgres_fleet *f, struct span audit_kept, bool *more,
                                struct error_detail *detail);
int __wrap_postgres_fleet_lasted(struct postgres_fleet *f, const char *own, const char *name,
                                 struct error_detail *detail);
bool __wrap_postgres_fleet_is_anew(struct postgres_fleet *f);
int __wrap_finder_open(const struct finder_options *options, struct finder **out, struct error_detail *detail);
void __wrap_finder_close(struct finder *f);
int __wrap_finder_tag(struct finder *f, uint64_t tag, struct finder_found *out);
int __wrap_finder_request(struct finder *f, struct bytes request_id, bool claim, struct finder_found *out);
int __wrap_finder_all(struct finder *f, const struct finder_journal **list, unsigned *count);
int __wrap_finder_list(struct finder *f, const char *after, const struct finder_journal **list, unsigned *count);
int __wrap_finder_want(struct finder *f, const char *journal, bool *there);
int __wrap_sidecar_open_guest(const struct config *c, const struct adopted *adopted, struct sidecar **out,
                              struct error_detail *detail);
int __wrap_sidecar_run(struct sidecar *s, struct error_detail *detail);
void __wrap_sidecar_stop(struct sidecar *s);
void __wrap_sidecar_close(struct sidecar *s);
void __wrap_sidecar_reload(struct sidecar *s, const char *file);
int __wrap_config_read(const char *path, struct config **out, struct error_detail *detail);
void __wrap_config_destroy(struct config *c);
int __wrap_journal_name(const struct config *c, char name[JOURNAL_NAME_SIZE], struct error_detail *detail);
struct engine_counts __wrap_engine_counts(const struct engine *e);
const struct engine *__wrap_core_engine(const struct core *c);
void __wrap_rpc_wake(struct rpc *r);
int __wrap_rpc_poll(struct rpc *r, struct span wait);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return (struct instant){.us = atomic_load(&now_us)};
}

static inline int64_t time_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    if (keeps_time) {
        int64_t soon_us = time_us() + 20000;
        const struct timespec soon = {.tv_sec = (time_t)(soon_us / 1000000),
                                      .tv_nsec = (long)(soon_us % 1000000 * 1000)};
        while (__real_pthread_cond_timedwait(c, m, &soon) != ETIMEDOUT)
            ;
        late_us = time_us() - soon_us;
    }
    pthread_mutex_unlock(m);
    pthread_mutex_lock(&lock);
    rests_until_us = (int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000;
    rests_us = rests_until_us - time_us();
    arrived++;
    pthread_cond_broadcast(&changed);
    while (allowed == 0 && !free_running)
        pthread_cond_wait(&changed, &lock);
    allowed -= allowed > 0;
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(m);
    return ETIMEDOUT;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    int failed = __real_pthread_join(thread, result);
    atomic_fetch_add(&joined, 1);
    return failed;
}

int __wrap_postgres_fleet_create(const struct postgres_fleet_options *options, struct postgres_fleet **out)
{
    ck_assert_str_eq(options->fleet, "ours");
    ck_assert_int_eq(options->timeout.us, SPAN_S(9).us);
    stops = options->stop;
    stops_self = options->self;
    *out = NULL;
    return 0;
}

void __wrap_postgres_fleet_destroy(struct postgres_fleet *f)
{
    (void)f;
    ck_assert(stops(stops_self));
}

int __wrap_postgres_fleet_orphans(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self,
                                  uint64_t *held, struct error_detail *detail)
{
    (void)f;
    ck_assert_str_eq(own, "own");
    *held = 1;
    anew = false;
    for (unsigned i = 0; i < row_count && database == 0; i++)
        if (!guest_of_ours[i])
            take(self, &rows[i]);
    return database == 0 ? 0 : error_set(detail, database, "", "away");
}

int __wrap_postgres_fleet_of_name(struct postgres_fleet *f, const char *name, fleet_take_fn take, void *self,
                                  struct error_detail *detail)
{
    (void)f;
    anew = false;
    for (unsigned i = 0; i < row_count && database == 0; i++)
        if (strcmp(rows[i].name, name) == 0)
            take(self, &rows[i]);
    return database == 0 ? 0 : error_set(detail, database, "", "away");
}

int __wrap_postgres_fleet_guests(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self,
                                 struct error_detail *detail)
{
    (void)f;
    ck_assert_str_eq(own, "own");
    guest_looks++;
    for (unsigned i = 0; i < row_count && database == 0; i++)
        if (guest_of_ours[i])
            take(self, &rows[i]);
    return database == 0 ? 0 : error_set(detail, database, "", "away");
}

int __wrap_postgres_fleet_abandoned(struct postgres_fleet *f, const char *own, struct span kept, fleet_take_fn take,
                                    void *self, struct error_detail *detail)
{
    (void)f;
    ck_assert_str_eq(own, "own");
    ck_assert_int_ge(kept.us, ADOPT_KEPT_MIN.us);
    if (abandoned.name != NULL && database == 0)
        take(self, &abandoned);
    return database == 0 ? 0 : error_set(detail, database, "", "away");
}

int __wrap_postgres_fleet_remove(struct postgres_fleet *f, uint64_t id, uint64_t epoch, struct span kept, bool *removed,
                                 struct error_detail *detail)
{
    (void)f;
    (void)detail;
    ck_assert_int_eq(kept.us, ADOPT_KEPT_MIN.us);
    ck_assert(abandoned.name != NULL && id == abandoned.id && epoch == abandoned.epoch);
    abandoned.name = NULL;
    *removed = true;
    removals++;
    return 0;
}

int __wrap_postgres_fleet_sweep(struct postgres_fleet *f, struct span audit_kept, bool *more,
                                struct error_detail *detail)
{
    (void)f;
    ck_assert_int_eq(audit_kept.us, config.audit_retention.us);
    *more = more_to_sweep;
    sweeps++;
    int code = database != 0 ? database : sweep_fails;
    return code == 0 ? 0 : error_set(detail, code, "", database != 0 ? "away" : "busy");
}

int __wrap_postgres_fleet_lasted(struct postgres_fleet *f, const char *own, const char *name,
                                 struct error_detail *detail)
{
    (void)f;
    ck_assert_str_eq(own, "own");
    snprintf(lasted_name, sizeof lasted_name, "%s", name);
    atomic_fetch_add(&lasted, 1);
    return database == 0 ? 0 : error_set(detail, database, "", "away");
}

bool __wrap_postgres_fleet_is_anew(struct postgres_fleet *f)
{
    (void)f;
    return anew;
}

int __wrap_finder_open(const struct finder_options *options, struct finder **out, struct error_detail *detail)
{
    (void)options;
    (void)detail;
    *out = NULL;
    return 0;
}

void __wrap_finder_close(struct finder *f)
{
    (void)f;
}

int __wrap_finder_tag(struct finder *f, uint64_t tag, struct finder_found *out)
{
    (void)f;
    (void)tag;
    *out = found;
    return finds;
}

int __wrap_finder_request(struct finder *f, struct bytes request_id, bool claim, struct finder_found *out)
{
    (void)f;
    (void)request_id;
    ck_assert(claim);
    *out = found;
    return finds;
}

int __wrap_finder_all(struct finder *f, const struct finder_journal **list, unsigned *count)
{
    (void)f;
    *list = listed;
    *count = listed_count;
    return finds;
}

int __wrap_finder_list(struct finder *f, const char *after, const struct finder_journal **list, unsigned *count)
{
    (void)f;
    ck_assert_str_eq(after, "before");
    *list = page;
    *count = page_count;
    return finds;
}

int __wrap_finder_want(struct finder *f, const char *journal, bool *there)
{
    (void)f;
    *there = strcmp(journal, "there") == 0;
    return finds;
}

int __wrap_sidecar_open_guest(const struct config *c, const struct adopted *adopted, struct sidecar **out,
                              struct error_detail *detail)
{
    unsigned k = atomic_fetch_add(&began, 1);
    ck_assert_uint_lt(k, OPENINGS);
    UNTIL(!atomic_load(&slow));
    struct world_guest *g = &guests[k];
    ck_assert_ptr_eq(c, &guests_config);
    snprintf(g->journal, sizeof g->journal, "%s", adopted->journal);
    int code = opens;
    if (code == 0) {
        g->sidecar.loops[0] = &g->loop;
        g->sidecar.rooms[0] = (struct rpc *)(void *)&g->room;
        ck_assert_int_eq(tags_add(&g->sidecar.tags, &heap, 100 + k, 0), 0);
        atomic_store(&g->loop.live, 1);
        *out = &g->sidecar;
    }
    atomic_fetch_add(&opened, 1);
    return code == 0 ? 0 : error_set(detail, code, "", "no");
}

int __wrap_sidecar_run(struct sidecar *s, struct error_detail *detail)
{
    struct world_guest *g = (struct world_guest *)(void *)s;
    atomic_store(&g->running, true);
    while (!atomic_load(&g->stop))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return g->ends == 0 ? 0 : error_set(detail, g->ends, "", "lost");
}

void __wrap_sidecar_stop(struct sidecar *s)
{
    ck_assert(!atomic_load(&((struct world_guest *)(void *)s)->closed));
    atomic_store(&((struct world_guest *)(void *)s)->stop, true);
}

void __wrap_sidecar_close(struct sidecar *s)
{
    tags_finish(&s->tags, &heap);
    atomic_store(&((struct world_guest *)(void *)s)->closed, true);
}

void __wrap_sidecar_reload(struct sidecar *s, const char *file)
{
    ck_assert(atomic_load(&((struct world_guest *)(void *)s)->running));
    ck_assert_str_eq(file, "sagad.yaml");
    atomic_fetch_add(&reloads, 1);
}

int __wrap_config_read(const char *path, struct config **out, struct error_detail *detail)
{
    (void)detail;
    ck_assert_str_eq(path, "sagad.yaml");
    *out = &guests_config;
    return 0;
}

void __wrap_config_destroy(struct config *c)
{
    (void)c;
}

int __wrap_journal_name(const struct config *c, char name[JOURNAL_NAME_SIZE], struct error_detail *detail)
{
    (void)c;
    (void)detail;
    strcpy(name, "own");
    return 0;
}

struct engine_counts __wrap_engine_counts(const struct engine *e)
{
    (void)e;
    return (struct engine_counts){.live = 1};
}

const struct engine *__wrap_core_engine(const struct core *c)
{
    (void)c;
    return NULL;
}

void __wrap_rpc_wake(struct rpc *r)
{
    ck_assert_ptr_eq(r, &home_room);
}

int __wrap_rpc_poll(struct rpc *r, struct span wait)
{
    (void)wait;
    for (unsigned k = 0; k < OPENINGS; k++)
        if (r == (struct rpc *)(void *)&guests[k].room)
            atomic_fetch_add(&guests[k].polls, 1);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return 0;
}

/* ---- a world ---- */

static inline void add_row(const char *name, bool held, uint64_t live)
{
    rows[row_count++] = (struct fleet_row){
        .name = name, .carrier = "", .address = "", .needs = "", .program = "", .held = held, .live = live};
}

static inline void pass(struct span time)
{
    atomic_fetch_add(&now_us, time.us);
}

/* Waits until the fleet's thread has come to its rest for the n-th time. */
static inline void await_turn(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (arrived < n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static inline void turn(void)
{
    pthread_mutex_lock(&lock);
    unsigned next = arrived + 1;
    allowed++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    await_turn(next);
}

/* A turn that looks for orphans, too: the next look is a second after the last, more or less. */
static inline void look(void)
{
    pass(SPAN_MS(1300));
    turn();
}

static inline void open_fleet(void)
{
    struct error_detail detail;
    ck_assert_int_eq(fleet_open(&home, "sagad.yaml", &home.fleet, &detail), 0);
    await_turn(1);
}

/* The guest that was opened as the k-th serves, and is asked from now on. */
static inline struct world_guest *serves(unsigned k)
{
    UNTIL(atomic_load(&guests[k].running));
    for (unsigned i = 0; i < row_count; i++)
        if (strcmp(rows[i].name, guests[k].journal) == 0)
            guest_of_ours[i] = true;
    fleet_turn(&loop);
    return &guests[k];
}

static inline void setup(void)
{
    log_open(&(struct log_options){.level = LOG_LEVEL_ERROR, .fd = open("/dev/null", O_WRONLY)});
    config = (struct config){.fleet = "ours",
                             .store = "",
                             .fleet_takeovers_max = 2,
                             .fleet_identity = "",
                             .store_timeout = SPAN_S(9),
                             .audit_retention = SPAN_S(77)};
    home.config = &config;
    home.count = home.places = 1;
    home.rooms[0] = (struct rpc *)(void *)&home_room;
    home.loops[0] = &loop;
    loop.sidecar = &home;
    atomic_store(&now_us, 1000000000);
}

static inline void teardown(void)
{
    pthread_mutex_lock(&lock);
    free_running = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    fleet_close(home.fleet);
    for (unsigned k = 0; k < atomic_load(&opened); k++)
        ck_assert(guests[k].sidecar.loops[0] == NULL || atomic_load(&guests[k].closed));
    tags_finish(&home.tags, &heap);
}

static inline unsigned place_of_tag(uint64_t tag)
{
    struct relay_place place;
    struct error_detail detail;
    (void)tag;
    ck_assert_int_eq(fleet_find(&loop, &(struct relay_key){.tag = tag}, &place, &detail), 0);
    ck_assert_ptr_null(place.address);
    return place.place;
}

#endif
