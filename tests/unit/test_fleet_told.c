/* What a fleet tells: of where a saga is and who has its journal, to operators, and in metrics. */
#include "tests/support/fleet_world.h"

#include <check.h>

/* ---- where a saga is ---- */

static int find(struct relay_place *place, struct error_detail *detail)
{
    const struct relay_key key = {.request_id = bytes_of_text("r"), .claims = true};
    return fleet_find(&loop, &key, place, detail);
}

START_TEST(fleet_told__where_a_saga_is)
{
    struct relay_place place;
    struct error_detail detail;
    add_row("far", false, 0);
    open_fleet();
    ck_assert_int_eq(find(&place, &detail), 0); /* nobody knows it: here, then */
    ck_assert(place.place == 0 && place.address == NULL);
    found = (struct finder_found){.known = true, .journal = "own", .carrier = "own", .held = true};
    ck_assert_int_eq(find(&place, &detail), 0);
    ck_assert(place.place == 0 && place.address == NULL);
    found =
        (struct finder_found){.known = true, .journal = "far", .carrier = "far", .address = "1.2.3.4:5", .held = true};
    ck_assert_int_eq(find(&place, &detail), 0);
    ck_assert_str_eq(place.address, "1.2.3.4:5");
    ck_assert_ptr_eq(place.credentials, fleet_credentials(&loop));
    found.address[0] = '\0';
    ck_assert_int_eq(find(&place, &detail), E_SAGA_AWAY);
    ck_assert_ptr_nonnull(strstr(detail.text, "no fleet_address"));
    strcpy(found.address, "1.2.3.4:5");
    strcpy(found.carrier, "own"); /* it is ours, and not open yet */
    ck_assert_int_eq(find(&place, &detail), E_SAGA_AWAY);
    ck_assert_ptr_nonnull(strstr(detail.text, "far, which is being taken over"));
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    found.held = false; /* nobody has it: it is taken */
    strcpy(found.carrier, "far");
    ck_assert_int_eq(find(&place, &detail), E_SAGA_AWAY);
    ck_assert_ptr_nonnull(strstr(detail.text, "being taken over"));
    turn();
    serves(0);
    ck_assert_int_eq(find(&place, &detail), 0);
    ck_assert_uint_eq(place.place, 1);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(find(&place, &detail), E_JOURNAL_AWAY);
    ck_assert_str_eq(detail.text, "the database does not tell where the saga is");
    finds = E_QUEUE;
    ck_assert_int_eq(find(&place, &detail), E_QUEUE);
    ck_assert_str_eq(detail.text, "too many requests wait to hear where their sagas are");
    finds = STORE_PENDING;
    ck_assert_int_eq(find(&place, &detail), STORE_PENDING);
}
END_TEST

static struct finder_journal journal(const char *name, const char *carrier, bool held, int64_t lease_ms)
{
    struct finder_journal j = {.held = held, .lease_ms = lease_ms, .live = 3};
    strcpy(j.name, name);
    strcpy(j.carrier, carrier);
    return j;
}

START_TEST(fleet_told__all_journals)
{
    static const struct {
        int place;
        bool held, given_up;
    } expected[] = {{0, false, false}, {1, true, false}, {-1, true, false}, {-1, false, false}};
    const struct relay_journal *all;
    struct error_detail detail;
    unsigned count;
    add_row("guest", false, 1);
    open_fleet();
    serves(0);
    listed[0] = journal("own", "own", true, 3000);
    listed[1] = journal("guest", "own", true, 3000);
    listed[2] = journal("far", "far", true, 3000);
    listed[3] = journal("dead", "dead", true, 0);
    listed_count = 4;
    for (unsigned i = 0; i < 4; i++) {
        listed[i].id = 40 + i;
        listed[i].live = 50 + i;
        snprintf(listed[i].address, sizeof listed[i].address, "at %u", i);
    }
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), 0);
    ck_assert_uint_eq(count, 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_str_eq(all[i].name, listed[i].name);
        ck_assert_str_eq(all[i].carrier, listed[i].carrier);
        ck_assert_str_eq(all[i].address, listed[i].address);
        ck_assert(all[i].id == 40 + i && all[i].live == 50 + i);
        ck_assert_int_eq(all[i].place, expected[i].place);
        ck_assert_int_eq(all[i].held, expected[i].held);
        ck_assert_int_eq(all[i].given_up, expected[i].given_up);
    }
    listed[3] = journal("left", "", false, 0);
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), 0);
    ck_assert(all[3].given_up && !all[3].held && all[3].live == 3);
    finds = STORE_PENDING;
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), STORE_PENDING);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(fleet_all(&loop, &all, &count, &detail), E_JOURNAL_AWAY);
}
END_TEST

/* They are believed by fleet_identity, which is theirs and not their address's. */
START_TEST(fleet_told__other_sidecars_are_asked_as_who_they_are)
{
    config.fleet_identity = _i == 0 ? "" : "spiffe://a.org/sagad";
    home.certificates = (struct certificates *)(void *)&home_room; /* only passed on */
    open_fleet();
    const struct transport_credentials *c = fleet_credentials(&loop);
    ck_assert_int_eq(c->security, TRANSPORT_TLS);
    ck_assert_ptr_eq(c->certificates, home.certificates);
    ck_assert_str_eq(c->expected == NULL ? "" : c->expected, config.fleet_identity);
}
END_TEST

/* ---- for operators ---- */

