/* sqlite_open.c - opening the database, taking it for this process alone, checking it; closing it.
 *
 * SQLite's exclusive locking mode keeps every other connection out for as long as ours lives, and needs no shared memory. The lock file
 * beside it says sooner, and by process number, who has it. The system lets go of both when the process dies, however it dies. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_failed(const char *path, const char *doing, int number, struct error_detail *detail)
{
    char text[160];
    char reason[64];
    snprintf(text, sizeof text, "%s: %s", doing, strerror_r(number, reason, sizeof reason));
    return error_set(detail, E_JOURNAL, path, text);
}

/* ---- the lock file ---- */

static int tell_locked(const char *path, int fd, struct error_detail *detail)
{
    char owner[24] = "";
    ssize_t size = pread(fd, owner, sizeof owner - 1, 0);
    long process = size > 0 ? strtol(owner, NULL, 10) : 0;
    if (process > 0) {
        char text[160];
        snprintf(text, sizeof text, "another process (%ld) uses this journal; stop it, or name another data directory",
                 process);
        return error_set(detail, E_JOURNAL_LOCKED, path, text);
    }
    return error_set(detail, E_JOURNAL_LOCKED, path,
                     "another process uses this journal; stop it, or name another data directory");
}

static int take_lock(struct sqlite_store *s, struct error_detail *detail)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s.lock", s->path) >= (int)sizeof path)
        return error_set(detail, E_JOURNAL, s->path, "the path is too long");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return system_failed(path, "the lock file cannot be opened", errno, detail);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? tell_locked(s->path, s->lock_fd, detail)
                                    : system_failed(path, "the lock cannot be taken", errno, detail);
    /* The number is for people: a disk too full to hold it does not keep the sidecar from starting. */
    if (ftruncate(s->lock_fd, 0) == 0)
        dprintf(s->lock_fd, "%ld\n", (long)getpid());
    return 0;
}

/* ---- the database ---- */

int inside_open_failed(struct sqlite_store *s, int rc, const char *doing, struct error_detail *detail)
{
    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
        return error_set(detail, E_JOURNAL_LOCKED, s->path,
                         "another process uses this journal; stop it, or name another data directory");
    if (inside_is_full(s, rc))
        return error_set(
            detail, E_JOURNAL_FULL, s->path,
            "there is no room to open the journal: the disk, or what the system lets a file grow to (ulimit -f), is "
            "full");
    return inside_fail(s, rc, doing, detail);
}

/* SQLite would make the file readable for everybody; its log takes over the file's mode. */
static int make_private(const char *path, struct error_detail *detail)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : system_failed(path, "the journal cannot be made", errno, detail);
    close(fd);
    return 0;
}

