/* Guests of a fleet: which journals are taken over, how they are asked and let go, and what is told of where a saga is. The database and the guests'
 * sidecars are the test's, and so is the time: the fleet's thread takes one turn whenever it may. */
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

static int64_t time_us(void)
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

static void add_row(const char *name, bool held, uint64_t live)
{
    rows[row_count++] = (struct fleet_row){
        .name = name, .carrier = "", .address = "", .needs = "", .program = "", .held = held, .live = live};
}

static void pass(struct span time)
{
    atomic_fetch_add(&now_us, time.us);
}

/* Waits until the fleet's thread has come to its rest for the n-th time. */
static void await_turn(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (arrived < n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void turn(void)
{
    pthread_mutex_lock(&lock);
    unsigned next = arrived + 1;
    allowed++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    await_turn(next);
}

/* A turn that looks for orphans, too: the next look is a second after the last, more or less. */
static void look(void)
{
    pass(SPAN_MS(1300));
    turn();
}

static void open_fleet(void)
{
    struct error_detail detail;
    ck_assert_int_eq(fleet_open(&home, "sagad.yaml", &home.fleet, &detail), 0);
    await_turn(1);
}

/* The guest that was opened as the k-th serves, and is asked from now on. */
static struct world_guest *serves(unsigned k)
{
    UNTIL(atomic_load(&guests[k].running));
    for (unsigned i = 0; i < row_count; i++)
        if (strcmp(rows[i].name, guests[k].journal) == 0)
            guest_of_ours[i] = true;
    fleet_turn(&loop);
    return &guests[k];
}

static void setup(void)
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

static void teardown(void)
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

static unsigned place_of_tag(uint64_t tag)
{
    struct relay_place place;
    struct error_detail detail;
    (void)tag;
    ck_assert_int_eq(fleet_find(&loop, &(struct relay_key){.tag = tag}, &place, &detail), 0);
    ck_assert_ptr_null(place.address);
    return place.place;
}

/* ---- taking over ---- */

START_TEST(fleet__what_nobody_has_is_opened_asked_and_given_up_to_its_own)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    ck_assert_str_eq(g->journal, "a");
    ck_assert_int_eq(tags_find(&home.tags, 100), 1);
    ck_assert_ptr_eq(home.rooms[1], &g->room);
    ck_assert_uint_eq(home.places, 1 + FLEET_TAKEOVERS_MAX);
    found = (struct finder_found){.known = true, .journal = "a", .carrier = "own", .held = true};
    ck_assert_uint_eq(place_of_tag(100), 1);
    turn();
    ck_assert(!atomic_load(&g->stop));
    rows[0].wanted = true;
    turn();
    ck_assert(atomic_load(&g->stop));
    UNTIL((fleet_turn(&loop), home.rooms[1] == NULL)); /* from when it has ended */
    ck_assert_int_eq(tags_find(&home.tags, 100), -1);
    ck_assert_uint_eq(home.places, 1);
    UNTIL(atomic_load(&g->closed));
    guest_of_ours[0] = false;
    look();
    ck_assert_uint_eq(atomic_load(&opened), 1); /* its own waits for it */
    rows[0].wanted = false;
    look();
    UNTIL(atomic_load(&opened) == 2);
    g = serves(1);
    turn();
    ck_assert(!atomic_load(&g->stop)); /* the one before was asked for, not this one */
}
END_TEST

/* One that ends answers what it was asked before: it goes once the last answer was heard. */
START_TEST(fleet__a_guest_that_ends_waits_for_what_it_was_asked)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    fleet_asked(&loop, 1, 1);
    fleet_asked(&loop, 1, 1);
    rows[0].wanted = true;
    turn();
    UNTIL(atomic_load(&g->polls) > 2 ||
          atomic_load(&g->closed)); /* it reads, though nobody has heard yet that it goes */
    ck_assert(!atomic_load(&g->closed));
    fleet_turn(&loop);
    ck_assert_ptr_null(home.rooms[1]);
    fleet_asked(&loop, 1, -1);
    unsigned polls = atomic_load(&g->polls);
    UNTIL(atomic_load(&g->polls) > polls + 2 || atomic_load(&g->closed));
    ck_assert(!atomic_load(&g->closed));
    fleet_asked(&loop, 1, -1);
    UNTIL(atomic_load(&g->closed));
    fleet_asked(&loop, 0, 1); /* of its own nobody keeps count */
}
END_TEST

