/* sidecars.c - each sidecar: its own shard, its guests, and when it takes and gives. */
#include "tests/fleet/fleet_sim.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"

#include <stdio.h>

static const char text[] = "name: three\nversion: 1.0.0\nsteps:\n"
                           "  - {name: a, target: t, action: /x.Y/a, compensation: /x.Y/ua}\n"
                           "  - {name: b, target: t, action: /x.Y/b, compensation: /x.Y/ub, after: [a]}\n"
                           "  - {name: c, target: t, action: /x.Y/c, compensation: /x.Y/uc, after: [b]}\n";

#define MAINTAIN_US INT64_C(500000)

/* ---- one shard ---- */

static void durable(void *self, uint64_t frame, struct bytes records)
{
    (void)self;
    (void)frame;
    (void)records;
}

static void reply(void *self, const struct reply_effect *effect, const struct error_detail *detail)
{
    (void)detail;
    if (effect->code == 0) /* that it may not say anything now, anybody may say */
        oracle_leaves(self);
    if (effect->token != 0)
        world_reply(self, effect);
}

static void call(void *self, const struct call_effect *effect)
{
    oracle_leaves(self);
    world_call(self, effect);
}

static int take_definition(void *self, const struct definition_row *row)
{
    struct shard *s = self;
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    struct error_detail detail;
    CHECK(definition_read(row->source, &limits, &d, &detail) == 0);
    d->number = row->number;
    CHECK(catalog_add(s->catalog, d, row->registered_at, &detail) == 0);
    return 0;
}

static struct instant now_of(const struct shard *s)
{
    return (struct instant){.us = EPOCH_US + s->sidecar->world->now + s->ahead};
}

static const struct definition *the_definition(const struct shard *s)
{
    const struct catalog_entry *e = catalog_find(s->catalog, bytes_of_text("three"), bytes_of_text("1.0.0"));
    return e == NULL ? NULL : e->definition;
}

static void end_shard(struct shard *s)
{
    core_close(s->core);
    request_filter_close(&s->store.filter);
    catalog_destroy(s->catalog);
    s->used = false;
}

/* Opens a journal that was taken. */
static void open_shard(struct shard *s, struct sidecar *c, int journal)
{
    struct world *w = c->world;
    struct journal *j = &w->journals[journal];
    struct error_detail detail;
    const struct target_options target = {.name = "t", .timeout = SPAN_MS(500), .max_concurrent_calls = 64};
    *s = (struct shard){.used = true,
                        .sidecar = c,
                        .journal = journal,
                        .epoch = j->epoch,
                        .taker = j->taker,
                        .began = w->now,
                        .ahead = c->ahead};
    far_open(&s->store, s);
    const struct core_options options = {
        .engine = {.live_sagas_max = 1000,
                   .steps_max = 8,
                   .payload_bytes_max = 4096,
                   .targets_max = 4,
                   .enlisted_deadline_default = SPAN_S(900),
                   .enlisted_lease_default = SPAN_S(30),
                   .pushback_max = SPAN_S(10),
                   .deadline_max = SPAN_S(100000),
                   .compensation_retry = definition_limits_default().retry.compensation,
                   .seed = draw(w, UINT64_MAX),
                   .tag = draw(w, UINT64_C(1) << 40)},
        .targets = &target,
        .target_count = 1,
        .commit_bytes_max = 65536,
        .retention = RETENTION,
    };
    const struct core_world out = {.durable = durable, .reply = reply, .call = call, .self = s};
    CHECK(catalog_create(4, &s->catalog) == 0);
    CHECK(s->store.face.scan_definitions(&s->store.face, take_definition, s, &detail) == 0);
    CHECK(core_open(&options, &heap, &s->store.face, &j->state, s->catalog, &out, now_of(s), &s->core, &detail) == 0);
    int64_t behind = core_latest(s->core).us - now_of(s).us;
    s->ahead += behind > 0 ? behind : 0;
    if (the_definition(s) == NULL) {
        struct definition_limits limits = definition_limits_default();
        struct definition *d;
        CHECK(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0);
        CHECK(core_register(s->core, d, now_of(s), 0, &detail) == 0);
    }
}

static void submit(struct shard *s, struct event event)
{
    struct error_detail detail;
    event.now = now_of(s);
    CHECK(core_submit(s->core, &event, &detail) == 0);
}

