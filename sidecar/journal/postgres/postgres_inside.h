/* postgres_inside.h - what the files of the PostgreSQL store share with one another, and with nobody else. */
#ifndef SAGA_JOURNAL_POSTGRES_INSIDE_H
#define SAGA_JOURNAL_POSTGRES_INSIDE_H

#include "sidecar/journal/postgres/hold.h"
#include "sidecar/journal/postgres/request_filter.h"
#include "sidecar/journal/postgres/postgres_store.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#define PG_SCHEMA_VERSION 4

/* A number of the preprocessor as text. */
#define NUMBER(n)      NUMBER_TEXT(n)
#define NUMBER_TEXT(n) #n

/* In `tries`, of a journal that lacks what was acknowledged: more than any take-overs count. */
#define LEFT_TO_A_PERSON 1000
#define LEFT             NUMBER(LEFT_TO_A_PERSON)

enum pg_statement {
    PG_COMMIT_FRAMES, /* what a commit is made of decides which of the first three is used */
    PG_COMMIT_ENDED,
    PG_COMMIT_ALL,
    PG_RENEW,
    PG_GIVE_UP,
    PG_WRITER_COUNT, /* these go over the writer, the others over the reader */
    PG_SCAN_FRAMES = PG_WRITER_COUNT,
    PG_READ_FRAME,
    PG_FIND_ENDED,
    PG_FIND_REQUEST,
    PG_REQUESTS,
    PG_LIST_ALL,
    PG_LIST_RARE,
    PG_LIST_ALL_BEFORE,
    PG_LIST_RARE_BEFORE,
    PG_SCAN_DEFINITIONS,
    PG_SCAN_SUBJECTS,
    PG_OLD_FRAMES,
    PG_OLD_ENDED,
    PG_DROP,
    PG_CLOCK,
    PG_OLD_CLAIMS,
    PG_DROP_CLAIMS,
    PG_SCAN_AUDIT,
    PG_OLD_AUDIT,
    PG_DROP_AUDIT,
    PG_SIZE_FRAMES,
    PG_SIZE_ENDED,
    PG_STATEMENT_COUNT
};

extern const char *const postgres_statements[PG_STATEMENT_COUNT];
/* The SQL that brings the tables from version - 1 to version. */
const char *schema_migration(unsigned version);
/* How each transaction of a migration begins: nobody is kept waiting behind it for longer than a commit may take. */
#define SCHEMA_BEGIN "begin; set local client_min_messages = warning; set local lock_timeout = '2s'"
/* The oldest version whose sagad may go on with the tables of this one. */
unsigned schema_oldest(unsigned version);
/* What follows in the same transaction, from the version on that has a place for `oldest`: the numbers; and where no older sagad may go on, no journal's
 * epoch is any more what its holder believes, so that its next commit fails, and it finds the numbers when it connects anew. */
#define PG_SCHEMA_OLDEST_SINCE 3
#define SCHEMA_MIGRATED_SIZE   160
const char *schema_migrated(unsigned version, char room[SCHEMA_MIGRATED_SIZE]);

/* ---- postgres_job.c: one statement on its way to the server, with its parameters in their binary form ---- */

#define PG_PARAMETERS_MAX 35

enum pg_job_state { PG_JOB_WAITING, PG_JOB_DONE, PG_JOB_FAILED };

struct pg_job {
    struct pg_job *next;
    enum pg_statement statement;
    /* Parameters; offset SIZE_MAX: NULL. */
    uint8_t *bytes;
    size_t size, room;
    unsigned count;
    struct {
        size_t offset, size;
    } parameters[PG_PARAMETERS_MAX];
    size_t array_at; /* of the array that is being written */
    uint32_t array_count;
    bool out_of_memory;
    uint64_t seq;    /* of a commit; 0: none */
    int64_t sent_us; /* by pg_now */
    /* Once it is not waiting. */
    enum pg_job_state state;
    int64_t ended_us; /* by pg_now */
    bool orphaned;    /* nobody will ask for it: whoever carries it frees it */
    PGresult *result; /* NULL: failed, or known to have been kept without an answer */
};