/* Loop 0 has made its last turn: nobody hears any more what a guest was asked. */
START_TEST(fleet__an_answer_that_nobody_will_hear_keeps_no_guest)
{
    add_row("a", false, 1);
    open_fleet();
    serves(0);
    fleet_asked(&loop, 1, 1);
}
END_TEST

START_TEST(fleet__one_that_lasts_gives_the_journal_its_tries_back_once)
{
    add_row("a", false, 1);
    open_fleet();
    serves(0);
    pass(ADOPT_LASTING);
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 0);
    pass((struct span){.us = 1});
    database = E_JOURNAL_AWAY; /* it could not be said: it is said again */
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 1);
    database = 0;
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 2);
    ck_assert_str_eq(lasted_name, "a");
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 2);
}
END_TEST

START_TEST(fleet__one_in_which_nothing_lives_is_given_up_after_a_while)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    atomic_store(&g->loop.live, 0);
    turn();
    pass((struct span){.us = ADOPT_IDLE.us - 1});
    turn();
    ck_assert(!atomic_load(&g->stop));
    atomic_store(&g->loop.live, 1);
    turn();
    atomic_store(&g->loop.live, 0);
    pass(SPAN_S(1));
    turn();
    ck_assert(!atomic_load(&g->stop)); /* the time counts anew */
    pass(ADOPT_IDLE);
    turn();
    ck_assert(atomic_load(&g->stop));
}
END_TEST

/* What is left of journals goes: piece after piece while there is more, and else about once a minute. */
START_TEST(fleet__what_is_left_behind_is_swept)
{
    open_fleet();
    ck_assert_uint_eq(sweeps, 1);
    more_to_sweep = true;
    look();
    ck_assert_uint_eq(sweeps, 1);
    pass(SPAN_S(120));
    for (unsigned i = 2; i < 5; i++) {
        turn();
        ck_assert_uint_eq(sweeps, i);
        pass((struct span){.us = 999999});
        turn();
        ck_assert_uint_eq(sweeps, i);
        pass((struct span){.us = 1});
        more_to_sweep = i < 3;
    }
    ck_assert_uint_eq(removals, 0);
}
END_TEST

/* A journal is removed when all in it has ended and nobody came back to it for long enough; the next one soon after. */
START_TEST(fleet__what_nobody_came_back_to_is_removed)
{
    const int64_t long_ago = -(ADOPT_KEPT_MIN.us / 1000);
    static const struct {
        int64_t late_ms;
        uint64_t live;
        bool held, removed;
    } cases[] = {{1, 0, false, true}, {-1, 0, false, false}, {1, 1, false, false}, {1, 0, true, false}};
    open_fleet();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        abandoned = (struct fleet_row){.name = "gone",
                                       .carrier = "",
                                       .address = "",
                                       .needs = "",
                                       .program = "",
                                       .id = 7 + i,
                                       .epoch = 3,
                                       .lease_ms = long_ago - cases[i].late_ms,
                                       .live = cases[i].live,
                                       .held = cases[i].held};
        removals = 0;
        pass(SPAN_S(120));
        turn();
        ck_assert_msg((removals == 1) == cases[i].removed, "%zu", i);
        unsigned before = sweeps;
        pass(SPAN_S(1));
        turn();
        ck_assert_msg((sweeps == before + 1) == cases[i].removed, "%zu", i);
    }
}
END_TEST

