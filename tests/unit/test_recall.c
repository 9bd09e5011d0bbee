/* The last good answers: bounds, age, slots, and what is found again after a restart. */
#include "sidecar/base/error.h"
#include "sidecar/core/answers.h"
#include "sidecar/core/heap.h"
#include "sidecar/resilience/recall.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct recall r;

static void begin(uint32_t answers_max, uint64_t bytes_max)
{
    recall_init(&r, &heap,
                &(struct recall_options){
                    .answers_max = answers_max, .bytes_max = bytes_max, .age_max = SPAN_S(100), .seed = 7});
}

static struct instant at(int64_t s)
{
    return (struct instant){.us = (1700000000 + s) * 1000000};
}

static void keep(const char *name, const char *answer, int64_t s)
{
    recall_keep(&r, bytes_of_text(name), bytes_of_text(answer), at(s));
    recall_check(&r);
}

/* "" where there is none. */
static const char *find(const char *name, int64_t age_s, int64_t s)
{
    static char text[64];
    struct recalled found;
    bool is = recall_find(&r, bytes_of_text(name), SPAN_S(age_s), at(s), &found);
    snprintf(text, sizeof text, "%.*s", is ? (int)found.answer.size : 0, (const char *)found.answer.at);
    return text;
}

static unsigned changes(void)
{
    struct recalled one;
    unsigned count = 0;
    while (recall_next_changed(&r, &one))
        count++;
    return count;
}

START_TEST(recall__the_last_answer_of_a_name_within_its_age)
{
    begin(10, 1 << 20);
    ck_assert_str_eq(find("a", 10, 0), "");
    keep("a", "one", 0);
    keep("b", "other", 1);
    keep("a", "two", 5);
    ck_assert_str_eq(find("a", 10, 15), "two");
    ck_assert_str_eq(find("b", 10, 11), "other");
    struct recalled found;
    ck_assert(!recall_find(&r, bytes_of_text("a"), SPAN_S(10), (struct instant){.us = at(15).us + 1}, &found));
    ck_assert_int_eq(found.given_at.us, at(5).us); /* it can be told how old it is */
    ck_assert(!recall_find(&r, bytes_of_text("c"), SPAN_S(10), at(15), &found));
    ck_assert_int_eq(found.given_at.us, 0);
    ck_assert_str_eq(find("a", 1000, 106), ""); /* no definition asks for more than age_max */
    ck_assert_str_eq(find("a", 10, 4), "");     /* from the future: nobody knows how old it is */
    ck_assert_uint_eq(r.count, 2);
    recall_finish(&r);
}
END_TEST

START_TEST(recall__the_oldest_give_way)
{
    begin(3, 1 << 20);
    keep("a", "1", 0);
    keep("b", "2", 1);
    keep("c", "3", 2);
    keep("a", "4", 3); /* so that b is the oldest */
    keep("d", "5", 4);
    ck_assert_str_eq(find("b", 100, 5), "");
    ck_assert_str_eq(find("a", 100, 5), "4");
    ck_assert_uint_eq(r.evicted, 1);
    ck_assert_uint_eq(r.slot_count, 3);
    recall_finish(&r);
    /* By their size; one that is larger than all may be is not kept, nor what was kept before it. */
    char large[4096];
    memset(large, 'x', sizeof large);
    begin(1000, 10000);
    recall_keep(&r, bytes_of_text("a"), bytes_of(large, 4000), at(0));
    recall_keep(&r, bytes_of_text("b"), bytes_of(large, 4000), at(1));
    recall_keep(&r, bytes_of_text("c"), bytes_of(large, 4000), at(2));
    recall_check(&r);
    ck_assert_uint_eq(r.count, 2);
    ck_assert_str_eq(find("a", 100, 3), "");
    r.options.bytes_max = 4000;
    recall_keep(&r, bytes_of_text("c"), bytes_of(large, 4096), at(3));
    ck_assert_str_eq(find("c", 100, 3), "");
    recall_finish(&r);
    begin(0, 1 << 20);
    keep("a", "1", 0);
    ck_assert_uint_eq(r.count, 0);
    ck_assert_uint_eq(changes(), 0);
    recall_finish(&r);
}
END_TEST

