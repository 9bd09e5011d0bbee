/* Which journals of a fleet are taken over and given up, and how often it is looked: each rule at its bound. */
#include "sidecar/shard/adopt.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct instant at_s(int64_t s)
{
    return (struct instant){.us = s * 1000000};
}

static bool has(void *self, const char *name, size_t size)
{
    return strlen(self) == size && memcmp(self, name, size) == 0;
}

/* A sidecar with one target, "shop", as to such an offer. */
static bool takes(struct adopt_offer offer)
{
    char shop[] = "shop";
    return adopt_may_take(&offer, has, shop);
}

static struct adopt_offer orphan(void)
{
    return (struct adopt_offer){.needs = "shop,", .live = 1, .steady = ADOPT_STEADY};
}

START_TEST(adopt__takes_what_a_dead_one_left_once_the_database_was_there_for_long_enough)
{
    struct adopt_offer offer = orphan();
    ck_assert(takes(offer));
    offer.live = 0; /* as its holder said last, which may be long ago */
    ck_assert(takes(offer));
    offer.steady.us--;
    ck_assert(!takes(offer));
}
END_TEST

START_TEST(adopt__takes_at_once_what_was_given_up_in_order_if_something_lives_in_it)
{
    struct adopt_offer offer = {.needs = "", .given_up = true, .live = 1};
    ck_assert(takes(offer));
    offer.live = 0;
    ck_assert(!takes(offer));
}
END_TEST

START_TEST(adopt__takes_what_is_asked_for_also_if_nothing_lives_in_it_and_by_the_same_rules_otherwise)
{
    struct adopt_offer offer = {.needs = "shop,", .given_up = true, .live = 0, .asked = true};
    ck_assert(takes(offer));
    offer.needs = "bank,";
    ck_assert(!takes(offer));
    offer = orphan();
    offer.asked = true;
    ck_assert(takes(offer));
    offer.steady.us--;
    ck_assert(!takes(offer));
    offer = orphan();
    offer.asked = true;
    offer.tries = ADOPT_TRIES_MAX;
    ck_assert(!takes(offer));
}
END_TEST

START_TEST(adopt__leaves_what_its_own_sidecar_waits_for)
{
    struct adopt_offer offer = orphan();
    offer.wanted = true;
    ck_assert(!takes(offer));
}
END_TEST

START_TEST(adopt__leaves_what_has_ended_as_many_as_may_be)
{
    struct adopt_offer offer = orphan();
    offer.tries = ADOPT_TRIES_MAX - 1;
    ck_assert(takes(offer));
    offer.tries = ADOPT_TRIES_MAX;
    ck_assert(!takes(offer));
    offer.given_up = true;
    ck_assert(!takes(offer));
}
END_TEST

START_TEST(adopt__takes_only_what_all_targets_are_there_for)
{
    static const char *const lacking[] = {"shop,store,", "store,shop,", "sho,", "shops,"};
    struct adopt_offer offer = orphan();
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        offer.needs = lacking[i];
        ck_assert_msg(!takes(offer), "%s", lacking[i]);
    }
    offer.needs = "shop,shop,";
    ck_assert(takes(offer));
    offer.needs = "";
    ck_assert(takes(offer));
}
END_TEST

START_TEST(adopt__gives_up_what_is_waited_for_or_has_been_idle_for_long_enough)
{
    struct instant since = at_s(100), over = instant_after(since, ADOPT_IDLE);
    ck_assert(adopt_gives_up(true, (struct instant){0}, at_s(1)));
    ck_assert(!adopt_gives_up(false, (struct instant){0}, at_s(1000000)));
    ck_assert(!adopt_gives_up(false, since, (struct instant){.us = over.us - 1}));
    ck_assert(adopt_gives_up(false, since, over));
}
END_TEST

