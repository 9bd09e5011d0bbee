/* Guests of a fleet: which journals are taken over and when, how they are given up, and what is told of it. */
#include "sidecar/observe/panel.h"
#include "tests/support/fleet_world.h"

#include <check.h>

/* The log, without its times. */
static char lines[2048];

static void hear(void *self, const struct log_entry *entry)
{
    char line[LOG_LINE_SIZE];
    (void)self;
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, entry->level, entry->text, entry->fields, entry->field_count,
             line);
    strncat(lines, strchr(line, ' ') + 1, sizeof lines - strlen(lines) - 1);
}

/* ---- taking over ---- */

START_TEST(fleet__what_nobody_has_is_opened_asked_and_given_up_to_its_own)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    ck_assert_str_eq(g->journal, "a");
    ck_assert_int_eq(tags_find(&home.tags, 100), 1);
    ck_assert_ptr_eq(home.rooms[1], &g->room);
    ck_assert_uint_eq(home.places, 1 + FLEET_TAKEOVERS_MAX);
    found = (struct finder_found){.known = true, .journal = "a", .carrier = "own", .held = true};
    ck_assert_uint_eq(place_of_tag(100), 1);
    turn();
    ck_assert(!atomic_load(&g->stop));
    rows[0].wanted = true;
    turn();
    ck_assert(atomic_load(&g->stop));
    UNTIL((fleet_turn(&loop), home.rooms[1] == NULL)); /* from when it has ended */
    ck_assert_int_eq(tags_find(&home.tags, 100), -1);
    ck_assert_uint_eq(home.places, 1);
    UNTIL(atomic_load(&g->closed));
    guest_of_ours[0] = false;
    look();
    ck_assert_uint_eq(atomic_load(&opened), 1); /* its own waits for it */
    rows[0].wanted = false;
    look();
    UNTIL(atomic_load(&opened) == 2);
    g = serves(1);
    turn();
    ck_assert(!atomic_load(&g->stop)); /* the one before was asked for, not this one */
}
END_TEST

/* One that ends answers what it was asked before: it goes once the last answer was heard. */
START_TEST(fleet__a_guest_that_ends_waits_for_what_it_was_asked)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    fleet_asked(&loop, 1, 1);
    fleet_asked(&loop, 1, 1);
    rows[0].wanted = true;
    turn();
    UNTIL(atomic_load(&g->polls) > 2 ||
          atomic_load(&g->closed)); /* it reads, though nobody has heard yet that it goes */
    ck_assert(!atomic_load(&g->closed));
    fleet_turn(&loop);
    ck_assert_ptr_null(home.rooms[1]);
    fleet_asked(&loop, 1, -1);
    unsigned polls = atomic_load(&g->polls);
    UNTIL(atomic_load(&g->polls) > polls + 2 || atomic_load(&g->closed));
    ck_assert(!atomic_load(&g->closed));
    fleet_asked(&loop, 1, -1);
    UNTIL(atomic_load(&g->closed));
    fleet_asked(&loop, 0, 1); /* of its own nobody keeps count */
}
END_TEST

/* Loop 0 has made its last turn: nobody hears any more what a guest was asked. */
START_TEST(fleet__an_answer_that_nobody_will_hear_keeps_no_guest)
{
    add_row("a", false, 1);
    open_fleet();
    serves(0);
    fleet_asked(&loop, 1, 1);
}
END_TEST

START_TEST(fleet__one_that_lasts_gives_the_journal_its_tries_back_once)
{
    add_row("a", false, 1);
    open_fleet();
    serves(0);
    pass(ADOPT_LASTING);
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 0);
    pass((struct span){.us = 1});
    database = E_JOURNAL_AWAY; /* it could not be said: it is said again */
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 1);
    database = 0;
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 2);
    ck_assert_str_eq(lasted_name, "a");
    turn();
    ck_assert_uint_eq(atomic_load(&lasted), 2);
}
END_TEST

START_TEST(fleet__one_in_which_nothing_lives_is_given_up_after_a_while)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    atomic_store(&g->loop.live, 0);
    turn();
    pass((struct span){.us = ADOPT_IDLE.us - 1});
    turn();
    ck_assert(!atomic_load(&g->stop));
    atomic_store(&g->loop.live, 1);
    turn();
    atomic_store(&g->loop.live, 0);
    pass(SPAN_S(1));
    turn();
    ck_assert(!atomic_load(&g->stop)); /* the time counts anew */
    pass(ADOPT_IDLE);
    turn();
    ck_assert(atomic_load(&g->stop));
}
END_TEST

