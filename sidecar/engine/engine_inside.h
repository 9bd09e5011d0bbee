/* engine_inside.h - what the files of the engine share. */
#ifndef SAGA_ENGINE_ENGINE_INSIDE_H
#define SAGA_ENGINE_ENGINE_INSIDE_H

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/pool.h"
#include "sidecar/base/random.h"
#include "sidecar/engine/anchors.h"
#include "sidecar/engine/engine.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/engine/timers.h"

/* All versions of a definition. */
struct family {
    char *name;
    bool bound; /* by the configuration */
    struct admission admission;
};

struct engine {
    struct engine_options options;
    struct memory memory;
    struct random random;

    /* Live sagas: by serial, by request_id, by age, by time. The tables have a fixed size made from live_sagas_max. */
    struct saga **by_serial;
    struct saga **by_request;
    uint64_t table_size; /* a power of two */
    struct saga *oldest, *newest;
    struct saga *came_back;         /* the last that came back with an old serial; NULL: none */
    struct anchors anchors;         /* of the list by serial */
    struct saga *earliest, *latest; /* in the order in which the journal must keep them */
    struct timers timers;
    uint64_t serial;
    bool holding; /* engine_hold was called */
    bool starved; /* there was no memory for what a saga must keep: the owner must stop */

    struct pool scratch; /* of one evaluation */
    struct drill drill;  /* faults that are injected */

    struct family *families; /* family_count of them, in the order in which they came */
    uint32_t *family_slots;  /* by name: their places from 1; two for each that there is room for */
    uint32_t family_count, family_room;
    struct admission all; /* how quickly sagas end, to guess when there will be room */

    struct recall recall;      /* the last good answers of steps */
    struct timer recall_timer; /* when the oldest of them is to be forgotten */

    struct fair_table keys; /* under which steps wait for their targets */
    struct target *targets; /* target_count of them; and at targets_max one for all whose names are not kept */
    uint32_t target_count;

    struct engine_counts counts;
};

/* One call of engine_step: where it is and where its results go. */
struct turn {
    struct engine *engine;
    struct instant now;
    const struct engine_out *out;
    bool timers; /* it is the timers' turn: all that had arrived has been taken in */
};

/* ---- registry.c: finding sagas ---- */
int registry_init(struct engine *e);
void registry_finish(struct engine *e);
void registry_add(struct engine *e, struct saga *s);
void registry_remove(struct engine *e, struct saga *s);
/* s becomes the one whose records begin last. */
void registry_move(struct engine *e, struct saga *s);
/* Ends the process unless the saga stands where it is looked for. */
void registry_check(const struct engine *e, const struct saga *s);

/* ---- families.c: definitions by their names ---- */
/* The place of the family of this name, from 1, or E_MEMORY. */
int families_add(struct engine *e, const char *name);
void families_finish(struct engine *e);
/* NULL: the definition was not resolved, or there is none. */
static inline struct family *families_of(const struct engine *e, const struct definition *d)
{
    return d == NULL || d->family == 0 || d->family > e->family_count ? NULL : &e->families[d->family - 1];
}
/* Whether one more saga of the definition may begin; 0, or E_DEFINITION_LIMIT with detail, which says when to come again. */
int families_ask_bound(const struct turn *t, const struct definition *d, struct error_detail *detail);
static inline int families_ask(const struct turn *t, const struct definition *d, struct error_detail *detail)
{
    const struct family *f = families_of(t->engine, d);
    return f == NULL || !f->bound ? 0 : families_ask_bound(t, d, detail);
}
/* One begins, which was admitted. */
static inline void families_begin(const struct turn *t, const struct definition *d)
{
    struct family *f = families_of(t->engine, d);
    if (f != NULL && f->bound)
        admission_take(&f->admission, t->now);
}
/* Recovery's end: for how long nothing has ended while the sidecar was down, tells nothing. */
void families_resume(struct engine *e);
/* E_LIVE_SAGAS, with a guess of when there will be room. */
int families_full(const struct turn *t, struct error_detail *detail);

/* ---- engine.c ---- */
/* Ends the process unless the counts and the bounds of the whole are sound. Constant time. */
void engine_check(const struct engine *e);

