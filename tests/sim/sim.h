/* sim.h - a world in one thread: the real core, engine, codec and definitions, with a made-up clock, disk, network, participants, clients and
 * operators. One seed decides everything. What the files of the simulator share. */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include "compensations/barrier.h"
#include "sidecar/base/random.h"
#include "sidecar/engine/saga.h"
#include "sidecar/core/bulk.h"
#include "sidecar/core/core.h"
#include "sidecar/core/rulings.h"
#include "sidecar/core/slis.h"
#include "sidecar/journal/sealed/sealed_store.h"

#include <stdio.h>

#define TARGET_COUNT     4
#define CLIENTS_MAX      96
#define SERIAL_MAX       1024
#define DEFINITIONS_MAX  6
#define SIM_STEPS_MAX    8
#define KEY_SIZE         128
#define PAYLOAD_MAX      512
#define LIVE_SAGAS_SMALL 6
#define MS               INT64_C(1000)
#define SECOND           INT64_C(1000000)

enum exit_code {
    EXIT_SAFE = 0,
    EXIT_USAGE = 2,
    EXIT_CRASH = 3,
    EXIT_SAFETY = 4,
    EXIT_LIVENESS = 5,
    EXIT_UNREACHED = 6
};

/* Each kind of choice draws from a stream of its own, so that one more draw here does not change everything there. */
enum stream { SCHEDULE, NETWORK, DISK, CLIENTS, FAULTS, PARTICIPANTS, OPERATORS, SHAPES, BULK, RULES, STREAM_COUNT };

/* Faults of a seed: each is off, or has a rate in thousandths. */
enum fault {
    FAULT_REQUEST_LOST,
    FAULT_REPLY_LOST,
    FAULT_LATE,
    FAULT_DUPLICATE,
    FAULT_SLOW,
    FAULT_REFUSED,
    FAULT_BROKEN,
    FAULT_GARBAGE,
    FAULT_TRANSIENT,
    FAULT_AMBIGUOUS,
    FAULT_REJECT,
    FAULT_UNDO_REFUSED,
    FAULT_OVERSIZE,
    FAULT_RUNS_ON, /* a library or proxy makes a status up while the function runs on */
    FAULT_CRASH_BEFORE_COMMIT,
    FAULT_CRASH_AFTER_COMMIT,
    FAULT_DISK_ERROR,
    FAULT_DISK_FULL,
    FAULT_SLOW_SYNC,
    FAULT_SIDECAR_CRASH,
    FAULT_CRASH_IN_RECOVERY,
    FAULT_STOP, /* the sidecar is asked to stop: calls in flight may end, none leaves */
    FAULT_CLOCK_JUMP,
    FAULT_STALL,
    FAULT_CLIENT_LOST,
    FAULT_CLIENT_DUPLICATE,
    FAULT_OWNER_DIES,
    FAULT_OWNER_SLOW,
    FAULT_CANCEL,
    FAULT_OPERATOR,
    FAULT_TARGET_GONE,
    FAULT_CONFIGURED, /* the configuration is read again: a target is not named any more, or is again */
    FAULT_NONSENSE,   /* requests that no sound client sends */
    FAULT_MEMORY,     /* the core is refused memory */
    FAULT_UNSURE,     /* a commit of a far disk may have been kept, or not */
    FAULT_FENCED,     /* another takes the far disk over */
    FAULT_LEASE,      /* it is not known for a while whether another has */
    FAULT_LOOKUP,     /* the far disk cannot be read now */
    FAULT_COUNT
};

enum mark_group {
    MARK_RECORD,   /* record type made durable */
    MARK_TURNED,   /* why a saga turned back */
    MARK_STUCK,    /* why a saga is a dead letter */
    MARK_ENDED,    /* how a saga ended */
    MARK_ACCEPTED, /* request type answered OK */
    MARK_REPEATED, /* request type answered as one that was known */
    MARK_REFUSED,  /* error code, as its number without the sign */
    MARK_VERDICT,  /* of the barrier */
    MARK_FAULT,
    MARK_CASE,
    MARK_GROUP_COUNT
};

