/* The configuration read again while a whole sidecar runs: what is told of it, what every loop has then, and what is given back. */
#include "sidecar/observe/log.h"
#include "sidecar/policy/policy.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/shard/place.h"
#include "tests/support/sidecar_world.h"
#include "tests/support/trades.h"

#include <check.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct sidecar_world w;
static struct saga_error error;
static atomic_int policies, configs; /* that were made and not given back */

/* ---- tests.mk wraps these ---- */

int __wrap_policy_read(struct bytes text, const struct memory *memory, struct policy **out,
                       struct error_detail *detail);
int __real_policy_read(struct bytes text, const struct memory *memory, struct policy **out,
                       struct error_detail *detail);
void __wrap_policy_destroy(struct policy *p);
void __real_policy_destroy(struct policy *p);
int __wrap_config_read(const char *path, struct config **out, struct error_detail *detail);
int __real_config_read(const char *path, struct config **out, struct error_detail *detail);
void __wrap_config_destroy(struct config *c);
void __real_config_destroy(struct config *c);

int __wrap_policy_read(struct bytes text, const struct memory *memory, struct policy **out, struct error_detail *detail)
{
    int code = __real_policy_read(text, memory, out, detail);
    atomic_fetch_add(&policies, code == 0);
    return code;
}

void __wrap_policy_destroy(struct policy *p)
{
    atomic_fetch_sub(&policies, p != NULL);
    __real_policy_destroy(p);
}

int __wrap_config_read(const char *path, struct config **out, struct error_detail *detail)
{
    int code = __real_config_read(path, out, detail);
    atomic_fetch_add(&configs, code == 0);
    return code;
}

void __wrap_config_destroy(struct config *c)
{
    atomic_fetch_sub(&configs, c != NULL);
    __real_config_destroy(c);
}

/* ---- a world ---- */

static atomic_uint reads; /* that have ended, one way or the other */
static char
    heard[1024]; /* of the last: what was taken, with a ! what waits, and how many these are; or why it was refused */

static void add(const char *before, const struct log_field *f)
{
    size_t used = strlen(heard);
    if (f->kind == LOG_KIND_NUMBER)
        snprintf(heard + used, sizeof heard - used, "%s%lld", before, (long long)f->number);
    else
        snprintf(heard + used, sizeof heard - used, "%s%.*s", before, (int)f->text.size, (const char *)f->text.at);
}

static void hear(void *self, const struct log_entry *entry)
{
    (void)self;
    if (strcmp(entry->text, "the configuration was read again: taken") == 0) {
        add("", &entry->fields[0]);
        strcat(heard, ", ");
    } else if (strcmp(entry->text, "an option has changed that takes effect at the next start") == 0) {
        add("!", &entry->fields[0]);
        strcat(heard, ", ");
    } else if (strcmp(entry->text, "the configuration was read again") == 0) {
        add("", &entry->fields[0]);
        add("+", &entry->fields[1]);
        atomic_fetch_add(&reads, 1);
    } else if (strcmp(entry->text, "the configuration cannot be taken as it is") == 0) {
        add("", &entry->fields[0]);
        add(" ", &entry->fields[1]);
        atomic_fetch_add(&reads, 1);
    }
}

static void write_file(const char *name, const void *text, size_t size)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", w.folder, name);
    FILE *to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    ck_assert_uint_eq(fwrite(text, 1, size, to), size);
    ck_assert_int_eq(fclose(to), 0);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

/* With these options, in which each @ is the world's folder. Returns what was heard of it. */
static const char *read_again(const char *options)
{
    char yaml[2048], path[96];
    unsigned before = atomic_load(&reads);
    heard[0] = '\0';
    int size =
        snprintf(yaml, sizeof yaml, "data_dir: %s/data\nlisten: ['%s']\nconnect_timeout: 100ms\ntarget_wait: 0s\n",
                 w.folder, w.address);
    if (strstr(options, "targets:") == NULL)
        size += snprintf(yaml + size, sizeof yaml - (size_t)size,
                         "targets: {nobody: 'unix:/nowhere/nobody.sock', itself: '%s'}\n", w.address);
    for (const char *at = options; *at != '\0'; at++)
        size +=
            snprintf(yaml + size, sizeof yaml - (size_t)size, "%.*s", *at == '@' ? 64 : 1, *at == '@' ? w.folder : at);
    write_text("sagad.yaml", yaml);
    snprintf(path, sizeof path, "%s/sagad.yaml", w.folder);
    sidecar_reload(w.sidecar, path);
    WORLD_WAIT_UNTIL(atomic_load(&reads) == before + 1);
    return heard;
}

