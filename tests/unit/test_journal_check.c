/* What `sagad --check-journal` tells of the journals of a data directory. The rest of it is in tests/e2e/test_process.py. */
#include "sidecar/runtime/journal_check.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/runtime/keys.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static char *said;

/* ---- the parts of a look, of which one may end badly; tests.mk wraps these ---- */

enum part { PART_NONE, FRAMES, DEFINITIONS, SUBJECTS, CHAINS, ENDED, EVERY_ROW, FILES };

static unsigned fails; /* parts, a bit each */
static bool alike;     /* all say the same */
static int with;       /* this code */
static unsigned seen;  /* parts, a bit each */
static int subjects_seen;

int __wrap_keys_apply(const struct keys *keys, const struct store_state *state, struct store **store,
                      struct error_detail *detail);
int __real_keys_apply(const struct keys *keys, const struct store_state *state, struct store **store,
                      struct error_detail *detail);
int __wrap_keys_verify(struct store *store, struct error_detail *detail);
int __real_keys_verify(struct store *store, struct error_detail *detail);
int __wrap_sqlite_store_inspect(struct store *store, struct error_detail *detail);
int __real_sqlite_store_inspect(struct store *store, struct error_detail *detail);
int __wrap_postgres_store_look(const char *conninfo, const char *journal, struct span timeout, struct store **out,
                               struct store_state *state, struct error_detail *detail);

static int look_at_part(enum part part, struct error_detail *why)
{
    seen |= 1U << part;
    why->text[0] = '\0';
    char text[16];
    snprintf(text, sizeof text, "part %u", alike ? 0 : (unsigned)part);
    return (fails >> part & 1) != 0 ? error_set(why, with, "", text) : 0;
}

static int scan(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                void *self, struct error_detail *why)
{
    (void)s;
    (void)take;
    (void)self;
    ck_assert_uint_eq(from, 0);
    return look_at_part(FRAMES, why);
}

static int scan_definitions(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *why)
{
    (void)s;
    (void)take;
    (void)self;
    return look_at_part(DEFINITIONS, why);
}

static int scan_subjects(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                         void *self, struct error_detail *why)
{
    (void)s;
    (void)take;
    (void)self;
    ck_assert_int_eq((int)kind, ++subjects_seen);
    return look_at_part(SUBJECTS, why);
}

static int list_ended(struct store *s, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *next,
                      struct error_detail *why)
{
    (void)s;
    (void)query;
    (void)take;
    (void)self;
    *next = 0;
    return look_at_part(ENDED, why);
}

static int verify(struct store *s, uint32_t rows_max, bool *more, struct error_detail *why)
{
    (void)s;
    (void)rows_max;
    *more = false;
    return look_at_part(EVERY_ROW, why);
}

int __wrap_keys_apply(const struct keys *keys, const struct store_state *of, struct store **to,
                      struct error_detail *why)
{
    int code = __real_keys_apply(keys, of, to, why);
    if (code == 0 && with != 0) {
        (*to)->scan = scan;
        (*to)->scan_definitions = scan_definitions;
        (*to)->scan_subjects = scan_subjects;
        (*to)->list_ended = list_ended;
        (*to)->verify = verify;
    }
    return code;
}

int __wrap_keys_verify(struct store *s, struct error_detail *why)
{
    return with != 0 ? look_at_part(CHAINS, why) : __real_keys_verify(s, why);
}

int __wrap_sqlite_store_inspect(struct store *s, struct error_detail *why)
{
    return with != 0 ? look_at_part(FILES, why) : __real_sqlite_store_inspect(s, why);
}

/* A database that is a file. */
int __wrap_postgres_store_look(const char *conninfo, const char *journal, struct span timeout, struct store **out,
                               struct store_state *of, struct error_detail *why)
{
    const struct sqlite_store_options at = {.path = path};
    (void)timeout;
    ck_assert_str_eq(conninfo, "postgresql://there");
    ck_assert_str_eq(journal, "ours");
    return sqlite_store_open(&at, out, of, why);
}

/* ---- a look ---- */

static const char *database = "";

/* Checks the journal in dir, keeps what was said, and returns what the check returned. */
static int check_it(void)
{
    const struct config config = {.data_dir = dir,
                                  .store = database,
                                  .store_journal = "ours",
                                  .fleet = "",
                                  .fleet_address = "",
                                  .loops = 1,
                                  .encryption_key_file = "",
                                  .audit_key_file = "",
                                  .encryption_key_command = ""};
    size_t size;
    free(said);
    FILE *out = open_memstream(&said, &size);
    ck_assert_ptr_nonnull(out);
    int code = journal_check(&config, out, &detail);
    fclose(out);
    return code;
}

static unsigned lines_said(void)
{
    unsigned lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

static void forget(void)
{
    free(said);
    said = NULL;
    remove_dir();
}

/* More rows than are looked at in one go: the damage of each go is told, a line each, and the last one says what to do. */
START_TEST(journal_check__rows_after_damaged_ones_are_looked_at)
{
    static const char *const beside[] = {"", "-wal", "-journal", ".lock", ".reserve"};
    enum { ROWS = 10001 }; /* one more than it looks at in one go */
    static struct ended_row rows[ROWS];
    open_store();
    for (int i = 0; i < ROWS; i++)
        rows[i] = ended((uint64_t)i + 1, SAGA_COMMITTED, "order", "");
    commit_ended(rows, ROWS);
    close_store();
    ck_assert_msg(check_it() == 0, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, ": sound: 0 frames"));

    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE ended SET ended_us = 1 WHERE serial IN (1, 10001)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    ck_assert_msg(lines_said() == 3, "%s", said);
    ck_assert_msg(strstr(said, "the row 10001 ") != NULL && strstr(said, "the row 1 ") != NULL, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, ": damaged: copy the whole data directory"));

    /* That another loop's is sound makes it no better. */
    strcpy(strrchr(path, '.'), "-1.db");
    open_store();
    close_store();
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    ck_assert_msg(strstr(said, "journal.db: damaged") != NULL && strstr(said, "journal-1.db: sound") != NULL, "%s",
                  said);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        remove_beside(beside[i]);
    strcpy(strrchr(path, '-'), ".db");
}
END_TEST

