/* The server under a journal in PostgreSQL: a connection that is lost, a database that has lost something or is not durable, and tables of other
 * versions. */
#include "tests/support/postgres_world.h"
#include "tests/support/until.h"

#include <unistd.h>

/* The next bytes for the server, which libpq cannot get rid of. */
static atomic_bool flush_fails;

int __real_PQflush(PGconn *db);
int __wrap_PQflush(PGconn *db);

int __wrap_PQflush(PGconn *db)
{
    return atomic_exchange(&flush_fails, false) ? -1 : __real_PQflush(db);
}

/* ---- the connection, and the server ---- */

/* Cut at moments of all kinds, also while the journal is being taken anew. */
START_TEST(postgres_server__lost_connection_is_read_again)
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
START_TEST(postgres_server__what_could_not_be_sent_is_sent_anew)
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

/* ---- what the database has lost ---- */

START_TEST(postgres_server__database_that_went_back)
{
    char witness[] = "/tmp/saga-witness-XXXXXX";
    int fd = mkstemp(witness);
    ck_assert_int_ge(fd, 0);
    struct postgres_store_options options = place_options(&server, "back");
    options.witness = witness;
    open_as(options);
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert_int_eq(commit_one(n), 0);
    const uint64_t epoch = state.epoch;
    /* While it is open. */
    place_query(&server, "update saga_journal set seq = 2, last_frame = 2 where name = 'back'");
    struct store_commit next = frame(4);
    ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
    ck_assert_int_eq(fate(10), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "went back in time"));
    teardown();
    /* And at the next start. */
    unsigned long long seen[2] = {0}, found[2] = {0};
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_int_eq(sscanf(detail.text, "the database went back in time (%llu/%llu was seen, it has %llu/%llu): put ",
                            &seen[0], &seen[1], &found[0], &found[1]),
                     4);
    ck_assert(seen[0] == epoch && seen[1] == 3 && found[0] > epoch && found[1] == 2);
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

/* What was there when it was taken was seen, whoever had committed it, and that it was taken. */
START_TEST(postgres_server__witness_tells_of_what_was_found)
{
    char witness[] = "/tmp/saga-witness-XXXXXX", then[64] = "", wanted[64];
    int fd = mkstemp(witness);
    ck_assert_int_ge(fd, 0);
    struct postgres_store_options options = place_options(&server, "found");
    open_as(options);
    for (uint64_t n = 1; n <= 2; n++)
        ck_assert_int_eq(commit_one(n), 0);
    teardown();
    options.witness = witness;
    open_as(options);
    const uint64_t epoch = state.epoch;
    teardown();
    ck_assert_int_gt(pread(fd, then, sizeof then - 1, 0), 0);
    snprintf(wanted, sizeof wanted, "%020llu %020d\n", (unsigned long long)epoch, 2);
    ck_assert_str_eq(then, wanted);
    place_query(&server, "update saga_journal set seq = 1, last_frame = 1 where name = 'found'");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    snprintf(wanted, sizeof wanted, "(%llu/2 was seen, it has %llu/1)", (unsigned long long)epoch,
             (unsigned long long)epoch + 1);
    ck_assert_msg(strstr(detail.text, wanted) != NULL, "%s", detail.text);
    place_query(&server, "delete from saga_journal where name = 'found'");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    snprintf(wanted, sizeof wanted, "(%llu/2 was seen, it has 1/0)", (unsigned long long)epoch);
    ck_assert_msg(strstr(detail.text, wanted) != NULL, "%s", detail.text);
    store = NULL;
    close(fd);
    unlink(witness);
}
END_TEST

/* Neither the journal nor its epoch is known there any more, and nobody says that it was removed. */
START_TEST(postgres_server__database_that_lost_the_journal)
{
    static const char *const lost[] = {
        "delete from saga_journal where name = 'forgotten'",
        "update saga_journal set taker = 'x', epoch = epoch - 1 where name = 'forgotten'"};
    for (int i = 0; i < 2; i++) {
        open_as(place_options(&server, "forgotten"));
        ck_assert_int_eq(commit_one(1), 0);
        place_query(&server, lost[i]);
        place_query(&server, lose_connections);
        struct store_commit next = frame(2);
        ck_assert_int_eq(store->commit(store, &next, &detail), STORE_PENDING);
        ck_assert_int_eq(fate(20), E_JOURNAL);
        ck_assert_ptr_nonnull(strstr(detail.text, "went back in time (it does not know the epoch that it gave)"));
        teardown();
    }
}
END_TEST

/* A commit that was handed in and never got to the database, as its sidecar ended, is no loss: nobody was told of it. */
START_TEST(postgres_server__witness_tells_of_what_was_answered)
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
START_TEST(postgres_server__loss_of_what_nobody_was_told_of)
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
START_TEST(postgres_server__loss_that_another_saw)
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

/* ---- what is refused ---- */

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

START_TEST(postgres_server__commits_are_durable_whatever_the_role_says)
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

START_TEST(postgres_server__tables_are_never_made_silently)
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
    ck_assert_ptr_null(strstr(sql, "the tables have version"));
    static const char for_none[] =
        "-- The tables of sagad, version " NUMBER(PG_SCHEMA_VERSION) ". For a database that has none of them yet.\n";
    ck_assert_int_eq(strncmp(sql, for_none, strlen(for_none)), 0);
    for (unsigned from = 1; from < PG_SCHEMA_VERSION; from++) { /* for no other tables than those it is for */
        char *later = NULL, words[80];
        out = open_memstream(&later, &size);
        ck_assert_int_eq(postgres_store_print_sql(from, out), 0);
        fclose(out);
        snprintf(words, sizeof words, "and this is for those of version %u' as integer)", from);
        ck_assert_ptr_nonnull(strstr(later, words));
        snprintf(words, sizeof words, "-- The tables of sagad, from version %u to %u. Sidecars that know no ", from,
                 (unsigned)PG_SCHEMA_VERSION);
        ck_assert_int_eq(strncmp(later, words, strlen(words)), 0);
        free(later);
    }
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

START_TEST(postgres_server__newer_tables_that_are_good_for_it)
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

START_TEST(postgres_server__newer_tables_that_are_not)
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

START_TEST(postgres_server__journal_of_a_newer_form)
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

START_TEST(postgres_server__words_for_libpq)
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
    Suite *s = suite_create("postgres_server");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, postgres_server__lost_connection_is_read_again);
    tcase_add_test(t, postgres_server__what_could_not_be_sent_is_sent_anew);
    tcase_add_test(t, postgres_server__database_that_went_back);
    tcase_add_test(t, postgres_server__database_that_lost_the_journal);
    tcase_add_test(t, postgres_server__witness_tells_of_what_was_found);
    tcase_add_test(t, postgres_server__witness_tells_of_what_was_answered);
    tcase_add_test(t, postgres_server__loss_of_what_nobody_was_told_of);
    tcase_add_test(t, postgres_server__loss_that_another_saw);
    tcase_add_test(t, postgres_server__commits_are_durable_whatever_the_role_says);
    tcase_add_test(t, postgres_server__tables_are_never_made_silently);
    tcase_add_test(t, postgres_server__newer_tables_that_are_good_for_it);
    tcase_add_test(t, postgres_server__newer_tables_that_are_not);
    tcase_add_test(t, postgres_server__journal_of_a_newer_form);
    tcase_add_test(t, postgres_server__words_for_libpq);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
