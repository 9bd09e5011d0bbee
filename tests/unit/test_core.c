/* The batch: nothing is let out before it is durable, whatever the store does. */
#include "tests/support/core_owner.h"

#include "sidecar/engine/saga.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/core/answers.h"
#include "sidecar/core/breakers.h"
#include "sidecar/core/core.h"

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

static const struct saga *live(uint64_t serial)
{
    return engine_find(core_engine(o.core), serial);
}

/* ---- I1 ---- */

START_TEST(core__nothing_leaves_before_the_commit)
{
    owner_submit_start(&o, 1, "one", "r1");
    ck_assert_str_eq(owner_told(&o), "");
    ck_assert(core_pending(o.core));
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n");
    ck_assert(!core_pending(o.core));
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "");
}
END_TEST

START_TEST(core__what_has_piled_up_is_one_frame)
{
    for (uint64_t token = 1; token <= 3; token++)
        owner_submit_start(&o, token, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\nreply 2 ok saga=2\n"
                                     "call 2 a action #1\nreply 3 ok saga=3\ncall 3 a action #1\n");
    for (int i = 0; i < 3; i++)
        owner_answer(&o, 0, "out");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 2\n");
    ck_assert_ptr_null(live(1));
}
END_TEST

/* Nor is anybody told of a breaker before its mark is durable; and it is so after a crash. */
START_TEST(core__a_breaker_is_told_of_when_it_is_durable)
{
    static const struct {
        uint8_t act;
        const char *told;
    } acts[] = {{BREAKER_HOLD, "breaker t open\nreply 1 ok saga=0\n"},
                {BREAKER_RESET, "breaker t closed\nreply 1 ok saga=0\n"}};
    for (unsigned i = 0; i < 2; i++) {
        owner_submit(&o, (struct event){.type = EVENT_BREAKER,
                                        .token = 1,
                                        .name = bytes_of_text("t"),
                                        .actor = bytes_of_text("ann"),
                                        .reason = bytes_of_text("why"),
                                        .breaker_act = acts[i].act});
        memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
        ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
        ck_assert_str_eq(owner_told(&o), "");
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_str_eq(owner_told(&o), acts[i].told);
        owner_restart(&o);
        ck_assert_int_eq(engine_breaker(core_engine(o.core), 0)->held, i == 0);
        ck_assert(!engine_breaker(core_engine(o.core), 1)->open);
    }
}
END_TEST

/* An answer that tells nothing new of the journal waits all the same for what was decided before it. */
START_TEST(core__a_refusal_keeps_its_place)
{
    owner_submit_start(&o, 1, "one", NULL);
    owner_submit(&o, (struct event){.type = EVENT_CANCEL, .token = 2, .saga = {.tag = 5, .serial = 99}});
    ck_assert_str_eq(owner_told(&o), "");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\nreply 2 SAGA_NOT_FOUND\n");
}
END_TEST

START_TEST(core__a_commit_that_fails_lets_nothing_out)
{
    for (int landed = 0; landed <= 1; landed++) {
        owner_submit_start(&o, 1, "one", NULL);
        memory_disk_fail(o.disk, 1, E_JOURNAL, landed);
        ck_assert_int_eq(owner_commit(&o), E_JOURNAL);
        ck_assert_str_eq(owner_told(&o), "");
        owner_restart(&o);
        ck_assert_int_eq(live(1) != NULL, landed);
        ck_assert_int_eq(owner_commit(&o), 0);
        /* Whether it left is not known: the attempt is the next one. */
        ck_assert_str_eq(owner_told(&o), landed ? "durable 2\n" : "");
    }
}
END_TEST

START_TEST(core__a_batch_says_when_it_is_full)
{
    uint8_t payload[4000] = {0};
    int events = 0;
    for (; !core_batch_full(o.core); events++)
        owner_submit(&o, (struct event){.type = EVENT_START,
                                        .token = 1,
                                        .input = bytes_of(payload, sizeof payload),
                                        .definition = catalog_at(o.catalog, 0)->definition});
    ck_assert_int_ge(events, 65536 / 4200);
    ck_assert_int_le(events, 65536 / 4000 + 1);
    o.told_size = 0;
}
END_TEST

