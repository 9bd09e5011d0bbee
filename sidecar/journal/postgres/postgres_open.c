/* postgres_open.c - opening and closing; the tables made and brought up to date. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define LOOK_EVERY_US INT64_C(200000) /* at whoever waits for the journal */
/* A million bytes: one in fifty asks in vain with a million request_ids in it. */
#define FILTER_BITS (UINT64_C(1) << 23)

int postgres_store_check_conninfo(const char *conninfo, struct error_detail *detail)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &why);
    if (options == NULL) {
        error_set(detail, E_ARGUMENT, "store", "libpq cannot read it");
        PQfreemem(why); /* it may repeat a password */
        return E_ARGUMENT;
    }
    bool password = false;
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
        password |= (strcmp(o->keyword, "password") == 0 || strcmp(o->keyword, "sslpassword") == 0) && o->val != NULL;
    PQconninfoFree(options);
    return password
               ? error_set(detail, E_ARGUMENT, "store",
                           "no password may stand in it: name a file of passwords (passfile=), or use certificates")
               : 0;
}

const char *postgres_store_promise(const struct store *store)
{
    return ((const struct postgres_store *)store)->promise;
}

/* ---- the tables ---- */

/* Takes SQL in several statements, as one transaction. */
static int run(PGconn *db, const char *sql, struct span timeout, struct error_detail *detail)
{
    PGresult *result = PQsendQuery(db, sql) == 1 ? connection_answer(db, pg_now() + timeout.us, NULL, NULL) : NULL;
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!good) {
        connection_error(db, detail);
        PQclear(result);
        return E_JOURNAL;
    }
    PQclear(result);
    return 0;
}

/* A number; 0 where there is no such table. */
static int ask_number(PGconn *db, const char *sql, struct span timeout, unsigned *number, struct error_detail *detail)
{
    PGresult *result = PQsendQuery(db, sql) == 1 ? connection_answer(db, pg_now() + timeout.us, NULL, NULL) : NULL;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    int code = 0;
    *number = 0;
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        *number = PQntuples(result) == 1 ? (unsigned)strtoul(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    else if (state == NULL || strcmp(state, "42P01") != 0)
        connection_error(db, detail), code = E_JOURNAL;
    PQclear(result);
    return code;
}

static int migrate_to(PGconn *db, unsigned version, struct span timeout, struct error_detail *detail)
{
    char room[SCHEMA_MIGRATED_SIZE];
    int code = run(db, SCHEMA_BEGIN, timeout, detail);
    if (code == 0)
        code = run(db, schema_migration(version), timeout, detail);
    if (code == 0)
        code = run(db, schema_migrated(version, room), timeout, detail);
    return code != 0 ? code : run(db, "commit", timeout, detail);
}

static int migrate_from(PGconn *db, unsigned version, struct span timeout, FILE *out, struct error_detail *detail)
{
    static const char who[] = "select count(*) from saga_journal where holder <> '' and expires_at > clock_timestamp()";
    unsigned held = 0, oldest = 0;
    int code = ask_number(db, who, timeout, &held, detail);
    for (unsigned to = version + 1; code == 0 && to <= PG_SCHEMA_VERSION; to++) {
        code = migrate_to(db, to, timeout, detail);
        oldest = schema_oldest(to);
    }
    if (code != 0)
        return code;
    fprintf(out, "The tables have version %u now; they had %u.\n", (unsigned)PG_SCHEMA_VERSION, version);
    if (held > 0 && oldest > version)
        fprintf(out, "Journals that were held: %u. Sidecars that know no version from %u on end now.\n", held, oldest);
    else if (held > 0)
        fprintf(out, "Journals that were held: %u. Sidecars that know a version from %u on go on.\n", held, oldest);
    return 0;
}

/* Newer tables, which may be good for this sagad. */
static int tell_newer(PGconn *db, unsigned version, struct span timeout, FILE *out, struct error_detail *detail)
{
    unsigned oldest;
    int code = ask_number(db, "select oldest from saga_schema", timeout, &oldest, detail);
    if (code == 0 && oldest > PG_SCHEMA_VERSION)
        code = error_set(detail, E_JOURNAL_VERSION, "store",
                         "the tables are of a newer sagad, and not for this one any more");
    if (code == 0)
        fprintf(out, "The tables have version %u, of a newer sagad, and are good for this one, which knows %u.\n",
                version, (unsigned)PG_SCHEMA_VERSION);
    return code;
}

int postgres_store_migrate(const char *conninfo, struct span timeout, FILE *out, struct error_detail *detail)
{
    unsigned version;
    PGconn *db = connection_open(conninfo, pg_now() + timeout.us, NULL, NULL, detail);
    if (db == NULL)
        return E_JOURNAL;
    int code = ask_number(db, "select version from saga_schema", timeout, &version, detail);
    if (code == 0 && version > PG_SCHEMA_VERSION)
        code = tell_newer(db, version, timeout, out, detail);
    else if (code == 0 && version == PG_SCHEMA_VERSION)
        fprintf(out, "The tables have version %u already.\n", version);
    else if (code == 0)
        code = migrate_from(db, version, timeout, out, detail);
    PQfinish(db);
    return code;
}

/* ---- open and close ---- */

/* By the links' threads. */
static void wake_owner(void *self)
{
    struct postgres_store *s = self;
    pthread_mutex_lock(&s->wake_mutex);
    if (s->wake != NULL)
        s->wake(s->wake_self);
    pthread_mutex_unlock(&s->wake_mutex);
}

static void close_store(struct store *face)
{
    struct postgres_store *s = (struct postgres_store *)face;
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->on_the_way_count; i++)
        link_forget(s->writer, s->on_the_way[i].job);
    if (s->renewal != NULL)
        link_forget(s->writer, s->renewal);
    /* Whoever comes next need not wait for the lease to end. */
    struct pg_job *job =
        s->epoch != 0 && link_state(s->writer, NULL, NULL) == PG_LINK_UP ? job_create(PG_GIVE_UP) : NULL;
    if (job != NULL) {
        job_number(job, s->journal);
        job_number(job, 0);
        job_number(job, atomic_load(&s->live));
        if (link_submit(s->writer, job) == 0) {
            link_ask(s->writer, job, pg_now() + s->timeout.us);
            link_forget(s->writer, job);
        }
    }
    for (unsigned i = 0; i < s->lookup_count; i++)
        link_forget(s->reader, s->lookups[i].job);
    looks_forget(s);
    postgres_filter_finish(s);
    link_close(s->writer);
    link_close(s->reader);
    ended_forget(s);
    postgres_cache_finish(s);
    if (s->witness_fd >= 0)
        close(s->witness_fd);
    PQclear(s->shown);
    free(s->conninfo);
    free(s->name);
    free(s->first);
    free(s->holder);
    free(s->fleet);
    free(s->carrier);
    free(s->address);
    free(s->needs);
    pthread_mutex_destroy(&s->wake_mutex);
    free(s);
}

