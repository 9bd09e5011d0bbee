/* world.c - one run: which faults strike, the phase in which they do, the healing, and the end. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/base/fnv.h"
#include "sidecar/core/heap.h"

#include <stdlib.h>

/* After the healing every saga must have ended within this much simulated time: the longest deadline, and time to clean
 * up. */
#define HEAL_LIMIT (200 * SECOND)
/* Then everything that is still under way in the network arrives. */
#define EVENTS_MAX 400000

static void make_swarm(struct world *w)
{
    static const uint16_t rates[FAULT_COUNT] = {
        [FAULT_REQUEST_LOST] = 60,
        [FAULT_REPLY_LOST] = 80,
        [FAULT_LATE] = 60,
        [FAULT_DUPLICATE] = 120,
        [FAULT_SLOW] = 120,
        [FAULT_REFUSED] = 80,
        [FAULT_BROKEN] = 60,
        [FAULT_GARBAGE] = 50,
        [FAULT_TRANSIENT] = 150,
        [FAULT_AMBIGUOUS] = 60,
        [FAULT_REJECT] = 120,
        [FAULT_UNDO_REFUSED] = 300,
        [FAULT_OVERSIZE] = 20,
        [FAULT_RUNS_ON] = 60,
        [FAULT_CRASH_BEFORE_COMMIT] = 20,
        [FAULT_CRASH_AFTER_COMMIT] = 20,
        [FAULT_DISK_ERROR] = 4,
        [FAULT_DISK_FULL] = 20,
        [FAULT_SLOW_SYNC] = 20,
        [FAULT_SIDECAR_CRASH] = 25,
        [FAULT_CRASH_IN_RECOVERY] = 300,
        [FAULT_STOP] = 6,
        [FAULT_CLOCK_JUMP] = 300,
        [FAULT_STALL] = 5,
        [FAULT_CLIENT_LOST] = 150,
        [FAULT_CLIENT_DUPLICATE] = 150,
        [FAULT_OWNER_DIES] = 60,
        [FAULT_OWNER_SLOW] = 120,
        [FAULT_CANCEL] = 250,
        [FAULT_OPERATOR] = 700,
        [FAULT_TARGET_GONE] = 150,
        [FAULT_CONFIGURED] = 4,
        [FAULT_NONSENSE] = 500,
        [FAULT_MEMORY] = 5,
        [FAULT_UNSURE] = 20,
        [FAULT_FENCED] = 4,
        [FAULT_LEASE] = 5,
        [FAULT_LOOKUP] = 20,
    };
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        bool on = random_below(&w->random[SHAPES], 2) == 0;
        uint64_t rate = 1 + random_below(&w->random[SHAPES], 2u * rates[i]);
        w->swarm.permille[i] = on ? (uint16_t)rate : 0;
    }
    w->swarm.clients = 10 + (uint32_t)draw(w, SHAPES, draw(w, SHAPES, 8) == 0 ? CLIENTS_MAX - 10 : 50);
    w->swarm.enlisted_permille = (uint32_t)draw(w, SHAPES, 700);
    w->swarm.bulkhead = draw(w, SHAPES, 3) == 0 ? 1 + (uint32_t)draw(w, SHAPES, 2) : 64;
    bool breaks = draw(w, SHAPES, 2) == 0;
    struct breaker_options *breaker = &w->swarm.breaker;
    breaker->window.us = draw_between(w, SHAPES, 500 * MS, 10 * SECOND);
    breaker->volume = 3 + (uint32_t)draw(w, SHAPES, 10);
    if (breaks)
        breaker->failure_percent = 20 + (uint32_t)draw(w, SHAPES, 60);
    if (breaks && draw(w, SHAPES, 2) == 0)
        breaker->slow_percent = 30 + (uint32_t)draw(w, SHAPES, 60);
    breaker->slow_call.us = draw_between(w, SHAPES, 5 * MS, 500 * MS);
    breaker->status_codes = 1u << 4 | 1u << 8 | 1u << 13 | 1u << 14 | 1u << 2;
    breaker->open.us = draw_between(w, SHAPES, 100 * MS, 2 * SECOND);
    breaker->open_max = SPAN_S(5);
    breaker->probes = 1 + (uint32_t)draw(w, SHAPES, 3);
    /* One a statement: in an initializer each compiler draws in an order of its own. */
    if (draw(w, SHAPES, 4) == 0) {
        w->swarm.rate.per_second = 5 + (uint32_t)draw(w, SHAPES, 60);
        w->swarm.rate.burst = 1 + (uint32_t)draw(w, SHAPES, 10);
    }
    if (draw(w, SHAPES, 4) == 0) {
        w->swarm.budget.percent = 5 + (uint32_t)draw(w, SHAPES, 100);
        w->swarm.budget.min_per_second = 1 + (uint32_t)draw(w, SHAPES, 6);
    }
    if (draw(w, SHAPES, 4) == 0)
        w->swarm.pending_max = 1 + (uint32_t)draw(w, SHAPES, 5);
    if (draw(w, SHAPES, 4) == 0)
        w->swarm.pending_timeout.us = draw_between(w, SHAPES, 100 * MS, 5 * SECOND);
    if (draw(w, SHAPES, 5) == 0)
        w->swarm.limit.live_max = 1 + (uint32_t)draw(w, SHAPES, 6);
    if (draw(w, SHAPES, 5) == 0) {
        w->swarm.limit.starts.per_second = 1 + (uint32_t)draw(w, SHAPES, 4);
        w->swarm.limit.starts.burst = 1 + (uint32_t)draw(w, SHAPES, 4);
    }
    for (unsigned i = 0; i < TARGET_COUNT; i++)
        w->swarm.barrier[i] = draw(w, SHAPES, 4) == 0;
    w->swarm.target_wait = draw(w, SHAPES, 8) == 0 ? 0 : draw_between(w, SHAPES, 500 * MS, 8 * SECOND);
    w->swarm.keep = draw(w, SHAPES, 4) == 0 ? draw_between(w, SHAPES, 15 * SECOND, 25 * SECOND) : 0;
    w->swarm.live_sagas_max = draw(w, SHAPES, 4) == 0 ? LIVE_SAGAS_SMALL : 512;
    w->swarm.faults_last = draw_between(w, SHAPES, 2 * SECOND, 40 * SECOND);
    w->swarm.retention = draw(w, SHAPES, 2) == 0 ? draw_between(w, SHAPES, 5 * SECOND, 60 * SECOND) : 3600 * SECOND;
    w->swarm.move_after = draw(w, SHAPES, 2) == 0 ? 8 + (uint32_t)draw(w, SHAPES, 120) : 0;
    w->swarm.stock = draw(w, SHAPES, 4) == 0 ? draw_between(w, SHAPES, 5, 60) : 1000000;
    w->swarm.far = draw(w, SHAPES, 2) == 0;
    w->swarm.commit_bytes_max = 64u << draw(w, SHAPES, 13);
    w->swarm.frame_bytes_max = 128u << draw(w, SHAPES, 9);
    w->swarm.parks = draw(w, SHAPES, 4) == 0 && w->swarm.live_sagas_max != LIVE_SAGAS_SMALL &&
                     w->swarm.limit.live_max == 0; /* who parks would keep out who is to come */
    w->swarm.drills = w->seed % 4 == 0;
    w->swarm.adaptive = w->seed % 5 == 0;
    w->swarm.recall = (struct recall_options){.answers_max = w->seed % 3 == 0 ? 2 : 1000,
                                              .bytes_max = w->seed % 7 == 0 ? 600 : 1 << 20,
                                              .age_max = SPAN_S(w->seed % 2 == 0 ? 8 : 120)};
}

