/* Looks into a journal in PostgreSQL: what is remembered, answers that come late or not at all, and request_ids that nobody has to ask for. */
#include "tests/support/postgres_world.h"
#include "tests/support/until.h"

#include <pthread.h>

static void add_serial(void *self, const struct ended_row *row)
{
    uint64_t *serials = self;
    *serials = *serials * 10 + row->saga.serial;
}

/* One that retention has taken is not found, though it was known a moment ago; two that ask under one request_id are told of their own; and a list
 * up to a time has what has ended since the opening. */
START_TEST(postgres_looks__what_is_remembered_is_what_is_there)
{
    const struct ended_row rows[] = {ended_of(1, "r", "ann"), ended_of(2, "r", "bob")};
    struct ended_row row;
    bool more;
    open_as(place_options(&server, "remembered"));
    struct store_commit commit = frame(1);
    commit.ended = rows;
    commit.ended_count = 2;
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    ck_assert_int_eq(store->find_request(store, bytes_of_text("r"), bytes_of_text("ann"), &row, &detail),
                     STORE_PENDING);
    ck_assert_int_eq(find_request_now("r", "bob", &row), 0);
    ck_assert_uint_eq(row.saga.serial, 2);
    ck_assert_int_eq(find_request_now("r", "ann", &row), 0);
    ck_assert_uint_eq(row.saga.serial, 1);
    struct ended_query query = {.started_before = {.us = 1001}, .rows_max = 9, .examine_max = 9};
    for (int i = 0; i < 2; i++) {
        uint64_t serials = 0;
        query.below = UINT64_MAX;
        ck_assert_int_eq(store->list_ended(store, &query, add_serial, &serials, &query.below, &detail), 0);
        ck_assert_uint_eq(serials, 21); /* newest first */
        ck_assert_uint_eq(query.below, 0);
        query.started_before = INSTANT_NEVER;
    }
    struct bytes records;
    for (uint64_t n = 1; n <= CACHED_BESIDE; n++)
        postgres_cache_keep((struct postgres_store *)store, 1 + n * CACHED_MAX, bytes_of_text("another in its place"));
    ck_assert(!postgres_cache_find((struct postgres_store *)store, 1, &(struct bytes){.size = 0}));
    for (uint64_t n = 1; n <= CACHED_BESIDE; n++)
        ck_assert(postgres_cache_find((struct postgres_store *)store, 1 + n * CACHED_MAX, &records));
    ck_assert_int_eq(store->read_frame(store, 1, &records, &detail), 0);
    ck_assert(bytes_equal(records, frame(1).records));

    ck_assert_int_eq(store->find_ended(store, 2, &row, &detail), 0);
    ck_assert_int_eq(store->drop(store, (struct instant){.us = 3000}, 1, 100, &more, &detail), 0);
    int code;
    while ((code = store->find_ended(store, 2, &row, &detail)) == STORE_PENDING)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    ck_assert_int_eq(code, E_SAGA_NOT_FOUND);
}
END_TEST

static void *lock_rows(void *self)
{
    place_query(self, "begin; lock table saga_ended; select pg_sleep(2); commit; select 1");
    return NULL;
}

/* An answer that comes late is the one that was asked for then, and nobody else's. */
START_TEST(postgres_looks__a_late_answer_is_given_to_who_asked)
{
    const struct ended_row rows[] = {ended_of(1, "a", ""), ended_of(RECENT_MAX + 1, "b", ""), ended_of(2, "c", ""),
                                     ended_of(RECENT_MAX + 2, "d", "")};
    struct ended_row row;
    pthread_t locker;
    int code = 0;
    open_as(place_options(&server, "late"));
    struct store_commit commit = frame(1);
    commit.ended = rows;
    commit.ended_count = 4;
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0); /* of each place the later one is remembered */
    ck_assert_int_eq(store->check(store, &detail), 0);            /* from now on no look holds the turn up */
    ck_assert_int_eq(pthread_create(&locker, NULL, lock_rows, &server), 0);
    while (code != STORE_PENDING)
        code = store->find_ended(store, 1, &row, &detail);
    while (code == STORE_PENDING) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        code = store->find_ended(store, 2, &row, &detail);
    }
    pthread_join(locker, NULL);
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(row.saga.serial, 2);
    ck_assert(bytes_equal(row.request_id, bytes_of_text("c")));
}
END_TEST

