/* What a sound engine is: each of its structs is damaged in one place after another, and the check that is about it ends the process. */
#include "sidecar/core/heap.h"
#include "sidecar/engine/engine_inside.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

static struct engine *engine;
static struct saga *saga; /* enlisted, running, one step */
static struct saga *other;
static struct target *target;
static struct timer *timer;
static struct record record;

static void no_record(void *self, const struct record *r)
{
    (void)self;
    (void)r;
}

static void no_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    (void)self;
    (void)detail;
    ck_assert(effect->type == EFFECT_CALL || effect->as.reply.code == 0);
}

static void begin(void)
{
    static const struct enlistment step = {
        .step = {(const uint8_t *)"a", 1},
        .has_compensation = true,
        .compensation = {.target = "t", .method = "/p.S/Undo"},
    };
    const struct engine_out out = {.add_record = no_record, .add_effect = no_effect};
    struct event event = {
        .type = EVENT_BEGIN,
        .now = {.us = 1000000},
        .token = 1,
        .name = bytes_of_text("order"),
        .enlist = &step,
        .enlist_count = 1,
    };
    ck_assert_int_eq(engine_step(engine, &event, &out), 0);
}

static void set_up(void)
{
    const struct engine_options options = {
        .live_sagas_max = 8,
        .steps_max = 8,
        .payload_bytes_max = 64,
        .targets_max = 2,
        .enlisted_deadline_default = SPAN_S(60),
        .enlisted_lease_default = SPAN_S(3),
        .pushback_max = SPAN_S(300),
        .deadline_max = SPAN_S(3600),
        .compensation_retry = {.max_attempts = 2, .initial_backoff = SPAN_MS(1), .max_backoff = SPAN_MS(1)},
        .tag = 1,
    };
    ck_assert_int_eq(engine_create(&options, &heap, &engine), 0);
    const struct target_options t = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    ck_assert_int_eq(engine_set_target(engine, &t), 0);
    begin();
    begin();
    saga = engine->oldest;
    other = engine->newest;
    ck_assert(saga != other && saga->step_count == 1);
    target = &engine->targets[0];
    timer = &saga->timer;
    record = (struct record){.type = RECORD_PAUSED, .saga = saga->id, .step = RECORD_NO_STEP};
}

static void tear_down(void)
{
    engine_destroy(engine);
}

static void check_all(void)
{
    engine_check(engine);
    saga_check(saga);
    registry_check(engine, saga);
    target_check(target);
    timers_check(&engine->timers, timer);
    fold_check_own(&record);
}

static void queue(struct step *step)
{
    target_queue(target, step, (enum target_class)step->class, (struct target_key){FAIR_NORMAL, 1},
                 (struct instant){1});
}

START_TEST(checks__a_sound_engine_passes)
{
    struct instant again;
    check_all();
    saga->steps[0].class = other->steps[0].class = CLASS_BOUNDED;
    queue(&other->steps[0]);
    queue(&saga->steps[0]);
    check_all();
    target_unqueue(target, &other->steps[0]);
    other->steps[0].class = CLASS_PATIENT;
    queue(&other->steps[0]);
    ck_assert_ptr_eq(target_first(target, (struct instant){1}, &again), &other->steps[0]); /* its ticket is older */
    check_all();
    target_unqueue(target, &other->steps[0]);
    ck_assert_ptr_eq(target_first(target, (struct instant){1}, &again), &saga->steps[0]);
    target_unqueue(target, &saga->steps[0]);
    check_all();
}
END_TEST