/* Until the next look for others is due; where there are guests, a look at them comes before. */
START_TEST(fleet__rests_for_as_long_as_there_is_nothing_to_do)
{
    open_fleet();
    int64_t before = time_us();
    turn();
    ck_assert_int_gt(rests_until_us, before + 600000);
    ck_assert_uint_eq(guest_looks, 0);
    add_row("a", false, 1);
    look();
    serves(0);
    turn();
    ck_assert_uint_eq(guest_looks, 1);
    ck_assert_int_le(rests_us, 500000);
    keeps_time = true; /* whatever time of day somebody sets meanwhile */
    turn();
    keeps_time = false;
    ck_assert_int_ge(late_us, 0);
}
END_TEST

static char told_of_trouble[512];

static void hear_of_trouble(void *self, const struct log_entry *entry)
{
    (void)self;
    if (strcmp(entry->text, "the fleet's journals cannot be looked at") == 0)
        snprintf(told_of_trouble + strlen(told_of_trouble), sizeof told_of_trouble - strlen(told_of_trouble), "%.*s ",
                 (int)entry->fields[0].text.size, (const char *)entry->fields[0].text.at);
}

/* Whichever look it is that fails: once, until one goes well. */
START_TEST(fleet__that_the_database_does_not_answer_is_told_once)
{
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .fd = open("/dev/null", O_WRONLY)});
    log_listen(hear_of_trouble, NULL);
    open_fleet();
    database = E_JOURNAL_AWAY;
    for (unsigned i = 0; i < 3; i++)
        look();
    ck_assert_str_eq(told_of_trouble, "away ");
    database = 0;
    look();
    sweep_fails = E_JOURNAL;
    pass(SPAN_S(120));
    turn();
    ck_assert_str_eq(told_of_trouble, "away busy ");
    sweep_fails = 0;
    pass(SPAN_S(120));
    turn();
    add_row("a", false, 1);
    look();
    serves(0);
    database = E_JOURNAL_AWAY; /* also where only guests are looked at */
    turn();
    ck_assert_str_eq(told_of_trouble, "away busy away ");
    database = 0;
    turn();
    log_listen(NULL, NULL);
}
END_TEST

START_TEST(fleet__no_more_are_taken_than_may_be)
{
    add_row("a", false, 1);
    add_row("b", false, 1);
    add_row("c", false, 1);
    open_fleet();
    for (unsigned k = 0; k < 2; k++) {
        serves(k);
        look();
    }
    look();
    ck_assert_uint_eq(atomic_load(&opened), 2);
    ck_assert_int_eq(tags_find(&home.tags, 100), 1);
    ck_assert_int_eq(tags_find(&home.tags, 101), 2);
    rows[0].wanted = true;
    turn();
    UNTIL((fleet_turn(&loop), home.rooms[1] == NULL));
    ck_assert_uint_eq(home.places, 1 + FLEET_TAKEOVERS_MAX); /* the other is asked on */
    ck_assert_int_eq(tags_find(&home.tags, 101), 2);
    UNTIL(atomic_load(&guests[0].closed));
    UNTIL((look(), atomic_load(&opened) == 3));
    ck_assert_str_eq(guests[2].journal, "c");
    serves(2);
    ck_assert_int_eq(tags_find(&home.tags, 102), 1);
}
END_TEST

/* However long that takes. */
START_TEST(fleet__what_is_being_opened_is_not_taken_again)
{
    add_row("a", false, 1);
    add_row("b", false, 1);
    add_row("c", false, 1);
    atomic_store(&slow, true);
    open_fleet();
    for (unsigned i = 0; i < 4; i++)
        look();
    UNTIL(atomic_load(&began) >= 2);
    atomic_store(&slow, false);
    serves(0);
    serves(1);
    look();
    ck_assert_uint_eq(atomic_load(&opened), 2);
    ck_assert_str_ne(guests[0].journal, guests[1].journal);
}
END_TEST

