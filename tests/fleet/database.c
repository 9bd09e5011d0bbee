/* database.c - the made-up database: what tests/unit/test_postgres_hold.c and test_postgres_server.c hold the real statements to. A commit arrives later
 * than it was sent and is told later still; it changes nothing when its epoch is not the row's. */
#include "tests/fleet/fleet_sim.h"

#include "sidecar/base/check.h"

#include <stdio.h>

static struct world *world_of(const struct far_store *f)
{
    return f->shard->sidecar->world;
}

static struct journal *journal_of(const struct far_store *f)
{
    return &world_of(f)->journals[f->shard->journal];
}

bool database_answers(const struct world *w)
{
    return w->now >= w->away_until;
}

static void open_disk(struct journal *j)
{
    struct error_detail detail;
    CHECK(memory_store_open(j->disk, &j->open, &j->state, &detail) == 0);
}

static void close_disk(struct journal *j)
{
    if (j->open != NULL)
        j->open->close(j->open);
    j->open = NULL;
}

bool database_take(struct world *w, int journal, int sidecar, bool own)
{
    struct journal *j = &w->journals[journal];
    if (!database_answers(w))
        return false;
    int64_t now = w->now + (DEFECT(OWN_CLOCK_JUDGES) ? w->sidecars[sidecar].ahead : 0);
    bool free_one = j->holder < 0 || j->expires_at < now || j->holder == sidecar;
    if (!free_one || (!own && j->wanted_until >= w->now))
        return false;
    if (!j->there && !own)
        return false;
    j->there = true;
    if (!own && j->person_at != 0)
        world_fail(w, "L2", "a journal that is known to lack something is taken over before a person has looked",
                   (uint64_t)journal);
    w->unseen += !own && j->lacks;
    j->lacks = j->lacks && own;
    j->holder = sidecar;
    j->epoch++;
    j->taker = ++w->takers;
    j->expires_at = w->now + LEASE_US;
    j->tries += !own;
    j->told = false;
    close_disk(j);
    open_disk(j);
    return true;
}

/* Somebody has seen what it lacks. */
static void leave_to_a_person(struct world *w, struct journal *j)
{
    if (!DEFECT(LOSS_IS_TAKEN_OVER))
        j->tries = LEFT_TO_A_PERSON;
    w->seen += j->person_at == 0;
    if (j->person_at == 0)
        j->person_at = w->now + SPAN_S(4).us + (int64_t)draw(w, 500) * STEP_US;
    j->lacks = false;
}

bool database_is_behind(struct sidecar *c)
{
    struct world *w = c->world;
    struct journal *j = &w->journals[c->number];
    const struct hold_mark now = {j->epoch, j->seq};
    bool marked = j->tries >= LEFT_TO_A_PERSON && c->witness.epoch != 0;
    if (hold_went_back(now, c->witness) || (marked && !DEFECT(MARK_FORGOTTEN_AT_HOME))) {
        leave_to_a_person(w, j);
        return true;
    }
    if (j->seq < c->witness.seq)
        world_fail(w, "L3", "a sidecar starts on a journal that lacks what its machine has seen", (uint64_t)c->number);
    if (j->person_at != 0 && c->witness.epoch != 0)
        world_fail(w, "L2",
                   "a sidecar starts on its journal, which is known to lack something, before a person has looked",
                   (uint64_t)c->number);
    j->lacks = false;
    j->tries = 0;
    j->person_at = 0; /* without what its machine has seen it goes by what there is */
    return false;
}

void database_give_up(struct world *w, int journal, uint64_t epoch, uint64_t live, bool known)
{
    struct journal *j = &w->journals[journal];
    if (j->epoch != epoch || !database_answers(w))
        return;
    j->holder = -1;
    j->taker = 0;
    j->expires_at = w->now;
    j->live = known ? live : j->live > 0 ? j->live : 1;
    j->told = true;
}

/* ---- a standby that follows by and by ---- */