/* One damage a line; the statement after it ends the process. */
#define DAMAGES(X) \
    X(saga->id.serial = 0) \
    X(saga->state = 0) \
    X(saga->state = SAGA_RESOLVED + 1) \
    X(saga->state = SAGA_STUCK) \
    X(saga->state = SAGA_COMPENSATING) \
    X(saga->state = SAGA_COMPENSATED) \
    X((saga->state = SAGA_STUCK, saga->stuck_reason = REASON_DEADLINE)) \
    X(saga->stuck_reason = REASON_DEADLINE) \
    X(saga->reason = REASON_DEADLINE) \
    X(saga->mode = SAGA_ORCHESTRATED) \
    X(saga->step_count = 2) \
    X(saga->step_room = STEPS_LIMIT + 1) \
    X(saga->steps = NULL) \
    X((saga->state = SAGA_RESOLVED, saga->paused = true)) \
    X(saga->steps[0].saga = other) \
    X(saga->steps[0].action = 0) \
    X(saga->steps[0].action = SAGA_ACTION_SKIPPED + 1) \
    X(saga->steps[0].action = SAGA_ACTION_UNKNOWN) \
    X(saga->steps[0].compensation = 0) \
    X(saga->steps[0].compensation = SAGA_COMPENSATION_OWED) \
    X(saga->steps[0].enlisted = NULL) \
    X(saga->steps[0].order = 2) \
    X(saga->steps[0].order = 0) \
    X(saga->steps[0].output.size = 1) \
    X((saga->steps[0].action = SAGA_ACTION_DONE, saga->steps[0].permitted = true)) \
    X(saga->steps[0].on_wire = true) \
    X((saga->steps[0].permitted = true, saga->steps[0].placed = true)) \
    X((saga->steps[0].permitted = true, saga->steps[0].queued = true)) \
    X((target->places = 0, target->places_taken = 1)) \
    X(target->places_taken = 2) \
    X(target->queues[CLASS_BOUNDED].count = 1) \
    X(target->breaker.probes_out = 1) \
    X(target->breaker.mark.held = true) \
    X(target->breaker.window.failed = 1) \
    X(target->waiting = 1) \
    X(target->queues[CLASS_BOUNDED].first = &saga->steps[0]) \
    X(target->queues[CLASS_PATIENT].last = &saga->steps[0]) \
    X((queue(&saga->steps[0]), target->waiting = 0)) \
    X((saga->steps[0].class = CLASS_BOUNDED, queue(&saga->steps[0]), \
       target->queues[CLASS_BOUNDED].last = &other->steps[0])) \
    X((queue(&saga->steps[0]), queue(&other->steps[0]), other->steps[0].class = CLASS_PATIENT)) \
    X((queue(&saga->steps[0]), saga->steps[0].queued = false)) \
    X((queue(&saga->steps[0]), saga->steps[0].queue_previous = &other->steps[0])) \
    X((queue(&saga->steps[0]), saga->steps[0].queue_next = &other->steps[0])) \
    X((queue(&saga->steps[0]), saga->steps[0].turn.flow->count = 0)) \
    X((queue(&saga->steps[0]), target->lanes[LANE_ACTION].left[FAIR_HIGH] = 17)) \
    X((queue(&saga->steps[0]), target->lanes[LANE_UNDO].left[FAIR_LOW] = 2)) \
    X(timer->subject = 0) \
    X(timer->slot = 2) \
    X(timer->slot = 9) \
    X(timer->due = INSTANT_NEVER) \
    X(timer->due.us += 1) \
    X((timer = &other->timer, timer->due.us -= 1)) \
    X(engine->timers.count = 10) \
    X(engine->timers.count = 4) \
    X(engine->counts.live = 9) \
    X(engine->counts.live = 0) \
    X(engine->counts.stuck = 3) \
    X(engine->counts.paused = 3) \
    X(engine->oldest = NULL) \
    X(engine->newest = NULL) \
    X(engine->earliest = NULL) \
    X(engine->latest = saga) \
    X(engine->serial = 1) \
    X(engine->target_count = 3) \
    X(engine->by_serial[saga->id.serial] = NULL) \
    X(saga->older = other) \
    X(saga->newer = NULL) \
    X(saga->earlier = other) \
    X(saga->later = NULL) \
    X(other->older = NULL) \
    X(other->earlier = NULL) \
    X(record.type = 0) \
    X(record.type = RECORD_MOVED) \
    X(record.saga.serial = 0) \
    X(record.type = RECORD_ACTION_STARTED) \
    X(record.message.size = MESSAGE_BYTES_MAX + 1) \
    X(record.actor.size = ACTOR_BYTES_MAX + 1) \
    X(record.type = RECORD_STUCK) \
    X(record.type = RECORD_TURNED_BACK) \
    X((record.type = RECORD_ACTION_ENDED, record.step = 0, record.action_state = SAGA_ACTION_STARTED)) \
    X((record.type = RECORD_COMPENSATION_ENDED, record.step = 0, record.compensation_state = SAGA_COMPENSATION_OWED))

#define COUNT_ONE(statement) +1
#define CASE(statement) \
    case __COUNTER__ - FIRST: \
        statement; \
        break;

START_TEST(checks__damage_is_seen)
{
    enum { FIRST = __COUNTER__ + 1 };
    switch (_i) {
        DAMAGES(CASE)
    default:
        ck_abort_msg("no such case");
    }
    check_all();
}
END_TEST

/* What holds only while something is done. */
START_TEST(checks__misuse_is_seen)
{
    struct step *step = &saga->steps[0];
    const struct instant now = {.us = 1};
    switch (_i) {
    case 0:
        target_leave(target, step, now, BREAKER_NOTHING);
        break;
    case 1:
        target_enter(target, step, CLASS_BOUNDED, now);
        target_enter(target, step, CLASS_BOUNDED, now);
        break;
    case 2:
        target_enter(target, step, CLASS_BOUNDED, now);
        target_enter(target, &other->steps[0], CLASS_BOUNDED, now);
        break;
    case 3:
        queue(step);
        queue(step);
        break;
    case 4:
        target_unqueue(target, step);
        break;
    case 5:
        queue(step);
        fold_reserve_steps(engine, saga, 4);
        break;
    case 6:
        engine_release(engine, saga->id.serial);
        break;
    default:
        ck_abort_msg("no such case");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine_checks");
    TCase *tcase = tcase_create("checks");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, checks__a_sound_engine_passes);
    tcase_add_loop_test_raise_signal(tcase, checks__damage_is_seen, SIGABRT, 0, 0 DAMAGES(COUNT_ONE));
    tcase_add_loop_test_raise_signal(tcase, checks__misuse_is_seen, SIGABRT, 0, 7);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
