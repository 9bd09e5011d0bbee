/* A whole sidecar within the test: who waits and watches, many messages in flight, and what is cancelled. */
#include "sidecar/base/account.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/journal_check.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/shard/place.h"
#include "tests/support/sidecar_world.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct sidecar_world w;
static struct saga_error error;

static void teardown(void)
{
    world_close_sidecar(&w);
}

static int resolve(const char *id)
{
    Saga__V1__ResolveRequest m = SAGA__V1__RESOLVE_REQUEST__INIT;
    m.saga_id = (char *)(uintptr_t)id;
    m.actor = (char *)(uintptr_t) "me";
    m.reason = (char *)(uintptr_t) "by hand";
    return world_ask(&w, OPERATOR "Resolve", &m.base, &saga__v1__resolve_response__descriptor, 0, NULL, NULL);
}

/* ---- its life ---- */

START_TEST(sidecar__starts_and_stops)
{
    char id[64];
    world_open_sidecar(&w, "");
    world_begin(&w, id);
    ck_assert(w.sidecar->fleet == NULL && w.sidecar->loops[0]->database == NULL); /* it has none */
    struct sidecar *second;
    struct error_detail detail;
    ck_assert_int_eq(sidecar_open(w.config, NULL, &second, &detail), E_JOURNAL_LOCKED);
    struct stat st;
    ck_assert_int_eq(stat(w.address + 5, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    ck_assert_int_ne(stat(w.address + 5, &st), 0);
    world_run_sidecar(&w, "");
    ck_assert_int_eq(world_commit(&w, id, &error), SAGA_OK);
    ck_assert_int_eq(world_commit(&w, id, &error), SAGA_OK);
    ck_assert_int_eq(world_abort(&w, id, &error), SAGA_E_FAILED_PRECONDITION);
    ck_assert_str_eq(error.reason, "SAGA_ENDED");
}
END_TEST

START_TEST(sidecar__may_be_stopped_before_it_runs)
{
    world_open_sidecar(&w, "");
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
}
END_TEST

START_TEST(sidecar__its_memory_has_the_bound_of_the_configuration)
{
    world_open_sidecar(&w, "memory_bytes_max: 300MiB\n");
    ck_assert_uint_eq(atomic_load(&account.max), (size_t)300 << 20);
}
END_TEST

static bool shows(const char *line)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(metrics_write(&w.sidecar->vitals[0]->metrics, 1, METRICS_PROMETHEUS, out), 0);
    ck_assert_int_eq(fclose(out), 0);
    bool found = strstr(text, line) != NULL;
    free(text);
    return found;
}

/* What has become durable is counted, after its answer has left. */
START_TEST(sidecar__a_commit_is_counted)
{
    char id[64];
    world_open_sidecar(&w, "http_listen: '127.0.0.1:0'\nloops: 1\n");
    world_begin(&w, id);
    WORLD_WAIT_UNTIL(shows("\nsagad_commit_duration_seconds_count 1\n"));
    WORLD_WAIT_UNTIL(shows("\nsagad_commit_records_sum 1\n"));
}
END_TEST

/* Whoever looks wakes the loop: what is told is what is now. */
START_TEST(sidecar__who_asks_is_told_fresh_numbers)
{
    char id[64];
    world_open_sidecar(&w, "http_listen: '127.0.0.1:0'\nloops: 1\n");
    for (int i = 1; i <= 3; i++) {
        char line[64];
        world_begin(&w, id);
        snprintf(line, sizeof line, "\nsagad_sagas_live %d\n", i);
        WORLD_WAIT_UNTIL((panel_ask(w.sidecar->panel), shows(line)));
    }
}
END_TEST

/* It is asked for as a target of its own is, and as anybody asks: over gRPC's reflection. */
START_TEST(sidecar__it_shows_its_descriptors)
{
    Saga__V1__ReflectRequest m = SAGA__V1__REFLECT_REQUEST__INIT;
    char *services[] = {(char *)(uintptr_t) "saga.v1.Coordinator", (char *)(uintptr_t) "saga.v1.Operator"};
    ProtobufCMessage *response;
    m.target = (char *)(uintptr_t) "itself";
    m.n_services = 2;
    m.services = services;
    world_open_sidecar(&w, "");
    ck_assert_msg(world_ask(&w, COORDINATOR "Reflect", &m.base, &saga__v1__reflect_response__descriptor, 0, &response,
                            &error) == SAGA_OK,
                  "%s", error.message);
    const ProtobufCBinaryData *got = &((Saga__V1__ReflectResponse *)response)->descriptors;
    ck_assert_ptr_nonnull(memmem(got->data, got->len, "RegisterDefinitionRequest", 25));
    protobuf_c_message_free_unpacked(response, NULL);
}
END_TEST

/* ---- started anew ---- */

static int register_definition(const char *source)
{
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    m.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)source, .len = strlen(source)};
    return world_ask(&w, COORDINATOR "RegisterDefinition", &m.base, &saga__v1__register_definition_response__descriptor,
                     0, NULL, &error);
}

static int start(const char *definition, char id[64])
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    ProtobufCMessage *response;
    m.definition = (char *)(uintptr_t)definition;
    int code = world_ask(&w, COORDINATOR "Start", &m.base, &saga__v1__start_response__descriptor, 0, &response, &error);
    if (code != SAGA_OK)
        return code;
    snprintf(id, 64, "%s", ((Saga__V1__StartResponse *)response)->saga_id);
    protobuf_c_message_free_unpacked(response, NULL);
    return code;
}

/* What a definition says nothing of stays as it was when it was registered: one attempt, and not one more after an hour. */
START_TEST(sidecar__retries_stay_those_of_the_time_of_registration)
{
    static const char source[] = "name: once\nversion: 1.0.0\nsteps:\n  - {name: a, target: nobody, action: /p.S/A}\n";
    char id[64];
    struct world_call wait;
    world_open_sidecar(&w, "default_retry: {maxAttempts: 1}\n");
    ck_assert_msg(register_definition(source) == SAGA_OK, "%s", error.message);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    world_run_sidecar(&w, "default_retry: {maxAttempts: 9, initialBackoff: 1h, maxBackoff: 1h}\n");
    ck_assert_msg(start("once", id) == SAGA_OK, "%s", error.message);
    world_wait_start(&w, &wait, id, false, 0);
    ck_assert_int_eq(world_wait_end(&wait), SAGA_OK);
    ck_assert_int_eq(wait.state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED);
}
END_TEST

