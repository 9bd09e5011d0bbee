/* What a restart finds, what a stop leaves, what retention keeps, and a core to which memory is refused. */
#include "tests/support/core_owner.h"

#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "sidecar/core/answers.h"
#include "sidecar/core/core.h"
#include "sidecar/core/core_inside.h"

#include <check.h>
#include <stdio.h>

static struct owner o;

static void setup(void)
{
    owner_open(&o);
}

static void teardown(void)
{
    owner_close(&o);
}

/* Old sagas end while a newer one lives, so that recovery starts in the middle of their history. */
START_TEST(core_recovery__recovery_starts_at_the_oldest_live_saga)
{
    owner_submit_start(&o, 1, "one", "old");
    ck_assert_int_eq(owner_commit(&o), 0);
    for (int i = 0; i < 80; i++) {
        o.now.us += 1000;
        owner_submit_start(&o, 2, "one", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_told(&o);
    }
    /* Sagas 1 to 75 end, each in a frame behind the start of saga 81. */
    for (int i = 0; i < 75; i++) {
        owner_answer(&o, 0, "out");
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_told(&o);
    }
    for (int i = 0; i < 70; i++) {
        o.now.us += 1000;
        owner_submit_start(&o, 2, "one", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
        struct call_effect newest = o.calls[o.call_count - 1];
        memmove(o.calls + 1, o.calls, (o.call_count - 1) * sizeof newest);
        o.calls[0] = newest;
        owner_answer(&o, 0, "out");
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_told(&o);
    }
    struct instant latest = o.now;
    owner_crash(&o);
    struct store_state state;
    struct store *store;
    ck_assert_int_eq(memory_store_open(o.disk, &store, &state, &o.detail), 0);
    ck_assert_uint_gt(state.oldest_live_frame, 1);
    store->close(store);
    o.now.us -= 3600000000;
    ck_assert_int_eq(owner_start(&o), 0);
    ck_assert_uint_eq(engine_counts(core_engine(o.core)).live, 6);
    ck_assert_uint_eq(engine_after(core_engine(o.core), 0)->id.serial, 76);
    ck_assert_uint_eq(engine_serial(core_engine(o.core)), 151);
    ck_assert_int_eq(core_latest(o.core).us, latest.us);
    o.now = latest;
    owner_submit_start(&o, 3, "one", "old");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_ptr_nonnull(strstr(owner_told(&o), "reply 3 ok saga=1 repeated\n"));
}
END_TEST

START_TEST(core_recovery__a_record_that_cannot_follow_is_refused)
{
    uint8_t record[RECORD_OVERHEAD_MAX];
    struct record r = {.type = RECORD_ENDED,
                       .saga = {.tag = 1, .serial = 7},
                       .at = o.now,
                       .step = RECORD_NO_STEP,
                       .saga_state = SAGA_COMMITTED};
    size_t size = codec_encode(&r, 0, record);
    struct store_commit commit = {.frame = 1, .records = bytes_of(record, size)};
    ck_assert_int_eq(o.store->commit(o.store, &commit, &o.detail), 0);
    owner_crash(&o);
    ck_assert_int_eq(owner_start(&o), E_JOURNAL_CORRUPT);
    ck_assert_str_ne(o.detail.text, "");
}
END_TEST

/* Behind the first start that is looked at, what is about an older saga is its history; what is about a newer one that never began is damage. A saga
 * that was moved there starts nowhere: it may be younger than those. */
START_TEST(core_recovery__what_never_began_has_no_history)
{
    static const struct {
        uint64_t serial;
        int code;
        bool moved;
    } last[] = {{1, 0, false}, {3, E_JOURNAL_CORRUPT, false}, {1, 0, true}, {3, 0, true}, {2, 0, true}};
    const struct record records[] = {
        {.type = RECORD_STARTED, .saga.serial = 1, .mode = SAGA_ENLISTED},
        {.type = last[_i].moved ? RECORD_MOVED : RECORD_STARTED,
         .saga.serial = 2,
         .mode = SAGA_ENLISTED,
         .copies = last[_i].moved},
        {.type = RECORD_STARTED, .saga.serial = last[_i].moved ? 2 : 4, .mode = SAGA_ENLISTED},
        {.type = RECORD_PAUSED, .saga.serial = last[_i].serial},
    };
    for (unsigned i = 0; i < 4; i++) {
        uint8_t bytes[RECORD_OVERHEAD_MAX];
        struct record r = records[i];
        r.saga.tag = 0xabc;
        r.at = o.now;
        r.step = RECORD_NO_STEP;
        size_t size = codec_encode(&r, i < 3 ? 0 : 1, bytes);
        struct store_commit commit = {.epoch = o.core->epoch,
                                      .frame = i + 1,
                                      .records = bytes_of(bytes, size),
                                      .oldest_live_frame = i == 0 ? 0 : 2};
        ck_assert_int_eq(o.store->commit(o.store, &commit, &o.detail), 0);
    }
    owner_crash(&o);
    ck_assert_int_eq(owner_start(&o), last[_i].code);
    if (last[_i].code != 0)
        ck_assert_ptr_nonnull(strstr(o.detail.text, "without having started"));
    else
        ck_assert_int_eq(engine_find(core_engine(o.core), 2)->paused, last[_i].serial == 2);
}
END_TEST

START_TEST(core_recovery__a_graceful_stop_starts_nothing)
{
    owner_submit_start(&o, 1, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    core_hold(o.core);
    ck_assert_int_eq(core_expiry(o.core).us, INSTANT_NEVER.us);
    owner_answer(&o, 0, "out");
    owner_submit_start(&o, 2, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 2\nreply 2 ok saga=2\n");
    owner_restart(&o);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 3\ncall 1 b action #1\ncall 2 a action #1\n");
}
END_TEST

START_TEST(core_recovery__who_waits_for_a_full_journal_is_told_at_the_end)
{
    memory_disk_set_size(o.disk, 1);
    owner_submit_start(&o, 1, "one", NULL);
    owner_submit_start(&o, 2, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    core_abandon(o.core);
    ck_assert_str_eq(owner_told(&o), "reply 1 STOPPING\nreply 2 STOPPING\n"); /* and nobody is called */
    core_abandon(o.core);
    ck_assert_str_eq(owner_told(&o), "");
}
END_TEST

/* ---- retention ---- */

START_TEST(core_recovery__frames_of_a_live_saga_are_kept)
{
    bool more;
    struct bytes records;
    owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.now.us += 1000;
    owner_submit_start(&o, 2, "one", "late");
    ck_assert_int_eq(owner_commit(&o), 0);
    struct call_effect first = o.calls[0];
    o.calls[0] = o.calls[1];
    o.calls[1] = first;
    owner_answer(&o, 0, "out"); /* 2 ends, 1 lives */
    ck_assert_int_eq(owner_commit(&o), 0);
    o.now = instant_after(o.now, SPAN_S(7200));
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert_int_eq(o.store->read_frame(o.store, 1, &records, &o.detail), 0);
    struct ended_row row;
    ck_assert_int_eq(o.store->find_ended(o.store, 2, &row, &o.detail), E_SAGA_NOT_FOUND);
    owner_answer(&o, 0, "out");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &o.detail), 0);
    o.now = instant_after(o.now, SPAN_S(3601));
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert_int_eq(o.store->read_frame(o.store, 1, &records, &o.detail), E_CURSOR);
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &o.detail), E_SAGA_NOT_FOUND);
    owner_restart(&o);
    ck_assert_uint_eq(engine_serial(core_engine(o.core)), 2);
}
END_TEST

START_TEST(core_recovery__retention_goes_on_beside_what_is_pending)
{
    bool more;
    uint64_t operations = memory_disk_operations(o.disk);
    owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert(!more);
    ck_assert_uint_eq(memory_disk_operations(o.disk), operations + 1); /* it looked for what may go */
    ck_assert(core_pending(o.core));
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n");
}
END_TEST

/* Dropping writes too: a disk without room for it is told, and it may be tried again. */
START_TEST(core_recovery__retention_on_a_full_disk_may_be_tried_again)
{
    bool more = true;
    memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), E_JOURNAL_FULL);
    ck_assert(!more);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    memory_disk_fail(o.disk, 1, E_JOURNAL, false);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), E_JOURNAL);
}
END_TEST