static void heal(struct world *w, void *arg)
{
    (void)arg;
    w->healed = true;
    if (w->sidecar.up && w->sidecar.core != NULL)
        core_set_drill(w->sidecar.core, NULL, 0);
    trace(w, "healed", 0, 0, 0, 0);
    w->sidecar.crash_in = -1;
    w->disk.full_until = 0;
    for (unsigned i = 0; i < TARGET_COUNT; i++) {
        w->participants[i].down_until = 0;
        w->participants[i].stock += 1000000;
    }
    w->swarm.stock += 1000000;
    bool gone = false;
    for (unsigned i = 0; i < TARGET_COUNT; i++)
        gone |= w->sidecar.target_gone[i];
    if (gone && w->sidecar.up)
        sidecar_crash(w);
    if (w->sidecar.up)
        sidecar_plan(w, w->now); /* it looks once a second whether there is room again; jobs wait for that */
    operators_heal(w);
}

static void make_shadow(struct world *w)
{
    static const char *const names[TARGET_COUNT] = {"t0", "t1", "t2", "t3"};
    struct engine_options options = sidecar_engine_options(w, 1);
    options.live_sagas_max = SERIAL_MAX;
    CHECK(engine_create(&options, &heap, &w->shadow) == 0);
    for (unsigned i = 0; i < TARGET_COUNT; i++)
        engine_set_target(w->shadow,
                          &(struct target_options){.name = names[i], .timeout = SPAN_S(1), .max_concurrent_calls = 1});
}

