/* Where live sagas are found - by serial, by request_id and whose it is, by age, by where their records begin - and how many live of each definition,
 * reckoned a second time from plain lists, over thousands of random steps: sagas begin, end, are let go, are written anew and read back. */
#include "sidecar/base/fnv.h"
#include "sidecar/base/random.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/engine_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define LIVE_MAX    40 /* the tables have room for 64: serials that differ by that meet in one chain */
#define IDS         30
#define DEFINITIONS 40
#define STEPS       3000
#define TABLE_SIZE  64
#define EPOCH_US    INT64_C(1000000000)
#define WHOM        3
static const char *const whom[WHOM] = {"", "ann", "bob"};

/* One saga, as it should be. They stand in the order in which they came to be known. */
struct known {
    uint64_t serial;
    unsigned id, who, definition; /* definition DEFINITIONS: enlisted */
    bool synthetic, ended;
    uint64_t first_position, position,
        began; /* began: where its records begin stands behind those of all with a lower one */
};

static struct known all[LIVE_MAX];
static unsigned live;
static uint64_t serial, clock_of_moves, position;
static struct definition *definitions[DEFINITIONS];
static unsigned seen[2 * DEFINITIONS], seen_count; /* families in the order in which they came */
static uint32_t bound[DEFINITIONS];                /* 0: none */
static struct engine *engine;
static struct random rnd;
static struct reply_effect last;
static struct error_detail last_detail;

static unsigned draw(unsigned below)
{
    return (unsigned)random_below(&rnd, below);
}

static void add_record(void *self, const struct record *r)
{
    (void)self;
    (void)r;
}

static void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    (void)self;
    if (effect->type != EFFECT_REPLY)
        return;
    last = effect->as.reply;
    if (detail != NULL)
        last_detail = *detail;
}

static void step(struct event event)
{
    const struct engine_out out = {.add_record = add_record, .add_effect = add_effect};
    event.now.us = EPOCH_US;
    last.code = -1;
    ck_assert_int_eq(engine_step(engine, &event, &out), 0);
    ck_assert_int_ne(last.code, -1);
}

static const char *id_name(unsigned id)
{
    static char text[16];
    snprintf(text, sizeof text, "r%u", id);
    return text;
}

/* The newest known one that this requester means by this id, or -1. Of whom nothing is known, it may be anybody's. */
static int meant(unsigned id, unsigned who, bool scoped)
{
    for (unsigned i = live; i-- > 0;)
        if (all[i].id == id && (!scoped || who == 0 || all[i].who == 0 || all[i].who == who))
            return (int)i;
    return -1;
}

static unsigned live_of(unsigned definition)
{
    unsigned n = 0;
    for (unsigned i = 0; i < live; i++)
        n += all[i].definition == definition && !all[i].ended;
    return n;
}

static void note_family(unsigned definition)
{
    for (unsigned i = 0; i < seen_count; i++)
        if (seen[i] == definition)
            return;
    seen[seen_count++] = definition;
}

static void know(struct known k)
{
    k.began = ++clock_of_moves;
    all[live++] = k;
}

static void begin(void)
{
    bool scoped = draw(2) == 0, starts = draw(3) > 0;
    unsigned d = starts ? draw(DEFINITIONS) : DEFINITIONS;
    struct known k = {.id = draw(IDS), .who = draw(WHOM), .definition = d, .synthetic = draw(4) == 0};
    struct event event = {.type = starts ? EVENT_START : EVENT_BEGIN,
                          .request_id = bytes_of_text(id_name(k.id)),
                          .identity = bytes_of_text(whom[k.who]),
                          .scoped = scoped,
                          .synthetic = k.synthetic,
                          .name = bytes_of_text("e"),
                          .definition = starts ? definitions[d] : NULL};
    int before = meant(k.id, k.who, scoped);
    bool same = before >= 0 && all[before].definition == d && all[before].synthetic == k.synthetic;
    step(event);
    if (before >= 0) {
        ck_assert_int_eq(last.code, same ? 0 : E_REQUEST_ID_REUSED);
        ck_assert(!same || (last.repeated && last.saga.serial == all[before].serial));
    } else if (live == LIVE_MAX) {
        ck_assert_int_eq(last.code, E_LIVE_SAGAS);
    } else if (starts && bound[d] > 0 && live_of(d) >= bound[d]) {
        char words[96];
        snprintf(words, sizeof words, "as many sagas of d%u live as may (live_sagas_max: %u)", d, bound[d]);
        ck_assert_int_eq(last.code, E_DEFINITION_LIMIT);
        ck_assert_str_eq(last_detail.text, words);
    } else {
        ck_assert_int_eq(last.code, 0);
        k.serial = ++serial;
        ck_assert_uint_eq(last.saga.serial, serial);
        know(k);
    }
}