/* A request_id says in which loop a saga begins; what has none begins where its connection is. */
static void begin_in(unsigned loop, char id[64])
{
    static unsigned number;
    struct saga_id begun;
    do {
        Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
        ProtobufCMessage *response;
        char request_id[16];
        snprintf(request_id, sizeof request_id, "r%u", number++);
        m.name = (char *)(uintptr_t) "shop";
        m.request_id = request_id;
        ck_assert_msg(world_ask(&w, COORDINATOR "Begin", &m.base, &saga__v1__begin_response__descriptor, 0, &response,
                                &error) == SAGA_OK,
                      "%s", error.message);
        snprintf(id, 64, "%s", ((Saga__V1__BeginResponse *)response)->saga_id);
        protobuf_c_message_free_unpacked(response, NULL);
        ck_assert(saga_id_parse(id, strlen(id), &begun));
    } while (begun.tag % SAGA_LOOPS_MAX != loop);
}

static char told[4][LOG_LINE_SIZE];
static unsigned told_count;

static void hear_of_absent(void *self, const struct log_entry *entry)
{
    (void)self;
    if (strstr(entry->text, "does not name a target") != NULL && told_count < sizeof told / sizeof *told)
        log_line(LOG_FORMAT_LOGFMT, entry->at, entry->level, entry->text, entry->fields, entry->field_count,
                 told[told_count++]);
}

/* Each is told of once, with the sagas and definitions that need it, however many of their steps do. */
START_TEST(sidecar__targets_that_are_gone_are_told_of_once_each)
{
    static const char *const sources[] = {
        "name: one\nversion: 1.0.0\nsteps:\n  - {name: a, target: x, action: /p.S/A, compensation: /p.S/B}\n"
        "  - {name: b, target: x, action: /p.S/A}\n  - {name: c, target: y, action: /p.S/A}\n",
        "name: two\nversion: 1.0.0\nsteps:\n  - {name: a, target: x, action: /p.S/A}\n"
        "  - {name: b, target: x, after: [a], action: /p.S/A, compensation: {target: z, method: /p.S/B}}\n"};
    char id[64];
    world_open_sidecar(&w, "loops: 2\ntargets: {x: 'unix:/nowhere/x.sock', y: 'unix:/nowhere/y.sock', "
                           "z: 'unix:/nowhere/z.sock'}\n");
    for (int i = 0; i < 2; i++)
        ck_assert_msg(register_definition(sources[i]) == SAGA_OK, "%s", error.message);
    for (unsigned i = 0; i < 3; i++) {
        begin_in(i % 2, id);
        for (int k = 0; k < 2; k++)
            ck_assert_int_eq(world_enlist(&w, id, k == 0 ? "a" : "b", i == 0 ? "y" : "x", 4, 0, NULL), SAGA_OK);
    }
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear_of_absent, NULL);
    world_run_sidecar(&w, "loops: 2\n");
    log_listen(NULL, NULL);
    ck_assert_uint_eq(told_count, 3);
    ck_assert_msg(strstr(told[0], "target=x live_sagas=2 definitions=2") != NULL, "%s", told[0]);
    ck_assert_msg(strstr(told[1], "target=y live_sagas=1 definitions=1") != NULL, "%s", told[1]);
    ck_assert_msg(strstr(told[2], "target=z live_sagas=0 definitions=1") != NULL, "%s", told[2]);
}
END_TEST

/* ---- its configuration, read again ---- */

static atomic_uint reads; /* that have ended, one way or the other */
static char heard[512];   /* of the last: what was taken, and with a ! what needs a restart; or why it was refused */

static void hear_of_reload(void *self, const struct log_entry *entry)
{
    static const struct {
        const char *text, *mark;
        unsigned field; /* that is heard of */
    } rows[] = {{"the configuration was read again: taken", ", ", 0},
                {"an option has changed that takes effect at the next start", ", !", 0},
                {"the configuration cannot be taken as it is", "refused: ", 1}};
    (void)self;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(entry->text, rows[i].text) == 0)
            snprintf(heard + strlen(heard), sizeof heard - strlen(heard), "%s%.*s", rows[i].mark,
                     (int)entry->fields[rows[i].field].text.size, (const char *)entry->fields[rows[i].field].text.at);
    atomic_fetch_add(&reads, strcmp(entry->text, "the configuration was read again") == 0 ||
                                 strcmp(entry->text, rows[2].text) == 0);
}

/* A sidecar to whose log somebody listens; that is opened anew while none runs. */
static void open_and_hear(const char *options, void (*hear)(void *self, const struct log_entry *entry))
{
    world_open_sidecar(&w, options);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear, NULL);
    world_run_sidecar(&w, options);
}

/* With these options, and else as world_run_sidecar. Returns what was heard of it. */
static const char *read_again(const char *options)
{
    char path[96];
    unsigned before = atomic_load(&reads);
    heard[0] = '\0';
    snprintf(path, sizeof path, "%s/sagad.yaml", w.folder);
    FILE *to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    fprintf(to, "data_dir: %s/data\nlisten: ['%s']\nconnect_timeout: 100ms\ntarget_wait: 0s\n%s", w.folder, w.address,
            options);
    if (strstr(options, "targets:") == NULL)
        fprintf(to, "targets: {nobody: 'unix:/nowhere/nobody.sock', itself: '%s'}\n", w.address);
    ck_assert_int_eq(fclose(to), 0);
    sidecar_reload(w.sidecar, path);
    WORLD_WAIT_UNTIL(atomic_load(&reads) == before + 1);
    return heard[0] == ',' ? heard + 2 : heard;
}

/* Of several loops each takes it, before it is said to be taken; and then the next may come. */
START_TEST(sidecar__every_loop_takes_what_is_read_again)
{
    enum { LOOPS = 3 };
    static const char *const names[] = {"later", "latest"};
    char id[64], options[96];
    open_and_hear("loops: 3\n", hear_of_reload);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < LOOPS; k++) {
            begin_in(k, id);
            ck_assert_int_eq(world_enlist(&w, id, "a", names[i], 4, 0, &error), SAGA_E_INVALID_ARGUMENT);
        }
        snprintf(options, sizeof options, "loops: 3\ntargets: {%s: 'unix:/nowhere/x.sock'}\n", names[i]);
        read_again(options);
        for (unsigned k = 0; k < LOOPS; k++) {
            begin_in(k, id);
            ck_assert_msg(world_enlist(&w, id, "a", names[i], 4, 0, &error) == SAGA_OK, "%s", error.message);
        }
    }
    log_listen(NULL, NULL);
}
END_TEST

