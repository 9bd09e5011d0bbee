/* main.c - a world turned: faults, clients, participants; and what must hold.
 *
 * F1  what leaves a sidecar leaves only while the journal is its own, in the database's own eyes: at most one epoch has effects at any time
 * F2  no journal in which sagas live is without a sidecar for longer than the bound, while there are any that may have it
 * F3  a request_id begins one saga in the whole fleet, and another no sooner than when the first has been ended for the retention; or one more each time
 *     that the database has lost its claim, or a look at it by which one was on its way
 * F4  nothing that was acknowledged is lost: every such saga is in its journal, and ends; none goes before its retention is over
 * L1  after a fail-over that lost commits, whoever has acknowledged one of them does nothing more
 * L2  and when that was seen, nobody takes the journal over before a person has looked, its own sidecar neither
 * L3  a sidecar does not start on a journal that is behind what its machine has seen
 * L4  an id names one saga for ever, also when the database has forgotten it
 * F6  a database that was away takes no journal from a sidecar that ran all the time
 * F5  an action takes effect once; of a saga that was committed all do, of one that was undone none */
#include "tests/fleet/fleet_sim.h"

#include "compensations/barrier.h"
#include "compensations/answer.h"
#include "sidecar/base/check.h"
#include "sidecar/base/quiet.h"
#include "sidecar/journal/codec.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef SAGA_DEFECTS
int saga_defect;

