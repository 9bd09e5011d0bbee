/* The fleet's sidecars as sagactl shows them: who has which journal, what happens in a second, what a reload has changed. */
#include "client-lib/sagactl/json.h"
#include "tests/support/told_letters.h"
#include "tests/support/told_sidecar.h"

#include <time.h>

/* ---- fleet ---- */

static Saga__V1__Journal journal(const char *name, const char *carrier, const char *program)
{
    Saga__V1__Journal j = SAGA__V1__JOURNAL__INIT;
    j.name = text(name);
    j.carrier = text(carrier);
    j.program = text(program);
    return j;
}

START_TEST(fleet__shows_each_journal_and_who_has_it)
{
    Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT, over = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__ListJournalsResponse first = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT, second = first;
    Saga__V1__Journal j[] = {journal("home", "home", "1.2.3"), journal("guest", "home", ""),
                             journal("back", "home", "1.2.3"), journal("free", "", ""),
                             journal("lost", "x", "1.0.0"),    journal("left", "x", "1.0.0")};
    Saga__V1__Journal *all[] = {&j[0], &j[1], &j[2], &j[3], &j[4], &j[5]};
    lease.seconds = 8;
    lease.nanos = 500000000;
    over.seconds = -12;
    j[0].epoch = 3;
    j[0].live = 41;
    j[0].commits = 1234;
    j[0].lease = &lease;
    j[0].form = 1;
    j[0].address = text("10.0.0.1:7241");
    j[2].wanted = true;
    j[4].orphan = true;
    j[4].lease = &over;
    j[4].tries = 2;
    j[5].orphan = true;
    j[5].tries = 3;
    first.journals = all;
    first.n_journals = 4;
    first.next = text("free");
    second.journals = all + 4;
    second.n_journals = 2;
    tell("ListJournals", &first.base);
    tell("ListJournals", &second.base);
    SHOWS("fleet", "JOURNAL  STATE       AT       EPOCH      LIVE   COMMITS     LEASE  FORM  SAGAD     ADDRESS\n"
                   "home     at home     home         3        41      1234      8.5s     1  1.2.3     10.0.0.1:7241\n"
                   "guest    taken over  home         0         0         0      0.0s     0  older     \n"
                   "back     goes home   home         0         0         0      0.0s     0  1.2.3     \n"
                   "free     given up                 0         0         0      0.0s     0            \n"
                   "JOURNAL  STATE        AT       EPOCH      LIVE   COMMITS     LEASE  FORM  SAGAD     ADDRESS\n"
                   "lost     orphan       x            0         0         0    -12.0s     0  1.0.0     \n"
                   "left     to be given  x            0         0         0      0.0s     0  1.0.0     \n");
    Saga__V1__ListJournalsRequest *request =
        saga__v1__list_journals_request__unpack(NULL, asked_sizes[1], asked_bytes[1]);
    ck_assert_str_eq(request->after, "free");
    /* The columns are as wide as the longest name, within reason. */
    static char longer[62];
    memset(longer, 'x', 61);
    for (int size = 8; size <= 61; size += size == 8 ? 52 : 1) {
        char line[400];
        j[0].name = longer + 61 - size;
        second.journals = all;
        second.n_journals = 2;
        anew();
        tell("ListJournals", &second.base);
        ck_assert_int_eq(sagactl("fleet"), EXIT_DONE);
        snprintf(line, sizeof line, "\n%-*s  taken over  %-*s      0 ", size < 60 ? size : 60, "guest",
                 size < 60 ? size : 60, "home");
        ck_assert_msg(strstr(said, line) != NULL, "%s\nis not in\n%s", line, said);
    }
    saga__v1__list_journals_request__free_unpacked(request, NULL);
}
END_TEST

/* The worse it is, the louder: nobody has it, and nobody will take it unasked. */
START_TEST(fleet__paints_what_needs_a_person)
{
    Saga__V1__ListJournalsResponse answer = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    Saga__V1__Journal j[] = {journal("a", "a", ""), journal("b", "a", ""), journal("c", "x", ""),
                             journal("d", "x", "")};
    Saga__V1__Journal *all[] = {&j[0], &j[1], &j[2], &j[3]};
    static const char *const shown[] = {"a        at home      a", "  \033[33mgoes home\033[0m  ",
                                        "  \033[33morphan\033[0m  ", "  \033[31mto be given\033[0m  "};
    j[1].wanted = true;
    j[2].orphan = j[3].orphan = true;
    j[2].tries = 2;
    j[3].tries = 3;
    answer.journals = all;
    answer.n_journals = 4;
    tell("ListJournals", &answer.base);
    ck_assert_int_eq(sagactl("fleet --color always"), EXIT_DONE);
    for (size_t i = 0; i < 4; i++)
        ck_assert_msg(strstr(said, shown[i]) != NULL, "%s is not in %s", shown[i], said);
}
END_TEST

