/* The store in PostgreSQL, on a server of its own: it does as the others do, what is written is read whole and counted, what is old goes, and a claim
 * with what it is of. */
#include "tests/support/postgres_world.h"

#define HOUR SPAN_S(3600)

static int open_twin(void *self, struct store **out, struct store_state *out_state)
{
    const struct postgres_store_options options = place_options(&server, self);
    int code = postgres_store_open(&options, out, out_state, &detail);
    ck_assert_msg(code == 0, "open: %d %s %s", code, detail.field, detail.text);
    return code;
}

START_TEST(postgres_store__does_as_the_others_do)
{
    twin_store_compare(open_twin, (void *)(uintptr_t) "twin", 400);
}
END_TEST

START_TEST(postgres_store__two_are_on_the_way)
{
    open_as(place_options(&server, "two"));
    struct store_commit first = frame(1), second;
    ck_assert_int_eq(store->commit(store, &first, &detail), STORE_PENDING);
    second = frame(2);
    ck_assert_int_eq(store->commit(store, &second, &detail), STORE_PENDING);
    ck_assert_int_eq(fate(10), 0);
    ck_assert_int_eq(fate(10), 0);
    ck_assert_int_eq(commit_one(3), 0);
    teardown();
    open_as(place_options(&server, "two"));
    ck_assert_uint_eq(state.last_frame, 3);
}
END_TEST

static int count_frame(void *self, uint64_t number, struct bytes records)
{
    ck_assert_uint_eq(number, ++*(unsigned *)self);
    ck_assert_uint_gt(records.size, 0);
    return 0;
}

START_TEST(postgres_store__fresh_one_holds_nothing)
{
    unsigned count = 0;
    struct bytes records;
    open_as(place_options(&server, "fresh"));
    ck_assert(state.first_frame == 0 && state.last_frame == 0 && state.oldest_live_frame == 0 && state.serial_max == 0);
    for (uint64_t from = 0; from < 2; from++) {
        ck_assert_int_eq(store->scan(store, from, count_frame, &count, &detail), 0);
        ck_assert_int_eq(store->read_frame(store, from, &records, &detail), E_CURSOR);
    }
    ck_assert_uint_eq(count, 0);
}
END_TEST

/* As a check does of a journal that somebody else holds, and goes on writing. */
START_TEST(postgres_store__a_look_shows_what_is_there)
{
    struct store *beside;
    struct store_state seen;
    struct bytes records;
    unsigned count = 0;
    open_as(place_options(&server, "looked at"));
    for (uint64_t number = 1; number <= 3; number++)
        commit_ended(number);
    struct store_commit fourth = frame(4);
    fourth.oldest_live_frame = 2;
    fourth.audit = (struct audit_row){.seq = 1, .at.us = 1, .body = bytes_of_text("somebody")};
    ck_assert_int_eq(commit_in_time(store, &fourth, &detail), 0);
    ck_assert_int_eq(postgres_store_look(server.conninfo, "looked at", SPAN_S(20), &beside, &seen, &detail), 0);
    ck_assert(seen.first_frame == 1 && seen.last_frame == 4 && seen.oldest_live_frame == 2);
    ck_assert(seen.serial_max == 3 && seen.audit_last == 1 && seen.epoch == state.epoch);
    ck_assert_int_eq(commit_one(5), 0);
    ck_assert_int_eq(beside->scan(beside, 1, count_frame, &count, &detail), 0);
    ck_assert_uint_eq(count, 4); /* as it was when the look began */
    ck_assert_int_eq(beside->read_frame(beside, 2, &records, &detail), 0);
    ck_assert_int_eq(beside->read_frame(beside, 5, &records, &detail), E_CURSOR);
    beside->close(beside);
    ck_assert_int_eq(store->check(store, &detail), 0);
    ck_assert_int_eq(postgres_store_look(server.conninfo, "nobody's", SPAN_S(20), &beside, &seen, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "store_journal");
    ck_assert_str_eq(detail.text, "the database has no journal of this name");
}
END_TEST

static int add_version(void *self, const struct subject_row *row)
{
    *(unsigned *)self += (unsigned)row->version;
    ck_assert_uint_eq(row->value.size, row->version == 2 ? 0 : 2);
    return 0;
}

START_TEST(postgres_store__subjects_are_the_last_of_their_name)
{
    struct subject_row rows[] = {
        {.kind = SUBJECT_TAG, .name = bytes_of_text("a"), .version = 1, .value = bytes_of_text("old")},
        {.kind = SUBJECT_TAG, .name = bytes_of_text("a"), .version = 2, .value = bytes_of_text("")},
        {.kind = SUBJECT_RETRY, .name = bytes_of_text("a"), .version = 4, .value = bytes_of_text("of")}, /* another's */
    };
    open_as(place_options(&server, "subjects"));
    struct store_commit commit = {.epoch = state.epoch, .subjects = rows, .subject_count = 3};
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    commit.subject_count = 1;
    commit.subjects = &(struct subject_row){
        .kind = SUBJECT_PIN, .name = bytes_of("\0\1", 2), .version = 9, .value = bytes_of("\0x", 2)};
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    unsigned versions = 0;
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_TAG, add_version, &versions, &detail), 0);
    ck_assert_uint_eq(versions, 2);
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_PIN, add_version, &versions, &detail), 0);
    ck_assert_uint_eq(versions, 11);
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_RETRY, add_version, &versions, &detail), 0);
    ck_assert_uint_eq(versions, 15);
}
END_TEST