static int defect_named(const char *name)
{
#define DEFECT_NAME(name) #name,
    static const char *const names[] = {"", DEFECT_TABLE(DEFECT_NAME)};
    for (int i = 1; i < DEFECT_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}
#endif

void world_fail(struct world *w, const char *rule, const char *what, uint64_t which)
{
    fprintf(stderr, "sim: seed %llu, at %lld ms: %s: %s (%llu)\n", (unsigned long long)w->seed,
            (long long)(w->now / 1000), rule, what, (unsigned long long)which);
    exit(4);
}

uint64_t draw(struct world *w, uint64_t below)
{
    w->chance = w->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t x = w->chance ^ w->chance >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    return x % below;
}

static bool is_past(const struct world *w, const struct ledger *l);

/* ---- what leaves ---- */

void oracle_leaves(struct shard *s)
{
    struct world *w = s->sidecar->world;
    const struct journal *j = &w->journals[s->journal];
    w->events++;
    if (s->store.confirmed < w->failed_at) { /* nobody has told it yet that those who granted its lease are gone */
        if (w->now >= s->store.confirmed + LEASE_US)
            world_fail(w, "F1", "an effect leaves after a lease that a lost primary granted", (uint64_t)s->journal);
        return;
    }
    if (j->taker != s->taker || j->holder != s->sidecar->number)
        world_fail(w, "F1", "an effect leaves a sidecar whose journal another has", (uint64_t)s->journal);
    if (j->expires_at <= w->now)
        world_fail(w, "F1", "an effect leaves after the lease, when another may have the journal",
                   (uint64_t)s->journal);
}

void world_reply(struct shard *s, const struct reply_effect *reply)
{
    struct world *w = s->sidecar->world;
    struct request *r = &w->requests[reply->token - 1];
    if (reply->code == 0) {
        struct ledger *l = ledger_of(w, reply->saga);
        if (l->request >= 0 && l->request != (int)reply->token - 1)
            world_fail(w, "L4", "an id names two sagas", reply->saga.serial);
        l->request = (int)reply->token - 1;
    }
    if (far_lacks(&s->store)) /* it is lost, and the client will find that out */
        return;
    if (reply->code != 0 || draw(w, 10) == 0) /* refused, to be asked again; or the answer is lost */
        return;
    bool other = !r->acknowledged || r->saga.serial != reply->saga.serial || r->saga.tag != reply->saga.tag;
    if (other && r->acknowledged && !is_past(w, ledger_of(w, r->saga)) && !is_past(w, ledger_of(w, reply->saga))) {
        if (r->losses == 0)
            world_fail(w, "F3", "a request_id has begun a second saga", reply->token - 1);
        w->twice++;
    }
    if (other) {
        w->sagas += !r->acknowledged;
        r->acknowledged_by = s->journal;
        r->acknowledged_seq = s->store.settled;
    }
    r->acknowledged = true;
    r->saga = reply->saga;
}

/* ---- what is kept ---- */

struct ledger *ledger_of(struct world *w, struct saga_id saga)
{
    for (unsigned i = 0; i < w->ledger_count; i++)
        if (w->ledgers[i].saga.serial == saga.serial && w->ledgers[i].saga.tag == saga.tag)
            return &w->ledgers[i];
    CHECK(w->ledger_count < sizeof w->ledgers / sizeof w->ledgers[0]);
    w->ledgers[w->ledger_count] = (struct ledger){.saga = saga, .request = -1};
    return &w->ledgers[w->ledger_count++];
}

static bool is_past(const struct world *w, const struct ledger *l)
{
    return l->ended && l->ended_at + RETENTION.us <= w->now + w->skew;
}

static void note_begun(struct world *w, int journal, const struct record *r)
{
    unsigned i = 0;
    for (size_t k = 2; k < r->request_id.size; k++) /* r-17 */
        i = 10 * i + (unsigned)(r->request_id.at[k] - '0');
    CHECK(i < REQUESTS);
    struct request *request = &w->requests[i];
    struct ledger *l = ledger_of(w, r->saga);
    bool follows = !request->has_begun || is_past(w, ledger_of(w, request->begun));
    if (!follows) {
        if (++request->seconds > request->losses)
            world_fail(w, "F3", "a request_id has begun a second saga", i);
        w->twice++;
    }
    l->journal = journal;
    l->removals = w->journals[journal].removals;
    l->begun = request->has_begun = true;
    /* Of two, the one that the claim leads to is what the next one follows. */
    if (follows || request->claimed == journal)
        request->begun = r->saga;
}

void oracle_kept(struct world *w, int journal, struct bytes records)
{
    while (records.size > 0) {
        struct record r;
        struct error_detail detail;
        uint64_t previous;
        CHECK(codec_decode(&records, &r, &previous, &detail) == 0);
        struct ledger *l = r.type == RECORD_ENDED ? ledger_of(w, r.saga) : NULL;
        if (r.type == RECORD_STARTED)
            note_begun(w, journal, &r);
        if (l != NULL) {
            l->ended = true;
            l->ended_at = r.at.us - EPOCH_US;
            l->state = r.saga_state;
        }
    }
}

void oracle_removed(struct world *w, int journal)
{
    for (unsigned i = 0; i < w->ledger_count; i++) {
        const struct ledger *l = &w->ledgers[i];
        if (l->begun && l->journal == journal && l->removals == w->journals[journal].removals && !is_past(w, l))
            world_fail(w, "F4", "a journal is removed with a saga that is kept", l->saga.serial);
    }
}

/* ---- participants: with the barrier ---- */

void world_call(struct shard *s, const struct call_effect *call)
{
    struct world *w = s->sidecar->world;
    ledger_of(w, call->saga)->doubt |= far_lacks(&s->store);
    for (struct call *c = w->calls; c < w->calls + CALLS_MAX; c++) {
        if (c->used)
            continue;
        *c = (struct call){.used = true,
                           .at = w->now + (int64_t)draw(w, 12) * STEP_US,
                           .from = s->sidecar,
                           .life = s->sidecar->life,
                           .journal = s->journal,
                           .taker = s->taker,
                           .action_state = call->action_state,
                           .answer = {.type = EVENT_ANSWER,
                                      .saga = call->saga,
                                      .step_index = call->step,
                                      .phase = call->phase,
                                      .attempt = call->attempt,
                                      .reach = SAGA_REACH_ANSWERED,
                                      .output = bytes_of_text("ok")}};
        return;
    }
    CHECK(!"a call more than there may be");
}

static void serve(struct world *w, struct call *c)
{
    struct ledger *l = ledger_of(w, c->answer.saga);
    unsigned step = c->answer.step_index;
    l->at = w->now;
    enum saga_phase phase = (enum saga_phase)c->answer.phase;
    uint8_t *own = phase == SAGA_PHASE_ACTION ? &l->action[step] : &l->undo[step];
    enum saga_barrier_verdict verdict =
        saga_barrier_judge(phase, (enum saga_barrier_row) * own, (enum saga_barrier_row)l->action[step],
                           c->action_state == SAGA_ACTION_DONE, false);
    bool refuses = phase == SAGA_PHASE_ACTION && step == 2 && c->answer.saga.serial % 5 == 0;
    switch (verdict) {
    case SAGA_BARRIER_RUN:
        if (draw(w, 8) == 0 && w->now < LAST_ASKED) {
            c->answer.status = 14; /* not this time */
        } else if (refuses) {
            *own = SAGA_ROW_REJECTED;
            c->answer.status = 9;
        } else {
            *own = SAGA_ROW_DONE;
            l->net[step] += phase == SAGA_PHASE_ACTION ? 1 : -1;
        }
        break;
    case SAGA_BARRIER_REPLAY:
        c->answer.status = *own == SAGA_ROW_REJECTED ? 9 : 0;
        break;
    case SAGA_BARRIER_EMPTY:
        *own = SAGA_ROW_DONE;
        if (l->action[step] == SAGA_ROW_ABSENT)
            l->action[step] = SAGA_ROW_VOID;
        break;
    case SAGA_BARRIER_HANGING:
        c->answer.status = 9;
        break;
    default:
        world_fail(w, "F5", "the barrier finds what cannot be", c->answer.saga.serial);
    }
    if (l->net[step] < 0 || l->net[step] > 1)
        world_fail(w, "F5", "an action took effect twice, or was undone twice", c->answer.saga.serial);
}

static void turn_calls(struct world *w)
{
    for (struct call *c = w->calls; c < w->calls + CALLS_MAX; c++) {
        if (!c->used || c->at > w->now)
            continue;
        if (!c->done) {
            serve(w, c);
            c->done = true;
            c->at = w->now + (int64_t)draw(w, 6) * STEP_US;
            continue;
        }
        if (c->from->up && c->from->frozen && c->from->life == c->life)
            continue; /* it waits in its socket */
        c->used = false;
        struct shard *s = NULL;
        for (unsigned i = 0; c->from->up && c->from->life == c->life && i < SHARDS_MAX; i++)
            if (c->from->shards[i].used && c->from->shards[i].journal == c->journal &&
                c->from->shards[i].taker == c->taker)
                s = &c->from->shards[i];
        if (s != NULL)
            shard_answer(s, &c->answer);
    }
}

/* ---- clients: any sidecar, and from there to whoever has the journal ---- */

/* What arrives at a sidecar, which goes by how long ago it was that the claim was looked at. */
static void deliver(struct world *w)
{
    for (unsigned i = 0; i < 2 * w->request_count; i++) {
        struct journey *way = &w->requests[i / 2].ways[i % 2];
        if (way->to < 0 || way->arrives_at > w->now)
            continue;
        struct shard *s = shard_of(w, way->to);
        struct span ago = {.us = (w->now - way->looked_at) / MINUTE_S * 60};
        way->to = -1;
        w->past += claim_is_past(ago);
        if (s != NULL && !claim_is_past(ago))
            shard_start_saga(s, i / 2);
    }
}

static void turn_clients(struct world *w)
{
    bool slow = w->request_count == SLOW_REQUESTS;
    deliver(w);
    for (unsigned i = 0; i < w->request_count; i++) {
        struct request *r = &w->requests[i];
        if (r->next_at > w->now || (w->now > LAST_ASKED && r->acknowledged))
            continue;
        r->next_at = w->now + SPAN_S(1).us + (int64_t)draw(w, slow && r->acknowledged ? 2000 : 200) * STEP_US;
        struct sidecar *c = &w->sidecars[draw(w, SIDECARS)];
        if (!c->up || c->frozen || !c->shards[0].used || !database_answers(w))
            continue;
        int journal = database_claim(w, i, c->number);
        if (sidecar_find(c, journal) == NULL)
            continue;
        bool stands = w->now < FAULTS_UNTIL && r->ways[1].to < 0 && draw(w, 12) == 0;
        r->ways[stands] = (struct journey){
            .to = journal, .looked_at = w->now, .arrives_at = w->now + (int64_t)draw(w, stands ? 600 : 30) * STEP_US};
    }
}

/* ---- faults ---- */

static void break_all(struct world *w)
{
    for (struct sidecar *c = w->sidecars; c < w->sidecars + SIDECARS; c++)
        for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++)
            if (s->used)
                far_break(&s->store);
}

