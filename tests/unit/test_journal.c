/* Which journal a loop is given, and what its store is told: every option of it, of a loop's own as of one that is looked after. */
#include "sidecar/runtime/journal.h"

#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/release.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], other[64];
static struct config config;
static struct config_target targets[] = {{.name = "shop"}, {.name = "bank"}};
static struct error_detail detail;
static char said[512]; /* the last of the log */
static unsigned lines;
static bool ends;     /* a signal has come */
static bool is_there; /* the database */

/* What a store was told, while it was opened. */
static struct {
    char conninfo[64], journal[64], first[64], holder[256], fleet[64], carrier[64], address[64], program[64], needs[64];
    char witness[128], path[128]; /* "": none */
    unsigned loops;
    uint64_t bytes_max, commit_bytes_max;
    struct span lease, timeout, patience;
    bool waits; /* somebody is asked */
} told;

/* ---- tests.mk wraps these ---- */

int __wrap_postgres_store_open(const struct postgres_store_options *o, struct store **out, struct store_state *state,
                               struct error_detail *d);
int __wrap_sqlite_store_open(const struct sqlite_store_options *o, struct store **out, struct store_state *state,
                             struct error_detail *d);
const char *__wrap_postgres_store_promise(const struct store *store);

const char *__wrap_postgres_store_promise(const struct store *store)
{
    ck_assert_ptr_null(store);
    return "one of a test";
}

#define KEEP(field) snprintf(told.field, sizeof told.field, "%s", o->field == NULL ? "" : o->field)

int __wrap_postgres_store_open(const struct postgres_store_options *o, struct store **out, struct store_state *state,
                               struct error_detail *d)
{
    memset(&told, 0, sizeof told);
    KEEP(conninfo);
    KEEP(journal);
    KEEP(first);
    KEEP(holder);
    KEEP(fleet);
    KEEP(carrier);
    KEEP(address);
    KEEP(program);
    KEEP(needs);
    KEEP(witness);
    told.loops = o->loops;
    told.bytes_max = o->bytes_max;
    told.commit_bytes_max = o->commit_bytes_max;
    told.lease = o->lease;
    told.timeout = o->timeout;
    told.patience = o->patience;
    told.waits = o->waits != NULL;
    unsigned before = lines;
    /* It waits until it is to end, and says so once, and only when there is something to say. */
    for (int i = 0; told.waits && i < 3; i++) {
        ck_assert_int_eq(o->waits(o->self, i == 0 ? "" : "another has it"), !ends);
        ck_assert_uint_eq(lines, before + (i > 0));
    }
    *out = NULL;
    *state = (struct store_state){.epoch = 7};
    return is_there ? 0 : error_set(d, E_JOURNAL_AWAY, "", "it is away");
}

int __wrap_sqlite_store_open(const struct sqlite_store_options *o, struct store **out, struct store_state *state,
                             struct error_detail *d)
{
    (void)d;
    memset(&told, 0, sizeof told);
    KEEP(path);
    told.bytes_max = o->size_bytes_max;
    told.commit_bytes_max = o->commit_bytes_max;
    o->upgrading(o->self, &(struct sqlite_upgrade){.from = 3, .to = 5});
    ck_assert_ptr_nonnull(strstr(said, "is brought to a newer schema"));
    ck_assert_ptr_nonnull(strstr(said, "from=3 to=5"));
    ck_assert_ptr_nonnull(strstr(said, o->path));
    o->upgrading(o->self, &(struct sqlite_upgrade){.request_ids = true, .in_table = 77});
    ck_assert_ptr_nonnull(strstr(said, "table of request_ids is made anew"));
    ck_assert_ptr_nonnull(strstr(said, "request_ids=77"));
    said[0] = '\0';
    *out = NULL;
    *state = (struct store_state){.dropped_bytes = config.journal_bytes_max == 0 ? 0 : 99};
    return 0;
}

/* ---- a world ---- */

static void hear(void *self, const struct log_entry *entry)
{
    char line[LOG_LINE_SIZE];
    (void)self;
    log_line(LOG_FORMAT_LOGFMT, entry->at, entry->level, entry->text, entry->fields, entry->field_count, line);
    snprintf(said, sizeof said, "%.*s", (int)sizeof said - 1, line);
    lines++;
}

