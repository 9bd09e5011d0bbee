/* sqlite_inside.h - what the files of the SQLite store share with one another, and with nobody else. */
#ifndef SAGA_JOURNAL_SQLITE_INSIDE_H
#define SAGA_JOURNAL_SQLITE_INSIDE_H

#include "sidecar/journal/sqlite/log_gather.h"
#include "sidecar/journal/sqlite/sqlite_store.h"

#include <sqlite3.h>
#include <time.h>

#define SCHEMA_VERSION 8
#define PAGE_SIZE      4096
#define EPOCH          0    /* always: who holds the lock is the only holder there is */
#define NAMED_MAX      4096 /* definitions whose names are remembered to be in the database */

enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_ADD_FRAME,
    SQL_ADD_ENDED,
    SQL_ADD_NAME,
    SQL_ADD_DEFINITION,
    SQL_SET_SUBJECT,
    SQL_SCAN_SUBJECTS,
    SQL_ADD_AUDIT,
    SQL_AUDIT_BOUNDS,
    SQL_SCAN_AUDIT,
    SQL_OLD_AUDIT,
    SQL_DROP_AUDIT,
    SQL_SET_META,
    SQL_GET_META,
    SQL_FRAME_BOUNDS,
    SQL_SCAN_FRAMES,
    SQL_READ_FRAME,
    SQL_SCAN_DEFINITIONS,
    SQL_ENDED_MAX,
    SQL_FIND_ENDED,
    SQL_FIND_REQUEST_OLD,
    SQL_LIST_ALL,
    SQL_LIST_RARE,
    SQL_HAS_ROW,
    SQL_HAS_REQUEST_OLD,
    SQL_HAS_RARE,
    SQL_REQUEST_SERIALS,
    SQL_HAS_REQUEST,
    SQL_SORT_REQUEST,
    SQL_PRUNE_REQUESTS,
    SQL_LOG_REQUESTS,
    SQL_DROP_REQUEST_LOG,
    SQL_STARTED_AT,
    SQL_OLD_FRAMES,
    SQL_DROP_FRAMES,
    SQL_OLD_ENDED,
    SQL_DROP_ENDED,
    STATEMENT_COUNT
};

/* Which file a name leads to. */
struct file_id {
    uint64_t device;
    uint64_t inode; /* 0: none */
};

/* Frames that were read and checked last: sagas that stand beside one another share theirs. */
#define CACHED_FRAMES    8
#define CACHED_BYTES_MAX 65536 /* a larger one is a long history, which nobody shares */

struct cached_frame {
    uint64_t frame; /* 0: none */
    uint64_t used;  /* when, counted in reads */
    uint8_t *bytes;
    size_t size, room;
};

/* An ended saga's request_id, as it is looked up (sqlite_requests.c). */
struct request {
    uint64_t hash; /* REQUEST_HASH_BITS */
    uint64_t serial;
    uint64_t ended_s; /* seconds since 1970, 0 for what was before: told from what retention has dropped */
};

struct request_bucket {
    struct request *at;
    uint32_t count, room;
};

#define REQUEST_HASH_BITS 48 /* SQLite keeps a number of so many in six bytes */
#define REQUEST_BUCKETS   1024

struct requests {
    struct request_bucket *buckets; /* what is not sorted in yet, by the highest bits of the hash */
    uint64_t unsorted;              /* how many that are */
    uint32_t unsorted_max;          /* 0: as their number makes best */
    uint64_t salt;                  /* of the hash: callers choose request_ids */
    uint64_t dropped_before_s;      /* of sagas that ended before this, rows may be gone */
    uint64_t prune_before_s;        /* and all of them that ended before this are */
    bool has_old;                   /* there are rows that index ended_request leads to: of before schema 4 */
    /* How far sorting has come; *next* is that of the transaction under way. */
    struct request_marks {
        uint64_t sorted;     /* in table requests, about */
        uint64_t hand;       /* buckets that were sorted in, ever: the next one is this modulo their number */
        uint64_t log_first;  /* of table request_log */
        uint64_t log_end;    /* the next row's number */
        uint64_t log_round;  /* where it ended when the hand began this round */
        uint64_t log_sorted; /* what is before this has been sorted in */
    } now, next;
    struct request *scratch; /* a bucket, sorted */
    uint32_t scratch_room;
    uint8_t *text; /* a row of the log */
    size_t text_room;
};

