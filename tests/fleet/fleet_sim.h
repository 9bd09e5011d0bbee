/* fleet_sim.h - a fleet in one thread: several sidecars, each with the real core, on one made-up database that is slow and answers late; with take-over
 * by the real rules (sidecar/shard/adopt.h), claims of request_ids, frozen and killed sidecars, made-up clients and participants. One seed decides
 * everything. Time goes in steps. */
#ifndef TESTS_FLEET_FLEET_SIM_H
#define TESTS_FLEET_FLEET_SIM_H

#include "sidecar/base/defect.h"
#include "sidecar/base/random.h"
#include "sidecar/core/claim.h"
#include "sidecar/core/core.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/postgres/hold.h"
#include "sidecar/journal/postgres/request_filter.h"
#include "sidecar/shard/adopt.h"
#include "tests/support/memory_store.h"

#define SIDECARS      4
#define GUESTS_MAX    3
#define SHARDS_MAX    (1 + GUESTS_MAX)
#define REQUESTS      48 /* request_ids, each asked for again and again */
#define SLOW_REQUESTS 8  /* or, in some worlds, so few, whose clients pause for long */
#define LEDGERS_MAX   (REQUESTS * 16)
#define STEPS         3 /* of the definition */
#define STEP_US       INT64_C(20000)
#define LEASE_US      INT64_C(2000000)
#define FAULTS_UNTIL  INT64_C(40000000)
#define LAST_ASKED    INT64_C(95000000)
#define HEALED_BY     INT64_C(110000000)
/* What takes hours and minutes elsewhere is short here: an hour, the least time that a journal is kept to which nobody comes back; and a minute, after which
 * a claim may go that nobody looks at. */
#define RETENTION SPAN_S(10)
#define HOUR_S    12
#define MINUTE_S  3
/* A journal with sagas in it may be without a sidecar that has it for so long, while there are any that could: the lease, a look of each, and the opening. */
#define BOUND_US  (LEASE_US + INT64_C(4000000))
#define CALLS_MAX 4096
/* As postgres_lease.c has it: more take-overs than count. */
#define LEFT_TO_A_PERSON 1000
#define COMMITS_KNOWN    256
/* The filter of request_ids: so small that it is filled anew and sends some to ask in vain; and how many rows are read at once. */
#define FILTER_BITS 512
#define FILTER_ROWS 6
/* How wrong a wall clock may be, and by how much one that nobody sets may jump ahead. */
#define WALL_US INT64_C(2000000)
#define JUMP_US INT64_C(2000000)

/* When it is by the clock of sagas at the beginning. */
#define EPOCH_US INT64_C(1000000000)

struct world;
struct sidecar;
struct shard;

/* One journal's row in the database, and its contents. */
struct journal {
    struct memory_disk *disk;
    struct store *open;       /* as its holder has it */
    struct store_state state; /* at its opening */
    uint64_t frames;
    bool there;        /* it has a row */
    unsigned removals; /* each time it begins anew */
    int holder;        /* a sidecar; -1: nobody */
    uint64_t epoch, taker, seq;
    uint64_t commits[COMMITS_KNOWN]; /* which one each of the last is, by its number: none is like another */
    int64_t expires_at, wanted_until;
    uint64_t live, tries; /* as told */
    bool told;            /* given up in order */
    int64_t alone_since;  /* since when nobody who runs has it; 0: somebody has */
    uint64_t alone_taker; /* who had it until then */
    bool lacks;           /* what was acknowledged, and nobody has seen it yet */
    int64_t person_at;    /* somebody has seen it: when a person has looked; 0: nothing is to be looked at */
};

/* A request_id: who claimed it, what it has begun and what was acknowledged. */
struct request {
    int claimed;        /* the journal; -1: nobody's */
    bool of_a_gone_one; /* a journal that was removed */
    int64_t looked_at;
    struct saga_id begun, saga; /* as the database has it; as it was told */
    bool has_begun, acknowledged;
    unsigned losses,
        seconds; /* how often its claim, or a look at it, was lost: a start that is on its way, and another's, are two; and how often they were */
    int acknowledged_by;       /* the journal */
    uint64_t acknowledged_seq; /* its last commit then */
    int64_t next_at;           /* when a client asks (again) */
    struct journey {
        int to; /* the journal to whose sidecar it is on the way; -1: none is */
        int64_t looked_at, arrives_at;
    } ways[2]; /* one that gets on, and one that stands still on its way, as does whoever has it */
};