START_TEST(fleet__gives_a_journal)
{
    Saga__V1__GiveJournalResponse given = SAGA__V1__GIVE_JOURNAL_RESPONSE__INIT;
    tell("GiveJournal", &given.base);
    SHOWS("fleet give lost --actor ann",
          "whoever has it beside its own gives it up; its own sidecar takes it, or another\n");
    Saga__V1__GiveJournalRequest *request =
        saga__v1__give_journal_request__unpack(NULL, asked_sizes[0], asked_bytes[0]);
    ck_assert_str_eq(request->journal, "lost");
    ck_assert_str_eq(request->actor, "ann");
    saga__v1__give_journal_request__free_unpacked(request, NULL);
    anew();
    ck_assert_int_eq(sagactl("fleet give"), EXIT_USAGE);
    ck_assert_int_eq(sagactl("fleet take lost"), EXIT_USAGE);
}
END_TEST

/* A token that leads nowhere ends it. */
START_TEST(fleet__does_not_turn_in_a_circle)
{
    Saga__V1__ListJournalsResponse page = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    page.next = text("x");
    tell("ListJournals", &page.base);
    tell("ListJournals", &page.base);
    ck_assert_int_eq(sagactl("fleet"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "sagactl: the sidecar's token for the next page cannot be used\n");
}
END_TEST

/* ---- top ---- */

/* A sidecar that was started again between two looks counts from nothing. */
START_TEST(top__of_a_sidecar_that_was_restarted)
{
    Saga__V1__StatusResponse before = SAGA__V1__STATUS_RESPONSE__INIT, now = before;
    Saga__V1__LoopStatus loops[2] = {SAGA__V1__LOOP_STATUS__INIT, SAGA__V1__LOOP_STATUS__INIT},
                         *list[] = {&loops[0], &loops[1]};
    before.loops = &list[0];
    now.loops = &list[1];
    before.n_loops = now.n_loops = 1;
    loops[0].sagas_started = loops[0].attempts = 1000;
    loops[1].sagas_started = loops[1].attempts = 7;
    loops[1].sagas_ended = 20;
    tell("Status", &before.base);
    tell("Status", &now.base);
    ck_assert_msg(sagactl("top --once -o json") == EXIT_DONE, "%s", complained);
    json_t *top = json_loads(said, 0, NULL);
    const json_t *rates = json_object_get(top, "per_second");
    ck_assert_double_eq(json_real_value(json_object_get(rates, "started")), 0);
    ck_assert_double_eq(json_real_value(json_object_get(rates, "attempts")), 0);
    ck_assert_double_gt(json_real_value(json_object_get(rates, "ended")), 0);
    json_decref(top);
    anew();
    tell("Status", &before.base);
    tell("Status", &now.base);
    ck_assert_int_eq(sagactl("top --once"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "a second    0.0 started, "));
    ck_assert_ptr_nonnull(strstr(said, "; 0.0 attempts, 0.0 failed\n"));
}
END_TEST

/* A second's worth is that of the time since the last look, and of no other before it. */
START_TEST(top__counts_from_look_to_look)
{
    static const struct {
        uint64_t started, ended;
    } looks[] = {{0, 0}, {1000, 0}, {1000, 50}, {1001, 50}};
    Saga__V1__StatusResponse status[4];
    Saga__V1__LoopStatus loops[4], *list[4];
    for (int i = 0; i < 4; i++) {
        saga__v1__status_response__init(&status[i]);
        saga__v1__loop_status__init(&loops[i]);
        list[i] = &loops[i];
        status[i].loops = &list[i];
        status[i].n_loops = 1;
        loops[i].sagas_started = looks[i].started;
        loops[i].sagas_ended = looks[i].ended;
        tell("Status", &status[i].base);
    }
    tell("Status", NULL);
    told[4].code = SAGA_E_PERMISSION_DENIED;
    ck_assert_int_eq(sagactl("top -o json"), EXIT_REFUSED);
    const char *line = said;
    for (int i = 1; i < 4; i++) {
        json_t *top = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        ck_assert_msg(top != NULL, "%s", line);
        const json_t *rates = json_object_get(top, "per_second");
        ck_assert_int_eq(json_real_value(json_object_get(rates, "started")) > 0,
                         looks[i].started > looks[i - 1].started);
        ck_assert_int_eq(json_real_value(json_object_get(rates, "ended")) > 0, looks[i].ended > looks[i - 1].ended);
        json_decref(top);
        line = strchr(line, '\n') + 1;
    }
    ck_assert_str_eq(line, "");
}
END_TEST

/* What has grown alone has a rate. */
START_TEST(top__has_a_rate_of_each_count)
{
    static const char *const names[] = {"started",      "ended",    "turned_back",
                                        "became_stuck", "attempts", "attempts_failed"};
    for (int i = 0; i < 6; i++) {
        Saga__V1__StatusResponse before = SAGA__V1__STATUS_RESPONSE__INIT, now = before;
        Saga__V1__LoopStatus loops[2] = {SAGA__V1__LOOP_STATUS__INIT, SAGA__V1__LOOP_STATUS__INIT},
                             *list[] = {&loops[0], &loops[1]};
        uint64_t *const counts[] = {&loops[1].sagas_started,      &loops[1].sagas_ended, &loops[1].sagas_turned_back,
                                    &loops[1].sagas_became_stuck, &loops[1].attempts,    &loops[1].attempts_failed};
        before.loops = &list[0];
        now.loops = &list[1];
        before.n_loops = now.n_loops = 1;
        *counts[i] = 1000;
        anew();
        tell("Status", &before.base);
        tell("Status", &now.base);
        ck_assert_msg(sagactl("top --once -o json") == EXIT_DONE, "%s", complained);
        json_t *top = json_loads(said, 0, NULL);
        const json_t *rates = json_object_get(top, "per_second");
        ck_assert_uint_eq(json_object_size(rates), 6);
        for (int k = 0; k < 6; k++)
            ck_assert_msg((json_real_value(json_object_get(rates, names[k])) > 0) == (k == i), "%s: %s", names[i],
                          names[k]);
        json_decref(top);
    }
}
END_TEST

/* Shares are of what has ended lately, of sagas and of each target's attempts. */
START_TEST(top__has_shares_of_the_last_minutes)
{
    Google__Protobuf__Duration mean = GOOGLE__PROTOBUF__DURATION__INIT, most = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&loop};
    Saga__V1__Recent recent = SAGA__V1__RECENT__INIT;
    Saga__V1__TargetStatus targets[2] = {SAGA__V1__TARGET_STATUS__INIT, SAGA__V1__TARGET_STATUS__INIT},
                           *list[] = {&targets[0], &targets[1]};
    mean.seconds = 2;
    most.seconds = 9;
    recent.count = 8;
    recent.failed = 2;
    recent.refused = 1;
    recent.mean = &mean;
    recent.most = &most;
    loop.recent_sagas = &recent;
    loop.targets = list;
    loop.n_targets = 2;
    targets[0].name = text("bank");
    targets[0].recent = &recent;
    targets[0].calls = 3;
    targets[0].calls_max = 7;
    targets[0].waiting = 5;
    targets[1].name = text("mail");
    targets[1].unreachable = true;
    status.loops = loops;
    status.n_loops = 1;
    setenv("COLUMNS", "120", 1);
    tell("Status", &status.base);
    tell("Status", &status.base);
    ck_assert_msg(sagactl("top --once") == EXIT_DONE, "%s", complained);
    static const char *const lines[] = {
        "\n5 minutes   8 ended: 75 % committed; 2s on average, 9s at most\n",
        "\nbank                       3/7       5         8     25%   12.5%       2s       9s  \n",
        "\nmail                       0/0       0         0      0%      0%        -        -  cannot be reached\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(said, lines[i]) != NULL, "%s is not in %s", lines[i], said);
}
END_TEST

/* As many kinds of dead letters as fit, the most frequent first. */
START_TEST(top__shows_as_many_dead_letters_as_fit)
{
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__ListDeadLettersResponse answer = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&loop};
    Saga__V1__Saga sagas[14], *list[14];
    char names[14][8];
    for (int i = 0; i < 14; i++) {
        saga__v1__saga__init(&sagas[i]);
        snprintf(names[i], sizeof names[i], "kind%d", i);
        list[i] = &sagas[i];
        sagas[i].definition = names[i];
        sagas[i].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
        sagas[i].stuck_step = text("charge");
    }
    sagas[13].definition = names[12]; /* two of one kind */
    answer.sagas = list;
    answer.n_sagas = 14;
    loop.stuck = 14;
    status.loops = loops;
    status.n_loops = 1;
    tell("Status", &status.base);
    tell("Status", &status.base);
    tell("ListDeadLetters", &answer.base);
    ck_assert_msg(sagactl("top --once") == EXIT_DONE, "%s", complained);
    unsigned rows = 0;
    for (const char *at = said; (at = strstr(at, "\nkind")) != NULL; at++)
        ck_assert(rows++ > 0 || strncmp(at, "\nkind12, action of charge ", 26) == 0);
    ck_assert_uint_eq(rows, 12);
}
END_TEST