enum mark_case {
    CASE_QUEUED,        /* a step waited for its target's bulkhead */
    CASE_QUIET_WAIT,    /* a turned saga waited for an attempt's deadline */
    CASE_CALL_LOST,     /* a call was out when the sidecar ended */
    CASE_UNSYNCED_KEPT, /* a frame survived a crash before its sync */
    CASE_UNSYNCED_LOST,
    CASE_TORN,
    CASE_PARTIAL_LET_OUT,  /* the sidecar ended between two effects of one commit */
    CASE_GENERATION,       /* an action was tried anew under a new key */
    CASE_PARALLEL_UNDO,    /* two compensations of one saga were out at once */
    CASE_LATE_ANSWER_DONE, /* an action was done after its saga had turned back */
    CASE_FRAMES_DROPPED,
    CASE_RECOVERY_SKIPS, /* recovery began after the first frame */
    CASE_PUSHBACK,
    CASE_HELD,                /* a call that waits for a target that is gone */
    CASE_MOVED,               /* a history was written anew */
    CASE_TWO_ON_THE_WAY,      /* a commit was handed over while another was on the way */
    CASE_PARKED,              /* a look-up was answered later */
    CASE_UNSURE_KEPT,         /* a commit of unknown fate turned out to have been kept */
    CASE_UNSURE_SENT,         /* it had not been, and was sent anew */
    CASE_UNHELD,              /* the lease was in doubt while something was on the way, and was still ours */
    CASE_UNREAD,              /* a look-up was refused */
    CASE_FAR_LOST,            /* the sidecar ended while a commit was on the way, and it was not kept */
    CASE_FAR_KEPT,            /* it was */
    CASE_CUT,                 /* a commit of more than one frame */
    CASE_RESUMED_LATER,       /* recovery took more than one commit to let all sagas take up where they were */
    CASE_OVERDUE_CROWD,       /* many sagas were overdue when the sidecar began */
    CASE_RESUMED_CUT,         /* what they took up made a commit of more than one frame */
    CASE_RESUMED_HALF,        /* the sidecar ended when some of them had taken up where they were, and others had not */
    CASE_RUNS_ON,             /* an action took effect after its attempt had ended for the sidecar */
    CASE_BARRIER_HASTE,       /* an undo left while an action could still come, as its participant refuses that */
    CASE_LATE_TURN,           /* leases started anew */
    CASE_BROUGHT_FORWARD,     /* a person did not want to wait for a backoff */
    CASE_UNDO_BESIDE_STUCK,   /* an undo left beside one that is a dead letter */
    CASE_COLLECTED,           /* a participant forgot rows */
    CASE_AWAITED,             /* a step waited for a target that could not be reached */
    CASE_WAITED_ENOUGH,       /* an attempt counted that could not reach its target, as it had waited long enough */
    CASE_SPARED,              /* a person did not want to wait for a target that was not there */
    CASE_NOT_NEEDED,          /* a step was skipped by its condition */
    CASE_NOT_COMPUTED,        /* an action's request could not be computed */
    CASE_PASSED_OVER_UNKNOWN, /* the outcome of an optional step is unknown */
    CASE_UNDONE_EARLY,        /* and it was undone while its saga went forward */
    CASE_REFUSED_SOFTLY,      /* an OK answer said that nothing was done */
    CASE_LET_GO,              /* a call left that had waited for a target that was gone, without a new start */
    CASE_LOOP,                /* a saga with a loop */
    CASE_EMPTY_LOOP,
    CASE_SHED,             /* a participant said that an attempt had not begun, which spent time alone */
    CASE_RATE_WAITED,      /* a step waited for its target's rate */
    CASE_BUDGET_WAITED,    /* a retry waited for its target's budget */
    CASE_TURNED_AWAY,      /* too many waited */
    CASE_TURNED_AWAY_LATE, /* a step had waited for too long */
    CASE_BREAKER_OPENED,
    CASE_BREAKER_OPENED_AGAIN,  /* after it was half-open */
    CASE_BREAKER_PROBED,        /* a call left while it was half-open */
    CASE_BREAKER_CLOSED,        /* by what came back, or by a person */
    CASE_BREAKER_HELD,          /* by a person */
    CASE_BREAKER_OPEN_AT_START, /* a new life found it so */
    CASE_BREAKER_WAITED,        /* a step waited for it */
    CASE_SHED_ENOUGH,           /* and one counted, as it had said so for long enough */
    CASE_CHAIN_WALKED,          /* a start looked along the journal's chains */
    CASE_KEYS_TAKEN_OVER,       /* and found data keys that are kept under another key than the one in use */
    CASE_ACT_TOLD,              /* an act is in the audit trail */
    CASE_BULK,                  /* a bulk job acted on a saga */
    CASE_BULK_DONE,             /* and came to its end */
    CASE_FALLBACK_CALLED,       /* a call stood in for a step that had failed */
    CASE_FALLBACK_VALUE,        /* what the definition says did */
    CASE_FALLBACK_SPARED,       /* a step was done, and nothing stood in for it */
    CASE_FALLBACK_UNDONE,       /* what stood in was undone */
    CASE_ANSWERED,              /* nothing but deferred steps was left of a saga */
    CASE_DEFERRED,              /* one of these began */
    CASE_LACKS,                 /* a saga was committed without something */
    CASE_STRUCK,                /* a drill did something to a call */
    CASE_HASTE,                 /* a step did not wait for a target that took no calls */
    CASE_HELD_DEFINITION,       /* a definition was held */
    CASE_SYNTHETIC,             /* a heartbeat ended */
    CASE_SLI,                   /* an objective has counted what was slow, and what was bad */
    CASE_PASSED,                /* a call of another key left while one waited */
    CASE_PASSED_BY_BETTER,      /* one of another priority */
    CASE_LIMITED,               /* a start was refused for its definition's bounds */
    CASE_RESERVED,              /* an attempt was cut by what its step reserves */
    CASE_NO_TIME,               /* one did not leave, as it had no time */
    CASE_IN_VAIN,               /* or as nobody has answered as quickly */
    CASE_RECALLED,              /* a last good answer stood in for a step */
    CASE_NONE_GOOD,             /* there was none that might */
    CASE_ANSWER_FORGOTTEN,      /* one is gone since somebody asked for it */
    CASE_RECALLED_OF_BEFORE,    /* and one that was given in an earlier life of the sidecar */
    CASE_RULE_ACTED,            /* a rule of remediation, several times */
    CASE_RULE_WORSE,            /* one stopped itself */
    CASE_RULE_TAKEN_BACK,       /* what one did was taken back */
    CASE_RULE_ASKED_AGAIN,      /* a new life found an order that had no answer */
    CASE_NOT_SERVED,            /* a participant said of an undo that it had not begun, and that it never would */
    CASE_COUNT
};

#define MARK_NUMBER_MAX 96

struct world;

struct swarm {
    uint16_t permille[FAULT_COUNT];
    int64_t target_wait; /* for a target that cannot be reached */
    uint32_t clients;
    uint32_t enlisted_permille;
    int64_t keep; /* participants collect rows that are older; 0: never */
    uint32_t bulkhead;
    struct breaker_options breaker; /* of every target, as the following ones */
    struct rate_options rate;
    struct budget_options budget;
    uint32_t pending_max;
    struct span pending_timeout;
    struct admission_options limit; /* of every definition */
    struct recall_options recall;   /* last good answers */
    bool barrier[TARGET_COUNT];     /* that the sidecar is told of; every participant has one */
    uint32_t live_sagas_max;
    int64_t faults_last; /* how long the first phase takes */
    int64_t retention;
    uint32_t move_after;
    int64_t stock;
    bool adaptive; /* bulkheads find their size by themselves */
    bool drills;   /* faults are injected by the sidecar itself */
    bool parks;    /* nobody retries dead letters after the healing */
    bool far;      /* the disk is across a network: it answers later */
    uint32_t commit_bytes_max, frame_bytes_max;
    bool encrypted, chained; /* the journal */
    bool scoped;             /* request_ids are each service's own, and services use the same ones */
};

