/* database.c - the made-up database: what tests/unit/test_postgres_store.c holds the real statements to. A commit arrives later than it was sent and is
 * told later still; it changes nothing when its epoch is not the row's. */
#include "tests/fleet/fleet_sim.h"

#include "sidecar/base/check.h"

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

bool database_take(struct world *w, int journal, int sidecar, bool own)
{
    struct journal *j = &w->journals[journal];
    if (!database_answers(w))
        return false;
    bool free_one = j->holder < 0 || j->expires_at < w->now || j->holder == sidecar;
    if (!free_one || (!own && j->wanted_until >= w->now))
        return false;
    j->holder = sidecar;
    j->epoch++;
    j->expires_at = w->now + LEASE_US;
    j->tries = own ? 0 : j->tries + 1;
    j->told = false;
    if (j->open != NULL)
        j->open->close(j->open);
    j->open = NULL;
    return true;
}

void database_give_up(struct world *w, int journal, uint64_t epoch, uint64_t live, bool known)
{
    struct journal *j = &w->journals[journal];
    if (j->epoch != epoch || !database_answers(w))
        return;
    j->holder = -1;
    j->expires_at = w->now;
    j->live = known ? live : j->live > 0 ? j->live : 1;
    j->told = true;
}

void database_want(struct world *w, int journal)
{
    w->journals[journal].wanted_until = w->now + INT64_C(3000000);
}

int database_claim(struct world *w, unsigned request, int own)
{
    struct request *r = &w->requests[request];
    if (r->claimed < 0 && !DEFECT(CLAIM_FORGOTTEN))
        r->claimed = own;
    return DEFECT(CLAIM_FORGOTTEN) ? own : r->claimed;
}

/* ---- the store as a shard has it ---- */

static bool has_row(const struct far_store *f)
{
    const struct journal *j = journal_of(f);
    return j->epoch == f->shard->epoch && j->open != NULL;
}

bool far_holds(const struct far_store *f)
{
    return !f->fenced && (DEFECT(LEASE_FORGOTTEN) || world_of(f)->now < f->confirmed + LEASE_US - LEASE_US / 10);
}

static int away(struct error_detail *detail)
{
    return error_set(detail, E_JOURNAL_AWAY, "", "");
}

static int far_commit(struct store *face, const struct store_commit *commit, struct error_detail *detail)
{
    struct far_store *f = (struct far_store *)face;
    struct world *w = world_of(f);
    CHECK(f->count < STORE_COMMITS_MAX);
    if (f->fenced)
        return error_set(detail, E_JOURNAL_FENCED, "", "");
    int64_t after = f->count > 0 ? f->way[f->count - 1].arrives_at : 0;
    int64_t arrives = w->now + (int64_t)draw(w, 8) * STEP_US / 2;
    if (w->now < FAULTS_UNTIL && draw(w, 60) == 0) /* the network holds it back, perhaps beyond the lease */
        arrives += (int64_t)draw(w, 200) * STEP_US;
    f->way[f->count].copy = *commit;
    f->way[f->count].sent_at = w->now;
    f->way[f->count].arrives_at = arrives > after ? arrives : after;
    f->way[f->count].told_at = f->way[f->count].arrives_at + (int64_t)draw(w, 6) * STEP_US / 2;
    f->way[f->count].arrived = false;
    f->way[f->count].fate = STORE_PENDING;
    f->count++;
    return STORE_PENDING;
}

/* At the database, in their order: the fence, and what it lets through. */
static void arrive(struct far_store *f, unsigned i)
{
    struct world *w = world_of(f);
    struct journal *j = journal_of(f);
    struct error_detail detail;
    bool first = i == 0 || f->way[i - 1].fate == 0;
    f->way[i].arrived = true;
    if (j->open == NULL || !first || (j->epoch != f->shard->epoch && !DEFECT(FENCE_FORGOTTEN))) {
        f->way[i].fate = E_JOURNAL_FENCED;
        return;
    }
    struct store_commit commit = f->way[i].copy;
    if (commit.frame != 0 && commit.frame != j->frames + 1)
        world_fail(w, "F1", "a commit does not follow what the database has: another has written", commit.frame);
    commit.epoch = j->store_epoch;
    j->frames = commit.frame == 0 ? j->frames : commit.frame + commit.cut_count;
    j->expires_at = w->now + LEASE_US;
    f->way[i].fate = store_commit_now(j->open, &commit, &detail);
}

void far_deliver(struct far_store *f, bool dies)
{
    struct world *w = world_of(f);
    for (unsigned i = 0; i < f->count && database_answers(w); i++) {
        if (f->way[i].arrived)
            continue;
        if (dies ? draw(w, 2) == 0 : f->way[i].arrives_at > w->now)
            return;
        arrive(f, i);
    }
}

void far_turn(struct far_store *f)
{
    struct world *w = world_of(f);
    struct journal *j = journal_of(f);
    if (!database_answers(w))
        return;
    if (f->renewal_sent != 0 && f->renewal_told <= w->now) {
        if (has_row(f)) {
            f->confirmed = f->renewal_sent > f->confirmed ? f->renewal_sent : f->confirmed;
            j->expires_at = w->now + LEASE_US;
        } else {
            f->fenced = true;
        }
        f->renewal_sent = 0;
    }
    if (f->renewal_sent == 0 && w->now - f->confirmed > LEASE_US / 3) {
        f->renewal_sent = w->now;
        f->renewal_told = w->now + (int64_t)draw(w, 8) * STEP_US / 2;
    }
}

static int far_settle(struct store *face, struct error_detail *detail)
{
    struct far_store *f = (struct far_store *)face;
    if (f->fenced)
        return error_set(detail, E_JOURNAL_FENCED, "", "");
    if (!f->way[0].arrived || f->way[0].told_at > world_of(f)->now || !database_answers(world_of(f)))
        return STORE_PENDING;
    if (f->way[0].fate != 0) {
        f->fenced = true;
        return error_set(detail, f->way[0].fate, "", "");
    }
    if (f->way[0].sent_at > f->confirmed)
        f->confirmed = f->way[0].sent_at;
    if (!far_holds(f))
        return STORE_AMBIGUOUS;
    f->count--;
    memmove(f->way, f->way + 1, f->count * sizeof f->way[0]);
    return 0;
}

static int far_holds_now(struct store *face, struct error_detail *detail)
{
    const struct far_store *f = (const struct far_store *)face;
    if (f->fenced)
        return error_set(detail, E_JOURNAL_FENCED, "", "");
    return far_holds(f) ? 0 : away(detail);
}

#define NEAR(face)  journal_of((const struct far_store *)(face))->open
#define THERE(face) has_row((const struct far_store *)(face))

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

void far_open(struct far_store *f, struct shard *s)
{
    *f = (struct far_store){.shard = s, .confirmed = s->sidecar->world->now};
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
    };
}