static void let_go(struct world *w)
{
    for (int i = 0; w->standby.follows && i < SIDECARS; i++)
        memory_disk_destroy(w->standby.journals[i].disk);
    w->standby.follows = false;
}

void database_follow(struct world *w)
{
    let_go(w);
    for (int i = 0; i < SIDECARS; i++) {
        w->standby.journals[i] = w->journals[i];
        w->standby.journals[i].disk = memory_disk_copy(w->journals[i].disk);
        w->standby.journals[i].open = NULL;
    }
    memcpy(w->standby.requests, w->requests, sizeof w->requests);
    memcpy(w->standby.ledgers, w->ledgers, sizeof w->ledgers);
    w->standby.ledger_count = w->ledger_count;
    w->standby.at = w->now;
    w->standby.fails_at = w->now + (int64_t)draw(w, 100) * STEP_US;
    w->standby.follows = true;
}

/* What the database has of sagas is what the standby has. */
static void forget_sagas(struct world *w)
{
    for (unsigned i = 0; i < w->ledger_count; i++) {
        struct ledger *l = &w->ledgers[i];
        const struct ledger none = {.begun = false}, *is = i < w->standby.ledger_count ? &w->standby.ledgers[i] : &none;
        l->begun = is->begun;
        l->ended = is->ended;
        l->state = is->state;
        l->ended_at = is->ended_at;
    }
}

/* What of the journal's was done since the standby heard of it last may be done again, and in another way. */
static void doubt(struct world *w)
{
    for (unsigned i = 0; i < w->ledger_count; i++)
        w->ledgers[i].doubt |= w->ledgers[i].at >= w->standby.at;
    for (const struct call *c = w->calls; c < w->calls + CALLS_MAX; c++)
        if (c->used)
            ledger_of(w, c->answer.saga)->doubt = true;
    for (struct request *r = w->requests; r < w->requests + REQUESTS; r++) {
        const struct request *is = &w->standby.requests[r - w->requests];
        bool on_its_way = r->ways[0].to >= 0 || r->ways[1].to >= 0;
        r->losses += r->claimed != is->claimed || r->of_a_gone_one != is->of_a_gone_one ||
                     (r->looked_at != is->looked_at && on_its_way);
        r->claimed = is->claimed;
        r->of_a_gone_one = is->of_a_gone_one;
        r->looked_at = is->looked_at;
        r->has_begun = is->has_begun;
        r->begun = is->begun;
        if (!r->acknowledged || r->acknowledged_seq <= w->journals[r->acknowledged_by].seq)
            continue;
        r->acknowledged = false; /* the client will find that out, and ask again */
        w->lost++;
    }
}

void database_fail_over(struct world *w)
{
    for (int i = 0; i < SIDECARS; i++) {
        struct journal *j = &w->journals[i], *is = &w->standby.journals[i];
        is->lacks = j->lacks || j->seq > is->seq;
        is->person_at = j->person_at;
        is->tries = j->person_at != 0 ? j->tries : is->tries; /* seen long ago: before it followed */
        w->losses += j->seq > is->seq;
        close_disk(j);
        memory_disk_destroy(j->disk);
        *j = *is;
        open_disk(j);
    }
    w->standby.follows = false;
    forget_sagas(w);
    doubt(w);
    for (struct sidecar *c = w->sidecars; c < w->sidecars + SIDECARS; c++)
        for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++)
            if (s->used)
                far_break(&s->store);
    w->failed_at = w->now;
}

void database_turn(struct world *w)
{
    for (int i = 0; i < SIDECARS && database_answers(w); i++) {
        struct journal *j = &w->journals[i];
        if (j->person_at == 0 || w->now < j->person_at)
            continue;
        j->person_at = 0;
        j->tries = 0;
        w->sidecars[i].witness = (struct hold_mark){0};
    }
}

void database_want(struct world *w, int journal)
{
    w->journals[journal].wanted_until = w->now + INT64_C(3000000);
}

