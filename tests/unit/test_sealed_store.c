/* The store that seals, before one in SQLite: what it keeps cannot be read without the keys, and cannot be changed, moved or cut out unnoticed. */
#include "sidecar/journal/sealed/sealed_store.h"

#include "sidecar/journal/codec.h"
#include "sidecar/journal/sealed/envelope.h"
#include "tests/support/frames.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static struct store *inner;
static struct seal_keys encryption, chain;
static uint8_t chance_at;
static bool no_chance;

static bool chance(void *self, uint8_t *at, size_t size)
{
    (void)self;
    for (size_t i = 0; i < size; i++)
        at[i] = chance_at++;
    return !no_chance;
}

static struct seal_keys keys(const char *text)
{
    struct seal_keys out;
    ck_assert_int_eq(seal_read_keys(bytes_of_text(text), "field", &out, &detail), 0);
    return out;
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A62 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void set_up(void)
{
    make_dir();
    chance_at = 0;
    no_chance = false;
    encryption = keys("first " A64 "\n");
    chain = keys("chain " B64 "\n");
}

/* Puts the sealing store before the one of sqlite_place, whose functions then go through it. */
static int try_sealed(void)
{
    const struct sealed_options sealing = {.encryption = &encryption, .chain = &chain, .random = chance};
    open_store();
    inner = store;
    return sealed_store_open(&sealing, inner, &state, &store, &detail);
}

static void open_sealed(void)
{
    ck_assert_msg(try_sealed() == 0, "%s", detail.text);
}

static void commit_audit(uint64_t seq, const char *text)
{
    struct store_commit c = {.audit = {.seq = seq, .at.us = (int64_t)seq, .body = bytes_of_text(text)}};
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* What a look along the chains finds; "" for nothing. */
static const char *look(const char *known)
{
    static struct sealed_look l;
    bool more = true;
    l = (struct sealed_look){.known = known};
    sealed_look_begin(store, &l);
    while (more)
        ck_assert_int_eq(sealed_look_on(store, &l, 3, &more, &detail), 0);
    return l.finding;
}

static void assert_found(const char *words)
{
    const char *finding = look(NULL);
    ck_assert_msg(strstr(finding, words) != NULL, "\"%s\" is not in \"%s\"", words, finding);
}

static int (*real_scan)(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                        void *self, struct error_detail *detail);

/* Every other time the answer is on its way. */
static int late_scan(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                     void *self, struct error_detail *why)
{
    static unsigned calls;
    return calls++ % 2 == 0 ? STORE_PENDING : real_scan(s, from, take, self, why);
}

START_TEST(sealed__a_look_waits_for_a_store_that_answers_later)
{
    struct sealed_look l = {.known = NULL};
    unsigned pending = 0;
    bool more = true;
    open_sealed();
    commit_frames(1, 7);
    real_scan = inner->scan;
    inner->scan = late_scan;
    for (sealed_look_begin(store, &l); more;) {
        uint64_t before = l.frames.next;
        ck_assert_int_eq(sealed_look_on(store, &l, 3, &more, &detail), 0);
        pending += more && l.frames.next == before;
    }
    ck_assert_uint_gt(pending, 0);
    ck_assert_str_eq(l.finding, "");
    ck_assert_uint_eq(l.frames.chained, 7);
    close_store();
}
END_TEST

START_TEST(sealed__what_is_kept_cannot_be_read)
{
    struct bytes kept, plain;
    open_sealed();
    commit_frames(1, 3);
    ck_assert_int_eq(inner->read_frame(inner, 2, &kept, &detail), 0);
    ck_assert(envelope_is(kept));
    uint8_t copy[4096];
    ck_assert_uint_lt(kept.size, sizeof copy);
    memcpy(copy, kept.at, kept.size);
    size_t kept_size = kept.size;
    ck_assert_int_eq(store->read_frame(store, 2, &plain, &detail), 0);
    ck_assert(!envelope_is(plain));
    ck_assert_uint_gt(plain.size, 300);
    for (size_t i = 0; i + 16 <= kept_size; i++) /* no 16 bytes of the payload */
        ck_assert(memcmp(copy + i, plain.at + plain.size / 2, 16) != 0);
    close_store();
    open_sealed();
    ck_assert_int_eq(store->read_frame(store, 2, &plain, &detail), 0);
    assert_frame(2, 300, 2000);
    close_store();
}
END_TEST

START_TEST(sealed__frames_of_before_are_read_as_ever)
{
    open_store();
    commit_frames(1, 3);
    close_store();
    open_sealed();
    commit_frames(4, 6);
    for (uint64_t frame = 1; frame <= 6; frame++)
        assert_frame(frame, 300, (int64_t)frame * 1000);
    ck_assert_str_eq(look(NULL), "");
    close_store();
}
END_TEST

START_TEST(sealed__a_frame_cannot_be_moved)
{
    struct bytes plain;
    chain.count = 0;
    open_sealed();
    commit_frames(1, 4);
    close_store();
    run_sql("UPDATE frames SET body = (SELECT body FROM frames WHERE seq = 3) WHERE seq = 2");
    open_sealed();
    ck_assert_int_eq(store->read_frame(store, 2, &plain, &detail), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "frame 2 is not what was encrypted there"));
    close_store();
}
END_TEST

static int take_answer(void *self, const struct subject_row *row)
{
    (void)self;
    return bytes_equal(row->value, bytes_of_text("an answer that nobody else may read")) && row->version == 1 ? 1 : 2;
}

/* Copies the row of slot 7 to slot 5, of which the number is 6. */
static int move_answer(void *self, const struct subject_row *row)
{
    static uint8_t value[4096];
    struct subject_row moved = *row;
    struct store_commit *c = self;
    if (!bytes_equal(row->name, bytes_of_text("7")))
        return 0;
    memcpy(value, row->value.at, row->value.size);
    moved.name = bytes_of_text("5");
    moved.value = bytes_of(value, row->value.size);
    c->epoch = state.epoch;
    c->subjects = &moved;
    c->subject_count = 1;
    return store->commit(store, c, &detail) == 0 ? 1 : 2;
}

static int take_sound(void *self, const struct subject_row *row)
{
    ck_assert(bytes_equal(row->value, bytes_of_text(row->name.size == 1 ? "an answer that nobody else may read"
                                                                        : "another of the same commit")));
    ck_assert_uint_eq(row->version, 1); /* as it was given */
    ++*(unsigned *)self;
    return 0;
}

/* Payloads beside the frames: sealed as these are, each in its place. One from before encryption is read as ever. */
START_TEST(sealed__answers_are_sealed_and_cannot_be_moved)
{
    struct subject_row rows[2] = {{.kind = SUBJECT_ANSWER,
                                   .name = bytes_of_text("7"),
                                   .version = 1,
                                   .value = bytes_of_text("an answer that nobody else may read")},
                                  {.kind = SUBJECT_ANSWER, .name = bytes_of_text("8"), .version = 1}};
    struct store_commit c = {.epoch = 0, .subjects = rows, .subject_count = 2};
    open_store();
    c.epoch = state.epoch;
    rows[0].name = bytes_of_text("6");
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
    close_store();
    open_sealed();
    commit_frames(1, 2);
    c.epoch = state.epoch;
    rows[0].name = bytes_of_text("7");
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
    close_store();
    open_sealed();
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_ANSWER, take_answer, NULL, &detail), 1); /* 6, as it was */
    close_store();
    run_sql("DELETE FROM subjects WHERE kind = 14 AND version = 1 AND length(value) > 0");
    open_sealed();
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_ANSWER, take_answer, NULL, &detail), 1); /* 7, unsealed */
    ck_assert_int_eq(inner->scan_subjects(inner, SUBJECT_ANSWER, take_answer, NULL, &detail), 2);
    close_store();
    /* Another place's: its row is whole, and is not what was sealed there. */
    open_store();
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_ANSWER, move_answer, &c, &detail), 1);
    close_store();
    open_sealed();
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_ANSWER, take_answer, NULL, &detail), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "last good answer 6 is not what was encrypted there"));
    close_store();
}
END_TEST

