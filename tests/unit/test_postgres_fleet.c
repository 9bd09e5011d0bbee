/* What sidecars of a fleet read of the journals in their database, and write there: each question among journals of this fleet and of another. */
#include "sidecar/journal/postgres/postgres_fleet.h"

#include "sidecar/journal/postgres/postgres_inside.h"
#include "tests/support/postgres_place.h"
#include "tests/support/until.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct postgres server;
static struct postgres_fleet *fleet;
static struct error_detail detail;

static bool never(void *self)
{
    (void)self;
    return false;
}

static void setup(void)
{
    const struct postgres_fleet_options options = {
        .conninfo = server.conninfo, .fleet = "ours", .timeout = SPAN_S(10), .stop = never};
    place_query(&server, "truncate saga_journal, saga_request, saga_subject, saga_frame, saga_ended, saga_definition, "
                         "saga_audit, saga_gone");
    ck_assert_int_eq(postgres_fleet_create(&options, &fleet), 0);
}

static void teardown(void)
{
    postgres_fleet_destroy(fleet);
}

/* A journal as its columns say: whose lease has so long to go, in seconds. */
static void journal(const char *of, const char *name, const char *holder, const char *carrier, int lease_s, int live,
                    int tries)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "insert into saga_journal(name, holder, taker, pid, epoch, seq, expires_at, first_frame, last_frame, "
             "oldest_live, serial_max, audit_last, fleet, carrier, address, needs, live, tries) values ('%s', '%s', "
             "'', 0, 7, 9, clock_timestamp() + interval '%d seconds', 0, 0, 0, 0, 0, '%s', '%s', '1.2.3.4:5', 'shop,', "
             "%d, %d)",
             name, holder, lease_s, of, carrier, live, tries);
    place_query(&server, sql);
}

/* Fails unless this is so in the database. */
static void so(const char *condition)
{
    char sql[512];
    snprintf(sql, sizeof sql, "select 1 / (case when %s then 1 else 0 end)", condition);
    place_query(&server, sql);
}

/* ---- what is given ---- */

static char given[512];

static void add(void *self, const struct fleet_row *row)
{
    size_t used = strlen(given);
    (void)self;
    snprintf(given + used, sizeof given - used, "%s ", row->name);
}

static void add_indexed(void *self, unsigned index, const struct fleet_row *row)
{
    size_t used = strlen(given);
    (void)self;
    snprintf(given + used, sizeof given - used, "%u:%s ", index, row->name);
}

static struct fleet_row last;

static void keep(void *self, const struct fleet_row *row)
{
    (void)self;
    last = *row;
    snprintf(given, sizeof given, "%s %s %s %s %s", row->name, row->carrier, row->address, row->needs, row->program);
}

static uint64_t tries_of(const char *name)
{
    ck_assert_int_eq(postgres_fleet_of_name(fleet, name, keep, NULL, &detail), 0);
    return last.tries;
}

#define GIVES(expected, call) \
    do { \
        given[0] = '\0'; \
        ck_assert_msg((call) == 0, "%s", detail.text); \
        ck_assert_str_eq(given, expected); \
    } while (0)

START_TEST(postgres_fleet__a_row_is_read_whole)
{
    journal("ours", "a", "a", "b", 60, 3, 2);
    GIVES("a b 1.2.3.4:5 shop, ", postgres_fleet_of_name(fleet, "a", keep, NULL, &detail));
    place_query(&server, "update saga_journal set taker = '0123456789abcdef'"); /* an older one does not say */
    GIVES("a b 1.2.3.4:5 shop, ", postgres_fleet_of_name(fleet, "a", keep, NULL, &detail));
    place_query(&server, "update saga_journal set taker = '0123456789abcdef 1.2.3'");
    GIVES("a b 1.2.3.4:5 shop, 1.2.3", postgres_fleet_of_name(fleet, "a", keep, NULL, &detail));
    ck_assert_uint_eq(last.epoch, 7);
    ck_assert_uint_eq(last.commits, 9);
    ck_assert_uint_eq(last.live, 3);
    ck_assert_uint_eq(last.tries, 2);
    ck_assert_int_gt(last.lease_ms, 0);
    ck_assert_int_le(last.lease_ms, 60000);
    ck_assert(last.held && !last.wanted);
    GIVES("", postgres_fleet_of_name(fleet, "b", add, NULL, &detail));
    journal("theirs", "b", "b", "b", -5, 0, 0);
    GIVES("", postgres_fleet_of_name(fleet, "b", add, NULL, &detail));
}
END_TEST

