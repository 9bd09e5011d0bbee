/* The store in PostgreSQL, on a server of its own: it does as the others do, and a commit whose holder, epoch or predecessor is not the right
 * one changes nothing, whatever happens to the connection, the server or the process. */
#include "sidecar/journal/postgres/hold.h"
#include "sidecar/journal/postgres/postgres_inside.h"
#include "tests/support/frames.h"
#include "tests/support/postgres_place.h"
#include "tests/support/twin_store.h"
#include "tests/support/until.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HOUR SPAN_S(3600)

static struct postgres server;
static struct store *store;
static struct store_state state;
static struct error_detail detail;
static uint8_t frame_bytes[8192];

static void open_as(struct postgres_store_options options)
{
    int code = postgres_store_open(&options, &store, &state, &detail);
    ck_assert_msg(code == 0, "open: %d %s %s", code, detail.field, detail.text);
}

/* The store's clock stands still, and goes as the test says: no machine is too busy for it. */
static _Atomic int64_t held_us;

int64_t __real_pg_now(void);
int64_t __wrap_pg_now(void);

int64_t __wrap_pg_now(void)
{
    int64_t held = atomic_load(&held_us);
    return held != 0 ? held : __real_pg_now();
}

/* The next bytes for the server, which libpq cannot get rid of. */
static atomic_bool flush_fails;

int __real_PQflush(PGconn *db);
int __wrap_PQflush(PGconn *db);

int __wrap_PQflush(PGconn *db)
{
    return atomic_exchange(&flush_fails, false) ? -1 : __real_PQflush(db);
}

static void hold_clock(void)
{
    atomic_store(&held_us, __real_pg_now());
}

static void advance(struct span by)
{
    atomic_fetch_add(&held_us, by.us);
}

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

static void teardown(void)
{
    answers = NEAR;
    atomic_store(&held_us, 0);
    if (store != NULL)
        store->close(store);
    store = NULL;
}

static void so(const char *condition)
{
    char sql[512];
    snprintf(sql, sizeof sql, "select 1 / (case when %s then 1 else 0 end)", condition);
    place_query(&server, sql);
}

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

static struct store_commit frame(uint64_t number)
{
    return (struct store_commit){
        .epoch = state.epoch,
        .frame = number,
        .records = frame_make(frame_bytes, number, 1, 100, (struct instant){.us = (int64_t)number}),
    };
}

static int commit_one(uint64_t number)
{
    struct store_commit commit = frame(number);
    return commit_in_time(store, &commit, &detail);
}

/* Asks until the fate of the oldest is known. */
static int fate(double seconds)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        int code = store->settle(store, &detail);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((code != STORE_PENDING && code != STORE_AMBIGUOUS) || (double)(now.tv_sec - begin.tv_sec) > seconds)
            return code;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

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

/* ---- who holds it ---- */

/* How long a holder may rely on what it was given, when it asks for more, and what says that the database has lost something. */
START_TEST(postgres_store__a_hold_ends_before_its_lease)
{
    ck_assert_int_eq(hold_until(5000000, SPAN_S(10)), 14000000);
    ck_assert(!hold_is_old(8333332, 5000000, SPAN_S(10)) && hold_is_old(8333333, 5000000, SPAN_S(10)));
    const struct hold_mark seen = {5, 7};
    ck_assert(!hold_went_back((struct hold_mark){5, 7}, seen) && !hold_went_back((struct hold_mark){6, 8}, seen));
    ck_assert(hold_went_back((struct hold_mark){4, 9}, seen) && hold_went_back((struct hold_mark){6, 6}, seen));
    ck_assert(hold_has_kept(7, 7) && !hold_has_kept(8, 7));
}
END_TEST

static struct ended_row ended_of(uint64_t serial, const char *request_id, const char *owner)
{
    return (struct ended_row){.saga = {.tag = 1, .serial = serial},
                              .state = SAGA_COMMITTED,
                              .mode = SAGA_ENLISTED,
                              .name = bytes_of_text("order"),
                              .request_id = bytes_of_text(request_id),
                              .owner = bytes_of_text(owner),
                              .started_at = {.us = 1000},
                              .ended_at = {.us = 2000},
                              .first_frame = 1,
                              .last_frame = 1};
}

static int find_request_now(const char *request_id, const char *owner, struct ended_row *row)
{
    int code;
    while ((code = store->find_request(store, bytes_of_text(request_id), bytes_of_text(owner), row, &detail)) ==
           STORE_PENDING)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return code;
}

static void add_serial(void *self, const struct ended_row *row)
{
    uint64_t *serials = self;
    *serials = *serials * 10 + row->saga.serial;
}

/* One that retention has taken is not found, though it was known a moment ago; two that ask under one request_id are told of their own; and a list
 * up to a time has what has ended since the opening. */
START_TEST(postgres_store__what_is_remembered_is_what_is_there)
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
START_TEST(postgres_store__a_late_answer_is_given_to_who_asked)
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
START_TEST(postgres_store__the_oldest_look_up_makes_way)
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

/* Whoever asks again in the same words is answered, whatever others have asked for meanwhile; and they hold a turn up no longer together than one does. */
START_TEST(postgres_store__several_looks_are_on_the_way)
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
START_TEST(postgres_store__an_old_answer_is_no_answer)
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
START_TEST(postgres_store__looks_have_a_bound)
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
START_TEST(postgres_store__a_history_is_read_whole_from_distant_answers)
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
START_TEST(postgres_store__a_list_up_to_a_time_is_one_look)
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