/* A definition of this text; that is what its policy is about, too. */
#define DEFINITION(name) "name: " name "\nversion: 1.0.0\nsteps:\n  - {name: a, target: nobody, action: /p.S/A}\n"

/* Which loop a start with a request_id lives in is known beforehand. */
static const char *request_in(unsigned loop, char request_id[16])
{
    static unsigned number;
    do
        snprintf(request_id, 16, "n%u", number++);
    while (place_of_request(&w.sidecar->tags, bytes_of_text(request_id), w.sidecar->count) != (int)loop);
    return request_id;
}

/* Each has its share of it, and no more. */
START_TEST(sidecar__every_loop_takes_bounds_that_are_read_again)
{
    enum { LOOPS = 3 };
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    char request_id[16];
    open_and_hear("loops: 3\n", hear_of_reload);
    ck_assert_msg(register_definition(DEFINITION("shop")) == SAGA_OK, "%s", error.message);
    read_again("loops: 3\ndefinition_limits: {shop: {live_sagas_max: 3}}\n");
    m.definition = (char *)(uintptr_t) "shop";
    for (unsigned i = 0; i < 2 * LOOPS; i++) {
        m.request_id = (char *)(uintptr_t)request_in(i % LOOPS, request_id);
        int code = world_ask(&w, COORDINATOR "Start", &m.base, &saga__v1__start_response__descriptor, 0, NULL, &error);
        ck_assert_int_eq(code, i < LOOPS ? SAGA_OK : SAGA_E_RESOURCE_EXHAUSTED);
    }
    log_listen(NULL, NULL);
}
END_TEST

/* What is taken differs from what was taken last; what needs a restart differs from what there was at the start. */
START_TEST(sidecar__what_is_read_again_is_held_against_what_is_in_force)
{
#define PATIENT "default_retry: {maxAttempts: 9, initialBackoff: 1h, maxBackoff: 1h}\n"
#define BOUND   PATIENT "definition_limits: {shop: {live_sagas_max: 1}}\n"
#define RULES   PATIENT "authorization: [{who: anyone, may: [service, operator]}]\n"
    static const char source[] = "name: shop\nversion: 1.0.0\nsteps:\n  - {name: a, target: nobody, action: /p.S/A}\n";
    static const struct {
        const char *options, *heard;
        int starts; /* what a Start of one more saga says then */
    } rows[] = {
        {PATIENT, "", SAGA_OK},
        {BOUND "log_level: debug\nlive_sagas_max: 77\n", "definition_limits, log_level: debug, !live_sagas_max",
         SAGA_E_RESOURCE_EXHAUSTED},
        {BOUND "log_level: debug\nlive_sagas_max: 77\n", "!live_sagas_max", SAGA_E_RESOURCE_EXHAUSTED},
        {PATIENT "steps_max: 99\n", "definition_limits, log_level: info, !steps_max", SAGA_OK},
        {PATIENT, "", SAGA_OK},
        /* Who may connect stays as it was, so what they may do does, too. */
        {RULES "unix_access: group\n", "!unix_access, !authorization", SAGA_OK},
        {RULES, "authorization", SAGA_OK},
        {RULES "plaintext_operators: false\n", "refused", SAGA_OK},
        {RULES, "", SAGA_OK},
        {PATIENT, "authorization", SAGA_OK},
    };
    char id[64];
    open_and_hear(PATIENT "loops: 1\n", hear_of_reload);
    ck_assert_msg(register_definition(source) == SAGA_OK, "%s", error.message);
    ck_assert_msg(start("shop", id) == SAGA_OK, "%s", error.message);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char options[512];
        snprintf(options, sizeof options, "%sloops: 1\n", rows[i].options);
        const char *said = read_again(options);
        /* Why one is refused is told with the place of its file. */
        ck_assert_msg(strncmp(said, rows[i].heard, strcmp(rows[i].heard, "refused") == 0 ? 7 : sizeof heard) == 0,
                      "%zu: %s", i, said);
        ck_assert_msg(start("shop", id) == rows[i].starts, "%zu: %s", i, error.message);
    }
    log_listen(NULL, NULL);
}
END_TEST

static void write_file(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", w.folder, name);
    FILE *to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    ck_assert_int_eq(fclose(to), 0);
}

/* What a reload tries is tried by its own policy. Where it is refused for what it tried, the one before judges on. */
START_TEST(sidecar__a_policy_is_in_force_with_the_reload_that_brought_it)
{
    char directory[160], both[512], policy[256];
    open_and_hear("loops: 1\n", hear_of_reload);
    snprintf(directory, sizeof directory, "%s/definitions", w.folder);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    write_file("policy.yaml", "rules:\n  - {id: none, that: \"definition.name.startsWith('good')\", else: no}\n");
    snprintf(policy, sizeof policy, "loops: 1\npolicy_file: %s/policy.yaml\n", w.folder);
    snprintf(both, sizeof both, "%sdefinitions_dir: %s\n", policy, directory);
    ck_assert_msg(register_definition(DEFINITION("good")) == SAGA_OK, "%s", error.message);
    write_file("definitions/a.yaml", DEFINITION("bad"));
    ck_assert_ptr_nonnull(strstr(read_again(both), "definition bad 1.0.0: "));
    ck_assert_msg(register_definition(DEFINITION("bad1")) == SAGA_OK, "%s", error.message);
    write_file("definitions/a.yaml", DEFINITION("good") "# another text\n");
    ck_assert_ptr_nonnull(strstr(read_again(both), "definition good 1.0.0: "));
    ck_assert_msg(register_definition(DEFINITION("bad2")) == SAGA_OK, "%s", error.message);
    write_file("definitions/a.yaml", DEFINITION("good2"));
    snprintf(directory, sizeof directory, "policy_file: %s/policy.yaml, definition good2 1.0.0", w.folder);
    ck_assert_str_eq(read_again(both), directory);
    ck_assert_int_eq(register_definition(DEFINITION("bad3")), SAGA_E_FAILED_PRECONDITION);
    ck_assert_str_eq(error.reason, "POLICY_VIOLATED");
    /* And the other way round: one that lets everything pass goes again. */
    write_file("definitions/a.yaml", DEFINITION("good") "# another text\n");
    snprintf(both, sizeof both, "loops: 1\ndefinitions_dir: %s/definitions\n", w.folder);
    ck_assert_ptr_nonnull(strstr(read_again(both), "definition good 1.0.0: "));
    ck_assert_int_eq(register_definition(DEFINITION("bad3")), SAGA_E_FAILED_PRECONDITION);
    ck_assert_str_eq(read_again("loops: 1\n"), "policy_file: none");
    ck_assert_msg(register_definition(DEFINITION("bad3")) == SAGA_OK, "%s", error.message);
    log_listen(NULL, NULL);
}
END_TEST