START_TEST(sealed__without_the_key_it_is_named)
{
    open_sealed();
    commit_frames(1, 2);
    close_store();
    encryption.count = 0;
    ck_assert_int_eq(try_sealed(), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "encryption_key_file");
    ck_assert_ptr_nonnull(strstr(detail.text, "is not among those given: first; give it with the others ("));
    close_store();
    encryption = keys("other " A64 "\n");
    ck_assert_int_eq(try_sealed(), E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(detail.text, "is not among those given: first"));
    close_store();
    encryption = keys("first " B64 "\n");
    ck_assert_int_eq(try_sealed(), E_ARGUMENT);
    ck_assert_ptr_nonnull(
        strstr(detail.text, "is not the one that the journal was encrypted with: first, or the row "));
    close_store();
}
END_TEST

START_TEST(sealed__another_key_takes_over)
{
    open_sealed();
    commit_frames(1, 2);
    close_store();
    open_sealed();
    commit_frames(3, 4);
    close_store();
    encryption = keys("second " B64 " # the new one\n\nfirst " A64 "\n");
    open_sealed();
    ck_assert_uint_eq(sealed_store_old_keys(store), 2);
    commit_frames(5, 5);
    ck_assert_uint_eq(sealed_store_old_keys(store), 0);
    close_store();
    encryption = keys("second " B64 "\n");
    open_sealed();
    for (uint64_t frame = 1; frame <= 5; frame++)
        assert_frame(frame, 300, (int64_t)frame * 1000);
    ck_assert_str_eq(look(NULL), "");
    close_store();
}
END_TEST

/* Data keys of which one is left when a commit has taken over as many as it may. */
#define ONE_TOO_MANY 17

/* The owner is asked for a commit of nothing else, as often as it takes. */
START_TEST(sealed__another_key_takes_over_while_nothing_happens)
{
    for (uint64_t frame = 1; frame <= ONE_TOO_MANY; frame++) {
        open_sealed();
        commit_frames(frame, frame);
        close_store();
    }
    encryption = keys("second " B64 "\nfirst " A64 "\n");
    open_sealed();
    unsigned commits = 0;
    for (; store->is_behind(store); commits++) {
        struct store_commit nothing = {.frame = 0};
        ck_assert_int_eq(store->commit(store, &nothing, &detail), 0);
    }
    ck_assert_uint_eq(commits, 2);
    ck_assert_uint_eq(sealed_store_old_keys(store), 0);
    close_store();
    encryption = keys("second " B64 "\n");
    open_sealed();
    assert_frame(1, 300, 1000);
    close_store();
}
END_TEST

