/* core_commit.c - batches become durable: they are handed to the store in their order, their fates are taken, and what waited for a batch is
 * let out when it is known to be durable, and not before.
 *
 * The store may answer at once, or later: then the next batch is gathered, and handed over, meanwhile. What memory shows is ahead of what is
 * durable by as much as that. */
#include "sidecar/core/core_inside.h"
#include "sidecar/core/slis.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/saga.h"

/* After how many frames the store is told anew where recovery may start. */
#define OLDEST_LIVE_EVERY 64
/* After how many commits the invariants are looked at. */
#define CHECK_EVERY 64

static struct batch *closed_batch(struct core *c, unsigned index)
{
    CHECK(index < c->closed);
    return &c->batches[batch_place(c, index)];
}

static void find_open(struct core *c)
{
    CHECK(c->closed < BATCH_COUNT); /* there is always an open one */
    c->open = &c->batches[batch_place(c, c->closed)];
}

uint64_t core_oldest_live_frame(const struct core *c)
{
    const struct saga *earliest = engine_earliest(c->engine);
    return earliest == NULL ? c->frame : earliest->first_position;
}

/* ---- a store that takes nothing, for now or for good ---- */

static int stall(struct core *c, int code, struct instant now)
{
    if (c->stalled == 0)
        c->stalled_since = now;
    c->stalled = code;
    return code;
}

/* Owners could not renew their leases meanwhile, so those start anew. */
static void go_on(struct core *c, struct instant now)
{
    if (c->stalled != 0)
        engine_renew_leases(c->engine, now);
    c->stalled = 0;
    c->stalled_since = (struct instant){0};
}

static int lose(struct core *c, int code, const struct error_detail *why)
{
    c->lost = code;
    c->lost_why = *why;
    return code;
}

static int tell_lost(const struct core *c, struct error_detail *detail)
{
    *detail = c->lost_why;
    return c->lost;
}

/* Lets a reply out that shows nothing of what waits: refusals because the store takes nothing. */
static void let_refusals_out(struct core *c)
{
    struct batch *b = c->open;
    size_t kept = 0;
    for (size_t i = 0; i < b->effect_count; i++) {
        struct held_effect *held = &b->effects[i];
        int code = held->effect.type == EFFECT_REPLY ? held->effect.as.reply.code : 0;
        if (code == E_JOURNAL_FULL || code == E_JOURNAL_AWAY) {
            c->world.reply(c->world.self, &held->effect.as.reply, held->detail);
            memory_give_back(&c->memory, held->detail, sizeof *held->detail);
        } else {
            b->effects[kept++] = *held;
        }
    }
    b->effect_count = kept;
}

/* ---- what is durable is let out ---- */

static void let_effects_out(struct core *c, struct batch *b)
{
    for (size_t i = 0; i < b->effect_count; i++) {
        struct held_effect *held = &b->effects[i];
        if (held->effect.type == EFFECT_REPLY) {
            c->world.reply(c->world.self, &held->effect.as.reply, held->detail);
            memory_give_back(&c->memory, held->detail, sizeof *held->detail);
            held->detail = NULL;
        } else if (held->effect.type == EFFECT_CALL) {
            c->world.call(c->world.self, &held->effect.as.call);
        } else if (c->world.breaker != NULL) {
            c->world.breaker(c->world.self, &held->effect.as.breaker);
        }
    }
    b->effect_count = 0;
}

static void release_ended(struct core *c, struct batch *b)
{
    for (size_t i = 0; i < b->ended_count; i++)
        engine_release(c->engine, b->ended[i].saga.serial);
    b->ended_count = 0;
}

/* The oldest closed batch is durable. */
static void landed(struct core *c, struct instant now)
{
    struct batch *b = closed_batch(c, 0);
    CHECK(c->handed > 0 && batch_has_content(b));
    go_on(c, now);
    c->needed_from = b->needed_from;
    c->stuck = b->stuck;
    size_t from = 0;
    for (size_t i = 0; i <= b->cut_count && b->size > 0; i++) {
        size_t to = i == b->cut_count ? b->size : b->cuts[i];
        CHECK(b->first_frame + i == c->durable_frame + 1 && from < to);
        c->durable_frame++;
        c->world.durable(c->world.self, c->durable_frame, bytes_of(b->records + from, to - from));
        from = to;
    }
    let_effects_out(c, b);
    release_ended(c, b);
    batch_clear(c, b);
    c->first = batch_place(c, 1);
    c->closed--;
    c->handed--;
    /* With nothing on the way, memory shows what is durable: also that the sagas that ended are gone. */
    if (c->closed == 0 && c->open->size == 0)
        c->needed_from = core_oldest_live_frame(c);
}

