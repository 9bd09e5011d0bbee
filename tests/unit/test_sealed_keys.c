/* Data keys: one for each start, kept with the frames that it encrypts, and no longer. */
#include "sidecar/journal/sealed/sealed_inside.h"

#include "tests/support/frames.h"
#include "tests/support/memory_store.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct memory_disk *disk;
static struct store *inner, *store;
static struct store_state state;
static struct error_detail detail;
static struct seal_keys encryption;
static uint8_t chance_at;

static bool chance(void *self, uint8_t *at, size_t size)
{
    (void)self;
    for (size_t i = 0; i < size; i++)
        at[i] = chance_at++;
    return true;
}

static const struct sealed_options sealing = {.encryption = &encryption, .random = chance};

static void set_up(void)
{
    static const char key[] = "k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
    ck_assert_int_eq(seal_read_keys(bytes_of_text(key), "", &encryption, &detail), 0);
    disk = memory_disk_create();
    store = NULL;
}

static void open_both(void)
{
    ck_assert_int_eq(memory_store_open(disk, &inner, &state, &detail), 0);
    ck_assert_msg(sealed_store_open(&sealing, inner, &state, &store, &detail) == 0, "%s", detail.text);
}

static void close_both(void)
{
    store->close(store);
    store = NULL;
}

static void tear_down(void)
{
    if (store != NULL)
        close_both();
    memory_disk_destroy(disk);
}

static struct bytes frame(uint64_t number)
{
    static uint8_t bytes[1024];
    return frame_make(bytes, number, 1, 100, (struct instant){.us = (int64_t)number * 1000});
}

static int commit(uint64_t number)
{
    const struct store_commit c = {.frame = number, .records = frame(number)};
    return store->commit(store, &c, &detail);
}

static void assert_frame(uint64_t number)
{
    struct bytes records;
    ck_assert_msg(store->read_frame(store, number, &records, &detail) == 0, "%s", detail.text);
    ck_assert(bytes_equal(records, frame(number)));
}

/* A key that was lost with its frames is not held for kept by what comes after without any: it comes with the next frames. */
START_TEST(sealed_keys__a_key_that_was_not_kept_comes_again)
{
    const struct store_commit nothing = {.frame = 0};
    open_both();
    memory_disk_fail(disk, 1, E_JOURNAL_FULL, false);
    ck_assert_int_eq(commit(1), E_JOURNAL_FULL);
    ck_assert_int_eq(store->commit(store, &nothing, &detail), 0);
    ck_assert_int_eq(commit(1), 0);
    close_both();
    open_both();
    assert_frame(1);
}
END_TEST

static int count_slot(void *self, const struct subject_row *row)
{
    unsigned *counts = self;
    ck_assert_uint_eq(row->name.size, 1);
    ck_assert(row->name.at[0] >= '1' && row->name.at[0] <= '9');
    counts[row->name.at[0] - '0']++;
    return 0;
}

/* Where no frame of a start is left its row is the next one's: there are never many more than starts whose frames are kept. */
START_TEST(sealed_keys__a_place_is_used_again)
{
    enum { STARTS = 8, KEPT = 3 };
    for (uint64_t start = 1; start <= STARTS; start++) {
        unsigned counts[10] = {0}, all = 0;
        bool more = true;
        open_both();
        ck_assert_int_eq(commit(start), 0);
        while (start > KEPT && more)
            ck_assert_int_eq(
                store->drop(store, (struct instant){.us = INT64_MAX / 2}, start - KEPT + 1, 100, &more, &detail), 0);
        for (uint64_t number = start > KEPT ? start - KEPT + 1 : 1; number <= start; number++)
            assert_frame(number);
        ck_assert_int_eq(inner->scan_subjects(inner, SUBJECT_DATA_KEY, count_slot, counts, &detail), 0);
        for (unsigned slot = 1; slot < 10; slot++) {
            ck_assert_uint_le(counts[slot], 1);
            all += counts[slot];
        }
        ck_assert_uint_eq(all, start <= KEPT ? start : KEPT + 1);
        ck_assert_uint_eq(((struct sealed_store *)store)->data_key_count, start == 1          ? 0
                                                                          : start <= KEPT + 1 ? start - 1
                                                                                              : KEPT);
        close_both();
    }
}
END_TEST

