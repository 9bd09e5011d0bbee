/* Who holds a journal in PostgreSQL: for how long, what a holder whose time is over may do, who waits for it, and journals that the fleet has removed
 * or lent. */
#include "sidecar/journal/postgres/hold.h"
#include "tests/support/postgres_world.h"
#include "tests/support/until.h"

#include <signal.h>
#include <unistd.h>

/* ---- who holds it ---- */

/* How long a holder may rely on what it was given, when it asks for more, and what says that the database has lost something. */
START_TEST(postgres_hold__a_hold_ends_before_its_lease)
{
    ck_assert_int_eq(hold_until(5000000, SPAN_S(10)), 14000000);
    ck_assert(!hold_is_old(8333332, 5000000, SPAN_S(10)) && hold_is_old(8333333, 5000000, SPAN_S(10)));
    const struct hold_mark seen = {5, 7};
    ck_assert(!hold_went_back((struct hold_mark){5, 7}, seen) && !hold_went_back((struct hold_mark){6, 8}, seen));
    ck_assert(hold_went_back((struct hold_mark){4, 9}, seen) && hold_went_back((struct hold_mark){6, 6}, seen));
    ck_assert(hold_has_kept(7, 7) && !hold_has_kept(8, 7));
}
END_TEST

START_TEST(postgres_hold__another_waits_for_the_lease)
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

START_TEST(postgres_hold__stale_holder_lets_nothing_out)
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
    for (int i = 0; i < 5; i++) { /* each says by whom, whoever heard of it before */
        error_set(&detail, 0, NULL, NULL);
        int code = i == 0   ? store->commit(store, &late, &detail)
                   : i == 1 ? store->drop(store, late_all, 3, 100, &more, &detail)
                   : i == 2 ? store->drop_audit(store, late_all, 100, &more, &detail)
                   : i == 3 ? store->drop_claims(store, SPAN_S(1), NULL, NULL, 100, &more, &detail)
                            : store->check(store, &detail);
        ck_assert_int_eq(code, E_JOURNAL_FENCED);
        ck_assert_msg(strstr(detail.text, "another sidecar (other)") != NULL, "%d: %s", i, detail.text);
    }
    teardown();
    store = holder;
    state.epoch = epoch;
    ck_assert_int_eq(commit_one(3), 0); /* giving up what was not its any more took nothing away */
}
END_TEST

/* What is old goes by a statement that names the epoch, too. */
START_TEST(postgres_hold__stale_holder_drops_nothing)
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
START_TEST(postgres_hold__who_knows_more_than_there_is_drops_nothing)
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

static int64_t renewed_us(void)
{
    return link_renewed(((struct postgres_store *)store)->writer);
}

/* What a renewal has prolonged counts from when it was asked for, and not from its answer. */
START_TEST(postgres_hold__lease_counts_from_when_it_was_asked_for)
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

START_TEST(postgres_hold__unrenewed_lease_holds_nothing)
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
    ck_assert_str_eq(detail.text, "the lease of the journal could not be renewed in time"); /* and no more is known */
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
START_TEST(postgres_hold__who_reads_for_long_asks_for_more)
{
    hold_clock();
    open_as(place_options(&server, "long"));
    ck_assert_int_eq(commit_one(1), 0);
    const int64_t before = renewed_us();
    ck_assert_int_eq(store->scan(store, 1, read_slowly, NULL, &detail), 0);
    UNTIL(renewed_us() == before + SPAN_MS(1000).us);
}
END_TEST

/* Another session holds the row, as one does whose process was stopped between a statement and its end. */
START_TEST(postgres_hold__who_holds_the_row_is_ended)
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

/* The row says whose it is now: until when, and which process stands in the way of others. What is old goes as before. */
START_TEST(postgres_hold__a_new_connection_holds_the_journal_anew)
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
START_TEST(postgres_hold__who_comes_back_to_a_removed_journal_begins_anew)
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

START_TEST(postgres_hold__who_stood_still_while_it_was_removed_is_fenced)
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
/* Who gives a journal up says how many sagas live in it: nobody takes over one in which none does. */
START_TEST(postgres_hold__what_lives_in_it_is_said_at_the_end)
{
    open_as(place_options(&server, "living"));
    postgres_store_tell_live(store, 7);
    teardown();
    so("(select live from saga_journal where name = 'living' and holder = '') = 7");
}
END_TEST

START_TEST(postgres_hold__a_guest_makes_no_journal)
{
    struct postgres_store_options options = place_options(&server, "nobodys");
    options.carrier = "other";
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_LOCKED);
    store = NULL;
    so("(select count(*) from saga_journal where name = 'nobodys') = 0");
}
END_TEST

/* Its own sidecar says that it wants it back; another that would look after it does not. */
START_TEST(postgres_hold__its_own_sidecar_wants_it_back)
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
START_TEST(postgres_hold__a_guest_takes_what_nobody_wants_back)
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

int main(void)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    Suite *s = suite_create("postgres_hold");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, postgres_hold__another_waits_for_the_lease);
    tcase_add_test(t, postgres_hold__a_hold_ends_before_its_lease);
    tcase_add_test(t, postgres_hold__stale_holder_lets_nothing_out);
    tcase_add_test(t, postgres_hold__stale_holder_drops_nothing);
    tcase_add_test(t, postgres_hold__who_knows_more_than_there_is_drops_nothing);
    tcase_add_test(t, postgres_hold__lease_counts_from_when_it_was_asked_for);
    tcase_add_test(t, postgres_hold__unrenewed_lease_holds_nothing);
    tcase_add_test(t, postgres_hold__who_reads_for_long_asks_for_more);
    tcase_add_test(t, postgres_hold__who_holds_the_row_is_ended);
    tcase_add_test(t, postgres_hold__a_new_connection_holds_the_journal_anew);
    tcase_add_test(t, postgres_hold__who_comes_back_to_a_removed_journal_begins_anew);
    tcase_add_test(t, postgres_hold__who_stood_still_while_it_was_removed_is_fenced);
    tcase_add_test(t, postgres_hold__what_lives_in_it_is_said_at_the_end);
    tcase_add_test(t, postgres_hold__a_guest_makes_no_journal);
    tcase_add_test(t, postgres_hold__its_own_sidecar_wants_it_back);
    tcase_add_test(t, postgres_hold__a_guest_takes_what_nobody_wants_back);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