/* An older answer does not pass for the last one, which is too large to be kept. */
START_TEST(recall__what_is_too_large_takes_its_elders_place)
{
    static char large[RECALL_ANSWER_BYTES_MAX + 1];
    struct recalled found;
    begin(10, 10 * sizeof large);
    recall_keep(&r, bytes_of_text("a"), bytes_of(large, sizeof large - 1), at(0));
    ck_assert(recall_find(&r, bytes_of_text("a"), SPAN_S(100), at(1), &found));
    ck_assert_uint_eq(found.answer.size, sizeof large - 1);
    keep("a", "small", 1);
    keep("b", "other", 1);
    recall_keep(&r, bytes_of_text("a"), bytes_of(large, sizeof large), at(2));
    recall_check(&r);
    ck_assert(!recall_find(&r, bytes_of_text("a"), SPAN_S(100), at(3), &found));
    ck_assert_str_eq(find("b", 100, 3), "other");
    ck_assert_uint_eq(r.evicted, 0);
    recall_finish(&r);
}
END_TEST

/* A name of three parts: whose, the method, the key. */
static struct bytes three(char room[64], const char *whose, const char *method, const char *key)
{
    int size = snprintf(room, 64, "%s%c%s%c%s", whose, 0, method, 0, key);
    return bytes_of(room, (size_t)size + 1);
}

START_TEST(recall__what_is_asked_for_is_forgotten_of_every_method)
{
    static const char *const kept[][3] = {
        {"d/s", "/p.S/A", "anna"}, {"d/s", "/p.S/B", "anna"}, {"d/s", "/p.S/A", "bert"}, {"d/s", "/p.S/A", ""},
        {"d/t", "/p.S/A", "anna"}, {"d", "/p.S/A", "anna"},   {"d/s", "/p.S/A", "ann"},  {"d/s", "anna", "/p.S/A"}};
    char room[64];
    struct recalled one;
    begin(100, 1 << 20);
    recall_forget(&r, bytes_of_text("d/s"), bytes_of_text("anna")); /* there is nothing at all */
    for (unsigned i = 0; i < 8; i++)
        recall_keep(&r, three(room, kept[i][0], kept[i][1], kept[i][2]), bytes_of_text("x"), at(i));
    ck_assert_uint_eq(changes(), 8);
    recall_forget(&r, bytes_of_text("d/s"), bytes_of_text("anna"));
    recall_check(&r);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_int_eq(recall_find(&r, three(room, kept[i][0], kept[i][1], kept[i][2]), SPAN_S(100), at(9), &one),
                         i >= 2);
    ck_assert_uint_eq(changes(), 2); /* their rows are to be emptied */
    recall_forget(&r, bytes_of_text("d/s"), bytes_of_text("nobody"));
    recall_forget(&r, bytes_of_text("d/s"), bytes_of_text(""));
    ck_assert_uint_eq(r.count, 5);
    ck_assert_uint_eq(r.evicted, 0);
    recall_finish(&r);
}
END_TEST

START_TEST(recall__what_is_too_old_is_forgotten)
{
    begin(10, 1 << 20);
    ck_assert_int_eq(recall_due(&r).us, INSTANT_NEVER.us);
    keep("a", "1", 0);
    keep("b", "2", 1);
    keep("c", "3", 2);
    ck_assert_int_eq(recall_due(&r).us, at(100).us);
    ck_assert_uint_eq(changes(), 3);
    recall_expire(&r, at(100), 10); /* it may just be taken */
    ck_assert_uint_eq(r.count, 3);
    recall_expire(&r, at(103), 2); /* so many at most */
    ck_assert_uint_eq(r.count, 1);
    ck_assert_int_eq(recall_due(&r).us, at(102).us);
    ck_assert_uint_eq(changes(), 2);
    ck_assert_uint_eq(r.evicted, 0);
    keep("d", "4", 103); /* each of their slots is another's now */
    keep("e", "5", 103);
    ck_assert_uint_eq(r.slot_count, 3);
    recall_finish(&r);
}
END_TEST