static bool lives_not(void *self, struct bytes request_id)
{
    (void)self;
    (void)request_id;
    return false;
}

/* Of every kind, in the same turns, a piece after another; the turns are those of a loop that has more to do. */
START_TEST(postgres_store__retention_gets_through_distant_answers)
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

START_TEST(postgres_store__another_waits_for_the_lease)
{
    struct postgres_store_options options = place_options(&server, "leased");
    struct store *other;
    struct store_state other_state;
    options.lease = SPAN_S(60);
    open_as(options);
    options.holder = "other";
    options.patience = SPAN_MS(300);
    ck_assert_int_eq(postgres_store_open(&options, &other, &other_state, &detail), E_JOURNAL_LOCKED);
    ck_assert_ptr_nonnull(strstr(detail.text, "another sidecar (test) holds it"));
    so("(select wanted_until < clock_timestamp() from saga_journal where name = 'leased')"); /* it has it from nobody */
    /* Given up, it is there at once, and not when its lease is over. */
    teardown();
    options.patience = SPAN_S(30);
    ck_assert_int_eq(postgres_store_open(&options, &other, &other_state, &detail), 0);
    other->close(other);
}
END_TEST

START_TEST(postgres_store__stale_holder_lets_nothing_out)
{
    struct postgres_store_options options = place_options(&server, "stale");
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    struct store *stale = store;
    struct store_state before = state;
    options.holder = "other";
    place_query(&server,
                "update saga_journal set expires_at = clock_timestamp() - interval '1 s' where name = 'stale'");
    open_as(options);
    ck_assert_uint_gt(state.epoch, before.epoch);
    ck_assert_int_eq(commit_one(2), 0);
    struct store *holder = store;
    store = stale;
    uint64_t epoch = state.epoch;
    state.epoch = before.epoch;
    struct store_commit late = frame(2);
    ck_assert_int_eq(store->commit(store, &late, &detail), STORE_PENDING);
    ck_assert_int_eq(fate(10), E_JOURNAL_FENCED);
    ck_assert_ptr_nonnull(strstr(detail.text, "another sidecar (other)"));
    ck_assert_int_eq(store->holds(store, &detail), E_JOURNAL_FENCED);
    bool more;
    const struct instant late_all = {.us = INT64_C(1) << 40};
    late = frame(3);
    ck_assert_int_eq(store->commit(store, &late, &detail), E_JOURNAL_FENCED);
    ck_assert_int_eq(store->drop(store, late_all, 3, 100, &more, &detail), E_JOURNAL_FENCED);
    ck_assert_int_eq(store->drop_audit(store, late_all, 100, &more, &detail), E_JOURNAL_FENCED);
    ck_assert_int_eq(store->drop_claims(store, SPAN_S(1), NULL, NULL, 100, &more, &detail), E_JOURNAL_FENCED);
    ck_assert_ptr_nonnull(strstr(detail.text, "another sidecar (other)"));
    teardown();
    store = holder;
    state.epoch = epoch;
    ck_assert_int_eq(commit_one(3), 0); /* giving up what was not its any more took nothing away */
}
END_TEST

/* What is old goes by a statement that names the epoch, too. */
START_TEST(postgres_store__stale_holder_drops_nothing)
{
    struct postgres_store_options options = place_options(&server, "drops");
    struct bytes records;
    bool more;
    open_as(options);
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(commit_one(n), 0);
    struct store *stale = store;
    options.holder = "other";
    place_query(&server,
                "update saga_journal set expires_at = clock_timestamp() - interval '1 s' where name = 'drops'");
    open_as(options);
    const struct instant late = {.us = INT64_C(1) << 40};
    ck_assert_int_eq(stale->drop(stale, late, 3, 100, &more, &detail), 0);
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(store->read_frame(store, n, &records, &detail), 0);
    stale->close(stale);
    ck_assert_int_eq(store->drop(store, late, 3, 100, &more, &detail), 0);
    ck_assert_int_eq(store->read_frame(store, 2, &records, &detail), E_CURSOR);
}
END_TEST

/* Nor who has not heard yet that the database lost what its knowledge of what may go rests on. */
START_TEST(postgres_store__who_knows_more_than_there_is_drops_nothing)
{
    struct postgres_store_options options = place_options(&server, "lacks");
    struct bytes records;
    bool more;
    options.bytes_max = UINT64_C(1) << 30;
    open_as(options);
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(commit_one(n), 0);
    const struct instant late = {.us = INT64_C(1) << 40};
    place_query(&server, "update saga_journal set seq = 2 where name = 'lacks'");
    ck_assert_int_eq(store->drop(store, late, 3, 100, &more, &detail), 0);
    ck_assert_int_eq(place_number(&server, "select count(*) from saga_frame f join saga_journal j on j.id = f.journal "
                                           "where j.name = 'lacks'"),
                     3);
    place_query(&server, "update saga_journal set seq = 3 where name = 'lacks'");
    ck_assert_int_eq(store->drop(store, late, 3, 100, &more, &detail), 0);
    ck_assert_int_eq(store->read_frame(store, 2, &records, &detail), E_CURSOR);
    /* What was to go twice is counted as gone once. */
    ck_assert_uint_eq(postgres_store_bytes(store), frame(3).records.size + PG_FRAME_ROW_BYTES);
}
END_TEST