static int take_largest(void *self, const struct subject_row *row)
{
    const struct subject_row *wanted = self;
    ck_assert(bytes_equal(row->name, wanted->name) && bytes_equal(row->value, wanted->value));
    return 77;
}

START_TEST(postgres_store__the_largest_subject_comes_back)
{
    static uint8_t name[SUBJECT_NAME_BYTES_MAX], value[SUBJECT_VALUE_BYTES_MAX];
    memset(name, 'n', sizeof name);
    memset(value, 'v', sizeof value);
    struct subject_row row = {
        .kind = SUBJECT_PIN, .name = bytes_of(name, sizeof name), .version = 1, .value = bytes_of(value, sizeof value)};
    open_as(place_options(&server, "largest"));
    struct store_commit commit = {.epoch = state.epoch, .subjects = &row, .subject_count = 1};
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_PIN, take_largest, &row, &detail), 77);
}
END_TEST

static int count_subject(void *self, const struct subject_row *row)
{
    (void)row;
    ++*(unsigned *)self;
    return 0;
}

static int count_definition(void *self, const struct definition_row *row)
{
    ck_assert_uint_eq(row->number, ++*(unsigned *)self);
    return 0;
}

static int count_audit(void *self, const struct audit_row *row)
{
    ck_assert(bytes_equal(row->body, bytes_of_text("x")));
    ++*(unsigned *)self;
    return 0;
}

START_TEST(postgres_store__more_than_is_asked_for_at_once_is_read_whole)
{
    enum { MANY = 150, ROWS_OF_TRAIL = 600 };
    static struct subject_row subjects[MANY];
    static struct definition_row definitions[MANY];
    static char names[MANY][8];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%u", i);
        subjects[i] = (struct subject_row){.kind = SUBJECT_PIN, .name = bytes_of_text(names[i]), .version = 1};
        definitions[i] = (struct definition_row){.number = i + 1, .source = bytes_of_text("name: order")};
    }
    open_as(place_options(&server, "many"));
    struct store_commit commit = {.epoch = state.epoch,
                                  .subjects = subjects,
                                  .subject_count = MANY,
                                  .definitions = definitions,
                                  .definition_count = MANY};
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    place_query(&server, "insert into saga_audit select id, n, n, 'x' from saga_journal, generate_series(1, 600) as n "
                         "where name = 'many'");
    unsigned told = 0;
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_PIN, count_subject, &told, &detail), 0);
    ck_assert_uint_eq(told, MANY);
    told = 0;
    ck_assert_int_eq(store->scan_definitions(store, count_definition, &told, &detail), 0);
    ck_assert_uint_eq(told, MANY);
    told = 0;
    ck_assert_int_eq(store->scan_audit(store, 1, UINT32_MAX, count_audit, &told, &detail), 0);
    ck_assert_uint_eq(told, ROWS_OF_TRAIL);
    told = 0;
    ck_assert_int_eq(store->scan_audit(store, 2, 300, count_audit, &told, &detail), 0);
    ck_assert_uint_eq(told, 300); /* and no more than was asked for */
}
END_TEST