/* ---- fold.c: the only code that changes what is durable ---- */
/* Bytes of memory that applying this record keeps for good (0: none). */
size_t fold_block_size(const struct record *r, const struct definition *d);
/* Room for more enlisted steps, before their records are applied. 0 or E_MEMORY. */
int fold_reserve_steps(struct engine *e, struct saga *s, unsigned more);
/* Applies r. block is fold_block_size bytes (taken), or NULL when that is 0. s is NULL for RECORD_STARTED. Returns the saga. */
struct saga *fold_apply(struct engine *e, struct saga *s, const struct record *r, const struct definition *d,
                        void *block);
/* Ends the process unless an engine may write r: what its own decisions must hold. */
void fold_check_own(const struct record *r);
/* Whether r may follow what is there, as the journal is not to be trusted. */
int fold_check(const struct engine *e, const struct saga *s, const struct record *r, const struct definition *d,
               struct error_detail *detail);
void fold_free(struct engine *e, struct saga *s);
/* Takes a saga out of the registry and the counts, and frees it. */
void fold_forget(struct engine *e, struct saga *s);

/* ---- advance.c: what a saga does next ---- */
struct record advance_record(const struct turn *t, const struct saga *s, uint8_t type, unsigned step);
/* Applies a record that needs no memory, and gives it out. */
void advance_emit(const struct turn *t, struct saga *s, const struct record *r);
/* The same of one that may need memory; without it nothing is done, and the engine starves. */
void advance_keep(const struct turn *t, struct saga *s, const struct record *r);
/* Carries out what has become due (deadline, lease, retries) and what can go on, and sets the saga's timer. */
void advance(const struct turn *t, struct saga *s);
/* Who asked for what an event brings; empty when it is the saga's owner, as most are. */
struct bytes advance_asker(const struct saga *s, const struct event *event);
/* RUNNING -> COMPENSATING. asked: the request that wants it, or NULL. quiet_at: until then the owner of an enlisted saga may still be acting (0: it is not). */
void advance_turn_back(const struct turn *t, struct saga *s, uint8_t reason, unsigned step, struct bytes message,
                       const struct event *asked);
/* What follows from an action that ended other than DONE. rejected: the reason if it was certainly not executed. */
void advance_action_failed(const struct turn *t, struct saga *s, unsigned step, uint8_t rejected);
/* Whether the deadline cannot turn the saga back. */
bool advance_deadline_waits(const struct saga *s);
void advance_stuck(const struct turn *t, struct saga *s, uint8_t reason, unsigned step);
/* Takes every step of the saga out of its target's queue. */
void advance_unqueue(const struct turn *t, struct saga *s);
void advance_unqueue_step(const struct turn *t, struct saga *s, unsigned step);
/* How long an attempt of this call may take. Of a target that the configuration no longer names, nobody knows: long enough. */
struct span advance_timeout(const struct turn *t, const struct call_spec *call);
/* engine.c: the index of the target of this name, or of the one that stands for all whose names are not kept; and keeps a name, so that what waits
 * for it can go on once it is there: 0, also beyond targets_max, or E_MEMORY. */
int target_index(const struct engine *e, const char *name);
int target_keep_name(struct engine *e, const char *name);
/* A place of the target may be free: those that have waited longest take it. */
void advance_target_free(const struct turn *t, struct target *target);
/* For how long the step waits for its target, and before whom. */
enum target_class advance_class(const struct saga *s, unsigned step);
/* An attempt could not reach the target; one has, or could; and the first that does not wait for ever has waited long enough. */
void advance_target_down(const struct turn *t, struct target *target);
void advance_target_back(const struct turn *t, struct target *target);
void advance_target_waited(const struct turn *t, struct target *target);
/* The mark of the target's breaker is to be kept. advance_target_free is to follow. */
void advance_breaker_changed(const struct turn *t, struct target *target);

/* What a call is sent; of what stands in for an output, that. */
struct bytes advance_request(const struct saga *s, unsigned step, const struct call_spec *call);

/* ---- fallback.c: what stands in for a step ---- */
/* Before the first attempt of a step that could start: whether a call is to be made. If not, what comes of it has been recorded. */
bool fallback_begin(const struct turn *t, struct saga *s, unsigned step);
/* The action's call was answered well, and it is done with this output: it is kept where a fallback may take it. */
void fallback_keep(const struct turn *t, const struct saga *s, unsigned step, struct bytes output);
/* Some answers are too old to be of use. */
void fallback_expire(const struct turn *t);

