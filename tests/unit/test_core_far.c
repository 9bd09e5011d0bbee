/* The core on a store that answers later, does not know, or is another's by now. */
#include "tests/support/core_owner.h"

#include "sidecar/core/core.h"
#include "sidecar/core/core_inside.h"
#include "sidecar/core/timeline.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct owner o;

static void setup(void)
{
    owner_open(&o);
    memory_disk_set_far(o.disk, true);
}

static void teardown(void)
{
    owner_close(&o);
}

/* A start, whose look-up of the request_id is answered. */
static void start(uint64_t token, const char *request_id)
{
    owner_submit_start(&o, token, "one", request_id);
}

START_TEST(core_far__effects_wait_for_their_own_batch)
{
    start(1, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert(core_waits(o.core));
    start(2, NULL);
    ck_assert(!core_waits(o.core)); /* it may be handed over now */
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(memory_disk_on_the_way(o.disk), 2);
    ck_assert_str_eq(owner_told(&o), "");
    ck_assert(core_pending(o.core) && core_waits(o.core));
    ck_assert_uint_eq(core_decided(o.core), 2);
    ck_assert_uint_eq(core_durable(o.core), 0);
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n");
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 2\nreply 2 ok saga=2\ncall 2 a action #1\n");
    ck_assert(!core_pending(o.core));
}
END_TEST

/* So does what somebody asks of a saga that is not in memory. */
START_TEST(core_far__what_has_ended_is_looked_for)
{
    owner_submit(
        &o, (struct event){
                .type = EVENT_PAUSE, .token = 1, .saga = {.tag = 0xabc, .serial = 99}, .actor = bytes_of_text("ann")});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "");
    ck_assert_uint_eq(o.core->parked_count, 1);
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "reply 1 SAGA_NOT_FOUND\n");
}
END_TEST

/* So many wait for their look-ups, each of which is known by its request_id; one more is told to come again. */
START_TEST(core_far__so_many_look_ups_and_no_more)
{
    char id[16];
    for (unsigned i = 0; i < PARKED_MAX; i++) {
        snprintf(id, sizeof id, "r%u", i);
        start(i + 1, id);
    }
    ck_assert_uint_eq(o.core->parked_count, PARKED_MAX);
    ck_assert(parked_has(o.core, bytes_of_text("r0")) && parked_has(o.core, bytes_of_text("r1023")));
    ck_assert(!parked_has(o.core, bytes_of_text("r1024")));
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "");
    start(PARKED_MAX + 1, "r1024");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_ptr_nonnull(strstr(owner_told(&o), "reply 1025 "));
    ck_assert(!parked_has(o.core, bytes_of_text("r1024")));
}
END_TEST

START_TEST(core_far__no_third_batch_is_handed_over)
{
    for (uint64_t token = 1; token <= 4; token++) {
        start(token, NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    ck_assert_uint_eq(memory_disk_on_the_way(o.disk), 2);
    ck_assert(core_waits(o.core)); /* though there is something to hand over */
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    /* What piled up meanwhile is one batch. */
    ck_assert_uint_eq(memory_disk_on_the_way(o.disk), 2);
    memory_disk_arrive(o.disk, 0);
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n"
                                     "durable 2\nreply 2 ok saga=2\ncall 2 a action #1\n"
                                     "durable 3\nreply 3 ok saga=3\ncall 3 a action #1\n"
                                     "reply 4 ok saga=4\ncall 4 a action #1\n");
}
END_TEST

/* A refusal shows that nothing is there, so it must not be ahead of what was decided before it. */
START_TEST(core_far__what_needs_no_commit_keeps_its_place)
{
    start(1, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_submit(&o, (struct event){.type = EVENT_CANCEL, .token = 2, .saga = {.tag = 5, .serial = 1}});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "");
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\nreply 2 SAGA_NOT_FOUND\n");
}
END_TEST

START_TEST(core_far__nothing_follows_a_commit_of_unknown_fate)
{
    start(1, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_arrive(o.disk, STORE_AMBIGUOUS);
    start(2, NULL);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_AWAY);
    ck_assert_int_eq(core_stalled(o.core), E_JOURNAL_AWAY);
    ck_assert_uint_eq(memory_disk_on_the_way(o.disk), 1);
    start(3, NULL);
    struct instant began = o.now;
    o.now.us += 5000;
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_AWAY);
    ck_assert_int_eq(o.core->stalled_since.us, began.us);
    ck_assert_str_eq(owner_told(&o), "reply 3 JOURNAL_AWAY\n");
    ck_assert_int_eq(core_expiry(o.core).us, INSTANT_NEVER.us);
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n");
    ck_assert_int_eq(core_stalled(o.core), 0);
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 2\nreply 2 ok saga=2\ncall 2 a action #1\n");
}
END_TEST