/* A piece at a time, until nothing is left that may go. */
START_TEST(postgres_store__old_frames_go_by_pieces)
{
    const struct instant late = {.us = INT64_C(1) << 40};
    unsigned pieces = 1;
    bool more = true;
    open_as(place_options(&server, "pieces"));
    for (uint64_t n = 1; n <= 6; n++) {
        struct store_commit commit = frame(n);
        commit.oldest_live_frame = n < 4 ? n : 4;
        ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    }
    for (;; pieces++) {
        ck_assert_int_eq(store->drop(store, late, 5, 2, &more, &detail), 0);
        if (!more)
            break;
        ck_assert_uint_eq(store->first_frame(store), 2 * pieces + 1);
    }
    ck_assert_uint_eq(pieces, 3); /* the last of which finds nothing */
    ck_assert_uint_eq(store->first_frame(store), 5);
    teardown();
    open_as(place_options(&server, "pieces"));
    ck_assert_uint_eq(state.first_frame, 5);
    ck_assert_uint_eq(state.oldest_live_frame, 5); /* a start reads none that is gone */
}
END_TEST

/* What comes is counted, what goes is not any more, and at the next opening all is counted anew: to the same number, however many rows. */
START_TEST(postgres_store__holds_what_it_counts)
{
    struct postgres_store_options options = place_options(&server, "counted");
    const struct instant late = {.us = INT64_C(1) << 40};
    const uint64_t one = frame(1).records.size + PG_FRAME_ROW_BYTES;
    uint64_t all = 0;
    bool more = true;
    options.bytes_max = UINT64_C(1) << 30;
    open_as(options);
    for (uint64_t n = 1; n <= 3; n++) {
        all += commit_ended(n);
        ck_assert_uint_eq(postgres_store_bytes(store), all);
    }
    teardown();
    /* The last that fits, and one more. */
    options.bytes_max = all + one;
    options.commit_bytes_max = all;
    open_as(options);
    ck_assert_uint_eq(postgres_store_bytes(store), all);
    ck_assert(store->is_tight(store)); /* all that is left is kept for what has begun */
    ck_assert_int_eq(commit_one(4), 0);
    ck_assert_int_eq(commit_one(5), E_JOURNAL_FULL);
    ck_assert_uint_eq(postgres_store_bytes(store), options.bytes_max);
    /* Frames that are needed stay. */
    while (more)
        ck_assert_int_eq(store->drop(store, late, 3, 2, &more, &detail), 0);
    ck_assert_uint_eq(postgres_store_bytes(store), 2 * one);
    ck_assert_int_eq(commit_one(5), 0);
    teardown();
    open_as(options);
    ck_assert_uint_eq(state.first_frame, 3);
    ck_assert_uint_eq(state.serial_max, 3);
    ck_assert_uint_eq(postgres_store_bytes(store), 3 * one);
    /* Without what is needed, too, the last frame stays. */
    for (more = true; more;)
        ck_assert_int_eq(store->drop(store, late, 100, 2, &more, &detail), 0);
    ck_assert_uint_eq(postgres_store_bytes(store), one);
    teardown();
    /* Of more rows than one answer holds. */
    place_query(&server,
                "insert into saga_frame(journal, frame, epoch, at_us, records) select id, 100 + n, 0, 0, '1234'::bytea "
                "from saga_journal, generate_series(1, 20010) as n where name = 'counted'");
    options.bytes_max = UINT64_C(1) << 30;
    open_as(options);
    ck_assert_uint_eq(state.oldest_live_frame, 5);
    ck_assert_uint_eq(postgres_store_bytes(store), one + 20010 * (4 + PG_FRAME_ROW_BYTES));
}
END_TEST