/* What is left of journals goes: piece after piece while there is more, and else about once a minute. */
START_TEST(fleet__what_is_left_behind_is_swept)
{
    open_fleet();
    ck_assert_uint_eq(sweeps, 1);
    more_to_sweep = true;
    look();
    ck_assert_uint_eq(sweeps, 1);
    pass(SPAN_S(120));
    for (unsigned i = 2; i < 5; i++) {
        turn();
        ck_assert_uint_eq(sweeps, i);
        pass((struct span){.us = 999999});
        turn();
        ck_assert_uint_eq(sweeps, i);
        pass((struct span){.us = 1});
        more_to_sweep = i < 3;
    }
    ck_assert_uint_eq(removals, 0);
}
END_TEST

/* A journal is removed when all in it has ended and nobody came back to it for long enough; the next one soon after. */
START_TEST(fleet__what_nobody_came_back_to_is_removed)
{
    const int64_t long_ago = -(ADOPT_KEPT_MIN.us / 1000);
    static const struct {
        int64_t late_ms;
        uint64_t live;
        bool held, removed;
    } cases[] = {{1, 0, false, true}, {-1, 0, false, false}, {1, 1, false, false}, {1, 0, true, false}};
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY)});
    log_listen(hear, NULL);
    open_fleet();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[200];
        snprintf(expected, sizeof expected,
                 "level=info msg=\"a journal is removed that nobody came back to, and in which all had ended\" "
                 "journal=gone alone_s=%lld\n",
                 (long long)-long_ago / 1000);
        lines[0] = '\0';
        abandoned = (struct fleet_row){.name = "gone",
                                       .carrier = "",
                                       .address = "",
                                       .needs = "",
                                       .program = "",
                                       .id = 7 + i,
                                       .epoch = 3,
                                       .lease_ms = long_ago - cases[i].late_ms,
                                       .live = cases[i].live,
                                       .held = cases[i].held};
        removals = 0;
        pass(SPAN_S(120));
        turn();
        ck_assert_msg((removals == 1) == cases[i].removed, "%zu", i);
        ck_assert_str_eq(lines, cases[i].removed ? expected : "");
        unsigned before = sweeps;
        pass(SPAN_S(1));
        turn();
        ck_assert_msg((sweeps == before + 1) == cases[i].removed, "%zu", i);
    }
    log_listen(NULL, NULL);
}
END_TEST

/* Until the next look for others is due; where there are guests, a look at them comes before. */
START_TEST(fleet__rests_for_as_long_as_there_is_nothing_to_do)
{
    open_fleet();
    int64_t before = time_us();
    turn();
    ck_assert_int_gt(rests_until_us, before + 600000);
    ck_assert_uint_eq(guest_looks, 0);
    add_row("a", false, 1);
    look();
    serves(0);
    turn();
    ck_assert_uint_eq(guest_looks, 1);
    ck_assert_int_le(rests_us, 500000);
    keeps_time = true; /* whatever time of day somebody sets meanwhile */
    turn();
    keeps_time = false;
    ck_assert_int_ge(late_us, 0);
}
END_TEST

static char told_of_trouble[512];

static void hear_of_trouble(void *self, const struct log_entry *entry)
{
    (void)self;
    if (strcmp(entry->text, "the fleet's journals cannot be looked at") == 0)
        snprintf(told_of_trouble + strlen(told_of_trouble), sizeof told_of_trouble - strlen(told_of_trouble), "%.*s ",
                 (int)entry->fields[0].text.size, (const char *)entry->fields[0].text.at);
}

/* Whichever look it is that fails: once, until one goes well. */
START_TEST(fleet__that_the_database_does_not_answer_is_told_once)
{
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .fd = open("/dev/null", O_WRONLY)});
    log_listen(hear_of_trouble, NULL);
    open_fleet();
    database = E_JOURNAL_AWAY;
    for (unsigned i = 0; i < 3; i++)
        look();
    ck_assert_str_eq(told_of_trouble, "away ");
    database = 0;
    look();
    sweep_fails = E_JOURNAL;
    pass(SPAN_S(120));
    turn();
    ck_assert_str_eq(told_of_trouble, "away busy ");
    sweep_fails = 0;
    pass(SPAN_S(120));
    turn();
    add_row("a", false, 1);
    look();
    serves(0);
    database = E_JOURNAL_AWAY; /* also where only guests are looked at */
    turn();
    ck_assert_str_eq(told_of_trouble, "away busy away ");
    database = 0;
    turn();
    log_listen(NULL, NULL);
}
END_TEST