/* ---- the chain ---- */

/* The bytes of a frame, as they are kept. */
static size_t get_body(uint64_t seq, uint8_t body[4096])
{
    sqlite3 *db;
    sqlite3_stmt *at;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT body FROM frames WHERE seq = ?1", -1, &at, NULL), SQLITE_OK);
    sqlite3_bind_int64(at, 1, (int64_t)seq);
    ck_assert_int_eq(sqlite3_step(at), SQLITE_ROW);
    int size = sqlite3_column_bytes(at, 0);
    ck_assert_int_lt(size, 4096);
    memcpy(body, sqlite3_column_blob(at, 0), (size_t)size);
    sqlite3_finalize(at);
    sqlite3_close(db);
    return (size_t)size;
}

static void set_body(uint64_t seq, const uint8_t *body, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *at;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "UPDATE frames SET body = ?2 WHERE seq = ?1", -1, &at, NULL), SQLITE_OK);
    sqlite3_bind_int64(at, 1, (int64_t)seq);
    sqlite3_bind_blob(at, 2, body, (int)size, SQLITE_TRANSIENT);
    ck_assert_int_eq(sqlite3_step(at), SQLITE_DONE);
    sqlite3_finalize(at);
    sqlite3_close(db);
}

/* Changes a byte of what is kept, and its checksum with it. */
static void change(uint8_t *body, size_t size)
{
    body[size - 1] ^= 1;
    uint32_t sum = (uint32_t)crc32(0, body + 8, (uInt)size - 8);
    for (int i = 0; i < 4; i++)
        body[4 + i] = (uint8_t)(sum >> 8 * i);
}

static void change_frame(uint64_t seq)
{
    uint8_t body[4096];
    size_t size = get_body(seq, body);
    change(body, size);
    set_body(seq, body, size);
}

static void write_chain(void)
{
    open_sealed();
    commit_frames(1, 9);
    for (uint64_t seq = 1; seq <= 4; seq++)
        commit_audit(seq, "somebody did something");
    ck_assert_str_eq(look(NULL), "");
    close_store();
}

START_TEST(sealed__a_change_is_found)
{
    encryption.count = _i == 0 ? 0 : encryption.count;
    write_chain();
    change_frame(5);
    open_sealed();
    assert_found(_i == 0 ? "frame 5 is not what was written there" : "frame 5 cannot be opened");
    close_store();
}
END_TEST

START_TEST(sealed__a_cut_is_found)
{
    encryption.count = 0;
    write_chain();
    run_sql("DELETE FROM frames WHERE seq = 5; UPDATE frames SET seq = seq - 1 WHERE seq > 5");
    open_sealed();
    assert_found("frame 5 is not what was written there"); /* its number is a part of it */
    close_store();
}
END_TEST

/* What was written there, by us, in another course of things: as after a restored backup, of which a part was put back. */
START_TEST(sealed__a_frame_of_another_history_is_found)
{
    uint8_t third[4096];
    encryption.count = 0;
    open_sealed();
    commit_frames(1, 3);
    close_store();
    size_t size = get_body(3, third);
    run_sql("DELETE FROM frames WHERE seq > 1");
    open_sealed();
    ck_assert_int_eq(try_commit(2, 200, 2000), 0);
    commit_frames(3, 3);
    close_store();
    set_body(3, third, size);
    open_sealed();
    assert_found("frame 3 does not follow the one before it");
    close_store();
}
END_TEST

START_TEST(sealed__frames_that_are_in_no_chain_are_found)
{
    encryption.count = 0;
    write_chain();
    chain.count = 0;
    open_sealed();
    commit_frames(10, 10);
    close_store();
    chain = keys("chain " B64 "\n");
    open_sealed();
    assert_found("frame 10 is not in the chain that the one before it is in");
    close_store();
}
END_TEST

START_TEST(sealed__a_row_that_was_cut_from_the_trail_is_found)
{
    write_chain();
    run_sql("DELETE FROM audit WHERE seq = 2");
    open_sealed();
    assert_found("audit is missing");
    close_store();
}
END_TEST

/* Whoever opens the journal goes on where the trail ended. */
START_TEST(sealed__the_trail_is_one_chain_through_all_lives)
{
    write_chain();
    for (uint64_t seq = 5; seq <= 7; seq++) {
        open_sealed();
        commit_audit(seq, "somebody did something else");
        ck_assert_str_eq(look(NULL), "");
        close_store();
    }
    chain.count = 0;
    open_sealed();
    commit_audit(8, "somebody did something that nobody vouches for");
    close_store();
    chain = keys("chain " B64 "\n");
    open_sealed();
    assert_found("row of the audit trail 8 is not in the chain that the one before it is in");
    close_store();
}
END_TEST

START_TEST(sealed__a_head_that_was_written_down_is_held_to)
{
    char head[SEALED_HEAD_SIZE], audit[SEALED_HEAD_SIZE], other[SEALED_HEAD_SIZE + 8];
    open_sealed();
    commit_frames(1, 5);
    sealed_store_heads(store, head, audit);
    ck_assert_int_eq(strncmp(head, "5:", 2), 0);
    ck_assert_str_eq(audit, "");
    commit_frames(6, 9);
    ck_assert_str_eq(look(head), "");
    memcpy(other, head, sizeof head);
    other[2] = other[2] == '0' ? '1' : '0';
    ck_assert_ptr_nonnull(strstr(look(other), "is another than the head"));
    snprintf(other, sizeof other, "40:%s", head + 2);
    ck_assert_ptr_nonnull(strstr(look(other), "is not in the chain"));
    close_store();
}
END_TEST

