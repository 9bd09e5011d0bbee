/* Which loop a saga lives in: fixed vectors, since a data directory is searched by them. */
#include "sidecar/shard/place.h"

#include "sidecar/core/heap.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tags none;

START_TEST(place__a_request_id_lives_where_it_always_did)
{
    static const struct {
        const char *request_id;
        int of_2, of_3, of_8, of_64;
    } vectors[] = {
        {"a", 0, 0, 4, 12},
        {"order-1", 1, 2, 7, 31},
        {"order-2", 1, 2, 7, 31},
        {"order-4711", 0, 1, 0, 40},
        {"018f4d3e-7c1a-7b55-9a3e-0c5d5f7f3a11", 1, 2, 5, 45},
        {"01HZXK3V9QW5T6Y7E8R9T0Y1U2", 1, 2, 5, 21},
        {"\xc3\xa4"
         "rger",
         1, 0, 7, 47},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxx",
         0, 0, 6, 22},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct bytes id = bytes_of_text(vectors[i].request_id);
        ck_assert_int_eq(place_of_request(&none, id, 1), 0);
        ck_assert_int_eq(place_of_request(&none, id, 2), vectors[i].of_2);
        ck_assert_int_eq(place_of_request(&none, id, 3), vectors[i].of_3);
        ck_assert_int_eq(place_of_request(&none, id, 8), vectors[i].of_8);
        ck_assert_int_eq(place_of_request(&none, id, 64), vectors[i].of_64);
    }
    ck_assert_int_eq(place_of_request(&none, bytes_of_text(""), 8), -1);
}
END_TEST

START_TEST(place__the_mixed_hash_has_fixed_places_too)
{
    static const struct tags mixed = {.mixed = true};
    static const struct {
        const char *request_id;
        int of_2, of_3, of_8, of_64;
    } vectors[] = {
        {"a", 0, 0, 0, 24},
        {"order-1", 0, 2, 6, 46},
        {"order-2", 0, 0, 2, 42},
        {"order-4711", 0, 2, 6, 22},
        {"018f4d3e-7c1a-7b55-9a3e-0c5d5f7f3a11", 1, 2, 7, 23},
        {"01HZXK3V9QW5T6Y7E8R9T0Y1U2", 0, 0, 2, 10},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct bytes id = bytes_of_text(vectors[i].request_id);
        ck_assert_int_eq(place_of_request(&mixed, id, 1), 0);
        ck_assert_int_eq(place_of_request(&mixed, id, 2), vectors[i].of_2);
        ck_assert_int_eq(place_of_request(&mixed, id, 3), vectors[i].of_3);
        ck_assert_int_eq(place_of_request(&mixed, id, 8), vectors[i].of_8);
        ck_assert_int_eq(place_of_request(&mixed, id, 64), vectors[i].of_64);
    }
    ck_assert_int_eq(place_of_request(&mixed, bytes_of_text(""), 8), -1);
}
END_TEST

/* Numbered requests, which is what most are. */
START_TEST(place__numbered_requests_are_shared_out_evenly)
{
    static const struct tags mixed = {.mixed = true};
    static const struct {
        const char *before;
        int width;
        const char *after;
    } forms[] = {{"order-", 0, ""}, {"order-", 6, ""}, {"", 0, ""}, {"2026-11-28/", 0, "/checkout"}};
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++)
        for (unsigned loops = 2; loops <= 16; loops++) {
            int counts[16] = {0};
            for (int i = 0; i < 8000; i++) {
                char id[64];
                snprintf(id, sizeof id, "%s%0*d%s", forms[f].before, forms[f].width, i, forms[f].after);
                counts[place_of_request(&mixed, bytes_of_text(id), loops)]++;
            }
            for (unsigned k = 0; k < loops; k++)
                ck_assert_msg(counts[k] > 7000 / (int)loops && counts[k] < 9200 / (int)loops,
                              "%s, %u loops: %d in loop %u", forms[f].before, loops, counts[k], k);
        }
}
END_TEST