/* NULL when there is no memory; one that runs out later says so when it is submitted. */
struct pg_job *job_create(enum pg_statement statement);
void job_free(struct pg_job *job);
void job_number(struct pg_job *job, uint64_t value);
void job_bytes(struct pg_job *job, struct bytes value);
/* Numbers or bytes, in an array. */
void job_array(struct pg_job *job, bool of_bytes);
void job_item_number(struct pg_job *job, uint64_t value);
void job_item_bytes(struct pg_job *job, struct bytes value);
void job_item_null(struct pg_job *job);
void job_array_end(struct pg_job *job);
/* Writes another number over a parameter that is one. */
void job_set_number(struct pg_job *job, unsigned parameter, uint64_t value);

/* Whether they ask for the same. */
bool job_same(const struct pg_job *a, const struct pg_job *b);

uint64_t result_number(const PGresult *result, int row, int column);
struct bytes result_bytes(const PGresult *result, int row, int column);

/* Microseconds of a clock that no one sets, and that goes on while the machine sleeps. */
int64_t pg_now(void);

/* ---- postgres_link.c: a thread with a connection, which carries jobs in their order, several at once ---- */

struct pg_link;

/* What the writer learns each time it is connected. */
struct pg_taken {
    uint64_t epoch;     /* which statements name from now on */
    uint64_t seq;       /* of the last commit that was kept */
    int64_t renewed_us; /* when that was asked for */
};

struct pg_link_options {
    const char *conninfo;
    bool
        writer; /* it carries the statements before PG_WRITER_COUNT: each must hit one row, or the connection is made anew; jobs outlive it */
    struct span timeout;
    /* By the link's thread, on a new connection whose session is set up: takes the journal. Returns 0; STORE_PENDING to be called again after
     * a while, on a new connection; or an error, which is for good. NULL: nothing is to be done. */
    int (*ready)(void *self, struct pg_link *link, PGconn *db, struct pg_taken *taken, struct error_detail *detail);
    void (*wake)(void *self); /* by the link's thread, when a job has ended, or the connection */
    void *self;
};

int link_open(const struct pg_link_options *options, struct pg_link **out);
/* Ends the thread; jobs that are on the way are freed. Accepts NULL. */
void link_close(struct pg_link *link);

enum pg_link_state { PG_LINK_DOWN, PG_LINK_UP, PG_LINK_DEAD };
/* *detail tells why it is not up; *code, for a dead one, its error. */
enum pg_link_state link_state(struct pg_link *link, int *code, struct error_detail *detail);

/* Takes the job. A reader that is not up fails it at once. Returns 0 or E_MEMORY, with the job freed. */
int link_submit(struct pg_link *link, struct pg_job *job);
/* How it stands with a job; waits for its end until `until` by pg_now. */
enum pg_job_state link_ask(struct pg_link *link, struct pg_job *job, int64_t until_us);
/* Nobody wants the job any more. */
void link_forget(struct pg_link *link, struct pg_job *job);
/* Waits until it is up or dead, or until `until`. */
enum pg_link_state link_wait(struct pg_link *link, int64_t until_us, int *code, struct error_detail *detail);
/* When the lease was asked for that was granted last; the epoch. */
int64_t link_renewed(struct pg_link *link);
uint64_t link_epoch(struct pg_link *link);
/* The last commit that is known to be kept, whether or not the owner has asked for it; 0: none by this link. */
uint64_t link_kept(struct pg_link *link);

/* For `ready`, by the link's thread: one statement with its parameters as text; NULL when it could not be carried out, with *detail, and
 * state[6] its SQLSTATE or "". Freed by the caller. */
PGresult *link_query(struct pg_link *link, PGconn *db, const char *sql, int count, const char *const *values,
                     char state[6], struct error_detail *detail);

/* Opens a connection within the time, not to be blocked by; NULL with *detail. stop may be NULL. */
PGconn *connection_open(const char *conninfo, int64_t until_us, bool (*stop)(void *self), void *self,
                        struct error_detail *detail);
/* The answer to what was sent, likewise. NULL when none came. */
PGresult *connection_answer(PGconn *db, int64_t until_us, bool (*stop)(void *self), void *self);
/* Copies what libpq says without its line ends. */
void connection_error(const PGconn *db, struct error_detail *detail);

/* ---- the store ---- */

/* Ended sagas that are known without asking: those who wait for them come right after. */
#define RECENT_MAX 4096

/* One block with its texts behind it. */
struct recent {
    struct ended_row row;
    uint8_t texts[];
};

#define CACHED_MAX    4096
#define CACHED_BESIDE 16 /* that may take one another's places */