/* A row for each slot that has changed, however often it did; a new owner reads them in any order. */
START_TEST(recall__slots_tell_what_is_to_be_written)
{
    struct subject_row rows[3];
    char names[3][ANSWER_NAME_SIZE];
    uint8_t values[3][64];
    struct recalled one;
    begin(10, 1 << 20);
    keep("b", "", 1);
    keep("a", "1", 2);
    keep("a", "2", 3);
    keep("gone", "3", 4);
    r.options.answers_max = 2;
    keep("c", "4", 5);
    unsigned count = 0;
    while (recall_next_changed(&r, &one)) {
        ck_assert_uint_lt(count, 3);
        ck_assert_uint_lt(answers_value_size(&one), sizeof values[0]);
        rows[count] = answers_row(&one, names[count], values[count]);
        count++;
    }
    ck_assert_uint_eq(count, 3);
    recall_finish(&r);
    begin(10, 1 << 20);
    unsigned there = 0;
    for (unsigned i = 0; i < count; i++) {
        struct error_detail detail;
        ck_assert_int_eq(answers_read(&rows[i], &one, &detail), 0);
        there += one.name.size > 0;
        if (one.name.size > 0)
            ck_assert_int_eq(recall_restore(&r, &one), 0);
    }
    ck_assert_uint_eq(there, 2);
    recall_restored(&r);
    ck_assert_str_eq(find("gone", 100, 6), "3");
    ck_assert_str_eq(find("c", 100, 6), "4");
    ck_assert_int_eq(recall_due(&r).us, at(104).us); /* by age, whatever the order of the rows */
    ck_assert_uint_eq(changes(), 0);
    keep("d", "5", 7); /* into the slot that is free */
    ck_assert_uint_eq(r.slot_count, 3);
    keep("e", "6", 8); /* and none is */
    ck_assert_uint_eq(r.slot_count, 4);
    ck_assert_uint_eq(changes(), 2);
    ck_assert_str_eq(find("gone", 100, 9), "3");
    ck_assert_str_eq(find("c", 100, 9), "4");
    ck_assert_str_eq(find("d", 100, 9), "5");
    ck_assert_str_eq(find("e", 100, 9), "6");
    recall_finish(&r);
}
END_TEST

/* The rows come from a disk: each has a place and a name of its own, within bounds. */
START_TEST(recall__rows_that_cannot_be_are_refused)
{
    static uint8_t bytes[RECALL_ANSWER_BYTES_MAX + 1];
    memset(bytes, 'x', sizeof bytes);
    const struct {
        uint32_t slot;
        size_t name, answer;
        int code;
    } rows[] = {
        {0, 1, 3, 0},
        {0, 2, 3, E_JOURNAL_CORRUPT}, /* another's place */
        {1, 1, 3, E_JOURNAL_CORRUPT}, /* another's name */
        {2, 0, 3, E_JOURNAL_CORRUPT},
        {2, RECALL_NAME_BYTES_MAX + 1, 3, E_JOURNAL_CORRUPT},
        {2, 3, RECALL_ANSWER_BYTES_MAX + 1, E_JOURNAL_CORRUPT},
        {2, RECALL_NAME_BYTES_MAX, RECALL_ANSWER_BYTES_MAX, 0},
        {3, 4, 0, 0},
    };
    begin(10, 4 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct recalled one = {.slot = rows[i].slot,
                                     .name = bytes_of(bytes, rows[i].name),
                                     .answer = bytes_of(bytes, rows[i].answer),
                                     .given_at = at((int64_t)i)};
        ck_assert_msg(recall_restore(&r, &one) == rows[i].code, "row %zu", i);
    }
    recall_restored(&r);
    ck_assert_uint_eq(r.count, 3);
    recall_finish(&r);
}
END_TEST

/* One that needs all the room has it, alone; one byte more and it has none. */
START_TEST(recall__an_answer_may_fill_the_room)
{
    begin(10, 1 << 20);
    keep("a", "12345678", 0);
    uint64_t bytes = r.bytes;
    recall_finish(&r);
    begin(10, bytes);
    keep("b", "12345678", 0);
    ck_assert_str_eq(find("b", 10, 0), "12345678");
    keep("a", "12345678", 1);
    ck_assert_str_eq(find("a", 10, 1), "12345678");
    ck_assert_uint_eq(r.count, 1);
    recall_finish(&r);
    begin(10, bytes - 1);
    keep("a", "12345678", 0);
    ck_assert_str_eq(find("a", 10, 0), "");
    recall_finish(&r);
}
END_TEST