struct sqlite_store {
    struct store face;        /* first, so that the owner's pointer is ours */
    struct log_gather gather; /* below db */
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int lock_fd;        /* -1: none */
    int schema_version; /* of the database when it was opened; 0: it is new */
    void (*upgrading)(void *self, const struct sqlite_upgrade *upgrade);
    void *upgrading_self;
    char *path;

    uint64_t first_frame; /* 0: no frames */
    uint64_t last_frame;
    uint64_t oldest_live; /* replay starts here; 0: from the first */
    uint64_t serial_max;  /* of sagas that have ended */
    uint64_t audit_first; /* 0: no rows */
    uint64_t audit_last;  /* the newest that there ever was */
    uint64_t
        verify_below; /* rows are verified downwards; those from this serial on have been in the pass under way, 0: begins anew */
    uint64_t drop_after;        /* retention has looked at the rows up to this serial in the pass under way */
    struct instant drop_before; /* what that pass began with */

    struct requests requests;

    struct cached_frame cached[CACHED_FRAMES];
    uint64_t frame_reads;

    uint32_t checkpoint_pages;
    uint32_t
        checkpoint_pace; /* the log is copied at this length now: at most checkpoint_pages, fewer while copying takes long */
    uint32_t checkpoint_at; /* length of the write-ahead log at which the next checkpoint is tried */
    uint32_t wal_pages;     /* its length now */

    uint64_t dropped_bytes; /* of the log, when it was opened */
    bool named_file;        /* in the file system under path: whether it still is can be told */
    struct file_id file;    /* of the database */
    struct file_id log;     /* of the write-ahead log; 0 until there is one */
    struct timespec looked; /* when they were last looked at */

    struct shares {
        uint64_t bytes_max;   /* 0: no bound, and the rest is not looked at */
        uint64_t pages_max;   /* of the database */
        uint64_t tight_pages; /* when so many are used, what is left is for ending what has begun */
        uint32_t
            log_pages; /* of the write-ahead log; only a commit that is larger by itself makes it longer, for as long as it takes */
    } shares;
    uint32_t tight_looks;     /* since it was looked how much room is left */
    uint64_t uncounted_bytes; /* written since */
    bool tight;
    bool has_reserve;        /* it is on the disk */
    bool opened;             /* found sound: unless it was, or once broken, closing leaves the files as they are */
    bool broken;             /* a write failed for good, or the files are gone; nothing is written any more */
    int broken_code;         /* what it is then told with */
    struct error_detail why; /* when broken */

    uint8_t named[NAMED_MAX / 8]; /* bit n: definition n's name is known to be in definition_names */
};

/* The keys of table meta. */
#define META_OLDEST_LIVE "oldest_live"
#define META_SERIAL_MAX  "serial_max"
#define META_REQUESTS    "requests"       /* how many are sorted in, about; not there: they are all put in anew */
#define META_SALT        "requests_salt"  /* of their hash */
#define META_AUDIT       "audit_last"     /* the newest row of the audit trail when its rows were dropped last */
#define META_DROPPED     "dropped_before" /* seconds: rows of sagas that ended since are all there */

/* What a sound store is; each is a CHECK. */
void inside_check(const struct sqlite_store *s);

/* Resets every statement, so that views end and no read stands in the way of a checkpoint. */
void inside_rest(struct sqlite_store *s);

/* A statement, reset and ready to be bound. */
sqlite3_stmt *inside_statement(struct sqlite_store *s, enum statement statement);

/* Carries out a statement that gives no rows, and resets it. Returns SQLite's code, SQLITE_OK when done. */
int inside_run(sqlite3_stmt *statement);

/* Turns SQLite's code for a failed read into ours, with what was being done and what to do about it in detail. */
int inside_fail(struct sqlite_store *s, int rc, const char *doing, struct error_detail *detail);
/* Tells whoever opens what goes on. */
void inside_upgrading(const struct sqlite_store *s, bool request_ids, uint64_t in_table);
/* What a failed step of opening means: somebody else has the journal, there is no room, or as above. */
int inside_open_failed(struct sqlite_store *s, int rc, const char *doing, struct error_detail *detail);