static void make_dir(char path[64])
{
    strcpy(path, "/tmp/journal-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

static void setup(void)
{
    make_dir(dir);
    make_dir(other);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear, NULL);
    config = (struct config){.data_dir = dir,
                             .store = "postgresql://host/sagas",
                             .store_journal = "ours",
                             .fleet = "fleet",
                             .fleet_address = "1.2.3.4:5",
                             .targets = targets,
                             .target_count = 2,
                             .loops = 2,
                             .journal_bytes_max = 1000,
                             .commit_bytes_max = 200,
                             .store_lease = SPAN_S(10),
                             .store_timeout = SPAN_S(3),
                             .shutdown_grace = SPAN_S(40)};
}

static void teardown(void)
{
    char command[200];
    log_listen(NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s %s", dir, other);
    ck_assert_int_eq(system(command), 0);
}

/* Returns what opening it gives; what its store was told is in told. */
static int open_journal(unsigned k, const struct adopted *adopted)
{
    struct store *store;
    struct store_state state;
    return journal_open(&config, k, adopted, &store, &state, &detail);
}

static void make_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

/* Loops are opened from the last to the first. One that is looked after is had at once or not at all, and leaves no witness here. */
START_TEST(journal__each_loop_has_its_own_in_the_database)
{
    static const struct adopted theirs = {.journal = "theirs"};
    static const struct {
        unsigned k;
        const struct adopted *adopted;
        const char *journal, *carrier, *witness;
        unsigned loops;
    } rows[] = {
        {1, NULL, "ours/1", "ours/1", "/journal.seen-1", 2},
        {0, NULL, "ours", "ours", "/journal.seen", 2},
        {0, &theirs, "theirs", "ours", "", 0},
    };
    char holder[256] = "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = rows[i].witness[0] == '\0' ? "" : dir;
        ck_assert_int_eq(open_journal(rows[i].k, rows[i].adopted), E_JOURNAL_AWAY);
        ck_assert_str_eq(told.journal, rows[i].journal);
        ck_assert_str_eq(told.carrier, rows[i].carrier);
        ck_assert_msg(strncmp(told.witness, at, strlen(at)) == 0 &&
                          strcmp(told.witness + strlen(at), rows[i].witness) == 0,
                      "%s", told.witness);
        ck_assert_uint_eq(told.loops, rows[i].loops);
        ck_assert_int_eq(told.waits, rows[i].adopted == NULL);
        ck_assert_str_eq(told.first, "ours");
        ck_assert_str_eq(told.conninfo, "postgresql://host/sagas");
        ck_assert_str_eq(told.fleet, "fleet");
        ck_assert_str_eq(told.address, "1.2.3.4:5");
        ck_assert_str_eq(told.program, sagad_version);
        ck_assert_str_eq(told.needs, "shop,bank,");
        ck_assert(told.bytes_max == 1000 && told.commit_bytes_max == 200);
        ck_assert(told.lease.us == SPAN_S(10).us && told.timeout.us == SPAN_S(3).us);
        ck_assert_int_gt(told.patience.us, SPAN_S(50).us); /* another's lease, after its grace, ends within it */
        ck_assert(holder[0] == '\0' || strcmp(told.holder, holder) == 0); /* one process has them all */
        strcpy(holder, told.holder);
    }
    /* The same folder is the same holder; and while one has it, no other does. */
    ck_assert_int_eq(open_journal(1, NULL), E_JOURNAL_LOCKED);
    ck_assert_ptr_nonnull(strstr(detail.field, "journal.lock"));
    config.data_dir = other;
    ck_assert_int_eq(open_journal(1, NULL), E_JOURNAL_AWAY);
    ck_assert_str_ne(told.holder, holder);
    config.data_dir = "/nowhere";
    ck_assert_int_eq(open_journal(1, NULL), E_SYSTEM);
    ck_assert_str_eq(detail.field, "data_dir");
}
END_TEST

/* Where the sagas are is told, and since which opening. */
START_TEST(journal__one_in_a_database_is_told_of)
{
    is_there = true;
    ck_assert_int_eq(open_journal(1, NULL), 0);
    ck_assert_ptr_nonnull(strstr(said, " level=info msg=\"the journal is in a database\" journal=ours/1 epoch=7 "
                                       "server=\"one of a test\"\n"));
}
END_TEST

/* Without a name of its own it has the machine's. */
START_TEST(journal__its_name_is_the_machines_unless_it_is_given_one)
{
    char host[JOURNAL_NAME_SIZE], name[JOURNAL_NAME_SIZE], expected[JOURNAL_NAME_SIZE + 16];
    config.store_journal = "";
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    ck_assert_int_eq(journal_name(&config, name, &detail), 0);
    ck_assert_str_eq(name, host);
    ck_assert_int_eq(journal_name_of(&config, 0, name, &detail), 0);
    ck_assert_str_eq(name, host);
    ck_assert_int_eq(journal_name_of(&config, 12, name, &detail), 0);
    snprintf(expected, sizeof expected, "%s/12", host);
    ck_assert_str_eq(name, expected);
}
END_TEST

/* Until it runs nobody else takes a signal in. */
START_TEST(journal__a_start_that_waits_ends_with_a_signal)
{
    static const int signals[] = {SIGTERM, SIGINT};
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, signals[_i]);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &both, NULL), 0);
    ck_assert_int_eq(raise(signals[_i]), 0);
    ends = true;
    ck_assert_int_eq(open_journal(1, NULL), E_JOURNAL_AWAY);
}
END_TEST