/* ---- rows ---- */

static struct subject_row row; /* the only one that there is, */
static unsigned times;         /* so often */

static int scan_row(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row), void *self,
                    struct error_detail *why)
{
    (void)s;
    (void)why;
    int code = 0;
    for (unsigned i = 0; kind == SUBJECT_DATA_KEY && code == 0 && i < times; i++)
        code = take(self, &row);
    return code;
}

static void close_nothing(struct store *s)
{
    (void)s;
}

/* With frames from this one to the ninth. */
static int open_from(uint64_t first_frame)
{
    static struct store face;
    const struct store_state some = {.first_frame = first_frame, .last_frame = 9};
    face = (struct store){.scan_subjects = scan_row, .close = close_nothing};
    int code = sealed_store_open(&sealing, &face, &some, &store, &detail);
    if (code == 0)
        close_both();
    return code;
}

static int open_with_row(void)
{
    return open_from(1);
}

static void make_row(void)
{
    static struct way w;
    struct sealed_store keeper = {.encryption = encryption, .random = chance};
    struct data_key key = {.slot = 7, .first_frame = 9};
    ck_assert(data_keys_row(&keeper, &key, &w, 0, &row));
    times = 1;
}

/* One more start is refused with a word of what to do; a journal that has yet more was not written so. */
START_TEST(sealed_keys__have_a_bound)
{
    static const int codes[] = {0, E_ARGUMENT, E_JOURNAL_CORRUPT};
    static const char *const words[] = {"", "frames of 4096 starts", "is no data key"};
    make_row();
    for (unsigned i = 0; i < 3; i++) {
        times = DATA_KEYS_MAX - 1 + i;
        detail.text[0] = '\0';
        ck_assert_int_eq(open_with_row(), codes[i]);
        ck_assert_msg(strstr(detail.text, words[i]) != NULL, "%s", detail.text);
    }
    /* As many as there may be have room for one more when the frames of one of them are gone. */
    times = DATA_KEYS_MAX;
    ck_assert_int_eq(open_from(8), E_ARGUMENT);
    ck_assert_int_eq(open_from(9), 0);
}
END_TEST

/* What is not of the form of a data key is told as damage, whichever part of it that is; only a whole one is tried with a key. */
START_TEST(sealed_keys__a_row_that_is_none_is_damage)
{
    static uint8_t value[2 * DATA_KEY_VALUE_MAX];
    make_row();
    const struct subject_row sound = row;
    memcpy(value, sound.value.at, sound.value.size);
    ck_assert_int_eq(open_with_row(), 0);
    row.name = bytes_of_text("000000000000007");
    ck_assert_int_eq(open_with_row(), 0);
    row.name = bytes_of_text("0000000000000007");
    ck_assert_int_eq(open_with_row(), E_JOURNAL_CORRUPT);
    ck_assert_str_eq(detail.text, "a row of the table subjects is no data key");
    for (int more = -1; more <= 1; more++) {
        row = sound;
        row.value = bytes_of(value, (size_t)((int)sound.value.size + more));
        ck_assert_int_eq(open_with_row(), more == 0 ? 0 : E_JOURNAL_CORRUPT);
    }
    row.value.size = 0;
    ck_assert_int_eq(open_with_row(), E_JOURNAL_CORRUPT);
    for (unsigned size = SEAL_KEY_NAME_MAX; size <= SEAL_KEY_NAME_MAX + 1;
         size++) { /* the size of the key's name, which nobody has */
        value[0] = (uint8_t)size;
        row.value.size = sound.value.size - 1 + size;
        memset(value + 1, 'n', size);
        ck_assert_int_eq(open_with_row(), size == SEAL_KEY_NAME_MAX ? E_ARGUMENT : E_JOURNAL_CORRUPT);
    }
    row = sound;
    row.version = 2;
    ck_assert_int_eq(open_with_row(), E_JOURNAL_VERSION);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sealed_keys");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, sealed_keys__a_key_that_was_not_kept_comes_again);
    tcase_add_test(tests, sealed_keys__a_place_is_used_again);
    tcase_add_test(tests, sealed_keys__have_a_bound);
    tcase_add_test(tests, sealed_keys__a_row_that_is_none_is_damage);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