/* E_JOURNAL_CORRUPT, with what was found and what to do about it in detail. */
int inside_corrupt(const char *path, const char *found, struct error_detail *detail);

/* Whether SQLite's code is that of a full disk, by whatever name; asked right after. */
bool inside_is_full(struct sqlite_store *s, int rc);

/* Numbers of the journal as SQLite's. They stay far below 2^63. */
void inside_bind_number(sqlite3_stmt *statement, int parameter, uint64_t value);
void inside_bind_text(sqlite3_stmt *statement, int parameter, struct bytes text); /* empty: NULL */
void inside_bind_blob(sqlite3_stmt *statement, int parameter, struct bytes blob); /* empty: empty */
struct bytes inside_column_bytes(sqlite3_stmt *statement, int column);

/* Sets a number of table meta. Returns SQLite's code. */
int inside_set_meta(struct sqlite_store *s, const char *key, uint64_t value);

/* A number of table meta, 0 when it is not there. */
int inside_get_meta(struct sqlite_store *s, const char *key, uint64_t *value, struct error_detail *detail);

/* schema.c. What a database says that it is. */
struct schema_look {
    bool fresh; /* there is nothing in it yet */
    bool ours;  /* it is a journal, or fresh */
    int version;
};

/* Both return SQLite's code. Looking changes nothing; migrating brings a database of ours from `version` to SCHEMA_VERSION. */
int schema_look(sqlite3 *db, struct schema_look *look);
int schema_migrate(sqlite3 *db, int version);
extern const char *const schema_statements[STATEMENT_COUNT];

/* checksum.c. CRC-32 of a row: its numbers, eight bytes each, little-endian, then its texts, whose sizes are among the numbers. A row that
 * schema 1 wrote has none (NULL), which fits anything. */
uint32_t checksum_of(const uint64_t *numbers, size_t count, struct bytes first, struct bytes second);
void checksum_bind(sqlite3_stmt *statement, int parameter, uint32_t checksum);
bool checksum_fits(sqlite3_stmt *at, int column, uint32_t checksum);

/* log_check.c. Looks at the write-ahead log of a database that nobody has open. *found tells what is wrong with it that SQLite would pass
 * over in silence, NULL when nothing is; *dropped_bytes, how much of a commit that was not written whole it will drop. Returns SQLite's code. */
int log_check(const char *vfs_name, const char *database, const char **found, uint64_t *dropped_bytes);

/* sqlite_files.c. Remembers which files the database and its log are, and tells whether they are still where they were: 0, or
 * E_JOURNAL_FENCED, from which on the store is broken. */
void files_remember(struct sqlite_store *s);
/* Refuses to begin with what is there where a journal was taken away and saved. Returns 0 or E_JOURNAL. */
int files_expected(const char *database, struct error_detail *detail);
int sqlite_store_check(struct store *face, struct error_detail *detail);
/* Whether the last look is so old that a commit must have another. */
bool files_are_due(const struct sqlite_store *s);
struct span sqlite_store_synced(struct store *face);
uint64_t sqlite_store_first_frame(struct store *face);

/* sqlite_shares.c. What each of the files gets of a bound, and how often the log is copied under it. */
void shares_of(struct sqlite_store *s, const struct sqlite_store_options *options);
/* Holds the database to its share. Returns SQLite's code. */
int shares_hold(struct sqlite_store *s);
/* As store.is_tight. */
bool sqlite_store_is_tight(struct store *face);
/* As store.reusable. */
uint64_t sqlite_store_reusable(struct store *face);

/* sqlite_reserve.c. Makes the reserve when there is none and there is room for it; gives it up, and tells whether that made room. */
#define RESERVE_PAGES(s) \
    (2 * (s)->checkpoint_pages) /* a log as long as it becomes, and as much again where it is copied to */
void reserve_make(struct sqlite_store *s);
bool reserve_give_up(struct sqlite_store *s);

/* sqlite_subjects.c */
int sqlite_store_set_subject(struct sqlite_store *s, const struct subject_row *row);
int sqlite_store_scan_subjects(struct store *face, uint32_t kind,
                               int (*take)(void *self, const struct subject_row *row), void *self,
                               struct error_detail *detail);