static void start_with(size_t input_size)
{
    static const uint8_t input[65536];
    owner_submit(&o, (struct event){.type = EVENT_START,
                                    .token = 1,
                                    .input = bytes_of(input, input_size),
                                    .definition = catalog_at(o.catalog, 0)->definition});
    ck_assert_int_eq(owner_commit(&o), 0);
}

/* Whoever says after how many frames means that, however many sagas live. */
START_TEST(core_recovery__sagas_are_moved_after_as_many_frames_as_is_said)
{
    bool more;
    o.move_after = 4;
    owner_restart(&o);
    for (unsigned i = 1; i <= 5; i++) {
        start_with(10);
        uint64_t last = core_decided(o.core);
        if (i == 5) { /* one that cannot be read now is moved another time */
            memory_disk_fail(o.disk, 1, E_JOURNAL_AWAY, false);
            ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
            ck_assert_uint_le(engine_find(core_engine(o.core), 1)->first_position, last);
        }
        ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
        ck_assert_int_eq(engine_find(core_engine(o.core), 1)->first_position > last, i == 5);
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    o.told_size = 0;
}
END_TEST

/* Whole histories, in whatever order: a start finds of each what there was, once, and each goes on. Nothing is moved beside what was gathered and is
 * not committed. */
START_TEST(core_recovery__what_was_moved_comes_back_whole)
{
    static const uint64_t answered[] = {1, 4, 2};
    bool more = true;
    o.move_after = 4;
    owner_restart(&o);
    for (unsigned i = 0; i < 5; i++) {
        owner_submit_start(&o, 1, "two", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        for (size_t k = 0; k < o.call_count; k++)
            if (o.calls[k].saga.serial == answered[i]) {
                struct call_effect call = o.calls[k];
                o.calls[k] = o.calls[0];
                o.calls[0] = call;
                break;
            }
        owner_answer(&o, 0, "out");
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    core_audit(o.core, bytes_of_text("somebody did it"));
    uint64_t decided = core_decided(o.core);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert(!more);
    ck_assert_uint_eq(core_decided(o.core), decided);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 6; i++) { /* so that all of them are far behind */
            owner_submit_start(&o, 1, "one", NULL);
            ck_assert_int_eq(owner_commit(&o), 0);
        }
        do {
            ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
            ck_assert_int_eq(owner_commit(&o), 0);
        } while (more);
        uint64_t first[5];
        for (unsigned i = 0; i < 5; i++)
            first[i] = engine_find(core_engine(o.core), i + 1)->first_position;
        owner_restart(&o);
        ck_assert_uint_eq(engine_counts(core_engine(o.core)).live, 5 + 6 * (round + 1));
        for (unsigned i = 0; i < 5; i++) {
            const struct saga *s = engine_find(core_engine(o.core), i + 1);
            ck_assert_uint_eq(s->first_position, first[i]);
            ck_assert_int_eq(s->steps[0].action, i == 2 || i == 4 ? SAGA_ACTION_STARTED : SAGA_ACTION_DONE);
        }
        ck_assert_int_eq(owner_commit(&o), 0);
        o.told_size = 0;
    }
}
END_TEST

/* However much a commit may hold, a piece of this work does not last. */
START_TEST(core_recovery__a_piece_of_moving_has_an_end)
{
    bool more;
    o.move_after = 4;
    o.commit_bytes_max = 4 << 20;
    owner_restart(&o);
    for (unsigned i = 0; i < 10; i++)
        start_with(40000);
    uint64_t last = core_decided(o.core);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert(more && !core_batch_full(o.core));
    unsigned moved = 0;
    for (uint64_t serial = 1; serial <= 10; serial++)
        moved += engine_find(core_engine(o.core), serial)->first_position > last;
    ck_assert_uint_eq(moved, 2);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.told_size = 0;
}
END_TEST

/* Sagas that have still to take up where they were are something to do, though nothing has been gathered yet. */
START_TEST(core_recovery__a_start_is_not_over_before_all_go_on)
{
    unsigned commits = 0;
    for (unsigned i = 0; i < 120; i++)
        owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.commit_bytes_max = 512;
    owner_restart(&o);
    for (; core_pending(o.core); commits++) {
        ck_assert(!core_resuming(o.core) || (!core_waits(o.core) && core_expiry(o.core).us == INSTANT_NEVER.us));
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_uint_lt(commits, 120);
    }
    ck_assert_uint_gt(commits, 2);
    ck_assert(!core_resuming(o.core));
    o.told_size = 0;
}
END_TEST

/* Until then a saga is not fit for a request, which is told to come again; afterwards it is. */
START_TEST(core_recovery__a_start_takes_no_requests_before_all_go_on)
{
    static const uint8_t types[] = {EVENT_PAUSE, EVENT_CANCEL, EVENT_BREAKER, EVENT_BEGIN};
    for (unsigned i = 0; i < 120; i++)
        owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.commit_bytes_max = 512;
    owner_restart(&o);
    for (int over = 0; over < 2; over++) {
        while (over && core_resuming(o.core))
            ck_assert_int_eq(owner_commit(&o), 0);
        owner_told(&o);
        ck_assert_int_eq(core_resuming(o.core), !over);
        for (size_t i = 0; i < sizeof types; i++)
            owner_submit(&o, (struct event){.type = types[i],
                                            .token = 7,
                                            .saga = {.tag = 0xabc, .serial = 120},
                                            .name = bytes_of_text("t"),
                                            .actor = bytes_of_text("ann"),
                                            .reason = bytes_of_text("why"),
                                            .breaker_act = BREAKER_RESET});
        while (core_pending(o.core) && (over || o.told_size == 0))
            ck_assert_int_eq(owner_commit(&o), 0);
        const char *told = owner_told(&o);
        unsigned refused = 0, taken = 0;
        for (const char *at = told; (at = strstr(at, "reply 7 ")) != NULL; at++) {
            refused += strncmp(at, "reply 7 QUEUE_FULL", strlen("reply 7 QUEUE_FULL")) == 0;
            taken += strncmp(at, "reply 7 ok", strlen("reply 7 ok")) == 0;
        }
        ck_assert_msg(refused == (over ? 0 : sizeof types) && taken == (over ? sizeof types : 0), "%s", told);
    }
}
END_TEST

/* Two rows for one place are damage: neither is the last good answer. */
START_TEST(core_recovery__two_answers_for_one_place_are_damage)
{
    char row_name[ANSWER_NAME_SIZE];
    uint8_t value[256];
    static const char *const names[] = {"d/a\0/p.S/A\0k", "d/b\0/p.S/A\0k"};
    for (uint32_t i = 0; i < 2; i++) {
        const struct recalled one = {
            .slot = 3, .name = bytes_of(names[i], 13), .answer = bytes_of_text("x"), .given_at = o.now};
        struct subject_row row = answers_row(&one, row_name, value);
        row.name = bytes_of_text(i == 0 ? "3" : "03");
        ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_crash(&o);
    ck_assert_int_eq(owner_start(&o), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(o.detail.text, "two answers for one place"));
    o.core = NULL;
}
END_TEST

/* Where fewer are kept than there were the oldest are forgotten, whatever place they had. */
START_TEST(core_recovery__of_too_many_answers_the_latest_stay)
{
    static const int64_t given_ms[] = {3, 1, 5, 2, 4};
    struct recalled found;
    char name[] = "d/a\0/p.S/A\0k0";
    for (uint32_t i = 0; i < 5; i++) {
        char row_name[ANSWER_NAME_SIZE];
        uint8_t value[256];
        name[sizeof name - 2] = (char)('0' + i);
        const struct recalled one = {.slot = i,
                                     .name = bytes_of(name, sizeof name),
                                     .answer = bytes_of_text("x"),
                                     .given_at = instant_after(o.now, SPAN_MS(given_ms[i]))};
        const struct subject_row row = answers_row(&one, row_name, value);
        ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    o.answers_max = 3;
    owner_restart(&o);
    o.now = instant_after(o.now, SPAN_S(1));
    const struct recall *answers = engine_answers(core_engine(o.core));
    ck_assert_uint_eq(answers->count, 3);
    for (uint32_t i = 0; i < 5; i++) {
        name[sizeof name - 2] = (char)('0' + i);
        ck_assert_int_eq(recall_find(answers, bytes_of(name, sizeof name), SPAN_S(60), o.now, &found),
                         given_ms[i] >= 3);
    }
}
END_TEST

/* Those that a restart finds too old are forgotten a piece at a time, and the next piece is soon. */
START_TEST(core_recovery__answers_that_are_too_old_are_forgotten_in_pieces)
{
    enum { ANSWERS = 600, PIECE = 256 };
    o.answers_max = ANSWERS;
    for (uint32_t i = 0; i < ANSWERS; i++) {
        char row_name[ANSWER_NAME_SIZE], name[64];
        uint8_t value[256];
        int size = snprintf(name, sizeof name, "d/a%c/p.S/A%c%u", 0, 0, i);
        const struct recalled one = {.slot = i,
                                     .name = bytes_of(name, (size_t)size + 1),
                                     .answer = bytes_of_text("x"),
                                     .given_at = instant_after(o.now, SPAN_MS(i))};
        const struct subject_row row = answers_row(&one, row_name, value);
        ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_restart(&o);
    const struct recall *answers = engine_answers(core_engine(o.core));
    ck_assert_uint_eq(answers->count, ANSWERS);
    o.now = instant_after(o.now, SPAN_S(3601));
    for (unsigned left = ANSWERS; left > 0;) {
        left -= left < PIECE ? left : PIECE;
        owner_submit(&o, (struct event){.type = EVENT_TICK});
        ck_assert(core_pending(o.core) && !core_waits(o.core)); /* their rows are to go, too */
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert(!core_pending(o.core) && !core_waits(o.core));
        ck_assert_uint_eq(answers->count, left);
        ck_assert(left == 0 || !instant_before(instant_after(o.now, SPAN_S(1)), core_expiry(o.core)));
        o.now = instant_after(o.now, SPAN_S(1));
    }
}
END_TEST

static unsigned ended_pieces, audit_pieces;
static int drop_code;

static bool one_less(unsigned *pieces)
{
    *pieces -= *pieces > 0;
    return *pieces > 0;
}

static int drop_piece(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                      struct error_detail *detail)
{
    (void)s;
    (void)before;
    (void)keep_from;
    (void)work_max;
    (void)detail;
    *more = one_less(&ended_pieces);
    return drop_code;
}

static int drop_audit_piece(struct store *s, struct instant before, uint32_t work_max, bool *more,
                            struct error_detail *detail)
{
    (void)s;
    (void)work_max;
    (void)detail;
    ck_assert_int_eq(before.us, o.now.us - SPAN_S(60).us);
    *more = one_less(&audit_pieces);
    return 0;
}

/* What is old is dropped piece by piece, for as long as there is more of it: of sagas, or of the trail. */
START_TEST(core_recovery__retention_goes_on_until_all_is_short)
{
    o.audit_retention = SPAN_S(60);
    owner_restart(&o);
    o.store->drop = drop_piece;
    o.store->drop_audit = drop_audit_piece;
    for (unsigned k = 1; k <= 3; k++) {
        bool more = true;
        ended_pieces = k;
        audit_pieces = 4 - k;
        for (int i = 0; more && i < 9; i++)
            ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
        ck_assert(ended_pieces == 0 && audit_pieces == 0);
    }
    bool more;
    drop_code = E_JOURNAL; /* which what is dropped behind it does not hide */
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), E_JOURNAL);
}
END_TEST

static struct span unseen_for;
static unsigned claim_looks;
static bool more_claims;
static int claims_code;

static int look_at_claims(struct store *s, struct span unseen, bool (*lives)(void *self, struct bytes request_id),
                          void *self, uint32_t work_max, bool *more, struct error_detail *why)
{
    (void)s;
    (void)work_max;
    (void)why;
    unseen_for = unseen;
    claim_looks++;
    ck_assert(lives(self, bytes_of_text("live")));
    ck_assert(!lives(self, bytes_of_text("gone")) && !lives(self, bytes_of_text("")));
    ck_assert_int_eq(lives(self, bytes_of_text("waits")), o.core->parked_count > 0);
    *more = more_claims;
    return claims_code;
}

static bool behind(struct store *s)
{
    (void)s;
    return true;
}

/* A store that looks still for what may go is asked again, and not at once; what else is to go goes meanwhile. */
START_TEST(core_recovery__retention_waits_for_a_store_that_is_far)
{
    bool more = false;
    o.store->drop_claims = look_at_claims;
    owner_submit_start(&o, 1, "one", "live");
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_fail(o.disk, 1, STORE_PENDING, false);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), STORE_PENDING);
    ck_assert(more);
    ck_assert_uint_eq(claim_looks, 1);
    more_claims = true; /* for which nobody needs to wait */
    memory_disk_fail(o.disk, 1, STORE_PENDING, false);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert(more);
    more_claims = false;
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert(!more);
    o.store->is_behind = behind; /* there is more to move, for which nobody needs to wait either */
    memory_disk_fail(o.disk, 1, STORE_PENDING, false);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert(more);
    claims_code = E_JOURNAL; /* of more weight than that something else waits */
    memory_disk_fail(o.disk, 1, STORE_PENDING, false);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), E_JOURNAL);
    o.told_size = 0;
}
END_TEST