START_TEST(sealed__a_chain_goes_on_under_another_key)
{
    write_chain();
    chain = keys("new " A64 "\nchain " B64 "\n");
    open_sealed();
    commit_frames(10, 12);
    ck_assert_str_eq(look(NULL), "");
    close_store();
    chain = keys("new " A64 "\n");
    open_sealed();
    assert_found("made with another key");
    close_store();
}
END_TEST

/* ---- keys ---- */

/* Digits of either case, and what stands beside them: the same key. */
/* Commits of the inner store whose fate comes later: they are kept when `keeps` says so, and that is told. */
static int (*real_commit)(struct store *s, const struct store_commit *c, struct error_detail *detail);
static bool keeps;
static int fate;

static int late_commit(struct store *s, const struct store_commit *c, struct error_detail *why)
{
    if (keeps)
        ck_assert_int_eq(real_commit(s, c, why), 0);
    return STORE_PENDING;
}

static int late_settle(struct store *s, struct error_detail *why)
{
    (void)s;
    (void)why;
    return fate;
}

static void open_late(void)
{
    const struct sealed_options sealing = {.encryption = &encryption, .chain = &chain, .random = chance};
    open_store();
    inner = store;
    real_commit = inner->commit;
    inner->commit = late_commit;
    inner->settle = late_settle;
    ck_assert_msg(sealed_store_open(&sealing, inner, &state, &store, &detail) == 0, "%s", detail.text);
}

/* What was not kept is no link of the chain. */
START_TEST(sealed__what_was_not_kept_is_forgotten)
{
    open_late();
    keeps = false;
    ck_assert_int_eq(try_commit(1, 300, 1000), STORE_PENDING);
    ck_assert_int_eq(try_commit(2, 300, 2000), STORE_PENDING);
    fate = E_JOURNAL_FULL;
    ck_assert_int_eq(store->settle(store, &detail), E_JOURNAL_FULL);
    keeps = true;
    fate = 0;
    for (uint64_t frame = 1; frame <= 4; frame++) {
        ck_assert_int_eq(try_commit(frame, 300, (int64_t)frame * 1000), STORE_PENDING);
        ck_assert_int_eq(store->settle(store, &detail), 0);
    }
    ck_assert_str_eq(look(NULL), "");
    assert_frame(4, 300, 4000);
    close_store();
    open_sealed();
    ck_assert_str_eq(look(NULL), "");
    assert_frame(1, 300, 1000);
    close_store();
}
END_TEST

static int commit_both(uint64_t number, const char *text)
{
    static uint8_t bytes[4096];
    const struct store_commit c = {
        .frame = number,
        .records = frame_make(bytes, number * 10, 1, 300, (struct instant){.us = (int64_t)number * 1000}),
        .audit = {.seq = number, .at.us = (int64_t)number * 1000, .body = bytes_of_text(text)},
    };
    return store->commit(store, &c, &detail);
}

/* Each of two that are on the way is a link of both chains, from the first on; a link that was not kept is none of the trail's, either. */
START_TEST(sealed__both_chains_go_along_what_is_on_the_way)
{
    char frames[SEALED_HEAD_SIZE], audit[SEALED_HEAD_SIZE], after[SEALED_HEAD_SIZE];
    open_late();
    keeps = false;
    fate = E_JOURNAL_FULL;
    ck_assert_int_eq(commit_both(1, "not kept"), STORE_PENDING);
    ck_assert_int_eq(commit_both(2, "not kept"), STORE_PENDING);
    ck_assert_int_eq(store->settle(store, &detail), E_JOURNAL_FULL);
    keeps = true;
    fate = 0;
    for (uint64_t number = 1; number <= 5; number += 2) {
        ck_assert_int_eq(commit_both(number, "kept"), STORE_PENDING);
        ck_assert_int_eq(commit_both(number + 1, "kept"), STORE_PENDING);
        ck_assert_int_eq(store->settle(store, &detail), 0);
        ck_assert_int_eq(store->settle(store, &detail), 0);
    }
    ck_assert_str_eq(look(NULL), "");
    sealed_store_heads(store, frames, audit);
    ck_assert_int_eq(strncmp(audit, "6:", 2), 0);
    close_store();
    open_sealed(); /* the same links are there */
    ck_assert_str_eq(look(frames), "");
    sealed_store_heads(store, frames, after);
    ck_assert_str_eq(after, audit);
    close_store();
}
END_TEST

static int take_next(void *self, uint64_t number, struct bytes records)
{
    ck_assert_uint_eq(number, ++*(uint64_t *)self);
    ck_assert_int_eq(codec_time(records).us, (int64_t)number * 1000);
    return codec_check(records, &detail);
}