/* What participants have done of a saga. */
struct ledger {
    struct saga_id saga;
    int journal;
    unsigned removals; /* of it, when the saga began */
    bool begun, ended; /* as the database has it */
    uint8_t state;
    int64_t ended_at;
    uint8_t action[STEPS], undo[STEPS]; /* enum saga_barrier_row */
    int net[STEPS];
    int request; /* that began it; -1: not known */
    int64_t at;  /* when something was done last */
    bool doubt;  /* something was done that the database has lost */
};

/* A call that is at a participant, or whose answer is on its way. */
struct call {
    bool used, done;
    int64_t at; /* when it arrives, or its answer does */
    struct sidecar *from;
    uint32_t life;
    int journal; /* the shard's */
    uint64_t taker;
    struct event answer;
    uint8_t action_state;
};

struct far_store {
    struct store face;
    struct shard *shard;
    struct {
        const struct store_commit *commit;
        struct store_commit copy;
        int64_t sent_at, arrives_at, told_at; /* INT64_MAX: never */
        uint64_t id, seq, epoch;
        bool arrived, hit; /* at the database; and it was the one that follows */
        bool done;         /* known to be kept */
    } way[STORE_COMMITS_MAX];
    unsigned count;
    uint64_t seq, known,
        known_id;     /* the last that was handed over; the last that is known to be kept, and which one it is */
    uint64_t settled; /* the last that the owner has been told of */
    bool down;        /* the connection */
    int64_t up_at;
    bool back;         /* the database was found to have gone back in time */
    int64_t confirmed; /* when what was confirmed last was sent */
    int64_t renewal_sent, renewal_told;
    bool fenced;
    struct hold_past past;        /* of claims */
    struct request_filter filter; /* of request_ids */
    struct random chance;
    struct {
        bool asked, read; /* is it on its way; has it been read */
        int64_t read_at, told_at;
        unsigned count;
        struct filter_row {
            uint64_t serial;
            char request_id[8];
        } rows[FILTER_ROWS];
    } piece; /* of what the filter is filled with, as it was when it was read */
};

struct shard {
    bool used;
    struct sidecar *sidecar;
    int journal;
    uint64_t epoch, taker;
    struct far_store store;
    struct catalog *catalog;
    struct core *core;
    int64_t began, idle_since;
    int64_t ahead; /* its clock of sagas is, or behind */
    bool lasted;
};

struct sidecar {
    struct world *world;
    int number;
    bool up, frozen;
    int64_t since; /* it runs without a break, as the database sees it */
    uint32_t life;
    int64_t until;            /* when it is up again, or thaws */
    int64_t ahead;            /* its wall clock is, as it was started */
    bool jumped;              /* its clock that no one sets has, once */
    int64_t look_at;          /* for orphans */
    int64_t sweep_at;         /* for journals that nobody comes back to */
    int wished;               /* a journal that nobody had when it was asked for; -1: none */
    int64_t waits_since;      /* for its own journal, which another has */
    struct hold_mark witness; /* on its disk */
    struct shard shards[SHARDS_MAX];
};

struct world {
    uint64_t seed, chance, events, sagas;
    int64_t now;
    struct journal journals[SIDECARS];
    struct sidecar sidecars[SIDECARS];
    struct request requests[REQUESTS];
    struct ledger ledgers[LEDGERS_MAX];
    unsigned ledger_count;
    struct call calls[CALLS_MAX];
    int64_t away_until, back_at; /* of the database */
    bool lossy;                  /* its standby follows by and by: a fail-over loses the last commits */
    struct {
        bool follows;
        int64_t at, fails_at;
        struct journal journals[SIDECARS];
        struct request requests[REQUESTS];
        struct ledger ledgers[LEDGERS_MAX];
        unsigned ledger_count;
    } standby;            /* what it has, when the primary fails */
    int64_t failed_at;    /* it did: a lease that was granted before is true, whatever the database says by now */
    int64_t skew;         /* by which clocks differ from the database's at most */
    int64_t claims_ahead; /* by which the clock has jumped that the database looks at claims by */
    struct random other;  /* for that */
    uint64_t takers, ids;
    uint64_t breaks, kept, again, losses, lost, seen, unseen, twice;
    uint64_t outages, removals, claims_dropped, past, jumps;
    uint64_t unasked, asked, filled; /* look-ups of request_ids, and filters for them */
    unsigned request_count;
    int leaver; /* a sidecar that is away for long; -1: none is */
    int64_t leaves_at;
    uint64_t takeovers, kills, freezes, returns;
};