/* ---- the agenda: what is to happen when ---- */

struct agenda_item {
    int64_t at;
    uint64_t tie; /* random, then in order of adding */
    uint64_t order;
    void (*run)(struct world *w, void *arg);
    void *arg;
};

struct agenda {
    struct agenda_item *items;
    size_t count, room;
    uint64_t order;
};

/* ---- the oracle's own picture ---- */

struct attempt;
struct client;

#define HEARD_MAX       16
#define FAIR_KEYS_MAX   (DEFINITIONS_MAX + 1 + CLIENTS_MAX)
#define RATE_LOOKS_BACK 64

struct model_step {
    uint8_t action;       /* enum saga_action_state, as the durable records say */
    uint8_t compensation; /* enum saga_compensation_state, likewise */
    bool has_compensation;
    bool has_effect;     /* changes the ledger */
    bool maybe_executed; /* some attempt's end does not prove that it was not executed */
    bool said_maybe;     /* durable records say that it may have been executed */
    bool answered_ok;    /* an OK answer was handed to the sidecar, or its owner settled it so */
    bool owner_acting;   /* enlisted: its owner may still act */
    bool early;          /* optional: its undo began while the saga went forward */
    bool early_attempt;  /* and so did the attempt of it that is out */
    uint32_t order;      /* of the action's start */
    uint32_t generation;
    uint8_t fault; /* what a drill does to the attempt that is out, as its record says */
    uint16_t action_attempt, compensation_attempt; /* that durable records permit to leave; 0: none */
    int64_t decided_at;                            /* that the attempt which is out may leave */
    uint64_t decided_in;                           /* the frame that says so */
    int64_t
        haste_seen; /* by the sidecar's clock: since when it was seen to wait for what it does not wait for; 0: it was not */
    unsigned haste_count;   /* and how often */
    int64_t undo_waits;     /* by the sidecar's clock: when its undo was seen in a queue; 0: it was not */
    int64_t shed_at;        /* by the sidecar's clock: since when its attempts have not begun */
    uint32_t shed_in;       /* in which of its lives */
    int64_t next_at;        /* by the sidecar's clock: no attempt leaves before */
    int64_t ready_at;       /* likewise: since when its first attempt could leave; 0: it cannot */
    int64_t first_ready_at; /* the same, although its saga was held back meanwhile: it keeps its place */
    uint8_t passed
        [FAIR_KEYS_MAX];   /* by each other key, while it waits: since one of its own key had a turn at its target */
    unsigned passed_bands; /* by other priorities, since one of its own had */
    int64_t owner_until;   /* likewise: enlisted: its owner said that it may act until then */
    int net;               /* effects minus undos in the ledgers */
    char name[32];
    unsigned spec, instance; /* of the definition's step; of a loop */
    int target;
    int64_t amount;
    char recalled[KEY_SIZE + 8]; /* the last good answer that stands in, as text */
};

/* The last good answer under a name and key, as durable records tell. */
struct kept_answer {
    struct kept_answer *next;
    char name[96];
    struct bytes answer;
    int64_t given_at;
    uint32_t life;    /* of the sidecar, that kept it */
    char whose[80];   /* the beginning of the name as the engine has it */
    char key[8];      /* and its end */
    bool may_be_gone; /* somebody has asked that it be forgotten */
    bool gone;        /* and was told that it is; no other has been given since */
};

/* Bulk jobs of one world. */
#define BULKS_SEEN_MAX 8

struct model {
    struct saga_id id;
    bool known;
    uint8_t mode, state, stuck_from, reason, stuck_reason;
    unsigned stuck_step;
    bool paused, dropped;
    bool answered; /* nothing but deferred steps is left */
    const struct definition *definition;
    struct client *client;
    unsigned step_count;
    uint32_t order_last;
    struct model_step steps[SIM_STEPS_MAX];
    struct attempt *attempts; /* all that were ever let out, newest first */
    char request_id[24];
    bool cancel_accepted, abort_accepted, commit_accepted;
    bool skipped;      /* an operator decided */
    unsigned skips;    /* so often */
    unsigned fair_key; /* among whom its calls take their turns: its definition, all that compute, or itself */
    uint8_t priority;
    unsigned retries;   /* after the healing */
    bool unkeepable;    /* a step's output is over payload_bytes_max: trying it anew does not help */
    int64_t started_at; /* by the sidecar's clock, as the next */
    int64_t ended_at;   /* by the sidecar's clock */
    int64_t deadline;   /* likewise; INT64_MAX: none */
    int64_t lease;
    int64_t heard[HEARD_MAX]; /* when the sidecar heard of its owner: the latest, the last of them at heard_count - 1 */
    unsigned heard_count;
    uint32_t asked;                   /* bit n: an event of type n was submitted for it */
    uint64_t first_frame, last_frame; /* that hold it */
    uint64_t *history;                /* hash of each of its records, in order */
    size_t history_count, history_room;
    uint32_t seen;                        /* bit n: a record of type n is durable */
    uint64_t bulk_commit[BULKS_SEEN_MAX]; /* in which a job acted on it; 0: none did */
};

/* Ends of a definition's sagas, as the durable records say. */
struct sli_seen {
    uint64_t ended, bad, committed, slow;
};

/* A bulk job, as its durable rows say, and what it has done. */
struct bulk_seen {
    int act; /* saga.v1.BulkAct */
    unsigned question;
    uint32_t per_second;
    uint64_t acted, said_acted, after, up_to;
    uint64_t cancelled;   /* the commit that has its end by a person or a rule; 0: none has */
    uint64_t from_frame;  /* the first of the commit that has its first row; 0: it has none */
    bool over, just_over; /* it has nothing to do; its end became durable just now */
};