/* Those whose lease is over, and those that were given up with something in them; never another fleet's, nor one's own. */
START_TEST(postgres_fleet__orphans)
{
    uint64_t held = 0;
    journal("ours", "dead", "x", "dead", -1, 0, 0);
    journal("ours", "lives", "x", "lives", 60, 5, 0);
    journal("ours", "guest", "x", "lives", 60, 5, 0);
    journal("ours", "own", "x", "own", -1, 5, 0);
    journal("theirs", "dead-theirs", "x", "dead-theirs", -1, 5, 0);
    GIVES("dead ", postgres_fleet_orphans(fleet, "own", add, NULL, &held, &detail));
    ck_assert_uint_eq(held, 3); /* sidecars: each has its own */
    place_query(&server, "delete from saga_journal where name = 'dead'");
    journal("ours", "empty", "", "", 0, 0, 0);
    GIVES("", postgres_fleet_orphans(fleet, "own", add, NULL, &held, &detail));
    journal("ours", "left", "", "", 0, 1, 0);
    GIVES("left ", postgres_fleet_orphans(fleet, "own", add, NULL, &held, &detail));
    place_query(&server, "update saga_journal set form = 99 where name = 'left'"); /* which this one could not read */
    GIVES("", postgres_fleet_orphans(fleet, "own", add, NULL, &held, &detail));
    GIVES("guest ", postgres_fleet_guests(fleet, "lives", add, NULL, &detail));
    GIVES("", postgres_fleet_guests(fleet, "own", add, NULL, &detail));
}
END_TEST

START_TEST(postgres_fleet__of_a_tag_and_of_a_request)
{
    const struct bytes id = bytes_of("r\0\xff", 3);
    journal("ours", "a", "x", "a", 60, 1, 0);
    journal("theirs", "t", "x", "t", 60, 1, 0);
    place_query(
        &server,
        "insert into saga_subject(journal, kind, name, version, value) select id, 1, convert_to(case name when 'a' "
        "then '00000000abcd' else '00000000ef01' end, 'UTF8'), 1, '' from saga_journal");
    GIVES("a ", postgres_fleet_of_tag(fleet, 0xabcd, add, NULL, &detail));
    GIVES("", postgres_fleet_of_tag(fleet, 0xef01, add, NULL, &detail));
    GIVES("", postgres_fleet_of_tag(fleet, 0xabce, add, NULL, &detail));
    GIVES("", postgres_fleet_of_request(fleet, id, add, NULL, &detail));
    place_query(&server,
                "insert into saga_request(fleet, request_id, journal, at_us) select 'theirs', '\\x7200ff', id, 1 from "
                "saga_journal where name = 't'");
    GIVES("", postgres_fleet_of_request(fleet, id, add, NULL, &detail));
    place_query(&server,
                "insert into saga_request(fleet, request_id, journal, at_us) select 'ours', '\\x7200ff', id, 1 from "
                "saga_journal where name = 'a'");
    GIVES("a ", postgres_fleet_of_request(fleet, id, add, NULL, &detail));
}
END_TEST