/* Frames that are committed together are sealed each for itself, with what comes beside them. */
START_TEST(sealed__frames_of_one_commit_are_opened_one_by_one)
{
    enum { FRAMES = 5 };
    static uint8_t at[FRAMES * 1024];
    size_t cuts[FRAMES - 1], to = 0;
    struct bytes got;
    if ((_i & 1) == 0)
        encryption.count = 0;
    if ((_i & 2) == 0)
        chain.count = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        to += frame_make(at + to, i + 1, 1, 100 + i, (struct instant){.us = (i + 1) * 1000}).size;
        if (i < FRAMES - 1)
            cuts[i] = to;
    }
    const struct store_commit c = {.frame = 1,
                                   .records = bytes_of(at, to),
                                   .cuts = cuts,
                                   .cut_count = FRAMES - 1,
                                   .audit = {.seq = 1, .at.us = 1, .body = bytes_of_text("done")}};
    open_sealed();
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
    commit_audit(2, "done again");
    for (int again = 0; again < 2; again++) {
        uint64_t last = 0;
        for (uint64_t number = 1; number <= FRAMES; number++) {
            ck_assert_int_eq(store->read_frame(store, number, &got, &detail), 0);
            ck_assert(bytes_equal(got, store_commit_frame(&c, number - 1)));
        }
        ck_assert_int_eq(store->scan(store, 1, take_next, &last, &detail), 0);
        ck_assert_uint_eq(last, FRAMES);
        ck_assert_str_eq(look(NULL), "");
        close_store();
        open_sealed();
        ck_assert_uint_eq(state.last_frame, FRAMES);
    }
    close_store();
}
END_TEST

static int take_first_frame(void *self, const struct subject_row *row)
{
    uint64_t *first = self;
    ck_assert_uint_gt(row->value.size, 8);
    *first = 0;
    for (int i = 1; i <= 8; i++)
        *first = *first << 8 | row->value.at[row->value.size - (size_t)i];
    return 0;
}

/* The row of a key says which frame is the first that it opens: that of the first commit, though the second brings the row as well. */
START_TEST(sealed__a_key_is_of_the_first_frame_that_is_on_the_way)
{
    uint64_t first = 0;
    open_late();
    keeps = true;
    fate = 0;
    ck_assert_int_eq(try_commit(1, 300, 1000), STORE_PENDING);
    ck_assert_int_eq(try_commit(2, 300, 2000), STORE_PENDING);
    ck_assert_int_eq(store->settle(store, &detail), 0);
    ck_assert_int_eq(store->settle(store, &detail), 0);
    ck_assert_int_eq(inner->scan_subjects(inner, SUBJECT_DATA_KEY, take_first_frame, &first, &detail), 0);
    ck_assert_uint_eq(first, 1);
    close_store();
}
END_TEST

/* While one is on its way nobody is asked for another. */
START_TEST(sealed__keys_are_taken_over_one_commit_at_a_time)
{
    const struct store_commit nothing = {.frame = 0};
    for (uint64_t frame = 1; frame <= ONE_TOO_MANY; frame++) {
        open_sealed();
        commit_frames(frame, frame);
        close_store();
    }
    encryption = keys("second " B64 "\nfirst " A64 "\n");
    open_late();
    keeps = true;
    fate = 0;
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(store->is_behind(store));
        ck_assert_int_eq(store->commit(store, &nothing, &detail), STORE_PENDING);
        ck_assert(!store->is_behind(store));
        ck_assert_int_eq(store->settle(store, &detail), 0);
    }
    ck_assert(!store->is_behind(store));
    ck_assert_uint_eq(sealed_store_old_keys(store), 0);
    close_store();
}
END_TEST

static void drop_up_to(uint64_t keep_from)
{
    bool more = true;
    while (more)
        ck_assert_int_eq(store->drop(store, (struct instant){.us = INT64_MAX / 2}, keep_from, 100, &more, &detail), 0);
}

/* Retention takes what was looked at, and more: the chain is looked at from where it begins now. */
START_TEST(sealed__a_look_goes_on_behind_what_was_dropped)
{
    struct sealed_look l = {.known = NULL};
    bool more;
    write_chain();
    open_sealed();
    sealed_look_begin(store, &l);
    ck_assert_int_eq(sealed_look_on(store, &l, 3, &more, &detail), 0);
    drop_up_to(7);
    for (more = true; more;)
        ck_assert_int_eq(sealed_look_on(store, &l, 3, &more, &detail), 0);
    ck_assert_str_eq(l.finding, "");
    ck_assert_uint_eq(l.frames.first, 7);
    close_store();
}
END_TEST

/* What stands before a chain is in none. A link of the middle cannot be its first. */
START_TEST(sealed__a_chain_whose_beginning_was_replaced_is_found)
{
    uint8_t second[4096];
    encryption.count = 0;
    chain.count = 0;
    open_sealed();
    commit_frames(1, 2);
    close_store();
    size_t size = get_body(2, second);
    run_sql("DELETE FROM frames WHERE seq = 2");
    chain = keys("chain " B64 "\n");
    open_sealed();
    commit_frames(2, 4);
    ck_assert_str_eq(look(NULL), "");
    close_store();
    set_body(2, second, size);
    open_sealed();
    assert_found("frame 3 does not follow the one before it");
    close_store();
}
END_TEST

/* Whoever needs a frame that is damaged is told so; that it is the last keeps nobody from going on. */
START_TEST(sealed__a_damaged_end_is_gone_on_behind)
{
    uint8_t last[4096];
    write_chain();
    size_t size = get_body(9, last);
    last[size - 1] ^= 1;
    set_body(9, last, size);
    open_sealed();
    commit_frames(10, 11);
    struct bytes frame;
    ck_assert_int_eq(store->read_frame(store, 9, &frame, &detail), E_JOURNAL_CORRUPT);
    assert_frame(11, 300, 11000);
    close_store();
}
END_TEST