START_TEST(fleet__no_more_are_taken_than_may_be)
{
    add_row("a", false, 1);
    add_row("b", false, 1);
    add_row("c", false, 1);
    open_fleet();
    for (unsigned k = 0; k < 2; k++) {
        serves(k);
        look();
    }
    look();
    ck_assert_uint_eq(atomic_load(&opened), 2);
    ck_assert_int_eq(tags_find(&home.tags, 100), 1);
    ck_assert_int_eq(tags_find(&home.tags, 101), 2);
    rows[0].wanted = true;
    turn();
    UNTIL((fleet_turn(&loop), home.rooms[1] == NULL));
    ck_assert_uint_eq(home.places, 1 + FLEET_TAKEOVERS_MAX); /* the other is asked on */
    ck_assert_int_eq(tags_find(&home.tags, 101), 2);
    UNTIL(atomic_load(&guests[0].closed));
    UNTIL((look(), atomic_load(&opened) == 3));
    ck_assert_str_eq(guests[2].journal, "c");
    serves(2);
    ck_assert_int_eq(tags_find(&home.tags, 102), 1);
}
END_TEST

/* However long that takes. */
START_TEST(fleet__what_is_being_opened_is_not_taken_again)
{
    add_row("a", false, 1);
    add_row("b", false, 1);
    add_row("c", false, 1);
    atomic_store(&slow, true);
    open_fleet();
    for (unsigned i = 0; i < 4; i++)
        look();
    UNTIL(atomic_load(&began) >= 2);
    atomic_store(&slow, false);
    serves(0);
    serves(1);
    look();
    ck_assert_uint_eq(atomic_load(&opened), 2);
    ck_assert_str_ne(guests[0].journal, guests[1].journal);
}
END_TEST

/* A sidecar that ends meanwhile waits for no guest that has just begun. */
START_TEST(fleet__what_is_being_opened_when_all_end_never_serves)
{
    add_row("a", false, 1);
    atomic_store(&slow, true);
    open_fleet();
    look();
    UNTIL(atomic_load(&began) == 1);
    ck_assert(!stops(stops_self));
    fleet_stop(home.fleet);
    ck_assert(stops(stops_self));
    atomic_store(&slow, false);
    UNTIL(atomic_load(&guests[0].closed) || atomic_load(&guests[0].running));
    ck_assert(!atomic_load(&guests[0].running));
}
END_TEST

enum { LEFT_ALONE = 7 };

/* What could not be opened, or was lost, is left to others: for a minute, or two seconds where the database itself was at fault, or not at all where
 * somebody was quicker. */
START_TEST(fleet__what_could_not_be_opened_is_left_alone_for_a_while)
{
    static const struct {
        int code, seconds;
        bool serves; /* first */
    } cases[LEFT_ALONE] = {{E_JOURNAL_CORRUPT, 60, false}, {E_JOURNAL_AWAY, 2, false},    {E_JOURNAL_LOCKED, 0, false},
                           {E_JOURNAL_FENCED, 0, false},   {E_JOURNAL_CORRUPT, 60, true}, {E_JOURNAL, 2, true},
                           {E_JOURNAL_FENCED, 0, true}};
    opens = cases[_i].serves ? 0 : cases[_i].code;
    add_row("a", false, 1);
    open_fleet();
    if (cases[_i].serves) {
        struct world_guest *g = serves(0);
        g->ends = cases[_i].code;
        atomic_store(&g->stop, true);
        guest_of_ours[0] = false;
    }
    UNTIL((turn(), fleet_turn(&loop), atomic_load(&joined) == 1));
    ck_assert_uint_eq(atomic_load(&opened), 1);
    if (cases[_i].seconds > 0) {
        pass((struct span){.us = SPAN_S(cases[_i].seconds).us - 1});
        turn();
        turn();
        ck_assert_uint_eq(atomic_load(&opened), 1);
    }
    look();
    UNTIL(atomic_load(&opened) == 2);
    opens = 0;
}
END_TEST

/* One whose lease is over may only have lost the database, as everybody has: once that has been there for as long as it takes to be back. */
START_TEST(fleet__after_the_database_was_away_the_dead_are_given_time)
{
    open_fleet();
    pass(SPAN_S(60));
    turn(); /* it has been there for long */
    database = E_JOURNAL_AWAY;
    look();
    add_row("a", true, 1);
    database = 0;
    look(); /* from now on it is there */
    pass((struct span){.us = ADOPT_STEADY.us - 1});
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    anew = true; /* the connection broke in between */
    look();
    pass((struct span){.us = ADOPT_STEADY.us - 1});
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    look();
    UNTIL(atomic_load(&opened) == 1);
    serves(0);
}
END_TEST