int database_claim(struct world *w, unsigned request, int own)
{
    struct request *r = &w->requests[request];
    r->looked_at = w->now + w->claims_ahead;
    if (DEFECT(CLAIM_FORGOTTEN) || (r->of_a_gone_one && DEFECT(GONE_CLAIM_KEPT)))
        return own;
    if (r->claimed < 0 || r->of_a_gone_one)
        r->claimed = own;
    r->of_a_gone_one = false;
    return r->claimed;
}

void database_remove(struct world *w, int journal)
{
    struct journal *j = &w->journals[journal];
    oracle_removed(w, journal);
    if (j->open != NULL)
        j->open->close(j->open);
    j->open = NULL;
    memory_disk_destroy(j->disk);
    j->disk = memory_disk_create();
    j->frames = j->live = 0;
    j->there = false;
    j->removals++;
    w->removals++;
    for (unsigned i = 0; i < REQUESTS; i++)
        w->requests[i].of_a_gone_one |= w->requests[i].claimed == journal;
}

/* ---- the store as a shard has it ---- */

static bool has_row(const struct far_store *f)
{
    const struct journal *j = journal_of(f);
    return j->epoch == f->shard->epoch && j->taker == f->shard->taker && j->open != NULL;
}

static bool has_what_is_known(const struct far_store *f)
{
    return journal_of(f)->seq >= f->settled;
}

bool far_lacks(const struct far_store *f)
{
    const struct journal *j = journal_of(f);
    return j->taker != f->shard->taker || j->seq < f->known ||
           (j->seq < f->known + COMMITS_KNOWN && j->commits[f->known % COMMITS_KNOWN] != f->known_id);
}

bool far_holds(const struct far_store *f)
{
    const struct span lease = {.us = LEASE_US};
    return !f->fenced && !f->back && (DEFECT(LEASE_FORGOTTEN) || world_of(f)->now < hold_until(f->confirmed, lease));
}

static int away(struct error_detail *detail)
{
    return error_set(detail, E_JOURNAL_AWAY, "", "");
}

/* What everything ends with, or 0. */
static int ended(const struct far_store *f, struct error_detail *detail)
{
    return f->fenced ? error_set(detail, E_JOURNAL_FENCED, "", "") : f->back ? error_set(detail, E_JOURNAL, "", "") : 0;
}

static void send_commit(struct far_store *f, unsigned i)
{
    struct world *w = world_of(f);
    int64_t after = i > 0 ? f->way[i - 1].arrives_at : 0;
    int64_t arrives = w->now + (int64_t)draw(w, 8) * STEP_US / 2;
    if (w->now < FAULTS_UNTIL && draw(w, 60) == 0) /* the network holds it back, perhaps beyond the lease */
        arrives += (int64_t)draw(w, 200) * STEP_US;
    f->way[i].sent_at = w->now;
    f->way[i].epoch = f->shard->epoch;
    f->way[i].arrives_at = arrives > after ? arrives : after;
    f->way[i].told_at = f->way[i].arrives_at + (int64_t)draw(w, 6) * STEP_US / 2;
    f->way[i].arrived = f->way[i].hit = false;
}

static int far_commit(struct store *face, const struct store_commit *commit, struct error_detail *detail)
{
    struct far_store *f = (struct far_store *)face;
    CHECK(f->count < STORE_COMMITS_MAX);
    int code = ended(f, detail);
    if (code != 0)
        return code;
    unsigned i = f->count++;
    f->way[i].copy = *commit;
    f->way[i].id = ++world_of(f)->ids;
    f->way[i].seq = ++f->seq;
    f->way[i].arrived = f->way[i].hit = f->way[i].done = false;
    f->way[i].arrives_at = INT64_MAX;
    if (!f->down)
        send_commit(f, i);
    return STORE_PENDING;
}