/* Each of a sidecar's connections by itself: what it reads, and deletes, may go to the new primary before its commits do. */
static void connect_late(struct world *w)
{
    for (struct sidecar *c = w->sidecars; c < w->sidecars + SIDECARS; c++)
        for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++)
            s->store.up_at = w->back_at + (int64_t)draw(w, 50) * STEP_US;
}

/* The clock that no one sets does, and that of sagas with it. */
static void jump(struct world *w, struct sidecar *c)
{
    int64_t us = (int64_t)draw(w, JUMP_US / STEP_US) * STEP_US;
    c->jumped = true;
    for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++) {
        if (!s->used)
            continue;
        far_jump(&s->store, us);
        s->ahead += us;
    }
    w->jumps++;
}

static void turn_faults(struct world *w)
{
    bool over = w->now >= FAULTS_UNTIL;
    struct sidecar *leaver = w->leaver < 0 ? NULL : &w->sidecars[w->leaver];
    if (leaver != NULL && w->now >= w->leaves_at && leaver->up && !leaver->frozen &&
        w->now < LAST_ASKED - SPAN_S(5).us) {
        sidecar_stop(leaver);
        leaver->until = LAST_ASKED - SPAN_S(5).us;
        leaver->since = INT64_MAX;
    }
    if (!over && database_answers(w) && w->now > w->back_at + SPAN_S(8).us && draw(w, 600) == 0) {
        w->away_until = w->back_at = w->now + (int64_t)draw(w, 200) * STEP_US;
        w->outages++;
        if (draw(w, 2) == 0)
            break_all(w);
    }
    if (w->lossy && !over && database_answers(w) && w->now > w->back_at + SPAN_S(8).us && !w->standby.follows &&
        draw(w, 400) == 0)
        database_follow(w);
    if (w->standby.follows && w->now >= w->standby.fails_at) {
        database_fail_over(w);
        w->away_until = w->back_at = w->now + (int64_t)draw(w, 200) * STEP_US;
        connect_late(w);
    }
    if (w->skew > 0 && !over && random_below(&w->other, 200) == 0)
        w->claims_ahead += 2 * SPAN_S(MINUTE_S).us;
    database_turn(w);
    for (struct sidecar *c = w->sidecars; !over && c < w->sidecars + SIDECARS; c++)
        for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++)
            if (s->used && draw(w, 600) == 0)
                far_break(&s->store);
    for (struct sidecar *c = w->sidecars; !over && w->skew > 0 && c < w->sidecars + SIDECARS; c++)
        if (!c->jumped && draw(w, 800) == 0)
            jump(w, c);
    for (struct sidecar *c = w->sidecars; c < w->sidecars + SIDECARS; c++) {
        if (!c->up && w->now >= c->until) {
            sidecar_start(c);
        } else if (c->frozen && (w->now >= c->until || over)) {
            c->frozen = false;
            c->since = w->now;
        } else if (!over && c->up && !c->frozen && draw(w, 400) == 0) {
            uint64_t how = draw(w, 4);
            c->until = w->now + (int64_t)draw(w, 400) * STEP_US;
            c->since = INT64_MAX;
            if (how == 0) {
                c->frozen = true;
                w->freezes++;
            } else if (how == 1) {
                sidecar_stop(c);
            } else {
                sidecar_kill(c);
                w->kills++;
            }
        }
    }
}