/* A sidecar that ends meanwhile waits for no guest that has just begun. */
START_TEST(fleet__what_is_being_opened_when_all_end_never_serves)
{
    add_row("a", false, 1);
    atomic_store(&slow, true);
    open_fleet();
    look();
    UNTIL(atomic_load(&began) == 1);
    ck_assert(!stops(stops_self));
    fleet_stop(home.fleet);
    ck_assert(stops(stops_self));
    atomic_store(&slow, false);
    UNTIL(atomic_load(&guests[0].closed) || atomic_load(&guests[0].running));
    ck_assert(!atomic_load(&guests[0].running));
}
END_TEST

enum { LEFT_ALONE = 7 };

/* What could not be opened, or was lost, is left to others: for a minute, or two seconds where the database itself was at fault, or not at all where
 * somebody was quicker. */
START_TEST(fleet__what_could_not_be_opened_is_left_alone_for_a_while)
{
    static const struct {
        int code, seconds;
        bool serves; /* first */
    } cases[LEFT_ALONE] = {{E_JOURNAL_CORRUPT, 60, false}, {E_JOURNAL_AWAY, 2, false},    {E_JOURNAL_LOCKED, 0, false},
                           {E_JOURNAL_FENCED, 0, false},   {E_JOURNAL_CORRUPT, 60, true}, {E_JOURNAL, 2, true},
                           {E_JOURNAL_FENCED, 0, true}};
    opens = cases[_i].serves ? 0 : cases[_i].code;
    add_row("a", false, 1);
    open_fleet();
    if (cases[_i].serves) {
        struct world_guest *g = serves(0);
        g->ends = cases[_i].code;
        atomic_store(&g->stop, true);
        guest_of_ours[0] = false;
    }
    UNTIL((turn(), fleet_turn(&loop), atomic_load(&joined) == 1));
    ck_assert_uint_eq(atomic_load(&opened), 1);
    if (cases[_i].seconds > 0) {
        pass((struct span){.us = SPAN_S(cases[_i].seconds).us - 1});
        turn();
        turn();
        ck_assert_uint_eq(atomic_load(&opened), 1);
    }
    look();
    UNTIL(atomic_load(&opened) == 2);
    opens = 0;
}
END_TEST

/* One whose lease is over may only have lost the database, as everybody has: once that has been there for as long as it takes to be back. */
START_TEST(fleet__after_the_database_was_away_the_dead_are_given_time)
{
    open_fleet();
    pass(SPAN_S(60));
    turn(); /* it has been there for long */
    database = E_JOURNAL_AWAY;
    look();
    add_row("a", true, 1);
    database = 0;
    look(); /* from now on it is there */
    pass((struct span){.us = ADOPT_STEADY.us - 1});
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    anew = true; /* the connection broke in between */
    look();
    pass((struct span){.us = ADOPT_STEADY.us - 1});
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    look();
    UNTIL(atomic_load(&opened) == 1);
    serves(0);
}
END_TEST

/* Also what nothing lives in; but never what somebody has. */
START_TEST(fleet__what_is_asked_for_is_taken_at_once)
{
    add_row("a", false, 0);
    add_row("b", true, 1);
    rows[1].lease_ms = 1;
    open_fleet();
    look();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    fleet_wish(&loop, "b");
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    fleet_wish(&loop, "a");
    turn();
    struct world_guest *g = serves(0);
    ck_assert_str_eq(g->journal, "a");
    fleet_wish(&loop, "a");
    turn();
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 1);
}
END_TEST

/* Guests that serve read their configuration again. */
START_TEST(fleet__a_reload_reaches_guests)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    fleet_reload(home.fleet);
    ck_assert_uint_eq(atomic_load(&reloads), 1);
    rows[0].wanted = true;
    turn();
    UNTIL((fleet_turn(&loop), atomic_load(&g->closed)));
    fleet_reload(home.fleet);
    ck_assert_uint_eq(atomic_load(&reloads), 1);
}
END_TEST

/* ---- where a saga is ---- */

static int find(struct relay_place *place, struct error_detail *detail)
{
    const struct relay_key key = {.request_id = bytes_of_text("r"), .claims = true};
    return fleet_find(&loop, &key, place, detail);
}