/* A rule of remediation: as its durable row says, what was asked for, and what was done. */
#define RULES_SEEN 4
struct rule_seen {
    Saga__V1__Rule *row; /* NULL: it has none */
    uint64_t all, good;  /* what it is judged by, as it was told */
    uint64_t at_all, at_good;
    bool is_so; /* its question, when it was asked last */
    bool out;   /* a request is on its way, in this life: */
    bool arrived, refused, answered;
    uint8_t out_order; /* enum remedy_order */
    uint64_t out_act;  /* by their number, as the following ones */
    int64_t arrives_at;
    uint64_t asked_act, done_act, undone_act;
    uint64_t job_act; /* of the rule that begins bulk jobs: the act that `job` is of */
    unsigned job;     /* BULKS_SEEN_MAX: none could be begun any more */
};

/* ---- definitions that compute (typed.c) ---- */

/* What a step's answer is to its definition: as expected, to be undone, of a meaning that nobody can tell. */
enum typed_expectation { EXPECTS_THIS, EXPECTS_OTHER, EXPECTS_UNCLEAR };

enum typed_form { TYPED_INPUT, TYPED_NAMED, TYPED_PARENT };

/* Digits are the last of an input; '-': none. */
struct typed_step {
    char skipped_for, fails, undo_fails;
    bool loop;
    char none_for, one_for;       /* of a loop: whose list has no items, or one; else it has two */
    char other, unclear;          /* for whom its answer is not what is expected, or nobody can tell */
    bool chooses;                 /* its target: the first one, or the one after it */
    char second_for, nowhere_for; /* for whom it is the second, or none at all */
    bool softly;                  /* it may refuse with an OK answer */
    char key_for;                 /* of a last good answer: whose key is the other one; '-': as the definition says */
    enum typed_form form;
    unsigned parent, undo_form;
};

struct typed_definition {
    bool typed;
    char refused;
    struct typed_step steps[SIM_STEPS_MAX];
};

/* One call that the core let out. */
struct attempt {
    struct attempt *next;
    struct model *model;
    struct saga_id saga;
    uint16_t step, number, target;
    uint8_t phase;
    uint32_t generation;
    bool action_done;
    uint32_t incarnation; /* of the sidecar */
    int64_t out_at, timeout, deadline;
    int64_t decided_at; /* by the sidecar's clock */
    bool taken;         /* the sidecar has taken its end in */
    int64_t taken_at;   /* by its clock */
    int64_t runs_until; /* the participant's own deadline, as it came over the wire */
    bool ended;         /* the sidecar was told, in this or an earlier life */
    bool excluded;      /* its end proves that it was not executed */
    bool answered;      /* its end proves that its function has ended, or never ran */
    bool hasty;         /* when it ended, its target had a barrier */
    bool duplicated;    /* a copy of it is on its way, too */
    int status;         /* how it ended, as the sidecar was told */
    uint8_t reach;
    bool has_pushback;
    int64_t pushback;
    bool took_effect;   /* the participant carried it out, or refused it for good */
    bool over;          /* its function has ended, or never runs, whoever knows */
    bool unreached;     /* it ended because no connection could be had */
    bool uncounted;     /* and a record says so: the next attempt has its number */
    int64_t down_since; /* by the sidecar's clock: when it had heard so of the target first */
    bool has_effect;
    int64_t amount;
    char key[KEY_SIZE], action_key[KEY_SIZE];
    int64_t action_started; /* of a compensation, as its metadata says; by the sidecar's clock */
    uint8_t *request;
    size_t request_size;
};

/* ---- participants ---- */

struct row {
    struct row *next;
    char key[KEY_SIZE];
    int64_t made_at; /* by the participant's clock, which is the sidecar's */
    uint8_t state;   /* enum saga_barrier_row */
    int status;
    char *output;
    size_t output_size;
};

#define ROW_BUCKETS 64

struct participant {
    struct row *rows[ROW_BUCKETS];
    int64_t stock, reserved;
    int64_t collected_until; /* when the newest row was made that has been collected */
    int64_t down_until;
    int64_t unreachable_until; /* no connection can be had */
    int64_t sheds_until;       /* it says of all that comes that it has not begun */
    uint32_t incarnation;
};

/* What a participant said. */
struct answer {
    int status;
    const char *output;
    size_t output_size;
};

/* ---- disk ---- */

struct kept_frame {
    uint8_t *bytes;
    size_t size;
    int64_t at; /* by the sidecar's clock */
};

struct kept_ended {
    struct ended_row row;
    bool dropped;
};

enum fate { FATE_NONE, FATE_LOST, FATE_TORN, FATE_KEPT };

/* A commit on its way to a far disk. */
struct far_commit {
    struct store_commit commit; /* with copies */
    uint64_t epoch;
    bool landed;      /* kept */
    bool told_unsure; /* the sidecar knows that it is not known */
    int64_t lands_at, told_at, unsure_until;
};

#define LOOKUPS_MAX 64

struct far_lookup {
    uint64_t key;
    int64_t answered_at;
};

struct disk {
    struct store store; /* first: the store is found from it */
    struct world *world;
    struct kept_frame *frames; /* index number - 1 */
    size_t frame_count, frame_room;
    uint64_t first_frame;
    struct kept_ended *ended;
    size_t ended_count, ended_room;
    struct definition_row definitions[DEFINITIONS_MAX];
    size_t definition_count;
    uint64_t oldest_live_frame, serial_max;
    /* What was written and not synced when the sidecar ended. */
    enum fate fate;
    struct store_commit pending;
    size_t torn_size;
    int64_t full_until;
    /* A far disk. */
    uint64_t epoch; /* of the opening that may write */
    struct far_commit on_the_way[STORE_COMMITS_MAX];
    unsigned on_the_way_count;
    struct far_lookup lookups[LOOKUPS_MAX];
    unsigned lookup_count;
    bool unheld;
    int64_t unheld_until; /* the lease of its opening is in doubt */
    uint64_t told_frame;  /* the last that this life of the sidecar was told to be durable */
    uint64_t tags[256];   /* in the rows of subjects */
    unsigned tag_count;
    struct subject_row retries[DEFINITIONS_MAX]; /* copies */
    unsigned retry_count;
    struct subject_row *data_keys;
    size_t data_key_count, data_key_room;
    struct audit_row *audit; /* index seq - 1 */
    size_t audit_count, audit_room;
    uint64_t audit_first;
    struct breaker_mark breakers[TARGET_COUNT]; /* as the rows of subjects tell */
    struct subject_row bulks[BULKS_SEEN_MAX];   /* likewise, by their place */
    struct subject_row *answers;                /* by their slots */
    size_t answer_count, answer_room;
    struct subject_row holds[DEFINITIONS_MAX]; /* by definition, as the following ones */
    struct subject_row rules[RULES_SEEN];
    struct subject_row slis[DEFINITIONS_MAX], sli_histories[DEFINITIONS_MAX];
};

