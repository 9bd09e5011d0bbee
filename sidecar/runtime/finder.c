/* finder.c - one table, in which the owner writes what it looks for and the thread what it found. What is claimed at once is claimed together, by one
 * commit. */
#include "sidecar/runtime/finder.h"

#include "sidecar/base/check.h"
#include "sidecar/base/siphash.h"
#include "sidecar/core/claim.h"
#include "sidecar/journal/postgres/postgres_fleet.h"
#include "sidecar/journal/store.h"
#include "sidecar/runtime/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Places of the table, and how many a key may be in. */
#define PLACES 4096
#define PROBES 16
/* How long what was found is believed: who has a journal changes, and where none is, one may come. */
#define BELIEVED      SPAN_MS(2000)
#define BELIEVED_LESS SPAN_MS(200)
#define CLAIMS_MAX    256

enum finder_kind { BY_TAG = 1, BY_REQUEST, BY_CLAIM };

enum sought_state { SOUGHT_NONE, SOUGHT_WAITS, SOUGHT_ASKED, SOUGHT_FOUND, SOUGHT_FAILED };

struct sought {
    struct sought *next; /* of those that wait */
    enum sought_state state;
    uint8_t kind;
    uint64_t tag;
    uint8_t id_size;
    uint8_t id[REQUEST_ID_BYTES_MAX];
    struct finder_found found;
    struct instant until; /* found and failed: when it is asked anew */
};

/* What an operator asks, one at a time. */
enum errand_kind { ERRAND_NONE, ERRAND_LIST, ERRAND_ALL, ERRAND_WANT };

struct errand {
    enum errand_kind kind;
    char name[JOURNAL_NAME_SIZE];
    bool asked, done;
    struct instant until; /* done: who asks by then has it; nobody may have come back for it */
    int code;
    bool there;
    unsigned count;
    struct finder_journal journals[FINDER_ALL_MAX];
};

struct finder {
    struct finder_options options;
    uint64_t key[2];           /* of places in the table, which nobody outside can aim at */
    struct postgres_fleet *db; /* the thread's */
    struct clock clock;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    bool stop;
    struct errand errand;
    struct sought *waiting, *last_waiting; /* in their order; NULL: none does */
    struct sought all[PLACES];
};

_Static_assert(REQUEST_ID_BYTES_MAX <= UINT8_MAX, "a size of one byte");

/* ---- the thread ---- */

static bool stops(void *self)
{
    struct finder *f = self;
    pthread_mutex_lock(&f->mutex);
    bool stop = f->stop;
    pthread_mutex_unlock(&f->mutex);
    return stop;
}

static void note(void *self, const struct fleet_row *row)
{
    struct finder_found *out = self;
    *out = (struct finder_found){.known = true, .held = row->held && row->lease_ms > 0, .live = row->live};
    snprintf(out->journal, sizeof out->journal, "%s", row->name);
    snprintf(out->carrier, sizeof out->carrier, "%s", row->carrier);
    snprintf(out->address, sizeof out->address, "%s", row->address);
}

/* In the mutex. What took so long that it says nothing of now any more, as when the process stood still, has failed. */
static void settle(struct finder *f, struct sought *s, int code, struct instant asked)
{
    struct instant now = clock_now(&f->clock);
    bool good = code == 0 && !claim_is_past(instant_since(now, asked));
    s->state = good ? SOUGHT_FOUND : SOUGHT_FAILED;
    s->until = instant_after(now, good && s->found.known && s->found.held ? BELIEVED : BELIEVED_LESS);
}

/* Those that wait to be claimed, all of them at once. */
struct claiming {
    struct sought *all[CLAIMS_MAX];
    struct bytes ids[CLAIMS_MAX];
    struct finder_found found[CLAIMS_MAX];
    unsigned count;
};

static void note_claim(void *self, unsigned index, const struct fleet_row *row)
{
    struct claiming *c = self;
    note(&c->found[index], row);
}

static void claim(struct finder *f, struct claiming *c)
{
    struct error_detail detail;
    struct instant asked = clock_now(&f->clock);
    memset(c->found, 0, sizeof c->found);
    int code = postgres_fleet_claim(f->db, f->options.own, c->ids, c->count, note_claim, c, &detail);
    pthread_mutex_lock(&f->mutex);
    for (unsigned i = 0; i < c->count; i++) {
        c->all[i]->found = c->found[i];
        settle(f, c->all[i], code, asked);
    }
    pthread_mutex_unlock(&f->mutex);
}

