/* store.h - where frames are kept: the interface that SQLite and PostgreSQL implement (and the simulator's disk).
 *
 * One owner, no locks. A store holds: frames, numbered from 1 without gaps, appended only, later dropped from the front; one row
 * for each saga that has ended; the registered definitions; a few numbers. */
#ifndef SAGA_JOURNAL_STORE_H
#define SAGA_JOURNAL_STORE_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/check.h"
#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/engine/record.h"

/* What people search for of a saga that has ended. Views are valid as each function says. */
struct ended_row {
    struct saga_id saga;
    uint8_t state; /* enum saga_state, a final one */
    uint8_t mode;
    uint8_t reason;
    uint8_t lacks; /* enum saga_lack: what it went without */
    bool synthetic;
    uint16_t skips;      /* how often a person skipped a step of it, or an undo */
    uint32_t definition; /* number; 0 for an enlisted saga */
    struct bytes name;
    struct bytes request_id;
    struct bytes owner; /* the identity that began it; empty: not known */
    uint64_t fingerprint;
    struct instant started_at;
    struct instant ended_at;
    uint64_t first_frame; /* holding records of it */
    uint64_t last_frame;  /* from which its timeline is walked backwards */
};

/* In a store that keeps `skips` and `synthetic` as one number. */
#define ENDED_SYNTHETIC (UINT32_C(1) << 16)

/* A definition as it is kept. */
struct definition_row {
    uint32_t number;
    struct instant registered_at;
    struct bytes source;
};

/* The form of what a journal holds, all in all. It is one higher in a sagad that may write anything that the one before could not read: a type of
 * record or a field of one, a kind of row, a word in a definition. Where journals are taken over by others each says its form, and is left alone by
 * those who know no such one (docs/fleet.md). */
#define JOURNAL_FORM 1

/* What is kept about something that need not be a saga: a row by kind and name, replaced as a whole. Numbers of kinds are in the journal:
 * add at the end, never change or reuse one. */
enum subject_kind {
    SUBJECT_TAG = 1,         /* sagas whose ids have this tag (name: twelve hexadecimal digits) live in this journal */
    SUBJECT_SCHEMA = 2,      /* a set of descriptors, by its hash (sidecar/core/schemas.h) */
    SUBJECT_SCHEMA_NAME = 3, /* what a schema's name stands for now */
    SUBJECT_PIN = 4,         /* which set of descriptors a definition stays with */
    SUBJECT_PLACEMENT =
        5, /* by which rule request_ids are given to the journals (sidecar/shard/place.h): its number is the version */
    SUBJECT_RETRY = 6,    /* what a definition takes where it says nothing of retries (sidecar/core/retries.h) */
    SUBJECT_DATA_KEY = 7, /* what the frames of one start were encrypted with, itself encrypted (sealed/data_keys.c) */
    SUBJECT_BREAKER = 8,  /* whether a target's breaker is open (sidecar/core/breakers.h) */
    SUBJECT_BULK = 9,     /* a bulk job, and how far it has come (sidecar/core/bulk.h) */
    SUBJECT_SLI = 10,     /* what an objective has counted (sidecar/core/slis.h); moves with the journal */
    SUBJECT_SLI_HISTORY = 11, /* and at earlier times */
    SUBJECT_HOLD = 12,        /* whether starts of a definition are held (sidecar/core/holds.h) */
    SUBJECT_REMEDY = 13,      /* what a rule of remediation has done (sidecar/core/rulings.h) */
    SUBJECT_ANSWER =
        14, /* a last good answer, by the number of its slot (sidecar/core/answers.h); sealed as frames are */
    SUBJECT_KIND_COUNT,
};

#define SUBJECT_NAME_BYTES_MAX  256
#define SUBJECT_VALUE_BYTES_MAX 1048576

struct subject_row {
    uint32_t kind;
    struct bytes name;
    uint64_t version; /* of the form of value */
    struct bytes value;
};

/* A row of the audit trail: what was done by whom in one commit. */
struct audit_row {
    uint64_t seq; /* from 1 without gaps; 0: none */
    struct instant at;
    struct bytes body;
};

/* Everything that becomes durable together. Borrowed until its fate is known. */
struct store_commit {
    uint64_t epoch;       /* as the store was opened with (struct store_state): another's commit is refused */
    uint64_t frame;       /* the number of the first frame: one above the last; 0 when there are no records */
    struct bytes records; /* encoded */
    const size_t *cuts;   /* where in records each further frame begins, rising; NULL when all are one frame */
    size_t cut_count;
    const struct ended_row *ended;
    size_t ended_count;
    const struct definition_row *definitions;
    size_t definition_count;
    const struct subject_row *subjects; /* each takes the place of the row of its kind and name */
    size_t subject_count;
    struct audit_row audit;
    uint64_t oldest_live_frame; /* recovery need not look at frames before this one; 0 leaves it as it is */
};