START_TEST(journal__each_loop_has_its_own_file)
{
    static const char *const names[] = {"/journal.db", "/journal-1.db"};
    config.store = "";
    for (unsigned k = 0; k < 2; k++) {
        ck_assert_int_eq(open_journal(k, NULL), 0);
        ck_assert_msg(strncmp(told.path, dir, strlen(dir)) == 0 && strcmp(told.path + strlen(dir), names[k]) == 0, "%s",
                      told.path);
        ck_assert(told.bytes_max == 1000 && told.commit_bytes_max == 200);
        /* What it could not read of the last commit is told of. */
        ck_assert_ptr_nonnull(strstr(said, "level=warn"));
        ck_assert_ptr_nonnull(strstr(said, "bytes=99"));
        ck_assert_ptr_nonnull(strstr(said, names[k]));
    }
    config.journal_bytes_max = 0;
    ck_assert_int_eq(open_journal(0, NULL), 0);
    ck_assert_str_eq(said, "");
}
END_TEST

enum { KINDS = 10 };

/* A folder of the one kind is none of the other, whose sagas would be left behind; and a fleet needs what it shares. */
START_TEST(journal__of_one_kind_or_the_other)
{
    static const struct {
        const char *store, *file, *fleet, *address, *field, *text;
    } rows[KINDS] = {
        {"", NULL, "", "", NULL, NULL},
        {"", "journal.db", "", "", NULL, NULL},
        {"", "journal.seen", "", "", "store", "that of a journal in a database"},
        {"postgresql://h/d", NULL, "", "", NULL, NULL},
        {"postgres://h/d", "journal.seen", "f", "1.2.3.4:5", NULL, NULL},
        {"postgresql://h/d", "journal.db", "", "", "store", "would be left behind"},
        {"mysql://h/d", NULL, "", "", "store", "must be a URI"},
        {"", NULL, "f", "", "fleet", "shares a database"},
        {"postgresql://h/d", NULL, "", "1.2.3.4:5", "fleet_address", "without a fleet"},
        {"postgresql://h/d?nonsense=1", NULL, "", "", "store", "libpq cannot read it"},
    };
    config.store = rows[_i].store;
    config.fleet = rows[_i].fleet;
    config.fleet_address = rows[_i].address;
    if (rows[_i].file != NULL)
        make_file(rows[_i].file);
    int code = journal_check_kind(&config, &detail);
    ck_assert_int_eq(code, rows[_i].field == NULL ? 0 : E_ARGUMENT);
    if (code != 0) {
        ck_assert_str_eq(detail.field, rows[_i].field);
        ck_assert_msg(strstr(detail.text, rows[_i].text) != NULL, "%s", detail.text);
    }
    /* Only one in a database is migrated by hand, and none that would be refused. */
    if (code != 0 || config.store[0] == '\0') {
        ck_assert_int_eq(journal_migrate(&config, stdout, &detail), E_ARGUMENT);
        ck_assert_str_eq(detail.field, code != 0 && config.store[0] != '\0' ? rows[_i].field : "store");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, journal__each_loop_has_its_own_in_the_database);
    tcase_add_test(t, journal__one_in_a_database_is_told_of);
    tcase_add_test(t, journal__its_name_is_the_machines_unless_it_is_given_one);
    tcase_add_loop_test(t, journal__a_start_that_waits_ends_with_a_signal, 0, 2);
    tcase_add_test(t, journal__each_loop_has_its_own_file);
    tcase_add_loop_test(t, journal__of_one_kind_or_the_other, 0, KINDS);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