START_TEST(fleet__where_a_saga_is)
{
    struct relay_place place;
    struct error_detail detail;
    add_row("far", false, 0);
    open_fleet();
    ck_assert_int_eq(find(&place, &detail), 0); /* nobody knows it: here, then */
    ck_assert(place.place == 0 && place.address == NULL);
    found = (struct finder_found){.known = true, .journal = "own", .carrier = "own", .held = true};
    ck_assert_int_eq(find(&place, &detail), 0);
    ck_assert(place.place == 0 && place.address == NULL);
    found =
        (struct finder_found){.known = true, .journal = "far", .carrier = "far", .address = "1.2.3.4:5", .held = true};
    ck_assert_int_eq(find(&place, &detail), 0);
    ck_assert_str_eq(place.address, "1.2.3.4:5");
    ck_assert_ptr_eq(place.credentials, fleet_credentials(&loop));
    found.address[0] = '\0';
    ck_assert_int_eq(find(&place, &detail), E_SAGA_AWAY);
    ck_assert_ptr_nonnull(strstr(detail.text, "no fleet_address"));
    strcpy(found.address, "1.2.3.4:5");
    strcpy(found.carrier, "own"); /* it is ours, and not open yet */
    ck_assert_int_eq(find(&place, &detail), E_SAGA_AWAY);
    ck_assert_ptr_nonnull(strstr(detail.text, "far, which is being taken over"));
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    found.held = false; /* nobody has it: it is taken */
    strcpy(found.carrier, "far");
    ck_assert_int_eq(find(&place, &detail), E_SAGA_AWAY);
    ck_assert_ptr_nonnull(strstr(detail.text, "being taken over"));
    turn();
    serves(0);
    ck_assert_int_eq(find(&place, &detail), 0);
    ck_assert_uint_eq(place.place, 1);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(find(&place, &detail), E_JOURNAL_AWAY);
    finds = E_QUEUE;
    ck_assert_int_eq(find(&place, &detail), E_QUEUE);
    finds = STORE_PENDING;
    ck_assert_int_eq(find(&place, &detail), STORE_PENDING);
}
END_TEST

static struct finder_journal journal(const char *name, const char *carrier, bool held, int64_t lease_ms)
{
    struct finder_journal j = {.held = held, .lease_ms = lease_ms, .live = 3};
    strcpy(j.name, name);
    strcpy(j.carrier, carrier);
    return j;
}

START_TEST(fleet__all_journals)
{
    static const struct {
        int place;
        bool held, given_up;
    } expected[] = {{0, false, false}, {1, true, false}, {-1, true, false}, {-1, false, false}};
    const struct relay_journal *all;
    struct error_detail detail;
    unsigned count;
    add_row("guest", false, 1);
    open_fleet();
    serves(0);
    listed[0] = journal("own", "own", true, 3000);
    listed[1] = journal("guest", "own", true, 3000);
    listed[2] = journal("far", "far", true, 3000);
    listed[3] = journal("dead", "dead", true, 0);
    listed_count = 4;
    for (unsigned i = 0; i < 4; i++) {
        listed[i].id = 40 + i;
        listed[i].live = 50 + i;
        snprintf(listed[i].address, sizeof listed[i].address, "at %u", i);
    }
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), 0);
    ck_assert_uint_eq(count, 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_str_eq(all[i].name, listed[i].name);
        ck_assert_str_eq(all[i].carrier, listed[i].carrier);
        ck_assert_str_eq(all[i].address, listed[i].address);
        ck_assert(all[i].id == 40 + i && all[i].live == 50 + i);
        ck_assert_int_eq(all[i].place, expected[i].place);
        ck_assert_int_eq(all[i].held, expected[i].held);
        ck_assert_int_eq(all[i].given_up, expected[i].given_up);
    }
    listed[3] = journal("left", "", false, 0);
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), 0);
    ck_assert(all[3].given_up && !all[3].held && all[3].live == 3);
    finds = STORE_PENDING;
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), STORE_PENDING);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), E_JOURNAL_AWAY);
}
END_TEST