/* Whose they are already, they stay; the others are one's own from then on. Another fleet's count for nothing. */
START_TEST(postgres_fleet__request_ids_are_claimed_once)
{
    const struct bytes ids[] = {bytes_of_text("z"), bytes_of_text("a"), bytes_of_text("\\x\"'{,}")};
    journal("ours", "a", "x", "a", 60, 1, 0);
    journal("ours", "b", "x", "b", 60, 1, 0);
    journal("theirs", "t", "x", "t", 60, 1, 0);
    place_query(&server, "insert into saga_request(fleet, request_id, journal, at_us) select 'theirs', 'a', id, 1 from "
                         "saga_journal where name = 't'");
    given[0] = '\0';
    ck_assert_msg(postgres_fleet_claim(fleet, "b", ids + 1, 1, add_indexed, NULL, &detail) == 0, "%s", detail.text);
    ck_assert_str_eq(given, "0:b ");
    given[0] = '\0';
    ck_assert_msg(postgres_fleet_claim(fleet, "a", ids, 3, add_indexed, NULL, &detail) == 0, "%s", detail.text);
    ck_assert_ptr_nonnull(strstr(given, "0:a "));
    ck_assert_ptr_nonnull(strstr(given, "1:b "));
    ck_assert_ptr_nonnull(strstr(given, "2:a "));
    for (size_t i = 0; i < 3; i++)
        GIVES(i == 1 ? "b " : "a ", postgres_fleet_of_request(fleet, ids[i], add, NULL, &detail));
}
END_TEST

/* What was looked at stays for a while (postgres_claims.c); and a clock that goes back makes it no older. */
START_TEST(postgres_fleet__a_claim_is_as_young_as_its_last_look)
{
    const struct bytes id = bytes_of_text("r");
    journal("ours", "a", "x", "a", 60, 1, 0);
    for (int ahead = 0; ahead < 2; ahead++) {
        char sql[400];
        snprintf(sql, sizeof sql,
                 "insert into saga_request(fleet, request_id, journal, at_us) select 'ours', 'r', id, "
                 "(extract(epoch from clock_timestamp())::bigint + %d) * 1000000 from saga_journal on conflict (fleet, "
                 "request_id) do update set at_us = excluded.at_us",
                 ahead ? 7200 : -7200);
        place_query(&server, sql);
        ck_assert_int_eq(postgres_fleet_claim(fleet, "a", &id, 1, add_indexed, NULL, &detail), 0);
        so(ahead ? "(select at_us / 1000000 - extract(epoch from clock_timestamp())::bigint from saga_request) > 7000"
                 : "(select at_us / 1000000 - extract(epoch from clock_timestamp())::bigint from saga_request) > -100");
    }
}
END_TEST

/* What the session of the fleet has made of it, as told by a trigger: what is claimed is claimed for good. */
START_TEST(postgres_fleet__claims_are_durable_whatever_the_role_says)
{
    static const struct {
        const char *of_role, *expected;
    } cases[] = {{"off", "on"}, {"local", "on"}, {"remote_apply", "remote_apply"}};
    const struct postgres_fleet_options options = {
        .conninfo = server.conninfo, .fleet = "ours", .timeout = SPAN_S(10), .stop = never};
    journal("ours", "a", "x", "a", 60, 1, 0);
    place_query(&server, "create table claimed_with(value text, lock text)");
    place_query(&server,
                "create function note() returns trigger language plpgsql as $$ begin insert into claimed_with "
                "values (current_setting('synchronous_commit'), current_setting('lock_timeout')); return new; end $$");
    place_query(&server, "create trigger note after insert on saga_request for each row execute function note()");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[80], id[8];
        snprintf(text, sizeof text, "alter role test set synchronous_commit = %s", cases[i].of_role);
        place_query(&server, text);
        postgres_fleet_destroy(fleet);
        ck_assert_int_eq(postgres_fleet_create(&options, &fleet), 0);
        snprintf(id, sizeof id, "r%zu", i);
        const struct bytes request_id = bytes_of_text(id);
        ck_assert_int_eq(postgres_fleet_claim(fleet, "a", &request_id, 1, add_indexed, NULL, &detail), 0);
        snprintf(text, sizeof text, "(select value from claimed_with) = '%s'", cases[i].expected);
        so(text);
        so("(select lock from claimed_with) = '2s'"); /* nobody holds it up for longer */
        place_query(&server, "delete from claimed_with");
    }
    place_query(&server, "alter role test reset synchronous_commit");
    place_query(&server, "drop trigger note on saga_request");
}
END_TEST