/* ---- what must hold ---- */

static void look_for_who_waits(struct world *w)
{
    for (struct sidecar *c = w->sidecars; c < w->sidecars + SIDECARS; c++) {
        if (!c->up || c->frozen || c->shards[0].used || w->now < FAULTS_UNTIL)
            c->waits_since = w->now;
        else if (w->now - c->waits_since > BOUND_US)
            world_fail(w, "F2", "a sidecar is not given its own journal back", (uint64_t)c->number);
    }
}

static void look_for_the_abandoned(struct world *w)
{
    for (int i = 0; i < SIDECARS; i++) {
        struct journal *j = &w->journals[i];
        bool could = false;
        for (const struct sidecar *c = w->sidecars; c < w->sidecars + SIDECARS; c++) {
            unsigned guests = 0;
            for (unsigned k = 1; k < SHARDS_MAX; k++)
                guests += c->shards[k].used;
            could |= c->up && !c->frozen && c->shards[0].used && c->number != i && guests < GUESTS_MAX;
        }
        bool lives = j->holder >= 0 || j->live > 0;
        if (shard_of(w, i) != NULL || !lives || w->now < w->back_at + ADOPT_STEADY.us || !could ||
            j->tries >= ADOPT_TRIES_MAX || j->wanted_until >= w->now)
            j->alone_since = 0;
        else if (j->alone_since == 0 || (j->taker != 0 && j->taker != j->alone_taker))
            j->alone_since = w->now; /* or again: somebody has taken it, and ended at once */
        else if (w->now - j->alone_since > BOUND_US)
            world_fail(w, "F2", "a journal is without a sidecar for too long", (uint64_t)i);
        j->alone_taker = j->taker;
    }
}

