/* Turns by bands and keys: who goes when, what a flood does, and what happens when there is no memory for a key. */
#include "sidecar/resilience/fair.h"

#include <check.h>
#include <stdlib.h>

static struct fair_table table;
static struct fair_queue q;
static struct fair_item items[4096];
static char names[4096]; /* the key of each */
static unsigned count;
static bool no_memory;
static size_t taken; /* bytes */

static void *take(void *self, size_t size)
{
    (void)self;
    taken += no_memory ? 0 : size;
    return no_memory ? NULL : malloc(size);
}

static void *take_zeroed(void *self, size_t size)
{
    (void)self;
    taken += size;
    return calloc(1, size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    taken -= at == NULL ? 0 : size;
    free(at);
}

static const struct memory memory = {.take = take, .take_zeroed = take_zeroed, .give_back = give_back};

static void set_up(void)
{
    no_memory = false;
    count = 0;
    taken = 0;
    ck_assert_int_eq(fair_init(&table, &memory, 16), 0);
}

static void tear_down(void)
{
    fair_finish(&table);
    ck_assert_uint_eq(taken, 0); /* of no band, either */
}

/* Those of a text wait, each under its letter, in this band. */
static void wait_for(enum fair_band band, const char *keys)
{
    for (; *keys != '\0'; keys++, count++) {
        names[count] = *keys;
        items[count].ticket = count + 1;
        fair_add(&table, &q, band, (uint64_t)*keys, &items[count]);
        fair_check(&q);
    }
}

/* The letter of whose turn it is; it takes it. */
static char turn(void)
{
    struct fair_item *item = fair_first(&q);
    if (item == NULL)
        return '-';
    fair_take(item);
    fair_remove(&table, item);
    fair_check(&q);
    return names[item - items];
}

static void expect_turns(const char *wanted)
{
    for (; *wanted != '\0'; wanted++)
        ck_assert_int_eq(turn(), *wanted);
}

START_TEST(fair__each_key_in_its_turn)
{
    wait_for(FAIR_NORMAL, "aaaaabcc");
    expect_turns("abcacaaa-");
}
END_TEST

START_TEST(fair__first_come_first_served_within_a_key)
{
    wait_for(FAIR_NORMAL, "aaa");
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_ptr_eq(fair_first(&q), &items[i]);
        turn();
    }
}
END_TEST

START_TEST(fair__a_flood_holds_up_nobody_by_more_than_one_place)
{
    for (unsigned i = 0; i < 1000; i++)
        wait_for(FAIR_NORMAL, "a");
    wait_for(FAIR_NORMAL, "b");
    expect_turns("ab");
    wait_for(FAIR_NORMAL, "b");
    expect_turns("ab");
    for (unsigned i = 0; i < 10; i++)
        wait_for(FAIR_NORMAL, "b");
    for (unsigned i = 0; i < 10; i++)
        expect_turns("ab");
    while (turn() != '-')
        continue;
}
END_TEST

START_TEST(fair__bands_by_their_weights)
{
    unsigned turns[256] = {0};
    for (unsigned i = 0; i < 400; i++) {
        wait_for(FAIR_HIGH, "h");
        wait_for(FAIR_NORMAL, "n");
        wait_for(FAIR_LOW, "l");
    }
    for (unsigned i = 0; i < 210; i++)
        turns[(unsigned char)turn()]++;
    ck_assert_uint_eq(turns['h'], 160);
    ck_assert_uint_eq(turns['n'], 40);
    ck_assert_uint_eq(turns['l'], 10);
    while (turn() != '-')
        continue;
}
END_TEST

/* What nobody of a band asks for is the others', and whoever comes then is not made to wait for it. */
START_TEST(fair__a_band_without_anybody_costs_no_turn)
{
    wait_for(FAIR_LOW, "aaaaaaaaaaaaaaaaaaaaaaaa");
    expect_turns("aaaaaaaaaaaa");
    wait_for(FAIR_HIGH, "h");
    expect_turns("ha");
    while (turn() != '-')
        continue;
}
END_TEST