static void look_up(struct finder *f, struct sought *s)
{
    struct error_detail detail;
    struct finder_found found = {.known = false};
    struct instant asked = clock_now(&f->clock);
    int code = s->kind == BY_TAG ? postgres_fleet_of_tag(f->db, s->tag, note, &found, &detail)
                                 : postgres_fleet_of_request(f->db, bytes_of(s->id, s->id_size), note, &found, &detail);
    pthread_mutex_lock(&f->mutex);
    s->found = found;
    settle(f, s, code, asked);
    pthread_mutex_unlock(&f->mutex);
}

/* Takes out what waits: claims up to the first of the rest, or that. In the mutex; what is asked for stays as it is until it is settled. */
static struct sought *take(struct finder *f, struct claiming *c)
{
    c->count = 0;
    while (f->waiting != NULL && c->count < CLAIMS_MAX) {
        struct sought *s = f->waiting;
        if (s->kind != BY_CLAIM && c->count > 0)
            break;
        f->waiting = s->next;
        s->state = SOUGHT_ASKED;
        if (s->kind != BY_CLAIM)
            return s;
        c->ids[c->count] = bytes_of(s->id, s->id_size);
        c->all[c->count++] = s;
    }
    return NULL;
}

static void note_journal(void *self, const struct fleet_row *row)
{
    struct errand *e = self;
    CHECK(e->count < FINDER_ALL_MAX);
    struct finder_journal *j = &e->journals[e->count++];
    *j = (struct finder_journal){.id = row->id,
                                 .epoch = row->epoch,
                                 .commits = row->commits,
                                 .live = row->live,
                                 .tries = row->tries,
                                 .form = row->form,
                                 .lease_ms = row->lease_ms,
                                 .held = row->held,
                                 .wanted = row->wanted};
    snprintf(j->name, sizeof j->name, "%s", row->name);
    snprintf(j->carrier, sizeof j->carrier, "%s", row->carrier);
    snprintf(j->address, sizeof j->address, "%s", row->address);
    snprintf(j->program, sizeof j->program, "%s", row->program);
}

/* The owner does not touch it until it is done. */
static void run_errand(struct finder *f)
{
    struct error_detail detail;
    struct errand *e = &f->errand;
    e->count = 0;
    if (e->kind == ERRAND_WANT)
        e->code = postgres_fleet_want(f->db, e->name, &e->there, &detail);
    else
        e->code = postgres_fleet_list(f->db, e->name, e->kind == ERRAND_ALL ? FINDER_ALL_MAX : FINDER_JOURNALS_MAX,
                                      note_journal, e, &detail);
    pthread_mutex_lock(&f->mutex);
    e->done = true;
    e->until = instant_after(clock_now(&f->clock), BELIEVED_LESS);
    pthread_mutex_unlock(&f->mutex);
}

static void *run(void *self)
{
    struct finder *f = self;
    struct claiming *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    for (;;) {
        pthread_mutex_lock(&f->mutex);
        while (!f->stop && f->waiting == NULL && !f->errand.asked)
            pthread_cond_wait(&f->changed, &f->mutex);
        bool stop = f->stop;
        struct sought *one = stop ? NULL : take(f, c);
        bool errand = f->errand.asked;
        f->errand.asked = false;
        pthread_mutex_unlock(&f->mutex);
        if (stop)
            break;
        if (c->count > 0)
            claim(f, c);
        if (one != NULL)
            look_up(f, one);
        if (errand)
            run_errand(f);
        f->options.wake(f->options.self);
    }
    free(c);
    return NULL;
}

/* ---- the owner ---- */

static bool is_same(const struct sought *s, uint8_t kind, uint64_t tag, struct bytes id)
{
    return s->state != SOUGHT_NONE && s->kind == kind && s->tag == tag && bytes_equal(bytes_of(s->id, s->id_size), id);
}

/* Its place, or one that may be taken for it; NULL: all are under way. */
static struct sought *place_of(struct finder *f, uint8_t kind, uint64_t tag, struct bytes id)
{
    uint64_t hash = siphash(f->key, id.size > 0 ? id : bytes_of(&tag, sizeof tag));
    struct sought *free_one = NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        struct sought *s = &f->all[(hash + i) % PLACES];
        if (is_same(s, kind, tag, id))
            return s;
        bool idle = s->state != SOUGHT_WAITS && s->state != SOUGHT_ASKED;
        if (idle && (free_one == NULL || instant_before(s->until, free_one->until)))
            free_one = s;
    }
    return free_one;
}