/* Of look-ups that nobody came back for the oldest makes way. */
START_TEST(postgres_looks__the_oldest_look_up_makes_way)
{
    struct ended_row row;
    char id[16];
    open_as(place_options(&server, "lookups"));
    struct postgres_store *s = (struct postgres_store *)store;
    s->filter.of_no_use = true; /* so that each is asked for */
    for (unsigned i = 0; i <= LOOKUPS_MAX; i++) {
        snprintf(id, sizeof id, "r%u", i);
        ck_assert_int_eq(store->find_request(store, bytes_of_text(id), bytes_of_text(""), &row, &detail),
                         STORE_PENDING);
    }
    ck_assert_uint_eq(s->lookup_count, LOOKUPS_MAX);
    for (unsigned i = 0; i < LOOKUPS_MAX; i++)
        ck_assert(!bytes_equal(s->lookups[i].request_id, bytes_of_text("r0")));
}
END_TEST

/* ---- a database whose every answer takes longer than a turn may be held ---- */

/* How the reader's answers come. DISTANT: each after the time for which it is waited, and before it is asked for again; SILENT: none does. */
static enum { NEAR, DISTANT, SILENT } answers;
static struct span held_up; /* what was waited */

static const struct pg_job *submitted; /* and not asked for yet; NULL: none */

int __real_link_submit(struct pg_link *link, struct pg_job *job);
int __wrap_link_submit(struct pg_link *link, struct pg_job *job);

int __wrap_link_submit(struct pg_link *link, struct pg_job *job)
{
    submitted = job;
    return __real_link_submit(link, job);
}

enum pg_job_state __real_link_ask(struct pg_link *link, struct pg_job *job, int64_t until_us);
enum pg_job_state __wrap_link_ask(struct pg_link *link, struct pg_job *job, int64_t until_us);

enum pg_job_state __wrap_link_ask(struct pg_link *link, struct pg_job *job, int64_t until_us)
{
    int64_t left_us = until_us - pg_now();
    if (answers == NEAR || job->statement < PG_WRITER_COUNT)
        return __real_link_ask(link, job, until_us);
    if (job == submitted) {
        submitted = NULL;
        held_up.us += left_us > 0 ? left_us : 0;
        advance((struct span){.us = left_us > 0 ? left_us : 0});
        return PG_JOB_WAITING;
    }
    if (answers == DISTANT)
        UNTIL(__real_link_ask(link, job, 0) != PG_JOB_WAITING);
    return answers == SILENT ? PG_JOB_WAITING : __real_link_ask(link, job, 0);
}

/* From now on, by a clock that the test moves. */
static void answers_are_distant(void)
{
    ck_assert_int_eq(store->check(store, &detail), 0); /* no look holds the turn up any more */
    hold_clock();
    answers = DISTANT;
    held_up.us = 0;
}

static void near_again(void)
{
    answers = NEAR;
    teardown();
}

static int find_serial(uint64_t serial)
{
    struct ended_row row;
    int code = store->find_ended(store, serial, &row, &detail);
    ck_assert(code != 0 || row.saga.serial == serial);
    return code;
}

/* Rows of sagas that this process does not know of; saga n began at n, and has a frame of the same number. */
static void add_many_ended(const char *journal, unsigned count)
{
    char sql[500];
    snprintf(sql, sizeof sql,
             "insert into saga_ended select id, n, 1, 2, 1, 0, 1, 'x', null, '', 1, n, n, n, n from saga_journal, "
             "generate_series(1, %u) as n where name = '%s'",
             count, journal);
    place_query(&server, sql);
}