START_TEST(postgres_fleet__pages_by_name)
{
    journal("ours", "c", "x", "c", 60, 1, 0);
    journal("ours", "a", "x", "a", -60, 1, 0);
    journal("ours", "b", "", "", 0, 0, 0);
    journal("theirs", "aa", "x", "aa", 60, 1, 0);
    GIVES("a b ", postgres_fleet_list(fleet, "", 2, add, NULL, &detail));
    GIVES("c ", postgres_fleet_list(fleet, "b", 2, add, NULL, &detail));
    GIVES("", postgres_fleet_list(fleet, "c", 2, add, NULL, &detail));
}
END_TEST

/* A take-over that has lasted, and a person who moves a journal, give it all its tries back. */
START_TEST(postgres_fleet__tries_begin_anew)
{
    bool there = false;
    journal("ours", "a", "x", "b", 60, 1, 3);
    journal("ours", "own", "x", "own", 60, 1, 3);
    journal("theirs", "t", "x", "u", 60, 1, 3);
    ck_assert_int_eq(postgres_fleet_lasted(fleet, "c", "a", &detail), 0); /* another has it by now */
    ck_assert_uint_eq(tries_of("a"), 3);
    ck_assert_int_eq(postgres_fleet_lasted(fleet, "b", "a", &detail), 0);
    ck_assert_uint_eq(tries_of("a"), 0);
    /* Whoever has it may find at this moment that the database has lost commits: that waits for a person. */
    place_query(&server, "update saga_journal set tries = " LEFT " where name = 'a'");
    ck_assert_int_eq(postgres_fleet_lasted(fleet, "b", "a", &detail), 0);
    ck_assert_uint_eq(tries_of("a"), LEFT_TO_A_PERSON);
    place_query(&server, "update saga_journal set tries = 3");
    ck_assert_int_eq(postgres_fleet_want(fleet, "a", &there, &detail), 0);
    ck_assert(there);
    ck_assert_uint_eq(tries_of("a"), 0);
    ck_assert(last.wanted);
    so("(select wanted_until - clock_timestamp() between interval '0' and interval '3 s' from saga_journal where name "
       "= "
       "'a')");
    /* One that is at home is not to be given up, and another fleet's is none of ours. */
    ck_assert_int_eq(postgres_fleet_want(fleet, "own", &there, &detail), 0);
    ck_assert(there);
    ck_assert_uint_eq(tries_of("own"), 0);
    ck_assert(!last.wanted);
    journal("ours", "free", "", "", 0, 1, 3); /* whoever takes it may have it at once */
    ck_assert_int_eq(postgres_fleet_want(fleet, "free", &there, &detail), 0);
    ck_assert_uint_eq(tries_of("free"), 0);
    ck_assert(!last.wanted);
    ck_assert_int_eq(postgres_fleet_want(fleet, "t", &there, &detail), 0);
    ck_assert(!there);
    ck_assert_int_eq(postgres_fleet_want(fleet, "none", &there, &detail), 0);
    ck_assert(!there);
}
END_TEST

#define HOUR SPAN_S(3600)

static bool remove_last(void)
{
    bool removed = false;
    ck_assert_int_eq(postgres_fleet_remove(fleet, last.id, last.epoch, HOUR, &removed, &detail), 0);
    return removed;
}