/* A piece at a time, until nothing is left that may go. */
START_TEST(postgres_store__old_frames_go_by_pieces)
{
    const struct instant late = {.us = INT64_C(1) << 40};
    unsigned pieces = 1;
    bool more = true;
    open_as(place_options(&server, "pieces"));
    for (uint64_t n = 1; n <= 6; n++)
        ck_assert_int_eq(commit_one(n), 0);
    for (;; pieces++) {
        ck_assert_int_eq(store->drop(store, late, 5, 2, &more, &detail), 0);
        if (!more)
            break;
        ck_assert_uint_eq(store->first_frame(store), 2 * pieces + 1);
    }
    ck_assert_uint_eq(pieces, 3); /* the last of which finds nothing */
    ck_assert_uint_eq(store->first_frame(store), 5);
}
END_TEST

/* Commits a frame and the row of a saga that has ended. Returns what they take. */
static uint64_t commit_ended(uint64_t number)
{
    const struct ended_row row = {.saga = {.tag = 1, .serial = number},
                                  .state = SAGA_COMMITTED,
                                  .name = bytes_of_text("name"),
                                  .request_id = bytes_of_text("request"),
                                  .owner = bytes_of_text("owner"),
                                  .started_at.us = (int64_t)number,
                                  .ended_at.us = (int64_t)number,
                                  .first_frame = number,
                                  .last_frame = number};
    struct store_commit commit = frame(number);
    commit.ended = &row;
    commit.ended_count = 1;
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    return commit.records.size + PG_FRAME_ROW_BYTES + PG_ENDED_ROW_BYTES + strlen("namerequestowner");
}

/* What the store says of a request_id without asking the database, and what it says in the end. */
static int find_at_once(const char *request_id)
{
    struct ended_row row;
    return store->find_request(store, bytes_of_text(request_id), bytes_of(NULL, 0), &row, &detail);
}

static int find(const char *request_id)
{
    struct ended_row row;
    return find_request_now(request_id, "", &row);
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
START_TEST(postgres_store__new_request_ids_are_not_asked_for)
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
START_TEST(postgres_store__a_failed_look_makes_no_request_id_new)
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
START_TEST(postgres_store__known_request_ids_are_read_anew)
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
        ck_assert_int_eq(store->drop(store, (struct instant){.us = 3000}, 1, 100, &more, &detail), 0);
        ck_assert_uint_eq(before - postgres_store_bytes(store), dropped ? 0 : PG_ENDED_ROW_BYTES + strlen("orderrann"));
    }
}
END_TEST

/* The server process of the writer's connection, which a test stops. */
static pid_t writer_of(const char *journal)
{
    char sql[80];
    snprintf(sql, sizeof sql, "select pid from saga_journal where name = '%s'", journal);
    return (pid_t)place_number(&server, sql);
}

static int64_t renewed_us(void)
{
    return link_renewed(((struct postgres_store *)store)->writer);
}