/* They are believed by fleet_identity, which is theirs and not their address's. */
START_TEST(fleet__other_sidecars_are_asked_as_who_they_are)
{
    config.fleet_identity = _i == 0 ? "" : "spiffe://a.org/sagad";
    home.certificates = (struct certificates *)(void *)&home_room; /* only passed on */
    open_fleet();
    const struct transport_credentials *c = fleet_credentials(&loop);
    ck_assert_int_eq(c->security, TRANSPORT_TLS);
    ck_assert_ptr_eq(c->certificates, home.certificates);
    ck_assert_str_eq(c->expected == NULL ? "" : c->expected, config.fleet_identity);
}
END_TEST

/* ---- for operators ---- */

/* A journal is orphaned when its lease is over, or when nobody holds it and something lives in it. */
START_TEST(fleet__operators_see_journals_whole)
{
    struct error_detail detail;
    struct arena a;
    Saga__V1__ListJournalsResponse m = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    open_fleet();
    arena_init(&a);
    page_count = FINDER_JOURNALS_MAX;
    for (unsigned i = 0; i < page_count; i++)
        snprintf(page[i].name, sizeof page[i].name, "j%u", i);
    page[0] = (struct finder_journal){.name = "j0",
                                      .carrier = "host",
                                      .address = "1.2.3.4:5",
                                      .program = "1.2.3",
                                      .epoch = 3,
                                      .commits = 4,
                                      .live = 5,
                                      .tries = 6,
                                      .form = 7,
                                      .lease_ms = 1500,
                                      .held = true,
                                      .wanted = true};
    page[1].held = true;     /* and its lease is over */
    page[2].lease_ms = 9000; /* which means nothing where nobody holds it */
    page[3].live = 1;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), 0);
    ck_assert_uint_eq(m.n_journals, FINDER_JOURNALS_MAX);
    const Saga__V1__Journal *j = m.journals[0];
    ck_assert(protobuf_c_message_check(&j->base));
    ck_assert_str_eq(j->name, "j0");
    ck_assert_str_eq(j->carrier, "host");
    ck_assert_str_eq(j->address, "1.2.3.4:5");
    ck_assert_str_eq(j->program, "1.2.3");
    ck_assert(j->epoch == 3 && j->commits == 4 && j->live == 5 && j->tries == 6 && j->form == 7 && j->wanted);
    ck_assert(j->lease->seconds == 1 && j->lease->nanos == 500000000);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(m.journals[i]->orphan, i == 1 || i == 3);
    ck_assert_int_eq(m.journals[2]->lease->seconds, 0);
    ck_assert(!m.journals[1]->wanted);
    ck_assert_str_eq(m.next, "j199"); /* behind which the next page begins */
    m = (Saga__V1__ListJournalsResponse)SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    page_count--;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), 0);
    ck_assert_uint_eq(m.n_journals, FINDER_JOURNALS_MAX - 1);
    ck_assert_str_eq(m.next, "");
    finds = STORE_PENDING;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), STORE_PENDING);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), E_JOURNAL_AWAY);
    struct sidecar alone = {.config = &config};
    struct loop its = {.sidecar = &alone};
    ck_assert_int_eq(fleet_journals(&its, "before", &a, &m, &detail), E_NO_FLEET);
    arena_finish(&a);
}
END_TEST