/* It has ended, and is found for as long as it is kept: a second less, for what is on the way. How it ended. */
static uint8_t look_for_row(struct world *w, unsigned request, const struct ledger *l)
{
    struct ended_row row = {.state = l->state};
    struct error_detail detail;
    bool found = l->ended && l->ended_at + RETENTION.us < w->now + w->skew + SPAN_S(1).us;
    for (int k = 0; k < SIDECARS && !found; k++) {
        struct store *store = &shard_of(w, k)->store.face;
        found = store->find_ended(store, l->saga.serial, &row, &detail) == 0 && row.saga.tag == l->saga.tag;
    }
    if (!found)
        world_fail(w, "F4", "an acknowledged saga is lost, or has not ended", request);
    return row.state;
}

static void look_at_the_end(struct world *w)
{
    for (int k = 0; k < SIDECARS; k++)
        if (shard_of(w, k) == NULL)
            world_fail(w, "F2", "a journal has no sidecar at the end", (uint64_t)k);
    for (unsigned i = 0; i < w->request_count; i++) {
        const struct request *r = &w->requests[i];
        if (!r->acknowledged)
            world_fail(w, "F4", "a start was never acknowledged, though all is well", i);
        const struct ledger *l = ledger_of(w, r->saga);
        uint8_t state = look_for_row(w, i, l);
        for (unsigned step = 0; step < STEPS; step++)
            if (!l->doubt && l->net[step] != (state == SAGA_COMMITTED))
                world_fail(w, "F5", "what was done is not what the saga says", r->saga.serial);
    }
}

