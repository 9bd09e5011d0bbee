/* What a sidecar opens its parts with: each option of the configuration reaches the part that it is for, of every loop its share. */
#include "sidecar/base/saga_id.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "tests/support/sidecar_world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOPS = 2 };

static struct sidecar_world w;
static struct api_options apis[LOOPS]; /* in the order in which loops are opened: from the last to the first */
static struct relay_options relays[LOOPS];
static struct core_options cores[LOOPS];
static struct rpc_options rooms[LOOPS];
static struct sqlite_store_options stores[LOOPS];
static unsigned opened[5];
static struct admission_options bounds[LOOPS]; /* of the one definition that has some */
static bool unknown = true;

/* ---- tests.mk wraps these ---- */

#define WRAPPED(name, of, kept, k, also, parameters, arguments) \
    int __wrap_##name parameters; \
    int __real_##name parameters; \
    int __wrap_##name parameters \
    { \
        ck_assert_uint_lt(opened[k], LOOPS); \
        (kept)[opened[k]++] = *(of); \
        also; \
        return __real_##name arguments; \
    }

WRAPPED(api_create, options, apis, 0, (void)0, (const struct api_options *options, struct api **out), (options, out))
WRAPPED(relay_create, options, relays, 1, (void)0, (const struct relay_options *options, struct relay **out),
        (options, out))
/* Until it has been read nobody knows how many live in it. */
WRAPPED(core_open, options, cores, 2,
        bounds[opened[2] - 1] = options->limit_count == 1 ? options->limits[0].options : (struct admission_options){0};
        unknown &= atomic_load(&((struct loop *)world->self)->live) == POSTGRES_LIVE_UNKNOWN,
        (const struct core_options *options, const struct memory *memory, struct store *store,
         const struct store_state *state, struct catalog *catalog, const struct core_world *world, struct instant now,
         struct core **out, struct error_detail *detail),
        (options, memory, store, state, catalog, world, now, out, detail))
WRAPPED(rpc_create, options, rooms, 3, (void)0,
        (const struct rpc_options *options, const struct rpc_callbacks *callbacks, struct rpc **out),
        (options, callbacks, out))
WRAPPED(sqlite_store_open, options, stores, 4, (void)0,
        (const struct sqlite_store_options *options, struct store **out, struct store_state *state,
         struct error_detail *detail),
        (options, out, state, detail))

static void teardown(void)
{
    world_close_sidecar(&w);
}

static void all_are_opened(unsigned loops)
{
    for (unsigned k = 0; k < sizeof opened / sizeof *opened; k++)
        ck_assert_uint_eq(opened[k], loops);
}

#define SAME_SPAN(span, other) ck_assert_int_eq((span).us, (other).us)

