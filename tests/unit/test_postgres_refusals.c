/* Databases that a journal is not opened in, and what is said of them: those that are not durable, those that do not let us in or have other
 * tables. */
#include "tests/support/postgres_world.h"
#include "tests/support/until.h"

/* Goes on waiting until it has heard what it wants to hear. */
static bool wait_for_words(void *self, const char *why)
{
    return strstr(why, self) == NULL;
}

static void refused_as_not_durable(const struct postgres *p)
{
    const struct postgres_store_options options = place_options(p, "unsafe");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "fsync or full_page_writes off"));
    store = NULL;
}

static void full_page_writes(const char *value)
{
    char sql[120];
    snprintf(sql, sizeof sql, "alter system set full_page_writes = %s", value);
    place_query(&server, sql);
    place_query(&server, "select pg_reload_conf()");
    snprintf(sql, sizeof sql, "select (current_setting('full_page_writes') = '%s')::int", value);
    UNTIL(place_number(&server, sql) == 1);
}

START_TEST(postgres_refusals__what_is_not_durable)
{
    struct postgres own;
    ck_assert(postgres_start(&own)); /* without fsync */
    ck_assert_int_eq(postgres_store_migrate(own.conninfo, SPAN_S(20), stderr, &detail), 0);
    refused_as_not_durable(&own);
    postgres_stop(&own);
    full_page_writes("off");
    refused_as_not_durable(&server);
    full_page_writes("on");
    open_as(place_options(&server, "unsafe"));
}
END_TEST

/* As the session has it, whatever the role's setting. */
START_TEST(postgres_refusals__what_is_promised_is_told)
{
    static const struct {
        const char *of_role, *told;
    } rows[] = {{"on", "on"},
                {"off", "on"},
                {"local", "on"},
                {"remote_write", "remote_write"},
                {"remote_apply", "remote_apply"}};
    struct postgres_store_options options = place_options(&server, "promise");
    char text[160];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, "alter role test set synchronous_commit = %s", rows[i].of_role);
        place_query(&server, text);
        open_as(options);
        snprintf(text, sizeof text,
                 "fsync=on full_page_writes=on synchronous_commit=%s standbys=none checksums=", rows[i].told);
        ck_assert_msg(strncmp(postgres_store_promise(store), text, strlen(text)) == 0, "%s",
                      postgres_store_promise(store));
        teardown();
    }
    place_query(&server, "alter role test reset synchronous_commit");
}
END_TEST

/* It ends the start, which waits for nothing that time would mend. Nor are tables made by one who may not even read them: that they cannot be read is not that there are none. */
START_TEST(postgres_refusals__a_role_that_may_not)
{
    char conninfo[256];
    struct postgres_store_options options = place_options(&server, "poor");
    place_query(&server, "create role poor login");
    snprintf(conninfo, sizeof conninfo, "host=%s user=poor dbname=postgres", server.folder);
    options.conninfo = conninfo;
    options.waits = wait_for_words; /* a start would wait as long as it is told to */
    options.self = (void *)(uintptr_t) "";
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL);
    store = NULL;
    ck_assert_str_eq(detail.field, "store");
    ck_assert_msg(strstr(detail.text, "the role may not: ") == detail.text &&
                      strstr(detail.text, "permission denied") != NULL,
                  "%s", detail.text);
    ck_assert_int_eq(postgres_store_migrate(conninfo, SPAN_S(20), stderr, &detail), E_JOURNAL);
    ck_assert_msg(strstr(detail.text, "permission denied") != NULL && strstr(detail.text, "saga_schema") != NULL, "%s",
                  detail.text);
    place_query(&server, "drop role poor");
}
END_TEST

/* A column that is not there when the journal is asked for ends it; one that a statement would need is told for as long as it is away. */
START_TEST(postgres_refusals__a_column_that_is_missing)
{
    struct postgres_store_options options = place_options(&server, "column");
    place_query(&server, "alter table saga_schema rename column oldest to older");
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_JOURNAL_VERSION);
    ck_assert_ptr_nonnull(strstr(detail.text, "the database has not the tables of this sagad"));
    store = NULL;
    place_query(&server, "alter table saga_schema rename column older to oldest");
    place_query(&server, "alter table saga_journal rename column tries to trials");
    for (int look = 0; look < 2; look++) {
        ck_assert_int_eq(look ? postgres_store_look(server.conninfo, "column", SPAN_S(20), &store, &state, &detail)
                              : postgres_store_open(&options, &store, &state, &detail),
                         E_JOURNAL_VERSION);
        ck_assert_ptr_nonnull(strstr(detail.text, "the database has not the tables of this sagad"));
        store = NULL;
    }
    place_query(&server, "alter table saga_journal rename column trials to tries");
    place_query(&server, "alter table saga_ended rename column fingerprint to print");
    options.waits = wait_for_words;
    options.self = (void *)(uintptr_t) "fingerprint";
    ck_assert_int_eq(postgres_store_open(&options, &store, &state, &detail), E_STOPPING);
    store = NULL;
    place_query(&server, "alter table saga_ended rename column print to fingerprint");
    open_as(options);
}
END_TEST

int main(void)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    Suite *s = suite_create("postgres_refusals");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, postgres_refusals__what_is_not_durable);
    tcase_add_test(t, postgres_refusals__what_is_promised_is_told);
    tcase_add_test(t, postgres_refusals__a_role_that_may_not);
    tcase_add_test(t, postgres_refusals__a_column_that_is_missing);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