START_TEST(adopt__removes_what_is_empty_given_up_and_left_alone_for_the_retention)
{
    struct adopt_offer offer = {.needs = "shop,", .given_up = true};
    struct span retention = SPAN_S(7200), later = {.us = retention.us + 1};
    ck_assert(adopt_may_remove(&offer, later, retention));
    ck_assert(!adopt_may_remove(&offer, retention, retention));
    /* A short retention is no haste: who restarts is back within an hour. */
    ck_assert(!adopt_may_remove(&offer, ADOPT_KEPT_MIN, SPAN_S(1)));
    ck_assert(adopt_may_remove(&offer, later, SPAN_S(1)));
    offer.live = 1;
    ck_assert(!adopt_may_remove(&offer, later, retention));
    offer = (struct adopt_offer){.given_up = true, .wanted = true};
    ck_assert(!adopt_may_remove(&offer, later, retention));
    offer = (struct adopt_offer){.given_up = true, .tries = ADOPT_TRIES_MAX}; /* a person is to look at it */
    ck_assert(!adopt_may_remove(&offer, later, retention));
    offer = (struct adopt_offer){.given_up = false};
    ck_assert(!adopt_may_remove(&offer, later, retention));
    /* Each once a minute, and all together once a second. */
    ck_assert_int_eq(adopt_sweep_pause(1, 0).us, SPAN_S(45).us);
    ck_assert_int_eq(adopt_sweep_pause(60, 0).us, SPAN_S(45).us);
    ck_assert_int_eq(adopt_sweep_pause(600, 0).us, SPAN_S(450).us);
}
END_TEST

/* The shortest and the longest pause that chance makes of so many sidecars, in milliseconds. */
static void pauses(uint64_t sidecars, int64_t *least, int64_t *most)
{
    *least = INT64_MAX;
    *most = 0;
    for (uint64_t chance = 0; chance < 4000; chance++) {
        int64_t us = adopt_pause(sidecars, chance * UINT64_C(0x9e3779b97f4a7c15)).us;
        *least = us < *least ? us : *least;
        *most = us > *most ? us : *most;
    }
    *least /= 1000;
    *most /= 1000;
}

START_TEST(adopt__all_together_look_twenty_times_a_second_at_most)
{
    static const struct {
        uint64_t sidecars;
        int64_t ms;
    } vectors[] = {{0, 1000}, {1, 1000}, {20, 1000}, {40, 2000}, {1000, 50000}, {1000000, 50000000}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        int64_t least, most, ms = vectors[i].ms;
        pauses(vectors[i].sidecars, &least, &most);
        ck_assert_int_ge(least, ms * 3 / 4);
        ck_assert_int_le(most, ms * 5 / 4);
        /* Spread over all of it, so that they do not look together. */
        ck_assert_int_lt(least, ms * 77 / 100);
        ck_assert_int_gt(most, ms * 123 / 100);
    }
    ck_assert_int_eq(adopt_pause(UINT64_MAX, 0).us, adopt_pause(1000000, 0).us);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("adopt");
    Suite *s = suite_create("adopt");
    tcase_add_test(c, adopt__takes_what_a_dead_one_left_once_the_database_was_there_for_long_enough);
    tcase_add_test(c, adopt__takes_at_once_what_was_given_up_in_order_if_something_lives_in_it);
    tcase_add_test(c, adopt__takes_what_is_asked_for_also_if_nothing_lives_in_it_and_by_the_same_rules_otherwise);
    tcase_add_test(c, adopt__leaves_what_its_own_sidecar_waits_for);
    tcase_add_test(c, adopt__leaves_what_has_ended_as_many_as_may_be);
    tcase_add_test(c, adopt__takes_only_what_all_targets_are_there_for);
    tcase_add_test(c, adopt__gives_up_what_is_waited_for_or_has_been_idle_for_long_enough);
    tcase_add_test(c, adopt__removes_what_is_empty_given_up_and_left_alone_for_the_retention);
    tcase_add_test(c, adopt__all_together_look_twenty_times_a_second_at_most);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