static void end_one(struct known *k)
{
    if (k->ended)
        return;
    const struct saga_id id = {.tag = 1, .serial = k->serial};
    step((struct event){.type = k->definition == DEFINITIONS ? EVENT_COMMIT : EVENT_CANCEL,
                        .saga = id,
                        .identity = bytes_of_text(whom[k->who])});
    ck_assert_int_eq(last.code, 0);
    k->ended = true;
}

static void forget(unsigned i)
{
    memmove(&all[i], &all[i + 1], (--live - i) * sizeof all[0]);
}

/* Its history is written anew, and read back: it is known anew, under its old serial. */
static void move(unsigned i)
{
    struct known k = all[i];
    struct error_detail detail;
    struct record r = {.type = RECORD_MOVED, .saga = {1, k.serial}, .step = RECORD_NO_STEP};
    if (k.ended)
        return;
    ck_assert_int_eq(engine_replay(engine, &r, NULL, &detail), 0);
    forget(i);
    ck_assert_ptr_null(engine_find(engine, k.serial));
    bool orchestrated = k.definition < DEFINITIONS;
    const struct saga *s;
    r = (struct record){.type = RECORD_STARTED,
                        .saga = {1, k.serial},
                        .step = RECORD_NO_STEP,
                        .mode = orchestrated ? SAGA_ORCHESTRATED : SAGA_ENLISTED,
                        .definition = orchestrated,
                        .synthetic = k.synthetic,
                        .request_id = bytes_of_text(id_name(k.id)),
                        .identity = bytes_of_text(whom[k.who]),
                        .deadline = INSTANT_NEVER,
                        .name = bytes_of_text(orchestrated ? definitions[k.definition]->name : "e")};
    struct event event = {.type = orchestrated ? EVENT_START : EVENT_BEGIN,
                          .synthetic = k.synthetic,
                          .name = r.name,
                          .definition = orchestrated ? definitions[k.definition] : NULL};
    r.fingerprint = engine_fingerprint(&event);
    ck_assert_int_eq(engine_replay(engine, &r, event.definition, &detail), 0);
    s = engine_find(engine, k.serial);
    ck_assert_ptr_nonnull(s);
    k.first_position = k.position = 0;
    know(k);
}

static void bound_some(void)
{
    struct definition_bound bounds[4];
    unsigned first = draw(DEFINITIONS - 3), count = draw(5);
    memset(bound, 0, sizeof bound);
    for (unsigned i = 0; i < count; i++) {
        bound[first + i % 4] = 1 + draw(3);
        bounds[i % 4] = (struct definition_bound){.definition = definitions[first + i % 4]->name,
                                                  .options = {.live_max = bound[first + i % 4]}};
    }
    ck_assert_int_eq(engine_set_limits(engine, bounds, count > 4 ? 4 : count), 0);
    for (unsigned i = 0; i < count && i < 4; i++)
        note_family(first + i);
}

static void something_happens(void)
{
    unsigned what = draw(20), i = live == 0 ? 0 : draw(live);
    if (what < 9 || live == 0) {
        begin();
    } else if (what < 12) {
        end_one(&all[i]);
    } else if (what < 15) {
        end_one(&all[i]);
        engine_release(engine, all[i].serial);
        forget(i);
    } else if (what < 17) {
        move(i);
    } else if (what == 17) {
        serial += draw(3) * TABLE_SIZE;
        engine_set_serial(engine, serial);
        bound_some();
    } else if (what == 18) {
        all[i].position = ++position;
        all[i].first_position = all[i].first_position == 0 ? position : all[i].first_position;
        engine_set_position(engine, all[i].serial, position);
    } else {
        all[i].position = all[i].first_position = ++position;
        all[i].began = ++clock_of_moves;
        engine_set_moved(engine, all[i].serial, position);
    }
}