/* What a renewal has prolonged counts from when it was asked for, and not from its answer. */
START_TEST(postgres_store__lease_counts_from_when_it_was_asked_for)
{
    hold_clock();
    open_as(place_options(&server, "late")); /* 3 s, of which a tenth is not used */
    const int64_t opened = renewed_us();
    pid_t writer = writer_of("late");
    postgres_store_tell_live(store, 7);
    ck_assert_int_eq(kill(writer, SIGSTOP), 0);
    advance(SPAN_MS(1500));
    ck_assert_int_eq(store->holds(store, &detail), 0); /* after a third it asks for more */
    advance(SPAN_MS(1100));
    ck_assert_int_eq(kill(writer, SIGCONT), 0); /* the answer comes now */
    for (int i = 0; i < 20000 && renewed_us() == opened; i++)
        usleep(1000);
    ck_assert_int_eq(renewed_us() - opened, SPAN_MS(1500).us);
    so("(select live from saga_journal where name = 'late') = 7"); /* which it tells by the way */
    ck_assert_int_eq(kill(writer, SIGSTOP), 0);
    advance(SPAN_MS(1599));
    ck_assert_int_eq(store->holds(store, &detail), 0);
    advance(SPAN_MS(1));
    ck_assert_int_eq(store->holds(store, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(kill(writer, SIGCONT), 0);
}
END_TEST

START_TEST(postgres_store__unrenewed_lease_holds_nothing)
{
    struct postgres_store_options options = place_options(&server, "asleep");
    hold_clock();
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    ck_assert_int_eq(store->holds(store, &detail), 0);
    pid_t writer = writer_of("asleep");
    ck_assert_int_eq(kill(writer, SIGSTOP), 0);
    struct store_commit next = frame(2);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    ck_assert_int_eq(store->settle(store, &detail), STORE_PENDING);
    advance(SPAN_MS(2700)); /* as a stopped process: nothing of ours runs; the last tenth is not used */
    ck_assert_int_eq(store->holds(store, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->settle(store, &detail), STORE_AMBIGUOUS); /* whoever has it now may have taken it over */
    ck_assert_int_eq(kill(writer, SIGCONT), 0);
    /* What was asked for now says that it is still ours. */
    for (int i = 0; i < 20000 && store->holds(store, &detail) == E_JOURNAL_AWAY; i++)
        usleep(1000);
    ck_assert_int_eq(store->holds(store, &detail), 0);
    ck_assert_int_eq(fate(20), 0);
}
END_TEST

static int read_slowly(void *self, uint64_t number, struct bytes records)
{
    (void)self, (void)records;
    if (number == 1)
        advance(SPAN_MS(1000));
    return 0;
}

/* At a start nobody else asks. */
START_TEST(postgres_store__who_reads_for_long_asks_for_more)
{
    hold_clock();
    open_as(place_options(&server, "long"));
    ck_assert_int_eq(commit_one(1), 0);
    const int64_t before = renewed_us();
    ck_assert_int_eq(store->scan(store, 1, read_slowly, NULL, &detail), 0);
    UNTIL(renewed_us() == before + SPAN_MS(1000).us);
}
END_TEST

/* ---- the connection, and the server ---- */

/* Cut at moments of all kinds, also while the journal is being taken anew. */
START_TEST(postgres_store__lost_connection_is_read_again)
{
    open_as(place_options(&server, "cut"));
    for (uint64_t n = 1; n <= 100; n += 2) {
        struct store_commit first = frame(n), second;
        ck_assert_int_eq(store->commit(store, &first, &detail), STORE_PENDING);
        second = frame(n + 1);
        ck_assert_int_eq(store->commit(store, &second, &detail), STORE_PENDING);
        for (uint64_t cuts = n % 4; cuts > 0; cuts--)
            place_query(&server,
                        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sagad'");
        for (int i = 0; i < 2; i++) {
            int code = fate(20);
            ck_assert_msg(code == 0, "frame %d: %d %s", (int)n, code, detail.text);
        }
    }
    teardown();
    open_as(place_options(&server, "cut"));
    ck_assert_uint_eq(state.last_frame, 100);
    ck_assert_uint_eq(state.first_frame, 1);
}
END_TEST

/* What a connection did not take goes over the next one. */
START_TEST(postgres_store__what_could_not_be_sent_is_sent_anew)
{
    open_as(place_options(&server, "unsent"));
    for (uint64_t n = 1; n <= 3; n += 2) {
        struct store_commit first = frame(n);
        atomic_store(&flush_fails, true);
        ck_assert_int_eq(store->commit(store, &first, &detail), STORE_PENDING);
        ck_assert_int_eq(fate(20), 0);
        ck_assert_int_eq(commit_one(n + 1), 0);
    }
}
END_TEST

/* Another session holds the row, as one does whose process was stopped between a statement and its end. */
START_TEST(postgres_store__who_holds_the_row_is_ended)
{
    struct postgres_store_options options = place_options(&server, "stuck");
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    teardown();
    PGconn *db = PQconnectdb(server.conninfo);
    PQclear(PQexec(db, "begin"));
    PQclear(PQexec(db, "update saga_journal set pid = pg_backend_pid() where name = 'stuck'"));
    PQclear(PQexec(db, "commit"));
    PQclear(PQexec(db, "begin"));
    PQclear(PQexec(db, "update saga_journal set seq = seq where name = 'stuck'"));
    open_as(options);
    ck_assert_uint_eq(state.last_frame, 1);
    PQfinish(db);
}
END_TEST

static const char lose_connections[] =
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sagad'";

/* The row says whose it is now: until when, and which process stands in the way of others. What is old goes as before. */
START_TEST(postgres_store__a_new_connection_holds_the_journal_anew)
{
    const struct instant late = {.us = INT64_C(1) << 40};
    bool more;
    open_as(place_options(&server, "again"));
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(commit_one(n), 0);
    struct pg_link *writer = ((struct postgres_store *)store)->writer;
    uint64_t epoch = link_epoch(writer);
    pid_t before = writer_of("again");
    place_query(&server,
                "update saga_journal set expires_at = clock_timestamp() - interval '1 s' where name = 'again'");
    place_query(&server, lose_connections);
    UNTIL(link_epoch(writer) > epoch);
    so("(select expires_at > clock_timestamp() + interval '1 s' and expires_at < clock_timestamp() + interval '3 s' "
       "from "
       "saga_journal where name = 'again')");
    ck_assert_int_ne(writer_of("again"), before);
    so("(select count(*) from pg_stat_activity where pid = (select pid from saga_journal where name = 'again')) = 1");
    UNTIL(store->drop(store, late, 3, 100, &more, &detail) == 0 &&
          place_number(&server, "select count(*) from saga_frame f join saga_journal j on j.id = f.journal where "
                                "j.name = 'again'") == 1);
}
END_TEST

START_TEST(postgres_store__server_killed)
{
    struct postgres own; /* this process's child, and not the others' */
    ck_assert(place_start(&own));
    /* By the role's settings a commit would be durable after ten seconds. */
    place_query(&own, "alter role test set synchronous_commit = off");
    place_query(&own, "alter system set wal_writer_delay = 10000");
    place_query(&own, "select pg_reload_conf()");
    open_as(place_options(&own, "killed"));
    uint64_t n = 2;
    commit_ended(1);
    for (int round = 0; round < 2; round++) {
        for (; n % 20 != 0; n++)
            ck_assert_int_eq(commit_one(n), 0);
        struct store_commit last = frame(n++);
        ck_assert_int_eq(store->commit(store, &last, &detail), STORE_PENDING);
        hold_clock(); /* so that it is not the lease's end that says so */
        postgres_kill(&own);
        int code;
        UNTIL((code = store->settle(store, &detail)) != STORE_PENDING);
        ck_assert(code == 0 || code == STORE_AMBIGUOUS);
        atomic_store(&held_us, 0);
        struct ended_row row;
        ck_assert_int_eq(store->find_ended(store, 2, &row, &detail), E_JOURNAL_AWAY);
        /* In the database's own words, if it had any. */
        ck_assert_ptr_nonnull(strstr(detail.text, "the database cannot be read now"));
        ck_assert_msg(detail.text[strlen(detail.text) - 1] != ' ', "%s", detail.text);
        ck_assert_int_eq(find("request"), E_JOURNAL_AWAY); /* which is not to say that there is none */
        ck_assert(postgres_restart(&own));
        if (code != 0)
            ck_assert_int_eq(fate(20), 0);
    }
    teardown();
    open_as(place_options(&own, "killed"));
    ck_assert_uint_eq(state.last_frame, n - 1);
    teardown();
    postgres_stop(&own);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(postgres_store__database_that_went_back)
{
    char witness[] = "/tmp/saga-witness-XXXXXX";
    int fd = mkstemp(witness);
    ck_assert_int_ge(fd, 0);
    struct postgres_store_options options = place_options(&server, "back");
    options.witness = witness;
    open_as(options);
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(commit_one(n), 0);
    /* While it is open. */
    place_query(&server, "update saga_journal set seq = 2, last_frame = 2 where name = 'back'");
    struct store_commit next = frame(4);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    ck_assert_int_eq(fate(10), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "went back in time"));
    teardown();
    /* And at the next start. */
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "went back in time"));
    store = NULL;
    ck_assert_int_eq(unlink(witness), 0);
    place_query(
        &server,
        "delete from saga_frame where frame = 3 and journal = (select id from saga_journal where name = 'back')");
    open_as(options);
    ck_assert_int_eq(commit_one(3), 0);
    close(fd);
    unlink(witness);
}
END_TEST

/* A commit that was handed in and never got to the database, as its sidecar ended, is no loss: nobody was told of it. */
START_TEST(postgres_store__witness_tells_of_what_was_answered)
{
    char witness[] = "/tmp/saga-witness-XXXXXX", then[64];
    int fd = mkstemp(witness);
    ck_assert_int_ge(fd, 0);
    struct postgres_store_options options = place_options(&server, "answered");
    options.witness = witness;
    open_as(options);
    struct store_commit next = frame(1);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    next = frame(2);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    ck_assert_int_eq(fate(10), 0);
    ssize_t size = pread(fd, then, sizeof then, 0);
    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(fate(10), 0);
    teardown();
    /* The file as that end would have left it, and the database without the second. */
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(pwrite(fd, then, (size_t)size, 0), size);
    place_query(&server,
                "with j as (update saga_journal set seq = 1, last_frame = 1 where name = 'answered' returning id) "
                "delete from saga_frame where frame = 2 and journal = (select id from j)");
    open_as(options);
    ck_assert_uint_eq(state.last_frame, 1);
    teardown();
    /* The first was answered. */
    place_query(&server, "update saga_journal set seq = 0, last_frame = 0 where name = 'answered'");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "went back in time"));
    store = NULL;
    close(fd);
    unlink(witness);
}
END_TEST

