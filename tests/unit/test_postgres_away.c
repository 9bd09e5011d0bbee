/* A journal in PostgreSQL while its server takes nothing, says nothing or is gone: what is asked is told so, and goes on once it is back. */
#include "tests/support/postgres_world.h"
#include "tests/support/until.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

/* A server that takes what is sent and says nothing is left when its time is over, which runs from when the oldest was sent: what it has not
 * answered goes to the next connection. */
START_TEST(postgres_away__a_server_that_takes_all_and_answers_nothing_is_left)
{
    enum { MUCH = 1 << 20 };
    static uint8_t bytes[MUCH + 1024];
    struct postgres_store_options options = place_options(&server, "deaf");
    options.lease = options.timeout = SPAN_S(300);
    open_as(options);
    pid_t writer = writer_of("deaf");
    struct store_commit much = {
        .epoch = state.epoch, .frame = 1, .records = frame_make(bytes, 1, 1, MUCH, (struct instant){.us = 1})};
    hold_clock();
    ck_assert_int_eq(kill(writer, SIGSTOP), 0);
    ck_assert_int_eq(store->commit(store, &much, &detail), STORE_PENDING);
    advance(options.timeout);
    /* The link looks at the time when there is something to do: the lease is to be renewed. */
    ck_assert_int_eq(store->holds(store, &detail), E_JOURNAL_AWAY);
    int code = fate(10);
    ck_assert_int_eq(kill(writer, SIGCONT), 0);
    ck_assert_int_eq(code, 0);
    ck_assert_int_ne(writer_of("deaf"), writer);
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
        UNTIL(link_state(((struct postgres_store *)store)->reader, NULL, NULL) == PG_LINK_UP);
        struct store_commit last = frame(n++);
        ck_assert_int_eq(store->commit(store, &last, &detail), STORE_PENDING);
        hold_clock(); /* so that it is not the lease's end that says so */
        postgres_kill(&own);
        int code;
        UNTIL((code = store->settle(store, &detail)) != STORE_PENDING);
        ck_assert(code == 0 || code == STORE_AMBIGUOUS);
        UNTIL(link_state(((struct postgres_store *)store)->writer, NULL, NULL) == PG_LINK_DOWN);
        advance(SPAN_S(600));
        ck_assert_int_eq(store->holds(store, &detail), E_JOURNAL_AWAY);
        static const char late[] = "the lease of the journal could not be renewed in time: ";
        ck_assert_int_eq(strncmp(detail.text, late, strlen(late)), 0);
        ck_assert_uint_gt(strlen(detail.text), strlen(late)); /* the server's last words, or the system's */
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

/* A server that is nothing but its socket, in a folder that is made; how it is reached. */
static int listen_in(char *folder, char conninfo[160])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.5432", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 100) == 0);
    snprintf(conninfo, 160, "host=%s user=test dbname=postgres", folder);
    return fd;
}

static void stop_listening(int fd, const char *folder)
{
    char path[108];
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", folder);
    close(fd);
    unlink(path);
    rmdir(folder);
}

/* A server that takes a connection and never says a word: no start waits for it longer than it may. */
START_TEST(postgres_away__a_server_that_says_nothing_is_given_up)
{
    char folder[] = "/tmp/saga-silent-XXXXXX", conninfo[160];
    struct postgres_store_options options = place_options(&server, "silent");
    int fd = listen_in(folder, conninfo);
    ck_assert_int_eq(postgres_store_migrate(conninfo, SPAN_MS(50), stderr, &detail), E_JOURNAL);
    ck_assert_str_eq(detail.text, "the database server does not answer");
    ck_assert_int_eq(postgres_store_look(conninfo, "silent", SPAN_MS(50), &store, &state, &detail), E_JOURNAL);
    store = NULL;
    options.conninfo = conninfo;
    options.timeout = SPAN_MS(50);
    options.patience = SPAN_MS(500);
    int64_t begun_us = pg_now();
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_int_ge(pg_now() - begun_us, options.patience.us); /* it is tried again until then */
    store = NULL;
    stop_listening(fd, folder);
}
END_TEST

/* Nor does an end: whoever closes a link waits for no answer that may never come. */
START_TEST(postgres_away__a_link_is_closed_while_nobody_answers)
{
    char folder[] = "/tmp/saga-mute-XXXXXX", conninfo[160];
    struct pg_link *l;
    int fd = listen_in(folder, conninfo);
    struct pollfd at = {.fd = fd, .events = POLLIN};
    const struct pg_link_options options = {.conninfo = conninfo, .timeout = SPAN_S(3600)};
    ck_assert_int_eq(link_open(&options, &l), 0);
    ck_assert_int_eq(poll(&at, 1, 20000), 1); /* it is being connected */
    link_close(l);
    stop_listening(fd, folder);
}
END_TEST