/* A row that ended too late to go is counted still, and so is who began it. */
START_TEST(postgres_store__what_retention_passes_over_is_counted_still)
{
    struct postgres_store_options options = place_options(&server, "staying");
    struct ended_row rows[] = {ended_of(1, "r", "ann"), ended_of(2, "s", "bob")};
    bool more;
    rows[1].ended_at.us = 5000;
    options.bytes_max = UINT64_C(1) << 30;
    open_as(options);
    struct store_commit commit = frame(1);
    commit.ended = rows;
    commit.ended_count = 2;
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    for (int dropped = 0; dropped < 2; dropped++) {
        uint64_t before = postgres_store_bytes(store);
        teardown();
        open_as(options);
        ck_assert_uint_eq(postgres_store_bytes(store), before);
        ck_assert_int_eq(store->drop(store, rows[1].ended_at, 1, 100, &more, &detail), 0);
        ck_assert_uint_eq(before - postgres_store_bytes(store), dropped ? 0 : PG_ENDED_ROW_BYTES + strlen("orderrann"));
    }
}
END_TEST

/* The trail is whole: what is gone from its middle was not dropped. */
START_TEST(postgres_store__a_missing_row_of_the_trail_is_told)
{
    unsigned told = 0;
    open_as(place_options(&server, "trail"));
    for (uint64_t n = 1; n <= 3; n++) {
        struct store_commit commit = {.epoch = state.epoch,
                                      .audit = {.seq = n, .at.us = 1, .body = bytes_of_text("x")}};
        ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    }
    place_query(&server, "delete from saga_audit where seq = 2 and journal = (select id from saga_journal where name = "
                         "'trail')");
    ck_assert_int_eq(store->scan_audit(store, 1, 10, count_audit, &told, &detail), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "a row of the table saga_audit is missing"));
    ck_assert_uint_eq(told, 1);
    ck_assert_int_eq(store->scan_audit(store, 2, 10, count_audit, &told, &detail),
                     0); /* what is old goes from the front */
    ck_assert_uint_eq(told, 2);
}
END_TEST

static int take_any(void *self, uint64_t number, struct bytes records)
{
    (void)records;
    *(uint64_t *)self = number;
    return 0;
}

/* So are the frames. */
START_TEST(postgres_store__a_missing_frame_is_told)
{
    uint64_t last = 0;
    struct bytes records;
    open_as(place_options(&server, "gap"));
    for (uint64_t n = 1; n <= 4; n++) {
        struct store_commit commit = frame(n);
        ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    }
    store->close(store);
    open_as(place_options(&server, "gap")); /* which remembers none */
    place_query(&server, "delete from saga_frame where frame in (2, 4) and journal = (select id from saga_journal "
                         "where name = 'gap')");
    ck_assert_int_eq(store->read_frame(store, 2, &records, &detail), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "frame 2: is missing"));
    ck_assert_int_eq(store->read_frame(store, 3, &records, &detail), 0);
    ck_assert_int_eq(store->scan(store, 1, take_any, &last, &detail), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "frame 2: is missing"));
    ck_assert_uint_eq(last, 1);
    ck_assert_int_eq(store->scan(store, 3, take_any, &last, &detail), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "frame 4: is missing"));
    ck_assert_uint_eq(last, 3);
}
END_TEST