START_TEST(loop_open__each_option_reaches_its_part)
{
    world_open_sidecar(&w, "loops: 1\n"
                           "live_sagas_max: 101\nsteps_max: 102\npayload_bytes_max: 103KiB\n"
                           "enlisted_deadline_default: 104s\nenlisted_lease_default: 99s\npushback_max: 105s\n"
                           "deadline_max: 106h\ndefault_compensation_retry: {maxAttempts: 7, initialBackoff: 2s}\n"
                           "last_good_answers_max: 107\nlast_good_bytes_max: 108KiB\nlast_good_age_max: 109h\n"
                           "commit_bytes_max: 5MiB\nretention: 111h\naudit_retention: 112h\n"
                           "definition_limits: {shop: {live_sagas_max: 3}}\n"
                           "journal_bytes_max: 113MiB\n"
                           "message_bytes_max: 5MiB\nmemory_bytes_max: 800MiB\ncalls_max: 3000\nstreams_max: 115\n"
                           "connection_streams_max: 116\nhandshake_timeout: 117s\nkeepalive_time: 118s\n"
                           "keepalive_timeout: 19s\ntls_connection_age: 119s\nmetadata_bytes_max: 120KiB\n"
                           "waiters_max: 121\nwatchers_max: 112\npipe_commands_max: 123\nfault_injection: true\n"
                           "definition_bytes_max: 124KiB\n");
    all_are_opened(1);
    const struct core_options *core = &cores[0];
    const struct engine_options *engine = &core->engine;
    ck_assert(engine->live_sagas_max == 101 && engine->steps_max == 102 && engine->payload_bytes_max == 103 * 1024);
    ck_assert_uint_eq(engine->targets_max, LOOP_TARGETS_MAX);
    SAME_SPAN(engine->enlisted_deadline_default, SPAN_S(104));
    SAME_SPAN(engine->enlisted_lease_default, SPAN_S(99));
    SAME_SPAN(engine->pushback_max, SPAN_S(105));
    SAME_SPAN(engine->deadline_max, SPAN_S(106 * 3600));
    SAME_SPAN(engine->target_wait, SPAN_S(0)); /* the world's */
    ck_assert_uint_eq(engine->compensation_retry.max_attempts, 7);
    ck_assert(engine->recall.answers_max == 107 && engine->recall.bytes_max == 108 * 1024);
    SAME_SPAN(engine->recall.age_max, SPAN_S(109 * 3600));
    ck_assert(engine->tag != 0 && engine->seed != 0);
    ck_assert_uint_eq(core->target_count, 2);
    ck_assert_uint_eq(core->limit_count, 1);
    ck_assert(unknown);
    ck_assert_uint_eq(core->commit_bytes_max, 5 << 20);
    SAME_SPAN(core->retention, SPAN_S(111 * 3600));
    SAME_SPAN(core->audit_retention, SPAN_S(112 * 3600));
    ck_assert(stores[0].size_bytes_max == UINT64_C(113) << 20 && stores[0].commit_bytes_max == 5 << 20);

    const struct rpc_options *room = &rooms[0];
    ck_assert_uint_eq(room->message_bytes_max, 5 << 20);
    ck_assert_uint_eq(room->incoming_bytes_max, 100 << 20);
    ck_assert_uint_eq(room->outgoing_bytes_max, 100 << 20);
    ck_assert(room->calls_max == 3000 && room->streams_max == 115 && room->connection_streams_max == 116);
    SAME_SPAN(room->handshake_timeout, SPAN_S(117));
    SAME_SPAN(room->keepalive_time, SPAN_S(118));
    SAME_SPAN(room->keepalive_timeout, SPAN_S(19));
    SAME_SPAN(room->tls_connection_age, SPAN_S(119));
    SAME_SPAN(room->connect_timeout, SPAN_MS(100)); /* the world's */
    ck_assert_uint_eq(room->metadata_bytes_max, 120 * 1024);

    const struct api_options *api = &apis[0];
    ck_assert(api->waiters_max == 121 && api->watchers_max == 112 && api->pipe_commands_max == 123);
    ck_assert_uint_eq(api->steps_max, 102);
    ck_assert_uint_eq(api->compensation_retry.max_attempts, 7);
    ck_assert(api->fault_injection && !api->fleet);
    ck_assert_str_eq(api->guest, "");
    ck_assert(api->definition_limits.steps_max == 102 && api->definition_limits.payload_bytes_max == 103 * 1024);
    ck_assert_uint_eq(api->definition_limits.source_bytes_max, 124 * 1024);
    SAME_SPAN(api->definition_limits.deadline_max, SPAN_S(106 * 3600));
    SAME_SPAN(api->definition_limits.last_good_age_max, SPAN_S(109 * 3600));
    ck_assert(relays[0].find == NULL && relays[0].journals == NULL); /* it is in no fleet */
}
END_TEST

