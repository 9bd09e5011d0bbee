/* What keeps a sidecar from opening, each with its reason; and what does not. */
#include "sidecar/observe/log.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "tests/support/sidecar_world.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct sidecar_world w;
static struct error_detail detail;

static void teardown(void)
{
    world_close_sidecar(&w);
}

/* In which each @ is the world's folder. */
static const char *in_place(const char *options)
{
    static char text[4096];
    size_t size = 0;
    for (const char *at = options; *at != '\0'; at++)
        size +=
            (size_t)snprintf(text + size, sizeof text - size, "%.*s", *at == '@' ? 64 : 1, *at == '@' ? w.folder : at);
    return text;
}

static struct config *read_options(const char *options)
{
    struct config *config;
    char yaml[sizeof w.folder + 4400];
    snprintf(yaml, sizeof yaml, "data_dir: %s/data\nlisten: ['%s']\n%s", w.folder, w.address, in_place(options));
    ck_assert_msg(config_read_text(bytes_of_text(yaml), &config, &detail) == 0, "%s: %s", detail.field, detail.text);
    return config;
}

/* Why is in detail, when it is not 0. */
static int open_with(const char *options)
{
    struct sidecar *sidecar = NULL;
    struct config *config = read_options(options);
    detail = (struct error_detail){.text = ""};
    int code = sidecar_open(config, NULL, &sidecar, &detail);
    if (code == 0)
        sidecar_close(sidecar);
    config_destroy(config);
    return code;
}

static void write_key(const char *name, const char *line)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", w.folder, name);
    FILE *to = fopen(path, "w");
    ck_assert(to != NULL && fputs(line, to) >= 0 && fclose(to) == 0 && chmod(path, 0600) == 0);
}

/* A world whose sidecar was stopped, and with it what these options have made. */
static void make_place(const char *options)
{
    world_open_sidecar(&w, "");
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    ck_assert_int_eq(system(in_place("rm -r @/data")), 0);
    write_key("a", "first " A64 "\n");
    write_key("b", "first " B64 "\n");
    ck_assert_msg(open_with(options) == 0, "%s: %s", detail.field, detail.text);
}

/* Whatever else would be well: and nothing is left behind that would be in the way of a start without it. */
START_TEST(sidecar_open__what_it_reads_first_must_be_there)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char taken[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(taken, sizeof taken, "loops: 1\nhttp_listen: '127.0.0.1:%u'\n", (unsigned)ntohs(at.sin_port));
#define HTTP "loops: 1\nhttp_listen: '127.0.0.1:0'\n"
    const struct {
        const char *options, *field, *text;
    } rows[] = {
        {HTTP "encryption_key_file: @/none\n", "encryption_key_file", "/none"},
        {HTTP "audit_key_file: @/none\n", "audit_key_file", "/none"},
        {HTTP "encryption_key_command: /nowhere/keys\n", "encryption_key_command", "/nowhere/keys"},
        {HTTP "tls_roots: @/none.pem\n", "tls_roots", "/none.pem"},
        {HTTP "schemas_dir: @/none\n", "schemas_dir", "/none"},
        {HTTP "definitions_dir: @/none\n", "definitions_dir", "/none"},
        {HTTP "policy_file: @/none.yaml\n", "policy_file", "/none.yaml"},
        {taken, "http_listen", "in use"},
    };
    make_place("loops: 1\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(open_with(rows[i].options) != 0, "%zu", i);
        ck_assert_msg(strcmp(detail.field, rows[i].field) == 0 && strstr(detail.text, rows[i].text) != NULL,
                      "%zu: %s: %s", i, detail.field, detail.text);
        ck_assert_msg(open_with("loops: 1\n") == 0, "%zu: %s: %s", i, detail.field, detail.text);
    }
    close(fd);
}
END_TEST

/* A journal goes with the keys that it was written with, whatever is looked at beside. */
START_TEST(sidecar_open__a_journal_needs_its_keys)
{
#define SEALED "loops: 1\nencryption_key_file: @/a\naudit_key_file: @/a\n"
    static const char *const refused[] = {
        "loops: 1\n",
        "loops: 1\naudit_key_file: @/a\n",
        "loops: 1\naudit_key_file: @/a\naudit_verify_at_start: true\n",
        "loops: 1\nencryption_key_file: @/b\naudit_key_file: @/a\n",
        "loops: 1\nencryption_key_file: @/b\naudit_key_file: @/a\naudit_verify_at_start: true\n",
    };
    char id[64];
    make_place(SEALED);
    world_run_sidecar(&w, in_place(SEALED)); /* so that something is in it */
    world_begin(&w, id);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ck_assert_msg(open_with(refused[i]) == E_ARGUMENT && strcmp(detail.field, "encryption_key_file") == 0 &&
                          strstr(detail.text, i < 3 ? "not among those given: first" : "is not the one that") != NULL,
                      "%zu: %s: %s", i, detail.field, detail.text);
    ck_assert_msg(open_with(SEALED) == 0, "%s", detail.text);
    ck_assert_msg(open_with(SEALED "audit_verify_at_start: true\n") == 0, "%s", detail.text);
}
END_TEST