struct cached_frame {
    uint64_t frame;       /* 0: none */
    struct bytes records; /* owned */
    uint64_t kept;        /* rises with each that is */
};

/* Look-ups of request_ids that have been asked for. */
#define LOOKUPS_MAX 2048

struct lookup {
    struct pg_job *job;             /* NULL: none */
    struct bytes request_id, owner; /* views of the job's parameters */
    uint64_t asked;
};

/* Looks that may be on the way at once, or wait to be fetched. */
#define LOOKS_MAX 16

/* What retention drops in one go. It is found out by looks one after another, and kept between them. */
struct drop_plan {
    bool begun, frames_known;
    struct instant before;
    uint64_t below; /* frames that may go */
    uint32_t work_max;
    uint64_t frames_to; /* the last frame that goes; 0: none */
    bool frames_more;
    uint64_t ended_to; /* the last row that was looked at, after those of before */
    bool ended_any;    /* one of them goes */
    bool ended_more;
    uint64_t frame_bytes, ended_bytes; /* of what goes */
};

struct postgres_store {
    struct store face;
    struct pg_link *writer, *reader;
    char *conninfo, *name, *first, *holder;
    unsigned loops;
    char *fleet, *carrier, *address, *needs; /* what its row says of who has it */
    bool guest;
    atomic_ullong live;                          /* sagas, as the owner said last */
    char taker[24 + POSTGRES_PROGRAM_BYTES_MAX]; /* this opening, in the database, and by which program */
    struct span lease, timeout;
    pthread_mutex_t wake_mutex; /* of these, and held while the owner is woken */
    void (*wake)(void *self);
    void *wake_self;
    int witness_fd; /* -1: none */

    /* Written by the writer's thread until it is first up; read by the owner after that. */
    uint64_t journal; /* its number */
    struct store_state found;
    uint64_t witness_epoch, witness_seq; /* as the file had it */
    char promise[160];
    bool taken;             /* the writer's thread alone */
    atomic_bool locked_out; /* another held it when it was last tried */

    uint64_t epoch;                                            /* of the opening */
    uint64_t seq;                                              /* of the last commit that was handed over */
    _Atomic uint64_t settled;                                  /* and of the last that is durable */
    uint64_t first_frame, last_frame, oldest_live, serial_max; /* of what is durable */
    struct {
        struct pg_job *job;
        struct store_commit commit; /* borrowed */
        uint64_t serial_max;
    } on_the_way[STORE_COMMITS_MAX];
    unsigned on_the_way_count;
    uint64_t bytes_max, bytes_tight; /* 0: no bound */
    uint64_t bytes;                  /* that the journal holds, with what is on the way; 0 without a bound */
    struct pg_job *renewal;          /* under way */
    uint64_t handed_last_frame;
    bool serving; /* the owner has begun to turn: nothing may hold it up for long */
    int broken;   /* what everything ends with, not 0 */
    struct error_detail why;

    struct lookup lookups[LOOKUPS_MAX];
    unsigned lookup_count;
    uint64_t asked;

    struct request_filter filter;    /* what can be said of request_ids without asking */
    struct pg_job *filter_piece;     /* rows for it, on the way; NULL: none */
    struct pg_job *looks[LOOKS_MAX]; /* that took too long for a turn */
    unsigned look_count;
    int64_t rested_us;                      /* by pg_now: when what looks have held the owner for is made up for */
    struct cached_frame cached[CACHED_MAX]; /* by number */
    size_t cached_bytes, cache_hand;
    uint64_t cache_kept;
    struct recent *recent[RECENT_MAX]; /* rows of sagas that ended lately, by serial */
    PGresult *shown;                   /* what the last view is of */
    struct drop_plan plan;             /* retention: what goes next */
    uint64_t drop_after;               /* ended rows up to this serial have been looked at */
    uint64_t claims_at;                /* and claims up to this one */
    uint8_t claims_id[REQUEST_ID_BYTES_MAX];
    size_t claims_id_size;
    struct hold_past claims_past; /* what nobody has looked at since may go */
};