/* What a frame holds is read, too: one that is whole, and says nothing that can be understood, is damage. */
START_TEST(journal_check__records_are_read)
{
    open_store();
    commit_frames(1, 3);
    close_store();
    ck_assert_msg(check_it() == 0, "%s", said);
    ck_assert_msg(strstr(said, ": sound: 3 frames with 3 records") != NULL, "%s", said);
    open_store();
    const struct store_commit commit = {.frame = 4, .records = bytes_of_text("no record at all, and rather long")};
    ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
    close_store();
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    /* Once, though it is read for its chain, too. */
    ck_assert_msg(lines_said() == 2 && strstr(said, "journal.db: frame 4: ") != NULL, "%s", said);
    ck_assert_msg(strstr(said, ": damaged: copy the whole data directory") != NULL, "%s", said);
}
END_TEST

/* What is told of a sound journal is how much there is of each. */
START_TEST(journal_check__what_there_is_is_counted)
{
    static const struct definition_row rows[] = {{.number = 1, .source = {.at = (const uint8_t *)"a", .size = 1}},
                                                 {.number = 2, .source = {.at = (const uint8_t *)"b", .size = 1}}};
    if (_i > 0) {
        strcpy(strrchr(path, '/'), "/there.db");
        database = "postgresql://there";
    }
    open_store();
    commit_frames(1, 3);
    const struct store_commit commit = {.definitions = rows, .definition_count = 2};
    ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
    close_store();
    ck_assert_msg(check_it() == 0, "%s", said);
    const char *told = _i > 0
                           ? "ours: sound: 3 frames with 3 records, 2 definitions, every row\n"
                           : "/journal.db: sound: 3 frames with 3 records, 2 definitions, every row and every index\n";
    ck_assert_msg(lines_said() == 1 && strstr(said, told) != NULL, "%s", said);
}
END_TEST

/* Each part is looked at after those before; damage in one of them hides none of the others, and anything else ends the look. */
START_TEST(journal_check__a_part_that_is_damaged_hides_no_other)
{
    const unsigned files =
        1U << FRAMES | 1U << DEFINITIONS | 1U << SUBJECTS | 1U << CHAINS | 1U << EVERY_ROW | 1U << FILES;
    bool in_database = _i > 0;
    unsigned all = in_database ? (files | 1U << ENDED) & ~(1U << FILES) : files;
    if (in_database) {
        strcpy(strrchr(path, '/'), "/there.db");
        database = "postgresql://there";
    }
    open_store();
    close_store();
    for (enum part part = FRAMES; part <= FILES; part++) {
        char text[16];
        fails = 1U << part;
        snprintf(text, sizeof text, "part %u", (unsigned)part);
        with = E_JOURNAL_CORRUPT;
        seen = 0;
        subjects_seen = 0;
        bool there = (all >> part & 1) != 0;
        ck_assert_int_eq(check_it(), there ? E_JOURNAL_CORRUPT : 0);
        ck_assert_uint_eq(seen, all);
        ck_assert_int_eq(subjects_seen, SUBJECT_KIND_COUNT - 1);
        ck_assert_msg(lines_said() == (there ? 2 : 1) && (strstr(said, text) != NULL) == there, "%s", said);
        const char *whole = in_database ? "ours: damaged: copy the whole database"
                                        : "journal.db: damaged: copy the whole data directory";
        ck_assert_msg((strstr(said, whole) != NULL) == there, "%s", said);
        with = E_JOURNAL;
        seen = 0;
        subjects_seen = 0;
        ck_assert_int_eq(check_it(), there ? E_JOURNAL : 0);
        ck_assert_uint_eq(seen, there ? all & ((2U << part) - 1) : all);
        ck_assert_int_eq(subjects_seen, !there || part > SUBJECTS ? SUBJECT_KIND_COUNT - 1 : part == SUBJECTS);
        ck_assert_msg(!there || (said[0] == '\0' && strcmp(detail.text, text) == 0), "%s", said);
    }
    /* What several parts find is told of each; the same one that they all come to, once; but rows are none of those. */
    fails = all & ~(1U << EVERY_ROW);
    with = E_JOURNAL_CORRUPT;
    subjects_seen = 0;
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    ck_assert_msg(lines_said() == (unsigned)__builtin_popcount(fails) + 1, "%s", said);
    alike = true;
    subjects_seen = 0;
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    ck_assert_msg(lines_said() == 2, "%s", said);
    with = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_check");
    TCase *tc = tcase_create("journal_check");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, make_dir, forget);
    tcase_add_test(tc, journal_check__rows_after_damaged_ones_are_looked_at);
    tcase_add_test(tc, journal_check__records_are_read);
    tcase_add_loop_test(tc, journal_check__what_there_is_is_counted, 0, 2);
    tcase_add_loop_test(tc, journal_check__a_part_that_is_damaged_hides_no_other, 0, 2);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
