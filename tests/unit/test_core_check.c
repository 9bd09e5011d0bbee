/* What a sound core is: each corruption that is planted here trips a check. */
#include "sidecar/core/core_inside.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

static struct owner o;

static void setup(void)
{
    owner_open(&o);
}

static void teardown(void)
{
    owner_close(&o);
}

/* Two batches on the way and one open, each with a frame. */
static void fill(void)
{
    memory_disk_set_far(o.disk, true);
    for (uint64_t token = 1; token <= 3; token++) {
        owner_submit_start(&o, token, "one", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    core_check(o.core);
}

START_TEST(core_check__a_sound_core_passes)
{
    core_check(o.core);
    fill();
}
END_TEST

static void more_handed_than_closed(struct core *c)
{
    c->handed = c->closed + 1;
}

static void too_many_closed(struct core *c)
{
    c->closed = BATCH_COUNT;
}

static void durable_ahead_of_decided(struct core *c)
{
    c->durable_frame = c->frame;
}

static void durable_ahead_of_batch(struct core *c)
{
    c->durable_frame++;
}

static void future_not_needed(struct core *c)
{
    c->needed_from = c->durable_frame + 2;
}

static void nothing_needed(struct core *c)
{
    c->needed_from = 0;
}

static void stalled_since_never(struct core *c)
{
    c->stalled = E_JOURNAL_FULL;
}

static void stalled_for_no_reason(struct core *c)
{
    c->stalled = E_MEMORY;
    c->stalled_since.us = 1;
}

static void parked_without_count(struct core *c)
{
    c->parked_count = 1;
}

static void gap_between_batches(struct core *c)
{
    c->batches[(c->first + 1) % BATCH_COUNT].first_frame++;
}

static void open_frame_wrong(struct core *c)
{
    c->open->first_frame++;
}

static void size_beyond_room(struct core *c)
{
    c->open->size = c->open->room + 1;
}

static void effects_beyond_room(struct core *c)
{
    c->open->effect_count = c->open->effect_room + 1;
}

static void end_without_record(struct core *c)
{
    struct batch *b = c->open;
    b->size = 0;
    b->ended_count = 1;
    b->ended_room = 64;
}

static void cut_at_nothing(struct core *c)
{
    static size_t cuts[1];
    struct batch *b = c->open;
    b->cuts = cuts;
    b->cut_count = b->cut_room = 1;
}

static void closed_and_empty(struct core *c)
{
    c->batches[c->first].size = 0;
}

static void closed_and_nothing_needed(struct core *c)
{
    c->batches[c->first].needed_from = 0;
}

static void told_more_than_needed(struct core *c)
{
    c->batches[c->first].oldest_live_frame = c->batches[c->first].needed_from + 1;
}

static void open_with_fate(struct core *c)
{
    c->open->needed_from = 1;
}

static void (*const corruptions[])(struct core *) = {
    more_handed_than_closed, too_many_closed,       durable_ahead_of_decided,
    durable_ahead_of_batch,  future_not_needed,     nothing_needed,
    stalled_since_never,     stalled_for_no_reason, parked_without_count,
    gap_between_batches,   open_frame_wrong,
    size_beyond_room,        effects_beyond_room,   end_without_record,
    cut_at_nothing,          closed_and_empty,      closed_and_nothing_needed,
    told_more_than_needed,   open_with_fate,
};
#define CORRUPTIONS ((int)(sizeof corruptions / sizeof corruptions[0]))

START_TEST(core_check__a_corrupted_core_trips_one)
{
    fill();
    corruptions[_i](o.core);
    core_check(o.core);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("core_check");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, core_check__a_sound_core_passes);
    tcase_add_loop_test_raise_signal(t, core_check__a_corrupted_core_trips_one, SIGABRT, 0, CORRUPTIONS);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