/* At the database, in their order: the fence, and what it lets through. */
static void arrive(struct far_store *f, unsigned i)
{
    struct world *w = world_of(f);
    struct journal *j = journal_of(f);
    struct error_detail detail;
    f->way[i].arrived = true;
    bool next = j->epoch == f->way[i].epoch && f->way[i].seq == j->seq + 1;
    if (j->open == NULL || !(next || DEFECT(FENCE_FORGOTTEN)))
        return;
    struct store_commit commit = f->way[i].copy;
    if (commit.frame != 0 && commit.frame != j->frames + 1)
        world_fail(w, "F1", "a commit does not follow what the database has: another has written", commit.frame);
    if (f->known > 0 && far_lacks(f) && !DEFECT(FENCE_FORGOTTEN))
        world_fail(w, "L1", "a commit follows one that was acknowledged and is gone", commit.frame);
    commit.epoch = j->state.epoch;
    j->frames = commit.frame == 0 ? j->frames : commit.frame + commit.cut_count;
    j->expires_at = w->now + LEASE_US;
    j->commits[++j->seq % COMMITS_KNOWN] = f->way[i].id;
    CHECK(store_commit_now(j->open, &commit, &detail) == 0);
    f->way[i].hit = true;
    oracle_kept(w, f->shard->journal, commit.records);
}

void far_deliver(struct far_store *f, bool dies)
{
    struct world *w = world_of(f);
    lookups_deliver(f);
    for (unsigned i = 0; i < f->count && database_answers(w); i++) {
        if (f->way[i].arrived)
            continue;
        if (f->way[i].arrives_at == INT64_MAX || (dies ? draw(w, 2) == 0 : f->way[i].arrives_at > w->now))
            return;
        arrive(f, i);
    }
}

static void note_kept(struct far_store *f, unsigned i)
{
    f->way[i].done = true;
    f->known = f->way[i].seq;
    f->known_id = f->way[i].id;
}

void far_break(struct far_store *f)
{
    struct world *w = world_of(f);
    bool gone = false;
    f->renewal_sent = 0;
    f->up_at = w->now + (int64_t)draw(w, 10) * STEP_US;
    lookups_break(f);
    w->breaks += !f->down;
    /* An answer that is in the socket is read yet. */
    for (unsigned i = 0; i < f->count && f->way[i].hit && f->way[i].told_at <= w->now && !f->down; i++)
        note_kept(f, i);
    for (unsigned i = 0; i < f->count && !f->down; i++) {
        if (f->way[i].arrived)
            continue;
        gone |= draw(w, 2) == 0;
        f->way[i].arrives_at = gone ? INT64_MAX : f->way[i].arrives_at + (int64_t)draw(w, 50) * STEP_US;
    }
    f->down = true;
}

void far_jump(struct far_store *f, int64_t us)
{
    f->confirmed -= us;
    f->renewal_sent -= f->renewal_sent != 0 ? us : 0;
    f->past.noted_us -= us;
    for (unsigned i = 0; i < f->count; i++)
        f->way[i].sent_at -= us;
}

/* A commit whose fate has been read is known to be kept, or sent again; what is still on its way of it changes nothing. */
static void read_fate(struct far_store *f, unsigned i)
{
    struct world *w = world_of(f);
    const struct journal *j = journal_of(f);
    if (hold_has_kept(f->way[i].seq, j->seq)) {
        if (j->commits[f->way[i].seq % COMMITS_KNOWN] != f->way[i].id)
            world_fail(w, "F4", "a commit is taken for kept, and the database does not have it", f->way[i].seq);
        note_kept(f, i);
        w->kept++;
        return;
    }
    bool late = !f->way[i].arrived && f->way[i].arrives_at != INT64_MAX;
    if (late && f->way[i].epoch == j->epoch)
        world_fail(w, "F1", "a commit of a lost connection may still change the journal when its fate has been read",
                   f->way[i].seq);
    w->again += f->way[i].arrives_at != INT64_MAX;
    send_commit(f, i);
}