static int set_pragma(sqlite3 *db, const char *name, uint64_t value)
{
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA %s = %llu", name, (unsigned long long)value);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int keep_mode(void *self, int count, char **values, char **names)
{
    (void)names;
    bool *is_wal = self;
    *is_wal = count == 1 && values[0] != NULL && strcmp(values[0], "wal") == 0;
    return 0;
}

/* What holds before the first look into the file. A new database is turned to WAL by way of a rollback journal; EXTRA syncs the folder
 * once that is deleted, lest it come back after a power cut and undo the whole database. */
static int configure_first(struct sqlite_store *s, struct error_detail *detail)
{
    int rc = sqlite3_exec(s->db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = EXTRA", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : inside_open_failed(s, rc, "opening the journal", detail);
}

/* Refuses what is not a journal, or a newer one, before anything in it is touched. */
static int check_owner(struct sqlite_store *s, struct error_detail *detail)
{
    struct schema_look look;
    int rc = schema_look(s->db, &look);
    if (rc != SQLITE_OK)
        return inside_open_failed(s, rc, "opening the journal", detail);
    if (!look.ours)
        return error_set(
            detail, E_JOURNAL_CORRUPT, s->path,
            "this is the SQLite database of another program, and was left as it is; name another data directory");
    if (!look.fresh && look.version < 1)
        return inside_corrupt(s->path, "the journal's schema has no version", detail);
    if (look.version > SCHEMA_VERSION) {
        char text[160];
        snprintf(text, sizeof text,
                 "the journal has schema %d and this sagad knows %d; start the sagad that wrote it, or a newer one",
                 look.version, SCHEMA_VERSION);
        return error_set(detail, E_JOURNAL_VERSION, s->path, text);
    }
    s->schema_version = look.version;
    return 0;
}

void inside_upgrading(const struct sqlite_store *s, bool request_ids, uint64_t in_table)
{
    const struct sqlite_upgrade upgrade = {
        .from = s->schema_version, .to = SCHEMA_VERSION, .request_ids = request_ids, .in_table = in_table};
    if (s->upgrading != NULL && s->schema_version != 0)
        s->upgrading(s->upgrading_self, &upgrade);
}

int sqlite_store_schema_now(void)
{
    return SCHEMA_VERSION;
}

int sqlite_store_schema(const char *path)
{
    char log[4096];
    struct stat st;
    uint8_t header[100];
    if (snprintf(log, sizeof log, "%s-wal", path) >= (int)sizeof log || (stat(log, &st) == 0 && st.st_size > 0))
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is = fd >= 0 && pread(fd, header, sizeof header, 0) == (ssize_t)sizeof header &&
              memcmp(header, "SQLite format 3", 16) == 0;
    if (fd >= 0)
        close(fd);
    /* Big-endian, where SQLite keeps user_version (https://www.sqlite.org/fileformat2.html). */
    return is ? header[60] << 24 | header[61] << 16 | header[62] << 8 | header[63] : 0;
}

static int migrate(struct sqlite_store *s, struct error_detail *detail)
{
    if (s->schema_version < SCHEMA_VERSION)
        inside_upgrading(s, false, 0);
    int rc = schema_migrate(s->db, s->schema_version);
    return rc == SQLITE_OK ? 0 : inside_open_failed(s, rc, "making the journal's tables", detail);
}

/* What is set once the file is known to be ours. */
static int configure(struct sqlite_store *s, struct error_detail *detail)
{
    static const char *const settings[] = {
        "PRAGMA page_size = 4096",
        "PRAGMA cell_size_check = ON",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA temp_store = MEMORY",
        /* Dropped pages are not overwritten with zeros: that would write every byte that retention drops once more. */
        "PRAGMA secure_delete = OFF",
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && rc == SQLITE_OK; i++)
        rc = sqlite3_exec(s->db, settings[i], NULL, NULL, NULL);
    bool is_wal = false;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", keep_mode, &is_wal, NULL);
    if (rc != SQLITE_OK)
        return inside_open_failed(s, rc, "opening the journal", detail);
    if (!is_wal)
        return error_set(detail, E_JOURNAL, s->path, "this file system cannot hold a write-ahead log");

    rc = sqlite3_exec(s->db, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = set_pragma(s->db, "journal_size_limit", UINT64_C(4) * s->checkpoint_pages * PAGE_SIZE);
    return rc == SQLITE_OK ? 0 : inside_open_failed(s, rc, "opening the journal", detail);
}

/* SQLite tells the length of the log after each commit. */
static int note_wal_pages(void *self, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct sqlite_store *)self)->wal_pages = (uint32_t)pages;
    return SQLITE_OK;
}

/* A process that was killed between writing its log and syncing it leaves a commit that can be read but is not yet durable. What we
 * are about to act on must be, so the log is synced and copied into the database first. */
static int settle_log(struct sqlite_store *s, struct error_detail *detail)
{
    int rc = sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    /* The log is synced before it is copied; on a full disk that is enough. */
    if (rc == SQLITE_OK || inside_is_full(s, rc))
        return 0;
    return inside_open_failed(s, rc, "settling the write-ahead log", detail);
}

static int prepare(struct sqlite_store *s, struct error_detail *detail)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        int rc =
            sqlite3_prepare_v3(s->db, schema_statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
        /* The tables are not those that the schema's number promises. */
        if ((rc & 0xff) == SQLITE_ERROR)
            return inside_corrupt(s->path, sqlite3_errmsg(s->db), detail);
        if (rc != SQLITE_OK)
            return inside_open_failed(s, rc, "reading the journal's tables", detail);
    }
    return 0;
}