/* postgres_size.c. What a row costs beside the bytes in it: its head, its numbers, its places in indexes. */
#define PG_FRAME_ROW_BYTES 100
#define PG_ENDED_ROW_BYTES 250
uint64_t size_of_commit(const struct store_commit *commit);
/* Counts what the journal holds. Returns 0, or as read_answer and holds. */
int size_count(struct postgres_store *s, struct error_detail *detail);
/* What it may hold before new work is refused. */
uint64_t size_tight(uint64_t bytes_max, uint64_t commit_bytes_max);
void size_gone(struct postgres_store *s, uint64_t bytes);
bool postgres_store_is_tight(struct store *face);

/* postgres_lease.c: who holds the journal. For the writer. */
int lease_take(void *self, struct pg_link *link, PGconn *db, struct pg_taken *taken, struct error_detail *detail);
/* For the reader of one who only looks: what is read is of one moment, whatever the holder does meanwhile. */
int lease_look(void *self, struct pg_link *link, PGconn *db, struct pg_taken *taken, struct error_detail *detail);
int postgres_store_holds(struct store *face, struct error_detail *detail);
int postgres_store_check(struct store *face, struct error_detail *detail);
/* A file of so many bytes at most tells how far the journal had come. */
int witness_open(struct postgres_store *s, const char *path, struct error_detail *detail);
void witness_write(struct postgres_store *s);

/* postgres_commit.c */
int postgres_store_commit(struct store *face, const struct store_commit *commit, struct error_detail *detail);
int postgres_store_settle(struct store *face, struct error_detail *detail);

/* postgres_looks.c. The answer to a job of the reader, which is taken and waited for, while that does not hold the owner's turn for long. Returns
 * 0 with s->shown, STORE_PENDING when it takes longer, to be asked again in the same words, E_JOURNAL_AWAY or E_MEMORY. */
int read_answer(struct postgres_store *s, struct pg_job *job, struct error_detail *detail);
/* Before the reader ends. */
void looks_forget(struct postgres_store *s);

/* postgres_read.c */
int postgres_store_scan(struct store *face, uint64_t from,
                        int (*take)(void *self, uint64_t frame, struct bytes records), void *self,
                        struct error_detail *detail);
int postgres_store_read_frame(struct store *face, uint64_t frame, struct bytes *records, struct error_detail *detail);
int postgres_store_scan_definitions(struct store *face, int (*take)(void *self, const struct definition_row *row),
                                    void *self, struct error_detail *detail);
int postgres_store_scan_subjects(struct store *face, uint32_t kind,
                                 int (*take)(void *self, const struct subject_row *row), void *self,
                                 struct error_detail *detail);
/* postgres_cache.c. The view is valid until the next is kept. */
bool postgres_cache_find(const struct postgres_store *s, uint64_t frame, struct bytes *records);
void postgres_cache_keep(struct postgres_store *s, uint64_t frame, struct bytes records);
void postgres_cache_finish(struct postgres_store *s);

/* postgres_filter.c. Takes and asks for what it is filled with; to be called now and then. */
void postgres_filter_turn(struct postgres_store *s);
void postgres_filter_finish(struct postgres_store *s);

/* postgres_ended.c */
void ended_remember(struct postgres_store *s, const struct store_commit *commit);
void ended_forget(struct postgres_store *s);
int postgres_store_find_ended(struct store *face, uint64_t serial, struct ended_row *row, struct error_detail *detail);
int postgres_store_find_request(struct store *face, struct bytes request_id, struct bytes owner, struct ended_row *row,
                                struct error_detail *detail);
int postgres_store_list_ended(struct store *face, const struct ended_query *query,
                              void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                              struct error_detail *detail);
int postgres_store_verify(struct store *face, uint32_t rows_max, bool *more, struct error_detail *detail);
/* postgres_audit.c */
int postgres_store_scan_audit(struct store *face, uint64_t from, uint32_t rows_max,
                              int (*take)(void *self, const struct audit_row *row), void *self,
                              struct error_detail *detail);
int postgres_store_drop_audit(struct store *face, struct instant before, uint32_t work_max, bool *more,
                              struct error_detail *detail);
/* postgres_drop.c */
int postgres_store_drop(struct store *face, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                        struct error_detail *detail);

/* postgres_claims.c */
int postgres_store_drop_claims(struct store *face, struct span unseen,
                               bool (*lives)(void *self, struct bytes request_id), void *self, uint32_t work_max,
                               bool *more, struct error_detail *detail);

/* What a sound store is; each is a CHECK. */
void postgres_check(const struct postgres_store *s);
int postgres_corrupt(const struct postgres_store *s, const char *found, struct error_detail *detail);

#endif