/* A journal is orphaned when its lease is over, or when nobody holds it and something lives in it. */
START_TEST(fleet_told__operators_see_journals_whole)
{
    struct error_detail detail;
    struct arena a;
    Saga__V1__ListJournalsResponse m = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    open_fleet();
    arena_init(&a);
    page_count = FINDER_JOURNALS_MAX;
    for (unsigned i = 0; i < page_count; i++)
        snprintf(page[i].name, sizeof page[i].name, "j%u", i);
    page[0] = (struct finder_journal){.name = "j0",
                                      .carrier = "host",
                                      .address = "1.2.3.4:5",
                                      .program = "1.2.3",
                                      .epoch = 3,
                                      .commits = 4,
                                      .live = 5,
                                      .tries = 6,
                                      .form = 7,
                                      .lease_ms = 1500,
                                      .held = true,
                                      .wanted = true};
    page[1].held = true;     /* and its lease is over */
    page[2].lease_ms = 9000; /* which means nothing where nobody holds it */
    page[3].live = 1;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), 0);
    ck_assert_uint_eq(m.n_journals, FINDER_JOURNALS_MAX);
    const Saga__V1__Journal *j = m.journals[0];
    ck_assert(protobuf_c_message_check(&j->base));
    ck_assert_str_eq(j->name, "j0");
    ck_assert_str_eq(j->carrier, "host");
    ck_assert_str_eq(j->address, "1.2.3.4:5");
    ck_assert_str_eq(j->program, "1.2.3");
    ck_assert(j->epoch == 3 && j->commits == 4 && j->live == 5 && j->tries == 6 && j->form == 7 && j->wanted);
    ck_assert(j->lease->seconds == 1 && j->lease->nanos == 500000000);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(m.journals[i]->orphan, i == 1 || i == 3);
    ck_assert_int_eq(m.journals[2]->lease->seconds, 0);
    ck_assert(!m.journals[1]->wanted);
    ck_assert_str_eq(m.next, "j199"); /* behind which the next page begins */
    m = (Saga__V1__ListJournalsResponse)SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    page_count--;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), 0);
    ck_assert_uint_eq(m.n_journals, FINDER_JOURNALS_MAX - 1);
    ck_assert_str_eq(m.next, "");
    finds = STORE_PENDING;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), STORE_PENDING);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(fleet_journals(&loop, "before", &a, &m, &detail), E_JOURNAL_AWAY);
    struct sidecar alone = {.config = &config};
    struct loop its = {.sidecar = &alone};
    ck_assert_int_eq(fleet_journals(&its, "before", &a, &m, &detail), E_NO_FLEET);
    arena_finish(&a);
}
END_TEST

START_TEST(fleet_told__a_journal_is_asked_for_by_its_name)
{
    struct error_detail detail;
    open_fleet();
    ck_assert_int_eq(fleet_give(&loop, "there", &detail), 0);
    ck_assert_int_eq(fleet_give(&loop, "elsewhere", &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "journal");
    finds = STORE_PENDING;
    ck_assert_int_eq(fleet_give(&loop, "there", &detail), STORE_PENDING);
    finds = E_JOURNAL_AWAY;
    ck_assert_int_eq(fleet_give(&loop, "there", &detail), E_JOURNAL_AWAY);
    struct sidecar alone = {.config = &config};
    struct loop its = {.sidecar = &alone};
    ck_assert_int_eq(fleet_give(&its, "there", &detail), E_NO_FLEET);
}
END_TEST

static char *written(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(metrics_write(&loop.vitals.metrics, 1, METRICS_PROMETHEUS, out), 0);
    fclose(out);
    return text;
}

/* What is so in each guest, under its journal's name, until it is given up. */
START_TEST(fleet_told__guests_are_counted)
{
    static const char *const expected[] = {
        "\nsagad_guests 1\n",
        "\nsagad_takeovers_total 1\n",
        "\nsagad_guest_sagas_live{journal=\"a\"} 5\n",
        "\nsagad_guest_sagas_compensating{journal=\"a\"} 6\n",
        "\nsagad_guest_sagas_stuck{journal=\"a\"} 7\n",
        "\nsagad_guest_oldest_live_saga_age_seconds{journal=\"a\"} 1.5\n",
        "\nsagad_guest_oldest_stuck_saga_age_seconds{journal=\"a\"} 2.5\n",
        "\nsagad_guest_oldest_deferred_saga_age_seconds{journal=\"a\"} 0\n",
    };
    add_row("a", false, 1);
    ck_assert_int_eq(metrics_create(100, &loop.vitals.metrics), 0);
    open_fleet();
    struct loop *there = &serves(0)->loop;
    const struct instant at = {.us = 900000000};
    atomic_store(&there->real_live, 5);
    atomic_store(&there->compensating, 6);
    atomic_store(&there->stuck, 7);
    atomic_store(&there->oldest_us, at.us - 1500000);
    atomic_store(&there->oldest_stuck_us, at.us - 2500000);
    fleet_turn(&loop);
    fleet_count(&loop, at);
    char *text = written();
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_msg(strstr(text, expected[i]) != NULL, "%s is not in %s", expected[i], text);
    free(text);
    rows[0].wanted = true;
    turn();
    UNTIL((fleet_turn(&loop), home.rooms[1] == NULL));
    fleet_count(&loop, at);
    text = written();
    ck_assert_ptr_nonnull(strstr(text, "\nsagad_guests 0\n"));
    ck_assert_msg(strstr(text, "journal=\"a\"") == NULL, "%s", text);
    free(text);
    metrics_destroy(loop.vitals.metrics);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet_told");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fleet_told__where_a_saga_is);
    tcase_add_test(t, fleet_told__all_journals);
    tcase_add_loop_test(t, fleet_told__other_sidecars_are_asked_as_who_they_are, 0, 2);
    tcase_add_test(t, fleet_told__operators_see_journals_whole);
    tcase_add_test(t, fleet_told__a_journal_is_asked_for_by_its_name);
    tcase_add_test(t, fleet_told__guests_are_counted);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