/* The answer to the third was there, and its owner had not asked yet. */
START_TEST(postgres_store__loss_of_what_nobody_was_told_of)
{
    struct postgres_store_options options = place_options(&server, "untold");
    open_as(options);
    struct pg_link *writer = ((struct postgres_store *)store)->writer;
    for (uint64_t n = 1; n <= 2; n++)
        ck_assert_int_eq(commit_one(n), 0);
    struct store_commit next = frame(3);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    int64_t until = pg_now() + SPAN_S(20).us;
    while (link_kept(writer) < 3 && pg_now() < until)
        usleep(1000);
    place_query(&server, "begin; update saga_journal set seq = 2, last_frame = 2 where name = 'untold'; "
                         "delete from saga_frame where frame = 3 and journal = (select id from saga_journal where name "
                         "= 'untold'); commit");
    place_query(&server, lose_connections);
    int code = 0;
    while (link_state(writer, &code, &detail) != PG_LINK_DEAD && pg_now() < until)
        usleep(1000);
    ck_assert_int_eq(code, E_JOURNAL);
    ck_assert_int_eq(fate(10), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "went back in time"));
    place_query(&server, "do $$ begin if (select tries from saga_journal where name = 'untold') < 1000 then raise "
                         "'tries'; end if; end $$");
}
END_TEST

/* The mark of who looked after it, while its own sidecar was away and has seen nothing of what is gone. */
START_TEST(postgres_store__loss_that_another_saw)
{
    char witness[] = "/tmp/saga-witness-XXXXXX";
    int fd = mkstemp(witness);
    ck_assert_int_ge(fd, 0);
    struct postgres_store_options options = place_options(&server, "marked");
    options.witness = witness;
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    teardown();
    for (int round = 0; round < 2; round++) { /* as often as it tries */
        place_query(&server, round > 0 ? "select 1" : "update saga_journal set tries = 1000 where name = 'marked'");
        ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
        store = NULL;
        ck_assert_ptr_nonnull(strstr(detail.text, "went back in time (the last that had the journal"));
        ck_assert_ptr_nonnull(strstr(detail.text, "remove journal.seen"));
    }
    place_query(&server, "update saga_journal set tries = 0 where name = 'marked'"); /* sagactl fleet give */
    open_as(options);
    teardown();
    place_query(&server, "update saga_journal set tries = 1000 where name = 'marked'");
    ck_assert_int_eq(unlink(witness), 0);
    open_as(options);
    place_query(&server, "do $$ begin if (select tries from saga_journal where name = 'marked') <> 0 then raise "
                         "'tries'; end if; end $$");
    ck_assert_int_eq(commit_one(2), 0);
    close(fd);
    unlink(witness);
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

/* ---- journals that the fleet has removed ---- */

static void remove_journal(const char *name, int epochs_less)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "with j as (delete from saga_journal where name = '%s' returning id, name, epoch) insert into "
             "saga_gone(journal, "
             "name, epoch, at) select id, name, epoch - %d, clock_timestamp() from j",
             name, epochs_less);
    place_query(&server, sql);
}