/* Who has ended just now is remembered whole, and nobody is asked. */
START_TEST(postgres_looks__who_has_just_ended_is_known)
{
    const struct ended_row ended = ended_of(7, "r", "ann");
    struct ended_row row;
    open_as(place_options(&server, "just-ended"));
    struct store_commit commit = frame(1);
    commit.ended = &ended;
    commit.ended_count = 1;
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    answers_are_distant();
    ck_assert_int_eq(store->find_ended(store, 7, &row, &detail), 0);
    ck_assert(row.saga.serial == 7 && row.saga.tag == 1 && row.state == ended.state && row.mode == ended.mode);
    ck_assert(bytes_equal(row.name, ended.name) && bytes_equal(row.request_id, ended.request_id) &&
              bytes_equal(row.owner, ended.owner));
    ck_assert(row.started_at.us == 1000 && row.ended_at.us == 2000 && row.first_frame == 1 && row.last_frame == 1);
    ck_assert_int_eq(held_up.us, 0);
}
END_TEST

/* Whoever asks again in the same words is answered, whatever others have asked for meanwhile; and they hold a turn up no longer together than one does. */
START_TEST(postgres_looks__several_looks_are_on_the_way)
{
    struct bytes records;
    open_as(place_options(&server, "several"));
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(commit_one(n), 0);
    add_many_ended("several", 3);
    postgres_cache_finish((struct postgres_store *)store);
    answers_are_distant();
    ck_assert_int_eq(find_serial(1), STORE_PENDING);
    ck_assert_int_eq(find_serial(2), STORE_PENDING);
    ck_assert_int_eq(store->read_frame(store, 2, &records, &detail), STORE_PENDING);
    ck_assert_int_eq(held_up.us, SPAN_MS(50).us);
    ck_assert_int_eq(find_serial(2), 0);
    ck_assert_int_eq(find_serial(1), 0);
    ck_assert_int_eq(store->read_frame(store, 2, &records, &detail), 0);
    ck_assert(bytes_equal(records, frame(2).records));
    ck_assert_int_eq(held_up.us, SPAN_MS(50).us);
    /* In turns that follow one another closely it is no longer than in between. */
    for (int turn = 0; turn < 20; turn++) {
        advance(SPAN_MS(10));
        ck_assert_int_eq(find_serial(3), turn % 2 == 0 ? STORE_PENDING : 0);
    }
    ck_assert_int_le(held_up.us, SPAN_MS(50 + 200).us);
}
END_TEST

/* An answer is for a question of then. One that nobody has come back for is not given to who asks later. */
START_TEST(postgres_looks__an_old_answer_is_no_answer)
{
    struct bytes records;
    open_as(place_options(&server, "old-answer"));
    ck_assert_int_eq(commit_one(1), 0);
    postgres_cache_finish((struct postgres_store *)store);
    answers_are_distant();
    ck_assert_int_eq(find_serial(1), STORE_PENDING);
    ck_assert_int_eq(store->read_frame(store, 1, &records, &detail), STORE_PENDING);
    ck_assert_int_eq(find_serial(2), STORE_PENDING); /* by now the others have been answered */
    add_many_ended("old-answer", 1);
    advance(SPAN_S(3));
    ck_assert_int_eq(find_serial(1), STORE_PENDING);
    ck_assert_int_eq(find_serial(1), 0);
    ck_assert_int_eq(store->read_frame(store, 1, &records, &detail), 0); /* which is always the same */
}
END_TEST

/* There is an end to how many, and whoever has come back for none is forgotten. */
START_TEST(postgres_looks__looks_have_a_bound)
{
    open_as(place_options(&server, "bound"));
    add_many_ended("bound", LOOKS_MAX + 1);
    answers_are_distant();
    answers = SILENT;
    for (uint64_t n = 1; n <= LOOKS_MAX + 1; n++)
        ck_assert_int_eq(find_serial(n), STORE_PENDING);
    ck_assert_int_eq(held_up.us, SPAN_MS(50).us);
    advance(SPAN_S(1));
    ck_assert_int_eq(find_serial(1), STORE_PENDING);
    ck_assert_int_eq(held_up.us, SPAN_MS(50).us); /* behind the others it would wait in vain */
    ck_assert_uint_eq(((struct postgres_store *)store)->look_count, LOOKS_MAX);
    answers = DISTANT;
    ck_assert_int_eq(find_serial(LOOKS_MAX + 1), STORE_PENDING); /* in the place of another's answer */
    ck_assert_int_eq(find_serial(LOOKS_MAX + 1), 0);
    unsigned answered = 0;
    for (uint64_t n = 1; n <= LOOKS_MAX; n++)
        answered += find_serial(n) == 0;
    ck_assert_uint_eq(answered, LOOKS_MAX - 1);
}
END_TEST