/* Of a saga that has ended all is kept, to the widest that each may be; and of one without request_id none. */
START_TEST(postgres_store__what_has_ended_is_kept_whole)
{
    static char longest[4096];
    memset(longest, 'x', sizeof longest);
    const struct ended_row rows[] = {{.saga = {.tag = (UINT64_C(1) << SAGA_ID_TAG_BITS) - 1, .serial = 1},
                                      .state = SAGA_RESOLVED,
                                      .mode = SAGA_ENLISTED,
                                      .reason = REASON_COUNT - 1,
                                      .lacks = LACKS_MAX,
                                      .synthetic = true,
                                      .skips = UINT16_MAX - 1,
                                      .definition = UINT32_MAX - 2,
                                      .name = bytes_of(longest, NAME_BYTES_MAX),
                                      .request_id = bytes_of(longest, REQUEST_ID_BYTES_MAX),
                                      .owner = bytes_of(longest, IDENTITY_BYTES_MAX),
                                      .fingerprint = UINT64_MAX - 3,
                                      .started_at.us = INT64_MAX - 5,
                                      .ended_at.us = INT64_MAX - 4,
                                      .first_frame = 1,
                                      .last_frame = 1},
                                     ended_of(2, "", "")};
    struct ended_row row;
    open_as(place_options(&server, "whole"));
    struct store_commit commit = frame(1);
    commit.ended = rows;
    commit.ended_count = 2;
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    so("(select string_agg((request_id is null)::text, ' ' order by serial) from saga_ended e, saga_journal j "
       "where e.journal = j.id and j.name = 'whole') = 'false true'");
    teardown();
    open_as(place_options(&server, "whole")); /* which remembers none */
    ck_assert_int_eq(store->find_ended(store, 1, &row, &detail), 0);
    ck_assert(row.saga.tag == rows[0].saga.tag && row.saga.serial == 1 && row.state == rows[0].state);
    ck_assert(row.mode == rows[0].mode && row.reason == rows[0].reason && row.lacks == rows[0].lacks);
    ck_assert(row.synthetic && row.skips == rows[0].skips && row.definition == rows[0].definition);
    ck_assert(bytes_equal(row.name, rows[0].name) && bytes_equal(row.request_id, rows[0].request_id) &&
              bytes_equal(row.owner, rows[0].owner) && row.fingerprint == rows[0].fingerprint);
    ck_assert(row.started_at.us == rows[0].started_at.us && row.ended_at.us == rows[0].ended_at.us);
    ck_assert(row.first_frame == 1 && row.last_frame == 1);
    ck_assert_int_eq(store->find_ended(store, 2, &row, &detail), 0);
    ck_assert(!row.synthetic && row.skips == 0 && row.lacks == 0 && row.reason == 0 && row.request_id.size == 0);
}
END_TEST

/* ---- claims ---- */

static unsigned looks;

static bool lives(void *self, struct bytes request_id)
{
    (void)self;
    looks++;
    if (bytes_equal(request_id, bytes_of_text("looked-at"))) /* at this very moment */
        place_query(&server, "update saga_request set at_us = extract(epoch from clock_timestamp())::bigint * 1000000 "
                             "where request_id = 'looked-at'");
    return bytes_equal(request_id, bytes_of_text("lives"));
}

static bool drop_claims(struct store *of, uint32_t work_max)
{
    bool more;
    ck_assert_int_eq(of->drop_claims(of, HOUR, lives, NULL, work_max, &more, &detail), 0);
    return more;
}

/* By the store's own clock. */
static void passes(struct store *of, struct span time)
{
    struct hold_past *past = &((struct postgres_store *)of)->claims_past;
    ck_assert(past->begun);
    past->noted_us -= time.us;
}

static void a_while_passes(struct store *of)
{
    passes(of, SPAN_S(60));
}