/* ---- the sidecar ---- */

struct request;

struct incoming {
    struct incoming *next;
    struct request *request; /* or an answer: */
    struct attempt *attempt;
    int status;
    uint8_t reach;
    bool unreached; /* with SAGA_REACH_NONE: no connection could be had */
    bool back;      /* no attempt: `target` can be reached again */
    unsigned target;
    const char *said; /* of the participant's own code about its function, or NULL */
    const char *output;
    size_t output_size;
    bool has_pushback;
    int64_t pushback;
};

struct sidecar {
    struct store *store; /* before the disk: what seals */
    struct core *core;
    struct catalog *catalog;
    struct bulks *bulks;
    struct slis *slis;
    struct memory rule_memory;
    struct rulings *rules_left;
    struct ruling *rules[RULES_SEEN];
    int64_t rules_look_at;
    struct retries *retries; /* while the definitions are read */
    bool up;
    bool dying;
    bool fenced; /* it was told so: it must not go on */
    uint64_t epoch;
    bool holding;
    uint32_t incarnation;
    uint64_t began_at_frame; /* the last that was durable when it began */
    int64_t offset;          /* its clock minus the true time */
    int64_t last_now;
    struct incoming *first, *last;
    uint64_t turn_number; /* of the turn that is planned; an older one is void */
    int64_t turn_at;
    int64_t busy_until;
    int64_t stalled_until; /* the process does not get the processor */
    int64_t wanted_at;     /* when the next turn is due, were it not for those two; INT64_MAX: none is */
    int64_t drained_at,
        look_by;     /* by its own clock: when nothing was left to take in; by when it meant to look again */
    int64_t late_at; /* likewise: when a turn came late last, so that leases started anew */
    int64_t commit_delay;
    int crash_in;     /* effect boundaries until it ends; -1: it does not */
    uint32_t let_out; /* effects of this commit */
    uint32_t calls_out[TARGET_COUNT];
    uint32_t backs[TARGET_COUNT];     /* word on its way that the target can be reached again */
    bool was_down[TARGET_COUNT];      /* in this life: who waits for it is not in the order of a bulkhead any more */
    int64_t down_since[TARGET_COUNT]; /* by its clock, since when it has known that it cannot; 0: it has not */
    struct drill_rule drill[2];       /* in this life */
    unsigned drill_count;
    bool was_gone[TARGET_COUNT]; /* likewise: what waits for it meanwhile is no retry */
    bool target_gone[TARGET_COUNT],
        ever_gone[TARGET_COUNT];                    /* not configured in this life; that, or out of reach, in any */
    struct breaker_mark breakers[TARGET_COUNT];     /* likewise, and as a new life takes them up */
    int64_t left_at[TARGET_COUNT][RATE_LOOKS_BACK]; /* by its clock: when calls left, the last at left_count - 1 */
    unsigned left_count[TARGET_COUNT];
    int64_t starts_at[DEFINITIONS_MAX][RATE_LOOKS_BACK]; /* likewise: when sagas of each definition started */
    unsigned starts_count[DEFINITIONS_MAX];
    int64_t began_at; /* by its clock */
    int64_t firsts[TARGET_COUNT], again[TARGET_COUNT],
        paid[TARGET_COUNT]; /* calls of this life; retries that came back well */
    size_t memory_used;
    uint64_t memory_takes, memory_fail_at;     /* 0: none fails */
    unsigned memory_fail_count;                /* so many in a row */
    unsigned memory_failures, failures_before; /* this life */
    bool starting;
};

/* ---- clients ---- */

/* A request on its way; it can arrive more than once. */
struct request {
    struct client *client;
    uint64_t token;
    uint8_t type;
    int64_t sent_at;
    bool answered;
    struct saga_id saga;
    struct settlement settle;
    struct enlistment enlist;
    size_t settle_count, enlist_count;
    char actor[16], reason[16], step[32];
    uint8_t breaker_act;  /* of the target `step` */
    bool of_refused;      /* when it was handed over, the step that it enlists had been refused for good */
    uint8_t nonsense;     /* which; 0: it makes sense */
    uint32_t incarnation; /* of the sidecar that took it in last */
    uint64_t decided;     /* frame up to which everything was decided then; the answer shows that much at least */
};

struct client {
    struct world *world;
    unsigned index;
    bool enlisted, synthetic, over, dead, has_request_id;
    uint8_t priority; /* that its start asks for; 0: none */
    uint32_t definition;
    char request_id[24];
    char identity[16];
    char input[32];
    struct span lease, deadline;
    bool saga_known;
    struct saga_id saga;
    unsigned steps, step;
    uint8_t outcome;         /* of the step that was acted last and is not settled; 0: none */
    struct span may_run_for; /* of an unknown one */
    bool aborts;
    int64_t lease_until;
    struct request *current;
    unsigned tries;
};

/* ---- exhaustive small scope: choices come from a script instead of a generator ---- */

#define SCRIPT_MAX 128

enum shape {
    SHAPE_CHAIN,
    SHAPE_PIVOT,
    SHAPE_DIAMOND,
    SHAPE_DIAMOND_BY_DEPENDENCY,
    SHAPE_LOOP,
    SHAPE_SKIPPED,
    SHAPE_PIVOTS,
    SHAPE_COUNT
};