static void restore_fifty(void)
{
    char name[8];
    for (unsigned i = 0; i < 50; i++) {
        unsigned slot = i * 37 % 50;
        snprintf(name, sizeof name, "n%02u", slot);
        struct recalled one = {.slot = slot,
                               .name = bytes_of_text(name),
                               .answer = bytes_of_text("x"),
                               .given_at = at((int64_t)(slot * 7 % 50))};
        ck_assert_int_eq(recall_restore(&r, &one), 0);
        ck_assert_int_eq(recall_restore(&r, &one), E_JOURNAL_CORRUPT); /* twice */
    }
    recall_restored(&r);
}

/* In number, and in bytes. */
START_TEST(recall__a_smaller_bound_forgets_at_the_start)
{
    begin(20, 1 << 20);
    restore_fifty();
    ck_assert_uint_eq(r.count, 20);
    ck_assert_uint_eq(changes(), 30);
    ck_assert_int_eq(recall_due(&r).us, at(130).us); /* the 30 oldest are gone */
    uint64_t bytes = r.bytes;
    recall_finish(&r);
    begin(50, bytes);
    restore_fifty();
    ck_assert_uint_eq(r.count, 20);
    ck_assert_uint_eq(r.bytes, bytes);
    recall_finish(&r);
}
END_TEST

static int read_row(const char *name, uint64_t version, const char *value, size_t size)
{
    struct subject_row row = {
        .kind = SUBJECT_ANSWER, .name = bytes_of_text(name), .version = version, .value = bytes_of(value, size)};
    struct error_detail detail;
    struct recalled one;
    return answers_read(&row, &one, &detail);
}

START_TEST(answers__a_damaged_row_is_refused)
{
    ck_assert_int_eq(read_row("1", 2, "", 0), E_JOURNAL_VERSION);
    ck_assert_int_eq(read_row("", 1, "", 0), E_JOURNAL_CORRUPT);
    ck_assert_int_eq(read_row("1x", 1, "", 0), E_JOURNAL_CORRUPT);
    ck_assert_int_eq(read_row("123456789", 1, "", 0), E_JOURNAL_CORRUPT);
    ck_assert_int_eq(read_row("1", 1, "", 0), 0);
    ck_assert_int_eq(read_row("1", 1, "12345678\0", 9), E_JOURNAL_CORRUPT);
    ck_assert_int_eq(read_row("1", 1, "12345678\0\0n", 11), E_JOURNAL_CORRUPT);
    ck_assert_int_eq(read_row("1", 1, "12345678\2\0n", 11), E_JOURNAL_CORRUPT);
    ck_assert_int_eq(read_row("1", 1, "12345678\1\0n", 11), 0);
    struct recalled far = {.slot = 1 << 24, .name = bytes_of_text("n")};
    begin(10, 1 << 20);
    ck_assert_int_eq(recall_restore(&r, &far), E_JOURNAL_CORRUPT);
    recall_finish(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recall");
    TCase *c = tcase_create("recall");
    tcase_add_test(c, recall__rows_that_cannot_be_are_refused);
    tcase_add_test(c, recall__an_answer_may_fill_the_room);
    tcase_add_test(c, recall__the_last_answer_of_a_name_within_its_age);
    tcase_add_test(c, recall__the_oldest_give_way);
    tcase_add_test(c, recall__what_is_too_large_takes_its_elders_place);
    tcase_add_test(c, recall__what_is_asked_for_is_forgotten_of_every_method);
    tcase_add_test(c, recall__what_is_too_old_is_forgotten);
    tcase_add_test(c, recall__slots_tell_what_is_to_be_written);
    tcase_add_test(c, recall__a_smaller_bound_forgets_at_the_start);
    tcase_add_test(c, answers__a_damaged_row_is_refused);
    suite_add_tcase(s, c);
    SRunner *r_ = srunner_create(s);
    srunner_run_all(r_, CK_ENV);
    int failed = srunner_ntests_failed(r_);
    srunner_free(r_);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