/* It begins anew: the witness of what there was speaks of no database that went back, as long as that is what was removed. */
START_TEST(postgres_store__who_comes_back_to_a_removed_journal_begins_anew)
{
    char witness[] = "/tmp/saga-witness-XXXXXX";
    close(mkstemp(witness));
    struct postgres_store_options options = place_options(&server, "gone");
    options.witness = witness;
    open_as(options);
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(commit_one(n), 0);
    uint64_t epoch = state.epoch;
    teardown();
    remove_journal("gone", 0);
    open_as(options);
    ck_assert_uint_eq(state.last_frame, 0);
    ck_assert_uint_gt(state.epoch, epoch);
    ck_assert_int_eq(commit_one(1), 0);
    ck_assert_int_eq(commit_one(2), 0);
    teardown();
    /* What it has lost since, it has lost. */
    place_query(&server, "update saga_journal set seq = 1, last_frame = 1 where name = 'gone'");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "went back in time"));
    store = NULL;
    remove_journal("gone", 1000);
    place_query(&server, "delete from saga_gone where name = 'gone' and epoch > 0");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "went back in time"));
    store = NULL;
    unlink(witness);
}
END_TEST

START_TEST(postgres_store__who_stood_still_while_it_was_removed_is_fenced)
{
    struct postgres_store_options options = place_options(&server, "frozen");
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    remove_journal("frozen", 0);
    struct store_commit next = frame(2);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    ck_assert_int_eq(fate(30), E_JOURNAL_FENCED);
    ck_assert_ptr_nonnull(strstr(detail.text, "the fleet has removed the journal"));
    so("(select count(*) from saga_journal where name = 'frozen') = 0");
}
END_TEST

/* Whoever wants to look after a journal does not make one. */
START_TEST(postgres_store__a_guest_makes_no_journal)
{
    struct postgres_store_options options = place_options(&server, "nobodys");
    options.carrier = "other";
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_LOCKED);
    store = NULL;
    so("(select count(*) from saga_journal where name = 'nobodys') = 0");
}
END_TEST

/* Its own sidecar says that it wants it back; another that would look after it does not. */
START_TEST(postgres_store__its_own_sidecar_wants_it_back)
{
    struct postgres_store_options options = place_options(&server, "lent");
    struct store *other;
    struct store_state other_state;
    open_as(options);
    teardown();
    place_query(&server, "update saga_journal set wanted_until = '2000-01-01' where name = 'lent'");
    options.carrier = "other";
    options.lease = SPAN_S(60);
    open_as(options);
    options.holder = "own";
    options.patience = SPAN_MS(300);
    options.carrier = "third";
    ck_assert_int_eq(postgres_store_open(&options, &other, &other_state, &detail), E_JOURNAL_LOCKED);
    so("(select wanted_until from saga_journal where name = 'lent') = '2000-01-01'");
    options.carrier = options.journal;
    ck_assert_int_eq(postgres_store_open(&options, &other, &other_state, &detail), E_JOURNAL_LOCKED);
    so("(select wanted_until from saga_journal where name = 'lent') > '2000-01-02'");
}
END_TEST

/* Nor takes one that its own sidecar, or a person, wants back; and what it tries is counted until the owner has it again. */
START_TEST(postgres_store__a_guest_takes_what_nobody_wants_back)
{
    struct postgres_store_options options = place_options(&server, "wanted");
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    teardown();
    options.carrier = "other";
    place_query(&server,
                "update saga_journal set wanted_until = clock_timestamp() + interval '100 s' where name = 'wanted'");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_LOCKED);
    store = NULL;
    so("(select tries from saga_journal where name = 'wanted') = 0");
    place_query(&server, "update saga_journal set wanted_until = clock_timestamp() where name = 'wanted'");
    for (int tries = 1; tries <= 2; tries++) {
        char sql[80];
        open_as(options);
        teardown();
        snprintf(sql, sizeof sql, "(select tries from saga_journal where name = 'wanted') = %d", tries);
        so(sql);
    }
    options.carrier = options.journal;
    open_as(options);
    so("(select tries from saga_journal where name = 'wanted') = 0");
}
END_TEST

/* What the writer's session has made of it, as told by a trigger. */
static void with_synchronous_commit(const char *of_role, const char *expected)
{
    char sql[160];
    snprintf(sql, sizeof sql, "alter role test set synchronous_commit = %s", of_role);
    place_query(&server, sql);
    open_as(place_options(&server, "raised"));
    ck_assert_int_eq(commit_one(state.last_frame + 1), 0);
    teardown();
    snprintf(sql, sizeof sql, "(select value = '%s' from written_with order by number desc limit 1)", expected);
    so(sql);
}