/* Of frames whose places in memory are the same, too, all are there in the end for who begins anew each time that one is not. */
START_TEST(postgres_looks__a_history_is_read_whole_from_distant_answers)
{
    struct bytes records;
    unsigned passes = 0;
    open_as(place_options(&server, "history"));
    ck_assert_int_eq(commit_one(1), 0);
    place_query(&server,
                "insert into saga_frame select journal, 1 + 4096 * n, f.epoch, at_us, records from saga_frame f join "
                "saga_journal j on j.id = f.journal, generate_series(1, 9) as n where j.name = 'history'");
    struct postgres_store *s = (struct postgres_store *)store;
    s->last_frame = 1 + 9 * CACHED_MAX;
    answers_are_distant();
    for (int code = STORE_PENDING; code != 0; passes++) {
        ck_assert_uint_le(passes, 9);
        code = 0;
        for (uint64_t n = 9; n > 0 && code == 0; n--)
            code = store->read_frame(store, 1 + n * CACHED_MAX, &records, &detail);
        ck_assert(code == 0 || code == STORE_PENDING);
    }
    ck_assert(bytes_equal(records, frame(1).records));
}
END_TEST

/* Up to a time: the place in the list is found by the look that reads it, whatever ends meanwhile. */
START_TEST(postgres_looks__a_list_up_to_a_time_is_one_look)
{
    struct ended_query query = {.below = UINT64_MAX, .started_before = {.us = 35}, .rows_max = 2, .examine_max = 9};
    uint64_t examined_to;
    open_as(place_options(&server, "up-to"));
    add_many_ended("up-to", 90);
    place_query(&server, "update saga_ended set state = 4 where serial % 10 = 3 and journal = (select id from "
                         "saga_journal where name = 'up-to')");
    answers_are_distant();
    for (int rare = 0; rare < 2; rare++) {
        const struct ended_row row = ended_of(100 + (uint64_t)rare, "", "");
        struct store_commit commit = frame(1 + (uint64_t)rare);
        uint64_t serials = 0;
        commit.ended = &row;
        commit.ended_count = 1;
        query.states = rare ? UINT32_C(1) << SAGA_COMPENSATED : 0;
        ck_assert_int_eq(store->list_ended(store, &query, add_serial, &serials, &examined_to, &detail), STORE_PENDING);
        ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
        ck_assert_int_eq(store->list_ended(store, &query, add_serial, &serials, &examined_to, &detail), 0);
        ck_assert_uint_eq(serials, rare ? 33 * 10 + 23 : 34 * 10 + 33);
    }
}
END_TEST

#define HOUR SPAN_S(3600)

static bool lives_not(void *self, struct bytes request_id)
{
    (void)self;
    (void)request_id;
    return false;
}