/* Time goes on from the latest that the journal knows, though the clock was set back meanwhile. */
START_TEST(core__the_latest_time_is_that_of_all_records)
{
    struct instant before = o.now, latest = instant_after(o.now, SPAN_S(50));
    o.now = latest;
    owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.now = before;
    owner_submit_start(&o, 2, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_restart(&o);
    ck_assert_int_eq(core_latest(o.core).us, latest.us);
    o.told_size = 0;
}
END_TEST

/* Rows that are no saga's: what comes back, and what was never written so. */
START_TEST(core__rows_of_breakers_and_answers_come_back)
{
    static uint8_t value[4096], text[RECALL_NAME_BYTES_MAX];
    char name[ANSWER_NAME_SIZE];
    const struct breaker_mark mark = {.open = true,
                                      .held = true,
                                      .openings = UINT32_MAX,
                                      .opened_at = {.us = INT64_MAX - 1},
                                      .open_until = {.us = INT64_MAX}};
    struct breaker_mark got;
    struct subject_row row = breakers_row("t", &mark, value);
    ck_assert_int_eq(breakers_read(&row, &got, &o.detail), 0);
    ck_assert(got.open && got.held && got.openings == UINT32_MAX);
    ck_assert_int_eq(got.opened_at.us, INT64_MAX - 1);
    ck_assert_int_eq(got.open_until.us, INT64_MAX);
    value[0] = 0; /* closed, and opened in a row */
    ck_assert_int_eq(breakers_read(&row, &got, &o.detail), E_JOURNAL_CORRUPT);
    const struct breaker_mark closed = {.opened_at = {.us = 1}};
    row = breakers_row("t", &closed, value);
    ck_assert_int_eq(breakers_read(&row, &got, &o.detail), 0);
    value[0] = 2; /* held, and not open */
    ck_assert_int_eq(breakers_read(&row, &got, &o.detail), E_JOURNAL_CORRUPT);

    const struct recalled one = {
        .slot = 99, .name = bytes_of(text, sizeof text), .answer = bytes_of_text("an answer"), .given_at = {.us = -5}};
    struct recalled back;
    ck_assert_uint_le(answers_value_size(&one), sizeof value);
    row = answers_row(&one, name, value);
    ck_assert_int_eq(answers_read(&row, &back, &o.detail), 0);
    ck_assert(back.slot == 99 && back.given_at.us == -5);
    ck_assert(bytes_equal(back.name, one.name) && bytes_equal(back.answer, one.answer));
}
END_TEST

/* Whatever it is that fills it. */
START_TEST(core__rows_and_entries_of_the_audit_trail_fill_a_batch_too)
{
    static const uint8_t bytes[4096];
    const struct subject_row row = {
        .kind = SUBJECT_TAG, .name = bytes_of_text("n"), .version = 1, .value = {bytes, 4096}};
    unsigned rows = 0, entries = 0;
    for (; !core_batch_full(o.core); rows++)
        ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    ck_assert_uint_eq(rows, 65536 / 4096);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert(!core_batch_full(o.core));
    for (; !core_batch_full(o.core); entries++)
        core_audit(o.core, bytes_of(bytes, 4096));
    ck_assert_uint_eq(entries, 65536 / 4096);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.told_size = 0;
}
END_TEST

/* Last good answers are rows of the batch beside its records. */
START_TEST(core__answers_that_are_kept_fill_a_batch_too)
{
    static char answer[4001];
    char yaml[256];
    unsigned count = 0;
    memset(answer, 'x', sizeof answer - 1);
    for (unsigned i = 0; i < 12; i++) {
        snprintf(yaml, sizeof yaml,
                 "name: d%u\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none, "
                 "fallback: {last_good: {key: all, max_age: 1m}}}\n",
                 i);
        ck_assert_int_eq(owner_register(&o, yaml), 0);
        yaml[strcspn(yaml, "\n")] = '\0';
        owner_submit_start(&o, i + 1, yaml + strlen("name: "), NULL);
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(o.call_count, 12);
    for (; !core_batch_full(o.core) && count < 12; count++)
        owner_answer(&o, 0, answer);
    /* Each is in a record and in a row, beside that of a saga that ends. */
    ck_assert_uint_ge(count, 65536 / 12400);
    ck_assert_uint_le(count, 65536 / 12000 + 1);
    owner_told(&o);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert(!core_batch_full(o.core) && !core_pending(o.core));
    owner_told(&o);
    /* One that changes without a record is to be kept all the same. */
    ck_assert_int_eq(core_forget_answer(o.core, bytes_of_text("d0/a"), bytes_of_text("all"), 0, &o.detail), 0);
    ck_assert(core_pending(o.core));
    o.told_size = 0;
}
END_TEST

/* They are found by whose they are: a definition's step, or a name that several share. */
START_TEST(core__answers_are_forgotten_by_whose_they_are)
{
    static const char *const names[] = {"own/a", "shared"};
    const struct recall *answers = engine_answers(core_engine(o.core));
    for (int shared = 0; shared < 2; shared++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml,
                 "name: own\nversion: 1.%d.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none, "
                 "fallback: {last_good: {key: all, max_age: 1m%s}}}\n",
                 shared, shared ? ", name: shared" : "");
        ck_assert_int_eq(owner_register(&o, yaml), 0);
        owner_submit_start(&o, 1, "own", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_answer(&o, 0, "good");
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_uint_eq(answers->count, 1);
        static const char *const others[] = {"own", "shared/", "own/b", "share"};
        for (int i = 0; i < 6; i++) {
            const char *name = i < 4 ? others[i] : names[i == 5 ? shared : !shared];
            const char *key = "all";
            ck_assert_int_eq(core_forget_answer(o.core, bytes_of_text(name), bytes_of_text(key), 0, &o.detail), 0);
            ck_assert_msg(answers->count == (i < 5), "%s", name);
        }
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    owner_restart(&o); /* what is left of it in the journal is no answer */
    ck_assert_uint_eq(engine_answers(core_engine(o.core))->count, 0);
    o.told_size = 0;
}
END_TEST

/* Only what takes the last good answer tells when that was given. */
START_TEST(core__a_call_is_answered_now)
{
    owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    struct record r = {.type = RECORD_ACTION_ENDED,
                       .at = o.now,
                       .saga = live(1)->id,
                       .attempt = 1,
                       .action_state = SAGA_ACTION_DONE,
                       .given_at = {.us = 1}};
    struct engine *e = (struct engine *)(uintptr_t)core_engine(o.core);
    ck_assert_int_eq(engine_replay(e, &r, NULL, &o.detail), E_JOURNAL_CORRUPT);
    r.given_at.us = 0;
    ck_assert_int_eq(engine_replay(e, &r, NULL, &o.detail), 0);
    o.told_size = 0;
}
END_TEST

/* ---- a full journal ---- */

START_TEST(core__while_the_journal_is_full_everything_waits)
{
    memory_disk_set_size(o.disk, 1);
    owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    ck_assert_str_eq(owner_told(&o), "");
    ck_assert(core_pending(o.core) && core_waits(o.core)); /* it is tried again a little later */
    ck_assert_int_eq(core_full_since(o.core).us, o.now.us);
    ck_assert_int_eq(core_expiry(o.core).us, INSTANT_NEVER.us);
    /* New requests are refused at the next try. */
    owner_submit_start(&o, 2, "one", NULL);
    o.now.us += 1000;
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    ck_assert_str_eq(owner_told(&o), "reply 2 JOURNAL_FULL\n");
    ck_assert_int_eq(owner_register(&o, owner_one_step), E_JOURNAL_FULL);
    ck_assert_int_eq(core_full_since(o.core).us, o.now.us - 1000);
    memory_disk_set_size(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 ok saga=1\ncall 1 a action #1\n");
    ck_assert_int_eq(core_full_since(o.core).us, 0);
}
END_TEST

/* What is told of it meanwhile: since when it is full, and that it is not merely tight; and nothing is forgotten that would not be kept. */
START_TEST(core__a_full_journal_tells_since_when)
{
    struct error_detail detail;
    memory_disk_set_tight(o.disk, true);
    ck_assert(core_is_tight(o.core));
    ck_assert_int_eq(core_may_add(o.core, &detail), E_JOURNAL_FULL);
    ck_assert_int_eq(core_full_since(o.core).us, 0);
    memory_disk_set_tight(o.disk, false);
    ck_assert_int_eq(core_may_add(o.core, &detail), 0);
    owner_submit_start(&o, 1, "one", NULL);
    memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    struct instant began = o.now;
    ck_assert_int_eq(core_full_since(o.core).us, began.us);
    memory_disk_set_tight(o.disk, true);
    ck_assert(!core_is_tight(o.core));
    ck_assert_int_eq(core_forget_answer(o.core, bytes_of_text("one/a"), bytes_of_text("k"), 2, &detail),
                     E_JOURNAL_FULL);
    ck_assert_int_eq(core_may_add(o.core, &detail), E_JOURNAL_FULL);
    o.now = instant_after(o.now, SPAN_S(9));
    memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    ck_assert_int_eq(core_full_since(o.core).us, began.us);
    memory_disk_set_tight(o.disk, false);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(core_full_since(o.core).us, 0);
    /* One that is away is not full. */
    memory_disk_set_far(o.disk, true);
    owner_submit_start(&o, 3, "one", NULL);
    memory_disk_arrive(o.disk, STORE_PENDING);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_arrive(o.disk, STORE_AMBIGUOUS);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_AWAY);
    ck_assert_int_eq(core_full_since(o.core).us, 0);
    o.told_size = 0;
}
END_TEST

START_TEST(core__answers_are_taken_in_while_the_journal_is_full)
{
    owner_submit_start(&o, 1, "two", NULL);
    owner_submit_start(&o, 2, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    memory_disk_set_size(o.disk, 1);
    owner_answer(&o, 0, "first");
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    owner_answer(&o, 0, "second");
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    ck_assert_str_eq(owner_told(&o), "");
    memory_disk_set_size(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 2\ncall 1 b action #1\ncall 2 b action #1\n");
    owner_restart(&o);
    ck_assert_uint_eq(live(1)->steps[0].action, SAGA_ACTION_DONE);
    ck_assert_uint_eq(live(2)->steps[0].action, SAGA_ACTION_DONE);
}
END_TEST

/* ---- what only the store knows ---- */

START_TEST(core__a_request_id_is_known_after_the_end)
{
    owner_submit_start(&o, 1, "one", "r1");
    owner_finish_all(&o);
    owner_restart(&o);
    owner_submit_start(&o, 2, "one", "r1");
    owner_submit_start(&o, 3, "two", "r1");
    owner_submit_start(&o, 4, "one", "r2");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o),
                     "durable 3\nreply 2 ok saga=1 repeated\nreply 3 REQUEST_ID_REUSED\nreply 4 ok saga=2\n"
                     "call 2 a action #1\n");
}
END_TEST

static void begin(uint64_t token, const char *request_id, bool enlists)
{
    static const struct enlistment step = {.step = {(const uint8_t *)"s", 1}};
    owner_submit(&o, (struct event){.type = EVENT_BEGIN,
                                    .token = token,
                                    .name = bytes_of_text("shop"),
                                    .request_id = bytes_of_text(request_id),
                                    .enlist = &step,
                                    .enlist_count = enlists});
}

/* To say yes to a repeated enlistment would be to ask the owner to act for a saga that has ended. */
START_TEST(core__a_repeated_begin_that_enlists_is_refused_after_the_end)
{
    begin(1, "b1", true);
    begin(2, "b2", false);
    ck_assert_int_eq(owner_commit(&o), 0);
    for (uint64_t serial = 1; serial <= 2; serial++)
        owner_submit(&o, (struct event){.type = EVENT_ABORT, .token = 3, .saga = {.tag = 0xabc, .serial = serial}});
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    begin(4, "b1", true);
    begin(5, "b2", false);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "reply 4 SAGA_ENDED\nreply 5 ok saga=2 repeated\n");
}
END_TEST

/* Every part of a request tells it from another one under the same id; what may differ between two tries of one does
 * not. */
START_TEST(core__another_request_under_the_same_id_is_refused)
{
    static const struct enlistment undos[] = {
        {.step = {(const uint8_t *)"s", 1},
         .has_compensation = true,
         .compensation = {.target = "t", .method = "/a.B/Undo"}},
        {.step = {(const uint8_t *)"s", 1},
         .has_compensation = true,
         .compensation = {.target = "u", .method = "/a.B/Undo"}},
        {.step = {(const uint8_t *)"s", 1}},
    };
    struct event first = {.type = EVENT_BEGIN,
                          .token = 1,
                          .name = bytes_of_text("shop"),
                          .request_id = bytes_of_text("b1"),
                          .lease = SPAN_S(5),
                          .enlist = &undos[0],
                          .enlist_count = 1};
    owner_submit(&o, first);
    struct event same = first, other_lease = first, other_undo = first, no_undo = first;
    same.token = 2;
    same.traceparent = bytes_of_text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    other_lease.token = 3;
    other_lease.lease = SPAN_S(6);
    other_undo.token = 4;
    other_undo.enlist = &undos[1];
    no_undo.token = 5;
    no_undo.enlist = &undos[2];
    owner_submit(&o, same);
    owner_submit(&o, other_lease);
    owner_submit(&o, other_undo);
    owner_submit(&o, no_undo);
    owner_submit_start(&o, 6, "one", "s1");
    const struct definition *one = catalog_find(o.catalog, bytes_of_text("one"), bytes_of(NULL, 0))->definition;
    owner_submit(&o, (struct event){.type = EVENT_START,
                                    .token = 7,
                                    .definition = one,
                                    .request_id = bytes_of_text("s1"),
                                    .version = bytes_of_text("9.9.9")});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o),
                     "durable 1\nreply 1 ok saga=1\nreply 2 ok saga=1 repeated\nreply 3 REQUEST_ID_REUSED\n"
                     "reply 4 REQUEST_ID_REUSED\nreply 5 REQUEST_ID_REUSED\nreply 6 ok saga=2\ncall 2 a action #1\n"
                     "reply 7 REQUEST_ID_REUSED\n");
}
END_TEST