START_TEST(postgres_store__commits_are_durable_whatever_the_role_says)
{
    place_query(&server, "create table written_with(number serial, value text)");
    place_query(&server, "create function note() returns trigger language plpgsql as $$ begin insert into "
                         "written_with(value) values (current_setting('synchronous_commit')); return new; end $$");
    place_query(&server, "create trigger note after insert on saga_frame for each row execute function note()");
    with_synchronous_commit("off", "on");
    with_synchronous_commit("local", "on");
    with_synchronous_commit("remote_apply", "remote_apply");
    place_query(&server, "alter role test reset synchronous_commit");
    place_query(&server, "drop trigger note on saga_frame");
}
END_TEST

START_TEST(postgres_store__what_is_not_durable_is_refused)
{
    struct postgres_store_options options = place_options(&server, "unsafe");
    open_as(options);
    ck_assert_ptr_nonnull(strstr(postgres_store_promise(store), "fsync=on full_page_writes=on synchronous_commit=on"));
    teardown();
    place_query(&server, "alter role test set synchronous_commit = off");
    open_as(options);
    ck_assert_ptr_nonnull(strstr(postgres_store_promise(store), "synchronous_commit=on"));
    teardown();
    place_query(&server, "alter role test reset synchronous_commit");
    place_query(&server, "alter system set full_page_writes = off");
    place_query(&server, "select pg_reload_conf()");
    while (place_number(&server, "select (current_setting('full_page_writes') = 'off')::int") == 0)
        usleep(10000);
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "full_page_writes off"));
    store = NULL;
    place_query(&server, "alter system reset full_page_writes");
    place_query(&server, "select pg_reload_conf()");
}
END_TEST

START_TEST(postgres_store__tables_are_never_made_silently)
{
    char conninfo[256];
    struct postgres_store_options options = place_options(&server, "bare");
    place_query(&server, "create database bare");
    snprintf(conninfo, sizeof conninfo, "host=%s user=test dbname=bare", server.folder);
    options.conninfo = conninfo;
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_VERSION);
    ck_assert_ptr_nonnull(strstr(detail.text, "sagad --migrate"));
    char *sql = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&sql, &size);
    ck_assert_int_eq(postgres_store_print_sql(0, out), 0);
    ck_assert_int_eq(postgres_store_print_sql(PG_SCHEMA_VERSION, out), E_ARGUMENT); /* there is nothing to do */
    fclose(out);
    PGconn *db = PQconnectdb(conninfo);
    PGresult *result = PQexec(db, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(db));
    PQclear(result);
    free(sql);
    open_as(options);
    teardown();
    PQclear(PQexec(db, "update saga_schema set version = 99, oldest = 99"));
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_VERSION);
    ck_assert_ptr_nonnull(strstr(detail.text, "version 99"));
    PQfinish(db);
    store = NULL;
}
END_TEST

static int migrate(char **said)
{
    size_t size;
    FILE *out = open_memstream(said, &size);
    int code = postgres_store_migrate(server.conninfo, SPAN_S(20), out, &detail);
    fclose(out);
    return code;
}

START_TEST(postgres_store__newer_tables_that_are_good_for_it)
{
    struct postgres_store_options options = place_options(&server, "side");
    char *said;
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    place_query(&server, "alter table saga_journal add column later text");
    place_query(&server, "update saga_schema set version = 99");
    place_query(&server, lose_connections);
    ck_assert_int_eq(commit_one(2), 0);
    teardown();
    open_as(options);
    ck_assert_uint_eq(state.last_frame, 2);
    ck_assert_int_eq(migrate(&said), 0);
    ck_assert_ptr_nonnull(strstr(said, "version 99, of a newer sagad, and are good for this one"));
    free(said);
    place_query(&server, "alter table saga_journal drop column later");
    place_query(&server, "update saga_schema set version = 4");
}
END_TEST

START_TEST(postgres_store__newer_tables_that_are_not)
{
    struct postgres_store_options options = place_options(&server, "behind");
    char *said;
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    /* As such a migration ends. */
    place_query(
        &server,
        "begin; update saga_schema set version = 99, oldest = 98; update saga_journal set epoch = epoch + 1; commit");
    struct store_commit next = frame(2);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    ck_assert_int_eq(fate(10), E_JOURNAL_VERSION);
    ck_assert_ptr_nonnull(strstr(detail.text, "for a sagad that knows version 98 or later"));
    teardown();
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_VERSION);
    store = NULL;
    ck_assert_int_eq(migrate(&said), E_JOURNAL_VERSION);
    free(said);
    place_query(&server, "update saga_schema set version = 4, oldest = 4");
    open_as(options);
    ck_assert_uint_eq(state.last_frame, 1);
}
END_TEST

START_TEST(postgres_store__journal_of_a_newer_form)
{
    struct postgres_store_options options = place_options(&server, "newer");
    open_as(options);
    ck_assert_int_eq(commit_one(1), 0);
    teardown();
    place_query(&server, "update saga_journal set form = 99 where name = 'newer'");
    for (int guest = 0; guest < 2; guest++) {
        options.carrier = guest ? "another" : options.journal;
        ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_VERSION);
        ck_assert_ptr_nonnull(strstr(detail.text, "form 99, by a newer sagad"));
    }
    ck_assert_int_eq(postgres_store_look(server.conninfo, "newer", SPAN_S(5), &store, &state, &detail),
                     E_JOURNAL_VERSION);
    store = NULL;
    place_query(&server, "update saga_journal set form = 0 where name = 'newer'");
    options.carrier = options.journal;
    open_as(options); /* from now on it is written in ours */
    place_query(
        &server,
        "do $$ begin if (select form from saga_journal where name = 'newer') <> 1 then raise 'form'; end if; end $$");
}
END_TEST

