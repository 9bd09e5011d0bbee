/* core.h - the middle of the sidecar: it hands events to the engine, gathers the records of all that have piled up, has
 * the store commit them at once, and only then lets the effects out (I1). No clock, no network, no threads: sagad and
 * the simulator drive the same code.
 *
 * A store may take its time. Then up to two batches are on the way, and memory is ahead of what is durable by these and the one that is
 * gathered. What each decided is let out when that one is durable, in order; a saga that has ended can be found in memory until its end is.
 *
 * One owner. The order of use: core_open (recovery), then any number of core_submit, core_commit when there is nothing
 * more to submit, and so on. */
#ifndef SAGA_CORE_CORE_H
#define SAGA_CORE_CORE_H

#include "sidecar/engine/engine.h"
#include "sidecar/journal/store.h"
#include "sidecar/core/catalog.h"

struct core;

/* What the core does to the world outside. Nothing here may call back into the core. */
struct core_world {
    /* The records of a frame are durable: for whoever watches. Comes before the replies of the same commit, and frame by frame. */
    void (*durable)(void *self, uint64_t frame, struct bytes records);
    /* A requester's answer. detail is NULL unless reply->code is an error. */
    void (*reply)(void *self, const struct reply_effect *reply, const struct error_detail *detail);
    /* A call to make: an EVENT_ANSWER for it is to be submitted exactly once. Its views stay valid until then. */
    void (*call)(void *self, const struct call_effect *call);
    /* A target's breaker has opened or closed, and that is durable. May be NULL. */
    void (*breaker)(void *self, const struct breaker_effect *breaker);
    /* Whether memory is so nearly used up that no new work is to be taken (E_BYTES), only what ends sagas. May be NULL. */
    bool (*crowded)(void *self);
    void *self;
};

struct core_options {
    struct engine_options engine;
    const struct target_options *targets;
    size_t target_count;
    const struct definition_bound *limits;
    size_t limit_count;
    size_t commit_bytes_max; /* a batch that has grown so large is committed before more is taken in */
    size_t frame_bytes_max;  /* a frame that has grown so large is ended, and the batch goes on in another; 0: 32768 */
    struct span retention;   /* of sagas that have ended */
    struct span audit_retention; /* of the audit trail; 0: for ever */
    struct slis *slis;           /* borrowed: what objectives count; NULL: nothing */
    uint32_t move_after; /* frames: the history of a saga that lives longer is written anew, so that it neither holds up
                            retention nor lengthens recovery; 0: 16384 */
};

/* Makes the engine, replays the store's live sagas into it and lets them take up where they were; what they then ask
 * for comes out of core_commit, until core_resuming is over. The catalog must already hold the store's definitions; the store and the
 * catalog are borrowed for the core's life. Returns 0 or an error; detail then says what to do. */
int core_open(const struct core_options *options, const struct memory *memory, struct store *store,
              const struct store_state *state, struct catalog *catalog, const struct core_world *world,
              struct instant now, struct core **out, struct error_detail *detail);

/* Accepts NULL. Whatever was not committed is dropped, as in a crash. */
void core_close(struct core *c);

/* Hands one event to the engine, after looking up what only the store knows (request_ids and sagas that have ended).
 * Requests are always answered, if only by a later commit; with E_JOURNAL_CORRUPT, when what the store knows is damaged.
 * Returns 0, or E_MEMORY or E_JOURNAL when the owner must stop. */
int core_submit(struct core *c, const struct event *event, struct error_detail *detail);

/* As engine_set_target; an EVENT_TARGET is to follow. */
int core_set_target(struct core *c, const struct target_options *options);

/* As engine_set_limits. */
int core_set_limits(struct core *c, const struct definition_bound *bounds, size_t count);

/* As engine_set_drill. */
void core_set_drill(struct core *c, const struct drill_rule *rules, uint32_t count);

/* Whether anything may be added that is kept for good. Returns 0, or why no new work is taken: E_JOURNAL_FULL,
 * E_JOURNAL_AWAY or E_BYTES. */
int core_may_add(const struct core *c, struct error_detail *detail);

/* As engine_forget_answer, durably: the reply with this token comes when it is. Returns 0, E_JOURNAL_FULL, E_JOURNAL_AWAY, or E_MEMORY: the owner must stop. */
int core_forget_answer(struct core *c, struct bytes name, struct bytes key, uint64_t token,
                       struct error_detail *detail);

/* What core_register would refuse, in the same order, with nothing changed but definition's targets. */
int core_may_register(const struct core *c, struct definition *definition, struct error_detail *detail);

/* Adds a registration of a definition to the batch; takes definition, which the catalog then owns. The reply (code 0)
 * goes to token. A typed one is pinned to its schema. Returns 0 or an error, with the definition still the caller's. */
