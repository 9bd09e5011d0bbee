/* postgres_lease.c - who holds the journal: its row has a holder, an epoch, and on the server's clock the end of the lease.
 *
 * Each time the writer is connected it takes the journal, by a higher epoch: at the opening when nobody holds it, later when it is still ours.
 * So whatever a lost connection may have left at the server changes nothing any more, and the row tells which commits were kept. What a commit
 * or a renewal has prolonged counts from when it was sent, by a clock that goes on while the machine or the process sleeps; a part of the lease
 * before its end nothing is let out any more, until the server has said that it is still ours. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* Another's statement that holds the row longer than the lock's timeout. */
#define LOCKED_OUT "55P03"

#define ROW "id, epoch, seq, first_frame, last_frame, oldest_live, serial_max, audit_last, form, tries"

static uint64_t number_at(const PGresult *result, int column)
{
    return strtoull(PQgetvalue(result, 0, column), NULL, 10);
}

static int went_back(const struct postgres_store *s, const char *how, struct error_detail *detail)
{
    error_set(detail, E_JOURNAL, s->name, "the database went back in time (");
    error_append(detail, how);
    error_append(detail, "): put the one that has all commits in its place, the former primary or a later backup");
    return E_JOURNAL;
}

static int refuse_start(const struct postgres_store *s, const char *how, struct error_detail *detail)
{
    int code = went_back(s, how, detail);
    error_append(detail, ", or remove journal.seen");
    return code;
}

static int compare_witness(const struct postgres_store *s, uint64_t epoch, uint64_t seq, struct error_detail *detail)
{
    char how[96];
    if (!hold_went_back((struct hold_mark){epoch, seq}, (struct hold_mark){s->witness_epoch, s->witness_seq}))
        return 0;
    snprintf(how, sizeof how, "%" PRIu64 "/%" PRIu64 " was seen, it has %" PRIu64 "/%" PRIu64, s->witness_epoch,
             s->witness_seq, epoch, seq);
    return refuse_start(s, how, detail);
}

/* Whether the fleet has removed a journal of this name that had this epoch, or a later one. */
static bool was_removed(struct pg_link *l, PGconn *db, const struct postgres_store *s, uint64_t epoch)
{
    char state[6], text[24];
    struct error_detail ignored;
    snprintf(text, sizeof text, "%" PRIu64, epoch);
    const char *values[] = {s->name, text};
    PGresult *found = link_query(l, db, "select 1 from saga_gone where name = $1 and epoch >= $2::bigint limit 1", 2,
                                 values, state, &ignored);
    bool removed = found != NULL && PQntuples(found) > 0;
    PQclear(found);
    return removed;
}

/* Who stands in the way ends: its server process may wait for the end of a statement for ever, with the row locked. */
static void end_other(struct pg_link *l, PGconn *db, const struct postgres_store *s)
{
    const char *values[] = {s->name};
    char state[6];
    struct error_detail ignored;
    PQclear(link_query(
        l, db,
        "select pg_terminate_backend(pid::integer) from saga_journal where name = $1 and pid <> 0 and pid <> "
        "pg_backend_pid()",
        1, values, state, &ignored));
}

static int refused(const char *state, const struct postgres_store *s, struct pg_link *l, PGconn *db,
                   struct error_detail *detail)
{
    if (strcmp(state, LOCKED_OUT) == 0)
        end_other(l, db, s);
    if (strcmp(state, "42P01") == 0 || strcmp(state, "42703") == 0)
        return error_set(
            detail, E_JOURNAL_VERSION, "store",
            "the database has not the tables of this sagad: run sagad --migrate, or what sagad --print-sql "
            "prints (--print-sql=VERSION where there are those of an earlier one), by a role that may");
    if (strcmp(state, "42501") == 0) {
        struct error_detail why = *detail;
        error_set(detail, E_JOURNAL, "store", "the role may not: ");
        error_append(detail, why.text);
        return E_JOURNAL;
    }
    return STORE_PENDING;
}

/* ---- what the server promises ---- */