/* ---- what it holds ---- */

static int read_frame_bounds(struct sqlite_store *s, struct error_detail *detail)
{
    sqlite3_stmt *bounds = inside_statement(s, SQL_FRAME_BOUNDS);
    int rc = sqlite3_step(bounds);
    if (rc == SQLITE_ROW) {
        s->first_frame = (uint64_t)sqlite3_column_int64(bounds, 0);
        s->last_frame = (uint64_t)sqlite3_column_int64(bounds, 1);
    }
    int end = sqlite3_reset(bounds);
    if (rc != SQLITE_ROW)
        return inside_fail(s, end, "reading frames", detail);
    bool sound =
        s->last_frame <= INT64_MAX && (s->last_frame == 0) == (s->first_frame == 0) && s->first_frame <= s->last_frame;
    return sound ? 0 : inside_corrupt(s->path, "the numbers of the frames are out of range", detail);
}

/* Where replay starts. Retention moves it along with the first frame, so that frames missing at either end show. */
static int read_oldest_live(struct sqlite_store *s, struct error_detail *detail)
{
    int rc = inside_get_meta(s, META_OLDEST_LIVE, &s->oldest_live, detail);
    if (rc != 0)
        return rc;
    uint64_t from = s->oldest_live != 0 ? s->oldest_live : 1;
    if ((s->first_frame != 0 && from < s->first_frame) || from > s->last_frame + 1)
        return inside_corrupt(s->path, "frames are missing that recovery needs", detail);
    return 0;
}

static int read_serial_max(struct sqlite_store *s, struct error_detail *detail)
{
    int rc = inside_get_meta(s, META_SERIAL_MAX, &s->serial_max, detail);
    if (rc != 0)
        return rc;
    sqlite3_stmt *max = inside_statement(s, SQL_ENDED_MAX);
    int step = sqlite3_step(max);
    uint64_t newest = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(max, 0) : 0;
    int end = sqlite3_reset(max);
    if (step != SQLITE_ROW)
        return inside_fail(s, end, "reading ended sagas", detail);
    if (newest > s->serial_max)
        s->serial_max = newest;
    return s->serial_max <= INT64_MAX ? 0 : inside_corrupt(s->path, "the newest serial is out of range", detail);
}

static int read_state(struct sqlite_store *s, struct store_state *state, struct error_detail *detail)
{
    int rc = read_frame_bounds(s, detail);
    if (rc == 0)
        rc = read_oldest_live(s, detail);
    if (rc == 0)
        rc = read_serial_max(s, detail);
    if (rc == 0)
        rc = audit_rows_open(s, detail);
    state->audit_last = s->audit_last;
    state->first_frame = s->first_frame;
    state->last_frame = s->last_frame;
    state->oldest_live_frame = s->oldest_live;
    state->serial_max = s->serial_max;
    state->epoch = EPOCH;
    state->dropped_bytes = s->dropped_bytes;
    return rc;
}

/* ---- open and close ---- */

static int check_log(struct sqlite_store *s, const char *vfs, struct error_detail *detail)
{
    const char *found;
    int rc = log_check(vfs, s->path, &found, &s->dropped_bytes);
    if (rc == SQLITE_NOMEM)
        return error_set(detail, E_MEMORY, s->path, NULL);
    if (rc != SQLITE_OK) {
        error_set(detail, E_JOURNAL, s->path, "reading the write-ahead log: ");
        error_append(detail, sqlite3_errstr(rc));
        return E_JOURNAL;
    }
    return found != NULL ? inside_corrupt(s->path, found, detail) : 0;
}

