/* The memory of one message: alignment, many blocks, what stays after a reset, and texts made valid UTF-8. */
#include "sidecar/core/arena.h"

#include "sidecar/base/utf8.h"

#include <check.h>
#include <stdalign.h>
#include <stdlib.h>

#include "saga/v1/coordinator.pb-c.h"

static struct arena a;

static void setup(void)
{
    arena_init(&a);
}

static void teardown(void)
{
    arena_finish(&a);
}

START_TEST(arena__pieces_are_aligned_and_apart)
{
    uint8_t *last = NULL;
    for (size_t size = 0; size < 300; size++) {
        uint8_t *at = arena_take(&a, size);
        ck_assert_ptr_nonnull(at);
        ck_assert_uint_eq((uintptr_t)at % alignof(max_align_t), 0);
        memset(at, (int)size, size);
        if (last != NULL && size > 1)
            ck_assert_uint_eq(last[size - 2], (uint8_t)(size - 1));
        last = at;
    }
}
END_TEST

/* Written from end to end, so that a block that is too small is found by the sanitizers. */
START_TEST(arena__a_piece_may_be_larger_than_a_block)
{
    static const size_t sizes[] = {65535, 65536, 65537, 1 << 20, 1};
    for (size_t round = 0; round < 3; round++) {
        uint8_t *kept[5];
        for (size_t i = 0; i < 5; i++) {
            kept[i] = arena_take(&a, sizes[i]);
            ck_assert_ptr_nonnull(kept[i]);
            memset(kept[i], (int)i + 1, sizes[i]);
        }
        for (size_t i = 0; i < 5; i++) {
            ck_assert_uint_eq(kept[i][0], i + 1);
            ck_assert_uint_eq(kept[i][sizes[i] - 1], i + 1);
        }
        arena_reset(&a);
    }
}
END_TEST

START_TEST(arena__the_first_block_is_used_again_after_a_reset)
{
    void *first = arena_take(&a, 100);
    arena_take(&a, 100000);
    arena_reset(&a);
    ck_assert_ptr_eq(arena_take(&a, 100), first);
}
END_TEST

START_TEST(arena__reset_of_an_unused_one_does_nothing)
{
    arena_reset(&a);
    ck_assert_ptr_nonnull(arena_take(&a, 1));
}
END_TEST

/* RFC 3629: the first and last character of each length, and what is forbidden beside them. */
START_TEST(arena__utf8_is_cut_before_a_character)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"; /* of 1, 2, 3, 4 and 1 bytes */
    static const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t room = 0; room < sizeof ends / sizeof ends[0]; room++) {
        char buffer[16] = "-";
        buffer[room + 2] = '!';
        utf8_append(buffer, room + 2, text);
        ck_assert_uint_eq(strlen(buffer), 1 + ends[room]);
        ck_assert_mem_eq(buffer + 1, text, ends[room]);
        ck_assert_int_eq(buffer[room + 2], '!');
    }
    char full[3] = "ab";
    utf8_append(full, sizeof full, "c");
    ck_assert_str_eq(full, "ab");
}
END_TEST

START_TEST(arena__utf8_is_told_from_what_is_not)
{
    static const char *const good[] = {"",
                                       "a\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       ("Gr\xc3\xbc\xc3\x9f"
                                        "e")};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xed\xa0\x80",
                                      "\xef\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "abc\xe2\x82",
                                      "\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(utf8_valid(bytes_of_text(good[i])), "good[%zu]", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!utf8_valid(bytes_of_text(bad[i])), "bad[%zu]", i);
}
END_TEST

START_TEST(arena__a_text_keeps_what_is_valid_and_loses_the_rest)
{
    static const struct {
        const char *from;
        size_t size;
        const char *to;
    } rows[] = {
        {"", 0, ""},
        {"plain", 5, "plain"},
        {"a\0b", 3, "a?b"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e",
         7,
         "Gr\xc3\xbc\xc3\x9f"
         "e"},
        {"cut \xe2\x82", 6, "cut ??"},
        {"\xff\xfe.", 3, "??."},
        {"\xc3\xbc\xc3", 3, "\xc3\xbc?"},
        {"\xed\xa0\x80", 3, "???"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* A copy of exactly its size, so that reading beyond it is found. */
        uint8_t *exact = malloc(rows[i].size + 1);
        memcpy(exact, rows[i].from, rows[i].size);
        exact = realloc(exact, rows[i].size == 0 ? 1 : rows[i].size);
        const char *text = arena_text(&a, bytes_of(exact, rows[i].size));
        free(exact);
        ck_assert_str_eq(text, rows[i].to);
        ck_assert(utf8_valid(bytes_of_text(text)));
    }
}
END_TEST

START_TEST(arena__a_formatted_text_is_cut_at_255_bytes)
{
    ck_assert_str_eq(arena_format(&a, "%s-%d", "n", 7), "n-7");
    char long_text[400];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    ck_assert_uint_eq(strlen(arena_format(&a, "%s", long_text)), 255);
}
END_TEST

START_TEST(arena__protobuf_is_packed_and_unpacked_in_it)
{
    Saga__V1__WaitRequest m = SAGA__V1__WAIT_REQUEST__INIT;
    m.saga_id = (char *)(uintptr_t) "1-2";
    m.until_stuck = true;
    struct bytes packed = arena_pack(&a, &m.base);
    ck_assert_uint_gt(packed.size, 0);
    const Saga__V1__WaitRequest *read = saga__v1__wait_request__unpack(&a.allocator, packed.size, packed.at);
    ck_assert_str_eq(read->saga_id, "1-2");
    ck_assert(read->until_stuck);
    Saga__V1__CommitResponse empty = SAGA__V1__COMMIT_RESPONSE__INIT;
    packed = arena_pack(&a, &empty.base);
    ck_assert_ptr_nonnull(packed.at);
    ck_assert_uint_eq(packed.size, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *tests = tcase_create("arena");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, arena__utf8_is_cut_before_a_character);
    tcase_add_test(tests, arena__pieces_are_aligned_and_apart);
    tcase_add_test(tests, arena__a_piece_may_be_larger_than_a_block);
    tcase_add_test(tests, arena__the_first_block_is_used_again_after_a_reset);
    tcase_add_test(tests, arena__reset_of_an_unused_one_does_nothing);
    tcase_add_test(tests, arena__utf8_is_told_from_what_is_not);
    tcase_add_test(tests, arena__a_text_keeps_what_is_valid_and_loses_the_rest);
    tcase_add_test(tests, arena__a_formatted_text_is_cut_at_255_bytes);
    tcase_add_test(tests, arena__protobuf_is_packed_and_unpacked_in_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