/* Connects anew, and takes the journal again: so what an older connection left is void, and the row tells what was kept. */
static void come_up(struct far_store *f)
{
    struct world *w = world_of(f);
    struct journal *j = journal_of(f);
    if (j->taker != f->shard->taker && !(DEFECT(LEASE_OUTWEIGHS_ROW) && far_holds(f))) {
        f->back = hold_went_back((struct hold_mark){j->epoch, 0}, (struct hold_mark){f->shard->epoch, 0});
        f->fenced = !f->back;
        return;
    }
    const struct hold_mark seen = {f->shard->epoch + !DEFECT(RETAKEN_WITHOUT_EPOCH),
                                   DEFECT(UNTOLD_IS_FORGOTTEN) ? f->settled : f->known};
    j->epoch += !DEFECT(RETAKEN_WITHOUT_EPOCH);
    j->expires_at = w->now + LEASE_US;
    f->up_at = w->now + (int64_t)draw(w, 10) * STEP_US;
    if (draw(w, 6) == 0) /* it did, and nobody heard of it */
        return;
    if (hold_went_back((struct hold_mark){j->epoch, j->seq}, seen)) {
        leave_to_a_person(w, j);
        f->back = true;
        return;
    }
    if (f->known > 0 && far_lacks(f))
        world_fail(w, "L1", "a sidecar goes on with a journal that lacks what it has acknowledged", j->seq);
    j->lacks = false;
    f->down = false;
    f->shard->epoch = j->epoch;
    f->confirmed = w->now;
    for (unsigned i = 0; i < f->count; i++)
        if (!f->way[i].done)
            read_fate(f, i);
}

static void hear(struct far_store *f)
{
    const struct world *w = world_of(f);
    for (unsigned i = 0; i < f->count && !f->down; i++) {
        if (f->way[i].done)
            continue;
        if (!f->way[i].arrived || f->way[i].told_at > w->now)
            return;
        if (f->way[i].hit)
            note_kept(f, i);
        else
            far_break(f); /* it changed nothing: why, is to be read */
    }
}

void far_turn(struct far_store *f)
{
    struct world *w = world_of(f);
    struct journal *j = journal_of(f);
    const struct span lease = {.us = LEASE_US};
    if (!database_answers(w) || f->fenced || f->back)
        return;
    hear(f);
    if (f->down && f->up_at <= w->now)
        come_up(f);
    if (f->down)
        return;
    if (f->renewal_sent != 0 && f->renewal_told <= w->now) {
        if (has_row(f)) {
            f->confirmed = f->renewal_sent > f->confirmed ? f->renewal_sent : f->confirmed;
            j->expires_at = w->now + LEASE_US;
        } else {
            far_break(f);
        }
        f->renewal_sent = 0;
    }
    if (!f->down && f->renewal_sent == 0 && hold_is_old(w->now, f->confirmed, lease)) {
        f->renewal_sent = w->now;
        f->renewal_told = w->now + (int64_t)draw(w, 8) * STEP_US / 2;
    }
}

static int far_settle(struct store *face, struct error_detail *detail)
{
    struct far_store *f = (struct far_store *)face;
    int code = ended(f, detail);
    if (code != 0)
        return code;
    if (!f->way[0].done)
        return f->down ? STORE_AMBIGUOUS : STORE_PENDING;
    if (f->way[0].sent_at > f->confirmed && !f->down)
        f->confirmed = f->way[0].sent_at;
    if (!far_holds(f))
        return STORE_AMBIGUOUS;
    f->settled = f->way[0].seq;
    for (size_t i = 0; i < f->way[0].copy.ended_count; i++)
        request_filter_add(&f->filter, f->way[0].copy.ended[i].request_id);
    if (f->shard == f->shard->sidecar->shards)
        f->shard->sidecar->witness = (struct hold_mark){f->shard->epoch, f->settled};
    f->count--;
    memmove(f->way, f->way + 1, f->count * sizeof f->way[0]);
    return 0;
}

static int far_holds_now(struct store *face, struct error_detail *detail)
{
    const struct far_store *f = (const struct far_store *)face;
    int code = ended(f, detail);
    return code != 0 || far_holds(f) ? code : away(detail);
}