int core_register(struct core *c, struct definition *definition, struct instant now, uint64_t token,
                  struct error_detail *detail);

/* Adds a row about what is no saga to the batch (copied). Returns 0 or E_MEMORY. */
int core_set_subject(struct core *c, const struct subject_row *row);

/* The definitions that are held; for holds_set and to look at. */
struct holds;
struct holds *core_holds(struct core *c);

/* Adds an entry to the audit trail (copied): what was done about no saga, in the batch that has it. The entries of one commit are a row, one
 * behind another. */
void core_audit(struct core *c, struct bytes entry);
/* The number of the newest row of the trail that may be durable. */
uint64_t core_audit_last(const struct core *c);

/* Adds an answer that the core has no other part in, so that it too waits for what was decided before it. */
int core_reply(struct core *c, const struct reply_effect *reply, const struct error_detail *detail);

/* Whether anything waits to be committed or let out, or a journal that is stalled is to be tried again; whether that only waits for the store, so
 * that core_commit had better be called a little later; and whether the batch is as large as it may become. */
bool core_pending(const struct core *c);
bool core_waits(const struct core *c);
bool core_batch_full(const struct core *c);

/* Takes what the store has to say of earlier batches, lets out what is durable, takes in anew what waited for a look-up, and hands over the
 * next batch when the store may take it. Returns 0, also while batches are on the way; E_JOURNAL_FULL when there is no room and
 * E_JOURNAL_AWAY when the fate of a batch is not known: everything waits, requests are refused, answers are still taken in, and the next
 * core_commit goes on; anything else (E_JOURNAL, E_JOURNAL_FENCED, E_MEMORY) when the owner must stop. */
int core_commit(struct core *c, struct instant now, struct error_detail *detail);

/* The last frame that anything decided so far is in, and the last that is durable. What was read of memory may be shown once the second has
 * come to where the first was at the reading. */
uint64_t core_decided(const struct core *c);
uint64_t core_durable(const struct core *c);

/* How many sagas are dead letters by what is durable, heartbeats among them: in memory one may have been tried again, or become one, since. */
uint32_t core_stuck(const struct core *c);

/* As the store's, and of frames that are not durable yet, too. */
int core_read_frame(struct core *c, uint64_t frame, struct bytes *records, struct error_detail *detail);

/* Whether sagas that recovery found have still to take up where they were; core_commit goes on with them, a batch at a time. Until then
 * requests are refused. */
bool core_resuming(const struct core *c);

/* E_JOURNAL_FULL or E_JOURNAL_AWAY while that keeps everything waiting, else 0; and not 0: since when the journal has been full. */
int core_stalled(const struct core *c);
/* The journal takes what ends sagas, and no new work: that is refused with E_JOURNAL_FULL. */
bool core_is_tight(const struct core *c);
struct instant core_full_since(const struct core *c);

/* The time of the latest record that recovery saw; the clock may not stand before it. */
struct instant core_latest(const struct core *c);

/* Shutdown: no attempt leaves from now on; everything else goes on until the owner closes. */
void core_hold(struct core *c);

/* The end of a shutdown: whoever still waits for what could not be made durable is told E_STOPPING, and no attempt
 * leaves any more. What was decided stays in the batch; a later core_commit may still make it durable. */
void core_abandon(struct core *c);

/* When the next EVENT_TICK is due, or INSTANT_NEVER. None is while core_stalled or core_resuming, and after core_hold. */
struct instant core_expiry(const struct core *c);

/* Moves the histories of sagas that live long, if the batch is empty, and drops what is older than the retention, claims of request_ids, too: a bounded piece of each,
 * neither waits for the other. What was moved waits for the next core_commit. Sets *more when there is more to do now. STORE_PENDING, with *more: there is, once the
 * store has answered. */
int core_maintain(struct core *c, struct instant now, bool *more, struct error_detail *detail);

/* What comes so much later than the owner meant to look is late: the process was stopped, or the disk was slow. Then the leases of all sagas
 * start anew, before anything else: their owners' word may not have come through. */
#define CORE_LATE SPAN_S(1)

/* Tells that the owner now waits for what arrives, for so long at most. */
void core_await(struct core *c, struct span wait, struct instant now);

/* Tells that what has arrived was taken in: all of it, or (drained false) only what the batch has room for. Returns whether EVENT_TICK is to
 * follow now: what has arrived goes before timers, unless that takes as long as CORE_LATE. */
bool core_look(struct core *c, bool drained, struct instant now);

/* To look at. What it shows is durable while core_pending is false, and otherwise as core_decided says. */
const struct engine *core_engine(const struct core *c);

#endif