static int check_with(const char *options, int resource, uint64_t most)
{
    struct rlimit before, now;
    struct config *config = read_options(options);
    ck_assert_int_eq(getrlimit(resource, &before), 0);
    now = (struct rlimit){.rlim_cur = most, .rlim_max = before.rlim_max};
    detail = (struct error_detail){.text = ""};
    ck_assert_int_eq(setrlimit(resource, &now), 0);
    int code = sidecar_check_start(config, &detail);
    ck_assert_int_eq(setrlimit(resource, &before), 0);
    config_destroy(config);
    return code;
}

/* What the refusal says that it needs. */
static uint64_t needs(void)
{
    const char *at = strstr(detail.text, "needs ");
    ck_assert_msg(at != NULL, "%s", detail.text);
    return strtoull(at + 6, NULL, 10);
}

/* As many as it says, for each loop and for each target some more. */
START_TEST(sidecar_open__it_may_have_enough_files_open)
{
    char text[64];
    make_place("loops: 1\n");
    ck_assert_int_eq(check_with("loops: 1\n", RLIMIT_NOFILE, 30), E_SYSTEM);
    uint64_t needed = needs();
    ck_assert_uint_gt(needed, 40);
    ck_assert_int_eq(check_with("loops: 1\n", RLIMIT_NOFILE, needed - 1), E_SYSTEM);
    snprintf(text, sizeof text, "it may have %u files open, and needs %u", (unsigned)needed - 1, (unsigned)needed);
    ck_assert_msg(strncmp(detail.text, text, strlen(text)) == 0, "%s", detail.text);
    ck_assert_int_eq(check_with("loops: 1\n", RLIMIT_NOFILE, needed), 0);
    ck_assert_int_eq(check_with("loops: 1\ntargets: {a: 'unix:/a', b: 'unix:/b'}\n", RLIMIT_NOFILE, needed), E_SYSTEM);
    ck_assert_uint_eq(needs(), needed + 2);
}
END_TEST

/* Of addresses as many as its memory may take, and some for what it is made of; for another loop, more. */
START_TEST(sidecar_open__it_may_have_enough_address_space)
{
    const uint64_t mib = 1 << 20;
    make_place("loops: 1\n");
    ck_assert_int_eq(check_with("loops: 1\nmemory_bytes_max: 300MiB\n", RLIMIT_AS, 1067 * mib), E_SYSTEM);
    ck_assert_msg(strncmp(detail.text, "it may have 1067 MiB of address space, and needs 1068: ", 55) == 0, "%s",
                  detail.text);
    ck_assert_int_eq(check_with("loops: 1\nmemory_bytes_max: 300MiB\n", RLIMIT_AS, 1068 * mib), 0);
    ck_assert_int_eq(check_with("loops: 1\nmemory_bytes_max: 314572801\n", RLIMIT_AS, 1068 * mib), E_SYSTEM);
    ck_assert_uint_eq(needs(), 1069); /* in whole ones that are enough */
    ck_assert_int_eq(system(in_place("rm -r @/data")), 0);
    ck_assert_int_eq(check_with("loops: 3\nmemory_bytes_max: 300MiB\n", RLIMIT_AS, 1068 * mib), E_SYSTEM);
    ck_assert_uint_eq(needs(), 1068 + 256);
}
END_TEST

/* The journals are as many as the loops, and of one kind. */
START_TEST(sidecar_open__the_data_fit)
{
    make_place("loops: 2\n");
    ck_assert_int_eq(open_with("loops: 1\n"), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "loops");
    ck_assert_int_eq(open_with("loops: 3\n"), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "loops");
    ck_assert_int_eq(open_with("loops: 2\n"), 0);
    ck_assert_int_eq(open_with("loops: 2\nfleet: ours\n"), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "fleet");
}
END_TEST

static char lines[8192];

static void hear(void *self, const struct log_entry *entry)
{
    char line[LOG_LINE_SIZE];
    (void)self;
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, entry->level, entry->text, entry->fields, entry->field_count,
             line);
    strncat(lines, strchr(line, ' ') + 1, sizeof lines - strlen(lines) - 1);
}