struct script {
    uint8_t digits[SCRIPT_MAX], bases[SCRIPT_MAX];
    unsigned used, length;
    unsigned crashes_left;
    enum shape shape;
};

struct totals {
    uint64_t seeds, events, sagas, faults, crashes, records, calls;
    uint64_t marks[MARK_GROUP_COUNT][MARK_NUMBER_MAX];
};

struct world {
    uint64_t seed;
    bool print;
    bool healed;
    int64_t now; /* true time */
    uint64_t event_number, hash;
    struct random random[STREAM_COUNT];
    struct swarm swarm;
    struct script *script;
    struct agenda agenda;
    struct arena_chunk *arena;
    struct disk disk;
    struct sidecar sidecar;
    struct participant participants[TARGET_COUNT];
    struct client clients[CLIENTS_MAX];
    unsigned client_count;
    struct request **requests; /* index token - 1 */
    size_t request_count, request_room;
    struct definition *definitions[DEFINITIONS_MAX];
    struct typed_definition typed[DEFINITIONS_MAX];
    unsigned definition_count;
    struct model *models; /* SERIAL_MAX of them, by serial */
    uint64_t serial_max;
    struct engine *shadow; /* fed with durable records alone */
    uint32_t copies;       /* of a moved history, that are still to come in this frame */
    struct model *moving;  /* whose they are */
    size_t copied;
    int64_t last_record_at;
    int64_t last_jump; /* true time of the last jump of the sidecar's clock */
    struct bulk_seen bulk[BULKS_SEEN_MAX];
    struct kept_answer *answers;
    struct kept_answer *forgetting; /* whose reply is to come; NULL: none is */
    bool given_meanwhile;           /* a record of such an answer has become durable since it was asked for */
    struct sli_seen slis[DEFINITIONS_MAX];
    struct rule_seen rules[RULES_SEEN];
    uint64_t held_since[DEFINITIONS_MAX]; /* the commit that has the row */
    unsigned bulk_count;
    uint64_t commits;     /* that are durable */
    uint64_t commit_from; /* the first frame of the last, or that which would follow */
    struct totals *totals;
    struct random chance; /* of keys */
    struct store *reader; /* the oracle's own, over the disk */
    uint32_t last_life;   /* of the sidecar that handed a frame to the disk last, and its counter */
    uint64_t last_counter;
};

/* ---- agenda.c ---- */
void *world_take(struct world *w, size_t size); /* zeroed; lives as long as the world */
char *world_copy(struct world *w, const void *at, size_t size);
void world_free(struct world *w);
void agenda_add(struct world *w, int64_t at, void (*run)(struct world *w, void *arg), void *arg);
bool agenda_next(struct world *w);
uint64_t draw(struct world *w, enum stream stream, uint64_t bound);
int64_t draw_between(struct world *w, enum stream stream, int64_t low, int64_t high);
bool chance(struct world *w, enum stream stream, unsigned permille);
/* Draws whether a fault strikes, and counts it. Never after the healing. */
bool strikes(struct world *w, enum fault fault);
/* The next choice of the script: 0 to base - 1. */
unsigned script_choose(struct script *s, unsigned base);

/* ---- trace.c ---- */
void trace(struct world *w, const char *what, uint64_t saga, int64_t a, int64_t b, int64_t c);
void trace_bytes(struct world *w, const void *at, size_t size);
void mark(struct world *w, enum mark_group group, unsigned number);
/* Prints the marks that nothing reached; returns how many of those must be reached. */
unsigned marks_report(const struct totals *t);
_Noreturn void world_fail(struct world *w, enum exit_code code, const char *invariant, const char *what, uint64_t saga);
const char *build_commit(void);
/* The world that a panic is reported for. */
extern struct world *world_now;

/* ---- disk.c ---- */
void disk_init(struct world *w);
/* What a crash leaves; called when the sidecar starts again. */
struct store_state disk_reopen(struct world *w);
/* An ended saga's row, whatever the network says; NULL when there is none. */
const struct ended_row *disk_ended(const struct world *w, uint64_t serial);
/* When a far disk has something to tell, or INT64_MAX. */
int64_t disk_tells_at(const struct world *w);
bool disk_has_tag(const struct world *w, uint64_t tag);

/* ---- sealed.c: what is encrypted and chained, and the audit trail ---- */
int sealed_start(struct world *w, const struct store_state *state);
void sealed_end(struct world *w);
/* What a kept frame says. */
struct bytes sealed_plain(struct world *w, uint64_t frame, struct bytes kept);
/* What is handed to the disk. */
void sealed_check_handed(struct world *w, const struct store_commit *c);
/* What has become durable: its acts and its entries are the same. */
void sealed_check_acts(struct world *w, const struct store_commit *c);
/* What an event is to say in the audit trail. */
struct bytes sealed_entry(struct world *w, const struct event *event);
/* ---- bulk.c ---- */
/* Lets people begin and change jobs, and the jobs do what is due. As bulks_run. */
int bulk_turn(struct world *w);
/* For bulk_options. */
int bulk_audit(void *self, const Saga__V1__BulkJob *job, struct event *event);
/* The oracle: a durable record of what an operator does, whether it is a job's; a job's row; the end of a commit, and of the world. */
/* A number for another job, which is to be begun with bulk_add; BULKS_SEEN_MAX: there are no more. */
unsigned bulk_new(struct world *w, int act, unsigned question, uint32_t per_second);
/* As bulks_add, of the job with this number, and as bulks_change to CANCELLED. */
int bulk_add(struct world *w, unsigned number, struct error_detail *detail);
int bulk_cancel(struct world *w, unsigned number, struct error_detail *detail);
bool bulk_did(struct world *w, struct model *m, const struct record *r);
void bulk_row(struct world *w, const struct subject_row *row);
void bulk_commit(struct world *w);
void bulk_end(struct world *w);