/* Those that nobody has looked at for so long and nothing is left of; each time a bounded number, and none twice in one go. */
START_TEST(postgres_store__claims_go_with_what_they_are_of)
{
    struct postgres_store_options options = place_options(&server, "claims");
    options.fleet = "f";
    place_query(&server, "truncate saga_request, saga_ended");
    open_as(options);
    place_query(
        &server,
        "insert into saga_request(fleet, request_id, journal, at_us) select 'f', convert_to(x.id, 'UTF8'), j.id, "
        "(extract(epoch from clock_timestamp())::bigint - x.age) * 1000000 from (values ('lives', 9000), "
        "('ended', 9000), ('stale', 9000), ('looked-at', 8000), ('young', 3000)) as x(id, age), saga_journal j "
        "where j.name = 'claims'");
    place_query(&server, "insert into saga_request(fleet, request_id, journal, at_us) values('f', 'other', 0, 1)");
    place_query(&server,
                "insert into saga_ended select id, 1, 1, 2, 1, 0, 1, 'x', 'ended', '', 1, 1, 1, 1, 1 from saga_journal "
                "where name = 'claims'");
    /* The server's clock may have jumped ahead just now: they are not old by that alone. */
    ck_assert(!drop_claims(store, 100));
    ck_assert(!drop_claims(store, 100));
    so("(select count(*) from saga_request) = 6");
    hold_clock();
    passes(store, SPAN_S(30));
    ck_assert(!drop_claims(store, 100));
    so("(select count(*) from saga_request) = 6");
    atomic_store(&held_us, 0);
    passes(store, SPAN_S(30));
    ck_assert(!drop_claims(store, 100));
    so("(select string_agg(convert_from(request_id, 'UTF8'), ' ' order by request_id) from saga_request) = "
       "'ended lives looked-at other young'");
    ck_assert_uint_eq(looks, 3);
    /* One at a time: those that stay do not stand in the way of others, and are not looked at for ever. */
    place_query(
        &server,
        "insert into saga_request(fleet, request_id, journal, at_us) select 'f', 'stale', id, "
        "(extract(epoch from clock_timestamp())::bigint - 8500) * 1000000 from saga_journal where name = 'claims'");
    ck_assert(!drop_claims(store, 1));
    ck_assert(!drop_claims(store, 1));
    so("(select count(*) from saga_request where request_id = 'stale') = 1");
    ck_assert(drop_claims(store, 1));
    so("(select count(*) from saga_request where request_id = 'stale') = 0");
    ck_assert(!drop_claims(store, 1)); /* the end */
    looks = 0;
    ck_assert(!drop_claims(store, 1)); /* and anew */
    ck_assert(!drop_claims(store, 1));
    ck_assert_uint_eq(looks, 1);
    /* Who knows of commits that the database lost drops none, as one that holds the saga's end. */
    place_query(&server, "delete from saga_ended where request_id = 'ended'");
    place_query(&server, "update saga_journal set seq = seq - 1 where name = 'claims'");
    drop_claims(store, 100);
    drop_claims(store, 100);
    so("(select count(*) from saga_request where request_id = 'ended') = 1");
    /* Nor does one whose journal it is no more. */
    struct store *stale = store;
    options.holder = "other";
    place_query(
        &server,
        "update saga_journal set seq = seq + 1, expires_at = clock_timestamp() - interval '1 s' where name = 'claims'");
    open_as(options);
    drop_claims(stale, 100);
    drop_claims(stale, 100);
    so("(select count(*) from saga_request where request_id = 'ended') = 1");
    a_while_passes(stale);
    drop_claims(stale, 100);
    stale->close(stale);
    drop_claims(store, 100);
    a_while_passes(store);
    drop_claims(store, 100);
    so("(select count(*) from saga_request where request_id = 'ended') = 0");
}
END_TEST

int main(void)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    Suite *s = suite_create("postgres_store");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, postgres_store__does_as_the_others_do);
    tcase_add_test(t, postgres_store__fresh_one_holds_nothing);
    tcase_add_test(t, postgres_store__a_look_shows_what_is_there);
    tcase_add_test(t, postgres_store__two_are_on_the_way);
    tcase_add_test(t, postgres_store__subjects_are_the_last_of_their_name);
    tcase_add_test(t, postgres_store__more_than_is_asked_for_at_once_is_read_whole);
    tcase_add_test(t, postgres_store__old_frames_go_by_pieces);
    tcase_add_test(t, postgres_store__holds_what_it_counts);
    tcase_add_test(t, postgres_store__what_retention_passes_over_is_counted_still);
    tcase_add_test(t, postgres_store__a_missing_row_of_the_trail_is_told);
    tcase_add_test(t, postgres_store__a_missing_frame_is_told);
    tcase_add_test(t, postgres_store__what_has_ended_is_kept_whole);
    tcase_add_test(t, postgres_store__the_largest_subject_comes_back);
    tcase_add_test(t, postgres_store__claims_go_with_what_they_are_of);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