struct ledger *ledger_of(struct world *w, struct saga_id saga);
void world_fail(struct world *w, const char *rule, const char *what, uint64_t which) __attribute__((noreturn));
uint64_t draw(struct world *w, uint64_t below);

/* ---- database.c: rows, and what changes them; each by one who is there now ---- */
/* Whether it is there. */
bool database_answers(const struct world *w);
/* Takes the journal for a sidecar; returns false when it is not to be had. */
bool database_take(struct world *w, int journal, int sidecar, bool own);
void database_give_up(struct world *w, int journal, uint64_t epoch, uint64_t live, bool known);
void database_want(struct world *w, int journal);
/* The journal that a request_id belongs to, claimed for `own` when it is nobody's. */
int database_claim(struct world *w, unsigned request, int own);
/* Takes a journal out: whoever comes back to it finds an empty one. */
void database_remove(struct world *w, int journal);
void far_open(struct far_store *f, struct shard *s);
/* The connection ends: what was on the way is lost, or arrives yet; nobody hears which. */
void far_break(struct far_store *f);
/* The clock that its lease is measured by jumps ahead. */
void far_jump(struct far_store *f, int64_t us);
/* Whether the database has lost what was told to be durable, or the journal was never taken by this one, as it is there now. */
bool far_lacks(const struct far_store *f);
/* The sidecar at its start: whether its journal, just taken, is behind what this machine has seen. */
bool database_is_behind(struct sidecar *c);
/* A standby that lacks the last commits, from this moment on; it is promoted. */
void database_follow(struct world *w);
void database_fail_over(struct world *w);
/* What a person does about journals that lack something. */
void database_turn(struct world *w);
/* What has arrived at the database by now, also of a frozen one; dies: what a killed one still had on the way may arrive, or not. */
void far_deliver(struct far_store *f, bool dies);
/* What its owner hears by now. */
void far_turn(struct far_store *f);
bool far_holds(const struct far_store *f);

/* ---- lookups.c ---- */
void lookups_open(struct far_store *f);
/* By the database, and by the owner. */
void lookups_deliver(struct far_store *f);
void lookups_turn(struct far_store *f);
/* The connection that commits go over has ended; perhaps theirs has, too. */
void lookups_break(struct far_store *f);
/* Whether nothing is to be asked of the database about it. */
bool lookups_is_new(struct far_store *f, struct bytes request_id);

/* ---- sidecars.c ---- */
void sidecar_start(struct sidecar *c);
void sidecar_kill(struct sidecar *c);
/* An orderly stop. */
void sidecar_stop(struct sidecar *c);
void sidecar_turn(struct sidecar *c);
/* The shard of a running sidecar that has this journal; NULL when nobody has it: then the one that was asked looks whether it may. */
struct shard *sidecar_find(struct sidecar *c, int journal);
/* The shard of a running sidecar that has this journal, or NULL. */
struct shard *shard_of(struct world *w, int journal);
void shard_start_saga(struct shard *s, unsigned request);
void shard_answer(struct shard *s, const struct event *answer);
/* What has become durable; a journal that is removed. */
void oracle_kept(struct world *w, int journal, struct bytes records);
void oracle_removed(struct world *w, int journal);
/* A reply, and a call, as they leave. */
void oracle_leaves(struct shard *s);
void world_reply(struct shard *s, const struct reply_effect *reply);
void world_call(struct shard *s, const struct call_effect *call);

#endif