/* Who is asked must be asked by its number, and what is bounded for all is bounded for all together. */
START_TEST(loop_open__each_loop_has_its_number_and_its_share)
{
    world_open_sidecar(&w, "loops: 2\nlive_sagas_max: 101\nmemory_bytes_max: 800MiB\njournal_bytes_max: 200MiB\n"
                           "last_good_answers_max: 107\n"
                           "definition_limits: {shop: {live_sagas_max: 5, starts_per_second: 7, starts_burst: 9}}\n");
    all_are_opened(LOOPS);
    for (unsigned i = 0; i < LOOPS; i++) {
        unsigned k = LOOPS - 1 - i;
        ck_assert(apis[i].loop == k && apis[i].loops == LOOPS && relays[i].loop == k && relays[i].loops == LOOPS);
        ck_assert_uint_eq(*relays[i].places, LOOPS);
        ck_assert_ptr_eq(apis[i].self, w.sidecar->loops[k]);
        ck_assert_uint_eq(cores[i].engine.tag % SAGA_LOOPS_MAX, k);
        ck_assert_uint_eq(cores[i].engine.live_sagas_max, k == 0 ? 51 : 50);
        ck_assert_uint_eq(cores[i].engine.recall.answers_max, k == 0 ? 54 : 53);
        ck_assert_uint_eq(bounds[i].live_max, k == 0 ? 3 : 2);
        ck_assert_uint_eq(bounds[i].starts.per_second, k == 0 ? 4 : 3);
        ck_assert_uint_eq(bounds[i].starts.burst, k == 0 ? 5 : 4);
        ck_assert_uint_eq(rooms[i].outgoing_bytes_max, 50 << 20);
        ck_assert_uint_eq(rooms[i].incoming_bytes_max, 100 << 20); /* of the whole process */
        ck_assert_uint_eq(stores[i].size_bytes_max, 100 << 20);
    }
    ck_assert_uint_ne(cores[0].engine.seed, cores[1].engine.seed);
}
END_TEST

/* Ids that were given in earlier lives are known; and where request_ids go stays as it was at the beginning, which one loop alone does not need. */
START_TEST(loop_open__what_earlier_lives_left_is_known)
{
    unsigned loops = (unsigned)_i;
    char options[32], id[64];
    struct saga_id begun, before = {.tag = 0};
    int lives_in = -1; /* those before */
    snprintf(options, sizeof options, "loops: %u\n", loops);
    world_open_sidecar(&w, options);
    for (int life = 0; life < 3; life++) {
        ck_assert_int_eq(w.sidecar->tags.mixed, loops > 1);
        ck_assert(life == 0 || tags_find(&w.sidecar->tags, before.tag) == lives_in);
        world_begin(&w, id);
        ck_assert(saga_id_parse(id, strlen(id), &begun));
        ck_assert_uint_ne(begun.tag, before.tag);
        lives_in = tags_find(&w.sidecar->tags, begun.tag);
        ck_assert(lives_in >= 0 && lives_in < (int)loops);
        ck_assert_uint_eq(begun.tag, cores[loops - 1 - (unsigned)lives_in].engine.tag);
        before = begun;
        ck_assert_int_eq(world_stop_sidecar(&w), 0);
        memset(opened, 0, sizeof opened);
        world_run_sidecar(&w, options);
    }
}
END_TEST

/* Who else may connect to its unix socket is what the configuration says, once there are rules for them. */
START_TEST(loop_open__a_unix_socket_has_the_mode_of_its_access)
{
    static const struct {
        const char *options;
        mode_t mode;
    } rows[] = {
        {"", 0600},
        {"unix_access: owner\n", 0600},
        {"unix_access: group\nauthorization: [{who: anyone, may: [service]}]\n", 0660},
        {"unix_access: everybody\nauthorization: [{who: anyone, may: [service]}]\n", 0666},
    };
    struct stat st;
    world_open_sidecar(&w, rows[_i].options);
    ck_assert_int_eq(stat(w.address + 5, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, rows[_i].mode);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loop_open");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, loop_open__each_option_reaches_its_part);
    tcase_add_test(t, loop_open__each_loop_has_its_number_and_its_share);
    tcase_add_loop_test(t, loop_open__what_earlier_lives_left_is_known, 1, LOOPS + 1);
    tcase_add_loop_test(t, loop_open__a_unix_socket_has_the_mode_of_its_access, 0, 4);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