static int check_version(struct pg_link *l, PGconn *db, struct postgres_store *s, struct error_detail *detail)
{
    char state[6], text[160];
    PGresult *found = link_query(l, db, "select version, oldest from saga_schema", 0, NULL, state, detail);
    if (found == NULL)
        return refused(state, s, l, db, detail);
    uint64_t version = PQntuples(found) == 1 ? number_at(found, 0) : 0;
    uint64_t oldest = PQntuples(found) == 1 ? number_at(found, 1) : 0;
    PQclear(found);
    if (version >= PG_SCHEMA_VERSION && oldest <= PG_SCHEMA_VERSION)
        return 0;
    if (version < PG_SCHEMA_VERSION)
        snprintf(text, sizeof text,
                 "the tables have version %u and this sagad needs %u: run sagad --migrate, or what sagad "
                 "--print-sql=%u prints",
                 (unsigned)version, (unsigned)PG_SCHEMA_VERSION, (unsigned)version);
    else
        snprintf(
            text, sizeof text,
            "the tables have version %u, for a sagad that knows version %u or later, and this one knows %u: start a "
            "newer one",
            (unsigned)version, (unsigned)oldest, (unsigned)PG_SCHEMA_VERSION);
    return error_set(detail, E_JOURNAL_VERSION, "store", text);
}

/* A journal in which a newer sagad may have written what this one cannot read. */
static int refuse_form(const struct postgres_store *s, uint64_t form, struct error_detail *detail)
{
    char text[160];
    snprintf(text, sizeof text,
             "the journal is written in form %u, by a newer sagad, and this one reads up to %u: start a newer one",
             (unsigned)form, JOURNAL_FORM);
    return error_set(detail, E_JOURNAL_VERSION, s->name, text);
}

/* A setting that an engine does not have promises nothing, and is told as such. */
static int check_durability(struct pg_link *l, PGconn *db, struct postgres_store *s, struct error_detail *detail)
{
    static const char ask[] = "select coalesce(current_setting('fsync', true), '?'), "
                              "coalesce(current_setting('full_page_writes', true), '?'), "
                              "coalesce(current_setting('synchronous_commit', true), '?'), "
                              "coalesce(current_setting('synchronous_standby_names', true), ''), "
                              "coalesce(current_setting('data_checksums', true), '?'), pg_is_in_recovery()";
    char state[6];
    PGresult *found = link_query(l, db, ask, 0, NULL, state, detail);
    if (found == NULL)
        return STORE_PENDING;
    const char *fsync = PQgetvalue(found, 0, 0), *pages = PQgetvalue(found, 0, 1);
    const char *commit = PQgetvalue(found, 0, 2), *standbys = PQgetvalue(found, 0, 3);
    int code = 0;
    if (strcmp(PQgetvalue(found, 0, 5), "t") == 0) {
        error_set(detail, E_JOURNAL_AWAY, "store", "the database server is a standby, which takes no commits");
        code = STORE_PENDING;
    } else if (strcmp(fsync, "off") == 0 || strcmp(pages, "off") == 0) {
        code = error_set(detail, E_JOURNAL, "store",
                         "the database server runs with fsync or full_page_writes off: it could lose what it calls "
                         "durable; turn them on");
    }
    /* The session raises off and local to on. */
    bool raised = strcmp(commit, "off") == 0 || strcmp(commit, "local") == 0;
    if (!s->taken)
        snprintf(s->promise, sizeof s->promise,
                 "fsync=%s full_page_writes=%s synchronous_commit=%s standbys=%.60s checksums=%s", fsync, pages,
                 raised ? "on" : commit, standbys[0] == '\0' ? "none" : standbys, PQgetvalue(found, 0, 4));
    PQclear(found);
    return code;
}

/* Of a journal that lacks what was acknowledged others know nothing, who could take it over when we are gone: it waits for a person, as one does that has
 * ended whoever took it. */
static void leave_to_a_person(struct pg_link *l, PGconn *db, const struct postgres_store *s)
{
    const char *values[] = {s->name};
    char state[6];
    struct error_detail ignored;
    PQclear(link_query(l, db, "update saga_journal set tries = " LEFT " where name = $1", 1, values, state, &ignored));
}

/* ---- taking ---- */

/* As for files: a saga is looked for in its id's loop, and a request_id by its hash, so that with another number of loops they would not be found.
 * The journals are made from the last to the first, so where there is loop 0's, there are all. */