START_TEST(core_far__who_was_fenced_lets_nothing_out)
{
    start(1, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_fence(o.disk);
    start(2, NULL);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FENCED);
    ck_assert_int_eq(o.store->check(o.store, &o.detail), E_JOURNAL_FENCED);
    o.detail.text[0] = '\0';
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FENCED); /* and goes on saying so */
    ck_assert_str_ne(o.detail.text, "");
    ck_assert_str_eq(owner_told(&o), "");
    core_abandon(o.core);
    ck_assert_str_eq(owner_told(&o), "reply 1 STOPPING\nreply 2 STOPPING\n");
    ck_assert_uint_eq(o.saga.serial, 2); /* so that it can be asked for afterwards */
}
END_TEST

START_TEST(core_far__a_full_disk_keeps_none_and_takes_them_again_in_order)
{
    start(1, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    start(2, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_arrive(o.disk, E_JOURNAL_FULL);
    memory_disk_set_size(o.disk, 1);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    ck_assert_uint_eq(memory_disk_on_the_way(o.disk), 0);
    memory_disk_set_size(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(memory_disk_on_the_way(o.disk), 2);
    memory_disk_arrive(o.disk, 0);
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n"
                                     "durable 2\nreply 2 ok saga=2\ncall 2 a action #1\n");
}
END_TEST

START_TEST(core_far__a_crash_leaves_what_had_arrived)
{
    start(1, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    start(2, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_arrive(o.disk, 0);
    memory_disk_set_far(o.disk, false);
    owner_restart(&o);
    ck_assert_ptr_nonnull(engine_find(core_engine(o.core), 1));
    ck_assert_ptr_null(engine_find(core_engine(o.core), 2));
    /* Who opens it anew writes as its new holder. */
    uint64_t epoch = o.core->epoch;
    owner_crash(&o);
    memory_disk_fence(o.disk);
    ck_assert_int_eq(owner_start(&o), 0);
    ck_assert_uint_gt(o.core->epoch, epoch);
}
END_TEST

/* ---- look-ups ---- */

START_TEST(core_far__a_start_waits_for_its_look_up)
{
    char id[] = "r1";
    start(1, id);
    memset(id, 'x', 2); /* what the event viewed is gone */
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "");
    ck_assert(core_pending(o.core) && core_waits(o.core));
    ck_assert_ptr_null(engine_find(core_engine(o.core), 1));
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_ptr_nonnull(engine_find_request(core_engine(o.core), bytes_of_text("r1"), bytes_of(NULL, 0)));
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n");
}
END_TEST

/* Whoever repeats it says the same, and is told so. */
START_TEST(core_far__a_start_that_waited_can_be_repeated)
{
    char id[] = "r1", version[] = "1.0.0", input[] = "a nut";
    struct event asked = {.type = EVENT_START,
                          .token = 1,
                          .definition =
                              catalog_find(o.catalog, bytes_of_text("one"), bytes_of_text(version))->definition,
                          .request_id = bytes_of_text(id),
                          .version = bytes_of_text(version),
                          .input = bytes_of_text(input)};
    owner_submit(&o, asked);
    memset(id, 'x', strlen(id));
    memset(version, 'x', strlen(version));
    memset(input, 'x', strlen(input));
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    asked.token = 2;
    asked.request_id = bytes_of_text("r1");
    asked.version = bytes_of_text("1.0.0");
    asked.input = bytes_of_text("a nut");
    owner_submit(&o, asked);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "reply 2 ok saga=1 repeated\n");
}
END_TEST

static int take_audit(void *self, const struct audit_row *row)
{
    snprintf(self, 64, "%.*s", (int)row->body.size, (const char *)row->body.at);
    return 0;
}

/* So is what the trail is to say: of an act on a saga that was not there yet when it was asked for. */
START_TEST(core_far__what_the_trail_is_to_say_is_kept_while_it_waits)
{
    char entry[] = "somebody paused it", body[64] = "";
    owner_submit(&o, (struct event){.type = EVENT_PAUSE,
                                    .token = 1,
                                    .saga = {.tag = 0xabc, .serial = 1},
                                    .actor = bytes_of_text("somebody"),
                                    .audit = bytes_of_text(entry)});
    memset(entry, 'x', strlen(entry));
    owner_submit_start(&o, 2, "one", NULL);
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert(engine_find(core_engine(o.core), 1)->paused);
    while (memory_disk_on_the_way(o.disk) > 0) {
        memory_disk_arrive(o.disk, 0);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    ck_assert_int_eq(o.store->scan_audit(o.store, 1, 1, take_audit, body, &o.detail), 0);
    ck_assert_str_eq(body, "somebody paused it");
    o.told_size = 0;
}
END_TEST
END_TEST

/* While its end is on the way, a saga is found in memory; afterwards the store knows it. Never is it started again. */
START_TEST(core_far__an_ended_saga_is_never_lost_sight_of)
{
    memory_disk_set_far(o.disk, false);
    start(1, "r1");
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_set_far(o.disk, true);
    owner_told(&o);
    owner_answer(&o, 0, "out");
    ck_assert_int_eq(owner_commit(&o), 0);
    const struct saga *s = engine_find(core_engine(o.core), 1);
    ck_assert(s != NULL && saga_ended(s));
    start(2, "r1");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "");
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 2\nreply 2 ok saga=1 repeated\n");
    ck_assert_ptr_null(engine_find(core_engine(o.core), 1));
    start(3, "r1");
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "reply 3 ok saga=1 repeated\n");
}
END_TEST

START_TEST(core_far__an_enlistment_is_kept_whole_while_it_waits)
{
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /* All that it says lies here, and is gone when it has been handed over. */
    struct {
        char step[8], constant[8], target[8], method[16], request_id[8], name[8], trace[64], owner[8], output[8];
        struct enlistment enlist[2];
        struct settlement settle;
    } said = {"pay",
              "undo it",
              "u",
              "/p.S/Undo",
              "b1",
              "begun",
              "",
              "ann",
              "out",
              {{.has_compensation = true}, {.has_compensation = false}},
              {.action_state = 0}};
    memcpy(said.trace, trace, sizeof trace);
    said.enlist[1].step = bytes_of_text(said.name); /* which nothing undoes */
    said.enlist[0].step = bytes_of_text(said.step);
    said.enlist[0].compensation = (struct call_spec){.target = said.target,
                                                     .method = said.method,
                                                     .source = REQUEST_CONSTANT,
                                                     .constant = bytes_of_text(said.constant)};
    owner_submit(&o, (struct event){.type = EVENT_BEGIN,
                                    .token = 1,
                                    .request_id = bytes_of_text(said.request_id),
                                    .name = bytes_of_text(said.name),
                                    .traceparent = bytes_of_text(said.trace),
                                    .identity = bytes_of_text(said.owner),
                                    .enlist = said.enlist,
                                    .enlist_count = 2});
    memset(&said, 'x', sizeof said);
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    const struct saga *s = engine_find(core_engine(o.core), 1);
    ck_assert_ptr_nonnull(s);
    ck_assert(bytes_equal(saga_step_name(s, 0), bytes_of_text("pay")));
    ck_assert(bytes_equal(s->name, bytes_of_text("begun")));
    ck_assert(bytes_equal(s->request_id, bytes_of_text("b1")));
    ck_assert(bytes_equal(s->traceparent, bytes_of_text(trace)));
    ck_assert(bytes_equal(s->owner, bytes_of_text("ann")));
    const struct call_spec *undo = saga_step_call(s, 0, SAGA_PHASE_COMPENSATION);
    ck_assert(bytes_equal(undo->constant, bytes_of_text("undo it")));
    ck_assert_str_eq(undo->target, "u");
    ck_assert_str_eq(undo->method, "/p.S/Undo");
    ck_assert(bytes_equal(saga_step_name(s, 1), bytes_of_text("begun")));
    ck_assert_ptr_null(saga_step_call(s, 1, SAGA_PHASE_COMPENSATION));
}
END_TEST

/* Counts pauses, which are all Ann's. */
static int see_pause(void *self, uint64_t frame, struct bytes records)
{
    struct record r;
    uint64_t previous;
    (void)frame;
    while (records.size > 0) {
        ck_assert_int_eq(codec_decode(&records, &r, &previous, &o.detail), 0);
        if (r.type != RECORD_PAUSED)
            continue;
        ++*(unsigned *)self;
        ck_assert(bytes_equal(r.actor, bytes_of_text("ann")));
        ck_assert(bytes_equal(r.identity, bytes_of_text("cn=ann")));
        ck_assert(bytes_equal(r.message, bytes_of_text("the stock is wrong")));
    }
    return 0;
}

/* Who asked, and why, and about which step. */
START_TEST(core_far__an_operators_word_is_kept_whole_while_it_waits)
{
    unsigned pauses = 0;
    char actor[] = "ann", identity[] = "cn=ann", reason[] = "the stock is wrong", step[] = "a";
    struct event asked = {.type = EVENT_PAUSE,
                          .token = 1,
                          .saga = {.tag = 0xabc, .serial = 1},
                          .actor = bytes_of_text(actor),
                          .identity = bytes_of_text(identity),
                          .reason = bytes_of_text(reason)};
    owner_submit(&o, asked);
    asked.type = EVENT_RETRY;
    asked.token = 2;
    asked.step = bytes_of_text(step);
    owner_submit(&o, asked);
    memset(actor, 'x', strlen(actor));
    memset(identity, 'x', strlen(identity));
    memset(reason, 'x', strlen(reason));
    memset(step, 'x', strlen(step));
    owner_submit_start(&o, 3, "one", NULL);
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    while (memory_disk_on_the_way(o.disk) > 0) {
        memory_disk_arrive(o.disk, 0);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    ck_assert_ptr_nonnull(strstr(owner_told(&o), "reply 2 SAGA_NOT_STUCK\n")); /* the step is there */
    ck_assert_int_eq(o.store->scan(o.store, 1, see_pause, &pauses, &o.detail), 0);
    ck_assert_uint_eq(pauses, 1);
}
END_TEST

/* What the owner of a saga says of its steps. */
START_TEST(core_far__a_settlement_is_kept_whole_while_it_waits)
{
    char step[] = "pay", output[] = "paid";
    struct settlement settle = {
        .step = bytes_of_text(step), .action_state = SAGA_ACTION_DONE, .output = bytes_of_text(output)};
    struct enlistment enlist = {.step = bytes_of_text("pay")};
    owner_submit(&o, (struct event){.type = EVENT_ENLIST,
                                    .token = 1,
                                    .saga = {.tag = 0xabc, .serial = 1},
                                    .settle = &settle,
                                    .settle_count = 1});
    memset(step, 'x', strlen(step));
    memset(output, 'x', strlen(output));
    settle = (struct settlement){.action_state = 0};
    owner_submit(
        &o, (struct event){
                .type = EVENT_BEGIN, .token = 2, .name = bytes_of_text("begun"), .enlist = &enlist, .enlist_count = 1});
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    while (memory_disk_on_the_way(o.disk) > 0) {
        memory_disk_arrive(o.disk, 0);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    ck_assert_ptr_nonnull(strstr(owner_told(&o), "reply 1 ok saga=1\n"));
    const struct saga *s = engine_find(core_engine(o.core), 1);
    ck_assert_int_eq(s->steps[0].action, SAGA_ACTION_DONE);
    ck_assert(bytes_equal(s->steps[0].output, bytes_of_text("paid")));
}
END_TEST

START_TEST(core_far__a_stop_refuses_what_still_waits)
{
    start(1, "r1");
    core_abandon(o.core);
    ck_assert_str_eq(owner_told(&o), "reply 1 STOPPING\n");
    ck_assert(!core_pending(o.core));
    /* With the saga that it was about. */
    owner_submit(&o, (struct event){.type = EVENT_PAUSE,
                                    .token = 2,
                                    .saga = {.tag = 0xabc, .serial = 9},
                                    .actor = bytes_of_text("somebody")});
    core_abandon(o.core);
    ck_assert_str_eq(owner_told(&o), "reply 2 STOPPING\n");
    ck_assert_uint_eq(o.saga.serial, 9);
}
END_TEST

/* A saga begins when its look-up is answered: its deadline has not run meanwhile. */
START_TEST(core_far__a_start_that_waited_begins_afterwards)
{
    start(1, "r1");
    o.now.us += 5000000;
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(engine_find(core_engine(o.core), 1)->started_at.us, o.now.us);
    o.told_size = 0;
}
END_TEST

/* What is not durable yet can be read, for who shows it later. */
START_TEST(core_far__frames_on_the_way_can_be_read)
{
    start(1, NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    struct arena arena;
    struct timeline timeline;
    arena_init(&arena);
    struct timeline_query query = {.serial = 1, .last_frame = engine_find(core_engine(o.core), 1)->position};
    ck_assert_int_eq(timeline_load(o.core, &query, &arena, &timeline, &o.detail), 0);
    ck_assert_uint_eq(timeline.count, 2);
    arena_finish(&arena);
    struct bytes records;
    start(2, NULL);
    ck_assert_int_eq(core_read_frame(o.core, core_decided(o.core), &records, &o.detail), 0);
    ck_assert_uint_gt(records.size, 0);
}
END_TEST

/* ---- frames ---- */

static unsigned told_frames;

/* What is told of a frame is what the store has of it. */
static void frame_is_durable(void *self, uint64_t frame, struct bytes records)
{
    struct bytes kept;
    (void)self;
    told_frames++;
    ck_assert_int_eq(o.store->read_frame(o.store, frame, &kept, &o.detail), 0);
    ck_assert(bytes_equal(records, kept));
}

START_TEST(core_far__a_large_batch_is_cut_into_frames)
{
    static uint8_t payload[10000];
    memory_disk_set_far(o.disk, false);
    for (uint64_t token = 1; token <= 10; token++)
        owner_submit(&o, (struct event){.type = EVENT_START,
                                        .token = token,
                                        .input = bytes_of(payload, sizeof payload),
                                        .definition = catalog_at(o.catalog, 0)->definition});
    ck_assert_uint_eq(core_decided(o.core), 3); /* of 32 KiB and a record each */
    o.core->world.durable = frame_is_durable;
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(told_frames, 3);
    ck_assert_uint_eq(core_durable(o.core), 3);
    struct bytes records;
    for (uint64_t frame = 1; frame <= 3; frame++) {
        ck_assert_int_eq(o.store->read_frame(o.store, frame, &records, &o.detail), 0);
        ck_assert_uint_le(records.size, 32768 + 10100);
    }
    o.told_size = 0;
    owner_restart(&o);
    ck_assert_uint_eq(engine_counts(core_engine(o.core)).live, 10);
}
END_TEST

/* Frames that are to be moved are read from the store, which may take a while: then there is more to do. */
static void maintain(void)
{
    bool more;
    int code = core_maintain(o.core, o.now, &more, &o.detail);
    ck_assert(code == 0 || (code == STORE_PENDING && more));
}

/* What is being moved is needed where it was until the move is durable: retention takes nothing of it, though other commits land. */
START_TEST(core_far__what_is_moved_is_kept_until_that_is_durable)
{
    memory_disk_set_far(o.disk, false);
    o.move_after = 4;
    owner_restart(&o);
    for (uint64_t token = 1; token <= 6; token++) {
        owner_submit_start(&o, token, "one", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    memory_disk_set_far(o.disk, true);
    owner_submit_start(&o, 7, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0); /* on its way */
    uint64_t last = core_decided(o.core);
    for (unsigned i = 0; i < 20 && engine_find(core_engine(o.core), 1)->first_position <= last; i++) {
        maintain();
        memory_disk_arrive(o.disk, STORE_PENDING);
    }
    ck_assert_uint_gt(engine_find(core_engine(o.core), 1)->first_position, last);
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0); /* the move is on its way now */
    ck_assert_uint_eq(memory_disk_on_the_way(o.disk), 1);
    o.now = instant_after(o.now, SPAN_S(7200));
    maintain();
    memory_disk_set_far(o.disk, false);
    owner_restart(&o);
    ck_assert_ptr_nonnull(engine_find(core_engine(o.core), 1));
    o.told_size = 0;
}
END_TEST

/* Neither one whose end is on the way, which leaves memory with it, nor any while nothing may follow what the store has. */
START_TEST(core_far__nothing_is_moved_that_ends_or_while_the_store_is_away)
{
    bool more;
    memory_disk_set_far(o.disk, false);
    o.move_after = 4;
    owner_restart(&o);
    for (uint64_t token = 1; token <= 6; token++) {
        owner_submit_start(&o, token, "one", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    memory_disk_set_far(o.disk, true);
    uint64_t first = engine_find(core_engine(o.core), 1)->first_position;
    owner_answer(&o, 0, "out");
    ck_assert_int_eq(owner_commit(&o), 0); /* its end is on the way */
    for (int away = 0; away <= 1; away++) {
        uint64_t last = core_decided(o.core);
        if (away)
            memory_disk_arrive(o.disk, STORE_AMBIGUOUS);
        ck_assert_int_eq(owner_commit(&o), away ? E_JOURNAL_AWAY : 0);
        ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
        ck_assert(!more);
        ck_assert_uint_eq(engine_find(core_engine(o.core), away + 1)->first_position, first + away);
        ck_assert_uint_eq(core_decided(o.core), last);
        if (away)
            break;
        memory_disk_arrive(o.disk, 0);
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_ptr_null(engine_find(core_engine(o.core), 1));
        owner_submit_start(&o, 7, "one", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    memory_disk_arrive(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(core_stalled(o.core), 0);
    memory_disk_set_far(o.disk, false);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert_uint_gt(engine_find(core_engine(o.core), 2)->first_position, first + 1);
    o.told_size = 0;
}
END_TEST

/* A saga whose end is on the way is found in memory yet, and answers as it will when that has arrived. */
START_TEST(core_far__what_ends_has_ended_for_operators)
{
    static const struct {
        uint8_t type;
        const char *step, *committed, *compensated;
    } asked[] = {{EVENT_PAUSE, "", "SAGA_ENDED", "SAGA_ENDED"},   {EVENT_RESUME, "", "SAGA_ENDED", "SAGA_ENDED"},
                 {EVENT_RETRY, "", "SAGA_ENDED", "SAGA_ENDED"},   {EVENT_RETRY, "a", "SAGA_ENDED", "SAGA_ENDED"},
                 {EVENT_SKIP, "a", "SAGA_ENDED", "SAGA_ENDED"},   {EVENT_REJECT, "a", "SAGA_ENDED", "SAGA_ENDED"},
                 {EVENT_RESOLVE, "", "SAGA_ENDED", "SAGA_ENDED"}, {EVENT_CANCEL, "", "SAGA_ENDED", "ok"}};
    memory_disk_set_far(o.disk, false);
    for (int compensated = 0; compensated < 2; compensated++) {
        start(1, NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_told(&o);
        uint64_t serial = o.saga.serial;
        memory_disk_set_far(o.disk, true);
        owner_answer(&o, compensated ? 5 : 0, "out");
        ck_assert_int_eq(owner_commit(&o), 0);
        for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
            owner_submit(&o, (struct event){.type = asked[i].type,
                                            .token = 2,
                                            .saga = {.tag = 0xabc, .serial = serial},
                                            .step = bytes_of_text(asked[i].step),
                                            .actor = bytes_of_text("me"),
                                            .reason = bytes_of_text("why")});
            ck_assert_int_eq(owner_commit(&o), 0);
            ck_assert_str_eq(owner_told(&o), "");
            const char *said = compensated ? asked[i].compensated : asked[i].committed;
            struct batch *b = &o.core->batches[batch_place(o.core, 0)];
            const struct reply_effect *reply = &b->effects[b->effect_count - 1].effect.as.reply;
            ck_assert_msg(strcmp(said, "ok") == 0 ? reply->code == 0
                                                  : strcmp(error_row(reply->code)->reason, said) == 0,
                          "%zu: %s", i, reply->code == 0 ? "ok" : error_row(reply->code)->reason);
        }
        memory_disk_arrive(o.disk, 0);
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_ptr_null(engine_find(core_engine(o.core), serial));
        memory_disk_set_far(o.disk, false);
        o.told_size = 0;
    }
}
END_TEST

static int held_code;
static int whether_held(struct store *s, struct error_detail *detail)
{
    (void)s;
    return held_code == 0 ? 0 : error_set(detail, held_code, "", NULL);
}

/* While it is not known whether the journal is still ours nothing is let out, and nothing new is taken; when it is known to be, all goes on. */
START_TEST(core_far__nothing_leaves_while_it_is_not_known_whose_the_journal_is)
{
    memory_disk_set_far(o.disk, false);
    o.store->holds = whether_held;
    start(1, NULL);
    held_code = E_JOURNAL_AWAY;
    struct instant began = o.now;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(owner_commit(&o), E_JOURNAL_AWAY);
        ck_assert_int_eq(core_stalled(o.core), E_JOURNAL_AWAY);
        ck_assert_int_eq(o.core->stalled_since.us, began.us);
        ck_assert_str_eq(owner_told(&o), "");
        o.now.us += 1000;
    }
    start(2, NULL);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_AWAY);
    ck_assert_str_eq(owner_told(&o), "reply 2 JOURNAL_AWAY\n");
    held_code = 0;
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(core_stalled(o.core), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n");
    /* Also where there is nothing to write down. */
    held_code = E_JOURNAL_AWAY;
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_AWAY);
    held_code = 0;
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(core_stalled(o.core), 0);
    start(3, NULL);
    held_code = E_JOURNAL_FENCED;
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FENCED);
    held_code = 0; /* what was lost stays so */
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FENCED);
    bool more = true; /* and nothing of it is dropped */
    uint64_t operations = memory_disk_operations(o.disk);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert(!more);
    ck_assert_uint_eq(memory_disk_operations(o.disk), operations);
    ck_assert_str_eq(owner_told(&o), "");
}
END_TEST

/* An owner cannot renew its lease meanwhile: nobody's saga is undone for that. */
START_TEST(core_far__leases_start_anew_when_the_store_is_back)
{
    const struct event begins = {.type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("shop"), .lease = SPAN_S(5)};
    memory_disk_set_far(o.disk, false);
    o.store->holds = whether_held;
    owner_submit(&o, begins);
    held_code = 0;
    ck_assert_int_eq(owner_commit(&o), 0);
    start(2, NULL);
    held_code = E_JOURNAL_AWAY;
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_AWAY);
    o.now.us += SPAN_S(60).us;
    held_code = 0;
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_submit(&o, (struct event){.type = EVENT_TICK});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_ptr_nonnull(engine_find(core_engine(o.core), 1));
    ck_assert_int_eq(engine_find(core_engine(o.core), 1)->state, SAGA_RUNNING);
    o.now.us += SPAN_S(5).us;
    owner_submit(&o, (struct event){.type = EVENT_TICK});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_ptr_null(engine_find(core_engine(o.core), 1));
    owner_told(&o);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("core_far");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, core_far__effects_wait_for_their_own_batch);
    tcase_add_test(t, core_far__no_third_batch_is_handed_over);
    tcase_add_test(t, core_far__what_has_ended_is_looked_for);
    tcase_add_test(t, core_far__so_many_look_ups_and_no_more);
    tcase_add_test(t, core_far__what_needs_no_commit_keeps_its_place);
    tcase_add_test(t, core_far__nothing_follows_a_commit_of_unknown_fate);
    tcase_add_test(t, core_far__who_was_fenced_lets_nothing_out);
    tcase_add_test(t, core_far__a_full_disk_keeps_none_and_takes_them_again_in_order);
    tcase_add_test(t, core_far__a_crash_leaves_what_had_arrived);
    tcase_add_test(t, core_far__a_start_waits_for_its_look_up);
    tcase_add_test(t, core_far__an_ended_saga_is_never_lost_sight_of);
    tcase_add_test(t, core_far__an_enlistment_is_kept_whole_while_it_waits);
    tcase_add_test(t, core_far__an_operators_word_is_kept_whole_while_it_waits);
    tcase_add_test(t, core_far__a_settlement_is_kept_whole_while_it_waits);
    tcase_add_test(t, core_far__a_start_that_waited_can_be_repeated);
    tcase_add_test(t, core_far__what_the_trail_is_to_say_is_kept_while_it_waits);
    tcase_add_test(t, core_far__a_stop_refuses_what_still_waits);
    tcase_add_test(t, core_far__frames_on_the_way_can_be_read);
    tcase_add_test(t, core_far__a_large_batch_is_cut_into_frames);
    tcase_add_test(t, core_far__what_is_moved_is_kept_until_that_is_durable);
    tcase_add_test(t, core_far__a_start_that_waited_begins_afterwards);
    tcase_add_test(t, core_far__nothing_is_moved_that_ends_or_while_the_store_is_away);
    tcase_add_test(t, core_far__what_ends_has_ended_for_operators);
    tcase_add_test(t, core_far__nothing_leaves_while_it_is_not_known_whose_the_journal_is);
    tcase_add_test(t, core_far__leases_start_anew_when_the_store_is_back);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