/* Where it listens, and that a drill is on; a collector alone opens no door for scrapes. */
START_TEST(sidecar_open__what_it_does_is_told)
{
    char expected[256];
    make_place("loops: 1\n");
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear, NULL);
    ck_assert_msg(open_with("loops: 1\nhttp_listen: '127.0.0.1:0'\nfault_injection: true\n"
                            "faults: [{kind: duplicate, for: 1m}]\n") == 0,
                  "%s", detail.text);
    snprintf(expected, sizeof expected, "level=info msg=listening address=%s ", w.address);
    ck_assert_msg(strstr(lines, expected) != NULL, "%s", lines);
    ck_assert_ptr_nonnull(strstr(lines, "msg=\"listening for probes and scrapes\" address=127.0.0.1:0 port="));
    ck_assert_ptr_nonnull(
        strstr(lines, "level=warn msg=\"faults are injected, for a drill\" actor=sagad.yaml faults=1\n"));
    lines[0] = '\0';
    ck_assert_msg(open_with("loops: 1\notlp_endpoint: 'unix:/nowhere'\notlp_metrics_interval: 10s\n") == 0, "%s",
                  detail.text);
    log_listen(NULL, NULL);
    ck_assert_ptr_null(strstr(lines, "probes and scrapes"));
    ck_assert_ptr_null(strstr(lines, "faults are injected"));
}
END_TEST

/* A name and version stands for one text for ever. */
START_TEST(sidecar_open__a_file_whose_text_was_changed_is_refused)
{
#define ORDER(step) "name: order\nversion: 1.0.0\nsteps:\n  - {name: " step ", target: t, action: /p.S/A}\n"
    static const char with[] = "loops: 1\ndefinitions_dir: @/definitions\ntargets: {t: 'unix:/t'}\n";
    make_place("loops: 1\n");
    ck_assert_int_eq(mkdir(in_place("@/definitions"), 0700), 0);
    write_key("definitions/order.yaml", ORDER("a"));
    for (int i = 0; i < 2; i++)
        ck_assert_msg(open_with(with) == 0, "%s", detail.text);
    write_key("definitions/order.yaml", ORDER("b"));
    ck_assert_int_eq(open_with(with), E_DEFINITION_EXISTS);
    ck_assert_ptr_nonnull(strstr(detail.text, "raise the version"));
}
END_TEST