/* What the store said of the oldest batch that it has. Returns 0 when that is durable, STORE_PENDING when it will tell, or why not. */
static int take_fate(struct core *c, int fate, struct instant now, struct error_detail *detail)
{
    CHECK(c->handed > 0);
    if ((DEFECT(PENDING_IS_DONE) && fate == STORE_PENDING) || (DEFECT(AMBIGUOUS_IS_DONE) && fate == STORE_AMBIGUOUS) ||
        (DEFECT(FENCED_IS_DONE) && fate == E_JOURNAL_FENCED))
        fate = 0;
    switch (fate) {
    case 0:
        landed(c, now);
        return 0;
    case STORE_PENDING:
        return STORE_PENDING;
    case STORE_AMBIGUOUS:
        error_set(detail, E_JOURNAL_AWAY, "", NULL);
        return DEFECT(AMBIGUOUS_IS_PENDING) ? STORE_PENDING : stall(c, E_JOURNAL_AWAY, now);
    case E_JOURNAL_FULL:
        c->handed = 0; /* none of them was kept */
        return stall(c, E_JOURNAL_FULL, now);
    default:
        return lose(c, fate, detail);
    }
}

/* Takes the fates that are known by now. */
static int settle(struct core *c, struct instant now, struct error_detail *detail)
{
    int code = 0;
    while (code == 0 && c->handed > 0) {
        CHECK(c->store->settle != NULL);
        code = take_fate(c, c->store->settle(c->store, detail), now, detail);
    }
    return code == STORE_PENDING ? 0 : code;
}

/* ---- batches are handed over ---- */

/* The open batch takes no more; the next one is open. */
static void close_batch(struct core *c)
{
    struct batch *b = c->open;
    CHECK(c->closed < STORE_COMMITS_MAX && batch_has_content(b));
    uint64_t oldest = core_oldest_live_frame(c);
    b->needed_from = oldest;
    b->stuck = engine_counts(c->engine).stuck;
    if (oldest >= c->oldest_live_frame + OLDEST_LIVE_EVERY)
        b->oldest_live_frame = c->oldest_live_frame = oldest;
    if (b->size > 0)
        c->frame += b->cut_count + 1;
    if (b->audit_size > 0)
        b->audit_seq = ++c->audit_last;
    c->closed++;
    find_open(c);
}

/* As close_batch has not been: the store did not take it. */
static void open_again(struct core *c, uint64_t oldest_before)
{
    struct batch *b = closed_batch(c, c->closed - 1);
    CHECK(c->handed < c->closed && c->open->size == 0);
    c->closed--;
    find_open(c);
    if (b->size > 0)
        c->frame -= b->cut_count + 1;
    c->audit_last -= b->audit_seq != 0;
    b->audit_seq = b->needed_from = b->oldest_live_frame = 0;
    c->oldest_live_frame = oldest_before;
}

/* The first closed batch that the store does not have. Returns as take_fate. */
static int hand_over(struct core *c, struct instant now, struct error_detail *detail)
{
    const struct batch *b = closed_batch(c, c->handed);
    struct store_commit commit = {
        .epoch = DEFECT(EPOCH_FORGOTTEN) ? 0 : c->epoch,
        .frame = b->size > 0 ? b->first_frame : 0,
        .records = bytes_of(b->records, b->size),
        .cuts = b->cuts,
        .cut_count = b->cut_count,
        .ended = b->ended,
        .ended_count = b->ended_count,
        .definitions = b->definitions,
        .definition_count = b->definition_count,
        .subjects = b->subjects,
        .subject_count = b->subject_count,
        .audit = {.seq = b->audit_seq, .at = now, .body = bytes_of(b->audit, b->audit_size)},
        .oldest_live_frame = b->oldest_live_frame,
    };
    if (DEFECT(CUT_PIECE_LOST) && commit.cut_count > 0)
        commit.records.size = commit.cuts[--commit.cut_count];
    int code = c->store->commit(c->store, &commit, detail);
    if (code < 0 && code != E_JOURNAL_FULL && !(DEFECT(FENCED_IS_DONE) && code == E_JOURNAL_FENCED))
        return lose(c, code, detail);
    if (code == E_JOURNAL_FULL)
        return stall(c, E_JOURNAL_FULL, now);
    c->handed++;
    /* At once there is an answer only for the one that is alone on the way: the others wait for those before them. */
    CHECK(code != 0 || c->handed == 1);
    return c->handed == 1 || code == STORE_AMBIGUOUS ? take_fate(c, code, now, detail) : STORE_PENDING;
}

/* Answers that were kept, or forgotten, and whose rows are not in a batch yet. */
static bool answers_changed(const struct core *c)
{
    return c->answers->first_changed != 0;
}

/* What is open needs no commit, so it leaves with what is before it. */
static int let_open_out(struct core *c)
{
    struct batch *b = c->open;
    if (c->closed > 0 && !DEFECT(REPLY_OVERTAKES))
        return batch_pass_effects(c, b, closed_batch(c, c->closed - 1)) == 0 ? 0 : (c->failed = E_MEMORY);
    let_effects_out(c, b);
    return 0;
}