static int behind;
static bool is_behind(struct store *s)
{
    (void)s;
    return behind > 0;
}
static int (*commit_behind)(struct store *s, const struct store_commit *commit, struct error_detail *detail);
static int count_commit(struct store *s, const struct store_commit *commit, struct error_detail *detail)
{
    behind--;
    return commit_behind(s, commit, detail);
}

/* A store that has rows of its own to bring is given commits to bring them with, though nothing else happens. */
START_TEST(core__a_store_that_is_behind_is_given_commits)
{
    struct error_detail why;
    bool more = true;
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    commit_behind = o.store->commit;
    o.store->commit = count_commit;
    o.store->is_behind = is_behind;
    behind = 3;
    unsigned pieces = 0;
    for (; more && pieces < 10; pieces++) {
        ck_assert_int_eq(core_maintain(o.core, o.now, &more, &why), 0);
        ck_assert_int_eq(core_pending(o.core), more);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    ck_assert_int_eq(behind, 0);
    ck_assert_uint_eq(pieces, 4);
    ck_assert_str_eq(owner_told(&o), "");
}
END_TEST

static unsigned pieces_left[3]; /* of what has ended, of the trail, and of claims */

static int drop_piece(unsigned which, bool *more)
{
    pieces_left[which] -= pieces_left[which] > 0;
    *more = pieces_left[which] > 0;
    return 0;
}

static int drop_ended(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                      struct error_detail *why)
{
    (void)s, (void)before, (void)keep_from, (void)work_max, (void)why;
    return drop_piece(0, more);
}

static int drop_trail(struct store *s, struct instant before, uint32_t work_max, bool *more, struct error_detail *why)
{
    (void)s, (void)before, (void)work_max, (void)why;
    return drop_piece(1, more);
}

static int drop_claims(struct store *s, struct span unseen, bool (*lives)(void *self, struct bytes request_id),
                       void *self, uint32_t work_max, bool *more, struct error_detail *why)
{
    (void)s, (void)unseen, (void)lives, (void)self, (void)work_max, (void)why;
    return drop_piece(2, more);
}

/* As long as there is more of anything that is old, there is one more piece. */
START_TEST(core__maintenance_goes_on_until_nothing_is_left)
{
    struct error_detail why;
    o.audit_retention = SPAN_S(60);
    owner_restart(&o);
    o.store->drop = drop_ended;
    o.store->drop_audit = drop_trail;
    o.store->drop_claims = drop_claims;
    for (unsigned most = 0; most < 3; most++) {
        bool more = true;
        unsigned pieces = 0;
        for (unsigned i = 0; i < 3; i++)
            pieces_left[i] = i == most ? 3 : 1;
        for (; more && pieces < 10; pieces++)
            ck_assert_int_eq(core_maintain(o.core, o.now, &more, &why), 0);
        ck_assert_uint_eq(pieces, 3);
    }
}
END_TEST

/* An owner cannot renew its lease while the journal is full: nobody's saga is undone for that. */
START_TEST(core__leases_start_anew_when_there_is_room)
{
    owner_submit(&o,
                 (struct event){.type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("shop"), .lease = SPAN_S(5)});
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_set_size(o.disk, 1);
    owner_submit_start(&o, 2, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    o.now.us += SPAN_S(60).us;
    memory_disk_set_size(o.disk, 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_submit(&o, (struct event){.type = EVENT_TICK});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(live(1)->state, SAGA_RUNNING);
    o.now.us += SPAN_S(5).us;
    owner_submit(&o, (struct event){.type = EVENT_TICK});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_ptr_null(live(1));
}
END_TEST

static void ask(uint64_t token, uint8_t type, uint64_t serial, uint64_t tag)
{
    owner_submit(&o, (struct event){.type = type,
                                    .token = token,
                                    .saga = {.tag = tag, .serial = serial},
                                    .actor = bytes_of_text("me"),
                                    .reason = bytes_of_text("why")});
}

START_TEST(core__a_saga_that_has_ended_answers_what_it_said_before)
{
    begin(1, "", false);                    /* 1: committed */
    begin(1, "", false);                    /* 2: aborted */
    owner_submit_start(&o, 1, "one", NULL); /* 3: committed */
    owner_submit_start(&o, 1, "one", NULL); /* 4: cancelled */
    ck_assert_int_eq(owner_commit(&o), 0);
    ask(2, EVENT_COMMIT, 1, 0xabc);
    ask(2, EVENT_ABORT, 2, 0xabc);
    ask(2, EVENT_CANCEL, 4, 0xabc);
    owner_finish_all(&o);
    ck_assert_uint_eq(engine_counts(core_engine(o.core)).live, 0);
    owner_told(&o);
    for (uint64_t serial = 1; serial <= 4; serial++) {
        ask(10 * serial, EVENT_COMMIT, serial, 0xabc);
        ask(10 * serial + 1, EVENT_ABORT, serial, 0xabc);
        ask(10 * serial + 2, EVENT_CANCEL, serial, 0xabc);
        ask(10 * serial + 3, EVENT_PAUSE, serial, 0xabc);
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(
        owner_told(&o),
        "reply 10 ok saga=1 repeated\nreply 11 SAGA_ENDED\nreply 12 SAGA_ENDED\nreply 13 SAGA_ENDED\n"
        "reply 20 SAGA_ENDED\nreply 21 ok saga=2 repeated\nreply 22 ok saga=2 repeated\nreply 23 SAGA_ENDED\n"
        "reply 30 SAGA_ENDED\nreply 31 SAGA_ENDED\nreply 32 SAGA_ENDED\nreply 33 SAGA_ENDED\n"
        "reply 40 SAGA_ENDED\nreply 41 SAGA_ENDED\nreply 42 ok saga=4 repeated\nreply 43 SAGA_ENDED\n");
    /* The serial alone is not the saga. */
    ask(50, EVENT_COMMIT, 1, 0xabd);
    ask(51, EVENT_COMMIT, 5, 0xabc);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "reply 50 SAGA_NOT_FOUND\nreply 51 SAGA_NOT_FOUND\n");
}
END_TEST

START_TEST(core__a_store_that_cannot_be_read_stops_the_owner)
{
    struct event event = {.type = EVENT_CANCEL, .now = o.now, .token = 1, .saga = {.tag = 1, .serial = 9}};
    memory_disk_fail(o.disk, 1, E_JOURNAL, false);
    ck_assert_int_eq(core_submit(o.core, &event, &o.detail), E_JOURNAL);
}
END_TEST

START_TEST(core__a_damaged_row_is_told_to_whoever_asks_for_it)
{
    memory_disk_fail(o.disk, 1, E_JOURNAL_CORRUPT, false);
    owner_submit(&o, (struct event){.type = EVENT_CANCEL, .token = 1, .saga = {.tag = 1, .serial = 9}});
    memory_disk_fail(o.disk, 1, E_JOURNAL_CORRUPT, false);
    owner_submit_start(&o, 2, "one", "r-1");
    owner_submit_start(&o, 3, "one", "r-2");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_str_eq(owner_told(&o), "durable 1\nreply 1 JOURNAL_CORRUPT\nreply 2 JOURNAL_CORRUPT\n"
                                     "reply 3 ok saga=1\ncall 1 a action #1\n");
}
END_TEST

/* ---- definitions ---- */

START_TEST(core__a_definition_and_its_first_saga_share_a_commit)
{
    ck_assert_int_eq(
        owner_register(&o, "name: new\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n"), 0);
    owner_submit_start(&o, 1, "new", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_restart(&o);
    ck_assert_str_eq(live(1)->definition->name, "new");
    ck_assert_uint_eq(live(1)->definition->number, 3);
}
END_TEST

START_TEST(core__a_definition_that_is_not_durable_is_gone_after_a_crash)
{
    ck_assert_int_eq(
        owner_register(&o, "name: new\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n"), 0);
    owner_restart(&o);
    ck_assert_uint_eq(catalog_count(o.catalog), 2);
}
END_TEST

START_TEST(core__a_definition_with_an_unknown_target_is_refused)
{
    ck_assert_int_eq(
        owner_register(&o, "name: new\nversion: 1.0.0\nsteps:\n  - {name: a, target: x, action: /p.S/A}\n"),
        E_TARGET_NOT_FOUND);
    ck_assert_uint_eq(catalog_count(o.catalog), 2);
    /* Of several the first is told. */
    ck_assert_int_eq(
        owner_register(&o, "name: new\nversion: 1.0.0\nsteps:\n"
                           "  - {name: a, target: x, action: /p.S/A, compensation: {target: y, method: /p.S/U}}\n"
                           "  - {name: b, target: z, action: /p.S/B}\n"),
        E_TARGET_NOT_FOUND);
    ck_assert_str_eq(o.detail.field, "action.target");
    ck_assert_ptr_nonnull(strstr(o.detail.text, "step a: "));
    ck_assert_ptr_nonnull(strstr(o.detail.text, "no target x"));
    ck_assert_int_eq(
        owner_register(&o, "name: new\nversion: 1.0.0\nsteps:\n"
                           "  - {name: a, target: t, action: /p.S/A, compensation: {target: y, method: /p.S/U}}\n"
                           "  - {name: b, target: z, action: /p.S/B, compensation: {target: x, method: /p.S/U}}\n"),
        E_TARGET_NOT_FOUND);
    ck_assert_str_eq(o.detail.field, "compensation.target");
    ck_assert_ptr_nonnull(strstr(o.detail.text, "no target y"));
    ck_assert(!core_pending(o.core));
}
END_TEST

/* A bound that is configured holds from the start, for the sagas that were there, too. */
START_TEST(core__a_definition_is_bounded_from_the_start)
{
    owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.limit = (struct definition_bound){.definition = "one", .options = {.live_max = 2}};
    owner_restart(&o);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    for (uint64_t token = 2; token <= 3; token++)
        owner_submit_start(&o, token, "one", NULL);
    owner_submit_start(&o, 4, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    const char *told = owner_told(&o);
    ck_assert_msg(strstr(told, "reply 2 ok") != NULL && strstr(told, "reply 3 DEFINITION_LIMIT\n") != NULL &&
                      strstr(told, "reply 4 ok") != NULL,
                  "%s", told);
}
END_TEST

/* ---- a target that is gone ---- */

START_TEST(core__a_call_to_a_target_that_is_gone_waits_for_it)
{
    const char *name = o.targets[1];
    owner_submit_start(&o, 1, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 0, "out");
    ck_assert_int_eq(owner_commit(&o), 0);
    o.targets[1] = NULL;
    owner_restart(&o);
    uint64_t frame = core_durable(o.core);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(owner_commit(&o), 0);
        o.now = instant_max(o.now, core_expiry(o.core).us == INSTANT_NEVER.us ? o.now : core_expiry(o.core));
        owner_submit(&o, (struct event){.type = EVENT_TICK});
    }
    ck_assert_uint_eq(o.call_count, 0);
    ck_assert_ptr_nonnull(live(1));
    ck_assert_uint_eq(live(1)->state, SAGA_RUNNING);
    ck_assert_uint_le(core_durable(o.core),
                      frame + 1); /* it writes nothing while it waits, but that the crash took an attempt */
    /* No other is begun meanwhile, and this one goes on when the target is back. */
    owner_submit_start(&o, 2, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    const char *told = owner_told(&o);
    ck_assert_msg(strstr(told, "TARGET_NOT_FOUND") != NULL, "%s", told);
    if (_i == 0) {
        o.targets[1] = name;
        owner_restart(&o);
    } else { /* a reload */
        const struct target_options again = {.name = name, .timeout = SPAN_S(2), .max_concurrent_calls = 16};
        int index = core_set_target(o.core, &again);
        ck_assert_int_ge(index, 0);
        owner_submit(&o, (struct event){.type = EVENT_TARGET, .target = (uint16_t)index});
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(o.call_count, 1);
}
END_TEST

/* Nobody else need know the target: held, it is held when the configuration has it again. */
START_TEST(core__a_breaker_outlives_its_target)
{
    const struct target_options late = {.name = "late", .timeout = SPAN_S(2), .max_concurrent_calls = 1};
    o.targets[2] = "late";
    owner_restart(&o);
    owner_submit(&o, (struct event){.type = EVENT_BREAKER,
                                    .name = bytes_of_text("late"),
                                    .actor = bytes_of_text("ann"),
                                    .reason = bytes_of_text("why"),
                                    .breaker_act = BREAKER_HOLD});
    ck_assert_int_eq(owner_commit(&o), 0);
    o.targets[2] = NULL;
    owner_restart(&o);
    int index = core_set_target(o.core, &late);
    ck_assert_int_ge(index, 0);
    ck_assert(engine_breaker(core_engine(o.core), (uint16_t)index)->held);
}
END_TEST

/* Nor is the target of an undo that its owner has named forgotten: when the configuration has it again, the undo leaves. */
START_TEST(core__an_owners_undo_waits_for_its_target)
{
    const struct enlistment step = {.step = bytes_of_text("s"),
                                    .has_compensation = true,
                                    .compensation = {.target = "late", .method = "/p.S/Undo"}};
    const struct target_options late = {.name = "late", .timeout = SPAN_S(2), .max_concurrent_calls = 1};
    o.targets[2] = "late";
    owner_restart(&o);
    owner_submit(
        &o, (struct event){
                .type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("shop"), .enlist = &step, .enlist_count = 1});
    ck_assert_int_eq(owner_commit(&o), 0);
    o.targets[2] = NULL;
    owner_restart(&o);
    owner_submit(&o, (struct event){.type = EVENT_ABORT, .token = 2, .saga = {.tag = 0xabc, .serial = 1}});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(o.call_count, 0);
    int index = core_set_target(o.core, &late);
    ck_assert_int_ge(index, 0);
    owner_submit(&o, (struct event){.type = EVENT_TARGET, .target = (uint16_t)index});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(o.call_count, 1);
    ck_assert_str_eq(o.calls[0].method, "/p.S/Undo");
    o.told_size = 0;
}
END_TEST

/* Each of what a person does is in the trail, once, whatever the disk says first; what a saga does by itself is not. */
START_TEST(core__the_trail_has_every_act_once)
{
    const struct event act = {.token = 2,
                              .saga = {.tag = 0xabc, .serial = 1},
                              .actor = bytes_of_text("ann"),
                              .reason = bytes_of_text("why"),
                              .audit = bytes_of_text("she did it")};
    static const uint8_t acts[] = {EVENT_PAUSE, EVENT_RESUME, EVENT_RETRY, EVENT_REJECT, EVENT_RETRY, EVENT_SKIP};
    static const int before[] = {CODE_OK, CODE_OK, CODE_DATA_LOSS, CODE_DATA_LOSS, CODE_OK, CODE_NOT_FOUND};
    ck_assert_int_eq(owner_register(&o,
                                    "name: once\nversion: 1.0.0\nforward_only: true\nsteps:\n"
                                    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}}\n"),
                     0);
    owner_submit_start(&o, 1, "once", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    for (unsigned i = 0; i < sizeof acts; i++) {
        if (before[i] != CODE_OK)
            owner_answer(&o, before[i], "");
        ck_assert_int_eq(owner_commit(&o), 0);
        struct event event = act;
        event.type = acts[i];
        event.step = bytes_of_text("a");
        owner_submit(&o, event);
        memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
        ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_msg(core_audit_last(o.core) == i + 1, "act %u", i);
    }
    ck_assert_ptr_null(engine_find(core_engine(o.core), 1)); /* it was skipped, and so has ended */
    owner_restart(&o);
    ck_assert_uint_eq(core_audit_last(o.core), sizeof acts);
    o.told_size = 0;
}
END_TEST

/* An abort is a saga's own course, also with an entry that would tell of it; so is the deadline that an act that changes nothing finds passed. */
START_TEST(core__the_trail_does_not_have_what_owners_do)
{
    struct event pause = {.type = EVENT_PAUSE,
                          .token = 3,
                          .saga = {.tag = 0xabc, .serial = 2},
                          .actor = bytes_of_text("ann"),
                          .audit = bytes_of_text("she did nothing")};
    owner_submit(&o, (struct event){.type = EVENT_BEGIN, .token = 1, .name = bytes_of_text("begun")});
    owner_submit(&o, (struct event){.type = EVENT_ABORT,
                                    .token = 2,
                                    .saga = {.tag = 0xabc, .serial = 1},
                                    .audit = bytes_of_text("nobody did it")});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(core_audit_last(o.core), 0);
    owner_submit(
        &o, (struct event){.type = EVENT_START,
                           .token = 3,
                           .definition = catalog_find(o.catalog, bytes_of_text("one"), bytes_of(NULL, 0))->definition,
                           .deadline = SPAN_S(5)});
    owner_submit(&o, pause);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(core_audit_last(o.core), 1);
    owner_answer(&o, CODE_UNAVAILABLE, "");
    ck_assert_int_eq(owner_commit(&o), 0);
    o.now.us += SPAN_S(5).us;
    owner_submit(&o, pause);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(engine_find(core_engine(o.core), 2)->state, SAGA_COMPENSATING);
    ck_assert_uint_eq(core_audit_last(o.core), 1);
    o.told_size = 0;
}
END_TEST

/* Where recovery may start is told anew after a while, also when the disk was full each time it was to be. */
START_TEST(core__where_recovery_starts_is_told_though_the_disk_was_full)
{
    struct store_state state;
    struct store *store;
    for (int i = 0; i < 70; i++) {
        owner_submit_start(&o, 1, "one", NULL);
        memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
        ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_answer(&o, 0, "out");
        memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
        ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_told(&o);
    }
    owner_crash(&o);
    ck_assert_int_eq(memory_store_open(o.disk, &store, &state, &o.detail), 0);
    ck_assert_uint_ge(state.oldest_live_frame, 64);
    store->close(store);
    ck_assert_int_eq(owner_start(&o), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core");
    TCase *t = tcase_create("core");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, core__nothing_leaves_before_the_commit);
    tcase_add_test(t, core__the_trail_has_every_act_once);
    tcase_add_test(t, core__the_trail_does_not_have_what_owners_do);
    tcase_add_test(t, core__where_recovery_starts_is_told_though_the_disk_was_full);
    tcase_add_test(t, core__what_has_piled_up_is_one_frame);
    tcase_add_test(t, core__a_breaker_is_told_of_when_it_is_durable);
    tcase_add_test(t, core__a_refusal_keeps_its_place);
    tcase_add_test(t, core__a_commit_that_fails_lets_nothing_out);
    tcase_add_test(t, core__a_batch_says_when_it_is_full);
    tcase_add_test(t, core__answers_that_are_kept_fill_a_batch_too);
    tcase_add_test(t, core__answers_are_forgotten_by_whose_they_are);
    tcase_add_test(t, core__a_call_is_answered_now);
    tcase_add_test(t, core__while_the_journal_is_full_everything_waits);
    tcase_add_test(t, core__a_full_journal_tells_since_when);
    tcase_add_test(t, core__rows_and_entries_of_the_audit_trail_fill_a_batch_too);
    tcase_add_test(t, core__the_latest_time_is_that_of_all_records);
    tcase_add_test(t, core__rows_of_breakers_and_answers_come_back);
    tcase_add_test(t, core__answers_are_taken_in_while_the_journal_is_full);
    tcase_add_test(t, core__a_request_id_is_known_after_the_end);
    tcase_add_test(t, core__a_repeated_begin_that_enlists_is_refused_after_the_end);
    tcase_add_test(t, core__another_request_under_the_same_id_is_refused);
    tcase_add_test(t, core__leases_start_anew_when_there_is_room);
    tcase_add_test(t, core__a_store_that_is_behind_is_given_commits);
    tcase_add_test(t, core__maintenance_goes_on_until_nothing_is_left);
    tcase_add_test(t, core__a_saga_that_has_ended_answers_what_it_said_before);
    tcase_add_test(t, core__a_store_that_cannot_be_read_stops_the_owner);
    tcase_add_test(t, core__a_damaged_row_is_told_to_whoever_asks_for_it);
    tcase_add_test(t, core__a_definition_and_its_first_saga_share_a_commit);
    tcase_add_test(t, core__a_definition_that_is_not_durable_is_gone_after_a_crash);
    tcase_add_test(t, core__a_definition_with_an_unknown_target_is_refused);
    tcase_add_loop_test(t, core__a_call_to_a_target_that_is_gone_waits_for_it, 0, 2);
    tcase_add_test(t, core__an_owners_undo_waits_for_its_target);
    tcase_add_test(t, core__a_breaker_outlives_its_target);
    tcase_add_test(t, core__a_definition_is_bounded_from_the_start);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