/* Until the journal is ours, for as long as the patience lasts and whoever waits goes on. */
static enum pg_link_state wait_for_journal(struct postgres_store *s, const struct postgres_store_options *options,
                                           int *code, struct error_detail *detail)
{
    int64_t until_us = pg_now() + options->patience.us;
    for (;;) {
        int64_t look_us = pg_now() + LOOK_EVERY_US;
        enum pg_link_state state = link_wait(s->writer, look_us < until_us ? look_us : until_us, code, detail);
        if (state != PG_LINK_DOWN || look_us >= until_us)
            return state;
        if (options->waits != NULL && !options->waits(options->self, detail->text)) {
            *code = error_set(detail, E_STOPPING, "", NULL);
            return PG_LINK_DEAD;
        }
    }
}

static int start(struct postgres_store *s, const struct postgres_store_options *options, struct error_detail *detail)
{
    const struct pg_link_options writer = {.conninfo = s->conninfo,
                                           .writer = true,
                                           .timeout = s->timeout,
                                           .ready = lease_take,
                                           .wake = wake_owner,
                                           .self = s};
    const struct pg_link_options reader = {
        .conninfo = s->conninfo, .timeout = s->timeout, .wake = wake_owner, .self = s};
    uint64_t chance[3];
    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
        return error_set(detail, E_SYSTEM, "", "random numbers");
    request_filter_open(&s->filter, FILTER_BITS, chance + 1);
    CHECK(strlen(options->program) <= POSTGRES_PROGRAM_BYTES_MAX && strchr(options->program, ' ') == NULL);
    snprintf(s->taker, sizeof s->taker, "%016" PRIx64 " %s", chance[0], options->program);
    int code = witness_open(s, options->witness, detail);
    if (code == 0 && (code = link_open(&writer, &s->writer)) != 0)
        error_set(detail, code, "", "a thread for the database");
    if (code != 0)
        return code;
    switch (wait_for_journal(s, options, &code, detail)) {
    case PG_LINK_UP:
        break;
    case PG_LINK_DEAD:
        return code;
    default:
        return atomic_load(&s->locked_out) ? E_JOURNAL_LOCKED : E_JOURNAL;
    }
    if ((code = link_open(&reader, &s->reader)) != 0)
        return error_set(detail, code, "", "a thread for the database");
    if (link_wait(s->reader, pg_now() + options->patience.us, NULL, detail) != PG_LINK_UP)
        return E_JOURNAL;
    return size_count(s, detail);
}