/* Takes the next connection, and ends it. */
static void turn_away(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&at, 1, 20000), 1);
    close(accept(fd, NULL, NULL));
}

/* What is handed over meanwhile is a reason to try at once, but once: behind it the server is left alone for as long as before. */
START_TEST(postgres_away__a_server_that_is_gone_is_not_tried_without_pause)
{
    char folder[] = "/tmp/saga-gone-XXXXXX", conninfo[160];
    struct pg_link *l;
    int fd = listen_in(folder, conninfo);
    const struct pg_link_options options = {.conninfo = conninfo, .writer = true, .timeout = SPAN_S(20)};
    ck_assert_int_eq(link_open(&options, &l), 0);
    turn_away(fd);
    struct pg_job *job = job_create(PG_RENEW);
    ck_assert_int_eq(link_submit(l, job), 0);
    int64_t begun_us = pg_now();
    for (int i = 0; i < 6; i++)
        turn_away(fd);
    ck_assert_int_ge(pg_now() - begun_us, 3 * 20000); /* three of these pauses at least are whole */
    ck_assert_int_eq(link_ask(l, job, 0), PG_JOB_WAITING);
    link_close(l);
    stop_listening(fd, folder);
}
END_TEST

static void hear(void *self)
{
    atomic_store((atomic_bool *)self, true);
}

/* Nobody stands still for as long as a connection may: who starts gives up, whoever serves asks again once it hears that there is an answer. */
START_TEST(postgres_away__an_answer_that_does_not_come_is_not_waited_for)
{
    struct postgres_store_options options = place_options(&server, "standing");
    struct ended_row row;
    atomic_bool heard = false;
    int code;
    options.timeout = options.lease = SPAN_S(600);
    open_as(options);
    pid_t reader = (pid_t)place_number(&server, "select pid from pg_stat_activity where application_name = 'sagad' and "
                                                "pid <> (select pid from saga_journal where name = 'standing')");
    ck_assert_int_gt(reader, 0);
    ((struct postgres_store *)store)->timeout = SPAN_MS(200);
    ck_assert_int_eq(kill(reader, SIGSTOP), 0);
    ck_assert_int_eq(store->find_ended(store, 1, &row, &detail), E_JOURNAL_AWAY);
    ck_assert_int_eq(store->check(store, &detail), 0); /* from now on it serves */
    store->tell(store, hear, &heard);
    ck_assert_int_eq(store->find_ended(store, 2, &row, &detail), STORE_PENDING);
    ck_assert(!atomic_load(&heard));
    ck_assert_int_eq(kill(reader, SIGCONT), 0);
    UNTIL(atomic_load(&heard));
    UNTIL((code = store->find_ended(store, 2, &row, &detail)) != STORE_PENDING);
    ck_assert_int_eq(code, E_SAGA_NOT_FOUND);
    store->tell(store, NULL, NULL);
}
END_TEST

/* What could not be made is not gone on without. */
START_TEST(postgres_away__without_files_there_is_no_link)
{
    const struct pg_link_options options = {.conninfo = "", .timeout = SPAN_S(1)};
    struct rlimit files;
    struct pg_link *l = NULL;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    int code = link_open(&options, &l);
    files.rlim_cur = files.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    ck_assert_int_eq(code, E_SYSTEM);
    ck_assert_ptr_null(l);
}
END_TEST

static unsigned count_open(void)
{
    unsigned count = 0;
    DIR *all = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(all);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

/* A journal that is looked after for a while leaves nothing: neither here nor at the server. */
START_TEST(postgres_away__what_is_closed_leaves_nothing_open)
{
    char witness[] = "/tmp/saga-witness-XXXXXX";
    struct postgres_store_options options = place_options(&server, "closed");
    close(mkstemp(witness));
    options.witness = witness;
    unsigned before = count_open();
    for (int i = 0; i < 3; i++) {
        open_as(options);
        ck_assert_int_eq(commit_one(state.last_frame + 1), 0);
        teardown();
        ck_assert_uint_eq(count_open(), before);
    }
    UNTIL(place_number(&server, "select count(*) from pg_stat_activity where application_name = 'sagad'") == 0);
    unlink(witness);
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
    tcase_add_test(t, postgres_away__a_server_that_takes_all_and_answers_nothing_is_left);
    tcase_add_test(t, postgres_away__server_killed);
    tcase_add_test(t, postgres_away__a_server_that_says_nothing_is_given_up);
    tcase_add_test(t, postgres_away__a_link_is_closed_while_nobody_answers);
    tcase_add_test(t, postgres_away__a_server_that_is_gone_is_not_tried_without_pause);
    tcase_add_test(t, postgres_away__an_answer_that_does_not_come_is_not_waited_for);
    tcase_add_test(t, postgres_away__without_files_there_is_no_link);
    tcase_add_test(t, postgres_away__what_is_closed_leaves_nothing_open);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