/* ---- what it begins with ---- */

/* Faults of the configuration are shown as those that an operator injects. */
START_TEST(sidecar__faults_are_those_of_its_configuration)
{
    Saga__V1__ListFaultsRequest m = SAGA__V1__LIST_FAULTS_REQUEST__INIT;
    ProtobufCMessage *response;
    world_open_sidecar(&w, "loops: 1\nfault_injection: true\nfaults:\n"
                           "  - {kind: delay, target: nobody, definition: shop, tag: tenant, tag_value: acme, "
                           "calls: compensations, percent: 12.5, delay: 1500ms, for: 1h}\n"
                           "  - {kind: abort, calls: actions, status: ABORTED, for: 1h}\n");
    ck_assert_msg(world_ask(&w, OPERATOR "ListFaults", &m.base, &saga__v1__list_faults_response__descriptor, 0,
                            &response, &error) == SAGA_OK,
                  "%s", error.message);
    const Saga__V1__ListFaultsResponse *all = (const void *)response;
    ck_assert_uint_eq(all->n_faults, 2);
    const Saga__V1__Fault *one = all->faults[0], *two = all->faults[1];
    ck_assert(one->kind == SAGA__V1__FAULT_KIND__FAULT_KIND_DELAY && one->status == 0);
    ck_assert_str_eq(one->target, "nobody");
    ck_assert_str_eq(one->definition, "shop");
    ck_assert_str_eq(one->tag, "tenant");
    ck_assert_str_eq(one->tag_value, "acme");
    ck_assert_int_eq(one->calls, SAGA__V1__FAULT_CALLS__FAULT_CALLS_COMPENSATIONS);
    ck_assert_double_eq(one->percent, 12.5);
    ck_assert(one->delay->seconds == 1 && one->delay->nanos == 500000000);
    ck_assert(two->kind == SAGA__V1__FAULT_KIND__FAULT_KIND_ABORT && two->status == 10 && two->delay == NULL);
    ck_assert_int_eq(two->calls, SAGA__V1__FAULT_CALLS__FAULT_CALLS_ACTIONS);
    ck_assert_double_eq(two->percent, 100);
    ck_assert_str_eq(two->tag, "");
    protobuf_c_message_free_unpacked(response, NULL);
}
END_TEST

static atomic_uint heads;

static void hear_of_heads(void *self, const struct log_entry *entry)
{
    (void)self;
    atomic_fetch_add(&heads, strcmp(entry->text, "where the journal's chains stand") == 0);
}

/* At the end, since they have grown; and at the start, if there are any; and no second time. */
START_TEST(sidecar__where_the_chains_stand_is_told_once)
{
    char id[64], options[128];
    world_open_sidecar(&w, "");
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    write_file("keys", "k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    snprintf(options, sizeof options, "%s/keys", w.folder);
    ck_assert_int_eq(chmod(options, 0600), 0);
    snprintf(options, sizeof options, "loops: 1\naudit_key_file: %s/keys\n", w.folder);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear_of_heads, NULL);
    for (int again = 0; again < 2; again++) {
        atomic_store(&heads, 0);
        world_run_sidecar(&w, options);
        if (again)
            WORLD_WAIT_UNTIL(atomic_load(&heads) == 1);
        else
            world_begin(&w, id);
        ck_assert_int_eq(world_stop_sidecar(&w), 0);
        ck_assert_uint_eq(atomic_load(&heads), 1);
    }
    log_listen(NULL, NULL);
}
END_TEST

/* ---- whether it serves, as health tells ---- */

static atomic_bool tight;
static _Atomic(const struct core *) only; /* of which that is so; NULL: of all */
static atomic_int serving[3];             /* the whole, Coordinator, Operator; as it was told last */
bool __wrap_core_is_tight(const struct core *c);
bool __real_core_is_tight(const struct core *c);
void __wrap_rpc_set_serving(struct rpc *r, const char *name, bool is);
void __real_rpc_set_serving(struct rpc *r, const char *name, bool is);

static atomic_uint refusing; /* loops by which Coordinator does not serve; a bit for each */

static void note_serving(struct rpc *r, bool is)
{
    for (unsigned k = 0; w.sidecar != NULL && k < w.sidecar->count; k++)
        if (w.sidecar->rooms[k] == r && is)
            atomic_fetch_and(&refusing, ~(1u << k));
        else if (w.sidecar->rooms[k] == r)
            atomic_fetch_or(&refusing, 1u << k);
}

bool __wrap_core_is_tight(const struct core *c)
{
    const struct core *one = atomic_load(&only);
    return __real_core_is_tight(c) || (atomic_load(&tight) && (one == NULL || one == c));
}

void __wrap_rpc_set_serving(struct rpc *r, const char *name, bool is)
{
    __real_rpc_set_serving(r, name, is);
    if (name != NULL && strcmp(name, "saga.v1.Coordinator") == 0)
        note_serving(r, is);
    atomic_store(&serving[name == NULL ? 0 : strcmp(name, "saga.v1.Coordinator") == 0 ? 1 : 2], is);
}

static int services(void)
{
    return atomic_load(&serving[0]) * 100 + atomic_load(&serving[1]) * 10 + atomic_load(&serving[2]);
}

static atomic_uint tellings[2]; /* that there is little room, and that there is enough again */

static void hear_of_room(void *self, const struct log_entry *entry)
{
    (void)self;
    atomic_fetch_add(&tellings[0], strstr(entry->text, "the journal is nearly full") != NULL);
    atomic_fetch_add(&tellings[1], strstr(entry->text, "the journal takes what is decided again") != NULL);
}

