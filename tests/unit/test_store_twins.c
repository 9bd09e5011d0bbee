/* The stores and the one made of memory, side by side: whatever they are asked, in whatever setting, they give the same, opened again and again with
 * another setting. */
#include "sidecar/journal/sealed/sealed_store.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "tests/support/memory_store.h"
#include "tests/support/twin_store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64], path[96];
static struct error_detail detail;

/* In memory where that is to be had: what is compared has nothing to do with a disk. */
static void make_dir(void)
{
    snprintf(dir, sizeof dir, "%s/store-twins-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/journal.db", dir);
}

static void remove_dir(void)
{
    static const char *const suffixes[] = {"", "-wal", ".lock", ".reserve"};
    char name[128];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- SQLite ---- */

/* How request_ids are sorted in, how often the log is copied, and how much room there is: nothing that is kept depends on it. */
static const struct sqlite_store_options settings[] = {
    {.path = path, .unsorted_max = 1},
    {.path = path, .checkpoint_pages = 8, .unsorted_max = 20},
    {.path = path},
    {.path = path, .size_bytes_max = 64 << 20, .unsorted_max = 1},
    {.path = path, .size_bytes_max = 16 << 20, .commit_bytes_max = 1 << 20, .unsorted_max = 7},
};
static unsigned openings;

static int open_sqlite(void *self, struct store **out, struct store_state *state)
{
    const struct sqlite_store_options *only = self;
    const struct sqlite_store_options *o =
        only != NULL ? only : &settings[openings++ % (sizeof settings / sizeof settings[0])];
    int code = sqlite_store_open(o, out, state, &detail);
    ck_assert_msg(code == 0, "open: %d %s %s", code, detail.field, detail.text);
    return code;
}

START_TEST(store_twins__sqlite_in_one_setting)
{
    twin_store_compare(open_sqlite, (void *)(uintptr_t)&settings[_i], 400);
}
END_TEST

START_TEST(store_twins__sqlite_in_many_settings)
{
    twin_store_compare(open_sqlite, NULL, 1200);
}
END_TEST

/* ---- sealed ---- */

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

/* Keys as they come into use and go; "" is without. Once there is one for encryption, the journal cannot be read without. */
static const struct {
    const char *encryption, *chain;
} key_files[] = {
    {"", ""},
    {"", "x " C64 "\n"},
    {"a " A64 "\nb " B64 "\n", "x " C64 "\n"},
    {"b " B64 "\na " A64 "\n", "y " A64 "\nx " C64 "\n"},
    {"b " B64 "\na " A64 "\n", "y " A64 "\nx " C64 "\n"},
    {"a " A64 "\nb " B64 "\n", "x " C64 "\ny " A64 "\n"},
};
#define KEY_FILES (sizeof key_files / sizeof key_files[0])

/* A store that answers at once has nobody to wait for. */
struct sealed_world {
    struct memory_disk *disk;
    unsigned openings, chance;
};

static bool chance(void *self, uint8_t *at, size_t size)
{
    struct sealed_world *w = self;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(w->chance++ * 167);
    return true;
}

static int open_sealed(void *self, struct store **out, struct store_state *state)
{
    struct sealed_world *w = self;
    size_t use = w->openings < KEY_FILES ? w->openings : 2 + w->openings % (KEY_FILES - 2);
    struct seal_keys encryption = {.count = 0}, chain = {.count = 0};
    struct store *inner;
    const struct sealed_options options = {.encryption = &encryption, .chain = &chain, .random = chance, .self = w};
    w->openings++;
    if (key_files[use].encryption[0] != '\0')
        ck_assert_int_eq(seal_read_keys(bytes_of_text(key_files[use].encryption), "", &encryption, &detail), 0);
    if (key_files[use].chain[0] != '\0')
        ck_assert_int_eq(seal_read_keys(bytes_of_text(key_files[use].chain), "", &chain, &detail), 0);
    int code = w->disk != NULL ? memory_store_open(w->disk, &inner, state, &detail) : open_sqlite(NULL, &inner, state);
    ck_assert_int_eq(code, 0);
    code = sealed_store_open(&options, inner, state, out, &detail);
    ck_assert_msg(code == 0, "seal: %d %s %s", code, detail.field, detail.text);
    return code;
}

/* Nothing is found along the chains of what was never touched. */
static void look_along(struct sealed_world *w)
{
    struct store *store;
    struct store_state state;
    struct sealed_look look = {.known = NULL};
    bool more = true;
    w->openings = 3;
    open_sealed(w, &store, &state);
    sealed_look_begin(store, &look);
    while (more)
        ck_assert_int_eq(sealed_look_on(store, &look, 7, &more, &detail), 0);
    ck_assert_str_eq(look.finding, "");
    ck_assert(look.frames.chained > 0 && look.audit.chained > 0);
    store->close(store);
}

START_TEST(store_twins__sealed_in_memory)
{
    struct sealed_world w = {.disk = memory_disk_create()};
    twin_store_compare(open_sealed, &w, 1000);
    look_along(&w);
    memory_disk_destroy(w.disk);
}
END_TEST

START_TEST(store_twins__sealed_in_sqlite)
{
    struct sealed_world w = {.disk = NULL};
    twin_store_compare(open_sealed, &w, 300);
    look_along(&w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("store_twins");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_loop_test(t, store_twins__sqlite_in_one_setting, 0, (int)(sizeof settings / sizeof settings[0]));
    tcase_add_test(t, store_twins__sqlite_in_many_settings);
    tcase_add_test(t, store_twins__sealed_in_memory);
    tcase_add_test(t, store_twins__sealed_in_sqlite);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