/* The records of the frame at this index of a commit that has records, from 0 to cut_count. */
static inline struct bytes store_commit_frame(const struct store_commit *c, size_t index)
{
    CHECK(index <= c->cut_count);
    size_t from = index == 0 ? 0 : c->cuts[index - 1];
    size_t to = index == c->cut_count ? c->records.size : c->cuts[index];
    CHECK(from < to && to <= c->records.size); /* no frame is empty, and each ends where the next begins */
    return bytes_of(c->records.at + from, to - from);
}

/* What the store holds when it is opened. */
struct store_state {
    uint64_t first_frame; /* 0: no frames */
    uint64_t last_frame;
    uint64_t oldest_live_frame; /* replay starts here; 0: from the first */
    uint64_t serial_max;        /* of sagas that have ended; 0: none. Live ones are told by the frames. */
    uint64_t audit_last;        /* the newest row of the audit trail that there ever was; 0: none */
    uint64_t epoch;             /* of this opening: every commit carries it */
    uint64_t
        dropped_bytes; /* of a last commit that was not written whole: nobody was told that it was durable, or what tore it was no
                                   crash. 0: none */
};

/* Asks for the ended sagas with a serial below `below` (UINT64_MAX: from the newest), newest first. */
struct ended_query {
    uint64_t below;
    uint32_t states;    /* bit n: state n is wanted; 0: every state */
    struct bytes name;  /* empty: every one */
    struct bytes owner; /* empty: whoever began them */
    struct instant started_from;
    struct instant started_before; /* INSTANT_NEVER: no end */
    uint32_t rows_max;             /* to give */
    uint32_t examine_max;          /* to look at */
};

/* What a function of the store returns, beside 0 (it is so, durably) and errors: it is not known yet. */
#define STORE_PENDING   1 /* it is under way */
#define STORE_AMBIGUOUS 2 /* of a commit: it may have been kept, or not; the store is finding out */

/* Commits that may be on the way at once. */
#define STORE_COMMITS_MAX 2

/* Whether a row is of one whom find_request was asked for. */
static inline bool ended_row_by(const struct ended_row *row, struct bytes owner)
{
    return owner.size == 0 || row->owner.size == 0 || bytes_equal(row->owner, owner);
}

struct store {
    /* Makes commit durable (fsync'd), all of it or nothing. Returns
     *   0                 it is durable;
     *   STORE_PENDING     it is on the way: settle tells its fate. At most STORE_COMMITS_MAX are, and are kept in their order: never one
     *                     without the one before it;
     *   STORE_AMBIGUOUS   whether it was kept is not known: settle tells. Nothing may be handed over until then;
     *   E_JOURNAL_FULL    there is no room, and nothing was kept: the same commit may be tried again;
     *   E_JOURNAL_FENCED  another holds the journal by now, or its files are gone: nothing was kept and nothing will be, so the owner
     *                     must stop, and let nothing out;
     *   E_JOURNAL         what is kept is not known, and will not be: the owner must stop. */
    int (*commit)(struct store *s, const struct store_commit *commit, struct error_detail *detail);

    /* The fate of the commit that has been on the way longest, as of commit; STORE_PENDING and STORE_AMBIGUOUS leave it on the way. Any
     * error ends all that are on the way; after E_JOURNAL_FULL they may be handed over again, in their order. Called by the owner
     * whenever it likes, and never blocks. NULL in a store that always answers at once. */
    int (*settle)(struct store *s, struct error_detail *detail);

    /* Whether the owner may let anything out: 0; E_JOURNAL_AWAY while it is not known to hold the journal any more, because the time for which
     * that was certain is over; E_JOURNAL_FENCED or another error as of commit. Cheap: the owner asks before it lets anything out. NULL in a
     * store that nobody can take away unseen. */
    int (*holds)(struct store *s, struct error_detail *detail);

    /* From now on wake is called, by any thread, when settle or a look-up may have something to say; NULL: no more, and none is under way when
     * this returns. NULL in a store that always answers at once. */
    void (*tell)(struct store *s, void (*wake)(void *self), void *self);

    /* Whether what is left of the room is kept for ending what has begun: the owner takes in no new work then. Cheap. NULL in a store that has
     * no such bound. */
    bool (*is_tight)(struct store *s);

    /* Bytes of its files that hold nothing and are written before these grow: retention makes no file smaller. Cheap. NULL in a store that has
     * no files. */
    uint64_t (*reusable)(struct store *s);