/* Steps by how often they fail, dead letters without heartbeats and of one page, and of targets as many as fit. */
START_TEST(top__shows_what_matters_most)
{
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__ListDeadLettersResponse answer;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&loop};
    Saga__V1__TargetStatus targets[13], *target_list[13];
    Saga__V1__FailingStep failing[3], *failing_list[3];
    for (int i = 0; i < 13; i++) {
        saga__v1__target_status__init(&targets[i]);
        targets[i].name = text("bank");
        target_list[i] = &targets[i];
    }
    for (unsigned i = 0; i < 3; i++) {
        saga__v1__failing_step__init(&failing[i]);
        failing[i].definition = text("order");
        failing[i].step = text(i == 1 ? "charge" : "send");
        failing[i].compensation = i == 2;
        failing[i].count = i == 1 ? 7 : i;
        failing_list[i] = &failing[i];
    }
    loop.targets = target_list;
    loop.failing_steps = failing_list;
    loop.n_failing_steps = 3;
    loop.stuck = TOLD_LETTERS;
    status.loops = loops;
    status.n_loops = 1;
    told_letters(&answer);
    answer.sagas[3]->synthetic = true;
    answer.next_page_token = text("next");
    for (unsigned more = 0; more < 2; more++) {
        loop.n_targets = 12 + more;
        anew();
        tell("Status", &status.base);
        tell("Status", &status.base);
        tell("ListDeadLetters", &answer.base);
        ck_assert_msg(sagactl("top --once") == EXIT_DONE, "%s", complained);
        const char *first = strstr(said, "\norder, action of charge "),
                   *second = strstr(said, "\norder, undo of send ");
        ck_assert_msg(first != NULL && second > first, "%s", said);
        ck_assert_int_eq(strstr(said, "\nand 1 more: sagactl status\n") != NULL, more);
        ck_assert_int_eq(strstr(said, "\nand ") != NULL, more);
        ck_assert_ptr_nonnull(strstr(said, "order, action of charge                          3  UNAVAILABLE\n"));
        unsigned rows = 0;
        for (const char *at = said; (at = strstr(at, "\nbank ")) != NULL; at++)
            rows++;
        ck_assert_uint_eq(rows, 12);
        ck_assert_ptr_null(strstr(said, "FAILED_PRECONDITION"));
    }
}
END_TEST