/* A claim stays while its saga lives, or waits to begin; and nobody looks while it is not known which do. */
START_TEST(core_recovery__claims_of_what_lives_are_kept)
{
    bool more;
    owner_submit_start(&o, 1, "one", "live");
    ck_assert_int_eq(owner_commit(&o), 0);
    o.store->drop_claims = look_at_claims;
    for (unsigned i = 0; i < 2; i++) {
        more_claims = i == 0;
        ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
        ck_assert_int_eq(more, more_claims);
        ck_assert_uint_eq(claim_looks, i + 1);
        ck_assert_int_eq(unseen_for.us, o.retention.us);
    }
    memory_disk_set_far(o.disk, true);
    owner_submit_start(&o, 2, "one", "waits");
    ck_assert_uint_eq(o.core->parked_count, 1);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert_uint_eq(claim_looks, 3);
    memory_disk_set_far(o.disk, false);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
    owner_submit_start(&o, 3, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert_uint_eq(claim_looks, 3);
    ck_assert_int_eq(owner_commit(&o), 0);
    for (unsigned i = 0; i < 60; i++)
        owner_submit_start(&o, 4, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.commit_bytes_max = 1024;
    owner_restart(&o);
    o.store->drop_claims = look_at_claims;
    ck_assert(core_resuming(o.core));
    ck_assert_int_eq(core_maintain(o.core, o.now, &more, &o.detail), 0);
    ck_assert_uint_eq(claim_looks, 3);
    o.told_size = 0;
}
END_TEST

/* ---- no memory ---- */

/* A refusal, an end and calls to a target that is gone, all in one batch. Returns whether all went well. */
static bool mixed_batch(void)
{
    int code = 0;
    struct event refused = {.type = EVENT_CANCEL, .now = o.now, .token = 1, .saga = {.tag = 5, .serial = 99}};
    for (int i = 0; code == 0 && i < 70; i++) {
        struct event start = {
            .type = EVENT_START, .now = o.now, .token = 2, .definition = catalog_at(o.catalog, i % 2 == 0)->definition};
        code = core_submit(o.core, &refused, &o.detail);
        if (code == 0)
            code = core_submit(o.core, &start, &o.detail);
        if (i == 40 && code == 0)
            code = owner_commit(&o);
        o.call_count = 0;
    }
    if (code == 0)
        code = owner_commit(&o);
    if (code == 0)
        code = owner_commit(&o);
    ck_assert_msg(code == 0 || code == E_MEMORY, "%d", code);
    core_abandon(o.core);
    return code == 0;
}

START_TEST(core_recovery__every_allocation_may_be_refused)
{
    o.targets[0] = "u"; /* "t", which every definition begins with, is gone */
    o.targets[1] = NULL;
    for (uint64_t n = 1;; n++) {
        owner_crash(&o);
        memory_disk_destroy(o.disk);
        o.disk = memory_disk_create();
        o.targets[0] = "t";
        o.targets[1] = "u";
        ck_assert_int_eq(owner_start(&o), 0);
        ck_assert_int_eq(owner_register(&o, owner_one_step), 0);
        ck_assert_int_eq(owner_register(&o, owner_two_steps), 0);
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_crash(&o);
        o.targets[0] = "u";
        o.targets[1] = NULL;
        o.allocations = 0;
        o.fail_at = n;
        int code = owner_start(&o);
        ck_assert(code == 0 || code == E_MEMORY);
        if (code != 0)
            o.core = NULL;
        bool good = code == 0 && mixed_batch();
        bool reached = o.allocations >= n;
        o.fail_at = 0;
        if (code == 0) {
            owner_crash(&o);
            ck_assert_int_eq(owner_start(&o), 0);
        }
        if (!reached) {
            ck_assert(good);
            break;
        }
        ck_assert_uint_lt(n, 10000);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_recovery");
    TCase *t = tcase_create("core_recovery");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, core_recovery__recovery_starts_at_the_oldest_live_saga);
    tcase_add_test(t, core_recovery__a_record_that_cannot_follow_is_refused);
    tcase_add_loop_test(t, core_recovery__what_never_began_has_no_history, 0, 5);
    tcase_add_test(t, core_recovery__a_graceful_stop_starts_nothing);
    tcase_add_test(t, core_recovery__who_waits_for_a_full_journal_is_told_at_the_end);
    tcase_add_test(t, core_recovery__frames_of_a_live_saga_are_kept);
    tcase_add_test(t, core_recovery__retention_goes_on_beside_what_is_pending);
    tcase_add_test(t, core_recovery__retention_on_a_full_disk_may_be_tried_again);
    tcase_add_test(t, core_recovery__sagas_are_moved_after_as_many_frames_as_is_said);
    tcase_add_test(t, core_recovery__what_was_moved_comes_back_whole);
    tcase_add_test(t, core_recovery__a_piece_of_moving_has_an_end);
    tcase_add_test(t, core_recovery__of_too_many_answers_the_latest_stay);
    tcase_add_test(t, core_recovery__answers_that_are_too_old_are_forgotten_in_pieces);
    tcase_add_test(t, core_recovery__retention_goes_on_until_all_is_short);
    tcase_add_test(t, core_recovery__a_start_is_not_over_before_all_go_on);
    tcase_add_test(t, core_recovery__a_start_takes_no_requests_before_all_go_on);
    tcase_add_test(t, core_recovery__two_answers_for_one_place_are_damage);
    tcase_add_test(t, core_recovery__claims_of_what_lives_are_kept);
    tcase_add_test(t, core_recovery__retention_waits_for_a_store_that_is_far);
    tcase_add_test(t, core_recovery__every_allocation_may_be_refused);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