/* ---- typed.c: sagas whose definition computes ---- */
/* Whether a saga may start with this input; its tags, and how many instances its loops have, in the engine's scratch. 0 or an error with detail. */
int typed_start(const struct turn *t, const struct event *event, struct bytes *tags, struct bytes *counts,
                struct error_detail *detail);
/* What those who wait for a saga that is done are given, in the engine's scratch; where that cannot be computed nothing, and *message says why. */
struct bytes typed_output(const struct turn *t, const struct saga *s, struct error_detail *detail);
enum { TYPED_FAILED = -1, TYPED_NO_MEMORY = -2 };
/* Whether a step that could start is needed. 1; 0 after recording that it is skipped; TYPED_FAILED when that cannot be told: then the step is
 * REJECTED, and what follows from it has been done. */
int typed_when(const struct turn *t, struct saga *s, unsigned step);
/* Chooses the target of a step that could start. 0; TYPED_FAILED when that cannot be told: then what follows has been done. */
int typed_choose(const struct turn *t, struct saga *s, unsigned step);
/* The request of the next attempt, kept in the step until that is over, and its digest. Returns 0; TYPED_FAILED when it cannot be made, or is another
 * than the first attempt's: then what follows from that has been done; TYPED_NO_MEMORY: nothing has changed. */
int typed_request(const struct turn *t, struct saga *s, unsigned step, uint8_t phase, uint64_t *digest);
/* What stands in for an output, in the engine's scratch. 0, E_EXPRESSION with the reason, or E_MEMORY. */
int typed_value(const struct turn *t, const struct saga *s, unsigned step, struct bytes *value,
                struct error_detail *detail);
/* Whether an attempt has anything to compute. */
bool typed_computes(const struct saga *s, unsigned step, const struct call_spec *call);
/* Whether an OK answer is what the definition expects of it: as it is; a refusal, so that nothing was done; done, and to be undone; or nobody can
 * tell. */
enum typed_met { EXPECT_MET, EXPECT_REFUSED, EXPECT_UNDONE, EXPECT_UNCLEAR };
struct typed_verdict {
    enum typed_met met;
    struct bytes words; /* view of detail */
    struct error_detail detail;
};
/* 0, or E_MEMORY: then nothing has changed. */
int typed_expect(const struct turn *t, const struct saga *s, unsigned step, struct bytes output,
                 struct typed_verdict *verdict);
/* The key of the last good answer that may stand in for the step, in the engine's scratch or in the saga. 0, E_EXPRESSION with the reason, or E_MEMORY. */
int typed_key(const struct turn *t, const struct saga *s, unsigned step, struct bytes *key,
              struct error_detail *detail);
/* The attempt is over. */
void typed_forget(const struct engine *e, struct step *step);

/* ---- requests.c, operator.c, answers.c: the events ---- */
void requests_start(const struct turn *t, const struct event *event);
void requests_begin(const struct turn *t, const struct event *event);
void requests_enlist(const struct turn *t, const struct event *event);
void requests_commit(const struct turn *t, const struct event *event);
void requests_abort(const struct turn *t, const struct event *event);
void requests_keep_alive(const struct turn *t, const struct event *event);
void operator_cancel(const struct turn *t, const struct event *event);
void operator_pause(const struct turn *t, const struct event *event);
void operator_resume(const struct turn *t, const struct event *event);
void operator_retry(const struct turn *t, const struct event *event);
void operator_reject(const struct turn *t, const struct event *event);
void operator_skip(const struct turn *t, const struct event *event);
void operator_breaker(const struct turn *t, const struct event *event);
void operator_resolve(const struct turn *t, const struct event *event);
/* An attempt that was out when the sidecar ended. */
void answers_lost(const struct turn *t, struct saga *s, unsigned step);
/* An attempt that was permitted and cannot leave, for want of memory. */
void answers_unsent(const struct turn *t, struct saga *s, unsigned step, uint8_t phase);
int answers_take(const struct turn *t, const struct event *event);

/* ---- reply.c ---- */
/* s is NULL when it is about no saga. */
void reply_ok(const struct turn *t, const struct event *event, const struct saga *s, bool repeated);
void reply_error(const struct turn *t, const struct event *event, const struct error_detail *detail, int code);
/* Replies code with a field and a sentence. */
void reply_refuse(const struct turn *t, const struct event *event, int code, const char *field, const char *text);
/* The saga the event is about; NULL after replying E_SAGA_NOT_FOUND. */
struct saga *reply_find_saga(const struct turn *t, const struct event *event);

#endif