static void tell(struct store *face, void (*wake)(void *self), void *self)
{
    struct postgres_store *s = (struct postgres_store *)face;
    pthread_mutex_lock(&s->wake_mutex);
    s->wake = wake;
    s->wake_self = self;
    pthread_mutex_unlock(&s->wake_mutex);
}

static uint64_t first_frame(struct store *face)
{
    return ((struct postgres_store *)face)->first_frame;
}

static const struct store functions = {
    .commit = postgres_store_commit,
    .settle = postgres_store_settle,
    .holds = postgres_store_holds,
    .tell = tell,
    .is_tight = postgres_store_is_tight,
    .check = postgres_store_check,
    .first_frame = first_frame,
    .scan = postgres_store_scan,
    .read_frame = postgres_store_read_frame,
    .find_ended = postgres_store_find_ended,
    .find_request = postgres_store_find_request,
    .list_ended = postgres_store_list_ended,
    .scan_definitions = postgres_store_scan_definitions,
    .scan_subjects = postgres_store_scan_subjects,
    .drop = postgres_store_drop,
    .drop_claims = postgres_store_drop_claims,
    .scan_audit = postgres_store_scan_audit,
    .drop_audit = postgres_store_drop_audit,
    .verify = postgres_store_verify,
    .close = close_store,
};

static void init(struct postgres_store *s)
{
    s->face = functions;
    pthread_mutex_init(&s->wake_mutex, NULL);
    s->witness_fd = -1;
    atomic_store(&s->live, POSTGRES_LIVE_UNKNOWN);
}

/* As the row said when it was taken, or looked at. */
static void take_found(struct postgres_store *s)
{
    s->first_frame = s->found.first_frame;
    s->last_frame = s->handed_last_frame = s->found.last_frame;
    s->oldest_live = s->found.oldest_live_frame;
    s->serial_max = s->found.serial_max;
}

int postgres_store_open(const struct postgres_store_options *options, struct store **out, struct store_state *state,
                        struct error_detail *detail)
{
    struct postgres_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(detail, E_MEMORY, NULL, NULL);
    init(s);
    s->lease = options->lease;
    s->timeout = options->timeout;
    s->bytes_max = options->bytes_max;
    s->bytes_tight = size_tight(options->bytes_max, options->commit_bytes_max);
    s->conninfo = strdup(options->conninfo);
    s->name = strdup(options->journal);
    s->first = strdup(options->loops == 0 ? "" : options->first);
    s->loops = options->loops;
    s->holder = strdup(options->holder);
    s->fleet = strdup(options->fleet);
    s->carrier = strdup(options->carrier);
    s->address = strdup(options->address);
    s->needs = strdup(options->needs);
    bool whole = s->conninfo != NULL && s->name != NULL && s->first != NULL && s->holder != NULL && s->fleet != NULL &&
                 s->carrier != NULL && s->address != NULL && s->needs != NULL;
    s->guest = whole && strcmp(s->carrier, s->name) != 0;
    int code = whole ? start(s, options, detail) : error_set(detail, E_MEMORY, NULL, NULL);
    if (code != 0) {
        close_store(&s->face);
        return code;
    }
    s->epoch = s->found.epoch;
    take_found(s);
    witness_write(s);
    postgres_filter_turn(s);
    postgres_check(s);
    *state = s->found;
    *out = &s->face;
    return 0;
}

int postgres_store_look(const char *conninfo, const char *journal, struct span timeout, struct store **out,
                        struct store_state *state, struct error_detail *detail)
{
    struct postgres_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(detail, E_MEMORY, NULL, NULL);
    init(s);
    s->lease = s->timeout = timeout;
    s->conninfo = strdup(conninfo);
    s->name = strdup(journal);
    const struct pg_link_options reader = {.conninfo = s->conninfo, .timeout = timeout, .ready = lease_look, .self = s};
    bool whole = s->conninfo != NULL && s->name != NULL;
    int code = whole ? link_open(&reader, &s->reader) : E_MEMORY;
    if (code != 0)
        error_set(detail, code, "", "a thread for the database");
    else if (link_wait(s->reader, pg_now() + timeout.us, &code, detail) != PG_LINK_UP && code == 0)
        code = E_JOURNAL;
    if (code != 0) {
        close_store(&s->face);
        return code;
    }
    take_found(s);
    *state = s->found;
    *out = &s->face;
    return 0;
}

void postgres_store_tell_live(struct store *store, uint64_t live)
{
    atomic_store(&((struct postgres_store *)store)->live, live);
}