/* Given up, empty, and left alone for so long; and only as it was then. */
START_TEST(postgres_fleet__what_nobody_comes_back_to_is_removed)
{
    journal("ours", "lives", "", "", -7200, 1, 0);
    journal("ours", "held", "x", "held", -7200, 0, 0);
    journal("ours", "young", "", "", -3500, 0, 0);
    journal("ours", "own", "", "", -7200, 0, 0);
    journal("theirs", "t", "", "", -7200, 0, 0);
    GIVES("", postgres_fleet_abandoned(fleet, "own", HOUR, add, NULL, &detail));
    journal("ours", "left", "", "", -3700, 0, 0);
    GIVES("left ", postgres_fleet_abandoned(fleet, "own", HOUR, add, NULL, &detail));
    ck_assert_int_eq(postgres_fleet_abandoned(fleet, "own", HOUR, keep, NULL, &detail), 0);
    ck_assert_int_le(last.lease_ms, -3700000);
    ck_assert(!last.held && !last.wanted);
    static const char *const changes[] = {"epoch = 8",
                                          "tries = 3",
                                          "holder = 'x'",
                                          "live = 1",
                                          "expires_at = clock_timestamp()",
                                          "wanted_until = clock_timestamp() + interval '3 seconds'"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char sql[256];
        snprintf(sql, sizeof sql, "update saga_journal set %s where name = 'left'", changes[i]);
        place_query(&server, sql);
        ck_assert_msg(!remove_last(), "%s", changes[i]);
        place_query(&server, "delete from saga_journal where name = 'left'");
        journal("ours", "left", "", "", -3700, 0, 0);
        ck_assert_int_eq(postgres_fleet_of_name(fleet, "left", keep, NULL, &detail), 0);
    }
    ck_assert(remove_last());
    ck_assert(!remove_last());
    GIVES("", postgres_fleet_of_name(fleet, "left", add, NULL, &detail));
    so("(select count(*) from saga_gone where name = 'left' and epoch = 7 and not emptied) = 1");
    so("(select count(*) from saga_journal) = 5");
}
END_TEST

/* What it had claimed is whoever's claims it next. */
START_TEST(postgres_fleet__what_a_removed_one_claimed_is_free)
{
    const struct bytes id = bytes_of_text("r");
    journal("ours", "left", "", "", -7200, 0, 0);
    journal("ours", "b", "x", "b", 60, 1, 0);
    journal("ours", "c", "x", "c", 60, 1, 0);
    given[0] = '\0';
    ck_assert_int_eq(postgres_fleet_claim(fleet, "left", &id, 1, add_indexed, NULL, &detail), 0);
    ck_assert_str_eq(given, "0:left ");
    ck_assert_int_eq(postgres_fleet_of_name(fleet, "left", keep, NULL, &detail), 0);
    ck_assert(remove_last());
    GIVES("", postgres_fleet_of_request(fleet, id, add, NULL, &detail));
    for (int i = 0; i < 2; i++) {
        given[0] = '\0';
        ck_assert_int_eq(postgres_fleet_claim(fleet, i == 0 ? "b" : "c", &id, 1, add_indexed, NULL, &detail), 0);
        ck_assert_str_eq(given, "0:b ");
    }
    GIVES("b ", postgres_fleet_of_request(fleet, id, add, NULL, &detail));
}
END_TEST