static void run(uint64_t seed, struct world *totals)
{
    struct world *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->seed = seed;
    w->chance = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->lossy = seed % 3 == 0;
    w->skew = seed % 4 == 0 ? WALL_US + JUMP_US : 0;
    random_seed(&w->other, seed);
    for (int i = 0; i < SIDECARS; i++) {
        w->journals[i] = (struct journal){.disk = memory_disk_create(), .holder = -1};
        w->sidecars[i] = (struct sidecar){.world = w, .number = i};
    }
    w->request_count = draw(w, 3) == 0 ? SLOW_REQUESTS : REQUESTS;
    w->leaver = draw(w, 2) == 0 ? (int)draw(w, SIDECARS) : -1;
    w->leaves_at = (int64_t)draw(w, 1500) * STEP_US;
    for (unsigned i = 0; i < REQUESTS; i++)
        w->requests[i] = (struct request){
            .claimed = -1, .ways = {{.to = -1}, {.to = -1}}, .next_at = (int64_t)draw(w, 1500) * STEP_US};
    for (; w->now < HEALED_BY; w->now += STEP_US) {
        turn_faults(w);
        turn_clients(w);
        turn_calls(w);
        for (int i = 0; i < SIDECARS; i++)
            for (struct shard *s = w->sidecars[i].shards; s < w->sidecars[i].shards + SHARDS_MAX; s++)
                if (s->used)
                    far_deliver(&s->store, false);
        for (int i = 0; i < SIDECARS; i++)
            sidecar_turn(&w->sidecars[i]);
        look_for_the_abandoned(w);
        look_for_who_waits(w);
    }
    look_at_the_end(w);
    for (int i = 0; i < SIDECARS; i++)
        sidecar_kill(&w->sidecars[i]);
    for (int i = 0; i < SIDECARS; i++) {
        if (w->journals[i].open != NULL)
            w->journals[i].open->close(w->journals[i].open);
        memory_disk_destroy(w->journals[i].disk);
    }
    if (w->standby.follows)
        for (int i = 0; i < SIDECARS; i++)
            memory_disk_destroy(w->standby.journals[i].disk);
    totals->breaks += w->breaks;
    totals->kept += w->kept;
    totals->again += w->again;
    totals->losses += w->losses;
    totals->lost += w->lost;
    totals->seen += w->seen;
    totals->unseen += w->unseen;
    totals->twice += w->twice;
    totals->sagas += w->sagas;
    totals->events += w->events;
    totals->takeovers += w->takeovers;
    totals->kills += w->kills;
    totals->outages += w->outages;
    totals->freezes += w->freezes;
    totals->returns += w->returns;
    totals->removals += w->removals;
    totals->claims_dropped += w->claims_dropped;
    totals->past += w->past;
    totals->jumps += w->jumps;
    totals->unasked += w->unasked;
    totals->asked += w->asked;
    totals->filled += w->filled;
    free(w);
}

int main(int argc, char **argv)
{
    static struct world totals;
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    bool one = argc == 3 && strcmp(argv[1], "seed") == 0;
    if (argc != 3 || (!one && strcmp(argv[1], "many") != 0)) {
        fputs("usage: fleet_sim seed N | many N\n", stderr);
        return 2;
    }
#ifdef SAGA_DEFECTS
    const char *name = getenv("SIM_DEFECT");
    saga_defect = name == NULL ? 0 : defect_named(name);
    if (name != NULL && saga_defect == 0) {
        fprintf(stderr, "fleet_sim: no defect is called %s\n", name);
        return 2;
    }
#endif
    for (uint64_t seed = one ? count : 1; seed <= count; seed++)
        run(seed, &totals);
    printf("fleet_sim: %llu worlds, %llu sagas, %llu effects, %llu kills, %llu freezes, %llu times without the "
           "database, %llu take-overs, %llu times a "
           "journal went home, %llu claims and %llu journals that were removed, %llu starts that stood still for too "
           "long, %llu clocks that jumped\n",
           (unsigned long long)(one ? 1 : count), (unsigned long long)totals.sagas, (unsigned long long)totals.events,
           (unsigned long long)totals.kills, (unsigned long long)totals.freezes, (unsigned long long)totals.outages,
           (unsigned long long)totals.takeovers, (unsigned long long)totals.returns,
           (unsigned long long)totals.claims_dropped, (unsigned long long)totals.removals,
           (unsigned long long)totals.past, (unsigned long long)totals.jumps);
    printf(
        "fleet_sim: %llu look-ups of request_ids that were known to be new, and %llu of others; %llu filters of them "
        "were filled\n",
        (unsigned long long)totals.unasked, (unsigned long long)totals.asked, (unsigned long long)totals.filled);
    printf("fleet_sim: %llu connections lost, of whose commits %llu were kept and %llu sent again; %llu journals lost "
           "commits, "
           "and with them %llu acknowledged sagas: seen %llu times, and not at all %llu times; %llu request_ids began "
           "two\n",
           (unsigned long long)totals.breaks, (unsigned long long)totals.kept, (unsigned long long)totals.again,
           (unsigned long long)totals.losses, (unsigned long long)totals.lost, (unsigned long long)totals.seen,
           (unsigned long long)totals.unseen, (unsigned long long)totals.twice);
    return 0;
}