void shard_start_saga(struct shard *s, unsigned request)
{
    char id[16];
    snprintf(id, sizeof id, "r-%u", request);
    submit(s, (struct event){.type = EVENT_START,
                             .token = request + 1,
                             .request_id = bytes_of_text(id),
                             .definition = the_definition(s),
                             .name = bytes_of_text("three")});
}

void shard_answer(struct shard *s, const struct event *answer)
{
    submit(s, *answer);
}

/* Returns false when the journal is another's by now. */
static bool turn_shard(struct shard *s)
{
    struct error_detail detail;
    far_turn(&s->store);
    if (draw(s->sidecar->world, 10) == 0) /* its loop is busy; its thread of the database is not */
        return true;
    lookups_turn(&s->store);
    if (core_look(s->core, true, now_of(s)) && core_expiry(s->core).us <= now_of(s).us)
        submit(s, (struct event){.type = EVENT_TICK});
    bool more;
    int code = s->sidecar->world->now % MAINTAIN_US == 0 ? core_maintain(s->core, now_of(s), &more, &detail) : 0;
    CHECK(code == 0 || code == E_JOURNAL_AWAY);
    code = core_commit(s->core, now_of(s), &detail);
    if (code == E_JOURNAL_FENCED || code == E_JOURNAL)
        return false;
    CHECK(code == 0 || code == E_JOURNAL_AWAY);
    code = s->store.face.holds(&s->store.face, &detail);
    return code == 0 || code == E_JOURNAL_AWAY;
}

static void give_up(struct shard *s)
{
    bool known = !core_pending(s->core);
    uint64_t live = engine_counts(core_engine(s->core)).live;
    if (!s->store.down) /* else its lease has to end */
        database_give_up(s->sidecar->world, s->journal, s->epoch, live, known);
    end_shard(s);
}

/* ---- one sidecar ---- */

struct shard *shard_of(struct world *w, int journal)
{
    for (struct sidecar *c = w->sidecars; c < w->sidecars + SIDECARS; c++)
        for (struct shard *s = c->shards; c->up && !c->frozen && s < c->shards + SHARDS_MAX; s++)
            if (s->used && s->journal == journal && s->taker == w->journals[journal].taker)
                return s;
    return NULL;
}

static bool is_free(const struct journal *j, int64_t now, const struct sidecar *c)
{
    return j->holder < 0 || j->expires_at < now + (DEFECT(OWN_CLOCK_JUDGES) ? c->ahead : 0);
}

struct shard *sidecar_find(struct sidecar *c, int journal)
{
    struct world *w = c->world;
    if (journal == c->number || !is_free(&w->journals[journal], w->now, c))
        return shard_of(w, journal);
    c->wished = journal;
    return NULL;
}

void sidecar_start(struct sidecar *c)
{
    struct world *w = c->world;
    c->up = true;
    c->since = w->now;
    c->life++;
    c->ahead = w->skew == 0 ? 0 : (int64_t)draw(w, (uint64_t)(2 * WALL_US / STEP_US)) * STEP_US - WALL_US;
    c->wished = -1;
    c->look_at = w->now + (int64_t)draw(w, 50) * STEP_US;
}

void sidecar_kill(struct sidecar *c)
{
    for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++)
        if (s->used) {
            far_deliver(&s->store, true);
            end_shard(s);
        }
    c->up = c->frozen = false;
}

void sidecar_stop(struct sidecar *c)
{
    for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++)
        if (s->used)
            give_up(s);
    c->up = false;
}

static bool has_target(void *self, const char *name, size_t size)
{
    (void)self;
    return size == 1 && name[0] == 't';
}

/* Its own journal first: asked for until it has it. */
static void take_own(struct sidecar *c)
{
    struct world *w = c->world;
    if (c->shards[0].used)
        return;
    if (database_take(w, c->number, c->number, true)) {
        if (database_is_behind(c)) { /* refused, as often as it tries */
            sidecar_kill(c);
            c->until = w->now + SPAN_S(1).us;
            return;
        }
        open_shard(&c->shards[0], c, c->number);
        c->witness = (struct hold_mark){c->shards[0].epoch, c->shards[0].store.settled};
        w->returns++;
    } else {
        database_want(w, c->number);
    }
}

