/* A journal in PostgreSQL while its server takes nothing, says nothing or is gone: what is asked is told so, and goes on once it is back. */
#include "tests/support/postgres_world.h"
#include "tests/support/until.h"

#include <signal.h>

/* More than the socket holds, to a server that takes nothing just now: the rest goes once it does, and not when the patience with it is over. */
START_TEST(postgres_away__what_the_socket_did_not_take_goes_when_it_does)
{
    enum { MUCH = 4 << 20 };
    static uint8_t bytes[MUCH + 1024];
    struct postgres_store_options options = place_options(&server, "much");
    options.lease = options.timeout = SPAN_S(300);
    open_as(options);
    pid_t writer = writer_of("much");
    struct store_commit much = {
        .epoch = state.epoch, .frame = 1, .records = frame_make(bytes, 1, 1, MUCH, (struct instant){.us = 1})};
    ck_assert_int_eq(kill(writer, SIGSTOP), 0);
    ck_assert_int_eq(store->commit(store, &much, &detail), STORE_PENDING);
    ck_assert_int_eq(kill(writer, SIGCONT), 0);
    ck_assert_int_eq(fate(100), 0);
}
END_TEST

static int take_frame(void *self, uint64_t number, struct bytes records)
{
    (void)self, (void)number, (void)records;
    return 0;
}

static int take_audit(void *self, const struct audit_row *row)
{
    (void)self, (void)row;
    return 0;
}

static int take_subject(void *self, const struct subject_row *row)
{
    (void)self, (void)row;
    return 0;
}

static int take_definition(void *self, const struct definition_row *row)
{
    (void)self, (void)row;
    return 0;
}

static void take_ended(void *self, const struct ended_row *row)
{
    (void)self, (void)row;
}

/* That the database is away is not that there is nothing: whoever asks is told. What is old goes another time. */
static void nothing_is_read(void)
{
    const struct ended_query query = {
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = 9, .examine_max = 9};
    struct ended_row row;
    bool more = true;
    uint64_t to;
    ck_assert_int_eq(store->scan(store, 1, take_frame, NULL, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->scan_audit(store, 1, 9, take_audit, NULL, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->scan_subjects(store, SUBJECT_TAG, take_subject, NULL, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->scan_definitions(store, take_definition, NULL, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->list_ended(store, &query, take_ended, NULL, &to, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->find_ended(store, 9, &row, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->drop(store, (struct instant){.us = INT64_MAX}, 1, 9, &more, &detail), 0);
    ck_assert(!more);
    more = true;
    ck_assert_int_eq(store->drop_audit(store, (struct instant){.us = INT64_MAX}, 9, &more, &detail), 0);
    ck_assert(!more);
}

START_TEST(postgres_away__server_killed)
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
        struct span *patience = &((struct postgres_store *)store)->timeout;
        *patience = SPAN_MS(1); /* nobody waits for it */
        nothing_is_read();
        ck_assert_int_eq(store->find_ended(store, 2, &row, &detail), E_JOURNAL_AWAY);
        /* In the database's own words, if it had any. */
        ck_assert_ptr_nonnull(strstr(detail.text, "the database cannot be read now"));
        ck_assert_msg(detail.text[strlen(detail.text) - 1] != ' ', "%s", detail.text);
        ck_assert_int_eq(find("request"), E_JOURNAL_AWAY); /* which is not to say that there is none */
        *patience = SPAN_S(5);
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

int main(void)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    Suite *s = suite_create("postgres_away");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, postgres_away__what_the_socket_did_not_take_goes_when_it_does);
    tcase_add_test(t, postgres_away__server_killed);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