START_TEST(fleet__a_journal_is_asked_for_by_its_name)
{
    struct error_detail detail;
    open_fleet();
    ck_assert_int_eq(fleet_give(&loop, "there", &detail), 0);
    ck_assert_int_eq(fleet_give(&loop, "elsewhere", &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "journal");
    finds = STORE_PENDING;
    ck_assert_int_eq(fleet_give(&loop, "there", &detail), STORE_PENDING);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(fleet_give(&loop, "there", &detail), E_JOURNAL_AWAY);
    struct sidecar alone = {.config = &config};
    struct loop its = {.sidecar = &alone};
    ck_assert_int_eq(fleet_give(&its, "there", &detail), E_NO_FLEET);
}
END_TEST

static char *written(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(metrics_write(&loop.vitals.metrics, 1, METRICS_PROMETHEUS, out), 0);
    fclose(out);
    return text;
}

/* What is so in each guest, under its journal's name, until it is given up. */
START_TEST(fleet__guests_are_counted)
{
    static const char *const expected[] = {
        "\nsagad_guests 1\n",
        "\nsagad_takeovers_total 1\n",
        "\nsagad_guest_sagas_live{journal=\"a\"} 5\n",
        "\nsagad_guest_sagas_compensating{journal=\"a\"} 6\n",
        "\nsagad_guest_sagas_stuck{journal=\"a\"} 7\n",
        "\nsagad_guest_oldest_live_saga_age_seconds{journal=\"a\"} 1.5\n",
        "\nsagad_guest_oldest_stuck_saga_age_seconds{journal=\"a\"} 2.5\n",
        "\nsagad_guest_oldest_deferred_saga_age_seconds{journal=\"a\"} 0\n",
    };
    add_row("a", false, 1);
    ck_assert_int_eq(metrics_create(100, &loop.vitals.metrics), 0);
    open_fleet();
    struct loop *there = &serves(0)->loop;
    const struct instant at = {.us = 900000000};
    atomic_store(&there->real_live, 5);
    atomic_store(&there->compensating, 6);
    atomic_store(&there->stuck, 7);
    atomic_store(&there->oldest_us, at.us - 1500000);
    atomic_store(&there->oldest_stuck_us, at.us - 2500000);
    fleet_turn(&loop);
    fleet_count(&loop, at);
    char *text = written();
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_msg(strstr(text, expected[i]) != NULL, "%s is not in %s", expected[i], text);
    free(text);
    rows[0].wanted = true;
    turn();
    UNTIL((fleet_turn(&loop), home.rooms[1] == NULL));
    fleet_count(&loop, at);
    text = written();
    ck_assert_ptr_nonnull(strstr(text, "\nsagad_guests 0\n"));
    ck_assert_msg(strstr(text, "journal=\"a\"") == NULL, "%s", text);
    free(text);
    metrics_destroy(loop.vitals.metrics);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fleet__what_nobody_has_is_opened_asked_and_given_up_to_its_own);
    tcase_add_test(t, fleet__a_guest_that_ends_waits_for_what_it_was_asked);
    tcase_add_test(t, fleet__an_answer_that_nobody_will_hear_keeps_no_guest);
    tcase_add_test(t, fleet__one_that_lasts_gives_the_journal_its_tries_back_once);
    tcase_add_test(t, fleet__one_in_which_nothing_lives_is_given_up_after_a_while);
    tcase_add_test(t, fleet__what_is_left_behind_is_swept);
    tcase_add_test(t, fleet__what_nobody_came_back_to_is_removed);
    tcase_add_test(t, fleet__rests_for_as_long_as_there_is_nothing_to_do);
    tcase_add_test(t, fleet__that_the_database_does_not_answer_is_told_once);
    tcase_add_test(t, fleet__no_more_are_taken_than_may_be);
    tcase_add_test(t, fleet__what_is_being_opened_is_not_taken_again);
    tcase_add_test(t, fleet__what_is_being_opened_when_all_end_never_serves);
    tcase_add_loop_test(t, fleet__what_could_not_be_opened_is_left_alone_for_a_while, 0, LEFT_ALONE);
    tcase_add_test(t, fleet__after_the_database_was_away_the_dead_are_given_time);
    tcase_add_test(t, fleet__what_is_asked_for_is_taken_at_once);
    tcase_add_test(t, fleet__a_reload_reaches_guests);
    tcase_add_test(t, fleet__where_a_saga_is);
    tcase_add_test(t, fleet__all_journals);
    tcase_add_loop_test(t, fleet__other_sidecars_are_asked_as_who_they_are, 0, 2);
    tcase_add_test(t, fleet__operators_see_journals_whole);
    tcase_add_test(t, fleet__a_journal_is_asked_for_by_its_name);
    tcase_add_test(t, fleet__guests_are_counted);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