/* As after it was away: what was seen before the start nobody knows. */
START_TEST(fleet__at_its_start_the_dead_are_given_time)
{
    add_row("a", true, 1);
    open_fleet();
    pass((struct span){.us = ADOPT_STEADY.us - 1});
    turn();
    ck_assert_uint_eq(atomic_load(&began), 0);
    look();
    UNTIL(atomic_load(&opened) == 1);
    serves(0);
}
END_TEST

/* Also what nothing lives in; but never what somebody has. */
START_TEST(fleet__what_is_asked_for_is_taken_at_once)
{
    add_row("a", false, 0);
    add_row("b", true, 1);
    rows[1].lease_ms = 1;
    open_fleet();
    look();
    ck_assert_uint_eq(atomic_load(&opened), 0);
    pass(SPAN_S(60));
    turn();
    fleet_wish(&loop, "b"); /* however long the database has been there */
    turn();
    ck_assert_uint_eq(atomic_load(&began), 0);
    fleet_wish(&loop, "a");
    turn();
    struct world_guest *g = serves(0);
    ck_assert_str_eq(g->journal, "a");
    fleet_wish(&loop, "a");
    turn();
    turn();
    ck_assert_uint_eq(atomic_load(&opened), 1);
}
END_TEST

/* However often that is, it is looked for a few times a second. */
START_TEST(fleet__what_is_asked_for_again_and_again_is_looked_for_less_often)
{
    open_fleet();
    add_row("b", true, 1);
    rows[0].lease_ms = 1;
    for (unsigned i = 0; i < 3; i++) {
        fleet_wish(&loop, "b");
        int64_t before = time_us();
        turn();
        ck_assert_int_ge(rests_until_us, before + 200000);
        ck_assert_int_le(rests_us, 200000);
    }
    turn();
    ck_assert_int_gt(rests_us, 200000); /* nobody asks any more */
}
END_TEST

/* What becomes of others' journals can be followed in the log; that somebody was quicker is none of it. */
START_TEST(fleet__the_life_of_a_guest_is_told)
{
    static const struct {
        int opens, ends;
        const char *told;
    } rows_of[] = {
        {0, 0,
         "level=warn msg=\"a journal is taken over: its sagas go on here\" journal=a live_sagas=1\n"
         "level=info msg=\"a journal that was taken over is given up\" journal=a\n"},
        {0, E_JOURNAL_FENCED,
         "level=warn msg=\"a journal is taken over: its sagas go on here\" journal=a live_sagas=1\n"
         "level=warn msg=\"a journal that was taken over is lost again: its sagas go on elsewhere\" journal=a "
         "reason=JOURNAL_FENCED text=lost\n"},
        {E_JOURNAL_CORRUPT, 0,
         "level=error msg=\"a journal cannot be taken over\" journal=a reason=JOURNAL_CORRUPT text=no\n"},
        {E_JOURNAL_LOCKED, 0, ""},
    };
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY)});
    log_listen(hear, NULL);
    opens = rows_of[_i].opens;
    add_row("a", false, 1);
    open_fleet();
    if (opens == 0) {
        struct world_guest *g = serves(0);
        g->ends = rows_of[_i].ends;
        atomic_store(&g->stop, true);
        rows[0].wanted = true;
    }
    UNTIL((turn(), fleet_turn(&loop), atomic_load(&joined) == 1));
    log_listen(NULL, NULL);
    ck_assert_str_eq(lines, rows_of[_i].told);
}
END_TEST

/* To the last: each is asked, reads its configuration again, and is given up when all end. */
START_TEST(fleet__as_many_as_there_can_be)
{
    char names[FLEET_TAKEOVERS_MAX][8];
    config.fleet_takeovers_max = FLEET_TAKEOVERS_MAX;
    for (unsigned k = 0; k < FLEET_TAKEOVERS_MAX; k++) {
        snprintf(names[k], sizeof names[k], "j%u", k);
        add_row(names[k], false, 1);
    }
    open_fleet();
    for (unsigned k = 0; k < FLEET_TAKEOVERS_MAX; k++) {
        serves(k);
        look();
        ck_assert_ptr_eq(home.rooms[k + 1], &guests[k].room);
        ck_assert_int_eq(tags_find(&home.tags, 100 + k), (int)k + 1);
    }
    fleet_reload(home.fleet);
    ck_assert_uint_eq(atomic_load(&reloads), FLEET_TAKEOVERS_MAX);
    unsigned last = FLEET_TAKEOVERS_MAX - 1;
    found = (struct finder_found){.known = true, .carrier = "own", .held = true};
    strcpy(found.journal, guests[last].journal);
    ck_assert_uint_eq(place_of_tag(100 + last), FLEET_TAKEOVERS_MAX);
    rows[last].wanted = true;
    turn();
    UNTIL((fleet_turn(&loop), home.rooms[last + 1] == NULL));
    UNTIL(atomic_load(&guests[last].closed));
    guest_of_ours[last] = rows[last].wanted = false;
    UNTIL((look(), atomic_load(&opened) == FLEET_TAKEOVERS_MAX + 1)); /* where there is one less, there is room */
    serves(FLEET_TAKEOVERS_MAX);
    fleet_stop(home.fleet);
    for (unsigned k = 0; k <= FLEET_TAKEOVERS_MAX; k++)
        UNTIL((fleet_turn(&loop), atomic_load(&guests[k].closed)));
}
END_TEST