START_TEST(fair__one_that_leaves_the_queue_takes_no_turn)
{
    wait_for(FAIR_NORMAL, "aabb");
    fair_remove(&table, &items[0]);
    fair_remove(&table, &items[2]);
    ck_assert_uint_eq(fair_count(&table, &q, FAIR_NORMAL, 'a'), 1);
    ck_assert_uint_eq(fair_count(&table, &q, FAIR_HIGH, 'a'), 0);
    expect_turns("ab-");
}
END_TEST

/* A key of which nobody waits any more is passed over: the next is the one behind it, and the others stay as they were. */
START_TEST(fair__a_key_that_leaves_gives_its_turn_to_the_one_behind_it)
{
    static const struct {
        const char *taken, *leaves, *turns;
    } cases[] = {{"", "a", "bcdbcd-"}, {"", "b", "acdacd-"}, {"", "d", "abcabc-"}, {"a", "b", "cdacd-"},
                 {"abc", "d", "abc-"}, {"ab", "cd", "ab-"},  {"ab", "dc", "ab-"},  {"abcda", "b", "cd-"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        count = 0;
        wait_for(FAIR_NORMAL, "abcdabcd");
        expect_turns(cases[i].taken);
        for (const char *key = cases[i].leaves; *key != '\0'; key++)
            for (unsigned k = 0; k < count; k++)
                if (names[k] == *key && items[k].flow != NULL)
                    fair_remove(&table, &items[k]);
        fair_check(&q);
        for (const char *key = cases[i].turns; *key != '\0'; key++) {
            char got = turn();
            ck_assert_msg(got == *key, "case %zu: %c is next, and not %c", i, got, *key);
        }
    }
}
END_TEST

START_TEST(fair__one_that_has_been_here_before_keeps_its_place)
{
    wait_for(FAIR_NORMAL, "aaa");
    struct fair_item *first = fair_first(&q);
    fair_remove(&table, first);
    fair_add(&table, &q, FAIR_NORMAL, 'a', first);
    ck_assert_ptr_eq(fair_first(&q), first);
    expect_turns("aaa-");
}
END_TEST

/* Those share one turn for whose key there is no memory. */
START_TEST(fair__without_memory_nobody_is_lost)
{
    wait_for(FAIR_NORMAL, "aa");
    no_memory = true;
    wait_for(FAIR_NORMAL, "bcbc");
    ck_assert_uint_eq(fair_count(&table, &q, FAIR_NORMAL, 'a'), 2);
    expect_turns("abacbc-");
    no_memory = false;
    wait_for(FAIR_NORMAL, "bc");
    expect_turns("bc-");
}
END_TEST

/* What a thousand keys have left behind is nothing. */
START_TEST(fair__many_keys_come_and_go)
{
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            items[i].ticket = i + 1;
            fair_add(&table, &q, FAIR_LOW, i * UINT64_C(0x100000001b3), &items[i]);
        }
        for (unsigned i = 0; i < 1000; i++) {
            struct fair_item *item = fair_first(&q);
            ck_assert_ptr_eq(item, &items[i]);
            fair_take(item);
            fair_remove(&table, item);
        }
        for (uint64_t i = 0; i < table.size; i++)
            ck_assert_ptr_null(table.slots[i]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fair");
    TCase *t = tcase_create("fair");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, fair__each_key_in_its_turn);
    tcase_add_test(t, fair__first_come_first_served_within_a_key);
    tcase_add_test(t, fair__a_flood_holds_up_nobody_by_more_than_one_place);
    tcase_add_test(t, fair__bands_by_their_weights);
    tcase_add_test(t, fair__a_band_without_anybody_costs_no_turn);
    tcase_add_test(t, fair__one_that_leaves_the_queue_takes_no_turn);
    tcase_add_test(t, fair__a_key_that_leaves_gives_its_turn_to_the_one_behind_it);
    tcase_add_test(t, fair__one_that_has_been_here_before_keeps_its_place);
    tcase_add_test(t, fair__without_memory_nobody_is_lost);
    tcase_add_test(t, fair__many_keys_come_and_go);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_set_fork_status(r, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