/* ---- reload ---- */

/* What needs a restart is a change, too. */
START_TEST(reload__says_what_has_changed)
{
    Saga__V1__ReloadResponse answer = SAGA__V1__RELOAD_RESPONSE__INIT;
    char *taken[] = {text("targets")}, *needs_restart[] = {text("data_dir")};
    static const char *const says[] = {"nothing has changed\n", "taken: targets\n", "needs a restart: data_dir\n",
                                       "taken: targets\nneeds a restart: data_dir\n"};
    answer.taken = taken;
    answer.needs_restart = needs_restart;
    for (size_t i = 0; i < 4; i++) {
        answer.n_taken = i & 1;
        answer.n_needs_restart = i >> 1;
        anew();
        tell("Reload", &answer.base);
        SHOWS("reload", says[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_fleet");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, fleet__shows_each_journal_and_who_has_it);
    tcase_add_test(tc, fleet__paints_what_needs_a_person);
    tcase_add_test(tc, fleet__gives_a_journal);
    tcase_add_test(tc, fleet__does_not_turn_in_a_circle);
    tcase_add_test(tc, reload__says_what_has_changed);
    tcase_add_test(tc, top__of_a_sidecar_that_was_restarted);
    tcase_add_test(tc, top__counts_from_look_to_look);
    tcase_add_test(tc, top__shows_what_matters_most);
    tcase_add_test(tc, top__has_a_rate_of_each_count);
    tcase_add_test(tc, top__shows_as_many_dead_letters_as_fit);
    tcase_add_test(tc, top__has_shares_of_the_last_minutes);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