/* New sagas find no room in a journal that is full; and they do again when it is not. People may look on. */
START_TEST(sidecar__coordinator_serves_while_its_journal_has_room)
{
    char id[64];
    open_and_hear("loops: 1\n", hear_of_room);
    WORLD_WAIT_UNTIL(services() == 111);
    for (unsigned i = 1; i <= 2; i++) {
        atomic_store(&tight, true);
        WORLD_WAIT_UNTIL((world_begin(&w, id), services() == 101));
        WORLD_WAIT_UNTIL(atomic_load(&tellings[0]) == i); /* once each time */
        atomic_store(&tight, false);
        WORLD_WAIT_UNTIL((world_begin(&w, id), services() == 111));
        WORLD_WAIT_UNTIL(atomic_load(&tellings[1]) == i);
    }
    log_listen(NULL, NULL);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    ck_assert_int_eq(services(), 0);
    atomic_store(&tight, true); /* from the start on, too */
    world_run_sidecar(&w, "loops: 1\n");
    WORLD_WAIT_UNTIL(services() == 101);
    world_begin(&w, id);
    ck_assert_int_eq(services(), 101);
}
END_TEST

/* A client asks whichever loop its connection is with, and its saga may live in any. */
START_TEST(sidecar__a_loop_whose_journal_is_full_speaks_for_all)
{
    char id[64];
    atomic_store(&refusing, 7);
    world_open_sidecar(&w, "loops: 3\n");
    WORLD_WAIT_UNTIL(atomic_load(&refusing) == 0);
    atomic_store(&only, w.sidecar->loops[1]->core);
    for (unsigned full = 0; full < 2; full++) {
        atomic_store(&tight, full == 0);
        WORLD_WAIT_UNTIL((begin_in(1, id), atomic_load(&refusing) == (full == 0 ? 7 : 0)));
    }
}
END_TEST

/* ---- its journal, looked at ---- */

/* What journal_check says of the folder's journal, into text; returns its code. */
static int look_at_journal(char text[1024], struct error_detail *detail)
{
    char yaml[256];
    struct config *config;
    memset(text, 0, 1024);
    snprintf(yaml, sizeof yaml, "data_dir: %s/data\nloops: 1\n", w.folder);
    ck_assert_int_eq(config_read_text(bytes_of_text(yaml), &config, detail), 0);
    *detail = (struct error_detail){.text = ""};
    FILE *out = fmemopen(text, 1024, "w");
    int code = journal_check(config, out, detail);
    ck_assert_int_eq(fclose(out), 0);
    config_destroy(config);
    return code;
}

START_TEST(sidecar__a_journal_that_is_looked_at_is_sound_or_in_use)
{
    char id[64], text[1024];
    struct error_detail detail;
    world_open_sidecar(&w, "loops: 1\n");
    world_begin(&w, id);
    ck_assert_int_eq(look_at_journal(text, &detail), E_JOURNAL_LOCKED);
    ck_assert_str_eq(text, ""); /* of what could not be looked at nothing is said */
    ck_assert_ptr_nonnull(strstr(detail.text, "uses this journal"));
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    ck_assert_int_eq(look_at_journal(text, &detail), 0);
    ck_assert_msg(strstr(text, "journal.db: sound: 1 frames with 1 records, 0 definitions") != NULL, "%s", text);
}
END_TEST

/* ---- Wait ---- */

START_TEST(sidecar__wait_is_answered_at_the_end)
{
    char id[64];
    struct world_call waits[3];
    world_open_sidecar(&w, "");
    world_begin(&w, id);
    for (int i = 0; i < 3; i++)
        world_wait_start(&w, &waits[i], id, i == 2, 0);
    ck_assert_int_eq(world_enlist(&w, id, "a", NULL, 0, 0, NULL), SAGA_OK);
    ck_assert(!world_wait_ended(&waits[0]));
    ck_assert_int_eq(world_abort(&w, id, NULL), SAGA_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(world_wait_end(&waits[i]), SAGA_OK);
        ck_assert_int_eq(waits[i].state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED);
    }
    world_wait_start(&w, &waits[0], id, false, 0);
    ck_assert_int_eq(world_wait_end(&waits[0]), SAGA_OK);
    world_wait_start(&w, &waits[0], "000000000abc-77", false, 0);
    ck_assert_int_eq(world_wait_end(&waits[0]), SAGA_E_NOT_FOUND);
    world_wait_start(&w, &waits[0], "what", false, 0);
    ck_assert_int_eq(world_wait_end(&waits[0]), SAGA_E_INVALID_ARGUMENT);
}
END_TEST