/* Guests that serve read their configuration again. */
/* Whoever looks at the sidecar sees them: each place has numbers of its own, and its part of the series. */
START_TEST(fleet__each_place_for_a_guest_is_on_the_panel)
{
    struct metrics *all[PANEL_METRICS_MAX];
    config.metrics_series_max = 10 * config.fleet_takeovers_max;
    ck_assert_int_eq(panel_create("1.2.3", &home.panel), 0);
    unsigned before = panel_metrics(home.panel, all);
    open_fleet();
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        ck_assert_int_eq(home.guest_metrics[i] != NULL, i < config.fleet_takeovers_max);
    ck_assert_uint_eq(panel_metrics(home.panel, all), before + config.fleet_takeovers_max);
    for (unsigned n = 0; n < 20; n++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", n);
        metrics_add(home.guest_metrics[0], METRIC_REFUSALS,
                    (struct metric_labels){{bytes_of_text(name), bytes_of_text("r")}}, 1);
    }
    ck_assert_uint_ge(metrics_count(home.guest_metrics[0]), 10);
    ck_assert_uint_le(metrics_count(home.guest_metrics[0]), 12); /* with those that tell of what found no place */
    for (unsigned i = 0; i < FLEET_TAKEOVERS_MAX; i++)
        metrics_destroy(home.guest_metrics[i]);
    panel_destroy(home.panel);
}
END_TEST

START_TEST(fleet__a_reload_reaches_guests)
{
    add_row("a", false, 1);
    open_fleet();
    struct world_guest *g = serves(0);
    fleet_reload(home.fleet);
    ck_assert_uint_eq(atomic_load(&reloads), 1);
    rows[0].wanted = true;
    turn();
    UNTIL((fleet_turn(&loop), atomic_load(&g->closed)));
    fleet_reload(home.fleet);
    ck_assert_uint_eq(atomic_load(&reloads), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fleet__what_nobody_has_is_opened_asked_and_given_up_to_its_own);
    tcase_add_test(t, fleet__a_guest_that_ends_waits_for_what_it_was_asked);
    tcase_add_test(t, fleet__an_answer_that_nobody_will_hear_keeps_no_guest);
    tcase_add_test(t, fleet__one_that_lasts_gives_the_journal_its_tries_back_once);
    tcase_add_test(t, fleet__one_in_which_nothing_lives_is_given_up_after_a_while);
    tcase_add_test(t, fleet__what_is_left_behind_is_swept);
    tcase_add_test(t, fleet__what_nobody_came_back_to_is_removed);
    tcase_add_test(t, fleet__rests_for_as_long_as_there_is_nothing_to_do);
    tcase_add_test(t, fleet__that_the_database_does_not_answer_is_told_once);
    tcase_add_test(t, fleet__no_more_are_taken_than_may_be);
    tcase_add_test(t, fleet__what_is_being_opened_is_not_taken_again);
    tcase_add_test(t, fleet__what_is_being_opened_when_all_end_never_serves);
    tcase_add_loop_test(t, fleet__what_could_not_be_opened_is_left_alone_for_a_while, 0, LEFT_ALONE);
    tcase_add_test(t, fleet__after_the_database_was_away_the_dead_are_given_time);
    tcase_add_test(t, fleet__at_its_start_the_dead_are_given_time);
    tcase_add_test(t, fleet__what_is_asked_for_is_taken_at_once);
    tcase_add_test(t, fleet__what_is_asked_for_again_and_again_is_looked_for_less_often);
    tcase_add_loop_test(t, fleet__the_life_of_a_guest_is_told, 0, 4);
    tcase_add_test(t, fleet__as_many_as_there_can_be);
    tcase_add_test(t, fleet__each_place_for_a_guest_is_on_the_panel);
    tcase_add_test(t, fleet__a_reload_reaches_guests);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