static int check_loops(struct pg_link *l, PGconn *db, struct postgres_store *s, struct error_detail *detail)
{
    const char *values[] = {s->first};
    char state[6], text[sizeof detail->text];
    PGresult *found =
        link_query(l, db,
                   "select coalesce(max(k), -1) + 1, coalesce(min(k), 1) from generate_series(0, 63) as k "
                   "join saga_journal on name = $1 || case when k = 0 then '' else '/' || k::text end",
                   1, values, state, detail);
    if (found == NULL)
        return refused(state, s, l, db, detail);
    unsigned made = (unsigned)number_at(found, 0);
    bool whole = number_at(found, 1) == 0;
    PQclear(found);
    if (made == s->loops || made == 0 || (!whole && made < s->loops))
        return 0;
    snprintf(text, sizeof text,
             "the journal %.60s was made with loops: %u, and cannot be used with %u: write loops: %u, or begin with "
             "another store_journal",
             s->first, made, s->loops, made);
    return error_set(detail, E_ARGUMENT, "loops", text);
}

/* Takes the journal at the opening. */
static PGresult *take_first(struct pg_link *l, PGconn *db, struct postgres_store *s, const char *lease_ms,
                            char state[6], struct error_detail *detail)
{
    const char *name[] = {s->name};
    /* Another's is there, or is not to be had any more. One that was removed goes on in epochs, so that what was seen of it is told from what is. */
    PGresult *made =
        s->guest
            ? NULL
            : link_query(
                  l, db,
                  "insert into saga_journal(name, holder, taker, pid, epoch, seq, expires_at, first_frame, "
                  "last_frame, oldest_live, serial_max, audit_last) select $1, '', '', 0, coalesce(max(epoch), 0), "
                  "0, clock_timestamp(), 0, 0, 0, 0, 0 from saga_gone where name = $1 on conflict (name) do nothing",
                  1, name, state, detail);
    if (made == NULL && !s->guest)
        return NULL;
    PQclear(made);
    const char *values[] = {s->name,
                            s->holder,
                            lease_ms,
                            s->taker,
                            s->carrier,
                            s->address,
                            s->fleet,
                            s->guest ? NULL : s->needs,
                            NUMBER(JOURNAL_FORM),
                            s->witness_epoch == 0 ? NULL : ""};
    return link_query(
        l, db,
        "update saga_journal set epoch = epoch + 1, holder = $2, taker = $4, pid = pg_backend_pid(), carrier = $5, "
        "address = $6, fleet = $7, needs = coalesce($8::text, needs), form = greatest(form, $9::bigint), "
        "tries = case when $8::text is null then tries + 1 "
        "when tries >= " LEFT " and $10::text is not null then tries else 0 end, "
        "expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond' "
        "where name = $1 and (holder = $2 or holder = '' or expires_at < clock_timestamp()) and "
        "($8::text is not null or wanted_until < clock_timestamp()) and form <= $9::bigint returning " ROW,
        10, values, state, detail);
}

/* Takes it again: nobody else has taken it since. An earlier try may have done so without our hearing of it, so the epoch says nothing. */
static PGresult *take_again(struct pg_link *l, PGconn *db, struct postgres_store *s, const char *lease_ms,
                            char state[6], struct error_detail *detail)
{
    const char *values[] = {s->name, s->taker, lease_ms};
    return link_query(l, db,
                      "update saga_journal set epoch = epoch + 1, pid = pg_backend_pid(), "
                      "expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond' "
                      "where name = $1 and taker = $2 returning " ROW,
                      3, values, state, detail);
}

/* A sidecar that looks after it meanwhile gives it back when it hears this. */
#define WANTED_S "5"

static void want_back(struct pg_link *l, PGconn *db, const struct postgres_store *s)
{
    const char *values[] = {s->name};
    char state[6];
    struct error_detail ignored;
    PQclear(link_query(l, db,
                       "update saga_journal set wanted_until = clock_timestamp() + " WANTED_S " * interval '1 second' "
                       "where name = $1 and carrier <> name",
                       1, values, state, &ignored));
}