static void seed_streams(struct world *w, uint64_t seed)
{
    struct random root;
    random_seed(&root, seed);
    for (unsigned i = 0; i < STREAM_COUNT; i++)
        random_seed(&w->random[i], random_next(&root));
}

static void run(struct world *w)
{
    int64_t healed_at = w->swarm.faults_last;
    while (agenda_next(w)) {
        if (w->event_number > EVENTS_MAX)
            world_fail(w, EXIT_LIVENESS, "I9", "the world does not come to rest", 0);
        if (w->now > healed_at + HEAL_LIMIT && !oracle_all_over(w))
            world_fail(w, EXIT_LIVENESS, "I9", "not everything ended in time after the healing", 0);
    }
}

/* Most of a world, and most worlds use little of it: of the next one they are as clean as what this one wrote of them is cleared. */
static struct model models[SERIAL_MAX];

void world_run(struct run *what, struct totals *totals)
{
    struct script *script = what->script;
    struct world *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->seed = what->seed;
    w->print = what->print;
    w->totals = totals;
    w->hash = FNV_START;
    w->last_jump = -1;
    w->models = models;
    world_now = w;
    seed_streams(w, what->seed);
    if (script == NULL)
        make_swarm(w);
    else
        w->swarm = (struct swarm){.clients = 1,
                                  .bulkhead = 64,
                                  .live_sagas_max = 64,
                                  .faults_last = 20 * SECOND,
                                  .retention = 3600 * SECOND,
                                  .stock = 1000000,
                                  .commit_bytes_max = 2048,
                                  .parks = true};
    /* What is enumerated is what the engine decides: to encrypt each of a million small journals would take most of the time. */
    w->swarm.encrypted = script == NULL && what->seed % 3 == 0;
    w->swarm.chained = script == NULL && what->seed % 2 == 0;
    w->swarm.scoped = script == NULL && what->seed % 5 == 0;
    random_seed(&w->chance, what->seed);
    w->script = script;
    definitions_make(w);
    disk_init(w);
    participants_init(w);
    make_shadow(w);

    if (what->memory_fail_at != 0)
        w->swarm.permille[FAULT_MEMORY] = 0;
    w->sidecar.memory_fail_at = what->memory_fail_at;
    w->sidecar.memory_fail_count = what->memory_fail_count;
    unsigned crashes = script == NULL ? 0 : script->crashes_left;
    w->healed = true;
    w->sidecar.offset = INT64_C(1700000000) * SECOND;
    if (script != NULL)
        script->crashes_left = 0;
    sidecar_start(w, NULL);
    w->healed = false;
    if (script != NULL)
        script->crashes_left = crashes;

    clients_start(w);
    if (script == NULL)
        operators_start(w);
    if (script == NULL)
        nonsense_start(w);
    agenda_add(w, w->swarm.faults_last, heal, NULL);
    run(w);
    oracle_end(w);
    bulk_end(w);
    rules_end(w);
    oracle_replay(w, "at the end");
    sidecar_stop(w);
    sealed_end(w);
    engine_destroy(w->shadow);
    totals->seeds++;
    totals->events += w->event_number;
    what->hash = w->hash;
    what->memory_failures = w->sidecar.memory_failures;
    definitions_free(w);
    memset(models, 0, (w->serial_max + 1) * sizeof *models);
    world_free(w);
    world_now = NULL;
    free(w);
}