START_TEST(sidecar__wait_until_stuck_is_answered_when_it_is)
{
    char id[64];
    struct world_call first, until_stuck, after;
    world_open_sidecar(&w, "");
    world_begin(&w, id);
    world_wait_start(&w, &first, id, false, 0);
    world_wait_start(&w, &until_stuck, id, true, 0);
    ck_assert_int_eq(world_enlist(&w, id, "a", "itself", 4, 0, NULL), SAGA_OK);
    ck_assert_int_eq(world_abort(&w, id, NULL), SAGA_OK);
    ck_assert_int_eq(world_wait_end(&until_stuck), SAGA_OK);
    ck_assert_int_eq(until_stuck.state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    world_wait_start(&w, &after, id, true, 0); /* it is already */
    ck_assert_int_eq(world_wait_end(&after), SAGA_OK);
    ck_assert(!world_wait_ended(&first));
    ck_assert_int_eq(resolve(id), SAGA_OK);
    ck_assert_int_eq(world_wait_end(&first), SAGA_OK);
    ck_assert_int_eq(first.state, SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED);
}
END_TEST

/* Whether a Wait was refused at once for want of room; one that was let in is left to its deadline. */
static bool wait_is_refused(const char *id, int64_t timeout_ms)
{
    struct world_call call;
    world_wait_start(&w, &call, id, false, timeout_ms);
    int code = world_wait_end(&call);
    ck_assert_msg(code == SAGA_E_DEADLINE_EXCEEDED || code == SAGA_E_RESOURCE_EXHAUSTED, "%d %s", code,
                  call.error.message);
    if (code == SAGA_E_RESOURCE_EXHAUSTED)
        ck_assert_str_eq(call.error.reason, "QUEUE_FULL");
    return code == SAGA_E_RESOURCE_EXHAUSTED;
}

/* Whether a Wait is answered at the end of its saga, and not refused. */
static bool wait_is_let_in(void)
{
    char id[64];
    struct world_call call;
    world_begin(&w, id);
    world_wait_start(&w, &call, id, false, 0);
    ck_assert_int_eq(world_commit(&w, id, NULL), SAGA_OK);
    int code = world_wait_end(&call);
    ck_assert(code == SAGA_OK || code == SAGA_E_RESOURCE_EXHAUSTED);
    return code == SAGA_OK;
}

START_TEST(sidecar__waits_have_a_bound_and_leave_nothing_behind)
{
    char id[64];
    struct world_call first;
    world_open_sidecar(&w, "waiters_max: 1\n");
    world_begin(&w, id);
    world_wait_start(&w, &first, id, false, 0);
    WORLD_WAIT_UNTIL(wait_is_refused(id, 20));
    ck_assert_int_eq(world_commit(&w, id, NULL), SAGA_OK);
    ck_assert_int_eq(world_wait_end(&first), SAGA_OK);
    /* A wait that its deadline ended makes room for the next. */
    for (int i = 0; i < 5; i++) {
        world_begin(&w, id);
        wait_is_refused(id, 20);
        WORLD_WAIT_UNTIL(wait_is_let_in());
    }
}
END_TEST

/* ---- drills ---- */

/* Nothing else happens meanwhile: whatever a loop looks at once in a while would let each of them go most of a second late. */
START_TEST(sidecar__a_call_that_a_drill_holds_leaves_when_its_time_has_come)
{
    enum { CALLS = 16 };
    char id[64];
    struct world_call until_stuck;
    world_open_sidecar(&w, "fault_injection: true\nfaults: [{kind: delay, delay: 10ms, for: 1h}]\n");
    int64_t end = wire_deadline(10000);
    for (int i = 0; i < CALLS; i++) {
        world_begin(&w, id);
        world_wait_start(&w, &until_stuck, id, true, 0);
        ck_assert_int_eq(world_enlist(&w, id, "a", "itself", 4, 0, NULL), SAGA_OK);
        ck_assert_int_eq(world_abort(&w, id, NULL), SAGA_OK);
        ck_assert_int_eq(world_wait_end(&until_stuck), SAGA_OK);
        ck_assert_int_eq(until_stuck.state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    }
    ck_assert_int_gt(wire_time_left_ms(end), 0);
}
END_TEST

/* ---- Watch ---- */

#define STEPS 150

/* A saga of as many frames as steps, and more. */
static void long_saga(char id[64])
{
    char step[16];
    world_begin(&w, id);
    for (int i = 0; i < STEPS; i++) {
        snprintf(step, sizeof step, "s%d", i);
        ck_assert_int_eq(world_enlist(&w, id, step, NULL, 0, 0, &error), SAGA_OK);
    }
}

/* Reads count events of a stream and checks that their cursors rise. Keeps the cursor of the event with number keep. */
static void read_events(struct wire_stream *stream, size_t count, size_t keep, char kept[64])
{
    char last[64] = "0.0";
    for (size_t seen = 0; seen < count;) {
        int code;
        Saga__V1__WatchResponse *m = world_watch_next(stream, &code, &error);
        ck_assert_msg(m != NULL, "%d %s after %zu events", code, error.message, seen);
        for (size_t i = 0; i < m->n_events; i++) {
            unsigned long long frame, before_frame;
            unsigned index, before_index;
            ck_assert_int_eq(sscanf(last, "%llx.%x", &before_frame, &before_index), 2);
            ck_assert_int_eq(sscanf(m->events[i]->cursor, "%llx.%x", &frame, &index), 2);
            ck_assert(frame > before_frame || (frame == before_frame && index > before_index));
            snprintf(last, sizeof last, "%s", m->events[i]->cursor);
            if (seen++ == keep)
                snprintf(kept, 64, "%s", last);
        }
        saga__v1__watch_response__free_unpacked(m, NULL);
        ck_assert_uint_le(seen, count);
    }
}

static void expect_end(struct wire_stream *stream, int expected, const char *reason)
{
    int code;
    Saga__V1__WatchResponse *m = world_watch_next(stream, &code, &error);
    ck_assert_ptr_null(m);
    ck_assert_msg(code == expected, "%d %s", code, error.message);
    if (expected != SAGA_OK)
        ck_assert_str_eq(error.reason, reason);
    wire_stream_close(stream);
}

START_TEST(sidecar__watch_of_one_saga_shows_all_of_it_and_ends_with_it)
{
    char id[64], other[64], cursor[64] = "";
    world_open_sidecar(&w, "steps_max: 256\n");
    world_begin(&w, other);
    long_saga(id);
    struct wire_stream *live = world_watch(&w, id, "");
    read_events(live, 1 + STEPS, 70, cursor);
    ck_assert_int_eq(world_abort(&w, id, &error), SAGA_OK); /* TURNED_BACK, each step UNKNOWN, ENDED */
    read_events(live, STEPS + 2, 2 * STEPS, cursor);
    expect_end(live, SAGA_OK, "");
    /* Once it has ended: from the start, and from the middle. */
    struct wire_stream *whole = world_watch(&w, id, "");
    read_events(whole, 2 * STEPS + 3, STEPS, (char[64]){0});
    expect_end(whole, SAGA_OK, "");
    struct wire_stream *rest = world_watch(&w, id, cursor);
    read_events(rest, 2 * STEPS + 3 - 71, STEPS * 3, cursor);
    expect_end(rest, SAGA_OK, "");
}
END_TEST

START_TEST(sidecar__watch_of_all_catches_up_and_follows)
{
    char id[64], cursor[64] = "";
    world_open_sidecar(&w, "steps_max: 256\n");
    struct wire_stream *first = world_watch(&w, "", "1.0"); /* a cursor of the future */
    expect_end(first, SAGA_E_INVALID_ARGUMENT, "INVALID_ARGUMENT");
    long_saga(id);
    struct wire_stream *all = world_watch(&w, "", "1.0");
    read_events(all, STEPS, STEPS - 1, cursor);
    for (int i = 0; i < 10; i++) {
        world_begin(&w, id);
        read_events(all, 1, 0, cursor);
    }
    wire_stream_close(all);
    ck_assert_int_eq(world_commit(&w, id, &error), SAGA_OK);
    all = world_watch(&w, "", cursor);
    read_events(all, 1, 0, cursor);
    wire_stream_close(all);
}
END_TEST

/* It reads nothing until everything has happened: nothing is lost, and nothing is kept for it in memory. */
START_TEST(sidecar__a_slow_watcher_misses_nothing)
{
    enum { MESSAGES = 100, COMMANDS = 100 };
    world_open_sidecar(&w, "pipe_commands_max: 100\n");
    char id[64], ignored[64];
    world_begin(&w, id);
    struct wire_stream *slow = world_watch(&w, "", "1.0");
    struct world_pipe pipe;
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT, *commands[COMMANDS];
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    begin.name = (char *)(uintptr_t) "a-name-of-some-length-so-that-the-events-fill-the-windows-of-the-connection";
    command.command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
    command.begin = &begin;
    for (int i = 0; i < COMMANDS; i++)
        commands[i] = &command;
    m.n_commands = COMMANDS;
    m.commands = commands;
    world_pipe_open(&w, &pipe);
    for (int i = 0; i < MESSAGES; i++) {
        world_pipe_send(&pipe, &m);
        Saga__V1__PipeResponse *answer = world_pipe_receive(&pipe);
        ck_assert_uint_eq(answer->n_results, COMMANDS);
        saga__v1__pipe_response__free_unpacked(answer, NULL);
    }
    world_pipe_half_close(&pipe);
    ck_assert_int_eq(world_pipe_end(&pipe), 0);
    read_events(slow, MESSAGES * COMMANDS, 0, ignored);
    wire_stream_close(slow);
}
END_TEST

static bool watch_is_refused(void)
{
    int code;
    struct wire_stream *stream = world_watch(&w, "", "1.0");
    Saga__V1__WatchResponse *m = world_watch_next(stream, &code, &error);
    bool refused = m == NULL;
    if (refused)
        ck_assert_str_eq(error.reason, "QUEUE_FULL");
    else
        saga__v1__watch_response__free_unpacked(m, NULL);
    wire_stream_close(stream);
    return refused;
}

static bool watch_is_let_in(const char *id)
{
    int code;
    struct wire_stream *stream = world_watch(&w, id, "");
    Saga__V1__WatchResponse *m = world_watch_next(stream, &code, &error);
    if (m != NULL)
        saga__v1__watch_response__free_unpacked(m, NULL);
    wire_stream_close(stream);
    return m != NULL;
}

START_TEST(sidecar__watches_have_a_bound_and_leave_nothing_behind)
{
    char id[64], ignored[64];
    world_open_sidecar(&w, "watchers_max: 1\n");
    world_begin(&w, id);
    world_begin(&w, id);
    struct wire_stream *first = world_watch(&w, "", "1.0");
    read_events(first, 1, 0, ignored);
    ck_assert(watch_is_refused());
    wire_stream_close(first);
    for (int i = 0; i < 5; i++)
        WORLD_WAIT_UNTIL(!watch_is_refused());
    /* A watcher of one saga leaves as well. */
    for (int i = 0; i < 5; i++)
        WORLD_WAIT_UNTIL(watch_is_let_in(id));
}
END_TEST

START_TEST(sidecar__watch_refuses_what_is_no_cursor)
{
    char id[64];
    static const char *const bad[] = {"x", "1", "1.2.3", "ff.0"};
    world_open_sidecar(&w, "");
    world_begin(&w, id);
    for (size_t i = 0; i < 4; i++)
        expect_end(world_watch(&w, i % 2 == 0 ? id : "", bad[i]), SAGA_E_INVALID_ARGUMENT, "INVALID_ARGUMENT");
    expect_end(world_watch(&w, "000000000abc-9", ""), SAGA_E_NOT_FOUND, "SAGA_NOT_FOUND");
    expect_end(world_watch(&w, "", "0.0"), SAGA_E_OUT_OF_RANGE, "CURSOR_EXPIRED");
}
END_TEST

/* ---- Pipe ---- */

static unsigned long long serial_of(const char *id)
{
    unsigned long long serial = 0;
    ck_assert_int_eq(sscanf(strchr(id, '-') + 1, "%llx", &serial), 1);
    return serial;
}

START_TEST(sidecar__messages_in_flight_are_answered_in_order_after_the_half_close)
{
    enum { MESSAGES = 64 };
    struct world_pipe p;
    char prefix[32];
    world_open_sidecar(&w, "");
    world_pipe_open(&w, &p);
    for (int i = 0; i < MESSAGES; i++) {
        snprintf(prefix, sizeof prefix, "m%d", i);
        world_pipe_send_begins(&p, prefix, i % 5); /* some are empty */
    }
    world_pipe_half_close(&p);
    unsigned long long last = 0;
    for (int i = 0; i < MESSAGES; i++) {
        Saga__V1__PipeResponse *m = world_pipe_receive(&p);
        ck_assert_ptr_nonnull(m);
        ck_assert_uint_eq(m->n_results, (size_t)i % 5);
        for (size_t j = 0; j < m->n_results; j++) {
            ck_assert_int_eq(m->results[j]->result_case, SAGA__V1__RESULT__RESULT_BEGIN);
            ck_assert_uint_gt(serial_of(m->results[j]->begin->saga_id), last);
            last = serial_of(m->results[j]->begin->saga_id);
        }
        saga__v1__pipe_response__free_unpacked(m, NULL);
    }
    ck_assert_ptr_null(world_pipe_receive(&p));
    ck_assert_int_eq(world_pipe_end(&p), 0);
}
END_TEST

START_TEST(sidecar__a_bad_message_ends_the_pipe_after_what_came_before)
{
    struct world_pipe p;
    world_open_sidecar(&w, "pipe_commands_max: 3\n");
    for (int bad = 0; bad < 2; bad++) {
        world_pipe_open(&w, &p);
        world_pipe_send_begins(&p, "good", 3);
        if (bad == 0)
            world_pipe_send_bytes(&p, "\xff\xff\xff", 3);
        else
            world_pipe_send_begins(&p, "many", 4);
        world_pipe_send_begins(&p, "late", 1);
        Saga__V1__PipeResponse *m = world_pipe_receive(&p);
        ck_assert_ptr_nonnull(m);
        ck_assert_uint_eq(m->n_results, 3);
        saga__v1__pipe_response__free_unpacked(m, NULL);
        ck_assert_ptr_null(world_pipe_receive(&p));
        ck_assert_int_eq(world_pipe_end(&p), 3);
    }
}
END_TEST

START_TEST(sidecar__commands_fail_each_by_itself)
{
    struct world_pipe p;
    Saga__V1__CommitRequest commit = SAGA__V1__COMMIT_REQUEST__INIT;
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__Command commands[4], *list[4];
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    for (int i = 0; i < 4; i++) {
        saga__v1__command__init(&commands[i]);
        list[i] = &commands[i];
    }
    commit.saga_id = (char *)(uintptr_t) "000000000abc-77";
    begin.name = (char *)(uintptr_t) "fine";
    commands[0].command_case = SAGA__V1__COMMAND__COMMAND_COMMIT; /* an unknown saga */
    commands[0].commit = &commit;
    commands[2].command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
    commands[2].begin = &begin;
    commands[3].command_case = SAGA__V1__COMMAND__COMMAND_BEGIN; /* no name */
    commands[3].begin = &(Saga__V1__BeginRequest)SAGA__V1__BEGIN_REQUEST__INIT;
    m.n_commands = 4; /* the second is none at all */
    m.commands = list;
    world_open_sidecar(&w, "");
    world_pipe_open(&w, &p);
    world_pipe_send(&p, &m);
    Saga__V1__PipeResponse *answer = world_pipe_receive(&p);
    ck_assert_uint_eq(answer->n_results, 4);
    static const int codes[] = {5, 3, 0, 3};
    for (int i = 0; i < 4; i++) {
        bool failed = answer->results[i]->result_case == SAGA__V1__RESULT__RESULT_ERROR;
        ck_assert_int_eq(failed ? answer->results[i]->error->code : 0, codes[i]);
        ck_assert(!failed || answer->results[i]->error->n_details > 0);
    }
    saga__v1__pipe_response__free_unpacked(answer, NULL);
    world_pipe_half_close(&p);
    ck_assert_int_eq(world_pipe_end(&p), 0);
}
END_TEST

static bool pipe_is_refused(void)
{
    struct world_pipe p;
    world_pipe_open(&w, &p);
    world_pipe_send_begins(&p, "again", 1);
    Saga__V1__PipeResponse *m = world_pipe_receive(&p);
    if (m != NULL)
        saga__v1__pipe_response__free_unpacked(m, NULL);
    bool refused = m == NULL;
    if (!refused)
        world_pipe_cancel(&p);
    ck_assert_int_eq(world_pipe_end(&p), refused ? 8 : 1);
    return refused;
}

START_TEST(sidecar__a_cancelled_pipe_is_gone_and_its_commands_are_not)
{
    struct world_pipe p;
    world_open_sidecar(&w, "streams_max: 1\nwatchers_max: 1\n");
    for (int round = 0; round < 5; round++) {
        char prefix[32];
        world_pipe_open(&w, &p);
        for (int i = 0; i < 20; i++) {
            snprintf(prefix, sizeof prefix, "r%d-%d", round, i);
            world_pipe_send_begins(&p, prefix, 10);
        }
        world_pipe_cancel(&p);
        ck_assert_int_eq(world_pipe_end(&p), 1);
        WORLD_WAIT_UNTIL(!pipe_is_refused());
    }
    Saga__V1__ListRequest list = SAGA__V1__LIST_REQUEST__INIT;
    ProtobufCMessage *response;
    ck_assert_int_eq(
        world_ask(&w, COORDINATOR "List", &list.base, &saga__v1__list_response__descriptor, 0, &response, &error),
        SAGA_OK);
    ck_assert_uint_gt(((Saga__V1__ListResponse *)response)->n_sagas, 0);
    protobuf_c_message_free_unpacked(response, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sidecar");
    TCase *t = tcase_create("sidecar");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, sidecar__starts_and_stops);
    tcase_add_test(t, sidecar__may_be_stopped_before_it_runs);
    tcase_add_test(t, sidecar__its_memory_has_the_bound_of_the_configuration);
    tcase_add_test(t, sidecar__a_commit_is_counted);
    tcase_add_test(t, sidecar__who_asks_is_told_fresh_numbers);
    tcase_add_test(t, sidecar__it_shows_its_descriptors);
    tcase_add_test(t, sidecar__retries_stay_those_of_the_time_of_registration);
    tcase_add_test(t, sidecar__targets_that_are_gone_are_told_of_once_each);
    tcase_add_test(t, sidecar__every_loop_takes_what_is_read_again);
    tcase_add_test(t, sidecar__every_loop_takes_bounds_that_are_read_again);
    tcase_add_test(t, sidecar__a_loop_whose_journal_is_full_speaks_for_all);
    tcase_add_test(t, sidecar__what_is_read_again_is_held_against_what_is_in_force);
    tcase_add_test(t, sidecar__a_policy_is_in_force_with_the_reload_that_brought_it);
    tcase_add_test(t, sidecar__faults_are_those_of_its_configuration);
    tcase_add_test(t, sidecar__where_the_chains_stand_is_told_once);
    tcase_add_test(t, sidecar__coordinator_serves_while_its_journal_has_room);
    tcase_add_test(t, sidecar__a_journal_that_is_looked_at_is_sound_or_in_use);
    tcase_add_test(t, sidecar__wait_is_answered_at_the_end);
    tcase_add_test(t, sidecar__wait_until_stuck_is_answered_when_it_is);
    tcase_add_test(t, sidecar__waits_have_a_bound_and_leave_nothing_behind);
    tcase_add_test(t, sidecar__a_call_that_a_drill_holds_leaves_when_its_time_has_come);
    tcase_add_test(t, sidecar__watch_of_one_saga_shows_all_of_it_and_ends_with_it);
    tcase_add_test(t, sidecar__watch_of_all_catches_up_and_follows);
    tcase_add_test(t, sidecar__a_slow_watcher_misses_nothing);
    tcase_add_test(t, sidecar__watches_have_a_bound_and_leave_nothing_behind);
    tcase_add_test(t, sidecar__watch_refuses_what_is_no_cursor);
    tcase_add_test(t, sidecar__messages_in_flight_are_answered_in_order_after_the_half_close);
    tcase_add_test(t, sidecar__a_bad_message_ends_the_pipe_after_what_came_before);
    tcase_add_test(t, sidecar__commands_fail_each_by_itself);
    tcase_add_test(t, sidecar__a_cancelled_pipe_is_gone_and_its_commands_are_not);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