/* It was not to be had: who has it? */
static int tell_other(struct pg_link *l, PGconn *db, struct postgres_store *s, struct error_detail *detail)
{
    const char *values[] = {s->name};
    char state[6], text[sizeof detail->text];
    PGresult *found =
        link_query(l, db,
                   "select epoch, seq, holder, ceil(extract(epoch from expires_at - clock_timestamp())), form from "
                   "saga_journal where name = $1",
                   1, values, state, detail);
    if (found == NULL)
        return STORE_PENDING;
    int code;
    if (s->taken && PQntuples(found) == 0 && was_removed(l, db, s, link_epoch(l))) {
        code =
            error_set(detail, E_JOURNAL_FENCED, s->name,
                      "the fleet has removed the journal, since nobody held it for longer than what it had was kept");
    } else if (!s->taken && PQntuples(found) == 0) { /* just now */
        code = error_set(detail, E_JOURNAL_LOCKED, s->name, "the fleet has removed the journal");
        code = s->guest ? code : STORE_PENDING;
    } else if (s->taken && (PQntuples(found) == 0 || number_at(found, 0) < link_epoch(l))) {
        code = went_back(s, "it does not know the epoch that it gave", detail);
    } else if (s->taken) {
        snprintf(text, sizeof text, "another sidecar (%.90s) has taken the journal", PQgetvalue(found, 0, 2));
        code = error_set(detail, E_JOURNAL_FENCED, s->name, text);
    } else if (PQntuples(found) == 1 && number_at(found, 4) > JOURNAL_FORM) {
        code = refuse_form(s, number_at(found, 4), detail);
    } else {
        snprintf(text, sizeof text,
                 "another sidecar (%.90s) holds it for %.12s s more, unless it renews: stop it, or name another "
                 "store_journal",
                 PQgetvalue(found, 0, 2), PQgetvalue(found, 0, 3));
        error_set(detail, E_JOURNAL_LOCKED, s->name, text);
        atomic_store(&s->locked_out, true);
        code = s->guest ? E_JOURNAL_LOCKED : STORE_PENDING;
        if (!s->guest)
            want_back(l, db, s);
    }
    PQclear(found);
    return code;
}

/* What the row says, at the opening. */
static int note_first(struct pg_link *l, PGconn *db, struct postgres_store *s, const PGresult *row, uint64_t epoch,
                      struct error_detail *detail)
{
    s->journal = number_at(row, 0);
    s->seq = number_at(row, 2);
    s->settled = s->seq;
    s->found = (struct store_state){
        .first_frame = number_at(row, 3),
        .last_frame = number_at(row, 4),
        .oldest_live_frame = number_at(row, 5),
        .serial_max = number_at(row, 6),
        .audit_last = number_at(row, 7),
        .epoch = epoch,
    };
    int code = compare_witness(s, epoch, s->seq, detail);
    if (code != 0 && was_removed(l, db, s, s->witness_epoch))
        code = 0;
    if (code == 0 && s->witness_epoch != 0 && number_at(row, 9) >= LEFT_TO_A_PERSON)
        code = refuse_start(s, "the last that had the journal has acknowledged commits that are gone", detail);
    return code;
}

int lease_take(void *self, struct pg_link *l, PGconn *db, struct pg_taken *taken, struct error_detail *detail)
{
    struct postgres_store *s = self;
    char lease_ms[24], state[6];
    int code = check_version(l, db, s, detail);
    if (code == 0)
        code = check_durability(l, db, s, detail);
    if (code == 0 && s->loops > 0 && !s->taken)
        code = check_loops(l, db, s, detail);
    PGresult *set = code == 0 ? link_query(l, db, "set lock_timeout = '500ms'", 0, NULL, state, detail) : NULL;
    PQclear(set);
    if (code != 0 || set == NULL)
        return code != 0 ? code : STORE_PENDING;
    snprintf(lease_ms, sizeof lease_ms, "%" PRId64, s->lease.us / 1000);
    taken->renewed_us = pg_now();
    PGresult *row = (s->taken ? take_again : take_first)(l, db, s, lease_ms, state, detail);
    if (row == NULL)
        return refused(state, s, l, db, detail);
    if (PQntuples(row) == 0) {
        PQclear(row);
        return tell_other(l, db, s, detail);
    }
    taken->epoch = number_at(row, 1);
    taken->seq = number_at(row, 2);
    const uint64_t kept = link_kept(l), settled = atomic_load(&s->settled);
    const struct hold_mark now = {taken->epoch, taken->seq},
                           seen = {link_epoch(l) + 1, kept > settled ? kept : settled};
    if (!s->taken)
        code = note_first(l, db, s, row, taken->epoch, detail);
    else if (hold_went_back(now, seen))
        code = went_back(s, "commits that it has acknowledged are gone", detail);
    PQclear(row);
    if (code != 0)
        leave_to_a_person(l, db, s);
    s->taken = s->taken || code == 0;
    return code;
}