/* ---- answers.c ---- */
/* A step is done, or a last good answer stands in for one, as a durable record says. */
void answers_given(struct world *w, const struct model *m, const struct record *r);
void answers_recalled(struct world *w, struct model *m, const struct record *r);
/* Whether the record may say that there is none. */
bool answers_none(const struct world *w, const struct model *m, const struct record *r);
void answers_state(struct world *w);
void answers_row_seen(struct world *w, const struct subject_row *row);
/* Lets people have one forgotten, now and then. Returns 0 or E_MEMORY. The reply has this token, which no client's has. */
#define TOKEN_FORGET UINT64_MAX
int answers_turn(struct world *w);
void answers_forgotten(struct world *w, const struct reply_effect *reply);
int answers_scan(struct world *w, int (*take)(void *self, const struct subject_row *row), void *self);

/* ---- rules.c ---- */
/* When a life begins, and when it ends. Returns 0, or what a start fails with. */
int rules_open(struct world *w, const struct memory *memory, struct error_detail *detail);
void rules_close(struct world *w);
/* Rules look, act and are answered. Returns 0 or E_MEMORY. And when they are due next, by the true time, or INT64_MAX. */
int rules_turn(struct world *w);
int64_t rules_next(const struct world *w);
/* Replies with these tokens are theirs: so many below the first as there are rules. */
#define TOKEN_RULE (TOKEN_FORGET - 1)
void rules_replied(struct world *w, const struct reply_effect *effect);
/* The oracle: a row is durable; as scan_subjects; the end of a commit, and of the world. */
void rules_row(struct world *w, const struct subject_row *row);
int rules_scan(struct world *w, int (*take)(void *self, const struct subject_row *row), void *self);
void rules_commit(struct world *w);
void rules_end(struct world *w);

/* ---- holds.c ---- */
bool holds_are_there(const struct world *w);
/* Lets people hold definitions, and let them go. Returns 0 or E_MEMORY. */
int holds_turn(struct world *w);
/* A row is durable; as scan_subjects; a saga has started; nothing waits to become durable. */
void holds_row(struct world *w, const struct subject_row *row);
int holds_scan(struct world *w, int (*take)(void *self, const struct subject_row *row), void *self);
void holds_start_seen(struct world *w, const struct model *m);
void holds_state(struct world *w);

/* ---- slis.c ---- */
bool slis_has(const struct world *w);
/* As slis_recover. */
int slis_open(struct world *w, const struct memory *memory, struct error_detail *detail);
/* The oracle: a durable end, a row, the end of a commit; and the rows that are kept. */
void slis_end_seen(struct world *w, const struct model *m, const struct record *r);
void slis_row(struct world *w, const struct subject_row *row);
void slis_commit(struct world *w);
int slis_scan(struct world *w, uint32_t kind, int (*take)(void *self, const struct subject_row *row), void *self);

/* ---- sidecar.c ---- */
void sidecar_start(struct world *w, void *arg);
void sidecar_crash(struct world *w);
void sidecar_stop(struct world *w);
struct instant sidecar_now(const struct world *w);
void sidecar_take(struct world *w, const struct incoming *in);
void sidecar_plan(struct world *w, int64_t at);
/* A place where the sidecar may end. True when it does: nothing more leaves it. */
bool sidecar_ends_here(struct world *w);
struct engine_options sidecar_engine_options(const struct world *w, uint64_t tag);
/* Counted: the core gives all of it back when it ends. */
struct memory sidecar_memory(struct world *w);

/* ---- network.c ---- */
void network_call(struct world *w, const struct call_effect *call, int64_t out_at);
void network_request(struct world *w, struct request *r);
void network_reply(struct world *w, const struct reply_effect *reply, int64_t out_at);

/* ---- participants.c ---- */
void participants_init(struct world *w);
void participant_take(struct world *w, unsigned target, const struct attempt *a, struct model *m, unsigned step,
                      struct answer *answer);

/* ---- clients.c ---- */
void clients_start(struct world *w);
void client_answered(struct world *w, struct request *r, const struct reply_effect *reply);
void client_event(struct world *w, const struct request *r, struct event *event);
struct request *request_new(struct world *w, struct client *c, uint8_t type);

/* Gives it a token, and to the network. */
void request_send(struct world *w, struct request *r);

/* ---- nonsense.c ---- */
void nonsense_start(struct world *w);
void nonsense_event(struct world *w, const struct request *r, struct event *event);

/* ---- operators.c ---- */
void operators_start(struct world *w);
void operators_heal(struct world *w);

/* ---- definitions.c ---- */
void definitions_make(struct world *w);
void definitions_free(struct world *w);
/* Of a script: the first step of it is a loop of two, or the second is skipped. */
void typed_make_scripted(struct world *w, struct definition *d, enum shape shape);
/* Makes the definition one that computes. */
void typed_make(struct world *w, unsigned number, struct definition *d);
/* The text as an input or output of this definition: a message when it is typed. */
struct bytes typed_payload(const struct world *w, const struct definition *d, struct bytes plain);
/* What a definition computes for a saga: whether a Start is refused, a step skipped, a call impossible; whether a request is what it must be. */
bool typed_refuses(const struct world *w, const struct client *c);
unsigned typed_instances(const struct world *w, const struct definition *d, const struct client *c, unsigned spec);
/* Where a step of its definition goes. */
int typed_target(const struct world *w, const struct definition *d, const struct client *c, unsigned spec);
bool typed_skips(const struct world *w, const struct model *m, unsigned step);
bool typed_fails(const struct world *w, const struct model *m, unsigned step, bool undo);
enum typed_expectation typed_expects(const struct world *w, const struct model *m, unsigned step);
/* Whether a participant may answer OK and mean no; what it says then, and whether something is that. */
bool typed_refuses_softly(const struct world *w, const struct model *m, unsigned step);
extern const struct bytes typed_refusal;
bool typed_is_refusal(const struct world *w, const struct model *m, struct bytes output);
/* The key of the last good answer that stands in there. */
const char *typed_key_of(const struct world *w, const struct model *m, unsigned step);
bool typed_wants(const struct world *w, const struct model *m, unsigned step, bool undo, struct bytes request);
/* Whether a saga's tags, the metadata of a call of it, its output are what they must be. */
bool typed_has_tags(const struct world *w, const struct definition *d, const struct client *c, struct bytes tags);
bool typed_has_metadata(const struct world *w, const struct model *m, unsigned step, struct bytes metadata);
bool typed_has_output(const struct world *w, const struct model *m, struct bytes output);
struct definition *definition_copy(const struct definition *d);