/* Takes it over, if nobody has it and it may be. */
static bool take_over(struct sidecar *c, int number, bool asked)
{
    struct world *w = c->world;
    const struct journal *j = &w->journals[number];
    const struct adopt_offer offer = {.needs = "t,",
                                      .live = j->live,
                                      .tries = j->tries,
                                      .given_up = j->holder < 0,
                                      .wanted = j->wanted_until >= w->now,
                                      .asked = asked,
                                      .steady = {.us = w->now - w->back_at}};
    struct shard *place = NULL;
    for (struct shard *s = c->shards + 1; s < c->shards + SHARDS_MAX; s++)
        place = place == NULL && !s->used ? s : place;
    if (place == NULL || number == c->number || !is_free(j, w->now, c) || !adopt_may_take(&offer, has_target, NULL) ||
        !database_take(w, number, c->number, false))
        return false;
    open_shard(place, c, number);
    w->takeovers++;
    return true;
}

/* The one that was asked for; and when it is time one that nobody has, from a place by chance on. */
static void look_for_orphans(struct sidecar *c)
{
    struct world *w = c->world;
    if (!c->shards[0].used)
        return;
    if (c->wished >= 0)
        take_over(c, c->wished, true);
    c->wished = -1;
    if (w->now < c->look_at)
        return;
    c->look_at = w->now + adopt_pause(SIDECARS, draw(w, UINT64_MAX)).us;
    uint64_t from = draw(w, SIDECARS);
    for (unsigned i = 0; i < SIDECARS; i++)
        if (take_over(c, (int)((from + i) % SIDECARS), false))
            return;
}

static void look_for_abandoned(struct sidecar *c)
{
    struct world *w = c->world;
    if (!c->shards[0].used || w->now < c->sweep_at)
        return;
    c->sweep_at = w->now + adopt_sweep_pause(SIDECARS, draw(w, UINT64_MAX)).us / 60 * MINUTE_S;
    uint64_t from = draw(w, SIDECARS);
    for (unsigned i = 0; i < SIDECARS; i++) {
        int number = (int)((from + i) % SIDECARS);
        const struct journal *j = &w->journals[number];
        const struct adopt_offer offer = {
            .live = j->live, .tries = j->tries, .given_up = j->holder < 0, .wanted = j->wanted_until >= w->now};
        struct span alone = {.us = (w->now - j->expires_at) / HOUR_S * 3600};
        if (number == c->number || !j->there || !adopt_may_remove(&offer, alone, RETENTION))
            continue;
        database_remove(w, number);
        return;
    }
}

static void look_at_guests(struct sidecar *c)
{
    struct world *w = c->world;
    for (struct shard *s = c->shards + 1; s < c->shards + SHARDS_MAX; s++) {
        if (!s->used)
            continue;
        struct journal *j = &w->journals[s->journal];
        uint64_t live = core_pending(s->core) ? 1 : engine_counts(core_engine(s->core)).live;
        struct instant now = {.us = w->now};
        s->idle_since = live > 0 ? 0 : s->idle_since == 0 ? w->now : s->idle_since;
        if (!s->lasted && w->now - s->began > ADOPT_LASTING.us && j->taker == s->taker) {
            s->lasted = true;
            j->tries = 0;
        }
        if (adopt_gives_up(j->wanted_until >= w->now, (struct instant){.us = s->idle_since}, now))
            give_up(s);
    }
}

void sidecar_turn(struct sidecar *c)
{
    struct world *w = c->world;
    if (!c->up || c->frozen)
        return;
    if (database_answers(w))
        take_own(c);
    if (database_answers(w) && c->up)
        look_for_orphans(c);
    if (database_answers(w) && c->up)
        look_for_abandoned(c);
    look_at_guests(c);
    for (struct shard *s = c->shards; s < c->shards + SHARDS_MAX; s++) {
        if (!s->used || turn_shard(s))
            continue;
        /* A journal of another that is lost is lost; whose own is lost ends. */
        bool forgotten =
            s->began >= w->standby.at && s->began < w->failed_at; /* that it was taken, and so given up before */
        if (s == c->shards && !s->store.back && !forgotten && c->since < w->now - BOUND_US &&
            w->now < w->back_at + BOUND_US && w->back_at > 0)
            world_fail(w, "F6", "a journal is taken from a sidecar that ran all the time, for the database was away",
                       (uint64_t)c->number);
        if (s == c->shards) {
            sidecar_kill(c);
            c->until = w->now + SPAN_S(1).us;
            return;
        }
        end_shard(s);
    }
}