/* Of every kind, in the same turns, a piece after another; the turns are those of a loop that has more to do. */
START_TEST(postgres_looks__retention_gets_through_distant_answers)
{
    struct postgres_store_options options = place_options(&server, "distant");
    const struct instant late = {.us = INT64_C(1) << 40};
    bool more[3] = {true, true, true};
    int codes[3] = {0}, turns = 0;
    options.fleet = "distant";
    open_as(options);
    for (uint64_t n = 1; n <= 10; n++)
        ck_assert_int_eq(commit_one(n), 0);
    add_many_ended("distant", 10);
    place_query(&server, "insert into saga_audit select id, n, n, 'x' from saga_journal, generate_series(1, 10) as n "
                         "where name = 'distant'");
    place_query(&server, "insert into saga_request(fleet, request_id, journal, at_us) select 'distant', "
                         "convert_to('r' || n, 'UTF8'), id, n from saga_journal, generate_series(1, 10) as n "
                         "where name = 'distant'");
    answers_are_distant();
    ((struct postgres_store *)store)->claims_past =
        (struct hold_past){.begun = true, .noted_us = pg_now(), .noted = INT64_MAX, .moment = INT64_MAX};
    for (; more[0] || more[1] || more[2]; turns++) {
        ck_assert_int_lt(turns, 24);
        uint64_t keep_from = 5 + (uint64_t)(turns < 4 ? turns : 4); /* what is needed moves on, and so does time */
        codes[0] = store->drop(store, (struct instant){.us = late.us + turns}, keep_from, 4, &more[0], &detail);
        codes[1] = store->drop_audit(store, (struct instant){.us = late.us + turns}, 4, &more[1], &detail);
        codes[2] = store->drop_claims(store, HOUR, lives_not, NULL, 4, &more[2], &detail);
        for (int i = 0; i < 3; i++) {
            ck_assert(codes[i] == 0 || codes[i] == STORE_PENDING);
            more[i] |= codes[i] == STORE_PENDING;
        }
        advance(SPAN_MS(16));
    }
    ck_assert_uint_ge(store->first_frame(store), 8);
    so("(select count(*) from saga_ended e join saga_journal j on j.id = e.journal where j.name = 'distant') = 0");
    so("(select count(*) from saga_audit a join saga_journal j on j.id = a.journal where j.name = 'distant') = 0");
    so("(select count(*) from saga_request where fleet = 'distant') = 0");
    so("(select min(frame) from saga_frame f join saga_journal j on j.id = f.journal where j.name = 'distant') >= 8");
}
END_TEST

/* ---- request_ids ---- */

/* What the store says of a request_id without asking the database, and what it says in the end. */
static int find_at_once(const char *request_id)
{
    struct ended_row row;
    return store->find_request(store, bytes_of_text(request_id), bytes_of(NULL, 0), &row, &detail);
}

static struct request_filter *filter(void)
{
    return &((struct postgres_store *)store)->filter;
}