START_TEST(place__a_saga_lives_where_its_tag_says)
{
    char text[SAGA_ID_TEXT_SIZE];
    for (unsigned loops = 1; loops <= SAGA_LOOPS_MAX; loops++)
        for (unsigned loop = 0; loop < loops; loop++) {
            struct saga_id id = {.tag = place_tag(UINT64_C(0xfedcba9876543210), loop, loops), .serial = 7};
            ck_assert_uint_le(id.tag, (UINT64_C(1) << SAGA_ID_TAG_BITS) - 1);
            saga_id_format(id, text);
            ck_assert_int_eq(place_of_saga(&none, bytes_of_text(text), loops), (int)loop);
        }
    /* The rest of the tag is chance's, and with one loop all of it. */
    ck_assert_uint_eq(place_tag(UINT64_C(0xfedcba987654ffff), 5, 8), UINT64_C(0xba987654ffc5));
    ck_assert_uint_eq(place_tag(UINT64_C(0xfedcba987654ffff), 0, 1), UINT64_C(0xba987654ffff));
    ck_assert_int_eq(place_of_saga(&none, bytes_of_text("00000000003f-1"), 63), -1);
    ck_assert_int_eq(place_of_saga(&none, bytes_of_text("00000000003f-1"), 1), 0);
    ck_assert_int_eq(place_of_saga(&none, bytes_of_text("nonsense"), 8), -1);
    ck_assert_int_eq(place_of_saga(&none, bytes_of_text(""), 8), -1);
}
END_TEST

/* What is told of a tag goes before what the tag says, of every loop. */
START_TEST(place__a_tag_that_is_known_decides)
{
    struct tags tags = {0};
    for (unsigned loop = 0; loop < 3; loop++)
        ck_assert_int_eq(tags_add(&tags, &heap, 0x105 + loop, loop), 0);
    ck_assert_int_eq(place_of_saga(&tags, bytes_of_text("000000000105-1"), 8), 0);
    ck_assert_int_eq(place_of_saga(&tags, bytes_of_text("000000000107-1"), 8), 2);
    ck_assert_int_eq(place_of_saga(&tags, bytes_of_text("000000000104-1"), 8), 4);
    tags_finish(&tags, &heap);
}
END_TEST

static size_t held; /* bytes */

static void *take_counted(void *self, size_t size)
{
    (void)self;
    held += size;
    return malloc(size);
}

static void give_back_counted(void *self, void *at, size_t size)
{
    (void)self;
    ck_assert_uint_le(size, held);
    held -= size;
    free(at);
}

/* However many there are: what they took is given back, each with the size that it was taken with. */
START_TEST(place__tags_give_back_what_they_took)
{
    const struct memory counted = {.take = take_counted, .give_back = give_back_counted};
    struct tags tags = {0};
    for (unsigned i = 0; i < 200; i++) {
        ck_assert_int_eq(tags_add(&tags, &counted, i, 1), 0);
        ck_assert_uint_eq(held, tags.room * sizeof *tags.all);
    }
    tags_finish(&tags, &counted);
    ck_assert_uint_eq(held, 0);
    ck_assert_int_eq(tags_find(&tags, 1), -1);
    tags_finish(&tags, &counted); /* of none */
}
END_TEST

START_TEST(place__what_a_journal_told_stands_above_the_bits)
{
    struct tags tags = {0};
    /* Out of order, and one twice: a journal that was handed over. */
    for (unsigned i = 0; i < 200; i++)
        ck_assert_int_eq(tags_add(&tags, &heap, (i * 37) % 200 * 64, 3), 0);
    ck_assert_int_eq(tags_add(&tags, &heap, 64, 5), 0);
    for (unsigned i = 0; i < 200; i++)
        ck_assert_int_eq(tags_find(&tags, i * 64), i == 1 ? 5 : 3);
    ck_assert_int_eq(tags_find(&tags, 65), -1);
    ck_assert_int_eq(place_of_saga(&tags, bytes_of_text("000000000040-9"), 8), 5);
    ck_assert_int_eq(place_of_saga(&tags, bytes_of_text("000000000041-9"), 8), 1);
    tags_drop(&tags, 3); /* it is given back, with the tags of all its starts */
    for (unsigned i = 0; i < 200; i++)
        ck_assert_int_eq(tags_find(&tags, i * 64), i == 1 ? 5 : -1);
    tags_finish(&tags, &heap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("place");
    TCase *tc = tcase_create("place");
    tcase_add_test(tc, place__a_request_id_lives_where_it_always_did);
    tcase_add_test(tc, place__the_mixed_hash_has_fixed_places_too);
    tcase_add_test(tc, place__numbered_requests_are_shared_out_evenly);
    tcase_add_test(tc, place__a_saga_lives_where_its_tag_says);
    tcase_add_test(tc, place__a_tag_that_is_known_decides);
    tcase_add_test(tc, place__tags_give_back_what_they_took);
    tcase_add_test(tc, place__what_a_journal_told_stands_above_the_bits);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