/* With folders for what it names, and nothing in them. */
static void open_world(const char *options)
{
    static const char *const folders[] = {"definitions", "schemas"};
    char path[96];
    world_open_sidecar(&w, options);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", w.folder, folders[i]);
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear, NULL);
}

static void teardown(void)
{
    log_listen(NULL, NULL);
    world_close_sidecar(&w);
}

/* A saga of this definition, in this loop. */
static int start(const char *definition, unsigned loop)
{
    static unsigned number;
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    char request_id[16];
    do
        snprintf(request_id, sizeof request_id, "n%u", number++);
    while (place_of_request(&w.sidecar->tags, bytes_of_text(request_id), w.sidecar->count) != (int)loop);
    m.definition = (char *)(uintptr_t)definition;
    m.request_id = request_id;
    return world_ask(&w, COORDINATOR "Start", &m.base, &saga__v1__start_response__descriptor, 0, NULL, &error);
}

#define PLAIN(name) "name: " name "\nversion: 1.0.0\nsteps:\n  - {name: a, target: nobody, action: /p.S/A}\n"
#define TYPED(name) \
    "name: " name "\nversion: 1.0.0\nschema: trades\ninput: trades.v1.Claim\nsteps:\n" \
    "  - {name: a, target: nobody, action: {method: /trades.v1.Claims/Open, request: {id: =input.claim_id}}}\n"
#define FOLDERS "definitions_dir: @/definitions\nschemas_dir: @/schemas\n"

/* Types come before what is made of them, and both to every loop before a word is said; a second time there is nothing to say. */
START_TEST(reload__what_is_new_is_told_once_and_every_loop_has_it)
{
    enum { LOOPS = 3 };
    static const char options[] = "loops: 3\nlive_sagas_max: 77\n" FOLDERS;
    open_world("loops: 3\n");
    write_file("schemas/trades.binpb", trades, trades_size);
    write_text("definitions/a.yaml", PLAIN("plain"));
    write_text("definitions/b.yml", TYPED("typed"));
    write_text("definitions/c.txt", "of no interest");
    ck_assert_str_eq(read_again(options),
                     "schema trades, definition plain 1.0.0, definition typed 1.0.0, !live_sagas_max, 3+1");
    for (unsigned k = 0; k < LOOPS; k++) {
        ck_assert_msg(start("plain", k) == SAGA_OK, "%u: %s", k, error.message);
        ck_assert_msg(start("typed", k) == SAGA_OK, "%u: %s", k, error.message);
    }
    ck_assert_str_eq(read_again(options), "!live_sagas_max, 0+1");
    write_text("definitions/d.yaml", PLAIN("more"));
    ck_assert_str_eq(read_again(options), "definition more 1.0.0, !live_sagas_max, 1+1");
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_msg(start("more", k) == SAGA_OK, "%u: %s", k, error.message);
}
END_TEST