/* By pieces of a thousand rows, and of so many bytes; the audit trail stays as long as any. */
START_TEST(postgres_fleet__what_a_removed_one_held_goes_by_pieces)
{
    bool more = true;
    unsigned sweeps = 0;
    place_query(&server,
                "insert into saga_gone(journal, name, epoch, at) values(5, 'left', 7, clock_timestamp() - interval "
                "'1 hour')");
    place_query(&server, "insert into saga_frame select j, n, 1, 1, convert_to(repeat('x', 10000000), 'UTF8') from "
                         "generate_series(5, 6) j, generate_series(1, 3) n");
    place_query(&server, "insert into saga_ended select j, n, 1, 2, 1, 0, 1, 'x', null, '', 1, 1, 1, 1, 1 from "
                         "generate_series(5, 6) j, generate_series(1, 1500) n");
    place_query(
        &server,
        "insert into saga_definition select j, n, 1, 'x' from generate_series(5, 6) j, generate_series(1, 3) n");
    place_query(
        &server,
        "insert into saga_subject select j, k, 'x', 1, '' from generate_series(5, 6) j, generate_series(1, 150) k");
    place_query(&server,
                "insert into saga_audit select j, n, 1, 'x' from generate_series(5, 6) j, generate_series(1, 5) n");
    place_query(
        &server,
        "insert into saga_request select 'f' || j, convert_to(n::text, 'UTF8'), j, 1 from generate_series(5, 6) "
        "j, generate_series(1, 5) n");
    ck_assert_msg(postgres_fleet_sweep(fleet, SPAN_S(7200), &more, &detail) == 0, "%s", detail.text);
    ck_assert(more);
    so("(select count(*) from saga_frame where journal = 5) = 1");
    so("(select count(*) from saga_ended where journal = 5) = 500");
    so("(select count(*) from saga_subject where journal = 5) = 50");
    so("(select count(*) from saga_definition where journal = 5) = 0");
    so("(select count(*) from saga_request where journal = 5) = 0");
    for (; more; sweeps++)
        ck_assert_int_eq(postgres_fleet_sweep(fleet, SPAN_S(7200), &more, &detail), 0);
    ck_assert_uint_eq(sweeps, 3); /* the rest; that nothing is left is noted; nothing is to be done */
    so("(select emptied from saga_gone)");
    so("(select count(*) from saga_audit where journal = 5) = 5");
    for (sweeps = 0, more = true; more; sweeps++)
        ck_assert_int_eq(postgres_fleet_sweep(fleet, SPAN_S(3000), &more, &detail), 0);
    ck_assert_uint_eq(sweeps, 3);
    so("(select count(*) from saga_audit where journal = 5) + (select count(*) from saga_gone) = 0");
    so("(select count(*) from saga_frame) + (select count(*) from saga_ended) + (select count(*) from saga_definition) "
       "+ "
       "(select count(*) from saga_subject) + (select count(*) from saga_audit) + (select count(*) from saga_request) "
       "= "
       "3 + 1500 + 3 + 150 + 5 + 5");
}
END_TEST

START_TEST(postgres_fleet__a_lost_connection_is_made_anew)
{
    journal("ours", "a", "x", "a", 60, 1, 0);
    ck_assert(postgres_fleet_is_anew(fleet));
    GIVES("a ", postgres_fleet_list(fleet, "", 9, add, NULL, &detail));
    ck_assert(!postgres_fleet_is_anew(fleet));
    place_query(&server, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and "
                         "backend_type = 'client backend'");
    UNTIL(postgres_fleet_is_anew(fleet));
    ck_assert_int_eq(postgres_fleet_list(fleet, "", 9, add, NULL, &detail), E_JOURNAL_AWAY);
    GIVES("a ", postgres_fleet_list(fleet, "", 9, add, NULL, &detail));
}
END_TEST

int main(void)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    Suite *s = suite_create("postgres_fleet");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, postgres_fleet__a_row_is_read_whole);
    tcase_add_test(t, postgres_fleet__orphans);
    tcase_add_test(t, postgres_fleet__of_a_tag_and_of_a_request);
    tcase_add_test(t, postgres_fleet__request_ids_are_claimed_once);
    tcase_add_test(t, postgres_fleet__a_claim_is_as_young_as_its_last_look);
    tcase_add_test(t, postgres_fleet__claims_are_durable_whatever_the_role_says);
    tcase_add_test(t, postgres_fleet__pages_by_name);
    tcase_add_test(t, postgres_fleet__tries_begin_anew);
    tcase_add_test(t, postgres_fleet__what_nobody_comes_back_to_is_removed);
    tcase_add_test(t, postgres_fleet__what_a_removed_one_claimed_is_free);
    tcase_add_test(t, postgres_fleet__what_a_removed_one_held_goes_by_pieces);
    tcase_add_test(t, postgres_fleet__a_lost_connection_is_made_anew);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