/* Data that several loops of an older sagad have filled keep its rule for request_ids; what is empty takes the new one, and keeps it. */
START_TEST(sidecar_open__the_rule_for_request_ids_stays)
{
    sqlite3 *db;
    char id[64], path[96];
    make_place("loops: 2\n");
    world_run_sidecar(&w, "loops: 2\n");
    ck_assert(w.sidecar->tags.mixed);
    for (int i = 0; i < 4; i++) /* in each of them */
        world_begin(&w, id);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    world_run_sidecar(&w, "loops: 2\n");
    ck_assert(w.sidecar->tags.mixed);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    snprintf(path, sizeof path, "%s/data/journal.db", w.folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(path, sizeof path, "DELETE FROM subjects WHERE kind = %d", SUBJECT_PLACEMENT);
    ck_assert_int_eq(sqlite3_exec(db, path, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_changes(db), 1);
    sqlite3_close(db);
    world_run_sidecar(&w, "loops: 2\n");
    ck_assert(!w.sidecar->tags.mixed);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
}
END_TEST

/* Another's journal is looked after as it is: what this sidecar reads from its files, and where it listens for scrapes, is none of it. */
START_TEST(sidecar_open__a_guest_takes_no_files)
{
    static const struct adopted adopted = {.journal = "theirs"};
    struct sidecar *guest;
    make_place("loops: 1\n");
    ck_assert_int_eq(mkdir(in_place("@/definitions"), 0700), 0);
    write_key("definitions/order.yaml", ORDER("a"));
    struct config *config = read_options("loops: 1\ndefinitions_dir: @/definitions\nhttp_listen: '127.0.0.1:0'\n"
                                         "targets: {t: 'unix:/t'}\n");
    ck_assert_msg(sidecar_open_guest(config, &adopted, &guest, &detail) == 0, "%s", detail.text);
    ck_assert(guest->adopted == &adopted && guest->http == NULL);
    ck_assert_uint_eq(catalog_count(guest->loops[0]->catalog), 0);
    sidecar_close(guest);
    ck_assert_int_eq(sidecar_open(config, NULL, &guest, &detail), 0);
    ck_assert(guest->adopted == NULL && guest->http != NULL);
    ck_assert_uint_eq(catalog_count(guest->loops[0]->catalog), 1);
    sidecar_close(guest);
    config_destroy(config);
    /* What their definitions need, and only another's file names, is told of as its own is. */
    config = read_options("loops: 1\n");
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear, NULL);
    for (int i = 0; i < 2; i++) {
        lines[0] = '\0';
        ck_assert_msg((i == 0 ? sidecar_open_guest(config, &adopted, &guest, &detail)
                              : sidecar_open(config, NULL, &guest, &detail)) == 0,
                      "%s", detail.text);
        sidecar_close(guest);
        ck_assert_str_eq(lines, "level=warn msg=\"sagad.yaml does not name a target that is needed: its calls wait "
                                "until it does\" target=t live_sagas=0 definitions=1\n");
    }
    log_listen(NULL, NULL);
    config_destroy(config);
}
END_TEST

/* Who asks for it at the start hears of a trail that somebody has changed, and the sidecar does not open. */
START_TEST(sidecar_open__an_audit_trail_with_a_gap_is_found)
{
#define TRAIL SEALED "definitions_dir: @/definitions\ntargets: {t: 'unix:/t'}\n"
    sqlite3 *db;
    char path[96];
    make_place("loops: 1\n");
    ck_assert_int_eq(mkdir(in_place("@/definitions"), 0700), 0);
    for (char name = 'a'; name <= 'c'; name++) { /* an entry each */
        char file[32], text[128];
        snprintf(file, sizeof file, "definitions/%c.yaml", name);
        snprintf(text, sizeof text, "name: %c\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n",
                 name);
        write_key(file, text);
        ck_assert_msg(open_with(TRAIL) == 0, "%s: %s", detail.field, detail.text);
    }
    ck_assert_msg(open_with(TRAIL "audit_verify_at_start: true\n") == 0, "%s: %s", detail.field, detail.text);
    snprintf(path, sizeof path, "%s/data/journal.db", w.folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "DELETE FROM audit WHERE seq = (SELECT seq FROM audit ORDER BY seq LIMIT 1 OFFSET 1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_changes(db), 1);
    sqlite3_close(db);
    ck_assert_msg(open_with(TRAIL) == 0, "%s: %s", detail.field, detail.text);
    ck_assert_int_eq(open_with(TRAIL "audit_verify_at_start: true\n"), E_JOURNAL_CORRUPT);
    ck_assert_str_ne(detail.text, "");
}
END_TEST

/* A saga that cannot be shown any more is told of before anybody asks. */
START_TEST(sidecar_open__damage_is_told_at_the_start)
{
    sqlite3 *db;
    struct saga_error error;
    char id[64], path[96];
    make_place("loops: 1\n");
    world_run_sidecar(&w, "loops: 1\n");
    world_begin(&w, id);
    ck_assert_int_eq(world_commit(&w, id, &error), SAGA_OK);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear, NULL);
    lines[0] = '\0';
    ck_assert_int_eq(open_with("loops: 1\n"), 0);
    ck_assert_ptr_null(strstr(lines, "the journal is damaged"));
    snprintf(path, sizeof path, "%s/data/journal.db", w.folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE ended SET ended_us = 1", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_changes(db), 1);
    sqlite3_close(db);
    ck_assert_int_eq(open_with("loops: 1\n"), 0);
    log_listen(NULL, NULL);
    ck_assert_msg(strstr(lines, "level=error msg=\"the journal is damaged: a saga that has ended cannot be shown\"") !=
                      NULL,
                  "%s", lines);
}
END_TEST

static int found; /* by a look through the rows, where it is not 0 */

static int verify(struct store *s, uint32_t rows_max, bool *more, struct error_detail *d)
{
    (void)s, (void)rows_max;
    *more = false;
    return error_set(d, found, "journal.db", "the index does not lead to the row");
}

int __real_sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                             struct error_detail *d);
int __wrap_sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                             struct error_detail *d);

int __wrap_sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                             struct error_detail *d)
{
    int code = __real_sqlite_store_open(options, out, state, d);
    if (code == 0 && found != 0)
        (*out)->verify = verify;
    return code;
}

/* What would hide a saga, so that its request_id begins a second one, keeps the sidecar from opening, whatever is read behind it. */
START_TEST(sidecar_open__a_row_that_is_not_found_keeps_it_shut)
{
    make_place("loops: 1\n");
    ck_assert_msg(open_with("loops: 1\n") == 0, "%s", detail.text);
    found = E_JOURNAL_CORRUPT;
    ck_assert_int_eq(open_with("loops: 1\n"), E_JOURNAL_CORRUPT);
    ck_assert_str_eq(detail.text, "the index does not lead to the row");
    found = 0;
    ck_assert_msg(open_with("loops: 1\n") == 0, "%s", detail.text);
}
END_TEST