/* What is wrong is told with where it stands, and nothing of the rest is taken. */
START_TEST(reload__one_that_is_wrong_changes_nothing)
{
    static const struct {
        const char *options, *reason, *text;
    } rows[] = {
        {"log_level: loud\n", "INVALID_ARGUMENT", "sagad.yaml:"},
        {"remediation: {r: {when: \"deadletters >\", do: reset, target: nobody}}\n", "INVALID_ARGUMENT",
         "remediation.r.when"},
        {"remediation: {r: {when: \"deadletters > 1\", do: hold, definition: shop}}\n", "INVALID_ARGUMENT",
         "remediation.r: "},
        {"policy_file: @/none.yaml\n", "", "none.yaml"},
        {"policy_file: @/policy.yaml\n", "", "policy.yaml:"},
        {"schemas_dir: @/none\n", "", "schemas_dir"},
        {"schemas_dir: @/schemas\n", "INVALID_ARGUMENT", "schema broken: "},
        {"definitions_dir: @/none\n", "", "definitions_dir"},
        {"definitions_dir: @/definitions\n", "", "definitions/b.yaml:"},
    };
    open_world("loops: 1\n");
    write_text("policy.yaml", "rules: 7\n");
    write_text("schemas/broken.binpb", "\xff\xff");
    write_text("definitions/a.yaml", PLAIN("plain"));
    write_text("definitions/b.yaml", "name: b\nversion: 1.0.0\nsteps: 7\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char options[512];
        snprintf(options, sizeof options,
                 "loops: 1\nlive_sagas_max: 77\ndefinition_limits: {plain: {live_sagas_max: 1}}\n%s", rows[i].options);
        const char *said = read_again(options);
        ck_assert_msg(strncmp(said, rows[i].reason, strlen(rows[i].reason)) == 0, "%zu: %s", i, said);
        ck_assert_msg(strstr(said, rows[i].text) != NULL, "%zu: %s", i, said);
        ck_assert_msg(strstr(said, "were taken") == NULL, "%zu: %s", i, said);
        ck_assert_str_eq(read_again("loops: 1\n"), "0+0");
    }
    ck_assert_int_eq(start("plain", 0), SAGA_E_NOT_FOUND);
}
END_TEST

/* Nothing is registered in a journal that is only looked after. */
START_TEST(reload__a_guest_takes_no_files)
{
    static const struct adopted adopted = {.journal = "theirs"};
    open_world("loops: 1\n");
    write_file("schemas/trades.binpb", trades, trades_size);
    write_text("definitions/a.yaml", PLAIN("plain"));
    w.sidecar->adopted = &adopted;
    ck_assert_str_eq(read_again("loops: 1\n" FOLDERS), "0+0");
    w.sidecar->adopted = NULL;
    ck_assert_str_eq(read_again("loops: 1\n" FOLDERS), "schema trades, definition plain 1.0.0, 2+0");
}
END_TEST

/* How many rules, objectives and heartbeats are in force. */
static void are_in_force(size_t rules, size_t objectives, size_t heartbeats)
{
    Saga__V1__ListRulesRequest rules_request = SAGA__V1__LIST_RULES_REQUEST__INIT;
    Saga__V1__ListObjectivesRequest objectives_request = SAGA__V1__LIST_OBJECTIVES_REQUEST__INIT;
    Saga__V1__StatusRequest status_request = SAGA__V1__STATUS_REQUEST__INIT;
    ProtobufCMessage *m;
    ck_assert_int_eq(world_ask(&w, OPERATOR "ListRules", &rules_request.base,
                               &saga__v1__list_rules_response__descriptor, 0, &m, &error),
                     SAGA_OK);
    ck_assert_uint_eq(((const Saga__V1__ListRulesResponse *)(const void *)m)->n_rules, rules);
    protobuf_c_message_free_unpacked(m, NULL);
    ck_assert_int_eq(world_ask(&w, OPERATOR "ListObjectives", &objectives_request.base,
                               &saga__v1__list_objectives_response__descriptor, 0, &m, &error),
                     SAGA_OK);
    ck_assert_uint_eq(((const Saga__V1__ListObjectivesResponse *)(const void *)m)->n_objectives, objectives);
    protobuf_c_message_free_unpacked(m, NULL);
    ck_assert_int_eq(
        world_ask(&w, OPERATOR "Status", &status_request.base, &saga__v1__status_response__descriptor, 0, &m, &error),
        SAGA_OK);
    ck_assert_uint_eq(((const Saga__V1__StatusResponse *)(const void *)m)->loops[0]->n_synthetics, heartbeats);
    protobuf_c_message_free_unpacked(m, NULL);
}