#define NEAR(face)    journal_of((const struct far_store *)(face))->open
#define THERE(face)   has_row((const struct far_store *)(face))
#define ANSWERS(face) (THERE(face) && database_answers(world_of((const struct far_store *)(face))))
/* By statements that name the last commit which is known: where that is gone, what goes may be needed again. */
#define MAY_DROP(face) \
    (ANSWERS(face) && (has_what_is_known((const struct far_store *)(face)) || DEFECT(DROPS_BY_WHAT_IS_LOST)))

static int far_scan(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                    void *self, struct error_detail *detail)
{
    return THERE(s) ? NEAR(s)->scan(NEAR(s), from, take, self, detail) : away(detail);
}

static int far_read_frame(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    return THERE(s) ? NEAR(s)->read_frame(NEAR(s), frame, records, detail) : away(detail);
}

static int far_find_ended(struct store *s, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    return THERE(s) ? NEAR(s)->find_ended(NEAR(s), serial, row, detail) : away(detail);
}

static int far_find_request(struct store *s, struct bytes request_id, struct bytes scope, struct ended_row *row,
                            struct error_detail *detail)
{
    if (lookups_is_new((struct far_store *)s, request_id))
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    return THERE(s) ? NEAR(s)->find_request(NEAR(s), request_id, scope, row, detail) : away(detail);
}

static int far_scan_subjects(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                             void *self, struct error_detail *detail)
{
    return THERE(s) ? NEAR(s)->scan_subjects(NEAR(s), kind, take, self, detail) : away(detail);
}

static int far_scan_definitions(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                                struct error_detail *detail)
{
    return THERE(s) ? NEAR(s)->scan_definitions(NEAR(s), take, self, detail) : away(detail);
}

static int far_drop(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                    struct error_detail *detail)
{
    *more = false;
    return MAY_DROP(s) ? NEAR(s)->drop(NEAR(s), before, keep_from, work_max, more, detail) : 0;
}

/* As postgres_claims.c does it; the look and the delete in one. */
static int far_drop_claims(struct store *s, struct span unseen, bool (*lives)(void *self, struct bytes request_id),
                           void *self, uint32_t work_max, bool *more, struct error_detail *detail)
{
    struct far_store *f = (struct far_store *)s;
    struct world *w = world_of(f);
    int64_t server = w->now + w->claims_ahead, before = server - unseen.us / 60 * MINUTE_S;
    (void)work_max;
    *more = false;
    if (MAY_DROP(s) && hold_past_is_due(&f->past, w->now, SPAN_S(MINUTE_S)))
        hold_past_note(&f->past, w->now, server);
    if (before > f->past.moment && !DEFECT(SERVERS_CLOCK_BELIEVED))
        before = f->past.moment;
    for (unsigned i = 0; MAY_DROP(s) && i < REQUESTS; i++) {
        struct request *r = &w->requests[i];
        struct ended_row row;
        char id[16];
        snprintf(id, sizeof id, "r-%u", i);
        if (r->claimed != f->shard->journal || r->of_a_gone_one ||
            (r->looked_at >= before && !DEFECT(CLAIM_DROPPED_EARLY)) ||
            NEAR(s)->find_request(NEAR(s), bytes_of_text(id), bytes_of(NULL, 0), &row, detail) == 0 ||
            lives(self, bytes_of_text(id)))
            continue;
        r->claimed = -1;
        w->claims_dropped++;
    }
    return 0;
}

void far_open(struct far_store *f, struct shard *s)
{
    const struct journal *j = &s->sidecar->world->journals[s->journal];
    *f = (struct far_store){.shard = s,
                            .confirmed = s->sidecar->world->now,
                            .seq = j->seq,
                            .settled = j->seq,
                            .known = j->seq,
                            .known_id = j->commits[j->seq % COMMITS_KNOWN]};
    f->face = (struct store){
        .commit = far_commit,
        .settle = far_settle,
        .holds = far_holds_now,
        .scan = far_scan,
        .read_frame = far_read_frame,
        .find_ended = far_find_ended,
        .find_request = far_find_request,
        .scan_subjects = far_scan_subjects,
        .scan_definitions = far_scan_definitions,
        .drop = far_drop,
        .drop_claims = far_drop_claims,
    };
    lookups_open(f);
}