    /* Whether the store has rows of its own to bring along with a commit: the owner makes one, if need be of nothing else, while it has nothing
     * to do. Cheap. NULL in a store that never has. */
    bool (*is_behind)(struct store *s);

    /* The oldest frame that is kept; 0: there is none. Cheap. NULL in a store that cannot tell. */
    uint64_t (*first_frame)(struct store *s);

    /* How long the fsyncs of commits have taken since this was asked last; 0: there was none. NULL in a store that cannot tell. */
    struct span (*synced)(struct store *s);

    /* Whether the journal is still there and still the owner's. 0, or E_JOURNAL_FENCED with what has become of it. Cheap: the owner asks
     * every second. */
    int (*check)(struct store *s, struct error_detail *detail);

    /* The look-ups (read_frame, find_ended, find_request) may answer STORE_PENDING: the owner asks again, in the same words, after the
     * next settle. */

    /* Gives the frames from `from` to the last, in order, to take. A view is valid for that call. Stops when take does not
     * return 0, and returns that. take must not call the store. */
    int (*scan)(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                void *self, struct error_detail *detail);

    /* One frame. *records is a view until the next call of any of these functions. E_CURSOR when it was dropped. */
    int (*read_frame)(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail);

    /* The row of an ended saga by serial, or by request_id: of the newest that `owner` began, or of whom it is not known who began it; empty:
     * whoever did. *row is a view until the next call of any of these functions.
     * E_SAGA_NOT_FOUND when there is none. */
    int (*find_ended)(struct store *s, uint64_t serial, struct ended_row *row, struct error_detail *detail);
    int (*find_request)(struct store *s, struct bytes request_id, struct bytes owner, struct ended_row *row,
                        struct error_detail *detail);

    /* Gives the rows that match, newest first, to take (view for that call). *examined_to, which may be query->below itself, becomes the lowest serial
     * that was looked at, or 0 when the end was reached: ask on with below = *examined_to. */
    int (*list_ended)(struct store *s, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                      struct error_detail *detail);

    /* Gives every subject's row of this kind, by name; a view for that call. Stops when take does not return 0, and returns that. */
    int (*scan_subjects)(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                         void *self, struct error_detail *detail);

    /* Gives every definition, by number. */
    int (*scan_definitions)(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *detail);

    /* Retention: forgets rows of sagas that ended before `before`, and frames that are below keep_from and were committed before
     * `before`; at most work_max of each, so that the owner can spread the work. *more tells whether there is more to drop. The last
     * frame stays, and oldest_live_frame follows what goes. STORE_PENDING: what may go is being looked for; the owner asks again in a later turn.
     * Errors as of commit: on a full disk nothing is dropped, this time. */
    int (*drop)(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                struct error_detail *detail);

    /* Forgets claims of request_ids (a fleet's: this journal is the one in which such a saga is begun) that nobody has looked at for `unseen`, of
     * which no row is left among ended sagas, and of which `lives` says no. Looks at work_max of them at most, and goes on there the next time. *more:
     * it has found as many, so there may be more. Returns as drop. NULL in a store that has none. */
    int (*drop_claims)(struct store *s, struct span unseen, bool (*lives)(void *self, struct bytes request_id),
                       void *self, uint32_t work_max, bool *more, struct error_detail *detail);

    /* Gives rows of the audit trail from `from` on, in order; a view for that call. Stops when take does not return 0, and returns that. */
    int (*scan_audit)(struct store *s, uint64_t from, uint32_t rows_max,
                      int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *detail);

    /* Forgets rows of the audit trail from before `before`, at most work_max. Returns as drop. */
    int (*drop_audit)(struct store *s, struct instant before, uint32_t work_max, bool *more,
                      struct error_detail *detail);

    /* Looks whether rows of ended sagas are sound, and can be found by all the ways that lead to them: rows_max more of them, newest first; the
     * next call goes on, and *more tells whether there are more until all have been looked at. Returns 0, with detail->text "" or telling a row
     * that is damaged itself (whoever asks for it is told, too, and nothing else is hidden by it); E_JOURNAL_CORRUPT with what is wrong and
     * what mends it; or E_JOURNAL. */
    int (*verify)(struct store *s, uint32_t rows_max, bool *more, struct error_detail *detail);

    void (*close)(struct store *s);
};

/* A commit of one who may wait, with none on the way: never STORE_PENDING nor STORE_AMBIGUOUS. */
int store_commit_now(struct store *s, const struct store_commit *commit, struct error_detail *detail);

static inline int store_holds(struct store *s, struct error_detail *detail)
{
    return s->holds == NULL ? 0 : s->holds(s, detail);
}

#endif