/* As they stand in the file, also where they are fewer. */
START_TEST(reload__what_is_watched_is_taken)
{
    open_world("loops: 1\n");
    are_in_force(0, 0, 0);
    ck_assert_str_eq(read_again("loops: 1\nobjectives: {shop: {success: 99}}\nsynthetics: {beat: {every: 1h}}\n"
                                "remediation: {r: {when: \"deadletters > 1\", do: reset, target: nobody}}\n"),
                     "objectives, synthetics, remediation, 3+0");
    are_in_force(1, 2, 1); /* a heartbeat promises to succeed */
    ck_assert_str_eq(read_again("loops: 1\nsynthetics: {beat: {every: 1h}}\n"), "objectives, remediation, 2+0");
    are_in_force(0, 1, 1);
    ck_assert_str_eq(read_again("loops: 1\n"), "synthetics, 1+0");
    are_in_force(0, 0, 0);
}
END_TEST

/* Each by its name, wherever it stands in the file: what came, what is another now, and what went. */
START_TEST(reload__targets_are_told_by_their_names)
{
#define REMOVED           " removed: what calls it waits until it is back"
#define TARGETS_ARE(list) "loops: 1\ntargets: {" list "}\n"
    static const struct {
        const char *options, *heard;
    } rows[] = {
        {TARGETS_ARE("a: 'unix:/a', b: 'unix:/b', c: 'unix:/c'"),
         "target a added, target b added, target c added, target nobody" REMOVED ", target itself" REMOVED ", 5+0"},
        {TARGETS_ARE("a: 'unix:/a', b: 'unix:/b', c: 'unix:/c'"), "0+0"},
        {TARGETS_ARE("a: 'unix:/x', b: 'unix:/b', c: 'unix:/c'"), "target a changed, 1+0"},
        {TARGETS_ARE("a: 'unix:/x', b: 'unix:/x', c: 'unix:/c'"), "target b changed, 1+0"},
        {TARGETS_ARE("a: 'unix:/x', b: 'unix:/x', c: {address: 'unix:/c', timeout: 9s}"), "target c changed, 1+0"},
        {TARGETS_ARE("c: {address: 'unix:/c', timeout: 9s}, b: 'unix:/x', a: 'unix:/x'"), "0+0"},
        {TARGETS_ARE("c: {address: 'unix:/c', timeout: 9s}, d: 'unix:/d', a: 'unix:/x'"),
         "target d added, target b" REMOVED ", 2+0"},
        {TARGETS_ARE("d: 'unix:/d', a: 'unix:/x'"), "target c" REMOVED ", 1+0"},
        {TARGETS_ARE("d: 'unix:/d'"), "target a" REMOVED ", 1+0"},
    };
    open_world("loops: 1\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *said = read_again(rows[i].options);
        ck_assert_msg(strcmp(said, rows[i].heard) == 0, "%zu: %s, and not %s", i, said, rows[i].heard);
    }
}
END_TEST