/* Until it has read all rows. */
static void known_whole(void)
{
    for (int i = 0; filter()->next != NULL; i++) {
        ck_assert_int_lt(i, 60000);
        ck_assert_int_eq(store->check(store, &detail), 0);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* Of more rows than one answer holds: each is found, and a start with a new request_id waits for no answer. */
START_TEST(postgres_looks__new_request_ids_are_not_asked_for)
{
    char text[24];
    unsigned asked = 0;
    open_as(place_options(&server, "known"));
    ck_assert_int_eq(find("early"), E_SAGA_NOT_FOUND);
    teardown();
    place_query(&server, "insert into saga_ended select id, 100 + n, 1, 2, 0, 0, 0, '', convert_to('r-' || n, 'UTF8'), "
                         "'', 0, 0, 0, 1, 1 from "
                         "saga_journal, generate_series(1, 10000) as n where name = 'known'");
    open_as(place_options(&server, "known"));
    ck_assert_int_eq(find_at_once("while it is read"), STORE_PENDING);
    known_whole();
    for (unsigned n = 1; n <= 10000; n += n == 1 ? 98 : 99) {
        snprintf(text, sizeof text, "r-%u", n);
        ck_assert_int_eq(find(text), 0);
        snprintf(text, sizeof text, "new-%u", n);
        asked += find_at_once(text) == STORE_PENDING;
    }
    ck_assert_uint_le(asked, 1);
    /* What was asked for before it was whole is answered by the database, and no later question by that answer. */
    ck_assert_uint_ge(((struct postgres_store *)store)->lookup_count, 1);
    ck_assert_int_eq(find("while it is read"), E_SAGA_NOT_FOUND);
    ck_assert_uint_eq(((struct postgres_store *)store)->lookup_count, asked);
    ck_assert_int_eq(find_at_once("request"), E_SAGA_NOT_FOUND);
    commit_ended(1);
    ck_assert_int_eq(find("request"), 0);
}
END_TEST

/* A look that fails says nothing of the rows that it would have given. */
START_TEST(postgres_looks__a_failed_look_makes_no_request_id_new)
{
    open_as(place_options(&server, "look"));
    commit_ended(1);
    teardown();
    open_as(place_options(&server, "look"));
    struct postgres_store *s = (struct postgres_store *)store;
    ck_assert_ptr_nonnull(s->filter_piece);
    UNTIL(link_ask(s->reader, s->filter_piece, 0) == PG_JOB_DONE);
    s->filter_piece->state = PG_JOB_FAILED;
    ck_assert_int_eq(find_at_once("request"), STORE_PENDING);
    known_whole();
    ck_assert_int_eq(find("request"), 0);
}
END_TEST

/* What retention drops is forgotten in time; what comes meanwhile is not. */
START_TEST(postgres_looks__known_request_ids_are_read_anew)
{
    open_as(place_options(&server, "anew"));
    known_whole();
    commit_ended(1);
    place_query(&server, "delete from saga_ended where journal = (select id from saga_journal where name = 'anew')");
    ck_assert_int_eq(find("request"), E_SAGA_NOT_FOUND);
    filter()->since = UINT64_C(1) << 40;
    ck_assert_int_eq(find_at_once("request"), STORE_PENDING); /* it is being read anew, and this one is in use */
    ck_assert_ptr_nonnull(filter()->next);
    ck_assert_int_eq(find("request"), E_SAGA_NOT_FOUND);
    known_whole();
    ck_assert_int_eq(find_at_once("request"), E_SAGA_NOT_FOUND);
    filter()->since = UINT64_C(1) << 40;
    ck_assert_int_eq(find_at_once("request"), E_SAGA_NOT_FOUND);
    ck_assert_ptr_nonnull(filter()->next);
    commit_ended(2);
    known_whole();
    ck_assert_int_eq(find("request"), 0);
    /* From the beginning each time. */
    for (int again = 0; again < 2; again++) {
        filter()->since = UINT64_C(1) << 40;
        ck_assert_int_eq(find_at_once("other"), E_SAGA_NOT_FOUND);
        known_whole();
        ck_assert_int_eq(find("request"), 0);
    }
    /* With too many everybody asks. */
    filter()->since = UINT64_C(1) << 40;
    ck_assert_int_eq(find_at_once("other"), E_SAGA_NOT_FOUND);
    filter()->ids = UINT64_C(1) << 40;
    known_whole();
    ck_assert_int_eq(find_at_once("other"), STORE_PENDING);
    ck_assert_int_eq(find("other"), E_SAGA_NOT_FOUND);
    ck_assert_int_eq(find("request"), 0);
}
END_TEST

int main(void)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    Suite *s = suite_create("postgres_looks");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, near_again);
    tcase_add_test(t, postgres_looks__what_is_remembered_is_what_is_there);
    tcase_add_test(t, postgres_looks__the_oldest_look_up_makes_way);
    tcase_add_test(t, postgres_looks__who_has_just_ended_is_known);
    tcase_add_test(t, postgres_looks__a_late_answer_is_given_to_who_asked);
    tcase_add_test(t, postgres_looks__several_looks_are_on_the_way);
    tcase_add_test(t, postgres_looks__an_old_answer_is_no_answer);
    tcase_add_test(t, postgres_looks__looks_have_a_bound);
    tcase_add_test(t, postgres_looks__a_history_is_read_whole_from_distant_answers);
    tcase_add_test(t, postgres_looks__a_list_up_to_a_time_is_one_look);
    tcase_add_test(t, postgres_looks__retention_gets_through_distant_answers);
    tcase_add_test(t, postgres_looks__new_request_ids_are_not_asked_for);
    tcase_add_test(t, postgres_looks__a_failed_look_makes_no_request_id_new);
    tcase_add_test(t, postgres_looks__known_request_ids_are_read_anew);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