static unsigned absent;
static char first[64];

static void hear_of_absent(void *self, const struct log_entry *entry)
{
    (void)self;
    if (strstr(entry->text, "does not name a target that is needed") == NULL)
        return;
    if (absent++ == 0)
        snprintf(first, sizeof first, "%.*s", (int)entry->fields[0].text.size, (const char *)entry->fields[0].text.at);
}

/* Of so many targets that are not there each is told of. */
START_TEST(sidecar_open__many_missing_targets_are_told_of)
{
    enum { TOLD = 64, TARGETS = 70 };
    char targets[TARGETS * 24] = "targets: {", source[TARGETS * 64];
    make_place("loops: 1\n");
    ck_assert_int_eq(mkdir(in_place("@/definitions"), 0700), 0);
    int used = snprintf(source, sizeof source, "name: many\nversion: 1.0.0\nsteps:\n");
    for (int i = 0; i < TARGETS; i++) {
        snprintf(targets + strlen(targets), sizeof targets - strlen(targets), "t%d: 'unix:/t%d', ", i, i);
        used += snprintf(source + used, sizeof source - (size_t)used, "  - {name: s%d, target: t%d, action: /p.S/A}\n",
                         i, i);
    }
    write_key("definitions/many.yaml", source);
    char options[sizeof targets + 96];
    snprintf(options, sizeof options, "loops: 1\nsteps_max: 100\ndefinitions_dir: @/definitions\n%s}\n", targets);
    ck_assert_msg(open_with(options) == 0, "%s: %s", detail.field, detail.text);
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear_of_absent, NULL);
    ck_assert_msg(open_with(options) == 0, "%s: %s", detail.field, detail.text);
    ck_assert_uint_eq(absent, 0);
    ck_assert_msg(open_with("loops: 1\n") == 0, "%s: %s", detail.field, detail.text);
    log_listen(NULL, NULL);
    ck_assert(absent > 0 && absent <= TOLD); /* the log has a bound of its own for many of one kind */
    ck_assert_str_eq(first, "t0");
}
END_TEST

/* What another's journal needs and this sidecar does not have is told of, too. */
START_TEST(sidecar_open__a_guest_tells_of_missing_targets)
{
    static const struct adopted adopted = {.journal = "theirs"};
    make_place("loops: 1\n");
    ck_assert_int_eq(mkdir(in_place("@/definitions"), 0700), 0);
    write_key("definitions/order.yaml", ORDER("a"));
    ck_assert_msg(open_with("loops: 1\ndefinitions_dir: @/definitions\ntargets: {t: 'unix:/t'}\n") == 0, "%s: %s",
                  detail.field, detail.text);
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear_of_absent, NULL);
    absent = 0;
    for (int lacks = 0; lacks < 2; lacks++) {
        struct sidecar *guest;
        struct config *config =
            read_options(lacks ? "loops: 1\ntargets: {u: 'unix:/u'}\n" : "loops: 1\ntargets: {t: 'unix:/t'}\n");
        ck_assert_msg(sidecar_open_guest(config, &adopted, &guest, &detail) == 0, "%s", detail.text);
        ck_assert_uint_eq(absent, lacks);
        sidecar_close(guest);
        config_destroy(config);
    }
    log_listen(NULL, NULL);
    ck_assert_str_eq(first, "t");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sidecar_open");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, sidecar_open__what_it_reads_first_must_be_there);
    tcase_add_test(t, sidecar_open__a_journal_needs_its_keys);
    tcase_add_test(t, sidecar_open__it_may_have_enough_files_open);
    tcase_add_test(t, sidecar_open__it_may_have_enough_address_space);
    tcase_add_test(t, sidecar_open__the_data_fit);
    tcase_add_test(t, sidecar_open__what_it_does_is_told);
    tcase_add_test(t, sidecar_open__a_file_whose_text_was_changed_is_refused);
    tcase_add_test(t, sidecar_open__the_rule_for_request_ids_stays);
    tcase_add_test(t, sidecar_open__a_guest_takes_no_files);
    tcase_add_test(t, sidecar_open__an_audit_trail_with_a_gap_is_found);
    tcase_add_test(t, sidecar_open__damage_is_told_at_the_start);
    tcase_add_test(t, sidecar_open__a_row_that_is_not_found_keeps_it_shut);
    tcase_add_test(t, sidecar_open__many_missing_targets_are_told_of);
    tcase_add_test(t, sidecar_open__a_guest_tells_of_missing_targets);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