/* ---- oracle_journal.c: what becomes durable ---- */
void oracle_frame(struct world *w, uint64_t frame, struct bytes records, int64_t at);
void oracle_kept_from(struct world *w, uint64_t frame);
void oracle_ended_row(struct world *w, const struct ended_row *row);
struct model *oracle_model(struct world *w, struct saga_id id);
struct attempt *oracle_attempt(const struct model *m, unsigned step, uint8_t phase, unsigned number);
/* Whether a step is in nobody's way; whether it is optional, of unknown outcome, and to be undone although its saga goes forward. */
/* What its definition says of it. */
const struct step_spec *oracle_spec(const struct model *m, unsigned step);
bool oracle_is_pivot(const struct model *m, unsigned step);
bool oracle_past_pivot(const struct model *m);
/* The step whose output counts as this one's: of a step that is DONE, its own; or -1. */
int oracle_gives(const struct model *m, unsigned step);
/* The step that this one stands in for; or -1. */
int oracle_stood_in_for(const struct model *m, unsigned step);
/* Whether a step that stands in for another is needed. */
bool oracle_needed(const struct model *m, unsigned step);
/* Whether the target takes no calls now: it is gone or its breaker is open. */
bool oracle_shut(const struct world *w, unsigned target, int64_t now);
/* A step that was seen to wait: not one that does not. */
void oracle_haste(struct world *w, const struct saga *s, unsigned step);
bool oracle_over(const struct model *m, unsigned step);
bool oracle_undone_early(const struct model *m, unsigned step);
void oracle_heard(struct model *m, int64_t now);
/* A turn came late: all leases start anew. */
void oracle_late(struct world *w, int64_t now);
/* ---- oracle_policy.c: the numbers, worked out anew ---- */
#define READY_AT_RECOVERY (-1) /* in which order those wait that recovery found is not known */
void oracle_timeout(struct world *w, const struct model *m, const struct call_effect *call);
void oracle_failed(struct world *w, const struct model *m, const struct record *r, uint8_t phase);
/* oracle_targets.c: a row is kept; a life begins; a call leaves; nothing is under way. */
void oracle_breaker_kept(struct world *w, const struct subject_row *row);
void oracle_breaker_start(struct world *w, int64_t now);
void oracle_breaker_call(struct world *w, const struct attempt *a);
void oracle_breaker_state(struct world *w);
bool oracle_went_well(const struct world *w, const struct attempt *a);
/* A call leaves; a step is in a queue; an action starts; an action ends that did not leave. */
void oracle_rate_call(struct world *w, const struct attempt *a);
void oracle_pending(struct world *w, const struct saga *s, unsigned step);
void oracle_undo_first(struct world *w, const struct model *m, const struct record *r);
void oracle_turned_away(struct world *w, const struct model *m, const struct record *r);
bool oracle_breaker_waits(struct world *w, unsigned target, int64_t expiry);
/* An attempt that had not begun does not count; one does. */
void oracle_shed(struct world *w, const struct model *m, const struct record *r, const struct attempt *a);
void oracle_shed_enough(struct world *w, const struct model *m, const struct record *r, uint8_t phase);
/* When a step's attempts must have ended; INT64_MAX: it has no end. */
int64_t oracle_until(const struct model *m, unsigned step);
/* A step ends for which there is no time; a saga starts. */
void oracle_no_time(struct world *w, const struct model *m, const struct record *r);
void oracle_limits(struct world *w, const struct model *m, const struct record *r);
void oracle_given_up(struct world *w, const struct model *m, const struct record *r);
void oracle_undo_given_up(struct world *w, const struct model *m, const struct record *r);
void oracle_first_come(struct world *w, const struct model *m, const struct record *r);
void oracle_fair(struct world *w, const struct model *m, const struct record *r);
/* After a record of the saga; after recovery. */
void oracle_ready(struct world *w, struct model *m, int64_t at);
void oracle_ready_anew(struct world *w);
/* ---- oracle_effects.c: what is let out ---- */
void oracle_call(struct world *w, const struct call_effect *call, struct attempt *a);
void oracle_reply(struct world *w, const struct reply_effect *reply);
void oracle_answer(struct world *w, const struct incoming *in);
void oracle_not_waited_for(struct world *w, struct model *m, const struct record *r);
/* A request that is handed to the core. */
void oracle_request(struct world *w, const struct event *event);
/* ---- oracle_state.c: what is in memory ---- */
void oracle_state(struct world *w);
void oracle_replay(struct world *w, const char *when);
void oracle_recovered(struct world *w);
/* ---- oracle_end.c ---- */
bool oracle_all_over(struct world *w);
void oracle_end(struct world *w);
void oracle_effect(struct world *w, struct model *m, unsigned step, int delta);

/* ---- world.c ---- */

/* What one run is to do. */
struct run {
    uint64_t seed;
    bool print;
    struct script *script; /* NULL: chance decides */
    uint64_t
        memory_fail_at; /* the core's allocation of this number fails, and memory_fail_count - 1 after it; 0: none */
    unsigned memory_fail_count;
    unsigned memory_failures; /* set: how many did */
    uint64_t hash;            /* set: of the whole trace */
};
void world_run(struct run *run, struct totals *totals);

/* ---- exhaust.c ---- */
/* Fails every allocation of the core in turn, from its start to the end of some worlds. Returns the number of runs. */
uint64_t exhaust_memory(struct totals *totals, uint64_t seeds);
/* Every run of one shape; of all with -1. Returns how many there were. */
uint64_t exhaust_run(struct totals *totals, int only);
/* One of those runs again, by its choices, an event a line. */
void exhaust_replay(struct totals *totals, unsigned shape, const unsigned *digits, unsigned count);

#endif