START_TEST(postgres_store__words_for_libpq)
{
    ck_assert_int_eq(postgres_store_check_conninfo("postgresql://db/saga?passfile=/run/pass", &detail), 0);
    ck_assert_int_eq(postgres_store_check_conninfo("postgresql:///?service=saga", &detail), 0);
    ck_assert_int_eq(postgres_store_check_conninfo("postgresql://me:secret@db/saga", &detail), E_ARGUMENT);
    ck_assert_ptr_null(strstr(detail.text, "secret"));
    ck_assert_int_eq(postgres_store_check_conninfo("postgresql://db/saga?sslpassword=secret", &detail), E_ARGUMENT);
    ck_assert_ptr_null(strstr(detail.text, "secret"));
    ck_assert_int_eq(postgres_store_check_conninfo("postgresql://db/?nonsense=1", &detail), E_ARGUMENT);
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
    tcase_add_test(t, postgres_store__two_are_on_the_way);
    tcase_add_test(t, postgres_store__subjects_are_the_last_of_their_name);
    tcase_add_test(t, postgres_store__more_than_is_asked_for_at_once_is_read_whole);
    tcase_add_test(t, postgres_store__another_waits_for_the_lease);
    tcase_add_test(t, postgres_store__a_hold_ends_before_its_lease);
    tcase_add_test(t, postgres_store__what_is_remembered_is_what_is_there);
    tcase_add_test(t, postgres_store__the_oldest_look_up_makes_way);
    tcase_add_test(t, postgres_store__a_late_answer_is_given_to_who_asked);
    tcase_add_test(t, postgres_store__several_looks_are_on_the_way);
    tcase_add_test(t, postgres_store__an_old_answer_is_no_answer);
    tcase_add_test(t, postgres_store__looks_have_a_bound);
    tcase_add_test(t, postgres_store__a_history_is_read_whole_from_distant_answers);
    tcase_add_test(t, postgres_store__a_list_up_to_a_time_is_one_look);
    tcase_add_test(t, postgres_store__retention_gets_through_distant_answers);
    tcase_add_test(t, postgres_store__stale_holder_lets_nothing_out);
    tcase_add_test(t, postgres_store__stale_holder_drops_nothing);
    tcase_add_test(t, postgres_store__old_frames_go_by_pieces);
    tcase_add_test(t, postgres_store__new_request_ids_are_not_asked_for);
    tcase_add_test(t, postgres_store__a_failed_look_makes_no_request_id_new);
    tcase_add_test(t, postgres_store__known_request_ids_are_read_anew);
    tcase_add_test(t, postgres_store__who_knows_more_than_there_is_drops_nothing);
    tcase_add_test(t, postgres_store__holds_what_it_counts);
    tcase_add_test(t, postgres_store__what_retention_passes_over_is_counted_still);
    tcase_add_test(t, postgres_store__lease_counts_from_when_it_was_asked_for);
    tcase_add_test(t, postgres_store__unrenewed_lease_holds_nothing);
    tcase_add_test(t, postgres_store__who_reads_for_long_asks_for_more);
    tcase_add_test(t, postgres_store__lost_connection_is_read_again);
    tcase_add_test(t, postgres_store__what_could_not_be_sent_is_sent_anew);
    tcase_add_test(t, postgres_store__who_holds_the_row_is_ended);
    tcase_add_test(t, postgres_store__a_new_connection_holds_the_journal_anew);
    tcase_add_test(t, postgres_store__server_killed);
    tcase_add_test(t, postgres_store__database_that_went_back);
    tcase_add_test(t, postgres_store__witness_tells_of_what_was_answered);
    tcase_add_test(t, postgres_store__loss_of_what_nobody_was_told_of);
    tcase_add_test(t, postgres_store__loss_that_another_saw);
    tcase_add_test(t, postgres_store__a_missing_row_of_the_trail_is_told);
    tcase_add_test(t, postgres_store__a_missing_frame_is_told);
    tcase_add_test(t, postgres_store__claims_go_with_what_they_are_of);
    tcase_add_test(t, postgres_store__who_comes_back_to_a_removed_journal_begins_anew);
    tcase_add_test(t, postgres_store__who_stood_still_while_it_was_removed_is_fenced);
    tcase_add_test(t, postgres_store__a_guest_makes_no_journal);
    tcase_add_test(t, postgres_store__its_own_sidecar_wants_it_back);
    tcase_add_test(t, postgres_store__a_guest_takes_what_nobody_wants_back);
    tcase_add_test(t, postgres_store__commits_are_durable_whatever_the_role_says);
    tcase_add_test(t, postgres_store__what_is_not_durable_is_refused);
    tcase_add_test(t, postgres_store__tables_are_never_made_silently);
    tcase_add_test(t, postgres_store__newer_tables_that_are_good_for_it);
    tcase_add_test(t, postgres_store__newer_tables_that_are_not);
    tcase_add_test(t, postgres_store__journal_of_a_newer_form);
    tcase_add_test(t, postgres_store__words_for_libpq);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