static uint64_t serial_of(const struct saga *s)
{
    return s == NULL ? 0 : s->id.serial;
}

/* The nearest serial below, or above, of those that are known; 0: there is none. */
static uint64_t nearest(uint64_t from, bool above)
{
    uint64_t best = 0;
    for (unsigned i = 0; i < live; i++) {
        uint64_t n = all[i].serial;
        if (above ? n > from && (best == 0 || n < best) : n < from && n > best)
            best = n;
    }
    return best;
}

static void compare_one(const struct known *k)
{
    const struct saga *s = engine_find(engine, k->serial);
    ck_assert_uint_eq(serial_of(s), k->serial);
    ck_assert_uint_eq(s->position, k->position);
    ck_assert_uint_eq(s->first_position, k->first_position);
    ck_assert_int_eq(saga_ended(s), k->ended);
    ck_assert_uint_eq(serial_of(engine_before(engine, k->serial)), nearest(k->serial, false));
    ck_assert_uint_eq(serial_of(engine_after(engine, k->serial)), nearest(k->serial, true));
}

static void compare_all(void)
{
    unsigned real = 0, earliest = 0;
    for (unsigned i = 0; i < live; i++) {
        compare_one(&all[i]);
        real += !all[i].synthetic;
        earliest = all[i].began < all[earliest].began ? i : earliest;
    }
    ck_assert_uint_eq(engine_counts(engine).live, live);
    ck_assert_uint_eq(engine_counts_real(engine).live, real);
    ck_assert_uint_eq(engine_serial(engine), serial);
    ck_assert_uint_eq(serial_of(engine_earliest(engine)), live == 0 ? 0 : all[earliest].serial);
    for (unsigned n = 0; n < 6; n++) {
        uint64_t from = n == 0 ? 0 : n == 1 ? UINT64_MAX : draw((unsigned)serial + 3);
        ck_assert_uint_eq(serial_of(engine_before(engine, from)), nearest(from, false));
        ck_assert_uint_eq(serial_of(engine_after(engine, from)), nearest(from, true));
        unsigned id = draw(IDS), who = draw(WHOM);
        int found = meant(id, who, true);
        ck_assert_uint_eq(serial_of(engine_find_request(engine, bytes_of_text(id_name(id)), bytes_of_text(whom[who]))),
                          found < 0 ? 0 : all[found].serial);
    }
    const char *name;
    for (unsigned i = 0; i < seen_count; i++) {
        const struct admission *family = engine_family(engine, i, &name);
        ck_assert_ptr_nonnull(family);
        ck_assert_str_eq(name, definitions[seen[i]]->name);
        ck_assert_uint_eq(family->live, live_of(seen[i]));
    }
    ck_assert_ptr_null(engine_family(engine, seen_count, &name));
}

static void set_up(void)
{
    const struct engine_options options = {.live_sagas_max = LIVE_MAX,
                                           .steps_max = 4,
                                           .payload_bytes_max = 64,
                                           .targets_max = 1,
                                           .enlisted_deadline_default = SPAN_S(60),
                                           .enlisted_lease_default = SPAN_S(60),
                                           .deadline_max = SPAN_S(3600),
                                           .seed = 7,
                                           .tag = 1};
    const struct target_options target = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    ck_assert_int_eq(engine_create(&options, &heap, &engine), 0);
    ck_assert_int_eq(engine_set_target(engine, &target), 0);
    engine_hold(engine); /* no attempt leaves, so that every saga can be ended, or read back, at once */
    for (unsigned i = 0; i < DEFINITIONS; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "name: d%u\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n",
                 i);
        ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definitions[i], &detail), 0);
        definitions[i]->number = 1;
        ck_assert_int_eq(engine_resolve(engine, definitions[i], &detail), 0);
        note_family(i);
    }
}

START_TEST(registry_model__lists_tell_the_same)
{
    random_seed(&rnd, 11);
    set_up();
    for (unsigned i = 0; i < STEPS; i++) {
        something_happens();
        compare_all();
    }
    engine_destroy(engine);
    for (unsigned i = 0; i < DEFINITIONS; i++)
        definition_destroy(definitions[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("registry_model");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, registry_model__lists_tell_the_same);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