int lease_look(void *self, struct pg_link *l, PGconn *db, struct pg_taken *taken, struct error_detail *detail)
{
    struct postgres_store *s = self;
    const char *values[] = {s->name};
    char state[6];
    int code = check_version(l, db, s, detail);
    PGresult *begun =
        code == 0 ? link_query(l, db, "begin isolation level repeatable read read only", 0, NULL, state, detail) : NULL;
    PQclear(begun);
    if (code != 0 || begun == NULL)
        return code != 0 ? code : STORE_PENDING;
    PGresult *row = link_query(l, db, "select " ROW " from saga_journal where name = $1", 1, values, state, detail);
    if (row == NULL)
        return refused(state, s, l, db, detail);
    if (PQntuples(row) == 1 && number_at(row, 8) > JOURNAL_FORM)
        code = refuse_form(s, number_at(row, 8), detail);
    else if (PQntuples(row) == 1)
        code = note_first(l, db, s, row, taken->epoch = number_at(row, 1), detail);
    else
        code = error_set(detail, E_ARGUMENT, "store_journal", "the database has no journal of this name");
    PQclear(row);
    return code;
}

/* ---- holding ---- */

static int64_t valid_until(const struct postgres_store *s)
{
    return hold_until(link_renewed(s->writer), s->lease);
}

/* Asks for the lease to be prolonged, when that is due and not under way. */
static void renew(struct postgres_store *s)
{
    if (s->renewal != NULL && link_ask(s->writer, s->renewal, 0) != PG_JOB_WAITING) {
        job_free(s->renewal);
        s->renewal = NULL;
    }
    if (s->renewal != NULL || !hold_is_old(pg_now(), link_renewed(s->writer), s->lease))
        return;
    struct pg_job *job = job_create(PG_RENEW);
    if (job == NULL)
        return;
    job_number(job, s->journal);
    job_number(job, 0);
    job_number(job, (uint64_t)s->lease.us / 1000);
    job_number(job, atomic_load(&s->live));
    if (link_submit(s->writer, job) == 0)
        s->renewal = job;
}

int postgres_store_holds(struct store *face, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    int code;
    if (s->broken != 0) {
        *detail = s->why;
        return s->broken;
    }
    if (s->writer == NULL) /* it only looks */
        return 0;
    renew(s);
    if (link_state(s->writer, &code, &s->why) == PG_LINK_DEAD) {
        s->broken = code;
        *detail = s->why;
        return code;
    }
    if (pg_now() < valid_until(s))
        return 0;
    error_set(detail, E_JOURNAL_AWAY, s->name, "the lease of the journal could not be renewed in time");
    if (s->why.text[0] != '\0') {
        error_append(detail, ": ");
        error_append(detail, s->why.text);
    }
    return E_JOURNAL_AWAY;
}

int postgres_store_check(struct store *face, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    s->serving = true;
    postgres_filter_turn(s);
    int code = postgres_store_holds(face, detail);
    return code == E_JOURNAL_AWAY ? 0 : code;
}

/* ---- the witness ---- */

#define WITNESS_FORMAT "%020" PRIu64 " %020" PRIu64 "\n"

int witness_open(struct postgres_store *s, const char *path, struct error_detail *detail)
{
    char text[64] = "";
    s->witness_fd = -1;
    if (path == NULL)
        return 0;
    s->witness_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->witness_fd < 0)
        return error_set(detail, E_JOURNAL, path, strerror(errno));
    ssize_t size = pread(s->witness_fd, text, sizeof text - 1, 0);
    if (size > 0 && sscanf(text, "%" SCNu64 " %" SCNu64, &s->witness_epoch, &s->witness_seq) != 2)
        return error_set(detail, E_JOURNAL, path, "it does not tell how far the journal had come: remove it");
    return 0;
}

/* Not synced: it is for whoever starts on this machine again, and a machine that lost power has a witness that is a little behind. */
void witness_write(struct postgres_store *s)
{
    char text[64];
    CHECK(s->settled <= s->seq && s->epoch > 0);
    if (s->witness_fd < 0)
        return;
    int size = snprintf(text, sizeof text, WITNESS_FORMAT, s->epoch, s->settled);
    CHECK(size > 0 && size < (int)sizeof text);
    (void)!pwrite(s->witness_fd, text, (size_t)size, 0);
}