/* sqlite_audit.c: the trail of what was done. */
int audit_rows_open(struct sqlite_store *s, struct error_detail *detail);
int audit_rows_add(struct sqlite_store *s, const struct audit_row *row);
void audit_rows_landed(struct sqlite_store *s, const struct audit_row *row);
int sqlite_store_scan_audit(struct store *face, uint64_t from, uint32_t rows_max,
                            int (*take)(void *self, const struct audit_row *row), void *self,
                            struct error_detail *detail);
int sqlite_store_drop_audit(struct store *face, struct instant before, uint32_t work_max, bool *more,
                            struct error_detail *detail);
/* sqlite_store.c, for it: ends a transaction that failed, and tells why no more is written. */
int inside_roll_back(struct sqlite_store *s, int rc, struct error_detail *detail);
int inside_tell_broken(const struct sqlite_store *s, struct error_detail *detail);

/* sqlite_open.c */
void sqlite_store_close(struct store *face);

/* sqlite_store.c. The first copies the write-ahead log into the database when it has become long. */
void inside_copy_long_log(struct sqlite_store *s);
int sqlite_store_commit(struct store *face, const struct store_commit *commit, struct error_detail *detail);
int sqlite_store_scan(struct store *face, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                      void *self, struct error_detail *detail);
int sqlite_store_read_frame(struct store *face, uint64_t frame, struct bytes *records, struct error_detail *detail);
int sqlite_store_scan_definitions(struct store *face, int (*take)(void *self, const struct definition_row *row),
                                  void *self, struct error_detail *detail);
int sqlite_store_drop(struct store *face, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                      struct error_detail *detail);

/* sqlite_cache.c. The frame, if it is kept; keeping it, if there is memory for that. */
bool cache_find(struct sqlite_store *s, uint64_t frame, struct bytes *records);
void cache_keep(struct sqlite_store *s, uint64_t frame, struct bytes records);
void cache_finish(struct sqlite_store *s);

/* sqlite_requests.c: ended sagas by request_id. Opening takes in what is not sorted in; what has a detail returns our codes, the others SQLite's.
 * add, within the transaction of a commit, takes in what it ends; after it, landed or undo. */
int requests_open(struct sqlite_store *s, struct error_detail *detail);
void requests_finish(struct sqlite_store *s);
int requests_add(struct sqlite_store *s, const struct ended_row *rows, size_t count);
void requests_landed(struct sqlite_store *s);
void requests_undo(struct sqlite_store *s, const struct ended_row *rows, size_t count);
/* Retention dropped rows of sagas that ended before this; whole: all of them. */
int requests_dropping(struct sqlite_store *s, struct instant before);
void requests_dropped(struct sqlite_store *s, struct instant before, bool whole);
/* How many may wait to be sorted in. */
uint64_t requests_unsorted_max(const struct sqlite_store *s);
/* Whether the saga's request_id leads to it. */
int requests_lead_to(struct sqlite_store *s, struct bytes request_id, uint64_t serial, bool *found);
int sqlite_store_find_request(struct store *face, struct bytes request_id, struct bytes owner, struct ended_row *row,
                              struct error_detail *detail);

/* sqlite_verify.c */
int sqlite_store_verify(struct store *face, uint32_t rows_max, bool *more, struct error_detail *detail);

/* sqlite_ended.c. The first reads the row that a statement with the columns of an ended row stands on, and checks it. */
int sqlite_read_ended(struct sqlite_store *s, sqlite3_stmt *at, struct ended_row *row, struct error_detail *detail);
int sqlite_store_add_ended(struct sqlite_store *s, const struct ended_row *row);
int sqlite_store_find_ended(struct store *face, uint64_t serial, struct ended_row *row, struct error_detail *detail);
/* The row of a saga; other statements stay as they are. */
int sqlite_store_read_ended(struct sqlite_store *s, uint64_t serial, struct ended_row *row,
                            struct error_detail *detail);
/* Steps a statement, bound, that gives one ended row or none (E_SAGA_NOT_FOUND). */
int sqlite_read_one(struct sqlite_store *s, sqlite3_stmt *find, struct ended_row *row, struct error_detail *detail);
/* E_JOURNAL_CORRUPT: a row is sound, and not the one that was asked for. */
int sqlite_leads_elsewhere(const struct sqlite_store *s, const char *what, struct error_detail *detail);
int sqlite_store_list_ended(struct store *face, const struct ended_query *query,
                            void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                            struct error_detail *detail);

#endif