static int find(struct finder *f, uint8_t kind, uint64_t tag, struct bytes id, struct finder_found *out)
{
    int code = STORE_PENDING;
    struct instant now = clock_now(&f->clock);
    CHECK(id.size <= REQUEST_ID_BYTES_MAX);
    pthread_mutex_lock(&f->mutex);
    struct sought *s = place_of(f, kind, tag, id);
    bool same = s != NULL && is_same(s, kind, tag, id);
    if (s == NULL) {
        code = E_QUEUE;
    } else if (same && (s->state == SOUGHT_WAITS || s->state == SOUGHT_ASKED)) {
        code = STORE_PENDING;
    } else if (same && instant_before(now, s->until)) {
        code = s->state == SOUGHT_FOUND ? 0 : E_JOURNAL_AWAY;
        *out = s->found;
    } else {
        *s = (struct sought){.state = SOUGHT_WAITS, .kind = kind, .tag = tag, .id_size = (uint8_t)id.size};
        if (id.size > 0)
            memcpy(s->id, id.at, id.size);
        if (f->waiting == NULL)
            f->waiting = s;
        else
            f->last_waiting->next = s;
        f->last_waiting = s;
        pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->mutex);
    return code;
}

int finder_tag(struct finder *f, uint64_t tag, struct finder_found *out)
{
    return find(f, BY_TAG, tag, bytes_of(NULL, 0), out);
}

int finder_request(struct finder *f, struct bytes request_id, bool claims, struct finder_found *out)
{
    return find(f, claims ? BY_CLAIM : BY_REQUEST, 0, request_id, out);
}

/* 0 when it has been run, and its end was not told yet. */
static int errand(struct finder *f, enum errand_kind kind, const char *name)
{
    struct errand *e = &f->errand;
    int code = STORE_PENDING;
    struct instant now = clock_now(&f->clock);
    pthread_mutex_lock(&f->mutex);
    if (e->kind == kind && e->done && strcmp(e->name, name) == 0 && instant_before(now, e->until)) {
        code = e->code;
        e->kind = ERRAND_NONE;
    } else if (e->kind == ERRAND_NONE || e->done) { /* nobody came back for the one before */
        e->kind = kind;
        e->done = false;
        e->asked = true;
        snprintf(e->name, sizeof e->name, "%s", name);
        pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->mutex);
    return code;
}

int finder_list(struct finder *f, const char *after, const struct finder_journal **list, unsigned *count)
{
    int code = errand(f, ERRAND_LIST, after);
    *list = f->errand.journals;
    *count = f->errand.count;
    return code;
}

int finder_all(struct finder *f, const struct finder_journal **list, unsigned *count)
{
    int code = errand(f, ERRAND_ALL, "");
    *list = f->errand.journals;
    *count = f->errand.count;
    return code;
}

int finder_want(struct finder *f, const char *journal, bool *there)
{
    int code = errand(f, ERRAND_WANT, journal);
    *there = f->errand.there;
    return code;
}

int finder_open(const struct finder_options *options, struct finder **out, struct error_detail *detail)
{
    struct finder *f = calloc(1, sizeof *f);
    if (f == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    f->options = *options;
    CHECK(getrandom(f->key, sizeof f->key, 0) == (ssize_t)sizeof f->key);
    clock_init(&f->clock);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    const struct postgres_fleet_options database = {.conninfo = options->config->store,
                                                    .fleet = options->config->fleet,
                                                    .timeout = options->config->store_timeout,
                                                    .stop = stops,
                                                    .self = f};
    int code = postgres_fleet_create(&database, &f->db);
    if (code == 0 && pthread_create(&f->thread, NULL, run, f) != 0)
        code = E_SYSTEM;
    if (code != 0) {
        postgres_fleet_destroy(f->db);
        free(f);
        return error_set(detail, code, "", "a thread that looks for journals");
    }
    *out = f;
    return 0;
}

void finder_close(struct finder *f)
{
    if (f == NULL)
        return;
    pthread_mutex_lock(&f->mutex);
    f->stop = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    pthread_join(f->thread, NULL);
    postgres_fleet_destroy(f->db);
    pthread_mutex_destroy(&f->mutex);
    pthread_cond_destroy(&f->changed);
    free(f);
}