static int take_row(void *self, const struct audit_row *row)
{
    (void)self;
    (void)row;
    return 0;
}

static int (*real_scan_audit)(struct store *s, uint64_t from, uint32_t rows_max,
                              int (*take)(void *self, const struct audit_row *row), void *self,
                              struct error_detail *detail);
static int (*sealing_take)(void *self, const struct audit_row *row);
static bool checksum_too;

static int take_damaged(void *self, const struct audit_row *row)
{
    uint8_t body[4096];
    struct audit_row damaged = *row;
    ck_assert_uint_lt(row->body.size, sizeof body);
    memcpy(body, row->body.at, row->body.size);
    if (row->seq == 3 && checksum_too)
        change(body, row->body.size);
    else
        body[row->body.size - 1] ^= row->seq == 3;
    damaged.body.at = body;
    return sealing_take(self, &damaged);
}

static int damaging_scan(struct store *s, uint64_t from, uint32_t rows_max,
                         int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *why)
{
    sealing_take = take;
    return real_scan_audit(s, from, rows_max, take_damaged, self, why);
}

/* What is wrong with the trail is not told of a frame. */
START_TEST(sealed__a_damaged_row_of_the_trail_is_told_as_one)
{
    write_chain();
    open_sealed();
    real_scan_audit = inner->scan_audit;
    inner->scan_audit = damaging_scan;
    ck_assert_int_eq(store->scan_audit(store, 1, 10, take_row, NULL, &detail), E_JOURNAL_CORRUPT);
    ck_assert_msg(strstr(detail.text, "row of the audit trail 3") != NULL, "%s", detail.text);
    close_store();
}
END_TEST

/* Somebody who knows how it is written is found by the chain. */
START_TEST(sealed__a_change_of_the_trail_is_found)
{
    write_chain();
    open_sealed();
    real_scan_audit = inner->scan_audit;
    inner->scan_audit = damaging_scan;
    checksum_too = false;
    assert_found("row of the audit trail 3 is damaged");
    checksum_too = true;
    assert_found("row of the audit trail 3 is not what was written there");
    close_store();
}
END_TEST

/* An answer may be the last that a start has left: its key stays as long as it does, however many there are. */
START_TEST(sealed__the_key_of_each_answer_stays)
{
    for (uint64_t start = 1; start <= 3; start++) {
        char name[3] = {(char)('0' + start), '0', '\0'};
        struct subject_row rows[2] = {{.kind = SUBJECT_ANSWER,
                                       .name = bytes_of(name, 1),
                                       .version = 1,
                                       .value = bytes_of_text("an answer that nobody else may read")},
                                      {.kind = SUBJECT_ANSWER,
                                       .name = bytes_of(name, 2),
                                       .version = 1,
                                       .value = bytes_of_text("another of the same commit")}};
        const struct store_commit c = {.subjects = rows, .subject_count = 2};
        open_sealed();
        commit_frames(start, start);
        ck_assert_int_eq(store->commit(store, &c, &detail), 0);
        close_store();
    }
    open_sealed();
    drop_up_to(3);
    close_store();
    for (uint64_t frame = 4; frame <= 6; frame++) {
        open_sealed();
        commit_frames(frame, frame);
        close_store();
    }
    open_sealed();
    unsigned sound = 0;
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_ANSWER, take_sound, &sound, &detail), 0);
    ck_assert_uint_eq(sound, 6);
    close_store();
}
END_TEST

START_TEST(sealed__a_key_is_read_however_it_is_written)
{
    static const char *const texts[] = {
        "k 0123456789abcdef0123456789ABCDEF00ff00ff00ff00ff00ff00ff00ff00ff\n",
        "\n# the one to use\n\tk  0123456789ABCDEF0123456789abcdef00FF00FF00FF00FF00FF00FF00FF00FF # old\r\n",
        "k 0123456789abcdef0123456789abcdef00ff00ff00ff00ff00ff00ff00ff00ff",
        "\r\nk 0123456789abcdef0123456789abcdef00ff00ff00ff00ff00ff00ff00ff00ff\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct seal_keys out = keys(texts[i]);
        ck_assert_uint_eq(out.count, 1);
        ck_assert_str_eq(out.keys[0].name, "k");
        for (size_t n = 0; n < SEAL_KEY_SIZE; n++) {
            static const uint8_t digits[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
            ck_assert_uint_eq(out.keys[0].bytes[n], n < 16 ? digits[n % 8] : n % 2 == 0 ? 0x00 : 0xff);
        }
    }
}
END_TEST

START_TEST(sealed__keys_are_told_what_is_wrong)
{
    static const struct {
        const char *text, *words;
    } bad[] = {{"", "there is no key"},
               {"# nothing\n", "there is no key"},
               {"k", "line 1 of the keys: a key is 64"},
               {"k 00", "a key is 64"},
               {"k " A64 "\nk " B64, "line 2 of the keys: two keys have one name"},
               {"k " A64 " x", "and nothing else"},
               {"k234567890123456789012345678901234 " A64, "at most 32 bytes"},
               {"k\x1b " A64, "signs of ASCII"},
               {"k g" A64, "a key is 64"},
               {"k ag" A62, "a key is 64"}, /* of a pair the one sign or the other */
               {"k ga" A62, "a key is 64"}};
    struct seal_keys out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(seal_read_keys(bytes_of_text(bad[i].text), "option", &out, &detail), E_ARGUMENT);
        ck_assert_msg(strstr(detail.text, bad[i].words) != NULL, "%s", detail.text);
        ck_assert_ptr_null(strstr(detail.text, "aaaa")); /* no key is told */
        ck_assert_str_eq(detail.field, "option");
    }
}
END_TEST