/* Hands over what the store may take now, the oldest first. */
static int hand_all_over(struct core *c, struct instant now, struct error_detail *detail)
{
    int code = 0;
    while ((code == 0 || code == STORE_PENDING) && c->handed < c->closed)
        code = hand_over(c, now, detail);
    if (code != 0 && code != STORE_PENDING)
        return code;
    struct batch *b = c->open;
    if (answers_changed(c) && c->closed < STORE_COMMITS_MAX) {
        core_keep_answers(c);
        if (c->failed != 0)
            return core_failed(c, detail);
    }
    if (!batch_has_content(b))
        return let_open_out(c) == 0 ? 0 : error_set(detail, E_MEMORY, "", NULL);
    if (c->closed == STORE_COMMITS_MAX)
        return 0; /* its time comes when one of them is durable */
    if (c->options.slis != NULL && (c->failed = slis_close(c->options.slis, c)) != 0)
        return core_failed(c, detail);
    uint64_t oldest_before = c->oldest_live_frame;
    close_batch(c);
    code = hand_over(c, now, detail);
    if (DEFECT(ENDED_LEAVES_EARLY) && code == STORE_PENDING)
        release_ended(c, b);
    if (code == E_JOURNAL_FULL)
        open_again(c, oldest_before);
    return code == STORE_PENDING ? 0 : code;
}

/* What was put off until now. */
static int take_up(struct core *c, struct instant now, struct error_detail *detail)
{
    int code = parked_resume(c, now, detail);
    if (code == 0)
        code = core_resume(c, now, detail);
    return code != 0 ? code : core_failed(c, detail); /* what followed could not be written down */
}

/* Nothing is let out of a journal that another may have by now. Returns 0, or why. */
static int look_whether_held(struct core *c, struct instant now, struct error_detail *detail)
{
    int code = store_holds(c->store, detail);
    if (DEFECT(LEASE_IGNORED))
        code = 0;
    if (code == E_JOURNAL_AWAY)
        return stall(c, code, now);
    if (code != 0)
        return lose(c, code, detail);
    if (c->stalled == E_JOURNAL_AWAY && c->handed == 0)
        go_on(c, now);
    return 0;
}

int core_commit(struct core *c, struct instant now, struct error_detail *detail)
{
    if (c->failed != 0)
        return core_failed(c, detail);
    if (c->lost != 0)
        return tell_lost(c, detail);
    int code = look_whether_held(c, now, detail);
    if (code == 0 && c->handed > 0)
        code = settle(c, now, detail);
    if (code == 0 || code == E_JOURNAL_FULL) {
        int other = c->parked_count > 0 || c->resuming ? take_up(c, now, detail) : 0;
        code = other != 0 ? other : hand_all_over(c, now, detail);
    }
    if (c->stalled != 0 && c->failed == 0)
        let_refusals_out(c);
    /* Looked at once in a while where all is quiet, and always where it is not. */
    if (c->failed == 0 && c->lost == 0 && (c->closed > 0 || c->commits++ % CHECK_EVERY == 0))
        core_check(c);
    return code;
}

/* ---- to ask ---- */

bool core_pending(const struct core *c)
{
    const struct batch *open = c->open;
    return c->stalled != 0 || c->closed > 0 || batch_has_content(open) || open->effect_count > 0 ||
           c->parked_count > 0 || c->resuming || answers_changed(c);
}

bool core_waits(const struct core *c)
{
    const struct batch *open = c->open;
    if (c->stalled != 0)
        return true;
    bool nothing_to_do = !batch_has_content(open) && open->effect_count == 0 && !c->resuming && !answers_changed(c);
    return (c->closed > 0 || c->parked_count > 0) && (nothing_to_do || c->closed == STORE_COMMITS_MAX);
}

bool core_batch_full(const struct core *c)
{
    return c->open->size + c->open->row_bytes + c->open->audit_size + c->answers->changed_bytes >=
           c->options.commit_bytes_max;
}

uint64_t core_decided(const struct core *c)
{
    const struct batch *open = c->open;
    return c->frame + open->cut_count - (open->size == 0);
}

uint64_t core_durable(const struct core *c)
{
    return c->durable_frame;
}

uint32_t core_stuck(const struct core *c)
{
    return c->stuck;
}

int core_read_frame(struct core *c, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    for (unsigned i = 0; i <= c->closed && frame > c->durable_frame; i++)
        if (batch_frame(&c->batches[batch_place(c, i)], frame, records))
            return 0;
    return c->store->read_frame(c->store, frame, records, detail);
}

int core_stalled(const struct core *c)
{
    return c->stalled;
}

struct instant core_full_since(const struct core *c)
{
    return c->stalled == E_JOURNAL_FULL ? c->stalled_since : (struct instant){0};
}

/* ---- the end ---- */

static void abandon_batch(struct core *c, struct batch *b)
{
    for (size_t i = 0; i < b->effect_count; i++) {
        struct held_effect *held = &b->effects[i];
        if (held->effect.type != EFFECT_REPLY)
            continue;
        const struct reply_effect reply = {
            .token = held->effect.as.reply.token, .code = E_STOPPING, .saga = held->effect.as.reply.saga};
        c->world.reply(c->world.self, &reply, NULL);
        memory_give_back(&c->memory, held->detail, sizeof *held->detail);
    }
    b->effect_count = 0;
}

void core_abandon(struct core *c)
{
    for (unsigned i = 0; i <= c->closed; i++)
        abandon_batch(c, &c->batches[batch_place(c, i)]);
    parked_abandon(c);
}