static int open_database(struct sqlite_store *s, const struct sqlite_store_options *options,
                         struct error_detail *detail)
{
    int rc = files_expected(s->path, detail);
    if (rc == 0)
        rc = make_private(s->path, detail);
    if (rc == 0)
        rc = check_log(s, options->vfs, detail);
    if (rc != 0)
        return rc;
    if (log_gather_init(&s->gather, options->vfs) != SQLITE_OK)
        return error_set(detail, E_MEMORY, s->path, NULL);
    rc = sqlite3_open_v2(s->path, &s->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_CREATE,
                         s->gather.name);
    if (s->db == NULL)
        return error_set(detail, E_MEMORY, s->path, NULL);
    if (rc != SQLITE_OK)
        return inside_open_failed(s, rc, "opening the journal", detail);
    rc = configure_first(s, detail);
    if (rc == 0)
        rc = check_owner(s, detail);
    if (rc == 0)
        rc = configure(s, detail);
    if (rc == 0)
        rc = settle_log(s, detail);
    if (rc == 0 && (rc = shares_hold(s)) != SQLITE_OK)
        return inside_open_failed(s, rc, "opening the journal", detail);
    if (rc == 0)
        rc = migrate(s, detail);
    if (rc == 0)
        rc = prepare(s, detail);
    return rc;
}

int sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                      struct error_detail *detail)
{
    struct sqlite_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(detail, E_MEMORY, NULL, NULL);
    s->face = (struct store){
        .commit = sqlite_store_commit,
        .is_tight = sqlite_store_is_tight,
        .reusable = sqlite_store_reusable,
        .check = sqlite_store_check,
        .synced = sqlite_store_synced,
        .first_frame = sqlite_store_first_frame,
        .scan = sqlite_store_scan,
        .read_frame = sqlite_store_read_frame,
        .find_ended = sqlite_store_find_ended,
        .find_request = sqlite_store_find_request,
        .list_ended = sqlite_store_list_ended,
        .scan_definitions = sqlite_store_scan_definitions,
        .scan_subjects = sqlite_store_scan_subjects,
        .drop = sqlite_store_drop,
        .scan_audit = sqlite_store_scan_audit,
        .drop_audit = sqlite_store_drop_audit,
        .verify = sqlite_store_verify,
        .close = sqlite_store_close,
    };
    s->lock_fd = -1;
    shares_of(s, options);
    s->requests.unsorted_max = options->unsorted_max;
    s->upgrading = options->upgrading;
    s->upgrading_self = options->self;
    s->path = strdup(options->path);
    int rc = s->path != NULL ? take_lock(s, detail) : error_set(detail, E_MEMORY, NULL, NULL);
    if (rc == 0)
        rc = open_database(s, options, detail);
    if (rc == 0) {
        sqlite3_wal_hook(s->db, note_wal_pages, s);
        rc = read_state(s, state, detail);
    }
    if (rc == 0)
        rc = requests_open(s, detail);
    if (rc != 0) {
        sqlite_store_close(&s->face);
        return rc;
    }
    s->opened = true;
    s->named_file = options->vfs == NULL;
    files_remember(s);
    inside_copy_long_log(s);
    reserve_make(s);
    CHECK(s->lock_fd >= 0 || !s->named_file); /* nobody else writes */
    inside_check(s);
    *out = &s->face;
    return 0;
}

void sqlite_store_close(struct store *face)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    if (s == NULL)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(s->statements[i]);
    if (s->db != NULL && (s->broken || !s->opened))
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    sqlite3_close(s->db);
    log_gather_finish(&s->gather);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    cache_finish(s);
    requests_finish(s);
    free(s->path);
    free(s);
}