/* However often it is read, and whatever comes of it: of what was read only that stays which is in force, and in the end nothing. */
START_TEST(reload__what_is_not_in_force_is_given_back)
{
#define RULES "authorization: [{who: anyone, may: [service]}]\n"
    static const struct {
        const char *options, *heard;
        int policies, configs; /* that are left */
    } rows[] = {
        {"loops: 1\npolicy_file: @/policy.yaml\n", "policy_file: ", 1, 1},
        {"loops: 1\npolicy_file: @/policy.yaml\n", "0+0", 1, 1},
        {"loops: 1\npolicy_file: @/other.yaml\n", "policy_file: ", 1, 1},
        {"loops: 1\npolicy_file: @/other.yaml\n" FOLDERS, "INVALID_ARGUMENT", 1, 1}, /* which it does not let pass */
        {"loops: 1\npolicy_file: @/wrong.yaml\n", "", 1, 1},
        {"loops: 1\n", "policy_file: none, 1+0", 0, 1},
        {"loops: 1\nlog_level: loud\n", "INVALID_ARGUMENT", 0, 1},
        /* Rules that do not fit where it listens are not taken with the rest: those before stay, with what they were read from. */
        {"loops: 1\nauthorization: [{who: anyone, may: [service, operator]}]\n", "authorization, 1+0", 0, 1},
        {"loops: 1\nunix_access: group\n" RULES, "!unix_access, !authorization, 0+2", 0, 2},
        {"loops: 1\nunix_access: group\n" RULES, "!unix_access, !authorization, 0+2", 0, 2},
        {"loops: 1\n", "authorization, 1+0", 0, 1},
    };
    open_world("loops: 1\n");
    write_text("policy.yaml", "rules:\n  - {id: none, that: \"definition.name.startsWith('good')\", else: no}\n");
    write_text("other.yaml", "rules:\n  - {id: none, that: \"definition.name.startsWith('best')\", else: no}\n");
    write_text("wrong.yaml", "rules: 7\n");
    write_text("definitions/a.yaml", PLAIN("good"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *said = read_again(rows[i].options);
        ck_assert_msg(strncmp(said, rows[i].heard, strlen(rows[i].heard)) == 0, "%zu: %s", i, said);
        /* It is given back right after it was told. */
        for (int64_t end = wire_deadline(30000);
             atomic_load(&policies) != rows[i].policies || atomic_load(&configs) != rows[i].configs; world_soon())
            ck_assert_msg(wire_time_left_ms(end) > 0, "%zu: %d policies and %d configurations are left", i,
                          atomic_load(&policies), atomic_load(&configs));
    }
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    ck_assert_int_eq(atomic_load(&policies), 0);
    ck_assert_int_eq(atomic_load(&configs), -1); /* that of the start was read by the world */
}
END_TEST

/* A start takes files as a reload does: judged by the policy, and into every loop. What is registered already is not judged again. */
START_TEST(reload__a_start_takes_the_same_files)
{
    enum { LOOPS = 3 };
    struct config *config;
    struct sidecar *refused;
    struct error_detail detail;
    char options[512], yaml[1024];
    open_world("loops: 3\n");
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    write_file("schemas/trades.binpb", trades, trades_size);
    write_text("definitions/a.yaml", PLAIN("good"));
    write_text("definitions/b.yaml", TYPED("goods"));
    write_text("policy.yaml", "rules:\n  - {id: none, that: \"definition.name.startsWith('good')\", else: no}\n");
    snprintf(options, sizeof options,
             "loops: 3\ndefinitions_dir: %s/definitions\nschemas_dir: %s/schemas\npolicy_file: %s/policy.yaml\n",
             w.folder, w.folder, w.folder);
    world_run_sidecar(&w, options);
    for (unsigned k = 0; k < LOOPS; k++) {
        ck_assert_msg(start("good", k) == SAGA_OK, "%u: %s", k, error.message);
        ck_assert_msg(start("goods", k) == SAGA_OK, "%u: %s", k, error.message);
    }
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    write_text("definitions/c.yaml", PLAIN("bad"));
    snprintf(yaml, sizeof yaml, "data_dir: %s/data\nlisten: ['%s']\ntargets: {nobody: 'unix:/nowhere/nobody.sock'}\n%s",
             w.folder, w.address, options);
    ck_assert_int_eq(config_read_text(bytes_of_text(yaml), &config, &detail), 0);
    ck_assert_int_eq(sidecar_open(config, NULL, &refused, &detail), E_POLICY);
    ck_assert_msg(strstr(detail.text, "c.yaml") != NULL, "%s", detail.text);
    config_destroy(config);
    write_text("definitions/c.yaml", PLAIN("goodness"));
    write_text("policy.yaml", "rules:\n  - {id: none, that: \"definition.name == 'goodness'\", else: no}\n");
    world_run_sidecar(&w, options);
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_msg(start("goodness", k) == SAGA_OK && start("good", k) == SAGA_OK, "%u: %s", k, error.message);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reload");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, reload__what_is_new_is_told_once_and_every_loop_has_it);
    tcase_add_test(t, reload__one_that_is_wrong_changes_nothing);
    tcase_add_test(t, reload__targets_are_told_by_their_names);
    tcase_add_test(t, reload__a_guest_takes_no_files);
    tcase_add_test(t, reload__what_is_watched_is_taken);
    tcase_add_test(t, reload__what_is_not_in_force_is_given_back);
    tcase_add_test(t, reload__a_start_takes_the_same_files);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