START_TEST(sealed__keys_are_sixteen_at_most)
{
    char text[17 * 80] = "";
    size_t size = 0;
    for (unsigned i = 1; i <= 17; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "k%u " A64 "\n", i);
        struct seal_keys out;
        int code = seal_read_keys(bytes_of_text(text), "option", &out, &detail);
        ck_assert_int_eq(code, i <= 16 ? 0 : E_ARGUMENT);
        ck_assert_uint_eq(out.count, i <= 16 ? i : 0);
    }
    ck_assert_ptr_nonnull(strstr(detail.text, "line 17 of the keys: more than 16 keys"));
}
END_TEST

/* ---- its form, by which what was written once is opened for ever ---- */

START_TEST(sealed__what_is_bound_is_fixed)
{
    static const uint8_t wanted[] = {'F',  5,    0,    0,    0,    0,    0,    0,    0,    0x08,
                                     0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x0d, 0x0c, 0x0b,
                                     0x0a, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
    const struct envelope e = {.at.us = INT64_C(0x0102030405060708),
                               .sealed = true,
                               .slot = 0x0a0b0c0d,
                               .counter = UINT64_C(0x1112131415161718)};
    uint8_t out[ENVELOPE_BOUND_SIZE];
    struct bytes bound = envelope_bound(&e, 'F', 5, out);
    ck_assert_uint_eq(bound.size, sizeof wanted);
    ck_assert_mem_eq(bound.at, wanted, sizeof wanted);
}
END_TEST

/* Who has no key is told, too: by the checksum. */
START_TEST(sealed__each_bit_counts)
{
    const struct envelope e = {.at.us = 7, .chained = true, .content = bytes_of_text("what is kept")};
    struct envelope read;
    uint8_t at[ENVELOPE_SIZE_MAX + 16];
    memcpy(envelope_begin(&e, at), e.content.at, e.content.size);
    size_t size = envelope_end(&e, at);
    ck_assert(envelope_read(bytes_of(at, size), &read) && read.chained && bytes_equal(read.content, e.content));
    for (size_t i = 0; i < 8 * size; i++) {
        at[i / 8] ^= (uint8_t)(1 << i % 8);
        ck_assert_msg(!envelope_read(bytes_of(at, size), &read), "bit %zu", i);
        at[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}
END_TEST

/* The checksum that whoever changed it would have to make. */
static void sum_anew(uint8_t *at, size_t size)
{
    uint32_t sum = (uint32_t)crc32(0, at + 8, (uInt)(size - 8));
    for (int i = 0; i < 4; i++)
        at[4 + i] = (uint8_t)(sum >> 8 * i);
}

/* A later sagad may say more of a frame than this one knows. */
START_TEST(sealed__a_flag_that_is_not_known_is_not_passed_over)
{
    const struct envelope e = {.at.us = 7, .content = bytes_of_text("what is kept")};
    struct envelope read;
    uint8_t at[ENVELOPE_SIZE_MAX + 16];
    memcpy(envelope_begin(&e, at), e.content.at, e.content.size);
    size_t size = envelope_end(&e, at);
    for (unsigned flag = 4; flag <= 128; flag *= 2) {
        at[9] = (uint8_t)flag;
        sum_anew(at, size);
        ck_assert(!envelope_read(bytes_of(at, size), &read));
    }
}
END_TEST

/* The numbers by which a key is used are from 1: 0 is of nothing that was sealed, whatever the checksum says. */
START_TEST(sealed__what_has_no_number_was_not_sealed)
{
    static const uint8_t number[] = {0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
    const struct envelope e = {.at.us = 7,
                               .sealed = true,
                               .slot = 1,
                               .counter = UINT64_C(0x1112131415161718),
                               .content = bytes_of_text("what is kept")};
    struct envelope read;
    uint8_t at[ENVELOPE_SIZE_MAX + 16];
    memcpy(envelope_begin(&e, at), e.content.at, e.content.size);
    size_t size = envelope_end(&e, at);
    uint8_t *where = memmem(at, size, number, sizeof number);
    ck_assert_ptr_nonnull(where);
    for (uint8_t last = 2; last-- > 0;) {
        memset(where, 0, sizeof number);
        where[0] = last;
        sum_anew(at, size);
        ck_assert(envelope_read(bytes_of(at, size), &read) == (last > 0));
    }
}
END_TEST

/* Nothing is sealed that is empty: what ends behind its head was cut off there, and its checksum made anew. */
START_TEST(sealed__what_holds_nothing_was_not_sealed)
{
    for (unsigned flags = 0; flags < 4; flags++) {
        const struct envelope e = {.at.us = 7,
                                   .sealed = (flags & 1) != 0,
                                   .chained = (flags & 2) != 0,
                                   .slot = 1,
                                   .counter = 1,
                                   .content = bytes_of_text("x")};
        struct envelope read;
        uint8_t at[ENVELOPE_SIZE_MAX + 16];
        memcpy(envelope_begin(&e, at), e.content.at, e.content.size);
        size_t size = envelope_end(&e, at);
        ck_assert(envelope_read(bytes_of(at, size), &read) && bytes_equal(read.content, e.content));
        at[0]--;
        sum_anew(at, size - 1);
        ck_assert(!envelope_read(bytes_of(at, size - 1), &read));
    }
}
END_TEST

START_TEST(sealed__a_key_of_a_newer_form_is_not_guessed_at)
{
    const struct subject_row row = {
        .kind = SUBJECT_DATA_KEY, .name = bytes_of_text("1"), .version = 2, .value = bytes_of_text("newer")};
    const struct store_commit c = {.subjects = &row, .subject_count = 1};
    open_store();
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
    close_store();
    ck_assert_int_eq(try_sealed(), E_JOURNAL_VERSION);
}
END_TEST

/* A key that could not be wrapped is not kept, nor what only it opens. */
START_TEST(sealed__without_chance_nothing_is_committed)
{
    const struct store_commit nothing = {.frame = 0};
    open_sealed();
    no_chance = true;
    ck_assert_int_eq(try_commit(1, 300, 1000), E_MEMORY);
    no_chance = false;
    commit_frames(1, 2);
    close_store();
    encryption = keys("second " B64 "\nfirst " A64 "\n");
    open_sealed();
    no_chance = true;
    ck_assert_int_eq(store->commit(store, &nothing, &detail), E_MEMORY);
    ck_assert_uint_eq(sealed_store_old_keys(store), 1);
    no_chance = false;
    ck_assert_int_eq(store->commit(store, &nothing, &detail), 0);
    ck_assert_uint_eq(sealed_store_old_keys(store), 0);
    close_store();
    encryption = keys("second " B64 "\n");
    open_sealed();
    assert_frame(2, 300, 2000);
    close_store();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sealed_store");
    TCase *tests = tcase_create("sealed");
    tcase_add_checked_fixture(tests, set_up, remove_dir);
    tcase_add_test(tests, sealed__what_is_kept_cannot_be_read);
    tcase_add_test(tests, sealed__a_look_waits_for_a_store_that_answers_later);
    tcase_add_test(tests, sealed__frames_of_before_are_read_as_ever);
    tcase_add_test(tests, sealed__a_frame_cannot_be_moved);
    tcase_add_test(tests, sealed__answers_are_sealed_and_cannot_be_moved);
    tcase_add_test(tests, sealed__without_the_key_it_is_named);
    tcase_add_test(tests, sealed__another_key_takes_over);
    tcase_add_test(tests, sealed__another_key_takes_over_while_nothing_happens);
    tcase_add_loop_test(tests, sealed__a_change_is_found, 0, 2);
    tcase_add_test(tests, sealed__a_cut_is_found);
    tcase_add_test(tests, sealed__a_frame_of_another_history_is_found);
    tcase_add_test(tests, sealed__frames_that_are_in_no_chain_are_found);
    tcase_add_test(tests, sealed__a_row_that_was_cut_from_the_trail_is_found);
    tcase_add_test(tests, sealed__the_trail_is_one_chain_through_all_lives);
    tcase_add_test(tests, sealed__a_head_that_was_written_down_is_held_to);
    tcase_add_test(tests, sealed__a_chain_goes_on_under_another_key);
    tcase_add_test(tests, sealed__what_was_not_kept_is_forgotten);
    tcase_add_test(tests, sealed__both_chains_go_along_what_is_on_the_way);
    tcase_add_test(tests, sealed__keys_are_taken_over_one_commit_at_a_time);
    tcase_add_loop_test(tests, sealed__frames_of_one_commit_are_opened_one_by_one, 0, 4);
    tcase_add_test(tests, sealed__a_key_is_of_the_first_frame_that_is_on_the_way);
    tcase_add_test(tests, sealed__a_look_goes_on_behind_what_was_dropped);
    tcase_add_test(tests, sealed__a_chain_whose_beginning_was_replaced_is_found);
    tcase_add_test(tests, sealed__a_damaged_end_is_gone_on_behind);
    tcase_add_test(tests, sealed__a_damaged_row_of_the_trail_is_told_as_one);
    tcase_add_test(tests, sealed__a_change_of_the_trail_is_found);
    tcase_add_test(tests, sealed__the_key_of_each_answer_stays);
    tcase_add_test(tests, sealed__a_key_is_read_however_it_is_written);
    tcase_add_test(tests, sealed__keys_are_told_what_is_wrong);
    tcase_add_test(tests, sealed__keys_are_sixteen_at_most);
    tcase_add_test(tests, sealed__what_is_bound_is_fixed);
    tcase_add_test(tests, sealed__each_bit_counts);
    tcase_add_test(tests, sealed__a_flag_that_is_not_known_is_not_passed_over);
    tcase_add_test(tests, sealed__what_has_no_number_was_not_sealed);
    tcase_add_test(tests, sealed__a_key_of_a_newer_form_is_not_guessed_at);
    tcase_add_test(tests, sealed__what_holds_nothing_was_not_sealed);
    tcase_add_test(tests, sealed__without_chance_nothing_is_committed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
